#define _GNU_SOURCE
#include "node/agent.h"

#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "mesh/io/log.h"
#include "mesh/io/loop.h"
#include "mesh/io/process.h"
#include "node/guard.h"
#include "node/hand.h"
#include "node/observer.h"
#include "node/pg_config.h"
#include "node/route_hook.h"
#include "node/route_pgbouncer.h"

enum { RELEASE_MS = 300, STOP_TICK_MS = 20, STOP_MS = 60000, LEAVE_MS = 1000 };

struct agent {
    struct folder *folder;
    const char *config_path;
    struct hand *hand;
    struct observer *observer;
    struct route_hook *hook;
    bool leads; /* the loop's: the hook was told that this database is ordered to be the primary */
    pthread_mutex_t gate;
    bool has_held;
    struct pg_goal held;         /* waits for a hook to end */
    _Atomic(struct loop *) loop; /* samples before it exists are lost; the next comes in 200 ms */
    struct fence fence;
    struct fence_page *page;
    int guard;   /* pidfd; -1: none */
    int signals; /* signalfd */
    _Atomic bool stopping;
};

/* ---- before ------------------------------------------------------------------------------------------------------------- */

bool agent_check(const struct folder *f, struct problem *err)
{
    const struct config *c = &f->config;
    if (!route_hook_check(c, err) || !route_pgbouncer_check(c, err))
        return false;
    if (f->self->member.role != ROLE_DATABASE)
        return true;
    if (access(c->pg_pass_file, R_OK) < 0) {
        problem_fact(err, "could not read \"%s\": %s", c->pg_pass_file, strerror(errno));
        return problem_hint(err, "\"pgmesh init\" makes it; option pg_pass_file says where it is.");
    }
    return true;
}

