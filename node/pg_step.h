/* pg_step.h: from goal and state to the next step.
 *
 * ONE table answers every goal in every state; tests/unit/test_pg_act.c asks them all.  A step is one thing to do; after
 * it the table is asked again, until the step is "reached", "wait", "rest" or "fail".  Pure. */
#ifndef PGMESH_NODE_PG_STEP_H
#define PGMESH_NODE_PG_STEP_H

#include "mesh/pg.h"

/* enum pg_phase, with what the hand alone knows: a server that starts may come up as a primary. */
enum pg_state {
    STATE_ABSENT,
    STATE_DOWN,
    STATE_STARTING_STANDBY,
    STATE_STARTING_PRIMARY,
    STATE_RECOVERY,
    STATE_PROMOTING,
    STATE_PRIMARY,
    STATE_STOPPING,
    STATE_BUSY,
    STATE_BROKEN,
    STATE_COUNT
};
enum { GOAL_COUNT = GOAL_SHUTDOWN + 1 };

enum pg_step {
    STEP_UNSET, /* no answer: a hole in the table */
    STEP_REST,  /* leave it alone */
    STEP_REACHED,
    STEP_FAIL, /* cannot be reached from here */
    STEP_WAIT, /* the server is coming up or going down by itself */
    STEP_KILL, /* fence it */
    STEP_INITDB,
    STEP_ADOPT,         /* a directory is there: ours to start? */
    STEP_START_PRIMARY, /* without standby.signal, under a held lease */
    STEP_START_STANDBY, /* with standby.signal, following */
    STEP_START_SEALED,  /* with standby.signal, receiving nothing */
    STEP_PRIMARY,       /* it is one: of the right timeline? roles, names, slots */
    STEP_PROMOTE,
    STEP_PROMOTED, /* it is a primary: through our promotion? */
    STEP_FOLLOW,
    STEP_SEAL,
    STEP_REWIND,
    STEP_CLONE,
    STEP_SHUTDOWN,
    STEP_COUNT
};
enum pg_step pg_step_for(enum pg_goal_kind goal, enum pg_state state);
const char *pg_step_name(enum pg_step s);

/* Do two goals ask for the same (whatever their seq)? */
bool pg_step_same(const struct pg_goal *a, const struct pg_goal *b);

#endif
