/* view.c: see view.h. */
#define _GNU_SOURCE
#include "mesh/io/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/io/clock.h"
#include "mesh/io/json.h"
#include "policy/candidate.h"
#include "policy/durability.h"
#include "policy/quorum.h"

/* Is the member's name in the list? */
static bool lists(const json_t *list, const struct view_member *m)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)list, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), m->name) == 0)
            return true;
    }
    return false;
}

long long view_lsn(const char *text)
{
    unsigned high, low;
    return sscanf(text, "%X/%X", &high, &low) == 2 ? (long long)high << 32 | low : -1;
}

static void member_read(struct view_member *m, const json_t *j, const struct view *v)
{
    const json_t *sync = json_object_get(v->json, "sync");
    *m = (struct view_member){.json = j};
    m->id = (member_id)json_number(j, "id", 0);
    m->name = json_text(j, "name");
    m->role = json_text(j, "role");
    m->site = json_text(j, "site");
    m->state = json_text(j, "state");
    m->postgres = json_text(j, "postgres");
    m->verdict = json_text(j, "verdict");
    m->lsn_text = json_text(j, "lsn");
    m->lsn = view_lsn(m->lsn_text);
    m->timeline = json_number(j, "timeline", -1);
    m->lag_bytes = json_number(j, "lag_bytes", -1);
    m->lag_ms = json_number(j, "lag_ms", -1);
    m->heard_ms = json_number(j, "heard_ms", -1);
    m->votes = json_flag(j, "vote");
    m->quarantine_ms = json_number(j, "quarantine_ms", 0);
    m->rotating = json_flag(j, "key_rotating");
    m->expires_us = clock_parse(json_text(j, "valid_until"));
    m->voter = lists(json_object_get(v->json, "voters"), m);
    m->streaming = json_flag(j, "streaming");
    m->ready = json_flag(j, "ready");
    m->preflight = json_object_get(j, "preflight");
    m->addresses = json_object_get(j, "addresses");
    m->is_primary = *m->name != '\0' && strcmp(m->name, v->primary) == 0;
    m->is_self = strcmp(m->name, v->self) == 0;
    m->in_sync = lists(json_object_get(sync, "members"), m) ||
                 lists(json_object_get(json_object_get(v->json, "joint"), "members"), m);
}

static bool up(const struct view_member *m)
{
    return m->is_self || strcmp(m->state, "up") == 0 || strcmp(m->state, "late") == 0;
}

void view_read(struct view *v, const json_t *answer)
{
    json_t *members = json_object_get(answer, "members"), *one;
    size_t i;
    memset(v, 0, sizeof *v);
    v->json = answer;
    v->cluster = json_text(answer, "cluster");
    v->durability = json_text(answer, "durability");
    v->rule = json_text(answer, "rule");
    v->primary = json_text(answer, "primary");
    v->self = json_text(answer, "self");
    v->verdict = json_text(answer, "verdict");
    v->term = (unsigned long long)json_number(answer, "term", 0);
    v->joint = json_is_object(json_object_get(answer, "joint"));
    v->healthy = json_flag(answer, "healthy");
    v->paused = json_flag(answer, "paused");
    v->paused_why = json_text(answer, "paused_why");
    v->lease_ms = json_number(answer, "lease_ms", -1);
    v->lease_left_ms = json_number(answer, "lease_left_ms", -1);
    v->sync_k = json_number(json_object_get(answer, "sync"), "k", 0);
    json_array_foreach(members, i, one) if (v->n < MEMBERS_MAX) member_read(&v->members[v->n++], one, v);
    const struct view_member *primary = view_find(v, v->primary);
    v->serving = primary != NULL && up(primary) && primary->ready;
}

const struct view_member *view_find(const struct view *v, const char *name)
{
    for (int i = 0; i < v->n; i++)
        if (strcmp(v->members[i].name, name) == 0)
            return &v->members[i];
    return NULL;
}

