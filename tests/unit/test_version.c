/* Two neighbouring versions of the protocol.  The same file tests the present program and, built with NEXT=1, the one that stands
 * for the version to come: what holds for both, and what each does on its own. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/draw.h"
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

#include <check.h>

enum { FIELDS_AT = 2 }; /* a heartbeat begins with dc 00 n: an array of n */
static uint8_t bytes[FRAME_BODY_MAX + 4096];
static struct heartbeat one, two;

static size_t drawn(void)
{
    struct draw d = {.state = 11};
    memset(&one, 0, sizeof one);
    draw_heartbeat(&d, &one);
    size_t n = wire_put_heartbeat(bytes, &one);
    ck_assert_uint_eq(bytes[0], 0xdc);
    return n;
}

/* ---- heartbeats of another version ---------------------------------------------------------------------------------- */

static const struct {
    const char *name, *appended;
    size_t n, fields;
    bool taken;
} appended[] = {
    {"a small number", "\5", 1, 1, true},
    {"a large number", "\xcf\1\2\3\4\5\6\7\x08", 9, 1, true},
    {"a number in a form longer than needed", "\xcc\5", 2, 1, false},
    {"a number cut short", "\xcd\1", 2, 1, false},
    {"a flag and nil", "\xc3\xc0", 2, 2, true},
    {"a text", "\xa3xyz", 4, 1, true},
    {"a longer text", "\xd9\3xyz", 5, 1, true},
    {"a text cut short", "\xa3xy", 3, 1, false},
    {"bytes", "\xc4\2xy", 4, 1, true},
    {"bytes cut short", "\xc4\2x", 3, 1, false},
    {"an array", "\x93\1\2\3", 4, 1, true},
    {"an array with less in it than it says", "\x93\1\2", 3, 1, false},
    {"arrays, four deep", "\x91\x91\x91\x91\1", 5, 1, false},
    {"arrays, three deep", "\x91\x91\x91\1", 4, 1, true},
    {"a map", "\x81\1\2", 3, 1, false},
    {"a negative number", "\xff", 1, 1, false},
    {"fewer values than the header says", "\5", 1, 2, false},
    {"more values than the header says", "\5\5", 2, 1, false},
};

START_TEST(appended_values)
{
    size_t n = drawn();
    memcpy(bytes + n, appended[_i].appended, appended[_i].n);
    bytes[FIELDS_AT] = (uint8_t)(bytes[FIELDS_AT] + appended[_i].fields);
    bool taken = wire_get_heartbeat(&two, bytes, n + appended[_i].n);
    ck_assert_msg(taken == appended[_i].taken, "%s", appended[_i].name);
    if (taken)
        ck_assert_mem_eq(&one, &two, sizeof one);
}
END_TEST

START_TEST(not_without_bound)
{
    size_t n = drawn();
    uint8_t fields = bytes[FIELDS_AT];
    memset(bytes + n, 1, REST_MAX + 1);
    bytes[FIELDS_AT] = (uint8_t)(fields + REST_MAX);
    ck_assert(wire_get_heartbeat(&two, bytes, n + REST_MAX));
    bytes[FIELDS_AT]++;
    ck_assert(!wire_get_heartbeat(&two, bytes, n + REST_MAX + 1));
}
END_TEST

/* What votes, proves or is kept has exactly its fields: nobody agrees to what he has not read. */
START_TEST(nothing_else_grows)
{
    static struct nack nack = {.reason = NACK_BALLOT};
    static struct accepted accepted;
    static struct durable durable;
    struct draw d = {.state = 12};
    size_t n = wire_put_nack(bytes, &nack);
    bytes[n] = 1;
    bytes[0]++;
    ck_assert(!wire_get_nack(&nack, bytes, n + 1));
    draw_accepted(&d, &accepted);
    n = wire_put_accepted(bytes, &accepted);
    bytes[n] = 1;
    bytes[0]++;
    ck_assert(!wire_get_accepted(&accepted, bytes, n + 1));
    static uint8_t store[DURABLE_MAX + 1];
    draw_durable(&d, &durable);
    n = wire_put_durable(store, &durable);
    store[n] = 1;
    store[FIELDS_AT]++;
    ck_assert(!wire_get_durable(&durable, store, n + 1));
}
END_TEST

/* ---- what is spoken -------------------------------------------------------------------------------------------------- */

