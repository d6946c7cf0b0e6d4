#define _GNU_SOURCE
/* Key files: what is refused, and that a passphrase opens what it closed and nothing else does. */
#include "mesh/io/keys_sealed.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct problem problem;
static struct key key, got;
static int asked;
static const char *answer;

static bool ask(void *arg, struct passphrase *p, struct problem *err)
{
    (void)arg;
    asked++;
    if (answer == NULL)
        return problem_fact(err, "nobody answers");
    snprintf(p->text, sizeof p->text, "%s", answer);
    return true;
}

static void setup(void)
{
    keys_begin();
    scratch_open();
    keys_generate(&key, NULL);
    asked = 0;
    answer = "correct horse battery";
    memset(&got, 0, sizeof got);
}

static bool get(void)
{
    memset(&problem, 0, sizeof problem);
    return keys_sealed_read(scratch_path("key"), &got, NULL, ask, NULL, &problem);
}
static void put(const char *passphrase)
{
    struct passphrase p;
    snprintf(p.text, sizeof p.text, "%s", passphrase ? passphrase : "");
    ck_assert_msg(keys_sealed_write(scratch_path("key"), &key, passphrase ? &p : NULL, true, &problem), "%s",
                  problem.fact);
}
static void spoil(const char *text)
{
    scratch_write("key", text, strlen(text), 0600);
}

START_TEST(a_passphrase_opens_what_it_closed)
{
    put("correct horse battery");
    ck_assert_msg(get(), "%s", problem.fact);
    ck_assert_mem_eq(&got, &key, sizeof key);
    ck_assert_int_eq(asked, 1);
    struct stat st;
    ck_assert_int_eq(stat(scratch_path("key"), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(a_plain_key_asks_for_nothing)
{
    put(NULL);
    ck_assert(get() && asked == 0);
    ck_assert_mem_eq(&got, &key, sizeof key);
}
END_TEST

START_TEST(a_key_is_not_overwritten_unasked)
{
    put(NULL);
    ck_assert(!keys_sealed_write(scratch_path("key"), &key, NULL, false, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "exists"));
}
END_TEST

START_TEST(a_daemon_says_that_it_is_under_a_passphrase)
{
    put("correct horse battery");
    ck_assert(!keys_read(scratch_path("key"), &got, &problem));
    ck_assert_ptr_nonnull(strstr(problem.detail, "under a passphrase"));
}
END_TEST

static void wrong_passphrase(void)
{
    put("correct horse battery");
    answer = "wrong horse battery";
}
static void nobody(void)
{
    put("correct horse battery");
    answer = NULL;
}
static void readable(void)
{
    put("correct horse battery");
    ck_assert_int_eq(chmod(scratch_path("key"), 0640), 0);
}
static void link_to_it(void)
{
    put("correct horse battery");
    ck_assert_int_eq(rename(scratch_path("key"), scratch_path("other")), 0);
    ck_assert_int_eq(symlink("other", scratch_path("key")), 0);
}
static void nonsense(void)
{
    spoil("nonsense\n");
}
static void cut(void)
{
    spoil("pgmesh-sealed-key 1 3 268435456 00\n");
}
static void greedy(void) /* would ask for 64 GB */
{
    char line[256] = "pgmesh-sealed-key 1 3 68719476736 ";
    memset(line + strlen(line), '0', 32);
    strcat(line, " ");
    memset(line + strlen(line), '0', 48);
    strcat(line, " ");
    memset(line + strlen(line), '0', 96);
    spoil(line);
}

static const struct refused_row {
    const char *name;
    void (*make)(void);
    const char *says;
} refused_rows[] = {{"another passphrase", wrong_passphrase, "does not open"},
                    {"no passphrase", nobody, "nobody answers"},
                    {"a group may read it", readable, "can be read by"},
                    {"a symbolic link", link_to_it, "symbolic link"},
                    {"nonsense", nonsense, "is not a key"},
                    {"cut off", cut, "is not a key under a passphrase"},
                    {"costs beyond bounds", greedy, "is not a key under a passphrase"}};

START_TEST(refused)
{
    const struct refused_row *row = &refused_rows[_i];
    row->make();
    EXPECT(!get(), row);
    ck_assert_msg(strstr(problem.fact, row->says) != NULL, "row \"%s\": it says \"%s\"", row->name,
                  problem.fact);
}
END_TEST

START_TEST(a_passphrase_file_is_a_secret_of_one_line)
{
    struct passphrase p;
    spoil("correct horse battery\n");
    ck_assert(passphrase_read_file(scratch_path("key"), &p, &problem));
    ck_assert_str_eq(p.text, "correct horse battery");
    ck_assert_int_eq(chmod(scratch_path("key"), 0644), 0);
    ck_assert(!passphrase_read_file(scratch_path("key"), &p, &problem));
    spoil("short\n");
    ck_assert(!passphrase_read_file(scratch_path("key"), &p, &problem));
    spoil("correct horse\nbattery staple\n");
    ck_assert(!passphrase_read_file(scratch_path("key"), &p, &problem));
}
END_TEST

START_TEST(a_member_makes_its_next_key_once)
{
    struct key again;
    const char *state = scratch_path(".");
    ck_assert(!keys_next(state, false, &got, &problem)); /* there is none */
    ck_assert(keys_next(state, true, &got, &problem));
    ck_assert(keys_next(state, true, &again, &problem));
    ck_assert_mem_eq(&got, &again, sizeof got);
    problem.fact[0] = '\0';
    ck_assert(!keys_read_later(state, &again, &problem) && problem.fact[0] == '\0');
    ck_assert(keys_use_next(state, &problem) && keys_read_later(state, &again, &problem));
    ck_assert_mem_eq(&got, &again, sizeof got);
    ck_assert(!keys_next(state, false, &again, &problem));
    ck_assert_int_eq(chmod(scratch_path("member.key"), 0644), 0);
    ck_assert(!keys_read_later(state, &again, &problem) && problem.fact[0] != '\0');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keys");
    TCase *tcase = suite_case(suite, "files");
    tcase_add_checked_fixture(tcase, setup, scratch_close);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_passphrase_opens_what_it_closed);
    tcase_add_test(tcase, a_plain_key_asks_for_nothing);
    tcase_add_test(tcase, a_key_is_not_overwritten_unasked);
    tcase_add_test(tcase, a_daemon_says_that_it_is_under_a_passphrase);
    tcase_add_loop_test(tcase, refused, 0, ROWS(refused_rows));
    tcase_add_test(tcase, a_passphrase_file_is_a_secret_of_one_line);
    tcase_add_test(tcase, a_member_makes_its_next_key_once);
    return suite_run(suite);
}
