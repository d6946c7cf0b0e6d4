#define _GNU_SOURCE
#include "mesh/io/transport_link.h"

#include "mesh/frame.h"
#include "mesh/io/keys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <zmq.h>

#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45 /* Linux 6.15 */
#endif

enum {
    BACKOFF_MS = 200,
    BACKOFF_MAX_MS = 2000,
    SYN_FIRST_MS = 150, /* the kernel's own second try comes after 1 s */
    SYN_MS = 250,
    SYN_SLOW_MS = 1500,    /* of each fourth try */
    UNMADE_MS = 1500,      /* so long a try may take that has brought no connection, */
    UNMADE_SLOW_MS = 4000, /* and each fourth */
    SLOW_MS = 2000,        /* so long may an echo take on any path, */
    UNKNOWN_MS = 1000,     /* and on one that nothing is known of (RFC 6298, 2.1) */
    FORMER_MS = 3000,      /* so long is the former connection kept */
    WATCHED_MS = 3000,
    RTO_MIN_US =
        20000, /* one lost packet must cost less than two heartbeats; the kernel's own minimum is 200 ms */
    DESCRIPTORS_SEEN = 8192, /* a witness of 200 clusters has 2,600 */
    CURVE_OVERHEAD = 64,     /* 33 bytes (RFC 26), which ZMQ_MAXMSGSIZE counts */
};

/* Each value was measured or read in libzmq's source. */
bool link_options(void *socket, const struct link_identity *id)
{
    static const struct {
        int option, value;
    } options[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_SNDHWM, 16}, /* an old heartbeat is worth nothing: drop rather than queue */
        {ZMQ_RCVHWM, 32},
        {ZMQ_IMMEDIATE, 1}, /* nothing is queued for a connection that does not stand */
        {ZMQ_HANDSHAKE_IVL, 1500},
        {ZMQ_TOS, 0xc0},         /* CS6, network control (RFC 4594): some bytes that everything waits for */
        {ZMQ_RECONNECT_IVL, 50}, /* no IVL_MAX: since 4.3.5 it takes the jitter away */
        /* No ZMQ_HEARTBEAT_IVL: falling due on a connection that failed while the program hung with a full queue, it ends
         * the process (libzmq 4.3.4 asserts).  The echoes say more, and TCP ends what is dead. */
        {ZMQ_TCP_MAXRT, 2000},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 5},
        {ZMQ_TCP_KEEPALIVE_INTVL, 2},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
    };
    int64_t most = FRAME_MAX + CURVE_OVERHEAD;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof options[i].value) != 0)
            return false;
    return zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, id->public, KEY_SIZE) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, id->secret, KEY_SIZE) == 0;
}

void link_family(void *socket, const struct address *a)
{
    int ipv6 = strchr(a->host, ':') != NULL;
    zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
}

/* libzmq keeps its descriptors to itself, so all low ones are tried; the option means nothing to any other. */
void link_lower_rto(void)
{
    static bool unknown;
    for (int fd = 3; fd < DESCRIPTORS_SEEN && !unknown; fd++) {
        int kind = 0, value = RTO_MIN_US;
        socklen_t n = sizeof kind;
        if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &kind, &n) != 0 || kind != IPPROTO_TCP)
            continue;
        unknown =
            setsockopt(fd, IPPROTO_TCP, TCP_RTO_MIN_US, &value, sizeof value) != 0 && errno == ENOPROTOOPT;
    }
}

/* ---- watching ------------------------------------------------------------------------------------------------------ */

static int descriptor(void *socket)
{
    int fd = -1;
    size_t n = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &n) == 0 ? fd : -1;
}

static void poll_change(const struct link_identity *id, int change, void *socket)
{
    struct epoll_event e = {.events = EPOLLIN};
    if (socket)
        epoll_ctl(id->poll, change, descriptor(socket), &e);
}

static void watch_begin(struct link *l, const struct link_identity *id, instant now)
{
    if (instant_is_never(l->watched)) {
        poll_change(id, EPOLL_CTL_ADD, l->socket);
        poll_change(id, EPOLL_CTL_ADD, l->former.socket);
    }
    l->watched = instant_add(now, span_ms(WATCHED_MS));
}

static void watch_end(struct link *l, const struct link_identity *id)
{
    if (instant_is_never(l->watched))
        return;
    poll_change(id, EPOLL_CTL_DEL, l->socket);
    poll_change(id, EPOLL_CTL_DEL, l->former.socket);
    l->watched = instant_never();
}

