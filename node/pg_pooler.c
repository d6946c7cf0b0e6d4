#define _GNU_SOURCE /* NI_MAXHOST */
#include "node/pg_pooler.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "mesh/io/clock.h"
#include "node/pg_link.h"

enum { ANSWER_MS = 1000 };

bool pg_pooler_names(struct pg_pooler *p, const char *list, struct problem *err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    p->n = 0;
    for (const char *at = list;;) {
        at += strspn(at, " ");
        size_t n = strspn(at, letters);
        const char *after = at + n + strspn(at + n, " ");
        if (n == 0 || n >= POOLER_NAME_SIZE || (*after && *after != ',')) {
            problem_fact(err, "route_pgbouncer_databases cannot be \"%.100s\"", list);
            return problem_hint(err, "Write NAME[,NAME...], of letters, digits and _, such as: orders,stock");
        }
        if (p->n == POOLER_DATABASES_MAX)
            return problem_fact(err, "route_pgbouncer_databases: at most %d are routed",
                                POOLER_DATABASES_MAX);
        snprintf(p->names[p->n++], POOLER_NAME_SIZE, "%.*s", (int)n, at);
        if (!*after)
            return true;
        at = after + 1;
    }
}

/* ---- the console ------------------------------------------------------------------------------------------------------------ */

static struct pg_link_wait soon(void)
{
    return (struct pg_link_wait){.end = instant_add(clock_now(), span_ms(ANSWER_MS)), .wake = -1};
}

static PGconn *dial(const struct pg_pooler *p, struct problem *err)
{
    const char *keys[] = {"passfile", "application_name", "gssencmode", "sslmode", "dbname", NULL};
    const char *values[] = {p->pass_file, "pgmesh", "disable", "prefer", p->conninfo, NULL};
    char why[200];
    PGconn *c = pg_link_open(keys, values, soon(), why, sizeof why);
    if (c)
        return c;
    problem_fact(err, "PgBouncer's console does not answer");
    problem_detail(err, "%s", why);
    problem_hint(err, "route_pgbouncer needs dbname=pgbouncer and a user of its admin_users.");
    return NULL;
}

void pg_pooler_hang_up(struct pg_pooler *p)
{
    PQfinish(p->console);
    p->console = NULL;
}

/* A kept console may have been lost with PgBouncer's restart, so a failure counts only on a fresh one. */
static PGresult *ask(struct pg_pooler *p, const char *command, struct problem *err)
{
    for (;;) {
        bool fresh = p->console == NULL;
        if (fresh && !(p->console = dial(p, err)))
            return NULL;
        PGresult *r = pg_link_query(p->console, command, soon());
        if (r && PQstatus(p->console) == CONNECTION_OK)
            return r;
        PQclear(r);
        pg_pooler_hang_up(p);
        if (fresh) {
            problem_fact(err, "PgBouncer did not answer to %s", command);
            return NULL;
        }
    }
}

static bool command(struct pg_pooler *p, const char *text, const char *forgive, struct problem *err)
{
    PGresult *r = ask(p, text, err);
    if (!r)
        return false;
    const char *why = PQresultErrorMessage(r);
    bool good = PQresultStatus(r) == PGRES_COMMAND_OK || (forgive && strstr(why, forgive));
    if (!good) {
        problem_fact(err, "PgBouncer refused %s", text);
        problem_detail(err, "%.*s", (int)strcspn(why, "\n"), why);
    }
    PQclear(r);
    return good;
}

static bool each(struct pg_pooler *p, const char *verb, const char *forgive, struct problem *err)
{
    char text[POOLER_NAME_SIZE + 16];
    bool good = true;
    for (int i = 0; i < p->n; i++) {
        snprintf(text, sizeof text, "%s \"%s\"", verb, p->names[i]);
        good = command(p, text, forgive, err) && good;
    }
    return good;
}

bool pg_pooler_reload(struct pg_pooler *p, struct problem *err)
{
    return command(p, "RELOAD", NULL, err);
}

bool pg_pooler_resume(struct pg_pooler *p, struct problem *err)
{
    return each(p, "RESUME", "not paused", err);
}

bool pg_pooler_kill(struct pg_pooler *p, struct problem *err)
{
    bool killed = each(p, "KILL", NULL, err);
    return pg_pooler_resume(p, err) && killed;
}

