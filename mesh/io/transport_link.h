/* transport_link.h: one DEALER to one address of one peer: opened, judged, opened anew (states: transport.h).
 *
 * How long an echo may take is learnt from the echoes (Jacobson 1988; RFC 6298): four times their mean deviation above
 * their smoothed time, at least `silence`.  A path that has become slower is not a dead one, so a link that is opened
 * anew keeps its former connection beside the new one until either of them echoes; an echo says which of the two it
 * answers, so none is ambiguous (Karn & Partridge 1987).
 *
 * A link is *watched*, that is, its descriptor is polled, while the peer may answer on it with whole frames because it has
 * no connection of its own to us yet: for a while after it was opened, stopped working, or carried such a frame. */
#ifndef PGMESH_MESH_IO_TRANSPORT_LINK_H
#define PGMESH_MESH_IO_TRANSPORT_LINK_H

#include "mesh/io/address.h"
#include "policy/base.h"
#include "policy/instant.h"

#include <zmq.h>

/* What all links of a transport share. */
struct link_identity {
    uint8_t public[KEY_SIZE], secret[KEY_SIZE]; /* X25519 */
    span silence;
    int poll; /* epoll descriptor for those that are watched */
};

/* A socket that was given up, and may yet prove to be slow only. */
struct link_former {
    void *socket; /* NULL: there is none */
    instant unheard, since;
};

struct link {
    void *socket;    /* NULL: could not be opened */
    instant opened;  /* never: not wanted yet */
    instant sent;    /* last accepted by ZeroMQ */
    instant asked;   /* last frame sent that has to be echoed: the others follow on one within echo_rest() */
    instant unheard; /* since when that one is without an echo; never: it is not */
    instant echoed;  /* last echo */
    instant looked;  /* when last there was none left */
    bool up;
    bool old;            /* of a key that one of both ends has replaced */
    span backoff;        /* the present try may last so long */
    unsigned tries;      /* since the last echo */
    span rtt, deviation; /* of the echoes, smoothed; 0: none came yet */
    instant watched;     /* until then; never: it is not */
    struct link_former former;
};

/* One echo in so long says as much as one for each frame: who takes frames in rests for so long after each. */
span echo_rest(const struct link_identity *id);

/* What both kinds of sockets have in common, keys included. */
bool link_options(void *socket, const struct link_identity *id);
/* IPv4 or IPv6, for the next bind or connect. */
void link_family(void *socket, const struct address *a);

/* A fresh socket on its way to the address, beside the one that there was if that ever worked; a failure shows as a link
 * that never comes up. */
void link_open(struct link *l, void *context, const struct link_identity *id,
               const uint8_t server[static KEY_SIZE], const struct address *to, instant now);
void link_close(struct link *l, const struct link_identity *id); /* keeps what is known of its past */
/* Takes in the echoes that wait.  true: `frame`, which the caller has initialised, is a whole frame that the peer sent by
 * this connection; there may be more. */
bool link_listen(struct link *l, const struct link_identity *id, zmq_msg_t *frame, instant now);
/* Is its descriptor polled?  Ends the watch when its time is over. */
bool link_watched(struct link *l, const struct link_identity *id, instant now);
/* false: nothing stands to carry it. */
bool link_send(struct link *l, const struct link_identity *id, const uint8_t *bytes, size_t n, instant now);
/* An echo came lately enough, of those that were taken in. */
bool link_is_up(struct link *l, const struct link_identity *id, instant now);
/* Its echoes are to be taken in before it is judged. */
bool link_wants_echo(const struct link *l, const struct link_identity *id, instant now);
/* Nothing was sent on it for half a silence. */
bool link_wants_copy(const struct link *l, const struct link_identity *id, instant now);
/* Silent for too long: open it anew. */
bool link_is_stale(struct link *l, const struct link_identity *id, instant now);

/* Lowers the retransmission timeout of this process's TCP connections where the kernel lets it. */
void link_lower_rto(void);

#endif
