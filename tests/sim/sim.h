/* sim.h: the simulated world: hosts, clocks, networks, disks, PostgreSQL, operators and enemies around the real core.
 *
 * One thread, no real clock, every choice from one generator seeded by the seed: a seed is a whole history, and running
 * it again gives the same one byte for byte.  Time is real time in nanoseconds since the start of the seed; each host
 * sees it through two bent clocks (clocks.c).  Memory is reserved once and reused: no allocation per event, none per seed.
 *
 * The machine under test is the one of the daemons: it is driven through mesh/core.h only.  The invariants look at what
 * passes that door and at the world's truth, never at the core's memory, so that a wrong belief cannot excuse itself. */
#ifndef PGMESH_SIM_H
#define PGMESH_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mesh/core.h"
#include "policy/mutant.h"

typedef int64_t ns_t;
#define US(x)      ((ns_t)(x)*1000)
#define MS(x)      ((ns_t)(x)*1000000)
#define SECONDS(x) ((ns_t)(x)*1000000000)
#define NEVER      INT64_MAX

enum {
    SIM_MEMBERS = 10, /* members with a process; persons come on top */
    SIM_PERSONS = 3,  /* two admins and an operator */
    SIM_UNLAWFUL = 64,
    SIM_EVENTS = 1 << 15,
    SIM_BRANCHES = 200, /* histories of WAL */
    SIM_FAULTS = 40,
    SIM_HELD = 24,  /* frames kept by a cut link, to arrive late after the heal */
    SIM_COPIES = 8, /* older copies of a store, for rollbacks */
    SIM_DECIDED = 400,
    SIM_ROSTER = 64,
    SIM_CLIENTS = 2, /* per primary */
    SIM_REPLAY_RING = 32,
};

/* ---- randomness (splitmix64: one multiplication chain, good enough, cheap) ----------------------------------- */
struct rng {
    uint64_t s;
};
static inline uint64_t rng_u64(struct rng *r)
{
    uint64_t z = (r->s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_u64(r) >> 32) * n) >> 32);
}
static inline int64_t rng_range(struct rng *r, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(((unsigned __int128)rng_u64(r) * (uint64_t)(hi - lo + 1)) >> 64);
}
static inline bool rng_chance(struct rng *r, uint32_t permille)
{
    return rng_below(r, 1000) < permille;
}

/* ---- events ---------------------------------------------------------------------------------------------------- */
enum ev_kind {
    EV_PACKET,  /* who: receiver, from: link's peer, a: packet */
    EV_WAKE,    /* who: agent's own deadline */
    EV_SAMPLE,  /* who: the hand posts a sample */
    EV_BOOT,    /* who: the agent starts; a: life */
    EV_GUARD,   /* who: the guard looks at its deadline */
    EV_FREEZE,  /* who: the freezer has done it */
    EV_OP,      /* who: an operation of the hand or of PostgreSQL ends; a: its number */
    EV_PG_TICK, /* who: keepalives, replay, reconnects; a: life of the host */
    EV_WAL,     /* who: standby, from: sender, a: connection, b: LSN */
    EV_CONFIRM, /* who: sender, from: standby, a: connection, b: LSN */
    EV_LEARN,   /* who: primary, from: walsender (or itself: the backends) learns the setting; a: setting */
    EV_CLIENT,  /* who: primary, from: client, a: start of this server */
    EV_FLUSHED, /* who: primary, from: client, a: start, b: LSN of the commit */
    EV_FAULT,   /* a: fault begins */
    EV_HEAL,    /* a: fault ends */
    EV_RESUME,  /* who: what was paused goes on */
    EV_TWIN,    /* the twin's own deadline */
    EV_ORPHANS, /* who: somebody notices that the guard is gone */
    EV_STOP,    /* end of the seed */
};
struct ev {
    ns_t at;
    uint64_t seq;
    uint8_t kind, who, from, pad;
    uint32_t a;
    uint64_t b;
};

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

