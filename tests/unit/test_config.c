/* node.conf: what is read, what is refused, how it is told, and that help and sample come from the same table. */
#define _GNU_SOURCE
#include "mesh/io/cluster.h"
#include "mesh/io/config.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

static struct config config;
static struct problem problem;

static bool parse(const char *text)
{
    memset(&problem, 0, sizeof problem);
    return config_parse(text, strlen(text), "/etc/pgmesh/node.conf", &config, &problem);
}

/* ---- refused ----------------------------------------------------------------------------------------------------- */

static const struct refused_row {
    const char *name, *text, *fact, *hint;
} refused_rows[] = {
    {"empty", "", "\"member\" is not set", "member = "},
    {"an unknown option, nearly right", "member = a\nleese = 600ms\n", ":2: unknown option \"leese\"",
     "Did you mean \"lease\"?"},
    {"an unknown option, nothing like it", "member = a\nfrobnicate = 1\n", "unknown option", "--help"},
    {"capitals are another name", "Member = a\n", "unknown option \"Member\"", "\"member\""},
    {"an option twice", "member = a\nlease = 1s\n\nlease = 2s\n", ":4: \"lease\" is set twice", ""},
    {"no equals sign", "member a\n", "not an option", "key = value"},
    {"no name", "= a\n", "not an option", ""},
    {"a number that is a word", "member = a\npg_port = many\n", "\"pg_port\" cannot be \"many\"",
     "from 1 to 65535"},
    {"a number out of range", "member = a\npg_port = 65536\n", "\"pg_port\" cannot be", "from 1 to 65535"},
    {"a number with a sign", "member = a\npg_port = -1\n", "\"pg_port\" cannot be", ""},
    {"a number with a tail", "member = a\npriority = 10x\n", "\"priority\" cannot be", ""},
    {"a time without a unit", "member = a\nlease = 600\n", "\"lease\" cannot be \"600\"",
     "unit (ms, s, min)"},
    {"a time with an unknown unit", "member = a\nlease = 1h\n", "\"lease\" cannot be", ""},
    {"a time that is too short", "member = a\nlease = 10ms\n", "\"lease\" cannot be", "from 200ms"},
    {"a time in another notation", "member = a\nlease = 0x1s\n", "\"lease\" cannot be", ""},
    {"a switch that is neither", "member = a\ncandidate = maybe\n", "\"candidate\" cannot be", "on or off"},
    {"a choice that is none", "member = a\non_crash = panic\n", "\"on_crash\" cannot be",
     "auto|failover|restart"},
    {"a beginning of a choice", "member = a\non_crash = fail\n", "\"on_crash\" cannot be", ""},
    {"an empty choice", "member = a\non_crash =\n", "\"on_crash\" cannot be", ""},
    {"a name with a capital", "member = DB1\n", "\"member\" cannot be \"DB1\"", "small letter"},
    {"an empty name", "member =\n", "\"member\" cannot be", ""},
    {"a quote that stays open", "member = 'a\n", "closing quote is missing", ""},
    {"a tail after a quote", "member = 'a' b\n", "follows the closing quote", ""},
    {"an address by name", "member = a\nlisten = localhost:1\n", "\"listen\" cannot be", "numeric"},
    {"an address without a port", "member = a\nlisten = 127.0.0.1\n", "\"listen\" cannot be", ""},
    {"too many addresses", "member = a\nlisten = 1.1.1.1:1,1.1.1.2:1,1.1.1.3:1,1.1.1.4:1,1.1.1.5:1\n",
     "\"listen\" cannot be", ""},
    {"an empty pg_hba line", "member = a\npg_hba =\n", "\"pg_hba\" cannot be", ""},
    {"a parameter twice", "member = a\npg.work_mem = 1MB\npg.Work_Mem = 2MB\n",
     ":3: \"pg.Work_Mem\" cannot be", "each once"},
    {"a parameter without a name", "member = a\npg. = 1\n", "cannot be", ""},
    {"a parameter that is no word", "member = a\npg.a;b = 1\n", "cannot be", ""},
    {"a lease that fencing eats up", "member = a\nlease = 600ms\nfence = 500ms\n", "\"lease\" is too short",
     "Raise lease"},
    {"too many confirming standbys", "member = a\nsync_standbys = 9\n", "\"sync_standbys\" cannot be",
     "from 1 to 8"},
};

