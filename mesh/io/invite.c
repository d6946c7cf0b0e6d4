/* invite.c: see invite.h. */
#include "mesh/io/invite.h"

#include <sodium.h>
#include <string.h>

static const char heading[] = "pgmesh-join-1-";
enum {
    BODY_SIZE = INVITE_ROOT_SIZE + INVITE_SECRET_SIZE,
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    BOUND_SIZE = HASH_SIZE + INVITE_ROOT_SIZE,
    WORD_MAX = 64 + CLUSTER_ID_SIZE + 2 + NAME_SIZE + HASH_SIZE + 8 + HASH_SIZE
};
_Static_assert(sizeof heading - 1 + 2 * (BODY_SIZE + INVITE_CHECK_SIZE) + 1 == INVITE_TOKEN_SIZE,
               "a token's length");
_Static_assert(NONCE_SIZE + TAG_SIZE == INVITE_CLOSING, "what closing adds");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == HASH_SIZE, "a hash is a key");

/* ---- the token ------------------------------------------------------------------------------------------------------- */

void invite_token_make(struct invite_token *t, const uint8_t root[static KEY_SIZE])
{
    memcpy(t->root, root, INVITE_ROOT_SIZE);
    keys_random(t->secret, INVITE_SECRET_SIZE);
}

static void check_of(uint8_t check[static INVITE_CHECK_SIZE], const uint8_t body[static BODY_SIZE])
{
    uint8_t hash[HASH_SIZE];
    sign_hash(hash, body, BODY_SIZE);
    memcpy(check, hash, INVITE_CHECK_SIZE);
}

void invite_token_print(char out[static INVITE_TOKEN_SIZE], const struct invite_token *t)
{
    uint8_t bytes[BODY_SIZE + INVITE_CHECK_SIZE];
    memcpy(bytes, t->root, INVITE_ROOT_SIZE);
    memcpy(bytes + INVITE_ROOT_SIZE, t->secret, INVITE_SECRET_SIZE);
    check_of(bytes + BODY_SIZE, bytes);
    strcpy(out, heading);
    hex_put(out + strlen(heading), bytes, sizeof bytes);
    keys_wipe(bytes, sizeof bytes);
}

bool invite_token_read(struct invite_token *t, const char *text, struct problem *err)
{
    uint8_t bytes[BODY_SIZE + INVITE_CHECK_SIZE], check[INVITE_CHECK_SIZE];
    text += strspn(text, " \t\r\n");
    size_t n = strcspn(text, " \t\r\n"), head = sizeof heading - 1;
    if (strncmp(text, heading, head) != 0 || text[n + strspn(text + n, " \t\r\n")] != '\0') {
        problem_fact(err, "this is no token to join a cluster by");
        return problem_hint(err, "It begins with \"%s\"; \"pgmesh member invite\" makes one.", heading);
    }
    bool good = hex_get(bytes, sizeof bytes, text + head, n - head);
    if (good) {
        check_of(check, bytes);
        good = memcmp(check, bytes + BODY_SIZE, sizeof check) == 0;
    }
    if (good) {
        memcpy(t->root, bytes, INVITE_ROOT_SIZE);
        memcpy(t->secret, bytes + INVITE_ROOT_SIZE, INVITE_SECRET_SIZE);
    } else {
        problem_fact(err, "the token was not copied whole, or has a slip in it");
        problem_detail(err, "It has %zu characters, of %d.", n, INVITE_TOKEN_SIZE - 1);
    }
    keys_wipe(bytes, sizeof bytes);
    return good;
}

/* ---- what comes of it ------------------------------------------------------------------------------------------------- */

/* hash(label NUL 32 bytes) */
static void derive(uint8_t out[static HASH_SIZE], const char *label, const uint8_t from[static HASH_SIZE])
{
    uint8_t bytes[32 + HASH_SIZE];
    size_t n = strlen(label) + 1;
    memcpy(bytes, label, n);
    memcpy(bytes + n, from, HASH_SIZE);
    sign_hash(out, bytes, n + HASH_SIZE);
    keys_wipe(bytes, sizeof bytes);
}

void invite_claim(uint8_t claim[static HASH_SIZE], const struct invite_token *t)
{
    derive(claim, "pgmesh join claim v1", t->secret);
}

void invite_id(uint8_t id[static HASH_SIZE], const uint8_t claim[static HASH_SIZE])
{
    derive(id, "pgmesh join id v1", claim);
}

