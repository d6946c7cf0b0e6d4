/* plan_directed.c: plans that lead to a situation which random faults reach too rarely.
 *
 * In all of them db1 (index 0) is the first primary; times are in milliseconds, with jitter. */
#include "tests/sim/sim.h"

static struct fault at(struct world *w, enum fault_kind kind, int who, int ms, int jitter_ms, int lasts_ms)
{
    ns_t when = MS(ms) + US(rng_below(&w->rng, (uint32_t)jitter_ms * 1000 + 1));
    return (struct fault){.kind = kind, .who = who, .other = -1, .at = when, .lasts = MS(lasts_ms)};
}

/* At a moment of a takeover or change, from `ms` on; some time after it. */
static struct fault moment(struct world *w, enum fault_kind kind, int who, int ms, enum when when,
                           int delay_us, int lasts_ms)
{
    struct fault f = at(w, kind, who, ms, 0, lasts_ms);
    f.when = when;
    f.delay = US(rng_below(&w->rng, (uint32_t)delay_us + 1));
    f.prompt = true;
    return f;
}

static void add(struct world *w, struct fault f)
{
    plan_add(w, &f);
}

static void two_standbys(struct world *w, int *a, int *b)
{
    *a = 1 + (int)rng_below(&w->rng, 2);
    *b = 3 - *a;
}

/* Everybody is cut off right after a quorum has accepted and before anybody has heard so; the proposer stays dead.
 * Whoever comes next must find the accepted record. */
void plan_two_takeovers(struct world *w)
{
    add(w, at(w, FAULT_HOST_CRASH, 0, 900, 300, 5000));
    add(w, moment(w, FAULT_CUT_ALL, 0, 900, WHEN_ACCEPT, 4000, 900));
    struct fault f = moment(w, FAULT_HOST_CRASH, -1, 900, WHEN_ACCEPT, 6000, 3000);
    f.target = TARGET_PROPOSER;
    add(w, f);
    w->healed_at = SECONDS(6) + MS(300);
}

/* The primary's agent comes back asking for a shorter lease than its guard still holds, and is cut off. */
void plan_shorter_lease(struct world *w)
{
    add(w, at(w, FAULT_AGENT_CRASH, 0, 1200, 200, 10 + (int)rng_below(&w->rng, 30)));
    add(w, at(w, FAULT_CUT_MEMBER, 0, 1320, 250, 2500));
    w->healed_at = SECONDS(4) + MS(200);
}

/* The one that asks first has much to replay and has not received all. */
void plan_slow_proposer(struct world *w)
{
    int slow = 1 + (int)rng_below(&w->rng, 3);
    struct fault f = at(w, FAULT_SLOW_REPLAY, slow, 700, 0, 5000);
    f.arg = 1500;
    add(w, f);
    add(w, at(w, FAULT_CUT_REPLICATION, slow, 1000, 300, 3000));
    add(w, at(w, FAULT_HOST_CRASH, 0, 1400, 200, 5000));
    for (int i = 1; i < w->n_databases; i++)
        if (i != slow)
            add(w, at(w, FAULT_PAUSE_AGENT, i, 1800, 250, 150 + (int)rng_below(&w->rng, 300)));
    w->healed_at = SECONDS(6) + MS(700);
}

/* The old primary's machine stands still; a standby seals, loses its agent, is cut off, and the old primary goes on. */
void plan_seal_forgotten(struct world *w)
{
    int a, b;
    two_standbys(w, &a, &b);
    add(w, at(w, FAULT_PAUSE_VM, 0, 900, 200, 750 + (int)rng_below(&w->rng, 500)));
    add(w, moment(w, FAULT_AGENT_CRASH, a, 900, WHEN_SEALED, 2500, 20));
    add(w, moment(w, FAULT_CUT_MEMBER, a, 900, WHEN_SEALED, 2500, 2000));
    w->healed_at = SECONDS(5);
}

