#include "node/route_pgbouncer.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mesh/io/clock.h"
#include "mesh/io/log.h"
#include "node/pg_pooler.h"

enum {
    GRACE_MS = 300,       /* for clients in flight to notice by themselves that their server is gone */
    GRACE_STEP_MS = 30,   /* between two looks */
    SETTLE_MS = 1000,     /* standbys reconnect one after the other */
    HOLD_EXTRA_MS = 2000, /* beyond the switchover's own limit: its undoing takes a moment */
    HOLD_MS = 10000,      /* for a pause that was found at the start */
    RETRY_MS = 200,
    IDLE_MS = 1000,
    STACK_BYTES = 512 * 1024
};

/* Our pause.
 *   FREE     none
 *   PAUSING  PAUSE is under way: some transaction may still run
 *   HELD     every server connection is released */
enum pause { FREE, PAUSING, HELD };

struct route_pgbouncer {
    struct route_pgbouncer_setup setup;
    struct pg_pooler pooler;
    pthread_t thread;
    bool running;
    int wake;
    pthread_mutex_t lock;
    struct routing latest; /* under lock */
    bool closing;          /* under lock */
    /* the thread's own */
    uint64_t term;          /* that the file says */
    bool loaded;            /* PgBouncer was told in this start */
    struct routing written; /* once loaded */
    enum pause pause;
    bool given_up;     /* on the switchover under way: it took too long */
    instant paused_at; /* by us */
    uint32_t hold_ms;
    instant changed; /* since when the replicas are others than written; never: they are the same */
    bool complained;
};

static int members_now(const struct route_pgbouncer *p)
{
    return __atomic_load_n(p->setup.n_members, __ATOMIC_ACQUIRE);
}

/* ---- the file --------------------------------------------------------------------------------------------------------------- */

static const struct hand_member *find(const struct hand_member *members, int n, member_id id)
{
    for (int i = 0; i < n; i++)
        if (members[i].id == id)
            return &members[i];
    return NULL;
}

struct text {
    char *out;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->out + t->used, ROUTE_PGBOUNCER_SIZE - t->used, format, args);
    va_end(args);
    if (n > 0 && (size_t)n < ROUTE_PGBOUNCER_SIZE - t->used)
        t->used += (size_t)n;
}

static const char FIRST[] = "; pgmesh: term ";

size_t route_pgbouncer_text(char out[static ROUTE_PGBOUNCER_SIZE], const struct routing *r,
                            const struct hand_member *members, int n, const char names[][64], int n_names)
{
    const struct hand_member *primary = find(members, n, r->primary);
    struct text t = {out, 0};
    if (!primary)
        return 0;
    put(&t,
        "%s%" PRIu64
        ", primary %s\n; Written by pgmesh with every change of route; do not edit.\n[databases]\n",
        FIRST, r->term, primary->name);
    for (int i = 0; i < n_names; i++) {
        int used = 0;
        put(&t, "%s = host=%s port=%u dbname=%s\n%s_ro = host=", names[i], primary->pg.host, primary->pg.port,
            names[i], names[i]);
        for (int k = 0; k < r->n_replicas; k++) {
            const struct hand_member *m = find(members, n, r->replicas[k]);
            if (m && m != primary && m->pg.port == primary->pg.port)
                put(&t, "%s%s", used++ ? "," : "", m->pg.host);
        }
        put(&t, "%s port=%u dbname=%s\n", used ? "" : primary->pg.host, primary->pg.port, names[i]);
    }
    return t.used;
}

uint64_t route_pgbouncer_term(const char *text)
{
    return strncmp(text, FIRST, sizeof FIRST - 1) == 0 ? strtoull(text + sizeof FIRST - 1, NULL, 10) : 0;
}

static bool write_file(struct route_pgbouncer *p, const struct routing *r, bool sync, struct problem *err)
{
    char text[ROUTE_PGBOUNCER_SIZE];
    size_t n = route_pgbouncer_text(text, r, p->setup.members, members_now(p),
                                    (const char(*)[64])p->pooler.names, p->pooler.n);
    if (n == 0)
        return problem_fact(err, "the primary has no address in the cluster file");
    if (!(sync ? file_replace : file_replace_at_once)(p->setup.config->route_pgbouncer_file, text, n, 0644,
                                                      err))
        return false;
    p->term = r->term;
    return true;
}

/* ---- our pause ---------------------------------------------------------------------------------------------------------------- */

static bool marker(const struct route_pgbouncer *p, char path[static FILE_PATH_SIZE])
{
    return file_path(path, p->setup.config->state_dir, "pgbouncer.paused");
}

static int64_t held_ms(const struct route_pgbouncer *p)
{
    return span_to_ms(instant_elapsed_most(clock_now(), p->paused_at));
}

static void tell(struct route_pgbouncer *p, enum pooler_state s)
{
    p->setup.told(p->setup.arg, s);
}

