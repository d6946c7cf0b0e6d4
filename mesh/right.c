/* right.c: see right.h.  Here also the orders that wait for a second person: told to all members, kept in memory, executed by
 * nobody before the second signature has come with them. */
#include "mesh/right.h"

#include "mesh/core_state.h"

#include <stdio.h>
#include <string.h>

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

enum role right_role(const struct command *m)
{
    switch (m->kind) {
    case COMMAND_FAILOVER: return m->allow_data_loss ? ROLE_ADMIN : ROLE_OPERATOR;
    case COMMAND_SWITCHOVER:
    case COMMAND_PAUSE:
    case COMMAND_RESUME:
    case COMMAND_REINIT: return ROLE_OPERATOR;
    case COMMAND_READMIT:
    case COMMAND_ASYNC:
    case COMMAND_SYNC:
    case COMMAND_STRICT:
    case COMMAND_DATABASE_ADD:
    case COMMAND_VOTE_GIVE:
    case COMMAND_VOTE_TAKE:
    case COMMAND_MEMBER_REMOVE: break;
    }
    return ROLE_ADMIN;
}

bool right_reaches(enum role has, enum role least)
{
    return has == ROLE_ADMIN || (has == ROLE_OPERATOR && least == ROLE_OPERATOR);
}

bool right_destroys(const struct command *m)
{
    return m->kind == COMMAND_ASYNC || m->kind == COMMAND_MEMBER_REMOVE || m->allow_data_loss;
}

const char *right_deed(enum command_kind kind)
{
    switch (kind) {
    case COMMAND_SWITCHOVER: return "switchover";
    case COMMAND_FAILOVER: return "failover";
    case COMMAND_PAUSE: return "pause";
    case COMMAND_RESUME: return "resume";
    case COMMAND_READMIT: return "readmit";
    case COMMAND_REINIT: return "reinit";
    case COMMAND_ASYNC: return "durability async";
    case COMMAND_SYNC: return "durability sync";
    case COMMAND_STRICT: return "durability strict";
    case COMMAND_DATABASE_ADD: return "member add";
    case COMMAND_VOTE_GIVE: return "member vote on";
    case COMMAND_VOTE_TAKE: return "member vote off";
    case COMMAND_MEMBER_REMOVE: return "member remove";
    }
    return "?";
}

const char *right_role_name(enum role r)
{
    switch (r) {
    case ROLE_DATABASE: return "a database";
    case ROLE_OBSERVER: return "an observer";
    case ROLE_WITNESS: return "a witness";
    case ROLE_OPERATOR: return "an operator";
    case ROLE_VIEWER: return "a viewer";
    case ROLE_ADMIN: return "an admin";
    }
    return "nobody";
}

/* ---- judging one order -------------------------------------------------------------------------------------------------- */

bool right_two_persons(const struct core *c)
{
    int admins = 0;
    for (int i = 0; i < c->n_members; i++)
        admins += c->members[i].role == ROLE_ADMIN && !c->members[i].revoked && !c->members[i].expired;
    switch (c->two_persons) {
    case TWO_PERSONS_ON: return true;
    case TWO_PERSONS_OFF: return false;
    case TWO_PERSONS_AUTO: break;
    }
    return admins >= 2; /* with one it could never be met */
}

static enum right judge_person(const struct core *c, const struct command *m, member_id id)
{
    const struct member *who = member_of(c, id);
    if (who->revoked)
        return RIGHT_REVOKED;
    if (who->expired)
        return RIGHT_EXPIRED;
    return right_reaches(who->role, right_role(m)) || MUTANT(ROLES_IGNORED) ? RIGHT_GIVEN : RIGHT_ROLE;
}

enum right right_judge(const struct core *c, const struct command *m)
{
    if (!command_holds(c, m))
        return RIGHT_FORGED;
    enum right right = judge_person(c, m, m->who);
    if (right == RIGHT_GIVEN && m->approved)
        right = judge_person(c, m, m->approval.who);
    bool second = m->approved && m->approval.who != m->who;
    if (right == RIGHT_GIVEN && right_destroys(m) && right_two_persons(c) && !second &&
        !MUTANT(ONE_PERSON_SUFFICES))
        right = RIGHT_SECOND;
    return right;
}

void right_describe(const struct core *c, const struct command *m, char *out, size_t size)
{
    const struct member *who = member_of(c, m->who);
    int n = snprintf(out, size, "%s (%s) orders: %s%s%s%s", who ? who->name : "?",
                     right_role_name(who ? who->role : ROLE_VIEWER), right_deed(m->kind),
                     m->target == MEMBER_NONE ? "" : " ",
                     m->target == MEMBER_NONE ? "" : member_name(c, m->target),
                     m->allow_data_loss ? ", data may be lost" : "");
    if (m->approved && n > 0 && (size_t)n < size)
        snprintf(out + n, size - (size_t)n, "; approved by %s", member_name(c, m->approval.who));
}

/* ---- orders that wait ----------------------------------------------------------------------------------------------------- */

bool pending_runs(const struct core *c, const struct pending *p)
{
    return p->command.id != 0 && !instant_due_any(c->now, p->until) &&
           ballot_cmp(p->command.base, decided_ballot(c)) == 0;
}

void pending_drop(struct core *c, uint64_t id)
{
    for (int i = 0; i < PENDING_MAX; i++)
        if (c->pending[i].command.id == id)
            memset(&c->pending[i], 0, sizeof c->pending[i]);
}

/* In the place of one that is over, else of the oldest.  The same order given anew takes the place of the former. */
static bool pending_keep(struct core *c, const struct command *m)
{
    struct pending *at = &c->pending[0];
    char deed[TEXT_SIZE * 2];
    for (int i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &c->pending[i];
        const struct command *k = &p->command;
        if (k->id == m->id)
            return false;
        if (k->who == m->who && k->kind == m->kind && k->target == m->target)
            memset(p, 0, sizeof *p);
    }
    for (int i = 1; i < PENDING_MAX && pending_runs(c, at); i++)
        if (!pending_runs(c, &c->pending[i]) || c->pending[i].until.boot_ns < at->until.boot_ns)
            at = &c->pending[i];
    *at = (struct pending){.command = *m, .until = instant_add(c->now, span_ms(PENDING_MS))};
    right_describe(c, m, deed, sizeof deed);
    event_say(c, "+pending", "%s; it waits for a second person", deed);
    return true;
}

void pending_begin(struct core *c, const struct command *m)
{
    if (pending_keep(c, m))
        send_all(c, FRAME_PENDING, mask_core(c), wire_put_command(body_room(c), m));
}

enum reject on_pending(struct core *c, const struct command *m)
{
    switch (right_judge(c, m)) {
    case RIGHT_FORGED: return REJECT_STATEMENT;
    case RIGHT_REVOKED: return REJECT_REVOKED;
    case RIGHT_EXPIRED:
    case RIGHT_ROLE: return REJECT_ROLE;
    case RIGHT_GIVEN: /* of the second admin we have yet to hear */
    case RIGHT_SECOND: break;
    }
    pending_keep(c, m);
    return REJECT_NONE;
}
