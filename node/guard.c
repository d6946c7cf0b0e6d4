#define _GNU_SOURCE /* SCHED_RESET_ON_FORK */
#include "node/guard.h"

#include "node/guard_anchor.h"
#include "node/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    QUICK_DEATH_MS = 5000,
    QUICK_DEATHS_FREE = 3,
    PAUSE_MS = 100,
    PAUSE_MAX_MS = 5000,
    PAUSE_ARMED_MS = 20,
    LOCK_WAIT_MS = 2000,
    LOCK_TICK_MS = 5
};

/* ---- what to do ------------------------------------------------------------------------------------------------ */

enum guard_order guard_judge(struct guard_watch *w, uint64_t armed_term, const struct fence_lease *lease,
                             uint32_t lease_ms, instant now, instant *next)
{
    if (lease)
        w->last = *lease;
    *next = instant_never();
    if (armed_term != w->term) { /* armed anew, or disarmed: what was frozen belongs to no term any more */
        bool was_frozen = w->state == GUARD_FROZEN || w->state == GUARD_KILLED;
        w->term = armed_term;
        w->state = armed_term ? GUARD_WATCH : GUARD_IDLE;
        if (was_frozen)
            return *next = now, GUARD_ORDER_THAW;
    }
    if (w->state == GUARD_IDLE || w->state == GUARD_KILLED)
        return GUARD_ORDER_NONE;

    bool held = w->last.term == w->term && !instant_due_any(now, w->last.until);
    if (held) {
        *next = w->last.until;
        if (w->state == GUARD_WATCH)
            return GUARD_ORDER_NONE;
        w->state = GUARD_WATCH;
        return GUARD_ORDER_THAW;
    }
    if (w->state == GUARD_WATCH) {
        w->state = GUARD_FROZEN;
        w->frozen_at = now;
        *next = instant_add(now, span_ms(lease_ms));
        return GUARD_ORDER_FREEZE;
    }
    *next = instant_add(w->frozen_at, span_ms(lease_ms));
    if (!instant_due_any(now, *next))
        return GUARD_ORDER_NONE;
    w->state = GUARD_KILLED;
    *next = instant_never();
    return GUARD_ORDER_KILL;
}

/* ---- the process ----------------------------------------------------------------------------------------------- */

struct guard {
    const struct guard_options *o;
    struct fence fence;
    struct fence_page *page;
    struct guard_watch watch;
    int page_fd, bell, self, signals, timer, watchdog, life[2];
    pid_t agent, anchor;
    instant anchor_started, agent_started, agent_due; /* agent_due: when to start the next one */
    int quick_deaths;
    bool stopping, unfed; /* unfed: the watchdog, and it has been told */
    instant stop_by;
    int status; /* to exit with; -1: go on */
};

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text - 1, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if (n > (int)sizeof text - 2)
        n = sizeof text - 2;
    text[n++] = '\n';
    if (write(STDERR_FILENO, "pgmesh-guard: ", 14) < 0 || write(STDERR_FILENO, text, (size_t)n) < 0)
        return;
}

/* What the kernel refuses to freeze would go on acknowledging: it is killed.  (Without a cgroup a process that is held by the
 * kernel is not seen to stop, and does before it can answer anybody.) */
static void freeze(struct guard *g)
{
    bool frozen = fence_freeze(&g->fence) || !g->fence.cgroup[0];
    if (!frozen && !fence_kill(&g->fence, 0))
        fence_kill(&g->fence, 100);
    atomic_fetch_add(frozen ? &g->page->freezes : &g->page->kills, 1);
    say("lease of term %llu ended, PostgreSQL %s", (unsigned long long)g->watch.term,
        frozen ? "is frozen" : "cannot be frozen and is killed");
}

static void perform(struct guard *g, enum guard_order order)
{
    switch (order) {
    case GUARD_ORDER_NONE: return;
    case GUARD_ORDER_FREEZE:
        atomic_store(&g->page->frozen, 1); /* before: whoever sees PostgreSQL silent finds the reason */
        freeze(g);
        return;
    case GUARD_ORDER_THAW:
        fence_thaw(&g->fence);
        atomic_store(&g->page->thawed_boot_ns, fence_now().boot_ns);
        atomic_store(&g->page->frozen, 0);
        atomic_fetch_add(&g->page->thaws, 1);
        say("PostgreSQL is thawed");
        return;
    case GUARD_ORDER_KILL:
        if (!fence_kill(&g->fence, 0))
            fence_kill(&g->fence, 100);
        atomic_store(&g->page->frozen, 0);
        atomic_fetch_add(&g->page->kills, 1);
        say("lease of term %llu did not come back, PostgreSQL is killed", (unsigned long long)g->watch.term);
        return;
    }
}

