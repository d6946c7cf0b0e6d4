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

enum { PRIMARY_EVERY_MS = 100, OTHERS_EVERY_MS = 10000, ASK_MS = 500 };

struct observer {
    struct observer_setup setup;
    pthread_t thread;
    bool running;
    int wake;
    _Atomic bool closing;
    pthread_mutex_t lock;
    struct routing route; /* under lock */
    /* the thread's own */
    void *conn[MEMBERS_MAX];
    uint64_t answered_term;
    instant answered;
    uint64_t written; /* the term that the files say */
    bool complained;  /* that they cannot be written */
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

static void post(struct observer *o)
{
    struct pg_sample s = {.phase = PG_NONE, .upstream_age_ms = EVIDENCE_NEVER, .sql_age_ms = EVIDENCE_NEVER};
    if (o->answered_term) {
        int64_t age = span_to_ms(instant_elapsed_most(clock_now(), o->answered));
        s.sql_term = o->answered_term;
        s.sql_age_ms = age < 3600000 ? (uint32_t)age : EVIDENCE_NEVER;
    }
    o->setup.post(o->setup.post_arg, &s);
}

static void ask(struct observer *o, int i, member_id primary, uint64_t term)
{
    const struct hand_member *m = &o->setup.members[i];
    uint64_t nonce;
    instant asked = clock_now(); /* an answer proves life since the question at least */
    if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
        return;
    enum pg_observer_answer a =
        pg_observer_ask(&o->conn[i], &m->pg, o->setup.config->pg_pass_file, nonce, ASK_MS);
    if (m->id != primary) {
        pg_observer_hang_up(&o->conn[i]);
        if (a == PG_OBSERVER_PRIMARY && primary != MEMBER_NONE)
            log_event(LOG_LEVEL_WARNING, "second_primary", "%s answers as a primary too", m->name);
    } else if (a == PG_OBSERVER_PRIMARY) {
        o->answered = asked;
        o->answered_term = term;
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
                ask(o, i, primary, route.term);
        }
        if (all && o->setup.n_members) { /* one of the others at a time: a dead host costs one timeout */
            turn = (turn + 1) % o->setup.n_members;
            if (o->setup.members[turn].id != primary)
                ask(o, turn, primary, route.term);
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
    o->running = o->wake >= 0 && pthread_create(&o->thread, NULL, run, o) == 0;
    if (!o->running) {
        problem_fact(err, "could not start a thread: %s", strerror(errno));
        observer_close(&o);
    }
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
    if (o->running)
        pthread_join(o->thread, NULL);
    close(o->wake);
    pthread_mutex_destroy(&o->lock);
    free(o);
}
