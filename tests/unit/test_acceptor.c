/* The voter: to whom it promises, what it accepts, and what a restart leaves of it. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/proposals.h"
#include "tests/unit/suite.h"

static void promised_high(struct durable *d)
{
    d->promised = rig_ballot(40, DB3);
}
static void old_epoch(struct durable *d)
{
    d->decided.proposal.record.voters.v[W1 - 1].epoch = 1;
}
static void twin_epoch(struct durable *d)
{
    d->epoch = 1;
}
static void no_voter(struct durable *d)
{
    d->decided.proposal.record.voters.n = W1 - 1;
}
static void no_voter_lost(struct durable *d)
{
    no_voter(d), lost(d);
}

/* ---- promises ------------------------------------------------------------------------------------------------------- */

static void release(struct rig *r)
{
    rig_release(r, DB1, RIG_TERM, DB1);
}
/* A new start, in which a quorum was heard, but no time has passed. */
static void restart_only(struct rig *r)
{
    rig_restart(r);
    for (member_id id = DB1; id <= W2; id++)
        if (id != r->self)
            rig_beat(r, id);
    rig_clear(r);
}
static void release_and_restart(struct rig *r)
{
    release(r);
    restart_only(r);
}
static void restart_alone(struct rig *r)
{
    rig_restart(r);
}
static void quarantine_over(struct rig *r)
{
    r->alive &= ~1u;
    rig_restart(r);
    rig_run(r, 2500);
    rig_clear(r);
}
static void wal_arrives(struct rig *r)
{
    rig_silence(r);
    r->pg.upstream_age_ms = 0;
    rig_sample(r);
}
/* The primary's agent was started anew, asks, and has not heard us yet. */
static void back_after(struct rig *r, int ms, bool asks)
{
    static struct heartbeat h;
    rig_run(r, 50);
    r->alive &= ~1u;
    rig_run(r, 600 + ms);
    h = r->beat[DB1];
    if (!asks)
        h.request_term = 0;
    r->nonce[DB1]++;
    r->counter[DB1] += 10;
    r->seq[DB1] = 0;
    rig_say(r, heartbeat, FRAME_HEARTBEAT, DB1, &h);
}
static void back(struct rig *r)
{
    back_after(r, 300, true);
}
static void back_late(struct rig *r)
{
    back_after(r, 700, true);
}
static void back_asking_nothing(struct rig *r)
{
    back_after(r, 300, false);
}
static void back_and_gone(struct rig *r)
{
    back_after(r, 100, true);
    rig_run(r, 310);
}
static void back_for_too_long(struct rig *r)
{
    back_after(r, 300, true);
    rig_run(r, 250);
    rig_say(r, heartbeat, FRAME_HEARTBEAT, DB1, &r->beat[DB1]);
}
static void promised_before(struct rig *r)
{
    rig_silence(r);
    rig_prepare(r, DB2, 20, true);
    rig_clear(r);
}
static void newer_known(struct rig *r)
{
    struct prepare p = {
        .ballot = rig_ballot(20, DB2), .takeover = true, .known_counter = r->core->disk.counter + 1};
    rig_silence(r);
    p.known_counter = r->core->disk.counter + 1;
    rig_say(r, prepare, FRAME_PREPARE, DB2, &p);
}
static void adopted(struct rig *r)
{
    static struct proposal same;
    same = r->core->disk.decided.proposal;
    same.ballot.round = 30; /* the primary raised its record, and we hear of the decision only */
    rig_decide(r, &same);
    rig_silence(r);
}

