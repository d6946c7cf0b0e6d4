/* core.h: the door.  One deterministic machine: an event goes in, an ordered list of effects comes out.
 *
 * The daemons and the simulator drive the same door.  The caller stamps each event with the time and with fresh
 * randomness, and performs the effects in order: a STORE that stands before a SEND is on disk before the SEND goes out.
 * Nothing in here reads a clock, allocates or does I/O. */
#ifndef PGMESH_MESH_CORE_H
#define PGMESH_MESH_CORE_H

#include "mesh/frame.h"
#include "mesh/pg.h"
#include "mesh/wire.h"
#include "policy/instant.h"
#include "policy/lease.h"
#include "policy/reform.h"

/* The last three are persons: they have keys and no process.  Numbers stand under certificates: they never change. */
enum role { ROLE_DATABASE = 1, ROLE_OBSERVER, ROLE_WITNESS, ROLE_OPERATOR, ROLE_VIEWER, ROLE_ADMIN };
static inline bool role_is_person(enum role r)
{
    return r >= ROLE_OPERATOR;
}

/* A key that a member had before.  While `round` is KEY_OPEN, a rotation is under way and it is as good as the new one.  Then
 * it is retired: frames, links and new statements with it are refused, and in certificates its statements hold for ballots up to
 * that round, all that the member had seen when it had stopped using it; so what it proved stays proved, and a thief can
 * add nothing. */
#define KEY_OPEN UINT64_MAX
enum { KEYS_FORMER_MAX = 3 };
struct former_key {
    uint8_t key[KEY_SIZE];
    uint64_t round;
};

/* A member as its certificate says; the edge has verified the certificate against the root key. */
struct member {
    member_id id;
    char name[NAME_SIZE];
    enum role role;
    char site[NAME_SIZE];
    uint8_t key[KEY_SIZE];
    bool revoked; /* its statements of old still hold; nothing new of it is taken */
    bool expired; /* a person, whose key is not valid yet or no more: it gives no orders */
    uint8_t n_former;
    struct former_key former[KEYS_FORMER_MAX]; /* newest first; only the first may be open */
};

/* When an order that destroys takes a second person (mesh/right.h): as the root key has signed. */
enum two_persons {
    TWO_PERSONS_AUTO, /* from the second admin on */
    TWO_PERSONS_ON,
    TWO_PERSONS_OFF
};
static inline bool member_rotates(const struct member *m)
{
    return m->n_former > 0 && m->former[0].round == KEY_OPEN;
}

/* The members and the text that proves them, as the edge has verified it (mesh/io/roster.h); the text in the sender's memory. */
enum { ROSTER_MAX = 20 * 1024 };
struct roster_news {
    uint8_t n;
    struct member members[MEMBERS_MAX];
    enum two_persons two_persons;
    uint64_t digest; /* of the text, whatever the order of its lines; 0: there is none */
    const uint8_t *text;
    size_t len;
    struct reform reform;               /* the newest that the root has signed; epoch 0: none */
    const struct certificate *reformed; /* its record, where it is at hand; NULL: others tell it */
    const struct secret_key *secret;    /* our own from now on; NULL: as before */
    bool turning;                       /* a rotation of our own key has steps to go: give EFFECT_KEY */
};

enum on_crash { ON_CRASH_AUTO, ON_CRASH_FAILOVER, ON_CRASH_RESTART };

/* Times in milliseconds; one line of help for each stands in the option table (mesh/io/config). */
struct core_settings {
    uint32_t lease_ms;      /* asked for when the links are good */
    uint32_t fence_ms;      /* part of the margin: time to fence */
    uint32_t boot_grace_ms; /* no GONE about a primary never granted before that uptime */
    uint32_t unfenced_max_ms;
    uint32_t stagger_ms;   /* rank r waits r times this */
    uint32_t seal_wait_ms; /* wait this long for better seals than the ones that suffice */
    uint32_t promote_timeout_ms;
    uint32_t start_timeout_ms;
    uint32_t
        answer_timeout_ms; /* PostgreSQL did not write and flush for that long: stop asking for the lease */
    uint32_t standby_timeout_ms; /* a standby not streaming for that long leaves the sync set */
    uint32_t switchover_timeout_ms;
    uint8_t sync_standbys; /* k wanted */
    uint16_t priority;
    bool candidate;    /* may become primary (no: "nofailover") */
    bool observe_only; /* say what it would do; never start a takeover */
    enum on_crash on_crash;
    uint32_t replica_lag_kb; /* a standby whose replay is further behind is no replica for readers */
};
void core_settings_default(struct core_settings *s);

