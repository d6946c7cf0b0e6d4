/* join_token.c: pgmesh join --from: the new host fetches its folder with the token that it was given (mesh/io/invite.h).
 *
 * What comes is closed by the token, so whoever made it had the token; and its cluster's root key must be the one that the token
 * begins with.  It is judged as the daemon would judge it before it gets its name. */
#define _GNU_SOURCE
#include "mesh/inspect/join.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/fetch.h"
#include "mesh/inspect/make.h"
#include "mesh/inspect/parcel.h"
#include "mesh/inspect/problems.h"
#include "mesh/inspect/secret.h"
#include "mesh/io/folder.h"
#include "mesh/io/json.h"

enum { TRIES_MS = 30000, PAUSE_MS = 1000, ANSWER_S = 15, URL_MAX = 1000, ROLES_ALL = -1 };

struct joining {
    struct inspect *x;
    const struct join *j;
    struct invite_token token;
    char out[FILE_PATH_SIZE];
    uint8_t *parcel; /* open */
    size_t n;
    /* of the folder that was made */
    char cluster[NAME_SIZE], member[NAME_SIZE], root[2 * KEY_SIZE + 1];
    const char *role;
};

static int get_token(struct joining *g)
{
    struct inspect *x = g->x;
    struct passphrase line;
    struct problem err = {0};
    if (g->j->token_file == NULL && !secret_has_terminal())
        return usage(x, "the token is wanted, and there is no terminal to ask at",
                     "Give a file with it, mode 0600: --token-file FILE (fd:N: an open descriptor).");
    bool good = secret_line("Token: ", g->j->token_file, &line, &err) &&
                invite_token_read(&g->token, line.text, &err);
    keys_wipe(&line, sizeof line);
    return good ? EXIT_OK : output_problem(&x->out, EXIT_PERMISSION, &err);
}

/* ---- asked for -------------------------------------------------------------------------------------------------------- */

/* The same number each time: who asks again after a broken connection is known to be the same. */
static void request_print(char body[static FETCH_BODY_MAX], const struct invite_token *t)
{
    static uint8_t taker[HASH_SIZE];
    uint8_t claim[HASH_SIZE];
    char first[2 * HASH_SIZE + 1], second[2 * HASH_SIZE + 1];
    keys_random(taker, sizeof taker);
    invite_claim(claim, t);
    hex_put(first, claim, HASH_SIZE);
    hex_put(second, taker, HASH_SIZE);
    snprintf(body, FETCH_BODY_MAX, "{\"claim\":\"%s\",\"taker\":\"%s\"}", first, second);
    keys_wipe(claim, sizeof claim);
    keys_wipe(first, sizeof first);
}

/* Until somebody has answered for good. */
static int ask(const struct joining *g, char **answer, struct problem *err)
{
    char body[FETCH_BODY_MAX], url[URL_MAX + 8];
    size_t n = strlen(g->j->from);
    snprintf(url, sizeof url, "%s%sjoin", g->j->from, g->j->from[n - 1] == '/' ? "" : "/");
    struct fetch f = {.url = url, .ca_file = g->j->ca_file, .timeout_s = ANSWER_S};
    unsigned most = g->x->timeout_ms != 0 ? g->x->timeout_ms : TRIES_MS;
    int status = 0;
    request_print(body, &g->token);
    for (unsigned waited = 0;; waited += PAUSE_MS) {
        free(*answer);
        *answer = NULL;
        status = fetch_post(&f, body, answer, err);
        if ((status != 0 && status != 429 && status != 503) || waited + PAUSE_MS > most ||
            strstr(err->fact, "not installed") != NULL)
            break;
        poll(NULL, 0, PAUSE_MS);
    }
    keys_wipe(body, sizeof body);
    return status;
}

static int refused(struct joining *g, int status, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const char *detail = json_text(error, "detail"), *hint = json_text(error, "hint");
    if (*json_text(error, "message") == '\0')
        return output_fail(&g->x->out, EXIT_REFUSED,
                           text("%s answers with %d, not as pgmesh-http does", g->j->from, status), NULL,
                           "Is it the address of pgmesh-http, and as new as this program?");
    return output_fail(&g->x->out, status == 503 ? EXIT_NO_CONTACT : EXIT_REFUSED,
                       json_text(error, "message"), *detail ? detail : NULL, *hint ? hint : NULL);
}