static const struct promise_row {
    const char *name;
    member_id self;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    member_id origin;
    uint64_t round;
    bool takeover;
    int nack; /* 0: a promise */
    int stores;
} promise_rows[] = {
    {"the primary is silent: promised, and stored before", W1, NULL, rig_silence, DB2, 20, true, 0, 1},
    {"a database promises as well", DB3, NULL, rig_silence, DB2, 20, true, 0, 1},
    {"my grant runs: the verdict is against it", W1, NULL, nothing, DB2, 20, true, NACK_VERDICT, 0},
    {"released: promised though the grant had run on", W1, NULL, release, DB2, 20, true, 0, 1},
    {"WAL still arrives, but seals protect it: promised", DB3, NULL, wal_arrives, DB2, 20, true, 0, 1},
    {"WAL still arrives under async: refused", DB3, async, wal_arrives, DB2, 20, true, NACK_VERDICT, 0},
    {"the primary's agent was started anew and asks: it is waited for", W1, NULL, back, DB2, 20, true,
     NACK_VERDICT, 0},
    {"... where it comes back later than its guard waits", W1, NULL, back_late, DB2, 20, true, 0, 1},
    {"... and does not ask", W1, NULL, back_asking_nothing, DB2, 20, true, 0, 1},
    {"... and falls silent again", W1, NULL, back_and_gone, DB2, 20, true, 0, 1},
    {"... and asks for longer than its guard waits", W1, NULL, back_for_too_long, DB2, 20, true, 0, 1},
    {"never heard since the start, within the boot grace: unknown", W1, NULL, quarantine_over, DB2, 20, true,
     NACK_VERDICT, 0},
    {"just restarted: quarantine", W1, NULL, restart_only, DB2, 20, true, NACK_QUARANTINE, 0},
    {"just restarted, and released: quarantine all the same", W1, NULL, release_and_restart, DB2, 20, true,
     NACK_QUARANTINE, 0},
    {"just restarted: the primary's own record is exempt", W1, NULL, restart_only, DB1, 20, false, 0, 1},
    {"just restarted and nobody heard: not voting", W1, NULL, restart_alone, DB1, 20, false, NACK_NOT_VOTING,
     0},
    {"under its grant the primary may change its record", W1, NULL, nothing, DB1, 20, false, 0, 1},
    {"another database has no record of its own to change", W1, NULL, rig_silence, DB2, 20, false,
     NACK_VERDICT, 0},
    {"below what was promised", W1, promised_high, rig_silence, DB2, 20, true, NACK_BALLOT, 0},
    {"the primary, too, below what was promised", W1, promised_high, nothing, DB1, 20, false, NACK_BALLOT, 0},
    {"below a decided record that was only adopted", W1, NULL, adopted, DB2, 20, true, NACK_BALLOT, 0},
    {"the same ballot again: promised again, nothing to store", W1, NULL, promised_before, DB2, 20, true, 0,
     0},
    {"a lost store", W1, lost, rig_silence, DB2, 20, true, NACK_NOT_VOTING, 0},
    {"of an epoch that is over", W1, old_epoch, rig_silence, DB2, 20, true, NACK_NOT_VOTING, 0},
    {"of an epoch that nobody gave", W1, twin_epoch, rig_silence, DB2, 20, true, NACK_NOT_VOTING, 0},
    {"no voter: the record under way may make it one", W2, no_voter, rig_silence, DB2, 20, true, 0, 1},
    {"no voter, and without its store", W2, no_voter_lost, rig_silence, DB2, 20, true, NACK_NOT_VOTING, 0},
    {"the proposer knows a newer generation of this store", W1, NULL, newer_known, DB2, 20, true,
     NACK_NOT_VOTING, 0},
};

START_TEST(promises)
{
    const struct promise_row *row = &promise_rows[_i];
    struct rig *r = rig_running_with(row->self, row->disk);
    row->before(r);
    rig_clear(r);
    rig_prepare(r, row->origin, row->round, row->takeover);
    EXPECT_INT(rig_nack(r), row->nack, row);
    EXPECT_INT(rig_count(r, FRAME_PROMISE), row->nack == 0, row);
    EXPECT_INT(r->stores, row->stores, row);
    if (row->stores && !row->nack)
        EXPECT(r->stored_order < rig_sent(r, FRAME_PROMISE)->order, row);
}
END_TEST

/* Asked at the PREPARE's own round, so that only the rule of the row can stop it. */
START_TEST(a_promise_survives_a_restart)
{
    struct rig *r = rig_running(W1);
    rig_silence(r);
    rig_prepare(r, DB2, 20, true);
    ck_assert_int_eq(rig_count(r, FRAME_PROMISE), 1);
    rig_restart(r);
    rig_run(r, 5500);
    rig_clear(r);
    rig_prepare(r, DB3, 19, true);
    ck_assert_int_eq(rig_nack(r), NACK_BALLOT);
}
END_TEST

START_TEST(a_promise_tells_what_was_accepted)
{
    static struct promised p;
    struct rig *r = rig_running(W1);
    rig_silence(r);
    rig_accept(r, rig_takeover(r, 20, DB2));
    rig_clear(r);
    rig_prepare(r, DB3, 30, true);
    const struct rig_frame *f = rig_sent(r, FRAME_PROMISE);
    ck_assert(f && wire_get_promised(&p, f->body, f->len));
    ck_assert_int_eq(p.accepted.ballot.round, 20);
    ck_assert_int_eq(p.accepted.record.primary, DB2);
    ck_assert_int_eq(p.accepted.why.n_seals, 2);
    ck_assert(promise_holds(r->core, &p.promise, true));
}
END_TEST

