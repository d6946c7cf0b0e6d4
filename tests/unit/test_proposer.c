/* Takeovers: who starts one and when, what it rests on, whom it proposes. */
// LINK: tests/unit/rig.c
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

enum {
    DB3_BIT = 1u << (DB3 - 1),
    W1_BIT = 1u << (W1 - 1),
    W2_BIT = 1u << (W2 - 1),
    OTHERS = DB3_BIT | W1_BIT | W2_BIT
};

static void nothing(struct rig *r)
{
    (void)r;
}

/* ---- starting ---------------------------------------------------------------------------------------------------------- */

static void only_w1(struct rig *r)
{
    r->beat[DB3].verdict = r->beat[W2].verdict = VERDICT_ALIVE;
}
static void unknown_mostly(struct rig *r)
{
    r->beat[DB3].verdict = r->beat[W2].verdict = VERDICT_UNKNOWN;
}
static void two_not_heard(struct rig *r)
{
    r->alive &= ~(DB3_BIT | W2_BIT);
}
static void of_other_term(struct rig *r)
{
    r->beat[DB3].decided_term = r->beat[W2].decided_term = RIG_TERM - 1;
}
static void two_may_not_vote(struct rig *r)
{
    r->beat[DB3].votes = r->beat[W2].votes = false;
}
static void observes(struct rig *r)
{
    r->core->set.observe_only = true;
}
static void no_candidate(struct rig *r)
{
    r->core->set.candidate = false;
}
static void unfit(struct rig *r)
{
    r->pg.preflight = PREFLIGHT_PARAMETERS;
}
static void merely_slow(struct rig *r)
{
    r->pg.preflight = PREFLIGHT_SLOW_DISK;
}
static void foreign(struct rig *r)
{
    r->pg.system_id++;
}
static void diverged(struct rig *r)
{
    r->pg.timeline = 4;
}
static void down(struct rig *r)
{
    r->pg.phase = PG_DOWN, r->pg.confirmed_dead = true, r->pg.upstream = MEMBER_NONE;
}
static void unfenced(struct rig *r)
{
    r->beat[DB3].verdict = r->beat[W2].verdict = VERDICT_UNFENCED;
}
static void paused(struct durable *d)
{
    d->decided.proposal.record.paused = true;
}
static void no_directory(struct durable *d)
{
    d->dir = 0, d->dir_next = 5;
}
static void async(struct durable *d)
{
    d->decided.proposal.record.durability = DURABILITY_ASYNC;
}
static void no_database(struct durable *d)
{
    d->decided.proposal.record.databases[1] = 9;
}

static const struct start_row {
    const char *name;
    member_id self;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    bool starts;
} start_rows[] = {
    {"a quorum judges the primary gone", DB2, NULL, nothing, true},
    {"a witness never starts one", W1, NULL, nothing, false},
    {"only one voter agrees", DB2, NULL, only_w1, false},
    {"the others do not know", DB2, NULL, unknown_mostly, false},
    {"two voters are not heard", DB2, NULL, two_not_heard, false},
    {"their verdicts are about another term", DB2, NULL, of_other_term, false},
    {"two of them may not vote", DB2, NULL, two_may_not_vote, false},
    {"unfenced, but sealing protects the data", DB2, NULL, unfenced, true},
    {"unfenced under async", DB2, async, unfenced, false},
    {"paused", DB2, paused, nothing, false},
    {"this member only observes", DB2, NULL, observes, false},
    {"this member is no candidate", DB2, NULL, no_candidate, false},
    {"the pre-flight bars a promotion", DB2, NULL, unfit, false},
    {"the pre-flight only warns", DB2, NULL, merely_slow, true},
    {"no data directory that may be used", DB2, no_directory, nothing, false},
    {"the data of another cluster", DB2, NULL, foreign, false},
    {"past a fork of the history", DB2, NULL, diverged, false},
    {"PostgreSQL is down: the seal will start it", DB2, NULL, down, true},
    {"not a database of the record", DB2, no_database, nothing, false},
};

static void gone(struct rig *r)
{
    for (member_id id = DB2; id <= W2; id++)
        r->beat[id].verdict = VERDICT_GONE;
}

