/* fault.c: what goes wrong, begun and healed. */
#include <string.h>

#include "tests/sim/sim.h"

static const struct {
    const char *name;
    enum fault_end end;
} faults[] = {
#define X(name, text, end) {text, end},
    FAULT_LIST(X)
#undef X
};

const char *fault_name(enum fault_kind k)
{
    return faults[k].name;
}

enum fault_end fault_end(enum fault_kind k)
{
    return faults[k].end;
}

bool fault_parse(const char *text, enum fault_kind *k)
{
    for (int i = 0; i < FAULT_COUNT; i++)
        if (strcmp(faults[i].name, text) == 0) {
            *k = (enum fault_kind)i;
            return true;
        }
    return false;
}

/* ---- whom it hits ----------------------------------------------------------------------------------------------------- */

static int draw_target(struct world *w, const struct fault *f, int moment)
{
    int primary = world_primary(w);
    switch (f->target) {
    case TARGET_MEMBER: return (int)rng_below(&w->rng, (uint32_t)w->n);
    case TARGET_PRIMARY: return primary >= 0 ? primary : 0;
    case TARGET_STANDBY: {
        int i = (int)rng_below(&w->rng, (uint32_t)w->n_databases);
        return i != primary ? i : (i + 1) % w->n_databases;
    }
    case TARGET_VOTER: return (int)rng_below(&w->rng, (uint32_t)(w->n_databases + w->n_witnesses));
    case TARGET_PROPOSER: return moment >= 0 ? moment : (int)rng_below(&w->rng, (uint32_t)w->n_databases);
    }
    return 0;
}

/* ---- links -------------------------------------------------------------------------------------------------------------- */

static void cut_pair(struct world *w, int a, int b, int by, bool repl)
{
    net_cut(w, a, b, by, repl);
    net_cut(w, b, a, by, repl);
}

static void cut(struct world *w, const struct fault *f, int by)
{
    bool repl_too = f->arg & 1;
    struct rng subset = {f->links};
    for (int x = 0; x < w->n; x++) {
        bool in = x == f->who;
        switch (f->kind) {
        case FAULT_CUT_MEMBER:
            if (!in)
                cut_pair(w, f->who, x, by, false);
            if (!in && repl_too)
                cut_pair(w, f->who, x, by, true);
            break;
        case FAULT_CUT_OUT:
            if (!in)
                net_cut(w, f->who, x, by, false);
            break;
        case FAULT_CUT_IN:
            if (!in)
                net_cut(w, x, f->who, by, false);
            break;
        case FAULT_CUT_REPLICATION:
            if (!in)
                cut_pair(w, f->who, x, by, true);
            break;
        case FAULT_CUT_SITE:
            for (int y = 0; y < w->n; y++)
                if (w->m[x].site == w->m[f->who].site && w->m[y].site != w->m[x].site) {
                    cut_pair(w, x, y, by, false);
                    if (repl_too)
                        cut_pair(w, x, y, by, true);
                }
            break;
        case FAULT_CUT_ALL:
            for (int y = 0; y < x; y++)
                cut_pair(w, x, y, by, false);
            break;
        case FAULT_CUT_SOME:
            for (int y = 0; y < x; y++)
                if (rng_chance(&subset, 400))
                    cut_pair(w, x, y, by, false);
            break;
        case FAULT_CUT_PAIR:
            if (in && f->other != f->who)
                cut_pair(w, f->who, f->other, by, false);
            if (in && f->other != f->who && repl_too)
                cut_pair(w, f->who, f->other, by, true);
            break;
        case FAULT_CUT_ONE_WAY:
            if (in && f->other != f->who)
                net_cut(w, f->who, f->other, by, false);
            break;
        case FAULT_AGENT_CRASH ... FAULT_PG_HANG:
        case FAULT_LOSS ... FAULT_COUNT: break; /* only those that cut come here */
        }
    }
}

static void weather(struct world *w, const struct fault *f, bool on)
{
    struct rng subset = {f->links};
    for (int x = 0; x < w->n; x++)
        for (int y = 0; y < w->n; y++) {
            if (x == y || (!rng_chance(&subset, 600) && x != f->who && y != f->who))
                continue;
            struct link *l = &w->mesh[x][y];
            if (f->kind == FAULT_LOSS) {
                l->loss = w->repl[x][y].loss = on ? (uint16_t)f->arg : 0;
                if (!on && l->last > w->now) /* silent links are built anew */
                    l->last = w->now;
            }
            if (f->kind == FAULT_DUPLICATES)
                l->dup = on ? (uint16_t)f->arg : 0;
            if (f->kind == FAULT_SLOW_NET)
                l->delay_us += on ? f->arg * 1000 : -(f->arg * 1000);
        }
    w->link_dirty = true;
}

