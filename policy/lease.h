/* lease.h: until when a primary may accept writes (Gray & Cheriton 1989), on both sides of the promise. */
#ifndef PGMESH_POLICY_LEASE_H
#define PGMESH_POLICY_LEASE_H

#include "policy/instant.h"
#include "policy/record.h"

/* A voter's promise, kept in memory only: "until then I accept no record with another primary". */
struct grant {
    bool given; /* ever, since this start */
    uint64_t term;
    member_id holder;
    uint64_t nonce; /* the holder's start that asked */
    uint64_t seq;   /* its heartbeat that is acknowledged */
    uint32_t length_ms;
    instant until; /* by the voter's own clocks; over when both say so */
};
bool grant_runs(const struct grant *g, instant now);
/* Renews or opens; never moves `until` to an earlier instant for the same term and holder. */
void grant_renew(struct grant *g, uint64_t term, member_id holder, uint64_t nonce, uint64_t seq,
                 uint32_t length_ms, instant now);
/* A RELEASE of that term arrived: over at once. */
void grant_drop(struct grant *g, uint64_t term);

/* The holder's side: when does the promise of one voter end, counted from the instant the request was SENT, less
 * 1 % of its length for clock-rate error and `fence_ms` for the time it takes to fence. */
instant lease_voter_until(instant sent, uint32_t length_ms, uint32_t fence_ms);

#endif
