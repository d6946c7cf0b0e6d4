/* station.c: one cluster at work: events into its core, effects out of it. */
#include "mesh/core_state.h"
#include "mesh/io/clock.h"
#include "mesh/io/json.h"
#include "mesh/io/log.h"
#include "mesh/io/loop_state.h"
#include "mesh/io/recover.h"
#include "mesh/io/status.h"
#include "mesh/io/status_text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum {
    PACKETS_PER_TURN = 512,
    HEARTBEATS_PER_LEASE = 12,
    SILENT_HEARTBEATS = 4,
    SILENT_MIN_MS = 200,
    REFUSED_LOG_MS = 60000,
    APPROVAL_S = 900 /* how old an order may be when its second signature comes */
};

static instant earlier(instant a, instant b)
{
    return instant_is_never(a) ? b : instant_is_never(b) ? a : instant_min(a, b);
}

/* ---- effects ----------------------------------------------------------------------------------------------------------- */

static void halt(struct station *s, enum loop_end end)
{
    s->running = false;
    s->end = end;
}

static void send_effect(struct station *s, const struct effect *e, instant now)
{
    for (int i = 0; i < s->folder->cluster.n; i++)
        if (e->to & 1u << i)
            transport_send(s->transport, s->folder->cluster.members[i].member.id, e->bytes, e->len, now);
}

static void decided_effect(struct station *s, const struct effect *e)
{
    struct certificate *cert = malloc(sizeof *cert);
    uint64_t version = cert && wire_get_decided(cert, e->bytes, e->len) ? cert->proposal.record.version : 0;
    journal_decided(&s->journal, e->term, version, e->bytes, e->len);
    free(cert);
}

static void event_effect(struct station *s, const struct effect *e)
{
    static const char *const alarming[] = {"+store-lost",        "+primary-failing", "+lease-longer",
                                           "+operator-needed",   "+sync-empty",      "+would-takeover",
                                           "+foreign-directory", "+superseded"};
    enum log_level level = strcmp(e->name, "+split-found") == 0 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
    for (size_t i = 0; i < sizeof alarming / sizeof alarming[0]; i++)
        if (strcmp(e->name, alarming[i]) == 0)
            level = LOG_LEVEL_WARNING;
    journal_event(&s->journal, e->term, e->name, e->text);
    log_event(level, e->name, "%s", e->text);
}

static void answer_effect(struct station *s, const struct effect *e, instant now)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct awaited *a = &s->awaited[i];
        if (a->client == 0 || a->id != e->answer.id)
            continue;
        json_t *json = json_pack("{s:I, s:b, s:b}", "id", (json_int_t)e->answer.id, "done",
                                 (int)e->answer.done, "final", (int)e->answer.final);
        json_object_set_new(json, "text", status_text(e->answer.text));
        json_object_set_new(json, "detail", status_text(e->answer.detail));
        json_object_set_new(json, "hint", status_text(e->answer.hint));
        control_answer(s->control, a->client, json, e->answer.final, now);
        if (e->answer.final)
            a->client = 0;
    }
}

/* Kept until the step is over: what comes of it is a step of its own. */
static void roster_effect(struct station *s, const struct effect *e)
{
    free(s->told);
    s->told = malloc(e->len);
    s->told_len = s->told ? e->len : 0;
    if (s->told)
        memcpy(s->told, e->bytes, e->len);
}

static void store_effect(struct station *s, const struct effect *e)
{
    struct problem problem;
    if (store_save(&s->store, e->bytes, e->len, &problem))
        return;
    log_problem(LOG_LEVEL_ERROR, "store-failed", &problem);
    halt(s, LOOP_FAILED);
}

