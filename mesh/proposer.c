/* proposer.c: ballots of our own: a change by the primary, or a takeover (docs/protocol.md, "Ballots" and
 * "Takeover and seals"; Lamport, "Paxos Made Simple", section 2.2).
 *
 *   IDLE --propose_change / propose_takeover--> PREPARE --quorum of promises (and seals)--> ACCEPT --decided--> IDLE
 *   any state --higher ballot, verdict turns, time over--> IDLE with a pause of random length
 *
 * A proposer builds on the highest accepted record in its promises: unchanged, or as a takeover on top of it.  Its own
 * vote goes through the acceptor like any other. */
#include "mesh/core_state.h"

#include <assert.h>
#include <string.h>

enum { SUCCESSOR_WAITS = 25 }; /* times seal_wait */

/* ---- starting and stopping --------------------------------------------------------------------------------------- */

void proposer_stop(struct core *c, bool backoff)
{
    c->proposer.phase = PROPOSER_IDLE;
    if (!backoff)
        return;
    uint32_t jitter = (uint32_t)(c->entropy >> 17) % (2 * c->set.stagger_ms + 1);
    c->proposer.backoff = instant_add(c->now, span_ms(c->set.stagger_ms + jitter));
}

static struct ballot higher(struct ballot a, struct ballot b)
{
    return ballot_cmp(a, b) > 0 ? a : b;
}

static void begin(struct core *c, bool takeover)
{
    struct proposer *p = &c->proposer;
    instant backoff = p->backoff;
    struct ballot knew =
        higher(higher(p->knew, p->highest.ballot), higher(c->disk.accepted.ballot, decided_ballot(c)));
    memset(p, 0, sizeof *p);
    p->backoff = backoff;
    p->knew = knew;
    p->phase = PROPOSER_PREPARE;
    p->takeover = takeover;
    p->started = c->now;
    c->disk.round++;
    p->ballot = (struct ballot){.round = c->disk.round, .nonce = c->nonce, .member = c->self};
    store(c); /* the round is durable before use */
}

/* An accepted record was found that is above what is decided by now: a decision learnt since its promise came counts too,
 * or a record long passed over would be built on. */
static bool found_above(const struct core *c)
{
    return c->proposer.found && ballot_cmp(c->proposer.highest.ballot, decided_ballot(c)) > 0;
}

/* The record that the proposal will rest on, as far as is known by now. */
static const struct record *base_record(const struct core *c)
{
    return found_above(c) ? &c->proposer.highest.record : decided(c);
}

static bool promised_by(const struct proposer *p, member_id id)
{
    for (int i = 0; i < p->n_promises; i++)
        if (p->promises[i].who == id)
            return true;
    return false;
}

static bool sealed_by(const struct proposer *p, member_id id)
{
    for (int i = 0; i < p->n_seals; i++)
        if (p->seals[i].sealed.id == id)
            return true;
    return false;
}

static uint64_t known_counter(const struct core *c, member_id id)
{
    int i = member_index(c, id);
    return i < 0 || i == c->self_index ? 0 : c->peers[i].counter;
}

/* Those whose word counts on `r`, the record proposed or the one that the proposal will rest on: its voters, and those of
 * what is decided here. */
static int voters_asked(const struct core *c, const struct record *r, member_id ids[static 2 * VOTERS_MAX])
{
    int n = 0;
    const struct voters *now = &decided(c)->voters;
    for (int i = 0; i < r->voters.n; i++)
        ids[n++] = r->voters.v[i].id;
    for (int i = 0; i < now->n; i++)
        if (!record_voter(r, now->v[i].id))
            ids[n++] = now->v[i].id;
    return n;
}

