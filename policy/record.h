/* record.h: the one value that the mesh agrees on, and its legal changes (docs/protocol.md, "The record").
 *
 * A record is plain data.  Who may propose which change is decided by mesh/ballot and mesh/core; here stands what a
 * successor of a record may look like at all, so that every acceptor can check it alone. */
#ifndef PGMESH_POLICY_RECORD_H
#define PGMESH_POLICY_RECORD_H

#include "policy/base.h"

enum durability { DURABILITY_ASYNC, DURABILITY_SYNC, DURABILITY_STRICT };
enum voter_rule { RULE_MAJORITY, RULE_SITES };

struct voter {
    member_id id;
    char site[NAME_SIZE];
    uint8_t key[KEY_SIZE]; /* Ed25519 public key */
    uint32_t epoch;        /* raised when a voter that lost its store is admitted again */
};
struct voters {
    enum voter_rule rule;
    uint8_t n;
    struct voter v[VOTERS_MAX];
};

/* `k` of the listed standbys confirm a commit before it is acknowledged ("ANY k (...)", PostgreSQL manual 20.6.2).
 * n = 0 is the empty set: nobody confirms, nobody else may take over by itself. */
struct sync_member {
    member_id id;
    dir_id dir;
};
struct sync_set {
    uint8_t k, n;
    struct sync_member m[SYNC_MAX]; /* ascending by id */
};

struct history_row {
    uint32_t timeline;
    lsn_t switch_lsn; /* where this timeline began; 0 for the first */
    uint64_t term;
};

struct record {
    uint8_t nonce[16]; /* random, drawn at creation, never changes */
    uint64_t version;  /* a label for people; +1 with every change */
    uint64_t term;
    member_id primary; /* MEMBER_NONE: nobody */
    dir_id primary_dir;
    uint32_t timeline; /* 0 only in the first record: what the bootstrap primary finds */
    enum durability durability;
    bool joint;              /* both sets of `sync` count */
    struct sync_set sync[2]; /* [0] alone counts unless joint; [1] is the one it changes to */
    struct voters voters;
    uint8_t n_databases;
    member_id databases[DATABASES_MAX];
    uint32_t lease_ms_max;
    bool paused;
    char paused_why[TEXT_SIZE];
    member_id switchover_from, switchover_to; /* MEMBER_NONE: no switchover under way */
    uint32_t switchover_deadline_ms;
    uint64_t system_id; /* 0 until the bootstrap primary has reported it */
    uint8_t n_history;
    struct history_row history[HISTORY_MAX]; /* oldest first; the last row is the record's own timeline */
};

/* The voter with that id, or NULL.  The pointer lives as long as the record. */
const struct voter *record_voter(const struct record *r, member_id id);
/* Its position, or -1. */
int record_voter_index(const struct record *r, member_id id);
bool record_is_database(const struct record *r, member_id id);
/* The member of that id in a sync set, or NULL. */
const struct sync_member *sync_set_find(const struct sync_set *s, member_id id);
bool sync_set_equal(const struct sync_set *a, const struct sync_set *b);
/* The same entries at the same places. */
bool voters_equal(const struct voters *a, const struct voters *b);
/* The same members of the same sites, under whatever epochs and keys: what is a quorum of one is a quorum of the other. */
bool voters_same(const struct voters *a, const struct voters *b);
bool record_databases_equal(const struct record *a, const struct record *b);
/* Keeps `m` sorted; false when full or already there. */
bool sync_set_add(struct sync_set *s, member_id id, dir_id dir);

/* The term in which a timeline was written, by the record's history; 0 when the record does not know it: a timeline
 * that is no ancestor of the record's own, or one older than the oldest kept row (whether it was its parent is not kept). */
uint64_t record_term_of_timeline(const struct record *r, uint32_t timeline);

/* Is the record well formed by itself (limits, sorted sets, known members, k within n, at least one voter)? */
bool record_valid(const struct record *r, const char **why);

/* What kind of change leads from `from` to `to`. */
enum record_change {
    CHANGE_NONE, /* the same value */
    CHANGE_KEEP, /* same term, primary and timeline: a change by the primary */
    CHANGE_TAKEOVER, /* term + 1: another primary, or the same one after a RELEASE; sync, voters, databases as they were */
    CHANGE_ILLEGAL
};
/* `why` (may be NULL) gets a sentence when the answer is CHANGE_ILLEGAL.  Checks: voters differ by at most one entry;
 * a takeover changes only term, primary, timeline, switchover, history and (by an operator) paused; sync moves
 * old -> joint(old,new) -> old|new, or straight to empty under DURABILITY_SYNC, in CHANGE_KEEP only; timeline grows in
 * a takeover; system_id is set once; nonce never changes. */
enum record_change record_classify(const struct record *from, const struct record *to, const char **why);

#endif
