/* pg.h: the border between what decides and the hand on PostgreSQL: goals go out, samples come back.
 *
 * A primary that dies after its goal (INIT, PRIMARY, PROMOTE) was reached stays down until another goal, with another
 * seq, comes: whether to start it again or to give the term up is decided, not assumed.  A standby that dies is started
 * again by the hand.
 *
 * The core states a goal; the hand (node/) works towards it from whatever state it finds, in the order that
 * docs/protocol.md asks for, and reports by sampling.  A new goal replaces the old one: what was under way is
 * abandoned safely.  The simulator's model of PostgreSQL serves the same border. */
#ifndef PGMESH_MESH_PG_H
#define PGMESH_MESH_PG_H

#include "policy/instant.h"
#include "policy/record.h"

/* What PostgreSQL is doing.
 *   ABSENT    no data directory, or an empty one
 *   DOWN      a data directory, no process of it left (every one reaped)
 *   STARTING  postmaster runs, answers nobody yet
 *   RECOVERY  a standby: replays, may stream
 *   PROMOTING asked to promote, not writable yet
 *   PRIMARY   writable
 *   STOPPING  asked to stop, or being killed; processes remain
 *   BUSY      initdb, base backup, rewind: no server
 *   BROKEN    the hand gave up on the goal (detail says why); no server */
enum pg_phase {
    PG_NONE,
    PG_ABSENT,
    PG_DOWN,
    PG_STARTING,
    PG_RECOVERY,
    PG_PROMOTING,
    PG_PRIMARY,
    PG_STOPPING,
    PG_BUSY,
    PG_BROKEN
};
const char *pg_phase_name(enum pg_phase p);

/* Reasons why a standby must not be promoted now (bits), found by the continuous pre-flight. */
enum preflight {
    PREFLIGHT_PARAMETERS =
        1 << 0, /* max_connections and its kind below the primary's: a promotion shuts it down */
    PREFLIGHT_RECOVERY_TARGET = 1 << 1, /* recovery_target_* set */
    PREFLIGHT_RESTORE_SLOW = 1 << 2,    /* restore_command or recovery_end_command set and not proven quick */
    PREFLIGHT_REPLAY_PAUSED = 1 << 3,
    PREFLIGHT_DELAYED = 1 << 4,  /* recovery_min_apply_delay */
    PREFLIGHT_CONFLICT = 1 << 5, /* replay waits for a query */
    PREFLIGHT_SLOW_DISK = 1 << 6,
    PREFLIGHT_CHECKSUM = 1 << 7, /* checksum failures counted */
    PREFLIGHT_NO_REWIND =
        1 << 8, /* neither wal_log_hints nor checksums: it can be promoted, but not rewound */
    PREFLIGHT_REPLAY_FAR = 1 << 9, /* backlog above the limit */
    PREFLIGHT_DISK_FULL = 1 << 10,
};
/* Those that bar a promotion. */
#define PREFLIGHT_BARS \
    (PREFLIGHT_PARAMETERS | PREFLIGHT_RECOVERY_TARGET | PREFLIGHT_DELAYED | PREFLIGHT_CHECKSUM | \
     PREFLIGHT_DISK_FULL)

/* What a database says of its PostgreSQL in every heartbeat. */
struct pg_report {
    enum pg_phase phase;
    bool ready;     /* a primary that applications may use */
    bool streaming; /* a standby whose receiver is connected */
    member_id upstream;
    uint32_t timeline;     /* of its last WAL */
    uint32_t timeline_max; /* highest id of which a .history file is seen */
    uint64_t wal_term;     /* term of its last WAL, by the record's history */
    lsn_t lsn;             /* primary: flushed; standby: max(received, replayed) */
    lsn_t replay_lsn;
    uint64_t system_id;
    dir_id dir;
    uint32_t preflight;
    uint32_t lag_ms; /* standby: time behind, by heartbeat, 0 when caught up */
    uint16_t priority;
};

