/* goals.c: what PostgreSQL should be doing, out of the decided record and what the hand reports (docs/protocol.md,
 * "What PostgreSQL is told", "Restart", and "Takeover and seals", steps 3, 6 and 7).
 *
 * Nobody acts on a record before it is decided.  The goals in order of precedence, for a database:
 *   the record's primary:  given up or failing -> DOWN; switching over -> SHUTDOWN; no lease -> KEEP (the guard holds the
 *                          deadline); INIT, PRIMARY or PROMOTE by what the record and the data directory say
 *   any other:             sealed for a ballot above the record -> SEAL; still a primary -> DOWN; then by lineage FOLLOW,
 *                          REWIND or CLONE; where the end of the local WAL is not known, SEAL first to learn it */
#include "mesh/core_state.h"

#include <string.h>

enum { RETRY_MS = 2000 };

/* ---- samples ----------------------------------------------------------------------------------------------------------- */

static dir_id draw(const struct core *c, uint64_t salt)
{
    dir_id d = (c->entropy + salt) * 0x9E3779B97F4A7C15u;
    d ^= d >> 29;
    return d ? d : 1;
}

/* A copy or rewind has finished: its directory gets the id that was drawn for it.  One that failed is copied whole. */
static void rebuilt(struct core *c)
{
    bool building = c->goal.kind == GOAL_REWIND || c->goal.kind == GOAL_CLONE;
    if (!building || c->sample.goal_seq != c->goal.seq || c->disk.dir_next == 0)
        return;
    if (c->sample.progress == PG_GOAL_REACHED) {
        c->disk.dir = c->disk.dir_next;
        c->disk.dir_next = 0;
        c->reclone = false;
        store(c);
    } else if (c->sample.progress == PG_GOAL_FAILED && c->goal.kind == GOAL_REWIND) {
        c->reclone = true;
    }
}

/* Data of this cluster that has no id yet: an adopted standby, or one whose store was lost.  It gets a new one, and so
 * counts in no sync set until a change has admitted it.  A server that still starts is included: a copy whose source has
 * died before it was consistent waits for another upstream, which only a directory with an id is given. */
static void adopt(struct core *c)
{
    const struct pg_sample *s = &c->sample;
    if (c->disk.dir != 0 || c->disk.dir_next != 0 || c->reclone)
        return;
    if (is_primary(c) && c->disk.released_term < decided(c)->term)
        return;
    if (decided(c)->system_id == 0 || s->system_id != decided(c)->system_id)
        return;
    if (s->phase != PG_DOWN && s->phase != PG_STARTING && s->phase != PG_RECOVERY)
        return;
    c->disk.dir = draw(c, 1);
    store(c);
}

/* A directory of another cluster is left alone, and said to be. */
static void foreign_tell(struct core *c)
{
    uint64_t ours = decided(c)->system_id, found = c->sample.system_id;
    bool foreign = ours != 0 && found != 0 && found != ours;
    if (foreign && c->foreign != found)
        event_say(
            c, "+foreign-directory",
            "the data directory belongs to another cluster (system identifier %llu, not %llu): it is not touched",
            (unsigned long long)found, (unsigned long long)ours);
    c->foreign = foreign ? found : 0;
}

void on_sample(struct core *c, const struct pg_sample *s)
{
    enum pg_phase before = c->sample.phase;
    enum pooler_state pooler = c->sample.pooler;
    c->sample = *s;
    c->sampled = c->now;
    if (pooler != s->pooler)
        c->beat_now = true;
    if (before != s->phase) {
        if (is_primary(c) && before != PG_NONE)
            c->hold.fine = c->now;
        c->beat_now = true;
    }
    notice_sample(c);
    if (c->role != ROLE_DATABASE)
        return;
    notice_followers(c);
    rebuilt(c);
    adopt(c);
    foreign_tell(c);
    if (is_primary(c))
        syncset_sampled(c);
}

/* ---- the goal ------------------------------------------------------------------------------------------------------------ */

/* The record that may be acted on. */
static const struct record *acting(const struct core *c)
{
    if (MUTANT(PROMOTE_UNDECIDED) || MUTANT(FOLLOW_UNDECIDED))
        return &c->disk.accepted.record;
    return decided(c);
}

static bool sealed_above(const struct core *c)
{
    if (MUTANT(FOLLOW_UNDECIDED))
        return c->sealing.active && ballot_cmp(c->disk.accepted.ballot, c->sealing.ballot) < 0;
    return c->sealing.active || ballot_cmp(c->disk.sealed_for, decided_ballot(c)) > 0;
}

