/* plan.c: what will go wrong, drawn by seed: one to eight faults, most of them short, then everything heals. */
#include <string.h>

#include "tests/sim/sim.h"

/* How often each fault is drawn, out of the sum. */
static const uint8_t usual[FAULT_COUNT] = {
    [FAULT_AGENT_CRASH] = 8,     [FAULT_AGENT_CRASH_MID] = 10,
    [FAULT_HOST_CRASH] = 14,     [FAULT_CLUSTER_RESTART] = 2,
    [FAULT_AGENTS_RESTART] = 3,  [FAULT_PG_CRASH] = 6,
    [FAULT_PG_HANG] = 3,         [FAULT_CUT_MEMBER] = 12,
    [FAULT_CUT_PAIR] = 6,        [FAULT_CUT_ONE_WAY] = 5,
    [FAULT_CUT_OUT] = 4,         [FAULT_CUT_IN] = 4,
    [FAULT_CUT_SITE] = 5,        [FAULT_CUT_SOME] = 6,
    [FAULT_CUT_REPLICATION] = 5, [FAULT_LOSS] = 5,
    [FAULT_SLOW_NET] = 3,        [FAULT_DUPLICATES] = 3,
    [FAULT_PAUSE_AGENT] = 6,     [FAULT_PAUSE_VM] = 5,
    [FAULT_STORE_LOST] = 2,      [FAULT_DISK_LOST] = 2,
    [FAULT_DATA_LOST] = 1,       [FAULT_ROLLBACK] = 2,
    [FAULT_SLOW_PROMOTE] = 3,    [FAULT_SLOW_REPLAY] = 2,
    [FAULT_SLOW_DISK] = 3,       [FAULT_ENEMY] = 4,
    [FAULT_STRAY_TIMELINE] = 2,  [FAULT_CMD_PAUSE] = 1,
    [FAULT_CMD_RESUME] = 1,      [FAULT_CMD_SWITCHOVER] = 4,
    [FAULT_CMD_FAILOVER] = 2,    [FAULT_CMD_FAILOVER_LOSS] = 1,
    [FAULT_CMD_READMIT] = 3,     [FAULT_GUARD_CRASH] = 4,
    [FAULT_CMD_ASYNC] = 1,       [FAULT_CMD_SYNC] = 2,
    [FAULT_CMD_STRICT] = 1,      [FAULT_CMD_DATABASE_ADD] = 3,
    [FAULT_CMD_VOTE_GIVE] = 4,   [FAULT_CMD_VOTE_TAKE] = 4,
    [FAULT_CMD_REMOVE] = 2,      [FAULT_FORGE] = 1,
    [FAULT_UPGRADE] = 3,         [FAULT_DOWNGRADE] = 2,
    [FAULT_ROTATE] = 4,
};

static enum fault_kind draw_kind(struct world *w, const uint8_t *weight)
{
    uint32_t sum = 0;
    for (int k = 0; k < FAULT_COUNT; k++)
        sum += weight[k];
    uint32_t at = rng_below(&w->rng, sum);
    int k = 0;
    for (; at >= weight[k]; k++)
        at -= weight[k];
    return (enum fault_kind)k;
}

static enum target draw_target_kind(struct world *w, enum fault_kind k)
{
    switch (k) {
    case FAULT_PG_CRASH:
    case FAULT_GUARD_CRASH:
    case FAULT_PG_HANG: return rng_chance(&w->rng, 800) ? TARGET_PRIMARY : TARGET_STANDBY;
    case FAULT_SLOW_PROMOTE:
    case FAULT_SLOW_REPLAY:
    case FAULT_STRAY_TIMELINE:
    case FAULT_CMD_SWITCHOVER:
    case FAULT_CMD_FAILOVER:
    case FAULT_CMD_FAILOVER_LOSS: return TARGET_STANDBY;
    case FAULT_DATA_LOST:
    case FAULT_DISK_LOST: return rng_chance(&w->rng, 500) ? TARGET_STANDBY : TARGET_MEMBER;
    case FAULT_STORE_LOST:
    case FAULT_ROLLBACK:
    case FAULT_CMD_VOTE_GIVE:
    case FAULT_CMD_VOTE_TAKE:
    case FAULT_CMD_REMOVE:
    case FAULT_CMD_READMIT: return TARGET_VOTER;
    case FAULT_CMD_DATABASE_ADD:
    case FAULT_FORGE: return TARGET_STANDBY;
    default: break;
    }
    uint32_t r = rng_below(&w->rng, 100);
    return r < 45 ? TARGET_PRIMARY : r < 70 ? TARGET_MEMBER : r < 85 ? TARGET_STANDBY : TARGET_VOTER;
}