static bool beside_ourselves(char out[static FILE_PATH_SIZE], const char *name)
{
    ssize_t n = readlink("/proc/self/exe", out, FILE_PATH_SIZE - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (!slash || (size_t)(slash + 1 - out) + strlen(name) >= FILE_PATH_SIZE)
        return false;
    strcpy(slash + 1, name);
    return true;
}

bool agent_become_guard(const struct folder *f, const char *config_path, struct problem *err)
{
    char guard[FILE_PATH_SIZE], self[FILE_PATH_SIZE], lock[FILE_PATH_SIZE], name[2 * NAME_SIZE + 16],
        lease[16], stop[16];
    const struct config *c = &f->config;
    if (!beside_ourselves(guard, "pgmesh-guard") || !beside_ourselves(self, "pgmesh-node"))
        return problem_fact(err, "could not find out where this program lies");
    if (!file_path(lock, c->state_dir, "guard.lock"))
        return problem_fact(err, "the path of the state directory is too long");
    snprintf(name, sizeof name, "pgmesh-%s-%s", f->cluster.name, c->member);
    snprintf(lease, sizeof lease, "%u", c->core.lease_ms);
    snprintf(stop, sizeof stop, "%d", STOP_MS);
    const char *argv[24] = {guard,        "--name",    name,         "--cgroup", c->cgroup,
                            "--data-dir", c->data_dir, "--lease-ms", lease,      "--stop-ms",
                            stop,         "--lock",    lock};
    int n = 13;
    if (!c->realtime)
        argv[n++] = "--no-realtime";
    if (c->watchdog[0]) {
        argv[n++] = "--watchdog";
        argv[n++] = c->watchdog;
    }
    const char *agent[] = {"--", self, "--agent", "--config", config_path, NULL};
    for (int i = 0; agent[i]; i++)
        argv[n++] = agent[i];
    execv(guard, (char *const *)argv);
    problem_fact(err, "could not execute \"%s\": %s", guard, strerror(errno));
    return problem_hint(err, "pgmesh-guard must lie beside pgmesh-node.");
}

/* ---- the loop's calls ------------------------------------------------------------------------------------------------------ */

static void on_lease(void *arg, instant until, uint64_t term)
{
    struct agent *a = arg;
    hand_lease(a->hand, until, term);
}

/* Is this the order to be the primary, or the end of it?  GOAL_SHUTDOWN is neither: it may be undone. */
static bool leads(const struct pg_goal *g, bool before)
{
    switch (g->kind) {
    case GOAL_INIT:
    case GOAL_PRIMARY:
    case GOAL_PROMOTE: return true;
    case GOAL_SHUTDOWN: return before;
    case GOAL_NONE:
    case GOAL_KEEP: /* without a lease: the guard kills it when its time is up */
    case GOAL_DOWN:
    case GOAL_FOLLOW:
    case GOAL_REWIND:
    case GOAL_CLONE:
    case GOAL_SEAL: break;
    }
    return false;
}

/* Nothing is started before the hooks that take a virtual address away have ended.  What stops it never waits, nor does
 * a promotion, whose server runs. */
static bool starts_something(const struct pg_goal *g)
{
    switch (g->kind) {
    case GOAL_INIT:
    case GOAL_PRIMARY:
    case GOAL_FOLLOW:
    case GOAL_REWIND:
    case GOAL_CLONE:
    case GOAL_SEAL: return true;
    case GOAL_PROMOTE:
    case GOAL_NONE:
    case GOAL_KEEP:
    case GOAL_DOWN:
    case GOAL_SHUTDOWN: break;
    }
    return false;
}

static void on_goal(void *arg, const struct pg_goal *goal)
{
    struct agent *a = arg;
    bool lead = leads(goal, a->leads);
    if (lead != a->leads)
        route_hook_self(a->hook, lead ? HOOK_PROMOTE : HOOK_DEMOTE, goal->term);
    a->leads = lead;
    pthread_mutex_lock(&a->gate);
    a->has_held = starts_something(goal) && route_hook_gated(a->hook);
    a->held = *goal;
    if (!a->has_held)
        hand_goal(a->hand, goal);
    pthread_mutex_unlock(&a->gate);
}

/* On the hook's thread: the last of them has ended. */
static void on_quiet(void *arg)
{
    struct agent *a = arg;
    pthread_mutex_lock(&a->gate);
    if (a->has_held)
        hand_goal(a->hand, &a->held);
    a->has_held = false;
    pthread_mutex_unlock(&a->gate);
}

static void on_sync(void *arg, const struct pg_sync_order *order)
{
    struct agent *a = arg;
    hand_sync(a->hand, order);
}

static void on_route(void *arg, const struct routing *route)
{
    struct agent *a = arg;
    route_hook_route(a->hook, route);
    if (a->observer)
        observer_route(a->observer, route);
}

static void on_confirmed(void *arg, uint64_t term, uint32_t outage_ms)
{
    struct agent *a = arg;
    route_hook_confirmed(a->hook, term, outage_ms);
}

static void on_post(void *arg, const struct pg_sample *sample)
{
    struct agent *a = arg;
    struct loop *loop = atomic_load(&a->loop);
    if (loop)
        loop_post_sample(loop, 0, sample);
}

/* ---- signals, and the guard's death ------------------------------------------------------------------------------------------ */

static void stop_in_order(struct agent *a)
{
    struct loop *loop = atomic_load(&a->loop);
    if (atomic_exchange(&a->stopping, true))
        return;
    log_event(LOG_LEVEL_INFO, "stopping", "told to stop%s", a->hand ? ": PostgreSQL is stopped first" : "");
    if (a->hand) {
        hand_stop(a->hand);
        for (int ms = 0; !hand_is_down(a->hand) && ms < STOP_MS; ms += STOP_TICK_MS)
            poll(NULL, 0, STOP_TICK_MS);
        poll(NULL, 0,
             RELEASE_MS); /* the mesh hears that the term is given up, and need not wait for the lease */
    }
    if (loop)
        loop_stop(loop);
}

/* The configuration is read again by a new agent: PostgreSQL and its lease outlive the change. */
static void reload(struct agent *a)
{
    struct problem why = {0};
    struct folder *f = folder_open(a->config_path, 1u << ROLE_DATABASE | 1u << ROLE_OBSERVER, &why);
    bool ok = f && agent_check(f, &why);
    folder_close(&f);
    if (!ok) {
        log_problem(LOG_LEVEL_ERROR, "reload_refused", &why);
        return;
    }
    log_event(LOG_LEVEL_INFO, "reload", "the agent starts anew with the changed configuration");
    if (a->hand)
        hand_leave(a->hand, LEAVE_MS);
    struct loop *loop = atomic_load(&a->loop);
    if (loop)
        loop_stop(loop);
}

/* Nobody watches the deadline any more: fence, then begin again as the guard, in this very process. */
static void guard_lost(struct agent *a)
{
    struct problem why = {0};
    fence_kill(&a->fence, 5000);
    atomic_store(&a->page->dismissed, 1);
    log_event(LOG_LEVEL_ERROR, "guard_lost",
              "the guard is gone: PostgreSQL is killed and everything starts anew");
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* page, bell and pipe of the former guard */
    if (!agent_become_guard(a->folder, a->config_path, &why))
        log_problem(LOG_LEVEL_ERROR, "guard_lost", &why);
    _exit(1);
}

static void *watch(void *arg)
{
    struct agent *a = arg;
    struct signalfd_siginfo signal;
    struct pollfd p[2] = {{.fd = a->signals, .events = POLLIN}, {.fd = a->guard, .events = POLLIN}};
    for (;;) {
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents && !atomic_load(&a->stopping))
            guard_lost(a);
        if (p[1].revents)
            p[1].fd = -1; /* it stays readable */
        if (!p[0].revents || read(a->signals, &signal, sizeof signal) != (ssize_t)sizeof signal)
            continue;
        if (signal.ssi_signo == SIGHUP)
            reload(a);
        else
            stop_in_order(a);
    }
    return NULL;
}

