/* output.h: the one layer through which the inspector speaks: paragraphs, tables, JSON, complaints.
 *
 * Knows the terminal: its width (COLUMNS, else asked of the terminal, else 100), whether colour is welcome (a terminal, no
 * NO_COLOR, TERM not "dumb"), whether it reads UTF-8 (by LC_ALL, LC_CTYPE, LANG; if not, the few signs used here
 * are written in ASCII).  A line never breaks by itself: text is wrapped, a table drops its least important columns.
 * What comes from elsewhere (names, reasons, server messages) is made harmless: control characters become '?'.
 *
 * With --output json the commands hand one JSON document to output_json(); complaints become {"error": {...}} there,
 * and go to standard error as text as well. */
#ifndef PGMESH_INSPECT_OUTPUT_H
#define PGMESH_INSPECT_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Exit codes of the program, documented in --help and docs/reference-json.md. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_NO_CONTACT = 3,
    EXIT_NO_PRIMARY = 4,
    EXIT_PERMISSION = 5,
    EXIT_UNKNOWN = 6,       /* no member or site of that name, or several that could be meant */
    EXIT_OTHER_CLUSTER = 7, /* the member, the key or the word belongs to another cluster */
    EXIT_STALE = 8,         /* what the order rested on has changed since it was looked at */
    EXIT_WAITS = 9          /* the order waits for a second person's approval */
};

enum tone { TONE_PLAIN, TONE_STRONG, TONE_FAINT, TONE_GOOD, TONE_WARN, TONE_BAD };

struct output {
    FILE *to;     /* stdout, or a test's file */
    FILE *errors; /* stderr */
    bool json, colour, utf8;
    bool quiet; /* complaints are not told: the caller has another way to go */
    int width;
};
/* Looks at `to` and the environment. */
void output_begin(struct output *o, FILE *to, FILE *errors);

/* A short text in one of a few rotating buffers: valid until sixteen more were made. */
const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How many terminal cells a UTF-8 text takes (every character of ours takes one). */
int text_cells(const char *s);

/* One paragraph, wrapped; further lines start `hang` cells to the right.  Nothing in JSON mode. */
void output_text(struct output *o, int hang, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same, in a tone. */
void output_tone(struct output *o, enum tone tone, int hang, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "  label  paragraph", the paragraph hanging beside its label. */
void output_field(struct output *o, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void output_blank(struct output *o);
/* A JSON string of a text that may be no UTF-8 (an argument, a path, a file's content): what is none becomes '?'.  NULL: null. */
json_t *output_string(const char *s);
/* Prints the document with sorted keys where order carries nothing; takes the reference. */
void output_json(struct output *o, json_t *document);

/* PostgreSQL's manner: fact, DETAIL, HINT (either may be NULL); returns `code` for the caller to return. */
int output_fail(struct output *o, enum exit_code code, const char *fact, const char *detail,
                const char *hint);
/* A NOTICE on standard error: worth knowing, stops nothing. */
void output_notice(struct output *o, const char *fact, const char *hint);

/* ---- tables ---- */

struct column {
    const char *title;
    int rank; /* 0 always stands; a narrow terminal loses the highest first */
    bool right;
};
struct cell {
    char *text;
    enum tone tone;
};
struct table {
    const struct column *columns;
    int n_columns;
    int n_cells, room; /* row by row */
    struct cell *cells;
};
void table_open(struct table *t, const struct column *columns, int n_columns);
/* The next cell, left to right, top to bottom. */
void table_cell(struct table *t, enum tone tone, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void table_print(struct output *o, const struct table *t);
void table_close(struct table *t);

/* ---- numbers for people ---- */

/* "812 B", "2 kB", "1.4 MB"; PostgreSQL's steps of 1024. */
const char *text_bytes(unsigned long long bytes);
/* "0/5A3F0210" */
const char *text_lsn(unsigned long long lsn);
/* "12 ms", "2.3 s", "4 min", "3 h", "2 d" */
const char *text_duration(unsigned long long ms);
/* The nearest of the words, when near enough to have been meant; else NULL. */
const char *text_nearest(const char *word, const char *const *words, size_t n);
/* What to say of a word that is none of them: "It could be db1 or db2." when it begins several, "Perhaps \"db1\" was
 * meant." when one is near, else NULL. */
const char *text_meant(const char *word, const char *const *words, size_t n);

#endif
