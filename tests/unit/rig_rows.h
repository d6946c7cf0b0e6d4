/* rig_rows.h: the short words in which rows of several tests say what is so before: nothing, a disk, a change. */
#ifndef PGMESH_TESTS_UNIT_RIG_ROWS_H
#define PGMESH_TESTS_UNIT_RIG_ROWS_H

#include "tests/unit/rig.h"

static inline void nothing(struct rig *r)
{
    (void)r;
}

/* ---- disks, for rig_running_with() --------------------------------------------------------------------------------- */

static inline void lost(struct durable *d)
{
    d->lost = true;
}
static inline void paused(struct durable *d)
{
    d->decided.proposal.record.paused = true;
}
static inline void strict(struct durable *d)
{
    d->decided.proposal.record.durability = DURABILITY_STRICT;
}
/* With the sync set as it is. */
static inline void async(struct durable *d)
{
    d->decided.proposal.record.durability = DURABILITY_ASYNC;
}
static inline void empty(struct durable *d)
{
    memset(d->decided.proposal.record.sync, 0, sizeof d->decided.proposal.record.sync);
}
static inline void async_empty(struct durable *d)
{
    async(d), empty(d);
}
static inline void only_db2(struct durable *d)
{
    d->decided.proposal.record.sync[0] = (struct sync_set){.k = 1, .n = 1, .m = {{DB2, 102}}};
}
static inline void only_db3(struct durable *d)
{
    d->decided.proposal.record.sync[0] = (struct sync_set){.k = 1, .n = 1, .m = {{DB3, 103}}};
}
/* Towards db3, from what the set is. */
static inline void joint_db3(struct durable *d)
{
    d->decided.proposal.record.joint = true;
    d->decided.proposal.record.sync[1] = (struct sync_set){.k = 1, .n = 1, .m = {{DB3, 103}}};
}
static inline void joint(struct durable *d)
{
    only_db2(d), joint_db3(d);
}

/* ---- changes of the record, for rig_change() ----------------------------------------------------------------------- */

static inline void edit_pause(struct record *x)
{
    x->paused = true;
}
/* The same record once more, at another ballot. */
static inline void edit_none(struct record *x)
{
    x->version--;
}

/* ---- orders -------------------------------------------------------------------------------------------------------- */

/* The order `m` was answered once: refused, in the row's words, with a detail and a hint or without. */
#define EXPECT_REFUSED(r, m, row) \
    do { \
        EXPECT_INT((r)->answers, 1, row); \
        EXPECT((r)->answer.final && !(r)->answer.done && (r)->answer.id == (m).id, row); \
        EXPECT_TEXT((r)->answer.text, (row)->text, row); \
        EXPECT_INT((r)->answer.detail[0] != 0, (row)->detail, row); \
        EXPECT_INT((r)->answer.hint[0] != 0, (row)->hint, row); \
        EXPECT(rig_said(r, "-command"), row); \
    } while (0)

#endif
