/* What PostgreSQL should be doing: role, record and what the hand reports, to a goal. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

/* ---- situations: the disk before the start, what happens then, what the hand says ------------------------------------------ */

static void undecided_first(struct durable *d)
{
    struct record *x = &d->decided.proposal.record;
    x->system_id = x->timeline = x->n_history = 0;
    x->term = 1;
    d->served_term = 0;
}
static void not_served(struct durable *d)
{
    d->served_term = 0;
}
static void other_dir(struct durable *d)
{
    d->dir = 999;
}
static void no_dir(struct durable *d)
{
    d->dir = 0;
}
static void released(struct durable *d)
{
    d->released_term = RIG_TERM;
}
static void released_and_sealed(struct durable *d)
{
    d->released_term = RIG_TERM, d->sealed_for = rig_ballot(5000, DB3);
}
static void sealed(struct durable *d)
{
    d->sealed_for = rig_ballot(5000, DB3);
}
static void cloning(struct durable *d)
{
    d->dir = 0, d->dir_next = 77;
}

static void no_lease(struct rig *r)
{
    r->voting = 0;
    for (member_id id = DB2; id <= W2; id++)
        r->grants[id] = false;
    rig_run(r, 2500);
}
static void switching(struct rig *r)
{
    struct command m = rig_command(r, COMMAND_SWITCHOVER, DB2);
    rig_submit(r, &m);
    r->pg.progress = PG_GOAL_REACHED; /* the checkpoint */
    rig_sample(r);
    rig_run(r, 100);
}
static void primary_not_ready(struct rig *r)
{
    r->beat[DB1].pg.phase = PG_PROMOTING, r->beat[DB1].pg.ready = false, rig_run(r, 100);
}
static void reinit(struct rig *r)
{
    struct command m = rig_command(r, COMMAND_REINIT, DB2);
    rig_submit(r, &m);
}

static void running(struct pg_sample *s)
{
    (void)s;
}
static void down(struct pg_sample *s)
{
    s->phase = PG_DOWN, s->confirmed_dead = true, s->answering = false, s->upstream = MEMBER_NONE;
}
static void down_clean(struct pg_sample *s)
{
    down(s), s->clean = true;
}
static void down_old(struct pg_sample *s)
{
    down(s), s->timeline = s->timeline_max = 4, s->lsn = 0x300; /* what its control file knows */
}
static void down_forked(struct pg_sample *s)
{
    down_old(s), s->lsn = 0x401;
}
static void down_branch(struct pg_sample *s)
{
    down_old(s), s->timeline = s->timeline_max = 6;
}
static void starting_old(struct pg_sample *s)
{
    down_old(s), s->phase = PG_STARTING, s->confirmed_dead = false;
}
static void down_old_clean(struct pg_sample *s)
{
    down_old(s), s->clean = true, s->lsn = 0x400;
}
static void down_forked_clean(struct pg_sample *s)
{
    down_old(s), s->clean = true, s->lsn = 0x401;
}
static void down_ancient_clean(struct pg_sample *s)
{
    down_clean(s), s->timeline = s->timeline_max = 3;
}
static void recovery(struct pg_sample *s)
{
    s->phase = PG_RECOVERY, s->upstream = MEMBER_NONE;
}
static void recovery_old(struct pg_sample *s)
{
    recovery(s), s->timeline = 4, s->lsn = 0x400;
}
static void recovery_forked(struct pg_sample *s)
{
    recovery(s), s->timeline = 4, s->lsn = 0x401, s->sealed = true;
}
static void recovery_ancient(struct pg_sample *s)
{
    recovery(s), s->timeline = 3, s->sealed = true;
}
static void promoting(struct pg_sample *s)
{
    s->phase = PG_PROMOTING;
}
static void primary(struct pg_sample *s)
{
    s->phase = PG_PRIMARY, s->answering = true, s->upstream = MEMBER_NONE;
}
static void absent(struct pg_sample *s)
{
    down(s), s->phase = PG_ABSENT, s->system_id = 0, s->timeline = s->timeline_max = 0, s->lsn = 0;
}
static void foreign(struct pg_sample *s)
{
    down_clean(s), s->system_id++;
}
static void foreign_running(struct pg_sample *s)
{
    recovery(s), s->system_id++;
}

