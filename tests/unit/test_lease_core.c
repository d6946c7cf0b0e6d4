/* The primary's side of the lease: what it counts, and what it reads before it counts. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

static struct rig *alone(int voters)
{
    struct rig *r = rig_running(DB1);
    for (member_id id = DB2; id <= W2; id++)
        r->grants[id] = id < DB2 + voters;
    return r;
}

static const struct count_row {
    const char *name;
    int voters; /* others that grant */
    bool held;
} count_rows[] = {{"nobody else", 0, false},
                  {"one of four others", 1, false},
                  {"two of four others", 2, true},
                  {"all", 4, true}};

START_TEST(a_lease_needs_a_quorum)
{
    const struct count_row *row = &count_rows[_i];
    struct rig *r = alone(row->voters);
    rig_run(r, 700);
    EXPECT_INT(lease_held(r->core), row->held, row);
    EXPECT_INT(r->core->hold.ready, row->held, row);
    EXPECT_INT(r->goal.kind, row->held ? GOAL_PRIMARY : GOAL_KEEP, row);
}
END_TEST

/* Sent, not received; less 1 % and the time to fence. */
START_TEST(a_lease_counts_from_the_sending)
{
    struct rig *r = alone(4);
    rig_run(r, 1000);
    for (member_id id = DB2; id <= W2; id++)
        r->grants[id] = true;
    rig_clear(r);
    while (!rig_sent(r, FRAME_HEARTBEAT)) {
        r->us += 1000;
        rig_tick(r);
    }
    int64_t sent = r->us;
    r->us += 40000;
    rig_beat(r, DB2);
    rig_beat(r, DB3);
    rig_beat(r, W1);
    ck_assert_int_eq(r->core->hold.until.boot_ns / 1000, sent + 600000 - 6000 - 100000);
    ck_assert_int_eq(r->lease.boot_ns, r->core->hold.until.boot_ns);
}
END_TEST

static void grant_of_other_start(struct heartbeat *h)
{
    h->grant_nonce++;
}
static void grant_to_another(struct heartbeat *h)
{
    h->grant_holder = DB2;
}
static void grant_of_other_term(struct heartbeat *h)
{
    h->grant_term--;
}
static void grant_of_no_voter(struct heartbeat *h)
{
    h->votes = false;
}
static void grant_of_future(struct heartbeat *h)
{
    h->grant_seq += 1000;
}
static void grant_of_old(struct heartbeat *h)
{
    h->grant_seq = 1;
}

static const struct foreign_row {
    const char *name;
    void (*edit)(struct heartbeat *);
} foreign_rows[] = {
    {"to another start of ours", grant_of_other_start},
    {"to another", grant_to_another},
    {"of another term", grant_of_other_term},
    {"by one who may not vote", grant_of_no_voter},
    {"of a request that was never sent", grant_of_future},
    {"of a request long forgotten", grant_of_old},
};

START_TEST(grants_that_do_not_count)
{
    const struct foreign_row *row = &foreign_rows[_i];
    struct rig *r = alone(0);
    rig_run(r, 1000);
    ck_assert(!lease_held(r->core));
    for (member_id id = DB2; id <= W2; id++) {
        static struct heartbeat h;
        h = r->beat[id];
        h.grant_term = RIG_TERM;
        h.grant_holder = DB1;
        h.grant_nonce = r->core->nonce;
        h.grant_seq = r->asked_seq;
        h.grant_ms = 600;
        row->edit(&h);
        rig_say(r, heartbeat, FRAME_HEARTBEAT, id, &h);
    }
    EXPECT(!lease_held(r->core), row);
}
END_TEST

