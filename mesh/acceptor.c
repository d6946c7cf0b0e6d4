/* acceptor.c: the voter: promises, accepts, grants, and what is decided (Paxos: Lamport, "Paxos Made Simple";
 * one register without a log: Rystsov, "CASPaxos").  docs/protocol.md, "Ballots", "Heartbeat, grant, lease".
 *
 * What holds in every state (core_check asserts it where it can):
 *   - promised >= promised_takeover; accepted >= decided; none of them ever falls, nor across a restart
 *   - a grant runs only for the term and primary of the accepted record, and only while that record stands at or above
 *     every takeover ballot promised
 *   - no record naming another term or primary is accepted while the grant runs: this sentence is the proof of I1 */
#include "mesh/core_state.h"

#include <string.h>

void round_see(struct core *c, struct ballot b)
{
    if (b.round > c->disk.round && ballot_epoch(b) <= ballot_epoch(decided_ballot(c)))
        c->disk.round = b.round; /* stored before the next use, with the ballot made of it */
}

/* ---- the verdict ----------------------------------------------------------------------------------------------- */

/* From when on may silence count against the primary: the end of our last grant, or a while after its term was learnt. */
static instant silence_begins(const struct core *c)
{
    instant learnt = c->learnt ? instant_add(c->watch, span_ms(2 * (int64_t)c->set.lease_ms)) : c->started;
    if (c->grant.given && c->grant.term == decided(c)->term)
        return instant_max(c->grant.until, learnt);
    return learnt;
}

static uint8_t observers_since(const struct core *c, instant since)
{
    uint8_t n = 0;
    for (int i = 0; i < c->n_members; i++) {
        const struct peer *p = &c->peers[i];
        if (c->members[i].role != ROLE_OBSERVER || !p->heard || p->beat.sql_seen_ms == EVIDENCE_NEVER)
            continue;
        if (p->beat.decided_term != decided(c)->term)
            continue;
        instant seen = instant_sub(p->at, span_ms(p->beat.sql_seen_ms));
        if (seen.boot_ns > since.boot_ns)
            n++;
    }
    return n;
}

static bool wal_since(const struct core *c, instant since)
{
    if (c->sample.upstream == MEMBER_NONE || c->sample.upstream != decided(c)->primary)
        return false;
    if (c->sample.upstream_age_ms == EVIDENCE_NEVER)
        return false;
    return instant_sub(c->sampled, span_ms(c->sample.upstream_age_ms)).boot_ns > since.boot_ns;
}

/* The primary's agent was started again and asks for the lease that our grant was part of: it lacks an answer only. */
static bool asks_anew(const struct core *c)
{
    int i = member_index(c, decided(c)->primary);
    if (i < 0 || i == c->self_index || !c->grant.given || c->grant.term != decided(c)->term)
        return false;
    const struct peer *p = &c->peers[i];
    return peer_fresh(c, i, span_ms(c->set.lease_ms / 2)) && p->nonce != c->grant.nonce &&
           p->beat.request_term == decided(c)->term;
}

void verdict_update(struct core *c)
{
    const struct record *r = decided(c);
    instant since = silence_begins(c);
    bool silent = instant_due_all(c->now, since);
    struct verdict_settings set = {.boot_grace_ms = c->set.boot_grace_ms,
                                   .unfenced_max_ms = c->set.unfenced_max_ms,
                                   .return_ms = c->set.lease_ms - c->set.fence_ms,
                                   .sealing = r->durability != DURABILITY_ASYNC};
    struct evidence e = {.has_primary = r->primary != MEMBER_NONE};
    e.released = (c->disk.has_release && c->disk.release.term == r->term) || reform_in_force(c);
    e.grant_runs = c->grant.term >= r->term &&
                   grant_runs(&c->grant, c->now); /* also to one not yet known to be decided */
    e.granted_since_start = (c->grant.given && c->grant.term == r->term) || c->learnt;
    e.asks_anew = asks_anew(c);
    e.silent_ms = silent ? (uint32_t)span_to_ms(instant_elapsed_least(c->now, since)) + 1 : 0;
    if (c->grant.given && c->grant.term == r->term && !e.grant_runs)
        e.over_ms = (uint32_t)span_to_ms(instant_elapsed_least(c->now, c->grant.until)) + 1;
    e.uptime_ms = (uint32_t)span_to_ms(instant_elapsed_least(c->now, c->started));
    e.wal_since = silent && wal_since(c, since);
    e.observers_since = silent ? observers_since(c, since) : 0;
    bool proof = e.wal_since || e.observers_since >= 2;
    if (!proof || !silent)
        c->unfenced = instant_never();
    else if (instant_is_never(c->unfenced))
        c->unfenced = c->now;
    e.proof_for_ms = instant_is_never(c->unfenced)
                         ? 0
                         : (uint32_t)span_to_ms(instant_elapsed_least(c->now, c->unfenced)) + 1;
    const struct verdict_rule *rule = verdict_judge(&e, &set);
    if (rule->verdict != c->verdict) {
        c->beat_now = true;
        event_say(c, rule->verdict == VERDICT_ALIVE ? "-suspect" : "+verdict",
                  "primary %s of term %llu: %s (%s)", member_name(c, r->primary), (unsigned long long)r->term,
                  verdict_name(rule->verdict), rule->sentence);
    }
    c->verdict = rule->verdict;
    c->rule = rule->id;
    c->silent_ms = e.silent_ms;
}

