/* gate.h: how often one address may ask what troubles the member: GATE_BURST times at once, then once each GATE_PAUSE_MS.
 *
 * Addresses share GATE_PLACES places, by a hash whose beginning nobody outside knows: what all of them together may ask has a bound
 * too, and nobody is kept out by choice. */
#ifndef PGMESH_HTTP_GATE_H
#define PGMESH_HTTP_GATE_H

#include "policy/instant.h"

#include <stdbool.h>
#include <stdint.h>

enum { GATE_PLACES = 64, GATE_BURST = 8, GATE_PAUSE_MS = 500 };

/* When the next question would come if they came evenly (generic cell rate algorithm); all zero at the beginning. */
struct gate {
    uint64_t salt; /* 0: not drawn yet */
    int64_t due_ms[GATE_PLACES];
};
/* May that address ask now?  If so, it counts. */
bool gate_admit(struct gate *g, const char *address, instant now);

#endif
