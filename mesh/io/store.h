/* store.h: the bytes of EFFECT_STORE on disk, under a header that shows every damage.
 *
 *    0 16  "pgmesh store ", the number of the format, NULs
 *   16  8  generation, +1 with every save
 *   24  8  length n
 *   32 32  BLAKE2b-256 over the 32 bytes before and the n bytes after
 *   64  n  bytes
 *
 * The header and its checksum are the same in every format, so that a program knows a newer store from a damaged one.  A newer one
 * is refused and left as it is: the votes in it are those of a program that can read it.
 *
 * A save writes state/store.tmp, syncs it, renames it over state/store and syncs the directory; a failure leaves the old
 * store.  The generation before is kept as state/store.1 for people to look at; it is NEVER loaded, since a voter that
 * falls back to an older promise breaks it.  state/lock is held as long as the store is open: one process per folder. */
#ifndef PGMESH_MESH_IO_STORE_H
#define PGMESH_MESH_IO_STORE_H

#include "mesh/io/file.h"
#include "policy/base.h"

struct store {
    char dir[FILE_PATH_SIZE];
    int dir_fd, lock_fd;
    uint64_t generation; /* of what was loaded or saved last */
    uint64_t saves, last_save_us, worst_save_us;
};

enum { STORE_FORMAT = 1 };
enum store_found { STORE_GOOD, STORE_MISSING, STORE_DAMAGED, STORE_NEWER };

/* Opens the folder (made with mode 0700 if it is missing) and takes the lock. */
bool store_open(struct store *s, const char *dir, struct problem *err);
/* Fills bytes (max room) and *n.  MISSING, DAMAGED: the problem says so for people; the caller starts its core with
 * `stored` NULL, which then does not vote.  What was damaged remains as store.1 after the next save.  NEWER: it must not start at
 * all, since its first save would take the votes away. */
enum store_found store_load(struct store *s, uint8_t *bytes, size_t max, size_t *n, struct problem *err);
/* Durable when it returns true. */
bool store_save(struct store *s, const uint8_t *bytes, size_t n, struct problem *err);
void store_close(struct store *s);

/* The first generation of a new member (init): refuses where a store exists. */
bool store_create(const char *dir, const uint8_t *bytes, size_t n, struct problem *err);
/* Checks a whole store file in memory; *payload points into it. */
enum store_found store_check(const uint8_t *file, size_t size, const uint8_t **payload, size_t *n,
                             uint64_t *generation, const char **why);

#endif
