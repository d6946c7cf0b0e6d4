/* root.c: pgmesh root: another root key for the cluster, another passphrase for its file. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/problems.h"
#include "mesh/inspect/rootkey.h"

enum { ROOT_KEY, ROOT_PASSPHRASE_FILE, ROOT_NEW, ROOT_NEW_PASSPHRASE_FILE, ROOT_NO_PASSPHRASE };
// clang-format off
const struct option_row options_root[] = {
    [ROOT_KEY] = {"root-key", "FILE", "the present root key"},
    [ROOT_PASSPHRASE_FILE] = {"passphrase-file", "FILE", "its passphrase (mode 0600), instead of asking at the terminal"},
    [ROOT_NEW] = {"new", "FILE", "rotate: where to write the new root key; must not exist"},
    [ROOT_NEW_PASSPHRASE_FILE] = {"new-passphrase-file", "FILE", "the new passphrase, instead of asking"},
    [ROOT_NO_PASSPHRASE] = {"no-passphrase", NULL, "the new file is protected by its mode alone"},
    {NULL, NULL, NULL},
};
// clang-format on

struct root {
    struct inspect *x;
    struct rootkey present;
    const char *new, *new_passphrase_file;
    bool no_passphrase;
};
static struct order order;

/* ---- passphrases ---------------------------------------------------------------------------------------------------- */

/* The new file; NULL passphrase: none. */
static int write_key(const struct root *r, const char *path, const struct key *k, bool replace)
{
    struct passphrase p;
    struct problem err = {0};
    bool good = r->no_passphrase ||
                (r->new_passphrase_file
                     ? passphrase_read_file(r->new_passphrase_file, &p, &err)
                     : passphrase_read_terminal(text("New passphrase of %s: ", path), true, &p, &err));
    good = good && keys_sealed_write(path, k, r->no_passphrase ? NULL : &p, replace, &err);
    keys_wipe(&p, sizeof p);
    return good ? EXIT_OK : output_problem(&r->x->out, EXIT_REFUSED, &err);
}

static int passphrase(struct root *r)
{
    struct key root;
    bool sealed = false;
    int code = rootkey_read(r->x, &r->present, &root, &sealed);
    if (code != EXIT_OK)
        return code;
    code = write_key(r, r->present.file, &root, true);
    keys_wipe(&root, sizeof root);
    if (code == EXIT_OK && r->x->out.json)
        output_json(&r->x->out, json_pack("{s:s,s:s,s:b,s:b}", "command", "root", "file", r->present.file,
                                          "passphrase", !r->no_passphrase, "had_passphrase", sealed));
    if (code == EXIT_OK)
        output_tone(&r->x->out, TONE_GOOD, 2, "\"%s\" is %s", r->present.file,
                    r->no_passphrase ? "protected by its mode alone" : "under the new passphrase");
    return code;
}

/* ---- rotation ------------------------------------------------------------------------------------------------------- */

/* The chain's next link, signed by the present key; then all that stands, signed anew by the next.  Heap. */
static char *lines_of(const struct order *o, const struct key *present, const struct key *next)
{
    char *lines = NULL, line[ROSTER_LINE_SIZE];
    size_t n = 0;
    uint64_t version = o->roster.version + 1;
    static struct cluster anew;
    FILE *f = open_memstream(&lines, &n);
    if (f == NULL)
        return NULL;
    anew = o->cluster;
    memcpy(anew.root, next->public, KEY_SIZE);
    roster_sign_root(line, &o->cluster, next->public, version, present);
    fputs(line, f);
    for (int i = 0; i < anew.n; i++) {
        cluster_certify(&anew, &anew.members[i], next);
        roster_sign_member(line, &anew, &anew.members[i], version + 1, next);
        fprintf(f, "\n%s", line);
    }
    for (int i = 0; i < o->roster.n; i++) {
        const struct roster_line *l = &o->roster.line[i];
        if (l->kind == ROSTER_ROOT || l->kind == ROSTER_MEMBER || l->kind == ROSTER_RETIRE)
            continue;
        roster_sign_again(line, &anew, l, version + 2, next);
        fprintf(f, "\n%s", line);
    }
    fclose(f);
    return lines;
}

