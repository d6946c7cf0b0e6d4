/* Changing the sync set: joint, in force, caught up, and only then away from the old one; or back. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

static const struct sync_set none, both = {.k = 1, .n = 2, .m = {{DB2, 102}, {DB3, 103}}},
                                   db2 = {.k = 1, .n = 1, .m = {{DB2, 102}}};

/* The hand does what it is told, at once, at the LSN at which it is. */
static void wait(struct rig *r, int ms, bool obeying)
{
    for (int t = 0; t < ms; t += 50) {
        rig_run(r, 50);
        if (obeying && r->core->upkeep.running)
            rig_obey(r);
        rig_sample(r);
    }
}
static void row_set(struct rig *r, member_id id, bool streaming, lsn_t flushed)
{
    for (int i = 0; i < r->pg.n_standbys; i++)
        if (r->pg.standbys[i].id == id)
            r->pg.standbys[i].streaming = streaming, r->pg.standbys[i].flush_lsn = flushed;
}
/* The record as it is now, and PostgreSQL's setting in force. */
static struct rig *settled(void (*disk)(struct durable *), bool db2_streams, bool db3_streams)
{
    struct rig *r = rig_new(DB1);
    if (disk)
        disk(&r->disk);
    row_set(r, DB2, db2_streams, RIG_LSN);
    row_set(r, DB3, db3_streams, RIG_LSN);
    r->accepted = r->disk.decided.proposal;
    rig_start(r);
    rig_sample(r);
    return r;
}
static const struct record *now(struct rig *r)
{
    return decided(r->core);
}

static const struct settle_row {
    const char *name;
    void (*disk)(struct durable *);
    bool db2, db3; /* streaming */
    bool joint;
    const struct sync_set *set;
} settle_rows[] = {
    {"both listed, both streaming: left alone", NULL, true, true, false, &both},
    {"one is gone: it leaves", NULL, true, false, false, &db2},
    {"one came: it is taken up", only_db2, true, true, false, &both},
    {"one replaces the other", only_db3, true, false, false, &db2},
    {"from nobody to both", empty, true, true, false, &both},
    {"nobody is left: the empty set, under sync", NULL, false, false, false, &none},
    {"nobody is left under strict: writes wait", strict, false, false, false, &both},
    {"async wants nobody", async_empty, true, true, false, &none},
    {"a joint found after a restart is left forward", joint, true, true, false, &both},
    {"a joint whose new set is gone is left backwards", joint, true, false, false, &db2},
};

START_TEST(settles)
{
    const struct settle_row *row = &settle_rows[_i];
    struct rig *r = settled(row->disk, row->db2, row->db3);
    wait(r, 15000, true);
    EXPECT_INT(now(r)->joint, row->joint, row);
    EXPECT(sync_set_equal(&now(r)->sync[0], row->set), row);
    EXPECT(sync_set_equal(&r->core->upkeep.in_pg, row->set) && r->core->upkeep.known, row);
}
END_TEST

static void until_joint(struct rig *r)
{
    for (int i = 0; i < 1000 && !now(r)->joint; i++) {
        rig_run(r, 10);
        if (now(r)->joint)
            break;
        if (r->core->upkeep.running)
            rig_obey(r), rig_sample(r);
        else
            rig_sample(r);
    }
    ck_assert(now(r)->joint);
    rig_clear(r);
}

/* Anything weaker is decided before PostgreSQL is weakened; anything else is a joint first. */
START_TEST(the_record_first_then_postgresql)
{
    struct rig *r = settled(only_db2, true, true);
    until_joint(r);
    ck_assert(sync_set_equal(&now(r)->sync[0], &db2) && sync_set_equal(&now(r)->sync[1], &both));
    wait(r, 50, false);
    ck_assert(sync_set_equal(&r->sync.set, &both));
    ck_assert_int_eq(r->sync.n_before, 3); /* walsenders of either set must have confirmed, or be gone */
    wait(r, 1000, false);
    ck_assert(now(r)->joint); /* not in force yet */
    rig_obey(r), rig_sample(r);
    wait(r, 200, true);
    ck_assert(!now(r)->joint && sync_set_equal(&now(r)->sync[0], &both));
}
END_TEST

