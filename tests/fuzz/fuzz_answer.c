/* A member's answers, as the inspector takes them: every command that only looks, over a document instead of a member (--from).
 * The first byte chooses the command and how it is shown.  Nothing but an exit code comes of it, whatever the document says. */
// LINK: mesh/inspect/[!m]*.c mesh/inspect/make*.c mesh/inspect/me*.c
#define _GNU_SOURCE
#define main inspect_main
#include "mesh/inspect/main.c"
#undef main
#include "mesh/io/keys.h"

#include <assert.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* A program that ends after one answer gives nothing back. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static const struct {
    const char *words[8];
} commands_over[] = {
    {{"status"}},
    {{"members"}},
    {{"links"}},
    {{"ready"}},
    {{"where"}},
    {{"history"}},
    {{"why-not"}},
    {{"simulate", "lose", "db1"}},
    {{"simulate", "cut", "fra"}},
    {{"why", "--cluster-file", "tests/cli/recorded/cluster"}},
    {{"why", "--report", "--cluster-file", "tests/cli/recorded/cluster"}},
};
enum { OVER = sizeof commands_over / sizeof commands_over[0] };

static int document(const uint8_t *data, size_t size)
{
    int fd = memfd_create("document", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static FILE *nowhere;
    char path[32], *argv[16] = {"pgmesh"};
    int argc = 1;
    if (size == 0)
        return 0;
    if (nowhere == NULL) {
        keys_begin();
        nowhere = fopen("/dev/null", "w");
    }
    int fd = document(data + 1, size - 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (const char *const *word = commands_over[data[0] % OVER].words; *word != NULL; word++)
        argv[argc++] = (char *)(uintptr_t)*word;
    argv[argc++] = "--from";
    argv[argc++] = path;
    if (data[0] / OVER % 2) {
        argv[argc++] = "--output";
        argv[argc++] = "json";
    }
    FILE *out = stdout, *errors = stderr;
    stdout = stderr = nowhere;
    int code = inspect_main(argc, argv);
    stdout = out;
    stderr = errors;
    assert(code >= 0 && code <= 8);
    close(fd);
    return 0;
}
