/* recover.h: pgmesh recover: new voters by the root key's word, when a majority of the voters is lost for good
 * (policy/reform.h).
 *
 *   survey (of one member that is left) -> judged here -> told -> the operator confirms -> signed -> taken by that member, and told
 *   by it to all others -> somebody is primary */
#ifndef PGMESH_INSPECT_RECOVER_H
#define PGMESH_INSPECT_RECOVER_H

#include "mesh/inspect/client.h"
#include "mesh/inspect/rootkey.h"
#include "mesh/io/roster.h"
#include "mesh/wire.h"

/* A member as the one that was asked sees it. */
struct remnant {
    const struct cluster_member *m;
    bool voter, heard, whole, knows_more, database;
    bool votes;                          /* afterwards */
    bool counted;                        /* in a sync set, with the directory that it has now */
    long long heard_ms;                  /* -1: never */
    unsigned long long promised, sealed; /* rounds of ballots */
    const char *postgres;
    unsigned timeline;
    struct sealed wal;
};

struct recovery {
    struct inspect *x;
    struct client client;
    struct cluster cluster;
    struct roster roster;
    json_t *survey;
    struct certificate base; /* its proposal: the highest record that the member has accepted */
    bool undecided;
    uint32_t epoch; /* of the last re-formation */
    const char *self;
    int n;
    struct remnant all[MEMBERS_MAX];
    /* as asked for */
    const char *voters, *fenced, *confirm, *to;
    struct rootkey root;
    bool loss, dry;
    /* as judged */
    bool majority; /* enough voters are heard to decide without us: the member would refuse */
    struct voters left;
    const struct remnant *most;    /* the database with the most WAL of those left, NULL: there is none */
    const struct remnant *primary; /* whose directory counts from now on, loss accepted; NULL: the record's */
    bool complete;                 /* the record proves that nothing acknowledged is missing */
    long long behind; /* of `most` behind the last position that the primary told, -1 not known */
};

/* Reads the survey and judges.  Not EXIT_OK: complained. */
int recover_judge(struct recovery *r);
/* What the operator should know before confirming. */
void recover_report(const struct recovery *r);
json_t *recover_json(const struct recovery *r);
/* Who must be dead, "db1, wit1": everybody with a say in the last record who is not heard. */
const char *recover_silent(const struct recovery *r);

#endif
