/* status.c: the present: what the core holds, member by member. */
#include "mesh/io/status.h"

#include "mesh/core_state.h"
#include "mesh/io/clock.h"
#include "mesh/io/status_text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { LATE_MIN_MS = 250, SEEN_MS = 5000 };

/* ---- small values --------------------------------------------------------------------------------------------------- */

static json_t *preflight_json(uint32_t bits)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{PREFLIGHT_PARAMETERS, "parameters"},     {PREFLIGHT_RECOVERY_TARGET, "recovery_target"},
                 {PREFLIGHT_RESTORE_SLOW, "restore_slow"}, {PREFLIGHT_REPLAY_PAUSED, "replay_paused"},
                 {PREFLIGHT_DELAYED, "delayed"},           {PREFLIGHT_CONFLICT, "conflict"},
                 {PREFLIGHT_SLOW_DISK, "slow_disk"},       {PREFLIGHT_CHECKSUM, "checksum"},
                 {PREFLIGHT_NO_REWIND, "no_rewind"},       {PREFLIGHT_REPLAY_FAR, "replay_far"},
                 {PREFLIGHT_DISK_FULL, "disk_full"}};
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (bits & names[i].bit)
            json_array_append_new(list, json_string(names[i].name));
    return list;
}

static json_t *sync_json(const struct cluster *cluster, const struct sync_set *set)
{
    json_t *members = json_array();
    for (int i = 0; i < set->n; i++)
        json_array_append_new(members, json_string(cluster_member_name(cluster, set->m[i].id)));
    return json_pack("{s:i, s:o}", "k", (int)set->k, "members", members);
}

static json_t *name_json(const struct cluster *cluster, member_id id)
{
    return id == MEMBER_NONE ? json_null() : json_string(cluster_member_name(cluster, id));
}

static json_t *age_json(int64_t ms)
{
    return ms < 0 ? json_null() : json_integer(ms);
}

static json_t *addresses_json(const struct cluster_member *m)
{
    char text[ADDRESS_TEXT_SIZE];
    json_t *list = json_array();
    for (int i = 0; i < m->n_mesh; i++)
        json_array_append_new(list, json_string(address_print(text, &m->mesh[i])));
    return list;
}

/* ---- one member ------------------------------------------------------------------------------------------------------ */

/* What is known of a member, whether by its heartbeat or, for ourselves, at first hand. */
struct sight {
    int64_t heard_ms; /* -1 never */
    const char *state;
    bool votes;
    enum verdict verdict;
    struct pg_report pg;
    uint32_t sql_seen_ms, outage_ms;
    uint32_t flush_us;
    int64_t quarantine_ms; /* -1: not known */
    int reads;             /* version of the protocol, 0 unknown */
};

/* Its own grant to itself says nothing: a primary without the lease does not know whether it still is one. */
static enum verdict own_verdict(const struct core *c)
{
    bool alone = is_primary(c) && !lease_held(c) && c->verdict == VERDICT_ALIVE;
    return alone ? VERDICT_UNKNOWN : c->verdict;
}

static void see_self(const struct core *c, struct sight *s)
{
    const struct pg_sample *p = &c->sample;
    s->heard_ms = 0;
    s->state = "up";
    s->votes = may_vote(c);
    s->verdict = own_verdict(c);
    s->pg = (struct pg_report){.phase = p->phase,
                               .ready = c->hold.ready,
                               .streaming = p->upstream != MEMBER_NONE,
                               .upstream = p->upstream,
                               .timeline = p->timeline,
                               .lsn = p->lsn,
                               .replay_lsn = p->replay_lsn,
                               .preflight = p->preflight,
                               .priority = c->set.candidate ? c->set.priority : 0};
    s->outage_ms = notice_outage_ms(c);
    s->flush_us = p->flush_us;
    s->quarantine_ms = quarantine_ms(c);
    s->reads = FRAME_VERSION;
    s->sql_seen_ms = p->sql_term == decided(c)->term && p->sql_term ? p->sql_age_ms : EVIDENCE_NEVER;
}

