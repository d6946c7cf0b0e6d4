/* status.c: pgmesh status and pgmesh members. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/show.h"
#include "mesh/io/clock.h"

static const char *join(const json_t *list, const char *empty)
{
    char joined[512] = "";
    size_t i, used = 0;
    json_t *one;
    json_array_foreach((json_t *)list, i, one)
    {
        const char *s = json_is_string(one) ? json_string_value(one) : "?";
        int n = snprintf(joined + used, sizeof joined - used, "%s%s", used == 0 ? "" : ", ", s);
        used += n > 0 && used + (size_t)n < sizeof joined ? (size_t)n : 0;
    }
    return used == 0 ? empty : text("%s", joined);
}

/* ---- the headline ------------------------------------------------------------------------------------------------- */

static const char *sync_text(const struct view *v)
{
    const json_t *sync = json_object_get(v->json, "sync"), *joint = json_object_get(v->json, "joint");
    if (strcmp(v->durability, "async") == 0)
        return "async";
    if (json_array_size(json_object_get(sync, "members")) == 0 && !v->joint)
        return text("%s, nobody confirms", v->durability);
    const char *first =
        text("%s ANY %lld (%s)", v->durability, v->sync_k, join(json_object_get(sync, "members"), "nobody"));
    if (!json_is_object(joint))
        return first;
    return text("%s → ANY %lld (%s)", first, json_number(joint, "k", 0),
                join(json_object_get(joint, "members"), "nobody"));
}

static const char *lease_text(const struct view *v)
{
    if (v->lease_left_ms >= 0 && v->lease_ms > 0)
        return text(" · lease %lld ms of %lld", v->lease_left_ms, v->lease_ms);
    long long granted = json_number(v->json, "grant_left_ms", -1); /* we are a voter: what we promised */
    if (granted >= 0 && v->lease_ms > 0)
        return text(" · our grant %lld ms of %lld", granted, v->lease_ms);
    return v->lease_ms > 0 ? text(" · lease of %lld ms", v->lease_ms) : "";
}

static void headline(struct output *o, const struct view *v)
{
    const struct view_member *primary = view_find(v, v->primary);
    const char *who = primary == NULL ? "no primary" : text("primary %s (%s)", v->primary, primary->site);
    const char *state = v->healthy ? "healthy" : !v->serving ? "NOT SERVING" : "DEGRADED";
    enum tone tone = v->healthy ? TONE_GOOD : !v->serving ? TONE_BAD : TONE_WARN;
    output_tone(o, tone, 2, "cluster %s · term %llu · %s%s · %s%s · %s", v->cluster, v->term, who,
                lease_text(v), sync_text(v), v->paused ? " · PAUSED" : "", state);
    if (v->paused)
        output_tone(o, TONE_WARN, 2, "no automatic failover: paused%s%s", *v->paused_why == '\0' ? "" : ", ",
                    v->paused_why);
}

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static const char *postgres_text(const struct view *v, const struct view_member *m)
{
    if (!m->is_self && m->heard_ms < 0)
        return "?";
    if (strcmp(m->role, "database") != 0)
        return *m->postgres == '\0' || strcmp(m->postgres, "none") == 0 ? "–" : m->postgres;
    if (!m->is_self && strcmp(m->state, "silent") == 0)
        return text("was %s", strcmp(m->postgres, "recovery") == 0 ? "standby" : m->postgres);
    if (strcmp(m->postgres, "primary") == 0)
        return !m->is_primary ? "primary, NOT NAMED" : m->ready ? "primary" : "primary, not ready";
    if (strcmp(m->postgres, "recovery") != 0)
        return *m->postgres == '\0' ? "?" : m->postgres;
    if (!m->streaming)
        return "standby, not streaming";
    return strcmp(v->durability, "async") == 0 ? "standby"
           : m->in_sync                        ? "standby · sync"
                                               : "standby · async";
}