/* What the new key has signed, for the eyes of whoever ordered it: a stranger among them came by the old one. */
static void tell(struct root *r, const struct order *o)
{
    struct output *out = &r->x->out;
    json_t *members = json_array();
    for (int i = 0; i < o->cluster.n; i++)
        json_array_append_new(members, json_pack("{s:s,s:s,s:b}", "name", o->cluster.members[i].member.name,
                                                 "role", cluster_role_name(o->cluster.members[i].member.role),
                                                 "revoked", (int)o->cluster.members[i].member.revoked));
    if (out->json)
        output_json(out,
                    json_pack("{s:s,s:s,s:s,s:I,s:O}", "cluster", o->cluster.name, "command", "root", "file",
                              r->new, "version", (json_int_t)o->roster.version, "members", members));
    output_tone(out, TONE_GOOD, 2,
                "cluster %s has a new root key, in \"%s\"; it signed anew:", o->cluster.name, r->new);
    for (int i = 0; i < o->cluster.n; i++) {
        const struct member *m = &o->cluster.members[i].member;
        output_text(out, 6, "    %s, %s in %s%s", m->name, cluster_role_name(m->role), m->site,
                    m->revoked ? ", revoked" : "");
    }
    output_text(out, 2,
                "Keep it offline. What the former one signs from now on is refused: destroy its copies when "
                "\"pgmesh members\" shows nobody down.");
    json_decref(members);
}

static int hand_over(struct root *r, struct order *o, const struct key *present)
{
    struct key next;
    keys_generate(&next, NULL);
    /* On disk before anybody is told: a root key that is lost cannot be replaced. */
    int code = write_key(r, r->new, &next, false);
    char *lines = code == EXIT_OK ? lines_of(o, present, &next) : NULL;
    if (code == EXIT_OK && lines == NULL)
        code = output_fail(&r->x->out, EXIT_REFUSED, "out of memory", NULL, NULL);
    if (code == EXIT_OK)
        code = rekey_submit(o, lines);
    if (code == EXIT_OK)
        code = client_roster(&o->client, &o->roster, &o->cluster);
    if (code == EXIT_OK && memcmp(o->cluster.root, next.public, KEY_SIZE) != 0)
        code = output_fail(&r->x->out, EXIT_REFUSED, "the member did not take the new root key", NULL,
                           "Is it older than this program?");
    if (code == EXIT_OK)
        tell(r, o);
    free(lines);
    keys_wipe(&next, sizeof next);
    return code;
}

static int rotate(struct root *r)
{
    struct key present;
    if (r->new == NULL)
        return usage(r->x, "no file for the new key is named", "It is written to --new FILE.");
    int code = order_open(&order, r->x);
    if (code != EXIT_OK)
        return code;
    code = rootkey_of(&order, &r->present, &present);
    if (code == EXIT_OK) {
        code = hand_over(r, &order, &present);
        keys_wipe(&present, sizeof present);
    }
    order_close(&order);
    return code;
}

int command_root(struct inspect *x)
{
    struct root r = {.x = x};
    const char *value, *word = NULL;
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) >= 0 || (option == ARGS_WORD && word == NULL))
        switch (option) {
        case ARGS_WORD: word = value; break;
        case ROOT_KEY: r.present.file = value; break;
        case ROOT_PASSPHRASE_FILE: r.present.passphrase_file = value; break;
        case ROOT_NEW: r.new = value; break;
        case ROOT_NEW_PASSPHRASE_FILE: r.new_passphrase_file = value; break;
        case ROOT_NO_PASSPHRASE: r.no_passphrase = true; break;
        }
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), NULL);
    if (word && strcmp(word, "rotate") == 0)
        return rotate(&r);
    if (word && strcmp(word, "passphrase") == 0)
        return passphrase(&r);
    return usage(x, word ? text("\"%s\" is not understood", word) : "nothing is asked for",
                 "It is \"root rotate\" or \"root passphrase\".");
}
