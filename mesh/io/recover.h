/* recover.h: what a member knows when a majority of the voters may be lost for good, for the operator who has the root key
 * (policy/reform.h, mesh/inspect/recover.h). */
#ifndef PGMESH_MESH_IO_RECOVER_H
#define PGMESH_MESH_IO_RECOVER_H

#include "mesh/io/status.h"

/* A voter that was heard so recently is not lost, and whoever is left is heard as recently. */
enum { RECOVER_HEARD_MS = 5000 };

/* {"command":"recover"}: the record that a re-formation would rest on, and each member as it is seen from here. */
struct json_t *recover_survey(const struct status_view *v);
/* The record that a request brings, to be freed; NULL: it brings none. */
struct certificate *recover_read(const struct json_t *request, struct problem *why);
/* Must the re-formed record not be taken here: a quorum of the voters is heard, or one of them that it leaves out; or somebody
 * who is to vote is not?  Then the problem says so. */
bool recover_barred(const struct status_view *v, const struct record *r, struct problem *why);

#endif
