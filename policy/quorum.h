/* quorum.h: which sets of voters may decide (docs/protocol.md, "The record"; Kumar 1991 for the hierarchical rule). */
#ifndef PGMESH_POLICY_QUORUM_H
#define PGMESH_POLICY_QUORUM_H

#include "policy/instant.h"
#include "policy/record.h"

/* Bit i of `have` stands for voters->v[i].  Any two sets that reach a quorum share a voter. */
bool quorum_reached(const struct voters *voters, uint32_t have);

/* The latest instant until which a quorum holds, when voter i holds until `until[i]` (instant_never(): not at all);
 * reading by reading, so each of the two clocks is covered by a quorum of its own. */
instant quorum_until(const struct voters *voters, const instant until[static VOTERS_MAX]);

/* Does `to` differ from `from` by at most one voter (added, removed, or the same id with a new epoch or key)? */
bool voters_one_step(const struct voters *from, const struct voters *to);

/* The rule that suits these sites: RULE_SITES where one site holds half of the voters or more and there are at least
 * three sites, else RULE_MAJORITY. */
enum voter_rule quorum_default_rule(const struct voters *voters);

#endif
