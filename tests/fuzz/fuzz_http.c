/* pgmesh-http as it is, in threads of one process: its server, the half that dials, and the member (a real witness) that it
 * speaks for.  The input is what a client sends over one connection; a byte 0xff stands for a token that may do everything.
 *
 * Whatever comes back is HTTP, and the server goes on. */
// LINK: tests/fuzz/witness.c mesh/inspect/plan.c mesh/inspect/plan_check.c mesh/inspect/make.c mesh/inspect/make_write.c
// LINK: mesh/inspect/output.c mesh/http/[!m]*.c mesh/http/me*.c
#define _GNU_SOURCE
#include "mesh/http/dial.h"
#include "mesh/http/server.h"
#include "mesh/io/command_sign.h"
#include "tests/fuzz/witness.h"

#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 30, ANSWER_MS = 10000, SENT_MAX = 64 * 1024, TOKEN_SIZE = 64 };

static struct witness *witness;
static struct http http;
static struct server_options options = {.http = &http};
static char token[TOKEN_SIZE + 1];
static int channel[2];
static uint16_t port;

static void *member(void *arg)
{
    (void)arg;
    loop_run(witness->loop);
    abort();
}

static void *dialler(void *arg)
{
    static const volatile int never;
    (void)arg;
    dial_serve(channel[0], witness->folder->config.control_socket, &never);
    abort();
}

static void *server(void *arg)
{
    (void)arg;
    server_run(&options);
    abort();
}

static void begin(void)
{
    static void *(*const threads[])(void *) = {member, dialler, server};
    struct problem problem = {.fact = ""};
    struct sockaddr_in address;
    socklen_t n = sizeof address;
    char hash[2 * HASH_SIZE + 1], line[160];
    uint8_t digest[HASH_SIZE];
    pthread_t thread;
    witness = witness_start();
    memset(token, 't', TOKEN_SIZE);
    keys_sha256(digest, token, TOKEN_SIZE);
    hex_put(hash, digest, sizeof digest);
    snprintf(line, sizeof line, "alice:admin:%s\n", hash);
    assert(token_parse(line, "tokens", &http.tokens, &problem));
    http.config = &witness->folder->config;
    http.cluster = &witness->folder->cluster;
    http.key = witness->operator_key;
    http.signer = command_sign_operator(http.cluster, &http.key);
    assert(http.signer != NULL);
    options.listening[options.n_listening++] =
        server_listen(&(struct address){.host = "127.0.0.1", .port = 0}, &problem);
    assert(options.listening[0] >= 0 &&
           getsockname(options.listening[0], (struct sockaddr *)&address, &n) == 0);
    port = ntohs(address.sin_port);
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) == 0);
    options.channel = channel[1];
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        assert(pthread_create(&thread, NULL, threads[i], NULL) == 0);
}

static int dial(void)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

/* Until the other end hangs up; false: it does not answer within that time. */
static bool hear(int fd, int ms)
{
    static char piece[65536];
    static const char version[] = "HTTP/1.";
    size_t n = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, ms) != 1)
            return false;
        ssize_t got = recv(fd, piece, sizeof piece, 0);
        if (got <= 0)
            return true;
        size_t looked = n < sizeof version - 1 ? sizeof version - 1 - n : 0;
        looked = looked < (size_t)got ? looked : (size_t)got;
        assert(looked == 0 || memcmp(piece, version + n, looked) == 0);
        n += (size_t)got;
    }
}

static int say(const char *text, size_t n)
{
    int fd = dial();
    for (size_t done = 0; done < n;) {
        ssize_t sent = send(fd, text + done, n - done, MSG_NOSIGNAL);
        if (sent <= 0)
            break; /* it has hung up already */
        done += (size_t)sent;
    }
    shutdown(fd, SHUT_WR);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char alive[] = "GET /openapi.json HTTP/1.0\r\n\r\n";
    static char text[SENT_MAX];
    size_t n = 0;
    if (witness == NULL)
        begin();
    for (size_t i = 0; i < size && n < sizeof text - TOKEN_SIZE; i++)
        if (data[i] == 0xff)
            memcpy(text + n, token, TOKEN_SIZE), n += TOKEN_SIZE;
        else
            text[n++] = (char)data[i];
    int fd = say(text, n);
    bool answered = hear(fd, PATIENCE_MS);
    close(fd);
    if (answered)
        return 0;
    /* An order takes its time, and a request that is not whole never ends: others are served meanwhile. */
    fd = say(alive, sizeof alive - 1);
    answered = hear(fd, ANSWER_MS);
    close(fd);
    assert(answered);
    return 0;
}
