#include "node/observer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "mesh/io/clock.h"
#include "mesh/io/log.h"
#include "mesh/wire.h"
#include "node/pg_observer.h"
#include "node/route_file.h"
#include "node/route_pgbouncer.h"

enum { PRIMARY_EVERY_MS = 100, OTHERS_EVERY_MS = 10000, ASK_MS = 500, WRITE_MS = 3000 };

struct observer {
    struct observer_setup setup;
    struct route_pgbouncer *pooler; /* NULL: none is configured */
    pthread_t thread;
    bool running;
    int wake;
    _Atomic bool closing;
    pthread_mutex_t lock;
    struct routing route; /* all four: under lock */
    uint64_t answered_term;
    instant answered;
    enum pooler_state pooler_state;
    /* the thread's own */
    void *conn[MEMBERS_MAX];
    uint64_t written;   /* the term that the files say */
    bool complained;    /* that they cannot be written */
    uint64_t confirmed; /* the term in which a write went through */
    uint64_t tried;     /* the term in which writes are tried, since `trying` */
    instant trying;
};

/* Tried again with every turn until it stands. */
static void write_files(struct observer *o, const struct routing *r)
{
    const struct observer_setup *s = &o->setup;
    struct problem why = {0};
    if (r->primary == MEMBER_NONE || r->term <= o->written)
        return;
    if (!route_file_write(s->config, s->members, s->n_members, r, &why)) {
        if (!o->complained)
            log_problem(LOG_LEVEL_WARNING, "route_not_written", &why);
        o->complained = true;
        return;
    }
    o->complained = false;
    o->written = r->term;
    for (int i = 0; i < s->n_members; i++)
        if (s->members[i].id == r->primary)
            log_event(LOG_LEVEL_INFO, "route", "applications go to %s, %s:%u, in term %llu",
                      s->members[i].name, s->members[i].pg.host, s->members[i].pg.port,
                      (unsigned long long)r->term);
}

/* From any thread. */
static void post(struct observer *o)
{
    struct pg_sample s = {.phase = PG_NONE, .upstream_age_ms = EVIDENCE_NEVER, .sql_age_ms = EVIDENCE_NEVER};
    pthread_mutex_lock(&o->lock);
    if (o->answered_term) {
        int64_t age = span_to_ms(instant_elapsed_most(clock_now(), o->answered));
        s.sql_term = o->answered_term;
        s.sql_age_ms = age < 3600000 ? (uint32_t)age : EVIDENCE_NEVER;
    }
    s.pooler = o->pooler_state;
    o->setup.post(o->setup.post_arg, &s);
    pthread_mutex_unlock(&o->lock);
}

static void on_pooler(void *arg, enum pooler_state state)
{
    struct observer *o = arg;
    pthread_mutex_lock(&o->lock);
    o->pooler_state = state;
    pthread_mutex_unlock(&o->lock);
    post(o);
}

/* The first write of a term: only now does this host's applications' outage end.  What the primary of the former term
 * answered last began it. */
static void confirm(struct observer *o, const struct hand_member *m, uint64_t term)
{
    int64_t ms = o->answered_term && o->answered_term < term
                     ? span_to_ms(instant_elapsed_least(clock_now(), o->answered))
                     : -1;
    o->confirmed = term;
    if (ms < 0)
        log_event(LOG_LEVEL_INFO, "write_confirmed", "%s writes in term %llu", m->name,
                  (unsigned long long)term);
    else
        log_event(LOG_LEVEL_INFO, "write_confirmed",
                  "%s writes in term %llu, %lld ms after the last answer before", m->name,
                  (unsigned long long)term, (long long)ms);
    o->setup.confirmed(o->setup.post_arg, term, ms < 0 ? EVIDENCE_NEVER : (uint32_t)ms);
}

/* A term counts as answered once a write went through.  If none does, an answer alone is evidence too, after a while:
 * the mesh must know that this server is reached. */
static bool counts(struct observer *o, const struct hand_member *m, enum pg_observer_answer a, uint64_t term)
{
    instant now = clock_now();
    if (a == PG_OBSERVER_WRITTEN) {
        confirm(o, m, term);
        return true;
    }
    if (o->tried != term) {
        o->tried = term;
        o->trying = now;
    }
    return a == PG_OBSERVER_PRIMARY &&
           (o->confirmed == term || instant_elapsed_least(now, o->trying).ns > span_ms(WRITE_MS).ns);
}

