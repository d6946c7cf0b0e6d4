/* lint.h: settings that do not exist here, no longer, or under another name, and what to write instead. */
#ifndef PGMESH_INSPECT_LINT_H
#define PGMESH_INSPECT_LINT_H

#include <jansson.h>
#include <stdbool.h>

struct lint {
    const char *name;    /* "wal_keep_segments"; a last '.' or '*' stands for whatever follows */
    const char *where;   /* whose setting it is or was */
    const char *instead; /* sentences */
    bool
        fatal; /* a database would not start with it as pg.NAME: PostgreSQL knows it no more, or pgmesh owns it */
};
/* NULL: nothing is known about that name.  A prefix "pg." is not part of it. */
const struct lint *lint_find(const char *name);

/* A file of another program (postgresql.conf, recovery.conf, patroni.yml, repmgr.conf, pgbouncer.ini): is it one, by its
 * name? */
bool lint_foreign(const char *file);
/* Its settings that have something to be said about, as {"line", "name", "message", "hint"}; NULL: not readable. */
json_t *lint_file(const char *file);

#endif