static void goal_primary(struct core *c, const struct record *r, struct pg_goal *g)
{
    bool allowed = lease_held(c) || (MUTANT(PROMOTE_UNDECIDED) && r != decided(c));
    bool own = c->disk.dir == r->primary_dir || MUTANT(SERVE_OTHER_DIR);
    g->upstream = MEMBER_NONE;
    g->term = r->term;
    g->timeline = r->timeline;
    g->not_after = c->hold.until;
    g->sync = syncset_setting(c, r);
    g->checkpoint = switchover_checkpointing(c);
    for (int i = 0; i < r->n_databases; i++)
        if (r->databases[i] != c->self)
            g->slots[g->n_slots++] = r->databases[i];
    if (c->disk.released_term >= r->term)
        g->kind = sealed_above(c) ? GOAL_SEAL : GOAL_DOWN;
    else if (c->hold.failing || !own)
        g->kind = GOAL_DOWN;
    else if (switchover_stopping(c))
        g->kind = GOAL_SHUTDOWN;
    else if (!allowed)
        g->kind = GOAL_KEEP;
    else if (r->system_id == 0)
        g->kind = GOAL_INIT;
    else if (c->disk.served_term == r->term ||
             (c->sample.timeline == r->timeline && c->sample.phase != PG_RECOVERY &&
              c->sample.phase != PG_PROMOTING))
        g->kind = GOAL_PRIMARY;
    else
        g->kind = GOAL_PROMOTE;
}

/* A copy needs a primary that is writable under its lease, not one that applications may use already: a strict cluster
 * is ready only once it has a standby. */
static bool upstream_writable(const struct core *c, const struct record *r)
{
    int i = member_index(c, r->primary);
    const struct heartbeat *h = i < 0 ? NULL : &c->peers[i].beat;
    return h && peer_fresh(c, i, span_ms(4 * (int64_t)c->set.lease_ms)) && h->decided_term == r->term &&
           h->request_term == r->term && h->pg.phase == PG_PRIMARY && h->pg.timeline == r->timeline;
}

/* Under a new id, drawn and stored before the old contents are touched. */
static void rebuild(struct core *c, struct pg_goal *g, enum pg_goal_kind kind)
{
    if (c->disk.dir_next == 0) {
        c->disk.dir_next = draw(c, 2);
        if (MUTANT(RECLONED_COUNTS) && c->disk.dir)
            c->disk.dir_next = c->disk.dir;
        c->disk.dir = 0;
        store(c);
    }
    g->kind = kind;
    g->dir = c->disk.dir_next;
}

/* Is the end of the local WAL known?  A stopped server that was not shut down cleanly knows it only after replay; on the
 * record's newest timeline it does not matter. */
static bool end_known(const struct core *c, const struct record *r)
{
    const struct pg_sample *s = &c->sample;
    if (s->timeline == r->timeline && s->timeline != 0)
        return true;
    if (s->phase == PG_RECOVERY)
        return c->goal.kind != GOAL_SEAL || (s->goal_seq == c->goal.seq && s->sealed);
    if (s->phase != PG_DOWN || s->lsn == 0)
        return false;
    /* The WAL of one that crashed goes at least so far.  Past the fork by that, PostgreSQL may not start on it at all: what it must
     * replay to be consistent is not on the newest timeline that it knows. */
    return s->clean || lineage_join(r, s->timeline, s->lsn) == JOIN_REWIND;
}

/* A receiver connected to the record's primary, by the goal in force, proves the lineage; a sample taken in the middle
 * of the switch from one timeline to the next does not disprove it. */
static bool streams_already(const struct core *c, const struct record *r)
{
    return c->goal.kind == GOAL_FOLLOW && c->goal.term == r->term && c->goal.upstream == r->primary &&
           c->sample.goal_seq == c->goal.seq && c->sample.phase == PG_RECOVERY &&
           c->sample.upstream == r->primary;
}

/* Our directory stands in a sync set.  Its WAL may end beyond the fork, and a receiver begins by reporting that end: to
 * the primary, as WAL of its own that was flushed here.  So whether it may follow is found out first. */
static bool counted(const struct core *c, const struct record *r)
{
    for (int k = 0; k <= (r->joint ? 1 : 0); k++) {
        const struct sync_member *m = sync_set_find(&r->sync[k], c->self);
        if (m && m->dir == c->disk.dir)
            return true;
    }
    return false;
}

