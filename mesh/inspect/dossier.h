/* dossier.h: a certificate taken apart and verified offline, against nothing but the cluster file.
 *
 * It asks what every member asks before it acts on a record (docs/protocol.md, "Ballots"), and keeps the answer
 * for each statement by itself, so that a person can see who said what and whether the signature holds.  The keys are
 * those that the root's certificates bind to the members.  Pure: no I/O. */
#ifndef PGMESH_INSPECT_DOSSIER_H
#define PGMESH_INSPECT_DOSSIER_H

#include "mesh/io/cluster.h"
#include "mesh/wire.h"

enum dossier_kind {
    DOSSIER_FIRST,    /* the first record: the root's signature decides */
    DOSSIER_REFORMED, /* new voters, by the root's word (policy/reform.h), which the roster tells */
    DOSSIER_CHANGE,   /* by the primary: same term */
    DOSSIER_FAILOVER, /* the former primary was lost */
    DOSSIER_HANDOVER, /* the former primary gave the term up (RELEASE): a switchover, or its PostgreSQL died */
    DOSSIER_RETURN    /* the same primary under a new term */
};

struct dossier {
    struct certificate certificate;
    enum dossier_kind kind;
    bool valid;
    char wrong[160]; /* the first thing that does not hold */
    bool accepted_holds[VOTERS_MAX], promise_holds[VOTERS_MAX], seal_holds[DATABASES_MAX], command_holds;
    uint32_t accepted, promised; /* voters by position whose statement holds */
    bool accepted_quorum, promised_quorum, seals_enough;
    unsigned seals_needed[2]; /* n - k + 1 of each counting sync set; 0: the set is empty or does not count */
    bool former_sealed;       /* the former primary itself, with its own directory */
    int chosen;               /* index of the new primary's seal, -1 none */
};

/* false: the bytes are no certificate at all. */
bool dossier_read(struct dossier *d, const uint8_t *bytes, size_t n, const struct cluster *cluster);
/* The same for one already read. */
void dossier_verify(struct dossier *d, const struct cluster *cluster);

const char *dossier_kind_name(enum dossier_kind kind);
/* Why the chosen one and not the database of seal `i`: the deciding step of candidate_cmp ("wal", "backlog", "site",
 * "id"), or "named" when the seals alone would have chosen the other. */
const char *dossier_because(const struct dossier *d, int i, const struct cluster *cluster);

#endif
