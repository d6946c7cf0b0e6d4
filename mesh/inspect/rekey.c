/* rekey.c: pgmesh member rotate and renew.
 *
 * A member makes its new key itself, and its secret half stays there.  What the root key signs is the public half, which
 * comes from the member's control socket, or by a file from one on another host; the member's present key vouches for it. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mesh/inspect/problems.h"
#include "mesh/inspect/rootkey.h"
#include "mesh/io/file.h"

enum { TURN_TRIES = 120, TURN_MS = 500, REQUEST_MAX = 4096, SECONDS_PER_DAY = 86400 };
static const char heading[] = "pgmesh-request 1", nobody[] = "-";

/* A new key that its owner asks to have certified. */
struct request {
    char name[NAME_SIZE];
    uint8_t key[KEY_SIZE], proof[SIGNATURE_SIZE];
};

int rekey_submit(struct order *o, const char *lines)
{
    json_t *answer = NULL;
    int code = client_ask(&o->client, json_pack("{s:s,s:s}", "command", "roster", "line", lines), &answer);
    json_decref(answer);
    return code;
}

int64_t rekey_until(int64_t days)
{
    return (int64_t)time(NULL) + days * SECONDS_PER_DAY;
}

/* ---- what the member asks for ------------------------------------------------------------------------------------- */

static int ask_member(struct client *c, const char *name, struct request *q)
{
    json_t *answer = NULL;
    int code = client_ask(c, json_pack("{s:s}", "command", "key"), &answer);
    const char *who = json_text(answer, "member"), *key = json_text(answer, "key"),
               *proof = json_text(answer, "proof");
    if (code == EXIT_OK && strcmp(who, name) != 0)
        code = output_fail(
            &c->x->out, EXIT_REFUSED, text("the member that was asked is \"%s\", not \"%s\"", who, name),
            "A member makes its new key itself, so it is asked on its own host.",
            text("Ask there, by --config or --control: pgmesh member rotate %s --request FILE; "
                 "then sign the file here with --sign FILE.",
                 name));
    if (code == EXIT_OK && (!hex_get(q->key, KEY_SIZE, key, strlen(key)) ||
                            !hex_get(q->proof, SIGNATURE_SIZE, proof, strlen(proof))))
        code = output_fail(&c->x->out, EXIT_REFUSED, "the member's answer is not understood", NULL,
                           "Is the member older than this program?");
    snprintf(q->name, sizeof q->name, "%s", name);
    json_decref(answer);
    return code;
}

/* Kind, name, key and proof: a request to join names nobody. */
static bool read_request(const char *path, const char *wanted, struct request *q, struct problem *err)
{
    size_t n;
    char *file = file_read(path, FILE_TEXT, REQUEST_MAX, &n, err), *rest = NULL;
    if (file == NULL)
        return false;
    char *line = strtok_r(file, "\n", &rest), *kind = strtok_r(NULL, " \n", &rest),
         *name = strtok_r(NULL, " \n", &rest), *key = strtok_r(NULL, " \n", &rest),
         *proof = strtok_r(NULL, " \n", &rest);
    bool good = proof && strcmp(line, heading) == 0 && strcmp(kind, wanted) == 0 &&
                (strcmp(name, nobody) == 0 || cluster_name_valid(name)) &&
                hex_get(q->key, KEY_SIZE, key, strlen(key)) &&
                hex_get(q->proof, SIGNATURE_SIZE, proof, strlen(proof));
    if (good)
        snprintf(q->name, sizeof q->name, "%s", name);
    free(file);
    if (good)
        return true;
    problem_fact(err, "\"%s\" is not a request to %s", path, wanted);
    return problem_hint(err, strcmp(wanted, "join") == 0
                                 ? "The new host writes one: pgmesh join --key FILE --request FILE."
                                 : "The member's host writes one: pgmesh member rotate NAME --request FILE.");
}