START_TEST(starts)
{
    const struct start_row *row = &start_rows[_i];
    struct rig *r = rig_running_with(row->self, row->disk);
    gone(r);
    row->before(r);
    rig_sample(r);
    rig_clear(r);
    rig_silence(r);
    EXPECT_INT(rig_count(r, FRAME_PREPARE) > 0, row->starts, row);
    EXPECT_INT(rig_count(r, FRAME_SEAL) > 0, row->starts, row);
}
END_TEST

START_TEST(a_paused_cluster_says_what_it_would_do)
{
    struct rig *r = rig_running_with(DB2, paused);
    gone(r);
    rig_silence(r);
    ck_assert(rig_said(r, "+would-takeover"));
}
END_TEST

/* Ranks: the best asks first, the others one stagger later each. */
static void better_by_term(struct rig *r)
{
    r->beat[DB3].pg.lsn += 64 << 20;
}
static void better_by_priority(struct rig *r)
{
    r->beat[DB3].pg.priority = 200;
}
static void same_site_counts_more(struct rig *r)
{
    better_by_priority(r);
}
static void named(struct rig *r)
{
    better_by_term(r);
    r->core->disk.has_release = true;
    r->core->disk.release = (struct release){.who = DB1, .term = RIG_TERM, .successor = DB2};
}
static void other_named(struct rig *r)
{
    r->core->disk.has_release = true;
    r->core->disk.release = (struct release){.who = DB1, .term = RIG_TERM, .successor = DB3};
}
static const struct rank_row {
    const char *name;
    void (*before)(struct rig *);
    int staggers;
} rank_rows[] = {
    {"no worse than the others: at once", nothing, 0},
    {"another has far more WAL", better_by_term, 1},
    {"in the primary's site, which counts before priority", same_site_counts_more, 0},
    {"named by the primary's release", named, 0},
    {"another is named", other_named, 4},
};

START_TEST(ranks)
{
    const struct rank_row *row = &rank_rows[_i];
    struct rig *r = rig_running(DB2);
    gone(r);
    row->before(r);
    rig_run(r, 60);
    r->alive &= ~1u;
    while (instant_is_never(r->core->quorum_since) && r->us < 100000000)
        rig_run(r, 10);
    int64_t since = r->core->quorum_since.boot_ns / 1000;
    while (r->core->proposer.phase == PROPOSER_IDLE && r->us < 100000000)
        rig_run(r, 10);
    int64_t waited = (r->us - since) / 1000;
    EXPECT(waited >= row->staggers * 40 && waited <= row->staggers * 40 + 30, row);
}
END_TEST

/* ---- preparing --------------------------------------------------------------------------------------------------------- */

static struct rig *asking_with(void (*disk)(struct durable *), void (*before)(struct rig *))
{
    struct rig *r = rig_running_with(DB2, disk);
    gone(r);
    r->alive &= ~1u;
    before(r);
    for (int i = 0; i < 300 && r->core->proposer.phase == PROPOSER_IDLE; i++)
        rig_run(r, 10);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    struct nack n = {
        .ballot = r->core->proposer.ballot, .promised = rig_ballot(100, DB3), .reason = NACK_BALLOT};
    rig_say(r, nack, FRAME_NACK, W1, &n); /* once more, with room for ballots below */
    for (int i = 0; i < 300 && r->core->proposer.phase == PROPOSER_IDLE; i++)
        rig_run(r, 10);
    ck_assert_int_eq(r->core->proposer.ballot.round, 101);
    return r;
}
static struct rig *asking(void)
{
    return asking_with(NULL, nothing);
}

/* Voter `id` promises what is asked now, and shows what it accepted. */
static void promise(struct rig *r, member_id id, const struct proposal *accepted)
{
    static struct promised m;
    m = (struct promised){.accepted = *accepted};
    m.promise = (struct promise){.who = id,
                                 .ballot = r->core->proposer.ballot,
                                 .takeover = r->core->proposer.takeover,
                                 .accepted = accepted->ballot,
                                 .term = RIG_TERM,
                                 .verdict = VERDICT_GONE,
                                 .silent_ms = 700};
    rig_sign_promise(r, &m.promise);
    rig_say(r, promised, FRAME_PROMISE, id, &m);
}

