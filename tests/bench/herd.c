/* herd: the databases of many clusters in one process, to load a real pgmesh-witness that serves them all.
 *
 *     herd FOLDER CLUSTERS SECONDS [SETTLE]
 *
 * FOLDER holds what `pgmesh init` made: FOLDER/c1/db1, FOLDER/c1/db2, FOLDER/c2/... .  Each db1 and db2 is a real core with a
 * real, encrypted link to its witness; what the two have to tell each other stays in the process.  PostgreSQL is there in
 * name only: every goal is reached at once.  Stores are read, and kept in memory.
 *
 * It waits until all serve (a minute at most), lets SETTLE seconds pass (10), and counts for SECONDS.
 *
 * One line of JSON at the end: how many clusters serve; for how long each of the primaries' heartbeats waited for the witness's
 * grant; how often a lease was lost; how late this process itself was, which is part of that wait. */
#define _GNU_SOURCE
#include "mesh/core_state.h"
#include "mesh/io/clock.h"
#include "mesh/io/folder.h"
#include "mesh/io/log.h"
#include "mesh/io/process.h"
#include "mesh/io/store.h"
#include "mesh/io/transport.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    CLUSTERS_MAX = 256,
    DATABASES = 2,
    LOCAL_MAX = 16,
    SAMPLE_MS = 300,
    SETTLE_S = 10,
    PACKETS_PER_TURN = 64
};

struct host {
    struct folder *folder;
    struct transport *transport;
    struct core *core;
    struct host *other;
    struct pg_goal goal;
    struct pg_sample pg;
    instant wake, sampled, tend;
    bool ready, leased;
    member_id witness;
    uint64_t granted_seq;
    int n_local; /* from the other one, within the process */
    size_t local_len[LOCAL_MAX];
    uint8_t *local[LOCAL_MAX];
};

static struct host hosts[CLUSTERS_MAX * DATABASES];
static int n_hosts, epoll_fd;
static struct transport_hub *hubs[DATABASES];
static struct effects effects;
static bool counting;
static struct series {
    uint32_t *us;
    size_t n, room;
} waits, lateness;
static unsigned long losses;

static _Noreturn void fail(const struct problem *problem)
{
    problem_print(stderr, "herd", problem);
    exit(1);
}

