/* configcheck.c: pgmesh config check FILE..., pgmesh config sample. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/inspect.h"
#include "mesh/inspect/problems.h"
#include "mesh/io/cluster.h"
#include "mesh/io/folder.h"

static json_t *result_json(const char *file, const struct folder *f, const struct problem *p)
{
    if (f != NULL)
        return json_pack("{s:s,s:b,s:s,s:s,s:s}", "file", file, "ok", 1, "cluster", f->cluster.name, "member",
                         f->self->member.name, "role", cluster_role_name(f->self->member.role));
    return json_pack("{s:s,s:b,s:s,s:s?,s:s?}", "file", file, "ok", 0, "message", p->fact, "detail",
                     p->detail[0] == '\0' ? NULL : p->detail, "hint", p->hint[0] == '\0' ? NULL : p->hint);
}

static bool check_one(struct inspect *x, const char *file, json_t *results)
{
    struct problem problem = {0};
    struct folder *f =
        folder_open(file, 1u << ROLE_DATABASE | 1u << ROLE_OBSERVER | 1u << ROLE_WITNESS, &problem);
    bool good = f != NULL;
    json_array_append_new(results, result_json(file, f, &problem));
    if (good)
        output_text(&x->out, 2, "%s: good (%s, %s in site %s of cluster %s)", file, f->self->member.name,
                    cluster_role_name(f->self->member.role), f->self->member.site, f->cluster.name);
    else if (!x->out.json)
        output_problem(&x->out, EXIT_REFUSED, &problem);
    folder_close(&f);
    return good;
}

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

int command_config(struct inspect *x)
{
    static const char *const verbs[] = {"check", "sample"};
    const char *verb;
    int code = EXIT_OK, got = args_next(x, &verb, &code);
    if (got == ARGS_STOP)
        return code;
    if (got == ARGS_END)
        return usage(x, "check or sample?", "It is written config check FILE... or config sample.");
    if (strcmp(verb, "check") == 0)
        return check(x);
    if (strcmp(verb, "sample") == 0)
        return sample(x);
    const char *near = text_nearest(verb, verbs, 2);
    return usage(x, text("config cannot \"%s\"", verb),
                 near == NULL ? NULL : text("Perhaps \"%s\" was meant.", near));
}
