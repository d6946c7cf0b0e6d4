/* route.h: one table: which path is answered by what, how, and who may ask. */
#ifndef PGMESH_HTTP_ROUTE_H
#define PGMESH_HTTP_ROUTE_H

#include "mesh/http/health.h"
#include "mesh/http/http.h"

enum method { METHOD_GET = 1, METHOD_HEAD = 2, METHOD_OPTIONS = 4, METHOD_POST = 8 };
#define METHOD_LOOK (METHOD_GET | METHOD_HEAD | METHOD_OPTIONS)

enum access {
    ACCESS_OPEN,    /* health checks and this program's own description */
    ACCESS_READ,    /* whoever, unless http_read = token: then any token */
    ACCESS_VIEW,    /* any token */
    ACCESS_OPERATE, /* operator or admin; over TLS, or from this host */
    ACCESS_ADMIN    /* admin; likewise */
};

enum freshness {
    FRESH_ANY,    /* says nothing of the cluster */
    FRESH_NEEDED, /* the member's word of this moment, or 503 */
    FRESH_TRIED   /* of this moment if it can be had; what is said then tells that it cannot */
};

struct request {
    unsigned method; /* one of enum method */
    struct health_limits limits;
    bool wants_html;
    const struct token *user; /* NULL: none was shown, or one that is nobody's */
    const char *peer;         /* address, for the log */
    bool fresh;               /* the snapshot is of this moment (enum freshness) */
    struct json_t *body;      /* an object, empty when there was none; NULL for other methods than POST */
    instant now;
};

/* `json` (a reference that is taken) or `text` (not freed: a constant) or `own` (freed). */
struct reply {
    unsigned status;
    struct json_t *json;
    const char *text;
    char *own;
    const char *type; /* NULL: JSON */
};

struct route;
typedef void route_answer(struct http *h, const struct request *r, const struct route *route,
                          struct reply *out);
/* Begins what takes its time; the reply comes by order.h or join.h.  true: under way; false: `out` says why not. */
typedef bool route_order(struct http *h, const struct request *r, struct reply *out);

struct route {
    const char *path;
    unsigned methods;
    enum access access;
    enum freshness fresh;
    enum health_check check;
    route_answer *answer;
    route_order *order;
};

/* NULL: there is none of that path. */
const struct route *route_find(const char *path);
/* One of enum method, 0: none that we know. */
unsigned route_method(const char *name);

#endif
