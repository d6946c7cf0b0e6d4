/* journal.h: what was decided and what happened, with wall-clock time, for people: append-only text in state/journal.
 *
 *   2026-11-21T09:14:02.118000Z decided TERM VERSION HEX(wire "decided" body)
 *   2026-11-21T09:14:02.120000Z event TERM NAME TEXT...
 *
 * Nothing is decided by it and nothing waits for it: a line that cannot be written is counted and forgotten.  Past
 * JOURNAL_SIZE_MAX the file becomes journal.1 (the one before that goes), so a reader meets 8 MB at most.  A torn last
 * line is skipped when read. */
#ifndef PGMESH_MESH_IO_JOURNAL_H
#define PGMESH_MESH_IO_JOURNAL_H

#include "mesh/io/file.h"

#include <stdint.h>

enum {
    JOURNAL_SIZE_MAX = 4 * 1024 * 1024,
    JOURNAL_NAME_SIZE = 48,
    JOURNAL_TEXT_SIZE = 208,
    JOURNAL_RECENT = 64 /* events kept in memory as well, for those who ask every second what is new */
};

struct journal_recent {
    int64_t at_us;
    uint64_t term;
    char name[JOURNAL_NAME_SIZE], text[JOURNAL_TEXT_SIZE];
};
struct journal {
    char path[FILE_PATH_SIZE];
    int fd;
    uint64_t size, lost;
    int64_t recent_since_us; /* every event after that is among `recent` */
    uint64_t n_recent;       /* in all; event number i is at i % JOURNAL_RECENT */
    struct journal_recent recent[JOURNAL_RECENT];
};

bool journal_open(struct journal *j, const char *state_dir, struct problem *err);
void journal_close(struct journal *j);
void journal_decided(struct journal *j, uint64_t term, uint64_t version, const uint8_t *certificate,
                     size_t n);
void journal_event(struct journal *j, uint64_t term, const char *name, const char *text);

enum journal_kind { JOURNAL_DECIDED = 1, JOURNAL_EVENT = 2 };
struct journal_line {
    enum journal_kind kind;
    int64_t at_us; /* wall clock */
    uint64_t term;
    uint64_t version; /* DECIDED */
    const char *hex;  /* DECIDED: 2 * n digits, not terminated */
    size_t hex_len;
    char name[JOURNAL_NAME_SIZE]; /* EVENT */
    const char *text;             /* EVENT: not terminated */
    size_t text_len;
};
typedef bool journal_visit(void *arg, const struct journal_line *line);

/* A journal of years takes long to read, and who reads it may be waited for: it is read piece by piece, as it was when it was
 * opened; a line that is written meanwhile may be met or not. */
enum { JOURNAL_ALL = 2 * JOURNAL_SIZE_MAX, JOURNAL_PIECE = 128 * 1024 };
struct journal_reading {
    int fd[2]; /* the file before, and the present one; -1: none */
    uint64_t at[2], end[2];
    char *piece;
};
/* From the first line that begins in the last `most` bytes.  Never fails: what cannot be opened is not there. */
void journal_reading_open(struct journal_reading *r, const char *state_dir, size_t most);
/* One piece: calls `visit` for every line in it, oldest first, of the kinds wanted.  false: that was all, or `visit` said so by
 * false. */
bool journal_reading_go(struct journal_reading *r, int kinds, journal_visit *visit, void *arg);
void journal_reading_close(struct journal_reading *r);
/* The events after `since_us`, oldest first, from memory: the file is not touched.  false: they reach not back so far, and
 * nothing was visited. */
bool journal_visit_recent(const struct journal *j, int64_t since_us, journal_visit *visit, void *arg);
/* One line, without its newline. */
bool journal_parse(struct journal_line *line, const char *text, size_t n);

#endif
