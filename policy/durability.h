/* durability.h: the arithmetic of synchronous commits: which sealed databases prove that no acknowledged commit is
 * missing (docs/protocol.md, "Takeover and seals", step 4).
 *
 * A commit is acknowledged once k of the n members of a set confirmed it.  Any n - k + 1 of them contain one that did;
 * all of those must be sealed (they confirm nothing more) before the best of them may be promoted. */
#ifndef PGMESH_POLICY_DURABILITY_H
#define PGMESH_POLICY_DURABILITY_H

#include "policy/record.h"

/* What one database swore: it receives nothing any more, and this is the end of its WAL. */
struct sealed {
    member_id id;
    dir_id dir;
    uint64_t wal_term; /* term of its last WAL */
    uint32_t timeline;
    lsn_t lsn;
};

/* Do the seals suffice to take over from the record `base`?  `former`/`former_dir` is the primary that base names.
 * Async: always true (the caller still wants the proposed primary sealed).  Otherwise the former primary itself,
 * sealed with its own directory, suffices; or n - k + 1 of each counting set, directories matching, an empty set never. */
bool seals_suffice(const struct record *base, const struct sealed *seals, size_t n);

/* How many more seals of this set are wanted (0: enough; SYNC_MAX + 1: an empty set, cannot be satisfied). */
unsigned seals_missing(const struct sync_set *set, const struct sealed *seals, size_t n);

/* By how much a database is ahead: compares (wal_term, lsn); <0, 0, >0. */
int sealed_cmp(const struct sealed *a, const struct sealed *b);

#endif