bool link_watched(struct link *l, const struct link_identity *id, instant now)
{
    if (!instant_is_never(l->watched) && instant_due_all(now, l->watched))
        watch_end(l, id);
    return !instant_is_never(l->watched);
}

/* ---- opening and closing ------------------------------------------------------------------------------------------- */

static void discard(struct link *l, const struct link_identity *id, void **socket)
{
    if (*socket == NULL)
        return;
    if (!instant_is_never(l->watched))
        poll_change(id, EPOLL_CTL_DEL, *socket); /* before its descriptor is another's */
    zmq_close(*socket);
    *socket = NULL;
}

/* The present socket steps back for a new one if it ever worked, and its key is still right; of the one before it no more is
 * expected. */
static void step_back(struct link *l, const struct link_identity *id, instant now)
{
    if (l->old)
        discard(l, id, &l->former.socket);
    if (l->old || instant_is_never(l->echoed)) {
        discard(l, id, &l->socket);
        return;
    }
    discard(l, id, &l->former.socket);
    l->former = (struct link_former){.socket = l->socket, .unheard = l->unheard, .since = now};
    l->socket = NULL;
}

/* For a path that is slow, not broken. */
static bool is_slow(unsigned tries)
{
    return tries % 4 == 3;
}

static int connect_ms(unsigned tries)
{
    return is_slow(tries) ? SYN_SLOW_MS : tries == 0 ? SYN_FIRST_MS : SYN_MS;
}

static bool dial(struct link *l, const struct link_identity *id, const uint8_t server[static KEY_SIZE],
                 const struct address *to)
{
    char text[ADDRESS_TEXT_SIZE], endpoint[ADDRESS_TEXT_SIZE + 8];
    int ms = connect_ms(l->tries);
    snprintf(endpoint, sizeof endpoint, "tcp://%s", address_print(text, to));
    link_family(l->socket, to);
    return link_options(l->socket, id) &&
           zmq_setsockopt(l->socket, ZMQ_CONNECT_TIMEOUT, &ms, sizeof ms) == 0 &&
           zmq_setsockopt(l->socket, ZMQ_CURVE_SERVERKEY, server, KEY_SIZE) == 0 &&
           zmq_connect(l->socket, endpoint) == 0;
}

void link_open(struct link *l, void *context, const struct link_identity *id,
               const uint8_t server[static KEY_SIZE], const struct address *to, instant now)
{
    bool again = !instant_is_never(l->opened);
    int64_t ms = again && instant_is_never(l->echoed) ? 2 * span_to_ms(l->backoff) : BACKOFF_MS;
    if (ms > BACKOFF_MAX_MS)
        ms = BACKOFF_MAX_MS;
    step_back(l, id, now);
    l->tries = again ? l->tries + 1 : 0;
    l->opened = now;
    l->sent = l->asked = l->unheard = l->echoed = instant_never();
    l->up = l->old = false;
    /* Jitter, so that a whole mesh does not knock in step. */
    l->backoff = span_ms(ms + (int64_t)(keys_random_u64() % (uint64_t)(ms / 4)));
    watch_end(l, id);
    l->socket = zmq_socket(context, ZMQ_DEALER);
    if (l->socket && !dial(l, id, server, to))
        discard(l, id, &l->socket);
    watch_begin(l, id, now);
}

void link_close(struct link *l, const struct link_identity *id)
{
    watch_end(l, id);
    discard(l, id, &l->socket);
    discard(l, id, &l->former.socket);
    l->up = false;
}

/* ---- echoes -------------------------------------------------------------------------------------------------------- */

static int64_t distance(span a, span b)
{
    return a.ns < b.ns ? b.ns - a.ns : a.ns - b.ns;
}

/* By our own looking seldom no path becomes slow: what came at an unknown moment measures nothing. */
static void measure(struct link *l, const struct link_identity *id, instant now)
{
    if (instant_is_never(l->unheard) ||
        instant_elapsed_least(now, instant_max(l->looked, l->unheard)).ns > id->silence.ns)
        return;
    span took = instant_elapsed_least(now, l->unheard);
    if (l->rtt.ns == 0) {
        l->rtt = took;
        l->deviation.ns = took.ns / 2;
        return;
    }
    l->deviation.ns += (distance(l->rtt, took) - l->deviation.ns) / 4;
    l->rtt.ns += (took.ns - l->rtt.ns) / 8;
}

