/* plan_check.c: the plan as a whole: what is refused, what follows from the rest, what is worth a notice. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/output.h"
#include "mesh/inspect/plan.h"
#include "mesh/io/cluster.h"
#include "policy/quorum.h"

void plan_voters(const struct plan *p, struct voters *voters)
{
    memset(voters, 0, sizeof *voters);
    for (int i = 0; i < p->n_members; i++) {
        if (!p->members[i].votes || voters->n == VOTERS_MAX)
            continue;
        struct voter *v = &voters->v[voters->n++];
        v->id = (member_id)(i + 1);
        memcpy(v->site, p->members[i].site, NAME_SIZE);
    }
    voters->rule = p->rule_given ? p->rule : quorum_default_rule(voters);
}

static void notice(struct plan *p, const char *fact, const char *hint)
{
    if (p->n_notices == PLAN_NOTICES_MAX)
        return;
    struct plan_notice *n = &p->notices[p->n_notices++];
    snprintf(n->fact, sizeof n->fact, "%s", fact);
    snprintf(n->hint, sizeof n->hint, "%s", hint);
}

/* ---- names and addresses -------------------------------------------------------------------------------------- */

static bool check_names(const struct plan *p, struct problem *err)
{
    if (p->cluster == NULL || !cluster_name_valid(p->cluster)) {
        problem_fact(err,
                     p->cluster == NULL ? "the cluster has no name%s" : "\"%s\" is no name for a cluster",
                     p->cluster == NULL ? "" : p->cluster);
        problem_detail(err, "A name begins with a letter and has up to %d characters of a-z, 0-9, _ and -.",
                       NAME_SIZE - 1);
        return problem_hint(err, "Give one with --cluster NAME.");
    }
    if (!cluster_name_valid(p->operator_name)) {
        problem_fact(err, "\"%s\" is no name for an operator", p->operator_name);
        return problem_detail(err,
                              "A name begins with a letter and has up to %d characters of a-z, 0-9, _ and -.",
                              NAME_SIZE - 1);
    }
    for (int i = 0; i < p->n_members; i++) {
        const struct plan_member *m = &p->members[i];
        if (plan_find(p, m->name) != m) {
            problem_fact(err, "%s: there are two members named \"%s\"", m->where, m->name);
            return problem_detail(err, "The other is at %s.", plan_find(p, m->name)->where);
        }
        if (strcmp(m->name, p->operator_name) == 0) {
            problem_fact(err, "%s: \"%s\" is the operator's name too", m->where, m->name);
            return problem_hint(err, "Give the operator another with --operator NAME.");
        }
    }
    return true;
}

/* No member's folder may be taken for another thing in OUT. */
static bool check_reserved(const struct plan *p, struct problem *err)
{
    for (int i = 0; i < p->n_members; i++)
        if (strcmp(p->members[i].name, "operator") == 0) {
            problem_fact(err, "%s: no member may be named \"operator\"", p->members[i].where);
            return problem_detail(err, "The operator's folder has that name.");
        }
    return true;
}

static bool refuse_address(const struct plan_member *m, const struct plan_member *other,
                           const struct address *a, struct problem *err)
{
    char printed[ADDRESS_TEXT_SIZE];
    problem_fact(err, "%s: the address %s is used twice", m->where, address_print(printed, a));
    problem_detail(err, "%s uses it too.",
                   other == m ? "The same member" : text("Member \"%s\"", other->name));
    return problem_hint(err, "Members on one host need different ports.");
}

/* Address number i of a member, PostgreSQL's last; NULL past the end. */
static const struct address *address_at(const struct plan_member *m, int i)
{
    return i < m->n_mesh ? &m->mesh[i] : i == m->n_mesh && m->has_pg ? &m->pg : NULL;
}

static bool check_addresses(const struct plan *p, struct problem *err)
{
    for (int i = 0; i < p->n_members; i++)
        for (int a = 0; address_at(&p->members[i], a) != NULL; a++)
            for (int j = 0; j <= i; j++)
                for (int b = 0; address_at(&p->members[j], b) != NULL && !(i == j && b >= a); b++)
                    if (address_equal(address_at(&p->members[i], a), address_at(&p->members[j], b)))
                        return refuse_address(&p->members[i], &p->members[j], address_at(&p->members[i], a),
                                              err);
    return true;
}

/* ---- databases ------------------------------------------------------------------------------------------------- */

