#define _GNU_SOURCE
#include "mesh/io/store.h"

#include "mesh/io/clock.h"
#include "mesh/io/file.h"
#include "mesh/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 64, AT_GENERATION = 16, AT_LENGTH = 24, AT_HASH = 32, STORE_MAX = 1024 * 1024 };

static const char magic[] = "pgmesh store ";
static const char file_name[] = "store", temporary_name[] = "store.tmp", previous_name[] = "store.1";

static void put_be64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get_be64(const uint8_t *in)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | in[i];
    return value;
}

static void put_format(uint8_t head[static AT_GENERATION])
{
    snprintf((char *)head, AT_GENERATION, "%s%d", magic, STORE_FORMAT);
}

/* 0: it does not begin like a store. */
static int get_format(const uint8_t head[static AT_GENERATION])
{
    uint8_t again[AT_GENERATION] = {0};
    char number[AT_GENERATION + 1 - (sizeof magic - 1)] = {0};
    memcpy(number, head + sizeof magic - 1, sizeof number - 1);
    int format = (int)strtol(number, NULL, 10);
    snprintf((char *)again, sizeof again, "%s%d", magic, format);
    return format > 0 && memcmp(again, head, sizeof again) == 0 ? format : 0;
}

/* The checksum stands between what it covers; it is computed with its own place left out. */
static bool checksum(uint8_t hash[static HASH_SIZE], const uint8_t *head, const uint8_t *bytes, size_t n)
{
    uint8_t *covered = malloc(AT_HASH + n);
    if (covered == NULL)
        return false;
    memcpy(covered, head, AT_HASH);
    memcpy(covered + AT_HASH, bytes, n);
    sign_hash(hash, covered, AT_HASH + n);
    free(covered);
    return true;
}

enum store_found store_check(const uint8_t *file, size_t size, const uint8_t **payload, size_t *n,
                             uint64_t *generation, const char **why)
{
    uint8_t hash[HASH_SIZE];
    *why = "it is shorter than its header";
    if (size < HEAD)
        return STORE_DAMAGED;
    *why = "it does not begin like a store";
    int format = get_format(file);
    if (format == 0)
        return STORE_DAMAGED;
    *why = "its length is not the one that its header states";
    if (get_be64(file + AT_LENGTH) != size - HEAD)
        return STORE_DAMAGED;
    *why = "its checksum does not match";
    if (!checksum(hash, file, file + HEAD, size - HEAD) || memcmp(hash, file + AT_HASH, HASH_SIZE) != 0)
        return STORE_DAMAGED;
    *why = "a newer version of pgmesh has written it";
    if (format > STORE_FORMAT)
        return STORE_NEWER;
    *payload = file + HEAD;
    *n = size - HEAD;
    *generation = get_be64(file + AT_GENERATION);
    *why = NULL;
    return STORE_GOOD;
}

/* ---- the folder ---------------------------------------------------------------------------------------------------- */

static bool open_folder(struct store *s, const char *dir, struct problem *err)
{
    struct stat st;
    *s = (struct store){.dir_fd = -1, .lock_fd = -1};
    if (snprintf(s->dir, sizeof s->dir, "%s", dir) >= (int)sizeof s->dir)
        return problem_fact(err, "\"%.100s...\": the path is too long", dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return problem_fact(err, "could not create \"%s\": %s", dir, strerror(errno));
    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0 || fstat(s->dir_fd, &st) != 0)
        return problem_fact(err, "could not open \"%s\": %s", dir, strerror(errno));
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH))) {
        problem_fact(err, "\"%s\" can be changed by other users", dir);
        problem_detail(err, "Its owner is uid %u and its mode %04o.", (unsigned)st.st_uid,
                       (unsigned)st.st_mode & 07777);
        return problem_hint(err, "Votes lie there: give it to the user that runs pgmesh, with mode 0700.");
    }
    return true;
}

bool store_open(struct store *s, const char *dir, struct problem *err)
{
    if (!open_folder(s, dir, err)) {
        store_close(s);
        return false;
    }
    s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock_fd < 0)
        problem_fact(err, "could not open \"%s/lock\": %s", dir, strerror(errno));
    else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        problem_fact(err, "\"%s\" is in use", dir);
        problem_detail(
            err, errno == EWOULDBLOCK ? "Another process holds \"%s/lock\"." : "Locking \"%s/lock\" failed.",
            dir);
        problem_hint(err, "A member runs once. Stop the other process first; \"fuser %s/lock\" names it.",
                     dir);
    } else
        return true;
    store_close(s);
    return false;
}

void store_close(struct store *s)
{
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    s->lock_fd = s->dir_fd = -1;
}

/* ---- loading -------------------------------------------------------------------------------------------------------- */

