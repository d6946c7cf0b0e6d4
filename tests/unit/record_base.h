/* record_base.h: the record that the rows about records begin with, and the short words that they edit it by. */
#ifndef PGMESH_TESTS_UNIT_RECORD_BASE_H
#define PGMESH_TESTS_UNIT_RECORD_BASE_H

#include <string.h>

#include "policy/lineage.h"
#include "tests/unit/policy_properties.h"

/* Members 1 to 4 are databases, 1 is primary in term 3 on timeline 5, {2, 3} with k = 1 is the sync set. */
static inline struct record base(void)
{
    struct record r = {.nonce = {1, 2, 3},
                       .version = 7,
                       .term = 3,
                       .primary = 1,
                       .primary_dir = 101,
                       .timeline = 5,
                       .durability = DURABILITY_SYNC,
                       .sync = {{.k = 1, .n = 2, .m = {{2, 102}, {3, 103}}}},
                       .voters = property_voters(RULE_MAJORITY, "AAB"),
                       .n_databases = 4,
                       .databases = {1, 2, 3, 4},
                       .lease_ms_max = 600,
                       .system_id = 77,
                       .n_history = 3,
                       .history = {{3, 0, 1}, {4, 0x400, 2}, {5, 0x500, 3}}};
    return r;
}

static const struct sync_set empty = {0}, small = {.k = 1, .n = 1, .m = {{2, 102}}},
                             other = {.k = 1, .n = 1, .m = {{4, 104}}};

static inline void joint(struct record *r, struct sync_set to)
{
    r->joint = true;
    r->sync[1] = to;
}
static inline void plain(struct record *r, struct sync_set to)
{
    r->joint = false;
    r->sync[0] = to;
    r->sync[1] = empty;
}
/* As the first record is: no timeline, no history, no system id. */
static inline void unborn(struct record *r)
{
    r->term = 1;
    r->timeline = 0;
    r->n_history = 0;
    r->system_id = 0;
}
static inline void rows(struct record *r, uint8_t n)
{
    r->n_history = n;
    for (unsigned i = 0; i < n; i++)
        r->history[i] = (struct history_row){i + 1, i * 0x100, i + 1};
    r->term = r->timeline = n;
}
/* Makes `t` a takeover of itself by member 2, sealed on the timeline `parent`. */
static inline void takeover(struct record *t, uint32_t parent)
{
    lineage_append(t, parent, (struct history_row){t->timeline + 1, 0x900, t->term + 1});
    t->term++;
    t->primary = 2;
    t->primary_dir = 102;
}

static inline void many_databases(struct record *r)
{
    for (r->n_databases = 0; r->n_databases < DATABASES_MAX; r->n_databases++)
        r->databases[r->n_databases] = (member_id)(r->n_databases + 1);
}

static inline void many_standbys(struct sync_set *s)
{
    for (s->n = 0; s->n < SYNC_MAX; s->n++)
        s->m[s->n] = (struct sync_member){.id = (member_id)(s->n + 1), .dir = 101u + s->n};
}

static inline void drop_oldest(struct record *t)
{
    memmove(t->history, t->history + 1, sizeof t->history[0] * --t->n_history);
}

#endif
