#define _GNU_SOURCE
/* The roster: what is taken in, what is refused, and that what stood before stays. */
#include "mesh/io/roster.h"
#include "tests/unit/cluster_base.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

#include <stdlib.h>

static struct cluster_base base;
static struct cluster cluster;
static struct roster roster;
static struct problem problem;
static char text_now[ROSTER_MAX], line[ROSTER_LINE_SIZE];

/* A fourth voter to be, certified. */
static struct cluster_member newcomer(member_id id, const char *name)
{
    struct cluster_member m = {.n_mesh = 1, .mesh = {{.host = "10.0.0.9", .port = 7400}}};
    struct key key;
    keys_generate(&key, NULL);
    m.member.id = id;
    m.member.role = ROLE_WITNESS;
    strcpy(m.member.name, name);
    strcpy(m.member.site, "lux");
    memcpy(m.member.key, key.public, KEY_SIZE);
    cluster_certify(&base.cluster, &m, &base.root);
    return m;
}
static void fresh(void)
{
    cluster_base_make(&base);
    cluster = base.cluster;
    memset(&roster, 0, sizeof roster);
}
static bool merge(const char *text, int *news)
{
    memset(&problem, 0, sizeof problem);
    return roster_merge(&roster, &cluster, text, strlen(text), "roster", news, &problem);
}
static bool merge_line(const char *one, int *news)
{
    snprintf(text_now, sizeof text_now, "pgmesh-roster 1\n%s\n", one);
    return merge(text_now, news);
}
static void sign(member_id id, const char *name, uint64_t version, const struct key *key)
{
    struct cluster_member m = newcomer(id, name);
    roster_sign_member(line, &base.cluster, &m, version, key);
}

/* ---- refused ------------------------------------------------------------------------------------------------------------ */

static void wrong_key(void)
{
    struct key other;
    keys_generate(&other, NULL);
    sign(6, "wit3", 2, &other);
}
static void member_key(void)
{
    sign(6, "wit3", 2, &base.keys[OPS]);
}
static void other_version(void)
{
    sign(6, "wit3", 2, &base.root), line[0] = '3';
}
static void other_address(void)
{
    sign(6, "wit3", 2, &base.root), *strstr(line, "10.0.0.9") = '2';
}
static void other_cluster(void)
{
    struct cluster_member m = newcomer(6, "wit3");
    struct cluster c = base.cluster;
    c.id.b[0] ^= 1;
    roster_sign_member(line, &c, &m, 2, &base.root);
}
static void number_taken(void)
{
    sign(1, "wit3", 2, &base.root);
}
static void name_taken(void)
{
    sign(6, "db1", 2, &base.root);
}
static void version_zero(void)
{
    sign(6, "wit3", 0, &base.root);
}
static void of_nobody(void)
{
    roster_sign_revocation(line, &base.cluster, 77, 2, &base.root);
}
static void unknown_role(void)
{
    static char words[ROSTER_LINE_SIZE];
    sign(6, "wit3", 2, &base.root);
    struct cluster_member m = newcomer(6, "wit3");
    m.member.role = (enum role)9; /* printed as "?" */
    roster_sign_member(words, &base.cluster, &m, 2, &base.root);
    strcpy(line, words);
}
static void uncertified(void)
{
    struct cluster_member m = newcomer(6, "wit3");
    m.signature[3] ^= 1;
    roster_sign_member(line, &base.cluster, &m, 2, &base.root);
}
static void nonsense(void)
{
    strcpy(line, "2 nonsense");
}
static void too_long(void)
{
    memset(line, '1', sizeof line - 1);
    line[sizeof line - 1] = '\0';
}

static const struct refused_row {
    const char *name;
    void (*make)(void);
    const char *says;
} refused_rows[] = {
    {"another's key", wrong_key, "signature does not hold"},
    {"an operator's key", member_key, "signature does not hold"},
    {"another version than was signed", other_version, "signature does not hold"},
    {"another address than was signed", other_address, "signature does not hold"},
    {"of another cluster", other_cluster, "signature does not hold"},
    {"version 0", version_zero, "malformed line"},
    {"a number that is taken", number_taken, "number of the member is taken"},
    {"a name that is taken", name_taken, "stands twice"},
    {"a revocation of nobody", of_nobody, "nobody that is known"},
    {"an unknown role", unknown_role, "malformed member"},
    {"signed, and its certificate does not hold", uncertified, "certificate does not hold"},
    {"nonsense", nonsense, "malformed line"},
    {"a line without end", too_long, "malformed line"},
};

START_TEST(refused)
{
    const struct refused_row *row = &refused_rows[_i];
    int news;
    fresh();
    sign(5, "wit2", 1, &base.root);
    ck_assert(merge_line(line, &news) && news == 1);
    uint64_t digest = roster.digest;
    row->make();
    EXPECT(!merge_line(line, &news), row);
    ck_assert_msg(strstr(problem.fact, row->says) != NULL, "row \"%s\": it says \"%s\"", row->name,
                  problem.fact);
    EXPECT(roster.digest == digest && roster.n == 1 && roster.version == 1, row);
    EXPECT_INT(cluster.n, BASE_MEMBERS + 1, row);
}
END_TEST

