/* persons.c: pgmesh operator, pgmesh pending, pgmesh approve: who may order what, and the second person.
 *
 * A person is a member of the roster without a process (mesh/io/roster.h): name, role, key and validity under the root key's
 * signature.  Who is added or revoked is the root key's word alone; so no role, however high, makes itself another. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mesh/inspect/rootkey.h"
#include "mesh/inspect/problems.h"
#include "mesh/inspect/secret.h"
#include "mesh/io/clock.h"
#include "mesh/io/command_sign.h"
#include "mesh/right.h"

enum { WORDS_MAX = 3, DAYS_MAX = 36500 };
static struct order order;

enum {
    PERSON_ROLE,
    PERSON_ROOT_KEY,
    PERSON_PASSPHRASE,
    PERSON_OUT,
    PERSON_PUBLIC,
    PERSON_VALID,
    PERSON_PLAIN,
    PERSON_NEW_PASSPHRASE
};
const struct option_row options_operator[] = {
    [PERSON_ROLE] = {"role", "viewer|operator|admin", "add: what the person may order"},
    [PERSON_ROOT_KEY] = {"root-key", "FILE", "add, remove: the cluster's root key, which signs it"},
    [PERSON_PASSPHRASE] = {"passphrase-file", "FILE",
                           "add, remove: the root key's passphrase, mode 0600; else the terminal is asked"},
    [PERSON_OUT] = {"out", "FILE", "key, add: where to make the person's key; under a passphrase"},
    [PERSON_PUBLIC] = {"public", "HEX", "add: the public part of a key that the person made (operator key)"},
    [PERSON_VALID] = {"valid", "DAYS", "add: for how long; without it there is no end"},
    [PERSON_PLAIN] = {"no-passphrase", NULL, "key, add, passphrase: a key that a program is to use"},
    [PERSON_NEW_PASSPHRASE] = {"new-passphrase-file", "FILE",
                               "passphrase: the new one, mode 0600, or fd:N; else the terminal is asked"},
    {NULL, NULL, NULL},
};

struct person {
    struct rootkey root;
    const char *name, *role, *out, *public, *valid, *new_passphrase;
    bool plain;
};

/* ---- keys ------------------------------------------------------------------------------------------------------------- */

static bool key_make(struct inspect *x, const struct person *p, uint8_t public[static KEY_SIZE],
                     struct problem *err)
{
    struct passphrase passphrase = {{0}};
    struct key key;
    keys_begin();
    if (!p->plain && !secret_new(p->out, x->key_passphrase, &passphrase, err))
        return false;
    keys_generate(&key, NULL);
    bool good = keys_sealed_write(p->out, &key, p->plain ? NULL : &passphrase, false, err);
    memcpy(public, key.public, KEY_SIZE);
    keys_wipe(&key, sizeof key);
    keys_wipe(&passphrase, sizeof passphrase);
    return good;
}

static int make_key(struct inspect *x, const struct person *p)
{
    struct problem err = {0};
    uint8_t public[KEY_SIZE];
    char hex[2 * KEY_SIZE + 1];
    if (p->out == NULL)
        return usage(x, "no file is named", "The key is made there: --out FILE.");
    if (!key_make(x, p, public, &err))
        return output_problem(&x->out, EXIT_REFUSED, &err);
    hex_put(hex, public, KEY_SIZE);
    if (x->out.json)
        output_json(&x->out,
                    json_pack("{s:s,s:s,s:b}", "key", p->out, "public", hex, "passphrase", !p->plain));
    output_text(&x->out, 2, "\"%s\" is made; its public part is", p->out);
    output_text(&x->out, 2, "%s", hex);
    return EXIT_OK;
}

/* Another passphrase for the file of a key, one, or none; no member is asked. */
static int change_passphrase(struct inspect *x, const struct person *p)
{
    struct problem err = {0};
    struct passphrase passphrase = {{0}};
    struct key key;
    const char *path = secret_path(x, "");
    if (path == NULL)
        return usage(x, "no key is named", "Give the file of your key: --key FILE.");
    keys_begin();
    bool good = secret_key(path, x->key_passphrase, &key, &err) &&
                (p->plain || secret_new(path, p->new_passphrase, &passphrase, &err)) &&
                keys_sealed_write(path, &key, p->plain ? NULL : &passphrase, true, &err);
    keys_wipe(&key, sizeof key);
    keys_wipe(&passphrase, sizeof passphrase);
    if (!good)
        return output_problem(&x->out, EXIT_REFUSED, &err);
    if (x->out.json)
        output_json(&x->out, json_pack("{s:s,s:b}", "key", path, "passphrase", !p->plain));
    output_tone(&x->out, TONE_GOOD, 2, "\"%s\" is %s", path,
                p->plain ? "protected by its mode alone" : "under the new passphrase");
    return EXIT_OK;
}

