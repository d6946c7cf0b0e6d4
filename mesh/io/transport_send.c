/* transport_send.c: which way a frame goes to its peer, and which links are made anew. */
#include "mesh/io/transport_state.h"

enum {
    BACK_SILENCES = 2, /* a connection by which nothing came for so long is no way back */
    BIND_AGAIN_MS = 5, /* when a port that was given back is asked for again */
    YOUNG_MS = 700,
};

/* A link that nobody polls has its echoes taken in when they are wanted, not when they come; and always before one is
 * missed.  A frame among them was sent because the peer has no connection to us any more: from now on the link is watched,
 * and the next one is not lost. */
static bool works(struct transport *t, struct link *l, instant now)
{
    if (!link_watched(l, &t->identity, now) && link_wants_echo(l, &t->identity, now))
        transport_hear(t, l, now);
    return link_is_up(l, &t->identity, now);
}

void transport_hear(struct transport *t, struct link *l, instant now)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (link_listen(l, &t->identity, &frame, now))
        t->unsure = true;
    zmq_msg_close(&frame);
}

/* By the connection by which it sends to us: ours may lack a handshake or a lost SYN yet. */
static bool send_back(struct transport *t, const struct peer *p, const uint8_t *bytes, size_t n, instant now)
{
    const struct route *newest = &p->routes[0];
    for (const struct route *r = p->routes; r < p->routes + ROUTES; r++)
        if (r->heard.boot_ns > newest->heard.boot_ns)
            newest = r;
    if (instant_is_never(newest->heard) ||
        instant_elapsed_least(now, newest->heard).ns > BACK_SILENCES * t->identity.silence.ns)
        return false;
    t->unsure = true;
    return zmq_send(t->router, newest->id, newest->n, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
           zmq_send(t->router, bytes, n, ZMQ_DONTWAIT) >= 0;
}

static bool send_on(struct transport *t, struct link *l, const uint8_t *bytes, size_t n, instant now)
{
    bool sent = link_send(l, &t->identity, bytes, n, now);
    if (sent)
        t->counters.sent++;
    else
        t->counters.send_failed++;
    t->unsure = t->unsure || link_watched(l, &t->identity, now);
    return sent;
}

void transport_send(struct transport *t, member_id to, const uint8_t *bytes, size_t n, instant now)
{
    struct peer *p = transport_peer_of(t, to);
    struct link *first = NULL;
    if (p == NULL)
        return;
    for (int i = 0; i < p->known.n; i++) {
        struct link *l = &p->links[i];
        if (l->socket == NULL && instant_is_never(l->opened))
            transport_open_link(t, p, l, i, now);
        if (first == NULL && works(t, l, now))
            first = l;
    }
    for (int i = 0; i < p->known.n; i++) {
        struct link *l = &p->links[i];
        bool wanted = first == NULL || l == first || link_wants_copy(l, &t->identity, now);
        if (wanted && !send_on(t, l, bytes, n, now) && l == first)
            first = NULL; /* the rest of the links gets it as well */
    }
    if (t->renewal.active && t->renewal.peer == to)
        send_on(t, &t->renewal.link, bytes, n, now);
    if (first == NULL && send_back(t, p, bytes, n, now))
        t->counters.sent_back++;
}

/* A link that is being made: its connection gets the shorter retransmission timeout before the handshake, not after it. */
static bool young(const struct link *l, instant now)
{
    return instant_is_never(l->echoed) && instant_elapsed_most(now, l->opened).ns < span_ms(YOUNG_MS).ns;
}

instant transport_tend(struct transport *t, instant now)
{
    bool lower = false;
    if (t->unbound > 0) {
        transport_bind_again(t);
        if (t->unbound > 0)
            return instant_add(now, span_ms(BIND_AGAIN_MS));
    }
    if (!instant_is_never(t->tended) &&
        instant_elapsed_most(now, t->tended).ns < t->identity.silence.ns * 3 / 8)
        return instant_add(t->tended, (span){t->identity.silence.ns * 3 / 4});
    t->tended = now;
    transport_renewal_drive(t, now);
    for (int i = 0; i < t->n_peers; i++) {
        struct peer *p = &t->peers[i];
        for (int j = 0; j < p->known.n; j++) {
            struct link *l = &p->links[j];
            if (instant_is_never(l->opened))
                continue;
            bool up = works(t, l, now);
            lower = lower || young(l, now);
            if (up || (!link_is_stale(l, &t->identity, now) && !transport_other_key(p, l, &t->identity, now)))
                continue;
            transport_open_link(t, p, l, j, now);
            t->counters.rebuilt++;
        }
    }
    if (lower)
        link_lower_rto();
    return instant_add(now, (span){t->identity.silence.ns * 3 / 4});
}
