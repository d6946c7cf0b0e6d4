/* What comes and goes leaves nothing behind: links to a member that starts again and again, connections to a server that is
 * not there.  Bytes in use and descriptors after many rounds are those after a few. */
// LINK: node/pg_observer.c node/pg_link.c
#define _GNU_SOURCE
#include "mesh/io/clock.h"
#include "mesh/io/transport.h"
#include "node/pg_observer.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { HERE, THERE, ENDS, WARM = 20, ROUNDS = 120, SLACK = 24 * 1024, SOCKETS = 8, ASKS = 400 };

struct end {
    struct transport_hub *hub;
    struct transport *transport;
    struct key key;
    uint64_t got;
};
static struct end ends[ENDS];
static struct problem problem;

static member_id id_of(int i)
{
    return (member_id)(10 + i);
}

static int descriptors(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static bool open_end(int i, const uint16_t ports[static ENDS])
{
    struct transport_options o = {.key = &ends[i].key, .n_listen = 1, .n_peers = 1, .silence = span_ms(200)};
    strcpy(o.listen[0].host, "127.0.0.1");
    o.listen[0].port = ports[i];
    o.peers[0].id = id_of(!i);
    memcpy(o.peers[0].key, ends[!i].key.public, KEY_SIZE);
    o.peers[0].n = 1;
    strcpy(o.peers[0].addresses[0].host, "127.0.0.1");
    o.peers[0].addresses[0].port = ports[!i];
    ends[i].transport = transport_open(ends[i].hub, &o, &problem);
    return ends[i].transport != NULL;
}

/* Until each end has heard the other one in this round. */
static void talk(void)
{
    struct packet p;
    ends[HERE].got = ends[THERE].got = 0;
    while (!ends[HERE].got || !ends[THERE].got) {
        for (int i = 0; i < ENDS; i++) {
            transport_hub_serve(ends[i].hub);
            transport_send(ends[i].transport, id_of(!i), (const uint8_t *)"hello", 5, clock_now());
            for (enum transport_got got;
                 (got = transport_receive(ends[i].transport, clock_now(), &p)) != TRANSPORT_NOTHING;)
                ends[i].got += got == TRANSPORT_PACKET;
            transport_tend(ends[i].transport, clock_now());
        }
        poll(NULL, 0, 2);
    }
}

/* What is held at the least within some rounds: at times a socket that was closed is still being taken down. */
struct held {
    size_t in_use, from_system;
    int descriptors;
};
static void least(struct held *h)
{
    struct mallinfo2 m = mallinfo2();
    int fds = descriptors();
    h->in_use = m.uordblks < h->in_use ? m.uordblks : h->in_use;
    h->from_system = m.arena < h->from_system ? m.arena : h->from_system;
    h->descriptors = fds < h->descriptors ? fds : h->descriptors;
}

/* A member starts anew again and again.  What the heap has taken from the system rises with the greatest number of sockets
 * that were there at a time (150 kB each), and no further. */
START_TEST(links_that_come_and_go)
{
    uint16_t ports[ENDS] = {0};
    struct held before = {SIZE_MAX, SIZE_MAX, INT_MAX}, after = before;
    keys_begin();
    for (int i = 0; i < ENDS; i++) {
        keys_generate(&ends[i].key, NULL);
        ends[i].hub = transport_hub_open(false, &problem);
    }
    for (int i = 0; i < ENDS; i++) {
        ck_assert_msg(open_end(i, ports), "%s", problem.fact);
        ports[i] = transport_port(ends[i].transport, 0);
        transport_close(&ends[i].transport);
    }
    while (!open_end(HERE, ports))
        poll(NULL, 0, 5);
    for (int round = 0; round < ROUNDS; round++) {
        while (!open_end(THERE, ports))
            poll(NULL, 0, 5); /* the closed socket leaves its port a moment later */
        talk();
        if (round >= WARM && round < 2 * WARM)
            least(&before);
        if (round >= ROUNDS - WARM)
            least(&after);
        transport_close(&ends[THERE].transport);
    }
    ck_assert_uint_le(after.in_use, before.in_use + SLACK);
    ck_assert_uint_le(after.from_system, before.from_system + SOCKETS * 160 * 1024);
    ck_assert_int_le(after.descriptors, before.descriptors);
    transport_close(&ends[HERE].transport);
    for (int i = 0; i < ENDS; i++)
        transport_hub_close(&ends[i].hub);
}
END_TEST

START_TEST(a_server_that_is_not_there)
{
    struct address nowhere = {.host = "127.0.0.1", .port = 1};
    void *connection = NULL;
    size_t bytes = 0;
    int fds = 0, wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (int i = 0; i < WARM + ASKS; i++) {
        struct pg_observer_question q = {.to = &nowhere,
                                         .pass_file = "/nonexistent",
                                         .write = true,
                                         .end = instant_add(clock_now(), span_ms(500)),
                                         .wake = wake};
        ck_assert_int_eq(pg_observer_ask(&connection, &q), PG_OBSERVER_SILENT);
        if (i == WARM) {
            bytes = mallinfo2().uordblks;
            fds = descriptors();
        }
    }
    ck_assert_uint_le(mallinfo2().uordblks, bytes + SLACK);
    ck_assert_int_eq(descriptors(), fds);
    close(wake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("growth");
    TCase *tcase = suite_case(suite, "growth");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, links_that_come_and_go);
    tcase_add_test(tcase, a_server_that_is_not_there);
    return suite_run(suite);
}
