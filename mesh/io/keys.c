#include "mesh/io/keys.h"

#include "mesh/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEED_SIZE = 32, KEY_FILE_MAX = 4096 };

void keys_begin(void)
{
    if (sodium_init() < 0) {
        fputs("pgmesh: libsodium could not start\n", stderr);
        abort();
    }
}

void keys_random(void *out, size_t n)
{
    randombytes_buf(out, n);
}

uint64_t keys_random_u64(void)
{
    uint64_t value = 0;
    while (value == 0)
        keys_random(&value, sizeof value);
    return value;
}

void keys_wipe(void *secret, size_t n)
{
    sodium_memzero(secret, n);
}

void keys_generate(struct key *k, uint8_t seed[32])
{
    uint8_t own[SEED_SIZE];
    keys_random(own, sizeof own);
    sign_keypair(k->public, &k->secret, own);
    if (seed)
        memcpy(seed, own, sizeof own);
    keys_wipe(own, sizeof own);
}

bool keys_read(const char *path, struct key *k, struct problem *err)
{
    uint8_t seed[SEED_SIZE];
    size_t n;
    char *text = file_read(path, FILE_SECRET | FILE_TEXT, KEY_FILE_MAX, &n, err);
    if (text == NULL)
        return false;
    size_t line = n;
    while (line > 0 && (text[line - 1] == '\n' || text[line - 1] == '\r'))
        line--;
    bool good = hex_get(seed, sizeof seed, text, line);
    if (good)
        sign_keypair(k->public, &k->secret, seed);
    else {
        problem_fact(err, "\"%s\" is not a key", path);
        problem_detail(err, "A key file is one line of %d hex digits%s.", 2 * SEED_SIZE,
                       strncmp(text, "pgmesh-sealed-key", 17) == 0 ? "; this one is under a passphrase" : "");
    }
    keys_wipe(seed, sizeof seed);
    keys_wipe(text, n);
    free(text);
    return good;
}

bool keys_write(const char *path, const uint8_t seed[static 32], struct problem *err)
{
    char line[2 * SEED_SIZE + 2];
    char *end = hex_put(line, seed, SEED_SIZE);
    *end++ = '\n';
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        problem_fact(err, "could not create \"%s\": %s", path, strerror(errno));
        if (errno == EEXIST)
            problem_hint(err, "A key is never overwritten; remove it by hand if it is not needed any more.");
        return false;
    }
    bool good = write(fd, line, (size_t)(end - line)) == end - line && fsync(fd) == 0;
    int why = errno;
    close(fd);
    keys_wipe(line, sizeof line);
    if (!good) {
        unlink(path);
        problem_fact(err, "could not write \"%s\": %s", path, strerror(why));
    }
    return good;
}

enum later { LATER_IN_USE, LATER_NEXT };

static bool later_path(char path[static FILE_PATH_SIZE], const char *state_dir, enum later which,
                       struct problem *err)
{
    return file_path(path, state_dir, which == LATER_NEXT ? "member.key.next" : "member.key") ||
           problem_fact(err, "the path of the state folder is too long");
}

bool keys_next(const char *state_dir, bool make, struct key *k, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    uint8_t seed[SEED_SIZE];
    if (!later_path(path, state_dir, LATER_NEXT, err))
        return false;
    if (!make || access(path, F_OK) == 0)
        return keys_read(path, k, err);
    keys_generate(k, seed);
    bool good = keys_write(path, seed, err);
    keys_wipe(seed, sizeof seed);
    return good;
}

bool keys_use_next(const char *state_dir, struct problem *err)
{
    char from[FILE_PATH_SIZE], to[FILE_PATH_SIZE];
    return later_path(from, state_dir, LATER_NEXT, err) && later_path(to, state_dir, LATER_IN_USE, err) &&
           file_rename(from, to, err);
}

bool keys_read_later(const char *state_dir, struct key *k, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    return later_path(path, state_dir, LATER_IN_USE, err) && (access(path, F_OK) == 0 || errno != ENOENT) &&
           keys_read(path, k, err);
}

bool keys_curve_public(uint8_t curve[static KEY_SIZE], const uint8_t public[static KEY_SIZE])
{
    return crypto_sign_ed25519_pk_to_curve25519(curve, public) == 0;
}

bool keys_curve_secret(uint8_t curve[static KEY_SIZE], const struct secret_key *secret)
{
    return crypto_sign_ed25519_sk_to_curve25519(curve, secret->b) == 0;
}

char *hex_put(char *out, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    for (size_t i = 0; i < n; i++) {
        *out++ = digits[b[i] >> 4];
        *out++ = digits[b[i] & 15];
    }
    *out = '\0';
    return out;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_get(void *bytes, size_t n, const char *text, size_t len)
{
    uint8_t *b = bytes;
    if (len != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        b[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

void keys_sha256(uint8_t hash[static HASH_SIZE], const void *bytes, size_t n)
{
    crypto_hash_sha256(hash, bytes, n);
}

bool keys_equal(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}

void base64_put(char *out, size_t size, const void *bytes, size_t n)
{
    sodium_bin2base64(out, size, bytes, n, sodium_base64_VARIANT_ORIGINAL);
}

bool base64_get(uint8_t *bytes, size_t max, size_t *n, const char *text)
{
    return sodium_base642bin(bytes, max, text, strlen(text), NULL, n, NULL, sodium_base64_VARIANT_ORIGINAL) ==
           0;
}