/* What a closed folder is bound to: it is of this very token, and of no other cluster. */
static void bound(uint8_t to[static BOUND_SIZE], const struct invite_token *t)
{
    uint8_t claim[HASH_SIZE];
    invite_claim(claim, t);
    invite_id(to, claim);
    memcpy(to + HASH_SIZE, t->root, INVITE_ROOT_SIZE);
    keys_wipe(claim, sizeof claim);
}

void invite_close(uint8_t *closed, const struct invite_token *t, const void *bytes, size_t n)
{
    uint8_t key[HASH_SIZE], to[BOUND_SIZE];
    bound(to, t);
    derive(key, "pgmesh join key v1", t->secret);
    keys_random(closed, NONCE_SIZE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(closed + NONCE_SIZE, NULL, bytes, n, to, sizeof to, NULL,
                                               closed, key);
    keys_wipe(key, sizeof key);
}

bool invite_open(uint8_t *bytes, size_t *n, const struct invite_token *t, const uint8_t *closed,
                 size_t closed_n)
{
    uint8_t key[HASH_SIZE], to[BOUND_SIZE];
    if (closed_n < INVITE_CLOSING || closed_n > INVITE_CLOSED_MAX)
        return false;
    bound(to, t);
    derive(key, "pgmesh join key v1", t->secret);
    bool good =
        crypto_aead_xchacha20poly1305_ietf_decrypt(bytes, NULL, NULL, closed + NONCE_SIZE,
                                                   closed_n - NONCE_SIZE, to, sizeof to, closed, key) == 0;
    keys_wipe(key, sizeof key);
    *n = good ? closed_n - INVITE_CLOSING : 0;
    return good;
}

/* ---- the root key's word ------------------------------------------------------------------------------------------------ */

static uint8_t *put(uint8_t *at, const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

static uint8_t *put_number(uint8_t *at, uint64_t number, int n)
{
    for (int i = n - 1; i >= 0; i--)
        *at++ = (uint8_t)(number >> (8 * i));
    return at;
}

static size_t ticket_bytes(uint8_t out[static WORD_MAX], const struct invite_ticket *t,
                           const struct cluster_id *cluster)
{
    static const char label[] = "pgmesh invite v1";
    char name[NAME_SIZE] = {0};
    snprintf(name, sizeof name, "%s", t->name);
    uint8_t *at = put(out, label, sizeof label);
    at = put(at, cluster->b, CLUSTER_ID_SIZE);
    at = put_number(at, t->member, 2);
    at = put(at, name, sizeof name);
    at = put(at, t->id, HASH_SIZE);
    at = put_number(at, (uint64_t)t->until, 8);
    at = put(at, t->hash, HASH_SIZE);
    return (size_t)(at - out);
}

static size_t recall_bytes(uint8_t out[static WORD_MAX], const struct cluster_id *cluster,
                           const uint8_t id[static HASH_SIZE])
{
    static const char label[] = "pgmesh recall v1";
    uint8_t *at = put(out, label, sizeof label);
    at = put(at, cluster->b, CLUSTER_ID_SIZE);
    return (size_t)(put(at, id, HASH_SIZE) - out);
}

void invite_ticket_sign(struct invite_ticket *t, const struct cluster_id *cluster, const struct key *root)
{
    uint8_t bytes[WORD_MAX];
    sign_make(t->signature, &root->secret, bytes, ticket_bytes(bytes, t, cluster));
}

bool invite_ticket_holds(const struct invite_ticket *t, const struct cluster_id *cluster,
                         const uint8_t root[static KEY_SIZE])
{
    uint8_t bytes[WORD_MAX];
    return sign_holds(t->signature, root, bytes, ticket_bytes(bytes, t, cluster));
}

void invite_recall_sign(uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *cluster,
                        const uint8_t id[static HASH_SIZE], const struct key *root)
{
    uint8_t bytes[WORD_MAX];
    sign_make(signature, &root->secret, bytes, recall_bytes(bytes, cluster, id));
}

bool invite_recall_holds(const uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *cluster,
                         const uint8_t id[static HASH_SIZE], const uint8_t root[static KEY_SIZE])
{
    uint8_t bytes[WORD_MAX];
    return sign_holds(signature, root, bytes, recall_bytes(bytes, cluster, id));
}
