/* dossier.c: see dossier.h. */
#include "mesh/inspect/dossier.h"

#include "mesh/right.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "policy/candidate.h"
#include "policy/quorum.h"

static bool wrong(struct dossier *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct dossier *d, const char *format, ...)
{
    va_list args;
    if (d->wrong[0] != '\0')
        return false;
    va_start(args, format);
    vsnprintf(d->wrong, sizeof d->wrong, format, args);
    va_end(args);
    d->valid = false;
    return false;
}

/* Does the member's certified key vouch for these bytes, or one that it had when ballots of that round were cast? */
static bool vouched(const struct cluster *c, member_id who, uint64_t round, const uint8_t *bytes, size_t n,
                    const uint8_t signature[static SIGNATURE_SIZE])
{
    const struct cluster_member *m = cluster_member(c, who);
    if (m == NULL)
        return false;
    bool holds = sign_holds(signature, m->member.key, bytes, n);
    for (int i = 0; !holds && i < m->member.n_former; i++)
        holds =
            round <= m->member.former[i].round && sign_holds(signature, m->member.former[i].key, bytes, n);
    return holds;
}

/* As far back as is known. */
static bool had_key(const struct cluster_member *m, const uint8_t key[static KEY_SIZE])
{
    bool had = memcmp(m->member.key, key, KEY_SIZE) == 0 || m->member.n_former == KEYS_FORMER_MAX;
    for (int i = 0; i < m->member.n_former; i++)
        had = had || memcmp(m->member.former[i].key, key, KEY_SIZE) == 0;
    return had;
}

static void verify_record(struct dossier *d, const struct cluster *c)
{
    const struct record *r = &d->certificate.proposal.record;
    const char *why = "";
    if (!record_valid(r, &why))
        wrong(d, "the record is not well formed: %s", why);
    if (memcmp(r->nonce, c->first.nonce, sizeof r->nonce) != 0)
        wrong(d, "the record belongs to another cluster");
    for (int i = 0; i < r->voters.n && i < VOTERS_MAX; i++) {
        const struct cluster_member *m = cluster_member(c, r->voters.v[i].id);
        if (m == NULL || !had_key(m, r->voters.v[i].key))
            wrong(d, "voter %u has no certificate in the cluster file, or another key", r->voters.v[i].id);
    }
}

/* One who was a voter of the record before is shown, and not counted. */
static bool could_vote(const struct cluster *c, member_id who)
{
    const struct cluster_member *m = cluster_member(c, who);
    return m != NULL && (m->member.role == ROLE_DATABASE || m->member.role == ROLE_WITNESS);
}

static void verify_accepted(struct dossier *d, const struct cluster *c)
{
    const struct proposal *p = &d->certificate.proposal;
    uint8_t bytes[STATEMENT_MAX], hash[HASH_SIZE];
    record_hash(hash, &p->record);
    for (int i = 0; i < d->certificate.n_accepted; i++) {
        const struct accepted *a = &d->certificate.accepted[i];
        int v = record_voter_index(&p->record, a->who);
        d->accepted_holds[i] =
            (v >= 0 || could_vote(c, a->who)) && ballot_cmp(a->ballot, p->ballot) == 0 &&
            memcmp(a->record_hash, hash, HASH_SIZE) == 0 &&
            vouched(c, a->who, a->ballot.round, bytes, accepted_bytes(bytes, &c->id, a), a->signature);
        if (d->accepted_holds[i])
            d->accepted |= v < 0 ? 0 : 1u << v;
        else
            wrong(d, "the acceptance of %s does not hold", cluster_member_name(c, a->who));
    }
    d->accepted_quorum = quorum_reached(&p->record.voters, d->accepted);
    if (!d->accepted_quorum)
        wrong(d, "those who accepted are no quorum");
}

