/* rig.c: the bench itself: the base, what comes out of the core, and how it is driven. */
#include "tests/unit/rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const struct member roster[RIG_MEMBERS] = {
    {.id = DB1, .name = "db1", .role = ROLE_DATABASE, .site = "a"},
    {.id = DB2, .name = "db2", .role = ROLE_DATABASE, .site = "a"},
    {.id = DB3, .name = "db3", .role = ROLE_DATABASE, .site = "b"},
    {.id = W1, .name = "w1", .role = ROLE_WITNESS, .site = "c"},
    {.id = W2, .name = "w2", .role = ROLE_WITNESS, .site = "c"},
    {.id = APP1, .name = "app1", .role = ROLE_OBSERVER, .site = "a"},
    {.id = OP, .name = "op", .role = ROLE_ADMIN, .site = "a"},
};

static instant now(const struct rig *r)
{
    return (instant){r->us * 1000, r->us * 1000};
}

struct ballot rig_ballot(uint64_t round, member_id who)
{
    return (struct ballot){.round = round, .nonce = RIG_NONCE(who), .member = who};
}

/* ---- the base ----------------------------------------------------------------------------------------------------- */

static struct record base_record(const struct rig *r)
{
    struct record b = {.nonce = {1, 2, 3},
                       .version = 7,
                       .term = RIG_TERM,
                       .primary = DB1,
                       .primary_dir = 101,
                       .timeline = RIG_TIMELINE,
                       .durability = DURABILITY_SYNC,
                       .sync = {{.k = 1, .n = 2, .m = {{DB2, 102}, {DB3, 103}}}},
                       .n_databases = 3,
                       .databases = {DB1, DB2, DB3},
                       .lease_ms_max = 2000,
                       .system_id = RIG_SYSTEM,
                       .n_history = 2,
                       .history = {{4, 0x300, 2}, {RIG_TIMELINE, 0x400, RIG_TERM}}};
    b.voters.n = W2;
    for (int i = 0; i < W2; i++) {
        b.voters.v[i].id = (member_id)(i + 1);
        memcpy(b.voters.v[i].site, roster[i].site, NAME_SIZE);
        memcpy(b.voters.v[i].key, r->setup.members[i].key, KEY_SIZE);
    }
    return b;
}

static struct durable base_disk(const struct rig *r)
{
    struct durable d = {
        .counter = RIG_COUNTER, .round = RIG_ROUND, .lease_ms_max = 2000, .served_term = RIG_TERM};
    d.decided.proposal.record = base_record(r);
    d.decided.proposal.ballot = rig_ballot(RIG_ROUND, DB1);
    d.promised = d.decided.proposal.ballot;
    d.dir = roster[r->self - 1].role == ROLE_DATABASE ? 100u + r->self : 0;
    if (r->self != DB1)
        d.served_term = 0;
    return d;
}

static void base_beats(struct rig *r)
{
    for (member_id id = DB1; id <= APP1; id++) {
        struct heartbeat *h = &r->beat[id];
        bool database = roster[id - 1].role == ROLE_DATABASE;
        *h = (struct heartbeat){.decided = rig_ballot(RIG_ROUND, DB1),
                                .accepted = rig_ballot(RIG_ROUND, DB1),
                                .decided_term = RIG_TERM,
                                .accepted_term = RIG_TERM,
                                .votes = id <= W2,
                                .verdict = VERDICT_ALIVE,
                                .sql_seen_ms = EVIDENCE_NEVER,
                                .outage_ms = EVIDENCE_NEVER};
        if (database)
            h->pg = (struct pg_report){.phase = id == DB1 ? PG_PRIMARY : PG_RECOVERY,
                                       .ready = id == DB1,
                                       .streaming = id != DB1,
                                       .upstream = id == DB1 ? MEMBER_NONE : DB1,
                                       .timeline = RIG_TIMELINE,
                                       .timeline_max = RIG_TIMELINE,
                                       .wal_term = RIG_TERM,
                                       .lsn = RIG_LSN,
                                       .replay_lsn = RIG_LSN,
                                       .system_id = RIG_SYSTEM,
                                       .dir = 100u + id,
                                       .priority = 100};
        r->nonce[id] = RIG_NONCE(id);
        r->counter[id] = RIG_COUNTER;
        if (id != r->self)
            r->alive |= 1u << (id - 1);
        r->grants[id] = id <= W2;
    }
    r->beat[DB1].request_term = RIG_TERM;
    r->beat[DB1].request_ms = 600;
}

