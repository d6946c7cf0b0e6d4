#define _GNU_SOURCE
#include "mesh/http/server.h"

#include "mesh/http/answer.h"
#include "mesh/http/exchange.h"
#include "mesh/http/join.h"
#include "mesh/http/order.h"
#include "mesh/io/clock.h"
#include "mesh/io/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 1500, TURN_MS = 1000, ACCEPT_PER_TURN = 64 };

/* ---- those who wait -------------------------------------------------------------------------------------------------- */

static void suspend(struct exchange *x, enum exchange_stage stage)
{
    struct server *s = x->server;
    x->stage = stage;
    x->suspended = true;
    x->before = NULL;
    x->next = s->suspended;
    if (x->next != NULL)
        x->next->before = x;
    s->suspended = x;
    MHD_suspend_connection(x->connection);
}

static void resume(struct exchange *x)
{
    if (!x->suspended)
        return;
    if (x->before != NULL)
        x->before->next = x->next;
    else
        x->server->suspended = x->next;
    if (x->next != NULL)
        x->next->before = x->before;
    x->suspended = false;
    MHD_resume_connection(x->connection);
}

/* What is news since the last look, to whoever wants to hear of it. */
static void post_news(struct http *h)
{
    const struct snapshot *s = &h->snapshot;
    const char *cluster = h->cluster->name, *member = h->config->member;
    struct note notes[NOTES_MAX];
    int n = note_look(&h->notes, &s->view, clock_wall_us(), notes);
    size_t size = json_array_size(s->events);
    uint64_t fresh = s->events_seen - h->events_noted;
    for (int i = 0; i < n; i++)
        hook_post(&h->hooks, &notes[i], cluster, member);
    for (size_t i = fresh < size ? size - (size_t)fresh : 0; i < size; i++)
        if (note_event(json_array_get(s->events, i), cluster, member, &notes[0]) &&
            notes[0].at_us > h->started_us)
            hook_post(&h->hooks, &notes[0], cluster, member);
    h->events_noted = s->events_seen;
}

static void look(struct http *h)
{
    const struct snapshot *s = &h->snapshot;
    watch_look(&h->watch, s->status != NULL ? &s->view : NULL, clock_wall_us());
    if (h->hooks.n > 0 && s->status != NULL)
        post_news(h);
}

static void told(void *arg, struct snapshot *snapshot, instant now)
{
    struct server *s = arg;
    if (snapshot->background_answer)
        look(s->http);
    (void)now;
    for (struct exchange *x = s->suspended, *next; x != NULL; x = next) {
        next = x->next;
        if (x->stage == EXCHANGE_ASKING)
            resume(x);
    }
}

static void resume_late(struct server *s, instant now)
{
    for (struct exchange *x = s->suspended, *next; x != NULL; x = next) {
        next = x->next;
        if (x->stage == EXCHANGE_ASKING && instant_due_any(now, x->deadline))
            resume(x);
    }
}

/* ---- one reply ------------------------------------------------------------------------------------------------------- */

