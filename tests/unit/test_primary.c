/* The primary: when it is ready, when it gives its term up, when it starts PostgreSQL again. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

static void dead(struct rig *r)
{
    r->pg.phase = PG_DOWN;
    r->pg.confirmed_dead = true;
    r->pg.answering = false;
    rig_sample(r);
}
static void up(struct rig *r)
{
    r->pg.phase = PG_PRIMARY;
    r->pg.answering = true;
    r->pg.confirmed_dead = false;
}

/* ---- ready ------------------------------------------------------------------------------------------------------------ */

static void no_answer(struct rig *r)
{
    r->pg.answering = false;
}
static void frozen(struct rig *r)
{
    r->pg.frozen = true;
}
static void other_timeline(struct rig *r)
{
    r->pg.timeline++;
}
static void other_system(struct rig *r)
{
    r->pg.system_id++;
}
static void in_recovery(struct rig *r)
{
    r->pg.phase = PG_RECOVERY;
}
static void no_grants(struct rig *r)
{
    for (member_id id = DB2; id <= W2; id++)
        r->grants[id] = false;
}
static void strict_empty(struct durable *d)
{
    strict(d), empty(d);
}

static const struct ready_row {
    const char *name;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    bool ready;
} ready_rows[] = {
    {"writable, leased, on the record's timeline", NULL, nothing, true},
    {"no lease", NULL, no_grants, false},
    {"it does not write and flush", NULL, no_answer, false},
    {"frozen by the guard", NULL, frozen, false},
    {"on another timeline", NULL, other_timeline, false},
    {"of another cluster", NULL, other_system, false},
    {"still a standby", NULL, in_recovery, false},
    {"strict with a set", strict, nothing, true},
    {"strict with nobody to confirm", strict_empty, nothing, false},
};

START_TEST(ready)
{
    const struct ready_row *row = &ready_rows[_i];
    struct rig *r = rig_running_with(DB1, row->disk);
    row->before(r);
    rig_sample(r);
    rig_run(r, 700);
    EXPECT_INT(r->core->hold.ready, row->ready, row);
}
END_TEST

/* After a restart in the same term: k of the set past the end of recovery; each time anew. */
START_TEST(restarted_it_waits_for_its_standbys)
{
    struct rig *r = rig_running(DB1);
    r->core->set.on_crash = ON_CRASH_RESTART;
    for (int round = 1; round <= 2; round++) {
        dead(r);
        ck_assert(rig_said(r, "+restart"));
        rig_clear(r);
        r->pg.lsn += 100; /* it recovers more than anybody has confirmed */
        up(r);
        rig_wait(r, 200);
        ck_assert(lease_held(r->core) && !r->core->hold.ready);
        r->pg.standbys[1].flush_lsn = r->pg.lsn;
        rig_wait(r, 100);
        ck_assert(r->core->hold.ready);
    }
}
END_TEST

START_TEST(a_standby_ahead_proves_a_rollback)
{
    struct rig *r = rig_running(DB1);
    r->core->set.on_crash = ON_CRASH_RESTART;
    dead(r);
    r->beat[DB3].pg.lsn = RIG_LSN + 100;
    rig_run(r, 100);
    up(r);
    rig_wait(r, 100);
    ck_assert(!r->core->hold.ready);
    ck_assert_int_eq(r->core->goal.kind, GOAL_DOWN);
    ck_assert(rig_said(r, "a standby is ahead"));
}
END_TEST

/* ---- giving up --------------------------------------------------------------------------------------------------------- */

