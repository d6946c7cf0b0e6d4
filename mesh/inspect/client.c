/* client.c: see client.h. */
#define _GNU_SOURCE
#include "mesh/inspect/client.h"

#include "mesh/inspect/problems.h"
#include "mesh/io/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char default_config[] = "/etc/pgmesh/pgmesh.conf";

/* ---- which socket ------------------------------------------------------------------------------------------- */

static void path_beside(char out[static CLIENT_PATH], const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    if (path[0] == '/' || slash == NULL)
        snprintf(out, CLIENT_PATH, "%s", path);
    else
        snprintf(out, CLIENT_PATH, "%.*s/%s", (int)(slash - file), file, path);
}

static char *trim(char *s)
{
    s += strspn(s, " \t");
    for (size_t n = strlen(s); n > 0 && strchr(" \t\r\n", s[n - 1]) != NULL; n--)
        s[n - 1] = '\0';
    return s;
}

/* The value of one line: quoted, or up to a comment. */
static char *value_of(char *s)
{
    s = trim(s);
    if (*s == '\'') {
        s++;
        s[strcspn(s, "'")] = '\0';
        return s;
    }
    for (char *hash = strchr(s, '#'); hash != NULL; hash = strchr(hash + 1, '#'))
        if (hash == s || hash[-1] == ' ' || hash[-1] == '\t') {
            *hash = '\0';
            break;
        }
    return trim(s);
}

static void sockets_add(struct client *c, const char *file, char *list)
{
    char *rest = NULL;
    for (char *one = strtok_r(list, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest))
        if (c->n_sockets < CLIENT_SOCKETS && *trim(one) != '\0')
            path_beside(c->sockets[c->n_sockets++], file, trim(one));
}

/* One setting; false: not one that this program knows. */
static bool setting(struct client *c, const char *file, const char *name, char *value)
{
    if (strcmp(name, "control") == 0 || strcmp(name, "control_socket") == 0)
        sockets_add(c, file, value);
    else if (strcmp(name, "key") == 0)
        path_beside(c->key_file, file, value);
    else if (strcmp(name, "cluster_file") == 0)
        path_beside(c->cluster_file, file, value);
    else if (strcmp(name, "operator") == 0)
        snprintf(c->operator_name, sizeof c->operator_name, "%s", value);
    else
        return false;
    return true;
}

static int config_cannot(struct client *c, const char *file)
{
    int error = errno;
    return output_fail(
        &c->x->out, error == EACCES || error == EPERM ? EXIT_PERMISSION : EXIT_NO_CONTACT,
        text("cannot find out which member to ask: cannot read \"%s\"", file), text("%s.", strerror(error)),
        "Name a member's socket with --control, or a configuration with --config FILE or $PGMESH_CONFIG.");
}

static int config_read(struct client *c, const char *file)
{
    static const char *const known[] = {"control", "key", "cluster_file", "operator"};
    char line[CLIENT_PATH], unknown[64] = "";
    int number = 0, unknown_at = 0;
    bool node = false; /* a member's own configuration: its other options are none of our business */
    FILE *f = fopen(file, "re");
    if (f == NULL)
        return config_cannot(c, file);
    while (fgets(line, sizeof line, f) != NULL) {
        char *s = trim(line), *equals = strchr(s, '=');
        number++;
        if (*s == '\0' || *s == '#')
            continue;
        if (equals != NULL)
            *equals = '\0';
        char *name = trim(s);
        node = node || strcmp(name, "member") == 0;
        if ((equals == NULL || !setting(c, file, name, value_of(equals + 1))) && *unknown == '\0') {
            snprintf(unknown, sizeof unknown, "%s", name);
            unknown_at = number;
        }
    }
    int unread = ferror(f) ? errno : 0; /* a folder, for example */
    fclose(f);
    if (unread != 0) {
        errno = unread;
        return config_cannot(c, file);
    }
    if (!node && *unknown != '\0') {
        const char *near = text_nearest(unknown, known, 4);
        return output_fail(&c->x->out, EXIT_USAGE,
                           text("%s:%d: unknown option \"%s\"", file, unknown_at, unknown),
                           near == NULL ? "The options are control, key, cluster_file and operator."
                                        : text("Perhaps \"%s\" was meant.", near),
                           NULL);
    }
    if (*c->cluster_file == '\0')
        path_beside(c->cluster_file, file, "cluster");
    if (c->n_sockets == 0 && node)
        path_beside(c->sockets[c->n_sockets++], file, "state/control.sock");
    if (c->n_sockets == 0 && c->x->control == NULL && c->x->from == NULL)
        return output_fail(&c->x->out, EXIT_NO_CONTACT, text("\"%s\" names no member to ask", file),
                           "It lacks the line \"control = PATH\".",
                           "PATH is a member's control socket: control.sock in its state folder.");
    return EXIT_OK;
}

