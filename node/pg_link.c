#include "node/pg_link.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "mesh/io/clock.h"

static bool await(const PGconn *c, short events, struct pg_link_wait w)
{
    int64_t left = span_to_ms(instant_elapsed_least(w.end, clock_now()));
    struct pollfd p[2] = {{.fd = PQsocket(c), .events = events}, {.fd = w.wake, .events = POLLIN}};
    return left >= 0 && poll(p, 2, (int)left + 1) > 0 && p[0].revents && !p[1].revents;
}

PGconn *pg_link_open(const char *const *keys, const char *const *values, struct pg_link_wait wait, char *why,
                     size_t why_size)
{
    PGconn *c = PQconnectStartParams(keys, values, 1);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (c && PQstatus(c) != CONNECTION_BAD && next != PGRES_POLLING_OK && next != PGRES_POLLING_FAILED &&
           await(c, next == PGRES_POLLING_READING ? POLLIN : POLLOUT, wait))
        next = PQconnectPoll(c);
    if (c && next == PGRES_POLLING_OK)
        return c;
    if (why_size) {
        const char *text = c ? PQerrorMessage(c) : "out of memory";
        snprintf(why, why_size, "%.*s", (int)strcspn(text, "\n"), *text ? text : "no answer in time");
    }
    PQfinish(c);
    return NULL;
}

PGresult *pg_link_query(PGconn *c, const char *sql, struct pg_link_wait wait)
{
    PGresult *last = NULL;
    if (!PQsendQuery(c, sql))
        return NULL;
    for (;;) {
        while (PQisBusy(c))
            if (!await(c, POLLIN, wait) || !PQconsumeInput(c)) {
                PQclear(last);
                return NULL;
            }
        PGresult *r = PQgetResult(c);
        if (!r)
            return last;
        PQclear(last);
        last = r;
    }
}
