/* The hand's table: every goal has an answer in every state, and some answers must never be given. */
// LINK: node/pg_step.c
#include "node/pg_step.h"
#include "tests/unit/suite.h"

#include <string.h>

START_TEST(every_goal_in_every_state_has_an_answer)
{
    for (int s = 0; s < STATE_COUNT; s++) {
        enum pg_step step = pg_step_for((enum pg_goal_kind)_i, (enum pg_state)s);
        ck_assert_msg(step > STEP_UNSET && step < STEP_COUNT, "goal %s, state %d: no answer",
                      pg_goal_name((enum pg_goal_kind)_i), s);
    }
}
END_TEST

/* Follow the table with an obliging server: each goal is reached, or refused, in a few steps, from everywhere. */
static enum pg_state after(enum pg_step step, enum pg_state state)
{
    switch (step) {
    case STEP_KILL:
    case STEP_SHUTDOWN:
    case STEP_INITDB:
    case STEP_ADOPT: return step == STEP_ADOPT ? STATE_STARTING_PRIMARY : STATE_DOWN;
    case STEP_START_PRIMARY: return STATE_STARTING_PRIMARY;
    case STEP_START_STANDBY:
    case STEP_START_SEALED: return STATE_STARTING_STANDBY;
    case STEP_WAIT:
        return state == STATE_STARTING_STANDBY                               ? STATE_RECOVERY
               : state == STATE_STARTING_PRIMARY || state == STATE_PROMOTING ? STATE_PRIMARY
                                                                             : STATE_DOWN;
    case STEP_FOLLOW:
    case STEP_SEAL: return STATE_RECOVERY;
    case STEP_PROMOTE: return STATE_PRIMARY;
    case STEP_REWIND:
    case STEP_CLONE: return STATE_DOWN;
    case STEP_UNSET:
    case STEP_REST:
    case STEP_REACHED:
    case STEP_FAIL:
    case STEP_PRIMARY:
    case STEP_PROMOTED:
    case STEP_COUNT: return state;
    }
    return state;
}

static bool ends(enum pg_step step, enum pg_state state)
{
    bool there = (step == STEP_FOLLOW || step == STEP_SEAL) && state == STATE_RECOVERY;
    return there || step == STEP_REST || step == STEP_REACHED || step == STEP_FAIL || step == STEP_PRIMARY ||
           step == STEP_PROMOTED;
}

START_TEST(no_goal_goes_round_in_circles)
{
    for (int s = 0; s < STATE_COUNT; s++) {
        enum pg_goal_kind goal = (enum pg_goal_kind)_i;
        enum pg_state state = (enum pg_state)s;
        int steps = 0;
        for (; steps < 8; steps++) {
            enum pg_step step = pg_step_for(goal, state);
            if (ends(step, state))
                break;
            bool copied = step == STEP_REWIND || step == STEP_CLONE;
            state = after(step, state);
            if (copied)
                goal = GOAL_FOLLOW; /* the directory has the goal's id now */
        }
        ck_assert_msg(steps < 8, "goal %s from state %d never ends", pg_goal_name((enum pg_goal_kind)_i), s);
    }
}
END_TEST

/* What must never happen, as rows. */
static const struct never_row {
    const char *name;
    enum pg_goal_kind goal;
    enum pg_state state;
    enum pg_step want;
} never_rows[] = {
    {"a primary of another term is killed before a seal", GOAL_SEAL, STATE_PRIMARY, STEP_KILL},
    {"one that is being promoted, too", GOAL_SEAL, STATE_PROMOTING, STEP_KILL},
    {"one that starts as primary, too", GOAL_SEAL, STATE_STARTING_PRIMARY, STEP_KILL},
    {"a primary is killed before it follows", GOAL_FOLLOW, STATE_PRIMARY, STEP_KILL},
    {"a running standby follows without a restart", GOAL_FOLLOW, STATE_RECOVERY, STEP_FOLLOW},
    {"a stopped one is sealed by a start with standby.signal", GOAL_SEAL, STATE_DOWN, STEP_START_SEALED},
    {"a stopped one is promoted from a standby, never started as primary", GOAL_PROMOTE, STATE_DOWN,
     STEP_START_SEALED},
    {"one that starts as primary is no standby to promote", GOAL_PROMOTE, STATE_STARTING_PRIMARY, STEP_KILL},
    {"a standby does not become primary without a promotion", GOAL_PRIMARY, STATE_RECOVERY, STEP_FAIL},
    {"keep kills nothing", GOAL_KEEP, STATE_PRIMARY, STEP_REST},
    {"keep starts nothing", GOAL_KEEP, STATE_DOWN, STEP_REST},
    {"no data is no primary", GOAL_PRIMARY, STATE_ABSENT, STEP_FAIL},
    {"a server that is not ours is never killed", GOAL_DOWN, STATE_BROKEN, STEP_FAIL},
    {"down kills a server that stops slowly", GOAL_DOWN, STATE_STOPPING, STEP_KILL},
    {"a running server is not rewound", GOAL_REWIND, STATE_RECOVERY, STEP_KILL},
    {"nothing to rewind: clone", GOAL_REWIND, STATE_ABSENT, STEP_CLONE},
    {"a stop that is undone is not waited for", GOAL_PRIMARY, STATE_STOPPING, STEP_KILL},
    {"a clean stop is waited for", GOAL_SHUTDOWN, STATE_STOPPING, STEP_SHUTDOWN},
};

START_TEST(answers_that_protect)
{
    const struct never_row *row = &never_rows[_i];
    EXPECT_TEXT(pg_step_name(pg_step_for(row->goal, row->state)), pg_step_name(row->want), row);
}
END_TEST

START_TEST(goals_are_the_same_whatever_their_seq)
{
    struct pg_goal a = {.seq = 1,
                        .kind = GOAL_FOLLOW,
                        .term = 3,
                        .timeline = 2,
                        .dir = 7,
                        .upstream = 1,
                        .n_slots = 1,
                        .slots = {4}};
    struct pg_goal b = a;
    b.seq = 2;
    b.not_after = (instant){1, 1};
    ck_assert(pg_step_same(&a, &b));
    b.upstream = 2;
    ck_assert(!pg_step_same(&a, &b));
    b = a;
    b.dir = 8;
    ck_assert(!pg_step_same(&a, &b));
    b = a;
    b.checkpoint = true;
    ck_assert(!pg_step_same(&a, &b));
    b = a;
    b.slots[0] = 5;
    ck_assert(!pg_step_same(&a, &b));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_act");
    TCase *table = suite_case(suite, "table");
    tcase_add_loop_test(table, every_goal_in_every_state_has_an_answer, 0, GOAL_COUNT);
    tcase_add_loop_test(table, no_goal_goes_round_in_circles, 0, GOAL_COUNT);
    tcase_add_loop_test(table, answers_that_protect, 0, ROWS(never_rows));
    tcase_add_test(table, goals_are_the_same_whatever_their_seq);
    return suite_run(suite);
}
