/* layout.c: who is there, where, with which clocks, links, settings and first record; drawn by seed, or given. */
#include <stdlib.h>
#include <string.h>

#include "policy/quorum.h"

#include "tests/sim/sim.h"

static void member_make(struct world *w, struct core_setup *s, int at, enum role role, const char *name,
                        int number, int site)
{
    struct member *m = &s->members[at];
    uint8_t seed[32] = {0};
    struct secret_key secret;
    memset(m, 0, sizeof *m);
    m->id = (member_id)(at + 1);
    m->role = role;
    snprintf(m->name, sizeof m->name, "%s%d", name, number);
    snprintf(m->site, sizeof m->site, "%c", 'a' + site);
    memcpy(seed, &w->seed, sizeof w->seed);
    seed[31] = (uint8_t)(at + 1);
    sign_keypair(m->key, &secret, seed);
    if (role_is_person(role)) {
        w->person_secret[number - 1] = secret;
    } else {
        w->m[at].setup.secret = secret;
    }
}

static void first_record(struct world *w, const struct layout *l, const struct core_setup *s,
                         const dir_id *dirs, bool adopted)
{
    struct record *r = &w->first;
    memset(r, 0, sizeof *r);
    uint64_t nonce = rng_u64(&w->rng);
    memcpy(r->nonce, &nonce, sizeof nonce);
    r->version = 1;
    r->term = 1;
    r->primary = 1;
    r->primary_dir = dirs[0];
    r->durability = l->durability;
    r->lease_ms_max = 600;
    for (int i = 0; i < w->n; i++) {
        if (s->members[i].role == ROLE_OBSERVER || l->voteless >> i & 1)
            continue;
        struct voter *v = &r->voters.v[r->voters.n++];
        v->id = s->members[i].id;
        memcpy(v->site, s->members[i].site, sizeof v->site);
        memcpy(v->key, s->members[i].key, KEY_SIZE);
    }
    r->voters.rule = l->rule;
    for (int i = 0; i < l->databases - l->newcomers; i++)
        r->databases[r->n_databases++] = s->members[i].id;
    if (!adopted)
        return;
    r->system_id = w->system_id;
    r->timeline = 1;
    r->n_history = 1;
    r->history[0] = (struct history_row){1, 0, 1};
    if (l->durability == DURABILITY_ASYNC)
        return;
    for (int i = 1; i < l->databases - l->newcomers; i++)
        sync_set_add(&r->sync[0], s->members[i].id, dirs[i]);
    r->sync[0].k = l->k < r->sync[0].n ? l->k : r->sync[0].n;
}

static void settings(struct world *w, struct core_settings *s, const struct layout *l)
{
    core_settings_default(s);
    s->boot_grace_ms = l->quiet ? 1500 : 1000 + rng_below(&w->rng, 1000);
    if (w->bias && w->bias->short_grace)
        s->boot_grace_ms = 100;
    s->promote_timeout_ms = 3000;
    s->start_timeout_ms = 3000;
    s->answer_timeout_ms = 1000;
    s->unfenced_max_ms = 2000;
    s->sync_standbys = l->k;
    if (!l->quiet)
        s->on_crash = (enum on_crash)rng_below(&w->rng, 3);
}

/* What `pgmesh init` leaves in a member's folder, and for an adopted cluster the copies that the standbys hold. */
static void store_make(struct world *w, int i, dir_id dir)
{
    static struct durable d;
    memset(&d, 0, sizeof d);
    d.lease_ms_max = w->first.lease_ms_max;
    d.decided.proposal.record = w->first;
    d.dir = dir;
    if (i == 0 && w->first.timeline)
        d.served_term = 1;
    w->m[i].disk.len = wire_put_durable(w->m[i].disk.bytes, &d);
}

static void links(struct world *w, const struct layout *l)
{
    uint32_t far_us = l->quiet ? 500 : 200 + rng_below(&w->rng, rng_chance(&w->rng, 200) ? 12000 : 2500);
    uint32_t rto = l->quiet || rng_chance(&w->rng, 700) ? 20 : 200;
    uint16_t reorder = !l->quiet && rng_chance(&w->rng, 200) ? 300 : 0;
    for (int a = 0; a < w->n; a++)
        for (int b = 0; b < w->n; b++) {
            bool near = w->m[a].site == w->m[b].site;
            struct link x = {.delay_us = near ? 100 : far_us,
                             .jitter_us = near ? 150 : far_us / 3,
                             .rto_ms = rto,
                             .reorder = reorder};
            w->mesh[a][b] = x;
            x.reorder = 0;
            if (w->bias && w->bias->slow_wal && a == 0 && b > 1)
                x.delay_us += 30000;
            w->repl[a][b] = x;
        }
}

