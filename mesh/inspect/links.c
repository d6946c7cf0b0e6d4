/* links.c: pgmesh links: the matrix of who hears whom. */
#define _GNU_SOURCE
#include "mesh/inspect/links.h"

#include <string.h>

#include "mesh/inspect/client.h"

enum link_state {
    LINK_UNKNOWN, /* the hearing member is not heard itself */
    LINK_DIRECT,  /* over its own link */
    LINK_RELAYED, /* that link is silent; what the other says comes by way of others */
    LINK_SILENT   /* not at all */
};
struct link {
    enum link_state state;
    bool one_way;     /* DIRECT, and the other does not hear it directly */
    long long rtt_us; /* -1 not measured */
    long long age_ms; /* since it heard the other, -1 never */
};

/* ---- what is known ------------------------------------------------------------------------------------------------ */

/* Has a process that hears others. */
static bool link_counts(const struct view_member *m)
{
    return strcmp(m->role, "operator") != 0;
}

static const char *link_state_name(enum link_state state)
{
    switch (state) {
    case LINK_UNKNOWN: return "unknown";
    case LINK_DIRECT: return "direct";
    case LINK_RELAYED: return "relayed";
    case LINK_SILENT: return "silent";
    }
    return "?";
}

static const json_t *told(const struct view_member *a, const struct view_member *b)
{
    const json_t *list = json_object_get(a->json, "hears");
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)list, i, one)
    {
        if (strcmp(json_text(one, "name"), b->name) == 0)
            return one;
    }
    return NULL;
}

static struct link one_side(const struct view *v, const struct view_member *a, const struct view_member *b)
{
    const json_t *j = told(a, b);
    long long limit = v->lease_ms > 0 ? v->lease_ms : 600;
    struct link l = {.state = LINK_UNKNOWN, .rtt_us = -1, .age_ms = -1};
    bool heard = a->is_self || (a->heard_ms >= 0 && a->heard_ms <= limit);
    if (!heard || json_object_get(a->json, "hears") == NULL)
        return l;
    l.age_ms = json_number(j, "age_ms", -1);
    l.rtt_us = json_number(j, "rtt_us", -1);
    l.state = l.age_ms < 0 || l.age_ms > limit ? LINK_SILENT
              : json_flag(j, "direct")         ? LINK_DIRECT
                                               : LINK_RELAYED;
    return l;
}

/* Does `a` hear `b`? */
static struct link link_between(const struct view *v, const struct view_member *a,
                                const struct view_member *b)
{
    struct link l = one_side(v, a, b);
    enum link_state back = one_side(v, b, a).state;
    l.one_way = l.state == LINK_DIRECT && (back == LINK_RELAYED || back == LINK_SILENT);
    return l;
}

/* ---- sentences ---------------------------------------------------------------------------------------------------- */

static const char *trouble(const struct view_member *a, const struct view_member *b, struct link ab,
                           struct link ba)
{
    const char *ways = ab.state == LINK_SILENT || ba.state == LINK_SILENT
                           ? "and nothing comes by way of others"
                           : "what they say comes by way of others";
    if (ab.state == LINK_DIRECT && ba.one_way)
        return NULL;
    if (ab.one_way || ba.one_way) {
        const struct view_member *deaf = ab.one_way ? b : a, *other = ab.one_way ? a : b;
        bool relayed = (ab.one_way ? ba : ab).state == LINK_RELAYED;
        return text("one way only: %s does not hear %s%s", deaf->name, other->name,
                    relayed ? ", save by way of others" : ", and nothing comes by way of others");
    }
    bool silent_a = ab.state == LINK_SILENT || ab.state == LINK_RELAYED;
    bool silent_b = ba.state == LINK_SILENT || ba.state == LINK_RELAYED;
    if (silent_a && silent_b)
        return text("%s and %s do not hear each other, %s", a->name, b->name, ways);
    if (silent_a || silent_b)
        return text("%s does not hear %s", silent_a ? a->name : b->name, silent_a ? b->name : a->name);
    return NULL;
}

/* A member that nobody hears is one trouble, not one with each. */
static bool lost(const struct view *v, const struct view_member *m)
{
    return !m->is_self && (m->heard_ms < 0 || m->heard_ms > (v->lease_ms > 0 ? v->lease_ms : 600));
}

