/* Running an operator's program: input, environment, limits; and connection strings. */
// LINK: node/route_run.c
// LINK: node/route_file.c
#define _GNU_SOURCE
#include <signal.h>

#include "mesh/io/conninfo.h"
#include "node/route_file.h"
#include "node/route_run.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

static struct route_run run;

static bool script(const char *body, uint32_t timeout_ms)
{
    char text[1024];
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", body);
    scratch_write("hook", text, strlen(text), 0755);
    run = (struct route_run){.program = scratch_path("hook"),
                             .argument = "primary",
                             .input = "{\"event\":\"primary\"}\n",
                             .timeout_ms = timeout_ms};
    return route_run(&run);
}

static const struct output_row {
    const char *name, *body, *output;
    int status;
} output_rows[] = {
    {"it gets the event twice over", "echo $1; cat", "primary\n{\"event\":\"primary\"}\n", 0},
    {"a clean environment", "env | grep -v '^_=' | sort",
     "LC_ALL=C.UTF-8\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nPWD=/\n", 0},
    {"in the root directory", "pwd", "/\n", 0},
    {"no descriptor but the three", "ls /proc/self/fd | wc -l", "4\n", 0}, /* and that of ls itself */
    {"both outputs", "echo a; echo b >&2", "a\nb\n", 0},
    {"its exit status", "exit 7", "", 7},
    {"a signal", "kill -TERM $$", "", 128 + SIGTERM},
    {"it need not read", "exec <&-; echo x", "x\n", 0},
    {"what it leaves behind is not waited for", "sleep 2 & echo on; exit 0", "on\n", 0},
};

START_TEST(outputs)
{
    const struct output_row *row = &output_rows[_i];
    setenv("SECRET", "1", 1);
    bool good = script(row->body, 10000);
    EXPECT_INT(good, row->status == 0, row);
    EXPECT_INT(run.status, row->status, row);
    EXPECT_TEXT(run.output, row->output, row);
    EXPECT(!run.timed_out, row);
}
END_TEST

START_TEST(at_its_limit_it_is_killed_with_its_group)
{
    char body[512];
    size_t n;
    snprintf(body, sizeof body, "sleep 60 & echo $! >%s; wait", scratch_path("child"));
    ck_assert(!script(body, 300));
    ck_assert(run.timed_out);
    ck_assert_int_eq(run.status, 128 + SIGKILL);
    pid_t child = atoi(scratch_read("child", &n));
    ck_assert_int_gt(child, 1);
    char path[64], state[256];
    for (int i = 0; i < 500; i++) { /* gone, or a zombie until init looks */
        snprintf(path, sizeof path, "/proc/%d/stat", child);
        FILE *f = fopen(path, "r");
        if (!f)
            return;
        bool zombie = fgets(state, sizeof state, f) && strstr(state, ") Z ");
        fclose(f);
        if (zombie)
            return;
        usleep(10000);
    }
    ck_abort_msg("its child lives on");
}
END_TEST

START_TEST(output_is_bounded)
{
    ck_assert(script("head -c 100000 /dev/zero | tr '\\0' x", 10000));
    ck_assert_uint_eq(run.n_output, ROUTE_RUN_OUTPUT);
    ck_assert_uint_eq(run.lost, 100000 - ROUTE_RUN_OUTPUT);
    ck_assert_uint_eq(strlen(run.output), ROUTE_RUN_OUTPUT);
}
END_TEST

START_TEST(what_cannot_be_run)
{
    run = (struct route_run){
        .program = "/nonexistent/hook", .argument = "x", .input = "{}\n", .timeout_ms = 1000};
    ck_assert(!route_run(&run));
    ck_assert_int_eq(run.status, 127);
}
END_TEST

/* ---- connection strings ----------------------------------------------------------------------------------------------------- */

#define KEYS \
    " connect_timeout=2 keepalives_idle=1 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=1500\n"
#define URIS \
    "&connect_timeout=2&keepalives_idle=1&keepalives_interval=1&keepalives_count=3&tcp_user_timeout=1500\n"