/* ---- members --------------------------------------------------------------------------------------------------------------- */

static void pause_vm(struct world *w, int i, ns_t lasts)
{
    struct sim_member *m = &w->m[i];
    if (m->vm_until || !m->host_up)
        return;
    m->vm_until = w->now + lasts;
    clocks_stop(w, i);
    world_push(w, m->vm_until, EV_RESUME, i, 0, 0, 0);
    w->i1_dirty = w->link_dirty = true;
}

static void pause_agent(struct world *w, int i, ns_t lasts)
{
    struct sim_member *m = &w->m[i];
    if (m->paused_until || !m->up)
        return;
    m->paused_until = w->now + lasts;
    world_push(w, m->paused_until, EV_RESUME, i, 0, 0, 0);
    w->link_dirty = true;
}

/* The generation of member i's store that every other voter has on its disk: whatever starts again, whoever is heard
 * first, somebody tells. */
static uint64_t known_everywhere(struct world *w, int i)
{
    static struct durable d;
    uint64_t least = UINT64_MAX;
    for (int k = 0; k < w->n; k++) {
        uint64_t counter = 0;
        if (k == i || !w->m[k].disk.len || !wire_get_durable(&d, w->m[k].disk.bytes, w->m[k].disk.len))
            continue;
        if (!record_voter(&d.decided.proposal.record, w->m[k].id))
            continue;
        for (int n = 0; n < d.n_known; n++)
            if (d.known[n].who == w->m[i].id)
                counter = d.known[n].counter;
        least = counter < least ? counter : least;
    }
    return least == UINT64_MAX ? 0 : least;
}

/* Each start raises the generation, heard or not: a copy that is older by fewer generations than its owner then starts
 * without being heard cannot be told from the newest.  Likewise a forgetful voter whose votes only members that are down
 * remember: more faults at once than a quorum survives (docs/protocol.md). */
enum { STARTS_UNHEARD = 6 };

/* The disk comes back as it once was: the store, and with it the data directory as far as anybody can tell. */
static void roll_back(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    static struct durable d;
    static struct disk as_it_was;
    as_it_was = m->disk;
    if (!disk_roll_back(w, i) || !wire_get_durable(&d, m->disk.bytes, m->disk.len))
        return;
    if (d.counter + STARTS_UNHEARD > known_everywhere(w, i)) {
        m->disk = as_it_was;
        return;
    }
    m->rolled_back = true;
    m->lost_epoch = d.epoch;
    lemma_forgets(w, i);
    TELL(w, "the store of %s is an older copy", world_name(w, i));
}

static void lose_data(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    if (m->role != ROLE_DATABASE)
        return;
    pg_kill(w, i);
    m->pg.exists = false;
    m->pg.torn = false;
    m->dir_lost = m->ever_lost = true;
    pg_set_phase(w, i, PG_ABSENT);
}

/* The data directory of an old backup: the same timeline, and less of it. */
static void restore_data(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    lsn_t base = w->branch[m->pg.at.branch].fork + 1;
    if (base < 0x1000000)
        base = 0x1000000;
    if (m->role != ROLE_DATABASE || !m->pg.exists || m->pg.at.lsn <= base)
        return;
    m->pg.at.lsn = base + (m->pg.at.lsn - base) * rng_below(&w->rng, 90) / 100;
    m->pg.replay = m->pg.flushed = m->pg.at.lsn;
    m->pg.consistent = 0;
    m->pg.restored = true;
}

static void lose_store(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    const struct voter *v = record_voter(world_record(w), m->id);
    m->lost_epoch = v ? v->epoch : 0;
    m->amnesiac = true;
    disk_lose(w, i);
    lemma_forgets(w, i);
}

static void hang(struct world *w, int i, bool on)
{
    w->m[i].pg.hung = on;
    w->link_dirty = true;
    hand_changed(w, i);
}

/* An operator goes to a member that answers. */
static int draw_via(struct world *w)
{
    int via = (int)rng_below(&w->rng, (uint32_t)w->n);
    for (int tries = 0; tries < w->n && !w->m[via].up; tries++)
        via = (via + 1) % w->n;
    return via;
}

