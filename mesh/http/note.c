#include "mesh/http/note.h"

#include "mesh/io/clock.h"
#include "mesh/io/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *note_kind_name(enum note_kind kind)
{
    switch (kind) {
    case NOTE_PRIMARY_CHANGED: return "primary_changed";
    case NOTE_PRIMARY_DOWN: return "primary_down";
    case NOTE_QUORUM_LOST: return "quorum_lost";
    case NOTE_NO_TAKEOVER: return "no_takeover";
    case NOTE_PAUSED: return "paused";
    case NOTE_EVENT: return "event";
    case NOTE_KINDS: break;
    }
    return "?";
}

static const char *severity_of(enum note_kind kind)
{
    switch (kind) {
    case NOTE_PRIMARY_DOWN:
    case NOTE_QUORUM_LOST: return "critical";
    case NOTE_PRIMARY_CHANGED:
    case NOTE_NO_TAKEOVER:
    case NOTE_EVENT: return "warning";
    case NOTE_PAUSED:
    case NOTE_KINDS: break;
    }
    return "info";
}

/* ---- what a look brings ------------------------------------------------------------------------------------------------ */

struct looking {
    struct note_watch *watch;
    const struct view *view;
    int64_t wall_us;
    struct note *out;
    int n;
};

static void add(struct looking *l, enum note_kind kind, bool over, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void add(struct looking *l, enum note_kind kind, bool over, const char *format, ...)
{
    struct note *n = &l->out[l->n++];
    va_list args;
    *n = (struct note){.kind = kind,
                       .over = over,
                       .severity = severity_of(kind),
                       .at_us = l->wall_us,
                       .term = l->view->term};
    va_start(args, format);
    vsnprintf(n->text, sizeof n->text, format, args);
    va_end(args);
    if (kind == NOTE_PRIMARY_CHANGED)
        snprintf(n->key, sizeof n->key, "pgmesh/%s/%s/%llu", l->view->cluster, note_kind_name(kind),
                 l->view->term);
    else
        snprintf(n->key, sizeof n->key, "pgmesh/%s/%s", l->view->cluster, note_kind_name(kind));
}

/* Tells of a condition that lasts, once, and of its end. */
static void lasting(struct looking *l, enum note_kind kind, bool so, int looks, const char *text,
                    const char *end)
{
    struct note_watch *w = l->watch;
    w->looks[kind] = so ? w->looks[kind] + 1 : 0;
    if (so && !w->told[kind] && w->looks[kind] >= looks) {
        w->told[kind] = true;
        add(l, kind, false, "%s", text);
    } else if (!so && w->told[kind]) {
        w->told[kind] = false;
        add(l, kind, true, "%s", end);
    }
}

int note_look(struct note_watch *w, const struct view *v, int64_t wall_us, struct note out[static NOTES_MAX])
{
    struct looking l = {.watch = w, .view = v, .wall_us = wall_us, .out = out};
    struct view_estimate e;
    char text[NOTE_TEXT_SIZE];
    if (!w->known) {
        w->told[NOTE_PAUSED] = v->paused; /* began before us: only its end is news */
    } else if (v->term > w->term && *v->primary != '\0') {
        add(&l, NOTE_PRIMARY_CHANGED, false, "%s is the primary of term %llu, after %s", v->primary, v->term,
            *w->primary != '\0' ? w->primary : "nobody");
    }
    lasting(&l, NOTE_PRIMARY_DOWN, !v->serving, NOTE_LOOKS, "no primary serves", "a primary serves again");
    lasting(&l, NOTE_QUORUM_LOST, !view_quorum(v), NOTE_LOOKS, "too few voters are heard to decide anything",
            "enough voters are heard again");
    view_estimate(v, &e);
    snprintf(text, sizeof text, "if %s died now, nobody would take over: %s", v->primary, e.blocked);
    lasting(&l, NOTE_NO_TAKEOVER, v->serving && e.who == NULL && !v->paused, 3 * NOTE_LOOKS, text,
            "somebody would take over again");
    snprintf(text, sizeof text, "automatic failover is paused: %s", v->paused_why);
    lasting(&l, NOTE_PAUSED, v->paused, 1, text, "automatic failover is no longer paused");
    w->known = true;
    if (v->term >= w->term) {
        w->term = v->term;
        snprintf(w->primary, sizeof w->primary, "%s", v->primary);
    }
    return l.n;
}

bool note_event(const json_t *event, const char *cluster, const char *member, struct note *out)
{
    static const char *const worth[] = {
        "+primary-failing", "+operator-needed", "+sync-empty", "+store-lost",  "+foreign-directory",
        "-switchover",      "+split-found",     "fatal",       "invite-reused"};
    const char *name = json_text(event, "name");
    for (size_t i = 0; i < sizeof worth / sizeof worth[0]; i++) {
        if (strcmp(name, worth[i]) != 0)
            continue;
        *out = (struct note){.kind = NOTE_EVENT,
                             .severity =
                                 strcmp(name, "+split-found") == 0 ? "critical" : severity_of(NOTE_EVENT),
                             .at_us = json_number(event, "at_us", 0),
                             .term = (uint64_t)json_number(event, "term", 0)};
        snprintf(out->key, sizeof out->key, "pgmesh/%s/%s/%s/%llu", cluster, member, name,
                 (unsigned long long)out->term);
        snprintf(out->text, sizeof out->text, "%s: %.300s", name, json_text(event, "text"));
        return true;
    }
    return false;
}

/* ---- words ------------------------------------------------------------------------------------------------------------- */

static json_t *plain(const struct note *n, const char *cluster, const char *member)
{
    char when[CLOCK_TEXT_SIZE];
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:s, s:s}", "cluster", cluster, "member", member,
                     "event", note_kind_name(n->kind), "severity", n->severity, "over", (int)n->over, "text",
                     n->text, "term", (json_int_t)n->term, "at", clock_print(when, n->at_us), "key", n->key);
}