static struct MHD_Response *response_of(struct reply *r, size_t *n)
{
    char *own = r->own;
    if (r->json != NULL) {
        own = json_dumps(r->json, JSON_COMPACT);
        json_decref(r->json);
        r->json = NULL;
    }
    r->own = NULL;
    const char *text = own != NULL ? own : r->text != NULL ? r->text : "";
    *n = strlen(text);
    return MHD_create_response_from_buffer(*n, (void *)(uintptr_t)text,
                                           own != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
}

static void put_headers(const struct exchange *x, struct MHD_Response *response)
{
    const struct reply *r = &x->reply;
    MHD_add_response_header(response, "Content-Type", r->type != NULL ? r->type : "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (r->type != NULL && strncmp(r->type, "text/html", 9) == 0)
        MHD_add_response_header(
            response, "Content-Security-Policy",
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    if (r->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"pgmesh\"");
    if (r->status == 405)
        MHD_add_response_header(response, "Allow",
                                x->route->methods & METHOD_POST ? "POST" : "GET, HEAD, OPTIONS");
}

static enum MHD_Result send_reply(struct exchange *x, instant now)
{
    size_t n;
    struct MHD_Response *response = response_of(&x->reply, &n);
    if (response == NULL)
        return MHD_NO;
    put_headers(x, response);
    x->stage = EXCHANGE_READY;
    guest_phase(x->guest, GUEST_WRITING, now);
    enum MHD_Result result = MHD_queue_response(x->connection, x->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- its way ----------------------------------------------------------------------------------------------------------- */

static void done(struct exchange **place, struct reply *reply)
{
    struct exchange *x = *place;
    *place = NULL;
    if (x == NULL) { /* the client is gone; the log has it */
        json_decref(reply->json);
        return;
    }
    x->reply = *reply;
    x->stage = EXCHANGE_READY;
    resume(x);
}

static void order_done(void *arg, struct reply *reply)
{
    struct server *s = arg;
    snapshot_outdate(&s->http->snapshot, clock_now());
    done(&s->ordering, reply);
}

static void join_done(void *arg, struct reply *reply)
{
    struct server *s = arg;
    done(&s->joining, reply);
}

static enum MHD_Result give_order(struct exchange *x, instant now)
{
    struct server *s = x->server;
    if (!x->route->order(s->http, &x->request, &x->reply))
        return send_reply(x, now);
    *(x->route->order == join_ask ? &s->joining : &s->ordering) = x;
    suspend(x, EXCHANGE_ORDERED);
    return MHD_YES;
}

static enum MHD_Result reply_now(struct exchange *x, instant now)
{
    x->request.now = now;
    x->route->answer(x->server->http, &x->request, x->route, &x->reply);
    return send_reply(x, now);
}

/* Fresh is what was asked for this request, or at most SNAPSHOT_FRESH_MS before it came: a member that takes longer to
 * answer did answer.  One whose question was under way already may have to be asked once more. */
static enum MHD_Result proceed(struct exchange *x)
{
    struct snapshot *snapshot = &x->server->http->snapshot;
    instant now = clock_now();
    if (x->stage == EXCHANGE_READY)
        return send_reply(x, now);
    if (x->stage == EXCHANGE_READING && !exchange_judge(x))
        return send_reply(x, now);
    if (x->stage == EXCHANGE_READING) {
        x->came = now;
        x->deadline = instant_add(now, span_ms(WAIT_MS));
    }
    enum snapshot_state state = snapshot_state(snapshot, x->came);
    if (x->route->fresh != FRESH_ANY && state == SNAPSHOT_OLD && !instant_due_any(now, x->deadline)) {
        suspend(x, EXCHANGE_ASKING);
        snapshot_want(snapshot, now);
        return MHD_YES;
    }
    x->request.fresh = state == SNAPSHOT_FRESH;
    if (x->route->fresh == FRESH_NEEDED && state != SNAPSHOT_FRESH) {
        answer_stale(x->server->http, &x->reply);
        return send_reply(x, now);
    }
    x->request.now = now;
    return x->route->order != NULL ? give_order(x, now) : reply_now(x, now);
}

static struct exchange *begin(struct server *s, struct MHD_Connection *c, const char *url, const char *method)
{
    const union MHD_ConnectionInfo *socket = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT),
                                   *peer = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct exchange *x = socket != NULL && socket->socket_context != NULL ? malloc(sizeof *x) : NULL;
    if (x == NULL)
        return NULL;
    memset(x, 0, offsetof(struct exchange, body));
    x->server = s;
    x->connection = c;
    x->guest = socket->socket_context;
    x->route = route_find(url);
    x->request = (struct request){.method = route_method(method), .limits = {-1, -1}, .peer = x->peer};
    const char *accepts = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
    x->request.wants_html = accepts != NULL && strstr(accepts, "text/html") != NULL;
    if (peer != NULL && peer->client_addr != NULL) {
        socklen_t size = peer->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                  : sizeof(struct sockaddr_in);
        getnameinfo(peer->client_addr, size, x->peer, sizeof x->peer, NULL, 0, NI_NUMERICHOST);
        x->local = exchange_is_local(peer->client_addr, x->guest->fd);
    }
    s->http->counters.requests++;
    return x;
}

static bool take_body(struct exchange *x, const char *bytes, size_t n)
{
    size_t room = SERVER_BODY_MAX - x->body_len, kept = n < room ? n : room;
    memcpy(x->body + x->body_len, bytes, kept);
    x->body_len += kept;
    x->discarded += n - kept;
    return x->discarded <= SERVER_BODY_DISCARDED_MAX;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *bytes, size_t *n, void **exchange)
{
    struct exchange *x = *exchange;
    (void)version;
    if (x == NULL) {
        *exchange = x = begin(arg, c, url, method);
        return x != NULL ? MHD_YES : MHD_NO;
    }
    if (*n == 0) {
        guest_phase(x->guest, GUEST_WORKING, clock_now());
        return proceed(x);
    }
    bool good = take_body(x, bytes, *n);
    *n = 0;
    return good ? MHD_YES : MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **exchange,
                         enum MHD_RequestTerminationCode why)
{
    struct server *s = arg;
    struct exchange *x = *exchange;
    (void)c, (void)why;
    if (x == NULL)
        return;
    resume(x);
    if (s->ordering == x)
        s->ordering = NULL;
    if (s->joining == x)
        s->joining = NULL;
    guest_phase(x->guest, GUEST_READING, clock_now());
    json_decref(x->request.body);
    json_decref(x->reply.json);
    free(x->reply.own);
    free(x);
    *exchange = NULL;
}

/* ---- connections ------------------------------------------------------------------------------------------------------- */

static void on_connection(void *arg, struct MHD_Connection *c, void **guest,
                          enum MHD_ConnectionNotificationCode what)
{
    struct server *s = arg;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        *guest = fd != NULL ? guest_enter(&s->guests, fd->connect_fd, clock_now()) : NULL;
    } else if (*guest != NULL) {
        guest_leave(&s->guests, *guest);
        *guest = NULL;
    }
}

/* Makes room by hanging up on the slowest, and lets the library notice. */
static bool make_room(struct server *s)
{
    if (s->guests.n < s->guests.limit)
        return true;
    if (!guest_evict(&s->guests))
        return false;
    MHD_run(s->daemon);
    return s->guests.n < s->guests.limit;
}

static void accept_from(struct server *s, int listening)
{
    for (int i = 0; i < ACCEPT_PER_TURN; i++) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int fd = accept4(listening, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        s->http->counters.connections++;
        if (!make_room(s)) {
            s->http->counters.turned_away++;
            close(fd);
        } else {
            MHD_add_connection(s->daemon, fd, (struct sockaddr *)&address,
                               size); /* closes it when it cannot */
        }
    }
}

int server_listen(const struct address *a, struct problem *err)
{
    char port[8], text[ADDRESS_TEXT_SIZE];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_PASSIVE},
                    *found = NULL;
    int on = 1, fd = -1;
    snprintf(port, sizeof port, "%u", a->port);
    if (getaddrinfo(a->host, port, &hints, &found) == 0) {
        fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (found->ai_family == AF_INET6)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
        if (fd >= 0 && (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1024) != 0)) {
            int error = errno;
            close(fd);
            fd = -1;
            errno = error;
        }
        freeaddrinfo(found);
    }
    if (fd < 0) {
        problem_fact(err, "could not listen on %s: %s", address_print(text, a), strerror(errno));
        problem_hint(err, "http_listen names the addresses; another program may have the port.");
    }
    return fd;
}

/* ---- the loop ------------------------------------------------------------------------------------------------------------ */

static void no_log(void *arg, const char *format, va_list ap)
{
    (void)arg, (void)format, (void)ap;
}

static bool start(struct server *s, const struct server_options *o)
{
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, o->tls_cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, o->tls_key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {o->client_ca != NULL ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, o->client_ca},
        {MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (o->tls_cert != NULL ? MHD_USE_TLS : 0);
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->guests.limit + 8, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)SERVER_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, o->tls_cert != NULL ? tls : &tls[4], MHD_OPTION_END);
    return s->daemon != NULL;
}

