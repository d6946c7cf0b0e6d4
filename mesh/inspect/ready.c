/* ready.c: pgmesh ready: if the primary died now. */
#define _GNU_SOURCE
#include "mesh/inspect/ready.h"

#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/links.h"

/* More to replay than this, and the promotion takes longer than the estimate says. */
enum { BACKLOG_BYTES = 64 * 1024 * 1024, LAG_BYTES = 256 * 1024 * 1024 };

static const char *readiness_name(enum readiness r)
{
    switch (r) {
    case READY: return "ready";
    case READY_DEGRADED: return "degraded";
    case READY_NOT: return "not_ready";
    }
    return "?";
}

static void find(json_t *list, const char *sentence)
{
    json_array_append_new(list, json_string(sentence));
}

static bool there(const struct view *v, const struct view_member *m)
{
    return view_up(v) >> (m - v->members) & 1;
}

static void judge_voter(const struct view *v, const struct view_member *m, json_t *list)
{
    if (!m->voter)
        return;
    if (!there(v, m))
        find(list, text("voter %s is not heard", m->name));
    else if (!m->votes)
        find(list,
             text("voter %s does not vote: its store was lost (\"pgmesh readmit %s\")", m->name, m->name));
}

static void judge_database(const struct view *v, const struct view_member *m, json_t *list)
{
    if (strcmp(m->role, "database") != 0 || m->is_primary)
        return;
    const char *unfit = view_unfit(v, m, view_up(v));
    if (unfit != NULL)
        find(list, text("%s cannot take over: %s", m->name, unfit));
    else if (!m->streaming)
        find(list, text("%s is not streaming", m->name));
    else if (m->lag_bytes > LAG_BYTES)
        find(list, text("%s is %s behind", m->name, text_bytes((unsigned long long)m->lag_bytes)));
}

static void judge_best(const struct view_estimate *e, json_t *list)
{
    const struct view_member *m = e->who;
    size_t i;
    json_t *one;
    if (e->bytes_at_risk != 0)
        find(list, e->bytes_at_risk < 0
                       ? "the number of bytes at risk is not known"
                       : text("%s at risk (async)", text_bytes((unsigned long long)e->bytes_at_risk)));
    long long replayed = view_lsn(json_text(m->json, "replay_lsn"));
    if (m->lsn > 0 && replayed > 0 && m->lsn - replayed > BACKLOG_BYTES)
        find(list,
             text("%s has %s to replay first", m->name, text_bytes((unsigned long long)(m->lsn - replayed))));
    json_array_foreach((json_t *)m->preflight, i, one)
        find(list, text("%s: pre-flight finding \"%s\"", m->name,
                        json_is_string(one) ? json_string_value(one) : "?"));
}

enum readiness readiness_judge(const struct view *v, const struct view_estimate *e, json_t **findings)
{
    json_t *list = *findings = json_array();
    long long wanted = json_number(json_object_get(v->json, "settings"), "sync_standbys", v->sync_k);
    if (!e->known)
        find(list, "the record names no primary");
    else if (!v->serving)
        find(list, text("primary %s does not serve", v->primary));
    else if (e->who == NULL)
        find(list, e->blocked);
    if (json_array_size(list) > 0)
        return READY_NOT;
    for (int i = 0; i < v->n; i++) {
        judge_voter(v, &v->members[i], list);
        judge_database(v, &v->members[i], list);
    }
    if (strcmp(v->durability, "async") != 0 && v->sync_k < wanted)
        find(list, text("only %lld of %lld standbys confirm commits", v->sync_k, wanted));
    if (v->joint)
        find(list, "the sync set is changing");
    judge_best(e, list);
    json_t *troubles = links_troubles(v);
    json_array_extend(list, troubles);
    json_decref(troubles);
    return json_array_size(list) > 0 ? READY_DEGRADED : READY;
}

/* ---- who would --------------------------------------------------------------------------------------------------- */

