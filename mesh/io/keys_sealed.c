#define _GNU_SOURCE
#include "mesh/io/keys_sealed.h"

#include "mesh/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const char heading[] = "pgmesh-sealed-key 1 ";
enum {
    SEED_SIZE = 32,
    SALT_SIZE = crypto_pwhash_SALTBYTES,
    NONCE_SIZE = crypto_secretbox_NONCEBYTES,
    BOX_SIZE = SEED_SIZE + crypto_secretbox_MACBYTES,
    OPERATIONS_MAX = 16,
    FILE_MAX = 4096
};
static const size_t memory_most = (size_t)1 << 30; /* a file from elsewhere must not ask for more */

struct sealed {
    unsigned long long operations, memory;
    uint8_t salt[SALT_SIZE], nonce[NONCE_SIZE], box[BOX_SIZE];
};

/* ---- the file ------------------------------------------------------------------------------------------------------- */

static bool parse(struct sealed *s, char *line)
{
    char *rest = NULL, *word[5], *end = NULL;
    int n = 0;
    for (char *w = strtok_r(line + strlen(heading), " \r\n", &rest); w; w = strtok_r(NULL, " \r\n", &rest)) {
        if (n == 5)
            return false;
        word[n++] = w;
    }
    if (n != 5 || strspn(word[0], "0123456789") != strlen(word[0]) ||
        strspn(word[1], "0123456789") != strlen(word[1]))
        return false;
    s->operations = strtoull(word[0], &end, 10);
    s->memory = strtoull(word[1], &end, 10);
    return s->operations >= crypto_pwhash_OPSLIMIT_MIN && s->operations <= OPERATIONS_MAX &&
           s->memory >= crypto_pwhash_MEMLIMIT_MIN && s->memory <= memory_most &&
           hex_get(s->salt, SALT_SIZE, word[2], strlen(word[2])) &&
           hex_get(s->nonce, NONCE_SIZE, word[3], strlen(word[3])) &&
           hex_get(s->box, BOX_SIZE, word[4], strlen(word[4]));
}

static bool derive(uint8_t key[static crypto_secretbox_KEYBYTES], const struct sealed *s,
                   const struct passphrase *p, struct problem *err)
{
    if (crypto_pwhash(key, crypto_secretbox_KEYBYTES, p->text, strlen(p->text), s->salt, s->operations,
                      (size_t)s->memory, crypto_pwhash_ALG_ARGON2ID13) == 0)
        return true;
    problem_fact(err, "a key could not be made of the passphrase: %s", strerror(errno));
    return problem_detail(err, "It takes %llu MB of memory.", s->memory >> 20);
}

static bool open_box(const struct sealed *s, const struct passphrase *p, const char *path, struct key *k,
                     struct problem *err)
{
    uint8_t key[crypto_secretbox_KEYBYTES], seed[SEED_SIZE];
    bool good = derive(key, s, p, err);
    if (good && crypto_secretbox_open_easy(seed, s->box, BOX_SIZE, s->nonce, key) != 0) {
        problem_fact(err, "the passphrase does not open \"%s\"", path);
        good = problem_detail(err, "It is another one, or the file was damaged.");
    }
    if (good)
        sign_keypair(k->public, &k->secret, seed);
    keys_wipe(key, sizeof key);
    keys_wipe(seed, sizeof seed);
    return good;
}

bool keys_sealed_read(const char *path, struct key *k, bool *sealed, passphrase_ask *ask, void *arg,
                      struct problem *err)
{
    struct sealed s;
    struct passphrase p = {{0}};
    size_t n;
    char *text = file_read(path, FILE_SECRET | FILE_TEXT, FILE_MAX, &n, err);
    if (text == NULL)
        return false;
    bool is = strncmp(text, heading, strlen(heading)) == 0;
    if (sealed)
        *sealed = is;
    bool good = is && parse(&s, text);
    keys_wipe(text, n);
    free(text);
    if (!is)
        return keys_read(path, k, err);
    if (!good)
        return problem_fact(err, "\"%s\" is not a key under a passphrase of this version", path);
    good = ask(arg, &p, err) && open_box(&s, &p, path, k, err);
    keys_wipe(&p, sizeof p);
    return good;
}

/* One line, without its end, into line[FILE_MAX]. */
static bool seal(char line[static FILE_MAX], const struct key *k, const struct passphrase *p,
                 struct problem *err)
{
    uint8_t key[crypto_secretbox_KEYBYTES];
    struct sealed s = {.operations = crypto_pwhash_OPSLIMIT_MODERATE,
                       .memory = crypto_pwhash_MEMLIMIT_MODERATE};
    if (p == NULL) {
        hex_put(line, k->secret.b, SEED_SIZE); /* libsodium's secret key begins with the seed */
        return true;
    }
    keys_random(s.salt, SALT_SIZE);
    keys_random(s.nonce, NONCE_SIZE);
    if (!derive(key, &s, p, err))
        return false;
    crypto_secretbox_easy(s.box, k->secret.b, SEED_SIZE, s.nonce, key);
    keys_wipe(key, sizeof key);
    char *at = line + snprintf(line, FILE_MAX, "%s%llu %llu ", heading, s.operations, s.memory);
    at = hex_put(at, s.salt, SALT_SIZE);
    *at++ = ' ';
    at = hex_put(at, s.nonce, NONCE_SIZE);
    *at++ = ' ';
    hex_put(at, s.box, BOX_SIZE);
    return true;
}