/* ---- the list ------------------------------------------------------------------------------------------------------------ */

static int ask_persons(struct order *o, json_t **answer)
{
    return client_ask(&o->client, json_pack("{s:s}", "command", "persons"), answer);
}

static const char *standing(const json_t *one)
{
    return json_flag(one, "revoked") ? "revoked" : json_flag(one, "valid") ? "valid" : "not valid now";
}

static void print_persons(struct inspect *x, const json_t *answer)
{
    static const struct column columns[] = {
        {"NAME", 0, false}, {"ROLE", 0, false}, {"KEY", 0, false}, {"UNTIL", 1, false}};
    struct table t;
    size_t i;
    json_t *one;
    table_open(&t, columns, 4);
    json_array_foreach(json_object_get(answer, "persons"), i, one)
    {
        char when[CLOCK_TEXT_SIZE];
        long long until = json_number(one, "until", 0);
        table_cell(&t, TONE_STRONG, "%s", json_text(one, "name"));
        table_cell(&t, TONE_PLAIN, "%s", json_text(one, "role"));
        table_cell(&t, json_flag(one, "valid") ? TONE_PLAIN : TONE_WARN, "%s", standing(one));
        table_cell(&t, TONE_PLAIN, "%.10s", until == 0 ? "–" : clock_print(when, until * 1000000));
    }
    table_print(&x->out, &t);
    table_close(&t);
    output_blank(&x->out);
    output_text(
        &x->out, 2,
        json_flag(answer, "two_persons")
            ? "Orders that destroy take two admins (a failover with loss, member remove, durability async)."
            : "Orders that destroy take one admin; from the second admin on they take two.");
}

static int list(struct inspect *x)
{
    json_t *answer;
    int code = client_open(&order.client, x);
    if (code != EXIT_OK || (code = ask_persons(&order, &answer)) != EXIT_OK)
        return code;
    if (x->out.json) {
        output_json(&x->out, answer);
        return EXIT_OK;
    }
    print_persons(x, answer);
    json_decref(answer);
    return EXIT_OK;
}

/* ---- added, removed ------------------------------------------------------------------------------------------------------ */

static int check_person(struct order *o, const struct person *p, struct member *m)
{
    struct inspect *x = o->x;
    if (p->role == NULL || !cluster_role_parse(&m->role, p->role) || !role_is_person(m->role))
        return usage(x, p->role == NULL ? "no role is named" : text("\"%s\" is no role of a person", p->role),
                     "It is one of viewer, operator and admin: --role ROLE.");
    if (!cluster_name_valid(p->name))
        return usage(x, text("\"%s\" is no name", p->name),
                     "A name is a lower-case letter, then letters, digits, \"-\" and \"_\".");
    if ((p->out == NULL) == (p->public == NULL))
        return usage(x, "one key is wanted",
                     "Either --out FILE makes one, or --public HEX names the one that the person has made.");
    if (cluster_find(&o->cluster, p->name) != NULL)
        return output_fail(&x->out, EXIT_REFUSED, text("there is a \"%s\" already", p->name),
                           cluster_find(&o->cluster, p->name)->member.revoked
                               ? "It was revoked; names are not used twice."
                               : NULL,
                           "Take another name.");
    if (o->cluster.n == MEMBERS_MAX)
        return output_fail(&x->out, EXIT_REFUSED, "the cluster has as many members as it may have",
                           text("%d were ever in it, persons and revoked ones included.", o->cluster.n),
                           NULL);
    return EXIT_OK;
}

