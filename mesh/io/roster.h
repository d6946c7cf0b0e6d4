/* roster.h: what changed of the members since the cluster file: newcomers, revocations, new keys and certificates, a new root
 * key.  Each line is signed; the set is kept by every member in state/roster and told to whoever lacks a line.
 *
 *   pgmesh-roster 1
 *   VERSION HEX64SIGNATURE root KEY
 *   VERSION HEX64SIGNATURE member ID NAME ROLE SITE KEY FROM UNTIL CERTIFICATE [mesh=...] [pg=...] [was=KEY:ROUND,...]
 *   VERSION HEX64SIGNATURE retire ID ROUND
 *   VERSION HEX64SIGNATURE revoke ID
 *   VERSION HEX64SIGNATURE two-persons auto|on|off
 *   VERSION HEX64SIGNATURE reform EPOCH NONCE HASH
 *
 * The signature is over "pgmesh roster v1\0", the cluster id, VERSION (8 bytes) and the words after it, one blank between two:
 * the root key's, but for "retire", which is the member's own, with its new key.  VERSION is one more than the highest that
 * the signer saw.
 *
 *   root    the root key from now on.  Signed by the one before, so whoever was away follows the chain from the key that its
 *           cluster file names.  What is held then and not signed anew by the new one is dropped, and a member that came by
 *           such a line is revoked; a line of a former root key is refused from then on, whatever its version.
 *   member  a line of the cluster file (cluster.h), with a certificate of its own; here the addresses are signed too.  Of a known
 *           member it is a renewal, and takes the place of its former line.
 *   retire  the member uses its new key, told by its line of the same version: the one before holds for nothing new (core.h).
 *   revoke  final.
 *   reform  new voters, by the root's word (policy/reform.h).  Kept one beside the other; a second one of the highest epoch that is
 *           known is refused, and remembered as `forked`. */
#ifndef PGMESH_MESH_IO_ROSTER_H
#define PGMESH_MESH_IO_ROSTER_H

#include "mesh/io/cluster.h"

enum { ROSTER_LINE_SIZE = 1024, ROSTER_ROOTS_MAX = 8, ROSTER_LINES_MAX = 3 * MEMBERS_MAX + ROSTER_ROOTS_MAX };

/* In the order in which they are told. */
enum roster_kind {
    ROSTER_ROOT,
    ROSTER_MEMBER,
    ROSTER_RETIRE,
    ROSTER_REVOKE,
    ROSTER_REFORM,
    ROSTER_TWO_PERSONS
};
struct roster_line {
    enum roster_kind kind;
    member_id id; /* that it is about */
    uint64_t version;
    char text[ROSTER_LINE_SIZE]; /* without the end of line */
};

struct roster {
    uint64_t version; /* the highest */
    uint64_t digest;  /* of all lines, whatever their order; 0 without any */
    bool
        forked; /* another re-formation of the highest epoch was told: the root has named voters on two sides */
    int n;
    struct roster_line line[ROSTER_LINES_MAX];
    int n_roots; /* former root keys, oldest first; the present one is cluster.root */
    uint8_t roots[ROSTER_ROOTS_MAX][KEY_SIZE];
};

/* Takes what is new in the text into roster and cluster: members are appended, renewed or marked revoked.  false: a line is malformed,
 * not the root's, or does not fit; the others have been taken all the same.  *news: how many lines were new. */
bool roster_merge(struct roster *r, struct cluster *c, const char *text, size_t n, const char *path,
                  int *news, struct problem *err);
/* The whole as text; n bytes, at most ROSTER_MAX. */
size_t roster_text(const struct roster *r, char out[static ROSTER_MAX]);
/* state/roster of a member; a missing file is an empty roster. */
bool roster_load(struct roster *r, struct cluster *c, const char *state_dir, struct problem *err);
bool roster_save(const struct roster *r, const char *state_dir, struct problem *err);

/* The version of that kind of line about the member; 0 without one. */
uint64_t roster_version(const struct roster *r, enum roster_kind kind, member_id id);

/* A new line, signed: the member (certified already), or its revocation.  Its end is no part of it. */
void roster_sign_member(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                        const struct cluster_member *m, uint64_t version, const struct key *root);
/* The former key of a member that has a new one, by `version` of its line, is not used any more; `key` is the new one. */
void roster_sign_retirement(char line[static ROSTER_LINE_SIZE], const struct cluster *c, member_id id,
                            uint64_t round, uint64_t version, const struct key *key);
/* The words of a line as they are, under another version, by another root key. */
void roster_sign_again(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                       const struct roster_line *of, uint64_t version, const struct key *root);
/* When orders that destroy take a second person (core.h). */
void roster_sign_two_persons(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                             enum two_persons when, uint64_t version, const struct key *root);
void roster_sign_root(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                      const uint8_t next[static KEY_SIZE], uint64_t version, const struct key *root);
void roster_sign_reform(char line[static ROSTER_LINE_SIZE], const struct cluster *c, const struct reform *f,
                        uint64_t version, const struct key *root);
void roster_sign_revocation(char line[static ROSTER_LINE_SIZE], const struct cluster *c, member_id id,
                            uint64_t version, const struct key *root);

#endif
