/* What makes a process fit: libraries go on working when the pages that only linking needed are given back. */
#define _GNU_SOURCE
#include "mesh/io/keys.h"
#include "mesh/io/process.h"
#include "tests/unit/suite.h"

#include <jansson.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
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

int main(void)
{
    Suite *suite = suite_create("process");
    TCase *tcase = suite_case(suite, "process");
    tcase_add_test(tcase, pages_that_only_linking_needed_are_given_back);
    tcase_add_test(tcase, libraries_work_as_before);
    return suite_run(suite);
}