static bool write_request_file(const char *path, const char *kind, const struct request *q,
                               struct problem *err)
{
    char key[2 * KEY_SIZE + 1], proof[2 * SIGNATURE_SIZE + 1];
    hex_put(key, q->key, KEY_SIZE);
    hex_put(proof, q->proof, SIGNATURE_SIZE);
    const char *lines = text("%s\n%s %s %s %s\n", heading, kind, q->name, key, proof);
    return file_replace(path, lines, strlen(lines), 0644, err);
}

/* No cluster is known yet: its own key vouches for it, under an id of zeros. */
bool rekey_read_join(const char *path, uint8_t key[static KEY_SIZE], struct problem *err)
{
    struct request q;
    if (!read_request(path, "join", &q, err))
        return false;
    memcpy(key, q.key, KEY_SIZE);
    return cluster_request_holds(q.proof, &(struct cluster_id){{0}}, nobody, key, key) ||
           problem_fact(err, "\"%s\" is not signed by the key that it asks for", path);
}

bool rekey_write_join(const char *path, const struct key *key, struct problem *err)
{
    struct request q = {.name = "-"};
    memcpy(q.key, key->public, KEY_SIZE);
    cluster_request_sign(q.proof, &(struct cluster_id){{0}}, nobody, key->public, key);
    return write_request_file(path, "join", &q, err);
}

static int write_request(struct inspect *x, const struct rekey *r)
{
    struct client client;
    struct request q;
    struct problem err = {0};
    char key[2 * KEY_SIZE + 1];
    int code = client_open(&client, x);
    if (code == EXIT_OK)
        code = ask_member(&client, r->name, &q);
    if (code != EXIT_OK)
        return code;
    hex_put(key, q.key, KEY_SIZE);
    if (!write_request_file(r->request, "rotate", &q, &err))
        return output_problem(&x->out, EXIT_REFUSED, &err);
    if (x->out.json)
        output_json(&x->out, json_pack("{s:s,s:s,s:s,s:s}", "command", "member", "member", r->name, "key",
                                       key, "request", r->request));
    output_text(&x->out, 2, "%s has made its new key; what it asks for is in \"%s\" and is no secret",
                r->name, r->request);
    output_text(&x->out, 2, "Where the root key is: pgmesh member rotate %s --sign %s --root-key FILE",
                r->name, r->request);
    return EXIT_OK;
}

static int get_request(struct order *o, const struct rekey *r, struct request *q)
{
    struct problem err = {0};
    const struct cluster_member *m = cluster_find(&o->cluster, r->name);
    if (r->sign == NULL) {
        int code = ask_member(&o->client, r->name, q);
        if (code != EXIT_OK)
            return code;
    } else if (!read_request(r->sign, "rotate", q, &err))
        return output_problem(&o->x->out, EXIT_REFUSED, &err);
    if (strcmp(q->name, r->name) != 0)
        return output_fail(&o->x->out, EXIT_REFUSED,
                           text("\"%s\" is a request of \"%s\", not of \"%s\"", r->sign, q->name, r->name),
                           NULL, NULL);
    if (cluster_request_holds(q->proof, &o->cluster.id, q->name, q->key, m->member.key))
        return EXIT_OK;
    return output_fail(&o->x->out, EXIT_PERMISSION,
                       text("the request is not signed by the present key of %s", r->name),
                       "It is of another cluster, was changed, or is older than the member's last rotation.",
                       "Write a new one on the member's host: pgmesh member rotate NAME --request FILE.");
}

/* ---- the roster's line ---------------------------------------------------------------------------------------------- */

/* The member as it will be, certified; `key` NULL: the one that it has. */
static void renewed(struct cluster_member *m, const struct order *o, const uint8_t *key, int64_t days,
                    const struct key *root)
{
    struct member *b = &m->member;
    if (days >= 0) {
        m->from = 0;
        m->until = days ? rekey_until(days) : 0;
    }
    if (key) {
        memmove(&b->former[1], &b->former[0], sizeof b->former - sizeof b->former[0]);
        memcpy(b->former[0].key, b->key, KEY_SIZE);
        b->former[0].round = KEY_OPEN;
        b->n_former = b->n_former < KEYS_FORMER_MAX ? b->n_former + 1 : KEYS_FORMER_MAX;
        memcpy(b->key, key, KEY_SIZE);
    }
    cluster_certify(&o->cluster, m, root);
}