/* In order.  Once a STORE has failed, only words are left: whatever else follows in the list may rest on it. */
static void perform(struct station *s)
{
    const struct effects *out = s->loop->effects;
    const struct loop_hand *h = &s->hand;
    instant now = clock_now();
    for (int i = 0; i < out->n; i++) {
        const struct effect *e = &out->e[i];
        bool good = s->running;
        switch (e->kind) {
        case EFFECT_STORE:
            if (good)
                store_effect(s, e);
            now = clock_now();
            break;
        case EFFECT_SEND:
            if (good)
                send_effect(s, e, now);
            break;
        case EFFECT_LEASE:
            if (good && h->lease)
                h->lease(h->arg, e->until, e->term);
            break;
        case EFFECT_GOAL:
            if (good && h->goal)
                h->goal(h->arg, &e->goal);
            break;
        case EFFECT_SYNC:
            if (good && h->sync)
                h->sync(h->arg, &e->sync);
            break;
        case EFFECT_ROSTER:
            if (good)
                roster_effect(s, e);
            break;
        case EFFECT_KEY:
            s->key_due = good;
            s->key_round = e->round;
            break;
        case EFFECT_ROUTE:
            if (good && h->route)
                h->route(h->arg, &e->route);
            break;
        case EFFECT_DECIDED: decided_effect(s, e); break;
        case EFFECT_EVENT: event_effect(s, e); break;
        case EFFECT_ANSWER: answer_effect(s, e, now); break;
        case EFFECT_FATAL:
            journal_event(&s->journal, e->term, "fatal", e->text);
            log_event(LOG_LEVEL_ERROR, "fatal", "%s", e->text);
            halt(s, LOOP_FATAL);
            break;
        }
    }
}

void station_step(struct station *s, struct event *e)
{
    struct problem problem = {0};
    e->entropy = keys_random_u64();
    core_step(s->core, e, s->loop->effects);
    perform(s);
    if (s->key_due && s->running) {
        s->key_due = false;
        station_key_turn(s);
    }
    if (s->told == NULL)
        return;
    uint8_t *text = s->told;
    s->told = NULL;
    bool good = station_take_roster(s, (const char *)text, s->told_len, "roster of another member", &problem);
    bool quiet = !instant_is_never(s->roster_refused_at) &&
                 instant_elapsed_least(e->now, s->roster_refused_at).ns < span_ms(REFUSED_LOG_MS).ns;
    if (!good && !quiet) {
        bool forked = s->folder->roster.forked;
        log_problem(forked ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
                    forked ? "reformed-twice" : "roster-refused", &problem);
        if (forked)
            journal_event(&s->journal, 0, "reformed-twice", problem.fact);
        s->roster_refused_at = e->now;
    }
    free(text);
}

/* ---- starting and stopping ------------------------------------------------------------------------------------------- */

static bool start_transport(struct station *s, struct problem *err)
{
    const struct folder *f = s->folder;
    struct transport_options *o = calloc(1, sizeof *o);
    int64_t silence = (int64_t)f->config.core.lease_ms * SILENT_HEARTBEATS / HEARTBEATS_PER_LEASE;
    if (o == NULL)
        return problem_fact(err, "out of memory");
    o->key = &f->key;
    o->silence = span_ms(silence > SILENT_MIN_MS ? silence : SILENT_MIN_MS);
    o->n_listen = f->config.n_listen ? f->config.n_listen : f->self->n_mesh;
    memcpy(o->listen, f->config.n_listen ? f->config.listen : f->self->mesh, sizeof o->listen);
    for (int i = 0; i < f->cluster.n; i++) {
        const struct cluster_member *m = &f->cluster.members[i];
        if (m == f->self || role_is_person(m->member.role) || m->member.revoked)
            continue;
        station_peer(&o->peers[o->n_peers++], m);
    }
    s->transport = transport_open(s->loop->hub, o, err);
    free(o);
    return s->transport != NULL;
}