/* ---- grants ---------------------------------------------------------------------------------------------------- */

/* The echo in a heartbeat proves that it was made after we sent that seq, so it did not wait longer than a lease. */
static bool recent(const struct core *c, const struct frame *f, const struct heartbeat *h)
{
    if (f->origin == c->self)
        return true;
    for (int i = 0; i < h->n_heard; i++) {
        const struct heard *e = &h->heard[i];
        if (e->who != c->self)
            continue;
        if (e->nonce != (uint32_t)c->nonce || e->seq == 0 || e->seq > c->seq || c->seq - e->seq >= SENT_RING)
            return false;
        return instant_elapsed_most(c->now, c->sent_at[e->seq % SENT_RING]).ns <= span_ms(h->request_ms).ns;
    }
    return false;
}

static bool grantable(const struct core *c, member_id holder, uint64_t term)
{
    const struct proposal *a = &c->disk.accepted;
    bool of_accepted = a->record.term == term && a->record.primary == holder;
    if (MUTANT(GRANT_OLD_TERM))
        of_accepted |= decided(c)->term == term && decided(c)->primary == holder;
    if (!of_accepted)
        return false;
    if (ballot_reforms(a->ballot))
        return false; /* nobody serves in its term */
    bool below_promise = ballot_cmp(a->ballot, c->disk.promised_takeover) < 0;
    if (MUTANT(GRANT_AFTER_PROMISE) && c->disk.promised.member == holder)
        below_promise = false;
    if (MUTANT(GRANT_OLD_TERM))
        below_promise = false;
    if (below_promise)
        return false;
    if (c->disk.has_release && c->disk.release.term >= term && !MUTANT(RELEASE_NOT_FINAL))
        return false;
    return c->role != ROLE_DATABASE || ballot_cmp(decided_ballot(c), c->disk.sealed_for) >= 0;
}

/* A heartbeat newer than any before asks for the lease (docs/protocol.md, "Grant"). */
void grant_consider(struct core *c, const struct frame *f, const struct heartbeat *h)
{
    if (!grantable(c, f->origin, h->request_term) || !recent(c, f, h))
        return;
    uint32_t limit = c->disk.accepted.record.lease_ms_max;
    uint32_t length = h->request_ms < limit ? h->request_ms : limit;
    grant_renew(&c->grant, h->request_term, f->origin, f->nonce, f->seq,
                MUTANT(LONGER_LEASE_READ) ? length / 3 : length, c->now);
    if (MUTANT(LONGER_LEASE_READ))
        c->grant.length_ms = length;
}

/* ---- promises -------------------------------------------------------------------------------------------------- */

void nack(struct core *c, member_id to, struct ballot ballot, enum nack_reason reason)
{
    struct nack n = {.ballot = ballot, .promised = c->disk.promised, .reason = reason, .verdict = c->verdict};
    c->nacks[reason]++;
    if (to == c->self)
        on_nack(c, &n, c->self);
    else
        send_to(c, FRAME_NACK, to, wire_put_nack(body_room(c), &n));
}

/* Peers know a newer generation of our store than we have: it was rolled back. */
static bool rolled_back(struct core *c, uint64_t known)
{
    if (known <= c->disk.counter || MUTANT(NO_INCARNATION_CHECK))
        return false;
    lost_store(c, known, "a proposer knows a newer generation of this member's store");
    return true;
}

