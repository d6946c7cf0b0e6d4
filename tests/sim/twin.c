/* twin.c: a second process with a copy of one member's store and key, as a cloned machine would be.
 *
 * What it sends arrives as from the member itself, and it hears what the member hears.  It has no PostgreSQL, no guard
 * and a disk of its own, which the world forgets. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static struct {
    struct core *core;
    struct core_setup setup;
    int of; /* index; -1: there is none */
    uint8_t store[DURABLE_MAX];
} twin = {.of = -1};

void twin_reset(void)
{
    twin.of = -1;
}

int twin_of(void)
{
    return twin.of;
}

static void perform(struct world *w)
{
    const struct effects *fx = world_effects();
    for (int k = 0; k < fx->n && twin.of >= 0; k++) {
        const struct effect *e = &fx->e[k];
        if (e->kind == EFFECT_SEND)
            world_send_as(w, twin.of, e);
        else if (e->kind == EFFECT_EVENT)
            TELL(w, "twin of %s: %s %s", world_name(w, twin.of), e->name, e->text);
        else if (e->kind == EFFECT_FATAL) {
            TELL(w, "twin of %s stops for good: %s", world_name(w, twin.of), e->text);
            twin.of = -1;
        }
    }
}

void twin_start(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    const char *why;
    if (!twin.core && !(twin.core = calloc(1, core_size())))
        abort();
    memcpy(twin.store, m->disk.bytes, m->disk.len);
    twin.of = i;
    twin.setup = m->setup;
    twin.setup.stored = m->disk.len ? twin.store : NULL;
    twin.setup.stored_len = m->disk.len;
    twin.setup.nonce = rng_u64(&w->rng);
    twin.setup.now = clocks_now(w, i);
    if (!core_start(twin.core, &twin.setup, world_effects(), &why)) {
        twin.of = -1;
        return;
    }
    perform(w);
    world_push(w, w->now + MS(10), EV_TWIN, i, 0, 0, 0);
}

void twin_step(struct world *w, struct event *e)
{
    if (twin.of < 0)
        return;
    e->now = clocks_now(w, twin.of);
    e->entropy = rng_u64(&w->rng);
    core_step(twin.core, e, world_effects());
    perform(w);
}
