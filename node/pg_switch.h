/* pg_switch.h: steps on a running server: follow, seal, promote, be primary (docs/protocol.md, "Takeover and
 * seals").
 *
 * All of them are one rewritten pgmesh.conf and one SIGHUP, then questions over a kept connection every millisecond:
 * no pg_ctl, whose waits are 100 ms, and no ALTER SYSTEM. */
#ifndef PGMESH_NODE_PG_SWITCH_H
#define PGMESH_NODE_PG_SWITCH_H

#include "node/pg_act.h"

/* Asks the upstream whether the segment that our replay has reached is still there, under any timeline: false also when
 * that cannot be known, or an archive may have it. */
bool pg_switch_wal_gone(struct hand *h);
/* Upstream and application_name in force; nothing is touched when they are already. */
enum pg_outcome pg_switch_follow(struct hand *h);
/* Of the startup process in pg_stat_activity: does a session hold up replay?  A lock or a pinned page is waited for under its own
 * name, the other conflicts under theirs (15's standby.c). */
#define PG_SWITCH_HELD_UP \
    "coalesce(wait_event LIKE 'RecoveryConflict%' OR wait_event_type IN ('Lock', 'BufferPin'), false)"

/* Takes upstream and restore_command away (OUTCOME_AGAIN); for a server that still starts, too. */
enum pg_outcome pg_switch_cut(struct hand *h);
/* Receives nothing any more, and all local WAL is replayed. */
enum pg_outcome pg_switch_seal(struct hand *h);
/* For a server that has been sealed for long: it looks for WAL, and logs that it does, once a second from now on.  Whatever
 * comes next writes a configuration of its own. */
void pg_switch_calm(struct hand *h);
/* From a standby to the primary of the goal's term on exactly the goal's timeline. */
enum pg_outcome pg_switch_promote(struct hand *h);
/* A primary under GOAL_PROMOTE: if it is not ours of that timeline it must be fenced. */
enum pg_outcome pg_switch_promoted(struct hand *h);
/* A primary under GOAL_PRIMARY or GOAL_INIT. */
enum pg_outcome pg_switch_primary(struct hand *h);
/* A physical slot for every member that may follow.  Standbys have them too, so that a promotion need not make them; there
 * they hold no WAL: one left from a time as primary is made anew, as is a lost one. */
void pg_switch_slots(struct hand *h);

/* Before a start as standby: filler .history files above the highest true one would be taken for the newest timeline. */
void pg_switch_clean_history(struct hand *h);

#endif
