/* Bodies, field by field: what each type on the wire may look like and what not. */
#include "tests/unit/kinds.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <stdlib.h>

static union any got;
static uint8_t bytes[FRAME_BODY_MAX], again[FRAME_BODY_MAX];

static bool accepts(const struct kind *k, const uint8_t *from, size_t n)
{
    return kind_accepts(k, &got, from, n);
}

struct row {
    const char *name;
    const char *hex;
    bool accepted;
};

static void try_rows(const char *kind, const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t raw[1024];
        size_t len = unhex(raw, rows[i].hex);
        ck_assert_msg(accepts(kind_of(kind), raw, len) == rows[i].accepted, "%s: %s", rows[i].name,
                      rows[i].accepted ? "refused" : "accepted");
    }
}
#define TRY(kind, rows) try_rows(kind, rows, sizeof rows / sizeof rows[0])

/* SEAL: [[round, nonce, member], term] */
START_TEST(integers)
{
    static const struct row rows[] = {
        {"as written", "92 93 01 02 03 04", true},
        {"every length", "92 93 cc80 cd0100 cd1234 ce00010000", true},
        {"64 bits", "92 93 cf0000000100000000 cfffffffffffffffff cdffff 7f", true},
        {"5 in 8 bits", "92 93 cc05 02 03 04", false},
        {"127 in 8 bits", "92 93 cc7f 02 03 04", false},
        {"255 in 16 bits", "92 93 cd00ff 02 03 04", false},
        {"65535 in 32 bits", "92 93 ce0000ffff 02 03 04", false},
        {"2^32 - 1 in 64 bits", "92 93 cf00000000ffffffff 02 03 04", false},
        {"a member above 16 bits", "92 93 01 02 ce00010000 04", false},
        {"signed 5", "92 93 d005 02 03 04", false},
        {"signed 64-bit 5", "92 93 d30000000000000005 02 03 04", false},
        {"-1", "92 93 ff 02 03 04", false},
        {"float 1.0", "92 93 ca3f800000 02 03 04", false},
        {"double 1.0", "92 93 cb3ff0000000000000 02 03 04", false},
        {"NaN", "92 93 cb7ff8000000000000 02 03 04", false},
        {"false", "92 93 c2 02 03 04", false},
        {"nil", "92 93 c0 02 03 04", false},
        {"str", "92 93 a131 02 03 04", false},
        {"bin", "92 93 c40131 02 03 04", false},
        {"ext", "92 93 d40131 02 03 04", false},
        {"array", "92 93 9101 02 03 04", false},
    };
    TRY("seal", rows);
}
END_TEST

START_TEST(shapes)
{
    static const struct row rows[] = {
        {"as written", "92 93 01 02 03 04", true},
        {"two fields in a long array", "dc0002 93 01 02 03 04", false},
        {"two fields in a longer array", "dd00000002 93 01 02 03 04", false},
        {"one field too few", "91 93 01 02 03", false},
        {"one field too many", "93 93 01 02 03 04 05", false},
        {"count above what there is", "93 93 01 02 03 04", false},
        {"count below what there is", "91 93 01 02 03 04", false},
        {"inner one too few", "92 92 01 02 04", false},
        {"inner one too many", "92 94 01 02 03 04 05", false},
        {"flat", "94 01 02 03 04", false},
        {"map", "82 00 93 01 02 03 01 04", false},
        {"map for the inner array", "92 83 00 01 01 02 02 03 04", false},
        {"twice", "92 93 01 02 03 04 92 93 01 02 03 04", false},
    };
    TRY("seal", rows);
}
END_TEST

/* NACK: [ballot, promised, reason, verdict] */
START_TEST(enums)
{
    static const struct row rows[] = {
        {"first reason, first verdict", "94 93010203 93010203 01 00", true},
        {"last reason, last verdict", "94 93010203 93010203 09 04", true},
        {"reason 0", "94 93010203 93010203 00 00", false},
        {"reason 10", "94 93010203 93010203 0a 00", false},
        {"reason 257", "94 93010203 93010203 cd0101 00", false},
        {"reason 2^32 + 1", "94 93010203 93010203 cf0000000100000001 00", false},
        {"verdict 5", "94 93010203 93010203 01 05", false},
    };
    ck_assert_int_eq(NACK_NO_RECORD, 9);
    ck_assert_int_eq(VERDICT_GONE, 4);
    TRY("nack", rows);
}
END_TEST