/* ---- taken in ------------------------------------------------------------------------------------------------------------ */

START_TEST(a_member_is_added_once)
{
    int news;
    fresh();
    sign(5, "wit2", 1, &base.root);
    ck_assert(merge_line(line, &news) && news == 1);
    const struct cluster_member *m = cluster_find(&cluster, "wit2");
    ck_assert(m && m->member.id == 5 && m->member.role == ROLE_WITNESS && m->n_mesh == 1 &&
              !m->member.revoked);
    ck_assert(merge_line(line, &news) && news == 0);
    ck_assert_int_eq(cluster.n, BASE_MEMBERS + 1);
}
END_TEST

START_TEST(a_revocation_is_final)
{
    int news;
    char added[ROSTER_LINE_SIZE];
    fresh();
    sign(5, "wit2", 1, &base.root);
    strcpy(added, line);
    ck_assert(merge_line(added, &news));
    roster_sign_revocation(line, &base.cluster, 5, 2, &base.root);
    ck_assert(merge_line(line, &news) && news == 1 && cluster_find(&cluster, "wit2")->member.revoked);
    ck_assert(merge_line(added, &news) && news == 0 && cluster_find(&cluster, "wit2")->member.revoked);
    sign(5, "wit2", 3, &base.root);
    ck_assert(!merge_line(line, &news) && cluster_find(&cluster, "wit2")->member.revoked);
}
END_TEST

START_TEST(one_of_the_first_file_is_revoked)
{
    int news;
    fresh();
    roster_sign_revocation(line, &base.cluster, 3, 1, &base.root);
    ck_assert(merge_line(line, &news) && news == 1 && cluster_find(&cluster, "wit1")->member.revoked);
}
END_TEST

/* Two members that heard of two lines in another order have the same roster. */
START_TEST(the_order_makes_no_difference)
{
    int news;
    char first[ROSTER_LINE_SIZE];
    fresh();
    sign(5, "wit2", 1, &base.root);
    strcpy(first, line);
    sign(6, "wit3", 2, &base.root);
    ck_assert(merge_line(first, &news) && merge_line(line, &news));
    uint64_t digest = roster.digest;
    cluster = base.cluster;
    memset(&roster, 0, sizeof roster);
    ck_assert(merge_line(line, &news) && merge_line(first, &news));
    ck_assert(digest != 0 && roster.digest == digest && roster.version == 2);
}
END_TEST

START_TEST(a_bad_line_does_not_keep_the_others_out)
{
    int news;
    fresh();
    sign(5, "wit2", 1, &base.root);
    snprintf(text_now, sizeof text_now, "pgmesh-roster 1\n1 2 3\n%s\n", line);
    ck_assert(!merge(text_now, &news) && news == 1 && cluster_find(&cluster, "wit2") != NULL);
}
END_TEST

START_TEST(it_survives_a_restart)
{
    int news;
    static struct roster again;
    fresh();
    scratch_open();
    const char *folder = scratch_path(".");
    ck_assert(roster_load(&again, &cluster, folder, &problem) && again.n == 0);
    sign(5, "wit2", 1, &base.root);
    ck_assert(merge_line(line, &news) && roster_save(&roster, folder, &problem));
    cluster = base.cluster;
    ck_assert(roster_load(&again, &cluster, folder, &problem));
    ck_assert(again.digest == roster.digest && cluster_find(&cluster, "wit2") != NULL);
    scratch_close();
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    int news;
    fresh();
    sign(5, "wit2", 1, &base.root);
    int n = snprintf(text_now, sizeof text_now, "pgmesh-roster 1\n%s\n", line);
    for (int i = 0; i < n; i++) {
        cluster = base.cluster;
        memset(&roster, 0, sizeof roster);
        roster_merge(&roster, &cluster, text_now, (size_t)i, "roster", &news, &problem);
        ck_assert_int_eq(news, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roster");
    TCase *tcase = suite_case(suite, "refused");
    tcase_add_loop_test(tcase, refused, 0, ROWS(refused_rows));
    tcase = suite_case(suite, "taken");
    tcase_add_test(tcase, a_member_is_added_once);
    tcase_add_test(tcase, a_revocation_is_final);
    tcase_add_test(tcase, one_of_the_first_file_is_revoked);
    tcase_add_test(tcase, the_order_makes_no_difference);
    tcase_add_test(tcase, a_bad_line_does_not_keep_the_others_out);
    tcase_add_test(tcase, it_survives_a_restart);
    tcase_add_test(tcase, truncated_at_every_byte);
    return suite_run(suite);
}
