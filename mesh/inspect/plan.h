/* plan.h: what `pgmesh init` is asked to make: the cluster and its members as typed, read and checked.
 *
 * Nothing here touches the disk (but for --members FILE).  Every complaint is a struct problem that names the
 * argument or the file and line that it is about. */
#ifndef PGMESH_INSPECT_PLAN_H
#define PGMESH_INSPECT_PLAN_H

#include "mesh/core.h"
#include "mesh/io/address.h"
#include "mesh/io/config.h"

enum { PLAN_VALUES_MAX = 48, PLAN_VALUE_SIZE = 448, PLAN_WHERE_SIZE = 96, PLAN_NOTICES_MAX = 12 };

struct plan_value {
    char name[CONFIG_PARAMETER_NAME_SIZE + 4];
    char value[PLAN_VALUE_SIZE];
};
struct plan_member {
    char where[PLAN_WHERE_SIZE]; /* "--member db1,...", "members.txt:4" */
    char name[NAME_SIZE], site[NAME_SIZE];
    enum role role;
    bool votes;
    int n_mesh;
    struct address mesh[ADDRESSES_MAX];
    bool has_pg;
    struct address pg;
    int n_values;
    struct plan_value values[PLAN_VALUES_MAX]; /* of node.conf */
};
struct plan_notice {
    char fact[240], hint[240];
};
struct plan {
    const char *cluster, *out, *primary,
        *operator_name; /* as typed; primary and operator_name are never NULL when checked */
    enum durability durability;
    bool rule_given;
    enum voter_rule rule;
    bool adopt;
    uint32_t lease_ms_max;
    int n_no_vote;
    const char *no_vote[MEMBERS_MAX];
    int n_common;
    struct plan_value
        common[PLAN_VALUES_MAX]; /* --set: into every node.conf, a member's own values before them */
    int n_members;
    struct plan_member members[MEMBERS_MAX];
    int n_notices;
    struct plan_notice notices[PLAN_NOTICES_MAX];
};

void plan_begin(struct plan *p);
/* NAME,ROLE,SITE,ADDRESS[,...]; `where` for messages. */
bool plan_member_add(struct plan *p, const char *spec, const char *where, struct problem *err);
/* One member per line, '#' comments. */
bool plan_members_file(struct plan *p, const char *path, struct problem *err);
/* KEY=VALUE */
bool plan_set(struct plan *p, const char *assignment, struct problem *err);
/* The whole: names, addresses, counts; fills what follows from the rest (votes, data folders, ports, primary) and the
 * notices. */
bool plan_check(struct plan *p, struct problem *err);
/* One member by itself, to be added to a cluster: its name, and what a database needs. */
bool plan_check_one(struct plan *p, struct problem *err);
/* The voters as the record will have them, without keys. */
void plan_voters(const struct plan *p, struct voters *voters);
const struct plan_member *plan_find(const struct plan *p, const char *name);
/* The member's value of an option: its own, else the common one, else NULL. */
const char *plan_value(const struct plan *p, const struct plan_member *m, const char *name);

#endif