static void verify_promises(struct dossier *d, const struct cluster *c)
{
    const struct proposal *p = &d->certificate.proposal;
    uint8_t bytes[STATEMENT_MAX];
    for (int i = 0; i < p->why.n_promises; i++) {
        const struct promise *s = &p->why.promises[i];
        int v = record_voter_index(&p->record, s->who);
        d->promise_holds[i] =
            could_vote(c, s->who) && s->takeover && ballot_cmp(s->ballot, p->why.built) == 0 &&
            verdict_promises(s->verdict, p->record.durability) &&
            vouched(c, s->who, s->ballot.round, bytes, promise_bytes(bytes, &c->id, s), s->signature);
        if (d->promise_holds[i])
            d->promised |= v < 0 ? 0 : 1u << v;
        else
            wrong(d, "the promise of %s does not hold", cluster_member_name(c, s->who));
    }
    d->promised_quorum = quorum_reached(&p->record.voters, d->promised);
    if (!d->promised_quorum)
        wrong(d, "those who promised are no quorum");
}

/* The record as it was before the takeover, as far as the seals are concerned: a takeover never changes `sync`. */
static void base_record(struct record *base, const struct proposal *p)
{
    *base = p->record;
    base->primary = p->why.former;
    base->primary_dir = p->why.former_dir;
}

static void count_needed(struct dossier *d, const struct record *base)
{
    if (base->durability == DURABILITY_ASYNC)
        return;
    for (int i = 0; i < (base->joint ? 2 : 1); i++)
        if (base->sync[i].n > 0)
            d->seals_needed[i] = base->sync[i].n - base->sync[i].k + 1u;
}

static void verify_seals(struct dossier *d, const struct cluster *c)
{
    const struct proposal *p = &d->certificate.proposal;
    struct sealed seals[DATABASES_MAX];
    uint8_t bytes[STATEMENT_MAX];
    struct record base;
    for (int i = 0; i < p->why.n_seals; i++) {
        const struct sealed_statement *s = &p->why.seals[i];
        seals[i] = s->sealed;
        d->seal_holds[i] =
            record_is_database(&p->record, s->sealed.id) && ballot_cmp(s->ballot, p->why.built) == 0 &&
            vouched(c, s->sealed.id, s->ballot.round, bytes, sealed_bytes(bytes, &c->id, s), s->signature);
        if (!d->seal_holds[i])
            wrong(d, "the seal of %s does not hold", cluster_member_name(c, s->sealed.id));
        if (s->sealed.id == p->record.primary && s->sealed.dir == p->record.primary_dir)
            d->chosen = i;
        if (s->sealed.id == p->why.former && s->sealed.dir == p->why.former_dir &&
            p->why.former != MEMBER_NONE)
            d->former_sealed = true;
    }
    if (d->chosen < 0)
        wrong(d, "the new primary is not sealed");
    for (int i = 0; i < p->why.n_seals && d->chosen >= 0; i++)
        if (sealed_cmp(&seals[i], &seals[d->chosen]) > 0)
            wrong(d, "%s was sealed ahead of the new primary", cluster_member_name(c, seals[i].id));
    base_record(&base, p);
    count_needed(d, &base);
    d->seals_enough = seals_suffice(&base, seals, p->why.n_seals);
    if (!d->seals_enough && !(p->why.has_command && p->why.command.allow_data_loss))
        wrong(d, "the seals do not prove that no acknowledged commit is missing");
}

/* Signed by a person whose role reaches for it.  Whether it took two of them is for the voters of then. */
static bool ordered(const struct cluster *c, const struct command *m, member_id id, const uint8_t *bytes,
                    size_t n, const uint8_t *signature)
{
    const struct cluster_member *who = cluster_member(c, id);
    return who != NULL && right_reaches(who->member.role, right_role(m)) &&
           vouched(c, id, m->base.round, bytes, n, signature);
}

static void verify_command(struct dossier *d, const struct cluster *c)
{
    const struct command *m = &d->certificate.proposal.why.command;
    uint8_t bytes[STATEMENT_MAX];
    size_t n = command_bytes(bytes, &c->id, m);
    if (!d->certificate.proposal.why.has_command)
        return;
    d->command_holds = ordered(c, m, m->who, bytes, n, m->signature) &&
                       (!m->approved || (m->approval.who != m->who &&
                                         ordered(c, m, m->approval.who, bytes, n, m->approval.signature)));
    if (!d->command_holds)
        wrong(d, "the operator's command does not hold");
}

