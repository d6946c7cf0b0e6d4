/* wire_write.c: structs to msgpack, into the caller's buffer.  The library's packer is all inline functions over a
 * callback; ours copies into a fixed buffer, so nothing of the library is linked and nothing allocates.
 * A value that does not fit its schema is our own bug: asserted. */
#include "mesh/wire_schema.h"

#include "mesh/wire_text.h"

#include <assert.h>
#include <msgpack.h>
#include <string.h>

struct writer {
    uint8_t *at;
    const uint8_t *end;
};

static int append(void *writer, const char *bytes, size_t n)
{
    struct writer *w = writer;
    assert(n <= (size_t)(w->end - w->at));
    memcpy(w->at, bytes, n);
    w->at += n;
    return 0;
}

/* A packer of each call's own: the compiler sees the callback and inlines it. */
#define PACKER(w) (&(msgpack_packer){.data = (w), .callback = append})

static void put_array(struct writer *w, size_t n)
{
    msgpack_pack_array(PACKER(w), n);
}

static void put_unsigned(struct writer *w, uint64_t v)
{
    msgpack_pack_uint64(PACKER(w), v);
}

static void put_enum(struct writer *w, uint64_t v, uint64_t first, uint64_t last)
{
    assert(v >= first && v <= last);
    put_unsigned(w, v);
}

static void put_flag(struct writer *w, bool v)
{
    if (v)
        msgpack_pack_true(PACKER(w));
    else
        msgpack_pack_false(PACKER(w));
}

static void put_nil(struct writer *w)
{
    msgpack_pack_nil(PACKER(w));
}

static void put_bytes(struct writer *w, const uint8_t *bytes, size_t n)
{
    msgpack_pack_bin_with_body(PACKER(w), bytes, n);
}

static void put_text(struct writer *w, const char *text, size_t size)
{
    char clean[UINT8_MAX + 1];
    assert(size <= sizeof clean);
    msgpack_pack_str_with_body(PACKER(w), clean, wire_text_clean(clean, text, size));
}

#define PUT_NUM(field)               put_unsigned(w, x->field);
#define PUT_ENUM(field, first, last) put_enum(w, x->field, first, last);
#define PUT_FLAG(field)              put_flag(w, x->field);
#define PUT_BYTES(field)             put_bytes(w, x->field, sizeof x->field);
#define PUT_TEXT(field)              put_text(w, x->field, sizeof x->field);
#define PUT_PART(schema, field)      put_##schema(w, &x->field);
#define PUT_PAIR(schema, field)      put_##schema(w, &x->field[0]), put_##schema(w, &x->field[1]);
#define PUT_LIST(schema, field, n) \
    assert(x->n <= ROOM(x->field)); \
    put_array(w, x->n); \
    for (size_t i = 0; i < x->n; i++) \
        put_##schema(w, &x->field[i]);
#define PUT_NUMS(field, n) \
    assert(x->n <= ROOM(x->field)); \
    put_array(w, x->n); \
    for (size_t i = 0; i < x->n; i++) \
        put_unsigned(w, x->field[i]);
#define PUT_MAYBE(schema, field, has) \
    if (x->has) \
        put_##schema(w, &x->field); \
    else \
        put_nil(w);
#define PUT_LATER(field) PUT_NUM(field)
#define PUT_ABSENT(field)
#define PUT_REST(nothing)
#define PUT_TAIL(schema, field, has) \
    if (x->has) \
        put_##schema(w, &x->field);
#define PUT(op, ...) PUT_##op(__VA_ARGS__)

/* Is the tail there? */
#define THERE_NUM(field)
#define THERE_ENUM(field, first, last)
#define THERE_FLAG(field)
#define THERE_BYTES(field)
#define THERE_TEXT(field)
#define THERE_PART(schema, field)
#define THERE_PAIR(schema, field)
#define THERE_LIST(schema, field, n)
#define THERE_NUMS(field, n)
#define THERE_MAYBE(schema, field, has)
#define THERE_LATER(field)
#define THERE_ABSENT(field)
#define THERE_REST(nothing)
#define THERE_TAIL(schema, field, has) +x->has
#define THERE(op, ...)                 THERE_##op(__VA_ARGS__)

#define WRITER(schema, type, FIELDS) \
    static void put_##schema(struct writer *w, const type *x) \
    { \
        put_array(w, (size_t)(FIELD_COUNT(FIELDS) FIELDS(THERE))); \
        FIELDS(PUT) \
    }
SCHEMA_LIST(WRITER)

#define X(name, type) \
    size_t wire_put_##name(uint8_t *out, const type *x) \
    { \
        struct writer w = {out, out + FRAME_BODY_MAX}; \
        put_##name(&w, x); \
        return (size_t)(w.at - out); \
    }
WIRE_LIST(X)
#undef X

size_t wire_put_durable(uint8_t *out, const struct durable *d)
{
    struct writer w = {out, out + DURABLE_MAX};
    put_durable(&w, d);
    return (size_t)(w.at - out);
}
