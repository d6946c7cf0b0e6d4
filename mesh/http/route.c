#include "mesh/http/route.h"

#include "mesh/http/answer.h"
#include "mesh/http/failover.h"
#include "mesh/http/join.h"
#include "mesh/http/metrics.h"
#include "mesh/http/order.h"

#include <string.h>

#define CHECK(path, check) \
    { \
        path, METHOD_LOOK, ACCESS_OPEN, FRESH_NEEDED, check, answer_health, NULL \
    }
#define READ(path, answer) \
    { \
        path, METHOD_LOOK, ACCESS_READ, FRESH_NEEDED, HEALTH_PRIMARY, answer, NULL \
    }
#define FIXED(path, answer) \
    { \
        path, METHOD_LOOK, ACCESS_OPEN, FRESH_ANY, HEALTH_PRIMARY, answer, NULL \
    }
#define ORDER(path, access, order) \
    { \
        path, METHOD_POST, access, FRESH_NEEDED, HEALTH_PRIMARY, NULL, order \
    }

// clang-format off
static const struct route routes[] = {
    {"/", METHOD_LOOK, ACCESS_OPEN, FRESH_TRIED, HEALTH_PRIMARY, answer_root, NULL},
    CHECK("/primary", HEALTH_PRIMARY),
    CHECK("/master", HEALTH_PRIMARY),
    CHECK("/leader", HEALTH_PRIMARY),
    CHECK("/read-write", HEALTH_PRIMARY),
    CHECK("/replica", HEALTH_REPLICA),
    CHECK("/read-only", HEALTH_READ_ONLY),
    CHECK("/standby-leader", HEALTH_STANDBY_LEADER),
    CHECK("/sync", HEALTH_SYNC),
    CHECK("/synchronous", HEALTH_SYNC),
    CHECK("/async", HEALTH_ASYNC),
    CHECK("/asynchronous", HEALTH_ASYNC),
    CHECK("/health", HEALTH_RUNNING),
    CHECK("/liveness", HEALTH_LIVENESS),
    CHECK("/readiness", HEALTH_READINESS),
    READ("/patroni", answer_patroni),
    READ("/cluster", answer_cluster),
    READ("/history", failover_patroni_history),
    READ("/status", failover_member),
    READ("/events", failover_events),
    READ("/failover/status", failover_status),
    READ("/failover/metrics", failover_metrics),
    READ("/failover/health", failover_health),
    READ("/failover/history", failover_history),
    {"/metrics", METHOD_LOOK, ACCESS_READ, FRESH_TRIED, HEALTH_PRIMARY, metrics_answer, NULL},
    FIXED("/openapi.json", answer_openapi),
    {"/failover/check-health", METHOD_POST, ACCESS_VIEW, FRESH_NEEDED, HEALTH_PRIMARY, failover_health, NULL},
    ORDER("/failover/trigger", ACCESS_ADMIN, order_trigger),
    ORDER("/failover", ACCESS_ADMIN, order_failover),
    ORDER("/switchover", ACCESS_OPERATE, order_switchover),
    ORDER("/pause", ACCESS_OPERATE, order_pause),
    ORDER("/resume", ACCESS_OPERATE, order_resume),
    {"/join", METHOD_POST, ACCESS_OPEN, FRESH_ANY, HEALTH_PRIMARY, NULL, join_ask},
};
// clang-format on

const struct route *route_find(const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].path, path) == 0)
            return &routes[i];
    return NULL;
}

unsigned route_method(const char *name)
{
    static const struct {
        const char *name;
        enum method method;
    } methods[] = {
        {"GET", METHOD_GET}, {"HEAD", METHOD_HEAD}, {"OPTIONS", METHOD_OPTIONS}, {"POST", METHOD_POST}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    return 0;
}
