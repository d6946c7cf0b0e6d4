/* measured.c: what the journal's events say around a term: when which phase ended, what applications saw, what was lost.
 *
 * Each member knows its own part best, the new primary most.  The sentences are those of mesh/notice.c. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/why.h"

enum { STORY_BEFORE_US = 2000000, STORY_AFTER_US = 30000000 };

void line_add(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->s + l->n, sizeof l->s - l->n, format, args);
    va_end(args);
    if (n > 0 && l->n + (size_t)n < sizeof l->s)
        l->n += (size_t)n;
}

static long long silence_ms(const struct why *w)
{
    const struct justification *j = &w->dossier.certificate.proposal.why;
    long long longest = 0;
    for (int i = 0; i < j->n_promises; i++)
        if (j->promises[i].verdict != VERDICT_RELEASED && j->promises[i].silent_ms > longest)
            longest = j->promises[i].silent_ms;
    return longest;
}

bool why_story(const struct why *w, const json_t *event)
{
    long long decided = json_number(w->answer, "at_us", -1), at = json_number(event, "at_us", -1);
    return decided >= 0 && at >= decided - silence_ms(w) * 1000 - STORY_BEFORE_US &&
           at <= decided + STORY_AFTER_US;
}

static void before_decision(struct why_measured *m, const char *name, long long at)
{
    if (strcmp(name, "+verdict") == 0)
        m->verdict_us = at;
    else if (strcmp(name, "+takeover") == 0)
        m->asked_us = at;
    else if (strcmp(name, "+sealed") == 0)
        m->sealed_us = at;
}

static void after_decision(struct why_measured *m, const json_t *event, unsigned long long term)
{
    const char *name = json_text(event, "name"), *sentence = json_text(event, "text");
    long long at = json_number(event, "at_us", -1);
    unsigned long long of = 0, bytes;
    unsigned ms;
    char who[NAME_SIZE];
    if ((unsigned long long)json_number(event, "term", 0) != term)
        return;
    if (strcmp(name, "+ready") == 0 && m->ready_us < 0)
        m->ready_us = at;
    if (strcmp(name, "+follower") == 0 && m->follower_us < 0 &&
        sscanf(sentence, "%31s streams", m->follower) == 1)
        m->follower_us = at;
    if (strcmp(name, "+gap") == 0 && sscanf(sentence, "%llu bytes", &bytes) == 1)
        m->gap_bytes = (long long)bytes;
    /* of several observers the one that waited longest */
    if (strcmp(name, "+outage") == 0 &&
        sscanf(sentence, "%u ms without a primary before term %llu, as %31s saw", &ms, &of, who) == 3 &&
        of == term && (long long)ms > m->outage_ms) {
        m->outage_ms = ms;
        memcpy(m->observer, who, sizeof who);
    }
}

void why_measure(const struct why *w, struct why_measured *m)
{
    const json_t *events = json_object_get(w->answer, "events");
    size_t i;
    json_t *one;
    *m = (struct why_measured){.verdict_us = -1,
                               .asked_us = -1,
                               .sealed_us = -1,
                               .ready_us = -1,
                               .follower_us = -1,
                               .outage_ms = -1,
                               .gap_bytes = -1};
    m->decided_us = json_number(w->answer, "at_us", -1);
    m->silence_ms = silence_ms(w);
    m->proven = dossier_takes_over(&w->dossier) && w->dossier.valid && w->dossier.seals_enough &&
                w->dossier.certificate.proposal.record.durability != DURABILITY_ASYNC;
    json_array_foreach((json_t *)events, i, one)
    {
        if (!why_story(w, one))
            continue;
        if (json_number(one, "at_us", -1) <= m->decided_us)
            before_decision(m, json_text(one, "name"), json_number(one, "at_us", -1));
        after_decision(m, one, w->dossier.certificate.proposal.record.term);
    }
    if (m->asked_us >= 0 && m->verdict_us > m->asked_us)
        m->verdict_us = -1;
}

static void phase(struct line *l, const char *name, long long from, long long to)
{
    if (from >= 0 && to >= from)
        line_add(l, "%s%s %.3f", l->n == 0 ? "" : " | ", name, (double)(to - from) / 1e6);
}

void why_phases(const struct why_measured *m, struct line *l)
{
    *l = (struct line){0};
    phase(l, "ask", m->verdict_us, m->asked_us);
    phase(l, "seal", m->asked_us, m->sealed_us);
    phase(l, "decide", m->sealed_us >= m->asked_us ? m->sealed_us : m->asked_us, m->decided_us);
    phase(l, "promote", m->decided_us, m->ready_us);
    phase(l, "first follower", m->decided_us, m->follower_us);
    if (m->outage_ms >= 0)
        line_add(l, "%sapplications %.3f in all", l->n == 0 ? "" : " | ", (double)m->outage_ms / 1000);
}

const char *why_lost(const struct why *w, const struct why_measured *m)
{
    const struct proposal *p = &w->dossier.certificate.proposal;
    bool allowed = p->why.has_command && p->why.command.allow_data_loss;
    if (m->proven)
        return "no acknowledged commit lost (proven by the seals)";
    if (m->gap_bytes < 0)
        return allowed ? "an operator allowed loss; how much is not known" : "what was lost is not known";
    return text("%s of WAL last heard of were lost%s", text_bytes((unsigned long long)m->gap_bytes),
                allowed ? ", as an operator allowed" : "");
}
