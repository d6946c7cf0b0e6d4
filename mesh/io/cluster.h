/* cluster.h: the cluster file: who belongs to this cluster, certified by its root key.  Public, the same everywhere.
 *
 *   pgmesh-cluster 1
 *   name orders
 *   root HEX32
 *   record HEX(packed first record) HEX64(root's signature over "pgmesh record v1\0" and those bytes)
 *   member ID NAME ROLE SITE HEX32KEY FROM UNTIL HEX64SIG [mesh=HOST:PORT[,HOST:PORT...]] [pg=HOST:PORT]
 *
 * The certificate in a member line is the root's signature over fixed-layout bytes (certificate_bytes() in cluster.c).
 * Addresses are not certified: a wrong address reaches nobody, since the key behind it would be another.
 * In a roster (roster.h) a member's line may end with was=KEY:ROUND[,...], the keys that it had before (core.h, former_key);
 * ROUND is "-" for one that is not retired yet.
 * FROM and UNTIL are Unix seconds, 0 for no limit; they are judged when a program starts, never while it runs, so
 * that no wall clock can stop a cluster (folder.h); of persons (operator, viewer, admin) also while it runs: outside of it
 * their orders are refused. */
#ifndef PGMESH_MESH_IO_CLUSTER_H
#define PGMESH_MESH_IO_CLUSTER_H

#include "mesh/core.h"
#include "mesh/io/address.h"
#include "mesh/io/keys.h"

struct cluster_member {
    struct member member; /* id, name, role, site, key: what the core wants */
    int64_t from, until;
    uint8_t signature[SIGNATURE_SIZE];
    uint8_t n_mesh; /* 0 for operators */
    struct address mesh[ADDRESSES_MAX];
    bool has_pg;
    struct address pg;
};

enum { REFORMS_MAX = 4 };

struct cluster {
    char name[NAME_SIZE];
    struct cluster_id id; /* record_cluster_id(&first) */
    uint8_t root[KEY_SIZE];
    struct record first;
    uint8_t record_signature[SIGNATURE_SIZE];
    uint8_t n, n_first; /* n_first: of the file; the others came by the roster */
    struct cluster_member members[MEMBERS_MAX];
    enum two_persons two_persons; /* as the roster says */
    uint8_t n_reforms;            /* that the roster tells of: the last ones, in the order of their epochs */
    struct reform reforms[REFORMS_MAX];
};
/* That of the highest epoch; epoch 0: there was none. */
static inline struct reform cluster_reform(const struct cluster *c)
{
    return c->n_reforms ? c->reforms[c->n_reforms - 1] : (struct reform){0};
}

/* Reads the file and verifies all of it: root's signature over the record, every certificate, names, ids and keys
 * unique, and that the record's voters and databases are members with the same keys and sites.  The result is
 * checked in full or not given at all. */
bool cluster_load(const char *path, struct cluster *c, struct problem *err);
/* The same from memory; `path` is for messages. */
bool cluster_parse(const char *text, size_t n, const char *path, struct cluster *c, struct problem *err);
/* Writes the file (init); the caller has called cluster_sign_record() and cluster_certify() for every member. */
bool cluster_write(const char *path, const struct cluster *c, struct problem *err);

/* By its line ("member ID NAME ..."; the text is cut into words), verified as one of the file: one more member, or a
 * known one's renewal: the same number, name, role, site and addresses; a new key, or a new certificate of the same. */
bool cluster_take_member(struct cluster *c, char *line, const char *path, int number, struct problem *err);
/* Its line, without the end. */
void cluster_member_line(char *out, size_t size, const struct cluster_member *m);

/* Fills id, root and record_signature from `first`. */
void cluster_sign_record(struct cluster *c, const struct key *root);
/* Fills the member's signature; the cluster's id must stand already. */
void cluster_certify(const struct cluster *c, struct cluster_member *m, const struct key *root);
bool cluster_certificate_holds(const struct cluster *c, const struct cluster_member *m);

/* A member's request for a new key: its present key's signature over "pgmesh request v1\0", cluster id, name and new key. */
void cluster_request_sign(uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *id,
                          const char *name, const uint8_t next[static KEY_SIZE], const struct key *key);
bool cluster_request_holds(const uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *id,
                           const char *name, const uint8_t next[static KEY_SIZE],
                           const uint8_t key[static KEY_SIZE]);

/* NULL when there is none. */
const struct cluster_member *cluster_find(const struct cluster *c, const char *name);
const struct cluster_member *cluster_member(const struct cluster *c, member_id id);
/* Its name, or "?" (never NULL), for messages. */
const char *cluster_member_name(const struct cluster *c, member_id id);

/* Whose keys are valid at that Unix second: of persons alone, since no clock may stop a cluster.  Has it changed? */
bool cluster_judge_persons(struct cluster *c, int64_t wall_s);

/* [a-z][a-z0-9_-]*, shorter than NAME_SIZE. */
bool cluster_name_valid(const char *name);
const char *cluster_role_name(enum role r);
bool cluster_role_parse(enum role *r, const char *text);
const char *cluster_two_persons_name(enum two_persons when); /* "auto", "on", "off" */
bool cluster_two_persons_parse(enum two_persons *when, const char *text);

#endif
