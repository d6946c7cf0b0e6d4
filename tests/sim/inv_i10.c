#include "tests/sim/sim.h"

/* I10  memory and queues are bounded whatever arrives.
 *
 * The core's memory is one struct of fixed size; what is left to assert is what it asks of others: effects per step,
 * bytes per frame, steps and frames per second.  The world's own queues have limits of their own (net.c, world.c). */
void inv_i10_step(struct world *w, int i, const struct effects *fx)
{
    enum { PER_SECOND_MAX = 20000 };
    struct sim_member *m = &w->m[i];
    if (fx->n < 0 || fx->n > EFFECTS_MAX || fx->used > EFFECTS_ARENA)
        violate(w, "I10", "%s asks for %d effects", world_name(w, i), fx->n);
    m->rate_steps += 1 + (uint64_t)fx->n;
    if (w->now - m->rate_since < SECONDS(1)) {
        if (m->rate_steps > PER_SECOND_MAX)
            violate(w, "I10", "%s made %llu steps and effects within a second", world_name(w, i),
                    (unsigned long long)m->rate_steps);
        return;
    }
    m->rate_since = w->now;
    m->rate_steps = 0;
}
