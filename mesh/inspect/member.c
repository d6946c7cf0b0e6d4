/* member.c: pgmesh durability and pgmesh member: what changes the record's own facts. */
#include <stdlib.h>
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

enum {
    MEMBER_OUT,
    MEMBER_ROOT_KEY,
    MEMBER_PASSPHRASE_FILE,
    MEMBER_LIKE,
    MEMBER_SET,
    MEMBER_DAYS,
    MEMBER_REQUEST,
    MEMBER_SIGN,
    MEMBER_VALID,
    MEMBER_TOKEN_FILE,
    MEMBER_LIST,
    MEMBER_WITHDRAW
};
// clang-format off
const struct option_row options_member[] = {
    [MEMBER_OUT] = {"out", "FOLDER", "add: where to make the new member's folder"},
    [MEMBER_ROOT_KEY] = {"root-key", "FILE", "add, invite, rotate, renew: signs the certificate; remove: revokes it"},
    [MEMBER_PASSPHRASE_FILE] = {"passphrase-file", "FILE", "the root key's passphrase (mode 0600), instead of asking at the terminal"},
    [MEMBER_LIKE] = {"like", "FOLDER", "add, invite: a database's folder; its pg.pass is copied (databases and observers)"},
    [MEMBER_SET] = {"set", "OPTION=VALUE", "add, invite: into its node.conf"},
    [MEMBER_DAYS] = {"days", "N", "add, invite, rotate, renew: how long the certificate is valid (without an end)"},
    [MEMBER_REQUEST] = {"request", "FILE", "rotate: on the member's host, write what it asks for; sign nothing"},
    [MEMBER_SIGN] = {"sign", "FILE", "add, rotate: sign what that file asks for, whose key was made on the host"},
    [MEMBER_VALID] = {"valid", "TIME", "invite: how long the token is good, 1min to 7d (1h)"},
    [MEMBER_TOKEN_FILE] = {"token-file", "FILE", "invite: write the token there (mode 0600), instead of showing it"},
    [MEMBER_LIST] = {"list", NULL, "invite: who is invited at the member that is asked, and who has come"},
    [MEMBER_WITHDRAW] = {"withdraw", "NAME", "invite: the token of that member is good for nothing any more"},
    {NULL, NULL, NULL},
};
// clang-format on

static int add(struct inspect *x, struct enlist *e, const char *spec)
{
    struct problem problem = {0};
    if (!plan_member_add(&e->plan, spec, text("%.60s", spec), &problem))
        return output_problem(&x->out, EXIT_USAGE, &problem);
    return e->invitation.valid_s ? invitation_give(&order, e) : enlist_member(&order, e);
}

/* Does the record in force name the member, as a voter or a database?  If it cannot be told: yes. */
static bool in_record(struct order *o, member_id id)
{
    static struct certificate cert;
    static uint8_t bytes[FRAME_BODY_MAX];
    json_t *answer = NULL;
    if (client_ask_any(&o->client, json_pack("{s:s,s:b}", "command", "roster", "record", 1), &answer) !=
        EXIT_OK)
        return true;
    const char *hex = json_text(answer, "record");
    size_t n = strlen(hex) / 2;
    bool known = n > 0 && n <= sizeof bytes && hex_get(bytes, n, hex, strlen(hex)) &&
                 wire_get_decided(&cert, bytes, n);
    json_decref(answer);
    return !known || record_voter(&cert.proposal.record, id) != NULL ||
           record_is_database(&cert.proposal.record, id);
}

static int take_out(struct inspect *x, const char *name)
{
    int code = order_open(&order, x);
    if (code != EXIT_OK)
        return code;
    const struct cluster_member *m = order_target(&order, name, false, &code);
    if (m != NULL && in_record(&order, m->member.id))
        return order_execute(&order, COMMAND_MEMBER_REMOVE, "remove", m->member.id);
    if (m != NULL)
        output_tone(&x->out, TONE_FAINT, 2, "the record does not name %s", name);
    order_close(&order);
    return code;
}

/* Out of the record first: a voter or database that nobody hears any more would only be one that is down. */
static int removal(struct inspect *x, const char *name, const struct rootkey *root_key)
{
    int code = take_out(x, name);
    if (code == EXIT_WAITS && root_key != NULL)
        output_notice(&x->out, "its certificate still stands, too",
                      "Once the order is approved: give the same command again.");
    if (code != EXIT_OK)
        return code;
    if (root_key->file != NULL)
        return enlist_revoke(&order, x, name, root_key);
    output_notice(&x->out, "its certificate still stands: it may connect, and has no say",
                  "With --root-key FILE it is revoked as well.");
    return EXIT_OK;
}