static void order(struct world *w, const struct fault *f, int via)
{
    static const struct {
        enum command_kind kind;
        bool of_target, loss;
    } orders[FAULT_COUNT] = {
        [FAULT_CMD_PAUSE] = {COMMAND_PAUSE, false, false},
        [FAULT_CMD_RESUME] = {COMMAND_RESUME, false, false},
        [FAULT_CMD_SWITCHOVER] = {COMMAND_SWITCHOVER, true, false},
        [FAULT_CMD_FAILOVER] = {COMMAND_FAILOVER, true, false},
        [FAULT_CMD_FAILOVER_LOSS] = {COMMAND_FAILOVER, true, true},
        [FAULT_CMD_READMIT] = {COMMAND_READMIT, true, false},
        [FAULT_CMD_ASYNC] = {COMMAND_ASYNC, false, false},
        [FAULT_CMD_SYNC] = {COMMAND_SYNC, false, false},
        [FAULT_CMD_STRICT] = {COMMAND_STRICT, false, false},
        [FAULT_CMD_DATABASE_ADD] = {COMMAND_DATABASE_ADD, true, false},
        [FAULT_CMD_VOTE_GIVE] = {COMMAND_VOTE_GIVE, true, false},
        [FAULT_CMD_VOTE_TAKE] = {COMMAND_VOTE_TAKE, true, false},
        [FAULT_CMD_REMOVE] = {COMMAND_MEMBER_REMOVE, true, false},
    };
    member_id target = orders[f->kind].of_target ? w->m[f->who].id : MEMBER_NONE;
    operator_command(w, via, orders[f->kind].kind, target, orders[f->kind].loss);
}

/* ---- begin and heal ------------------------------------------------------------------------------------------------------------ */

/* via: the member to whom an operator would go. */
static void befall(struct world *w, const struct fault *f, int via)
{
    struct sim_member *m = &w->m[f->who];
    switch (f->kind) {
    case FAULT_AGENT_CRASH: agent_die(w, f->who, f->lasts ? f->lasts : MS(40)); break;
    case FAULT_AGENT_CRASH_MID:
        m->crash_after = (int)(f->arg % 8);
        m->crash_dark = f->lasts ? f->lasts : MS(40);
        break;
    case FAULT_HOST_CRASH: host_die(w, f->who); break;
    case FAULT_CLUSTER_RESTART:
        for (int i = 0; i < w->n; i++)
            host_die(w, i);
        break;
    case FAULT_AGENTS_RESTART:
        for (int i = 0; i < w->n; i++)
            if (rng_chance(&w->rng, 700))
                agent_die(w, i, MS(rng_range(&w->rng, 5, 120)));
        break;
    case FAULT_PG_CRASH:
        if (m->role == ROLE_DATABASE)
            pg_crash(w, f->who);
        break;
    case FAULT_PG_HANG: hang(w, f->who, true); break;
    case FAULT_CUT_MEMBER ... FAULT_CUT_REPLICATION: cut(w, f, 1); break;
    case FAULT_LOSS:
    case FAULT_SLOW_NET:
    case FAULT_DUPLICATES: weather(w, f, true); break;
    case FAULT_PAUSE_AGENT: pause_agent(w, f->who, f->lasts); break;
    case FAULT_PAUSE_VM: pause_vm(w, f->who, f->lasts); break;
    case FAULT_STORE_LOST:
        agent_die(w, f->who, f->lasts ? f->lasts : MS(40));
        lose_store(w, f->who);
        break;
    case FAULT_DISK_LOST:
        host_die(w, f->who);
        lose_store(w, f->who);
        lose_data(w, f->who);
        break;
    case FAULT_DATA_LOST: lose_data(w, f->who); break;
    case FAULT_DISK_RESTORED:
        host_die(w, f->who);
        lose_store(w, f->who);
        restore_data(w, f->who);
        break;
    case FAULT_ROLLBACK:
        agent_die(w, f->who, f->lasts ? f->lasts : MS(40));
        roll_back(w, f->who);
        break;
    case FAULT_SLOW_PROMOTE: m->pg.promote_ns = MS(f->arg); break;
    case FAULT_SLOW_REPLAY: m->pg.replay_ns = MS(f->arg); break;
    case FAULT_SLOW_DISK: m->disk.write_ns = MS(f->arg); break;
    case FAULT_ENEMY: w->enemy_rate = 40; break;
    case FAULT_STRAY_TIMELINE:
        if (m->role == ROLE_DATABASE && m->pg.exists)
            m->pg.history_max += 1 + f->arg % 2;
        break;
    case FAULT_GUARD_CRASH: guard_crash(w, f->who, f->arg & 1); break;
    case FAULT_TWIN: twin_start(w, f->who); break;
    case FAULT_UPGRADE: program_change(w, f->who, PROGRAM_NEXT, f->lasts ? f->lasts : MS(40)); break;
    case FAULT_DOWNGRADE: program_change(w, f->who, PROGRAM_PRESENT, f->lasts ? f->lasts : MS(40)); break;
    case FAULT_CMD_RECOVER: operator_recover(w, f->who); break;
    case FAULT_FORGE: operator_forge(w, f->who); break;
    case FAULT_TWO_STEPS: operator_two_steps(w); break;
    case FAULT_ROTATE: rotate_begin(w, f->who); break;
    case FAULT_KEY_THIEF: rotate_thief(w, f->who); break;
    case FAULT_CMD_PAUSE ... FAULT_CMD_REMOVE: order(w, f, via); break;
    case FAULT_COUNT: break;
    }
}

