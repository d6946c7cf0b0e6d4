/* Lines of the log: as JSON they parse, whatever a hook or PostgreSQL printed. */
#define _GNU_SOURCE
#include "mesh/io/log.h"
#include "tests/unit/suite.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

static const struct line_row {
    const char *name, *text, *message;
} line_rows[] = {
    {"letters of two to four bytes", "ä € 𝄞", "ä € 𝄞"},
    {"marks and control characters", "a\"b\\c\nd\x7f", "a\"b\\c\nd\x7f"},
    {"Latin-1", "caf\xe9 au lait", "caf\xef\xbf\xbd au lait"},
    {"a letter that is cut", "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
    {"a byte that begins nothing", "\xff\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"a slash written in two bytes", "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"half of a surrogate pair", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {"beyond Unicode", "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
};

START_TEST(json_lines)
{
    const struct line_row *row = &line_rows[_i];
    char line[8192];
    int ends[2], kept = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    log_open("test", CONFIG_LOG_INFO, CONFIG_LOG_JSON);
    log_event(LOG_LEVEL_INFO, "hook_output", "%s", row->text);
    dup2(kept, STDERR_FILENO);
    close(ends[1]);
    ssize_t n = read(ends[0], line, sizeof line);
    close(ends[0]);
    close(kept);
    json_t *json = n > 0 ? json_loadb(line, (size_t)n, 0, NULL) : NULL;
    EXPECT(json != NULL, row);
    EXPECT_TEXT(json_string_value(json_object_get(json, "message")), row->message, row);
    json_decref(json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = suite_case(suite, "json");
    tcase_add_loop_test(tcase, json_lines, 0, ROWS(line_rows));
    return suite_run(suite);
}
