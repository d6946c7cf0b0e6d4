/* pg_stop.h: a clean stop, and what it waits for when it does not come to its end.
 *
 * PostgreSQL's fast stop waits for every session to end and for every walsender to drain, however long that takes.  A
 * process that somebody stopped (SIGSTOP, a debugger that was left) never ends by itself: it is told to go on, where a
 * cgroup tells that it is PostgreSQL's and the guard's freeze does not work by signals.  What is waited for is told in the
 * sample's detail and, once for each stop, in the log. */
#ifndef PGMESH_NODE_PG_STOP_H
#define PGMESH_NODE_PG_STOP_H

#include <sys/types.h>

#include "node/pg_act.h"

/* One turn of it: the checkpoint and the order first, then it waits.  Interrupted by a goal that cannot wait. */
enum pg_outcome pg_stop_cleanly(struct hand *h);
/* Kills what a process of PostgreSQL's has started and waits for: a command of the shell.  How many. */
int pg_stop_commands(struct hand *h, pid_t parent);

#endif
