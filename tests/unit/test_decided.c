/* What a member takes for decided: certificates, voters that come and go, and how one that is behind is led there. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/proposals.h"
#include "tests/unit/suite.h"

enum { ALL = 0x1f, THREE = 0x16 /* db2, db3, w2 */, THREE_OF_FOUR = 0x7, TWO_OF_THREE = 0x3, TWO = 0x12 };

static void as_is(struct certificate *c)
{
    (void)c;
}
static void cert_forged(struct certificate *c)
{
    c->accepted[1].signature[5] ^= 1;
}
static void cert_last_forged(struct certificate *c)
{
    c->accepted[c->n_accepted - 1].signature[5] ^= 1;
}
static void cert_hash(struct certificate *c)
{
    c->proposal.record.version++;
}
static void cert_ballot(struct certificate *c)
{
    c->accepted[1].ballot.round--;
}
static void cert_twice(struct certificate *c)
{
    c->accepted[2] = c->accepted[1];
}
static void cert_none(struct certificate *c)
{
    c->n_accepted = 0;
}

static const struct decided_row {
    const char *name;
    struct proposal *(*make)(struct rig *);
    uint32_t voters;
    void (*edit)(struct certificate *);
    enum reject reject;
} decided_rows[] = {
    {"a quorum accepted: adopted, though the grant runs", take, THREE, as_is, REJECT_NONE},
    {"a change that a quorum accepted", pause, THREE, as_is, REJECT_NONE},
    {"one voter goes", without_w2, THREE_OF_FOUR, as_is, REJECT_NONE},
    {"one is admitted again", one_voter, THREE, as_is, REJECT_NONE},
    {"two changes of voters on, accepted by a quorum of those known", two_voters, THREE_OF_FOUR, as_is,
     REJECT_NONE},
    {"two changes of voters on, by a quorum of its own alone", two_voters, TWO_OF_THREE, as_is,
     REJECT_CERTIFICATE},
    {"two of five", take, TWO, as_is, REJECT_CERTIFICATE},
    {"nobody", take, ALL, cert_none, REJECT_CERTIFICATE},
    {"one of three is forged", take, THREE, cert_forged, REJECT_CERTIFICATE},
    {"they accepted another record", take, THREE, cert_hash, REJECT_CERTIFICATE},
    {"one accepted it in another ballot", take, THREE, cert_ballot, REJECT_CERTIFICATE},
    {"one of three is shown twice", take, THREE, cert_twice, REJECT_CERTIFICATE},
    {"an observer is among them, and counts for nothing", take, 1u << (APP1 - 1) | THREE, as_is, REJECT_NONE},
    {"two voters and an observer", take, 1u << (APP1 - 1) | TWO, as_is, REJECT_CERTIFICATE},
    {"an observer is among them, forged", take, 1u << (APP1 - 1) | THREE, cert_last_forged,
     REJECT_CERTIFICATE},
    {"of another cluster", other_nonce, THREE, as_is, REJECT_CERTIFICATE},
    {"below the decided ballot", take_low, ALL, as_is, REJECT_STALE},
    {"of a term that is over", older_term, ALL, as_is, REJECT_RECORD},
};

START_TEST(decisions)
{
    const struct decided_row *row = &decided_rows[_i];
    struct rig *r = rig_running(W1);
    struct certificate *c = rig_certificate(r, row->make(r), row->voters);
    row->edit(c);
    uint64_t refused = r->core->rejected[row->reject], round = decided_ballot(r->core).round;
    rig_say(r, decided, FRAME_DECIDED, DB2, c);
    EXPECT_INT(r->core->rejected[row->reject], refused + 1, row);
    EXPECT_INT(r->decisions, row->reject == REJECT_NONE, row);
    if (row->reject != REJECT_NONE) {
        EXPECT_INT(decided_ballot(r->core).round, round, row);
        return;
    }
    EXPECT_INT(decided_ballot(r->core).round, 20, row);
    EXPECT_INT(r->core->disk.accepted.ballot.round, 20, row);
    EXPECT_INT(r->core->disk.promised.round, 20, row);
    EXPECT_INT(r->stores > 0, true, row);
}
END_TEST