static const struct goal_row {
    const char *name;
    member_id self;
    void (*disk)(struct durable *);
    void (*before)(struct rig *);
    void (*sample)(struct pg_sample *);
    enum pg_goal_kind goal;
} goal_rows[] = {
    {"primary: runs", DB1, NULL, nothing, running, GOAL_PRIMARY},
    {"primary: promoted before, now down", DB1, NULL, nothing, down, GOAL_PRIMARY},
    {"primary: without a lease the guard decides", DB1, NULL, no_lease, running, GOAL_KEEP},
    {"primary: down, without a lease, is not started", DB1, NULL, no_lease, down, GOAL_KEEP},
    {"primary: gave its term up", DB1, released, nothing, running, GOAL_DOWN},
    {"primary: gave its term up, and is sealed for the next", DB1, released_and_sealed, nothing, down,
     GOAL_SEAL},
    {"primary: another directory than the record names", DB1, other_dir, nothing, running, GOAL_DOWN},
    {"primary: its store is lost, no directory may be used", DB1, no_dir, nothing, running, GOAL_DOWN},
    {"primary: a directory of another cluster", DB1, NULL, nothing, foreign, GOAL_DOWN},
    {"primary: hands over", DB1, NULL, switching, running, GOAL_SHUTDOWN},
    {"first primary: nothing there yet", DB1, undecided_first, nothing, absent, GOAL_INIT},
    {"first primary: not without a lease", DB1, undecided_first, no_lease, absent, GOAL_KEEP},
    {"new primary: a standby is promoted", DB1, not_served, nothing, recovery_old, GOAL_PROMOTE},
    {"new primary: stopped, it is promoted from a standby", DB1, not_served, nothing, down_old, GOAL_PROMOTE},
    {"new primary: while it promotes", DB1, not_served, nothing, promoting, GOAL_PROMOTE},
    {"new primary: not without a lease", DB1, not_served, no_lease, recovery_old, GOAL_KEEP},

    {"standby: streams", DB2, NULL, nothing, running, GOAL_FOLLOW},
    {"standby: down on the record's timeline", DB2, NULL, nothing, down, GOAL_FOLLOW},
    {"standby: on an older timeline, before the fork", DB2, NULL, nothing, recovery_old, GOAL_FOLLOW},
    {"standby: clean and down, before the fork", DB2, NULL, nothing, down_old_clean, GOAL_FOLLOW},
    {"standby: crashed on an older timeline: its end is to be learnt", DB2, NULL, nothing, down_old,
     GOAL_SEAL},
    {"standby: crashed, and what is known of its end is past the fork", DB2, NULL, nothing, down_forked,
     GOAL_REWIND},
    {"standby: the same, sealed above the record", DB2, sealed, nothing, down_forked, GOAL_SEAL},
    {"standby: crashed on a timeline that the record does not know", DB2, NULL, nothing, down_branch,
     GOAL_REWIND},
    {"standby: starts on an older timeline: it may need an upstream for it", DB2, other_dir, nothing,
     starting_old, GOAL_FOLLOW},
    {"standby: the same, in the sync set: its end is to be learnt first", DB2, NULL, nothing, starting_old,
     GOAL_SEAL},
    {"standby: starts, and nobody is there to follow", DB2, NULL, primary_not_ready, starting_old, GOAL_SEAL},
    {"standby: starts, sealed above the record", DB2, sealed, nothing, starting_old, GOAL_SEAL},
    {"standby: starts from a copy that has no id", DB2, no_dir, nothing, starting_old, GOAL_FOLLOW},
    {"standby: past the fork", DB2, NULL, nothing, recovery_forked, GOAL_REWIND},
    {"standby: clean and down, past the fork", DB2, NULL, nothing, down_forked_clean, GOAL_REWIND},
    {"standby: older than what the record knows", DB2, NULL, nothing, recovery_ancient, GOAL_CLONE},
    {"standby: the same, down", DB2, NULL, nothing, down_ancient_clean, GOAL_CLONE},
    {"standby: writable under another's term", DB2, NULL, nothing, primary, GOAL_DOWN},
    {"standby: being promoted under another's term", DB2, NULL, nothing, promoting, GOAL_DOWN},
    {"standby: writable and sealed: killed first", DB2, sealed, nothing, primary, GOAL_DOWN},
    {"standby: sealed above the record", DB2, sealed, nothing, running, GOAL_SEAL},
    {"standby: sealed above the record, past a fork: no rewind", DB2, sealed, nothing, recovery_forked,
     GOAL_SEAL},
    {"standby: sealed above the record, down", DB2, sealed, nothing, down, GOAL_SEAL},
    {"standby: no data", DB2, no_dir, nothing, absent, GOAL_CLONE},
    {"standby: a copy was cut short", DB2, cloning, nothing, down, GOAL_CLONE},
    {"standby: data of another cluster are not touched", DB2, NULL, nothing, foreign, GOAL_KEEP},
    {"standby: another cluster's server is not touched", DB2, NULL, nothing, foreign_running, GOAL_KEEP},
    {"standby: an operator asks for a fresh copy", DB2, NULL, reinit, running, GOAL_CLONE},
    {"standby: a fresh copy, but sealed", DB2, sealed, reinit, running, GOAL_SEAL},
    {"standby: the first primary has not reported yet", DB2, undecided_first, nothing, running, GOAL_KEEP},
    {"witness", W1, NULL, nothing, running, GOAL_NONE},
    {"observer", APP1, NULL, nothing, running, GOAL_NONE},
};

