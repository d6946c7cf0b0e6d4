/* invitation.h: pgmesh member invite: the new member's folder, closed by a token, waits with the member that is asked, until the
 * new host fetches it (mesh/io/invite.h). */
#ifndef PGMESH_INSPECT_INVITATION_H
#define PGMESH_INSPECT_INVITATION_H

#include "mesh/inspect/rootkey.h"
#include "mesh/io/invite.h"

enum { INVITATION_VALID_S = 3600, INVITATION_VALID_MIN_S = 60 };

struct invitation {
    int64_t valid_s;        /* 0: nobody is invited, the folder itself is wanted */
    const char *token_file; /* where the token is written; NULL: it is shown */
    /* of the one that stands: */
    char keeper[NAME_SIZE]; /* the member with which it waits; "" before */
    struct invite_token token;
    struct invite_ticket ticket;
};

struct enlist;
/* "30min", "2h", "3d" */
bool invitation_valid(struct invitation *v, const char *value, struct problem *err);
/* All of "member invite SPEC", with a folder of its own that does not outlast it. */
int invitation_give(struct order *o, struct enlist *e);
/* Leaves the folder with the member that is asked: before the cluster hears of the newcomer, for the token is told last of all. */
int invitation_leave(struct order *o, struct invitation *v, const char *folder,
                     const struct cluster_member *m, const struct key *root);
/* Again without it, when what came after failed; says nothing. */
void invitation_undo(struct order *o, const struct invitation *v, const struct key *root);
void invitation_tell(struct order *o, struct invitation *v);

int invitation_list(struct order *o, struct inspect *x);
int invitation_withdraw(struct order *o, struct inspect *x, const char *name, const struct rootkey *root_key);

#endif
