/* ready.h: could the mesh fail over this moment: one judgement for "ready", "drill" and "watch". */
#ifndef PGMESH_INSPECT_READY_H
#define PGMESH_INSPECT_READY_H

#include "mesh/inspect/show.h"

/* Also the exit codes of "pgmesh ready", in the manner of monitoring plugins. */
enum readiness { READY, READY_DEGRADED, READY_NOT };

/* `findings`: sentences, a new reference: what blocks (READY_NOT), or what is not as it should be. */
enum readiness readiness_judge(const struct view *v, const struct view_estimate *e, json_t **findings);

#endif