/* The closed folder, opened. */
static int open_answer(struct joining *g, const json_t *answer)
{
    uint8_t *closed = malloc(INVITE_CLOSED_MAX);
    size_t n = 0;
    g->parcel = malloc(INVITE_CLOSED_MAX);
    bool good = closed != NULL && g->parcel != NULL &&
                base64_get(closed, INVITE_CLOSED_MAX, &n, json_text(answer, "closed")) &&
                invite_open(g->parcel, &g->n, &g->token, closed, n);
    free(closed);
    snprintf(g->member, sizeof g->member, "%.31s", json_text(answer, "member"));
    return good ? EXIT_OK
                : output_fail(&g->x->out, EXIT_OTHER_CLUSTER, "what came is not closed by this token",
                              "It was changed on its way, or is somebody else's.",
                              "Tell whoever invited this host: pgmesh member remove NAME --root-key FILE.");
}

static int fetch_folder(struct joining *g)
{
    struct problem err = {0};
    char *text_of = NULL;
    int status = ask(g, &text_of, &err);
    if (status == 0)
        return output_problem(&g->x->out, EXIT_NO_CONTACT, &err);
    json_t *answer = json_loads(text_of, JSON_REJECT_DUPLICATES, NULL);
    int code = status == 200 ? open_answer(g, answer) : refused(g, status, answer);
    json_decref(answer);
    free(text_of);
    return code;
}

/* ---- written ---------------------------------------------------------------------------------------------------------- */

static bool judge(struct joining *g, const char *partial, struct problem *err)
{
    struct folder *f = folder_open(text("%s/node.conf", partial), (unsigned)ROLES_ALL, err);
    if (f == NULL)
        return false;
    bool same = memcmp(f->cluster.root, g->token.root, INVITE_ROOT_SIZE) == 0;
    hex_put(g->root, f->cluster.root, KEY_SIZE);
    snprintf(g->cluster, sizeof g->cluster, "%s", f->cluster.name);
    snprintf(g->member, sizeof g->member, "%s", f->self->member.name);
    g->role = cluster_role_name(f->self->member.role);
    folder_close(&f);
    return same || problem_fact(err, "the folder is of another cluster than the token");
}

static bool fill(const char *partial, const void *arg, struct problem *err)
{
    struct joining *g = *(struct joining *const *)arg;
    return parcel_unpack(partial, g->parcel, g->n, err) && judge(g, partial, err);
}

static int write_folder(struct joining *g)
{
    struct problem err = {0};
    if (g->j->out == NULL && !cluster_name_valid(g->member))
        return output_fail(&g->x->out, EXIT_REFUSED, "the folder has no name", NULL,
                           "Name one: --out FOLDER.");
    snprintf(g->out, sizeof g->out, "%s", g->j->out ? g->j->out : g->member);
    return make_target_free(g->out, &err) && make_in_one_move(g->out, fill, &g, &err)
               ? EXIT_OK
               : output_problem(&g->x->out, EXIT_REFUSED, &err);
}

static void tell(struct joining *g)
{
    struct output *out = &g->x->out;
    if (out->json)
        output_json(out, json_pack("{s:s,s:s,s:s,s:s,s:s}", "command", "join", "cluster", g->cluster,
                                   "member", g->member, "folder", g->out, "root", g->root));
    output_tone(out, TONE_GOOD, 2, "\"%s\" is complete: %s, %s of cluster %s", g->out, g->member, g->role,
                g->cluster);
    output_text(out, 2,
                "Root key of the cluster: %.16s, as the token says. The token is used up: destroy it.",
                g->root);
    output_text(out, 2, "Next: pgmesh-member add %s --start", g->out);
}

int join_by_token(struct inspect *x, const struct join *j)
{
    static struct joining g;
    struct problem err = {0};
    g = (struct joining){.x = x, .j = j};
    if ((strncmp(j->from, "http://", 7) != 0 && strncmp(j->from, "https://", 8) != 0) ||
        strlen(j->from) > URL_MAX || strcspn(j->from, " \t\r\n") != strlen(j->from))
        return usage(
            x, text("\"%.100s\" is no address to ask at", j->from),
            "It is that of pgmesh-http on the host of the member that holds the invitation: --from http://10.0.1.1:8008");
    if (j->out != NULL && !make_target_free(j->out, &err))
        return output_problem(&x->out, EXIT_REFUSED, &err);
    keys_begin();
    int code = get_token(&g);
    if (code == EXIT_OK)
        code = fetch_folder(&g);
    if (code == EXIT_OK && (code = write_folder(&g)) == EXIT_OK)
        tell(&g);
    if (g.parcel != NULL)
        keys_wipe(g.parcel, g.n);
    free(g.parcel);
    keys_wipe(&g.token, sizeof g.token);
    return code;
}
