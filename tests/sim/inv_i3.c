#include <stdlib.h>
#include <string.h>

#include "policy/quorum.h"

#include "tests/sim/sim.h"

/* I3  decided records form one chain; one term has one primary and one timeline; a timeline has one term.
 *
 * The world counts for itself: every ACCEPT tells a proposal, every ACCEPTED a voter that stored it.  A record is
 * decided once a quorum of its own voters did, whether or not anybody knows it yet. */

struct decided *inv_i3_entry(struct world *w, struct ballot b)
{
    for (int i = w->n_decided - 1; i >= 0; i--)
        if (ballot_cmp(w->decided[i].ballot, b) == 0)
            return &w->decided[i];
    if (w->n_decided == SIM_DECIDED)
        violate(w, "I10", "more than %d ballots in one seed", SIM_DECIDED);
    struct decided *d = &w->decided[w->n_decided++];
    struct justification *why = d->why;
    memset(d, 0, offsetof(struct decided, record));
    d->ballot = b;
    d->why = why ? why : malloc(sizeof *why);
    return d;
}

static void compare(struct world *w, const struct decided *a, const struct decided *b)
{
    const struct record *x = &a->record, *y = &b->record;
    bool same = memcmp(a->hash, b->hash, sizeof a->hash) == 0;
    if (x->version == y->version && !same)
        violate(w, "I3", "two different records of version %llu were decided",
                (unsigned long long)x->version);
    if ((ballot_cmp(a->ballot, b->ballot) < 0) != (x->version < y->version) && x->version != y->version)
        violate(w, "I3", "version %llu was decided by a later ballot than version %llu",
                (unsigned long long)(x->version < y->version ? x->version : y->version),
                (unsigned long long)(x->version < y->version ? y->version : x->version));
    if (x->term == y->term && (x->primary != y->primary || x->primary_dir != y->primary_dir))
        violate(w, "I3", "term %llu has two primaries, %s and %s", (unsigned long long)x->term,
                world_name(w, world_index(w, x->primary)), world_name(w, world_index(w, y->primary)));
    if (x->term == y->term && x->timeline && y->timeline && x->timeline != y->timeline)
        violate(w, "I3", "term %llu has two timelines, %u and %u", (unsigned long long)x->term, x->timeline,
                y->timeline);
    if (x->term != y->term && x->timeline && x->timeline == y->timeline)
        violate(w, "I3", "timeline %u has two terms, %llu and %llu", x->timeline, (unsigned long long)x->term,
                (unsigned long long)y->term);
}

/* The timeline of a takeover is above every id that a database has seen a .history file of. */
static void unused_timeline(struct world *w, const struct decided *d)
{
    const struct justification *j = d->why;
    for (int s = 0; j->takeover && s < j->n_seals; s++)
        if (j->seals[s].timeline_max >= d->record.timeline ||
            j->seals[s].sealed.timeline >= d->record.timeline)
            violate(w, "I3", "term %llu gets timeline %u, but %s already has a history file of %u",
                    (unsigned long long)d->record.term, d->record.timeline,
                    world_name(w, world_index(w, j->seals[s].sealed.id)), j->seals[s].timeline_max);
}

static void decide(struct world *w, struct decided *d)
{
    d->done = true;
    int index = (int)(d - w->decided);
    for (int i = 0; i < w->n_decided; i++)
        if (i != index && w->decided[i].done)
            compare(w, &w->decided[i], d);
    unused_timeline(w, d);
    lemma_decided(w, d);
    if (d->record.durability ==
        DURABILITY_ASYNC) /* what was acknowledged before is now as safe as the rest */
        for (int b = 0; b < w->n_branches; b++)
            w->branch[b].acked = 0;
    if (!voters_equal(&d->record.voters, &world_record(w)->voters))
        w->linked_since = NEVER;
    bool takeover = d->record.term > world_record(w)->term;
    if (takeover) {
        w->takeovers++;
        inv_i5_takeover(w, d);
    }
    if (w->top < 0 || ballot_cmp(w->decided[w->top].ballot, d->ballot) < 0)
        w->top = index;
    w->link_dirty = true;
    if (d->why->has_command && d->why->command.allow_data_loss)
        w->lossy_command = true;
    for (int i = 0; i < w->n; i++) { /* who was admitted again counts again */
        const struct voter *v = record_voter(&d->record, w->m[i].id);
        if (v && v->epoch > w->m[i].lost_epoch)
            w->m[i].amnesiac = w->m[i].rolled_back = false;
    }
    TELL(w, "decided: version %llu, term %llu, primary %s, timeline %u%s",
         (unsigned long long)d->record.version, (unsigned long long)d->record.term,
         world_name(w, world_index(w, d->record.primary)), d->record.timeline,
         d->record.joint ? ", joint" : "");
    fault_moment(w, d->record.joint ? WHEN_JOINT : WHEN_DECIDED, world_index(w, d->record.primary));
}

