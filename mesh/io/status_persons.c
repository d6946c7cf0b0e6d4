/* status_persons.c: who may order what, and what waits for a second person. */
#include "mesh/io/status.h"

#include "mesh/core_state.h"
#include "mesh/io/status_text.h"

#include <jansson.h>
#include <stdio.h>

static json_t *person_json(const struct cluster_member *m)
{
    return json_pack("{s:s, s:s, s:b, s:b, s:I, s:I}", "name", m->member.name, "role",
                     cluster_role_name(m->member.role), "revoked", (int)m->member.revoked, "valid",
                     (int)(!m->member.revoked && !m->member.expired), "from", (json_int_t)m->from, "until",
                     (json_int_t)m->until);
}

/* `order` is what the second person signs and hands in (wire.h, struct command). */
static json_t *pending_json(const struct status_view *v, const struct pending *p)
{
    const struct command *m = &p->command;
    uint8_t bytes[FRAME_BODY_MAX];
    char hex[2 * STATEMENT_MAX + 1], number[2 * sizeof(uint32_t) + 1];
    size_t n = wire_put_command(bytes, m);
    json_t *out;
    if (n > STATEMENT_MAX)
        return NULL;
    hex_put(hex, bytes, n);
    snprintf(number, sizeof number, "%08x", (unsigned)m->id);
    out = json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:s}", "number", number, "by",
                    cluster_member_name(v->cluster, m->who), "command", right_deed(m->kind),
                    "allow_data_loss", (int)m->allow_data_loss, "term", (json_int_t)m->term, "left_s",
                    (json_int_t)(instant_elapsed_least(p->until, v->now).ns / 1000000000), "order", hex);
    json_object_set_new(out, "target",
                        m->target == MEMBER_NONE ? json_null()
                                                 : json_string(cluster_member_name(v->cluster, m->target)));
    json_object_set_new(out, "why", status_text(m->why));
    return out;
}

json_t *status_persons(const struct status_view *v)
{
    json_t *persons = json_array(), *pending = json_array();
    for (int i = 0; i < v->cluster->n; i++)
        if (role_is_person(v->cluster->members[i].member.role))
            json_array_append_new(persons, person_json(&v->cluster->members[i]));
    for (int i = 0; i < PENDING_MAX; i++)
        if (pending_runs(v->core, &v->core->pending[i]))
            json_array_append_new(pending, pending_json(v, &v->core->pending[i]));
    return json_pack("{s:s, s:s, s:o, s:b, s:s, s:o}", "cluster", v->cluster->name, "self",
                     cluster_member_name(v->cluster, v->core->self), "persons", persons, "two_persons",
                     (int)right_two_persons(v->core), "two_persons_set",
                     cluster_two_persons_name(v->core->two_persons), "pending", pending);
}
