/* rig.h: one core on a bench.  It runs alone; the test speaks for all other members, with their keys and in real frames,
 * and reads what the core sent, stored, ordered and said.
 *
 *   1 db1, 2 db2    databases in site a        4 w1, 5 w2    witnesses in site c       7 op    an operator
 *   3 db3           a database in site b       6 app1        an observer
 *
 * Members 1 to 5 vote.  The base record: term 3, db1 primary on timeline 5 since 0/400, sync set {db2, db3} with k = 1,
 * decided at ballot 10; the directory of database i is 100 + i; a lease is 600 ms, at most 2000 ms. */
#ifndef PGMESH_TESTS_UNIT_RIG_H
#define PGMESH_TESTS_UNIT_RIG_H

#include "mesh/core_state.h"

#include <string.h>

enum {
    DB1 = 1,
    DB2,
    DB3,
    W1,
    W2,
    APP1,
    OP,
    RIG_MEMBERS = 7,
    RIG_SENT = 400,
    RIG_SYSTEM = 99,
    RIG_LSN = 0x500
};
enum { RIG_ROUND = 10, RIG_TERM = 3, RIG_TIMELINE = 5, RIG_COUNTER = 50 };
#define RIG_NONCE(id) (7000u + (id))

struct rig_frame {
    enum frame_kind kind;
    uint8_t version;
    uint32_t to;         /* bit i: member i + 1 */
    member_id addressee; /* 0: everyone; it may travel by way of others */
    int order;           /* among all effects, so that "stored before sent" can be told */
    size_t len;
    uint8_t body[FRAME_BODY_MAX];
};

struct rig {
    struct rig
        *next; /* all that were made, so that the leak check sees them to the end of the test's process */
    member_id self;
    struct core *core;
    struct effects *fx;
    struct core_setup setup;
    struct secret_key secret[RIG_MEMBERS + 1];
    struct durable disk; /* that the next rig_start() begins with */
    bool no_store;       /* ... or with none */
    int64_t us;          /* the time */
    uint64_t starts;

    /* the others */
    uint32_t alive;                         /* bit of each member that sends heartbeats during rig_run() */
    member_id via[RIG_MEMBERS + 1];         /* its heartbeats come over that one's link; 0: its own */
    bool grants[RIG_MEMBERS + 1];           /* its heartbeats grant what the core asks for */
    struct heartbeat beat[RIG_MEMBERS + 1]; /* what its heartbeats say; `heard` and grants are filled in */
    uint64_t seq[RIG_MEMBERS + 1], nonce[RIG_MEMBERS + 1], counter[RIG_MEMBERS + 1];
    uint32_t voting;          /* bit of each member that promises and accepts whatever the core proposes */
    uint32_t promising;       /* ... promises, and hears of no ACCEPT */
    struct proposal accepted; /* ... and what it accepted last */
    struct pg_sample pg;      /* what the hand says; rig_sample() */

    /* what came out since rig_clear() */
    int n_sent, handled, order, stores, stored_order;
    struct rig_frame *sent;
    struct pg_goal goal;
    int goals;
    struct pg_sync_order sync;
    int syncs;
    instant lease;
    int leases;
    member_id route;
    int decisions, answers, fatal, rosters, key_turns;
    uint64_t key_round;
    struct answer answer;
    char events[4096];           /* names and texts, a line each */
    uint64_t asked_seq;          /* of the core's newest heartbeat with a request */
    uint8_t stored[DURABLE_MAX]; /* not cleared: the disk */
    size_t stored_len;
};

/* A rig at rest: everything drawn, nothing started.  Freed with the process. */
struct rig *rig_new(member_id self);
struct ballot rig_ballot(uint64_t round, member_id who);
/* Starts the core from rig->disk. */
void rig_start(struct rig *r);
/* Starts it once more from what it stored last. */
void rig_restart(struct rig *r);
/* Started, everybody heard, quarantine over, the primary's lease granted (or held, when we are the primary). */
struct rig *rig_running(member_id self);
/* The same, with the record or the disk edited before the start. */
struct rig *rig_running_with(member_id self, void (*edit)(struct durable *d));

void rig_clear(struct rig *r);
void rig_tick(struct rig *r);
void rig_sample(struct rig *r);
void rig_roster(struct rig *r, const struct roster_news *news);
/* `ms` of time: a tick each 10 ms, heartbeats of all that are alive each 50 ms. */
void rig_run(struct rig *r, int ms);
/* The same, with a sample of the hand each 50 ms. */
void rig_wait(struct rig *r, int ms);
/* The hand has brought the setting of the sync order into force; the next sample says so. */
void rig_obey(struct rig *r);
/* Those that vote answer what the core proposed. */
void rig_vote(struct rig *r);
/* The primary is heard no more, long enough for a verdict. */
void rig_silence(struct rig *r);

/* ---- what the others say: rig_word.c, but for frames ------------------------------------------------------------- */

/* A frame of `from`, over its own link or another's. */
void rig_frame(struct rig *r, enum frame_kind kind, member_id from, member_id link, const uint8_t *body,
               size_t len);
/* Its bytes, for tests that bend them. */
size_t rig_bytes(struct rig *r, uint8_t *out, enum frame_kind kind, member_id from, member_id addressee,
                 const uint8_t *body, size_t len);
void rig_packet(struct rig *r, member_id link, const uint8_t *bytes, size_t len);
void rig_beat(struct rig *r, member_id from);
#define rig_say(r, name, kind, from, value) \
    do { \
        static uint8_t body_[FRAME_BODY_MAX]; \
        rig_frame(r, kind, from, from, body_, wire_put_##name(body_, value)); \
    } while (0)
void rig_prepare(struct rig *r, member_id from, uint64_t round, bool takeover);
/* It has promised a higher ballot than the one that the core proposes by. */
void rig_outbid(struct rig *r, member_id from);
void rig_seal(struct rig *r, member_id from, uint64_t round);
void rig_accept(struct rig *r, const struct proposal *p);
void rig_release(struct rig *r, member_id who, uint64_t term, member_id signer);
struct command rig_command(const struct rig *r, enum command_kind kind, member_id target);
/* Signed by the operator, handed in at the local socket. */
void rig_submit(struct rig *r, struct command *m);

/* Statements of others. */
void rig_sign_promise(const struct rig *r, struct promise *p);
void rig_sign_sealed(const struct rig *r, struct sealed_statement *s);
void rig_sign_command(const struct rig *r, struct command *m);
/* A takeover of the base record at that round by its new primary: promised by db2, db3 and w1, sealed by db2 and db3. */
struct proposal *rig_takeover(const struct rig *r, uint64_t round, member_id primary);
/* A change by the primary of the core's decided record, edited. */
struct proposal *rig_change(const struct rig *r, uint64_t round, void (*edit)(struct record *));
void rig_sign_all(const struct rig *r, struct proposal *p);
/* Accepted by the voters of the mask (bit i: member i + 1). */
struct certificate *rig_certificate(const struct rig *r, const struct proposal *p, uint32_t voters);
void rig_decide(struct rig *r, const struct proposal *p);

/* ---- what came out ------------------------------------------------------------------------------------------------- */

/* The last frame of that kind that was sent, or NULL. */
const struct rig_frame *rig_sent(const struct rig *r, enum frame_kind kind);
int rig_count(const struct rig *r, enum frame_kind kind);
/* The reason of the last NACK, 0 without one. */
int rig_nack(const struct rig *r);
bool rig_said(const struct rig *r, const char *text);

#endif
