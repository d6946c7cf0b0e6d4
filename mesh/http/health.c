#include "mesh/http/health.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PRIMARY_HEARD_MS =
        5000, /* a lag is measured against the primary's last heartbeat: an older one says nothing */
    COMPLETE_MS = 60000 /* for so long a failover is told of as just completed */
};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static const struct view_member *self_of(const struct view *v)
{
    return view_find(v, v->self);
}

bool health_is_primary(const struct view *v, long long lease_left_ms)
{
    const struct view_member *m = self_of(v);
    return m != NULL && m->is_primary && m->ready && lease_left_ms > 0 && is(m->postgres, "primary");
}

static bool within_limits(const struct view *v, const struct view_member *m, const struct health_limits *l)
{
    const struct view_member *primary = view_find(v, v->primary);
    if (l->lag_bytes < 0 && l->lag_ms < 0)
        return true;
    if (primary == NULL || primary->heard_ms < 0 || primary->heard_ms > PRIMARY_HEARD_MS)
        return false;
    if (l->lag_bytes >= 0 && (m->lag_bytes < 0 || m->lag_bytes > l->lag_bytes))
        return false;
    return l->lag_ms < 0 || (m->lag_ms >= 0 && m->lag_ms <= l->lag_ms);
}

static bool is_replica(const struct view *v, const struct health_limits *l)
{
    const struct view_member *m = self_of(v);
    return m != NULL && !m->is_primary && is(m->postgres, "recovery") && within_limits(v, m, l);
}

static bool runs(const struct view *v)
{
    const struct view_member *m = self_of(v);
    return m != NULL && (!is(m->role, "database") || is(m->postgres, "primary") ||
                         is(m->postgres, "recovery") || is(m->postgres, "promoting"));
}

static bool is_ready(const struct view *v, long long lease_left_ms, const struct health_limits *l)
{
    const struct view_member *m = self_of(v);
    if (m != NULL && !is(m->role, "database"))
        return v->serving;
    return health_is_primary(v, lease_left_ms) || (is_replica(v, l) && m->streaming);
}

bool health_good(enum health_check check, const struct view *v, long long lease_left_ms,
                 const struct health_limits *l)
{
    switch (check) {
    case HEALTH_PRIMARY: return health_is_primary(v, lease_left_ms);
    case HEALTH_REPLICA: return is_replica(v, l);
    case HEALTH_READ_ONLY: return is_replica(v, l) || health_is_primary(v, lease_left_ms);
    case HEALTH_STANDBY_LEADER: return false;
    case HEALTH_SYNC: return is_replica(v, l) && self_of(v)->in_sync;
    case HEALTH_ASYNC: return is_replica(v, l) && !self_of(v)->in_sync;
    case HEALTH_RUNNING: return runs(v);
    case HEALTH_LIVENESS: return true;
    case HEALTH_READINESS: return is_ready(v, lease_left_ms, l);
    }
    return false;
}

/* ---- limits --------------------------------------------------------------------------------------------------------- */

struct unit {
    const char *name;
    long long factor;
};

static long long quantity(const char *text, const struct unit *units, size_t n)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 24)
        return -1;
    unsigned long long value = strtoull(text, &end, 10);
    if (value > 1ull << 50)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(end, units[i].name) == 0)
            return value > (1ull << 62) / (unsigned long long)units[i].factor
                       ? -1
                       : (long long)value * units[i].factor;
    return -1;
}

long long health_bytes(const char *text)
{
    static const struct unit units[] = {{"", 1},         {"b", 1},           {"kb", 1024},
                                        {"mb", 1048576}, {"gb", 1073741824}, {"tb", 1099511627776}};
    return quantity(text, units, sizeof units / sizeof units[0]);
}

long long health_ms(const char *text)
{
    static const struct unit units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"min", 60000}};
    return quantity(text, units, sizeof units / sizeof units[0]);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

const char *health_state_name(enum health_state s)
{
    switch (s) {
    case STATE_UNKNOWN: return "unknown";
    case STATE_HEALTHY: return "healthy";
    case STATE_DEGRADED: return "degraded";
    case STATE_FAILOVER_IN_PROGRESS: return "failover_in_progress";
    case STATE_FAILOVER_COMPLETE: return "failover_complete";
    case STATE_RECOVERY_IN_PROGRESS: return "recovery_in_progress";
    case STATE_COUNT: break;
    }
    return "unknown";
}

bool health_database(const struct view *v, const struct view_member *m)
{
    bool heard = m->is_self || is(m->state, "up") || is(m->state, "late");
    return heard && (m->is_primary ? v->serving : is(m->postgres, "recovery") && m->streaming);
}

/* On its way back: heard, and not yet what it should be, but neither given up nor simply off. */
static bool recovers(const struct view *v, const struct view_member *m)
{
    static const char *const under_way[] = {"starting", "busy", "recovery", "stopping", "promoting"};
    if (!is(m->role, "database") || health_database(v, m) || !(m->is_self || is(m->state, "up")))
        return false;
    for (size_t i = 0; i < sizeof under_way / sizeof under_way[0]; i++)
        if (is(m->postgres, under_way[i]))
            return true;
    return false;
}

enum health_state health_state(const struct view *v, long long since_takeover_ms)
{
    const struct view_member *primary = view_find(v, v->primary);
    bool lost = is(v->verdict, "gone") || is(v->verdict, "released") || is(v->verdict, "unfenced");
    bool coming = primary != NULL && (primary->is_self || is(primary->state, "up")) &&
                  (is(primary->postgres, "promoting") || is(primary->postgres, "starting") ||
                   is(primary->postgres, "recovery") || is(primary->postgres, "primary"));
    if (!v->serving)
        return lost || (coming && v->term > 1) ? STATE_FAILOVER_IN_PROGRESS : STATE_UNKNOWN;
    for (int i = 0; i < v->n; i++)
        if (recovers(v, &v->members[i]))
            return STATE_RECOVERY_IN_PROGRESS;
    if (since_takeover_ms >= 0 && since_takeover_ms < COMPLETE_MS)
        return STATE_FAILOVER_COMPLETE;
    return v->healthy ? STATE_HEALTHY : STATE_DEGRADED;
}
