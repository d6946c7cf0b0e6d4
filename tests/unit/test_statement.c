/* The bytes under statements' signatures: fixed layouts, every field counts, no kind can pass for another. */
#include "tests/unit/kinds.h"
#include "tests/unit/suite.h"

static const struct cluster_id cluster = {
    {0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf}};

#define STATEMENT_LIST(X) \
    X(promise, struct promise, PROMISE_SIGNED) \
    X(accepted, struct accepted, ACCEPTED_SIGNED) \
    X(sealed, struct sealed_statement, SEALED_SIGNED) \
    X(release, struct release, RELEASE_SIGNED) \
    X(command, struct command, COMMAND_SIGNED)
enum {
#define X(name, type, FIELDS) AT_##name,
    STATEMENT_LIST(X)
#undef X
        STATEMENTS
};

static size_t lay(int which, uint8_t out[static STATEMENT_MAX], const struct cluster_id *c, struct draw *d)
{
    switch (which) {
#define X(name, type, FIELDS) \
    case AT_##name: { \
        type x; \
        draw_##name(d, &x); \
        return name##_bytes(out, c, &x); \
    }
        STATEMENT_LIST(X)
#undef X
    }
    ck_abort();
}

/* The layouts, written down once more: numbers that are 1, 2, 3 ... in the order of their places. */
static void as_ever(int kind, const uint8_t *out, size_t n, const char *fields)
{
    uint8_t expected[STATEMENT_MAX] = "pgmesh statement\1";
    size_t at = 34;
    expected[17] = (uint8_t)kind;
    memcpy(expected + 18, cluster.b, sizeof cluster.b);
    for (uint8_t value = 1; *fields; fields++) /* each digit is the width of the next number */
        expected[(at += (size_t)(*fields - '0')) - 1] = value++;
    ck_assert_uint_eq(n, at);
    ck_assert_mem_eq(out, expected, n);
}

START_TEST(layouts_as_ever)
{
    uint8_t out[STATEMENT_MAX];
    size_t n;
    struct promise p = {1, {2, 3, 4}, true, {6, 7, 8}, 9, VERDICT_GONE, 11, {0}};
    n = promise_bytes(out, &cluster, &p);
    ck_assert_uint_eq(out[34 + 20], true);
    ck_assert_uint_eq(out[34 + 47], VERDICT_GONE);
    out[34 + 20] = 5;
    out[34 + 47] = 10;
    as_ever(1, out, n, "28821882814");

    struct accepted a = {1, {2, 3, 4}, {[31] = 5}, {0}};
    n = accepted_bytes(out, &cluster, &a);
    as_ever(2, out, n, "2882P");

    struct sealed_statement s = {{1, 2, 3}, {4, 5, 6, 7, 8}, 9, 10, {0}};
    n = sealed_bytes(out, &cluster, &s);
    as_ever(3, out, n, "8822884884");

    struct release r = {1, {2, 3, 4}, 5, 6, 7, "\x20", {0}};
    n = release_bytes(out, &cluster, &r);
    ck_assert_uint_eq(n, 34 + 38 + TEXT_SIZE);
    ck_assert_uint_eq(out[34 + 38], ' ');
    as_ever(4, out, 34 + 38, "2882882");

    struct command m = {1, 2, {3, 4, 5}, 6, COMMAND_REINIT, 8, true, "", {0}, false, {0}};
    n = command_bytes(out, &cluster, &m);
    ck_assert_uint_eq(n, 34 + 40 + TEXT_SIZE);
    ck_assert_uint_eq(out[34 + 36], COMMAND_REINIT);
    ck_assert_uint_eq(out[34 + 39], true);
    out[34 + 36] = 7;
    out[34 + 39] = 9;
    as_ever(5, out, 34 + 40, "288828121");
}
END_TEST

/* One length for each kind, whatever the values: so two statements of a kind are the same bytes only when they are the
 * same statement. */
START_TEST(one_length_for_each_kind)
{
    for (int which = 0; which < STATEMENTS; which++) {
        struct draw largest = {.largest = true};
        uint8_t out[STATEMENT_MAX];
        size_t n = lay(which, out, &cluster, &largest);
        ck_assert_uint_le(n, STATEMENT_MAX);
        for (uint64_t seed = 0; seed < 50; seed++) {
            struct draw d = {.state = seed};
            ck_assert_uint_eq(lay(which, out, &cluster, &d), n);
        }
    }
}
END_TEST

