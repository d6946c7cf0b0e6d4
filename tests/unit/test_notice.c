/* What is noticed for people: round trips, outages as observers saw them, takeovers considered and refused, followers. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/rig.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <string.h>

static uint32_t rtt_told(struct rig *r, member_id of)
{
    static struct heartbeat h;
    heartbeat_fill(r->core, &h);
    for (int i = 0; i < h.n_heard; i++)
        if (h.heard[i].who == of)
            return h.heard[i].rtt_us;
    return 99;
}

START_TEST(a_round_trip_is_measured_and_told)
{
    struct rig *r = rig_running(DB2);
    for (int i = 0; i < 60; i++) {
        rig_run(r, 50); /* ends with a heartbeat of ours and one of db3's */
        r->us += 3000;
        rig_beat(r, DB3);
        r->us -= 3000;
    }
    uint32_t rtt = rtt_told(r, DB3);
    ck_assert_msg(rtt >= 1000 && rtt <= 60000, "%u us", rtt);
    ck_assert_uint_le(rtt_told(r, W1), 1);
}
END_TEST

START_TEST(what_comes_by_way_of_others_is_no_link)
{
    struct rig *r = rig_running(DB2);
    static uint8_t body[FRAME_BODY_MAX];
    r->alive &= ~(1u << (DB3 - 1));
    for (int t = 0; t < 600; t += 50) {
        rig_frame(r, FRAME_HEARTBEAT, DB3, W1, body, wire_put_heartbeat(body, &r->beat[DB3]));
        rig_run(r, 50);
    }
    ck_assert_uint_eq(rtt_told(r, DB3), 0);
    ck_assert_uint_ne(rtt_told(r, W1), 0);
    ck_assert_uint_ne(rtt_told(r, DB1), 0);
    ck_assert(peer_fresh(r->core, DB3 - 1, span_ms(100)));
}
END_TEST

/* ---- outages ---- */

START_TEST(an_observer_measures_an_outage)
{
    struct rig *r = rig_running(APP1);
    r->pg.sql_term = RIG_TERM, r->pg.sql_age_ms = 20;
    rig_sample(r);
    rig_run(r, 700);
    struct proposal *p = rig_takeover(r, 20, DB2);
    rig_decide(r, p);
    r->pg.sql_age_ms = 720; /* the old primary's last answer */
    rig_sample(r);
    ck_assert(!rig_said(r, "+outage"));
    rig_run(r, 100);
    r->pg.sql_term = RIG_TERM + 1, r->pg.sql_age_ms = 10;
    rig_sample(r);
    ck_assert_msg(rig_said(r, "+outage: 810 ms without a primary before term 4, as app1 saw it"), "%s",
                  r->events);
    ck_assert_uint_eq(notice_outage_ms(r->core), 810);
}
END_TEST

START_TEST(what_an_observer_measured_is_noted_once)
{
    struct rig *r = rig_running(DB2);
    rig_run(r, 100);
    ck_assert(!rig_said(r, "+outage"));
    r->beat[APP1].outage_ms = 640;
    rig_run(r, 100);
    ck_assert_msg(rig_said(r, "+outage: 640 ms without a primary before term 3, as app1 saw it"), "%s",
                  r->events);
    rig_clear(r);
    rig_run(r, 300);
    ck_assert(!rig_said(r, "+outage"));
}
END_TEST

START_TEST(an_outage_of_another_term_is_not_noted)
{
    struct rig *r = rig_running(DB2);
    r->beat[APP1].outage_ms = 640;
    r->beat[APP1].decided_term = RIG_TERM - 1;
    rig_run(r, 300);
    ck_assert(!rig_said(r, "+outage"));
}
END_TEST

/* ---- considered, and refused ---- */

START_TEST(a_refused_takeover_tells_who_answered_what)
{
    struct rig *r = rig_running(DB2);
    r->alive &= ~(1u << (DB1 - 1) | 1u << (W2 - 1));
    rig_run(r, 1000); /* our own verdict: gone; db3 and w1 say: alive */
    ck_assert_int_eq(r->core->verdict, VERDICT_GONE);
    ck_assert(!rig_said(r, "considered"));
    r->alive |= 1u << (DB1 - 1);
    rig_run(r, 100);
    ck_assert_msg(rig_said(r,
                           " ms a takeover was considered, and refused: db1 not heard, db2 gone, db3 alive, "
                           "w1 alive, w2 not heard"),
                  "%s", r->events);
    rig_clear(r);
    rig_run(r, 2000);
    ck_assert(!rig_said(r, "considered"));
}
END_TEST

