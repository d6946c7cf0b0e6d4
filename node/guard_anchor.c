#define _GNU_SOURCE /* pipe2, close_range */
#include "node/guard_anchor.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { LOOK_MS = 5, KILL_WAIT_MS = 5000 };

enum anchor_verdict guard_anchor_judge(bool alone, bool dismissed, uint64_t armed_term,
                                       const struct fence_lease *lease, instant now)
{
    if (dismissed)
        return ANCHOR_LEAVE;
    if (alone)
        return ANCHOR_KILL;
    bool held = lease->term == armed_term && !instant_due_any(now, lease->until);
    return armed_term != 0 && !held ? ANCHOR_KILL : ANCHOR_WAIT;
}

static enum anchor_verdict look(struct fence_page *page, int pipe, struct fence_lease *last)
{
    struct pollfd p = {.fd = pipe};
    fence_page_read(page, last); /* torn by an agent that died writing: the last whole one stays */
    bool alone = poll(&p, 1, 0) > 0 && (p.revents & POLLHUP);
    return guard_anchor_judge(alone, atomic_load(&page->dismissed), atomic_load(&page->armed_term), last,
                              fence_now());
}

__attribute__((noreturn)) static void hold(const struct fence *fence, struct fence_page *page, int guard,
                                           int pipe)
{
    struct pollfd p[2] = {{.fd = guard, .events = POLLIN}, {.fd = pipe}};
    struct fence_lease last = {0};
    enum anchor_verdict v;
    while (poll(p, 1, -1) <= 0) {
    }
    while ((v = look(page, pipe, &last)) == ANCHOR_WAIT)
        poll(&p[1], 1, LOOK_MS); /* the page cannot be waited on */
    if (v == ANCHOR_KILL) {
        static const char text[] = "pgmesh-guard: guard and agent are gone, PostgreSQL is killed\n";
        fence_kill(fence, KILL_WAIT_MS);
        if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
            _exit(1);
    }
    _exit(0);
}

static void rename_self(char *const *agent)
{
    static const char name[] = "--anchor";
    prctl(PR_SET_NAME, "pgmesh-anchor");
    for (char *const *a = agent; *a; a++) {
        size_t n = strlen(*a);
        memset(*a, 0, n);
        if (a == agent && n >= sizeof name)
            memcpy(*a, name, sizeof name);
    }
}

static void become_anchor(bool realtime)
{
    sigset_t all;
    setsid();
    sigfillset(&all); /* who wants it gone uses SIGKILL */
    sigprocmask(SIG_SETMASK, &all, NULL);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
    struct sched_param priority = {.sched_priority = 10};
    if (realtime)
        sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority);
    if (chdir("/") < 0)
        return;
}

pid_t guard_anchor_start(const struct fence *fence, struct fence_page *page, int guard, int life[static 2],
                         int watchdog, char *const *agent)
{
    bool realtime = sched_getscheduler(0) & SCHED_RR; /* a fork resets it */
    if (life[0] < 0 && pipe2(life, 0) < 0)
        return -1;
    fcntl(life[0], F_SETFD, FD_CLOEXEC);
    pid_t pid = fork();
    if (pid == 0) {
        rename_self(agent);
        become_anchor(realtime);
        /* The end that it watches must be held by nobody but guard and agent. */
        close(life[1]);
        if (watchdog >= 0) /* one process may have it open, and the next guard is to */
            close(watchdog);
        hold(fence, page, guard, life[0]);
    }
    return pid;
}
