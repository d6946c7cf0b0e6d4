#include "node/pg_observer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/pg_link.h"

static PGconn *dial(const struct pg_observer_question *q)
{
    char port[8];
    snprintf(port, sizeof port, "%u", q->to->port);
    const char *keys[] = {
        "host",       "port", "user", "dbname", "passfile", "application_name", "tcp_user_timeout",
        "gssencmode", NULL};
    const char *values[] = {q->to->host,       port,   "pgmesh_observer", "postgres", q->pass_file,
                            "pgmesh_observer", "2000", "disable",         NULL};
    return pg_link_open(keys, values, (struct pg_link_wait){q->end, q->wake}, NULL, 0);
}

/* The row comes once its transaction is committed, which waits for synchronous standbys. */
static enum pg_observer_answer ask(PGconn *c, const struct pg_observer_question *q)
{
    char sql[320];
    int64_t nonce = (int64_t)(q->nonce >> 1);
    snprintf(sql, sizeof sql, "SELECT %" PRId64 "::bigint, pg_is_in_recovery(), %s", nonce,
             q->write
                 ? "CASE WHEN NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'"
                   " THEN pg_logical_emit_message(true, 'pgmesh', 'observer') END"
                 : "NULL");
    PGresult *r = pg_link_query(c, sql, (struct pg_link_wait){q->end, q->wake});
    enum pg_observer_answer answer = PG_OBSERVER_SILENT;
    if (PQresultStatus(r) == PGRES_TUPLES_OK && strtoll(PQgetvalue(r, 0, 0), NULL, 10) == nonce)
        answer = PQgetvalue(r, 0, 1)[0] == 't' ? PG_OBSERVER_STANDBY
                 : PQgetisnull(r, 0, 2)        ? PG_OBSERVER_PRIMARY
                                               : PG_OBSERVER_WRITTEN;
    PQclear(r);
    return answer;
}

enum pg_observer_answer pg_observer_ask(void **conn, const struct pg_observer_question *q)
{
    if (!*conn)
        *conn = dial(q);
    enum pg_observer_answer answer = *conn ? ask(*conn, q) : PG_OBSERVER_SILENT;
    if (answer == PG_OBSERVER_SILENT)
        pg_observer_hang_up(conn);
    return answer;
}

void pg_observer_hang_up(void **conn)
{
    PQfinish(*conn);
    *conn = NULL;
}
