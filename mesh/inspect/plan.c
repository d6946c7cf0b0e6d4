/* plan.c: see plan.h. */
#define _GNU_SOURCE
#include "mesh/inspect/plan.h"

#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/output.h"
#include "mesh/io/cluster.h"
#include "mesh/io/file.h"
#include "policy/quorum.h"

void plan_begin(struct plan *p)
{
    memset(p, 0, sizeof *p);
    p->durability = DURABILITY_SYNC;
    p->lease_ms_max = 3000;
}

const struct plan_member *plan_find(const struct plan *p, const char *name)
{
    for (int i = 0; i < p->n_members; i++)
        if (strcmp(p->members[i].name, name) == 0)
            return &p->members[i];
    return NULL;
}

static const char *values_find(const struct plan_value *values, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(values[i].name, name) == 0)
            return values[i].value;
    return NULL;
}

const char *plan_value(const struct plan *p, const struct plan_member *m, const char *name)
{
    const char *own = values_find(m->values, m->n_values, name);
    return own != NULL ? own : values_find(p->common, p->n_common, name);
}

/* ---- reading one member --------------------------------------------------------------------------------------- */

/* The next field up to a comma outside '...' ('' is one quote), unquoted into out; NULL at the end, or when it does
 * not fit or a quote is not closed (*bad). */
static const char *field_next(const char *s, char *out, size_t room, bool *bad)
{
    size_t n = 0;
    bool quoted = false;
    for (; *s != '\0' && (quoted || *s != ','); s++) {
        if (*s == '\'' && quoted && s[1] == '\'') {
            s++;
        } else if (*s == '\'') {
            quoted = !quoted;
            continue;
        }
        if (n + 1 < room)
            out[n] = *s;
        n++;
    }
    *bad = quoted || n + 1 > room;
    out[n < room ? n : room - 1] = '\0';
    while (n > 0 && n < room && out[n - 1] == ' ')
        out[--n] = '\0';
    return s;
}

static bool option_known(const char *name)
{
    if (strncmp(name, "pg.", 3) == 0)
        return name[3] != '\0';
    for (size_t i = 0; i < config_options_n; i++)
        if (config_options[i].type != CONFIG_PARAMETERS && strcmp(config_options[i].name, name) == 0)
            return true;
    return false;
}

static bool value_add(struct plan_value *values, int *n, const char *assignment, const char *where,
                      struct problem *err)
{
    size_t length = strcspn(assignment, "=");
    struct plan_value *v = &values[*n];
    if (*n == PLAN_VALUES_MAX || length >= sizeof v->name || strlen(assignment + length) > sizeof v->value) {
        problem_fact(err, "%s: too many options, or one that is too long", where);
        return problem_detail(err, "At \"%.60s\"; %d options are taken.", assignment, PLAN_VALUES_MAX);
    }
    memcpy(v->name, assignment, length);
    v->name[length] = '\0';
    if (strcmp(v->name, "data") == 0)
        strcpy(v->name, "data_dir");
    snprintf(v->value, sizeof v->value, "%s", assignment + length + (assignment[length] == '='));
    if (strcmp(v->name, "member") == 0 || !option_known(v->name)) {
        const char *near = config_nearest(v->name);
        problem_fact(err, "%s: unknown option \"%s\"", where, v->name);
        if (near != NULL && strcmp(near, "member") != 0)
            problem_detail(err, "Perhaps \"%s\" was meant.", near);
        return problem_hint(err, "\"pgmesh config sample\" lists the options of node.conf.");
    }
    bool repeats = strcmp(v->name, "pg_hba") == 0;
    if (!repeats && values_find(values, *n, v->name) != NULL)
        return problem_fact(err, "%s: option \"%s\" is given twice", where, v->name);
    ++*n;
    return true;
}

bool plan_set(struct plan *p, const char *assignment, struct problem *err)
{
    if (strchr(assignment, '=') == NULL) {
        problem_fact(err, "--set %s: no value", assignment);
        return problem_detail(err, "It is written --set OPTION=VALUE.");
    }
    return value_add(p->common, &p->n_common, assignment, "--set", err);
}