static void see_peer(const struct core *c, int index, instant now, struct sight *s)
{
    const struct peer *p = &c->peers[index];
    int64_t late_ms = c->set.lease_ms / 2 > LATE_MIN_MS ? c->set.lease_ms / 2 : LATE_MIN_MS;
    s->heard_ms = p->heard ? span_to_ms(instant_elapsed_most(now, p->at)) : -1;
    s->state = !p->heard                                ? "never"
               : s->heard_ms > (int64_t)c->set.lease_ms ? "silent"
               : s->heard_ms > late_ms                  ? "late"
                                                        : "up";
    s->votes = p->heard && p->beat.votes;
    s->verdict = p->heard ? p->beat.verdict : VERDICT_UNKNOWN;
    if (!p->heard)
        return;
    s->sql_seen_ms = p->beat.sql_seen_ms;
    s->outage_ms = p->beat.decided_term == decided(c)->term ? p->beat.outage_ms : EVIDENCE_NEVER;
    s->flush_us = p->beat.flush_us;
    s->quarantine_ms =
        (int64_t)p->beat.quarantine_ms > s->heard_ms ? (int64_t)p->beat.quarantine_ms - s->heard_ms : 0;
    s->reads = p->beat.reads;
    s->pg = p->beat.pg;
}

static struct sight see(const struct core *c, member_id id, instant now)
{
    struct sight s = {.heard_ms = -1,
                      .state = "never",
                      .sql_seen_ms = EVIDENCE_NEVER,
                      .outage_ms = EVIDENCE_NEVER,
                      .quarantine_ms = -1};
    int index = member_index(c, id);
    if (id == c->self)
        see_self(c, &s);
    else if (index >= 0)
        see_peer(c, index, now, &s);
    return s;
}

static void add_observer(json_t *out, const struct sight *s)
{
    json_object_set_new(out, "postgres",
                        json_string(s->sql_seen_ms <= SEEN_MS ? "reaches primary" : "no contact"));
    json_object_set_new(out, "sql_seen_ms",
                        s->sql_seen_ms == EVIDENCE_NEVER ? json_null() : json_integer(s->sql_seen_ms));
    json_object_set_new(out, "outage_ms",
                        s->outage_ms == EVIDENCE_NEVER ? json_null() : json_integer(s->outage_ms));
}

static void add_database(json_t *out, const struct core *c, const struct sight *s, lsn_t primary_lsn)
{
    char lsn[STATUS_LSN_SIZE];
    bool primary = s->pg.phase == PG_PRIMARY;
    int64_t lag = primary || !primary_lsn || !s->pg.lsn ? -1
                  : primary_lsn > s->pg.lsn             ? (int64_t)(primary_lsn - s->pg.lsn)
                                                        : 0;
    json_object_set_new(out, "postgres", json_string(pg_phase_name(s->pg.phase)));
    json_object_set_new(out, "timeline", json_integer(s->pg.timeline));
    json_object_set_new(out, "lsn", s->pg.lsn ? json_string(status_lsn(lsn, s->pg.lsn)) : json_null());
    json_object_set_new(out, "replay_lsn",
                        s->pg.replay_lsn ? json_string(status_lsn(lsn, s->pg.replay_lsn)) : json_null());
    json_object_set_new(out, "lag_bytes", age_json(lag));
    json_object_set_new(out, "lag_ms", primary ? json_null() : json_integer(s->pg.lag_ms));
    json_object_set_new(out, "streaming", json_boolean(s->pg.streaming));
    json_object_set_new(out, "upstream", json_string(member_name(c, s->pg.upstream)));
    json_object_set_new(out, "ready", json_boolean(s->pg.ready));
    json_object_set_new(out, "priority", json_integer(s->pg.priority));
    json_object_set_new(out, "preflight", preflight_json(s->pg.preflight));
    if (s->pg.upstream == MEMBER_NONE)
        json_object_set_new(out, "upstream", json_null());
}