START_TEST(a_joint_waits_until_the_new_set_has_caught_up)
{
    struct rig *r = settled(only_db3, true, false);
    until_joint(r);
    ck_assert(sync_set_equal(&now(r)->sync[1], &db2));
    wait(r, 50, false);
    r->pg.lsn += 100; /* db2 has not flushed where the setting came into force */
    rig_obey(r), rig_sample(r);
    wait(r, 500, true);
    ck_assert(now(r)->joint);
    row_set(r, DB2, true, r->pg.sync_lsn - 1);
    wait(r, 200, true);
    ck_assert(now(r)->joint);
    row_set(r, DB2, true, r->pg.sync_lsn);
    wait(r, 200, true);
    ck_assert(!now(r)->joint && sync_set_equal(&now(r)->sync[0], &db2));
}
END_TEST

START_TEST(a_clone_is_another_member)
{
    struct rig *r = settled(NULL, true, true);
    wait(r, 2000, true);
    r->beat[DB3].pg.dir = 777;
    r->pg.standbys[1].dir = 777;
    rig_run(r, 100);
    wait(r, 5000, true);
    const struct sync_member *m = sync_set_find(&now(r)->sync[0], DB3);
    ck_assert(m && m->dir == 777);
}
END_TEST

/* A row under an old name does not count for the directory that its member has now. */
START_TEST(a_row_under_an_old_name_is_nobodys)
{
    struct rig *r = settled(NULL, true, true);
    wait(r, 2000, true);
    r->beat[DB3].pg.dir = 777; /* but the walsender still says 103 */
    rig_run(r, 100);
    wait(r, 5000, true);
    ck_assert(sync_set_equal(&now(r)->sync[0], &db2));
}
END_TEST

START_TEST(what_is_gone_for_a_moment_is_in_no_joint)
{
    struct rig *r = settled(only_db2, true, false);
    r->core->set.standby_timeout_ms = 3000;
    wait(r, 1000, true);
    row_set(r, DB2, false, RIG_LSN); /* gone for a moment, when db3 comes */
    row_set(r, DB3, true, RIG_LSN);
    wait(r, 1500, true);
    ck_assert(!now(r)->joint && sync_set_equal(&now(r)->sync[0], &db2));
    row_set(r, DB2, true, RIG_LSN);
    wait(r, 1500, true);
    ck_assert(sync_set_equal(&now(r)->sync[0], &both));
}
END_TEST

/* The checkpoint before a switchover may take long, and commits wait for a standby that dies meanwhile. */
START_TEST(who_goes_during_a_checkpoint_leaves)
{
    struct rig *r = settled(NULL, true, true);
    wait(r, 1000, true);
    struct command m = rig_command(r, COMMAND_SWITCHOVER, DB2);
    rig_submit(r, &m);
    ck_assert_int_eq(r->core->operation.phase, OPERATION_CHECKPOINT);
    row_set(r, DB3, false, RIG_LSN);
    wait(r, 4000, true);
    ck_assert_int_eq(r->core->operation.phase, OPERATION_CHECKPOINT);
    ck_assert(!now(r)->joint && sync_set_equal(&now(r)->sync[0], &db2));
}
END_TEST

/* Its walsender says "streaming" for seconds after the host has vanished without a reset. */
START_TEST(who_neither_confirms_nor_is_heard_is_gone)
{
    struct rig *r = settled(NULL, true, true);
    wait(r, 2000, true);
    r->pg.lsn += 100;
    row_set(r, DB2, true, r->pg.lsn);
    wait(r, 3000, true);
    ck_assert(sync_set_equal(&now(r)->sync[0], &both)); /* slow, but alive: patience */
    wait(r, 3000, true);
    ck_assert(sync_set_equal(&now(r)->sync[0], &db2));

    struct rig *q = settled(NULL, true, true);
    wait(q, 2000, true);
    q->pg.lsn += 100;
    row_set(q, DB2, true, q->pg.lsn);
    q->alive &= ~(1u << (DB3 - 1));
    wait(q, 800, true);
    ck_assert(sync_set_equal(&now(q)->sync[0], &both));
    wait(q, 1200, true);
    ck_assert(sync_set_equal(&now(q)->sync[0], &db2));

    struct rig *p = settled(NULL, true, true);
    wait(p, 2000, true);
    p->pg.lsn += 100;
    row_set(p, DB2, true, p->pg.lsn);
    p->via[DB3] = W1; /* the way between the two hosts is cut; it is heard of all the same */
    wait(p, 800, true);
    ck_assert(sync_set_equal(&now(p)->sync[0], &both));
    wait(p, 1200, true);
    ck_assert(sync_set_equal(&now(p)->sync[0], &db2));
}
END_TEST

