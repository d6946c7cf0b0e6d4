/* notice.c: what is noticed for people's sake: round trips, outages that applications saw, takeovers that were considered
 * and not begun, what a takeover left behind, who follows a new primary.  Nothing is decided by any of it.
 *
 * An event's sentence that people want counted begins with the number ("812 ms ...", "2128 bytes ..."): mesh/io/status
 * reads it back from the journal. */
#include "mesh/core_state.h"

#include <stdio.h>

enum { RTT_WEIGHT = 8, DIRECT_MIN_MS = 250, TELL_LEASES = 2 };

/* ---- links ----------------------------------------------------------------------------------------------------- */

/* A heartbeat that came over its own link repeats the last seq of ours that its sender had heard, and how long ago: what
 * remains of the time since we sent that seq was spent on the two links.  Smoothed as TCP does (RFC 6298). */
void notice_link(struct core *c, int i, const struct heard *self)
{
    struct peer *p = &c->peers[i];
    if (!self || self->nonce != (uint32_t)c->nonce || self->seq == 0 || self->seq > c->seq ||
        c->seq - self->seq >= SENT_RING)
        return;
    int64_t us =
        span_to_us(instant_elapsed_most(c->now, c->sent_at[self->seq % SENT_RING])) - (int64_t)self->dwell_us;
    if (us < 1)
        us = 1;
    if (us > UINT32_MAX)
        return;
    p->rtt_us =
        p->rtt_us ? (uint32_t)((p->rtt_us * (RTT_WEIGHT - 1ull) + (uint64_t)us) / RTT_WEIGHT) : (uint32_t)us;
    if (p->rtt_us == 0)
        p->rtt_us = 1;
}

uint32_t notice_rtt_us(const struct core *c, int i)
{
    const struct peer *p = &c->peers[i];
    int64_t limit = 3 * beat_interval(c).ns + pace_slack(c, i, c->self_index).ns;
    if (limit < span_ms(DIRECT_MIN_MS).ns)
        limit = span_ms(DIRECT_MIN_MS).ns;
    if (!p->heard || instant_elapsed_most(c->now, p->direct).ns > limit)
        return 0;
    return p->rtt_us ? p->rtt_us : 1;
}

/* ---- what applications saw --------------------------------------------------------------------------------------- */

static void say_outage(struct core *c, member_id observer, uint32_t ms)
{
    event_say(c, "+outage", "%u ms without a primary before term %llu, as %s saw it", ms,
              (unsigned long long)decided(c)->term, member_name(c, observer));
}

/* An observer: the first answer of a new term's primary ends an outage that began with the last answer of the old one. */
void notice_sample(struct core *c)
{
    struct notice *n = &c->notice;
    const struct pg_sample *s = &c->sample;
    if (c->role != ROLE_OBSERVER || s->sql_term == 0 || s->sql_age_ms == EVIDENCE_NEVER)
        return;
    instant at = instant_sub(c->now, span_ms(s->sql_age_ms));
    if (n->served_term && s->sql_term > n->served_term) {
        int64_t ms = span_to_ms(instant_elapsed_least(at, n->served));
        n->outage_ms = ms < 0 ? 0 : ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX - 1;
        n->outage_term = s->sql_term;
        if (s->sql_term == decided(c)->term)
            say_outage(c, c->self, n->outage_ms);
    }
    if (s->sql_term >= n->served_term) {
        n->served_term = s->sql_term;
        n->served = at;
    }
}

uint32_t notice_outage_ms(const struct core *c)
{
    const struct notice *n = &c->notice;
    return n->outage_term && n->outage_term == decided(c)->term ? n->outage_ms : EVIDENCE_NEVER;
}

/* What an observer measured goes into every member's journal, once. */
void notice_outage(struct core *c, int i)
{
    struct peer *p = &c->peers[i];
    uint64_t term = decided(c)->term;
    if (c->members[i].role != ROLE_OBSERVER || p->beat.outage_ms == EVIDENCE_NEVER ||
        p->beat.decided_term != term || p->outage_term == term)
        return;
    p->outage_term = term;
    say_outage(c, c->members[i].id, p->beat.outage_ms);
}

/* ---- takeovers that did not happen -------------------------------------------------------------------------------- */

static int opinion_of(const struct core *c, member_id id)
{
    int m = member_index(c, id);
    if (m == c->self_index)
        return in_quarantine(c) ? OPINION_QUARANTINE : (int)c->verdict;
    if (m < 0 || !peer_fresh(c, m, span_ms(c->set.lease_ms / 2)) ||
        c->peers[m].beat.decided_term != decided(c)->term)
        return OPINION_NONE;
    const struct heartbeat *h = &c->peers[m].beat;
    return h->quarantine_ms && h->verdict == VERDICT_UNKNOWN ? OPINION_QUARANTINE : (int)h->verdict;
}