static struct sealed_statement seal_of(struct rig *r, member_id id, lsn_t lsn)
{
    return (struct sealed_statement){
        .ballot = r->core->proposer.ballot,
        .timeline_max = RIG_TIMELINE,
        .sealed = {.id = id, .dir = 100u + id, .wal_term = RIG_TERM, .timeline = RIG_TIMELINE, .lsn = lsn}};
}
static void seal_say(struct rig *r, struct sealed_statement s)
{
    rig_sign_sealed(r, &s);
    rig_say(r, sealed, FRAME_SEALED, s.sealed.id, &s);
}
static void own_seal(struct rig *r)
{
    ck_assert_int_eq(r->core->goal.kind, GOAL_SEAL);
    r->pg.sealed = true;
    r->pg.upstream = MEMBER_NONE;
    rig_sample(r);
}
static const struct accept *proposed(struct rig *r)
{
    static struct accept a;
    const struct rig_frame *f = rig_sent(r, FRAME_ACCEPT);
    if (!f)
        return NULL;
    ck_assert(wire_get_accept(&a, f->body, f->len));
    return &a;
}
static const struct proposal *base(struct rig *r)
{
    return &r->core->disk.decided.proposal;
}

START_TEST(all_are_asked_by_a_round_that_is_on_disk)
{
    static struct prepare p;
    static struct durable d;
    struct rig *r = asking();
    const struct rig_frame *f = NULL;
    uint32_t to = 0, seal_to = 0;
    for (int i = 0; i < r->n_sent; i++) {
        if (r->sent[i].kind == FRAME_PREPARE)
            f = &r->sent[i], to |= 1u << (f->addressee - 1);
        if (r->sent[i].kind == FRAME_SEAL)
            seal_to |= 1u << (r->sent[i].addressee - 1);
    }
    ck_assert_int_eq(to, 0x1d); /* the own vote is asked without a frame */
    ck_assert_int_eq(seal_to, 0x5);
    ck_assert(wire_get_prepare(&p, f->body, f->len) && p.takeover);
    ck_assert(wire_get_durable(&d, r->stored, r->stored_len));
    ck_assert_int_eq(p.ballot.round, d.round);
    ck_assert(p.ballot.round > RIG_ROUND);
    ck_assert_int_eq(r->core->proposer.n_promises, 1);
}
END_TEST

START_TEST(an_addressee_is_told_what_is_known_of_its_store)
{
    static struct prepare p;
    struct rig *r = rig_running(DB2);
    gone(r);
    r->alive &= ~1u;
    r->counter[W1] = 4711;
    for (int i = 0; i < 300 && r->core->proposer.phase == PROPOSER_IDLE; i++)
        rig_run(r, 10);
    for (int i = 0; i < r->n_sent; i++)
        if (r->sent[i].kind == FRAME_PREPARE && r->sent[i].addressee == W1) {
            ck_assert(wire_get_prepare(&p, r->sent[i].body, r->sent[i].len));
            ck_assert_int_eq(p.known_counter, 4711);
            return;
        }
    ck_abort_msg("w1 was not asked");
}
END_TEST

/* ---- what is proposed --------------------------------------------------------------------------------------------------- */

enum {
    OWN = 1,
    DB3_SEALS = 2,
    AHEAD = 4,
    OTHER_DIR = 8,
    DB3_UNFIT = 16,
    HISTORY = 32,
    FORMER = 64,
    OLD_TERM = 128,
    RELEASED = 256
};

static void k2(struct durable *d)
{
    d->decided.proposal.record.sync[0].k = 2;
}
static void only_db3(struct durable *d)
{
    d->decided.proposal.record.sync[0] = (struct sync_set){.k = 1, .n = 1, .m = {{DB3, 103}}};
}
static void joint(struct durable *d)
{
    only_db3(d);
    d->decided.proposal.record.joint = true;
    d->decided.proposal.record.sync[1] = (struct sync_set){.k = 1, .n = 1, .m = {{DB2, 102}}};
}
static void joint_back(struct durable *d)
{
    joint(d);
    struct record *x = &d->decided.proposal.record;
    struct sync_set s = x->sync[0];
    x->sync[0] = x->sync[1];
    x->sync[1] = s;
}
static void empty(struct durable *d)
{
    memset(&d->decided.proposal.record.sync[0], 0, sizeof(struct sync_set));
}
static void switching(struct durable *d)
{
    d->decided.proposal.record.switchover_from = DB1;
    d->decided.proposal.record.switchover_to = DB2;
    d->decided.proposal.record.switchover_deadline_ms = 5000;
}

