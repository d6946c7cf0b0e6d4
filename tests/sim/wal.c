/* wal.c: WAL as histories with one writer each, and what streams of it: walsenders, walreceivers, acknowledgements.
 *
 * PostgreSQL compares timelines by number; the world knows which server wrote what (struct branch), so it notices when
 * two histories with one number are mixed.  A commit is acknowledged when `ANY k` of the set, as known by the walsender
 * that has just read a confirmation, have flushed it (src/backend/replication/syncrep.c); a new setting reaches every
 * walsender, and the backends, at its own time. */
#include "tests/sim/sim.h"

/* ---- histories ------------------------------------------------------------------------------------------------------ */

/* The branch that owns the last byte. */
struct content wal_normal(const struct world *w, struct content c)
{
    while (c.branch != BRANCH_ROOT && c.branch != BRANCH_NONE && c.lsn <= w->branch[c.branch].fork)
        c.branch = w->branch[c.branch].parent;
    return c;
}

/* Up to which LSN are two contents the same? */
lsn_t wal_common(const struct world *w, struct content a, struct content b)
{
    while (a.branch != b.branch) {
        struct content *later = a.branch > b.branch ? &a : &b; /* a branch is younger than its parent */
        const struct branch *l = &w->branch[later->branch];
        if (later->branch == BRANCH_ROOT || l->parent == BRANCH_NONE)
            return 0;
        if (later->lsn > l->fork)
            later->lsn = l->fork;
        later->branch = l->parent;
    }
    return a.lsn < b.lsn ? a.lsn : b.lsn;
}

/* Does a directory with that content hold everything up to that point of that history? */
bool wal_holds(const struct world *w, struct content dir, struct content point)
{
    return wal_common(w, dir, point) >= point.lsn;
}

uint16_t wal_branch(struct world *w, uint32_t timeline, struct content from, uint64_t term, member_id maker)
{
    if (w->n_branches == SIM_BRANCHES)
        violate(w, "I10", "more than %d histories of WAL in one seed", SIM_BRANCHES);
    w->branch[w->n_branches] = (struct branch){
        .timeline = timeline, .parent = from.branch, .fork = from.lsn, .term = term, .maker = maker};
    return (uint16_t)w->n_branches++;
}

uint64_t wal_term(const struct world *w, struct content c)
{
    return w->branch[wal_normal(w, c).branch].term;
}

/* ---- settings and acknowledgements ------------------------------------------------------------------------------------ */

static const struct sync_set *setting(const struct pg *p, uint32_t number)
{
    return &p->setting[number % 16];
}

static void acknowledge(struct world *w, int i, lsn_t upto)
{
    struct pg *p = &w->m[i].pg;
    for (int c = 0; c < SIM_CLIENTS; c++) {
        if (p->wait[c] == 0 || p->wait[c] > upto)
            continue;
        inv_i9_ack(w, i);
        inv_i2_acked(w, i, p->wait[c]);
        p->wait[c] = 0;
        w->acks++;
        world_push(w, w->now + MS(rng_range(&w->rng, 2, 40)), EV_CLIENT, i, c, p->start, 0);
    }
}

/* SyncRepReleaseWaiters, by the walsender of `who`, with the setting that it knows. */
static void release_waiters(struct world *w, int i, int who)
{
    struct pg *p = &w->m[i].pg;
    const struct sync_set *s = setting(p, p->sender[who].view);
    lsn_t flushed[SIM_MEMBERS];
    int n = 0;
    bool listed = false;
    for (int k = 0; k < w->n; k++) {
        const struct sender *x = &p->sender[k];
        const struct sync_member *entry = x->up ? sync_set_find(s, w->m[k].id) : NULL;
        if (!entry || entry->dir != x->dir)
            continue;
        if (k == who)
            listed = true;
        int at = n++;
        for (; at > 0 && flushed[at - 1] < x->flush; at--)
            flushed[at] = flushed[at - 1];
        flushed[at] = x->flush;
    }
    if (listed && s->k > 0 && n >= s->k)
        acknowledge(w, i, flushed[s->k - 1]);
}

