/* order.c: see order.h. */
#define _GNU_SOURCE
#include "mesh/inspect/order.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mesh/inspect/problems.h"

enum { ORDER_TRIES = 20, ORDER_PAUSE_MS = 100, ORDER_TIMEOUT_MS = 60000 };

/* ---- what is needed ----------------------------------------------------------------------------------------------- */

static int no_key(struct order *o)
{
    return output_fail(
        &o->x->out, EXIT_PERMISSION, "no operator's key is at hand",
        text("Commands are signed; %s names no key.", o->client.source),
        "Use the operator's pgmesh.conf, made by \"pgmesh init\": --config FOLDER/operator/pgmesh.conf.");
}

static int load_keys(struct order *o)
{
    struct problem problem = {0};
    if (o->client.key_file[0] == '\0')
        return no_key(o);
    if (!cluster_load(o->client.cluster_file, &o->cluster, &problem))
        return output_problem(&o->x->out, EXIT_REFUSED, &problem);
    keys_begin();
    if (!keys_read(o->client.key_file, &o->key, &problem))
        return output_problem(&o->x->out, EXIT_PERMISSION, &problem);
    for (int i = 0; i < o->cluster.n; i++) {
        const struct cluster_member *m = &o->cluster.members[i];
        if (m->member.role == ROLE_OPERATOR && memcmp(m->member.key, o->key.public, KEY_SIZE) == 0)
            o->who = m;
    }
    if (o->who != NULL)
        return EXIT_OK;
    keys_wipe(&o->key, sizeof o->key);
    return output_fail(
        &o->x->out, EXIT_PERMISSION,
        text("\"%s\" is the key of no operator of cluster %s", o->client.key_file, o->cluster.name),
        text("The cluster file \"%s\" certifies another.", o->client.cluster_file),
        "Take key and cluster file from the same \"pgmesh init\".");
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
        return EXIT_OK;
    return output_fail(&o->x->out, EXIT_REFUSED, "the member belongs to another cluster than the key",
                       text("It is of \"%s\" (%s), the key of \"%s\" (%s).", o->view.cluster,
                            json_text(o->status, "cluster_id"), o->cluster.name, id),
                       "Two clusters may have one name; their ids differ.");
}

int order_open(struct order *o, struct inspect *x)
{
    *o = (struct order){.x = x};
    int code = client_open(&o->client, x);
    if (code == EXIT_OK)
        code = load_keys(o);
    if (code == EXIT_OK)
        code = look(o);
    if (code != EXIT_OK)
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
        if (o->cluster.members[i].member.role != ROLE_OPERATOR &&
            (!database || o->cluster.members[i].member.role == ROLE_DATABASE))
            names[n++] = o->cluster.members[i].member.name;
    if (m != NULL && m->member.role != ROLE_OPERATOR && (!database || m->member.role == ROLE_DATABASE))
        return m;
    const char *near = text_nearest(name, names, n);
    *code = output_fail(&o->x->out, EXIT_REFUSED,
                        m == NULL
                            ? text("cluster %s has no member \"%s\"", o->cluster.name, name)
                            : text("\"%s\" is no %s", name, database ? "database" : "member with a process"),
                        near == NULL ? NULL : text("Perhaps \"%s\" was meant.", near),
                        "\"pgmesh status\" lists the members.");
    return NULL;
}

/* ---- one order ---------------------------------------------------------------------------------------------------- */

/* The ballot that names the decided record.  A nonce is a 64-bit number without a sign: it comes in hex. */
static bool base_read(const struct order *o, struct ballot *b)
{
    const json_t *j = json_object_get(o->status, "ballot");
    const char *nonce = json_text(j, "nonce");
    char *end;
    if (!json_is_object(j) || *nonce == '\0')
        return false;
    *b = (struct ballot){.round = (uint64_t)json_number(j, "round", 0),
                         .nonce = strtoull(nonce, &end, 16),
                         .member = (member_id)json_number(j, "member", 0)};
    return *end == '\0';
}

/* The signed frame, in hex; to be freed. */
static char *frame_make(struct order *o)
{
    static uint8_t frame[FRAME_MAX];
    uint8_t statement[STATEMENT_MAX];
    struct command *m = &o->command;
    m->who = o->who->member.id;
    m->id = keys_random_u64();
    m->term = o->view.term;
    size_t n = command_bytes(statement, &o->cluster.id, m);
    sign_make(m->signature, &o->key.secret, statement, n);
    struct frame f = {.version = FRAME_VERSION,
                      .kind = FRAME_COMMAND,
                      .origin = m->who,
                      .cluster = o->cluster.id,
                      .counter = (uint64_t)time(NULL),
                      .nonce = keys_random_u64(),
                      .seq = 1,
                      .body = frame + FRAME_HEADER};
    f.body_len = (uint16_t)wire_put_command(frame + FRAME_HEADER, m);
    n = frame_seal(frame, &f, &o->key.secret);
    char *hex = malloc(2 * n + 1);
    if (hex != NULL)
        hex_put(hex, frame, n);
    return hex;
}

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
    char *hex = frame_make(o);
    json_decref(o->progress);
    json_decref(o->final);
    o->progress = json_array();
    o->final = NULL;
    if (hex == NULL)
        return output_fail(&o->x->out, EXIT_REFUSED, "out of memory", NULL, NULL);
    json_t *request = json_pack("{s:s,s:s}", "command", "submit", "frame", hex);
    free(hex);
    return client_stream(&o->client, request, ORDER_TIMEOUT_MS, take_answer, o);
}

/* The member's word that the order came too late, and only for its record. */
static bool came_late(const struct order *o)
{
    return !json_flag(o->final, "done") && json_array_size(o->progress) == 0 &&
           strstr(json_text(o->final, "text"), "the record has changed") != NULL;
}

/* The primary is changing the record on its own account (the sync set, say): that takes milliseconds. */
static bool came_between(const struct order *o)
{
    return !json_flag(o->final, "done") && json_array_size(o->progress) == 0 &&
           strstr(json_text(o->final, "text"), "another change is under way") != NULL;
}

static int tell(struct order *o)
{
    const char *sentence = json_text(o->final, "text"), *detail = json_text(o->final, "detail"),
               *hint = json_text(o->final, "hint");
    int code = client_refused(o->x, o->final);
    if (code != EXIT_OK)
        return code;
    if (!json_flag(o->final, "done")) /* the word of a member that hears no primary: operate.c */
        return output_fail(&o->x->out,
                           strstr(sentence, "no member can execute") == NULL ? EXIT_REFUSED : EXIT_NO_PRIMARY,
                           text("cannot %s: %s", o->deed, *sentence == '\0' ? "refused" : sentence),
                           *detail == '\0' ? NULL : detail, *hint == '\0' ? NULL : hint);
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

int order_give(struct order *o)
{
    int code = EXIT_OK;
    for (int i = 0; i < ORDER_TRIES; i++) {
        if (i > 0 && (code = look(o)) != EXIT_OK)
            return code;
        if (!base_read(o, &o->command.base))
            return output_fail(&o->x->out, EXIT_REFUSED, "the member does not tell which record is decided",
                               "A command must name it.", "Is the member older than this program?");
        code = send_once(o);
        if (code != EXIT_OK)
            return code;
        if (came_between(o))
            poll(NULL, 0, ORDER_PAUSE_MS);
        else if (!came_late(o))
            break;
    }
    return tell(o);
}