static void set_up(const struct station *s, struct core_setup *setup)
{
    const struct folder *f = s->folder;
    setup->cluster = f->cluster.id;
    setup->self = f->self->member.id;
    setup->secret = f->key.secret;
    setup->n_members = f->cluster.n;
    for (int i = 0; i < f->cluster.n; i++)
        setup->members[i] = f->cluster.members[i].member;
    setup->settings = f->config.core;
    setup->first = f->cluster.first;
    setup->nonce = keys_random_u64();
    setup->now = clock_now();
}

static bool start_core(struct station *s, struct problem *err)
{
    struct core_setup *setup = calloc(1, sizeof *setup);
    char *roster = malloc(ROSTER_MAX);
    uint8_t *stored = malloc(DURABLE_MAX);
    struct problem reading = {.fact = ""};
    const char *why = "out of memory";
    bool newer = false, good = setup && stored && roster && (s->core = malloc(core_size())) != NULL;
    cluster_judge_persons(&s->folder->cluster, clock_wall_us() / 1000000);
    if (good) {
        set_up(s, setup);
        station_news(s, &setup->roster, roster);
        enum store_found found = store_load(&s->store, stored, DURABLE_MAX, &setup->stored_len, &reading);
        setup->stored = found == STORE_GOOD ? stored : NULL;
        if (found == STORE_MISSING || found == STORE_DAMAGED)
            log_problem(LOG_LEVEL_ERROR, "store-lost", &reading);
        newer = found == STORE_NEWER;
        good = !newer && core_start(s->core, setup, s->loop->effects, &why);
    }
    if (setup)
        keys_wipe(&setup->secret, sizeof setup->secret);
    free(setup);
    free(roster);
    free(stored);
    if (newer) {
        *err = reading;
        return false;
    }
    if (!good) {
        problem_fact(err, "\"%s\" of cluster \"%s\" cannot start: %s", s->folder->config.member,
                     s->folder->cluster.name, why);
        return false;
    }
    s->running = true;
    perform(s);
    return s->running ||
           problem_fact(err, "could not write the store in \"%s\"", s->folder->config.state_dir);
}

static control_handler on_request;

bool station_start(struct station *s, struct problem *err)
{
    const struct config *c = &s->folder->config;
    s->running = false;
    s->store = (struct store){.dir_fd = -1, .lock_fd = -1};
    s->journal = (struct journal){.fd = -1};
    memset(s->awaited, 0, sizeof s->awaited);
    s->tend = s->control_wake = s->persons_at = s->invites_at = s->invite_told_at = instant_never();
    s->more = true;
    bool good = store_open(&s->store, c->state_dir, err) && journal_open(&s->journal, c->state_dir, err) &&
                (s->control = control_open(c->control_socket, on_request, s, err)) != NULL &&
                start_transport(s, err) && start_core(s, err);
    if (good)
        station_invites_start(s);
    if (!good) {
        station_stop(s);
        s->end = LOOP_FAILED;
    }
    return good;
}

void station_stop(struct station *s)
{
    s->running = false;
    transport_close(&s->transport);
    station_past_stop(s);
    control_close(&s->control);
    journal_close(&s->journal);
    store_close(&s->store);
    if (s->core)
        keys_wipe(s->core, core_size());
    free(s->core);
    free(s->told);
    s->core = NULL;
    s->told = NULL;
}

/* ---- a turn ------------------------------------------------------------------------------------------------------------ */

static bool take_sample(struct station *s, struct pg_sample *sample)
{
    pthread_mutex_lock(&s->loop->lock);
    bool posted = s->posted;
    if (posted)
        *sample = s->sample;
    s->posted = false;
    pthread_mutex_unlock(&s->loop->lock);
    return posted;
}

