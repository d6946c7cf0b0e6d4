/* The envelope: what is sealed opens as it was, and nothing else opens and verifies. */
#include "mesh/frame.h"
#include "tests/unit/draw.h"
#include "tests/unit/suite.h"

#include <signal.h>
#include <stdlib.h>

static const struct cluster_id cluster = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static uint8_t key[KEY_SIZE];
static struct secret_key secret;
static uint8_t out[FRAME_MAX + 1], body[FRAME_BODY_MAX];
static struct frame made, got;

static void setup(void)
{
    uint8_t seed[32] = {42};
    sign_keypair(key, &secret, seed);
    memcpy(body, "a body of some bytes", 20);
    made = (struct frame){.version = FRAME_VERSION,
                          .kind = FRAME_SEAL,
                          .origin = 0x1112,
                          .addressee = 0x2122,
                          .cluster = cluster,
                          .counter = 0x3132333435363738,
                          .nonce = 0x4142434445464748,
                          .seq = 0x5152535455565758,
                          .body = body,
                          .body_len = 20};
}

static enum reject reopen(size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1); /* ends where its block ends */
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, out, n);
    enum reject reject = frame_open(&got, copy, n, &cluster);
    if (reject == REJECT_NONE && frame_verify(copy, n, key) != frame_verify(out, n, key))
        reject = REJECT_COUNT;
    if (reject == REJECT_NONE)
        got.body = out + (got.body - copy);
    free(copy);
    return reject;
}

static void same(const struct frame *a, const struct frame *b)
{
    ck_assert_uint_eq(a->version, b->version);
    ck_assert_uint_eq(a->kind, b->kind);
    ck_assert_uint_eq(a->origin, b->origin);
    ck_assert_uint_eq(a->addressee, b->addressee);
    ck_assert_mem_eq(a->cluster.b, b->cluster.b, CLUSTER_ID_SIZE);
    ck_assert_uint_eq(a->counter, b->counter);
    ck_assert_uint_eq(a->nonce, b->nonce);
    ck_assert_uint_eq(a->seq, b->seq);
    ck_assert_uint_eq(a->body_len, b->body_len);
    if (a->body_len > 0)
        ck_assert_mem_eq(a->body, b->body, a->body_len);
}

START_TEST(random_frames_come_back)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct draw d = {.state = seed, .largest = seed == 0};
        made.kind = (enum frame_kind)(1 + draw_below(&d, FRAME_KIND_END - 1));
        made.origin = (member_id)(draw_number(&d, UINT16_MAX) | 1);
        made.addressee = (member_id)draw_number(&d, UINT16_MAX);
        made.counter = draw_number(&d, UINT64_MAX);
        made.nonce = draw_number(&d, UINT64_MAX);
        made.seq = draw_number(&d, UINT64_MAX);
        made.body_len =
            (uint16_t)(seed == 0 ? FRAME_BODY_MAX : draw_below(&d, FRAME_BODY_MAX + 1) >> draw_below(&d, 15));
        draw_octets(&d, body, made.body_len);
        size_t n = frame_seal(out, &made, &secret);
        ck_assert_uint_eq(n, FRAME_HEADER + made.body_len + SIGNATURE_SIZE);
        ck_assert_int_eq(reopen(n), REJECT_NONE);
        same(&got, &made);
        ck_assert(frame_verify(out, n, key));
    }
}
END_TEST

START_TEST(layout_as_ever)
{
    static const uint8_t header[FRAME_HEADER] = {
        'p',  'g',  'm',  '1',  1,    5,    0x11, 0x12, 0x21, 0x22, 0,    20,   1,
        2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,
        15,   16,   0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x41, 0x42, 0x43,
        0x44, 0x45, 0x46, 0x47, 0x48, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58};
    frame_seal(out, &made, &secret);
    ck_assert_mem_eq(out, header, FRAME_HEADER);
    ck_assert_mem_eq(out + FRAME_HEADER, body, 20);
    ck_assert(sign_holds(out + FRAME_HEADER + 20, key, out, FRAME_HEADER + 20));
}
END_TEST

