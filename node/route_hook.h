/* route_hook.h: runs the operator's program on events: one at a time, in order save for gates, never on the loop's thread.
 *
 *   PROGRAM EVENT <one line of JSON     as hook_user, in /, with PATH, LC_ALL and nothing else in its environment
 *
 * It has hook_timeout; then it is killed with its process group.  The first OUTPUT_MAX bytes of what it prints go to the
 * log.  Nothing waits for it and nothing depends on its exit status, with one exception: events that `gate` (see
 * route_hook_gated()), so that a virtual address is gone before PostgreSQL is started as anything but the primary.
 * A gate goes before all others that wait, and takes away a promotion that waits: PostgreSQL is held up by the one that runs
 * alone.  At most QUEUE_MAX events wait; more are dropped, and counted in the log, other than gates.
 *
 * Every event has: event, cluster, member, role, at (UTC), term.  Those about routes have primary (name, host, port) or
 * null.  docs/routing.md lists them all. */
#ifndef PGMESH_NODE_ROUTE_HOOK_H
#define PGMESH_NODE_ROUTE_HOOK_H

#include "mesh/io/folder.h"

enum route_hook_event {
    HOOK_START,      /* databases: the agent starts, no PostgreSQL runs; gates */
    HOOK_PROMOTE,    /* databases: this one is ordered to be the primary of `term` */
    HOOK_DEMOTE,     /* databases: it is not any longer; gates */
    HOOK_PRIMARY,    /* applications go elsewhere: `former` tells where they went */
    HOOK_CONFIRMED,  /* observers: a write went through at the new primary; outage_ms */
    HOOK_SWITCHOVER, /* a planned switchover begins: successor */
    HOOK_SWITCHOVER_UNDONE,
    HOOK_PAUSED, /* no automatic failover */
    HOOK_RESUMED,
};

struct route_hook;
/* Is the program fit to be run: a regular file that nobody but root and those two users can change, a user that exists?
 * true as well when none is configured. */
bool route_hook_check(const struct config *c, struct problem *err);
/* `quiet` is called on the hook's thread whenever the last gating event has ended.  The folder must outlive it.
 * Without a configured program every call below does nothing. */
struct route_hook *route_hook_open(const struct folder *f, void (*quiet)(void *arg), void *arg,
                                   struct problem *err);

/* From any thread; never blocks. */
void route_hook_self(struct route_hook *h, enum route_hook_event e, uint64_t term);
void route_hook_confirmed(struct route_hook *h, uint64_t term, uint32_t outage_ms);
/* Says what changed since the last one. */
void route_hook_route(struct route_hook *h, const struct routing *route);

/* Does an event wait or run before whose end PostgreSQL must not be started? */
bool route_hook_gated(struct route_hook *h);
/* Runs what is queued, each within its time, then ends. */
void route_hook_close(struct route_hook **h);

#endif
