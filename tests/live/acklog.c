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

/* `array` with room for one more; false when there is no memory. */
static bool grow(void **array, size_t n, size_t *room, size_t size)
{
    if (n < *room)
        return true;
    size_t more = *room ? 2 * *room : 4096;
    void *grown = realloc(*array, more * size);
    if (!grown)
        return false;
    *array = grown;
    *room = more;
    return true;
}

static bool add_row(struct ack_log *log, const struct ack_row *row)
{
    if (!grow((void **)&log->rows, log->n, &log->room, sizeof *row))
        return false;
    log->rows[log->n++] = *row;
    return true;
}

static bool add_look(struct ack_log *log, const struct ack_look *look)
{
    if (look->server < 0 || !grow((void **)&log->looks, log->n_looks, &log->looks_room, sizeof *look))
        return false;
    log->looks[log->n_looks++] = *look;
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

static bool read_ack(struct ack_log *log, struct ack_row row, const char *name, const char *by, size_t first)
{
    struct ack_row *known = recent_row(log, row.id, first);
    row.server = server_index(log, name);
    row.by = *by ? server_index(log, by) : row.server;
    if (!known || known->server != row.server || known->ack_us != 0 || row.by < 0)
        return false;
    *known = row;
    log->n_acked++;
    return true;
}

static bool read_line(struct ack_log *log, const char *line, size_t first)
{
    struct ack_row row = {0};
    struct ack_look look = {0};
    char name[ACK_SERVER_SIZE], by[ACK_SERVER_SIZE] = "";
    int64_t at;
    if (sscanf(line, "sent %" SCNd64 " %31s %" SCNd64, &row.id, name, &row.sent_us) == 3) {
        row.server = row.by = server_index(log, name);
        return row.server >= 0 && add_row(log, &row);
    }
    if (sscanf(line, "ack %" SCNd64 " %31s %" SCNu32 " %" SCNd64 " %" SCNd64 " %31s", &row.id, name,
               &row.timeline, &row.sent_us, &row.ack_us, by) >= 5)
        return read_ack(log, row, name, by, first);
    if (sscanf(line, "read %" SCNd64 " %31s %" SCNd64 " %" SCNd64 " %" SCNd64 " %31s", &look.first, name,
               &look.sent_us, &look.at_us, &look.seen, by) >= 5) {
        look.server = server_index(log, name);
        look.by = *by ? server_index(log, by) : look.server;
        return look.by >= 0 && add_look(log, &look);
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
        while (at > 0 && (out[at - 1].server != row->by || out[at - 1].timeline != row->timeline))
            at--;
        if (at == 0 && n == room)
            continue;
        if (at == 0) {
            out[n++] = (struct ack_tenure){
                row->by, row->timeline, row->sent_us, row->sent_us, row->ack_us, row->ack_us, 1};
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

/* ---- reads ---------------------------------------------------------------------------------------------------- */

/* What a client knows to be there, and since when. */
struct known {
    int64_t since_us, first, id;
};

static int by_since(const void *a, const void *b)
{
    const struct known *x = a, *y = b;
    return (x->since_us > y->since_us) - (x->since_us < y->since_us);
}

static int by_sent(const void *a, const void *b)
{
    const struct ack_look *const *x = a, *const *y = b;
    return ((*x)->sent_us > (*y)->sent_us) - ((*x)->sent_us < (*y)->sent_us);
}

static bool excused(const struct ack_log *log, const struct ack_look *look, const struct ack_excuse *e,
                    size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(log->names[look->by], e[i].server) == 0 && look->at_us >= e[i].from_us &&
            look->sent_us <= e[i].to_us)
            return true;
    return false;
}

/* All that was learned of the rows of one writer, by time; to be freed. */
static struct known *learned(const struct ack_log *log, int64_t first, size_t *n)
{
    struct known *all = malloc((log->n_acked + log->n_looks + 1) * sizeof *all);
    *n = 0;
    for (size_t i = 0; all && i < log->n; i++)
        if (log->rows[i].ack_us && log->rows[i].id >= first && log->rows[i].id < first + ACK_RANGE)
            all[(*n)++] = (struct known){log->rows[i].ack_us, first, log->rows[i].id};
    for (size_t i = 0; all && i < log->n_looks; i++)
        if (log->looks[i].first == first)
            all[(*n)++] = (struct known){log->looks[i].at_us, first, log->looks[i].seen};
    if (all && *n)
        qsort(all, *n, sizeof *all, by_since);
    return all;
}

static size_t backwards_of(const struct ack_log *log, const struct ack_look **looks, size_t n_looks,
                           const struct ack_excuse *excuses, size_t n_excuses, FILE *out)
{
    size_t n, at = 0, bad = 0;
    int64_t floor = 0;
    struct known *all = learned(log, looks[0]->first, &n);
    for (size_t i = 0; all && i < n_looks; i++) {
        const struct ack_look *look = looks[i];
        for (; at < n && all[at].since_us < look->sent_us; at++)
            floor = all[at].id > floor ? all[at].id : floor;
        if (look->seen >= floor || excused(log, look, excuses, n_excuses))
            continue;
        if (bad++ < 5)
            fprintf(out,
                    "backwards: %s answered at %.3f s that row %" PRId64 " is the last, though row %" PRId64
                    " was known\n",
                    log->names[look->by], (double)(look->at_us - log->start_us) / 1e6, look->seen, floor);
    }
    free(all);
    return bad;
}

size_t ack_backwards(const struct ack_log *log, const struct ack_excuse *excuses, size_t n_excuses, FILE *out)
{
    const struct ack_look **looks = malloc((log->n_looks + 1) * sizeof *looks);
    int64_t done = INT64_MIN, first;
    size_t bad = 0;
    for (; looks; done = first) { /* one writer after the other, by its first id */
        size_t n = 0;
        first = INT64_MAX;
        for (size_t i = 0; i < log->n_looks; i++)
            if (log->looks[i].first > done && log->looks[i].first < first)
                first = log->looks[i].first;
        if (first == INT64_MAX)
            break;
        for (size_t i = 0; i < log->n_looks; i++)
            if (log->looks[i].first == first)
                looks[n++] = &log->looks[i];
        qsort(looks, n, sizeof *looks, by_sent);
        bad += backwards_of(log, looks, n, excuses, n_excuses, out);
    }
    free(looks);
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
        struct ack_gap g = {rows[i - 1].ack_us, rows[i].ack_us, rows[i - 1].by, rows[i].by};
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
        struct ack_gap g = {rows[i - 1].ack_us, rows[i].ack_us, rows[i - 1].by, rows[i].by};
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