static const struct seal_row {
    const char *name;
    void (*disk)(struct durable *);
    unsigned seals;
    member_id primary; /* proposed, 0: nobody */
} seal_rows[] = {
    {"n - k + 1 = 2 sealed", NULL, OWN | DB3_SEALS, DB2},
    {"n - k = 1 sealed", NULL, OWN, 0},
    {"k = 2: one sealed is enough", k2, OWN, DB2},
    {"n - k = 1 sealed, after a release", NULL, OWN | RELEASED, 0},
    {"nobody sealed", k2, 0, 0},
    {"the other is ahead", NULL, OWN | DB3_SEALS | AHEAD, DB3},
    {"the other's LSN is larger, in an older term", NULL, OWN | DB3_SEALS | AHEAD | OLD_TERM, DB2},
    {"the other was cloned anew", NULL, OWN | DB3_SEALS | OTHER_DIR, 0},
    {"the other is ahead and unfit, and is needed", NULL, OWN | DB3_SEALS | AHEAD | DB3_UNFIT, 0},
    {"the other is ahead and unfit, and is not needed", k2, OWN | DB3_SEALS | AHEAD | DB3_UNFIT, DB2},
    {"not the one listed sealed, but another", only_db3, OWN, 0},
    {"only the one listed sealed: it is proposed", only_db3, DB3_SEALS, DB3},
    {"a joint: both sets", joint, OWN | DB3_SEALS, DB2},
    {"a joint: the first set only", joint, DB3_SEALS, 0},
    {"a joint: the second set only", joint, OWN, 0},
    {"a joint the other way round: the second set only", joint_back, DB3_SEALS, 0},
    {"an empty set satisfies nobody", empty, OWN | DB3_SEALS, 0},
    {"an empty set, and the former primary sealed", empty, OWN | FORMER, DB1},
    {"async: any one", async, OWN, DB2},
    {"async: the own one must be there", async, 0, 0},
};

static void say_seals(struct rig *r, unsigned seals)
{
    if (seals & RELEASED)
        rig_release(r, DB1, RIG_TERM, DB1);
    if (seals & OWN)
        own_seal(r);
    if (seals & DB3_UNFIT)
        r->beat[DB3].pg.preflight = PREFLIGHT_CHECKSUM;
    rig_beat(r, DB3);
    struct sealed_statement s = seal_of(r, DB3, seals & AHEAD ? RIG_LSN + 8 : RIG_LSN);
    if (seals & OTHER_DIR)
        s.sealed.dir = 999;
    if (seals & OLD_TERM)
        s.sealed.wal_term = 2, s.sealed.timeline = 4;
    if (seals & DB3_SEALS)
        seal_say(r, s);
    s = seal_of(r, DB1, RIG_LSN);
    if (seals & FORMER) {
        rig_beat(r, DB1);
        seal_say(r, s);
    }
}

START_TEST(seals)
{
    const struct seal_row *row = &seal_rows[_i];
    struct rig *r = asking_with(row->disk, nothing);
    struct sync_set before = decided(r->core)->sync[0];
    rig_clear(r);
    promise(r, W1, base(r));
    promise(r, W2, base(r));
    say_seals(r, row->seals);
    rig_run(r, 60); /* better seals are waited for a little */
    const struct accept *a = proposed(r);
    EXPECT_INT(a ? a->proposal.record.primary : 0, row->primary, row);
    if (!a)
        return;
    const struct record *x = &a->proposal.record;
    EXPECT_INT(x->primary_dir, 100 + row->primary, row);
    EXPECT_INT(x->term, RIG_TERM + 1, row);
    EXPECT_INT(x->timeline, RIG_TIMELINE + 1, row);
    EXPECT(sync_set_equal(&x->sync[0], &before), row);
    EXPECT_INT(x->history[x->n_history - 1].switch_lsn,
               RIG_LSN + (row->seals & AHEAD && row->primary == DB3 ? 8 : 0), row);
    EXPECT_INT(record_classify(decided(r->core), x, NULL), CHANGE_TAKEOVER, row);
    const char *why = "";
    ck_assert_msg(takeover_justified(r->core, &a->proposal, &why), "row \"%s\": %s", row->name, why);
}
END_TEST

