/* status_past.c: the past: what the journal holds. */
#define _GNU_SOURCE
#include "mesh/io/status.h"

#include "mesh/core_state.h"
#include "mesh/io/clock.h"
#include "mesh/io/journal.h"
#include "mesh/io/status_phases.h"
#include "mesh/io/status_text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CERTIFICATE_MAX = FRAME_BODY_MAX, EVENTS_MAX = 500, EVENTS_BYTES = 128 * 1024, STEPS_MAX = 15 };

const char *status_lsn(char out[static STATUS_LSN_SIZE], lsn_t lsn)
{
    snprintf(out, STATUS_LSN_SIZE, "%X/%08X", (unsigned)(lsn >> 32), (unsigned)lsn);
    return out;
}

static json_t *textn(const char *text, size_t n)
{
    json_t *out = json_stringn(text, n);
    char plain[1024];
    if (out)
        return out;
    if (n >= sizeof plain)
        n = sizeof plain - 1;
    for (size_t i = 0; i < n; i++)
        plain[i] = (unsigned char)text[i] < 128 && text[i] ? text[i] : '?';
    return json_stringn(plain, n);
}

json_t *status_text(const char *text)
{
    return textn(text, strlen(text));
}

static json_t *when_json(int64_t at_us)
{
    char when[CLOCK_TEXT_SIZE];
    return json_string(clock_print(when, at_us));
}

static json_t *event_json(const struct journal_line *line)
{
    return json_pack("{s:o, s:I, s:I, s:s, s:o}", "at", when_json(line->at_us), "at_us",
                     (json_int_t)line->at_us, "term", (json_int_t)line->term, "name", line->name, "text",
                     textn(line->text, line->text_len));
}

/* ---- events ---------------------------------------------------------------------------------------------------------- */

struct gathering {
    int64_t since_us;
    uint64_t term;       /* 0: any */
    const json_t *names; /* NULL: any */
    json_t *list;
};

