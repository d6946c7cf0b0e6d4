/* net.c: links between every two hosts: mesh and, apart from it, WAL replication.
 *
 * A link is a TCP stream: what was lost is sent again after the retransmission timeout, and everything behind it waits
 * (head-of-line blocking), so loss shows as lateness.  A cut link drops what it is given, or keeps the newest frames
 * and delivers them, stale, after the heal.  Queues are bounded; what does not fit is lost, as with a ZeroMQ HWM. */
#include <string.h>

#include "tests/sim/sim.h"

enum { FLYING_MAX = 200 };

/* ---- packets: one copy for all receivers ------------------------------------------------------------------------ */

void net_reset(struct world *w)
{
    enum { BIG = 200 };
    static uint8_t small[PACKETS][SMALL], big[BIG][FRAME_MAX];
    w->free_small = w->free_big = -1;
    for (int32_t p = PACKETS - 1; p >= 0; p--) {
        struct packet *k = &w->packet[p];
        bool is_big = p < BIG;
        k->refs = 0;
        k->bytes = is_big ? big[p] : small[p];
        k->next = is_big ? w->free_big : w->free_small;
        *(is_big ? &w->free_big : &w->free_small) = p;
    }
    w->packets_out = 0;
    memset(w->mesh, 0, sizeof w->mesh);
    memset(w->repl, 0, sizeof w->repl);
    memset(w->replay_ring, 0, sizeof w->replay_ring);
    w->replay_next = 0;
}

/* A packet with one reference; 0xffffffff when the world is full of them (then it is lost). */
uint32_t packet_make(struct world *w, const uint8_t *bytes, size_t n)
{
    if (n > FRAME_MAX)
        violate(w, "I10", "a frame of %zu bytes", n);
    int32_t *list = n <= SMALL ? &w->free_small : &w->free_big;
    if (*list < 0)
        return UINT32_MAX;
    int32_t p = *list;
    *list = w->packet[p].next;
    memcpy(w->packet[p].bytes, bytes, n);
    w->packet[p].len = (uint16_t)n;
    w->packet[p].refs = 1;
    w->packets_out++;
    return (uint32_t)p;
}

void packet_drop(struct world *w, uint32_t p)
{
    struct packet *k = &w->packet[p];
    if (--k->refs > 0)
        return;
    int32_t *list = p < 200 ? &w->free_big : &w->free_small;
    k->next = *list;
    *list = (int32_t)p;
    w->packets_out--;
}

/* ---- links -------------------------------------------------------------------------------------------------------- */

static ns_t one_way(struct world *w, const struct link *l)
{
    ns_t d = US(l->delay_us) + (l->jitter_us ? US(rng_below(&w->rng, l->jitter_us)) : 0);
    if (l->loss == 0)
        return d;
    ns_t rto = MS(l->rto_ms);
    for (int tries = 0; tries < 7 && rng_chance(&w->rng, l->loss); tries++) {
        d += rto;
        rto *= 2;
    }
    return d;
}

static void fly(struct world *w, struct link *l, int from, int to, uint32_t packet, ns_t at)
{
    if (l->flying >= FLYING_MAX)
        return;
    ns_t arrives = at + one_way(w, l);
    bool overtakes = l->reorder && rng_chance(&w->rng, l->reorder);
    if (arrives <= l->last && !overtakes)
        arrives = l->last + 1;
    if (arrives > l->last)
        l->last = arrives;
    l->flying++;
    w->packet[packet].refs++;
    world_push(w, arrives, EV_PACKET, to, from, packet, 0);
    if (l->dup && rng_chance(&w->rng, l->dup)) {
        l->flying++;
        w->packet[packet].refs++;
        world_push(w, arrives + MS(rng_below(&w->rng, 400)), EV_PACKET, to, from, packet, 0);
    }
}

void net_send(struct world *w, int from, int to, uint32_t packet, ns_t at)
{
    struct link *l = &w->mesh[from][to];
    if (!l->cut) {
        fly(w, l, from, to, packet, at);
        return;
    }
    if (!l->hold)
        return;
    if (l->n_held == SIM_HELD) {
        packet_drop(w, l->held[0]);
        memmove(l->held, l->held + 1, sizeof l->held - sizeof l->held[0]);
        l->n_held--;
    }
    w->packet[packet].refs++;
    l->held[l->n_held++] = packet;
}

/* WAL is a stream of which only the end matters: a message says "all up to here", so one that is lost is made good by
 * the next. */
ns_t net_stream(struct world *w, int from, int to)
{
    struct link *l = &w->repl[from][to];
    if (l->cut)
        return NEVER;
    ns_t arrives = w->now + one_way(w, l);
    if (arrives <= l->last)
        arrives = l->last + 1;
    l->last = arrives;
    return arrives;
}

void net_cut(struct world *w, int from, int to, int by, bool repl)
{
    struct link *l = repl ? &w->repl[from][to] : &w->mesh[from][to];
    l->cut = (uint16_t)(l->cut + by);
    w->link_dirty = true;
    if (repl || by > 0) {
        if (by > 0 && l->cut == 1)
            l->hold = rng_chance(&w->rng, 500);
        return;
    }
    if (l->cut)
        return;
    l->last = w->now;
    for (int h = 0; h < l->n_held; h++) {
        fly(w, l, from, to, l->held[h], w->now);
        packet_drop(w, l->held[h]);
    }
    l->n_held = 0;
}

/* ---- the enemy: sits on one member's links, bends, replays and invents; never signs for another ------------------- */

void enemy_note(struct world *w, uint32_t packet)
{
    if (!w->enemy_rate || !rng_chance(&w->rng, 60))
        return;
    int at = w->replay_next++ % SIM_REPLAY_RING;
    if (w->replay_ring[at])
        packet_drop(w, w->replay_ring[at] - 1);
    w->packet[packet].refs++;
    w->replay_ring[at] = packet + 1;
}

/* A frame of somebody arrives over the link of somebody else: as it was (a replay), or bent. */
void enemy_act(struct world *w)
{
    uint32_t kept = w->replay_ring[rng_below(&w->rng, SIM_REPLAY_RING)];
    if (!kept)
        return;
    const struct packet *k = &w->packet[kept - 1];
    int to = (int)rng_below(&w->rng, (uint32_t)w->n), from = (int)rng_below(&w->rng, (uint32_t)w->n);
    member_id origin = (member_id)(k->bytes[6] << 8 | k->bytes[7]);
    bool bent = rng_chance(&w->rng, 600);
    if (from == to || (bent && w->m[from].id == origin))
        return; /* its own link vouches for a member */
    uint32_t p = packet_make(w, k->bytes, k->len);
    if (p == UINT32_MAX)
        return;
    if (bent)
        for (uint32_t flips = 1 + rng_below(&w->rng, 3); flips > 0; flips--)
            w->packet[p].bytes[rng_below(&w->rng, k->len)] ^= (uint8_t)(1u << rng_below(&w->rng, 8));
    if (bent && rng_chance(&w->rng, 100))
        w->packet[p].len = (uint16_t)(1 + rng_below(&w->rng, k->len));
    if (!w->mesh[from][to].cut) {
        w->mesh[from][to].flying++;
        world_push(w, w->now + US(200), EV_PACKET, to, from, p, 1);
    } else {
        packet_drop(w, p);
    }
}