static json_t *member_json(const struct status_view *v, const struct cluster_member *m, lsn_t primary_lsn)
{
    const struct core *c = v->core;
    struct sight s = see(c, m->member.id, v->now);
    char pg[ADDRESS_TEXT_SIZE], until[CLOCK_TEXT_SIZE];
    json_t *out =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:o}", "id", (int)m->member.id, "name",
                  m->member.name, "role", cluster_role_name(m->member.role), "site", m->member.site, "state",
                  m->member.revoked ? "revoked" : s.state, "vote",
                  s.votes && record_voter(decided(c), m->member.id) != NULL, "heard_ms", age_json(s.heard_ms),
                  "verdict", verdict_name(s.verdict), "addresses", addresses_json(m));
    json_object_set_new(out, "hears", status_hears(v, m->member.id));
    json_object_set_new(out, "flush_us", json_integer(s.flush_us));
    if (m->member.role != ROLE_OBSERVER)
        json_object_set_new(out, "quarantine_ms", age_json(s.quarantine_ms));
    json_object_set_new(out, "valid_until",
                        m->until ? json_string(clock_print(until, m->until * 1000000)) : json_null());
    json_object_set_new(out, "key_rotating", json_boolean(member_rotates(&m->member)));
    json_object_set_new(out, "protocol", s.reads ? json_integer(s.reads) : json_null());
    if (m->has_pg)
        json_object_set_new(out, "pg_address", json_string(address_print(pg, &m->pg)));
    if (v->transport && m->member.id != c->self)
        json_object_set_new(out, "link", json_boolean(transport_link_up(v->transport, m->member.id) >= 0));
    if (m->member.role == ROLE_DATABASE)
        add_database(out, c, &s, primary_lsn);
    else if (m->member.role == ROLE_OBSERVER)
        add_observer(out, &s);
    else
        json_object_set_new(out, "postgres", json_string("none"));
    return out;
}

/* ---- the whole --------------------------------------------------------------------------------------------------------- */

