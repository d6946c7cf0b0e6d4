/* why.h: one term's dossier with what the journal of the member asked knows around it: for people (why.c), for programs
 * (why_json.c), as an incident report (report.c). */
#ifndef PGMESH_INSPECT_WHY_H
#define PGMESH_INSPECT_WHY_H

#include "mesh/inspect/dossier.h"
#include "mesh/inspect/inspect.h"
#include "mesh/io/roster.h"

enum { WHY_BEFORE_MAX = 16 };
struct why {
    struct inspect *x;
    const char *term, *certificate, *cluster_file, *roster_file;
    bool report;
    struct cluster cluster; /* as its file has it, and the roster's lines in it */
    struct roster roster;
    struct dossier dossier;
    const char *
        before; /* in hex, what proves who was the primary and who the voters were before, one after the other */
    json_t *answer; /* NULL when there is nothing but the certificate of the cluster file */
};
const char *why_name(const struct why *w, member_id id);
/* Who was the primary before, for people: "db1 (not proven)" where no signature says so; "" where there was no takeover. */
const char *why_former(const struct why *w);
/* "failover", "handover", ... for people. */
const char *why_kind(const struct why *w);

/* What was measured; microseconds of wall clock, -1 where the journal does not tell. */
struct why_measured {
    long long decided_us, verdict_us, asked_us, sealed_us, ready_us, follower_us;
    long long silence_ms; /* the longest that a voter's grant had been over */
    long long outage_ms;  /* as an observer saw it */
    char observer[NAME_SIZE], follower[NAME_SIZE];
    long long gap_bytes; /* of the former primary's WAL, last heard of beyond */
    bool proven;         /* the seals prove that no acknowledged commit is missing */
};
void why_measure(const struct why *w, struct why_measured *m);
/* Does the event belong to the story of this term: from shortly before the silence until all is well again? */
bool why_story(const struct why *w, const json_t *event);
/* "nothing acknowledged (proven)": what was lost. */
const char *why_lost(const struct why *w, const struct why_measured *m);

void why_json(const struct why *w);
void why_report(const struct why *w);

/* A sentence that grows. */
struct line {
    char s[1200];
    size_t n;
};
void line_add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The phases, "ask 0.001 | seal 0.020 | ..."; "" when nothing is known. */
void why_phases(const struct why_measured *m, struct line *l);

#endif
