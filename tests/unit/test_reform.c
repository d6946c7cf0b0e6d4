/* The voters re-formed by the root's word: the record, who believes it, and what counts no longer afterwards. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/record_base.h"
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

#include "policy/reform.h"

/* ---- the record ------------------------------------------------------------------------------------------------------ */

static void as_is(struct record *r)
{
    (void)r;
}
static void paused(struct record *r)
{
    r->paused = true, strcpy(r->paused_why, "night");
}
static void switching(struct record *r)
{
    r->switchover_from = 1, r->switchover_to = 2, r->switchover_deadline_ms = 9;
}
static void full(struct record *r)
{
    rows(r, HISTORY_MAX);
}
static void once_before(struct record *r)
{
    r->version = 1000007, r->term = 1000001, r->history[2].term = 1000001;
}
static void no_primary(struct record *r)
{
    r->primary = MEMBER_NONE, r->primary_dir = 0;
}
static void last_timeline(struct record *r)
{
    r->timeline = r->history[2].timeline = UINT32_MAX - 1;
}

static const struct record_row {
    const char *name;
    void (*edit)(struct record *);
    bool good;
    uint64_t version, term;
} record_rows[] = {
    {"a record in force", as_is, true, 1000000, 1000000},
    {"a paused one: the pause ends", paused, true, 1000000, 1000000},
    {"one with a switchover under way", switching, true, 1000000, 1000000},
    {"one whose history is full", full, true, 1000000, 1000000},
    {"one that comes of a re-formation", once_before, true, 2000000, 2000000},
    {"the first one, without data", unborn, false, 0, 0},
    {"one that names no primary", no_primary, false, 0, 0},
    {"one without a timeline left", last_timeline, false, 0, 0},
};

START_TEST(records)
{
    const struct record_row *row = &record_rows[_i];
    struct record was = base(), r;
    struct voters one = {.rule = RULE_MAJORITY, .n = 1, .v = {was.voters.v[2]}};
    const char *why = NULL;
    row->edit(&was);
    r = was;
    EXPECT_INT(reform_record(&r, &one, NULL, &why), row->good, row);
    if (!row->good) {
        EXPECT(why != NULL, row);
        return;
    }
    EXPECT_INT(r.version, row->version, row);
    EXPECT_INT(r.term, row->term, row);
    EXPECT(voters_equal(&r.voters, &one), row);
    EXPECT(r.primary == was.primary && r.primary_dir == was.primary_dir, row);
    EXPECT(!r.paused && r.switchover_to == MEMBER_NONE && record_valid(&r, &why), row);
    EXPECT_INT(r.timeline, was.timeline + REFORM_TIMELINES, row);
    /* Whoever is on the last timeline may follow, wherever its WAL ends. */
    EXPECT_INT(lineage_join(&r, was.timeline, UINT64_MAX - 1), JOIN_FOLLOW, row);
    EXPECT_INT(record_term_of_timeline(&r, was.timeline), was.term, row);
}
END_TEST

START_TEST(the_next_record_is_a_takeover)
{
    struct record r = base(), next;
    struct voters one = {.rule = RULE_MAJORITY, .n = 1, .v = {r.voters.v[1]}};
    const char *why = "";
    ck_assert(reform_record(&r, &one, &(struct sync_member){2, 102}, &why));
    ck_assert_uint_eq(r.primary, 2);
    next = r;
    next.version++;
    next.term++;
    lineage_append(&next, 5, (struct history_row){r.timeline + 1, 0x900, next.term});
    ck_assert_msg(record_classify(&r, &next, &why) == CHANGE_TAKEOVER, "%s", why);
    ck_assert_uint_eq(next.n_history, 4); /* the row that stands for no WAL is gone */
    ck_assert_uint_eq(next.history[3].switch_lsn, 0x900);
}
END_TEST

