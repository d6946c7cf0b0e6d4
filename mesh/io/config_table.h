/* config_table.h: what config.c and config_table.c share. */
#ifndef PGMESH_MESH_IO_CONFIG_TABLE_H
#define PGMESH_MESH_IO_CONFIG_TABLE_H

#include <stdint.h>

enum { CONFIG_OPTIONS_MAX = 96 };

/* "600ms", "5s", "2min": the largest unit that gives a whole number. */
const char *config_print_time(char out[static 24], int64_t ms);

#endif
