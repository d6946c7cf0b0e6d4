/* transport_link.h: one DEALER to one address of one peer: opened, judged, opened anew (states: transport.h). */
#ifndef PGMESH_MESH_IO_TRANSPORT_LINK_H
#define PGMESH_MESH_IO_TRANSPORT_LINK_H

#include "mesh/io/address.h"
#include "policy/base.h"
#include "policy/instant.h"

/* What all links of a transport share. */
struct link_identity {
    uint8_t public[KEY_SIZE], secret[KEY_SIZE]; /* X25519 */
    span silence;
};

struct link {
    void *socket;    /* NULL: could not be opened */
    instant opened;  /* never: not wanted yet */
    instant sent;    /* last accepted by ZeroMQ */
    instant asked;   /* last frame sent that has to be echoed: the others follow on one within echo_rest() */
    instant unheard; /* since when that one is without an echo; never: it is not */
    instant echoed;  /* last echo */
    bool up;
    bool old;     /* of a key that one of both ends has replaced */
    span backoff; /* the present try may last so long */
};

/* One echo in so long says as much as one for each frame: who takes frames in rests for so long after each. */
span echo_rest(const struct link_identity *id);

/* What both kinds of sockets have in common, keys included. */
bool link_options(void *socket, const struct link_identity *id);
/* IPv4 or IPv6, for the next bind or connect. */
void link_family(void *socket, const struct address *a);

/* A fresh socket on its way to the address; a failure shows as a link that never comes up. */
void link_open(struct link *l, void *context, const struct link_identity *id,
               const uint8_t server[static KEY_SIZE], const struct address *to, instant now);
void link_close(struct link *l); /* keeps what is known of its past */
bool link_send(struct link *l, const struct link_identity *id, const uint8_t *bytes, size_t n, instant now);
/* An echo came lately enough; takes in those that wait. */
bool link_is_up(struct link *l, const struct link_identity *id, instant now);
/* Nothing was sent on it for half a silence. */
bool link_wants_copy(const struct link *l, const struct link_identity *id, instant now);
/* Silent for too long: close it and open it anew. */
bool link_is_stale(struct link *l, const struct link_identity *id, instant now);

#endif
