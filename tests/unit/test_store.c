/* The store: whole or not at all, never an older one, one process. */
#define _GNU_SOURCE
#include "mesh/io/store.h"
#include "mesh/sign.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

#include <signal.h>
#include <sys/resource.h>

enum { SIZE = 300 };

static struct store store;
static struct problem problem;
static uint8_t bytes[SIZE], loaded[SIZE];
static size_t n;

static void setup(void)
{
    scratch_open();
    for (int i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7);
    ck_assert_msg(store_open(&store, scratch_path("state"), &problem), "%s", problem.fact);
}

static void teardown(void)
{
    store_close(&store);
    scratch_close();
}

static enum store_found load(void)
{
    memset(loaded, 0, sizeof loaded);
    return store_load(&store, loaded, sizeof loaded, &n, &problem);
}

static void put_back(const char *file, size_t size)
{
    scratch_write("state/store", file, size, 0600);
}

START_TEST(what_was_saved_is_loaded)
{
    ck_assert_int_eq(load(), STORE_MISSING);
    ck_assert(store_save(&store, bytes, SIZE, &problem));
    ck_assert_int_eq(load(), STORE_GOOD);
    ck_assert_uint_eq(n, SIZE);
    ck_assert_mem_eq(loaded, bytes, SIZE);
    ck_assert_uint_eq(store.generation, 1);
    ck_assert(store_save(&store, bytes, 0, &problem)); /* the empty one, too */
    ck_assert_int_eq(load(), STORE_GOOD);
    ck_assert_uint_eq(n, 0);
    ck_assert_uint_eq(store.generation, 2);
    ck_assert_int_ne(access(scratch_path("state/store.tmp"), F_OK), 0);
}
END_TEST

START_TEST(cut_off_at_every_byte)
{
    size_t size;
    ck_assert(store_save(&store, bytes, SIZE, &problem));
    char *file = scratch_read("state/store", &size);
    ck_assert_uint_eq(size, 64 + SIZE);
    for (size_t i = 0; i < size; i++) {
        put_back(file, i);
        ck_assert_msg(load() == STORE_DAMAGED, "cut at %zu", i);
        ck_assert_ptr_nonnull(strstr(problem.detail, "does not vote"));
    }
    put_back(file, size);
    ck_assert_int_eq(load(), STORE_GOOD);
}
END_TEST

START_TEST(every_byte_flipped)
{
    size_t size;
    ck_assert(store_save(&store, bytes, SIZE, &problem));
    char *file = scratch_read("state/store", &size);
    for (size_t i = 0; i < size; i++) {
        file[i] ^= (char)(1 << i % 8);
        put_back(file, size);
        ck_assert_msg(load() == STORE_DAMAGED, "flipped at %zu", i);
        file[i] ^= (char)(1 << i % 8);
    }
}
END_TEST

START_TEST(a_byte_too_many)
{
    size_t size;
    ck_assert(store_save(&store, bytes, SIZE, &problem));
    char *file = scratch_read("state/store", &size);
    file[size] = 0;
    put_back(file, size + 1);
    ck_assert_int_eq(load(), STORE_DAMAGED);
}
END_TEST

/* As a later version of pgmesh would write it: whole, and of another format.  It stays as it is. */
START_TEST(a_newer_one_is_left_alone)
{
    enum { AT_FORMAT = 13, AT_HASH = 32, HEAD = 64 };
    static uint8_t covered[AT_HASH + SIZE], hash[HASH_SIZE];
    size_t size, again;
    ck_assert(store_save(&store, bytes, SIZE, &problem));
    char *file = scratch_read("state/store", &size);
    file[AT_FORMAT] = '2';
    put_back(file, size);
    ck_assert_int_eq(load(), STORE_DAMAGED); /* a flipped digit is not a newer version */
    memcpy(covered, file, AT_HASH);
    memcpy(covered + AT_HASH, file + HEAD, SIZE);
    sign_hash(hash, covered, sizeof covered);
    memcpy(file + AT_HASH, hash, HASH_SIZE);
    put_back(file, size);
    ck_assert_int_eq(load(), STORE_NEWER);
    ck_assert_ptr_nonnull(strstr(problem.fact, "later format"));
    ck_assert_ptr_nonnull(strstr(problem.detail, "left as it is"));
    ck_assert_ptr_nonnull(strstr(problem.hint, "Install that version"));
    char *left = scratch_read("state/store", &again);
    ck_assert_uint_eq(again, size);
    ck_assert_mem_eq(left, file, size);
}
END_TEST

