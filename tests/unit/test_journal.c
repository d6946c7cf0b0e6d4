/* The journal, and its newest events in memory. */
#define _GNU_SOURCE
#include "mesh/io/clock.h"
#include "mesh/io/journal.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

struct seen {
    int n;
    int64_t last_us;
    char last[JOURNAL_TEXT_SIZE];
};

static bool see(void *arg, const struct journal_line *line)
{
    struct seen *s = arg;
    s->n++;
    ck_assert_int_ge(line->at_us, s->last_us);
    s->last_us = line->at_us;
    snprintf(s->last, sizeof s->last, "%.*s", (int)line->text_len, line->text);
    return true;
}

/* How many pieces it took. */
static int read_newest(size_t most, struct seen *seen)
{
    struct journal_reading r;
    int pieces = 1;
    journal_reading_open(&r, scratch, most);
    while (journal_reading_go(&r, JOURNAL_EVENT, see, seen))
        pieces++;
    journal_reading_close(&r);
    return pieces;
}

START_TEST(recent)
{
    static struct journal j;
    struct problem err = {.fact = ""};
    struct seen file = {0}, memory = {0}, none = {0};
    char text[32];
    ck_assert(journal_open(&j, scratch, &err));
    int64_t start_us = j.recent_since_us;
    for (int i = 0; i < 10; i++) {
        snprintf(text, sizeof text, "number %d", i);
        journal_event(&j, 3, "+goal", text);
    }
    read_newest(JOURNAL_ALL, &file);
    ck_assert(journal_visit_recent(&j, start_us, see, &memory));
    ck_assert_int_eq(memory.n, file.n);
    ck_assert_str_eq(memory.last, "number 9");
    ck_assert_int_eq(memory.last_us, file.last_us);
    ck_assert(journal_visit_recent(&j, memory.last_us, see, &none));
    ck_assert_int_eq(none.n, 0);
    ck_assert(
        !journal_visit_recent(&j, start_us - 1, see, &none)); /* what was before us is in the file only */
    for (int i = 0; i < JOURNAL_RECENT; i++)
        journal_event(&j, 4, "+goal", "more");
    ck_assert(!journal_visit_recent(&j, start_us, see, &none)); /* and what was pushed out */
    ck_assert_int_eq(none.n, 0);
    memory = (struct seen){0};
    ck_assert(journal_visit_recent(&j, j.recent_since_us, see, &memory));
    ck_assert_int_ge(memory.n,
                     JOURNAL_RECENT /
                         2); /* all, but for those of one microsecond with the last one pushed out */
    journal_close(&j);
}
END_TEST

static const struct time_row {
    const char *name, *text;
    int64_t us; /* -1: refused */
} time_rows[] = {
    {"the beginning", "1970-01-01T00:00:00.000000Z", 0},
    {"a moment", "2026-11-21T09:14:02.118000Z", 1795252442118000},
    {"a leap day", "2024-02-29T23:59:59.999999Z", 1709251199999999},
    {"a century without one", "2100-03-01T00:00:00.000000Z", 4107542400000000},
    {"before there was time", "1969-12-31T23:59:59.999999Z", -1},
    {"a 13th month", "2026-13-01T00:00:00.000000Z", -1},
    {"a 31st of April", "2026-04-31T00:00:00.000000Z", -1},
    {"hour 24", "2026-11-21T24:00:00.000000Z", -1},
    {"no zone", "2026-11-21T09:14:02.118000 ", -1},
    {"a sign", "2026-11-21T09:14:02.-18000Z", -1},
    {"cut short", "2026-11-21T09:14", -1},
    {"nothing", "", -1},
};

START_TEST(times)
{
    const struct time_row *row = &time_rows[_i];
    char text[CLOCK_TEXT_SIZE];
    EXPECT_INT(clock_parse(row->text), row->us, row);
    if (row->us >= 0)
        EXPECT_TEXT(clock_print(text, row->us), row->text, row);
}
END_TEST

