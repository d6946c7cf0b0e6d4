/* proposals.h: what is proposed to a voter, or decided, in the rows of several tests: db2's takeover at round 20, and changes
 * of the base record at that round. */
#ifndef PGMESH_TESTS_UNIT_PROPOSALS_H
#define PGMESH_TESTS_UNIT_PROPOSALS_H

#include "tests/unit/rig_rows.h"

static inline struct proposal *take(struct rig *r)
{
    return rig_takeover(r, 20, DB2);
}
static inline struct proposal *take_low(struct rig *r)
{
    return rig_takeover(r, 9, DB2);
}

/* Changes by the primary. */
static inline void edit_joint(struct record *x)
{
    x->joint = true;
    x->sync[1] = (struct sync_set){.k = 1, .n = 1, .m = {{DB2, 102}}};
}
static inline void edit_sync(struct record *x)
{
    x->sync[0] = (struct sync_set){.k = 1, .n = 1, .m = {{DB2, 102}}};
}
static inline void edit_voters(struct record *x)
{
    x->voters.n -= 2;
}
static inline void edit_voter(struct record *x)
{
    x->voters.v[4].epoch++;
}
static inline void edit_first_voter(struct record *x)
{
    x->voters.v[0].epoch++;
}
static inline void edit_without_w2(struct record *x)
{
    x->voters.n = W1;
}
static inline void edit_without_w1(struct record *x) /* of a record that has four */
{
    x->voters.n = DB3;
}
static inline void edit_with_w2(struct record *x) /* of a record that has four */
{
    x->voters.v[W1] = x->voters.v[0];
    x->voters.v[W1].id = W2;
    x->voters.v[W1].epoch = (uint32_t)x->version;
    x->voters.n = W2;
}
static inline void edit_nonce(struct record *x)
{
    x->nonce[0] ^= 1;
}
static inline void edit_term(struct record *x)
{
    x->term--, x->timeline = x->history[0].timeline, x->n_history = 1;
}
static inline void edit_primary(struct record *x)
{
    x->primary = DB2, x->primary_dir = 102;
}
#define CHANGE(name, edit) \
    static inline struct proposal *name(struct rig *r) \
    { \
        return rig_change(r, 20, edit); \
    }
#define CHANGE_BY(name, edit, who) \
    static inline struct proposal *name(struct rig *r) \
    { \
        struct proposal *p = rig_change(r, 20, edit); \
        p->ballot = rig_ballot(20, who); \
        return p; \
    }
CHANGE(pause, edit_pause)
CHANGE(same, edit_none)
CHANGE(to_joint, edit_joint)
CHANGE(sync_at_once, edit_sync)
CHANGE(two_voters, edit_voters)
CHANGE(one_voter, edit_voter)
CHANGE(without_w2, edit_without_w2)
CHANGE(with_w2, edit_with_w2)
CHANGE(other_nonce, edit_nonce)
CHANGE(older_term, edit_term)
CHANGE(primary_without_term, edit_primary)
CHANGE_BY(joint_by_another, edit_joint, DB2)
CHANGE_BY(pause_found, edit_pause, DB2)

#endif
