/* recover.c: pgmesh recover (recover.h). */
#define _GNU_SOURCE
#include "mesh/inspect/recover.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mesh/inspect/problems.h"
#include "mesh/io/view.h"

enum { SERVES_TRIES = 60, SERVES_MS = 500 };
enum {
    RECOVER_ROOT_KEY,
    RECOVER_PASSPHRASE,
    RECOVER_VOTERS,
    RECOVER_FENCED,
    RECOVER_CONFIRM,
    RECOVER_LOSS,
    RECOVER_TO,
    RECOVER_DRY
};
// clang-format off
const struct option_row options_recover[] = {
    [RECOVER_ROOT_KEY] = {"root-key", "FILE", "the cluster's root key: its word makes the new voters count"},
    [RECOVER_PASSPHRASE] = {"passphrase-file", "FILE", "the root key's passphrase, mode 0600; else the terminal is asked"},
    [RECOVER_VOTERS] = {"voters", "MEMBER,...", "who votes from now on; default: all voters that are left"},
    [RECOVER_FENCED] = {"fenced", "MEMBER,...", "unattended: these are certainly dead; all that are silent must be named"},
    [RECOVER_CONFIRM] = {"confirm", "NAME", "unattended: the cluster's name, instead of typing it"},
    [RECOVER_LOSS] = {"allow-data-loss", NULL, "even if acknowledged commits may be missing in what is left"},
    [RECOVER_TO] = {"to", "MEMBER", "with --allow-data-loss: whose data counts; default: the one with the most WAL"},
    [RECOVER_DRY] = {"dry-run", NULL, "show what is left and what would be done; change nothing"},
    {NULL, NULL, NULL},
};
// clang-format on

static int read_options(struct recovery *r)
{
    const char *value;
    int code = EXIT_OK, option;
    while ((option = args_next(r->x, &value, &code)) >= 0) {
        switch (option) {
        case RECOVER_ROOT_KEY: r->root.file = value; break;
        case RECOVER_PASSPHRASE: r->root.passphrase_file = value; break;
        case RECOVER_VOTERS: r->voters = value; break;
        case RECOVER_FENCED: r->fenced = value; break;
        case RECOVER_CONFIRM: r->confirm = value; break;
        case RECOVER_LOSS: r->loss = true; break;
        case RECOVER_TO: r->to = value; break;
        default: r->dry = true;
        }
    }
    if (option == ARGS_STOP)
        return code == EXIT_OK ? -1 : code;
    if (option == ARGS_WORD)
        return usage(r->x, text("unexpected word \"%s\"", value), NULL);
    if (r->to && !r->loss)
        return usage(r->x, "--to chooses between losses", "It stands beside --allow-data-loss.");
    if ((r->confirm == NULL) != (r->fenced == NULL))
        return usage(r->x, "--confirm and --fenced belong together",
                     "Unattended, the cluster is named and every member that is certainly dead.");
    if (r->root.file == NULL && !r->dry)
        return usage(
            r->x, "the root key is not named",
            "New voters are signed by the cluster's root key: --root-key FILE, made by \"pgmesh init\". "
            "--dry-run needs none.");
    return EXIT_OK;
}

static int open_all(struct recovery *r)
{
    struct problem problem = {0};
    if (r->x->from != NULL)
        return usage(r->x, "a document takes no orders", "--from takes the place of a member that answers.");
    int code = client_open(&r->client, r->x);
    if (code != EXIT_OK)
        return code;
    if (!cluster_load(r->client.cluster_file, &r->cluster, &problem))
        return output_problem(&r->x->out, EXIT_REFUSED, &problem);
    code = client_ask(&r->client, json_pack("{s:s}", "command", "recover"), &r->survey);
    return code == EXIT_OK ? client_roster(&r->client, &r->roster, &r->cluster) : code;
}

/* ---- confirmation -------------------------------------------------------------------------------------------------------- */

static bool listed(const char *list, const char *name, size_t n)
{
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strcspn(at, ",") == n && strncmp(at, name, n) == 0)
            return true;
    return false;
}

/* Every silent one is named, and nobody else: who is heard is not dead. */
static int check_fenced(const struct recovery *r)
{
    const char *silent = recover_silent(r);
    for (const char *at = silent; *at; at += strcspn(at, ","), at += *at == ',')
        if (!listed(r->fenced, at, strcspn(at, ",")))
            return output_fail(&r->x->out, EXIT_REFUSED,
                               text("%.*s is silent, and not said to be dead", (int)strcspn(at, ","), at),
                               text("Silent are: %s.", silent),
                               "Make sure of each, and name all of them with --fenced.");
    for (const char *at = r->fenced; *at; at += strcspn(at, ","), at += *at == ',')
        if (!listed(silent, at, strcspn(at, ",")))
            return output_fail(&r->x->out, EXIT_REFUSED,
                               text("%.*s is not silent", (int)strcspn(at, ","), at),
                               text("Silent are: %s.", *silent ? silent : "none"), NULL);
    return EXIT_OK;
}

static int wrong_name(const struct recovery *r, const char *typed)
{
    return output_fail(&r->x->out, EXIT_OTHER_CLUSTER,
                       text("this is cluster %s, not %s", r->cluster.name, typed), "Nothing was done.",
                       "Look at --config and --control.");
}

