/* agent.h: the agent's life: the loop on one side, the hand on PostgreSQL or the observer on the other. */
#ifndef PGMESH_NODE_AGENT_H
#define PGMESH_NODE_AGENT_H

#include "mesh/io/folder.h"

/* Can the member run with this configuration, as far as can be told without starting? */
bool agent_check(const struct folder *f, struct problem *err);
/* Becomes the guard, which starts the agent; returns only when that failed. */
bool agent_become_guard(const struct folder *f, const char *config_path, struct problem *err);
/* Runs until told to stop; the exit status. */
int agent_run(struct folder *f, const char *config_path);

#endif
