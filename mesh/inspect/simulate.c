/* simulate.c: pgmesh simulate: what each side would do, by the policy's own rules, from what one member sees now. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/show.h"

struct simulation {
    struct inspect *x;
    struct view view;
    bool cut;           /* else: lose */
    uint32_t meant;     /* members of the sites named, or the members named */
    json_t *targets;    /* as typed */
    json_t *sides;      /* answers */
    const char *writes; /* "go_on", "interrupted", "stop" */
    long long interruption_ms;
    int n_sides;
};

/* ---- words -------------------------------------------------------------------------------------------------------- */

static json_t *names(const struct view *v, uint32_t mask)
{
    json_t *list = json_array();
    for (int i = 0; i < v->n; i++)
        if (mask >> i & 1)
            json_array_append_new(list, json_string(v->members[i].name));
    return list;
}

static const char *joined(const json_t *list)
{
    char all[600] = "";
    size_t i, used = 0;
    json_t *one;
    json_array_foreach((json_t *)list, i, one)
    {
        int n =
            snprintf(all + used, sizeof all - used, "%s%s", used == 0 ? "" : ", ", json_string_value(one));
        used += n > 0 && used + (size_t)n < sizeof all ? (size_t)n : 0;
    }
    return text("%s", used == 0 ? "nobody" : all);
}

