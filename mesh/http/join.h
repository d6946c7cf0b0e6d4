/* join.h: a new host fetches its folder by the token that it was given (mesh/io/invite.h): POST /join.
 *
 * The token never comes here, only what is derived from it; the member judges it, and gives what is closed by the token at most
 * to one asker.  Whoever asks needs no other proof, so before the member is troubled stands a limit for each address (gate.h), and one at a time is
 * carried to it. */
#ifndef PGMESH_HTTP_JOIN_H
#define PGMESH_HTTP_JOIN_H

#include "mesh/http/route.h"

enum { JOIN_TIMEOUT_MS = 5000 };

/* Called once for each question that was begun; owns the reply's json. */
typedef void join_told(void *arg, struct reply *reply);
bool join_open(struct http *h, join_told *told, void *arg);
void join_close(struct http *h);
route_order join_ask;

#endif
