/* Quorums: who may decide, until when a quorum holds, and which voters may follow which. */
#include "tests/unit/policy_properties.h"
#include "tests/unit/suite.h"

/* ---- reached ------------------------------------------------------------------------------------------- */

static const struct reached_row {
    const char *name;
    enum voter_rule rule;
    const char *sites; /* one letter for each voter */
    const char *have;  /* x: in the set */
    bool reached;
} reached_rows[] = {
    {"one voter alone decides", RULE_MAJORITY, "A", "x", true},
    {"nobody never decides", RULE_MAJORITY, "A", ".", false},
    {"no voters, no quorum", RULE_MAJORITY, "", "", false},
    {"no voters, no quorum by sites", RULE_SITES, "", "", false},
    {"half of two is not enough", RULE_MAJORITY, "AB", "x.", false},
    {"two of two", RULE_MAJORITY, "AB", "xx", true},
    {"one of three", RULE_MAJORITY, "ABC", ".x.", false},
    {"two of three", RULE_MAJORITY, "ABC", "x.x", true},
    {"half of four is not enough", RULE_MAJORITY, "AABB", "xx..", false},
    {"three of four", RULE_MAJORITY, "AABB", "xxx.", true},
    {"majority does not look at sites", RULE_MAJORITY, "AAABBC", "xxx..x", true},
    {"a site of half the voters is no majority", RULE_MAJORITY, "AAABBC", "...xxx", false},
    {"sites: two of three sites, A lost", RULE_SITES, "AAABBC", "...xxx", true},
    {"sites: one whole site is not enough", RULE_SITES, "AAABBC", "xxx...", false},
    {"sites: a site counts by its own majority", RULE_SITES, "AAABBC", "xx...x", true},
    {"sites: a minority of a site does not count", RULE_SITES, "AAABBC", "x....x", false},
    {"sites: half of a site does not count", RULE_SITES, "AAABBC", "...x.x", false},
    {"sites: both of two sites are needed", RULE_SITES, "AAB", "xx.", false},
    {"sites: both of two sites", RULE_SITES, "AAB", "xxx", true},
    {"sites: the voters of a site need not stand together", RULE_SITES, "ABABC", "xxx..", false},
    {"sites: the voters of a site counted where they stand", RULE_SITES, "ABABC", "x.x.x", true},
};

START_TEST(reached)
{
    const struct reached_row *row = &reached_rows[_i];
    struct voters voters = property_voters(row->rule, row->sites);
    uint32_t have = 0;
    for (unsigned i = 0; row->have[i]; i++)
        have |= (uint32_t)(row->have[i] == 'x') << i;
    EXPECT_INT(quorum_reached(&voters, have), row->reached, row);
    EXPECT_INT(quorum_reached(&voters, have | ~((1u << voters.n) - 1)), row->reached, row);
}
END_TEST

START_TEST(what_lies_behind_the_count_means_nothing)
{
    for (int rule = RULE_MAJORITY; rule <= RULE_SITES; rule++) {
        struct voters voters = property_voters(rule, "AABC");
        voters.n = 2;
        ck_assert(quorum_reached(&voters, 3));
        ck_assert(!quorum_reached(&voters, 1 | 4 | 8));
        const instant until[VOTERS_MAX] = {{9, 90}, {5, 50}, {7, 70}, {8, 80}};
        ck_assert_int_eq(quorum_until(&voters, until).boot_ns, 5);
        struct voters light = property_voters(rule, "AABBCA"); /* two of five in a site; the sixth is none */
        light.n = 5;
        ck_assert_int_eq(quorum_default_rule(&light), RULE_MAJORITY);
    }
}
END_TEST

START_TEST(an_unknown_rule_decides_nothing)
{
    struct voters voters = property_voters((enum voter_rule)9, "ABC");
    ck_assert(!quorum_reached(&voters, 7));
}
END_TEST

START_TEST(any_two_meet_in_all_layouts_of_up_to_seven)
{
    ck_assert(property_quorums_meet());
}
END_TEST

/* ---- until --------------------------------------------------------------------------------------------- */