static void note(struct series *s, int64_t us)
{
    if (!counting)
        return;
    if (s->n == s->room) {
        s->room = s->room ? 2 * s->room : 1 << 16;
        s->us = realloc(s->us, s->room * sizeof *s->us);
        if (s->us == NULL)
            exit(1);
    }
    s->us[s->n++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* ---- a core, its effects --------------------------------------------------------------------------------------------- */

static void deliver(struct host *to, const struct effect *e)
{
    uint8_t *copy = to->n_local < LOCAL_MAX ? malloc(e->len) : NULL;
    if (copy == NULL)
        return; /* loss is expected */
    memcpy(copy, e->bytes, e->len);
    to->local_len[to->n_local] = e->len;
    to->local[to->n_local++] = copy;
}

static void send_effect(struct host *h, const struct effect *e, instant now)
{
    const struct cluster *c = &h->folder->cluster;
    for (int i = 0; i < c->n; i++) {
        member_id id = c->members[i].member.id;
        if (!(e->to >> i & 1))
            continue;
        if (id == h->witness)
            transport_send(h->transport, id, e->bytes, e->len, now);
        else if (id == h->other->folder->self->member.id)
            deliver(h->other, e);
    }
}

/* Whatever is asked of PostgreSQL has happened. */
static void reach(struct host *h, const struct pg_goal *g)
{
    struct pg_sample *p = &h->pg;
    h->goal = *g;
    h->sampled = instant_never();
    p->goal_seq = g->seq;
    p->progress = PG_GOAL_REACHED;
    switch (g->kind) {
    case GOAL_INIT:
    case GOAL_PRIMARY:
    case GOAL_PROMOTE:
        p->phase = PG_PRIMARY;
        p->answering = true;
        p->timeline = p->timeline_max = g->timeline ? g->timeline : 1;
        break;
    case GOAL_FOLLOW:
    case GOAL_REWIND:
    case GOAL_CLONE:
    case GOAL_SEAL:
        p->phase = PG_RECOVERY;
        p->timeline = p->timeline_max = h->other->pg.timeline;
        p->upstream = g->kind == GOAL_SEAL ? MEMBER_NONE : g->upstream;
        p->upstream_age_ms = 0;
        p->sealed = g->kind == GOAL_SEAL;
        break;
    case GOAL_DOWN:
    case GOAL_SHUTDOWN:
        p->phase = PG_DOWN;
        p->confirmed_dead = p->clean = true;
        break;
    case GOAL_NONE:
    case GOAL_KEEP: break;
    }
    p->system_id = p->phase == PG_ABSENT ? 0 : 1 + h->folder->cluster.id.b[0];
    p->lsn = p->replay_lsn = 0x1000000;
}

static void perform(struct host *h)
{
    instant now = clock_now();
    for (int i = 0; i < effects.n; i++) {
        const struct effect *e = &effects.e[i];
        if (e->kind == EFFECT_SEND)
            send_effect(h, e, now);
        else if (e->kind == EFFECT_GOAL)
            reach(h, &e->goal);
        else if (e->kind == EFFECT_SYNC)
            h->pg.sync_seq = e->sync.seq, h->pg.sync_progress = PG_GOAL_REACHED, h->sampled = instant_never();
        else if (e->kind == EFFECT_FATAL)
            fprintf(stderr, "herd: %s\n", e->text), exit(1);
    }
    bool leased = h->core->hold.ready && lease_held(h->core);
    losses += counting && h->leased && !leased;
    h->leased = leased;
}

static void step(struct host *h, struct event *e)
{
    e->now = clock_now();
    e->entropy = keys_random_u64();
    core_step(h->core, e, &effects);
    perform(h);
}

/* A grant by the witness: how long is it since the heartbeat that it answers was sent? */
static void look_at(struct host *h, const uint8_t *bytes, size_t n)
{
    static struct heartbeat beat;
    struct frame f;
    if (frame_open(&f, bytes, n, &h->folder->cluster.id) != REJECT_NONE || f.kind != FRAME_HEARTBEAT ||
        f.origin != h->witness || !wire_get_heartbeat(&beat, f.body, f.body_len))
        return;
    if (beat.grant_holder != h->core->self || beat.grant_nonce != h->core->nonce ||
        beat.grant_seq <= h->granted_seq)
        return;
    h->granted_seq = beat.grant_seq;
    note(&waits, span_to_us(instant_elapsed_most(clock_now(), h->core->sent_at[beat.grant_seq % SENT_RING])));
}

static void sample(struct host *h, instant now)
{
    struct pg_sample *p = &h->pg;
    if (!instant_is_never(h->sampled) && instant_elapsed_most(now, h->sampled).ns < span_ms(SAMPLE_MS).ns)
        return;
    h->sampled = now;
    p->n_standbys = p->phase == PG_PRIMARY && h->other->pg.phase == PG_RECOVERY;
    p->standbys[0] = (struct pg_standby){.id = h->other->core->self,
                                         .dir = h->other->core->disk.dir,
                                         .streaming = true,
                                         .flush_lsn = p->lsn,
                                         .replay_lsn = p->lsn};
    step(h, &(struct event){.kind = EVENT_SAMPLE, .sample = p});
}

static void drain(struct host *h)
{
    struct packet p;
    enum transport_got got = TRANSPORT_PACKET;
    for (int i = 0; i < PACKETS_PER_TURN && got != TRANSPORT_NOTHING; i++) {
        got = transport_receive(h->transport, clock_now(), &p);
        if (got != TRANSPORT_PACKET)
            continue;
        look_at(h, p.bytes, p.len);
        step(h, &(struct event){.kind = EVENT_PACKET, .from = p.from, .bytes = p.bytes, .len = p.len});
    }
}

static void take_local(struct host *h)
{
    while (h->n_local > 0) {
        uint8_t *bytes = h->local[0];
        size_t n = h->local_len[0];
        h->n_local--;
        memmove(h->local, h->local + 1, (size_t)h->n_local * sizeof h->local[0]);
        memmove(h->local_len, h->local_len + 1, (size_t)h->n_local * sizeof h->local_len[0]);
        step(h,
             &(struct event){.kind = EVENT_PACKET, .from = h->other->core->self, .bytes = bytes, .len = n});
        free(bytes);
    }
}

static void turn(struct host *h)
{
    instant now = clock_now();
    bool due = instant_due_any(now, h->wake);
    if (!h->ready && !due && h->n_local == 0)
        return;
    if (due)
        note(&lateness, span_to_us(instant_elapsed_most(now, h->wake)));
    h->ready = false;
    drain(h);
    take_local(h);
    sample(h, now);
    now = clock_now();
    if (instant_due_any(now, core_deadline(h->core)))
        step(h, &(struct event){.kind = EVENT_TICK});
    h->tend = transport_tend(h->transport, now);
    h->wake = instant_min(instant_min(core_deadline(h->core), h->tend),
                          instant_add(h->sampled, span_ms(SAMPLE_MS)));
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

static void start_core(struct host *h, struct problem *problem)
{
    static uint8_t stored[DURABLE_MAX];
    struct core_setup *s = calloc(1, sizeof *s);
    const struct folder *f = h->folder;
    struct store store;
    const char *why;
    if (s == NULL || (h->core = malloc(core_size())) == NULL ||
        !store_open(&store, f->config.state_dir, problem) ||
        store_load(&store, stored, sizeof stored, &s->stored_len, problem) != STORE_GOOD)
        fail(problem);
    store_close(&store);
    s->cluster = f->cluster.id;
    s->self = f->self->member.id;
    s->secret = f->key.secret;
    s->n_members = f->cluster.n;
    for (int i = 0; i < f->cluster.n; i++)
        s->members[i] = f->cluster.members[i].member;
    s->settings = f->config.core;
    s->first = f->cluster.first;
    s->stored = stored;
    s->nonce = keys_random_u64();
    s->now = clock_now();
    if (!core_start(h->core, s, &effects, &why)) {
        fprintf(stderr, "herd: %s\n", why);
        exit(1);
    }
    free(s);
}

static void open_host(struct host *h, const char *path, struct transport_hub *hub)
{
    struct problem problem = {.fact = ""};
    struct transport_options *o = calloc(1, sizeof *o);
    h->folder = folder_open(path, 1u << ROLE_DATABASE, &problem);
    if (h->folder == NULL || o == NULL)
        fail(&problem);
    o->key = &h->folder->key;
    o->silence = span_ms(200);
    o->n_listen = h->folder->self->n_mesh;
    memcpy(o->listen, h->folder->self->mesh, sizeof o->listen);
    for (int i = 0; i < h->folder->cluster.n; i++) {
        const struct cluster_member *m = &h->folder->cluster.members[i];
        if (m->member.role != ROLE_WITNESS)
            continue;
        h->witness = m->member.id;
        struct transport_peer *p = &o->peers[o->n_peers++];
        p->id = m->member.id;
        memcpy(p->key, m->member.key, KEY_SIZE);
        p->n = m->n_mesh;
        memcpy(p->addresses, m->mesh, sizeof p->addresses);
    }
    h->transport = transport_open(hub, o, &problem);
    free(o);
    if (h->transport == NULL)
        fail(&problem);
    h->pg = (struct pg_sample){
        .phase = PG_ABSENT, .upstream_age_ms = EVIDENCE_NEVER, .sql_age_ms = EVIDENCE_NEVER};
    h->wake = clock_now();
    h->sampled = instant_never();
}

static void open_all(const char *folder, int clusters)
{
    struct problem problem = {.fact = ""};
    char path[512];
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int d = 0; d < DATABASES; d++)
        if ((hubs[d] = transport_hub_open(false, &problem)) == NULL)
            fail(&problem);
    for (int i = 0; i < clusters; i++)
        for (int d = 0; d < DATABASES; d++) {
            struct host *h = &hosts[n_hosts];
            snprintf(path, sizeof path, "%s/c%d/db%d/node.conf", folder, i + 1, d + 1);
            open_host(h, path, hubs[d]);
            h->other = &hosts[n_hosts ^ 1];
            struct epoll_event e = {.events = EPOLLIN, .data.u32 = (uint32_t)n_hosts++};
            epoll_ctl(epoll_fd, EPOLL_CTL_ADD, transport_fd(h->transport), &e);
        }
    for (int i = 0; i < n_hosts; i++) {
        start_core(&hosts[i], &problem);
        perform(&hosts[i]);
    }
}

static void wait_turn(void)
{
    struct pollfd fds[DATABASES + 1] = {{.fd = epoll_fd, .events = POLLIN}};
    struct epoll_event events[256];
    instant now = clock_now();
    int64_t least = 100000000;
    for (int d = 0; d < DATABASES; d++)
        fds[1 + d] = (struct pollfd){.fd = transport_hub_fd(hubs[d]), .events = POLLIN};
    for (int i = 0; i < n_hosts; i++) {
        int64_t left = hosts[i].n_local ? 0 : -instant_elapsed_most(now, hosts[i].wake).ns;
        least = left < least ? left : least;
    }
    struct timespec time = {0, least < 0 ? 0 : least};
    ppoll(fds, DATABASES + 1, &time, NULL);
    for (int d = 0; d < DATABASES; d++)
        transport_hub_serve(hubs[d]);
    int n = epoll_wait(epoll_fd, events, 256, 0);
    for (int i = 0; i < n; i++)
        hosts[events[i].data.u32].ready = true;
    for (int i = 0; i < n_hosts; i++)
        turn(&hosts[i]);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void print(const char *name, struct series *s)
{
    double n = (double)s->n;
    qsort(s->us, s->n, sizeof *s->us, compare);
    if (s->n == 0)
        printf("\"%s_us\": null", name);
    else
        printf("\"%s_us\": {\"n\": %zu, \"p50\": %u, \"p99\": %u, \"p999\": %u, \"max\": %u}", name, s->n,
               s->us[s->n / 2], s->us[(size_t)(n * 0.99)], s->us[(size_t)(n * 0.999)], s->us[s->n - 1]);
}

static int serving(void)
{
    int n = 0;
    for (int i = 0; i < n_hosts; i += DATABASES)
        n += hosts[i].leased;
    return n;
}

int main(int argc, char **argv)
{
    bool good = argc == 4 || argc == 5;
    int clusters = good ? atoi(argv[2]) : 0, seconds = good ? atoi(argv[3]) : 0,
        settle = argc == 5 ? atoi(argv[4]) : SETTLE_S;
    if (clusters < 1 || clusters > CLUSTERS_MAX || seconds < 1) {
        fprintf(stderr, "herd: FOLDER CLUSTERS SECONDS [SETTLE]; at most %d clusters\n", CLUSTERS_MAX);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    keys_begin();
    log_open("herd", CONFIG_LOG_ERROR, CONFIG_LOG_TEXT);
    process_harden(false);
    open_all(argv[1], clusters);
    instant began = clock_now(), patience = instant_add(began, span_ms(60000));
    while (serving() < clusters && !instant_due_any(clock_now(), patience))
        wait_turn();
    instant served = clock_now();
    fprintf(stderr, "herd: %d of %d serve after %.1f s\n", serving(), clusters,
            (double)span_to_ms(instant_elapsed_most(served, began)) / 1000);
    for (instant end = instant_add(served, span_ms(1000 * settle)); !instant_due_any(clock_now(), end);)
        wait_turn();
    fprintf(stderr, "herd: counting\n");
    counting = true;
    for (instant end = instant_add(clock_now(), span_ms(1000 * seconds)); !instant_due_any(clock_now(), end);)
        wait_turn();
    printf("{\"clusters\": %d, \"serving\": %d, \"seconds\": %d, \"leases_lost\": %lu, ", clusters, serving(),
           seconds, losses);
    print("grant", &waits);
    printf(", ");
    print("herd_late", &lateness);
    printf("}\n");
    return serving() == clusters ? 0 : 1;
}
