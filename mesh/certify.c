/* certify.c: what makes a takeover acceptable, and what makes a record decided (docs/protocol.md, "Ballots").
 *
 * Reads only.  Every statement is checked against the key that the root's certificate binds to its speaker. */
#include "mesh/core_state.h"

#include <string.h>

bool frame_holds(const struct member *m, const uint8_t *bytes, size_t n)
{
    return frame_verify(bytes, n, m->key) || (member_rotates(m) && frame_verify(bytes, n, m->former[0].key));
}

/* A retired key's statement holds in a certificate alone, about a round in which the key was in use; one that arrives by itself
 * (`round` FRESH) must be of a key that is good now. */
#define FRESH KEY_OPEN
static bool statement_holds(const struct core *c, member_id who, uint64_t round, const uint8_t *bytes,
                            size_t n, const uint8_t signature[static SIGNATURE_SIZE])
{
    const struct member *m = member_of(c, who);
    if (!m)
        return false;
    if (sign_holds(signature, m->key, bytes, n))
        return true;
    for (int i = 0; i < m->n_former; i++)
        if ((round <= m->former[i].round || MUTANT(RETIRED_KEY_HOLDS)) &&
            sign_holds(signature, m->former[i].key, bytes, n))
            return true;
    return false;
}

bool command_holds(const struct core *c, const struct command *m)
{
    uint8_t bytes[STATEMENT_MAX];
    size_t n = command_bytes(bytes, &c->cluster, m);
    const struct member *who = member_of(c, m->who), *second = member_of(c, m->approval.who);
    return who && role_is_person(who->role) &&
           statement_holds(c, m->who, m->base.round, bytes, n, m->signature) &&
           (!m->approved ||
            (second && role_is_person(second->role) &&
             statement_holds(c, m->approval.who, m->base.round, bytes, n, m->approval.signature)));
}

/* An operator's word covers a takeover of the term that the operator saw, and loss only where a failover was ordered. */
static bool command_covers(const struct core *c, const struct command *m)
{
    bool kind = m->kind == COMMAND_FAILOVER || (m->kind == COMMAND_RESUME && !m->allow_data_loss);
    return kind && m->term == decided(c)->term && right_judge(c, m) == RIGHT_GIVEN;
}

bool promise_holds(const struct core *c, const struct promise *p, bool fresh)
{
    uint8_t bytes[STATEMENT_MAX];
    return statement_holds(c, p->who, fresh ? FRESH : p->ballot.round, bytes,
                           promise_bytes(bytes, &c->cluster, p), p->signature);
}

bool sealed_holds(const struct core *c, const struct sealed_statement *s, bool fresh)
{
    uint8_t bytes[STATEMENT_MAX];
    return statement_holds(c, s->sealed.id, fresh ? FRESH : s->ballot.round, bytes,
                           sealed_bytes(bytes, &c->cluster, s), s->signature);
}

bool accepted_holds(const struct core *c, const struct accepted *a, bool fresh)
{
    uint8_t bytes[STATEMENT_MAX];
    return statement_holds(c, a->who, fresh ? FRESH : a->ballot.round, bytes,
                           accepted_bytes(bytes, &c->cluster, a), a->signature);
}

bool release_holds(const struct core *c, const struct release *r)
{
    uint8_t bytes[STATEMENT_MAX];
    return statement_holds(c, r->who, FRESH, bytes, release_bytes(bytes, &c->cluster, r), r->signature);
}

/* A quorum of the record's voters promised that very ballot, each with a verdict that allows it; and one of the voters that
 * are decided here, who may be others: a record found undecided may be about to change them. */
static bool promises_suffice(const struct core *c, const struct proposal *p)
{
    uint32_t have = 0, before = 0;
    for (int i = 0; i < p->why.n_promises; i++) {
        const struct promise *s = &p->why.promises[i];
        int v = record_voter_index(&p->record, s->who), u = record_voter_index(decided(c), s->who);
        if (ballot_cmp(s->ballot, p->why.built) != 0 || !s->takeover)
            return false;
        if (!verdict_promises(s->verdict, p->record.durability) || !promise_holds(c, s, false))
            return false;
        have |= v < 0 ? 0 : 1u << v;
        before |= u < 0 ? 0 : 1u << u;
    }
    return quorum_reached(&p->record.voters, have) && quorum_reached(&decided(c)->voters, before);
}

/* Steps 3 and 4 of a takeover: the proposed primary is sealed, none of the seals shown is ahead of it, and together
 * they prove that no acknowledged commit is missing. */