START_TEST(body_already_in_place)
{
    size_t n = frame_seal(out, &made, &secret);
    static uint8_t in_place[FRAME_MAX];
    memcpy(in_place + FRAME_HEADER, body, 20);
    made.body = in_place + FRAME_HEADER;
    ck_assert_uint_eq(frame_seal(in_place, &made, &secret), n);
    ck_assert_mem_eq(in_place, out, n);
}
END_TEST

START_TEST(no_body)
{
    made.body = NULL;
    made.body_len = 0;
    size_t n = frame_seal(out, &made, &secret);
    ck_assert_uint_eq(n, FRAME_HEADER + SIGNATURE_SIZE);
    ck_assert_int_eq(reopen(n), REJECT_NONE);
    ck_assert(frame_verify(out, n, key));
}
END_TEST

START_TEST(version_zero_is_the_oldest)
{
    made.version = 0;
    size_t n = frame_seal(out, &made, &secret);
    ck_assert_int_eq(reopen(n), REJECT_NONE);
    ck_assert_uint_eq(got.version, FRAME_VERSION_MIN);
}
END_TEST

START_TEST(truncated_at_every_byte)
{
    size_t n = frame_seal(out, &made, &secret);
    for (size_t cut = 0; cut < n; cut++) {
        ck_assert_msg(reopen(cut) != REJECT_NONE, "%zu of %zu bytes open", cut, n);
        ck_assert_msg(!frame_verify(out, cut, key), "%zu of %zu bytes verify", cut, n);
    }
    ck_assert_int_eq(reopen(0), REJECT_SHORT);
    ck_assert_int_eq(reopen(FRAME_HEADER + SIGNATURE_SIZE - 1), REJECT_SHORT);
    ck_assert_int_eq(reopen(n - 1), REJECT_LENGTH);
}
END_TEST

START_TEST(each_bit_flipped)
{
    size_t n = frame_seal(out, &made, &secret);
    for (size_t i = 0; i < 8 * n; i++) {
        out[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_msg(!frame_verify(out, n, key), "bit %zu", i);
        out[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    ck_assert(frame_verify(out, n, key));
}
END_TEST

START_TEST(trailing_byte)
{
    size_t n = frame_seal(out, &made, &secret);
    ck_assert_int_eq(reopen(n + 1), REJECT_LENGTH);
    ck_assert(!frame_verify(out, n + 1, key));
}
END_TEST

/* Nothing of a refused frame is left in *f. */
START_TEST(refusals)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        enum reject reject;
    } rows[] = {
        {"magic", 3, '2', REJECT_MAGIC},
        {"version 0", 4, 0, REJECT_VERSION},
        {"version to come", 4, FRAME_VERSION + 1, REJECT_VERSION},
        {"kind 0", 5, 0, REJECT_KIND},
        {"kind after the last", 5, FRAME_KIND_END, REJECT_KIND},
        {"kind 255", 5, 255, REJECT_KIND},
        {"length one less", 11, 19, REJECT_LENGTH},
        {"length one more", 11, 21, REJECT_LENGTH},
        {"length of 65300", 10, 0xff, REJECT_LENGTH},
        {"first byte of the cluster", 12, 0, REJECT_CLUSTER},
        {"last byte of the cluster", 27, 0, REJECT_CLUSTER},
    };
    static const struct frame zero;
    size_t n = frame_seal(out, &made, &secret);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t before = out[rows[i].at];
        out[rows[i].at] = rows[i].value;
        memset(&got, 0xa5, sizeof got);
        ck_assert_msg(reopen(n) == rows[i].reject, "%s: %s", rows[i].name, reject_name(reopen(n)));
        ck_assert_mem_eq(&got, &zero, sizeof got);
        out[rows[i].at] = before;
    }
    out[6] = out[7] = 0;
    ck_assert_int_eq(reopen(n), REJECT_ORIGIN);
}
END_TEST

START_TEST(too_long)
{
    static const size_t sizes[] = {FRAME_MAX + 1, 65536 + 1, 1024 * 1024};
    uint8_t *big = calloc(1, 1024 * 1024);
    ck_assert_ptr_nonnull(big);
    frame_seal(big, &made, &secret);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ck_assert_int_eq(frame_open(&got, big, sizes[i], &cluster), REJECT_LONG);
        ck_assert(!frame_verify(big, sizes[i], key));
    }
    free(big);
}
END_TEST

