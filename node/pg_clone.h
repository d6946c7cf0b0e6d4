/* pg_clone.h: makes our directory a copy of the primary's again: by pg_rewind, or whole by pg_basebackup.
 *
 * pg_rewind is asked for only after a CHECKPOINT on the source (on PostgreSQL 15 it would otherwise say "no rewind
 * required" after a promotion, and leave a standby that never catches up); what the lost timeline held is put aside
 * first, into DATA.diverged/TIME, with a summary.  While it runs, a note in the state directory marks ours as torn: a
 * torn directory is good for nothing but to be cloned.  A clone is made beside it, in DATA.new, and swapped in; the old
 * one stays as DATA.old until the clone streams.  If it holds what could not be put aside it stays until the next clone.
 * Of DATA.diverged the newest two remain. */
#ifndef PGMESH_NODE_PG_CLONE_H
#define PGMESH_NODE_PG_CLONE_H

#include "node/pg_act.h"

enum pg_outcome pg_clone_backup(struct hand *h);
enum pg_outcome pg_clone_rewind(struct hand *h);
/* The standby streams: the directory before the clone may go.  Cheap when there is none; removes without waiting. */
void pg_clone_tidy(struct hand *h);

#endif