/* ---- members -------------------------------------------------------------------------------------------------------- */
enum { SENT_KEPT = 256 };
struct stated_grant {
    uint64_t term, nonce, seq;
    member_id holder;
    ns_t until; /* no earlier does it end, by any clock */
};
struct book { /* what a member has said, as the lemmas remember it (inv_lemmas.c) */
    struct ballot promised, takeover, accepted, sealed, decided;
    uint64_t accepted_term, decided_term, released, gave_back;
    ns_t takeover_since, accepted_since;
    instant quarantine;
    struct sync_set in_force; /* the setting of its PostgreSQL, in force at that LSN; 0: not yet */
    lsn_t in_force_at;
    struct stated_grant grant;
    struct ballot newest; /* of the record that was the newest decided one when it started */
    struct ballot change; /* of the last change of its record that it asked promises for */
    uint64_t change_term; /* the term of that record */
    uint64_t nonce;       /* of the start that sent these */
    ns_t sent[SENT_KEPT];
};
enum program_kind { PROGRAM_PRESENT, PROGRAM_NEXT, PROGRAMS };
struct program { /* a core, behind its door */
    const char *name;
    size_t (*size)(void);
    bool (*start)(struct core *core, const struct core_setup *setup, struct effects *out, const char **why);
    void (*step)(struct core *core, const struct event *event, struct effects *out);
    instant (*deadline)(const struct core *core);
};
extern const struct program programs[PROGRAMS];
struct sim_member {
    member_id id;
    enum program_kind program; /* that its next start runs, and the running one unless it is being changed */
    enum role role;
    int site;
    bool voter;
    struct core_setup setup;
    struct core *core;
    bool up;           /* the agent's process runs */
    uint32_t life;     /* starts so far */
    ns_t wake_at;      /* earliest EV_WAKE under way, NEVER: none */
    ns_t busy_until;   /* in a write to disk */
    ns_t paused_until; /* SIGSTOP of the agent */
    bool host_up;
    ns_t vm_until;     /* VM paused until then */
    ns_t exempt_until; /* I1 says nothing about this holder until then */
    int crash_after;   /* armed: the next step with a STORE ends after that many effects; -1 not armed */
    ns_t crash_dark;   /* and stays down for that long */
    bool fatal;
    struct clock boot, raw;
    struct guard guard;
    struct disk disk;
    struct pg pg;
    /* what the invariants keep about it */
    bool amnesiac; /* lost its store, not admitted again yet */
    bool rolled_back;
    bool roster_told; /* in the step that runs */
    uint8_t roster_text[SIM_ROSTER];
    bool dir_lost, ever_lost; /* its data: at this moment; at any time in this seed */
    uint32_t lost_epoch;
    struct ballot sealed_for; /* highest SEALED that left this member */
    bool ready;
    uint64_t ready_term;
    uint64_t sends, steps;
    ns_t rate_since;
    uint64_t rate_steps;
    ns_t sql_seen;
    uint64_t sql_term;
    member_id route;
    struct ballot decided_seen; /* highest record that this member announced as decided */
    struct book book;
};

/* ---- network ---------------------------------------------------------------------------------------------------------- */
struct link {
    uint32_t delay_us, jitter_us;
    uint16_t loss; /* permille */
    uint16_t dup, reorder;
    uint16_t cut; /* number of faults that cut it */
    bool hold;    /* keeps frames while cut instead of dropping them */
    uint32_t rto_ms;
    ns_t last; /* the stream's last delivery: what comes later arrives later */
    uint16_t flying;
    uint8_t n_held;
    uint32_t held[SIM_HELD];
};
enum { PACKETS = 6000, SMALL = 2048 };
struct packet {
    uint16_t refs;
    uint16_t len;
    int32_t next; /* free list */
    uint8_t *bytes;
};

