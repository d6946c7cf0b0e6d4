/* why_json.c: a term's dossier, for programs. */
#define _GNU_SOURCE
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/why.h"

static json_t *promises_json(const struct why *w)
{
    const struct justification *j = &w->dossier.certificate.proposal.why;
    json_t *list = json_array();
    for (int i = 0; i < j->n_promises; i++)
        json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:b}", "member", why_name(w, j->promises[i].who),
                                              "verdict", verdict_name(j->promises[i].verdict), "silent_ms",
                                              (json_int_t)j->promises[i].silent_ms, "valid",
                                              w->dossier.promise_holds[i]));
    return list;
}

static json_t *seals_json(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct justification *j = &d->certificate.proposal.why;
    json_t *list = json_array();
    for (int i = 0; i < j->n_seals; i++) {
        const struct sealed_statement *s = &j->seals[i];
        const char *because = dossier_because(d, i, &w->cluster);
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:i,s:I,s:I,s:b,s:b,s:s?}", "member", why_name(w, s->sealed.id), "lsn",
                            text_lsn(s->sealed.lsn), "timeline", (int)s->sealed.timeline, "wal_term",
                            (json_int_t)s->sealed.wal_term, "backlog_bytes", (json_int_t)s->backlog_bytes,
                            "valid", d->seal_holds[i], "chosen", i == d->chosen, "not_chosen_because",
                            *because == '\0' ? NULL : because));
    }
    return list;
}

static json_t *accepted_json(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    json_t *list = json_array();
    for (int i = 0; i < d->certificate.n_accepted; i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:b}", "member", why_name(w, d->certificate.accepted[i].who),
                                        "valid", d->accepted_holds[i]));
    return list;
}

static json_t *command_json(const struct why *w)
{
    const struct justification *j = &w->dossier.certificate.proposal.why;
    if (!j->has_command)
        return json_null();
    return json_pack("{s:s,s:s?,s:s?,s:b,s:s,s:b}", "operator", why_name(w, j->command.who), "approved_by",
                     j->command.approved ? why_name(w, j->command.approval.who) : NULL, "target",
                     j->command.target == MEMBER_NONE ? NULL : why_name(w, j->command.target),
                     "allow_data_loss", j->command.allow_data_loss, "why", j->command.why, "valid",
                     w->dossier.command_holds);
}

static json_t *span_json(long long from_us, long long to_us)
{
    return from_us < 0 || to_us < from_us ? json_null() : json_integer((to_us - from_us) / 1000);
}

static json_t *measured_json(const struct why *w)
{
    struct why_measured m;
    why_measure(w, &m);
    if (!dossier_takes_over(&w->dossier))
        return json_null();
    json_t *phases = json_pack("{s:o,s:o,s:o,s:o,s:o}", "ask_ms", span_json(m.verdict_us, m.asked_us),
                               "seal_ms", span_json(m.asked_us, m.sealed_us), "decide_ms",
                               span_json(m.sealed_us >= m.asked_us ? m.sealed_us : m.asked_us, m.decided_us),
                               "promote_ms", span_json(m.decided_us, m.ready_us), "first_follower_ms",
                               span_json(m.decided_us, m.follower_us));
    return json_pack("{s:o,s:s?,s:b,s:o,s:o}", "outage_ms",
                     m.outage_ms < 0 ? json_null() : json_integer(m.outage_ms), "observer",
                     m.outage_ms < 0 ? NULL : m.observer, "nothing_lost_proven", m.proven, "gap_bytes",
                     m.gap_bytes < 0 ? json_null() : json_integer(m.gap_bytes), "phases", phases);
}

/* What the certificate is verified with beside the cluster file, so that the document is enough. */
static json_t *roster_json(const struct why *w)
{
    static char text[ROSTER_MAX];
    size_t n = roster_text(&w->roster, text);
    return n == 0 ? json_null() : json_stringn(text, n);
}

static json_t *doubts_json(const struct dossier *d)
{
    json_t *list = json_array();
    for (int i = 0; i < DOUBTS; i++)
        if (d->doubt[i][0] != '\0')
            json_array_append_new(list, json_string(d->doubt[i]));
    return list;
}

void why_json(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct proposal *p = &d->certificate.proposal;
    const json_t *events = json_object_get(w->answer, "events");
    const char *at = json_text(w->answer, "at");
    json_t *j =
        json_pack("{s:s,s:s,s:I,s:I,s:i,s:s?,s:s?,s:s?}", "cluster", w->cluster.name, "kind",
                  dossier_kind_name(d->kind), "term", (json_int_t)p->record.term, "version",
                  (json_int_t)p->record.version, "timeline", (int)p->record.timeline, "primary",
                  p->record.primary == MEMBER_NONE ? NULL : why_name(w, p->record.primary), "from",
                  !dossier_takes_over(d) || p->why.former == MEMBER_NONE ? NULL : why_name(w, p->why.former),
                  "at", *at == '\0' ? NULL : at);
    if (json_object_get(w->answer, "at_us") != NULL)
        json_object_set(j, "at_us", json_object_get(w->answer, "at_us"));
    if (json_object_get(w->answer, "self") != NULL)
        json_object_set(j, "self", json_object_get(w->answer, "self"));
    json_object_set_new(j, "valid", json_boolean(d->valid));
    json_object_set_new(j, "wrong", d->wrong[0] == '\0' ? json_null() : json_string(d->wrong));
    json_object_set_new(j, "voters_proven", json_boolean(dossier_voters_proven(d)));
    json_object_set_new(j, "from_proven", json_boolean(dossier_former_proven(d)));
    json_object_set_new(j, "kind_proven", json_boolean(dossier_kind_proven(d)));
    json_object_set_new(j, "not_proven", doubts_json(d));
    json_object_set_new(j, "rule", json_string(p->record.voters.rule == RULE_SITES ? "sites" : "majority"));
    json_object_set_new(j, "voters", json_integer(p->record.voters.n));
    json_object_set_new(j, "promises", promises_json(w));
    json_object_set_new(j, "seals", seals_json(w));
    json_object_set_new(j, "seals_needed", json_integer(d->seals_needed[0] + d->seals_needed[1]));
    json_object_set_new(j, "seals_enough", json_boolean(d->seals_enough));
    json_object_set_new(j, "accepted", accepted_json(w));
    json_object_set_new(j, "order", command_json(w));
    json_object_set_new(j, "measured", measured_json(w));
    json_object_set_new(j, "events", events == NULL ? json_array() : json_deep_copy(events));
    json_object_set_new(j, "roster", roster_json(w));
    json_object_set_new(j, "certificate", json_string(json_text(w->answer, "certificate")));
    json_object_set_new(j, "certificate_before",
                        w->before == NULL || *w->before == '\0' ? json_null() : json_string(w->before));
    output_json(&w->x->out, j);
}