static bool named(const json_t *names, const char *name)
{
    size_t i;
    json_t *one;
    if (!json_is_array(names))
        return true;
    json_array_foreach((json_t *)names, i, one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

static bool gather(void *arg, const struct journal_line *line)
{
    struct gathering *g = arg;
    /* A takeover begins under the term that it ends, so that term's last events belong to the story. */
    if (line->at_us <= g->since_us || (g->term && line->term != g->term && line->term + 1 != g->term))
        return true;
    if (!named(g->names, line->name))
        return true;
    if (json_array_size(g->list) == EVENTS_MAX)
        json_array_remove(g->list, 0);
    json_array_append_new(g->list, event_json(line));
    return true;
}

/* ---- certificates ----------------------------------------------------------------------------------------------------- */

static bool read_certificate(struct certificate *cert, uint8_t *bytes, const struct journal_line *line)
{
    size_t n = line->hex_len / 2;
    return n <= CERTIFICATE_MAX && hex_get(bytes, n, line->hex, line->hex_len) &&
           wire_get_decided(cert, bytes, n);
}

/* `planned`: the RELEASE of the term before said so; the record that was decided does not any more. */
static const char *kind_of(const struct proposal *p, bool planned)
{
    int released = 0;
    if (ballot_reforms(p->ballot))
        return "re-formed";
    if (!p->why.takeover)
        return "change";
    if (p->why.former == p->record.primary)
        return "return";
    if (justification_reformed(&p->why))
        return "failover";
    for (int i = 0; i < p->why.n_promises; i++)
        released += p->why.promises[i].verdict == VERDICT_RELEASED;
    return released == 0 ? "failover" : planned ? "switchover" : "handover";
}

/* Do the seals prove that no acknowledged commit is missing? */
static bool proven(const struct proposal *p)
{
    struct sealed seals[DATABASES_MAX];
    struct record base = p->record;
    base.primary = p->why.former;
    base.primary_dir = p->why.former_dir;
    for (int i = 0; i < p->why.n_seals; i++)
        seals[i] = p->why.seals[i].sealed;
    return p->record.durability != DURABILITY_ASYNC && seals_suffice(&base, seals, p->why.n_seals);
}

/* Why a term was given up, from the sentence of "+released": "NAME gave up term N: REASON". */
struct released {
    uint64_t term;
    bool planned;
    char reason[TEXT_SIZE];
};

static void see_released(struct released *r, const struct journal_line *line)
{
    char text[TEXT_SIZE * 2], *colon;
    if (line->kind != JOURNAL_EVENT || strcmp(line->name, "+released") != 0)
        return;
    snprintf(text, sizeof text, "%.*s", (int)line->text_len, line->text);
    colon = strstr(text, ": ");
    r->term = line->term;
    snprintf(r->reason, sizeof r->reason, "%s", colon ? colon + 2 : "");
    r->planned = strncmp(r->reason, "planned switchover", strlen("planned switchover")) == 0;
}

struct telling {
    const struct status_view *v;
    struct status_phases phases;
    json_t *list, *last; /* last: the newest row */
    uint64_t term;
    int64_t decided_us;
    struct released released;
    struct certificate cert;
    uint8_t bytes[CERTIFICATE_MAX];
};

/* "ordered by anna, approved by bert: the disk of db1 dies" */
static json_t *ordered_json(const struct cluster *c, const struct command *m)
{
    char text[TEXT_SIZE * 2 + 2 * NAME_SIZE];
    snprintf(text, sizeof text, "ordered by %s%s%s%s%s", cluster_member_name(c, m->who),
             m->approved ? ", approved by " : "", m->approved ? cluster_member_name(c, m->approval.who) : "",
             *m->why ? ": " : "", m->why);
    return status_text(text);
}

static void tell_certificate(struct telling *t, const struct journal_line *line)
{
    const struct proposal *p = &t->cert.proposal;
    const struct record *r = &p->record;
    member_id former = p->why.takeover ? p->why.former : MEMBER_NONE;
    bool released = t->released.term + 1 == r->term;
    t->term = line->term;
    t->decided_us = line->at_us;
    t->last =
        json_pack("{s:I, s:o, s:i, s:o, s:o, s:I, s:s, s:i}", "term", (json_int_t)r->term, "primary",
                  status_text(cluster_member_name(t->v->cluster, r->primary)), "timeline", (int)r->timeline,
                  "from", former ? status_text(cluster_member_name(t->v->cluster, former)) : json_null(),
                  "at", when_json(line->at_us), "at_us", (json_int_t)line->at_us, "kind",
                  kind_of(p, released && t->released.planned), "voters_agreed", (int)t->cert.n_accepted);
    if (p->why.takeover) {
        json_object_set_new(t->last, "nothing_lost_proven", json_boolean(proven(p)));
        json_object_set_new(t->last, "reason",
                            p->why.has_command                ? ordered_json(t->v->cluster, &p->why.command)
                            : justification_reformed(&p->why) ? status_text("the root re-formed the voters")
                            : released                        ? status_text(t->released.reason)
                                                              : status_text("the lease ended unrenewed"));
    }
    json_array_append_new(t->list, t->last);
    status_phases_tell(&t->phases, &t->cert.proposal.why, line->at_us, t->last);
}

/* The sentences of mesh/notice.c begin with their numbers. */
static void tell_event(struct telling *t, const struct journal_line *line)
{
    char text[TEXT_SIZE * 2], who[NAME_SIZE];
    unsigned long long term, bytes;
    unsigned ms;
    if (strcmp(line->name, "+ready") != 0 && strcmp(line->name, "+gap") != 0 &&
        strcmp(line->name, "+outage") != 0)
        return;
    snprintf(text, sizeof text, "%.*s", (int)line->text_len, line->text);
    if (strcmp(line->name, "+ready") == 0 && json_object_get(t->last, "ready_ms") == NULL)
        json_object_set_new(t->last, "ready_ms", json_integer((line->at_us - t->decided_us) / 1000));
    if (strcmp(line->name, "+gap") == 0 && sscanf(text, "%llu bytes", &bytes) == 1)
        json_object_set_new(t->last, "gap_bytes", json_integer((json_int_t)bytes));
    if (strcmp(line->name, "+outage") != 0 ||
        sscanf(text, "%u ms without a primary before term %llu, as %31s saw", &ms, &term, who) != 3 ||
        term != t->term)
        return;
    if (json_integer_value(json_object_get(t->last, "outage_ms")) > (json_int_t)ms)
        return; /* of several observers the one that waited longest */
    json_object_set_new(t->last, "outage_ms", json_integer(ms));
    json_object_set_new(t->last, "observer", json_string(who));
}

static bool tell(void *arg, const struct journal_line *line)
{
    struct telling *t = arg;
    see_released(&t->released, line);
    if (line->kind == JOURNAL_DECIDED && line->term > t->term && read_certificate(&t->cert, t->bytes, line))
        tell_certificate(t, line);
    if (line->kind == JOURNAL_EVENT && line->term == t->term && t->last)
        tell_event(t, line);
    return true;
}

static bool tell_all(void *arg, const struct journal_line *line)
{
    struct telling *t = arg;
    status_phases_see(&t->phases, line, t->term);
    return tell(t, line);
}

/* ---- why -------------------------------------------------------------------------------------------------------------- */

struct search {
    uint64_t term, last_term; /* wanted (0: the newest takeover); seen before */
    struct released released; /* the newest seen, and that of the term before the one found */
    bool planned;
    bool found;
    int64_t at_us;
    struct certificate cert, candidate;
    uint8_t bytes[CERTIFICATE_MAX];
    char hex[2 * CERTIFICATE_MAX + 1];
    char previous[2 * CERTIFICATE_MAX + 1]; /* the one before it in the journal: the newest of its term */
    char newest[2 * CERTIFICATE_MAX + 1];
    struct voters voters;   /* of the last record */
    char *steps[STEPS_MAX]; /* by which the voters changed, in hex; the i-th of all at i % STEPS_MAX */
    unsigned n_steps;
    unsigned before; /* how many of them stand before the one found */
};

static void keep_hex(char out[static 2 * CERTIFICATE_MAX + 1], const struct journal_line *line)
{
    snprintf(out, 2 * CERTIFICATE_MAX + 1, "%.*s", (int)line->hex_len, line->hex);
}

static void take(struct search *s, const struct journal_line *line)
{
    s->found = true;
    s->planned = s->released.planned && s->released.term + 1 == line->term;
    s->at_us = line->at_us;
    s->cert = s->candidate;
    memcpy(s->previous, s->newest, sizeof s->previous);
    keep_hex(s->hex, line);
    s->before = s->n_steps;
}

static void see_voters(struct search *s, const struct journal_line *line)
{
    const struct voters *v = &s->candidate.proposal.record.voters;
    if (voters_equal(v, &s->voters))
        return;
    s->voters = *v;
    char **at = &s->steps[s->n_steps++ % STEPS_MAX];
    free(*at);
    *at = strndup(line->hex, line->hex_len);
}

/* What proves who was the primary before, then what proves who the voters were: newest first, one word each. */
static json_t *before_json(const struct search *s)
{
    size_t n = strlen(s->previous) + 1;
    unsigned oldest = s->n_steps > STEPS_MAX ? s->n_steps - STEPS_MAX : 0;
    for (unsigned i = oldest; i < s->before; i++)
        n += s->steps[i % STEPS_MAX] ? strlen(s->steps[i % STEPS_MAX]) + 1 : 0;
    char *text = malloc(n), *end = text ? stpcpy(text, s->previous) : NULL;
    for (unsigned i = s->before; text && i-- > oldest;) {
        const char *step = s->steps[i % STEPS_MAX];
        if (step && strcmp(step, s->previous) != 0)
            end = stpcpy(stpcpy(end, " "), step);
    }
    json_t *out = text ? json_string(text) : NULL;
    free(text);
    return out;
}

/* The first certificate of a term is the one that opened it; later ones of that term are changes. */
static bool look(void *arg, const struct journal_line *line)
{
    struct search *s = arg;
    see_released(&s->released, line);
    if (line->kind != JOURNAL_DECIDED)
        return true;
    bool opens = line->term > s->last_term;
    bool wanted = opens && (!s->term || line->term == s->term);
    if (opens)
        s->last_term = line->term;
    if (!read_certificate(&s->candidate, s->bytes, line))
        return true;
    if (wanted && (s->term || s->candidate.proposal.why.takeover))
        take(s, line);
    keep_hex(s->newest, line);
    see_voters(s, line);
    return !s->found || s->term == 0;
}

static json_t *promises_json(const struct cluster *c, const struct justification *why)
{
    json_t *list = json_array();
    for (int i = 0; i < why->n_promises; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "who",
                                              cluster_member_name(c, why->promises[i].who), "verdict",
                                              verdict_name(why->promises[i].verdict), "silent_ms",
                                              (json_int_t)why->promises[i].silent_ms));
    return list;
}

static json_t *seals_json(const struct cluster *c, const struct justification *why)
{
    char lsn[STATUS_LSN_SIZE];
    json_t *list = json_array();
    for (int i = 0; i < why->n_seals; i++) {
        const struct sealed_statement *s = &why->seals[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:i, s:I, s:I}", "who", cluster_member_name(c, s->sealed.id), "lsn",
                            status_lsn(lsn, s->sealed.lsn), "timeline", (int)s->sealed.timeline, "wal_term",
                            (json_int_t)s->sealed.wal_term, "backlog_bytes", (json_int_t)s->backlog_bytes));
    }
    return list;
}