static bool address_add(struct plan_member *m, const char *field, struct problem *err)
{
    if (m->n_mesh == ADDRESSES_MAX)
        return problem_fact(err, "%s: more than %d addresses", m->where, ADDRESSES_MAX);
    if (!address_parse(&m->mesh[m->n_mesh], field, strlen(field), true)) {
        problem_fact(err, "%s: \"%s\" is no address", m->where, field);
        problem_detail(
            err, "HOST:PORT is wanted, HOST being numeric (an IPv6 address in brackets): a failover must not "
                 "wait for a name server.");
        return problem_hint(err, "For example 10.0.1.1:7400 or [fd00::1]:7400.");
    }
    m->n_mesh++;
    return true;
}

static bool field_take(struct plan_member *m, int number, const char *field, struct problem *err)
{
    static const char *const roles[] = {"database", "witness", "observer"};
    switch (number) {
    case 0:
        snprintf(m->name, sizeof m->name, "%.*s", NAME_SIZE - 1, field);
        if (cluster_name_valid(field))
            return true;
        problem_fact(err, "%s: \"%s\" is no name for a member", m->where, field);
        return problem_detail(err,
                              "A name begins with a letter and has up to %d characters of a-z, 0-9, _ and -.",
                              NAME_SIZE - 1);
    case 1:
        if (cluster_role_parse(&m->role, field) && !role_is_person(m->role))
            return true;
        problem_fact(err, "%s: \"%s\" is no role for a member", m->where, field);
        problem_detail(err, "A member is a database, a witness or an observer.");
        return text_nearest(field, roles, 3) == NULL
                   ? false
                   : problem_hint(err, "Perhaps \"%s\" was meant.", text_nearest(field, roles, 3));
    case 2:
        snprintf(m->site, sizeof m->site, "%.*s", NAME_SIZE - 1, field);
        if (cluster_name_valid(field))
            return true;
        problem_fact(err, "%s: \"%s\" is no name for a site", m->where, field);
        return problem_detail(err,
                              "A name begins with a letter and has up to %d characters of a-z, 0-9, _ and -.",
                              NAME_SIZE - 1);
    }
    if (strncmp(field, "pg=", 3) == 0) {
        m->has_pg = address_parse(&m->pg, field + 3, strlen(field + 3), false);
        return m->has_pg || (problem_fact(err, "%s: \"%s\" is no address of PostgreSQL", m->where, field + 3),
                             problem_detail(err, "It is written pg=HOST:PORT."));
    }
    return strchr(field, '=') != NULL ? value_add(m->values, &m->n_values, field, m->where, err)
                                      : address_add(m, field, err);
}

bool plan_member_add(struct plan *p, const char *spec, const char *where, struct problem *err)
{
    char field[PLAN_VALUE_SIZE + CONFIG_PARAMETER_NAME_SIZE];
    bool bad = false;
    int number = 0;
    if (p->n_members == MEMBERS_MAX - 1) { /* one is the operator */
        problem_fact(err, "%s: too many members", where);
        return problem_detail(err, "A cluster has at most %d, the operator aside.", MEMBERS_MAX - 1);
    }
    struct plan_member *m = &p->members[p->n_members];
    memset(m, 0, sizeof *m);
    snprintf(m->where, sizeof m->where, "%s", where);
    for (const char *s = spec;; s++) {
        s = field_next(s, field, sizeof field, &bad);
        if (bad) {
            problem_fact(err, "%s: a quote that is not closed, or a value that is too long", where);
            return problem_detail(err, "At \"%.60s\".", field);
        }
        if (!field_take(m, number++, field, err))
            return false;
        if (*s == '\0')
            break;
    }
    if (number < 4 || m->n_mesh == 0) {
        problem_fact(err, "%s: \"%.80s\" does not tell the member in full", where, spec);
        problem_detail(err, "NAME,ROLE,SITE,ADDRESS is wanted at least.");
        return problem_hint(err, "For example db1,database,fra,10.0.1.1:7400.");
    }
    p->n_members++;
    return true;
}

bool plan_members_file(struct plan *p, const char *path, struct problem *err)
{
    size_t n;
    char *bytes = file_read(path, FILE_TEXT, FILE_TEXT_MAX, &n, err), *rest = bytes;
    bool good = bytes != NULL;
    for (int number = 1; good && rest != NULL; number++) {
        char *line = strsep(&rest, "\n");
        line += strspn(line, " \t");
        for (size_t end = strlen(line); end > 0 && strchr(" \t\r", line[end - 1]) != NULL; end--)
            line[end - 1] = '\0';
        if (*line != '\0' && *line != '#')
            good = plan_member_add(p, line, text("%.80s:%d", path, number), err);
    }
    free(bytes);
    return good;
}
