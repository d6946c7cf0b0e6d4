/* enlist.c: pgmesh member add: one more member: key, certificate, a ready folder; then the roster line that makes all others
 * take it in; then, for a database, its place in the record.  And the revocation of one that was removed. */
#include "mesh/inspect/enlist.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/make.h"
#include "mesh/inspect/problems.h"
#include "mesh/io/file.h"

enum { SPREAD_TRIES = 25, SPREAD_MS = 200 };

static int problem(struct inspect *x, const struct problem *p)
{
    return output_problem(&x->out, EXIT_REFUSED, p);
}

/* ---- a new member --------------------------------------------------------------------------------------------------- */

static int check_new(struct order *o, const struct plan_member *m)
{
    if (o->cluster.n == MEMBERS_MAX)
        return output_fail(&o->x->out, EXIT_REFUSED, "the cluster has as many members as it may have",
                           text("%d were ever in it, those revoked included.", o->cluster.n), NULL);
    for (int i = 0; i < o->cluster.n; i++) {
        const struct cluster_member *k = &o->cluster.members[i];
        if (strcmp(k->member.name, m->name) == 0)
            return output_fail(
                &o->x->out, EXIT_REFUSED, text("there is a member named \"%s\" already", m->name),
                k->member.revoked ? "It was revoked; names are not used twice." : NULL, "Take another name.");
        for (int a = 0; a < m->n_mesh; a++)
            for (int b = 0; b < k->n_mesh; b++)
                if (address_equal(&m->mesh[a], &k->mesh[b]) && !k->member.revoked)
                    return output_fail(&o->x->out, EXIT_REFUSED,
                                       text("%s is at that address already", k->member.name), NULL,
                                       "Members on one host need different ports.");
    }
    return EXIT_OK;
}

static void member_fill(struct made *made, const struct plan_member *from, const uint8_t *made_elsewhere,
                        int64_t days, const struct key *root)
{
    struct cluster *c = &made->cluster;
    struct cluster_member *m = &c->members[c->n];
    struct key key;
    member_id top = 0;
    for (int i = 0; i < c->n; i++)
        top = c->members[i].member.id > top ? c->members[i].member.id : top;
    memset(m, 0, sizeof *m);
    if (made_elsewhere)
        memcpy(key.public, made_elsewhere, KEY_SIZE);
    else
        keys_generate(&key, made->seeds[c->n]);
    m->member.id = (member_id)(top + 1);
    snprintf(m->member.name, sizeof m->member.name, "%s", from->name);
    snprintf(m->member.site, sizeof m->member.site, "%s", from->site);
    m->member.role = from->role;
    memcpy(m->member.key, key.public, KEY_SIZE);
    keys_wipe(&key, sizeof key);
    m->n_mesh = (uint8_t)from->n_mesh;
    memcpy(m->mesh, from->mesh, sizeof m->mesh);
    m->has_pg = from->has_pg;
    m->pg = from->pg;
    m->until = days > 0 ? rekey_until(days) : 0;
    cluster_certify(c, m, root);
    c->n++;
}

/* The decided record with its proof, as the member has it: signed by a quorum, or by the root. */
static int read_record(struct order *o, json_t *answer, struct certificate *cert)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    const char *hex = json_text(answer, "record");
    size_t n = strlen(hex) / 2;
    if (n > 0 && n <= sizeof bytes && hex_get(bytes, n, hex, strlen(hex)) &&
        wire_get_decided(cert, bytes, n) &&
        memcmp(cert->proposal.record.nonce, o->cluster.first.nonce, sizeof o->cluster.first.nonce) == 0)
        return EXIT_OK;
    return output_fail(&o->x->out, EXIT_REFUSED, "the member does not tell the record in force",
                       "A new member begins with it.", "Is the member older than this program?");
}

static void tell_next(struct order *o, const struct plan *p, bool elsewhere)
{
    const struct plan_member *m = &p->members[0];
    struct output *out = &o->x->out;
    if (out->json) {
        output_json(out, json_pack("{s:s,s:s,s:s,s:s,s:s}", "cluster", o->cluster.name, "command", "member",
                                   "member", m->name, "role", cluster_role_name(m->role), "folder", p->out));
        return;
    }
    output_text(out, 2, "%s is a member of cluster %s", m->name, o->cluster.name);
    output_blank(out);
    output_text(out, 0, "Next:");
    if (elsewhere)
        output_text(
            out, 5,
            "  0. Nothing in \"%s\" is secret. On its host, where its key is: pgmesh join --key FILE --folder %s",
            p->out, p->out);
    output_text(out, 5, "  1. Copy \"%s\" to its host and start it there: %s --config FOLDER/node.conf",
                p->out, m->role == ROLE_WITNESS ? "pgmesh-witness" : "pgmesh-node");
    if (m->role != ROLE_OBSERVER)
        output_text(out, 5, "  2. When \"pgmesh status\" calls it up, it may vote: pgmesh member vote %s on",
                    m->name);
}

/* Its place in the record: as soon as the primary has heard of the member. */
static int give_place(struct order *o, member_id id, const char *name)
{
    int code = EXIT_OK;
    for (int i = 0; i < SPREAD_TRIES; i++) {
        o->command.kind = COMMAND_DATABASE_ADD;
        o->command.target = id;
        o->quiet = true;
        o->trying = i + 1 < SPREAD_TRIES;
        snprintf(o->deed, sizeof o->deed, "add %s", name);
        code = order_give(o);
        if (code == EXIT_OK || strstr(json_text(o->final, "text"), "does not know the member") == NULL)
            break;
        poll(NULL, 0, SPREAD_MS);
    }
    o->quiet = o->trying = false;
    return code;
}

