/* configcheck.c: pgmesh config check FILE..., config show FILE, config sample. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/lint.h"
#include "mesh/inspect/problems.h"
#include "mesh/io/cluster.h"
#include "mesh/io/config_table.h"
#include "mesh/io/folder.h"

/* ---- check -------------------------------------------------------------------------------------------------------- */

/* Parameters of PostgreSQL in a good file that have something to be said about. */
static json_t *parameter_notices(const struct config *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->n_parameters; i++) {
        const struct lint *l = lint_find(c->parameters[i].name);
        if (l != NULL)
            json_array_append_new(
                list, json_pack("{s:o,s:s,s:o,s:s,s:b}", "line", json_null(), "name", c->parameters[i].name,
                                "message",
                                json_sprintf("\"pg.%s\" is a setting of %s", c->parameters[i].name, l->where),
                                "hint", l->instead, "fatal", l->fatal));
    }
    return list;
}

static bool any_fatal(const json_t *notices)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)notices, i, one)
    {
        if (json_flag(one, "fatal"))
            return true;
    }
    return false;
}

static void tell_notices(struct inspect *x, const char *file, const json_t *notices)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)notices, i, one)
    {
        long long line = json_number(one, "line", 0);
        const char *place = line > 0 ? text("%s:%lld", file, line) : file;
        output_notice(&x->out, text("%s: %s", place, json_text(one, "message")), json_text(one, "hint"));
    }
}

/* An option that is not ours, but known from elsewhere: the guess gives way to the explanation. */
static void explain(struct problem *p)
{
    const char *name = strstr(p->fact, "unknown option \"");
    char word[64];
    if (name == NULL)
        return;
    name += strlen("unknown option \"");
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "\""), name);
    const struct lint *l = lint_find(word);
    if (l == NULL)
        return;
    snprintf(p->detail, sizeof p->detail, "It is a setting of %s.", l->where);
    snprintf(p->hint, sizeof p->hint, "%s", l->instead);
}

static json_t *result_json(const char *file, const struct folder *f, const struct problem *p, json_t *notices)
{
    if (f != NULL)
        return json_pack("{s:o,s:b,s:s,s:s,s:s,s:o}", "file", output_string(file), "ok", !any_fatal(notices),
                         "cluster", f->cluster.name, "member", f->self->member.name, "role",
                         cluster_role_name(f->self->member.role), "notices", notices);
    return json_pack("{s:o,s:b,s:o,s:o,s:o}", "file", output_string(file), "ok", 0, "message",
                     output_string(p->fact), "detail", output_string(p->detail[0] == '\0' ? NULL : p->detail),
                     "hint", output_string(p->hint[0] == '\0' ? NULL : p->hint));
}

static bool check_foreign(struct inspect *x, const char *file, json_t *results)
{
    struct problem problem = {0};
    json_t *notices = lint_file(file);
    if (notices == NULL) {
        problem_fact(&problem, "cannot read \"%s\"", file);
        json_array_append_new(results, result_json(file, NULL, &problem, NULL));
        if (!x->out.json)
            output_problem(&x->out, EXIT_REFUSED, &problem);
        return false;
    }
    bool good = json_array_size(notices) == 0;
    tell_notices(x, file, notices);
    if (good)
        output_text(&x->out, 2, "%s: nothing in it that pgmesh would object to", file);
    json_array_append_new(
        results, json_pack("{s:o,s:b,s:o}", "file", output_string(file), "ok", good, "notices", notices));
    return good;
}

static bool check_one(struct inspect *x, const char *file, json_t *results)
{
    struct problem problem = {0};
    if (lint_foreign(file))
        return check_foreign(x, file, results);
    struct folder *f =
        folder_open(file, 1u << ROLE_DATABASE | 1u << ROLE_OBSERVER | 1u << ROLE_WITNESS, &problem);
    json_t *notices = f == NULL ? NULL : parameter_notices(&f->config);
    bool good = f != NULL && !any_fatal(notices);
    if (f == NULL)
        explain(&problem);
    if (f != NULL)
        tell_notices(x, file, notices);
    json_array_append_new(results, result_json(file, f, &problem, notices));
    if (good)
        output_text(&x->out, 2, "%s: good (%s, %s in site %s of cluster %s)", file, f->self->member.name,
                    cluster_role_name(f->self->member.role), f->self->member.site, f->cluster.name);
    else if (f != NULL && !x->out.json)
        output_fail(&x->out, EXIT_REFUSED, text("%s: a database would not start with it", file), NULL, NULL);
    else if (!x->out.json)
        output_problem(&x->out, EXIT_REFUSED, &problem);
    folder_close(&f);
    return good;
}

