/* server.c: the processes of one PostgreSQL: running, frozen, hung, dead; and the time that passes in it. */
#include <string.h>

#include "tests/sim/sim.h"

bool pg_runs(const struct world *w, int i)
{
    switch (w->m[i].pg.phase) {
    case PG_STARTING:
    case PG_RECOVERY:
    case PG_PROMOTING:
    case PG_PRIMARY:
    case PG_STOPPING: return true;
    case PG_NONE:
    case PG_ABSENT:
    case PG_DOWN:
    case PG_BUSY:
    case PG_BROKEN: return false;
    }
    return false;
}

/* A primary, or on the way to be one: what the guard fences. */
bool pg_primary_mode(const struct world *w, int i)
{
    return pg_runs(w, i) && w->m[i].pg.writable_once;
}

/* Might it acknowledge a commit or answer a read as the primary right now? */
bool pg_serving(const struct world *w, int i)
{
    const struct pg *p = &w->m[i].pg;
    if (!w->m[i].host_up || p->frozen)
        return false;
    return p->phase == PG_PRIMARY || (p->phase == PG_STOPPING && p->writable_once);
}

void pg_set_phase(struct world *w, int i, enum pg_phase phase)
{
    struct pg *p = &w->m[i].pg;
    if (p->phase == phase)
        return;
    TELL(w, "postgres of %s: %s -> %s, timeline %u, %llx", world_name(w, i), pg_phase_name(p->phase),
         pg_phase_name(phase), p->exists ? w->branch[wal_normal(w, p->at).branch].timeline : 0,
         (unsigned long long)p->at.lsn);
    p->phase = phase;
    w->i1_dirty = true;
    w->link_dirty = true;
    hand_changed(w, i);
    if (phase != PG_PRIMARY)
        return;
    p->start++;
    p->order_active = false;
    p->flushed = p->at.lsn;
    for (int c = 0; c < SIM_CLIENTS; c++) {
        p->wait[c] = 0;
        world_push(w, w->now + MS(rng_range(&w->rng, 1, 30)), EV_CLIENT, i, c, p->start, 0);
    }
    w->promotions++;
}

/* No process is left; what was not flushed is gone, and a half-done operation with it. */
static void down(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    wal_disconnect(w, i);
    wal_disconnect_all(w, i);
    if (p->phase == PG_PRIMARY || p->phase == PG_STOPPING)
        if (p->writable_once && p->flushed && p->at.lsn > p->flushed)
            p->at.lsn = p->flushed;
    p->start++;
    p->op = OP_NONE;
    p->op_seq++;
    p->op_stalled = false;
    p->frozen = false;
    p->writable_once = false;
    p->sealed = false;
    p->clean = false;
    p->order_active = false;
    memset(p->wait, 0, sizeof p->wait);
    w->m[i].guard.froze_at = 0;
    pg_set_phase(w, i, p->exists ? PG_DOWN : PG_ABSENT);
}

void pg_kill(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->phase == PG_BUSY) {
        p->torn = p->torn || p->op == OP_REWIND;
        if (p->op == OP_CLONE || p->op == OP_INIT)
            p->exists = false;
    }
    down(w, i);
}

/* The postmaster is gone; its orphans go on acknowledging until somebody kills them. */
void pg_crash(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (!pg_runs(w, i) || p->phase == PG_STOPPING)
        return;
    if (p->op == OP_KILL)
        return;
    p->op_stalled = false;
    pg_set_phase(w, i, PG_STOPPING);
    hand_start_op(w, i, OP_REAP, US(rng_range(&w->rng, 500, 8000)));
}

void pg_freeze(struct world *w, int i, bool frozen)
{
    struct pg *p = &w->m[i].pg;
    if (p->frozen == frozen)
        return;
    p->frozen = frozen;
    w->i1_dirty = true;
    w->link_dirty = true;
    hand_changed(w, i);
    if (!frozen && p->op_stalled) {
        p->op_stalled = false;
        world_push(w, w->now + MS(1), EV_OP, i, 0, p->op_seq, 0);
    }
}

void pg_reset(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    memset(p, 0, sizeof *p);
    p->upstream = -1;
    p->promote_ns = MS(rng_range(&w->rng, 20, 120));
    p->replay_ns = MS(rng_range(&w->rng, 1, 5));
    p->phase = PG_NONE;
    p->goal.kind = GOAL_KEEP;
}

/* Links that gave no sign of life for a second are given up, as wal_receiver_timeout and wal_sender_timeout do. */
static void give_up_silent(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (p->conn && w->now - p->last_msg > SECONDS(1))
        wal_disconnect(w, i);
    for (int k = 0; k < w->n_databases; k++)
        if (p->sender[k].up && w->now - p->sender[k].last_heard > SECONDS(1)) {
            p->sender[k].up = false;
            hand_changed(w, i);
        }
}

/* Twenty-five milliseconds of it: keepalives, reconnects, replay, the hand's own polling. */
void pg_tick(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (pg_runs(w, i) && !p->frozen) {
        give_up_silent(w, i);
        if (p->phase == PG_STARTING && p->op == OP_NONE && p->at.lsn >= p->consistent)
            pg_set_phase(w, i, PG_RECOVERY);
        bool receives =
            (p->phase == PG_RECOVERY || p->phase == PG_STARTING) && p->upstream >= 0 && p->op != OP_CUT;
        if (receives && !p->conn && w->now >= p->retry_at && !p->sealed)
            wal_connect(w, i);
        if (p->replay_ns < MS(100) || w->now - p->beat_at > p->replay_ns) {
            p->replay = p->at.lsn;
            p->beat_at = w->now;
        }
        if (w->now / MS(100) != (w->now - MS(25)) / MS(100))
            wal_broadcast(w, i);
    }
    if (w->m[i].up) {
        hand_poll_order(w, i);
        hand_work(w, i);
        if (w->now - p->sampled_at > (p->order_active || p->sealed ? MS(20) : MS(100)))
            hand_changed(w, i);
    }
    world_push(w, w->now + (p->order_active ? MS(6) : MS(25)), EV_PG_TICK, i, 0, p->tick_life, 0);
}

/* An observer asks the primary on its route with SQL, and notes the answer. */
void pg_observer_probe(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    int at = m->route ? world_index(w, m->route) : -1;
    if (at >= 0 && pg_serving(w, at) && !w->m[at].vm_until && !w->m[at].pg.hung && !w->repl[i][at].cut &&
        !w->repl[at][i].cut) {
        m->sql_seen = w->now;
        m->sql_term = wal_term(w, w->m[at].pg.at);
    }
    world_push(w, w->now + MS(100), EV_SAMPLE, i, 0, m->life, 0);
}