enum outcome { GOES_ON, STARTS_AGAIN, GIVES_UP, STOPS_FIRST };
static void crash(struct rig *r)
{
    dead(r);
}
static void crash_alone(struct rig *r)
{
    r->alive &= ~6u, rig_run(r, 1000), dead(r);
}
static void crash_too_few(struct rig *r) /* of two in the set with k = 1 both would have to be sealed */
{
    r->alive &= ~(1u << (DB3 - 1)), rig_run(r, 1000), dead(r);
}
static void crash_restart(struct rig *r)
{
    r->core->set.on_crash = ON_CRASH_RESTART, dead(r);
}
static void crash_alone_failover(struct rig *r)
{
    r->core->set.on_crash = ON_CRASH_FAILOVER, crash_alone(r);
}
static void crash_not_reaped(struct rig *r)
{
    r->pg.phase = PG_DOWN, r->pg.answering = false, rig_sample(r);
}
static void hangs_shortly(struct rig *r)
{
    r->pg.answering = false, rig_wait(r, 2500);
}
static void hangs(struct rig *r)
{
    r->pg.answering = false, rig_wait(r, 3500);
}
static void hangs_frozen(struct rig *r)
{
    r->pg.answering = false, r->pg.frozen = true, rig_wait(r, 3500);
}
static void hangs_then_dead(struct rig *r)
{
    hangs(r), dead(r);
}
static void goal_fails(struct rig *r)
{
    r->pg.progress = PG_GOAL_FAILED, rig_sample(r);
}
static void broken_dead(struct rig *r)
{
    r->pg.phase = PG_BROKEN, r->pg.answering = false, r->pg.confirmed_dead = true, rig_sample(r);
}
static void other_directory(struct rig *r)
{
    r->core->disk.dir = 999, rig_sample(r);
}
static void other_directory_dead(struct rig *r)
{
    r->core->disk.dir = 999, dead(r);
}

static const struct outcome_row {
    const char *name;
    void (*disk)(struct durable *);
    void (*event)(struct rig *);
    enum outcome outcome;
} outcome_rows[] = {
    {"nothing happens", NULL, nothing, GOES_ON},
    {"a crash, and another is fit: released at once", NULL, crash, GIVES_UP},
    {"a crash, and nobody else is fit: started again", NULL, crash_alone, STARTS_AGAIN},
    {"a crash, and one is fit, too few to prove that nothing is lost: started again", NULL, crash_too_few,
     STARTS_AGAIN},
    {"a crash, and restarts are wanted", NULL, crash_restart, STARTS_AGAIN},
    {"a crash, and failovers are wanted", NULL, crash_alone_failover, GIVES_UP},
    {"a crash while paused: started again", paused, crash, STARTS_AGAIN},
    {"it is down, but processes may be left: nothing is sworn", NULL, crash_not_reaped, GOES_ON},
    {"no answer for less than the timeout", NULL, hangs_shortly, GOES_ON},
    {"no answer: stopped first", NULL, hangs, STOPS_FIRST},
    {"no answer because the guard froze it", NULL, hangs_frozen, GOES_ON},
    {"no answer, then every process reaped: released", NULL, hangs_then_dead, GIVES_UP},
    {"the goal cannot be reached: stopped first", NULL, goal_fails, STOPS_FIRST},
    {"it cannot be run, and nothing is left of it: released", NULL, broken_dead, GIVES_UP},
    {"another directory than the record's, running: stopped first", NULL, other_directory, STOPS_FIRST},
    {"another directory than the record's, dead: released", NULL, other_directory_dead, GIVES_UP},
};

START_TEST(outcomes)
{
    const struct outcome_row *row = &outcome_rows[_i];
    struct rig *r = rig_running_with(DB1, row->disk);
    rig_clear(r);
    row->event(r);
    bool released = r->core->disk.released_term == RIG_TERM;
    EXPECT_INT(released, row->outcome == GIVES_UP, row);
    EXPECT_INT(rig_count(r, FRAME_RELEASE) > 0, row->outcome == GIVES_UP, row);
    EXPECT_INT(rig_said(r, "+restart"), row->outcome == STARTS_AGAIN, row);
    EXPECT_INT(r->core->hold.asking, row->outcome == GOES_ON || row->outcome == STARTS_AGAIN, row);
    EXPECT_INT(r->core->goal.kind == GOAL_DOWN, row->outcome == STOPS_FIRST || row->outcome == GIVES_UP, row);
}
END_TEST

static void served(struct durable *d)
{
    d->served_term = RIG_TERM;
}
static void unserved(struct durable *d)
{
    d->served_term = 0;
}
static void served_paused(struct durable *d)
{
    served(d), paused(d);
}
static void want_restart(struct rig *r)
{
    r->core->set.on_crash = ON_CRASH_RESTART;
}
static void alone(struct rig *r)
{
    r->alive &= ~6u;
}
static const struct recovery_row {
    const char *name;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    int ms;
    bool goes_on;
} recovery_rows[] = {
    {"a recovery that is quick", served, nothing, 2500, true},
    {"one that takes longer than answer_timeout, and another is fit", served, nothing, 4000, false},
    {"nobody else is fit", served, alone, 8000, true},
    {"restarts are wanted", served, want_restart, 8000, true},
    {"while paused", served_paused, nothing, 8000, true},
    {"the first start of this term", unserved, nothing, 8000, true},
};

