/* keys_sealed.h: key files under a passphrase, for the root key, which is kept offline and used by people only.
 *
 * One line: "pgmesh-sealed-key 1 OPERATIONS MEMORY SALT NONCE BOX", the last three in hex.  A key of Argon2id (crypto_pwhash) from
 * the passphrase, with the two costs as they stand there, opens BOX (crypto_secretbox) with the 32-byte seed in it.  A plain
 * key file (keys.h) is read as well, without asking for a passphrase. */
#ifndef PGMESH_MESH_IO_KEYS_SEALED_H
#define PGMESH_MESH_IO_KEYS_SEALED_H

#include "mesh/io/keys.h"

enum { PASSPHRASE_MIN = 8, PASSPHRASE_SIZE = 256 };
struct passphrase {
    char text[PASSPHRASE_SIZE]; /* with its NUL */
};

/* Asked for at most once, and only for a key that is sealed; fills *p or gives a problem. */
typedef bool passphrase_ask(void *arg, struct passphrase *p, struct problem *err);

/* *sealed (unless NULL): it was under a passphrase. */
bool keys_sealed_read(const char *path, struct key *k, bool *sealed, passphrase_ask *ask, void *arg,
                      struct problem *err);
/* Under the passphrase, or (NULL) as a plain key file.  `replace`: one that is there, in one move; else it must not be there. */
bool keys_sealed_write(const char *path, const struct key *k, const struct passphrase *p, bool replace,
                       struct problem *err);

/* Closes n bytes (at most SEALED_MAX) so that the owner of that public key can open them, and nobody else; out is hex with
 * its NUL.  false: the key is of no use. */
enum { SEALED_MAX = 16384, SEALED_HEX_SIZE = 2 * (SEALED_MAX + 48) + 1 };
bool keys_seal_for(char out[static SEALED_HEX_SIZE], const uint8_t public[static KEY_SIZE], const void *bytes,
                   size_t n);
/* Opens hex of such; *n bytes.  false: it is for another key, or was changed. */
bool keys_open_sealed(uint8_t out[static SEALED_MAX], size_t *n, const char *hex, size_t digits,
                      const struct key *key);

/* From a file of one line (a secret: mode 0600), or from the terminal without echo; `twice`: a new one, asked for twice. */
bool passphrase_read_file(const char *path, struct passphrase *p, struct problem *err);
bool passphrase_read_terminal(const char *prompt, bool twice, struct passphrase *p, struct problem *err);

#endif
