/* pace.c: how often a member speaks to whom (docs/protocol.md, "Pace").
 *
 * The primary sends its heartbeat, and every voter and database answers it at once: these two carry the lease.  Once every
 * voter has answered the last one, the next may wait for a second beat (beat_interval); while one has not, it goes out after
 * one, so that what was lost is made good as soon as ever.
 * What the others have to tell each other, and what observers may have to pass on, matters when the primary is gone or a
 * path is broken.  So a member that is *calm* speaks to all at every fourth beat only, in one burst with what it sends
 * anyway.
 *   the primary    is calm while every voter answers in time
 *   anybody else   while it hears the primary, is heard by it (by the primary's word), judges it alive, proposes nothing
 * Whatever ends the calm brings back a heartbeat to all each beat; the primary's silence does after two beats and a half,
 * long before any grant ends.  A changed verdict waits for nothing.
 *
 * Those who judge how late others are (members.c) allow for the pace that these keep by their own word. */
#include "mesh/core_state.h"

enum {
    ANSWERED_BEATS = 2,  /* between two heartbeats of the primary when every voter has answered the first */
    CALM_BEATS = 4,      /* to all; a multiple of the former: in one burst with an answer */
    MISSED_QUARTERS = 6, /* quarters of a beat, and its slack, after which the primary's next one is missed */
    UNHEARD_BEATS =
        3, /* without an answer, or without a word that ours arrive, for so long: something is wrong */
};

static span quarters(const struct core *c, int n)
{
    return (span){beat_interval(c).ns * n / 4};
}

static int primary_index(const struct core *c)
{
    return member_index(c, decided(c)->primary);
}

static bool observer(const struct core *c, int i)
{
    return c->members[i].role == ROLE_OBSERVER;
}

/* ---- our own pace ---------------------------------------------------------------------------------------------- */

static bool voters_answer(const struct core *c)
{
    const struct voters *v = &decided(c)->voters;
    for (int k = 0; k < v->n; k++) {
        int i = member_index(c, v->v[k].id);
        if (i >= 0 && i != c->self_index && !peer_fresh(c, i, quarters(c, 4 * UNHEARD_BEATS)))
            return false;
    }
    return true;
}

/* Has every voter answered our last heartbeat, over whatever path?  Then the lease is as long as it can be. */
static bool all_answered(const struct core *c)
{
    const struct voters *v = &decided(c)->voters;
    for (int k = 0; k < v->n; k++) {
        int i = member_index(c, v->v[k].id);
        if (i < 0 || (i != c->self_index && heard_seq(&c->peers[i].beat, c->self, c->nonce) < c->beat_seq))
            return false;
    }
    return true;
}

/* Until when the primary's last heartbeat keeps us calm; never: something else does not. */
static instant calm_until(const struct core *c)
{
    int i = primary_index(c);
    if (i < 0 || i == c->self_index || !c->vouched || c->verdict != VERDICT_ALIVE)
        return instant_never();
    const struct peer *p = &c->peers[i];
    if (!p->heard || p->beat.request_term != decided(c)->term || c->proposer.phase != PROPOSER_IDLE)
        return instant_never();
    int64_t unheard = heard_age(&p->beat, c->self).ns - pace_slack(c, c->self_index, i).ns;
    if (unheard > quarters(c, 4 * UNHEARD_BEATS).ns)
        return instant_never();
    return instant_add(p->at, (span){quarters(c, MISSED_QUARTERS).ns + pace_slack(c, i, c->self_index).ns});
}

static bool calm(const struct core *c)
{
    instant until = calm_until(c);
    return !instant_is_never(until) && !instant_due_any(c->now, until);
}

instant pace_due(const struct core *c)
{
    instant each = instant_add(c->beat_at, beat_interval(c));
    if (c->beat_now)
        return c->now;
    if (c->hold.asking && lease_held(c) && all_answered(c))
        return instant_add(c->beat_at, quarters(c, 4 * ANSWERED_BEATS));
    if (!calm(c))
        return each;
    /* A quarter late, so that the answer comes first. */
    return instant_min(instant_add(c->beat_all_at, quarters(c, 4 * CALM_BEATS + 1)),
                       instant_max(each, calm_until(c)));
}

/* Is the next burst to all due, or nearly? */
static bool all_due(const struct core *c)
{
    return instant_due_any(c->now, instant_add(c->beat_all_at, quarters(c, 4 * CALM_BEATS - 3)));
}

/* A primary whose voters all answer leaves the observers out. */
static bool voters_suffice(const struct core *c)
{
    return c->hold.asking && lease_held(c) && !all_due(c) && voters_answer(c);
}

bool pace_take(struct core *c, uint32_t *to)
{
    bool due = instant_due_any(c->now, pace_due(c));
    bool all = c->beat_now || (c->answer && all_due(c)) || (due && !voters_suffice(c));
    *to = all || due ? mask_core(c) : c->answer;
    for (int i = 0; due && !all && i < c->n_members; i++)
        if (observer(c, i))
            *to &= ~(1u << i);
    if (due || all)
        c->beat_at = c->now;
    if (all)
        c->beat_all_at = c->now;
    c->beat_now = false;
    c->answer = 0;
    return due || all || *to;
}

/* ---- that of others --------------------------------------------------------------------------------------------- */

/* By its own last heartbeat: does the member at index i, not the primary, hear the primary? */
static bool calm_by_its_word(const struct core *c, int i, int primary)
{
    const struct heartbeat *h = &c->peers[i].beat;
    int64_t missed = quarters(c, MISSED_QUARTERS).ns + pace_slack(c, primary, i).ns;
    return h->verdict == VERDICT_ALIVE && h->decided_term == decided(c)->term &&
           heard_age(h, decided(c)->primary).ns < missed;
}

span pace_slack(const struct core *c, int from, int to)
{
    int primary = primary_index(c);
    bool each = from == primary ? !observer(c, to) : to == primary && !observer(c, from);
    if (primary < 0)
        return (span){0};
    if (each)
        return quarters(c, 4 * (ANSWERED_BEATS - 1));
    /* Of ourselves, and of the primary, others may still say what was so while these were calm. */
    bool seldom = from == c->self_index || from == primary || calm_by_its_word(c, from, primary);
    return seldom ? quarters(c, 4 * CALM_BEATS - 2) : (span){0};
}
