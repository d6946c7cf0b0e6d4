#include "mesh/pg.h"

const char *pg_phase_name(enum pg_phase p)
{
    switch (p) {
    case PG_NONE: return "none";
    case PG_ABSENT: return "absent";
    case PG_DOWN: return "down";
    case PG_STARTING: return "starting";
    case PG_RECOVERY: return "recovery";
    case PG_PROMOTING: return "promoting";
    case PG_PRIMARY: return "primary";
    case PG_STOPPING: return "stopping";
    case PG_BUSY: return "busy";
    case PG_BROKEN: return "broken";
    }
    return "?";
}

const char *pg_goal_name(enum pg_goal_kind k)
{
    switch (k) {
    case GOAL_NONE: return "none";
    case GOAL_KEEP: return "keep";
    case GOAL_DOWN: return "down";
    case GOAL_INIT: return "init";
    case GOAL_PRIMARY: return "primary";
    case GOAL_PROMOTE: return "promote";
    case GOAL_FOLLOW: return "follow";
    case GOAL_REWIND: return "rewind";
    case GOAL_CLONE: return "clone";
    case GOAL_SEAL: return "seal";
    case GOAL_SHUTDOWN: return "shutdown";
    }
    return "?";
}
