/* invitation.c: see invitation.h. */
#define _GNU_SOURCE
#include "mesh/inspect/invitation.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mesh/inspect/enlist.h"
#include "mesh/inspect/make.h"
#include "mesh/inspect/parcel.h"
#include "mesh/inspect/problems.h"
#include "mesh/io/clock.h"
#include "mesh/io/file.h"
#include "mesh/io/invites.h"

bool invitation_valid(struct invitation *v, const char *value, struct problem *err)
{
    char *unit;
    long n = strtol(value, &unit, 10);
    long seconds = strcmp(unit, "min") == 0 ? 60
                   : strcmp(unit, "h") == 0 ? 3600
                   : strcmp(unit, "d") == 0 ? 86400
                                            : 0;
    if (seconds > 0 && n > 0 && n <= INVITE_VALID_MAX_S && n * seconds >= INVITATION_VALID_MIN_S &&
        n * seconds <= INVITE_VALID_MAX_S) {
        v->valid_s = n * seconds;
        return true;
    }
    problem_fact(err, "--valid: \"%s\" is not possible", value);
    return problem_detail(err, "A time from 1min to 7d is wanted, with its unit: min, h or d.");
}

/* ---- made, and left with a member ------------------------------------------------------------------------------------ */

/* In memory where that is to be had: the folder holds a key and passwords, open. */
static bool make_shelter(char path[static FILE_PATH_SIZE], struct problem *err)
{
    static const char *const places[] = {"/dev/shm", "/tmp"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(path, FILE_PATH_SIZE, "%s/pgmesh-invite-XXXXXX", places[i]);
        if (mkdtemp(path) != NULL)
            return true;
    }
    return problem_fact(err, "cannot make a folder in /dev/shm or /tmp");
}

int invitation_give(struct order *o, struct enlist *e)
{
    static char out[FILE_PATH_SIZE];
    char shelter[FILE_PATH_SIZE - 16];
    struct problem err = {0};
    struct inspect *x = o->x;
    if (e->plan.out != NULL || e->sign != NULL)
        return usage(
            x, text("\"invite\" takes no --%s", e->sign ? "sign" : "out"),
            "The folder waits with the member that is asked, closed by the token; \"add\" makes one here.");
    if (e->invitation.token_file != NULL && access(e->invitation.token_file, F_OK) == 0)
        return output_fail(&x->out, EXIT_REFUSED, text("\"%s\" exists", e->invitation.token_file), NULL,
                           "Name another file for the token.");
    if (!make_shelter(out, &err))
        return output_problem(&x->out, EXIT_REFUSED, &err);
    snprintf(shelter, sizeof shelter, "%s", out);
    strcat(out, "/member");
    e->plan.out = out;
    int code = enlist_member(o, e);
    make_remove(shelter);
    keys_wipe(&e->invitation.token, sizeof e->invitation.token);
    return code;
}

static const char *hex_text(const void *bytes, size_t n)
{
    char hex[2 * SIGNATURE_SIZE + 1];
    hex_put(hex, bytes, n);
    return text("%s", hex);
}

/* The closed folder in base64, and its ticket. */
static char *close_up(struct order *o, struct invitation *v, const char *folder,
                      const struct cluster_member *m, const struct key *root, struct problem *err)
{
    struct invite_ticket *t = &v->ticket;
    uint8_t claim[HASH_SIZE], *closed = malloc(INVITE_CLOSED_MAX);
    char *base64 = malloc(INVITE_BASE64_SIZE);
    size_t n = 0;
    uint8_t *parcel = parcel_pack(folder, &n, err);
    if (parcel == NULL || closed == NULL || base64 == NULL) {
        free(base64);
        base64 = NULL;
    } else {
        invite_token_make(&v->token, o->cluster.root);
        invite_claim(claim, &v->token);
        memset(t, 0, sizeof *t);
        t->member = m->member.id;
        snprintf(t->name, sizeof t->name, "%s", m->member.name);
        t->until = (int64_t)time(NULL) + v->valid_s;
        invite_id(t->id, claim);
        invite_close(closed, &v->token, parcel, n);
        sign_hash(t->hash, closed, n + INVITE_CLOSING);
        invite_ticket_sign(t, &o->cluster.id, root);
        base64_put(base64, INVITE_BASE64_SIZE, closed, n + INVITE_CLOSING);
        keys_wipe(claim, sizeof claim);
        keys_wipe(parcel, n);
    }
    free(parcel);
    free(closed);
    return base64;
}