/* ---- faults ------------------------------------------------------------------------------------------------------------- */
#define FAULT_LIST(X) \
    X(AGENT_CRASH, "agent-crash") \
    X(AGENT_CRASH_MID, "agent-crash-mid") \
    X(HOST_CRASH, "host-crash") \
    X(CLUSTER_RESTART, "cluster-restart") \
    X(AGENTS_RESTART, "agents-restart") \
    X(PG_CRASH, "postmaster-crash") \
    X(PG_HANG, "disk-hang") \
    X(CUT_MEMBER, "cut-member") \
    X(CUT_PAIR, "cut-pair") \
    X(CUT_ONE_WAY, "cut-one-way") \
    X(CUT_OUT, "cut-out") \
    X(CUT_IN, "cut-in") X(CUT_SITE, "cut-site") X(CUT_ALL, "cut-all") X(CUT_SOME, "cut-some") \
        X(CUT_REPLICATION, "cut-replication") X(LOSS, "loss") X(SLOW_NET, "slow-net") \
            X(DUPLICATES, "duplicates") X(PAUSE_AGENT, \
                                          "pause-agent") X(PAUSE_VM, "pause-vm") X(STORE_LOST, "store-lost") \
                X(DISK_LOST, "disk-lost") X(DATA_LOST, "data-lost") X(DISK_RESTORED, "disk-restored") \
                    X(ROLLBACK, "rollback") X(SLOW_PROMOTE, "slow-promote") X(SLOW_REPLAY, "slow-replay") \
                        X(SLOW_DISK, "slow-disk") X(ENEMY, "enemy") X(STRAY_TIMELINE, "stray-timeline") \
                            X(CMD_PAUSE, "pause") X(CMD_RESUME, "resume") X(CMD_SWITCHOVER, "switchover") \
                                X(CMD_FAILOVER, "failover") X(CMD_FAILOVER_LOSS, "failover-with-loss") \
                                    X(CMD_READMIT, "readmit") X(CMD_ASYNC, "async") X(CMD_SYNC, "sync") \
                                        X(CMD_STRICT, "strict") X(CMD_DATABASE_ADD, "database-add") \
                                            X(CMD_VOTE_GIVE, "vote-on") X(CMD_VOTE_TAKE, "vote-off") \
                                                X(CMD_REMOVE, "member-remove") X(CMD_RECOVER, "recover") \
                                                    X(FORGE, "forge") X(TWO_STEPS, "two-steps") \
                                                        X(GUARD_CRASH, "guard-crash") X(TWIN, "twin") \
                                                            X(UPGRADE, "upgrade") X(DOWNGRADE, "downgrade") \
                                                                X(ROTATE, "rotate-key") \
                                                                    X(KEY_THIEF, "key-thief")
enum fault_kind {
#define X(name, text) FAULT_##name,
    FAULT_LIST(X)
#undef X
        FAULT_COUNT
};
/* What a fault waits for, once its time has come: a moment inside a takeover. */
enum when {
    WHEN_NOW,
    WHEN_PREPARE,
    WHEN_PROMISE,
    WHEN_SEALED,
    WHEN_ACCEPT,
    WHEN_ACCEPTED,
    WHEN_DECIDED,
    WHEN_PROMOTING,
    WHEN_RELEASE,
    WHEN_JOINT
};
enum target { TARGET_MEMBER, TARGET_PRIMARY, TARGET_STANDBY, TARGET_VOTER, TARGET_PROPOSER };
struct fault {
    enum fault_kind kind;
    enum when when;
    enum target target;
    int who, other; /* indices; -1: to be drawn when it begins */
    ns_t at, lasts; /* lasts 0: no heal */
    uint32_t arg;
    bool armed, begun, healed;
    uint32_t links; /* CUT_SOME: seed of the subset */
    int skip;       /* that many such moments pass first */
    bool prompt;    /* without a delay of the world's own */
    ns_t delay;     /* after the moment */
};

struct decided { /* what a quorum accepted, by the world's own count */
    struct ballot ballot;
    uint8_t hash[8];
    uint32_t voters; /* bits of record.voters.v that said ACCEPTED */
    bool known;      /* the record is known */
    bool done;
    bool shown;      /* a certificate for it was seen and verified */
    uint32_t early;  /* by member id: those that said ACCEPTED */
    uint32_t unread; /* by index: those that said so before the record was known */
    struct record record;
    struct justification *why;
};

/* What a member knows of another's keys (rotate.c). */
struct sim_line {
    uint64_t step, round;
};

