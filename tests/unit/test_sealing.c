/* Seals: when a database swears, in which order, and what it keeps of it. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

static void released(struct rig *r)
{
    rig_release(r, DB1, RIG_TERM, DB1);
}
static void restarted(struct rig *r)
{
    rig_restart(r), rig_sample(r), rig_release(r, DB1, RIG_TERM, DB1);
}
static void absent(struct rig *r)
{
    r->pg.phase = PG_ABSENT, rig_sample(r), rig_silence(r);
}
static void busy(struct rig *r)
{
    r->pg.phase = PG_BUSY, rig_sample(r), rig_silence(r);
}
static void broken(struct rig *r)
{
    r->pg.phase = PG_BROKEN, rig_sample(r), rig_silence(r);
}
static void down(struct rig *r)
{
    r->pg.phase = PG_DOWN, rig_sample(r), rig_silence(r);
}
static void other_term(struct rig *r)
{
    struct seal s = {.ballot = rig_ballot(20, DB3), .term = RIG_TERM + 1};
    rig_silence(r);
    rig_clear(r);
    rig_say(r, seal, FRAME_SEAL, DB3, &s);
}
static void sealed_higher(struct durable *d)
{
    d->sealed_for = rig_ballot(40, DB1);
}
static void no_directory(struct durable *d)
{
    d->dir = 0, d->dir_next = 4;
}
static void wal_arrives(struct rig *r)
{
    rig_silence(r), r->pg.upstream_age_ms = 0, rig_sample(r);
}

static const struct seal_row {
    const char *name;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    uint64_t round; /* 0: `before` has asked */
    int nack;       /* 0: it starts to seal */
} seal_rows[] = {
    {"the primary is gone", NULL, rig_silence, 20, 0},
    {"the primary released its term", NULL, released, 20, 0},
    {"a stopped PostgreSQL is started for it", NULL, down, 20, 0},
    {"WAL arrives: the seal is what ends that", NULL, wal_arrives, 20, 0},
    {"WAL arrives under async", async, wal_arrives, 20, NACK_VERDICT},
    {"a stray SEAL while the primary is alive", NULL, nothing, 20, NACK_VERDICT},
    {"just restarted", NULL, restarted, 20, NACK_QUARANTINE},
    {"below the ballot it sealed for", sealed_higher, rig_silence, 20, NACK_BALLOT},
    {"below the decided record", NULL, rig_silence, RIG_ROUND - 1, NACK_NO_RECORD},
    {"of another term", NULL, other_term, 0, NACK_NO_RECORD},
    {"no data", NULL, absent, 20, NACK_CANNOT_SEAL},
    {"a copy is under way", NULL, busy, 20, NACK_CANNOT_SEAL},
    {"PostgreSQL cannot be run", NULL, broken, 20, NACK_CANNOT_SEAL},
    {"no directory that counts", no_directory, rig_silence, 20, NACK_CANNOT_SEAL},
};

START_TEST(asked_to_seal)
{
    const struct seal_row *row = &seal_rows[_i];
    struct rig *r = rig_running_with(DB2, row->disk);
    row->before(r);
    if (row->round) {
        rig_clear(r);
        rig_seal(r, DB3, row->round);
    }
    EXPECT_INT(rig_nack(r), row->nack, row);
    EXPECT_INT(r->core->sealing.active, row->nack == 0, row);
    if (!row->nack)
        EXPECT_INT(r->core->goal.kind, GOAL_SEAL, row);
    EXPECT_INT(rig_count(r, FRAME_SEALED), 0, row);
}
END_TEST

START_TEST(a_witness_has_nothing_to_seal)
{
    struct rig *r = rig_running(W1);
    rig_silence(r);
    rig_seal(r, DB3, 20);
    ck_assert_int_eq(r->core->rejected[REJECT_ROLE], 1);
}
END_TEST

START_TEST(a_witness_may_not_ask)
{
    struct rig *r = rig_running(DB2);
    rig_silence(r);
    rig_seal(r, W1, 20);
    ck_assert_int_eq(r->core->rejected[REJECT_ROLE], 1);
    ck_assert(!r->core->sealing.active);
}
END_TEST

static struct rig *sealing(void)
{
    struct rig *r = rig_running(DB2);
    rig_silence(r);
    rig_clear(r);
    rig_seal(r, DB3, 20);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SEAL);
    return r;
}
static void reached(struct rig *r)
{
    r->pg.upstream = MEMBER_NONE;
    r->pg.sealed = true;
    rig_sample(r);
}

START_TEST(cut_then_read_then_stored_then_sent)
{
    static struct sealed_statement s;
    static struct durable d;
    struct rig *r = sealing();
    r->pg.lsn = r->pg.replay_lsn = RIG_LSN + 16; /* it still receives */
    rig_sample(r);
    ck_assert_int_eq(rig_count(r, FRAME_SEALED), 0);
    r->pg.lsn = r->pg.replay_lsn = RIG_LSN + 32;
    reached(r);
    const struct rig_frame *f = rig_sent(r, FRAME_SEALED);
    ck_assert(f && f->addressee == DB3 && wire_get_sealed(&s, f->body, f->len));
    ck_assert(sealed_holds(r->core, &s, true));
    ck_assert_int_eq(s.sealed.lsn, RIG_LSN + 32);
    ck_assert_int_eq(s.sealed.wal_term, RIG_TERM);
    ck_assert_int_eq(s.sealed.dir, 102);
    ck_assert_int_eq(s.ballot.round, 20);
    ck_assert(r->stored_order > 0 && r->stored_order < f->order);
    ck_assert(wire_get_durable(&d, r->stored, r->stored_len));
    ck_assert_int_eq(d.sealed_for.round, 20);
}
END_TEST

