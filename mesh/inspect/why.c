/* why.c: pgmesh why [TERM]: a term's dossier, for people. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/why.h"

#include "mesh/inspect/client.h"
#include "mesh/inspect/problems.h"
#include "mesh/io/roster.h"
#include "mesh/io/file.h"
#include "mesh/io/view.h"

enum { WHY_CERTIFICATE, WHY_CLUSTER_FILE, WHY_ROSTER, WHY_REPORT };
const struct option_row options_why[] = {
    [WHY_CERTIFICATE] =
        {"certificate", "FILE",
         "a certificate in hex (as --output json shows it) instead of a member's journal; further lines: those from before, newest first"},
    [WHY_CLUSTER_FILE] = {"cluster-file", "FILE",
                          "whose keys it is verified with (beside the configuration)"},
    [WHY_ROSTER] =
        {"roster", "FILE",
         "members and keys that came after that file: state/roster of any member (by itself, when one is asked)"},
    [WHY_REPORT] = {"report", NULL, "an incident report in Markdown, with what was measured"},
    {NULL, NULL, NULL},
};

const char *why_name(const struct why *w, member_id id)
{
    return id == MEMBER_NONE ? "nobody" : cluster_member_name(&w->cluster, id);
}

const char *why_former(const struct why *w)
{
    const char *name = why_name(w, w->dossier.certificate.proposal.why.former);
    if (!dossier_takes_over(&w->dossier))
        return "";
    return dossier_former_proven(&w->dossier) ? name : text("%s (not proven)", name);
}

/* ---- for people --------------------------------------------------------------------------------------------------- */

const char *why_kind(const struct why *w)
{
    const struct proposal *p = &w->dossier.certificate.proposal;
    switch (w->dossier.kind) {
    case DOSSIER_FIRST: return "the first record";
    case DOSSIER_REFORMED: return "new voters by the root's word";
    case DOSSIER_CHANGE: return "a change by the primary";
    case DOSSIER_FAILOVER: return p->why.has_command ? "ordered failover" : "failover";
    case DOSSIER_HANDOVER:
        return strcmp(json_text(w->answer, "kind"), "switchover") == 0 ? "planned switchover" : "handover";
    case DOSSIER_RETURN: return "return of the same primary";
    }
    return "";
}

static void print_head(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct record *r = &d->certificate.proposal.record;
    const char *at = w->answer == NULL ? "" : json_text(w->answer, "at");
    bool takeover = dossier_takes_over(d);
    output_tone(&w->x->out, TONE_STRONG, 2, "%s · term %s%llu%s%s · %s%s%s", why_kind(w),
                takeover ? text("%llu → ", (unsigned long long)r->term - 1) : "", (unsigned long long)r->term,
                *at == '\0' ? "" : " · ", at, why_former(w),
                takeover                      ? " → "
                : d->kind == DOSSIER_REFORMED ? "nobody serves under it; its data are those of "
                                              : "primary ",
                why_name(w, r->primary));
    output_blank(&w->x->out);
}

static void print_why(const struct why *w)
{
    const struct justification *j = &w->dossier.certificate.proposal.why;
    unsigned longest = 0, released = 0;
    for (int i = 0; i < j->n_promises; i++) {
        longest = j->promises[i].silent_ms > longest ? j->promises[i].silent_ms : longest;
        released += j->promises[i].verdict == VERDICT_RELEASED;
    }
    if (justification_reformed(j))
        output_field(&w->x->out, "why", "the root re-formed the voters, and nobody held the term any more");
    else if (released > 0)
        output_field(&w->x->out, "why", "%s gave the term up itself (RELEASE), as %u of the voters had seen",
                     why_former(w), released);
    else
        output_field(&w->x->out, "why",
                     "the lease of %s ended unrenewed at those who promised, up to %s before they did",
                     why_former(w), text_duration(longest));
    if (j->has_command)
        output_field(
            &w->x->out, "order", "by %s%s: %s%s%s%s · %s", why_name(w, j->command.who),
            j->command.approved ? text(", approved by %s", why_name(w, j->command.approval.who)) : "",
            j->command.kind == COMMAND_FAILOVER     ? "failover"
            : j->command.kind == COMMAND_SWITCHOVER ? "switchover"
                                                    : "resume",
            j->command.target == MEMBER_NONE ? "" : text(" to %s", why_name(w, j->command.target)),
            j->command.allow_data_loss ? ", loss of data allowed" : "",
            *j->command.why == '\0' ? "" : text(" (%s)", j->command.why),
            !w->dossier.command_holds ? j->command.approved ? "signatures NOT VALID" : "signature NOT VALID"
            : j->command.approved     ? "both signatures valid"
                                      : "signature valid");
}

