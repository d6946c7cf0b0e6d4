/* wire_read.c: msgpack to structs, for bytes that anybody may have sent.
 *
 * Never allocates, never recurses beyond the schema's own depth, looks at each byte once, and stops at the first that
 * is not what the schema wants there: another type, a longer form than needed, a count or value out of range, a bad
 * text, an end too early or too late.  What is accepted, wire_write.c would write byte for byte the same, but for what a
 * heartbeat of another version says besides (LATER, REST). */
#include "mesh/wire_schema.h"

#include "mesh/wire_text.h"

#include <string.h>

/* The first bytes of the format (github.com/msgpack/msgpack, spec.md) that a schema can ask for. */
enum {
    FIX_ARRAY = 0x90,
    FIX_STR = 0xa0,
    NIL = 0xc0,
    FALSE = 0xc2,
    TRUE = 0xc3,
    BIN_8 = 0xc4,
    UINT_8 = 0xcc,
    UINT_16 = 0xcd,
    UINT_32 = 0xce,
    UINT_64 = 0xcf,
    STR_8 = 0xd9,
    ARRAY_16 = 0xdc
};
enum { FIX_INT_MAX = 0x7f, FIX_ARRAY_MAX = 15, FIX_STR_MAX = 31 };

struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static size_t left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

static bool get_byte(struct reader *r, uint8_t *b)
{
    if (r->at == r->end)
        return false;
    *b = *r->at++;
    return true;
}

/* A big-endian number of that size, above what a shorter form could hold. */
static bool get_big_endian(struct reader *r, uint64_t *v, size_t size, uint64_t shorter_max)
{
    if (left(r) < size)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = sum << 8 | r->at[i];
    r->at += size;
    *v = sum;
    return sum > shorter_max;
}

static bool get_unsigned(struct reader *r, uint64_t *v, uint64_t max)
{
    uint8_t first;
    if (!get_byte(r, &first))
        return false;
    bool good = false;
    if (first <= FIX_INT_MAX) {
        *v = first;
        good = true;
    } else if (first == UINT_8) {
        good = get_big_endian(r, v, 1, FIX_INT_MAX);
    } else if (first == UINT_16) {
        good = get_big_endian(r, v, 2, UINT8_MAX);
    } else if (first == UINT_32) {
        good = get_big_endian(r, v, 4, UINT16_MAX);
    } else if (first == UINT_64) {
        good = get_big_endian(r, v, 8, UINT32_MAX);
    }
    return good && *v <= max;
}

static bool get_enum(struct reader *r, uint64_t *v, uint64_t first, uint64_t last)
{
    return get_unsigned(r, v, last) && *v >= first;
}

static bool get_flag(struct reader *r, bool *v)
{
    uint8_t b;
    if (!get_byte(r, &b))
        return false;
    *v = b == TRUE;
    return b == TRUE || b == FALSE;
}

/* An array's header.  Every element takes a byte at least, so a count above the bytes left is a lie. */
static bool get_count(struct reader *r, uint64_t *n, size_t max)
{
    uint8_t first;
    if (!get_byte(r, &first))
        return false;
    bool good = false;
    if (first >= FIX_ARRAY && first <= FIX_ARRAY + FIX_ARRAY_MAX) {
        *n = first - (unsigned)FIX_ARRAY;
        good = true;
    } else if (first == ARRAY_16) {
        good = get_big_endian(r, n, 2, FIX_ARRAY_MAX);
    }
    return good && *n <= max && *n <= left(r);
}

static bool get_bytes(struct reader *r, uint8_t *bytes, size_t n)
{
    if (left(r) < 2 + n || r->at[0] != BIN_8 || r->at[1] != n)
        return false;
    memcpy(bytes, r->at + 2, n);
    r->at += 2 + n;
    return true;
}

static bool get_text(struct reader *r, char *text, size_t size)
{
    uint8_t first;
    uint64_t n;
    if (!get_byte(r, &first))
        return false;
    if (first >= FIX_STR && first <= FIX_STR + FIX_STR_MAX)
        n = first - (unsigned)FIX_STR;
    else if (first != STR_8 || !get_big_endian(r, &n, 1, FIX_STR_MAX))
        return false;
    if (n >= size || n > left(r) || !wire_text_valid((const char *)r->at, n))
        return false;
    memcpy(text, r->at, n); /* the NUL is there: readers zero everything first */
    r->at += n;
    return true;
}

static bool get_nil(struct reader *r)
{
    if (r->at == r->end || *r->at != NIL)
        return false;
    r->at++;
    return true;
}

/* One value of any of the types above, arrays of them in it: what a newer version has appended. */
static bool skip(struct reader *r, int depth)
{
    uint64_t v;
    if (r->at == r->end || depth > REST_DEPTH)
        return false;
    uint8_t first = *r->at;
    if (first <= FIX_INT_MAX || (first >= UINT_8 && first <= UINT_64))
        return get_unsigned(r, &v, UINT64_MAX);
    if (first == NIL || first == FALSE || first == TRUE) {
        r->at++;
        return true;
    }
    if (first == BIN_8 || first == STR_8 || (first >= FIX_STR && first <= FIX_STR + FIX_STR_MAX)) {
        size_t header = first == BIN_8 || first == STR_8 ? 2 : 1;
        if (left(r) < header)
            return false;
        size_t n = header + (header == 2 ? r->at[1] : first - (unsigned)FIX_STR);
        if (left(r) < n)
            return false;
        r->at += n;
        return true;
    }
    if (!get_count(r, &v, SIZE_MAX))
        return false;
    while (v-- > 0)
        if (!skip(r, depth + 1))
            return false;
    return true;
}