START_TEST(two_promises_of_five_are_no_quorum)
{
    struct rig *r = asking();
    rig_clear(r);
    promise(r, W1, base(r));
    promise(r, W1, base(r));
    say_seals(r, OWN | DB3_SEALS);
    rig_run(r, 60);
    ck_assert(proposed(r) == NULL);
    promise(r, W2, base(r));
    rig_run(r, 60);
    ck_assert(proposed(r) != NULL);
}
END_TEST

START_TEST(a_switchover_ends_with_the_takeover)
{
    struct rig *r = asking_with(switching, nothing);
    rig_clear(r);
    promise(r, W1, base(r));
    promise(r, W2, base(r));
    say_seals(r, OWN | DB3_SEALS);
    rig_run(r, 60);
    ck_assert_int_eq(proposed(r)->proposal.record.switchover_to, MEMBER_NONE);
}
END_TEST

/* The one that a switchover named asks itself, and another database is sealed sooner. */
START_TEST(a_successor_waits_for_its_own_seal)
{
    struct rig *r = asking_with(only_db3, named);
    rig_clear(r);
    promise(r, W1, base(r));
    promise(r, W2, base(r));
    say_seals(r, DB3_SEALS);
    rig_run(r, 300);
    ck_assert(proposed(r) == NULL);
    own_seal(r);
    rig_run(r, 60);
    ck_assert(proposed(r) != NULL);
    ck_assert_int_eq(proposed(r)->proposal.record.primary, DB2);
}
END_TEST

START_TEST(a_successor_that_cannot_be_sealed_is_not_waited_for_for_ever)
{
    struct rig *r = asking_with(only_db3, named);
    rig_clear(r);
    promise(r, W1, base(r));
    promise(r, W2, base(r));
    say_seals(r, DB3_SEALS);
    rig_run(r, 1200);
    ck_assert(proposed(r) != NULL);
    ck_assert_int_eq(proposed(r)->proposal.record.primary, DB3);
}
END_TEST

/* Ids of timelines that anybody has seen are not used again. */
static void in_own_archive(struct rig *r)
{
    r->pg.timeline_max = 8;
}
static void in_heartbeat(struct rig *r)
{
    r->beat[DB3].pg.timeline_max = 9;
}
static const struct timeline_row {
    const char *name;
    void (*before)(struct rig *);
    uint32_t in_seal, wanted;
} timeline_rows[] = {
    {"none beyond the record's", nothing, RIG_TIMELINE, 6},
    {"a .history file seen here", in_own_archive, RIG_TIMELINE, 9},
    {"one told in a heartbeat", in_heartbeat, RIG_TIMELINE, 10},
    {"one told in a seal", nothing, 11, 12},
};

START_TEST(timelines)
{
    const struct timeline_row *row = &timeline_rows[_i];
    struct rig *r = asking_with(NULL, row->before);
    rig_clear(r);
    promise(r, W1, base(r));
    promise(r, W2, base(r));
    own_seal(r);
    struct sealed_statement s = seal_of(r, DB3, RIG_LSN);
    s.timeline_max = row->in_seal;
    rig_beat(r, DB3);
    seal_say(r, s);
    rig_run(r, 60);
    ck_assert(proposed(r) != NULL);
    EXPECT_INT(proposed(r)->proposal.record.timeline, row->wanted, row);
}
END_TEST

/* ---- what was accepted before --------------------------------------------------------------------------------------------- */

static void edit_pause(struct record *x)
{
    x->paused = true;
}
static void edit_readmit(struct record *x)
{
    x->voters.v[4].epoch++;
}
static void edit_none(struct record *x)
{
    x->version--;
}

