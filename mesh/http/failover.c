#include "mesh/http/failover.h"

#include "mesh/io/clock.h"
#include "mesh/io/json.h"

#include <string.h>

static json_t *text_or_null(const char *s)
{
    return *s != '\0' ? json_string(s) : json_null();
}

static json_t *number_or_null(long long n)
{
    return n >= 0 ? json_integer(n) : json_null();
}

static json_t *when_or_null(int64_t at_us)
{
    char when[CLOCK_TEXT_SIZE];
    return at_us > 0 ? json_string(clock_print(when, at_us)) : json_null();
}

/* ---- what the history says -------------------------------------------------------------------------------------------- */

static bool is_kind(const json_t *row, const char *kind)
{
    return strcmp(json_text(row, "kind"), kind) == 0;
}

struct failover_counts failover_counts(const struct http *h)
{
    struct failover_counts counts = {0};
    size_t i;
    json_t *row;
    json_array_foreach(h->snapshot.history, i, row)
    {
        bool failover = is_kind(row, "failover"),
             planned = is_kind(row, "switchover") || is_kind(row, "handover");
        counts.failovers += failover;
        counts.planned += planned;
        if (failover || planned)
            counts.last = row;
    }
    return counts;
}

long long failover_took_ms(const json_t *row)
{
    long long judged = json_number(row, "judged_ms", -1), ready = json_number(row, "ready_ms", -1);
    return judged >= 0 && ready >= 0 ? judged + ready : -1;
}

/* Since the present term's takeover, -1: there was none that this member knows. */
static long long since_ms(const struct http *h, int64_t wall_us)
{
    const json_t *last = failover_counts(h).last;
    int64_t at = json_number(last, "at_us", 0);
    bool present = last != NULL && (uint64_t)json_number(last, "term", 0) == h->snapshot.view.term;
    return present && at > 0 && wall_us >= at ? (wall_us - at) / 1000 : -1;
}

enum health_state failover_state(const struct http *h, int64_t wall_us)
{
    return h->snapshot.status != NULL ? health_state(&h->snapshot.view, since_ms(h, wall_us)) : STATE_UNKNOWN;
}

/* ---- databases -------------------------------------------------------------------------------------------------------- */

/* There and back: to ourselves by the control socket, to others over our own link.  -1: not measured. */
static long long response_ms(const struct http *h, const struct view_member *m)
{
    const struct view_member *self = view_find(&h->snapshot.view, h->snapshot.view.self);
    size_t i;
    json_t *one;
    if (m->is_self)
        return (h->snapshot.answer_us + 999) / 1000;
    json_array_foreach(self != NULL ? json_object_get(self->json, "hears") : NULL, i, one)
    {
        long long us = json_number(one, "rtt_us", -1);
        if (strcmp(json_text(one, "name"), m->name) == 0 && us >= 0)
            return (us + 999) / 1000;
    }
    return -1;
}

static json_t *database_json(const struct http *h, const struct view_member *m, int64_t wall_us)
{
    const struct view *v = &h->snapshot.view;
    const struct watch_database *d = watch_find(&h->watch, m->name);
    bool healthy = health_database(v, m);
    int64_t checked = m->heard_ms >= 0 ? wall_us - m->heard_ms * 1000 : 0;
    json_t *out = json_pack("{s:s, s:s, s:b, s:o, s:I, s:o, s:o}", "name", m->name, "site", m->site,
                            "healthy", (int)healthy, "lastHealthCheck", when_or_null(checked), "failureCount",
                            (json_int_t)(d != NULL && !healthy ? d->failures : 0), "responseTime",
                            number_or_null(response_ms(h, m)), "downSince",
                            when_or_null(d != NULL && !healthy ? d->down_since_us : 0));
    if (m->is_primary)
        return out;
    json_object_set_new(out, "promotionEligible",
                        json_boolean(healthy && *view_barred(m) == '\0' && json_flag(m->json, "streaming")));
    json_object_set_new(out, "lagBytes", number_or_null(m->lag_bytes));
    json_object_set_new(out, "lagMs", number_or_null(m->lag_ms));
    return out;
}

static json_t *databases_json(const struct http *h, int64_t wall_us, json_t **primary)
{
    const struct view *v = &h->snapshot.view;
    json_t *standbys = json_array();
    *primary = NULL;
    for (int i = 0; i < v->n; i++) {
        const struct view_member *m = &v->members[i];
        if (strcmp(m->role, "database") != 0)
            continue;
        if (m->is_primary)
            *primary = database_json(h, m, wall_us);
        else
            json_array_append_new(standbys, database_json(h, m, wall_us));
    }
    if (*primary == NULL)
        *primary = json_null();
    return standbys;
}

