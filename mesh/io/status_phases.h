/* status_phases.h: how long the steps of a takeover took, as far as this member's journal saw them. */
#ifndef PGMESH_MESH_IO_STATUS_PHASES_H
#define PGMESH_MESH_IO_STATUS_PHASES_H

#include "mesh/io/journal.h"
#include "mesh/wire.h"

struct json_t; /* jansson */

/* Of the term that the journal is at: when its primary was first judged lost here, when this member asked to take over;
 * wall clock, 0: neither. */
struct status_phases {
    int64_t judged_us, asked_us;
};
/* Each event, oldest first; `term`: the newest that was decided. */
void status_phases_see(struct status_phases *p, const struct journal_line *line, uint64_t term);
/* The term was ended by this decision: adds judged_ms, asked_ms, waited_ms to its row, each if known, and begins anew. */
void status_phases_tell(struct status_phases *p, const struct justification *why, int64_t decided_us,
                        struct json_t *row);

#endif
