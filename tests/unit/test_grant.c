/* The voter's side of the lease: what it grants and for how long, and what a RELEASE ends. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

/* ---- the voter ------------------------------------------------------------------------------------------------------ */

static void other_term(struct rig *r)
{
    r->beat[DB1].request_term++;
}
static void older_term(struct rig *r)
{
    r->beat[DB1].request_term--;
}
static void no_request(struct rig *r)
{
    r->beat[DB1].request_term = 0;
}
static void impostor(struct rig *r)
{
    r->beat[DB2].request_term = RIG_TERM, r->beat[DB2].request_ms = 600;
}
static void promised(struct rig *r)
{
    rig_silence(r);
    rig_prepare(r, DB2, 20, true);
    r->alive |= 1;
}
/* ... and then the primary itself is promised a higher ballot, but nothing is accepted. */
static void promised_again(struct rig *r)
{
    promised(r);
    rig_prepare(r, DB1, 30, false);
}
static void promised_and_raised(struct rig *r)
{
    promised_again(r);
    rig_accept(r, rig_change(r, 30, edit_none));
}
static void accepted_takeover(struct rig *r)
{
    rig_silence(r);
    rig_accept(r, rig_takeover(r, 20, DB2));
    r->alive |= 1;
}
static void released(struct rig *r)
{
    rig_release(r, DB1, RIG_TERM, DB1);
}
static void released_and_restarted(struct rig *r)
{
    released(r);
    rig_restart(r);
}
static void sealed(struct durable *d)
{
    d->sealed_for = rig_ballot(20, DB3);
}
static void sealed_below(struct durable *d)
{
    d->sealed_for = rig_ballot(RIG_ROUND - 1, DB3);
}

static const struct grant_row {
    const char *name;
    member_id self;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    member_id holder; /* of the grant that the core's heartbeats state, 0: none */
} grant_rows[] = {
    {"the primary asks for its term", W1, NULL, nothing, DB1},
    {"a database grants too", DB2, NULL, nothing, DB1},
    {"asked for nothing", W1, NULL, no_request, 0},
    {"asked for a term to come", W1, NULL, other_term, 0},
    {"asked for a term that is over", W1, NULL, older_term, 0},
    {"another asks for the primary's term", W1, NULL, impostor, DB1},
    {"a takeover above the record was promised", W1, NULL, promised, 0},
    {"and a higher ballot to the primary, but nothing accepted", W1, NULL, promised_again, 0},
    {"the record was raised above the promise", W1, NULL, promised_and_raised, DB1},
    {"a takeover was accepted: the old term gets nothing", W1, NULL, accepted_takeover, 0},
    {"the term was released", W1, NULL, released, 0},
    {"the term was released before a restart", W1, NULL, released_and_restarted, 0},
    {"a database sealed for a ballot above the record", DB2, sealed, nothing, 0},
    {"a database sealed for a ballot below the record", DB2, sealed_below, nothing, DB1},
    {"a lost voter states no grant", W1, lost, nothing, 0},
};

static const struct heartbeat *said(struct rig *r)
{
    static struct heartbeat h;
    rig_clear(r);
    rig_run(r, 160); /* also a calm voter has missed the primary by then */
    const struct rig_frame *f = rig_sent(r, FRAME_HEARTBEAT);
    ck_assert(f && wire_get_heartbeat(&h, f->body, f->len));
    return &h;
}

START_TEST(grants)
{
    const struct grant_row *row = &grant_rows[_i];
    struct rig *r = rig_running_with(row->self, row->disk);
    row->before(r);
    rig_run(r, 2500); /* a grant given before is over */
    const struct heartbeat *h = said(r);
    EXPECT_INT(h->grant_holder, row->holder, row);
    EXPECT_INT(h->grant_term, row->holder ? RIG_TERM : 0, row);
    EXPECT_INT(h->grant_nonce, row->holder ? RIG_NONCE(row->holder) : 0, row);
    EXPECT_INT(h->grant_seq, row->holder ? (long long)r->seq[row->holder] : 0, row);
}
END_TEST

/* A heartbeat that waited somewhere: it echoes what we sent long ago, or another start of ours, or nothing. */
static const struct late_row {
    const char *name;
    int waited_ms; /* between our frame and its echo */
    bool echo, other_start, granted;
} late_rows[] = {
    {"it answers our newest frame", 0, true, false, true},
    {"it waited, but less than the lease", 500, true, false, true},
    {"it waited longer than the lease", 700, true, false, false},
    {"it answers a former start of ours", 0, true, true, false},
    {"it answers nothing", 0, false, false, false},
};

