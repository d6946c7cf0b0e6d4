/* The planned switchover step by step: what is waited for and for how long, and what undoes it. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

/* Ordered; the checkpoint is not written yet. */
static struct rig *ordered(void)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_SWITCHOVER, DB2);
    rig_submit(r, &m);
    rig_wait(r, 500);
    ck_assert_int_eq(r->core->goal.kind, GOAL_PRIMARY);
    ck_assert(r->core->goal.checkpoint);
    ck_assert_int_eq(decided(r->core)->switchover_to, MEMBER_NONE);
    ck_assert_int_eq(r->answers, 0);
    return r;
}
static void checkpointed(struct rig *r)
{
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 100);
    ck_assert_int_eq(decided(r->core)->switchover_to, DB2);
    ck_assert(!r->core->goal.checkpoint);
}

static struct rig *switching(void)
{
    struct rig *r = ordered();
    checkpointed(r);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SHUTDOWN);
    return r;
}
static void stopped(struct rig *r, bool clean, lsn_t lsn)
{
    r->pg.phase = PG_DOWN;
    r->pg.answering = false;
    r->pg.confirmed_dead = true;
    r->pg.clean = clean;
    r->pg.lsn = lsn;
    r->pg.n_standbys = 0;
    rig_sample(r);
}

START_TEST(step_by_step)
{
    static struct release x;
    struct rig *r = switching();
    rig_clear(r);
    stopped(r, true, RIG_LSN + 100);
    rig_run(r, 200);
    ck_assert_int_eq(rig_count(r, FRAME_RELEASE), 0); /* the target lacks WAL */
    r->beat[DB2].pg.lsn = RIG_LSN + 100;
    rig_run(r, 60);
    const struct rig_frame *f = rig_sent(r, FRAME_RELEASE);
    ck_assert(f && wire_get_release(&x, f->body, f->len));
    ck_assert_int_eq(x.successor, DB2);
    ck_assert(!lease_held(r->core));
    rig_decide(r, rig_takeover(r, 1000, DB2));
    r->beat[DB2].decided_term = RIG_TERM + 1;
    r->beat[DB2].pg.ready = true;
    rig_run(r, 100);
    ck_assert(r->answer.final && r->answer.done);
    ck_assert_str_eq(r->answer.text, "switched over");
}
END_TEST

/* Seen live: a voter had promised the ballot of a takeover that came to nothing, and the order waited for its deadline. */
START_TEST(a_lost_ballot_is_cast_again)
{
    struct rig *r = ordered();
    r->voting = 0;
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 100);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    rig_outbid(r, W1);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_IDLE);
    r->voting = 0x1e;
    rig_wait(r, 500);
    ck_assert_int_eq(decided(r->core)->switchover_to, DB2);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SHUTDOWN);
}
END_TEST

START_TEST(a_checkpoint_that_takes_too_long_changes_nothing)
{
    struct rig *r = ordered();
    rig_wait(r, 10500);
    ck_assert(r->answers == 1 && r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.hint, "Raise switchover_timeout, or run CHECKPOINT before.");
    ck_assert_int_eq(decided(r->core)->switchover_to, MEMBER_NONE);
    ck_assert_int_eq(r->core->goal.kind, GOAL_PRIMARY);
    ck_assert(!r->core->goal.checkpoint);
}
END_TEST

START_TEST(a_target_that_dies_during_the_checkpoint_is_not_waited_for)
{
    struct rig *r = ordered();
    r->alive &= ~(1u << (DB2 - 1));
    rig_run(r, 700);
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 100);
    ck_assert(r->answers == 1 && r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "the target is not heard");
    ck_assert_int_eq(decided(r->core)->switchover_to, MEMBER_NONE);
}
END_TEST

/* With the checkpoint the hand sends the rest of a segment of WAL. */
START_TEST(the_rest_of_a_segment_is_waited_for)
{
    struct rig *r = ordered();
    r->pg.lsn += 4 << 20;
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 300);
    ck_assert_int_eq(decided(r->core)->switchover_to, MEMBER_NONE);
    r->beat[DB2].pg.lsn = r->pg.lsn;
    rig_wait(r, 100);
    ck_assert_int_eq(decided(r->core)->switchover_to, DB2);
}
END_TEST

