/* order.c: see order.h. */
#define _GNU_SOURCE
#include "mesh/inspect/order.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "mesh/inspect/problems.h"
#include "mesh/inspect/secret.h"
#include "mesh/io/command_sign.h"

enum { ORDER_TRIES = 20, ORDER_PAUSE_MS = 100, ORDER_TIMEOUT_MS = 60000 };

/* ---- what is needed ----------------------------------------------------------------------------------------------- */

static int no_key(struct order *o)
{
    return output_fail(
        &o->x->out, EXIT_PERMISSION, "no operator's key is at hand",
        text("Commands are signed; %s names no key.", o->client.source),
        "Name yours with --key FILE, or take the operator's pgmesh.conf, made by \"pgmesh init\": "
        "--config FOLDER/operator/pgmesh.conf.");
}

static int load_cluster(struct order *o)
{
    struct problem problem = {0};
    return cluster_load(o->client.cluster_file, &o->cluster, &problem)
               ? EXIT_OK
               : output_problem(&o->x->out, EXIT_REFUSED, &problem);
}

/* After the look: the key may be of a person whom the cluster file does not know. */
static int load_key(struct order *o)
{
    struct problem problem = {0};
    const char *path = secret_path(o->x, o->client.key_file);
    if (path == NULL)
        return no_key(o);
    keys_begin();
    if (!secret_key(path, o->x->key_passphrase, &o->key, &problem))
        return output_problem(&o->x->out, EXIT_PERMISSION, &problem);
    o->who = command_sign_operator(&o->cluster, &o->key);
    if (o->who != NULL)
        return EXIT_OK;
    keys_wipe(&o->key, sizeof o->key);
    return output_fail(
        &o->x->out, EXIT_PERMISSION,
        text("\"%s\" is the key of no operator of cluster %s", path, o->cluster.name),
        text("Neither the cluster file \"%s\" nor the roster certifies it.", o->client.cluster_file),
        "\"pgmesh operator list\" shows who may give orders.");
}

static int look(struct order *o)
{
    char id[2 * CLUSTER_ID_SIZE + 1];
    json_decref(o->status);
    o->status = NULL;
    int code = client_ask(&o->client, json_pack("{s:s}", "command", "status"), &o->status);
    if (code != EXIT_OK)
        return code;
    view_read(&o->view, o->status);
    hex_put(id, o->cluster.id.b, sizeof o->cluster.id.b);
    if (strcmp(id, json_text(o->status, "cluster_id")) == 0)
        return o->roster.n ? EXIT_OK : client_roster(&o->client, &o->roster, &o->cluster);
    return output_fail(&o->x->out, EXIT_OTHER_CLUSTER, "the member belongs to another cluster than the key",
                       text("It is of \"%s\" (%s), the key of \"%s\" (%s).", o->view.cluster,
                            json_text(o->status, "cluster_id"), o->cluster.name, id),
                       "Two clusters may have one name; their ids differ.");
}

int order_look(struct order *o, struct inspect *x)
{
    *o = (struct order){.x = x};
    if (x->from != NULL)
        return usage(x, "a document takes no orders", "--from takes the place of a member that answers.");
    int code = client_open(&o->client, x);
    if (code == EXIT_OK)
        code = load_cluster(o);
    if (code == EXIT_OK)
        code = look(o);
    if (code != EXIT_OK)
        order_close(o);
    return code;
}

int order_open(struct order *o, struct inspect *x)
{
    int code = order_look(o, x);
    if (code == EXIT_OK && (code = load_key(o)) != EXIT_OK)
        order_close(o);
    return code;
}

void order_close(struct order *o)
{
    keys_wipe(&o->key, sizeof o->key);
    json_decref(o->status);
    json_decref(o->progress);
    json_decref(o->final);
    o->status = o->progress = o->final = NULL;
}

const struct cluster_member *order_target(struct order *o, const char *name, bool database, int *code)
{
    const char *names[MEMBERS_MAX];
    size_t n = 0;
    const struct cluster_member *m = cluster_find(&o->cluster, name);
    for (int i = 0; i < o->cluster.n; i++)
        if (!role_is_person(o->cluster.members[i].member.role) &&
            (!database || o->cluster.members[i].member.role == ROLE_DATABASE))
            names[n++] = o->cluster.members[i].member.name;
    if (m != NULL && !role_is_person(m->member.role) && (!database || m->member.role == ROLE_DATABASE))
        return m;
    *code = output_fail(&o->x->out, EXIT_UNKNOWN,
                        m == NULL
                            ? text("cluster %s has no member \"%s\"", o->cluster.name, name)
                            : text("\"%s\" is no %s", name, database ? "database" : "member with a process"),
                        text_meant(name, names, n), "\"pgmesh status\" lists the members.");
    return NULL;
}

