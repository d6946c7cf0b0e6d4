/* order.h: an operator's order given over HTTP: signed here with the operator's key, carried to the member, answered.
 *
 * One at a time.  Every order is logged when it comes and when it is done, with who gave it and from where. */
#ifndef PGMESH_HTTP_ORDER_H
#define PGMESH_HTTP_ORDER_H

#include "mesh/http/route.h"

/* Called once for each order that was begun. */
typedef void order_told(void *arg, struct reply *reply);

bool order_open(struct http *h, order_told *told, void *arg);
void order_close(struct http *h);
/* What is due; returns when it wants to be called again. */
instant order_tend(struct http *h, instant now);

route_order order_switchover, order_failover, order_trigger, order_pause, order_resume;

#endif