/* ---- accepts -------------------------------------------------------------------------------------------------------- */

static struct proposal *resigned(struct rig *r, struct proposal *p)
{
    return rig_sign_all(r, p), p;
}
#define TAKE(name, edit) \
    static struct proposal *name(struct rig *r) \
    { \
        struct proposal *p = take(r); \
        edit; \
        return resigned(r, p); \
    }
#define FORGED(name, edit) \
    static struct proposal *name(struct rig *r) \
    { \
        struct proposal *p = take(r); \
        edit; \
        return p; \
    }
TAKE(no_quorum, p->why.n_promises = 2)
TAKE(promise_twice, p->why.promises[2] = p->why.promises[1])
TAKE(promise_alive, p->why.promises[1].verdict = VERDICT_ALIVE)
TAKE(promise_other_ballot, p->why.promises[1].ballot.round = 19)
TAKE(promise_of_a_change, p->why.promises[1].takeover = false)
TAKE(promise_of_observer, p->why.promises[2].who = APP1)
FORGED(promise_forged, p->why.promises[1].silent_ms++)
FORGED(seal_forged, p->why.seals[1].sealed.lsn--)
TAKE(seal_other_ballot, p->why.seals[1].ballot.round = 19)
TAKE(seals_too_few, p->why.n_seals = 1)
TAKE(seal_of_other_directory, p->why.seals[1].sealed.dir = 999)
TAKE(seal_twice, p->why.seals[1] = p->why.seals[0])
TAKE(proposed_not_sealed, p->why.seals[0] = p->why.seals[1]; p->why.n_seals = 1)
TAKE(proposed_other_directory, p->record.primary_dir = 999)
TAKE(another_ahead, p->why.seals[1].sealed.lsn++)
TAKE(another_ahead_by_term, (p->why.seals[0].sealed.wal_term = 2, p->why.seals[0].sealed.lsn += 100))
TAKE(no_takeover, p->why.takeover = false)
TAKE(other_former, p->why.former = DB3)
TAKE(other_former_dir, p->why.former_dir = 999)
TAKE(built_below_decided, p->why.built.round = 9;
     for (int i = 0; i < 3; i++) p->why.promises[i].ballot = p->why.built;
     for (int i = 0; i < 2; i++) p->why.seals[i].ballot = p->why.built)
TAKE(former_alone, p->why.seals[0].sealed.id = DB1; p->why.seals[0].sealed.dir = 101; p->why.n_seals = 1;
     p->record.primary = DB1; p->record.primary_dir = 101; p->ballot.member = DB1)
TAKE(former_other_directory, p->why.seals[0].sealed.id = DB1; p->why.seals[0].sealed.dir = 999;
     p->why.n_seals = 1; p->record.primary = DB1; p->record.primary_dir = 999; p->ballot.member = DB1)
TAKE(observer_proposed, p->record.primary = W1)
TAKE(loss_accepted, p->why.n_seals = 1; p->why.has_command = true;
     p->why.command = rig_command(r, COMMAND_FAILOVER, DB2); p->why.command.allow_data_loss = true)
TAKE(loss_of_another_term, p->why.n_seals = 1; p->why.has_command = true;
     p->why.command = rig_command(r, COMMAND_FAILOVER, DB2); p->why.command.allow_data_loss = true;
     p->why.command.term--)
TAKE(loss_by_resume, p->why.n_seals = 1; p->why.has_command = true;
     p->why.command = rig_command(r, COMMAND_RESUME, DB2); p->why.command.allow_data_loss = true)
TAKE(failover_with_seals_missing, p->why.n_seals = 1; p->why.has_command = true;
     p->why.command = rig_command(r, COMMAND_FAILOVER, DB2))
TAKE(set_shrunk, p->record.sync[0].n = 1)
TAKE(durability_weaker, p->record.durability = DURABILITY_ASYNC)
TAKE(voter_gone, p->record.voters.n = W1)
TAKE(longer_lease, p->record.lease_ms_max += 1)
TAKE(other_system, p->record.system_id++)
TAKE(version_skipped, p->record.version++)
TAKE(pauses, p->record.paused = true)
TAKE(base_elsewhere, p->record.lease_ms_max += 1; p->why.promises[1].accepted.round = 15)
static struct proposal *loss_forged(struct rig *r)
{
    struct proposal *p = loss_accepted(r);
    p->why.command.signature[0] ^= 1;
    return p;
}
static struct proposal *two_terms_on(struct rig *r)
{
    struct proposal *p = take(r);
    p->record.term++;
    p->record.history[p->record.n_history - 1].term++;
    p->why.n_promises = 0;
    return p;
}

