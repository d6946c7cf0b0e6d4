/* reform.c: the voters re-formed by the root's word (policy/reform.h; docs/protocol.md, "The voters re-formed").
 *
 * The edge has verified the root's signature over {epoch, nonce, hash}; it stands in the roster, so every member comes to know
 * it.  The record itself travels like any decided one, with nobody's ACCEPTED.
 *
 *   not heard of --roster--> AWAITED: votes, grants, asks for nothing --record of that hash--> adopted: decided
 *
 * Nobody serves in the term of a re-formation: it counts as released.  Whoever adopts it promises and seals nothing for
 * lease_ms_max: a lease that rests on its own former grants is over by then. */
#include "mesh/core_state.h"

#include <string.h>

bool reform_awaited(const struct core *c)
{
    return c->reform.epoch > ballot_epoch(decided_ballot(c)) && !MUTANT(REFORM_IGNORED);
}

bool reform_in_force(const struct core *c)
{
    return ballot_reforms(decided_ballot(c));
}

bool reform_holds(const struct core *c, const struct certificate *cert)
{
    const struct proposal *p = &cert->proposal;
    uint8_t hash[HASH_SIZE];
    const char *why;
    if (c->reform.epoch == 0 || cert->n_accepted != 0 ||
        ballot_cmp(p->ballot, reform_ballot(&c->reform)) != 0 ||
        ballot_cmp(p->ballot, decided_ballot(c)) <= 0)
        return false;
    if (!record_valid(&p->record, &why) ||
        memcmp(p->record.nonce, decided(c)->nonce, sizeof p->record.nonce) != 0)
        return false;
    if (MUTANT(REFORM_IGNORED) && !record_voter(&p->record, c->self))
        return false;
    record_hash(hash, &p->record);
    return memcmp(hash, c->reform.hash, sizeof hash) == 0;
}

void reform_hear(struct core *c, const struct roster_news *news)
{
    if (news->reform.epoch > c->reform.epoch) {
        c->reform_served = lease_held(c);
        c->reform = news->reform;
        if (reform_awaited(c))
            event_say(
                c, "+superseded",
                "the root has re-formed the voters (number %u): the record of term %llu counts no longer",
                c->reform.epoch, (unsigned long long)decided(c)->term);
    }
    if (news->reformed && reform_holds(c, news->reformed))
        on_decided(c, news->reformed);
}

/* What the one who adopts it was doing meanwhile.  Had it decided a later term than the re-formation knew of, or been serving,
 * the operator's word that the lost voters were dead was wrong. */
static void tell(struct core *c, const struct record *before)
{
    const struct record *r = decided(c);
    uint64_t known = r->n_history > 1 ? r->history[r->n_history - 2].term : 0;
    bool votes = record_voter(r, c->self) != NULL, voted = record_voter(before, c->self) != NULL;
    event_say(c, "+reformed", "the root has re-formed the voters (number %u, %u of them): %s",
              (unsigned)ballot_epoch(decided_ballot(c)), r->voters.n,
              votes   ? "this member votes"
              : voted ? "this member has no vote any more, until \"pgmesh member vote\" gives it one"
                      : "this member has no vote");
    if (c->reform_served || before->term > known)
        event_say(c, "+split-found",
                  "the voters of old had gone on without those re-formed: %s was primary of term %llu, up to "
                  "now%s; what it wrote alone is put aside",
                  member_name(c, before->primary), (unsigned long long)before->term,
                  c->reform_served ? " and on this host" : "");
}

void reform_adopted(struct core *c, const struct record *before)
{
    round_see(c, decided_ballot(c));
    if (!MUTANT(REFORM_NO_WAIT))
        c->votes_from = instant_add(c->now, span_ms(c->disk.lease_ms_max));
    if (is_primary(c) && c->disk.released_term < decided(c)->term)
        c->disk.released_term = decided(c)->term;
    members_vouch(c);
    tell(c, before);
}
