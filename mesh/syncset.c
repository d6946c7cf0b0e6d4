/* syncset.c: upkeep of the sync set by the primary (docs/protocol.md, "The sync set").
 *
 *   old --decided--> joint(old, new) --PostgreSQL set to new, in force, k of new past that LSN--> new
 *                          |--PostgreSQL set to old again, in force, k of old past that LSN--> old
 *   any --decided, under sync only--> empty --PostgreSQL set to nobody
 *
 * Anything weaker is decided in the record before PostgreSQL is weakened.  While a proposal is undecided, the setting
 * does not change.  Every member of a set is a (member, data directory): a re-cloned standby is another one. */
#include "mesh/core_state.h"

#include <string.h>

enum { SETTLE_MS = 200, ORDER_MS = 5000, LAG_MAX = 16 << 20, STALLS = 5 /* times standby_timeout */ };

static const struct pg_standby *standby_row(const struct core *c, member_id id)
{
    int i = member_index(c, id);
    for (int k = 0; k < c->sample.n_standbys; k++) {
        const struct pg_standby *s = &c->sample.standbys[k];
        if (s->id == id && s->streaming && i >= 0 && s->dir != 0 && s->dir == c->peers[i].beat.pg.dir)
            return s;
    }
    return NULL;
}

/* Which standbys pass, sooner or later, what we had written when they were last looked at?  One whose link or disk keeps
 * failing may look as if it were streaming, and confirm nothing for ever. */
static void marks_note(struct core *c, int i)
{
    struct upkeep *u = &c->upkeep;
    const struct pg_standby *row = standby_row(c, decided(c)->databases[i]);
    bool serving = c->sample.phase == PG_PRIMARY && c->sample.answering && !c->sample.frozen;
    if (serving && !instant_is_never(u->marked[i]) && (!row || row->flush_lsn < u->mark[i]))
        return;
    u->mark[i] = c->sample.lsn;
    u->marked[i] = c->now;
}

/* A host that vanished sends no reset: its walsender goes on "streaming" until a time limit of its own (5 s).  So one that
 * confirms nothing and is not heard over its own link either is gone as soon as one that does not stream: what others pass on
 * of it says that it is alive, and not that WAL finds a way to it. */
static bool stalled(const struct core *c, int i)
{
    int64_t timeout_ms = c->set.standby_timeout_ms;
    int m = member_index(c, decided(c)->databases[i]);
    bool heard = m >= 0 && peer_fresh(c, m, span_ms(timeout_ms)) &&
                 instant_elapsed_most(c->now, c->peers[m].direct).ns <= span_ms(timeout_ms).ns;
    instant since = c->upkeep.marked[i];
    return !instant_is_never(since) &&
           instant_elapsed_least(c->now, since).ns > span_ms(heard ? STALLS * timeout_ms : timeout_ms).ns;
}

/* Notes since when each database has been streaming, or gone. */
void syncset_sampled(struct core *c)
{
    struct upkeep *u = &c->upkeep;
    for (int i = 0; i < decided(c)->n_databases; i++) {
        marks_note(c, i);
        bool up = standby_row(c, decided(c)->databases[i]) != NULL;
        if (up == u->up[i] && !instant_is_never(u->since[i]))
            continue;
        u->up[i] = up;
        u->since[i] = c->now;
    }
}

void syncset_databases(struct core *c)
{
    struct upkeep *u = &c->upkeep;
    for (int i = 0; i < DATABASES_MAX; i++) {
        bool listed = i < decided(c)->n_databases;
        u->up[i] = listed && standby_row(c, decided(c)->databases[i]) != NULL;
        u->since[i] = u->marked[i] = c->now;
        u->mark[i] = c->sample.lsn;
    }
}

int syncset_streaming(const struct core *c, member_id but)
{
    int n = 0;
    for (int i = 0; i < decided(c)->n_databases; i++) {
        member_id id = decided(c)->databases[i];
        n += id != but && id != c->self && standby_row(c, id) != NULL;
    }
    return n;
}