static int32_t rate(struct world *w, bool extreme)
{
    if (w->drift_ppm)
        return rng_chance(&w->rng, 500) ? w->drift_ppm : -w->drift_ppm;
    if (extreme)
        return rng_chance(&w->rng, 500) ? 10000 : -10000;
    return rng_chance(&w->rng, 700) ? (int32_t)rng_range(&w->rng, -200, 200)
                                    : (int32_t)rng_range(&w->rng, -10000, 10000);
}

static void member_reset(struct world *w, int i)
{
    struct sim_member *m = &w->m[i];
    struct core *core = m->core;
    struct core_setup setup = m->setup;
    memset(&m->guard, 0, sizeof m->guard);
    m->disk.len = 0;
    m->disk.copies = 0;
    m->disk.generation = 0;
    size_t from = offsetof(struct sim_member, pg);
    memset((char *)m + from, 0, sizeof *m - from);
    m->core = core ? core : calloc(1, core_size());
    if (!m->core)
        abort();
    m->setup = setup;
    m->program = PROGRAM_PRESENT;
    m->up = m->host_up = m->fatal = false;
    m->life = 0;
    m->wake_at = NEVER;
    m->busy_until = m->paused_until = m->vm_until = m->exempt_until = 0;
    m->crash_after = -1;
}

void layout_make(struct world *w, const struct layout *l)
{
    static struct core_setup roster;
    memset(&roster, 0, sizeof roster);
    rotate_reset(w);
    w->n_databases = l->databases;
    w->n_witnesses = l->witnesses;
    w->n_observers = l->observers;
    w->n_sites = l->sites;
    w->n = l->databases + l->witnesses + l->observers;
    for (int i = 0; i < w->n; i++) {
        bool db = i < l->databases, witness = !db && i < l->databases + l->witnesses;
        enum role role = db ? ROLE_DATABASE : witness ? ROLE_WITNESS : ROLE_OBSERVER;
        int number = db ? i + 1 : witness ? i - l->databases + 1 : i - l->databases - l->witnesses + 1;
        member_make(w, &roster, i, role, db ? "db" : witness ? "w" : "app", number, l->site_of[i]);
    }
    for (int i = 0; i < SIM_PERSONS; i++)
        member_make(w, &roster, w->n + i, i < 2 ? ROLE_ADMIN : ROLE_OPERATOR, "op", i + 1, 0);
    roster.n_members = (uint8_t)(w->n + SIM_PERSONS);
    dir_id dirs[SIM_MEMBERS];
    for (int i = 0; i < w->n; i++)
        dirs[i] = rng_u64(&w->rng) | 1;
    w->system_id = rng_u64(&w->rng) | 1;
    bool adopted = l->quiet || rng_chance(&w->rng, 850);
    first_record(w, l, &roster, dirs, adopted);
    if (w->bias && w->bias->long_lease_max)
        w->first.lease_ms_max = 1200;
    else if (!l->quiet && rng_chance(&w->rng, 300))
        w->first.lease_ms_max = 600 + rng_below(&w->rng, 1400);
    record_cluster_id(&w->cluster, &w->first);
    settings(w, &roster.settings, l);
    roster.cluster = w->cluster;
    roster.first = w->first;
    wal_branch(w, 1, (struct content){BRANCH_NONE, 0}, 1, 1);
    for (int i = 0; i < w->n; i++) {
        struct sim_member *m = &w->m[i];
        member_reset(w, i);
        struct secret_key secret = m->setup.secret;
        m->setup = roster;
        m->setup.secret = secret;
        m->setup.self = m->id = roster.members[i].id;
        m->role = roster.members[i].role;
        m->site = l->site_of[i];
        m->voter = m->role != ROLE_OBSERVER;
        m->setup.settings.priority =
            (uint16_t)(l->quiet ? 100 : 100 - (rng_chance(&w->rng, 200) ? rng_below(&w->rng, 50) : 0));
        bool has_data = i < l->databases - l->newcomers && (i == 0 || adopted);
        store_make(w, i, has_data ? dirs[i] : 0);
        m->disk.write_ns = l->quiet ? US(800) : US(300 + rng_below(&w->rng, 2500));
        pg_reset(w, i);
        if (m->role == ROLE_DATABASE) {
            m->pg.phase = has_data ? PG_DOWN : PG_ABSENT;
            m->pg.exists = has_data;
            m->pg.at = (struct content){BRANCH_ROOT, 0x1000000};
            m->pg.replay = m->pg.flushed = m->pg.at.lsn;
            m->pg.system_id = w->system_id;
            m->pg.clean = true;
        }
        bool extreme =
            !l->quiet && ((w->drift_ppm || (w->bias && w->bias->extreme_clocks) || rng_chance(&w->rng, 100)));
        int32_t boot = l->quiet ? 0 : rate(w, extreme);
        clocks_draw(w, i, boot, extreme || l->quiet ? boot : rate(w, false));
    }
    links(w, l);
}

