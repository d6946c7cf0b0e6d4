#include "mesh/http/snapshot.h"

#include "mesh/io/clock.h"
#include "mesh/io/json.h"

#include <stdio.h>
#include <string.h>

bool snapshot_open(struct snapshot *s, struct member_line *line, snapshot_told *told, void *arg)
{
    memset(s, 0, sizeof *s);
    s->line = line;
    s->told = told;
    s->arg = arg;
    s->history = json_array();
    s->events = json_array();
    snprintf(s->why, sizeof s->why, "the member was not asked yet");
    return s->history != NULL && s->events != NULL;
}

void snapshot_close(struct snapshot *s)
{
    json_decref(s->status);
    json_decref(s->history);
    json_decref(s->events);
    s->status = s->history = s->events = NULL;
}

/* ---- status -------------------------------------------------------------------------------------------------------- */

static bool within(instant now, instant then, int64_t ms)
{
    return !instant_is_never(then) && instant_elapsed_most(now, then).ns < span_ms(ms).ns;
}

enum snapshot_state snapshot_state(const struct snapshot *s, instant now)
{
    if (s->status != NULL && within(now, s->asked, SNAPSHOT_FRESH_MS) &&
        instant_due_all(s->asked, s->outdated))
        return SNAPSHOT_FRESH;
    return s->status == NULL && within(now, s->failed, SNAPSHOT_FRESH_MS) ? SNAPSHOT_FAILED : SNAPSHOT_OLD;
}

void snapshot_outdate(struct snapshot *s, instant now)
{
    s->outdated = now;
}

int64_t snapshot_age_ms(const struct snapshot *s, instant now)
{
    return s->status == NULL ? -1 : span_to_ms(instant_elapsed_most(now, s->asked));
}

int64_t snapshot_lease_left_ms(const struct snapshot *s, instant now)
{
    if (s->status == NULL || instant_is_never(s->lease_end) || instant_due_any(now, s->lease_end))
        return 0;
    int64_t left = -span_to_ms(instant_elapsed_most(now, s->lease_end));
    return left > 0 ? left : 1;
}

static void forget(struct snapshot *s, const char *why, instant now)
{
    json_decref(s->status);
    s->status = NULL;
    memset(&s->view, 0, sizeof s->view);
    s->lease_end = instant_never();
    s->failed = now;
    snprintf(s->why, sizeof s->why, "%s", why);
}

static void keep(struct snapshot *s, json_t *answer, instant now)
{
    json_decref(s->status);
    s->status = json_incref(answer);
    s->asked = s->asking_since;
    s->answer_us = span_to_us(instant_elapsed_most(now, s->asking_since));
    view_read(&s->view, s->status);
    bool held = s->view.lease_left_ms > 0 && strcmp(s->view.self, s->view.primary) == 0;
    s->lease_end = held ? instant_add(s->asked, span_ms(s->view.lease_left_ms)) : instant_never();
    if (s->view.term != s->history_term && instant_is_never(s->history_due))
        s->history_due = s->history_term == 0 ? now : instant_add(now, span_ms(SNAPSHOT_HISTORY_MS));
}

static bool take_status(void *arg, json_t *answer, const char *why)
{
    struct snapshot *s = arg;
    instant now = clock_now();
    const char *error = json_text(answer, "error");
    s->asking = false;
    if (answer == NULL || *error != '\0')
        forget(s, answer == NULL ? why : error, now);
    else
        keep(s, answer, now);
    s->background_answer = s->background_due;
    s->background_due = false;
    s->told(s->arg, s, now);
    return true;
}

static json_t *request_of(const char *command)
{
    return json_pack("{s:s}", "command", command);
}

void snapshot_want(struct snapshot *s, instant now)
{
    if (s->asking)
        return;
    s->asking_since = now;
    s->asking = member_ask(s->line, request_of("status"), SNAPSHOT_TIMEOUT_MS, take_status, s, now);
    if (!s->asking)
        forget(s, "the member cannot be asked", now);
}

/* ---- history and events -------------------------------------------------------------------------------------------- */

static bool take_history(void *arg, json_t *answer, const char *why)
{
    struct snapshot *s = arg;
    json_t *rows = json_object_get(answer, "history");
    (void)why;
    s->asking_history = false;
    if (json_is_array(rows)) {
        json_decref(s->history);
        s->history = json_incref(rows);
    }
    return true;
}

static bool take_events(void *arg, json_t *answer, const char *why)
{
    struct snapshot *s = arg;
    json_t *rows = json_object_get(answer, "events"), *one;
    size_t i;
    (void)why;
    s->asking_events = false;
    json_array_foreach(rows, i, one)
    {
        int64_t at = json_number(one, "at_us", 0);
        if (at <= s->events_since_us)
            continue;
        s->events_since_us = at;
        s->events_seen++;
        json_array_append(s->events, one);
        if (json_array_size(s->events) > SNAPSHOT_EVENTS_MAX)
            json_array_remove(s->events, 0);
    }
    return true;
}

instant snapshot_tend(struct snapshot *s, instant now)
{
    if (!instant_is_never(s->history_due) && instant_due_any(now, s->history_due) && !s->asking_history) {
        s->history_due = instant_never();
        s->history_term = s->view.term;
        s->asking_history = member_ask(s->line, request_of("history"), 10000, take_history, s, now);
    }
    if (instant_is_never(s->background) || instant_due_any(now, s->background)) {
        s->background = instant_add(now, span_ms(SNAPSHOT_BACKGROUND_MS));
        s->background_due = true;
        snapshot_want(s, now);
        if (!s->asking_events)
            s->asking_events = member_ask(
                s->line,
                json_pack("{s:s, s:I}", "command", "events", "since", (json_int_t)s->events_since_us), 10000,
                take_events, s, now);
    }
    return s->background;
}
