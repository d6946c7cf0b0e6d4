/* status.h: what a member knows, as JSON for the inspector (docs/reference-json.md). */
#ifndef PGMESH_MESH_IO_STATUS_H
#define PGMESH_MESH_IO_STATUS_H

#include "mesh/io/cluster.h"
#include "mesh/io/transport.h"

struct journal;
struct json_t; /* jansson; every function returns a new reference */

struct status_view {
    const struct cluster *cluster;
    const struct core *core;
    const struct transport *transport; /* may be NULL */
    const struct journal *journal;     /* may be NULL: then all is read from the file */
    const char *state_dir;             /* of the journal */
    instant now;
    uint64_t loop_late_us, store_us;
};

struct json_t *status_json(const struct status_view *v); /* {"command":"status"} */
/* {"command":"persons"}: who may order what, and the orders that wait for a second person. */
struct json_t *status_persons(const struct status_view *v);
/* {"command":"status"}, members[].hears: of whom that member has heard how long ago; empty: it is not heard itself. */
struct json_t *status_hears(const struct status_view *v, member_id id);
/* What the journal holds, which may be 8 MB of it, read piece by piece:
 *     {"command":"history"}
 *     {"command":"why","term":T}          0, or none: the last failover
 *     {"command":"events","since":US,"names":[...]}     after that wall-clock time (microseconds), the newest 500; of those names, if
 *                                                       there are any, else from the newest 128 KB
 * One piece takes a millisecond or so. */
struct past;
/* NULL: out of memory. */
struct past *status_past_begin(const struct status_view *v, const struct json_t *request);
/* NULL: there is more to read. */
struct json_t *status_past_go(struct past *p, const struct status_view *v);
void status_past_end(struct past **p);

#endif