static void count(struct world *w, struct decided *d)
{
    if (d->known && !d->done && quorum_reached(&d->record.voters, d->voters))
        decide(w, d);
}

static void proposed(struct world *w, int i, const struct proposal *p)
{
    uint8_t hash[HASH_SIZE];
    struct decided *d = inv_i3_entry(w, p->ballot);
    record_hash(hash, &p->record);
    if (d->known) {
        if (memcmp(d->hash, hash, sizeof d->hash) != 0)
            violate(w, "I3", "%s proposes two records in one ballot",
                    world_name(w, world_index(w, p->ballot.member)));
        return;
    }
    memcpy(d->hash, hash, sizeof d->hash);
    d->known = true;
    d->record = p->record;
    *d->why = p->why;
    for (int v = 0; v < p->record.voters.n; v++) /* those that were heard before the record was known */
        if (d->early >> p->record.voters.v[v].id & 1)
            d->voters |= 1u << v;
    lemma_proposed(w, i, d);
    count(w, d);
}

static void accepted(struct world *w, const struct accepted *a)
{
    struct decided *d = inv_i3_entry(w, a->ballot);
    if (d->known && memcmp(d->hash, a->record_hash, sizeof d->hash) != 0)
        violate(w, "I3", "%s accepts another record than was proposed in that ballot",
                world_name(w, world_index(w, a->who)));
    d->early |= 1u << a->who;
    int v = d->known ? record_voter_index(&d->record, a->who) : -1;
    if (v >= 0)
        d->voters |= 1u << v;
    count(w, d);
}

void inv_i3_frame(struct world *w, int i, const struct frame *f)
{
    static struct accept accept;
    static struct accepted a;
    static struct certificate c;
    switch (f->kind) {
    case FRAME_ACCEPT:
        if (wire_get_accept(&accept, f->body, f->body_len))
            proposed(w, i, &accept.proposal);
        fault_moment(w, WHEN_ACCEPT, i);
        break;
    case FRAME_ACCEPTED:
        if (wire_get_accepted(&a, f->body, f->body_len))
            accepted(w, &a);
        fault_moment(w, WHEN_ACCEPTED, i);
        break;
    case FRAME_DECIDED:
        if (wire_get_decided(&c, f->body, f->body_len))
            inv_i3_certificate(w, i, &c);
        break;
    case FRAME_PREPARE: fault_moment(w, WHEN_PREPARE, i); break;
    case FRAME_PROMISE: fault_moment(w, WHEN_PROMISE, i); break;
    case FRAME_SEALED: fault_moment(w, WHEN_SEALED, i); break;
    case FRAME_RELEASE:
        w->released_term = world_record(w)->term;
        fault_moment(w, WHEN_RELEASE, i);
        break;
    case FRAME_HEARTBEAT:
    case FRAME_NACK:
    case FRAME_SEAL:
    case FRAME_COMMAND:
    case FRAME_PENDING:
    case FRAME_ANSWER:
    case FRAME_ROSTER:
    case FRAME_KIND_END: break;
    }
}

/* The root's word: decided as it stands. */
void inv_i3_reformed(struct world *w, const struct certificate *c)
{
    uint8_t hash[HASH_SIZE];
    struct decided *d = inv_i3_entry(w, c->proposal.ballot);
    record_hash(hash, &c->proposal.record);
    memcpy(d->hash, hash, sizeof d->hash);
    d->known = d->shown = true;
    d->record = c->proposal.record;
    memset(d->why, 0, sizeof *d->why);
    decide(w, d);
}

/* A certificate that somebody shows: it counts as what it claims only if it verifies. */
void inv_i3_certificate(struct world *w, int i, const struct certificate *c)
{
    const char *why = "";
    if (c->n_accepted == 0)
        return; /* the first record, or the root's word */
    struct decided *d = inv_i3_entry(w, c->proposal.ballot);
    if (!d->shown) {
        if (!inv_i4_verifies(w, c, &why))
            violate(w, "I4", "%s shows a certificate that does not verify: %s", world_name(w, i), why);
        d->shown = true;
    }
    proposed(w, -1, &c->proposal);
    if (!d->done)
        for (int k = 0; k < c->n_accepted; k++)
            accepted(w, &c->accepted[k]);
    if (ballot_cmp(c->proposal.ballot, w->m[i].decided_seen) > 0)
        w->m[i].decided_seen = c->proposal.ballot;
}