static json_t *accepted_json(const struct cluster *c, const struct certificate *cert)
{
    json_t *list = json_array();
    for (int i = 0; i < cert->n_accepted; i++)
        json_array_append_new(list, json_string(cluster_member_name(c, cert->accepted[i].who)));
    return list;
}

static json_t *found_json(const struct status_view *v, const struct search *s)
{
    const struct proposal *p = &s->cert.proposal;
    member_id former = p->why.takeover ? p->why.former : MEMBER_NONE;
    json_t *out =
        json_pack("{s:I, s:s, s:i, s:o, s:o, s:I, s:s, s:s}", "term", (json_int_t)p->record.term, "primary",
                  cluster_member_name(v->cluster, p->record.primary), "timeline", (int)p->record.timeline,
                  "from", former ? status_text(cluster_member_name(v->cluster, former)) : json_null(), "at",
                  when_json(s->at_us), "at_us", (json_int_t)s->at_us, "kind", kind_of(p, s->planned),
                  "certificate", s->hex);
    if (s->previous[0] != '\0')
        json_object_set_new(out, "certificate_before", before_json(s));
    json_object_set_new(out, "cluster", json_string(v->cluster->name));
    json_object_set_new(out, "self", json_string(cluster_member_name(v->cluster, v->core->self)));
    json_object_set_new(out, "promises", promises_json(v->cluster, &p->why));
    json_object_set_new(out, "seals", seals_json(v->cluster, &p->why));
    json_object_set_new(out, "accepted", accepted_json(v->cluster, &s->cert));
    if (p->why.has_command)
        json_object_set_new(out, "command",
                            json_pack("{s:s, s:s?, s:b, s:o}", "by",
                                      cluster_member_name(v->cluster, p->why.command.who), "approved_by",
                                      p->why.command.approved
                                          ? cluster_member_name(v->cluster, p->why.command.approval.who)
                                          : NULL,
                                      "allow_data_loss", (int)p->why.command.allow_data_loss, "why",
                                      status_text(p->why.command.why)));
    return out;
}