/* ---- pausing: a connection for each database, so that none waits for another's transactions ---------------------------------- */

static bool settled(PGconn *c, bool *good)
{
    if (!PQconsumeInput(c)) {
        *good = false;
        return true;
    }
    while (!PQisBusy(c)) {
        PGresult *r = PQgetResult(c);
        if (!r)
            return true;
        *good = *good && PQresultStatus(r) == PGRES_COMMAND_OK;
        PQclear(r);
    }
    return false;
}

static enum pg_pooler_pausing await_all(struct pg_pooler *p, PGconn *const *c, instant until)
{
    bool done[POOLER_DATABASES_MAX] = {false}, good = true;
    for (int left = p->n; left > 0;) {
        struct pollfd fds[POOLER_DATABASES_MAX + 1] = {{.fd = p->wake, .events = POLLIN}};
        int64_t ms = span_to_ms(instant_elapsed_least(until, clock_now()));
        for (int i = 0; i < p->n; i++)
            fds[i + 1] = (struct pollfd){.fd = done[i] ? -1 : PQsocket(c[i]), .events = POLLIN};
        if (ms < 0 || poll(fds, (nfds_t)p->n + 1, (int)ms + 1) <= 0 || fds[0].revents)
            return POOLER_PAUSING;
        for (int i = 0; i < p->n; i++)
            if (!done[i] && fds[i + 1].revents && settled(c[i], &good)) {
                done[i] = true;
                left--;
            }
    }
    return good ? POOLER_PAUSED : POOLER_UNREACHED;
}

enum pg_pooler_pausing pg_pooler_pause(struct pg_pooler *p, instant until, struct problem *err)
{
    PGconn *c[POOLER_DATABASES_MAX] = {NULL};
    char text[POOLER_NAME_SIZE + 16];
    enum pg_pooler_pausing how = POOLER_PAUSED;
    for (int i = 0; i < p->n && how == POOLER_PAUSED; i++) {
        snprintf(text, sizeof text, "PAUSE \"%s\"", p->names[i]);
        c[i] = dial(p, err);
        how = c[i] && PQsendQuery(c[i], text) ? POOLER_PAUSED : POOLER_UNREACHED;
    }
    if (how == POOLER_PAUSED)
        how = await_all(p, c, until);
    if (how == POOLER_UNREACHED && c[p->n - 1])
        problem_fact(err, "PgBouncer refused to pause, or its console broke off");
    for (int i = 0; i < p->n; i++)
        PQfinish(c[i]);
    return how;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------ */

static const char *field(const PGresult *r, int row, const char *column)
{
    int i = PQfnumber(r, column);
    return i < 0 ? "" : PQgetvalue(r, row, i);
}

static bool is_ours(const struct pg_pooler *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (strcmp(p->names[i], name) == 0)
            return true;
    return false;
}

int pg_pooler_paused(struct pg_pooler *p)
{
    PGresult *r = ask(p, "SHOW DATABASES", NULL);
    int n = PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : -1;
    for (int row = 0; n >= 0 && row < PQntuples(r); row++)
        n += is_ours(p, field(r, row, "name")) && strcmp(field(r, row, "paused"), "1") == 0;
    PQclear(r);
    return n;
}

bool pg_pooler_same_host(const char *addr, const char *host)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char text[NI_MAXHOST];
    if (strcmp(addr, host) == 0 || getaddrinfo(host, NULL, &hints, &found) != 0)
        return true;
    bool same = false;
    for (const struct addrinfo *a = found; a && !same; a = a->ai_next)
        same = getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0 &&
               strcmp(addr, text) == 0;
    freeaddrinfo(found);
    return same;
}

int pg_pooler_elsewhere(struct pg_pooler *p, const struct address *primary)
{
    PGresult *r = ask(p, "SHOW SERVERS", NULL);
    int n = PQresultStatus(r) == PGRES_TUPLES_OK ? 0 : -1;
    for (int row = 0; n >= 0 && row < PQntuples(r); row++)
        n += is_ours(p, field(r, row, "database")) && strcmp(field(r, row, "state"), "active") == 0 &&
             (atoi(field(r, row, "port")) != primary->port ||
              !pg_pooler_same_host(field(r, row, "addr"), primary->host));
    PQclear(r);
    return n;
}
