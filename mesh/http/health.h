/* health.h: the health checks that load balancers ask, as Patroni names them, answered from the lease itself. Pure.
 *
 * A primary is a member that holds the lease *now* and is ready; not one that was promoted some time ago. */
#ifndef PGMESH_HTTP_HEALTH_H
#define PGMESH_HTTP_HEALTH_H

#include "mesh/io/view.h"

enum health_check {
    HEALTH_PRIMARY,        /* holds the lease and is ready */
    HEALTH_REPLICA,        /* a standby that serves reads, behind by no more than the limit */
    HEALTH_READ_ONLY,      /* either */
    HEALTH_STANDBY_LEADER, /* there is none */
    HEALTH_SYNC,           /* a standby whose word commits wait for */
    HEALTH_ASYNC,          /* one whose word they do not */
    HEALTH_RUNNING,        /* PostgreSQL runs; on a member without a database: the member does */
    HEALTH_LIVENESS,       /* the member's loop answers */
    HEALTH_READINESS, /* primary, or a standby that streams; without a database: sees a primary that serves */
};

struct health_limits {
    long long lag_bytes, lag_ms; /* -1: none */
};

/* What is asked of.  `lease_left_ms` as of now (0: not held), not as of the answer. */
bool health_good(enum health_check check, const struct view *v, long long lease_left_ms,
                 const struct health_limits *limits);

/* Does this very member serve as primary now? */
bool health_is_primary(const struct view *v, long long lease_left_ms);

/* "10MB", "512kB", "1048576", "1GB" in bytes; -1: it is none of these. */
long long health_bytes(const char *text);
/* "100ms", "2s", or a bare number of milliseconds; -1. */
long long health_ms(const char *text);

/* The state of the whole, as this member sees it. */
enum health_state {
    STATE_UNKNOWN,
    STATE_HEALTHY,
    STATE_DEGRADED,
    STATE_FAILOVER_IN_PROGRESS,
    STATE_FAILOVER_COMPLETE,
    STATE_RECOVERY_IN_PROGRESS,
    STATE_COUNT
};
const char *health_state_name(enum health_state s);
/* `since_takeover_ms`: since the present term's takeover was decided, -1 unknown. */
enum health_state health_state(const struct view *v, long long since_takeover_ms);

/* A database that does what it should: the serving primary, or a standby that streams. */
bool health_database(const struct view *v, const struct view_member *m);

#endif
