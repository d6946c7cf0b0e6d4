/* hand.c: the hand on PostgreSQL behind mesh/pg.h, as node/ is to be one: it works towards the newest goal from whatever
 * state it finds, one operation at a time, and reports by sampling.  Durations and failures are drawn. */
#include <string.h>

#include "tests/sim/sim.h"

void hand_changed(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->sample_due || !w->m[i].up)
        return;
    p->sample_due = true;
    world_push(w, w->now + US(rng_range(&w->rng, 100, 2000)), EV_SAMPLE, i, 0, w->m[i].life, 0);
}

void hand_start_op(struct world *w, int i, enum op op, ns_t lasts)
{
    struct pg *p = &w->m[i].pg;
    p->op = op;
    p->op_seq++;
    world_push(w, w->now + lasts, EV_OP, i, 0, p->op_seq, 0);
}

static void progress(struct world *w, int i, enum pg_progress to)
{
    struct pg *p = &w->m[i].pg;
    if (p->progress == to)
        return;
    p->progress = to;
    if (to == PG_GOAL_FAILED)
        TELL(w, "the hand of %s failed: %s", world_name(w, i), pg_goal_name(p->goal.kind));
    hand_changed(w, i);
}

/* ---- starting and stopping -------------------------------------------------------------------------------------------- */

/* At the point of use: is the order still in time, and does the guard hold a deadline ahead? */
static bool in_time(const struct world *w, int i)
{
    const struct pg *p = &w->m[i].pg;
    if (!instant_is_never(p->goal.not_after) && instant_due_any(clocks_now(w, i), p->goal.not_after))
        return false;
    return guard_holds(w, i) && w->m[i].guard.term == p->goal.term;
}

static uint32_t timeline_now(const struct world *w, const struct pg *p)
{
    return p->exists ? w->branch[wal_normal(w, p->at).branch].timeline : 0;
}

static void kill_first(struct world *w, int i)
{
    hand_start_op(w, i, OP_KILL, US(rng_range(&w->rng, 500, 6000)));
}

static void start_standby(struct world *w, int i, int upstream)
{
    struct pg *p = &w->m[i].pg;
    p->upstream = upstream;
    p->name_dir = p->goal.dir;
    p->writable_once = false;
    pg_set_phase(w, i, PG_STARTING);
    hand_start_op(w, i, OP_START_STANDBY, MS(rng_range(&w->rng, 15, 90)));
}

static void start_primary(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (!in_time(w, i))
        return;
    p->writable_once = true;
    p->armed_term = p->goal.term;
    p->upstream = -1;
    p->flushed = p->at.lsn;
    wal_setting(w, i, &p->goal.sync, true);
    pg_set_phase(w, i, PG_STARTING);
    hand_start_op(w, i, OP_START_PRIMARY, MS(rng_range(&w->rng, 20, 150)));
}

static void promote(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->history_max >= p->goal.timeline || timeline_now(w, p) >= p->goal.timeline) {
        progress(w, i, PG_GOAL_FAILED); /* PostgreSQL would pick another id than the record's */
        return;
    }
    if (!in_time(w, i))
        return;
    p->upstream = -1;
    p->sealed = false;
    p->promote_timeline = p->goal.timeline;
    p->promote_term = p->goal.term;
    p->flushed = p->at.lsn;
    wal_disconnect(w, i);
    wal_setting(w, i, &p->goal.sync, true);
    p->writable_once = true;
    p->armed_term = p->goal.term;
    pg_set_phase(w, i, PG_PROMOTING);
    fault_moment(w, WHEN_PROMOTING, i);
    ns_t replay = p->replay == p->at.lsn ? 0 : p->replay_ns;
    hand_start_op(w, i, OP_SWITCH, replay + p->promote_ns / 3);
}

/* ---- goals ---------------------------------------------------------------------------------------------------------------- */

static void work_seal(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (pg_primary_mode(w, i))
        kill_first(w, i);
    else if (p->phase == PG_DOWN && !p->torn)
        start_standby(w, i, -1);
    else if (p->phase == PG_RECOVERY && !p->sealed) {
        if (MUTANT(LSN_BEFORE_CUT)) {
            p->sealed_lsn = p->at.lsn;
            p->sealed = true;
            progress(w, i, PG_GOAL_REACHED);
        }
        hand_start_op(w, i, OP_CUT,
                      MUTANT(LSN_BEFORE_CUT) ? MS(rng_range(&w->rng, 20, 120))
                                             : US(rng_range(&w->rng, 500, 8000)));
    } else if (p->phase == PG_ABSENT || p->torn)
        progress(w, i, PG_GOAL_FAILED);
}

