/* init.c: pgmesh init: from a list of members to folders that are ready to start. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/inspect.h"
#include "mesh/inspect/make.h"
#include "mesh/inspect/problems.h"
#include "mesh/inspect/secret.h"

enum {
    INIT_CLUSTER,
    INIT_OUT,
    INIT_MEMBER,
    INIT_MEMBERS,
    INIT_DURABILITY,
    INIT_RULE,
    INIT_BOOTSTRAP,
    INIT_PRIMARY,
    INIT_LEASE_MAX,
    INIT_NO_VOTE,
    INIT_SET,
    INIT_OPERATOR,
    INIT_PASSPHRASE_FILE,
    INIT_OPEN_ROOT_KEY,
    INIT_OPEN_OPERATOR_KEY
};
struct init {
    struct plan plan;
    const char *passphrase_file;
    bool open_root_key, open_operator_key;
};
// clang-format off
const struct option_row options_init[] = {
    [INIT_CLUSTER] = {"cluster", "NAME", "what people call the cluster"},
    [INIT_OUT] = {"out", "FOLDER", "where to make it all; must not exist, or be empty"},
    [INIT_MEMBER] = {"member", "SPEC", "NAME,ROLE,SITE,ADDRESS[,...], once for each member"},
    [INIT_MEMBERS] = {"members", "FILE", "the same, one SPEC per line, '#' comments"},
    [INIT_DURABILITY] = {"durability", "async|sync|strict",
                         "sync (the default): a standby confirms each commit, as long as there is one; strict: writes "
                         "wait for one; async: none confirms"},
    [INIT_RULE] = {"rule", "auto|majority|sites",
                   "who decides: most voters, or most sites by most of their voters; auto (the default) takes sites "
                   "where one site holds half of the voters and there are three sites"},
    [INIT_BOOTSTRAP] = {"bootstrap", "initdb|adopt",
                        "the first primary's data: made anew (the default), or those that are there"},
    [INIT_PRIMARY] = {"primary", "NAME", "the first primary; the first database by default"},
    [INIT_LEASE_MAX] = {"lease-max", "TIME", "the longest lease that may ever be asked for (3s)"},
    [INIT_NO_VOTE] = {"no-vote", "NAME", "a database or witness without a vote"},
    [INIT_SET] = {"set", "OPTION=VALUE", "into every node.conf that it concerns"},
    [INIT_OPERATOR] = {"operator", "NAME", "whose key signs commands (operator)"},
    [INIT_PASSPHRASE_FILE] = {"passphrase-file", "FILE",
                              "the passphrase of root key and operator's key, mode 0600, or fd:N; else the terminal is "
                              "asked, twice"},
    [INIT_OPEN_ROOT_KEY] = {"open-root-key", NULL, "no passphrase: both keys are protected by their files' modes alone"},
    [INIT_OPEN_OPERATOR_KEY] = {"open-operator-key", NULL, "none for the operator's key: whoever reads its file may order"},
    {NULL, NULL, NULL},
};
// clang-format on

static bool wrong_choice(const char *option, const char *value, const char *choices, struct problem *err)
{
    problem_fact(err, "--%s: \"%s\" is not possible", option, value);
    return problem_detail(err, "It is one of %s.", choices);
}

static bool take_durability(struct plan *p, const char *value, struct problem *err)
{
    static const char *const names[] = {"async", "sync", "strict"};
    for (int i = 0; i < 3; i++)
        if (strcmp(value, names[i]) == 0) {
            p->durability = (enum durability)i;
            return true;
        }
    return wrong_choice("durability", value, "async, sync and strict", err);
}

static bool take_rule(struct plan *p, const char *value, struct problem *err)
{
    p->rule_given = strcmp(value, "auto") != 0;
    p->rule = strcmp(value, "sites") == 0 ? RULE_SITES : RULE_MAJORITY;
    return !p->rule_given || p->rule == RULE_SITES || strcmp(value, "majority") == 0 ||
           wrong_choice("rule", value, "auto, majority and sites", err);
}

static bool take_bootstrap(struct plan *p, const char *value, struct problem *err)
{
    p->adopt = strcmp(value, "adopt") == 0;
    return p->adopt || strcmp(value, "initdb") == 0 ||
           wrong_choice("bootstrap", value, "initdb and adopt", err);
}

static bool take_lease_max(struct plan *p, const char *value, struct problem *err)
{
    char *unit;
    double n = strtod(value, &unit);
    double ms = strcmp(unit, "ms") == 0    ? n
                : strcmp(unit, "s") == 0   ? n * 1000
                : strcmp(unit, "min") == 0 ? n * 60000
                                           : -1;
    if (ms >= 100 && ms <= 60000) {
        p->lease_ms_max = (uint32_t)ms;
        return true;
    }
    problem_fact(err, "--lease-max: \"%s\" is not possible", value);
    return problem_detail(err, "A time from 100ms to 1min is wanted, with its unit: ms, s or min.");
}

static bool take_no_vote(struct plan *p, const char *value, struct problem *err)
{
    if (p->n_no_vote == MEMBERS_MAX)
        return problem_fact(err, "--no-vote is given too often");
    p->no_vote[p->n_no_vote++] = value;
    return true;
}

static bool take(struct init *in, int option, const char *value, struct problem *err)
{
    struct plan *p = &in->plan;
    switch (option) {
    case INIT_CLUSTER: p->cluster = value; return true;
    case INIT_OUT: p->out = value; return true;
    case INIT_MEMBER: return plan_member_add(p, value, text("--member %.60s", value), err);
    case INIT_MEMBERS: return plan_members_file(p, value, err);
    case INIT_DURABILITY: return take_durability(p, value, err);
    case INIT_RULE: return take_rule(p, value, err);
    case INIT_BOOTSTRAP: return take_bootstrap(p, value, err);
    case INIT_PRIMARY: p->primary = value; return true;
    case INIT_LEASE_MAX: return take_lease_max(p, value, err);
    case INIT_NO_VOTE: return take_no_vote(p, value, err);
    case INIT_SET: return plan_set(p, value, err);
    case INIT_OPERATOR: p->operator_name = value; return true;
    case INIT_PASSPHRASE_FILE: in->passphrase_file = value; return true;
    case INIT_OPEN_ROOT_KEY: in->open_root_key = true; return true;
    case INIT_OPEN_OPERATOR_KEY: in->open_operator_key = true; return true;
    }
    return false;
}

/* ---- what was made ---------------------------------------------------------------------------------------------- */