/* Sets the timer to the next deadline by the boot clock, so that a suspended machine wakes into it. */
static void set_timer(struct guard *g, instant next)
{
    struct itimerspec t = {0};
    if (!instant_is_never(next)) {
        instant now = fence_now();
        int64_t left = next.boot_ns - now.boot_ns, raw = next.raw_ns - now.raw_ns;
        if (raw < left)
            left = raw;
        int64_t at = now.boot_ns + (left > 0 ? left : 0);
        t.it_value.tv_sec = at / 1000000000LL;
        t.it_value.tv_nsec = at % 1000000000LL;
    }
    timerfd_settime(g->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static instant watch_lease(struct guard *g)
{
    for (;;) {
        struct fence_lease lease;
        bool whole = fence_page_read(g->page, &lease);
        uint64_t armed = atomic_load(&g->page->armed_term);
        instant next;
        enum guard_order order =
            guard_judge(&g->watch, armed, whole ? &lease : NULL, g->o->lease_ms, fence_now(), &next);
        perform(g, order);
        atomic_store(&g->page->seen_term, armed);
        if (order == GUARD_ORDER_NONE)
            return next;
    }
}

/* ---- the agent -------------------------------------------------------------------------------------------------- */

static void put_env(const char *name, int fd)
{
    char text[16];
    snprintf(text, sizeof text, "%d", fd);
    setenv(name, text, 1);
}

static void start_agent(struct guard *g)
{
    g->agent_due = instant_never();
    g->agent_started = fence_now();
    g->agent = fork();
    if (g->agent < 0) {
        say("could not start the agent: %s", strerror(errno));
        g->agent = 0;
        g->agent_due = instant_add(fence_now(), span_ms(PAUSE_MS));
        return;
    }
    if (g->agent > 0)
        return;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* It takes this itself, later: linking thirty libraries on a busy machine costs an eighth of a lease. */
    struct sched_param p = {.sched_priority = 1};
    if (g->o->realtime)
        sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p);
    execvp(g->o->agent[0], g->o->agent);
    say("could not execute \"%s\": %s", g->o->agent[0], strerror(errno));
    _exit(GUARD_EXIT_CONFIG);
}

static void agent_died(struct guard *g, int wait_status)
{
    g->agent = 0;
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    if (g->stopping || code == GUARD_EXIT_CONFIG || code == GUARD_EXIT_FATAL) {
        g->status = g->stopping ? 0 : code;
        return;
    }
    instant now = fence_now();
    bool quick = span_to_ms(instant_elapsed_least(now, g->agent_started)) < QUICK_DEATH_MS;
    g->quick_deaths = quick ? g->quick_deaths + 1 : 0;
    int64_t pause = 0;
    for (int i = QUICK_DEATHS_FREE; i < g->quick_deaths && pause < PAUSE_MAX_MS; i++)
        pause = pause ? 2 * pause : PAUSE_MS;
    /* A primary serves under a lease that only an agent renews: a pause must not cost it. */
    if (atomic_load(&g->page->armed_term) && pause > PAUSE_ARMED_MS)
        pause = PAUSE_ARMED_MS;
    say("the agent ended with status %d; starting it again%s", code, pause ? " after a pause" : "");
    g->agent_due = instant_add(now, span_ms(pause));
}

static void start_anchor(struct guard *g)
{
    g->anchor_started = fence_now();
    g->anchor = guard_anchor_start(&g->fence, g->page, g->self, g->life, g->watchdog, g->o->agent);
    if (g->anchor < 0)
        say("could not start the anchor: %s", strerror(errno));
}

static void anchor_died(struct guard *g)
{
    g->anchor = 0;
    if (span_to_ms(instant_elapsed_least(fence_now(), g->anchor_started)) >= QUICK_DEATH_MS)
        start_anchor(g);
    else
        say("the anchor does not live: nobody fences when guard and agent die together");
}

static void reap(struct guard *g)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        if (pid == g->agent)
            agent_died(g, status);
        else if (pid == g->anchor)
            anchor_died(g);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void take_priority(const struct guard_options *o)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (write(fd, "-1000", 5) < 0)
            say("the guard may be chosen by the OOM killer: %s", strerror(errno));
        close(fd);
    }
    struct sched_param p = {.sched_priority = 10};
    if (o->realtime && sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p) < 0)
        say("no real-time priority: %s", strerror(errno));
}

/* Never closed: it ends with us, and with the anchor, whose last deed must not meet the next guard's first. */
static bool lock(const char *path)
{
    int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (path && fd < 0)
        return say("could not open \"%s\": %s", path, strerror(errno)), false;
    for (int ms = 0; path && flock(fd, LOCK_EX | LOCK_NB) < 0; ms += LOCK_TICK_MS) {
        if (ms >= LOCK_WAIT_MS) {
            say("this member runs already\nDETAIL:  Another guard holds \"%s\".\n"
                "HINT:  Stop the other process first; \"fuser %s\" names it.",
                path, path);
            return false;
        }
        poll(NULL, 0, LOCK_TICK_MS); /* a blocking lock would have no time limit */
    }
    return true;
}

