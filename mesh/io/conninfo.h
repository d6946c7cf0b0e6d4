/* conninfo.h: where a database is, as libpq's clients and scripts write it; without user, database and password, which
 * are the application's.
 *
 * The settings notice a dead server within about 1.5 s (docs/routing.md has the reasons for each). */
#ifndef PGMESH_MESH_IO_CONNINFO_H
#define PGMESH_MESH_IO_CONNINFO_H

#include "mesh/io/address.h"

enum { CONNINFO_HOSTS_MAX = 12, CONNINFO_SIZE = CONNINFO_HOSTS_MAX * (ADDRESS_TEXT_SIZE + 4) + 320 };

enum conninfo_format {
    CONNINFO_KEYWORDS, /* host=10.0.0.2 port=5432 target_session_attrs=read-write ... */
    CONNINFO_URI,      /* postgresql://10.0.0.2:5432/?target_session_attrs=read-write&... */
    CONNINFO_HOST,     /* 10.0.0.2, a line for each */
    CONNINFO_ENV,      /* PGHOST=10.0.0.2 and so on, a line for each */
};

/* Which of the servers the client wants: the one that can write, or any, standbys first. */
enum conninfo_want { CONNINFO_READ_WRITE, CONNINFO_PREFER_STANDBY };

/* Every line ends with a newline.  n is at least 1 and at most CONNINFO_HOSTS_MAX.  The length. */
size_t conninfo_print(char out[static CONNINFO_SIZE], enum conninfo_format f, enum conninfo_want want,
                      const struct address *hosts, int n);

#endif
