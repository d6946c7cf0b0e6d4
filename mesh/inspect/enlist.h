/* enlist.h: a member more, and a member's certificate revoked: what the cluster's root key signs (mesh/io/roster.h). */
#ifndef PGMESH_INSPECT_ENLIST_H
#define PGMESH_INSPECT_ENLIST_H

#include "mesh/inspect/invitation.h"
#include "mesh/inspect/plan.h"
#include "mesh/inspect/rootkey.h"

struct enlist {
    struct plan plan; /* one member; `out` and what --set says */
    struct rootkey root_key;
    int64_t days; /* how long the certificate is valid; 0: without an end */
    const char
        *sign; /* a request of `pgmesh join`: the key was made on the new host; NULL: it is made here */
    const char *like;             /* a database's folder, for pg.pass */
    struct invitation invitation; /* instead of a folder here */
};

/* Both open and close the order, complain, and return the exit code. */
int enlist_member(struct order *o, struct enlist *e);
int enlist_revoke(struct order *o, struct inspect *x, const char *name, const struct rootkey *root_key);

#endif
