/* What arrives at the door: forged, replayed, foreign or bent frames change nothing and are counted by their reason; who
 * lost its store, or runs twice, does not vote. */
// LINK: tests/unit/rig.c
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

/* ---- bent frames -------------------------------------------------------------------------------------------------------- */

enum {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_KIND = 5,
    AT_ORIGIN = 7,
    AT_ADDRESSEE = 9,
    AT_LENGTH = 11,
    AT_CLUSTER = 12,
    AT_BODY = 52
};

static struct prepare asked;

/* A PREPARE that would be answered, as db2 would send it. */
static size_t good(struct rig *r, uint8_t *bytes)
{
    static uint8_t body[FRAME_BODY_MAX];
    asked = (struct prepare){.ballot = rig_ballot(20, DB2), .takeover = true};
    return rig_bytes(r, bytes, FRAME_PREPARE, DB2, MEMBER_NONE, body, wire_put_prepare(body, &asked));
}

static const struct bent_row {
    const char *name;
    int at;    /* this byte is flipped; -1: none */
    int grow;  /* bytes more or less */
    bool seal; /* and the frame signed anew, by db2 */
    enum reject reject;
} bent_rows[] = {
    {"as it is", -1, 0, false, REJECT_NONE},
    {"another magic", AT_MAGIC, 0, true, REJECT_MAGIC},
    {"another version", AT_VERSION, 0, true, REJECT_VERSION},
    {"a kind that is none", AT_KIND, 0, true, REJECT_KIND},
    {"another cluster", AT_CLUSTER, 0, true, REJECT_CLUSTER},
    {"cut short", -1, -1, false, REJECT_LENGTH},
    {"a byte more", -1, 1, false, REJECT_LENGTH},
    {"nothing but a few bytes", -1, -100, false, REJECT_SHORT},
    {"a bent body", AT_BODY, 0, false, REJECT_SIGNATURE},
    {"a bent body, signed anew", AT_BODY, 0, true, REJECT_BODY},
    {"another's name", AT_ORIGIN, 0, false, REJECT_SIGNATURE},
};

START_TEST(bent)
{
    const struct bent_row *row = &bent_rows[_i];
    static uint8_t bytes[FRAME_MAX + 16];
    struct rig *r = rig_running(W1);
    rig_silence(r);
    size_t n = good(r, bytes);
    if (row->at >= 0)
        bytes[row->at] ^= row->at == AT_KIND ? 0x80 : row->at == AT_ORIGIN ? 1 : 0x40;
    if (row->seal)
        sign_make(bytes + n - SIGNATURE_SIZE, &r->secret[DB2], bytes, n - SIGNATURE_SIZE);
    n = (size_t)((int)n + row->grow);
    uint64_t before = r->core->rejected[row->reject];
    struct ballot promised = r->core->disk.promised;
    rig_clear(r);
    rig_packet(r, DB2, bytes, n);
    EXPECT_INT(r->core->rejected[row->reject], before + 1, row);
    EXPECT_INT(rig_count(r, FRAME_PROMISE), row->reject == REJECT_NONE, row);
    EXPECT_INT(r->stores, row->reject == REJECT_NONE, row);
    EXPECT((ballot_cmp(r->core->disk.promised, promised) == 0) == (row->reject != REJECT_NONE), row);
}
END_TEST

START_TEST(a_stranger_is_no_member)
{
    static uint8_t bytes[FRAME_MAX], body[FRAME_BODY_MAX];
    struct rig *r = rig_running(W1);
    struct frame f = {.kind = FRAME_NACK,
                      .origin = 42,
                      .cluster = r->setup.cluster,
                      .counter = 1,
                      .nonce = 1,
                      .seq = 1,
                      .body = body};
    rig_packet(r, 42, bytes, frame_seal(bytes, &f, &r->secret[DB2]));
    ck_assert_int_eq(r->core->rejected[REJECT_ORIGIN], 1);
}
END_TEST

/* ---- who may say what ------------------------------------------------------------------------------------------------------ */

