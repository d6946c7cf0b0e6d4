/* Operators' commands: who executes them, what is refused and in which words. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

/* ---- refused ------------------------------------------------------------------------------------------------------------ */

static void as_is(struct command *m)
{
    (void)m;
}
static void older_base(struct command *m)
{
    m->base.round--;
}
static void older_term(struct command *m)
{
    m->term--;
}
static void to_nobody(struct command *m)
{
    m->target = 99;
}
static void to_self(struct command *m)
{
    m->target = DB1;
}
static void to_witness(struct command *m)
{
    m->target = W1;
}
static void target_silent(struct rig *r)
{
    r->alive &= ~2u, rig_run(r, 700);
}
static void target_unfit(struct rig *r)
{
    r->beat[DB2].pg.preflight = PREFLIGHT_PARAMETERS, rig_run(r, 100);
}
static void target_not_streaming(struct rig *r)
{
    r->beat[DB2].pg.streaming = false, rig_run(r, 100);
}
static void target_behind(struct rig *r)
{
    r->pg.lsn += 64 << 20, rig_sample(r);
}
static void other_standby_gone(struct rig *r)
{
    r->alive &= ~4u, r->core->set.standby_timeout_ms = 60000, rig_run(r, 700);
}
static void not_ready(struct rig *r)
{
    r->pg.answering = false, rig_sample(r);
}
static void pausing(struct rig *r)
{
    struct command m = rig_command(r, COMMAND_PAUSE, MEMBER_NONE);
    r->voting = 0;
    rig_submit(r, &m);
}
static void long_silence(struct rig *r)
{
    rig_silence(r), rig_run(r, 1000);
}
static void no_lease(struct rig *r)
{
    r->voting = 0;
    for (member_id id = DB2; id <= W2; id++)
        r->grants[id] = false;
    rig_run(r, 2500);
}

static const struct refused_row {
    const char *name;
    member_id self;
    enum command_kind kind;
    void (*before)(struct rig *);
    void (*edit)(struct command *);
    const char *text;
    bool detail, hint;
} refused_rows[] = {
    {"signed for an older ballot", DB1, COMMAND_PAUSE, nothing, older_base, "the record has changed", true,
     true},
    {"signed for an older term", DB1, COMMAND_PAUSE, nothing, older_term, "the record has changed", true,
     true},
    {"another is under way", DB1, COMMAND_PAUSE, pausing, as_is, "another operation is under way", false,
     true},
    {"no primary holds a lease", DB1, COMMAND_PAUSE, no_lease, as_is,
     "no member can execute this command now", true, true},
    {"nobody to carry it to", W1, COMMAND_PAUSE, long_silence, as_is,
     "no member can execute this command now", true, true},
    {"switchover to one that is not a member", DB1, COMMAND_SWITCHOVER, nothing, to_nobody,
     "the target is not a database of this cluster", false, true},
    {"switchover to a witness", DB1, COMMAND_SWITCHOVER, nothing, to_witness,
     "the target is not a database of this cluster", false, true},
    {"switchover to the primary", DB1, COMMAND_SWITCHOVER, nothing, to_self,
     "the target is the primary already", false, true},
    {"switchover to one not heard", DB1, COMMAND_SWITCHOVER, target_silent, as_is, "the target is not heard",
     false, true},
    {"switchover to one that its pre-flight bars", DB1, COMMAND_SWITCHOVER, target_unfit, as_is,
     "the target does not qualify", true, true},
    {"switchover to one that does not stream", DB1, COMMAND_SWITCHOVER, target_not_streaming, as_is,
     "the target does not qualify", true, true},
    {"switchover to one far behind", DB1, COMMAND_SWITCHOVER, target_behind, as_is,
     "the target is too far behind", true, true},
    {"switchover with too few to be sealed", DB1, COMMAND_SWITCHOVER, other_standby_gone, as_is,
     "too few standbys of the sync set are alive to take over", true, true},
    {"switchover while not ready", DB1, COMMAND_SWITCHOVER, not_ready, as_is, "the primary is busy", true,
     true},
    {"admitting one who is no voter", DB1, COMMAND_READMIT, nothing, to_nobody, "not a voter", true, false},
    {"failover while the primary is alive", DB2, COMMAND_FAILOVER, nothing, as_is, "the primary is not gone",
     true, true},
    {"a fresh copy of the primary", DB1, COMMAND_REINIT, nothing, to_self,
     "only a standby can be copied anew", false, false},
};

START_TEST(refused)
{
    const struct refused_row *row = &refused_rows[_i];
    struct rig *r = rig_running(row->self);
    row->before(r);
    rig_clear(r);
    struct command m = rig_command(r, row->kind, DB2);
    row->edit(&m);
    struct ballot before = decided_ballot(r->core);
    rig_submit(r, &m);
    EXPECT_REFUSED(r, m, row);
    EXPECT(ballot_cmp(decided_ballot(r->core), before) == 0, row);
}
END_TEST