static void base_sample(struct rig *r)
{
    r->pg = (struct pg_sample){.upstream_age_ms = EVIDENCE_NEVER, .sql_age_ms = EVIDENCE_NEVER};
    if (roster[r->self - 1].role != ROLE_DATABASE)
        return;
    r->pg.phase = r->self == DB1 ? PG_PRIMARY : PG_RECOVERY;
    r->pg.answering = true;
    r->pg.timeline = r->pg.timeline_max = RIG_TIMELINE;
    r->pg.lsn = r->pg.replay_lsn = RIG_LSN;
    r->pg.system_id = RIG_SYSTEM;
    if (r->self != DB1) {
        r->pg.upstream = DB1;
        return;
    }
    for (member_id id = DB2; id <= DB3; id++)
        r->pg.standbys[r->pg.n_standbys++] = (struct pg_standby){
            .id = id, .dir = 100u + id, .streaming = true, .flush_lsn = RIG_LSN, .replay_lsn = RIG_LSN};
}

struct rig *rig_new(member_id self)
{
    static struct rig *made;
    struct rig *r = calloc(1, sizeof *r);
    r->next = made;
    made = r;
    struct core_setup *s = &r->setup;
    r->self = self;
    r->us = 1000000;
    r->core = calloc(1, core_size());
    r->fx = calloc(1, sizeof *r->fx);
    r->sent = calloc(RIG_SENT, sizeof *r->sent);
    s->self = self;
    s->n_members = RIG_MEMBERS;
    memcpy(s->members, roster, sizeof roster);
    for (int i = 0; i < RIG_MEMBERS; i++) {
        const uint8_t seed[32] = {(uint8_t)(i + 1)};
        sign_keypair(s->members[i].key, &r->secret[i + 1], seed);
    }
    s->secret = r->secret[self];
    s->first = base_record(r);
    s->first.term = 1;
    s->first.timeline = s->first.n_history = 0;
    s->first.system_id = 0;
    record_cluster_id(&s->cluster, &s->first);
    core_settings_default(&s->settings);
    r->disk = base_disk(r);
    r->accepted = r->disk.decided.proposal;
    if (self == DB1)
        r->voting = 0x1e;
    base_beats(r);
    base_sample(r);
    return r;
}

/* ---- what comes out ------------------------------------------------------------------------------------------------- */

static void sent(struct rig *r, const struct effect *e)
{
    struct frame f;
    assert(frame_open(&f, e->bytes, e->len, &r->setup.cluster) == REJECT_NONE);
    if (f.origin == r->self)
        assert(frame_verify(e->bytes, e->len, r->setup.members[r->self - 1].key));
    if (f.kind == FRAME_HEARTBEAT && f.origin == r->self) {
        static struct heartbeat h;
        assert(wire_get_heartbeat(&h, f.body, f.body_len));
        if (h.request_term)
            r->asked_seq = f.seq;
    }
    if (r->n_sent == RIG_SENT) { /* the older half goes */
        memmove(r->sent, r->sent + RIG_SENT / 2, RIG_SENT / 2 * sizeof *r->sent);
        r->n_sent = RIG_SENT / 2;
        r->handled = r->handled > RIG_SENT / 2 ? r->handled - RIG_SENT / 2 : 0;
    }
    struct rig_frame *to = &r->sent[r->n_sent++];
    *to = (struct rig_frame){.kind = f.kind,
                             .version = f.version,
                             .to = e->to,
                             .addressee = f.addressee,
                             .order = r->order,
                             .len = f.body_len};
    memcpy(to->body, f.body, f.body_len);
}

static void said(struct rig *r, const char *name, const char *text)
{
    size_t n = strlen(r->events);
    if (n + 300 > sizeof r->events) {
        memmove(r->events, r->events + n / 2, n - n / 2 + 1);
        n = strlen(r->events);
    }
    snprintf(r->events + n, sizeof r->events - n, "%s: %s\n", name, text);
}

static void gather(struct rig *r)
{
    for (int i = 0; i < r->fx->n; i++) {
        const struct effect *e = &r->fx->e[i];
        r->order++;
        switch (e->kind) {
        case EFFECT_STORE:
            r->stores++;
            r->stored_order = r->order;
            r->stored_len = e->len;
            memcpy(r->stored, e->bytes, e->len);
            break;
        case EFFECT_SEND: sent(r, e); break;
        case EFFECT_LEASE:
            r->lease = e->until;
            r->leases++;
            break;
        case EFFECT_GOAL:
            r->goal = e->goal;
            r->goals++;
            break;
        case EFFECT_SYNC:
            r->sync = e->sync;
            r->syncs++;
            break;
        case EFFECT_ROSTER: r->rosters++; break;
        case EFFECT_KEY:
            r->key_turns++;
            r->key_round = e->round;
            break;
        case EFFECT_ROUTE: r->route = e->route.primary; break;
        case EFFECT_DECIDED: r->decisions++; break;
        case EFFECT_EVENT: said(r, e->name, e->text); break;
        case EFFECT_ANSWER:
            r->answer = e->answer;
            r->answers++;
            break;
        case EFFECT_FATAL:
            r->fatal++;
            said(r, "fatal", e->text);
            break;
        }
    }
}

