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

static void retired_by_root(void)
{
    roster_sign_retirement(line, &base.cluster, 5, 7, 1, &base.root);
}
static void retired_unrotated(void)
{
    roster_sign_retirement(line, &base.cluster, 1, 7, 2, &base.keys[DB1]);
}
static void retired_nobody(void)
{
    roster_sign_retirement(line, &base.cluster, 77, 7, 2, &base.root);
}
static void renewed(const char *site, uint16_t port)
{
    struct cluster_member m = base.cluster.members[DB1];
    struct key key;
    keys_generate(&key, NULL);
    m.member.former[0].round = KEY_OPEN;
    m.member.n_former = 1;
    memcpy(m.member.former[0].key, m.member.key, KEY_SIZE);
    memcpy(m.member.key, key.public, KEY_SIZE);
    strcpy(m.member.site, site);
    m.mesh[0].port = port;
    cluster_certify(&base.cluster, &m, &base.root);
    roster_sign_member(line, &base.cluster, &m, 2, &base.root);
}
static void renewed_elsewhere(void)
{
    renewed("oslo", 7400);
}
static void renewed_address(void)
{
    renewed("fra", 7777);
}
static void renewed_open_twice(void)
{
    renewed("fra", 7400);
    struct cluster_member m = base.cluster.members[DB1];
    struct key key;
    keys_generate(&key, NULL);
    memcpy(m.member.key, key.public, KEY_SIZE);
    m.member.n_former = 2;
    m.member.former[0].round = m.member.former[1].round = KEY_OPEN;
    cluster_certify(&base.cluster, &m, &base.root);
    roster_sign_member(line, &base.cluster, &m, 2, &base.root);
}
static void root_by_member(void)
{
    roster_sign_root(line, &base.cluster, base.keys[OPS].public, 2, &base.keys[OPS]);
}
static void root_again(void)
{
    roster_sign_root(line, &base.cluster, base.root.public, 2, &base.root);
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
    {"a retirement by the root", retired_by_root, "member's signature does not hold"},
    {"a retirement without a rotation", retired_unrotated, "no line has replaced"},
    {"a retirement of nobody", retired_nobody, "nobody that is known"},
    {"a renewal with another site", renewed_elsewhere, "number of the member is taken"},
    {"a renewal with another address", renewed_address, "number of the member is taken"},
    {"two keys that are not retired", renewed_open_twice, "malformed address"},
    {"a root key of an operator's making", root_by_member, "signature does not hold"},
    {"the root key that it is already", root_again, "was one before"},
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

static void when(enum two_persons two, uint64_t version, const struct key *key)
{
    roster_sign_two_persons(line, &base.cluster, two, version, key);
}

/* The newest word counts, whatever the order in which it is heard; what the root has not signed counts for nothing. */
START_TEST(two_persons_by_the_newest_line)
{
    int news;
    char older[ROSTER_LINE_SIZE], newer[ROSTER_LINE_SIZE];
    fresh();
    ck_assert_int_eq(cluster.two_persons, TWO_PERSONS_AUTO);
    when(TWO_PERSONS_ON, 3, &base.root);
    strcpy(older, line);
    when(TWO_PERSONS_OFF, 4, &base.root);
    strcpy(newer, line);
    ck_assert(merge_line(older, &news) && news == 1 && cluster.two_persons == TWO_PERSONS_ON);
    ck_assert(merge_line(newer, &news) && news == 1 && cluster.two_persons == TWO_PERSONS_OFF);
    uint64_t digest = roster.digest;
    ck_assert(merge_line(older, &news) && news == 0 && cluster.two_persons == TWO_PERSONS_OFF);
    when(TWO_PERSONS_ON, 5, &base.keys[OPS]);
    ck_assert(!merge_line(line, &news) && cluster.two_persons == TWO_PERSONS_OFF);
    when(TWO_PERSONS_AUTO, 5, &base.root);
    memcpy(strstr(line, "auto"), "on  ", 4);
    ck_assert(!merge_line(line, &news) && cluster.two_persons == TWO_PERSONS_OFF);
    ck_assert(roster.digest == digest && roster.n == 1);
    cluster = base.cluster;
    memset(&roster, 0, sizeof roster);
    ck_assert(merge_line(newer, &news) && merge_line(older, &news));
    ck_assert(cluster.two_persons == TWO_PERSONS_OFF && roster.n == 1 && roster.digest == digest);
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

/* ---- keys ---------------------------------------------------------------------------------------------------------------- */

static struct cluster_member next_of(const struct cluster *c, int i, struct key *key)
{
    struct cluster_member m = c->members[i];
    keys_generate(key, NULL);
    memmove(&m.member.former[1], &m.member.former[0], sizeof m.member.former - sizeof m.member.former[0]);
    memcpy(m.member.former[0].key, m.member.key, KEY_SIZE);
    m.member.former[0].round = KEY_OPEN;
    m.member.n_former++;
    memcpy(m.member.key, key->public, KEY_SIZE);
    return m;
}

static void rotate(int i, uint64_t version, const struct key *root, struct key *key)
{
    struct cluster_member m = next_of(&cluster, i, key);
    cluster_certify(&cluster, &m, root);
    roster_sign_member(line, &cluster, &m, version, root);
}

START_TEST(a_key_is_rotated_and_retired)
{
    int news;
    struct key first, second;
    const struct member *m = &cluster.members[DB2].member;
    fresh();
    rotate(DB2, 1, &base.root, &first);
    ck_assert(merge_line(line, &news) && news == 1 && member_rotates(m));
    ck_assert_mem_eq(m->key, first.public, KEY_SIZE);
    ck_assert_mem_eq(m->former[0].key, base.keys[DB2].public, KEY_SIZE);
    roster_sign_retirement(line, &cluster, 2, 40, 1, &base.keys[DB2]);
    ck_assert(!merge_line(line, &news) && member_rotates(m)); /* not with the former key */
    roster_sign_retirement(line, &cluster, 2, 41, 1, &first);
    ck_assert(merge_line(line, &news) && !member_rotates(m) && m->former[0].round == 41);
    ck_assert(merge_line(line, &news) && news == 0);
    roster_sign_retirement(line, &cluster, 2, 99, 1, &base.keys[DB2]);
    merge_line(line, &news);
    ck_assert(m->former[0].round == 41); /* its thief cannot make it last longer */
    rotate(DB2, 2, &base.root, &second);
    ck_assert(merge_line(line, &news) && m->n_former == 2 && m->former[1].round == 41 && member_rotates(m));
    ck_assert_int_eq(roster.n, 1); /* the older lines are replaced */
}
END_TEST

/* Whoever was away, or starts anew, comes to the same from the text alone. */
START_TEST(a_rotation_survives_a_restart)
{
    int news;
    static struct roster again;
    struct key key;
    fresh();
    rotate(DB2, 1, &base.root, &key);
    ck_assert(merge_line(line, &news));
    roster_sign_retirement(line, &cluster, 2, 41, 1, &key);
    ck_assert(merge_line(line, &news));
    size_t n = roster_text(&roster, text_now);
    struct cluster before = cluster;
    cluster = base.cluster;
    memset(&again, 0, sizeof again);
    ck_assert(roster_merge(&again, &cluster, text_now, n, "roster", &news, &problem) && news == 2);
    ck_assert_mem_eq(&cluster.members[DB2], &before.members[DB2], sizeof before.members[DB2]);
    ck_assert(again.digest == roster.digest);
}
END_TEST

/* Two lines of one version: all members come to the same, whichever they heard first. */
START_TEST(of_two_rotations_all_keep_the_same)
{
    int news;
    char one[ROSTER_LINE_SIZE];
    struct key a, b;
    fresh();
    rotate(DB2, 1, &base.root, &a);
    strcpy(one, line);
    rotate(DB2, 1, &base.root, &b);
    ck_assert(merge_line(one, &news));
    merge_line(line, &news);
    uint64_t digest = roster.digest;
    cluster = base.cluster;
    memset(&roster, 0, sizeof roster);
    ck_assert(merge_line(line, &news));
    merge_line(one, &news);
    ck_assert(roster.digest == digest);
}
END_TEST

START_TEST(a_revoked_member_gets_no_new_key)
{
    int news;
    struct key key;
    fresh();
    roster_sign_revocation(line, &cluster, 2, 1, &base.root);
    ck_assert(merge_line(line, &news));
    rotate(DB2, 2, &base.root, &key);
    ck_assert(!merge_line(line, &news) && cluster.members[DB2].member.revoked);
    ck_assert_mem_eq(cluster.members[DB2].member.key, base.keys[DB2].public, KEY_SIZE);
}
END_TEST

/* The root key is changed: text_now has the whole, all that stood signed anew. */
static void change_root(struct key *next, const struct key *root, uint64_t version)
{
    struct cluster anew = cluster;
    keys_generate(next, NULL);
    roster_sign_root(line, &cluster, next->public, version, root);
    int n = snprintf(text_now, sizeof text_now, "pgmesh-roster 1\n%s\n", line);
    memcpy(anew.root, next->public, KEY_SIZE);
    for (int i = 0; i < anew.n; i++) {
        cluster_certify(&anew, &anew.members[i], next);
        roster_sign_member(line, &anew, &anew.members[i], version + 1, next);
        n += snprintf(text_now + n, sizeof text_now - (size_t)n, "%s\n", line);
    }
    for (int i = 0; i < anew.n; i++)
        if (anew.members[i].member.revoked) {
            roster_sign_revocation(line, &anew, anew.members[i].member.id, version + 2, next);
            n += snprintf(text_now + n, sizeof text_now - (size_t)n, "%s\n", line);
        }
}

START_TEST(the_root_is_changed)
{
    int news;
    struct key next;
    char former[ROSTER_LINE_SIZE];
    fresh();
    sign(5, "wit2", 1, &base.root);
    strcpy(former, line);
    ck_assert(merge_line(line, &news));
    roster_sign_revocation(line, &cluster, 3, 2, &base.root);
    ck_assert(merge_line(line, &news));
    change_root(&next, &base.root, 3);
    ck_assert_msg(merge(text_now, &news), "%s", problem.fact);
    ck_assert_mem_eq(cluster.root, next.public, KEY_SIZE);
    ck_assert(cluster_find(&cluster, "wit1")->member.revoked &&
              !cluster_find(&cluster, "wit2")->member.revoked);
    ck_assert(merge_line(former, &news) && news == 0); /* who lags behind tells nothing new */
    sign(6, "wit3", 9, &base.root);
    ck_assert(!merge_line(line, &news) && strstr(problem.fact, "was replaced"));
    roster_sign_root(line, &base.cluster, base.keys[OPS].public, 9, &base.root);
    ck_assert(!merge_line(line, &news) && strstr(problem.fact, "was replaced"));
    roster_sign_revocation(line, &base.cluster, 1, 9, &base.root);
    ck_assert(!merge_line(line, &news) && !cluster.members[DB1].member.revoked);
    struct cluster_member m = newcomer(6, "wit3");
    cluster_certify(&cluster, &m, &next);
    roster_sign_member(line, &cluster, &m, 9, &next);
    ck_assert_msg(merge_line(line, &news) && news == 1, "%s", problem.fact);
}
END_TEST

/* Two changes while it was away: from the first file's key by the chain to the last. */
START_TEST(who_was_away_follows_the_chain)
{
    int news;
    struct key second, third;
    fresh();
    change_root(&second, &base.root, 1);
    ck_assert(merge(text_now, &news));
    change_root(&third, &second, 10);
    ck_assert(merge(text_now, &news));
    size_t n = roster_text(&roster, text_now);
    uint64_t digest = roster.digest;
    cluster = base.cluster;
    memset(&roster, 0, sizeof roster);
    ck_assert_msg(roster_merge(&roster, &cluster, text_now, n, "roster", &news, &problem), "%s",
                  problem.fact);
    ck_assert_mem_eq(cluster.root, third.public, KEY_SIZE);
    ck_assert(roster.digest == digest && roster.n_roots == 2);
}
END_TEST

/* What a thief of the former root key made just before falls with it. */
START_TEST(what_the_new_root_has_not_signed_falls)
{
    int news;
    struct key next;
    fresh();
    cluster.n_first = cluster.n;
    change_root(&next, &base.root, 3);
    sign(5, "evil", 2, &base.root);
    ck_assert(merge_line(line, &news) && !cluster_find(&cluster, "evil")->member.revoked);
    struct cluster clean = base.cluster;
    cluster.n--, clean.n_first = clean.n;
    struct cluster with = cluster;
    with.n++;
    cluster = clean;
    change_root(&next, &base.root, 3);
    cluster = with;
    ck_assert_msg(merge(text_now, &news), "%s", problem.fact);
    ck_assert(cluster_find(&cluster, "evil")->member.revoked && !cluster.members[DB1].member.revoked);
    ck_assert_int_eq(roster.n, 1 + BASE_MEMBERS);
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
    tcase_add_test(tcase, two_persons_by_the_newest_line);
    tcase_add_test(tcase, it_survives_a_restart);
    tcase_add_test(tcase, truncated_at_every_byte);
    tcase = suite_case(suite, "keys");
    tcase_add_test(tcase, a_key_is_rotated_and_retired);
    tcase_add_test(tcase, a_rotation_survives_a_restart);
    tcase_add_test(tcase, of_two_rotations_all_keep_the_same);
    tcase_add_test(tcase, a_revoked_member_gets_no_new_key);
    tcase_add_test(tcase, the_root_is_changed);
    tcase_add_test(tcase, who_was_away_follows_the_chain);
    tcase_add_test(tcase, what_the_new_root_has_not_signed_falls);
    return suite_run(suite);
}