/* The longest time that an echo may take. */
static span link_patience(const struct link *l, const struct link_identity *id)
{
    int64_t ns = l->rtt.ns ? l->rtt.ns + 4 * l->deviation.ns : span_ms(UNKNOWN_MS).ns;
    if (ns > span_ms(SLOW_MS).ns)
        ns = span_ms(SLOW_MS).ns;
    return (span){ns > id->silence.ns ? ns : id->silence.ns};
}

static void works(struct link *l, const struct link_identity *id, instant now)
{
    if (instant_is_never(l->echoed))
        link_lower_rto();
    if (!l->up)
        watch_begin(l, id, now);
    measure(l, id, now);
    l->echoed = now;
    l->unheard = instant_never();
    l->up = true;
    l->tries = 0;
}

span echo_rest(const struct link_identity *id)
{
    return (span){id->silence.ns * 3 / 5};
}

/* The former connection was slow only: it is the link again. */
static void step_forward(struct link *l, const struct link_identity *id, instant now)
{
    discard(l, id, &l->socket);
    l->socket = l->former.socket;
    l->unheard = l->former.unheard;
    l->former.socket = NULL;
    if (instant_is_never(l->echoed))
        l->echoed = now;
}

/* One message of that socket: 1 an echo, 2 a frame, 0 none. */
static int take(void *socket, zmq_msg_t *frame)
{
    if (socket == NULL || zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0)
        return 0;
    return zmq_msg_size(frame) <= 1 ? 1 : 2;
}

bool link_listen(struct link *l, const struct link_identity *id, zmq_msg_t *frame, instant now)
{
    for (int got; (got = take(l->socket, frame)) != 0;) {
        works(l, id, now);
        discard(l, id, &l->former.socket);
        if (got == 2)
            return watch_begin(l, id, now), true;
    }
    int got = take(l->former.socket, frame);
    if (got == 0) {
        l->looked = now;
        return false;
    }
    step_forward(l, id, now);
    works(l, id, now);
    if (got == 2)
        watch_begin(l, id, now);
    return got == 2;
}

/* ---- sending ------------------------------------------------------------------------------------------------------- */

static bool hand_over(void *socket, const uint8_t *bytes, size_t n, instant *unheard, instant now)
{
    if (socket == NULL || zmq_send(socket, bytes, n, ZMQ_DONTWAIT) < 0)
        return false;
    if (unheard && instant_is_never(*unheard))
        *unheard = now;
    return true;
}

bool link_send(struct link *l, const struct link_identity *id, const uint8_t *bytes, size_t n, instant now)
{
    bool asks = instant_elapsed_least(now, l->asked).ns >= echo_rest(id).ns;
    bool former = hand_over(l->former.socket, bytes, n, asks ? &l->former.unheard : NULL, now);
    bool stands = hand_over(l->socket, bytes, n, asks ? &l->unheard : NULL, now);
    if (asks && (former || stands))
        l->asked = now;
    if (stands)
        l->sent = now;
    else if (l->up)
        watch_begin(l, id, now);
    l->up = l->up && stands;
    return stands || former;
}

static bool silent(const struct link *l, const struct link_identity *id, instant now)
{
    return !instant_is_never(l->unheard) &&
           instant_elapsed_least(now, l->unheard).ns > link_patience(l, id).ns;
}

bool link_is_up(struct link *l, const struct link_identity *id, instant now)
{
    if (l->up && silent(l, id, now)) {
        l->up = false;
        watch_begin(l, id, now);
    }
    return l->up;
}

bool link_wants_echo(const struct link *l, const struct link_identity *id, instant now)
{
    return !l->up ||
           (!instant_is_never(l->unheard) && instant_elapsed_least(now, l->unheard).ns > id->silence.ns / 2);
}

bool link_wants_copy(const struct link *l, const struct link_identity *id, instant now)
{
    return instant_is_never(l->sent) || instant_elapsed_most(now, l->sent).ns > id->silence.ns / 2;
}

bool link_is_stale(struct link *l, const struct link_identity *id, instant now)
{
    int64_t age = instant_elapsed_least(now, l->opened).ns;
    if (l->former.socket && instant_elapsed_least(now, l->former.since).ns > span_ms(FORMER_MS).ns)
        discard(l, id, &l->former.socket);
    if (link_is_up(l, id, now) || age <= l->backoff.ns)
        return false;
    /* One that does not stand is ZeroMQ's to retry, every few hundred milliseconds, for a while; when it stands and stays
     * silent, or was refused (which does not show), it is ours. */
    return l->socket == NULL || silent(l, id, now) ||
           age > span_ms(is_slow(l->tries) ? UNMADE_SLOW_MS : UNMADE_MS).ns;
}
