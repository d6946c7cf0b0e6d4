/* The cluster file: what root signed is read, whatever else is refused; keys and folders that belong together. */
#define _GNU_SOURCE
#include "mesh/io/folder.h"
#include "tests/unit/cluster_base.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

static struct cluster_base base;
static struct cluster loaded;
static struct problem problem;
static char text[128 * 1024];

static void setup(void)
{
    size_t n;
    scratch_open();
    cluster_base_make(&base);
    ck_assert_msg(cluster_write(scratch_path("cluster"), &base.cluster, &problem), "%s", problem.fact);
    strcpy(text, scratch_read("cluster", &n));
    memset(&problem, 0, sizeof problem);
}

static bool parse(void)
{
    return cluster_parse(text, strlen(text), "cluster", &loaded, &problem);
}

/* The n-th word (from 1) of the line that begins so. */
static char *word(const char *line, int n)
{
    char *p = strstr(text, line);
    ck_assert_ptr_nonnull(p);
    while (--n > 0)
        p = strchr(p, ' ') + 1;
    return p;
}

/* Another text in place of one that stands there once or more. */
static void replace(const char *from, const char *to)
{
    static char rest[sizeof text];
    char *p = strstr(text, from);
    ck_assert_ptr_nonnull(p);
    strcpy(rest, p + strlen(from));
    strcpy(p, to);
    strcat(p, rest);
}

START_TEST(what_is_written_is_read)
{
    ck_assert_msg(cluster_load(scratch_path("cluster"), &loaded, &problem), "%s %s", problem.fact,
                  problem.detail);
    ck_assert_int_eq(loaded.n, BASE_MEMBERS);
    ck_assert_str_eq(loaded.name, "orders");
    ck_assert_mem_eq(&loaded.id, &base.cluster.id, sizeof loaded.id);
    ck_assert_mem_eq(loaded.root, base.root.public, KEY_SIZE);
    for (int i = 0; i < BASE_MEMBERS; i++) {
        const struct cluster_member *a = &loaded.members[i], *b = &base.cluster.members[i];
        ck_assert_str_eq(a->member.name, b->member.name);
        ck_assert_int_eq(a->member.role, b->member.role);
        ck_assert_mem_eq(a->member.key, b->member.key, KEY_SIZE);
        ck_assert_int_eq(a->n_mesh, b->n_mesh);
        ck_assert_int_eq(a->has_pg, b->has_pg);
    }
    ck_assert_str_eq(loaded.members[DB1].pg.host, "db.example");
    ck_assert_ptr_eq(cluster_find(&loaded, "wit1"), &loaded.members[WIT1]);
    ck_assert_ptr_null(cluster_find(&loaded, "wit2"));
    ck_assert_str_eq(cluster_member_name(&loaded, 77), "?");
    ck_assert_int_eq(loaded.first.lease_ms_max, 3000);
}
END_TEST

/* ---- each certified word changed ----------------------------------------------------------------------------------- */

static const struct changed_row {
    const char *name, *from, *to, *fact;
} changed_rows[] = {
    {"another version", "pgmesh-cluster 1", "pgmesh-cluster 2", ":1: not a cluster file"},
    {"another id", "member 2 ", "member 9 ", "certificate does not hold"},
    {"an id of zero", "member 2 ", "member 0 ", "malformed member"},
    {"an id that is no number", "member 2 ", "member x ", "malformed member"},
    {"another name", " db2 ", " db3 ", "certificate does not hold"},
    {"a name that is none", " db2 ", " DB2 ", "malformed member"},
    {"a witness made a database", " witness lux", " database lux", "certificate does not hold"},
    {"an unknown role", " witness lux", " jester lux", "malformed member"},
    {"another site", " database ams", " database fra", "certificate does not hold"},
    {"another beginning of validity", " 0 0 ", " 1 0 ", "certificate does not hold"},
    {"another end of validity", " 0 0 ", " 0 1 ", "certificate does not hold"},
    {"an address by name", "mesh=10.0.0.1:7400", "mesh=host:7400", "malformed address"},
    {"an address twice", "mesh=10.0.0.1:7400", "mesh=10.0.0.1:7400 mesh=10.0.0.1:7401", "malformed address"},
    {"an unknown word", "pg=", "pq=", "malformed address"},
    {"an unknown line", "name orders", "game orders", "unknown line"},
    {"no name", "name orders\n", "", "incomplete"},
    {"a cluster name that is none", "name orders", "name Orders", "malformed cluster name"},
    {"two names", "name orders", "name orders\nname orders", "malformed cluster name"},
    {"a member before the record", "name orders", "member 1\nname orders", "stands after \"record\""},
};

