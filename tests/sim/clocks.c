/* clocks.c: two bent clocks on every host, both within 1 % of real time unless a drift was asked for (--drift); they stop
 * while the VM is paused. */
#include "tests/sim/sim.h"

static int64_t reading(const struct clock *c, ns_t now)
{
    if (c->stopped)
        return c->base;
    ns_t d = now - c->since;
    return c->base + d + d / 1000 * c->ppm / 1000;
}

static void rebase(struct clock *c, ns_t now)
{
    c->base = reading(c, now);
    c->since = now;
}

void clocks_draw(struct world *w, int i, int32_t boot_ppm, int32_t raw_ppm)
{
    struct sim_member *m = &w->m[i];
    m->boot = (struct clock){w->now, rng_range(&w->rng, SECONDS(1), SECONDS(100000)), boot_ppm, false};
    m->raw = (struct clock){w->now, m->boot.base - rng_range(&w->rng, 0, SECONDS(1) / 2), raw_ppm, false};
}

instant clocks_now(const struct world *w, int i)
{
    return (instant){reading(&w->m[i].boot, w->now), reading(&w->m[i].raw, w->now)};
}

static ns_t when(const struct world *w, const struct clock *c, int64_t target)
{
    int64_t left = target - reading(c, w->now);
    if (left <= 0)
        return w->now;
    if (left > SECONDS(1000))
        return NEVER / 2;
    ns_t real = left - left / 1000 * c->ppm / (1000000 + c->ppm) * 1000;
    if (real < 1)
        real = 1;
    return w->now + real;
}

ns_t clocks_when(const struct world *w, int i, instant t)
{
    ns_t a = when(w, &w->m[i].boot, t.boot_ns), b = when(w, &w->m[i].raw, t.raw_ns);
    return a < b ? a : b;
}

ns_t clocks_when_all(const struct world *w, int i, instant t)
{
    ns_t a = when(w, &w->m[i].boot, t.boot_ns), b = when(w, &w->m[i].raw, t.raw_ns);
    return a > b ? a : b;
}

void clocks_stop(struct world *w, int i)
{
    struct clock *both[] = {&w->m[i].boot, &w->m[i].raw};
    for (int c = 0; c < 2; c++) {
        rebase(both[c], w->now);
        both[c]->stopped = true;
    }
}

void clocks_go(struct world *w, int i)
{
    struct clock *both[] = {&w->m[i].boot, &w->m[i].raw};
    for (int c = 0; c < 2; c++) {
        both[c]->since = w->now;
        both[c]->stopped = false;
    }
}
