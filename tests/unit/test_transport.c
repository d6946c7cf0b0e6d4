/* The transport on loopback: a known key passes and speaks for its member, any other is refused and counted. */
#define _GNU_SOURCE
#include "mesh/frame.h"
#include "mesh/io/clock.h"
#include "mesh/io/transport.h"
#include "mesh/io/transport_link.h"
#include "tests/unit/cluster_base.h"
#include "tests/unit/suite.h"

#include <poll.h>
#include <zmq.h>

enum { A, B, C, ENDS };

/* Each end has a hub of its own, like processes have; `keys` are whom they are, the roster says whom they may be. */
struct end {
    struct transport_hub *hub;
    struct transport *transport;
    struct key key;
    uint64_t got;
    member_id from;
    size_t len;
    uint8_t first;
};

static struct end ends[ENDS];
static int silence_ms;
static struct problem problem;

static member_id id_of(int i)
{
    return (member_id)(10 + i);
}

static void setup(void)
{
    keys_begin();
    silence_ms = 200;
    for (int i = 0; i < ENDS; i++) {
        memset(&ends[i], 0, sizeof ends[i]);
        keys_generate(&ends[i].key, NULL);
        ends[i].hub = transport_hub_open(false, &problem);
        ck_assert_msg(ends[i].hub != NULL, "%s", problem.fact);
    }
}

static void teardown(void)
{
    for (int i = 0; i < ENDS; i++) {
        transport_close(&ends[i].transport);
        transport_hub_close(&ends[i].hub);
    }
}

/* Opens end i with one peer: member `as` with this public key, at the port where end `at` listens (-1: nowhere). */
static void open_end(int i, int as, const uint8_t *key, int at, uint32_t rate, uint32_t burst)
{
    struct transport_options o = {.key = &ends[i].key,
                                  .n_listen = 1,
                                  .n_peers = 1,
                                  .silence = span_ms(silence_ms),
                                  .frames_per_s = rate,
                                  .burst = burst};
    strcpy(o.listen[0].host, "127.0.0.1");
    o.peers[0].id = id_of(as);
    memcpy(o.peers[0].key, key, KEY_SIZE);
    if (at >= 0) {
        o.peers[0].n = 1;
        strcpy(o.peers[0].addresses[0].host, "127.0.0.1");
        o.peers[0].addresses[0].port = transport_port(ends[at].transport, 0);
    }
    ends[i].transport = transport_open(ends[i].hub, &o, &problem);
    ck_assert_msg(ends[i].transport != NULL, "%s", problem.fact);
}

/* What a loop does: keys judged, packets taken in, links tended. */
static void serve(void)
{
    struct packet p;
    struct pollfd fds[2 * ENDS];
    int n = 0;
    for (int i = 0; i < ENDS; i++) {
        struct end *e = &ends[i];
        if (e->transport == NULL)
            continue;
        transport_hub_serve(e->hub);
        for (enum transport_got got;
             (got = transport_receive(e->transport, clock_now(), &p)) != TRANSPORT_NOTHING;)
            if (got == TRANSPORT_PACKET) {
                e->got++;
                e->from = p.from;
                e->len = p.len;
                e->first = p.bytes[0];
            }
        transport_tend(e->transport, clock_now());
        fds[n++] = (struct pollfd){.fd = transport_hub_fd(e->hub), .events = POLLIN};
        fds[n++] = (struct pollfd){.fd = transport_fd(e->transport), .events = POLLIN};
    }
    poll(fds, (nfds_t)n, 5);
}

static struct transport_counters counted(int i)
{
    struct transport_counters c;
    transport_count(ends[i].transport, &c);
    return c;
}

/* Until it comes true; check's own time limit ends what never does. */
#define AWAIT(condition, sender, to) \
    while (!(condition)) { \
        transport_send(ends[sender].transport, id_of(to), (const uint8_t *)"hello", 5, clock_now()); \
        serve(); \
    }

START_TEST(a_known_key_speaks_for_its_member)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(ends[A].got > 0, B, A);
    ck_assert_int_eq(ends[A].from, id_of(B));
    ck_assert_uint_eq(ends[A].len, 5);
    ck_assert_int_eq(ends[A].first, 'h');
    ck_assert_uint_eq(counted(A).refused_key, 0);
    /* The echo says that this very link works; A has no address of B and sends nothing. */
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    ck_assert_int_eq(transport_link_up(ends[A].transport, id_of(B)), -1);
    transport_send(ends[A].transport, id_of(B), (const uint8_t *)"x", 1, clock_now());
    transport_send(ends[A].transport, 77, (const uint8_t *)"x", 1, clock_now());
    ck_assert_uint_eq(counted(A).sent, 0);
}
END_TEST