static void say_considered(struct core *c, const char *name, const char *how)
{
    const struct notice *n = &c->notice;
    const struct voters *v = &decided(c)->voters;
    char answers[TEXT_SIZE * 2] = "";
    size_t used = 0;
    for (int i = 0; i < v->n && used < sizeof answers; i++) {
        const char *said = n->opinions[i] == OPINION_NONE ? "not heard"
                           : n->opinions[i] == OPINION_QUARANTINE
                               ? "started a moment ago"
                               : verdict_name((enum verdict)n->opinions[i]);
        int k = snprintf(answers + used, sizeof answers - used, "%s%s %s", i == 0 ? "" : ", ",
                         member_name(c, v->v[i].id), said);
        used += k > 0 ? (size_t)k : 0;
    }
    event_say(c, name, "%lld ms %s: %s", (long long)span_to_ms(instant_elapsed_least(c->now, n->considered)),
              how, answers);
}

static void considering(struct core *c)
{
    struct notice *n = &c->notice;
    const struct voters *v = &decided(c)->voters;
    if (instant_is_never(n->considered)) {
        n->considered = c->now;
        n->considered_term = decided(c)->term;
        n->asked = instant_never();
        n->told = false;
    }
    if (instant_is_never(n->asked) || instant_elapsed_least(c->now, n->asked).ns >= beat_interval(c).ns) {
        n->asked = c->now;
        for (int i = 0; i < v->n; i++)
            n->opinions[i] = (int8_t)opinion_of(c, v->v[i].id);
    }
    if (!n->told && instant_elapsed_least(c->now, n->considered).ns >
                        span_ms(TELL_LEASES * (int64_t)c->set.lease_ms).ns) {
        n->told = true;
        say_considered(c, "+considered", "a takeover is considered, and no quorum agrees");
    }
}

void notice_considered(struct core *c, bool would, bool agree)
{
    struct notice *n = &c->notice;
    if (would && !agree && (instant_is_never(n->considered) || n->considered_term == decided(c)->term)) {
        considering(c);
        return;
    }
    if (instant_is_never(n->considered))
        return;
    if (!would && n->considered_term == decided(c)->term)
        say_considered(c, "-considered", "a takeover was considered, and refused");
    n->considered = instant_never();
}

struct nack_words {
    const char *name, *clause;
};

static struct nack_words nack_words(enum nack_reason r)
{
    switch (r) {
    case NACK_BALLOT: return (struct nack_words){"newer_ballot", "it promised a newer ballot"};
    case NACK_GRANT: return (struct nack_words){"grant_runs", "its grant to the primary runs"};
    case NACK_VERDICT: return (struct nack_words){"verdict", "its verdict does not allow it"};
    case NACK_QUARANTINE: return (struct nack_words){"quarantine", "it was started a moment ago"};
    case NACK_NOT_VOTING: return (struct nack_words){"not_voting", "it does not vote"};
    case NACK_ILLEGAL:
        return (struct nack_words){"illegal_record", "the record would not be a legal successor"};
    case NACK_CANNOT_SEAL:
        return (struct nack_words){"cannot_seal", "it has no data directory that it could seal"};
    case NACK_SEALS:
        return (struct nack_words){"not_sealed", "the takeover is not justified by seals and promises"};
    case NACK_NO_RECORD: return (struct nack_words){"no_record", "it lacks the record before"};
    case NACK_END: break;
    }
    return (struct nack_words){"?", "?"};
}

const char *nack_name(enum nack_reason r)
{
    return nack_words(r).name;
}

const char *nack_clause(enum nack_reason r)
{
    return nack_words(r).clause;
}

/* ---- after a takeover ----------------------------------------------------------------------------------------------- */

void notice_decided(struct core *c, const struct record *before)
{
    const struct record *r = decided(c);
    int i = member_index(c, before->primary);
    if (i < 0 || before->primary == r->primary || r->n_history == 0)
        return;
    bool own = i == c->self_index;
    if (!own && !c->peers[i].heard)
        return;
    lsn_t at = own ? c->sample.lsn : c->peers[i].beat.pg.lsn;
    uint32_t timeline = own ? c->sample.timeline : c->peers[i].beat.pg.timeline;
    lsn_t from = r->history[r->n_history - 1].switch_lsn;
    if (at == 0 || from == 0 || timeline != before->timeline)
        return;
    event_say(c, "+gap", "%llu bytes of WAL of %s were last heard of beyond where %s goes on (%X/%08X)",
              (unsigned long long)(at > from ? at - from : 0), member_name(c, before->primary),
              member_name(c, r->primary), (unsigned)(from >> 32), (unsigned)from);
}

/* The primary: each standby that begins to stream from it. */
void notice_followers(struct core *c)
{
    struct notice *n = &c->notice;
    const struct pg_sample *s = &c->sample;
    uint32_t now = 0;
    if (s->phase != PG_PRIMARY || !is_primary(c)) {
        n->followers = 0;
        return;
    }
    for (int i = 0; i < s->n_standbys; i++)
        if (s->standbys[i].streaming && member_index(c, s->standbys[i].id) >= 0)
            now |= mask_of(c, s->standbys[i].id);
    for (int i = 0; i < c->n_members; i++)
        if ((now & ~n->followers) & 1u << i)
            event_say(c, "+follower", "%s streams from %s in term %llu", c->members[i].name,
                      member_name(c, c->self), (unsigned long long)decided(c)->term);
    n->followers = now;
}
