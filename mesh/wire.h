/* wire.h: bodies in msgpack to and from plain structs; alone names <msgpack.h>, and only to write.  The shapes stand
 * in wire_schema.h.
 *
 * Reading is a strict reader of our own over the same format: it never allocates, knows each schema's fixed shape,
 * checks every count against a named limit and the bytes left, and refuses trailing bytes, because the library
 * allocates by the declared count before it has seen the elements (five bytes ask for gigabytes).
 *
 * Statements (promise, accepted, sealed, release, command) carry a signature of their own over fixed-layout bytes
 * that begin with "pgmesh statement", the version, the kind and the cluster id, so that they can be shown to third
 * parties inside a certificate, long after the frame that brought them is gone. */
#ifndef PGMESH_MESH_WIRE_H
#define PGMESH_MESH_WIRE_H

#include "mesh/frame.h"
#include "mesh/pg.h"
#include "policy/durability.h"
#include "policy/record.h"
#include "policy/reform.h"
#include "policy/verdict.h"

/* ---- statements -------------------------------------------------------------------------------------------- */

/* "I shall accept nothing below this ballot, and here is why I agree": a voter's answer to PREPARE. */
struct promise {
    member_id who;
    struct ballot ballot;
    bool takeover;
    struct ballot accepted; /* of its accepted record */
    uint64_t term;          /* of its decided record, which the verdict is about */
    enum verdict verdict;
    uint32_t silent_ms; /* evidence: how long its grant has been over */
    uint8_t signature[SIGNATURE_SIZE];
};
struct accepted {
    member_id who;
    struct ballot ballot;
    uint8_t record_hash[HASH_SIZE];
    uint8_t signature[SIGNATURE_SIZE];
};
struct sealed_statement {
    struct ballot ballot;
    struct sealed sealed;
    uint64_t backlog_bytes;
    uint32_t timeline_max; /* highest timeline id of which it sees a .history file */
    uint8_t signature[SIGNATURE_SIZE];
};
struct release {
    member_id who;
    struct ballot ballot; /* of the record that made it primary */
    uint64_t term;
    lsn_t lsn;           /* the end of its WAL, 0 when it cannot tell */
    member_id successor; /* planned switchover, else MEMBER_NONE */
    char reason[TEXT_SIZE];
    uint8_t signature[SIGNATURE_SIZE];
};
enum command_kind {
    COMMAND_SWITCHOVER = 1,
    COMMAND_FAILOVER,
    COMMAND_PAUSE,
    COMMAND_RESUME,
    COMMAND_READMIT,
    COMMAND_REINIT,
    COMMAND_ASYNC, /* the durability */
    COMMAND_SYNC,
    COMMAND_STRICT,
    COMMAND_DATABASE_ADD,  /* the target, a member with that role, may become primary */
    COMMAND_VOTE_GIVE,     /* the target votes */
    COMMAND_VOTE_TAKE,     /* it does not */
    COMMAND_MEMBER_REMOVE, /* it is neither a voter nor a database any more */
    COMMAND_LAST = COMMAND_MEMBER_REMOVE
};
struct approval {
    member_id who;
    uint8_t signature[SIGNATURE_SIZE];
};
struct command {
    member_id who;      /* a person in the roster */
    uint64_t id;        /* random; the answer repeats it */
    struct ballot base; /* the decided record that the operator saw: valid on no other */
    uint64_t term;      /* its term */
    enum command_kind kind;
    member_id target;     /* MEMBER_NONE where none is meant */
    bool allow_data_loss; /* FAILOVER: without the seals that would prove that nothing is missing */
    char why[TEXT_SIZE];
    uint8_t signature[SIGNATURE_SIZE];
    bool approved; /* by a second person, over the very same bytes (mesh/right.h says when it takes one) */
    struct approval approval;
};

enum { STATEMENT_MAX = 512 };
/* The bytes that the statement's signature covers; the length. */
size_t promise_bytes(uint8_t out[static STATEMENT_MAX], const struct cluster_id *c, const struct promise *p);
size_t accepted_bytes(uint8_t out[static STATEMENT_MAX], const struct cluster_id *c,
                      const struct accepted *a);
