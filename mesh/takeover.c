/* takeover.c: when a database starts a takeover (docs/protocol.md, "Takeover and seals", before the steps).
 *
 * Its own verdict, and in the fresh heartbeats of a quorum of voters theirs too, must be one on which a voter promises:
 * a pre-vote for free.  Rank r among the fit databases waits r times the stagger, so that the best asks first. */
#include "mesh/core_state.h"

#include <string.h>

static bool quorum_agrees(const struct core *c)
{
    const struct record *r = decided(c);
    uint32_t have = 0;
    for (int i = 0; i < r->voters.n; i++) {
        int m = member_index(c, r->voters.v[i].id);
        if (m == c->self_index) {
            if (may_vote(c) && !in_quarantine(c))
                have |= 1u << i;
        } else if (m >= 0 && peer_fresh(c, m, span_ms(c->set.lease_ms / 2))) {
            const struct heartbeat *h = &c->peers[m].beat;
            if (h->votes && h->decided_term == r->term && verdict_promises(h->verdict, r->durability))
                have |= 1u << i;
        }
    }
    return quorum_reached(&r->voters, have);
}

/* Fit to be promoted: a standby on the record's history; or a stopped one, which the seal will start. */
static bool self_eligible(const struct core *c)
{
    const struct pg_sample *s = &c->sample;
    const struct record *r = decided(c);
    if (c->role != ROLE_DATABASE || !record_is_database(r, c->self) || !c->set.candidate)
        return false;
    if (c->disk.dir == 0 || (s->preflight & PREFLIGHT_BARS) || s->system_id != r->system_id ||
        r->system_id == 0)
        return false;
    if (is_primary(c) && c->disk.released_term < r->term)
        return false;
    if (s->phase == PG_DOWN)
        return true;
    return s->phase == PG_RECOVERY && lineage_join(r, s->timeline, s->lsn) == JOIN_FOLLOW;
}

static struct candidate candidate_of(const struct core *c, int i)
{
    const struct pg_report *g = &c->peers[i].beat.pg;
    struct candidate k = {.eligible = true};
    int primary = member_index(c, decided(c)->primary);
    if (i == c->self_index) {
        k.sealed = (struct sealed){.id = c->self,
                                   .dir = c->disk.dir,
                                   .timeline = c->sample.timeline,
                                   .lsn = c->sample.lsn,
                                   .wal_term = record_term_of_timeline(decided(c), c->sample.timeline)};
        k.eligible = c->sample.phase == PG_RECOVERY;
        k.priority = c->set.priority;
    } else {
        k.sealed = (struct sealed){.id = c->members[i].id,
                                   .dir = g->dir,
                                   .timeline = g->timeline,
                                   .lsn = g->lsn,
                                   .wal_term = g->wal_term};
        k.priority = g->priority;
    }
    k.named = c->disk.has_release && c->disk.release.term == decided(c)->term &&
              c->disk.release.successor == c->members[i].id;
    k.same_site = primary >= 0 && strcmp(c->members[i].site, c->members[primary].site) == 0;
    return k;
}

/* Who asks first is a courtesy: what others say of their WAL is a heartbeat old, so a small lead does not count here.
 * Who is proposed is decided by the seals. */
enum { LEAD_SHIFT = 20 };

static int rank_of_self(const struct core *c)
{
    struct candidate self = candidate_of(c, c->self_index);
    self.sealed.lsn >>= LEAD_SHIFT;
    int rank = self.eligible ? 0 : 1;
    for (int i = 0; i < c->n_members; i++) {
        if (i == c->self_index || !database_eligible(c, i))
            continue;
        struct candidate other = candidate_of(c, i);
        other.sealed.lsn >>= LEAD_SHIFT;
        if (other.named && !self.named)
            rank += 4;
        else if (!self.named && candidate_cmp(&other, &self, NULL) < 0)
            rank++;
    }
    return rank;
}

static instant start_at(const struct core *c)
{
    return instant_add(c->quorum_since, span_ms((int64_t)rank_of_self(c) * c->set.stagger_ms));
}

static bool could_start(const struct core *c)
{
    return c->role == ROLE_DATABASE && c->proposer.phase == PROPOSER_IDLE &&
           !instant_is_never(c->quorum_since) && self_eligible(c);
}

instant takeover_deadline(const struct core *c)
{
    instant at = instant_never();
    if (c->proposer.phase == PROPOSER_PREPARE && !instant_is_never(c->proposer.enough))
        at = instant_add(c->proposer.enough, span_ms(c->set.seal_wait_ms));
    else if (could_start(c))
        at = instant_max(start_at(c), c->proposer.backoff);
    return !instant_is_never(at) && instant_due_all(c->now, at) ? instant_never() : at;
}

/* Do those of the others suffice that are fit, and in quarantine no longer than that? */
static bool others_suffice(const struct core *c, uint32_t quarantine_max_ms)
{
    struct sealed alive[DATABASES_MAX];
    size_t n = 0;
    for (int i = 0; i < c->n_members && n < DATABASES_MAX; i++)
        if (i != c->self_index && database_eligible(c, i) &&
            c->peers[i].beat.quarantine_ms <= quarantine_max_ms)
            alive[n++] = (struct sealed){.id = c->members[i].id, .dir = c->peers[i].beat.pg.dir};
    return n && seals_suffice(decided(c), alive, n);
}

bool takeover_possible(const struct core *c)
{
    return others_suffice(c, UINT32_MAX);
}

static bool quorum_may_promise(const struct core *c)
{
    const struct voters *v = &decided(c)->voters;
    uint32_t have = 0;
    for (int i = 0; i < v->n; i++) {
        int m = member_index(c, v->v[i].id);
        bool may = m == c->self_index ? may_vote(c) && !in_quarantine(c)
                                      : m >= 0 && peer_fresh(c, m, span_ms(c->set.lease_ms)) &&
                                            c->peers[m].beat.votes && !c->peers[m].beat.quarantine_ms;
        have |= may ? 1u << i : 0;
    }
    return quorum_reached(v, have);
}

const char *takeover_waits(const struct core *c, member_id target)
{
    int i = member_index(c, target);
    if (i >= 0 && c->peers[i].beat.quarantine_ms)
        return "the target was started a moment ago";
    if (!quorum_may_promise(c))
        return "too few voters would promise a takeover now";
    return others_suffice(c, 0) ? NULL : "too few standbys of the sync set would be sealed now";
}

void takeover_consider(struct core *c)
{
    const struct record *r = decided(c);
    bool would = c->role == ROLE_DATABASE && verdict_promises(c->verdict, r->durability) && may_vote(c);
    bool agree = c->role == ROLE_DATABASE && verdict_promises(c->verdict, r->durability) && quorum_agrees(c);
    notice_considered(c, would, agree);
    if (!agree) {
        c->quorum_since = instant_never();
        return;
    }
    bool first = instant_is_never(c->quorum_since);
    if (first)
        c->quorum_since = c->now;
    if (!could_start(c) || !instant_due_any(c->now, c->tilt) || !instant_due_any(c->now, c->proposer.backoff))
        return;
    if ((r->paused || c->set.observe_only) && !c->failover_armed) {
        if (first)
            event_say(c, "+would-takeover", "would take over term %llu, but %s", (unsigned long long)r->term,
                      r->paused ? "the cluster is paused" : "this member only observes");
        return;
    }
    if (!instant_due_any(c->now, start_at(c)))
        return;
    propose_takeover(c, c->failover_armed ? &c->failover_command : NULL);
}