struct world {
    /* run */
    uint64_t seed;
    struct rng rng; /* everything that happens */
    ns_t now;
    uint64_t steps;  /* events handled */
    uint64_t digest; /* of everything that happened */
    bool trace;      /* narrate */
    FILE *out;
    bool scenario;
    bool failed;
    char invariant[8];
    char sentence[400];
    jmp_buf stop;
    struct bias const *bias;
    /* events */
    struct ev heap[SIM_EVENTS];
    int n_events;
    uint64_t ev_seq;
    /* layout */
    int n; /* members with a process */
    int n_databases, n_witnesses, n_observers, n_sites;
    struct sim_member m[SIM_MEMBERS];
    struct secret_key person_secret[SIM_PERSONS];
    uint64_t unlawful[SIM_UNLAWFUL]; /* orders that nobody may carry out */
    unsigned n_unlawful;
    uint64_t command_seq;
    struct reform reform; /* the newest that the root has signed */
    struct cluster_id cluster;
    struct record first;
    uint64_t system_id;
    struct {
        struct sim_line known[SIM_MEMBERS][SIM_MEMBERS]; /* by whom, of whom */
        bool uses[SIM_MEMBERS], done[SIM_MEMBERS];       /* its new key; its rotation is over */
    } keys;
    /* network */
    struct link mesh[SIM_MEMBERS][SIM_MEMBERS], repl[SIM_MEMBERS][SIM_MEMBERS];
    struct packet packet[PACKETS];
    int32_t free_small, free_big;
    uint32_t packets_out;
    /* WAL */
    struct branch branch[SIM_BRANCHES];
    int n_branches;
    uint32_t conn_next;
    uint64_t commits, acks;
    /* faults */
    struct fault fault[SIM_FAULTS];
    int n_faults;
    bool plan_rolls_back;
    ns_t healed_at;      /* when the last fault is over */
    uint32_t enemy_rate; /* permille of frames that give the enemy an idea */
    uint32_t replay_ring[SIM_REPLAY_RING];
    int replay_next;
    bool done;
    ns_t good_since;
    /* knowledge of the invariants */
    struct decided decided[SIM_DECIDED];
    int n_decided;
    int top; /* index of the highest decided one, -1: the first record */
    bool i1_dirty;
    bool lossy_command; /* an operator accepted the loss of commits */
    bool commanded;     /* any operator's command that moves the primary */
    ns_t linked_since;  /* I5: healthy and linked since */
    bool bearable;      /* I5: nothing in this plan is worth a failover */
    bool link_dirty;
    uint64_t released_term;
    int ready_now; /* index of the newest ready primary, -1 none yet */
    uint64_t good_acks;
    ns_t command_at;
    uint64_t takeovers, promotions;
};

struct effects *world_effects(void);

/* world.c */
void world_run(struct world *w, uint64_t seed, bool trace, FILE *out);
void world_begin(struct world *w, uint64_t seed, bool trace, FILE *out);
void world_start_members(struct world *w);
void world_loop(struct world *w, ns_t until);
void world_push(struct world *w, ns_t at, enum ev_kind kind, int who, int from, uint32_t a, uint64_t b);
void world_step_member(struct world *w, int i, struct event *e);
void world_perform(struct world *w, int i);
void agent_boot(struct world *w, int i);
void agent_die(struct world *w, int i, ns_t dark);
void host_die(struct world *w, int i);
void host_boot(struct world *w, int i);
int world_index(const struct world *w, member_id id);
int world_primary(const struct world *w); /* of the highest decided record; -1 nobody */
const struct record *world_record(const struct world *w);
const char *world_name(const struct world *w, int i);
uint64_t bytes_hash(uint64_t key, const void *bytes, size_t n); /* sign_sim.c */

void world_send_as(struct world *w, int i, const struct effect *e);

/* rotate.c */
void rotate_reset(struct world *w);
void rotate_boot(struct world *w, int i);
void rotate_begin(struct world *w, int i);
void rotate_roster(struct world *w, int i, const uint8_t *bytes, size_t len);
void rotate_turn(struct world *w, int i, uint64_t round);
bool rotate_link(const struct world *w, int to, int from);
/* Is it signed by any key that this member has had? */
bool rotate_signed(const struct world *w, int i, const uint8_t signature[static SIGNATURE_SIZE],
                   const uint8_t *bytes, size_t n);
void rotate_thief(struct world *w, int i);

/* twin.c */
void twin_reset(void);
int twin_of(void);
void twin_start(struct world *w, int i);
void twin_step(struct world *w, struct event *e);

