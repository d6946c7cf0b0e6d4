/* operate.c: operators' signed commands, and the planned switchover (docs/protocol.md, section 7).
 *
 * A command names the decided record that the operator saw and is valid on no other, so a replayed one does nothing.
 * Any member takes it and carries it to the one that executes: the primary, or for failover and reinit the target.
 *
 *   switchover:  NONE -> CHECKPOINT (what is long, while everybody still writes: that, and the quarantine of whom the
 *                takeover needs) -> RECORD (the record says so: poolers pause) -> POOLERS (all that are heard of have
 *                paused, or POOLERS_MS are over) -> STOP (clean stop) -> HANDOVER (the target has all WAL) -> RELEASE
 *                -> RELEASED (the target is ready) -> NONE
 *                a deadline missed, or the target silent, before the RELEASE: UNDO (start again, clear the record) -> NONE */
#include "mesh/core_state.h"

#include <stdio.h>
#include <string.h>

enum { POOLERS_MS = 2000 };
/* The target may take so long for the rest of a segment of WAL that the hand sends with the checkpoint. */
enum { NEAR_MS = 1000, NEAR_BYTES = 1 << 20 };

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static void answer(struct core *c, member_id to, const struct command *m, bool final, bool done,
                   const char *text, const char *detail, const char *hint)
{
    struct answer a = {.id = m->id, .done = done, .final = final};
    snprintf(a.text, sizeof a.text, "%s", text);
    snprintf(a.detail, sizeof a.detail, "%s", detail);
    snprintf(a.hint, sizeof a.hint, "%s", hint);
    if (to == c->self)
        effect_add(c, EFFECT_ANSWER)->answer = a;
    else
        send_to(c, FRAME_ANSWER, to, wire_put_answer(body_room(c), &a));
}

void operate_refuse(struct core *c, member_id to, const struct command *m, const char *text,
                    const char *detail, const char *hint)
{
    event_say(c, "-command", "refused: %s", text);
    answer(c, to, m, true, false, text, detail, hint);
}

enum reject on_answer(struct core *c, const struct answer *a)
{
    effect_add(c, EFFECT_ANSWER)->answer = *a;
    return REJECT_NONE;
}

/* ---- changes of the record ------------------------------------------------------------------------------------------- */

void operate_begin(struct core *c, enum operation_phase phase, const struct command *m, member_id from)
{
    memset(&c->operation, 0, sizeof c->operation);
    c->operation.phase = phase;
    c->operation.command = *m;
    c->operation.reply_to = from;
    c->operation.started = c->now;
}

void operate_finish(struct core *c, bool done, const char *text, const char *detail, const char *hint)
{
    struct operation o = c->operation;
    memset(&c->operation, 0, sizeof c->operation);
    event_say(c, done ? "+command" : "-command", "%s", text);
    answer(c, o.reply_to, &o.command, true, done, text, detail, hint);
}

static void change(struct core *c, const struct command *m, member_id from)
{
    struct record want = *decided(c);
    want.version++;
    if (m->kind == COMMAND_READMIT) {
        int i = record_voter_index(&want, m->target);
        if (i < 0) {
            operate_refuse(c, from, m, "not a voter", "Only a voter of the record can be admitted again.",
                           "");
            return;
        }
        want.voters.v[i].epoch++;
    } else {
        want.paused = m->kind == COMMAND_PAUSE;
        memset(want.paused_why, 0, sizeof want.paused_why);
        if (want.paused)
            snprintf(want.paused_why, sizeof want.paused_why, "%s", m->why);
    }
    if (c->disk.has_own ||
        !propose_change(c, &want)) { /* of two changes with one version, which one was decided? */
        operate_refuse(c, from, m, "another change is under way", "", "Try again in a moment.");
        return;
    }
    operate_begin(c, OPERATION_WAIT_RECORD, m, from);
    c->operation.version = want.version;
    c->operation.proposed = c->now;
}

/* A lost member that hears of its admission before it has learnt which epoch it lost takes the new one for that, and
 * stays without a vote: then once more, which it cannot mistake any longer. */
static void drive_readmit(struct core *c)
{
    struct operation *o = &c->operation;
    member_id who = o->command.target;
    int i = member_index(c, who);
    if (i < 0) /* a voter whose certificate has not reached us */
        return;
    const struct heartbeat *h = &c->peers[i].beat;
    bool level = who == c->self || (peer_fresh(c, i, span_ms(c->set.lease_ms)) &&
                                    ballot_cmp(h->decided, decided_ballot(c)) == 0);
    bool lost = who == c->self ? c->disk.lost : h->lost;
    if (!level)
        return;
    if (!lost) {
        operate_finish(c, true, "admitted again", "", "");
        return;
    }
    struct record want = *decided(c);
    int v = record_voter_index(&want, who);
    if (v < 0 || c->disk.has_own ||
        instant_elapsed_least(c->now, o->proposed).ns < span_ms(c->set.lease_ms).ns)
        return;
    want.version++;
    want.voters.v[v].epoch++;
    if (propose_change(c, &want)) {
        o->version = want.version;
        o->proposed = c->now;
    }
}

