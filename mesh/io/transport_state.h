/* transport_state.h: what transport.c (sockets, who may connect, receiving), transport_send.c (sending, links) and
 * transport_rekey.c (keys that change while all of it runs) share. */
#ifndef PGMESH_MESH_IO_TRANSPORT_STATE_H
#define PGMESH_MESH_IO_TRANSPORT_STATE_H

#include "mesh/io/transport.h"
#include "mesh/io/transport_link.h"

#include <zmq.h>

enum {
    ROUTES = 2 * ADDRESSES_MAX,
    ENDPOINT_SIZE = ADDRESS_TEXT_SIZE + 8,
    KEYS_PER_PEER = 2,
};

struct transport_hub {
    void *context, *zap;
    struct transport *clusters[HUB_CLUSTERS_MAX]; /* by number in the ZAP domain */
};

/* A connection by which a peer sends, for its share of echoes. */
struct route {
    uint8_t id[8], n;
    instant echoed, heard;
};

struct peer {
    struct transport_peer known;
    uint8_t n_curve, turn;
    uint8_t curve[KEYS_PER_PEER][KEY_SIZE]; /* the newest first */
    double tokens;
    instant filled;
    struct link links[ADDRESSES_MAX];
    struct route routes[ROUTES];
};

/* A link of new keys beside the one that it is to replace. */
struct renewal {
    bool active;
    member_id peer; /* and those tried before it, in this round */
    int address;
    struct link link;
};

struct transport {
    struct transport_hub *hub;
    int number;
    void *router;
    struct link_identity identity;
    bool listens_old;          /* the router shows the key before `identity` */
    uint8_t n_listen, unbound; /* unbound: the first so many are not bound again yet */
    struct address listen[ADDRESSES_MAX];
    char bound[ADDRESSES_MAX][ENDPOINT_SIZE];
    struct renewal renewal;
    uint16_t ports[ADDRESSES_MAX];
    int n_peers;
    struct peer peers[MEMBERS_MAX];
    double rate, burst;
    instant tended;
    zmq_msg_t packet;
    bool packet_open;
    bool unsure; /* what was sent may have hidden the sign of something that came */
    struct transport_counters counters;
};

/* NULL: not linked. */
struct peer *transport_peer_of(struct transport *t, member_id id);
/* A socket to that address of the peer, with the one or the other of its keys in turn. */
void transport_open_link(struct transport *t, struct peer *p, struct link *l, int address, instant now);
/* Takes over what is known of it; false: a key is of no use. */
bool transport_set_keys(struct peer *p, const struct transport_peer *known, struct problem *err);
/* The peer may listen with either of two keys, and this one had its time. */
bool transport_other_key(const struct peer *p, struct link *l, const struct link_identity *id, instant now);
/* Takes in the echoes that wait on a link that is not polled. */
void transport_hear(struct transport *t, struct link *l, instant now);
void transport_bind_again(struct transport *t);
void transport_renewal_drive(struct transport *t, instant now);

#endif
