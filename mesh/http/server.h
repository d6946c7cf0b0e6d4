/* server.h: requests in, replies out: the one file that names libmicrohttpd, and the loop of the half without privileges.
 *
 * Bounds: http_max_connections connections (guest.h), SERVER_CONNECTION_MEMORY bytes for a connection's request line and
 * headers, SERVER_BODY_MAX for a body; what is longer is refused, never stored. */
#ifndef PGMESH_HTTP_SERVER_H
#define PGMESH_HTTP_SERVER_H

#include "mesh/http/http.h"

enum {
    SERVER_CONNECTION_MEMORY = 16 * 1024,
    SERVER_BODY_MAX = 8 * 1024,
    SERVER_BODY_DISCARDED_MAX =
        256 * 1024 /* of a body that is too long: after that the connection is closed */
};

struct server_options {
    struct http *http; /* config, cluster, operator, tokens, tls are set; the rest is filled here */
    int channel;       /* to the half that dials */
    int n_listening;
    int listening[ADDRESSES_MAX];
    char *tls_cert, *tls_key; /* PEM; NULL: without TLS */
    char *client_ca;          /* PEM; NULL: no client certificates */
};

/* Until the channel closes.  Returns an exit status. */
int server_run(const struct server_options *options);

/* Binds and listens; -1 and a problem. */
int server_listen(const struct address *a, struct problem *err);

#endif
