/* inv_lemmas.c: the lemmas on which the proofs of I1 to I3 rest, each asserted for itself.
 *
 * A rule may be masked by another one in this implementation, so that no history breaks an invariant when it alone is
 * missing; the proof needs it all the same.  Everything here is observed from outside: frames that leave a member, its
 * disk and its clocks, goals given to its hand; kept in a book of the world's own (struct book).
 *
 *   L1   from when a grant was asked for until it ends, its voter accepts no record of another term or primary, whether
 *        or not it was restarted; unless the holder released the term, or the other one had been decided before
 *   L2   a voter opens or renews no grant for a record below a takeover ballot that it has promised
 *   L3   within lease_ms_max of its start, by its own clocks, a voter promises no takeover and accepts no higher term
 *   L4   what a member says of its ballots (promised, accepted, sealed, decided) never falls while its disk is kept, and
 *        it promises and accepts nothing below a promise
 *   L5   a promise tells of the highest record that its voter accepted before
 *   L6   between a decided record and the next the voters differ by one step
 *   L7   every seal that a takeover shows is on the sealed database's disk; the proposed primary is among them, and none
 *        is ahead of it
 *   L8   a released term is not asked for again, nor granted by the one that released it
 *   L9   a primary's change is on its disk before it leaves
 *   L10  a joint is left for its new set when the setting is in force and k of that set have flushed past that point
 *   L11  a voter grants nothing that was asked for after it said that it had accepted another term
 *   L12  no goal follows from a record that no quorum has accepted
 *   L13  no lease is counted under a record below the ballot that the database itself has sealed for
 *   L14  no lease is counted under a record older than one that was decided before the agent started
 *   L15  a primary that was started anew holds a takeover up for no longer than its guard waits before it kills (inv_i5.c)
 *   L16  a voter that has just started refuses the primary that it has accepted no change of its own record
 *   L17  an order of those who may not give it (one person of two, or one of a lower role) is carried out by nobody */
#include <string.h>

#include "policy/quorum.h"

#include "tests/sim/sim.h"

static struct durable *disk_of(struct world *w, int i)
{
    static struct durable d;
    const struct sim_member *m = &w->m[i];
    return m->disk.len && wire_get_durable(&d, m->disk.bytes, m->disk.len) ? &d : NULL;
}

static void raise(struct ballot *to, struct ballot b)
{
    if (ballot_cmp(b, *to) > 0)
        *to = b;
}

/* ---- starts and losses ------------------------------------------------------------------------------------------------ */

void lemma_started(struct world *w, int i)
{
    w->m[i].book.newest = w->top < 0 ? (struct ballot){0} : w->decided[w->top].ballot;
    w->m[i].book.quarantine = instant_add(clocks_now(w, i), span_ms(w->first.lease_ms_max));
}

/* Its store is gone, or an older copy: what it said before binds it no longer, since it does not vote. */
void lemma_forgets(struct world *w, int i)
{
    struct book *b = &w->m[i].book;
    b->promised = b->takeover = b->accepted = b->sealed = b->decided = (struct ballot){0};
    b->accepted_term = b->released = 0;
}

static bool in_quarantine(const struct world *w, int i)
{
    return !instant_due_all(clocks_now(w, i), w->m[i].book.quarantine);
}

static bool excused(const struct world *w, int i)
{
    return w->m[i].amnesiac || w->m[i].rolled_back;
}

/* ---- promises and accepts ------------------------------------------------------------------------------------------- */

static void promises(struct world *w, int i, const struct promise *p)
{
    struct book *b = &w->m[i].book;
    if (p->takeover && in_quarantine(w, i))
        violate(w, "L3", "%s promises a takeover within %u ms of its start", world_name(w, i),
                w->first.lease_ms_max);
    if (ballot_cmp(p->ballot, b->promised) < 0)
        violate(w, "L4", "%s promises a ballot below one that it promised before", world_name(w, i));
    if (ballot_cmp(p->accepted, b->accepted) < 0)
        violate(w, "L5", "%s promises and does not tell of the record that it accepted before",
                world_name(w, i));
    b->promised = p->ballot;
    if (p->takeover && ballot_cmp(p->ballot, b->takeover) > 0 && ballot_cmp(p->ballot, b->accepted) > 0) {
        b->takeover = p->ballot;
        b->takeover_since = w->now;
    }
}

