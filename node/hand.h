/* hand.h: the hand on PostgreSQL: takes goals, works towards them on its own threads, posts samples.
 *
 * hand_goal(), hand_sync() and hand_lease() are called by the loop and never block.  Samples leave through `post`, from
 * any of the hand's threads, at once when something changed and every 200 ms anyway.
 *
 *   worker   one goal at a time, one step of pg_act's table after the other; a goal with other contents interrupts it
 *   writer   a kept session that writes and flushes; its silence is the primary's failure
 *   fresh    a new connection every second: a kept one does not notice a hung postmaster
 *   status   what PostgreSQL says of replication, replay and itself */
#ifndef PGMESH_NODE_HAND_H
#define PGMESH_NODE_HAND_H

#include "mesh/io/config.h"
#include "mesh/pg.h"
#include "node/fence.h"
#include "node/fence_page.h"

struct hand_member {
    member_id id;
    char name[NAME_SIZE];
    struct address pg; /* of PostgreSQL; host "" when it has none */
    uint8_t n_mesh;
    struct address mesh[ADDRESSES_MAX]; /* its own, of the cluster file */
};

struct hand_setup {
    const struct config *config; /* must outlive the hand */
    member_id self;
    uint8_t n_members;
    struct hand_member members[MEMBERS_MAX];
    struct fence fence;
    struct fence_page *page; /* never NULL; without a guard a private one */
    int bell;                /* wakes the guard; -1 without one */
    void (*post)(void *arg, const struct pg_sample *sample);
    void *post_arg;
};

struct hand;
/* Checks what can be checked (user, programs, owned parameters) and starts the threads.  A PostgreSQL that an earlier
 * agent started is taken over as it runs.  NULL and a problem otherwise. */
struct hand *hand_open(const struct hand_setup *setup, struct problem *err);

/* Databases that came to the cluster since: those that are known already stay as they are. */
void hand_members(struct hand *h, const struct hand_member *members, unsigned n);

void hand_goal(struct hand *h, const struct pg_goal *goal);
void hand_sync(struct hand *h, const struct pg_sync_order *order);
void hand_lease(struct hand *h, instant until, uint64_t term);

/* Does a PostgreSQL run, or come up, on our directory?  One that an earlier agent started is seen from the start. */
bool hand_runs(struct hand *h);

/* An orderly end: PostgreSQL is stopped as by GOAL_SHUTDOWN whatever the goal was.  hand_is_down() then tells when every
 * process is gone. */
void hand_stop(struct hand *h);
bool hand_is_down(struct hand *h);

/* The agent is about to be replaced: asks for a long lease, and waits until it is held, for at most `ms`.  PostgreSQL and
 * the goal go on. */
void hand_leave(struct hand *h, int ms);

/* Ends the threads.  A PostgreSQL that still runs goes on running. */
void hand_close(struct hand **h);

#endif
