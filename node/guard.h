/* guard.h: the fence as a process of its own.
 *
 * The guard is the agent's parent.  It knows the lease deadline (node/fence_page.h) and one fence (node/fence.h), locks
 * itself into memory, takes real-time priority where it may, and does four things:
 *
 *   deadline passed while armed      freeze PostgreSQL
 *   deadline of that term raised     thaw it (clients saw a stall)
 *   one lease later, still none      kill it (clients get a reset, not a hang)
 *   agent dead                       start it again at once; with a growing pause only after several quick deaths
 *
 * When it is killed itself, the agent fences and becomes the next guard; when both are, the anchor does
 * (node/guard_anchor.h).
 *
 *            armed, held                 deadline                  + lease
 *   IDLE ───────────────────▶ WATCH ───────────────▶ FROZEN ───────────────▶ KILLED
 *     ▲                         ▲      held again       │                       │
 *     │                         └───────────────────────┘                       │
 *     └──────────────────────────────── disarmed ───────────────────────────────┘
 *
 * It decides nothing else, parses no packet and no configuration: what it needs stands in its arguments. */
#ifndef PGMESH_NODE_GUARD_H
#define PGMESH_NODE_GUARD_H

#include "node/fence.h"
#include "node/fence_page.h"

enum guard_state { GUARD_IDLE, GUARD_WATCH, GUARD_FROZEN, GUARD_KILLED };

/* What the guard keeps between two looks at the page. */
struct guard_watch {
    enum guard_state state;
    uint64_t term;           /* armed */
    struct fence_lease last; /* the last whole deadline read */
    instant frozen_at;
};
enum guard_order { GUARD_ORDER_NONE, GUARD_ORDER_FREEZE, GUARD_ORDER_THAW, GUARD_ORDER_KILL };

/* Pure: what to do now.  `next` is when to look again if nothing changes (instant_never(): on a bell only). */
enum guard_order guard_judge(struct guard_watch *w, uint64_t armed_term, const struct fence_lease *lease,
                             uint32_t lease_ms, instant now, instant *next);

struct guard_options {
    const char *cgroup; /* "auto", "none" or a path */
    const char *name;   /* of the child cgroup */
    const char *data_dir;
    uint32_t lease_ms; /* from freeze to kill */
    uint32_t stop_ms;  /* how long an orderly stop may take before everything is killed */
    bool realtime;
    const char
        *lock; /* file held as long as guard or anchor live, so that a member is started once; NULL: none */
    const char *watchdog; /* device fed while the guard runs, NULL: none */
    char *const *agent;   /* argv of the agent, NULL-terminated */
};

/* Exit statuses of an agent that must not be started again: a configuration that cannot work, a member that must not
 * go on.  0 after an orderly stop. */
enum { GUARD_EXIT_CONFIG = 78, GUARD_EXIT_FATAL = 79 };

/* Runs until told to stop; returns the exit status.  The agent finds in its environment PGMESH_GUARD_PAGE,
 * PGMESH_GUARD_BELL, PGMESH_GUARD_SELF (descriptors; the last a pidfd of the guard, which may be dead before the agent
 * has come up) and PGMESH_CGROUP (path, empty for the ladder). */
int guard_run(const struct guard_options *o);

#endif
