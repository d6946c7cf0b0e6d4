/* plan.c: what will go wrong, drawn by seed: one to eight faults, most of them short, then everything heals.
 *
 * For each mutant a bias: the faults, layout and clocks under which the rule left out matters.  The same biases without
 * the mutant must stay clean (mutants.sh), so a bias can never be what rings the alarm. */
#include <string.h>

#include "sim.h"

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
    [FAULT_CMD_READMIT] = 3,
};

#define SYNC    .durability = DURABILITY_SYNC + 1
#define CRASHES [FAULT_AGENT_CRASH] = 20, [FAULT_AGENT_CRASH_MID] = 40, [FAULT_AGENTS_RESTART] = 20
#define CUTS \
    [FAULT_CUT_MEMBER] = 20, [FAULT_CUT_OUT] = 20, [FAULT_CUT_IN] = 20, [FAULT_CUT_SOME] = 30, \
    [FAULT_CUT_ONE_WAY] = 20
static const struct bias biases[] = {
    {.mutant = MUTANT_ACCEPT_UNDER_GRANT, .only = 1, .weight = {CUTS, CRASHES}},
    {.mutant = MUTANT_GRANT_AFTER_PROMISE,
     .only = 1,
     .weight = {CUTS, [FAULT_PAUSE_AGENT] = 30, [FAULT_AGENT_CRASH] = 10},
     .when = 1},
    {.mutant = MUTANT_LEASE_FROM_RECEIPT,
     .only = 1,
     .weight = {[FAULT_PAUSE_AGENT] = 60, [FAULT_CUT_MEMBER] = 20, [FAULT_SLOW_NET] = 30}},
    {.mutant = MUTANT_ONE_GRANT, .only = 1, .weight = {CUTS}},
    {.mutant = MUTANT_GRANT_OLD_TERM, .only = 1, .weight = {CUTS, [FAULT_PAUSE_AGENT] = 30}},
    {.mutant = MUTANT_NO_MARGIN,
     .only = 1,
     .weight = {[FAULT_CUT_MEMBER] = 60, [FAULT_CUT_OUT] = 20},
     .extreme_clocks = 1,
     .slow_freeze = 1},
    {.mutant = MUTANT_NO_QUARANTINE_PROMISE, .only = 1, .weight = {CUTS, CRASHES}},
    {.mutant = MUTANT_NO_QUARANTINE_ACCEPT, .only = 1, .weight = {CUTS, CRASHES}, .when = 1},
    {.mutant = MUTANT_PROMISE_NOT_DURABLE, .only = 1, .weight = {CUTS, CRASHES}, .when = 1},
    {.mutant = MUTANT_ACCEPT_NOT_DURABLE, .only = 1, .weight = {CUTS, CRASHES}, .when = 1},
    {.mutant = MUTANT_IGNORE_ACCEPTED, .only = 1, .weight = {CUTS, CRASHES}, .when = 1},
    {.mutant = MUTANT_VOTERS_ONE_STEP,
     .only = 1,
     .weight = {[FAULT_STORE_LOST] = 40, [FAULT_CMD_READMIT] = 60, CUTS}},
    {.mutant = MUTANT_LONGER_LEASE_READ, .only = 1, .weight = {CUTS}},
    {.mutant = MUTANT_RENEWAL_SHORTENS,
     .only = 1,
     .weight = {CUTS, [FAULT_SLOW_NET] = 40, [FAULT_LOSS] = 40},
     .long_lease_max = 1},
    {.mutant = MUTANT_FORGET_PROPOSAL,
     .only = 1,
     .weight = {CUTS, CRASHES, [FAULT_CMD_READMIT] = 20, [FAULT_STORE_LOST] = 10}},
    {.mutant = MUTANT_RELEASE_NOT_FINAL,
     .only = 1,
     .weight = {[FAULT_PG_CRASH] = 60, [FAULT_CUT_SOME] = 20, [FAULT_PAUSE_AGENT] = 20, CRASHES}},
    {.mutant = MUTANT_NO_SEALING,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, [FAULT_CUT_REPLICATION] = 30, CUTS},
     SYNC,
     .databases = 3,
     .k = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_SEALS_N_MINUS_K,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, [FAULT_CUT_REPLICATION] = 30, CUTS},
     SYNC,
     .databases = 3,
     .k = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_NOT_BEST_SEALED,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 60, [FAULT_CUT_REPLICATION] = 20},
     SYNC,
     .databases = 3,
     .k = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_PROPOSED_NOT_SEALED,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 60, [FAULT_CUT_REPLICATION] = 30, CUTS},
     SYNC,
     .databases = 3,
     .k = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_SEAL_NOT_DURABLE,
     .only = 1,
     .weight = {CUTS, CRASHES, [FAULT_PAUSE_VM] = 30},
     SYNC,
     .when = 1},
    {.mutant = MUTANT_TAKEOVER_SHRINKS_SYNC,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, CUTS, [FAULT_CUT_REPLICATION] = 20},
     SYNC,
     .databases = 3,
     .k = 1,
     .when = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_JOINT_NO_CATCHUP,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, [FAULT_CUT_REPLICATION] = 60},
     SYNC,
     .databases = 3,
     .k = 1,
     .when = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_JOINT_SECOND_IGNORED,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, [FAULT_CUT_REPLICATION] = 60},
     SYNC,
     .databases = 4,
     .k = 1,
     .when = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_SYNC_WITHOUT_JOINT,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, [FAULT_CUT_REPLICATION] = 60},
     SYNC,
     .databases = 4,
     .k = 1,
     .when = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_EMPTY_SYNC_ANYBODY,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 50, [FAULT_CUT_REPLICATION] = 50},
     SYNC,
     .databases = 2},
    {.mutant = MUTANT_RECLONED_COUNTS,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, [FAULT_DISK_LOST] = 40, [FAULT_CUT_REPLICATION] = 20},
     SYNC,
     .databases = 3,
     .slow_wal = 1},
    {.mutant = MUTANT_FOLLOW_UNDECIDED,
     .only = 1,
     .weight = {CUTS, CRASHES, [FAULT_PAUSE_VM] = 20},
     SYNC,
     .when = 1},
    {.mutant = MUTANT_PROMOTE_UNDECIDED, .only = 1, .weight = {CUTS, CRASHES}, .when = 1},
    {.mutant = MUTANT_TIMELINE_COLLIDES,
     .only = 1,
     .weight = {[FAULT_STRAY_TIMELINE] = 40, [FAULT_HOST_CRASH] = 60}},
    {.mutant = MUTANT_RELEASE_SKIPS_SEALING,
     .only = 1,
     .weight = {[FAULT_PG_CRASH] = 60, [FAULT_CUT_REPLICATION] = 30, [FAULT_CUT_MEMBER] = 30},
     SYNC,
     .databases = 3,
     .k = 1,
     .slow_wal = 1},
    {.mutant = MUTANT_LSN_BEFORE_CUT,
     .only = 1,
     .weight = {[FAULT_PAUSE_VM] = 20, [FAULT_CUT_OUT] = 40, [FAULT_CUT_SOME] = 40, [FAULT_PAUSE_AGENT] = 20},
     SYNC,
     .databases = 3},
    {.mutant = MUTANT_SERVE_OTHER_DIR,
     .only = 1,
     .weight = {[FAULT_DATA_LOST] = 60, [FAULT_STORE_LOST] = 40, [FAULT_DISK_LOST] = 40},
     SYNC},
    {.mutant = MUTANT_NO_SELF_EXEMPTION,
     .only = 1,
     .weight = {[FAULT_CLUSTER_RESTART] = 60, [FAULT_AGENTS_RESTART] = 60}},
    {.mutant = MUTANT_UNDECIDED_WEDGES, .only = 1, .weight = {CUTS, CRASHES}, .when = 1},
    {.mutant = MUTANT_SEALED_FOREVER, .only = 1, .weight = {CUTS, [FAULT_PAUSE_AGENT] = 40}, .when = 1},
    {.mutant = MUTANT_JOINT_NO_WAY_BACK,
     .only = 1,
     .weight = {[FAULT_HOST_CRASH] = 40, [FAULT_CUT_REPLICATION] = 60},
     SYNC,
     .databases = 3,
     .when = 1},
    {.mutant = MUTANT_AMNESIAC_VOTES,
     .only = 1,
     .weight = {[FAULT_STORE_LOST] = 60, [FAULT_HOST_CRASH] = 30}},
    {.mutant = MUTANT_NO_INCARNATION_CHECK,
     .only = 1,
     .weight = {[FAULT_ROLLBACK] = 60, [FAULT_HOST_CRASH] = 30, CUTS}},
    {.mutant = MUTANT_GUARD_SLEEPS, .only = 1, .weight = {[FAULT_CUT_MEMBER] = 50, [FAULT_PAUSE_AGENT] = 50}},
};

