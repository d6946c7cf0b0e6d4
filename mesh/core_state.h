/* core_state.h: the machine's whole state, for the core's own files, the status view and the simulator's invariants.
 *
 * One struct of fixed size.  What survives a restart is in `disk` and nowhere else; everything below it is memory.
 *
 *   file         what it does with the state
 *   core.c       the door: start, step, deadline, check; dispatch of packets; effects
 *   members.c    who is heard, in which incarnation; heartbeats in and out; forwarding
 *   version.c    in which version of the protocol we speak                               (spoken)
 *   pace.c       how often we speak to whom                                              (beat_at, beat_all_at)
 *   roster.c     who is a member                                                         (members, roster)
 *   acceptor.c   promises and accepts; grants; releases heard; records decided          (disk.promised .. disk.decided)
 *   proposer.c   ballots of our own: changes by the primary, takeovers                   (proposer)
 *   takeover.c   when a database starts a takeover                                       (quorum_since)
 *   reform.c     the voters re-formed by the root's word                                 (reform)
 *   certify.c    what makes a takeover acceptable and a record decided                   (reads only)
 *   sealing.c    a database's seal                                                       (disk.sealed_for, sealing)
 *   primary.c    the lease, health, release, readiness                                   (hold)
 *   syncset.c    upkeep of the sync set                                                  (upkeep)
 *   operate.c    operators' commands                                                     (operation, failover)
 *   switchover.c the planned switchover                                                  (operation)
 *   amend.c      an operator's changes of durability, databases and voters               (operation)
 *   goals.c      what PostgreSQL should be doing                                         (goal, sync_order)
 *   notice.c     what is noticed for people's sake                                       (notice, peer.rtt_us)
 *   route.c      where applications should go                                            (route) */
#ifndef PGMESH_MESH_CORE_STATE_H
#define PGMESH_MESH_CORE_STATE_H

#include "mesh/core.h"
#include "mesh/right.h"
#include "policy/candidate.h"
#include "policy/lineage.h"
#include "policy/mutant.h"
#include "policy/quorum.h"

enum { SENT_RING = 256, TALLIES = 4, COMMANDS_SEEN = 16 };

/* disk.epoch of a lost member until it has seen the record in force. */
#define EPOCH_UNKNOWN  UINT32_MAX
/* Of a promise given by one that is no voter yet: it has forgotten nothing. */
#define EPOCH_NEWCOMER UINT32_MAX

/* One other member, as far as it was heard in this start of ours. */
struct peer {
    bool heard; /* a heartbeat, ever */
    uint64_t counter, nonce, seq;
    instant at;              /* of its newest heartbeat, by any path */
    instant direct;          /* over our own link */
    struct heartbeat beat;   /* that heartbeat */
    instant pushed;          /* when we last sent it a certificate that it lacked */
    struct ballot pushed_at; /* and which record it knew then */
    bool pushed_step;        /* and whether that was the next step */
    instant roster_told;     /* when we last sent it our roster */
    uint32_t rtt_us;         /* over our own link, smoothed; 0: not measured */
    uint64_t outage_term;    /* of the newest outage that it told of */
};

/* ACCEPTED statements for one ballot, until a quorum makes it a certificate. */
struct tally {
    struct ballot ballot;
    uint8_t hash[HASH_SIZE];
    uint8_t n;
    struct accepted accepted[VOTERS_MAX];
};

enum proposer_phase { PROPOSER_IDLE, PROPOSER_PREPARE, PROPOSER_ACCEPT };
struct proposer {
    enum proposer_phase phase;
    bool takeover;
    struct ballot ballot;
    instant started, sent;
    instant backoff;    /* no new attempt before */
    struct record want; /* not a takeover: the change */
    struct ballot knew; /* of the highest record that was known when it was begun */
    uint8_t n_promises;
    struct promise promises[2 * VOTERS_MAX]; /* of the voters found and of those decided */
    uint32_t epochs[2 * VOTERS_MAX]; /* under which they were given; EPOCH_NEWCOMER: as no voter yet */
    bool found;                      /* an accepted record above the decided one in a promise */
    struct proposal highest;
    uint8_t n_seals;
    struct sealed_statement seals[DATABASES_MAX];
    instant enough;  /* since when the seals suffice */
    bool told_short; /* the operator was told that they do not */
    bool has_command;
    struct command command;
    struct proposal proposal; /* PROPOSER_ACCEPT */
};

