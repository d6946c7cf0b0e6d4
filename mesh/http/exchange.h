/* exchange.h: one request, from its first byte to its reply: who asks, may he, and what is asked. */
#ifndef PGMESH_HTTP_EXCHANGE_H
#define PGMESH_HTTP_EXCHANGE_H

#include "mesh/http/guest.h"
#include "mesh/http/route.h"
#include "mesh/http/server.h"

struct MHD_Connection;
struct MHD_Daemon;
struct sockaddr;

enum { EXCHANGE_PEER_SIZE = 64 };

/*   READING   its body comes in
 *   ASKING    suspended until the member has answered, at the latest at `deadline`
 *   ORDERED   suspended until the order is done, or the host has joined
 *   READY     `reply` stands */
enum exchange_stage { EXCHANGE_READING, EXCHANGE_ASKING, EXCHANGE_ORDERED, EXCHANGE_READY };

struct server;
struct exchange {
    struct server *server;
    struct MHD_Connection *connection;
    struct guest *guest;
    struct exchange *before, *next; /* in the list of those that are suspended */
    enum exchange_stage stage;
    bool suspended;
    instant came, deadline; /* its last byte came; it waits no longer for the member */
    const struct route *route;
    struct request request;
    struct reply reply;
    char peer[EXCHANGE_PEER_SIZE];
    bool local; /* comes from this very host */
    size_t body_len, discarded;
    char body[SERVER_BODY_MAX + 1]; /* with a NUL behind it once it is whole */
};

struct server {
    struct http *http;
    struct MHD_Daemon *daemon;
    struct guests guests;
    struct exchange *suspended;
    struct exchange *ordering; /* the one order that is under way */
    struct exchange *joining;  /* the one host that is joining */
};

/* Everything that can be judged without the member: path, method, token, body, arguments.  false: the reply stands. */
bool exchange_judge(struct exchange *x);
/* Does the connection come from this very host? */
bool exchange_is_local(const struct sockaddr *peer, int fd);

#endif
