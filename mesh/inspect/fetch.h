/* fetch.h: one POST over HTTP, by the program curl: TLS and proxies are its business, and the command pgmesh stays without an HTTP
 * library.  Nothing secret is among its arguments: the body goes in by a pipe. */
#ifndef PGMESH_INSPECT_FETCH_H
#define PGMESH_INSPECT_FETCH_H

#include "mesh/io/problem.h"

#include <stddef.h>

enum { FETCH_MAX = 1024 * 1024, FETCH_BODY_MAX = 4096 };

struct fetch {
    const char *url;     /* http:// or https://, without blanks */
    const char *ca_file; /* NULL: the system's authorities */
    unsigned timeout_s;
};

/* Sends `body` (shorter than FETCH_BODY_MAX) as JSON; the answer's status, and its body in *answer (heap, NUL behind it).  0 and a
 * problem: there was no answer. */
int fetch_post(const struct fetch *f, const char *body, char **answer, struct problem *err);

#endif
