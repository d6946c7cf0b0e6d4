/* observer.h: an application host's view: asks every database as an application would, and keeps the applications'
 * connection string.
 *
 * A thread asks the primary ten times a second, and the other databases every two seconds: a query that returns a nonce,
 * and pg_is_in_recovery().  The sample says when the primary of the routed term last answered.  STATE/primary.conninfo
 * always holds a libpq connection string of the primary: one line of KEYWORD=VALUE, parted by blanks, without user,
 * database and password, which are the application's:
 *
 *   host=10.0.0.2 port=5432 target_session_attrs=read-write connect_timeout=2 keepalives_idle=1 keepalives_interval=1
 *   keepalives_count=3 tcp_user_timeout=1500
 *
 * It is replaced by rename when the route changes, so a reader sees the old line or the new one; mode 0644. */
#ifndef PGMESH_NODE_OBSERVER_H
#define PGMESH_NODE_OBSERVER_H

#include "node/hand.h"

struct observer_setup {
    const struct config *config; /* must outlive the observer */
    uint8_t n_members;
    struct hand_member members[MEMBERS_MAX]; /* databases */
    void (*post)(void *arg, const struct pg_sample *sample);
    void *post_arg;
};

struct observer;
struct observer *observer_open(const struct observer_setup *setup, struct problem *err);
/* The primary that applications should use, and its term; from the loop, does not block. */
void observer_route(struct observer *o, member_id primary, uint64_t term);
void observer_close(struct observer **o);

#endif
