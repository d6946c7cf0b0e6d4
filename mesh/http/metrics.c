#define _GNU_SOURCE
#include "mesh/http/metrics.h"

#include "mesh/http/failover.h"
#include "mesh/io/clock.h"
#include "mesh/io/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PGMESH_VERSION
#define PGMESH_VERSION "0.1"
#endif

/* ---- text ------------------------------------------------------------------------------------------------------------ */

struct text {
    FILE *out;
    const char *name; /* of the family that is being written */
    char labels[160]; /* of every series: whose word it is */
};

static void family(struct text *t, const char *name, const char *type, const char *help)
{
    t->name = name;
    fprintf(t->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One series; `more`: further labels, such as `standby="db2"`, or "". */
static void put(struct text *t, double number, const char *suffix, const char *more)
{
    fprintf(t->out, "%s%s{%s%s%s} %.15g\n", t->name, suffix, t->labels, *more != '\0' ? "," : "", more,
            number);
}

static void value(struct text *t, double number, const char *suffix, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void value(struct text *t, double number, const char *suffix, const char *format, ...)
{
    char more[256];
    va_list args;
    va_start(args, format);
    vsnprintf(more, sizeof more, format, args);
    va_end(args);
    put(t, number, suffix, more);
}

static void gauge(struct text *t, const char *name, const char *help, double number)
{
    family(t, name, "gauge", help);
    put(t, number, "", "");
}

static void counter(struct text *t, const char *name, const char *help, double number)
{
    family(t, name, "counter", help);
    put(t, number, "", "");
}

/* ---- histograms over the history --------------------------------------------------------------------------------------- */

static const double bounds[] = {0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60};
enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

typedef long long phase_ms(const json_t *row);

static long long waited_ms(const json_t *row)
{
    return json_number(row, "waited_ms", -1);
}
static long long agreed_ms(const json_t *row)
{
    return json_number(row, "judged_ms", -1);
}
static long long promoted_ms(const json_t *row)
{
    return json_number(row, "ready_ms", -1);
}

static long long outage_ms(const json_t *row)
{
    return json_number(row, "outage_ms", -1);
}

static bool is_takeover(const json_t *row)
{
    const char *kind = json_text(row, "kind");
    return strcmp(kind, "first") != 0 && strcmp(kind, "change") != 0 && strcmp(kind, "re-formed") != 0;
}

static void histogram(struct text *t, const json_t *history, phase_ms *phase, const char *labels)
{
    unsigned long counts[BOUNDS + 1] = {0}, n = 0;
    double sum = 0;
    size_t i;
    json_t *row;
    const char *comma = *labels != '\0' ? "," : "";
    json_array_foreach((json_t *)history, i, row)
    {
        double seconds = (double)phase(row) / 1000;
        if (seconds < 0 || !is_takeover(row))
            continue;
        for (int b = 0; b < BOUNDS; b++)
            counts[b] += seconds <= bounds[b];
        n++;
        sum += seconds;
    }
    for (int b = 0; b < BOUNDS; b++)
        value(t, (double)counts[b], "_bucket", "%s%sle=\"%g\"", labels, comma, bounds[b]);
    value(t, (double)n, "_bucket", "%s%sle=\"+Inf\"", labels, comma);
    put(t, sum, "_sum", labels);
    put(t, (double)n, "_count", labels);
}

static void put_failovers(struct text *t, const struct http *h, int64_t wall_us)
{
    struct failover_counts counts = failover_counts(h);
    enum health_state now = failover_state(h, wall_us);
    uint64_t failures = 0;
    for (int i = 0; i < h->watch.n; i++)
        failures += h->watch.of[i].failures_total;
    family(t, "failover_state", "gauge",
           "State of the cluster as this member sees it: 1 for the one that holds.");
    for (int i = 0; i < STATE_COUNT; i++)
        value(t, i == (int)now, "", "state=\"%s\"", health_state_name((enum health_state)i));
    counter(t, "failover_total", "Failovers in this member's journal: terms whose primary was lost.",
            (double)counts.failovers);
    counter(
        t, "pgmesh_handovers_total",
        "Terms in this member's journal that their primary gave up: switchovers, crashes on a living host.",
        (double)counts.planned);
    counter(t, "failover_recoveries_total", "Times that a database became healthy again.",
            (double)h->watch.recoveries);
    counter(t, "failover_health_check_failures_total",
            "Looks, once a second, at which a database was not healthy.", (double)failures);
    family(
        t, "pg_failover_time", "histogram",
        "Seconds from this member's judgement that the primary is lost until the new one was ready, where it saw both.");
    histogram(t, h->snapshot.history, failover_took_ms, "");
    family(t, "pgmesh_outage_seconds", "histogram",
           "Seconds without a primary at each change of it, as the observer saw it that waited longest.");
    histogram(t, h->snapshot.history, outage_ms, "");
    family(t, "pgmesh_failover_phase_seconds", "histogram",
           "Seconds of each phase of takeovers: a voter's wait after its grant, agreement, promotion.");
    histogram(t, h->snapshot.history, waited_ms, "phase=\"waited\"");
    histogram(t, h->snapshot.history, agreed_ms, "phase=\"agreed\"");
    histogram(t, h->snapshot.history, promoted_ms, "phase=\"promoted\"");
}

/* ---- databases ----------------------------------------------------------------------------------------------------------- */

typedef bool member_number(const struct view *v, const struct view_member *m, double *number);

static bool lag_seconds(const struct view *v, const struct view_member *m, double *number)
{
    (void)v;
    *number = (double)m->lag_ms / 1000;
    return m->lag_ms >= 0;
}
static bool lag_bytes(const struct view *v, const struct view_member *m, double *number)
{
    (void)v;
    *number = (double)m->lag_bytes;
    return m->lag_bytes >= 0;
}
static bool is_healthy(const struct view *v, const struct view_member *m, double *number)
{
    *number = health_database(v, m);
    return true;
}

static void standbys(struct text *t, const struct view *v, const char *name, const char *help,
                     member_number *of)
{
    double number;
    family(t, name, "gauge", help);
    for (int i = 0; i < v->n; i++)
        if (strcmp(v->members[i].role, "database") == 0 && !v->members[i].is_primary &&
            of(v, &v->members[i], &number))
            value(t, number, "", "standby=\"%s\"", v->members[i].name);
}

static void put_server(struct text *t, const struct view *v)
{
    const json_t *server = json_object_get(v->json, "server");
    const struct view_member *self = view_find(v, v->self);
    bool runs =
        self != NULL && (strcmp(self->postgres, "primary") == 0 || strcmp(self->postgres, "recovery") == 0);
    long long used = json_number(server, "connections", -1),
              most = json_number(server, "connections_max", -1);
    if (server == NULL)
        return;
    gauge(t, "pg_up", "Whether PostgreSQL on this host answers.", runs && json_flag(server, "answering"));
    gauge(t, "pg_connection_pool_status",
          "Whether PostgreSQL here takes one more connection: answers, and has places left.",
          runs && json_flag(server, "answering") && used >= 0 && used < most);
    if (used >= 0) {
        gauge(t, "pg_connections", "Connections of clients to PostgreSQL here.", (double)used);
        gauge(t, "pg_connections_max", "PostgreSQL's max_connections here.", (double)most);
    }
    gauge(t, "pgmesh_flush_seconds", "Duration of the last small write and flush by PostgreSQL here.",
          (double)json_number(server, "flush_us", 0) / 1e6);
    counter(t, "pgmesh_goal_failures_total",
            "Times that PostgreSQL here was not brought to what was ordered (goal_failed).",
            (double)json_number(server, "goal_failures", 0));
}

static void put_databases(struct text *t, const struct view *v)
{
    put_server(t, v);
    standbys(t, v, "pg_replication_lag", "Seconds that a standby is behind, by heartbeats; 0 when caught up.",
             lag_seconds);
    standbys(t, v, "pgmesh_replication_lag_bytes", "Bytes of WAL that a standby is behind.", lag_bytes);
    gauge(t, "failover_primary_healthy", "Whether a primary serves.", v->serving);
    standbys(t, v, "failover_standby_healthy", "Whether a standby streams.", is_healthy);
}

/* ---- the mesh -------------------------------------------------------------------------------------------------------------- */

static void put_set(struct text *t, const char *name, const char *help, const char *label,
                    const char *const *words, size_t n, const char *now)
{
    family(t, name, "gauge", help);
    for (size_t i = 0; i < n; i++)
        value(t, strcmp(words[i], now) == 0, "", "%s=\"%s\"", label, words[i]);
}

static void put_lease(struct text *t, const struct http *h, instant now)
{
    const struct view *v = &h->snapshot.view;
    double left = (double)snapshot_lease_left_ms(&h->snapshot, now) / 1000;
    gauge(t, "pgmesh_primary", "Whether this member holds the lease and is ready: the truth behind /primary.",
          health_is_primary(v, snapshot_lease_left_ms(&h->snapshot, now)));
    gauge(t, "pgmesh_lease_left_seconds", "Rest of the lease held here, 0 without one.", left);
    if (v->lease_ms >= 0)
        gauge(t, "pgmesh_lease_seconds", "Length of the lease that the primary asks for.",
              (double)v->lease_ms / 1000);
    if (json_number(v->json, "grants", -1) >= 0)
        gauge(t, "pgmesh_lease_grants", "Voters whose grants to this primary run.",
              (double)json_number(v->json, "grants", 0));
}

static void put_cluster(struct text *t, const struct view *v)
{
    static const char *const modes[] = {"async", "sync", "strict"};
    static const char *const verdicts[] = {"alive", "released", "unfenced", "gone", "unknown"};
    struct view_estimate e;
    int voters = 0, votes = 0;
    for (int i = 0; i < v->n; i++) {
        const struct view_member *m = &v->members[i];
        voters += m->voter;
        votes += m->voter && m->votes &&
                 (m->is_self || strcmp(m->state, "up") == 0 || strcmp(m->state, "late") == 0);
    }
    view_estimate(v, &e);
    gauge(t, "pgmesh_term", "Rises by one with every change of primary.", (double)v->term);
    gauge(t, "pgmesh_members", "Members of the cluster.", v->n);
    family(t, "pgmesh_certificate_end_seconds", "gauge",
           "When a member's certificate ends, in seconds since 1970; none for one without an end.");
    for (int i = 0; i < v->n; i++)
        if (v->members[i].expires_us >= 0)
            value(t, (double)(v->members[i].expires_us / 1000000), "", "peer=\"%s\"", v->members[i].name);
    gauge(t, "pgmesh_voters", "Members that decide.", voters);
    gauge(t, "pgmesh_votes", "Voters that are heard here and vote.", votes);
    gauge(t, "pgmesh_quorum", "Whether those are enough to decide.", view_quorum(v));
    gauge(t, "pgmesh_healthy",
          "Whether the primary serves, every voter votes and every other database streams.", v->healthy);
    gauge(t, "pgmesh_paused", "Whether automatic failover is paused.", v->paused);
    gauge(t, "pgmesh_sync_standbys", "Standbys in the set that confirms commits.",
          (double)json_array_size(json_object_get(json_object_get(v->json, "sync"), "members")));
    gauge(t, "pgmesh_sync_needed", "Standbys of that set that must confirm each commit.", (double)v->sync_k);
    gauge(t, "pgmesh_takeover_possible",
          "Whether somebody would take over by itself if the primary died now.", e.who != NULL);
    if (e.who != NULL && e.bytes_at_risk >= 0)
        gauge(t, "pgmesh_bytes_at_risk", "WAL that would be missing then.", (double)e.bytes_at_risk);
    put_set(t, "pgmesh_durability", "When a commit is acknowledged: 1 for what the cluster does.", "mode",
            modes, sizeof modes / sizeof modes[0], v->durability);
    put_set(t, "pgmesh_verdict", "This member's judgement of the primary: 1 for the one that holds.",
            "verdict", verdicts, sizeof verdicts / sizeof verdicts[0], v->verdict);
}

static void put_peers(struct text *t, const struct view *v)
{
    family(t, "pgmesh_member_up", "gauge", "Whether a member's heartbeats arrive here in time.");
    for (int i = 0; i < v->n; i++)
        value(t, strcmp(v->members[i].state, "up") == 0, "", "peer=\"%s\",role=\"%s\",site=\"%s\"",
              v->members[i].name, v->members[i].role, v->members[i].site);
    family(t, "pgmesh_heartbeat_age_seconds", "gauge", "Since a member was last heard, by any path.");
    for (int i = 0; i < v->n; i++)
        if (v->members[i].heard_ms >= 0)
            value(t, (double)v->members[i].heard_ms / 1000, "", "peer=\"%s\"", v->members[i].name);
    family(t, "pgmesh_link_up", "gauge", "Whether our own link to a member is up.");
    for (int i = 0; i < v->n; i++)
        if (!v->members[i].is_self)
            value(t, json_flag(v->members[i].json, "link"), "", "peer=\"%s\"", v->members[i].name);
}

static void put_round_trips(struct text *t, const struct view *v)
{
    const struct view_member *self = view_find(v, v->self);
    size_t i;
    json_t *one;
    family(t, "pgmesh_round_trip_seconds", "gauge",
           "There and back to a member over our own link, where it is measured.");
    json_array_foreach(self != NULL ? json_object_get(self->json, "hears") : NULL, i,
                       one) if (json_number(one, "rtt_us", -1) >= 0)
        value(t, (double)json_number(one, "rtt_us", 0) / 1e6, "", "peer=\"%s\"", json_text(one, "name"));
}

static void put_frames(struct text *t, const struct view *v)
{
    const json_t *c = json_object_get(v->json, "counters"), *rejected = json_object_get(c, "rejected");
    static const char *const refused[] = {"refused_key", "refused_rate", "refused_size", "refused_sender"};
    const char *reason;
    json_t *number;
    counter(t, "pgmesh_frames_received_total", "Frames that came from other members.",
            (double)json_number(c, "received", 0));
    counter(t, "pgmesh_frames_sent_total", "Frames sent to other members.",
            (double)json_number(c, "sent", 0));
    counter(t, "pgmesh_frames_unsent_total", "Frames that no link took.",
            (double)json_number(c, "send_failed", 0));
    counter(t, "pgmesh_links_rebuilt_total", "Links that fell silent and were made anew.",
            (double)json_number(c, "links_rebuilt", 0));
    family(t, "pgmesh_frames_refused_total", "counter",
           "Frames and connections that were refused, by reason.");
    json_object_foreach((json_t *)rejected, reason, number)
        value(t, (double)json_integer_value(number), "", "reason=\"%s\"", reason);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        value(t, (double)json_number(c, refused[i], 0), "", "reason=\"%s\"", refused[i]);
    family(t, "pgmesh_votes_refused_total", "counter",
           "Promises, votes for a record and seals that this member refused, by reason.");
    json_object_foreach(json_object_get(c, "votes_refused"), reason, number)
        value(t, (double)json_integer_value(number), "", "reason=\"%s\"", reason);
    gauge(t, "pgmesh_loop_late_seconds", "Worst lateness of the member's loop in the last minutes.",
          (double)json_number(c, "loop_late_us", 0) / 1e6);
    gauge(t, "pgmesh_store_save_seconds", "Worst duration of writing a vote to disk.",
          (double)json_number(c, "store_us", 0) / 1e6);
}

/* ---- this program ---------------------------------------------------------------------------------------------------------- */

static void put_http(struct text *t, const struct http *h)
{
    const struct http_counters *c = &h->counters;
    counter(t, "pgmesh_http_requests_total", "Requests to this program.", (double)c->requests);
    family(t, "pgmesh_http_refused_total", "counter",
           "Requests and connections that were refused, by reason.");
    value(t, (double)c->refused_token, "", "reason=\"token\"");
    value(t, (double)c->refused_role, "", "reason=\"role\"");
    value(t, (double)c->not_found, "", "reason=\"path\"");
    value(t, (double)c->malformed, "", "reason=\"malformed\"");
    value(t, (double)c->too_large, "", "reason=\"size\"");
    value(t, (double)c->evicted, "", "reason=\"evicted\"");
    value(t, (double)c->late, "", "reason=\"late\"");
    value(t, (double)c->turned_away, "", "reason=\"full\"");
    counter(t, "pgmesh_http_connections_total", "Connections to this program.", (double)c->connections);
    counter(t, "pgmesh_http_orders_total", "Orders given over HTTP.", (double)c->orders);
    counter(t, "pgmesh_http_orders_failed_total", "Orders given over HTTP that were refused or broke off.",
            (double)c->orders_failed);
    family(
        t, "pgmesh_http_joins_total", "counter",
        "Hosts that asked for their folder by a token, by what came of it; used: somebody else had that token.");
    value(t, (double)c->joins, "", "result=\"given\"");
    value(t, (double)c->joins_used, "", "result=\"used\"");
    value(t, (double)c->joins_ended, "", "result=\"ended\"");
    value(t, (double)c->joins_unknown, "", "result=\"unknown\"");
    value(t, (double)c->joins_limited, "", "result=\"limited\"");
    counter(t, "pgmesh_webhooks_sent_total", "Notes posted to webhooks.",
            (double)atomic_load(&h->hooks.sent));
    family(t, "pgmesh_webhooks_failed_total", "counter",
           "Notes that were given up, or found the queue full.");
    value(t, (double)atomic_load(&h->hooks.failed), "", "reason=\"refused\"");
    value(t, (double)atomic_load(&h->hooks.dropped), "", "reason=\"full\"");
    counter(t, "pgmesh_http_unanswered_total", "Looks, once a second, at which the member did not answer.",
            (double)h->watch.unanswered);
}

/* The text, to be freed; NULL: no memory. */
static char *metrics_text(const struct http *h, instant now, int64_t wall_us)
{
    char *out = NULL;
    size_t n = 0;
    const struct view *v = &h->snapshot.view;
    struct text t = {.out = open_memstream(&out, &n)};
    if (t.out == NULL)
        return NULL;
    snprintf(t.labels, sizeof t.labels, "cluster=\"%s\",member=\"%s\"", h->cluster->name, h->config->member);
    gauge(&t, "pgmesh_up", "Whether the member answers; without it what follows is missing.",
          h->snapshot.status != NULL);
    family(&t, "pgmesh_build_info", "gauge", "Version of this program.");
    value(&t, 1, "", "version=\"%s\"", PGMESH_VERSION);
    put_failovers(&t, h, wall_us);
    if (h->snapshot.status != NULL) {
        put_databases(&t, v);
        put_lease(&t, h, now);
        put_cluster(&t, v);
        put_peers(&t, v);
        put_round_trips(&t, v);
        put_frames(&t, v);
    }
    put_http(&t, h);
    fclose(t.out);
    return out;
}

void metrics_answer(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    (void)route;
    *out = (struct reply){.status = 200,
                          .own = metrics_text(h, r->now, clock_wall_us()),
                          .type = "text/plain; version=0.0.4; charset=utf-8"};
}
