/* switchover.c: the planned switchover: the phases that an operator's command goes through (docs/protocol.md,
 * "Commands", last part).
 *
 *   NONE -> CHECKPOINT (what is long, while everybody still writes: that, and the quarantine of whom the takeover needs)
 *        -> RECORD (the record says so: poolers pause) -> POOLERS (all that are heard of have paused, or POOLERS_MS are over)
 *        -> STOP (clean stop) -> HANDOVER (the target has all WAL) -> RELEASE -> RELEASED (the target is ready) -> NONE
 *   a deadline missed, or the target silent, before the RELEASE: UNDO (start again, clear the record) -> NONE */
#include "mesh/core_state.h"

#include <stdio.h>
#include <string.h>

enum { POOLERS_MS = 2000 };
/* The target may take so long for the rest of a segment of WAL that the hand sends with the checkpoint. */
enum { NEAR_MS = 1000, NEAR_BYTES = 1 << 20 };

/* ---- begun: the checkpoint, while everybody still writes --------------------------------------------------------------- */

/* Why the target does not qualify, or NULL. */
static const char *unfit(const struct core *c, member_id target, char *detail, size_t size)
{
    int i = member_index(c, target);
    snprintf(detail, size, "%s", "");
    if (i < 0 || !record_is_database(decided(c), target))
        return "the target is not a database of this cluster";
    if (target == c->self)
        return "the target is the primary already";
    if (!peer_fresh(c, i, span_ms(c->set.lease_ms)))
        return "the target is not heard";
    const struct pg_report *g = &c->peers[i].beat.pg;
    snprintf(detail, size, "It is \"%s\"%s, %llu kB behind, pre-flight flags 0x%x.", pg_phase_name(g->phase),
             g->streaming ? ", streaming" : ", not streaming",
             (unsigned long long)(c->sample.lsn > g->lsn ? (c->sample.lsn - g->lsn) / 1024 : 0),
             (unsigned)g->preflight);
    if (!database_eligible(c, i) || !g->streaming)
        return "the target does not qualify";
    if (g->lsn + (16u << 20) < c->sample.lsn)
        return "the target is too far behind";
    if (!takeover_possible(c))
        return "too few standbys of the sync set are alive to take over";
    return NULL;
}

/* Why it cannot be done now, or NULL. */
static const char *busy(const struct core *c)
{
    if (decided(c)->joint || c->sample.phase != PG_PRIMARY || !c->hold.ready)
        return "the primary is busy";
    if (c->disk.has_own || c->proposer.phase != PROPOSER_IDLE)
        return "another change is under way"; /* of two changes with one version, which one was decided? */
    return NULL;
}

void switchover_begin(struct core *c, const struct command *m, member_id from)
{
    char detail[TEXT_SIZE * 2];
    const char *why = unfit(c, m->target, detail, sizeof detail);
    if (why) {
        operate_refuse(c, from, m, why, detail, "\"pgmesh status\" shows who qualifies.");
        return;
    }
    why = busy(c);
    if (why) {
        operate_refuse(c, from, m, why,
                       strstr(why, "busy") ? "The sync set is changing, or the primary is not ready yet."
                                           : "",
                       "Try again in a moment.");
        return;
    }
    operate_begin(c, OPERATION_CHECKPOINT, m, from);
    why = takeover_waits(c, m->target);
    event_say(c, "+switchover", "switching over to %s%s%s", member_name(c, m->target),
              why ? ", not at once: " : "", why ? why : "");
}

/* Before anything was changed. */
static void give_up(struct core *c, const char *text, const char *detail, const char *hint)
{
    event_say(c, "-switchover", "%s", text);
    operate_finish(c, false, text, detail, hint);
}

static bool catches_up(struct core *c)
{
    struct operation *o = &c->operation;
    int i = member_index(c, o->command.target);
    if (instant_is_never(o->proposed))
        o->proposed = c->now;
    return i >= 0 && c->peers[i].beat.pg.lsn + NEAR_BYTES < c->sample.lsn &&
           instant_elapsed_most(c->now, o->proposed).ns < span_ms(NEAR_MS).ns;
}

static bool propose_switchover(struct core *c)
{
    struct operation *o = &c->operation;
    struct record want = *decided(c);
    want.version++;
    want.switchover_from = c->self;
    want.switchover_to = o->command.target;
    want.switchover_deadline_ms = c->set.switchover_timeout_ms;
    if (decided(c)->term != o->command.term || busy(c) || !propose_change(c, &want))
        return false;
    o->version = want.version;
    return true;
}