START_TEST(ballots)
{
    struct reform f = {.epoch = 2, .nonce = 5};
    struct ballot b = reform_ballot(&f), late = {.round = ((uint64_t)2 << REFORM_SHIFT) - 1, .nonce = 9};
    ck_assert(ballot_reforms(b) && !ballot_reforms((struct ballot){0}) &&
              !ballot_reforms(rig_ballot(3, DB1)));
    ck_assert_uint_eq(ballot_epoch(b), 2);
    ck_assert_uint_eq(ballot_epoch(late), 1);
    ck_assert_int_gt(ballot_cmp(b, late), 0);
}
END_TEST

/* ---- who believes it --------------------------------------------------------------------------------------------------- */

static struct certificate cert;
static struct roster_news news;

/* The base record re-formed: those of the mask (bit i: member i + 1) are the voters. */
static void make(const struct rig *r, uint32_t mask, uint32_t epoch)
{
    struct voters left = {.rule = RULE_MAJORITY};
    const char *why = "";
    memset(&cert, 0, sizeof cert);
    cert.proposal.record = *decided(r->core);
    for (int i = 0; i < decided(r->core)->voters.n; i++)
        if (mask >> (decided(r->core)->voters.v[i].id - 1) & 1)
            left.v[left.n++] = decided(r->core)->voters.v[i];
    ck_assert_msg(reform_record(&cert.proposal.record, &left, NULL, &why), "%s", why);
    news = (struct roster_news){.reform = {.epoch = epoch, .nonce = 77}};
    record_hash(news.reform.hash, &cert.proposal.record);
    cert.proposal.ballot = reform_ballot(&news.reform);
}

enum { BOTH = 1u << (DB3 - 1) | 1u << (W1 - 1), ONE = 1u << (W1 - 1) };

static void signed_now(struct rig *r)
{
    rig_roster(r, &news);
}
static void unsigned_yet(struct rig *r)
{
    (void)r;
}
static void other_hash(struct rig *r)
{
    news.reform.hash[0] ^= 1, rig_roster(r, &news);
}
static void other_nonce(struct rig *r)
{
    news.reform.nonce++, rig_roster(r, &news);
}
static void other_epoch(struct rig *r)
{
    news.reform.epoch++, rig_roster(r, &news);
}
static void with_votes(struct rig *r)
{
    rig_roster(r, &news), cert.n_accepted = 1, cert.accepted[0].who = W1;
}
static void of_another_cluster(struct rig *r)
{
    cert.proposal.record.nonce[0] ^= 1;
    record_hash(news.reform.hash, &cert.proposal.record);
    rig_roster(r, &news);
}

static const struct belief_row {
    const char *name;
    void (*before)(struct rig *);
    bool taken;
} belief_rows[] = {
    {"the root has signed it", signed_now, true},
    {"nobody has signed it", unsigned_yet, false},
    {"the root has signed another record", other_hash, false},
    {"the root has signed another of that number", other_nonce, false},
    {"the root has signed a later one", other_epoch, false},
    {"it comes with somebody's vote", with_votes, false},
    {"it is of another cluster", of_another_cluster, false},
};

START_TEST(beliefs)
{
    const struct belief_row *row = &belief_rows[_i];
    struct rig *r = rig_running(W1);
    make(r, BOTH, 1);
    row->before(r);
    rig_clear(r);
    rig_say(r, decided, FRAME_DECIDED, DB3, &cert);
    EXPECT_INT(r->decisions, row->taken, row);
    EXPECT_INT(decided(r->core)->term, row->taken ? 1000000 : RIG_TERM, row);
}
END_TEST

START_TEST(it_comes_with_the_roster_where_the_operator_is)
{
    struct rig *r = rig_running(W1);
    make(r, ONE, 1);
    news.reformed = &cert;
    rig_roster(r, &news);
    ck_assert_int_eq(r->decisions, 1);
    ck_assert(rig_said(r, "+reformed"));
    ck_assert(!rig_said(r, "+split-found"));
    ck_assert(may_vote(r->core)); /* a single voter asks nobody */
    ck_assert_int_eq(r->core->verdict, VERDICT_RELEASED);
    rig_restart(r);
    ck_assert_uint_eq(decided(r->core)->term, 1000000);
}
END_TEST

