/* The record: what it may look like by itself, and looking things up in it.  A row that is refused says
 * by which sentence, so that it cannot be refused for another reason than its own. */
#include "tests/unit/record_base.h"
#include "tests/unit/suite.h"

/* ---- one record by itself ------------------------------------------------------------------------------ */

// clang-format off
#define VALID_ROWS(X) \
    X("as it is", "", {}) \
    X("a first record", "", { unborn(r); plain(r, empty); }) \
    X("nobody primary", "", { r->primary = 0; r->primary_dir = 0; }) \
    X("no databases, nobody primary", "", \
      { r->primary = 0; r->primary_dir = 0; r->n_databases = 0; plain(r, empty); }) \
    X("a joint", "", { joint(r, other); }) \
    X("a joint from the empty set", "", { plain(r, empty); joint(r, other); }) \
    X("a switchover", "", { r->switchover_from = 1; r->switchover_to = 2; }) \
    X("no sites, counted by majority", "", { memset(r->voters.v[0].site, 0, NAME_SIZE); }) \
    X("a full site name", "", { memset(r->voters.v[0].site, 'x', NAME_SIZE - 1); }) \
    X("the voters in any order", "", { r->voters.v[0].id = 9; }) \
    X("as many voters as possible", "", { r->voters = property_voters(RULE_SITES, "AABBCCDDD"); }) \
    X("as many rows as possible", "", { rows(r, HISTORY_MAX); }) \
    X("as many databases as possible", "", { many_databases(r); }) \
    X("as many sync standbys as possible", "", \
      { many_databases(r); many_standbys(&r->sync[0]); }) \
    X("an unknown rule", "the rule of the voters is unknown", { r->voters.rule = 9; }) \
    X("no voter", "there is no voter, or there are too many", { r->voters.n = 0; }) \
    X("too many voters", "there is no voter, or there are too many", { r->voters.n = VOTERS_MAX + 1; }) \
    X("a voter without id", "a voter has no id", { r->voters.v[2].id = 0; }) \
    X("a first voter without id", "a voter has no id", { r->voters.v[0].id = 0; }) \
    X("a first database without id", "a database has no id", { r->databases[0] = 0; }) \
    X("a site without end", "the site of a voter is too long", \
      { memset(r->voters.v[2].site, 'x', NAME_SIZE); }) \
    X("no site, counted by site", "a voter has no site, and voters are counted by site", \
      { r->voters.rule = RULE_SITES; memset(r->voters.v[2].site, 0, NAME_SIZE); }) \
    X("a voter twice", "a voter is listed twice", { r->voters.v[2].id = 1; }) \
    X("too many databases", "there are too many databases", { r->n_databases = DATABASES_MAX + 1; }) \
    X("a database without id", "a database has no id", { r->databases[3] = 0; }) \
    X("a database twice", "a database is listed twice", { r->databases[3] = 1; }) \
    X("an unknown durability", "the durability is unknown", { r->durability = 9; }) \
    X("a set too large", "a sync set is too large", { r->sync[0].n = SYNC_MAX + 1; }) \
    X("k of 0", "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[0].k = 0; }) \
    X("k above n", "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[0].k = 3; }) \
    X("k of the empty set", "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[0].n = 0; }) \
    X("k of the second set without a joint", \
      "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[1].k = 1; }) \
    X("k of the second set above n", \
      "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { joint(r, other); r->sync[1].k = 2; }) \
    X("a set in descending order", "a sync set is not in ascending order", { r->sync[0].m[0].id = 4; }) \
    X("a set with a member twice", "a sync set is not in ascending order", { r->sync[0].m[0].id = 3; }) \
    X("a set member without directory", "a member of a sync set has no data directory", \
      { r->sync[0].m[1].dir = 0; }) \
    X("a set member that is no database", "a member of a sync set is not a database of the record", \
      { r->sync[0].m[1].id = 9; }) \
    X("a member of the second set that is no database", \
      "a member of a sync set is not a database of the record", \
      { joint(r, other); r->sync[1].m[0].id = 9; }) \
    X("a second set without a joint", "there is a second sync set without a joint", { r->sync[1] = other; }) \
    X("a primary without directory", "the primary and its data directory must be named together", \
      { r->primary_dir = 0; }) \
    X("a directory without primary", "the primary and its data directory must be named together", \
      { r->primary = 0; }) \
    X("a primary that is no database", "the primary is not a database of the record", { r->primary = 9; }) \
    X("a switchover from nowhere", "a switchover needs both its ends", { r->switchover_to = 2; }) \
    X("a switchover to nowhere", "a switchover needs both its ends", { r->switchover_from = 1; }) \
    X("a switchover to itself", "a switchover leads from a database to itself", \
      { r->switchover_from = r->switchover_to = 1; }) \
    X("a switchover from no database", "an end of the switchover is not a database of the record", \
      { r->switchover_from = 9; r->switchover_to = 1; }) \
    X("a switchover to no database", "an end of the switchover is not a database of the record", \
      { r->switchover_from = 1; r->switchover_to = 9; }) \
    X("too many rows", "the history is too long", { r->n_history = HISTORY_MAX + 1; }) \
    X("a timeline without history", "the timeline and the history must begin together", \
      { r->n_history = 0; }) \
    X("a history without timeline", "the timeline and the history must begin together", \
      { r->timeline = 0; }) \
    X("a row without timeline", "a row of the history has no timeline", { r->history[0].timeline = 0; }) \
    X("timelines that do not ascend", "the timelines of the history do not ascend", \
      { r->history[1].timeline = 3; }) \
    X("terms that do not ascend", "the terms of the history do not ascend", { r->history[1].term = 1; }) \
    X("a last row of another timeline", \
      "the last row of the history is not the record's own timeline and term", \
      { r->history[2].timeline = 6; }) \
    X("a last row of another term", "the last row of the history is not the record's own timeline and term", \
      { r->history[2].term = 4; }) \
    X("no lease", "the longest lease is 0", { r->lease_ms_max = 0; }) \
    X("a reason without end", "the reason of the pause is too long", \
      { memset(r->paused_why, 'x', TEXT_SIZE); })
// clang-format on

static struct record valid_record(int number)
{
    struct record record = base(), *r = &record;
    int i = 0;
#define X(name, why, ...) \
    if (i++ == number) \
    __VA_ARGS__
    VALID_ROWS(X)
#undef X
    return record;
}
static const struct valid_row {
    const char *name, *why;
} valid_rows[] = {
#define X(name, why, ...) {name, why},
    VALID_ROWS(X)
#undef X
};

START_TEST(valid)
{
    const struct valid_row *row = &valid_rows[_i];
    struct record r = valid_record(_i);
    const char *why = "";
    EXPECT_INT(record_valid(&r, &why), *row->why == 0, row);
    EXPECT_TEXT(why, row->why, row);
    EXPECT_INT(record_valid(&r, NULL), *row->why == 0, row);
}
END_TEST

/* ---- looking things up --------------------------------------------------------------------------------- */

START_TEST(members_are_found)
{
    struct record r = base();
    r.voters.v[1].id = 9;
    ck_assert_int_eq(record_voter_index(&r, 9), 1);
    ck_assert_ptr_eq(record_voter(&r, 9), &r.voters.v[1]);
    ck_assert_int_eq(record_voter_index(&r, 1), 0);
    ck_assert_ptr_eq(record_voter(&r, 1), &r.voters.v[0]);
    r.voters.v[r.voters.n].id = 8;
    r.databases[r.n_databases] = 8;
    ck_assert_int_eq(record_voter_index(&r, 8), -1);
    ck_assert(!record_is_database(&r, 8));
    ck_assert_int_eq(record_voter_index(&r, 2), -1);
    ck_assert_ptr_null(record_voter(&r, 2));
    ck_assert(record_is_database(&r, 4));
    ck_assert(!record_is_database(&r, 9));
    ck_assert(!record_is_database(&r, MEMBER_NONE));
}
END_TEST

static const struct term_row {
    const char *name;
    uint32_t timeline;
    uint64_t term;
} term_rows[] = {
    {"the record's own timeline", 5, 3}, {"an older one", 4, 2}, {"the oldest kept", 3, 1},
    {"below the oldest kept", 2, 0},     {"above all", 6, 0},    {"none", 0, 0},
};

START_TEST(terms_of_timelines)
{
    const struct term_row *row = &term_rows[_i];
    struct record r = base();
    EXPECT_INT(record_term_of_timeline(&r, row->timeline), row->term, row);
}
END_TEST

START_TEST(sync_sets_stay_sorted)
{
    struct sync_set s = {0};
    ck_assert(sync_set_add(&s, 5, 105));
    ck_assert(sync_set_add(&s, 2, 102));
    ck_assert(sync_set_add(&s, 9, 109));
    ck_assert(sync_set_add(&s, 4, 104));
    ck_assert(!sync_set_add(&s, 4, 999));
    static const member_id order[] = {2, 4, 5, 9};
    ck_assert_int_eq(s.n, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(s.m[i].id, order[i]);
        ck_assert_uint_eq(s.m[i].dir, 100u + order[i]);
    }
    ck_assert_uint_eq(sync_set_find(&s, 9)->dir, 109);
    ck_assert_uint_eq(sync_set_find(&s, 2)->dir, 102);
    ck_assert_ptr_null(sync_set_find(&s, 3));
}
END_TEST

START_TEST(sync_set_is_bounded)
{
    struct sync_set s = {0};
    for (member_id id = SYNC_MAX; id >= 1; id--)
        ck_assert(sync_set_add(&s, id, id));
    ck_assert(!sync_set_add(&s, 99, 1));
    ck_assert_int_eq(s.n, SYNC_MAX);
}
END_TEST

START_TEST(sync_sets_are_equal_by_what_they_hold)
{
    struct sync_set a = {.k = 1, .n = 2, .m = {{2, 102}, {3, 103}, {7, 7}}},
                    b = {.k = 1, .n = 2, .m = {{2, 102}, {3, 103}}};
    ck_assert(sync_set_equal(&a, &b));
    b.k = 2;
    ck_assert(!sync_set_equal(&a, &b));
    b.k = 1, b.n = 1;
    ck_assert(!sync_set_equal(&a, &b));
    b.n = 2, b.m[1].id = 4;
    ck_assert(!sync_set_equal(&a, &b));
    b.m[1].id = 3, b.m[1].dir = 999;
    ck_assert(!sync_set_equal(&a, &b));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = suite_case(suite, "record");
    tcase_add_loop_test(tcase, valid, 0, ROWS(valid_rows));
    tcase_add_loop_test(tcase, terms_of_timelines, 0, ROWS(term_rows));
    tcase_add_test(tcase, members_are_found);
    tcase_add_test(tcase, sync_sets_stay_sorted);
    tcase_add_test(tcase, sync_set_is_bounded);
    tcase_add_test(tcase, sync_sets_are_equal_by_what_they_hold);
    return suite_run(suite);
}
