/* address.h: HOST:PORT as people write it.
 *
 * The mesh's own addresses are numeric (IPv4, or IPv6 in brackets): a failover must not wait for a name server.
 * PostgreSQL's address may be a name, since libpq and its users resolve it. */
#ifndef PGMESH_MESH_IO_ADDRESS_H
#define PGMESH_MESH_IO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ADDRESS_HOST_SIZE = 128, ADDRESS_TEXT_SIZE = ADDRESS_HOST_SIZE + 10, ADDRESSES_MAX = 4 };

struct address {
    char host[ADDRESS_HOST_SIZE]; /* without brackets */
    uint16_t port;
};

/* One address of n characters.  `numeric`: refuse a host name. */
bool address_parse(struct address *a, const char *text, size_t n, bool numeric);
/* A list parted by commas: the number of addresses, or -1 (malformed, empty, or more than max). */
int address_parse_list(struct address *a, int max, const char *text, size_t n, bool numeric);
bool address_equal(const struct address *a, const struct address *b);
/* HOST:PORT, an IPv6 host in brackets.  Returns out. */
const char *address_print(char out[static ADDRESS_TEXT_SIZE], const struct address *a);

#endif