START_TEST(kinds_never_collide)
{
    uint8_t out[STATEMENTS][STATEMENT_MAX];
    for (int which = 0; which < STATEMENTS; which++) {
        struct draw d = {.state = 1};
        ck_assert_uint_gt(lay(which, out[which], &cluster, &d), 34);
        ck_assert_mem_eq(out[which], "pgmesh statement\1", 17);
        ck_assert_mem_eq(out[which] + 18, cluster.b, CLUSTER_ID_SIZE);
        for (int before = 0; before < which; before++)
            ck_assert_uint_ne(out[which][17], out[before][17]);
    }
}
END_TEST

START_TEST(cluster_counts)
{
    for (int which = 0; which < STATEMENTS; which++) {
        for (int i = 0; i < CLUSTER_ID_SIZE; i++) {
            struct cluster_id other = cluster;
            struct draw d = {.state = 1}, e = {.state = 1};
            uint8_t a[STATEMENT_MAX], b[STATEMENT_MAX];
            other.b[i] ^= 1;
            size_t n = lay(which, a, &cluster, &d);
            lay(which, b, &other, &e);
            ck_assert_mem_ne(a, b, n);
        }
    }
}
END_TEST

/* Change one field, and the bytes change.  (Which bytes, and those inside of parts: the rows "as ever".) */
#define DIFFERS(field, change) \
    y = x; \
    change; \
    bytes_of(other, &cluster, &y); \
    ck_assert_msg(memcmp(out, other, n) != 0, #field " does not count");
#define CHANGE_NUM(field)               DIFFERS(field, y.field ^= 1)
#define CHANGE_ENUM(field, first, last) DIFFERS(field, y.field = x.field == (last) ? (first) : (last))
#define CHANGE_FLAG(field)              DIFFERS(field, y.field = !x.field)
#define CHANGE_TEXT(field)              DIFFERS(field, y.field[0] = x.field[0] == 'a' ? 'b' : 'a')
#define CHANGE_PART(schema, field)      DIFFERS(field, *(uint8_t *)&y.field ^= 1)
#define CHANGE_BYTES(field) \
    for (size_t i = 0; i < sizeof x.field; i++) { \
        DIFFERS(field, y.field[i] ^= 1) \
    }
#define CHANGE(op, ...) CHANGE_##op(__VA_ARGS__)
#define X(name, type, FIELDS) \
    START_TEST(every_field_of_##name##_counts) \
    { \
        size_t (*bytes_of)(uint8_t *, const struct cluster_id *, const type *) = name##_bytes; \
        struct draw d = {.state = 6}; \
        uint8_t out[STATEMENT_MAX], other[STATEMENT_MAX]; \
        type x, y; \
        draw_##name(&d, &x); \
        size_t n = bytes_of(out, &cluster, &x); \
        FIELDS(CHANGE) \
    } \
    END_TEST
STATEMENT_LIST(X)
#undef X

/* The signature itself, and what is beyond a text's end, are not under it. */
START_TEST(only_what_is_meant_is_signed)
{
    struct command m = {.kind = COMMAND_PAUSE, .why = "rest"};
    uint8_t out[STATEMENT_MAX], other[STATEMENT_MAX];
    size_t n = command_bytes(out, &cluster, &m);
    memset(m.signature, 0xa5, sizeof m.signature);
    m.why[5] = 'x';
    command_bytes(other, &cluster, &m);
    ck_assert_mem_eq(out, other, n);
}
END_TEST

/* A signature over one kind's bytes holds over no other's, even where a forger may choose all fields. */
START_TEST(signature_of_another_kind)
{
    uint8_t key[KEY_SIZE], seed[32] = {9}, signature[SIGNATURE_SIZE], a[STATEMENT_MAX], b[STATEMENT_MAX];
    struct secret_key secret;
    sign_keypair(key, &secret, seed);
    for (int from = 0; from < STATEMENTS; from++) {
        struct draw d = {.state = 2};
        size_t n = lay(from, a, &cluster, &d);
        sign_make(signature, &secret, a, n);
        for (int to = 0; to < STATEMENTS; to++) {
            struct draw e = {.state = 2};
            size_t m = lay(to, b, &cluster, &e);
            ck_assert_int_eq(sign_holds(signature, key, b, m), from == to);
        }
        memcpy(b, a, n);
        b[n] = 0;
        ck_assert(!frame_verify(b, n, key));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("statement");
    TCase *t = suite_case(s, "statement");
    tcase_add_test(t, layouts_as_ever);
    tcase_add_test(t, one_length_for_each_kind);
    tcase_add_test(t, kinds_never_collide);
    tcase_add_test(t, cluster_counts);
#define X(name, type, FIELDS) tcase_add_test(t, every_field_of_##name##_counts);
    STATEMENT_LIST(X)
#undef X
    tcase_add_test(t, only_what_is_meant_is_signed);
    tcase_add_test(t, signature_of_another_kind);
    return suite_run(s);
}
