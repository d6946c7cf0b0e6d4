/* Leases: the voter's promise and the holder's deadline. */
#include "tests/unit/policy_properties.h"
#include "tests/unit/suite.h"

/* Time in these rows is milliseconds on both clocks after a start at 1000, or on each clock by itself. */
static instant at2(int64_t boot_ms, int64_t raw_ms)
{
    return (instant){span_ms(1000 + boot_ms).ns, span_ms(1000 + raw_ms).ns};
}
static instant at(int64_t ms)
{
    return at2(ms, ms);
}

static const struct runs_row {
    const char *name;
    int64_t boot_ms, raw_ms;
    bool runs;
} runs_rows[] = {
    {"at once", 0, 0, true},
    {"just before its end", 599, 599, true},
    {"at its end", 600, 600, false},
    {"after its end", 601, 601, false},
    {"one clock behind: goes on", 700, 599, true},
    {"the other clock behind: goes on", 599, 700, true},
};

START_TEST(runs)
{
    const struct runs_row *row = &runs_rows[_i];
    struct grant g = {0};
    grant_renew(&g, 4, 1, 11, 1, 600, at(0));
    EXPECT_INT(grant_runs(&g, at2(row->boot_ms, row->raw_ms)), row->runs, row);
}
END_TEST

START_TEST(never_given_does_not_run)
{
    struct grant g = {0};
    ck_assert(!grant_runs(&g, at(0)));
    g.until = at(600);
    ck_assert(!grant_runs(&g, at(0)));
}
END_TEST

/* A grant of 600 ms at 0 to member 1 in term 4, then another at 100: until when does the result run? */
static const struct renew_row {
    const char *name;
    uint64_t term;
    member_id holder;
    uint64_t nonce;
    uint32_t length_ms;
    int64_t until_ms;
} renew_rows[] = {
    {"the same length moves the end", 4, 1, 11, 600, 700},
    {"a longer one moves it further", 4, 1, 11, 900, 1000},
    {"a shorter one does not move it back", 4, 1, 11, 100, 600},
    {"a shorter one that ends later counts", 4, 1, 11, 550, 650},
    {"another start of the same holder does not shorten", 4, 1, 12, 100, 600},
    {"another term begins anew", 5, 1, 11, 100, 200},
    {"another holder begins anew", 4, 2, 11, 100, 200},
};

START_TEST(renewed)
{
    const struct renew_row *row = &renew_rows[_i];
    struct grant g = {0};
    grant_renew(&g, 4, 1, 11, 1, 600, at(0));
    grant_renew(&g, row->term, row->holder, row->nonce, 2, row->length_ms, at(100));
    EXPECT_INT(span_to_ms(instant_elapsed_most(g.until, at(0))), row->until_ms, row);
    EXPECT_INT(span_to_ms(instant_elapsed_least(g.until, at(0))), row->until_ms, row);
    EXPECT(g.given && g.term == row->term && g.holder == row->holder && g.nonce == row->nonce && g.seq == 2,
           row);
    EXPECT_INT(g.length_ms, row->length_ms, row);
}
END_TEST

START_TEST(renewal_after_a_drop_begins_anew)
{
    struct grant g = {0};
    grant_renew(&g, 4, 1, 11, 1, 600, at(0));
    grant_drop(&g, 4);
    grant_renew(&g, 4, 1, 11, 2, 100, at(100));
    ck_assert(grant_runs(&g, at(199)));
    ck_assert(!grant_runs(&g, at(200)));
}
END_TEST

static const struct drop_row {
    const char *name;
    uint64_t term;
    bool runs;
} drop_rows[] = {
    {"a RELEASE of its term ends it", 4, false},
    {"a RELEASE of a former term does not", 3, true},
    {"a RELEASE of a later term does not", 5, true},
};

START_TEST(dropped)
{
    const struct drop_row *row = &drop_rows[_i];
    struct grant g = {0};
    grant_renew(&g, 4, 1, 11, 1, 600, at(0));
    grant_drop(&g, row->term);
    EXPECT_INT(grant_runs(&g, at(1)), row->runs, row);
    EXPECT(g.given, row); /* it was granted since the start: the verdict asks for that */
}
END_TEST

static const struct holder_row {
    const char *name;
    uint32_t length_ms, fence_ms;
    int64_t until_us; /* after the request was sent; -1: not at all */
} holder_rows[] = {
    {"1 % and the time to fence", 600, 100, 494000},
    {"no time to fence: 1 % still", 600, 0, 594000},
    {"a longer one", 3000, 100, 2870000},
    {"1 % of little", 50, 0, 49500},
    {"shorter than its margin", 100, 100, -1},
    {"as long as its margin", 100, 99, -1},
    {"just longer than its margin", 100, 98, 1000},
    {"nothing granted", 0, 0, -1},
};

START_TEST(holder)
{
    const struct holder_row *row = &holder_rows[_i];
    instant until = lease_voter_until(at2(0, 50), row->length_ms, row->fence_ms);
    EXPECT_INT(instant_is_never(until), row->until_us < 0, row);
    if (row->until_us < 0)
        return;
    EXPECT_INT(until.boot_ns - at(0).boot_ns, row->until_us * 1000, row);
    EXPECT_INT(until.raw_ns - at(50).raw_ns, row->until_us * 1000, row);
}
END_TEST

START_TEST(request_never_sent_gives_nothing)
{
    ck_assert(instant_is_never(lease_voter_until(instant_never(), 600, 100)));
}
END_TEST

START_TEST(renewal_never_shortens)
{
    ck_assert(property_renewal_keeps());
}
END_TEST

START_TEST(holder_is_over_before_the_voter)
{
    ck_assert(property_margin_covers());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lease");
    TCase *tcase = suite_case(suite, "lease");
    tcase_add_loop_test(tcase, runs, 0, ROWS(runs_rows));
    tcase_add_loop_test(tcase, renewed, 0, ROWS(renew_rows));
    tcase_add_loop_test(tcase, dropped, 0, ROWS(drop_rows));
    tcase_add_loop_test(tcase, holder, 0, ROWS(holder_rows));
    tcase_add_test(tcase, never_given_does_not_run);
    tcase_add_test(tcase, renewal_after_a_drop_begins_anew);
    tcase_add_test(tcase, request_never_sent_gives_nothing);
    tcase_add_test(tcase, renewal_never_shortens);
    tcase_add_test(tcase, holder_is_over_before_the_voter);
    return suite_run(suite);
}
