/* route_run.h: runs one program to its end or to its time limit: clean environment, input from memory, bounded output. */
#ifndef PGMESH_NODE_ROUTE_RUN_H
#define PGMESH_NODE_ROUTE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { ROUTE_RUN_OUTPUT = 4096, ROUTE_RUN_GROUPS = 64 };

/* Whom the program runs as; `drop` false: as we are. */
struct route_user {
    bool drop;
    uid_t uid;
    gid_t gid;
    int n_groups;
    gid_t groups[ROUTE_RUN_GROUPS];
};

struct route_run {
    const char *program, *argument;
    const char *input;
    uint32_t timeout_ms;
    struct route_user user;
    /* results */
    bool timed_out;
    int status; /* exit status; 128 + signal; -1: could not be run */
    int64_t took_ms;
    size_t n_output, lost;             /* bytes kept, and bytes beyond them */
    char output[ROUTE_RUN_OUTPUT + 1]; /* of both standard output and error */
};

/* Blocks the calling thread for at most timeout_ms and what killing takes.  true: it ended by itself with status 0. */
bool route_run(struct route_run *r);

#endif