/* ---- piece by piece --------------------------------------------------------------------------------------------------- */

struct past {
    enum {
        PAST_HISTORY,
        PAST_WHY,
        PAST_STORY,
        PAST_EVENTS,
        PAST_RECENT
    } phase; /* PAST_STORY: the events of the term found */
    struct journal_reading reading;
    struct telling telling;
    struct search search;
    struct gathering events;
    json_t *names, *found;
};

static void begin_history(struct past *p, const struct status_view *v)
{
    const struct record *first = &v->cluster->first;
    p->phase = PAST_HISTORY;
    p->telling.list = json_array();
    p->telling.term = first->term;
    json_array_append_new(p->telling.list,
                          json_pack("{s:I, s:s, s:i, s:n, s:n, s:s}", "term", (json_int_t)first->term,
                                    "primary", cluster_member_name(v->cluster, first->primary), "timeline",
                                    (int)first->timeline, "from", "at", "kind", "first"));
}

static void begin_events(struct past *p, const struct status_view *v, const json_t *request)
{
    json_t *names = json_object_get(request, "names");
    p->phase = PAST_EVENTS;
    p->events.list = json_array();
    p->events.since_us = json_integer_value(json_object_get(request, "since"));
    p->events.names = p->names = json_incref(names);
    if (names == NULL && v->journal != NULL &&
        journal_visit_recent(v->journal, p->events.since_us, gather, &p->events))
        p->phase = PAST_RECENT;
}

