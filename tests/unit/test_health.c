/* What load balancers are told, from what a member says. */
// LINK: mesh/http/health.c mesh/http/watch.c mesh/http/token.c
#include "mesh/http/health.h"
#include "mesh/http/token.h"
#include "mesh/http/watch.h"
#include "mesh/io/json.h"
#include "mesh/io/keys.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

/* A cluster of two databases and a witness, as `self` sees it; `change` is merged over it, `member` over db2. */
static json_t *answer_of(const char *self, const char *change, const char *db1, const char *db2)
{
    json_t *j = json_loads(
        "{\"cluster\":\"orders\",\"term\":3,\"primary\":\"db1\",\"verdict\":\"alive\",\"healthy\":true,"
        "\"sync\":{\"k\":1,\"members\":[\"db2\"]},\"voters\":[\"db1\",\"db2\",\"wit1\"],\"members\":["
        "{\"id\":1,\"name\":\"db1\",\"role\":\"database\",\"state\":\"up\",\"heard_ms\":10,\"postgres\":"
        "\"primary\",\"ready\":true,\"timeline\":3},"
        "{\"id\":2,\"name\":\"db2\",\"role\":\"database\",\"state\":\"up\",\"heard_ms\":10,\"postgres\":"
        "\"recovery\",\"streaming\":true,\"lag_bytes\":1000,\"lag_ms\":20,\"timeline\":3},"
        "{\"id\":3,\"name\":\"wit1\",\"role\":\"witness\",\"state\":\"up\",\"postgres\":\"none\"}]}",
        0, NULL);
    json_t *members = json_object_get(j, "members");
    json_object_set_new(j, "self", json_string(self));
    json_t *c = json_loads(change, 0, NULL), *one = json_loads(db1, 0, NULL), *two = json_loads(db2, 0, NULL);
    ck_assert_msg(c != NULL && one != NULL && two != NULL, "a row is no JSON");
    json_object_update(j, c);
    json_object_update(json_array_get(members, 0), one);
    json_object_update(json_array_get(members, 1), two);
    json_decref(c);
    json_decref(one);
    json_decref(two);
    return j;
}