/* ---- what counts no longer ----------------------------------------------------------------------------------------------- */

START_TEST(signed_and_not_at_hand_stops_the_member)
{
    struct rig *r = rig_running(DB1);
    ck_assert(lease_held(r->core));
    make(r, BOTH, 1);
    rig_roster(r, &news);
    ck_assert(!lease_held(r->core) && !may_vote(r->core));
    rig_clear(r);
    rig_run(r, 100);
    struct heartbeat h;
    const struct rig_frame *f = rig_sent(r, FRAME_HEARTBEAT);
    ck_assert(f && wire_get_heartbeat(&h, f->body, f->len));
    ck_assert(!h.votes && h.request_term == 0 && h.grant_term == 0);
}
END_TEST

START_TEST(the_primary_of_old_stops_and_says_so)
{
    struct rig *r = rig_running(DB1);
    make(r, BOTH, 1);
    rig_roster(r, &news);
    rig_say(r, decided, FRAME_DECIDED, DB3, &cert);
    ck_assert_int_eq(r->goal.kind, GOAL_DOWN);
    ck_assert(rig_said(r, "+reformed"));
    ck_assert(!may_vote(r->core));
    ck_assert_uint_eq(r->core->disk.released_term, 1000000);
}
END_TEST

/* One that served up to this moment: the operator's word was wrong. */
START_TEST(a_split_is_told)
{
    struct rig *r = rig_running(DB1);
    make(r, BOTH, 1);
    news.reformed = &cert;
    ck_assert(lease_held(r->core));
    rig_roster(r, &news);
    ck_assert(rig_said(r, "+split-found"));
    r = rig_running(W1);
    make(r, BOTH, 1);
    rig_silence(r);
    rig_decide(r, rig_takeover(r, 20, DB2)); /* those of old have gone on to term 4 */
    rig_roster(r, &news);
    rig_clear(r);
    rig_say(r, decided, FRAME_DECIDED, DB3, &cert);
    ck_assert_int_eq(r->decisions, 1); /* though its version was decided by the others, too */
    ck_assert(rig_said(r, "+split-found"));
}
END_TEST

static struct rig *adopted(member_id self)
{
    struct rig *r = rig_running(self);
    make(r, BOTH, 1);
    news.reformed = &cert;
    rig_roster(r, &news);
    ck_assert_int_eq(r->decisions, 1);
    return r;
}

START_TEST(nothing_is_promised_for_a_lease)
{
    struct rig *r = adopted(W1);
    struct prepare p = {.ballot = {.round = ((uint64_t)1 << REFORM_SHIFT) + 1, .nonce = 1, .member = DB3},
                        .takeover = true};
    rig_clear(r);
    rig_say(r, prepare, FRAME_PREPARE, DB3, &p);
    ck_assert_int_eq(rig_nack(r), NACK_QUARANTINE);
    r->alive = 0;
    rig_run(r, 2100);
    rig_clear(r);
    rig_say(r, prepare, FRAME_PREPARE, DB3, &p);
    ck_assert_int_eq(rig_count(r, FRAME_PROMISE), 1);
}
END_TEST

START_TEST(ballots_of_old_are_refused)
{
    struct rig *r = adopted(W1);
    uint64_t round = r->core->disk.round;
    ck_assert_uint_eq(round, (uint64_t)1 << REFORM_SHIFT);
    r->alive = 0;
    rig_run(r, 2100);
    rig_clear(r);
    rig_prepare(r, DB2, 40, true);
    ck_assert_int_eq(rig_nack(r), NACK_BALLOT);
    ck_assert_uint_eq(r->core->disk.round, round);
}
END_TEST

