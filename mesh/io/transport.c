/* transport.c: sockets, links, and who may connect. */
#define _GNU_SOURCE
#include "mesh/io/transport.h"

#include "mesh/frame.h"
#include "mesh/io/transport_state.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <zmq.h>

enum {
    ZAP_PER_TURN = 64, /* handshakes answered before the loop looks at something else */
    DOMAIN_SIZE = 16,
    USER_SIZE = 24,
    RATE_DEFAULT = 2000,
    BURST_DEFAULT = 500,
    SOCKETS_MAX =
        16384, /* one for each cluster, and one for each peer's address to which something is sent, or two */
};

/* ---- the hub: context and ZAP (RFC 27) ---------------------------------------------------------------------------- */

/* libzmq aborts when the scheduler refuses what it was told to ask for, so ask first. */
static bool may_be_realtime(void)
{
    struct sched_param now, wanted = {.sched_priority = 1};
    int policy = sched_getscheduler(0);
    if (policy < 0 || sched_getparam(0, &now) != 0)
        return false;
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &wanted) != 0)
        return false;
    sched_setscheduler(0, policy, &now);
    return true;
}

struct transport_hub *transport_hub_open(bool realtime, struct problem *err)
{
    struct transport_hub *hub = calloc(1, sizeof *hub);
    int zero = 0;
    if (hub == NULL || (hub->context = zmq_ctx_new()) == NULL) {
        free(hub);
        problem_fact(err, "could not start ZeroMQ: %s", zmq_strerror(errno));
        return NULL;
    }
    zmq_ctx_set(hub->context, ZMQ_IO_THREADS, 1);
    zmq_ctx_set(hub->context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    zmq_ctx_set(hub->context, ZMQ_BLOCKY, 0);
    if (realtime && may_be_realtime()) {
        zmq_ctx_set(hub->context, ZMQ_THREAD_SCHED_POLICY, SCHED_RR);
        zmq_ctx_set(hub->context, ZMQ_THREAD_PRIORITY, 1);
    }
    /* Before any other bind: while nobody answers ZAP requests, libzmq lets every key in. */
    hub->zap = zmq_socket(hub->context, ZMQ_REP);
    if (hub->zap == NULL || zmq_setsockopt(hub->zap, ZMQ_LINGER, &zero, sizeof zero) != 0 ||
        zmq_bind(hub->zap, "inproc://zeromq.zap.01") != 0) {
        problem_fact(err, "could not start the check of keys: %s", zmq_strerror(errno));
        transport_hub_close(&hub);
        return NULL;
    }
    return hub;
}

void transport_hub_close(struct transport_hub **at)
{
    struct transport_hub *hub = *at;
    if (hub == NULL)
        return;
    for (int i = 0; i < HUB_CLUSTERS_MAX; i++)
        if (hub->clusters[i])
            transport_close(&(struct transport *){hub->clusters[i]});
    if (hub->zap)
        zmq_close(hub->zap);
    zmq_ctx_term(hub->context);
    free(hub);
    *at = NULL;
}

static int descriptor(void *socket)
{
    int fd = -1;
    size_t n = sizeof fd;
    return zmq_getsockopt(socket, ZMQ_FD, &fd, &n) == 0 ? fd : -1;
}

int transport_hub_fd(const struct transport_hub *hub)
{
    return descriptor(hub->zap);
}

/* The parts of a ZAP request that matter; the others are read and forgotten. */
struct zap_request {
    char id[32];
    size_t id_len;
    char domain[DOMAIN_SIZE];
    bool curve;
    uint8_t key[KEY_SIZE];
    bool has_key;
};

enum { ZAP_VERSION, ZAP_ID, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_IDENTITY, ZAP_MECHANISM, ZAP_CREDENTIALS };

static void zap_part(struct zap_request *r, int part, const void *bytes, size_t n)
{
    if (part == ZAP_ID && n <= sizeof r->id) {
        memcpy(r->id, bytes, n);
        r->id_len = n;
    } else if (part == ZAP_DOMAIN && n < sizeof r->domain) {
        memcpy(r->domain, bytes, n);
    } else if (part == ZAP_MECHANISM) {
        r->curve = n == 5 && memcmp(bytes, "CURVE", 5) == 0;
    } else if (part == ZAP_CREDENTIALS && n == KEY_SIZE) {
        memcpy(r->key, bytes, n);
        r->has_key = true;
    }
}

static bool zap_receive(struct transport_hub *hub, struct zap_request *r)
{
    zmq_msg_t msg;
    int more = 1;
    *r = (struct zap_request){0};
    zmq_msg_init(&msg);
    for (int part = 0; more; part++) {
        if (zmq_msg_recv(&msg, hub->zap, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&msg);
            return false;
        }
        zap_part(r, part, zmq_msg_data(&msg), zmq_msg_size(&msg));
        more = zmq_msg_more(&msg);
    }
    zmq_msg_close(&msg);
    return true;
}

static void zap_reply(struct transport_hub *hub, const struct zap_request *r, const char *status,
                      const char *text, const char *user)
{
    zmq_send(hub->zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(hub->zap, r->id, r->id_len, ZMQ_SNDMORE);
    zmq_send(hub->zap, status, strlen(status), ZMQ_SNDMORE);
    zmq_send(hub->zap, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(hub->zap, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(hub->zap, "", 0, 0);
}

static struct transport *of_domain(const struct transport_hub *hub, const char *domain)
{
    char *end;
    long number = strtol(domain, &end, 10);
    bool good = domain[0] && *end == '\0' && number >= 0 && number < HUB_CLUSTERS_MAX;
    return good ? hub->clusters[number] : NULL;
}

static const struct peer *of_curve(const struct transport *t, const uint8_t key[static KEY_SIZE])
{
    for (int i = 0; i < t->n_peers; i++)
        for (int k = 0; k < t->peers[i].n_curve; k++)
            if (memcmp(t->peers[i].curve[k], key, KEY_SIZE) == 0)
                return &t->peers[i];
    return NULL;
}

/* What a connection is known by from its handshake on: the member and the key that it showed. */
static void user_of(char user[static USER_SIZE], member_id id, const uint8_t key[static KEY_SIZE])
{
    char *at = user + snprintf(user, USER_SIZE, "%u ", (unsigned)id);
    hex_put(at, key, 8);
}

bool transport_hub_serve(struct transport_hub *hub)
{
    struct zap_request r;
    char user[USER_SIZE];
    for (int i = 0; i < ZAP_PER_TURN; i++) {
        if (!zap_receive(hub, &r))
            return false;
        struct transport *t = of_domain(hub, r.domain);
        const struct peer *peer = t && r.curve && r.has_key ? of_curve(t, r.key) : NULL;
        if (peer) {
            user_of(user, peer->known.id, r.key);
            zap_reply(hub, &r, "200", "OK", user);
            continue;
        }
        if (t)
            t->counters.refused_key++;
        zap_reply(hub, &r, "400", "unknown key", "");
    }
    return true;
}

/* ---- opening and closing ------------------------------------------------------------------------------------------- */

static bool router_options(const struct transport *t, struct problem *err)
{
    char domain[DOMAIN_SIZE];
    int n = snprintf(domain, sizeof domain, "%d", t->number), one = 1, backlog = 512, enforce = 1;
    bool good = link_options(t->router, &t->identity) &&
                zmq_setsockopt(t->router, ZMQ_CURVE_SERVER, &one, sizeof one) == 0 &&
                zmq_setsockopt(t->router, ZMQ_ZAP_DOMAIN, domain, (size_t)n) == 0 &&
                zmq_setsockopt(t->router, ZMQ_ROUTER_MANDATORY, &one, sizeof one) == 0 &&
                zmq_setsockopt(t->router, ZMQ_BACKLOG, &backlog, sizeof backlog) == 0;
#ifdef ZMQ_ZAP_ENFORCE_DOMAIN
    /* A second lock: a libzmq without this option still asks our handler, since the domain is not empty. */
    zmq_setsockopt(t->router, ZMQ_ZAP_ENFORCE_DOMAIN, &enforce, sizeof enforce);
#endif
    (void)enforce;
    return good || problem_fact(err, "could not set up the mesh socket: %s", zmq_strerror(errno));
}

static bool router_bind(struct transport *t, const struct transport_options *o, struct problem *err)
{
    char text[ADDRESS_TEXT_SIZE], endpoint[ENDPOINT_SIZE];
    t->n_listen = o->n_listen;
    memcpy(t->listen, o->listen, sizeof t->listen);
    for (int i = 0; i < o->n_listen; i++) {
        snprintf(endpoint, sizeof endpoint, "tcp://%s", address_print(text, &o->listen[i]));
        if (o->listen[i].port == 0)
            strcpy(strrchr(endpoint, ':'), ":*");
        link_family(t->router, &o->listen[i]);
        if (zmq_bind(t->router, endpoint) != 0) {
            problem_fact(err, "could not listen on %s: %s", text, zmq_strerror(errno));
            return problem_hint(
                err, "Set \"listen\" when the address in the cluster file is not one of this host, "
                     "or stop whoever uses the port.");
        }
        size_t n = ENDPOINT_SIZE;
        if (zmq_getsockopt(t->router, ZMQ_LAST_ENDPOINT, t->bound[i], &n) == 0)
            t->ports[i] = (uint16_t)atoi(strrchr(t->bound[i], ':') + 1);
    }
    return true;
}

static bool poll_begin(struct transport *t, struct problem *err)
{
    struct epoll_event e = {.events = EPOLLIN};
    if (t->identity.poll < 0 || epoll_ctl(t->identity.poll, EPOLL_CTL_ADD, descriptor(t->router), &e) != 0)
        return problem_fact(err, "could not poll the mesh socket: %s", strerror(errno));
    link_lower_rto(); /* what the router accepts inherits it */
    return true;
}

static bool add_peer(struct transport *t, const struct transport_peer *known, struct problem *err)
{
    struct peer *p = &t->peers[t->n_peers];
    p->tokens = t->burst;
    if (!transport_set_keys(p, known, err))
        return false;
    t->n_peers++;
    return true;
}

bool transport_add(struct transport *t, const struct transport_peer *peer, struct problem *err)
{
    if (t->n_peers == MEMBERS_MAX)
        return problem_fact(err, "too many members");
    memset(&t->peers[t->n_peers], 0, sizeof t->peers[0]);
    return add_peer(t, peer, err);
}

void transport_drop(struct transport *t, member_id id)
{
    for (int i = 0; i < t->n_peers; i++) {
        if (t->peers[i].known.id != id)
            continue;
        for (int j = 0; j < ADDRESSES_MAX; j++)
            link_close(&t->peers[i].links[j], &t->identity);
        if (t->renewal.active && t->renewal.peer == id) {
            link_close(&t->renewal.link, &t->identity);
            t->renewal.active = false;
        }
        t->peers[i] = t->peers[--t->n_peers];
        return;
    }
}

struct transport *transport_open(struct transport_hub *hub, const struct transport_options *o,
                                 struct problem *err)
{
    struct transport *t = calloc(1, sizeof *t);
    int number = 0;
    while (number < HUB_CLUSTERS_MAX && hub->clusters[number])
        number++;
    if (t == NULL || number == HUB_CLUSTERS_MAX) {
        free(t);
        problem_fact(err, "too many clusters in one process");
        return NULL;
    }
    t->hub = hub;
    t->number = number;
    t->rate = o->frames_per_s ? o->frames_per_s : RATE_DEFAULT;
    t->burst = o->burst ? o->burst : BURST_DEFAULT;
    t->identity.silence = o->silence;
    t->identity.poll = epoll_create1(EPOLL_CLOEXEC);
    bool good = keys_curve_secret(t->identity.secret, &o->key->secret) &&
                keys_curve_public(t->identity.public, o->key->public);
    if (!good)
        problem_fact(err, "the member's key is not a usable one");
    for (int i = 0; good && i < o->n_peers; i++)
        good = add_peer(t, &o->peers[i], err);
    hub->clusters[number] = t;
    t->router = good ? zmq_socket(hub->context, ZMQ_ROUTER) : NULL;
    if (t->router == NULL || !router_options(t, err) || !router_bind(t, o, err) || !poll_begin(t, err))
        transport_close(&t);
    return t;
}

void transport_close(struct transport **at)
{
    struct transport *t = *at;
    if (t == NULL)
        return;
    for (int i = 0; i < t->n_peers; i++)
        for (int j = 0; j < ADDRESSES_MAX; j++)
            link_close(&t->peers[i].links[j], &t->identity);
    link_close(&t->renewal.link, &t->identity);
    if (t->packet_open)
        zmq_msg_close(&t->packet);
    if (t->router)
        zmq_close(t->router);
    t->hub->clusters[t->number] = NULL;
    if (t->identity.poll >= 0)
        close(t->identity.poll);
    keys_wipe(&t->identity, sizeof t->identity);
    free(t);
    *at = NULL;
}

int transport_fd(const struct transport *t)
{
    return t->identity.poll;
}

bool transport_unsure(const struct transport *t)
{
    return t->unsure;
}

uint16_t transport_port(const struct transport *t, int i)
{
    return t->ports[i];
}

/* ---- receiving ------------------------------------------------------------------------------------------------------ */

/* Who sent it, as the handshake proved; NULL for a connection without a proof, or of a key that has been replaced since. */
static struct peer *sender(struct transport *t, zmq_msg_t *msg)
{
    char wanted[USER_SIZE];
    const char *user = zmq_msg_gets(msg, "User-Id");
    struct peer *p = user ? transport_peer_of(t, (member_id)strtoul(user, NULL, 10)) : NULL;
    for (int k = 0; p && k < p->n_curve; k++) {
        user_of(wanted, p->known.id, p->curve[k]);
        if (strcmp(user, wanted) == 0)
            return p;
    }
    return NULL;
}

static bool take_token(const struct transport *t, struct peer *p, instant now)
{
    if (!instant_is_never(p->filled)) {
        p->tokens += (double)instant_elapsed_most(now, p->filled).ns * 1e-9 * t->rate;
        if (p->tokens > t->burst)
            p->tokens = t->burst;
    }
    p->filled = now;
    if (p->tokens < 1)
        return false;
    p->tokens -= 1;
    return true;
}

/* The first frame after the rest is echoed. */
static bool wants_echo(const struct transport *t, struct peer *p, zmq_msg_t *id, instant now)
{
    struct route *oldest = &p->routes[0];
    size_t n = zmq_msg_size(id);
    if (n > sizeof oldest->id)
        return true;
    for (struct route *r = p->routes; r < p->routes + ROUTES; r++) {
        if (r->n == n && memcmp(r->id, zmq_msg_data(id), n) == 0) {
            r->heard = now;
            if (instant_elapsed_least(now, r->echoed).ns < echo_rest(&t->identity).ns)
                return false;
            r->echoed = now;
            return true;
        }
        if (r->echoed.boot_ns < oldest->echoed.boot_ns)
            oldest = r;
    }
    memcpy(oldest->id, zmq_msg_data(id), n);
    oldest->n = (uint8_t)n;
    oldest->echoed = oldest->heard = now;
    return true;
}

static void echo(struct transport *t, struct peer *p, zmq_msg_t *route, instant now)
{
    zmq_msg_t id;
    if (!wants_echo(t, p, route, now))
        return;
    zmq_msg_init(&id);
    zmq_msg_copy(&id, route);
    if (zmq_msg_send(&id, t->router, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        zmq_msg_close(&id);
        return;
    }
    if (zmq_send(t->router, "", 1, ZMQ_DONTWAIT) == 1)
        t->counters.echoes++;
}

/* What stands in t->packet, of that peer. */
static enum transport_got taken(struct transport *t, struct peer *p, instant now, struct packet *out)
{
    size_t n = zmq_msg_size(&t->packet);
    if (!take_token(t, p, now))
        t->counters.refused_rate++;
    else if (n == 0 || n > FRAME_MAX)
        t->counters.refused_size++;
    else {
        t->counters.received++;
        *out = (struct packet){.from = p->known.id, .bytes = zmq_msg_data(&t->packet), .len = n};
        return TRANSPORT_PACKET;
    }
    return TRANSPORT_REFUSED;
}

/* One message: [route, frame]. */
static enum transport_got from_router(struct transport *t, instant now, struct packet *out)
{
    enum transport_got got = TRANSPORT_REFUSED;
    zmq_msg_t route;
    zmq_msg_init(&route);
    if (zmq_msg_recv(&route, t->router, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&route);
        return TRANSPORT_NOTHING;
    }
    int parts = 0;
    bool more = zmq_msg_more(&route);
    while (more && zmq_msg_recv(&t->packet, t->router, ZMQ_DONTWAIT) >= 0) {
        more = zmq_msg_more(&t->packet);
        parts++;
    }
    struct peer *p = sender(t, &t->packet);
    if (p == NULL)
        t->counters.refused_sender++;
    else if (parts != 1)
        t->counters.refused_size++;
    else
        got = taken(t, p, now, out);
    if (got == TRANSPORT_PACKET)
        echo(t, p, &route, now);
    zmq_msg_close(&route);
    return got;
}

/* A frame by one of our own connections, from a peer that has none to us. */
static enum transport_got from_links(struct transport *t, instant now, struct packet *out)
{
    for (int i = 0; i < t->n_peers; i++)
        for (int j = 0; j < t->peers[i].known.n; j++) {
            struct link *l = &t->peers[i].links[j];
            if (!link_watched(l, &t->identity, now) || !link_listen(l, &t->identity, &t->packet, now))
                continue;
            if (!l->old)
                return taken(t, &t->peers[i], now, out);
            t->counters.refused_sender++;
            return TRANSPORT_REFUSED;
        }
    if (t->renewal.active)
        transport_hear(t, &t->renewal.link, now);
    return TRANSPORT_NOTHING;
}

enum transport_got transport_receive(struct transport *t, instant now, struct packet *out)
{
    if (t->packet_open)
        zmq_msg_close(&t->packet);
    zmq_msg_init(&t->packet);
    t->packet_open = true;
    enum transport_got got = from_router(t, now, out);
    if (got == TRANSPORT_NOTHING)
        got = from_links(t, now, out);
    if (got == TRANSPORT_NOTHING)
        t->unsure = false;
    return got;
}

void transport_count(const struct transport *t, struct transport_counters *c)
{
    *c = t->counters;
}

int transport_link_up(const struct transport *t, member_id peer)
{
    for (int i = 0; i < t->n_peers; i++)
        for (int j = 0; t->peers[i].known.id == peer && j < t->peers[i].known.n; j++)
            if (t->peers[i].links[j].up)
                return j;
    return -1;
}
