/* station_invite.c: hosts that are to join by a token, as the member with whom their closed folders wait does its part
 * (invites.h): what is left here must be vouched for by the root key, what is fetched is fetched once, and the journal has it.
 *
 *   {"command":"invite"}                            who is invited here: {"invitations":[...]}
 *   {"command":"invite","deposit":{member, name, id, until, ticket, closed}}
 *   {"command":"invite","recall":{id, word}}
 *   {"command":"invite","claim":HEX,"taker":HEX,"from":TEXT}      {"closed":BASE64, "name", "cluster"}, or
 *                                                   {"error", "reason": unknown, ended, used, recalled or failed} */
#include "mesh/core_state.h"
#include "mesh/io/clock.h"
#include "mesh/io/json.h"
#include "mesh/io/log.h"
#include "mesh/io/loop_state.h"

#include <stdlib.h>
#include <string.h>

enum { TEND_MS = 5000, TOLD_MS = 60000 };

static int64_t wall_s(void)
{
    return clock_wall_us() / 1000000;
}

static void remember(struct station *s, const char *name, const char *text)
{
    journal_event(&s->journal, s->core->disk.decided.proposal.record.term, name, text);
}

void station_invites_start(struct station *s)
{
    struct problem problem;
    invites_load(&s->invites, s->folder->config.state_dir, &problem);
    if (problem.fact[0] != '\0')
        log_problem(LOG_LEVEL_WARNING, "invite-damaged", &problem);
}

void station_tend_invites(struct station *s, instant now)
{
    char text[JOURNAL_TEXT_SIZE];
    const char *name;
    if (s->invites.n == 0 || (!instant_is_never(s->invites_at) && !instant_due_any(now, s->invites_at)))
        return;
    s->invites_at = instant_add(now, span_ms(TEND_MS));
    while ((name = invites_tend(&s->invites, wall_s())) != NULL) {
        snprintf(text, sizeof text, "nobody came with the token of %s in time", name);
        log_event(LOG_LEVEL_INFO, "invite-ended", "%s", text);
        remember(s, "invite-ended", text);
    }
}

static json_t *refusal(const char *reason, const struct problem *p)
{
    return json_pack("{s:s, s:s, s:s, s:s}", "error", p->fact, "detail", p->detail, "hint", p->hint, "reason",
                     reason);
}

static bool get_hex(void *bytes, size_t n, const json_t *object, const char *key)
{
    const char *hex = json_text(object, key);
    return hex_get(bytes, n, hex, strlen(hex));
}

/* ---- in --------------------------------------------------------------------------------------------------------------- */

static bool read_ticket(struct invite_ticket *t, const json_t *deposit, struct problem *err)
{
    const char *base64 = json_text(deposit, "closed"), *name = json_text(deposit, "name");
    uint8_t *closed = malloc(INVITE_CLOSED_MAX);
    size_t n = 0;
    memset(t, 0, sizeof *t);
    t->member = (member_id)json_number(deposit, "member", 0);
    t->until = json_number(deposit, "until", 0);
    bool good = closed != NULL && cluster_name_valid(name) && get_hex(t->id, HASH_SIZE, deposit, "id") &&
                get_hex(t->signature, SIGNATURE_SIZE, deposit, "ticket") &&
                base64_get(closed, INVITE_CLOSED_MAX, &n, base64) && n > INVITE_CLOSING;
    if (good) {
        snprintf(t->name, sizeof t->name, "%s", name);
        sign_hash(t->hash, closed, n);
    } else {
        problem_fact(err, "the invitation is malformed, or its folder is too large");
    }
    free(closed);
    return good;
}

static json_t *deposit(struct station *s, const json_t *what)
{
    const struct cluster *c = &s->folder->cluster;
    char text[JOURNAL_TEXT_SIZE], when[CLOCK_TEXT_SIZE];
    struct invite_ticket t;
    struct problem problem = {0};
    if (!read_ticket(&t, what, &problem))
        return refusal("malformed", &problem);
    if (!invite_ticket_holds(&t, &c->id, c->root)) {
        problem_fact(&problem, "the invitation is not signed by the root key of cluster %s", c->name);
        return refusal("signature", &problem);
    }
    if (!invites_keep(&s->invites, &t, json_text(what, "closed"), wall_s(), &problem))
        return refusal("refused", &problem);
    snprintf(text, sizeof text, "%s may be fetched by its token until %s", t.name,
             clock_print(when, t.until * 1000000));
    log_event(LOG_LEVEL_INFO, "invited", "%s", text);
    remember(s, "invited", text);
    return json_pack("{s:b, s:s}", "done", 1, "member", s->folder->config.member);
}

static json_t *recall(struct station *s, const json_t *what)
{
    const struct cluster *c = &s->folder->cluster;
    uint8_t id[HASH_SIZE], word[SIGNATURE_SIZE];
    char text[JOURNAL_TEXT_SIZE];
    struct problem problem = {0};
    struct invite *i = NULL;
    if (!get_hex(id, HASH_SIZE, what, "id") || !get_hex(word, SIGNATURE_SIZE, what, "word") ||
        !invite_recall_holds(word, &c->id, id, c->root))
        problem_fact(&problem, "the recall is not signed by the root key of cluster %s", c->name);
    else
        i = invites_recall(&s->invites, id, &problem);
    if (i == NULL)
        return refusal("refused", &problem);
    snprintf(text, sizeof text, "the token of %s is good for nothing any more", i->ticket.name);
    log_event(LOG_LEVEL_INFO, "invite-recalled", "%s", text);
    remember(s, "invite-recalled", text);
    return json_pack("{s:b, s:s}", "done", 1, "name", i->ticket.name);
}

