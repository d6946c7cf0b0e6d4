#define _GNU_SOURCE
#include "node/route_hook.h"

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mesh/io/clock.h"
#include "mesh/io/log.h"
#include "node/route_run.h"

enum { QUEUE_MAX = 32, STACK_BYTES = 256 * 1024, LINES_MAX = 8 };

struct queued {
    enum route_hook_event event;
    char *json; /* one line, with its newline; from jansson's malloc */
};

struct route_hook {
    const struct folder *folder;
    void (*quiet)(void *arg);
    void *arg;
    struct route_run run; /* the thread's own */
    pthread_t thread;
    pthread_cond_t news;
    pthread_mutex_t lock;
    bool closing; /* all below: under lock */
    bool running; /* queue[0] runs */
    int n;
    struct queued queue[QUEUE_MAX];
    int gates; /* gating events in the queue */
    unsigned dropped;
    struct routing last; /* as last told */
};

static const char *event_name(enum route_hook_event e)
{
    switch (e) {
    case HOOK_START: return "start";
    case HOOK_PROMOTE: return "promote";
    case HOOK_DEMOTE: return "demote";
    case HOOK_PRIMARY: return "primary";
    case HOOK_CONFIRMED: return "confirmed";
    case HOOK_SWITCHOVER: return "switchover";
    case HOOK_SWITCHOVER_UNDONE: return "switchover_undone";
    case HOOK_PAUSED: return "paused";
    case HOOK_RESUMED: return "resumed";
    }
    return "?";
}

static bool gating(enum route_hook_event e)
{
    return e == HOOK_START || e == HOOK_DEMOTE;
}

/* ---- whom it runs as, and whether it may -------------------------------------------------------------------------------- */

static bool find_user(const struct config *c, struct route_user *u, struct problem *err)
{
    const char *name = c->hook_user[0] ? c->hook_user : c->user;
    u->drop = geteuid() == 0;
    if (!u->drop && !c->hook_user[0])
        return true;
    const struct passwd *p = getpwnam(name);
    if (!p) {
        problem_fact(err, "user \"%s\" does not exist", name);
        return problem_hint(err, "Set \"hook_user\" to the system's user that \"hook\" shall run as.");
    }
    if (!u->drop && p->pw_uid != geteuid()) {
        problem_fact(err, "the hook cannot run as \"%s\"", name);
        return problem_hint(err, "Only root can run it as another user: leave hook_user out.");
    }
    u->uid = p->pw_uid;
    u->gid = p->pw_gid;
    u->n_groups = ROUTE_RUN_GROUPS;
    if (getgrouplist(name, u->gid, u->groups, &u->n_groups) < 0)
        u->n_groups = ROUTE_RUN_GROUPS;
    return true;
}

static bool program_fit(const char *path, const struct route_user *u, struct problem *err)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return problem_fact(err, "could not find the hook \"%s\": %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || !(st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
        problem_fact(err, "the hook \"%s\" is not a program", path);
        return problem_hint(err, "Name an executable file; arguments are not taken, a script may add them.");
    }
    bool trusted = st.st_uid == 0 || st.st_uid == geteuid() || (u->drop && u->uid && st.st_uid == u->uid);
    if (trusted && !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return true;
    problem_fact(err, "the hook \"%s\" could be changed by others", path);
    problem_detail(err, "It belongs to uid %u and has mode %04o.", (unsigned)st.st_uid,
                   (unsigned)st.st_mode & 07777);
    return problem_hint(err, "chown root %s; chmod go-w %s", path, path);
}

bool route_hook_check(const struct config *c, struct problem *err)
{
    struct route_user u = {0};
    return !c->hook[0] || (find_user(c, &u, err) && program_fit(c->hook, &u, err));
}

/* ---- the thread ----------------------------------------------------------------------------------------------------------- */

