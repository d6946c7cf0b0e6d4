/* secret.h: keys that people hold: found, and opened with a passphrase.
 *
 * A passphrase comes from a file (mode 0600; fd:N: an open descriptor), else from the terminal; never from an argument or the
 * environment, which others can see. */
#ifndef PGMESH_INSPECT_SECRET_H
#define PGMESH_INSPECT_SECRET_H

#include "mesh/inspect/inspect.h"
#include "mesh/io/keys_sealed.h"

/* A key file, sealed or plain; its passphrase is in `passphrase_file`, NULL: asked for on the terminal. */
bool secret_key(const char *path, const char *passphrase_file, struct key *k, struct problem *err);
/* A new key's passphrase: asked for twice on a terminal. */
bool secret_new(const char *path, const char *passphrase_file, struct passphrase *p, struct problem *err);
/* Another secret of one line: from the file, or asked for on the terminal. */
bool secret_line(const char *prompt, const char *file, struct passphrase *p, struct problem *err);
/* Is there a terminal to ask at? */
bool secret_has_terminal(void);
/* Whose key it is that gives orders: --key, $PGMESH_OPERATOR_KEY, `configured` ("" none), ~/.config/pgmesh/operator.key if it is
 * there; NULL: none is at hand. */
const char *secret_path(const struct inspect *x, const char *configured);

#endif
