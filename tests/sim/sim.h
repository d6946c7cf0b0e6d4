/* sim.h: the simulated world: hosts, clocks, networks, disks, PostgreSQL, operators and enemies around the real core.
 *
 * One thread, no real clock, every choice from one generator seeded by the seed: a seed is a whole history, and running
 * it again gives the same one byte for byte.  Time is real time in nanoseconds since the start of the seed; each host
 * sees it through two bent clocks (clocks.c).  Memory is reserved once and reused: no allocation per event, none per seed.
 *
 * The machine under test is the one of the daemons: it is driven through mesh/core.h only.  The invariants look at what
 * passes that door and at the world's truth, never at the core's memory, so that a wrong belief cannot excuse itself. */
#ifndef PGMESH_TESTS_SIM_SIM_H
#define PGMESH_TESTS_SIM_SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mesh/core.h"
#include "tests/sim/inv.h"
#include "tests/sim/sim_base.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_host.h"

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
    int32_t drift_ppm; /* every clock is wrong by so much, fast or slow; 0: by what leases allow for */
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
    bool votes_change;   /* the plan is one of many changes of who votes */
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
    bool two_leases, early_votes; /* I1, L1 did not hold, and need not have (drift_ppm) */
    bool lossy_command;           /* an operator accepted the loss of commits */
    bool commanded;               /* any operator's command that moves the primary */
    ns_t linked_since;            /* I5: healthy and linked since */
    bool bearable;                /* I5: nothing in this plan is worth a failover */
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

/* scenario.c */
int scenario_file(struct world *w, const char *path, bool update);
int scenario_dir(struct world *w, const char *dir, bool update);

/* operator.c */
void operator_command(struct world *w, int via, enum command_kind kind, member_id target, bool loss);
void operator_forge(struct world *w, int i);
void operator_two_steps(struct world *w);

/* recover.c */
void operator_recover(struct world *w, int via);
void recover_told(struct world *w, int i, const uint8_t *bytes, size_t n);
void recover_take(struct world *w, int i);

#endif
