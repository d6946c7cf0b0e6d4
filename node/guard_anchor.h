/* guard_anchor.h: what is left when guard and agent are killed in the same moment.
 *
 * The anchor is a child of the guard, in a session of its own.  It does nothing until the guard is gone; then
 *
 *   the agent fences and says so on the page (dismissed)   the anchor goes
 *   the agent is gone too                                  it kills PostgreSQL at once
 *   the agent neither fences nor ends, armed, and the
 *   deadline on the page has passed                        it kills PostgreSQL
 *
 * That both are gone shows as the end of a pipe whose other end only they hold: no process id that could be borne by
 * another.  It starts nothing and thaws nothing; what it leaves behind is what the next guard's start expects. */
#ifndef PGMESH_NODE_GUARD_ANCHOR_H
#define PGMESH_NODE_GUARD_ANCHOR_H

#include <sys/types.h>

#include "node/fence.h"
#include "node/fence_page.h"

/* Pure: what to do after the guard's death.  `alone`: the agent is gone as well. */
enum anchor_verdict { ANCHOR_WAIT, ANCHOR_LEAVE, ANCHOR_KILL };
enum anchor_verdict guard_anchor_judge(bool alone, bool dismissed, uint64_t armed_term,
                                       const struct fence_lease *lease, instant now);

/* Forks it.  `agent` is the argv of the agent (writable), wiped out of the anchor's own: whoever looks for agents by their arguments
 * must not find it.  `guard` is a pidfd of the guard, *life is the pipe's end to keep open and to hand on to agents (made by the first call; -1 before).
 * `watchdog`, if not -1, stays the guard's alone.  The anchor's process id, or -1. */
pid_t guard_anchor_start(const struct fence *fence, struct fence_page *page, int guard, int life[static 2],
                         int watchdog, char *const *agent);

#endif
