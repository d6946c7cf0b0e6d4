/* quorum.c: counting voters, flat or by site. */
#include "policy/quorum.h"

#include <string.h>

#include "policy/mutant.h"

static bool same_site(const struct voter *a, const struct voter *b)
{
    return strncmp(a->site, b->site, NAME_SIZE) == 0;
}

static bool majority_reached(const struct voters *voters, uint32_t have)
{
    unsigned count = 0;
    for (unsigned i = 0; i < voters->n; i++)
        count += have >> i & 1;
    return 2 * count > voters->n;
}

/* A majority of the sites, and in each of those a majority of its voters (Kumar 1991). */
static bool sites_reached(const struct voters *voters, uint32_t have)
{
    uint32_t seen = 0;
    unsigned sites = 0, won = 0;
    for (unsigned i = 0; i < voters->n; i++) {
        if (seen >> i & 1)
            continue;
        unsigned size = 0, count = 0;
        for (unsigned j = i; j < voters->n; j++) {
            if (!same_site(&voters->v[i], &voters->v[j]))
                continue;
            seen |= 1u << j;
            size++;
            count += have >> j & 1;
        }
        sites++;
        won += 2 * count > size;
    }
    return 2 * won > sites;
}

bool quorum_reached(const struct voters *voters, uint32_t have)
{
    switch (voters->rule) {
    case RULE_MAJORITY: return majority_reached(voters, have);
    case RULE_SITES: return sites_reached(voters, have);
    }
    return false;
}

static int64_t reading(instant t, bool raw)
{
    return raw ? t.raw_ns : t.boot_ns;
}

/* The latest value of one reading that a quorum reaches; 0 when none does. */
static int64_t reading_until(const struct voters *voters, const instant until[static VOTERS_MAX], bool raw)
{
    int64_t best = 0;
    for (unsigned i = 0; i < voters->n; i++) {
        int64_t d = reading(until[i], raw);
        uint32_t have = 0;
        for (unsigned j = 0; j < voters->n; j++)
            if (!instant_is_never(until[j]) && reading(until[j], raw) >= d)
                have |= 1u << j;
        if (MUTANT(ONE_GRANT) ? have != 0 : quorum_reached(voters, have))
            best = d > best ? d : best;
    }
    return best;
}

instant quorum_until(const struct voters *voters, const instant until[static VOTERS_MAX])
{
    return (instant){reading_until(voters, until, false), reading_until(voters, until, true)};
}

static const struct voter *find(const struct voters *voters, member_id id)
{
    for (unsigned i = 0; i < voters->n; i++)
        if (voters->v[i].id == id)
            return &voters->v[i];
    return NULL;
}

bool voters_one_step(const struct voters *from, const struct voters *to)
{
    if (MUTANT(VOTERS_ONE_STEP))
        return true;
    if (from->rule != to->rule)
        return false;
    unsigned steps = 0;
    for (unsigned i = 0; i < from->n; i++) {
        const struct voter *a = &from->v[i], *b = find(to, a->id);
        if (!b) {
            steps++;
            continue;
        }
        if (!same_site(a, b))
            return false; /* leaves one site and joins another: two steps for the rule by sites */
        steps += a->epoch != b->epoch || memcmp(a->key, b->key, KEY_SIZE) != 0;
    }
    for (unsigned i = 0; i < to->n; i++)
        steps += find(from, to->v[i].id) == NULL;
    return steps <= 1;
}

enum voter_rule quorum_default_rule(const struct voters *voters)
{
    unsigned sites = 0;
    bool heavy = false;
    for (unsigned i = 0; i < voters->n; i++) {
        unsigned size = 0;
        bool first = true;
        for (unsigned j = 0; j < voters->n; j++) {
            if (!same_site(&voters->v[i], &voters->v[j]))
                continue;
            size++;
            first = first && j >= i;
        }
        sites += first;
        heavy = heavy || 2 * size >= voters->n;
    }
    return heavy && sites >= 3 ? RULE_SITES : RULE_MAJORITY;
}