/* The primary's side of its lease. */
struct hold {
    uint64_t term;                   /* what `until` counts for */
    bool confirmed;                  /* the record was decided, or read through a quorum, in this start */
    instant granted[VOTERS_MAX];     /* by position in the decided record's voters */
    instant granted_own[VOTERS_MAX]; /* by position in disk.own's voters */
    instant until;                   /* of the lease; instant_never() without one */
    instant told;                    /* what the guard was last told */
    bool asking;
    uint32_t ask_ms; /* length asked for */
    instant heard;   /* since when a quorum of the voters is heard in this start */
    instant fine;    /* PostgreSQL last answered, or was last given a new task */
    instant reproposed;
    instant release_sent;
    bool ready, ever_ready; /* in this term and start */
    bool seen_up;           /* PostgreSQL was writable in this term and start */
    bool restarted;         /* this term was served before this start: readiness waits for the sync set */
    lsn_t recovered;        /* where its WAL ended when it was first seen writable in this start */
    lsn_t standbys;         /* the furthest that a standby of this term was before that */
    const char *failing;    /* why PostgreSQL is being killed and the term given up; NULL: it is not */
};

enum operation_phase {
    OPERATION_NONE,
    OPERATION_CHECKPOINT,
    OPERATION_RECORD,
    OPERATION_POOLERS,
    OPERATION_STOP,
    OPERATION_HANDOVER,
    OPERATION_UNDO,
    OPERATION_RELEASED,
    OPERATION_WAIT_RECORD,
    OPERATION_AMEND
};
struct operation {
    enum operation_phase phase;
    struct command command;
    member_id reply_to; /* the link it came from */
    instant started;
    uint64_t version; /* of the record that fulfils it */
    instant proposed; /* a readmission: last; a switchover: since when the checkpoint stands */
    lsn_t stop_lsn;
};

/* An order with one signature of two; id 0: none. */
struct pending {
    struct command command;
    instant until;
};

struct upkeep {
    struct sync_set in_pg; /* the last set PostgreSQL was told */
    bool known;            /* in_pg is what it runs with, in force at in_force */
    lsn_t in_force;
    bool running; /* an order is under way */
    instant ordered;
    instant since[DATABASES_MAX]; /* by position in record.databases: streaming since / gone since */
    bool up[DATABASES_MAX];
    lsn_t mark[DATABASES_MAX]; /* where our WAL ended when that standby had last passed its former mark */
    instant marked[DATABASES_MAX];
    bool backwards; /* leaving the joint towards the old set */
    instant turned; /* when the direction in which the joint is left was last chosen */
};

struct sealing {
    bool active;
    struct ballot ballot;
    member_id asked_by;
};

/* For people alone. */
enum { OPINION_NONE = -1, OPINION_QUARANTINE = -2 };
struct notice {
    uint64_t served_term; /* an observer: of the primary that answered last, 0 none yet; when */
    instant served;
    uint64_t outage_term; /* ... and how long none answered before that term's did */
    uint32_t outage_ms;
    instant considered; /* since when our verdict would promise and no quorum agrees; never: it is not so */
    uint64_t considered_term;
    instant asked;               /* when `opinions` was last looked up */
    bool told;                   /* +considered was said */
    int8_t opinions[VOTERS_MAX]; /* by position in the decided record's voters: a verdict, or OPINION_... */
    uint32_t followers;          /* a primary: members that stream from it, by position */
};