static char *read_pass(const struct enlist *e, const struct plan_member *m, size_t *n, struct problem *err)
{
    if (e->like == NULL) {
        problem_fact(err, "a %s needs the passwords of the mesh", cluster_role_name(m->role));
        problem_hint(err, "Name the folder of another database with --like FOLDER: its pg.pass is copied.");
        return NULL;
    }
    char *pass = file_read(text("%s/pg.pass", e->like), FILE_TEXT | FILE_SECRET, 16384, n, err);
    if (pass == NULL || m->role == ROLE_DATABASE)
        return pass;
    char *line =
        strstr(pass, "*:*:*:pgmesh_observer:"); /* an application's host gets to know no more than its own */
    *n = line ? strcspn(line, "\n") + 1 : 0;
    if (line)
        memmove(pass, line, *n);
    return pass;
}

static int enlist(struct order *o, struct enlist *e, struct made *made, const struct key *root)
{
    static struct certificate decided;
    static char roster[ROSTER_MAX + ROSTER_LINE_SIZE + 32], line[ROSTER_LINE_SIZE];
    struct plan_member *m = &e->plan.members[0];
    struct newcomer from = {.decided = &decided, .roster_text = roster, .elsewhere = e->sign != NULL};
    uint8_t key[KEY_SIZE];
    struct problem err = {0};
    json_t *answer = NULL;
    char *pass = NULL, *cluster_text = NULL;
    made->cluster = o->cluster;
    int at = made->cluster.n;
    int code = client_ask(&o->client, json_pack("{s:s,s:b}", "command", "roster", "record", 1), &answer);
    if (code == EXIT_OK)
        code = read_record(o, answer, &decided);
    json_decref(answer);
    if (code != EXIT_OK)
        return code;
    if (e->sign && !rekey_read_join(e->sign, key, &err))
        return problem(o->x, &err);
    member_fill(made, m, e->sign ? key : NULL, e->days, root);
    roster_sign_member(line, &o->cluster, &made->cluster.members[at], o->roster.version + 1, root);
    from.roster_len = roster_text(&o->roster, roster);
    from.roster_len += (size_t)snprintf(roster + from.roster_len, ROSTER_LINE_SIZE + 32, "%s%s\n",
                                        from.roster_len ? "" : "pgmesh-roster 1\n", line);
    bool good = (m->role == ROLE_WITNESS || (pass = read_pass(e, m, &from.pass_len, &err)) != NULL) &&
                (cluster_text =
                     file_read(o->client.cluster_file, FILE_TEXT, FILE_TEXT_MAX, &from.cluster_len, &err)) &&
                make_node_conf(made, &e->plan, 0, &err);
    from.pass = pass;
    from.cluster_text = cluster_text;
    good = good && make_write_one(made, &e->plan, at, &from, &err);
    if (pass)
        keys_wipe(pass, from.pass_len);
    free(pass);
    free(cluster_text);
    if (!good)
        return problem(o->x, &err);
    const struct cluster_member *newcomer = &made->cluster.members[at];
    if (e->invitation.valid_s)
        code = invitation_leave(o, &e->invitation, e->plan.out, newcomer, root);
    if (code == EXIT_OK && (code = rekey_submit(o, line)) == EXIT_OK && m->role == ROLE_DATABASE)
        code = give_place(o, newcomer->member.id, m->name);
    if (code != EXIT_OK)
        invitation_undo(o, &e->invitation, root);
    else if (e->invitation.valid_s)
        invitation_tell(o, &e->invitation);
    else
        tell_next(o, &e->plan, e->sign != NULL);
    return code;
}

int enlist_member(struct order *o, struct enlist *e)
{
    static struct made made;
    struct key root;
    struct problem err = {0};
    struct inspect *x = o->x;
    if (e->plan.out == NULL)
        return usage(x, "no folder is named", "The new member's folder is made there: --out FOLDER.");
    e->plan.cluster = "";
    if (!plan_check_one(&e->plan, &err))
        return output_problem(&x->out, EXIT_USAGE, &err);
    int code = order_open(o, x);
    if (code != EXIT_OK)
        return code;
    e->plan.cluster = o->cluster.name;
    if (!make_target_free(e->plan.out, &err))
        code = problem(x, &err);
    if (code == EXIT_OK)
        code = check_new(o, &e->plan.members[0]);
    if (code == EXIT_OK)
        code = rootkey_of(o, &e->root_key, &root);
    if (code == EXIT_OK) {
        memset(&made, 0, sizeof made);
        code = enlist(o, e, &made, &root);
        make_close(&made);
        keys_wipe(&root, sizeof root);
    }
    order_close(o);
    return code;
}

/* ---- revocation -------------------------------------------------------------------------------------------------------- */

int enlist_revoke(struct order *o, struct inspect *x, const char *name, const struct rootkey *root_key)
{
    char line[ROSTER_LINE_SIZE];
    struct key root;
    int code = order_open(o, x);
    if (code != EXIT_OK)
        return code;
    const struct cluster_member *m = cluster_find(&o->cluster, name);
    code = rootkey_of(o, root_key, &root);
    if (code == EXIT_OK && m != NULL) {
        roster_sign_revocation(line, &o->cluster, m->member.id, o->roster.version + 1, &root);
        code = rekey_submit(o, line);
        if (code == EXIT_OK && !x->out.json)
            output_text(&x->out, 2, "its certificate is revoked: every member refuses its key");
    }
    keys_wipe(&root, sizeof root);
    order_close(o);
    return code;
}
