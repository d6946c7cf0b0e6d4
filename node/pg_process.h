/* pg_process.h: the postmaster as a process: started inside the fence as PostgreSQL's user, watched by a pidfd, stopped,
 * killed, and confirmed dead to the last process; and what its directory says while nobody runs. */
#ifndef PGMESH_NODE_PG_PROCESS_H
#define PGMESH_NODE_PG_PROCESS_H

#include <sys/types.h>

#include "mesh/io/problem.h"
#include "mesh/pg.h"

struct hand;

/* What pg_controldata says. */
struct pg_control {
    uint64_t system_id;
    uint32_t timeline; /* of the last WAL that this directory is known to hold */
    lsn_t lsn;         /* a lower bound of its end */
    bool clean;        /* "shut down" or "shut down in recovery" */
    bool standby;      /* "in archive recovery" or "shut down in recovery": a promotion has not finished */
    bool rewindable;   /* wal_log_hints or checksums */
    uint32_t segment_bytes;
    uint32_t max_connections, max_worker_processes, max_wal_senders, max_prepared,
        max_locks; /* the primary's */
};
bool pg_process_control(struct hand *h, struct pg_control *out, struct problem *err);
/* The highest id of which pg_wal holds a .history file. */
uint32_t pg_process_timeline_max(struct hand *h);

/* Can we run at all: programs, paths.  Whether they are of the version of the data is asked at each start. */
bool pg_process_check(struct hand *h, struct problem *err);
/* At the hand's start: takes over a postmaster of an earlier agent, or reads what lies there. */
void pg_process_find(struct hand *h);
/* Looks at the directory again: ABSENT, DOWN or BROKEN, with all the sample says of a stopped server. */
void pg_process_look(struct hand *h);

/* A live postmaster of this directory that we did not start; 0: none. */
pid_t pg_process_foreign(struct hand *h);
/* May it be stopped?  Once in a member's life, when it is to adopt what it finds. */
bool pg_process_adopts(struct hand *h);
/* Stops that one in order (adopting); true when it is gone. */
bool pg_process_stop_foreign(struct hand *h, pid_t pid);

/* Forks the postmaster; configuration and signal file must stand.  The phase is STARTING afterwards. */
bool pg_process_start(struct hand *h, bool primary, struct problem *err);
/* standby.signal there (durably), or not. */
bool pg_process_signal_file(struct hand *h, bool present, struct problem *err);
bool pg_process_has_signal_file(struct hand *h);
/* Re-read the configuration. */
void pg_process_reload(struct hand *h);

/* Keeps PostgreSQL's log in the state folder below some size: at most twice as much with what was there before. */
void pg_process_trim_log(struct hand *h);
/* The last FATAL or PANIC in PostgreSQL's log; "" when there is none near its end. */
void pg_process_last_words(struct hand *h, char *out, size_t size);
/* Has the postmaster ended?  If so: kills what it left, reaps, disarms the guard; the phase is DOWN. */
bool pg_process_ended(struct hand *h);
/* Fences: every process, at once.  true when none is left (phase DOWN), false: some remain (phase STOPPING). */
bool pg_process_kill(struct hand *h, int wait_ms);

/* Syncs a directory; the whole file system below a new tree, at once (PostgreSQL's programs sync file by file). */
bool pg_process_sync_dir(const char *path);
bool pg_process_sync_tree(const char *path);
/* Removes a tree, or moves it: never follows a symbolic link out of it. */
bool pg_process_remove_tree(const char *path);

/* Small durable facts of the hand in state_dir: hand.NAME holding one line; NULL removes. */
bool pg_process_note(struct hand *h, const char *name, const char *text);
bool pg_process_noted(struct hand *h, const char *name, char *text, size_t size);

#endif
