#define _GNU_SOURCE
#include "mesh/http/member.h"

#include "mesh/http/dial.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 64 * 1024 };

/*   FREE      no conversation
 *   DIALLING  waits for its connection (they come in the order asked: `number`)
 *   ASKING    writes the request
 *   HEARING   reads answers */
enum talk_state { FREE, DIALLING, ASKING, HEARING };

struct talk {
    enum talk_state state;
    uint64_t number;
    int fd;
    instant deadline;
    member_take *take;
    void *arg;
    char *out, *in;
    size_t out_len, out_done, in_len, in_room;
};

struct member_line {
    int channel;
    bool gone;
    unsigned abandoned; /* connections asked for by conversations that ended before they came */
    uint64_t last;
    struct talk talks[MEMBER_TALKS];
};

struct member_line *member_open(int channel)
{
    struct member_line *line = calloc(1, sizeof *line);
    if (line == NULL)
        return NULL;
    line->channel = channel;
    for (int i = 0; i < MEMBER_TALKS; i++)
        line->talks[i].fd = -1;
    return line;
}

static void clear(struct talk *t)
{
    if (t->fd >= 0)
        close(t->fd);
    free(t->out);
    free(t->in);
    *t = (struct talk){.state = FREE, .fd = -1};
}

void member_close(struct member_line **at)
{
    if (*at == NULL)
        return;
    for (int i = 0; i < MEMBER_TALKS; i++)
        clear(&(*at)->talks[i]);
    free(*at);
    *at = NULL;
}

/* The callee may begin another conversation: ours is cleared before it is told. */
static void break_off(struct member_line *line, struct talk *t, const char *why)
{
    member_take *take = t->take;
    void *arg = t->arg;
    if (t->state == DIALLING)
        line->abandoned++;
    clear(t);
    take(arg, NULL, why);
}

bool member_ask(struct member_line *line, json_t *request, int64_t timeout_ms, member_take *take, void *arg,
                instant now)
{
    struct talk *t = NULL;
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    for (int i = 0; i < MEMBER_TALKS && t == NULL; i++)
        if (line->talks[i].state == FREE)
            t = &line->talks[i];
    if (text == NULL || t == NULL || line->gone || !dial_ask(line->channel)) {
        free(text);
        return false;
    }
    size_t n = strlen(text);
    text[n] = '\n'; /* in place of the NUL: the length is known */
    *t = (struct talk){.state = DIALLING,
                       .number = ++line->last,
                       .fd = -1,
                       .deadline = instant_add(now, span_ms(timeout_ms)),
                       .take = take,
                       .arg = arg,
                       .out = text,
                       .out_len = n + 1};
    return true;
}

/* ---- turns --------------------------------------------------------------------------------------------------------- */

static struct talk *first_dialling(struct member_line *line)
{
    struct talk *first = NULL;
    for (int i = 0; i < MEMBER_TALKS; i++) {
        struct talk *t = &line->talks[i];
        if (t->state == DIALLING && (first == NULL || t->number < first->number))
            first = t;
    }
    return first;
}

static void refused(struct member_line *line, struct talk *t, int error)
{
    char why[160];
    snprintf(why, sizeof why, "the member's control socket cannot be reached: %s", strerror(error));
    t->state = ASKING; /* its connection was answered: nothing is on its way any more */
    break_off(line, t, why);
}

static void take_connections(struct member_line *line)
{
    int fd, error, got;
    while ((got = dial_receive(line->channel, &fd, &error)) == 1) {
        struct talk *t = line->abandoned > 0 ? NULL : first_dialling(line);
        if (t == NULL) {
            line->abandoned -= line->abandoned > 0;
            if (fd >= 0)
                close(fd);
        } else if (fd < 0) {
            refused(line, t, error);
        } else {
            t->fd = fd;
            t->state = ASKING;
        }
    }
    line->gone = line->gone || got < 0;
}

static void write_out(struct member_line *line, struct talk *t)
{
    ssize_t done = send(t->fd, t->out + t->out_done, t->out_len - t->out_done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0 && errno != EAGAIN && errno != EINTR) {
        break_off(line, t, "the member hung up");
        return;
    }
    t->out_done += done > 0 ? (size_t)done : 0;
    if (t->out_done == t->out_len)
        t->state = HEARING;
}

/* Every complete line.  `t` is free afterwards when it was the last. */
static void dispatch(struct member_line *line, struct talk *t, size_t seen)
{
    char *end;
    while (t->state == HEARING && (end = memchr(t->in + seen, '\n', t->in_len - seen)) != NULL) {
        size_t n = (size_t)(end - t->in);
        json_t *answer = json_loadb(t->in, n, 0, NULL);
        t->in_len -= n + 1;
        memmove(t->in, end + 1, t->in_len);
        seen = 0;
        if (!json_is_object(answer)) {
            break_off(line, t, "the member's answer is no JSON object");
        } else {
            if (t->take(t->arg, answer, NULL)) /* it may have begun another one: ours is still taken */
                clear(t);
        }
        json_decref(answer);
    }
}

static void take_in(struct member_line *line, struct talk *t)
{
    if (t->in_room - t->in_len < READ_SIZE) {
        char *more = t->in_len > MEMBER_LINE_MAX ? NULL : realloc(t->in, t->in_room + 4 * READ_SIZE);
        if (more == NULL) {
            break_off(line, t, "the member's answer is longer than any that this program knows");
            return;
        }
        t->in = more;
        t->in_room += 4 * READ_SIZE;
    }
    ssize_t got = recv(t->fd, t->in + t->in_len, t->in_room - t->in_len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        break_off(line, t, "the member hung up");
        return;
    }
    size_t seen = t->in_len;
    t->in_len += (size_t)got;
    dispatch(line, t, seen);
}

int member_poll(const struct member_line *line, struct pollfd *fds, int room)
{
    int n = 0;
    if (room > 0)
        fds[n++] = (struct pollfd){.fd = line->channel, .events = POLLIN};
    for (int i = 0; i < MEMBER_TALKS && n < room; i++)
        if (line->talks[i].fd >= 0)
            fds[n++] = (struct pollfd){.fd = line->talks[i].fd,
                                       .events = line->talks[i].state == ASKING ? POLLOUT : POLLIN};
    return n;
}

bool member_serve(struct member_line *line, instant now)
{
    take_connections(line);
    for (int i = 0; i < MEMBER_TALKS; i++) {
        struct talk *t = &line->talks[i];
        if (t->state == ASKING)
            write_out(line, t);
        if (t->state == HEARING)
            take_in(line, t);
        if (t->state != FREE && instant_due_any(now, t->deadline))
            break_off(line, t, "the member does not answer in time");
    }
    return !line->gone;
}

instant member_wake(const struct member_line *line)
{
    instant wake = instant_never();
    for (int i = 0; i < MEMBER_TALKS; i++) {
        const struct talk *t = &line->talks[i];
        if (t->state != FREE)
            wake = instant_is_never(wake) ? t->deadline : instant_min(wake, t->deadline);
    }
    return wake;
}
