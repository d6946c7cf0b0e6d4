/* status_text.h: what status.c and status_past.c share. */
#ifndef PGMESH_MESH_IO_STATUS_TEXT_H
#define PGMESH_MESH_IO_STATUS_TEXT_H

#include "policy/base.h"

struct json_t;

enum { STATUS_LSN_SIZE = 24 };
/* "0/5A3F0210" */
const char *status_lsn(char out[static STATUS_LSN_SIZE], lsn_t lsn);
/* A JSON string of what may be no UTF-8. */
struct json_t *status_text(const char *text);

#endif
