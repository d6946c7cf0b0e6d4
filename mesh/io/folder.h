/* folder.h: everything that one member starts from: node.conf, cluster, member.key, checked against each other. */
#ifndef PGMESH_MESH_IO_FOLDER_H
#define PGMESH_MESH_IO_FOLDER_H

#include "mesh/io/cluster.h"
#include "mesh/io/config.h"
#include "mesh/io/roster.h"

struct folder {
    struct config config;
    struct cluster cluster; /* with the members of the roster */
    struct roster roster;
    struct key key;
    const struct cluster_member *self; /* within cluster */
};

/* Loads and checks it all: the member is in the roster, its certificate is valid now and for this key, its role is one
 * of `roles` (bits 1 << enum role).  Heap, freed with folder_close().  NULL and a problem otherwise. */
struct folder *folder_open(const char *config_path, unsigned roles, struct problem *err);
void folder_close(struct folder **f);

#endif