/* ---- if the primary died now -------------------------------------------------------------------------------------- */

const char *view_barred(const struct view_member *m)
{
    static const char *const bars[] = {"parameters", "recovery_target", "delayed", "checksum", "disk_full"};
    for (size_t i = 0; i < sizeof bars / sizeof *bars; i++) {
        size_t k;
        json_t *one;
        json_array_foreach((json_t *)m->preflight, k,
                           one) if (json_is_string(one) &&
                                    strcmp(json_string_value(one), bars[i]) == 0) return bars[i];
    }
    return "";
}

static enum durability durability_of(const struct view *v)
{
    return strcmp(v->durability, "async") == 0    ? DURABILITY_ASYNC
           : strcmp(v->durability, "strict") == 0 ? DURABILITY_STRICT
                                                  : DURABILITY_SYNC;
}

uint32_t view_up(const struct view *v)
{
    uint32_t bits = 0;
    for (int i = 0; i < v->n; i++)
        bits |= up(&v->members[i]) ? 1u << i : 0;
    return bits;
}

static void count_votes(const struct view *v, struct view_side *s)
{
    struct voters voters = {.rule = strcmp(v->rule, "sites") == 0 ? RULE_SITES : RULE_MAJORITY};
    uint32_t have = 0;
    for (int i = 0; i < v->n && voters.n < VOTERS_MAX; i++) {
        const struct view_member *m = &v->members[i];
        if (!m->voter)
            continue;
        struct voter *voter = &voters.v[voters.n];
        voter->id = m->id;
        snprintf(voter->site, sizeof voter->site, "%s", m->site);
        if (m->votes && s->there >> i & 1) {
            have |= 1u << voters.n;
            s->votes++;
        }
        voters.n++;
    }
    s->voters = voters.n;
    s->quorum = quorum_reached(&voters, have);
}

/* A sync set as the answer names it.  All directories are 1: a member's answer tells none. */
static void set_read(const struct view *v, const char *key, struct sync_set *set)
{
    const json_t *j = json_object_get(v->json, key);
    memset(set, 0, sizeof *set);
    for (int i = 0; i < v->n; i++)
        if (lists(json_object_get(j, "members"), &v->members[i]))
            sync_set_add(set, v->members[i].id, 1);
    set->k = (uint8_t)json_number(j, "k", 0);
}

static void base_read(const struct view *v, struct record *base)
{
    const struct view_member *primary = view_find(v, v->primary);
    memset(base, 0, sizeof *base);
    base->joint = v->joint;
    base->durability = durability_of(v);
    base->primary = primary == NULL ? MEMBER_NONE : primary->id;
    base->primary_dir = 1;
    set_read(v, "sync", &base->sync[0]);
    set_read(v, "joint", &base->sync[1]);
}

/* Would the databases of this side be enough to be sealed?  The policy's own arithmetic. */
static void count_seals(const struct view *v, struct view_side *s)
{
    struct record base;
    struct sealed seals[DATABASES_MAX];
    size_t n = 0;
    base_read(v, &base);
    for (int i = 0; i < v->n && n < DATABASES_MAX; i++)
        if (s->there >> i & 1 && strcmp(v->members[i].role, "database") == 0)
            seals[n++] = (struct sealed){.id = v->members[i].id, .dir = 1};
    s->seals = seals_suffice(&base, seals, n);
    s->wanted = base.durability == DURABILITY_ASYNC ? 0 : base.sync[0].k;
    for (size_t i = 0; i < n; i++)
        s->confirming += sync_set_find(&base.sync[0], seals[i].id) != NULL;
    if (s->seals)
        return;
    if (base.sync[0].n == 0 || (base.joint && base.sync[1].n == 0))
        snprintf(s->blocked, sizeof s->blocked,
                 "no standby is known to have every commit, so only %s may come back by itself", v->primary);
    else
        snprintf(s->blocked, sizeof s->blocked,
                 "too few of the standbys that confirm commits are there to prove that none is lost");
}