static const struct check_row {
    const char *name, *self;
    enum health_check check;
    long long lease_left_ms;
    const char *lag, *change, *db1, *db2;
    bool good;
} check_rows[] = {
    {"the primary holds its lease", "db1", HEALTH_PRIMARY, 400, NULL, "{}", "{}", "{}", true},
    {"its lease ended", "db1", HEALTH_PRIMARY, 0, NULL, "{}", "{}", "{}", false},
    {"it is not ready", "db1", HEALTH_PRIMARY, 400, NULL, "{}", "{\"ready\":false}", "{}", false},
    {"it still promotes", "db1", HEALTH_PRIMARY, 400, NULL, "{}", "{\"postgres\":\"promoting\"}", "{}",
     false},
    {"the record names another", "db1", HEALTH_PRIMARY, 400, NULL, "{\"primary\":\"db2\"}", "{}", "{}",
     false},
    {"a standby is no primary", "db2", HEALTH_PRIMARY, 400, NULL, "{}", "{}", "{}", false},
    {"a witness is no primary", "wit1", HEALTH_PRIMARY, 400, NULL, "{}", "{}", "{}", false},
    {"a standby is a replica", "db2", HEALTH_REPLICA, 0, NULL, "{}", "{}", "{}", true},
    {"the primary is no replica", "db1", HEALTH_REPLICA, 400, NULL, "{}", "{}", "{}", false},
    {"a fallen primary is none either", "db1", HEALTH_REPLICA, 0, NULL, "{}", "{\"postgres\":\"down\"}", "{}",
     false},
    {"near enough in bytes", "db2", HEALTH_REPLICA, 0, "1000", "{}", "{}", "{}", true},
    {"too far in bytes", "db2", HEALTH_REPLICA, 0, "999", "{}", "{}", "{}", false},
    {"its lag is not known", "db2", HEALTH_REPLICA, 0, "1GB", "{}", "{}", "{\"lag_bytes\":null}", false},
    {"the primary was last heard long ago", "db2", HEALTH_REPLICA, 0, "1GB", "{}", "{\"heard_ms\":6000}",
     "{}", false},
    {"that matters with a limit only", "db2", HEALTH_REPLICA, 0, NULL, "{}", "{\"heard_ms\":6000}", "{}",
     true},
    {"a standby being rebuilt", "db2", HEALTH_REPLICA, 0, NULL, "{}", "{}", "{\"postgres\":\"busy\"}", false},
    {"read-only: the primary", "db1", HEALTH_READ_ONLY, 400, NULL, "{}", "{}", "{}", true},
    {"read-only: not without the lease", "db1", HEALTH_READ_ONLY, 0, NULL, "{}", "{}", "{}", false},
    {"read-only: a standby", "db2", HEALTH_READ_ONLY, 0, NULL, "{}", "{}", "{}", true},
    {"no standby leader", "db1", HEALTH_STANDBY_LEADER, 400, NULL, "{}", "{}", "{}", false},
    {"in the sync set", "db2", HEALTH_SYNC, 0, NULL, "{}", "{}", "{}", true},
    {"in the sync set, so not async", "db2", HEALTH_ASYNC, 0, NULL, "{}", "{}", "{}", false},
    {"not in the sync set", "db2", HEALTH_ASYNC, 0, NULL, "{\"sync\":{\"k\":1,\"members\":[]}}", "{}", "{}",
     true},
    {"PostgreSQL runs", "db2", HEALTH_RUNNING, 0, NULL, "{}", "{}", "{}", true},
    {"PostgreSQL is down", "db2", HEALTH_RUNNING, 0, NULL, "{}", "{}", "{\"postgres\":\"down\"}", false},
    {"a witness has none", "wit1", HEALTH_RUNNING, 0, NULL, "{}", "{}", "{}", true},
    {"ready: the primary", "db1", HEALTH_READINESS, 400, NULL, "{}", "{}", "{}", true},
    {"ready: a standby that streams", "db2", HEALTH_READINESS, 0, NULL, "{}", "{}", "{}", true},
    {"not ready: it does not", "db2", HEALTH_READINESS, 0, NULL, "{}", "{}", "{\"streaming\":false}", false},
    {"ready: a witness that sees the primary", "wit1", HEALTH_READINESS, 0, NULL, "{}", "{}", "{}", true},
    {"not ready: it does not see it", "wit1", HEALTH_READINESS, 0, NULL, "{}", "{\"state\":\"silent\"}", "{}",
     false},
    {"alive", "wit1", HEALTH_LIVENESS, 0, NULL, "{}", "{}", "{}", true},
    {"an answer without members", "db1", HEALTH_PRIMARY, 400, NULL, "{\"members\":[]}", "{}", "{}", false},
    {"an answer of nothing", "db1", HEALTH_RUNNING, 400, NULL, "{\"members\":null,\"primary\":7}", "{}", "{}",
     false},
};

START_TEST(checks)
{
    const struct check_row *row = &check_rows[_i];
    struct health_limits limits = {row->lag != NULL ? health_bytes(row->lag) : -1, -1};
    json_t *j = answer_of(row->self, row->change, row->db1, row->db2);
    struct view v;
    view_read(&v, j);
    EXPECT_INT(health_good(row->check, &v, row->lease_left_ms, &limits), row->good, row);
    json_decref(j);
}
END_TEST

