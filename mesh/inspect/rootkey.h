/* rootkey.h: the cluster's root key as a person has it at hand: a file, perhaps under a passphrase. */
#ifndef PGMESH_INSPECT_ROOTKEY_H
#define PGMESH_INSPECT_ROOTKEY_H

#include "mesh/inspect/order.h"
#include "mesh/io/keys_sealed.h"

struct rootkey {
    const char *file;            /* --root-key; NULL: not given */
    const char *passphrase_file; /* --passphrase-file; NULL: asked for at the terminal when it is wanted */
};

/* Both complain when the code is not EXIT_OK, and give nothing then.  `sealed` may be NULL. */
int rootkey_read(struct inspect *x, const struct rootkey *r, struct key *root, bool *sealed);
/* The same, and that it is the cluster's root key, as its roster says now. */
int rootkey_for(struct inspect *x, const struct cluster *c, const struct roster *roster,
                const struct rootkey *r, struct key *root);
static inline int rootkey_of(struct order *o, const struct rootkey *r, struct key *root)
{
    return rootkey_for(o->x, &o->cluster, &o->roster, r, root);
}

/* pgmesh member rotate and renew: a member's new key, or a new certificate for the one that it has. */
struct rekey {
    const char *name;
    struct rootkey root;
    const char *request; /* write what the member asks for into this file, and sign nothing */
    const char *sign;    /* sign what that file asks for */
    int64_t days;        /* the new certificate's; 0: without an end; -1: as the present one */
};
/* The end of a certificate that is valid for so many days from now on. */
int64_t rekey_until(int64_t days);
int rekey_rotate(struct order *o, struct inspect *x, const struct rekey *r);
int rekey_renew(struct order *o, struct inspect *x, const struct rekey *r);
/* The key that a new host asks to have certified, by the file that `pgmesh join` wrote there. */
bool rekey_read_join(const char *path, uint8_t key[static KEY_SIZE], struct problem *err);
bool rekey_write_join(const char *path, const struct key *key, struct problem *err);
/* The lines (without a heading, the last without its end) to the member that was asked; the others hear of it. */
int rekey_submit(struct order *o, const char *lines);

#endif
