/* log.h: one line per event on standard error, as text or JSON (Elastic Common Schema names).
 *
 * Never blocks: a line that the other end does not take at once is dropped and counted, and the next line that gets
 * through says how many are missing.  Control characters are escaped.  Safe from any thread: one write per line.
 * Names are stable (`+suspect`, `promoted`); the sentence is for people. */
#ifndef PGMESH_MESH_IO_LOG_H
#define PGMESH_MESH_IO_LOG_H

#include "mesh/io/config.h"
#include "mesh/io/problem.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* Before the first line; `program` must stay valid.  Under systemd (JOURNAL_STREAM) text lines get a <N> priority. */
void log_open(const char *program, enum config_log_level least, enum config_log_format format);
/* Of whom the calling thread's lines speak from now on (copied); NULL: of nobody. */
void log_as(const char *cluster, const char *member);

void log_event(enum log_level level, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Fact as the message, detail and hint as fields. */
void log_problem(enum log_level level, const char *name, const struct problem *p);

#endif