static struct candidate candidate_of(const struct view *v, const struct view_member *m)
{
    const struct view_member *primary = view_find(v, v->primary);
    return (struct candidate){
        .sealed = {.id = m->id, .wal_term = v->term, .lsn = m->lsn < 0 ? 0 : (lsn_t)m->lsn},
        .eligible = *view_barred(m) == '\0',
        .same_site = primary != NULL && strcmp(primary->site, m->site) == 0,
        .priority = (uint16_t)json_number(m->json, "priority", 0)};
}

const char *view_unfit(const struct view *v, const struct view_member *m, uint32_t there)
{
    if ((there >> (m - v->members) & 1) == 0)
        return m->heard_ms < 0 ? "it was never heard" : "it is not there";
    if (strcmp(m->postgres, "recovery") != 0)
        return m->is_primary ? "it is the primary" : "its PostgreSQL is no running standby";
    if (*view_barred(m) != '\0')
        return "its pre-flight check bars a promotion";
    return json_number(m->json, "priority", 1) == 0 ? "it is configured as no candidate" : NULL;
}

const char *view_behind(const struct view *v, const struct view_member *m, const struct view_member *best,
                        long long *bytes)
{
    struct candidate a = candidate_of(v, best), b = candidate_of(v, m);
    const char *step = "";
    candidate_cmp(&a, &b, &step);
    *bytes = (long long)(a.sealed.lsn - b.sealed.lsn);
    return step;
}

static void choose(const struct view *v, struct view_side *s)
{
    for (int i = 0; i < v->n; i++) {
        const struct view_member *m = &v->members[i];
        if (strcmp(m->role, "database") != 0 || m->is_primary || view_unfit(v, m, s->there) != NULL)
            continue;
        struct candidate a = candidate_of(v, m), best = candidate_of(v, s->who == NULL ? m : s->who);
        if (s->who == NULL || candidate_cmp(&a, &best, NULL) < 0)
            s->who = m;
    }
    if (s->who == NULL)
        snprintf(s->blocked, sizeof s->blocked, "no other database is fit to be promoted");
}

void view_side(const struct view *v, uint32_t there, struct view_side *s)
{
    const struct view_member *primary = view_find(v, v->primary);
    *s = (struct view_side){.there = there};
    s->primary = primary != NULL && (there >> (primary - v->members) & 1);
    count_votes(v, s);
    count_seals(v, s);
    if (s->primary)
        s->blocked[0] = '\0';
    else if (v->paused)
        snprintf(s->blocked, sizeof s->blocked, "failover is paused");
    else if (!s->quorum)
        snprintf(s->blocked, sizeof s->blocked, "the other voters that can be heard are no quorum");
    else if (s->seals)
        choose(v, s);
}

bool view_quorum(const struct view *v)
{
    struct view_side all;
    view_side(v, view_up(v), &all);
    return all.quorum;
}

void view_estimate(const struct view *v, struct view_estimate *e)
{
    const struct view_member *primary = view_find(v, v->primary);
    struct view_side others;
    memset(e, 0, sizeof *e);
    if (primary == NULL)
        return;
    e->known = true;
    view_side(v, view_up(v) & ~(1u << (primary - v->members)), &others);
    e->who = others.who;
    snprintf(e->blocked, sizeof e->blocked, "%s", others.blocked);
    if (e->who == NULL)
        return;
    long long lease_ms = v->lease_ms > 0 ? v->lease_ms : 600, quarantine_ms = e->who->quarantine_ms;
    e->ms = (quarantine_ms > lease_ms ? quarantine_ms : lease_ms) + VIEW_DECIDE_AND_PROMOTE_MS;
    if (durability_of(v) == DURABILITY_ASYNC)
        e->bytes_at_risk = primary->lsn < 0 || e->who->lsn < 0 ? -1
                           : primary->lsn > e->who->lsn        ? primary->lsn - e->who->lsn
                                                               : 0;
}