static const struct until_row {
    const char *name;
    enum voter_rule rule;
    const char *sites;
    instant until[VOTERS_MAX];
    instant want;
} until_rows[] = {
    {"alone", RULE_MAJORITY, "A", {{5, 50}}, {5, 50}},
    {"alone and never", RULE_MAJORITY, "A", {{0, 0}}, {0, 0}},
    {"the second of three", RULE_MAJORITY, "ABC", {{9, 90}, {5, 50}, {7, 70}}, {7, 70}},
    {"one of three is no quorum", RULE_MAJORITY, "ABC", {{9, 90}, {0, 0}, {0, 0}}, {0, 0}},
    {"never does not count as early", RULE_MAJORITY, "ABC", {{9, 90}, {0, 0}, {7, 70}}, {7, 70}},
    {"each clock has a quorum of its own", RULE_MAJORITY, "ABC", {{9, 50}, {8, 90}, {5, 80}}, {8, 80}},
    {"by sites: the second site of three",
     RULE_SITES,
     "AABBC",
     {{9, 90}, {9, 90}, {6, 60}, {7, 70}, {3, 30}},
     {6, 60}},
    {"by sites: one site is no quorum",
     RULE_SITES,
     "AABBC",
     {{9, 90}, {9, 90}, {6, 60}, {0, 0}, {0, 0}},
     {0, 0}},
};

START_TEST(until)
{
    const struct until_row *row = &until_rows[_i];
    struct voters voters = property_voters(row->rule, row->sites);
    instant got = quorum_until(&voters, row->until);
    EXPECT_INT(got.boot_ns, row->want.boot_ns, row);
    EXPECT_INT(got.raw_ns, row->want.raw_ns, row);
}
END_TEST

START_TEST(until_is_the_last_moment_of_a_quorum)
{
    ck_assert(property_until_needs_quorum());
}
END_TEST

/* ---- one step ------------------------------------------------------------------------------------------ */

// clang-format off
#define STEP_ROWS(X) \
    X("nothing changes", true, {}) \
    X("another order", true, { struct voter v = t->v[0]; t->v[0] = t->v[2]; t->v[2] = v; }) \
    X("one added in a new site", true, \
      { t->v[t->n] = t->v[0]; t->v[t->n].id = 9; strcpy(t->v[t->n++].site, "new"); }) \
    X("one added in a known site", true, { t->v[t->n] = t->v[0]; t->v[t->n++].id = 9; }) \
    X("two added", false, { t->v[3] = t->v[4] = t->v[0]; t->v[3].id = 9; t->v[4].id = 10; t->n = 5; }) \
    X("the last removed", true, { t->n--; }) \
    X("the first removed", true, { t->v[0] = t->v[--t->n]; }) \
    X("two removed", false, { t->n -= 2; }) \
    X("one replaced by another", false, { t->v[1].id = 9; }) \
    X("a new epoch", true, { t->v[1].epoch++; }) \
    X("a new key", true, { t->v[1].key[31] ^= 1; }) \
    X("a new epoch and key of the same voter", true, { t->v[1].epoch++; t->v[1].key[0] ^= 1; }) \
    X("two new epochs", false, { t->v[1].epoch++; t->v[2].epoch++; }) \
    X("two new keys", false, { t->v[1].key[0] ^= 1; t->v[2].key[0] ^= 1; }) \
    X("one added, another's epoch", false, \
      { t->v[3] = t->v[0]; t->v[3].id = 9; t->n = 4; t->v[0].epoch++; }) \
    X("one removed, another's epoch", false, { t->n--; t->v[0].epoch++; }) \
    X("a voter moves to another site", false, { strcpy(t->v[1].site, "new"); }) \
    X("another rule", false, { t->rule = RULE_SITES; })
// clang-format on

static struct voters step_to(int number)
{
    struct voters to = property_voters(RULE_MAJORITY, "AAB"), *t = &to;
    int i = 0;
#define X(name, one, ...) \
    if (i++ == number) \
    __VA_ARGS__
    STEP_ROWS(X)
#undef X
    return to;
}
static const struct step_row {
    const char *name;
    bool one;
} step_rows[] = {
#define X(name, one, ...) {name, one},
    STEP_ROWS(X)
#undef X
};

START_TEST(one_step)
{
    const struct step_row *row = &step_rows[_i];
    struct voters from = property_voters(RULE_MAJORITY, "AAB"), to = step_to(_i);
    EXPECT_INT(voters_one_step(&from, &to), row->one, row);
    EXPECT_INT(voters_one_step(&to, &from), row->one, row);
}
END_TEST

START_TEST(quorums_one_step_apart_meet)
{
    ck_assert(property_steps_meet());
}
END_TEST