static void log_output(const struct route_run *r)
{
    const char *line = r->output;
    for (int i = 0; i < LINES_MAX && *line; i++) {
        size_t n = strcspn(line, "\n");
        if (n > 0)
            log_event(LOG_LEVEL_INFO, "hook_output", "%.*s", (int)(n < 200 ? n : 200), line);
        line += n + (line[n] == '\n');
    }
    if (*line || r->lost)
        log_event(LOG_LEVEL_INFO, "hook_output", "and %zu bytes more", strlen(line) + r->lost);
}

static void run_one(struct route_hook *h, const struct queued *q)
{
    struct problem why = {0};
    struct route_run *r = &h->run;
    const char *name = event_name(q->event);
    if (!program_fit(r->program, &r->user, &why)) {
        log_problem(LOG_LEVEL_WARNING, "hook_failed", &why);
        return;
    }
    r->argument = name;
    r->input = q->json;
    bool good = route_run(r);
    if (good)
        log_event(LOG_LEVEL_INFO, "hook", "%s: done after %lld ms", name, (long long)r->took_ms);
    else if (r->timed_out)
        log_event(LOG_LEVEL_WARNING, "hook_failed", "%s: killed after %lld ms", name, (long long)r->took_ms);
    else
        log_event(LOG_LEVEL_WARNING, "hook_failed", "%s: exit status %d after %lld ms", name, r->status,
                  (long long)r->took_ms);
    log_output(r);
}

/* Under the lock. */
static void remove_at(struct route_hook *h, int at)
{
    memmove(&h->queue[at], &h->queue[at + 1], (size_t)(--h->n - at) * sizeof h->queue[0]);
}

