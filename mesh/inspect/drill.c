/* drill.c: pgmesh drill: a planned switchover and back, measured; for a timer.
 *
 * It begins only when the mesh is ready, goes on only when it is ready again, and ends where it stands when it is not: a
 * drill never makes a bad moment worse.  What applications saw is what the observers measured (status,
 * members[].outage_ms); without an observer only the order's own time is known. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mesh/inspect/order.h"
#include "mesh/inspect/ready.h"

enum { DRILL_TO, DRILL_ONE_WAY, DRILL_DEGRADED, DRILL_SETTLE };
const struct option_row options_drill[] = {
    [DRILL_TO] = {"to", "MEMBER", "the standby to switch to (who would take over)"},
    [DRILL_ONE_WAY] = {"one-way", NULL, "stay there: no way back"},
    [DRILL_DEGRADED] = {"even-degraded", NULL, "begin though \"pgmesh ready\" says degraded"},
    [DRILL_SETTLE] = {"settle", "SECONDS", "how long the mesh may take to be ready again (60)"},
    {NULL, NULL, NULL},
};

enum { LOOK_MS = 100, OBSERVERS_MS = 3000, SETTLE_S = 60, CALM_MS = 1000 };

struct drill {
    struct inspect *x;
    const char *to;
    bool one_way, even_degraded;
    int settle_ms;
    char home[NAME_SIZE], away[NAME_SIZE], cluster[64];
    json_t *legs, *findings;
};

static struct order order;

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- may it begin ----------------------------------------------------------------------------------------------------- */

/* How ready the member asked says that the mesh is; READY_NOT without an answer. */
static enum readiness look(struct drill *d, struct view *v, struct view_estimate *e, json_t **answer)
{
    d->x->out.quiet = true; /* an answer that fails to come is no end yet */
    int code = view_ask(d->x, v, answer);
    d->x->out.quiet = false;
    json_decref(d->findings);
    d->findings = NULL;
    if (code != EXIT_OK)
        return READY_NOT;
    view_estimate(v, e);
    return readiness_judge(v, e, &d->findings);
}

static const char *first_finding(const struct drill *d)
{
    const char *s = json_string_value(json_array_get(d->findings, 0));
    return s == NULL ? "no member answers" : s;
}

static int begin(struct drill *d)
{
    static struct view v;
    struct view_estimate e = {0};
    json_t *answer;
    int code = view_ask(d->x, &v, &answer);
    if (code != EXIT_OK)
        return code;
    view_estimate(&v, &e);
    json_decref(d->findings);
    enum readiness r = readiness_judge(&v, &e, &d->findings);
    const char *away = d->to != NULL ? d->to : e.who != NULL ? e.who->name : "";
    snprintf(d->home, sizeof d->home, "%s", v.primary);
    snprintf(d->away, sizeof d->away, "%s", away);
    snprintf(d->cluster, sizeof d->cluster, "%s", v.cluster);
    json_decref(answer);
    if (r == READY_NOT || (r == READY_DEGRADED && !d->even_degraded))
        return output_fail(&d->x->out, EXIT_REFUSED,
                           text("the drill does not begin: the mesh is %s",
                                r == READY_NOT ? "not ready for a failover" : "degraded"),
                           text("%s.", first_finding(d)),
                           r == READY_NOT
                               ? "\"pgmesh ready\" tells all of it."
                               : "\"pgmesh ready\" tells all of it; --even-degraded begins all the same.");
    return EXIT_OK;
}

/* ---- one leg ---------------------------------------------------------------------------------------------------------- */

/* What the observers say of the new term, waited for a moment: they ask ten times a second. */
static json_t *outages(struct drill *d, const char *primary)
{
    static struct view v;
    struct view_estimate e;
    long long until = now_ms() + OBSERVERS_MS;
    json_t *list = NULL, *answer;
    for (bool all = false; !all; poll(NULL, 0, LOOK_MS)) {
        json_decref(list);
        list = json_array();
        look(d, &v, &e, &answer);
        all = answer != NULL && strcmp(v.primary, primary) == 0;
        for (int i = 0; answer != NULL && i < v.n; i++) {
            const struct view_member *m = &v.members[i];
            if (strcmp(m->role, "observer") != 0 || strcmp(m->state, "up") != 0)
                continue;
            long long ms = json_number(m->json, "outage_ms", -1);
            all = all && ms >= 0;
            if (ms >= 0)
                json_array_append_new(
                    list, json_pack("{s:s,s:I}", "observer", m->name, "outage_ms", (json_int_t)ms));
        }
        json_decref(answer);
        all = all || now_ms() > until;
    }
    return list;
}

/* Waits until `primary` serves and the mesh is as ready as the drill wants it, for a second without a break. */
static bool settle(struct drill *d, const char *primary, long long *took_ms)
{
    static struct view v;
    struct view_estimate e;
    long long since = now_ms(), calm = -1;
    for (;; poll(NULL, 0, LOOK_MS)) {
        json_t *answer;
        enum readiness r = look(d, &v, &e, &answer);
        bool good = answer != NULL && strcmp(v.primary, primary) == 0 &&
                    (r == READY || (r == READY_DEGRADED && d->even_degraded));
        json_decref(answer);
        calm = !good ? -1 : calm < 0 ? now_ms() : calm;
        *took_ms = (good ? calm : now_ms()) - since;
        if (good && now_ms() - calm >= CALM_MS)
            return true;
        if (!good && *took_ms > d->settle_ms)
            return false;
    }
}

