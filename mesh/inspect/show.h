/* show.h: a member's view (mesh/io/view.h), asked for and told. */
#ifndef PGMESH_INSPECT_SHOW_H
#define PGMESH_INSPECT_SHOW_H

#include "mesh/inspect/inspect.h"
#include "mesh/io/view.h"

/* Finds a member, asks it, reads; *answer is a new reference that `v` points into.  An exit code, complained. */
int view_ask(struct inspect *x, struct view *v, json_t **answer);
/* Why `best` and not `m`, both fit: the policy's deciding step as a clause ("it is 40 B behind db2"). */
const char *view_second(const struct view *v, const struct view_member *m, const struct view_member *best);
/* As every answer has it. */
json_t *view_estimate_json(const struct view_estimate *e);
const char *view_estimate_text(const struct view *v, const struct view_estimate *e);
/* As "pgmesh status" shows it (status.c). */
void status_print(struct output *o, const struct view *v);

#endif
