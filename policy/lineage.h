/* lineage.h: how a data directory joins the record's history: by (timeline, switch LSN), never by number alone
 * (two promotions from one point both make timeline 2 in PostgreSQL, and the loser streams with other rows). */
#ifndef PGMESH_POLICY_LINEAGE_H
#define PGMESH_POLICY_LINEAGE_H

#include "policy/record.h"

enum join { JOIN_FOLLOW, JOIN_REWIND, JOIN_CLONE };

/* A directory whose WAL ends at (timeline, lsn): does it lie on the record's history (JOIN_FOLLOW), past a fork
 * (JOIN_REWIND), or on none of the record's timelines (JOIN_CLONE)?  timeline 0: nothing there (JOIN_CLONE).
 *
 *   timeline is the newest row's             JOIN_FOLLOW, wherever the WAL ends
 *   timeline is an older row's               JOIN_FOLLOW up to the switch LSN of the next row, else JOIN_REWIND;
 *                                            an unknown lsn (0) is JOIN_REWIND, which changes nothing where none is needed
 *   below the oldest kept row                JOIN_CLONE: where it forked is no longer known
 *   no row's, but above the oldest           JOIN_REWIND: it forked from a kept row, or from another branch of one
 *   the record has no history yet            JOIN_FOLLOW: the bootstrap primary has not reported, nothing can have forked */
enum join lineage_join(const struct record *r, uint32_t timeline, lsn_t lsn);

/* Makes `row` the newest row of `r`, and its timeline the record's, as a takeover does: `parent` is the timeline on
 * which the proposed database was sealed.  Rows above `parent` are no ancestors of the new timeline and go (or their
 * directories would be told to follow); if `parent` is no row's, no older row is kept.  A record without history
 * gets the parent's row too, under the term that r still has: call this before `term` is raised.  Full: the oldest goes. */
void lineage_append(struct record *r, uint32_t parent, struct history_row row);

#endif