START_TEST(heartbeats_that_waited)
{
    const struct late_row *row = &late_rows[_i];
    struct rig *r = rig_running(W1);
    static struct heartbeat h;
    rig_silence(r);
    h = r->beat[DB1];
    h.heard[0] = (struct heard){.who = W1,
                                .counter = r->core->disk.counter - row->other_start,
                                .nonce = (uint32_t)r->core->nonce + row->other_start,
                                .seq = r->core->seq};
    h.n_heard = row->echo;
    r->us += row->waited_ms * 1000;
    ck_assert(!grant_runs(&r->core->grant, r->core->now));
    rig_say(r, heartbeat, FRAME_HEARTBEAT, DB1, &h);
    EXPECT_INT(grant_runs(&r->core->grant, r->core->now), row->granted, row);
}
END_TEST

static int left_ms(const struct rig *r)
{
    return (int)span_to_ms(instant_elapsed_least(r->core->grant.until, r->core->now));
}

START_TEST(a_grant_is_as_long_as_asked_and_the_record_allows)
{
    struct rig *r = rig_running(W1);
    r->beat[DB1].request_ms = 1500;
    rig_beat(r, DB1);
    ck_assert_int_eq(left_ms(r), 1500);
    r->beat[DB1].request_ms = 60000;
    rig_beat(r, DB1);
    ck_assert_int_eq(left_ms(r), 2000);
    ck_assert_int_eq(r->core->grant.length_ms, 2000);
    r->beat[DB1].request_ms = 600; /* a renewal never ends earlier than what it renews */
    rig_beat(r, DB1);
    ck_assert_int_eq(left_ms(r), 2000);
    ck_assert_int_eq(r->core->grant.length_ms, 600);
}
END_TEST

START_TEST(a_longer_lease_asked_for_is_not_read_into_a_shorter_grant)
{
    struct rig *r = rig_running(W1);
    rig_silence(r);
    r->beat[DB1].request_ms = 900;
    rig_beat(r, DB1);
    ck_assert_int_eq(left_ms(r), 900);
    ck_assert_int_eq(said(r)->grant_ms, 900);
}
END_TEST

START_TEST(the_primary_is_answered_at_once)
{
    struct rig *r = rig_running(W1);
    rig_clear(r);
    rig_beat(r, DB1);
    ck_assert_int_eq(rig_count(r, FRAME_HEARTBEAT), 1);
    ck_assert_int_eq(rig_sent(r, FRAME_HEARTBEAT)->to & 1, 1);
    rig_clear(r);
    rig_beat(r, DB2);
    ck_assert_int_eq(rig_count(r, FRAME_HEARTBEAT), 0);
}
END_TEST

/* ---- releases ------------------------------------------------------------------------------------------------------- */

static const struct release_row {
    const char *name;
    member_id who, signer;
    uint64_t term;
    enum reject reject;
} release_rows[] = {
    {"the primary gives its term up", DB1, DB1, RIG_TERM, REJECT_NONE},
    {"another signs for it", DB1, DB2, RIG_TERM, REJECT_STATEMENT},
    {"another gives it up in its own name", DB2, DB2, RIG_TERM, REJECT_ROLE},
    {"a term that is over", DB2, DB2, RIG_TERM - 1, REJECT_STALE},
    {"a term that nobody has heard of", W2, W2, RIG_TERM + 1000, REJECT_RECORD},
};

START_TEST(releases)
{
    const struct release_row *row = &release_rows[_i];
    struct rig *r = rig_running(W1);
    rig_release(r, row->who, row->term, row->signer);
    EXPECT_INT(r->core->rejected[row->reject] > 0, true, row);
    EXPECT_INT(grant_runs(&r->core->grant, r->core->now), row->reject != REJECT_NONE, row);
    EXPECT_INT(r->core->verdict, row->reject == REJECT_NONE ? VERDICT_RELEASED : VERDICT_ALIVE, row);
    EXPECT_INT(r->stores, row->reject == REJECT_NONE, row);
    rig_beat(r, DB1); /* a released term is granted never again; any other goes on */
    EXPECT_INT(grant_runs(&r->core->grant, r->core->now), row->reject != REJECT_NONE, row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grant");
    TCase *tcase = suite_case(suite, "grants");
    tcase_add_loop_test(tcase, grants, 0, ROWS(grant_rows));
    tcase_add_loop_test(tcase, heartbeats_that_waited, 0, ROWS(late_rows));
    tcase_add_test(tcase, a_grant_is_as_long_as_asked_and_the_record_allows);
    tcase_add_test(tcase, a_longer_lease_asked_for_is_not_read_into_a_shorter_grant);
    tcase_add_test(tcase, the_primary_is_answered_at_once);
    tcase = suite_case(suite, "releases");
    tcase_add_loop_test(tcase, releases, 0, ROWS(release_rows));
    return suite_run(suite);
}
