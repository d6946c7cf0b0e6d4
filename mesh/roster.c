/* roster.c: who is a member is told by the root's signatures, which only the edge reads (mesh/io/roster.h): here the roster is a
 * text with a digest, told to whoever says another digest in its heartbeat, and the list of members that comes of it.
 *
 * Members are only ever added; a revoked one keeps its place and its key, so that what it signed as a voter still proves what
 * it proved, and nothing of it is taken any more.
 *
 * A member's key is rotated in three steps.  The roster tells the new one (all take both: +key); when every voter has told that
 * it has this roster, the member uses the new one (EFFECT_KEY); when all its links stand on it, it retires the former one with
 * the highest ballot round that it has seen (-key), again by the roster. */
#include "mesh/core_state.h"

#include <string.h>

enum { TELL_AGAIN_MS = 1000 };

/* Its keys as the roster says now. */
static void rekey(struct core *c, struct member *of, const struct member *m)
{
    bool rotates = member_rotates(m), rotated = member_rotates(of);
    if (memcmp(of->key, m->key, KEY_SIZE) != 0)
        event_say(c, "+key", "%s has a new key%s", m->name,
                  rotates ? "; the former one is good as well until every voter knows it" : "");
    if (rotated && !rotates)
        event_say(c, "-key", "the former key of %s is retired: it is refused from now on", m->name);
    memcpy(of->key, m->key, KEY_SIZE);
    memcpy(of->former, m->former, sizeof of->former);
    of->n_former = m->n_former;
}

void roster_set(struct core *c, const struct roster_news *news)
{
    if (news->len > sizeof c->roster_text)
        return;
    for (int k = 0; k < news->n; k++) {
        const struct member *m = &news->members[k];
        int i = member_index(c, m->id);
        if (i < 0 && c->n_members < MEMBERS_MAX) {
            c->members[c->n_members++] = *m;
            event_say(c, "+member", "%s is %s now", m->name,
                      role_is_person(m->role) ? right_role_name(m->role) : "a member");
        } else if (i >= 0) {
            rekey(c, &c->members[i], m);
            if (m->revoked && !c->members[i].revoked)
                event_say(c, "-member", "%s is revoked: nothing of it is taken any more", m->name);
            c->members[i].revoked |= m->revoked;
        }
        if ((i = member_index(c, m->id)) >= 0)
            c->members[i].expired = m->expired;
    }
    c->two_persons = news->two_persons;
    if (news->secret)
        c->secret = *news->secret;
    c->key_turning = news->turning;
    c->roster = news->digest;
    c->roster_len = news->len;
    if (news->len)
        memcpy(c->roster_text, news->text, news->len);
    c->beat_now = true;
    reform_hear(c, news);
}

/* The other one lacks something that we have, or we something of its: each tells the other. */
void roster_heard(struct core *c, int i, uint64_t digest)
{
    struct peer *p = &c->peers[i];
    if (digest == c->roster || c->roster_len == 0)
        return;
    if (!instant_is_never(p->roster_told) &&
        instant_elapsed_least(c->now, p->roster_told).ns < span_ms(TELL_AGAIN_MS).ns)
        return;
    p->roster_told = c->now;
    memcpy(body_room(c), c->roster_text, c->roster_len);
    send_to(c, FRAME_ROSTER, c->members[i].id, c->roster_len);
}

static bool knows_roster(const struct core *c, member_id id)
{
    int i = member_index(c, id);
    return i == c->self_index || (i >= 0 && c->peers[i].heard && c->peers[i].beat.roster == c->roster);
}

/* Our own rotation goes on when every voter that is decided, and whoever else is heard now, has told our roster's digest: from
 * then on no member refuses what the new key signs.  Once the former one is retired, those that are heard suffice: whoever
 * comes back later tries both. */
void roster_drive(struct core *c)
{
    const struct record *r = decided(c);
    bool open = member_rotates(&c->members[c->self_index]), known = true;
    if (!c->key_turning || (!instant_is_never(c->key_told) &&
                            instant_elapsed_least(c->now, c->key_told).ns < span_ms(TELL_AGAIN_MS).ns))
        return;
    for (int v = 0; open && v < r->voters.n; v++)
        known = known && knows_roster(c, r->voters.v[v].id);
    for (int i = 0; i < c->n_members; i++)
        known = known && (!peer_fresh(c, i, span_ms(c->set.lease_ms)) || knows_roster(c, c->members[i].id));
    if (!known && !MUTANT(KEY_BEFORE_KNOWN))
        return;
    c->key_told = c->now;
    effect_add(c, EFFECT_KEY)->round = c->disk.round;
}

/* To the edge, which verifies each line; what is new in it comes back as an event. */
enum reject on_roster(struct core *c, const struct frame *f)
{
    if (f->body_len == 0 || f->body_len > ROSTER_MAX)
        return REJECT_BODY;
    struct effect *e = effect_add(c, EFFECT_ROSTER);
    e->bytes = f->body;
    e->len = f->body_len;
    return REJECT_NONE;
}
