#define _GNU_SOURCE
#include "mesh/io/journal.h"

#include "mesh/io/clock.h"
#include "mesh/io/keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TEXT_LINE_SIZE = 1024, CERTIFICATE_MAX = 32 * 1024, WHEN_SIZE = 27 };

static bool open_file(struct journal *j)
{
    struct stat st;
    j->fd = open(j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->fd < 0)
        return false;
    j->size = fstat(j->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return true;
}

bool journal_open(struct journal *j, const char *state_dir, struct problem *err)
{
    *j = (struct journal){.fd = -1, .recent_since_us = clock_wall_us()};
    if (!file_path(j->path, state_dir, "journal"))
        return problem_fact(err, "\"%.100s...\": the path is too long", state_dir);
    if (!open_file(j))
        return problem_fact(err, "could not open \"%s\": %s", j->path, strerror(errno));
    /* A torn last line must not swallow the next one. */
    if (j->size > 0 && write(j->fd, "\n", 1) == 1)
        j->size++;
    return true;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

static void rotate(struct journal *j)
{
    char previous[FILE_PATH_SIZE + 4];
    snprintf(previous, sizeof previous, "%s.1", j->path);
    if (rename(j->path, previous) != 0)
        return;
    close(j->fd);
    open_file(j);
}

static void append(struct journal *j, const struct iovec *parts, int n)
{
    size_t size = 0;
    for (int i = 0; i < n; i++)
        size += parts[i].iov_len;
    if (j->fd < 0)
        open_file(j);
    if (j->fd >= 0 && j->size + size > JOURNAL_SIZE_MAX)
        rotate(j);
    ssize_t done = j->fd >= 0 ? writev(j->fd, parts, n) : -1;
    if (done > 0)
        j->size += (uint64_t)done;
    if (done != (ssize_t)size)
        j->lost++;
}

void journal_decided(struct journal *j, uint64_t term, uint64_t version, const uint8_t *certificate, size_t n)
{
    char head[128], when[CLOCK_TEXT_SIZE];
    char *hex = n <= CERTIFICATE_MAX ? malloc(2 * n + 2) : NULL;
    if (hex == NULL) {
        j->lost++;
        return;
    }
    int length = snprintf(head, sizeof head, "%s decided %" PRIu64 " %" PRIu64 " ",
                          clock_print(when, clock_wall_us()), term, version);
    char *end = hex_put(hex, certificate, n);
    *end++ = '\n';
    append(j, (struct iovec[]){{head, (size_t)length}, {hex, (size_t)(end - hex)}}, 2);
    free(hex);
}

static void remember(struct journal *j, int64_t at_us, uint64_t term, const char *name, const char *text)
{
    struct journal_recent *r = &j->recent[j->n_recent % JOURNAL_RECENT];
    if (j->n_recent++ >= JOURNAL_RECENT)
        j->recent_since_us = r->at_us;
    r->at_us = at_us;
    r->term = term;
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->text, sizeof r->text, "%s", text);
}

void journal_event(struct journal *j, uint64_t term, const char *name, const char *text)
{
    char line[TEXT_LINE_SIZE], when[CLOCK_TEXT_SIZE];
    int64_t at_us = clock_wall_us();
    int n = snprintf(line, sizeof line - 1, "%s event %" PRIu64 " %s %s", clock_print(when, at_us), term,
                     name, text);
    remember(j, at_us, term, name, text);
    if (n > (int)sizeof line - 2)
        n = (int)sizeof line - 2;
    for (int i = 0; i < n; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '?';
    line[n++] = '\n';
    append(j, (struct iovec[]){{line, (size_t)n}}, 1);
}

bool journal_visit_recent(const struct journal *j, int64_t since_us, journal_visit *visit, void *arg)
{
    uint64_t first = j->n_recent > JOURNAL_RECENT ? j->n_recent - JOURNAL_RECENT : 0;
    if (since_us < j->recent_since_us)
        return false;
    for (uint64_t i = first; i < j->n_recent; i++) {
        const struct journal_recent *r = &j->recent[i % JOURNAL_RECENT];
        struct journal_line line = {.kind = JOURNAL_EVENT,
                                    .at_us = r->at_us,
                                    .term = r->term,
                                    .text = r->text,
                                    .text_len = strlen(r->text)};
        memcpy(line.name, r->name, sizeof line.name);
        if (r->at_us > since_us && !visit(arg, &line))
            break;
    }
    return true;
}

/* ---- reading back ----------------------------------------------------------------------------------------------- */

static bool number(const char **p, const char *end, uint64_t *value)
{
    const char *first = *p;
    *value = 0;
    while (*p < end && isdigit((unsigned char)**p) && *p - first < 20)
        *value = *value * 10 + (uint64_t)(*(*p)++ - '0');
    return *p > first && *p < end && *(*p)++ == ' ';
}

static bool word(const char **p, const char *end, const char *expected)
{
    size_t n = strlen(expected);
    if ((size_t)(end - *p) < n || memcmp(*p, expected, n) != 0)
        return false;
    *p += n;
    return true;
}

bool journal_parse(struct journal_line *line, const char *text, size_t n)
{
    char when[CLOCK_TEXT_SIZE];
    const char *p = text + WHEN_SIZE, *end = text + n;
    *line = (struct journal_line){0};
    if (n <= WHEN_SIZE)
        return false;
    memcpy(when, text, WHEN_SIZE);
    when[WHEN_SIZE] = '\0';
    line->at_us = clock_parse(when);
    if (line->at_us < 0)
        return false;
    if (word(&p, end, " decided ")) {
        line->kind = JOURNAL_DECIDED;
        if (!number(&p, end, &line->term) || !number(&p, end, &line->version))
            return false;
        line->hex = p;
        line->hex_len = (size_t)(end - p);
        return line->hex_len > 0 && line->hex_len % 2 == 0;
    }
    if (!word(&p, end, " event ") || !number(&p, end, &line->term))
        return false;
    line->kind = JOURNAL_EVENT;
    const char *space = memchr(p, ' ', (size_t)(end - p));
    size_t name = (size_t)((space ? space : end) - p);
    if (name == 0 || name >= sizeof line->name)
        return false;
    for (size_t i = 0; i < name; i++)
        if (!isgraph((unsigned char)p[i]))
            return false;
    memcpy(line->name, p, name);
    line->text = space ? space + 1 : end;
    line->text_len = (size_t)(end - line->text);
    return true;
}

/* What kind a line is, without reading it: a certificate may be 50 kB long and not be wanted. */
static bool wanted(const char *line, size_t n, int kinds)
{
    if (n <= WHEN_SIZE + 2)
        return false;
    return ((kinds & JOURNAL_DECIDED) && line[WHEN_SIZE + 1] == 'd') ||
           ((kinds & JOURNAL_EVENT) && line[WHEN_SIZE + 1] == 'e');
}

static bool read_lines(const char *text, size_t n, int kinds, journal_visit *visit, void *arg)
{
    struct journal_line line;
    const char *end = text + n;
    for (const char *p = text, *newline; p < end && (newline = memchr(p, '\n', (size_t)(end - p)));
         p = newline + 1) {
        size_t length = (size_t)(newline - p);
        if (wanted(p, length, kinds) && journal_parse(&line, p, length) && !visit(arg, &line))
            return false;
    }
    return true;
}

static uint64_t open_reading(struct journal_reading *r, int i, const char *path)
{
    struct stat st;
    r->fd[i] = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool good =
        r->fd[i] >= 0 && fstat(r->fd[i], &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= JOURNAL_ALL;
    r->at[i] = 0;
    r->end[i] = good ? (uint64_t)st.st_size : 0;
    return r->end[i];
}

void journal_reading_open(struct journal_reading *r, const char *state_dir, size_t most)
{
    char path[FILE_PATH_SIZE], previous[FILE_PATH_SIZE];
    *r = (struct journal_reading){.fd = {-1, -1}, .piece = malloc(JOURNAL_PIECE)};
    if (r->piece == NULL || !file_path(path, state_dir, "journal") ||
        !file_path(previous, state_dir, "journal.1"))
        return;
    for (int i = 1; i >= 0 && most > 0; i--) {
        uint64_t size = open_reading(r, i, i == 1 ? path : previous);
        r->at[i] = size > most ? size - most : 0;
        most -= size > most ? most : (size_t)size;
    }
}

bool journal_reading_go(struct journal_reading *r, int kinds, journal_visit *visit, void *arg)
{
    int i = r->at[0] < r->end[0] ? 0 : 1;
    if (r->piece == NULL || r->at[i] >= r->end[i])
        return false;
    uint64_t left = r->end[i] - r->at[i];
    ssize_t n =
        pread(r->fd[i], r->piece, left < JOURNAL_PIECE ? (size_t)left : JOURNAL_PIECE, (off_t)r->at[i]);
    if (n <= 0) { /* it has become shorter */
        r->at[i] = r->end[i];
        return i == 0;
    }
    const char *newline = memrchr(r->piece, '\n', (size_t)n);
    size_t lines =
        newline ? (size_t)(newline - r->piece) + 1 : (size_t)n; /* no line is so long, but a torn one */
    r->at[i] += lines;
    return read_lines(r->piece, lines, kinds, visit, arg) && (i == 0 || r->at[i] < r->end[i]);
}

void journal_reading_close(struct journal_reading *r)
{
    for (int i = 0; i < 2; i++)
        if (r->fd[i] >= 0)
            close(r->fd[i]);
    free(r->piece);
    *r = (struct journal_reading){.fd = {-1, -1}};
}