START_TEST(an_unknown_key_is_refused_and_counted)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0); /* knows B only */
    open_end(C, A, ends[A].key.public, A, 0, 0);
    AWAIT(counted(A).refused_key > 0, C, A);
    ck_assert_uint_eq(ends[A].got, 0);
    ck_assert_uint_eq(counted(C).sent, 0);
}
END_TEST

/* B's place with C's key, and C's with B's: the key decides who speaks, not the configuration of the one who speaks. */
START_TEST(swapped_keys_are_refused)
{
    struct key b = ends[B].key;
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    ends[B].key = ends[C].key;
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(counted(A).refused_key > 0, B, A);
    ck_assert_uint_eq(ends[A].got, 0);
    ends[C].key = b;
    open_end(C, A, ends[A].key.public, A, 0, 0);
    AWAIT(ends[A].got > 0, C, A);
    ck_assert_int_eq(ends[A].from, id_of(B));
}
END_TEST

/* Who expects another key at the other end does not talk to this one. */
START_TEST(a_server_with_another_key_gets_nothing)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[C].key.public, A, 0, 0);
    open_end(C, A, ends[A].key.public, A, 0, 0);
    AWAIT(counted(A).refused_key > 0, C, A); /* time in which B's handshakes came as well */
    for (int i = 0; i < 20; i++) {
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        serve();
    }
    ck_assert_uint_eq(ends[A].got, 0);
    ck_assert_uint_eq(counted(B).sent, 0);
}
END_TEST

static void *plain_socket(void *context)
{
    char endpoint[64];
    int zero = 0, port = transport_port(ends[A].transport, 0);
    void *socket = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    ck_assert_int_eq(zmq_connect(socket, endpoint), 0);
    return socket;
}

START_TEST(nobody_comes_in_without_a_key)
{
    void *context = zmq_ctx_new(), *socket;
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    socket = plain_socket(context);
    zmq_send(socket, "hello", 5, ZMQ_DONTWAIT);
    AWAIT(ends[A].got > 3, B, A);
    ck_assert_uint_eq(counted(A).refused_sender, 0); /* it never came so far */
    ck_assert_int_eq(ends[A].from, id_of(B));
    zmq_close(socket);
    zmq_ctx_term(context);
}
END_TEST

START_TEST(who_sends_too_much_is_cut_down)
{
    open_end(A, B, ends[B].key.public, -1, 1, 3); /* a burst of three, then one a second */
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(counted(A).refused_rate > 20, B, A);
    ck_assert_uint_ge(ends[A].got, 3);
    ck_assert_uint_lt(ends[A].got, counted(A).refused_rate);
}
END_TEST

START_TEST(a_giant_ends_the_connection_not_the_program)
{
    static uint8_t giant[FRAME_MAX + 100];
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(ends[A].got > 0, B, A);
    transport_send(ends[B].transport, id_of(A), giant, sizeof giant, clock_now());
    uint64_t before = ends[A].got;
    AWAIT(ends[A].got > before + 2, B, A);
    ck_assert_uint_eq(ends[A].len, 5);
    ck_assert_uint_eq(counted(A).refused_size, 0); /* it was not even read */
    do {
        transport_send(ends[B].transport, id_of(A), giant, FRAME_MAX + 1, clock_now());
        serve();
    } while (counted(A).refused_size == 0);
    memset(giant, 'g', sizeof giant);
    do {
        transport_send(ends[B].transport, id_of(A), giant, FRAME_MAX, clock_now());
        serve();
    } while (ends[A].len != FRAME_MAX);
    ck_assert_int_eq(ends[A].first, 'g');
}
END_TEST

/* The other end goes away and comes back at the same place: without a hand the link stands again. */
START_TEST(a_link_comes_back)
{
    struct transport_options o = {.key = &ends[A].key, .n_listen = 1, .n_peers = 1, .silence = span_ms(200)};
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    strcpy(o.listen[0].host, "127.0.0.1");
    o.listen[0].port = transport_port(ends[A].transport, 0);
    o.peers[0].id = id_of(B);
    memcpy(o.peers[0].key, ends[B].key.public, KEY_SIZE);
    transport_close(&ends[A].transport);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == -1, B, A);
    ends[A].got = 0;
    while ((ends[A].transport = transport_open(ends[A].hub, &o, &problem)) == NULL)
        poll(NULL, 0, 5); /* the closed socket leaves its port a moment later */
    AWAIT(ends[A].got > 0 && transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
}
END_TEST

