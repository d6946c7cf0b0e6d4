/* problems.h: a problem that mesh/io found, told by the inspector's output layer. */
#ifndef PGMESH_INSPECT_PROBLEMS_H
#define PGMESH_INSPECT_PROBLEMS_H

#include "mesh/inspect/output.h"
#include "mesh/io/problem.h"

static inline int output_problem(struct output *o, enum exit_code code, const struct problem *p)
{
    return output_fail(o, code, p->fact, p->detail[0] == '\0' ? NULL : p->detail,
                       p->hint[0] == '\0' ? NULL : p->hint);
}

#endif