static void work_follow(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    int upstream = world_index(w, p->goal.upstream);
    if (pg_primary_mode(w, i)) {
        kill_first(w, i);
    } else if (p->phase == PG_DOWN && !p->torn) {
        start_standby(w, i, upstream);
    } else if (p->phase == PG_RECOVERY || p->phase == PG_STARTING) {
        if (p->upstream != upstream || p->name_dir != p->goal.dir) {
            wal_disconnect(w, i);
            p->upstream = upstream;
            p->name_dir = p->goal.dir;
            p->retry_at = w->now + MS(rng_below(&w->rng, 20));
        }
        p->sealed = false;
        if (p->phase == PG_RECOVERY)
            progress(w, i, PG_GOAL_REACHED);
    } else if (p->phase == PG_ABSENT || p->torn) {
        progress(w, i, PG_GOAL_FAILED);
    }
}

static bool source_serves(const struct world *w, int i, int from)
{
    return from >= 0 && from != i && pg_serving(w, from) && !w->m[from].vm_until && !w->m[from].pg.hung &&
           w->m[from].pg.phase == PG_PRIMARY && !w->repl[i][from].cut && !w->repl[from][i].cut;
}

static void work_copy(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    int from = world_index(w, p->goal.upstream);
    if (p->done_seq == p->goal.seq) {
        work_follow(w, i);
        return;
    }
    if (p->progress == PG_GOAL_FAILED)
        return;
    if (pg_runs(w, i)) {
        kill_first(w, i);
        return;
    }
    bool rewind = p->goal.kind == GOAL_REWIND;
    if (!source_serves(w, i, from) || (rewind && (p->torn || !p->exists))) {
        progress(w, i, PG_GOAL_FAILED);
        return;
    }
    p->copy_from = w->m[from].pg.flushed;
    if (!rewind)
        p->exists = false;
    pg_set_phase(w, i, PG_BUSY);
    hand_start_op(w, i, rewind ? OP_REWIND : OP_CLONE, MS(rng_range(&w->rng, 80, 500)));
}

static void work_promote(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->progress == PG_GOAL_FAILED)
        return;
    if (p->phase == PG_PRIMARY && timeline_now(w, p) == p->goal.timeline)
        progress(w, i, PG_GOAL_REACHED);
    else if (p->phase == PG_PRIMARY)
        kill_first(w, i);
    else if (p->phase == PG_DOWN && p->progress == PG_GOAL_REACHED)
        return;
    else if (p->phase == PG_DOWN && !p->torn)
        start_standby(w, i, -1);
    else if (p->phase == PG_RECOVERY)
        promote(w, i);
    else if (p->phase == PG_ABSENT || p->torn)
        progress(w, i, PG_GOAL_FAILED);
}

static void work_primary(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->progress == PG_GOAL_FAILED)
        return;
    bool same = p->goal.timeline == 0 || timeline_now(w, p) == p->goal.timeline;
    if (p->phase == PG_PRIMARY && same)
        progress(w, i, PG_GOAL_REACHED);
    else if (p->phase == PG_DOWN && p->progress == PG_GOAL_REACHED)
        return; /* it died: what follows is decided, not assumed (mesh/pg.h) */
    else if (p->phase == PG_DOWN && same && !p->torn)
        start_primary(w, i);
    else if (p->phase != PG_STARTING && p->phase != PG_PROMOTING && p->phase != PG_STOPPING)
        progress(w, i, PG_GOAL_FAILED);
}

static void work_init(struct world *w, int i)
{
    if (w->m[i].pg.phase == PG_ABSENT) {
        pg_set_phase(w, i, PG_BUSY);
        hand_start_op(w, i, OP_INIT, MS(rng_range(&w->rng, 50, 200)));
    } else {
        work_primary(w, i);
    }
}

