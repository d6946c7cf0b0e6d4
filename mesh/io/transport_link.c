#define _GNU_SOURCE
#include "mesh/io/transport_link.h"

#include "mesh/frame.h"
#include "mesh/io/keys.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <zmq.h>

#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45 /* Linux 6.15 */
#endif

enum {
    BACKOFF_MS = 200,
    BACKOFF_MAX_MS = 2000,
    REFUSED_MS = 10000, /* after a refusal libzmq does not try again by itself */
    RTO_MIN_US =
        20000, /* one lost packet must cost less than two heartbeats; the kernel's own minimum is 200 ms */
    DESCRIPTORS_SEEN = 8192, /* a witness of 200 clusters has 2,600 */
    CURVE_OVERHEAD = 64,     /* 33 bytes (RFC 26), which ZMQ_MAXMSGSIZE counts */
};

/* docs/protocol.md, "Links"; each value was measured or read in libzmq's source. */
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
        {ZMQ_CONNECT_TIMEOUT, 250}, /* the kernel's own second try comes after 1 s */
        {ZMQ_RECONNECT_IVL, 50},    /* no IVL_MAX: since 4.3.5 it takes the jitter away */
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

/* Lowers the retransmission timeout of this process's TCP connections where the kernel lets it.  libzmq keeps its
 * descriptors to itself, so all low ones are tried; the option means nothing to any other. */
static void lower_rto(void)
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

void link_open(struct link *l, void *context, const struct link_identity *id,
               const uint8_t server[static KEY_SIZE], const struct address *to, instant now)
{
    char text[ADDRESS_TEXT_SIZE], endpoint[ADDRESS_TEXT_SIZE + 8];
    bool again = !instant_is_never(l->opened);
    int64_t ms = again && instant_is_never(l->echoed) ? 2 * span_to_ms(l->backoff) : BACKOFF_MS;
    if (ms > BACKOFF_MAX_MS)
        ms = BACKOFF_MAX_MS;
    /* Jitter, so that a whole mesh does not knock in step. */
    *l = (struct link){.opened = now,
                       .backoff = span_ms(ms + (int64_t)(keys_random_u64() % (uint64_t)(ms / 4)))};
    l->socket = zmq_socket(context, ZMQ_DEALER);
    if (l->socket == NULL)
        return;
    snprintf(endpoint, sizeof endpoint, "tcp://%s", address_print(text, to));
    link_family(l->socket, to);
    if (!link_options(l->socket, id) ||
        zmq_setsockopt(l->socket, ZMQ_CURVE_SERVERKEY, server, KEY_SIZE) != 0 ||
        zmq_connect(l->socket, endpoint) != 0)
        link_close(l);
}

void link_close(struct link *l)
{
    if (l->socket)
        zmq_close(l->socket);
    l->socket = NULL;
    l->up = false;
}

/* Takes in the echoes that wait. */
static void listen_for(struct link *l, instant now)
{
    char byte;
    bool any = false;
    while (l->socket && zmq_recv(l->socket, &byte, 1, ZMQ_DONTWAIT) >= 0)
        any = true;
    if (!any)
        return;
    if (instant_is_never(l->echoed))
        lower_rto();
    l->echoed = now;
    l->unheard = instant_never();
    l->up = true;
}

span echo_rest(const struct link_identity *id)
{
    return (span){id->silence.ns * 3 / 5};
}

bool link_send(struct link *l, const struct link_identity *id, const uint8_t *bytes, size_t n, instant now)
{
    if (l->socket == NULL || zmq_send(l->socket, bytes, n, ZMQ_DONTWAIT) < 0)
        return false;
    l->sent = now;
    if (instant_is_never(l->unheard) && instant_elapsed_least(now, l->asked).ns >= echo_rest(id).ns)
        l->asked = l->unheard = now;
    return true;
}

static bool unheard_for(const struct link *l, int64_t ns, instant now)
{
    return !instant_is_never(l->unheard) && instant_elapsed_least(now, l->unheard).ns > ns;
}

static bool silent(const struct link *l, const struct link_identity *id, instant now)
{
    return unheard_for(l, id->silence.ns, now);
}

/* Echoes are looked for when they are wanted, not when they come; and always before one is missed. */
bool link_is_up(struct link *l, const struct link_identity *id, instant now)
{
    if (!l->up || unheard_for(l, id->silence.ns / 2, now))
        listen_for(l, now);
    if (silent(l, id, now))
        l->up = false;
    return l->up;
}

bool link_wants_copy(const struct link *l, const struct link_identity *id, instant now)
{
    return instant_is_never(l->sent) || instant_elapsed_most(now, l->sent).ns > id->silence.ns / 2;
}

bool link_is_stale(struct link *l, const struct link_identity *id, instant now)
{
    bool tried = instant_elapsed_least(now, l->opened).ns > l->backoff.ns;
    if (link_is_up(l, id, now) || !tried)
        return false;
    /* One that does not stand is ZeroMQ's to retry, every few hundred milliseconds; when it stands and stays silent,
     * or was refused (which does not show), it is ours. */
    return l->socket == NULL || silent(l, id, now) ||
           instant_elapsed_least(now, l->opened).ns > span_ms(REFUSED_MS).ns;
}