/* The grant that a member stated last still runs, by the most careful of all clocks, and was not given back. */
static bool bound(const struct world *w, int i)
{
    const struct stated_grant *g = &w->m[i].book.grant;
    int holder = world_index(w, g->holder);
    return holder >= 0 && g->until > w->now && w->m[holder].book.gave_back < g->term;
}

static void accepted_term(const struct world *w, struct book *b, uint64_t term)
{
    if (b->accepted_term != term)
        b->accepted_since = w->now;
    b->accepted_term = term;
}

/* A member has accepted a record for the first time. */
static void accepts(struct world *w, int i, const struct decided *d)
{
    struct book *b = &w->m[i].book;
    const struct record *r = &d->record;
    const struct stated_grant *g = &b->grant;
    bool same = g->term == r->term && g->holder == r->primary;
    bool decided = d->done || r->term == world_record(w)->term;
    if (!decided && !same && bound(w, i) && w->drift_ppm)
        w->early_votes = true;
    else if (!decided && !same && bound(w, i))
        violate(w, "L1", "%s accepts term %llu of %s, %lld ms before its grant for term %llu to %s ends",
                world_name(w, i), (unsigned long long)r->term, world_name(w, world_index(w, r->primary)),
                (long long)((g->until - w->now) / MS(1)), (unsigned long long)g->term,
                world_name(w, world_index(w, g->holder)));
    if (!decided && r->term != b->accepted_term && in_quarantine(w, i))
        violate(w, "L3", "%s accepts term %llu within %u ms of its start", world_name(w, i),
                (unsigned long long)r->term, w->first.lease_ms_max);
    if (!d->done && ballot_cmp(d->ballot, b->promised) < 0)
        violate(w, "L4", "%s accepts a ballot below one that it promised", world_name(w, i));
    raise(&b->promised, d->ballot);
    raise(&b->accepted, d->ballot);
    if (ballot_cmp(d->ballot, b->accepted) == 0)
        accepted_term(w, b, r->term);
}

static void says_accepted(struct world *w, int i, const struct accepted *a)
{
    struct decided *d = inv_i3_entry(w, a->ballot);
    if (d->early >> a->who & 1)
        return;
    if (d->known)
        accepts(w, i, d);
    else
        d->unread |= 1u << i; /* its own vote comes before its ACCEPT */
}

/* ---- proposals -------------------------------------------------------------------------------------------------------- */

/* What the proposer itself knows of a seal is not sent; so its disk is asked. */
static void takeover_sealed(struct world *w, const struct decided *d)
{
    const struct justification *j = d->why;
    const struct sealed_statement *best = NULL;
    for (int k = 0; k < j->n_seals; k++) {
        const struct sealed_statement *s = &j->seals[k];
        int i = world_index(w, s->sealed.id);
        const struct durable *disk = disk_of(w, i);
        if (disk && !excused(w, i) && ballot_cmp(disk->sealed_for, j->built) < 0)
            violate(w, "L7", "a takeover shows a seal of %s, whose disk knows nothing of it",
                    world_name(w, i));
        if (s->sealed.id == d->record.primary && s->sealed.dir == d->record.primary_dir)
            best = s;
    }
    if (!best)
        violate(w, "L7", "%s is proposed for term %llu and not sealed",
                world_name(w, world_index(w, d->record.primary)), (unsigned long long)d->record.term);
    for (int k = 0; k < j->n_seals; k++) {
        const struct sealed *s = &j->seals[k].sealed;
        if (s->wal_term > best->sealed.wal_term ||
            (s->wal_term == best->sealed.wal_term && s->lsn > best->sealed.lsn))
            violate(w, "L7", "%s is proposed for term %llu, and %s has sealed more",
                    world_name(w, world_index(w, d->record.primary)), (unsigned long long)d->record.term,
                    world_name(w, world_index(w, s->id)));
    }
}

static void change_written(struct world *w, int i, const struct decided *d)
{
    uint8_t hash[HASH_SIZE];
    const struct durable *disk = disk_of(w, i);
    if (disk && disk->has_own && ballot_cmp(disk->own.ballot, d->ballot) == 0) {
        record_hash(hash, &disk->own.record);
        if (memcmp(hash, d->hash, sizeof d->hash) == 0)
            return;
    }
    violate(w, "L9", "%s proposes a change that is not on its disk", world_name(w, i));
}

