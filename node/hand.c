#define _GNU_SOURCE /* group lists */
#include "node/hand.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mesh/io/log.h"
#include "mesh/wire.h"
#include "node/hand_state.h"
#include "node/pg_act.h"
#include "node/pg_probe.h"
#include "node/pg_process.h"

enum { STACK_BYTES = 256 * 1024, LEAVE_TICK_MS = 5 };

/* ---- small things ------------------------------------------------------------------------------------------------ */

const struct hand_member *hand_member(const struct hand *h, member_id id)
{
    for (unsigned i = 0; i < h->setup.n_members; i++)
        if (h->setup.members[i].id == id)
            return &h->setup.members[i];
    return NULL;
}

/* The other threads read the list as they go: an entry stands before it is counted, and is never changed. */
void hand_members(struct hand *h, const struct hand_member *members, unsigned n)
{
    unsigned have = h->setup.n_members;
    for (unsigned i = 0; i < n && have < MEMBERS_MAX; i++) {
        if (hand_member(h, members[i].id))
            continue;
        h->setup.members[have] = members[i];
        __atomic_store_n(&h->setup.n_members, (uint8_t)++have, __ATOMIC_RELEASE);
        atomic_store(&h->members_news, true);
    }
}

bool hand_path(char out[static FILE_PATH_SIZE], const char *dir, const char *fmt, ...)
{
    int n = snprintf(out, FILE_PATH_SIZE, "%s/", dir);
    if (n < 0 || n >= FILE_PATH_SIZE)
        return false;
    va_list args;
    va_start(args, fmt);
    int m = vsnprintf(out + n, (size_t)(FILE_PATH_SIZE - n), fmt, args);
    va_end(args);
    return m >= 0 && m < FILE_PATH_SIZE - n;
}

int64_t hand_ms_since(instant t)
{
    return instant_is_never(t) ? INT64_MAX / 2 : span_to_ms(instant_elapsed_most(fence_now(), t));
}

bool hand_wait(struct hand *h, int fd, short events, int timeout_ms)
{
    struct pollfd p[2] = {{.fd = h->wake, .events = POLLIN}, {.fd = fd, .events = events}};
    if (atomic_load(&h->interrupt))
        return false;
    poll(p, 2, timeout_ms);
    eventfd_t count;
    if (p[0].revents)
        eventfd_read(h->wake, &count);
    return !atomic_load(&h->interrupt);
}

/* ---- samples ------------------------------------------------------------------------------------------------------ */

void hand_edit(struct hand *h)
{
    pthread_mutex_lock(&h->lock);
}

/* The sample's own judgement of PostgreSQL's answers: silence while frozen means nothing. */
static void judge_answering(struct hand *h)
{
    struct pg_sample *s = &h->sample;
    s->frozen = atomic_load(&h->setup.page->frozen) != 0;
    if (s->phase != PG_PRIMARY && s->phase != PG_RECOVERY)
        s->answering = false;
    else if (!s->frozen)
        s->answering = h->writer_ok && h->fresh_ok;
    if (h->receiver_known && s->upstream != MEMBER_NONE) {
        int64_t age = hand_ms_since(h->receiver_heard);
        s->upstream_age_ms = age > 3600000 ? EVIDENCE_NEVER : (uint32_t)age;
    } else {
        s->upstream_age_ms = EVIDENCE_NEVER;
    }
}

void hand_post(struct hand *h)
{
    judge_answering(h);
    struct pg_sample copy = h->sample;
    pthread_mutex_unlock(&h->lock);
    h->setup.post(h->setup.post_arg, &copy);
}

enum pg_phase hand_phase_now(struct hand *h)
{
    pthread_mutex_lock(&h->lock);
    enum pg_phase p = h->sample.phase;
    pthread_mutex_unlock(&h->lock);
    return p;
}

void hand_phase(struct hand *h, enum pg_phase phase)
{
    hand_edit(h);
    struct pg_sample *s = &h->sample;
    if (s->phase != phase) {
        log_event(LOG_LEVEL_INFO, "postgres", "PostgreSQL: %s", pg_phase_name(phase));
        h->phase_since = fence_now();
        /* A fresh server is given its first deadline from now on. */
        h->writer_ok = h->fresh_ok = phase == PG_PRIMARY || phase == PG_RECOVERY;
        h->writer_since = h->fresh_since = h->phase_since;
        if (phase != PG_RECOVERY) {
            s->sealed = false;
            s->upstream = MEMBER_NONE;
            h->receiver_known = false;
        }
        if (phase != PG_PRIMARY)
            s->n_standbys = 0;
        if (phase != PG_DOWN && phase != PG_ABSENT)
            s->confirmed_dead = s->clean = false;
    }
    s->phase = phase;
    hand_post(h);
    for (int i = 0; i < HAND_NUDGES; i++)
        eventfd_write(h->nudge[i], 1);
}