START_TEST(newest)
{
    static struct journal j;
    struct problem err = {.fact = ""};
    struct seen all = {0}, some = {0}, none = {0};
    ck_assert(journal_open(&j, scratch, &err));
    for (int i = 0; i < 100; i++)
        journal_event(&j, 3, "+goal", "as long as the others");
    journal_close(&j);
    uint64_t size = j.size;
    read_newest(size / 2, &some);
    ck_assert_int_ge(some.n, 49); /* whole lines only */
    ck_assert_int_le(some.n, 50);
    read_newest(3, &none);
    ck_assert_int_eq(none.n, 0);
    ck_assert_int_eq(rename(scratch_path("journal"), scratch_path("journal.1")), 0);
    ck_assert(journal_open(&j, scratch, &err));
    journal_event(&j, 3, "+goal", "the last");
    journal_close(&j);
    some = (struct seen){0};
    read_newest(size / 2 + j.size, &some);
    ck_assert_int_ge(some.n, 50);
    ck_assert_int_le(some.n, 51);
    ck_assert_str_eq(some.last, "the last");
    read_newest(JOURNAL_ALL, &all);
    ck_assert_int_eq(all.n, 101);
}
END_TEST

/* More than one piece, with lines across their borders; the largest certificate fits. */
START_TEST(piece_by_piece)
{
    static struct journal j;
    static uint8_t certificate[24 * 1024];
    struct problem err = {.fact = ""};
    struct seen seen = {0};
    ck_assert(journal_open(&j, scratch, &err));
    for (int i = 0; i < 4000; i++) {
        journal_event(&j, 3, "+goal", "as long as the others");
        if (i % 1000 == 0)
            journal_decided(&j, 3, (uint64_t)i, certificate, sizeof certificate);
    }
    journal_close(&j);
    ck_assert_int_gt(read_newest(JOURNAL_ALL, &seen), (int)(j.size / JOURNAL_PIECE));
    ck_assert_int_eq(seen.n, 4000);
}
END_TEST

START_TEST(what_is_written_and_cut_meanwhile)
{
    static struct journal j;
    struct problem err = {.fact = ""};
    struct seen seen = {0};
    struct journal_reading r;
    ck_assert(journal_open(&j, scratch, &err));
    for (int i = 0; i < 6000; i++)
        journal_event(&j, 3, "+goal", "as long as the others");
    journal_reading_open(&r, scratch, JOURNAL_ALL);
    ck_assert(journal_reading_go(&r, JOURNAL_EVENT, see, &seen));
    int first = seen.n;
    journal_event(&j, 3, "+goal", "one more");
    ck_assert_int_eq(rename(scratch_path("journal"), scratch_path("journal.1")), 0);
    while (journal_reading_go(&r, JOURNAL_EVENT, see, &seen))
        ;
    ck_assert_int_eq(seen.n, 6000); /* as it was opened */
    journal_reading_close(&r);
    seen = (struct seen){0};
    journal_reading_open(&r, scratch, JOURNAL_ALL);
    ck_assert(journal_reading_go(&r, JOURNAL_EVENT, see, &seen));
    ck_assert_int_eq(truncate(scratch_path("journal.1"), 100), 0);
    while (journal_reading_go(&r, JOURNAL_EVENT, see, &seen))
        ;
    ck_assert_int_eq(seen.n, first);
    journal_reading_close(&r);
    journal_close(&j);
}
END_TEST

/* A file that is one line, and never ends. */
START_TEST(no_line_at_all)
{
    static char rubbish[3 * JOURNAL_PIECE];
    struct seen seen = {0};
    memset(rubbish, 'x', sizeof rubbish);
    FILE *f = fopen(scratch_path("journal"), "w");
    ck_assert(f && fwrite(rubbish, sizeof rubbish, 1, f) == 1 && fclose(f) == 0);
    ck_assert_int_le(read_newest(JOURNAL_ALL, &seen), 4);
    ck_assert_int_eq(seen.n, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tcase = suite_case(suite, "recent");
    tcase_add_checked_fixture(tcase, scratch_open, scratch_close);
    tcase_add_test(tcase, recent);
    tcase_add_test(tcase, newest);
    tcase_add_test(tcase, piece_by_piece);
    tcase_add_test(tcase, what_is_written_and_cut_meanwhile);
    tcase_add_test(tcase, no_line_at_all);
    tcase_add_loop_test(tcase, times, 0, ROWS(time_rows));
    return suite_run(suite);
}
