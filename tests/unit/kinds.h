/* kinds.h: every body of the wire, and the store, behind one shape, for tests and fuzzers that treat them alike. */
#ifndef PGMESH_TESTS_KINDS_H
#define PGMESH_TESTS_KINDS_H

#include "tests/unit/draw.h"

#include <assert.h>
#include <stdlib.h>

struct kind {
    const char *name;
    size_t size; /* of the struct */
    size_t room; /* for its bytes */
    void (*draw)(struct draw *d, void *x);
    size_t (*put)(uint8_t *out, const void *x);
    bool (*get)(void *x, const uint8_t *bytes, size_t n);
};

/* Room for the largest struct. */
union any {
    struct durable durable;
    struct certificate decided;
    struct heartbeat heartbeat;
};

#define KIND_LIST(X) WIRE_LIST(X) X(durable, struct durable)

#define X(name, type) \
    static inline void kind_draw_##name(struct draw *d, void *x) \
    { \
        _Static_assert(sizeof(type) <= sizeof(union any), "any holds all"); \
        draw_##name(d, x); \
    } \
    static inline size_t kind_put_##name(uint8_t *out, const void *x) \
    { \
        return wire_put_##name(out, x); \
    } \
    static inline bool kind_get_##name(void *x, const uint8_t *bytes, size_t n) \
    { \
        return wire_get_##name(x, bytes, n); \
    }
KIND_LIST(X)
#undef X

#define ROOM_OF(name) (#name[0] == 'd' && #name[1] == 'u' ? DURABLE_MAX : FRAME_BODY_MAX)
static const struct kind kinds[] = {
#define X(name, type) \
    {#name, sizeof(type), ROOM_OF(name), kind_draw_##name, kind_put_##name, kind_get_##name},
    KIND_LIST(X)
#undef X
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static inline const struct kind *kind_of(const char *name)
{
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    abort();
}

/* Reads into *x from a copy that ends where its block ends, so that the address sanitizer sees a read past it.  What
 * is refused leaves nothing of itself. */
static inline bool kind_accepts(const struct kind *k, union any *x, const uint8_t *bytes, size_t n)
{
    static const union any zero;
    uint8_t *copy = malloc(n > 0 ? n : 1);
    assert(copy);
    if (n > 0)
        memcpy(copy, bytes, n);
    memset(x, 0xa5, sizeof *x);
    bool got = k->get(x, copy, n);
    free(copy);
    assert(got || memcmp(x, &zero, k->size) == 0);
    return got;
}

#endif
