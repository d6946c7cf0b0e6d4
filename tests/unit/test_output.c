/* The inspector's output layer: wrapping, tables that fit, harmless text, numbers, complaints. */
// LINK: mesh/inspect/output.c
#define _GNU_SOURCE
#include "mesh/inspect/output.h"
#include "tests/unit/suite.h"

#include <stdlib.h>
#include <string.h>

static char *written, *complained;
static size_t written_len, complained_len;
static struct output o;

static void setup(void)
{
    FILE *to = open_memstream(&written, &written_len), *errors = open_memstream(&complained, &complained_len);
    o = (struct output){.to = to, .errors = errors, .utf8 = true, .width = 40};
}

static void teardown(void)
{
    fclose(o.to);
    fclose(o.errors);
    free(written);
    free(complained);
}

static const char *shown(void)
{
    fflush(o.to);
    return written;
}

/* No line is wider than the terminal, and none ends in a space. */
static void lines_fit(const char *s, int width)
{
    while (*s != '\0') {
        char line[512];
        size_t n = strcspn(s, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, s);
        ck_assert_msg(text_cells(line) <= width, "\"%s\" has %d cells, the terminal %d", line,
                      text_cells(line), width);
        ck_assert_msg(n == 0 || line[n - 1] != ' ', "\"%s\" ends in a space", line);
        s += n + (s[n] == '\n');
    }
}

START_TEST(text_wraps_at_spaces)
{
    output_text(&o, 4, "  one two three four five six seven eight nine ten eleven");
    ck_assert_str_eq(shown(), "  one two three four five six seven\n    eight nine ten eleven\n");
}
END_TEST

START_TEST(a_field_hangs_beside_its_label)
{
    output_field(&o, "who", "promised: db1 GONE, db2 GONE, wit1 GONE");
    ck_assert_str_eq(shown(), "  who      promised: db1 GONE, db2 GONE,\n           wit1 GONE\n");
}
END_TEST

START_TEST(a_word_too_long_is_cut)
{
    o.width = 20;
    output_text(&o, 0, "abcdefghijklmnopqrstuvwxyz");
    ck_assert_str_eq(shown(), "abcdefghijklmnopqrs…\n");
}
END_TEST

START_TEST(control_characters_are_harmless)
{
    output_text(&o, 0, "a\033[31mb\nc\177d\302\233e\377f");
    ck_assert_str_eq(shown(), "a?[31mb?c?d?e?f\n");
}
END_TEST

START_TEST(without_utf8_signs_are_ascii)
{
    o.utf8 = false;
    output_text(&o, 0, "db1 · – → ✗ …  é");
    ck_assert_str_eq(shown(), "db1 | - > x ~  ?\n");
}
END_TEST

START_TEST(json_silences_text)
{
    o.json = true;
    output_text(&o, 0, "words");
    output_field(&o, "label", "words");
    output_blank(&o);
    ck_assert_str_eq(shown(), "");
}
END_TEST

START_TEST(a_complaint_in_three_lines)
{
    ck_assert_int_eq(output_fail(&o, EXIT_REFUSED, "fact", "Detail.", "Hint."), EXIT_REFUSED);
    fflush(o.errors);
    ck_assert_str_eq(complained, "pgmesh: fact\nDETAIL: Detail.\nHINT: Hint.\n");
    ck_assert_str_eq(shown(), "");
}
END_TEST

START_TEST(a_complaint_as_json)
{
    o.json = true;
    output_fail(&o, EXIT_NO_CONTACT, "a \"fact\"", NULL, "Hint.");
    json_t *j = json_loads(shown(), 0, NULL), *error = json_object_get(j, "error");
    ck_assert_str_eq(json_string_value(json_object_get(error, "message")), "a \"fact\"");
    ck_assert_str_eq(json_string_value(json_object_get(error, "code")), "no_contact");
    ck_assert_int_eq(json_integer_value(json_object_get(error, "exit")), 3);
    ck_assert(json_is_null(json_object_get(error, "detail")));
    json_decref(j);
}
END_TEST

/* ---- tables ---- */

static const struct column columns[] = {
    {"MEMBER", 0, false}, {"SITE", 2, false}, {"LAG", 1, true}, {"NOTE", 3, false}};