static const char *lag_text(const struct view_member *m)
{
    if (m->is_primary || strcmp(m->role, "database") != 0 || m->lag_bytes < 0)
        return "–";
    const char *bytes = text_bytes((unsigned long long)m->lag_bytes);
    return m->lag_ms < 0 ? bytes : text("%s · %s", bytes, text_duration((unsigned long long)m->lag_ms));
}

static enum tone state_tone(const struct view_member *m)
{
    return m->is_self || strcmp(m->state, "up") == 0 ? TONE_GOOD
           : strcmp(m->state, "late") == 0           ? TONE_WARN
                                                     : TONE_BAD;
}

/* One that was started a moment ago grants leases, and takes no part in a takeover yet. */
static const char *vote_text(const struct view_member *m)
{
    return !m->voter              ? "–"
           : !m->votes            ? "no"
           : m->quarantine_ms > 0 ? text("in %s", text_duration((unsigned long long)m->quarantine_ms))
                                  : "yes";
}

static void member_row(struct table *t, const struct view *v, const struct view_member *m)
{
    bool database = strcmp(m->role, "database") == 0;
    table_cell(t, m->is_primary ? TONE_STRONG : TONE_PLAIN, "%s", m->name);
    table_cell(t, TONE_PLAIN, "%s", m->role);
    table_cell(t, TONE_PLAIN, "%s", m->site);
    table_cell(t, state_tone(m), "%s", *m->state == '\0' ? "?" : m->state);
    table_cell(t, TONE_PLAIN, "%s", postgres_text(v, m));
    table_cell(t, TONE_PLAIN, "%s", database && m->timeline > 0 ? text("%lld", m->timeline) : "–");
    table_cell(t, TONE_PLAIN, "%s", database && m->lsn > 0 ? m->lsn_text : "–");
    table_cell(t, m->lag_bytes > 64 * 1024 * 1024 ? TONE_WARN : TONE_PLAIN, "%s", lag_text(m));
    table_cell(t, m->voter && (!m->votes || m->quarantine_ms > 0) ? TONE_WARN : TONE_PLAIN, "%s",
               vote_text(m));
    table_cell(t, TONE_PLAIN, "%s",
               m->is_self        ? "–"
               : m->heard_ms < 0 ? "never"
                                 : text("%s ago", text_duration((unsigned long long)m->heard_ms)));
}

static void table_of_members(struct output *o, const struct view *v)
{
    static const struct column columns[] = {{"MEMBER", 0, false}, {"ROLE", 3, false},     {"SITE", 4, false},
                                            {"STATE", 0, false},  {"POSTGRES", 0, false}, {"TL", 7, true},
                                            {"LSN", 6, false},    {"LAG", 1, false},      {"VOTE", 5, false},
                                            {"HEARD", 2, false}};
    struct table t;
    table_open(&t, columns, 10);
    for (int i = 0; i < v->n; i++)
        if (strcmp(v->members[i].role, "operator") != 0)
            member_row(&t, v, &v->members[i]);
    table_print(o, &t);
    table_close(&t);
}