void rig_clear(struct rig *r)
{
    r->n_sent = r->handled = r->order = r->stores = r->stored_order = r->goals = r->syncs = r->leases =
        r->decisions = r->answers = r->fatal = r->key_turns = 0;
    r->events[0] = 0;
}

const struct rig_frame *rig_sent(const struct rig *r, enum frame_kind kind)
{
    for (int i = r->n_sent - 1; i >= 0; i--)
        if (r->sent[i].kind == kind)
            return &r->sent[i];
    return NULL;
}

int rig_count(const struct rig *r, enum frame_kind kind)
{
    int n = 0;
    for (int i = 0; i < r->n_sent; i++)
        n += r->sent[i].kind == kind;
    return n;
}

int rig_nack(const struct rig *r)
{
    const struct rig_frame *f = rig_sent(r, FRAME_NACK);
    struct nack n = {0};
    if (f)
        assert(wire_get_nack(&n, f->body, f->len));
    return n.reason;
}

bool rig_said(const struct rig *r, const char *text)
{
    return strstr(r->events, text) != NULL;
}

/* ---- driving ---------------------------------------------------------------------------------------------------------- */

static void step(struct rig *r, struct event *e)
{
    e->now = now(r);
    e->entropy = 0x9E3779B97F4A7C15u * (uint64_t)(r->us + 1);
    core_step(r->core, e, r->fx);
    gather(r);
}

void rig_start(struct rig *r)
{
    static uint8_t bytes[DURABLE_MAX];
    const char *why = "";
    struct core_setup s = r->setup;
    s.stored_len = wire_put_durable(bytes, &r->disk);
    s.stored = r->no_store ? NULL : bytes;
    s.nonce = RIG_NONCE(r->self) + 1000 * r->starts++;
    s.now = now(r);
    bool started = core_start(r->core, &s, r->fx, &why);
    if (!started)
        fprintf(stderr, "core_start: %s\n", why);
    assert(started);
    gather(r);
}

void rig_restart(struct rig *r)
{
    assert(wire_get_durable(&r->disk, r->stored, r->stored_len));
    rig_start(r);
}

void rig_tick(struct rig *r)
{
    step(r, &(struct event){.kind = EVENT_TICK});
}

/* The hand repeats the goal that it was given; tests set `progress` and the rest. */
void rig_sample(struct rig *r)
{
    r->pg.goal_seq = r->core->goal.seq;
    step(r, &(struct event){.kind = EVENT_SAMPLE, .sample = &r->pg});
}

void rig_roster(struct rig *r, const struct roster_news *news)
{
    step(r, &(struct event){.kind = EVENT_ROSTER, .roster = news});
}

void rig_packet(struct rig *r, member_id link, const uint8_t *bytes, size_t len)
{
    step(r, &(struct event){.kind = EVENT_PACKET, .from = link, .bytes = bytes, .len = len});
}

size_t rig_bytes(struct rig *r, uint8_t *out, enum frame_kind kind, member_id from, member_id addressee,
                 const uint8_t *body, size_t len)
{
    struct frame f = {.kind = kind,
                      .origin = from,
                      .addressee = addressee,
                      .cluster = r->setup.cluster,
                      .counter = r->counter[from],
                      .nonce = r->nonce[from],
                      .seq = ++r->seq[from],
                      .body = body,
                      .body_len = (uint16_t)len};
    return frame_seal(out, &f, &r->secret[from]);
}

void rig_frame(struct rig *r, enum frame_kind kind, member_id from, member_id link, const uint8_t *body,
               size_t len)
{
    static uint8_t bytes[FRAME_MAX];
    rig_packet(r, link, bytes, rig_bytes(r, bytes, kind, from, MEMBER_NONE, body, len));
}