static const struct cluster_member *target(struct order *o, const char *name, int *code)
{
    const struct cluster_member *m = order_target(o, name, false, code);
    if (m && m->member.revoked)
        *code = output_fail(&o->x->out, EXIT_REFUSED, text("%s is revoked", name), "A revocation is final.",
                            "Add the host under another name.");
    else if (m && member_rotates(&m->member))
        *code = output_fail(&o->x->out, EXIT_REFUSED, text("a rotation of the key of %s is under way", name),
                            "It ends when every voter has heard of it, and the member runs.",
                            "\"pgmesh members\" tells who is down; take the vote of one that stays away.");
    return *code == EXIT_OK ? m : NULL;
}

static int submit_renewal(struct order *o, const struct rekey *r, const uint8_t *key)
{
    char line[ROSTER_LINE_SIZE];
    struct key root;
    int code = rootkey_of(o, &r->root, &root);
    if (code != EXIT_OK)
        return code;
    struct cluster_member m = *cluster_find(&o->cluster, r->name);
    renewed(&m, o, key, r->days, &root);
    roster_sign_member(line, &o->cluster, &m, o->roster.version + 1, &root);
    keys_wipe(&root, sizeof root);
    return rekey_submit(o, line);
}

/* Until the member itself has retired the former key; it does so by itself whether anybody waits or not. */
static int await_turn(struct order *o, const char *name)
{
    struct output *out = &o->x->out;
    int code = EXIT_OK;
    bool turned = false;
    output_text(out, 2,
                "all members are told of the new key of %s; both are good until every voter has heard", name);
    fflush(out->to);
    for (int i = 0; i < TURN_TRIES && !turned && code == EXIT_OK; i++) {
        poll(NULL, 0, TURN_MS);
        code = client_roster(&o->client, &o->roster, &o->cluster);
        turned = !member_rotates(&cluster_find(&o->cluster, name)->member);
    }
    if (code != EXIT_OK)
        return code;
    if (out->json)
        output_json(out, json_pack("{s:s,s:s,s:s,s:I,s:b}", "cluster", o->cluster.name, "command", "member",
                                   "member", name, "version", (json_int_t)o->roster.version, "done", turned));
    if (turned)
        output_tone(out, TONE_GOOD, 2, "%s uses its new key; the former one is refused everywhere", name);
    else
        output_notice(
            out, "the member has not turned to its new key yet",
            "It does so by itself once every voter has heard of it; until then both keys are good.");
    return turned ? EXIT_OK : EXIT_REFUSED;
}

int rekey_rotate(struct order *o, struct inspect *x, const struct rekey *r)
{
    struct request q;
    if (r->request)
        return write_request(x, r);
    int code = order_open(o, x);
    if (code != EXIT_OK)
        return code;
    if (target(o, r->name, &code) != NULL)
        code = get_request(o, r, &q);
    if (code == EXIT_OK)
        code = submit_renewal(o, r, q.key);
    if (code == EXIT_OK)
        code = await_turn(o, r->name);
    order_close(o);
    return code;
}

int rekey_renew(struct order *o, struct inspect *x, const struct rekey *r)
{
    int code = order_open(o, x);
    if (code != EXIT_OK)
        return code;
    if (target(o, r->name, &code) != NULL)
        code = submit_renewal(o, r, NULL);
    if (code == EXIT_OK && x->out.json)
        output_json(&x->out, json_pack("{s:s,s:s,s:s}", "cluster", o->cluster.name, "command", "member",
                                       "member", r->name));
    if (code == EXIT_OK)
        output_tone(&x->out, TONE_GOOD, 2, "%s has a new certificate", r->name);
    order_close(o);
    return code;
}
