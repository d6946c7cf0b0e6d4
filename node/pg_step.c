#include "node/pg_step.h"

#include <string.h>

/* ---- the table ------------------------------------------------------------------------------------------------------- */

// clang-format off
#define REST    STEP_REST
#define DONE    STEP_REACHED
#define FAIL    STEP_FAIL
#define WAIT    STEP_WAIT
#define KILL    STEP_KILL
#define INITDB  STEP_INITDB
#define ADOPT   STEP_ADOPT
#define START_P STEP_START_PRIMARY
#define START_S STEP_START_STANDBY
#define START_X STEP_START_SEALED
#define PRIMARY STEP_PRIMARY
#define PROMOTE STEP_PROMOTE
#define IS_ONE  STEP_PROMOTED
#define FOLLOW  STEP_FOLLOW
#define SEAL    STEP_SEAL
#define REWIND  STEP_REWIND
#define CLONE   STEP_CLONE
#define STOP    STEP_SHUTDOWN
/* A primary that is stopping when it shall serve: a switchover was undone, and its stop may wait for a standby that died. */
static const enum pg_step TABLE[GOAL_COUNT][STATE_COUNT] = {
    /*                  absent  down     starting starting recovery promot-  primary  stop-  busy  broken
                                         standby  primary           ing               ping               */
    [GOAL_NONE]     = { REST,   REST,    REST,    REST,    REST,    REST,    REST,    REST,  REST, REST  },
    [GOAL_KEEP]     = { REST,   REST,    WAIT,    WAIT,    REST,    WAIT,    REST,    WAIT,  REST, REST  },
    [GOAL_DOWN]     = { DONE,   DONE,    KILL,    KILL,    KILL,    KILL,    KILL,    KILL,  KILL, FAIL  },
    [GOAL_INIT]     = { INITDB, ADOPT,   KILL,    WAIT,    FAIL,    WAIT,    PRIMARY, WAIT,  WAIT, ADOPT },
    [GOAL_PRIMARY]  = { FAIL,   START_P, FAIL,    WAIT,    FAIL,    WAIT,    PRIMARY, KILL,  WAIT, FAIL  },
    [GOAL_PROMOTE]  = { FAIL,   START_X, WAIT,    KILL,    PROMOTE, PROMOTE, IS_ONE,  KILL,  WAIT, FAIL  },
    [GOAL_FOLLOW]   = { FAIL,   START_S, FOLLOW,  KILL,    FOLLOW,  KILL,    KILL,    KILL,  WAIT, FAIL  },
    [GOAL_REWIND]   = { CLONE,  REWIND,  KILL,    KILL,    KILL,    KILL,    KILL,    KILL,  WAIT, CLONE },
    [GOAL_CLONE]    = { CLONE,  CLONE,   KILL,    KILL,    KILL,    KILL,    KILL,    KILL,  WAIT, CLONE },
    [GOAL_SEAL]     = { FAIL,   START_X, SEAL,    KILL,    SEAL,    KILL,    KILL,    KILL,  WAIT, FAIL  },
    [GOAL_SHUTDOWN] = { DONE,   DONE,    KILL,    KILL,    STOP,    STOP,    STOP,    STOP,  WAIT, FAIL  },
};
// clang-format on
#undef REST
#undef DONE
#undef FAIL
#undef WAIT
#undef KILL
#undef INITDB
#undef ADOPT
#undef START_P
#undef START_S
#undef START_X
#undef PRIMARY
#undef PROMOTE
#undef IS_ONE
#undef FOLLOW
#undef SEAL
#undef REWIND
#undef CLONE
#undef STOP

enum pg_step pg_step_for(enum pg_goal_kind goal, enum pg_state state)
{
    return TABLE[goal][state];
}

const char *pg_step_name(enum pg_step s)
{
    switch (s) {
    case STEP_UNSET: return "unset";
    case STEP_REST: return "rest";
    case STEP_REACHED: return "reached";
    case STEP_FAIL: return "fail";
    case STEP_WAIT: return "wait";
    case STEP_KILL: return "kill";
    case STEP_INITDB: return "initdb";
    case STEP_ADOPT: return "adopt";
    case STEP_START_PRIMARY: return "start primary";
    case STEP_START_STANDBY: return "start standby";
    case STEP_START_SEALED: return "start sealed";
    case STEP_PRIMARY: return "primary";
    case STEP_PROMOTE: return "promote";
    case STEP_PROMOTED: return "promoted";
    case STEP_FOLLOW: return "follow";
    case STEP_SEAL: return "seal";
    case STEP_REWIND: return "rewind";
    case STEP_CLONE: return "clone";
    case STEP_SHUTDOWN: return "shutdown";
    case STEP_COUNT: break;
    }
    return "?";
}

/* sync and not_after are read at their point of use from the newest goal; a change of theirs interrupts nothing. */
bool pg_step_same(const struct pg_goal *a, const struct pg_goal *b)
{
    return a->kind == b->kind && a->term == b->term && a->timeline == b->timeline && a->dir == b->dir &&
           a->upstream == b->upstream && a->checkpoint == b->checkpoint && a->n_slots == b->n_slots &&
           memcmp(a->slots, b->slots, a->n_slots * sizeof a->slots[0]) == 0;
}