static bool seals_justify(const struct core *c, const struct proposal *p, const char **why)
{
    struct sealed seals[DATABASES_MAX];
    const struct sealed *best = NULL;
    for (int i = 0; i < p->why.n_seals; i++) {
        const struct sealed_statement *s = &p->why.seals[i];
        *why = "a seal is not valid";
        if (ballot_cmp(s->ballot, p->why.built) != 0 || !record_is_database(&p->record, s->sealed.id))
            return false;
        if (!sealed_holds(c, s, false))
            return false;
        seals[i] = s->sealed;
        if (s->sealed.id == p->record.primary && s->sealed.dir == p->record.primary_dir)
            best = &seals[i];
    }
    *why = "the proposed primary is not sealed";
    if (!best && !MUTANT(PROPOSED_NOT_SEALED) && !MUTANT(NO_SEALING))
        return false;
    *why = "a sealed database is ahead of the proposed primary";
    for (int i = 0; best && i < p->why.n_seals; i++)
        if (sealed_cmp(&seals[i], best) > 0 && !MUTANT(NOT_BEST_SEALED))
            return false;
    if (p->why.has_command && p->why.command.allow_data_loss)
        return true;
    struct record base = p->record;
    base.primary = p->why.former;
    base.primary_dir = p->why.former_dir;
    *why = "the seals do not prove that no acknowledged commit is missing";
    return MUTANT(RELEASE_SKIPS_SEALING) || MUTANT(TAKEOVER_SHRINKS_SYNC) ||
           seals_suffice(&base, seals, p->why.n_seals);
}

/* The record that a takeover was built on, where it is known here: the highest that its promises tell of. */
static const struct record *base_known(const struct core *c, const struct proposal *p)
{
    struct ballot top = {0};
    for (int i = 0; i < p->why.n_promises; i++)
        if (ballot_cmp(p->why.promises[i].accepted, top) > 0)
            top = p->why.promises[i].accepted;
    if (ballot_cmp(top, c->disk.accepted.ballot) == 0)
        return &c->disk.accepted.record;
    return ballot_cmp(top, decided_ballot(c)) == 0 ? decided(c) : NULL;
}

/* The seals are counted by the proposed record's own sets, so these must be those of the record before. */
static bool takes_over(const struct record *base, const struct proposal *p, const char **why)
{
    *why = "it is no takeover of the record that its promises tell of";
    if (record_classify(base, &p->record, why) != CHANGE_TAKEOVER)
        return false;
    *why = "the former primary is not that of the record before";
    if (p->why.former != base->primary || p->why.former_dir != base->primary_dir)
        return false;
    *why = "the record before is paused, and no operator asked";
    return !p->record.paused && (!base->paused || p->why.has_command);
}

bool takeover_justified(const struct core *c, const struct proposal *p, const char **why)
{
    const struct record *now = decided(c);
    *why = "not a takeover";
    if (!p->why.takeover || !record_is_database(&p->record, p->record.primary))
        return false;
    *why = "the former primary is not the one that was decided";
    if (p->record.term == now->term + 1 &&
        (p->why.former != now->primary || p->why.former_dir != now->primary_dir))
        return false;
    *why =
        "it was built below a record that has been decided since"; /* its seals are of a time before that one */
    if (ballot_cmp(p->why.built, decided_ballot(c)) <= 0)
        return false;
    *why =
        "its voters are more than one step from those that are decided"; /* the steps between come from who knows them */
    if (!voters_one_step(&now->voters, &p->record.voters))
        return false;
    *why = "the operator's command is not valid";
    if (p->why.has_command && !command_covers(c, &p->why.command))
        return false;
    *why = "the promises are not those of a quorum";
    if (!promises_suffice(c, p))
        return false;
    const struct record *base = base_known(c, p);
    if (base && !takes_over(base, p, why) && !MUTANT(IGNORE_ACCEPTED))
        return false;
    return seals_justify(c, p, why);
}

bool certificate_holds(const struct core *c, const struct certificate *cert)
{
    const struct proposal *p = &cert->proposal;
    uint8_t hash[HASH_SIZE];
    const char *why;
    if (ballot_epoch(p->ballot) != ballot_epoch(decided_ballot(c)) || ballot_reforms(p->ballot))
        return reform_holds(c, cert);
    if (!record_valid(&p->record, &why) ||
        memcmp(p->record.nonce, decided(c)->nonce, sizeof p->record.nonce) != 0)
        return false;
    record_hash(hash, &p->record);
    uint32_t have = 0, before = 0;
    for (int i = 0; i < cert->n_accepted; i++) {
        const struct accepted *a = &cert->accepted[i];
        int v = record_voter_index(&p->record, a->who), u = record_voter_index(decided(c), a->who);
        if (ballot_cmp(a->ballot, p->ballot) != 0 || memcmp(a->record_hash, hash, HASH_SIZE) != 0)
            return false;
        if (!accepted_holds(c, a, false))
            return false;
        have |= v < 0 ? 0 : 1u << v;
        before |= u < 0 ? 0 : 1u << u;
    }
    /* Its own voters decide it; but then a record could name its own signers, so a quorum of those known here is among them. */
    return quorum_reached(&p->record.voters, have) &&
           (quorum_reached(&decided(c)->voters, before) || MUTANT(CERTIFICATE_ANY_VOTERS));
}
