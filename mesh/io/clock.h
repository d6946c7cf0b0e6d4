/* clock.h: the time, and randomness.  Read once per event by the loop and passed inward. */
#ifndef PGMESH_MESH_IO_CLOCK_H
#define PGMESH_MESH_IO_CLOCK_H

#include "policy/instant.h"

/* CLOCK_BOOTTIME and CLOCK_MONOTONIC_RAW together. */
instant clock_now(void);

/* Wall-clock time, for people only: nothing is decided by it. */
int64_t clock_wall_us(void);
/* "2026-11-21T09:14:02.118000Z", always 27 characters; "-" for a time before 1970. */
enum { CLOCK_TEXT_SIZE = 40 };
const char *clock_print(char out[static CLOCK_TEXT_SIZE], int64_t wall_us);
/* Reads what clock_print wrote; -1 when it is something else. */
int64_t clock_parse(const char *text);

#endif