static bool wanted(const struct core *c, int i, const struct sync_set *now)
{
    member_id id = decided(c)->databases[i];
    const struct pg_standby *row = standby_row(c, id);
    const struct sync_member *listed = sync_set_find(now, id);
    int64_t ms = span_to_ms(instant_elapsed_least(c->now, c->upkeep.since[i]));
    if (id == c->self || id == amend_leaving(c) || stalled(c, i))
        return false;
    if (!row)
        return listed && ms < c->set.standby_timeout_ms;
    if (listed && listed->dir == row->dir)
        return true;
    int m = member_index(c, id); /* a copy that is not consistent yet could not be sealed */
    if (m < 0 || c->peers[m].beat.pg.phase != PG_RECOVERY)
        return false;
    return ms >= SETTLE_MS && row->flush_lsn + LAG_MAX >= c->sample.lsn;
}

/* The set that the standbys seen now deserve; false when it should stay as it is. */
static bool desired(const struct core *c, struct sync_set *want)
{
    const struct record *r = decided(c);
    const struct sync_set *now = &r->sync[0];
    enum durability durability = amend_durability(c);
    memset(want, 0, sizeof *want);
    for (int i = 0; durability != DURABILITY_ASYNC && i < r->n_databases; i++) {
        if (!wanted(c, i, now))
            continue;
        const struct pg_standby *row = standby_row(c, r->databases[i]);
        if (!row)
            return false; /* gone for a moment: it comes back or goes, but no joint names what is not streaming */
        sync_set_add(want, r->databases[i], row->dir);
    }
    want->k = want->n < c->set.sync_standbys ? want->n : c->set.sync_standbys;
    if (durability == DURABILITY_STRICT && (want->n == 0 || want->k < c->set.sync_standbys))
        return false;
    return !sync_set_equal(want, now);
}

static const struct sync_set *target(const struct core *c)
{
    const struct record *r = decided(c);
    return r->joint && !c->upkeep.backwards ? &r->sync[1] : &r->sync[0];
}

struct sync_set syncset_setting(const struct core *c, const struct record *r)
{
    struct sync_set s = r->joint && !c->upkeep.backwards ? r->sync[1] : r->sync[0];
    if (s.n == 0 && r->durability == DURABILITY_STRICT)
        s.k = 1;
    return s;
}

static void order(struct core *c)
{
    const struct sync_set set = syncset_setting(c, decided(c));
    const struct record *r = decided(c);
    struct upkeep *u = &c->upkeep;
    struct pg_sync_order *o = &c->sync_order;
    uint64_t seq = o->seq + 1;
    bool maybe_empty =
        u->known ? u->in_pg.k == 0 : r->joint && r->sync[0].n == 0 && r->durability != DURABILITY_STRICT;
    memset(o, 0, sizeof *o);
    o->seq = seq;
    o->set = set;
    o->from_empty = set.k && maybe_empty;
    for (int k = 0; k <= (r->joint ? 1 : 0); k++)
        for (int i = 0; i < r->sync[k].n; i++)
            o->before[o->n_before++] = r->sync[k].m[i];
    u->known = false;
    u->running = true;
    u->ordered = c->now;
    u->in_pg = set;
    effect_add(c, EFFECT_SYNC)->sync = *o;
}

/* Follows the order under way; true once PostgreSQL runs with the target, in force. */
static bool in_force(struct core *c)
{
    struct upkeep *u = &c->upkeep;
    if (u->running && c->sample.sync_seq == c->sync_order.seq && c->sample.sync_progress != PG_GOAL_RUNNING) {
        u->running = false;
        u->known = c->sample.sync_progress == PG_GOAL_REACHED;
        u->in_force = c->sample.sync_lsn;
    }
    if (u->running && instant_elapsed_most(c->now, u->ordered).ns > span_ms(ORDER_MS).ns)
        u->running = false;
    if (u->running)
        return false;
    const struct sync_set want = syncset_setting(c, decided(c));
    if (u->known && sync_set_equal(&u->in_pg, &want))
        return true;
    if (!u->known && !instant_is_never(u->ordered) &&
        instant_elapsed_most(c->now, u->ordered).ns < span_ms(SETTLE_MS).ns)
        return false;
    order(c);
    return false;
}

