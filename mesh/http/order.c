#include "mesh/http/order.h"

#include "mesh/http/answer.h"
#include "mesh/io/clock.h"
#include "mesh/io/command_sign.h"
#include "mesh/io/json.h"
#include "mesh/io/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum order_state { IDLE, SENT, PAUSING, LOOKING };

struct order {
    struct http *http;
    order_told *told;
    void *arg;
    enum order_state state;
    struct command command;
    int tries;
    instant again;
    json_t *progress;
    char who[160]; /* "alice (operator) from 10.0.0.5" */
    char deed[96]; /* "switch over to db2" */
};

bool order_open(struct http *h, order_told *told, void *arg)
{
    struct order *o = h->order = calloc(1, sizeof *o);
    if (o == NULL)
        return false;
    *o = (struct order){.http = h, .told = told, .arg = arg};
    return true;
}

void order_close(struct http *h)
{
    if (h->order != NULL)
        json_decref(h->order->progress);
    free(h->order);
    h->order = NULL;
}

/* ---- its end -------------------------------------------------------------------------------------------------------- */

static void finish(struct order *o, struct reply *reply, bool done, const char *text)
{
    o->http->counters.orders_failed += !done;
    log_event(done ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "http-order-done", "%s: %s: %s: %s", o->who, o->deed,
              done ? "done" : "refused", text);
    o->state = IDLE;
    json_decref(o->progress);
    o->progress = NULL;
    o->told(o->arg, reply);
}

static void end_broken(struct order *o, const char *why)
{
    struct reply reply = {0};
    answer_error(&reply, 504, "no_contact", "the member did not say how the order ended", why,
                 "It may have been carried out: look at /failover/status before you give it again.");
    finish(o, &reply, false, why);
}

static void end_refused(struct order *o, json_t *final)
{
    struct reply reply = {0};
    const char *error = json_text(final, "error"), *sentence = json_text(final, "text");
    char fact[320];
    snprintf(fact, sizeof fact, "cannot %s: %s", o->deed,
             *sentence != '\0' ? sentence
             : *error != '\0'  ? error
                               : "refused");
    /* the mesh's own words (operate.c): it hears no primary; the key's role does not reach; another person has to sign */
    bool nobody = strstr(sentence, "no member can execute") != NULL;
    bool role = strncmp(sentence, "no permission", strlen("no permission")) == 0;
    bool waits = strstr(sentence, "waits for a second person") != NULL;
    answer_error(&reply,
                 nobody ? 503
                 : role ? 403
                        : 409,
                 nobody  ? "no_primary"
                 : role  ? "permission"
                 : waits ? "waits"
                         : "refused",
                 fact, json_text(final, "detail"), json_text(final, "hint"));
    finish(o, &reply, false, fact);
}

static void end_done(struct order *o, json_t *final)
{
    const char *text = json_text(final, "text"), *detail = json_text(final, "detail");
    struct reply reply = {.status = 200};
    reply.json = json_pack("{s:b, s:s, s:s, s:I, s:O, s:s?}", "done", 1, "command", o->deed, "text", text,
                           "term", (json_int_t)o->command.term, "progress", o->progress, "detail",
                           *detail != '\0' ? detail : NULL);
    finish(o, &reply, true, text);
}

/* ---- its way -------------------------------------------------------------------------------------------------------- */

static bool take_final(void *arg, json_t *answer, const char *why)
{
    struct order *o = arg;
    if (answer == NULL) {
        end_broken(o, why);
        return true;
    }
    if (json_object_get(answer, "error") == NULL && !json_flag(answer, "final")) {
        if (*json_text(answer, "text") != '\0')
            json_array_append_new(o->progress, json_string(json_text(answer, "text")));
        return false;
    }
    enum command_again again = json_array_size(o->progress) == 0 && o->tries < ORDER_TRIES
                                   ? command_sign_again(answer)
                                   : COMMAND_FINAL;
    if (again != COMMAND_FINAL) {
        o->state = PAUSING;
        o->again = instant_add(clock_now(), span_ms(again == COMMAND_AGAIN_SOON ? ORDER_PAUSE_MS : 1));
    } else if (json_flag(answer, "done")) {
        end_done(o, answer);
    } else {
        end_refused(o, answer);
    }
    return true;
}

static bool sign_and_send(struct order *o, const json_t *status, instant now)
{
    const struct http *h = o->http;
    o->command.term = (uint64_t)json_number(status, "term", 0);
    if (!command_sign_base(&o->command.base, status))
        return false;
    json_t *request = command_sign_request(&o->command, h->cluster, h->signer, &h->key);
    o->tries++;
    o->state = SENT;
    return request != NULL && member_ask(h->line, request, ORDER_TIMEOUT_MS, take_final, o, now);
}

