/* pg_roles.h: a new or adopted directory, and the roles that pgmesh works under, none of them a superuser:
 *
 *   pgmesh              this agent, over the socket: monitoring, checkpoints, promotion
 *   pgmesh_replication  standbys, base backups
 *   pgmesh_rewind       pg_rewind's reads of the source's files
 *   pgmesh_observer     probes of the observers: connects, nothing else
 *
 * Their passwords stand in pg.pass.  A superuser is needed once, at the first start, as `user` over the socket. */
#ifndef PGMESH_NODE_PG_ROLES_H
#define PGMESH_NODE_PG_ROLES_H

#include "mesh/io/problem.h"
#include "node/pg_act.h"

/* GOAL_INIT without data. */
enum pg_outcome pg_roles_initdb(struct hand *h);
/* GOAL_INIT with data: REACHED when it may be started. */
enum pg_outcome pg_roles_adopt(struct hand *h);
/* Makes the roles, once, on the directory that was made or adopted here. Not under GOAL_INIT alone: the mesh decides the
 * record of a primary as soon as it runs, and the goal is then another. */
bool pg_roles_ensure(struct hand *h, struct problem *err);

#endif
