/* primary.c: the primary's own side: its lease, the health of its PostgreSQL, readiness, and giving the term up
 * (docs/protocol.md, "Heartbeat, grant, lease", "RELEASE", "The sync set", last part, "Restart").
 *
 * The lease counts only while hold.confirmed: the record was decided in this start, or read again through a quorum; and
 * while a proposal of ours is undecided it must hold under both records; and never under a record below the ballot that
 * we sealed for.  A released term is never asked for again. */
#include "mesh/core_state.h"

#include <stdio.h>
#include <string.h>

enum { READ_BEATS = 3 };

static bool own_directory(const struct core *c)
{
    return c->disk.dir == decided(c)->primary_dir || MUTANT(SERVE_OTHER_DIR);
}

static bool released(const struct core *c)
{
    return c->disk.released_term >= decided(c)->term;
}

/* Whoever sealed swore where its WAL ends, to a proposer whose takeover may still come.  Nothing is written under a
 * record below that ballot, for the seal would not show it; repropose() raises the record first. */
static bool below_seal(const struct core *c)
{
    return ballot_cmp(c->disk.sealed_for, decided_ballot(c)) > 0 && !MUTANT(SERVE_BELOW_SEAL);
}

bool lease_held(const struct core *c)
{
    const struct hold *h = &c->hold;
    return is_primary(c) && h->term == decided(c)->term && h->confirmed && !released(c) && !below_seal(c) &&
           !reform_awaited(c) && !instant_is_never(h->until) && !instant_due_any(c->now, h->until);
}

void hold_reset(struct core *c, bool confirmed)
{
    memset(&c->hold, 0, sizeof c->hold);
    memset(&c->upkeep, 0, sizeof c->upkeep);
    c->hold.term = decided(c)->term;
    c->hold.confirmed = confirmed;
    c->hold.ask_ms = c->set.lease_ms;
    c->hold.fine = c->now;
    c->hold.restarted = c->disk.served_term == decided(c)->term;
}

/* ---- the lease --------------------------------------------------------------------------------------------------- */

void hold_granted(struct core *c, member_id voter, const struct heartbeat *h)
{
    if (!is_primary(c) || h->grant_term != decided(c)->term || h->grant_seq > c->seq)
        return;
    if (c->seq - h->grant_seq >= SENT_RING)
        return;
    instant sent = MUTANT(LEASE_FROM_RECEIPT) ? c->now : c->sent_at[h->grant_seq % SENT_RING];
    instant until = lease_voter_until(sent, h->grant_ms, c->set.fence_ms);
    int i = record_voter_index(decided(c), voter);
    if (i >= 0)
        c->hold.granted[i] = instant_max(c->hold.granted[i], until);
    i = c->disk.has_own ? record_voter_index(&c->disk.own.record, voter) : -1;
    if (i >= 0)
        c->hold.granted_own[i] = instant_max(c->hold.granted_own[i], until);
}

static void by_voter(instant to[static VOTERS_MAX], const struct voters *now,
                     const instant from[static VOTERS_MAX], const struct voters *before)
{
    instant moved[VOTERS_MAX] = {{0, 0}};
    for (int i = 0; i < now->n; i++)
        for (int k = 0; k < before->n; k++)
            if (now->v[i].id == before->v[k].id && now->v[i].epoch == before->v[k].epoch)
                moved[i] = from[k];
    memcpy(to, moved, sizeof moved);
}

void hold_voters(struct core *c, const struct voters *before, const struct voters *own)
{
    instant newcomers[VOTERS_MAX];
    by_voter(newcomers, &decided(c)->voters, c->hold.granted_own, own);
    by_voter(c->hold.granted, &decided(c)->voters, c->hold.granted, before);
    for (int i = 0; i < decided(c)->voters.n; i++)
        c->hold.granted[i] = instant_max(c->hold.granted[i], newcomers[i]);
}

void hold_own(struct core *c)
{
    const struct voters *own = &c->disk.own.record.voters;
    by_voter(c->hold.granted_own, own, c->hold.granted, &decided(c)->voters);
    for (int i = 0; i < own->n; i++) {
        int m = member_index(c, own->v[i].id);
        if (m < 0 || m == c->self_index || record_voter(decided(c), own->v[i].id))
            continue;
        const struct heartbeat *h = &c->peers[m].beat; /* a newcomer has granted what we asked for already */
        if (c->peers[m].heard && !h->lost && h->grant_holder == c->self && h->grant_nonce == c->nonce)
            hold_granted(c, own->v[i].id, h);
    }
}

