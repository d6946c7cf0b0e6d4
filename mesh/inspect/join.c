/* join.c: pgmesh join: the new host's part in becoming a member: its key is made here and never leaves. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mesh/inspect/join.h"
#include "mesh/inspect/problems.h"
#include "mesh/inspect/rootkey.h"
#include "mesh/io/file.h"

enum { JOIN_KEY, JOIN_REQUEST, JOIN_FOLDER, JOIN_FROM, JOIN_TOKEN_FILE, JOIN_CA_FILE, JOIN_OUT };
const struct option_row options_join[] = {
    [JOIN_KEY] = {"key", "FILE", "the new member's key: made with --request, used with --folder"},
    [JOIN_REQUEST] = {"request", "FILE", "make the key, and write here what is to be certified"},
    [JOIN_FOLDER] = {"folder", "FOLDER", "what \"member add --sign\" made: completed with the key"},
    [JOIN_FROM] = {"from", "URL",
                   "fetch the folder by a token, from pgmesh-http there; the token is asked for"},
    [JOIN_TOKEN_FILE] = {"token-file", "FILE",
                         "the token (mode 0600, or fd:N), instead of asking at the terminal"},
    [JOIN_CA_FILE] = {"ca-file", "FILE",
                      "whose certificates count for an https URL (PEM), instead of the system's"},
    [JOIN_OUT] = {"out", "FOLDER", "where to make the folder that was fetched; by default the member's name"},
    {NULL, NULL, NULL},
};

static int refuse(struct inspect *x, const struct problem *p)
{
    return output_problem(&x->out, EXIT_REFUSED, p);
}

static int make_request(struct inspect *x, const char *path, const char *request)
{
    struct key key;
    struct problem err = {0};
    uint8_t seed[32];
    char hex[2 * KEY_SIZE + 1];
    keys_generate(&key, seed);
    bool good = keys_write(path, seed, &err) && rekey_write_join(request, &key, &err);
    hex_put(hex, key.public, KEY_SIZE);
    keys_wipe(seed, sizeof seed);
    keys_wipe(&key, sizeof key);
    if (!good)
        return refuse(x, &err);
    if (x->out.json)
        output_json(&x->out, json_pack("{s:s,s:s,s:s}", "command", "join", "key", hex, "request", request));
    output_tone(&x->out, TONE_GOOD, 2, "the key is in \"%s\" and stays here; what it asks for is in \"%s\"",
                path, request);
    output_text(&x->out, 2,
                "Where the root key is: pgmesh member add SPEC --sign %s --root-key FILE --out FOLDER",
                request);
    return EXIT_OK;
}

/* The folder's cluster with its roster, and the member that this key is certified for. */
static const struct cluster_member *certified(const char *folder, const struct key *key, struct cluster *c,
                                              struct problem *err)
{
    static struct roster roster;
    if (!cluster_load(text("%s/cluster", folder), c, err) ||
        !roster_load(&roster, c, text("%s/state", folder), err))
        return NULL;
    for (int i = 0; i < c->n; i++)
        if (memcmp(c->members[i].member.key, key->public, KEY_SIZE) == 0)
            return &c->members[i];
    problem_fact(err, "nobody in \"%s\" is certified for this key", folder);
    problem_hint(err, "The folder was made for another request: \"member add --sign\" with this host's.");
    return NULL;
}

static bool open_pass(const char *folder, const struct key *key, struct problem *err)
{
    static uint8_t pass[SEALED_MAX];
    size_t n, opened;
    const char *path = text("%s/pg.pass.sealed", folder);
    if (access(path, F_OK) != 0)
        return true; /* a witness has none */
    char *hex = file_read(path, FILE_TEXT, FILE_TEXT_MAX, &n, err);
    if (hex == NULL)
        return false;
    bool good = keys_open_sealed(pass, &opened, hex, strcspn(hex, "\n"), key) ||
                problem_fact(err, "\"%s\" is not for this key, or was changed", path);
    good = good && file_replace(text("%s/pg.pass", folder), pass, opened, 0600, err);
    keys_wipe(pass, sizeof pass);
    free(hex);
    if (good)
        unlink(path);
    return good;
}

static int complete(struct inspect *x, const char *path, const char *folder)
{
    static struct cluster c;
    struct key key;
    struct problem err = {0};
    char root[2 * KEY_SIZE + 1];
    if (!keys_read(path, &key, &err))
        return output_problem(&x->out, EXIT_PERMISSION, &err);
    const struct cluster_member *m = certified(folder, &key, &c, &err);
    bool good = m != NULL && open_pass(folder, &key, &err) &&
                keys_write(text("%s/member.key", folder), key.secret.b, &err);
    keys_wipe(&key, sizeof key);
    if (!good)
        return refuse(x, &err);
    unlink(path);
    hex_put(root, c.root, KEY_SIZE);
    if (x->out.json)
        output_json(&x->out, json_pack("{s:s,s:s,s:s,s:s,s:s}", "command", "join", "cluster", c.name,
                                       "member", m->member.name, "folder", folder, "root", root));
    output_tone(&x->out, TONE_GOOD, 2, "\"%s\" is complete: %s, %s of cluster %s", folder, m->member.name,
                cluster_role_name(m->member.role), c.name);
    output_text(&x->out, 2, "Root key of the cluster: %.16s. Is it the one that \"member add\" showed?",
                root);
    return EXIT_OK;
}

int command_join(struct inspect *x)
{
    const char *value, *path = NULL, *request = NULL, *folder = NULL;
    struct join token = {0};
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) >= 0)
        switch (option) {
        case JOIN_KEY: path = value; break;
        case JOIN_REQUEST: request = value; break;
        case JOIN_FOLDER: folder = value; break;
        case JOIN_FROM: token.from = value; break;
        case JOIN_TOKEN_FILE: token.token_file = value; break;
        case JOIN_CA_FILE: token.ca_file = value; break;
        case JOIN_OUT: token.out = value; break;
        }
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), NULL);
    if (token.from != NULL && path == NULL && request == NULL && folder == NULL)
        return join_by_token(x, &token);
    if (token.from != NULL)
        return usage(x, "--from takes none of --key, --request and --folder", NULL);
    if (token.token_file != NULL || token.ca_file != NULL || token.out != NULL)
        return usage(x, "--from is wanted", "It says where the folder is fetched with the token.");
    if (path == NULL || (request == NULL) == (folder == NULL))
        return usage(x, "--key and one of --request and --folder are wanted",
                     "Or, with a token, --from URL.");
    keys_begin();
    return request ? make_request(x, path, request) : complete(x, path, folder);
}