/* The checkpoint is written: nobody has noticed anything yet, and the target may have become unfit meanwhile. */
static void announce(struct core *c)
{
    struct operation *o = &c->operation;
    char detail[TEXT_SIZE * 2];
    if (catches_up(c))
        return;
    const char *why = unfit(c, o->command.target, detail, sizeof detail);
    if (why) {
        give_up(c, why, detail, "Nothing was changed.");
        return;
    }
    if (takeover_waits(c, o->command.target))
        return; /* of all the waiting that a switchover needs, this nobody notices */
    if (!propose_switchover(c))
        return; /* in a moment */
    o->phase = OPERATION_RECORD;
    o->started = c->now; /* from now on poolers hold their clients back */
}

static void drive_checkpoint(struct core *c)
{
    const struct pg_goal *g = &c->goal;
    bool late =
        instant_elapsed_most(c->now, c->operation.started).ns > span_ms(c->set.switchover_timeout_ms).ns;
    bool written = g->kind == GOAL_PRIMARY && g->checkpoint && c->sample.goal_seq == g->seq &&
                   c->sample.progress == PG_GOAL_REACHED;
    const char *waits = takeover_waits(c, c->operation.command.target);
    if (!is_primary(c) || !lease_held(c) || late || decided(c)->term != c->operation.command.term) {
        if (written && waits)
            give_up(
                c, waits,
                "A member that was started a moment ago refuses takeovers for the longest lease. Nothing was changed.",
                "\"pgmesh status\" shows for how much longer; try again then.");
        else
            give_up(c, "the checkpoint before the switchover did not finish in time", "Nothing was changed.",
                    "Raise switchover_timeout, or run CHECKPOINT before.");
    } else if (written) {
        announce(c);
    }
}

/* ---- in the record: poolers, the stop, the release --------------------------------------------------------------------- */

bool switchover_checkpointing(const struct core *c)
{
    return c->operation.phase == OPERATION_CHECKPOINT;
}

bool switchover_stopping(const struct core *c)
{
    return c->operation.phase == OPERATION_STOP || c->operation.phase == OPERATION_HANDOVER;
}

static void undo(struct core *c, const char *text, const char *detail)
{
    struct operation o = c->operation;
    event_say(c, "-switchover", "%s", text);
    operate_answer(c, o.reply_to, &o.command, false, text, detail, "The old primary goes on.");
    c->operation.phase = OPERATION_UNDO;
    c->hold.restarted = true;
    c->hold.fine = c->now;
}

static void handover(struct core *c)
{
    int i = member_index(c, c->operation.command.target);
    if (!peer_fresh(c, i, span_ms(c->set.lease_ms)) || c->peers[i].beat.pg.lsn < c->operation.stop_lsn ||
        takeover_waits(c, c->operation.command.target))
        return;
    char reason[TEXT_SIZE];
    snprintf(reason, sizeof reason, "planned switchover, ordered by %s",
             member_name(c, c->operation.command.who));
    c->operation.phase = OPERATION_RELEASED;
    release_term(c, c->operation.command.target, reason);
}

/* The record says "switchover" though none is under way here: clear it, once PostgreSQL runs. */
static void clear(struct core *c)
{
    struct record want = *decided(c);
    if (want.switchover_to == MEMBER_NONE || !lease_held(c) || c->sample.phase != PG_PRIMARY)
        return;
    want.version++;
    want.switchover_from = want.switchover_to = MEMBER_NONE;
    want.switchover_deadline_ms = 0;
    propose_change(c, &want);
}

/* What it was waiting for when its time was over. */
static const char *missing(const struct core *c, char *detail, size_t size)
{
    const struct operation *o = &c->operation;
    const char *waits = takeover_waits(c, o->command.target);
    lsn_t has = c->peers[member_index(c, o->command.target)].beat.pg.lsn;
    snprintf(detail, size, "%s", "");
    if (o->phase == OPERATION_RECORD)
        return "too few voters agreed to the switchover in time";
    if (o->phase == OPERATION_STOP) {
        if (c->sample.phase == PG_STOPPING && c->sample.detail[0])
            snprintf(detail, size, "PostgreSQL %s. ", c->sample.detail);
        return "PostgreSQL did not stop in time";
    }
    if (waits)
        return waits;
    if (o->phase == OPERATION_HANDOVER && has < o->stop_lsn) {
        snprintf(detail, size, "It lacks %llu bytes. ", (unsigned long long)(o->stop_lsn - has));
        return "the target did not receive all WAL in time";
    }
    return "the switchover did not finish in time";
}

