/* loop.c: waiting, and the order of a turn. */
#define _GNU_SOURCE
#include "mesh/io/loop.h"

#include "mesh/io/clock.h"
#include "mesh/io/log.h"
#include "mesh/io/loop_state.h"
#include "mesh/io/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WAIT_MAX_MS = 1000, RETRY_MS = 10000, WINDOW_MS = 10000 };
enum { FIXED_HUB, FIXED_WAKE, FIXED }; /* the first of what is polled */

/* ---- opening and closing --------------------------------------------------------------------------------------------- */

static bool open_stations(struct loop *l, const struct loop_options *o, struct problem *err)
{
    for (int i = 0; i < o->n; i++) {
        struct station *s = &l->stations[i];
        s->loop = l;
        s->folder = o->folders[i];
        s->hand = o->hands[i];
        s->store = (struct store){.dir_fd = -1, .lock_fd = -1};
        s->journal = (struct journal){.fd = -1};
    }
    for (l->n = 0; l->n < o->n; l->n++) {
        struct station *s = &l->stations[l->n];
        log_as(s->folder->cluster.name, s->folder->config.member);
        if (!station_start(s, err))
            return false;
    }
    return true;
}

struct loop *loop_open(const struct loop_options *o, struct problem *err)
{
    struct loop *l = calloc(1, sizeof *l);
    const char *watchdog = getenv("WATCHDOG_USEC");
    if (l == NULL || o->n < 1 || o->n > LOOP_CLUSTERS_MAX) {
        free(l);
        problem_fact(err, "one to %d clusters fit in one process", LOOP_CLUSTERS_MAX);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->effects = malloc(sizeof *l->effects);
    l->stations = calloc((size_t)o->n, sizeof *l->stations);
    l->hub = transport_hub_open(o->realtime, err);
    l->hub_fd = l->hub ? transport_hub_fd(l->hub) : -1;
    l->hub_more = true;
    l->window = clock_now();
    l->notify_ms = watchdog ? atoll(watchdog) / 1000 / 3 : 0;
    if (l->wake_fd < 0 || l->effects == NULL || l->stations == NULL)
        problem_fact(err, "could not start: %s", strerror(errno));
    else if (l->hub && open_stations(l, o, err))
        return l;
    loop_close(&l);
    return NULL;
}

void loop_close(struct loop **at)
{
    struct loop *l = *at;
    if (l == NULL)
        return;
    for (int i = 0; i < l->n; i++)
        station_stop(&l->stations[i]);
    transport_hub_close(&l->hub);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    pthread_mutex_destroy(&l->lock);
    free(l->stations);
    free(l->effects);
    free(l);
    *at = NULL;
}

/* ---- from other threads ----------------------------------------------------------------------------------------------- */

static void wake(struct loop *l)
{
    uint64_t one = 1;
    int kept = errno;
    if (write(l->wake_fd, &one, sizeof one) < 0)
        errno = kept; /* full: it is awake already */
}

void loop_post_sample(struct loop *l, int cluster, const struct pg_sample *sample)
{
    pthread_mutex_lock(&l->lock);
    l->stations[cluster].sample = *sample;
    l->stations[cluster].posted = true;
    pthread_mutex_unlock(&l->lock);
    wake(l);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    wake(l);
}

/* ---- a turn -------------------------------------------------------------------------------------------------------------- */

static void speak_for(const struct loop *l, const struct station *s)
{
    if (l->n > 1)
        log_as(s->folder->cluster.name, s->folder->config.member);
}

/* How long nothing is due; at most a second. */
static span until_due(const struct loop *l, instant now)
{
    span least = span_ms(WAIT_MAX_MS);
    for (int i = 0; i < l->n; i++) {
        const struct station *s = &l->stations[i];
        if (!s->running)
            continue;
        int64_t left = s->more ? 0 : -instant_elapsed_most(now, station_wake(s)).ns;
        if (left < least.ns)
            least.ns = left;
    }
    return least.ns < 0 || l->hub_more ? (span){0} : least;
}

/* What is polled: the hub and the wake-up, each cluster's mesh descriptor, each cluster's control descriptors. */
struct watched {
    struct pollfd fds[FIXED + LOOP_CLUSTERS_MAX * (CONTROL_CLIENTS_MAX + 2)];
    int n;
    int mesh[LOOP_CLUSTERS_MAX];             /* -1: does not run */
    int control_from[LOOP_CLUSTERS_MAX + 1]; /* cluster i: from [i] up to [i + 1] */
};

static void watch(const struct loop *l, struct watched *w)
{
    w->n = 0;
    w->fds[w->n++] = (struct pollfd){.fd = l->hub_fd, .events = POLLIN};
    w->fds[w->n++] = (struct pollfd){.fd = l->wake_fd, .events = POLLIN};
    for (int i = 0; i < l->n; i++) {
        const struct station *s = &l->stations[i];
        w->mesh[i] = s->running ? w->n : -1;
        if (s->running)
            w->fds[w->n++] = (struct pollfd){.fd = s->fd, .events = POLLIN};
    }
    for (int i = 0; i < l->n; i++) {
        w->control_from[i] = w->n;
        if (l->stations[i].running)
            w->n += control_poll(l->stations[i].control, &w->fds[w->n], CONTROL_CLIENTS_MAX + 1);
    }
    w->control_from[l->n] = w->n;
}

/* Own lateness, for status; no deadline is judged by it. */
static void measure(struct loop *l, instant wanted, instant now)
{
    int64_t late = span_to_us(instant_elapsed_least(now, wanted));
    if (instant_elapsed_least(now, l->window).ns > span_ms(WINDOW_MS).ns) {
        l->late_before_us = l->late_us;
        l->late_us = 0;
        l->window = now;
    }
    if (late > 0 && (uint64_t)late > l->late_us)
        l->late_us = (uint64_t)late;
}

/* Input first.  A cluster whose deadline has come is drained whatever its descriptor says: ZeroMQ's announces changes
 * only, and one that went unnoticed must cost a heartbeat, never a lease. */
static void drain(struct loop *l, const struct watched *w)
{
    uint64_t count;
    bool posted = w->fds[FIXED_WAKE].revents && read(l->wake_fd, &count, sizeof count) > 0;
    if (l->hub_more || w->fds[FIXED_HUB].revents)
        l->hub_more = transport_hub_serve(l->hub);
    instant now = clock_now();
    for (int i = 0; i < l->n; i++) {
        struct station *s = &l->stations[i];
        if (!s->running || w->mesh[i] < 0)
            continue;
        if (!posted && !s->more && !w->fds[w->mesh[i]].revents && !instant_due_any(now, station_wake(s)))
            continue;
        speak_for(l, s);
        station_drain(s);
    }
}

static void serve_control(struct loop *l, const struct watched *w)
{
    instant now = clock_now();
    for (int i = 0; i < l->n; i++) {
        struct station *s = &l->stations[i];
        bool ready = !instant_is_never(s->control_wake) && instant_due_any(now, s->control_wake);
        for (int k = w->control_from[i]; k < w->control_from[i + 1]; k++)
            ready = ready || w->fds[k].revents;
        if (!ready || !s->running)
            continue;
        speak_for(l, s);
        station_control(s, now);
    }
}

static void tick(struct loop *l)
{
    for (int i = 0; i < l->n; i++)
        if (l->stations[i].running) {
            speak_for(l, &l->stations[i]);
            station_tick(&l->stations[i], clock_now());
        }
}

/* Closes what has halted; with several clusters, starts it anew after a while. */
static void mend(struct loop *l, instant now)
{
    struct problem problem;
    for (int i = 0; i < l->n; i++) {
        struct station *s = &l->stations[i];
        if (s->running)
            continue;
        speak_for(l, s);
        if (s->core) {
            station_stop(s);
            s->retry = instant_add(now, span_ms(RETRY_MS));
        } else if (l->n > 1 && s->end == LOOP_FAILED && instant_due_any(now, s->retry)) {
            if (!station_start(s, &problem)) {
                log_problem(LOG_LEVEL_ERROR, "restart-failed", &problem);
                s->retry = instant_add(now, span_ms(RETRY_MS));
            }
        }
    }
}

static void notify(struct loop *l, instant now)
{
    if (l->notify_ms == 0 || (!instant_is_never(l->notified) &&
                              instant_elapsed_least(now, l->notified).ns < span_ms(l->notify_ms).ns))
        return;
    l->notified = now;
    process_notify("WATCHDOG=1");
}

/* Whether any cluster runs, or will be tried again; if not, why the last one stopped. */
static bool any_left(const struct loop *l, enum loop_end *end)
{
    bool left = false;
    for (int i = 0; i < l->n; i++) {
        const struct station *s = &l->stations[i];
        left = left || s->running || (l->n > 1 && s->end == LOOP_FAILED);
        if (!s->running)
            *end = s->end;
    }
    return left;
}

enum loop_end loop_run(struct loop *l)
{
    struct watched *w = calloc(1, sizeof *w);
    enum loop_end end = LOOP_FAILED;
    process_notify("READY=1");
    while (w && !atomic_load(&l->stop) && any_left(l, &end)) {
        instant before = clock_now();
        span wait = until_due(l, before);
        watch(l, w);
        if (ppoll(w->fds, (nfds_t)w->n, &(struct timespec){wait.ns / 1000000000, wait.ns % 1000000000},
                  NULL) < 0)
            memset(w->fds, 0,
                   sizeof w->fds[0] * (size_t)w->n); /* interrupted: what is ready shows the next time */
        instant now = clock_now();
        measure(l, instant_add(before, wait), now);
        drain(l, w);
        tick(l);
        serve_control(l, w);
        mend(l, now);
        notify(l, now);
    }
    free(w);
    return atomic_load(&l->stop) ? LOOP_STOPPED : end;
}