static void print_who(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct justification *j = &d->certificate.proposal.why;
    const struct voters *voters = &d->certificate.proposal.record.voters;
    struct line l = {0}, silent = {0};
    for (int i = 0; i < j->n_promises; i++) {
        const struct promise *p = &j->promises[i];
        char verdict[16] = "";
        for (const char *v = verdict_name(p->verdict); *v != '\0' && strlen(verdict) + 1 < sizeof verdict;
             v++)
            verdict[strlen(verdict)] = (char)toupper((unsigned char)*v);
        line_add(&l, "%s%s %s%s", i == 0 ? "" : ", ", why_name(w, p->who), verdict,
                 !d->promise_holds[i] ? " (NOT VALID)"
                 : p->verdict == VERDICT_RELEASED
                     ? ""
                     : text(" (its grant over for %s)", text_duration(p->silent_ms)));
    }
    for (int i = 0; i < voters->n; i++)
        if ((d->promised & 1u << i) == 0)
            line_add(&silent, "%s%s", silent.n == 0 ? "" : ", ", why_name(w, voters->v[i].id));
    output_field(&w->x->out, "who", "promised: %s%s%s", l.s,
                 silent.n == 0 ? "" : " · not heard, not asked or not shown: ", silent.s);
}

static void print_data(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct proposal *p = &d->certificate.proposal;
    struct line l = {0};
    for (int i = 0; i < p->why.n_seals; i++)
        line_add(&l, "%s%s %s on timeline %u%s", i == 0 ? "" : ", ", why_name(w, p->why.seals[i].sealed.id),
                 text_lsn(p->why.seals[i].sealed.lsn), p->why.seals[i].sealed.timeline,
                 d->seal_holds[i] ? "" : " (SIGNATURE NOT VALID)");
    if (p->record.durability == DURABILITY_ASYNC)
        line_add(&l, " · async: what had not arrived there is lost");
    else if (d->doubt[DOUBT_SEALS][0] != '\0')
        line_add(&l, " · NOT PROVEN that no acknowledged commit is missing: it is if %s",
                 dossier_voters_proven(d) ? text("%s was the primary", why_name(w, p->why.former))
                                          : "those who accepted it were the voters");
    else if (d->former_sealed && dossier_former_proven(d))
        line_add(&l, " · %s itself is among them: nothing can be missing", why_name(w, p->why.former));
    else if (d->seals_enough)
        line_add(&l, " · needed %u of %u%s: no acknowledged commit is missing", d->seals_needed[0],
                 p->record.sync[0].n,
                 d->seals_needed[1] > 0 ? text(", and %u of %u", d->seals_needed[1], p->record.sync[1].n)
                                        : "");
    else
        line_add(&l, " · NOT ENOUGH of them to prove that no acknowledged commit is missing");
    output_field(&w->x->out, "data", "sealed: %s", l.s);
}