size_t sealed_bytes(uint8_t out[static STATEMENT_MAX], const struct cluster_id *c,
                    const struct sealed_statement *s);
size_t release_bytes(uint8_t out[static STATEMENT_MAX], const struct cluster_id *c, const struct release *r);
size_t command_bytes(uint8_t out[static STATEMENT_MAX], const struct cluster_id *c, const struct command *m);

/* ---- what makes a record acceptable, and what makes it decided ------------------------------------------------ */

/* Travels with a record that is a takeover, from its first proposal on, unchanged through re-proposals. */
struct justification {
    bool takeover;
    struct ballot built; /* the ballot of its first proposal, to which promises and seals belong */
    member_id former;    /* the primary of the record it was built on */
    dir_id former_dir;
    uint8_t n_promises;
    struct promise promises[VOTERS_MAX];
    uint8_t n_seals;
    struct sealed_statement seals[DATABASES_MAX];
    bool has_command; /* an operator's word: loss accepted, or paused overridden */
    struct command command;
};
/* Does it take over from a re-formation (policy/reform.h)? */
static inline bool justification_reformed(const struct justification *j)
{
    for (int i = 0; i < j->n_promises; i++)
        if (ballot_reforms(j->promises[i].accepted))
            return true;
    return false;
}
struct proposal {
    struct ballot ballot;
    struct record record;
    struct justification why;
};
/* A proposal that a quorum accepted: decided, and provable to anybody. */
struct certificate {
    struct proposal proposal;
    uint8_t n_accepted;
    struct accepted accepted[VOTERS_MAX];
};

/* ---- bodies -------------------------------------------------------------------------------------------------- */

struct heard {
    member_id who;
    uint64_t counter; /* highest store generation heard of it: tells a rolled-back member that it is one */
    uint32_t nonce;   /* low half of its start nonce */
    uint64_t seq;
    uint32_t dwell_us; /* between hearing it and sending this */
    uint32_t
        rtt_us; /* there and back over its own link; 0: that link is silent, by whatever way it was heard */
};
struct heartbeat {
    struct ballot decided, accepted, promised, sealed_for;
    uint64_t decided_term, accepted_term;
    bool votes;            /* a voter in good standing */
    bool lost;             /* its store was lost or rolled back: it cannot vouch for others */
    uint64_t request_term; /* 0: asks for no lease */
    uint32_t request_ms;
    uint64_t grant_term; /* 0: grants nothing */
    member_id grant_holder;
    uint64_t grant_nonce, grant_seq;
    uint32_t grant_ms;
    enum verdict verdict; /* on the primary of the decided term */
    uint32_t silent_ms;
    uint32_t
        sql_seen_ms; /* observers: age of the last SQL answer of the primary of decided_term, or EVIDENCE_NEVER */
    uint32_t
        outage_ms; /* observers: how long no primary answered before decided_term's did, or EVIDENCE_NEVER */
    enum pooler_state pooler; /* observers */
    struct pg_report pg;      /* databases */
    uint32_t quarantine_ms;   /* for how much longer it promises and seals no takeover; 0: it may */
    uint32_t flush_us;        /* its last write and flush */
    uint64_t roster;          /* digest of the roster that it holds */
    uint8_t reads;            /* the newest version of the protocol that its program reads */
    uint8_t n_heard;
    struct heard heard[MEMBERS_MAX];
#if defined PGMESH_PROTOCOL_NEXT || defined PGMESH_MUTANTS
    uint32_t
        next; /* what the version to come adds: test builds alone; the simulator looks into cores of both versions */
#endif
};
struct prepare {
    struct ballot ballot;
    bool takeover;
    uint64_t known_counter; /* the highest incarnation of the addressee that the sender knows */
    bool has_command;
    struct command command;
};
struct promised { /* PROMISE */
    struct promise promise;
    struct proposal accepted; /* its accepted record with what made it acceptable */
};
enum nack_reason {
    NACK_BALLOT = 1,
    NACK_GRANT,
    NACK_VERDICT,
    NACK_QUARANTINE,
    NACK_NOT_VOTING,
    NACK_ILLEGAL,
    NACK_CANNOT_SEAL, /* members of before read it as well, and have no words for it */
    NACK_SEALS,
    NACK_NO_RECORD,
    NACK_END
};
struct nack {
    struct ballot ballot, promised;
    enum nack_reason reason;
    enum verdict verdict;
};
struct seal {
    struct ballot ballot;
    uint64_t term; /* of the decided record that is to be taken over */
};
struct accept {
    struct proposal proposal;
    uint64_t known_counter;
};
struct answer { /* to an operator's command */
    uint64_t id;
    bool done, final;
    char text[TEXT_SIZE * 2], detail[TEXT_SIZE * 2], hint[TEXT_SIZE * 2];
};