void station_drain(struct station *s)
{
    struct packet p;
    struct pg_sample sample;
    instant now = clock_now();
    enum transport_got got = TRANSPORT_PACKET;
    for (int i = 0; i < PACKETS_PER_TURN && s->running && got != TRANSPORT_NOTHING; i++) {
        got = transport_receive(s->transport, now, &p);
        if (got != TRANSPORT_PACKET)
            continue;
        station_step(s,
                     &(struct event){
                         .kind = EVENT_PACKET, .now = now, .from = p.from, .bytes = p.bytes, .len = p.len});
        now = clock_now();
    }
    s->more = s->running && got != TRANSPORT_NOTHING;
    if (s->running && take_sample(s, &sample))
        station_step(s, &(struct event){.kind = EVENT_SAMPLE, .now = now, .sample = &sample});
}

/* Said once a minute: somebody with a foreign key costs the log no more than that. */
static void mention_refused(struct station *s, instant now)
{
    struct transport_counters c;
    transport_count(s->transport, &c);
    bool quiet = !instant_is_never(s->refused_at) &&
                 instant_elapsed_least(now, s->refused_at).ns < span_ms(REFUSED_LOG_MS).ns;
    if (c.refused_key == s->refused_logged || quiet)
        return;
    log_event(LOG_LEVEL_WARNING, "refused-key",
              "%llu connections with a key that is in no certificate were refused",
              (unsigned long long)(c.refused_key - s->refused_logged));
    s->refused_logged = c.refused_key;
    s->refused_at = now;
}

void station_tick(struct station *s, instant now)
{
    if (instant_due_any(now, core_deadline(s->core)))
        station_step(s, &(struct event){.kind = EVENT_TICK, .now = now});
    if (s->running) {
        s->tend = transport_tend(s->transport, now);
        station_tend_persons(s, now);
        station_tend_invites(s, now);
        s->more = s->more || transport_unsure(s->transport);
        mention_refused(s, now);
        station_past_go(s, now);
    }
}

void station_control(struct station *s, instant now)
{
    s->control_wake = control_serve(s->control, now);
}

instant station_wake(const struct station *s)
{
    instant due = earlier(earlier(core_deadline(s->core), s->tend), s->control_wake);
    return station_past_waits(s) ? earlier(clock_now(), due) : due;
}

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

static void refuse(struct station *s, control_client client, const char *fact, const char *detail,
                   instant now)
{
    json_t *json = json_pack("{s:b, s:b, s:s, s:s}", "final", 1, "done", 0, "error", fact, "text", fact);
    if (detail)
        json_object_set_new(json, "detail", json_string(detail));
    control_answer(s->control, client, json, true, now);
}

static struct awaited *await(struct station *s, uint64_t id, control_client client)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct awaited *a = &s->awaited[i];
        if (a->client != 0 && control_waits(s->control, a->client))
            continue;
        *a = (struct awaited){.id = id, .client = client};
        return a;
    }
    return NULL;
}

/* Which reason for refusal was counted by the last step. */
static const char *rejected_since(const struct core *c, const uint64_t before[static REJECT_COUNT])
{
    for (int i = 1; i < REJECT_COUNT; i++)
        if (c->rejected[i] != before[i])
            return reject_name((enum reject)i);
    return NULL;
}

/* An operator's signed command enters like any packet, over a link that ends here. */
static void submit(struct station *s, control_client client, const char *hex, instant now)
{
    uint8_t bytes[FRAME_MAX];
    uint64_t before[REJECT_COUNT];
    struct command command;
    struct frame f;
    size_t digits = hex ? strlen(hex) : 0, n = digits / 2;
    if (n == 0 || n > sizeof bytes || !hex_get(bytes, n, hex, digits)) {
        refuse(s, client, "\"frame\" is not the hexadecimal of a frame", NULL, now);
        return;
    }
    enum reject r = frame_open(&f, bytes, n, &s->folder->cluster.id);
    if (r != REJECT_NONE || f.kind != FRAME_COMMAND || !wire_get_command(&command, f.body, f.body_len)) {
        refuse(s, client, "the frame is not a command to this cluster", r ? reject_name(r) : NULL, now);
        return;
    }
    int64_t age_s = clock_wall_us() / 1000000 - (int64_t)(command.id >> 32); /* command_sign.h */
    if (command.approved && (age_s > APPROVAL_S || age_s < -APPROVAL_S)) {
        refuse(s, client, "the order is too old to be approved",
               "A second person signs within minutes. Give the order again.", now);
        return;
    }
    struct awaited *a = await(s, command.id, client);
    if (a == NULL) {
        refuse(s, client, "too many commands are under way", NULL, now);
        return;
    }
    memcpy(before, s->core->rejected, sizeof before);
    station_step(
        s,
        &(struct event){
            .kind = EVENT_PACKET, .now = now, .from = s->folder->self->member.id, .bytes = bytes, .len = n});
    const char *why = rejected_since(s->core, before);
    if (why && a->client == client && control_waits(s->control, client)) {
        a->client = 0;
        refuse(s, client, "the command was refused", why, now);
    }
}

