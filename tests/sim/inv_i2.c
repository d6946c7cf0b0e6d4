#include "tests/sim/sim.h"

/* I2  under sync and strict, an acknowledged commit is in the WAL of every later `ready` primary, even with unbounded
 * clock error and pauses.
 *
 * Per history the highest acknowledged LSN suffices: who has it has all before it.  A commit that an old primary
 * acknowledges after a new one is ready is as lost as one that the new one never had. */

static bool counts(const struct world *w)
{
    return world_record(w)->durability != DURABILITY_ASYNC;
}

/* The durability that its primary served under at last: one left behind by a change of durability promises no more. */
static bool counts_in(const struct world *w, uint64_t term)
{
    const struct record *r = w->first.term == term ? &w->first : NULL;
    for (int k = 0; k < w->n_decided; k++)
        if (w->decided[k].done && w->decided[k].record.term == term &&
            (!r || w->decided[k].record.version > r->version))
            r = &w->decided[k].record;
    return r && r->durability != DURABILITY_ASYNC;
}

void inv_i2_acked(struct world *w, int i, lsn_t lsn)
{
    const struct pg *p = &w->m[i].pg;
    struct content point = wal_normal(w, (struct content){p->at.branch, lsn});
    struct branch *b = &w->branch[point.branch];
    if (!counts(w) || !counts_in(w, wal_term(w, point)))
        return;
    if (lsn > b->acked) {
        b->acked = lsn;
        b->acked_at = w->now;
    }
    if (w->ready_now < 0 || w->ready_now == i || w->lossy_command)
        return;
    const struct pg *r = &w->m[w->ready_now].pg;
    if (r->phase != PG_PRIMARY || wal_holds(w, r->at, point))
        return;
    if (wal_term(w, point) < wal_term(w, r->at))
        violate(w, "I2",
                "%s acknowledges a commit at %llx of term %llu, which %s, ready in term %llu, does not have",
                world_name(w, i), (unsigned long long)lsn, (unsigned long long)wal_term(w, point),
                world_name(w, w->ready_now), (unsigned long long)wal_term(w, r->at));
}

/* An operator accepted a loss: what the new primary does not have is forgiven. */
void inv_i2_forgive(struct world *w, int i)
{
    const struct pg *p = &w->m[i].pg;
    for (int b = 0; b < w->n_branches; b++) {
        struct content point = {(uint16_t)b, w->branch[b].acked};
        if (point.lsn && !wal_holds(w, p->at, point))
            w->branch[b].acked = 0;
    }
}

void inv_i2_ready(struct world *w, int i)
{
    const struct pg *p = &w->m[i].pg;
    if (p->phase != PG_PRIMARY)
        return;
    if (w->lossy_command)
        inv_i2_forgive(w, i);
    for (int b = 0; b < w->n_branches && counts(w); b++) {
        struct content point = {(uint16_t)b, w->branch[b].acked};
        if (point.lsn && !wal_holds(w, p->at, point) && w->branch[b].term <= wal_term(w, p->at))
            violate(
                w, "I2",
                "%s is ready in term %llu without the commit at %llx of term %llu that a client was told about",
                world_name(w, i), (unsigned long long)wal_term(w, p->at), (unsigned long long)point.lsn,
                (unsigned long long)w->branch[b].term);
    }
    if (w->ready_now < 0 || wal_term(w, p->at) >= wal_term(w, w->m[w->ready_now].pg.at))
        w->ready_now = i;
}
