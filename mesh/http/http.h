/* http.h: what the parts of pgmesh-http share: one process that serves what one member knows over HTTP.
 *
 *   dial       the half that keeps its privileges: connections to the member's control socket
 *   member     conversations over them, none waited for
 *   snapshot   what the member said last, and how old that is
 *   health     the load balancers' questions, and the state of the whole: pure
 *   watch      each database over time, looked at once a second
 *   route      which path is answered by what, and who may ask
 *   answer     the documents; metrics: the text for Prometheus; page and openapi: fixed texts
 *   token      who somebody is; client_cert: by a certificate
 *   order      an operator's order, signed here with the operator's key, carried to the member
 *   join       a new host's question for its folder, by the token that it was given
 *   gate       how often one address may ask that
 *   guest      the connections: how many, how slow; exchange: one request; server: the loop, libmicrohttpd
 *   note       what is worth telling others of, and in which words: pure; hook: posts it
 *
 * All of it runs on one thread, apart from hook, which has one of its own.  Nothing here waits for a client. */
#ifndef PGMESH_HTTP_HTTP_H
#define PGMESH_HTTP_HTTP_H

#include "mesh/http/hook.h"
#include "mesh/http/snapshot.h"
#include "mesh/http/token.h"
#include "mesh/http/watch.h"
#include "mesh/io/cluster.h"
#include "mesh/io/config.h"

struct order;
struct join;

struct http_counters {
    uint64_t requests, refused_token, refused_role, not_found, too_large, malformed; /* requests */
    uint64_t connections, evicted, late, turned_away;                                /* connections */
    uint64_t orders, orders_failed;
    uint64_t joins, joins_unknown, joins_used, joins_ended, joins_limited; /* join.h, by how they ended */
};

struct http {
    const struct config *config;
    const struct cluster *cluster;
    const struct cluster_member *signer; /* NULL: no operator's key, so nothing can be ordered */
    struct key key;                      /* the operator's */
    struct tokens tokens;
    bool tls, client_certificates;
    struct member_line *line;
    struct snapshot snapshot;
    struct watch watch;
    struct order *order;
    struct join *join;
    struct hooks hooks;
    struct note_watch notes;
    uint64_t events_noted; /* of snapshot.events_seen */
    struct http_counters counters;
    int64_t started_us; /* wall clock */
};

#endif