/* The root's word on new voters, and their record, into this member; all others hear of it from here. */
static void reform_take(struct station *s, const struct status_view *view, const json_t *request,
                        struct problem *problem)
{
    char text[ROSTER_LINE_SIZE + 32];
    struct certificate *cert = recover_read(request, problem);
    int n = snprintf(text, sizeof text, "pgmesh-roster 1\n%s\n", json_text(request, "line"));
    if (cert == NULL || recover_barred(view, &cert->proposal.record, problem)) {
        free(cert);
        return;
    }
    s->reformed = cert;
    station_take_roster(s, text, n < (int)sizeof text ? (size_t)n : 0, "the line", problem);
    s->reformed = NULL;
    if (problem->fact[0] == '\0')
        roster_save(&s->folder->roster, s->folder->config.state_dir,
                    problem); /* to be told to who comes back */
    if (problem->fact[0] == '\0' &&
        ballot_cmp(s->core->disk.decided.proposal.ballot, cert->proposal.ballot) != 0)
        problem_fact(problem, "the record is not the one that the root has signed");
    free(cert);
}

static json_t *recover_answer(struct station *s, const struct status_view *view, const json_t *request)
{
    struct problem p = {0};
    if (json_object_get(request, "line") != NULL)
        reform_take(s, view, request, &p);
    return p.fact[0] == '\0'
               ? recover_survey(view)
               : json_pack("{s:s,s:s,s:s}", "error", p.fact, "detail", p.detail, "hint", p.hint);
}

static void on_request(void *arg, control_client client, struct json_t *request, instant now)
{
    struct station *s = arg;
    const char *command = json_string_value(json_object_get(request, "command"));
    const struct status_view view = station_view(s, now);
    json_t *answer = NULL;
    if (command == NULL || !s->running)
        answer =
            json_pack("{s:s}", "error", command ? "the member has stopped" : "the request names no command");
    else if (strcmp(command, "status") == 0)
        answer = status_json(&view);
    else if (strcmp(command, "history") == 0 || strcmp(command, "why") == 0 || strcmp(command, "events") == 0)
        station_past_ask(s, client, request, now);
    else if (strcmp(command, "persons") == 0)
        answer = status_persons(&view);
    else if (strcmp(command, "roster") == 0)
        answer = station_roster_answer(s, request);
    else if (strcmp(command, "recover") == 0)
        answer = recover_answer(s, &view, request);
    else if (strcmp(command, "key") == 0)
        answer = station_key_answer(s);
    else if (strcmp(command, "invite") == 0)
        answer = station_invite_answer(s, request, now);
    else if (strcmp(command, "submit") == 0)
        submit(s, client, json_string_value(json_object_get(request, "frame")), now);
    else
        answer = json_pack(
            "{s:s, s:s}", "error", "unknown command", "hint",
            "Known are status, history, why, events, persons, roster, recover, key, invite, submit.");
    if (answer)
        control_answer(s->control, client, answer, true, now);
}