static void work_down(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (!pg_runs(w, i))
        progress(w, i, PG_GOAL_REACHED);
    else if (p->goal.kind == GOAL_DOWN || !p->writable_once)
        kill_first(w, i);
    else if (p->phase == PG_PRIMARY) {
        memset(p->wait, 0, sizeof p->wait);
        p->start++; /* the clients are sent away */
        p->at.lsn += 100;
        p->flushed = p->at.lsn;
        pg_set_phase(w, i, PG_STOPPING);
        wal_broadcast(w, i);
        hand_start_op(w, i, OP_STOP, MS(rng_range(&w->rng, 5, 40)));
    }
}

void hand_work(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->op != OP_NONE || !w->m[i].up || w->m[i].paused_until)
        return;
    switch (p->goal.kind) {
    case GOAL_NONE:
    case GOAL_KEEP: break;
    case GOAL_DOWN:
    case GOAL_SHUTDOWN: work_down(w, i); break;
    case GOAL_INIT: work_init(w, i); break;
    case GOAL_PRIMARY: work_primary(w, i); break;
    case GOAL_PROMOTE: work_promote(w, i); break;
    case GOAL_FOLLOW: work_follow(w, i); break;
    case GOAL_REWIND:
    case GOAL_CLONE: work_copy(w, i); break;
    case GOAL_SEAL: work_seal(w, i); break;
    }
}

void hand_goal(struct world *w, int i, const struct pg_goal *goal)
{
    struct pg *p = &w->m[i].pg;
    if (goal->kind != p->goal.kind || goal->term != p->goal.term || goal->upstream != p->goal.upstream)
        TELL(w, "%s: goal %s for term %llu", world_name(w, i), pg_goal_name(goal->kind),
             (unsigned long long)goal->term);
    if (goal->kind == GOAL_PROMOTE || goal->kind == GOAL_PRIMARY)
        inv_i4_promotion(w, i, goal);
    p->goal = *goal;
    p->progress = PG_GOAL_RUNNING;
    if (goal->kind != GOAL_SEAL)
        p->sealed = false;
    bool copying = p->op == OP_REWIND || p->op == OP_CLONE || p->op == OP_INIT;
    bool kills = goal->kind == GOAL_SEAL || goal->kind == GOAL_DOWN || goal->kind == GOAL_FOLLOW;
    bool primary_op =
        p->op == OP_START_PRIMARY || p->op == OP_SWITCH || p->op == OP_WRITABLE || p->op == OP_STOP;
    if (copying && goal->kind != GOAL_KEEP)
        pg_kill(w, i);
    else if (p->op == OP_CUT || p->op == OP_REPLAY)
        p->op = OP_NONE;
    else if (primary_op && kills)
        kill_first(w, i);
    hand_work(w, i);
}

/* ---- operations end --------------------------------------------------------------------------------------------------------- */

static void op_switch(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    p->at.branch = wal_branch(w, p->promote_timeline, wal_normal(w, p->at), p->promote_term, w->m[i].id);
    p->at.lsn += 100; /* end-of-recovery record */
    p->flushed = p->at.lsn;
    p->history_max = p->promote_timeline;
    hand_start_op(w, i, OP_WRITABLE, p->promote_ns - p->promote_ns / 3);
}

static void op_copied(struct world *w, int i, bool rewind)
{
    struct pg *p = &w->m[i].pg;
    int from = world_index(w, p->goal.upstream);
    bool good = source_serves(w, i, from) && !rng_chance(&w->rng, 30);
    p->phase = PG_BUSY;
    if (!good) {
        if (rewind)
            p->torn = rng_chance(&w->rng, 500);
        progress(w, i, PG_GOAL_FAILED);
        pg_set_phase(w, i, p->exists ? PG_DOWN : PG_ABSENT);
        return;
    }
    const struct pg *u = &w->m[from].pg;
    struct content theirs = {u->at.branch, u->flushed};
    lsn_t lsn = rewind ? wal_common(w, p->at, theirs) : p->copy_from;
    p->exists = true;
    p->torn = false;
    p->at = wal_normal(w, (struct content){theirs.branch, lsn});
    p->replay = p->at.lsn;
    p->consistent = u->flushed;
    p->system_id = u->system_id;
    p->history_max = u->history_max;
    p->done_seq = p->goal.seq;
    w->m[i].dir_lost = p->restored = false;
    pg_set_phase(w, i, PG_DOWN);
}

