/* pg_act.h: the worker, the thread that takes one step after the other (node/pg_step.h) until the goal is reached.
 *
 * What a step needs that the table does not know (lease, timeline, directory) it looks at right where it is used. */
#ifndef PGMESH_NODE_PG_ACT_H
#define PGMESH_NODE_PG_ACT_H

#include "node/pg_step.h"

struct hand;

/* The worker. */
void *pg_act_thread(void *hand);
/* What steps in other files report. */
enum pg_outcome {
    OUTCOME_AGAIN, /* ask the table again at once */
    OUTCOME_LATER, /* ask again soon; nothing to say */
    OUTCOME_REACHED,
    OUTCOME_FAILED, /* hand_progress() has said why */
};

/* The worker's kept connections (PGconn), opened when needed; NULL when there is none to be had. */
void *pg_act_control(struct hand *h);
void *pg_act_walsender(struct hand *h);
void pg_act_forget_connections(struct hand *h);

/* Reports a failure of the goal under way. */
enum pg_outcome pg_act_fail(struct hand *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* At the point of use: is the order still in time and does the guard hold a deadline of its term?
 * OUTCOME_AGAIN: yes. */
enum pg_outcome pg_act_in_time(struct hand *h);

#endif
