/* sim_fault.h: what can go wrong, when and to whom; and the plans that a seed draws from it. */
#ifndef PGMESH_TESTS_SIM_SIM_FAULT_H
#define PGMESH_TESTS_SIM_SIM_FAULT_H

#include "policy/mutant.h"
#include "tests/sim/sim_base.h"

struct world;

/* ---- faults ------------------------------------------------------------------------------------------------------------- */
/* In the order in which they are drawn: another order would be other runs of every seed.  What cuts links stands together, as
 * do the orders of fault.c's table. */
// clang-format off
#define FAULT_LIST(X) \
    X(AGENT_CRASH, "agent-crash", BY_ITSELF)            \
    X(AGENT_CRASH_MID, "agent-crash-mid", HEALED)       \
    X(HOST_CRASH, "host-crash", HEALED)                 \
    X(CLUSTER_RESTART, "cluster-restart", HEALED)       \
    X(AGENTS_RESTART, "agents-restart", AT_ONCE)        \
    X(PG_CRASH, "postmaster-crash", AT_ONCE)            \
    X(PG_HANG, "disk-hang", HEALED)                     \
    X(CUT_MEMBER, "cut-member", HEALED)                 \
    X(CUT_PAIR, "cut-pair", HEALED)                     \
    X(CUT_ONE_WAY, "cut-one-way", HEALED)               \
    X(CUT_OUT, "cut-out", HEALED)                       \
    X(CUT_IN, "cut-in", HEALED)                         \
    X(CUT_SITE, "cut-site", HEALED)                     \
    X(CUT_ALL, "cut-all", HEALED)                       \
    X(CUT_SOME, "cut-some", HEALED)                     \
    X(CUT_REPLICATION, "cut-replication", HEALED)       \
    X(LOSS, "loss", HEALED)                             \
    X(SLOW_NET, "slow-net", HEALED)                     \
    X(DUPLICATES, "duplicates", HEALED)                 \
    X(PAUSE_AGENT, "pause-agent", BY_ITSELF)            \
    X(PAUSE_VM, "pause-vm", BY_ITSELF)                  \
    X(STORE_LOST, "store-lost", BY_ITSELF)              \
    X(DISK_LOST, "disk-lost", HEALED)                   \
    X(DATA_LOST, "data-lost", AT_ONCE)                  \
    X(DISK_RESTORED, "disk-restored", HEALED)           \
    X(ROLLBACK, "rollback", BY_ITSELF)                  \
    X(SLOW_PROMOTE, "slow-promote", HEALED)             \
    X(SLOW_REPLAY, "slow-replay", HEALED)               \
    X(SLOW_DISK, "slow-disk", HEALED)                   \
    X(ENEMY, "enemy", HEALED)                           \
    X(STRAY_TIMELINE, "stray-timeline", AT_ONCE)        \
    X(CMD_PAUSE, "pause", AT_ONCE)                      \
    X(CMD_RESUME, "resume", AT_ONCE)                    \
    X(CMD_SWITCHOVER, "switchover", AT_ONCE)            \
    X(CMD_FAILOVER, "failover", AT_ONCE)                \
    X(CMD_FAILOVER_LOSS, "failover-with-loss", AT_ONCE) \
    X(CMD_READMIT, "readmit", AT_ONCE)                  \
    X(CMD_ASYNC, "async", AT_ONCE)                      \
    X(CMD_SYNC, "sync", AT_ONCE)                        \
    X(CMD_STRICT, "strict", AT_ONCE)                    \
    X(CMD_DATABASE_ADD, "database-add", AT_ONCE)        \
    X(CMD_VOTE_GIVE, "vote-on", AT_ONCE)                \
    X(CMD_VOTE_TAKE, "vote-off", AT_ONCE)               \
    X(CMD_REMOVE, "member-remove", AT_ONCE)             \
    X(CMD_RECOVER, "recover", AT_ONCE)                  \
    X(FORGE, "forge", AT_ONCE)                          \
    X(TWO_STEPS, "two-steps", AT_ONCE)                  \
    X(GUARD_CRASH, "guard-crash", AT_ONCE)              \
    X(TWIN, "twin", AT_ONCE)                            \
    X(UPGRADE, "upgrade", BY_ITSELF)                    \
    X(DOWNGRADE, "downgrade", BY_ITSELF)                \
    X(ROTATE, "rotate-key", AT_ONCE)                    \
    X(KEY_THIEF, "key-thief", AT_ONCE)