static void lease_count(struct core *c)
{
    struct hold *h = &c->hold;
    if (!is_primary(c) || !h->confirmed || released(c) || below_seal(c) || reform_awaited(c)) {
        h->until = instant_never();
        return;
    }
    instant until = quorum_until(&decided(c)->voters, h->granted);
    if (c->disk.has_own)
        until = instant_min(until, quorum_until(&c->disk.own.record.voters, h->granted_own));
    h->until = until;
    bool rises = until.boot_ns > h->told.boot_ns && until.raw_ns > h->told.raw_ns;
    if (!rises || instant_due_any(c->now, until))
        return;
    h->told = until;
    struct effect *e = effect_add(c, EFFECT_LEASE);
    e->until = until;
    e->term = h->term;
}

/* Asks for what the links to the best quorum need: raised at once when renewals come late, lowered slowly. */
static void lease_length(struct core *c)
{
    struct hold *h = &c->hold;
    if (c->sample.leaving && h->ask_ms < decided(c)->lease_ms_max) {
        h->ask_ms = decided(c)->lease_ms_max;
        c->beat_now = true;
    }
    if (c->sample.leaving)
        return;
    if (!lease_held(c) || !instant_due_any(c->now, pace_due(c)))
        return; /* once for each request, not for each answer */
    int64_t left = instant_elapsed_least(h->until, c->now).ns / 1000000;
    uint32_t max = decided(c)->lease_ms_max;
    if (left < h->ask_ms / 3 && h->ask_ms < max) {
        h->ask_ms = h->ask_ms * 5 / 4 < max ? h->ask_ms * 5 / 4 : max;
        event_say(c, "+lease-longer", "renewals come late: asking for a lease of %u ms", h->ask_ms);
    } else if (h->ask_ms > c->set.lease_ms) {
        h->ask_ms--;
    }
}

/* ---- health ------------------------------------------------------------------------------------------------------- */

/* What is started again in its term, by an agent that was started again itself, may have to recover for minutes.  A crash
 * that the agent sees is failed over at once under the same conditions (crash_decide); here there is a chance that it is
 * quick. */
static bool rather_another(const struct core *c)
{
    return c->set.on_crash != ON_CRASH_RESTART && !decided(c)->paused && !c->hold.ever_ready &&
           c->hold.restarted && takeover_possible(c);
}

static uint32_t patience_ms(const struct core *c)
{
    if (c->sample.phase == PG_STARTING && rather_another(c))
        return c->set.answer_timeout_ms;
    switch (c->sample.phase) {
    case PG_NONE:
    case PG_PRIMARY: return c->set.answer_timeout_ms;
    case PG_RECOVERY:
    case PG_PROMOTING: return c->set.promote_timeout_ms;
    case PG_ABSENT:
    case PG_DOWN:
    case PG_STARTING:
    case PG_STOPPING:
    case PG_BUSY:
    case PG_BROKEN: break;
    }
    return c->set.start_timeout_ms;
}

/* A crashed PostgreSQL: every process of it is known to be dead. */
static bool crashed(const struct core *c)
{
    return c->hold.seen_up && c->sample.phase == PG_DOWN && c->sample.confirmed_dead &&
           !switchover_stopping(c) && c->operation.phase != OPERATION_UNDO;
}

static void crash_decide(struct core *c)
{
    bool over =
        c->set.on_crash == ON_CRASH_FAILOVER || (c->set.on_crash == ON_CRASH_AUTO && takeover_possible(c));
    if (decided(c)->paused)
        over = false;
    if (over) {
        release_term(c, MEMBER_NONE,
                     c->sample.clean ? "PostgreSQL was stopped"
                     : lease_held(c) ? "PostgreSQL crashed"
                                     : "the lease ended, and PostgreSQL with it");
        return;
    }
    c->hold.seen_up = false;
    c->goal.kind = GOAL_KEEP; /* so that GOAL_PRIMARY is given anew: in the same term, without a promotion */
    c->hold.restarted = true;
    c->hold.ready = false;
    c->hold.fine = c->now;
    c->upkeep.known = false;
    event_say(c, "+restart", "PostgreSQL crashed: starting it again in term %llu",
              (unsigned long long)decided(c)->term);
}

