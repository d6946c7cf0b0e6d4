/* station_past.c: questions about the past, beside the work: the loop serves packets and deadlines between two pieces of the
 * journal, so that a lease waits for no reader. */
#include "mesh/io/loop_state.h"
#include "mesh/io/status.h"

#include <jansson.h>

struct status_view station_view(const struct station *s, instant now)
{
    const struct loop *l = s->loop;
    return (struct status_view){.cluster = &s->folder->cluster,
                                .core = s->core,
                                .transport = s->transport,
                                .journal = &s->journal,
                                .state_dir = s->folder->config.state_dir,
                                .now = now,
                                .store_us = s->store.worst_save_us,
                                .loop_late_us =
                                    l->late_us > l->late_before_us ? l->late_us : l->late_before_us};
}

bool station_past_waits(const struct station *s)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        if (s->back[i].past != NULL)
            return true;
    return false;
}

void station_past_go(struct station *s, instant now)
{
    struct looking_back *b = NULL;
    for (int i = 0; i < CONTROL_CLIENTS_MAX && (b == NULL || b->past == NULL); i++)
        b = &s->back[s->next_back++ % CONTROL_CLIENTS_MAX];
    s->next_back %= CONTROL_CLIENTS_MAX;
    if (b->past == NULL)
        return;
    const struct status_view view = station_view(s, now);
    json_t *answer = control_waits(s->control, b->client) ? status_past_go(b->past, &view) : NULL;
    if (answer != NULL)
        control_answer(s->control, b->client, answer, true, now);
    if (!control_waits(s->control, b->client)) /* it has its answer, or is gone */
        status_past_end(&b->past);
}

void station_past_ask(struct station *s, control_client client, const json_t *request, instant now)
{
    const struct status_view view = station_view(s, now);
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
        struct looking_back *b = &s->back[i];
        if (b->past != NULL && control_waits(s->control, b->client))
            continue;
        status_past_end(&b->past);
        *b = (struct looking_back){.past = status_past_begin(&view, request), .client = client};
        if (b->past != NULL)
            return;
    }
    control_answer(s->control, client, json_pack("{s:s}", "error", "out of memory"), true, now);
}

void station_past_stop(struct station *s)
{
    for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
        status_past_end(&s->back[i].past);
}