static int confirm(const struct recovery *r)
{
    char typed[NAME_SIZE + 2] = "";
    if (r->confirm != NULL)
        return strcmp(r->confirm, r->cluster.name) == 0 ? check_fenced(r) : wrong_name(r, r->confirm);
    if (!isatty(STDIN_FILENO))
        return output_fail(&r->x->out, EXIT_USAGE, "nobody is there to confirm",
                           "Standard input is no terminal.",
                           "Unattended: --confirm CLUSTER --fenced MEMBER,... name what is meant.");
    output_blank(&r->x->out);
    fprintf(stderr, "  %s are dead, and \"%s\" is to go on: type the cluster's name: ", recover_silent(r),
            r->cluster.name);
    if (fgets(typed, sizeof typed, stdin) == NULL)
        typed[0] = '\0';
    typed[strcspn(typed, "\n")] = '\0';
    return strcmp(typed, r->cluster.name) == 0 ? EXIT_OK : wrong_name(r, *typed ? typed : "(nothing)");
}

/* ---- the deed -------------------------------------------------------------------------------------------------------------- */

/* The record as the root shall decide it, and the roster's line that says so. */
static int sign(struct recovery *r, const struct key *root, struct certificate *cert,
                char line[static ROSTER_LINE_SIZE])
{
    struct reform f = {.epoch = r->epoch + 1, .nonce = keys_random_u64()};
    const char *why = NULL;
    struct sync_member primary = {0};
    if (r->primary)
        primary = (struct sync_member){.id = r->primary->wal.id, .dir = r->primary->wal.dir};
    memset(cert, 0, sizeof *cert);
    cert->proposal.record = r->base.proposal.record;
    if (f.epoch >= REFORM_EPOCH_MAX ||
        !reform_record(&cert->proposal.record, &r->left, r->primary ? &primary : NULL, &why))
        return output_fail(&r->x->out, EXIT_REFUSED, "the voters cannot be re-formed", why, NULL);
    record_hash(f.hash, &cert->proposal.record);
    cert->proposal.ballot = reform_ballot(&f);
    roster_sign_reform(line, &r->cluster, &f, r->roster.version + 1, root);
    return EXIT_OK;
}

static int submit(struct recovery *r, const struct certificate *cert, const char *line)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    static char hex[2 * FRAME_BODY_MAX + 1];
    json_t *answer = NULL;
    hex_put(hex, bytes, wire_put_decided(bytes, cert));
    int code = client_ask(
        &r->client, json_pack("{s:s,s:s,s:s}", "command", "recover", "line", line, "record", hex), &answer);
    json_decref(answer);
    return code;
}

/* Somebody is primary, and writable: the takeover that follows by itself. */
static int await_primary(struct recovery *r, uint64_t term)
{
    for (int i = 0; i < SERVES_TRIES; i++) {
        struct view v;
        json_t *status = NULL;
        r->x->out.quiet = true;
        int code = client_ask(&r->client, json_pack("{s:s}", "command", "status"), &status);
        r->x->out.quiet = false;
        bool serves = false;
        if (code == EXIT_OK) {
            view_read(&v, status);
            serves = v.serving && v.term > term;
        }
        if (serves && r->x->out.json) {
            json_t *out = recover_json(r);
            json_object_set_new(out, "done", json_true());
            json_object_set_new(out, "new_term", json_integer((json_int_t)v.term));
            json_object_set_new(out, "new_primary", json_string(v.primary));
            output_json(&r->x->out, out);
        } else if (serves) {
            output_tone(&r->x->out, TONE_GOOD, 2, "%s is primary of term %llu", v.primary, v.term);
        }
        json_decref(status);
        if (serves)
            return EXIT_OK;
        poll(NULL, 0, SERVES_MS);
    }
    return output_fail(&r->x->out, EXIT_NO_PRIMARY, "the voters are re-formed, and nobody serves yet",
                       text("%d s have passed.", SERVES_TRIES * SERVES_MS / 1000),
                       "\"pgmesh status\" and \"pgmesh why-not\" tell what it waits for.");
}

static int recover(struct recovery *r)
{
    static struct certificate cert;
    char line[ROSTER_LINE_SIZE];
    struct key root;
    int code = recover_judge(r);
    if (code != EXIT_OK)
        return code;
    recover_report(r);
    if (r->dry) {
        if (r->x->out.json)
            output_json(&r->x->out, recover_json(r));
        output_blank(&r->x->out);
        output_text(&r->x->out, 2, "Nothing was done (--dry-run).");
        return EXIT_OK;
    }
    if ((code = rootkey_for(r->x, &r->cluster, &r->roster, &r->root, &root)) != EXIT_OK)
        return code;
    if ((code = confirm(r)) == EXIT_OK)
        code = sign(r, &root, &cert, line);
    keys_wipe(&root, sizeof root);
    if (code == EXIT_OK)
        code = submit(r, &cert, line);
    if (code != EXIT_OK)
        return code;
    output_text(&r->x->out, 2, "the voters are re-formed; a takeover follows");
    return await_primary(r, cert.proposal.record.term);
}

int command_recover(struct inspect *x)
{
    static struct recovery r;
    r = (struct recovery){.x = x};
    int code = read_options(&r);
    if (code != EXIT_OK)
        return code < 0 ? EXIT_OK : code;
    code = open_all(&r);
    if (code == EXIT_OK)
        code = recover(&r);
    json_decref(r.survey);
    return code;
}