TAKE(one_seal, p->why.n_seals = 1)

static void grant_again(struct rig *r)
{
    rig_beat(r, DB1);
}

static const struct accept_row {
    const char *name;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    struct proposal *(*make)(struct rig *);
    int nack; /* 0: accepted */
} accept_rows[] = {
    {"a takeover: promised by a quorum, sealed by n - k + 1", NULL, rig_silence, take, 0},
    {"not while my own grant runs", NULL, grant_again, take, NACK_GRANT},
    {"released: the grant is over", NULL, release, take, 0},
    {"just restarted: quarantine", NULL, restart_only, take, NACK_QUARANTINE},
    {"just restarted: a record that keeps the primary is exempt", NULL, restart_only, pause, 0},
    {"nobody heard in this start: not voting", NULL, restart_alone, pause, NACK_NOT_VOTING},
    {"a lost store", lost, rig_silence, take, NACK_NOT_VOTING},
    {"below what was promised", promised_high, rig_silence, take, NACK_BALLOT},
    {"below a decided record that was only adopted", NULL, adopted, take, NACK_BALLOT},
    {"a ballot below the decided one", NULL, rig_silence, take_low, NACK_BALLOT},

    {"promises of two of five", NULL, rig_silence, no_quorum, NACK_SEALS},
    {"one promise shown twice", NULL, rig_silence, promise_twice, NACK_SEALS},
    {"a promise of one who judged the primary alive", NULL, rig_silence, promise_alive, NACK_SEALS},
    {"a promise for another ballot", NULL, rig_silence, promise_other_ballot, NACK_SEALS},
    {"a promise that was for a change", NULL, rig_silence, promise_of_a_change, NACK_SEALS},
    {"a promise of one who is no voter", NULL, rig_silence, promise_of_observer, NACK_SEALS},
    {"a forged promise", NULL, rig_silence, promise_forged, NACK_SEALS},
    {"a forged seal", NULL, rig_silence, seal_forged, NACK_SEALS},
    {"a seal for another ballot", NULL, rig_silence, seal_other_ballot, NACK_SEALS},
    {"n - k seals", NULL, rig_silence, seals_too_few, NACK_SEALS},
    {"a seal of a directory that was cloned anew", NULL, rig_silence, seal_of_other_directory, NACK_SEALS},
    {"one seal shown twice", NULL, rig_silence, seal_twice, NACK_SEALS},
    {"the proposed primary is not sealed", NULL, rig_silence, proposed_not_sealed, NACK_SEALS},
    {"the proposed primary is sealed with another directory", NULL, rig_silence, proposed_other_directory,
     NACK_SEALS},
    {"another sealed database is ahead", NULL, rig_silence, another_ahead, NACK_SEALS},
    {"WAL of an older term is behind, whatever its LSN", NULL, rig_silence, another_ahead_by_term,
     NACK_SEALS},
    {"a new term without a justification", NULL, rig_silence, no_takeover, NACK_SEALS},
    {"built on another primary", NULL, rig_silence, other_former, NACK_SEALS},
    {"built on another directory of the primary", NULL, rig_silence, other_former_dir, NACK_SEALS},
    {"built below what has been decided since", NULL, rig_silence, built_below_decided, NACK_SEALS},
    {"the former primary, sealed, satisfies every set alone", NULL, rig_silence, former_alone, 0},
    {"but not with another directory", NULL, rig_silence, former_other_directory, NACK_SEALS},
    {"a witness as primary", NULL, rig_silence, observer_proposed, NACK_ILLEGAL},
    {"a joint: both sets are sealed", joint_db3, rig_silence, take, 0},
    {"a joint: the second set is not sealed", joint, rig_silence, one_seal, NACK_SEALS},
    {"an empty set satisfies nobody else", empty, rig_silence, take, NACK_SEALS},
    {"under async one seal, of the proposed primary, is enough", async, rig_silence, one_seal, 0},
    {"an operator accepts the loss", NULL, rig_silence, loss_accepted, 0},
    {"an operator's order of another term accepts nothing", NULL, rig_silence, loss_of_another_term,
     NACK_SEALS},
    {"a resume accepts no loss", NULL, rig_silence, loss_by_resume, NACK_SEALS},
    {"a failover without the loss accepted needs its seals", NULL, rig_silence, failover_with_seals_missing,
     NACK_SEALS},
    {"a forged order", NULL, rig_silence, loss_forged, NACK_SEALS},
    {"with a smaller sync set", NULL, rig_silence, set_shrunk, NACK_SEALS},
    {"with a weaker durability", NULL, rig_silence, durability_weaker, NACK_SEALS},
    {"with a voter less", NULL, rig_silence, voter_gone, NACK_SEALS},
    {"with a longer lease", NULL, rig_silence, longer_lease, NACK_SEALS},
    {"of another system", NULL, rig_silence, other_system, NACK_SEALS},
    {"with a version left out", NULL, rig_silence, version_skipped, NACK_SEALS},
    {"one that pauses", NULL, rig_silence, pauses, NACK_SEALS},
    {"of a paused record", paused, rig_silence, take, NACK_SEALS},
    {"on a record that is not known here", NULL, rig_silence, base_elsewhere, 0},
    {"two terms on: the record between is not known here", NULL, rig_silence, two_terms_on, NACK_NO_RECORD},

    {"the primary pauses, under its grant", NULL, nothing, pause, 0},
    {"the decided record once more", NULL, nothing, same, 0},
    {"the primary begins a joint", NULL, nothing, to_joint, 0},
    {"another database may not", NULL, nothing, joint_by_another, NACK_ILLEGAL},
    {"but it may bring to an end a pause that it found", NULL, nothing, pause_found, 0},
    {"the sync set without a joint", NULL, nothing, sync_at_once, NACK_ILLEGAL},
    {"two voters at a time", NULL, nothing, two_voters, NACK_ILLEGAL},
    {"one voter at a time", NULL, nothing, one_voter, 0},
    {"of another cluster", NULL, nothing, other_nonce, NACK_ILLEGAL},
    {"of a term that is over", NULL, rig_silence, older_term, NACK_BALLOT},
    {"another primary without a new term", NULL, rig_silence, primary_without_term, NACK_ILLEGAL},
};