static bool open_all(struct guard *g)
{
    char note[640];
    if (!fence_open(&g->fence, g->o->cgroup, g->o->name, g->o->data_dir, note, sizeof note)) {
        say("%s", note);
        return false;
    }
    if (note[0])
        say("%s; PostgreSQL is fenced by signals to its processes", note);
    g->page = fence_page_make(&g->page_fd);
    g->bell = eventfd(0, EFD_NONBLOCK);
    g->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    fcntl(g->self, F_SETFD, 0);
    g->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    sigset_t set;
    sigemptyset(&set);
    for (const int *s = (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, 0}; *s; s++)
        sigaddset(&set, *s);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    g->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (g->o->watchdog) {
        g->watchdog = watchdog_open(g->o->watchdog, note, sizeof note);
        say("%s", note);
    }
    if (!g->page || g->bell < 0 || g->self < 0 || g->timer < 0 || g->signals < 0) {
        say("could not set up: %s", strerror(errno));
        return false;
    }
    put_env("PGMESH_GUARD_PAGE", g->page_fd);
    put_env("PGMESH_GUARD_BELL", g->bell);
    put_env("PGMESH_GUARD_SELF", g->self);
    setenv("PGMESH_CGROUP", g->fence.cgroup, 1);
    return true;
}

static void on_signals(struct guard *g)
{
    struct signalfd_siginfo s;
    while (read(g->signals, &s, sizeof s) == (ssize_t)sizeof s)
        switch (s.ssi_signo) {
        case SIGCHLD: reap(g); break;
        case SIGHUP:
            if (g->agent)
                kill(g->agent, SIGHUP);
            break;
        case SIGQUIT: g->status = 1; break; /* at once: everything is killed on the way out */
        case SIGTERM:
        case SIGINT:
            if (!g->stopping)
                g->stop_by = instant_add(fence_now(), span_ms(g->o->stop_ms));
            g->stopping = true;
            if (g->agent)
                kill(g->agent, SIGTERM);
            else
                g->status = 0;
            break;
        }
}

static instant sooner(instant a, instant b)
{
    return instant_is_never(a) ? b : instant_is_never(b) ? a : instant_min(a, b);
}

static void feed(struct guard *g)
{
    bool fed = watchdog_feed(g->watchdog);
    if (!fed && !g->unfed)
        say("could not feed watchdog \"%s\": %s", g->o->watchdog, strerror(errno));
    g->unfed = !fed;
}

static void live(struct guard *g)
{
    reap(g);         /* what an agent left that became this guard: their SIGCHLD came before we listened */
    start_anchor(g); /* first: agents inherit the pipe, not the other way round */
    start_agent(g);
    while (g->status < 0) {
        instant next = watch_lease(g), now = fence_now();
        if (!instant_is_never(g->agent_due) && instant_due_any(now, g->agent_due))
            start_agent(g);
        if (g->stopping && instant_due_any(now, g->stop_by)) {
            say("the agent did not stop in time");
            break;
        }
        next = sooner(sooner(next, g->agent_due), g->stopping ? g->stop_by : instant_never());
        if (g->watchdog >= 0) {
            feed(g);
            next = sooner(next, instant_add(now, span_ms(WATCHDOG_TICK_MS)));
        }
        set_timer(g, next);
        struct pollfd p[3] = {{.fd = g->signals, .events = POLLIN},
                              {.fd = g->bell, .events = POLLIN},
                              {.fd = g->timer, .events = POLLIN}};
        poll(p, 3, -1);
        uint64_t count;
        if (p[1].revents)
            eventfd_read(g->bell, &count);
        if (p[0].revents)
            on_signals(g);
    }
}

int guard_run(const struct guard_options *o)
{
    struct guard g = {.o = o, .watchdog = -1, .life = {-1, -1}, .status = -1};
    if (!lock(o->lock))
        return 1;
    take_priority(o);
    if (!open_all(&g))
        return GUARD_EXIT_CONFIG;
    if (!fence_is_empty(&g.fence)) {
        say("a PostgreSQL of an earlier start runs without a deadline and is killed");
        fence_kill(&g.fence, 5000);
    }
    live(&g);
    /* Nothing may serve when nobody watches the deadline. */
    bool dead = fence_kill(&g.fence, 5000);
    if (g.agent) {
        kill(g.agent, SIGKILL);
        waitpid(g.agent, NULL, 0);
        dead = fence_kill(&g.fence, 5000) && dead; /* what it may have started last */
    }
    if (g.watchdog >= 0 && !watchdog_close(g.watchdog, dead))
        say("could not stop watchdog \"%s\": %s", o->watchdog, strerror(errno));
    if (g.anchor > 0) {
        kill(g.anchor, SIGKILL);
        waitpid(g.anchor, NULL, 0);
    }
    fence_close(&g.fence);
    return g.status < 0 ? 1 : g.status;
}