/* ---- one order ---------------------------------------------------------------------------------------------------- */

static bool take_answer(void *arg, json_t *answer)
{
    struct order *o = arg;
    bool refused = json_object_get(answer, "error") != NULL;
    if (refused || json_flag(answer, "final")) {
        o->final = json_incref(answer);
        return true;
    }
    const char *sentence = json_text(answer, "text");
    if (*sentence != '\0') {
        output_tone(&o->x->out, TONE_FAINT, 2, "%s", sentence);
        fflush(o->x->out.to);
        json_array_append_new(o->progress, json_string(sentence));
    }
    return false;
}

static int send_once(struct order *o)
{
    json_t *request = o->approves ? command_sign_approval(&o->command, &o->cluster, o->who, &o->key)
                                  : command_sign_request(&o->command, &o->cluster, o->who, &o->key);
    json_decref(o->progress);
    json_decref(o->final);
    o->progress = json_array();
    o->final = NULL;
    if (request == NULL)
        return output_fail(&o->x->out, EXIT_REFUSED, "out of memory", NULL, NULL);
    return client_stream(&o->client, request, ORDER_TIMEOUT_MS, take_answer, o);
}

/* The members' own words (operate.c): of one that hears no primary, and of an order that came too late, again and again. */
static enum exit_code code_of(const struct order *o, const char *sentence)
{
    if (strstr(sentence, "no member can execute") != NULL)
        return EXIT_NO_PRIMARY;
    if (strncmp(sentence, "no permission", strlen("no permission")) == 0)
        return EXIT_PERMISSION;
    if (strstr(sentence, "waits for a second person") != NULL)
        return EXIT_WAITS;
    return command_sign_again(o->final) != COMMAND_FINAL ? EXIT_STALE : EXIT_REFUSED;
}

static int tell(struct order *o)
{
    const char *sentence = json_text(o->final, "text"), *detail = json_text(o->final, "detail"),
               *hint = json_text(o->final, "hint");
    if (o->trying && !json_flag(o->final, "done"))
        return EXIT_REFUSED;
    int code = client_refused(o->x, o->final);
    if (code != EXIT_OK)
        return code;
    if (!json_flag(o->final, "done")) /* the word of a member that hears no primary: operate.c */
        return output_fail(&o->x->out, code_of(o, sentence),
                           text("cannot %s%s: %s", o->deed,
                                strstr(sentence, "waits for") != NULL ? " yet" : "",
                                *sentence == '\0' ? "refused" : sentence),
                           *detail == '\0' ? NULL : detail, *hint == '\0' ? NULL : hint);
    if (o->quiet)
        return EXIT_OK;
    if (o->x->out.json)
        output_json(&o->x->out,
                    json_pack("{s:s,s:s,s:I,s:b,s:s,s:s?,s:O}", "cluster", o->cluster.name, "command",
                              o->x->command->name, "term", (json_int_t)o->command.term, "done", 1, "text",
                              sentence, "detail", *detail == '\0' ? NULL : detail, "progress", o->progress));
    output_tone(&o->x->out, TONE_GOOD, 2, "%s", *sentence == '\0' ? "done" : sentence);
    if (*detail != '\0')
        output_text(&o->x->out, 2, "%s", detail);
    return EXIT_OK;
}

int order_approve(struct order *o)
{
    o->approves = true;
    int code = send_once(o);
    return code == EXIT_OK ? tell(o) : code;
}

int order_give(struct order *o)
{
    int code = EXIT_OK;
    for (int i = 0; i < ORDER_TRIES; i++) {
        if (i > 0 && (code = look(o)) != EXIT_OK)
            return code;
        if (!command_sign_base(&o->command.base, o->status))
            return output_fail(&o->x->out, EXIT_REFUSED, "the member does not tell which record is decided",
                               "A command must name it.", "Is the member older than this program?");
        o->command.term = o->view.term;
        code = send_once(o);
        if (code != EXIT_OK)
            return code;
        enum command_again again =
            json_array_size(o->progress) == 0 ? command_sign_again(o->final) : COMMAND_FINAL;
        if (again == COMMAND_FINAL)
            break;
        if (again == COMMAND_AGAIN_SOON)
            poll(NULL, 0, ORDER_PAUSE_MS);
    }
    return tell(o);
}

int order_execute(struct order *o, enum command_kind kind, const char *deed, member_id target)
{
    o->command.kind = kind;
    o->command.target = target;
    snprintf(o->deed, sizeof o->deed, "%s%s%s", deed, target == MEMBER_NONE ? "" : " ",
             target == MEMBER_NONE ? "" : cluster_member_name(&o->cluster, target));
    int code = order_give(o);
    order_close(o);
    return code;
}