START_TEST(a_target_that_stays_behind_is_not_waited_for_long)
{
    struct rig *r = ordered();
    r->pg.lsn += 4 << 20;
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 1500);
    ck_assert_int_eq(decided(r->core)->switchover_to, DB2);
}
END_TEST

/* ---- quarantine: who was started a moment ago refuses takeovers --------------------------------------------------------- */

static const struct quarantine_row {
    const char *name;
    uint32_t who; /* bit of each member in quarantine */
    const char *waits;
} quarantine_rows[] = {
    {"of the target", 1u << (DB2 - 1), "the target was started a moment ago"},
    {"of three voters of five", 1u << (DB3 - 1) | 1u << (W1 - 1) | 1u << (W2 - 1),
     "too few voters would promise a takeover now"},
    {"of two voters of five is none's business", 1u << (W1 - 1) | 1u << (W2 - 1), NULL},
    {"of the standby that is to be sealed as well", 1u << (DB3 - 1),
     "too few standbys of the sync set would be sealed now"},
};
static void quarantined(struct rig *r, uint32_t who, uint32_t ms)
{
    for (member_id id = DB2; id <= W2; id++)
        r->beat[id].quarantine_ms = who >> (id - 1) & 1 ? ms : 0;
    rig_run(r, 100);
}

START_TEST(a_quarantine_is_waited_for)
{
    const struct quarantine_row *row = &quarantine_rows[_i];
    struct rig *r = ordered();
    quarantined(r, row->who, 1500);
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 1000);
    EXPECT_INT(decided(r->core)->switchover_to, row->waits ? MEMBER_NONE : DB2, row);
    EXPECT_INT(r->answers, 0, row);
    quarantined(r, 0, 0);
    rig_wait(r, 200);
    EXPECT_INT(decided(r->core)->switchover_to, DB2, row);
}
END_TEST

START_TEST(a_quarantine_without_end_changes_nothing)
{
    const struct quarantine_row *row = &quarantine_rows[_i];
    if (!row->waits)
        return;
    struct rig *r = ordered();
    quarantined(r, row->who, 1500);
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 10500);
    EXPECT_INT(r->answers, 1, row);
    EXPECT(r->answer.final && !r->answer.done && r->answer.detail[0] && r->answer.hint[0], row);
    EXPECT_TEXT(r->answer.text, row->waits, row);
    EXPECT_INT(decided(r->core)->switchover_to, MEMBER_NONE, row);
}
END_TEST

/* Everything is stopped when it restarts: the term is not released to somebody who would refuse it. */
START_TEST(a_target_that_restarts_in_the_middle_is_waited_for)
{
    struct rig *r = switching();
    rig_clear(r);
    quarantined(r, 1u << (DB2 - 1), 1500);
    stopped(r, true, RIG_LSN);
    rig_run(r, 500);
    ck_assert_int_eq(rig_count(r, FRAME_RELEASE), 0);
    quarantined(r, 0, 0);
    ck_assert_int_ge(rig_count(r, FRAME_RELEASE), 1);
}
END_TEST

START_TEST(a_heartbeat_tells_of_our_own)
{
    static struct heartbeat h;
    struct rig *r = rig_running(DB2);
    heartbeat_fill(r->core, &h);
    ck_assert_int_eq(h.quarantine_ms, 0);
    rig_restart(r);
    rig_run(r, 500);
    ck_assert(in_quarantine(r->core));
    heartbeat_fill(r->core, &h);
    ck_assert_int_ge(h.quarantine_ms, 1000);
    ck_assert_int_le(h.quarantine_ms, 1510);
    rig_run(r, 2000);
    heartbeat_fill(r->core, &h);
    ck_assert_int_eq(h.quarantine_ms, 0);
}
END_TEST

/* ---- poolers: an observer drives one, and it is open ------------------------------------------------------------------------- */

