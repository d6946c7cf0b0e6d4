/* args.c: reads the arguments by the command's option table, and prints help from the same table. */
#define _GNU_SOURCE
#include "mesh/inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

const struct option_row options_none[] = {{NULL, NULL, NULL}};

const struct option_row options_common[] = {
    {"control", "PATH", "the control socket of the member to ask"},
    {"config", "FILE", "pgmesh.conf or a member's node.conf, which tells the socket"},
    {"from", "FILE", "a document saved with --output json, instead of a member's answer (-: standard input)"},
    {"output", "text|json", "for people (the default) or for programs"},
    {"key", "FILE",
     "your key, for commands that change something ($PGMESH_OPERATOR_KEY, pgmesh.conf, ~/.config/pgmesh/operator.key)"},
    {"key-passphrase-file", "FILE", "your key's passphrase, mode 0600, or fd:N; else the terminal is asked"},
    {"timeout", "SECONDS", "how long to wait for a member's answer (5; 60 for commands that act)"},
    {"help", NULL, "this text"},
    {NULL, NULL, NULL},
};

int usage(struct inspect *x, const char *fact, const char *detail)
{
    const char *hint =
        x->command == NULL ? "See \"pgmesh --help\"." : text("See \"pgmesh %s --help\".", x->command->name);
    return output_fail(&x->out, EXIT_USAGE, fact, detail, hint);
}

static void help_options(struct output *o, const char *title, const struct option_row *rows)
{
    output_text(o, 0, "%s", title);
    for (; rows->name != NULL; rows++) {
        const char *head = text("  --%s %s", rows->name, rows->value == NULL ? "" : rows->value);
        output_text(o, 30, "%s%*s %s", head, text_cells(head) < 29 ? 29 - text_cells(head) : 0, "",
                    rows->help);
    }
}

/* Lines of one paragraph flow together; an empty line parts them, an indented one stands as it is. */
static void help_paragraphs(struct output *o, const char *line)
{
    char paragraph[2048] = "";
    for (;; line++) {
        size_t n = strcspn(line, "\n"), used = strlen(paragraph);
        bool flows = n > 0 && line[0] != ' ';
        if (!flows && used > 0) {
            output_text(o, 0, "%s", paragraph);
            paragraph[0] = '\0';
        }
        if (flows)
            snprintf(paragraph + used, sizeof paragraph - used, "%s%.*s", used == 0 ? "" : " ", (int)n, line);
        else if (n > 0)
            fprintf(o->to, "%.*s\n", (int)n, line);
        else if (*line != '\0')
            output_blank(o);
        if (*line == '\0')
            return;
        line += n;
        if (*line == '\0') {
            if (flows)
                output_text(o, 0, "%s", paragraph);
            return;
        }
    }
}

static void help_command(struct inspect *x, const struct command_row *command)
{
    struct output o = x->out;
    o.json = false;
    output_text(&o, 15, "usage: pgmesh %s%s%s [OPTIONS]", command->name,
                *command->synopsis == '\0' ? "" : " ", command->synopsis);
    output_blank(&o);
    help_paragraphs(&o, command->help);
    output_blank(&o);
    if (command->options[0].name != NULL)
        help_options(&o, "Options:", command->options);
    help_options(&o, "Common options:", options_common);
}

static const struct option_row *row_find(const struct option_row *rows, const char *name, size_t n)
{
    for (; rows->name != NULL; rows++)
        if (strlen(rows->name) == n && memcmp(rows->name, name, n) == 0)
            return rows;
    return NULL;
}

static int unknown_option(struct inspect *x, const char *name, size_t n)
{
    const char *names[64];
    size_t known = 0;
    const struct option_row *tables[] = {x->command == NULL ? options_none : x->command->options,
                                         options_common};
    for (size_t t = 0; t < 2; t++)
        for (const struct option_row *r = tables[t]; r->name != NULL && known < 64; r++)
            names[known++] = r->name;
    const char *word = text("%.*s", (int)n, name), *near = text_nearest(word, names, known);
    return usage(x, text("unknown option \"--%s\"", word),
                 near == NULL ? NULL : text("Perhaps \"--%s\" was meant.", near));
}

