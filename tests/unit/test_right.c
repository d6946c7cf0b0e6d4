/* Who may order what: roles, the second person, orders that wait, and what of all that a voter checks again. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

/* Beside the rig's own admin (OP): */
enum { ANNA = 8, OTTO, VERA, PERSONS = 3 };
static const struct member persons[PERSONS] = {
    {.id = ANNA, .name = "anna", .role = ROLE_ADMIN, .site = "a"},
    {.id = OTTO, .name = "otto", .role = ROLE_OPERATOR, .site = "a"},
    {.id = VERA, .name = "vera", .role = ROLE_VIEWER, .site = "a"},
};
static struct roster_news news;

static struct secret_key secret_of(const struct rig *r, member_id id)
{
    uint8_t key[KEY_SIZE], seed[32] = {[0] = 200, [31] = (uint8_t)id};
    struct secret_key secret = r->secret[OP];
    if (id != OP)
        sign_keypair(key, &secret, seed);
    return secret;
}
/* The rig with three persons more, and what `edit` does to them. */
static struct rig *peopled(member_id self, void (*edit)(void))
{
    struct rig *r = rig_running(self);
    news = (struct roster_news){
        .n = r->setup.n_members, .digest = 77, .text = (const uint8_t *)"lines", .len = 5};
    memcpy(news.members, r->setup.members, sizeof news.members);
    for (int i = 0; i < PERSONS; i++) {
        struct member *m = &news.members[news.n++];
        uint8_t seed[32] = {[0] = 200, [31] = (uint8_t)persons[i].id};
        struct secret_key secret;
        *m = persons[i];
        sign_keypair(m->key, &secret, seed);
    }
    if (edit)
        edit();
    rig_roster(r, &news);
    rig_clear(r);
    return r;
}
static void sign(const struct rig *r, struct command *m, const struct cluster_id *cluster)
{
    uint8_t bytes[STATEMENT_MAX];
    struct secret_key key = secret_of(r, m->who);
    size_t n = command_bytes(bytes, cluster, m);
    sign_make(m->signature, &key, bytes, n);
    if (!m->approved)
        return;
    key = secret_of(r, m->approval.who);
    sign_make(m->approval.signature, &key, bytes, n);
}
/* Handed in at the local socket by whoever signed last. */
static void hand_in(struct rig *r, const struct command *m, enum frame_kind kind, member_id link)
{
    static uint8_t body[FRAME_BODY_MAX], bytes[FRAME_MAX];
    member_id from = kind == FRAME_PENDING ? link : m->approved ? m->approval.who : m->who;
    struct secret_key key = kind == FRAME_PENDING ? r->secret[link] : secret_of(r, from);
    struct frame f = {.kind = kind,
                      .origin = from,
                      .cluster = r->setup.cluster,
                      .counter = RIG_COUNTER,
                      .nonce = kind == FRAME_PENDING ? r->nonce[link] : 9,
                      .seq = kind == FRAME_PENDING ? ++r->seq[link] : 1,
                      .body = body,
                      .body_len = (uint16_t)wire_put_command(body, m)};
    rig_packet(r, link, bytes, frame_seal(bytes, &f, &key));
}

/* ---- the rows ------------------------------------------------------------------------------------------------------------- */

static void as_is(struct command *m)
{
    (void)m;
}
static void by_anna(struct command *m)
{
    m->approved = true, m->approval.who = ANNA;
}
static void by_otto(struct command *m)
{
    m->approved = true, m->approval.who = OTTO;
}
static void by_op(struct command *m)
{
    m->approved = true, m->approval.who = OP;
}
static void by_db2(struct command *m)
{
    by_anna(m), m->approval.who = DB2;
}
static void other_target(struct command *m)
{
    m->target = DB2;
}
static void other_kind(struct command *m)
{
    m->kind = COMMAND_PAUSE;
}
static void other_term(struct command *m)
{
    m->term++;
}
static void other_who(struct command *m)
{
    m->who = ANNA;
}
static void swapped(struct command *m)
{
    m->who = ANNA, m->approval.who = OP;
}
static void forged_second(struct command *m)
{
    m->approval.signature[5] ^= 1;
}
static void with_loss(struct command *m)
{
    m->allow_data_loss = true, m->kind = COMMAND_FAILOVER, m->target = DB2;
}
static void expired(void)
{
    news.members[ANNA - 1].expired = true;
}
static void revoked(void)
{
    news.members[ANNA - 1].revoked = true;
}
static void otto_expired(void)
{
    news.members[OTTO - 1].expired = true;
}
static void rule_off(void)
{
    news.two_persons = TWO_PERSONS_OFF;
}
static void rule_on_alone(void)
{
    news.two_persons = TWO_PERSONS_ON, revoked();
}