/* What everybody but us reads; `silent`: not heard in this start. */
static const struct {
    const char *name;
    uint8_t reads[APP1 + 1];
    member_id silent, revoked;
    bool next; /* the newest version is spoken */
} spoken[] = {
    {"all read the next one", {0, 2, 2, 2, 2, 2, 2}, 0, 0, true},
    {"all but a witness", {0, 2, 2, 2, 2, 1, 2}, 0, 0, false},
    {"all but the observer", {0, 2, 2, 2, 2, 2, 1}, 0, 0, false},
    {"all read more than we do", {0, 9, 9, 9, 9, 9, 9}, 0, 0, true},
    {"one says nothing sensible", {0, 2, 2, 0, 2, 2, 2}, 0, 0, false},
    {"one was not heard", {0, 2, 2, 2, 2, 2, 2}, W2, 0, false},
    {"one that reads less is revoked", {0, 2, 2, 2, 2, 1, 2}, 0, W2, true},
    {"all but the primary", {0, 1, 2, 2, 2, 2, 2}, 0, 0, false},
};

static struct rig *among(int row)
{
    struct rig *r = rig_new(DB2);
    for (member_id id = DB1; id <= APP1; id++)
        r->beat[id].reads = spoken[row].reads[id];
    if (spoken[row].silent)
        r->alive &= ~(1u << (spoken[row].silent - 1));
    if (spoken[row].revoked)
        r->setup.members[spoken[row].revoked - 1].revoked = true;
    rig_start(r);
    rig_run(r, 700);
    rig_clear(r);
    return r;
}

START_TEST(lowest_of_all)
{
    struct rig *r = among(_i);
    bool next = spoken[_i].next && FRAME_VERSION > 1;
    rig_prepare(r, DB3, 3, true); /* below what we know: a NACK */
    const struct rig_frame *f = rig_sent(r, FRAME_NACK);
    ck_assert_msg(f && f->version == (next ? 2 : 1), "%s", spoken[_i].name);
    rig_run(r, 60);
    f = rig_sent(r, FRAME_HEARTBEAT);
    ck_assert(f && f->version == FRAME_VERSION_MIN);
    ck_assert(wire_get_heartbeat(&two, f->body, f->len) && two.reads == FRAME_VERSION);
}
END_TEST

/* A member comes back with the version before: from its first heartbeat on. */
START_TEST(downgrade)
{
    struct rig *r = among(0);
    r->beat[W1].reads = 1;
    r->nonce[W1]++;
    r->counter[W1]++;
    rig_beat(r, W1);
    rig_prepare(r, DB3, 3, true);
    const struct rig_frame *f = rig_sent(r, FRAME_NACK);
    ck_assert(f && f->version == 1);
    ck_assert(rig_said(r, "-protocol") == (FRAME_VERSION > 1));
    rig_clear(r);
    r->beat[W1].reads = 2;
    rig_beat(r, W1);
    ck_assert(rig_said(r, "+protocol") == (FRAME_VERSION > 1));
}
END_TEST

/* Nobody reads what is two versions away. */
START_TEST(a_version_too_far)
{
    static uint8_t frame[FRAME_MAX], body[FRAME_BODY_MAX];
    struct rig *r = among(0);
    size_t n =
        rig_bytes(r, frame, FRAME_HEARTBEAT, DB3, MEMBER_NONE, body, wire_put_heartbeat(body, &r->beat[DB3]));
    frame[4] = FRAME_VERSION + 1;
    uint64_t before = r->core->rejected[REJECT_VERSION];
    rig_packet(r, DB3, frame, n);
    ck_assert_uint_eq(r->core->rejected[REJECT_VERSION], before + 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("version");
    TCase *heartbeats = suite_case(s, "heartbeats");
    tcase_add_loop_test(heartbeats, appended_values, 0, sizeof appended / sizeof appended[0]);
    tcase_add_test(heartbeats, not_without_bound);
    tcase_add_test(heartbeats, nothing_else_grows);
    TCase *speaking = suite_case(s, "speaking");
    tcase_add_loop_test(speaking, lowest_of_all, 0, sizeof spoken / sizeof spoken[0]);
    tcase_add_test(speaking, downgrade);
    tcase_add_test(speaking, a_version_too_far);
    return s;
}

int main(void)
{
    return suite_run(suite());
}
