#define _GNU_SOURCE
#include "mesh/io/log.h"

#include "mesh/io/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A write of at most PIPE_BUF (4096) bytes to a pipe that polls writable neither blocks nor is torn. */
enum { LINE_SIZE = 4096, MESSAGE_SIZE = 1024 };

static struct {
    const char *program;
    enum log_level least;
    bool json, journal, socket;
    atomic_ulong lost;
} settings = {.program = "pgmesh", .least = LOG_LEVEL_INFO};

static _Thread_local char whose_cluster[NAME_SIZE], whose_member[NAME_SIZE];

void log_open(const char *program, enum config_log_level least, enum config_log_format format)
{
    struct stat st;
    settings.program = program;
    settings.least = (enum log_level)least;
    settings.json = format == CONFIG_LOG_JSON;
    settings.journal = getenv("JOURNAL_STREAM") != NULL;
    settings.socket = fstat(STDERR_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
}

void log_as(const char *cluster, const char *member)
{
    snprintf(whose_cluster, sizeof whose_cluster, "%s", cluster ? cluster : "");
    snprintf(whose_member, sizeof whose_member, "%s", member ? member : "");
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG: return "debug";
    case LOG_LEVEL_INFO: return "info";
    case LOG_LEVEL_WARNING: return "warning";
    case LOG_LEVEL_ERROR: return "error";
    }
    return "?";
}

static int syslog_priority(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_DEBUG: return 7;
    case LOG_LEVEL_INFO: return 6;
    case LOG_LEVEL_WARNING: return 4;
    case LOG_LEVEL_ERROR: return 3;
    }
    return 6;
}

/* ---- a line under construction --------------------------------------------------------------------------------- */

struct line {
    size_t n;
    char text[LINE_SIZE];
};

/* Room for the closing bracket and newline is kept. */
static void put_raw(struct line *l, const char *text, size_t n)
{
    size_t room = sizeof l->text - 4 - l->n;
    if (n > room)
        n = room;
    memcpy(l->text + l->n, text, n);
    l->n += n;
}

static void put(struct line *l, const char *text)
{
    put_raw(l, text, strlen(text));
}

/* The bytes of the letter that begins here; 0: that is no UTF-8 (RFC 3629), and JSON must not have it. */
static size_t letter(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool other_form = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90),
         surrogate = p[0] == 0xed && p[1] > 0x9f, beyond = p[0] == 0xf4 && p[1] > 0x8f;
    return n > 1 && (other_form || surrogate || beyond) ? 0 : n;
}

/* Control characters and what JSON wants escaped; whole letters and escapes or none. */
static void put_escaped(struct line *l, const char *text, bool json)
{
    for (const char *p = text; *p && l->n < sizeof l->text - 16; p++) {
        unsigned char c = (unsigned char)*p;
        char escape[8];
        size_t n = json ? letter(p) : 1;
        if (n != 1) {
            put_raw(l, n > 0 ? p : "\\ufffd", n > 0 ? n : 6);
            p += n > 0 ? n - 1 : 0;
        } else if (json && (c == '"' || c == '\\'))
            put_raw(l, (char[]){'\\', *p}, 2);
        else if (c >= ' ' && c != 127)
            put_raw(l, p, 1);
        else
            put_raw(l, escape, (size_t)snprintf(escape, sizeof escape, json ? "\\u%04x" : "\\x%02x", c));
    }
}

static void put_field(struct line *l, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    put(l, l->n > 1 ? ",\"" : "\"");
    put(l, name);
    put(l, "\":\"");
    put_escaped(l, value, true);
    put(l, "\"");
}

/* Whether the other end took it; never waits for it. */
static bool emit(const char *text, size_t n)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (settings.socket)
        return send(STDERR_FILENO, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLOUT) && write(STDERR_FILENO, text, n) == (ssize_t)n;
}

static void finish(struct line *l)
{
    unsigned long lost = atomic_load(&settings.lost);
    char note[96];
    if (lost > 0 && !settings.json) {
        int n = snprintf(note, sizeof note, "%s: %lu lines of the log were lost\n", settings.program, lost);
        if (emit(note, (size_t)n))
            atomic_fetch_sub(&settings.lost, lost);
    } else if (lost > 0) {
        int n =
            snprintf(note, sizeof note,
                     "{\"log.level\":\"warning\",\"message\":\"%lu lines of the log were lost\"}\n", lost);
        if (emit(note, (size_t)n))
            atomic_fetch_sub(&settings.lost, lost);
    }
    l->text[l->n++] = '\n';
    if (!emit(l->text, l->n))
        atomic_fetch_add(&settings.lost, 1);
}

static void line_json(struct line *l, enum log_level level, const char *name, const char *message,
                      const struct problem *p)
{
    char when[CLOCK_TEXT_SIZE];
    put(l, "{");
    put_field(l, "@timestamp", clock_print(when, clock_wall_us()));
    put_field(l, "ecs.version", "8.11");
    put_field(l, "log.level", level_name(level));
    put_field(l, "event.action", name);
    put_field(l, "message", message);
    if (p) {
        put_field(l, "error.detail", p->detail);
        put_field(l, "error.hint", p->hint);
    }
    put_field(l, "service.type", "pgmesh");
    put_field(l, "service.name", whose_cluster);
    put_field(l, "service.node.name", whose_member);
    put_field(l, "process.name", settings.program);
    put(l, "}");
}

static void line_text(struct line *l, enum log_level level, const char *name, const char *message)
{
    char head[160], when[CLOCK_TEXT_SIZE];
    if (settings.journal)
        snprintf(head, sizeof head, "<%d>", syslog_priority(level));
    else
        snprintf(head, sizeof head, "%s ", clock_print(when, clock_wall_us()));
    put(l, head);
    if (whose_member[0]) {
        snprintf(head, sizeof head, "%s/%s ", whose_cluster, whose_member);
        put(l, head);
    }
    if (level != LOG_LEVEL_INFO) {
        put(l, level_name(level));
        put(l, ": ");
    }
    put_escaped(l, name, false);
    put(l, "  ");
    put_escaped(l, message, false);
}

void log_event(enum log_level level, const char *name, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    struct line line = {.n = 0};
    va_list args;
    if (level < settings.least)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (settings.json)
        line_json(&line, level, name, message, NULL);
    else
        line_text(&line, level, name, message);
    finish(&line);
}

void log_problem(enum log_level level, const char *name, const struct problem *p)
{
    char message[sizeof p->fact + sizeof p->detail + sizeof p->hint + 32];
    struct line line = {.n = 0};
    if (level < settings.least)
        return;
    if (settings.json) {
        line_json(&line, level, name, p->fact, p);
    } else {
        snprintf(message, sizeof message, "%s%s%s%s%s", p->fact, p->detail[0] ? "  DETAIL: " : "", p->detail,
                 p->hint[0] ? "  HINT: " : "", p->hint);
        line_text(&line, level, name, message);
    }
    finish(&line);
}