static void fail(struct core *c, const char *why)
{
    if (c->hold.failing)
        return;
    c->hold.failing = why;
    event_say(c, "+primary-failing", "%s: PostgreSQL is stopped and term %llu given up", why,
              (unsigned long long)decided(c)->term);
}

/* A standby that has WAL of this term which we lack proves that our data directory was rolled back.  Each start of
 * PostgreSQL has an end of recovery of its own. */
static void rollback_check(struct core *c)
{
    struct hold *h = &c->hold;
    if (h->recovered &&
        (c->sample.phase == PG_DOWN || c->sample.phase == PG_STARTING)) { /* it recovers once more */
        h->recovered = h->standbys = 0;
        h->restarted = true;
        h->ever_ready = false;
    }
    if (c->sample.phase == PG_PRIMARY) {
        if (h->recovered == 0)
            h->recovered = c->sample.lsn;
        if (h->restarted && !h->ever_ready && h->recovered && h->recovered < h->standbys)
            fail(c, "a standby is ahead of this primary");
        return;
    }
    bool stopped = c->sample.phase == PG_DOWN || c->sample.phase == PG_STARTING;
    if (h->recovered || !stopped)
        return; /* one that never stopped goes on ahead of every sample of it */
    for (int i = 0; i < c->n_members; i++) {
        const struct pg_report *g = &c->peers[i].beat.pg;
        if (c->peers[i].heard && g->wal_term == decided(c)->term && g->lsn > h->standbys)
            h->standbys = g->lsn;
    }
}

static void health(struct core *c)
{
    struct hold *h = &c->hold;
    const struct pg_sample *s = &c->sample;
    bool goal_failed =
        s->progress == PG_GOAL_FAILED && s->goal_seq == c->goal.seq &&
        (c->goal.kind == GOAL_PRIMARY || c->goal.kind == GOAL_PROMOTE || c->goal.kind == GOAL_INIT);
    if (s->frozen || (s->phase == PG_PRIMARY && s->answering))
        h->fine = c->now;
    if (s->phase == PG_PRIMARY && s->answering)
        h->seen_up = true;
    rollback_check(c);
    if (goal_failed)
        fail(c, "PostgreSQL did not reach its goal");
    else if (s->phase == PG_BROKEN)
        fail(c, "PostgreSQL cannot be run");
    else if (s->system_id != 0 && decided(c)->system_id != 0 && s->system_id != decided(c)->system_id)
        fail(c, "the data directory is of another cluster");
    else if (instant_elapsed_least(c->now, h->fine).ns > span_ms(patience_ms(c)).ns)
        fail(c, "PostgreSQL does not answer");
    if (h->failing && (s->phase == PG_DOWN || s->phase == PG_ABSENT || s->phase == PG_BROKEN) &&
        s->confirmed_dead)
        release_term(c, MEMBER_NONE, h->failing);
    else if (!h->failing && crashed(c))
        crash_decide(c);
}

/* ---- giving up, asking, being ready --------------------------------------------------------------------------------- */

static void release_send(struct core *c)
{
    c->hold.release_sent = c->now;
    send_all(c, FRAME_RELEASE, mask_core(c), wire_put_release(body_room(c), &c->disk.release));
}

/* Final: written down first; the term is never asked for again (docs/protocol.md, "RELEASE"). */
void release_term(struct core *c, member_id successor, const char *reason)
{
    struct release r = {.who = c->self,
                        .ballot = decided_ballot(c),
                        .term = decided(c)->term,
                        .lsn = c->sample.lsn,
                        .successor = successor};
    uint8_t bytes[STATEMENT_MAX];
    snprintf(r.reason, sizeof r.reason, "%s", reason);
    sign_make(r.signature, &c->secret, bytes, release_bytes(bytes, &c->cluster, &r));
    if (!MUTANT(RELEASE_NOT_FINAL))
        c->disk.released_term = r.term;
    c->hold.asking = false;
    c->hold.ready = false;
    c->hold.until = instant_never();
    struct effect *e = effect_add(c, EFFECT_LEASE);
    e->until = instant_never();
    e->term = r.term;
    if (c->proposer.phase != PROPOSER_IDLE)
        proposer_stop(c, false);
    on_release(c, &r);
    release_send(c);
    verdict_update(c);
}

