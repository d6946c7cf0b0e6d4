#include "tests/sim/sim.h"

/* I9  PostgreSQL not frozen => agent or guard saw now < deadline within the last two ticks.
 *
 * Asserted at every acknowledgement, the only place where it matters: the deadline of the term in which PostgreSQL was
 * armed is ahead, or passed no longer ago than two ticks and the time that the freezer takes. */
void inv_i9_ack(struct world *w, int i)
{
    enum { TICKS_MS = 2, FREEZER_MS = 61 };
    const struct sim_member *m = &w->m[i];
    if (m->vm_until || w->now < m->exempt_until)
        return;
    int freezer_ms =
        FREEZER_MS + (FREEZER_MS * (w->drift_ppm / 1000) + 999) / 1000; /* by the host's own clock */
    instant limit = instant_add(m->guard.deadline, span_ms(TICKS_MS + freezer_ms));
    if (m->guard.armed && m->guard.term == m->pg.armed_term && !instant_due_all(clocks_now(w, i), limit))
        return;
    if (m->pg.phase == PG_STOPPING && instant_is_never(m->guard.deadline))
        return; /* orphans, given back while dying */
    violate(w, "I9", "%s acknowledges a commit in term %llu, and no deadline of that term lies ahead",
            world_name(w, i), (unsigned long long)m->pg.armed_term);
}