/* A struct's header: *later is how many values stand behind those that every writer knows. */
static bool get_fields(struct reader *r, uint64_t *later, size_t known, size_t may_lack, size_t may_follow)
{
    uint64_t count, least = known - may_lack;
    if (!get_count(r, &count, known + may_follow) || count < least)
        return false;
    *later = count - least;
    return true;
}

#define REFUSE_UNLESS(got) \
    if (!(got)) \
    return false
#define GET_NUM(field) \
    REFUSE_UNLESS(get_unsigned(r, &v, (__typeof__(x->field))-1)); \
    x->field = (__typeof__(x->field))v;
#define GET_ENUM(field, first, last) \
    REFUSE_UNLESS(get_enum(r, &v, first, last)); \
    x->field = (__typeof__(x->field))v;
#define GET_FLAG(field) REFUSE_UNLESS(get_flag(r, &x->field));
#define GET_BYTES(field) \
    _Static_assert(sizeof x->field <= UINT8_MAX, "bin 8"); \
    REFUSE_UNLESS(get_bytes(r, x->field, sizeof x->field));
#define GET_TEXT(field) \
    _Static_assert(sizeof x->field <= UINT8_MAX + 1, "str 8"); \
    REFUSE_UNLESS(get_text(r, x->field, sizeof x->field));
#define GET_PART(schema, field) REFUSE_UNLESS(get_##schema(r, &x->field));
#define GET_PAIR(schema, field) \
    REFUSE_UNLESS(get_##schema(r, &x->field[0])); \
    REFUSE_UNLESS(get_##schema(r, &x->field[1]));
#define GET_LIST(schema, field, n) \
    REFUSE_UNLESS(get_count(r, &v, ROOM(x->field))); \
    x->n = (__typeof__(x->n))v; \
    for (size_t i = 0; i < x->n; i++) \
        REFUSE_UNLESS(get_##schema(r, &x->field[i]));
#define GET_NUMS(field, n) \
    REFUSE_UNLESS(get_count(r, &v, ROOM(x->field))); \
    x->n = (__typeof__(x->n))v; \
    for (size_t i = 0; i < x->n; i++) { \
        REFUSE_UNLESS(get_unsigned(r, &v, (__typeof__(x->field[0]))-1)); \
        x->field[i] = (__typeof__(x->field[0]))v; \
    }
#define GET_MAYBE(schema, field, has) \
    x->has = !get_nil(r); \
    if (x->has) \
        REFUSE_UNLESS(get_##schema(r, &x->field));
#define GET_LATER(field) \
    if (later > 0) { \
        GET_NUM(field) \
        later--; \
    }
#define GET_ABSENT(field)
#define GET_REST(nothing) \
    for (; later > 0; later--) \
        REFUSE_UNLESS(skip(r, 0));
#define GET_TAIL(schema, field, has) \
    x->has = later > 0; \
    if (x->has) { \
        REFUSE_UNLESS(get_##schema(r, &x->field)); \
        later--; \
    }
#define GET(op, ...) GET_##op(__VA_ARGS__)

#define READER(schema, type, FIELDS) \
    static bool get_##schema(struct reader *r, type *x) \
    { \
        uint64_t v, later; \
        REFUSE_UNLESS(get_fields(r, &later, FIELD_COUNT(FIELDS), LATER_COUNT(FIELDS), MORE_COUNT(FIELDS))); \
        FIELDS(GET) \
        (void)v, (void)later; \
        return true; \
    }
SCHEMA_LIST(READER)

/* No field was forgotten: an initialiser with one value for each field that a list names.  One too few, and the compiler
 * misses an initialiser; one too many, and it has one left over.  (1 and not 0: {0} means "everything".) */
#define FILL_NUM(field)                1,
#define FILL_ENUM(field, first, last)  0,
#define FILL_FLAG(field)               false,
#define FILL_BYTES(field)              {},
#define FILL_TEXT(field)               {},
#define FILL_PART(schema, field)       {},
#define FILL_PAIR(schema, field)       {},
#define FILL_LIST(schema, field, n)    0, {},
#define FILL_NUMS(field, n)            0, {},
#define FILL_MAYBE(schema, field, has) false, {},
#define FILL_LATER(field)              1,
#define FILL_ABSENT(field)             1,
#define FILL_REST(nothing)
#define FILL_TAIL(schema, field, has) false, {},
#define FILL(op, ...)                 FILL_##op(__VA_ARGS__)
#define COMPLETE(schema, type, FIELDS) \
    static const type complete_##schema __attribute__((unused)) = {FIELDS(FILL)};
SCHEMA_LIST(COMPLETE)

/* The whole of the bytes is one value, or *x is all zero. */
#define WHOLE(schema, x, bytes, n) \
    memset(x, 0, sizeof *x); \
    struct reader r = {bytes, n > 0 ? bytes + n : bytes}; \
    if (get_##schema(&r, x) && r.at == r.end) \
        return true; \
    memset(x, 0, sizeof *x); \
    return false;

#define X(name, type) \
    bool wire_get_##name(type *x, const uint8_t *body, size_t n) \
    { \
        WHOLE(name, x, body, n) \
    }
WIRE_LIST(X)
#undef X

bool wire_get_durable(struct durable *d, const uint8_t *bytes, size_t n)
{
    WHOLE(durable, d, bytes, n)
}
