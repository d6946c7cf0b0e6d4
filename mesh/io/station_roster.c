/* station_roster.c: who is a member, as told to core and links; and the rotation of our own key, step by step (mesh/roster.c). */
#include "mesh/core_state.h"
#include "mesh/io/clock.h"
#include "mesh/io/log.h"
#include "mesh/io/loop_state.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_REFUSED_LOG_MS = 60000,
    PERSONS_MS = 5000 /* how late the end of a person's validity may be noticed */
};
static const char heading[] = "pgmesh-roster 1";

/* ---- the roster ---------------------------------------------------------------------------------------------------------- */

void station_peer(struct transport_peer *p, const struct cluster_member *m)
{
    p->id = m->member.id;
    memcpy(p->key, m->member.key, KEY_SIZE);
    p->rotates = member_rotates(&m->member);
    if (p->rotates)
        memcpy(p->former, m->member.former[0].key, KEY_SIZE);
    p->n = m->n_mesh;
    memcpy(p->addresses, m->mesh, sizeof p->addresses);
}

void station_news(const struct station *s, struct roster_news *news, char text[static ROSTER_MAX])
{
    const struct folder *f = s->folder;
    news->n = f->cluster.n;
    for (int i = 0; i < f->cluster.n; i++)
        news->members[i] = f->cluster.members[i].member;
    news->reform = cluster_reform(&f->cluster);
    news->reformed = s->reformed;
    news->two_persons = f->cluster.two_persons;
    news->digest = f->roster.digest;
    news->len = roster_text(&f->roster, text);
    news->text = (const uint8_t *)text;
    news->secret = NULL;
    news->turning = member_rotates(&f->self->member) || !transport_listens_anew(s->transport);
}

static void news_step(struct station *s, struct roster_news *news, char room[static ROSTER_MAX])
{
    station_news(s, news, room);
    station_step(s, &(struct event){.kind = EVENT_ROSTER, .now = clock_now(), .roster = news});
}

/* As it is, to the core. */
static void tell_core(struct station *s)
{
    struct roster_news *news = calloc(1, sizeof *news);
    char *room = malloc(ROSTER_MAX);
    if (news && room)
        news_step(s, news, room);
    free(news);
    free(room);
}

void station_tend_persons(struct station *s, instant now)
{
    if (!instant_is_never(s->persons_at) && !instant_due_any(now, s->persons_at))
        return;
    s->persons_at = instant_add(now, span_ms(PERSONS_MS));
    if (cluster_judge_persons(&s->folder->cluster, clock_wall_us() / 1000000))
        tell_core(s);
}

/* What changed, to the links: a key that is revoked is refused from now on. */
static void tell_transport(struct station *s, int members_before)
{
    struct problem problem;
    for (int i = 0; i < s->folder->cluster.n; i++) {
        const struct cluster_member *m = &s->folder->cluster.members[i];
        struct transport_peer peer = {0};
        station_peer(&peer, m);
        if (m->member.revoked)
            transport_drop(s->transport, m->member.id);
        else if (!role_is_person(m->member.role) && m != s->folder->self &&
                 !(i >= members_before ? transport_add(s->transport, &peer, &problem)
                                       : transport_renew(s->transport, &peer, &problem)))
            log_problem(LOG_LEVEL_ERROR, "member-unreachable", &problem);
    }
}

/* Verified line by line; what is good and new is on disk before anything follows from it.  Lines that are not, wherever they
 * stand, leave what was there. */
bool station_take_roster(struct station *s, const char *text, size_t n, const char *from, struct problem *err)
{
    struct folder *f = s->folder;
    struct problem saving;
    struct roster_news *news = calloc(1, sizeof *news);
    char *room = malloc(ROSTER_MAX);
    int before = f->cluster.n, count = 0;
    bool good = news && room;
    if (good) {
        good = roster_merge(&f->roster, &f->cluster, text, n, from, &count, err);
        if (count > 0 && !roster_save(&f->roster, f->config.state_dir, &saving))
            log_problem(LOG_LEVEL_ERROR, "roster-not-kept", &saving); /* told again after the next start */
        if (count > 0) {
            tell_transport(s, before);
            cluster_judge_persons(&s->folder->cluster, clock_wall_us() / 1000000);
            news_step(s, news, room);
            if (s->running && s->hand.roster)
                s->hand.roster(s->hand.arg);
        }
    } else {
        problem_fact(err, "out of memory");
    }
    free(news);
    free(room);
    return good;
}

/* ---- our own key ------------------------------------------------------------------------------------------------------ */

