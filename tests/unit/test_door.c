/* What arrives at the door: forged, replayed, foreign or bent frames change nothing and are counted by their reason; who
 * lost its store, or runs twice, does not vote. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
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
static void lost_whole(struct durable *d)
{
    lost(d), d->epoch = EPOCH_UNKNOWN;
}
static void readmitted(struct record *x)
{
    x->voters.v[W1 - 1].epoch++;
}

START_TEST(admitted_again_by_a_new_epoch_only)
{
    struct rig *r = rig_running_with(W1, lost_whole);
    ck_assert(r->core->disk.lost);
    ck_assert_int_eq(r->core->disk.epoch, 0); /* found in force, by a quorum */
    rig_decide(r, rig_change(r, 20, edit_none));
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
    old = *rig_change(r, 20, edit_none);
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

/* Restored from the time when it was lost: it has been admitted since, and that admission must not look new. */
START_TEST(a_copy_of_a_lost_store_is_not_admitted_by_an_old_record)
{
    static struct heartbeat h;
    struct rig *r = rig_new(W1);
    r->disk.lost = true; /* and it had learnt that its epoch was 0 */
    rig_start(r);
    h = r->beat[W2];
    h.n_heard = 1;
    h.heard[0] = (struct heard){.who = W1, .counter = r->core->start_counter + 5, .nonce = 4, .seq = 1};
    rig_say(r, heartbeat, FRAME_HEARTBEAT, W2, &h);
    rig_decide(r, rig_change(r, 20, readmitted));
    ck_assert(r->core->disk.lost && !may_vote(r->core));
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
    tcase_add_test(tcase, a_copy_of_a_lost_store_is_not_admitted_by_an_old_record);
    tcase_add_test(tcase, a_twin_is_fatal);
    tcase_add_test(tcase, a_store_of_another_cluster_does_not_start);
    tcase_add_test(tcase, a_start_stores_first);
    tcase_add_test(tcase, a_store_that_it_cannot_read);
    return suite_run(suite);
}
