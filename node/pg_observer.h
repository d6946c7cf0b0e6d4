/* pg_observer.h: the observer's question to one database, over libpq. */
#ifndef PGMESH_NODE_PG_OBSERVER_H
#define PGMESH_NODE_PG_OBSERVER_H

#include "mesh/io/address.h"

enum pg_observer_answer { PG_OBSERVER_SILENT, PG_OBSERVER_STANDBY, PG_OBSERVER_PRIMARY };

/* Asks over *conn (opened when NULL, closed and NULL after a failure), for at most timeout_ms. */
enum pg_observer_answer pg_observer_ask(void **conn, const struct address *to, const char *pass_file,
                                        uint64_t nonce, int timeout_ms);
void pg_observer_hang_up(void **conn);

#endif
