/* pgmesh init: what is refused and how it is told; what is made can be started from. */
// LINK: mesh/inspect/plan.c mesh/inspect/plan_check.c mesh/inspect/make.c mesh/inspect/make_write.c
// LINK: mesh/inspect/output.c
#define _GNU_SOURCE
#include "mesh/inspect/make.h"
#include "mesh/inspect/plan.h"
#include "mesh/io/folder.h"
#include "mesh/io/store.h"
#include "mesh/wire.h"
#include "policy/quorum.h"
#include "tests/unit/suite.h"

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct plan plan;
static struct made made;
static struct problem problem;
static char folder[64];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void setup(void)
{
    strcpy(folder, "/tmp/pgmesh-test-init-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    memset(&problem, 0, sizeof problem);
    plan_begin(&plan);
    plan.cluster = "orders";
}

static void teardown(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Members parted by spaces. */
static bool members(const char *list)
{
    char copy[2048], *rest = copy;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *one = strsep(&rest, " "); one != NULL; one = strsep(&rest, " "))
        if (!plan_member_add(&plan, one, one, &problem))
            return false;
    return true;
}

#define THREE "db1,database,fra,10.0.0.1:7400 db2,database,ams,10.0.0.2:7400 wit1,witness,lux,10.0.0.3:7400"

/* ---- refused ---- */

// clang-format off
static const struct bad_row {
    const char *name, *members, *fact;
    const char *cluster, *primary, *no_vote;
    bool sites;
} bad[] = {
    {.name = "a name with a capital", .members = "Db1,database,fra,10.0.0.1:7400", .fact = "\"Db1\" is no name for a member"},
    {.name = "a name with a slash", .members = "../x,database,fra,10.0.0.1:7400", .fact = "\"../x\" is no name for a member"},
    {.name = "a name of 32 characters", .members = "abcdefghijklmnopqrstuvwxyzabcdef,database,fra,10.0.0.1:7400", .fact = "is no name for a member"},
    {.name = "no name", .members = ",database,fra,10.0.0.1:7400", .fact = "\"\" is no name for a member"},
    {.name = "an unknown role", .members = "db1,databse,fra,10.0.0.1:7400", .fact = "\"databse\" is no role"},
    {.name = "an operator as member", .members = "db1,operator,fra,10.0.0.1:7400", .fact = "\"operator\" is no role"},
    {.name = "a site with a space in it", .members = "db1,database,f_ra!,10.0.0.1:7400", .fact = "\"f_ra!\" is no name for a site"},
    {.name = "no address", .members = "db1,database,fra", .fact = "does not tell the member in full"},
    {.name = "an option, but no address", .members = "db1,database,fra,priority=3", .fact = "does not tell the member in full"},
    {.name = "a host name", .members = "db1,database,fra,db1:7400", .fact = "\"db1:7400\" is no address"},
    {.name = "no port", .members = "db1,database,fra,10.0.0.1", .fact = "\"10.0.0.1\" is no address"},
    {.name = "too many addresses", .members = "db1,database,fra,10.0.0.1:1,10.0.0.1:2,10.0.0.1:3,10.0.0.1:4,10.0.0.1:5", .fact = "more than 4 addresses"},
    {.name = "an unknown option", .members = "db1,database,fra,10.0.0.1:7400,leese=3", .fact = "unknown option \"leese\""},
    {.name = "the member's name again", .members = "db1,database,fra,10.0.0.1:7400,member=x", .fact = "unknown option \"member\""},
    {.name = "an option twice", .members = "db1,database,fra,10.0.0.1:7400,priority=3,priority=4", .fact = "option \"priority\" is given twice"},
    {.name = "an open quote", .members = "db1,database,fra,10.0.0.1:7400,pg_hba='host", .fact = "a quote that is not closed"},
    {.name = "one name twice", .members = THREE " db1,database,fra,10.0.0.4:7400", .fact = "two members named \"db1\""},
    {.name = "the operator's name", .members = THREE " operator,observer,fra,10.0.0.4:7400", .fact = "is the operator's name too"},
    {.name = "one address twice", .members = THREE " db4,database,fra,10.0.0.1:7400,data=/d4,pg=10.0.0.1:5433", .fact = "10.0.0.1:7400 is used twice"},
    {.name = "one PostgreSQL twice", .members = THREE " db4,database,fra,10.0.0.1:7401,data=/d4", .fact = "10.0.0.1:5432 is used twice"},
    {.name = "one data directory twice", .members = THREE " db4,database,fra,10.0.0.1:7401,pg=10.0.0.1:5433", .fact = "would use one data directory"},
    {.name = "a witness with PostgreSQL", .members = THREE " wit2,witness,fra,10.0.0.4:7400,pg=10.0.0.4:5432", .fact = "but no database"},
    {.name = "no database", .members = "wit1,witness,fra,10.0.0.1:7400", .fact = "the cluster has no database"},
    {.name = "a primary that is none", .members = THREE, .primary = "wit1", .fact = "\"wit1\" is no database"},
    {.name = "a primary that is not there", .members = THREE, .primary = "db9", .fact = "\"db9\" is no database"},
    {.name = "a bad cluster name", .members = THREE, .cluster = "or ders", .fact = "\"or ders\" is no name for a cluster"},
    {.name = "no vote for a stranger", .members = THREE, .no_vote = "db9", .fact = "\"db9\" is no voter"},
    {.name = "rule sites in two sites", .members = "db1,database,fra,10.0.0.1:7400 db2,database,ams,10.0.0.2:7400", .sites = true, .fact = "the voters are in only 2 sites"},
    {.name = "ten voters", .members = THREE " a,witness,fra,1.1.1.1:1 b,witness,fra,1.1.1.1:2 c,witness,fra,1.1.1.1:3 d,witness,fra,1.1.1.1:4"
                                            " e,witness,fra,1.1.1.1:5 f,witness,fra,1.1.1.1:6 g,witness,fra,1.1.1.1:7", .fact = "the cluster has too many voters"},
    {.name = "a value out of range", .members = "db1,database,fra,10.0.0.1:7400,priority=100000", .fact = "priority=100000"},
    {.name = "a lease longer than agreed", .members = "db1,database,fra,10.0.0.1:7400,lease=30s", .fact = "\"lease\" is longer than the cluster allows"},
};
// clang-format on

START_TEST(refused_with_a_reason)
{
    const struct bad_row *row = &bad[_i];
    plan.out = folder;
    if (row->cluster != NULL)
        plan.cluster = row->cluster;
    plan.primary = row->primary;
    plan.rule_given = row->sites;
    plan.rule = RULE_SITES;
    if (row->no_vote != NULL)
        plan.no_vote[plan.n_no_vote++] = row->no_vote;
    bool good = members(row->members) && plan_check(&plan, &problem) && make_all(&made, &plan, &problem);
    EXPECT(!good, row);
    ck_assert_msg(strstr(problem.fact, row->fact) != NULL, "row \"%s\": the fact is \"%s\"", row->name,
                  problem.fact);
    ck_assert_msg(problem.detail[0] != '\0' || problem.hint[0] != '\0' ||
                      strstr(row->name, "twice") != NULL || strstr(row->name, "too many") != NULL,
                  "row \"%s\" gets neither detail nor hint", row->name);
    make_close(&made);
}
END_TEST

START_TEST(an_occupied_folder_is_left_alone)
{
    char file[96];
    ck_assert(make_target_free(folder, &problem));
    snprintf(file, sizeof file, "%s/x", folder);
    fclose(fopen(file, "w"));
    ck_assert(!make_target_free(folder, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "exists and is not empty"));
    ck_assert(problem.detail[0] != '\0' && problem.hint[0] != '\0');
}
END_TEST

/* ---- noticed ---- */

// clang-format off
static const struct notice_row {
    const char *name, *members, *notice;
} noticed[] = {
    {"three sites, three voters", THREE, NULL},
    {"two voters", "db1,database,fra,10.0.0.1:7400 db2,database,ams,10.0.0.2:7400", "an even number of voters (2)"},
    {"one site", "db1,database,fra,10.0.0.1:7400 db2,database,fra,10.0.0.2:7400 db3,database,fra,10.0.0.3:7400", "all voters are in one site"},
    {"one database", "db1,database,fra,10.0.0.1:7400 w1,witness,ams,10.0.0.2:7400 w2,witness,lux,10.0.0.3:7400", "only one database"},
    {"one voter", "db1,database,fra,10.0.0.1:7400", "only one voter"},
    {"a site that holds too many", "db1,database,fra,10.0.0.1:7400 db2,database,fra,10.0.0.2:7400 w1,witness,lux,10.0.0.3:7400", "without site \"fra\""},
    {"witnesses outvote", "db1,database,a,10.0.0.1:7400 db2,database,b,10.0.0.2:7400 w1,witness,c,10.0.0.3:7400 w2,witness,d,10.0.0.4:7400 w3,witness,e,10.0.0.5:7400", "the databases alone are no quorum"},
    {"even within a site", "db1,database,fra,10.0.0.1:7400 db2,database,fra,10.0.0.2:7400 db3,database,ams,10.0.0.3:7400 w1,witness,lux,10.0.0.4:7400", "site \"fra\" has an even number"},
};
// clang-format on

START_TEST(worth_a_notice)
{
    const struct notice_row *row = &noticed[_i];
    bool found = false;
    EXPECT(members(row->members) && plan_check(&plan, &problem), row);
    for (int i = 0; i < plan.n_notices; i++)
        found = found || (row->notice != NULL && strstr(plan.notices[i].fact, row->notice) != NULL);
    EXPECT(row->notice == NULL ? plan.n_notices == 0 : found, row);
}
END_TEST

/* ---- made ---- */

static struct folder *made_folder(const char *name, unsigned role)
{
    char path[256];
    snprintf(path, sizeof path, "%s/out/%s/node.conf", folder, name);
    struct folder *f = folder_open(path, 1u << role, &problem);
    ck_assert_msg(f != NULL, "%s: %s (%s)", name, problem.fact, problem.detail);
    return f;
}

static void make_cluster(void)
{
    static char out[96];
    snprintf(out, sizeof out, "%s/out", folder);
    plan.out = out;
    ck_assert_msg(members(THREE " app1,observer,fra,10.0.0.4:7400"), "%s", problem.fact);
    ck_assert(plan_set(&plan, "lease=900ms", &problem));
    ck_assert(plan_set(&plan, "pg_listen=127.0.0.1", &problem));
    ck_assert(plan_member_add(
        &plan,
        "db3,database,lux,[fd00::1]:7400,10.0.0.5:7400,pg=db3.example:6000,data=/srv/pg,"
        "pg_hba='host all all 10.0.0.0/8 scram-sha-256',pg_hba='local all all peer',pg.work_mem='8MB',lease=700ms",
        "db3", &problem));
    plan.primary = "db2";
    ck_assert_msg(plan_check(&plan, &problem), "%s", problem.fact);
    ck_assert_msg(make_all(&made, &plan, &problem), "%s (%s)", problem.fact, problem.detail);
    ck_assert_msg(make_write(&made, &plan, &problem), "%s (%s)", problem.fact, problem.detail);
}

START_TEST(folders_that_the_daemons_accept)
{
    make_cluster();
    static const struct {
        const char *name;
        unsigned role;
    } all[] = {{"db1", ROLE_DATABASE},
               {"db2", ROLE_DATABASE},
               {"db3", ROLE_DATABASE},
               {"wit1", ROLE_WITNESS},
               {"app1", ROLE_OBSERVER}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct folder *f = made_folder(all[i].name, all[i].role);
        ck_assert_int_eq(f->config.core.lease_ms, strcmp(all[i].name, "db3") == 0 ? 700 : 900);
        folder_close(&f);
    }
    make_close(&made);
}
END_TEST

START_TEST(a_member_has_what_was_asked_for)
{
    make_cluster();
    struct folder *f = made_folder("db3", ROLE_DATABASE);
    ck_assert_str_eq(f->config.data_dir, "/srv/pg");
    ck_assert_int_eq(f->config.pg_port, 6000);
    ck_assert_str_eq(f->config.pg_listen, "127.0.0.1");
    ck_assert_int_eq(f->config.n_hba, 2);
    ck_assert_str_eq(f->config.hba[0], "host all all 10.0.0.0/8 scram-sha-256");
    ck_assert_int_eq(f->config.n_parameters, 1);
    ck_assert_str_eq(f->config.parameters[0].value, "8MB");
    ck_assert_int_eq(f->self->n_mesh, 2);
    ck_assert_str_eq(f->self->pg.host, "db3.example");
    folder_close(&f);
    make_close(&made);
}
END_TEST

START_TEST(the_first_record)
{
    make_cluster();
    const struct record *r = &made.cluster.first;
    const char *why = "";
    ck_assert_msg(record_valid(r, &why), "%s", why);
    ck_assert_uint_eq(r->term, 1);
    ck_assert_uint_eq(r->timeline, 0);
    ck_assert_uint_eq(r->system_id, 0);
    ck_assert_int_eq(r->voters.n, 4);
    ck_assert_int_eq(r->n_databases, 3);
    ck_assert_int_eq(r->durability, DURABILITY_SYNC);
    ck_assert_int_eq(r->sync[0].n, 0);
    ck_assert_uint_eq(r->lease_ms_max, 3000);
    ck_assert_str_eq(cluster_member_name(&made.cluster, r->primary), "db2");
    ck_assert(r->primary_dir != 0);
    ck_assert_int_eq(r->voters.rule, quorum_default_rule(&r->voters));
    make_close(&made);
}
END_TEST

static void loaded_store(const char *name, struct durable *d)
{
    static uint8_t bytes[DURABLE_MAX];
    struct store store;
    char path[256];
    size_t n;
    snprintf(path, sizeof path, "%s/out/%s/state", folder, name);
    ck_assert_msg(store_open(&store, path, &problem), "%s", problem.fact);
    ck_assert_int_eq(store_load(&store, bytes, sizeof bytes, &n, &problem), STORE_GOOD);
    ck_assert(wire_get_durable(d, bytes, n));
    store_close(&store);
}

START_TEST(a_store_to_begin_with)
{
    static struct durable d;
    make_cluster();
    loaded_store("db2", &d);
    ck_assert(d.dir == made.cluster.first.primary_dir);
    ck_assert_uint_eq(d.counter, 0);
    ck_assert_uint_eq(d.lease_ms_max, 3000);
    ck_assert_mem_eq(d.decided.proposal.record.nonce, made.cluster.first.nonce, 16);
    loaded_store("db1", &d);
    ck_assert(d.dir == 0);
    ck_assert(!d.lost);
    make_close(&made);
}
END_TEST

// clang-format off
static const struct mode_row {
    const char *name;
    int mode; /* -1: must not be there */
} modes[] = {
    {"root.key", 0600},           {"db1/member.key", 0600},  {"db1/pg.pass", 0600},   {"db1/state", 0700},
    {"wit1/member.key", 0600},    {"wit1/pg.pass", -1},      {"app1/pg.pass", 0600},  {"operator/operator.key", 0600},
    {"operator/member.key", -1},  {"operator/pgmesh.conf", 0644}, {"db1/node.conf", 0644}, {"db1/cluster", 0644},
};
// clang-format on

START_TEST(secrets_are_secret)
{
    char path[256];
    struct stat st;
    umask(022);
    make_cluster();
    for (int i = 0; i < ROWS(modes); i++) {
        snprintf(path, sizeof path, "%s/out/%s", folder, modes[i].name);
        int got = stat(path, &st) == 0 ? (int)(st.st_mode & 0777) : -1;
        EXPECT_INT(got, modes[i].mode, &modes[i]);
    }
    make_close(&made);
}
END_TEST

START_TEST(two_clusters_of_one_name_are_two)
{
    struct cluster_id first;
    make_cluster();
    first = made.cluster.id;
    make_close(&made);
    ck_assert(make_all(&made, &plan, &problem));
    ck_assert_mem_ne(first.b, made.cluster.id.b, CLUSTER_ID_SIZE);
    make_close(&made);
}
END_TEST

START_TEST(a_failed_write_leaves_nothing)
{
    char blocked[128];
    make_cluster();
    ck_assert(!make_write(&made, &plan, &problem)); /* OUT is there by now */
    ck_assert_ptr_nonnull(strstr(problem.fact, "cannot give the folder its name"));
    snprintf(blocked, sizeof blocked, "%s.partial-%d", plan.out, (int)getpid());
    ck_assert_int_ne(access(blocked, F_OK), 0);
    make_close(&made);
}
END_TEST

START_TEST(members_from_a_file)
{
    char path[96];
    snprintf(path, sizeof path, "%s/members", folder);
    FILE *f = fopen(path, "w");
    fputs("# the databases\n  db1,database,fra,10.0.0.1:7400  \n\nwit1,witnes,lux,10.0.0.2:7400\n", f);
    fclose(f);
    ck_assert(!plan_members_file(&plan, path, &problem));
    ck_assert_int_eq(plan.n_members, 1);
    ck_assert_str_eq(plan.members[0].name, "db1");
    ck_assert_msg(strstr(problem.fact, "members:4: \"witnes\" is no role") != NULL, "%s", problem.fact);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("init");
    TCase *t = suite_case(suite, "init");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, refused_with_a_reason, 0, ROWS(bad));
    tcase_add_loop_test(t, worth_a_notice, 0, ROWS(noticed));
    tcase_add_test(t, an_occupied_folder_is_left_alone);
    tcase_add_test(t, folders_that_the_daemons_accept);
    tcase_add_test(t, a_member_has_what_was_asked_for);
    tcase_add_test(t, the_first_record);
    tcase_add_test(t, a_store_to_begin_with);
    tcase_add_test(t, secrets_are_secret);
    tcase_add_test(t, two_clusters_of_one_name_are_two);
    tcase_add_test(t, a_failed_write_leaves_nothing);
    tcase_add_test(t, members_from_a_file);
    return suite_run(suite);
}
