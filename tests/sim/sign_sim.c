/* sign_sim.c: the simulator's signatures: the functions of mesh/sign.h over a fast keyed 64-bit hash.
 *
 * Unforgeable inside the model only: the enemy (net.c) may bend, replay and invent bytes, and never calls sign_make
 * with another's key.  The public key holds the secret one; nothing in the core knows that. */
#include <string.h>

#include "tests/sim/sim.h"

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t bytes_hash(uint64_t key, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = key ^ mix(n ^ 0xa0761d6478bd642fu, 0xe7037ed1a0b428dbu);
    while (n >= 16) {
        uint64_t x, y;
        memcpy(&x, p, 8);
        memcpy(&y, p + 8, 8);
        h = mix(x ^ 0x8ebc6af09c88c6e3u ^ h, y ^ 0x589965cc75374cc3u);
        p += 16;
        n -= 16;
    }
    uint64_t tail[2] = {0, 0};
    memcpy(tail, p, n);
    h = mix(tail[0] ^ 0x1d8e4e27c47d124fu ^ h, tail[1] ^ 0xeb44accab455d165u);
    return mix(h, 0x9fb21c651e98df25u);
}

static void fill(uint8_t *out, size_t size, uint64_t h)
{
    memset(out, 0, size);
    memcpy(out, &h, sizeof h);
}

void sign_make(uint8_t signature[static SIGNATURE_SIZE], const struct secret_key *key, const void *bytes,
               size_t n)
{
    uint64_t k;
    memcpy(&k, key->b, sizeof k);
    fill(signature, SIGNATURE_SIZE, bytes_hash(k, bytes, n));
}

bool sign_holds(const uint8_t signature[static SIGNATURE_SIZE], const uint8_t key[static KEY_SIZE],
                const void *bytes, size_t n)
{
    uint64_t k, have;
    memcpy(&k, key, sizeof k);
    memcpy(&have, signature, sizeof have);
    return have == bytes_hash(k ^ 0x5bd1e995u, bytes, n);
}

void sign_hash(uint8_t hash[static HASH_SIZE], const void *bytes, size_t n)
{
    uint64_t h[4];
    for (int i = 0; i < 4; i++)
        h[i] = bytes_hash((uint64_t)i + 1, bytes, n);
    memcpy(hash, h, HASH_SIZE);
}

void sign_keypair(uint8_t key[static KEY_SIZE], struct secret_key *secret, const uint8_t seed[static 32])
{
    uint64_t k = bytes_hash(7, seed, 32), p = k ^ 0x5bd1e995u;
    memset(secret->b, 0, sizeof secret->b);
    memcpy(secret->b, &k, sizeof k);
    fill(key, KEY_SIZE, p);
    memcpy(key + 8, &k, 4); /* no two keys alike, none all zero */
}
