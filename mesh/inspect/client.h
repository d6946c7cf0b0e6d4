/* client.h: asks one member through its control socket: one line of JSON out, lines of JSON back, within a time limit.
 *
 * Finds the socket by --control, else by a configuration file: --config, $PGMESH_CONFIG, /etc/pgmesh/pgmesh.conf.
 * pgmesh.conf has `control = PATH[, PATH...]` (the first that answers), `key = FILE` (the operator's) and
 * `cluster_file = FILE`; a member's node.conf serves as well, without a key.  Paths are relative to the file's folder.
 *
 * With --from FILE no member is asked: the answers are taken from a document, either what one command printed with
 * --output json, or an object of such answers by the name of the request ("status", "history", "events", "why").
 *
 * Every function that returns an int returns an exit code and has complained when it is not EXIT_OK. */
#ifndef PGMESH_INSPECT_CLIENT_H
#define PGMESH_INSPECT_CLIENT_H

#include "mesh/inspect/inspect.h"
#include "mesh/io/json.h"

enum { CLIENT_PATH = 4096, CLIENT_SOCKETS = 16, CLIENT_LINE_MAX = 8 * 1024 * 1024 };

struct client {
    struct inspect *x;
    char source[CLIENT_PATH]; /* what told the socket, for complaints */
    int n_sockets;
    char sockets[CLIENT_SOCKETS][CLIENT_PATH];
    int answering;                                         /* the socket in use, -1 none yet */
    char key_file[CLIENT_PATH], cluster_file[CLIENT_PATH]; /* "" unknown */
    char operator_name[64];                                /* "" : found by the key */
    json_t *recorded;                                      /* --from: the document, else NULL */
};

/* Reads the configuration; contacts nobody yet. */
int client_open(struct client *c, struct inspect *x);

/* Sends the request (takes the reference) and hands each answer to `take` until that returns true. */
typedef bool client_take(void *arg, json_t *answer);
int client_stream(struct client *c, json_t *request, unsigned timeout_ms, client_take *take, void *arg);

/* One answer, in *answer (a new reference), an object; client_ask() complains when it says "error". */
int client_ask_any(struct client *c, json_t *request, json_t **answer);
int client_ask(struct client *c, json_t *request, json_t **answer);

struct roster;
struct cluster;
/* The cluster's later members, keys and revocations, as the member holds them, verified into *cluster, which is as its file says
 * (with an empty roster), or as an earlier call with the same two has left it; a
 * member that knows of no roster (an older program, a document) leaves it so. */
int client_roster(struct client *c, struct roster *roster, struct cluster *cluster);

/* A member's {"error": ...} as a complaint; EXIT_OK when there is none. */
int client_refused(struct inspect *x, const json_t *answer);

#endif
