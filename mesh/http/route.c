#include "mesh/http/route.h"

#include "mesh/http/answer.h"

#include <string.h>

#define CHECK(path, check) \
    { \
        path, METHOD_LOOK, ACCESS_OPEN, true, check, answer_health, NULL \
    }
#define READ(path, answer) \
    { \
        path, METHOD_LOOK, ACCESS_READ, true, HEALTH_PRIMARY, answer, NULL \
    }

// clang-format off
static const struct route routes[] = {
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
};
// clang-format on

const struct route *route_all(size_t *n)
{
    *n = sizeof routes / sizeof routes[0];
    return routes;
}

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
