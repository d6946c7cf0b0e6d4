/* where.c: pgmesh where: the primary or the replicas, for scripts. */
#define _GNU_SOURCE
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/io/view.h"
#include "mesh/io/conninfo.h"

const struct option_row options_where[] = {
    {"role", "primary|replica", "the server that can write (the default), or those for readers"},
    {"format", "conninfo|uri|host|env|json", "how it is written; conninfo is the default"},
    {"all", NULL, "every database, the primary first: for clients that look for it themselves"},
    {NULL, NULL, NULL},
};

struct question {
    bool replica, all, json;
    enum conninfo_format format;
};

static const char *const formats[] = {"conninfo", "uri", "host", "env", "json"};

static bool read_format(struct inspect *x, const char *value, struct question *q, int *code)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(value, formats[i]) != 0)
            continue;
        q->json = strcmp(value, "json") == 0;
        q->format = q->json ? CONNINFO_KEYWORDS : (enum conninfo_format)i;
        return true;
    }
    *code = usage(x, text("\"%s\" is no format", value), "It is conninfo, uri, host, env or json.");
    return false;
}

static bool read_question(struct inspect *x, struct question *q, int *code)
{
    const char *value;
    for (int got; (got = args_next(x, &value, code)) != ARGS_END;) {
        if (got == ARGS_STOP)
            return false;
        if (got == ARGS_WORD) {
            *code = usage(x, text("unexpected word \"%s\"", value), "\"where\" takes none.");
            return false;
        }
        if (got == 0) {
            q->replica = strcmp(value, "replica") == 0;
            if (!q->replica && strcmp(value, "primary") != 0) {
                *code = usage(x, text("\"%s\" is no role", value), "It is primary or replica.");
                return false;
            }
        } else if (got == 1 && !read_format(x, value, q, code)) {
            return false;
        } else if (got == 2) {
            q->all = true;
        }
    }
    if (q->replica && q->all)
        *code = usage(x, "\"--all\" and \"--role replica\" exclude each other", NULL);
    return !(q->replica && q->all);
}

struct answer_list {
    int n;
    const char *names[CONNINFO_HOSTS_MAX];
    struct address hosts[CONNINFO_HOSTS_MAX];
};

static void add(struct answer_list *l, const struct view_member *m)
{
    const char *at = m ? json_text(m->json, "pg_address") : "";
    if (l->n == CONNINFO_HOSTS_MAX || !address_parse(&l->hosts[l->n], at, strlen(at), false))
        return;
    l->names[l->n++] = m->name;
}

static void gather(struct answer_list *l, const struct view *v, const struct question *q)
{
    const json_t *replicas = json_object_get(json_object_get(v->json, "route"), "replicas");
    json_t *one;
    size_t i;
    if (!v->serving && !q->replica)
        return;
    if (!q->replica)
        add(l, view_find(v, v->primary));
    json_array_foreach((json_t *)replicas, i, one) if (q->replica && json_is_string(one))
        add(l, view_find(v, json_string_value(one)));
    for (int k = 0; k < v->n && q->all; k++)
        if (strcmp(v->members[k].role, "database") == 0 && !v->members[k].is_primary)
            add(l, &v->members[k]);
}

static int none(struct inspect *x, const struct view *v, const struct question *q)
{
    if (q->replica)
        return output_fail(
            &x->out, EXIT_NO_PRIMARY, "there is no replica for readers",
            "None streams and replays near enough to the primary, as far as this member knows.",
            "\"pgmesh status\" shows their lag; replica_lag_kb is the limit.");
    return output_fail(&x->out, EXIT_NO_PRIMARY, "no primary serves",
                       *v->primary
                           ? text("Term %llu names %s, which is not ready or not heard.", v->term, v->primary)
                           : NULL,
                       "\"pgmesh status\" shows the state.");
}

static void print_json(struct inspect *x, const struct view *v, const struct answer_list *l,
                       const struct question *q, const char *conninfo)
{
    json_t *list = json_array();
    for (int i = 0; i < l->n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "name", l->names[i], "host",
                                              l->hosts[i].host, "port", (int)l->hosts[i].port));
    x->out.json = true;
    output_json(&x->out, json_pack("{s:s, s:I, s:s, s:o, s:s#}", "cluster", v->cluster, "term",
                                   (json_int_t)v->term, "role", q->replica ? "replica" : "primary", "servers",
                                   list, "conninfo", conninfo, (int)strcspn(conninfo, "\n")));
}

int command_where(struct inspect *x)
{
    static struct client client;
    static struct view v;
    struct question q = {.format = CONNINFO_KEYWORDS};
    struct answer_list l = {0};
    char out[CONNINFO_SIZE];
    json_t *answer;
    int code = EXIT_OK;
    if (!read_question(x, &q, &code) || (code = client_open(&client, x)) != EXIT_OK)
        return code;
    code = client_ask(&client, json_pack("{s:s}", "command", "status"), &answer);
    if (code != EXIT_OK)
        return code;
    view_read(&v, answer);
    gather(&l, &v, &q);
    if (l.n == 0) {
        code = none(x, &v, &q);
    } else {
        conninfo_print(out, q.format, q.replica ? CONNINFO_PREFER_STANDBY : CONNINFO_READ_WRITE, l.hosts,
                       l.n);
        if (q.json || x->out.json)
            print_json(x, &v, &l, &q, out);
        else
            fputs(out, x->out.to);
    }
    json_decref(answer);
    return code;
}
