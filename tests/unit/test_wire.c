/* Bodies and the store's bytes: what is written is read back as it was, one encoding for each value, and nothing else
 * is ever accepted. */
#include "tests/unit/kinds.h"
#include "tests/unit/suite.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static union any one, two;
static uint8_t bytes[DURABLE_MAX + 64], again[DURABLE_MAX + 64];

static bool accepts(const struct kind *k, const uint8_t *from, size_t n)
{
    return kind_accepts(k, &two, from, n);
}

/* ---- whole values ------------------------------------------------------------------------------------------- */

START_TEST(random_values_come_back)
{
    const struct kind *k = &kinds[_i];
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct draw d = {.state = seed};
        memset(&one, 0, sizeof one);
        k->draw(&d, &one);
        size_t n = k->put(bytes, &one);
        ck_assert_msg(accepts(k, bytes, n), "%s, seed %d: refused", k->name, (int)seed);
        ck_assert_msg(memcmp(&one, &two, k->size) == 0, "%s, seed %d: changed", k->name, (int)seed);
        ck_assert_msg(k->put(again, &two) == n && memcmp(bytes, again, n) == 0,
                      "%s, seed %d: another encoding", k->name, (int)seed);
    }
}
END_TEST

START_TEST(largest_values_fit)
{
    const struct kind *k = &kinds[_i];
    struct draw d = {.largest = true};
    memset(&one, 0, sizeof one);
    k->draw(&d, &one);
    size_t n = k->put(bytes, &one);
    ck_assert_msg(n <= k->room, "%s: %zu bytes into %zu", k->name, n, k->room);
    ck_assert_msg(accepts(k, bytes, n), "%s: the largest value is refused", k->name);
    ck_assert_mem_eq(&one, &two, k->size);
}
END_TEST

START_TEST(zero_values_come_back)
{
    /* of a command and a NACK, zero is no value */
    static const char *const without[] = {"command", "nack"};
    const struct kind *k = &kinds[_i];
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        if (strcmp(k->name, without[i]) == 0)
            return;
    memset(&one, 0, sizeof one);
    size_t n = k->put(bytes, &one);
    ck_assert(accepts(k, bytes, n));
    ck_assert_mem_eq(&one, &two, k->size);
}
END_TEST

/* ---- damage, to every kind ------------------------------------------------------------------------------------ */

START_TEST(truncated_at_every_byte)
{
    const struct kind *k = &kinds[_i];
    for (int largest = 0; largest < 2; largest++) {
        struct draw d = {.state = 7, .largest = largest};
        memset(&one, 0, sizeof one);
        k->draw(&d, &one);
        size_t n = k->put(bytes, &one);
        for (size_t cut = 0; cut < n; cut++)
            ck_assert_msg(!accepts(k, bytes, cut), "%s: %zu of %zu bytes accepted", k->name, cut, n);
    }
}
END_TEST

START_TEST(trailing_byte)
{
    const struct kind *k = &kinds[_i];
    struct draw d = {.state = 8};
    memset(&one, 0, sizeof one);
    k->draw(&d, &one);
    size_t n = k->put(bytes, &one);
    for (int b = 0; b <= UINT8_MAX; b++) {
        bytes[n] = (uint8_t)b;
        ck_assert_msg(!accepts(k, bytes, n + 1), "%s: a trailing %02x accepted", k->name, (unsigned)b);
    }
}
END_TEST

/* A changed byte makes another value or none, but never a second encoding. */
START_TEST(each_byte_changed)
{
    const struct kind *k = &kinds[_i];
    struct draw d = {.state = 9};
    memset(&one, 0, sizeof one);
    k->draw(&d, &one);
    size_t n = k->put(bytes, &one);
    for (size_t i = 0; i < n; i++) {
        for (unsigned bit = n > 8192 ? i % 8 : 0;
             bit<8; bit += n> 8192 ? 8 : 1) { /* a large one: one bit of each */
            bytes[i] ^= (uint8_t)(1u << bit);
            if (accepts(k, bytes, n)) {
                ck_assert_msg(k->put(again, &two) == n, "%s: byte %zu bit %u: another length", k->name, i,
                              bit);
                ck_assert_msg(memcmp(bytes, again, n) == 0, "%s: byte %zu bit %u: not canonical", k->name, i,
                              bit);
            }
            bytes[i] ^= (uint8_t)(1u << bit);
        }
    }
}
END_TEST

