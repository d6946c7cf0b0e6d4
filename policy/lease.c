/* lease.c: both sides of the promise. */
#include "policy/lease.h"

#include "policy/mutant.h"

enum { RATE_ERROR_PERCENT = 1 }; /* by how much two hosts' clocks may differ in rate */

bool grant_runs(const struct grant *g, instant now)
{
    return g->given && !instant_due_all(now, g->until);
}

void grant_renew(struct grant *g, uint64_t term, member_id holder, uint64_t nonce, uint64_t seq,
                 uint32_t length_ms, instant now)
{
    instant until = instant_add(now, span_ms(length_ms));
    /* The holder may be counting on the longer one still: the answer that states the new length can be
     * lost. */
    if (g->given && g->term == term && g->holder == holder && !MUTANT(RENEWAL_SHORTENS))
        until = instant_max(until, g->until);
    *g = (struct grant){.given = true,
                        .term = term,
                        .holder = holder,
                        .nonce = nonce,
                        .seq = seq,
                        .length_ms = length_ms,
                        .until = until};
}

void grant_drop(struct grant *g, uint64_t term)
{
    if (g->given && g->term == term)
        g->until = instant_never();
}

instant lease_voter_until(instant sent, uint32_t length_ms, uint32_t fence_ms)
{
    int64_t length_ns = span_ms(length_ms).ns;
    int64_t margin_ns = length_ns / 100 * RATE_ERROR_PERCENT + span_ms(fence_ms).ns;
    if (MUTANT(NO_MARGIN))
        margin_ns = 0;
    if (instant_is_never(sent) || margin_ns >= length_ns)
        return instant_never();
    return instant_add(sent, (span){length_ns - margin_ns});
}
