/* acklog.c: see acklog.h. */
#define _GNU_SOURCE
#include "tests/live/acklog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t ack_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static int server_index(struct ack_log *log, const char *name)
{
    for (int i = 0; i < log->n_servers; i++)
        if (strcmp(log->names[i], name) == 0)
            return i;
    if (log->n_servers == ACK_SERVERS_MAX)
        return -1;
    snprintf(log->names[log->n_servers], ACK_SERVER_SIZE, "%s", name);
    return log->n_servers++;
}

static bool add_row(struct ack_log *log, const struct ack_row *row)
{
    if (log->n == log->room) {
        size_t room = log->room ? 2 * log->room : 4096;
        struct ack_row *rows = realloc(log->rows, room * sizeof *rows);
        if (!rows)
            return false;
        log->rows = rows;
        log->room = room;
    }
    log->rows[log->n++] = *row;
    return true;
}

/* A log is written in the order of ids, so the row is among the last ones. */
static struct ack_row *recent_row(struct ack_log *log, int64_t id, size_t first)
{
    for (size_t i = log->n; i > first; i--)
        if (log->rows[i - 1].id == id)
            return &log->rows[i - 1];
    return NULL;
}

static bool read_line(struct ack_log *log, const char *line, size_t first)
{
    struct ack_row row = {0};
    char name[ACK_SERVER_SIZE];
    int64_t at;
    if (sscanf(line, "sent %" SCNd64 " %31s %" SCNd64, &row.id, name, &row.sent_us) == 3) {
        row.server = server_index(log, name);
        return row.server >= 0 && add_row(log, &row);
    }
    if (sscanf(line, "ack %" SCNd64 " %31s %" SCNu32 " %" SCNd64 " %" SCNd64, &row.id, name, &row.timeline,
               &row.sent_us, &row.ack_us) == 5) {
        struct ack_row *known = recent_row(log, row.id, first);
        row.server = server_index(log, name);
        if (!known || known->server != row.server || known->ack_us != 0)
            return false;
        *known = row;
        log->n_acked++;
        return true;
    }
    if (sscanf(line, "start %" SCNd64, &at) == 1) {
        log->start_us = log->start_us == 0 || at < log->start_us ? at : log->start_us;
        return true;
    }
    if (sscanf(line, "end %" SCNd64, &at) == 1) {
        log->end_us = at > log->end_us ? at : log->end_us;
        return true;
    }
    return strncmp(line, "lost ", 5) == 0 || strncmp(line, "note ", 5) == 0;
}

bool ack_read(struct ack_log *log, const char *path)
{
    FILE *f = fopen(path, "re");
    char line[512];
    size_t first = log->n;
    if (!f)
        return false;
    while (fgets(line, sizeof line, f))
        if (!strchr(line, '\n') || !read_line(log, line, first))
            log->unreadable++;
    fclose(f);
    return true;
}

static int by_id(const void *a, const void *b)
{
    const struct ack_row *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

size_t ack_finish(struct ack_log *log)
{
    size_t twice = 0;
    if (log->n > 0)
        qsort(log->rows, log->n, sizeof *log->rows, by_id);
    for (size_t i = 1; i < log->n; i++)
        twice += log->rows[i].id == log->rows[i - 1].id;
    return twice;
}

const struct ack_row *ack_find(const struct ack_log *log, int64_t id)
{
    struct ack_row key = {.id = id};
    return log->n ? bsearch(&key, log->rows, log->n, sizeof key, by_id) : NULL;
}

/* ---- tenures -------------------------------------------------------------------------------------------------- */

static int by_timeline(const void *a, const void *b)
{
    const struct ack_tenure *x = a, *y = b;
    if (x->timeline != y->timeline)
        return x->timeline < y->timeline ? -1 : 1;
    return (x->first_ack_us > y->first_ack_us) - (x->first_ack_us < y->first_ack_us);
}

static void widen(struct ack_tenure *t, const struct ack_row *row)
{
    t->first_sent_us = row->sent_us < t->first_sent_us ? row->sent_us : t->first_sent_us;
    t->last_sent_us = row->sent_us > t->last_sent_us ? row->sent_us : t->last_sent_us;
    t->first_ack_us = row->ack_us < t->first_ack_us ? row->ack_us : t->first_ack_us;
    t->last_ack_us = row->ack_us > t->last_ack_us ? row->ack_us : t->last_ack_us;
    t->count++;
}

size_t ack_tenures(const struct ack_log *log, struct ack_tenure *out, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < log->n; i++) {
        const struct ack_row *row = &log->rows[i];
        size_t at = n;
        if (row->ack_us == 0)
            continue;
        while (at > 0 && (out[at - 1].server != row->server || out[at - 1].timeline != row->timeline))
            at--;
        if (at == 0 && n == room)
            continue;
        if (at == 0) {
            out[n++] = (struct ack_tenure){
                row->server, row->timeline, row->sent_us, row->sent_us, row->ack_us, row->ack_us, 1};
            continue;
        }
        widen(&out[at - 1], row);
    }
    if (n > 0)
        qsort(out, n, sizeof *out, by_timeline);
    return n;
}