static bool write_token(const struct invitation *v, struct problem *err)
{
    char line[INVITE_TOKEN_SIZE + 1];
    invite_token_print(line, &v->token);
    strcat(line, "\n");
    bool good = file_replace(v->token_file, line, strlen(line), 0600, err);
    keys_wipe(line, sizeof line);
    return good;
}

int invitation_leave(struct order *o, struct invitation *v, const char *folder,
                     const struct cluster_member *m, const struct key *root)
{
    struct problem err = {0};
    const struct invite_ticket *t = &v->ticket;
    json_t *answer = NULL;
    char *base64 = close_up(o, v, folder, m, root, &err);
    if (base64 == NULL || (v->token_file != NULL && !write_token(v, &err))) {
        free(base64);
        return output_problem(&o->x->out, EXIT_REFUSED, &err);
    }
    int code = client_ask(&o->client,
                          json_pack("{s:s, s:{s:i, s:s, s:s, s:I, s:s, s:s}}", "command", "invite", "deposit",
                                    "member", (int)t->member, "name", t->name, "id",
                                    hex_text(t->id, HASH_SIZE), "until", (json_int_t)t->until, "ticket",
                                    hex_text(t->signature, SIGNATURE_SIZE), "closed", base64),
                          &answer);
    if (code == EXIT_OK)
        snprintf(v->keeper, sizeof v->keeper, "%s", json_text(answer, "member"));
    else if (v->token_file != NULL)
        unlink(v->token_file);
    json_decref(answer);
    free(base64);
    return code;
}

static json_t *recall_request(const struct order *o, const uint8_t id[static HASH_SIZE],
                              const struct key *root)
{
    uint8_t word[SIGNATURE_SIZE];
    invite_recall_sign(word, &o->cluster.id, id, root);
    return json_pack("{s:s, s:{s:s, s:s}}", "command", "invite", "recall", "id", hex_text(id, HASH_SIZE),
                     "word", hex_text(word, SIGNATURE_SIZE));
}

void invitation_undo(struct order *o, const struct invitation *v, const struct key *root)
{
    json_t *answer = NULL;
    if (v->keeper[0] == '\0')
        return;
    client_ask_any(&o->client, recall_request(o, v->ticket.id, root), &answer);
    json_decref(answer);
    if (v->token_file != NULL)
        unlink(v->token_file);
}

void invitation_tell(struct order *o, struct invitation *v)
{
    struct output *out = &o->x->out;
    char token[INVITE_TOKEN_SIZE], until[CLOCK_TEXT_SIZE];
    const struct cluster_member *keeper = cluster_find(&o->cluster, v->keeper);
    const char *host = keeper && keeper->n_mesh ? keeper->mesh[0].host : v->keeper;
    const char *url = text(strchr(host, ':') ? "http://[%s]:8008" : "http://%s:8008", host);
    invite_token_print(token, &v->token);
    clock_print(until, v->ticket.until * 1000000);
    if (out->json) {
        output_json(out, json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s?}", "cluster", o->cluster.name, "command",
                                   "member", "member", v->ticket.name, "invited_at", v->keeper, "until",
                                   until, "id", hex_text(v->ticket.id, HASH_SIZE), "token",
                                   v->token_file ? NULL : token));
    } else {
        output_text(out, 2, "%s is a member of cluster %s, and may fetch its folder from %s until %s, once",
                    v->ticket.name, o->cluster.name, v->keeper, until);
        output_blank(out);
        if (v->token_file != NULL)
            output_text(out, 2,
                        "The token is in \"%s\": whoever has it becomes %s. Remove it when the host has it.",
                        v->token_file, v->ticket.name);
        else {
            output_text(out, 2, "The token, shown this once; whoever has it becomes %s:", v->ticket.name);
            fprintf(out->to, "\n    %s\n\n", token);
        }
        output_text(
            out, 2,
            "On its host, where %s runs pgmesh-http at an address that it reaches: pgmesh join --from %s",
            v->keeper, url);
    }
    keys_wipe(token, sizeof token);
}

