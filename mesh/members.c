/* members.c: who is heard, in which incarnation, saying what; our own heartbeat; what to pass on to whom.
 *
 * A member's counter is the generation of its store: it rises with every STORE, and every start stores first.  So a
 * frame from another start with a counter at or below one already heard is an echo, a twin, or a store rolled back. */
#include "mesh/core_state.h"

#include <stdio.h>
#include <string.h>

enum { KEEP_MS = 100 };
enum { TWIN_LOSSES = 5 }; /* a store is rolled back once; two processes overtake each other again and again */

/* ---- incarnations ---------------------------------------------------------------------------------------------- */

/* Our own store is gone, older than what others heard of it, or in use by a twin: stop voting, and speak from a
 * generation above the one they know, or nobody would listen. */
void lost_store(struct core *c, uint64_t at_least, const char *why)
{
    if (!c->disk.lost) {
        event_say(c, "+store-lost", "%s: this member does not vote until it is admitted again", why);
        c->disk.lost = true;
        if (c->role == ROLE_DATABASE)
            c->disk.dir = 0;
    }
    c->disk.epoch = EPOCH_UNKNOWN; /* even if it was lost before: it may have been admitted since */
    if (++c->losses == TWIN_LOSSES) {
        c->twin = true;
        snprintf(effect_add(c, EFFECT_FATAL)->text, TEXT_SIZE,
                 "another process runs under this member's identity");
    }
    if (c->disk.counter <= at_least)
        c->disk.counter = at_least + 1;
    proposer_stop(c, true);
    store(c);
    c->start_counter = c->disk.counter;
}

/* What a peer's `heard` says about us (docs/protocol.md, "Restart"). */
static void heard_of_self(struct core *c, const struct heard *h)
{
    if (h->nonce == (uint32_t)c->nonce || h->counter < c->start_counter || MUTANT(NO_INCARNATION_CHECK))
        return;
    lost_store(c, h->counter, "others have heard a newer generation of this member's store");
}

/* A voter's store was heard to have moved on: kept on our disk too, soon, so that a restart of everybody does not help
 * a store that is rolled back meanwhile.  No generation of our own: or two members would keep each other writing. */
void members_keep(struct core *c)
{
    bool news = false;
    for (int i = 0; i < c->n_members; i++) {
        uint64_t kept = 0;
        if (!record_voter(decided(c), c->members[i].id) || i == c->self_index)
            continue;
        for (int k = 0; k < c->disk.n_known; k++)
            if (c->disk.known[k].who == c->members[i].id)
                kept = c->disk.known[k].counter;
        news |= c->peers[i].counter > kept;
    }
    if (!news || instant_elapsed_most(c->now, c->kept).ns < span_ms(KEEP_MS).ns)
        return;
    c->kept = c->now;
    c->disk.counter--;
    store(c);
}

void members_known(struct core *c)
{
    c->disk.n_known = 0;
    for (int i = 0; i < c->n_members; i++)
        if (c->peers[i].counter)
            c->disk.known[c->disk.n_known++] = (struct generation){
                .who = c->members[i].id, .counter = c->peers[i].counter, .nonce = c->peers[i].nonce};
}

/* A store that was rolled back looks like any other to its owner; the others know better.  So nobody votes in a new
 * start before a quorum, itself included, was heard to know nothing newer of it. */
void members_vouch(struct core *c)
{
    const struct voters *v = &decided(c)->voters;
    uint32_t have = 0;
    if (c->vouched)
        return;
    for (int i = 0; i < v->n; i++) {
        int m = member_index(c, v->v[i].id);
        if (m == c->self_index || (m >= 0 && c->peers[m].heard && !c->peers[m].beat.lost))
            have |= 1u << i;
    }
    c->vouched = quorum_reached(v, have);
    if (c->vouched)
        c->beat_now = true;
}

void members_recall(struct core *c)
{
    for (int k = 0; k < c->disk.n_known; k++) {
        int i = member_index(c, c->disk.known[k].who);
        if (i < 0 || i == c->self_index)
            continue;
        c->peers[i].counter = c->disk.known[k].counter;
        c->peers[i].nonce = c->disk.known[k].nonce;
    }
    members_vouch(c); /* a single voter asks nobody */
}