START_TEST(ballots_to_come_raise_nothing_before_it_is_known)
{
    struct rig *r = rig_running(W1);
    uint64_t round = r->core->disk.round;
    struct prepare p = {.ballot = {.round = ((uint64_t)1 << REFORM_SHIFT) + 1, .nonce = 1, .member = DB3},
                        .takeover = true};
    rig_silence(r);
    rig_clear(r);
    rig_say(r, prepare, FRAME_PREPARE, DB3, &p);
    ck_assert_int_eq(rig_nack(r), NACK_NO_RECORD);
    ck_assert_uint_eq(r->core->disk.round, round);
}
END_TEST

START_TEST(voters_of_old_decide_nothing)
{
    struct rig *r = rig_running(W1);
    rig_silence(r);
    struct proposal p = *rig_takeover(r, 20, DB2);
    make(r, BOTH, 1);
    news.reformed = &cert;
    rig_roster(r, &news);
    rig_clear(r);
    rig_say(r, decided, FRAME_DECIDED, DB2, rig_certificate(r, &p, 0x1f));
    ck_assert_int_eq(r->decisions, 0);
    ck_assert_uint_eq(r->core->rejected[REJECT_STALE] > 0, 1);
}
END_TEST

/* Those who come back are told the re-formation first, whatever was decided after it. */
static void without_w1(struct record *r)
{
    r->voters.n = 1;
    memset(&r->voters.v[1], 0, sizeof r->voters.v[1]);
}

START_TEST(who_comes_back_is_told)
{
    static struct certificate c;
    struct rig *r = adopted(W1);
    struct proposal p = {.ballot = {.round = ((uint64_t)1 << REFORM_SHIFT) + 3, .nonce = 1, .member = DB3},
                         .record = *decided(r->core)};
    p.record.version++;
    without_w1(&p.record);
    rig_say(r, decided, FRAME_DECIDED, DB3, rig_certificate(r, &p, BOTH));
    ck_assert_int_eq(decided(r->core)->voters.n, 1);
    r->alive = 0;
    rig_run(r, 200);
    rig_clear(r);
    rig_beat(r, DB2); /* knows the record of old */
    const struct rig_frame *f = rig_sent(r, FRAME_DECIDED);
    ck_assert(f && wire_get_decided(&c, f->body, f->len));
    ck_assert(ballot_reforms(c.proposal.ballot));
}
END_TEST

START_TEST(an_older_or_equal_one_changes_nothing)
{
    struct rig *r = adopted(W1);
    struct reform first = r->core->reform;
    struct roster_news second = {.reform = {.epoch = 1, .nonce = 99}};
    rig_roster(r, &second);
    ck_assert_uint_eq(r->core->reform.nonce, first.nonce);
    second.reform.epoch = 0;
    rig_roster(r, &second);
    ck_assert_uint_eq(r->core->reform.nonce, first.nonce);
    ck_assert(!reform_awaited(r->core) && may_vote(r->core));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reform");
    TCase *tcase = suite_case(suite, "the record");
    tcase_add_loop_test(tcase, records, 0, ROWS(record_rows));
    tcase_add_test(tcase, the_next_record_is_a_takeover);
    tcase_add_test(tcase, ballots);
    tcase = suite_case(suite, "who believes it");
    tcase_add_loop_test(tcase, beliefs, 0, ROWS(belief_rows));
    tcase_add_test(tcase, it_comes_with_the_roster_where_the_operator_is);
    tcase = suite_case(suite, "what counts no longer");
    tcase_add_test(tcase, signed_and_not_at_hand_stops_the_member);
    tcase_add_test(tcase, the_primary_of_old_stops_and_says_so);
    tcase_add_test(tcase, a_split_is_told);
    tcase_add_test(tcase, nothing_is_promised_for_a_lease);
    tcase_add_test(tcase, ballots_of_old_are_refused);
    tcase_add_test(tcase, ballots_to_come_raise_nothing_before_it_is_known);
    tcase_add_test(tcase, voters_of_old_decide_nothing);
    tcase_add_test(tcase, who_comes_back_is_told);
    tcase_add_test(tcase, an_older_or_equal_one_changes_nothing);
    return suite_run(suite);
}
