/* candidate.c: the steps of the choice, in their order. */
#include "policy/candidate.h"

#include "policy/mutant.h"

/* <0: the one with the larger value is a; >0: it is b. */
static int larger_first(uint64_t a, uint64_t b)
{
    return a == b ? 0 : a > b ? -1 : 1;
}

int candidate_cmp(const struct candidate *a, const struct candidate *b, const char **step)
{
    const char *ignored;
    if (!step)
        step = &ignored;
    int c;

    /* 1. A database that would not survive its own promotion comes last. */
    *step = "eligible";
    if ((c = larger_first(a->eligible, b->eligible)) != 0)
        return c;

    /* 2. The end of the WAL: the best of the sealed has every acknowledged commit. */
    *step = "wal";
    if (!MUTANT(NOT_BEST_SEALED) && (c = sealed_cmp(&b->sealed, &a->sealed)) != 0)
        return c;

    /* 3. The one that an operator or the former primary named. */
    *step = "named";
    if ((c = larger_first(a->named, b->named)) != 0)
        return c;

    /* 4. The less there is to replay, the sooner it writes. */
    *step = "backlog";
    if ((c = larger_first(b->backlog_bytes, a->backlog_bytes)) != 0)
        return c;

    /* 5. Applications sit near the former primary. */
    *step = "site";
    if ((c = larger_first(a->same_site, b->same_site)) != 0)
        return c;

    /* 6. What the operator configured. */
    *step = "priority";
    if ((c = larger_first(a->priority, b->priority)) != 0)
        return c;

    /* 7. The same choice everywhere: the lowest id. */
    *step = "id";
    return larger_first(b->sealed.id, a->sealed.id);
}