START_TEST(accepted_statements_make_a_decision_without_the_proposer)
{
    struct rig *r = rig_running(W1);
    rig_silence(r);
    struct proposal *p = take(r);
    rig_accept(r, p);
    struct certificate *c = rig_certificate(r, p, THREE);
    rig_say(r, accepted, FRAME_ACCEPTED, DB2, &c->accepted[0]);
    rig_say(r, accepted, FRAME_ACCEPTED, DB2, &c->accepted[0]); /* the same one counts once */
    ck_assert_int_eq(decided(r->core)->term, RIG_TERM);
    rig_say(r, accepted, FRAME_ACCEPTED, DB3, &c->accepted[1]);
    ck_assert_int_eq(decided(r->core)->term, RIG_TERM + 1);
}
END_TEST

START_TEST(a_peer_behind_is_told_what_was_decided)
{
    struct rig *r = rig_running(W1);
    rig_decide(r, rig_change(r, 20, edit_pause));
    rig_clear(r);
    rig_beat(r, DB3);
    ck_assert_int_eq(rig_count(r, FRAME_DECIDED), 1);
    rig_beat(r, DB3);
    ck_assert_int_eq(rig_count(r, FRAME_DECIDED), 1); /* not at every heartbeat */
}
END_TEST

/* One of two voters is one step from both: alone it could name itself the only one. */
static void two_vote(struct durable *d)
{
    d->decided.proposal.record.voters.n = DB2;
}
static void edit_without_db2(struct record *x)
{
    x->voters.n = DB1;
}
START_TEST(a_decision_is_one_of_the_voters_before_as_well)
{
    struct rig *r = rig_running_with(DB3, two_vote);
    struct proposal *p = rig_change(r, 20, edit_without_db2);
    rig_say(r, decided, FRAME_DECIDED, W1, rig_certificate(r, p, 1u << (DB1 - 1)));
    ck_assert_int_eq(r->decisions, 0);
    ck_assert_int_eq(r->core->rejected[REJECT_CERTIFICATE], 1);
    rig_say(r, decided, FRAME_DECIDED, W1, rig_certificate(r, p, 1u << (DB1 - 1) | 1u << (DB2 - 1)));
    ck_assert_int_eq(r->decisions, 1);
    ck_assert_int_eq(decided(r->core)->voters.n, 1);
}
END_TEST

static void no_voter_yet(struct durable *d) /* self is the last of five */
{
    d->decided.proposal.record.voters.n = W1;
}

/* With one voter so far, or one of three down, a record that admits another needs that one's own acceptance. */
START_TEST(a_newcomer_accepts_the_record_that_admits_it)
{
    struct rig *r = rig_running_with(W2, no_voter_yet);
    struct proposal *p = with_w2(r);
    ck_assert(!may_vote(r->core) && may_join(r->core));
    rig_accept(r, p);
    ck_assert_int_eq(rig_count(r, FRAME_ACCEPTED), 1);
    ck_assert(r->stored_order > 0 && r->stored_order < rig_sent(r, FRAME_ACCEPTED)->order);
    ck_assert(!may_vote(r->core)); /* no voter before that is decided */
    rig_decide(r, p);
    ck_assert(may_vote(r->core) && in_quarantine(r->core));
    ck_assert_uint_eq(r->core->disk.epoch, p->record.version);
}
END_TEST

START_TEST(one_that_the_record_does_not_admit_accepts_nothing)
{
    struct rig *r = rig_running_with(W2, no_voter_yet);
    rig_accept(r, pause(r));
    ck_assert_int_eq(rig_count(r, FRAME_ACCEPTED), 0);
    ck_assert_int_eq(rig_nack(r), NACK_NOT_VOTING);
}
END_TEST

/* The certificate that was sent last. */
static void told(const struct rig *r, struct certificate *c)
{
    const struct rig_frame *f = rig_sent(r, FRAME_DECIDED);
    ck_assert(f != NULL && wire_get_decided(c, f->body, f->len));
}

/* Who is two changes of voters behind gets the first, then the last record: each a step from the one before. */
START_TEST(a_peer_far_behind_is_led_step_by_step)
{
    static struct certificate c;
    struct rig *r = rig_running(W1);
    struct ballot old = decided_ballot(r->core);
    rig_say(r, decided, FRAME_DECIDED, DB2, rig_certificate(r, without_w2(r), THREE_OF_FOUR));
    rig_say(r, decided, FRAME_DECIDED, DB2,
            rig_certificate(r, rig_change(r, 30, edit_without_w1), THREE_OF_FOUR));
    ck_assert_int_eq(r->core->disk.n_chain, 2);
    r->beat[DB3].decided = old;
    rig_clear(r);
    rig_beat(r, DB3);
    told(r, &c);
    ck_assert_int_eq(c.proposal.ballot.round, 20);
    r->beat[DB3].decided = c.proposal.ballot;
    rig_beat(r, DB3); /* at once: it has made a step */
    ck_assert_int_eq(rig_count(r, FRAME_DECIDED), 2);
    told(r, &c);
    ck_assert_int_eq(c.proposal.ballot.round, 30);
    rig_restart(r);
    ck_assert_int_eq(r->core->disk.n_chain, 2);
}
END_TEST