/* A sample of a goal that is no longer in force proves nothing. */
START_TEST(an_old_sample_is_no_seal)
{
    struct rig *r = sealing();
    struct event e = {.kind = EVENT_SAMPLE, .sample = &r->pg, .now = r->core->now};
    r->pg.sealed = true;
    r->pg.goal_seq = r->core->goal.seq - 1;
    core_step(r->core, &e, r->fx);
    ck_assert(r->core->sealing.active);
    ck_assert(ballot_is_zero(r->core->disk.sealed_for));
}
END_TEST

START_TEST(asked_twice_it_answers_twice_with_one_store)
{
    struct rig *r = sealing();
    reached(r);
    rig_clear(r);
    rig_seal(r, DB3, 20);
    ck_assert_int_eq(rig_count(r, FRAME_SEALED), 1);
    ck_assert_int_eq(r->stores, 0);
}
END_TEST

START_TEST(a_higher_ballot_is_sealed_for_as_well)
{
    struct rig *r = sealing();
    reached(r);
    rig_seal(r, DB1, 30);
    ck_assert_int_eq(r->core->disk.sealed_for.round, 30);
    rig_clear(r);
    rig_seal(r, DB3, 20);
    ck_assert_int_eq(rig_nack(r), NACK_BALLOT);
}
END_TEST

static void primary_back(struct rig *r)
{
    r->alive |= 1;
    rig_run(r, 800);
    rig_sample(r);
}

START_TEST(the_primary_comes_back_before_anything_was_sworn)
{
    struct rig *r = sealing();
    primary_back(r);
    ck_assert(!r->core->sealing.active);
    ck_assert_int_eq(r->core->goal.kind, GOAL_FOLLOW);
}
END_TEST

/* I8: neither followed nor granted below the ballot, in this start or the next; above it, both. */
static const struct kept_row {
    const char *name;
    bool restart, decided;
    enum pg_goal_kind goal;
} kept_rows[] = {
    {"sealed: the primary comes back with its old record", false, false, GOAL_SEAL},
    {"sealed, then restarted: the same", true, false, GOAL_SEAL},
    {"the record was raised above the seal", false, true, GOAL_FOLLOW},
    {"the record was raised above the seal before a restart", true, true, GOAL_FOLLOW},
};

START_TEST(what_a_seal_keeps)
{
    const struct kept_row *row = &kept_rows[_i];
    struct rig *r = sealing();
    reached(r);
    if (row->decided)
        rig_decide(r, rig_change(r, 21, edit_none));
    if (row->restart) {
        rig_restart(r);
        rig_sample(r);
    }
    primary_back(r);
    EXPECT_INT(r->core->goal.kind, row->goal, row);
    EXPECT_INT(grant_runs(&r->core->grant, r->core->now), row->decided, row);
}
END_TEST

START_TEST(an_undecided_record_above_the_seal_is_not_followed)
{
    struct rig *r = sealing();
    reached(r);
    rig_accept(r, rig_takeover(r, 30, DB3));
    ck_assert_int_eq(r->core->disk.accepted.record.primary, DB3);
    rig_sample(r);
    rig_run(r, 200);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SEAL);
    rig_decide(r, &r->core->disk.accepted);
    ck_assert_int_eq(r->core->goal.kind, GOAL_FOLLOW);
    ck_assert_int_eq(r->core->goal.upstream, DB3);
}
END_TEST

START_TEST(a_primary_that_released_can_be_sealed)
{
    struct rig *r = rig_running(DB1);
    r->core->set.on_crash = ON_CRASH_FAILOVER;
    r->pg.phase = PG_DOWN;
    r->pg.confirmed_dead = true;
    r->pg.answering = false;
    r->pg.n_standbys = 0;
    rig_sample(r);
    ck_assert_int_eq(r->core->goal.kind, GOAL_DOWN);
    rig_seal(r, DB3, 1000);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SEAL);
    rig_clear(r);
    r->pg.phase = PG_RECOVERY;
    reached(r);
    ck_assert_int_eq(rig_count(r, FRAME_SEALED), 1);
}
END_TEST

START_TEST(a_primary_alive_is_not_sealed)
{
    struct rig *r = rig_running(DB1);
    rig_clear(r);
    rig_seal(r, DB3, 1000);
    ck_assert_int_eq(rig_nack(r), NACK_VERDICT);
    ck_assert_int_eq(r->core->goal.kind, GOAL_PRIMARY);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sealing");
    TCase *tcase = suite_case(suite, "asked");
    tcase_add_loop_test(tcase, asked_to_seal, 0, ROWS(seal_rows));
    tcase_add_test(tcase, a_witness_has_nothing_to_seal);
    tcase_add_test(tcase, a_witness_may_not_ask);
    tcase_add_test(tcase, a_primary_that_released_can_be_sealed);
    tcase_add_test(tcase, a_primary_alive_is_not_sealed);
    tcase = suite_case(suite, "sworn");
    tcase_add_test(tcase, cut_then_read_then_stored_then_sent);
    tcase_add_test(tcase, an_old_sample_is_no_seal);
    tcase_add_test(tcase, asked_twice_it_answers_twice_with_one_store);
    tcase_add_test(tcase, a_higher_ballot_is_sealed_for_as_well);
    tcase = suite_case(suite, "kept");
    tcase_add_test(tcase, the_primary_comes_back_before_anything_was_sworn);
    tcase_add_loop_test(tcase, what_a_seal_keeps, 0, ROWS(kept_rows));
    tcase_add_test(tcase, an_undecided_record_above_the_seal_is_not_followed);
    return suite_run(suite);
}