/* ---- life --------------------------------------------------------------------------------------------------------------------- */

static int inherited(const char *name)
{
    const char *text = getenv(name);
    int fd = text ? atoi(text) : -1;
    unsetenv(name);
    return fd;
}

static unsigned fill_members(const struct cluster *c, struct hand_member *out)
{
    unsigned n = 0;
    for (unsigned i = 0; i < c->n; i++) {
        const struct cluster_member *m = &c->members[i];
        if (m->member.role != ROLE_DATABASE || !m->has_pg || m->member.revoked)
            continue;
        out[n] = (struct hand_member){.id = m->member.id, .pg = m->pg, .n_mesh = m->n_mesh};
        memcpy(out[n].mesh, m->mesh, sizeof out[n].mesh);
        snprintf(out[n].name, sizeof out[n].name, "%s", m->member.name);
        n++;
    }
    return n;
}

static void on_roster(void *arg)
{
    struct agent *a = arg;
    struct hand_member members[MEMBERS_MAX];
    unsigned n = fill_members(&a->folder->cluster, members);
    if (a->hand)
        hand_members(a->hand, members, n);
    if (a->observer)
        observer_members(a->observer, members, n);
}

static bool open_hand(struct agent *a, struct loop_hand *calls, struct problem *err)
{
    struct hand_setup setup = {
        .config = &a->folder->config, .self = a->folder->self->member.id, .post = on_post, .post_arg = a};
    int page = inherited("PGMESH_GUARD_PAGE");
    setup.bell = inherited("PGMESH_GUARD_BELL");
    a->page = setup.page = page >= 0 ? fence_page_map(page) : NULL;
    const char *cgroup = getenv("PGMESH_CGROUP");
    a->guard = inherited("PGMESH_GUARD_SELF");
    if (!setup.page || setup.bell < 0 || a->guard < 0 || !cgroup) {
        problem_fact(err, "the agent of a database runs under pgmesh-guard only");
        return problem_hint(err, "Start pgmesh-node without --agent.");
    }
    if (!fence_page_known(setup.page)) {
        problem_fact(err, "the guard that runs belongs to another version of pgmesh");
        problem_detail(err, "Its page of memory has layout %u, this program knows %d.",
                       (unsigned)atomic_load(&setup.page->layout), FENCE_PAGE_LAYOUT);
        return problem_hint(err, "Restart the member's service: PostgreSQL is stopped in order first.");
    }
    fence_attach(&a->fence, cgroup, a->folder->config.data_dir);
    setup.fence = a->fence;
    setup.n_members = (uint8_t)fill_members(&a->folder->cluster, setup.members);
    a->hand = hand_open(&setup, err);
    *calls = (struct loop_hand){.arg = a,
                                .lease = on_lease,
                                .goal = on_goal,
                                .sync = on_sync,
                                .roster = on_roster,
                                .route = on_route};
    if (a->hand && !hand_runs(a->hand))
        route_hook_self(a->hook, HOOK_START, 0);
    return a->hand != NULL;
}

