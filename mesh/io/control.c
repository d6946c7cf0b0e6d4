#define _GNU_SOURCE
#include "mesh/io/control.h"

#include "mesh/io/file.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_SIZE = 16 * 1024, ACCEPT_PER_TURN = 4, OUTPUT_MAX = 16 * 1024 * 1024 };

/*   FREE     no connection
 *   READING  gathers a request; dropped at `deadline`
 *   WAITING  the handler has it, the final answer is not given yet; dropped at `deadline`
 *   ENDING   the answer is in `out`, waits to be taken; dropped at `deadline`
 * In WAITING, too, whatever is in `out` is written as the other end takes it. */
enum client_state { FREE, READING, WAITING, ENDING };

struct client {
    enum client_state state;
    control_client number;
    int fd, watched; /* for which events; 0 for a new one */
    instant deadline;
    char *in, *out;
    size_t in_len, in_room, out_len, out_done;
};

struct control {
    int fd, watched, epoll;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    control_handler *handler;
    void *arg;
    control_client last;
    struct client clients[CONTROL_CLIENTS_MAX];
};

/* ---- waiting ---------------------------------------------------------------------------------------------------------- */

/* Descriptors that are closed leave the set by themselves; one that hung up shows whatever it is watched for. */
static bool watch_one(const struct control *c, int fd, int *watched, int wanted)
{
    struct epoll_event e = {.events = (uint32_t)wanted};
    wanted |= EPOLLHUP; /* always told; and so a descriptor that is in the set is never 0 */
    if (*watched == wanted)
        return true;
    bool good = epoll_ctl(c->epoll, *watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) == 0;
    *watched = good ? wanted : *watched;
    return good;
}

static bool watch(struct control *c)
{
    bool full = true;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *k = &c->clients[i];
        int events = (k->state == READING ? EPOLLIN : 0) | (k->out_len > k->out_done ? EPOLLOUT : 0);
        full = full && k->state != FREE;
        if (k->state != FREE)
            watch_one(c, k->fd, &k->watched, events);
    }
    return watch_one(c, c->fd, &c->watched, full ? 0 : EPOLLIN);
}

int control_fd(const struct control *c)
{
    return c->epoll;
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

static bool listen_on(struct control *c, const char *path, struct problem *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        problem_fact(err, "the control socket's path is too long");
        problem_detail(err, "\"%s\" has %zu characters; a socket's path has at most %zu.", path, strlen(path),
                       sizeof address.sun_path - 1);
        return problem_hint(err, "Set \"control_socket\" to a shorter path.");
    }
    strcpy(address.sun_path, path);
    strcpy(c->path, path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return problem_fact(err, "could not create a socket: %s", strerror(errno));
    /* The lock on the state folder says that no other process of this member runs, so a socket that lies there is a leftover;
     * anything else is somebody's file. */
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        problem_fact(err, "\"%s\" exists, and is no socket", path);
        return problem_hint(err, "Set \"control_socket\" to another path, or remove what lies there.");
    }
    unlink(path);
    mode_t mask = umask(0177);
    int rc = bind(c->fd, (struct sockaddr *)&address, sizeof address);
    umask(mask);
    if (rc != 0 || listen(c->fd, CONTROL_CLIENTS_MAX) != 0) {
        problem_fact(err, "could not listen on \"%s\": %s", path, strerror(errno));
        return problem_hint(err, "Its folder must exist and belong to the user that runs this program.");
    }
    return true;
}

struct control *control_open(const char *path, control_handler *handler, void *arg, struct problem *err)
{
    struct control *c = calloc(1, sizeof *c);
    if (c == NULL) {
        problem_fact(err, "out of memory");
        return NULL;
    }
    c->fd = -1;
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    c->handler = handler;
    c->arg = arg;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        c->clients[i].fd = -1;
    if (!listen_on(c, path, err) ||
        (!watch(c) && !problem_fact(err, "could not watch \"%s\": %s", path, strerror(errno)))) {
        c->path[0] = '\0';
        control_close(&c);
    }
    return c;
}

static void drop(struct client *k)
{
    if (k->fd >= 0)
        close(k->fd);
    free(k->in);
    free(k->out);
    *k = (struct client){.state = FREE, .fd = -1};
}

void control_close(struct control **at)
{
    struct control *c = *at;
    if (c == NULL)
        return;
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        drop(&c->clients[i]);
    if (c->fd >= 0)
        close(c->fd);
    if (c->epoll >= 0)
        close(c->epoll);
    if (c->path[0])
        unlink(c->path);
    free(c);
    *at = NULL;
}

/* ---- who comes in ----------------------------------------------------------------------------------------------------- */

static bool allowed(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && (who.uid == 0 || who.uid == geteuid());
}

