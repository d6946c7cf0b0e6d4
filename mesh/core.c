/* core.c: the door of the machine: start, step, deadline, check; dispatch of packets; the list of effects. */
#include "mesh/core_state.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t core_size(void)
{
    return sizeof(struct core);
}

void core_settings_default(struct core_settings *s)
{
    *s = (struct core_settings){
        .lease_ms = 600,
        .fence_ms = 100,
        .boot_grace_ms = 5000,
        .unfenced_max_ms = 6000,
        .stagger_ms = 40,
        .seal_wait_ms = 40,
        .promote_timeout_ms = 60000,
        .start_timeout_ms = 300000,
        .answer_timeout_ms = 3000,
        .standby_timeout_ms = 1000,
        .switchover_timeout_ms = 10000,
        .sync_standbys = 1,
        .priority = 100,
        .candidate = true,
        .observe_only = false,
        .on_crash = ON_CRASH_AUTO,
        .replica_lag_kb = 16384,
    };
}

/* ---- looking up ------------------------------------------------------------------------------------------------ */

int member_index(const struct core *c, member_id id)
{
    for (int i = 0; i < c->n_members; i++)
        if (c->members[i].id == id)
            return i;
    return -1;
}

const struct member *member_of(const struct core *c, member_id id)
{
    int i = member_index(c, id);
    return i < 0 ? NULL : &c->members[i];
}

const char *member_name(const struct core *c, member_id id)
{
    const struct member *m = member_of(c, id);
    return m ? m->name : "nobody";
}

uint32_t mask_of(const struct core *c, member_id id)
{
    int i = member_index(c, id);
    return i < 0 ? 0 : 1u << i;
}

uint32_t mask_core(const struct core *c)
{
    uint32_t mask = 0;
    for (int i = 0; i < c->n_members; i++)
        if (i != c->self_index && !role_is_person(c->members[i].role) && !c->members[i].revoked)
            mask |= 1u << i;
    return mask;
}

bool is_primary(const struct core *c)
{
    return decided(c)->primary == c->self;
}

/* Nobody knows of anything that this member's store has forgotten. */
static bool intact(const struct core *c)
{
    return (c->vouched || MUTANT(NO_INCARNATION_CHECK)) && !c->disk.lost && !c->twin && !reform_awaited(c);
}

bool may_vote(const struct core *c)
{
    const struct voter *v = record_voter(decided(c), c->self);
    if (MUTANT(AMNESIAC_VOTES))
        return v != NULL;
    return v && v->epoch == c->disk.epoch && intact(c);
}

bool may_join(const struct core *c)
{
    return !record_voter(decided(c), c->self) && intact(c);
}

bool in_quarantine(const struct core *c)
{
    return !instant_due_all(c->now, c->votes_from);
}

uint32_t quarantine_ms(const struct core *c)
{
    return in_quarantine(c) ? (uint32_t)span_to_ms(instant_elapsed_most(c->votes_from, c->now)) + 1 : 0;
}

span beat_interval(const struct core *c)
{
    return span_us((int64_t)c->set.lease_ms * 1000 / 12);
}

/* ---- effects --------------------------------------------------------------------------------------------------- */

struct effect *effect_add(struct core *c, enum effect_kind kind)
{
    struct effects *out = c->out;
    assert(out->n < EFFECTS_MAX);
    struct effect *e = &out->e[out->n++];
    memset(e, 0, offsetof(struct effect, goal));
    e->kind = kind;
    return e;
}

static uint8_t *arena(struct core *c, size_t n)
{
    assert(c->out->used + n <= EFFECTS_ARENA);
    return c->out->arena + c->out->used;
}

void store(struct core *c)
{
    c->disk.counter++;
    members_known(c);
    uint8_t *bytes = arena(c, DURABLE_MAX);
    size_t n = wire_put_durable(bytes, &c->disk);
    c->out->used += n;
    struct effect *e = effect_add(c, EFFECT_STORE);
    e->bytes = bytes;
    e->len = n;
}

void event_say(struct core *c, const char *name, const char *format, ...)
{
    if (c->out->n > EFFECTS_MAX - 32)
        return; /* words yield to deeds */
    struct effect *e = effect_add(c, EFFECT_EVENT);
    va_list args;
    e->name = name;
    e->term = decided(c)->term;
    va_start(args, format);
    vsnprintf(e->text, sizeof e->text, format, args);
    va_end(args);
}

