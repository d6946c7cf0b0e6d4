/* The verdict: which rule speaks on which evidence, and who would promise on it. */
#include <string.h>

#include "policy/verdict.h"
#include "tests/unit/suite.h"

enum { GRACE = 5000, BOUND = 6000, RETURN = 500 };

/* Evidence of a voter that has been up for long, granted the primary, and whose grant ended. */
#define OVER         .has_primary = true, .granted_since_start = true, .silent_ms = 1, .uptime_ms = 100000
/* The same, but it never granted this primary. */
#define STRANGER(up) .has_primary = true, .silent_ms = 1, .uptime_ms = (up)

static const struct row {
    const char *name;
    struct evidence e;
    bool sealing;
    const char *rule;
    enum verdict verdict;
} rows[] = {
    {"nothing is known", {0}, true, "unknown", VERDICT_UNKNOWN},
    {"released", {OVER, .released = true}, true, "released", VERDICT_RELEASED},
    {"released beats a running grant",
     {OVER, .released = true, .grant_runs = true},
     true,
     "released",
     VERDICT_RELEASED},
    {"released beats proof of life",
     {OVER, .released = true, .wal_since = true},
     false,
     "released",
     VERDICT_RELEASED},
    {"released, just started", {.has_primary = true, .released = true}, true, "released", VERDICT_RELEASED},
    {"my grant runs", {OVER, .grant_runs = true}, true, "grant-runs", VERDICT_ALIVE},
    {"my grant runs, whatever observers say",
     {OVER, .grant_runs = true, .observers_since = 9},
     true,
     "grant-runs",
     VERDICT_ALIVE},
    {"the primary's agent is back and asks", {OVER, .asks_anew = true}, true, "returning", VERDICT_UNKNOWN},
    {"it is back, and its WAL arrives",
     {OVER, .asks_anew = true, .wal_since = true},
     true,
     "returning",
     VERDICT_UNKNOWN},
    {"it is back, within its time",
     {.has_primary = true, .granted_since_start = true, .asks_anew = true, .silent_ms = 1, .over_ms = RETURN},
     false,
     "returning",
     VERDICT_UNKNOWN},
    {"it is back, and has had its time",
     {.has_primary = true,
      .granted_since_start = true,
      .asks_anew = true,
      .silent_ms = 1,
      .over_ms = RETURN + 1},
     true,
     "silent-after-grant",
     VERDICT_GONE},
    {"it is back and has released",
     {OVER, .asks_anew = true, .released = true},
     true,
     "released",
     VERDICT_RELEASED},
    {"it is back, and granted",
     {OVER, .asks_anew = true, .grant_runs = true},
     true,
     "grant-runs",
     VERDICT_ALIVE},
    {"WAL arrives", {OVER, .wal_since = true}, false, "wal-arrives", VERDICT_UNFENCED},
    {"WAL arrives, sealing", {OVER, .wal_since = true}, true, "wal-arrives", VERDICT_UNFENCED},
    {"two observers are served", {OVER, .observers_since = 2}, false, "observers-served", VERDICT_UNFENCED},
    {"one observer is not enough", {OVER, .observers_since = 1}, false, "silent-after-grant", VERDICT_GONE},
    {"proof just within its bound",
     {OVER, .wal_since = true, .proof_for_ms = BOUND - 1},
     false,
     "wal-arrives",
     VERDICT_UNFENCED},
    {"WAL for too long",
     {OVER, .wal_since = true, .proof_for_ms = BOUND},
     false,
     "proof-too-long",
     VERDICT_GONE},
    {"observers for too long",
     {OVER, .observers_since = 2, .proof_for_ms = BOUND},
     false,
     "proof-too-long",
     VERDICT_GONE},
    {"WAL for long where sealing protects",
     {OVER, .wal_since = true, .proof_for_ms = BOUND},
     true,
     "wal-arrives",
     VERDICT_UNFENCED},
    {"observers for long where sealing protects",
     {OVER, .observers_since = 2, .proof_for_ms = BOUND},
     true,
     "observers-served",
     VERDICT_UNFENCED},
    {"an old bound without proof", {OVER, .proof_for_ms = BOUND}, false, "silent-after-grant", VERDICT_GONE},
    {"silent after my grant", {OVER}, true, "silent-after-grant", VERDICT_GONE},
    {"silent after my grant, just started",
     {.has_primary = true, .granted_since_start = true, .silent_ms = 1},
     true,
     "silent-after-grant",
     VERDICT_GONE},
    {"not yet silent",
     {.has_primary = true, .granted_since_start = true, .uptime_ms = 100000},
     true,
     "unknown",
     VERDICT_UNKNOWN},
    {"never granted, within the boot grace", {STRANGER(GRACE - 1)}, true, "unknown", VERDICT_UNKNOWN},
    {"never granted, boot grace over", {STRANGER(GRACE)}, true, "silent-since-start", VERDICT_GONE},
    {"never granted, WAL within the boot grace",
     {STRANGER(GRACE - 1), .wal_since = true},
     true,
     "unknown",
     VERDICT_UNKNOWN},
    {"never granted, observers within the boot grace",
     {STRANGER(GRACE - 1), .observers_since = 2},
     true,
     "unknown",
     VERDICT_UNKNOWN},
    {"never granted, too long within the boot grace",
     {STRANGER(GRACE - 1), .wal_since = true, .proof_for_ms = BOUND},
     false,
     "unknown",
     VERDICT_UNKNOWN},
    {"never granted, WAL after the boot grace",
     {STRANGER(GRACE), .wal_since = true},
     false,
     "wal-arrives",
     VERDICT_UNFENCED},
    {"nobody named, within the boot grace",
     {.uptime_ms = GRACE - 1, .silent_ms = 1},
     true,
     "unknown",
     VERDICT_UNKNOWN},
    {"nobody named, boot grace over", {.uptime_ms = GRACE}, true, "nobody-named", VERDICT_GONE},
    {"up and silent for as long as can be told",
     {.has_primary = true, .uptime_ms = UINT32_MAX, .silent_ms = UINT32_MAX},
     true,
     "silent-since-start",
     VERDICT_GONE},
};

