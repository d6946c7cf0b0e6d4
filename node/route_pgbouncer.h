/* route_pgbouncer.h: keeps a PgBouncer on this host pointed at the primary, and its clients unharmed while the primary
 * moves as planned.  A thread of its own; the loop and the observer never wait for it.
 *
 *   a planned switchover begins     PAUSE: transactions end, later ones wait inside PgBouncer, no server connection is left
 *   a higher term's primary ready   rewrite the [databases] file, RELOAD, RESUME; clients that still hang on a server that
 *                                   is not the primary after GRACE_MS: KILL, RESUME
 *   the switchover was undone,      RESUME: the old primary still is the primary
 *   or takes longer than it may
 *   the replicas changed            rewrite, RELOAD; at most once in SETTLE_MS
 *
 * It never goes back to a lower term: the term stands in the file's first line.  Before PAUSE the file
 * STATE/pgbouncer.paused is made, and removed after RESUME, so that an agent that finds it after a crash knows that the
 * pause is its own and ends it, and leaves alone what an operator has paused. */
#ifndef PGMESH_NODE_ROUTE_PGBOUNCER_H
#define PGMESH_NODE_ROUTE_PGBOUNCER_H

#include "node/hand.h"

enum { ROUTE_PGBOUNCER_SIZE = 16384 };

/* The file: for each database an entry NAME that leads to the primary, and NAME_ro that leads to the replicas with the
 * primary's port (to the primary where there is none).  The length; 0: the primary has no address. */
size_t route_pgbouncer_text(char out[static ROUTE_PGBOUNCER_SIZE], const struct routing *r,
                            const struct hand_member *members, int n, const char names[][64], int n_names);
/* The term in the first line of such a file; 0: there is none. */
uint64_t route_pgbouncer_term(const char *text);

/* Are the options complete and well formed?  true as well when no pooler is configured. */
bool route_pgbouncer_check(const struct config *c, struct problem *err);

struct route_pgbouncer;
struct route_pgbouncer_setup {
    const struct config *config;                  /* must outlive it */
    const uint8_t *n_members;                     /* the observer's: it grows when a member is added */
    const struct hand_member *members;            /* databases; as long */
    void (*told)(void *arg, enum pooler_state s); /* on its thread, whenever the state changes */
    void *arg;
};
struct route_pgbouncer *route_pgbouncer_open(const struct route_pgbouncer_setup *setup, struct problem *err);
/* From the loop; does not block. */
void route_pgbouncer_route(struct route_pgbouncer *p, const struct routing *r);
/* Ends a pause of its own first. */
void route_pgbouncer_close(struct route_pgbouncer **p);

#endif