START_TEST(changed)
{
    const struct changed_row *row = &changed_rows[_i];
    replace(row->from, row->to);
    EXPECT(!parse(), row);
    ck_assert_msg(strstr(problem.fact, row->fact) != NULL, "row \"%s\": the fact is \"%s\"", row->name,
                  problem.fact);
    EXPECT_INT(loaded.n, 0, row);
}
END_TEST

static void turn(char *digit)
{
    *digit = *digit == '0' ? '1' : '0';
}

START_TEST(every_digit_of_a_key_or_signature_counts)
{
    static const struct {
        const char *line;
        int word, digits;
    } places[] = {{"root ", 2, 64}, {"record ", 3, 128}, {"member 1 ", 6, 64}, {"member 3 ", 9, 128}};
    for (int i = 0; i < ROWS(places); i++)
        for (int k = 0; k < places[i].digits; k++) {
            char *digit = word(places[i].line, places[i].word) + k, was = *digit;
            turn(digit);
            ck_assert_msg(!parse(), "word %d of \"%s\", digit %d", places[i].word, places[i].line, k);
            *digit = was;
        }
    ck_assert(parse());
}
END_TEST

START_TEST(every_digit_of_the_record_counts)
{
    size_t n = strcspn(word("record ", 2), " ");
    for (size_t k = 0; k < n; k++) {
        char *digit = word("record ", 2) + k, was = *digit;
        turn(digit);
        ck_assert_msg(!parse(), "digit %zu", k);
        ck_assert_ptr_nonnull(strstr(problem.fact, "signature over the first record"));
        *digit = was;
    }
}
END_TEST

START_TEST(cut_off_anywhere)
{
    size_t n = strlen(text), last = (size_t)(word("member 4 ", 1) - text);
    for (size_t i = 0; i < n; i += i < last ? 7 : 1) {
        bool whole = cluster_parse(text, i, "cluster", &loaded, &problem);
        /* Only whole lines may be missing at the end, and none whose member the record needs. */
        ck_assert_msg(!whole || text[i - 1] == '\n', "cut at %zu", i);
        ck_assert(!whole || loaded.n >= 3);
    }
}
END_TEST

START_TEST(a_nul_byte)
{
    size_t n = strlen(text);
    text[n / 2] = '\0';
    ck_assert(!cluster_parse(text, n, "cluster", &loaded, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "NUL"));
}
END_TEST

START_TEST(a_member_of_another_cluster)
{
    static struct cluster_base other;
    static char line[2048];
    size_t n;
    cluster_base_make(&other);
    ck_assert(cluster_write(scratch_path("other"), &other.cluster, &problem));
    char *from = strstr(scratch_read("other", &n), "member 4 ");
    snprintf(line, sizeof line, "%s", from);
    strcpy(strstr(text, "member 4 "), line);
    ck_assert(!parse());
    ck_assert_ptr_nonnull(strstr(problem.fact, "certificate does not hold"));
}
END_TEST

START_TEST(the_same_twice)
{
    static char again[2048];
    char *line = strstr(text, "member 4 ");
    strcat(text, memcpy(again, line, strlen(line) + 1));
    ck_assert(!parse());
    ck_assert_ptr_nonnull(strstr(problem.fact, "stands twice"));
}
END_TEST

START_TEST(a_voter_who_is_no_member)
{
    static struct cluster_base other;
    other = base;
    other.cluster.n = WIT1; /* db1 and db2 only */
    ck_assert(cluster_write(scratch_path("cluster"), &other.cluster, &problem));
    ck_assert(!cluster_load(scratch_path("cluster"), &loaded, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "a voter of the first record"));
}
END_TEST

/* ---- keys and folders ------------------------------------------------------------------------------------------------ */