/* ANSWER: [id, done, final, text, detail, hint] */
START_TEST(flags)
{
    static const struct row rows[] = {
        {"false and true", "96 01 c2 c3 a0 a0 a0", true}, {"0 and 1", "96 01 00 01 a0 a0 a0", false},
        {"nil", "96 01 c0 c2 a0 a0 a0", false},           {"the unused byte", "96 01 c1 c2 a0 a0 a0", false},
        {"str", "96 01 a474727565 c2 a0 a0 a0", false},
    };
    TRY("answer", rows);
}
END_TEST

START_TEST(texts)
{
    static const struct row rows[] = {
        {"empty", "96 01 c2 c2 a0 a0 a0", true},
        {"ASCII", "96 01 c2 c2 a3 61207e a0 a0", true},
        {"two bytes", "96 01 c2 c2 a2 c3a9 a0 a0", true},
        {"three bytes", "96 01 c2 c2 a3 e282ac a0 a0", true},
        {"four bytes", "96 01 c2 c2 a4 f09f9880 a0 a0", true},
        {"U+10FFFF", "96 01 c2 c2 a4 f48fbfbf a0 a0", true},
        {"32 bytes in 8 bits of length",
         "96 01 c2 c2 d920 6161616161616161616161616161616161616161616161616161616161616161 a0 a0", true},
        {"31 bytes in 8 bits of length",
         "96 01 c2 c2 d91f 61616161616161616161616161616161616161616161616161616161616161 a0 a0", false},
        {"3 bytes in 16 bits of length", "96 01 c2 c2 da0003 616263 a0 a0", false},
        {"3 bytes in 32 bits of length", "96 01 c2 c2 db00000003 616263 a0 a0", false},
        {"NUL", "96 01 c2 c2 a3 610061 a0 a0", false},
        {"NUL at the end", "96 01 c2 c2 a2 6100 a0 a0", false},
        {"newline", "96 01 c2 c2 a2 610a a0 a0", false},
        {"escape", "96 01 c2 c2 a3 1b5b6d a0 a0", false},
        {"DEL", "96 01 c2 c2 a1 7f a0 a0", false},
        {"C1 control", "96 01 c2 c2 a2 c285 a0 a0", false},
        {"last C1 control", "96 01 c2 c2 a2 c29f a0 a0", false},
        {"continuation alone", "96 01 c2 c2 a1 80 a0 a0", false},
        {"continuation missing", "96 01 c2 c2 a2 c361 a0 a0", false},
        {"character cut by the end", "96 01 c2 c2 a2 e282 a0 a0", false},
        {"slash in two bytes", "96 01 c2 c2 a2 c0af a0 a0", false},
        {"slash in three bytes", "96 01 c2 c2 a3 e080af a0 a0", false},
        {"U+FFFF in four bytes", "96 01 c2 c2 a4 f08fbfbf a0 a0", false},
        {"surrogate", "96 01 c2 c2 a3 eda080 a0 a0", false},
        {"above U+10FFFF", "96 01 c2 c2 a4 f4908080 a0 a0", false},
        {"0xff", "96 01 c2 c2 a1 ff a0 a0", false},
        {"bin", "96 01 c2 c2 c403616263 a0 a0", false},
        {"nil", "96 01 c2 c2 c0 a0 a0", false},
        {"longer than what is left", "96 01 c2 c2 a9 616263 a0 a0", false},
    };
    TRY("answer", rows);
}
END_TEST

START_TEST(text_lengths)
{
    static const uint8_t start[] = {0x96, 1, 0xc2, 0xc2, 0xd9};
    const size_t size = sizeof((struct answer *)0)->text;
    for (size_t n = size - 2; n <= size + 1; n++) {
        memcpy(bytes, start, sizeof start);
        bytes[sizeof start] = (uint8_t)n;
        memset(bytes + sizeof start + 1, 'a', n);
        memset(bytes + sizeof start + 1 + n, 0xa0, 2);
        ck_assert_msg(accepts(kind_of("answer"), bytes, sizeof start + 3 + n) == (n < size), "%zu of %zu", n,
                      size);
    }
}
END_TEST