/* Slack's own marks in our words would be taken for markup. */
static void put_escaped(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (const char *p = text; *p && n + 6 < size; p++) {
        const char *mark = *p == '&' ? "&amp;" : *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : NULL;
        n += (size_t)snprintf(out + n, size - n, "%.*s", mark ? 5 : 1, mark ? mark : p);
    }
    out[n] = '\0';
}

static json_t *slack(const struct note *n, const char *cluster, const char *member)
{
    char escaped[2 * NOTE_TEXT_SIZE], text[2 * NOTE_TEXT_SIZE + 200];
    const char *sign = n->over                                ? ":white_check_mark:"
                       : strcmp(n->severity, "critical") == 0 ? ":rotating_light:"
                       : strcmp(n->severity, "warning") == 0  ? ":warning:"
                                                              : ":information_source:";
    put_escaped(escaped, sizeof escaped, n->text);
    snprintf(text, sizeof text, "%s *%s*: %s (term %llu, told by %s)", sign, cluster, escaped,
             (unsigned long long)n->term, member);
    return json_pack("{s:s}", "text", text);
}

/* Events API v2. */
static json_t *pagerduty(const struct note *n, const char *cluster, const char *member,
                         const char *routing_key)
{
    char when[CLOCK_TEXT_SIZE], summary[NOTE_TEXT_SIZE + 80];
    snprintf(summary, sizeof summary, "%s: %s", cluster, n->text);
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:I}}}", "routing_key",
                     routing_key, "event_action", n->over ? "resolve" : "trigger", "dedup_key", n->key,
                     "client", "pgmesh", "payload", "summary", summary, "source", member, "severity",
                     n->severity, "timestamp", clock_print(when, n->at_us), "component", "postgresql",
                     "group", cluster, "class", note_kind_name(n->kind), "custom_details", "term",
                     (json_int_t)n->term);
}

char *note_body(enum note_format format, const struct note *n, const char *cluster, const char *member,
                const char *routing_key)
{
    json_t *body = format == NOTE_SLACK       ? slack(n, cluster, member)
                   : format == NOTE_PAGERDUTY ? pagerduty(n, cluster, member, routing_key)
                                              : plain(n, cluster, member);
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    return text;
}
