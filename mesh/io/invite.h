/* invite.h: how a host becomes a member by a token.  The folder that "member add" makes, closed by a key that only the token
 * tells, waits with a member (invites.h) for whoever shows that he has the token.
 *
 *   token    "pgmesh-join-1-" and 44 bytes in hex: the first 8 of the cluster's root key, a secret of 32 random ones, and 4 of
 *            the hash of these 40, so that a slip is told from the token of something else
 *   claim    hash("pgmesh join claim v1" NUL secret): what a host shows to be given the folder; it opens nothing
 *   id       hash("pgmesh join id v1" NUL claim): all that the member knows of it; it fetches nothing
 *   key      hash("pgmesh join key v1" NUL secret): closes the folder, by XChaCha20-Poly1305, bound to id and root key:
 *            24 bytes of nonce, then the closed bytes, then 16 of their tag
 *   ticket   the root key's word that a closed folder may wait: its signature over "pgmesh invite v1" NUL, cluster id, the
 *            member's number (2 bytes) and name (NAME_SIZE, NULs behind it), id, end (Unix seconds, 8 bytes), the hash of
 *            the closed bytes; numbers big-endian
 *   recall   the same word that it may not any more: over "pgmesh recall v1" NUL, cluster id, id
 *
 * All hashes are BLAKE2b-256 (sign.h): one way, and of 256 bits that nobody can guess. */
#ifndef PGMESH_MESH_IO_INVITE_H
#define PGMESH_MESH_IO_INVITE_H

#include "mesh/io/cluster.h"

enum {
    INVITE_ROOT_SIZE = 8,
    INVITE_SECRET_SIZE = 32,
    INVITE_CHECK_SIZE = 4,
    INVITE_TOKEN_SIZE =
        14 + 2 * (INVITE_ROOT_SIZE + INVITE_SECRET_SIZE + INVITE_CHECK_SIZE) + 1, /* with its NUL */
    INVITE_CLOSING = 24 + 16,
    INVITE_PARCEL_MAX = 88 * 1024, /* open; what a request to the control socket can carry in base64 */
    INVITE_CLOSED_MAX = INVITE_PARCEL_MAX + INVITE_CLOSING,
    INVITE_BASE64_SIZE = (INVITE_CLOSED_MAX + 2) / 3 * 4 + 1 /* with its NUL */
};

struct invite_token {
    uint8_t root[INVITE_ROOT_SIZE], secret[INVITE_SECRET_SIZE];
};

/* A new one for the cluster of that root key. */
void invite_token_make(struct invite_token *t, const uint8_t root[static KEY_SIZE]);
void invite_token_print(char out[static INVITE_TOKEN_SIZE], const struct invite_token *t);
/* As a person may have copied it, with blanks around it.  A problem never repeats what it read. */
bool invite_token_read(struct invite_token *t, const char *text, struct problem *err);

void invite_claim(uint8_t claim[static HASH_SIZE], const struct invite_token *t);
void invite_id(uint8_t id[static HASH_SIZE], const uint8_t claim[static HASH_SIZE]);

/* Closes n bytes (at most INVITE_PARCEL_MAX) into n + INVITE_CLOSING. */
void invite_close(uint8_t *closed, const struct invite_token *t, const void *bytes, size_t n);
/* The other way, into *n bytes (room for all but INVITE_CLOSING).  false: it was closed by another token, or was changed. */
bool invite_open(uint8_t *bytes, size_t *n, const struct invite_token *t, const uint8_t *closed,
                 size_t closed_n);

/* What a ticket vouches for. */
struct invite_ticket {
    member_id member;
    char name[NAME_SIZE];
    uint8_t id[HASH_SIZE];
    int64_t until; /* Unix seconds */
    uint8_t hash[HASH_SIZE], signature[SIGNATURE_SIZE];
};
/* Fills the signature. */
void invite_ticket_sign(struct invite_ticket *t, const struct cluster_id *cluster, const struct key *root);
bool invite_ticket_holds(const struct invite_ticket *t, const struct cluster_id *cluster,
                         const uint8_t root[static KEY_SIZE]);
void invite_recall_sign(uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *cluster,
                        const uint8_t id[static HASH_SIZE], const struct key *root);
bool invite_recall_holds(const uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *cluster,
                         const uint8_t id[static HASH_SIZE], const uint8_t root[static KEY_SIZE]);

#endif
