/* An operator's changes of durability, databases and voters: what is refused, what is waited for, what comes of it. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

static void wait(struct rig *r, int ms)
{
    for (int t = 0; t < ms; t += 50) {
        rig_run(r, 50);
        if (r->core->upkeep.running)
            rig_obey(r);
        rig_sample(r);
    }
}
static const struct record *now(const struct rig *r)
{
    return decided(r->core);
}
static void drop_voters(struct record *x, int n)
{
    x->voters.n = (uint8_t)n;
}
static void drop_row(struct rig *r, member_id id)
{
    for (int i = 0; i < r->pg.n_standbys; i++)
        if (r->pg.standbys[i].id == id)
            r->pg.standbys[i].streaming = false;
}

/* ---- records to begin with ------------------------------------------------------------------------------------------------ */

static void as_it_is(struct durable *d)
{
    (void)d;
}
static void without_w2(struct durable *d)
{
    drop_voters(&d->decided.proposal.record, W1);
}
static void three_voters(struct durable *d)
{
    drop_voters(&d->decided.proposal.record, DB3);
}
static void one_voter(struct durable *d)
{
    drop_voters(&d->decided.proposal.record, DB1);
}
static void one_other_voter(struct durable *d)
{
    struct voters *v = &d->decided.proposal.record.voters;
    v->v[0] = v->v[1];
    v->n = 1;
}
static void without_db3(struct durable *d)
{
    struct record *x = &d->decided.proposal.record;
    x->n_databases = 2;
    x->sync[0] = (struct sync_set){.k = 1, .n = 1, .m = {{DB2, 102}}};
}
static void strict_of_two(struct durable *d)
{
    without_db3(d), strict(d), empty(d); /* not formed yet */
}

/* ---- refused ---------------------------------------------------------------------------------------------------------------- */

static void none_streams(struct rig *r)
{
    drop_row(r, DB2), drop_row(r, DB3), rig_sample(r);
}
static void w2_silent(struct rig *r)
{
    r->alive &= ~(1u << (W2 - 1)), rig_run(r, 700);
}
static void w2_lost(struct rig *r)
{
    r->beat[W2].lost = true, rig_run(r, 100);
}
static void w2_behind(struct rig *r)
{
    r->beat[W2].decided.round--, rig_beat(r, W2);
}
static void two_silent(struct rig *r)
{
    r->alive &= ~(1u << (DB3 - 1) | 1u << (W1 - 1)), rig_run(r, 700);
}
static void db3_silent(struct rig *r)
{
    r->alive &= ~(1u << (DB3 - 1)), rig_run(r, 700);
}
static void db3_gone(struct rig *r)
{
    drop_row(r, DB3), rig_sample(r);
}

static const struct refused_row {
    const char *name;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    enum command_kind kind;
    member_id target;
    const char *text;
    bool detail, hint;
} refused_rows[] = {
    {"sync with nobody to confirm", async_empty, none_streams, COMMAND_SYNC, MEMBER_NONE, "too few standbys",
     true, true},
    {"strict with nobody to confirm", async_empty, none_streams, COMMAND_STRICT, MEMBER_NONE,
     "too few standbys", true, true},
    {"a vote for a stranger", as_it_is, nothing, COMMAND_VOTE_GIVE, 99,
     "the primary does not know the member", false, true},
    {"a vote for an observer", as_it_is, nothing, COMMAND_VOTE_GIVE, APP1,
     "observers and operators never vote", false, false},
    {"a vote for an operator", as_it_is, nothing, COMMAND_VOTE_GIVE, OP, "observers and operators never vote",
     false, false},
    {"a vote for one that is not heard", without_w2, w2_silent, COMMAND_VOTE_GIVE, W2,
     "the member is not fit to vote", true, true},
    {"a vote for one without its store", without_w2, w2_lost, COMMAND_VOTE_GIVE, W2,
     "the member is not fit to vote", true, true},
    {"a vote for one that is behind", without_w2, w2_behind, COMMAND_VOTE_GIVE, W2,
     "the member is not fit to vote", true, true},
    {"the primary's vote", as_it_is, nothing, COMMAND_VOTE_TAKE, DB1, "the primary's vote cannot be taken",
     false, true},
    {"the last vote", one_other_voter, nothing, COMMAND_VOTE_TAKE, DB2, "the last voter cannot be removed",
     true, true},
    {"below a majority of those that answer", as_it_is, two_silent, COMMAND_VOTE_TAKE, W2,
     "too few voters would be left", true, true},
    {"the primary", as_it_is, nothing, COMMAND_MEMBER_REMOVE, DB1, "the primary cannot be removed", false,
     true},
    {"a voter of three, the other down", three_voters, db3_silent, COMMAND_MEMBER_REMOVE, DB2,
     "too few voters would be left", true, true},
    {"the only one that confirms", only_db2, db3_gone, COMMAND_MEMBER_REMOVE, DB2,
     "no standby would be left to confirm commits", false, true},
    {"a database of a strict cluster that cannot spare one", strict_of_two, nothing, COMMAND_MEMBER_REMOVE,
     DB2, "too few standbys would be left", true, true},
    {"a witness as a database", as_it_is, nothing, COMMAND_DATABASE_ADD, W1, "the member is no database",
     false, false},
};

