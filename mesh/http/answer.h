/* answer.h: the documents that are served, made of the snapshot. */
#ifndef PGMESH_HTTP_ANSWER_H
#define PGMESH_HTTP_ANSWER_H

#include "mesh/http/route.h"

/* An error in the shape of every error here: {"error": {"code", "message", "detail", "hint"}}. */
void answer_error(struct reply *out, unsigned status, const char *code, const char *fact, const char *detail,
                  const char *hint);
/* The member did not answer. */
void answer_stale(struct http *h, struct reply *out);

route_answer answer_health, answer_patroni, answer_cluster, answer_openapi;
/* The page to a browser; to whoever asks as Patroni is asked, what /primary says. */
route_answer answer_root;

#endif
