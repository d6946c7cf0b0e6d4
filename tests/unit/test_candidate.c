/* The candidate: one row for each step, in which all later steps speak for the other side. */
#include "tests/unit/policy_properties.h"
#include "tests/unit/suite.h"

/* Ahead in everything but the steps before its own. */
#define GOOD(id_) \
    .sealed = {.id = id_, .wal_term = 5, .lsn = 500}, .named = true, .eligible = true, .backlog_bytes = 0, \
    .same_site = true, .priority = 200
#define POOR(id_) \
    .sealed = {.id = id_, .wal_term = 5, .lsn = 500}, .named = false, .eligible = true, .backlog_bytes = 9, \
    .same_site = false, .priority = 100

static const struct row {
    const char *name;
    struct candidate a, b; /* a is the better one */
    const char *step;
} rows[] = {
    {"eligible before everything",
     {POOR(9)},
     {.sealed = {.id = 1, .wal_term = 9, .lsn = 900}, .named = true, .same_site = true, .priority = 200},
     "eligible"},
    {"a later term before all that follows",
     {.sealed = {.id = 9, .wal_term = 6, .lsn = 1}, .eligible = true, .backlog_bytes = 9, .priority = 100},
     {GOOD(1)},
     "wal"},
    {"more WAL in the same term before all that follows",
     {.sealed = {.id = 9, .wal_term = 5, .lsn = 501}, .eligible = true, .backlog_bytes = 9, .priority = 100},
     {GOOD(1)},
     "wal"},
    {"WAL is compared among those not eligible too",
     {.sealed = {.id = 9, .wal_term = 5, .lsn = 501}},
     {.sealed = {.id = 1, .wal_term = 5, .lsn = 500}},
     "wal"},
    {"named before backlog, site, priority, id",
     {.sealed = {.id = 9, .wal_term = 5, .lsn = 500},
      .eligible = true,
      .named = true,
      .backlog_bytes = 9,
      .priority = 100},
     {.sealed = {.id = 1, .wal_term = 5, .lsn = 500}, .eligible = true, .same_site = true, .priority = 200},
     "named"},
    {"less backlog before site, priority, id",
     {.sealed = {.id = 9, .wal_term = 5, .lsn = 500}, .eligible = true, .backlog_bytes = 8, .priority = 100},
     {.sealed = {.id = 1, .wal_term = 5, .lsn = 500},
      .eligible = true,
      .backlog_bytes = 9,
      .same_site = true,
      .priority = 200},
     "backlog"},
    {"the former primary's site before priority, id",
     {.sealed = {.id = 9, .wal_term = 5, .lsn = 500}, .eligible = true, .same_site = true, .priority = 100},
     {.sealed = {.id = 1, .wal_term = 5, .lsn = 500}, .eligible = true, .priority = 200},
     "site"},
    {"higher priority before id",
     {.sealed = {.id = 9, .wal_term = 5, .lsn = 500}, .eligible = true, .priority = 200},
     {.sealed = {.id = 1, .wal_term = 5, .lsn = 500}, .eligible = true, .priority = 100},
     "priority"},
    {"the lowest id at last", {POOR(1)}, {POOR(9)}, "id"},
    {"a backlog of more than 32 bits",
     {.sealed = {.id = 9}, .eligible = true, .backlog_bytes = 1},
     {.sealed = {.id = 1}, .eligible = true, .backlog_bytes = 1ull << 40},
     "backlog"},
};

START_TEST(better)
{
    const struct row *row = &rows[_i];
    const char *step = "";
    EXPECT(candidate_cmp(&row->a, &row->b, &step) < 0, row);
    EXPECT_TEXT(step, row->step, row);
    EXPECT(candidate_cmp(&row->b, &row->a, &step) > 0, row);
    EXPECT_TEXT(step, row->step, row);
    EXPECT(candidate_cmp(&row->a, &row->b, NULL) < 0, row);
}
END_TEST

START_TEST(the_same_database_is_no_better_than_itself)
{
    struct candidate c = {POOR(3)};
    ck_assert_int_eq(candidate_cmp(&c, &c, NULL), 0);
}
END_TEST

/* An order: of any three, better than better is better. */
START_TEST(transitive)
{
    struct candidate c[64];
    for (unsigned i = 0; i < 64; i++)
        c[i] = (struct candidate){.sealed = {.id = (member_id)(64 - i), .wal_term = i & 1, .lsn = i >> 1 & 1},
                                  .named = i >> 2 & 1,
                                  .eligible = i >> 3 & 1,
                                  .backlog_bytes = i >> 4 & 1,
                                  .priority = i >> 5 & 1};
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 64; j++)
            for (int k = 0; k < 64; k++)
                if (candidate_cmp(&c[i], &c[j], NULL) < 0 && candidate_cmp(&c[j], &c[k], NULL) < 0 &&
                    candidate_cmp(&c[i], &c[k], NULL) >= 0)
                    ck_abort_msg("%d before %d before %d, yet not %d before %d", i, j, k, i, k);
}
END_TEST

START_TEST(best_of_the_eligible_has_all_their_wal)
{
    ck_assert(property_best_is_chosen());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("candidate");
    TCase *tcase = suite_case(suite, "candidate");
    tcase_add_loop_test(tcase, better, 0, ROWS(rows));
    tcase_add_test(tcase, the_same_database_is_no_better_than_itself);
    tcase_add_test(tcase, transitive);
    tcase_add_test(tcase, best_of_the_eligible_has_all_their_wal);
    return suite_run(suite);
}
