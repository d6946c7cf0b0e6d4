#define _GNU_SOURCE
#include "mesh/http/token.h"

#include "mesh/io/cluster.h"
#include "mesh/io/file.h"
#include "mesh/io/keys.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *token_role_name(enum token_role role)
{
    switch (role) {
    case TOKEN_NOBODY: return "nobody";
    case TOKEN_VIEWER: return "viewer";
    case TOKEN_OPERATOR: return "operator";
    case TOKEN_ADMIN: return "admin";
    }
    return "nobody";
}

/* NAME:ROLE, of n characters. */
static bool parse_who(struct token *t, const char *text, size_t n)
{
    const char *colon = memchr(text, ':', n);
    size_t name = colon ? (size_t)(colon - text) : 0, role = n - name - 1;
    if (colon == NULL || name >= sizeof t->name)
        return false;
    memcpy(t->name, text, name);
    t->name[name] = '\0';
    t->role = TOKEN_NOBODY;
    for (int r = TOKEN_VIEWER; r <= TOKEN_ADMIN; r++)
        if (strlen(token_role_name((enum token_role)r)) == role &&
            strncmp(colon + 1, token_role_name((enum token_role)r), role) == 0)
            t->role = (enum token_role)r;
    return t->role != TOKEN_NOBODY && cluster_name_valid(t->name);
}

static bool parse_line(struct tokens *tokens, const char *line, size_t n)
{
    const char *colon = memrchr(line, ':', n);
    if (colon == NULL || tokens->n == TOKENS_MAX)
        return false;
    struct token *t = &tokens->of[tokens->n];
    size_t who = (size_t)(colon - line);
    t->certificate = n - who - 1 == 4 && strncmp(colon + 1, "cert", 4) == 0;
    if (!parse_who(t, line, who) ||
        (!t->certificate && !hex_get(t->hash, sizeof t->hash, colon + 1, n - who - 1)))
        return false;
    for (int i = 0; i < tokens->n; i++)
        if (strcmp(tokens->of[i].name, t->name) == 0 && tokens->of[i].certificate == t->certificate)
            return false;
    tokens->n++;
    return true;
}

bool token_parse(const char *text, const char *path, struct tokens *tokens, struct problem *err)
{
    int number = 0;
    memset(tokens, 0, sizeof *tokens);
    for (const char *p = text, *end; *p; p = *end ? end + 1 : end) {
        end = strchrnul(p, '\n');
        size_t n = (size_t)(end - p);
        while (n > 0 && strchr(" \t\r", p[n - 1]))
            n--;
        number++;
        if (n == 0 || *p == '#')
            continue;
        if (!parse_line(tokens, p, n)) {
            problem_fact(err, "%s:%d: not a token", path, number);
            problem_detail(
                err,
                "A line is NAME:ROLE:HASH, or NAME:ROLE:cert for a client certificate, with each name once, at "
                "most %d of them; the role is viewer, operator or admin, the hash is SHA-256 in 64 hex digits.",
                TOKENS_MAX);
            return problem_hint(err, "\"pgmesh-http --make-token NAME:ROLE\" makes one.");
        }
    }
    return true;
}

bool token_read(const char *path, struct tokens *tokens, struct problem *err)
{
    size_t n;
    memset(tokens, 0, sizeof *tokens);
    if (path[0] == '\0')
        return true;
    char *text = file_read(path, FILE_SECRET | FILE_TEXT, 64 * 1024, &n, err);
    bool good = text != NULL && token_parse(text, path, tokens, err);
    free(text);
    return good;
}

const struct token *token_find(const struct tokens *tokens, const char *token)
{
    uint8_t hash[HASH_SIZE];
    const struct token *found = NULL;
    size_t n = strnlen(token, TOKEN_MAX + 1);
    if (n < TOKEN_MIN || n > TOKEN_MAX)
        return NULL;
    keys_sha256(hash, token, n);
    for (int i = 0; i < tokens->n; i++)
        if (keys_equal(hash, tokens->of[i].hash, sizeof hash) && !tokens->of[i].certificate)
            found = &tokens->of[i];
    return found;
}

const struct token *token_of_certificate(const struct tokens *tokens, const char *name)
{
    for (int i = 0; i < tokens->n; i++)
        if (tokens->of[i].certificate && strcmp(tokens->of[i].name, name) == 0)
            return &tokens->of[i];
    return NULL;
}

const char *token_of_header(const char *header)
{
    if (header == NULL || strncasecmp(header, "Bearer ", 7) != 0)
        return NULL;
    header += 7;
    return header + strspn(header, " ");
}

bool token_make(const char *who, struct problem *err)
{
    struct token t;
    uint8_t random[32];
    char text[2 * sizeof random + 1], hash[2 * HASH_SIZE + 1];
    if (!parse_who(&t, who, strlen(who))) {
        problem_fact(err, "\"%.60s\" is no NAME:ROLE", who);
        return problem_hint(err, "The role is viewer, operator or admin; for example alice:operator.");
    }
    keys_random(random, sizeof random);
    hex_put(text, random, sizeof random);
    keys_sha256(t.hash, text, strlen(text));
    hex_put(hash, t.hash, sizeof t.hash);
    printf(
        "token, to be given to %s and kept nowhere else:\n    %s\nline for the file that http_tokens names:\n    "
        "%s:%s:%s\n",
        t.name, text, t.name, token_role_name(t.role), hash);
    return true;
}
