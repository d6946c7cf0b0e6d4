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
#include <sys/mman.h>
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

/* Its last `most` bytes, from the first line that begins within them. */
static bool read_file(const char *path, int kinds, size_t most, journal_visit *visit, void *arg)
{
    struct stat st;
    bool more = true;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return true;
    if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= 2 * JOURNAL_SIZE_MAX) {
        size_t size = (size_t)st.st_size;
        char *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (text != MAP_FAILED) {
            const char *from = size > most ? memchr(text + size - most, '\n', most) : text;
            more = from == NULL || read_lines(from, (size_t)(text + size - from), kinds, visit, arg);
            munmap(text, size);
        }
    }
    close(fd);
    return more;
}

void journal_read(const char *state_dir, int kinds, journal_visit *visit, void *arg)
{
    journal_read_newest(state_dir, kinds, 2 * JOURNAL_SIZE_MAX, visit, arg);
}

void journal_read_newest(const char *state_dir, int kinds, size_t most, journal_visit *visit, void *arg)
{
    char path[FILE_PATH_SIZE], previous[FILE_PATH_SIZE];
    struct stat st;
    if (!file_path(path, state_dir, "journal") || !file_path(previous, state_dir, "journal.1"))
        return;
    size_t size = stat(path, &st) == 0 ? (size_t)st.st_size : 0;
    if (size < most && !read_file(previous, kinds, most - size, visit, arg))
        return;
    read_file(path, kinds, most, visit, arg);
}