static bool complain(struct route_pgbouncer *p, const struct problem *why)
{
    if (!p->complained)
        log_problem(LOG_LEVEL_WARNING, "pooler_failed", why);
    p->complained = true;
    tell(p, POOLER_NONE); /* nobody needs to wait for a pooler that we do not reach */
    return false;
}

/* Every transaction that runs may end; those that begin wait in PgBouncer.  Cut short by every news of the route. */
static bool hold(struct route_pgbouncer *p, const struct routing *r)
{
    struct problem why = {0};
    char path[FILE_PATH_SIZE];
    if (p->pause == FREE) {
        if (pg_pooler_paused(&p->pooler) == p->pooler.n)
            return true; /* by an operator, who will resume it */
        p->paused_at = clock_now();
        p->hold_ms = r->hold_ms + HOLD_EXTRA_MS;
        if (!marker(p, path) ||
            !file_replace_at_once(path, "", 0, 0600, &why)) /* a host that crashes pauses nobody */
            return complain(p, &why);
        p->pause = PAUSING;
    }
    switch (pg_pooler_pause(&p->pooler, instant_add(p->paused_at, span_ms(p->hold_ms)), &why)) {
    case POOLER_PAUSED: break;
    case POOLER_PAUSING: return false;
    case POOLER_UNREACHED: return complain(p, &why);
    }
    p->complained = false;
    p->pause = HELD;
    log_event(LOG_LEVEL_INFO, "pooler_paused",
              "clients wait in PgBouncer, %lld ms after the word of a switchover", (long long)held_ms(p));
    tell(p, POOLER_HELD);
    return true;
}

static bool release(struct route_pgbouncer *p, const char *reason)
{
    struct problem why = {0};
    char path[FILE_PATH_SIZE];
    if (!pg_pooler_resume(&p->pooler, &why))
        return complain(p, &why);
    if (marker(p, path))
        unlink(path);
    log_event(LOG_LEVEL_INFO, "pooler_resumed", "clients go on after %lld ms: %s", (long long)held_ms(p),
              reason);
    p->pause = FREE;
    p->complained = false;
    tell(p, POOLER_OPEN);
    return true;
}

/* ---- routes --------------------------------------------------------------------------------------------------------------------- */

/* Whoever waits for an answer of a server that is not the primary waits in vain, perhaps for long.  PgBouncer 1.18 cannot
 * drop one client alone. */
static void free_hanging(struct route_pgbouncer *p, const struct routing *r)
{
    const struct hand_member *primary = find(p->setup.members, members_now(p), r->primary);
    struct problem why = {0};
    int left = 0;
    for (int ms = 0; ms < GRACE_MS; ms += GRACE_STEP_MS) {
        left = pg_pooler_elsewhere(&p->pooler, &primary->pg);
        if (left <= 0)
            return;
        poll(NULL, 0, GRACE_STEP_MS);
    }
    if (pg_pooler_kill(&p->pooler, &why))
        log_event(LOG_LEVEL_WARNING, "pooler_killed",
                  "%d clients hung on a former primary: all were disconnected", left);
    else
        complain(p, &why);
}

static bool lists(const struct routing *r, member_id id)
{
    for (int i = 0; i < r->n_replicas; i++)
        if (r->replicas[i] == id)
            return true;
    return false;
}

/* After a change of primary the standbys reconnect: those that served readers go on until that has settled. */
static struct routing with_former(const struct route_pgbouncer *p, const struct routing *r)
{
    struct routing to = *r;
    for (int i = 0; i < p->written.n_replicas && to.n_replicas < DATABASES_MAX; i++) {
        member_id id = p->written.replicas[i];
        if (p->written.term != r->term && id != r->primary && !lists(&to, id))
            to.replicas[to.n_replicas++] = id;
    }
    return to;
}

static bool lead(struct route_pgbouncer *p, const struct routing *r)
{
    struct problem why = {0};
    struct routing to = with_former(p, r);
    bool other = r->term != p->term || !p->loaded;
    p->loaded = false;
    if (!write_file(p, &to, false, &why) || !pg_pooler_reload(&p->pooler, &why))
        return complain(p, &why);
    p->loaded = true;
    p->written = to;
    p->changed = instant_never();
    p->given_up = p->complained = false;
    if (!other)
        return true;
    log_event(LOG_LEVEL_INFO, "pooler_routed", "PgBouncer's databases lead to %s, term %" PRIu64,
              find(p->setup.members, members_now(p), r->primary)->name, r->term);
    if (p->pause != FREE)
        return r->successor != MEMBER_NONE || release(p, "the new primary is ready");
    free_hanging(p, r);
    tell(p, POOLER_OPEN);
    return true;
}

/* Clients do not wait for the disk; that no lower term is ever led to, after a crash of the host as well, does. */
static bool reroute(struct route_pgbouncer *p, const struct routing *r)
{
    struct problem why = {0};
    bool good = lead(p, r);
    return good && (write_file(p, &p->written, true, &why) || complain(p, &why));
}

static bool same_replicas(const struct routing *a, const struct routing *b)
{
    return a->n_replicas == b->n_replicas &&
           memcmp(a->replicas, b->replicas, a->n_replicas * sizeof a->replicas[0]) == 0;
}

