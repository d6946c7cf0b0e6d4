/* What pgmesh recover makes of a survey: who votes from now on, who has the most WAL, whether commits may be missing; and what
 * a member refuses to take. */
// LINK: mesh/inspect/recover_judge.c mesh/inspect/output.c
#define _GNU_SOURCE
#include "mesh/inspect/recover.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

enum { DB1 = 1, DB2, DB3, WIT1, WIT2, APP1, MEMBERS = APP1 };

static struct recovery r;
static struct inspect x;
static char *complained;
static size_t complained_len;

/* Bits: member i + 1. */
struct seen {
    unsigned heard, lost, more;
    lsn_t lsn[MEMBERS + 1];
};

static void member(int id, const char *name, enum role role)
{
    struct cluster_member *m = &r.cluster.members[r.cluster.n++];
    m->member.id = (member_id)id;
    strcpy(m->member.name, name);
    strcpy(m->member.site, "here");
    m->member.role = role;
    m->member.key[0] = (uint8_t)id;
}

static void make(void)
{
    struct record *f = &r.cluster.first;
    memset(&r, 0, sizeof r);
    x.out =
        (struct output){.to = stdout, .errors = open_memstream(&complained, &complained_len), .width = 200};
    r.x = &x;
    strcpy(r.cluster.name, "orders");
    member(DB1, "db1", ROLE_DATABASE);
    member(DB2, "db2", ROLE_DATABASE);
    member(DB3, "db3", ROLE_DATABASE);
    member(WIT1, "wit1", ROLE_WITNESS);
    member(WIT2, "wit2", ROLE_WITNESS);
    member(APP1, "app1", ROLE_OBSERVER);
    *f = (struct record){.nonce = {7},
                         .version = 6,
                         .term = 3,
                         .primary = DB1,
                         .primary_dir = 101,
                         .timeline = 5,
                         .durability = DURABILITY_SYNC,
                         .sync = {{.k = 1, .n = 2, .m = {{DB2, 102}, {DB3, 103}}}},
                         .n_databases = 3,
                         .databases = {DB1, DB2, DB3},
                         .lease_ms_max = 3000,
                         .system_id = 9,
                         .n_history = 1,
                         .history = {{5, 0, 3}}};
    for (int id = DB1; id <= WIT2; id++) {
        struct voter *v = &f->voters.v[f->voters.n++];
        v->id = (member_id)id;
        v->key[0] = (uint8_t)id;
        strcpy(v->site, "here");
    }
}

static void survey(const struct seen *s)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    static char hex[2 * FRAME_BODY_MAX + 1], id[2 * CLUSTER_ID_SIZE + 1], dir[20];
    static struct certificate cert;
    json_t *members = json_array();
    cert.proposal.record = r.cluster.first;
    hex_put(hex, bytes, wire_put_decided(bytes, &cert));
    hex_put(id, r.cluster.id.b, sizeof r.cluster.id.b);
    for (int i = 0; i < MEMBERS; i++) {
        bool database = i < DB3;
        snprintf(dir, sizeof dir, "%016x", 101 + i);
        json_array_append_new(
            members,
            json_pack("{s:s,s:b,s:b,s:b,s:i,s:s,s:i,s:I,s:I}", "name", r.cluster.members[i].member.name,
                      "heard", (int)(s->heard >> i & 1), "store_lost", (int)(s->lost >> i & 1), "knows_more",
                      (int)(s->more >> i & 1), "heard_ms", 9000, "dir", database ? dir : "0", "timeline",
                      database ? 5 : 0, "lsn", (json_int_t)(database ? s->lsn[i + 1] : 0), "wal_term",
                      (json_int_t)(database ? 3 : 0)));
    }
    r.survey = json_pack("{s:s,s:s,s:s,s:s,s:b,s:i,s:o}", "cluster", "orders", "cluster_id", id, "self",
                         "db3", "record", hex, "undecided", 0, "epoch", 0, "members", members);
}

#define BIT(id) (1u << ((id)-1))
enum { TWO = BIT(DB2) | BIT(DB3), LAST = BIT(DB3), NEAR = BIT(DB1) | BIT(WIT1) };

static void as_it_is(void)
{
}
static void loss(void)
{
    r.loss = true;
}
static void loss_to_db2(void)
{
    r.loss = true, r.to = "db2";
}
static void dry(void)
{
    r.dry = true;
}
static void async(void)
{
    r.cluster.first.durability = DURABILITY_ASYNC;
}
static void named(void)
{
    r.voters = "db3";
}
static void observer(void)
{
    r.voters = "db3,app1";
}
static void silent(void)
{
    r.voters = "db3,wit1";
}
static void unknown(void)
{
    r.voters = "db9";
}
static void unborn(void)
{
    r.cluster.first.system_id = 0;
}
static void another(void)
{
    r.cluster.id.b[0] ^= 1;
}

