/* history.c: pgmesh history: each term, what it cost, and how sure that is. */
#define _GNU_SOURCE
#include <string.h>

#include "mesh/inspect/client.h"

static const char *lost(const json_t *one)
{
    long long bytes = json_number(one, "gap_bytes", -1);
    if (json_object_get(one, "nothing_lost_proven") == NULL)
        return "–";
    if (json_flag(one, "nothing_lost_proven"))
        return "none (proven)";
    return bytes < 0 ? "not known" : text("%s heard of", text_bytes((unsigned long long)bytes));
}

static const char *span(const json_t *one, const char *key)
{
    long long ms = json_number(one, key, -1);
    return ms < 0 ? "–" : text_duration((unsigned long long)ms);
}

static void row(struct table *t, const json_t *one)
{
    const char *from = json_text(one, "from"), *to = json_text(one, "primary"), *at = json_text(one, "at");
    table_cell(t, TONE_STRONG, "%lld", json_number(one, "term", 0));
    table_cell(t, TONE_PLAIN, "%.19s%s", at, strlen(at) > 19 ? "Z" : "");
    table_cell(t, TONE_PLAIN, "%s", json_text(one, "kind"));
    table_cell(t, TONE_PLAIN, "%s%s%s", from, *from == '\0' ? "" : " → ", *to == '\0' ? "nobody" : to);
    table_cell(t, TONE_PLAIN, "%lld", json_number(one, "timeline", 0));
    table_cell(t, TONE_PLAIN, "%s", span(one, "outage_ms"));
    table_cell(t, TONE_PLAIN, "%s", lost(one));
    table_cell(t, TONE_PLAIN, "%s", span(one, "ready_ms"));
    table_cell(t, TONE_FAINT, "%s", json_text(one, "reason"));
}

int command_history(struct inspect *x)
{
    static struct client client;
    static const struct column columns[] = {
        {"TERM", 0, true},        {"AT", 2, false},   {"KIND", 1, false},
        {"PRIMARY", 0, false},    {"TL", 7, true},    {"OUTAGE (RTO)", 3, true},
        {"LOST (RPO)", 4, false}, {"READY", 6, true}, {"REASON", 5, false}};
    json_t *answer, *list, *one;
    struct table t;
    size_t i;
    int code = EXIT_OK;
    if (!args_none(x, &code) || (code = client_open(&client, x)) != EXIT_OK)
        return code;
    if ((code = client_ask(&client, json_pack("{s:s}", "command", "history"), &answer)) != EXIT_OK)
        return code;
    if (x->out.json) {
        output_json(&x->out, answer);
        return EXIT_OK;
    }
    list = json_object_get(answer, "history");
    table_open(&t, columns, 9);
    json_array_foreach(list, i, one) row(&t, one);
    table_print(&x->out, &t);
    table_close(&t);
    json_decref(answer);
    return EXIT_OK;
}
