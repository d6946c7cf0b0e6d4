#include "mesh/http/join.h"

#include "mesh/http/answer.h"
#include "mesh/http/gate.h"
#include "mesh/io/json.h"
#include "mesh/io/log.h"

#include <stdlib.h>
#include <string.h>

enum { HEX_DIGITS = 2 * HASH_SIZE };

struct join {
    struct http *http;
    join_told *told;
    void *arg;
    bool asking; /* the one question that the member has */
    struct gate gate;
    char peer[64];
};

bool join_open(struct http *h, join_told *told, void *arg)
{
    struct join *j = h->join = calloc(1, sizeof *j);
    if (j == NULL)
        return false;
    j->http = h;
    j->told = told;
    j->arg = arg;
    return true;
}

void join_close(struct http *h)
{
    free(h->join);
    h->join = NULL;
}

/* ---- the member's answer ---------------------------------------------------------------------------------------------- */

static const struct refusal {
    const char *reason, *code, *fact, *hint;
    unsigned status;
} refusals[] = {
    {"unknown", "not_found", "nobody is invited here by that token",
     "A token is good at the member with which it was left, and for as long as \"member invite\" said.", 404},
    {"ended", "ended", "the invitation has ended", "Invite the host anew, under another name.", 410},
    {"used", "used", "the token was used already",
     "If it was not by you, somebody else has had it: tell your administrator at once, who revokes that member.",
     410},
    {"recalled", "recalled", "the invitation was taken back", "Ask whoever invited this host.", 410},
    {"malformed", "usage", "\"claim\" and \"taker\" are 64 hex digits each",
     "\"pgmesh join\" asks as it should.", 400},
};

static unsigned answer_refused(struct http *h, const json_t *answer, struct reply *out)
{
    const char *reason = json_text(answer, "reason");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *r = &refusals[i];
        if (strcmp(reason, r->reason) != 0)
            continue;
        h->counters.joins_unknown += r->status == 404;
        h->counters.joins_used += strcmp(reason, "used") == 0;
        h->counters.joins_ended += r->status == 410 && strcmp(reason, "used") != 0;
        answer_error(out, r->status, r->code, r->fact, NULL, r->hint);
        return r->status;
    }
    answer_error(out, 503, "no_contact", "the member could not answer", json_text(answer, "error"),
                 "Ask again in a moment; the member's log tells why.");
    return 503;
}

static bool take(void *arg, json_t *answer, const char *why)
{
    struct join *j = arg;
    struct http *h = j->http;
    struct reply reply = {.status = 200};
    const char *closed = json_text(answer, "closed"), *name = json_text(answer, "name");
    j->asking = false;
    if (answer == NULL) {
        answer_error(&reply, 503, "no_contact", "the member does not answer", why, "Ask again in a moment.");
    } else if (*closed == '\0') {
        unsigned status = answer_refused(h, answer, &reply);
        if (status == 410)
            log_event(LOG_LEVEL_WARNING, "http-join", "%s: refused: %s", j->peer, json_text(answer, "error"));
    } else {
        h->counters.joins++;
        log_event(LOG_LEVEL_INFO, "http-join", "%s: given the closed folder of %s", j->peer, name);
        reply.json = json_pack("{s:s, s:s, s:s}", "cluster", json_text(answer, "cluster"), "member", name,
                               "closed", closed);
    }
    j->told(j->arg, &reply);
    return true;
}

/* ---- the question ----------------------------------------------------------------------------------------------------- */

static bool is_hex(const json_t *body, const char *key)
{
    const char *text = json_text(body, key);
    return strlen(text) == HEX_DIGITS && strspn(text, "0123456789abcdefABCDEF") == HEX_DIGITS;
}

bool join_ask(struct http *h, const struct request *r, struct reply *out)
{
    struct join *j = h->join;
    if (!is_hex(r->body, "claim") || !is_hex(r->body, "taker")) {
        h->counters.malformed++;
        answer_error(out, 400, "usage", "\"claim\" and \"taker\" are 64 hex digits each", NULL,
                     "\"pgmesh join\" asks as it should.");
        return false;
    }
    if (!gate_admit(&j->gate, r->peer, r->now)) {
        h->counters.joins_limited++;
        answer_error(out, 429, "too_many", "too many questions from there", NULL,
                     "Ask again in some seconds.");
        return false;
    }
    json_t *request =
        json_pack("{s:s, s:s, s:s, s:s}", "command", "invite", "claim", json_text(r->body, "claim"), "taker",
                  json_text(r->body, "taker"), "from", r->peer);
    if (j->asking || request == NULL) {
        json_decref(request);
    } else if (member_ask(h->line, request, JOIN_TIMEOUT_MS, take, j, r->now)) {
        j->asking = true;
        snprintf(j->peer, sizeof j->peer, "%s", r->peer);
        return true;
    }
    answer_error(out, 503, "no_contact", "the member cannot be asked now", "Another host is joining.",
                 "Ask again in a moment.");
    return false;
}
