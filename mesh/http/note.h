/* note.h: what is worth telling others of, and in which words; pure.
 *
 * Looked for once a second, by comparing with the look before.  What may be over within a failover's second (no primary
 * serves) must have lasted for NOTE_LOOKS looks, and is taken back when it is over.  Every pgmesh-http that has webhooks
 * says the same: the key of a note is the same on all of them, so a receiver can tell. */
#ifndef PGMESH_HTTP_NOTE_H
#define PGMESH_HTTP_NOTE_H

#include "mesh/io/view.h"

enum { NOTE_LOOKS = 3, NOTES_MAX = 8, NOTE_TEXT_SIZE = 400 };

enum note_kind {
    NOTE_PRIMARY_CHANGED, /* another primary, or the same in another term */
    NOTE_PRIMARY_DOWN,    /* nobody serves */
    NOTE_QUORUM_LOST,     /* too few voters are heard here */
    NOTE_NO_TAKEOVER,     /* a primary serves; if it died now, nobody would take over */
    NOTE_PAUSED,
    NOTE_EVENT, /* of the member's journal, under its own name */
    NOTE_KINDS
};
const char *note_kind_name(enum note_kind kind);

struct note {
    enum note_kind kind;
    bool over;            /* what was told of before is so no longer */
    const char *severity; /* "info", "warning", "critical" */
    char key[160];        /* the same for the beginning and the end of one thing, on every member */
    char text[NOTE_TEXT_SIZE];
    int64_t at_us; /* wall clock */
    uint64_t term;
};

struct note_watch {
    bool known; /* there was a look before */
    uint64_t term;
    char primary[NAME_SIZE];
    int looks[NOTE_KINDS]; /* for how many in a row it has been so */
    bool told[NOTE_KINDS];
};
/* What this look brings, at most NOTES_MAX; the first one only remembers. */
int note_look(struct note_watch *w, const struct view *v, int64_t wall_us, struct note out[static NOTES_MAX]);
/* An event of the journal; false: not one that others should be told of. */
bool note_event(const struct json_t *event, const char *cluster, const char *member, struct note *out);

enum note_format { NOTE_JSON, NOTE_SLACK, NOTE_PAGERDUTY };
/* The body that is posted, to be freed; NULL: no memory, or nothing to be said in this format. */
char *note_body(enum note_format format, const struct note *n, const char *cluster, const char *member,
                const char *routing_key);

#endif
