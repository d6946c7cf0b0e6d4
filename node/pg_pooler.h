/* pg_pooler.h: PgBouncer's admin console over libpq: the simple protocol, one command at a time, each with a deadline.
 *
 * What PgBouncer 1.18 answers (tried): PAUSE twice is fine; RESUME of what is not paused is an error, here a success;
 * PAUSE answers when every server connection of that database is released, and waits for transactions without limit. */
#ifndef PGMESH_NODE_PG_POOLER_H
#define PGMESH_NODE_PG_POOLER_H

#include "mesh/io/address.h"
#include "mesh/io/problem.h"
#include "policy/instant.h"

enum { POOLER_DATABASES_MAX = 8, POOLER_NAME_SIZE = 64 };

struct pg_pooler {
    const char *conninfo, *pass_file; /* stay the caller's */
    int wake;                         /* eventfd that ends a PAUSE early; -1: none */
    int n;
    char names[POOLER_DATABASES_MAX]
              [POOLER_NAME_SIZE]; /* of the databases that are paused, resumed, killed */
    void *console;                /* PGconn, NULL when there is none */
};

/* Reads "NAME[,NAME...]"; names of letters, digits and _. */
bool pg_pooler_names(struct pg_pooler *p, const char *list, struct problem *err);

bool pg_pooler_reload(struct pg_pooler *p, struct problem *err);
/* All databases at once: PAUSED when all are, by `until` and before `wake`; PAUSING when some transaction still runs;
 * UNREACHED when the console does not answer, or refused. */
enum pg_pooler_pausing { POOLER_PAUSED, POOLER_PAUSING, POOLER_UNREACHED };
enum pg_pooler_pausing pg_pooler_pause(struct pg_pooler *p, instant until, struct problem *err);
bool pg_pooler_resume(struct pg_pooler *p, struct problem *err);
/* Drops every client and server connection of the databases, then lets clients in again. */
bool pg_pooler_kill(struct pg_pooler *p, struct problem *err);
/* How many of the databases are paused, -1 when it cannot be told. */
int pg_pooler_paused(struct pg_pooler *p);
/* Is `addr`, as PgBouncer writes it, an address of `host`, which may be a name?  true as well when that name cannot be
 * resolved: nobody is disconnected on a guess.  May wait for a name server. */
bool pg_pooler_same_host(const char *addr, const char *host);
/* How many clients wait for a server at another address than that one, -1 when it cannot be told. */
int pg_pooler_elsewhere(struct pg_pooler *p, const struct address *primary);
void pg_pooler_hang_up(struct pg_pooler *p);

#endif
