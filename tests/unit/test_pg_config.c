/* PostgreSQL's configuration as pgmesh owns it: names, ownership, texts. */
// LINK: node/pg_config.c
#include "node/hand.h"
#include "node/pg_config.h"
#include "tests/unit/suite.h"

#include <string.h>

static struct config config;
static char text[PG_CONFIG_TEXT];
static const struct hand_member members[] = {
    {.id = 1, .name = "db-1", .pg = {"10.0.0.1", 5432}},
    {.id = 2,
     .name = "db-2",
     .pg = {"10.0.0.2", 5433},
     .n_mesh = 2,
     .mesh = {{"10.0.0.2", 7400}, {"fd00::2", 7400}}},
    {.id = 3, .name = "db-3", .pg = {"db3.example", 5432}, .n_mesh = 1, .mesh = {{"10.9.0.3", 7400}}}};

static void set_up(void)
{
    config_default(&config);
    strcpy(config.member, "db-1");
    strcpy(config.data_dir, "/srv/it's/data");
}

/* The last line that sets a parameter, as PostgreSQL would take it. */
static const char *setting(const char *name)
{
    static char value[2048];
    size_t n = strlen(name);
    value[0] = '\0';
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, name, n) == 0 && strncmp(line + n, " = ", 3) == 0)
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line + n + 3, "\n"), line + n + 3);
    return value;
}