/* Each writer packs into out (FRAME_BODY_MAX bytes room) and returns the length; each reader fills *x and answers
 * whether the body was exactly one well-formed value of that kind; if not, *x is all zero.  A reader checks shape and
 * limits, never meaning.  Writing a value out of its range (a count, an enum, a text without NUL) is a bug: asserted.
 * In a text, bytes that may not travel (control characters, broken UTF-8) are written, and signed, as '?'. */
#define WIRE_LIST(X) \
    X(heartbeat, struct heartbeat) \
    X(prepare, struct prepare) \
    X(promised, struct promised) \
    X(nack, struct nack) \
    X(seal, struct seal) \
    X(sealed, struct sealed_statement) \
    X(accept, struct accept) \
    X(accepted, struct accepted) \
    X(decided, struct certificate) \
    X(release, struct release) \
    X(command, struct command) \
    X(answer, struct answer) \
    X(record, struct record)
#define X(name, type) \
    size_t wire_put_##name(uint8_t *out, const type *x); \
    bool wire_get_##name(type *x, const uint8_t *body, size_t n);
WIRE_LIST(X)
#undef X

/* The hash that ACCEPTED statements carry: of the record's packed bytes. */
void record_hash(uint8_t hash[static HASH_SIZE], const struct record *r);
/* The cluster's id: the start of the hash of its first record. */
void record_cluster_id(struct cluster_id *id, const struct record *first);

/* ---- what a member keeps on disk (mesh/io/store writes these bytes as they are, with a checksum of its own) ------ */

struct generation { /* of another member's store, by one of its starts */
    member_id who;
    uint64_t counter, nonce;
};
/* A decided record in which others vote than in the one before, and who accepted it. */
struct step {
    struct ballot ballot;
    struct record record;
    uint8_t n_accepted;
    struct accepted accepted[VOTERS_MAX];
};
enum { CHAIN_MAX = 16 };
struct durable {
    uint64_t counter; /* generation: +1 with every STORE, so at least +1 with every start */
    uint64_t round;   /* highest ballot round used or seen */
    uint32_t epoch;   /* of this voter */
    bool lost;        /* a store was lost or rolled back: votes again only under an epoch above `epoch` */
    struct ballot promised, promised_takeover, sealed_for;
    uint32_t lease_ms_max;  /* the highest ever stored */
    uint64_t released_term; /* own releases: never ask for this term or one below it again */
    bool has_release;
    struct release release; /* the last valid RELEASE known, own or another's */
    bool has_accepted;
    struct proposal accepted;
    bool has_own; /* own proposal as primary, written before sent, until decided or superseded */
    struct proposal own;
    struct certificate decided; /* the first record counts as decided without accepted statements */
    dir_id dir;                 /* of the data directory, 0: none that may be used */
    dir_id dir_next;            /* drawn for a clone or rewind under way, 0: none */
    uint64_t served_term;       /* the term in which this directory finished its promotion */
    uint8_t
        n_known; /* what was heard of the others' stores: a restart of everybody must not help a rolled-back one */
    struct generation known[MEMBERS_MAX];
    uint8_t n_chain;
    struct step
        chain[CHAIN_MAX]; /* the last changes of who votes, oldest first: for members that are behind */
};
enum { DURABLE_MAX = 112 * 1024 };
size_t wire_put_durable(uint8_t *out, const struct durable *d);
bool wire_get_durable(struct durable *d, const uint8_t *bytes, size_t n);

#endif