static void unknown_yet(struct rig *r)
{
    r->beat[APP1].pooler = POOLER_HELD; /* of a former switchover: it has not heard of this one */
    r->beat[APP1].decided = rig_ballot(RIG_ROUND, DB1);
    rig_beat(r, APP1);
    ck_assert_int_eq(r->core->goal.kind, GOAL_PRIMARY);
}
static void held(struct rig *r)
{
    r->beat[APP1].pooler = POOLER_HELD;
    r->beat[APP1].decided = decided_ballot(r->core);
}
static void reached_no_more(struct rig *r)
{
    r->beat[APP1].pooler = POOLER_NONE;
}
static void silent(struct rig *r)
{
    r->alive &= ~(1u << (APP1 - 1));
    rig_run(r, 700);
}
static void waited(struct rig *r)
{
    rig_wait(r, 1700);
}
static const struct pooler_row {
    const char *name;
    void (*event)(struct rig *);
    enum pg_goal_kind goal;
} pooler_rows[] = {
    {"an open pooler is waited for", nothing, GOAL_PRIMARY},
    {"one that knows nothing of it is, until it does", unknown_yet, GOAL_SHUTDOWN},
    {"one that has paused is not", held, GOAL_SHUTDOWN},
    {"one that cannot be reached is not", reached_no_more, GOAL_SHUTDOWN},
    {"one whose observer is silent is not", silent, GOAL_SHUTDOWN},
    {"after a while nobody is", waited, GOAL_SHUTDOWN},
};

START_TEST(poolers)
{
    const struct pooler_row *row = &pooler_rows[_i];
    struct rig *r = ordered();
    r->beat[APP1].pooler = POOLER_OPEN;
    rig_run(r, 100);
    checkpointed(r);
    rig_wait(r, 200);
    EXPECT_INT(r->core->goal.kind, GOAL_PRIMARY, row);
    row->event(r);
    rig_wait(r, 100);
    EXPECT_TEXT(pg_goal_name(r->core->goal.kind), pg_goal_name(row->goal), row);
}
END_TEST

static void not_clean(struct rig *r)
{
    stopped(r, false, RIG_LSN);
}
static void no_end(struct rig *r)
{
    stopped(r, true, 0);
}
static void slow_stop(struct rig *r)
{
    r->pg.phase = PG_STOPPING, rig_wait(r, 10500);
}
/* Seen live: a session that somebody had stopped held up the stop, and nothing said so. */
static void stop_held_up(struct rig *r)
{
    snprintf(r->pg.detail, sizeof r->pg.detail, "waits for process 7 (app app [local] idle), stopped");
    slow_stop(r);
}
static void voters_fall_silent(struct rig *r)
{
    r->alive = 1u << (DB2 - 1), rig_run(r, 2000);
}
static void target_never_catches_up(struct rig *r)
{
    stopped(r, true, RIG_LSN + 100), rig_wait(r, 10500);
}
static void target_dies(struct rig *r)
{
    r->alive &= ~2u, rig_wait(r, 800);
}

static const struct undo_row {
    const char *name;
    void (*event)(struct rig *);
    const char *text, *detail; /* of the answer; the detail's beginning */
} undo_rows[] = {
    {"it did not stop cleanly", not_clean, "PostgreSQL did not stop cleanly", ""},
    {"where its WAL ends is not known", no_end, "PostgreSQL did not stop cleanly", ""},
    {"it stops too slowly", slow_stop, "PostgreSQL did not stop in time", "It was undone before"},
    {"a session holds up the stop", stop_held_up, "PostgreSQL did not stop in time",
     "PostgreSQL waits for process 7 (app app [local] idle), stopped. It was undone before"},
    {"the target never has all WAL", target_never_catches_up, "the target did not receive all WAL in time",
     "It lacks 100 bytes. It was undone before"},
    {"the target is not heard any more", target_dies, "the target is not heard any more",
     "The switchover was undone"},
    {"the lease is lost", voters_fall_silent, "the primary lost its lease during the switchover", ""},
};

