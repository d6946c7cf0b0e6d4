/* token.h: bearer tokens and client certificates: who somebody is, and what he may do.
 *
 * The file has one line for each, NAME:ROLE:HASH, with the SHA-256 of the token in hex, or NAME:ROLE:cert, for whoever shows
 * a client certificate with that name (client_cert.h); it must be as private as a key file.  Tokens are random and long, so a fast hash is as good as a slow one.  Comparing takes the same time wherever a
 * token differs, and looks at every line. */
#ifndef PGMESH_HTTP_TOKEN_H
#define PGMESH_HTTP_TOKEN_H

#include "mesh/io/problem.h"
#include "policy/base.h"

enum { TOKENS_MAX = 64, TOKEN_MIN = 20, TOKEN_MAX = 256 };

enum token_role {
    TOKEN_NOBODY,
    TOKEN_VIEWER,   /* reads, where reading is not open to all */
    TOKEN_OPERATOR, /* moves the primary, pauses, resumes */
    TOKEN_ADMIN     /* and promotes without a primary, accepting a loss */
};
const char *token_role_name(enum token_role role);

struct token {
    char name[NAME_SIZE];
    enum token_role role;
    bool certificate; /* shows one, and has no token */
    uint8_t hash[HASH_SIZE];
};
struct tokens {
    int n;
    struct token of[TOKENS_MAX];
};

/* Reads the file; `path` "" gives an empty list. */
bool token_read(const char *path, struct tokens *tokens, struct problem *err);
/* The same from memory. */
bool token_parse(const char *text, const char *path, struct tokens *tokens, struct problem *err);
/* Whose it is; NULL: nobody's. */
const struct token *token_find(const struct tokens *tokens, const char *token);
/* Who shows a certificate with that name; NULL: nobody who is listed. */
const struct token *token_of_certificate(const struct tokens *tokens, const char *name);
/* "Bearer TOKEN" of an Authorization header; NULL: it has none. */
const char *token_of_header(const char *header);
/* A new token for NAME:ROLE: prints the token, and the line for the file.  false: `who` is malformed. */
bool token_make(const char *who, struct problem *err);

#endif