/* The generation before is there for people; it is never what is loaded. */
START_TEST(the_older_copy_is_never_loaded)
{
    size_t size;
    ck_assert(store_save(&store, bytes, SIZE, &problem));
    ck_assert(store_save(&store, bytes, 100, &problem));
    ck_assert_int_eq(access(scratch_path("state/store.1"), F_OK), 0);
    ck_assert_int_eq(unlink(scratch_path("state/store")), 0);
    ck_assert_int_eq(load(), STORE_MISSING);
    put_back("", 0);
    ck_assert_int_eq(load(), STORE_DAMAGED);
    /* Put in place by hand it is a whole store; that it is an old one shows in its generation, and to the mesh. */
    char *file = scratch_read("state/store.1", &size);
    put_back(file, size);
    ck_assert_int_eq(load(), STORE_GOOD);
    ck_assert_uint_eq(store.generation, 1);
}
END_TEST

START_TEST(what_is_too_large_or_too_open_is_not_loaded)
{
    ck_assert(store_save(&store, bytes, SIZE, &problem));
    ck_assert_int_eq(store_load(&store, loaded, SIZE - 1, &n, &problem), STORE_DAMAGED);
    ck_assert_int_eq(chmod(scratch_path("state/store"), 0644), 0);
    ck_assert_int_eq(load(), STORE_DAMAGED);
    ck_assert_int_eq(unlink(scratch_path("state/store")), 0);
    scratch_text("elsewhere", "x");
    ck_assert_int_eq(symlink(scratch_path("elsewhere"), scratch_path("state/store")), 0);
    ck_assert_int_eq(load(), STORE_DAMAGED);
}
END_TEST

/* A full disk, by way of the limit on a file's size. */
START_TEST(a_failed_save_leaves_the_old_one)
{
    struct rlimit before, small = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    ck_assert(store_save(&store, bytes, 20, &problem));
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    bool saved = store_save(&store, bytes, SIZE, &problem);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert(!saved);
    ck_assert_ptr_nonnull(strstr(problem.fact, "could not write"));
    ck_assert_int_ne(access(scratch_path("state/store.tmp"), F_OK), 0);
    ck_assert_int_eq(load(), STORE_GOOD);
    ck_assert_uint_eq(n, 20);
    ck_assert_uint_eq(store.generation, 1);
    ck_assert(store_save(&store, bytes, SIZE, &problem)); /* and goes on when there is room again */
    ck_assert_uint_eq(store.generation, 2);
}
END_TEST

START_TEST(one_process_for_a_folder)
{
    struct store second;
    ck_assert(!store_open(&second, scratch_path("state"), &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "is in use"));
    store_close(&store);
    ck_assert(store_open(&store, scratch_path("state"), &problem));
}
END_TEST

START_TEST(a_folder_that_others_can_change)
{
    struct store other;
    ck_assert_int_eq(mkdir(scratch_path("open"), 0700), 0);
    ck_assert_int_eq(chmod(scratch_path("open"), 0770), 0);
    ck_assert(!store_open(&other, scratch_path("open"), &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "can be changed by other users"));
}
END_TEST

START_TEST(a_first_store_is_made_once)
{
    ck_assert(store_create(scratch_path("new"), bytes, SIZE, &problem));
    ck_assert(!store_create(scratch_path("new"), bytes, SIZE, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "exists already"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = suite_case(suite, "store");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_was_saved_is_loaded);
    tcase_add_test(tcase, cut_off_at_every_byte);
    tcase_add_test(tcase, every_byte_flipped);
    tcase_add_test(tcase, a_byte_too_many);
    tcase_add_test(tcase, a_newer_one_is_left_alone);
    tcase_add_test(tcase, the_older_copy_is_never_loaded);
    tcase_add_test(tcase, what_is_too_large_or_too_open_is_not_loaded);
    tcase_add_test(tcase, a_failed_save_leaves_the_old_one);
    tcase_add_test(tcase, one_process_for_a_folder);
    tcase_add_test(tcase, a_folder_that_others_can_change);
    tcase_add_test(tcase, a_first_store_is_made_once);
    return suite_run(suite);
}
