/* sign.c: libsodium behind four functions.  None of them needs sodium_init(): that only picks faster code and
 * opens the random device, and nothing here is random. */
#include "mesh/sign.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(SIGNATURE_SIZE == crypto_sign_BYTES, "an Ed25519 signature");
_Static_assert(SECRET_SIZE == crypto_sign_SECRETKEYBYTES, "an Ed25519 secret key as libsodium keeps it");
_Static_assert(KEY_SIZE == crypto_sign_PUBLICKEYBYTES, "an Ed25519 public key");
_Static_assert(crypto_sign_SEEDBYTES == 32, "an Ed25519 seed");
_Static_assert(HASH_SIZE == crypto_generichash_BYTES, "BLAKE2b-256");

void sign_make(uint8_t signature[static SIGNATURE_SIZE], const struct secret_key *key, const void *bytes,
               size_t n)
{
    int failed = crypto_sign_detached(signature, NULL, bytes, n, key->b);
    assert(!failed);
}

bool sign_holds(const uint8_t signature[static SIGNATURE_SIZE], const uint8_t key[static KEY_SIZE],
                const void *bytes, size_t n)
{
    return crypto_sign_verify_detached(signature, bytes, n, key) == 0;
}

void sign_hash(uint8_t hash[static HASH_SIZE], const void *bytes, size_t n)
{
    int failed = crypto_generichash(hash, HASH_SIZE, bytes, n, NULL, 0);
    assert(!failed);
}

void sign_keypair(uint8_t key[static KEY_SIZE], struct secret_key *secret, const uint8_t seed[static 32])
{
    int failed = crypto_sign_seed_keypair(key, secret->b, seed);
    assert(!failed);
}
