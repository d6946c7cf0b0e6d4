/* hook.h: posts notes to others (Slack, PagerDuty, whoever takes JSON), by libcurl, on a thread of its own.
 *
 * Nothing waits for it: a note that finds the queue full is dropped and counted.  Each post has HOOK_TIMEOUT_MS; what fails
 * is tried HOOK_TRIES times in all, with growing pauses, or as long as a receiver asks for (Retry-After), and then counted and
 * logged.  Where to and with which key is a
 * secret: it stands in a file as private as a key file, and in no log. */
#ifndef PGMESH_HTTP_HOOK_H
#define PGMESH_HTTP_HOOK_H

#include "mesh/http/note.h"
#include "mesh/io/problem.h"

#include <stdatomic.h>

enum {
    HOOKS_MAX = 8,
    HOOK_QUEUE = 64,
    HOOK_TRIES = 4,
    HOOK_TIMEOUT_MS = 10000,
    HOOK_RETRY_AFTER_MAX_S = 300,
    HOOK_URL_SIZE = 512,
    HOOK_KEY_SIZE = 128
};

struct hook {
    enum note_format format;
    char url[HOOK_URL_SIZE];
    char key[HOOK_KEY_SIZE]; /* PagerDuty: the routing key; JSON: a bearer token; "": none */
};
struct hooks {
    int n;
    struct hook of[HOOKS_MAX];
    struct hook_queue *queue; /* NULL: nothing is posted */
    atomic_ulong sent, failed, dropped;
};

/* Reads lines FORMAT URL [KEY]; `path` "" gives none. */
bool hook_read(const char *path, struct hooks *hooks, struct problem *err);
bool hook_parse(const char *text, const char *path, struct hooks *hooks, struct problem *err);
/* Starts the thread, when there are hooks; false: it could not be started. */
bool hook_start(struct hooks *hooks);
/* How long after so many tries the next one is made; `retry_after_s`: what the receiver asked for, 0: nothing. */
long hook_pause_s(int tries, long retry_after_s);
/* To every hook. */
void hook_post(struct hooks *hooks, const struct note *note, const char *cluster, const char *member);

#endif
