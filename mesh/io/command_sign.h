/* command_sign.h: what makes an operator's order out of a command: the record it is given on, the signature, the frame;
 * and what a member's refusal asks of whoever gave it.
 *
 * A command is valid on one decided record only (wire.h, struct command).  When the record was replaced between the
 * look and the order, or is just being changed by the primary itself, the order is to be made again on the new one. */
#ifndef PGMESH_MESH_IO_COMMAND_SIGN_H
#define PGMESH_MESH_IO_COMMAND_SIGN_H

#include "mesh/io/cluster.h"
#include "mesh/wire.h"

struct json_t; /* jansson */

/* The operator whose key this is; NULL: of nobody in the cluster file. */
const struct cluster_member *command_sign_operator(const struct cluster *c, const struct key *key);
/* The ballot that names the record of a member's answer to {"command":"status"}; false: it tells none. */
bool command_sign_base(struct ballot *b, const struct json_t *status);
/* Completes the command (who, id, signature; kind, target, base, term and so on stand already) and gives the request
 * {"command":"submit"} for a member's control socket, a new reference; NULL: out of memory. */
struct json_t *command_sign_request(struct command *m, const struct cluster *c,
                                    const struct cluster_member *who, const struct key *key);

/* The same with a second person's signature: the command stands already, with its first one. */
struct json_t *command_sign_approval(struct command *m, const struct cluster *c,
                                     const struct cluster_member *who, const struct key *key);

/* What a member's final answer asks for, when no word of progress came before it. */
enum command_again {
    COMMAND_FINAL,      /* that was the answer */
    COMMAND_AGAIN,      /* it came too late for its record, and only for that: look and sign again */
    COMMAND_AGAIN_SOON, /* the primary is changing the record on its own account: the same, milliseconds later */
};
enum command_again command_sign_again(const struct json_t *final);

#endif
