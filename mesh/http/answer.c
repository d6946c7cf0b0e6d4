#include "mesh/http/answer.h"

#include "mesh/io/address.h"
#include "mesh/io/json.h"

#include <string.h>

/* What a client sent may be no UTF-8, or cut within a letter: then it is not repeated. */
static json_t *text_json(const char *s)
{
    json_t *text = s != NULL && *s != '\0' ? json_string(s) : NULL;
    return text != NULL ? text : json_null();
}

static json_t *number_json(long long n)
{
    return n < 0 ? json_null() : json_integer(n);
}

void answer_error(struct reply *out, unsigned status, const char *code, const char *fact, const char *detail,
                  const char *hint)
{
    json_t *message = json_string(fact);
    out->status = status;
    out->json = json_pack("{s:{s:s, s:o, s:o, s:o}}", "error", "code", code, "message",
                          message != NULL ? message : json_string("the request is not understood"), "detail",
                          text_json(detail), "hint", text_json(hint));
}

void answer_stale(struct http *h, struct reply *out)
{
    answer_error(out, 503, "no_contact", "the member does not answer", h->snapshot.why,
                 "Is the member of this configuration running on this host? Its log tells why not.");
}

/* ---- one member, as Patroni would say it ------------------------------------------------------------------------------ */

static const char *patroni_state(const struct view_member *m)
{
    static const struct {
        const char *ours, *theirs;
    } words[] = {{"primary", "running"},   {"recovery", "running"},  {"starting", "starting"},
                 {"promoting", "running"}, {"stopping", "stopping"}, {"busy", "creating replica"},
                 {"absent", "stopped"},    {"down", "stopped"},      {"broken", "start failed"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].ours, m->postgres) == 0)
            return words[i].theirs;
    return "unknown";
}

static const char *role_of(struct http *h, const struct view_member *m, instant now)
{
    const struct view *v = &h->snapshot.view;
    bool leads = m->is_self ? health_is_primary(v, snapshot_lease_left_ms(&h->snapshot, now))
                            : m->is_primary && m->ready;
    return leads ? "primary" : strcmp(m->role, "database") == 0 ? "replica" : m->role;
}

static json_t *patroni_json(struct http *h, instant now)
{
    const struct view *v = &h->snapshot.view;
    const struct view_member *m = view_find(v, v->self);
    long long left = snapshot_lease_left_ms(&h->snapshot, now);
    if (m == NULL)
        return json_object();
    bool database = strcmp(m->role, "database") == 0, leads = health_is_primary(v, left);
    json_t *out = json_pack("{s:s, s:s, s:{s:s, s:s, s:s}}", "state", database ? patroni_state(m) : "running",
                            "role", role_of(h, m, now), "patroni", "version", "pgmesh " PGMESH_VERSION,
                            "scope", v->cluster, "name", v->self);
    if (database) {
        long long replayed = view_lsn(json_text(m->json, "replay_lsn"));
        json_object_set_new(out, "timeline", number_json(m->timeline > 0 ? m->timeline : -1));
        json_object_set_new(out, "xlog",
                            leads ? json_pack("{s:o}", "location", number_json(m->lsn))
                                  : json_pack("{s:o, s:o, s:b}", "received_location", number_json(m->lsn),
                                              "replayed_location", number_json(replayed), "paused", 0));
    }
    if (!v->serving)
        json_object_set_new(out, "cluster_unlocked", json_true());
    if (v->paused)
        json_object_set_new(out, "pause", json_true());
    json_object_set_new(out, "pgmesh",
                        json_pack("{s:I, s:o, s:o, s:b, s:b, s:I}", "term", (json_int_t)v->term, "primary",
                                  text_json(v->primary), "lease_left_ms",
                                  left > 0 ? json_integer(left) : json_null(), "ready", (int)m->ready, "sync",
                                  (int)m->in_sync, "age_ms", (json_int_t)snapshot_age_ms(&h->snapshot, now)));
    return out;
}

void answer_patroni(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    (void)route;
    out->status = 200;
    out->json = patroni_json(h, r->now);
}

void answer_health(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    bool good = health_good(route->check, &h->snapshot.view, snapshot_lease_left_ms(&h->snapshot, r->now),
                            &r->limits);
    out->status = good ? 200 : 503;
    out->json = patroni_json(h, r->now);
}

/* ---- the cluster, as Patroni would say it ----------------------------------------------------------------------------- */

static const char *cluster_role(const struct view_member *m)
{
    return m->is_primary && m->ready ? "leader" : m->in_sync ? "sync_standby" : "replica";
}

static json_t *cluster_member_json(const struct view_member *m)
{
    struct address a;
    const char *address = json_text(m->json, "pg_address");
    bool silent = !m->is_self && strcmp(m->state, "up") != 0 && strcmp(m->state, "late") != 0;
    json_t *out = json_pack("{s:s, s:s, s:s, s:o, s:s}", "name", m->name, "role", cluster_role(m), "state",
                            silent         ? "unknown"
                            : m->streaming ? "streaming"
                                           : patroni_state(m),
                            "timeline", number_json(m->timeline > 0 ? m->timeline : -1), "site", m->site);
    if (address_parse(&a, address, strlen(address), false)) {
        json_object_set_new(out, "host", json_string(a.host));
        json_object_set_new(out, "port", json_integer(a.port));
    }
    if (!m->is_primary)
        json_object_set_new(out, "lag",
                            m->lag_bytes < 0 || silent ? json_string("unknown") : json_integer(m->lag_bytes));
    return out;
}

void answer_cluster(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    const struct view *v = &h->snapshot.view;
    json_t *members = json_array(), *voters = json_array();
    (void)route;
    for (int i = 0; i < v->n; i++) {
        const struct view_member *m = &v->members[i];
        if (strcmp(m->role, "database") == 0)
            json_array_append_new(members, cluster_member_json(m));
        else
            json_array_append_new(voters,
                                  json_pack("{s:s, s:s, s:s, s:s, s:b}", "name", m->name, "role", m->role,
                                            "site", m->site, "state", m->state, "votes", (int)m->votes));
    }
    out->status = 200;
    out->json = json_pack("{s:s, s:s, s:o, s:o, s:b, s:I, s:o, s:I}", "scope", v->cluster, "cluster_id",
                          json_text(v->json, "cluster_id"), "members", members, "others", voters, "pause",
                          (int)v->paused, "term", (json_int_t)v->term, "primary", text_json(v->primary),
                          "age_ms", (json_int_t)snapshot_age_ms(&h->snapshot, r->now));
}

/* ---- fixed texts ---------------------------------------------------------------------------------------------------- */

/* A file of this folder becomes part of the program, with a NUL after it. */
#define EMBED(name, file) \
    __asm__(".pushsection .rodata\n.global " #name "\n" #name ":\n.incbin \"mesh/http/" file \
            "\"\n.byte 0\n.popsection\n"); \
    extern const char name[]

EMBED(answer_page_text, "page.html");
EMBED(answer_openapi_text, "openapi.json");

void answer_openapi(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    (void)h, (void)r, (void)route;
    *out = (struct reply){.status = 200, .text = answer_openapi_text};
}

void answer_root(struct http *h, const struct request *r, const struct route *route, struct reply *out)
{
    if (r->wants_html && r->method != METHOD_OPTIONS)
        *out = (struct reply){.status = 200, .text = answer_page_text, .type = "text/html; charset=utf-8"};
    else if (!r->fresh)
        answer_stale(h, out);
    else
        answer_health(h, r, route, out);
}
