/* The roster in the core: members that came later or were revoked, and keys that turn. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

static struct roster_news news_of(const struct rig *r)
{
    struct roster_news n = {
        .n = (uint8_t)r->setup.n_members, .digest = 77, .text = (const uint8_t *)"lines", .len = 5};
    memcpy(n.members, r->setup.members, sizeof n.members);
    return n;
}

START_TEST(nothing_of_a_revoked_member_is_taken)
{
    struct rig *r = rig_running(W1);
    struct roster_news n = news_of(r);
    n.members[DB3 - 1].revoked = true;
    rig_roster(r, &n);
    ck_assert(!peer_fresh(r->core, DB3 - 1, span_ms(60000)));
    ck_assert_int_eq(mask_core(r->core) >> (DB3 - 1) & 1, 0);
    rig_clear(r);
    rig_beat(r, DB3);
    rig_prepare(r, DB3, 20, true);
    ck_assert_int_eq(r->core->rejected[REJECT_REVOKED], 2);
    ck_assert_int_eq(rig_count(r, FRAME_PROMISE) + rig_count(r, FRAME_NACK), 0);
}
END_TEST

/* What it signed as a voter goes on proving what it proved. */
START_TEST(an_old_acceptance_of_a_revoked_member_holds)
{
    struct rig *r = rig_running(W1);
    struct proposal *p = rig_takeover(r, 20, DB2);
    struct certificate *c = rig_certificate(r, p, 0x16); /* db2, db3, w2 */
    struct roster_news n = news_of(r);
    n.members[DB3 - 1].revoked = true;
    rig_roster(r, &n);
    rig_say(r, decided, FRAME_DECIDED, DB2, c);
    ck_assert_int_eq(decided(r->core)->term, RIG_TERM + 1);
}
END_TEST

START_TEST(a_member_that_came_later_is_heard)
{
    struct rig *r = rig_running(W1);
    struct roster_news n = news_of(r);
    struct member *m = &n.members[n.n++];
    *m = (struct member){.id = 40, .name = "w9", .role = ROLE_WITNESS, .site = "c"};
    memset(m->key, 9, sizeof m->key);
    rig_roster(r, &n);
    int i = member_index(r->core, 40);
    ck_assert_int_eq(i, r->setup.n_members);
    ck_assert(mask_core(r->core) >> i & 1);
    rig_roster(r, &n);
    ck_assert_int_eq(r->core->n_members, r->setup.n_members + 1);
}
END_TEST

START_TEST(who_has_another_roster_is_told_ours)
{
    static struct heartbeat h;
    struct rig *r = rig_running(W1);
    struct roster_news n = news_of(r);
    rig_roster(r, &n);
    rig_clear(r);
    rig_beat(r, DB2);
    const struct rig_frame *f = rig_sent(r, FRAME_ROSTER);
    ck_assert(f && f->len == 5 && memcmp(f->body, "lines", 5) == 0 && f->to == 1u << (DB2 - 1));
    rig_beat(r, DB2);
    ck_assert_int_eq(rig_count(r, FRAME_ROSTER), 1); /* not at every heartbeat */
    r->beat[DB3].roster = 77;
    rig_beat(r, DB3);
    ck_assert_int_eq(rig_count(r, FRAME_ROSTER), 1); /* it has the same */
    rig_run(r, 60);
    const struct rig_frame *b = rig_sent(r, FRAME_HEARTBEAT);
    ck_assert(wire_get_heartbeat(&h, b->body, b->len) && h.roster == 77);
}
END_TEST

START_TEST(anothers_roster_goes_to_the_edge)
{
    struct rig *r = rig_running(W1);
    rig_frame(r, FRAME_ROSTER, DB2, DB2, (const uint8_t *)"pgmesh", 6);
    ck_assert_int_eq(r->rosters, 1);
    ck_assert_int_eq(r->core->n_members, r->setup.n_members);
}
END_TEST

/* ---- rotation of a member's key ------------------------------------------------------------------------------------------ */

static struct secret_key next_secret;

/* The news that `id` has a new key; the former one ends with that round. */
static struct roster_news rekeyed(const struct rig *r, member_id id, uint64_t round)
{
    static const uint8_t seed[32] = {7, 7, 7};
    struct roster_news n = news_of(r);
    struct member *m = &n.members[id - 1];
    memcpy(m->former[0].key, m->key, KEY_SIZE);
    m->former[0].round = round;
    m->n_former = 1;
    sign_keypair(m->key, &next_secret, seed);
    return n;
}

/* A PREPARE of db3 by its old key or its new one, as w1 takes it: not refused for its signature? */
static bool key_is_taken(struct rig *r, bool new)
{
    static uint8_t bytes[FRAME_MAX], body[FRAME_BODY_MAX];
    struct prepare p = {.ballot = rig_ballot(5000, DB3), .takeover = true};
    struct secret_key old = r->secret[DB3];
    uint64_t before = r->core->rejected[REJECT_SIGNATURE];
    if (new)
        r->secret[DB3] = next_secret;
    size_t n = rig_bytes(r, bytes, FRAME_PREPARE, DB3, MEMBER_NONE, body, wire_put_prepare(body, &p));
    rig_packet(r, DB3, bytes, n);
    r->secret[DB3] = old;
    return r->core->rejected[REJECT_SIGNATURE] == before;
}