static void write_text(const struct pg_config_state *s)
{
    ck_assert_uint_gt(pg_config_text(text, sizeof text, &config, 1, s, members, 3), 0);
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const struct application_row {
    const char *name, *text;
    bool good;
    const char *member;
    dir_id dir;
} application_rows[] = {
    {"plain", "pgmesh_db-1_00000000000000a1", true, "db-1", 0xa1},
    {"underscores in the name", "pgmesh_a_b_ffffffffffffffff", true, "a_b", UINT64_MAX},
    {"no directory", "pgmesh_db-1", false, "", 0},
    {"directory too short", "pgmesh_db-1_00a1", false, "", 0},
    {"capitals", "pgmesh_db-1_00000000000000A1", false, "", 0},
    {"no member", "pgmesh_00000000000000a1", false, "", 0},
    {"somebody else's", "walreceiver", false, "", 0},
    {"a name too long", "pgmesh_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_00000000000000a1", false, "", 0},
};

START_TEST(application_names)
{
    const struct application_row *row = &application_rows[_i];
    char member[NAME_SIZE] = "", again[PG_APPLICATION_SIZE];
    dir_id dir = 0;
    EXPECT_INT(pg_config_parse_application(row->text, member, &dir), row->good, row);
    if (!row->good)
        return;
    EXPECT_TEXT(member, row->member, row);
    EXPECT(dir == row->dir, row);
    pg_config_application(again, member, dir);
    EXPECT_TEXT(again, row->text, row);
}
END_TEST

START_TEST(longest_application_name_fits_postgresql)
{
    char out[PG_APPLICATION_SIZE];
    pg_config_application(out, "abcdefghijklmnopqrstuvwxyzabcde", UINT64_MAX);
    ck_assert_uint_lt(strlen(out), 63);
}
END_TEST

START_TEST(names_of_a_set)
{
    char out[PG_NAMES_SIZE];
    struct pg_config_state s = {.sync = {.k = 1, .n = 2, .m = {{2, 0xb}, {3, 0xc}}}};
    ck_assert(pg_config_names(out, &s, members, 3));
    ck_assert_str_eq(out, "ANY 1 (\"pgmesh_db-2_000000000000000b\", \"pgmesh_db-3_000000000000000c\")");
    s.nobody = true;
    ck_assert(pg_config_names(out, &s, members, 3));
    ck_assert_str_eq(out, "ANY 1 (\"" PG_NOBODY "\")");
    s = (struct pg_config_state){.sync = {0}};
    ck_assert(pg_config_names(out, &s, members, 3));
    ck_assert_str_eq(out, "");
    s = (struct pg_config_state){.sync = {.k = 1, .n = 1, .m = {{9, 1}}}};
    ck_assert(!pg_config_names(out, &s, members, 3));
}
END_TEST

/* ---- texts ---------------------------------------------------------------------------------------------------------- */

START_TEST(a_follower_names_itself_and_its_upstream)
{
    write_text(&(struct pg_config_state){.nobody = true, .dir = 0xa1, .upstream = &members[1]});
    const char *info = setting("primary_conninfo");
    ck_assert_ptr_nonnull(strstr(info, "host=''10.0.0.2''"));
    ck_assert_ptr_nonnull(strstr(info, "port=''5433''"));
    ck_assert_ptr_nonnull(strstr(info, "application_name=''pgmesh_db-1_00000000000000a1''"));
    ck_assert_ptr_nonnull(strstr(info, "passfile=''/srv/it\\\\''s/data/pgmesh.pass''"));
    ck_assert_str_eq(setting("primary_slot_name"), "'pgmesh_1'");
    ck_assert_str_eq(setting("synchronous_standby_names"), "'ANY 1 (\"" PG_NOBODY "\")'");
    ck_assert_str_eq(setting("wal_retrieve_retry_interval"), "'100ms'");
    ck_assert_str_eq(setting("restart_after_crash"), "'off'");
}
END_TEST

START_TEST(sealed_receives_and_restores_nothing)
{
    strcpy(config.parameters[0].name, "restore_command");
    strcpy(config.parameters[0].value, "cp /archive/%f %p");
    config.n_parameters = 1;
    write_text(&(struct pg_config_state){.sealed = true, .nobody = true, .upstream = &members[1]});
    ck_assert_str_eq(setting("primary_conninfo"), "''");
    ck_assert_str_eq(setting("primary_slot_name"), "''");
    ck_assert_str_eq(setting("restore_command"), "''");
    ck_assert_str_eq(setting("wal_retrieve_retry_interval"), "'5ms'");
    write_text(&(struct pg_config_state){.sealed = true, .slow = true, .nobody = true});
    ck_assert_str_eq(setting("wal_retrieve_retry_interval"), "'1s'");
    write_text(&(struct pg_config_state){.nobody = true, .upstream = &members[1]});
    ck_assert_str_eq(setting("restore_command"), "'cp /archive/%f %p'");
}
END_TEST

START_TEST(values_are_quoted)
{
    strcpy(config.parameters[0].name, "log_line_prefix");
    strcpy(config.parameters[0].value, "it's \\ %m");
    config.n_parameters = 1;
    write_text(&(struct pg_config_state){0});
    ck_assert_str_eq(setting("log_line_prefix"), "'it''s \\\\ %m'");
    ck_assert_str_eq(setting("include_if_exists"), "'/srv/it''s/data/postgresql.conf'");
}
END_TEST

static int count_of(const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

START_TEST(hba_lines_come_in_order)
{
    strcpy(config.hba[0], "host all app 10.0.0.0/8 scram-sha-256");
    strcpy(config.hba[1], "host replication pgmesh_replication 10.8.0.0/16 scram-sha-256");
    config.n_hba = 2;
    ck_assert_uint_gt(pg_config_hba(text, sizeof text, &config, members, 3, "local all all trust"), 0);
    const char *reject = strstr(text, " reject"), *app = strstr(text, "host all app"),
               *adopted = strstr(text, "local all all trust");
    const char *more = strstr(text, "10.8.0.0/16");
    ck_assert(reject && app && adopted && more && more < reject && reject < app && app < adopted);
}
END_TEST

START_TEST(members_alone_replicate)
{
    ck_assert_uint_gt(pg_config_hba(text, sizeof text, &config, members, 3, NULL), 0);
    ck_assert_int_eq(count_of("host replication pgmesh_replication "), 5);
    ck_assert_int_eq(count_of("host postgres pgmesh_rewind "), 5);
    ck_assert_int_eq(count_of(" 10.0.0.2/32 "), 2);
    ck_assert_int_eq(count_of(" fd00::2/128 "), 2);
    ck_assert_int_eq(count_of(" db3.example "), 2);
    ck_assert_ptr_null(strstr(text, "pgmesh_replication all"));
    ck_assert_uint_gt(pg_config_ident(text, sizeof text, &config, "mine a b"), 0);
    ck_assert_ptr_nonnull(strstr(text, "pgmesh root pgmesh_replication\n"));
    ck_assert_ptr_nonnull(strstr(text, "mine a b\n"));
}
END_TEST

START_TEST(auto_conf_loses_what_pgmesh_owns)
{
    int removed;
    pg_config_strip(
        text, sizeof text,
        "# comment\nwork_mem = '4MB'\nprimary_conninfo = 'host=elsewhere'\n  PORT=1\nsynchronous_standby_names=''\n"
        "restore_command = 'x'",
        &removed);
    ck_assert_int_eq(removed, 4);
    ck_assert_str_eq(text, "# comment\nwork_mem = '4MB'\n");
}
END_TEST

/* ---- ownership ---------------------------------------------------------------------------------------------------------- */

static const struct owned_row {
    const char *name, *parameter, *value;
    bool allowed;
} owned_rows[] = {
    {"a user's", "work_mem", "64MB", true},
    {"an extension's", "pg_stat_statements.max", "1000", true},
    {"synchronous_commit is the user's", "synchronous_commit", "remote_apply", true},
    {"logical WAL", "wal_level", "logical", true},
    {"no WAL for standbys", "wal_level", "minimal", false},
    {"the names", "synchronous_standby_names", "*", false},
    {"in capitals", "Primary_Conninfo", "host=x", false},
    {"a recovery target", "recovery_target_lsn", "0/1", false},
    {"crash restart", "restart_after_crash", "on", false},
    {"fsync", "fsync", "off", false},
    {"no name", "work mem", "1", false},
    {"a line break", "work_mem", "1\nfsync=off", false},
};

START_TEST(ownership)
{
    const struct owned_row *row = &owned_rows[_i];
    struct problem why = {0};
    config.n_parameters = 1;
    strcpy(config.parameters[0].name, row->parameter);
    strcpy(config.parameters[0].value, row->value);
    EXPECT_INT(config_check_parameters(&config, &why), row->allowed, row);
    EXPECT((why.fact[0] == '\0') == row->allowed, row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_config");
    TCase *names = suite_case(suite, "names"), *texts = suite_case(suite, "texts"),
          *owned = suite_case(suite, "owned");
    tcase_add_loop_test(names, application_names, 0, ROWS(application_rows));
    tcase_add_test(names, longest_application_name_fits_postgresql);
    tcase_add_test(names, names_of_a_set);
    tcase_add_checked_fixture(texts, set_up, NULL);
    tcase_add_test(texts, a_follower_names_itself_and_its_upstream);
    tcase_add_test(texts, sealed_receives_and_restores_nothing);
    tcase_add_test(texts, values_are_quoted);
    tcase_add_test(texts, hba_lines_come_in_order);
    tcase_add_test(texts, members_alone_replicate);
    tcase_add_test(texts, auto_conf_loses_what_pgmesh_owns);
    tcase_add_checked_fixture(owned, set_up, NULL);
    tcase_add_loop_test(owned, ownership, 0, ROWS(owned_rows));
    return suite_run(suite);
}
