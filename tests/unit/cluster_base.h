/* cluster_base.h: a small certified cluster with its keys. */
#ifndef PGMESH_TESTS_UNIT_CLUSTER_BASE_H
#define PGMESH_TESTS_UNIT_CLUSTER_BASE_H

#include "mesh/io/cluster.h"

#include <string.h>

enum { DB1, DB2, WIT1, OPS, BASE_MEMBERS };

struct cluster_base {
    struct cluster cluster;
    struct key root, keys[BASE_MEMBERS];
};

static inline void cluster_base_member(struct cluster_base *b, int i, const char *name, enum role role,
                                       const char *site)
{
    struct cluster_member *m = &b->cluster.members[i];
    keys_generate(&b->keys[i], NULL);
    m->member.id = (member_id)(i + 1);
    m->member.role = role;
    strcpy(m->member.name, name);
    strcpy(m->member.site, site);
    memcpy(m->member.key, b->keys[i].public, KEY_SIZE);
    if (role_is_person(role))
        return;
    m->n_mesh = 1;
    m->mesh[0] = (struct address){.host = "10.0.0.1", .port = (uint16_t)(7400 + i)};
    m->has_pg = role == ROLE_DATABASE;
    m->pg = (struct address){.host = "db.example", .port = 5432};
}

static inline void cluster_base_make(struct cluster_base *b)
{
    struct record *r = &b->cluster.first;
    memset(b, 0, sizeof *b);
    keys_begin();
    keys_generate(&b->root, NULL);
    strcpy(b->cluster.name, "orders");
    b->cluster.n = BASE_MEMBERS;
    cluster_base_member(b, DB1, "db1", ROLE_DATABASE, "fra");
    cluster_base_member(b, DB2, "db2", ROLE_DATABASE, "ams");
    cluster_base_member(b, WIT1, "wit1", ROLE_WITNESS, "lux");
    cluster_base_member(b, OPS, "operator", ROLE_ADMIN, "nowhere");
    *r = (struct record){.version = 1,
                         .term = 1,
                         .primary = 1,
                         .primary_dir = 99,
                         .durability = DURABILITY_SYNC,
                         .n_databases = 2,
                         .databases = {1, 2},
                         .lease_ms_max = 3000};
    keys_random(r->nonce, sizeof r->nonce);
    r->voters.n = 3;
    for (int i = 0; i < 3; i++) {
        r->voters.v[i].id = (member_id)(i + 1);
        strcpy(r->voters.v[i].site, b->cluster.members[i].member.site);
        memcpy(r->voters.v[i].key, b->keys[i].public, KEY_SIZE);
        r->voters.v[i].epoch = 1;
    }
    cluster_sign_record(&b->cluster, &b->root);
    for (int i = 0; i < BASE_MEMBERS; i++)
        cluster_certify(&b->cluster, &b->cluster.members[i], &b->root);
}

#endif
