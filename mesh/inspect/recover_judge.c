/* recover_judge.c: what is left, who votes from now on, and whether commits may be missing. */
#include "mesh/inspect/recover.h"

#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/problems.h"
#include "policy/durability.h"
#include "policy/quorum.h"

static const struct record *base(const struct recovery *r)
{
    return &r->base.proposal.record;
}

static struct remnant *find(struct recovery *r, const char *name)
{
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->all[i].m->member.name, name) == 0)
            return &r->all[i];
    return NULL;
}

/* ---- the survey ------------------------------------------------------------------------------------------------------- */

static bool read_record(struct recovery *r)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    const char *hex = json_text(r->survey, "record");
    size_t n = strlen(hex) / 2;
    return n > 0 && n <= sizeof bytes && hex_get(bytes, n, hex, strlen(hex)) &&
           wire_get_decided(&r->base, bytes, n) &&
           memcmp(base(r)->nonce, r->cluster.first.nonce, sizeof r->cluster.first.nonce) == 0;
}

static bool in_a_set(const struct record *r, const struct sealed *s)
{
    for (int k = 0; k <= (r->joint ? 1 : 0); k++) {
        const struct sync_member *m = sync_set_find(&r->sync[k], s->id);
        if (m && m->dir == s->dir)
            return true;
    }
    return r->primary == s->id && r->primary_dir == s->dir;
}

static void read_member(struct recovery *r, const json_t *json)
{
    struct remnant *m = &r->all[r->n];
    const struct cluster_member *known = cluster_find(&r->cluster, json_text(json, "name"));
    if (known == NULL || r->n == MEMBERS_MAX)
        return;
    *m = (struct remnant){.m = known,
                          .voter = record_voter(base(r), known->member.id) != NULL,
                          .heard = json_flag(json, "heard"),
                          .whole = !json_flag(json, "store_lost"),
                          .knows_more = json_flag(json, "knows_more"),
                          .database = record_is_database(base(r), known->member.id),
                          .heard_ms = (long long)json_number(json, "heard_ms", -1),
                          .promised = (unsigned long long)json_number(json, "promised_round", 0),
                          .sealed = (unsigned long long)json_number(json, "sealed_round", 0),
                          .postgres = json_text(json, "postgres"),
                          .timeline = (unsigned)json_number(json, "timeline", 0)};
    m->wal = (struct sealed){.id = known->member.id,
                             .dir = strtoull(json_text(json, "dir"), NULL, 16),
                             .timeline = m->timeline,
                             .lsn = (lsn_t)json_number(json, "lsn", 0),
                             .wal_term = (uint64_t)json_number(json, "wal_term", 0)};
    m->counted = m->database && m->wal.dir != 0 && in_a_set(base(r), &m->wal);
    r->n++;
}

static int read_survey(struct recovery *r)
{
    char id[2 * CLUSTER_ID_SIZE + 1];
    size_t i;
    json_t *member;
    hex_put(id, r->cluster.id.b, sizeof r->cluster.id.b);
    if (strcmp(id, json_text(r->survey, "cluster_id")) != 0)
        return output_fail(&r->x->out, EXIT_OTHER_CLUSTER, "the member belongs to another cluster",
                           text("It is of \"%s\", \"%s\" tells of \"%s\".", json_text(r->survey, "cluster"),
                                r->client.cluster_file, r->cluster.name),
                           NULL);
    if (!read_record(r))
        return output_fail(&r->x->out, EXIT_REFUSED, "the member does not tell the record that it knows",
                           "The voters of that record are re-formed.",
                           "Is the member older than this program?");
    r->undecided = json_flag(r->survey, "undecided");
    r->epoch = (uint32_t)json_number(r->survey, "epoch", 0);
    r->self = json_text(r->survey, "self");
    json_array_foreach(json_object_get(r->survey, "members"), i, member) read_member(r, member);
    for (int k = 0; k < r->n; k++)
        if (r->all[k].heard && r->all[k].knows_more)
            return output_fail(&r->x->out, EXIT_STALE,
                               text("%s knows a later record than %s", r->all[k].m->member.name, r->self),
                               "The last one known is the one to re-form.",
                               text("Ask it: run this on its host, or with --control for its socket."));
    return EXIT_OK;
}

/* ---- the voters --------------------------------------------------------------------------------------------------------- */

static void add_voter(struct recovery *r, struct remnant *m)
{
    const struct voter *was = record_voter(base(r), m->m->member.id);
    struct voter *v = &r->left.v[r->left.n++];
    m->votes = true;
    if (was) {
        *v = *was;
        return;
    }
    memset(v, 0, sizeof *v);
    v->id = m->m->member.id;
    memcpy(v->site, m->m->member.site, sizeof v->site);
    memcpy(v->key, m->m->member.key, sizeof v->key);
    v->epoch = (uint32_t)base(r)->version + 1; /* higher than any that it may have voted under before */
}

