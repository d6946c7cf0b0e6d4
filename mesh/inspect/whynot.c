/* whynot.c: pgmesh why-not: the takeovers that were considered and did not happen, from the journal of the member asked.
 *
 *   event                      told as
 *   -considered, +considered   its own verdict would have promised, those of a quorum did not (refused; still considered)
 *   +takeover ... -takeover    it asked, and gave up (refused), with each -refused in between as evidence
 *   +would-takeover            paused, or it only observes (held back)
 *   +operator-needed           the voters agreed, and too few databases were sealed (needs an operator)
 * The newest +verdict before it is the evidence on which it was considered. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mesh/inspect/client.h"

enum { WHY_NOT_SINCE };
const struct option_row options_why_not[] = {
    [WHY_NOT_SINCE] = {"since", "TIME", "how far back: 30min, 12h, 7d (the default)"},
    {NULL, NULL, NULL},
};

struct story {
    json_t *items;       /* finished */
    json_t *open;        /* a "+takeover" or "+considered" whose end is not known yet */
    const char *verdict; /* text of the newest +verdict, and its term */
    long long verdict_term;
};

static const char *const wanted[] = {"+verdict",  "-suspect",        "-considered", "+considered",
                                     "+takeover", "-takeover",       "-refused",    "+would-takeover",
                                     "+decided",  "+operator-needed"};

static json_t *item(const struct story *s, const json_t *event, const char *outcome)
{
    json_t *evidence = json_array();
    if (s->verdict != NULL && s->verdict_term == json_number(event, "term", 0))
        json_array_append_new(evidence, json_string(s->verdict));
    return json_pack("{s:s,s:I,s:I,s:s,s:s,s:o}", "at", json_text(event, "at"), "at_us",
                     (json_int_t)json_number(event, "at_us", 0), "term",
                     (json_int_t)json_number(event, "term", 0), "outcome", outcome, "text",
                     json_text(event, "text"), "evidence", evidence);
}

/* Ends what is open as `outcome` (NULL: it succeeded, and is no story for here). */
static void end(struct story *s, const char *outcome, const char *text_at_end)
{
    if (s->open == NULL)
        return;
    if (outcome != NULL) {
        json_object_set_new(s->open, "outcome", json_string(outcome));
        if (text_at_end != NULL)
            json_object_set_new(s->open, "text", json_string(text_at_end));
        json_array_append(s->items, s->open);
    }
    json_decref(s->open);
    s->open = NULL;
}

static void tell(struct story *s, const json_t *event)
{
    const char *name = json_text(event, "name"), *sentence = json_text(event, "text");
    if (strcmp(name, "+verdict") == 0) {
        s->verdict = sentence;
        s->verdict_term = json_number(event, "term", 0);
    } else if (strcmp(name, "+considered") == 0 || strcmp(name, "+takeover") == 0) {
        if (strcmp(name, "+takeover") == 0 && s->open != NULL)
            return; /* asked again: one story */
        end(s, "refused", NULL);
        s->open = item(s, event, "considered");
    } else if (strcmp(name, "-considered") == 0) {
        if (s->open == NULL)
            s->open = item(s, event, "refused");
        end(s, "refused", sentence);
    } else if (strcmp(name, "-refused") == 0 && s->open != NULL) {
        json_array_append_new(json_object_get(s->open, "evidence"), json_string(sentence));
    } else if (strcmp(name, "-takeover") == 0) {
        end(s, "refused", sentence);
    } else if (strcmp(name, "+decided") == 0) {
        end(s, NULL, NULL);
    } else if (strcmp(name, "+would-takeover") == 0) {
        json_array_append_new(s->items, item(s, event, "held_back"));
    } else if (strcmp(name, "+operator-needed") == 0) {
        end(s, NULL, NULL);
        json_array_append_new(s->items, item(s, event, "operator_needed"));
    }
}

static json_t *stories(const json_t *events)
{
    struct story s = {.items = json_array()};
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)events, i, one) tell(&s, one);
    end(&s, "considered", NULL);
    return s.items;
}

static const char *outcome_text(const char *outcome)
{
    return strcmp(outcome, "refused") == 0           ? "refused"
           : strcmp(outcome, "held_back") == 0       ? "held back"
           : strcmp(outcome, "operator_needed") == 0 ? "needs an operator"
                                                     : "still considered";
}

static void print(struct inspect *x, const char *self, const char *since, const json_t *items)
{
    size_t i, k, n = json_array_size(items);
    json_t *one, *evidence;
    if (n == 0) {
        output_text(&x->out, 2, "No takeover was considered and refused %s, as the journal of %s has it.",
                    since, self);
        return;
    }
    output_tone(&x->out, TONE_STRONG, 2,
                "%zu takeover%s considered and not carried out %s, by the journal of %s", n,
                n == 1 ? " was" : "s were", since, self);
    json_array_foreach((json_t *)items, i, one)
    {
        output_blank(&x->out);
        output_tone(&x->out, TONE_STRONG, 2, "  %s · term %lld · %s", json_text(one, "at"),
                    json_number(one, "term", 0), outcome_text(json_text(one, "outcome")));
        output_field(&x->out, "what", "%s", json_text(one, "text"));
        json_array_foreach(json_object_get(one, "evidence"), k, evidence)
            output_field(&x->out, k == 0 ? "evidence" : "", "%s", json_string_value(evidence));
    }
}

/* "30min", "12h", "7d": seconds; 0: none. */
static long long seconds_of(const char *s)
{
    static const struct {
        const char *unit;
        int seconds;
    } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    char *unit;
    long long n = strtoll(s, &unit, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (unit != s && strcmp(unit, units[i].unit) == 0 && n > 0 && n < 100000)
            return n * units[i].seconds;
    return 0;
}

static json_t *request_make(long long back)
{
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        json_array_append_new(names, json_string(wanted[i]));
    return json_pack("{s:s,s:I,s:o}", "command", "events", "since",
                     (json_int_t)(((long long)time(NULL) - back) * 1000000), "names", names);
}

int command_why_not(struct inspect *x)
{
    static struct client client;
    const char *value, *since = "7d";
    json_t *answer;
    int code = EXIT_OK, option;
    while ((option = args_next(x, &value, &code)) >= 0)
        since = value;
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), "\"why-not\" takes none.");
    long long back = seconds_of(since);
    if (back == 0)
        return usage(x, text("\"%s\" is no span of time", since), "It is written 30min, 12h or 7d.");
    if ((code = client_open(&client, x)) != EXIT_OK ||
        (code = client_ask(&client, request_make(back), &answer)) != EXIT_OK)
        return code;
    json_t *items = stories(json_object_get(answer, "events"));
    const char *self = *json_text(answer, "self") == '\0' ? "the member asked" : json_text(answer, "self");
    if (x->out.json)
        output_json(&x->out, json_pack("{s:s,s:s,s:s,s:O}", "cluster", json_text(answer, "cluster"), "self",
                                       self, "since", since, "considered", items));
    else
        print(x, self, text("in the last %s", since), items);
    json_decref(items);
    json_decref(answer);
    return EXIT_OK;
}
