/* inspect.h: what the inspector's commands share: the table of commands, the common options, the option reader.
 *
 * A command is one row of `commands` in main.c: name, what may follow, one line, the help, its own options, a function.
 * The common options (--control, --config, --output, --timeout, --help) may stand before or after the command's name. */
#ifndef PGMESH_INSPECT_INSPECT_H
#define PGMESH_INSPECT_INSPECT_H

#include "mesh/inspect/output.h"

struct inspect;

/* One option; `value` NULL: a flag.  The table ends with a row whose name is NULL. */
struct option_row {
    const char *name, *value, *help;
};
struct command_row {
    const char *name;
    const char *synopsis; /* what follows the name */
    const char *summary;  /* one line */
    const char *help;     /* paragraphs, with an example */
    const struct option_row *options;
    int (*run)(struct inspect *x);
};
extern const struct command_row commands[];
extern const int commands_n;

struct inspect {
    struct output out;
    const struct command_row *command;
    const char *control;              /* --control, or NULL */
    const char *config;               /* --config, or NULL */
    const char *from;                 /* --from, or NULL: a document with answers instead of a member */
    const char *key, *key_passphrase; /* --key, --key-passphrase-file, or NULL (secret.h) */
    unsigned timeout_ms;              /* for a member's answer */
    int argc, at;
    char **argv;
    bool words_only; /* "--" was seen */
};

/* Walks through the arguments: the row of an option of the command (and its value), or ARGS_WORD with the word in
 * *value, ARGS_END, or ARGS_STOP: the command must return *code at once (a complaint or the help was printed).
 * Common options are taken care of inside. */
enum { ARGS_END = -1, ARGS_WORD = -2, ARGS_STOP = -3 };
int args_next(struct inspect *x, const char **value, int *code);
/* Reads everything for a command without options and words of its own; false: return *code. */
bool args_none(struct inspect *x, int *code);
/* A common option ahead of the command's name; false: return *code. */
bool args_common(struct inspect *x, int *code);

/* A complaint about how the command was called, with a pointer to its help. */
int usage(struct inspect *x, const char *fact, const char *detail);

int command_status(struct inspect *x);
int command_members(struct inspect *x);
int command_links(struct inspect *x);
int command_ready(struct inspect *x);
int command_simulate(struct inspect *x);
int command_watch(struct inspect *x);
int command_drill(struct inspect *x);
int command_doctor(struct inspect *x);
int command_completion(struct inspect *x);
int command_where(struct inspect *x);
int command_why(struct inspect *x);
int command_why_not(struct inspect *x);
int command_history(struct inspect *x);
int command_switchover(struct inspect *x);
int command_failover(struct inspect *x);
int command_pause(struct inspect *x);
int command_resume(struct inspect *x);
int command_readmit(struct inspect *x);
int command_reinit(struct inspect *x);
int command_durability(struct inspect *x);
int command_member(struct inspect *x);
int command_recover(struct inspect *x);
int command_join(struct inspect *x);
int command_root(struct inspect *x);
int command_operator(struct inspect *x);
int command_pending(struct inspect *x);
int command_approve(struct inspect *x);
int command_init(struct inspect *x);
int command_config(struct inspect *x);

extern const struct option_row options_recover[], options_member[], options_common[], options_none[],
    options_failover[], options_to[], options_reason[], options_init[], options_why[], options_why_not[],
    options_watch[], options_drill[], options_where[], options_root[], options_operator[], options_join[];

#endif