static void tell_failure(struct hand *h)
{
    uint32_t times;
    char again[64] = "";
    h->sample.goal_failures++;
    if (!hand_told_failed(&h->told, h->goal.kind, h->sample.detail, fence_now(), &times))
        return;
    if (times)
        snprintf(again, sizeof again, " (and %u times since it was told last)", (unsigned)times);
    log_event(LOG_LEVEL_ERROR, "goal_failed", "%s: %s%s", pg_goal_name(h->goal.kind), h->sample.detail,
              again);
}

void hand_progress(struct hand *h, enum pg_progress progress, const char *fmt, ...)
{
    hand_edit(h);
    if (fmt[0]) {
        va_list args;
        va_start(args, fmt);
        vsnprintf(h->sample.detail, sizeof h->sample.detail, fmt, args);
        va_end(args);
    } else if (progress == PG_GOAL_REACHED) {
        h->sample.detail[0] = '\0';
    }
    if (progress == PG_GOAL_FAILED && h->sample.progress != progress)
        tell_failure(h);
    else if (progress == PG_GOAL_REACHED)
        hand_told_reached(&h->told);
    h->sample.progress = progress;
    h->sample.goal_seq = h->goal.seq;
    hand_post(h);
}

/* ---- orders -------------------------------------------------------------------------------------------------------- */

void hand_goal(struct hand *h, const struct pg_goal *goal)
{
    pthread_mutex_lock(&h->lock);
    const struct pg_goal *last = h->has_wanted ? &h->wanted : &h->goal;
    bool same = pg_step_same(last, goal);
    h->wanted = *goal;
    h->has_wanted = true;
    if (!same)
        atomic_store(&h->interrupt, true);
    pthread_mutex_unlock(&h->lock);
    eventfd_write(h->wake, 1);
    if (!same)
        eventfd_write(h->nudge[HAND_NUDGE_STATUS], 1);
}

void hand_sync(struct hand *h, const struct pg_sync_order *order)
{
    pthread_mutex_lock(&h->lock);
    h->order = *order;
    h->has_order = true;
    pthread_mutex_unlock(&h->lock);
    eventfd_write(h->wake, 1);
    eventfd_write(h->nudge[HAND_NUDGE_STATUS], 1);
}

void hand_lease(struct hand *h, instant until, uint64_t term)
{
    fence_page_lease(h->setup.page, h->setup.bell, until, term);
}

void hand_stop(struct hand *h)
{
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    atomic_store(&h->interrupt, true);
    pthread_mutex_unlock(&h->lock);
    eventfd_write(h->wake, 1);
}

bool hand_runs(struct hand *h)
{
    switch (hand_phase_now(h)) {
    case PG_NONE:
    case PG_ABSENT:
    case PG_DOWN:
    case PG_BUSY:
    case PG_BROKEN: break;
    case PG_STARTING:
    case PG_RECOVERY:
    case PG_PROMOTING:
    case PG_PRIMARY:
    case PG_STOPPING: return true;
    }
    return false;
}

bool hand_is_down(struct hand *h)
{
    pthread_mutex_lock(&h->lock);
    bool down = h->shut_down;
    pthread_mutex_unlock(&h->lock);
    return down;
}

void hand_leave(struct hand *h, int ms)
{
    struct fence_lease lease = {0};
    hand_edit(h);
    h->sample.leaving = true;
    hand_post(h);
    instant end = instant_add(fence_now(), span_ms(ms)), enough;
    do {
        if (!atomic_load(&h->setup.page->armed_term))
            return; /* no primary: there is no lease to keep */
        poll(NULL, 0, LEAVE_TICK_MS);
        enough = instant_add(fence_now(), span_ms(2 * (int64_t)h->config->core.lease_ms));
    } while (!instant_due_any(fence_now(), end) &&
             (!fence_page_read(h->setup.page, &lease) || instant_due_any(enough, lease.until)));
}