struct core {
    /* given at the start */
    struct cluster_id cluster;
    member_id self;
    int self_index;
    enum role role;
    struct secret_key secret;
    int n_members; /* grows, and no member changes its place */
    struct member members[MEMBERS_MAX];
    enum two_persons two_persons;
    struct reform reform; /* the newest that the root has signed */
    bool reform_served;   /* we held a lease when we heard of it */
    bool key_turning;
    instant key_told; /* when EFFECT_KEY was last given */
    uint64_t roster;  /* digest of: */
    size_t roster_len;
    uint8_t roster_text[ROSTER_MAX];
    struct core_settings set;
    uint64_t nonce;
    instant started;
    instant votes_from; /* quarantine: no takeover is promised or accepted, nothing sealed before */

    struct durable disk; /* as last stored */

    /* memory */
    instant now; /* of the running step */
    uint64_t entropy;
    uint64_t seq;
    instant sent_at[SENT_RING];   /* by seq % SENT_RING */
    instant beat_at, beat_all_at; /* the last heartbeat that was due, and the last to all */
    uint64_t beat_seq;            /* of the last heartbeat, to whomever */
    bool beat_now;
    uint8_t spoken;         /* the version of the protocol in which we spoke last, 0: not yet */
    uint32_t answer;        /* members that get a heartbeat at the end of this step */
    instant stepped;        /* the last step */
    instant tilt;           /* after an unexplained gap: start nothing before */
    uint64_t start_counter; /* generation of this start: what frames say until `vouched` */
    bool vouched;           /* a quorum was heard in this start: none knew a newer generation of our store */
    bool twin;
    instant kept; /* when the others' generations were last written for their own sake */
    int losses;   /* how often others have known a newer generation of our store */
    struct peer peers[MEMBERS_MAX];
    struct grant grant;
    instant voters_changed; /* when the decided voters last changed, or the start */
    instant watch;          /* since when the decided record's primary is being waited for */
    bool learnt;            /* its term was decided in this start */
    enum verdict verdict;
    const char *rule;
    uint32_t silent_ms;
    instant unfenced;     /* since when proof of life holds a takeover up */
    instant quorum_since; /* since when a quorum's verdicts would promise */
    struct tally tallies[TALLIES];
    struct proposer proposer;
    struct hold hold;
    struct upkeep upkeep;
    struct operation operation;
    struct sealing sealing;
    bool failover_armed; /* an operator's command waits to ride on a takeover */
    struct command failover_command;
    member_id failover_reply;
    struct pending pending[PENDING_MAX];
    uint64_t commands[COMMANDS_SEEN]; /* ids of the last ones executed: none is executed twice */
    unsigned n_commands;

    struct pg_sample sample;
    instant sampled;
    struct pg_goal goal;
    instant goal_set;
    bool reclone; /* an operator asked for a fresh copy, or a rewind failed */
    int follow_failures;
    uint64_t foreign; /* the system id of a foreign data directory that was told of, 0: none */
    struct pg_sync_order sync_order;
    struct routing route; /* as last told */

    struct notice notice;

    uint64_t rejected[REJECT_COUNT];
    uint64_t nacks[NACK_END]; /* sent, by reason */
    struct effects *out;      /* of the running step */
};