static const struct state_row {
    const char *name, *change, *db1, *db2;
    long long since_ms;
    enum health_state state;
} state_rows[] = {
    {"all is well", "{}", "{}", "{}", -1, STATE_HEALTHY},
    {"long after a failover", "{}", "{}", "{}", 600000, STATE_HEALTHY},
    {"just after a failover", "{}", "{}", "{}", 5000, STATE_FAILOVER_COMPLETE},
    {"a standby is silent", "{\"healthy\":false}", "{}", "{\"state\":\"silent\"}", -1, STATE_DEGRADED},
    {"a standby is off", "{\"healthy\":false}", "{}", "{\"postgres\":\"down\",\"streaming\":false}", -1,
     STATE_DEGRADED},
    {"a standby is being copied", "{\"healthy\":false}", "{}", "{\"postgres\":\"busy\",\"streaming\":false}",
     5000, STATE_RECOVERY_IN_PROGRESS},
    {"a standby catches up", "{\"healthy\":false}", "{}", "{\"streaming\":false}", -1,
     STATE_RECOVERY_IN_PROGRESS},
    {"the primary is gone", "{\"verdict\":\"gone\",\"healthy\":false}", "{\"state\":\"silent\"}", "{}", -1,
     STATE_FAILOVER_IN_PROGRESS},
    {"it gave the term up", "{\"verdict\":\"released\",\"healthy\":false}", "{\"ready\":false}", "{}", -1,
     STATE_FAILOVER_IN_PROGRESS},
    {"the new one promotes", "{\"healthy\":false}", "{\"ready\":false,\"postgres\":\"promoting\"}", "{}", 10,
     STATE_FAILOVER_IN_PROGRESS},
    {"we are cut off", "{\"verdict\":\"unknown\",\"healthy\":false}", "{\"state\":\"silent\"}", "{}", -1,
     STATE_UNKNOWN},
    {"the first start", "{\"term\":1,\"verdict\":\"unknown\",\"healthy\":false}",
     "{\"ready\":false,\"postgres\":\"absent\"}", "{}", -1, STATE_UNKNOWN},
};

START_TEST(states)
{
    const struct state_row *row = &state_rows[_i];
    json_t *j = answer_of("wit1", row->change, row->db1, row->db2);
    struct view v;
    view_read(&v, j);
    EXPECT_TEXT(health_state_name(health_state(&v, row->since_ms)), health_state_name(row->state), row);
    json_decref(j);
}
END_TEST

static const struct quantity_row {
    const char *name, *text;
    bool time;
    long long value;
} quantity_rows[] = {
    {"bytes", "1048576", false, 1048576},
    {"megabytes", "10MB", false, 10485760},
    {"small letters", "2kb", false, 2048},
    {"none", "0", false, 0},
    {"nothing", "", false, -1},
    {"a sign", "-1", false, -1},
    {"another unit", "5parsec", false, -1},
    {"words", "ten", false, -1},
    {"a point", "1.5MB", false, -1},
    {"too much", "99999999999999999999", false, -1},
    {"too much by its unit", "1125899906842624TB", false, -1},
    {"milliseconds", "500", true, 500},
    {"seconds", "2s", true, 2000},
    {"bytes are no time", "2kB", true, -1},
};

START_TEST(quantities)
{
    const struct quantity_row *row = &quantity_rows[_i];
    EXPECT_INT(row->time ? health_ms(row->text) : health_bytes(row->text), row->value, row);
}
END_TEST

START_TEST(watched)
{
    struct watch w = {0};
    struct view v;
    json_t *good = answer_of("wit1", "{}", "{}", "{}"),
           *bad = answer_of("wit1", "{}", "{}", "{\"state\":\"silent\"}");
    view_read(&v, good);
    watch_look(&w, &v, 1000);
    view_read(&v, bad);
    for (int i = 0; i < 3; i++)
        watch_look(&w, &v, 2000 + i);
    const struct watch_database *d = watch_find(&w, "db2");
    ck_assert(d != NULL && !d->healthy && d->failures == 3 && d->failures_total == 3);
    ck_assert_int_eq(d->down_since_us, 2000);
    ck_assert_int_eq(d->seen_us, 1000);
    ck_assert(watch_find(&w, "db1")->healthy && watch_find(&w, "wit1") == NULL);
    watch_look(&w, NULL, 3000);
    ck_assert_uint_eq(w.unanswered, 1);
    view_read(&v, good);
    watch_look(&w, &v, 4000);
    ck_assert(d->healthy && d->failures == 0 && d->failures_total == 3 && d->down_since_us == 0);
    ck_assert_uint_eq(w.recoveries, 1);
    json_decref(good);
    json_decref(bad);
}
END_TEST