static bool take_look(void *arg, json_t *answer, const char *why)
{
    struct order *o = arg;
    if (answer == NULL || !sign_and_send(o, answer, clock_now()))
        end_broken(o, why != NULL ? why : "The member does not tell which record is decided.");
    return true;
}

instant order_tend(struct http *h, instant now)
{
    struct order *o = h->order;
    if (o->state != PAUSING)
        return instant_never();
    if (!instant_due_any(now, o->again))
        return o->again;
    o->state = LOOKING;
    if (!member_ask(h->line, json_pack("{s:s}", "command", "status"), SNAPSHOT_TIMEOUT_MS, take_look, o, now))
        end_broken(o, "The member cannot be asked.");
    return instant_never();
}

static bool send_order(struct order *o, instant now)
{
    struct http *h = o->http;
    char id[2 * CLUSTER_ID_SIZE + 1];
    hex_put(id, h->cluster->id.b, CLUSTER_ID_SIZE);
    return strcmp(id, json_text(h->snapshot.status, "cluster_id")) == 0 &&
           sign_and_send(o, h->snapshot.status, now);
}

/* ---- its beginning -------------------------------------------------------------------------------------------------- */

static bool refuse(struct reply *out, unsigned status, const char *fact, const char *detail, const char *hint)
{
    answer_error(out, status,
                 status == 400   ? "usage"
                 : status == 403 ? "permission"
                 : status == 503 ? "no_primary"
                                 : "refused",
                 fact, detail, hint);
    return false;
}

/* Nothing but the fields named, each of its type: 's' text, 'b' flag, 'n' number. */
static bool check_fields(const struct request *r, struct reply *out, const char *const *names,
                         const char *types)
{
    const char *key;
    json_t *value;
    char fact[160];
    json_object_foreach(r->body, key, value)
    {
        size_t i = 0;
        while (types[i] != '\0' && strcmp(names[i], key) != 0)
            i++;
        bool good = (types[i] == 's' && json_is_string(value)) ||
                    (types[i] == 'b' && json_is_boolean(value)) ||
                    (types[i] == 'n' && json_is_integer(value));
        if (good)
            continue;
        snprintf(fact, sizeof fact,
                 types[i] == '\0' ? "unknown field \"%.60s\"" : "\"%.60s\" is of another type", key);
        return refuse(out, 400, fact, NULL, "/openapi.json tells the fields and their types.");
    }
    return true;
}

static bool begin(struct http *h, const struct request *r, struct reply *out, const struct command *c,
                  const char *deed)
{
    struct order *o = h->order;
    if (h->signer == NULL)
        return refuse(out, 403, "nothing can be ordered here", "This program has no operator's key.",
                      "Set http_operator_key, or use the command pgmesh.");
    if (o->state != IDLE)
        return refuse(out, 409, "another order is under way", o->deed, "Wait for its end.");
    o->command = *c;
    o->tries = 0;
    o->progress = json_array();
    snprintf(o->who, sizeof o->who, "%s (%s%s) from %s", r->user->name, token_role_name(r->user->role),
             r->user->certificate ? ", by certificate" : "", r->peer);
    snprintf(o->deed, sizeof o->deed, "%s%s%s", deed, c->target != MEMBER_NONE ? " " : "",
             c->target != MEMBER_NONE ? cluster_member_name(h->cluster, c->target) : "");
    h->counters.orders++;
    log_event(LOG_LEVEL_INFO, "http-order", "%s: %s%s", o->who, o->deed,
              c->allow_data_loss ? ", with data loss allowed" : "");
    if (send_order(o, r->now))
        return true;
    o->state = IDLE;
    json_decref(o->progress);
    o->progress = NULL;
    return refuse(out, 503, "the order could not be sent",
                  "The member takes no more requests, or belongs to another cluster.", NULL);
}

/* The database to be promoted: named, or the one that would take over.  MEMBER_NONE: `out` says why not. */
static member_id find_target(struct http *h, const char *name, struct reply *out)
{
    const struct view *v = &h->snapshot.view;
    struct view_estimate e;
    char fact[160];
    if (*name == '\0') {
        view_estimate(v, &e);
        if (e.who != NULL)
            return e.who->id;
        refuse(out, 409, "no standby is fit to be promoted", e.blocked, "Name one with \"candidate\".");
        return MEMBER_NONE;
    }
    const struct cluster_member *m = cluster_find(h->cluster, name);
    const struct view_member *seen = view_find(v, name);
    if (m == NULL || m->member.role != ROLE_DATABASE) {
        snprintf(fact, sizeof fact,
                 m == NULL ? "the cluster has no member \"%.40s\"" : "\"%.40s\" is no database", name);
        refuse(out, 400, fact, NULL, "/cluster lists the members.");
    } else if (strcmp(v->primary, name) == 0 && v->serving) {
        snprintf(fact, sizeof fact, "%.40s is the primary already", name);
        refuse(out, 409, fact, NULL, NULL);
    } else if (seen != NULL && *view_barred(seen) != '\0') {
        snprintf(fact, sizeof fact, "%.40s is not fit to be promoted", name);
        refuse(out, 409, fact, view_barred(seen),
               "Its pre-flight check bars it; mend that, or name another.");
    } else {
        return m->member.id;
    }
    return MEMBER_NONE;
}