/* ---- core.c: effects, looking up ------------------------------------------------------------------------------ */
int member_index(const struct core *c, member_id id);
const struct member *member_of(const struct core *c, member_id id);
const char *member_name(const struct core *c, member_id id);
static inline const struct record *decided(const struct core *c)
{
    return &c->disk.decided.proposal.record;
}
static inline struct ballot decided_ballot(const struct core *c)
{
    return c->disk.decided.proposal.ballot;
}
bool is_primary(const struct core *c); /* the decided record names me, with any directory */
bool may_vote(const struct core *c);
/* No voter of the decided record, and fit to be one of the next. */
bool may_join(const struct core *c);
bool in_quarantine(const struct core *c);
/* For how much longer, 0: it is over. */
uint32_t quarantine_ms(const struct core *c);
span beat_interval(const struct core *c);
struct effect *effect_add(struct core *c, enum effect_kind kind);
void store(struct core *c);
void event_say(struct core *c, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void reject(struct core *c, enum reject r);
/* Room for a body at the end of the arena; then send it. */
uint8_t *body_room(struct core *c);
uint32_t mask_of(const struct core *c, member_id id);
uint32_t mask_core(const struct core *c); /* all members with a process, observers included, but not self */
/* To one member (with copies by way of others when its link is bad), or to all of a mask. */
void send_to(struct core *c, enum frame_kind kind, member_id to, size_t body_len);
void send_all(struct core *c, enum frame_kind kind, uint32_t to, size_t body_len);

/* ---- members.c ------------------------------------------------------------------------------------------------- */
/* Is this frame of the origin's newest known start?  Learns a newer one. */
enum reject members_incarnation(struct core *c, const struct frame *f);
/* What is known of the others' stores goes to disk with every STORE, and comes back at the start. */
void members_known(struct core *c);
void members_recall(struct core *c);
void members_keep(struct core *c);
/* Has a quorum, ourselves included, been heard to know no newer generation of our store? */
void members_vouch(struct core *c);
enum reject members_hear(struct core *c, const struct frame *f, const uint8_t *bytes, size_t n,
                         member_id from);
bool peer_fresh(const struct core *c, int index, span within);
void beat(struct core *c, uint32_t to);
void heartbeat_fill(struct core *c, struct heartbeat *h);
bool link_bad(const struct core *c, int index);
/* How long had the sender of `h` not heard from `who` when it sent? */
span heard_age(const struct heartbeat *h, member_id who);
/* The last heartbeat of `who`, in the start of that nonce, that the sender of `h` had heard; 0: none. */
uint64_t heard_seq(const struct heartbeat *h, member_id who, uint64_t nonce);
void lost_store(struct core *c, uint64_t at_least, const char *why);
/* The database reports itself fit to be promoted. */
bool database_eligible(const struct core *c, int index);

/* ---- pace.c ---------------------------------------------------------------------------------------------------- */
/* When the next heartbeat is due. */
instant pace_due(const struct core *c);
/* Is one to be sent at the end of this step, an answer perhaps; to whom? */
bool pace_take(struct core *c, uint32_t *to);
/* For how much longer than a beat the member at index `to` may be without a heartbeat of the one at `from`, with nothing
 * wrong.  Either may be ourselves. */
span pace_slack(const struct core *c, int from, int to);

/* ---- version.c ------------------------------------------------------------------------------------------------- */
/* In which everything but heartbeats is written. */
uint8_t version_spoken(const struct core *c);
void version_drive(struct core *c);

/* ---- roster.c -------------------------------------------------------------------------------------------------- */
void roster_set(struct core *c, const struct roster_news *news);
void roster_heard(struct core *c, int index, uint64_t digest);
void roster_drive(struct core *c);
enum reject on_roster(struct core *c, const struct frame *f);

/* ---- reform.c -------------------------------------------------------------------------------------------------- */
void reform_hear(struct core *c, const struct roster_news *news);
/* The root has named new voters, and their record has not reached us: ours counts no longer. */
bool reform_awaited(const struct core *c);
/* The decided record is a re-formation itself: nobody serves under it. */
bool reform_in_force(const struct core *c);
bool reform_holds(const struct core *c, const struct certificate *cert);
/* It is decided here now, after `before`. */
void reform_adopted(struct core *c, const struct record *before);

/* ---- acceptor.c ------------------------------------------------------------------------------------------------ */
void grant_consider(struct core *c, const struct frame *f, const struct heartbeat *h);
/* Refuses a PREPARE, an ACCEPT or a SEAL of that ballot. */
void nack(struct core *c, member_id to, struct ballot ballot, enum nack_reason reason);
enum reject on_prepare(struct core *c, const struct prepare *p, member_id origin);
enum reject on_accept(struct core *c, const struct accept *a, member_id origin);
enum reject on_accepted(struct core *c, const struct accepted *a);
enum reject on_decided(struct core *c, const struct certificate *cert);
enum reject on_release(struct core *c, const struct release *r);
void verdict_update(struct core *c);
void round_see(struct core *c, struct ballot b);
void push_decided(struct core *c, int index);

/* ---- proposer.c ------------------------------------------------------------------------------------------------ */
bool propose_change(struct core *c, const struct record *want);
void propose_takeover(struct core *c, const struct command *command);
enum reject on_promise(struct core *c, const struct promised *p);
enum reject on_nack(struct core *c, const struct nack *n, member_id origin);
enum reject on_sealed(struct core *c, const struct sealed_statement *s);
void proposer_drive(struct core *c);
void proposer_stop(struct core *c, bool backoff);

/* ---- takeover.c ------------------------------------------------------------------------------------------------ */
void takeover_consider(struct core *c);
/* Are those databases alive and fit that could take over without us: enough, sealed, to prove that nothing is lost? */
bool takeover_possible(const struct core *c);
/* Could `target` take over at once, were the term released now?  NULL: yes; otherwise why it, or those whom it needs, would
 * still refuse: whoever was started a moment ago is in quarantine. */
const char *takeover_waits(const struct core *c, member_id target);
instant takeover_deadline(const struct core *c);

/* ---- certify.c ------------------------------------------------------------------------------------------------- */
/* Is the frame signed by a key that is good for new frames of that member? */
bool frame_holds(const struct member *m, const uint8_t *bytes, size_t n);
/* Are its signatures those of persons?  Whether they may is asked of right_judge(). */
bool command_holds(const struct core *c, const struct command *m);
/* `fresh`: it came by itself, and not in a certificate or among a proposal's reasons. */
bool promise_holds(const struct core *c, const struct promise *p, bool fresh);
bool sealed_holds(const struct core *c, const struct sealed_statement *s, bool fresh);
bool accepted_holds(const struct core *c, const struct accepted *a, bool fresh);
bool release_holds(const struct core *c, const struct release *r);
bool takeover_justified(const struct core *c, const struct proposal *p, const char **why);
bool certificate_holds(const struct core *c, const struct certificate *cert);

/* ---- sealing.c ------------------------------------------------------------------------------------------------- */
enum reject on_seal(struct core *c, const struct seal *s, member_id origin);
void sealing_drive(struct core *c);

/* ---- primary.c ------------------------------------------------------------------------------------------------- */
bool lease_held(const struct core *c);
void hold_reset(struct core *c, bool confirmed);
void hold_granted(struct core *c, member_id voter, const struct heartbeat *h);
/* The voters changed from `before`, by a proposal of ours if those of it were `own`; or a proposal of ours would change
 * them: grants are kept by voter, not by place. */
void hold_voters(struct core *c, const struct voters *before, const struct voters *own);
void hold_own(struct core *c);
void primary_drive(struct core *c);
void release_term(struct core *c, member_id successor, const char *reason);

/* ---- syncset.c ------------------------------------------------------------------------------------------------- */
void syncset_drive(struct core *c);
/* The databases of the record are others, or at other places, than before. */
void syncset_databases(struct core *c);
/* How many standbys stream, `but` not counted. */
int syncset_streaming(const struct core *c, member_id but);
void syncset_sampled(struct core *c);
/* What synchronous_standby_names should say now: under strict an empty set means that every commit waits. */
struct sync_set syncset_setting(const struct core *c, const struct record *r);

/* ---- right.c --------------------------------------------------------------------------------------------------- */
enum right {
    RIGHT_GIVEN,
    RIGHT_FORGED, /* a signature does not hold, or is nobody's that gives orders */
    RIGHT_REVOKED,
    RIGHT_EXPIRED,
    RIGHT_ROLE,  /* the role does not reach */
    RIGHT_SECOND /* a second person has to sign */
};
enum right right_judge(const struct core *c, const struct command *m);
/* Do orders that destroy take a second person now? */
bool right_two_persons(const struct core *c);
/* "anna (an admin) orders: member remove db3; approved by bert" */
void right_describe(const struct core *c, const struct command *m, char *out, size_t size);
/* Is it one that waits still? */
bool pending_runs(const struct core *c, const struct pending *p);
void pending_begin(struct core *c, const struct command *m);
void pending_drop(struct core *c, uint64_t id);
enum reject on_pending(struct core *c, const struct command *m);

/* ---- operate.c ------------------------------------------------------------------------------------------------- */
enum reject on_command(struct core *c, const struct command *m, const uint8_t *bytes, size_t n,
                       member_id from);
enum reject on_answer(struct core *c, const struct answer *a);
void operate_drive(struct core *c);
void operate_decided(struct core *c);
/* For the files that carry an operation out: begun, ended with an answer, or refused before it began. */
void operate_begin(struct core *c, enum operation_phase phase, const struct command *m, member_id from);
void operate_finish(struct core *c, bool done, const char *text, const char *detail, const char *hint);
void operate_refuse(struct core *c, member_id to, const struct command *m, const char *text,
                    const char *detail, const char *hint);
/* The answer alone: whoever gave the command waits no longer, whatever goes on. */
void operate_answer(struct core *c, member_id to, const struct command *m, bool done, const char *text,
                    const char *detail, const char *hint);

/* ---- switchover.c ---------------------------------------------------------------------------------------------- */
/* The command came to the primary; refused when the target does not qualify, or not now. */
void switchover_begin(struct core *c, const struct command *m, member_id from);
/* The next phase, when its time has come; without an operation, what an interrupted switchover left in the record. */
void switchover_drive(struct core *c);
/* The running switchover wants PostgreSQL stopped cleanly. */
bool switchover_stopping(const struct core *c);
/* ... or checkpointed first. */
bool switchover_checkpointing(const struct core *c);

/* ---- amend.c --------------------------------------------------------------------------------------------------- */
void amend(struct core *c, const struct command *m, member_id from);
void amend_drive(struct core *c);
/* What the sync set is being built for: the record's durability, or the one that an operator has ordered. */
enum durability amend_durability(const struct core *c);
/* The database that an operator takes out, or MEMBER_NONE: no sync set is to list it. */
member_id amend_leaving(const struct core *c);

/* ---- goals.c --------------------------------------------------------------------------------------------------- */
void on_sample(struct core *c, const struct pg_sample *s);
void goals_drive(struct core *c);

/* ---- notice.c -------------------------------------------------------------------------------------------------- */
/* A heartbeat of the member at index i came over its own link; what it says of ours, NULL: nothing. */
void notice_link(struct core *c, int i, const struct heard *self);
/* 0: our own link to it is silent. */
uint32_t notice_rtt_us(const struct core *c, int i);
void notice_sample(struct core *c);
/* What our heartbeat says: EVIDENCE_NEVER, or the outage before the decided term, as we (an observer) saw it. */
uint32_t notice_outage_ms(const struct core *c);
void notice_outage(struct core *c, int i);
/* Our verdict would promise a takeover; those of a quorum would. */
void notice_considered(struct core *c, bool would, bool agree);
void notice_decided(struct core *c, const struct record *before);
void notice_followers(struct core *c);
/* For counters: "grant_runs". */
const char *nack_name(enum nack_reason r);
/* For people: "its grant to the primary runs". */
const char *nack_clause(enum nack_reason r);

/* ---- route.c --------------------------------------------------------------------------------------------------- */
void route_drive(struct core *c);

#endif