void reject(struct core *c, enum reject r)
{
    c->rejected[r]++;
}

uint8_t *body_room(struct core *c)
{
    return arena(c, FRAME_MAX) + FRAME_HEADER;
}

static void send_frame(struct core *c, enum frame_kind kind, member_id addressee, uint32_t to,
                       size_t body_len)
{
    c->sent_at[++c->seq % SENT_RING] = c->now; /* also when nobody else is there: our own vote counts by it */
    if (!to)
        return;
    uint8_t *bytes = arena(c, FRAME_MAX);
    struct frame f = {.version = kind == FRAME_HEARTBEAT ? FRAME_VERSION_MIN : version_spoken(c),
                      .kind = kind,
                      .origin = c->self,
                      .addressee = addressee,
                      .cluster = c->cluster,
                      .counter = c->vouched ? c->disk.counter : c->start_counter,
                      .nonce = c->nonce,
                      .seq = c->seq,
                      .body = bytes + FRAME_HEADER,
                      .body_len = (uint16_t)body_len};
    size_t n = frame_seal(bytes, &f, &c->secret);
    c->out->used += (n + 15) & ~(size_t)15;
    struct effect *e = effect_add(c, EFFECT_SEND);
    e->bytes = bytes;
    e->len = n;
    e->to = to;
}

void send_all(struct core *c, enum frame_kind kind, uint32_t to, size_t body_len)
{
    send_frame(c, kind, MEMBER_NONE, to & ~(1u << c->self_index), body_len);
}