static const char *address_text(const struct address *a)
{
    char printed[ADDRESS_TEXT_SIZE];
    return text("%s", address_print(printed, a));
}

static void print_json(struct inspect *x, const struct plan *p, const struct made *made)
{
    static const char *const durabilities[] = {"async", "sync", "strict"};
    char id[2 * CLUSTER_ID_SIZE + 1];
    const struct cluster *c = &made->cluster;
    json_t *members = json_array(), *notices = json_array();
    hex_put(id, c->id.b, sizeof c->id.b);
    for (int i = 0; i < p->n_members; i++) {
        const struct cluster_member *m = &c->members[i];
        json_t *addresses = json_array();
        for (int a = 0; a < m->n_mesh; a++)
            json_array_append_new(addresses, json_string(address_text(&m->mesh[a])));
        json_array_append_new(members,
                              json_pack("{s:i,s:s,s:s,s:s,s:s,s:b,s:o,s:s?}", "id", m->member.id, "name",
                                        m->member.name, "role", cluster_role_name(m->member.role), "site",
                                        m->member.site, "folder", text("%s/%s", p->out, m->member.name),
                                        "votes", p->members[i].votes, "addresses", addresses, "postgres",
                                        m->has_pg ? address_text(&m->pg) : NULL));
    }
    for (int i = 0; i < p->n_notices; i++)
        json_array_append_new(
            notices, json_pack("{s:s,s:s}", "message", p->notices[i].fact, "hint", p->notices[i].hint));
    output_json(&x->out,
                json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:s,s:i,s:b,s:b,s:o,s:o}", "cluster", c->name,
                          "cluster_id", id, "folder", p->out, "operator", p->operator_name, "durability",
                          durabilities[p->durability], "rule",
                          c->first.voters.rule == RULE_SITES ? "sites" : "majority", "voters",
                          c->first.voters.n, "primary", p->primary, "lease_ms_max", (int)p->lease_ms_max,
                          "passphrase", made->passphrase != NULL, "operator_passphrase",
                          made->operator_passphrase != NULL, "members", members, "notices", notices));
}

