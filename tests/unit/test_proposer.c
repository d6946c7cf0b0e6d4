/* The proposer: what promises and seals come to, what was found undecided, and how a ballot ends. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/takeover_base.h"

/* ---- what the others answer -------------------------------------------------------------------------------------- */

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

/* ---- what is proposed --------------------------------------------------------------------------------------------------- */

enum {
    OWN = 1,
    DB3_SEALS = 2,
    AHEAD = 4,
    OTHER_DIR = 8,
    DB3_UNFIT = 16,
    FORMER = 32,
    OLD_TERM = 64,
    RELEASED = 128
};

static void k2(struct durable *d)
{
    d->decided.proposal.record.sync[0].k = 2;
}
static void joint_db2(struct durable *d)
{
    only_db3(d);
    d->decided.proposal.record.joint = true;
    d->decided.proposal.record.sync[1] = (struct sync_set){.k = 1, .n = 1, .m = {{DB2, 102}}};
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
    {"a joint: both sets", joint_db2, OWN | DB3_SEALS, DB2},
    {"a joint: the first set only", joint_db2, DB3_SEALS, 0},
    {"a joint: the second set only", joint_db2, OWN, 0},
    {"a joint the other way round: the second set only", joint, DB3_SEALS, 0},
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

static void edit_readmit(struct record *x)
{
    x->voters.v[4].epoch++;
}

START_TEST(a_change_found_undecided_is_built_on)
{
    struct rig *r = asking();
    rig_clear(r);
    promise(r, W1, rig_change(r, RIG_ROUND + 1, edit_readmit));
    promise(r, W2, base(r)); /* of before its readmission, which it may have forgotten: it does not count */
    say_seals(r, OWN | DB3_SEALS);
    rig_run(r, 20);
    ck_assert(proposed(r) == NULL);
    rig_run(r, 300); /* asked again, knowing of the readmission */
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
        r->alive &= ~(1u << (DB3 - 1));
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
    r->voting = 0x1c; /* db3, w1, w2 */
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
    TCase *tcase = suite_case(suite, "proposing");
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
    tcase_add_loop_test(tcase, statements_that_do_not_hold, 0, ROWS(forged_rows));
    tcase_add_test(tcase, decided_it_is_told_to_all);
    tcase_add_test(tcase, a_higher_ballot_makes_it_wait);
    tcase_add_test(tcase, a_nack_of_another_ballot_changes_nothing);
    tcase_add_test(tcase, the_primary_is_back_before_anything_was_proposed);
    tcase_add_loop_test(tcase, the_primary_raises_its_record, 0, ROWS(raise_rows));
    return suite_run(suite);
}