enum { DONE, WAITS, NOT_ALLOWED, COUNTED };
static const struct ordered_row {
    const char *name;
    member_id who;
    enum command_kind kind;
    void (*people)(void);
    void (*before)(struct command *); /* the signatures */
    void (*after)(struct command *);
    int outcome;
    const char *says;    /* the answer begins so */
    enum reject counted; /* COUNTED */
} ordered_rows[] = {
    {"an operator pauses", OTTO, COMMAND_PAUSE, NULL, as_is, as_is, DONE, "", 0},
    {"an admin pauses", ANNA, COMMAND_PAUSE, NULL, as_is, as_is, DONE, "", 0},
    {"a viewer pauses", VERA, COMMAND_PAUSE, NULL, as_is, as_is, NOT_ALLOWED,
     "no permission: vera is a viewer", 0},
    {"an operator changes durability", OTTO, COMMAND_STRICT, NULL, as_is, as_is, NOT_ALLOWED,
     "no permission: otto is an operator", 0},
    {"an operator takes a vote", OTTO, COMMAND_VOTE_TAKE, NULL, as_is, as_is, NOT_ALLOWED,
     "no permission: otto is an operator", 0},
    {"an operator accepts a loss", OTTO, COMMAND_FAILOVER, NULL, with_loss, as_is, NOT_ALLOWED,
     "no permission: otto is an operator", 0},
    {"an operator removes, approved by an admin", OTTO, COMMAND_MEMBER_REMOVE, NULL, by_anna, as_is,
     NOT_ALLOWED, "no permission: otto is an operator", 0},
    {"an expired operator pauses", OTTO, COMMAND_PAUSE, otto_expired, as_is, as_is, NOT_ALLOWED,
     "no permission: the key of otto is not valid now", 0},
    {"a revoked admin pauses", ANNA, COMMAND_PAUSE, revoked, as_is, as_is, COUNTED, "", REJECT_REVOKED},
    {"one of two admins removes", OP, COMMAND_MEMBER_REMOVE, NULL, as_is, as_is, WAITS, "", 0},
    {"one of two admins gives durability up", OP, COMMAND_ASYNC, NULL, as_is, as_is, WAITS, "", 0},
    {"one of two admins accepts a loss", OP, COMMAND_FAILOVER, NULL, with_loss, as_is, WAITS, "", 0},
    {"one of two admins makes durability strict", OP, COMMAND_STRICT, NULL, as_is, as_is, DONE, "", 0},
    {"two admins remove", OP, COMMAND_MEMBER_REMOVE, NULL, by_anna, as_is, DONE, "", 0},
    {"one admin twice", OP, COMMAND_MEMBER_REMOVE, NULL, by_op, as_is, WAITS, "", 0},
    {"approved by an operator", OP, COMMAND_MEMBER_REMOVE, NULL, by_otto, as_is, NOT_ALLOWED,
     "no permission: otto is an operator", 0},
    {"approved by a revoked admin", OP, COMMAND_MEMBER_REMOVE, revoked, by_anna, as_is, COUNTED, "",
     REJECT_REVOKED},
    {"approved by an expired admin", OP, COMMAND_MEMBER_REMOVE, expired, by_anna, as_is, NOT_ALLOWED,
     "no permission: the key of anna is not valid now", 0},
    {"approved by a member", OP, COMMAND_MEMBER_REMOVE, NULL, by_db2, as_is, COUNTED, "", REJECT_ROLE},
    {"the second signature does not hold", OP, COMMAND_MEMBER_REMOVE, NULL, by_anna, forged_second, COUNTED,
     "", REJECT_STATEMENT},
    {"another target than was signed", OP, COMMAND_MEMBER_REMOVE, NULL, by_anna, other_target, COUNTED, "",
     REJECT_STATEMENT},
    {"another command than was signed", OP, COMMAND_MEMBER_REMOVE, NULL, by_anna, other_kind, COUNTED, "",
     REJECT_STATEMENT},
    {"another term than was signed", OP, COMMAND_PAUSE, NULL, as_is, other_term, COUNTED, "",
     REJECT_STATEMENT},
    {"in another's name", OTTO, COMMAND_STRICT, NULL, as_is, other_who, COUNTED, "", REJECT_STATEMENT},
    {"the two in each other's place", OP, COMMAND_MEMBER_REMOVE, NULL, by_anna, swapped, COUNTED, "",
     REJECT_STATEMENT},
    {"the only admin removes", OP, COMMAND_MEMBER_REMOVE, revoked, as_is, as_is, DONE, "", 0},
    {"the other admin's key has expired", OP, COMMAND_MEMBER_REMOVE, expired, as_is, as_is, DONE, "", 0},
    {"the only admin removes, and the rule is on", OP, COMMAND_MEMBER_REMOVE, rule_on_alone, as_is, as_is,
     WAITS, "", 0},
    {"one of two removes, and the rule is off", OP, COMMAND_MEMBER_REMOVE, rule_off, as_is, as_is, DONE, "",
     0},
};

