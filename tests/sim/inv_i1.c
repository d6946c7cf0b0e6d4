#include "tests/sim/sim.h"

/* I1  at every real instant at most one database holds a valid lease, clock-rate error and stalls within bounds (a
 * paused VM is outside).
 *
 * Stronger than the sentence: a PostgreSQL that may still answer as a primary counts until it is frozen, whatever its
 * guard thinks of the deadline; a second one counts from the moment on which it prepares itself under a lease. */
void inv_i1_leases(struct world *w)
{
    int serving = -1, other = -1;
    w->i1_dirty = false;
    for (int i = 0; i < w->n_databases; i++) {
        const struct sim_member *m = &w->m[i];
        if (m->vm_until || w->now < m->exempt_until)
            continue;
        bool serves = pg_serving(w, i);
        bool prepares = !serves && pg_primary_mode(w, i) && !m->pg.frozen && guard_holds(w, i);
        if (!serves && !prepares)
            continue;
        if (w->drift_ppm && (serving >= 0 || other >= 0))
            w->two_leases =
                true; /* outside the bounds: what breaks is told, and what must hold even so is judged */
        else if (serving >= 0 || (other >= 0 && serves))
            violate(w, "I1", "%s (term %llu) and %s (term %llu) are both primaries at one instant",
                    world_name(w, serving >= 0 ? serving : other),
                    (unsigned long long)w->m[serving >= 0 ? serving : other].pg.armed_term, world_name(w, i),
                    (unsigned long long)m->pg.armed_term);
        if (serves)
            serving = i;
        else
            other = i;
    }
}