static void goal_standby(struct core *c, const struct record *r, struct pg_goal *g)
{
    const struct pg_sample *s = &c->sample;
    bool rebuilding = (c->goal.kind == GOAL_REWIND || c->goal.kind == GOAL_CLONE) &&
                      c->goal.upstream == r->primary && c->goal.term == r->term && c->disk.dir_next != 0;
    bool torn = s->phase == PG_BROKEN && s->confirmed_dead &&
                s->system_id == r->system_id; /* a rewind was cut short */
    g->term = r->term;
    g->timeline = r->timeline;
    g->upstream = r->primary;
    if (s->phase == PG_NONE || r->primary == MEMBER_NONE || r->system_id == 0) {
        g->kind = GOAL_KEEP;
    } else if (s->phase == PG_PRIMARY || s->phase == PG_PROMOTING ||
               (c->goal.kind == GOAL_DOWN && !s->confirmed_dead && s->phase != PG_RECOVERY)) {
        g->kind = GOAL_DOWN; /* a primary of another term: before anything else */
    } else if (c->disk.dir != 0 && sealed_above(c) && s->phase != PG_ABSENT) {
        g->kind = GOAL_SEAL;
    } else if (reform_in_force(c)) {
        g->kind = GOAL_KEEP; /* a takeover comes, by seals */
    } else if (!c->vouched) {
        g->kind =
            GOAL_KEEP; /* a store that was rolled back may have forgotten a seal: nothing is followed on its word */
    } else if (!record_is_database(r, c->self)) {
        g->kind = s->phase == PG_ABSENT ? GOAL_KEEP : GOAL_SHUTDOWN; /* taken out, or not taken in yet */
    } else if (rebuilding && !(c->reclone && c->goal.kind == GOAL_REWIND)) {
        g->kind = c->goal.kind;
        g->dir = c->disk.dir_next;
    } else if (s->phase == PG_ABSENT || torn || c->reclone || c->disk.dir == 0) {
        g->kind = GOAL_KEEP;
        if (upstream_writable(c, r) && (s->phase == PG_ABSENT || torn || c->reclone || c->disk.dir_next != 0))
            rebuild(c, g, GOAL_CLONE);
    } else if (s->system_id != r->system_id) {
        g->kind = GOAL_KEEP; /* a foreign data directory: never touched */
    } else if (streams_already(c, r)) {
        g->kind = GOAL_FOLLOW;
    } else if (s->phase == PG_STARTING && upstream_writable(c, r) && !counted(c, r)) {
        g->kind =
            GOAL_FOLLOW; /* a copy is consistent only with WAL that its source had: it may need an upstream to start */
    } else if (!end_known(c, r)) {
        g->kind = GOAL_SEAL;
    } else {
        switch (lineage_join(r, s->timeline, s->lsn)) {
        case JOIN_FOLLOW: g->kind = GOAL_FOLLOW; break;
        case JOIN_REWIND:
        case JOIN_CLONE:
            g->kind = GOAL_SEAL;
            if (upstream_writable(c, r))
                rebuild(c, g, lineage_join(r, s->timeline, s->lsn) == JOIN_REWIND ? GOAL_REWIND : GOAL_CLONE);
            break;
        }
    }
}

static bool same_goal(const struct pg_goal *a, const struct pg_goal *b)
{
    return a->kind == b->kind && a->term == b->term && a->timeline == b->timeline && a->dir == b->dir &&
           a->upstream == b->upstream && a->checkpoint == b->checkpoint && a->n_slots == b->n_slots &&
           memcmp(a->slots, b->slots, sizeof a->slots) == 0;
}

/* The order to start or promote was given under a lease that has been renewed since, and the hand has not begun: by
 * not_after it may not begin any more. */
static bool outlived(const struct core *c)
{
    const struct pg_goal *g = &c->goal;
    const struct pg_sample *s = &c->sample;
    bool starts = g->kind == GOAL_PRIMARY || g->kind == GOAL_PROMOTE || g->kind == GOAL_INIT;
    bool waits = s->phase == PG_DOWN || s->phase == PG_RECOVERY || s->phase == PG_ABSENT;
    return starts && waits && lease_held(c) && !instant_is_never(g->not_after) &&
           instant_due_any(c->now, g->not_after) && (s->goal_seq != g->seq || s->progress == PG_GOAL_RUNNING);
}

static void goal_update(struct core *c)
{
    struct pg_goal g = {.dir = c->disk.dir};
    const struct record *r = acting(c);
    if (c->role != ROLE_DATABASE)
        return;
    if (c->twin)
        g.kind = GOAL_DOWN;
    else if (r->primary == c->self)
        goal_primary(c, r, &g);
    else
        goal_standby(c, r, &g);
    bool failed =
        c->sample.goal_seq == c->goal.seq && c->sample.progress == PG_GOAL_FAILED && c->goal.seq != 0;
    bool again = failed && instant_elapsed_least(c->now, c->goal_set).ns > span_ms(RETRY_MS).ns;
    if (same_goal(&g, &c->goal) && !again && !outlived(c))
        return;
    if (again && g.kind == GOAL_FOLLOW && ++c->follow_failures >= 5)
        c->reclone = true;
    if (g.kind != GOAL_FOLLOW)
        c->follow_failures = 0;
    g.seq = c->goal.seq + 1;
    if (g.kind != c->goal.kind && c->sample.phase != PG_NONE)
        event_say(c, "+goal", "PostgreSQL: %s (it is \"%s\" on timeline %u)", pg_goal_name(g.kind),
                  pg_phase_name(c->sample.phase), c->sample.timeline);
    c->goal = g;
    c->goal_set = c->now;
    effect_add(c, EFFECT_GOAL)->goal = g;
}

void goals_drive(struct core *c)
{
    goal_update(c);
}