static void send_prepare(struct core *c)
{
    member_id asked[2 * VOTERS_MAX];
    int n = voters_asked(c, base_record(c), asked);
    struct ballot ballot = c->proposer.ballot;
    for (int i = 0; i < n; i++) {
        member_id to = asked[i];
        if (promised_by(&c->proposer, to))
            continue;
        struct prepare m = {.ballot = ballot,
                            .takeover = c->proposer.takeover,
                            .known_counter = known_counter(c, to),
                            .has_command = c->proposer.has_command,
                            .command = c->proposer.command};
        if (to == c->self)
            on_prepare(c, &m, c->self);
        else
            send_to(c, FRAME_PREPARE, to, wire_put_prepare(body_room(c), &m));
        if (ballot_cmp(c->proposer.ballot, ballot) != 0 || c->proposer.phase != PROPOSER_PREPARE)
            return;
    }
}

static void send_seal(struct core *c)
{
    struct seal m = {.ballot = c->proposer.ballot, .term = decided(c)->term};
    for (int i = 0; i < decided(c)->n_databases; i++) {
        member_id to = decided(c)->databases[i];
        if (sealed_by(&c->proposer, to))
            continue;
        if (to == c->self)
            on_seal(c, &m, c->self);
        else
            send_to(c, FRAME_SEAL, to, wire_put_seal(body_room(c), &m));
    }
}

static void send_accept(struct core *c)
{
    const struct proposal p = c->proposer.proposal;
    member_id asked[2 * VOTERS_MAX];
    int n = voters_asked(c, &p.record, asked);
    for (int i = 0; i < n; i++) {
        member_id to = asked[i];
        struct accept m = {.proposal = p, .known_counter = known_counter(c, to)};
        if (to == c->self)
            on_accept(c, &m, c->self);
        else
            send_to(c, FRAME_ACCEPT, to, wire_put_accept(body_room(c), &m));
        if (c->proposer.phase != PROPOSER_ACCEPT || ballot_cmp(c->proposer.ballot, p.ballot) != 0)
            return;
    }
}

static void send_phase(struct core *c)
{
    c->proposer.sent = c->now;
    if (c->proposer.phase == PROPOSER_ACCEPT) {
        send_accept(c);
        return;
    }
    if (c->proposer.takeover)
        send_seal(c);
    if (c->proposer.phase == PROPOSER_PREPARE)
        send_prepare(c);
}

bool propose_change(struct core *c, const struct record *want)
{
    if (c->proposer.phase != PROPOSER_IDLE || !instant_due_any(c->now, c->proposer.backoff))
        return false;
    begin(c, false);
    c->proposer.want = *want;
    send_phase(c);
    return true;
}