/* The new voter in each of the old sites and in one more, for all layouts of up to six. */
START_TEST(quorums_meet_when_one_is_added)
{
    for (int rule = RULE_MAJORITY; rule <= RULE_SITES; rule++)
        for (int n = 1; n <= 6; n++) {
            char layout[9] = "AAAAAA";
            layout[n] = 0;
            do {
                for (char site = 'A'; site <= 'E'; site++) {
                    char longer[10];
                    snprintf(longer, sizeof longer, "%s%c", layout, site);
                    struct voters from = property_voters(rule, layout), to = property_voters(rule, longer);
                    ck_assert_msg(voters_one_step(&from, &to), "%s, then %s", layout, longer);
                    uint32_t all = (1u << to.n) - 1;
                    struct property_reach was = property_reach(&from), is = property_reach(&to);
                    for (uint32_t s = 0; s <= all >> 1; s++)
                        for (uint32_t t = 0; t <= all; t++)
                            if (was.reached[s] && is.reached[t] && !(s & t))
                                ck_abort_msg("%s, then %s", layout, longer);
                }
            } while (property_next_layout(layout, n));
        }
}
END_TEST

/* A voter that lost its store never votes under its old epoch again: the old quorums without it and the
 * new ones meet in a voter that remembers. */
START_TEST(quorums_meet_in_another_when_one_is_admitted_again)
{
    for (int rule = RULE_MAJORITY; rule <= RULE_SITES; rule++)
        for (int n = 1; n <= 6; n++) {
            char layout[9] = "AAAAAA";
            layout[n] = 0;
            do {
                struct voters voters = property_voters(rule, layout);
                struct property_reach r = property_reach(&voters);
                for (uint32_t lost = 1; lost < 1u << n; lost <<= 1)
                    for (uint32_t s = 0; s < 1u << n; s++)
                        for (uint32_t t = 0; t < 1u << n; t++)
                            if (r.reached[s] && !(s & lost) && r.reached[t] && !(s & t & ~lost))
                                ck_abort_msg("%s", layout);
            } while (property_next_layout(layout, n));
        }
}
END_TEST

/* What the rule is for: three voters become five at once, and two old ones and three new ones decide
 * apart. */
START_TEST(two_steps_at_once_would_not_meet)
{
    struct voters all = property_voters(RULE_MAJORITY, "ABCDE");
    struct voters from = property_subset(&all, 0x07), to = property_subset(&all, 0x1f);
    ck_assert(!voters_one_step(&from, &to));
    ck_assert(!property_subsets_meet(&all, 0x07, 0x1f));
}
END_TEST

/* ---- the default rule ---------------------------------------------------------------------------------- */

static const struct rule_row {
    const char *name;
    const char *sites;
    enum voter_rule rule;
} rule_rows[] = {
    {"one voter", "A", RULE_MAJORITY},
    {"one site of many", "AAA", RULE_MAJORITY},
    {"two sites: losing the larger stops either rule", "AAB", RULE_MAJORITY},
    {"three sites, none heavy", "ABC", RULE_MAJORITY},
    {"three sites, none holds half", "AABBC", RULE_MAJORITY},
    {"one of three sites holds half", "AAABBC", RULE_SITES},
    {"one of three sites holds half, listed last", "CBBAAA", RULE_SITES},
    {"one of three sites holds more than half", "AAABC", RULE_SITES},
    {"half of four in three sites", "AABC", RULE_SITES},
    {"half of four in two sites", "AABB", RULE_MAJORITY},
};

START_TEST(default_rule)
{
    const struct rule_row *row = &rule_rows[_i];
    struct voters voters = property_voters(RULE_MAJORITY, row->sites);
    EXPECT_INT(quorum_default_rule(&voters), row->rule, row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quorum");
    TCase *tcase = suite_case(suite, "quorum");
    tcase_add_loop_test(tcase, reached, 0, ROWS(reached_rows));
    tcase_add_loop_test(tcase, until, 0, ROWS(until_rows));
    tcase_add_loop_test(tcase, one_step, 0, ROWS(step_rows));
    tcase_add_loop_test(tcase, default_rule, 0, ROWS(rule_rows));
    tcase_add_test(tcase, what_lies_behind_the_count_means_nothing);
    tcase_add_test(tcase, an_unknown_rule_decides_nothing);
    tcase_add_test(tcase, any_two_meet_in_all_layouts_of_up_to_seven);
    tcase_add_test(tcase, until_is_the_last_moment_of_a_quorum);
    tcase_add_test(tcase, quorums_one_step_apart_meet);
    tcase_add_test(tcase, quorums_meet_when_one_is_added);
    tcase_add_test(tcase, quorums_meet_in_another_when_one_is_admitted_again);
    tcase_add_test(tcase, two_steps_at_once_would_not_meet);
    return suite_run(suite);
}
