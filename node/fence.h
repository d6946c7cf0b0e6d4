/* fence.h: stopping PostgreSQL so that it acknowledges nothing, whatever state it is in (docs/protocol.md, "The fence").
 *
 * A fence knows one PostgreSQL: the processes in one cgroup v2, or, where no cgroup can be had, the processes named
 * `postgres` whose working directory is the data directory, with all that descends from them.  Killing the postmaster
 * alone fences nothing: orphaned backends go on acknowledging commits.  So
 *
 *   with a cgroup      freeze, thaw and kill take every process at once; they work on frozen processes too
 *   without (ladder)   SIGSTOP the postmaster, SIGKILL all others, SIGKILL the postmaster; look again until none is left
 *
 * The guard links this file; it wants nothing but the kernel: no allocation, no libpq, no ZeroMQ. */
#ifndef PGMESH_NODE_FENCE_H
#define PGMESH_NODE_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FENCE_PATH = 512 };

struct fence {
    char cgroup[FENCE_PATH];   /* absolute path of the child cgroup; empty: the ladder */
    char data_dir[FENCE_PATH]; /* for the ladder */
};

/* Makes the fence.  `spec` is "auto", "none" or the path of a cgroup v2 in which to make the child cgroup `name`.
 * "auto" looks for a cgroup2 mount in /proc/self/mountinfo and falls back to the ladder, then `note` says why; only an
 * explicit path that does not work is an error (false). */
bool fence_open(struct fence *f, const char *spec, const char *name, const char *data_dir, char *note,
                size_t note_size);
/* Uses a cgroup made by another process (the guard); "" is the ladder. */
void fence_attach(struct fence *f, const char *cgroup, const char *data_dir);
/* Removes an empty cgroup. */
void fence_close(struct fence *f);

/* The descriptor through which a child puts itself into the cgroup by writing "0"; -1 for the ladder or on error. */
int fence_entry_fd(const struct fence *f);

/* Asks for the stop of every process; fence_is_frozen() tells when it has happened. */
bool fence_freeze(const struct fence *f);
bool fence_is_frozen(const struct fence *f);
bool fence_thaw(const struct fence *f);

/* Kills every process, frozen or not, and waits at most `wait_ms` until none is left.  true: confirmed, none is left.
 * false: some stay (stuck in the kernel); what they do can no longer reach a client. */
bool fence_kill(const struct fence *f, int wait_ms);

/* Is any process inside? */
bool fence_is_empty(const struct fence *f);
/* Is that process inside? */
bool fence_has(const struct fence *f, pid_t pid);
/* The processes inside, the first `max` of them; how many. */
int fence_list(const struct fence *f, pid_t *pids, int max);

#endif
