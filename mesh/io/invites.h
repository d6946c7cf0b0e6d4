/* invites.h: the closed folders of invited hosts that wait with a member (invite.h), one file each in its state folder:
 * invite.ID, mode 0600, JSON; ID is the first 16 digits of the id.
 *
 *   WAITING    for whoever has the token; ends at `until`
 *   TAKEN      was given to one asker, who made a number of his own for it: so that he alone is given it again within
 *              INVITE_AGAIN_S, for his connection may have broken.  Written to disk before the folder is given.
 *   RECALLED   the root key has said so
 *
 * What is closed is forgotten when it ends, is recalled, or is taken and cannot be given again; who took it and when is remembered
 * for INVITE_REMEMBERED_S more, so that a second host with the same token is known for what it is.
 *
 * Bounds: INVITES_MAX of them, INVITE_BASE64_SIZE each.  Tickets are judged by the caller (station_invite.c).  Times are Unix
 * seconds, by the wall clock. */
#ifndef PGMESH_MESH_IO_INVITES_H
#define PGMESH_MESH_IO_INVITES_H

#include "mesh/io/invite.h"

enum {
    INVITES_MAX = 16,
    INVITE_AGAIN_S = 120,
    INVITE_VALID_MAX_S = 7 * 86400,
    INVITE_REMEMBERED_S = 30 * 86400,
    INVITE_FROM_SIZE = 64
};

enum invite_state { INVITE_WAITING, INVITE_TAKEN, INVITE_RECALLED };
struct invite {
    enum invite_state state;
    struct invite_ticket ticket;
    uint8_t taker[HASH_SIZE];    /* the hash of the number of who took it */
    char from[INVITE_FROM_SIZE]; /* and where he asked from, as pgmesh-http said */
    int64_t taken;
    bool closed;    /* the closed folder is still there */
    uint64_t again; /* since the start: how often another one asked for what was taken */
};
struct invites {
    const char *dir; /* the state folder; the caller's */
    int n;
    struct invite of[INVITES_MAX];
};

/* What lies in the folder.  A file that is none of ours or was damaged is left alone, and told in *err, the last one (its fact is
 * "" when there is none). */
void invites_load(struct invites *v, const char *state_dir, struct problem *err);
/* Keeps one more, on disk before this returns.  Refused: a second one of that id, one too many that wait or are remembered. */
bool invites_keep(struct invites *v, const struct invite_ticket *t, const char *base64, int64_t now,
                  struct problem *err);

enum invite_got { INVITE_GIVEN, INVITE_UNKNOWN, INVITE_ENDED, INVITE_USED, INVITE_GONE, INVITE_FAILED };
/* The folder of that id to the one with that number: *base64, to be freed by the caller.  *which (NULL: UNKNOWN) stays valid
 * until the next call.  FAILED: it could not be written down that it is taken, so it is not given; *err. */
enum invite_got invites_take(struct invites *v, const uint8_t id[static HASH_SIZE],
                             const uint8_t taker[static HASH_SIZE], const char *from, int64_t now,
                             char **base64, struct invite **which, struct problem *err);
/* By the root key's word, which the caller has judged.  NULL: there is none that waits. */
struct invite *invites_recall(struct invites *v, const uint8_t id[static HASH_SIZE], struct problem *err);
/* Forgets what has had its time.  One that ended untaken: its name is in `ended` (NULL: none), once for each. */
const char *invites_tend(struct invites *v, int64_t now);

/* When it ends by itself, taken or not. */
static inline bool invite_ended(const struct invite *i, int64_t now)
{
    return now >= i->ticket.until;
}
const char *invite_state_name(const struct invite *i, int64_t now);

#endif