static int check(struct inspect *x)
{
    const char *file, **files = calloc((size_t)x->argc, sizeof *files);
    int code = EXIT_OK, n = 0, bad = 0, got = ARGS_END;
    while (files != NULL && (got = args_next(x, &file, &code)) == ARGS_WORD)
        files[n++] = file;
    if (files == NULL || got == ARGS_STOP || n == 0) {
        free(files);
        return got == ARGS_STOP ? code : usage(x, "no file is named", "It is written config check FILE...");
    }
    json_t *results = json_array();
    keys_begin();
    for (int i = 0; i < n; i++)
        bad += !check_one(x, files[i], results);
    free(files);
    if (x->out.json)
        output_json(&x->out, json_pack("{s:b,s:O}", "ok", bad == 0, "files", results));
    json_decref(results);
    return bad == 0 ? EXIT_OK : EXIT_REFUSED;
}

/* ---- show --------------------------------------------------------------------------------------------------------- */

static json_t *option_json(const struct config *c, const struct config *fallback,
                           const struct config_option *o)
{
    char value[CONFIG_SHOWN_SIZE], other[CONFIG_SHOWN_SIZE];
    config_show(c, o, value);
    config_show(fallback, o, other);
    return json_pack("{s:s,s:o,s:b,s:s}", "name", o->name, "value", output_string(value), "set",
                     o->fallback == NULL || strcmp(value, other) != 0, "help", o->help);
}

static json_t *options_json(const struct config *c)
{
    static struct config fallback;
    static const char least[] = "member = any\n";
    struct problem ignored;
    json_t *list = json_array();
    if (!config_parse(least, sizeof least - 1, c->file, &fallback, &ignored))
        config_default(&fallback);
    for (const struct config_option *o = config_options; o < config_options + config_options_n; o++)
        if (o->type != CONFIG_HBA && o->type != CONFIG_PARAMETERS)
            json_array_append_new(list, option_json(c, &fallback, o));
    for (int i = 0; i < c->n_hba; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:o,s:b,s:s}", "name", "pg_hba", "value",
                                        output_string(c->hba[i]), "set", 1, "help", "a line of pg_hba.conf"));
    for (int i = 0; i < c->n_parameters; i++)
        json_array_append_new(list, json_pack("{s:o,s:o,s:b,s:s}", "name",
                                              json_sprintf("pg.%s", c->parameters[i].name), "value",
                                              output_string(c->parameters[i].value), "set", 1, "help",
                                              "a parameter of PostgreSQL"));
    return list;
}

static void options_print(struct inspect *x, const json_t *options)
{
    static const struct column columns[] = {
        {"OPTION", 0, false}, {"VALUE", 0, false}, {"", 1, false}, {"", 2, false}};
    struct table t;
    size_t i;
    json_t *one;
    table_open(&t, columns, 4);
    json_array_foreach((json_t *)options, i, one)
    {
        bool set = json_flag(one, "set");
        table_cell(&t, set ? TONE_STRONG : TONE_PLAIN, "%s", json_text(one, "name"));
        table_cell(&t, TONE_PLAIN, "%s", *json_text(one, "value") == '\0' ? "–" : json_text(one, "value"));
        table_cell(&t, TONE_FAINT, "%s", set ? "set" : "default");
        table_cell(&t, TONE_FAINT, "%s", json_text(one, "help"));
    }
    table_print(&x->out, &t);
    table_close(&t);
}

static int show(struct inspect *x)
{
    static struct config config;
    struct problem problem = {0};
    const char *file = NULL, *more;
    int code = EXIT_OK, got = args_next(x, &file, &code);
    if (got == ARGS_WORD)
        got = args_next(x, &more, &code);
    if (got == ARGS_STOP)
        return code;
    if (file == NULL || got == ARGS_WORD)
        return usage(x, file == NULL ? "no file is named" : "one file is shown at a time",
                     "It is written config show FILE.");
    if (!config_load(file, &config, &problem)) {
        explain(&problem);
        return output_problem(&x->out, EXIT_REFUSED, &problem);
    }
    json_t *options = options_json(&config);
    if (x->out.json)
        output_json(&x->out, json_pack("{s:o,s:O}", "file", output_string(file), "options", options));
    else
        options_print(x, options);
    json_decref(options);
    return EXIT_OK;
}

/* ---- the command -------------------------------------------------------------------------------------------------- */

static int sample(struct inspect *x)
{
    const char *value;
    int code = EXIT_OK, got = args_next(x, &value, &code);
    if (got == ARGS_STOP)
        return code;
    if (got == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), "\"config sample\" takes none.");
    config_print_sample(x->out.to, NULL, 0);
    return EXIT_OK;
}

int command_config(struct inspect *x)
{
    static const char *const verbs[] = {"check", "show", "sample"};
    const char *verb;
    int code = EXIT_OK, got = args_next(x, &verb, &code);
    if (got == ARGS_STOP)
        return code;
    if (got == ARGS_END)
        return usage(x, "check, show or sample?",
                     "It is written config check FILE..., config show FILE or config sample.");
    if (strcmp(verb, "check") == 0)
        return check(x);
    if (strcmp(verb, "show") == 0)
        return show(x);
    if (strcmp(verb, "sample") == 0)
        return sample(x);
    const char *near = text_nearest(verb, verbs, 3);
    return usage(x, text("config cannot \"%s\"", verb),
                 near == NULL ? NULL : text("Perhaps \"%s\" was meant.", near));
}
