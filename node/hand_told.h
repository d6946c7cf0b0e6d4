/* hand_told.h: which failures of a goal are told.  Pure.
 *
 * A start that is refused is tried again every few seconds, for as long as nobody mends its cause.  People are told once, again
 * when the goal or the reason is another one, and every TOLD_AGAIN_S all the same; the rest is counted. */
#ifndef PGMESH_NODE_HAND_TOLD_H
#define PGMESH_NODE_HAND_TOLD_H

#include "mesh/pg.h"

enum { TOLD_AGAIN_S = 600 };

struct hand_told { /* all zero: nothing was told */
    bool told;
    enum pg_goal_kind kind;
    char text[TEXT_SIZE];
    instant at;
    uint32_t silent; /* the same since then */
};

/* A goal has failed: is it to be told?  If so *times is how often the same happened since it was told last. */
bool hand_told_failed(struct hand_told *t, enum pg_goal_kind kind, const char *text, instant now,
                      uint32_t *times);
/* It was reached: the next failure is news. */
void hand_told_reached(struct hand_told *t);

#endif