static const struct role_row {
    const char *name;
    enum frame_kind kind;
    member_id from;
    enum reject reject;
} role_rows[] = {
    {"a witness does not prepare", FRAME_PREPARE, W2, REJECT_ROLE},
    {"an observer does not prepare", FRAME_PREPARE, APP1, REJECT_ROLE},
    {"a witness does not propose", FRAME_ACCEPT, W2, REJECT_ROLE},
    {"an observer does not ask for seals", FRAME_SEAL, APP1, REJECT_ROLE},
    {"a witness is not sealed", FRAME_SEALED, W2, REJECT_ROLE},
    {"an operator sends nothing but commands", FRAME_HEARTBEAT, OP, REJECT_ROLE},
    {"nobody but an operator sends commands", FRAME_COMMAND, DB1, REJECT_ROLE},
};

START_TEST(roles)
{
    const struct role_row *row = &role_rows[_i];
    static struct accept a;
    struct rig *r = rig_running(W1);
    rig_silence(r);
    struct prepare p = {.ballot = rig_ballot(20, row->from), .takeover = true};
    struct seal s = {.ballot = p.ballot, .term = RIG_TERM};
    struct sealed_statement d = {.ballot = p.ballot, .sealed.id = row->from};
    struct command m = rig_command(r, COMMAND_PAUSE, MEMBER_NONE);
    a.proposal = *rig_takeover(r, 20, DB2);
    a.proposal.ballot = p.ballot;
    uint64_t before = r->core->rejected[row->reject];
    rig_clear(r);
    switch (row->kind) {
    case FRAME_PREPARE: rig_say(r, prepare, row->kind, row->from, &p); break;
    case FRAME_ACCEPT: rig_say(r, accept, row->kind, row->from, &a); break;
    case FRAME_SEAL: rig_say(r, seal, row->kind, row->from, &s); break;
    case FRAME_SEALED: rig_say(r, sealed, row->kind, row->from, &d); break;
    case FRAME_COMMAND: rig_say(r, command, row->kind, row->from, &m); break;
    default: rig_say(r, heartbeat, row->kind, row->from, &r->beat[DB1]); break;
    }
    EXPECT_INT(r->core->rejected[row->reject], before + 1, row);
    EXPECT_INT(r->stores, 0, row);
}
END_TEST

START_TEST(a_ballot_is_its_members_own)
{
    struct rig *r = rig_running(W1);
    struct prepare p = {.ballot = rig_ballot(20, DB3), .takeover = true};
    rig_silence(r);
    uint64_t before = r->core->rejected[REJECT_STATEMENT];
    rig_say(r, prepare, FRAME_PREPARE, DB2, &p);
    ck_assert_int_eq(r->core->rejected[REJECT_STATEMENT], before + 1);
    ck_assert_int_eq(r->core->disk.promised.round, RIG_ROUND);
}
END_TEST

/* ---- starts ---------------------------------------------------------------------------------------------------------------- */

static const struct start_row {
    const char *name;
    int counter; /* of the frame, above the newest heard */
    bool other_nonce;
    enum reject reject;
} start_rows[] = {
    {"the start that is known", 0, false, REJECT_NONE},
    {"its store has moved on", 3, false, REJECT_NONE},
    {"an older frame of it, overtaken", -3, false, REJECT_NONE},
    {"a new start", 1, true, REJECT_NONE},
    {"an echo of a former start", -1, true, REJECT_INCARNATION},
    {"another process with the same store", 0, true, REJECT_TWIN},
};

START_TEST(starts)
{
    const struct start_row *row = &start_rows[_i];
    struct rig *r = rig_running(W1);
    r->counter[DB3] = (uint64_t)((int)r->core->peers[DB3 - 1].counter + row->counter);
    if (row->other_nonce)
        r->nonce[DB3]++, r->seq[DB3] = 0;
    uint64_t before = r->core->rejected[row->reject], seq = r->core->peers[DB3 - 1].seq;
    rig_beat(r, DB3);
    EXPECT_INT(r->core->rejected[row->reject], before + 1, row);
    EXPECT_INT(r->core->peers[DB3 - 1].seq != seq, row->reject == REJECT_NONE, row);
}
END_TEST

START_TEST(a_heartbeat_counts_once)
{
    static uint8_t bytes[FRAME_MAX], body[FRAME_BODY_MAX];
    struct rig *r = rig_running(W1);
    size_t n =
        rig_bytes(r, bytes, FRAME_HEARTBEAT, DB3, MEMBER_NONE, body, wire_put_heartbeat(body, &r->beat[DB3]));
    rig_packet(r, DB3, bytes, n);
    rig_packet(r, DB2, bytes, n);
    ck_assert_int_eq(r->core->rejected[REJECT_REPLAY], 1);
}
END_TEST

