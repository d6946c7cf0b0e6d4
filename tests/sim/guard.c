/* guard.c: the fence of one host, as node/guard.h tells it: its own process, its own tick of at most a millisecond.
 *
 * It freezes PostgreSQL at the deadline, thaws it when the deadline rises again within the same term, and kills it one
 * lease later.  It goes on while the agent is stopped, dead or restarting; a paused VM stops it too. */
#include "tests/sim/sim.h"

void guard_reset(struct world *w, int i)
{
    w->m[i].guard = (struct guard){0};
}

bool guard_holds(const struct world *w, int i)
{
    const struct guard *g = &w->m[i].guard;
    return g->armed && !instant_is_never(g->deadline) && !instant_due_any(clocks_now(w, i), g->deadline);
}

/* ---- the guard itself is killed ------------------------------------------------------------------------------------- */

/* SIGKILL, perhaps of the agent in the same moment: whoever is left notices (node/guard_anchor.h). */
void guard_crash(struct world *w, int i, bool agent_too)
{
    struct sim_member *m = &w->m[i];
    if (m->role != ROLE_DATABASE || !m->host_up || m->guard.gone)
        return;
    m->guard.gone = true;
    if (agent_too)
        agent_die(w, i, MS(rng_range(&w->rng, 30, 400))); /* the unit starts it again */
    world_push(w, w->now + US(rng_range(&w->rng, 200, 4000)), EV_ORPHANS, i, 0, 0, 0);
}

/* The agent fences and begins anew as the guard; without one the anchor kills PostgreSQL at once, and when the agent
 * only stands still, at the deadline. */
void guard_missed(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    if (!m->guard.gone)
        return;
    bool stands_still = m->up && m->paused_until;
    if (!stands_still || !guard_holds(w, i)) {
        TELL(w, "%s kills PostgreSQL of %s: the guard is gone",
             m->up && !stands_still ? "the agent" : "the anchor", world_name(w, i));
        pg_kill(w, i);
        hand_changed(w, i);
    }
    if (stands_still) {
        world_push(w, w->now + MS(5), EV_ORPHANS, i, 0, 0, 0);
        return;
    }
    agent_die(w, i, MS(rng_range(&w->rng, 10, 60)));
    guard_reset(w, i);
}

/* ---- the deadline --------------------------------------------------------------------------------------------------- */

static void look_again(struct world *w, int i, ns_t at)
{
    struct guard *g = &w->m[i].guard;
    at += rng_range(&w->rng, 0, MS(1));
    if (g->wake_at && g->wake_at <= at)
        return;
    g->wake_at = at;
    world_push(w, at, EV_GUARD, i, 0, 0, (uint64_t)at);
}

void guard_lease(struct world *w, int i, instant until, uint64_t term)
{
    struct guard *g = &w->m[i].guard;
    w->i1_dirty = true;
    if (instant_is_never(until)) { /* given back */
        if (g->armed && term >= g->term)
            g->deadline = until;
        look_again(w, i, w->now);
        return;
    }
    if (!g->armed || term > g->term) {
        g->armed = true;
        g->term = term;
        g->deadline = until;
        g->expired_at = 0;
    } else {
        g->deadline = instant_max(g->deadline, until);
    }
    if (g->gone)
        return;
    if (g->froze_at && guard_holds(w, i) && g->term == w->m[i].pg.armed_term) {
        TELL(w, "guard of %s thaws PostgreSQL: the lease is back", world_name(w, i));
        g->froze_at = 0;
        g->expired_at = 0;
        pg_freeze(w, i, false);
    }
    look_again(w, i, clocks_when(w, i, g->deadline));
}

/* A tick: at the deadline freeze, one lease later kill. */
void guard_event(struct world *w, int i, ns_t at)
{
    struct guard *g = &w->m[i].guard;
    if (g->wake_at != at)
        return;
    g->wake_at = 0;
    if (!g->armed || g->gone || MUTANT(GUARD_SLEEPS))
        return;
    if (guard_holds(w, i) && (g->term == w->m[i].pg.armed_term || !pg_primary_mode(w, i))) {
        look_again(w, i, clocks_when(w, i, g->deadline));
        return;
    }
    if (!pg_primary_mode(w, i))
        return;
    if (!g->expired_at)
        g->expired_at = w->now;
    if (!g->froze_at) {
        g->froze_at = w->now;
        /* p50 4 ms, at most 20 ms were measured; slow machines get what the default margin allows for */
        bool slow = (w->bias && w->bias->slow_freeze) || rng_chance(&w->rng, 100);
        ns_t takes = rng_range(&w->rng, MS(1), slow ? MS(60) : MS(8));
        world_push(w, w->now + takes, EV_FREEZE, i, 0, 0, (uint64_t)g->froze_at);
        look_again(w, i, w->now + MS(w->m[i].setup.settings.lease_ms));
        return;
    }
    ns_t kill_at = g->froze_at + MS(w->m[i].setup.settings.lease_ms);
    if (w->now < kill_at) {
        look_again(w, i, kill_at);
        return;
    }
    TELL(w, "guard of %s kills PostgreSQL: no lease for one lease", world_name(w, i));
    g->froze_at = 0;
    pg_kill(w, i);
    hand_changed(w, i);
}

void guard_frozen(struct world *w, int i)
{
    struct guard *g = &w->m[i].guard;
    if (!g->froze_at || !pg_primary_mode(w, i))
        return;
    TELL(w, "guard of %s has frozen PostgreSQL: the lease is over", world_name(w, i));
    pg_freeze(w, i, true);
}
