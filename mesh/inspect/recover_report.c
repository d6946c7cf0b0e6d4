/* recover_report.c: what is left, what may be lost, who must be dead, who decides from now on. */
#include <string.h>

#include "mesh/inspect/recover.h"

static const struct record *base(const struct recovery *r)
{
    return &r->base.proposal.record;
}

static const char *name_of(const struct recovery *r, member_id id)
{
    return id == MEMBER_NONE ? "nobody" : cluster_member_name(&r->cluster, id);
}

/* "ANY 1 (db2, db3)" */
static const char *set_text(const struct recovery *r, const struct sync_set *s)
{
    char names[SYNC_MAX * (NAME_SIZE + 2)] = "";
    size_t n = 0;
    if (s->n == 0)
        return "nobody";
    for (int i = 0; i < s->n; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", name_of(r, s->m[i].id));
    return text("ANY %u (%s)", s->k, names);
}

static const char *sync_text(const struct recovery *r)
{
    const struct record *b = base(r);
    if (b->durability == DURABILITY_ASYNC)
        return "nobody (async)";
    return b->joint ? text("%s and %s", set_text(r, &b->sync[0]), set_text(r, &b->sync[1]))
                    : set_text(r, &b->sync[0]);
}

static const char *voters_text(const struct recovery *r)
{
    static char names[VOTERS_MAX * (NAME_SIZE + 2)];
    size_t n = 0;
    for (int i = 0; i < r->left.n; i++)
        n +=
            (size_t)snprintf(names + n, sizeof names - n, "%s%s", i ? ", " : "", name_of(r, r->left.v[i].id));
    return names;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

static void wal_cells(struct table *t, const struct recovery *r, const struct remnant *m)
{
    if (!m->database || m->wal.lsn == 0) {
        for (int i = 0; i < 4; i++)
            table_cell(t, TONE_FAINT, "\u2013");
        return;
    }
    table_cell(t, TONE_PLAIN, "%s", *m->postgres ? m->postgres : "\u2013");
    table_cell(t, TONE_PLAIN, "%u", m->timeline);
    table_cell(t, m == r->most ? TONE_GOOD : TONE_PLAIN, "%s", text_lsn(m->wal.lsn));
    table_cell(t, TONE_PLAIN, "%s", m->counted ? "yes" : "\u2013");
}

static void members_table(struct recovery const *r)
{
    static const struct column columns[] = {
        {"MEMBER", 0, false},  {"HEARD", 0, false},  {"VOTER", 1, false},    {"STORE", 1, false},
        {"PROMISED", 4, true}, {"SEALED", 4, true},  {"POSTGRES", 2, false}, {"TL", 2, true},
        {"LSN", 0, false},     {"COUNTED", 3, false}};
    struct table t;
    table_open(&t, columns, (int)(sizeof columns / sizeof *columns));
    for (int i = 0; i < r->n; i++) {
        const struct remnant *m = &r->all[i];
        if (m->m->member.role == ROLE_OBSERVER)
            continue;
        table_cell(&t, m->heard ? TONE_STRONG : TONE_BAD, "%s", m->m->member.name);
        if (m->heard)
            table_cell(&t, TONE_GOOD, "yes");
        else
            table_cell(&t, TONE_BAD, "%s",
                       m->heard_ms < 0 ? "never"
                                       : text("%s ago", text_duration((unsigned long long)m->heard_ms)));
        table_cell(&t, TONE_PLAIN, "%s", m->voter ? "yes" : "\u2013");
        table_cell(&t, m->whole ? TONE_PLAIN : TONE_BAD, "%s",
                   !m->heard  ? "\u2013"
                   : m->whole ? "whole"
                              : "lost");
        table_cell(&t, TONE_PLAIN, "%s", m->promised ? text("%llu", m->promised) : "\u2013");
        table_cell(&t, TONE_PLAIN, "%s", m->sealed ? text("%llu", m->sealed) : "\u2013");
        wal_cells(&t, r, m);
    }
    table_print(&((struct recovery *)r)->x->out, &t);
    table_close(&t);
}

/* ---- sentences ------------------------------------------------------------------------------------------------------------ */

static void tell_loss(const struct recovery *r)
{
    struct output *o = &r->x->out;
    const char *primary = name_of(r, base(r)->primary);
    if (r->complete && base(r)->durability == DURABILITY_ASYNC)
        output_tone(o, TONE_WARN, 2,
                    "Loss: commits wait for nobody (async): what %s acknowledged last may be missing.",
                    primary);
    else if (r->complete)
        output_tone(
            o, TONE_GOOD, 2,
            "Loss: none by this record: each acknowledged commit was confirmed by a database that is left. That "
            "holds unless the lost voters went on without those left, and changed the record alone.");
    else
        output_tone(
            o, TONE_BAD, 2,
            "Loss: acknowledged commits may be missing: those confirmed only by databases that are lost.");
    if (r->behind > 0)
        output_text(o, 2, "%s ends %s before the last position that %s told.", r->most->m->member.name,
                    text_bytes((unsigned long long)r->behind), primary);
    else if (r->behind == 0)
        output_text(o, 2, "%s has everything up to the last position that %s told.", r->most->m->member.name,
                    primary);
    else
        output_text(o, 2, "Where the WAL of %s ended is not known here.", primary);
}

static void tell_dead(const struct recovery *r)
{
    const char *silent = recover_silent(r);
    if (*silent == '\0')
        return;
    output_tone(
        &r->x->out, TONE_WARN, 2,
        "Certainly dead must be: %s. Nobody can tell a lost member from one that is cut off and goes on: those could "
        "acknowledge writes at this moment, and all of these would be put aside. Cut their power or their "
        "network, and keep them off until they reach the members that are left.",
        silent);
}

void recover_report(const struct recovery *r)
{
    struct output *o = &r->x->out;
    const struct record *b = base(r);
    output_text(o, 2, "recovery of cluster %s, as %s sees it", r->cluster.name, r->self);
    output_blank(o);
    members_table(r);
    output_blank(o);
    if (r->majority)
        output_tone(
            o, TONE_BAD, 2,
            "A majority of the voters has been heard within the last seconds: they decide by themselves, "
            "and this would be refused.");
    output_text(o, 2,
                "The last record known: version %llu, term %llu, primary %s, commits confirmed by %s%s.",
                (unsigned long long)b->version, (unsigned long long)b->term, name_of(r, b->primary),
                sync_text(r), r->undecided ? "; accepted, and perhaps decided" : "");
    output_text(o, 2, "Most WAL has %s: timeline %u, %s.", r->most->m->member.name, r->most->timeline,
                text_lsn(r->most->wal.lsn));
    tell_loss(r);
    tell_dead(r);
    output_text(
        o, 2,
        "Afterwards %s decide%s%s. Give votes to others as soon as they are there: pgmesh member vote MEMBER on.",
        voters_text(r), r->left.n == 1 ? "s alone" : "", r->left.n == 2 ? ", both of them or nobody" : "");
    if (r->primary)
        output_text(o, 2, "The data of %s counts from then on; what it lacks is given up.",
                    r->primary->m->member.name);
}

json_t *recover_json(const struct recovery *r)
{
    const struct record *b = base(r);
    json_t *out = json_pack(
        "{s:s,s:s,s:s,s:I,s:I,s:s,s:s,s:b,s:s,s:I,s:s,s:b,s:o}", "cluster", r->cluster.name, "command",
        "recover", "asked", r->self, "version", (json_int_t)b->version, "term", (json_int_t)b->term,
        "primary", name_of(r, b->primary), "confirmed_by", sync_text(r), "undecided", (int)r->undecided,
        "most_wal", r->most->m->member.name, "lsn", (json_int_t)r->most->wal.lsn, "silent", recover_silent(r),
        "complete", (int)r->complete, "behind_bytes", r->behind < 0 ? json_null() : json_integer(r->behind));
    json_t *voters = json_array();
    for (int i = 0; i < r->left.n; i++)
        json_array_append_new(voters, json_string(name_of(r, r->left.v[i].id)));
    json_object_set_new(out, "voters", voters);
    json_object_set_new(out, "majority", json_boolean(r->majority));
    json_object_set(out, "members", json_object_get(r->survey, "members"));
    return out;
}