static void put_reason(struct command *c, const struct request *r)
{
    const char *reason = json_text(r->body, "reason");
    snprintf(c->why, sizeof c->why, "%s%s%s", r->user->name, *reason != '\0' ? ": " : "", reason);
}

bool order_switchover(struct http *h, const struct request *r, struct reply *out)
{
    static const char *const names[] = {"leader", "candidate", "reason"};
    const char *leader = json_text(r->body, "leader");
    struct command c = {.kind = COMMAND_SWITCHOVER};
    if (json_object_get(r->body, "scheduled_at") != NULL)
        return refuse(out, 400, "a switchover cannot be scheduled", NULL,
                      "Use a timer that asks at that time.");
    if (!check_fields(r, out, names, "sss"))
        return false;
    if (!h->snapshot.view.serving)
        return refuse(out, 503, "there is no primary to switch from", NULL,
                      "/failover/status tells the state.");
    if (*leader != '\0' && strcmp(leader, h->snapshot.view.primary) != 0)
        return refuse(out, 409, "the primary is another than the order says", h->snapshot.view.primary,
                      "Look again before you decide.");
    c.target = find_target(h, json_text(r->body, "candidate"), out);
    put_reason(&c, r);
    return c.target != MEMBER_NONE && begin(h, r, out, &c, "switch over to");
}

/* Data loss is final: that this very cluster is meant, as it is now, is said by its name and its term. */
static bool check_loss(struct http *h, const struct request *r, struct reply *out)
{
    const struct view *v = &h->snapshot.view;
    if (r->user->role != TOKEN_ADMIN)
        return refuse(out, 403, "only an admin may allow data loss", NULL, NULL);
    if (strcmp(json_text(r->body, "cluster"), v->cluster) == 0 &&
        json_number(r->body, "term", -1) == (long long)v->term)
        return true;
    return refuse(out, 400, "to allow data loss, \"cluster\" and \"term\" must be given as they are now",
                  "Nothing was done.", "/failover/status shows both.");
}

bool order_failover(struct http *h, const struct request *r, struct reply *out)
{
    static const char *const names[] = {"candidate", "reason", "allow_data_loss", "cluster", "term"};
    struct command c = {.kind = COMMAND_FAILOVER, .allow_data_loss = json_flag(r->body, "allow_data_loss")};
    if (!check_fields(r, out, names, "ssbsn") || (c.allow_data_loss && !check_loss(h, r, out)))
        return false;
    if (*json_text(r->body, "candidate") == '\0')
        return refuse(out, 400, "no candidate is named", NULL, "{\"candidate\": \"db2\"}");
    c.target = find_target(h, json_text(r->body, "candidate"), out);
    put_reason(&c, r);
    return c.target != MEMBER_NONE && begin(h, r, out, &c, "fail over to");
}

/* What an application's failover manager means by it: get a primary that works.  With one that serves: in order. */
bool order_trigger(struct http *h, const struct request *r, struct reply *out)
{
    static const char *const names[] = {"target", "reason"};
    bool serving = h->snapshot.view.serving;
    struct command c = {.kind = serving ? COMMAND_SWITCHOVER : COMMAND_FAILOVER};
    if (!check_fields(r, out, names, "ss"))
        return false;
    c.target = find_target(h, json_text(r->body, "target"), out);
    put_reason(&c, r);
    return c.target != MEMBER_NONE && begin(h, r, out, &c, serving ? "switch over to" : "fail over to");
}

bool order_pause(struct http *h, const struct request *r, struct reply *out)
{
    static const char *const names[] = {"reason"};
    struct command c = {.kind = COMMAND_PAUSE};
    put_reason(&c, r);
    return check_fields(r, out, names, "s") && begin(h, r, out, &c, "pause");
}

bool order_resume(struct http *h, const struct request *r, struct reply *out)
{
    static const char *const names[] = {"reason"};
    struct command c = {.kind = COMMAND_RESUME};
    put_reason(&c, r);
    return check_fields(r, out, names, "s") && begin(h, r, out, &c, "resume");
}
