/* world.c: the event loop, the agents' processes around their cores, and the effects that they ask for. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static struct effects *fx; /* one for all: a step's effects are performed before the next step */

struct effects *world_effects(void)
{
    return fx;
}

/* ---- the heap -------------------------------------------------------------------------------------------------------- */

static bool before(const struct ev *a, const struct ev *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void world_push(struct world *w, ns_t at, enum ev_kind kind, int who, int from, uint32_t a, uint64_t b)
{
    if (w->n_events == SIM_EVENTS)
        violate(w, "I10", "more than %d events are waiting", SIM_EVENTS);
    if (at < w->now)
        at = w->now;
    struct ev e = {.at = at,
                   .seq = w->ev_seq++,
                   .kind = (uint8_t)kind,
                   .who = (uint8_t)who,
                   .from = (uint8_t)from,
                   .a = a,
                   .b = b};
    int i = w->n_events++;
    for (int up = (i - 1) / 2; i > 0 && before(&e, &w->heap[up]); up = (i - 1) / 2) {
        w->heap[i] = w->heap[up];
        i = up;
    }
    w->heap[i] = e;
}

static struct ev pop(struct world *w)
{
    struct ev top = w->heap[0], e = w->heap[--w->n_events];
    int i = 0, n = w->n_events;
    for (;;) {
        int kid = 2 * i + 1;
        if (kid >= n)
            break;
        if (kid + 1 < n && before(&w->heap[kid + 1], &w->heap[kid]))
            kid++;
        if (!before(&w->heap[kid], &e))
            break;
        w->heap[i] = w->heap[kid];
        i = kid;
    }
    w->heap[i] = e;
    return top;
}

static void digest(struct world *w, uint64_t x)
{
    w->digest = (w->digest ^ x) * 0x100000001b3u;
    w->digest ^= w->digest >> 29;
}

/* ---- names ------------------------------------------------------------------------------------------------------------ */

int world_index(const struct world *w, member_id id)
{
    for (int i = 0; i < w->n; i++)
        if (w->m[i].id == id)
            return i;
    return -1;
}

const char *world_name(const struct world *w, int i)
{
    return i < 0 ? "nobody" : w->m[0].setup.members[i].name;
}

const struct record *world_record(const struct world *w)
{
    return w->top < 0 ? &w->first : &w->decided[w->top].record;
}

int world_primary(const struct world *w)
{
    return world_index(w, world_record(w)->primary);
}

/* ---- effects ----------------------------------------------------------------------------------------------------------- */

/* What the invariants want to know about the member's own frames. */
static void look_at_heartbeat(struct world *w, int i, const struct frame *f)
{
    static struct heartbeat h;
    struct sim_member *m = &w->m[i];
    if (m->role == ROLE_OBSERVER)
        return;
    if (!wire_get_heartbeat(&h, f->body, f->body_len))
        violate(w, "I10", "%s sends a heartbeat that no reader takes", world_name(w, i));
    lemma_waits(w, i);
    lemma_heartbeat(w, i, &h);
    bool ready = h.pg.ready;
    if (ready && (!m->ready || m->ready_term != h.decided_term)) {
        TELL(w, "%s is ready in term %llu", world_name(w, i), (unsigned long long)h.decided_term);
        m->ready_term = h.decided_term;
        m->ready = true;
        inv_i2_ready(w, i);
    }
    if (m->ready != ready)
        w->link_dirty = true;
    m->ready = ready;
}

static void look_at_frame(struct world *w, int i, const struct effect *e)
{
    struct frame f;
    struct sim_member *m = &w->m[i];
    if (next_frame_open(&f, e->bytes, e->len, &w->cluster) != REJECT_NONE)
        violate(w, "I10", "%s sends what no envelope is", world_name(w, i));
    if (f.origin != m->id)
        return;
    lemma_sent(w, i, &f);
    if (f.kind != FRAME_HEARTBEAT || m->amnesiac || m->rolled_back)
        inv_i7_frame(w, i, &f);
    if (f.kind == FRAME_HEARTBEAT) {
        look_at_heartbeat(w, i, &f);
        return;
    }
    lemma_frame(w, i, &f);
    inv_i3_frame(w, i, &f);
    inv_i8_sealed(w, i, &f);
}

static void effect_send(struct world *w, int i, const struct effect *e, ns_t at)
{
    look_at_frame(w, i, e);
    digest(w, bytes_hash(1, e->bytes, e->len));
    uint32_t p = packet_make(w, e->bytes, e->len);
    if (p == UINT32_MAX)
        return;
    for (int to = 0; to < w->n; to++)
        if (to != i && (e->to >> to & 1))
            net_send(w, i, to, p, at);
    enemy_note(w, p);
    packet_drop(w, p);
    w->m[i].sends++;
}

/* A frame of another process that speaks as this member. */
void world_send_as(struct world *w, int i, const struct effect *e)
{
    uint32_t p = packet_make(w, e->bytes, e->len);
    if (p == UINT32_MAX)
        return;
    for (int to = 0; to < w->n; to++)
        if (to != i && (e->to >> to & 1))
            net_send(w, i, to, p, w->now);
    packet_drop(w, p);
}

static void effect_decided(struct world *w, int i, const struct effect *e)
{
    static struct certificate c;
    if (!wire_get_decided(&c, e->bytes, e->len))
        violate(w, "I4", "%s writes a certificate that no reader takes", world_name(w, i));
    inv_i3_certificate(w, i, &c);
}

static void effect_answer(struct world *w, int i, const struct effect *e)
{
    if (e->answer.done)
        lemma_order(w, i, e->answer.id);
    TELL(w, "%s answers: %s%s%s", world_name(w, i), e->answer.text, e->answer.final ? "" : " ...",
         e->answer.detail[0] ? " (detail)" : "");
}

static bool writes(const struct effects *out)
{
    for (int k = 0; k < out->n; k++)
        if (out->e[k].kind == EFFECT_STORE)
            return true;
    return false;
}

/* Performs the effects in order.  A member with a crash armed dies after so many of them, if the step stored anything. */
static void perform(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    struct effects *out = fx;
    inv_i10_step(w, i, out);
    ns_t at = w->now;
    bool stores = writes(out);
    int end = out->n;
    uint8_t lines[sizeof w->keys.known[0]]; /* another's roster */
    size_t lines_len = 0;
    bool turns = false;
    uint64_t round = 0;
    if (m->crash_after >= 0 && stores) {
        if (m->crash_after < end)
            end = m->crash_after;
        TELL(w, "%s dies after effect %d of %d", world_name(w, i), end, out->n);
    }
    for (int k = 0; k < end; k++) {
        const struct effect *e = &out->e[k];
        switch (e->kind) {
        case EFFECT_STORE:
            disk_store(w, i, e->bytes, e->len);
            at += rng_range(&w->rng, m->disk.write_ns / 2, m->disk.write_ns * 3 / 2);
            m->busy_until = at;
            break;
        case EFFECT_SEND: effect_send(w, i, e, at); break;
        case EFFECT_LEASE:
            lemma_lease(w, i, e->until);
            guard_lease(w, i, e->until, e->term);
            break;
        case EFFECT_GOAL:
            lemma_goal(w, i, &e->goal);
            hand_goal(w, i, &e->goal);
            break;
        case EFFECT_SYNC: hand_sync(w, i, &e->sync); break;
        case EFFECT_ROSTER:
            recover_told(w, i, e->bytes, e->len);
            lines_len = e->len == sizeof lines ? e->len : 0;
            memcpy(lines, e->bytes, lines_len);
            break;
        case EFFECT_KEY:
            turns = true;
            round = e->round;
            break;
        case EFFECT_ROUTE: m->route = e->route.primary; break;
        case EFFECT_DECIDED: effect_decided(w, i, e); break;
        case EFFECT_EVENT: TELL(w, "%s: %s %s", world_name(w, i), e->name, e->text); break;
        case EFFECT_ANSWER: effect_answer(w, i, e); break;
        case EFFECT_FATAL:
            TELL(w, "%s stops for good: %s", world_name(w, i), e->text);
            m->fatal = true;
            break;
        }
    }
    if (m->crash_after >= 0 && stores) {
        m->crash_after = -1;
        agent_die(w, i, m->crash_dark);
    } else if (m->fatal) {
        agent_die(w, i, SECONDS(1));
    } else if (end == out->n &&
               lines_len) { /* steps of their own, of which the list of effects is now free */
        rotate_roster(w, i, lines, lines_len);
    } else if (end == out->n && turns) {
        rotate_turn(w, i, round);
    }
}

/* ---- agents ------------------------------------------------------------------------------------------------------------- */

/* The agent comes back when its core's deadline is due; poll() wakes late by up to a millisecond. */
static void arm(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    if (!m->up)
        return;
    instant d = programs[m->program].deadline(m->core);
    ns_t at = clocks_when(w, i, d);
    if (at <= w->now)
        at = clocks_when_all(w, i, d);
    if (at <= w->now)
        at = w->now + US(800);
    at += US(rng_below(&w->rng, 900)) + US(100);
    if (m->wake_at <= at)
        return;
    m->wake_at = at;
    world_push(w, at, EV_WAKE, i, 0, m->life, (uint64_t)at);
}

static void step(struct world *w, int i, struct event *e)
{
    struct sim_member *m = &w->m[i];
    e->now = clocks_now(w, i);
    e->entropy = rng_u64(&w->rng);
    m->steps++;
    programs[m->program].step(m->core, e, fx);
    perform(w, i);
    arm(w, i);
    if (m->roster_told)
        recover_take(w, i);
}

void world_step_member(struct world *w, int i, struct event *e)
{
    if (w->m[i].up)
        step(w, i, e);
}

/* Something else than a step has filled the list of effects. */
void world_perform(struct world *w, int i)
{
    perform(w, i);
    arm(w, i);
}

void agent_boot(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    if (m->up || !m->host_up)
        return;
    m->life++;
    m->fatal = false;
    m->paused_until = m->busy_until = 0;
    m->wake_at = NEVER;
    if (w->bias && w->bias->long_lease_max) /* an administrator keeps changing the lease */
        m->setup.settings.lease_ms = m->life % 2 ? w->first.lease_ms_max : 500;
    m->setup.now = clocks_now(w, i);
    m->setup.nonce = rng_u64(&w->rng);
    m->setup.stored = m->disk.len ? m->disk.bytes : NULL;
    m->setup.stored_len = m->disk.len;
    TELL(w, "%s starts its agent%s", world_name(w, i), m->disk.len ? "" : ", without a store");
    if (!m->disk.len)
        m->amnesiac = true;
    rotate_boot(w, i);
    const char *why = "";
    m->up = true;
    w->link_dirty = true;
    lemma_started(w, i);
    if (!programs[m->program].start(m->core, &m->setup, fx, &why))
        violate(w, "I10", "%s does not start: %s", world_name(w, i), why);
    m->pg.sample_due = false;
    perform(w, i);
    arm(w, i);
    if (m->role == ROLE_DATABASE)
        hand_changed(w, i);
    if (m->role == ROLE_OBSERVER)
        world_push(w, w->now + MS(50), EV_SAMPLE, i, 0, m->life, 0);
}

/* The agent's process is gone, the guard and PostgreSQL are not.  The guard starts it again after `dark`. */
void agent_die(struct world *w, int i, ns_t dark)
{
    struct sim_member *m = &w->m[i];
    if (!m->up)
        return;
    TELL(w, "%s loses its agent", world_name(w, i));
    m->up = false;
    m->ready = false;
    m->wake_at = NEVER;
    w->link_dirty = true;
    if (m->role == ROLE_DATABASE)
        hand_agent_lost(w, i);
    if (dark != NEVER)
        world_push(w, w->now + dark, EV_BOOT, i, 0, m->life, 0);
}

void host_die(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    if (!m->host_up)
        return;
    agent_die(w, i, NEVER);
    if (m->role == ROLE_DATABASE)
        pg_kill(w, i);
    m->host_up = false;
    guard_reset(w, i);
    w->i1_dirty = true;
}

void host_boot(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    if (m->host_up)
        return;
    m->host_up = true;
    clocks_draw(w, i, m->boot.ppm, m->raw.ppm);
    m->pg.goal = (struct pg_goal){.kind = GOAL_KEEP};
    world_push(w, w->now, EV_BOOT, i, 0, m->life, 0);
    if (m->role == ROLE_DATABASE) {
        m->pg.tick_life++;
        world_push(w, w->now + MS(5), EV_PG_TICK, i, 0, m->pg.tick_life, 0);
    }
}

/* ---- events --------------------------------------------------------------------------------------------------------------- */

/* Does the thing that the event is for stand still?  Then the event waits. */
static bool waits(struct world *w, const struct ev *e)
{
    if (e->who >= w->n)
        return false;
    struct sim_member *m = &w->m[e->who];
    ns_t until = 0;
    bool agents = e->kind == EV_PACKET || e->kind == EV_WAKE || e->kind == EV_SAMPLE;
    bool hosts = agents || e->kind == EV_GUARD || e->kind == EV_ORPHANS || e->kind == EV_FREEZE ||
                 e->kind == EV_OP || e->kind == EV_PG_TICK || e->kind == EV_WAL || e->kind == EV_CONFIRM ||
                 e->kind == EV_CLIENT || e->kind == EV_FLUSHED || e->kind == EV_LEARN || e->kind == EV_BOOT;
    if (hosts && m->vm_until > w->now)
        until = m->vm_until;
    else if (agents && m->paused_until > w->now)
        until = m->paused_until;
    else if (agents && m->busy_until > w->now)
        until = m->busy_until;
    if (!until)
        return false;
    world_push(w, until, e->kind, e->who, e->from, e->a, e->b);
    return true;
}

static void on_packet(struct world *w, const struct ev *e)
{
    struct sim_member *m = &w->m[e->who];
    const struct packet *k = &w->packet[e->a];
    struct link *l = &w->mesh[e->from][e->who];
    l->flying--;
    if (m->up && !l->cut && rotate_link(w, e->who, e->from) && (e->b || w->m[e->from].host_up)) {
        struct event in = {.kind = EVENT_PACKET, .from = w->m[e->from].id, .bytes = k->bytes, .len = k->len};
        step(w, e->who, &in);
        if (twin_of() == e->who)
            twin_step(w,
                      &(struct event){
                          .kind = EVENT_PACKET, .from = w->m[e->from].id, .bytes = k->bytes, .len = k->len});
        if (w->enemy_rate && rng_chance(&w->rng, w->enemy_rate))
            enemy_act(w);
    }
    packet_drop(w, e->a);
}

static void on_sample_event(struct world *w, const struct ev *e)
{
    struct sim_member *m = &w->m[e->who];
    if (!m->up || m->life != e->a)
        return;
    static struct pg_sample s;
    hand_sample(w, e->who, &s);
    struct event in = {.kind = EVENT_SAMPLE, .sample = &s};
    step(w, e->who, &in);
    if (m->role == ROLE_OBSERVER && m->up)
        pg_observer_probe(w, e->who);
}

static void on_wake(struct world *w, const struct ev *e)
{
    struct sim_member *m = &w->m[e->who];
    if (!m->up || m->life != e->a || m->wake_at != (ns_t)e->b)
        return;
    m->wake_at = NEVER;
    struct event in = {.kind = EVENT_TICK};
    step(w, e->who, &in);
}

static void on_resume(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    if (m->vm_until && m->vm_until <= w->now) {
        m->vm_until = 0;
        clocks_go(w, i);
        m->exempt_until = w->now + MS(w->first.lease_ms_max) * 11 / 10 + MS(200);
        TELL(w, "the host of %s goes on", world_name(w, i));
    }
    if (m->paused_until && m->paused_until <= w->now) {
        m->paused_until = 0;
        TELL(w, "the agent of %s goes on", world_name(w, i));
        if (m->role == ROLE_DATABASE)
            hand_work(w, i);
    }
    w->i1_dirty = w->link_dirty = true;
}

static void handle(struct world *w, const struct ev *e)
{
    switch ((enum ev_kind)e->kind) {
    case EV_PACKET: on_packet(w, e); break;
    case EV_WAKE: on_wake(w, e); break;
    case EV_SAMPLE: on_sample_event(w, e); break;
    case EV_BOOT:
        if (w->m[e->who].life == e->a)
            agent_boot(w, e->who);
        break;
    case EV_GUARD: guard_event(w, e->who, (ns_t)e->b); break;
    case EV_FREEZE:
        if ((ns_t)e->b == w->m[e->who].guard.froze_at)
            guard_frozen(w, e->who);
        break;
    case EV_OP: hand_op(w, e->who, e->a); break;
    case EV_PG_TICK:
        if (w->m[e->who].host_up && w->m[e->who].pg.tick_life == e->a)
            pg_tick(w, e->who);
        break;
    case EV_WAL: wal_arrives(w, e->who, e->from, e->a, e->b); break;
    case EV_CONFIRM: wal_confirm(w, e->who, e->from, e->a, e->b); break;
    case EV_LEARN:
        if (w->m[e->who].pg.start == e->b)
            wal_learn(w, e->who, e->from, e->a);
        break;
    case EV_CLIENT: wal_client(w, e->who, e->from, e->a); break;
    case EV_FLUSHED: wal_flushed(w, e->who, e->from, e->a, e->b); break;
    case EV_ORPHANS: guard_missed(w, e->who); break;
    case EV_FAULT: fault_begin(w, (int)e->a); break;
    case EV_HEAL: fault_heal(w, (int)e->a); break;
    case EV_RESUME: on_resume(w, e->who); break;
    case EV_TWIN:
        if (twin_of() < 0)
            break;
        twin_step(w, &(struct event){.kind = EVENT_TICK});
        world_push(w, w->now + MS(10), EV_TWIN, e->who, 0, 0, 0);
        break;
    case EV_STOP:
        inv_i6_alive(w);
        if (!w->done)
            world_push(w, w->now + MS(50), EV_STOP, 0, 0, 0, 0);
        break;
    }
}

void world_loop(struct world *w, ns_t until)
{
    while (w->n_events > 0 && !w->done && w->heap[0].at <= until) {
        struct ev e = pop(w);
        w->now = e.at;
        w->steps++;
        if (waits(w, &e))
            continue;
        digest(w, (uint64_t)e.at ^ (uint64_t)e.kind << 56 ^ (uint64_t)e.who << 48 ^ e.b);
        handle(w, &e);
        if (w->i1_dirty)
            inv_i1_leases(w);
        if (w->link_dirty)
            inv_i5_links(w);
    }
}

/* ---- a whole seed -------------------------------------------------------------------------------------------------------------- */

void world_begin(struct world *w, uint64_t seed, bool trace, FILE *out)
{
    const struct bias *bias = w->bias;
    if (!fx && !(fx = malloc(sizeof *fx)))
        abort();
    w->seed = seed;
    w->rng.s = seed * 0xd1342543de82ef95u + 0x632be59bd9b4e019u;
    w->now = 0;
    w->steps = w->digest = 0;
    w->trace = trace;
    w->out = out;
    w->failed = w->done = w->scenario = false;
    w->bias = bias;
    w->n_events = 0;
    w->ev_seq = 0;
    w->n_branches = 0;
    w->conn_next = 0;
    w->commits = w->acks = 0;
    w->n_faults = 0;
    w->healed_at = 0;
    w->enemy_rate = 0;
    w->plan_rolls_back = w->votes_change = false;
    w->good_since = 0;
    w->command_seq = 0;
    twin_reset();
    net_reset(w);
    inv_reset(w);
    memset(&w->reform, 0, sizeof w->reform);
}

void world_start_members(struct world *w)
{
    for (int i = 0; i < w->n; i++) {
        struct sim_member *m = &w->m[i];
        m->host_up = true;
        world_push(w, MS(rng_below(&w->rng, 60)), EV_BOOT, i, 0, 0, 0);
        if (m->role == ROLE_DATABASE)
            world_push(w, MS(rng_below(&w->rng, 25)), EV_PG_TICK, i, 0, 0, 0);
    }
}

void world_run(struct world *w, uint64_t seed, bool trace, FILE *out)
{
    world_begin(w, seed, trace, out);
    if (setjmp(w->stop))
        return;
    layout_draw(w);
    plan_draw(w);
    world_start_members(w);
    world_push(w, w->healed_at, EV_STOP, 0, 0, 0, 0);
    world_loop(w, NEVER);
}