/* ---- out -------------------------------------------------------------------------------------------------------------- */

/* Once a minute: who holds a used token may show it as often as he likes. */
static void tell_reused(struct station *s, const struct invite *i, const char *from, instant now)
{
    char text[JOURNAL_TEXT_SIZE];
    if (!instant_is_never(s->invite_told_at) &&
        instant_elapsed_least(now, s->invite_told_at).ns < span_ms(TOLD_MS).ns)
        return;
    s->invite_told_at = now;
    snprintf(text, sizeof text, "%s came with the token of %s, which %s had used: two have had it", from,
             i->ticket.name, i->from);
    log_event(LOG_LEVEL_WARNING, "invite-reused", "%s", text);
    remember(s, "invite-reused", text);
}

static bool is_revoked(const struct station *s, const struct invite *i)
{
    const struct cluster_member *m = cluster_member(&s->folder->cluster, i->ticket.member);
    return m != NULL && m->member.revoked;
}

static json_t *given(struct station *s, const struct invite *i, const char *base64)
{
    char text[JOURNAL_TEXT_SIZE];
    snprintf(text, sizeof text, "%s was fetched by its token, from %s", i->ticket.name, i->from);
    log_event(LOG_LEVEL_INFO, "invite-taken", "%s", text);
    remember(s, "invite-taken", text);
    return json_pack("{s:s, s:s, s:s}", "cluster", s->folder->cluster.name, "name", i->ticket.name, "closed",
                     base64);
}

/* An address, as pgmesh-http has it; it will stand in logs. */
static void get_from(char from[static INVITE_FROM_SIZE], const json_t *request)
{
    const char *text = json_text(request, "from");
    size_t n = strspn(text, "0123456789abcdefABCDEF.:");
    snprintf(from, INVITE_FROM_SIZE, "%.*s", (int)n, n > 0 ? text : "");
    if (n == 0)
        strcpy(from, "somebody");
}

static json_t *claim(struct station *s, const json_t *request, instant now)
{
    uint8_t shown[HASH_SIZE], number[HASH_SIZE], id[HASH_SIZE], taker[HASH_SIZE];
    char from[INVITE_FROM_SIZE], *base64 = NULL;
    struct problem problem = {0};
    struct invite *i = NULL;
    json_t *out = NULL;
    get_from(from, request);
    if (!get_hex(shown, HASH_SIZE, request, "claim") || !get_hex(number, HASH_SIZE, request, "taker")) {
        problem_fact(&problem, "a claim is 64 hex digits, and so is the taker's number");
        return refusal("malformed", &problem);
    }
    invite_id(id, shown);
    sign_hash(taker, number, sizeof number);
    switch (invites_take(&s->invites, id, taker, from, wall_s(), &base64, &i, &problem)) {
    case INVITE_GIVEN:
        if (is_revoked(s, i))
            break;
        out = given(s, i, base64);
        free(base64);
        return out;
    case INVITE_UNKNOWN:
        problem_fact(&problem, "nobody is invited here by that token");
        return refusal("unknown", &problem);
    case INVITE_ENDED: problem_fact(&problem, "the invitation has ended"); return refusal("ended", &problem);
    case INVITE_USED:
        tell_reused(s, i, from, now);
        problem_fact(&problem, "the token was used already");
        return refusal("used", &problem);
    case INVITE_GONE: break;
    case INVITE_FAILED:
        log_problem(LOG_LEVEL_ERROR, "invite-failed", &problem);
        problem_fact(&problem, "the member could not write down that the token is used");
        return refusal("failed", &problem);
    }
    free(base64);
    problem_fact(&problem, "the invitation was taken back");
    return refusal("recalled", &problem);
}

static json_t *list(const struct station *s)
{
    json_t *all = json_array();
    int64_t now = wall_s();
    for (int n = 0; n < s->invites.n; n++) {
        const struct invite *i = &s->invites.of[n];
        char until[CLOCK_TEXT_SIZE], taken[CLOCK_TEXT_SIZE], id[2 * HASH_SIZE + 1];
        hex_put(id, i->ticket.id, HASH_SIZE);
        bool used = i->state == INVITE_TAKEN;
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:I}", "name", i->ticket.name,
                                             "state", invite_state_name(i, now), "until",
                                             clock_print(until, i->ticket.until * 1000000), "id", id, "taken",
                                             used ? clock_print(taken, i->taken * 1000000) : NULL, "from",
                                             used ? i->from : NULL, "reused", (json_int_t)i->again));
    }
    return json_pack("{s:s, s:s, s:o}", "cluster", s->folder->cluster.name, "member",
                     s->folder->config.member, "invitations", all);
}

json_t *station_invite_answer(struct station *s, const json_t *request, instant now)
{
    const json_t *what = json_object_get(request, "deposit");
    if (what != NULL)
        return deposit(s, what);
    if ((what = json_object_get(request, "recall")) != NULL)
        return recall(s, what);
    return json_object_get(request, "claim") != NULL ? claim(s, request, now) : list(s);
}
