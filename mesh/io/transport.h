/* transport.h: whole frames in and out over ZeroMQ with CURVE; never their meaning.
 *
 * One ROUTER per cluster, bound on the member's own addresses, receives frames.  One DEALER per (peer, address) to which
 * something is sent sends them.  For a frame that it takes in, a ROUTER answers one byte on the same connection, at most
 * once in 3/5 of `silence`: the echo by which the sender knows that this very link works, end to end, and not merely that
 * the peer's kernel or ZeroMQ's I/O thread acknowledges (facts: ZMTP heartbeats go on while the program hangs).
 *
 *   link states       arrow taken in
 *   CLOSED -> NEW     link_open            a socket exists, nothing is known about the path
 *   NEW    -> UP      link_listen          an echo, or a frame, came
 *   UP     -> NEW     link_is_up           sent, and no echo for as long as echoes of this link may take (link_patience)
 *                     link_send            no connection stands that would take it
 *   NEW    -> NEW     link_is_stale        made anew: the try took longer than its backoff (200 ms doubling to 2 s, with
 *                                          jitter) and what was sent has no echo; or no connection came in 1.5 s, each
 *                                          fourth time in 4 s.  What worked before is kept beside it for 3 s.
 *
 * A frame goes out on the first link that is UP; the others carry a copy at least every half `silence`, so that their
 * state is known before they are needed; with none UP, on all, and back by the connection by which the peer last sent: a
 * handshake takes eight journeys, and who was started a moment ago has a lease to fetch.  So one connection is enough,
 * whichever side's comes first.  Duplicates are the core's to drop.
 *
 * Who may connect is decided by our own ZAP handler, in the loop's thread: a known key becomes the connection's
 * User-Id, the member's id; anything else is refused and counted.  `from` of a packet is that id, never a peer's word. */
#ifndef PGMESH_MESH_IO_TRANSPORT_H
#define PGMESH_MESH_IO_TRANSPORT_H

#include "mesh/io/address.h"
#include "mesh/io/keys.h"
#include "mesh/io/problem.h"
#include "policy/instant.h"

/* The ZeroMQ context and the ZAP handler, shared by the clusters of a process.  One thread only. */
struct transport_hub;
enum { HUB_CLUSTERS_MAX = 256 };
struct transport_hub *transport_hub_open(bool realtime, struct problem *err);
void transport_hub_close(struct transport_hub **hub);
/* Descriptors to poll for POLLIN, here and below, are ZeroMQ's (ZMQ_FD): they announce a change, so each time, and once
 * before the first poll, everything must be taken out (until the function says that nothing is left). */
int transport_hub_fd(const struct transport_hub *hub);
/* Answers the handshakes that wait; true: a bounded number was answered and more may wait. */
bool transport_hub_serve(struct transport_hub *hub);

struct transport_peer {
    member_id id;
    uint8_t key[KEY_SIZE];    /* Ed25519 */
    bool rotates;             /* while it does, it may show either of two keys */
    uint8_t former[KEY_SIZE]; /* as long as it rotates */
    uint8_t n;
    struct address addresses[ADDRESSES_MAX]; /* none: it may send to us, we cannot to it */
};
struct transport_options {
    const struct key *key;
    uint8_t n_listen;
    struct address listen[ADDRESSES_MAX];
    uint8_t n_peers;
    struct transport_peer peers[MEMBERS_MAX]; /* self not among them */
    span silence;                             /* max(4 heartbeats, 200 ms) */
    uint32_t frames_per_s, burst;             /* token bucket per peer; 0: 2000 and 500 */
};

struct transport_counters {
    uint64_t received, sent, sent_back, send_failed, echoes, rebuilt;
    uint64_t refused_key, refused_rate, refused_size, refused_sender;
};

struct transport;
struct transport *transport_open(struct transport_hub *hub, const struct transport_options *options,
                                 struct problem *err);
void transport_close(struct transport **t);
/* One more peer, with which links begin at the first thing sent; or one less: its links end, its key is refused. */
bool transport_add(struct transport *t, const struct transport_peer *peer, struct problem *err);
void transport_drop(struct transport *t, member_id id);
/* The peer's keys are others: what it sends by a connection of another key is refused from now on; our links to it are made
 * anew, one after another, each beside the one that it replaces. */
bool transport_renew(struct transport *t, const struct transport_peer *peer, struct problem *err);
/* Our own key is another: our links are made anew in the same manner.  Connections to us go on under the former one until
 * transport_listen_anew(): then they break, and come back under the new one from peers that were told of it. */
bool transport_rekey(struct transport *t, const struct key *key, struct problem *err);
bool transport_renewed(const struct transport *t); /* none of our links is still of a former key */
bool transport_listens_anew(const struct transport *t);
void transport_listen_anew(struct transport *t);
int transport_fd(const struct transport *t); /* to poll for POLLIN, see transport_hub_fd() */
/* Something may wait that the descriptor does not announce: receive before the next wait. */
bool transport_unsure(const struct transport *t);

struct packet {
    member_id from;
    const uint8_t *bytes; /* valid until the next transport_receive of the same transport */
    size_t len;
};
/* The next frame that waits; REFUSED: one was thrown away, there may be more. */
enum transport_got { TRANSPORT_NOTHING, TRANSPORT_REFUSED, TRANSPORT_PACKET };
enum transport_got transport_receive(struct transport *t, instant now, struct packet *p);
/* To one peer; loss is expected. */
void transport_send(struct transport *t, member_id to, const uint8_t *bytes, size_t n, instant now);
/* Judges the links, rebuilds silent ones.  To be called whenever the caller is awake, and at the instant that it returns
 * at the latest: that wakes nobody who sends heartbeats anyway. */
instant transport_tend(struct transport *t, instant now);

void transport_count(const struct transport *t, struct transport_counters *c);
/* For status: is any link to that peer UP; which address, -1 none. */
int transport_link_up(const struct transport *t, member_id peer);
/* The port actually bound for listen[i] (port 0 asks for any; for tests). */
uint16_t transport_port(const struct transport *t, int i);

#endif