START_TEST(refused)
{
    const struct refused_row *row = &refused_rows[_i];
    EXPECT(!parse(row->text), row);
    ck_assert_msg(strstr(problem.fact, row->fact) != NULL, "row \"%s\": the fact is \"%s\"", row->name,
                  problem.fact);
    ck_assert_msg(strstr(problem.hint, row->hint) != NULL, "row \"%s\": the hint is \"%s\"", row->name,
                  problem.hint);
    EXPECT(strstr(problem.fact, "/etc/pgmesh/node.conf") != NULL, row);
}
END_TEST

/* ---- read ---------------------------------------------------------------------------------------------------------- */

static const struct time_row {
    const char *name, *text;
    uint32_t ms;
} time_rows[] = {
    {"milliseconds", "750ms", 750},
    {"seconds", "2s", 2000},
    {"minutes", "1min", 60000},
    {"a fraction", "1.5s", 1500},
    {"a blank before the unit", "2 s", 2000},
    {"quoted", "'700ms'", 700},
    {"with a comment", "2s # long", 2000},
};

START_TEST(times)
{
    const struct time_row *row = &time_rows[_i];
    char text[128];
    snprintf(text, sizeof text, "member = a\nlease = %s\n", row->text);
    ck_assert_msg(parse(text), "row \"%s\": %s", row->name, problem.fact);
    EXPECT_INT(config.core.lease_ms, row->ms, row);
}
END_TEST

START_TEST(the_defaults_are_those_of_the_table)
{
    ck_assert(parse("member = db1"));
    ck_assert_str_eq(config.member, "db1");
    ck_assert_str_eq(config.cluster_file, "/etc/pgmesh/cluster");
    ck_assert_str_eq(config.control_socket, "/etc/pgmesh/state/control.sock");
    ck_assert_str_eq(config.bin_dir, "/usr/lib/postgresql/15/bin");
    ck_assert_str_eq(config.data_dir, "");
    ck_assert_str_eq(config.cgroup, "auto");
    ck_assert_int_eq(config.pg_port, 5432);
    ck_assert_int_eq(config.n_listen, 0);
    ck_assert(config.realtime);
    ck_assert_int_eq(config.bootstrap, CONFIG_BOOTSTRAP_INITDB);
    ck_assert_int_eq(config.log_level, CONFIG_LOG_INFO);
}
END_TEST

/* Two places know the core's defaults; they must say the same. */
START_TEST(the_core_has_the_same_defaults)
{
    struct core_settings core;
    core_settings_default(&core);
    config_default(&config);
    const struct {
        const char *name;
        long long table, own;
    } rows[] = {
        {"lease", config.core.lease_ms, core.lease_ms},
        {"fence", config.core.fence_ms, core.fence_ms},
        {"boot_grace", config.core.boot_grace_ms, core.boot_grace_ms},
        {"unfenced_max", config.core.unfenced_max_ms, core.unfenced_max_ms},
        {"stagger", config.core.stagger_ms, core.stagger_ms},
        {"seal_wait", config.core.seal_wait_ms, core.seal_wait_ms},
        {"promote_timeout", config.core.promote_timeout_ms, core.promote_timeout_ms},
        {"start_timeout", config.core.start_timeout_ms, core.start_timeout_ms},
        {"answer_timeout", config.core.answer_timeout_ms, core.answer_timeout_ms},
        {"standby_timeout", config.core.standby_timeout_ms, core.standby_timeout_ms},
        {"switchover_timeout", config.core.switchover_timeout_ms, core.switchover_timeout_ms},
        {"sync_standbys", config.core.sync_standbys, core.sync_standbys},
        {"priority", config.core.priority, core.priority},
        {"candidate", config.core.candidate, core.candidate},
        {"observe_only", config.core.observe_only, core.observe_only},
        {"on_crash", config.core.on_crash, core.on_crash},
    };
    for (int i = 0; i < ROWS(rows); i++)
        EXPECT_INT(rows[i].table, rows[i].own, &rows[i]);
}
END_TEST

START_TEST(comments_quotes_and_line_ends)
{
    ck_assert_msg(parse("# a comment\n\n  member=db1 # trailing\r\n"
                        "data_dir = '/srv/pg data/it''s'\n"
                        "key_file = /run/secrets/key\n"
                        "candidate = no\n"),
                  "%s", problem.fact);
    ck_assert_str_eq(config.member, "db1");
    ck_assert_str_eq(config.key_file, "/run/secrets/key");
    ck_assert(!config.core.candidate);
    ck_assert_str_eq(config.data_dir, "/srv/pg data/it's");
}
END_TEST