START_TEST(a_change_found_undecided_is_built_on)
{
    struct rig *r = asking();
    rig_clear(r);
    promise(r, W1, rig_change(r, RIG_ROUND + 1, edit_readmit));
    promise(r, W2, base(r));
    say_seals(r, OWN | DB3_SEALS);
    rig_run(r, 60);
    ck_assert(proposed(r) != NULL);
    ck_assert_int_eq(proposed(r)->proposal.record.voters.v[4].epoch, 1);
    ck_assert_int_eq(proposed(r)->proposal.record.term, RIG_TERM + 1);
}
END_TEST

START_TEST(the_highest_found_counts)
{
    struct rig *r = asking();
    static struct proposal low, high;
    low = *rig_change(r, RIG_ROUND + 1, edit_readmit);
    high = *rig_change(r, RIG_ROUND + 2, edit_none);
    rig_clear(r);
    promise(r, W1, &high);
    promise(r, W2, &low);
    say_seals(r, OWN | DB3_SEALS);
    rig_run(r, 60);
    ck_assert_int_eq(proposed(r)->proposal.record.voters.v[4].epoch, 0);
}
END_TEST

/* A takeover found undecided: unchanged when its primary is alive, else overtaken, with seals of its own. */
static const struct found_row {
    const char *name;
    bool alive, seals;
    member_id primary;
    uint64_t term, built;
} found_rows[] = {
    {"its primary is heard: proposed unchanged, with its seals", true, false, DB3, RIG_TERM + 1,
     RIG_ROUND + 1},
    {"its primary is not heard, and no seals: nothing", false, false, 0, 0, 0},
};

START_TEST(a_takeover_found_undecided)
{
    const struct found_row *row = &found_rows[_i];
    struct rig *r = asking();
    static struct proposal found;
    found = *rig_takeover(r, RIG_ROUND + 1, DB3);
    if (!row->alive) {
        r->alive &= ~DB3_BIT;
        rig_run(r, 700);
        ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    }
    rig_clear(r);
    promise(r, W1, &found);
    promise(r, W2, base(r));
    rig_run(r, 60);
    const struct accept *a = proposed(r);
    EXPECT_INT(a ? a->proposal.record.primary : 0, row->primary, row);
    if (!a)
        return;
    EXPECT_INT(a->proposal.record.term, row->term, row);
    EXPECT_INT(a->proposal.why.built.round, row->built, row);
    EXPECT(a->proposal.ballot.round > row->built, row);
}
END_TEST

/* w1 shows an old undecided takeover; then the primary's own record is decided above it, after which db3 had gone on
 * confirming; w2 shows that one.  The old takeover and its seals must not come back. */
START_TEST(a_record_passed_over_is_not_built_on)
{
    struct rig *r = asking();
    static struct proposal old, raised;
    old = *rig_takeover(r, RIG_ROUND + 1, DB3);
    raised = *rig_change(r, RIG_ROUND + 2, edit_none);
    rig_clear(r);
    promise(r, W1, &old);
    rig_decide(r, &raised);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    promise(r, W2, &raised);
    rig_run(r, 60);
    ck_assert(proposed(r) == NULL); /* without fresh seals */
    say_seals(r, OWN | DB3_SEALS);
    rig_run(r, 60);
    ck_assert(proposed(r) != NULL);
    ck_assert_int_eq(ballot_cmp(proposed(r)->proposal.why.built, r->core->proposer.ballot), 0);
}
END_TEST

START_TEST(a_pause_found_undecided_is_brought_to_an_end)
{
    struct rig *r = asking();
    rig_clear(r);
    promise(r, W1, rig_change(r, RIG_ROUND + 1, edit_pause));
    promise(r, W2, base(r));
    rig_run(r, 60);
    ck_assert(proposed(r) != NULL);
    ck_assert(proposed(r)->proposal.record.paused);
    ck_assert_int_eq(proposed(r)->proposal.record.term, RIG_TERM);
}
END_TEST

/* ---- ending ------------------------------------------------------------------------------------------------------------------ */

