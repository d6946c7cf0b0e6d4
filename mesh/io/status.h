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

struct json_t *status_json(const struct status_view *v);    /* {"command":"status"} */
struct json_t *status_history(const struct status_view *v); /* {"command":"history"} */
/* term 0: the last failover. */
struct json_t *status_why(const struct status_view *v, uint64_t term); /* {"command":"why"} */
/* {"command":"persons"}: who may order what, and the orders that wait for a second person. */
struct json_t *status_persons(const struct status_view *v);
/* {"command":"status"}, members[].hears: of whom that member has heard how long ago; empty: it is not heard itself. */
struct json_t *status_hears(const struct status_view *v, member_id id);
/* Events of the journal with a wall-clock time (microseconds) after `since`, the newest 500; of those names, if `names` is
 * a list of text. */
struct json_t *status_events(const struct status_view *v, int64_t since_us, const struct json_t *names);

#endif