START_TEST(random_garbage)
{
    struct draw d = {.state = 3};
    for (int round = 0; round < 3000; round++) {
        size_t n = 1 + draw_below(&d, round % 10 ? 300 : FRAME_MAX);
        draw_octets(&d, out, n);
        if (round % 2)
            memcpy(out, "pgm1\1\1", n < 6 ? n : 6);
        ck_assert_int_ne(reopen(n), REJECT_NONE);
    }
}
END_TEST

START_TEST(forgeries)
{
    uint8_t other_key[KEY_SIZE], seed[32] = {43}, zeros[KEY_SIZE] = {0};
    struct secret_key other;
    sign_keypair(other_key, &other, seed);
    size_t n = frame_seal(out, &made, &other);
    ck_assert_msg(!frame_verify(out, n, key), "signed by somebody else");
    ck_assert(frame_verify(out, n, other_key));
    memset(out + n - SIGNATURE_SIZE, 0, SIGNATURE_SIZE);
    ck_assert_msg(!frame_verify(out, n, key), "empty signature");
    ck_assert_msg(!frame_verify(out, n, zeros), "empty signature, zero key");

    made.kind = FRAME_ACCEPT;
    frame_seal(out, &made, &secret);
    uint8_t signature[SIGNATURE_SIZE];
    memcpy(signature, out + n - SIGNATURE_SIZE, SIGNATURE_SIZE);
    made.kind = FRAME_SEAL;
    frame_seal(out, &made, &secret);
    memcpy(out + n - SIGNATURE_SIZE, signature, SIGNATURE_SIZE);
    ck_assert_msg(!frame_verify(out, n, key), "signature of another kind");
}
END_TEST

/* Well signed, but no frame: too short to have a header, too long to be one. */
START_TEST(only_frames_verify)
{
    static const size_t covered[] = {0, 1, FRAME_HEADER - 1, FRAME_MAX - SIGNATURE_SIZE + 1};
    for (size_t i = 0; i < sizeof covered / sizeof covered[0]; i++) {
        static uint8_t text[FRAME_MAX + 1];
        sign_make(text + covered[i], &secret, text, covered[i]);
        ck_assert_msg(!frame_verify(text, covered[i] + SIGNATURE_SIZE, key), "%zu bytes", covered[i]);
    }
}
END_TEST

START_TEST(reject_names)
{
    for (int a = 0; a < REJECT_COUNT; a++) {
        ck_assert_ptr_nonnull(reject_name((enum reject)a));
        for (int b = 0; b < a; b++)
            ck_assert_str_ne(reject_name((enum reject)a), reject_name((enum reject)b));
    }
    ck_assert_str_eq(reject_name(REJECT_COUNT), "?");
}
END_TEST

START_TEST(bug_body_too_long)
{
    made.body_len = FRAME_BODY_MAX + 1;
    frame_seal(out, &made, &secret);
}
END_TEST

START_TEST(bug_no_kind)
{
    made.kind = (enum frame_kind)0;
    frame_seal(out, &made, &secret);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frame");
    TCase *t = suite_case(s, "frame");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, random_frames_come_back);
    tcase_add_test(t, layout_as_ever);
    tcase_add_test(t, body_already_in_place);
    tcase_add_test(t, no_body);
    tcase_add_test(t, version_zero_is_the_oldest);
    tcase_add_test(t, truncated_at_every_byte);
    tcase_add_test(t, each_bit_flipped);
    tcase_add_test(t, trailing_byte);
    tcase_add_test(t, refusals);
    tcase_add_test(t, too_long);
    tcase_add_test(t, random_garbage);
    tcase_add_test(t, forgeries);
    tcase_add_test(t, only_frames_verify);
    tcase_add_test(t, reject_names);
    tcase_add_test_raise_signal(t, bug_body_too_long, SIGABRT);
    tcase_add_test_raise_signal(t, bug_no_kind, SIGABRT);
    return suite_run(s);
}