static struct verdict_settings settings_of(bool sealing)
{
    return (struct verdict_settings){
        .boot_grace_ms = GRACE, .unfenced_max_ms = BOUND, .return_ms = RETURN, .sealing = sealing};
}

START_TEST(judged)
{
    const struct row *row = &rows[_i];
    struct verdict_settings s = settings_of(row->sealing);
    const struct verdict_rule *rule = verdict_judge(&row->e, &s);
    EXPECT_TEXT(rule->id, row->rule, row);
    EXPECT_INT(rule->verdict, row->verdict, row);
}
END_TEST

/* The table itself: each rule speaks in some row, ids differ, verdicts stand in the documented order,
 * the last applies to everything. */
START_TEST(table_is_well_formed)
{
    static const enum verdict order[] = {VERDICT_RELEASED, VERDICT_ALIVE, VERDICT_UNKNOWN,
                                         VERDICT_UNFENCED, VERDICT_GONE,  VERDICT_UNKNOWN};
    size_t place = 0;
    for (size_t i = 0; i < verdict_rules_n; i++) {
        const struct verdict_rule *rule = &verdict_rules[i];
        while (place < sizeof order / sizeof order[0] && order[place] != rule->verdict)
            place++;
        ck_assert_msg(place < sizeof order / sizeof order[0], "rule %s stands out of order", rule->id);
        ck_assert_msg(rule->sentence && *rule->sentence, "rule %s has no sentence", rule->id);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(rule->id, verdict_rules[j].id);
        bool spoke = false;
        for (int j = 0; j < ROWS(rows); j++)
            spoke = spoke || strcmp(rows[j].rule, rule->id) == 0;
        ck_assert_msg(spoke, "rule %s has no row in this test", rule->id);
    }
    struct evidence nothing = {0};
    struct verdict_settings s = settings_of(true);
    ck_assert(verdict_rules[verdict_rules_n - 1].applies(&nothing, &s));
}
END_TEST

