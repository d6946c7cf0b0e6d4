/* show.c: see show.h. */
#define _GNU_SOURCE
#include "mesh/inspect/show.h"

#include <string.h>

#include "mesh/inspect/client.h"

int view_ask(struct inspect *x, struct view *v, json_t **answer)
{
    static struct client client;
    int code = client_open(&client, x);
    *answer = NULL;
    if (code == EXIT_OK)
        code = client_ask(&client, json_pack("{s:s}", "command", "status"), answer);
    if (code == EXIT_OK)
        view_read(v, *answer);
    return code;
}

const char *view_second(const struct view *v, const struct view_member *m, const struct view_member *best)
{
    long long bytes;
    const char *step = view_behind(v, m, best, &bytes);
    if (strcmp(step, "wal") == 0)
        return text("it is %s behind %s", text_bytes((unsigned long long)bytes), best->name);
    if (strcmp(step, "site") == 0)
        return text("it is in another site than %s", v->primary);
    return strcmp(step, "priority") == 0 ? "its priority is lower" : "equally good; its number is higher";
}

json_t *view_estimate_json(const struct view_estimate *e)
{
    if (!e->known)
        return json_null();
    return json_pack("{s:s?,s:o,s:o,s:s?}", "takes_over", e->who == NULL ? NULL : e->who->name,
                     "estimated_ms", e->who == NULL ? json_null() : json_integer(e->ms), "bytes_at_risk",
                     e->who == NULL || e->bytes_at_risk < 0 ? json_null() : json_integer(e->bytes_at_risk),
                     "blocked", e->blocked[0] == '\0' ? NULL : e->blocked);
}

const char *view_estimate_text(const struct view *v, const struct view_estimate *e)
{
    if (!e->known)
        return "The record names no primary.";
    if (e->who == NULL)
        return text(v->serving ? "If %s died now: nobody would take over by itself; %s."
                               : "While %s does not serve: nobody takes over by itself; %s.",
                    v->primary, e->blocked);
    if (!v->serving)
        return text("While %s does not serve: %s is the next to take over.", v->primary, e->who->name);
    return text("If %s died now: %s takes over in about %.1f s, %s at risk.", v->primary, e->who->name,
                (double)e->ms / 1000,
                e->bytes_at_risk < 0    ? "an unknown number of bytes"
                : e->bytes_at_risk == 0 ? "0 bytes"
                                        : text_bytes((unsigned long long)e->bytes_at_risk));
}