/* The decided record that was in force before version `version`. */
static const struct record *before(const struct world *w, uint64_t version)
{
    if (version == w->first.version + 1)
        return &w->first;
    for (int k = 0; k < w->n_decided; k++)
        if (w->decided[k].done && w->decided[k].record.version + 1 == version)
            return &w->decided[k].record;
    return NULL;
}

static bool same_set(const struct sync_set *a, const struct sync_set *b)
{
    bool same = a->k == b->k && a->n == b->n;
    for (int i = 0; same && i < a->n; i++)
        same = a->m[i].id == b->m[i].id && a->m[i].dir == b->m[i].dir;
    return same;
}

static void joint_left(struct world *w, int i, const struct decided *d)
{
    const struct record *r = &d->record, *was = before(w, r->version);
    const struct book *b = &w->m[i].book;
    const struct sync_set *set = &r->sync[0];
    if (!was || !was->joint || r->joint || set->n == 0 || same_set(set, &was->sync[0]))
        return;
    for (int k = 0; k < w->n_decided; k++) /* read again through a quorum */
        if (w->decided[k].done && memcmp(w->decided[k].hash, d->hash, sizeof d->hash) == 0)
            return;
    int have = 0;
    for (int k = 0; k < set->n; k++) {
        int s = world_index(w, set->m[k].id);
        have += w->m[s].dir_lost || w->m[s].pg.at.lsn >= b->in_force_at;
    }
    if (!b->in_force_at || !same_set(&b->in_force, set))
        violate(w, "L10", "%s leaves a joint before the new setting is in force", world_name(w, i));
    if (have < set->k)
        violate(w, "L10", "%s leaves a joint when %d of the new set have caught up, and %d are to confirm",
                world_name(w, i), have, set->k);
}

/* PostgreSQL of member i is told another setting, or one has come into force at `lsn`. */
void lemma_setting(struct world *w, int i, const struct sync_set *set, lsn_t lsn)
{
    struct book *b = &w->m[i].book;
    if (lsn || !same_set(set, &b->in_force))
        b->in_force_at = lsn;
    b->in_force = *set;
}

/* A proposal has been seen for the first time, in an ACCEPT of member i or, i < 0, in a certificate. */
void lemma_proposed(struct world *w, int i, struct decided *d)
{
    for (int k = 0; k < w->n; k++)
        if (d->unread >> k & 1)
            accepts(w, k, d);
    d->unread = 0;
    if (i < 0)
        return;
    if (d->why->has_command)
        lemma_order(w, i, d->why->command.id);
    bool fresh = d->why->takeover && ballot_cmp(d->why->built, d->ballot) == 0;
    if (fresh && !(d->why->has_command && d->why->command.allow_data_loss))
        takeover_sealed(w, d);
    const struct book *b = &w->m[i].book;
    if (fresh || d->record.primary != w->m[i].id || d->record.term != b->decided_term ||
        d->record.term <= b->gave_back)
        return; /* found undecided, and proposed again */
    change_written(w, i, d);
    joint_left(w, i, d);
}

/* ---- decisions -------------------------------------------------------------------------------------------------------- */

static bool has_voter(const struct voters *in, const struct voter *v)
{
    for (int k = 0; k < in->n; k++)
        if (in->v[k].id == v->id && in->v[k].epoch == v->epoch &&
            memcmp(in->v[k].key, v->key, KEY_SIZE) == 0 && strcmp(in->v[k].site, v->site) == 0)
            return true;
    return false;
}

static bool same_ids(const struct voters *a, const struct voters *b)
{
    bool same = a->n == b->n;
    for (int k = 0; same && k < a->n; k++) {
        bool found = false;
        for (int j = 0; j < b->n; j++)
            found = found || a->v[k].id == b->v[j].id;
        same = found;
    }
    return same;
}