/* A new synchronous_standby_names: written and reloaded now, known by each process at its own time. */
void wal_setting(struct world *w, int i, const struct sync_set *set, bool at_once)
{
    struct pg *p = &w->m[i].pg;
    p->setting_now++;
    p->setting[p->setting_now % 16] = *set;
    lemma_setting(w, i, set, 0);
    if (at_once) {
        p->waits_known = set->n > 0 || set->k > 0;
        p->waits_view = p->setting_now;
        for (int k = 0; k < w->n; k++)
            p->sender[k].view = p->setting_now;
        return;
    }
    for (int k = 0; k < w->n; k++) {
        ns_t late = rng_chance(&w->rng, w->bias && w->bias->slow_learn ? 700 : 100)
                        ? MS(rng_range(&w->rng, 5, 600))
                        : US(rng_range(&w->rng, 50, 4000));
        if (k == i || p->sender[k].up)
            world_push(w, w->now + late, EV_LEARN, i, k, p->setting_now, p->start);
    }
}

/* A process comes round to the signal and reads the file as it is by then: perhaps a newer setting than the one that it
 * was signalled for. */
void wal_learn(struct world *w, int i, int who, uint32_t number)
{
    struct pg *p = &w->m[i].pg;
    if (p->frozen || p->hung) {
        world_push(w, w->now + MS(3), EV_LEARN, i, who, number, p->start);
        return;
    }
    number = p->setting_now;
    if (who == i) {
        if (p->waits_view >= number)
            return;
        p->waits_view = number;
        p->waits_known = setting(p, number)->n > 0 || setting(p, number)->k > 0;
        if (!p->waits_known)
            acknowledge(w, i, UINT64_MAX); /* SyncRepUpdateSyncStandbysDefined wakes everybody */
        return;
    }
    struct sender *x = &p->sender[who];
    if (!x->up || x->view >= number)
        return;
    x->view = number;
    if (x->waiting > x->flush)
        x->flush = x->waiting;
    x->waiting = 0;
    release_waiters(w, i, who);
}

/* ---- clients ------------------------------------------------------------------------------------------------------------ */

void wal_client(struct world *w, int i, int client, uint32_t start)
{
    struct pg *p = &w->m[i].pg;
    if (p->start != start || p->phase != PG_PRIMARY)
        return;
    if (p->frozen || p->hung || p->wait[client]) {
        world_push(w, w->now + MS(20), EV_CLIENT, i, client, start, 0);
        return;
    }
    p->at.lsn += 100 + rng_below(&w->rng, 900);
    w->commits++;
    world_push(w, w->now + US(rng_range(&w->rng, 100, 1500)), EV_FLUSHED, i, client, start, p->at.lsn);
}

void wal_flushed(struct world *w, int i, int client, uint32_t start, lsn_t lsn)
{
    struct pg *p = &w->m[i].pg;
    if (p->start != start || p->phase != PG_PRIMARY)
        return;
    if (p->frozen || p->hung) {
        world_push(w, w->now + MS(3), EV_FLUSHED, i, client, start, lsn);
        return;
    }
    p->wait[client] = lsn;
    if (lsn > p->flushed)
        p->flushed = lsn;
    wal_broadcast(w, i);
    if (!p->waits_known)
        acknowledge(w, i, lsn);
}

/* ---- streaming ---------------------------------------------------------------------------------------------------------- */

static bool can_send(const struct world *w, int i)
{
    const struct pg *p = &w->m[i].pg;
    return w->m[i].host_up && !w->m[i].vm_until && !p->frozen && !p->hung && pg_runs(w, i) &&
           (p->phase == PG_PRIMARY || p->phase == PG_PROMOTING || p->phase == PG_STOPPING);
}

/* Sends what there is to every walsender's standby. */
void wal_broadcast(struct world *w, int i)
{
    struct pg *p = &w->m[i].pg;
    if (!can_send(w, i))
        return;
    for (int k = 0; k < w->n_databases; k++) {
        if (!p->sender[k].up)
            continue;
        ns_t at = net_stream(w, i, k);
        if (at != NEVER)
            world_push(w, at + US(rng_range(&w->rng, 100, 1500)), EV_WAL, k, i, p->sender[k].conn,
                       p->flushed);
    }
}

void wal_disconnect(struct world *w, int standby)
{
    struct pg *s = &w->m[standby].pg;
    if (!s->conn)
        return;
    for (int i = 0; i < w->n_databases; i++)
        if (w->m[i].pg.sender[standby].conn == s->conn)
            w->m[i].pg.sender[standby].up = false;
    s->conn = 0;
    s->retry_at = w->now + MS(100);
}

void wal_disconnect_all(struct world *w, int i)
{
    for (int k = 0; k < w->n_databases; k++) {
        struct sender *x = &w->m[i].pg.sender[k];
        if (x->up && w->m[k].pg.conn == x->conn)
            wal_disconnect(w, k);
        x->up = false;
    }
}

