/* candidate.h: which database takes over: numbered steps, the first difference wins (docs/protocol.md,
 * "Takeover and seals", step 5). */
#ifndef PGMESH_POLICY_CANDIDATE_H
#define PGMESH_POLICY_CANDIDATE_H

#include "policy/durability.h"

struct candidate {
    struct sealed sealed;   /* or, before sealing, what its heartbeat says */
    bool named;             /* an operator or a RELEASE named it */
    bool eligible;          /* pre-flight found nothing that breaks a promotion */
    uint64_t backlog_bytes; /* WAL received but not replayed */
    bool same_site;         /* as the former primary */
    uint16_t priority;      /* configured; higher first */
};
/* Which is better: <0 a, >0 b, never 0 for different ids.  `step` (may be NULL) gets the name of the deciding step:
 * "eligible", "wal", "named", "backlog", "site", "priority", "id". */
int candidate_cmp(const struct candidate *a, const struct candidate *b, const char **step);

#endif