/* Every 64th seed is for changes of who votes: any number of voters from one to all, over one to three sites. */
static void votes_layout(struct world *w, struct layout *l)
{
    int n = l->databases + l->witnesses;
    l->sites = 1 + (int)rng_below(&w->rng, 3);
    for (int i = 0; i < n + l->observers; i++)
        l->site_of[i] = (int)rng_below(&w->rng, (uint32_t)l->sites);
    int voters = 1 + (int)rng_below(&w->rng, (uint32_t)n);
    l->newcomers = 0;
    l->voteless = 0;
    for (int i = voters; i < n; i++)
        l->voteless |= 1u << i;
    l->k = 1;
    l->rule = rng_chance(&w->rng, 350) ? RULE_SITES : RULE_MAJORITY;
}

/* 2-4 databases, 1-3 witnesses, sometimes an observer, over two or three sites. */
void layout_draw(struct world *w)
{
    struct layout l = {0};
    const struct bias *b = w->bias;
    l.databases =
        b && b->databases ? b->databases : 2 + (int)rng_below(&w->rng, rng_chance(&w->rng, 200) ? 3 : 2);
    l.witnesses =
        b && b->witnesses ? b->witnesses : 1 + (int)rng_below(&w->rng, rng_chance(&w->rng, 150) ? 3 : 2);
    if (!b || !b->witnesses)
        if ((l.databases + l.witnesses) % 2 == 0 && rng_chance(&w->rng, 800))
            l.witnesses ^= 3, l.witnesses = l.witnesses ? l.witnesses : 1;
    l.observers = rng_chance(&w->rng, 100);
    l.sites = 2 + (int)rng_below(&w->rng, 2);
    for (int i = 0; i < l.databases + l.witnesses + l.observers; i++)
        l.site_of[i] = i < l.databases ? i % 2 : l.sites - 1;
    l.durability = rng_chance(&w->rng, 600)   ? DURABILITY_SYNC
                   : rng_chance(&w->rng, 500) ? DURABILITY_ASYNC
                                              : DURABILITY_STRICT;
    if (b && b->durability)
        l.durability = (enum durability)(b->durability - 1);
    if (!b && rng_chance(&w->rng, 250)) { /* somebody who is to be taken in, or may be */
        l.newcomers = l.databases > 2 && rng_chance(&w->rng, 500);
        l.voteless = l.newcomers ? 1u << (l.databases - 1) : 0;
        if (l.databases + l.witnesses > 3 && rng_chance(&w->rng, 600))
            l.voteless |= 1u << (l.databases + l.witnesses - 1);
    }
    l.k = b && b->k ? b->k : l.databases - l.newcomers > 2 && rng_chance(&w->rng, 250) ? 2 : 1;
    l.rule = l.sites == 3 && rng_chance(&w->rng, 200) ? RULE_SITES : RULE_MAJORITY;
    w->votes_change = !b && w->seed % 64 == 63;
    if (w->votes_change)
        votes_layout(w, &l);
    if (b && b->quiet) {
        l.quiet = true;
        l.sites = 1;
        l.observers = 0;
        memset(l.site_of, 0, sizeof l.site_of);
    }
    layout_make(w, &l);
    program_draw(w);
}
