/* checker: proves from the writers' logs and from the final primary's table that nothing acknowledged is missing.
 *
 *     checker check [--allow-loss] [--running] [--excuse SERVER:FROM:TO]... (--conninfo TEXT | --rows FILE) LOG...
 *     checker report LOG...                 counts, tenures, longest silences
 *     checker outage FROM TO LOG...         the longest silence that touches this time: MS FROM_US TO_US SERVER SERVER
 *     checker clock                         now, as the logs count it
 *
 * `check` complains, a line each, about: an acknowledged row that is missing or not as it was written; a row that
 * nobody sent; a row that is there twice; an id used twice; two servers that acknowledged at once; a read that goes
 * backwards; a log that does not end in order. Exit status 0: nothing to complain of, 1: something, 2: it could not be checked.
 * --allow-loss (durability async): missing rows, and reads that do not show them, are counted and are no failure.
 * --running: the writers still write; the logs are read before the table and once more after it.
 * --excuse: what SERVER answered to reads between these two times (microseconds, as the logs count) is not judged.
 * --rows reads the table from a file (`ID SERVER TIMELINE` in a line) in place of a server, for its own test. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

// LINK: tests/live/acklog.c
#include "tests/live/acklog.h"

enum { COMPLAINTS_SHOWN = 10 };

struct table_row {
    int64_t id;
    char server[ACK_SERVER_SIZE];
    uint32_t timeline;
};
struct table {
    size_t n;
    struct table_row *rows; /* by id */
};
static struct options {
    const char *conninfo, *rows;
    bool allow_loss, running;
    size_t n_excuses;
    struct ack_excuse excuses[ACK_EXCUSES_MAX];
} options;

struct findings {
    size_t missing, changed, strangers, twice;
};

/* ---- the table --------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct table_row *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static void take_row(struct table *t, const char *id, const char *server, const char *timeline)
{
    struct table_row *row = &t->rows[t->n++];
    row->id = strtoll(id, NULL, 10);
    snprintf(row->server, sizeof row->server, "%s", server);
    row->timeline = (uint32_t)strtoul(timeline, NULL, 16);
}

static bool from_server(struct table *t, const char *conninfo)
{
    PGconn *c = PQconnectdb(conninfo);
    PGresult *r = PQstatus(c) == CONNECTION_OK
                      ? PQexec(c, "SELECT id, server, timeline FROM ledger ORDER BY id")
                      : NULL;
    bool good = r && PQresultStatus(r) == PGRES_TUPLES_OK;
    int n = good ? PQntuples(r) : 0;
    if (!good)
        fprintf(stderr, "checker: could not read the table: %s", PQerrorMessage(c));
    t->rows = malloc(((size_t)n + 1) * sizeof *t->rows);
    for (int i = 0; t->rows && i < n; i++)
        take_row(t, PQgetvalue(r, i, 0), PQgetvalue(r, i, 1), PQgetvalue(r, i, 2));
    PQclear(r);
    PQfinish(c);
    return good && t->rows;
}

static bool from_file(struct table *t, const char *path)
{
    FILE *f = fopen(path, "re");
    char id[32], server[ACK_SERVER_SIZE], timeline[16];
    size_t room = 0;
    if (!f) {
        fprintf(stderr, "checker: could not open \"%s\"\n", path);
        return false;
    }
    while (fscanf(f, "%31s %31s %15s", id, server, timeline) == 3) {
        if (t->n == room) {
            room = room ? 2 * room : 1024;
            struct table_row *rows = realloc(t->rows, room * sizeof *rows);
            if (!rows)
                break;
            t->rows = rows;
        }
        take_row(t, id, server, timeline);
    }
    fclose(f);
    if (t->n > 0)
        qsort(t->rows, t->n, sizeof *t->rows, by_id);
    return true;
}

static const struct table_row *table_find(const struct table *t, int64_t id)
{
    struct table_row key = {.id = id};
    return t->n ? bsearch(&key, t->rows, t->n, sizeof key, by_id) : NULL;
}

/* ---- the proof --------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void complain(size_t count, const char *fmt, ...)
{
    va_list args;
    if (count > COMPLAINTS_SHOWN)
        return;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
}

static void check_acknowledged(const struct ack_log *log, const struct table *t, struct findings *f)
{
    for (size_t i = 0; i < log->n; i++) {
        const struct ack_row *row = &log->rows[i];
        const struct table_row *found = table_find(t, row->id);
        if (row->ack_us == 0)
            continue;
        if (!found)
            complain(++f->missing, "missing: row %" PRId64 ", acknowledged by %s on timeline %u\n", row->id,
                     log->names[row->by], row->timeline);
        else if (strcmp(found->server, log->names[row->server]) != 0 || found->timeline != row->timeline)
            complain(++f->changed,
                     "changed: row %" PRId64
                     " was acknowledged by %s on timeline %u; the table says %s, %u\n",
                     row->id, log->names[row->server], row->timeline, found->server, found->timeline);
    }
}

static void check_table(const struct ack_log *log, const struct table *t, struct findings *f)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct ack_row *row = ack_find(log, t->rows[i].id);
        if (i > 0 && t->rows[i].id == t->rows[i - 1].id)
            complain(++f->twice, "twice: row %" PRId64 " stands in the table more than once\n",
                     t->rows[i].id);
        if (!row || strcmp(t->rows[i].server, log->names[row->server]) != 0)
            complain(++f->strangers, "stranger: nobody sent row %" PRId64 " to %s\n", t->rows[i].id,
                     t->rows[i].server);
    }
}

/* `log`: as it was before the table was read; `later`: as it is now, when the writers go on (otherwise the same). */
static int check(const struct ack_log *log, const struct ack_log *later, size_t ids_twice,
                 const struct table *t)
{
    struct findings f = {0};
    bool allow_loss = options.allow_loss;
    check_acknowledged(log, t, &f);
    check_table(later, t, &f);
    size_t doubles = ack_double_primaries(log, stdout),
           backwards = ack_backwards(log, options.excuses, options.n_excuses, stdout),
           bad = f.changed + f.strangers + f.twice + doubles + ids_twice + (allow_loss ? 0 : backwards);
    if (ids_twice > 0)
        printf("log: %zu ids were used twice\n", ids_twice);
    if (!options.running && (log->end_us == 0 || log->unreadable > 0)) {
        printf("log: it does not end in order, or %d lines are unreadable\n", log->unreadable);
        bad++;
    }
    if (log->n_acked == 0) {
        printf("log: nothing was acknowledged, so nothing is proved\n");
        bad++;
    }
    printf("%zu rows acknowledged: %zu missing%s, %zu changed; %zu in the table: %zu strangers, %zu twice; "
           "%zu double primaries; %zu reads: %zu backwards\n",
           log->n_acked, f.missing, allow_loss ? " (allowed)" : "", f.changed, t->n, f.strangers, f.twice,
           doubles, log->n_looks, backwards);
    return bad > 0 || (f.missing > 0 && !allow_loss) ? 1 : 0;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static size_t read_logs(struct ack_log *log, char **paths, int n)
{
    for (int i = 0; i < n; i++)
        if (!ack_read(log, paths[i])) {
            fprintf(stderr, "checker: could not read \"%s\"\n", paths[i]);
            exit(2);
        }
    return ack_finish(log);
}

static int wrong_usage(void)
{
    fprintf(stderr, "usage: checker check [--allow-loss] [--running] [--excuse SERVER:FROM_US:TO_US]...\n"
                    "                     (--conninfo TEXT | --rows FILE) LOG...\n"
                    "       checker report LOG...\n"
                    "       checker outage FROM_US TO_US LOG...\n"
                    "       checker clock\n");
    return 2;
}

static bool take_excuse(const char *text)
{
    struct ack_excuse *e = &options.excuses[options.n_excuses];
    if (options.n_excuses == ACK_EXCUSES_MAX ||
        sscanf(text, "%31[^:]:%" SCNd64 ":%" SCNd64, e->server, &e->from_us, &e->to_us) != 3)
        return false;
    options.n_excuses++;
    return true;
}

/* The index of the first log; 0: wrong usage. */
static int check_options(int argc, char **argv)
{
    int at = 2;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        bool more = at + 1 < argc;
        if (strcmp(argv[at], "--allow-loss") == 0)
            options.allow_loss = true;
        else if (strcmp(argv[at], "--running") == 0)
            options.running = true;
        else if (strcmp(argv[at], "--conninfo") == 0 && more)
            options.conninfo = argv[++at];
        else if (strcmp(argv[at], "--rows") == 0 && more)
            options.rows = argv[++at];
        else if (strcmp(argv[at], "--excuse") != 0 || !more || !take_excuse(argv[++at]))
            return 0;
    }
    return at == argc || !options.conninfo == !options.rows ? 0 : at;
}

