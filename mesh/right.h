/* right.h: who may order what: the least role that each kind of order takes, and which take two persons.
 *
 *   viewer      orders nothing
 *   operator    what can be taken back: switchover, failover without loss, pause, resume, a standby's fresh copy
 *   admin       all: who votes, who belongs to it, durability, the loss of data
 *
 * Orders that destroy (data that may be lost, a member taken out, commits that no standby confirms any more) take the
 * signatures of two persons of sufficient role over the same bytes, once the rule is on (mesh/core.h, two_persons).  Until the
 * second one they wait in the memory of the members, PENDING_MS at most, and only as long as the record that they were signed on
 * is in force. */
#ifndef PGMESH_MESH_RIGHT_H
#define PGMESH_MESH_RIGHT_H

#include "mesh/core.h"

enum { PENDING_MAX = 8, PENDING_MS = 10 * 60 * 1000 };

/* ROLE_OPERATOR or ROLE_ADMIN. */
enum role right_role(const struct command *m);
bool right_reaches(enum role has, enum role least);
bool right_destroys(const struct command *m);
/* "switchover", "member remove": as it is typed. */
const char *right_deed(enum command_kind kind);
/* "an admin" and the like, for sentences. */
const char *right_role_name(enum role r);

#endif
