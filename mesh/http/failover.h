/* failover.h: the documents that an application's failover manager reads: state, databases, counts, history. */
#ifndef PGMESH_HTTP_FAILOVER_H
#define PGMESH_HTTP_FAILOVER_H

#include "mesh/http/route.h"

route_answer failover_status, failover_metrics, failover_health, failover_history, failover_patroni_history,
    failover_events, failover_member;

enum health_state failover_state(const struct http *h, int64_t wall_us);

/* What the history holds. */
struct failover_counts {
    uint64_t failovers; /* terms whose primary was lost */
    uint64_t planned;   /* terms that were handed over: switchovers, crashes on a living host */
    const struct json_t *last;
};
struct failover_counts failover_counts(const struct http *h);
/* Milliseconds that a takeover took in a member's own eyes, judged until ready; -1: it saw not all of it. */
long long failover_took_ms(const struct json_t *row);

#endif
