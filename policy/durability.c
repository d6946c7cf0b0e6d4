/* durability.c: counting seals against the sets of a record. */
#include "policy/durability.h"

#include "policy/mutant.h"

/* A seal counts for the contents of a directory, not for the member: a re-cloned standby may lack what
 * it confirmed. */
static bool has_seal(const struct sealed *seals, size_t n, member_id id, dir_id dir)
{
    for (size_t i = 0; i < n; i++)
        if (seals[i].id == id && ((seals[i].dir == dir && dir != 0) || MUTANT(RECLONED_COUNTS)))
            return true;
    return false;
}

unsigned seals_missing(const struct sync_set *set, const struct sealed *seals, size_t n)
{
    if (set->n == 0)
        return MUTANT(EMPTY_SYNC_ANYBODY) ? 0 : SYNC_MAX + 1;
    unsigned wanted = set->k > set->n ? 1 : set->n - set->k + 1u;
    if (MUTANT(SEALS_N_MINUS_K))
        wanted--;
    unsigned have = 0;
    for (unsigned i = 0; i < set->n; i++)
        have += has_seal(seals, n, set->m[i].id, set->m[i].dir);
    return have >= wanted ? 0 : wanted - have;
}

bool seals_suffice(const struct record *base, const struct sealed *seals, size_t n)
{
    if (base->durability == DURABILITY_ASYNC || MUTANT(NO_SEALING))
        return true;
    /* Nothing was ever acknowledged that the former primary itself does not have. */
    if (base->primary != MEMBER_NONE && has_seal(seals, n, base->primary, base->primary_dir))
        return true;
    if (seals_missing(&base->sync[0], seals, n) != 0)
        return false;
    if (!base->joint || MUTANT(JOINT_SECOND_IGNORED))
        return true;
    return seals_missing(&base->sync[1], seals, n) == 0;
}

int sealed_cmp(const struct sealed *a, const struct sealed *b)
{
    if (a->wal_term != b->wal_term)
        return a->wal_term < b->wal_term ? -1 : 1;
    if (a->lsn != b->lsn)
        return a->lsn < b->lsn ? -1 : 1;
    return 0;
}
