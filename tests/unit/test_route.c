/* Where applications should go: the primary that is ready, holding during a planned switchover, replicas by lag. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

static const struct routing *route(const struct rig *r)
{
    return &r->core->route;
}

/* A change by the primary, decided, and known to everybody. */
static void change(struct rig *r, uint64_t round, void (*edit)(struct record *))
{
    rig_decide(r, rig_change(r, round, edit));
    for (member_id id = DB1; id <= APP1; id++)
        r->beat[id].decided = decided_ballot(r->core);
    rig_run(r, 100);
}
static void switching(struct record *r)
{
    r->switchover_from = DB1;
    r->switchover_to = DB2;
    r->switchover_deadline_ms = 10000;
}
static void switched_back(struct record *r)
{
    r->switchover_from = r->switchover_to = MEMBER_NONE;
    r->switchover_deadline_ms = 0;
}
static void pausing(struct record *r)
{
    r->paused = true;
    strcpy(r->paused_why, "works");
}

START_TEST(a_switchover_is_told_until_the_new_primary_is_ready)
{
    struct rig *r = rig_running(APP1);
    change(r, 20, switching);
    ck_assert_int_eq(route(r)->primary, DB1);
    ck_assert_int_eq(route(r)->successor, DB2);
    ck_assert_uint_eq(route(r)->hold_ms, 10000);
    r->beat[DB1].pg.ready = false;
    rig_run(r, 100);
    ck_assert_int_eq(route(r)->successor, DB2);
    rig_decide(r, rig_takeover(r, 30, DB2));
    rig_run(r, 100);
    ck_assert_int_eq(route(r)->primary, DB1);
    ck_assert_int_eq(route(r)->successor, DB2);
    r->beat[DB2].decided = decided_ballot(r->core);
    r->beat[DB2].decided_term = RIG_TERM + 1;
    r->beat[DB2].pg.ready = true;
    rig_run(r, 100);
    ck_assert_int_eq(route(r)->primary, DB2);
    ck_assert_uint_eq(route(r)->term, RIG_TERM + 1);
    ck_assert_int_eq(route(r)->successor, MEMBER_NONE);
    ck_assert_uint_eq(route(r)->hold_ms, 0);
}
END_TEST

START_TEST(an_undone_switchover_waits_for_the_old_primary)
{
    struct rig *r = rig_running(APP1);
    change(r, 20, switching);
    r->beat[DB1].pg.ready = false;
    rig_run(r, 100);
    change(r, 21, switched_back);
    ck_assert_int_eq(route(r)->successor, DB2);
    r->beat[DB1].pg.ready = true;
    rig_run(r, 100);
    ck_assert_int_eq(route(r)->successor, MEMBER_NONE);
    ck_assert_int_eq(route(r)->primary, DB1);
    ck_assert_uint_eq(route(r)->term, RIG_TERM);
}
END_TEST

START_TEST(a_pause_is_told)
{
    struct rig *r = rig_running(APP1);
    ck_assert(!route(r)->paused);
    change(r, 20, pausing);
    ck_assert(route(r)->paused);
}
END_TEST

/* ---- replicas: db2 and db3 stream; the limit is 64 kB, so 32 kB to come in ------------------------------------------------ */

static const struct lag_row {
    const char *name;
    uint64_t first_kb, then_kb; /* db2's replay is so far behind; then so far */
    bool streams;               /* then */
    int replicas;               /* then */
} lag_rows[] = {
    {"level", 0, 0, true, 2},
    {"within the limit it stays", 0, 60, true, 2},
    {"beyond the limit it leaves", 0, 70, true, 1},
    {"above half of it, it does not come in", 100, 40, true, 1},
    {"below half of it, it does", 100, 30, true, 2},
    {"one that streams no more leaves", 0, 0, false, 1},
};

static void lag(struct rig *r, uint64_t kb)
{
    lsn_t end = 1u << 20;
    r->beat[DB1].pg.lsn = end;
    r->beat[DB3].pg.lsn = r->beat[DB3].pg.replay_lsn = end;
    r->beat[DB2].pg.lsn = end;
    r->beat[DB2].pg.replay_lsn = end - kb * 1024;
    rig_run(r, 100);
}

START_TEST(replicas_by_lag)
{
    const struct lag_row *row = &lag_rows[_i];
    struct rig *r = rig_running(APP1);
    r->core->set.replica_lag_kb = 64;
    lag(r, row->first_kb);
    r->beat[DB2].pg.streaming = row->streams;
    lag(r, row->then_kb);
    EXPECT_INT(route(r)->n_replicas, row->replicas, row);
    EXPECT_INT(route(r)->replicas[row->replicas - 1], DB3, row);
}
END_TEST

START_TEST(replicas_stay_while_nobody_is_primary)
{
    struct rig *r = rig_running(APP1);
    lag(r, 0);
    ck_assert_int_eq(route(r)->n_replicas, 2);
    r->alive &= ~(1u << (DB1 - 1));
    rig_run(r, 700);
    r->beat[DB2].pg.streaming = r->beat[DB3].pg.streaming = false;
    rig_run(r, 2000);
    ck_assert_int_eq(route(r)->n_replicas, 2);
    r->alive &= ~(1u << (DB3 - 1));
    rig_run(r, 2000);
    ck_assert_int_eq(route(r)->n_replicas, 1);
    ck_assert_int_eq(route(r)->replicas[0], DB2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("route");
    TCase *tcase = suite_case(suite, "primary");
    tcase_add_test(tcase, a_switchover_is_told_until_the_new_primary_is_ready);
    tcase_add_test(tcase, an_undone_switchover_waits_for_the_old_primary);
    tcase_add_test(tcase, a_pause_is_told);
    tcase = suite_case(suite, "replicas");
    tcase_add_loop_test(tcase, replicas_by_lag, 0, ROWS(lag_rows));
    tcase_add_test(tcase, replicas_stay_while_nobody_is_primary);
    return suite_run(suite);
}
