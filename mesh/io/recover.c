#include "mesh/io/recover.h"

#include "mesh/core_state.h"
#include "mesh/io/json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Milliseconds since member i was heard; 0 for ourselves, -1 never. */
static int64_t heard_ms(const struct status_view *v, int i)
{
    const struct peer *p = &v->core->peers[i];
    if (i == v->core->self_index)
        return 0;
    return p->heard ? span_to_ms(instant_elapsed_most(v->now, p->at)) : -1;
}

static bool heard(const struct status_view *v, int i)
{
    int64_t ms = i < 0 ? -1 : heard_ms(v, i);
    return ms >= 0 && ms <= RECOVER_HEARD_MS && !v->core->members[i].revoked;
}

/* Its store is whole, as far as it says. */
static bool whole(const struct status_view *v, int i)
{
    return i == v->core->self_index ? !v->core->disk.lost
                                    : v->core->peers[i].heard && !v->core->peers[i].beat.lost;
}

static const char *name_of(const struct status_view *v, member_id id)
{
    return cluster_member_name(v->cluster, id);
}

/* ---- the survey ------------------------------------------------------------------------------------------------------ */

static void add_hex(json_t *out, const char *key, uint64_t value)
{
    char text[20];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)value);
    json_object_set_new(out, key, json_string(text));
}

/* Its data directory, by its own word; of ourselves at first hand. */
static void add_data(const struct status_view *v, int i, json_t *out)
{
    const struct core *c = v->core;
    struct pg_report g = c->peers[i].beat.pg;
    if (i == c->self_index)
        g = (struct pg_report){.phase = c->sample.phase,
                               .timeline = c->sample.timeline,
                               .lsn = c->sample.lsn,
                               .dir = c->disk.dir,
                               .wal_term = record_term_of_timeline(decided(c), c->sample.timeline)};
    json_object_set_new(out, "postgres", json_string(pg_phase_name(g.phase)));
    json_object_set_new(out, "timeline", json_integer(g.timeline));
    json_object_set_new(out, "lsn", json_integer((json_int_t)g.lsn));
    json_object_set_new(out, "wal_term", json_integer((json_int_t)g.wal_term));
    add_hex(out, "dir", g.dir);
}

static json_t *member_json(const struct status_view *v, int i)
{
    const struct core *c = v->core;
    const struct record *r = &c->disk.accepted.record;
    const struct heartbeat *h = &c->peers[i].beat;
    bool self = i == c->self_index;
    int64_t ms = heard_ms(v, i);
    json_t *out = json_pack("{s:i,s:s,s:s,s:s,s:b,s:b,s:b,s:o}", "id", (int)c->members[i].id, "name",
                            c->members[i].name, "role", cluster_role_name(c->members[i].role), "site",
                            c->members[i].site, "voter", record_voter(r, c->members[i].id) != NULL, "heard",
                            (int)heard(v, i), "store_lost", (int)!whole(v, i), "heard_ms",
                            ms < 0 ? json_null() : json_integer(ms));
    if (ms < 0)
        return out;
    json_object_set_new(out, "promised_round",
                        json_integer((json_int_t)(self ? c->disk.promised : h->promised).round));
    json_object_set_new(out, "sealed_round",
                        json_integer((json_int_t)(self ? c->disk.sealed_for : h->sealed_for).round));
    /* Somebody who has accepted more than we is the one to be asked. */
    json_object_set_new(out, "knows_more",
                        json_boolean(!self && ballot_cmp(h->accepted, c->disk.accepted.ballot) > 0));
    if (c->members[i].role == ROLE_DATABASE)
        add_data(v, i, out);
    return out;
}

static json_t *record_json(const struct core *c)
{
    struct certificate *cert = calloc(1, sizeof *cert);
    uint8_t *bytes = malloc(FRAME_BODY_MAX);
    char *hex = malloc(2 * FRAME_BODY_MAX + 1);
    json_t *out = json_null();
    if (cert && bytes && hex) {
        cert->proposal = c->disk.accepted;
        hex_put(hex, bytes, wire_put_decided(bytes, cert));
        out = json_string(hex);
    }
    free(cert);
    free(bytes);
    free(hex);
    return out;
}

json_t *recover_survey(const struct status_view *v)
{
    const struct core *c = v->core;
    char id[2 * CLUSTER_ID_SIZE + 1];
    json_t *members = json_array();
    hex_put(id, v->cluster->id.b, sizeof v->cluster->id.b);
    for (int i = 0; i < c->n_members; i++)
        if (!role_is_person(c->members[i].role) && !c->members[i].revoked)
            json_array_append_new(members, member_json(v, i));
    return json_pack("{s:s,s:s,s:s,s:o,s:b,s:I,s:o}", "cluster", v->cluster->name, "cluster_id", id, "self",
                     name_of(v, c->self), "record", record_json(c), "undecided",
                     (int)(ballot_cmp(c->disk.accepted.ballot, decided_ballot(c)) > 0), "epoch",
                     (json_int_t)(c->reform.epoch > ballot_epoch(decided_ballot(c))
                                      ? c->reform.epoch
                                      : ballot_epoch(decided_ballot(c))),
                     "members", members);
}

struct certificate *recover_read(const json_t *request, struct problem *why)
{
    const char *hex = json_text(request, "record");
    size_t n = strlen(hex) / 2;
    struct certificate *cert = calloc(1, sizeof *cert);
    uint8_t *bytes = malloc(FRAME_BODY_MAX);
    bool good = cert && bytes && n > 0 && n <= FRAME_BODY_MAX && hex_get(bytes, n, hex, strlen(hex)) &&
                wire_get_decided(cert, bytes, n);
    free(bytes);
    if (good)
        return cert;
    free(cert);
    problem_fact(why, "the request brings no record");
    return NULL;
}

/* ---- refusing ---------------------------------------------------------------------------------------------------------- */

bool recover_barred(const struct status_view *v, const struct record *r, struct problem *why)
{
    const struct voters *now = &decided(v->core)->voters;
    uint32_t have = 0;
    for (int k = 0; k < now->n; k++) {
        int i = member_index(v->core, now->v[k].id);
        if (heard(v, i) && whole(v, i))
            have |= 1u << k;
    }
    if (quorum_reached(now, have)) {
        problem_fact(why, "a majority of the voters is there");
        problem_detail(why, "%s has heard enough of them within %d s.", name_of(v, v->core->self),
                       RECOVER_HEARD_MS / 1000);
        problem_hint(
            why, "They decide by themselves; \"pgmesh status\" and \"pgmesh why-not\" tell what holds them "
                 "up.");
        return true;
    }
    for (int k = 0; k < now->n; k++) {
        if (!(have >> k & 1) || record_voter(r, now->v[k].id))
            continue;
        problem_fact(why, "%s is not lost", name_of(v, now->v[k].id));
        problem_detail(why, "%s heard it within %d s.", name_of(v, v->core->self), RECOVER_HEARD_MS / 1000);
        problem_hint(why, "Let it vote, or stop it first.");
        return true;
    }
    for (int k = 0; k < r->voters.n; k++) {
        int i = member_index(v->core, r->voters.v[k].id);
        if (heard(v, i) && whole(v, i))
            continue;
        problem_fact(why, "%s cannot vote", name_of(v, r->voters.v[k].id));
        problem_detail(why, "%s", heard(v, i) ? "Its store is lost." : "It is not heard.");
        problem_hint(why, "Name voters that are there; others get a vote later (\"pgmesh member vote\").");
        return true;
    }
    return false;
}
