/* operate.c: operators' signed commands: who executes one, which is refused, and what is no more than one change of the
 * record (docs/protocol.md, "Commands").
 *
 * A command names the decided record that the operator saw and is valid on no other, so a replayed one does nothing.
 * Any member takes it and carries it to the one that executes: the primary, or for failover and reinit the target.
 * A planned switchover is carried out in switchover.c; changes of durability, databases and voters in amend.c. */
#include "mesh/core_state.h"

#include <stdio.h>
#include <string.h>

/* ---- answers ------------------------------------------------------------------------------------------------------- */

void operate_answer(struct core *c, member_id to, const struct command *m, bool done, const char *text,
                    const char *detail, const char *hint)
{
    struct answer a = {.id = m->id, .done = done, .final = true};
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
    operate_answer(c, to, m, false, text, detail, hint);
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
    operate_answer(c, o.reply_to, &o.command, done, text, detail, hint);
}

/* What is decided, with what the command asks for on top; false: its target is no voter. */
static bool changed(const struct core *c, const struct command *m, struct record *want)
{
    *want = *decided(c);
    want->version++;
    if (m->kind == COMMAND_READMIT) {
        int i = record_voter_index(want, m->target);
        if (i >= 0)
            want->voters.v[i].epoch++;
        return i >= 0;
    }
    want->paused = m->kind == COMMAND_PAUSE;
    memset(want->paused_why, 0, sizeof want->paused_why);
    if (want->paused)
        snprintf(want->paused_why, sizeof want->paused_why, "%s", m->why);
    return true;
}

static void change(struct core *c, const struct command *m, member_id from)
{
    struct record want;
    if (!changed(c, m, &want)) {
        operate_refuse(c, from, m, "not a voter", "Only a voter of the record can be admitted again.", "");
        return;
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

/* A ballot that lost to a higher one before anything was accepted under it left nothing behind: once more. */
static void change_again(struct core *c)
{
    struct operation *o = &c->operation;
    struct record want;
    if (decided(c)->term != o->command.term || c->disk.has_own || !is_primary(c) || !lease_held(c) ||
        !changed(c, &o->command, &want) || !propose_change(c, &want))
        return;
    o->version = want.version;
    o->proposed = c->now;
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
    if (!decided_already)
        change_again(c);
    else if (o->command.kind == COMMAND_READMIT && is_primary(c))
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

void operate_decided(struct core *c)
{
    struct operation *o = &c->operation;
    if (o->phase == OPERATION_NONE || decided(c)->version < o->version || decided(c)->term != o->command.term)
        return;
    bool pause = o->command.kind == COMMAND_PAUSE;
    if (o->phase == OPERATION_RECORD && decided(c)->switchover_to == o->command.target)
        o->phase = OPERATION_POOLERS;
    else if (o->phase == OPERATION_WAIT_RECORD && o->command.kind != COMMAND_READMIT) {
        if (decided(c)->paused == pause)
            operate_finish(c, true, pause ? "paused" : "resumed", "", "");
        else
            o->version = decided(c)->version + 1; /* that was another change */
    }
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
        operate_answer(c, c->failover_reply, m, false, "another member took over",
                       "It was better placed, or faster.",
                       "\"pgmesh why\" tells the reason; \"pgmesh switchover\" moves the primary.");
        return;
    }
    bool alone = instant_is_never(c->quorum_since);
    operate_answer(c, c->failover_reply, m, over,
                   over ? "failed over" : "the takeover was not decided in time",
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
    operate_answer(c, from, m, true, "the standby is being copied anew", "",
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
        operate_answer(c, c->failover_reply, &c->failover_command, false, "another order took its place", "",
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
    case COMMAND_SWITCHOVER: switchover_begin(c, m, from); break;
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
    operate_answer(c, from, m, false, "the order waits for a second person", detail, hint);
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
    case OPERATION_NONE:
    case OPERATION_CHECKPOINT:
    case OPERATION_RECORD:
    case OPERATION_POOLERS:
    case OPERATION_STOP:
    case OPERATION_HANDOVER:
    case OPERATION_RELEASED:
    case OPERATION_UNDO: switchover_drive(c); break;
    case OPERATION_WAIT_RECORD: drive_record(c); break;
    case OPERATION_AMEND: amend_drive(c); break;
    }
}
