/* watch.h: each database over time: looked at once a second, as an application's own health monitor would. Pure.
 *
 * A success resets the count of failures.  Nothing is decided by it: whether there is a failover is the voters' affair. */
#ifndef PGMESH_HTTP_WATCH_H
#define PGMESH_HTTP_WATCH_H

#include "mesh/io/view.h"

struct watch_database {
    char name[NAME_SIZE];
    bool healthy;
    uint64_t failures;       /* in a row */
    uint64_t failures_total; /* since the start */
    int64_t down_since_us;   /* wall clock, 0: it is healthy */
    int64_t seen_us;         /* when it was last healthy, 0: not since the start */
};
struct watch {
    int n;
    struct watch_database of[DATABASES_MAX];
    uint64_t checks, unanswered; /* looks in all; those at which the member itself did not answer */
    uint64_t recoveries;         /* times that a database became healthy again */
};

/* One look.  v NULL: the member did not answer. */
void watch_look(struct watch *w, const struct view *v, int64_t wall_us);
const struct watch_database *watch_find(const struct watch *w, const char *name);

#endif