/* Commits on db2 and db4 only; db3 is behind; db4 misses the first takeover, db2 dies as soon as it is chosen. */
void plan_second_takeover(struct world *w)
{
    int order[3] = {1, 2, 3}, swap = (int)rng_below(&w->rng, 3), t = order[0];
    order[0] = order[swap];
    order[swap] = t;
    add(w, at(w, FAULT_CUT_REPLICATION, order[1], 1000, 300, 6000));
    add(w, at(w, FAULT_HOST_CRASH, 0, 1500, 200, 6000));
    add(w, at(w, FAULT_CUT_MEMBER, order[2], 1700, 200, 2500 + (int)rng_below(&w->rng, 2500)));
    struct fault f = moment(w, FAULT_HOST_CRASH, -1, 1500, WHEN_DECIDED, 12000, 4500);
    f.target = TARGET_PRIMARY;
    add(w, f);
    w->healed_at = SECONDS(8);
}

/* A standby comes back and is about to join the set; at that moment the primary is cut off, the other one gets no more
 * WAL, and soon the newcomer, which alone confirms, dies too. */
void plan_joint_grows(struct world *w)
{
    int a, b;
    two_standbys(w, &a, &b);
    add(w, at(w, FAULT_HOST_CRASH, b, 600, 50, 1700));
    add(w, moment(w, FAULT_CUT_MEMBER, 0, 2310, WHEN_JOINT, 12000, 3500));
    add(w, moment(w, FAULT_CUT_REPLICATION, a, 2310, WHEN_JOINT, 12000, 3500));
    struct fault f = moment(w, FAULT_HOST_CRASH, b, 2310, WHEN_JOINT, 200000, 3000);
    f.delay += MS(60);
    add(w, f);
    w->healed_at = SECONDS(7) + MS(500);
}

/* As before, but the newcomer gets no WAL and the other one, whose walsender does not know the new set yet, dies. */
void plan_set_grows(struct world *w)
{
    int a, b;
    two_standbys(w, &a, &b);
    add(w, at(w, FAULT_HOST_CRASH, b, 600, 50, 1700));
    add(w, moment(w, FAULT_CUT_MEMBER, 0, 2310, WHEN_DECIDED, 3000, 3500));
    add(w, moment(w, FAULT_CUT_REPLICATION, b, 2310, WHEN_DECIDED, 3000, 3500));
    struct fault f = moment(w, FAULT_HOST_CRASH, a, 2310, WHEN_DECIDED, 200000, 3000);
    f.delay += MS(30);
    add(w, f);
    w->healed_at = SECONDS(7) + MS(500);
}

/* The standby that confirmed alone comes back from an old backup; then the primary dies. */
void plan_restored_standby(struct world *w)
{
    int a, b;
    two_standbys(w, &a, &b);
    add(w, at(w, FAULT_CUT_REPLICATION, b, 900, 200, 6000));
    add(w, at(w, FAULT_DISK_RESTORED, a, 1300, 200, 150));
    add(w, at(w, FAULT_HOST_CRASH, 0, 1500, 100, 4500));
    w->healed_at = SECONDS(7) + MS(300);
}

/* The primary comes back from an old backup within its lease. */
void plan_restored_primary(struct world *w)
{
    add(w, at(w, FAULT_DISK_RESTORED, 0, 1000, 400, 50 + (int)rng_below(&w->rng, 300)));
    w->healed_at = SECONDS(2) + MS(500);
}

/* The witnesses restart while the primary, cut off, still holds its lease; the standbys had missed its heartbeats. */
void plan_voters_restart(struct world *w)
{
    int ms = 1700 + (int)rng_below(&w->rng, 100);
    for (int i = 1; i < w->n_databases; i++)
        add(w, at(w, FAULT_CUT_MEMBER, i, ms - 800, 20, 950 + (int)rng_below(&w->rng, 100)));
    add(w, at(w, FAULT_CUT_MEMBER, 0, ms + 10, 40, 2500));
    for (int i = w->n_databases; i < w->n; i++)
        if (w->m[i].role == ROLE_WITNESS)
            add(w, at(w, FAULT_AGENT_CRASH, i, ms + 20, 50, 5));
    w->healed_at = SECONDS(5);
}

