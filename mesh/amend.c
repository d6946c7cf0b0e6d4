/* amend.c: an operator's changes of the record: durability, databases, voters (docs/protocol.md, "The
 * voters").
 *
 *   refused, or AMEND: wait for the moment -> propose -> decided -> NONE
 *
 * One change at a time, by the primary, under its lease; what the record may look like afterwards is checked by every
 * acceptor (policy/record.c).  Here stands what would be legal and yet stop the cluster, which is refused, and what has to
 * come first, which is waited for:
 *
 *   async -> sync, strict   the sync set: PostgreSQL waits for it, then one record names it together with the durability
 *   a database goes         no sync set lists it any more
 *   a voter comes or goes   a lease has passed since the voters last changed: the guard may hold a deadline that a quorum
 *                           of the voters before granted, and quorums are sure to meet over one change only */
#include "mesh/core_state.h"

#include <stdio.h>
#include <string.h>

/* Why not, for the answer. */
struct bar {
    const char *text, *hint;
    char detail[TEXT_SIZE * 2];
};

static bool wants_durability(enum command_kind kind, enum durability *d)
{
    *d = kind == COMMAND_STRICT ? DURABILITY_STRICT
         : kind == COMMAND_SYNC ? DURABILITY_SYNC
                                : DURABILITY_ASYNC;
    return kind == COMMAND_ASYNC || kind == COMMAND_SYNC || kind == COMMAND_STRICT;
}

enum durability amend_durability(const struct core *c)
{
    const struct record *r = decided(c);
    enum durability d;
    bool ordered = c->operation.phase == OPERATION_AMEND && wants_durability(c->operation.command.kind, &d);
    if (!ordered || r->durability != DURABILITY_ASYNC || (!r->joint && r->sync[0].n))
        return r->durability;
    return d;
}

member_id amend_leaving(const struct core *c)
{
    bool leaving =
        c->operation.phase == OPERATION_AMEND && c->operation.command.kind == COMMAND_MEMBER_REMOVE;
    return leaving ? c->operation.command.target : MEMBER_NONE;
}

/* ---- the record as ordered --------------------------------------------------------------------------------------------- */

static void voter_add(const struct core *c, struct record *r, member_id id)
{
    const struct member *m = member_of(c, id);
    struct voter *v = &r->voters.v[r->voters.n++];
    memset(v, 0, sizeof *v);
    v->id = id;
    memcpy(v->site, m->site, sizeof v->site);
    memcpy(v->key, m->key, sizeof v->key);
    v->epoch = (uint32_t)r->version; /* higher than any that this member may have voted under before */
}

static void voter_drop(struct record *r, member_id id)
{
    int i = record_voter_index(r, id);
    if (i < 0)
        return;
    for (r->voters.n--; i < r->voters.n; i++)
        r->voters.v[i] = r->voters.v[i + 1];
    memset(&r->voters.v[i], 0, sizeof r->voters.v[i]);
}

static void database_drop(struct record *r, member_id id)
{
    unsigned i = 0;
    while (i < r->n_databases && r->databases[i] != id)
        i++;
    if (i == r->n_databases)
        return;
    for (r->n_databases--; i < r->n_databases; i++)
        r->databases[i] = r->databases[i + 1];
    r->databases[i] = MEMBER_NONE;
    if (r->switchover_from != id && r->switchover_to != id)
        return;
    r->switchover_from = r->switchover_to = MEMBER_NONE; /* left over: none is under way */
    r->switchover_deadline_ms = 0;
}

/* The decided record with the change that the command asks for; barred() has found it possible. */
static struct record amended(const struct core *c, const struct command *m)
{
    struct record r = *decided(c);
    enum durability d;
    r.version++;
    if (wants_durability(m->kind, &d))
        r.durability = d;
    if (m->kind == COMMAND_DATABASE_ADD)
        r.databases[r.n_databases++] = m->target;
    if (m->kind == COMMAND_VOTE_GIVE)
        voter_add(c, &r, m->target);
    if (m->kind == COMMAND_VOTE_TAKE || m->kind == COMMAND_MEMBER_REMOVE)
        voter_drop(&r, m->target);
    if (m->kind == COMMAND_MEMBER_REMOVE)
        database_drop(&r, m->target);
    return r;
}

/* Does the decided record say so already? */
static bool fulfilled(const struct core *c, const struct command *m)
{
    const struct record *r = decided(c);
    bool votes = record_voter(r, m->target) != NULL, database = record_is_database(r, m->target);
    enum durability d;
    if (wants_durability(m->kind, &d))
        return r->durability == d;
    if (m->kind == COMMAND_DATABASE_ADD)
        return database;
    if (m->kind == COMMAND_VOTE_GIVE)
        return votes;
    return !votes && (m->kind == COMMAND_VOTE_TAKE || !database);
}

/* ---- what is refused ---------------------------------------------------------------------------------------------------- */

