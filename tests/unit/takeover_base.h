/* takeover_base.h: a takeover under way: all find the primary gone, and db2 asks. */
#ifndef PGMESH_TESTS_UNIT_TAKEOVER_BASE_H
#define PGMESH_TESTS_UNIT_TAKEOVER_BASE_H

#include "tests/unit/rig_rows.h"
#include "tests/unit/suite.h"

static inline void gone(struct rig *r)
{
    for (member_id id = DB2; id <= W2; id++)
        r->beat[id].verdict = VERDICT_GONE;
}

/* Before it asks: */
static inline void better_by_term(struct rig *r)
{
    r->beat[DB3].pg.lsn += 64 << 20;
}
static inline void named(struct rig *r)
{
    better_by_term(r);
    r->core->disk.has_release = true;
    r->core->disk.release = (struct release){.who = DB1, .term = RIG_TERM, .successor = DB2};
}

/* db2, that asks in round 101. */
static inline struct rig *asking_with(void (*disk)(struct durable *), void (*before)(struct rig *))
{
    struct rig *r = rig_running_with(DB2, disk);
    gone(r);
    r->alive &= ~1u;
    before(r);
    for (int i = 0; i < 300 && r->core->proposer.phase == PROPOSER_IDLE; i++)
        rig_run(r, 10);
    ck_assert_int_eq(r->core->proposer.phase, PROPOSER_PREPARE);
    struct nack n = {
        .ballot = r->core->proposer.ballot, .promised = rig_ballot(100, DB3), .reason = NACK_BALLOT};
    rig_say(r, nack, FRAME_NACK, W1, &n); /* once more, with room for ballots below */
    for (int i = 0; i < 300 && r->core->proposer.phase == PROPOSER_IDLE; i++)
        rig_run(r, 10);
    ck_assert_int_eq(r->core->proposer.ballot.round, 101);
    return r;
}
static inline struct rig *asking(void)
{
    return asking_with(NULL, nothing);
}

#endif
