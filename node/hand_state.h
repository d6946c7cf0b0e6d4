/* hand_state.h: what the hand's own files share.  Nobody else includes it.
 *
 * `lock` guards everything below it; the worker alone changes phase, postmaster and configuration, so it may read them
 * without the lock. */
#ifndef PGMESH_NODE_HAND_STATE_H
#define PGMESH_NODE_HAND_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "node/hand.h"
#include "node/hand_told.h"
#include "node/pg_config.h"

enum { HAND_THREADS = 4, HAND_GROUPS = 64 };
enum { HAND_NUDGE_WRITER, HAND_NUDGE_FRESH, HAND_NUDGE_STATUS, HAND_NUDGES };

struct hand {
    struct hand_setup setup;
    const struct config *config;
    unsigned uid, gid; /* of `user` */
    int n_groups;
    unsigned groups[HAND_GROUPS];
    bool drop; /* we are root: children become `user` */

    int wake;               /* eventfd for the worker */
    int nudge[HAND_NUDGES]; /* eventfds: look again now */
    _Atomic bool interrupt; /* the goal under way is no longer wanted */
    _Atomic bool closing;
    _Atomic bool members_news; /* pg_hba lacks the newest members */
    pthread_t threads[HAND_THREADS];
    int n_threads;

    /* the worker's own */
    struct pg_goal goal;         /* being worked on */
    pid_t postmaster;            /* 0: none */
    int postmaster_fd;           /* pidfd */
    bool started_primary;        /* without standby.signal */
    struct pg_config_state conf; /* as last written */
    bool conf_known;
    dir_id dir_done;           /* the last clone or rewind that was completed, from disk */
    void *control, *walsender; /* kept connections (PGconn): SQL, and the replication protocol */
    instant retry_at, phase_since, crashed_at, upkeep_at, checkpointed, sealed_at;
    instant stop_slow; /* when a stop that takes long was last looked at; never: not yet */
    int failures;
    struct hand_told told;
    instant fed;   /* when a standby last had a receiver that streams, or was asked about */
    bool ended;    /* a server that we ran */
    bool barred;   /* ... and its directory is marked as a standby's since */
    int stillborn; /* servers in a row that ended before they answered */
    bool reached;  /* the goal, in this state: */
    int reached_state;
    uint64_t promote_asked; /* goal term for which pg_promote was called */
    bool slots_done;
    int server_major; /* of bin_dir/postgres, while it is the file that was asked; 0: unknown */
    uint64_t server_inode;
    int64_t server_made; /* when that file was changed, seconds */

    pthread_mutex_t lock;
    struct pg_goal wanted;
    bool has_wanted;
    struct pg_sync_order order;
    bool has_order;
    bool stop;
    bool shut_down; /* the order of hand_stop() is done */
    struct pg_sample sample;
    instant posted, changed;
    instant receiver_heard; /* when its last message was seen to change */
    bool receiver_known;
    bool writer_ok, fresh_ok;
    bool blind; /* PostgreSQL refuses our sessions */
    instant writer_since, fresh_since;
};

/* ---- samples: change fields of h->sample between these two; the second posts */
void hand_edit(struct hand *h);
void hand_post(struct hand *h);
/* Phase, and all that goes with leaving the old one. */
void hand_phase(struct hand *h, enum pg_phase phase);
/* Progress with a text for people ("" keeps the last). */
void hand_progress(struct hand *h, enum pg_progress progress, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
enum pg_phase hand_phase_now(struct hand *h);

/* Waits for `fd` (-1: none), a new goal, or the time; true unless interrupted.  For the worker only. */
bool hand_wait(struct hand *h, int fd, short events, int timeout_ms);

const struct hand_member *hand_member(const struct hand *h, member_id id);
/* DIR/NAME into out; false when it does not fit. */
bool hand_path(char out[static FILE_PATH_SIZE], const char *dir, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int64_t hand_ms_since(instant t);

#endif