static bool bars(struct bar *b, const char *text, const char *hint)
{
    b->text = text;
    b->hint = hint;
    return true;
}

/* Heard, and voting; or, for one that shall vote, level with us and granting what we ask for. */
static bool answers(const struct core *c, member_id id)
{
    int i = member_index(c, id);
    const struct heartbeat *h = i < 0 ? NULL : &c->peers[i].beat;
    if (i == c->self_index)
        return may_vote(c);
    if (h == NULL || !peer_fresh(c, i, span_ms(c->set.lease_ms)))
        return false;
    return record_voter(decided(c), id) ? h->votes
                                        : !h->lost && ballot_cmp(h->decided, decided_ballot(c)) == 0;
}

static bool voters_barred(const struct core *c, const struct voters *want, struct bar *b)
{
    uint32_t have = 0;
    int n = 0;
    for (int i = 0; i < want->n; i++)
        if (answers(c, want->v[i].id)) {
            have |= 1u << i;
            n++;
        }
    if (want->n && quorum_reached(want, have))
        return false;
    snprintf(b->detail, sizeof b->detail, "Of the %d voters that would be left %d answer: no quorum.",
             want->n, n);
    return bars(b, want->n ? "too few voters would be left" : "the last voter cannot be removed",
                "Bring voters back first, or give the vote to others that are alive.");
}

static bool vote_barred(const struct core *c, const struct command *m, struct bar *b)
{
    const struct member *who = member_of(c, m->target);
    if (who->role != ROLE_DATABASE && who->role != ROLE_WITNESS)
        return bars(b, "observers and operators never vote", "");
    if (decided(c)->voters.n == VOTERS_MAX) {
        snprintf(b->detail, sizeof b->detail, "There are %d, the most that there may be.", VOTERS_MAX);
        return bars(b, "there are too many voters", "Take the vote from another first.");
    }
    if (!answers(c, m->target)) {
        int i = member_index(c, m->target);
        snprintf(b->detail, sizeof b->detail, "%s",
                 !peer_fresh(c, i, span_ms(c->set.lease_ms)) ? "It is not heard by the primary."
                 : c->peers[i].beat.lost                     ? "It has lost its store."
                                                             : "It does not know the newest record yet.");
        return bars(b, "the member is not fit to vote",
                    "Start it, and wait until \"pgmesh status\" calls it up.");
    }
    return false;
}

static bool durability_barred(const struct core *c, const struct command *m, struct bar *b)
{
    const struct record *r = decided(c);
    int streaming = syncset_streaming(c, MEMBER_NONE);
    int needed = m->kind == COMMAND_STRICT ? c->set.sync_standbys : m->kind == COMMAND_SYNC ? 1 : 0;
    if (m->kind != COMMAND_ASYNC && r->durability == DURABILITY_STRICT)
        return false; /* weaker */
    if (streaming >= needed)
        return false;
    snprintf(b->detail, sizeof b->detail, "%d stream%s from the primary, and %d %s to confirm each commit.",
             streaming, streaming == 1 ? "s" : "", needed, needed == 1 ? "is" : "are");
    return bars(b, "too few standbys", "\"pgmesh status\" shows what each of them does.");
}

static bool listed(const struct record *r, member_id id)
{
    return sync_set_find(&r->sync[0], id) || (r->joint && sync_set_find(&r->sync[1], id));
}

static bool removal_barred(const struct core *c, const struct command *m, struct bar *b)
{
    const struct record *r = decided(c);
    struct record want = amended(c, m);
    bool votes = record_voter(r, m->target) != NULL;
    if (m->target == r->primary)
        return bars(b,
                    m->kind == COMMAND_VOTE_TAKE ? "the primary's vote cannot be taken"
                                                 : "the primary cannot be removed",
                    "Switch over to another database first.");
    if (votes && voters_barred(c, &want.voters, b))
        return true;
    if (r->durability == DURABILITY_STRICT && record_is_database(r, m->target) &&
        !record_is_database(&want, m->target) && want.n_databases <= c->set.sync_standbys) {
        snprintf(b->detail, sizeof b->detail, "Durability is strict, and each commit waits for %u of them.",
                 (unsigned)c->set.sync_standbys);
        return bars(b, "too few standbys would be left",
                    "Add another database first, or \"pgmesh durability sync\".");
    }
    if (m->kind == COMMAND_VOTE_TAKE || !listed(r, m->target) || r->durability == DURABILITY_ASYNC)
        return false;
    int needed = r->durability == DURABILITY_STRICT ? c->set.sync_standbys : 1;
    if (syncset_streaming(c, m->target) >= needed)
        return false;
    return bars(b, "no standby would be left to confirm commits",
                "Add another database first, or \"pgmesh durability async\".");
}

