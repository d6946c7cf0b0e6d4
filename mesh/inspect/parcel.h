/* parcel.h: a member's folder as "member add" makes it, in one piece, to be closed by a token (mesh/io/invite.h) and opened on the
 * member's host.
 *
 *   pgmesh-parcel 1 LF, then for each file: PATH " " SIZE LF and its bytes.
 *
 * Only these files, in this order, each once: cluster, node.conf, member.key, pg.pass (which a witness has not), state/store,
 * state/roster.  Their modes are those that every such folder has, whatever came. */
#ifndef PGMESH_INSPECT_PARCEL_H
#define PGMESH_INSPECT_PARCEL_H

#include "mesh/io/invite.h"

/* The folder, heap, *n bytes; NULL and a problem: a file is missing, or all of them together are too large. */
uint8_t *parcel_pack(const char *folder, size_t *n, struct problem *err);
/* Into an empty folder, each file synced. */
bool parcel_unpack(const char *folder, const uint8_t *bytes, size_t n, struct problem *err);

#endif
