/* sim_base.h: the simulator's time, its limits, its randomness, and the kinds of what happens. */
#ifndef PGMESH_TESTS_SIM_SIM_BASE_H
#define PGMESH_TESTS_SIM_SIM_BASE_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t ns_t;
#define US(x)      ((ns_t)(x)*1000)
#define MS(x)      ((ns_t)(x)*1000000)
#define SECONDS(x) ((ns_t)(x)*1000000000)
#define NEVER      INT64_MAX

enum {
    SIM_MEMBERS = 10, /* members with a process; persons come on top */
    SIM_PERSONS = 3,  /* two admins and an operator */
    SIM_UNLAWFUL = 64,
    SIM_EVENTS = 1 << 15,
    SIM_BRANCHES = 200, /* histories of WAL */
    SIM_FAULTS = 40,
    SIM_HELD = 24,  /* frames kept by a cut link, to arrive late after the heal */
    SIM_COPIES = 8, /* older copies of a store, for rollbacks */
    SIM_DECIDED = 400,
    SIM_ROSTER = 64,
    SIM_CLIENTS = 2, /* per primary */
    SIM_REPLAY_RING = 32,
};

/* ---- randomness (splitmix64: one multiplication chain, good enough, cheap) ----------------------------------- */
struct rng {
    uint64_t s;
};
static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t z = (r->s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_u64(r) >> 32) * n) >> 32);
}
static inline int64_t rng_range(struct rng *r, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(((unsigned __int128)rng_u64(r) * (uint64_t)(hi - lo + 1)) >> 64);
}
static inline bool rng_chance(struct rng *r, uint32_t permille)
{
    return rng_below(r, 1000) < permille;
}

/* ---- events ---------------------------------------------------------------------------------------------------- */
enum ev_kind {
    EV_PACKET,  /* who: receiver, from: link's peer, a: packet */
    EV_WAKE,    /* who: agent's own deadline */
    EV_SAMPLE,  /* who: the hand posts a sample */
    EV_BOOT,    /* who: the agent starts; a: life */
    EV_GUARD,   /* who: the guard looks at its deadline */
    EV_FREEZE,  /* who: the freezer has done it */
    EV_OP,      /* who: an operation of the hand or of PostgreSQL ends; a: its number */
    EV_PG_TICK, /* who: keepalives, replay, reconnects; a: life of the host */
    EV_WAL,     /* who: standby, from: sender, a: connection, b: LSN */
    EV_CONFIRM, /* who: sender, from: standby, a: connection, b: LSN */
    EV_LEARN,   /* who: primary, from: walsender (or itself: the backends) learns the setting; a: setting */
    EV_CLIENT,  /* who: primary, from: client, a: start of this server */
    EV_FLUSHED, /* who: primary, from: client, a: start, b: LSN of the commit */
    EV_FAULT,   /* a: fault begins */
    EV_HEAL,    /* a: fault ends */
    EV_RESUME,  /* who: what was paused goes on */
    EV_TWIN,    /* the twin's own deadline */
    EV_ORPHANS, /* who: somebody notices that the guard is gone */
    EV_STOP,    /* end of the seed */
};
struct ev {
    ns_t at;
    uint64_t seq;
    uint8_t kind, who, from, pad;
    uint32_t a;
    uint64_t b;
};

#endif