static int wait_ms(struct server *s, instant wake)
{
    MHD_UNSIGNED_LONG_LONG library;
    int64_t ms = TURN_MS,
            due = instant_is_never(wake) ? TURN_MS : -span_to_ms(instant_elapsed_most(clock_now(), wake));
    if (due < ms)
        ms = due < 0 ? 0 : due + 1;
    if (MHD_get_timeout(s->daemon, &library) == MHD_YES && (int64_t)library < ms)
        ms = (int64_t)library;
    return (int)ms;
}

static instant sooner(instant a, instant b)
{
    return instant_is_never(a) ? b : instant_is_never(b) ? a : instant_min(a, b);
}

/* One turn; false: it is over. */
static bool turn(struct server *s, const struct server_options *o, int epoll)
{
    struct pollfd fds[1 + ADDRESSES_MAX + MEMBER_TALKS + 1];
    struct http *h = s->http;
    instant now = clock_now();
    instant wake = snapshot_tend(&h->snapshot, now);
    wake = sooner(wake, sooner(member_wake(h->line), order_tend(h, now)));
    guest_sweep(&s->guests, now);
    resume_late(s, now);
    MHD_run(s->daemon);

    int n = 0;
    fds[n++] = (struct pollfd){.fd = epoll, .events = POLLIN};
    for (int i = 0; i < o->n_listening; i++)
        fds[n++] = (struct pollfd){.fd = o->listening[i], .events = POLLIN};
    n += member_poll(h->line, fds + n, MEMBER_TALKS + 1);
    if (poll(fds, (nfds_t)n, wait_ms(s, wake)) < 0 && errno != EINTR)
        return false;
    for (int i = 0; i < o->n_listening; i++)
        if (fds[1 + i].revents != 0)
            accept_from(s, o->listening[i]);
    h->counters.evicted = s->guests.evicted;
    h->counters.late = s->guests.late;
    return member_serve(h->line, clock_now());
}

int server_run(const struct server_options *o)
{
    static struct server server;
    struct server *s = &server;
    struct http *h = s->http = o->http;
    h->line = member_open(o->channel);
    h->started_us = clock_wall_us();
    if (h->line == NULL || !snapshot_open(&h->snapshot, h->line, told, s) || !order_open(h, order_done, s) ||
        !join_open(h, join_done, s) || !hook_start(&h->hooks) ||
        !guest_open(&s->guests, h->config->http_max_connections) || !start(s, o)) {
        log_event(LOG_LEVEL_ERROR, "http-failed", "the server could not start%s",
                  o->tls_cert != NULL ? ": are certificate and key PEM, and of one another?" : "");
        return 1;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    log_event(LOG_LEVEL_INFO, "http-start", "serving over %s", o->tls_cert != NULL ? "HTTPS" : "HTTP");
    while (info != NULL && turn(s, o, info->epoll_fd))
        continue;
    while (s->suspended != NULL)
        resume(s->suspended);
    MHD_stop_daemon(s->daemon);
    order_close(h);
    join_close(h);
    snapshot_close(&h->snapshot);
    member_close(&h->line);
    guest_close(&s->guests);
    return 0;
}