/* ---- a document instead of a member ---------------------------------------------------------------------------- */

static int recorded_open(struct client *c)
{
    const char *file = c->x->from;
    json_error_t error;
    int code = c->x->config == NULL ? EXIT_OK : config_read(c, c->x->config);
    if (code != EXIT_OK)
        return code;
    c->recorded = strcmp(file, "-") == 0 ? json_loadf(stdin, 0, &error) : json_load_file(file, 0, &error);
    if (json_is_object(c->recorded))
        return EXIT_OK;
    return output_fail(&c->x->out, EXIT_REFUSED, text("\"%s\" holds no answer of a member", file),
                       c->recorded == NULL ? text("Line %d: %s.", error.line, error.text)
                                           : "It is no JSON object.",
                       "\"pgmesh status --output json > FILE\" makes one.");
}

/* The answer to a request of that name; NULL: the document has none. */
static json_t *recorded_find(const json_t *document, const char *command)
{
    static const struct {
        const char *command, *key;
    } marks[] = {{"status", "members"}, {"history", "history"}, {"events", "events"}, {"why", "certificate"}};
    json_t *answer = json_object_get(document, command);
    if (json_is_object(answer))
        return answer;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strcmp(marks[i].command, command) == 0 && json_object_get(document, marks[i].key) != NULL)
            return (json_t *)document;
    return NULL;
}

static int recorded_answer(struct client *c, const json_t *request, client_take *take, void *arg)
{
    const char *command = json_text(request, "command");
    json_t *answer = recorded_find(c->recorded, command);
    if (answer == NULL)
        return output_fail(&c->x->out, EXIT_REFUSED,
                           text("\"%s\" holds no answer to \"%s\"", c->x->from, command),
                           strcmp(command, "submit") == 0 ? "A document takes no orders." : NULL,
                           strcmp(command, "submit") == 0 ? "Leave --from out to ask a member." : NULL);
    take(arg, answer);
    return EXIT_OK;
}

int client_open(struct client *c, struct inspect *x)
{
    const char *file = x->config != NULL ? x->config : getenv("PGMESH_CONFIG");
    *c = (struct client){.x = x, .answering = -1};
    if (x->from != NULL)
        return recorded_open(c);
    if (file == NULL || *file == '\0')
        file = default_config;
    if (x->control == NULL || x->config != NULL || access(file, R_OK) == 0) {
        int code = config_read(c, file);
        if (code != EXIT_OK)
            return code;
        snprintf(c->source, sizeof c->source, "%s", file);
    }
    if (x->control != NULL) {
        c->n_sockets = 1;
        snprintf(c->sockets[0], CLIENT_PATH, "%s", x->control);
        snprintf(c->source, sizeof c->source, "--control");
        if (*c->cluster_file == '\0')
            path_beside(c->cluster_file, x->control, "../cluster");
    }
    return EXIT_OK;
}