/* The key that waits in the state folder takes the place of the one in use: first on disk, then in frames, then link by link. */
static bool use_next(struct station *s, struct problem *err)
{
    struct folder *f = s->folder;
    struct key next;
    struct roster_news *news = calloc(1, sizeof *news);
    char *room = malloc(ROSTER_MAX);
    bool good = news != NULL && room != NULL ? keys_next(f->config.state_dir, false, &next, err)
                                             : problem_fact(err, "out of memory");
    if (good && memcmp(next.public, f->self->member.key, KEY_SIZE) != 0) {
        problem_fact(err, "the new key of \"%s\" is not the one in its state folder", f->config.member);
        good = problem_hint(err, "Rotate once more: \"pgmesh member rotate %s\".", f->config.member);
    }
    if (good && keys_use_next(f->config.state_dir, err) && transport_rekey(s->transport, &next, err)) {
        f->key = next;
        station_news(s, news, room);
        news->secret = &f->key.secret;
        log_event(LOG_LEVEL_INFO, "key-used", "every voter knows the new key of %s: it is in use",
                  f->config.member);
        station_step(s, &(struct event){.kind = EVENT_ROSTER, .now = clock_now(), .roster = news});
    } else
        good = false;
    keys_wipe(&next, sizeof next);
    free(news);
    free(room);
    return good;
}

static bool retire_former(struct station *s, struct problem *err)
{
    const struct folder *f = s->folder;
    member_id id = f->self->member.id;
    char line[ROSTER_LINE_SIZE], text[ROSTER_LINE_SIZE + sizeof heading + 2];
    roster_sign_retirement(line, &f->cluster, id, s->key_round, roster_version(&f->roster, ROSTER_MEMBER, id),
                           &f->key);
    int n = snprintf(text, sizeof text, "%s\n%s\n", heading, line);
    return station_take_roster(s, text, (size_t)n, "our own retirement", err);
}

void station_key_turn(struct station *s)
{
    struct folder *f = s->folder;
    struct problem problem = {0};
    bool good = true;
    if (memcmp(f->key.public, f->self->member.key, KEY_SIZE) != 0)
        good = use_next(s, &problem);
    else if (member_rotates(&f->self->member))
        good = !transport_renewed(s->transport) || retire_former(s, &problem);
    else {
        transport_listen_anew(s->transport);
        tell_core(s); /* until it listens anew, which may take a moment, this is tried again */
    }
    instant now = clock_now();
    if (!good && (instant_is_never(s->key_refused_at) ||
                  instant_elapsed_least(now, s->key_refused_at).ns > span_ms(KEY_REFUSED_LOG_MS).ns)) {
        log_problem(LOG_LEVEL_WARNING, "key-missing", &problem);
        s->key_refused_at = now;
    }
}

/* A key for us, made here and kept here: its public half, and the present key's word that it is ours. */
json_t *station_key_answer(struct station *s)
{
    const struct folder *f = s->folder;
    struct problem problem = {0};
    struct key next;
    char public[2 * KEY_SIZE + 1], signature[2 * SIGNATURE_SIZE + 1];
    uint8_t proof[SIGNATURE_SIZE];
    if (member_rotates(&f->self->member)) {
        problem_fact(&problem, "a rotation of the key of \"%s\" is under way", f->config.member);
        problem_hint(&problem,
                     "It goes on when every voter has heard of it: \"pgmesh members\" tells who has not.");
    } else if (keys_next(f->config.state_dir, true, &next, &problem)) {
        cluster_request_sign(proof, &f->cluster.id, f->config.member, next.public, &f->key);
        hex_put(public, next.public, KEY_SIZE);
        hex_put(signature, proof, sizeof proof);
        keys_wipe(&next, sizeof next);
        return json_pack("{s:s, s:s, s:s}", "member", f->config.member, "key", public, "proof", signature);
    }
    return json_pack("{s:s, s:s, s:s}", "error", problem.fact, "detail", problem.detail, "hint",
                     problem.hint);
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

/* The roster as it is, after a line that the request may bring; and, where asked for, the decided record with its proof, from
 * which a new member begins. */
json_t *station_roster_answer(struct station *s, const json_t *request)
{
    struct problem problem = {0};
    const char *line = json_string_value(json_object_get(request, "line"));
    char *text = malloc(ROSTER_MAX), *hex;
    uint8_t *record = malloc(FRAME_BODY_MAX);
    json_t *out = json_object();
    if (text == NULL || record == NULL || out == NULL)
        problem_fact(&problem, "out of memory");
    else if (line != NULL) {
        int n = snprintf(text, ROSTER_MAX, "pgmesh-roster 1\n%s\n", line);
        station_take_roster(s, text, n < ROSTER_MAX ? (size_t)n : 0, "the line", &problem);
    }
    if (problem.fact[0] == '\0') {
        size_t n = roster_text(&s->folder->roster, text);
        json_object_set_new(out, "roster", json_stringn(text, n));
        json_object_set_new(out, "version", json_integer((json_int_t)s->folder->roster.version));
        n = wire_put_decided(record, &s->core->disk.decided);
        if (json_is_true(json_object_get(request, "record")) && (hex = malloc(2 * n + 1)) != NULL) {
            hex_put(hex, record, n);
            json_object_set_new(out, "record", json_string(hex));
            free(hex);
        }
    } else {
        json_object_set_new(out, "error", json_string(problem.fact));
        json_object_set_new(out, "detail", json_string(problem.detail));
        json_object_set_new(out, "hint", json_string(problem.hint));
    }
    free(text);
    free(record);
    return out;
}
