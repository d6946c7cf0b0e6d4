/* What a member's status says of its core: the votes that it refused; and what comes along with `why`. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#define _GNU_SOURCE
#include "mesh/io/journal.h"
#include "mesh/io/keys.h"
#include "mesh/io/status.h"
#include "tests/unit/rig.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

#include <jansson.h>

static json_t *counter_of(const struct rig *r, const char *name)
{
    static struct cluster cluster = {.name = "orders"};
    const struct status_view v = {.cluster = &cluster, .core = r->core, .now = r->core->now};
    json_t *status = status_json(&v), *counter = json_object_get(json_object_get(status, "counters"), name);
    json_incref(counter);
    json_decref(status);
    return counter;
}

START_TEST(no_vote_was_refused)
{
    json_t *told = counter_of(rig_running(DB2), "votes_refused");
    ck_assert(json_is_object(told) && json_object_size(told) == 0);
    json_decref(told);
}
END_TEST

/* One PREPARE, one ACCEPT and one SEAL below what db2 has promised and sealed for; another SEAL below the decided record. */
START_TEST(votes_refused_are_counted_by_reason)
{
    struct rig *r = rig_running(DB2);
    rig_silence(r);
    r->core->disk.promised = r->core->disk.sealed_for = rig_ballot(50, DB3);
    rig_prepare(r, DB3, 20, true);
    rig_accept(r, rig_takeover(r, 20, DB3));
    rig_seal(r, DB3, 20);
    r->core->disk.sealed_for = (struct ballot){0};
    rig_seal(r, DB3, 1);
    json_t *told = counter_of(r, "votes_refused");
    json_t *wanted = json_pack("{s:i, s:i}", "newer_ballot", 3, "no_record", 1);
    ck_assert_msg(json_equal(told, wanted), "%s", json_dumps(told, 0));
    json_decref(wanted);
    json_decref(told);
}
END_TEST

START_TEST(failures_of_the_goal_are_counted)
{
    static struct cluster cluster = {
        .name = "orders", .n = 1, .members = {{.member = {.id = DB2, .role = ROLE_DATABASE}}}};
    struct rig *r = rig_running(DB2);
    const struct status_view v = {.cluster = &cluster, .core = r->core, .now = r->core->now};
    r->pg.goal_failures = 7;
    rig_sample(r);
    json_t *status = status_json(&v);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(status, "server"), "goal_failures")),
                     7);
    json_decref(status);
}
END_TEST

/* ---- why: what comes along from the journal ---- */

enum { BYTES = 64 * 1024 };

static json_t *why_of(const struct status_view *v, uint64_t term)
{
    json_t *request = json_pack("{s:s, s:I}", "command", "why", "term", (json_int_t)term), *answer;
    struct past *p = status_past_begin(v, request);
    while ((answer = status_past_go(p, v)) == NULL)
        ;
    status_past_end(&p);
    json_decref(request);
    return answer;
}

/* The record of `term` with so many voters, as the journal keeps it: which signatures it has is not asked here. */
static void decide(struct journal *j, const struct rig *r, uint64_t version, uint64_t term, unsigned voters)
{
    static struct certificate c;
    static uint8_t bytes[BYTES];
    c.proposal.record = r->core->disk.decided.proposal.record;
    c.proposal.ballot = rig_ballot(version, DB1);
    c.proposal.record.version = version;
    c.proposal.record.term = term;
    c.proposal.record.voters.n = (uint8_t)voters;
    c.proposal.why.takeover = true;
    journal_decided(j, term, version, bytes, wire_put_decided(bytes, &c));
}

/* Versions of the certificates that come along with that term's, newest first, each digit one. */
static void versions_before(char out[static 32], const struct status_view *v, uint64_t term)
{
    static struct certificate c;
    static uint8_t bytes[BYTES];
    json_t *why = why_of(v, term);
    const char *hex = json_string_value(json_object_get(why, "certificate_before"));
    *out = '\0';
    for (size_t n; hex && *hex; hex += n + (hex[n] == ' ')) {
        n = strcspn(hex, " ");
        ck_assert(hex_get(bytes, n / 2, hex, n) && wire_get_decided(&c, bytes, n / 2));
        ck_assert_uint_lt(c.proposal.record.version, 10);
        out += sprintf(out, "%u", (unsigned)c.proposal.record.version);
    }
    json_decref(why);
}

START_TEST(why_brings_the_changes_of_the_voters_along)
{
    static struct cluster cluster = {.name = "orders"};
    static struct journal j;
    struct problem err;
    struct rig *r = rig_running(DB2);
    char versions[32];
    const struct status_view v = {
        .cluster = &cluster, .core = r->core, .now = r->core->now, .state_dir = scratch};
    cluster.first = r->core->disk.decided.proposal.record;
    unsigned all = cluster.first.voters.n;
    ck_assert(journal_open(&j, scratch, &err));
    decide(&j, r, 2, 2, all);
    decide(&j, r, 3, 2, all - 1); /* changes the voters */
    decide(&j, r, 4, 2, all - 2); /* so does this */
    decide(&j, r, 5, 2, all - 2);
    decide(&j, r, 6, 3, all - 2);
    decide(&j, r, 7, 3, all - 1); /* this one is the newest of its term itself */
    decide(&j, r, 8, 4, all - 1);
    journal_close(&j);
    versions_before(versions, &v, 2);
    ck_assert_str_eq(versions, "");
    versions_before(versions, &v, 3);
    ck_assert_str_eq(versions, "543");
    versions_before(versions, &v, 4);
    ck_assert_str_eq(versions, "743");
    versions_before(versions, &v, 0);
    ck_assert_str_eq(versions, "743");
}
END_TEST

/* Of very many the newest. */
START_TEST(why_brings_so_many_and_no_more)
{
    static struct cluster cluster = {.name = "orders"};
    static struct journal j;
    struct problem err;
    struct rig *r = rig_running(DB2);
    const struct status_view v = {
        .cluster = &cluster, .core = r->core, .now = r->core->now, .state_dir = scratch};
    cluster.first = r->core->disk.decided.proposal.record;
    unsigned all = cluster.first.voters.n, words = 1;
    ck_assert(journal_open(&j, scratch, &err));
    for (unsigned i = 0; i < 40; i++)
        decide(&j, r, 2 + i, 2, all - i % 2);
    decide(&j, r, 50, 2, all - 1); /* changes nothing */
    decide(&j, r, 51, 3, all - 1);
    journal_close(&j);
    json_t *why = why_of(&v, 3);
    for (const char *p = json_string_value(json_object_get(why, "certificate_before")); *p; p++)
        words += *p == ' ';
    ck_assert_uint_eq(words, 16);
    json_decref(why);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("status");
    TCase *t = suite_case(s, "status");
    tcase_add_test(t, no_vote_was_refused);
    tcase_add_test(t, votes_refused_are_counted_by_reason);
    tcase_add_test(t, failures_of_the_goal_are_counted);
    t = suite_case(s, "why");
    tcase_add_checked_fixture(t, scratch_open, scratch_close);
    tcase_add_test(t, why_brings_the_changes_of_the_voters_along);
    tcase_add_test(t, why_brings_so_many_and_no_more);
    return suite_run(s);
}
