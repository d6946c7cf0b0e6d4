#include "mesh/frame.h"

#include <assert.h>
#include <string.h>

/* Where each field begins; the table stands in frame.h. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_KIND = 5,
    AT_ORIGIN = 6,
    AT_ADDRESSEE = 8,
    AT_LENGTH = 10,
    AT_CLUSTER = 12,
    AT_COUNTER = 28,
    AT_NONCE = 36,
    AT_SEQ = 44
};
_Static_assert(AT_SEQ + 8 == FRAME_HEADER, "the header ends after seq");
_Static_assert(AT_CLUSTER + CLUSTER_ID_SIZE == AT_COUNTER, "the cluster id fits its place");
_Static_assert(FRAME_BODY_MAX <= UINT16_MAX, "the length field is 16 bits");

static const uint8_t magic[4] = {'p', 'g', 'm', '1'};

static void store(uint8_t *to, uint64_t v, int size)
{
    for (int i = size - 1; i >= 0; i--, v >>= 8)
        to[i] = (uint8_t)v;
}

static uint64_t load(const uint8_t *from, int size)
{
    uint64_t v = 0;
    for (int i = 0; i < size; i++)
        v = v << 8 | from[i];
    return v;
}

const char *reject_name(enum reject r)
{
    static const char *const names[REJECT_COUNT] = {
#define X(name, text) [REJECT_##name] = text,
        REJECT_LIST(X)
#undef X
    };
    return (unsigned)r < REJECT_COUNT ? names[r] : "?";
}

static enum reject check(const uint8_t *bytes, size_t n, const struct cluster_id *cluster)
{
    if (n < FRAME_HEADER + SIGNATURE_SIZE)
        return REJECT_SHORT;
    if (n > FRAME_MAX)
        return REJECT_LONG;
    if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0)
        return REJECT_MAGIC;
    if (bytes[AT_VERSION] < FRAME_VERSION_MIN || bytes[AT_VERSION] > FRAME_VERSION)
        return REJECT_VERSION;
    if (bytes[AT_KIND] == 0 || bytes[AT_KIND] >= FRAME_KIND_END)
        return REJECT_KIND;
    if (FRAME_HEADER + load(bytes + AT_LENGTH, 2) + SIGNATURE_SIZE != n)
        return REJECT_LENGTH;
    if (memcmp(bytes + AT_CLUSTER, cluster->b, CLUSTER_ID_SIZE) != 0)
        return REJECT_CLUSTER;
    if (load(bytes + AT_ORIGIN, 2) == MEMBER_NONE)
        return REJECT_ORIGIN;
    return REJECT_NONE;
}

enum reject frame_open(struct frame *f, const uint8_t *bytes, size_t n, const struct cluster_id *cluster)
{
    memset(f, 0, sizeof *f);
    enum reject reject = check(bytes, n, cluster);
    if (reject != REJECT_NONE)
        return reject;
    f->version = bytes[AT_VERSION];
    f->kind = (enum frame_kind)bytes[AT_KIND];
    f->origin = (member_id)load(bytes + AT_ORIGIN, 2);
    f->addressee = (member_id)load(bytes + AT_ADDRESSEE, 2);
    f->cluster = *cluster;
    f->counter = load(bytes + AT_COUNTER, 8);
    f->nonce = load(bytes + AT_NONCE, 8);
    f->seq = load(bytes + AT_SEQ, 8);
    f->body = bytes + FRAME_HEADER;
    f->body_len = (uint16_t)load(bytes + AT_LENGTH, 2);
    return REJECT_NONE;
}

bool frame_verify(const uint8_t *bytes, size_t n, const uint8_t key[static KEY_SIZE])
{
    if (n < FRAME_HEADER + SIGNATURE_SIZE || n > FRAME_MAX)
        return false;
    size_t covered = n - SIGNATURE_SIZE;
    return sign_holds(bytes + covered, key, bytes, covered);
}

size_t frame_seal(uint8_t *out, const struct frame *f, const struct secret_key *key)
{
    assert(f->kind > 0 && f->kind < FRAME_KIND_END);
    assert(f->origin != MEMBER_NONE);
    assert(f->version == 0 || (f->version >= FRAME_VERSION_MIN && f->version <= FRAME_VERSION));
    assert(f->body_len <= FRAME_BODY_MAX);

    memcpy(out + AT_MAGIC, magic, sizeof magic);
    out[AT_VERSION] = f->version != 0 ? f->version : FRAME_VERSION_MIN;
    out[AT_KIND] = (uint8_t)f->kind;
    store(out + AT_ORIGIN, f->origin, 2);
    store(out + AT_ADDRESSEE, f->addressee, 2);
    store(out + AT_LENGTH, f->body_len, 2);
    memcpy(out + AT_CLUSTER, f->cluster.b, CLUSTER_ID_SIZE);
    store(out + AT_COUNTER, f->counter, 8);
    store(out + AT_NONCE, f->nonce, 8);
    store(out + AT_SEQ, f->seq, 8);
    if (f->body_len > 0 && f->body != out + FRAME_HEADER)
        memmove(out + FRAME_HEADER, f->body, f->body_len);

    size_t covered = FRAME_HEADER + (size_t)f->body_len;
    sign_make(out + covered, key, out, covered);
    return covered + SIGNATURE_SIZE;
}