START_TEST(bombs)
{
    static const struct {
        const char *name;
        const char *start; /* hex */
        uint8_t fill;
        size_t n;
    } rows[] = {
        {"nothing at all", "", 0, 0},
        {"array of 4278190080", "ddff000000", 0, 5},
        {"array of 2^32 - 1, filled", "ddffffffff", 0xc0, 20000},
        {"array of 65535", "dcffff", 0, 3},
        {"array of 65535, filled", "dcffff", 0, 65538},
        {"10,000 arrays in each other", "", 0x91, 10000},
        {"10,000 arrays of 2^32 - 1 in each other", "ddffffffff", 0xdd, 10000},
        {"map of 2^32 - 1", "dfffffffff", 0, 5},
        {"map with a key twice", "82a16101a16101", 0, 7},
        {"map for the array", "8f", 0, 31},
        {"str of 2^32 - 1", "dbffffffff", 'a', 1000},
        {"str of 65535", "daffff", 'a', 65538},
        {"bin of 2^32 - 1", "c6ffffffff", 0, 1000},
        {"bin of 65535", "c5ffff", 0, 65538},
        {"ext of 2^32 - 1", "c9ffffffff01", 0, 1000},
        {"fixext 1", "d40100", 0, 3},
        {"fixext 16", "d801", 0, 18},
        {"timestamp", "d6ff00000000", 0, 6},
        {"NaN", "cb7ff8000000000000", 0, 9},
        {"float", "ca3f800000", 0, 5},
        {"nil", "c0", 0, 1},
        {"the byte that msgpack never uses", "c1", 0, 1},
        {"true", "c3", 0, 1},
        {"-1", "ff", 0, 1},
        {"-2^63", "d38000000000000000", 0, 9},
        {"zeros", "", 0, 60000},
        {"0xff", "", 0xff, 60000},
    };
    static uint8_t bomb[70000];
    const struct kind *k = &kinds[_i];
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        memset(bomb, rows[r].fill, sizeof bomb);
        for (size_t i = 0; rows[r].start[2 * i]; i++)
            sscanf(rows[r].start + 2 * i, "%2hhx", &bomb[i]);
        ck_assert_msg(!accepts(k, bomb, rows[r].n), "%s accepted: %s", k->name, rows[r].name);
    }
}
END_TEST

START_TEST(random_garbage)
{
    static uint8_t garbage[65536];
    struct draw d = {.state = 10 + (uint64_t)_i};
    for (int round = 0; round < 200; round++) {
        size_t n = draw_below(&d, round < 150 ? 300 : sizeof garbage + 1);
        draw_octets(&d, garbage, n);
        ck_assert(!accepts(&kinds[_i], garbage, n));
    }
}
END_TEST

/* ---- formats that other versions and other members know --------------------------------------------------------- */

START_TEST(written_as_ever)
{
    static const uint8_t expected[] = {0x94, 0x93, 0x07, 0xcd, 0x12, 0x34, 0x02,
                                       0x93, 0xcc, 0xff, 0x00, 0x03, 0x04, 0x01};
    struct nack nack = {{7, 0x1234, 2}, {255, 0, 3}, NACK_QUARANTINE, VERDICT_ALIVE};
    size_t n = wire_put_nack(bytes, &nack);
    ck_assert_uint_eq(n, sizeof expected);
    ck_assert_mem_eq(bytes, expected, n);
}
END_TEST