/* All evidence of a small scope: what must be true whatever the table says. */
START_TEST(no_evidence_breaks_the_promises)
{
    for (unsigned way = 0; way < 1u << 13; way++) {
        struct evidence e = {.has_primary = way & 1,
                             .released = way >> 1 & 1,
                             .grant_runs = way >> 2 & 1,
                             .granted_since_start = way >> 3 & 1,
                             .silent_ms = way >> 4 & 1,
                             .over_ms = way >> 12 & 1 ? RETURN + 1 : RETURN,
                             .uptime_ms = way >> 5 & 1 ? GRACE : GRACE - 1,
                             .wal_since = way >> 6 & 1,
                             .observers_since = way >> 7 & 3,
                             .proof_for_ms = way >> 9 & 1 ? BOUND : 0};
        e.asks_anew = way >> 11 & 1;
        bool sealing = way >> 10 & 1;
        struct verdict_settings s = settings_of(sealing);
        enum verdict v = verdict_judge(&e, &s)->verdict;
        bool promises = verdict_promises(v, sealing ? DURABILITY_SYNC : DURABILITY_ASYNC);
        bool proof = e.wal_since || e.observers_since >= 2;
        ck_assert(v == VERDICT_RELEASED ? e.released : !e.released);
        ck_assert(e.released || (v == VERDICT_ALIVE) == e.grant_runs);
        ck_assert(!promises || e.released || !e.grant_runs);
        ck_assert(!promises || e.released || !e.asks_anew || !e.has_primary || e.over_ms > RETURN);
        ck_assert(!promises || e.released || e.granted_since_start || e.uptime_ms >= GRACE);
        ck_assert(!promises || e.released || !e.has_primary || e.silent_ms > 0);
        ck_assert(!promises || e.released || !e.has_primary || !proof || sealing || e.proof_for_ms >= BOUND);
    }
}
END_TEST

static const struct promise_row {
    const char *name;
    enum verdict verdict;
    bool async, sync, strict;
} promise_rows[] = {
    {"unknown", VERDICT_UNKNOWN, false, false, false}, {"alive", VERDICT_ALIVE, false, false, false},
    {"released", VERDICT_RELEASED, true, true, true},  {"unfenced", VERDICT_UNFENCED, false, true, true},
    {"gone", VERDICT_GONE, true, true, true},
};

START_TEST(promises)
{
    const struct promise_row *row = &promise_rows[_i];
    EXPECT_INT(verdict_promises(row->verdict, DURABILITY_ASYNC), row->async, row);
    EXPECT_INT(verdict_promises(row->verdict, DURABILITY_SYNC), row->sync, row);
    EXPECT_INT(verdict_promises(row->verdict, DURABILITY_STRICT), row->strict, row);
    EXPECT_TEXT(verdict_name(row->verdict), row->name, row);
}
END_TEST

START_TEST(a_number_from_elsewhere_promises_nothing)
{
    ck_assert(!verdict_promises((enum verdict)99, DURABILITY_SYNC));
    ck_assert_str_eq(verdict_name((enum verdict)99), "invalid");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verdict");
    TCase *tcase = suite_case(suite, "verdict");
    tcase_add_loop_test(tcase, judged, 0, ROWS(rows));
    tcase_add_loop_test(tcase, promises, 0, ROWS(promise_rows));
    tcase_add_test(tcase, table_is_well_formed);
    tcase_add_test(tcase, no_evidence_breaks_the_promises);
    tcase_add_test(tcase, a_number_from_elsewhere_promises_nothing);
    return suite_run(suite);
}