START_TEST(passed_on_it_must_be_signed)
{
    static uint8_t bytes[FRAME_MAX], body[FRAME_BODY_MAX];
    struct rig *r = rig_running(W1);
    size_t n =
        rig_bytes(r, bytes, FRAME_HEARTBEAT, DB3, MEMBER_NONE, body, wire_put_heartbeat(body, &r->beat[DB3]));
    bytes[n - 1] ^= 1;
    rig_packet(r, DB2, bytes, n);
    ck_assert_int_eq(r->core->rejected[REJECT_SIGNATURE], 1);
}
END_TEST

/* ---- by way of us ------------------------------------------------------------------------------------------------------------ */

static const struct hop_row {
    const char *name;
    member_id link, addressee;
    bool broken;
    enum reject reject;
} hop_rows[] = {
    {"from its origin, to another: one hop", DB2, DB3, false, REJECT_NONE},
    {"it has had its hop", DB1, DB3, false, REJECT_ADDRESSEE},
    {"to nobody we know", DB2, 42, false, REJECT_ADDRESSEE},
    {"not signed by its origin", DB2, DB3, true, REJECT_SIGNATURE},
};

START_TEST(hops)
{
    const struct hop_row *row = &hop_rows[_i];
    static uint8_t bytes[FRAME_MAX], body[FRAME_BODY_MAX];
    struct rig *r = rig_running(W1);
    asked = (struct prepare){.ballot = rig_ballot(20, DB2), .takeover = true};
    size_t n = rig_bytes(r, bytes, FRAME_PREPARE, DB2, row->addressee, body, wire_put_prepare(body, &asked));
    if (row->broken)
        bytes[n - 1] ^= 1;
    uint64_t before = r->core->rejected[row->reject];
    rig_clear(r);
    rig_packet(r, row->link, bytes, n);
    EXPECT_INT(r->core->rejected[row->reject], before + 1, row);
    EXPECT_INT(rig_count(r, FRAME_PREPARE), row->reject == REJECT_NONE, row);
    EXPECT_INT(rig_count(r, FRAME_PROMISE) + rig_count(r, FRAME_NACK), 0, row);
}
END_TEST

static void lacks_the_primary(struct rig *r, struct heartbeat *h)
{
    h->heard[0] = (struct heard){.who = DB1, .counter = 1, .nonce = 1, .seq = 1, .dwell_us = 400000};
    h->heard[1] = (struct heard){
        .who = W1, .counter = r->core->disk.counter, .nonce = (uint32_t)r->core->nonce, .seq = r->core->seq};
    h->n_heard = 2;
}

START_TEST(a_heartbeat_is_passed_on_to_who_lacks_it)
{
    static struct heartbeat h;
    struct rig *r = rig_running(W1);
    rig_clear(r);
    rig_beat(r, DB1);
    ck_assert_int_eq(rig_count(r, FRAME_HEARTBEAT),
                     1); /* while all links work, our answer and nothing else */
    h = r->beat[DB3];
    lacks_the_primary(r, &h);
    rig_say(r, heartbeat, FRAME_HEARTBEAT, DB3, &h);
    rig_clear(r);
    rig_beat(r, DB1);
    ck_assert_int_eq(rig_count(r, FRAME_HEARTBEAT), 2);
    ck_assert_int_eq(r->sent[0].to, 1u << (DB3 - 1));
}
END_TEST

/* ---- lost stores -------------------------------------------------------------------------------------------------------------- */

static void beat_all(struct rig *r)
{
    for (member_id id = DB1; id <= W2; id++)
        if (id != r->self)
            rig_beat(r, id);
}

START_TEST(without_a_store_it_says_so_and_does_not_vote)
{
    static struct heartbeat h;
    struct rig *r = rig_new(W1);
    r->no_store = true;
    rig_start(r);
    ck_assert(rig_said(r, "+store-lost"));
    rig_run(r, 3000);
    rig_decide(r, &r->disk.decided.proposal);
    ck_assert_int_eq(decided(r->core)->term, RIG_TERM);
    rig_silence(r);
    const struct rig_frame *f = rig_sent(r, FRAME_HEARTBEAT);
    ck_assert(f && wire_get_heartbeat(&h, f->body, f->len) && !h.votes);
    rig_clear(r);
    rig_prepare(r, DB2, 20, true);
    ck_assert_int_eq(rig_nack(r), NACK_NOT_VOTING);
}
END_TEST