enum reject members_incarnation(struct core *c, const struct frame *f)
{
    if (f->origin == c->self) {
        struct heard h = {.who = c->self, .counter = f->counter, .nonce = (uint32_t)f->nonce};
        if (f->nonce != c->nonce)
            heard_of_self(c, &h);
        return f->nonce == c->nonce ? REJECT_REPLAY : REJECT_TWIN;
    }
    struct peer *p = &c->peers[member_index(c, f->origin)];
    if (p->counter == 0 || f->nonce == p->nonce) {
        p->nonce = f->nonce;
        if (f->counter > p->counter)
            p->counter = f->counter;
        return REJECT_NONE;
    }
    if (!MUTANT(NO_INCARNATION_CHECK)) {
        if (f->counter < p->counter)
            return REJECT_INCARNATION;
        if (f->counter == p->counter)
            return REJECT_TWIN;
    }
    p->nonce = f->nonce;
    p->counter = f->counter;
    p->seq = 0;
    return REJECT_NONE;
}

static const struct heard *heard_find(const struct heartbeat *h, member_id who)
{
    for (int i = 0; i < h->n_heard; i++)
        if (h->heard[i].who == who)
            return &h->heard[i];
    return NULL;
}

/* A lost member learns which epoch was in force when it was lost: the one in a record that a quorum without it, heard in
 * this start and answering it, has decided and accepted nothing above.  A record from one member alone may be older than
 * an admission that this member has since been given, and has forgotten. */
static void epoch_find(struct core *c)
{
    const struct record *r = decided(c);
    const struct voter *v = record_voter(r, c->self);
    uint32_t have = 0;
    if (!c->disk.lost || c->disk.epoch != EPOCH_UNKNOWN || !v)
        return;
    for (int i = 0; i < r->voters.n; i++) {
        int m = member_index(c, r->voters.v[i].id);
        if (m < 0 || m == c->self_index || !c->peers[m].heard)
            continue;
        const struct heartbeat *h = &c->peers[m].beat;
        const struct heard *us = heard_find(h, c->self);
        bool level =
            ballot_cmp(h->decided, decided_ballot(c)) == 0 && ballot_cmp(h->accepted, decided_ballot(c)) == 0;
        if (h->votes && level && us && us->nonce == (uint32_t)c->nonce)
            have |= 1u << i;
    }
    if (!quorum_reached(&r->voters, have))
        return;
    c->disk.epoch = v->epoch;
    store(c);
}

/* ---- hearing --------------------------------------------------------------------------------------------------- */

bool peer_fresh(const struct core *c, int i, span within)
{
    const struct peer *p = &c->peers[i];
    return p->heard && !c->members[i].revoked && instant_elapsed_most(c->now, p->at).ns <= within.ns;
}

span heard_age(const struct heartbeat *h, member_id who)
{
    const struct heard *e = heard_find(h, who);
    return e && e->seq ? span_us(e->dwell_us) : span_ms(1000000);
}

uint64_t heard_seq(const struct heartbeat *h, member_id who, uint64_t nonce)
{
    const struct heard *e = heard_find(h, who);
    return e && e->nonce == (uint32_t)nonce ? e->seq : 0;
}

/* Does the member at index i hear us late, by its own word, or we it? */
bool link_bad(const struct core *c, int i)
{
    const struct peer *p = &c->peers[i];
    int64_t limit = 3 * beat_interval(c).ns;
    if (!p->heard || instant_elapsed_most(c->now, p->direct).ns > limit + pace_slack(c, i, c->self_index).ns)
        return true;
    return heard_age(&p->beat, c->self).ns > limit + pace_slack(c, c->self_index, i).ns;
}

bool database_eligible(const struct core *c, int i)
{
    const struct peer *p = &c->peers[i];
    const struct pg_report *g = &p->beat.pg;
    if (c->members[i].role != ROLE_DATABASE || !record_is_database(decided(c), c->members[i].id))
        return false;
    if (!peer_fresh(c, i, span_ms(c->set.lease_ms / 2)))
        return false;
    return g->phase == PG_RECOVERY && g->dir != 0 && g->priority > 0 && !(g->preflight & PREFLIGHT_BARS) &&
           g->system_id == decided(c)->system_id &&
           lineage_join(decided(c), g->timeline, g->lsn) == JOIN_FOLLOW;
}

/* Later than it should be: the member at index q without a heartbeat of the one at index o, for so long. */
static bool late(const struct core *c, int o, int q, int64_t age_ns)
{
    return age_ns > beat_interval(c).ns * 5 / 2 + pace_slack(c, o, q).ns;
}