bool keys_sealed_write(const char *path, const struct key *k, const struct passphrase *p, bool replace,
                       struct problem *err)
{
    char line[FILE_MAX];
    if (!replace && (access(path, F_OK) == 0 || errno != ENOENT)) {
        problem_fact(err, "\"%s\" exists", path);
        return problem_hint(err,
                            "A key is never overwritten; remove it by hand if it is not needed any more.");
    }
    bool good = seal(line, k, p, err);
    if (good) {
        strcat(line, "\n");
        good = file_replace(path, line, strlen(line), 0600, err);
    }
    keys_wipe(line, sizeof line);
    return good;
}

/* ---- for one key ------------------------------------------------------------------------------------------------------ */

_Static_assert(crypto_box_SEALBYTES == 48, "what SEALED_HEX_SIZE leaves room for");

bool keys_seal_for(char out[static SEALED_HEX_SIZE], const uint8_t public[static KEY_SIZE], const void *bytes,
                   size_t n)
{
    uint8_t curve[KEY_SIZE], box[SEALED_MAX + crypto_box_SEALBYTES];
    if (n > SEALED_MAX || !keys_curve_public(curve, public) || crypto_box_seal(box, bytes, n, curve) != 0)
        return false;
    hex_put(out, box, n + crypto_box_SEALBYTES);
    return true;
}

bool keys_open_sealed(uint8_t out[static SEALED_MAX], size_t *n, const char *hex, size_t digits,
                      const struct key *key)
{
    uint8_t public[KEY_SIZE], secret[KEY_SIZE], box[SEALED_MAX + crypto_box_SEALBYTES];
    if (digits / 2 < crypto_box_SEALBYTES || digits / 2 > sizeof box ||
        !hex_get(box, digits / 2, hex, digits))
        return false;
    *n = digits / 2 - crypto_box_SEALBYTES;
    bool good = keys_curve_public(public, key->public) && keys_curve_secret(secret, &key->secret) &&
                crypto_box_seal_open(out, box, digits / 2, public, secret) == 0;
    keys_wipe(secret, sizeof secret);
    return good;
}

/* ---- passphrases ------------------------------------------------------------------------------------------------------ */

static bool take(struct passphrase *p, const char *line, size_t n, struct problem *err)
{
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    if (n < PASSPHRASE_MIN || n >= PASSPHRASE_SIZE || memchr(line, '\n', n) != NULL)
        return problem_fact(err, "a passphrase (or token) is one line of %d to %d characters", PASSPHRASE_MIN,
                            PASSPHRASE_SIZE - 1);
    memset(p, 0, sizeof *p);
    memcpy(p->text, line, n);
    return true;
}

bool passphrase_read_file(const char *path, struct passphrase *p, struct problem *err)
{
    size_t n;
    char *text = file_read(path, FILE_SECRET | FILE_TEXT, FILE_MAX, &n, err);
    if (text == NULL)
        return false;
    bool good = take(p, text, n, err);
    keys_wipe(text, n);
    free(text);
    return good;
}

static bool ask_once(int fd, const char *prompt, struct passphrase *p, struct problem *err)
{
    struct termios before, quiet;
    char line[PASSPHRASE_SIZE + 2];
    ssize_t n = -1;
    if (tcgetattr(fd, &before) == 0) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        if (tcsetattr(fd, TCSAFLUSH, &quiet) == 0) {
            dprintf(fd, "%s", prompt); /* now: what is typed before would be seen, and lost */
            n = read(fd, line, sizeof line);
            tcsetattr(fd, TCSAFLUSH, &before);
        }
    }
    dprintf(fd, "\n");
    bool good = n > 0 ? take(p, line, (size_t)n, err) : problem_fact(err, "no passphrase was typed");
    keys_wipe(line, sizeof line);
    return good;
}

bool passphrase_read_terminal(const char *prompt, bool twice, struct passphrase *p, struct problem *err)
{
    struct passphrase again;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        problem_fact(err, "a passphrase is wanted, and there is no terminal to ask at");
        return problem_hint(err, "Give a file with it, mode 0600: --passphrase-file FILE.");
    }
    bool good = ask_once(fd, prompt, p, err);
    if (good && twice && (good = ask_once(fd, "Once more: ", &again, err))) {
        good = strcmp(p->text, again.text) == 0 || problem_fact(err, "the two are not the same");
        keys_wipe(&again, sizeof again);
    }
    close(fd);
    return good;
}