static bool take_days(int64_t *days, const char *value, struct problem *err)
{
    char *end;
    *days = strtoll(value, &end, 10);
    if (*end == '\0' && *days >= 1 && *days <= 36500)
        return true;
    problem_fact(err, "--days: \"%s\" is not possible", value);
    return problem_detail(err, "A number of days from 1 to 36500 is wanted.");
}

/* What the options said. */
struct asked {
    struct enlist enlist;
    struct rekey rekey;
    bool list;
    const char *withdraw;
};

static bool take(struct asked *a, int option, const char *value, struct problem *err)
{
    struct enlist *e = &a->enlist;
    struct rekey *r = &a->rekey;
    switch (option) {
    case MEMBER_OUT: e->plan.out = value; return true;
    case MEMBER_ROOT_KEY: e->root_key.file = r->root.file = value; return true;
    case MEMBER_PASSPHRASE_FILE: e->root_key.passphrase_file = r->root.passphrase_file = value; return true;
    case MEMBER_LIKE: e->like = value; return true;
    case MEMBER_SET: return plan_set(&e->plan, value, err);
    case MEMBER_DAYS: return take_days(&r->days, value, err) && (e->days = r->days);
    case MEMBER_REQUEST: r->request = value; return true;
    case MEMBER_SIGN: e->sign = r->sign = value; return true;
    case MEMBER_VALID: return invitation_valid(&e->invitation, value, err);
    case MEMBER_TOKEN_FILE: e->invitation.token_file = value; return true;
    case MEMBER_LIST: a->list = true; return true;
    case MEMBER_WITHDRAW: a->withdraw = value; return true;
    }
    return false;
}

/* "invite SPEC", or one of its options instead. */
static int invite(struct inspect *x, struct asked *a, const char *spec)
{
    struct enlist *e = &a->enlist;
    if ((spec != NULL) + a->list + (a->withdraw != NULL) != 1)
        return usage(x, "one of SPEC, --list and --withdraw NAME is wanted", NULL);
    if (a->list)
        return invitation_list(&order, x);
    if (a->withdraw != NULL)
        return invitation_withdraw(&order, x, a->withdraw, &e->root_key);
    if (e->invitation.valid_s == 0)
        e->invitation.valid_s = INVITATION_VALID_S;
    return add(x, e, spec);
}

int command_member(struct inspect *x)
{
    static struct asked a;
    struct problem problem = {0};
    const char *word[WORDS_MAX], *value;
    int code = EXIT_OK, n = 0, option;
    a.rekey.days = -1;
    plan_begin(&a.enlist.plan);
    while ((option = args_next(x, &value, &code)) >= 0 || (option == ARGS_WORD && n < WORDS_MAX)) {
        if (option == ARGS_WORD)
            word[n++] = value;
        else if (!take(&a, option, value, &problem))
            return output_problem(&x->out, EXIT_USAGE, &problem);
    }
    if (option == ARGS_STOP)
        return code;
    order.x = x;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), NULL);
    a.rekey.name = n == 2 ? word[1] : NULL;
    if ((n == 1 || n == 2) && strcmp(word[0], "invite") == 0)
        return invite(x, &a, a.rekey.name);
    if (a.list || a.withdraw || a.enlist.invitation.valid_s || a.enlist.invitation.token_file)
        return usage(x, "--valid, --token-file, --list and --withdraw are of \"member invite\"", NULL);
    if (n == 2 && strcmp(word[0], "add") == 0)
        return add(x, &a.enlist, word[1]);
    if (n == 3 && strcmp(word[0], "vote") == 0)
        return vote(x, word[1], word[2]);
    if (n == 2 && strcmp(word[0], "remove") == 0)
        return removal(x, word[1], &a.enlist.root_key);
    if (n == 2 && strcmp(word[0], "rotate") == 0)
        return rekey_rotate(&order, x, &a.rekey);
    if (n == 2 && strcmp(word[0], "renew") == 0)
        return rekey_renew(&order, x, &a.rekey);
    return usage(
        x, n == 0 ? "nothing is asked for" : "this is not understood",
        "It is \"member add SPEC\", \"member invite SPEC\", \"member vote MEMBER on|off\", \"member rotate MEMBER\", "
        "\"member renew MEMBER\" or \"member remove MEMBER\".");
}