/* As named, or all voters that are left. */
static int choose_voters(struct recovery *r)
{
    char *copy = r->voters ? strdup(r->voters) : NULL, *rest = NULL;
    int code = EXIT_OK;
    for (char *name = copy ? strtok_r(copy, ",", &rest) : NULL; name && code == EXIT_OK;
         name = strtok_r(NULL, ",", &rest)) {
        struct remnant *m = find(r, name);
        if (m == NULL || m->m->member.role == ROLE_OBSERVER)
            code = output_fail(&r->x->out, EXIT_UNKNOWN, text("\"%s\" cannot vote", name),
                               m ? "It is an observer."
                                 : text("Cluster %s has no such member.", r->cluster.name),
                               "Databases and witnesses vote.");
        else if (!m->heard || !m->whole)
            code = output_fail(&r->x->out, EXIT_REFUSED, text("\"%s\" cannot vote", name),
                               m->heard ? "Its store is lost." : text("%s does not hear it.", r->self),
                               "Others get a vote later, with \"pgmesh member vote\".");
        else if (!m->votes && r->left.n < VOTERS_MAX)
            add_voter(r, m);
    }
    free(copy);
    for (int i = 0; i < r->n && r->voters == NULL; i++)
        if (r->all[i].voter && r->all[i].heard && r->all[i].whole)
            add_voter(r, &r->all[i]);
    if (code == EXIT_OK && r->left.n == 0)
        code = output_fail(
            &r->x->out, EXIT_REFUSED, "no voter is left", "Not one voter that is heard has its store.",
            "Name witnesses or databases that are heard with --voters, or restore from a backup.");
    r->left.rule = quorum_default_rule(&r->left);
    uint32_t have = 0;
    for (int i = 0; i < r->n; i++)
        if (r->all[i].voter && r->all[i].heard && r->all[i].whole)
            have |= 1u << record_voter_index(base(r), r->all[i].m->member.id);
    r->majority = quorum_reached(&base(r)->voters, have);
    return code;
}

/* ---- the data ----------------------------------------------------------------------------------------------------------- */

static bool usable(const struct remnant *m)
{
    return m->database && m->heard && m->wal.dir != 0 && m->wal.lsn != 0;
}

static int choose_data(struct recovery *r)
{
    struct sealed seals[MEMBERS_MAX];
    size_t n = 0;
    long long told = -1;
    for (int i = 0; i < r->n; i++) {
        const struct remnant *m = &r->all[i];
        if (m->m->member.id == base(r)->primary && m->wal.lsn)
            told = (long long)m->wal.lsn;
        if (!usable(m))
            continue;
        seals[n++] = m->wal;
        if (r->most == NULL || sealed_cmp(&m->wal, &r->most->wal) > 0)
            r->most = m;
    }
    r->complete = n > 0 && seals_suffice(base(r), seals, n);
    r->behind = r->most && told >= 0 ? told - (long long)r->most->wal.lsn : -1;
    if (r->behind < 0 && r->most && told >= 0)
        r->behind = 0;
    if (r->most == NULL)
        return output_fail(&r->x->out, EXIT_REFUSED, "no database is left",
                           "Not one that is heard has a data directory whose WAL is known.",
                           "Start one (its PostgreSQL may be down), or restore from a backup.");
    return EXIT_OK;
}

static int choose_primary(struct recovery *r)
{
    const struct remnant *m = r->to ? find(r, r->to) : r->most;
    if (r->to && (m == NULL || !usable(m)))
        return output_fail(&r->x->out, EXIT_UNKNOWN, text("\"%s\" cannot be primary", r->to),
                           "It is no database that is heard and has data.", NULL);
    if (!r->complete || (r->loss && r->to))
        r->primary = m;
    if (!r->complete && !r->loss && !r->dry)
        return output_fail(&r->x->out, EXIT_REFUSED, "acknowledged commits may be missing in what is left",
                           r->behind > 0 ? text("%s ends %s before the last position that %s told.",
                                                m->m->member.name, text_bytes((unsigned long long)r->behind),
                                                cluster_member_name(&r->cluster, base(r)->primary))
                                         : "The standbys left are too few to prove that they have every one.",
                           "See what with --dry-run; go on with --allow-data-loss, which is final.");
    return EXIT_OK;
}

int recover_judge(struct recovery *r)
{
    int code = read_survey(r);
    if (code == EXIT_OK && base(r)->system_id == 0)
        code = output_fail(&r->x->out, EXIT_REFUSED, "the cluster has no data yet",
                           "Its first primary has never served.", "Make it anew with \"pgmesh init\".");
    if (code == EXIT_OK)
        code = choose_voters(r);
    if (code == EXIT_OK)
        code = choose_data(r);
    if (code == EXIT_OK)
        code = choose_primary(r);
    return code;
}

const char *recover_silent(const struct recovery *r)
{
    static char list[MEMBERS_MAX * (NAME_SIZE + 2)];
    size_t n = 0;
    list[0] = '\0';
    for (int i = 0; i < r->n; i++) {
        const struct remnant *m = &r->all[i];
        if (m->heard || !(m->voter || m->database))
            continue;
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? "," : "", m->m->member.name);
    }
    return list;
}
