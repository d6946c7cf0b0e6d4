/* What makes a process fit: libraries go on working when the pages that only linking needed are given back; no core dump holds a
 * key; descriptors that are closed and outputs that are full do no harm. */
#define _GNU_SOURCE
#include "mesh/io/keys.h"
#include "mesh/io/process.h"
#include "tests/unit/suite.h"

#include <fcntl.h>
#include <jansson.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

static long file_pages_kb(void)
{
    char line[128];
    long kb = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssFile: %ld kB", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb;
}

/* Reads a byte of every page of every library, as linking nearly does; a sanitizer would mind the gaps between variables. */
__attribute__((no_sanitize_address)) static int touch(struct dl_phdr_info *object, size_t size, void *sum)
{
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        const volatile unsigned char *bytes = (const unsigned char *)object->dlpi_addr + p->p_vaddr;
        for (size_t at = 0; p->p_type == PT_LOAD && p->p_flags & PF_R && at < p->p_memsz; at += 4096)
            *(unsigned *)sum += bytes[at];
    }
    return 0;
}

/* Constants, relocated pointers and code of libraries that were used before. */
static void use_libraries(void)
{
    static const char text[] = "{\"a\":[1,2.5,\"x\"]}";
    struct key key;
    json_t *json = json_loads(text, 0, NULL);
    char *again = json_dumps(json, JSON_COMPACT);
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_ROUTER);
    ck_assert_str_eq(again, text);
    ck_assert_ptr_nonnull(socket);
    zmq_close(socket);
    zmq_ctx_term(context);
    free(again);
    json_decref(json);
    keys_begin();
    keys_generate(&key, NULL);
}

START_TEST(pages_that_only_linking_needed_are_given_back)
{
    unsigned sum = 0;
    dl_iterate_phdr(touch, &sum);
    long before = file_pages_kb();
    process_harden(false);
    long after = file_pages_kb();
    ck_assert_msg(after < before / 2, "%ld kB of files before, %ld after", before, after);
    use_libraries();
}
END_TEST

START_TEST(libraries_work_as_before)
{
    use_libraries();
    process_harden(false);
    use_libraries();
    process_harden(false);
    use_libraries();
}
END_TEST

/* ---- core dumps ------------------------------------------------------------------------------------------------ */

static rlim_t core_limit(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    return limit.rlim_cur;
}

/* They would hold the member's key; PostgreSQL's are its administrator's business. */
START_TEST(no_core_is_dumped_but_by_children_as_before)
{
    struct rlimit some = {.rlim_cur = 4096, .rlim_max = RLIM_INFINITY}, now;
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &now), 0);
    some.rlim_max = now.rlim_max;
    if (setrlimit(RLIMIT_CORE, &some) != 0)
        return; /* the hard limit is 0 here: there is nothing to lower */
    process_harden(false);
    ck_assert_uint_eq(core_limit(), 0);
    process_no_core(); /* the second call does not take 0 for what it was before */
    process_child();
    ck_assert_uint_eq(core_limit(), 4096);
}
END_TEST

/* ---- descriptors that are closed ----------------------------------------------------------------------------------- */

/* In a child whose descriptors from `first` to 2 are closed: what its first file would get, as an exit status. */
static int with_closed(int first, int (*what)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        for (int fd = first; fd <= 2; fd++)
            close(fd);
        process_begin();
        _exit(what());
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status), "status %x", status);
    return WEXITSTATUS(status);
}

static int next_file(void)
{
    return open("/dev/null", O_RDONLY);
}

static int say_nothing(void)
{
    return process_end("test", 7);
}

static int say_something(void)
{
    puts("something");
    return process_end("test", 0);
}

static int say_something_and_fail(void)
{
    puts("something");
    return process_end("test", 7);
}

static int read_something(void)
{
    char c;
    return read(0, &c, 1) < 0 ? 5 : 6;
}

static int say_much_on_a_full_disk(void)
{
    int fd = open("/dev/full", O_WRONLY);
    if (fd < 0 || dup2(fd, 1) != 1)
        return 99;
    for (int i = 0; i < 100000; i++) /* more than is buffered: the error comes before the end */
        puts("something");
    return process_end("test", 0);
}

START_TEST(the_first_file_is_never_taken_for_the_log)
{
    ck_assert_int_ge(with_closed(0, next_file), 3);
    ck_assert_int_ge(with_closed(2, next_file), 3);
    ck_assert_int_eq(with_closed(0, read_something), 5);
}
END_TEST

START_TEST(what_could_not_be_said_is_no_success)
{
    ck_assert_int_eq(with_closed(1, say_something), 1);
    ck_assert_int_eq(with_closed(1, say_something_and_fail), 7);
    ck_assert_int_eq(with_closed(1, say_nothing), 7);
    ck_assert_int_eq(with_closed(3, say_much_on_a_full_disk), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = suite_case(suite, "process");
    tcase_add_test(tcase, pages_that_only_linking_needed_are_given_back);
    tcase_add_test(tcase, libraries_work_as_before);
    tcase_add_test(tcase, no_core_is_dumped_but_by_children_as_before);
    tcase_add_test(tcase, the_first_file_is_never_taken_for_the_log);
    tcase_add_test(tcase, what_could_not_be_said_is_no_success);
    return suite_run(suite);
}