/* SHA-256 of "a-token-that-is-long-enough" */
#define HASH "8c5e8f1b04ce6d7ef6bd3de4ee5b8f52b6d1b7dd1a1cf7b21d8a0c3b5f4e9d10"
static const struct token_row {
    const char *name, *text;
    int n; /* -1: refused */
} token_rows[] = {
    {"empty", "", 0},
    {"a comment", "# nobody\n\n", 0},
    {"one", "alice:operator:" HASH "\n", 1},
    {"two, without a last newline", "alice:operator:" HASH "\nbob:viewer:" HASH, 2},
    {"with a carriage return", "alice:admin:" HASH "\r\n", 1},
    {"twice the same", "alice:operator:" HASH "\nalice:viewer:" HASH "\n", -1},
    {"no role", "alice:" HASH "\n", -1},
    {"another role", "alice:root:" HASH "\n", -1},
    {"half a role", "alice:oper:" HASH "\n", -1},
    {"no name", ":operator:" HASH "\n", -1},
    {"a name with a space", "a b:operator:" HASH "\n", -1},
    {"a short hash", "alice:operator:8c5e\n", -1},
    {"the token itself", "alice:operator:a-token-that-is-long-enough\n", -1},
    {"garbage", "\x01\xff\n", -1},
    {"by certificate", "alice:operator:cert\n", 1},
    {"by either", "alice:operator:cert\nalice:viewer:" HASH "\n", 2},
    {"twice by certificate", "alice:operator:cert\nalice:admin:cert\n", -1},
    {"nearly by certificate", "alice:operator:certs\n", -1},
};

START_TEST(token_files)
{
    const struct token_row *row = &token_rows[_i];
    struct tokens tokens;
    struct problem err = {.fact = ""};
    bool good = token_parse(row->text, "tokens", &tokens, &err);
    EXPECT_INT(good ? tokens.n : -1, row->n, row);
    EXPECT(good || (err.fact[0] && err.hint[0]), row);
}
END_TEST

START_TEST(token_search)
{
    struct tokens tokens = {
        .n = 2, .of = {{.name = "alice", .role = TOKEN_ADMIN}, {.name = "bob", .role = TOKEN_VIEWER}}};
    keys_begin();
    keys_sha256(tokens.of[0].hash, "correct-horse-battery", 21);
    keys_sha256(tokens.of[1].hash, "another-long-token-too", 22);
    ck_assert_str_eq(token_find(&tokens, "another-long-token-too")->name, "bob");
    ck_assert_str_eq(token_find(&tokens, "correct-horse-battery")->name, "alice");
    ck_assert_ptr_null(token_find(&tokens, "correct-horse-batterx"));
    ck_assert_ptr_null(token_find(&tokens, "correct-horse-battery "));
    ck_assert_ptr_null(token_find(&tokens, ""));
    ck_assert_ptr_null(token_of_certificate(&tokens, "alice"));
    tokens.of[0].certificate = true; /* no token is hers any more */
    ck_assert_str_eq(token_of_certificate(&tokens, "alice")->name, "alice");
    ck_assert_ptr_null(token_find(&tokens, "correct-horse-battery"));
    ck_assert_ptr_null(token_of_header(NULL));
    ck_assert_ptr_null(token_of_header("Basic YWxpY2U6eA=="));
    ck_assert_ptr_null(token_of_header("Bearer"));
    ck_assert_str_eq(token_of_header("bearer  abc"), "abc");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health");
    tcase_add_loop_test(suite_case(suite, "checks"), checks, 0, ROWS(check_rows));
    tcase_add_loop_test(suite_case(suite, "states"), states, 0, ROWS(state_rows));
    tcase_add_loop_test(suite_case(suite, "quantities"), quantities, 0, ROWS(quantity_rows));
    tcase_add_test(suite_case(suite, "watch"), watched);
    TCase *tokens = suite_case(suite, "tokens");
    tcase_add_loop_test(tokens, token_files, 0, ROWS(token_rows));
    tcase_add_test(tokens, token_search);
    return suite_run(suite);
}
