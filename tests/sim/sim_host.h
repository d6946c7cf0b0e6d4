/* sim_host.h: what a simulated host has: clocks, a guard, a disk, a PostgreSQL. */
#ifndef PGMESH_TESTS_SIM_SIM_HOST_H
#define PGMESH_TESTS_SIM_SIM_HOST_H

#include "mesh/core.h"
#include "tests/sim/sim_base.h"

/* ---- hosts -------------------------------------------------------------------------------------------------------- */
struct clock {
    ns_t since;   /* real time of the last change */
    int64_t base; /* reading then */
    int32_t ppm;  /* rate error */
    bool stopped; /* a paused VM */
};

struct guard {
    bool armed;   /* a deadline was given */
    bool gone;    /* killed: nobody watches the deadline but the anchor */
    ns_t wake_at; /* the EV_GUARD under way, 0 none */
    instant deadline;
    uint64_t term;
    ns_t froze_at;   /* 0: not frozen, nor freezing */
    ns_t expired_at; /* when it saw the deadline pass */
};

struct disk {
    uint8_t bytes[DURABLE_MAX];
    size_t len; /* 0: nothing there */
    struct {
        uint8_t bytes[DURABLE_MAX];
        size_t len;
        uint64_t generation;
    } copy[SIM_COPIES]; /* the store as it stood at some moments */
    int copies;
    uint64_t generation; /* raised by every STORE */
    ns_t write_ns;       /* how long a STORE takes, mean */
};

/* ---- PostgreSQL ----------------------------------------------------------------------------------------------------- */
struct branch { /* one history of WAL: made by initdb or a promotion, written by one server only */
    uint32_t timeline;
    uint16_t parent;
    lsn_t fork;    /* where it left its parent */
    uint64_t term; /* of the record it was promoted under */
    member_id maker;
    lsn_t acked; /* highest commit that a client was told about */
    ns_t acked_at;
};
enum { BRANCH_ROOT = 0, BRANCH_NONE = 0xffff };
struct content { /* what lies in a data directory: all of `branch` and its parents up to `lsn` */
    uint16_t branch;
    lsn_t lsn;
};

enum op {
    OP_NONE,
    OP_START_PRIMARY,
    OP_START_STANDBY,
    OP_KILL,
    OP_STOP,
    OP_SWITCH,
    OP_WRITABLE,
    OP_INIT,
    OP_REWIND,
    OP_CLONE,
    OP_CUT,
    OP_REPLAY,
    OP_REAP
};

struct sender { /* a walsender, for one standby */
    bool up;
    uint32_t conn;
    dir_id dir; /* of application_name */
    lsn_t flush;
    lsn_t waiting; /* a confirmation that it has not read yet */
    uint32_t view; /* the setting it knows */
    ns_t last_heard;
};

struct pg {
    enum pg_phase phase;
    bool frozen;
    bool hung;          /* answers nobody, confirms nothing (disk hangs) */
    bool exists;        /* a data directory */
    bool torn;          /* half rewound or half copied: unusable */
    bool clean;         /* shut down cleanly */
    bool restored;      /* came back from an old backup */
    bool writable_once; /* primary mode: PRIMARY, or on the way there */
    struct content at;  /* of a primary: inserted; of a standby: flushed */
    lsn_t flushed;      /* of a primary */
    lsn_t replay;
    lsn_t consistent;     /* no promotion below this LSN */
    uint32_t history_max; /* highest .history file seen */
    uint64_t system_id;
    uint32_t start; /* raised by every start and death of a server */
    /* hand */
    struct pg_goal goal;
    enum pg_progress progress;
    enum op op;
    uint64_t done_seq; /* the goal whose rewind or clone is done */
    lsn_t copy_from;
    ns_t sampled_at, beat_at;
    uint32_t tick_life;
    uint32_t op_seq;
    bool op_stalled; /* its time came while frozen */
    bool sealed;
    lsn_t sealed_lsn;
    ns_t promote_ns, replay_ns;
    uint64_t armed_term; /* the guard freezes it whenever no deadline of that term lies ahead */
    uint32_t promote_timeline;
    uint64_t promote_term;
    bool sample_due;
    /* standby */
    int upstream; /* index of the member, -1 none */
    dir_id name_dir;
    uint32_t conn; /* 0: not connected */
    ns_t last_msg, retry_at;
    /* primary */
    struct sync_set setting[16]; /* by number modulo 16 */
    uint32_t setting_now;        /* newest number */
    bool waits_known;            /* do the backends know that somebody must confirm? */
    uint32_t waits_view;         /* the newest setting that they know */
    struct sender sender[SIM_MEMBERS];
    lsn_t wait[SIM_CLIENTS]; /* commits not yet acknowledged, 0 none */
    /* order */
    bool order_active, order_written;
    struct pg_sync_order order;
    enum pg_progress order_progress;
    lsn_t order_mark, order_lsn;
    ns_t order_since;
};

#endif
