/* inv.c: what the invariants know, at the start of a seed. */
#include <string.h>

#include "tests/sim/sim.h"

void inv_reset(struct world *w)
{
    w->n_decided = 0;
    w->top = -1;
    w->i1_dirty = w->link_dirty = true;
    w->lossy_command = w->commanded = false;
    w->two_leases = w->early_votes = false;
    w->linked_since = NEVER;
    w->bearable = false;
    w->released_term = 0;
    w->takeovers = w->promotions = 0;
    w->ready_now = -1;
    w->good_acks = 0;
    w->command_at = 0;
}