/* The program at the other end hangs while its kernel and its I/O thread answer: the link is down all the same. */
START_TEST(a_hanging_program_is_no_link)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    while (transport_link_up(ends[B].transport, id_of(A)) == 0 || counted(B).rebuilt == 0) {
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        transport_tend(ends[B].transport, clock_now());
        poll(NULL, 0, 5);
    }
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
}
END_TEST

/* Who has no connection of its own, or not yet, answers by the one that the peer has made. */
START_TEST(an_answer_comes_by_the_peers_own_connection)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    transport_send(ends[A].transport, id_of(B), (const uint8_t *)"there", 5, clock_now());
    ck_assert_uint_eq(counted(A).sent_back, 0); /* nothing of B came yet: there is no way */
    while (ends[B].got == 0) {
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        transport_send(ends[A].transport, id_of(B), (const uint8_t *)"there", 5, clock_now());
        serve();
    }
    ck_assert_int_eq(ends[B].from, id_of(A));
    ck_assert_uint_eq(ends[B].len, 5);
    ck_assert_int_eq(ends[B].first, 't');
    ck_assert_uint_gt(counted(A).sent_back, 0);
    ck_assert_int_eq(transport_link_up(ends[A].transport, id_of(B)), -1);
}
END_TEST

/* ... also one that has long been silent, whose peer lost its connection just now. */
START_TEST(an_answer_by_a_link_that_nobody_polls_is_found)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    for (int64_t end = clock_wall_us() + 4000000; clock_wall_us() < end;) { /* longer than it is watched */
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        serve();
    }
    ck_assert_uint_eq(ends[B].got, 0);
    while (ends[B].got < 2) {
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        transport_send(ends[A].transport, id_of(B), (const uint8_t *)"there", 5, clock_now());
        serve();
    }
    ck_assert_int_eq(ends[B].first, 't');
}
END_TEST

/* A program that hangs for a moment while a peer sends and goes must not be ended by libzmq: with its queue full it stops
 * reading the connection, and 4.3.4 asserts when a ZMTP heartbeat falls due on one that failed in that state. */
START_TEST(a_hanging_program_outlives_its_peers)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    for (int i = 0; i < 300; i++) {
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        poll(NULL, 0, 1);
    }
    transport_close(&ends[B].transport);
    poll(NULL, 0, 2000); /* time is what it is about */
    ends[A].got = 0;
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    ck_assert_uint_gt(ends[A].got, 0);
}
END_TEST

/* A link to a peer of the test's own making, at times of its own making: echoes come when it says. */
struct paced {
    void *context, *peer;
    struct link_identity identity;
    struct link link;
};

static instant at_ms(int64_t ms)
{
    return (instant){(1000 + ms) * 1000000, (1000 + ms) * 1000000};
}

static bool paced_send(struct paced *p, int64_t ms)
{
    return link_send(&p->link, &p->identity, (const uint8_t *)"x", 1, at_ms(ms));
}

static bool paced_up(struct paced *p, int64_t ms)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (link_wants_echo(&p->link, &p->identity, at_ms(ms)) &&
           link_listen(&p->link, &p->identity, &frame, at_ms(ms)))
        ck_abort_msg("an echo was taken for a frame");
    zmq_msg_close(&frame);
    return link_is_up(&p->link, &p->identity, at_ms(ms));
}

static void paced_open(struct paced *p)
{
    *p = (struct paced){.context = zmq_ctx_new(), .identity = {.silence = span_ms(200), .poll = -1}};
    p->peer = zmq_socket(p->context, ZMQ_DEALER);
    p->link.socket = zmq_socket(p->context, ZMQ_DEALER);
    ck_assert_int_eq(zmq_bind(p->peer, "inproc://peer"), 0);
    ck_assert_int_eq(zmq_connect(p->link.socket, "inproc://peer"), 0);
    ck_assert(!paced_up(p, 0)); /* nothing is known */
    ck_assert(paced_send(p, 0));
    ck_assert_int_eq(zmq_send(p->peer, "", 1, 0), 1);
    ck_assert(paced_up(p, 1));
}

