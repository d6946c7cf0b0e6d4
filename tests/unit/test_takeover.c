/* Takeovers: who starts one and when, and whom it asks. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/takeover_base.h"

enum { DB3_BIT = 1u << (DB3 - 1), W2_BIT = 1u << (W2 - 1) };

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
static void no_directory(struct durable *d)
{
    d->dir = 0, d->dir_next = 5;
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
static void better_by_priority(struct rig *r)
{
    r->beat[DB3].pg.priority = 200;
}
static void same_site_counts_more(struct rig *r)
{
    better_by_priority(r);
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

/* ---- asking -------------------------------------------------------------------------------------------------------- */

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

int main(void)
{
    Suite *suite = suite_create("takeover");
    TCase *tcase = suite_case(suite, "starting");
    tcase_add_loop_test(tcase, starts, 0, ROWS(start_rows));
    tcase_add_test(tcase, a_paused_cluster_says_what_it_would_do);
    tcase_add_loop_test(tcase, ranks, 0, ROWS(rank_rows));
    tcase = suite_case(suite, "asking");
    tcase_add_test(tcase, all_are_asked_by_a_round_that_is_on_disk);
    tcase_add_test(tcase, an_addressee_is_told_what_is_known_of_its_store);
    return suite_run(suite);
}
