/* reform.h: a majority of the voters is lost for good, and the cluster's root key names new ones (docs/protocol.md, "The
 * voters re-formed").
 *
 * No quorum is left that could decide anything, so the word of the root, which made the first record, makes one more: a
 * re-formation.  It is told by number (the epoch, 1 for the first one), a random nonce and the hash of its record, and it is
 * decided by that word alone.
 *
 * The epoch stands in the upper bits of a ballot's round.  So every ballot made after the re-formation is above every one made
 * before it, or made by voters of old that have not heard of it, however many of those there are; and who knows of a
 * re-formation takes nothing of an older epoch any more.
 *
 * Its record is the last one known with other voters.  Version, term and timeline lie far above, so that nothing which the
 * lost ones may have decided alone bears the same number.  Nobody serves in its term: the next record is an ordinary takeover of
 * it, with seals.  Its newest row of history stands for no WAL: every directory on the timeline before may follow. */
#ifndef PGMESH_POLICY_REFORM_H
#define PGMESH_POLICY_REFORM_H

#include "policy/record.h"

enum {
    REFORM_SHIFT = 40, /* of a ballot's round: what lies above is the epoch */
    REFORM_EPOCH_MAX = 1 << 20,
    REFORM_JUMP = 1000000, /* versions and terms: to the next multiple */
    REFORM_TIMELINES = 16  /* ids left to those who may have gone on alone */
};

struct reform {
    uint32_t epoch; /* 0: there was none */
    uint64_t nonce;
    uint8_t hash[HASH_SIZE]; /* record_hash() of its record */
};

static inline uint64_t ballot_epoch(struct ballot b)
{
    return b.round >> REFORM_SHIFT;
}
/* A re-formation's own ballot: no member proposed it. */
static inline bool ballot_reforms(struct ballot b)
{
    return b.round != 0 && b.member == MEMBER_NONE;
}
struct ballot reform_ballot(const struct reform *f);

/* Turns the last record known into that of a re-formation.  `primary`, NULL: as it was; else the directory that counts as
 * the primary's from now on, so that its seal alone suffices for a takeover: what others have confirmed and it lacks is
 * given up.  false and *why: the record cannot be re-formed, or these cannot be its voters; *r is then undefined. */
bool reform_record(struct record *r, const struct voters *voters, const struct sync_member *primary,
                   const char **why);

#endif