/* Could the member at index y have sent one of `o` to `q`? */
static bool could_pass_on(const struct core *c, int y, int o, int q)
{
    const struct peer *p = &c->peers[y];
    return p->heard && !late(c, y, c->self_index, instant_elapsed_most(c->now, p->at).ns) &&
           !late(c, o, y, heard_age(&p->beat, c->members[o].id).ns) &&
           !late(c, y, q, heard_age(&c->peers[q].beat, c->members[y].id).ns);
}

/* A heartbeat travels by any path: whoever lacks it, by its own word, gets a copy from the first two members (by
 * position) that could send one.  While all links work nothing is passed on. */
static void pass_on(struct core *c, member_id origin, const uint8_t *bytes, size_t n, member_id from)
{
    uint32_t to = 0;
    int o = member_index(c, origin);
    for (int q = 0; q < c->n_members; q++) {
        const struct peer *p = &c->peers[q];
        if (q == c->self_index || q == o || c->members[q].id == from)
            continue;
        if (c->members[q].role == ROLE_OBSERVER || !peer_fresh(c, q, span_ms(c->set.lease_ms)))
            continue;
        int64_t waits = instant_elapsed_most(c->now, p->at).ns - pace_slack(c, q, c->self_index).ns;
        if (!late(c, o, q, heard_age(&p->beat, origin).ns + (waits > 0 ? waits : 0)))
            continue;
        int before = 0;
        for (int y = 0; y < c->self_index; y++)
            before += y != q && y != o && could_pass_on(c, y, o, q);
        if (before < 2)
            to |= 1u << q;
    }
    if (!to || c->out->used + n > EFFECTS_ARENA / 2)
        return;
    struct effect *e = effect_add(c, EFFECT_SEND);
    uint8_t *copy = c->out->arena + c->out->used;
    memcpy(copy, bytes, n);
    c->out->used += (n + 15) & ~(size_t)15;
    e->bytes = copy;
    e->len = n;
    e->to = to;
}

/* The heartbeat of the primary renews its grant, that of a voter may carry one for us. */
static void heard_lease(struct core *c, const struct frame *f, const struct heartbeat *h)
{
    if (h->request_term) {
        grant_consider(c, f, h);
        if (c->role != ROLE_OBSERVER)
            c->answer |= mask_of(c, f->origin);
    }
    bool newcomer =
        !record_voter(decided(c), f->origin) && !h->lost; /* counts where a record of ours names it */
    if (h->grant_term && (h->votes || newcomer) && h->grant_holder == c->self && h->grant_nonce == c->nonce)
        hold_granted(c, f->origin, h);
}

enum reject members_hear(struct core *c, const struct frame *f, const uint8_t *bytes, size_t n,
                         member_id from)
{
    struct peer *p = &c->peers[member_index(c, f->origin)];
    struct heartbeat h;
    if (!wire_get_heartbeat(&h, f->body, f->body_len))
        return REJECT_BODY;
    if (from == f->origin)
        p->direct = c->now;
    if (f->seq <= p->seq)
        return REJECT_REPLAY;
    if (!p->heard && c->hold.asking)
        c->answer |=
            mask_of(c, f->origin); /* our request must echo what it grants by: its lease may hang on that */
    p->seq = f->seq;
    p->heard = true;
    p->at = c->now;
    p->beat = h;
    pass_on(c, f->origin, bytes, n, from);
    const struct heard *self = heard_find(&h, c->self);
    if (from == f->origin)
        notice_link(c, member_index(c, from), self);
    notice_outage(c, member_index(c, f->origin));
    if (self)
        heard_of_self(c, self);
    epoch_find(c);
    members_vouch(c);
    roster_heard(c, member_index(c, f->origin), h.roster);
    round_see(c, h.promised);
    round_see(c, h.accepted);
    round_see(c, h.sealed_for);
    if (ballot_cmp(h.decided, decided_ballot(c)) < 0)
        push_decided(c, member_index(c, f->origin));
    heard_lease(c, f, &h);
    return REJECT_NONE;
}

/* ---- speaking -------------------------------------------------------------------------------------------------- */