static void members_table(int width)
{
    struct table t;
    o.width = width;
    table_open(&t, columns, 4);
    const char *rows[][4] = {{"db1", "fra", "–", "the first of them"},
                             {"witness-of-the-third-site", "lux", "12 kB", "–"}};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++)
            table_cell(&t, TONE_PLAIN, "%s", rows[i][k]);
    table_print(&o, &t);
    table_close(&t);
    lines_fit(shown(), width);
}

START_TEST(a_table_with_room)
{
    members_table(80);
    ck_assert_str_eq(shown(), "  MEMBER                     SITE    LAG  NOTE\n"
                              "  db1                        fra       –  the first of them\n"
                              "  witness-of-the-third-site  lux   12 kB  –\n");
}
END_TEST

START_TEST(a_narrow_table_loses_the_least_important)
{
    members_table(44);
    ck_assert_str_eq(shown(), "  MEMBER                     SITE    LAG\n"
                              "  db1                        fra       –\n"
                              "  witness-of-the-third-site  lux   12 kB\n");
}
END_TEST

START_TEST(a_table_fits_every_width)
{
    members_table(20 + _i);
}
END_TEST

START_TEST(colour_only_where_asked_for)
{
    struct table t;
    o.colour = true;
    table_open(&t, columns, 1);
    table_cell(&t, TONE_BAD, "down");
    table_print(&o, &t);
    table_close(&t);
    ck_assert_str_eq(shown(), "  \033[2mMEMBER\033[0m\n  \033[31mdown\033[0m\n");
}
END_TEST

START_TEST(no_colour_into_a_file)
{
    struct output file;
    setenv("COLUMNS", "55", 1);
    FILE *f = tmpfile();
    output_begin(&file, f, f);
    ck_assert(!file.colour);
    ck_assert_int_eq(file.width, 55);
    fclose(f);
}
END_TEST

/* ---- numbers and words ---- */

// clang-format off
static const struct number_row {
    const char *name;
    unsigned long long value;
    const char *bytes, *lsn, *duration;
} numbers[] = {
    {"nothing", 0, "0 B", "0/00000000", "0 ms"},
    {"just below a kB", 1023, "1023 B", "0/000003FF", "1.0 s"},
    {"a kB", 1024, "1.0 kB", "0/00000400", "1.0 s"},
    {"ten kB", 10240, "10 kB", "0/00002800", "10 s"},
    {"an LSN of two words", 0x15A3F0210ull, "5.4 GB", "1/5A3F0210", "67 d"},
};
// clang-format on

START_TEST(numbers_for_people)
{
    const struct number_row *row = &numbers[_i];
    EXPECT_TEXT(text_bytes(row->value), row->bytes, row);
    EXPECT_TEXT(text_lsn(row->value), row->lsn, row);
    EXPECT_TEXT(text_duration(row->value), row->duration, row);
}
END_TEST

static const struct near_row {
    const char *name, *word, *nearest;
} nears[] = {
    {"swapped letters", "statsu", "status"},
    {"one missing", "statu", "status"},
    {"nothing like it", "frobnicate", ""},
    {"itself", "why", "why"},
};

START_TEST(did_you_mean)
{
    static const char *const words[] = {"status", "members", "why", "switchover"};
    const struct near_row *row = &nears[_i];
    const char *near = text_nearest(row->word, words, 4);
    EXPECT_TEXT(near == NULL ? "" : near, row->nearest, row);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("output");
    TCase *t = suite_case(suite, "output");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, text_wraps_at_spaces);
    tcase_add_test(t, a_field_hangs_beside_its_label);
    tcase_add_test(t, a_word_too_long_is_cut);
    tcase_add_test(t, control_characters_are_harmless);
    tcase_add_test(t, without_utf8_signs_are_ascii);
    tcase_add_test(t, json_silences_text);
    tcase_add_test(t, a_complaint_in_three_lines);
    tcase_add_test(t, a_complaint_as_json);
    tcase_add_test(t, a_table_with_room);
    tcase_add_test(t, a_narrow_table_loses_the_least_important);
    tcase_add_loop_test(t, a_table_fits_every_width, 0, 60);
    tcase_add_test(t, colour_only_where_asked_for);
    tcase_add_test(t, no_colour_into_a_file);
    tcase_add_loop_test(t, numbers_for_people, 0, ROWS(numbers));
    tcase_add_loop_test(t, did_you_mean, 0, ROWS(nears));
    return suite_run(suite);
}