/* A quorum's heartbeats may be the read: they grant, and say that nothing above our record was accepted. */
static void above(struct rig *r, member_id first)
{
    for (member_id id = first; id <= W2; id++)
        r->beat[id].accepted = rig_ballot(RIG_ROUND + 5, DB1);
}
static void two_above(struct rig *r)
{
    above(r, W1);
}
static void three_above(struct rig *r)
{
    above(r, DB3);
}
static void three_below(struct rig *r)
{
    for (member_id id = DB3; id <= W2; id++)
        r->beat[id].accepted = rig_ballot(RIG_ROUND - 1, DB1);
}
static void one_grants(struct rig *r)
{
    for (member_id id = DB3; id <= W2; id++)
        r->grants[id] = false;
}
static void no_votes(struct rig *r)
{
    for (member_id id = DB3; id <= W2; id++)
        r->beat[id].votes = false;
}

static const struct read_row {
    const char *name;
    void (*before)(struct rig *);
    bool read;
} read_rows[] = {
    {"all are level", nothing, true},
    {"with ours a quorum is level", two_above, true},
    {"too few are level: something above may be decided", three_above, false},
    {"too few are level: ours is not what they have accepted", three_below, false},
    {"one grant alone", one_grants, false},
    {"those who say so do not vote", no_votes, false},
};

START_TEST(a_record_is_read_by_grants)
{
    const struct read_row *row = &read_rows[_i];
    struct rig *r = rig_running(DB1);
    r->voting = 0;
    row->before(r);
    rig_restart(r);
    ck_assert(!r->core->hold.confirmed);
    rig_clear(r);
    rig_run(r, 1000);
    EXPECT_INT(r->core->hold.confirmed, row->read, row);
    EXPECT_INT(lease_held(r->core), row->read, row);
    EXPECT_INT(rig_count(r, FRAME_PREPARE) == 0, row->read, row); /* nothing is proposed where reading does */
}
END_TEST

/* Where their words do not do, the record is proposed again; before that, nothing is counted. */
START_TEST(a_restarted_primary_reads_first)
{
    struct rig *r = rig_running(DB1);
    r->voting = 0;
    above(r, DB2);
    rig_restart(r);
    rig_run(r, 1000);
    ck_assert(!r->core->hold.confirmed && !lease_held(r->core));
    ck_assert(rig_sent(r, FRAME_PREPARE) != NULL);
    r->voting = 0x1e;
    rig_run(r, 300);
    ck_assert(r->core->hold.confirmed && lease_held(r->core));
}
END_TEST

/* What is decided of a former start of ours is no read of this one. */
START_TEST(a_decision_of_a_former_start_is_no_read)
{
    struct rig *r = rig_running(DB1);
    r->voting = 0;
    above(r, DB2);
    rig_restart(r);
    rig_run(r, 200);
    struct proposal *p = rig_change(r, r->core->disk.decided.proposal.ballot.round + 1, edit_none);
    p->record.version++;
    rig_decide(r, p);
    ck_assert_int_eq(decided(r->core)->version, p->record.version);
    ck_assert(!r->core->hold.confirmed);
}
END_TEST

/* P reads after a restart; its own earlier change is decided meanwhile: it must not propose what it meant to read. */
START_TEST(a_change_decided_meanwhile_is_not_undone)
{
    static struct accept a;
    struct rig *r = rig_running(DB1);
    r->voting = 0;
    above(r, DB2);
    rig_restart(r);
    rig_run(r, 300);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    struct proposal *p = rig_change(r, r->core->proposer.ballot.round, edit_none);
    p->ballot.nonce = 1; /* just below what is prepared */
    p->record.version++;
    r->accepted = *p;
    rig_decide(r, p);
    r->voting = 0x1e;
    r->handled = 0; /* the promises come only now */
    rig_run(r, 500);
    ck_assert_int_eq(decided(r->core)->version, p->record.version);
    for (int i = 0; i < r->n_sent; i++)
        if (r->sent[i].kind == FRAME_ACCEPT) {
            ck_assert(wire_get_accept(&a, r->sent[i].body, r->sent[i].len));
            ck_assert_int_eq(a.proposal.record.version, p->record.version);
        }
}
END_TEST