START_TEST(the_steps_kept_are_the_last_ones)
{
    struct rig *r = rig_running(W1);
    for (uint64_t i = 0; i < CHAIN_MAX + 3; i++)
        rig_decide(r, rig_change(r, 20 + i, i % 2 == 0 ? edit_without_w2 : edit_with_w2));
    ck_assert_int_eq(r->core->disk.n_chain, CHAIN_MAX);
    ck_assert_int_eq(r->core->disk.chain[0].ballot.round, 23);
    ck_assert_int_eq(r->core->disk.chain[CHAIN_MAX - 1].ballot.round, 20 + CHAIN_MAX + 2);
}
END_TEST

/* The next step may be one of voters that a member does not know; those of now may be its own again. */
START_TEST(where_the_step_does_not_help_the_record_of_now_may)
{
    static struct certificate c;
    struct rig *r = rig_running(W1);
    struct ballot old = decided_ballot(r->core);
    rig_say(r, decided, FRAME_DECIDED, DB2, rig_certificate(r, without_w2(r), THREE_OF_FOUR));
    rig_say(r, decided, FRAME_DECIDED, DB2, rig_certificate(r, rig_change(r, 30, edit_pause), THREE_OF_FOUR));
    r->beat[DB3].decided = old;
    rig_clear(r);
    bool step = false, now = false;
    for (int i = 0; i < 4; i++) {
        rig_beat(r, DB3);
        told(r, &c);
        step |= c.proposal.ballot.round == 20;
        now |= c.proposal.ballot.round == 30;
        rig_wait(r, 100);
    }
    ck_assert(step && now);
}
END_TEST

/* Who was admitted again is the voter that it was: one who missed that, however often, is told what is decided now. */
START_TEST(an_epoch_is_no_step)
{
    static struct certificate c;
    struct rig *r = rig_running(W1);
    struct ballot old = decided_ballot(r->core);
    rig_decide(r, rig_change(r, 20, edit_without_w2));
    for (uint64_t i = 0; i < CHAIN_MAX + 3; i++)
        rig_say(r, decided, FRAME_DECIDED, DB2,
                rig_certificate(r, rig_change(r, 30 + i, edit_first_voter), THREE_OF_FOUR));
    ck_assert_int_eq(r->core->disk.n_chain, 1);
    ck_assert_int_eq(r->core->disk.chain[0].ballot.round, 20);
    r->beat[DB3].decided = old;
    rig_clear(r);
    rig_beat(r, DB3);
    told(r, &c);
    ck_assert_int_eq(c.proposal.ballot.round, 20);
    r->beat[DB3].decided = c.proposal.ballot;
    rig_beat(r, DB3);
    told(r, &c);
    ck_assert_int_eq(c.proposal.ballot.round, 30 + CHAIN_MAX + 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decided");
    TCase *tcase = suite_case(suite, "decisions");
    tcase_add_loop_test(tcase, decisions, 0, ROWS(decided_rows));
    tcase_add_test(tcase, accepted_statements_make_a_decision_without_the_proposer);
    tcase_add_test(tcase, a_peer_behind_is_told_what_was_decided);
    tcase = suite_case(suite, "voters");
    tcase_add_test(tcase, a_decision_is_one_of_the_voters_before_as_well);
    tcase_add_test(tcase, a_newcomer_accepts_the_record_that_admits_it);
    tcase_add_test(tcase, one_that_the_record_does_not_admit_accepts_nothing);
    tcase_add_test(tcase, a_peer_far_behind_is_led_step_by_step);
    tcase_add_test(tcase, the_steps_kept_are_the_last_ones);
    tcase_add_test(tcase, an_epoch_is_no_step);
    tcase_add_test(tcase, where_the_step_does_not_help_the_record_of_now_may);
    return suite_run(suite);
}