START_TEST(refused)
{
    const struct refused_row *row = &refused_rows[_i];
    struct rig *r = rig_running_with(DB1, row->disk);
    row->before(r);
    rig_clear(r);
    struct ballot before = decided_ballot(r->core);
    struct command m = rig_command(r, row->kind, row->target);
    rig_submit(r, &m);
    EXPECT_REFUSED(r, m, row);
    EXPECT(ballot_cmp(decided_ballot(r->core), before) == 0 && !r->core->disk.has_own, row);
    EXPECT_INT(r->core->operation.phase, OPERATION_NONE, row);
}
END_TEST

/* ---- done ---------------------------------------------------------------------------------------------------------------------- */

static bool is_async(const struct record *x)
{
    return x->durability == DURABILITY_ASYNC;
}
static bool is_sync(const struct record *x)
{
    return x->durability == DURABILITY_SYNC && !x->joint && x->sync[0].n == 2;
}
static bool is_strict(const struct record *x)
{
    return x->durability == DURABILITY_STRICT && !x->joint && x->sync[0].n == 2;
}
static bool has_db3(const struct record *x)
{
    return x->n_databases == 3 && record_is_database(x, DB3);
}
static bool w2_votes(const struct record *x)
{
    const struct voter *v = record_voter(x, W2);
    return v && v->epoch > 0 && v->site[0] == 'c';
}
static bool no_vote_of_w2(const struct record *x)
{
    return x->voters.n == W1 && !record_voter(x, W2);
}
static bool no_db3(const struct record *x)
{
    return x->n_databases == 2 && !record_is_database(x, DB3) && !record_voter(x, DB3) && !x->joint &&
           !sync_set_find(&x->sync[0], DB3);
}
static bool two_vote(const struct record *x)
{
    return x->voters.n == 2 && record_voter(x, DB2);
}

static const struct done_row {
    const char *name;
    void (*disk)(struct durable *);
    enum command_kind kind;
    member_id target;
    bool (*holds)(const struct record *);
} done_rows[] = {
    {"sync to async", as_it_is, COMMAND_ASYNC, MEMBER_NONE, is_async},
    {"async to sync, with the set", async_empty, COMMAND_SYNC, MEMBER_NONE, is_sync},
    {"async to strict, with the set", async_empty, COMMAND_STRICT, MEMBER_NONE, is_strict},
    {"sync to strict", as_it_is, COMMAND_STRICT, MEMBER_NONE, is_strict},
    {"strict to sync", strict, COMMAND_SYNC, MEMBER_NONE, is_sync},
    {"strict to async", strict, COMMAND_ASYNC, MEMBER_NONE, is_async},
    {"one more database", without_db3, COMMAND_DATABASE_ADD, DB3, has_db3},
    {"one more voter", without_w2, COMMAND_VOTE_GIVE, W2, w2_votes},
    {"a second voter", one_voter, COMMAND_VOTE_GIVE, DB2, two_vote},
    {"one voter less", as_it_is, COMMAND_VOTE_TAKE, W2, no_vote_of_w2},
    {"a database leaves the sync set, then the record", as_it_is, COMMAND_MEMBER_REMOVE, DB3, no_db3},
    {"it is so already", as_it_is, COMMAND_SYNC, MEMBER_NONE, is_sync},
};

START_TEST(done)
{
    const struct done_row *row = &done_rows[_i];
    struct rig *r = rig_running_with(DB1, row->disk);
    struct command m = rig_command(r, row->kind, row->target);
    rig_submit(r, &m);
    for (int t = 0; t < 4000 && r->answers == 0; t += 50) {
        wait(r, 50);
        EXPECT(lease_held(r->core), row); /* at no moment without its lease */
    }
    EXPECT_INT(r->answers, 1, row);
    EXPECT(r->answer.final && r->answer.done, row);
    EXPECT(row->holds(now(r)), row);
    EXPECT_INT(r->core->operation.phase, OPERATION_NONE, row);
}
END_TEST

