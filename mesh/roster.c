/* roster.c: who is a member is told by the root's signatures, which only the edge reads (mesh/io/roster.h): here the roster is a
 * text with a digest, told to whoever says another digest in its heartbeat, and the list of members that comes of it.
 *
 * Members are only ever added; a revoked one keeps its place and its key, so that what it signed as a voter still proves what
 * it proved, and nothing of it is taken any more. */
#include "mesh/core_state.h"

#include <string.h>

enum { TELL_AGAIN_MS = 1000 };

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
        } else if (i >= 0 && m->revoked && !c->members[i].revoked) {
            c->members[i].revoked = true;
            event_say(c, "-member", "%s is revoked: nothing of it is taken any more", m->name);
        }
        if ((i = member_index(c, m->id)) >= 0)
            c->members[i].expired = m->expired;
    }
    c->two_persons = news->two_persons;
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