START_TEST(a_command_with_a_broken_signature_is_not_answered)
{
    static uint8_t body[FRAME_BODY_MAX];
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_PAUSE, MEMBER_NONE);
    rig_sign_command(r, &m);
    m.allow_data_loss = true;
    rig_clear(r);
    rig_frame(r, FRAME_COMMAND, OP, DB1, body, wire_put_command(body, &m));
    ck_assert_int_eq(r->core->rejected[REJECT_STATEMENT], 1);
    ck_assert_int_eq(r->answers, 0);
}
END_TEST

START_TEST(a_member_is_no_operator)
{
    static uint8_t body[FRAME_BODY_MAX];
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_PAUSE, MEMBER_NONE);
    rig_sign_command(r, &m);
    rig_frame(r, FRAME_COMMAND, DB2, DB2, body, wire_put_command(body, &m));
    ck_assert_int_eq(r->core->rejected[REJECT_ROLE], 1);
    ck_assert(!r->core->disk.has_own && r->core->proposer.phase == PROPOSER_IDLE);
}
END_TEST

/* ---- carried and done -------------------------------------------------------------------------------------------------- */

static const struct carried_row {
    const char *name;
    member_id self;
    enum command_kind kind;
    member_id target, to;
} carried_rows[] = {
    {"a pause goes to the primary", W1, COMMAND_PAUSE, MEMBER_NONE, DB1},
    {"a switchover goes to the primary", DB2, COMMAND_SWITCHOVER, DB2, DB1},
    {"a failover goes to its target", DB1, COMMAND_FAILOVER, DB3, DB3},
    {"a fresh copy goes to its target", DB1, COMMAND_REINIT, DB3, DB3},
};

START_TEST(carried)
{
    const struct carried_row *row = &carried_rows[_i];
    struct rig *r = rig_running(row->self);
    struct command m = rig_command(r, row->kind, row->target);
    rig_clear(r);
    rig_submit(r, &m);
    const struct rig_frame *f = rig_sent(r, FRAME_COMMAND);
    EXPECT(f != NULL, row);
    EXPECT_INT(f->to, 1u << (row->to - 1), row);
    EXPECT_INT(r->answers, 0, row);
}
END_TEST

START_TEST(a_carried_command_is_not_carried_on)
{
    static uint8_t body[FRAME_BODY_MAX];
    struct rig *r = rig_running(DB2);
    struct command m = rig_command(r, COMMAND_PAUSE, MEMBER_NONE);
    rig_sign_command(r, &m);
    rig_clear(r);
    rig_frame(r, FRAME_COMMAND, OP, W1, body, wire_put_command(body, &m));
    ck_assert_int_eq(rig_count(r, FRAME_COMMAND), 0);
    ck_assert_int_eq(rig_count(r, FRAME_ANSWER), 1);
    ck_assert_int_eq(rig_sent(r, FRAME_ANSWER)->addressee, W1);
}
END_TEST

START_TEST(pause_and_resume)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_PAUSE, MEMBER_NONE);
    memcpy(m.why, "maintenance", 12);
    rig_submit(r, &m);
    rig_wait(r, 200);
    ck_assert(decided(r->core)->paused && strcmp(decided(r->core)->paused_why, "maintenance") == 0);
    ck_assert(r->answers == 1 && r->answer.done);
    rig_submit(r, &m); /* once more, word for word */
    ck_assert(!r->answer.done);
    m = rig_command(r, COMMAND_RESUME, MEMBER_NONE);
    rig_submit(r, &m);
    rig_wait(r, 200);
    ck_assert(!decided(r->core)->paused && r->answer.done);
}
END_TEST

/* Its first ballot loses before anybody promised it. */
static struct rig *outbid(struct command m)
{
    static struct rig *r;
    r = rig_running(DB1);
    m = rig_command(r, m.kind, m.target);
    r->voting = 0;
    rig_submit(r, &m);
    rig_outbid(r, W1);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_IDLE);
    return r;
}

START_TEST(a_change_outbid_is_proposed_again)
{
    struct rig *r = outbid((struct command){.kind = COMMAND_PAUSE});
    r->voting = 0x1e;
    rig_wait(r, 500);
    ck_assert(decided(r->core)->paused && r->answers == 1 && r->answer.done);
    r = outbid((struct command){.kind = COMMAND_READMIT, .target = W2});
    r->voting = 0x1e;
    rig_wait(r, 500);
    ck_assert_int_eq(decided(r->core)->voters.v[W2 - 1].epoch, 1);
    ck_assert(r->answers == 1 && r->answer.done);
}
END_TEST

static void admit_w2(struct record *want)
{
    want->voters.v[W2 - 1].epoch++;
}

START_TEST(another_change_in_between_is_not_the_pause)
{
    struct rig *r = outbid((struct command){.kind = COMMAND_PAUSE});
    uint64_t version = decided(r->core)->version;
    rig_decide(r, rig_change(r, RIG_ROUND + 1, admit_w2));
    ck_assert_uint_eq(decided(r->core)->version, version + 1);
    ck_assert_int_eq(r->answers, 0);
    r->voting = 0x1e;
    rig_wait(r, 500);
    ck_assert(decided(r->core)->paused && decided(r->core)->version == version + 2);
    ck_assert_int_eq(decided(r->core)->voters.v[W2 - 1].epoch, 1);
    ck_assert(r->answers == 1 && r->answer.done);
}
END_TEST