/* Nothing claims protection before the set that gives it is formed. */
START_TEST(async_until_the_set_is_formed)
{
    struct rig *r = rig_running_with(DB1, async_empty);
    wait(r, 300);
    struct command m = rig_command(r, COMMAND_SYNC, MEMBER_NONE);
    rig_submit(r, &m);
    for (int t = 0; t < 1000; t += 50) { /* the hand does not get the setting into force */
        rig_run(r, 50);
        rig_sample(r);
    }
    ck_assert(now(r)->joint && now(r)->durability == DURABILITY_ASYNC && r->answers == 0);
    wait(r, 1000);
    ck_assert(now(r)->durability == DURABILITY_SYNC && r->answer.done);
}
END_TEST

/* The guard may hold a deadline that a quorum of the voters before has granted: two changes ago is one too many. */
START_TEST(voters_change_once_in_a_longest_lease)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_VOTE_TAKE, W2);
    rig_submit(r, &m);
    wait(r, 300);
    ck_assert(r->answer.done && now(r)->voters.n == W1);
    instant told = r->core->hold.told;
    rig_clear(r);
    m = rig_command(r, COMMAND_VOTE_TAKE, W1);
    rig_submit(r, &m);
    wait(r, 1500);
    ck_assert(now(r)->voters.n == W1 && r->answers == 0);
    wait(r, 1000);
    ck_assert(now(r)->voters.n == DB3 && r->answer.done);
    ck_assert(instant_due_any(r->core->voters_changed, told));
}
END_TEST

START_TEST(nor_soon_after_a_start)
{
    struct rig *r = rig_running(DB1);
    rig_restart(r);
    wait(r, 300);
    ck_assert(lease_held(r->core));
    struct command m = rig_command(r, COMMAND_VOTE_TAKE, W2);
    rig_submit(r, &m);
    wait(r, 1000);
    ck_assert(now(r)->voters.n == W2);
    wait(r, 1500);
    ck_assert(now(r)->voters.n == W1 && r->answer.done);
}
END_TEST

/* As an end of it the record would be refused by everybody, and be proposed again for ever. */
START_TEST(a_switchover_left_over_goes_with_its_target)
{
    struct rig *r = rig_running_with(DB1, only_db2);
    drop_row(r, DB3), rig_sample(r);
    struct record *x = &r->core->disk.decided.proposal.record;
    x->switchover_from = DB1;
    x->switchover_to = DB3;
    struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, DB3);
    rig_submit(r, &m);
    wait(r, 300);
    ck_assert(r->answer.done && no_db3(now(r)) && now(r)->switchover_to == MEMBER_NONE);
    ck_assert(!r->core->disk.has_own);
}
END_TEST

START_TEST(one_at_a_time)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_VOTE_TAKE, W2);
    r->voting = 0;
    rig_submit(r, &m);
    m = rig_command(r, COMMAND_ASYNC, MEMBER_NONE);
    rig_submit(r, &m);
    ck_assert(r->answers == 1 && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "another operation is under way");
}
END_TEST

START_TEST(undecided_it_is_said_to_be_late)
{
    struct rig *r = rig_running(DB1);
    struct command m = rig_command(r, COMMAND_ASYNC, MEMBER_NONE);
    r->voting = 0;
    rig_submit(r, &m);
    wait(r, 11000);
    ck_assert(r->answers == 1 && r->answer.final && !r->answer.done);
    ck_assert_str_eq(r->answer.text, "the change was not made in time");
}
END_TEST

/* Taken out of the record, a standby is stopped; its data stay. */
START_TEST(who_is_out_stops)
{
    struct rig *r = rig_running_with(DB3, without_db3);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SHUTDOWN);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("amend");
    TCase *tcase = suite_case(suite, "refused");
    tcase_add_loop_test(tcase, refused, 0, ROWS(refused_rows));
    tcase = suite_case(suite, "done");
    tcase_add_loop_test(tcase, done, 0, ROWS(done_rows));
    tcase_add_test(tcase, async_until_the_set_is_formed);
    tcase_add_test(tcase, voters_change_once_in_a_longest_lease);
    tcase_add_test(tcase, nor_soon_after_a_start);
    tcase_add_test(tcase, a_switchover_left_over_goes_with_its_target);
    tcase_add_test(tcase, one_at_a_time);
    tcase_add_test(tcase, undecided_it_is_said_to_be_late);
    tcase_add_test(tcase, who_is_out_stops);
    return suite_run(suite);
}