static void drive_record(struct core *c)
{
    const struct operation *o = &c->operation;
    bool decided_already = decided(c)->version >= o->version && decided(c)->term == o->command.term;
    if (decided_already && o->command.kind == COMMAND_READMIT && is_primary(c))
        drive_readmit(c);
    if (o->phase == OPERATION_NONE ||
        instant_elapsed_most(c->now, o->started).ns <= span_ms(c->set.switchover_timeout_ms).ns)
        return;
    if (decided_already)
        operate_finish(c, false, "the member was admitted, and has not been heard to vote", "",
                       "\"pgmesh status\" shows it; admit it again when it is up.");
    else
        operate_finish(c, false, "the change was not decided in time", "Too few voters answer.",
                       "\"pgmesh status\" shows them.");
}

/* ---- planned switchover ------------------------------------------------------------------------------------------------ */

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

static void switchover(struct core *c, const struct command *m, member_id from)
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

/* The checkpoint is written: nobody has noticed anything yet, and the target may have become unfit meanwhile. */
static void announce(struct core *c)
{
    struct operation *o = &c->operation;
    char detail[TEXT_SIZE * 2];
    struct record want = *decided(c);
    if (catches_up(c))
        return;
    const char *why = unfit(c, o->command.target, detail, sizeof detail);
    if (why) {
        give_up(c, why, detail, "Nothing was changed.");
        return;
    }
    if (takeover_waits(c, o->command.target))
        return; /* of all the waiting that a switchover needs, this nobody notices */
    want.version++;
    want.switchover_from = c->self;
    want.switchover_to = o->command.target;
    want.switchover_deadline_ms = c->set.switchover_timeout_ms;
    if (busy(c) || !propose_change(c, &want))
        return; /* in a moment */
    o->version = want.version;
    o->phase = OPERATION_RECORD;
    o->started = c->now; /* from now on poolers hold their clients back */
}

bool operate_checkpointing(const struct core *c)
{
    return c->operation.phase == OPERATION_CHECKPOINT;
}

bool operate_stopping(const struct core *c)
{
    return c->operation.phase == OPERATION_STOP || c->operation.phase == OPERATION_HANDOVER;
}