START_TEST(an_order_of_an_earlier_term_is_not_proposed_again)
{
    struct rig *r = outbid((struct command){.kind = COMMAND_PAUSE});
    rig_decide(r, rig_takeover(r, 1000, DB1));
    r->voting = 0x1e;
    rig_wait(r, 1000);
    ck_assert(!decided(r->core)->paused);
}
END_TEST

START_TEST(a_voter_is_admitted_again)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_READMIT, W2);
    rig_submit(r, &m);
    rig_wait(r, 200);
    ck_assert_int_eq(decided(r->core)->voters.v[W2 - 1].epoch, 1);
    ck_assert(r->answer.done);
}
END_TEST

/* It heard of its admission before it knew which epoch it had lost: admitted once more, and done when it votes. */
START_TEST(a_lost_voter_is_admitted_until_it_votes)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_READMIT, W2);
    r->beat[W2].lost = true;
    r->beat[W2].votes = false;
    rig_submit(r, &m);
    rig_wait(r, 300);
    ck_assert_int_eq(decided(r->core)->voters.v[W2 - 1].epoch, 1);
    ck_assert_int_eq(r->answers, 0);
    rig_wait(r, 900);
    ck_assert_int_ge(decided(r->core)->voters.v[W2 - 1].epoch, 2);
    r->beat[W2].lost = false;
    r->beat[W2].votes = true;
    rig_wait(r, 300);
    ck_assert(r->answers == 1 && r->answer.done);
}
END_TEST

START_TEST(a_voter_that_is_not_heard_to_vote_is_told_of)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_READMIT, W2);
    r->alive &= ~(1u << (W2 - 1));
    rig_wait(r, 1000);
    rig_submit(r, &m);
    rig_wait(r, 11000);
    ck_assert_int_eq(decided(r->core)->voters.v[W2 - 1].epoch, 1);
    ck_assert(r->answers == 1 && r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "the member was admitted, and has not been heard to vote");
}
END_TEST

START_TEST(a_change_that_is_not_decided_is_said_to_be_late)
{
    struct rig *r = rig_running(DB1);
    pausing(r);
    rig_wait(r, 11000);
    ck_assert(r->answers == 1 && r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "the change was not decided in time");
}
END_TEST

START_TEST(done_means_this_change)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_READMIT, W2);
    r->voting = 0;
    r->promising = 0x1e;
    rig_submit(r, &m);
    rig_vote(r);
    ck_assert(r->core->disk.has_own);
    memset(&r->core->operation, 0,
           sizeof r->core->operation); /* its deadline passed; the proposal is still open */
    proposer_stop(r->core, false);
    m = rig_command(r, COMMAND_PAUSE, MEMBER_NONE);
    rig_clear(r);
    rig_submit(r, &m);
    ck_assert(r->answers == 1 && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "another change is under way");
}
END_TEST

/* ---- failover by hand ------------------------------------------------------------------------------------------------------ */

START_TEST(an_order_starts_where_a_pause_bars)
{
    static struct prepare p;
    struct rig *r = rig_running_with(DB2, paused);
    for (member_id id = DB3; id <= W2; id++)
        r->beat[id].verdict = VERDICT_GONE;
    rig_silence(r);
    ck_assert(rig_sent(r, FRAME_PREPARE) == NULL);
    struct command m = rig_command(r, COMMAND_FAILOVER, DB2);
    rig_submit(r, &m);
    rig_run(r, 200);
    const struct rig_frame *f = rig_sent(r, FRAME_PREPARE);
    ck_assert(f && wire_get_prepare(&p, f->body, f->len) && p.has_command);
    ck_assert_int_eq(p.command.id, m.id);
    rig_run(r, 11000);
    ck_assert(r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "the takeover was not decided in time");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operate");
    TCase *tcase = suite_case(suite, "refused");
    tcase_add_loop_test(tcase, refused, 0, ROWS(refused_rows));
    tcase_add_test(tcase, a_command_with_a_broken_signature_is_not_answered);
    tcase_add_test(tcase, a_member_is_no_operator);
    tcase = suite_case(suite, "done");
    tcase_add_loop_test(tcase, carried, 0, ROWS(carried_rows));
    tcase_add_test(tcase, a_carried_command_is_not_carried_on);
    tcase_add_test(tcase, pause_and_resume);
    tcase_add_test(tcase, a_change_outbid_is_proposed_again);
    tcase_add_test(tcase, another_change_in_between_is_not_the_pause);
    tcase_add_test(tcase, an_order_of_an_earlier_term_is_not_proposed_again);
    tcase_add_test(tcase, a_voter_is_admitted_again);
    tcase_add_test(tcase, a_lost_voter_is_admitted_until_it_votes);
    tcase_add_test(tcase, a_voter_that_is_not_heard_to_vote_is_told_of);
    tcase_add_test(tcase, a_change_that_is_not_decided_is_said_to_be_late);
    tcase_add_test(tcase, done_means_this_change);
    tcase_add_test(tcase, an_order_starts_where_a_pause_bars);
    return suite_run(suite);
}