/* Is there a ballot above our record, promised or sealed for, that keeps others from granting or following us? */
static bool overtaken(const struct core *c)
{
    struct ballot top = c->disk.promised_takeover;
    if (ballot_cmp(c->disk.sealed_for, top) > 0)
        top = c->disk.sealed_for;
    for (int i = 0; i < c->n_members; i++) {
        const struct peer *p = &c->peers[i];
        if (!peer_fresh(c, i, span_ms(c->set.lease_ms)) ||
            ballot_epoch(p->beat.decided) != ballot_epoch(decided_ballot(c)))
            continue; /* above a re-formation that we have yet to hear of, nothing of ours can rise */
        if (ballot_cmp(p->beat.promised, top) > 0)
            top = p->beat.promised;
        if (ballot_cmp(p->beat.sealed_for, top) > 0)
            top = p->beat.sealed_for;
    }
    return ballot_cmp(top, decided_ballot(c)) > 0 && !MUTANT(SEALED_FOREVER);
}

/* Read through a quorum: in answer to this start a quorum states a grant for this term, our own vote included, and that it
 * has accepted nothing above the record that we know as decided.  A record decided before would show in one of them. */
static void record_read(struct core *c)
{
    const struct record *r = decided(c);
    uint32_t have = 0;
    if (c->hold.confirmed || !c->vouched || (c->disk.has_own && !MUTANT(READ_STALE)))
        return;
    for (int i = 0; i < r->voters.n; i++) {
        int m = member_index(c, r->voters.v[i].id);
        const struct heartbeat *h = m < 0 ? NULL : &c->peers[m].beat;
        bool level = false;
        if (m == c->self_index)
            level = may_vote(c) && ballot_cmp(c->disk.accepted.ballot, decided_ballot(c)) == 0;
        else if (h && c->peers[m].heard)
            level = h->votes && h->grant_term == r->term && h->grant_holder == c->self &&
                    h->grant_nonce == c->nonce &&
                    (ballot_cmp(h->accepted, decided_ballot(c)) == 0 || MUTANT(READ_STALE));
        if (level)
            have |= 1u << i;
    }
    c->hold.confirmed = quorum_reached(&r->voters, have);
}

/* Reads the record through a quorum after a restart where its own word (record_read) does not do; finishes a change of ours that is still undecided; raises the
 * record above a ballot that keeps others away.  One that is giving up stands in nobody's way: its PostgreSQL may hang in
 * a state in which it cannot be killed, and the takeover that it prevents is all that helps. */
static void repropose(struct core *c)
{
    bool unfinished = c->hold.confirmed && c->disk.has_own;
    if (!c->vouched || c->hold.failing)
        return;
    if (instant_is_never(c->hold.heard))
        c->hold.heard = c->now;
    if (!c->hold.confirmed && !c->disk.has_own &&
        instant_elapsed_most(c->now, c->hold.heard).ns < READ_BEATS * beat_interval(c).ns)
        return; /* answers that are on their way say it without four more journeys and as many flushes */
    if (c->proposer.phase != PROPOSER_IDLE || (c->hold.confirmed && !unfinished && !overtaken(c)))
        return;
    if (!instant_is_never(c->hold.reproposed) &&
        instant_elapsed_most(c->now, c->hold.reproposed).ns < span_ms(50).ns)
        return;
    const struct record own = c->disk.own.record;
    if (propose_change(c, unfinished ? &own : decided(c)))
        c->hold.reproposed = c->now;
}

