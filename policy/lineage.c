/* lineage.c: a directory against the rows of the record's history. */
#include "policy/lineage.h"

#include <string.h>

enum join lineage_join(const struct record *r, uint32_t timeline, lsn_t lsn)
{
    if (timeline == 0)
        return JOIN_CLONE;
    if (r->n_history == 0)
        return JOIN_FOLLOW; /* the first record: no fork is known yet */
    if (timeline < r->history[0].timeline)
        return JOIN_CLONE;
    for (unsigned i = 0; i < r->n_history; i++) {
        if (r->history[i].timeline != timeline)
            continue;
        if (i + 1u == r->n_history)
            return JOIN_FOLLOW;
        return lsn != 0 && lsn <= r->history[i + 1].switch_lsn ? JOIN_FOLLOW : JOIN_REWIND;
    }
    /* A branch that the record does not continue: it left one of the kept rows, or a branch of one. */
    return JOIN_REWIND;
}

void lineage_append(struct record *r, uint32_t parent, struct history_row row)
{
    unsigned keep = 0;
    while (keep < r->n_history && r->history[keep].timeline <= parent)
        keep++;
    if (keep > 0 && r->history[keep - 1].timeline != parent)
        keep = 0; /* the branch point is not known: nothing before the row is known to be its ancestor */
    if (r->n_history == 0 && parent != 0 && parent < row.timeline)
        r->history[keep++] = (struct history_row){.timeline = parent, .switch_lsn = 0, .term = r->term};
    if (keep == HISTORY_MAX)
        memmove(&r->history[0], &r->history[1], --keep * sizeof r->history[0]);
    r->history[keep++] = row;
    r->n_history = (uint8_t)keep;
    r->timeline = row.timeline;
}
