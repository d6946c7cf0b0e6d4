/* observer.h: an application host's view: asks every database as an application would, and keeps the applications'
 * connection strings (route_file.h).
 *
 * A thread asks the primary ten times a second, and the other databases every two seconds: a query that returns a nonce,
 * and pg_is_in_recovery().  The sample says when the primary of the routed term last answered; a new term's primary counts
 * as answering once a write of ours was committed there.  Where a PgBouncer is configured it is driven, too
 * (route_pgbouncer.h). */
#ifndef PGMESH_NODE_OBSERVER_H
#define PGMESH_NODE_OBSERVER_H

#include "node/hand.h"

struct observer_setup {
    const struct config *config; /* must outlive the observer */
    uint8_t n_members;
    struct hand_member members[MEMBERS_MAX]; /* databases */
    void (*post)(void *arg, const struct pg_sample *sample);
    /* On the observer's thread: the first write went through in this term; EVIDENCE_NEVER when the outage before it is not
     * known. */
    void (*confirmed)(void *arg, uint64_t term, uint32_t outage_ms);
    void *post_arg;
};

struct observer;
struct observer *observer_open(const struct observer_setup *setup, struct problem *err);
/* Databases that came to the cluster since. */
void observer_members(struct observer *o, const struct hand_member *members, unsigned n);
/* Where applications should go; from the loop, does not block.  A term below one routed to before is not believed. */
void observer_route(struct observer *o, const struct routing *route);
void observer_close(struct observer **o);

#endif