START_TEST(both_keys_are_good_until_the_former_one_is_retired)
{
    struct rig *r = rig_running(W1);
    ck_assert(key_is_taken(r, false) && !key_is_taken(r, true));
    struct roster_news n = rekeyed(r, DB3, KEY_OPEN);
    rig_roster(r, &n);
    ck_assert(key_is_taken(r, false) && key_is_taken(r, true));
    n.members[DB3 - 1].former[0].round = 20;
    rig_roster(r, &n);
    ck_assert(!key_is_taken(r, false) && key_is_taken(r, true));
}
END_TEST

/* A certificate that the former key had a part in holds where its ballot is of a round before the retirement, and not later. */
static const struct retired_row {
    const char *name;
    uint64_t round;
    bool holds;
} retired_rows[] = {{"a ballot of the last round", 20, true},
                    {"an older ballot", 100, true},
                    {"a ballot of a later round", 19, false},
                    {"not retired", KEY_OPEN, true}};

START_TEST(a_retired_key_proves_what_it_proved)
{
    const struct retired_row *row = &retired_rows[_i];
    struct rig *r = rig_running(W1);
    struct proposal *p = rig_takeover(r, 20, DB2);
    struct certificate *c = rig_certificate(r, p, 0x16); /* db2, db3, w2 */
    struct roster_news n = rekeyed(r, DB3, row->round);
    rig_roster(r, &n);
    rig_say(r, decided, FRAME_DECIDED, DB2, c);
    EXPECT((decided(r->core)->term == RIG_TERM + 1) == row->holds, row);
}
END_TEST

/* Our own: a step for EFFECT_KEY each, when who must know does. */
static const struct turn_row {
    const char *name;
    member_id behind; /* who has not told our roster's digest */
    bool silent, open, turns;
} turn_rows[] = {{"all know", MEMBER_NONE, false, true, true},
                 {"a voter does not know", DB3, false, true, false},
                 {"a voter does not know, and is not heard any more", DB3, true, true, false},
                 {"one without a vote does not know", APP1, false, true, false},
                 {"one without a vote is gone", APP1, true, true, true},
                 {"retired: a voter does not know", DB3, false, false, false},
                 {"retired: a voter that does not know is gone", DB3, true, false, true}};

START_TEST(own_key_turns_when_all_know)
{
    const struct turn_row *row = &turn_rows[_i];
    struct rig *r = rig_running(W1);
    struct roster_news n = rekeyed(r, W1, row->open ? KEY_OPEN : 20);
    n.turning = true;
    for (member_id id = DB1; id <= APP1; id++)
        r->beat[id].roster = id == row->behind ? 0 : 77;
    if (row->silent)
        r->alive &= ~(1u << (row->behind - 1));
    rig_clear(r);
    rig_run(r, 1500);
    ck_assert_int_eq(r->key_turns, 0);
    rig_roster(r, &n); /* once in this step, and then each second */
    rig_clear(r);
    rig_run(r, 1200);
    EXPECT((r->key_turns > 0) == row->turns, row);
    EXPECT(r->key_turns < 2 && (!row->turns || r->key_round == r->core->disk.round), row);
}
END_TEST

START_TEST(our_frames_carry_the_new_key)
{
    struct rig *r = rig_running(W1);
    struct roster_news n = rekeyed(r, W1, KEY_OPEN);
    n.secret = &next_secret;
    memcpy(r->setup.members[W1 - 1].key, n.members[W1 - 1].key, KEY_SIZE); /* by which the bench verifies */
    rig_roster(r, &n);
    ck_assert(memcmp(&r->core->secret, &next_secret, sizeof next_secret) == 0);
    n.secret = NULL;
    rig_roster(r, &n);
    ck_assert(memcmp(&r->core->secret, &next_secret, sizeof next_secret) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roster_core");
    TCase *tcase = suite_case(suite, "roster");
    tcase_add_test(tcase, nothing_of_a_revoked_member_is_taken);
    tcase_add_test(tcase, an_old_acceptance_of_a_revoked_member_holds);
    tcase_add_test(tcase, a_member_that_came_later_is_heard);
    tcase_add_test(tcase, who_has_another_roster_is_told_ours);
    tcase_add_test(tcase, anothers_roster_goes_to_the_edge);
    tcase = suite_case(suite, "rotation");
    tcase_add_test(tcase, both_keys_are_good_until_the_former_one_is_retired);
    tcase_add_loop_test(tcase, a_retired_key_proves_what_it_proved, 0, ROWS(retired_rows));
    tcase_add_loop_test(tcase, own_key_turns_when_all_know, 0, ROWS(turn_rows));
    tcase_add_test(tcase, our_frames_carry_the_new_key);
    return suite_run(suite);
}