struct past *status_past_begin(const struct status_view *v, const json_t *request)
{
    const char *command = json_string_value(json_object_get(request, "command"));
    struct past *p = calloc(1, sizeof *p);
    size_t most = JOURNAL_ALL;
    if (p == NULL)
        return NULL;
    if (strcmp(command, "history") == 0) {
        begin_history(p, v);
    } else if (strcmp(command, "why") == 0) {
        p->phase = PAST_WHY;
        p->search.term = (uint64_t)json_integer_value(json_object_get(request, "term"));
        p->search.voters = v->cluster->first.voters;
    } else {
        begin_events(p, v, request);
        most = p->phase == PAST_RECENT ? 0 : p->names == NULL ? EVENTS_BYTES : JOURNAL_ALL;
    }
    journal_reading_open(&p->reading, v->state_dir, most);
    return p;
}

void status_past_end(struct past **at)
{
    struct past *p = *at;
    if (p == NULL)
        return;
    journal_reading_close(&p->reading);
    for (int i = 0; i < STEPS_MAX; i++)
        free(p->search.steps[i]);
    json_decref(p->telling.list);
    json_decref(p->events.list);
    json_decref(p->names);
    json_decref(p->found);
    free(p);
    *at = NULL;
}

static json_t *of_member(const struct status_view *v, const char *key, json_t *list)
{
    return json_pack("{s:s, s:s, s:O}", "cluster", v->cluster->name, "self",
                     cluster_member_name(v->cluster, v->core->self), key, list);
}

/* Then its events, from the beginning of the journal. */
static json_t *begin_story(struct past *p, const struct status_view *v)
{
    const struct search *s = &p->search;
    if (!s->found)
        return s->term
                   ? json_pack("{s:s, s:I}", "error", "the journal of this member does not hold that term",
                               "term", (json_int_t)s->term)
                   : json_pack("{s:s}", "error", "the journal of this member holds no failover");
    p->phase = PAST_STORY;
    p->found = found_json(v, s);
    p->events.term = s->cert.proposal.record.term;
    p->events.list = json_array();
    journal_reading_close(&p->reading);
    journal_reading_open(&p->reading, v->state_dir, JOURNAL_ALL);
    return NULL;
}

json_t *status_past_go(struct past *p, const struct status_view *v)
{
    p->telling.v = v;
    switch (p->phase) {
    case PAST_HISTORY:
        return journal_reading_go(&p->reading, JOURNAL_DECIDED | JOURNAL_EVENT, tell_all, &p->telling)
                   ? NULL
                   : of_member(v, "history", p->telling.list);
    case PAST_WHY:
        return journal_reading_go(&p->reading, JOURNAL_DECIDED | JOURNAL_EVENT, look, &p->search)
                   ? NULL
                   : begin_story(p, v);
    case PAST_STORY:
        if (journal_reading_go(&p->reading, JOURNAL_EVENT, gather, &p->events))
            return NULL;
        json_object_set(p->found, "events", p->events.list);
        return json_incref(p->found);
    case PAST_EVENTS:
        if (journal_reading_go(&p->reading, JOURNAL_EVENT, gather, &p->events))
            return NULL;
        break;
    case PAST_RECENT: break;
    }
    return of_member(v, "events", p->events.list);
}
