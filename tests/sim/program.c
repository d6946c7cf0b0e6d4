/* program.c: the two programs that a member may run: the present one, and the test build that stands for the version of the
 * protocol to come (-DPGMESH_PROTOCOL_NEXT).  The core is linked in twice; the second one's names begin with next_ (Makefile).
 *
 * The rest of the simulator is of the present version.  Where it looks into a core's memory, both have the same layout (struct
 * heartbeat in mesh/wire.h); envelopes it opens with the next one's reader, which reads both. */
#include <stdlib.h>

#include "tests/sim/sim.h"

size_t next_core_size(void);
bool next_core_start(struct core *core, const struct core_setup *setup, struct effects *out,
                     const char **why);
void next_core_step(struct core *core, const struct event *event, struct effects *out);
instant next_core_deadline(const struct core *core);

const struct program programs[PROGRAMS] = {
    [PROGRAM_PRESENT] = {"present", core_size, core_start, core_step, core_deadline},
    [PROGRAM_NEXT] = {"next", next_core_size, next_core_start, next_core_step, next_core_deadline},
};

/* A layout may mix them from the start. */
void program_draw(struct world *w)
{
    if (core_size() != next_core_size())
        abort(); /* another layout: see above */
    bool mixed = w->bias ? w->bias->mixed : rng_chance(&w->rng, 200);
    for (int i = 0; i < w->n; i++)
        w->m[i].program = mixed && rng_chance(&w->rng, 500) ? PROGRAM_NEXT : PROGRAM_PRESENT;
}

/* The agent is stopped and started as another program; the guard and PostgreSQL go on, as under `systemctl restart`. */
void program_change(struct world *w, int i, enum program_kind to, ns_t dark)
{
    TELL(w, "%s is given the %s program", world_name(w, i), programs[to].name);
    w->m[i].program = to;
    agent_die(w, i, dark);
}