static void admit(struct control *c, instant now)
{
    for (int i = 0, taken = 0; i < CONTROL_CLIENTS_MAX && taken < ACCEPT_PER_TURN; i++) {
        struct client *k = &c->clients[i];
        if (k->state != FREE)
            continue;
        int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        taken++;
        if (!allowed(fd)) {
            close(fd);
            continue;
        }
        *k = (struct client){.state = READING,
                             .number = ++c->last,
                             .fd = fd,
                             .deadline = instant_add(now, span_ms(CONTROL_READ_MS))};
    }
}

/* ---- a client's request --------------------------------------------------------------------------------------------- */

static void answer_text(struct control *c, struct client *k, const char *fact, instant now)
{
    control_answer(c, k->number, json_pack("{s:b, s:s}", "final", 1, "error", fact), true, now);
}

/* The first complete line, if there is one: to the handler. */
static void dispatch(struct control *c, struct client *k, instant now)
{
    json_error_t error;
    char *newline = k->in_len ? memchr(k->in, '\n', k->in_len) : NULL;
    if (newline == NULL && k->in_len > CONTROL_REQUEST_MAX) {
        answer_text(c, k, "the request is too long", now);
        return;
    }
    if (newline == NULL)
        return;
    size_t n = (size_t)(newline - k->in);
    json_t *request = json_loadb(k->in, n, JSON_REJECT_DUPLICATES, &error);
    k->in_len -= n + 1;
    memmove(k->in, newline + 1, k->in_len);
    k->state = WAITING;
    k->deadline = instant_add(now, span_ms(CONTROL_ANSWER_MS));
    if (!json_is_object(request))
        answer_text(c, k, "the request is not a JSON object", now);
    else
        c->handler(c->arg, k->number, request, now);
    json_decref(request);
}

static void take_in(struct control *c, struct client *k, instant now)
{
    if (k->in_room - k->in_len < READ_SIZE) {
        char *more = realloc(k->in, k->in_len + READ_SIZE);
        if (more == NULL) {
            drop(k);
            return;
        }
        k->in = more;
        k->in_room = k->in_len + READ_SIZE;
    }
    ssize_t got = recv(k->fd, k->in + k->in_len, READ_SIZE, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        drop(k);
        return;
    }
    k->in_len += (size_t)got;
    dispatch(c, k, now);
}

static void write_out(struct control *c, struct client *k, instant now)
{
    while (k->out_done < k->out_len) {
        ssize_t done = send(k->fd, k->out + k->out_done, k->out_len - k->out_done, MSG_NOSIGNAL);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno == EAGAIN)
            return;
        if (done <= 0) {
            drop(k);
            return;
        }
        k->out_done += (size_t)done;
    }
    free(k->out);
    k->out = NULL;
    k->out_len = k->out_done = 0;
    if (k->state == ENDING) {
        k->state = READING;
        k->deadline = instant_add(now, span_ms(CONTROL_READ_MS));
        dispatch(c, k, now);
    }
}

static bool hung_up(int fd)
{
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

instant control_serve(struct control *c, instant now)
{
    instant next = instant_never();
    admit(c, now);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct client *k = &c->clients[i];
        if (k->state == READING)
            take_in(c, k, now);
        if (k->state != FREE && k->out_len > k->out_done)
            write_out(c, k, now);
        if (k->state != FREE && (instant_due_any(now, k->deadline) || hung_up(k->fd)))
            drop(k);
        if (k->state != FREE && (instant_is_never(next) || k->deadline.boot_ns < next.boot_ns))
            next = k->deadline;
    }
    watch(c);
    return next;
}

/* ---- answers ----------------------------------------------------------------------------------------------------------- */

static struct client *find(const struct control *c, control_client number)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (c->clients[i].state != FREE && c->clients[i].number == number)
            return (struct client *)&c->clients[i];
    return NULL;
}

bool control_waits(const struct control *c, control_client client)
{
    const struct client *k = find(c, client);
    return k && k->state == WAITING;
}

void control_answer(struct control *c, control_client client, struct json_t *answer, bool final, instant now)
{
    struct client *k = find(c, client);
    char *text = k && (k->state == WAITING || k->state == READING) ? json_dumps(answer, JSON_COMPACT) : NULL;
    json_decref(answer);
    if (text == NULL)
        return;
    size_t n = strlen(text);
    char *more = k->out_len + n < OUTPUT_MAX ? realloc(k->out, k->out_len + n + 1) : NULL;
    if (more == NULL) {
        free(text);
        drop(k);
        return;
    }
    k->out = more;
    memcpy(k->out + k->out_len, text, n);
    k->out[k->out_len + n] = '\n';
    k->out_len += n + 1;
    free(text);
    if (final) {
        k->state = ENDING;
        k->deadline = instant_add(now, span_ms(CONTROL_READ_MS));
    }
    watch(c);
}
