/* suite.h: what every unit test of named rows shares.
 *
 * A test of rows is a loop test: check runs its body once for each row, in a process of its own, so one
 * bad row hides no other.  The body takes row number _i of its table and says what it expected with
 * EXPECT, which names the row on failure. */
#ifndef PGMESH_TESTS_UNIT_SUITE_H
#define PGMESH_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>

#define ROWS(table)            ((int)(sizeof(table) / sizeof(table)[0]))
#define EXPECT(condition, row) ck_assert_msg(condition, "row \"%s\": %s", (row)->name, #condition)
#define EXPECT_INT(actual, wanted, row) \
    do { \
        long long actual_ = (long long)(actual), wanted_ = (long long)(wanted); \
        ck_assert_msg(actual_ == wanted_, "row \"%s\": %s is %lld, expected %lld", (row)->name, #actual, \
                      actual_, wanted_); \
    } while (0)
#define EXPECT_TEXT(actual, wanted, row) \
    do { \
        const char *actual_ = (actual), *wanted_ = (wanted); \
        ck_assert_msg(strcmp(actual_, wanted_) == 0, "row \"%s\": %s is \"%s\", expected \"%s\"", \
                      (row)->name, #actual, actual_, wanted_); \
    } while (0)

static inline TCase *suite_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static inline int suite_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}

/* Bytes written as "94 93 07", blanks at will; how many. */
static inline size_t unhex(uint8_t *out, const char *hex)
{
    size_t n = 0;
    for (; *hex; hex++) {
        if (*hex == ' ')
            continue;
        ck_assert_int_eq(sscanf(hex++, "%2hhx", &out[n++]), 1);
    }
    return n;
}

#endif
