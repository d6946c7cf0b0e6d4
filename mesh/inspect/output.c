/* output.c: see output.h. */
#define _GNU_SOURCE
#include "mesh/inspect/output.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    WIDTH_DEFAULT = 100,
    WIDTH_MIN = 20,
    WIDTH_MAX = 400,
    TEXT_RING = 16,
    TEXT_ROOM = 1024,
    COLUMNS_MAX = 40,
    GAP = 2,
    INDENT = 2
};

/* ---- the terminal ------------------------------------------------------------------------------------------- */

static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *v = getenv(names[i]);
        if (v != NULL && *v != '\0')
            return strcasestr(v, "utf-8") != NULL || strcasestr(v, "utf8") != NULL;
    }
    return false;
}

static int terminal_width(FILE *to)
{
    const char *columns = getenv("COLUMNS");
    int width = columns != NULL ? atoi(columns) : 0;
    struct winsize size;
    if (width <= 0 && isatty(fileno(to)) && ioctl(fileno(to), TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    if (width <= 0)
        width = WIDTH_DEFAULT;
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

void output_begin(struct output *o, FILE *to, FILE *errors)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    *o = (struct output){.to = to, .errors = errors};
    o->width = terminal_width(to);
    o->utf8 = locale_is_utf8();
    o->colour = isatty(fileno(to)) && (no_color == NULL || *no_color == '\0') &&
                (term == NULL || strcmp(term, "dumb") != 0);
}

/* ---- text --------------------------------------------------------------------------------------------------- */

static char *ring_next(void)
{
    static char ring[TEXT_RING][TEXT_ROOM];
    static unsigned next;
    return ring[next++ % TEXT_RING];
}

const char *text(const char *format, ...)
{
    char *buffer = ring_next();
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, TEXT_ROOM, format, args);
    va_end(args);
    return buffer;
}

int text_cells(const char *s)
{
    int cells = 0;
    for (; *s != '\0'; s++)
        cells += ((unsigned char)*s & 0xC0) != 0x80;
    return cells;
}

/* The signs that this program writes itself, and how a terminal without UTF-8 gets them. */
static const struct sign {
    const char *utf8, *ascii;
} signs[] = {{"·", "|"}, {"–", "-"}, {"→", ">"}, {"…", "~"}, {"✗", "x"}, {"✓", "v"}, {"←", "<"}};

/* Copies one character to `to`, made harmless; returns the bytes read.  A byte that is no UTF-8 becomes '?'. */
static size_t harmless(const struct output *o, const char *s, char to[static 8])
{
    unsigned char c = (unsigned char)s[0];
    size_t n = c < 0x80                ? 1
               : c >= 0xC2 && c < 0xE0 ? 2
               : c >= 0xE0 && c < 0xF0 ? 3
               : c >= 0xF0 && c < 0xF5 ? 4
                                       : 0;
    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s[i] & 0xC0) != 0x80)
            n = 0;
    bool c1_control = n == 2 && c == 0xC2 && (unsigned char)s[1] < 0xA0;
    if (n == 0 || c1_control || (n == 1 && (c < 0x20 || c == 0x7F))) {
        strcpy(to, "?");
        return n == 0 ? 1 : n;
    }
    memcpy(to, s, n);
    to[n] = '\0';
    if (n > 1 && !o->utf8) {
        const char *ascii = "?";
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            if (strcmp(signs[i].utf8, to) == 0)
                ascii = signs[i].ascii;
        strcpy(to, ascii);
    }
    return n;
}

static const char *tone_code(enum tone tone)
{
    switch (tone) {
    case TONE_PLAIN: return "";
    case TONE_STRONG: return "\033[1m";
    case TONE_FAINT: return "\033[2m";
    case TONE_GOOD: return "\033[32m";
    case TONE_WARN: return "\033[33m";
    case TONE_BAD: return "\033[31m";
    }
    return "";
}

