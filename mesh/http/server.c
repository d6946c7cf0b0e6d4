#define _GNU_SOURCE
#include "mesh/http/server.h"

#include "mesh/http/answer.h"
#include "mesh/http/guest.h"
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

enum { WAIT_MS = 1500, TURN_MS = 1000, ACCEPT_PER_TURN = 64, PEER_SIZE = 64 };

/*   READING   its body comes in
 *   ASKING    suspended until the member has answered, at the latest at `deadline`
 *   ORDERED   suspended until the order is done
 *   READY     `reply` stands */
enum stage { READING, ASKING, ORDERED, READY };

struct server;
struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct guest *guest;
    struct exchange *before, *next; /* in the list of those that are suspended */
    enum stage stage;
    bool suspended;
    instant deadline;
    const struct route *route;
    struct request request;
    struct reply reply;
    char peer[PEER_SIZE];
    bool local; /* comes from this very host */
    size_t body_len, discarded;
    char body[SERVER_BODY_MAX];
};

struct server {
    struct http *http;
    struct MHD_Daemon *daemon;
    struct guests guests;
    struct exchange *suspended;
    struct exchange *ordering; /* the one order that is under way */
};

/* ---- those who wait -------------------------------------------------------------------------------------------------- */

static void suspend(struct exchange *x, enum stage stage, instant now)
{
    struct server *s = x->server;
    x->stage = stage;
    x->deadline = instant_add(now, span_ms(WAIT_MS));
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

static void told(void *arg, struct snapshot *snapshot, instant now)
{
    struct server *s = arg;
    if (snapshot->background_answer)
        watch_look(&s->http->watch, snapshot->status != NULL ? &snapshot->view : NULL, clock_wall_us());
    (void)now;
    for (struct exchange *x = s->suspended, *next; x != NULL; x = next) {
        next = x->next;
        if (x->stage == ASKING)
            resume(x);
    }
}

static void resume_late(struct server *s, instant now)
{
    for (struct exchange *x = s->suspended, *next; x != NULL; x = next) {
        next = x->next;
        if (x->stage == ASKING && instant_due_any(now, x->deadline))
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
    x->stage = READY;
    guest_phase(x->guest, GUEST_WRITING, now);
    enum MHD_Result result = MHD_queue_response(x->connection, x->reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- who may ----------------------------------------------------------------------------------------------------------- */

static void find_user(struct exchange *x)
{
    const char *header = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Authorization"),
               *token = token_of_header(header);
    x->request.user = token != NULL ? token_find(&x->server->http->tokens, token) : NULL;
    if (header != NULL && x->request.user == NULL)
        x->server->http->counters.refused_token++;
}

static bool refuse_token(struct exchange *x, const char *what)
{
    if (x->request.method == METHOD_POST)
        log_event(LOG_LEVEL_WARNING, "http-refused", "%s %s from %s: %s", "POST", x->route->path, x->peer,
                  what);
    answer_error(
        &x->reply, 401, "unauthorized", what, "The header \"Authorization: Bearer TOKEN\" is wanted.",
        "Tokens are made with \"pgmesh-http --make-token NAME:ROLE\" and listed in the file that http_tokens "
        "names.");
    return false;
}

static bool may(struct exchange *x)
{
    static const enum token_role least[] = {[ACCESS_OPEN] = TOKEN_NOBODY,
                                            [ACCESS_READ] = TOKEN_NOBODY,
                                            [ACCESS_VIEW] = TOKEN_VIEWER,
                                            [ACCESS_OPERATE] = TOKEN_OPERATOR,
                                            [ACCESS_ADMIN] = TOKEN_ADMIN};
    struct http *h = x->server->http;
    enum access access = x->route->access;
    if (access == ACCESS_READ && h->config->http_read == CONFIG_HTTP_READ_TOKEN)
        access = ACCESS_VIEW;
    enum token_role role = x->request.user != NULL ? x->request.user->role : TOKEN_NOBODY;
    if (least[access] == TOKEN_NOBODY)
        return true;
    if (!h->tls && !x->local) {
        h->counters.refused_role++;
        answer_error(&x->reply, 403, "permission", "a token is accepted over TLS only, or from this host",
                     "It would cross the network readable to all.", "Set http_tls_cert and http_tls_key.");
        return false;
    }
    if (role == TOKEN_NOBODY)
        return refuse_token(x, "no valid token was shown");
    if (role >= least[access])
        return true;
    h->counters.refused_role++;
    log_event(LOG_LEVEL_WARNING, "http-refused", "%s from %s: %s is %s only", x->route->path, x->peer,
              x->request.user->name, token_role_name(role));
    answer_error(&x->reply, 403, "permission", "this token's role does not allow that", token_role_name(role),
                 "The line in the file of tokens names the role.");
    return false;
}

/* ---- what is asked ----------------------------------------------------------------------------------------------------- */

static bool bad_request(struct exchange *x, const char *fact, const char *detail, const char *hint)
{
    x->server->http->counters.malformed++;
    answer_error(&x->reply, 400, "usage", fact, detail, hint);
    return false;
}

static enum MHD_Result take_argument(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct exchange *x = arg;
    struct health_limits *l = &x->request.limits;
    (void)kind;
    if (strcmp(key, "lag") == 0 || strcmp(key, "lag_ms") == 0) {
        bool time = key[3] != '\0';
        long long n = value == NULL ? -1 : time ? health_ms(value) : health_bytes(value);
        *(time ? &l->lag_ms : &l->lag_bytes) = n;
        if (n < 0)
            return bad_request(x, "the limit of the lag is not understood", value,
                               "lag=10MB is in bytes (kB, MB, GB); lag_ms=500 or lag_ms=2s is a time.")
                       ? MHD_YES
                       : MHD_NO;
    } else if (strcasestr(key, "token") != NULL || strcasecmp(key, "authorization") == 0) {
        return bad_request(x, "a token does not belong into an address",
                           "Addresses end up in logs: it should be replaced.",
                           "Send the header \"Authorization: Bearer TOKEN\".")
                   ? MHD_YES
                   : MHD_NO;
    }
    return MHD_YES; /* others, as Patroni's tags, are passed over */
}

static bool read_body(struct exchange *x)
{
    json_error_t error;
    size_t n = strspn(x->body, " \t\r\n");
    if (x->discarded > 0) {
        x->server->http->counters.too_large++;
        answer_error(&x->reply, 413, "usage", "the body is too long", NULL,
                     "No request here needs more than a few hundred bytes.");
        return false;
    }
    if (x->request.method != METHOD_POST)
        return true;
    x->request.body =
        n >= x->body_len ? json_object() : json_loadb(x->body, x->body_len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(x->request.body))
        return true;
    return bad_request(x, "the body is not a JSON object", NULL,
                       "For example {\"candidate\": \"db2\"}; /openapi.json tells more.");
}

/* Everything that can be judged without the member.  false: the reply stands. */
static bool accept_request(struct exchange *x)
{
    struct http *h = x->server->http;
    if (x->route == NULL) {
        h->counters.not_found++;
        answer_error(&x->reply, 404, "not_found", "there is nothing at this path", NULL,
                     "/openapi.json lists what there is.");
        return false;
    }
    if ((x->route->methods & x->request.method) == 0) {
        answer_error(&x->reply, 405, "usage", "this path does not take that method", NULL,
                     x->route->methods & METHOD_POST ? "It takes POST." : "It takes GET, HEAD and OPTIONS.");
        return false;
    }
    find_user(x);
    return may(x) && read_body(x) &&
           MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, take_argument, x) >= 0 &&
           x->reply.status == 0;
}

/* ---- its way ----------------------------------------------------------------------------------------------------------- */

static void order_done(void *arg, struct reply *reply)
{
    struct server *s = arg;
    struct exchange *x = s->ordering;
    s->ordering = NULL;
    if (x == NULL) { /* the client is gone; the log has it */
        json_decref(reply->json);
        return;
    }
    x->reply = *reply;
    x->stage = READY;
    resume(x);
}

static enum MHD_Result give_order(struct exchange *x, instant now)
{
    struct server *s = x->server;
    if (!x->route->order(s->http, &x->request, &x->reply))
        return send_reply(x, now);
    s->ordering = x;
    suspend(x, ORDERED, now);
    return MHD_YES;
}

static enum MHD_Result reply_now(struct exchange *x, instant now)
{
    x->request.now = now;
    if (x->request.method == METHOD_OPTIONS && x->route->check == HEALTH_PRIMARY && !x->route->fresh)
        x->reply.status = 200;
    x->route->answer(x->server->http, &x->request, x->route, &x->reply);
    return send_reply(x, now);
}

static enum MHD_Result proceed(struct exchange *x)
{
    struct snapshot *snapshot = &x->server->http->snapshot;
    instant now = clock_now();
    if (x->stage == READY)
        return send_reply(x, now);
    if (x->stage == READING && !accept_request(x))
        return send_reply(x, now);
    enum snapshot_state state = snapshot_state(snapshot, now);
    if (x->route->fresh && state == SNAPSHOT_OLD && x->stage == READING) {
        suspend(x, ASKING, now);
        snapshot_want(snapshot, now);
        return MHD_YES;
    }
    if (x->route->fresh && state != SNAPSHOT_FRESH) {
        answer_stale(x->server->http, &x->reply);
        return send_reply(x, now);
    }
    x->request.now = now;
    return x->route->order != NULL ? give_order(x, now) : reply_now(x, now);
}

static bool is_loopback(const struct sockaddr *a)
{
    const uint8_t *six = ((const struct sockaddr_in6 *)(const void *)a)->sin6_addr.s6_addr;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
    return a->sa_family == AF_INET6 && (memcmp(six, in6addr_loopback.s6_addr, 16) == 0 ||
                                        (memcmp(six, mapped, 12) == 0 && six[12] == 127));
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
        x->local = is_loopback(peer->client_addr);
    }
    s->http->counters.requests++;
    return x;
}

static bool take_body(struct exchange *x, const char *bytes, size_t n)
{
    size_t room = sizeof x->body - x->body_len, kept = n < room ? n : room;
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
        {MHD_OPTION_END, 0, NULL}};
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (o->tls_cert != NULL ? MHD_USE_TLS : 0);
    s->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, no_log, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->guests.limit + 8, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)SERVER_CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_ARRAY, o->tls_cert != NULL ? tls : &tls[3], MHD_OPTION_END);
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
    snapshot_close(&h->snapshot);
    member_close(&h->line);
    guest_close(&s->guests);
    return 0;
}
