/* keys.h: Ed25519 keys on disk, their X25519 form for CURVE, hex and base64, and randomness; in mesh/io alone names <sodium.h>.
 *
 * A key file is one line: the 32-byte seed in hex, mode 0600. */
#ifndef PGMESH_MESH_IO_KEYS_H
#define PGMESH_MESH_IO_KEYS_H

#include "mesh/io/problem.h"
#include "mesh/sign.h"

struct key {
    uint8_t public[KEY_SIZE];
    struct secret_key secret;
};

/* Call once before anything else here; aborts when libsodium cannot start. */
void keys_begin(void);

void keys_random(void *out, size_t n);
uint64_t keys_random_u64(void); /* never 0 */

/* A new key, and (unless seed is NULL) the seed to write down. */
void keys_generate(struct key *k, uint8_t seed[32]);
/* Refuses a symbolic link, a file that group or others can read, and whatever is not one line of 64 hex digits. */
bool keys_read(const char *path, struct key *k, struct problem *err);
/* Creates the file with mode 0600; refuses to overwrite. */
bool keys_write(const char *path, const uint8_t seed[static 32], struct problem *err);

/* A member's later keys, which it makes itself, stand in its state folder: member.key once it is in use, in the place of the
 * file that node.conf names; member.key.next before.  keys_next(): the waiting one, which is made when there is none and `make`. */
bool keys_next(const char *state_dir, bool make, struct key *k, struct problem *err);
bool keys_use_next(const char *state_dir, struct problem *err);
/* keys_read() of state_dir/member.key; false without a problem when there is none. */
bool keys_read_later(const char *state_dir, struct key *k, struct problem *err);

void keys_wipe(void *secret, size_t n);

void keys_sha256(uint8_t hash[static HASH_SIZE], const void *bytes, size_t n);
/* In a time that does not depend on where they differ. */
bool keys_equal(const void *a, const void *b, size_t n);

/* The CURVE (X25519) form of a key pair; false for a public key that has none (small order, not on the curve). */
bool keys_curve_public(uint8_t curve[static KEY_SIZE], const uint8_t public[static KEY_SIZE]);
bool keys_curve_secret(uint8_t curve[static KEY_SIZE], const struct secret_key *secret);

/* 2n lower-case digits and a NUL; returns the end (the NUL). */
char *hex_put(char *out, const void *bytes, size_t n);
/* Exactly 2n digits at `text`, whose length is `len`; either case. */
bool hex_get(void *bytes, size_t n, const char *text, size_t len);

/* Base64, with its padding.  Reading: *n bytes into room for `max`; false: it is none, or longer. */
void base64_put(char *out, size_t size, const void *bytes, size_t n);
bool base64_get(uint8_t *bytes, size_t max, size_t *n, const char *text);

#endif