/* As plan_two_takeovers, and those that accepted lose their processes before anybody has heard of it. */
void plan_accept_forgotten(struct world *w)
{
    plan_two_takeovers(w);
    for (int i = 1; i < w->n; i++) {
        struct fault f = moment(w, FAULT_AGENT_CRASH, i, 900, WHEN_ACCEPT, 10000, 20);
        f.delay += MS(5);
        add(w, f);
    }
}

/* The newcomer that a joint waits for loses its disk: nobody with that directory will ever come. */
void plan_joint_lost(struct world *w)
{
    int a, b;
    two_standbys(w, &a, &b);
    add(w, at(w, FAULT_HOST_CRASH, b, 600, 50, 1700));
    add(w, moment(w, FAULT_DISK_LOST, b, 2310, WHEN_JOINT, 3000, 400));
    w->healed_at = SECONDS(4);
}

void plan_two_steps(struct world *w)
{
    add(w, at(w, FAULT_TWO_STEPS, 0, 900, 300, 0));
    w->healed_at = SECONDS(1) + MS(500);
}

/* A standby's key is in wrong hands. */
void plan_forged_voters(struct world *w)
{
    add(w, at(w, FAULT_FORGE, 1 + (int)rng_below(&w->rng, (uint32_t)w->n_databases - 1), 900, 300, 0));
    w->healed_at = SECONDS(2);
}

/* The primary's former key is stolen; it has been retired for a while. */
void plan_retired_key(struct world *w)
{
    add(w, at(w, FAULT_ROTATE, 0, 700, 100, 0));
    add(w, at(w, FAULT_KEY_THIEF, 0, 4200, 400, 0));
    w->bearable = true;
    w->healed_at = SECONDS(5);
}

/* The primary hears of its new key before the others do. */
void plan_new_key(struct world *w)
{
    add(w, at(w, FAULT_ROTATE, 0, 900, 300, 0));
    w->bearable = true;
    w->healed_at = SECONDS(3);
}

/* The primary is lost from sight for a little more than a lease; a standby has sealed when the takeover is cut off. */
void plan_sealed_alone(struct world *w)
{
    bool early = rng_chance(&w->rng, 500);
    add(w, at(w, FAULT_CUT_MEMBER, 0, 900, 100, 650 + (int)rng_below(&w->rng, 250)));
    add(w, moment(w, FAULT_CUT_ALL, 0, 900, early ? WHEN_PREPARE : WHEN_SEALED, early ? 4000 : 500,
                  100 + (int)rng_below(&w->rng, 300)));
    w->healed_at = SECONDS(2) + MS(500);
}

/* A standby is lost, and while the change that drops it from the set is under way everybody is cut off from everybody and
 * loses its agent: a proposal of the primary's own is on its disk, so that grants alone are no read. */
void plan_restart_undecided(struct world *w)
{
    add(w, at(w, FAULT_HOST_CRASH, 1 + (int)rng_below(&w->rng, 2), 900, 200, 4000));
    add(w, moment(w, FAULT_CUT_ALL, 0, 1000, WHEN_ACCEPT, 100, 40 + (int)rng_below(&w->rng, 60)));
    add(w, moment(w, FAULT_AGENTS_RESTART, 0, 1000, WHEN_ACCEPT, 3000, 20));
    w->healed_at = SECONDS(5);
}

/* The primary's agent dies and is back soon, but its links come up one by one: lost SYNs, handshakes.  No two of them are
 * up before its lease ends, all of them before its guard kills PostgreSQL. */
void plan_agent_returns(struct world *w)
{
    int ms = 1200 + (int)rng_below(&w->rng, 200);
    w->bearable = true;
    add(w, at(w, FAULT_AGENT_CRASH, 0, ms, 0, 30 + (int)rng_below(&w->rng, 60)));
    for (int i = 1; i < w->n; i++) {
        bool deaf =
            rng_chance(&w->rng, 500); /* it is heard; or in both directions, but not for a whole lease */
        int lasts = deaf ? 450 + (int)rng_below(&w->rng, 250) : 400 + (int)rng_below(&w->rng, 80);
        struct fault in = at(w, deaf ? FAULT_CUT_ONE_WAY : FAULT_CUT_PAIR, i, ms, 0, lasts);
        in.other = 0;
        add(w, in);
    }
    w->healed_at = SECONDS(3);
}

