/* pg_run.h: runs PostgreSQL's programs as PostgreSQL's user, never as root, each in a process group of its own. */
#ifndef PGMESH_NODE_PG_RUN_H
#define PGMESH_NODE_PG_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct hand;

enum { PG_RUN_ARGS = 24, PG_RUN_KEEP = 8192 };

struct pg_run {
    const char *program;           /* in bin_dir */
    const char *args[PG_RUN_ARGS]; /* without the program; ends with NULL */
    const char *input;             /* for its standard input; NULL: none */
    bool steady;                   /* short: runs to its end whatever comes; from any thread */
    bool in_fence;                 /* it writes to the data directory: fenced with the server */
    int (*progress)(struct hand *h,
                    const char *text); /* called with the last line of its output; may be NULL */
    char output[PG_RUN_KEEP];          /* the end of standard output and error */
    size_t n_output;
    bool interrupted; /* a new goal came: it was killed */
};

/* Runs it to its end.  Returns its exit status, or -1 when it was interrupted or could not run.  For the worker. */
int pg_run(struct hand *h, struct pg_run *r);
/* The last line that says something, for a message. */
const char *pg_run_last_line(struct pg_run *r);

/* In a child between fork and exec: into the fence, no root, no priority, no signal blocked but `held` (0: none). */
void pg_run_become(const struct hand *h, int fence_fd, int held);

#endif