static void tone_on(const struct output *o, FILE *to, enum tone tone)
{
    if (o->colour && tone != TONE_PLAIN)
        fputs(tone_code(tone), to);
}

static void tone_off(const struct output *o, FILE *to, enum tone tone)
{
    if (o->colour && tone != TONE_PLAIN)
        fputs("\033[0m", to);
}

/* Writes at most `cells` characters; a longer text ends in an ellipsis. */
static void put(const struct output *o, FILE *to, enum tone tone, const char *s, int cells)
{
    bool cut = text_cells(s) > cells;
    char c[8];
    tone_on(o, to, tone);
    for (int used = 0; *s != '\0' && used < cells; used++) {
        size_t n = harmless(o, cut && used == cells - 1 ? "…" : s, c);
        fputs(c, to);
        s += cut && used == cells - 1 ? 0 : n;
    }
    tone_off(o, to, tone);
}

/* Wraps at spaces; `at` is the cell where the first word stands.  Spaces at a line's end are left out. */
static void put_wrapped(const struct output *o, FILE *to, enum tone tone, int at, int hang, const char *s)
{
    int column = at, owed = 0;
    if (hang > o->width / 2)
        hang = INDENT;
    tone_on(o, to, tone);
    while (*s != '\0') {
        size_t n = strcspn(s, " "), spaces = strspn(s + n, " ");
        char word[TEXT_ROOM];
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        int cells = text_cells(word);
        if (owed > 0 && column + owed + cells > o->width) {
            tone_off(o, to, tone);
            fprintf(to, "\n%*s", hang, "");
            tone_on(o, to, tone);
            column = hang;
            owed = 0;
        }
        fprintf(to, "%*s", owed, "");
        column += owed;
        put(o, to, TONE_PLAIN, word, o->width > column ? o->width - column : cells);
        column += cells;
        owed = (int)spaces;
        s += n + spaces;
    }
    tone_off(o, to, tone);
    fputc('\n', to);
}

void output_tone(struct output *o, enum tone tone, int hang, const char *format, ...)
{
    char buffer[4 * TEXT_ROOM];
    va_list args;
    if (o->json)
        return;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    size_t lead = strspn(buffer, " ");
    fprintf(o->to, "%*s", (int)lead, "");
    put_wrapped(o, o->to, tone, (int)lead, hang, buffer + lead);
}

void output_text(struct output *o, int hang, const char *format, ...)
{
    char buffer[4 * TEXT_ROOM];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    output_tone(o, TONE_PLAIN, hang, "%s", buffer);
}

void output_field(struct output *o, const char *label, const char *format, ...)
{
    enum { LABEL = 8 };
    char buffer[4 * TEXT_ROOM];
    va_list args;
    if (o->json)
        return;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    fprintf(o->to, "%*s", INDENT, "");
    put(o, o->to, TONE_STRONG, label, LABEL);
    int cells = text_cells(label);
    fprintf(o->to, "%*s", LABEL - (cells > LABEL ? LABEL : cells) + 1, "");
    put_wrapped(o, o->to, TONE_PLAIN, INDENT + LABEL + 1, INDENT + LABEL + 1, buffer);
}

void output_blank(struct output *o)
{
    if (!o->json)
        fputc('\n', o->to);
}

json_t *output_string(const char *s)
{
    static const struct output whole = {.utf8 = true};
    json_t *string = s == NULL ? json_null() : json_string(s);
    if (string != NULL)
        return string;
    char *clean = malloc(strlen(s) + 8), *to = clean;
    assert(clean != NULL);
    while (*s != '\0') {
        s += harmless(&whole, s, to);
        to += strlen(to);
    }
    string = json_string(clean);
    free(clean);
    return string == NULL ? json_string("?") : string; /* what is not shortest form, or a surrogate */
}