static void op_init(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    p->exists = true;
    p->torn = false;
    p->system_id = rng_u64(&w->rng) | 1;
    p->at = (struct content){wal_branch(w, 1, (struct content){BRANCH_NONE, 0}, p->goal.term, w->m[i].id),
                             0x1000000};
    p->replay = p->at.lsn;
    p->history_max = 0;
    pg_set_phase(w, i, PG_DOWN);
}

static void op_stopped(struct world *w, int i)
{
    if (!wal_drained(w, i)) {
        hand_start_op(w, i, OP_STOP, MS(3));
        wal_broadcast(w, i);
        return;
    }
    pg_kill(w, i);
    w->m[i].pg.clean = true;
}

void hand_op(struct world *w, int i, uint32_t op_seq)
{
    struct pg *p = &w->m[i].pg;
    if (op_seq != p->op_seq || !w->m[i].host_up)
        return;
    enum op op = p->op;
    bool by_hand = op == OP_CUT || op == OP_REPLAY || op == OP_REAP || op == OP_KILL;
    if (p->frozen && op != OP_KILL && op != OP_REAP) {
        p->op_stalled = true;
        return;
    }
    if (by_hand && (!w->m[i].up || w->m[i].paused_until)) { /* the hand is not there to do it */
        world_push(w, w->now + MS(5), EV_OP, i, 0, op_seq, 0);
        return;
    }
    p->op = OP_NONE;
    switch (op) {
    case OP_NONE: break;
    case OP_START_PRIMARY:
        if (p->restored) /* what it writes from here on is another history under the same number */
            p->at.branch = wal_branch(w, timeline_now(w, p), wal_normal(w, p->at), p->goal.term, w->m[i].id);
        p->restored = false;
        p->at.lsn += 100;
        pg_set_phase(w, i, PG_PRIMARY);
        break;
    case OP_START_STANDBY:
        p->replay = p->at.lsn;
        if (p->at.lsn >= p->consistent)
            pg_set_phase(w, i, PG_RECOVERY);
        break;
    case OP_KILL:
    case OP_REAP: pg_kill(w, i); break;
    case OP_STOP: op_stopped(w, i); break;
    case OP_SWITCH: op_switch(w, i); break;
    case OP_WRITABLE: pg_set_phase(w, i, PG_PRIMARY); break;
    case OP_INIT: op_init(w, i); break;
    case OP_REWIND: op_copied(w, i, true); break;
    case OP_CLONE: op_copied(w, i, false); break;
    case OP_CUT:
        p->upstream = -1;
        wal_disconnect(w, i);
        if (p->sealed)
            break;
        hand_start_op(w, i, OP_REPLAY, p->replay == p->at.lsn ? US(300) : p->replay_ns);
        break;
    case OP_REPLAY:
        p->replay = p->at.lsn;
        p->sealed = true;
        p->sealed_lsn = p->at.lsn;
        progress(w, i, PG_GOAL_REACHED);
        hand_changed(w, i);
        break;
    }
    hand_work(w, i);
}

/* The agent died: what its hand was doing stays half done, what PostgreSQL does by itself goes on. */
void hand_agent_lost(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->op == OP_REWIND || p->op == OP_CLONE || p->op == OP_INIT)
        pg_kill(w, i);
    else if (p->op == OP_CUT || p->op == OP_REPLAY || p->op == OP_KILL) {
        p->op = OP_NONE;
        p->op_seq++;
    }
    p->sealed = false;
    p->order_active = false;
    p->order = (struct pg_sync_order){0};
    p->order_progress = PG_GOAL_RUNNING;
    p->order_lsn = 0;
    p->sample_due = false;
    memset(&p->goal, 0, sizeof p->goal);
    p->goal.kind = GOAL_KEEP; /* a promotion under way ends as it began */
    p->done_seq = 0;
}

/* ---- the order to change synchronous_standby_names ----------------------------------------------------------------------------- */

void hand_sync(struct world *w, int i, const struct pg_sync_order *order)
{
    struct pg *p = &w->m[i].pg;
    p->order = *order;
    p->order_progress = PG_GOAL_RUNNING;
    p->order_written = false;
    p->order_active = true;
    p->order_since = w->now;
    TELL(w, "%s: synchronous_standby_names becomes ANY %u of %u", world_name(w, i), order->set.k,
         order->set.n);
    if (p->phase == PG_PRIMARY || p->phase == PG_PROMOTING)
        wal_setting(w, i, &order->set, false);
}