/* A proposal that keeps term and primary comes from the primary that our accepted record names. */
static bool exempt(const struct core *c, const struct prepare *p, member_id origin)
{
    return !p->takeover && c->disk.accepted.record.primary == origin;
}

static enum nack_reason promise_barred(struct core *c, const struct prepare *p, member_id origin)
{
    if (ballot_cmp(p->ballot, c->disk.promised) < 0)
        return NACK_BALLOT;
    if (ballot_epoch(p->ballot) != ballot_epoch(decided_ballot(c)))
        return NACK_NO_RECORD;
    if (MUTANT(NO_SELF_EXEMPTION) && in_quarantine(c))
        return NACK_QUARANTINE;
    if (exempt(c, p, origin))
        return 0;
    if (!p->takeover)
        return NACK_VERDICT;
    if (in_quarantine(c) && !MUTANT(NO_QUARANTINE_PROMISE))
        return NACK_QUARANTINE;
    verdict_update(c);
    return verdict_promises(c->verdict, decided(c)->durability) ? 0 : NACK_VERDICT;
}

enum reject on_prepare(struct core *c, const struct prepare *p, member_id origin)
{
    if (p->ballot.member != origin)
        return REJECT_STATEMENT;
    round_see(c, p->ballot);
    if (rolled_back(c, p->known_counter) || !(may_vote(c) || may_join(c)))
        return nack(c, origin, p->ballot, NACK_NOT_VOTING), REJECT_NONE;
    enum nack_reason barred = promise_barred(c, p, origin);
    if (barred)
        return nack(c, origin, p->ballot, barred), REJECT_NONE;
    if (ballot_cmp(p->ballot, c->disk.promised) > 0) {
        c->disk.promised = p->ballot;
        if (p->takeover)
            c->disk.promised_takeover = p->ballot;
        if (!MUTANT(PROMISE_NOT_DURABLE))
            store(c);
    }
    struct promised answer = {.accepted = c->disk.accepted};
    answer.promise = (struct promise){.who = c->self,
                                      .ballot = p->ballot,
                                      .takeover = p->takeover,
                                      .accepted = c->disk.accepted.ballot,
                                      .term = decided(c)->term,
                                      .verdict = c->verdict,
                                      .silent_ms = c->silent_ms};
    uint8_t bytes[STATEMENT_MAX];
    sign_make(answer.promise.signature, &c->secret, bytes,
              promise_bytes(bytes, &c->cluster, &answer.promise));
    if (origin == c->self)
        return on_promise(c, &answer);
    send_to(c, FRAME_PROMISE, origin, wire_put_promised(body_room(c), &answer));
    return REJECT_NONE;
}

/* ---- accepts --------------------------------------------------------------------------------------------------- */

/* The same value as the decided record, proposed again, needs no further reason; a change needs to be the primary's and
 * legal on the decided record (a pause found undecided is proposed again by whoever found it); a takeover needs its
 * promises and seals. */
static enum nack_reason accept_illegal(const struct core *c, const struct proposal *p, member_id origin)
{
    const char *why;
    const struct record *now = decided(c);
    if (!record_valid(&p->record, &why) || memcmp(p->record.nonce, now->nonce, sizeof now->nonce) != 0)
        return NACK_ILLEGAL;
    if (p->record.term < now->term)
        return NACK_BALLOT;
    if (p->record.term > now->term) {
        if (takeover_justified(c, p, &why))
            return 0;
        return p->record.term > now->term + 1 ? NACK_NO_RECORD : NACK_SEALS;
    }
    enum record_change change = record_classify(now, &p->record, &why);
    if (change == CHANGE_NONE)
        return 0;
    return change == CHANGE_KEEP && (origin == now->primary || p->record.paused) ? 0 : NACK_ILLEGAL;
}