enum fault_kind {
#define X(name, text, end) FAULT_##name,
    FAULT_LIST(X)
#undef X
    FAULT_COUNT
};
// clang-format on
/* How it ends. */
enum fault_end {
    AT_ONCE,   /* nothing of it lasts */
    BY_ITSELF, /* what it began has its own end */
    HEALED     /* fault_heal() ends it */
};
/* What a fault waits for, once its time has come: a moment inside a takeover. */
enum when {
    WHEN_NOW,
    WHEN_PREPARE,
    WHEN_PROMISE,
    WHEN_SEALED,
    WHEN_ACCEPT,
    WHEN_ACCEPTED,
    WHEN_DECIDED,
    WHEN_PROMOTING,
    WHEN_RELEASE,
    WHEN_JOINT
};
enum target { TARGET_MEMBER, TARGET_PRIMARY, TARGET_STANDBY, TARGET_VOTER, TARGET_PROPOSER };
struct fault {
    enum fault_kind kind;
    enum when when;
    enum target target;
    int who, other; /* indices; -1: to be drawn when it begins */
    ns_t at, lasts; /* lasts 0: no heal */
    uint32_t arg;
    bool armed, begun, healed;
    uint32_t links; /* CUT_SOME: seed of the subset */
    int skip;       /* that many such moments pass first */
    bool prompt;    /* without a delay of the world's own */
    ns_t delay;     /* after the moment */
};

/* ---- plans ------------------------------------------------------------------------------------------------------------ */
struct bias {
    enum mutant mutant;
    uint8_t weight[FAULT_COUNT];                        /* 0: as usual */
    uint8_t only;                                       /* nothing but the weighted ones */
    uint8_t extreme_clocks, long_lease_max, durability; /* durability + 1 */
    uint8_t databases, witnesses, k;
    uint8_t when; /* 1: most faults wait for a moment inside a takeover */
    uint8_t slow_freeze;
    uint8_t slow_wal;                 /* standbys far apart */
    uint8_t slow_learn;               /* walsenders learn a new setting late */
    uint8_t mixed;                    /* members run different programs from the start */
    uint8_t quiet;                    /* one site, a network and clocks that do as they should */
    uint8_t short_grace;              /* a boot grace below the lease: it is no safety rule */
    uint8_t moment;                   /* enum when: most of what waits, waits for this */
    void (*directed)(struct world *); /* instead of drawing: a plan that leads there */
};
const struct bias *mutant_bias(enum mutant m);
void plan_draw(struct world *w);
void plan_add(struct world *w, const struct fault *f);
void plan_two_takeovers(struct world *w);
void plan_shorter_lease(struct world *w);
void plan_slow_proposer(struct world *w);
void plan_seal_forgotten(struct world *w);
void plan_second_takeover(struct world *w);
void plan_joint_grows(struct world *w);
void plan_set_grows(struct world *w);
void plan_restored_standby(struct world *w);
void plan_restored_primary(struct world *w);
void plan_voters_restart(struct world *w);
void plan_accept_forgotten(struct world *w);
void plan_joint_lost(struct world *w);
void plan_restart_undecided(struct world *w);
void plan_agent_returns(struct world *w);
void plan_agent_deaf(struct world *w);
void plan_two_steps(struct world *w);
void plan_forged_voters(struct world *w);
void plan_former_life(struct world *w);
void plan_retired_key(struct world *w);
void plan_new_key(struct world *w);
void plan_sealed_alone(struct world *w);
void plan_rolling_upgrade(struct world *w);
void plan_majority_lost(struct world *w);
void plan_recover_early(struct world *w);
void plan_votes(struct world *w);
void fault_begin(struct world *w, int f);
void fault_heal(struct world *w, int f);
void fault_moment(struct world *w, enum when when, int who);
const char *fault_name(enum fault_kind k);
enum fault_end fault_end(enum fault_kind k);
bool fault_parse(const char *text, enum fault_kind *k);

#endif
