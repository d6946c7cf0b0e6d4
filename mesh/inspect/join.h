/* join.h: pgmesh join by a token (join_token.c). */
#ifndef PGMESH_INSPECT_JOIN_H
#define PGMESH_INSPECT_JOIN_H

#include "mesh/inspect/inspect.h"

struct join {
    const char *from, *token_file, *ca_file;
    const char *out; /* NULL: the member's name, here */
};
int join_by_token(struct inspect *x, const struct join *j);

#endif
