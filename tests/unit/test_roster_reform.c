/* The roster's lines about re-formed voters: believed by the root's signature alone, one beside the other; two of one number on
 * two sides are refused, and a later one ends that. */
#include "mesh/io/roster.h"
#include "tests/unit/cluster_base.h"
#include "tests/unit/suite.h"

static struct cluster_base base;
static struct cluster cluster;
static struct roster roster;
static struct problem problem;
static char line[ROSTER_LINE_SIZE];

static void fresh(void)
{
    cluster_base_make(&base);
    cluster = base.cluster;
    memset(&roster, 0, sizeof roster);
}
static bool merge(const char *one, int *news)
{
    static char text[ROSTER_MAX];
    int n = snprintf(text, sizeof text, "pgmesh-roster 1\n%s\n", one);
    memset(&problem, 0, sizeof problem);
    return roster_merge(&roster, &cluster, text, (size_t)n, "roster", news, &problem);
}
static const char *reform(uint32_t epoch, uint64_t nonce, uint64_t version, const struct key *key)
{
    struct reform f = {.epoch = epoch, .nonce = nonce, .hash = {(uint8_t)nonce, 2, 3}};
    roster_sign_reform(line, &base.cluster, &f, version, key);
    return line;
}

/* ---- refused ------------------------------------------------------------------------------------------------------------ */

static void other_key(void)
{
    reform(1, 7, 2, &base.keys[OPS]);
}
static void epoch_zero(void)
{
    reform(0, 7, 2, &base.root);
}
static void epoch_beyond(void)
{
    reform(REFORM_EPOCH_MAX, 7, 2, &base.root);
}
static void changed(void)
{
    char *at = strstr(reform(1, 7, 2, &base.root), "reform 1");
    at[7] = '2';
}
static void same_number(void)
{
    reform(1, 99, 2, &base.root);
}

static const struct refused_row {
    const char *name;
    void (*make)(void);
    const char *says;
    bool forked;
} refused_rows[] = {
    {"an operator's key", other_key, "signature does not hold", false},
    {"number 0", epoch_zero, "malformed re-formation", false},
    {"a number beyond all", epoch_beyond, "malformed re-formation", false},
    {"another number than was signed", changed, "signature does not hold", false},
    {"another of the same number", same_number, "twice, on two sides", true},
};

START_TEST(refused)
{
    const struct refused_row *row = &refused_rows[_i];
    int news;
    fresh();
    ck_assert(merge(reform(1, 5, 1, &base.root), &news) && news == 1);
    uint64_t digest = roster.digest;
    row->make();
    EXPECT(!merge(line, &news), row);
    ck_assert_msg(strstr(problem.fact, row->says) != NULL, "row \"%s\": it says \"%s\"", row->name,
                  problem.fact);
    EXPECT(roster.digest == digest && cluster_reform(&cluster).nonce == 5, row);
    EXPECT_INT(roster.forked, row->forked, row);
}
END_TEST

/* ---- taken in ------------------------------------------------------------------------------------------------------------ */

START_TEST(it_is_taken_once)
{
    int news;
    fresh();
    ck_assert_uint_eq(cluster_reform(&cluster).epoch, 0);
    ck_assert(merge(reform(1, 5, 1, &base.root), &news) && news == 1);
    ck_assert_uint_eq(cluster_reform(&cluster).epoch, 1);
    ck_assert_uint_eq(cluster_reform(&cluster).hash[0], 5);
    ck_assert(merge(line, &news) && news == 0 && !roster.forked && roster.n == 1);
}
END_TEST

START_TEST(a_later_one_ends_a_fork)
{
    int news;
    char theirs[ROSTER_LINE_SIZE];
    fresh();
    strcpy(theirs, reform(1, 6, 1, &base.root));
    ck_assert(merge(reform(1, 5, 1, &base.root), &news));
    ck_assert(!merge(theirs, &news) && roster.forked);
    ck_assert(merge(reform(2, 8, 2, &base.root), &news) && news == 1 && !roster.forked);
    ck_assert_uint_eq(cluster_reform(&cluster).nonce, 8);
    /* What the other side knew is kept beside it, so that both come to hold the same lines. */
    ck_assert(merge(theirs, &news) && news == 1 && !roster.forked);
    ck_assert_uint_eq(cluster_reform(&cluster).nonce, 8);
}
END_TEST

START_TEST(the_last_ones_are_known)
{
    int news;
    fresh();
    for (uint32_t e = REFORMS_MAX + 2; e > 0; e--)
        ck_assert(merge(reform(e, e, 1, &base.root), &news) && news == 1);
    ck_assert_uint_eq(cluster.n_reforms, REFORMS_MAX);
    for (uint32_t i = 0; i < REFORMS_MAX; i++)
        ck_assert_uint_eq(cluster.reforms[i].epoch, i + 3);
    ck_assert(merge(reform(REFORMS_MAX + 3, 77, 1, &base.root), &news));
    ck_assert_uint_eq(cluster.reforms[0].epoch, 4);
    ck_assert_uint_eq(cluster_reform(&cluster).nonce, 77);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roster_reform");
    TCase *tcase = suite_case(suite, "refused");
    tcase_add_loop_test(tcase, refused, 0, ROWS(refused_rows));
    tcase = suite_case(suite, "taken");
    tcase_add_test(tcase, it_is_taken_once);
    tcase_add_test(tcase, a_later_one_ends_a_fork);
    tcase_add_test(tcase, the_last_ones_are_known);
    return suite_run(suite);
}