/* An operator's change of our record: promised, and then nobody hears the ACCEPT. */
static struct rig *proposing(enum command_kind kind, member_id target)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, kind, target);
    r->alive = 1u << (DB2 - 1) | 1u << (W2 - 1); /* with us a bare quorum */
    rig_run(r, 700);
    ck_assert(lease_held(r->core));
    r->voting = 0;
    r->promising = 0x1e;
    rig_clear(r);
    rig_submit(r, &m);
    rig_vote(r);
    return r;
}

/* They have heard nothing of what we proposed before we were started anew; some may have, and it comes first. */
START_TEST(an_own_proposal_is_read_by_proposing_it)
{
    struct rig *r = proposing(COMMAND_PAUSE, MEMBER_NONE);
    r->promising = 0;
    rig_restart(r);
    rig_run(r, 500);
    ck_assert(r->core->disk.has_own && !r->core->hold.confirmed);
    ck_assert(rig_sent(r, FRAME_PREPARE) != NULL);
}
END_TEST

/* Who asks for a lease answers the first word of a voter at once: the voter grants only what echoes it. */
START_TEST(the_first_word_of_a_voter_is_answered_at_once)
{
    struct rig *r = rig_running(DB1);
    r->alive = 0;
    rig_restart(r);
    rig_run(r, 100);
    rig_clear(r);
    r->us += 1000;
    rig_beat(r, W1);
    ck_assert_int_eq(rig_count(r, FRAME_HEARTBEAT), 1);
    ck_assert_int_eq(rig_sent(r, FRAME_HEARTBEAT)->to >> (W1 - 1) & 1, 1);
    rig_clear(r);
    r->us += 1000;
    rig_beat(r, W1);
    ck_assert_int_eq(rig_count(r, FRAME_HEARTBEAT), 0);
}
END_TEST

START_TEST(a_proposal_is_on_disk_before_it_is_sent)
{
    static struct durable d;
    struct rig *r = proposing(COMMAND_PAUSE, MEMBER_NONE);
    ck_assert(wire_get_durable(&d, r->stored, r->stored_len));
    ck_assert(d.has_own && d.own.record.paused && !d.decided.proposal.record.paused);
    rig_restart(r);
    ck_assert(r->core->disk.has_own);
    r->accepted = r->core->disk.own; /* one of those that promise now had heard it */
    r->voting = 0x1e;
    rig_run(r, 500);
    ck_assert(decided(r->core)->paused && !r->core->disk.has_own);
}
END_TEST

/* Admitted again, w2 is another voter: what it granted before counts under the decided record only. */
START_TEST(the_lease_holds_under_the_own_proposal_too)
{
    struct rig *r = proposing(COMMAND_READMIT, W2);
    ck_assert(r->core->disk.has_own);
    rig_tick(r);
    ck_assert(!lease_held(r->core));
    rig_beat(r, W2);
    rig_tick(r);
    ck_assert(lease_held(r->core));
}
END_TEST

START_TEST(a_released_term_is_never_asked_for_again)
{
    struct rig *r = rig_running(DB1);
    r->core->set.on_crash = ON_CRASH_FAILOVER;
    r->pg.phase = PG_DOWN;
    r->pg.confirmed_dead = true;
    r->pg.answering = false;
    rig_clear(r);
    rig_sample(r);
    const struct rig_frame *f = rig_sent(r, FRAME_RELEASE);
    ck_assert(f != NULL && r->stored_order > 0 && r->stored_order < f->order);
    ck_assert(r->leases == 1 && instant_is_never(r->lease));
    ck_assert(!r->core->hold.asking);
    rig_restart(r);
    r->setup.settings.on_crash = ON_CRASH_FAILOVER;
    rig_run(r, 3000);
    ck_assert(!r->core->hold.asking && !lease_held(r->core));
    ck_assert(rig_count(r, FRAME_RELEASE) > 3); /* until everybody knows */
}
END_TEST