static const char *because_text(const struct why *w, int i)
{
    const struct dossier *d = &w->dossier;
    const struct sealed_statement *seals = d->certificate.proposal.why.seals;
    const char *step = dossier_because(d, i, &w->cluster);
    const char *chosen = why_name(w, d->certificate.proposal.record.primary);
    lsn_t ahead = seals[d->chosen].sealed.lsn, behind = seals[i].sealed.lsn;
    if (strcmp(step, "wal") == 0 && seals[i].sealed.wal_term == seals[d->chosen].sealed.wal_term &&
        ahead >= behind)
        return text("%s behind %s", text_bytes(ahead - behind), chosen);
    if (strcmp(step, "wal") == 0)
        return text("its WAL is of an older term than that of %s", chosen);
    if (strcmp(step, "backlog") == 0)
        return text("more WAL to replay than %s (%s against %s)", chosen, text_bytes(seals[i].backlog_bytes),
                    text_bytes(seals[d->chosen].backlog_bytes));
    if (strcmp(step, "site") == 0)
        return text("in another site than the former primary%s",
                    dossier_former_proven(d) ? "" : " (not proven)");
    if (strcmp(step, "named") == 0)
        return text("equal by its data; %s was named, or preferred by priority", chosen);
    return text("equal in all that the certificate tells; %s has the lower number or the higher priority",
                chosen);
}

static void print_not(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct justification *j = &d->certificate.proposal.why;
    if (d->chosen >= 0 && j->n_seals == 1)
        output_field(&w->x->out, "chosen", "%s was sealed, no other is shown",
                     why_name(w, j->seals[0].sealed.id));
    for (int i = 0; i < j->n_seals && d->chosen >= 0; i++)
        if (i != d->chosen)
            output_field(&w->x->out, "not", "%s: %s", why_name(w, j->seals[i].sealed.id), because_text(w, i));
}

static void print_doubts(const struct why *w)
{
    for (int i = 0; i < DOUBTS; i++)
        if (w->dossier.doubt[i][0] != '\0')
            output_field(&w->x->out, "unproven", "%s", w->dossier.doubt[i]);
}

static void print_proof(const struct why *w)
{
    const struct dossier *d = &w->dossier;
    const struct record *r = &d->certificate.proposal.record;
    struct line l = {0};
    if (d->kind == DOSSIER_FIRST) {
        output_field(&w->x->out, "proof", "signed by the cluster's root key");
        return;
    }
    if (d->kind == DOSSIER_REFORMED) {
        for (int i = 0; i < r->voters.n; i++)
            line_add(&l, "%s%s", i == 0 ? "" : ", ", why_name(w, r->voters.v[i].id));
        output_field(&w->x->out, "proof", "%s%s",
                     d->valid ? "signed by the cluster's root key" : "NOT VALID: ", d->wrong);
        output_field(&w->x->out, "voters", "from then on: %s", l.s);
        return;
    }
    for (int i = 0; i < d->certificate.n_accepted; i++)
        line_add(&l, "%s%s", i == 0 ? "" : ", ", why_name(w, d->certificate.accepted[i].who));
    output_field(&w->x->out, "proof", "certificate %s: accepted by %s (%d of %d voters, rule %s)%s%s",
                 !d->valid                  ? "NOT VALID"
                 : dossier_voters_proven(d) ? "valid"
                                            : "valid only if these were the voters (not proven)",
                 l.s, __builtin_popcount(d->accepted), r->voters.n,
                 r->voters.rule == RULE_SITES ? "sites" : "majority", d->valid ? "" : " · ", d->wrong);
}

/* What it cost, and how long each step took. */
static void print_times(const struct why *w)
{
    struct why_measured m;
    struct line l;
    why_measure(w, &m);
    if (m.outage_ms >= 0)
        output_field(&w->x->out, "cost", "no primary for %.2f s, as %s saw it · %s",
                     (double)m.outage_ms / 1000, m.observer, why_lost(w, &m));
    else
        output_field(&w->x->out, "cost", "no observer told how long · %s", why_lost(w, &m));
    why_phases(&m, &l);
    if (l.n > 0)
        output_field(&w->x->out, "time", "%s", l.s);
    if (m.follower_us >= 0)
        output_field(&w->x->out, "after", "%s was the first to stream from %s", m.follower,
                     why_name(w, w->dossier.certificate.proposal.record.primary));
}