static int command_check(struct ack_log *log, int argc, char **argv)
{
    static struct ack_log again;
    struct table t = {0};
    const struct ack_log *later = log;
    int at = check_options(argc, argv);
    if (at == 0)
        return wrong_usage();
    size_t twice = read_logs(log, argv + at, argc - at);
    if (!(options.conninfo ? from_server(&t, options.conninfo) : from_file(&t, options.rows)))
        return 2;
    if (options.running) {
        read_logs(&again, argv + at, argc - at);
        later = &again;
    }
    return check(log, later, twice, &t);
}

static int command_outage(struct ack_log *log, int argc, char **argv)
{
    struct ack_gap g;
    if (argc < 5)
        return wrong_usage();
    read_logs(log, argv + 4, argc - 4);
    if (!ack_longest_gap(log, strtoll(argv[2], NULL, 10), strtoll(argv[3], NULL, 10), &g)) {
        fprintf(stderr, "checker: there are not two acknowledgements around that time\n");
        return 2;
    }
    printf("%.1f %" PRId64 " %" PRId64 " %s %s\n", (double)(g.to_us - g.from_us) / 1000, g.from_us, g.to_us,
           log->names[g.from_server], log->names[g.to_server]);
    return 0;
}

int main(int argc, char **argv)
{
    static struct ack_log log;
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "clock") == 0) {
        printf("%" PRId64 "\n", ack_now_us());
        return 0;
    }
    if (strcmp(command, "check") == 0)
        return command_check(&log, argc, argv);
    if (strcmp(command, "outage") == 0)
        return command_outage(&log, argc, argv);
    if (strcmp(command, "report") != 0 || argc < 3)
        return wrong_usage();
    read_logs(&log, argv + 2, argc - 2);
    ack_report(&log, stdout);
    return 0;
}
