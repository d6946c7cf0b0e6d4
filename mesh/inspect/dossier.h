/* dossier.h: a certificate taken apart and verified offline, against nothing but the cluster file.
 *
 * It asks what every member asks before it acts on a record (docs/protocol.md, "Ballots"), and keeps the answer
 * for each statement by itself, so that a person can see who said what and whether the signature holds.  The keys are
 * those that the root's certificates bind to the members.  Pure: no I/O.
 *
 * What of a certificate stands under which signature (fields as in mesh/wire_schema.h):
 *
 *     proposal.ballot               each ACCEPTED names it
 *     proposal.record               each ACCEPTED has its hash; the first one and a re-formation's: the root's word
 *     why.takeover, former, former_dir      none
 *     why.built                     each promise and each seal names it
 *     why.promises, seals, command, accepted      each its signer's; the command's approval the second person's
 *     how many of them, and in which order        none: one that is missing was never shown
 *
 * A member has the record before, and compares.  Here the certificate of the term before takes its place, or the first record
 * for term 2: of one term there is one primary with one directory.  What neither says is kept apart, as a doubt: it is
 * shown as not proven, and nothing rests on it.
 *
 * Whoever has one voter's key can make a record that names this voter alone.  So, as with a member, a quorum of the voters that
 * the reader knows must be among those who accepted: of the first record's, which the root signed, or of the certificate's from before
 * where that is proven itself, or the root's own word as a re-formation. */
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

/* What is shown and no signature says.  A certificate may well be valid with doubts: whoever accepted it had none. */
enum dossier_doubt {
    DOUBT_VOTERS, /* that those who accepted it were the voters: then it may not have been decided at all */
    DOUBT_FORMER, /* who was the primary before */
    DOUBT_KIND,   /* that it is a change; that promises and seals came with this record */
    DOUBT_SEALS, /* that nothing is missing: only the seal of the one who is said to be the primary before would prove it */
    DOUBT_ORDER, /* that the command was about this takeover */
    DOUBTS
};
enum { DOUBT_SIZE = 200 };

struct dossier {
    struct certificate certificate;
    enum dossier_kind kind;
    bool valid;
    char wrong[160];                /* the first thing that does not hold */
    char doubt[DOUBTS][DOUBT_SIZE]; /* "that ...: why not"; "": proven, or nothing of the kind is shown */
    bool accepted_holds[VOTERS_MAX], promise_holds[VOTERS_MAX], seal_holds[DATABASES_MAX], command_holds;
    uint32_t accepted, promised; /* voters by position whose statement holds */
    bool accepted_quorum, promised_quorum;
    bool seals_enough;        /* they prove that no acknowledged commit is missing */
    unsigned seals_needed[2]; /* n - k + 1 of each counting sync set; 0: the set is empty or does not count */
    bool former_sealed; /* whom the certificate calls the former primary, with the directory that it names */
    int chosen;         /* index of the new primary's seal, -1 none */
};

/* `before`: n_before earlier certificates, newest first, the first of them of the term before, or an earlier one of the same
 * term.  They need not be good: each is verified as well, with the next.  false: the bytes are no certificate at all. */
bool dossier_read(struct dossier *d, const uint8_t *bytes, size_t n, const struct certificate *before,
                  int n_before, const struct cluster *cluster);
/* The same for one already read; *d is else all zero. */
void dossier_verify(struct dossier *d, const struct certificate *before, int n,
                    const struct cluster *cluster);
/* Is it a takeover (which the kind says, the flag alone does not)? */
bool dossier_takes_over(const struct dossier *d);
/* Is it proven that the voters decided it? */
bool dossier_voters_proven(const struct dossier *d);
/* Is it proven who was the primary before? */
bool dossier_former_proven(const struct dossier *d);
/* Is `kind` proven?  That of a takeover rests on who was the primary before. */
bool dossier_kind_proven(const struct dossier *d);

const char *dossier_kind_name(enum dossier_kind kind);
/* Why the chosen one and not the database of seal `i`: the deciding step of candidate_cmp ("wal", "backlog", "site",
 * "id"), or "named" when the seals alone would have chosen the other. */
const char *dossier_because(const struct dossier *d, int i, const struct cluster *cluster);

#endif
