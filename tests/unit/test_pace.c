/* The pace of heartbeats: how many go to whom in twelve beats, calm and not. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

enum { BEATS = 12, BEAT_MS = 50, ANSWERED = BEATS / 2, CALM = BEATS / 4 };

static void primary_gone(struct rig *r)
{
    r->alive &= ~(1u << (DB1 - 1));
    rig_run(r, 2 * BEAT_MS);
}
static void asks_for_nothing(struct rig *r)
{
    r->beat[DB1].request_term = 0;
    rig_run(r, 2 * BEAT_MS);
}
static void voter_gone(struct rig *r)
{
    r->alive &= ~(1u << (W2 - 1));
    rig_run(r, 4 * BEAT_MS);
}
static void observer_gone(struct rig *r)
{
    r->alive &= ~(1u << (APP1 - 1));
    rig_run(r, 10 * BEAT_MS);
}
static void released(struct rig *r)
{
    rig_release(r, DB1, RIG_TERM, DB1);
}

static const struct pace_row {
    const char *name;
    member_id self;
    void (*before)(struct rig *);
    member_id to;
    int beats;
} pace_rows[] = {
    {"a witness answers each heartbeat of the primary", W1, nothing, DB1, BEATS},
    {"and speaks to another witness at each fourth beat", W1, nothing, W2, CALM},
    {"to a database", W1, nothing, DB2, CALM},
    {"to an observer", W1, nothing, APP1, CALM},
    {"a standby too", DB2, nothing, W1, CALM},
    {"and answers each heartbeat", DB2, nothing, DB1, BEATS},
    {"an observer does not answer", APP1, nothing, DB1, CALM},
    {"and is as calm", APP1, nothing, W1, CALM},
    {"the primary is missed: each beat to all", W1, primary_gone, W2, BEATS},
    {"by a standby", DB2, primary_gone, W1, BEATS},
    {"a primary that asks for no lease", W1, asks_for_nothing, W2, BEATS},
    {"one that gave its term up", W1, released, W2, BEATS},
    {"another voter is gone: no matter", W1, voter_gone, DB2, CALM},
    {"all voters answer the primary: at each second beat to them", DB1, nothing, W1, ANSWERED},
    {"and at each fourth to observers", DB1, nothing, APP1, CALM},
    {"one does not: each beat to the others", DB1, voter_gone, W1, BEATS},
    {"a voter does not answer: they may have to pass on", DB1, voter_gone, APP1, BEATS},
    {"an observer does not: no matter", DB1, observer_gone, APP1, CALM},
};

static int sent_to(const struct rig *r, member_id id)
{
    int n = 0;
    for (int i = 0; i < r->n_sent; i++)
        n += r->sent[i].kind == FRAME_HEARTBEAT && r->sent[i].to >> (id - 1) & 1;
    return n;
}

START_TEST(paces)
{
    const struct pace_row *row = &pace_rows[_i];
    struct rig *r = rig_running(row->self);
    rig_run(r, BEATS * BEAT_MS);
    row->before(r);
    rig_clear(r);
    rig_run(r, BEATS * BEAT_MS);
    int n = sent_to(r, row->to);
    ck_assert_msg(n >= row->beats - 1 && n <= row->beats + 1, "row \"%s\": %d in twelve beats, expected %d",
                  row->name, n, row->beats);
}
END_TEST

/* The primary's heartbeats come, and say that it has not heard us for `dwell_ms`. */
static int unheard(struct rig *r, uint32_t dwell_ms)
{
    static struct heartbeat h;
    r->alive &= ~(1u << (DB1 - 1));
    for (int i = 0; i < 2 * BEATS; i++) {
        if (i == BEATS)
            rig_clear(r);
        h = r->beat[DB1];
        h.n_heard = 1;
        h.heard[0] = (struct heard){.who = r->self,
                                    .counter = r->core->disk.counter,
                                    .nonce = (uint32_t)r->core->nonce,
                                    .seq = r->core->seq,
                                    .dwell_us = dwell_ms * 1000};
        rig_say(r, heartbeat, FRAME_HEARTBEAT, DB1, &h);
        rig_run(r, BEAT_MS);
    }
    return sent_to(r, W2);
}

START_TEST(who_is_not_heard_by_the_primary_speaks_to_all)
{
    ck_assert_int_le(unheard(rig_running(W1), BEAT_MS), CALM + 1);
    ck_assert_int_ge(unheard(rig_running(W1), 5 * BEAT_MS), BEATS - 1);
}
END_TEST

/* When the primary sends the heartbeat after one that all voters but W2 answer, which `answers`, in time or not. */
static int next_ms(void (*answers)(struct rig *))
{
    struct rig *r = rig_running(DB1);
    r->alive = 0;
    do
        rig_run(r, 10);
    while (r->core->beat_at.boot_ns != r->core->now.boot_ns); /* just sent */
    instant sent = r->core->beat_at;
    rig_clear(r);
    for (member_id id = DB2; id < APP1; id++)
        if (id != W2)
            rig_beat(r, id);
    answers(r);
    return (int)span_to_ms(instant_elapsed_least(pace_due(r->core), sent));
}

static void in_time(struct rig *r)
{
    rig_beat(r, W2);
}
/* It says what it heard before. */
static void an_earlier_one(struct rig *r)
{
    r->core->seq--;
    rig_beat(r, W2);
    r->core->seq++;
}
static void our_former_start(struct rig *r)
{
    r->core->nonce++;
    rig_beat(r, W2);
    r->core->nonce--;
}
static void without_a_lease(struct rig *r)
{
    rig_beat(r, W2);
    r->core->hold.until = instant_never();
}

START_TEST(an_answer_that_lacks_brings_the_next_heartbeat_forward)
{
    ck_assert_int_eq(next_ms(in_time), 2 * BEAT_MS);
    ck_assert_int_eq(next_ms(nothing), BEAT_MS);
    ck_assert_int_eq(next_ms(an_earlier_one), BEAT_MS);
    ck_assert_int_eq(next_ms(our_former_start), BEAT_MS);
    ck_assert_int_eq(next_ms(without_a_lease), BEAT_MS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tcase = suite_case(suite, "pace");
    tcase_add_loop_test(tcase, paces, 0, ROWS(pace_rows));
    tcase_add_test(tcase, an_answer_that_lacks_brings_the_next_heartbeat_forward);
    tcase_add_test(tcase, who_is_not_heard_by_the_primary_speaks_to_all);
    return suite_run(suite);
}