size_t ack_double_primaries(const struct ack_log *log, FILE *out)
{
    static struct ack_tenure t[ACK_TENURES_MAX];
    size_t n = ack_tenures(log, t, ACK_TENURES_MAX), bad = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++) {
            const char *a = log->names[t[i].server], *b = log->names[t[j].server];
            if (t[i].timeline == t[j].timeline) {
                bad++;
                fprintf(out, "two primaries: %s and %s both acknowledged on timeline %u\n", a, b,
                        t[i].timeline);
            } else if (t[i].last_sent_us > t[j].first_ack_us) {
                bad++;
                fprintf(
                    out,
                    "two primaries: %s (timeline %u) acknowledged a row sent %.1f ms after %s (timeline %u) had "
                    "acknowledged its first\n",
                    a, t[i].timeline, (double)(t[i].last_sent_us - t[j].first_ack_us) / 1000, b,
                    t[j].timeline);
            }
        }
    return bad;
}

/* ---- silences ------------------------------------------------------------------------------------------------- */

static int by_ack(const void *a, const void *b)
{
    const struct ack_row *x = a, *y = b;
    return (x->ack_us > y->ack_us) - (x->ack_us < y->ack_us);
}

/* The acknowledged rows in the order of their acknowledgement; to be freed. */
static struct ack_row *acked_rows(const struct ack_log *log, size_t *n)
{
    struct ack_row *rows = malloc((log->n_acked + 1) * sizeof *rows);
    *n = 0;
    for (size_t i = 0; rows && i < log->n; i++)
        if (log->rows[i].ack_us != 0 && *n < log->n_acked)
            rows[(*n)++] = log->rows[i];
    if (rows && *n > 0)
        qsort(rows, *n, sizeof *rows, by_ack);
    return rows;
}

static int by_length(const void *a, const void *b)
{
    const struct ack_gap *x = a, *y = b;
    int64_t p = x->to_us - x->from_us, q = y->to_us - y->from_us;
    return (p < q) - (p > q);
}

size_t ack_gaps(const struct ack_log *log, struct ack_gap *out, size_t room)
{
    size_t n, used = 0;
    struct ack_row *rows = acked_rows(log, &n);
    for (size_t i = 1; rows && i < n && room > 0; i++) {
        struct ack_gap g = {rows[i - 1].ack_us, rows[i].ack_us, rows[i - 1].server, rows[i].server};
        if (used < room)
            out[used++] = g;
        else if (by_length(&g, &out[room - 1]) < 0)
            out[room - 1] = g;
        else
            continue;
        qsort(out, used, sizeof *out, by_length);
    }
    free(rows);
    return used;
}

bool ack_longest_gap(const struct ack_log *log, int64_t from_us, int64_t to_us, struct ack_gap *gap)
{
    size_t n;
    struct ack_row *rows = acked_rows(log, &n);
    bool found = false;
    for (size_t i = 1; rows && i < n; i++) {
        struct ack_gap g = {rows[i - 1].ack_us, rows[i].ack_us, rows[i - 1].server, rows[i].server};
        if (g.to_us < from_us || (to_us != 0 && g.from_us > to_us))
            continue;
        if (!found || by_length(&g, gap) < 0)
            *gap = g;
        found = true;
    }
    free(rows);
    return found;
}

/* ---- for people ----------------------------------------------------------------------------------------------- */

static double since_s(const struct ack_log *log, int64_t at_us)
{
    return (double)(at_us - log->start_us) / 1e6;
}

void ack_report(const struct ack_log *log, FILE *out)
{
    static struct ack_tenure t[ACK_TENURES_MAX];
    struct ack_gap gaps[5];
    size_t n = ack_tenures(log, t, ACK_TENURES_MAX), n_gaps = ack_gaps(log, gaps, 5);
    fprintf(out, "%zu rows sent, %zu acknowledged, %zu of unknown outcome\n", log->n, log->n_acked,
            log->n - log->n_acked);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %-8s timeline %-3u  %8.3f s to %8.3f s  %7zu rows\n", log->names[t[i].server],
                t[i].timeline, since_s(log, t[i].first_ack_us), since_s(log, t[i].last_ack_us), t[i].count);
    if (n_gaps > 0)
        fprintf(out, "longest silences between two acknowledgements:\n");
    for (size_t i = 0; i < n_gaps; i++)
        fprintf(out, "  %7.1f ms  at %8.3f s  %s -> %s\n", (double)(gaps[i].to_us - gaps[i].from_us) / 1000,
                since_s(log, gaps[i].from_us), log->names[gaps[i].from_server],
                log->names[gaps[i].to_server]);
}