static void ask(struct observer *o, int i, const struct routing *route)
{
    const struct hand_member *m = &o->setup.members[i];
    bool primary = m->id == route->primary;
    instant asked = clock_now(); /* an answer proves life since the question at least */
    struct pg_observer_question q = {.to = &m->pg,
                                     .pass_file = o->setup.config->pg_pass_file,
                                     .write = primary && o->confirmed != route->term,
                                     .end = instant_add(asked, span_ms(ASK_MS)),
                                     .wake = o->wake};
    if (getrandom(&q.nonce, sizeof q.nonce, 0) != sizeof q.nonce)
        return;
    enum pg_observer_answer a = pg_observer_ask(&o->conn[i], &q);
    if (!primary) {
        pg_observer_hang_up(&o->conn[i]);
        if (a == PG_OBSERVER_PRIMARY && route->primary != MEMBER_NONE)
            log_event(LOG_LEVEL_WARNING, "second_primary", "%s answers as a primary too", m->name);
    } else if (counts(o, m, a, route->term)) {
        pthread_mutex_lock(&o->lock);
        o->answered = asked;
        o->answered_term = route->term;
        pthread_mutex_unlock(&o->lock);
    }
}

static void *run(void *arg)
{
    struct observer *o = arg;
    instant others = instant_never();
    int turn = 0;
    while (!atomic_load(&o->closing)) {
        pthread_mutex_lock(&o->lock);
        struct routing route = o->route;
        pthread_mutex_unlock(&o->lock);
        member_id primary = route.primary;
        bool all = instant_due_any(clock_now(), others);
        write_files(o, &route);
        for (int i = 0; i < o->setup.n_members; i++) {
            const struct hand_member *m = &o->setup.members[i];
            if (m->id == primary)
                ask(o, i, &route);
        }
        if (all && o->setup.n_members) { /* one of the others at a time: a dead host costs one timeout */
            turn = (turn + 1) % o->setup.n_members;
            if (o->setup.members[turn].id != primary)
                ask(o, turn, &route);
            others = instant_add(clock_now(), span_ms(OTHERS_EVERY_MS / o->setup.n_members));
        }
        post(o);
        struct pollfd p = {.fd = o->wake, .events = POLLIN};
        eventfd_t count;
        if (poll(&p, 1, PRIMARY_EVERY_MS) > 0)
            eventfd_read(o->wake, &count);
    }
    for (int i = 0; i < o->setup.n_members; i++)
        pg_observer_hang_up(&o->conn[i]);
    return NULL;
}

struct observer *observer_open(const struct observer_setup *setup, struct problem *err)
{
    struct observer *o = calloc(1, sizeof *o);
    if (!o) {
        problem_fact(err, "out of memory");
        return NULL;
    }
    o->setup = *setup;
    o->route.term = route_file_term(setup->config); /* of nobody yet: only a term as high is believed */
    pthread_mutex_init(&o->lock, NULL);
    o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct route_pgbouncer_setup pooler = {.config = setup->config,
                                           .n_members = &o->setup.n_members,
                                           .members = o->setup.members,
                                           .told = on_pooler,
                                           .arg = o};
    bool ok = !setup->config->route_pgbouncer[0] || (o->pooler = route_pgbouncer_open(&pooler, err));
    if (ok) {
        o->running = o->wake >= 0 && pthread_create(&o->thread, NULL, run, o) == 0;
        ok = o->running || problem_fact(err, "could not start a thread: %s", strerror(errno));
    }
    if (!ok)
        observer_close(&o);
    return o;
}

void observer_members(struct observer *o, const struct hand_member *members, unsigned n)
{
    unsigned have = o->setup.n_members;
    for (unsigned i = 0; i < n && have < MEMBERS_MAX; i++) {
        bool known = false;
        for (unsigned k = 0; k < have; k++)
            known = known || o->setup.members[k].id == members[i].id;
        if (known)
            continue;
        o->setup.members[have] = members[i]; /* stands before it is counted: the thread reads as it goes */
        __atomic_store_n(&o->setup.n_members, (uint8_t)++have, __ATOMIC_RELEASE);
    }
}

void observer_route(struct observer *o, const struct routing *route)
{
    pthread_mutex_lock(&o->lock);
    bool stale = route->term < o->route.term;
    if (!stale)
        o->route = *route;
    pthread_mutex_unlock(&o->lock);
    if (!stale && o->pooler)
        route_pgbouncer_route(o->pooler, route);
    if (stale)
        log_event(LOG_LEVEL_WARNING, "route_stale", "term %llu is not routed to: term %llu was before",
                  (unsigned long long)route->term, (unsigned long long)o->route.term);
    eventfd_write(o->wake, 1);
}

void observer_close(struct observer **observer)
{
    struct observer *o = *observer;
    *observer = NULL;
    if (!o)
        return;
    atomic_store(&o->closing, true);
    eventfd_write(o->wake, 1);
    route_pgbouncer_close(&o->pooler);
    if (o->running)
        pthread_join(o->thread, NULL);
    close(o->wake);
    pthread_mutex_destroy(&o->lock);
    free(o);
}