static void begin(struct world *w, int index, int moment)
{
    struct fault *f = &w->fault[index];
    f->begun = true;
    if (f->who < 0)
        f->who = draw_target(w, f, moment);
    if (f->other < 0)
        f->other = (int)rng_below(&w->rng, (uint32_t)w->n);
    TELL(w, "FAULT %s %s", fault_name(f->kind), world_name(w, f->who));
    befall(w, f, draw_via(w));
}

void fault_begin(struct world *w, int index)
{
    struct fault *f = &w->fault[index];
    if (f->when == WHEN_NOW)
        begin(w, index, -1);
    else
        f->armed = true;
}

/* A moment inside a takeover has come: what waited for it begins. */
void fault_moment(struct world *w, enum when when, int who)
{
    for (int i = 0; i < w->n_faults && w->now + MS(40) < w->healed_at; i++) {
        struct fault *f = &w->fault[i];
        if (!f->armed || f->begun || f->when != when)
            continue;
        if (f->skip > 0) {
            f->skip--;
            continue;
        }
        f->armed = false;
        f->when = WHEN_NOW;
        if (f->target == TARGET_PROPOSER && f->who < 0)
            f->who = who;
        if (w->now + f->lasts > w->healed_at)
            f->lasts = w->healed_at > w->now ? w->healed_at - w->now : 0;
        ns_t at = w->now + f->delay;
        if (!f->prompt)
            at += US(rng_below(&w->rng, rng_chance(&w->rng, 600) ? 1200 : 20000));
        world_push(w, at, EV_FAULT, 0, 0, (uint32_t)i, 0);
        if (f->lasts)
            world_push(w, at + f->lasts, EV_HEAL, 0, 0, (uint32_t)i, 0);
    }
}

void fault_heal(struct world *w, int index)
{
    struct fault *f = &w->fault[index];
    if (!f->begun || f->healed) {
        f->armed = false;
        return;
    }
    f->healed = true;
    struct sim_member *m = &w->m[f->who];
    switch (f->kind) {
#define CASE_AT_ONCE(name)   case FAULT_##name:
#define CASE_BY_ITSELF(name) case FAULT_##name:
#define CASE_HEALED(name)    /* has one below */
#define X(name, text, end)   CASE_##end(name)
        FAULT_LIST(X)
#undef X
    case FAULT_COUNT: return;
    case FAULT_HOST_CRASH:
    case FAULT_DISK_LOST:
    case FAULT_DISK_RESTORED: host_boot(w, f->who); break;
    case FAULT_CLUSTER_RESTART:
        for (int i = 0; i < w->n; i++)
            host_boot(w, i);
        break;
    case FAULT_AGENT_CRASH_MID: m->crash_after = -1; break;
    case FAULT_PG_HANG: hang(w, f->who, false); break;
    case FAULT_CUT_MEMBER ... FAULT_CUT_REPLICATION: cut(w, f, -1); break;
    case FAULT_LOSS:
    case FAULT_SLOW_NET:
    case FAULT_DUPLICATES: weather(w, f, false); break;
    case FAULT_SLOW_PROMOTE: m->pg.promote_ns = MS(60); break;
    case FAULT_SLOW_REPLAY: m->pg.replay_ns = MS(2); break;
    case FAULT_SLOW_DISK: m->disk.write_ns = MS(1); break;
    case FAULT_ENEMY: w->enemy_rate = 0; break;
    }
    TELL(w, "HEALED %s %s", fault_name(f->kind), world_name(w, f->who));
}