/* ---- one conversation --------------------------------------------------------------------------------------- */

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Connects; -1 and errno.  A path that is too long for sockaddr_un goes by way of its opened folder. */
static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *slash = strrchr(path, '/');
    int folder = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (strlen(path) < sizeof address.sun_path) {
        strcpy(address.sun_path, path);
    } else if (slash != NULL && strlen(slash) < 64) {
        char *parent = strndup(path, (size_t)(slash - path));
        folder = parent == NULL ? -1 : open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
        free(parent);
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", folder, slash + 1);
    }
    int result = connect(fd, (struct sockaddr *)&address, sizeof address), error = errno;
    if (folder >= 0)
        close(folder);
    if (result != 0)
        close(fd);
    errno = error;
    return result == 0 ? fd : -1;
}

static int no_contact(struct client *c)
{
    int error = errno, last = c->n_sockets - 1;
    const char *path = c->sockets[last], *why = strerror(error);
    if (error == EACCES || error == EPERM)
        return output_fail(&c->x->out, EXIT_PERMISSION, text("not allowed to ask the member at \"%s\"", path),
                           text("%s.", why),
                           "Its control socket answers root and the user that the member runs as.");
    return output_fail(
        &c->x->out, EXIT_NO_CONTACT,
        last == 0 ? text("no member answers at \"%s\"", path)
                  : text("no member answers at any of %d sockets, the last \"%s\"", last + 1, path),
        text("%s (told by %s).", why, c->source),
        error == ENOENT ? "Is the member running on this host? Its state folder holds the socket."
                        : "Is the member running? Its log tells why not.");
}

static int dial_any(struct client *c)
{
    bool denied = false;
    if (c->answering >= 0)
        return dial(c->sockets[c->answering]);
    for (int i = 0; i < c->n_sockets; i++) {
        int fd = dial(c->sockets[i]);
        if (fd >= 0) {
            c->answering = i;
            return fd;
        }
        denied = denied || errno == EACCES;
    }
    if (denied)
        errno = EACCES;
    return -1;
}