START_TEST(ordered)
{
    const struct ordered_row *row = &ordered_rows[_i];
    struct rig *r = peopled(DB1, row->people);
    struct command m = rig_command(r, row->kind, row->kind == COMMAND_MEMBER_REMOVE ? DB3 : MEMBER_NONE);
    m.who = row->who;
    row->before(&m);
    sign(r, &m, &r->setup.cluster);
    row->after(&m);
    uint64_t counted = r->core->rejected[row->counted];
    hand_in(r, &m, FRAME_COMMAND, DB1);
    EXPECT_INT(rig_said(r, "+order"), row->outcome == DONE, row);
    EXPECT_INT(rig_said(r, "+pending"), row->outcome == WAITS, row);
    EXPECT_INT(rig_count(r, FRAME_PENDING), row->outcome == WAITS, row);
    if (row->outcome == WAITS)
        EXPECT_TEXT(r->answer.text, "the order waits for a second person", row);
    if (row->outcome == WAITS || row->outcome == NOT_ALLOWED)
        EXPECT(r->answers == 1 && r->answer.final && !r->answer.done && r->answer.detail[0] &&
                   r->answer.hint[0],
               row);
    if (row->outcome == NOT_ALLOWED)
        EXPECT_TEXT(r->answer.text, row->says, row);
    if (row->outcome == COUNTED)
        EXPECT(r->answers == 0 && r->core->rejected[row->counted] == counted + 1, row);
    if (row->outcome != DONE)
        EXPECT(r->core->operation.phase == OPERATION_NONE && !r->core->disk.has_own, row);
}
END_TEST

START_TEST(of_another_cluster)
{
    struct rig *r = peopled(DB1, NULL);
    struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, DB3);
    struct cluster_id other = r->setup.cluster;
    other.b[3] ^= 1;
    by_anna(&m);
    sign(r, &m, &other);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    ck_assert_int_eq(r->core->rejected[REJECT_STATEMENT], 1);
}
END_TEST

/* ---- orders that wait ------------------------------------------------------------------------------------------------------ */

static int waiting(const struct rig *r)
{
    int n = 0;
    for (int i = 0; i < PENDING_MAX; i++)
        n += pending_runs(r->core, &r->core->pending[i]);
    return n;
}

START_TEST(the_second_signature_ends_the_wait)
{
    struct rig *r = peopled(DB1, NULL);
    struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, DB3);
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    ck_assert_int_eq(waiting(r), 1);
    by_anna(&m);
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    ck_assert_int_eq(waiting(r), 0);
    ck_assert(rig_said(r, "op (an admin) orders: member remove db3; approved by anna"));
}
END_TEST

START_TEST(a_replay_is_executed_once)
{
    struct rig *r = peopled(DB1, NULL);
    struct command m = rig_command(r, COMMAND_ASYNC, MEMBER_NONE);
    r->voting = 0x1e;
    by_anna(&m);
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    rig_run(r, 300);
    ck_assert_int_eq(decided(r->core)->durability, DURABILITY_ASYNC);
    rig_clear(r);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    ck_assert_str_eq(r->answer.text, "the record has changed");
}
END_TEST

START_TEST(told_by_another_it_is_shown_and_not_executed)
{
    struct rig *r = peopled(DB1, rule_off); /* would do it, if it came as an order */
    struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, DB3);
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_PENDING, DB2);
    ck_assert_int_eq(waiting(r), 1);
    ck_assert(!rig_said(r, "+order") && r->core->operation.phase == OPERATION_NONE);
    ck_assert_int_eq(rig_count(r, FRAME_PENDING), 0); /* not passed on: who took it told all */
    hand_in(r, &m, FRAME_PENDING, DB2);
    ck_assert_int_eq(waiting(r), 1);
}
END_TEST

