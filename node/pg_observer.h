/* pg_observer.h: the observer's question to one database, over libpq. */
#ifndef PGMESH_NODE_PG_OBSERVER_H
#define PGMESH_NODE_PG_OBSERVER_H

#include "mesh/io/address.h"
#include "policy/instant.h"

/* WRITTEN: a primary, and the write that was asked for is committed: flushed, and confirmed by its synchronous standbys. */
enum pg_observer_answer { PG_OBSERVER_SILENT, PG_OBSERVER_STANDBY, PG_OBSERVER_PRIMARY, PG_OBSERVER_WRITTEN };

struct pg_observer_question {
    const struct address *to;
    const char *pass_file;
    uint64_t nonce;
    bool write; /* a WAL message in a transaction of its own: needs no table and no privilege */
    instant end;
    int wake; /* an eventfd that ends the wait early; -1: none */
};
/* Asks over *conn (opened when NULL, closed and NULL after a failure). */
enum pg_observer_answer pg_observer_ask(void **conn, const struct pg_observer_question *q);
void pg_observer_hang_up(void **conn);

#endif
