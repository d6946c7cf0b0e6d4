/* completion.c: pgmesh completion bash|zsh: scripts for the shells, made from the table of commands. */
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/show.h"

/* What may follow a command, from its synopsis: "check FILE... | sample" says check and sample, "MEMBER" says MEMBERS.  Upper
 * case is no word, nor is an option. */
static const char members_word[] = "@";

static const char *words_of(const struct command_row *c)
{
    char words[256] = "";
    if (strncmp(c->synopsis, "MEMBER", 6) == 0)
        return members_word;
    for (const char *s = c->synopsis; *s != '\0'; s += strspn(s, " |")) {
        size_t n = strcspn(s, " |"), used = strlen(words);
        bool first = s == c->synopsis || s[-2] == '|';
        if (first && *s >= 'a' && *s <= 'z')
            snprintf(words + used, sizeof words - used, "%s%.*s", used == 0 ? "" : " ", (int)n, s);
        s += n;
    }
    return text("%s", words);
}

/* ---- bash --------------------------------------------------------------------------------------------------------- */

static void options_words(FILE *to, const struct option_row *rows)
{
    for (; rows->name != NULL; rows++)
        fprintf(to, " --%s", rows->name);
}

static void bash(FILE *to)
{
    fputs(
        "# bash completion for pgmesh; to be read by: . <(pgmesh completion bash)\n"
        "_pgmesh() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command= words= i\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in --control | --config | --from | --output | --timeout) ((i++)) ;; -*) ;;\n"
        "            *) command=${COMP_WORDS[i]}; break ;; esac\n"
        "    done\n"
        "    case $prev in\n"
        "        --output) COMPREPLY=($(compgen -W 'text json' -- \"$cur\")); return ;;\n"
        "        --to) COMPREPLY=($(compgen -W \"$(pgmesh completion members 2>/dev/null)\" -- \"$cur\")); return ;;\n"
        "        --control | --config | --from | --certificate | --cluster-file | --out | --members)\n"
        "            COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n"
        "    esac\n"
        "    case $command in\n",
        to);
    fputs("        '') words='", to);
    for (int i = 0; i < commands_n; i++)
        fprintf(to, "%s%s", i == 0 ? "" : " ", commands[i].name);
    fputs("' ;;\n", to);
    for (int i = 0; i < commands_n; i++) {
        const struct command_row *c = &commands[i];
        const char *words = words_of(c);
        fprintf(to, "        %s) words=\"%s", c->name,
                words == members_word ? "$(pgmesh completion members 2>/dev/null)" : words);
        options_words(to, c->options);
        fputs("\" ;;\n", to);
    }
    fputs("    esac\n"
          "    [[ $cur != -* && $command == config ]] && COMPREPLY=($(compgen -f -- \"$cur\"))\n"
          "    COMPREPLY+=($(compgen -W \"$words",
          to);
    options_words(to, options_common);
    fputs("\" -- \"$cur\"))\n}\ncomplete -F _pgmesh pgmesh\n", to);
}

/* ---- zsh ------------------------------------------------------------------------------------------------------------ */

/* Inside '...' and, in _arguments, inside [...]. */
static void quoted(FILE *to, const char *s)
{
    for (; *s != '\0'; s++)
        if (*s == '\'')
            fputs("'\\''", to);
        else if (strchr("[]:", *s) != NULL)
            fprintf(to, "\\%c", *s);
        else
            fputc(*s, to);
}

static void zsh_options(FILE *to, const struct option_row *rows)
{
    for (; rows->name != NULL; rows++) {
        fprintf(to, " \\\n                '--%s[", rows->name);
        quoted(to, rows->help);
        fputc(']', to);
        if (rows->value != NULL && strcmp(rows->name, "output") == 0)
            fputs(":form:(text json)", to);
        else if (rows->value != NULL && strcmp(rows->value, "MEMBER") == 0)
            fputs(":member:($(pgmesh completion members 2>/dev/null))", to);
        else if (rows->value != NULL)
            fprintf(to, ":%s:_files", rows->value);
        fputc('\'', to);
    }
}

static void zsh(FILE *to)
{
    fputs(
        "#compdef pgmesh\n# zsh completion for pgmesh; to be kept as _pgmesh in a folder of $fpath\n_pgmesh() {\n"
        "    local -a commands\n    commands=(\n",
        to);
    for (int i = 0; i < commands_n; i++) {
        fprintf(to, "        '%s:", commands[i].name);
        quoted(to, commands[i].summary);
        fputs("'\n", to);
    }
    fputs("    )\n    if ((CURRENT == 2)); then\n        _describe command commands\n        return\n    fi\n"
          "    case $words[2] in\n",
          to);
    for (int i = 0; i < commands_n; i++) {
        const char *words = words_of(&commands[i]);
        fprintf(to, "        %s)\n            _arguments", commands[i].name);
        zsh_options(to, commands[i].options);
        zsh_options(to, options_common);
        if (words == members_word)
            fputs(" \\\n                '*:member:($(pgmesh completion members 2>/dev/null))'", to);
        else if (*words != '\0')
            fprintf(to, " \\\n                '2:word:(%s)' '*:argument:_files'", words);
        fputs(" ;;\n", to);
    }
    fputs("    esac\n}\n_pgmesh \"$@\"\n", to);
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

/* Names, one a line, for the scripts above. */
static int members(struct inspect *x)
{
    static struct view v;
    json_t *answer;
    int code = view_ask(x, &v, &answer);
    for (int i = 0; code == EXIT_OK && i < v.n; i++)
        fprintf(x->out.to, "%s\n", v.members[i].name);
    json_decref(answer);
    return code;
}

int command_completion(struct inspect *x)
{
    const char *word = NULL, *more;
    int code = EXIT_OK, got = args_next(x, &word, &code);
    if (got == ARGS_STOP)
        return code;
    if (got == ARGS_WORD && (got = args_next(x, &more, &code)) == ARGS_STOP)
        return code;
    if (got == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", more), NULL);
    if (word != NULL && strcmp(word, "members") == 0)
        return members(x);
    if (word == NULL || (strcmp(word, "bash") != 0 && strcmp(word, "zsh") != 0))
        return usage(x, word == NULL ? "bash or zsh?" : text("no completion for \"%s\"", word),
                     "It is written completion bash or completion zsh.");
    if (strcmp(word, "bash") == 0)
        bash(x->out.to);
    else
        zsh(x->out.to);
    return EXIT_OK;
}