/* Its mesh port alone is cut: its WAL says that it is there. */
START_TEST(who_confirms_stays_whatever_way_it_is_heard)
{
    struct rig *r = settled(NULL, true, true);
    r->via[DB3] = W1;
    for (int i = 0; i < 40; i++) {
        r->pg.lsn += 100;
        row_set(r, DB2, true, r->pg.lsn);
        row_set(r, DB3, true, r->pg.lsn);
        wait(r, 100, true);
    }
    ck_assert(sync_set_equal(&now(r)->sync[0], &both));
}
END_TEST

START_TEST(from_nobody_a_commit_must_be_seen_to_wait)
{
    struct rig *r = settled(empty, true, false);
    until_joint(r);
    wait(r, 50, false);
    ck_assert(r->sync.from_empty);
    struct rig *q = settled(only_db2, true, true);
    until_joint(q);
    wait(q, 50, false);
    ck_assert(!q->sync.from_empty);
}
END_TEST

START_TEST(an_undecided_change_leaves_the_setting_alone)
{
    struct rig *r = settled(NULL, true, false);
    r->voting = 0x1e;
    wait(r, 300, true);
    r->voting = 0;
    r->promising = 0x1e;
    for (int i = 0; i < 200 && !r->core->disk.has_own; i++)
        wait(r, 50, true);
    ck_assert(r->core->disk.has_own);
    rig_clear(r);
    wait(r, 1000, true);
    ck_assert_int_eq(r->syncs, 0);
}
END_TEST

START_TEST(an_order_that_failed_is_given_again)
{
    struct rig *r = settled(only_db2, true, true);
    until_joint(r);
    wait(r, 50, false);
    uint64_t seq = r->sync.seq;
    r->pg.sync_seq = seq;
    r->pg.sync_progress = PG_GOAL_FAILED;
    rig_sample(r);
    wait(r, 500, false);
    ck_assert(r->sync.seq > seq);
    r->pg.sync_seq = seq; /* an answer to the old one */
    r->pg.sync_progress = PG_GOAL_REACHED;
    rig_sample(r);
    ck_assert(!r->core->upkeep.known);
}
END_TEST

START_TEST(without_a_lease_nothing_changes)
{
    struct rig *r = settled(NULL, true, false);
    for (member_id id = DB2; id <= W2; id++)
        r->grants[id] = false;
    wait(r, 3000, true);
    ck_assert(sync_set_equal(&now(r)->sync[0], &both));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("syncset");
    TCase *tcase = suite_case(suite, "syncset");
    tcase_add_loop_test(tcase, settles, 0, ROWS(settle_rows));
    tcase_add_test(tcase, the_record_first_then_postgresql);
    tcase_add_test(tcase, a_joint_waits_until_the_new_set_has_caught_up);
    tcase_add_test(tcase, a_clone_is_another_member);
    tcase_add_test(tcase, a_row_under_an_old_name_is_nobodys);
    tcase_add_test(tcase, what_is_gone_for_a_moment_is_in_no_joint);
    tcase_add_test(tcase, who_goes_during_a_checkpoint_leaves);
    tcase_add_test(tcase, who_neither_confirms_nor_is_heard_is_gone);
    tcase_add_test(tcase, who_confirms_stays_whatever_way_it_is_heard);
    tcase_add_test(tcase, from_nobody_a_commit_must_be_seen_to_wait);
    tcase_add_test(tcase, an_undecided_change_leaves_the_setting_alone);
    tcase_add_test(tcase, an_order_that_failed_is_given_again);
    tcase_add_test(tcase, without_a_lease_nothing_changes);
    return suite_run(suite);
}