/* The epoch in force is what a quorum says; only one above it admits again. */
static void lost(struct durable *d)
{
    d->lost = true, d->epoch = EPOCH_UNKNOWN;
}
static void readmitted(struct record *x)
{
    x->voters.v[W1 - 1].epoch++;
}
static void raised(struct record *x)
{
    x->version--;
}

START_TEST(admitted_again_by_a_new_epoch_only)
{
    struct rig *r = rig_running_with(W1, lost);
    ck_assert(r->core->disk.lost);
    ck_assert_int_eq(r->core->disk.epoch, 0); /* found in force, by a quorum */
    rig_decide(r, rig_change(r, 20, raised));
    ck_assert(r->core->disk.lost);
    rig_decide(r, rig_change(r, 21, readmitted));
    ck_assert(!r->core->disk.lost && may_vote(r->core) && in_quarantine(r->core));
    rig_restart(r);
    beat_all(r);
    ck_assert(!r->core->disk.lost && may_vote(r->core));
}
END_TEST

/* It was admitted with epoch 1 and lost its store after that: an old record, told first, must not make 1 look new. */
START_TEST(an_old_record_does_not_admit)
{
    static struct proposal old, current;
    struct rig *r = rig_new(W1);
    r->disk.lost = true;
    r->disk.epoch = EPOCH_UNKNOWN;
    rig_start(r);
    old = *rig_change(r, 20, raised);
    current = *rig_change(r, 30, readmitted);
    rig_beat(r, DB3);
    rig_decide(r, &old);
    ck_assert_int_eq(r->core->disk.epoch, EPOCH_UNKNOWN);
    rig_decide(r, &current);
    ck_assert(r->core->disk.lost);
    for (member_id id = DB1; id <= W2; id++)
        r->beat[id].decided = r->beat[id].accepted = current.ballot;
    beat_all(r);
    ck_assert(r->core->disk.lost);
    ck_assert_int_eq(r->core->disk.epoch, 1);
}
END_TEST

static const struct rolled_row {
    const char *name;
    int counter; /* of another start of ours, as a peer heard it, above our own */
    bool lost;
} rolled_rows[] = {
    {"a peer heard a former start", -1, false},
    {"a peer heard as much from another start", 0, true},
    {"a peer heard more from another start", 5, true},
};

START_TEST(rolled_back)
{
    const struct rolled_row *row = &rolled_rows[_i];
    static struct heartbeat h;
    struct rig *r = rig_running(DB2);
    h = r->beat[W2];
    h.n_heard = 1;
    h.heard[0] = (struct heard){.who = DB2,
                                .counter = (uint64_t)((int)r->core->start_counter + row->counter),
                                .nonce = (uint32_t)r->core->nonce + 1,
                                .seq = 1};
    rig_say(r, heartbeat, FRAME_HEARTBEAT, W2, &h);
    EXPECT_INT(r->core->disk.lost, row->lost, row);
    EXPECT_INT(may_vote(r->core), !row->lost, row);
    EXPECT_INT(r->core->disk.dir != 102, row->lost, row); /* nor does its directory count */
    if (row->lost)
        EXPECT(r->core->disk.counter > h.heard[0].counter, row);
    EXPECT_INT(r->fatal, 0, row);
}
END_TEST

START_TEST(a_twin_is_fatal)
{
    static struct heartbeat h;
    struct rig *r = rig_running(DB2);
    for (int i = 0; i < 5; i++) {
        h = r->beat[W2];
        h.n_heard = 1;
        h.heard[0] = (struct heard){.who = DB2, .counter = r->core->disk.counter + 1, .nonce = 4, .seq = 1};
        rig_say(r, heartbeat, FRAME_HEARTBEAT, W2, &h);
    }
    ck_assert_int_eq(r->fatal, 1);
    ck_assert(!may_vote(r->core));
    ck_assert_int_eq(r->core->goal.kind, GOAL_DOWN);
}
END_TEST

START_TEST(a_store_of_another_cluster_does_not_start)
{
    static uint8_t bytes[DURABLE_MAX];
    const char *why = "";
    struct rig *r = rig_new(W1);
    r->disk.decided.proposal.record.nonce[0] ^= 1;
    r->setup.stored_len = wire_put_durable(bytes, &r->disk);
    r->setup.stored = bytes;
    r->setup.now = (instant){1, 1};
    ck_assert(!core_start(r->core, &r->setup, r->fx, &why));
    ck_assert_str_eq(why, "the store belongs to another cluster");
}
END_TEST

