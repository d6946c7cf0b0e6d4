/* sign.h: signatures and hashes; alone names <sodium.h>.  Pure: signing takes no randomness (Ed25519, RFC 8032).
 * The simulator links another implementation of these four functions (tests/sim/sign_sim.c). */
#ifndef PGMESH_MESH_SIGN_H
#define PGMESH_MESH_SIGN_H

#include "policy/base.h"

enum { SIGNATURE_SIZE = 64, SECRET_SIZE = 64 };

struct secret_key {
    uint8_t b[SECRET_SIZE];
};

/* Signs n bytes. */
void sign_make(uint8_t signature[static SIGNATURE_SIZE], const struct secret_key *key, const void *bytes,
               size_t n);
/* Does the signature hold?  Refuses small-order keys and non-canonical signatures (libsodium does). */
bool sign_holds(const uint8_t signature[static SIGNATURE_SIZE], const uint8_t key[static KEY_SIZE],
                const void *bytes, size_t n);
/* BLAKE2b-256. */
void sign_hash(uint8_t hash[static HASH_SIZE], const void *bytes, size_t n);
/* A key pair from 32 random bytes. */
void sign_keypair(uint8_t key[static KEY_SIZE], struct secret_key *secret, const uint8_t seed[static 32]);

#endif
