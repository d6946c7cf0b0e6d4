#include "node/pg_observer.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/io/clock.h"

static bool await(int fd, short events, instant end)
{
    int64_t left = span_to_ms(instant_elapsed_least(end, clock_now()));
    struct pollfd p = {.fd = fd, .events = events};
    return left >= 0 && poll(&p, 1, (int)left + 1) > 0;
}

static PGconn *dial(const struct address *to, const char *pass_file, instant end)
{
    char port[8];
    snprintf(port, sizeof port, "%u", to->port);
    const char *keys[] = {
        "host",       "port", "user", "dbname", "passfile", "application_name", "tcp_user_timeout",
        "gssencmode", NULL};
    const char *values[] = {to->host,          port,   "pgmesh_observer", "postgres", pass_file,
                            "pgmesh_observer", "2000", "disable",         NULL};
    PGconn *c = PQconnectStartParams(keys, values, 0);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (c && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED) {
        if (PQstatus(c) == CONNECTION_BAD ||
            !await(PQsocket(c), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, end))
            break;
        next = PQconnectPoll(c);
    }
    if (next == PGRES_POLLING_OK)
        return c;
    PQfinish(c);
    return NULL;
}

static enum pg_observer_answer ask(PGconn *c, uint64_t nonce, instant end)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT %" PRId64 "::bigint, pg_is_in_recovery()", (int64_t)(nonce >> 1));
    enum pg_observer_answer answer = PG_OBSERVER_SILENT;
    if (!PQsendQuery(c, sql))
        return answer;
    for (;;) {
        while (PQisBusy(c))
            if (!await(PQsocket(c), POLLIN, end) || !PQconsumeInput(c))
                return PG_OBSERVER_SILENT;
        PGresult *r = PQgetResult(c);
        if (!r)
            return answer;
        if (PQresultStatus(r) == PGRES_TUPLES_OK && strtoull(PQgetvalue(r, 0, 0), NULL, 10) == nonce >> 1)
            answer = PQgetvalue(r, 0, 1)[0] == 'f' ? PG_OBSERVER_PRIMARY : PG_OBSERVER_STANDBY;
        PQclear(r);
    }
}

enum pg_observer_answer pg_observer_ask(void **conn, const struct address *to, const char *pass_file,
                                        uint64_t nonce, int timeout_ms)
{
    instant end = instant_add(clock_now(), span_ms(timeout_ms));
    if (!*conn)
        *conn = dial(to, pass_file, end);
    enum pg_observer_answer answer = *conn ? ask(*conn, nonce, end) : PG_OBSERVER_SILENT;
    if (answer == PG_OBSERVER_SILENT)
        pg_observer_hang_up(conn);
    return answer;
}

void pg_observer_hang_up(void **conn)
{
    PQfinish(*conn);
    *conn = NULL;
}