static void fill_postgres(const struct core *c, struct pg_report *g)
{
    const struct pg_sample *s = &c->sample;
    g->phase = s->phase;
    g->ready = c->hold.ready;
    g->upstream = s->upstream;
    g->streaming = s->phase == PG_RECOVERY && s->upstream != MEMBER_NONE;
    g->timeline = s->timeline;
    g->timeline_max = s->timeline_max;
    g->wal_term = record_term_of_timeline(decided(c), s->timeline);
    g->lsn = s->lsn;
    g->replay_lsn = s->replay_lsn;
    g->system_id = s->system_id;
    g->dir = c->disk.dir;
    g->preflight = s->preflight;
    g->priority = c->set.candidate ? c->set.priority : 0;
    const struct pg_report *up = NULL;
    int i = member_index(c, s->upstream);
    if (i >= 0 && i != c->self_index && c->peers[i].heard)
        up = &c->peers[i].beat.pg;
    g->lag_ms =
        up && up->lsn > s->replay_lsn ? (uint32_t)span_to_ms(instant_elapsed_most(c->now, c->sampled)) : 0;
}

static void fill_lease(const struct core *c, struct heartbeat *h)
{
    if (c->hold.asking) {
        h->request_term = decided(c)->term;
        h->request_ms = c->hold.ask_ms;
    }
    if ((h->votes || may_join(c)) && grant_runs(&c->grant, c->now)) {
        h->grant_term = c->grant.term;
        h->grant_holder = c->grant.holder;
        h->grant_nonce = c->grant.nonce;
        h->grant_seq = c->grant.seq;
        h->grant_ms = c->grant.length_ms;
    }
}

void heartbeat_fill(struct core *c, struct heartbeat *h)
{
    memset(h, 0, sizeof *h);
    h->decided = decided_ballot(c);
    h->decided_term = decided(c)->term;
    h->accepted = c->disk.accepted.ballot;
    h->accepted_term = c->disk.accepted.record.term;
    h->promised = c->disk.promised_takeover;
    h->sealed_for = c->disk.sealed_for;
    h->votes = may_vote(c);
    h->roster = c->roster;
    h->reads = FRAME_VERSION;
#ifdef PGMESH_PROTOCOL_NEXT
    h->next = FRAME_VERSION; /* something that the version before does not know */
#endif
    h->lost = c->disk.lost;
    h->verdict = in_quarantine(c) && verdict_promises(c->verdict, decided(c)->durability) ? VERDICT_UNKNOWN
                                                                                          : c->verdict;
    h->quarantine_ms = quarantine_ms(c);
    h->silent_ms = c->silent_ms;
    h->sql_seen_ms = EVIDENCE_NEVER;
    h->outage_ms = notice_outage_ms(c);
    h->pooler = c->sample.pooler;
    fill_lease(c, h);
    if (c->role == ROLE_DATABASE)
        fill_postgres(c, &h->pg);
    if (c->role == ROLE_OBSERVER && c->sample.sql_term == decided(c)->term &&
        c->sample.sql_age_ms != EVIDENCE_NEVER)
        h->sql_seen_ms =
            c->sample.sql_age_ms + (uint32_t)span_to_ms(instant_elapsed_most(c->now, c->sampled));
    h->flush_us = c->sample.flush_us;
    for (int i = 0; i < c->n_members; i++) {
        const struct peer *p = &c->peers[i];
        if (p->counter == 0)
            continue;
        int64_t dwell = span_to_us(instant_elapsed_most(c->now, p->at));
        h->heard[h->n_heard++] = (struct heard){.who = c->members[i].id,
                                                .counter = p->counter,
                                                .nonce = (uint32_t)p->nonce,
                                                .seq = p->heard ? p->seq : 0,
                                                .dwell_us = dwell > UINT32_MAX ? UINT32_MAX : (uint32_t)dwell,
                                                .rtt_us = notice_rtt_us(c, i)};
    }
}

void beat(struct core *c, uint32_t to)
{
    struct heartbeat h;
    if (c->hold.asking) { /* our own vote counts from the same instant as the request */
        struct frame own = {.origin = c->self, .nonce = c->nonce, .seq = c->seq + 1};
        struct heartbeat request = {.request_term = decided(c)->term, .request_ms = c->hold.ask_ms};
        c->sent_at[(c->seq + 1) % SENT_RING] = c->now;
        grant_consider(c, &own, &request);
    }
    heartbeat_fill(c, &h);
    send_all(c, FRAME_HEARTBEAT, to, wire_put_heartbeat(body_room(c), &h));
    c->beat_seq = c->seq;
    if (c->hold.asking && h.votes && h.grant_holder == c->self && h.grant_nonce == c->nonce)
        hold_granted(c, c->self, &h);
}
