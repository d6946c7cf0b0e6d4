/* route_file.h: the applications' connection strings on an observer's host, each one line, replaced by rename, mode 0644:
 *
 *   FILE       (route_file)  the primary alone: one host, found at once
 *   FILE.all   all databases, the primary first, with target_session_attrs=read-write: good even while it is stale
 *
 * A route never goes back to a lower term, across restarts too: the highest is kept in STATE/route.term. */
#ifndef PGMESH_NODE_ROUTE_FILE_H
#define PGMESH_NODE_ROUTE_FILE_H

#include "node/hand.h"

/* The highest term that was ever routed to here; 0: none, or it cannot be read. */
uint64_t route_file_term(const struct config *c);
/* Keeps the term, then writes both files.  true when all of it stands. */
bool route_file_write(const struct config *c, const struct hand_member *members, int n,
                      const struct routing *r, struct problem *err);

#endif