/* Everything at once: a change of any schema changes this hash.  If that is meant, frames need a new version. */
START_TEST(schemas_as_ever)
{
    struct record r;
    struct draw d = {.state = 4711};
    uint8_t hash[HASH_SIZE], expected[HASH_SIZE];
    draw_record(&d, &r);
    record_hash(hash, &r);
    unhex(expected, "a10ccdfd30d1b37dbbfc75c9091d7ea77df14ac5627e8bee6c0b7a6237cbff71");
    ck_assert_mem_eq(hash, expected, sizeof hash);
}
END_TEST

START_TEST(cluster_id_is_the_start_of_the_hash)
{
    struct record r;
    struct draw d = {.state = 4712};
    struct cluster_id id;
    uint8_t hash[HASH_SIZE];
    draw_record(&d, &r);
    record_hash(hash, &r);
    record_cluster_id(&id, &r);
    ck_assert_mem_eq(id.b, hash, sizeof id.b);
    r.nonce[0] ^= 1;
    record_cluster_id(&id, &r);
    ck_assert_mem_ne(id.b, hash, sizeof id.b);
}
END_TEST

/* ---- texts of our own, and our own bugs ----------------------------------------------------------------------- */

START_TEST(unfit_texts_are_mended)
{
    static const struct {
        const char *name, *text, *travels;
    } rows[] = {
        {"plain", "disk full", "disk full"},
        {"newline", "a\nb", "a?b"},
        {"escape", "\x1b[31mred", "?[31mred"},
        {"cut in the middle of a character", "caf\xc3", "caf?"},
        {"cut in the middle of a long one", "\xe2\x82", "??"},
        {"broken, then good", "\xff\xc3\xa9", "?\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct release r = {.who = 1}, got;
        struct cluster_id c = {{0}};
        uint8_t mine[STATEMENT_MAX], theirs[STATEMENT_MAX];
        strcpy(r.reason, rows[i].text);
        size_t n = wire_put_release(bytes, &r);
        ck_assert_msg(wire_get_release(&got, bytes, n), "%s: refused", rows[i].name);
        ck_assert_str_eq(got.reason, rows[i].travels);
        ck_assert_uint_eq(release_bytes(mine, &c, &r), release_bytes(theirs, &c, &got));
        ck_assert_mem_eq(mine, theirs, release_bytes(mine, &c, &r));
    }
}
END_TEST

START_TEST(bug_text_without_end)
{
    static struct release r;
    memset(r.reason, 'a', sizeof r.reason);
    wire_put_release(bytes, &r);
}
END_TEST

START_TEST(bug_count_too_high)
{
    static struct certificate c;
    c.n_accepted = VOTERS_MAX + 1;
    wire_put_decided(bytes, &c);
}
END_TEST

START_TEST(bug_enum_out_of_range)
{
    static struct nack nack;
    wire_put_nack(bytes, &nack);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("wire");
    TCase *all = suite_case(s, "every kind");
    tcase_add_loop_test(all, random_values_come_back, 0, KINDS);
    tcase_add_loop_test(all, largest_values_fit, 0, KINDS);
    tcase_add_loop_test(all, zero_values_come_back, 0, KINDS);
    tcase_add_loop_test(all, truncated_at_every_byte, 0, KINDS);
    tcase_add_loop_test(all, trailing_byte, 0, KINDS);
    tcase_add_loop_test(all, each_byte_changed, 0, KINDS);
    tcase_add_loop_test(all, bombs, 0, KINDS);
    tcase_add_loop_test(all, random_garbage, 0, KINDS);

    TCase *formats = suite_case(s, "formats");
    tcase_add_test(formats, written_as_ever);
    tcase_add_test(formats, schemas_as_ever);
    tcase_add_test(formats, cluster_id_is_the_start_of_the_hash);

    TCase *own = suite_case(s, "our own");
    tcase_add_test(own, unfit_texts_are_mended);
    tcase_add_test_raise_signal(own, bug_text_without_end, SIGABRT);
    tcase_add_test_raise_signal(own, bug_count_too_high, SIGABRT);
    tcase_add_test_raise_signal(own, bug_enum_out_of_range, SIGABRT);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
