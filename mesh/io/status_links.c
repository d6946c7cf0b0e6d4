/* status_links.c: who hears whom, as far as this member knows: at first hand for itself, from their heartbeats for others. */
#include "mesh/io/status.h"

#include "mesh/core_state.h"
#include "mesh/io/status_text.h"

#include <jansson.h>

static json_t *heard_json(const struct status_view *v, member_id who, int64_t age_us, uint32_t rtt_us)
{
    return json_pack("{s:s, s:o, s:b, s:o}", "name", cluster_member_name(v->cluster, who), "age_ms",
                     age_us < 0 ? json_null() : json_integer(age_us / 1000), "direct", rtt_us != 0, "rtt_us",
                     rtt_us > 1 ? json_integer(rtt_us) : json_null());
}

static void own_hears(json_t *list, const struct status_view *v)
{
    const struct core *c = v->core;
    for (int i = 0; i < c->n_members; i++) {
        const struct peer *p = &c->peers[i];
        if (i == c->self_index || role_is_person(c->members[i].role))
            continue;
        int64_t age = p->heard ? span_to_us(instant_elapsed_most(v->now, p->at)) : -1;
        json_array_append_new(list, heard_json(v, c->members[i].id, age, notice_rtt_us(c, i)));
    }
}

/* Its words are as old as its heartbeat: that age counts as well. */
static void peer_hears(json_t *list, const struct status_view *v, const struct peer *p)
{
    int64_t age = span_to_us(instant_elapsed_most(v->now, p->at));
    for (int i = 0; i < p->beat.n_heard; i++) {
        const struct heard *h = &p->beat.heard[i];
        if (member_of(v->core, h->who) == NULL)
            continue;
        json_array_append_new(
            list, heard_json(v, h->who, h->seq ? (int64_t)h->dwell_us + age : -1, h->seq ? h->rtt_us : 0));
    }
}

json_t *status_hears(const struct status_view *v, member_id id)
{
    const struct core *c = v->core;
    int i = member_index(c, id);
    json_t *list = json_array();
    if (id == c->self)
        own_hears(list, v);
    else if (i >= 0 && c->peers[i].heard)
        peer_hears(list, v, &c->peers[i]);
    return list;
}