static bool concerns(const struct pg_sync_order *o, member_id id, dir_id dir)
{
    const struct sync_member *m = sync_set_find(&o->set, id);
    if (m && m->dir == dir)
        return true;
    for (int b = 0; b < o->n_before; b++)
        if (o->before[b].id == id && o->before[b].dir == dir)
            return true;
    return false;
}

/* Is the setting in force?  See struct pg_sync_order. */
void hand_poll_order(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (!p->order_active || p->order_progress != PG_GOAL_RUNNING || w->m[i].paused_until)
        return;
    if (p->phase != PG_PRIMARY || p->frozen || p->hung)
        return;
    if (!p->order_written) {
        p->order_written = true;
        p->at.lsn += 64;
        p->flushed = p->order_mark = p->at.lsn;
        wal_broadcast(w, i);
        return;
    }
    if (p->order.from_empty && p->order.set.n > 0 && !p->waits_known)
        return;
    bool late = w->now - p->order_since > MS(500);
    for (int k = 0; k < w->n_databases; k++) {
        struct sender *x = &p->sender[k];
        if (!x->up || !concerns(&p->order, w->m[k].id, x->dir) || x->flush >= p->order_mark)
            continue;
        if (!late)
            return;
        TELL(w, "%s terminates its walsender for %s", world_name(w, i), world_name(w, k));
        x->up = false;
        if (w->m[k].pg.conn == x->conn)
            wal_disconnect(w, k);
    }
    p->order_progress = PG_GOAL_REACHED;
    p->order_lsn = p->flushed;
    p->order_active = false;
    lemma_setting(w, i, &p->order.set, p->order_lsn);
    hand_changed(w, i);
}

/* ---- what it reports -------------------------------------------------------------------------------------------------------------- */

void hand_sample(struct world *w, int i, struct pg_sample *s)
{
    struct sim_member *m = &w->m[i];
    struct pg *p = &m->pg;
    memset(s, 0, sizeof *s);
    s->upstream_age_ms = s->sql_age_ms = EVIDENCE_NEVER;
    if (m->role == ROLE_OBSERVER) {
        s->sql_term = m->sql_term;
        if (m->sql_seen)
            s->sql_age_ms = (uint32_t)((w->now - m->sql_seen) / MS(1));
        return;
    }
    p->sample_due = false;
    p->sampled_at = w->now;
    s->phase = p->torn && p->phase == PG_DOWN ? PG_BROKEN : p->phase;
    s->answering = !p->frozen && !p->hung && (p->phase == PG_PRIMARY || p->phase == PG_RECOVERY);
    s->frozen = p->frozen;
    s->confirmed_dead = p->phase == PG_DOWN || p->phase == PG_ABSENT;
    s->clean = p->clean;
    s->sealed = p->sealed && p->goal.kind == GOAL_SEAL;
    s->goal_seq = p->goal.seq;
    s->progress = p->progress;
    s->sync_seq = p->order.seq;
    s->sync_progress = p->order_progress;
    s->sync_lsn = p->order_lsn;
    s->timeline = timeline_now(w, p);
    s->timeline_max = p->history_max;
    s->lsn = p->exists ? (p->sealed ? p->sealed_lsn : p->phase == PG_PRIMARY ? p->flushed : p->at.lsn) : 0;
    if (p->exists && p->phase == PG_DOWN && !p->clean && p->at.lsn % 2 == 0)
        s->lsn =
            1; /* the control file of one that crashed knows a point before the end, or a long time before it */
    s->replay_lsn = p->exists ? p->replay : 0;
    s->system_id = p->exists ? p->system_id : 0;
    if (p->conn && p->upstream >= 0) {
        s->upstream = w->m[p->upstream].id;
        s->upstream_age_ms = (uint32_t)((w->now - p->last_msg) / MS(1));
    }
    s->flush_us = 300;
    for (int k = 0; k < w->n_databases && p->phase == PG_PRIMARY; k++) {
        const struct sender *x = &p->sender[k];
        if (!x->up)
            continue;
        s->standbys[s->n_standbys++] = (struct pg_standby){.id = w->m[k].id,
                                                           .dir = x->dir,
                                                           .streaming = true,
                                                           .flush_lsn = x->flush,
                                                           .replay_lsn = x->flush};
    }
}
