/* The files of an adopted directory: taken over whole, or not at all. */
// LINK: node/pg_config.c
// LINK: node/pg_config_write.c
#define _GNU_SOURCE
#include "node/hand_state.h"
#include "node/pg_config.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <stdarg.h>

static struct config config;
static struct hand hand;
static struct problem problem;

/* That of node/hand.c, which would bring all of the hand along. */
bool hand_path(char out[static FILE_PATH_SIZE], const char *dir, const char *fmt, ...)
{
    va_list args;
    int n = snprintf(out, FILE_PATH_SIZE, "%s/", dir);
    va_start(args, fmt);
    n += vsnprintf(out + n, (size_t)(FILE_PATH_SIZE - n), fmt, args);
    va_end(args);
    return n < FILE_PATH_SIZE;
}

static void set_up(void)
{
    scratch_open();
    config_default(&config);
    strcpy(config.member, "db1");
    snprintf(config.data_dir, sizeof config.data_dir, "%s", scratch);
    config.bootstrap = CONFIG_BOOTSTRAP_ADOPT;
    hand = (struct hand){.config = &config};
    problem = (struct problem){0};
}

/* A file of n lines of 64 bytes, "line NUMBER", the last of them number n - 1. */
static void lines(const char *name, int n)
{
    FILE *f = fopen(scratch_path(name), "we");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < n; i++)
        fprintf(f, "# line %06d %*s\n", i, 49, "");
    fclose(f);
}

static bool holds(const char *name, const char *what)
{
    static char text[2 * PG_CONFIG_TEXT];
    FILE *f = fopen(scratch_path(name), "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return strstr(text, what) != NULL;
}

START_TEST(absent)
{
    ck_assert_msg(pg_config_write_hba(&hand, &problem), "%s", problem.fact);
    ck_assert(holds("pgmesh_hba.conf", "pgmesh_observer") && !holds("pgmesh_hba.conf", "line 000000"));
}
END_TEST

START_TEST(whole)
{
    lines("pg_hba.conf", PG_CONFIG_TEXT / 2 / 64);
    ck_assert_msg(pg_config_write_hba(&hand, &problem), "%s", problem.fact);
    ck_assert(holds("pgmesh_hba.conf", "line 000000") && holds("pgmesh_hba.conf", "line 000767"));
}
END_TEST

START_TEST(too_long)
{
    lines("pg_hba.conf", PG_CONFIG_TEXT / 2 / 64 + 1);
    ck_assert(!pg_config_write_hba(&hand, &problem));
    ck_assert_msg(strstr(problem.fact, "is longer than 49152 bytes") != NULL, "%s", problem.fact);
    ck_assert(access(scratch_path("pgmesh_hba.conf"), F_OK) < 0);
}
END_TEST

/* Without bootstrap=adopt the directory's own file is nobody's business. */
START_TEST(not_adopted)
{
    config.bootstrap = CONFIG_BOOTSTRAP_INITDB;
    lines("pg_hba.conf", PG_CONFIG_TEXT / 64);
    ck_assert_msg(pg_config_write_hba(&hand, &problem), "%s", problem.fact);
    ck_assert(!holds("pgmesh_hba.conf", "line 000000"));
}
END_TEST

START_TEST(unreadable)
{
    ck_assert_int_eq(mkdir(scratch_path("pg_hba.conf"), 0700), 0);
    ck_assert(!pg_config_write_hba(&hand, &problem));
    ck_assert_msg(strstr(problem.fact, "could not read") != NULL, "%s", problem.fact);
}
END_TEST

/* What ALTER SYSTEM set stands after all that pgmesh writes: a sealed database would go on asking the archive. */
START_TEST(sealed_asks_no_archive)
{
    struct pg_config_state s = {.nobody = true};
    static const char own[] = "work_mem = '8MB'\nrestore_command = 'cp'\n";
    pthread_mutex_init(&hand.lock, NULL);
    scratch_text("postgresql.auto.conf", own);
    ck_assert_msg(pg_config_write(&hand, &s, &problem), "%s", problem.fact);
    ck_assert(holds("postgresql.auto.conf", "restore_command"));
    s.sealed = true;
    ck_assert_msg(pg_config_write(&hand, &s, &problem), "%s", problem.fact);
    ck_assert(!holds("postgresql.auto.conf", "restore_command") && holds("postgresql.auto.conf", "work_mem"));
    ck_assert(holds("pgmesh.conf", "restore_command = ''"));
}
END_TEST

/* One that cannot be read does not keep a database from being sealed. */
START_TEST(sealed_all_the_same)
{
    struct pg_config_state s = {.sealed = true, .nobody = true};
    pthread_mutex_init(&hand.lock, NULL);
    lines("postgresql.auto.conf", PG_CONFIG_TEXT / 64);
    ck_assert_msg(pg_config_write(&hand, &s, &problem), "%s", problem.fact);
    ck_assert(holds("pgmesh.conf", "restore_command = ''"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pg_config_write");
    TCase *adopted = suite_case(suite, "adopted");
    tcase_add_checked_fixture(adopted, set_up, scratch_close);
    tcase_add_test(adopted, absent);
    tcase_add_test(adopted, whole);
    tcase_add_test(adopted, too_long);
    tcase_add_test(adopted, not_adopted);
    tcase_add_test(adopted, unreadable);
    TCase *sealed = suite_case(suite, "sealed");
    tcase_add_checked_fixture(sealed, set_up, scratch_close);
    tcase_add_test(sealed, sealed_asks_no_archive);
    tcase_add_test(sealed, sealed_all_the_same);
    return suite_run(suite);
}
