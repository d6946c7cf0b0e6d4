/* foe: a member that has gone over to the enemy.
 *
 *     foe FOLDER MEMBER unsigned|forged RATE
 *
 * With the key of the member whose folder it is given it opens an encrypted link to MEMBER, whose listener takes it for a
 * friend, and sends RATE frames a second, until it is killed: `unsigned` ones bear no signature, `forged` ones bear that of
 * another key.  Everything before the signature is as it should be. */
#define _GNU_SOURCE
#include "mesh/frame.h"
#include "mesh/io/clock.h"
#include "mesh/io/folder.h"
#include "mesh/io/log.h"
#include "mesh/io/transport.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_MS = 5, BODY = 200, AT_SEQ = 44 /* frame.h */ };

static _Noreturn void fail(const struct problem *problem)
{
    problem_print(stderr, "foe", problem);
    exit(1);
}

static const struct cluster_member *find(const struct cluster *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->members[i].member.name, name) == 0)
            return &c->members[i];
    fprintf(stderr, "foe: there is no member \"%s\"\n", name);
    exit(2);
}

static struct transport *open_link(const struct folder *f, const struct cluster_member *to,
                                   struct transport_hub *hub)
{
    struct problem problem = {.fact = ""};
    static struct transport_options o;
    o.key = &f->key;
    o.silence = span_ms(200);
    o.n_peers = 1;
    o.peers[0].id = to->member.id;
    memcpy(o.peers[0].key, to->member.key, KEY_SIZE);
    o.peers[0].n = to->n_mesh;
    memcpy(o.peers[0].addresses, to->mesh, sizeof to->mesh);
    struct transport *t = transport_open(hub, &o, &problem);
    if (t == NULL)
        fail(&problem);
    return t;
}

/* Made once; each that goes out gets a seq of its own, so that none is taken for a repetition. */
static size_t make_frame(uint8_t out[static FRAME_MAX], const struct folder *f, bool forged)
{
    uint8_t body[BODY] = {0};
    struct secret_key other;
    keys_random(&other, sizeof other);
    struct frame frame = {.kind = FRAME_HEARTBEAT,
                          .origin = f->self->member.id,
                          .cluster = f->cluster.id,
                          .counter = 1,
                          .nonce = UINT64_MAX,
                          .body = body,
                          .body_len = sizeof body};
    size_t n = frame_seal(out, &frame, &other);
    if (!forged)
        memset(out + n - SIGNATURE_SIZE, 0, SIGNATURE_SIZE);
    return n;
}
static void number(uint8_t *frame, uint64_t seq)
{
    for (int i = 0; i < 8; i++)
        frame[AT_SEQ + i] = (uint8_t)(seq >> (56 - 8 * i));
}

int main(int argc, char **argv)
{
    struct problem problem = {.fact = ""};
    long rate = argc == 5 ? atol(argv[4]) : 0;
    if (rate < 1) {
        fprintf(stderr, "usage: foe FOLDER MEMBER unsigned|forged RATE\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    keys_begin();
    log_open("foe", CONFIG_LOG_ERROR, CONFIG_LOG_TEXT);
    struct folder *f = folder_open(argv[1], ~0u, &problem);
    if (f == NULL)
        fail(&problem);
    struct transport_hub *hub = transport_hub_open(false, &problem);
    if (hub == NULL)
        fail(&problem);
    const struct cluster_member *to = find(&f->cluster, argv[2]);
    struct transport *t = open_link(f, to, hub);
    static uint8_t out[FRAME_MAX];
    size_t n = make_frame(out, f, strcmp(argv[3], "forged") == 0);
    struct packet p;
    instant began = clock_now();
    for (int64_t sent = 0;; poll(NULL, 0, TURN_MS)) {
        int64_t due = span_to_ms(instant_elapsed_most(clock_now(), began)) * rate / 1000;
        for (; sent < due; sent++) {
            number(out, (uint64_t)sent + 1);
            transport_send(t, to->member.id, out, n, clock_now());
        }
        while (transport_hub_serve(hub)) {
        }
        while (transport_receive(t, clock_now(), &p) != TRANSPORT_NOTHING) {
        }
        transport_tend(t, clock_now());
    }
}