static void verify_reformed(struct dossier *d, const struct cluster *c)
{
    const struct proposal *p = &d->certificate.proposal;
    uint8_t hash[HASH_SIZE];
    record_hash(hash, &p->record);
    for (int i = 0; i < c->n_reforms; i++)
        if (ballot_cmp(reform_ballot(&c->reforms[i]), p->ballot) == 0 &&
            memcmp(c->reforms[i].hash, hash, HASH_SIZE) == 0)
            return;
    wrong(d, "the root key's word on it is not in the roster");
}

static enum dossier_kind kind_of(const struct proposal *p, const struct cluster *c)
{
    uint8_t hash[HASH_SIZE], first[HASH_SIZE];
    int released = 0;
    record_hash(hash, &p->record);
    record_hash(first, &c->first);
    if (memcmp(hash, first, HASH_SIZE) == 0)
        return DOSSIER_FIRST;
    if (ballot_reforms(p->ballot))
        return DOSSIER_REFORMED;
    if (!p->why.takeover)
        return DOSSIER_CHANGE;
    if (p->why.former == p->record.primary)
        return DOSSIER_RETURN;
    if (justification_reformed(&p->why))
        return DOSSIER_FAILOVER;
    for (int i = 0; i < p->why.n_promises; i++)
        released += p->why.promises[i].verdict == VERDICT_RELEASED;
    return released > 0 ? DOSSIER_HANDOVER : DOSSIER_FAILOVER;
}

void dossier_verify(struct dossier *d, const struct cluster *cluster)
{
    d->valid = true;
    d->chosen = -1;
    d->kind = kind_of(&d->certificate.proposal, cluster);
    verify_record(d, cluster);
    switch (d->kind) {
    case DOSSIER_FIRST: /* cluster_load() has verified the root's signature over the very same bytes */
        return;
    case DOSSIER_REFORMED: verify_reformed(d, cluster); return;
    case DOSSIER_CHANGE: verify_accepted(d, cluster); return;
    case DOSSIER_FAILOVER:
    case DOSSIER_HANDOVER:
    case DOSSIER_RETURN:
        verify_accepted(d, cluster);
        verify_command(d, cluster);
        verify_promises(d, cluster);
        verify_seals(d, cluster);
        return;
    }
}

bool dossier_read(struct dossier *d, const uint8_t *bytes, size_t n, const struct cluster *cluster)
{
    memset(d, 0, sizeof *d);
    if (!wire_get_decided(&d->certificate, bytes, n))
        return false;
    dossier_verify(d, cluster);
    return true;
}

const char *dossier_kind_name(enum dossier_kind kind)
{
    switch (kind) {
    case DOSSIER_FIRST: return "first";
    case DOSSIER_REFORMED: return "re-formed";
    case DOSSIER_CHANGE: return "change";
    case DOSSIER_FAILOVER: return "failover";
    case DOSSIER_HANDOVER: return "handover";
    case DOSSIER_RETURN: return "return";
    }
    return "";
}

static struct candidate candidate_of(const struct dossier *d, int i, const struct cluster *c)
{
    const struct proposal *p = &d->certificate.proposal;
    const struct sealed_statement *s = &p->why.seals[i];
    const struct cluster_member *m = cluster_member(c, s->sealed.id),
                                *former = cluster_member(c, p->why.former);
    return (struct candidate){.sealed = s->sealed,
                              .eligible = true,
                              .backlog_bytes = s->backlog_bytes,
                              .named = p->why.has_command && p->why.command.target == s->sealed.id,
                              .same_site = m != NULL && former != NULL &&
                                           strcmp(m->member.site, former->member.site) == 0};
}

const char *dossier_because(const struct dossier *d, int i, const struct cluster *cluster)
{
    const char *step = "";
    if (d->chosen < 0 || i == d->chosen)
        return step;
    struct candidate chosen = candidate_of(d, d->chosen, cluster), other = candidate_of(d, i, cluster);
    return candidate_cmp(&chosen, &other, &step) < 0 ? step : "named";
}
