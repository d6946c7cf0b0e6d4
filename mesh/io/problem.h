/* problem.h: an error for people, in PostgreSQL's style: what is so (fact), what is known about it (DETAIL), what to
 * do (HINT).  Filled by whoever finds the problem, printed once at the top. */
#ifndef PGMESH_MESH_IO_PROBLEM_H
#define PGMESH_MESH_IO_PROBLEM_H

#include <stdbool.h>
#include <stdio.h>

struct problem {
    char fact[320]; /* empty: no problem */
    char detail[640];
    char hint[320];
};

/* Sets the fact (and clears detail and hint).  Always false, so that a caller may `return problem_fact(...)`.
 * All three may be called with p NULL (nobody wants to know), and shorten what does not fit. */
bool problem_fact(struct problem *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool problem_detail(struct problem *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool problem_hint(struct problem *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "PROGRAM: fact", then "DETAIL: ..." and "HINT: ..." where there is something to say. */
void problem_print(FILE *out, const char *program, const struct problem *p);

/* Of a program's command line: "PROGRAM: fact", and where to read more, to stderr.  2, which is to be the exit status. */
int problem_usage(const char *program, const char *fact);

#endif
