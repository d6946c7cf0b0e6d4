/* guest.h: the connections to us: at most so many, and none of them longer at one thing than it should be.
 *
 *   READING   waits for a request, or for the rest of one; GUEST_READ_MS in all, however many bytes trickle in
 *   WORKING   we owe the answer; no limit here (order.h and snapshot.h have theirs)
 *   WRITING   takes our answer; GUEST_WRITE_MS in all
 *
 * When all places are taken, a newcomer takes that of whoever has been reading for the longest: a thousand clients that
 * never finish their requests push one another out, and a health check, done in a millisecond, is never the oldest. */
#ifndef PGMESH_HTTP_GUEST_H
#define PGMESH_HTTP_GUEST_H

#include "policy/instant.h"

#include <stdint.h>

enum { GUEST_READ_MS = 10000, GUEST_WRITE_MS = 20000 };

enum guest_phase { GUEST_FREE, GUEST_READING, GUEST_WORKING, GUEST_WRITING };
struct guest {
    enum guest_phase phase;
    int fd;
    bool shut; /* was hung up on; its place is free when the library says so */
    instant since;
};
struct guests {
    int limit, n;
    struct guest *of; /* `limit` places */
    uint64_t evicted, late;
};

bool guest_open(struct guests *g, int limit);
void guest_close(struct guests *g);

/* A place, NULL: there is none. */
struct guest *guest_enter(struct guests *g, int fd, instant now);
void guest_leave(struct guests *g, struct guest *who);
void guest_phase(struct guest *who, enum guest_phase phase, instant now);

/* Hangs up on the one who has been reading for the longest, else on the slowest writer; false: there is nobody. */
bool guest_evict(struct guests *g);
/* Hangs up on everybody whose time is over. */
void guest_sweep(struct guests *g, instant now);

#endif