/* trace.c */
void say(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define TELL(w, ...) \
    do { \
        if ((w)->trace) \
            say((w), __VA_ARGS__); \
    } while (0)
_Noreturn void violate(struct world *w, const char *invariant, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* layout.c */
void layout_draw(struct world *w);
struct layout {
    int databases, witnesses, observers, sites;
    int site_of[SIM_MEMBERS];
    enum durability durability;
    uint8_t k;
    enum voter_rule rule;
    int newcomers;     /* that many of the databases are not in the first record */
    uint32_t voteless; /* by index: no voter of the first record */
    bool quiet;        /* no draw: perfect clocks and a plain LAN */
};
void layout_make(struct world *w, const struct layout *l);

/* plan.c, fault.c */
struct bias {
    enum mutant mutant;
    uint8_t weight[FAULT_COUNT];                        /* 0: as usual */
    uint8_t only;                                       /* nothing but the weighted ones */
    uint8_t extreme_clocks, long_lease_max, durability; /* durability + 1 */
    uint8_t databases, witnesses, k;
    uint8_t when; /* 1: most faults wait for a moment inside a takeover */
    uint8_t slow_freeze;
    uint8_t slow_wal;                 /* standbys far apart */
    uint8_t slow_learn;               /* walsenders learn a new setting late */
    uint8_t mixed;                    /* members run different programs from the start */
    uint8_t short_grace;              /* a boot grace below the lease: it is no safety rule */
    uint8_t moment;                   /* enum when: most of what waits, waits for this */
    void (*directed)(struct world *); /* instead of drawing: a plan that leads there */
};
const struct bias *mutant_bias(enum mutant m);
void plan_draw(struct world *w);
void plan_add(struct world *w, const struct fault *f);
void plan_two_takeovers(struct world *w);
void plan_shorter_lease(struct world *w);
void plan_slow_proposer(struct world *w);
void plan_seal_forgotten(struct world *w);
void plan_second_takeover(struct world *w);
void plan_joint_grows(struct world *w);
void plan_set_grows(struct world *w);
void plan_restored_standby(struct world *w);
void plan_restored_primary(struct world *w);
void plan_voters_restart(struct world *w);
void plan_accept_forgotten(struct world *w);
void plan_joint_lost(struct world *w);
void plan_restart_undecided(struct world *w);
void plan_agent_returns(struct world *w);
void plan_agent_deaf(struct world *w);
void plan_two_steps(struct world *w);
void plan_forged_voters(struct world *w);
void plan_retired_key(struct world *w);
void plan_new_key(struct world *w);
void plan_sealed_alone(struct world *w);
void plan_rolling_upgrade(struct world *w);
void plan_majority_lost(struct world *w);
void plan_recover_early(struct world *w);
void fault_begin(struct world *w, int f);
void fault_heal(struct world *w, int f);
void fault_moment(struct world *w, enum when when, int who);
const char *fault_name(enum fault_kind k);
bool fault_parse(const char *text, enum fault_kind *k);

/* program.c */
void program_draw(struct world *w);
void program_change(struct world *w, int i, enum program_kind to, ns_t dark);
enum reject next_frame_open(struct frame *f, const uint8_t *bytes, size_t n,
                            const struct cluster_id *cluster);

/* net.c */
void net_reset(struct world *w);
uint32_t packet_make(struct world *w, const uint8_t *bytes, size_t n);
void packet_drop(struct world *w, uint32_t p);
void net_send(struct world *w, int from, int to, uint32_t packet, ns_t at);
ns_t net_stream(struct world *w, int from,
                int to); /* when bytes sent now on a replication link arrive; NEVER: lost */
void net_cut(struct world *w, int from, int to, int by, bool repl);
bool net_open(const struct world *w, int from, int to);
void enemy_act(struct world *w);
void enemy_note(struct world *w, uint32_t packet);

/* clocks.c */
void clocks_draw(struct world *w, int i, int32_t boot_ppm, int32_t raw_ppm);
instant clocks_now(const struct world *w, int i);
ns_t clocks_when(const struct world *w, int i,
                 instant t); /* the real time at which the first reading gets there */
ns_t clocks_when_all(const struct world *w, int i, instant t);
void clocks_stop(struct world *w, int i);
void clocks_go(struct world *w, int i);

/* disk.c */
void disk_store(struct world *w, int i, const uint8_t *bytes, size_t n);
void disk_lose(struct world *w, int i);
bool disk_roll_back(struct world *w, int i);

/* guard.c */
void guard_lease(struct world *w, int i, instant until, uint64_t term);
void guard_event(struct world *w, int i, ns_t at);
void guard_frozen(struct world *w, int i);
void guard_reset(struct world *w, int i);
void guard_crash(struct world *w, int i, bool agent_too);
void guard_missed(struct world *w, int i);
bool guard_holds(const struct world *w, int i);

/* hand.c: goals; server.c: processes; wal.c: streaming and commits */
void hand_goal(struct world *w, int i, const struct pg_goal *goal);
void hand_sync(struct world *w, int i, const struct pg_sync_order *order);
void hand_work(struct world *w, int i);
void hand_op(struct world *w, int i, uint32_t op_seq);
void hand_poll_order(struct world *w, int i);
void hand_sample(struct world *w, int i, struct pg_sample *s);
void hand_changed(struct world *w, int i);
void hand_agent_lost(struct world *w, int i);
void hand_start_op(struct world *w, int i, enum op op, ns_t lasts);
void pg_reset(struct world *w, int i);
void pg_tick(struct world *w, int i);
void pg_kill(struct world *w, int i);  /* no process is left, now */
void pg_crash(struct world *w, int i); /* the postmaster dies; orphans go on for a moment */
void pg_freeze(struct world *w, int i, bool frozen);
void pg_set_phase(struct world *w, int i, enum pg_phase phase);
bool pg_serving(const struct world *w, int i);
bool pg_primary_mode(const struct world *w, int i);
bool pg_runs(const struct world *w, int i);
void pg_observer_probe(struct world *w, int i);
bool wal_holds(const struct world *w, struct content dir, struct content point);
struct content wal_normal(const struct world *w, struct content c);
lsn_t wal_common(const struct world *w, struct content a, struct content b);
uint16_t wal_branch(struct world *w, uint32_t timeline, struct content from, uint64_t term, member_id maker);
uint64_t wal_term(const struct world *w, struct content c);
void wal_setting(struct world *w, int i, const struct sync_set *set, bool at_once);
void wal_disconnect(struct world *w, int standby);
void wal_disconnect_all(struct world *w, int primary);
void wal_connect(struct world *w, int standby);
void wal_broadcast(struct world *w, int primary);
void wal_arrives(struct world *w, int standby, int from, uint32_t conn, lsn_t lsn);
void wal_confirm(struct world *w, int primary, int standby, uint32_t conn, lsn_t lsn);
void wal_learn(struct world *w, int primary, int who, uint32_t number);
void wal_client(struct world *w, int primary, int client, uint32_t start);
void wal_flushed(struct world *w, int primary, int client, uint32_t start, lsn_t lsn);
bool wal_drained(const struct world *w, int primary);

/* inv_*.c: each asserts one invariant of docs/protocol.md, section 9 */
void inv_reset(struct world *w);
void inv_i1_leases(struct world *w);
void inv_i2_acked(struct world *w, int primary, lsn_t lsn);
void inv_i2_ready(struct world *w, int i);
void inv_i2_forgive(struct world *w, int i);
void inv_i3_frame(struct world *w, int i, const struct frame *f);
void inv_i3_certificate(struct world *w, int i, const struct certificate *c);
void inv_i3_reformed(struct world *w, const struct certificate *c);
struct decided *inv_i3_entry(struct world *w, struct ballot b);
void inv_i4_promotion(struct world *w, int i, const struct pg_goal *goal);
bool inv_i4_verifies(struct world *w, const struct certificate *c, const char **why);
void inv_i5_takeover(struct world *w, const struct decided *d);
void inv_i5_links(struct world *w);
void inv_i6_alive(struct world *w);
bool inv_i6_recoverable(struct world *w);
void inv_i7_frame(struct world *w, int i, const struct frame *f);
void inv_i8_confirm(struct world *w, int standby, int from, uint64_t term);
void inv_i8_sealed(struct world *w, int i, const struct frame *f);
void inv_i9_ack(struct world *w, int i);
void inv_i10_step(struct world *w, int i, const struct effects *fx);
/* inv_lemmas.c */
void lemma_started(struct world *w, int i);
void lemma_forgets(struct world *w, int i);
void lemma_sent(struct world *w, int i, const struct frame *f);
void lemma_frame(struct world *w, int i, const struct frame *f);
void lemma_waits(struct world *w, int i);
void lemma_heartbeat(struct world *w, int i, const struct heartbeat *h);
void lemma_proposed(struct world *w, int i, struct decided *d);
void lemma_decided(struct world *w, const struct decided *d);
void lemma_setting(struct world *w, int i, const struct sync_set *set, lsn_t lsn);
void lemma_order(struct world *w, int i, uint64_t id);
void lemma_lease(struct world *w, int i, instant until);
void lemma_goal(struct world *w, int i, const struct pg_goal *goal);

/* scenario.c */
int scenario_file(struct world *w, const char *path, bool update);
int scenario_dir(struct world *w, const char *dir, bool update);
void operator_two_steps(struct world *w);
/* recover.c */
void operator_recover(struct world *w, int via);
void recover_told(struct world *w, int i, const uint8_t *bytes, size_t n);
void recover_take(struct world *w, int i);
void operator_forge(struct world *w, int i);
void operator_command(struct world *w, int via, enum command_kind kind, member_id target, bool loss);

#endif