static bool value_put(struct plan_member *m, const char *name, const char *value, struct problem *err)
{
    if (m->n_values == PLAN_VALUES_MAX)
        return problem_fact(err, "%s: too many options", m->where);
    struct plan_value *v = &m->values[m->n_values++];
    snprintf(v->name, sizeof v->name, "%s", name);
    snprintf(v->value, sizeof v->value, "%s", value);
    return true;
}

static bool complete_database(struct plan *p, struct plan_member *m, struct problem *err)
{
    const char *port = plan_value(p, m, "pg_port");
    if (!m->has_pg) {
        m->pg = m->mesh[0];
        m->pg.port = (uint16_t)(port == NULL ? 5432 : atoi(port));
        m->has_pg = true;
    } else if (port == NULL && m->pg.port != 5432 && !value_put(m, "pg_port", text("%u", m->pg.port), err)) {
        return false;
    }
    if (p->adopt && plan_value(p, m, "bootstrap") == NULL && !value_put(m, "bootstrap", "adopt", err))
        return false;
    return plan_value(p, m, "data_dir") != NULL ||
           value_put(m, "data_dir", text("/var/lib/postgresql/15/%s", p->cluster), err);
}

static bool check_folders(const struct plan *p, struct problem *err)
{
    for (int i = 0; i < p->n_members; i++)
        for (int j = 0; j < i; j++) {
            const struct plan_member *a = &p->members[i], *b = &p->members[j];
            if (a->role != ROLE_DATABASE || b->role != ROLE_DATABASE ||
                strcmp(a->mesh[0].host, b->mesh[0].host) != 0 ||
                strcmp(plan_value(p, a, "data_dir"), plan_value(p, b, "data_dir")) != 0)
                continue;
            problem_fact(err, "%s: \"%s\" and \"%s\" would use one data directory", a->where, b->name,
                         a->name);
            problem_detail(err, "Both are on host %s with data_dir %s.", a->mesh[0].host,
                           plan_value(p, a, "data_dir"));
            return problem_hint(err, "Give each its own with data=FOLDER.");
        }
    return true;
}

static bool check_databases(struct plan *p, struct problem *err)
{
    int n = 0;
    for (int i = 0; i < p->n_members; i++) {
        struct plan_member *m = &p->members[i];
        if (m->role != ROLE_DATABASE && m->has_pg) {
            problem_fact(err, "%s: \"%s\" has an address of PostgreSQL but no database", m->where, m->name);
            return problem_hint(err, "Leave out pg=, or make it a database.");
        }
        if (m->role != ROLE_DATABASE)
            continue;
        n++;
        if (!complete_database(p, m, err))
            return false;
        if (p->primary == NULL)
            p->primary = m->name;
    }
    if (n == 0 || n > DATABASES_MAX) {
        problem_fact(err, n == 0 ? "the cluster has no database" : "the cluster has too many databases");
        problem_detail(err, "It has %d; between 1 and %d are possible.", n, DATABASES_MAX);
        return problem_hint(err, "A member is given as --member NAME,database,SITE,HOST:PORT.");
    }
    const struct plan_member *primary = plan_find(p, p->primary);
    if (primary == NULL || primary->role != ROLE_DATABASE) {
        problem_fact(err, "--primary: \"%s\" is no database of this cluster", p->primary);
        return problem_hint(err, "Name one of the members with role database.");
    }
    return check_folders(p, err);
}

/* ---- voters ---------------------------------------------------------------------------------------------------- */

static bool assign_votes(struct plan *p, struct problem *err)
{
    int n = 0;
    for (int i = 0; i < p->n_members; i++)
        p->members[i].votes = p->members[i].role != ROLE_OBSERVER;
    for (int i = 0; i < p->n_no_vote; i++) {
        struct plan_member *m = (struct plan_member *)plan_find(p, p->no_vote[i]);
        if (m == NULL || !m->votes) {
            problem_fact(err, "--no-vote: \"%s\" is no voter of this cluster", p->no_vote[i]);
            return problem_detail(err, m == NULL ? "There is no such member."
                                                 : "Observers never vote, and nobody loses a vote twice.");
        }
        m->votes = false;
    }
    for (int i = 0; i < p->n_members; i++)
        n += p->members[i].votes;
    if (n >= 1 && n <= VOTERS_MAX)
        return true;
    problem_fact(err, n == 0 ? "the cluster has no voter" : "the cluster has too many voters");
    problem_detail(err, "It has %d; between 1 and %d are possible.", n, VOTERS_MAX);
    return problem_hint(
        err, n == 0 ? "Leave out a --no-vote."
                    : "Databases and witnesses vote unless --no-vote NAME takes the vote from them.");
}