/* It would begin with a STORE, over votes that another program can read. */
START_TEST(a_store_that_it_cannot_read)
{
    static uint8_t bytes[DURABLE_MAX + 1];
    const char *why = "";
    struct rig *r = rig_new(W1);
    r->setup.stored_len = wire_put_durable(bytes, &r->disk) + 1;
    r->setup.stored = bytes;
    r->setup.now = (instant){1, 1};
    ck_assert(!core_start(r->core, &r->setup, r->fx, &why));
    ck_assert_ptr_nonnull(strstr(why, "of another version"));
}
END_TEST

START_TEST(a_start_stores_first)
{
    struct rig *r = rig_new(W1);
    rig_start(r);
    ck_assert_int_eq(r->fx->e[0].kind, EFFECT_STORE);
    ck_assert_int_eq(r->core->disk.counter, RIG_COUNTER + 1);
}
END_TEST

/* ---- the roster ---------------------------------------------------------------------------------------------------------- */

static struct roster_news news_of(const struct rig *r)
{
    struct roster_news n = {
        .n = (uint8_t)r->setup.n_members, .digest = 77, .text = (const uint8_t *)"lines", .len = 5};
    memcpy(n.members, r->setup.members, sizeof n.members);
    return n;
}
static void tell(struct rig *r, const struct roster_news *n)
{
    struct event e = {.kind = EVENT_ROSTER, .now = r->core->now, .roster = n};
    core_step(r->core, &e, r->fx);
}

START_TEST(nothing_of_a_revoked_member_is_taken)
{
    struct rig *r = rig_running(W1);
    struct roster_news n = news_of(r);
    n.members[DB3 - 1].revoked = true;
    tell(r, &n);
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
    tell(r, &n);
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
    tell(r, &n);
    int i = member_index(r->core, 40);
    ck_assert_int_eq(i, r->setup.n_members);
    ck_assert(mask_core(r->core) >> i & 1);
    tell(r, &n);
    ck_assert_int_eq(r->core->n_members, r->setup.n_members + 1);
}
END_TEST

START_TEST(who_has_another_roster_is_told_ours)
{
    static struct heartbeat h;
    struct rig *r = rig_running(W1);
    struct roster_news n = news_of(r);
    tell(r, &n);
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
    tell(r, &n);
    ck_assert(key_is_taken(r, false) && key_is_taken(r, true));
    n.members[DB3 - 1].former[0].round = 20;
    tell(r, &n);
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
    tell(r, &n);
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
    tell(r, &n); /* once in this step, and then each second */
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
    tell(r, &n);
    ck_assert(memcmp(&r->core->secret, &next_secret, sizeof next_secret) == 0);
    n.secret = NULL;
    tell(r, &n);
    ck_assert(memcmp(&r->core->secret, &next_secret, sizeof next_secret) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("door");
    TCase *tcase = suite_case(suite, "frames");
    tcase_add_loop_test(tcase, bent, 0, ROWS(bent_rows));
    tcase_add_test(tcase, a_stranger_is_no_member);
    tcase_add_loop_test(tcase, roles, 0, ROWS(role_rows));
    tcase_add_test(tcase, a_ballot_is_its_members_own);
    tcase_add_loop_test(tcase, starts, 0, ROWS(start_rows));
    tcase_add_test(tcase, a_heartbeat_counts_once);
    tcase_add_test(tcase, passed_on_it_must_be_signed);
    tcase = suite_case(suite, "hops");
    tcase_add_loop_test(tcase, hops, 0, ROWS(hop_rows));
    tcase_add_test(tcase, a_heartbeat_is_passed_on_to_who_lacks_it);
    tcase = suite_case(suite, "stores");
    tcase_add_test(tcase, without_a_store_it_says_so_and_does_not_vote);
    tcase_add_test(tcase, admitted_again_by_a_new_epoch_only);
    tcase_add_test(tcase, an_old_record_does_not_admit);
    tcase_add_loop_test(tcase, rolled_back, 0, ROWS(rolled_rows));
    tcase_add_test(tcase, a_twin_is_fatal);
    tcase_add_test(tcase, a_store_of_another_cluster_does_not_start);
    tcase_add_test(tcase, a_start_stores_first);
    tcase_add_test(tcase, a_store_that_it_cannot_read);
    tcase = suite_case(suite, "roster");
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
