/* json.h: reading a member's answers without fear: what is missing or of another type is empty. */
#ifndef PGMESH_MESH_IO_JSON_H
#define PGMESH_MESH_IO_JSON_H

#include <jansson.h>
#include <stdbool.h>

const char *json_text(const json_t *object, const char *key); /* "" */
long long json_number(const json_t *object, const char *key, long long otherwise);
bool json_flag(const json_t *object, const char *key);

#endif
