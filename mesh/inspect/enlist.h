/* enlist.h: a member more, and a member's certificate revoked: what the cluster's root key signs (mesh/io/roster.h). */
#ifndef PGMESH_INSPECT_ENLIST_H
#define PGMESH_INSPECT_ENLIST_H

#include "mesh/inspect/order.h"
#include "mesh/inspect/plan.h"

struct enlist {
    struct plan plan;     /* one member; `out` and what --set says */
    const char *root_key; /* a file */
    const char *like;     /* a database's folder, for pg.pass */
};

/* The root key in that file, and that it is this cluster's; else complained. */
int root_read(struct inspect *x, const struct cluster *c, const char *path, struct key *root);

/* Both open and close the order, complain, and return the exit code. */
int enlist_member(struct order *o, struct enlist *e);
int enlist_revoke(struct order *o, struct inspect *x, const char *name, const char *root_key);

#endif