START_TEST(decided_it_is_told_to_all)
{
    struct rig *r = asking();
    rig_clear(r);
    r->voting = OTHERS;
    promise(r, W1, base(r));
    promise(r, W2, base(r));
    say_seals(r, OWN | DB3_SEALS);
    rig_run(r, 100);
    ck_assert_int_eq(decided(r->core)->term, RIG_TERM + 1);
    ck_assert_int_eq(decided(r->core)->primary, DB2);
    ck_assert_int_eq(rig_sent(r, FRAME_DECIDED) != NULL, true);
    static struct certificate c;
    const struct rig_frame *f = rig_sent(r, FRAME_DECIDED);
    ck_assert(wire_get_decided(&c, f->body, f->len));
    ck_assert(certificate_holds(r->core, &c));
    ck_assert_int_eq(c.proposal.why.n_promises >= 3, true);
    ck_assert_int_eq(c.proposal.why.n_seals, 2);
}
END_TEST

START_TEST(a_higher_ballot_makes_it_wait)
{
    struct rig *r = asking();
    struct nack n = {
        .ballot = r->core->proposer.ballot, .promised = rig_ballot(500, DB3), .reason = NACK_BALLOT};
    rig_say(r, nack, FRAME_NACK, W1, &n);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_IDLE);
    rig_run(r, 30);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_IDLE);
    rig_run(r, 150);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    ck_assert_int_eq(r->core->proposer.ballot.round, 501);
}
END_TEST

START_TEST(a_nack_of_another_ballot_changes_nothing)
{
    struct rig *r = asking();
    struct nack n = {.ballot = rig_ballot(3, DB2), .promised = rig_ballot(500, DB3), .reason = NACK_BALLOT};
    rig_say(r, nack, FRAME_NACK, W1, &n);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
}
END_TEST

START_TEST(the_primary_is_back_before_anything_was_proposed)
{
    struct rig *r = asking();
    rig_release(r, DB2, RIG_TERM, DB2); /* no word of the primary */
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    rig_decide(r, rig_change(r, 500, edit_none));
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_IDLE); /* nor does it ask anew at once */
    rig_beat(r, DB1);
    rig_beat(r, DB1);
    rig_tick(r);
    ck_assert_int_eq(r->core->verdict, VERDICT_ALIVE);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_IDLE);
}
END_TEST

/* Statements that are not what they say. */
enum forgery {
    PROMISE_FORGED,
    PROMISE_OF_ANOTHER,
    PROMISE_STALE,
    PROMISE_MISMATCH,
    SEAL_FORGED,
    SEAL_STALE,
    SEAL_OF_WITNESS
};
static const struct forged_row {
    const char *name;
    enum forgery what;
    enum reject reject;
} forged_rows[] = {
    {"a promise with a broken signature", PROMISE_FORGED, REJECT_STATEMENT},
    {"a promise in another's name", PROMISE_OF_ANOTHER, REJECT_STATEMENT},
    {"a promise for a ballot that is over", PROMISE_STALE, REJECT_STALE},
    {"a promise that shows another accepted record than it signs", PROMISE_MISMATCH, REJECT_STATEMENT},
    {"a seal with a broken signature", SEAL_FORGED, REJECT_STATEMENT},
    {"a seal for a ballot that is over", SEAL_STALE, REJECT_STALE},
    {"a seal brought by a witness", SEAL_OF_WITNESS, REJECT_ROLE},
};

START_TEST(statements_that_do_not_hold)
{
    const struct forged_row *row = &forged_rows[_i];
    static struct promised m;
    struct rig *r = asking();
    struct sealed_statement s = seal_of(r, DB3, RIG_LSN);
    member_id from = W1;
    m = (struct promised){.accepted = *base(r)};
    m.promise = (struct promise){.who = W1,
                                 .ballot = r->core->proposer.ballot,
                                 .takeover = true,
                                 .accepted = base(r)->ballot,
                                 .term = RIG_TERM,
                                 .verdict = VERDICT_GONE};
    if (row->what == PROMISE_STALE)
        m.promise.ballot.round--;
    if (row->what == PROMISE_MISMATCH)
        m.promise.accepted.round--;
    if (row->what == PROMISE_OF_ANOTHER)
        from = W2;
    if (row->what == SEAL_STALE)
        s.ballot.round--;
    rig_sign_promise(r, &m.promise);
    rig_sign_sealed(r, &s);
    if (row->what == PROMISE_FORGED)
        m.promise.silent_ms++;
    if (row->what == SEAL_FORGED)
        s.sealed.lsn++;
    uint64_t before = r->core->rejected[row->reject];
    if (row->what < SEAL_FORGED)
        rig_say(r, promised, FRAME_PROMISE, from, &m);
    else
        rig_say(r, sealed, FRAME_SEALED, row->what == SEAL_OF_WITNESS ? W1 : DB3, &s);
    EXPECT_INT(r->core->rejected[row->reject], before + 1, row);
    EXPECT_INT(r->core->proposer.n_promises, 1, row);
    EXPECT_INT(r->core->proposer.n_seals, 0, row);
}
END_TEST

