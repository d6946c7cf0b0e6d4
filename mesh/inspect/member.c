/* member.c: pgmesh durability and pgmesh member: what changes the record's own facts. */
#include <string.h>

#include "mesh/inspect/enlist.h"
#include "mesh/inspect/problems.h"

enum { WORDS_MAX = 3 };
static struct order order;

/* Up to WORDS_MAX words and no options; -1: return *code. */
static int words(struct inspect *x, const char *word[static WORDS_MAX], int *code)
{
    const char *value = NULL;
    int n = 0, option;
    while ((option = args_next(x, &value, code)) == ARGS_WORD && n < WORDS_MAX)
        word[n++] = value;
    if (option == ARGS_END)
        return n;
    if (option == ARGS_WORD)
        *code = usage(x, text("unexpected word \"%s\"", value), NULL);
    return -1;
}

int command_durability(struct inspect *x)
{
    static const struct {
        const char *word;
        enum command_kind kind;
    } levels[] = {{"async", COMMAND_ASYNC}, {"sync", COMMAND_SYNC}, {"strict", COMMAND_STRICT}};
    const char *word[WORDS_MAX];
    int code = EXIT_OK, n = words(x, word, &code);
    if (n < 0)
        return code;
    for (size_t i = 0; n == 1 && i < sizeof levels / sizeof *levels; i++) {
        if (strcmp(word[0], levels[i].word) != 0)
            continue;
        if ((code = order_open(&order, x)) != EXIT_OK)
            return code;
        return order_execute(&order, levels[i].kind, text("make durability %s", word[0]), MEMBER_NONE);
    }
    return usage(x, n == 1 ? text("\"%s\" is no durability", word[0]) : "one durability is wanted",
                 "It is one of async, sync and strict.");
}

static int on_member(struct inspect *x, const char *name, enum command_kind kind, const char *deed)
{
    int code = order_open(&order, x);
    if (code != EXIT_OK)
        return code;
    const struct cluster_member *m = order_target(&order, name, false, &code);
    if (m == NULL) {
        order_close(&order);
        return code;
    }
    return order_execute(&order, kind, deed, m->member.id);
}

static int vote(struct inspect *x, const char *name, const char *how)
{
    bool on = strcmp(how, "on") == 0;
    if (!on && strcmp(how, "off") != 0)
        return usage(x, text("\"%s\" is neither on nor off", how), "pgmesh member vote MEMBER on|off");
    return on_member(x, name, on ? COMMAND_VOTE_GIVE : COMMAND_VOTE_TAKE,
                     on ? "give a vote to" : "take the vote of");
}

enum { MEMBER_OUT, MEMBER_ROOT_KEY, MEMBER_LIKE, MEMBER_SET };
// clang-format off
const struct option_row options_member[] = {
    [MEMBER_OUT] = {"out", "FOLDER", "add: where to make the new member's folder"},
    [MEMBER_ROOT_KEY] = {"root-key", "FILE", "add: signs the certificate; remove: revokes it"},
    [MEMBER_LIKE] = {"like", "FOLDER", "add: a database's folder; its pg.pass is copied (databases and observers)"},
    [MEMBER_SET] = {"set", "OPTION=VALUE", "add: into its node.conf"},
    {NULL, NULL, NULL},
};
// clang-format on

static int add(struct inspect *x, struct enlist *e, const char *spec)
{
    struct problem problem = {0};
    if (!plan_member_add(&e->plan, spec, text("%.60s", spec), &problem))
        return output_problem(&x->out, EXIT_USAGE, &problem);
    return enlist_member(&order, e);
}

/* Out of the record first: a voter or database that nobody hears any more would only be one that is down. */
static int removal(struct inspect *x, const char *name, const char *root_key)
{
    int code = on_member(x, name, COMMAND_MEMBER_REMOVE, "remove");
    if (code != EXIT_OK)
        return code;
    if (root_key != NULL)
        return enlist_revoke(&order, x, name, root_key);
    output_notice(&x->out, "its certificate still stands: it may connect, and has no say",
                  "With --root-key FILE it is revoked as well.");
    return EXIT_OK;
}

int command_member(struct inspect *x)
{
    static struct enlist e;
    struct problem problem = {0};
    const char *word[WORDS_MAX], *value;
    int code = EXIT_OK, n = 0, option;
    plan_begin(&e.plan);
    while ((option = args_next(x, &value, &code)) >= 0 || (option == ARGS_WORD && n < WORDS_MAX)) {
        if (option == ARGS_WORD)
            word[n++] = value;
        else if (option == MEMBER_OUT)
            e.plan.out = value;
        else if (option == MEMBER_ROOT_KEY)
            e.root_key = value;
        else if (option == MEMBER_LIKE)
            e.like = value;
        else if (!plan_set(&e.plan, value, &problem))
            return output_problem(&x->out, EXIT_USAGE, &problem);
    }
    if (option == ARGS_STOP)
        return code;
    order.x = x;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), NULL);
    if (n == 2 && strcmp(word[0], "add") == 0)
        return add(x, &e, word[1]);
    if (n == 3 && strcmp(word[0], "vote") == 0)
        return vote(x, word[1], word[2]);
    if (n == 2 && strcmp(word[0], "remove") == 0)
        return removal(x, word[1], e.root_key);
    return usage(x, n == 0 ? "nothing is asked for" : "this is not understood",
                 "It is \"member add SPEC\", \"member vote MEMBER on|off\" or \"member remove MEMBER\".");
}