/* ACCEPTED: [who, ballot, record_hash, signature] */
START_TEST(byte_strings)
{
    struct accepted a = {.who = 1};
    const struct kind *k = kind_of("accepted");
    size_t n = wire_put_accepted(bytes, &a);
    enum { HASH_AT = 6 };
    ck_assert_uint_eq(bytes[HASH_AT], 0xc4);
    ck_assert_uint_eq(bytes[HASH_AT + 1], HASH_SIZE);

    static const struct {
        const char *name;
        const char *header; /* in place of c4 20 */
        int longer;         /* bytes more than there were */
    } rows[] = {
        {"one byte less", "c41f", -1},
        {"one byte more", "c421", 1},
        {"said one less", "c41f", 0},
        {"said one more", "c421", 0},
        {"str", "d920", 0},
        {"16 bits of length", "c50020", 0},
        {"32 bits of length", "c600000020", 0},
        {"none", "c400", -HASH_SIZE},
        {"nil", "c0", -HASH_SIZE},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        memcpy(again, bytes, HASH_AT);
        size_t at = HASH_AT + unhex(again + HASH_AT, rows[r].header);
        size_t hash = (size_t)(HASH_SIZE + rows[r].longer), rest = n - HASH_AT - 2 - HASH_SIZE;
        memset(again + at, 0, hash);
        memcpy(again + at + hash, bytes + n - rest, rest);
        ck_assert_msg(!accepts(k, again, at + hash + rest), "%s: accepted", rows[r].name);
    }
}
END_TEST

/* The accepted statements stand last in a certificate, the members heard of last in a heartbeat: their counts can be
 * bent without touching anything else. */
START_TEST(list_counts)
{
    static struct certificate c;
    size_t header = wire_put_decided(bytes, &c) - 1;
    struct draw d = {.largest = true};
    c.n_accepted = VOTERS_MAX;
    for (int i = 0; i < VOTERS_MAX; i++)
        draw_accepted(&d, &c.accepted[i]);
    size_t n = wire_put_decided(bytes, &c), each = (n - header - 1) / VOTERS_MAX;
    memcpy(bytes + n, bytes + n - each, each);
    const struct kind *k = kind_of("decided");
    ck_assert_uint_eq(bytes[header], 0x90 + VOTERS_MAX);
    ck_assert(accepts(k, bytes, n));
    for (uint8_t count = 0; count <= 15; count++) {
        bytes[header] = 0x90 | count;
        ck_assert_msg(accepts(k, bytes, header + 1 + each * count) == (count <= VOTERS_MAX), "%u accepted",
                      count);
        if (count != VOTERS_MAX)
            ck_assert_msg(!accepts(k, bytes, n), "said %u, were %u", count, VOTERS_MAX);
    }
}
END_TEST

START_TEST(long_list_counts)
{
    static struct heartbeat h;
    size_t header = wire_put_heartbeat(bytes, &h) - 1;
    h.n_heard = MEMBERS_MAX;
    size_t n = wire_put_heartbeat(bytes, &h), each = (n - header - 3) / MEMBERS_MAX;
    memcpy(bytes + n, bytes + n - each, each);
    const struct kind *k = kind_of("heartbeat");
    ck_assert_uint_eq(bytes[header], 0xdc);
    for (uint8_t count = 0; count <= MEMBERS_MAX + 1; count++) {
        bytes[header + 2] = count;
        ck_assert_msg(accepts(k, bytes, header + 3 + each * count) == (count > 15 && count <= MEMBERS_MAX),
                      "%u in 16 bits", count);
        if (count != MEMBERS_MAX)
            ck_assert_msg(!accepts(k, bytes, n), "said %u, were %u", count, MEMBERS_MAX);
    }
}
END_TEST

/* PREPARE: [ballot, takeover, known_counter, command or nil] */
START_TEST(optional_parts)
{
    static const struct row rows[] = {
        {"nil", "94 93010203 c3 05 c0", true},  {"false", "94 93010203 c3 05 c2", false},
        {"0", "94 93010203 c3 05 00", false},   {"empty array", "94 93010203 c3 05 90", false},
        {"absent", "94 93010203 c3 05", false}, {"absent, and counted so", "93 93010203 c3 05", false},
    };
    TRY("prepare", rows);
}
END_TEST

/* What stands in a part that is said to be absent, or behind a count, does not travel. */
START_TEST(leftovers_do_not_travel)
{
    static const struct command nothing;
    struct prepare p = {.ballot = {1, 2, 3}}, q;
    struct draw d = {.largest = true};
    draw_command(&d, &p.command);
    size_t n = wire_put_prepare(bytes, &p);
    ck_assert(wire_get_prepare(&q, bytes, n));
    ck_assert(!q.has_command && memcmp(&q.command, &nothing, sizeof nothing) == 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("wire_fields");
    TCase *fields = suite_case(s, "fields");
    tcase_add_test(fields, integers);
    tcase_add_test(fields, shapes);
    tcase_add_test(fields, enums);
    tcase_add_test(fields, flags);
    tcase_add_test(fields, texts);
    tcase_add_test(fields, text_lengths);
    tcase_add_test(fields, byte_strings);
    tcase_add_test(fields, list_counts);
    tcase_add_test(fields, long_list_counts);
    tcase_add_test(fields, optional_parts);
    tcase_add_test(fields, leftovers_do_not_travel);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