static void undo_late(struct core *c)
{
    char why[TEXT_SIZE * 2], detail[TEXT_SIZE * 2];
    const char *text = missing(c, why, sizeof why);
    snprintf(detail, sizeof detail, "%.130sIt was undone before the primary gave its term up.", why);
    undo(c, text, detail);
}

/* Has every pooler that an observer drives let its last transaction end?  An observer that does not know of this
 * switchover yet is waited for as well. */
static bool poolers_hold(const struct core *c)
{
    for (int i = 0; i < c->n_members; i++) {
        const struct heartbeat *h = &c->peers[i].beat;
        if (c->members[i].role != ROLE_OBSERVER || !peer_fresh(c, i, span_ms(c->set.lease_ms)) ||
            h->pooler == POOLER_NONE)
            continue;
        if (h->pooler != POOLER_HELD || ballot_cmp(h->decided, decided_ballot(c)) != 0)
            return false;
    }
    return true;
}

static void drive_announced(struct core *c)
{
    struct operation *o = &c->operation;
    bool late = instant_elapsed_most(c->now, o->started).ns > span_ms(c->set.switchover_timeout_ms).ns;
    if (o->phase == OPERATION_RELEASED) {
        int i = member_index(c, o->command.target);
        if (decided(c)->primary == o->command.target && c->peers[i].beat.pg.ready &&
            c->peers[i].beat.decided_term == decided(c)->term)
            operate_finish(c, true, "switched over", "", "");
        else if (decided(c)->term > o->command.term && decided(c)->primary != o->command.target)
            operate_finish(c, false, "another member took over", "", "\"pgmesh why\" tells the reason.");
        else if (instant_elapsed_most(c->now, o->started).ns >
                 span_ms(2 * (int64_t)c->set.switchover_timeout_ms).ns)
            operate_finish(c, false, "the target has not become ready in time", "",
                           "\"pgmesh status\" shows the state.");
        return;
    }
    if (!is_primary(c) || !lease_held(c)) {
        undo(c, "the primary lost its lease during the switchover", "It was undone.");
        return;
    }
    int target = member_index(c, o->command.target);
    if (target < 0 || !peer_fresh(c, target, span_ms(c->set.lease_ms))) {
        undo(c, "the target is not heard any more",
             "The switchover was undone before the primary gave its term up.");
        return;
    }
    if (late) {
        undo_late(c);
        return;
    }
    if (o->phase == OPERATION_RECORD)
        propose_switchover(c); /* once more, where its ballot lost to a higher one */
    if (o->phase == OPERATION_POOLERS && !takeover_waits(c, o->command.target) &&
        (poolers_hold(c) || instant_elapsed_least(c->now, o->started).ns > span_ms(POOLERS_MS).ns))
        o->phase = OPERATION_STOP;
    bool down = c->sample.phase == PG_DOWN &&
                c->sample.confirmed_dead; /* known together with `clean`, later than DOWN */
    if (o->phase == OPERATION_STOP && down && c->sample.goal_seq == c->goal.seq) {
        if (!c->sample.clean || c->sample.lsn == 0) {
            undo(c, "PostgreSQL did not stop cleanly", "");
            return;
        }
        o->stop_lsn = c->sample.lsn;
        o->phase = OPERATION_HANDOVER;
    }
    if (o->phase == OPERATION_HANDOVER)
        handover(c);
}

void switchover_drive(struct core *c)
{
    switch (c->operation.phase) {
    case OPERATION_NONE: clear(c); break;
    case OPERATION_CHECKPOINT: drive_checkpoint(c); break;
    case OPERATION_RECORD:
    case OPERATION_POOLERS:
    case OPERATION_STOP:
    case OPERATION_HANDOVER:
    case OPERATION_RELEASED: drive_announced(c); break;
    case OPERATION_UNDO: /* over once the hand runs it by the new goal: a stop may have been asked for a moment before */
        if (!is_primary(c) || (c->sample.phase == PG_PRIMARY && c->goal.kind == GOAL_PRIMARY &&
                               c->sample.goal_seq == c->goal.seq))
            memset(&c->operation, 0, sizeof c->operation);
        break;
    case OPERATION_WAIT_RECORD:
    case OPERATION_AMEND: break; /* other files' */
    }
}
