/* order.h: an operator's order: signed on the record that the member shows, carried to it, answered.
 *
 * A command is valid on one decided record only (wire.h, struct command).  When that was replaced between the look and
 * the order, the order is made again on the new one, as long as the member says that this was the reason.  So it is when the primary
 * was just changing the record by itself. */
#ifndef PGMESH_INSPECT_ORDER_H
#define PGMESH_INSPECT_ORDER_H

#include "mesh/inspect/client.h"
#include "mesh/io/roster.h"
#include "mesh/io/view.h"
#include "mesh/wire.h"

struct order {
    struct inspect *x;
    struct client client;
    struct cluster cluster; /* with the members that the asked member's roster adds */
    struct roster roster;
    struct key key;
    const struct cluster_member *who; /* the operator */
    char deed[96];                    /* "switch over to db2": for complaints; filled by the caller */
    struct command command;           /* kind, target, allow_data_loss, why: filled by the caller */
    bool approves;                    /* the command stands, and is signed by a second person */
    bool quiet;                       /* success is not told: a part of something larger */
    json_t *status;                   /* the member's last answer; `view` points into it */
    struct view view;
    /* of the last conversation */
    json_t *progress; /* the sentences that came before the final answer */
    json_t *final;
    bool trying; /* a refusal is not told either: the caller judges `final` */
    bool broken; /* an answer of another shape */
};

/* Finds member, cluster file and key, and looks at the cluster.  Not EXIT_OK: complained, nothing to close. */
int order_open(struct order *o, struct inspect *x);
/* The same without a key: for what the root key signs. */
int order_look(struct order *o, struct inspect *x);
void order_close(struct order *o);
/* The member of that name that can be meant; NULL: *code, complained.  `database`: no other will do. */
const struct cluster_member *order_target(struct order *o, const char *name, bool database, int *code);
/* Signs, sends, tells how it goes, and returns the exit code. */
int order_give(struct order *o);
/* Signs the command, which stands with its first signature, as the second person; once. */
int order_approve(struct order *o);
/* order_give() with kind and target, and "DEED TARGET" for complaints; closes it. */
int order_execute(struct order *o, enum command_kind kind, const char *deed, member_id target);

#endif
