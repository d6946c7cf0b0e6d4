/* wire_statement.c: the bytes under statements' signatures, and the hashes of records.
 *
 *   0  16  "pgmesh statement"
 *  16   1  version of this layout
 *  17   1  kind: the same fields mean another thing under another kind, so no signature serves for two
 *  18  16  cluster id
 *  34      the fields in the schema's order: integers big-endian in their full width, enums and flags one byte, texts
 *          padded with NULs to their full size
 * Each kind has one length.  None of our other signatures begins like this: frames begin with "pgm1", the root key's
 * signatures with "pgmesh record" and "pgmesh certificate". */
#include "mesh/wire_schema.h"

#include "mesh/wire_text.h"

#include <string.h>

enum { STATEMENT_VERSION = 1 };
enum statement_kind {
    STATEMENT_PROMISE = 1,
    STATEMENT_ACCEPTED,
    STATEMENT_SEALED,
    STATEMENT_RELEASE,
    STATEMENT_COMMAND
};

static const char head[16] = {'p', 'g', 'm', 'e', 's', 'h', ' ', 's', 't', 'a', 't', 'e', 'm', 'e', 'n', 't'};

static uint8_t *lay_bytes(uint8_t *at, const void *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

static uint8_t *lay_number(uint8_t *at, uint64_t v, size_t size)
{
    for (size_t i = size; i-- > 0; v >>= 8)
        at[i] = (uint8_t)v;
    return at + size;
}

static uint8_t *lay_text(uint8_t *at, const char *text, size_t size)
{
    wire_text_clean((char *)at, text, size); /* as it will travel, or the signature would not hold there */
    return at + size;
}

static uint8_t *lay_head(uint8_t *at, enum statement_kind kind, const struct cluster_id *cluster)
{
    at = lay_bytes(at, head, sizeof head);
    at = lay_number(at, STATEMENT_VERSION, 1);
    at = lay_number(at, kind, 1);
    return lay_bytes(at, cluster->b, CLUSTER_ID_SIZE);
}

#define LAY_NUM(field)               at = lay_number(at, x->field, sizeof x->field);
#define LAY_ENUM(field, first, last) at = lay_number(at, x->field, 1);
#define LAY_FLAG(field)              at = lay_number(at, x->field, 1);
#define LAY_BYTES(field)             at = lay_bytes(at, x->field, sizeof x->field);
#define LAY_TEXT(field)              at = lay_text(at, x->field, sizeof x->field);
#define LAY_PART(schema, field)      at = lay_##schema(at, &x->field);
#define LAY(op, ...)                 LAY_##op(__VA_ARGS__)

static uint8_t *lay_ballot(uint8_t *at, const struct ballot *x)
{
    BALLOT(LAY)
    return at;
}

static uint8_t *lay_sealed_wal(uint8_t *at, const struct sealed *x)
{
    SEALED_WAL(LAY)
    return at;
}

#define STATEMENT(name, type, kind, FIELDS) \
    size_t name##_bytes(uint8_t out[static STATEMENT_MAX], const struct cluster_id *c, const type *x) \
    { \
        uint8_t *at = lay_head(out, kind, c); \
        FIELDS(LAY) \
        return (size_t)(at - out); \
    } \
    _Static_assert(sizeof(type) + sizeof head + 2 + CLUSTER_ID_SIZE <= STATEMENT_MAX, \
                   "no layout exceeds its struct");
STATEMENT(promise, struct promise, STATEMENT_PROMISE, PROMISE_SIGNED)
STATEMENT(accepted, struct accepted, STATEMENT_ACCEPTED, ACCEPTED_SIGNED)
STATEMENT(sealed, struct sealed_statement, STATEMENT_SEALED, SEALED_SIGNED)
STATEMENT(release, struct release, STATEMENT_RELEASE, RELEASE_SIGNED)
STATEMENT(command, struct command, STATEMENT_COMMAND, COMMAND_SIGNED)

void record_hash(uint8_t hash[static HASH_SIZE], const struct record *r)
{
    uint8_t packed[FRAME_BODY_MAX];
    sign_hash(hash, packed, wire_put_record(packed, r));
}

void record_cluster_id(struct cluster_id *id, const struct record *first)
{
    uint8_t hash[HASH_SIZE];
    record_hash(hash, first);
    memcpy(id->b, hash, CLUSTER_ID_SIZE);
}