static int fill_person(struct order *o, const struct person *p, struct cluster_member *m)
{
    struct problem err = {0};
    long days = 0;
    char *end;
    if (p->valid != NULL) {
        days = strtol(p->valid, &end, 10);
        if (days < 1 || days > DAYS_MAX || *end != '\0')
            return usage(o->x, text("\"%s\" is no validity", p->valid), "A number of days is wanted.");
        m->until = (int64_t)time(NULL) + days * 86400;
    }
    for (int i = 0; i < o->cluster.n; i++)
        if (o->cluster.members[i].member.id >= m->member.id)
            m->member.id = (member_id)(o->cluster.members[i].member.id + 1);
    snprintf(m->member.name, sizeof m->member.name, "%s", p->name);
    snprintf(m->member.site, sizeof m->member.site, "%s", o->cluster.members[0].member.site);
    if (p->public != NULL && !hex_get(m->member.key, KEY_SIZE, p->public, strlen(p->public)))
        return usage(o->x, "--public: not a public key", text("It has %d hex digits.", 2 * KEY_SIZE));
    if (p->out != NULL && !key_make(o->x, p, m->member.key, &err))
        return output_problem(&o->x->out, EXIT_REFUSED, &err);
    return EXIT_OK;
}

static void tell_added(struct order *o, const struct person *p, const struct cluster_member *m)
{
    json_t *answer = NULL;
    struct output *out = &o->x->out;
    bool two = ask_persons(o, &answer) == EXIT_OK && json_flag(answer, "two_persons");
    char hex[2 * KEY_SIZE + 1];
    hex_put(hex, m->member.key, KEY_SIZE);
    if (out->json)
        output_json(out, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s?,s:b}", "cluster", o->cluster.name, "command",
                                   "operator", "name", p->name, "role", p->role, "public", hex, "key", p->out,
                                   "two_persons", two));
    output_text(out, 2, "%s is %s of cluster %s", p->name, right_role_name(m->member.role), o->cluster.name);
    if (p->out != NULL)
        output_text(out, 2, "the key is in \"%s\"", p->out);
    if (two)
        output_text(out, 2, "orders that destroy take two admins now");
    json_decref(answer);
}

static int add(struct inspect *x, const struct person *p)
{
    struct cluster_member m = {.member = {.id = 1}};
    struct key root = {0};
    char line[ROSTER_LINE_SIZE];
    int code = order_look(&order, x);
    if (code != EXIT_OK)
        return code;
    if ((code = check_person(&order, p, &m.member)) == EXIT_OK)
        code = rootkey_of(&order, &p->root, &root);
    if (code == EXIT_OK && (code = fill_person(&order, p, &m)) == EXIT_OK) {
        cluster_certify(&order.cluster, &m, &root);
        roster_sign_member(line, &order.cluster, &m, order.roster.version + 1, &root);
        if ((code = rekey_submit(&order, line)) == EXIT_OK)
            tell_added(&order, p, &m);
    }
    keys_wipe(&root, sizeof root);
    order_close(&order);
    return code;
}

static int remove_person(struct inspect *x, const struct person *p)
{
    char line[ROSTER_LINE_SIZE];
    struct key root = {0};
    int code = order_look(&order, x);
    if (code != EXIT_OK)
        return code;
    const struct cluster_member *m = cluster_find(&order.cluster, p->name);
    if (m == NULL || !role_is_person(m->member.role))
        code = output_fail(
            &x->out, EXIT_UNKNOWN, text("\"%s\" is no operator of cluster %s", p->name, order.cluster.name),
            m != NULL ? "It is a member with a process." : NULL,
            m != NULL ? "\"pgmesh member remove\" is for those." : "\"pgmesh operator list\" names them.");
    if (code == EXIT_OK)
        code = rootkey_of(&order, &p->root, &root);
    if (code == EXIT_OK) {
        roster_sign_revocation(line, &order.cluster, m->member.id, order.roster.version + 1, &root);
        keys_wipe(&root, sizeof root);
        code = rekey_submit(&order, line);
    }
    if (code == EXIT_OK) {
        if (x->out.json)
            output_json(&x->out, json_pack("{s:s,s:s,s:s,s:b}", "cluster", order.cluster.name, "command",
                                           "operator", "name", p->name, "revoked", 1));
        output_text(&x->out, 2, "the key of %s is revoked: no member takes an order of it any more", p->name);
    }
    order_close(&order);
    return code;
}

