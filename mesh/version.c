/* version.c: which version of the protocol this member speaks (docs/protocol.md, "Versions").
 *
 * A program reads its own version and the one before it.  Each member's heartbeat says the newest version that it reads.
 * A heartbeat is written so that the neighbouring older version reads it, always: the lease rests on it, and it is how
 * versions are told.  Everything else is written in the newest version that every member reads; one that was not heard in
 * this start of ours is taken to read the oldest only.  So a cluster in which one member after another is upgraded, or
 * downgraded, speaks the older version throughout. */
#include "mesh/core_state.h"

static uint8_t reads(const struct core *c, int i)
{
    const struct peer *p = &c->peers[i];
    uint8_t newest = p->heard && p->beat.reads < FRAME_VERSION ? p->beat.reads : FRAME_VERSION;
    return p->heard && newest > FRAME_VERSION_MIN ? newest : FRAME_VERSION_MIN;
}

uint8_t version_spoken(const struct core *c)
{
    uint8_t least = FRAME_VERSION;
    if (MUTANT(NEXT_AT_ONCE))
        return FRAME_VERSION;
    for (int i = 0; i < c->n_members; i++) {
        bool speaks = i != c->self_index && !role_is_person(c->members[i].role) && !c->members[i].revoked;
        if (speaks && reads(c, i) < least)
            least = reads(c, i);
    }
    return least;
}

void version_drive(struct core *c)
{
    uint8_t before = c->spoken;
    c->spoken = version_spoken(c);
    if (before == 0 || before == c->spoken)
        return;
    if (c->spoken > before)
        event_say(c, "+protocol", "every member reads version %u of the protocol: it is spoken from now on",
                  c->spoken);
    else
        event_say(c, "-protocol", "a member reads version %u of the protocol only: it is spoken again",
                  c->spoken);
}
