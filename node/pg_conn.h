/* pg_conn.h: libpq with deadlines: no call waits longer than it was told, whatever the other end does. */
#ifndef PGMESH_NODE_PG_CONN_H
#define PGMESH_NODE_PG_CONN_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "policy/base.h"

struct hand;
struct hand_member;

enum pg_conn_kind {
    PG_CONN_LOCAL,     /* role pgmesh, over the socket */
    PG_CONN_WALSENDER, /* role pgmesh_replication over the socket: the replication protocol */
    PG_CONN_REWIND,    /* role pgmesh_rewind at another member */
    PG_CONN_UPSTREAM,  /* role pgmesh_replication at another member: the replication protocol */
};

/* Why a connection could not be had. */
enum pg_conn_trouble {
    PG_CONN_OK,
    PG_CONN_REFUSED /* it lives, and lets us not in */,
    PG_CONN_STARTING,
    PG_CONN_FAILED
};

/* NULL, with *trouble and a text, when there is none within the time.  `worker`: a new goal interrupts it. */
PGconn *pg_conn_open(struct hand *h, enum pg_conn_kind kind, const struct hand_member *to, int timeout_ms,
                     bool worker, enum pg_conn_trouble *trouble, char *why, size_t why_size);
/* The last result of the command (to be PQclear'ed), or NULL: time is up, interrupted, or the connection broke. */
PGresult *pg_conn_query(struct hand *h, PGconn *c, const char *sql, int timeout_ms, bool worker);
/* The same for a command whose result is only yes or no. */
bool pg_conn_command(struct hand *h, PGconn *c, const char *sql, int timeout_ms, bool worker);

/* Fields of a result: text, number, LSN ("" and NULL are 0). */
const char *pg_conn_text(const PGresult *r, int row, const char *column);
uint64_t pg_conn_number(const PGresult *r, int row, const char *column);
lsn_t pg_conn_lsn(const PGresult *r, int row, const char *column);
bool pg_conn_bool(const PGresult *r, int row, const char *column);

#endif