/* ---- those that stand ------------------------------------------------------------------------------------------------ */

static void print_list(struct inspect *x, const json_t *answer)
{
    static const struct column columns[] = {{"MEMBER", 0, false}, {"TOKEN", 0, false},
                                            {"UNTIL", 1, false},  {"TAKEN", 2, false},
                                            {"FROM", 1, false},   {"SHOWN AGAIN", 1, true}};
    struct table t;
    size_t i;
    json_t *one;
    table_open(&t, columns, 6);
    json_array_foreach(json_object_get(answer, "invitations"), i, one)
    {
        long long reused = json_number(one, "reused", 0);
        table_cell(&t, TONE_STRONG, "%s", json_text(one, "name"));
        table_cell(&t, TONE_PLAIN, "%s", json_text(one, "state"));
        table_cell(&t, TONE_PLAIN, "%.19sZ", json_text(one, "until"));
        table_cell(&t, TONE_PLAIN, "%.19s", json_text(one, "taken"));
        table_cell(&t, TONE_PLAIN, "%s", json_text(one, "from"));
        table_cell(&t, reused ? TONE_BAD : TONE_PLAIN, "%lld", reused);
    }
    if (i > 0)
        table_print(&x->out, &t);
    else
        output_text(&x->out, 0, "Nobody is invited at %s.", json_text(answer, "member"));
    table_close(&t);
}

int invitation_list(struct order *o, struct inspect *x)
{
    json_t *answer = NULL;
    int code = client_open(&o->client, x);
    if (code == EXIT_OK)
        code = client_ask(&o->client, json_pack("{s:s}", "command", "invite"), &answer);
    if (code != EXIT_OK)
        return code;
    if (x->out.json) {
        output_json(&x->out, answer);
        return EXIT_OK;
    }
    print_list(x, answer);
    json_decref(answer);
    return EXIT_OK;
}

/* Its id, where it waits. */
static int find_waiting(struct order *o, const char *name, uint8_t id[static HASH_SIZE])
{
    json_t *answer = NULL, *one;
    size_t i;
    bool found = false;
    int code = client_ask(&o->client, json_pack("{s:s}", "command", "invite"), &answer);
    json_array_foreach(json_object_get(answer, "invitations"), i, one)
    {
        const char *hex = json_text(one, "id");
        found = found ||
                (strcmp(json_text(one, "name"), name) == 0 &&
                 strcmp(json_text(one, "state"), "waiting") == 0 && hex_get(id, HASH_SIZE, hex, strlen(hex)));
    }
    if (code == EXIT_OK && !found)
        code =
            output_fail(&o->x->out, EXIT_UNKNOWN,
                        text("no token of \"%s\" waits at %s", name, json_text(answer, "member")),
                        "An invitation stands with the member that was asked when it was made.",
                        "\"pgmesh member invite --list\" tells of those here; one that was used is ended by "
                        "\"pgmesh member remove NAME --root-key FILE\".");
    json_decref(answer);
    return code;
}

int invitation_withdraw(struct order *o, struct inspect *x, const char *name, const struct rootkey *root_key)
{
    uint8_t id[HASH_SIZE];
    struct key root;
    json_t *answer = NULL;
    int code = order_look(o, x);
    if (code != EXIT_OK)
        return code;
    if ((code = find_waiting(o, name, id)) == EXIT_OK && (code = rootkey_of(o, root_key, &root)) == EXIT_OK) {
        code = client_ask(&o->client, recall_request(o, id, &root), &answer);
        keys_wipe(&root, sizeof root);
    }
    json_decref(answer);
    if (code == EXIT_OK && x->out.json)
        output_json(&x->out, json_pack("{s:s,s:s,s:s}", "cluster", o->cluster.name, "command", "member",
                                       "member", name));
    if (code == EXIT_OK) {
        output_tone(&x->out, TONE_GOOD, 2, "the token of %s is good for nothing any more", name);
        output_text(&x->out, 2, "It is a member still: pgmesh member remove %s --root-key FILE", name);
    }
    order_close(o);
    return code;
}