START_TEST(without_a_lease_it_yields_to_a_takeover_that_was_accepted)
{
    struct rig *r = alone(0);
    r->voting = 0;
    rig_run(r, 1000);
    ck_assert(!lease_held(r->core) && r->core->hold.asking);
    ck_assert_int_eq(r->core->verdict, VERDICT_ALIVE); /* of itself: it grants itself */
    r->beat[DB2].accepted = rig_ballot(60, DB2);
    r->beat[DB2].accepted_term = RIG_TERM + 1;
    rig_run(r, 2500);
    ck_assert(!r->core->hold.asking);
    ck_assert_int_eq(r->core->verdict, VERDICT_GONE);
    rig_clear(r);
    rig_prepare(r, DB2, 1000, true);
    ck_assert_int_eq(rig_count(r, FRAME_PROMISE), 1);
}
END_TEST

START_TEST(with_a_lease_it_does_not)
{
    struct rig *r = rig_running(DB1);
    r->beat[DB2].accepted = rig_ballot(60, DB2);
    r->beat[DB2].accepted_term = RIG_TERM + 1;
    rig_run(r, 1500);
    ck_assert(r->core->hold.asking && lease_held(r->core));
}
END_TEST

static void only_me(struct durable *d)
{
    d->decided.proposal.record.voters.n = 1;
}

/* An agent that is about to be replaced leaves its successor the time to find the others. */
START_TEST(who_leaves_asks_for_the_longest)
{
    static struct heartbeat h;
    struct rig *r = rig_running(DB1);
    for (int leaving = 0; leaving <= 1; leaving++) {
        r->pg.leaving = leaving;
        rig_clear(r);
        rig_sample(r); /* without waiting for the next beat */
        if (!leaving)
            rig_run(r, 100);
        const struct rig_frame *f = rig_sent(r, FRAME_HEARTBEAT);
        ck_assert(f && wire_get_heartbeat(&h, f->body, f->len));
        ck_assert_int_eq(h.request_ms, leaving ? 2000 : 600);
    }
}
END_TEST

START_TEST(a_single_voter_is_a_quorum)
{
    struct rig *r = rig_new(DB1);
    only_me(&r->disk);
    r->setup.n_members = 1;
    r->alive = r->voting = 0;
    rig_start(r);
    rig_sample(r);
    rig_run(r, 500);
    ck_assert(lease_held(r->core));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lease_core");
    TCase *tcase = suite_case(suite, "lease");
    tcase_add_loop_test(tcase, a_lease_needs_a_quorum, 0, ROWS(count_rows));
    tcase_add_test(tcase, a_lease_counts_from_the_sending);
    tcase_add_loop_test(tcase, grants_that_do_not_count, 0, ROWS(foreign_rows));
    tcase_add_loop_test(tcase, a_record_is_read_by_grants, 0, ROWS(read_rows));
    tcase_add_test(tcase, an_own_proposal_is_read_by_proposing_it);
    tcase_add_test(tcase, the_first_word_of_a_voter_is_answered_at_once);
    tcase_add_test(tcase, a_restarted_primary_reads_first);
    tcase_add_test(tcase, a_decision_of_a_former_start_is_no_read);
    tcase_add_test(tcase, a_change_decided_meanwhile_is_not_undone);
    tcase_add_test(tcase, the_lease_holds_under_the_own_proposal_too);
    tcase_add_test(tcase, a_proposal_is_on_disk_before_it_is_sent);
    tcase_add_test(tcase, a_released_term_is_never_asked_for_again);
    tcase_add_test(tcase, without_a_lease_it_yields_to_a_takeover_that_was_accepted);
    tcase_add_test(tcase, with_a_lease_it_does_not);
    tcase_add_test(tcase, who_leaves_asks_for_the_longest);
    tcase_add_test(tcase, a_single_voter_is_a_quorum);
    return suite_run(suite);
}