static const char *reason(const struct view *v, const struct view_member *m, const struct view_estimate *e)
{
    const char *unfit = view_unfit(v, m, view_up(v));
    if (unfit != NULL || e->who == NULL)
        return unfit;
    return m == e->who ? NULL : view_second(v, m, e->who);
}

static json_t *candidates_json(const struct view *v, const struct view_estimate *e)
{
    json_t *list = json_array();
    for (int i = 0; i < v->n; i++) {
        const struct view_member *m = &v->members[i];
        if (strcmp(m->role, "database") != 0 || m->is_primary)
            continue;
        json_array_append_new(list, json_pack("{s:s,s:b,s:b,s:s?,s:o}", "name", m->name, "fit",
                                              view_unfit(v, m, view_up(v)) == NULL, "takes_over", m == e->who,
                                              "why_not", reason(v, m, e), "lag_bytes",
                                              m->lag_bytes < 0 ? json_null() : json_integer(m->lag_bytes)));
    }
    return list;
}

static void candidates_text(struct inspect *x, const struct view *v, const struct view_estimate *e)
{
    static const struct column columns[] = {
        {"CANDIDATE", 0, false}, {"SITE", 2, false}, {"LAG", 1, true}, {"", 0, false}};
    struct table t;
    table_open(&t, columns, 4);
    for (int i = 0; i < v->n; i++) {
        const struct view_member *m = &v->members[i];
        if (strcmp(m->role, "database") != 0 || m->is_primary)
            continue;
        const char *why = reason(v, m, e);
        table_cell(&t, m == e->who ? TONE_STRONG : TONE_PLAIN, "%s", m->name);
        table_cell(&t, TONE_PLAIN, "%s", m->site);
        table_cell(&t, TONE_PLAIN, "%s",
                   m->lag_bytes < 0 ? "–" : text_bytes((unsigned long long)m->lag_bytes));
        table_cell(&t, TONE_PLAIN, "%s", why != NULL ? why : m == e->who ? "takes over" : "fit");
    }
    table_print(&x->out, &t);
    table_close(&t);
}

static void ready_text(struct inspect *x, const struct view *v, const struct view_estimate *e,
                       enum readiness r, const json_t *findings)
{
    static const char *const heads[] = {"ready", "degraded", "NOT READY"};
    static const enum tone tones[] = {TONE_GOOD, TONE_WARN, TONE_BAD};
    size_t i;
    json_t *one;
    output_tone(&x->out, tones[r], 2, "%s · cluster %s · term %llu · %s", heads[r], v->cluster, v->term,
                view_estimate_text(v, e));
    output_blank(&x->out);
    candidates_text(x, v, e);
    if (json_array_size(findings) > 0)
        output_blank(&x->out);
    json_array_foreach((json_t *)findings, i, one)
        output_tone(&x->out, tones[r], 4, "  %s", json_string_value(one));
}

int command_ready(struct inspect *x)
{
    static struct view v;
    struct view_estimate e;
    json_t *answer, *findings;
    int code = EXIT_OK;
    if (!args_none(x, &code) || (code = view_ask(x, &v, &answer)) != EXIT_OK)
        return code;
    view_estimate(&v, &e);
    enum readiness r = readiness_judge(&v, &e, &findings);
    if (x->out.json)
        output_json(&x->out,
                    json_pack("{s:s,s:I,s:s?,s:s,s:i,s:o,s:O,s:o}", "cluster", v.cluster, "term",
                              (json_int_t)v.term, "primary", *v.primary == '\0' ? NULL : v.primary, "state",
                              readiness_name(r), "exit", (int)r, "if_primary_died", view_estimate_json(&e),
                              "findings", findings, "candidates", candidates_json(&v, &e)));
    else
        ready_text(x, &v, &e, r, findings);
    json_decref(findings);
    json_decref(answer);
    return (int)r;
}
