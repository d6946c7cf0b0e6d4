#include "node/pg_conn.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/hand_state.h"

enum { PARAMETERS = 12 };

struct conninfo {
    int n;
    const char *keys[PARAMETERS + 1], *values[PARAMETERS + 1];
};

static void add(struct conninfo *i, const char *key, const char *value)
{
    i->keys[i->n] = key;
    i->values[i->n++] = value;
}

static PGconn *begin(struct hand *h, enum pg_conn_kind kind, const struct hand_member *to)
{
    struct conninfo i = {0};
    char port[8];
    snprintf(port, sizeof port, "%u", to ? to->pg.port : h->config->pg_port);
    add(&i, "host", to ? to->pg.host : h->config->socket_dir);
    add(&i, "port", port);
    add(&i, "passfile", h->config->pg_pass_file);
    add(&i, "application_name", "pgmesh");
    switch (kind) {
    case PG_CONN_LOCAL:
        add(&i, "user", "pgmesh");
        add(&i, "dbname", "postgres");
        add(&i, "options", "-c synchronous_commit=local -c default_transaction_read_only=off");
        break;
    case PG_CONN_REWIND:
        add(&i, "user", "pgmesh_rewind");
        add(&i, "dbname", "postgres");
        break;
    case PG_CONN_WALSENDER:
    case PG_CONN_UPSTREAM:
        add(&i, "user", "pgmesh_replication");
        add(&i, "dbname", "replication");
        add(&i, "replication", "true");
        break;
    }
    if (to) {
        add(&i, "keepalives_idle", "1");
        add(&i, "tcp_user_timeout", "3000");
    }
    add(&i, "fallback_application_name", "pgmesh");
    add(&i, "gssencmode", "disable");
    PGconn *c = PQconnectStartParams(i.keys, i.values, 0);
    if (c)
        PQsetErrorVerbosity(c, PQERRORS_SQLSTATE); /* texts may be translated */
    return c;
}

/* Waits for the socket; the worker also for a new goal. */
static bool await(struct hand *h, int fd, short events, instant end, bool worker)
{
    int64_t left = span_to_ms(instant_elapsed_least(end, fence_now()));
    if (left < 0 || atomic_load(&h->closing))
        return false;
    if (worker)
        return hand_wait(h, fd, events, left > 200 ? 200 : (int)left + 1);
    struct pollfd p = {.fd = fd, .events = events};
    poll(&p, 1, left > 200 ? 200 : (int)left + 1);
    return true;
}

static enum pg_conn_trouble judge(const char *text)
{
    static const char *const refused[] = {"53300" /* too many connections */, "28P01",
                                          "28000" /* authentication */, NULL};
    for (const char *const *r = refused; *r; r++)
        if (strstr(text, *r))
            return PG_CONN_REFUSED;
    return strstr(text, "57P03") ? PG_CONN_STARTING : PG_CONN_FAILED;
}

PGconn *pg_conn_open(struct hand *h, enum pg_conn_kind kind, const struct hand_member *to, int timeout_ms,
                     bool worker, enum pg_conn_trouble *trouble, char *why, size_t why_size)
{
    instant end = instant_add(fence_now(), span_ms(timeout_ms));
    PGconn *c = begin(h, kind, to);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    *trouble = PG_CONN_FAILED;
    bool in_time = true;
    while (c && PQstatus(c) != CONNECTION_BAD && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED &&
           in_time) {
        struct pollfd ready = {.fd = PQsocket(c), .events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        in_time = await(h, ready.fd, ready.events, end, worker);
        if (in_time && poll(&ready, 1, 0) > 0)
            next = PQconnectPoll(c);
    }
    if (c && next == PGRES_POLLING_OK) {
        *trouble = PG_CONN_OK;
        return c;
    }
    const char *text = !in_time ? "no answer in time" : c ? PQerrorMessage(c) : "out of memory";
    *trouble = judge(text);
    if (why)
        snprintf(why, why_size, "%.*s", (int)strcspn(text, "\n"), text);
    PQfinish(c);
    return NULL;
}

PGresult *pg_conn_query(struct hand *h, PGconn *c, const char *sql, int timeout_ms, bool worker)
{
    instant end = instant_add(fence_now(), span_ms(timeout_ms));
    PGresult *last = NULL;
    if (!c || PQstatus(c) != CONNECTION_OK || !PQsendQuery(c, sql))
        return NULL;
    for (;;) {
        while (PQisBusy(c)) {
            if (!await(h, PQsocket(c), POLLIN, end, worker) || !PQconsumeInput(c)) {
                PQclear(last);
                return NULL;
            }
        }
        PGresult *r = PQgetResult(c);
        if (!r)
            return last;
        PQclear(last);
        last = r;
    }
}

bool pg_conn_command(struct hand *h, PGconn *c, const char *sql, int timeout_ms, bool worker)
{
    PGresult *r = pg_conn_query(h, c, sql, timeout_ms, worker);
    ExecStatusType s = PQresultStatus(r);
    PQclear(r);
    return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK;
}

const char *pg_conn_text(const PGresult *r, int row, const char *column)
{
    int i = PQfnumber(r, column);
    return i < 0 || row >= PQntuples(r) ? "" : PQgetvalue(r, row, i);
}

uint64_t pg_conn_number(const PGresult *r, int row, const char *column)
{
    return strtoull(pg_conn_text(r, row, column), NULL, 10);
}

lsn_t pg_conn_lsn(const PGresult *r, int row, const char *column)
{
    unsigned high, low;
    return sscanf(pg_conn_text(r, row, column), "%X/%X", &high, &low) == 2 ? (lsn_t)high << 32 | low : 0;
}

bool pg_conn_bool(const PGresult *r, int row, const char *column)
{
    return pg_conn_text(r, row, column)[0] == 't';
}
