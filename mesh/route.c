/* route.c: where applications should go (docs/routing.md): the primary of the highest term that was ever ready, whether
 * poolers should hold their clients back, and which standbys may serve readers.
 *
 *   primary    changes when the decided record's primary says that it is ready, never by its absence: a route to nobody
 *              helps no one, and whoever is routed to must hold the lease
 *   successor  from the decision of a planned switchover until the next term's primary is ready, or until the record
 *              says no more that one is under way and the old primary is ready again
 *   replicas   with hysteresis: in below half of the limit, out above it; while no primary is ready nobody can stream,
 *              so those that were in stay as long as they are heard */
#include "mesh/core_state.h"

#include <string.h>

bool routing_equal(const struct routing *a, const struct routing *b)
{
    return a->term == b->term && a->primary == b->primary && a->successor == b->successor &&
           a->hold_ms == b->hold_ms && a->paused == b->paused && a->n_replicas == b->n_replicas &&
           memcmp(a->replicas, b->replicas, a->n_replicas * sizeof a->replicas[0]) == 0;
}

/* Is the decided record's primary ready in that term, as far as is known here? */
static bool primary_ready(const struct core *c)
{
    const struct record *r = decided(c);
    int i = member_index(c, r->primary);
    if (is_primary(c))
        return c->hold.ready;
    return i >= 0 && peer_fresh(c, i, span_ms(4 * (int64_t)c->set.lease_ms)) && c->peers[i].beat.pg.ready &&
           c->peers[i].beat.decided_term == r->term;
}

static bool was_replica(const struct routing *r, member_id id)
{
    for (int i = 0; i < r->n_replicas; i++)
        if (r->replicas[i] == id)
            return true;
    return false;
}

/* What is known of a member's PostgreSQL; false when it is not heard. */
static bool report_of(const struct core *c, int i, struct pg_report *g)
{
    if (i == c->self_index) {
        *g = (struct pg_report){.phase = c->sample.phase,
                                .streaming = c->sample.upstream != MEMBER_NONE,
                                .lsn = c->sample.lsn,
                                .replay_lsn = c->sample.replay_lsn,
                                .system_id = c->sample.system_id};
        return true;
    }
    *g = c->peers[i].beat.pg;
    return peer_fresh(c, i, span_ms(c->set.lease_ms));
}

static void replicas(const struct core *c, struct routing *to, bool ready)
{
    const struct record *r = decided(c);
    struct pg_report primary = {0}, g;
    int at = member_index(c, r->primary);
    to->n_replicas = 0;
    memset(to->replicas, 0, sizeof to->replicas);
    if (at >= 0 && !report_of(c, at, &primary))
        ready = false; /* it was, when it was heard last */
    for (int i = 0; i < c->n_members; i++) {
        member_id id = c->members[i].id;
        bool was = was_replica(&c->route, id);
        if (id == r->primary || !record_is_database(r, id) || !report_of(c, i, &g) || g.phase != PG_RECOVERY)
            continue;
        lsn_t limit = (lsn_t)c->set.replica_lag_kb * 1024 / (was ? 1 : 2);
        bool near = g.streaming && g.system_id == r->system_id && g.replay_lsn + limit >= primary.lsn;
        if (ready ? near : was)
            to->replicas[to->n_replicas++] = id;
    }
}

void route_drive(struct core *c)
{
    const struct record *r = decided(c);
    struct routing now = c->route;
    bool ready = primary_ready(c);
    if (ready && r->term > now.term) {
        now.term = r->term;
        now.primary = r->primary;
        now.successor = MEMBER_NONE;
    }
    if (r->term == now.term && r->switchover_to != MEMBER_NONE && r->switchover_from == r->primary) {
        now.successor = r->switchover_to;
        now.hold_ms = r->switchover_deadline_ms;
    } else if (r->term == now.term && ready) {
        now.successor = MEMBER_NONE;
    }
    if (now.successor == MEMBER_NONE)
        now.hold_ms = 0;
    now.paused = r->paused;
    if (now.term)
        replicas(c, &now, ready);
    if (routing_equal(&now, &c->route))
        return;
    c->route = now;
    effect_add(c, EFFECT_ROUTE)->route = now;
}
