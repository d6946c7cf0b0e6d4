/* report.c: pgmesh why [TERM] --report: an incident report in Markdown: what is known, measured and proven; what only people
 * know has its place to be filled in. */
#define _GNU_SOURCE
#include <string.h>

#include "mesh/inspect/client.h"
#include "mesh/inspect/why.h"

/* Table cells end at "|". */
static void cell(FILE *to, const char *s)
{
    for (; *s != '\0'; s++)
        if (*s == '|')
            fputs("\\|", to);
        else
            fputc((unsigned char)*s < ' ' ? ' ' : *s, to);
}

static void row(FILE *to, const char *name, const char *value)
{
    fprintf(to, "| %s | ", name);
    cell(to, value);
    fputs(" |\n", to);
}

static void summary(const struct why *w, const struct why_measured *m)
{
    const struct proposal *p = &w->dossier.certificate.proposal;
    FILE *to = w->x->out.to;
    struct line phases;
    const char *at = json_text(w->answer, "at");
    fputs("| | |\n|---|---|\n", to);
    row(to, "Date", *at == '\0' ? "not in the journal of the member asked" : at);
    row(to, "What", why_kind(w));
    row(to, "Primary",
        dossier_takes_over(&w->dossier)
            ? text("%s → %s, term %llu, timeline %u", why_former(w), why_name(w, p->record.primary),
                   (unsigned long long)p->record.term, p->record.timeline)
            : why_name(w, p->record.primary));
    row(to, "Real RTO",
        m->outage_ms >= 0
            ? text("%.2f s without a primary, as %s saw it", (double)m->outage_ms / 1000, m->observer)
        : m->ready_us >= 0 ? text("not measured by an observer; writable %.2f s after the decision",
                                  (double)(m->ready_us - m->decided_us) / 1e6)
                           : "not measured");
    row(to, "Real RPO", why_lost(w, m));
    why_phases(m, &phases);
    if (phases.n > 0)
        row(to, "Phases (s)", phases.s);
    row(to, "Proof",
        w->dossier.valid
            ? text("certificate valid%s, accepted by %d of %d voters",
                   dossier_voters_proven(&w->dossier) ? "" : " only if these were the voters (not proven)",
                   __builtin_popcount(w->dossier.accepted), p->record.voters.n)
            : text("certificate NOT VALID: %s", w->dossier.wrong));
    for (int i = 0; i < DOUBTS; i++)
        if (w->dossier.doubt[i][0] != '\0')
            row(to, "Not proven", w->dossier.doubt[i]);
}

static void voters(const struct why *w)
{
    const struct justification *j = &w->dossier.certificate.proposal.why;
    FILE *to = w->x->out.to;
    fputs(
        "\n## Who agreed, on which evidence\n\n| voter | verdict on the primary | its grant had been over for | signature |\n"
        "|---|---|---|---|\n",
        to);
    for (int i = 0; i < j->n_promises; i++)
        fprintf(to, "| %s | %s | %u ms | %s |\n", why_name(w, j->promises[i].who),
                verdict_name(j->promises[i].verdict), j->promises[i].silent_ms,
                w->dossier.promise_holds[i] ? "valid" : "NOT VALID");
    if (j->has_command)
        fprintf(to, "\nOrdered by %s%s%s.\n", why_name(w, j->command.who),
                *j->command.why == '\0' ? "" : ": ", j->command.why);
}

static void data(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct justification *j = &d->certificate.proposal.why;
    FILE *to = w->x->out.to;
    fputs("\n## Data\n\n| database | sealed at | timeline | chosen | why not |\n|---|---|---|---|---|\n", to);
    for (int i = 0; i < j->n_seals; i++)
        fprintf(to, "| %s | %s | %u | %s | %s |\n", why_name(w, j->seals[i].sealed.id),
                text_lsn(j->seals[i].sealed.lsn), j->seals[i].sealed.timeline, i == d->chosen ? "yes" : "",
                dossier_because(d, i, &w->cluster));
}

static void timeline(const struct why *w, const struct why_measured *m)
{
    const json_t *events = json_object_get(w->answer, "events");
    FILE *to = w->x->out.to;
    size_t i;
    json_t *one;
    fprintf(
        to,
        "\n## Timeline\n\nFrom the journal of %s; seconds from the decision.\n\n| s | event | |\n|---:|---|---|\n",
        *json_text(w->answer, "self") == '\0' ? "the member asked" : json_text(w->answer, "self"));
    json_array_foreach((json_t *)events, i, one)
    {
        if (!why_story(w, one))
            continue;
        fprintf(to, "| %+.3f | `%s` | ", (double)(json_number(one, "at_us", -1) - m->decided_us) / 1e6,
                json_text(one, "name"));
        cell(to, json_text(one, "text"));
        fputs(" |\n", to);
    }
}

void why_report(const struct why *w)
{
    const struct proposal *p = &w->dossier.certificate.proposal;
    FILE *to = w->x->out.to;
    struct why_measured m;
    why_measure(w, &m);
    fprintf(to, "# Incident: %s of cluster %s, term %llu\n\n", why_kind(w), w->cluster.name,
            (unsigned long long)p->record.term);
    summary(w, &m);
    fputs("\n## Cause\n\n*(to be filled in: what happened to the former primary, and how that is known)*\n"
          "\n## Resolution\n\n*(to be filled in: what was done by hand, if anything; what shall change)*\n",
          to);
    if (dossier_takes_over(&w->dossier)) {
        voters(w);
        data(w);
    }
    if (m.decided_us >= 0)
        timeline(w, &m);
    fprintf(
        to,
        "\nVerified offline against the cluster file. `pgmesh why %llu --output json` holds the certificate.\n",
        (unsigned long long)p->record.term);
}