/* Agent and PostgreSQL fell together, and came back within the lease. */
START_TEST(a_long_recovery)
{
    const struct recovery_row *row = &recovery_rows[_i];
    struct rig *r = rig_new(DB1);
    if (row->disk)
        row->disk(&r->disk);
    r->accepted = r->disk.decided.proposal;
    r->pg.phase = PG_STARTING;
    r->pg.answering = false;
    rig_start(r);
    row->before(r);
    rig_wait(r, row->ms);
    EXPECT_INT(r->core->hold.failing == NULL, row->goes_on, row);
    EXPECT_INT(r->core->goal.kind == GOAL_DOWN, !row->goes_on, row);
}
END_TEST

/* Its disk hangs, so its processes cannot die: the others take over, and it must not raise the record above their ballot. */
START_TEST(a_failing_primary_lets_them_take_over)
{
    for (int failing = 0; failing <= 1; failing++) {
        struct rig *r = rig_running(DB1);
        if (failing)
            hangs(r);
        ck_assert_int_eq(r->core->hold.failing != NULL, failing);
        rig_clear(r);
        r->beat[DB2].promised = r->beat[DB2].sealed_for = rig_ballot(99, DB2);
        rig_wait(r, 500);
        ck_assert_int_eq(rig_count(r, FRAME_PREPARE) > 0, !failing);
    }
}
END_TEST

/* A release says how far its WAL goes, and its signature holds. */
START_TEST(a_release_is_whole)
{
    static struct release x;
    struct rig *r = rig_running(DB1);
    rig_clear(r);
    dead(r);
    const struct rig_frame *f = rig_sent(r, FRAME_RELEASE);
    ck_assert(f && wire_get_release(&x, f->body, f->len));
    ck_assert(release_holds(r->core, &x));
    ck_assert(x.term == RIG_TERM && x.who == DB1 && x.lsn == RIG_LSN && x.successor == MEMBER_NONE);
    ck_assert(lease_held(r->core) == false);
}
END_TEST

START_TEST(what_the_first_primary_finds_goes_into_the_record)
{
    struct rig *r = rig_new(DB1);
    struct record *x = &r->disk.decided.proposal.record;
    x->system_id = x->timeline = x->n_history = 0;
    x->term = 1;
    memset(x->sync, 0, sizeof x->sync);
    r->accepted = r->disk.decided.proposal;
    r->pg.timeline = r->pg.timeline_max = 1;
    r->pg.progress = PG_GOAL_REACHED;
    for (member_id id = DB1; id <= APP1; id++)
        r->beat[id].decided_term = r->beat[id].accepted_term = 1;
    rig_start(r);
    rig_wait(r, 3000);
    ck_assert_int_eq(decided(r->core)->system_id, RIG_SYSTEM);
    ck_assert_int_eq(decided(r->core)->timeline, 1);
    ck_assert_int_eq(decided(r->core)->n_history, 1);
    ck_assert(r->core->hold.ready);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("primary");
    TCase *tcase = suite_case(suite, "ready");
    tcase_add_loop_test(tcase, ready, 0, ROWS(ready_rows));
    tcase_add_test(tcase, restarted_it_waits_for_its_standbys);
    tcase_add_test(tcase, a_standby_ahead_proves_a_rollback);
    tcase_add_test(tcase, what_the_first_primary_finds_goes_into_the_record);
    tcase = suite_case(suite, "giving up");
    tcase_add_loop_test(tcase, outcomes, 0, ROWS(outcome_rows));
    tcase_add_loop_test(tcase, a_long_recovery, 0, ROWS(recovery_rows));
    tcase_add_test(tcase, a_failing_primary_lets_them_take_over);
    tcase_add_test(tcase, a_release_is_whole);
    return suite_run(suite);
}