START_TEST(accepts)
{
    const struct accept_row *row = &accept_rows[_i];
    struct rig *r = rig_running_with(W1, row->disk);
    row->before(r);
    struct ballot before = r->core->disk.accepted.ballot;
    rig_clear(r);
    rig_accept(r, row->make(r));
    EXPECT_INT(rig_nack(r), row->nack, row);
    EXPECT_INT(rig_count(r, FRAME_ACCEPTED), row->nack == 0, row);
    EXPECT(ballot_cmp(r->core->disk.accepted.ballot, before) >= 0, row);
    EXPECT((ballot_cmp(r->core->disk.accepted.ballot, before) > 0) == (row->nack == 0), row);
    if (!row->nack)
        EXPECT(r->stores > 0 && r->stored_order < rig_sent(r, FRAME_ACCEPTED)->order, row);
}
END_TEST

START_TEST(what_was_accepted_survives_a_restart)
{
    struct rig *r = rig_running(W1);
    rig_silence(r);
    rig_accept(r, take(r));
    rig_restart(r);
    ck_assert_int_eq(r->core->disk.accepted.ballot.round, 20);
    ck_assert_int_eq(r->core->disk.accepted.record.primary, DB2);
    ck_assert_int_eq(decided(r->core)->primary, DB1);
}
END_TEST

START_TEST(an_accept_that_comes_twice_is_answered_twice)
{
    struct rig *r = rig_running(W1);
    rig_silence(r);
    rig_accept(r, take(r));
    rig_clear(r);
    rig_accept(r, take(r));
    ck_assert_int_eq(rig_count(r, FRAME_ACCEPTED), 1);
    ck_assert_int_eq(r->stores, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("acceptor");
    TCase *tcase = suite_case(suite, "promises");
    tcase_add_loop_test(tcase, promises, 0, ROWS(promise_rows));
    tcase_add_test(tcase, a_promise_survives_a_restart);
    tcase_add_test(tcase, a_promise_tells_what_was_accepted);
    tcase = suite_case(suite, "accepts");
    tcase_add_loop_test(tcase, accepts, 0, ROWS(accept_rows));
    tcase_add_test(tcase, what_was_accepted_survives_a_restart);
    tcase_add_test(tcase, an_accept_that_comes_twice_is_answered_twice);
    return suite_run(suite);
}