const struct bias *mutant_bias(enum mutant m)
{
    for (size_t i = 0; i < sizeof biases / sizeof biases[0]; i++)
        if (biases[i].mutant == m)
            return &biases[i];
    return NULL;
}

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

static bool lasting(enum fault_kind k)
{
    switch (k) {
    case FAULT_PG_CRASH:
    case FAULT_DATA_LOST:
    case FAULT_STRAY_TIMELINE:
    case FAULT_AGENTS_RESTART:
    case FAULT_TWIN:
    case FAULT_CMD_PAUSE:
    case FAULT_CMD_RESUME:
    case FAULT_CMD_SWITCHOVER:
    case FAULT_CMD_FAILOVER:
    case FAULT_CMD_FAILOVER_LOSS:
    case FAULT_CMD_READMIT: return false;
    default: return true;
    }
}

static enum target draw_target_kind(struct world *w, enum fault_kind k)
{
    switch (k) {
    case FAULT_PG_CRASH:
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
    case FAULT_CMD_READMIT: return TARGET_VOTER;
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
    if (!lasting(k))
        return 0;
    if (k == FAULT_AGENT_CRASH || k == FAULT_AGENT_CRASH_MID || k == FAULT_ROLLBACK || k == FAULT_STORE_LOST)
        return MS(rng_range(&w->rng, 3, rng_chance(&w->rng, 700) ? 100 : 900));
    if (rng_chance(&w->rng, 350))
        return MS(rng_range(&w->rng, 5, 400));
    return MS(rng_range(&w->rng, 400, rng_chance(&w->rng, 250) ? 3500 : 1500));
}

static void add(struct world *w, const struct fault *f)
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
            if (rng_chance(&w->rng, 300))
                f.target = TARGET_PROPOSER;
            f.at = from;
        }
        if (f.at + f.lasts > end)
            end = f.at + f.lasts;
        add(w, &f);
    }
    w->healed_at = end + MS(50);
}