void lemma_decided(struct world *w, const struct decided *d)
{
    const struct record *was = before(w, d->record.version);
    int gone = 0, come = 0;
    if (!was)
        return;
    for (int k = 0; k < was->voters.n; k++)
        gone += !has_voter(&d->record.voters, &was->voters.v[k]);
    for (int k = 0; k < d->record.voters.n; k++)
        come += !has_voter(&was->voters, &d->record.voters.v[k]);
    bool again = gone == 1 && come == 1 && same_ids(&was->voters, &d->record.voters);
    if (gone > 1 || come > 1 || (gone && come && !again))
        violate(w, "L6", "version %llu was decided with %d voters gone and %d new ones",
                (unsigned long long)d->record.version, gone, come);
}

/* ---- heartbeats ------------------------------------------------------------------------------------------------------- */

static void grants(struct world *w, int i, const struct heartbeat *h)
{
    struct book *b = &w->m[i].book;
    struct stated_grant *g = &b->grant;
    int holder = world_index(w, h->grant_holder);
    if (h->grant_seq == g->seq && h->grant_nonce == g->nonce && h->grant_holder == g->holder)
        return;
    ns_t asked = holder >= 0 && w->m[holder].book.nonce == h->grant_nonce
                     ? w->m[holder].book.sent[h->grant_seq % SENT_KEPT]
                     : 0;
    if (ballot_cmp(h->accepted, b->takeover) < 0 && asked > b->takeover_since)
        violate(w, "L2", "%s grants term %llu to %s below a takeover ballot that it has promised",
                world_name(w, i), (unsigned long long)h->grant_term, world_name(w, holder));
    if (h->grant_term != b->accepted_term && asked > b->accepted_since)
        violate(w, "L11", "%s grants term %llu to %s, and has accepted term %llu", world_name(w, i),
                (unsigned long long)h->grant_term, world_name(w, holder),
                (unsigned long long)b->accepted_term);
    if (h->grant_holder == w->m[i].id && h->grant_term <= b->released)
        violate(w, "L8", "%s grants itself term %llu, which it has released", world_name(w, i),
                (unsigned long long)h->grant_term);
    ns_t until = asked ? asked + MS(h->grant_ms) / 101 * 100 : 0; /* less what clocks may err */
    if (g->term == h->grant_term && g->holder == h->grant_holder && g->until > until)
        until = g->until;
    *g = (struct stated_grant){.term = h->grant_term,
                               .holder = h->grant_holder,
                               .nonce = h->grant_nonce,
                               .seq = h->grant_seq,
                               .until = until};
}

static void never_falls(struct world *w, int i, const char *what, struct ballot *known, struct ballot said)
{
    if (ballot_cmp(said, *known) < 0)
        violate(w, "L4", "%s says that it %s a lower ballot than it said before", world_name(w, i), what);
    *known = said;
}

void lemma_heartbeat(struct world *w, int i, const struct heartbeat *h)
{
    struct book *b = &w->m[i].book;
    if (excused(w, i) || h->lost)
        return;
    if (ballot_cmp(h->promised, b->takeover) > 0)
        b->takeover_since = w->now; /* promised to itself */
    never_falls(w, i, "has promised a takeover at", &b->takeover, h->promised);
    never_falls(w, i, "has accepted", &b->accepted, h->accepted);
    never_falls(w, i, "is sealed for", &b->sealed, h->sealed_for);
    never_falls(w, i, "knows as decided", &b->decided, h->decided);
    accepted_term(w, b, h->accepted_term);
    b->decided_term = h->decided_term;
    if (h->request_term && h->request_term <= b->released)
        violate(w, "L8", "%s asks for term %llu, which it has released", world_name(w, i),
                (unsigned long long)h->request_term);
    if (h->grant_term)
        grants(w, i, h);
}

/* ---- what leaves a member --------------------------------------------------------------------------------------------- */

/* Any frame of its own: when was it sent? */
void lemma_sent(struct world *w, int i, const struct frame *f)
{
    struct book *b = &w->m[i].book;
    b->nonce = f->nonce;
    b->sent[f->seq % SENT_KEPT] = w->now;
}

static void refuses(struct world *w, int i, const struct nack *n)
{
    int of = world_index(w, n->ballot.member);
    const struct durable *d = disk_of(w, i);
    if (n->reason == NACK_QUARANTINE && of >= 0 && d && d->accepted.record.primary == n->ballot.member &&
        d->accepted.record.term == w->m[of].book.change_term &&
        ballot_cmp(w->m[of].book.change, n->ballot) == 0)
        violate(w, "L16", "%s has just started and refuses %s a change of its own record", world_name(w, i),
                world_name(w, of));
}