struct core_setup {
    struct cluster_id cluster;
    member_id self;
    struct secret_key secret;
    uint8_t n_members;
    struct member members[MEMBERS_MAX]; /* all, self included */
    struct roster_news roster;          /* its members are not looked at: they are among those above */
    struct core_settings settings;
    struct record first;   /* the cluster's first record (root signature verified by the edge) */
    const uint8_t *stored; /* bytes of the last STORE; NULL: lost, or failed its checksum */
    size_t stored_len;
    uint64_t nonce; /* random, of this start */
    instant now;
};

enum event_kind { EVENT_TICK, EVENT_PACKET, EVENT_SAMPLE, EVENT_ROSTER };
struct event {
    enum event_kind kind;
    instant now;
    uint64_t entropy;
    /* PACKET: the link's peer as the transport authenticated it (self for the local control socket) */
    member_id from;
    const uint8_t *bytes;
    size_t len;
    const struct pg_sample *sample;   /* SAMPLE */
    const struct roster_news *roster; /* ROSTER: members were added or revoked */
};

enum effect_kind {
    EFFECT_STORE, /* `bytes`: write, sync, rename, sync the directory; only then go on */
    EFFECT_SEND,  /* `bytes` to every member of `to` (bit i: members[i] of the setup); loss is expected */
    EFFECT_LEASE, /* the guard's deadline is now `until` (instant_never(): none is held); may only rise within a term */
    EFFECT_GOAL,    /* `goal` for the hand on PostgreSQL */
    EFFECT_SYNC,    /* `sync` for the hand */
    EFFECT_ROUTE,   /* `route`: where applications should go */
    EFFECT_DECIDED, /* `bytes`: a certificate (wire "decided") for the journal; `term` its term */
    EFFECT_EVENT,   /* `name`: stable event name, `text`: a sentence; for logs and the history */
    EFFECT_ANSWER,  /* `answer` to the local caller of a command */
    EFFECT_ROSTER,  /* `bytes`: another's roster, unverified, in the event's own packet */
    EFFECT_KEY,     /* the rotation of our own key may go one step further; `round` for the retirement */
    EFFECT_FATAL,   /* the member must not go on (a twin); `text` says why */
};

/* Where applications should go, as far as this member knows; made by mesh/route.c, told whole whenever it changes.
 * The term never goes down. */
struct routing {
    uint64_t term;     /* of `primary`; 0: none was ready yet */
    member_id primary; /* the last one that was ready in its term */
    member_id
        successor; /* of a planned switchover away from `primary` that is under way: poolers hold their clients
                            back; MEMBER_NONE: none is */
    uint32_t hold_ms;   /* how long that may take at most */
    bool paused;        /* no automatic failover */
    uint8_t n_replicas; /* standbys for readers: they stream, and replay within replica_lag_kb */
    member_id replicas[DATABASES_MAX]; /* in the order of the roster */
};
bool routing_equal(const struct routing *a, const struct routing *b);

struct effect {
    enum effect_kind kind;
    uint32_t to;
    const uint8_t *bytes; /* in the effects' arena, valid until the next core_step */
    size_t len;
    instant until;
    uint64_t term;
    uint64_t round; /* the highest ballot round seen */
    struct routing route;
    struct pg_goal goal;
    struct pg_sync_order sync;
    const char *name;
    char text[TEXT_SIZE * 2];
    struct answer answer;
};
enum { EFFECTS_MAX = 96, EFFECTS_ARENA = 512 * 1024 };
struct effects {
    int n;
    struct effect e[EFFECTS_MAX];
    size_t used;
    uint8_t arena[EFFECTS_ARENA];
};

struct
    core; /* mesh/core_state.h, for core's own files, the inspector's view and the simulator's invariants */
size_t core_size(void);

/* Starts the machine in `core` (core_size() bytes, from the caller).  Raises the incarnation counter: the effects
 * begin with a STORE.  false and *why: a setup that cannot be right (self not in the roster, first record invalid, a
 * store that this program cannot read: to start without it would take its votes away). */
bool core_start(struct core *core, const struct core_setup *setup, struct effects *out, const char **why);
/* One event. */
void core_step(struct core *core, const struct event *event, struct effects *out);
/* When to call with EVENT_TICK if nothing else happens. */
instant core_deadline(const struct core *core);
/* Asserts every local invariant; called at the start and end of each step. */
void core_check(const struct core *core);

#endif
