/* loop.c: waiting, and the order of a turn. */
#define _GNU_SOURCE
#include "mesh/io/loop.h"

#include "mesh/io/clock.h"
#include "mesh/io/log.h"
#include "mesh/io/loop_state.h"
#include "mesh/io/process.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WAIT_MAX_MS = 1000, RETRY_MS = 10000, WINDOW_MS = 10000 };
/* What a descriptor in the set belongs to: of the loop itself, or two for each cluster. */
enum { KEY_HUB, KEY_WAKE, KEY_STATIONS, EVENTS_PER_TURN = 256 };

/* ---- opening and closing --------------------------------------------------------------------------------------------- */

static bool watch(struct loop *l, int fd, uint32_t key)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = key};
    return fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

/* ZeroMQ closes its descriptor some time after the socket; the control socket's leaves the set by being closed. */
static void finish(struct loop *l, struct station *s)
{
    if (s->transport)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, transport_fd(s->transport), NULL);
    station_stop(s);
}

static bool begin(struct loop *l, int i, struct problem *err)
{
    struct station *s = &l->stations[i];
    if (!station_start(s, err))
        return false;
    s->wake = instant_min(clock_now(), station_wake(s));
    if (watch(l, transport_fd(s->transport), (uint32_t)(KEY_STATIONS + 2 * i)) &&
        watch(l, control_fd(s->control), (uint32_t)(KEY_STATIONS + 2 * i + 1)))
        return true;
    problem_fact(err, "could not watch the sockets of cluster \"%s\": %s", s->folder->cluster.name,
                 strerror(errno));
    finish(l, s);
    return false;
}

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
        if (begin(l, l->n, err))
            continue;
        if (o->n == 1)
            return false;
        log_problem(LOG_LEVEL_ERROR, "restart-failed", err); /* the others are served; it is tried again */
        s->end = LOOP_FAILED;
        s->retry = instant_add(clock_now(), span_ms(RETRY_MS));
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
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->hub_more = true;
    l->window = clock_now();
    l->notify_ms = watchdog ? atoll(watchdog) / 1000 / 3 : 0;
    if (l->wake_fd < 0 || l->effects == NULL || l->stations == NULL)
        problem_fact(err, "could not start: %s", strerror(errno));
    else if (l->hub && (!watch(l, transport_hub_fd(l->hub), KEY_HUB) || !watch(l, l->wake_fd, KEY_WAKE)))
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
    if (l->epoll >= 0)
        close(l->epoll);
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
        int64_t left = s->more ? 0 : -instant_elapsed_most(now, s->wake).ns;
        if (left < least.ns)
            least.ns = left;
    }
    return least.ns < 0 || l->hub_more ? (span){0} : least;
}

/* epoll_wait() counts in milliseconds, ppoll() does not.  Notes who is ready; false: nothing was posted. */
static bool await(struct loop *l, span wait)
{
    struct pollfd all = {.fd = l->epoll, .events = POLLIN};
    struct epoll_event events[EVENTS_PER_TURN];
    struct timespec time = {wait.ns / 1000000000, wait.ns % 1000000000};
    uint64_t count;
    bool posted = false;
    int n = ppoll(&all, 1, &time, NULL) > 0 ? epoll_wait(l->epoll, events, EVENTS_PER_TURN, 0) : 0;
    for (int i = 0; i < n; i++) {
        uint32_t key = events[i].data.u32;
        if (key == KEY_HUB)
            l->hub_more = true;
        else if (key == KEY_WAKE)
            posted = read(l->wake_fd, &count, sizeof count) > 0;
        else if (key % 2 == KEY_STATIONS % 2)
            l->stations[(key - KEY_STATIONS) / 2].ready = true;
        else
            l->stations[(key - KEY_STATIONS) / 2].asked = true;
    }
    return posted;
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

/* Input first, and deadlines after that, of each cluster for itself.  One whose deadline has come is drained whatever its
 * descriptor says: ZeroMQ's announces changes only, and one that went unnoticed must cost a heartbeat, never a lease. */
static void turn(struct loop *l, struct station *s, bool posted)
{
    instant now = clock_now();
    bool due = instant_due_any(now, s->wake), drain = s->ready || s->more || posted || due,
         control = s->asked || (!instant_is_never(s->control_wake) && instant_due_any(now, s->control_wake));
    s->ready = s->asked = false;
    if (!drain && !control)
        return;
    speak_for(l, s);
    if (drain)
        station_drain(s);
    if (s->running)
        station_tick(s, clock_now());
    if (s->running && control)
        station_control(s, now);
    if (s->running)
        s->wake = station_wake(s);
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
            finish(l, s);
            s->retry = instant_add(now, span_ms(RETRY_MS));
        } else if (l->n > 1 && s->end == LOOP_FAILED && instant_due_any(now, s->retry)) {
            if (!begin(l, i, &problem)) {
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
    enum loop_end end = LOOP_FAILED;
    process_notify("READY=1");
    while (!atomic_load(&l->stop) && any_left(l, &end)) {
        instant before = clock_now();
        span wait = until_due(l, before);
        bool posted = await(l, wait);
        instant now = clock_now();
        measure(l, instant_add(before, wait), now);
        if (l->hub_more)
            l->hub_more = transport_hub_serve(l->hub);
        for (int i = 0; i < l->n; i++)
            if (l->stations[i].running)
                turn(l, &l->stations[i], posted);
        mend(l, now);
        notify(l, now);
    }
    return atomic_load(&l->stop) ? LOOP_STOPPED : end;
}
