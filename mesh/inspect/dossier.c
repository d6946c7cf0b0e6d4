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

static void doubt(struct dossier *d, enum dossier_doubt about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void doubt(struct dossier *d, enum dossier_doubt about, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(d->doubt[about], DOUBT_SIZE, format, args);
    va_end(args);
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

static void count_needed(struct dossier *d, const struct record *base)
{
    if (base->durability == DURABILITY_ASYNC)
        return;
    for (int i = 0; i < (base->joint ? 2 : 1); i++)
        if (base->sync[i].n > 0)
            d->seals_needed[i] = base->sync[i].n - base->sync[i].k + 1u;
}

/* The seals of a record's sets, and of its former primary if that is proven.  As the certificate has it they suffice, or its
 * acceptors should have refused it.  A takeover never changes `sync`, so it is that of the record before. */
static void judge_seals(struct dossier *d, const struct sealed *seals)
{
    const struct proposal *p = &d->certificate.proposal;
    struct record base = p->record;
    base.primary = p->why.former;
    base.primary_dir = p->why.former_dir;
    count_needed(d, &base);
    bool claimed = seals_suffice(&base, seals, p->why.n_seals);
    if (d->doubt[DOUBT_FORMER][0] != '\0') {
        base.primary = MEMBER_NONE;
        base.primary_dir = 0;
    }
    d->seals_enough = dossier_voters_proven(d) && seals_suffice(&base, seals, p->why.n_seals);
    if (claimed && !dossier_voters_proven(d))
        doubt(
            d, DOUBT_SEALS,
            "that no acknowledged commit is missing: the record says how many seals that takes, and its voters "
            "are not proven");
    else if (claimed && !d->seals_enough)
        doubt(
            d, DOUBT_SEALS,
            "that no acknowledged commit is missing: the seals prove it only if the primary before is proven");
    if (!claimed && !(p->why.has_command && p->why.command.allow_data_loss))
        wrong(d, "the seals do not prove that no acknowledged commit is missing");
}

static void verify_seals(struct dossier *d, const struct cluster *c)
{
    const struct proposal *p = &d->certificate.proposal;
    struct sealed seals[DATABASES_MAX];
    uint8_t bytes[STATEMENT_MAX];
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
    judge_seals(d, seals);
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
    const struct record *r = &d->certificate.proposal.record;
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
    /* Any old order of that person would have a good signature. */
    if (m->kind != COMMAND_FAILOVER && (m->kind != COMMAND_RESUME || m->allow_data_loss))
        wrong(d, "the operator's command orders no takeover");
    if (m->term >= r->term)
        wrong(d, "the operator's command was given later");
    else if (m->term + 1 != r->term)
        doubt(d, DOUBT_ORDER, "that the order was about this takeover: it was given in term %llu",
              (unsigned long long)m->term);
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

bool dossier_takes_over(const struct dossier *d)
{
    switch (d->kind) {
    case DOSSIER_FIRST:
    case DOSSIER_REFORMED:
    case DOSSIER_CHANGE: return false;
    case DOSSIER_FAILOVER:
    case DOSSIER_HANDOVER:
    case DOSSIER_RETURN: break;
    }
    return true;
}

bool dossier_voters_proven(const struct dossier *d)
{
    return d->doubt[DOUBT_VOTERS][0] == '\0';
}

bool dossier_former_proven(const struct dossier *d)
{
    return dossier_voters_proven(d) && d->doubt[DOUBT_FORMER][0] == '\0';
}

bool dossier_kind_proven(const struct dossier *d)
{
    return dossier_former_proven(d) && d->doubt[DOUBT_KIND][0] == '\0';
}

/* ---- what no signature of its own says ------------------------------------------------------------------------------ */

/* A quorum of the voters that are known must be among those who accepted: of the certificate from before if that is good and proven,
 * else of the first record.  A re-formation by the root makes those of older ballots worthless. */
static void hold_voters(struct dossier *d, const struct dossier *before, const struct cluster *c)
{
    const struct proposal *p = &d->certificate.proposal;
    const struct proposal *b = before == NULL ? NULL : &before->certificate.proposal;
    bool usable = b != NULL && before->valid && dossier_voters_proven(before) &&
                  b->record.version < p->record.version && ballot_epoch(b->ballot) == ballot_epoch(p->ballot);
    const struct record *known = usable ? &b->record : ballot_epoch(p->ballot) == 0 ? &c->first : NULL;
    uint32_t have = 0;
    for (int i = 0; known != NULL && i < d->certificate.n_accepted; i++) {
        int v = record_voter_index(known, d->certificate.accepted[i].who);
        have |= d->accepted_holds[i] && v >= 0 ? 1u << v : 0;
    }
    if (known == NULL)
        doubt(
            d, DOUBT_VOTERS,
            "that those who accepted it were the voters: the root has named others since the cluster file, and "
            "no proven certificate from after that is at hand");
    else if (!quorum_reached(&known->voters, have))
        doubt(d, DOUBT_VOTERS, "that those who accepted it were the voters: too few of them are voters in %s",
              usable ? "the certificate from before"
                     : "the cluster file, and no proven certificate from before is at hand");
}

/* Decided as well, and before this one: the certificate at hand if that is good, else the first record.  NULL: neither is of
 * this term or of the one before; then `why`, DOUBT_SIZE bytes, says what there is. */
static const struct record *record_before(const struct dossier *d, const struct dossier *before,
                                          const struct cluster *c, char *why)
{
    const struct record *r = &d->certificate.proposal.record;
    const struct record *one = before == NULL ? NULL : &before->certificate.proposal.record;
    if (before == NULL)
        snprintf(why, DOUBT_SIZE, "no certificate of term %llu is at hand", (unsigned long long)r->term - 1);
    else if (!before->valid)
        snprintf(why, DOUBT_SIZE, "the certificate from before does not hold, for %s", before->wrong);
    else if (!dossier_voters_proven(before))
        snprintf(why, DOUBT_SIZE, "the voters in the certificate from before are not proven");
    else if (one->version < r->version && (one->term == r->term || one->term + 1 == r->term))
        return one;
    else
        snprintf(why, DOUBT_SIZE, "the certificate from before is of term %llu, version %llu",
                 (unsigned long long)one->term, (unsigned long long)one->version);
    bool first = c->first.term == r->term || c->first.term + 1 == r->term;
    return first && c->first.version < r->version ? &c->first : NULL;
}

/* Of a term there is one primary, with one directory, until the next one begins. */
static void hold_former(struct dossier *d, const struct record *before, const struct cluster *c,
                        const char *why)
{
    const struct proposal *p = &d->certificate.proposal;
    if (before == NULL || before->term == p->record.term)
        doubt(d, DOUBT_FORMER, "who was the primary before: no signature says so, and %s",
              before == NULL ? why : "the certificate from before is of the same term");
    else if (p->why.former != before->primary)
        wrong(d, "the primary before was %s",
              before->primary == MEMBER_NONE ? "nobody" : cluster_member_name(c, before->primary));
    else if (p->why.former_dir != before->primary_dir)
        wrong(d, "the data directory of the primary before was another one");
}

/* Promises and seals name the ballot that they were made for, and no record.  The row of the history in which the record's own
 * timeline begins names the place where the chosen seal ends, and the WAL of a later takeover ends further on: so they are of
 * this term.  Its later records have the same row; the one that was proposed under that ballot is the takeover. */
static void hold_takeover(struct dossier *d, const struct record *before)
{
    const struct proposal *p = &d->certificate.proposal;
    const struct record *r = &p->record;
    const char *why = "";
    lsn_t begins = r->n_history == 0 ? 0 : r->history[r->n_history - 1].switch_lsn;
    bool next = before != NULL && before->term + 1 == r->term && before->version + 1 == r->version;
    if (ballot_cmp(p->why.built, p->ballot) > 0)
        wrong(d, "its promises and seals were given later");
    if (before != NULL && before->term == r->term)
        wrong(d, "version %llu of its term came before it", (unsigned long long)before->version);
    if (next && record_classify(before, r, &why) != CHANGE_TAKEOVER)
        wrong(d, "it is no takeover of the record before: %s", why);
    if (d->chosen < 0 || p->why.seals[d->chosen].sealed.lsn != begins)
        doubt(
            d, DOUBT_KIND,
            "that promises and seals are of this term: its timeline does not begin where the chosen seal ends");
    else if (ballot_cmp(p->why.built, p->ballot) != 0 && !next)
        doubt(d, DOUBT_KIND,
              "that this record was the takeover, and no later one of its term: it was proposed anew");
}

static bool bare(const struct justification *j)
{
    return !j->takeover && ballot_cmp(j->built, (struct ballot){0}) == 0 && j->former == MEMBER_NONE &&
           j->former_dir == 0 && j->n_promises == 0 && j->n_seals == 0 && !j->has_command;
}

/* A takeover from which everything was taken away looks like a change. */
static void hold_change(struct dossier *d, const struct record *before, const char *why)
{
    const struct record *r = &d->certificate.proposal.record;
    if (before == NULL)
        doubt(d, DOUBT_KIND,
              "that the primary changed it, and nobody took over: no signature says so, and %s", why);
    else if (before->term != r->term)
        doubt(
            d, DOUBT_KIND,
            "that the primary changed it, and nobody took over: it may well be the first record of term %llu",
            (unsigned long long)r->term);
}

/* `before`: verified; NULL: none is at hand. */
static void verify(struct dossier *d, const struct dossier *before, const struct cluster *cluster)
{
    char why[DOUBT_SIZE] = "";
    d->valid = true;
    d->chosen = -1;
    d->kind = kind_of(&d->certificate.proposal, cluster);
    verify_record(d, cluster);
    if (!dossier_takes_over(d) && !bare(&d->certificate.proposal.why))
        wrong(d, "it is no takeover, and shows promises, seals, an order or a primary before");
    switch (d->kind) {
    case DOSSIER_FIRST: /* cluster_load() has verified the root's signature over the very same bytes */
        if (d->certificate.n_accepted > 0)
            verify_accepted(d, cluster);
        return;
    case DOSSIER_REFORMED:
        verify_reformed(d, cluster);
        if (d->certificate.n_accepted > 0)
            wrong(d, "nobody accepts what the root decides");
        return;
    case DOSSIER_CHANGE:
        verify_accepted(d, cluster);
        hold_voters(d, before, cluster);
        hold_change(d, record_before(d, before, cluster, why), why);
        return;
    case DOSSIER_FAILOVER:
    case DOSSIER_HANDOVER:
    case DOSSIER_RETURN: {
        const struct record *last = record_before(d, before, cluster, why);
        verify_accepted(d, cluster);
        hold_voters(d, before, cluster);
        verify_command(d, cluster);
        verify_promises(d, cluster);
        hold_former(d, last, cluster, why);
        verify_seals(d, cluster);
        hold_takeover(d, last);
        return;
    }
    }
}

void dossier_verify(struct dossier *d, const struct certificate *before, int n, const struct cluster *cluster)
{
    static struct dossier of[2];
    const struct dossier *last = NULL;
    for (int i = n - 1; i >= 0; i--) {
        struct dossier *b = &of[i % 2];
        *b = (struct dossier){.certificate = before[i]};
        verify(b, last, cluster);
        last = b;
    }
    verify(d, last, cluster);
}

bool dossier_read(struct dossier *d, const uint8_t *bytes, size_t n, const struct certificate *before,
                  int n_before, const struct cluster *cluster)
{
    memset(d, 0, sizeof *d);
    if (!wire_get_decided(&d->certificate, bytes, n))
        return false;
    dossier_verify(d, before, n_before, cluster);
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