START_TEST(lists_are_kept_in_order)
{
    ck_assert_msg(
        parse(
            "member = db1\nlisten = 10.0.0.1:7400,[fd00::1]:7401\n"
            "pg_hba = 'host all all 10.0.0.0/8 scram-sha-256'\npg_hba = 'local all all peer'\n"
            "pg.shared_buffers = 1GB\npg.archive_command = 'cp %p ''/a b/%f'''\nwatchdog = /dev/watchdog\n"),
        "%s", problem.fact);
    ck_assert_int_eq(config.n_listen, 2);
    ck_assert_str_eq(config.listen[1].host, "fd00::1");
    ck_assert_int_eq(config.listen[1].port, 7401);
    ck_assert_int_eq(config.n_hba, 2);
    ck_assert_str_eq(config.hba[1], "local all all peer");
    ck_assert_int_eq(config.n_parameters, 2);
    ck_assert_str_eq(config.parameters[0].name, "shared_buffers");
    ck_assert_str_eq(config.parameters[1].value, "cp %p '/a b/%f'");
    ck_assert_str_eq(config.watchdog, "/dev/watchdog");
}
END_TEST

START_TEST(a_profile_chooses_what_no_line_says)
{
    ck_assert_msg(parse("member = a\n"), "%s", problem.fact);
    ck_assert_int_eq(config.profile, CONFIG_PROFILE_STANDARD);
    ck_assert_int_eq(config.core.lease_ms, 600);
    ck_assert_msg(parse("lease = 900ms\nmember = a\nprofile = relaxed\nanswer_timeout = 4s\n"), "%s",
                  problem.fact);
    ck_assert_int_eq(config.core.lease_ms, 900);
    ck_assert_int_eq(config.core.answer_timeout_ms, 4000);
    ck_assert_int_eq(config.core.standby_timeout_ms, 5000);
    ck_assert_msg(parse("member = a\nprofile = observe-only\n"), "%s", problem.fact);
    ck_assert(config.core.observe_only);
    ck_assert_int_eq(config.core.lease_ms, 600);
    ck_assert_msg(parse("member = a\nprofile = strict\n"), "%s", problem.fact);
    ck_assert_int_eq(config.core.answer_timeout_ms, 2000);
    ck_assert(!config.core.observe_only);
    /* Each can be carried out: names and values are those of the table. */
    ck_assert_msg(parse("member = a\nprofile = relaxed\n"), "%s", problem.fact);
    ck_assert_int_eq(config.core.lease_ms, 2000);
    ck_assert(!parse("member = a\nprofile = brave\n"));
    ck_assert_ptr_nonnull(strstr(problem.hint, "observe-only"));
}
END_TEST

START_TEST(a_sample_reads_as_the_defaults)
{
    const struct config_value set[] = {{"member", "db1"}, {"data_dir", "/it's here"}, {"pg_hba", "a b"},
                                       {"pg_hba", "c#d"}, {"pg.work_mem", "4MB"},     {"lease", "700ms"}};
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    config_print_sample(f, set, ROWS(set));
    fclose(f);
    ck_assert_msg(parse(text), "%s", problem.fact);
    ck_assert_str_eq(config.data_dir, "/it's here");
    ck_assert_str_eq(config.hba[1], "c#d");
    ck_assert_str_eq(config.parameters[0].value, "4MB");
    ck_assert_int_eq(config.core.lease_ms, 700);
    /* Each option stands there, and at its default when uncommented. */
    for (size_t i = 0; i < config_options_n; i++) {
        char line[80];
        const struct config_option *o = &config_options[i];
        snprintf(line, sizeof line, "%s%s", o->name, o->type == CONFIG_PARAMETERS ? "" : " = ");
        ck_assert_msg(strstr(text, line) != NULL, "option %s", o->name);
    }
    free(text);
}
END_TEST

START_TEST(help_names_every_option)
{
    char *text = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&text, &n);
    config_print_help(f);
    fclose(f);
    for (size_t i = 0; i < config_options_n; i++) {
        ck_assert_msg(strstr(text, config_options[i].name) != NULL, "option %s", config_options[i].name);
        ck_assert_msg(strstr(text, config_options[i].help) != NULL, "option %s", config_options[i].name);
    }
    free(text);
}
END_TEST

START_TEST(all_defaults_are_legal_values)
{
    char text[512];
    for (size_t i = 0; i < config_options_n; i++) {
        const struct config_option *o = &config_options[i];
        if (o->fallback == NULL || o->type == CONFIG_HBA || o->type == CONFIG_PARAMETERS)
            continue;
        snprintf(text, sizeof text, "member = a\n%s = '%s'\n", o->name, o->fallback);
        ck_assert_msg(parse(text), "option %s: %s", o->name, problem.fact);
    }
}
END_TEST

