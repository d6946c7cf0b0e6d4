#include <string.h>

#include "policy/durability.h"
#include "policy/quorum.h"

#include "tests/sim/sim.h"

/* Would anybody who knows the members' keys believe it?  An offline check, written without the core's own. */
bool inv_i4_verifies(struct world *w, const struct certificate *c, const char **why)
{
    uint8_t hash[HASH_SIZE], bytes[STATEMENT_MAX];
    uint32_t have = 0;
    const struct record *r = &c->proposal.record;
    record_hash(hash, r);
    *why = "the record is not well formed";
    if (!record_valid(r, why))
        return false;
    for (int k = 0; k < c->n_accepted; k++) {
        const struct accepted *a = &c->accepted[k];
        int v = record_voter_index(r, a->who), m = world_index(w, a->who);
        *why = "a statement of no member, or of another ballot or record";
        if (m < 0 || ballot_cmp(a->ballot, c->proposal.ballot) != 0 ||
            memcmp(a->record_hash, hash, HASH_SIZE) != 0)
            return false;
        *why = "a signature does not hold";
        const uint8_t *key = v < 0 ? w->m[m].setup.members[m].key : r->voters.v[v].key;
        size_t n = accepted_bytes(bytes, &w->cluster, a);
        if (!sign_holds(a->signature, key, bytes, n) && !rotate_signed(w, m, a->signature, bytes, n))
            return false;
        have |= v < 0 ? 0 : 1u << v; /* a voter of the record before only is shown, too */
    }
    *why = "no quorum accepted";
    return quorum_reached(&r->voters, have);
}

/* I4  a promoted primary has a certificate that verifies.
 *
 * Asserted where the hand is told to promote or start a primary: this member has shown, or written to its journal, a certificate
 * that names it for this term and timeline. */
void inv_i4_promotion(struct world *w, int i, const struct pg_goal *goal)
{
    for (int k = 0; k < w->n_decided; k++) {
        const struct decided *d = &w->decided[k];
        if (d->done && d->shown && d->record.term == goal->term && d->record.primary == w->m[i].id &&
            d->record.timeline == goal->timeline)
            return;
    }
    if (goal->term == 1 && w->first.primary == w->m[i].id)
        return;
    violate(w, "I4", "%s is to be primary of term %llu, and no certificate says so", world_name(w, i),
            (unsigned long long)goal->term);
}