START_TEST(undone_before_the_release)
{
    const struct undo_row *row = &undo_rows[_i];
    struct rig *r = switching();
    uint32_t alive = r->alive;
    rig_clear(r);
    row->event(r);
    EXPECT_INT(r->answers, 1, row);
    EXPECT(r->answer.final && !r->answer.done, row);
    EXPECT_TEXT(r->answer.text, row->text, row);
    EXPECT(strncmp(r->answer.detail, row->detail, strlen(row->detail)) == 0, row);
    EXPECT_INT(rig_count(r, FRAME_RELEASE), 0, row);
    r->alive = alive;
    rig_run(r, 500);
    EXPECT_INT(r->core->goal.kind, GOAL_PRIMARY, row);
    r->pg = (struct pg_sample){.phase = PG_PRIMARY,
                               .answering = true,
                               .timeline = RIG_TIMELINE,
                               .timeline_max = RIG_TIMELINE,
                               .lsn = RIG_LSN + 200,
                               .system_id = RIG_SYSTEM,
                               .upstream_age_ms = EVIDENCE_NEVER};
    rig_wait(r, 500);
    EXPECT_INT(decided(r->core)->switchover_to, MEMBER_NONE, row);
    EXPECT_INT(r->core->operation.phase, OPERATION_NONE, row);
}
END_TEST

START_TEST(voters_that_do_not_agree_undo)
{
    struct rig *r = ordered();
    r->voting = 0;
    r->pg.progress = PG_GOAL_REACHED;
    rig_wait(r, 11000);
    ck_assert(r->answers == 1 && r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "too few voters agreed to the switchover in time");
    ck_assert_int_eq(r->core->goal.kind, GOAL_PRIMARY);
}
END_TEST

/* The agent dies in the middle: the next start undoes what it finds. */
START_TEST(a_restart_in_the_middle_undoes)
{
    struct rig *r = switching();
    stopped(r, true, RIG_LSN + 100);
    r->accepted = r->core->disk.decided.proposal;
    rig_restart(r);
    rig_wait(r, 1000);
    ck_assert_int_eq(r->core->goal.kind, GOAL_PRIMARY);
    r->pg.phase = PG_PRIMARY;
    r->pg.answering = true;
    r->pg.confirmed_dead = false;
    rig_wait(r, 1000);
    ck_assert_int_eq(decided(r->core)->switchover_to, MEMBER_NONE);
}
END_TEST

START_TEST(after_the_release_there_is_no_way_back)
{
    struct rig *r = switching();
    r->beat[DB2].pg.lsn = RIG_LSN + 100;
    rig_run(r, 60);
    stopped(r, true, RIG_LSN + 100);
    ck_assert_int_eq(r->core->disk.released_term, RIG_TERM);
    rig_wait(r, 21000);
    ck_assert(r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "the target has not become ready in time");
    ck_assert(!r->core->hold.asking);
    ck_assert_int_eq(r->core->goal.kind, GOAL_DOWN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("switchover");
    TCase *tcase = suite_case(suite, "steps");
    tcase_add_test(tcase, step_by_step);
    tcase_add_test(tcase, a_lost_ballot_is_cast_again);
    tcase_add_test(tcase, a_checkpoint_that_takes_too_long_changes_nothing);
    tcase_add_test(tcase, a_target_that_dies_during_the_checkpoint_is_not_waited_for);
    tcase_add_test(tcase, the_rest_of_a_segment_is_waited_for);
    tcase_add_test(tcase, a_target_that_stays_behind_is_not_waited_for_long);
    tcase_add_loop_test(tcase, a_quarantine_is_waited_for, 0, ROWS(quarantine_rows));
    tcase_add_loop_test(tcase, a_quarantine_without_end_changes_nothing, 0, ROWS(quarantine_rows));
    tcase_add_test(tcase, a_target_that_restarts_in_the_middle_is_waited_for);
    tcase_add_test(tcase, a_heartbeat_tells_of_our_own);
    tcase_add_loop_test(tcase, poolers, 0, ROWS(pooler_rows));
    tcase_add_loop_test(tcase, undone_before_the_release, 0, ROWS(undo_rows));
    tcase_add_test(tcase, voters_that_do_not_agree_undo);
    tcase_add_test(tcase, a_restart_in_the_middle_undoes);
    tcase_add_test(tcase, after_the_release_there_is_no_way_back);
    return suite_run(suite);
}