static int count_sites(const struct voters *v)
{
    int n = 0;
    for (int i = 0; i < v->n; i++) {
        int j = 0;
        while (j < i && strcmp(v->v[j].site, v->v[i].site) != 0)
            j++;
        n += j == i;
    }
    return n;
}

/* Do the voters outside that site still make a quorum? */
static bool survives_site(const struct voters *v, const char *site)
{
    uint32_t have = 0;
    for (int i = 0; i < v->n; i++)
        if (strcmp(v->v[i].site, site) != 0)
            have |= 1u << i;
    return quorum_reached(v, have);
}

static void notice_sites(struct plan *p, const struct voters *v)
{
    if (count_sites(v) == 1) {
        notice(p, text("all voters are in one site, \"%s\"", v->v[0].site),
               "When that site is lost, so is the cluster. A witness in a third site costs 8 MB of memory.");
        return;
    }
    for (int i = 0; i < v->n; i++) {
        int j = 0, there = 0;
        while (j < i && strcmp(v->v[j].site, v->v[i].site) != 0)
            j++;
        for (int k = 0; k < v->n; k++)
            there += strcmp(v->v[k].site, v->v[i].site) == 0;
        if (j == i && v->rule == RULE_SITES && there % 2 == 0)
            notice(p,
                   text("site \"%s\" has an even number of voters (%d): its say is lost with half of them",
                        v->v[i].site, there),
                   "Add a voter there, or take the vote from one member with --no-vote NAME.");
        if (j == i && !survives_site(v, v->v[i].site))
            notice(p,
                   text("without site \"%s\" nothing can be decided: too many of the voters are there",
                        v->v[i].site),
                   "Put a witness into a third site.");
    }
}

/* What is legal and yet not what one would want. */
static void notices(struct plan *p)
{
    struct voters v;
    uint32_t databases = 0;
    int n_databases = 0, n_voting = 0;
    plan_voters(p, &v);
    for (int i = 0; i < p->n_members; i++)
        n_databases += p->members[i].role == ROLE_DATABASE;
    for (int i = 0; i < v.n; i++)
        if (p->members[v.v[i].id - 1].role == ROLE_DATABASE) {
            databases |= 1u << i;
            n_voting++;
        }
    if (n_databases == 1)
        notice(p, "there is only one database", "Nobody can take over from it.");
    if (v.n == 1)
        notice(p, "there is only one voter",
               "When it is lost, nothing can be decided. Three voters survive the loss of one.");
    else if (v.n % 2 == 0 && v.rule == RULE_MAJORITY)
        notice(p, text("an even number of voters (%d) survives no more losses than %d would", v.n, v.n - 1),
               v.n == 2 ? "Add a witness: of three voters any one may be lost."
                        : "Add a witness, or take the vote from one member with --no-vote NAME.");
    if (v.n > 1)
        notice_sites(p, &v);
    if (n_voting > 1 && v.n > n_voting && !quorum_reached(&v, databases))
        notice(p, "the databases alone are no quorum: with every witness lost, writes stop",
               "More databases than witnesses among the voters would avoid that.");
}

static bool check_rule(const struct plan *p, struct problem *err)
{
    struct voters v;
    plan_voters(p, &v);
    if (v.rule != RULE_SITES || count_sites(&v) >= 3)
        return true;
    problem_fact(err, "--rule sites: the voters are in only %d site%s", count_sites(&v),
                 count_sites(&v) == 1 ? "" : "s");
    problem_detail(err, "A majority of the sites must agree; with fewer than three none may be lost.");
    return problem_hint(err, "Use --rule majority, or add a witness in a third site.");
}

bool plan_check_one(struct plan *p, struct problem *err)
{
    struct plan_member *m = &p->members[0];
    if (m->role != ROLE_DATABASE && m->has_pg) {
        problem_fact(err, "%s: \"%s\" has an address of PostgreSQL but no database", m->where, m->name);
        return problem_hint(err, "Leave out pg=, or make it a database.");
    }
    p->operator_name = "";
    return check_reserved(p, err) && (m->role != ROLE_DATABASE || complete_database(p, m, err)) &&
           check_addresses(p, err);
}

bool plan_check(struct plan *p, struct problem *err)
{
    if (p->operator_name == NULL)
        p->operator_name = "operator";
    if (!check_names(p, err) || !check_reserved(p, err) || !check_databases(p, err) ||
        !check_addresses(p, err) || !assign_votes(p, err) || !check_rule(p, err))
        return false;
    notices(p);
    return true;
}