START_TEST(goals)
{
    const struct goal_row *row = &goal_rows[_i];
    struct rig *r = rig_new(row->self);
    if (row->disk)
        row->disk(&r->disk);
    row->sample(&r->pg);
    rig_start(r);
    rig_sample(r);
    rig_run(r, 2500);
    row->before(r);
    rig_sample(r);
    EXPECT_TEXT(pg_goal_name(r->core->goal.kind), pg_goal_name(row->goal), row);
    bool kept = r->core->goal.kind == GOAL_PRIMARY || r->core->goal.kind == GOAL_PROMOTE ||
                r->core->goal.kind == GOAL_INIT;
    if (kept)
        EXPECT(!instant_is_never(r->core->goal.not_after), row);
}
END_TEST

/* ---- every phase in every situation --------------------------------------------------------------------------------------------- */

static void (*const disks[])(struct durable *) = {NULL,    undecided_first, not_served,          other_dir,
                                                  no_dir,  released,        released_and_sealed, sealed,
                                                  cloning, joint_db3};
static void (*const befores[])(struct rig *) = {nothing,   no_lease, rig_silence,
                                                switching, reinit,   primary_not_ready};
enum { SITUATIONS = (int)(sizeof disks / sizeof disks[0] * (sizeof befores / sizeof befores[0])) };

