/* config_table.h: what config.c and config_table.c share. */
#ifndef PGMESH_MESH_IO_CONFIG_TABLE_H
#define PGMESH_MESH_IO_CONFIG_TABLE_H

#include "mesh/io/config.h"

#include <stddef.h>
#include <stdint.h>

enum { CONFIG_OPTIONS_MAX = 96 };

/* What a profile chooses in place of an option's default. */
struct config_choice {
    enum config_profile profile;
    const char *name, *value;
};
extern const struct config_choice config_choices[];
extern const size_t config_choices_n;

/* "600ms", "5s", "2min": the largest unit that gives a whole number. */
const char *config_print_time(char out[static 24], int64_t ms);

#endif