static void *run(void *arg)
{
    struct route_hook *h = arg;
    log_as(h->folder->cluster.name, h->folder->config.member);
    pthread_mutex_lock(&h->lock);
    for (;;) {
        while (!h->n && !h->closing)
            pthread_cond_wait(&h->news, &h->lock);
        if (!h->n)
            break;
        struct queued q = h->queue[0];
        h->running = true;
        pthread_mutex_unlock(&h->lock);
        run_one(h, &q);
        free(q.json);
        pthread_mutex_lock(&h->lock);
        h->running = false;
        remove_at(h, 0);
        h->gates -= gating(q.event);
        if (!gating(q.event) || h->gates)
            continue;
        pthread_mutex_unlock(&h->lock);
        h->quiet(h->arg);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

struct route_hook *route_hook_open(const struct folder *f, void (*quiet)(void *arg), void *arg,
                                   struct problem *err)
{
    struct route_hook *h = calloc(1, sizeof *h);
    if (!h) {
        problem_fact(err, "out of memory");
        return NULL;
    }
    h->folder = f;
    h->quiet = quiet;
    h->arg = arg;
    h->run = (struct route_run){.program = f->config.hook, .timeout_ms = f->config.hook_timeout_ms};
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->news, NULL);
    if (!f->config.hook[0])
        return h;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool ok = find_user(&f->config, &h->run.user, err) && program_fit(f->config.hook, &h->run.user, err) &&
              (pthread_create(&h->thread, &attr, run, h) == 0 ||
               problem_fact(err, "could not start a thread: %s", strerror(errno)));
    pthread_attr_destroy(&attr);
    if (!ok) {
        free(h);
        return NULL;
    }
    return h;
}

void route_hook_close(struct route_hook **hook)
{
    struct route_hook *h = *hook;
    *hook = NULL;
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    pthread_cond_signal(&h->news);
    pthread_mutex_unlock(&h->lock);
    if (h->run.program[0])
        pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->news);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

bool route_hook_gated(struct route_hook *h)
{
    pthread_mutex_lock(&h->lock);
    bool gated = h->gates > 0;
    pthread_mutex_unlock(&h->lock);
    return gated;
}

/* ---- events --------------------------------------------------------------------------------------------------------------- */

static json_t *event_json(const struct route_hook *h, enum route_hook_event e, uint64_t term)
{
    const struct folder *f = h->folder;
    char at[CLOCK_TEXT_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "event", event_name(e), "cluster", f->cluster.name,
                     "member", f->config.member, "role", cluster_role_name(f->self->member.role), "at",
                     clock_print(at, clock_wall_us()), "term", (json_int_t)term);
}

static json_t *member_json(const struct route_hook *h, member_id id)
{
    const struct cluster_member *m = cluster_member(&h->folder->cluster, id);
    if (!m)
        return json_null();
    return json_pack("{s:s, s:s, s:i}", "name", m->member.name, "host", m->pg.host, "port", (int)m->pg.port);
}

/* Under the lock: an event that is not run. */
static void drop(struct route_hook *h, enum route_hook_event e, const char *why)
{
    log_event(LOG_LEVEL_WARNING, "hook_failed", "%s: dropped, the %u. so far: %s", event_name(e),
              ++h->dropped, why);
}

/* Under the lock: PostgreSQL waits for this one, so it goes before all that only tell.  A promotion that was not told of
 * yet is over: told of later it would undo what the gate is for. */
static int gate_place(struct route_hook *h)
{
    int at = h->running;
    while (at < h->n && gating(h->queue[at].event))
        at++;
    for (int i = at; i < h->n; i++) {
        bool over = h->queue[i].event == HOOK_PROMOTE;
        if (!over && (h->n < QUEUE_MAX || i < h->n - 1))
            continue;
        drop(h, h->queue[i].event,
             over ? "it was over before its turn came" : "PostgreSQL waits for another");
        free(h->queue[i].json);
        remove_at(h, i--);
    }
    return at;
}

/* Under the lock; takes the reference. */
static void enqueue(struct route_hook *h, enum route_hook_event e, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
    size_t n = text ? strlen(text) : 0;
    char *line = text ? realloc(text, n + 2) : NULL;
    json_decref(json);
    int at = gating(e) ? gate_place(h) : h->n;
    if (!line || h->n == QUEUE_MAX || h->closing) {
        free(line ? line : text);
        drop(h, e, h->closing ? "the agent ends" : "too many wait");
        return;
    }
    memcpy(line + n, "\n", 2);
    memmove(&h->queue[at + 1], &h->queue[at], (size_t)(h->n++ - at) * sizeof h->queue[0]);
    h->queue[at] = (struct queued){.event = e, .json = line};
    h->gates += gating(e);
    pthread_cond_signal(&h->news);
}

void route_hook_self(struct route_hook *h, enum route_hook_event e, uint64_t term)
{
    if (!h->run.program[0])
        return;
    pthread_mutex_lock(&h->lock);
    enqueue(h, e, event_json(h, e, term));
    pthread_mutex_unlock(&h->lock);
}

/* Under the lock. */
static void say(struct route_hook *h, enum route_hook_event e, const struct routing *now, const char *key,
                json_t *value)
{
    json_t *json = event_json(h, e, now->term);
    json_object_set_new(json, "primary", member_json(h, now->primary));
    if (key)
        json_object_set_new(json, key, value);
    enqueue(h, e, json);
}

void route_hook_confirmed(struct route_hook *h, uint64_t term, uint32_t outage_ms)
{
    if (!h->run.program[0])
        return;
    pthread_mutex_lock(&h->lock);
    if (h->last.term == term)
        say(h, HOOK_CONFIRMED, &h->last, "outage_ms",
            outage_ms == EVIDENCE_NEVER ? json_null() : json_integer(outage_ms));
    pthread_mutex_unlock(&h->lock);
}

void route_hook_route(struct route_hook *h, const struct routing *now)
{
    if (!h->run.program[0])
        return;
    pthread_mutex_lock(&h->lock);
    struct routing last = h->last;
    h->last = *now;
    if (now->term != last.term)
        say(h, HOOK_PRIMARY, now, "former", member_json(h, last.primary));
    else if (now->successor != last.successor)
        say(h, now->successor ? HOOK_SWITCHOVER : HOOK_SWITCHOVER_UNDONE, now, "successor",
            member_json(h, now->successor ? now->successor : last.successor));
    if (now->paused != last.paused)
        say(h, now->paused ? HOOK_PAUSED : HOOK_RESUMED, now, NULL, NULL);
    pthread_mutex_unlock(&h->lock);
}