static enum store_found damaged(const struct store *s, const char *why, struct problem *err)
{
    problem_fact(err, "\"%s/%s\" is damaged", s->dir, file_name);
    problem_detail(err, "%s. This member does not vote until it is admitted again.", why);
    problem_hint(err, "Do not put an older copy in its place: a voter that forgets a promise breaks it. "
                      "\"pgmesh status\" shows when it is admitted.");
    return STORE_DAMAGED;
}

static enum store_found newer(const struct store *s, const char *why, struct problem *err)
{
    problem_fact(err, "\"%s/%s\" is of a later format than this program reads", s->dir, file_name);
    problem_detail(err, "It is whole: %s. It is left as it is, and this member does not start.", why);
    problem_hint(err, "Install that version again: the votes are in this file. Do not remove it.");
    return STORE_NEWER;
}

enum store_found store_load(struct store *s, uint8_t *bytes, size_t max, size_t *n, struct problem *err)
{
    char path[FILE_PATH_SIZE + 8];
    const uint8_t *payload;
    const char *why;
    size_t size;
    struct problem reading;

    if (faccessat(s->dir_fd, file_name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT) {
        problem_fact(err, "\"%s/%s\" is missing", s->dir, file_name);
        problem_detail(err, "This member does not vote until it is admitted again.");
        problem_hint(
            err, "An operator lets it vote again: pgmesh readmit MEMBER. Never copy a store from elsewhere.");
        return STORE_MISSING;
    }
    snprintf(path, sizeof path, "%s/%s", s->dir, file_name);
    uint8_t *file = (uint8_t *)file_read(path, FILE_SECRET, STORE_MAX, &size, &reading);
    if (file == NULL)
        return damaged(s, reading.fact, err);
    enum store_found found = store_check(file, size, &payload, n, &s->generation, &why);
    if (found == STORE_GOOD && *n > max) {
        found = STORE_DAMAGED;
        why = "it is larger than any store of this version";
    }
    if (found == STORE_GOOD)
        memcpy(bytes, payload, *n);
    else if (found == STORE_NEWER)
        newer(s, why, err);
    else
        damaged(s, why, err);
    free(file);
    return found;
}

/* ---- saving --------------------------------------------------------------------------------------------------------- */

static bool write_temporary(struct store *s, const uint8_t *bytes, size_t n)
{
    uint8_t head[HEAD] = {0};
    put_format(head);
    put_be64(head + AT_GENERATION, s->generation + 1);
    put_be64(head + AT_LENGTH, n);
    if (!checksum(head + AT_HASH, head, bytes, n)) {
        errno = ENOMEM;
        return false;
    }
    int fd = openat(s->dir_fd, temporary_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool good = file_write_all(fd, head, sizeof head) && file_write_all(fd, bytes, n) && fdatasync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && good) {
        good = false;
        why = errno;
    }
    errno = why;
    return good;
}

bool store_save(struct store *s, const uint8_t *bytes, size_t n, struct problem *err)
{
    instant began = clock_now();
    bool renamed = false;
    bool good = n <= STORE_MAX - HEAD && write_temporary(s, bytes, n);
    if (good) {
        /* For people only, so its failure is none of ours. */
        unlinkat(s->dir_fd, previous_name, 0);
        if (linkat(s->dir_fd, file_name, s->dir_fd, previous_name, 0) != 0)
            errno = 0;
        renamed = good = renameat(s->dir_fd, temporary_name, s->dir_fd, file_name) == 0;
    }
    good = good && fsync(s->dir_fd) == 0;
    if (!good) {
        int why = errno;
        if (!renamed)
            unlinkat(s->dir_fd, temporary_name, 0);
        problem_fact(err, "could not write \"%s/%s\": %s", s->dir, file_name, strerror(why));
        problem_detail(err, "A vote that is not on disk is not given.");
        return problem_hint(
            err, "Look at the disk (df, df -i, dmesg); the member goes on once it is started again.");
    }
    s->generation++;
    s->saves++;
    s->last_save_us = (uint64_t)span_to_us(instant_elapsed_most(clock_now(), began));
    if (s->last_save_us > s->worst_save_us)
        s->worst_save_us = s->last_save_us;
    return true;
}

bool store_create(const char *dir, const uint8_t *bytes, size_t n, struct problem *err)
{
    struct store s;
    if (!store_open(&s, dir, err))
        return false;
    bool good = faccessat(s.dir_fd, file_name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    if (!good) {
        problem_fact(err, "\"%s/%s\" exists already", dir, file_name);
        problem_hint(err, "A member's votes are never made anew over old ones.");
    }
    good = good && store_save(&s, bytes, n, err);
    store_close(&s);
    return good;
}