/* After a restart in the same term: k of the set have passed the end of our recovery. */
static bool sync_passed(const struct core *c)
{
    const struct record *r = decided(c);
    if (!c->hold.restarted || r->durability == DURABILITY_ASYNC)
        return true;
    for (int k = 0; k <= (r->joint ? 1 : 0); k++) {
        const struct sync_set *set = &r->sync[k];
        int passed = 0;
        for (int i = 0; i < c->sample.n_standbys; i++) {
            const struct pg_standby *s = &c->sample.standbys[i];
            const struct sync_member *m = sync_set_find(set, s->id);
            if (m && m->dir == s->dir && s->streaming && s->flush_lsn >= c->hold.recovered)
                passed++;
        }
        if (set->n && passed < set->k)
            return false;
    }
    return true;
}

static void readiness(struct core *c)
{
    const struct record *r = decided(c);
    const struct pg_sample *s = &c->sample;
    bool ready = lease_held(c) && !c->hold.failing && s->phase == PG_PRIMARY && s->answering && !s->frozen &&
                 r->system_id != 0 && s->system_id == r->system_id && s->timeline == r->timeline &&
                 sync_passed(c) && (r->durability != DURABILITY_STRICT || r->joint || r->sync[0].n);
    if (ready == c->hold.ready)
        return;
    c->hold.ready = ready;
    c->beat_now = true;
    if (ready && !c->hold.ever_ready)
        event_say(c, "+ready", "primary of term %llu, writable on timeline %u", (unsigned long long)r->term,
                  r->timeline);
    if (ready)
        c->hold.ever_ready = true;
}

/* What the record does not know yet of a new or adopted cluster; and that a promotion has finished. */
static void report(struct core *c)
{
    const struct record *r = decided(c);
    const struct pg_sample *s = &c->sample;
    bool making = c->goal.kind == GOAL_INIT && (s->goal_seq != c->goal.seq || s->progress != PG_GOAL_REACHED);
    if (s->phase != PG_PRIMARY || !s->answering || making || !lease_held(c))
        return;
    if (r->system_id == 0 && s->system_id != 0 && s->timeline != 0) {
        struct record want = *r;
        want.version++;
        want.system_id = s->system_id;
        want.timeline = s->timeline;
        want.n_history = 1;
        want.history[0] = (struct history_row){.timeline = s->timeline, .switch_lsn = 0, .term = r->term};
        propose_change(c, &want);
    } else if (s->timeline == r->timeline && c->disk.served_term != r->term) {
        c->disk.served_term = r->term;
        store(c);
    }
}

/* Without a lease, and a voter has accepted a takeover: it can grant us nothing any more, nor promise us anything, so only
 * the takeover may get it further.  Then our own vote must not stay bound by the grant that we give ourselves. */
static bool outvoted(const struct core *c)
{
    const struct record *r = decided(c);
    if (lease_held(c))
        return false;
    for (int i = 0; i < r->voters.n; i++) {
        int m = member_index(c, r->voters.v[i].id);
        if (m < 0 || m == c->self_index || !peer_fresh(c, m, span_ms(c->set.lease_ms)))
            continue;
        if (c->peers[m].beat.votes && c->peers[m].beat.accepted_term > r->term)
            return true;
    }
    return false;
}

void primary_drive(struct core *c)
{
    if (!is_primary(c) || c->role != ROLE_DATABASE) {
        c->hold.asking = false;
        c->hold.ready = false;
        c->hold.until = instant_never();
        return;
    }
    if (released(c)) {
        c->hold.asking = false;
        if (instant_elapsed_most(c->now, c->hold.release_sent).ns > 2 * beat_interval(c).ns &&
            !reform_in_force(c)) /* released by the root's word */
            release_send(c);
        if (!MUTANT(RELEASE_NOT_FINAL))
            return;
    }
    if (!own_directory(c) && c->hold.term == decided(c)->term) {
        c->hold.asking = c->hold.ready = false;
        if (c->sample.confirmed_dead || c->sample.phase == PG_RECOVERY)
            release_term(c, MEMBER_NONE, "the data directory is not the one that the record names");
        return;
    }
    health(c);
    if (c->disk.released_term >= decided(c)->term)
        return;
    bool asked = c->hold.asking;
    c->hold.asking = !c->hold.failing && !outvoted(c) && !reform_awaited(c);
    if (c->hold.asking && !asked)
        c->beat_now = true;
    record_read(c);
    lease_count(c);
    lease_length(c);
    repropose(c);
    report(c);
    readiness(c);
}