static enum nack_reason accept_barred(struct core *c, const struct accept *a, member_id origin)
{
    const struct proposal *p = &a->proposal;
    if (ballot_cmp(p->ballot, c->disk.promised) < 0)
        return NACK_BALLOT;
    if (ballot_epoch(p->ballot) != ballot_epoch(decided_ballot(c)))
        return NACK_NO_RECORD;
    bool same = c->grant.term == p->record.term && c->grant.holder == p->record.primary;
    if (!same && grant_runs(&c->grant, c->now) && !MUTANT(ACCEPT_UNDER_GRANT))
        return NACK_GRANT;
    bool keeps = p->record.term == c->disk.accepted.record.term &&
                 p->record.primary == c->disk.accepted.record.primary;
    if (!keeps && in_quarantine(c) && !MUTANT(NO_QUARANTINE_ACCEPT))
        return NACK_QUARANTINE;
    return accept_illegal(c, p, origin);
}

static void accepted_say(struct core *c)
{
    struct accepted a = {.who = c->self, .ballot = c->disk.accepted.ballot};
    uint8_t bytes[STATEMENT_MAX];
    record_hash(a.record_hash, &c->disk.accepted.record);
    sign_make(a.signature, &c->secret, bytes, accepted_bytes(bytes, &c->cluster, &a));
    send_all(c, FRAME_ACCEPTED, mask_core(c), wire_put_accepted(body_room(c), &a));
    on_accepted(c, &a);
}

static void lease_max_see(struct core *c, const struct record *r)
{
    if (r->lease_ms_max > c->disk.lease_ms_max)
        c->disk.lease_ms_max = r->lease_ms_max;
}

/* A voter; or one that the record itself admits: with one voter so far, or one of three down, nobody else could decide that.
 * Its word as a voter binds it like any other's: its store is whole, and a grant that it gave is remembered. */
static bool accepts(const struct core *c, const struct record *r)
{
    return may_vote(c) || (may_join(c) && record_voter(r, c->self));
}

enum reject on_accept(struct core *c, const struct accept *a, member_id origin)
{
    const struct proposal *p = &a->proposal;
    if (p->ballot.member != origin)
        return REJECT_STATEMENT;
    round_see(c, p->ballot);
    if (rolled_back(c, a->known_counter) || !accepts(c, &p->record))
        return nack(c, origin, p->ballot, NACK_NOT_VOTING), REJECT_NONE;
    if (ballot_cmp(p->ballot, c->disk.accepted.ballot) == 0)
        return accepted_say(c), REJECT_NONE;
    enum nack_reason barred = accept_barred(c, a, origin);
    if (barred)
        return nack(c, origin, p->ballot, barred), REJECT_NONE;
    c->disk.promised = p->ballot;
    c->disk.accepted = *p;
    lease_max_see(c, &p->record);
    if (!MUTANT(ACCEPT_NOT_DURABLE))
        store(c);
    accepted_say(c);
    return REJECT_NONE;
}

/* ---- decisions ------------------------------------------------------------------------------------------------- */

/* Our place among the voters changed: a newcomer, or one admitted again, has stored the record and now waits before it
 * counts.  A lost member is admitted only by an epoch above the one that it found in force after its loss. */
static void voter_admitted(struct core *c, const struct record *before)
{
    const struct voter *is = record_voter(decided(c), c->self);
    bool newcomer = !record_voter(before, c->self) && !c->disk.lost;
    if (!is)
        return;
    if (is->epoch <= c->disk.epoch && !newcomer)
        return;
    c->disk.lost = false;
    c->disk.epoch = is->epoch;
    c->votes_from = instant_add(c->now, span_ms(c->disk.lease_ms_max));
    event_say(c, "+voter-admitted", "this member votes again, epoch %u", is->epoch);
}

/* Who is behind believes a record only if a quorum of the voters that it knows accepted it, so the changes of who votes are
 * kept.  (One admitted again by a new epoch is the same voter for that.)  A re-formation is believed by anybody: it begins the
 * chain, and stays there. */
static void chain_add(struct core *c, const struct certificate *cert)
{
    struct durable *d = &c->disk;
    if (ballot_reforms(cert->proposal.ballot))
        d->n_chain = 0;
    if (d->n_chain == CHAIN_MAX) {
        int from = ballot_reforms(d->chain[0].ballot);
        memmove(d->chain + from, d->chain + from + 1, (size_t)(CHAIN_MAX - 1 - from) * sizeof d->chain[0]);
        d->n_chain--;
    }
    struct step *s = &d->chain[d->n_chain++];
    *s = (struct step){
        .ballot = cert->proposal.ballot, .record = cert->proposal.record, .n_accepted = cert->n_accepted};
    memcpy(s->accepted, cert->accepted, sizeof s->accepted);
}