static void legal(const struct rig *r, enum pg_phase phase, int timeline, bool same_system)
{
    const struct core *c = r->core;
    const struct pg_goal *g = &c->goal;
    const char *what = pg_goal_name(g->kind);
    bool serves = g->kind == GOAL_PRIMARY || g->kind == GOAL_PROMOTE || g->kind == GOAL_INIT;
    bool copies = g->kind == GOAL_REWIND || g->kind == GOAL_CLONE;
    bool above = ballot_cmp(c->disk.sealed_for, decided_ballot(c)) > 0;
#define LEGAL(condition) \
    ck_assert_msg(condition, "%s on %s, timeline %d: %s", what, pg_phase_name(phase), timeline, #condition)
    LEGAL(g->kind > GOAL_NONE && g->kind <= GOAL_SHUTDOWN);
    LEGAL(!serves || (lease_held(c) && is_primary(c)));
    LEGAL(!serves || c->disk.dir == decided(c)->primary_dir);
    LEGAL(!serves || g->timeline == decided(c)->timeline);
    LEGAL(!(above && (copies || g->kind == GOAL_FOLLOW) && c->disk.dir != 0));
    LEGAL(!(copies || g->kind == GOAL_FOLLOW) || (!is_primary(c) && g->upstream == decided(c)->primary));
    LEGAL(!copies || (g->dir != 0 && g->dir == c->disk.dir_next && c->disk.dir == 0));
    LEGAL(same_system || phase == PG_ABSENT || !serves || decided(c)->system_id == 0);
    LEGAL(!(g->kind == GOAL_INIT) || decided(c)->system_id == 0);
    LEGAL(!((phase == PG_PRIMARY || phase == PG_PROMOTING) && !is_primary(c) && decided(c)->system_id) ||
          g->kind == GOAL_DOWN);
}

START_TEST(nobody_to_copy_from)
{
    struct rig *r = rig_running(DB2);
    primary_not_ready(r);
    recovery_forked(&r->pg);
    rig_sample(r);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SEAL);
    ck_assert(r->core->disk.dir == 102);
}
END_TEST

START_TEST(every_phase_has_a_goal)
{
    member_id self = _i % 2 ? DB2 : DB1;
    int situation = _i / 2;
    struct rig *r = rig_running_with(self, disks[situation % (int)(sizeof disks / sizeof disks[0])]);
    befores[situation / (int)(sizeof disks / sizeof disks[0])](r);
    for (enum pg_phase phase = PG_ABSENT; phase <= PG_BROKEN; phase++)
        for (int timeline = 3; timeline <= 6; timeline++)
            for (int bits = 0; bits < 8; bits++) {
                r->pg.phase = phase;
                r->pg.timeline = (uint32_t)timeline;
                r->pg.clean = bits & 1;
                r->pg.confirmed_dead = phase == PG_DOWN || phase == PG_ABSENT || phase == PG_BROKEN;
                r->pg.answering = phase == PG_PRIMARY;
                r->pg.system_id = bits & 2 ? RIG_SYSTEM : RIG_SYSTEM + 1;
                r->pg.sealed = bits & 4;
                rig_sample(r);
                legal(r, phase, timeline, bits & 2);
            }
}
END_TEST

/* ---- copies ------------------------------------------------------------------------------------------------------------------------ */

static struct rig *rewinding(void)
{
    struct rig *r = rig_running(DB2);
    recovery_forked(&r->pg);
    rig_clear(r);
    rig_sample(r);
    ck_assert_int_eq(r->goal.kind, GOAL_REWIND);
    return r;
}

START_TEST(a_copy_gets_an_id_of_its_own_before_anything_is_touched)
{
    static struct durable d;
    struct rig *r = rewinding();
    ck_assert(wire_get_durable(&d, r->stored, r->stored_len));
    ck_assert(d.dir == 0 && d.dir_next == r->goal.dir);
    ck_assert(r->goal.dir != 0 && r->goal.dir != 102);
    dir_id drawn = r->goal.dir;
    r->pg.phase = PG_BUSY;
    rig_sample(r);
    ck_assert_int_eq(r->core->goal.kind, GOAL_REWIND);
    r->pg.phase = PG_RECOVERY;
    r->pg.timeline = RIG_TIMELINE;
    r->pg.progress = PG_GOAL_REACHED;
    rig_sample(r);
    ck_assert(r->core->disk.dir == drawn && r->core->disk.dir_next == 0);
    ck_assert_int_eq(r->core->goal.kind, GOAL_FOLLOW);
    ck_assert(r->core->goal.dir == drawn);
}
END_TEST

START_TEST(a_rewind_that_fails_becomes_a_copy)
{
    struct rig *r = rewinding();
    r->pg.phase = PG_BROKEN;
    r->pg.progress = PG_GOAL_FAILED;
    rig_sample(r);
    ck_assert_int_eq(r->core->goal.kind, GOAL_CLONE);
}
END_TEST