/* ---- files --------------------------------------------------------------------------------------------------------- */

static bool load(const char *name)
{
    memset(&problem, 0, sizeof problem);
    return config_load(scratch_path(name), &config, &problem);
}

START_TEST(a_file_is_read_with_its_folder)
{
    scratch_text("node.conf", "member = db1\n");
    ck_assert_msg(load("node.conf"), "%s", problem.fact);
    ck_assert_str_eq(config.folder, scratch);
    ck_assert_str_eq(config.key_file, scratch_path("member.key"));
}
END_TEST

START_TEST(suspicious_files_are_refused)
{
    static char huge[FILE_TEXT_MAX + 1];
    ck_assert(!load("missing"));
    ck_assert_ptr_nonnull(strstr(problem.fact, "No such file"));
    scratch_write("open", "member = a\n", 11, 0666);
    ck_assert(!load("open"));
    ck_assert_ptr_nonnull(strstr(problem.fact, "written by everybody"));
    scratch_write("nul", "member = a\0\n", 12, 0644);
    ck_assert(!load("nul"));
    ck_assert_ptr_nonnull(strstr(problem.fact, "NUL"));
    memset(huge, '\n', sizeof huge);
    scratch_write("huge", huge, sizeof huge, 0644);
    ck_assert(!load("huge"));
    ck_assert_ptr_nonnull(strstr(problem.fact, "too large"));
    ck_assert_int_eq(mkdir(scratch_path("folder"), 0755), 0);
    ck_assert(!load("folder"));
    ck_assert_ptr_nonnull(strstr(problem.fact, "not a regular file"));
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    ck_assert(!load("pipe")); /* and does not wait for a writer */
    scratch_text("itself", "member = a\n");
    ck_assert(load("itself"));
    ck_assert_int_eq(symlink("itself", scratch_path("link")), 0);
    ck_assert(!load("link"));
    ck_assert_ptr_nonnull(strstr(problem.fact, "symbolic link"));
    if (geteuid() == 0) {
        scratch_text("foreign", "member = a\n");
        ck_assert_int_eq(chown(scratch_path("foreign"), 12345, 12345), 0);
        ck_assert(!load("foreign"));
        ck_assert_ptr_nonnull(strstr(problem.fact, "belongs to another user"));
    }
}
END_TEST

START_TEST(the_roster_is_asked)
{
    static struct cluster cluster = {.name = "orders", .n = 2, .first = {.lease_ms_max = 3000}};
    cluster.members[0] = (struct cluster_member){
        .member = {.id = 1, .name = "db1", .role = ROLE_DATABASE}, .n_mesh = 1, .has_pg = true};
    cluster.members[1] =
        (struct cluster_member){.member = {.id = 2, .name = "wit1", .role = ROLE_WITNESS}, .n_mesh = 1};
    ck_assert(parse("member = db9\n"));
    ck_assert(!config_check_cluster(&config, &cluster, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "\"db9\" is not a member of cluster \"orders\""));
    ck_assert(parse("member = db1\n"));
    ck_assert(!config_check_cluster(&config, &cluster, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "\"data_dir\" is not set"));
    ck_assert(parse("member = wit1\n"));
    ck_assert(config_check_cluster(&config, &cluster, &problem));
    ck_assert(parse("member = wit1\nlease = 4s\n"));
    ck_assert(!config_check_cluster(&config, &cluster, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "longer than the cluster allows"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *tcase = suite_case(suite, "config");
    tcase_add_checked_fixture(tcase, scratch_open, scratch_close);
    tcase_add_loop_test(tcase, refused, 0, ROWS(refused_rows));
    tcase_add_loop_test(tcase, times, 0, ROWS(time_rows));
    tcase_add_test(tcase, the_defaults_are_those_of_the_table);
    tcase_add_test(tcase, the_core_has_the_same_defaults);
    tcase_add_test(tcase, comments_quotes_and_line_ends);
    tcase_add_test(tcase, lists_are_kept_in_order);
    tcase_add_test(tcase, a_profile_chooses_what_no_line_says);
    tcase_add_test(tcase, a_sample_reads_as_the_defaults);
    tcase_add_test(tcase, help_names_every_option);
    tcase_add_test(tcase, all_defaults_are_legal_values);
    tcase_add_test(tcase, a_file_is_read_with_its_folder);
    tcase_add_test(tcase, suspicious_files_are_refused);
    tcase_add_test(tcase, the_roster_is_asked);
    return suite_run(suite);
}