static const struct address hosts[] = {{"10.0.0.2", 5432}, {"fd00::3", 5433}};
static const struct text_row {
    const char *name;
    enum conninfo_format format;
    enum conninfo_want want;
    int n;
    const char *text;
} text_rows[] = {
    {"keywords", CONNINFO_KEYWORDS, CONNINFO_READ_WRITE, 1,
     "host=10.0.0.2 port=5432 target_session_attrs=read-write" KEYS},
    {"keywords, two", CONNINFO_KEYWORDS, CONNINFO_PREFER_STANDBY, 2,
     "host=10.0.0.2,fd00::3 port=5432,5433 target_session_attrs=prefer-standby" KEYS},
    {"uri", CONNINFO_URI, CONNINFO_READ_WRITE, 2,
     "postgresql://10.0.0.2:5432,[fd00::3]:5433/?target_session_attrs=read-write" URIS},
    {"hosts", CONNINFO_HOST, CONNINFO_READ_WRITE, 2, "10.0.0.2\nfd00::3\n"},
    {"env", CONNINFO_ENV, CONNINFO_READ_WRITE, 2,
     "PGHOST=10.0.0.2,fd00::3\nPGPORT=5432,5433\nPGTARGETSESSIONATTRS=read-write\nPGCONNECT_TIMEOUT=2\n"},
};

START_TEST(texts)
{
    const struct text_row *row = &text_rows[_i];
    char out[CONNINFO_SIZE];
    EXPECT_INT(conninfo_print(out, row->format, row->want, hosts, row->n), strlen(row->text), row);
    EXPECT_TEXT(out, row->text, row);
}
END_TEST

START_TEST(the_longest_fits)
{
    static struct address many[CONNINFO_HOSTS_MAX];
    char out[CONNINFO_SIZE];
    for (int i = 0; i < CONNINFO_HOSTS_MAX; i++) {
        memset(many[i].host, 'h', ADDRESS_HOST_SIZE - 1);
        many[i].port = 65535;
    }
    for (int f = CONNINFO_KEYWORDS; f <= CONNINFO_ENV; f++)
        ck_assert_uint_lt(
            conninfo_print(out, (enum conninfo_format)f, CONNINFO_PREFER_STANDBY, many, CONNINFO_HOSTS_MAX),
            CONNINFO_SIZE);
}
END_TEST

START_TEST(files_and_the_term)
{
    static struct config c;
    struct hand_member members[2] = {{.id = 1, .pg = {"10.0.0.2", 5432}}, {.id = 2, .pg = {"fd00::3", 5433}}};
    struct routing r = {.term = 7, .primary = 2};
    struct problem why = {0};
    size_t n;
    config_default(&c);
    snprintf(c.state_dir, sizeof c.state_dir, "%s", scratch);
    snprintf(c.route_file, sizeof c.route_file, "%s", scratch_path("app.conninfo"));
    ck_assert_uint_eq(route_file_term(&c), 0);
    ck_assert_msg(route_file_write(&c, members, 2, &r, &why), "%s", why.fact);
    ck_assert_uint_eq(route_file_term(&c), 7);
    ck_assert_str_eq(scratch_read("app.conninfo", &n),
                     "host=fd00::3 port=5433 target_session_attrs=read-write" KEYS);
    ck_assert_str_eq(scratch_read("app.conninfo.all", &n),
                     "host=fd00::3,10.0.0.2 port=5433,5432 target_session_attrs=read-write" KEYS);
    r.primary = 3;
    ck_assert(!route_file_write(&c, members, 2, &r, &why));
}
END_TEST

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the agent does */
    Suite *suite = suite_create("route_run");
    TCase *tcase = suite_case(suite, "programs");
    tcase_add_checked_fixture(tcase, scratch_open, scratch_close);
    tcase_add_loop_test(tcase, outputs, 0, ROWS(output_rows));
    tcase_add_test(tcase, at_its_limit_it_is_killed_with_its_group);
    tcase_add_test(tcase, output_is_bounded);
    tcase_add_test(tcase, what_cannot_be_run);
    tcase = suite_case(suite, "texts");
    tcase_add_checked_fixture(tcase, scratch_open, scratch_close);
    tcase_add_loop_test(tcase, texts, 0, ROWS(text_rows));
    tcase_add_test(tcase, the_longest_fits);
    tcase_add_test(tcase, files_and_the_term);
    return suite_run(suite);
}
