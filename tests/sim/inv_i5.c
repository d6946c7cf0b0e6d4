#include "policy/quorum.h"

#include "mesh/core_state.h"
#include "tests/sim/sim.h"

#include <string.h>

enum { FIRM_MS = 2000 };

static bool member_well(const struct world *w, int i)
{
    const struct sim_member *m = &w->m[i];
    return m->up && m->host_up && !m->vm_until && !m->paused_until && m->disk.write_ns < MS(12);
}

/* Does a frame pass from a to b in time: directly, or by one hop over a well member? */
static bool passes(const struct world *w, int a, int b)
{
    const struct link *l = &w->mesh[a][b];
    if (!l->cut && l->loss == 0 && l->delay_us < 20000)
        return true;
    for (int k = 0; k < w->n; k++) {
        const struct link *x = &w->mesh[a][k], *y = &w->mesh[k][b];
        if (k == a || k == b || !member_well(w, k) || w->m[k].role == ROLE_OBSERVER)
            continue;
        if (!x->cut && !y->cut && x->loss == 0 && y->loss == 0 && x->delay_us + y->delay_us < 20000)
            return true;
    }
    return false;
}

static bool healthy_and_linked(const struct world *w)
{
    int p = world_primary(w);
    const struct record *r = world_record(w);
    if (p < 0 || !member_well(w, p))
        return false;
    const struct pg *g = &w->m[p].pg;
    if (g->phase != PG_PRIMARY || g->frozen || g->hung || !w->m[p].ready)
        return false;
    uint32_t have = 0;
    for (int v = 0; v < r->voters.n; v++) {
        int i = world_index(w, r->voters.v[v].id);
        bool good = i >= 0 && !w->m[i].amnesiac && !w->m[i].rolled_back && !w->m[i].core->disk.lost;
        if (good && (i == p || (member_well(w, i) && passes(w, p, i) && passes(w, i, p))))
            have |= 1u << v;
    }
    return quorum_reached(&r->voters, have);
}

/* Anything about links or members changed: since when has the primary been healthy and linked? */
void inv_i5_links(struct world *w)
{
    w->link_dirty = false;
    if (!healthy_and_linked(w))
        w->linked_since = NEVER;
    else if (w->linked_since == NEVER)
        w->linked_since = w->now;
}

/* I5  with a healthy primary linked (by any path) to a quorum, nothing is ever promoted; no ballot even completes.
 *
 * Operators' commands, and a primary that gives its term up itself, are outside.  "Linked" must have lasted for longer
 * than any lease, or the takeover is the end of an older trouble.  Some plans bring nothing but what a primary must bear. */
void inv_i5_takeover(struct world *w, const struct decided *d)
{
    if (w->commanded || w->released_term >= world_record(w)->term || d->why->has_command)
        return;
    if (w->bearable)
        violate(w, "I5", "%s takes over term %llu, and nothing but a bearable trouble has come to %s",
                world_name(w, world_index(w, d->record.primary)), (unsigned long long)d->record.term,
                world_name(w, world_primary(w)));
    if (w->linked_since == NEVER || w->now - w->linked_since < MS(FIRM_MS) + MS(2 * w->first.lease_ms_max))
        return;
    violate(w, "I5",
            "%s takes over term %llu although %s had been healthy and linked to a quorum for %lld ms",
            world_name(w, world_index(w, d->record.primary)), (unsigned long long)d->record.term,
            world_name(w, world_primary(w)), (long long)((w->now - w->linked_since) / MS(1)));
}

void lemma_waits(struct world *w, int i)
{
    const struct core *c = w->m[i].core;
    int64_t over = span_to_ms(instant_elapsed_most(c->now, c->grant.until));
    if (c->rule == NULL) /* nothing was judged yet */
        return;
    if (strcmp(c->rule, "returning") == 0 && over > c->set.lease_ms)
        violate(w, "L15", "%s waits for a primary that was started anew, %lld ms after its grant ended",
                world_name(w, i), (long long)over);
}