static bool caught_up(const struct core *c, const struct sync_set *set)
{
    int n = sync_set_find(set, c->self) ? 1 : 0;
    for (int i = 0; i < set->n; i++) {
        const struct pg_standby *row = standby_row(c, set->m[i].id);
        if (row && row->dir == set->m[i].dir && row->flush_lsn >= c->upkeep.in_force)
            n++;
    }
    return n >= set->k;
}

/* Are k of that set here, with the directories that it lists?  Those re-cloned since are others. */
static bool satisfiable(const struct core *c, const struct sync_set *set)
{
    int n = sync_set_find(set, c->self) ? 1 : 0;
    for (int i = 0; i < set->n; i++) {
        const struct pg_standby *row = standby_row(c, set->m[i].id);
        if (row && row->dir == set->m[i].dir)
            n++;
    }
    return set->n && n >= set->k;
}

static void leave_joint(struct core *c, const struct sync_set *to)
{
    struct record want = *decided(c);
    struct sync_set only = *to;
    want.version++;
    /* Out of async only with the set that this joint has led to: before, nothing was protected. */
    if (want.durability == DURABILITY_ASYNC && only.n && to == &decided(c)->sync[1])
        want.durability = amend_durability(c);
    want.joint = false;
    want.sync[0] = only;
    memset(&want.sync[1], 0, sizeof want.sync[1]);
    if (propose_change(c, &want))
        c->upkeep.backwards = false;
}

/* A joint that cannot go on: nobody of the new set is left.  Back to the old one; or, when that cannot be either and the
 * durability allows it, to nobody. */
static void joint_stuck(struct core *c)
{
    struct upkeep *u = &c->upkeep;
    const struct sync_set nobody = {0};
    if (instant_is_never(u->turned))
        u->turned = c->now;
    int64_t ms = span_to_ms(instant_elapsed_least(c->now, u->turned));
    if (ms < 2 * (int64_t)c->set.standby_timeout_ms || MUTANT(JOINT_NO_WAY_BACK))
        return;
    bool hope = satisfiable(c, &decided(c)->sync[0]) || satisfiable(c, &decided(c)->sync[1]);
    bool another =
        false; /* strict: commits go on waiting, so this is only a step towards a set that can confirm */
    for (int i = 0; i < decided(c)->n_databases; i++)
        another |= standby_row(c, decided(c)->databases[i]) != NULL;
    if (!hope && (another || decided(c)->durability == DURABILITY_SYNC)) {
        event_say(c, "+sync-empty", "no listed standby is left: only this primary may come back by itself");
        leave_joint(c, &nobody);
    } else if (u->backwards || decided(c)->sync[0].n) {
        u->backwards = !u->backwards;
        u->turned = c->now;
        u->running = false;
        order(c);
    }
}

static void change_set(struct core *c)
{
    struct sync_set want;
    if (!desired(c, &want))
        return;
    struct record r = *decided(c);
    r.version++;
    if (want.n == 0 || MUTANT(SYNC_WITHOUT_JOINT)) {
        r.sync[0] = want;
        if (want.n == 0)
            event_say(c, "+sync-empty", "no standby is left: only this primary may come back by itself");
    } else {
        r.joint = true;
        r.sync[1] = want;
    }
    if (propose_change(c, &r))
        c->upkeep.backwards = false;
}

void syncset_drive(struct core *c)
{
    const struct record *r = decided(c);
    if (!lease_held(c) || c->sample.phase != PG_PRIMARY || c->sample.frozen || !c->sample.answering)
        return;
    /* A checkpoint may be long, and what was announced so far is nothing. */
    bool busy = c->operation.phase != OPERATION_NONE && c->operation.phase != OPERATION_AMEND &&
                c->operation.phase != OPERATION_CHECKPOINT;
    if (c->proposer.phase != PROPOSER_IDLE || c->disk.has_own || busy)
        return;
    if (r->system_id == 0 || c->sample.timeline != r->timeline)
        return;
    bool force = in_force(c);
    if (!r->joint) {
        c->upkeep.turned = instant_never();
        c->upkeep.backwards = false;
        if (force)
            change_set(c);
        return;
    }
    if ((force && caught_up(c, target(c))) || MUTANT(JOINT_NO_CATCHUP))
        leave_joint(c, target(c));
    else
        joint_stuck(c);
}
