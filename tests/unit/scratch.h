/* scratch.h: a folder of its own for each test, removed after it. */
#ifndef PGMESH_TESTS_UNIT_SCRATCH_H
#define PGMESH_TESTS_UNIT_SCRATCH_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char scratch[64];

static int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static inline void scratch_open(void)
{
    strcpy(scratch, "/tmp/pgmesh-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static inline void scratch_close(void)
{
    nftw(scratch, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A path in the folder; the last eight stay valid. */
static inline const char *scratch_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch, name);
    return path;
}

static inline void scratch_write(const char *name, const void *bytes, size_t n, mode_t mode)
{
    FILE *f = fopen(scratch_path(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(scratch_path(name), mode), 0);
}

static inline void scratch_text(const char *name, const char *text)
{
    scratch_write(name, text, strlen(text), 0644);
}

static inline char *scratch_read(const char *name, size_t *n)
{
    static char bytes[256 * 1024];
    FILE *f = fopen(scratch_path(name), "rb");
    ck_assert_ptr_nonnull(f);
    *n = fread(bytes, 1, sizeof bytes - 1, f);
    bytes[*n] = '\0';
    fclose(f);
    return bytes;
}

#endif