/* What stands in the way now, and would not go away by itself. */
static bool barred(const struct core *c, const struct command *m, struct bar *b)
{
    const struct member *who = member_of(c, m->target);
    enum durability d;
    memset(b, 0, sizeof *b);
    if (wants_durability(m->kind, &d))
        return durability_barred(c, m, b);
    if (m->kind == COMMAND_VOTE_TAKE || m->kind == COMMAND_MEMBER_REMOVE)
        return removal_barred(c, m, b);
    if (who == NULL)
        return bars(b, "the primary does not know the member",
                    "Its certificate reaches all members within a second; try again.");
    if (m->kind == COMMAND_DATABASE_ADD) {
        if (who->role != ROLE_DATABASE)
            return bars(b, "the member is no database", "");
        return decided(c)->n_databases == DATABASES_MAX && bars(b, "there are too many databases", "");
    }
    if (vote_barred(c, m, b))
        return true;
    struct record want = amended(c, m);
    return voters_barred(c, &want.voters, b);
}

/* ---- step by step -------------------------------------------------------------------------------------------------------- */

/* What has to come first, or NULL.  The guard's deadline was told under the voters of then; no grant is longer than the
 * longest lease. */
static const char *awaited(const struct core *c, const struct command *m)
{
    const struct record *r = decided(c);
    instant passed = instant_add(c->voters_changed, span_ms(c->disk.lease_ms_max));
    enum durability d;
    bool durability = wants_durability(m->kind, &d);
    bool of_voters = m->kind == COMMAND_VOTE_GIVE || record_voter(r, m->target) != NULL;
    if (!durability && m->kind != COMMAND_DATABASE_ADD && of_voters && !instant_due_all(c->now, passed))
        return "the voters have changed a moment ago";
    if (m->kind == COMMAND_MEMBER_REMOVE && listed(r, m->target))
        return "the sync set still lists it";
    if (durability && m->kind != COMMAND_ASYNC && r->joint)
        return "the sync set is changing";
    if (durability && m->kind != COMMAND_ASYNC && r->durability == DURABILITY_ASYNC)
        return "the sync set is not formed"; /* syncset.c proposes it, durability and all */
    if (m->kind == COMMAND_STRICT && r->sync[0].k < c->set.sync_standbys)
        return "the sync set is too small";
    return c->disk.has_own || c->proposer.phase != PROPOSER_IDLE ? "another change is under way" : NULL;
}

static const char *done_text(enum command_kind kind)
{
    switch (kind) {
    case COMMAND_ASYNC: return "durability is async: commits are acknowledged before a standby has them";
    case COMMAND_SYNC: return "durability is sync";
    case COMMAND_STRICT: return "durability is strict";
    case COMMAND_DATABASE_ADD: return "the cluster has one more database";
    case COMMAND_VOTE_GIVE: return "the member votes";
    case COMMAND_VOTE_TAKE: return "the member votes no more";
    case COMMAND_MEMBER_REMOVE: return "the member is in the record no more";
    case COMMAND_SWITCHOVER:
    case COMMAND_FAILOVER:
    case COMMAND_PAUSE:
    case COMMAND_RESUME:
    case COMMAND_READMIT:
    case COMMAND_REINIT: break;
    }
    return "done";
}

void amend(struct core *c, const struct command *m, member_id from)
{
    struct bar b;
    operate_begin(c, OPERATION_AMEND, m, from);
    if (fulfilled(c, m))
        operate_finish(c, true, done_text(m->kind), "It was so already.", "");
    else if (barred(c, m, &b))
        operate_finish(c, false, b.text, b.detail, b.hint);
}

void amend_drive(struct core *c)
{
    const struct command m = c->operation.command;
    struct bar b;
    if (decided(c)->term != m.term || !is_primary(c)) {
        operate_finish(c, false, "another member took over", "The change was not made, or is yet to be seen.",
                       "\"pgmesh status\" shows the record; give the command again.");
        return;
    }
    if (fulfilled(c, &m)) {
        operate_finish(c, true, done_text(m.kind), "", "");
        return;
    }
    const char *first = awaited(c, &m);
    if (instant_elapsed_most(c->now, c->operation.started).ns > span_ms(c->set.switchover_timeout_ms).ns) {
        snprintf(b.detail, sizeof b.detail, "Until now %s.", first ? first : "too few voters answer");
        operate_finish(c, false, "the change was not made in time", b.detail,
                       "Should it be decided yet, \"pgmesh status\" shows it.");
        return;
    }
    if (first || !lease_held(c))
        return;
    if (barred(c, &m, &b)) {
        operate_finish(c, false, b.text, b.detail, b.hint);
        return;
    }
    struct record want = amended(c, &m);
    const char *why = "";
    if (record_classify(decided(c), &want, &why) !=
        CHANGE_KEEP) { /* written down as our own, it would never be decided */
        operate_finish(c, false, "the record cannot be changed so", why, "");
        return;
    }
    propose_change(c, &want);
}
