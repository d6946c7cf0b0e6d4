#include "node/pg_stop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mesh/io/log.h"
#include "node/hand_state.h"
#include "node/pg_conn.h"

enum {
    TICK_MS = 200,
    CHECKPOINT_FRESH_MS = 5000,
    SLOW_MS = 500, /* a stop after a checkpoint takes some 20 */
    SLOW_AGAIN_MS = 1000,
    LEFT_MAX = 4096,
    TITLE_SIZE = 48
};

/* ---- what it waits for ---------------------------------------------------------------------------------------------- */

struct left {
    pid_t pid; /* 0: nothing */
    char state;
    int rank; /* how likely it is what the others wait for */
    char title[TITLE_SIZE];
};

static bool read_proc(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* A stopped process, one that the kernel holds, a session, a walsender, and what outlives those. */
static int rank_of(char state, const char *title)
{
    static const char *const last[] = {"checkpointer", "archiver", "background writer", "logger"};
    if (state == 'T' || state == 't')
        return 4;
    if (state == 'D')
        return 3;
    for (size_t i = 0; i < sizeof last / sizeof last[0]; i++)
        if (strncmp(title, last[i], strlen(last[i])) == 0)
            return 0;
    return strncmp(title, "walsender", 9) == 0 ? 1 : 2;
}

static bool look_at(pid_t pid, struct left *out)
{
    static const char prefix[] = "postgres: ";
    char stat[512], line[128];
    bool read_both =
        read_proc(pid, "stat", stat, sizeof stat) && read_proc(pid, "cmdline", line, sizeof line);
    const char *after = read_both ? strrchr(stat, ')') : NULL; /* the name may hold anything */
    if (!after || sscanf(after + 1, " %c", &out->state) != 1 || out->state == 'Z')
        return false;
    bool child = strncmp(line, prefix, sizeof prefix - 1) == 0;
    out->pid = pid;
    snprintf(out->title, sizeof out->title, "%.47s", child ? line + sizeof prefix - 1 : "the postmaster");
    out->rank = rank_of(out->state, out->title);
    if (!child && out->rank == 2)
        out->rank = -1;
    return true;
}

/* Wakes those that are stopped; the one that the stop waits for most likely. */
static struct left press(struct hand *h)
{
    static pid_t pids[LEFT_MAX]; /* the worker's alone */
    struct left worst = {.rank = -2}, one;
    int n = fence_list(&h->setup.fence, pids, LEFT_MAX);
    for (int i = 0; i < n; i++) {
        if (!look_at(pids[i], &one))
            continue;
        if (one.rank > worst.rank)
            worst = one;
        if (h->setup.fence.cgroup[0] && (one.state == 'T' || one.state == 't'))
            kill(pids[i], SIGCONT);
    }
    return worst;
}

static const char *state_words(char state)
{
    return state == 'T' || state == 't' ? ", stopped" : state == 'D' ? ", held by the kernel" : "";
}

static void slow(struct hand *h)
{
    struct left l = press(h);
    if (!l.pid)
        return;
    hand_progress(h, PG_GOAL_RUNNING, "waits for process %d (%s)%s", (int)l.pid, l.title,
                  state_words(l.state));
    if (instant_is_never(h->stop_slow))
        log_event(LOG_LEVEL_WARNING, "stop_slow",
                  "PostgreSQL has not stopped in %d ms: it waits for process %d (%s)%s",
                  (int)hand_ms_since(h->phase_since), (int)l.pid, l.title, state_words(l.state));
    h->stop_slow = fence_now();
}

int pg_stop_commands(struct hand *h, pid_t parent)
{
    static pid_t pids[LEFT_MAX]; /* the worker's alone */
    int killed = 0, n = fence_list(&h->setup.fence, pids, LEFT_MAX);
    for (int i = 0; i < n && parent > 1; i++) {
        char stat[512];
        int its_parent;
        const char *after = read_proc(pids[i], "stat", stat, sizeof stat) ? strrchr(stat, ')') : NULL;
        if (after && sscanf(after + 1, " %*c %d", &its_parent) == 1 && its_parent == parent)
            killed += kill(pids[i], SIGKILL) == 0;
    }
    return killed;
}

/* ---- the stop ----------------------------------------------------------------------------------------------------------- */

static void begin(struct hand *h)
{
    hand_phase(h, PG_STOPPING);
    pg_act_forget_connections(h);
    h->stop_slow = instant_never();
    kill(h->postmaster, SIGINT);
}

enum pg_outcome pg_stop_cleanly(struct hand *h)
{
    if (hand_phase_now(h) != PG_STOPPING) {
        bool fresh = hand_ms_since(h->checkpointed) < CHECKPOINT_FRESH_MS;
        if (hand_phase_now(h) == PG_PRIMARY && !fresh && pg_act_control(h))
            pg_conn_command(h, h->control, "CHECKPOINT", 60000, true);
        if (atomic_load(&h->interrupt))
            return OUTCOME_AGAIN;
        begin(h);
    } else if (hand_ms_since(h->phase_since) >= SLOW_MS && hand_ms_since(h->stop_slow) >= SLOW_AGAIN_MS) {
        slow(h);
    }
    hand_wait(h, h->postmaster_fd, POLLIN, TICK_MS);
    return OUTCOME_AGAIN;
}
