/* order.h: an operator's order given over HTTP: signed here with the operator's key, carried to the member, answered.
 *
 *   IDLE      no order
 *   SENT      the member has it, and answers when it is done
 *   PAUSING   the record changed under it (command_sign.h): it is made again at `again`
 *   LOOKING   asks the member for the new record
 *
 * One at a time, within ORDER_TIMEOUT_MS each.  Every order is logged when it comes and when it is done, with who gave it
 * and from where.  An order goes on when the one who gave it hangs up. */
#ifndef PGMESH_HTTP_ORDER_H
#define PGMESH_HTTP_ORDER_H

#include "mesh/http/route.h"

enum { ORDER_TRIES = 20, ORDER_PAUSE_MS = 100, ORDER_TIMEOUT_MS = 60000 };

/* Called once for each order that was begun; owns the reply's json. */
typedef void order_told(void *arg, struct reply *reply);

bool order_open(struct http *h, order_told *told, void *arg);
void order_close(struct http *h);
/* What is due; returns when it wants to be called again. */
instant order_tend(struct http *h, instant now);

route_order order_switchover, order_failover, order_trigger, order_pause, order_resume;

#endif