static void decide(struct core *c, const struct certificate *cert)
{
    struct record before = *decided(c);
    const struct proposal *p = &cert->proposal;
    struct voters own = {0};
    bool reforms = ballot_reforms(p->ballot);
    if (c->disk.has_own)
        own = c->disk.own.record.voters;
    c->disk.decided = *cert;
    if (ballot_cmp(c->disk.accepted.ballot, p->ballot) < 0)
        c->disk.accepted = *p;
    if (ballot_cmp(c->disk.promised, p->ballot) < 0)
        c->disk.promised = p->ballot; /* or a late ACCEPT would bring it down */
    if (c->disk.has_own && ballot_cmp(c->disk.own.ballot, p->ballot) <= 0)
        c->disk.has_own = false;
    lease_max_see(c, &p->record);
    voter_admitted(c, &before);
    if (reforms || !voters_equal(&before.voters, &p->record.voters))
        c->voters_changed = c->now;
    if (reforms || !voters_same(&before.voters, &p->record.voters))
        chain_add(c, cert);
    bool mine = p->ballot.member == c->self;
    if (p->record.term != before.term) {
        c->watch = c->now;
        c->learnt = true;
        hold_reset(c, p->record.primary == c->self);
    } else if (is_primary(c)) {
        hold_voters(c, &before.voters, &own);
        if (!record_databases_equal(&before, &p->record))
            syncset_databases(c);
        if (mine && p->ballot.nonce == c->nonce)
            c->hold.confirmed = true; /* read through a quorum in this start */
    } else if (p->ballot.member ==
               p->record.primary) { /* it was alive just now: it is heard in a moment, or not */
        c->proposer.backoff =
            instant_max(c->proposer.backoff, instant_add(c->now, span_us(3 * span_to_us(beat_interval(c)))));
    }
    bool outdated =
        c->proposer.phase == PROPOSER_PREPARE && !c->proposer.takeover; /* a change of another record */
    if (outdated || (c->proposer.phase != PROPOSER_IDLE && ballot_cmp(c->proposer.ballot, p->ballot) <= 0))
        proposer_stop(c, false);
    if (reforms)
        reform_adopted(c, &before);
    store(c);
    struct effect *e = effect_add(c, EFFECT_DECIDED);
    uint8_t *body = body_room(c);
    e->bytes = body;
    e->len = wire_put_decided(body, cert);
    e->term = p->record.term;
    c->out->used += FRAME_MAX;
    if (p->record.term != before.term && !reforms)
        event_say(c, "+decided", "term %llu: primary %s on timeline %u", (unsigned long long)p->record.term,
                  member_name(c, p->record.primary), p->record.timeline);
    if (p->record.term == before.term + 1)
        notice_decided(c, &before);
    operate_decided(c);
    c->beat_now = true;
    if (mine)
        send_all(c, FRAME_DECIDED, mask_core(c), wire_put_decided(body_room(c), cert));
}

/* The certificate that brings one who knows the record of `known` a step on: the first change of who votes above it, else what
 * is decided now.  Where the step did not help (`step` is false) it is the latter at once: the step may be one of voters that it does
 * not know, and the voters of now some that it does. */
static void push_next(struct core *c, member_id to, struct ballot known, bool step)
{
    for (int k = 0; k < c->disk.n_chain && step; k++) {
        const struct step *s = &c->disk.chain[k];
        if (ballot_cmp(s->ballot, known) <= 0 || ballot_cmp(s->ballot, decided_ballot(c)) == 0)
            continue;
        struct certificate cert = {.proposal = {.ballot = s->ballot, .record = s->record},
                                   .n_accepted = s->n_accepted};
        memcpy(cert.accepted, s->accepted, sizeof cert.accepted);
        send_to(c, FRAME_DECIDED, to, wire_put_decided(body_room(c), &cert));
        return;
    }
    send_to(c, FRAME_DECIDED, to, wire_put_decided(body_room(c), &c->disk.decided));
}

