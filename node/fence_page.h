/* fence_page.h: the page of memory that the guard and the agent share: until when PostgreSQL may acknowledge.
 *
 * The agent writes the lease deadline and the term for which PostgreSQL is armed; the guard reads them and writes back
 * what it did.  The deadline stands under a sequence lock; an agent that dies while writing leaves the lock odd, and the
 * guard goes on with the last whole deadline, which is never later than the one that was being written is allowed to be.
 *
 *   not armed   no PostgreSQL runs as primary (none, or a standby): the guard leaves it alone
 *   armed T     PostgreSQL runs, or may at any moment run, as the primary of term T: it must be frozen whenever no
 *               deadline of term T lies ahead
 *
 * After an upgrade a new agent runs under the old guard until the service is restarted, so the page says how it is laid out.
 * A change of this struct, or of what a field means, is a new number; an agent refuses a page whose number it does not know
 * (fence_page_known), since a deadline in the wrong place would fence nothing.
 *
 * The agent arms before it starts or promotes a primary and waits until the guard has seen it (fence_page_arm); it
 * disarms when every process is confirmed dead. */
#ifndef PGMESH_NODE_FENCE_PAGE_H
#define PGMESH_NODE_FENCE_PAGE_H

#include <stdatomic.h>
#include <stddef.h>

#include "policy/instant.h"

enum { FENCE_PAGE_LAYOUT = 1 };
struct fence_page {
    /* by the agent */
    _Atomic uint32_t lock; /* odd: being written */
    /* by the guard, once; in no layout anywhere else.  0: a guard from before there were numbers, whose layout was 1 */
    _Atomic uint32_t layout;
    _Atomic uint64_t lease_term;
    _Atomic int64_t boot_ns, raw_ns;
    _Atomic uint64_t armed_term; /* 0: not armed */
    _Atomic uint32_t
        dismissed; /* PostgreSQL is fenced and another guard takes over: this page means nothing any more */
    /* by the guard */
    _Atomic uint64_t seen_term; /* the armed_term it acts on */
    _Atomic uint32_t frozen;    /* it holds PostgreSQL frozen */
    _Atomic uint32_t freezes, thaws, kills;
    _Atomic int64_t thawed_boot_ns; /* when it thawed last */
};

_Static_assert(offsetof(struct fence_page, layout) == 4 && sizeof(struct fence_page) == 80,
               "another layout: give it the next number");

struct fence_lease {
    uint64_t term;
    instant until;
};

/* Both programs run this.  Reads both clocks. */
instant fence_now(void);

/* Makes a page (the guard), or maps one by its descriptor (the agent).  NULL on failure. */
struct fence_page *fence_page_make(int *fd);
struct fence_page *fence_page_map(int fd);
/* Is its layout one that this program knows? */
bool fence_page_known(const struct fence_page *page);

/* The guard's read; false: the page is being written, *out is untouched. */
bool fence_page_read(struct fence_page *page, struct fence_lease *out);

/* The agent's side.  `bell` is an eventfd that wakes the guard; -1: nobody to wake. */
void fence_page_lease(struct fence_page *page, int bell, instant until, uint64_t term);
/* Is a deadline for that term still ahead? */
bool fence_page_held(struct fence_page *page, uint64_t term);
/* Arms for `term`; true once the guard acts on it (at most `wait_ms` later), or at once without a guard. */
bool fence_page_arm(struct fence_page *page, int bell, uint64_t term, int wait_ms);
void fence_page_disarm(struct fence_page *page, int bell);

#endif