/* ---- life ----------------------------------------------------------------------------------------------------------- */

struct found_user {
    bool exists;
    unsigned uid, gid;
    int n_groups;
    unsigned groups[HAND_GROUPS];
};

static void look_up(struct found_user *u, const char *name)
{
    const struct passwd *p = getpwnam(name);
    u->exists = p != NULL;
    if (!p)
        return;
    u->uid = p->pw_uid;
    u->gid = p->pw_gid;
    u->n_groups = HAND_GROUPS;
    if (getgrouplist(name, u->gid, u->groups, &u->n_groups) < 0)
        u->n_groups = HAND_GROUPS;
}

/* In a child: the name services load libraries that would stay in this process, locked, for ever. */
static bool look_up_apart(struct found_user *u, const char *name)
{
    int ends[2];
    *u = (struct found_user){.exists = false};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    pid_t pid = fork();
    if (pid == 0) {
        look_up(u, name);
        _exit(write(ends[1], u, sizeof *u) == (ssize_t)sizeof *u ? 0 : 1);
    }
    close(ends[1]);
    bool whole =
        pid > 0 && read(ends[0], u, sizeof *u) == (ssize_t)sizeof *u; /* less than PIPE_BUF: at once */
    close(ends[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return whole;
}

static bool find_user(struct hand *h, struct problem *err)
{
    struct found_user u;
    if (!look_up_apart(&u, h->config->user))
        return problem_fact(err, "could not look user \"%s\" up: %s", h->config->user, strerror(errno));
    if (!u.exists) {
        problem_fact(err, "user \"%s\" does not exist", h->config->user);
        return problem_hint(err, "Set \"user\" to the operating system's user that PostgreSQL runs as.");
    }
    h->uid = u.uid;
    h->gid = u.gid;
    h->n_groups = u.n_groups;
    memcpy(h->groups, u.groups, sizeof h->groups);
    h->drop = geteuid() == 0;
    if (h->uid == 0)
        return problem_fact(err, "PostgreSQL cannot run as user \"%s\"", h->config->user);
    if (!h->drop && geteuid() != h->uid) {
        problem_fact(err, "pgmesh-node runs as another user than \"%s\"", h->config->user);
        return problem_hint(err, "Run it as root, or as \"%s\".", h->config->user);
    }
    return true;
}

static bool start_thread(struct hand *h, void *(*body)(void *))
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    bool ok = pthread_create(&h->threads[h->n_threads], &attr, body, h) == 0;
    pthread_attr_destroy(&attr);
    h->n_threads += ok;
    return ok;
}

struct hand *hand_open(const struct hand_setup *setup, struct problem *err)
{
    struct hand *h = calloc(1, sizeof *h);
    if (!h) {
        problem_fact(err, "out of memory");
        return NULL;
    }
    h->setup = *setup;
    atomic_store(&h->members_news,
                 true); /* a PostgreSQL that runs already may have been started before they came */
    h->config = setup->config;
    h->postmaster_fd = -1;
    pthread_mutex_init(&h->lock, NULL);
    h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (int i = 0; i < HAND_NUDGES; i++)
        h->nudge[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    h->goal.kind = GOAL_KEEP;
    h->checkpointed = instant_never();
    bool ok = find_user(h, err) && pg_process_check(h, err);
    if (ok) {
        pg_process_find(h);
        ok = (start_thread(h, pg_act_thread) && start_thread(h, pg_probe_writer) &&
              start_thread(h, pg_probe_fresh) && start_thread(h, pg_probe_status)) ||
             problem_fact(err, "could not start a thread: %s", strerror(errno));
    }
    if (!ok)
        hand_close(&h);
    return h;
}

void hand_close(struct hand **hand)
{
    struct hand *h = *hand;
    *hand = NULL;
    if (!h)
        return;
    atomic_store(&h->closing, true);
    atomic_store(&h->interrupt, true);
    eventfd_write(h->wake, 1);
    for (int i = 0; i < HAND_NUDGES; i++)
        eventfd_write(h->nudge[i], 1);
    for (int i = 0; i < h->n_threads; i++)
        pthread_join(h->threads[i], NULL);
    pg_act_forget_connections(h);
    if (h->postmaster_fd >= 0)
        close(h->postmaster_fd);
    close(h->wake);
    for (int i = 0; i < HAND_NUDGES; i++)
        close(h->nudge[i]);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