/* ---- documents -------------------------------------------------------------------------------------------------------- */

static json_t *last_json(const json_t *row)
{
    if (row == NULL)
        return json_null();
    return json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:o}", "term", json_object_get(row, "term"), "at",
                     json_object_get(row, "at"), "from", json_object_get(row, "from"), "to",
                     json_object_get(row, "primary"), "kind", json_object_get(row, "kind"), "durationMs",
                     number_or_null(failover_took_ms(row)));
}

void failover_status(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    const struct view *v = &h->snapshot.view;
    int64_t wall_us = clock_wall_us();
    json_t *primary, *standbys = databases_json(h, wall_us, &primary);
    (void)route;
    out->status = 200;
    out->json = json_pack("{s:s, s:s, s:s, s:I, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:I}", "state",
                          health_state_name(failover_state(h, wall_us)), "cluster", v->cluster, "member",
                          v->self, "term", (json_int_t)v->term, "currentPrimary",
                          v->serving ? text_or_null(v->primary) : json_null(), "autoFailover", !v->paused,
                          "paused", (int)v->paused, "pausedWhy", text_or_null(v->paused_why), "primary",
                          primary, "standbys", standbys, "lastFailover", last_json(failover_counts(h).last),
                          "ageMs", (json_int_t)snapshot_age_ms(&h->snapshot, r->now));
}

void failover_health(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    const struct view *v = &h->snapshot.view;
    int64_t wall_us = clock_wall_us();
    json_t *primary, *standbys = databases_json(h, wall_us, &primary);
    (void)r, (void)route;
    out->status = v->serving ? 200 : 503;
    out->json = json_pack("{s:b, s:b, s:s, s:o, s:o}", "healthy", (int)v->healthy, "serving", (int)v->serving,
                          "state", health_state_name(failover_state(h, wall_us)), "primary", primary,
                          "standbys", standbys);
}

void failover_metrics(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    struct failover_counts counts = failover_counts(h);
    long long sum = 0, n = 0;
    uint64_t failures = 0;
    size_t i;
    json_t *row;
    (void)r, (void)route;
    json_array_foreach(h->snapshot.history, i, row)
    {
        long long took = failover_took_ms(row);
        sum += took >= 0 ? took : 0;
        n += took >= 0;
    }
    for (int k = 0; k < h->watch.n; k++)
        failures += h->watch.of[k].failures_total;
    out->status = 200;
    out->json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:o}", "state",
                          health_state_name(failover_state(h, clock_wall_us())), "failovers",
                          (json_int_t)counts.failovers, "planned", (json_int_t)counts.planned, "recoveries",
                          (json_int_t)h->watch.recoveries, "healthCheckFailures", (json_int_t)failures,
                          "averageDurationMs", n > 0 ? json_integer(sum / n) : json_null(), "durationsKnown",
                          (json_int_t)n, "lastFailover", last_json(counts.last));
}

void failover_history(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    (void)r, (void)route;
    out->status = 200;
    out->json = json_pack("{s:O}", "history", h->snapshot.history);
}

/* [timeline, LSN of the switch, reason, time, new leader]; the LSN is in the WAL's history, not in ours. */
void failover_patroni_history(struct http *h, const struct request *r, const struct route *route,
                              struct reply *out)
{
    size_t i;
    json_t *row;
    (void)r, (void)route;
    out->status = 200;
    out->json = json_array();
    json_array_foreach(h->snapshot.history, i, row)
        json_array_append_new(out->json, json_pack("[O?, n, O?, O?, O?]", json_object_get(row, "timeline"),
                                                   json_object_get(row, "kind"), json_object_get(row, "at"),
                                                   json_object_get(row, "primary")));
}

void failover_events(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    (void)r, (void)route;
    out->status = 200;
    out->json = json_pack("{s:O}", "events", h->snapshot.events);
}

/* The member's own answer, with our age; what commands are signed on is nobody's business here. */
void failover_member(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    (void)route;
    out->status = 200;
    out->json = json_copy(h->snapshot.status);
    json_object_del(out->json, "ballot");
    long long left = snapshot_lease_left_ms(&h->snapshot, r->now);
    if (strcmp(h->snapshot.view.self, h->snapshot.view.primary) == 0)
        json_object_set_new(out->json, "lease_left_ms", json_integer(left));
    json_object_set_new(out->json, "age_ms", json_integer(snapshot_age_ms(&h->snapshot, r->now)));
    json_object_set_new(out->json, "state",
                        json_string(health_state_name(failover_state(h, clock_wall_us()))));
}