/* One that lost its store may release an earlier term after a later one; that stays given back. */
static void release(struct book *b, uint64_t term)
{
    b->released = term;
    if (term > b->gave_back)
        b->gave_back = term;
}

void lemma_frame(struct world *w, int i, const struct frame *f)
{
    static struct prepare prepare;
    static struct nack n;
    static struct promised p;
    static struct accepted a;
    static struct sealed_statement s;
    static struct release r;
    if (f->kind == FRAME_RELEASE && wire_get_release(&r, f->body, f->body_len) && r.who == w->m[i].id)
        release(&w->m[i].book, r.term);
    if (excused(w, i))
        return;
    if (f->kind == FRAME_PREPARE && wire_get_prepare(&prepare, f->body, f->body_len) && !prepare.takeover) {
        w->m[i].book.change = prepare.ballot;
        w->m[i].book.change_term = disk_of(w, i) ? disk_of(w, i)->decided.proposal.record.term : 0;
    } else if (f->kind == FRAME_NACK && wire_get_nack(&n, f->body, f->body_len))
        refuses(w, i, &n);
    if (f->kind == FRAME_PROMISE && wire_get_promised(&p, f->body, f->body_len))
        promises(w, i, &p.promise);
    else if (f->kind == FRAME_ACCEPTED && wire_get_accepted(&a, f->body, f->body_len) && a.who == w->m[i].id)
        says_accepted(w, i, &a);
    else if (f->kind == FRAME_SEALED && wire_get_sealed(&s, f->body, f->body_len))
        raise(&w->m[i].book.sealed, s.ballot);
}

void lemma_order(struct world *w, int i, uint64_t id)
{
    for (int k = 0; k < SIM_UNLAWFUL; k++)
        if (id != 0 && w->unlawful[k] == id)
            violate(w, "L17", "%s carries out an order of those who may not give it", world_name(w, i));
}

static const struct decided *decided_by(const struct world *w, struct ballot b)
{
    for (int k = 0; k < w->n_decided; k++)
        if (ballot_cmp(w->decided[k].ballot, b) == 0)
            return &w->decided[k];
    return NULL;
}

/* A record found undecided by another is decided once more, as it is, under a ballot of theirs. */
static bool same_record(const struct world *w, struct ballot a, struct ballot b)
{
    const struct decided *x = decided_by(w, a), *y = decided_by(w, b);
    return x && y && memcmp(x->hash, y->hash, sizeof x->hash) == 0;
}

void lemma_lease(struct world *w, int i, instant until)
{
    const struct durable *d = disk_of(w, i);
    if (instant_is_never(until) || excused(w, i) || !d)
        return;
    if (ballot_cmp(d->sealed_for, d->decided.proposal.ballot) > 0)
        violate(w, "L13", "%s counts a lease under a record below the ballot that it sealed for",
                world_name(w, i));
    if (ballot_cmp(d->decided.proposal.ballot, w->m[i].book.newest) < 0 &&
        !same_record(w, d->decided.proposal.ballot, w->m[i].book.newest))
        violate(w, "L14", "%s counts a lease under a record that was not the newest when it started",
                world_name(w, i));
}

void lemma_goal(struct world *w, int i, const struct pg_goal *goal)
{
    bool acts = goal->kind == GOAL_FOLLOW || goal->kind == GOAL_REWIND || goal->kind == GOAL_CLONE ||
                goal->kind == GOAL_PROMOTE || goal->kind == GOAL_PRIMARY || goal->kind == GOAL_INIT;
    member_id primary = goal->upstream ? goal->upstream : w->m[i].id;
    if (!acts || (goal->term == w->first.term && primary == w->first.primary))
        return;
    for (int k = w->n_decided - 1; k >= 0; k--)
        if (w->decided[k].done && w->decided[k].record.term == goal->term &&
            w->decided[k].record.primary == primary)
            return;
    violate(w, "L12", "%s is told \"%s\" for term %llu of %s, which no quorum has accepted", world_name(w, i),
            pg_goal_name(goal->kind), (unsigned long long)goal->term, world_name(w, world_index(w, primary)));
}
