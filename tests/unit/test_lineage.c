/* Lineage: who may follow, who must rewind, who must be cloned; and how the history grows. */
#include <stdio.h>
#include <string.h>

#include "policy/lineage.h"
#include "tests/unit/suite.h"

/* 3 from the start, 4 from 0x400, 6 from 0x600: timeline 5 was a promotion that nothing continues. */
static const struct record history = {
    .term = 9, .timeline = 6, .n_history = 3, .history = {{3, 0, 2}, {4, 0x400, 5}, {6, 0x600, 9}}};

static const struct join_row {
    const char *name;
    uint32_t timeline;
    lsn_t lsn;
    enum join join;
} join_rows[] = {
    {"no data directory", 0, 0, JOIN_CLONE},
    {"no timeline, whatever the LSN", 0, 0x500, JOIN_CLONE},
    {"the newest timeline", 6, 0x700, JOIN_FOLLOW},
    {"the newest timeline, LSN unknown", 6, 0, JOIN_FOLLOW},
    {"the one before, not as far as the switch", 4, 0x5ff, JOIN_FOLLOW},
    {"the one before, exactly to the switch", 4, 0x600, JOIN_FOLLOW},
    {"the one before, past the switch", 4, 0x601, JOIN_REWIND},
    {"the one before, LSN unknown", 4, 0, JOIN_REWIND},
    {"the oldest, to its switch", 3, 0x400, JOIN_FOLLOW},
    {"the oldest, past its switch but below a later one", 3, 0x401, JOIN_REWIND},
    {"a promotion that nothing continues", 5, 0x500, JOIN_REWIND},
    {"a timeline above all", 7, 0x700, JOIN_REWIND},
    {"a timeline below the oldest kept", 2, 0x100, JOIN_CLONE},
};

START_TEST(joins)
{
    const struct join_row *row = &join_rows[_i];
    EXPECT_INT(lineage_join(&history, row->timeline, row->lsn), row->join, row);
}
END_TEST

START_TEST(first_record_is_followed_from_any_timeline)
{
    struct record first = {.term = 1};
    ck_assert_int_eq(lineage_join(&first, 1, 0x100), JOIN_FOLLOW);
    ck_assert_int_eq(lineage_join(&first, 8, 0), JOIN_FOLLOW);
    ck_assert_int_eq(lineage_join(&first, 0, 0), JOIN_CLONE);
}
END_TEST

static const struct append_row {
    const char *name;
    uint32_t parent;
    const char *timelines; /* of the rows afterwards */
    enum join six;         /* what becomes of a directory on timeline 6 */
} append_rows[] = {
    {"from the newest", 6, "3 4 6 8", JOIN_FOLLOW},
    {"from the one before: the promotion without a successor goes", 4, "3 4 8", JOIN_REWIND},
    {"from the oldest", 3, "3 8", JOIN_REWIND},
    {"from a branch that is not kept: no row is known to be an ancestor", 5, "8", JOIN_CLONE},
    {"from above all", 7, "8", JOIN_CLONE},
    {"from below all", 2, "8", JOIN_CLONE},
    {"from nowhere", 0, "8", JOIN_CLONE},
};

static const char *timelines_of(const struct record *r)
{
    static char text[256];
    text[0] = 0;
    for (unsigned i = 0; i < r->n_history; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", i ? " " : "",
                 r->history[i].timeline);
    return text;
}

START_TEST(appended)
{
    const struct append_row *row = &append_rows[_i];
    struct record r = history;
    lineage_append(&r, row->parent, (struct history_row){8, 0x800, 10});
    EXPECT_TEXT(timelines_of(&r), row->timelines, row);
    EXPECT_INT(r.timeline, 8, row);
    const struct history_row *last = &r.history[r.n_history - 1];
    EXPECT(last->timeline == 8 && last->switch_lsn == 0x800 && last->term == 10, row);
    EXPECT_INT(lineage_join(&r, 6, 0x700), row->six, row);
}
END_TEST

START_TEST(first_takeover_keeps_the_parent)
{
    struct record r = {.term = 1};
    lineage_append(&r, 1, (struct history_row){2, 0x200, 2});
    ck_assert_str_eq(timelines_of(&r), "1 2");
    ck_assert_uint_eq(r.history[0].term, 1);
    ck_assert_uint_eq(r.history[0].switch_lsn, 0);
    ck_assert_int_eq(lineage_join(&r, 1, 0x200), JOIN_FOLLOW);
    ck_assert_int_eq(lineage_join(&r, 1, 0x201), JOIN_REWIND);
}
END_TEST

START_TEST(first_takeover_on_its_own_timeline_has_no_parent)
{
    struct record r = {.term = 1};
    lineage_append(&r, 2, (struct history_row){2, 0x200, 2});
    ck_assert_str_eq(timelines_of(&r), "2");
}
END_TEST

START_TEST(what_lies_behind_the_count_means_nothing)
{
    struct record r = history;
    r.history[r.n_history] = (struct history_row){7, 0x700, 10};
    ck_assert_int_eq(lineage_join(&r, 7, 0x700), JOIN_REWIND);
    ck_assert_int_eq(lineage_join(&r, 6, 0x900), JOIN_FOLLOW);
}
END_TEST

START_TEST(first_takeover_from_nothing_known)
{
    struct record r = {.term = 1};
    lineage_append(&r, 0, (struct history_row){2, 0x200, 2});
    ck_assert_str_eq(timelines_of(&r), "2");
}
END_TEST

START_TEST(full_history_drops_its_oldest)
{
    struct record r = {.term = HISTORY_MAX, .timeline = HISTORY_MAX, .n_history = HISTORY_MAX};
    for (uint32_t i = 0; i < HISTORY_MAX; i++)
        r.history[i] = (struct history_row){i + 1, i * 0x100, i + 1};
    lineage_append(&r, HISTORY_MAX, (struct history_row){HISTORY_MAX + 1, 0x9000, HISTORY_MAX + 1});
    ck_assert_uint_eq(r.n_history, HISTORY_MAX);
    ck_assert_uint_eq(r.history[0].timeline, 2);
    ck_assert_uint_eq(r.history[HISTORY_MAX - 2].timeline, HISTORY_MAX);
    ck_assert_uint_eq(r.history[HISTORY_MAX - 1].timeline, HISTORY_MAX + 1);
    ck_assert_int_eq(lineage_join(&r, 1, 0x10), JOIN_CLONE);
    ck_assert_int_eq(lineage_join(&r, 2, 0x200), JOIN_FOLLOW);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lineage");
    TCase *tcase = suite_case(suite, "lineage");
    tcase_add_loop_test(tcase, joins, 0, ROWS(join_rows));
    tcase_add_loop_test(tcase, appended, 0, ROWS(append_rows));
    tcase_add_test(tcase, first_record_is_followed_from_any_timeline);
    tcase_add_test(tcase, first_takeover_keeps_the_parent);
    tcase_add_test(tcase, first_takeover_from_nothing_known);
    tcase_add_test(tcase, first_takeover_on_its_own_timeline_has_no_parent);
    tcase_add_test(tcase, what_lies_behind_the_count_means_nothing);
    tcase_add_test(tcase, full_history_drops_its_oldest);
    return suite_run(suite);
}
