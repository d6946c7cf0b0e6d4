/* make.c: the part of make.h that happens in memory. */
#define _GNU_SOURCE
#include "mesh/inspect/make.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mesh/inspect/output.h"
#include "policy/quorum.h"

bool make_target_free(const char *out, struct problem *err)
{
    DIR *folder = opendir(out);
    int entries = 0;
    if (folder == NULL && errno == ENOENT)
        return true;
    if (folder == NULL) {
        problem_fact(err, "cannot make the folder \"%s\"", out);
        return problem_detail(err, "%s.", strerror(errno));
    }
    for (struct dirent *e = readdir(folder); e != NULL; e = readdir(folder))
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(folder);
    if (entries == 0)
        return true;
    problem_fact(err, "\"%s\" exists and is not empty", out);
    problem_detail(err, "Nothing is overwritten: a key that is lost cannot be made again.");
    return problem_hint(
        err, "Name another folder with --out, or remove this one if no member was ever started from it.");
}

/* The register's first value: all that is agreed before anybody has voted. */
static void first_record(struct record *r, const struct plan *p, const struct cluster *c)
{
    memset(r, 0, sizeof *r);
    keys_random(r->nonce, sizeof r->nonce);
    r->version = 1;
    r->term = 1;
    r->durability = p->durability;
    r->lease_ms_max = p->lease_ms_max;
    plan_voters(p, &r->voters);
    for (int i = 0; i < r->voters.n; i++)
        memcpy(r->voters.v[i].key, c->members[r->voters.v[i].id - 1].member.key, KEY_SIZE);
    for (int i = 0; i < p->n_members; i++)
        if (p->members[i].role == ROLE_DATABASE)
            r->databases[r->n_databases++] = (member_id)(i + 1);
    r->primary = cluster_find(c, p->primary)->member.id;
    r->primary_dir = keys_random_u64();
}

static void member_make(struct made *made, int i, const char *name, enum role role, const char *site)
{
    struct cluster_member *m = &made->cluster.members[i];
    struct key key;
    keys_generate(&key, made->seeds[i]);
    m->member.id = (member_id)(i + 1);
    snprintf(m->member.name, sizeof m->member.name, "%s", name);
    m->member.role = role;
    snprintf(m->member.site, sizeof m->member.site, "%s", site);
    memcpy(m->member.key, key.public, KEY_SIZE);
    keys_wipe(&key, sizeof key);
}

static void members_make(struct made *made, const struct plan *p)
{
    struct cluster *c = &made->cluster;
    for (int i = 0; i < p->n_members; i++) {
        const struct plan_member *from = &p->members[i];
        struct cluster_member *m = &c->members[i];
        member_make(made, i, from->name, from->role, from->site);
        m->n_mesh = (uint8_t)from->n_mesh;
        memcpy(m->mesh, from->mesh, sizeof m->mesh);
        m->has_pg = from->has_pg;
        m->pg = from->pg;
    }
    member_make(made, p->n_members, p->operator_name, ROLE_ADMIN, plan_find(p, p->primary)->site);
    c->n = (uint8_t)(p->n_members + 1);
}

/* ---- node.conf -------------------------------------------------------------------------------------------------- */

static bool overridden(const struct plan_member *m, const char *name)
{
    for (int i = 0; i < m->n_values; i++)
        if (strcmp(m->values[i].name, name) == 0)
            return strcmp(name, "pg_hba") != 0;
    return false;
}

/* Options of PostgreSQL and its fence mean nothing to members without a database: --set is for whom it concerns. */
static bool concerns(const struct plan_member *m, const char *name)
{
    static const char *const of_databases[] = {"data_dir",  "bin_dir", "socket_dir", "user",
                                               "bootstrap", "cgroup",  "watchdog",   "fence"};
    if (m->role == ROLE_DATABASE)
        return true;
    for (size_t i = 0; i < sizeof of_databases / sizeof *of_databases; i++)
        if (strcmp(of_databases[i], name) == 0)
            return false;
    return strncmp(name, "pg", 2) != 0;
}

static void node_conf_print(FILE *out, const struct plan *p, const struct plan_member *m)
{
    struct config_value set[1 + 2 * PLAN_VALUES_MAX];
    size_t n = 0;
    set[n++] = (struct config_value){"member", m->name};
    for (int i = 0; i < p->n_common; i++)
        if (!overridden(m, p->common[i].name) && concerns(m, p->common[i].name))
            set[n++] = (struct config_value){p->common[i].name, p->common[i].value};
    for (int i = 0; i < m->n_values; i++)
        set[n++] = (struct config_value){m->values[i].name, m->values[i].value};
    fprintf(out, "# %s, %s in site %s of cluster %s\n", m->name, cluster_role_name(m->role), m->site,
            p->cluster);
    config_print_sample(out, set, n);
}

/* The text must pass what the daemon will ask of it; what is wrong came from an argument. */
static bool node_conf_check(const struct made *made, const struct plan *p, int i, struct problem *err)
{
    static struct config config;
    const struct plan_member *m = &p->members[i];
    const char *path = text("%s/%s/node.conf", p->out, m->name);
    if (config_parse(made->node_conf[i], made->node_conf_len[i], path, &config, err) &&
        config_check_cluster(&config, &made->cluster, err))
        return true;
    /* There is no such file yet: the complaint names the argument in the place of file and line. */
    const char *at =
        strncmp(err->fact, path, strlen(path)) == 0 ? strstr(err->fact + strlen(path), ": ") : NULL;
    char fact[sizeof err->fact];
    snprintf(fact, sizeof fact, "%s (or --set): %.200s", m->where, at == NULL ? err->fact : at + 2);
    memcpy(err->fact, fact, sizeof fact);
    return false;
}

bool make_node_conf(struct made *made, const struct plan *p, int i, struct problem *err)
{
    FILE *out = open_memstream(&made->node_conf[i], &made->node_conf_len[i]);
    if (out == NULL)
        return problem_fact(err, "out of memory");
    node_conf_print(out, p, &p->members[i]);
    fclose(out);
    return node_conf_check(made, p, i, err);
}

bool make_all(struct made *made, const struct plan *p, struct problem *err)
{
    const char *why;
    struct cluster *c = &made->cluster;
    memset(made, 0, sizeof *made);
    keys_begin();
    keys_generate(&made->root, NULL);
    snprintf(c->name, sizeof c->name, "%s", p->cluster);
    members_make(made, p);
    first_record(&c->first, p, c);
    if (!record_valid(&c->first, &why)) {
        problem_fact(err, "no first record can be made of this");
        return problem_detail(err, "%s.", why);
    }
    cluster_sign_record(c, &made->root);
    for (int i = 0; i < c->n; i++)
        cluster_certify(c, &c->members[i], &made->root);
    for (int i = 0; i < p->n_members; i++)
        if (!make_node_conf(made, p, i, err))
            return false;
    return true;
}

void make_close(struct made *made)
{
    keys_wipe(&made->root, sizeof made->root);
    keys_wipe(made->seeds, sizeof made->seeds);
    for (int i = 0; i < MEMBERS_MAX; i++)
        free(made->node_conf[i]);
}
