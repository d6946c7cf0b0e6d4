#define _GNU_SOURCE /* pipe2, close_range, setgroups */
#include "node/route_run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mesh/io/clock.h"
#include "mesh/io/process.h"

/* Between fork and exec: only what is async-signal-safe. */
static void child(const struct route_run *r, int in, int out)
{
    static char *const env[] = {"LC_ALL=C.UTF-8",
                                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    char *const argv[] = {(char *)r->program, (char *)r->argument, NULL};
    const struct route_user *u = &r->user;
    sigset_t none;
    setpgid(0, 0);
    process_child();
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    if (u->drop &&
        (setgroups((size_t)u->n_groups, u->groups) < 0 || setgid(u->gid) < 0 || setuid(u->uid) < 0))
        _exit(126);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
        _exit(126);
    close_range(3, ~0U, 0);
    if (chdir("/") == 0)
        execve(r->program, argv, env);
    _exit(127);
}

/* false: the other end is closed. */
static bool take(struct route_run *r, int out)
{
    char text[1024];
    ssize_t n;
    while ((n = read(out, text, sizeof text)) > 0) {
        size_t room = ROUTE_RUN_OUTPUT - r->n_output, kept = (size_t)n < room ? (size_t)n : room;
        memcpy(r->output + r->n_output, text, kept);
        r->n_output += kept;
        r->lost += (size_t)n - kept;
    }
    r->output[r->n_output] = '\0';
    return n < 0 && errno == EAGAIN;
}

/* Feeds and listens until the process has ended (true) or the time is up.  Closes `in`.  What the program left running
 * may hold its output open: that is not waited for. */
static bool attend(struct route_run *r, int pidfd, int in, int out, instant end)
{
    size_t fed = 0, total = strlen(r->input);
    struct pollfd p[3] = {
        {.fd = pidfd, .events = POLLIN}, {.fd = out, .events = POLLIN}, {.fd = in, .events = POLLOUT}};
    bool ended = false;
    for (int64_t left; !ended && (left = span_to_ms(instant_elapsed_least(end, clock_now()))) >= 0;) {
        poll(p, 3, (int)left + 1);
        ended = p[0].revents != 0;
        if (p[1].fd >= 0 && !take(r, out))
            p[1].fd = -1;
        if (p[2].revents) {
            ssize_t n = write(in, r->input + fed, total - fed);
            fed += n > 0 ? (size_t)n : 0;
            if (fed == total || (n < 0 && errno != EAGAIN)) {
                close(in);
                p[2].fd = -1;
            }
        }
    }
    if (p[2].fd >= 0)
        close(in);
    return ended;
}

static void watch(struct route_run *r, pid_t pid, int in, int out, instant begun)
{
    int status = 0, pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r->timed_out = !attend(r, pidfd, in, out, instant_add(begun, span_ms(r->timeout_ms)));
    if (r->timed_out)
        kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (pidfd >= 0)
        close(pidfd);
}

bool route_run(struct route_run *r)
{
    int in[2], out[2];
    instant begun = clock_now();
    r->timed_out = false;
    r->status = -1;
    r->took_ms = 0;
    r->n_output = r->lost = 0;
    r->output[0] = '\0';
    if (pipe2(in, O_CLOEXEC) < 0)
        return false;
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return false;
    }
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    pid_t pid = fork();
    if (pid == 0)
        child(r, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (pid > 0) {
        setpgid(pid, pid);
        watch(r, pid, in[1], out[0], begun);
    } else {
        close(in[1]);
    }
    close(out[0]);
    r->took_ms = span_to_ms(instant_elapsed_most(clock_now(), begun));
    return r->status == 0 && !r->timed_out;
}
