/* sealing.c: a database swears that it receives nothing any more, and where its WAL ends (docs/protocol.md,
 * "Takeover and seals", step 3).
 *
 * The order is the rule: the receiver is cut and all local WAL replayed (GOAL_SEAL reached), only then is the LSN read,
 * then the ballot is stored, then the statement is signed and sent.  From then on this database replicates from a
 * primary, and grants it, only under a decided record at or above that ballot; there is no flag to clear. */
#include "mesh/core_state.h"

#include <string.h>

enum reject on_seal(struct core *c, const struct seal *s, member_id origin)
{
    if (c->role != ROLE_DATABASE || s->ballot.member != origin)
        return REJECT_ROLE;
    round_see(c, s->ballot);
    if (ballot_cmp(s->ballot, c->disk.sealed_for) < 0)
        return nack(c, origin, s->ballot, NACK_BALLOT), REJECT_NONE;
    if (ballot_cmp(s->ballot, decided_ballot(c)) <= 0 || s->term != decided(c)->term)
        return nack(c, origin, s->ballot, NACK_NO_RECORD), REJECT_NONE;
    if (in_quarantine(c))
        return nack(c, origin, s->ballot, NACK_QUARANTINE), REJECT_NONE;
    verdict_update(c);
    if (!verdict_promises(c->verdict, decided(c)->durability))
        return nack(c, origin, s->ballot, NACK_VERDICT), REJECT_NONE;
    if (c->disk.dir == 0 || c->sample.phase == PG_ABSENT || c->sample.phase == PG_BUSY ||
        c->sample.phase == PG_BROKEN)
        return nack(c, origin, s->ballot, NACK_CANNOT_SEAL), REJECT_NONE;
    if (c->sealing.active && ballot_cmp(s->ballot, c->sealing.ballot) < 0)
        return REJECT_STALE;
    c->sealing.active = true;
    c->sealing.ballot = s->ballot;
    c->sealing.asked_by = origin;
    return REJECT_NONE;
}

static void sealed_say(struct core *c)
{
    struct sealed_statement s = {.ballot = c->sealing.ballot, .timeline_max = c->sample.timeline_max};
    s.sealed = (struct sealed){.id = c->self,
                               .dir = c->disk.dir,
                               .timeline = c->sample.timeline,
                               .lsn = c->sample.lsn,
                               .wal_term = record_term_of_timeline(decided(c), c->sample.timeline)};
    s.backlog_bytes = c->sample.lsn > c->sample.replay_lsn ? c->sample.lsn - c->sample.replay_lsn : 0;
    uint8_t bytes[STATEMENT_MAX];
    sign_make(s.signature, &c->secret, bytes, sealed_bytes(bytes, &c->cluster, &s));
    if (c->sealing.asked_by == c->self)
        on_sealed(c, &s);
    else
        send_to(c, FRAME_SEALED, c->sealing.asked_by, wire_put_sealed(body_room(c), &s));
}

/* The hand has reached GOAL_SEAL, by the goal that is still in force. */
static bool cut(const struct core *c)
{
    if (MUTANT(LSN_BEFORE_CUT))
        return c->sample.phase == PG_RECOVERY;
    return c->goal.kind == GOAL_SEAL && c->sample.goal_seq == c->goal.seq && c->sample.sealed;
}

void sealing_drive(struct core *c)
{
    struct sealing *s = &c->sealing;
    if (!s->active)
        return;
    if (ballot_cmp(s->ballot, decided_ballot(c)) <= 0) { /* overtaken by a decision */
        s->active = false;
        return;
    }
    /* The primary came back before we had sealed anything: nothing was promised, so nothing need be kept. */
    if (ballot_cmp(c->disk.sealed_for, s->ballot) < 0 &&
        !verdict_promises(c->verdict, decided(c)->durability)) {
        s->active = false;
        return;
    }
    if (!cut(c))
        return;
    if (ballot_cmp(c->disk.sealed_for, s->ballot) < 0) {
        c->disk.sealed_for = s->ballot;
        if (!MUTANT(SEAL_NOT_DURABLE))
            store(c);
        event_say(c, "+sealed", "sealed at %X/%X on timeline %u for %s", (unsigned)(c->sample.lsn >> 32),
                  (unsigned)c->sample.lsn, c->sample.timeline, member_name(c, s->ballot.member));
    }
    s->active = false;
    sealed_say(c);
}