START_TEST(one_that_lasts_is_told_meanwhile)
{
    struct rig *r = rig_running(DB2);
    r->alive = 0;
    rig_run(r, 3000);
    ck_assert_msg(rig_said(r, "+considered: "), "%s", r->events);
    ck_assert(rig_said(r, "no quorum agrees: db1 not heard, db2 gone, db3 not heard"));
}
END_TEST

START_TEST(a_takeover_that_begins_is_no_refusal)
{
    struct rig *r = rig_running(DB2);
    for (member_id id = DB2; id <= W2; id++)
        r->beat[id].verdict = VERDICT_GONE;
    rig_silence(r);
    ck_assert(rig_said(r, "+takeover"));
    ck_assert(!rig_said(r, "considered"));
}
END_TEST

/* 0 is a reason that nobody gives.  The numbers travel: members of before read the same, and 7 without a name for it. */
START_TEST(every_reason_has_a_name_and_words)
{
    ck_assert_int_eq(NACK_CANNOT_SEAL, 7);
    ck_assert_int_eq(NACK_NO_RECORD, 9);
    for (int i = 0; i <= NACK_END; i++) {
        enum nack_reason r = (enum nack_reason)i;
        bool given = i != 0 && i != NACK_END;
        ck_assert_int_eq(strcmp(nack_name(r), "?") != 0, given);
        ck_assert_int_eq(strlen(nack_clause(r)) > 5, given);
        for (int k = 0; given && k < i; k++)
            ck_assert_str_ne(nack_name(r), nack_name((enum nack_reason)k));
    }
}
END_TEST

/* ---- after a takeover ---- */

START_TEST(what_was_written_beyond_is_told)
{
    struct rig *r = rig_running(W1);
    r->beat[DB1].pg.lsn = RIG_LSN + 4096;
    rig_run(r, 100);
    struct proposal *p = rig_takeover(r, 20, DB2);
    lsn_t from = p->record.history[p->record.n_history - 1].switch_lsn;
    char wanted[96];
    rig_decide(r, p);
    snprintf(wanted, sizeof wanted, "+gap: %llu bytes of WAL of db1",
             (unsigned long long)(RIG_LSN + 4096 - from));
    ck_assert_msg(rig_said(r, wanted), "wanted %s in %s", wanted, r->events);
}
END_TEST

START_TEST(each_follower_is_told_once)
{
    struct rig *r = rig_running(DB1);
    r->pg.n_standbys = 0;
    rig_sample(r);
    rig_clear(r);
    r->pg.n_standbys = 2;
    r->pg.standbys[1].streaming = false;
    rig_sample(r);
    ck_assert(rig_said(r, "+follower: db2 streams from db1 in term 3"));
    ck_assert(!rig_said(r, "db3"));
    rig_clear(r);
    r->pg.standbys[1].streaming = true;
    rig_sample(r);
    rig_sample(r);
    ck_assert_str_eq(r->events, "+follower: db3 streams from db1 in term 3\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notice");
    TCase *tcase = suite_case(suite, "links");
    tcase_add_test(tcase, a_round_trip_is_measured_and_told);
    tcase_add_test(tcase, what_comes_by_way_of_others_is_no_link);
    tcase = suite_case(suite, "outages");
    tcase_add_test(tcase, an_observer_measures_an_outage);
    tcase_add_test(tcase, what_an_observer_measured_is_noted_once);
    tcase_add_test(tcase, an_outage_of_another_term_is_not_noted);
    tcase = suite_case(suite, "considered");
    tcase_add_test(tcase, a_refused_takeover_tells_who_answered_what);
    tcase_add_test(tcase, one_that_lasts_is_told_meanwhile);
    tcase_add_test(tcase, a_takeover_that_begins_is_no_refusal);
    tcase_add_test(tcase, every_reason_has_a_name_and_words);
    tcase = suite_case(suite, "after");
    tcase_add_test(tcase, what_was_written_beyond_is_told);
    tcase_add_test(tcase, each_follower_is_told_once);
    return suite_run(suite);
}