static bool open_observer(struct agent *a, struct loop_hand *calls, struct problem *err)
{
    struct observer_setup setup = {
        .config = &a->folder->config, .post = on_post, .confirmed = on_confirmed, .post_arg = a};
    setup.n_members = (uint8_t)fill_members(&a->folder->cluster, setup.members);
    a->observer = observer_open(&setup, err);
    *calls = (struct loop_hand){.arg = a, .roster = on_roster, .route = on_route};
    return a->observer != NULL;
}

static bool take_signals(struct agent *a)
{
    sigset_t set;
    sigemptyset(&set);
    for (const int *s = (const int[]){SIGTERM, SIGINT, SIGHUP, 0}; *s; s++)
        sigaddset(&set, *s);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    a->signals = signalfd(-1, &set, SFD_CLOEXEC);
    return a->signals >= 0;
}

int agent_run(struct folder *f, const char *config_path)
{
    static struct agent a;
    struct problem why = {0};
    struct loop_options options = {.program = "pgmesh-node", .n = 1, .folders = {f}};
    a = (struct agent){.folder = f, .config_path = config_path, .guard = -1};
    bool heard = take_signals(&a);
    log_open("pgmesh-node", f->config.log_level, f->config.log_format);
    log_as(f->cluster.name, f->config.member);
    if (!heard) {
        log_event(LOG_LEVEL_ERROR, "start", "could not listen for signals: %s", strerror(errno));
        return 1;
    }
    options.realtime = process_harden(f->config.realtime);
    bool database = f->self->member.role == ROLE_DATABASE;
    pthread_mutex_init(&a.gate, NULL);
    a.hook = route_hook_open(f, on_quiet, &a, &why);
    if (!a.hook ||
        !(database ? open_hand(&a, &options.hands[0], &why) : open_observer(&a, &options.hands[0], &why))) {
        log_problem(LOG_LEVEL_ERROR, "start", &why);
        return GUARD_EXIT_CONFIG;
    }
    struct loop *loop = loop_open(&options, &why);
    if (!loop) {
        log_problem(LOG_LEVEL_ERROR, "start", &why);
        hand_close(&a.hand);
        observer_close(&a.observer);
        return 1;
    }
    atomic_store(&a.loop, loop);
    pthread_t watcher;
    if (pthread_create(&watcher, NULL, watch, &a) != 0)
        return 1;
    process_notify("READY=1");
    enum loop_end end = loop_run(loop);
    /* Whatever ended it: PostgreSQL lives on under the guard's deadline, unless it was stopped on the way. */
    if (a.leads && hand_is_down(a.hand))
        route_hook_self(a.hook, HOOK_DEMOTE, 0);
    /* The observer before the hooks, which it feeds; and a PgBouncer that it holds paused must wait for none of them. */
    observer_close(&a.observer);
    route_hook_close(&a.hook);
    hand_close(&a.hand);
    return end == LOOP_STOPPED ? 0 : end == LOOP_FATAL ? GUARD_EXIT_FATAL : 1;
}