/* Waits until the socket is ready; false: the time is over. */
static bool ready(int fd, short events, long long until)
{
    struct pollfd p = {.fd = fd, .events = events};
    for (;;) {
        long long left = until - now_ms();
        int n = left <= 0 ? 0 : poll(&p, 1, (int)(left > 1000000 ? 1000000 : left));
        if (n > 0 || (n == 0 && left <= 1000000))
            return n > 0;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

static bool send_line(int fd, const json_t *request, long long until)
{
    char *line = json_dumps(request, JSON_COMPACT);
    size_t n = line == NULL ? 0 : strlen(line), sent = 0;
    if (line == NULL)
        return false;
    line[n] = '\n'; /* in place of the NUL: the length is known */
    while (sent < n + 1 && ready(fd, POLLOUT, until)) {
        ssize_t wrote = send(fd, line + sent, n + 1 - sent, MSG_NOSIGNAL);
        if (wrote < 0 && errno != EINTR)
            break;
        sent += wrote > 0 ? (size_t)wrote : 0;
    }
    free(line);
    return sent == n + 1;
}

struct reader {
    char *bytes;
    size_t used, room;
};

/* The next line, without its end, in r->bytes (of length *n); false: closed, too long or too late. */
static bool read_line(int fd, struct reader *r, size_t *n, long long until, const char **why)
{
    for (size_t seen = 0;;) {
        char *end = r->used == seen ? NULL : memchr(r->bytes + seen, '\n', r->used - seen);
        seen = r->used;
        if (end != NULL) {
            *end = '\0';
            *n = (size_t)(end - r->bytes) + 1;
            return true;
        }
        if (r->room - r->used < 65536) {
            char *more = r->room > CLIENT_LINE_MAX ? NULL : realloc(r->bytes, r->room + 262144);
            *why = "Its answer is longer than any that this program knows.";
            if (more == NULL)
                return false;
            r->bytes = more;
            r->room += 262144;
        }
        *why = "It did not answer in time.";
        if (!ready(fd, POLLIN, until))
            return false;
        ssize_t got = recv(fd, r->bytes + r->used, r->room - r->used, 0);
        *why = got == 0 ? "It closed the connection without an answer." : "Reading failed.";
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
            return false;
        r->used += got > 0 ? (size_t)got : 0;
    }
}

static int converse(struct client *c, int fd, const json_t *request, long long until, client_take *take,
                    void *arg)
{
    struct reader r = {0};
    const char *why = "It did not take the request.", *path = c->sockets[c->answering];
    size_t n;
    bool done = false;
    if (send_line(fd, request, until)) {
        while (!done && read_line(fd, &r, &n, until, &why)) {
            json_t *answer = json_loads(r.bytes, 0, NULL);
            memmove(r.bytes, r.bytes + n, r.used - n);
            r.used -= n;
            if (!json_is_object(answer)) {
                json_decref(answer);
                why = "Its answer is no JSON object.";
                break;
            }
            done = take(arg, answer);
            json_decref(answer);
        }
    }
    free(r.bytes);
    if (done)
        return EXIT_OK;
    return output_fail(&c->x->out, EXIT_NO_CONTACT, text("the member at \"%s\" gives no answer", path), why,
                       "Its log may tell more; --timeout SECONDS waits longer.");
}

int client_stream(struct client *c, json_t *request, unsigned timeout_ms, client_take *take, void *arg)
{
    if (c->recorded != NULL) {
        int code = recorded_answer(c, request, take, arg);
        json_decref(request);
        return code;
    }
    int fd = dial_any(c);
    if (fd < 0) {
        json_decref(request);
        return no_contact(c);
    }
    if (c->x->timeout_ms > 0)
        timeout_ms = c->x->timeout_ms;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    int code = converse(c, fd, request, now_ms() + timeout_ms, take, arg);
    close(fd);
    json_decref(request);
    return code;
}

static bool take_one(void *arg, json_t *answer)
{
    *(json_t **)arg = json_incref(answer);
    return true;
}

int client_refused(struct inspect *x, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    if (error == NULL || json_is_null(error))
        return EXIT_OK;
    const char *detail = json_text(json_is_object(error) ? error : answer, "detail");
    const char *hint = json_text(json_is_object(error) ? error : answer, "hint");
    const char *fact = json_is_string(error) ? json_string_value(error) : json_text(error, "message");
    return output_fail(&x->out, EXIT_REFUSED, *fact == '\0' ? "the member refused the request" : fact,
                       *detail == '\0' ? NULL : detail, *hint == '\0' ? NULL : hint);
}

int client_ask_any(struct client *c, json_t *request, json_t **answer)
{
    *answer = NULL;
    return client_stream(c, request, 5000, take_one, answer);
}

int client_ask(struct client *c, json_t *request, json_t **answer)
{
    int code = client_ask_any(c, request, answer);
    if (code == EXIT_OK)
        code = client_refused(c->x, *answer);
    if (code != EXIT_OK) {
        json_decref(*answer);
        *answer = NULL;
    }
    return code;
}

/* ---- the roster --------------------------------------------------------------------------------------------------- */

int client_roster(struct client *c, struct roster *roster, struct cluster *cluster)
{
    struct problem problem = {0};
    json_t *got = NULL;
    int news = 0;
    if (c->recorded != NULL)
        return EXIT_OK;
    int code = client_ask_any(c, json_pack("{s:s}", "command", "roster"), &got);
    const char *lines = json_text(got, "roster");
    if (code == EXIT_OK && *lines != '\0' &&
        !roster_merge(roster, cluster, lines, strlen(lines), "the member's roster", &news, &problem))
        code = output_problem(&c->x->out, EXIT_REFUSED, &problem);
    json_decref(got);
    return code;
}
