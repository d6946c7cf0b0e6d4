/* base.h: the limits of everything, and the small names that all modules share.
 *
 * Every array of the core has one of these limits, so the core is one struct of fixed size and nothing that arrives
 * can make it grow (invariant I10). */
#ifndef PGMESH_POLICY_BASE_H
#define PGMESH_POLICY_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MEMBERS_MAX = 32, /* members in the roster that this process links to: databases, witnesses, observers */
    VOTERS_MAX = 9,   /* voters in one record */
    SYNC_MAX = 8,     /* standbys in one sync set */
    DATABASES_MAX = 12, /* databases in one record */
    HISTORY_MAX = 24,   /* (timeline, switch LSN, term) rows that a record keeps, newest last */
    NAME_SIZE = 32,     /* a member's or site's name, with its NUL: [a-z][a-z0-9_-]* */
    TEXT_SIZE = 96,     /* a short human text inside a record or statement, with its NUL */
    KEY_SIZE = 32,
    HASH_SIZE = 32,
    CLUSTER_ID_SIZE = 16,
};
_Static_assert(MEMBERS_MAX <= 32, "sets of members are bits of a uint32_t");

/* A member's number, as its certificate says; 0 is nobody.  Names are for people. */
typedef uint16_t member_id;
enum { MEMBER_NONE = 0 };

/* Identity of one data directory's contents, random, drawn anew at initdb, clone, rewind and restore; 0 is none. */
typedef uint64_t dir_id;

/* A position in the WAL (PostgreSQL manual, "pg_lsn Type"); 0 is unknown. */
typedef uint64_t lsn_t;

struct cluster_id {
    uint8_t b[CLUSTER_ID_SIZE]; /* the start of the hash of the cluster's first record */
};

/* A ballot orders proposals (Lamport, "Paxos Made Simple"): round, then the proposer's start nonce, then its id. */
struct ballot {
    uint64_t round;
    uint64_t nonce;
    member_id member;
};

static inline int ballot_cmp(struct ballot a, struct ballot b)
{
    if (a.round != b.round)
        return a.round < b.round ? -1 : 1;
    if (a.nonce != b.nonce)
        return a.nonce < b.nonce ? -1 : 1;
    if (a.member != b.member)
        return a.member < b.member ? -1 : 1;
    return 0;
}
static inline bool ballot_is_zero(struct ballot b)
{
    return b.round == 0 && b.nonce == 0 && b.member == 0;
}

#endif