static void paced_close(struct paced *p)
{
    int zero = 0;
    zmq_setsockopt(p->link.socket, ZMQ_LINGER, &zero, sizeof zero);
    link_close(&p->link, &p->identity);
    zmq_setsockopt(p->peer, ZMQ_LINGER, &zero, sizeof zero);
    zmq_close(p->peer);
    zmq_ctx_term(p->context);
}

START_TEST(silence_counts_from_a_frame_that_wants_an_echo)
{
    struct paced p;
    paced_open(&p);
    ck_assert(paced_send(&p, 60)); /* follows on one that was echoed: gets none */
    ck_assert(paced_up(&p, 1000));
    ck_assert(paced_send(&p, 1000));
    ck_assert(paced_send(&p, 1150)); /* the first one counts */
    ck_assert(paced_up(&p, 1200));
    ck_assert(!paced_up(&p, 1201));
    paced_close(&p);
}
END_TEST

/* An echo may take longer than a silence, if it has before: the path is slow, not broken. */
START_TEST(a_slow_path_is_a_link)
{
    struct paced p;
    bool stayed = true;
    paced_open(&p);
    for (int round = 1; round <= 20; round++) {
        ck_assert(paced_send(&p, 1000 * round));
        for (int ms = 50; ms < 300; ms += 50)
            stayed = paced_up(&p, 1000 * round + ms);
        ck_assert(round > 1 || !stayed);
        ck_assert_int_eq(zmq_send(p.peer, "", 1, 0), 1);
        ck_assert(paced_up(&p, 1000 * round + 300));
    }
    ck_assert(stayed);
    paced_close(&p);
}
END_TEST

START_TEST(an_echo_that_waits_is_taken_in_before_a_link_is_judged)
{
    struct paced p;
    paced_open(&p);
    ck_assert(paced_send(&p, 200));
    ck_assert_int_eq(zmq_send(p.peer, "", 1, 0), 1);
    ck_assert(paced_up(&p, 5000));
    ck_assert(paced_send(&p, 5000));
    ck_assert(!paced_up(&p, 5201));
    ck_assert_int_eq(zmq_send(p.peer, "", 1, 0), 1);
    ck_assert(paced_up(&p, 5300)); /* late, and yet it works */
    paced_close(&p);
}
END_TEST

START_TEST(few_frames_are_echoed)
{
    silence_ms = 60000;
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(ends[A].got > 100 && transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    ck_assert_uint_le(counted(A).echoes, 3); /* one for each connection */
}
END_TEST

/* ---- other keys ---------------------------------------------------------------------------------------------------------- */

static struct key next;

static struct transport_peer peer_of(int i, int at, const struct key *key, const struct key *former)
{
    struct transport_peer p = {.id = id_of(i), .rotates = former != NULL};
    memcpy(p.key, key->public, KEY_SIZE);
    if (former)
        memcpy(p.former, former->public, KEY_SIZE);
    if (at >= 0) {
        p.n = 1;
        strcpy(p.addresses[0].host, "127.0.0.1");
        p.addresses[0].port = transport_port(ends[at].transport, 0);
    }
    return p;
}
static void renew(int i, const struct transport_peer *p)
{
    ck_assert_msg(transport_renew(ends[i].transport, p, &problem), "%s", problem.fact);
}

/* B's key is rotated, in the order in which its steps come, while it sends to A: the link is never down, and when A was told
 * that the former key is retired nothing that B still sends with it would pass. */
START_TEST(a_peers_key_is_rotated_under_a_link)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    keys_generate(&next, NULL);
    renew(A, &(struct transport_peer[]){peer_of(B, -1, &next, &ends[B].key)}[0]);
    ck_assert(transport_rekey(ends[B].transport, &next, &problem) && !transport_renewed(ends[B].transport));
    while (!transport_renewed(ends[B].transport)) {
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        serve();
        ck_assert_int_eq(transport_link_up(ends[B].transport, id_of(A)), 0);
    }
    renew(A, &(struct transport_peer[]){peer_of(B, -1, &next, NULL)}[0]);
    ends[A].got = 0;
    AWAIT(ends[A].got > 3, B, A);
    ck_assert_uint_eq(counted(A).refused_key, 0);
}
END_TEST

