/* roster.h: members beyond those of the cluster file, and revocations: each line signed by the cluster's root key, the set
 * kept by every member in state/roster and told to whoever lacks a line.
 *
 *   pgmesh-roster 1
 *   VERSION HEX64SIGNATURE member ID NAME ROLE SITE KEY FROM UNTIL CERTIFICATE [mesh=...] [pg=...]
 *   VERSION HEX64SIGNATURE revoke ID
 *   VERSION HEX64SIGNATURE reform EPOCH NONCE HASH      new voters, by the root's word (policy/reform.h)
 *
 * The signature is the root's over "pgmesh roster v1\0", the cluster id, VERSION (8 bytes) and the words after it, one blank
 * between two.  What follows "member" is a line of the cluster file (cluster.h) with a certificate of its own; here the
 * addresses are signed too.  VERSION is one more than the highest that the signer saw; a line counts for its member only above the
 * version that is known of it: 0 for those of the cluster file, so nothing is ever taken back, and a revocation is final.
 * Re-formations are kept one beside the other; a second one of the highest epoch that is known is refused, and remembered as
 * `forked`. */
#ifndef PGMESH_MESH_IO_ROSTER_H
#define PGMESH_MESH_IO_ROSTER_H

#include "mesh/io/cluster.h"

enum { ROSTER_LINE_SIZE = 768, ROSTER_LINES_MAX = 2 * MEMBERS_MAX };

struct roster {
    uint64_t version; /* the highest */
    uint64_t digest;  /* of all lines, whatever their order; 0 without any */
    bool
        forked; /* another re-formation of the highest epoch was told: the root has named voters on two sides */
    int n;
    char line[ROSTER_LINES_MAX][ROSTER_LINE_SIZE]; /* without the end of line */
    int n_known;
    struct {
        member_id id;
        uint64_t version;
    } known[MEMBERS_MAX]; /* the highest of each member that a line is about */
};

/* Takes what is new in the text into roster and cluster: members are appended, or marked revoked.  false: a line is malformed,
 * not the root's, or does not fit; the others have been taken all the same.  *news: how many lines were new. */
bool roster_merge(struct roster *r, struct cluster *c, const char *text, size_t n, const char *path,
                  int *news, struct problem *err);
/* The whole as text; n bytes, at most ROSTER_MAX. */
size_t roster_text(const struct roster *r, char out[static ROSTER_MAX]);
/* state/roster of a member; a missing file is an empty roster. */
bool roster_load(struct roster *r, struct cluster *c, const char *state_dir, struct problem *err);
bool roster_save(const struct roster *r, const char *state_dir, struct problem *err);

/* A new line, signed: the member (certified already), or its revocation.  Its end is no part of it. */
void roster_sign_member(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                        const struct cluster_member *m, uint64_t version, const struct key *root);
void roster_sign_revocation(char line[static ROSTER_LINE_SIZE], const struct cluster *c, member_id id,
                            uint64_t version, const struct key *root);
void roster_sign_reform(char line[static ROSTER_LINE_SIZE], const struct cluster *c, const struct reform *f,
                        uint64_t version, const struct key *root);

#endif
