/* pg_version.h: are the programs in bin_dir of the data directory's version?  Minor versions mix, major ones do not. */
#ifndef PGMESH_NODE_PG_VERSION_H
#define PGMESH_NODE_PG_VERSION_H

#include "mesh/io/problem.h"

struct hand;

/* False, with both versions in the fact, when bin_dir/postgres is known to be of another major version than PG_VERSION in the
 * data directory says.  What cannot be read is PostgreSQL's to judge.  Runs the program once for each that it finds there.
 * For the worker. */
bool pg_version_fits(struct hand *h, struct problem *err);

#endif