void output_json(struct output *o, json_t *document)
{
    json_dumpf(document, o->to, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    fputc('\n', o->to);
    json_decref(document);
}

/* ---- complaints --------------------------------------------------------------------------------------------- */

static const char *exit_code_name(enum exit_code code)
{
    switch (code) {
    case EXIT_OK: return "ok";
    case EXIT_REFUSED: return "refused";
    case EXIT_USAGE: return "usage";
    case EXIT_NO_CONTACT: return "no_contact";
    case EXIT_NO_PRIMARY: return "no_primary";
    case EXIT_PERMISSION: return "permission";
    case EXIT_UNKNOWN: return "unknown_name";
    case EXIT_OTHER_CLUSTER: return "other_cluster";
    case EXIT_STALE: return "stale";
    case EXIT_WAITS: return "waits";
    }
    return "?";
}

/* A complaint is never wrapped: scripts and people grep for it. */
static void put_complaint(struct output *o, const char *label, const char *s)
{
    struct output plain = *o;
    plain.colour = false;
    if (s == NULL)
        return;
    fputs(label, o->errors);
    put(&plain, o->errors, TONE_PLAIN, s, 4 * TEXT_ROOM);
    fputc('\n', o->errors);
}

int output_fail(struct output *o, enum exit_code code, const char *fact, const char *detail, const char *hint)
{
    if (o->quiet)
        return code;
    fflush(o->to);
    put_complaint(o, "pgmesh: ", fact);
    put_complaint(o, "DETAIL: ", detail);
    put_complaint(o, "HINT: ", hint);
    if (o->json)
        output_json(o, json_pack("{s:{s:s,s:i,s:o,s:o,s:o}}", "error", "code", exit_code_name(code), "exit",
                                 code, "message", output_string(fact), "detail", output_string(detail),
                                 "hint", output_string(hint)));
    return code;
}

void output_notice(struct output *o, const char *fact, const char *hint)
{
    put_complaint(o, "NOTICE: ", fact);
    put_complaint(o, "HINT: ", hint);
}

/* ---- tables ------------------------------------------------------------------------------------------------- */

void table_open(struct table *t, const struct column *columns, int n_columns)
{
    assert(n_columns > 0 && n_columns <= COLUMNS_MAX);
    *t = (struct table){.columns = columns, .n_columns = n_columns};
}

void table_close(struct table *t)
{
    for (int i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct table){0};
}

void table_cell(struct table *t, enum tone tone, const char *format, ...)
{
    va_list args;
    if (t->n_cells == t->room) {
        t->room = t->room == 0 ? 64 : 2 * t->room;
        t->cells = realloc(t->cells, (size_t)t->room * sizeof *t->cells);
        assert(t->cells != NULL);
    }
    struct cell *cell = &t->cells[t->n_cells++];
    cell->tone = tone;
    va_start(args, format);
    int n = vasprintf(&cell->text, format, args);
    va_end(args);
    assert(n >= 0);
}

/* The width of each column, 0 for those that must go for the table to fit. */
static void table_fit(const struct output *o, const struct table *t, int width[static COLUMNS_MAX])
{
    int total = INDENT - GAP;
    for (int c = 0; c < t->n_columns; c++)
        width[c] = text_cells(t->columns[c].title);
    for (int i = 0; i < t->n_cells; i++) {
        int cells = text_cells(t->cells[i].text), c = i % t->n_columns;
        width[c] = cells > width[c] ? cells : width[c];
    }
    for (int c = 0; c < t->n_columns; c++)
        total += width[c] + GAP;
    while (total > o->width) {
        int worst = 0;
        for (int c = 0; c < t->n_columns; c++)
            if (width[c] > 0 && (width[worst] == 0 || t->columns[c].rank >= t->columns[worst].rank))
                worst = c;
        if (t->columns[worst].rank == 0)
            break;
        total -= width[worst] + GAP;
        width[worst] = 0;
    }
    for (int widest = 0; total > o->width; total--) {
        for (int c = 0; c < t->n_columns; c++)
            widest = width[c] > width[widest] ? c : widest;
        if (width[widest] <= 4)
            break;
        width[widest]--;
    }
}

static void table_row(const struct output *o, const struct table *t, const int *width, const struct cell *row)
{
    int last = 0, owed = INDENT;
    for (int c = 0; c < t->n_columns; c++)
        last = width[c] > 0 ? c : last;
    for (int c = 0; c <= last; c++) {
        if (width[c] == 0)
            continue;
        const char *s = row == NULL ? t->columns[c].title : row[c].text;
        int cells = text_cells(s) > width[c] ? width[c] : text_cells(s), pad = width[c] - cells;
        /* padding is owed until something follows: no line ends in spaces */
        if (cells == 0) {
            owed += width[c] + GAP;
            continue;
        }
        fprintf(o->to, "%*s", owed + (t->columns[c].right ? pad : 0), "");
        put(o, o->to, row == NULL ? TONE_FAINT : row[c].tone, s, width[c]);
        owed = GAP + (t->columns[c].right ? 0 : pad);
    }
    fputc('\n', o->to);
}

void table_print(struct output *o, const struct table *t)
{
    int width[COLUMNS_MAX];
    if (o->json)
        return;
    assert(t->n_cells % t->n_columns == 0);
    table_fit(o, t, width);
    table_row(o, t, width, NULL);
    for (int i = 0; i < t->n_cells; i += t->n_columns)
        table_row(o, t, width, &t->cells[i]);
}

/* ---- numbers for people ------------------------------------------------------------------------------------- */

const char *text_bytes(unsigned long long bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
    }
    return text(unit == 0 || value >= 9.95 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

const char *text_lsn(unsigned long long lsn)
{
    return text("%llX/%08llX", lsn >> 32, lsn & 0xFFFFFFFFu);
}

const char *text_duration(unsigned long long ms)
{
    if (ms < 1000)
        return text("%llu ms", ms);
    if (ms < 10000)
        return text("%.1f s", (double)ms / 1000);
    if (ms < 120 * 1000)
        return text("%llu s", ms / 1000);
    if (ms < 120 * 60000ull)
        return text("%llu min", ms / 60000);
    if (ms < 48 * 3600000ull)
        return text("%llu h", ms / 3600000);
    return text("%llu d", ms / 86400000);
}

/* Edit distance (Levenshtein 1966), words of up to 63 characters. */
static int edit_distance(const char *a, const char *b)
{
    int n = (int)strnlen(b, 63), row[64];
    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] != '\0'; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int change = diagonal + (a[i - 1] != b[j - 1]), least = change;
            diagonal = row[j];
            if (row[j] + 1 < least)
                least = row[j] + 1;
            if (row[j - 1] + 1 < least)
                least = row[j - 1] + 1;
            row[j] = least;
        }
    }
    return row[n];
}

const char *text_nearest(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    int least = (int)strlen(word) / 3 + 2;
    for (size_t i = 0; i < n; i++) {
        int distance = edit_distance(word, words[i]);
        if (distance < least) {
            least = distance;
            best = words[i];
        }
    }
    return best;
}

const char *text_meant(const char *word, const char *const *words, size_t n)
{
    char list[512] = "";
    size_t used = 0, matches = 0, shown = 0;
    for (size_t i = 0; i < n; i++)
        matches += *word != '\0' && strncmp(words[i], word, strlen(word)) == 0;
    for (size_t i = 0; i < n && matches > 1 && used < sizeof list; i++)
        if (strncmp(words[i], word, strlen(word)) == 0) {
            shown++;
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     shown == 1         ? ""
                                     : shown == matches ? " or "
                                                        : ", ",
                                     words[i]);
        }
    if (matches > 1)
        return text("It is ambiguous: it could be %s.", list);
    const char *near = text_nearest(word, words, n);
    return near == NULL ? NULL : text("Perhaps \"%s\" was meant.", near);
}