void push_decided(struct core *c, int i)
{
    struct peer *p = &c->peers[i];
    if (ballot_is_zero(decided_ballot(c)))
        return; /* the first record: everybody has it */
    bool again = ballot_cmp(p->pushed_at, p->beat.decided) == 0;
    if (again && !instant_is_never(p->pushed) &&
        instant_elapsed_least(c->now, p->pushed).ns < span_ms(100).ns)
        return;
    p->pushed_step = !again || !p->pushed_step;
    p->pushed = c->now;
    p->pushed_at = p->beat.decided;
    push_next(c, c->members[i].id, p->beat.decided, p->pushed_step);
}

static struct tally *tally_for(struct core *c, const struct accepted *a)
{
    struct tally *oldest = &c->tallies[0];
    for (int i = 0; i < TALLIES; i++) {
        struct tally *t = &c->tallies[i];
        if (ballot_cmp(t->ballot, a->ballot) == 0 && memcmp(t->hash, a->record_hash, HASH_SIZE) == 0)
            return t;
        if (ballot_cmp(t->ballot, oldest->ballot) < 0)
            oldest = t;
    }
    if (ballot_cmp(a->ballot, oldest->ballot) < 0)
        return NULL;
    memset(oldest, 0, sizeof *oldest);
    oldest->ballot = a->ballot;
    memcpy(oldest->hash, a->record_hash, HASH_SIZE);
    return oldest;
}

static const struct proposal *proposal_known(const struct core *c, struct ballot b)
{
    if (ballot_cmp(c->disk.accepted.ballot, b) == 0)
        return &c->disk.accepted;
    if (c->proposer.phase == PROPOSER_ACCEPT && ballot_cmp(c->proposer.proposal.ballot, b) == 0)
        return &c->proposer.proposal;
    return NULL;
}

enum reject on_accepted(struct core *c, const struct accepted *a)
{
    if (ballot_cmp(a->ballot, decided_ballot(c)) <= 0 ||
        ballot_epoch(a->ballot) != ballot_epoch(decided_ballot(c)))
        return REJECT_STALE;
    if (a->who != c->self && !accepted_holds(c, a, true))
        return REJECT_STATEMENT;
    struct tally *t = tally_for(c, a);
    if (!t)
        return REJECT_STALE;
    for (int i = 0; i < t->n; i++)
        if (t->accepted[i].who == a->who)
            return REJECT_NONE;
    if (t->n == VOTERS_MAX)
        return REJECT_STALE;
    t->accepted[t->n++] = *a;
    const struct proposal *p = proposal_known(c, a->ballot);
    if (!p)
        return REJECT_NONE;
    struct certificate cert = {.proposal = *p, .n_accepted = t->n};
    memcpy(cert.accepted, t->accepted, sizeof cert.accepted);
    uint8_t n = 0;
    for (int i = 0; i < cert.n_accepted; i++)
        if (record_voter(&p->record, cert.accepted[i].who) || record_voter(decided(c), cert.accepted[i].who))
            cert.accepted[n++] = cert.accepted[i];
    cert.n_accepted = n;
    if (certificate_holds(c, &cert))
        decide(c, &cert);
    return REJECT_NONE;
}

enum reject on_decided(struct core *c, const struct certificate *cert)
{
    round_see(c, cert->proposal.ballot);
    if (ballot_cmp(cert->proposal.ballot, decided_ballot(c)) <= 0)
        return REJECT_STALE;
    if (cert->proposal.record.term < decided(c)->term)
        return REJECT_RECORD;
    if (!certificate_holds(c, cert))
        return REJECT_CERTIFICATE;
    decide(c, cert);
    return REJECT_NONE;
}

/* ---- releases -------------------------------------------------------------------------------------------------- */

enum reject on_release(struct core *c, const struct release *r)
{
    if (r->who != c->self && !release_holds(c, r))
        return REJECT_STATEMENT;
    if (c->disk.has_release && c->disk.release.term >= r->term)
        return REJECT_STALE;
    const struct record *known = r->term == decided(c)->term ? decided(c) : &c->disk.accepted.record;
    if (r->term < decided(c)->term)
        return REJECT_STALE;
    if (r->term != known->term)
        return REJECT_RECORD; /* of a term not known here: it is sent again until it is */
    if (r->who != known->primary)
        return REJECT_ROLE;
    c->disk.has_release = true;
    c->disk.release = *r;
    store(c);
    grant_drop(&c->grant, r->term);
    event_say(c, "+released", "%s gave up term %llu: %s", member_name(c, r->who), (unsigned long long)r->term,
              r->reason);
    return REJECT_NONE;
}