/* ---- the primary reads and raises its record ------------------------------------------------------------------------------- */

static void promised_elsewhere(struct rig *r)
{
    r->beat[W1].promised = rig_ballot(50, DB2);
}
static void sealed_elsewhere(struct rig *r)
{
    r->beat[DB2].sealed_for = rig_ballot(50, DB2);
}
static void below(struct rig *r)
{
    r->beat[W1].promised = rig_ballot(RIG_ROUND - 1, DB2);
}
static const struct raise_row {
    const char *name;
    void (*before)(struct rig *);
    bool raised;
} raise_rows[] = {
    {"nothing above the record: left alone", nothing, false},
    {"a voter promised a takeover above it", promised_elsewhere, true},
    {"a database sealed above it", sealed_elsewhere, true},
    {"a promise below it", below, false},
};

START_TEST(the_primary_raises_its_record)
{
    const struct raise_row *row = &raise_rows[_i];
    struct rig *r = rig_running(DB1);
    struct ballot before = decided_ballot(r->core);
    row->before(r);
    rig_run(r, 300);
    EXPECT_INT(ballot_cmp(decided_ballot(r->core), before) > 0, row->raised, row);
    if (row->raised)
        EXPECT(decided_ballot(r->core).round > 50, row);
    EXPECT_INT(decided(r->core)->version, 7, row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("proposer");
    TCase *tcase = suite_case(suite, "starting");
    tcase_add_loop_test(tcase, starts, 0, ROWS(start_rows));
    tcase_add_test(tcase, a_paused_cluster_says_what_it_would_do);
    tcase_add_loop_test(tcase, ranks, 0, ROWS(rank_rows));
    tcase = suite_case(suite, "preparing");
    tcase_add_test(tcase, all_are_asked_by_a_round_that_is_on_disk);
    tcase_add_test(tcase, an_addressee_is_told_what_is_known_of_its_store);
    tcase_add_loop_test(tcase, statements_that_do_not_hold, 0, ROWS(forged_rows));
    tcase = suite_case(suite, "proposing");
    tcase_add_loop_test(tcase, seals, 0, ROWS(seal_rows));
    tcase_add_test(tcase, two_promises_of_five_are_no_quorum);
    tcase_add_test(tcase, a_switchover_ends_with_the_takeover);
    tcase_add_test(tcase, a_successor_waits_for_its_own_seal);
    tcase_add_test(tcase, a_successor_that_cannot_be_sealed_is_not_waited_for_for_ever);
    tcase_add_loop_test(tcase, timelines, 0, ROWS(timeline_rows));
    tcase_add_test(tcase, a_change_found_undecided_is_built_on);
    tcase_add_test(tcase, the_highest_found_counts);
    tcase_add_loop_test(tcase, a_takeover_found_undecided, 0, ROWS(found_rows));
    tcase_add_test(tcase, a_record_passed_over_is_not_built_on);
    tcase_add_test(tcase, a_pause_found_undecided_is_brought_to_an_end);
    tcase = suite_case(suite, "ending");
    tcase_add_test(tcase, decided_it_is_told_to_all);
    tcase_add_test(tcase, a_higher_ballot_makes_it_wait);
    tcase_add_test(tcase, a_nack_of_another_ballot_changes_nothing);
    tcase_add_test(tcase, the_primary_is_back_before_anything_was_proposed);
    tcase_add_loop_test(tcase, the_primary_raises_its_record, 0, ROWS(raise_rows));
    return suite_run(suite);
}