void status_print(struct output *o, const struct view *v)
{
    struct view_estimate e;
    view_estimate(v, &e);
    headline(o, v);
    output_blank(o);
    table_of_members(o, v);
    if (!e.known)
        return;
    output_blank(o);
    output_tone(o, e.who == NULL ? TONE_WARN : TONE_PLAIN, 2, "%s", view_estimate_text(v, &e));
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

static int status_code(const struct view *v)
{
    return v->serving ? EXIT_OK : EXIT_NO_PRIMARY;
}

static int status_ask(struct inspect *x, struct view *v, json_t **answer)
{
    int code = EXIT_OK;
    *answer = NULL;
    return args_none(x, &code) ? view_ask(x, v, answer) : code;
}

int command_status(struct inspect *x)
{
    static struct view v;
    struct view_estimate e;
    json_t *answer;
    int code = status_ask(x, &v, &answer);
    if (answer == NULL)
        return code;
    view_estimate(&v, &e);
    code = status_code(&v);
    if (x->out.json) {
        json_object_set_new(answer, "if_primary_died", view_estimate_json(&e));
        output_json(&x->out, answer);
        return code;
    }
    status_print(&x->out, &v);
    json_decref(answer);
    return code;
}

/* ---- members -------------------------------------------------------------------------------------------------------- */

static const char *expiry_text(const struct view_member *m)
{
    long long days = (m->expires_us - clock_wall_us()) / VIEW_DAY_US;
    return days < 0 ? text("certificate EXPIRED: the member does not start again")
                    : text("certificate valid for another %lld day%s%s", days, days == 1 ? "" : "s",
                           days < VIEW_EXPIRY_DAYS ? ": RENEW it (pgmesh member renew)" : "");
}

static void member_text(struct inspect *x, const struct view *v, const struct view_member *m)
{
    bool database = strcmp(m->role, "database") == 0;
    const char *heard = m->is_self ? "the member asked"
                        : m->heard_ms < 0
                            ? "never heard"
                            : text("heard %s ago", text_duration((unsigned long long)m->heard_ms));
    output_tone(&x->out, TONE_STRONG, 2, "%s · %s · site %s · member %u%s", m->name, m->role, m->site, m->id,
                m->is_primary ? " · primary" : "");
    output_field(&x->out, "state", "%s · %s%s", *m->state == '\0' ? "?" : m->state, heard,
                 m->heard_ms < 0 || *m->verdict == '\0' ? ""
                                                        : text(" · says of the primary: %s", m->verdict));
    output_field(&x->out, "votes", "%s",
                 m->votes && m->quarantine_ms > 0
                     ? text("yes; started a moment ago, so it refuses takeovers for another %s",
                            text_duration((unsigned long long)m->quarantine_ms))
                 : m->votes  ? "yes"
                 : !m->voter ? "no, and is no voter"
                 : m->heard_ms < 0
                     ? "not known"
                     : "NO, though a voter: its votes were lost; see \"pgmesh readmit --help\"");
    output_field(&x->out, "address", "%s", join(m->addresses, "none"));
    if (m->expires_us >= 0 || m->rotating)
        output_field(&x->out, "key", "%s%s",
                     m->expires_us >= 0 ? expiry_text(m) : "certificate without an end",
                     m->rotating ? " · being rotated: both keys are good until every voter has heard" : "");
    if (database && (m->is_self || m->heard_ms >= 0)) {
        output_field(&x->out, "postgres", "%s · timeline %lld · %s%s", postgres_text(v, m),
                     m->timeline < 0 ? 0 : m->timeline, m->lsn > 0 ? m->lsn_text : "no WAL known",
                     strcmp(lag_text(m), "–") == 0 ? "" : text(" · %s behind", lag_text(m)));
        const char *found = join(m->preflight, "");
        output_field(&x->out, "checks", "%s%s", *found == '\0' ? "nothing stands against a promotion" : found,
                     *view_barred(m) == '\0' ? "" : text(" · %s bars a promotion", view_barred(m)));
    }
    output_blank(&x->out);
}

int command_members(struct inspect *x)
{
    static struct view v;
    json_t *answer;
    int code = status_ask(x, &v, &answer);
    if (answer == NULL)
        return code;
    if (x->out.json)
        output_json(&x->out, json_pack("{s:s,s:I,s:s?,s:O}", "cluster", v.cluster, "term", (json_int_t)v.term,
                                       "primary", *v.primary == '\0' ? NULL : v.primary, "members",
                                       json_object_get(answer, "members")));
    for (int i = 0; i < v.n && !x->out.json; i++)
        if (strcmp(v.members[i].role, "operator") != 0)
            member_text(x, &v, &v.members[i]);
    json_decref(answer);
    return EXIT_OK;
}