/* Each event by its seconds before and after the decision. */
static void print_events(const struct why *w)
{
    static const struct column columns[] = {{"SECONDS", 0, true}, {"EVENT", 0, false}, {"", 0, false}};
    const json_t *events = json_object_get(w->answer, "events");
    long long decided = json_number(w->answer, "at_us", -1);
    struct table t;
    size_t i;
    json_t *one;
    table_open(&t, columns, 3);
    json_array_foreach((json_t *)events, i, one)
    {
        if (!why_story(w, one))
            continue;
        table_cell(&t, TONE_PLAIN, "%+.3f", (double)(json_number(one, "at_us", -1) - decided) / 1e6);
        table_cell(&t, TONE_STRONG, "%s", json_text(one, "name"));
        table_cell(&t, TONE_PLAIN, "%s", json_text(one, "text"));
    }
    if (t.n_cells > 0) {
        output_blank(&w->x->out);
        table_print(&w->x->out, &t);
    }
    table_close(&t);
}

static void print_text(const struct why *w)
{
    print_head(w);
    if (dossier_takes_over(&w->dossier)) {
        print_why(w);
        print_who(w);
        print_data(w);
        print_not(w);
    }
    print_proof(w);
    print_doubts(w);
    if (dossier_takes_over(&w->dossier))
        print_times(w);
    print_events(w);
}

/* ---- where it comes from ------------------------------------------------------------------------------------------ */

static int not_a_certificate(struct why *w)
{
    return output_fail(&w->x->out, EXIT_REFUSED, "this is no certificate",
                       "It is not hex, or not what a certificate is made of.",
                       "\"pgmesh why --output json | jq -r .certificate\" prints one.");
}

/* One word in hex. */
static bool bytes_of(uint8_t out[static FRAME_BODY_MAX], size_t *n, const char *hex)
{
    size_t length = strcspn(hex, " \t\r\n");
    *n = length / 2;
    return length > 0 && length % 2 == 0 && *n <= FRAME_BODY_MAX && hex_get(out, *n, hex, length);
}

static const char *next_word(const char *text)
{
    static const char space[] = " \t\r\n";
    text += strcspn(text, space);
    return text + strspn(text, space);
}

/* `before`: those of before, newest first; "" where there is none. */
static int read_hex(struct why *w, const char *hex, const char *before)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    static struct certificate earlier[WHY_BEFORE_MAX];
    size_t n;
    int have = 0;
    for (const char *one = before; *one != '\0' && have < WHY_BEFORE_MAX; one = next_word(one))
        if (!bytes_of(bytes, &n, one) || !wire_get_decided(&earlier[have++], bytes, n))
            return not_a_certificate(w);
    if (!bytes_of(bytes, &n, hex) || !dossier_read(&w->dossier, bytes, n, earlier, have, &w->cluster))
        return not_a_certificate(w);
    w->before = before;
    return EXIT_OK;
}

static int load_cluster(struct why *w, const char *path)
{
    struct problem problem = {0};
    if (*path == '\0')
        return usage(w->x, "no cluster file is named",
                     "A certificate is verified with --cluster-file FILE, or --config FILE beside one.");
    keys_begin();
    return cluster_load(path, &w->cluster, &problem) ? EXIT_OK
                                                     : output_problem(&w->x->out, EXIT_REFUSED, &problem);
}

static int take_roster(struct why *w, const char *text, size_t n, const char *path)
{
    struct problem problem = {0};
    int news;
    return roster_merge(&w->roster, &w->cluster, text, n, path, &news, &problem)
               ? EXIT_OK
               : output_problem(&w->x->out, EXIT_REFUSED, &problem);
}

static int read_roster(struct why *w)
{
    struct problem problem = {0};
    size_t n;
    char *text = file_read(w->roster_file, FILE_TEXT, ROSTER_MAX, &n, &problem);
    int code = text == NULL ? output_problem(&w->x->out, EXIT_REFUSED, &problem)
                            : take_roster(w, text, n, w->roster_file);
    free(text);
    return code;
}

/* Members and keys that came later are in the roster, each line of it the root's: in a file, in the answer that was saved, or
 * with the member that is asked. */
static int load_roster(struct why *w, struct client *client)
{
    const char *saved = json_text(w->answer, "roster");
    if (w->roster_file != NULL)
        return read_roster(w);
    if (client == NULL || client->recorded != NULL)
        return *saved == '\0' ? EXIT_OK : take_roster(w, saved, strlen(saved), "the roster in the document");
    return client_roster(client, &w->roster, &w->cluster);
}

