/* pg_link.h: libpq with a deadline, for an application's host: no call waits longer than it was told, and a readable
 * `wake` (an eventfd; -1: none) ends every wait early.  The event is left for its owner to read. */
#ifndef PGMESH_NODE_PG_LINK_H
#define PGMESH_NODE_PG_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "policy/instant.h"

struct pg_link_wait {
    instant end;
    int wake;
};
/* A connection as PQconnectStartParams() describes it, expand_dbname included; NULL when there is none within the
 * time, with libpq's reason in `why` (may be NULL). */
PGconn *pg_link_open(const char *const *keys, const char *const *values, struct pg_link_wait wait, char *why,
                     size_t why_size);
/* The last result of one statement, by the simple protocol, to be PQclear'ed; NULL when the time was up or the
 * connection broke: then it is of no more use. */
PGresult *pg_link_query(PGconn *c, const char *sql, struct pg_link_wait wait);

#endif