enum pg_goal_kind {
    GOAL_NONE, /* no PostgreSQL here (witness, observer) */
    GOAL_KEEP, /* leave alone whatever runs or does not (just started, nothing known) */
    GOAL_DOWN, /* kill every process (fence), stay down */
    GOAL_INIT, /* no data: initdb, or adopt the directory found there if so configured; then as PRIMARY */
    GOAL_PRIMARY, /* be the primary of `term` without a promotion: leave it running, or start it without standby.signal
                      (crash recovery keeps the timeline); refuses if pg_control's timeline is not `timeline` */
    GOAL_PROMOTE, /* become the primary of `term` on exactly `timeline`, from a standby, running or stopped */
    GOAL_FOLLOW,  /* standby of `upstream` */
    GOAL_REWIND,  /* put diverged WAL aside, pg_rewind from `upstream`, then as FOLLOW under `dir` */
    GOAL_CLONE,   /* base backup from `upstream` (the old directory put aside), then as FOLLOW under `dir` */
    GOAL_SEAL, /* standby that receives nothing: kill a primary first; start a stopped one with standby.signal and
                      without upstream; cut a receiver; replay all that is there; then `sealed` in the sample */
    GOAL_SHUTDOWN, /* CHECKPOINT, then a clean stop that drains the walsenders (planned switchover) */
};
const char *pg_goal_name(enum pg_goal_kind k);

struct pg_goal {
    uint64_t seq; /* rises with every goal of this start; samples repeat it */
    enum pg_goal_kind kind;
    uint64_t term;
    uint32_t timeline;
    dir_id dir; /* of our data directory, once the goal is reached; part of application_name */
    member_id upstream;
    instant
        not_after; /* PRIMARY, PROMOTE, INIT: the hand reads the clock and the guard's deadline at the point of use
                            and declines when late */
    struct sync_set
        sync; /* PRIMARY, PROMOTE, INIT: synchronous_standby_names before anything is writable; n = 0 with
                             k = 1: a name that nobody has, so every commit waits (strict) */
    bool checkpoint; /* PRIMARY: reached only after a CHECKPOINT, so that a stop that follows is quick */
    uint8_t n_slots; /* members for which a physical slot is kept (primary) */
    member_id slots[DATABASES_MAX];
};

/* A change of synchronous_standby_names on a running primary.  The hand applies it and reports when it is *in force*
 * (docs/protocol.md, "The sync set"): a fresh session sees it, a WAL record was written after that, every
 * walsender of `members_before` or `set` has confirmed past that record or was terminated and is gone; from an empty
 * set, a commit was seen to wait. */
struct pg_sync_order {
    uint64_t seq;
    struct sync_set set; /* n = 0: none; with k = 1 still: nobody, so every commit waits (strict) */
    bool from_empty;
    uint8_t n_before;
    struct sync_member before[2 * SYNC_MAX];
};

enum pg_progress { PG_GOAL_RUNNING, PG_GOAL_REACHED, PG_GOAL_FAILED };

struct pg_standby { /* one row of pg_stat_replication that belongs to a member */
    member_id id;
    dir_id dir;
    bool streaming;
    lsn_t flush_lsn, replay_lsn;
};

/* The poolers that an observer drives on its host: none, or none that it reaches; serving; holding every client back,
 * with no transaction under way, for the planned switchover in its record. */
enum pooler_state { POOLER_NONE, POOLER_OPEN, POOLER_HELD };

/* What the hand saw.  Sent to the core whenever something changed, and every few hundred milliseconds anyway. */
struct pg_sample {
    enum pg_phase phase;
    bool
        answering; /* the kept session wrote and flushed within its deadline, and a fresh one could be opened */
    bool frozen;   /* by the guard: its silence means nothing */
    bool confirmed_dead; /* DOWN, and every process was reaped */
    bool clean;          /* pg_control says "shut down" (or "shut down in recovery") */
    bool
        leaving; /* the agent is about to be replaced: a long lease, so that the next one has the time to come up */
    bool sealed; /* GOAL_SEAL reached: receives nothing, all local WAL is replayed, `lsn` is final */
    uint64_t goal_seq;
    enum pg_progress progress;
    uint32_t goal_failures; /* since the agent's start, for people to watch */
    char detail[TEXT_SIZE]; /* of BROKEN, FAILED, or what goes on ("base backup 43 %") */
    uint64_t sync_seq;
    enum pg_progress sync_progress;
    lsn_t sync_lsn; /* at which it came into force */
    uint32_t timeline, timeline_max;
    lsn_t lsn, replay_lsn;
    uint64_t system_id;
    member_id upstream;       /* of the receiver, MEMBER_NONE when there is none */
    uint32_t upstream_age_ms; /* since its last message, EVIDENCE_NEVER without one */
    uint32_t preflight;
    uint32_t flush_us;                     /* last write and flush */
    uint32_t connections, connections_max; /* of clients, for people to watch; 0, 0: not known */
    uint8_t n_standbys;
    struct pg_standby standbys[DATABASES_MAX];
    /* observers */
    uint64_t sql_term;   /* the term whose primary answered, 0 none */
    uint32_t sql_age_ms; /* since it answered, EVIDENCE_NEVER if never */
    enum pooler_state pooler;
};

#endif
