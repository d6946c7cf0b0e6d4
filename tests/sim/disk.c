/* disk.c: what a member keeps: the bytes of its last STORE, and copies from former lives for those who restore them.
 *
 * A STORE is atomic (write, sync, rename, sync the directory); a crash may fall between any two effects of a step,
 * so what stood after the crash point is lost (world.c counts them). */
#include <string.h>

#include "tests/sim/sim.h"

/* Keeps a copy that an administrator, or a hypervisor's snapshot, may come back with. */
static void keep_copy(struct disk *d, int at)
{
    memcpy(d->copy[at].bytes, d->bytes, d->len);
    d->copy[at].len = d->len;
    d->copy[at].generation = d->generation;
    if (d->copies <= at)
        d->copies = at + 1;
}

void disk_store(struct world *w, int i, const uint8_t *bytes, size_t n)
{
    struct disk *d = &w->m[i].disk;
    if (n > sizeof d->bytes)
        violate(w, "I10", "%s stores %zu bytes", world_name(w, i), n);
    memcpy(d->bytes, bytes, n);
    d->len = n;
    d->generation++;
    if (w->plan_rolls_back && rng_chance(&w->rng, 400))
        keep_copy(d, d->copies < SIM_COPIES ? d->copies : (int)rng_below(&w->rng, SIM_COPIES));
}

void disk_lose(struct world *w, int i)
{
    w->m[i].disk.len = 0;
    w->m[i].disk.copies = 0;
}

/* Comes back with an older copy.  false: there is none. */
bool disk_roll_back(struct world *w, int i)
{
    struct disk *d = &w->m[i].disk;
    if (d->copies == 0)
        return false;
    int pick = (int)rng_below(&w->rng, (uint32_t)d->copies);
    if (d->copy[pick].generation == d->generation)
        return false;
    memcpy(d->bytes, d->copy[pick].bytes, d->copy[pick].len);
    d->len = d->copy[pick].len;
    return true;
}
