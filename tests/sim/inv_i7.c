#include "tests/sim/sim.h"

/* I7  a member that lost its store never votes; a forged, replayed or foreign statement changes nothing.
 *
 * The first half stands here: until it is admitted again with a new epoch, no promise, acceptance or grant leaves it.
 * A store rolled back counts from the moment at which somebody could know (disk.c).  The second half is what the enemy
 * (net.c) tries all the time: every other invariant must hold in spite of it. */
void inv_i7_frame(struct world *w, int i, const struct frame *f)
{
    static struct heartbeat h;
    const struct sim_member *m = &w->m[i];
    if (!m->amnesiac && !m->rolled_back)
        return;
    const char *what = m->amnesiac ? "lost its store" : "came back with an older store";
    if (f->kind == FRAME_PROMISE || f->kind == FRAME_ACCEPTED)
        violate(w, "I7", "%s votes although it %s", world_name(w, i), what);
    if (m->amnesiac && f->kind == FRAME_HEARTBEAT && wire_get_heartbeat(&h, f->body, f->body_len) && h.votes)
        violate(w, "I7", "%s calls itself a voter although it %s", world_name(w, i), what);
}