static uint32_t draw_arg(struct world *w, enum fault_kind k)
{
    switch (k) {
    case FAULT_LOSS: return 10 + rng_below(&w->rng, 290);
    case FAULT_SLOW_NET: return 10 + rng_below(&w->rng, 200);
    case FAULT_DUPLICATES: return 50 + rng_below(&w->rng, 300);
    case FAULT_SLOW_PROMOTE: return 300 + rng_below(&w->rng, 4700);
    case FAULT_SLOW_REPLAY: return 100 + rng_below(&w->rng, 2000);
    case FAULT_SLOW_DISK: return 10 + rng_below(&w->rng, rng_chance(&w->rng, 200) ? 400 : 60);
    default: return (uint32_t)rng_u64(&w->rng) & 0xffff;
    }
}

static ns_t draw_lasts(struct world *w, enum fault_kind k)
{
    if (fault_end(k) == AT_ONCE)
        return 0;
    if (k == FAULT_AGENT_CRASH || k == FAULT_AGENT_CRASH_MID || k == FAULT_ROLLBACK ||
        k == FAULT_STORE_LOST || k == FAULT_UPGRADE || k == FAULT_DOWNGRADE)
        return MS(rng_range(&w->rng, 3, rng_chance(&w->rng, 700) ? 100 : 900));
    if (rng_chance(&w->rng, 350))
        return MS(rng_range(&w->rng, 5, 400));
    return MS(rng_range(&w->rng, 400, rng_chance(&w->rng, 250) ? 3500 : 1500));
}

void plan_add(struct world *w, const struct fault *f)
{
    if (w->n_faults == SIM_FAULTS)
        return;
    int index = w->n_faults++;
    w->fault[index] = *f;
    world_push(w, f->at, EV_FAULT, 0, 0, (uint32_t)index, 0);
    if (f->lasts && f->when == WHEN_NOW)
        world_push(w, f->at + f->lasts, EV_HEAL, 0, 0, (uint32_t)index, 0);
}

void plan_draw(struct world *w)
{
    if (w->bias && w->bias->directed) {
        w->bias->directed(w);
        return;
    }
    if (w->votes_change) {
        plan_votes(w);
        return;
    }
    uint8_t weight[FAULT_COUNT];
    for (int k = 0; k < FAULT_COUNT; k++)
        weight[k] = (uint8_t)((w->bias && w->bias->only ? 0 : usual[k]) + (w->bias ? w->bias->weight[k] : 0));
    w->plan_rolls_back = weight[FAULT_ROLLBACK] > 0;
    uint32_t many = rng_chance(&w->rng, 300) ? 8 : 4;
    if (w->bias && many < 6)
        many = 6;
    int n = 1 + (int)rng_below(&w->rng, many);
    ns_t from = MS(600 + rng_below(&w->rng, 700)), spread = MS(600 + rng_below(&w->rng, 2500));
    ns_t end = from;
    for (int i = 0; i < n; i++) {
        struct fault f = {.kind = draw_kind(w, weight), .who = -1, .other = -1};
        f.at = from + rng_range(&w->rng, 0, spread);
        f.target = draw_target_kind(w, f.kind);
        f.lasts = draw_lasts(w, f.kind);
        f.arg = draw_arg(w, f.kind);
        f.links = (uint32_t)rng_u64(&w->rng);
        bool waits = rng_chance(&w->rng, w->bias && w->bias->when ? 500 : 200);
        if (waits && i > 0) {
            f.when = (enum when)(1 + rng_below(&w->rng, WHEN_JOINT));
            if (w->bias && w->bias->moment && rng_chance(&w->rng, 700))
                f.when = (enum when)w->bias->moment;
            if (rng_chance(&w->rng, 300))
                f.target = TARGET_PROPOSER;
            f.at = from;
        }
        if (f.at + f.lasts > end)
            end = f.at + f.lasts;
        plan_add(w, &f);
    }
    w->healed_at = end + MS(50);
}
