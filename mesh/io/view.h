/* view.h: a member's answer to {"command":"status"} as plain C, for programs that look at more than one field.
 *
 * What an answer lacks is empty or -1 here: an older or newer member never makes them fall over. */
#ifndef PGMESH_MESH_IO_VIEW_H
#define PGMESH_MESH_IO_VIEW_H

#include <jansson.h>

#include "mesh/core.h"

#define VIEW_DAY_US (86400 * 1000000LL)
enum { VIEW_EXPIRY_DAYS = 30 }; /* a certificate that ends sooner is warned of */
struct view_member {
    member_id id;
    const char *name, *role, *site, *state, *postgres, *verdict, *lsn_text;
    bool votes, voter, streaming, ready, in_sync, is_primary, is_self;
    long long lsn, lag_bytes, lag_ms, heard_ms, timeline; /* -1 unknown */
    long long quarantine_ms; /* for how much longer it refuses takeovers; 0: not, or not known */
    bool rotating;           /* both its keys are good */
    long long expires_us;    /* wall-clock time of its certificate's end; -1: without an end, or not known */
    const json_t *preflight, *addresses, *json;
};
struct view {
    const json_t *json; /* the answer; strings point into it */
    const char *cluster, *durability, *rule, *primary, *self, *verdict;
    unsigned long long term;
    bool paused, joint, healthy, serving; /* serving: the primary is heard, and ready */
    const char *paused_why;
    long long lease_ms, lease_left_ms, sync_k;
    int n;
    struct view_member members[MEMBERS_MAX];
};
void view_read(struct view *v, const json_t *answer);
const struct view_member *view_find(const struct view *v, const char *name);
/* "0/5A3F0210" as a number; -1: it is no position. */
long long view_lsn(const char *text);

/* ---- what if: a side is the members that are there and hear each other; bit i stands for members[i] ------------ */

uint32_t view_up(const struct view *v); /* those that the member asked hears */

struct view_side {
    uint32_t there;
    int votes, voters;      /* voters that are there and vote; all */
    bool quorum;            /* they may decide */
    bool primary;           /* the primary is there */
    bool seals;             /* without it: enough databases to prove that no acknowledged commit is missing */
    int confirming, wanted; /* with it: standbys of the sync set that are there, how many must confirm */
    const struct view_member *who; /* would take over if the primary is not there; NULL: nobody by itself */
    char blocked[200];             /* why nobody */
};
void view_side(const struct view *v, uint32_t there, struct view_side *s);

/* Whether this database could be promoted at all; else why not, as a clause ("it is silent").  NULL: it could. */
const char *view_unfit(const struct view *v, const struct view_member *m, uint32_t there);
/* Why `best` and not `m`, both fit: the policy's deciding step (policy/candidate.h), and by how much `m` is behind. */
const char *view_behind(const struct view *v, const struct view_member *m, const struct view_member *best,
                        long long *bytes);

/* If the primary died now. */
/* Of a failover beside the rest of the lease: verdict, votes, seals, promotion (docs/operating.md, "Timings"). */
enum { VIEW_DECIDE_AND_PROMOTE_MS = 120 };
struct view_estimate {
    bool known;                    /* the record names a primary */
    const struct view_member *who; /* takes over, NULL: nobody by itself */
    long long ms, bytes_at_risk;
    char blocked[200]; /* why nobody */
};
void view_estimate(const struct view *v, struct view_estimate *e);
/* Do the voters that can be heard, ourselves included, make a quorum? */
bool view_quorum(const struct view *v);
/* Names of pre-flight findings that bar a promotion; "" when there is none. */
const char *view_barred(const struct view_member *m);

#endif
