/* metrics.h: the text that Prometheus reads (text exposition format 0.0.4). */
#ifndef PGMESH_HTTP_METRICS_H
#define PGMESH_HTTP_METRICS_H

#include "mesh/http/route.h"

route_answer metrics_answer;

#endif