START_TEST(a_copy_cut_by_a_restart_starts_again)
{
    struct rig *r = rewinding();
    dir_id drawn = r->goal.dir;
    rig_restart(r);
    r->pg.phase = PG_DOWN;
    rig_sample(r);
    rig_run(r, 100);
    ck_assert_int_eq(r->core->goal.kind, GOAL_CLONE);
    ck_assert(r->core->goal.dir == drawn);
}
END_TEST

/* Data of this cluster without an id: adopted under a new one. */
START_TEST(data_without_an_id_get_a_new_one)
{
    struct rig *r = rig_running_with(DB2, no_dir);
    ck_assert(r->core->disk.dir != 0 && r->core->disk.dir != 102);
    ck_assert_int_eq(r->core->goal.kind, GOAL_FOLLOW);
    ck_assert(r->core->goal.dir == r->core->disk.dir);
}
END_TEST

/* ---- nothing before it is decided -------------------------------------------------------------------------------------------------- */

START_TEST(an_accepted_takeover_changes_nothing_until_it_is_decided)
{
    struct rig *r = rig_running(DB2);
    rig_silence(r);
    rig_seal(r, DB2 == r->self ? DB3 : DB2, 20);
    r->pg.sealed = true;
    r->pg.upstream = MEMBER_NONE;
    rig_sample(r);
    static struct proposal p;
    p = *rig_takeover(r, 20, DB2);
    p.ballot = rig_ballot(20, DB3); /* proposed by another */
    for (int i = 0; i < p.why.n_promises; i++)
        p.why.promises[i].ballot = p.ballot;
    for (int i = 0; i < p.why.n_seals; i++)
        p.why.seals[i].ballot = p.ballot;
    p.why.built = p.ballot;
    rig_sign_all(r, &p);
    rig_accept(r, &p);
    ck_assert_int_eq(r->core->disk.accepted.record.primary, DB2);
    ck_assert_int_eq(r->core->goal.kind, GOAL_SEAL);
    rig_decide(r, &p);
    ck_assert_int_eq(r->core->goal.kind, GOAL_KEEP); /* decided, but without a lease */
    r->asked_seq = 0;
    rig_run(r, 200);
    ck_assert(lease_held(r->core));
    ck_assert_int_eq(r->core->goal.kind, GOAL_PROMOTE);
    ck_assert_int_eq(r->core->goal.timeline, RIG_TIMELINE + 1);
}
END_TEST

START_TEST(the_route_waits_for_ready)
{
    struct rig *r = rig_running(W1);
    ck_assert_int_eq(r->core->route.primary, DB1);
    rig_decide(r, rig_takeover(r, 20, DB2));
    rig_run(r, 100);
    ck_assert_int_eq(r->core->route.primary, DB1);
    r->beat[DB2].decided = decided_ballot(r->core);
    r->beat[DB2].decided_term = RIG_TERM + 1;
    rig_run(r, 100);
    ck_assert_int_eq(r->core->route.primary, DB1);
    r->beat[DB2].pg.ready = true;
    rig_run(r, 100);
    ck_assert_int_eq(r->core->route.primary, DB2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("goals");
    TCase *tcase = suite_case(suite, "goals");
    tcase_add_loop_test(tcase, goals, 0, ROWS(goal_rows));
    tcase = suite_case(suite, "closure");
    tcase_add_loop_test(tcase, every_phase_has_a_goal, 0, 2 * SITUATIONS);
    tcase = suite_case(suite, "copies");
    tcase_add_test(tcase, a_copy_gets_an_id_of_its_own_before_anything_is_touched);
    tcase_add_test(tcase, nobody_to_copy_from);
    tcase_add_test(tcase, a_rewind_that_fails_becomes_a_copy);
    tcase_add_test(tcase, a_copy_cut_by_a_restart_starts_again);
    tcase_add_test(tcase, data_without_an_id_get_a_new_one);
    tcase = suite_case(suite, "decided");
    tcase_add_test(tcase, an_accepted_takeover_changes_nothing_until_it_is_decided);
    tcase_add_test(tcase, the_route_waits_for_ready);
    return suite_run(suite);
}