static int from_file(struct why *w)
{
    struct problem problem = {0};
    size_t n;
    if (w->cluster_file == NULL)
        return usage(w->x, "no cluster file is named", "A certificate is verified with --cluster-file FILE.");
    int code = load_cluster(w, w->cluster_file);
    if (code == EXIT_OK)
        code = load_roster(w, NULL);
    if (code != EXIT_OK)
        return code;
    char *hex = file_read(w->certificate, FILE_TEXT, FILE_TEXT_MAX, &n, &problem);
    if (hex == NULL)
        return output_problem(&w->x->out, EXIT_REFUSED, &problem);
    while (n > 0 && strchr(" \t\r\n", hex[n - 1]) != NULL)
        hex[--n] = '\0';
    w->answer = json_pack("{s:s%,s:s}", "certificate", hex, strcspn(hex, " \t\r\n"), "certificate_before",
                          next_word(hex));
    free(hex);
    return read_hex(w, json_text(w->answer, "certificate"), json_text(w->answer, "certificate_before"));
}

static int from_member(struct why *w)
{
    static struct client client;
    json_t *request = json_pack("{s:s}", "command", "why");
    char *end = NULL;
    errno = 0;
    unsigned long long term = w->term == NULL ? 0 : strtoull(w->term, &end, 10);
    json_object_set_new(request, "term", w->term == NULL ? json_null() : json_integer((json_int_t)term));
    if (w->term != NULL &&
        (*w->term < '0' || *w->term > '9' || *end != '\0' || term == 0 || errno != 0 || term > INT64_MAX)) {
        json_decref(request);
        return usage(w->x, text("\"%s\" is no term", w->term),
                     "A term is a number from 1 on; \"pgmesh history\" lists them.");
    }
    int code = client_open(&client, w->x);
    if (code == EXIT_OK)
        code = load_cluster(w, w->cluster_file != NULL ? w->cluster_file : client.cluster_file);
    if (code != EXIT_OK) {
        json_decref(request);
        return code;
    }
    if (term == 1) { /* nobody voted on it: the cluster file has it, and the root's word for it */
        json_decref(request);
        w->dossier.certificate.proposal.record = w->cluster.first;
        dossier_verify(&w->dossier, NULL, 0, &w->cluster);
        return EXIT_OK;
    }
    code = client_ask_any(&client, request, &w->answer);
    if (code == EXIT_OK)
        code = load_roster(w, &client);
    if (code != EXIT_OK)
        return code;
    const char *error = json_text(w->answer, "error");
    if (*error != '\0')
        return output_fail(
            &w->x->out, EXIT_REFUSED, error, NULL,
            w->term == NULL
                ? "\"pgmesh why 1\" shows the first record; another member's journal may hold more."
                : "\"pgmesh history\" lists the terms; another member's journal may hold more.");
    return read_hex(w, json_text(w->answer, "certificate"), json_text(w->answer, "certificate_before"));
}

int command_why(struct inspect *x)
{
    static struct why w;
    const char *value;
    int code = EXIT_OK, option;
    w = (struct why){.x = x};
    while ((option = args_next(x, &value, &code)) >= 0 || option == ARGS_WORD) {
        if (option == WHY_CERTIFICATE)
            w.certificate = value;
        else if (option == WHY_CLUSTER_FILE)
            w.cluster_file = value;
        else if (option == WHY_ROSTER)
            w.roster_file = value;
        else if (option == WHY_REPORT)
            w.report = true;
        else if (w.term == NULL)
            w.term = value;
        else
            return usage(x, text("unexpected word \"%s\"", value), "One term is named, or none.");
    }
    if (option == ARGS_STOP)
        return code;
    code = w.certificate != NULL ? from_file(&w) : from_member(&w);
    if (code == EXIT_OK) {
        code = w.dossier.valid ? EXIT_OK : EXIT_REFUSED;
        if (x->out.json)
            why_json(&w);
        else if (w.report)
            why_report(&w);
        else
            print_text(&w);
    }
    json_decref(w.answer);
    return code;
}
