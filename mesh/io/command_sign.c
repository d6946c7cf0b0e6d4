#include "mesh/io/command_sign.h"

#include "mesh/io/json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

const struct cluster_member *command_sign_operator(const struct cluster *c, const struct key *key)
{
    for (int i = 0; i < c->n; i++) {
        const struct cluster_member *m = &c->members[i];
        if (role_is_person(m->member.role) && memcmp(m->member.key, key->public, KEY_SIZE) == 0)
            return m;
    }
    return NULL;
}

/* A nonce is a 64-bit number without a sign: it comes in hex. */
bool command_sign_base(struct ballot *b, const json_t *status)
{
    const json_t *j = json_object_get(status, "ballot");
    const char *nonce = json_text(j, "nonce");
    char *end;
    if (!json_is_object(j) || *nonce == '\0')
        return false;
    *b = (struct ballot){.round = (uint64_t)json_number(j, "round", 0),
                         .nonce = strtoull(nonce, &end, 16),
                         .member = (member_id)json_number(j, "member", 0)};
    return *end == '\0';
}

/* The request that hands the signed command in, by whoever signed last. */
static json_t *submission(const struct command *m, const struct cluster *c, member_id from,
                          const struct key *key)
{
    static uint8_t frame[FRAME_MAX];
    struct frame f = {.version = FRAME_VERSION_MIN, /* whatever the members run */
                      .kind = FRAME_COMMAND,
                      .origin = from,
                      .cluster = c->id,
                      .counter = (uint64_t)time(NULL),
                      .nonce = keys_random_u64(),
                      .seq = 1,
                      .body = frame + FRAME_HEADER};
    f.body_len = (uint16_t)wire_put_command(frame + FRAME_HEADER, m);
    size_t n = frame_seal(frame, &f, &key->secret);
    char *hex = malloc(2 * n + 1);
    if (hex == NULL)
        return NULL;
    hex_put(hex, frame, n);
    json_t *request = json_pack("{s:s,s:s}", "command", "submit", "frame", hex);
    free(hex);
    return request;
}

json_t *command_sign_request(struct command *m, const struct cluster *c, const struct cluster_member *who,
                             const struct key *key)
{
    uint8_t statement[STATEMENT_MAX];
    m->who = who->member.id;
    m->id = (uint64_t)time(NULL) << 32 | (uint32_t)keys_random_u64();
    size_t n = command_bytes(statement, &c->id, m);
    sign_make(m->signature, &key->secret, statement, n);
    return submission(m, c, m->who, key);
}

json_t *command_sign_approval(struct command *m, const struct cluster *c, const struct cluster_member *who,
                              const struct key *key)
{
    uint8_t statement[STATEMENT_MAX];
    m->approved = true;
    m->approval.who = who->member.id;
    size_t n = command_bytes(statement, &c->id, m);
    sign_make(m->approval.signature, &key->secret, statement, n);
    return submission(m, c, m->approval.who, key);
}

enum command_again command_sign_again(const json_t *final)
{
    const char *sentence = json_text(final, "text");
    if (json_flag(final, "done"))
        return COMMAND_FINAL;
    return strstr(sentence, "the record has changed") != NULL        ? COMMAND_AGAIN
           : strstr(sentence, "another change is under way") != NULL ? COMMAND_AGAIN_SOON
                                                                     : COMMAND_FINAL;
}
