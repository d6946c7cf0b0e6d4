/* A failure that repeats is told once, not every two seconds. */
// LINK: node/hand_told.c
#include "node/hand_told.h"
#include "tests/unit/suite.h"

#include <string.h>

static struct hand_told told;
static uint32_t times;

static instant at(int64_t ms)
{
    return instant_add((instant){0}, span_ms(1 + ms));
}

static bool failed(enum pg_goal_kind kind, const char *text, int64_t ms)
{
    return hand_told_failed(&told, kind, text, at(ms), &times);
}

START_TEST(the_same_is_told_once)
{
    ck_assert(failed(GOAL_FOLLOW, "no such user", 0));
    ck_assert_int_eq(times, 0);
    for (int i = 1; i < 100; i++)
        ck_assert(!failed(GOAL_FOLLOW, "no such user", 2000 * i));
}
END_TEST

START_TEST(another_reason_is_news)
{
    ck_assert(failed(GOAL_FOLLOW, "no such user", 0));
    ck_assert(failed(GOAL_FOLLOW, "no room", 2000));
    ck_assert(failed(GOAL_FOLLOW, "no such user", 4000));
    ck_assert_int_eq(times, 0);
}
END_TEST

START_TEST(another_goal_is_news)
{
    ck_assert(failed(GOAL_FOLLOW, "no room", 0));
    ck_assert(failed(GOAL_CLONE, "no room", 2000));
    ck_assert(!failed(GOAL_CLONE, "no room", 4000));
}
END_TEST

START_TEST(after_a_while_it_is_told_again_and_how_often)
{
    ck_assert(failed(GOAL_FOLLOW, "no room", 0));
    for (int i = 1; i < TOLD_AGAIN_S / 2; i++)
        ck_assert(!failed(GOAL_FOLLOW, "no room", 2000 * i));
    ck_assert(failed(GOAL_FOLLOW, "no room", TOLD_AGAIN_S * 1000 + 10));
    ck_assert_int_eq(times, TOLD_AGAIN_S / 2 - 1);
    ck_assert(!failed(GOAL_FOLLOW, "no room", TOLD_AGAIN_S * 1000 + 2000));
}
END_TEST

START_TEST(what_was_reached_may_fail_anew)
{
    ck_assert(failed(GOAL_PRIMARY, "no room", 0));
    hand_told_reached(&told);
    ck_assert(failed(GOAL_PRIMARY, "no room", 2000));
}
END_TEST

/* A text may be longer than what is kept of it. */
START_TEST(a_long_reason_is_the_same_reason)
{
    char text[2 * TEXT_SIZE] = "";
    memset(text, 'x', sizeof text - 1);
    ck_assert(failed(GOAL_FOLLOW, text, 0));
    ck_assert(!failed(GOAL_FOLLOW, text, 2000));
}
END_TEST

static void setup(void)
{
    told = (struct hand_told){0};
}

int main(void)
{
    Suite *suite = suite_create("told");
    TCase *t = suite_case(suite, "told");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, the_same_is_told_once);
    tcase_add_test(t, another_reason_is_news);
    tcase_add_test(t, another_goal_is_news);
    tcase_add_test(t, after_a_while_it_is_told_again_and_how_often);
    tcase_add_test(t, what_was_reached_may_fail_anew);
    tcase_add_test(t, a_long_reason_is_the_same_reason);
    return suite_run(suite);
}