static void undo(struct core *c, const char *text, const char *detail)
{
    struct operation o = c->operation;
    event_say(c, "-switchover", "%s", text);
    answer(c, o.reply_to, &o.command, true, false, text, detail, "The old primary goes on.");
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

static void drive_switchover(struct core *c)
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
    if (!is_primary(c) || !lease_held(c) || late) {
        undo(c, "the switchover did not finish in time",
             "It was undone before the primary gave its term up.");
        return;
    }
    int target = member_index(c, o->command.target);
    if (target < 0 || !peer_fresh(c, target, span_ms(c->set.lease_ms))) {
        undo(c, "the target is not heard any more",
             "The switchover was undone before the primary gave its term up.");
        return;
    }
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

void operate_decided(struct core *c)
{
    struct operation *o = &c->operation;
    if (o->phase == OPERATION_NONE || decided(c)->version < o->version || decided(c)->term != o->command.term)
        return;
    if (o->phase == OPERATION_RECORD && decided(c)->switchover_to == o->command.target)
        o->phase = OPERATION_POOLERS;
    else if (o->phase == OPERATION_WAIT_RECORD && o->command.kind != COMMAND_READMIT)
        operate_finish(c, true, o->command.kind == COMMAND_PAUSE ? "paused" : "resumed", "", "");
}

/* ---- failover by an operator, when there is no primary ------------------------------------------------------------------ */

static void failover(struct core *c, const struct command *m, member_id from)
{
    verdict_update(c);
    if (!verdict_promises(c->verdict, decided(c)->durability)) {
        operate_refuse(c, from, m, "the primary is not gone",
                       c->verdict == VERDICT_ALIVE ? "This member granted it a lease that still runs."
                                                   : "Its state is not known here.",
                       "Use \"pgmesh switchover\" to move a primary that is alive.");
        return;
    }
    if (c->proposer.phase == PROPOSER_PREPARE && c->proposer.takeover)
        proposer_stop(c, false); /* begun without the order */
    c->failover_armed = true;
    c->failover_command = *m;
    c->failover_reply = from;
    operate_begin(c, OPERATION_NONE, m, from);
    event_say(c, "+failover", "an operator asks for a failover%s",
              m->allow_data_loss ? ", accepting the loss of data" : "");
}

static void drive_failover(struct core *c)
{
    const struct command *m = &c->failover_command;
    if (!c->failover_armed)
        return;
    bool over = decided(c)->term > m->term;
    bool late =
        instant_elapsed_most(c->now, c->operation.started).ns > span_ms(c->set.switchover_timeout_ms).ns;
    if (!over && !late)
        return;
    c->failover_armed = false;
    if (over && m->target != MEMBER_NONE && decided(c)->primary != m->target) {
        answer(c, c->failover_reply, m, true, false, "another member took over",
               "It was better placed, or faster.",
               "\"pgmesh why\" tells the reason; \"pgmesh switchover\" moves the primary.");
        return;
    }
    bool alone = instant_is_never(c->quorum_since);
    answer(c, c->failover_reply, m, true, over, over ? "failed over" : "the takeover was not decided in time",
           over    ? ""
           : alone ? "No quorum of voters agrees that the primary is gone."
                   : "The voters agree, but too few databases of the sync set could be sealed.",
           over    ? ""
           : alone ? "\"pgmesh status\" shows who is alive; no order replaces the votes."
                   : "Bring the others back, or accept the loss with --allow-data-loss.");
}

/* ---- dispatch ------------------------------------------------------------------------------------------------------------ */

static member_id executor(const struct core *c, const struct command *m)
{
    if ((m->kind == COMMAND_FAILOVER || m->kind == COMMAND_REINIT) && m->target != MEMBER_NONE)
        return m->target;
    int i = member_index(c, decided(c)->primary);
    bool primary =
        is_primary(c) ? lease_held(c) : i >= 0 && peer_fresh(c, i, span_ms(2 * (int64_t)c->set.lease_ms));
    if (primary && m->kind != COMMAND_FAILOVER)
        return decided(c)->primary;
    if (m->kind != COMMAND_FAILOVER && m->kind != COMMAND_RESUME)
        return MEMBER_NONE;
    if (c->role == ROLE_DATABASE && c->sample.phase == PG_RECOVERY)
        return c->self;
    for (int k = 0; k < c->n_members; k++)
        if (k != c->self_index && database_eligible(c, k))
            return c->members[k].id;
    return MEMBER_NONE;
}

static void reinit(struct core *c, const struct command *m, member_id from)
{
    if (c->role != ROLE_DATABASE || is_primary(c)) {
        operate_refuse(c, from, m, "only a standby can be copied anew", "", "");
        return;
    }
    c->reclone = true;
    event_say(c, "+reinit", "an operator asks for a fresh copy");
    answer(c, from, m, true, true, "the standby is being copied anew", "",
           "\"pgmesh status\" shows the progress.");
}

/* A replayed command does nothing: most change the record that they were signed for; this catches the others. */
static bool seen(struct core *c, uint64_t id)
{
    for (int i = 0; i < COMMANDS_SEEN; i++)
        if (c->commands[i] == id)
            return true;
    c->commands[c->n_commands++ % COMMANDS_SEEN] = id;
    return false;
}

static void stale(struct core *c, const struct command *m, member_id from)
{
    operate_refuse(c, from, m, "the record has changed",
                   "The command was signed for another version of the record.",
                   "Look at the status and try again.");
}

static void execute(struct core *c, const struct command *m, member_id from)
{
    char deed[TEXT_SIZE * 2];
    if (ballot_cmp(m->base, decided_ballot(c)) != 0 || m->term != decided(c)->term) {
        stale(c, m, from);
        return;
    }
    bool instead = c->failover_armed && m->kind == COMMAND_FAILOVER && m->allow_data_loss;
    if (instead)
        answer(c, c->failover_reply, &c->failover_command, true, false, "another order took its place", "",
               "");
    if (c->operation.phase != OPERATION_NONE || (c->failover_armed && !instead)) {
        operate_refuse(c, from, m, "another operation is under way", "", "Wait for it to finish.");
        return;
    }
    if (seen(c, m->id)) {
        operate_refuse(c, from, m, "this command was executed already", "Its number was seen before.",
                       "Give the command again.");
        return;
    }
    right_describe(c, m, deed, sizeof deed);
    event_say(c, "+order", "%s", deed);
    switch (m->kind) {
    case COMMAND_SWITCHOVER: switchover(c, m, from); break;
    case COMMAND_PAUSE:
    case COMMAND_READMIT: change(c, m, from); break;
    case COMMAND_RESUME:
        if (is_primary(c))
            change(c, m, from);
        else
            failover(c, m, from);
        break;
    case COMMAND_FAILOVER: failover(c, m, from); break;
    case COMMAND_REINIT: reinit(c, m, from); break;
    case COMMAND_ASYNC:
    case COMMAND_SYNC:
    case COMMAND_STRICT:
    case COMMAND_DATABASE_ADD:
    case COMMAND_VOTE_GIVE:
    case COMMAND_VOTE_TAKE:
    case COMMAND_MEMBER_REMOVE: amend(c, m, from); break;
    }
}

static void carry(struct core *c, member_id to, const uint8_t *bytes, size_t n)
{
    uint8_t *copy = body_room(c) - FRAME_HEADER;
    memcpy(copy, bytes, n);
    c->out->used += (n + 15) & ~(size_t)15;
    struct effect *e = effect_add(c, EFFECT_SEND);
    e->bytes = copy;
    e->len = n;
    e->to = mask_of(c, to);
}

static void not_allowed(struct core *c, const struct command *m, member_id from, enum right right)
{
    const struct member *who = member_of(c, m->who);
    char text[TEXT_SIZE * 2], detail[TEXT_SIZE * 2];
    if (m->approved && right_reaches(who->role, right_role(m)) && !who->expired)
        who = member_of(c, m->approval.who);
    if (right == RIGHT_EXPIRED)
        snprintf(text, sizeof text, "no permission: the key of %s is not valid now", who->name);
    else
        snprintf(text, sizeof text, "no permission: %s is %s", who->name, right_role_name(who->role));
    snprintf(detail, sizeof detail,
             right == RIGHT_EXPIRED ? "It has expired, or begins later, by the clock of %s."
                                    : "\"%s\" takes %s.",
             right == RIGHT_EXPIRED ? member_name(c, c->self) : right_deed(m->kind),
             right_role_name(right_role(m)));
    operate_refuse(c, from, m, text, detail, "\"pgmesh operator list\" shows who may what.");
}

static void await_second(struct core *c, const struct command *m, member_id from)
{
    char detail[TEXT_SIZE * 2], hint[TEXT_SIZE * 2];
    if (ballot_cmp(m->base, decided_ballot(c)) != 0 || m->term != decided(c)->term) {
        stale(c, m, from);
        return;
    }
    pending_begin(c, m);
    right_describe(c, m, detail, sizeof detail);
    snprintf(hint, sizeof hint, "Another admin, within %d minutes: pgmesh approve %08x", PENDING_MS / 60000,
             (unsigned)m->id);
    answer(c, from, m, true, false, "the order waits for a second person", detail, hint);
}

enum reject on_command(struct core *c, const struct command *m, const uint8_t *bytes, size_t n,
                       member_id from)
{
    enum right right = right_judge(c, m);
    switch (right) {
    case RIGHT_FORGED: return REJECT_STATEMENT;
    case RIGHT_REVOKED: return REJECT_REVOKED;
    case RIGHT_EXPIRED:
    case RIGHT_ROLE: not_allowed(c, m, from, right); return REJECT_NONE;
    case RIGHT_SECOND: await_second(c, m, from); return REJECT_NONE;
    case RIGHT_GIVEN: break;
    }
    member_id to = executor(c, m);
    pending_drop(c, m->id);
    if (to == c->self)
        execute(c, m, from);
    else if (to == MEMBER_NONE || from != c->self)
        operate_refuse(c, from, m, "no member can execute this command now",
                       "There is no primary that is heard from here.",
                       "\"pgmesh status\" shows who is alive.");
    else
        carry(c, to, bytes, n);
    return REJECT_NONE;
}

void operate_drive(struct core *c)
{
    drive_failover(c);
    switch (c->operation.phase) {
    case OPERATION_NONE: clear(c); break;
    case OPERATION_CHECKPOINT: drive_checkpoint(c); break;
    case OPERATION_RECORD:
    case OPERATION_POOLERS:
    case OPERATION_STOP:
    case OPERATION_HANDOVER:
    case OPERATION_RELEASED: drive_switchover(c); break;
    case OPERATION_UNDO: /* over once the hand runs it by the new goal: a stop may have been asked for a moment before */
        if (!is_primary(c) || (c->sample.phase == PG_PRIMARY && c->goal.kind == GOAL_PRIMARY &&
                               c->sample.goal_seq == c->goal.seq))
            memset(&c->operation, 0, sizeof c->operation);
        break;
    case OPERATION_WAIT_RECORD: drive_record(c); break;
    case OPERATION_AMEND: amend_drive(c); break;
    }
}