START_TEST(keys_are_kept_secret)
{
    uint8_t seed[32];
    struct key made, read;
    keys_generate(&made, seed);
    ck_assert(keys_write(scratch_path("member.key"), seed, &problem));
    ck_assert(!keys_write(scratch_path("member.key"), seed, &problem)); /* never overwritten */
    ck_assert(keys_read(scratch_path("member.key"), &read, &problem));
    ck_assert_mem_eq(made.public, read.public, KEY_SIZE);
    ck_assert_int_eq(symlink(scratch_path("member.key"), scratch_path("link.key")), 0);
    ck_assert(!keys_read(scratch_path("link.key"), &read, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "symbolic link"));
    ck_assert_int_eq(chmod(scratch_path("member.key"), 0640), 0);
    ck_assert(!keys_read(scratch_path("member.key"), &read, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "can be read by others"));
    scratch_write("short.key", "00ff\n", 5, 0600);
    ck_assert(!keys_read(scratch_path("short.key"), &read, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "is not a key"));
    ck_assert_ptr_null(strstr(problem.fact, "00ff"));
}
END_TEST

static const char *folder_of(int i, int key)
{
    uint8_t seed[32];
    keys_generate(&base.keys[i], seed);
    memcpy(base.cluster.members[i].member.key, base.keys[i].public, KEY_SIZE);
    if (i < 3)
        memcpy(base.cluster.first.voters.v[i].key, base.keys[i].public, KEY_SIZE);
    cluster_sign_record(&base.cluster, &base.root);
    for (int k = 0; k < BASE_MEMBERS; k++)
        cluster_certify(&base.cluster, &base.cluster.members[k], &base.root);
    ck_assert(cluster_write(scratch_path("cluster"), &base.cluster, &problem));
    if (key != i)
        keys_generate(&base.keys[key], seed);
    ck_assert(keys_write(scratch_path("member.key"), seed, &problem));
    snprintf(text, sizeof text, "member = %s\n", base.cluster.members[i].member.name);
    scratch_text("node.conf", text);
    return scratch_path("node.conf");
}

START_TEST(a_folder_that_belongs_together)
{
    struct folder *f = folder_open(folder_of(WIT1, WIT1), 1u << ROLE_WITNESS, &problem);
    ck_assert_msg(f != NULL, "%s", problem.fact);
    ck_assert_str_eq(f->self->member.name, "wit1");
    folder_close(&f);
    ck_assert_ptr_null(f);
    ck_assert_ptr_null(folder_open(scratch_path("node.conf"), 1u << ROLE_DATABASE, &problem));
    ck_assert_ptr_nonnull(strstr(problem.hint, "pgmesh-witness"));
}
END_TEST

START_TEST(a_folder_with_the_key_of_another)
{
    ck_assert_ptr_null(folder_open(folder_of(WIT1, DB1), 1u << ROLE_WITNESS, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "is not the key of \"wit1\""));
}
END_TEST

START_TEST(a_certificate_out_of_its_time)
{
    base.cluster.members[WIT1].until = 1000000000;
    ck_assert_ptr_null(folder_open(folder_of(WIT1, WIT1), 1u << ROLE_WITNESS, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "has expired"));
    ck_assert_int_eq(unlink(scratch_path("member.key")), 0);
    base.cluster.members[WIT1].until = 0;
    base.cluster.members[WIT1].from = 99999999999;
    ck_assert_ptr_null(folder_open(folder_of(WIT1, WIT1), 1u << ROLE_WITNESS, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "is not valid yet"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cluster");
    TCase *tcase = suite_case(suite, "cluster");
    tcase_add_checked_fixture(tcase, setup, scratch_close);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_loop_test(tcase, changed, 0, ROWS(changed_rows));
    tcase_add_test(tcase, every_digit_of_a_key_or_signature_counts);
    tcase_add_test(tcase, every_digit_of_the_record_counts);
    tcase_add_test(tcase, cut_off_anywhere);
    tcase_add_test(tcase, a_nul_byte);
    tcase_add_test(tcase, a_member_of_another_cluster);
    tcase_add_test(tcase, the_same_twice);
    tcase_add_test(tcase, a_voter_who_is_no_member);
    tcase_add_test(tcase, keys_are_kept_secret);
    tcase_add_test(tcase, a_folder_that_belongs_together);
    tcase_add_test(tcase, a_folder_with_the_key_of_another);
    tcase_add_test(tcase, a_certificate_out_of_its_time);
    return suite_run(suite);
}
