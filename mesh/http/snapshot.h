/* snapshot.h: what the member said last, and how old that is.
 *
 * The member is asked when somebody wants to know and the last answer is older than SNAPSHOT_FRESH_MS, and every
 * SNAPSHOT_BACKGROUND_MS anyway: so many requests per second reach its loop at most, however many come in here.  The
 * lease is counted from the moment at which the question was *put*, so it never looks longer than it is. */
#ifndef PGMESH_HTTP_SNAPSHOT_H
#define PGMESH_HTTP_SNAPSHOT_H

#include "mesh/http/member.h"
#include "mesh/io/view.h"

enum {
    SNAPSHOT_FRESH_MS = 100,
    SNAPSHOT_BACKGROUND_MS = 1000,
    SNAPSHOT_TIMEOUT_MS = 1000,
    SNAPSHOT_HISTORY_MS =
        3000, /* a changed term's story is read so much later, when the member is less busy */
    SNAPSHOT_EVENTS_MAX = 200,
};

struct snapshot;
/* Called after each answer, and after each failure to get one. */
typedef void snapshot_told(void *arg, struct snapshot *s, instant now);

struct snapshot {
    struct member_line *line;
    snapshot_told *told;
    void *arg;

    struct json_t *status; /* NULL: the last question was not answered, see `why` */
    struct view view;      /* of `status` */
    char why[200];
    instant asked, failed; /* of the last answer; of the last failure */
    instant lease_end;     /* never: no lease is held here */
    instant outdated;      /* what was asked before is not fresh */
    int64_t answer_us;     /* how long the member took */

    struct json_t *history, *events; /* arrays, never NULL; oldest first */
    int64_t events_since_us;
    uint64_t events_seen; /* how many came in since the start */
    uint64_t history_term;
    instant history_due;

    bool asking, asking_events, asking_history;
    bool background_due,
        background_answer; /* the answer told of is that of the background's look, once a second */
    instant asking_since, background;
};

bool snapshot_open(struct snapshot *s, struct member_line *line, snapshot_told *told, void *arg);
void snapshot_close(struct snapshot *s);

enum snapshot_state { SNAPSHOT_OLD, SNAPSHOT_FRESH, SNAPSHOT_FAILED };
/* FRESH: `status` may be answered from; FAILED: the member was asked a moment ago and did not answer. */
enum snapshot_state snapshot_state(const struct snapshot *s, instant now);
/* An order has changed something: who asks from now on is to see it. */
void snapshot_outdate(struct snapshot *s, instant now);
/* Asks unless a question is under way already. */
void snapshot_want(struct snapshot *s, instant now);
/* What is due in the background; returns when it wants to be called again. */
instant snapshot_tend(struct snapshot *s, instant now);

int64_t snapshot_age_ms(const struct snapshot *s, instant now);
/* Milliseconds for which the lease is still held here for certain; 0: it is not. */
int64_t snapshot_lease_left_ms(const struct snapshot *s, instant now);

#endif