static void print_text(struct inspect *x, const struct plan *p, const struct made *made)
{
    static const struct column columns[] = {{"MEMBER", 0, false},  {"ROLE", 2, false},
                                            {"SITE", 3, false},    {"VOTE", 4, false},
                                            {"ADDRESS", 1, false}, {"FOLDER", 0, false}};
    struct table t;
    const struct voters *v = &made->cluster.first.voters;
    output_text(&x->out, 2, "cluster %s made in \"%s\": %d members, %d voters, rule %s, first primary %s",
                p->cluster, p->out, p->n_members, v->n, v->rule == RULE_SITES ? "sites" : "majority",
                p->primary);
    output_blank(&x->out);
    table_open(&t, columns, 6);
    for (int i = 0; i < p->n_members; i++) {
        const struct plan_member *m = &p->members[i];
        table_cell(&t, TONE_STRONG, "%s", m->name);
        table_cell(&t, TONE_PLAIN, "%s", cluster_role_name(m->role));
        table_cell(&t, TONE_PLAIN, "%s", m->site);
        table_cell(&t, TONE_PLAIN, "%s", m->votes ? "yes" : "–");
        table_cell(&t, TONE_PLAIN, "%s", address_text(&m->mesh[0]));
        table_cell(&t, TONE_PLAIN, "%s/%s", p->out, m->name);
    }
    table_print(&x->out, &t);
    table_close(&t);
    output_blank(&x->out);
    output_text(&x->out, 0, "Next:");
    output_text(&x->out, 5, "  1. Copy each member's folder to its host and start it there:");
    output_text(&x->out, 7, "       pgmesh-node --config FOLDER/node.conf        databases and observers");
    output_text(&x->out, 7, "       pgmesh-witness --config FOLDER/node.conf     witnesses");
    output_text(&x->out, 5, "  2. Keep \"%s/root.key\" offline: whoever has it%s can be any member.", p->out,
                made->passphrase ? " and its passphrase" : "");
    output_text(&x->out, 5, "  3. Look: pgmesh status --config FOLDER/node.conf");
    output_text(&x->out, 5,
                "  Commands are signed with the key in \"%s/operator\"%s; pgmesh.conf there tells how.",
                p->out, made->operator_passphrase ? ", under the same passphrase" : "");
}

/* ---- the passphrase ---------------------------------------------------------------------------------- */

/* Whoever reads an open root key can be any member, so that it stays open must be said. */
static int ask_passphrase(struct inspect *x, const struct init *in, struct passphrase *p)
{
    struct problem problem = {0};
    if (in->passphrase_file == NULL && !secret_has_terminal())
        return output_fail(
            &x->out, EXIT_USAGE,
            "a passphrase for the root key is wanted, and there is no terminal to ask at",
            "Whoever has the root key can be any member of the cluster.",
            "Give a file with the passphrase, mode 0600: --passphrase-file FILE; or --open-root-key, for keys that "
            "the modes of their files protect well enough.");
    return secret_new(text("%s/root.key%s", in->plan.out, in->open_operator_key ? "" : " and operator.key"),
                      in->passphrase_file, p, &problem)
               ? EXIT_OK
               : output_problem(&x->out, EXIT_REFUSED, &problem);
}

static int make(struct inspect *x, const struct init *in)
{
    static struct made made;
    const struct plan *p = &in->plan;
    struct passphrase passphrase;
    struct problem problem = {0};
    if (!make_target_free(p->out, &problem))
        return output_problem(&x->out, EXIT_REFUSED, &problem);
    int code = make_all(&made, p, &problem) ? EXIT_OK : output_problem(&x->out, EXIT_USAGE, &problem);
    if (code == EXIT_OK && !in->open_root_key) {
        code = ask_passphrase(x, in, &passphrase);
        made.passphrase = &passphrase;
        made.operator_passphrase = in->open_operator_key ? NULL : &passphrase;
    }
    if (code == EXIT_OK && !make_write(&made, p, &problem))
        code = output_problem(&x->out, EXIT_REFUSED, &problem);
    if (code == EXIT_OK) {
        for (int i = 0; i < p->n_notices; i++)
            output_notice(&x->out, p->notices[i].fact, p->notices[i].hint);
        if (x->out.json)
            print_json(x, p, &made);
        else
            print_text(x, p, &made);
    }
    make_close(&made);
    keys_wipe(&passphrase, sizeof passphrase);
    return code;
}

int command_init(struct inspect *x)
{
    static struct init in;
    static char out[FILE_PATH_SIZE];
    struct plan *plan = &in.plan;
    struct problem problem = {0};
    const char *value;
    int code = EXIT_OK, option;
    plan_begin(plan);
    while ((option = args_next(x, &value, &code)) >= 0)
        if (!take(&in, option, value, &problem))
            return output_problem(&x->out, EXIT_USAGE, &problem);
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value),
                     "A member is given as --member NAME,ROLE,SITE,ADDRESS.");
    if (plan->out == NULL || *plan->out == '\0')
        return usage(x, "no folder is named", "Give one with --out FOLDER.");
    if (in.open_root_key && in.passphrase_file != NULL)
        return usage(x, "--open-root-key and --passphrase-file exclude each other", NULL);
    snprintf(out, sizeof out, "%s", plan->out);
    for (size_t n = strlen(out); n > 1 && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    plan->out = out;
    if (!plan_check(plan, &problem))
        return output_problem(&x->out, EXIT_USAGE, &problem);
    return make(x, &in);
}
