/* file.h: reads whole small files with suspicion, and replaces files so that a crash leaves the old or the new one. */
#ifndef PGMESH_MESH_IO_FILE_H
#define PGMESH_MESH_IO_FILE_H

#include "mesh/io/problem.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FILE_PATH_SIZE = 512, FILE_TEXT_MAX = 1024 * 1024 };

/* What a file must be besides a regular one that belongs to root or to us and that no other user can write. */
enum file_rule {
    FILE_PUBLIC = 0,
    FILE_SECRET = 1 << 0, /* not readable by group or others; FILE_ITSELF */
    FILE_TEXT = 1 << 1,   /* no NUL bytes */
    FILE_ITSELF = 1 << 2, /* not a symbolic link */
};

/* The file's n bytes and a NUL after them, to be freed by the caller; NULL and a problem when the file breaks a rule,
 * or is longer than max. */
char *file_read(const char *path, int rules, size_t max, size_t *n, struct problem *err);

/* All of it, whatever signals come; false: errno tells why. */
bool file_write_all(int fd, const void *bytes, size_t n);

/* Writes PATH.tmp, syncs it, renames it over PATH, syncs the directory.  On failure PATH is as it was. */
bool file_replace(const char *path, const void *bytes, size_t n, mode_t mode, struct problem *err);
/* The same without waiting for the disk: others see the old file or the new one; after a crash of the host it may be
 * either, or empty. */
bool file_replace_at_once(const char *path, const void *bytes, size_t n, mode_t mode, struct problem *err);

/* Renames and syncs the folder of `to`. */
bool file_rename(const char *from, const char *to, struct problem *err);

/* folder + "/" + path, or path alone when it is absolute; false when it does not fit FILE_PATH_SIZE. */
bool file_path(char out[static FILE_PATH_SIZE], const char *folder, const char *path);

#endif
