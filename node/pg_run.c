#define _GNU_SOURCE /* pipe2, close_range, setgroups */
#include "node/pg_run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mesh/io/process.h"
#include "node/hand_state.h"

void pg_run_become(const struct hand *h, int fence_fd, int held)
{
    if (fence_fd >= 0 && write(fence_fd, "0", 1) != 1)
        _exit(126); /* outside of the fence nothing may touch the data directory */
    process_child();
    sigset_t blocked;
    sigemptyset(&blocked);
    if (held)
        sigaddset(&blocked, held);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    umask(077);
    if (h->drop &&
        (setgroups((size_t)h->n_groups, h->groups) < 0 || setgid(h->gid) < 0 || setuid(h->uid) < 0))
        _exit(126);
}

static void child(const struct hand *h, struct pg_run *r, int fence_fd, int in, int out)
{
    char path[FILE_PATH_SIZE + 64];
    const char *argv[PG_RUN_ARGS + 1] = {path}; /* whole: they look for each other beside themselves */
    for (int i = 0; i < PG_RUN_ARGS - 1 && r->args[i]; i++)
        argv[i + 1] = r->args[i];
    setpgid(0, 0);
    pg_run_become(h, fence_fd, 0);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    close_range(3, ~0U, 0);
    snprintf(path, sizeof path, "%s/%s", h->config->bin_dir, r->program);
    char *env[] = {"LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL,
                   NULL};
    char pass[FILE_PATH_SIZE + 32];
    if (h->config->data_dir[0]) {
        snprintf(pass, sizeof pass, "PGPASSFILE=%s.pass", h->config->data_dir);
        env[2] = pass;
    }
    if (chdir("/") < 0)
        _exit(126);
    execve(path, (char *const *)argv, env);
    dprintf(STDERR_FILENO, "could not execute \"%s\": %s\n", path, strerror(errno));
    _exit(127);
}

static void keep(struct pg_run *r, const char *text, size_t n)
{
    enum { ROOM = PG_RUN_KEEP - 1 };
    if (n > ROOM) {
        text += n - ROOM;
        n = ROOM;
    }
    if (r->n_output + n > ROOM) {
        size_t drop = r->n_output + n - ROOM;
        memmove(r->output, r->output + drop, r->n_output - drop);
        r->n_output -= drop;
    }
    memcpy(r->output + r->n_output, text, n);
    r->n_output += n;
    r->output[r->n_output] = '\0';
}

const char *pg_run_last_line(struct pg_run *r)
{
    static const char nothing[] = "it said nothing";
    while (r->n_output && strchr("\r\n ", r->output[r->n_output - 1]))
        r->output[--r->n_output] = '\0';
    if (!r->n_output)
        return nothing;
    size_t i = r->n_output;
    while (i > 0 && r->output[i - 1] != '\n' && r->output[i - 1] != '\r')
        i--;
    return r->output + i;
}

/* Feeds input, collects output until both ends are closed; false when interrupted. */
static bool converse(struct hand *h, struct pg_run *r, int *in, int out)
{
    size_t fed = 0, total = r->input ? strlen(r->input) : 0;
    for (char text[2048];;) {
        if (*in >= 0 && fed < total) {
            ssize_t n = write(*in, r->input + fed, total - fed);
            if (n > 0)
                fed += (size_t)n;
            else if (errno != EAGAIN)
                fed = total;
        }
        if (*in >= 0 && fed == total) {
            close(*in);
            *in = -1;
        }
        ssize_t n = read(out, text, sizeof text);
        if (n == 0)
            return true;
        if (n > 0) {
            keep(r, text, (size_t)n);
            if (r->progress)
                r->progress(h, pg_run_last_line(r));
            continue;
        }
        struct pollfd p = {.fd = out, .events = POLLIN};
        if (r->steady)
            poll(&p, 1, *in >= 0 ? 10 : 1000);
        else if (!hand_wait(h, out, POLLIN, *in >= 0 ? 10 : 1000))
            return false;
    }
}

int pg_run(struct hand *h, struct pg_run *r)
{
    int in[2], out[2], fence_fd = r->in_fence ? fence_entry_fd(&h->setup.fence) : -1;
    r->n_output = 0;
    r->output[0] = '\0';
    r->interrupted = false;
    if (pipe2(in, O_CLOEXEC) < 0)
        return -1;
    if (pipe2(out, O_CLOEXEC) < 0) {
        close(in[0]);
        close(in[1]);
        return -1;
    }
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    pid_t pid = fork();
    if (pid == 0)
        child(h, r, fence_fd, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    if (fence_fd >= 0)
        close(fence_fd);
    int status = -1;
    if (pid > 0) {
        setpgid(pid, pid);
        r->interrupted = !converse(h, r, &in[1], out[0]);
        if (r->interrupted)
            kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    if (in[1] >= 0)
        close(in[1]);
    close(out[0]);
    if (pid < 0 || r->interrupted || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
