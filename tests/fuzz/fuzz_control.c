/* The control socket of a real witness: whatever root, or our own user, writes to it.  The first byte says how the rest is meant:
 * as it stands, as the frame of a command, or as what a command signed by the operator is drawn from.  The second one, in how large
 * pieces it comes.
 *
 * Each answer is one line with one JSON object; when the client is gone nothing of it is left. */
// LINK: tests/fuzz/witness.c mesh/inspect/plan.c mesh/inspect/plan_check.c mesh/inspect/make.c mesh/inspect/make_write.c
// LINK: mesh/inspect/output.c
#define _GNU_SOURCE
#include "mesh/core_state.h"
#include "mesh/io/clock.h"
#include "mesh/io/command_sign.h"
#include "mesh/io/view.h"
#include "tests/fuzz/witness.h"
#include "tests/unit/draw.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { AS_IT_IS, A_FRAME, A_COMMAND, WAYS, TURNS_MAX = 64 };

static struct witness *witness;
static struct station *station;
static const struct core *core;

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    strcpy(address.sun_path, witness->folder->config.control_socket);
    assert(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* What is asked for, as text; freed by the caller. */
static char *frame_request(const uint8_t *data, size_t size)
{
    char *text = malloc(2 * size + 64), *at = text + sprintf(text, "{\"command\":\"submit\",\"frame\":\"");
    hex_put(at, data, size);
    strcat(text, "\"}\n");
    return text;
}

static char *command_request(const uint8_t *data, size_t size)
{
    struct draw d = {.state = 0};
    struct command m;
    const struct record *r = &core->disk.decided.proposal.record;
    for (size_t i = 0; i < size && i < 8; i++)
        d.state = d.state << 8 | data[i];
    draw_command(&d, &m);
    if (size > 8 && data[8] & 1) { /* for the record of now */
        m.base = core->disk.decided.proposal.ballot;
        m.term = r->term;
        m.target = (member_id)(data[8] % 5);
    }
    json_t *request =
        command_sign_request(&m, &witness->folder->cluster, witness->operator_member, &witness->operator_key);
    char *line = json_dumps(request, JSON_COMPACT), *text = malloc(strlen(line) + 2);
    sprintf(text, "%s\n", line);
    free(line);
    json_decref(request);
    return text;
}

/* Takes what is there. */
static size_t gather(int fd, char **heard, size_t n)
{
    static char piece[65536];
    for (ssize_t got; (got = recv(fd, piece, sizeof piece, 0)) > 0;) {
        *heard = realloc(*heard, n + (size_t)got + 1);
        memcpy(*heard + n, piece, (size_t)got);
        n += (size_t)got;
    }
    return n;
}

static void look_at(const char *heard, size_t n)
{
    static struct view view;
    for (const char *line = heard, *end; line < heard + n; line = end + 1) {
        json_error_t error;
        end = memchr(line, '\n', (size_t)(heard + n - line));
        if (end == NULL)
            return; /* it was hung up on */
        json_t *answer = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, &error);
        assert(json_is_object(answer));
        view_read(&view, answer);
        json_decref(answer);
    }
}

static void talk(const char *text, size_t n, size_t piece)
{
    char *heard = NULL;
    size_t done = 0, got = 0;
    int fd = dial();
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        size_t part = n - done < piece || turns == TURNS_MAX - 2 ? n - done : piece;
        ssize_t sent = part ? send(fd, text + done, part, MSG_NOSIGNAL) : 0;
        done += sent > 0 ? (size_t)sent : 0;
        station_control(station, clock_now());
        size_t before = got;
        got = gather(fd, &heard, got);
        if (done == n && got == before && turns > 1)
            break;
    }
    close(fd);
    if (heard)
        look_at(heard, got);
    free(heard);
    station_control(station, clock_now());
    assert(station->running);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (witness == NULL) {
        witness = witness_start();
        station = &witness->loop->stations[0];
        core = station->core;
    }
    if (size < 2)
        return 0;
    size_t piece = 1 + (size_t)data[1] * data[1];
    int way = data[0] % WAYS;
    data += 2;
    size -= 2;
    char *text = way == A_FRAME     ? frame_request(data, size)
                 : way == A_COMMAND ? command_request(data, size)
                                    : NULL;
    talk(text ? text : (const char *)data, text ? strlen(text) : size, piece);
    free(text);
    return 0;
}
