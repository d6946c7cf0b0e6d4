/* make.h: what `pgmesh init` makes of a checked plan: keys, certificates, the first record, and one folder per member.
 *
 * Everything is made in memory and checked as the daemons would check it; then it is written into a folder beside OUT,
 * which gets its name by one rename at the end: OUT is there in full, or not at all. */
#ifndef PGMESH_INSPECT_MAKE_H
#define PGMESH_INSPECT_MAKE_H

#include "mesh/inspect/plan.h"
#include "mesh/io/cluster.h"
#include "mesh/io/keys_sealed.h"

struct made {
    struct cluster cluster;
    struct key root;
    const struct passphrase *passphrase;          /* that closes the root key's file; NULL: it stays open */
    const struct passphrase *operator_passphrase; /* the operator's, likewise */
    uint8_t seeds[MEMBERS_MAX][32]; /* by position in cluster.members; the operator's is the last */
    char *node_conf[MEMBERS_MAX];   /* by position; NULL for the operator */
    size_t node_conf_len[MEMBERS_MAX];
};

/* Refuses an OUT that exists, unless it is an empty folder. */
bool make_target_free(const char *out, struct problem *err);
/* Keys, record, certificates and node.conf texts. */
bool make_all(struct made *m, const struct plan *p, struct problem *err);
/* The node.conf of the plan's member i alone, checked against made->cluster. */
bool make_node_conf(struct made *m, const struct plan *p, int i, struct problem *err);
/* Onto the disk; what closes the two keys that people keep stands in *m. */
bool make_write(const struct made *m, const struct plan *p, struct problem *err);
/* One more member's folder p->out: cluster file, node.conf and key of index `at`, what the mesh needs of PostgreSQL's passwords
 * (`pass`, NULL without), the roster, and a store that begins with the certificate.  `elsewhere`: the key was made on the new
 * host and is not here; the passwords are closed for it (pg.pass.sealed), so that nothing in the folder is a secret. */
struct newcomer {
    const char *cluster_text, *roster_text, *pass;
    size_t cluster_len, roster_len, pass_len;
    const struct certificate *decided;
    bool elsewhere;
};
bool make_write_one(const struct made *m, const struct plan *p, int at, const struct newcomer *from,
                    struct problem *err);
/* Lets `write` fill a folder beside OUT, which gets that name when all is in it; else nothing is left. */
typedef bool make_files(const char *partial, const void *arg, struct problem *err);
bool make_in_one_move(const char *out, make_files *write, const void *arg, struct problem *err);
/* A folder with all that is in it. */
void make_remove(const char *folder);
/* Forgets the secrets, frees the texts. */
void make_close(struct made *m);

#endif