void propose_takeover(struct core *c, const struct command *command)
{
    begin(c, true);
    if (command) {
        c->proposer.has_command = true;
        c->proposer.command = *command;
    }
    event_say(c, "+takeover", "asking to take over term %llu: primary %s is %s",
              (unsigned long long)decided(c)->term, member_name(c, decided(c)->primary),
              verdict_name(c->verdict));
    send_phase(c);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

enum reject on_promise(struct core *c, const struct promised *m)
{
    struct proposer *p = &c->proposer;
    if (p->phase != PROPOSER_PREPARE || ballot_cmp(m->promise.ballot, p->ballot) != 0)
        return REJECT_STALE;
    if (promised_by(p, m->promise.who) || p->n_promises == 2 * VOTERS_MAX)
        return REJECT_STALE;
    if (m->promise.who != c->self && !promise_holds(c, &m->promise, true))
        return REJECT_STATEMENT;
    if (ballot_cmp(m->promise.accepted, m->accepted.ballot) != 0)
        return REJECT_STATEMENT;
    const struct voter *as = record_voter(&m->accepted.record, m->promise.who);
    p->epochs[p->n_promises] = as ? as->epoch : EPOCH_NEWCOMER;
    p->promises[p->n_promises++] = m->promise;
    bool above = ballot_cmp(m->accepted.ballot, decided_ballot(c)) > 0 &&
                 (!p->found || ballot_cmp(m->accepted.ballot, p->highest.ballot) > 0);
    if (above && !MUTANT(IGNORE_ACCEPTED)) {
        p->found = true;
        p->highest = m->accepted;
    }
    return REJECT_NONE;
}

enum reject on_nack(struct core *c, const struct nack *n, member_id origin)
{
    struct proposer *p = &c->proposer;
    round_see(c, n->promised);
    if (p->phase == PROPOSER_IDLE || ballot_cmp(n->ballot, p->ballot) != 0)
        return REJECT_STALE;
    if (n->reason == NACK_BALLOT) {
        proposer_stop(c, true);
        return REJECT_NONE;
    }
    if (p->takeover && instant_elapsed_most(c->now, p->started).ns < beat_interval(c).ns)
        event_say(c, "-refused", "%s refuses the takeover: %s; it judges the primary %s",
                  member_name(c, origin), nack_clause(n->reason), verdict_name(n->verdict));
    return REJECT_NONE;
}

enum reject on_sealed(struct core *c, const struct sealed_statement *s)
{
    struct proposer *p = &c->proposer;
    if (p->phase != PROPOSER_PREPARE || !p->takeover || ballot_cmp(s->ballot, p->ballot) != 0)
        return REJECT_STALE;
    if (sealed_by(p, s->sealed.id) || p->n_seals == DATABASES_MAX)
        return REJECT_STALE;
    if (s->sealed.id != c->self && !sealed_holds(c, s, true))
        return REJECT_STATEMENT;
    p->seals[p->n_seals++] = *s;
    return REJECT_NONE;
}

/* ---- from PREPARE to ACCEPT --------------------------------------------------------------------------------------- */

/* A voter that was admitted again has forgotten what it promised before: that binds nobody.  A readmission is decided by a
 * quorum without it, so any quorum of promises tells of it.  One that was known when this was begun, and is perhaps not decided
 * yet, does not take the promise away from a voter that never lost its store: nobody else might be left. */
static bool quorum_of(const struct core *c, const struct voters *voters, struct ballot of, bool any_life)
{
    const struct proposer *p = &c->proposer;
    bool news = ballot_cmp(of, p->knew) > 0 && !any_life && !MUTANT(FORMER_LIFE_COUNTS);
    uint32_t have = 0;
    for (int i = 0; i < voters->n; i++)
        for (int k = 0; k < p->n_promises; k++)
            if (p->promises[k].who == voters->v[i].id && (p->epochs[k] >= voters->v[i].epoch || !news))
                have |= 1u << i;
    return quorum_reached(voters, have);
}

/* Of the record that was found, and of the one that is decided: each change of voters that may have been decided between the
 * two is one step from either, and so shows. */
static bool quorum_promised(const struct core *c, bool any_life)
{
    const struct ballot found = found_above(c) ? c->proposer.highest.ballot : decided_ballot(c);
    return quorum_of(c, &base_record(c)->voters, found, any_life) &&
           quorum_of(c, &decided(c)->voters, decided_ballot(c), any_life);
}

static void accept_begin(struct core *c)
{
    c->proposer.phase = PROPOSER_ACCEPT;
    c->proposer.proposal.ballot = c->proposer.ballot;
    c->proposer.started = c->now;
    send_phase(c);
}

/* A change by the primary: first finish what a quorum may already have accepted of ours.  Written down before sent. */
static void change_accept(struct core *c)
{
    struct proposer *p = &c->proposer;
    bool found = found_above(c);
    if (found && (p->highest.record.term != decided(c)->term || p->highest.record.primary != c->self)) {
        proposer_stop(c, true); /* a takeover is under way: let it be decided */
        return;
    }
    memset(&p->proposal, 0, sizeof p->proposal);
    p->proposal.record = found ? p->highest.record : p->want;
    if (!MUTANT(FORGET_PROPOSAL)) {
        c->disk.has_own = true;
        c->disk.own = p->proposal;
        c->disk.own.ballot = p->ballot;
        hold_own(c);
        store(c);
    }
    accept_begin(c);
}

static bool seal_eligible(const struct core *c, const struct sealed_statement *s)
{
    if (s->sealed.id == c->self)
        return c->set.candidate && !(c->sample.preflight & PREFLIGHT_BARS);
    int i = member_index(c, s->sealed.id);
    const struct pg_report *g = &c->peers[i].beat.pg;
    return peer_fresh(c, i, span_ms(c->set.lease_ms)) && g->priority > 0 && !(g->preflight & PREFLIGHT_BARS);
}

static struct candidate as_candidate(const struct core *c, const struct sealed_statement *s)
{
    struct candidate k = {.sealed = s->sealed, .eligible = true, .backlog_bytes = s->backlog_bytes};
    int i = member_index(c, s->sealed.id), primary = member_index(c, base_record(c)->primary);
    k.named = c->proposer.has_command ? c->proposer.command.target == s->sealed.id
                                      : c->disk.has_release && c->disk.release.term == base_record(c)->term &&
                                            c->disk.release.successor == s->sealed.id;
    k.priority = s->sealed.id == c->self ? c->set.priority : c->peers[i].beat.pg.priority;
    k.same_site = primary >= 0 && strcmp(c->members[i].site, c->members[primary].site) == 0;
    return k;
}

/* The seals to show and the database to propose.  Seals of databases that must not be promoted are left out while the
 * rest still suffices; otherwise the best of all must be fit, or nobody is proposed. */
static int seals_choose(struct core *c, struct sealed_statement *use, int *best)
{
    const struct proposer *p = &c->proposer;
    bool loss = p->has_command && p->command.allow_data_loss;
    if (MUTANT(RELEASE_SKIPS_SEALING))
        loss |= c->verdict == VERDICT_RELEASED;
    for (int pass = 0; pass < 2; pass++) {
        struct sealed s[DATABASES_MAX];
        int n = 0;
        for (int i = 0; i < p->n_seals; i++)
            if (record_is_database(base_record(c), p->seals[i].sealed.id) &&
                (pass == 1 || seal_eligible(c, &p->seals[i]))) {
                use[n] = p->seals[i];
                s[n++] = p->seals[i].sealed;
            }
        if (n == 0 || !(loss || seals_suffice(base_record(c), s, (size_t)n)))
            continue;
        *best = 0;
        for (int i = 1; i < n; i++) {
            struct candidate a = as_candidate(c, &use[i]), b = as_candidate(c, &use[*best]);
            if (candidate_cmp(&a, &b, NULL) < 0)
                *best = i;
        }
        if (seal_eligible(c, &use[*best]))
            return n;
    }
    return 0;
}

/* Leaving rules out on purpose: a member that is not sealed proposes itself by what it last saw of its own WAL. */
static int seals_mutant(struct core *c, struct sealed_statement *use, int *best, int n)
{
    if (!(MUTANT(NO_SEALING) || (MUTANT(PROPOSED_NOT_SEALED) && n > 0)))
        return n;
    for (int i = 0; i < n; i++)
        if (use[i].sealed.id == c->self)
            return n;
    if (n == DATABASES_MAX)
        return n;
    struct sealed_statement *s = &use[n];
    memset(s, 0, sizeof *s);
    s->ballot = c->proposer.ballot;
    s->sealed = (struct sealed){.id = c->self,
                                .dir = c->disk.dir,
                                .timeline = c->sample.timeline,
                                .lsn = c->sample.lsn,
                                .wal_term = record_term_of_timeline(decided(c), c->sample.timeline)};
    uint8_t bytes[STATEMENT_MAX];
    sign_make(s->signature, &c->secret, bytes, sealed_bytes(bytes, &c->cluster, s));
    *best = n;
    return n + 1;
}

/* The successor that a planned switchover named has all the WAL: worth a longer wait than any other, and so it waits for
 * its own seal, too, when it is the one that asks. */
static bool successor_awaited(const struct core *c)
{
    const struct release *r = &c->disk.release;
    if (!c->disk.has_release || r->term != decided(c)->term || r->successor == MEMBER_NONE)
        return false;
    int i = member_index(c, r->successor);
    bool there = i == c->self_index ? c->set.candidate && !(c->sample.preflight & PREFLIGHT_BARS)
                                    : i >= 0 && database_eligible(c, i);
    return there && !sealed_by(&c->proposer, r->successor) &&
           !instant_due_any(c->now, instant_add(c->proposer.enough,
                                                span_ms(SUCCESSOR_WAITS * (int64_t)c->set.seal_wait_ms)));
}

/* May better seals still come?  All databases that are alive have sealed, or the wait is over. */
static bool seals_complete(struct core *c)
{
    const struct proposer *p = &c->proposer;
    if (successor_awaited(c))
        return false;
    for (int i = 0; i < c->n_members; i++)
        if (i != c->self_index && database_eligible(c, i) && !sealed_by(p, c->members[i].id))
            return instant_due_any(c->now, instant_add(p->enough, span_ms(c->set.seal_wait_ms)));
    return true;
}

/* One more than the highest id in use anywhere, as far as anybody sees: two promotions from one point would otherwise
 * both make the same timeline. */
static uint32_t timeline_next(const struct core *c, uint32_t from)
{
    uint32_t max = base_record(c)->timeline;
    if (MUTANT(TIMELINE_COLLIDES))
        return from + 1;
    if (decided(c)->timeline > max)
        max = decided(c)->timeline;
    if (c->sample.timeline_max > max)
        max = c->sample.timeline_max;
    for (int i = 0; i < c->n_members; i++)
        if (c->peers[i].heard && c->peers[i].beat.pg.timeline_max > max)
            max = c->peers[i].beat.pg.timeline_max;
    for (int i = 0; i < c->proposer.n_seals; i++) {
        if (c->proposer.seals[i].timeline_max > max)
            max = c->proposer.seals[i].timeline_max;
        if (c->proposer.seals[i].sealed.timeline > max)
            max = c->proposer.seals[i].sealed.timeline;
    }
    return max + 1;
}

static void shrink_sync(struct record *r, const struct sealed_statement *use, int n)
{
    uint8_t k = r->sync[0].k;
    memset(r->sync, 0, sizeof r->sync);
    r->joint = false;
    for (int i = 0; i < n; i++)
        sync_set_add(&r->sync[0], use[i].sealed.id, use[i].sealed.dir);
    r->sync[0].k = k < r->sync[0].n ? k : r->sync[0].n;
}

/* The takeover on top of the base record: only term, primary, timeline, switchover, history (and, by an operator,
 * paused) change; never the sync set. */
static void takeover_build(struct core *c, const struct sealed_statement *use, int n, int best)
{
    struct proposer *p = &c->proposer;
    struct record r = *base_record(c);
    struct justification *why = &p->proposal.why;
    memset(&p->proposal, 0, sizeof p->proposal);
    why->takeover = true;
    why->built = p->ballot;
    why->former = r.primary;
    why->former_dir = r.primary_dir;
    for (int i = 0; i < p->n_promises && why->n_promises < VOTERS_MAX; i++)
        if (record_voter(&r, p->promises[i].who) || record_voter(decided(c), p->promises[i].who))
            why->promises[why->n_promises++] = p->promises[i];
    why->n_seals = (uint8_t)n;
    memcpy(why->seals, use, (size_t)n * sizeof *use);
    why->has_command = p->has_command;
    why->command = p->command;
    uint32_t timeline = timeline_next(c, use[best].sealed.timeline);
    lineage_append(
        &r, use[best].sealed.timeline,
        (struct history_row){.timeline = timeline, .switch_lsn = use[best].sealed.lsn, .term = r.term + 1});
    r.version++;
    r.term++;
    r.primary = use[best].sealed.id;
    r.primary_dir = use[best].sealed.dir;
    r.switchover_from = r.switchover_to = MEMBER_NONE;
    r.switchover_deadline_ms = 0;
    if (p->has_command) {
        r.paused = false;
        memset(r.paused_why, 0, sizeof r.paused_why);
    }
    if (MUTANT(TAKEOVER_SHRINKS_SYNC))
        shrink_sync(&r, use, n);
    p->proposal.record = r;
}

/* An undecided takeover was found: its primary, if alive, gets it proposed unchanged, with the seals it came with. */
static bool takeover_repropose(struct core *c)
{
    struct proposer *p = &c->proposer;
    if (!found_above(c) || p->highest.record.term <= decided(c)->term || !p->highest.why.takeover)
        return false;
    int i = member_index(c, p->highest.record.primary);
    if (i < 0 || (i != c->self_index && !peer_fresh(c, i, span_ms(c->set.lease_ms))))
        return false;
    p->proposal = p->highest;
    return true;
}

/* Nobody takes over a paused cluster.  A pause that is still undecided is proposed again, unchanged, so that everybody
 * comes to know it: or databases would ask and stop for ever, and the operator would see no pause to resume from. */
static void pause_found(struct core *c)
{
    if (!found_above(c)) {
        proposer_stop(c, true);
        return;
    }
    c->proposer.proposal = c->proposer.highest;
    accept_begin(c);
}

/* The voters agree, and yet nobody may be promoted: the one case that waits for a person (or for the databases that
 * are missing). */
static void seals_short(struct core *c)
{
    struct proposer *p = &c->proposer;
    if (p->told_short ||
        instant_elapsed_most(c->now, p->started).ns < span_ms(2 * (int64_t)c->set.lease_ms).ns)
        return;
    p->told_short = true;
    event_say(c, "+operator-needed",
              "%d databases sealed: too few to prove that no acknowledged commit is missing; "
              "bring the others back, or \"pgmesh failover --allow-data-loss\"",
              p->n_seals);
}

static void takeover_accept(struct core *c)
{
    struct proposer *p = &c->proposer;
    if (base_record(c)->paused && !p->has_command) {
        pause_found(c);
        return;
    }
    if (MUTANT(UNDECIDED_WEDGES) && found_above(c))
        return;
    if (takeover_repropose(c)) {
        accept_begin(c);
        return;
    }
    struct sealed_statement use[DATABASES_MAX];
    int best = 0, n = seals_choose(c, use, &best);
    n = seals_mutant(c, use, &best, n);
    if (n == 0) {
        p->enough = instant_never();
        seals_short(c);
        return;
    }
    if (instant_is_never(p->enough))
        p->enough = c->now;
    if (!seals_complete(c))
        return;
    takeover_build(c, use, n, best);
    accept_begin(c);
}

void proposer_drive(struct core *c)
{
    struct proposer *p = &c->proposer;
    if (p->phase == PROPOSER_IDLE)
        return;
    int64_t limit = p->phase == PROPOSER_ACCEPT || !p->takeover ? 4 * (int64_t)c->set.lease_ms : 10000;
    bool turned =
        p->takeover && p->phase == PROPOSER_PREPARE && !verdict_promises(c->verdict, decided(c)->durability);
    if (turned)
        event_say(c, "-takeover", "the takeover is given up: primary %s is %s",
                  member_name(c, decided(c)->primary), verdict_name(c->verdict));
    if (turned || instant_elapsed_most(c->now, p->started).ns > span_ms(limit).ns) {
        proposer_stop(c, true);
        return;
    }
    if (p->phase == PROPOSER_PREPARE && quorum_promised(c, false)) {
        if (p->takeover)
            takeover_accept(c);
        else
            change_accept(c);
    } else if (p->phase == PROPOSER_PREPARE && quorum_promised(c, true)) {
        proposer_stop(c, true); /* asked again, and now it is known */
    }
    if (p->phase != PROPOSER_IDLE && instant_elapsed_most(c->now, p->sent).ns >= beat_interval(c).ns)
        send_phase(c);
}
