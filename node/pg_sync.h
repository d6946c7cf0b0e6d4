/* pg_sync.h: changes synchronous_standby_names on a running primary and proves that the change is in force
 * (docs/protocol.md, "The sync set").
 *
 * "In force" cannot be read anywhere: a stopped walsender goes on under the old setting.  So: a fresh session sees the
 * new setting (the postmaster has signalled every process by then), a WAL record is written, and every walsender of
 * either set has confirmed past it, or was terminated and is gone.  From the empty set the checkpointer must also have
 * told the backends that there is something to wait for: a name that nobody bears is set first, until a commit of ours
 * is seen to wait. */
#ifndef PGMESH_NODE_PG_SYNC_H
#define PGMESH_NODE_PG_SYNC_H

#include <stdbool.h>

struct hand;

/* Works on the newest order, if there is one; the worker's.  false: nothing to do. */
bool pg_sync_work(struct hand *h);

#endif