START_TEST(told_forged_it_is_not_shown)
{
    struct rig *r = peopled(DB1, NULL);
    struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, DB3);
    sign(r, &m, &r->setup.cluster);
    m.target = DB2;
    hand_in(r, &m, FRAME_PENDING, DB2);
    ck_assert_int_eq(r->core->rejected[REJECT_STATEMENT], 1);
    ck_assert_int_eq(waiting(r), 0);
    m.who = OTTO; /* whose role does not reach */
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_PENDING, DB2);
    ck_assert_int_eq(r->core->rejected[REJECT_ROLE], 1);
    ck_assert_int_eq(waiting(r), 0);
}
END_TEST

START_TEST(it_waits_for_minutes_and_on_one_record)
{
    struct rig *r = peopled(DB1, NULL);
    struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, DB3);
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    ck_assert_int_eq(waiting(r), 1);
    r->core->pending[0].until = instant_sub(r->core->now, span_ms(1));
    ck_assert_int_eq(waiting(r), 0);
    m = rig_command(r, COMMAND_MEMBER_REMOVE, DB3);
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    ck_assert_int_eq(waiting(r), 1);
    r->core->disk.decided.proposal.ballot.round++;
    ck_assert_int_eq(waiting(r), 0);
    r->core->disk.decided.proposal.ballot.round--;
}
END_TEST

START_TEST(many_orders_take_little_room)
{
    struct rig *r = peopled(DB1, NULL);
    for (int i = 0; i < 3 * PENDING_MAX; i++) {
        struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, (member_id)(100 + i));
        sign(r, &m, &r->setup.cluster);
        hand_in(r, &m, FRAME_COMMAND, DB1);
        ck_assert_int_eq(waiting(r), i < PENDING_MAX ? i + 1 : PENDING_MAX);
    }
    struct command m = rig_command(r, COMMAND_MEMBER_REMOVE, 100 + 3 * PENDING_MAX - 1); /* given anew */
    sign(r, &m, &r->setup.cluster);
    hand_in(r, &m, FRAME_COMMAND, DB1);
    ck_assert_int_eq(waiting(r), PENDING_MAX);
}
END_TEST

/* ---- voters check again ----------------------------------------------------------------------------------------------------- */

static const struct voted_row {
    const char *name;
    void (*people)(void);
    void (*before)(struct command *);
    member_id who;
    bool justified;
} voted_rows[] = {
    {"a loss that two admins accept", NULL, by_anna, OP, true},
    {"a loss that one of two accepts", NULL, as_is, OP, false},
    {"a loss that one accepts twice", NULL, by_op, OP, false},
    {"a loss that the only admin accepts", revoked, as_is, OP, true},
    {"a loss approved by a revoked admin", revoked, by_anna, OP, false},
    {"a loss that an operator accepts", revoked, as_is, OTTO, false},
};

START_TEST(voted)
{
    const struct voted_row *row = &voted_rows[_i];
    struct rig *r = peopled(W1, row->people);
    struct proposal *p = rig_takeover(r, 20, DB2);
    const char *why = "";
    p->why.n_seals = 1;
    p->why.has_command = true;
    p->why.command = rig_command(r, COMMAND_FAILOVER, DB2);
    p->why.command.allow_data_loss = true;
    p->why.command.who = row->who;
    row->before(&p->why.command);
    sign(r, &p->why.command, &r->setup.cluster);
    bool justified = takeover_justified(r->core, p, &why);
    ck_assert_msg(justified == row->justified, "row \"%s\": %s", row->name, why);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("right");
    TCase *tcase = suite_case(suite, "ordered");
    tcase_add_loop_test(tcase, ordered, 0, ROWS(ordered_rows));
    tcase_add_test(tcase, of_another_cluster);
    tcase = suite_case(suite, "waiting");
    tcase_add_test(tcase, the_second_signature_ends_the_wait);
    tcase_add_test(tcase, a_replay_is_executed_once);
    tcase_add_test(tcase, told_by_another_it_is_shown_and_not_executed);
    tcase_add_test(tcase, told_forged_it_is_not_shown);
    tcase_add_test(tcase, it_waits_for_minutes_and_on_one_record);
    tcase_add_test(tcase, many_orders_take_little_room);
    tcase = suite_case(suite, "voted");
    tcase_add_loop_test(tcase, voted, 0, ROWS(voted_rows));
    return suite_run(suite);
}