void rig_beat(struct rig *r, member_id from)
{
    static struct heartbeat h;
    h = r->beat[from];
    for (member_id id = DB1; id <= APP1; id++) {
        bool self = id == r->self;
        if (id == from)
            continue;
        h.heard[h.n_heard++] = (struct heard){.who = id,
                                              .counter = self ? r->core->disk.counter : r->counter[id],
                                              .nonce = (uint32_t)(self ? r->core->nonce : r->nonce[id]),
                                              .seq = self ? r->core->seq : r->seq[id] + 1};
    }
    if (r->grants[from] && r->asked_seq && h.votes) {
        h.grant_term = decided(r->core)->term;
        h.grant_holder = r->self;
        h.grant_nonce = r->core->nonce;
        h.grant_seq = r->asked_seq;
        h.grant_ms = 600;
    }
    static uint8_t body[FRAME_BODY_MAX];
    rig_frame(r, FRAME_HEARTBEAT, from, r->via[from] ? r->via[from] : from, body,
              wire_put_heartbeat(body, &h));
}

static void vote_prepare(struct rig *r, member_id id, const struct rig_frame *f)
{
    static struct prepare p;
    static struct promised answer;
    uint8_t bytes[STATEMENT_MAX];
    assert(wire_get_prepare(&p, f->body, f->len));
    answer = (struct promised){.accepted = r->accepted};
    answer.promise = (struct promise){.who = id,
                                      .ballot = p.ballot,
                                      .takeover = p.takeover,
                                      .accepted = r->accepted.ballot,
                                      .term = r->accepted.record.term,
                                      .verdict = VERDICT_GONE,
                                      .silent_ms = 700};
    sign_make(answer.promise.signature, &r->secret[id], bytes,
              promise_bytes(bytes, &r->setup.cluster, &answer.promise));
    rig_say(r, promised, FRAME_PROMISE, id, &answer);
}

static void vote_accept(struct rig *r, member_id id, const struct rig_frame *f)
{
    static struct accept m;
    struct accepted a = {.who = id};
    uint8_t bytes[STATEMENT_MAX];
    assert(wire_get_accept(&m, f->body, f->len));
    r->accepted = m.proposal;
    r->beat[id].accepted = a.ballot = m.proposal.ballot;
    r->beat[id].accepted_term = m.proposal.record.term;
    record_hash(a.record_hash, &m.proposal.record);
    sign_make(a.signature, &r->secret[id], bytes, accepted_bytes(bytes, &r->setup.cluster, &a));
    rig_say(r, accepted, FRAME_ACCEPTED, id, &a);
}

static void learn(struct rig *r, const struct rig_frame *f)
{
    static struct certificate c;
    assert(wire_get_decided(&c, f->body, f->len));
    for (member_id id = DB1; id <= APP1; id++) {
        r->beat[id].decided = c.proposal.ballot;
        r->beat[id].decided_term = c.proposal.record.term;
    }
}

void rig_vote(struct rig *r)
{
    static struct rig_frame f;
    while (r->handled < r->n_sent) {
        f = r->sent[r->handled++];
        if (f.kind == FRAME_DECIDED)
            learn(r, &f);
        for (member_id id = DB1; id <= W2; id++) {
            uint32_t bit = f.addressee == id ? 1u << (id - 1) : 0;
            if (f.kind == FRAME_PREPARE && bit & (r->voting | r->promising))
                vote_prepare(r, id, &f);
            if (f.kind == FRAME_ACCEPT && bit & r->voting)
                vote_accept(r, id, &f);
        }
    }
}

void rig_run(struct rig *r, int ms)
{
    for (int64_t end = r->us + ms * 1000; r->us < end;) {
        r->us += 10000;
        if (r->us % 50000 == 0)
            for (member_id id = DB1; id <= APP1; id++)
                if (r->alive >> (id - 1) & 1)
                    rig_beat(r, id);
        rig_tick(r);
        rig_vote(r);
    }
}

void rig_wait(struct rig *r, int ms)
{
    for (int t = 0; t < ms; t += 50) {
        rig_run(r, 50);
        rig_sample(r);
    }
}

void rig_obey(struct rig *r)
{
    r->pg.sync_seq = r->core->sync_order.seq;
    r->pg.sync_progress = PG_GOAL_REACHED;
    r->pg.sync_lsn = r->pg.lsn;
}

void rig_silence(struct rig *r)
{
    r->alive &= ~1u;
    rig_run(r, 1000);
}

struct rig *rig_running_with(member_id self, void (*edit)(struct durable *d))
{
    struct rig *r = rig_new(self);
    if (edit)
        edit(&r->disk);
    rig_start(r);
    rig_sample(r);
    rig_run(r, 2500);
    rig_sample(r);
    rig_clear(r);
    return r;
}

struct rig *rig_running(member_id self)
{
    return rig_running_with(self, NULL);
}