/* Copies go by way of up to two members that hear the addressee, when our own link to it is bad. */
void send_to(struct core *c, enum frame_kind kind, member_id to, size_t body_len)
{
    int i = member_index(c, to);
    if (i < 0 || i == c->self_index || c->members[i].revoked)
        return;
    uint32_t mask = 1u << i;
    if (link_bad(c, i)) {
        int relays = 0;
        for (int k = 0; k < c->n_members && relays < 2; k++)
            if (k != i && k != c->self_index && peer_fresh(c, k, span_ms(c->set.lease_ms)) &&
                !link_bad(c, k)) {
                mask |= 1u << k;
                relays++;
            }
    }
    send_frame(c, kind, to, mask, body_len);
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static bool setup_right(const struct core_setup *s, int *self, const char **why)
{
    *self = -1;
    *why = "too many members";
    if (s->n_members > MEMBERS_MAX)
        return false;
    for (int i = 0; i < s->n_members; i++) {
        *why = "a member has no number";
        if (s->members[i].id == MEMBER_NONE)
            return false;
        *why = "two members have one number";
        for (int k = 0; k < i; k++)
            if (s->members[k].id == s->members[i].id)
                return false;
        if (s->members[i].id == s->self)
            *self = i;
    }
    *why = "this member is not in the roster";
    if (*self < 0 || role_is_person(s->members[*self].role))
        return false;
    *why = "the lease is shorter than its own margin";
    if (s->settings.lease_ms < 2 * s->settings.fence_ms || s->settings.lease_ms < 24)
        return false;
    return record_valid(&s->first, why);
}

/* A member whose store is lost knows the first record and nothing else; it says so, and does not vote. */
static void start_without_store(struct core *c, const struct record *first)
{
    memset(&c->disk, 0, sizeof c->disk);
    c->disk.lost = true;
    c->disk.decided.proposal.record = *first;
    c->disk.lease_ms_max = first->lease_ms_max;
    c->disk.epoch = EPOCH_UNKNOWN;
    event_say(c, "+store-lost",
              "the store is missing or damaged: this member does not vote until it is admitted again");
}

bool core_start(struct core *c, const struct core_setup *s, struct effects *out, const char **why)
{
    int self;
    if (!setup_right(s, &self, why))
        return false;
    memset(c, 0, sizeof *c);
    out->n = 0;
    out->used = 0;
    c->out = out;
    c->cluster = s->cluster;
    c->self = s->self;
    c->self_index = self;
    c->role = s->members[self].role;
    c->secret = s->secret;
    c->n_members = s->n_members;
    memcpy(c->members, s->members, sizeof c->members);
    c->set = s->settings;
    c->nonce = s->nonce;
    c->now = c->started = c->stepped = c->watch = c->voters_changed = s->now;
    c->beat_at = c->beat_all_at = instant_sub(s->now, beat_interval(c));
    if (!s->stored)
        start_without_store(c, &s->first);
    else if (!wire_get_durable(&c->disk, s->stored, s->stored_len)) {
        *why = "its store is whole, and of another version of pgmesh; it is left as it is";
        return false;
    }
    if (memcmp(c->disk.decided.proposal.record.nonce, s->first.nonce, sizeof s->first.nonce) != 0) {
        *why = "the store belongs to another cluster";
        return false;
    }
    if (!c->disk.has_accepted || ballot_cmp(c->disk.accepted.ballot, decided_ballot(c)) < 0) {
        c->disk.accepted = c->disk.decided.proposal;
        c->disk.has_accepted = true;
    }
    c->votes_from = instant_add(s->now, span_ms(c->disk.lease_ms_max));
    members_recall(c);
    roster_set(c, &s->roster);
    c->sample.phase = PG_NONE;
    c->sample.upstream_age_ms = c->sample.sql_age_ms = EVIDENCE_NEVER;
    store(c);
    c->start_counter = c->disk.counter;
    hold_reset(c, false);
    event_say(c, "+start", "started, term %llu, primary %s", (unsigned long long)decided(c)->term,
              member_name(c, decided(c)->primary));
    core_check(c);
    return true;
}

/* ---- one step -------------------------------------------------------------------------------------------------- */

/* Passes a frame on to its addressee: once, and only what came from its origin. */
static enum reject pass_on(struct core *c, const struct frame *f, const struct event *e)
{
    int i = member_index(c, f->addressee);
    const struct member *origin = member_of(c, f->origin);
    if (i < 0 || !origin || e->from != f->origin || e->len > FRAME_MAX)
        return REJECT_ADDRESSEE;
    if (!frame_holds(origin, e->bytes, e->len))
        return REJECT_SIGNATURE;
    uint8_t *bytes = arena(c, FRAME_MAX);
    memcpy(bytes, e->bytes, e->len);
    c->out->used += (e->len + 15) & ~(size_t)15;
    struct effect *fx = effect_add(c, EFFECT_SEND);
    fx->bytes = bytes;
    fx->len = e->len;
    fx->to = 1u << i;
    return REJECT_NONE;
}

#define READ(name, type) \
    type x; \
    if (!wire_get_##name(&x, f->body, f->body_len)) \
        return REJECT_BODY;

static enum reject dispatch(struct core *c, const struct frame *f, const struct event *e)
{
    bool database = member_of(c, f->origin)->role == ROLE_DATABASE;
    switch (f->kind) {
    case FRAME_HEARTBEAT: return members_hear(c, f, e->bytes, e->len, e->from);
    case FRAME_PREPARE: {
        READ(prepare, struct prepare) return database ? on_prepare(c, &x, f->origin) : REJECT_ROLE;
    }
    case FRAME_PROMISE: {
        READ(promised, struct promised)
        return x.promise.who == f->origin ? on_promise(c, &x) : REJECT_STATEMENT;
    }
    case FRAME_NACK: {
        READ(nack, struct nack) return on_nack(c, &x, f->origin);
    }
    case FRAME_SEAL: {
        READ(seal, struct seal) return database ? on_seal(c, &x, f->origin) : REJECT_ROLE;
    }
    case FRAME_SEALED: {
        READ(sealed, struct sealed_statement) return database ? on_sealed(c, &x) : REJECT_ROLE;
    }
    case FRAME_ACCEPT: {
        READ(accept, struct accept) return database ? on_accept(c, &x, f->origin) : REJECT_ROLE;
    }
    case FRAME_ACCEPTED: {
        READ(accepted, struct accepted) return on_accepted(c, &x);
    }
    case FRAME_DECIDED: {
        READ(decided, struct certificate) return on_decided(c, &x);
    }
    case FRAME_RELEASE: {
        READ(release, struct release) return on_release(c, &x);
    }
    case FRAME_COMMAND: {
        READ(command, struct command) return on_command(c, &x, e->bytes, e->len, e->from);
    }
    case FRAME_ANSWER: {
        READ(answer, struct answer) return on_answer(c, &x);
    }
    case FRAME_ROSTER: return on_roster(c, f);
    case FRAME_PENDING: {
        READ(command, struct command) return on_pending(c, &x);
    }
    case FRAME_KIND_END: break;
    }
    return REJECT_KIND;
}

/* Envelope, addressee, signature, incarnation, in this order; only then the body. */
static enum reject packet(struct core *c, const struct event *e)
{
    struct frame f;
    enum reject r = frame_open(&f, e->bytes, e->len, &c->cluster);
    if (r != REJECT_NONE)
        return r;
    const struct member *origin = member_of(c, f.origin);
    if (!origin)
        return REJECT_ORIGIN;
    if (origin->revoked)
        return REJECT_REVOKED;
    if (f.addressee != MEMBER_NONE && f.addressee != c->self)
        return pass_on(c, &f, e);
    if (role_is_person(origin->role) != (f.kind == FRAME_COMMAND))
        return REJECT_ROLE;
    bool vouched = e->from == f.origin && f.kind == FRAME_HEARTBEAT; /* by the link's own authentication */
    if (!vouched && !frame_holds(origin, e->bytes, e->len))
        return REJECT_SIGNATURE;
    if (!role_is_person(origin->role)) {
        r = members_incarnation(c, &f);
        if (r != REJECT_NONE)
            return r;
    }
    return dispatch(c, &f, e);
}

/* What follows from the new state, in the order in which one rests on the other. */
static void react(struct core *c)
{
    version_drive(c);
    verdict_update(c);
    primary_drive(c);
    sealing_drive(c);
    takeover_consider(c);
    proposer_drive(c);
    syncset_drive(c);
    operate_drive(c);
    goals_drive(c);
    route_drive(c);
    roster_drive(c);
    members_keep(c);
    uint32_t to;
    if (pace_take(c, &to))
        beat(c, to);
}

void core_step(struct core *c, const struct event *e, struct effects *out)
{
    out->n = 0;
    out->used = 0;
    c->out = out;
    core_check(c);
    if (instant_elapsed_most(e->now, c->stepped).ns > span_ms(c->set.lease_ms).ns)
        c->tilt = instant_add(e->now, span_ms(c->set.lease_ms));
    c->now = c->stepped = e->now;
    c->entropy = e->entropy;
    switch (e->kind) {
    case EVENT_TICK: break;
    case EVENT_PACKET: reject(c, packet(c, e)); break;
    case EVENT_SAMPLE: on_sample(c, e->sample); break;
    case EVENT_ROSTER: roster_set(c, e->roster); break;
    }
    react(c);
    core_check(c);
}

static instant earlier(instant a, instant b)
{
    return instant_is_never(b) ? a : instant_is_never(a) ? b : instant_min(a, b);
}

instant core_deadline(const struct core *c)
{
    instant at = pace_due(c);
    if (grant_runs(&c->grant, c->now))
        at = earlier(at, c->grant.until);
    if (lease_held(c))
        at = earlier(at, c->hold.until);
    return earlier(at, takeover_deadline(c));
}

void core_check(const struct core *c)
{
    const struct durable *d = &c->disk;
    assert(c->self_index >= 0 && c->members[c->self_index].id == c->self);
    assert(d->has_accepted && ballot_cmp(d->accepted.ballot, decided_ballot(c)) >= 0);
    assert(ballot_cmp(d->promised, d->promised_takeover) >= 0);
    assert(d->lease_ms_max >= decided(c)->lease_ms_max);
    assert(!c->grant.given || c->grant.length_ms <= d->lease_ms_max);
    assert(c->proposer.phase == PROPOSER_IDLE || c->proposer.ballot.member == c->self);
    assert(c->proposer.phase == PROPOSER_IDLE || c->proposer.ballot.round <= d->round);
    assert(!lease_held(c) || (is_primary(c) && c->hold.confirmed && d->released_term < decided(c)->term));
    assert(c->proposer.n_promises <= 2 * VOTERS_MAX && c->proposer.n_seals <= DATABASES_MAX);
}