/* Takes a common option; false: *code says how to end. */
static bool common(struct inspect *x, const struct option_row *row, const char *value, int *code)
{
    if (strcmp(row->name, "control") == 0) {
        x->control = value;
    } else if (strcmp(row->name, "config") == 0) {
        x->config = value;
    } else if (strcmp(row->name, "from") == 0) {
        x->from = value;
    } else if (strcmp(row->name, "key") == 0) {
        x->key = value;
    } else if (strcmp(row->name, "key-passphrase-file") == 0) {
        x->key_passphrase = value;
    } else if (strcmp(row->name, "output") == 0) {
        x->out.json = strcmp(value, "json") == 0;
        if (!x->out.json && strcmp(value, "text") != 0) {
            *code = usage(x, text("\"%s\" is no form of output", value), "It is text or json.");
            return false;
        }
    } else if (strcmp(row->name, "timeout") == 0) {
        char *end;
        double seconds = strtod(value, &end);
        if (end == value || *end != '\0' || !(seconds > 0 && seconds <= 86400)) {
            *code = usage(x, text("\"%s\" is no time limit", value),
                          "A number of seconds is wanted, such as 5 or 0.5.");
            return false;
        }
        x->timeout_ms = (unsigned)(seconds * 1000) + 1;
    } else {
        if (x->command != NULL)
            help_command(x, x->command);
        *code = EXIT_OK;
        return x->command == NULL; /* main prints the table of commands itself */
    }
    return true;
}

/* Splits "--name=value" or "--name value"; ARGS_STOP on a complaint, else 0 with *row and *value. */
static int option_read(struct inspect *x, const struct option_row **row, const char **value, int *code)
{
    const char *name = x->argv[x->at] + 2;
    size_t n = strcspn(name, "=");
    *row = row_find(x->command == NULL ? options_none : x->command->options, name, n);
    if (*row == NULL)
        *row = row_find(options_common, name, n);
    if (*row == NULL) {
        *code = unknown_option(x, name, n);
        return ARGS_STOP;
    }
    x->at++;
    *value = name[n] == '=' ? name + n + 1 : NULL;
    if ((*row)->value == NULL && *value != NULL) {
        *code = usage(x, text("option \"--%s\" takes no value", (*row)->name), NULL);
        return ARGS_STOP;
    }
    if ((*row)->value != NULL && *value == NULL) {
        if (x->at >= x->argc) {
            *code = usage(x, text("option \"--%s\" lacks its value", (*row)->name),
                          text("It is written --%s %s.", (*row)->name, (*row)->value));
            return ARGS_STOP;
        }
        *value = x->argv[x->at++];
    }
    return 0;
}

static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}

/* -h and -o for --help and --output: the two that fingers type. */
static void spell_out(struct inspect *x)
{
    static char help[] = "--help", output[] = "--output";
    if (strcmp(x->argv[x->at], "-h") == 0)
        x->argv[x->at] = help;
    if (strcmp(x->argv[x->at], "-o") == 0)
        x->argv[x->at] = output;
}

int args_next(struct inspect *x, const char **value, int *code)
{
    const struct option_row *row;
    while (x->at < x->argc) {
        spell_out(x);
        const char *arg = x->argv[x->at];
        if (x->words_only || !is_option(arg)) {
            *value = arg;
            x->at++;
            return ARGS_WORD;
        }
        if (strcmp(arg, "--") == 0) {
            x->words_only = true;
            x->at++;
            continue;
        }
        if (arg[1] != '-') {
            *code = usage(x, text("unknown option \"%s\"", arg), "Options are written with two dashes.");
            return ARGS_STOP;
        }
        if (option_read(x, &row, value, code) == ARGS_STOP)
            return ARGS_STOP;
        if (row_find(x->command->options, row->name, strlen(row->name)) == row)
            return (int)(row - x->command->options);
        if (!common(x, row, *value, code))
            return ARGS_STOP;
    }
    return ARGS_END;
}

bool args_none(struct inspect *x, int *code)
{
    const char *value;
    int got = args_next(x, &value, code);
    if (got == ARGS_WORD)
        *code = usage(x, text("unexpected word \"%s\"", value), text("\"%s\" takes none.", x->command->name));
    return got == ARGS_END;
}

bool args_common(struct inspect *x, int *code)
{
    const struct option_row *row;
    const char *value;
    spell_out(x);
    if (x->argv[x->at][1] != '-') {
        *code =
            usage(x, text("unknown option \"%s\"", x->argv[x->at]), "Options are written with two dashes.");
        return false;
    }
    return option_read(x, &row, &value, code) != ARGS_STOP && common(x, row, value, code);
}