/* The same for an agent that hears nobody for seconds: then it must not hold a takeover up for long. */
void plan_agent_deaf(struct world *w)
{
    int ms = 1200 + (int)rng_below(&w->rng, 200);
    add(w, at(w, FAULT_AGENT_CRASH, 0, ms, 0, 30 + (int)rng_below(&w->rng, 60)));
    add(w, at(w, FAULT_CUT_IN, 0, ms, 0, 2500));
    w->healed_at = SECONDS(5);
}

/* One member after another gets the next program, in any order; somewhere on the way the primary's host dies, and comes back;
 * then some go back to the present one, or all do. */
void plan_rolling_upgrade(struct world *w)
{
    int order[SIM_MEMBERS], ms = 800;
    for (int i = 0; i < w->n; i++) {
        int k = (int)rng_below(&w->rng, (uint32_t)i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    int crash = (int)rng_below(&w->rng, 2 * (uint32_t)w->n + 2);
    bool back = rng_chance(&w->rng, 600);
    for (int i = 0; i < 2 * w->n; i++) {
        bool down = i >= w->n;
        if (i == crash) {
            struct fault f = at(w, FAULT_HOST_CRASH, -1, ms, 200, 1500);
            f.target = TARGET_PRIMARY;
            add(w, f);
            ms += rng_chance(&w->rng, 500) ? 2000 : 300;
        }
        if (!down || back || rng_chance(&w->rng, 300))
            add(w, at(w, down ? FAULT_DOWNGRADE : FAULT_UPGRADE, order[i % w->n], ms, 50,
                      3 + (int)rng_below(&w->rng, 150)));
        ms += 100 + (int)rng_below(&w->rng, 700);
    }
    w->healed_at = MS(ms) + MS(500);
}

/* A majority of the voters is lost at once; an operator re-forms the voters with those who are left; then the dead come back
 * after all, one by one, where they reach the others.  Sometimes another fault meets the recovery, or one of those left dies
 * after it. */
void plan_majority_lost(struct world *w)
{
    int voters = w->n_databases + w->n_witnesses, dead[SIM_MEMBERS], n = voters / 2 + 1, left = -1;
    for (int i = 0; i < voters; i++)
        dead[i] = i;
    for (int i = 0; i < voters - 1; i++) {
        int k = i + (int)rng_below(&w->rng, (uint32_t)(voters - i)), t = dead[i];
        dead[i] = dead[k];
        dead[k] = t;
    }
    n += voters > 3 && n < voters - 1 && rng_chance(&w->rng, 300);
    int back = 4500;
    for (int i = 0; i < n; i++) {
        add(w, at(w, FAULT_HOST_CRASH, dead[i], 1500, rng_chance(&w->rng, 700) ? 3 : 400, back));
        back += 1000 + (int)rng_below(&w->rng, 600);
    }
    left = dead[n + (int)rng_below(&w->rng, (uint32_t)(voters - n))];
    add(w, at(w, FAULT_CMD_RECOVER, left, 1950, 1200, 0));
    if (rng_chance(&w->rng, 200))
        add(w, at(w, FAULT_CMD_RECOVER, left, 3300, 800, 0));
    if (rng_chance(&w->rng, 300))
        add(w, at(w, FAULT_AGENT_CRASH, left, 1950, 2000, 5 + (int)rng_below(&w->rng, 120)));
    if (rng_chance(&w->rng, 300))
        add(w, at(w, FAULT_PG_CRASH, 0, 4000, 4000, 0));
    w->healed_at = MS(1900 + back);
}

/* A standby is cut off, and has long stopped granting; then all but it and the primary are lost, and the operator goes to it
 * at once: the primary, which nobody reaches, holds a lease that those lost have granted. */
void plan_recover_early(struct world *w)
{
    int left = 1 + (int)rng_below(&w->rng, 2);
    struct fault f = at(w, FAULT_CUT_MEMBER, left, 1000, 100, 6000);
    f.arg = 1;
    add(w, f);
    for (int i = 1; i < w->n_databases + w->n_witnesses; i++)
        if (i != left)
            add(w, at(w, FAULT_HOST_CRASH, i, 2000, 5, 6500 + 1500 * i));
    add(w, at(w, FAULT_CMD_RECOVER, left, 2010, 60, 0));
    w->healed_at = SECONDS(16) + MS(200);
}

/* Somebody is away while the others change who votes: it jumps over many changes when it is back. */
static void votes_missed(struct world *w, int ms)
{
    static const enum fault_kind away[] = {
        FAULT_HOST_CRASH, FAULT_HOST_CRASH, FAULT_CUT_MEMBER, FAULT_CUT_MEMBER,  FAULT_CUT_OUT,
        FAULT_CUT_IN,     FAULT_CUT_SOME,   FAULT_DISK_LOST,  FAULT_PAUSE_AGENT, FAULT_PAUSE_VM};
    enum { KINDS = sizeof away / sizeof away[0] };
    int lasts = 300 + (int)rng_below(&w->rng, rng_chance(&w->rng, 300) ? 9000 : 2000);
    enum fault_kind k = away[rng_below(&w->rng, KINDS)];
    bool paused = k == FAULT_PAUSE_AGENT || k == FAULT_PAUSE_VM;
    struct fault f =
        at(w, k, (int)rng_below(&w->rng, (uint32_t)w->n), ms, 300, paused && lasts > 1500 ? 1500 : lasts);
    f.links = (uint32_t)rng_u64(&w->rng);
    add(w, f);
}

/* A store is lost, and admitted again; lost once more perhaps.  Or another shock, or another primary. */
static void votes_shaken(struct world *w, int ms, int who)
{
    static const enum fault_kind sudden[] = {
        FAULT_AGENT_CRASH_MID, FAULT_CMD_SWITCHOVER, FAULT_CMD_SWITCHOVER,   FAULT_HOST_CRASH,
        FAULT_PG_CRASH,        FAULT_AGENTS_RESTART, FAULT_CMD_DATABASE_ADD, FAULT_CMD_REMOVE};
    enum { KINDS = sizeof sudden / sizeof sudden[0] };
    if (rng_chance(&w->rng, 400)) {
        add(w, at(w, FAULT_STORE_LOST, who, ms, 300, 3 + (int)rng_below(&w->rng, 300)));
        add(w, at(w, FAULT_CMD_READMIT, who, ms + 250, 500, 0));
        if (rng_chance(&w->rng, 300))
            add(w, at(w, FAULT_STORE_LOST, who, ms + 500, 900, 20));
        return;
    }
    struct fault f = at(w, sudden[rng_below(&w->rng, KINDS)],
                        (int)rng_below(&w->rng, (uint32_t)w->n_databases), ms, 300, 0);
    f.lasts = fault_end(f.kind) == AT_ONCE ? 0 : MS(3 + rng_below(&w->rng, 600));
    add(w, f);
}

/* Links or hosts fail in the middle of a ballot, perhaps that of a change of the voters, which is then found undecided. */
static void votes_undecided(struct world *w, int ms)
{
    static const enum fault_kind cuts[] = {FAULT_CUT_ALL, FAULT_CUT_SOME, FAULT_CUT_MEMBER, FAULT_HOST_CRASH};
    enum when when =
        (enum when)(rng_chance(&w->rng, 500) ? WHEN_ACCEPT : 1 + rng_below(&w->rng, WHEN_DECIDED));
    struct fault f =
        moment(w, cuts[rng_below(&w->rng, 4)], -1, ms, when, 6000, 50 + (int)rng_below(&w->rng, 2000));
    f.target = rng_chance(&w->rng, 500) ? TARGET_PROPOSER : TARGET_VOTER;
    f.links = (uint32_t)rng_u64(&w->rng);
    add(w, f);
}

/* Who votes is changed again and again, one member's vote more often than the others', while members are away, lose their
 * stores and forge. */
void plan_votes(struct world *w)
{
    uint32_t v = (uint32_t)(w->n_databases + w->n_witnesses);
    int ms = 900, n = 5 + (int)rng_below(&w->rng, 9), lease = (int)w->first.lease_ms_max;
    int often = (int)rng_below(&w->rng, v);
    for (int i = 0; i < n && w->n_faults < SIM_FAULTS - 7; i++) {
        int who = rng_chance(&w->rng, 300) ? often : (int)rng_below(&w->rng, v);
        uint32_t r = rng_below(&w->rng, 100);
        add(w, at(w,
                  r < 40   ? FAULT_CMD_VOTE_GIVE
                  : r < 80 ? FAULT_CMD_VOTE_TAKE
                           : FAULT_CMD_READMIT,
                  who, ms, 60, 0));
        if (rng_chance(&w->rng, 300))
            votes_missed(w, ms);
        if (rng_chance(&w->rng, 250))
            votes_shaken(w, ms, who);
        if (rng_chance(&w->rng, 200))
            votes_undecided(w, ms);
        if (rng_chance(&w->rng, 120))
            add(w, at(w, FAULT_FORGE, (int)rng_below(&w->rng, (uint32_t)w->n_databases), ms, 600, 0));
        bool waits = rng_chance(&w->rng, 700); /* for a lease to pass, or the next order is refused */
        ms += waits ? lease + 60 + (int)rng_below(&w->rng, 200) : (int)rng_below(&w->rng, (uint32_t)lease);
    }
    w->healed_at = MS(ms);
    for (int i = 0; i < w->n_faults; i++)
        if (w->fault[i].at + w->fault[i].lasts > w->healed_at)
            w->healed_at = w->fault[i].at + w->fault[i].lasts;
    w->healed_at += MS(1500);
}

/* Between two members, or one and all the others (-1). */
static void between(struct world *w, enum fault_kind k, int a, int b, int from, int until)
{
    struct fault f = at(w, k, a, from, 0, until - from);
    f.other = b;
    add(w, f);
}

/* A voter promises a takeover, loses its store and is admitted again, while the one that asked still waits for more promises. */
void plan_former_life(struct world *w)
{
    enum { P, X, Y, C, B, D, E };
    int t1 = 1720 + (int)rng_below(&w->rng, 200), t2 = t1 + 30, d2 = t1 + 900, t4 = d2 + 350;
    between(w, FAULT_CUT_MEMBER, P, -1, 1000, t2);
    int away[] = {X, Y, C}, rest[] = {B, D, E};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            between(w, FAULT_CUT_ONE_WAY, away[i], rest[k], 1540, t1 + 1);
    add(w, at(w, FAULT_STORE_LOST, C, t1, 0, 30));
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < w->n; k++)
            if (k != X && k != Y)
                between(w, FAULT_CUT_PAIR, away[i], k, t1, t4);
    add(w, at(w, FAULT_CMD_READMIT, C, t1 + 450, 50, 0));
    add(w, at(w, FAULT_CMD_READMIT, D, d2, 0, 0));
    between(w, FAULT_CUT_PAIR, P, B, d2 - 5, t4);
    between(w, FAULT_CUT_PAIR, C, B, d2 - 5, t4);
    add(w, moment(w, FAULT_CUT_ALL, 0, d2 - 10, WHEN_DECIDED, 1, 300));
    add(w, moment(w, FAULT_HOST_CRASH, P, d2 - 10, WHEN_DECIDED, 1, 4000));
    add(w, moment(w, FAULT_HOST_CRASH, D, d2 - 10, WHEN_DECIDED, 1, 4000));
    add(w, moment(w, FAULT_HOST_CRASH, E, d2 - 10, WHEN_DECIDED, 1, 4000));
    w->healed_at = MS(d2 + 4500);
}
