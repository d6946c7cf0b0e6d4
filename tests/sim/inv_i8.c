#include "tests/sim/sim.h"

/* A SEALED leaves: remember the highest ballot it was for. */
void inv_i8_sealed(struct world *w, int i, const struct frame *f)
{
    static struct sealed_statement s;
    if (f->kind != FRAME_SEALED || !wire_get_sealed(&s, f->body, f->body_len))
        return;
    if (ballot_cmp(s.ballot, w->m[i].sealed_for) > 0)
        w->m[i].sealed_for = s.ballot;
}

/* I8  a database never confirms WAL of a term below the ballot it sealed for, across restarts.
 *
 * Asserted when WAL from `from` has reached its disk and is about to be confirmed: some record at or above that ballot
 * is decided and names `from`, for the term of that WAL or a later one (then it is the tail that its promotion keeps). */
void inv_i8_confirm(struct world *w, int standby, int from, uint64_t term)
{
    const struct sim_member *m = &w->m[standby];
    if (ballot_is_zero(m->sealed_for) || m->amnesiac || m->dir_lost)
        return;
    for (int k = w->n_decided - 1; k >= 0; k--) {
        const struct decided *d = &w->decided[k];
        if (d->done && d->record.primary == w->m[from].id && d->record.term >= term &&
            ballot_cmp(d->ballot, m->sealed_for) >= 0)
            return;
    }
    violate(w, "I8", "%s confirms WAL of term %llu from %s, below the ballot that it sealed for",
            world_name(w, standby), (unsigned long long)term, world_name(w, from));
}
