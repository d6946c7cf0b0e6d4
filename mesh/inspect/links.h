/* links.h: who hears whom, as a member's answer tells it. */
#ifndef PGMESH_INSPECT_LINKS_H
#define PGMESH_INSPECT_LINKS_H

#include "mesh/inspect/output.h"
#include "mesh/inspect/show.h"

/* The matrix, and a sentence for every link that is not as it should be; how many of those. */
int links_print(struct output *o, const struct view *v);
/* The sentences alone. */
json_t *links_troubles(const struct view *v);

#endif