/* The rule of two: from the second admin on, always, or never. */
static int set_two_persons(struct inspect *x, const struct person *p)
{
    char line[ROSTER_LINE_SIZE];
    enum two_persons when;
    struct key root = {0};
    json_t *answer = NULL;
    if (!cluster_two_persons_parse(&when, p->name))
        return usage(x, text("\"%s\" is not possible", p->name), "It is one of auto, on and off.");
    int code = order_look(&order, x), admins = 0;
    if (code != EXIT_OK)
        return code;
    for (int i = 0; i < order.cluster.n; i++)
        admins +=
            order.cluster.members[i].member.role == ROLE_ADMIN && !order.cluster.members[i].member.revoked;
    if (when == TWO_PERSONS_ON && admins < 2)
        code = output_fail(
            &x->out, EXIT_REFUSED, "the rule could not be met",
            text("There %s %d admin%s.", admins == 1 ? "is" : "are", admins, admins == 1 ? "" : "s"),
            "Add another one first: pgmesh operator add NAME --role admin.");
    if (code == EXIT_OK && (code = rootkey_of(&order, &p->root, &root)) == EXIT_OK) {
        roster_sign_two_persons(line, &order.cluster, when, order.roster.version + 1, &root);
        if ((code = rekey_submit(&order, line)) == EXIT_OK)
            code = ask_persons(&order, &answer);
    }
    if (code == EXIT_OK && x->out.json)
        output_json(&x->out, json_incref(answer));
    if (code == EXIT_OK)
        output_text(&x->out, 2, "orders that destroy take %s",
                    json_flag(answer, "two_persons") ? "two admins" : "one admin");
    json_decref(answer);
    keys_wipe(&root, sizeof root);
    order_close(&order);
    return code;
}

int command_operator(struct inspect *x)
{
    struct person p = {0};
    const char *word[WORDS_MAX], *value;
    int code = EXIT_OK, n = 0, option;
    while ((option = args_next(x, &value, &code)) >= 0 || (option == ARGS_WORD && n < WORDS_MAX)) {
        if (option == ARGS_WORD)
            word[n++] = value;
        else if (option == PERSON_ROLE)
            p.role = value;
        else if (option == PERSON_ROOT_KEY)
            p.root.file = value;
        else if (option == PERSON_PASSPHRASE)
            p.root.passphrase_file = value;
        else if (option == PERSON_OUT)
            p.out = value;
        else if (option == PERSON_PUBLIC)
            p.public = value;
        else if (option == PERSON_VALID)
            p.valid = value;
        else if (option == PERSON_NEW_PASSPHRASE)
            p.new_passphrase = value;
        else
            p.plain = true;
    }
    if (option == ARGS_STOP)
        return code;
    order.x = x;
    p.name = n == 2 ? word[1] : NULL;
    if (n == 1 && strcmp(word[0], "key") == 0)
        return make_key(x, &p);
    if (n == 1 && strcmp(word[0], "passphrase") == 0)
        return change_passphrase(x, &p);
    if (n == 1 && strcmp(word[0], "list") == 0)
        return list(x);
    if (n == 2 && strcmp(word[0], "add") == 0)
        return add(x, &p);
    if (n == 2 && strcmp(word[0], "remove") == 0)
        return remove_person(x, &p);
    if (n == 2 && strcmp(word[0], "two-persons") == 0)
        return set_two_persons(x, &p);
    return usage(
        x, n == 0 ? "nothing is asked for" : "this is not understood",
        "It is \"operator list\", \"operator key\", \"operator passphrase\", \"operator add NAME\", \"operator remove NAME\" or "
        "\"operator two-persons auto|on|off\".");
}

/* ---- what waits ------------------------------------------------------------------------------------------------------------ */

