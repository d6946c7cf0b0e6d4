/* loop.h: the only place that waits.  Owns the cores of one or more clusters, their transport, store, journal and
 * control socket; stamps events with time and randomness; performs effects in order.
 *
 * One turn: wait until something arrives or a deadline comes; drain ALL input (bounded per turn), and only then judge
 * deadlines with EVENT_TICK, so that one's own lateness is never a peer's death (libzmq and czmq both run
 * timers before they read).
 *
 * A STORE that fails drops the SENDs after it and halts that cluster: a voter that cannot write does not vote.  A
 * process with one cluster then returns from loop_run(); a witness with several goes on with the others and tries the
 * halted one again, as a new start, every ten seconds. */
#ifndef PGMESH_MESH_IO_LOOP_H
#define PGMESH_MESH_IO_LOOP_H

#include "mesh/io/folder.h"

/* The hand on PostgreSQL and on routes.  Called on the loop's thread, in the order of the effects; must not block.
 * Each may be NULL.  The first calls come out of loop_open() already: a hand with threads of its own starts those that
 * post samples when loop_open() has returned. */
struct loop_hand {
    void *arg;
    void (*lease)(void *arg, instant until, uint64_t term); /* instant_never(): no lease is held */
    void (*goal)(void *arg, const struct pg_goal *goal);
    void (*roster)(void *arg); /* the folder's cluster has more members, or revoked ones */
    void (*sync)(void *arg, const struct pg_sync_order *order);
    void (*route)(void *arg, const struct routing *route);
};

enum { LOOP_CLUSTERS_MAX = 256 };
struct loop_options {
    const char *program; /* for messages */
    int n;
    struct folder *folders[LOOP_CLUSTERS_MAX]; /* stay the caller's, and must outlive the loop */
    struct loop_hand hands[LOOP_CLUSTERS_MAX]; /* all zero for a witness */
    bool realtime;                             /* ZeroMQ's threads; the calling thread: process_harden() */
};

enum loop_end {
    LOOP_STOPPED, /* loop_stop() */
    LOOP_FAILED,  /* the store could not be written */
    LOOP_FATAL,   /* EFFECT_FATAL: a twin; not to be started again without a person */
};

struct loop;
/* Takes the locks, loads the stores, binds the sockets, starts the cores (their first effects are performed here, the
 * hands included).  NULL and a problem when the only cluster cannot start; of several, one that cannot is logged and tried
 * again like one that halted. */
struct loop *loop_open(const struct loop_options *options, struct problem *err);
/* Until loop_stop(), or until no cluster runs. */
enum loop_end loop_run(struct loop *loop);
void loop_close(struct loop **loop);

/* From any thread: the newest sample of that cluster's PostgreSQL; replaces one not yet looked at. */
void loop_post_sample(struct loop *loop, int cluster, const struct pg_sample *sample);
/* From any thread or a signal handler. */
void loop_stop(struct loop *loop);

#endif