static bool settle_replicas(struct route_pgbouncer *p, const struct routing *r)
{
    instant now = clock_now();
    if (same_replicas(r, &p->written)) {
        p->changed = instant_never();
        return true;
    }
    if (instant_is_never(p->changed))
        p->changed = now;
    if (instant_elapsed_least(now, p->changed).ns < span_ms(SETTLE_MS).ns)
        return false;
    return reroute(p, r);
}

/* One thing at a time; false: it is to be tried again soon. */
static bool step(struct route_pgbouncer *p, const struct routing *r)
{
    bool ours = p->pause != FREE, late = ours && held_ms(p) > p->hold_ms;
    if (r->primary == MEMBER_NONE || r->term < p->term) {
        if (late)
            return release(p, "no primary is known, and it took too long");
        return !ours;
    }
    if (r->term > p->term || !p->loaded)
        return reroute(p, r);
    if (late) {
        p->given_up = true;
        return release(p, "the switchover takes too long");
    }
    if (ours && r->successor == MEMBER_NONE)
        return release(p, "the switchover was undone");
    if (r->successor != MEMBER_NONE)
        return p->given_up || p->pause == HELD || hold(p, r);
    p->given_up = false;
    return settle_replicas(p, r);
}

/* ---- the thread ------------------------------------------------------------------------------------------------------------------- */

static bool news(struct route_pgbouncer *p, struct routing *r)
{
    pthread_mutex_lock(&p->lock);
    *r = p->latest;
    bool closing = p->closing;
    pthread_mutex_unlock(&p->lock);
    return !closing;
}

static void *run(void *arg)
{
    struct route_pgbouncer *p = arg;
    struct routing r;
    while (news(p, &r)) {
        bool content = step(p, &r);
        struct pollfd f = {.fd = p->wake, .events = POLLIN};
        eventfd_t count;
        if (poll(&f, 1, p->pause != FREE || !content ? RETRY_MS : IDLE_MS) > 0)
            eventfd_read(p->wake, &count);
    }
    if (p->pause != FREE)
        release(p, "the agent ends");
    pg_pooler_hang_up(&p->pooler);
    return NULL;
}

static void recall(struct route_pgbouncer *p)
{
    char path[FILE_PATH_SIZE];
    size_t n;
    char *text = file_read(p->setup.config->route_pgbouncer_file, FILE_TEXT, ROUTE_PGBOUNCER_SIZE, &n, NULL);
    p->term = text ? route_pgbouncer_term(text) : 0;
    free(text);
    if (!marker(p, path) || access(path, F_OK) != 0)
        return;
    log_event(LOG_LEVEL_WARNING, "pooler_paused", "PgBouncer was left paused by an agent that ended");
    p->pause = PAUSING;
    p->paused_at = clock_now();
    p->hold_ms = HOLD_MS;
}

bool route_pgbouncer_check(const struct config *c, struct problem *err)
{
    struct pg_pooler names;
    if (!c->route_pgbouncer[0])
        return true;
    if (!c->route_pgbouncer_file[0] || !c->route_pgbouncer_databases[0]) {
        problem_fact(err, "route_pgbouncer alone routes nothing");
        return problem_hint(err, "Set route_pgbouncer_file and route_pgbouncer_databases as well.");
    }
    return pg_pooler_names(&names, c->route_pgbouncer_databases, err);
}

struct route_pgbouncer *route_pgbouncer_open(const struct route_pgbouncer_setup *setup, struct problem *err)
{
    struct route_pgbouncer *p = calloc(1, sizeof *p);
    if (!p) {
        problem_fact(err, "out of memory");
        return NULL;
    }
    p->setup = *setup;
    pthread_mutex_init(&p->lock, NULL);
    p->changed = instant_never();
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->pooler = (struct pg_pooler){.conninfo = setup->config->route_pgbouncer,
                                   .pass_file = setup->config->pg_pass_file,
                                   .wake = p->wake};
    bool ok = pg_pooler_names(&p->pooler, setup->config->route_pgbouncer_databases, err);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (ok) {
        recall(p);
        p->running = p->wake >= 0 && pthread_create(&p->thread, &attr, run, p) == 0;
        ok = p->running || problem_fact(err, "could not start a thread: %s", strerror(errno));
    }
    pthread_attr_destroy(&attr);
    if (!ok)
        route_pgbouncer_close(&p);
    return p;
}

void route_pgbouncer_route(struct route_pgbouncer *p, const struct routing *r)
{
    pthread_mutex_lock(&p->lock);
    p->latest = *r;
    pthread_mutex_unlock(&p->lock);
    eventfd_write(p->wake, 1);
}

void route_pgbouncer_close(struct route_pgbouncer **pooler)
{
    struct route_pgbouncer *p = *pooler;
    *pooler = NULL;
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_mutex_unlock(&p->lock);
    eventfd_write(p->wake, 1);
    if (p->running)
        pthread_join(p->thread, NULL);
    close(p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