int command_pending(struct inspect *x)
{
    static const struct column columns[] = {
        {"NUMBER", 0, false}, {"BY", 0, false}, {"ORDER", 0, false}, {"LEFT", 1, true}, {"WHY", 2, false}};
    json_t *answer, *one;
    struct table t;
    size_t i;
    int code = EXIT_OK;
    if (!args_none(x, &code) || (code = client_open(&order.client, x)) != EXIT_OK ||
        (code = ask_persons(&order, &answer)) != EXIT_OK)
        return code;
    if (x->out.json) {
        output_json(&x->out, answer);
        return EXIT_OK;
    }
    if (json_array_size(json_object_get(answer, "pending")) == 0)
        output_text(&x->out, 0, "No order waits for a second person.");
    table_open(&t, columns, 5);
    json_array_foreach(json_object_get(answer, "pending"), i, one)
    {
        table_cell(&t, TONE_STRONG, "%s", json_text(one, "number"));
        table_cell(&t, TONE_PLAIN, "%s", json_text(one, "by"));
        table_cell(&t, TONE_PLAIN, "%s %s%s", json_text(one, "command"), json_text(one, "target"),
                   json_flag(one, "allow_data_loss") ? ", data may be lost" : "");
        table_cell(&t, TONE_PLAIN, "%lld s", json_number(one, "left_s", 0));
        table_cell(&t, TONE_FAINT, "%s", json_text(one, "why"));
    }
    if (i > 0)
        table_print(&x->out, &t);
    table_close(&t);
    json_decref(answer);
    return EXIT_OK;
}

/* The order of that number, or of the one that begins so, as its first signature covers it. */
static bool find_order(const json_t *answer, const char *number, struct command *m)
{
    uint8_t bytes[STATEMENT_MAX];
    const char *hex = NULL;
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(answer, "pending"), i, one)
    {
        if (strncmp(json_text(one, "number"), number, strlen(number)) != 0)
            continue;
        if (hex != NULL)
            return false;
        hex = json_text(one, "order");
    }
    size_t n = hex != NULL ? strlen(hex) / 2 : 0;
    return n > 0 && n <= sizeof bytes && hex_get(bytes, n, hex, strlen(hex)) && wire_get_command(m, bytes, n);
}

/* What is signed is what stands in the bytes, whatever the member says of them. */
static int check_order(struct order *o, const struct command *m)
{
    uint8_t bytes[STATEMENT_MAX];
    const struct cluster_member *who = cluster_member(&o->cluster, m->who);
    if (who == NULL || !right_reaches(who->member.role, right_role(m)) ||
        !sign_holds(m->signature, who->member.key, bytes, command_bytes(bytes, &o->cluster.id, m)))
        return output_fail(&o->x->out, EXIT_REFUSED, "the order's first signature does not hold",
                           "It is of nobody who may give it in this cluster.", NULL);
    if (m->who == o->who->member.id)
        return output_fail(&o->x->out, EXIT_PERMISSION, "no permission: it is your own order",
                           "The second signature is another person's.",
                           "\"pgmesh operator list\" shows who may.");
    if (!right_reaches(o->who->member.role, right_role(m)))
        return output_fail(
            &o->x->out, EXIT_PERMISSION,
            text("no permission: %s is %s", o->who->member.name, right_role_name(o->who->member.role)),
            text("\"%s\" takes %s.", right_deed(m->kind), right_role_name(right_role(m))),
            "\"pgmesh operator list\" shows who may.");
    return EXIT_OK;
}

int command_approve(struct inspect *x)
{
    const char *value = NULL, *number = NULL;
    json_t *answer = NULL;
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) == ARGS_WORD && number == NULL)
        number = value;
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD || number == NULL || *number == '\0')
        return usage(x, number == NULL ? "no order is named" : text("unexpected word \"%s\"", value),
                     "One order is approved by its number: \"pgmesh pending\" shows it.");
    if ((code = order_open(&order, x)) != EXIT_OK)
        return code;
    struct command *m = &order.command;
    if ((code = ask_persons(&order, &answer)) == EXIT_OK && !find_order(answer, number, m))
        code = output_fail(&x->out, EXIT_UNKNOWN, text("no order \"%s\" waits", number),
                           "It was carried out, its time is over, or the record has changed since.",
                           "\"pgmesh pending\" shows those that wait; it may have to be given again.");
    json_decref(answer);
    if (code == EXIT_OK)
        code = check_order(&order, m);
    if (code == EXIT_OK) {
        const char *target = m->target == MEMBER_NONE ? "" : cluster_member_name(&order.cluster, m->target);
        snprintf(order.deed, sizeof order.deed, "%s %s", right_deed(m->kind), target);
        output_tone(&x->out, TONE_FAINT, 2, "%s orders: %s %s%s", cluster_member_name(&order.cluster, m->who),
                    right_deed(m->kind), target, m->allow_data_loss ? ", data may be lost" : "");
        code = order_approve(&order);
    }
    order_close(&order);
    return code;
}