static json_t *counters_json(const struct status_view *v)
{
    json_t *out = json_object(), *rejected = json_object(), *refused = json_object();
    struct transport_counters t = {0};
    for (int i = 1; i < REJECT_COUNT; i++)
        if (v->core->rejected[i])
            json_object_set_new(rejected, reject_name((enum reject)i),
                                json_integer((json_int_t)v->core->rejected[i]));
    json_object_set_new(out, "rejected", rejected);
    for (int i = 0; i < NACK_END; i++)
        if (v->core->nacks[i])
            json_object_set_new(refused, nack_name((enum nack_reason)i),
                                json_integer((json_int_t)v->core->nacks[i]));
    json_object_set_new(out, "votes_refused", refused);
    json_object_set_new(out, "loop_late_us", json_integer((json_int_t)v->loop_late_us));
    json_object_set_new(out, "store_us", json_integer((json_int_t)v->store_us));
    if (v->transport == NULL)
        return out;
    transport_count(v->transport, &t);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {{"received", t.received},
                {"sent", t.sent},
                {"send_failed", t.send_failed},
                {"links_rebuilt", t.rebuilt},
                {"sent_back", t.sent_back},
                {"refused_key", t.refused_key},
                {"refused_rate", t.refused_rate},
                {"refused_size", t.refused_size},
                {"refused_sender", t.refused_sender}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        json_object_set_new(out, rows[i].name, json_integer((json_int_t)rows[i].value));
    return out;
}

/* The primary serves, every voter votes, every other database streams. */
static bool healthy(const struct status_view *v)
{
    const struct core *c = v->core;
    const struct record *r = decided(c);
    struct sight p = see(c, r->primary, v->now);
    bool good = r->primary != MEMBER_NONE && strcmp(p.state, "up") == 0 && p.pg.ready && !c->twin;
    for (int i = 0; i < r->voters.n; i++) {
        struct sight s = see(c, r->voters.v[i].id, v->now);
        good = good && strcmp(s.state, "up") == 0 && s.votes;
    }
    for (int i = 0; i < r->n_databases; i++) {
        struct sight s = see(c, r->databases[i], v->now);
        good = good && (r->databases[i] == r->primary || (s.pg.phase == PG_RECOVERY && s.pg.streaming));
    }
    return good;
}

static void add_lease(json_t *out, const struct status_view *v)
{
    const struct core *c = v->core;
    const struct record *r = decided(c);
    int primary = member_index(c, r->primary);
    if (r->primary == c->self) {
        bool held = lease_held(c) && !instant_due_any(v->now, c->hold.until);
        json_object_set_new(
            out, "lease_left_ms",
            json_integer(held ? -span_to_ms(instant_elapsed_most(v->now, c->hold.until)) : 0));
        json_object_set_new(out, "lease_ms", json_integer(c->hold.ask_ms));
        return;
    }
    bool known = primary >= 0 && c->peers[primary].heard && c->peers[primary].beat.request_ms;
    json_object_set_new(out, "lease_left_ms", json_null());
    json_object_set_new(out, "lease_ms",
                        known ? json_integer(c->peers[primary].beat.request_ms) : json_null());
}

/* What an estimate of a takeover rests on, as this member is configured. */
static void add_settings(json_t *out, const struct status_view *v)
{
    const struct core *c = v->core;
    bool granted = grant_runs(&c->grant, v->now);
    json_object_set_new(out, "settings",
                        json_pack("{s:i, s:i, s:i, s:i, s:b, s:b}", "lease_ms", (int)c->set.lease_ms,
                                  "stagger_ms", (int)c->set.stagger_ms, "seal_wait_ms",
                                  (int)c->set.seal_wait_ms, "sync_standbys", (int)c->set.sync_standbys,
                                  "observe_only", c->set.observe_only, "candidate", c->set.candidate));
    json_object_set_new(out, "grant_left_ms",
                        granted ? json_integer(-span_to_ms(instant_elapsed_most(v->now, c->grant.until)))
                                : json_null());
    json_object_set_new(out, "uptime_ms",
                        json_integer(span_to_ms(instant_elapsed_least(v->now, c->started))));
}

static void add_record(json_t *out, const struct status_view *v)
{
    static const char *const durabilities[] = {"async", "sync", "strict"};
    const struct record *r = decided(v->core);
    json_t *voters = json_array();
    for (int i = 0; i < r->voters.n; i++)
        json_array_append_new(voters, name_json(v->cluster, r->voters.v[i].id));
    json_object_set_new(out, "term", json_integer((json_int_t)r->term));
    json_object_set_new(out, "version", json_integer((json_int_t)r->version));
    json_object_set_new(out, "primary", name_json(v->cluster, r->primary));
    json_object_set_new(out, "timeline", json_integer(r->timeline));
    json_object_set_new(out, "durability", json_string(durabilities[r->durability]));
    json_object_set_new(out, "sync", sync_json(v->cluster, &r->sync[0]));
    json_object_set_new(out, "joint", r->joint ? sync_json(v->cluster, &r->sync[1]) : json_null());
    json_object_set_new(out, "paused", json_boolean(r->paused));
    json_object_set_new(out, "paused_why", r->paused ? status_text(r->paused_why) : json_null());
    json_object_set_new(out, "voters", voters);
    json_object_set_new(out, "rule", json_string(r->voters.rule == RULE_SITES ? "sites" : "majority"));
    if (r->switchover_to != MEMBER_NONE)
        json_object_set_new(out, "switchover_to", name_json(v->cluster, r->switchover_to));
}

static void add_route(json_t *out, const struct status_view *v)
{
    const struct routing *r = &v->core->route;
    json_t *replicas = json_array();
    for (int i = 0; i < r->n_replicas; i++)
        json_array_append_new(replicas, name_json(v->cluster, r->replicas[i]));
    json_object_set_new(out, "route",
                        json_pack("{s:I, s:o, s:o, s:o}", "term", (json_int_t)r->term, "primary",
                                  name_json(v->cluster, r->primary), "successor",
                                  name_json(v->cluster, r->successor), "replicas", replicas));
}

/* Voters whose grants run, of those that the decided record names. */
static int grants_running(const struct core *c, instant now)
{
    int n = 0;
    for (int i = 0; i < decided(c)->voters.n; i++)
        n += !instant_is_never(c->hold.granted[i]) && !instant_due_any(now, c->hold.granted[i]);
    return n;
}

/* What only the member itself knows of its PostgreSQL. */
static json_t *server_json(const struct core *c)
{
    const struct pg_sample *p = &c->sample;
    bool counted = p->connections_max > 0 && (p->phase == PG_PRIMARY || p->phase == PG_RECOVERY);
    return json_pack("{s:b, s:I, s:I, s:o, s:o}", "answering", (int)p->answering, "flush_us",
                     (json_int_t)p->flush_us, "goal_failures", (json_int_t)p->goal_failures, "connections",
                     counted ? json_integer(p->connections) : json_null(), "connections_max",
                     counted ? json_integer(p->connections_max) : json_null());
}

json_t *status_json(const struct status_view *v)
{
    const struct core *c = v->core;
    char id[2 * CLUSTER_ID_SIZE + 1], epoch[2 * 8 + 1];
    json_t *out = json_object(), *members = json_array();
    struct sight primary = see(c, decided(c)->primary, v->now);
    struct ballot b = decided_ballot(c);
    const struct cluster_member *self = cluster_member(v->cluster, c->self);

    hex_put(id, v->cluster->id.b, CLUSTER_ID_SIZE);
    json_object_set_new(out, "cluster", json_string(v->cluster->name));
    json_object_set_new(out, "cluster_id", json_string(id));
    json_object_set_new(out, "self", name_json(v->cluster, c->self));
    add_record(out, v);
    snprintf(epoch, sizeof epoch, "%016llx", (unsigned long long)b.nonce);
    json_object_set_new(
        out, "ballot",
        json_pack("{s:I, s:s, s:i}", "round", (json_int_t)b.round, "nonce", epoch, "member", (int)b.member));
    add_lease(out, v);
    add_settings(out, v);
    json_object_set_new(out, "protocol", json_integer(version_spoken(c)));
    json_object_set_new(out, "grants",
                        decided(c)->primary == c->self ? json_integer(grants_running(c, v->now))
                                                       : json_null());
    if (self != NULL && self->member.role == ROLE_DATABASE)
        json_object_set_new(out, "server", server_json(c));
    bool alone = own_verdict(c) != c->verdict;
    json_object_set_new(out, "verdict", json_string(verdict_name(own_verdict(c))));
    json_object_set_new(out, "verdict_rule",
                        alone     ? json_string("lease-not-held")
                        : c->rule ? json_string(c->rule)
                                  : json_null());
    json_object_set_new(out, "goal", json_string(pg_goal_name(c->goal.kind)));
    json_object_set_new(out, "detail", status_text(c->sample.detail));
    for (int i = 0; i < v->cluster->n; i++)
        if (!role_is_person(v->cluster->members[i].member.role))
            json_array_append_new(members, member_json(v, &v->cluster->members[i], primary.pg.lsn));
    json_object_set_new(out, "members", members);
    add_route(out, v);
    json_object_set_new(out, "counters", counters_json(v));
    json_object_set_new(out, "healthy", json_boolean(healthy(v)));
    return out;
}
