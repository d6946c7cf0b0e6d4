#include "mesh/http/watch.h"

#include "mesh/http/health.h"

#include <stdio.h>
#include <string.h>

const struct watch_database *watch_find(const struct watch *w, const char *name)
{
    for (int i = 0; i < w->n; i++)
        if (strcmp(w->of[i].name, name) == 0)
            return &w->of[i];
    return NULL;
}

static struct watch_database *entry(struct watch *w, const char *name)
{
    struct watch_database *d = (struct watch_database *)watch_find(w, name);
    if (d != NULL || w->n == DATABASES_MAX)
        return d;
    d = &w->of[w->n++];
    *d = (struct watch_database){.healthy = true};
    snprintf(d->name, sizeof d->name, "%s", name);
    return d;
}

static void look_at(struct watch *w, struct watch_database *d, bool healthy, int64_t wall_us)
{
    w->recoveries += healthy && d->failures > 0;
    d->healthy = healthy;
    d->failures = healthy ? 0 : d->failures + 1;
    d->failures_total += !healthy;
    if (healthy)
        d->seen_us = wall_us;
    if (healthy)
        d->down_since_us = 0;
    else if (d->down_since_us == 0)
        d->down_since_us = wall_us;
}

void watch_look(struct watch *w, const struct view *v, int64_t wall_us)
{
    w->checks++;
    if (v == NULL) {
        w->unanswered++;
        return;
    }
    for (int i = 0; i < v->n; i++) {
        const struct view_member *m = &v->members[i];
        struct watch_database *d = strcmp(m->role, "database") == 0 ? entry(w, m->name) : NULL;
        if (d != NULL)
            look_at(w, d, health_database(v, m), wall_us);
    }
}