/* One order; its complaint is for the caller. */
static int order_once(struct drill *d, const char *to, bool *given)
{
    int code = order_open(&order, d->x);
    *given = false;
    if (code != EXIT_OK)
        return code;
    const struct cluster_member *m = order_target(&order, to, true, &code);
    if (m == NULL)
        return code;
    order.quiet = true;
    order.command.kind = COMMAND_SWITCHOVER;
    order.command.target = m->member.id;
    snprintf(order.deed, sizeof order.deed, "switch over to %s", to);
    *given = true;
    d->x->out.quiet = true;
    code = order_give(&order);
    d->x->out.quiet = false;
    return code;
}

/* The primary may be changing the sync set at that very moment: that is no reason to end a drill (switchover.c). */
static int switch_over(struct drill *d, const char *to, unsigned long long *term)
{
    long long until = now_ms() + d->settle_ms;
    for (;;) {
        bool given;
        int code = order_once(d, to, &given);
        bool busy = strstr(json_text(order.final, "text"), "busy") != NULL;
        char fact[300], detail[200], hint[200];
        *term = order.view.term;
        snprintf(fact, sizeof fact, "cannot switch over to %s: %s", to, json_text(order.final, "text"));
        snprintf(detail, sizeof detail, "%s", json_text(order.final, "detail"));
        snprintf(hint, sizeof hint, "%s", json_text(order.final, "hint"));
        if (given && order.final == NULL)
            snprintf(fact, sizeof fact, "cannot switch over to %s: the member does not answer", to);
        order_close(&order);
        if (code == EXIT_OK || !given)
            return code;
        if (!busy || now_ms() > until)
            return output_fail(&d->x->out, code, fact, *detail == '\0' ? NULL : detail,
                               *hint == '\0' ? NULL : hint);
        poll(NULL, 0, LOOK_MS);
    }
}

static int leg(struct drill *d, const char *from, const char *to)
{
    long long since = now_ms(), settled_ms;
    unsigned long long term;
    int code = switch_over(d, to, &term);
    if (code != EXIT_OK)
        return code;
    long long ordered_ms = now_ms() - since;
    json_t *seen = outages(d, to);
    bool good = settle(d, to, &settled_ms);
    json_array_append_new(d->legs, json_pack("{s:s,s:s,s:I,s:I,s:o,s:o}", "from", from, "to", to, "term",
                                             (json_int_t)term + 1, "ordered_ms", (json_int_t)ordered_ms,
                                             "outages", seen, "ready_again_ms",
                                             good ? json_integer(ordered_ms + settled_ms) : json_null()));
    if (!good)
        return output_fail(
            &d->x->out, EXIT_REFUSED, text("the drill ends at %s: the mesh is not ready again", to),
            text("%s.", first_finding(d)), "When it is, \"pgmesh switchover\" brings the primary back.");
    return EXIT_OK;
}

static void print_leg(struct inspect *x, const json_t *one)
{
    const json_t *seen = json_object_get(one, "outages");
    size_t i;
    json_t *o;
    output_tone(&x->out, TONE_GOOD, 4, "  %s → %s · term %lld · done in %s · ready again after %s",
                json_text(one, "from"), json_text(one, "to"), json_number(one, "term", 0),
                text_duration((unsigned long long)json_number(one, "ordered_ms", 0)),
                text_duration((unsigned long long)json_number(one, "ready_again_ms", 0)));
    json_array_foreach((json_t *)seen, i, o) output_text(
        &x->out, 6, "      no primary for %s, as %s saw it",
        text_duration((unsigned long long)json_number(o, "outage_ms", 0)), json_text(o, "observer"));
    if (json_array_size(seen) == 0)
        output_text(&x->out, 6, "      no observer measured it");
}

static int carry_out(struct drill *d)
{
    int code = leg(d, d->home, d->away);
    if (code == EXIT_OK) {
        print_leg(d->x, json_array_get(d->legs, 0));
        if (!d->one_way)
            code = leg(d, d->away, d->home);
    }
    if (code != EXIT_OK)
        return code;
    if (!d->one_way)
        print_leg(d->x, json_array_get(d->legs, 1));
    if (d->x->out.json)
        output_json(&d->x->out,
                    json_pack("{s:s,s:s,s:s,s:b,s:O}", "cluster", d->cluster, "command", "drill", "primary",
                              d->one_way ? d->away : d->home, "done", 1, "legs", d->legs));
    output_tone(&d->x->out, TONE_GOOD, 2, "the drill is done: %s is the primary",
                d->one_way ? d->away : d->home);
    return EXIT_OK;
}

static bool take_settle(struct drill *d, const char *value)
{
    char *end;
    long seconds = strtol(value, &end, 10);
    if (*end != '\0' || seconds < 1 || seconds > 86400)
        return false;
    d->settle_ms = (int)seconds * 1000;
    return true;
}

int command_drill(struct inspect *x)
{
    static struct drill d;
    const char *value;
    int code = EXIT_OK, option;
    d = (struct drill){.x = x, .settle_ms = SETTLE_S * 1000, .legs = json_array()};
    while ((option = args_next(x, &value, &code)) >= 0) {
        if (option == DRILL_TO)
            d.to = value;
        else if (option == DRILL_ONE_WAY)
            d.one_way = true;
        else if (option == DRILL_DEGRADED)
            d.even_degraded = true;
        else if (!take_settle(&d, value))
            return usage(x, text("\"%s\" is no time limit", value),
                         "A whole number of seconds, up to a day.");
    }
    if (option == ARGS_STOP)
        return code;
    if (option == ARGS_WORD)
        return usage(x, text("unexpected word \"%s\"", value), "A standby is named with --to MEMBER.");
    code = begin(&d);
    if (code == EXIT_OK)
        code = carry_out(&d);
    json_decref(d.legs);
    json_decref(d.findings);
    return code;
}