/* Where the server's history leaves the timeline with that number; 0: it has none of that number. */
static lsn_t switch_point(const struct world *w, struct content server, uint32_t timeline)
{
    struct content c = wal_normal(w, server);
    lsn_t end = c.lsn;
    while (c.branch != BRANCH_NONE) {
        const struct branch *b = &w->branch[c.branch];
        if (b->timeline == timeline)
            return end;
        end = b->fork;
        c.branch = b->parent;
    }
    return 0;
}

/* A walreceiver asks for WAL from its end on: PostgreSQL grants it by timeline number and LSN. */
void wal_connect(struct world *w, int standby)
{
    struct pg *s = &w->m[standby].pg;
    int i = s->upstream;
    s->retry_at = w->now + MS(100);
    if (i < 0 || i == standby || !can_send(w, i))
        return;
    if (w->repl[standby][i].cut || w->repl[i][standby].cut)
        return;
    struct pg *p = &w->m[i].pg;
    struct content mine = wal_normal(w, s->at);
    struct content theirs = {p->at.branch, p->flushed};
    if (mine.lsn > switch_point(w, theirs, w->branch[mine.branch].timeline))
        return;
    if (s->system_id != p->system_id)
        return;
    if (!wal_holds(w, theirs, mine))
        violate(w, "I3", "%s streams timeline %u from %s, whose WAL of that number is another history",
                world_name(w, standby), w->branch[mine.branch].timeline, world_name(w, i));
    inv_i8_confirm(w, standby, i, wal_term(w, theirs));
    w->repl[i][standby].last = w->repl[standby][i].last =
        w->now; /* another connection waits for no retransmission */
    s->conn = ++w->conn_next;
    s->last_msg = w->now;
    struct sender *x = &p->sender[standby];
    *x = (struct sender){.up = true,
                         .conn = s->conn,
                         .dir = s->name_dir,
                         .flush = s->at.lsn,
                         .view = p->setting_now,
                         .last_heard = w->now};
    TELL(w, "%s streams from %s at %llx", world_name(w, standby), world_name(w, i),
         (unsigned long long)s->at.lsn);
    hand_changed(w, standby);
    hand_changed(w, i);
    ns_t at = net_stream(w, i, standby);
    if (at != NEVER)
        world_push(w, at + US(500), EV_WAL, standby, i, s->conn, p->flushed);
}

/* WAL reaches the disk of a standby, which confirms it. */
void wal_arrives(struct world *w, int standby, int from, uint32_t conn, lsn_t lsn)
{
    struct pg *s = &w->m[standby].pg, *p = &w->m[from].pg;
    if (s->conn != conn || !w->m[standby].host_up || s->hung)
        return;
    if (s->frozen)
        return;
    s->last_msg = w->now;
    struct content end = wal_normal(w, (struct content){p->at.branch, lsn});
    if (lsn > s->at.lsn) {
        s->at = end;
        if (w->branch[end.branch].timeline > s->history_max)
            s->history_max = w->branch[end.branch].timeline;
        inv_i8_confirm(w, standby, from, wal_term(w, end));
    }
    ns_t at = net_stream(w, standby, from);
    if (at != NEVER)
        world_push(w, at, EV_CONFIRM, from, standby, conn, s->at.lsn);
}

void wal_confirm(struct world *w, int i, int standby, uint32_t conn, lsn_t lsn)
{
    struct pg *p = &w->m[i].pg;
    struct sender *x = &p->sender[standby];
    if (!x->up || x->conn != conn || !pg_runs(w, i))
        return;
    if (p->frozen || p->hung) {
        world_push(w, w->now + MS(3), EV_CONFIRM, i, standby, conn, lsn);
        return;
    }
    x->last_heard = w->now;
    if (x->view != p->setting_now && p->order_written && lsn >= p->order_mark) {
        if (lsn > x->waiting)
            x->waiting = lsn; /* it has not come round to the signal yet, nor to this */
        return;
    }
    if (lsn > x->flush)
        x->flush = lsn;
    release_waiters(w, i, standby);
}

/* A clean stop waits until every connected standby has everything. */
bool wal_drained(const struct world *w, int i)
{
    const struct pg *p = &w->m[i].pg;
    for (int k = 0; k < w->n_databases; k++)
        if (p->sender[k].up && p->sender[k].flush < p->flushed)
            return false;
    return true;
}