static void step(json_t *steps, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void step(json_t *steps, const char *format, ...)
{
    char sentence[600];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    json_array_append_new(steps, json_string(sentence));
}

/* ---- one side ------------------------------------------------------------------------------------------------------- */

static long long lease_of(const struct view *v)
{
    return v->lease_ms > 0 ? v->lease_ms : 600;
}

/* The primary keeps its lease: what of commits? */
static void stays(const struct simulation *m, const struct view_side *s, json_t *steps)
{
    const struct view *v = &m->view;
    step(steps, "%s goes on as primary of term %llu: its lease is renewed by this side's quorum.", v->primary,
         v->term);
    if (s->wanted == 0)
        step(steps, "Commits wait for nobody (%s).",
             strcmp(v->durability, "async") == 0 ? "async" : "the sync set is empty");
    else if (s->confirming >= s->wanted)
        step(steps, "Commits go on: %d of the sync set are here, %d must confirm.", s->confirming, s->wanted);
    else if (strcmp(v->durability, "strict") == 0)
        step(steps,
             "Commits wait: %d of the sync set are here, %d must confirm, and strict never does with less.",
             s->confirming, s->wanted);
    else
        step(
            steps,
            "Commits wait for about a second, then the sync set shrinks to whom is here: %d of the %d that must confirm"
            "%s.",
            s->confirming, s->wanted,
            s->confirming == 0 ? "; from then on only this primary may come back by itself" : "");
}

static bool writes_wait(const struct simulation *m, const struct view_side *s)
{
    return s->confirming < s->wanted && strcmp(m->view.durability, "strict") == 0;
}

static void is_fenced(const struct simulation *m, json_t *steps)
{
    const struct view *v = &m->view;
    step(steps,
         "%s cannot renew its lease: within %lld ms its guard freezes and kills PostgreSQL. It acknowledges "
         "nothing after that.",
         v->primary, v->lease_left_ms > 0 ? v->lease_left_ms : lease_of(v));
    step(
        steps,
        "When the others are heard again it becomes their standby; or it serves again, if nobody took over.");
}

static void takes_over(struct simulation *m, const struct view_side *s, json_t *steps)
{
    const struct view *v = &m->view;
    long long ms = lease_of(v) + VIEW_DECIDE_AND_PROMOTE_MS;
    step(steps, "The grants to %s end unrenewed, at the latest %lld ms from now; %d of %d voters then agree.",
         v->primary, lease_of(v), s->votes, s->voters);
    if (s->who == NULL) {
        step(steps, "Nobody is promoted by itself: %s.", s->blocked);
        return;
    }
    step(
        steps,
        "The databases here are sealed%s; %s is the best of them and is promoted as the primary of term %llu.",
        strcmp(v->durability, "async") == 0 ? "" : ", enough to prove that no acknowledged commit is missing",
        s->who->name, v->term + 1);
    step(steps, "Writes flow again after about %.1f s.", (double)ms / 1000);
    m->writes = "interrupted";
    m->interruption_ms = ms;
}

static void applications(const struct view *v, const struct view_side *s, bool writable, json_t *steps)
{
    for (int i = 0; i < v->n; i++)
        if (s->there >> i & 1 && strcmp(v->members[i].role, "observer") == 0)
            step(steps,
                 writable ? "Applications at %s reach the primary on this side."
                          : "Applications at %s reach no primary.",
                 v->members[i].name);
}

static void side(struct simulation *m, const char *title, uint32_t there)
{
    struct view_side s;
    json_t *steps = json_array();
    view_side(&m->view, there, &s);
    m->n_sides++;
    step(steps, "%d of %d voters vote here: %s (rule %s).", s.votes, s.voters,
         s.quorum ? "a quorum" : "no quorum", *m->view.rule == '\0' ? "majority" : m->view.rule);
    if (s.primary && s.quorum) {
        stays(m, &s, steps);
        m->writes = writes_wait(m, &s) ? "stop" : "go_on";
    } else if (s.primary) {
        is_fenced(m, steps);
    } else if (s.quorum && *m->view.primary != '\0') {
        takes_over(m, &s, steps);
    } else {
        step(steps, "Nothing is decided here%s; standbys go on answering reads.",
             s.quorum ? ": the record names no primary" : "");
    }
    applications(&m->view, &s, (s.primary && s.quorum) || s.who != NULL, steps);
    json_array_append_new(
        m->sides, json_pack("{s:s,s:o,s:i,s:i,s:b,s:b,s:s?,s:s?,s:o}", "side", title, "members",
                            names(&m->view, there), "votes", s.votes, "voters", s.voters, "quorum", s.quorum,
                            "has_primary", s.primary, "takes_over", s.who == NULL ? NULL : s.who->name,
                            "blocked", s.blocked[0] == '\0' || s.primary ? NULL : s.blocked, "steps", steps));
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static void run(struct simulation *m)
{
    const struct view *v = &m->view;
    uint32_t up = view_up(v);
    m->sides = json_array();
    m->writes = "stop";
    m->interruption_ms = -1;
    if (m->cut && (up & m->meant) != 0)
        side(m, text("cut off: %s", joined(m->targets)), up & m->meant);
    if ((up & ~m->meant) != 0)
        side(m, m->cut ? "the others" : "who is left", up & ~m->meant);
}

static const char *verdict(const struct simulation *m)
{
    if (strcmp(m->writes, "go_on") == 0)
        return "Writes go on.";
    if (strcmp(m->writes, "interrupted") == 0)
        return text("Writes stop for about %.1f s.", (double)m->interruption_ms / 1000);
    return "Writes stop until what is missing comes back, or an operator decides.";
}

static void print(struct simulation *m)
{
    struct output *o = &m->x->out;
    size_t i, k;
    json_t *one, *sentence;
    output_tone(o, TONE_STRONG, 2, "if %s %s · cluster %s · term %llu · as %s sees it now",
                joined(m->targets), m->cut ? "were cut off" : "were lost", m->view.cluster, m->view.term,
                m->view.self);
    json_array_foreach(m->sides, i, one)
    {
        output_blank(o);
        output_tone(o, TONE_STRONG, 2, "  %s · %s", json_text(one, "side"),
                    joined(json_object_get(one, "members")));
        json_array_foreach(json_object_get(one, "steps"), k, sentence)
            output_text(o, 7, "    %zu. %s", k + 1, json_string_value(sentence));
    }
    output_blank(o);
    output_tone(o,
                strcmp(m->writes, "go_on") == 0         ? TONE_GOOD
                : strcmp(m->writes, "interrupted") == 0 ? TONE_WARN
                                                        : TONE_BAD,
                2, "%s", verdict(m));
}

static void print_json(struct simulation *m)
{
    output_json(&m->x->out,
                json_pack("{s:s,s:I,s:s?,s:s,s:s,s:O,s:O,s:s,s:o}", "cluster", m->view.cluster, "term",
                          (json_int_t)m->view.term, "primary",
                          *m->view.primary == '\0' ? NULL : m->view.primary, "self", m->view.self, "event",
                          m->cut ? "cut" : "lose", "targets", m->targets, "sides", m->sides, "writes",
                          m->writes, "interruption_ms",
                          m->interruption_ms < 0 ? json_null() : json_integer(m->interruption_ms)));
}

/* ---- what is meant -------------------------------------------------------------------------------------------------- */

static int mean(struct simulation *m, const char *word)
{
    const char *known[2 * MEMBERS_MAX];
    size_t n = 0;
    uint32_t found = 0;
    for (int i = 0; i < m->view.n; i++) {
        const struct view_member *one = &m->view.members[i];
        const char *name = m->cut ? one->site : one->name;
        bool again = false;
        for (size_t k = 0; k < n; k++)
            again = again || strcmp(known[k], name) == 0;
        if (!again)
            known[n++] = name;
        if (strcmp(name, word) == 0)
            found |= 1u << i;
    }
    for (int i = 0; i < m->view.n && found == 0 && m->cut; i++) /* a member can be cut off as well */
        if (strcmp(m->view.members[i].name, word) == 0)
            found = 1u << i;
    m->meant |= found;
    json_array_append_new(m->targets, json_string(word));
    if (found != 0)
        return EXIT_OK;
    return output_fail(&m->x->out, EXIT_UNKNOWN,
                       text("cluster %s has no %s \"%s\"", m->view.cluster, m->cut ? "site" : "member", word),
                       text_meant(word, known, n), "\"pgmesh status\" lists members and sites.");
}

int command_simulate(struct inspect *x)
{
    static struct simulation m;
    const char *words[MEMBERS_MAX + 1], *value;
    int code = EXIT_OK, option, n = 0;
    json_t *answer;
    m = (struct simulation){.x = x};
    while ((option = args_next(x, &value, &code)) == ARGS_WORD && n <= MEMBERS_MAX)
        words[n++] = value;
    if (option == ARGS_STOP)
        return code;
    m.cut = n > 0 && strcmp(words[0], "cut") == 0;
    if (n < 2 || (!m.cut && strcmp(words[0], "lose") != 0))
        return usage(x,
                     n == 0   ? "cut or lose?"
                     : n == 1 ? "nothing is named"
                              : text("cannot simulate \"%s\"", words[0]),
                     "It is written simulate cut SITE... or simulate lose MEMBER...");
    if ((code = view_ask(x, &m.view, &answer)) != EXIT_OK)
        return code;
    m.targets = json_array();
    for (int i = 1; i < n && code == EXIT_OK; i++)
        code = mean(&m, words[i]);
    if (code == EXIT_OK) {
        run(&m);
        if (x->out.json)
            print_json(&m);
        else
            print(&m);
    }
    json_decref(m.targets);
    json_decref(m.sides);
    json_decref(answer);
    return code;
}