json_t *links_troubles(const struct view *v)
{
    json_t *list = json_array();
    for (int i = 0; i < v->n; i++) {
        const struct view_member *a = &v->members[i];
        if (!link_counts(a))
            continue;
        if (lost(v, a)) {
            json_array_append_new(
                list, json_sprintf(a->heard_ms < 0 ? "%s was never heard by %s" : "%s is not heard by %s",
                                   a->name, v->self));
            continue;
        }
        for (int k = i + 1; k < v->n; k++) {
            const struct view_member *b = &v->members[k];
            if (!link_counts(b) || lost(v, b))
                continue;
            const char *s = trouble(a, b, link_between(v, a, b), link_between(v, b, a));
            if (s != NULL)
                json_array_append_new(list, json_string(s));
        }
    }
    return list;
}

/* ---- the matrix ----------------------------------------------------------------------------------------------------- */

static void cell(struct table *t, const struct view *v, const struct view_member *a,
                 const struct view_member *b)
{
    struct link l = link_between(v, a, b);
    const char *rtt = l.rtt_us < 0      ? "+"
                      : l.rtt_us < 9950 ? text("%.1f", (double)l.rtt_us / 1000)
                                        : text("%.0f", (double)l.rtt_us / 1000);
    if (a == b) {
        table_cell(t, TONE_FAINT, "·");
        return;
    }
    switch (l.state) {
    case LINK_UNKNOWN: table_cell(t, TONE_FAINT, "?"); return;
    case LINK_SILENT: table_cell(t, TONE_BAD, "✗"); return;
    case LINK_RELAYED: table_cell(t, TONE_WARN, "✗~"); return;
    case LINK_DIRECT:
        if (l.one_way)
            table_cell(t, TONE_WARN, "←");
        else
            table_cell(t, TONE_PLAIN, "%s", rtt);
        return;
    }
}

static void matrix(struct output *o, const struct view *v)
{
    struct column columns[MEMBERS_MAX + 1] = {{"HEARS", 0, false}};
    const struct view_member *shown[MEMBERS_MAX];
    int n = 0;
    struct table t;
    for (int i = 0; i < v->n; i++)
        if (link_counts(&v->members[i]))
            shown[n++] = &v->members[i];
    for (int i = 0; i < n; i++)
        columns[i + 1] = (struct column){shown[i]->name, i + 1, true};
    table_open(&t, columns, n + 1);
    for (int i = 0; i < n; i++) {
        table_cell(&t, TONE_STRONG, "%s", shown[i]->name);
        for (int k = 0; k < n; k++)
            cell(&t, v, shown[i], shown[k]);
    }
    table_print(o, &t);
    table_close(&t);
}

int links_print(struct output *o, const struct view *v)
{
    json_t *troubles = links_troubles(v), *one;
    size_t i;
    int n = (int)json_array_size(troubles);
    matrix(o, v);
    output_blank(o);
    if (n == 0)
        output_tone(o, TONE_GOOD, 2, "  Every member hears every other over its own link.");
    json_array_foreach(troubles, i, one) output_tone(o, TONE_WARN, 4, "  %s", json_string_value(one));
    json_decref(troubles);
    return n;
}

static json_t *links_json(const struct view *v)
{
    json_t *list = json_array();
    for (int i = 0; i < v->n; i++)
        for (int k = 0; k < v->n; k++) {
            const struct view_member *a = &v->members[i], *b = &v->members[k];
            if (i == k || !link_counts(a) || !link_counts(b))
                continue;
            struct link l = link_between(v, a, b);
            json_array_append_new(list,
                                  json_pack("{s:s,s:s,s:s,s:b,s:o,s:o}", "member", a->name, "hears", b->name,
                                            "state", link_state_name(l.state), "one_way", l.one_way, "age_ms",
                                            l.age_ms < 0 ? json_null() : json_integer(l.age_ms), "rtt_us",
                                            l.rtt_us < 0 ? json_null() : json_integer(l.rtt_us)));
        }
    return json_pack("{s:s,s:s,s:o,s:o}", "cluster", v->cluster, "self", v->self, "links", list, "troubles",
                     links_troubles(v));
}

int command_links(struct inspect *x)
{
    static struct view v;
    json_t *answer;
    int code = EXIT_OK;
    if (!args_none(x, &code) || (code = view_ask(x, &v, &answer)) != EXIT_OK)
        return code;
    if (x->out.json) {
        output_json(&x->out, links_json(&v));
    } else {
        output_text(
            &x->out, 2,
            "cluster %s · round trip in ms · ✗ silent, ✗~ by way of others, ← one way only, ? not known "
            "to %s",
            v.cluster, v.self);
        output_blank(&x->out);
        links_print(&x->out, &v);
    }
    json_decref(answer);
    return EXIT_OK;
}
