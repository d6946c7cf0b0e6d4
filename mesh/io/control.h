/* control.h: the UNIX socket on which the inspector asks: a request is one line of JSON, an answer one line of JSON.
 *
 * Only root and our own user get in (SO_PEERCRED).  Bounded: CONTROL_CLIENTS_MAX connections, a request of
 * CONTROL_REQUEST_MAX bytes that must be complete within CONTROL_READ_MS, an answer that must be taken as quickly.  A
 * connection may carry several requests, one after the other. */
#ifndef PGMESH_MESH_IO_CONTROL_H
#define PGMESH_MESH_IO_CONTROL_H

#include "mesh/io/problem.h"
#include "policy/instant.h"

#include <stdint.h>

enum {
    CONTROL_CLIENTS_MAX = 16,
    CONTROL_REQUEST_MAX = 128 * 1024,
    CONTROL_READ_MS = 2000,
    CONTROL_ANSWER_MS = 180000
};

struct json_t; /* jansson */
struct control;
/* A client waiting for an answer; stays a valid number after it is gone. */
typedef uint64_t control_client;

/* Called with each request.  The handler answers now or later with control_answer(); it owns nothing. */
typedef void control_handler(void *arg, control_client client, struct json_t *request, instant now);

struct control *control_open(const char *path, control_handler *handler, void *arg, struct problem *err);
void control_close(struct control **c);

/* One descriptor to poll for POLLIN, for the socket and all its clients. */
int control_fd(const struct control *c);
/* Serves whoever is ready, drops whoever is late.  Returns when it wants to be called again (instant_never(): when
 * something is ready). */
instant control_serve(struct control *c, instant now);
/* Takes the reference to `answer`.  `final`: the request is answered.  A client that is gone is no error. */
void control_answer(struct control *c, control_client client, struct json_t *answer, bool final, instant now);
bool control_waits(const struct control *c, control_client client);

#endif