/* ... and what is sent by a connection of the retired key is refused, although its handshake was good at its time. */
START_TEST(a_connection_of_a_retired_key_is_refused)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    keys_generate(&next, NULL);
    renew(A, &(struct transport_peer[]){peer_of(B, -1, &next, NULL)}[0]);
    while (transport_receive(ends[A].transport, clock_now(), &(struct packet){0}) == TRANSPORT_PACKET)
        ck_abort_msg("what waited was let in");
    ends[A].got = 0;
    AWAIT(counted(A).refused_sender > 0 && counted(A).refused_key > 0, B, A);
    ck_assert_uint_eq(ends[A].got, 0);
}
END_TEST

/* A listens with a new key from some moment on; B, told of it before, has its next link at the door by then. */
START_TEST(a_server_changes_its_key)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
    keys_generate(&next, NULL);
    ck_assert(transport_listens_anew(ends[A].transport));
    ck_assert(transport_rekey(ends[A].transport, &next, &problem));
    ck_assert(!transport_listens_anew(ends[A].transport));
    renew(B, &(struct transport_peer[]){peer_of(A, A, &next, &ends[A].key)}[0]);
    for (int i = 0; i < 40; i++) { /* nothing changes while it listens with the former one */
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        serve();
        ck_assert_int_eq(transport_link_up(ends[B].transport, id_of(A)), 0);
    }
    renew(B, &(struct transport_peer[]){peer_of(A, A, &next, NULL)}[0]);
    for (int i = 0; i < 40; i++) {
        transport_send(ends[B].transport, id_of(A), (const uint8_t *)"hello", 5, clock_now());
        serve();
        ck_assert_int_eq(transport_link_up(ends[B].transport, id_of(A)), 0);
    }
    transport_listen_anew(ends[A].transport);
    AWAIT(transport_listens_anew(ends[A].transport) && transport_renewed(ends[B].transport), B, A);
    ends[A].got = 0;
    AWAIT(ends[A].got > 3 && transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
}
END_TEST

/* B was away while A's key changed, and may have to try either. */
START_TEST(either_key_of_a_server_is_found)
{
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    open_end(B, A, ends[A].key.public, A, 0, 0);
    keys_generate(&next, NULL);
    renew(B, &(struct transport_peer[]){peer_of(A, A, &next, &ends[A].key)}[0]);
    AWAIT(transport_link_up(ends[B].transport, id_of(A)) == 0, B, A);
}
END_TEST

START_TEST(an_address_in_use_is_told)
{
    struct transport_options o = {.key = &ends[B].key, .n_listen = 1, .silence = span_ms(200)};
    open_end(A, B, ends[B].key.public, -1, 0, 0);
    strcpy(o.listen[0].host, "127.0.0.1");
    o.listen[0].port = transport_port(ends[A].transport, 0);
    ck_assert_ptr_null(transport_open(ends[B].hub, &o, &problem));
    ck_assert_ptr_nonnull(strstr(problem.fact, "could not listen on 127.0.0.1:"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("transport");
    TCase *tcase = suite_case(suite, "transport");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_known_key_speaks_for_its_member);
    tcase_add_test(tcase, an_unknown_key_is_refused_and_counted);
    tcase_add_test(tcase, swapped_keys_are_refused);
    tcase_add_test(tcase, a_server_with_another_key_gets_nothing);
    tcase_add_test(tcase, nobody_comes_in_without_a_key);
    tcase_add_test(tcase, who_sends_too_much_is_cut_down);
    tcase_add_test(tcase, a_giant_ends_the_connection_not_the_program);
    tcase_add_test(tcase, a_link_comes_back);
    tcase_add_test(tcase, a_hanging_program_is_no_link);
    tcase_add_test(tcase, an_answer_comes_by_the_peers_own_connection);
    tcase_add_test(tcase, an_answer_by_a_link_that_nobody_polls_is_found);
    tcase_add_test(tcase, a_slow_path_is_a_link);
    tcase_add_test(tcase, a_hanging_program_outlives_its_peers);
    tcase_add_test(tcase, silence_counts_from_a_frame_that_wants_an_echo);
    tcase_add_test(tcase, an_echo_that_waits_is_taken_in_before_a_link_is_judged);
    tcase_add_test(tcase, few_frames_are_echoed);
    tcase_add_test(tcase, an_address_in_use_is_told);
    tcase_add_test(tcase, a_peers_key_is_rotated_under_a_link);
    tcase_add_test(tcase, a_connection_of_a_retired_key_is_refused);
    tcase_add_test(tcase, a_server_changes_its_key);
    tcase_add_test(tcase, either_key_of_a_server_is_found);
    return suite_run(suite);
}