static const struct row {
    const char *name;
    struct seen seen;
    void (*edit)(void);
    int code;
    const char *says, *voters, *most, *primary;
    bool complete;
} rows[] = {
    {"both standbys are left",
     {TWO, 0, 0, {0, 90, 80, 70}},
     as_it_is,
     EXIT_OK,
     "",
     "db2 db3",
     "db2",
     "",
     true},
    {"one standby is left",
     {LAST, 0, 0, {0, 90, 80, 70}},
     as_it_is,
     EXIT_REFUSED,
     "may be missing",
     "",
     "",
     "",
     false},
    {"one is left, and looked at",
     {LAST, 0, 0, {0, 90, 80, 70}},
     dry,
     EXIT_OK,
     "",
     "db3",
     "db3",
     "db3",
     false},
    {"one is left, the loss accepted",
     {LAST, 0, 0, {0, 90, 80, 70}},
     loss,
     EXIT_OK,
     "",
     "db3",
     "db3",
     "db3",
     false},
    {"whose data counts is chosen",
     {TWO, 0, 0, {0, 90, 70, 80}},
     loss_to_db2,
     EXIT_OK,
     "",
     "db2 db3",
     "db3",
     "db2",
     true},
    {"the primary itself is left",
     {NEAR, 0, 0, {0, 90, 80, 70}},
     as_it_is,
     EXIT_OK,
     "",
     "db1 wit1",
     "db1",
     "",
     true},
    {"async: nothing is proven, nothing asked",
     {LAST, 0, 0, {0, 90, 80, 70}},
     async,
     EXIT_OK,
     "",
     "db3",
     "db3",
     "",
     true},
    {"one without its store does not vote",
     {TWO, BIT(DB2), 0, {0, 90, 80, 70}},
     as_it_is,
     EXIT_OK,
     "",
     "db3",
     "db2",
     "",
     true},
    {"one of those left is named", {TWO, 0, 0, {0, 90, 80, 70}}, named, EXIT_OK, "", "db3", "db2", "", true},
    {"an observer is named",
     {TWO, 0, 0, {0, 90, 80, 70}},
     observer,
     EXIT_UNKNOWN,
     "cannot vote",
     "",
     "",
     "",
     false},
    {"a silent one is named",
     {TWO, 0, 0, {0, 90, 80, 70}},
     silent,
     EXIT_REFUSED,
     "cannot vote",
     "",
     "",
     "",
     false},
    {"a stranger is named",
     {TWO, 0, 0, {0, 90, 80, 70}},
     unknown,
     EXIT_UNKNOWN,
     "no such member",
     "",
     "",
     "",
     false},
    {"another knows more",
     {TWO, 0, BIT(DB2), {0, 90, 80, 70}},
     as_it_is,
     EXIT_STALE,
     "db2 knows a later record",
     "",
     "",
     "",
     false},
    {"no database is left",
     {BIT(WIT1) | BIT(WIT2), 0, 0, {0, 90, 80, 70}},
     loss,
     EXIT_REFUSED,
     "no database is left",
     "",
     "",
     "",
     false},
    {"no store is left",
     {TWO, TWO, 0, {0, 90, 80, 70}},
     loss,
     EXIT_REFUSED,
     "no voter is left",
     "",
     "",
     "",
     false},
    {"there was never data",
     {TWO, 0, 0, {0, 90, 80, 70}},
     unborn,
     EXIT_REFUSED,
     "no data yet",
     "",
     "",
     "",
     false},
    {"another cluster answers",
     {TWO, 0, 0, {0, 90, 80, 70}},
     another,
     EXIT_OTHER_CLUSTER,
     "another cluster",
     "",
     "",
     "",
     false},
};

START_TEST(judged)
{
    const struct row *row = &rows[_i];
    char voters[VOTERS_MAX * NAME_SIZE] = "";
    make();
    bool later = row->edit == another;
    if (!later)
        row->edit();
    survey(&row->seen);
    if (later)
        row->edit();
    int code = recover_judge(&r);
    fclose(x.out.errors);
    EXPECT_INT(code, row->code, row);
    ck_assert_msg(strstr(complained, row->says) != NULL, "row \"%s\": it says \"%s\"", row->name, complained);
    if (code != EXIT_OK)
        return;
    for (int i = 0; i < r.left.n; i++) {
        strcat(voters, i ? " " : "");
        strcat(voters, cluster_member_name(&r.cluster, r.left.v[i].id));
    }
    EXPECT_TEXT(voters, row->voters, row);
    EXPECT_TEXT(r.most->m->member.name, row->most, row);
    EXPECT_TEXT(r.primary ? r.primary->m->member.name : "", row->primary, row);
    EXPECT_INT(r.complete, row->complete, row);
    json_decref(r.survey);
}
END_TEST

static void look(const struct seen *s)
{
    make();
    r.dry = true;
    survey(s);
    ck_assert_int_eq(recover_judge(&r), EXIT_OK);
    fclose(x.out.errors);
    free(complained);
}

START_TEST(who_is_silent_and_how_much_is_missing)
{
    look(&(struct seen){LAST, 0, 0, {0, 90, 80, 70}});
    ck_assert_str_eq(recover_silent(&r), "db1,db2,wit1,wit2");
    ck_assert_int_eq(r.behind, 20);
    ck_assert(!r.majority);
    json_decref(r.survey);
    look(&(struct seen){NEAR | BIT(DB3), 0, 0, {0, 90, 80, 70}});
    ck_assert(r.majority);
    json_decref(r.survey);
    look(&(struct seen){NEAR | BIT(DB3), BIT(WIT1), 0, {0, 90, 80, 70}}); /* one of them without a store */
    ck_assert(!r.majority);
    json_decref(r.survey);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recover");
    TCase *tcase = suite_case(suite, "judged");
    tcase_add_loop_test(tcase, judged, 0, ROWS(rows));
    tcase_add_test(tcase, who_is_silent_and_how_much_is_missing);
    return suite_run(suite);
}
