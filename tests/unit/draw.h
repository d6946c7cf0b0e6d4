/* draw.h: values of every schema of the wire, drawn from a seed or as large as they get; made from the schema's own
 * lists, so that a new field is drawn without a word here.  Also seeds the fuzzers' corpus (tests/fuzz/seeds.c). */
#ifndef PGMESH_TESTS_DRAW_H
#define PGMESH_TESTS_DRAW_H

#include "mesh/wire_schema.h"

#include <string.h>

struct draw {
    uint64_t state;
    bool largest; /* every number, count and text at its limit, nothing absent */
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t draw_bits(struct draw *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline uint64_t draw_below(struct draw *d, uint64_t n)
{
    return draw_bits(d) % n;
}

/* Of every magnitude equally often, the limits of each encoding among them. */
static inline uint64_t draw_number(struct draw *d, uint64_t max)
{
    static const uint64_t edges[] = {0,      1,       0x7f,       0x80,        0xff,       0x100,
                                     0xffff, 0x10000, 0xffffffff, 0x100000000, UINT64_MAX, INT64_MAX};
    if (d->largest)
        return max;
    if (draw_below(d, 4) == 0)
        return edges[draw_below(d, sizeof edges / sizeof edges[0])] & max;
    uint64_t bits = draw_bits(d);
    return bits >> draw_below(d, 64) & max;
}

static inline void draw_octets(struct draw *d, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = d->largest ? 0xff : (uint8_t)draw_bits(d);
}

static inline void draw_text(struct draw *d, char *text, size_t size)
{
    static const char *const characters[] = {"a",
                                             "Z",
                                             " ",
                                             "~",
                                             "\"",
                                             "\\",
                                             "\xc2\xa0",
                                             "\xc3\xa9",
                                             "\xe2\x82\xac",
                                             "\xed\x9f\xbf",
                                             "\xee\x80\x80",
                                             "\xf0\x9f\x98\x80",
                                             "\xf4\x8f\xbf\xbf"};
    size_t wanted = d->largest ? size - 1 : draw_below(d, size), n = 0;
    while (n < wanted) {
        const char *c =
            d->largest ? "x" : characters[draw_below(d, sizeof characters / sizeof characters[0])];
        if (n + strlen(c) > wanted)
            break;
        memcpy(text + n, c, strlen(c));
        n += strlen(c);
    }
}

#define DRAW_NUM(field) x->field = (__typeof__(x->field))draw_number(d, (__typeof__(x->field))-1);
#define DRAW_ENUM(field, first, last) \
    x->field = (__typeof__(x->field))(d->largest ? (last) : (first) + draw_below(d, (last) - (first) + 1));
#define DRAW_FLAG(field)         x->field = d->largest || draw_below(d, 2);
#define DRAW_BYTES(field)        draw_octets(d, x->field, sizeof x->field);
#define DRAW_TEXT(field)         draw_text(d, x->field, sizeof x->field);
#define DRAW_PART(schema, field) draw_##schema(d, &x->field);
#define DRAW_PAIR(schema, field) draw_##schema(d, &x->field[0]), draw_##schema(d, &x->field[1]);
#define DRAW_COUNT(field, n) \
    x->n = (__typeof__(x->n))(d->largest ? ROOM(x->field) : draw_below(d, ROOM(x->field) + 1));
#define DRAW_LIST(schema, field, n) \
    DRAW_COUNT(field, n) \
    for (size_t i = 0; i < x->n; i++) \
        draw_##schema(d, &x->field[i]);
#define DRAW_NUMS(field, n) \
    DRAW_COUNT(field, n) \
    for (size_t i = 0; i < x->n; i++) \
    DRAW_NUM(field[i])
#define DRAW_MAYBE(schema, field, has) \
    DRAW_FLAG(has) \
    if (x->has) \
        draw_##schema(d, &x->field);
#define DRAW_LATER(field) DRAW_NUM(field)
#define DRAW_ABSENT(field)
#define DRAW_REST(nothing)
#define DRAW_TAIL(schema, field, has) DRAW_MAYBE(schema, field, has)
#define DRAW(op, ...)                 DRAW_##op(__VA_ARGS__)

/* Draws into *x; all of it that is not drawn is zero, padding too. */
#define DRAWER(schema, type, FIELDS) \
    static inline void draw_##schema(struct draw *d, type *x) \
    { \
        memset(x, 0, sizeof *x); \
        FIELDS(DRAW) \
    }
SCHEMA_LIST(DRAWER)

#endif
