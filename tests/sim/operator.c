/* operator.c: an operator with a key and a control socket: signed commands, based on the newest decided record. */
#include <string.h>

#include "sim.h"

void operator_command(struct world *w, int via, enum command_kind kind, member_id target, bool loss)
{
    static uint8_t bytes[FRAME_MAX];
    struct command c = {.who = w->operator_id,
                        .id = rng_u64(&w->rng),
                        .term = world_record(w)->term,
                        .kind = kind,
                        .target = target,
                        .allow_data_loss = loss};
    uint8_t statement[STATEMENT_MAX];
    if (w->top >= 0)
        c.base = w->decided[w->top].ballot;
    snprintf(c.why, sizeof c.why, "simulated");
    sign_make(c.signature, &w->operator_secret, statement, command_bytes(statement, &w->cluster, &c));
    struct frame f = {.version = FRAME_VERSION,
                      .kind = FRAME_COMMAND,
                      .origin = w->operator_id,
                      .cluster = w->cluster,
                      .counter = 1,
                      .nonce = w->seed | 1,
                      .seq = ++w->command_seq};
    f.body = bytes + FRAME_HEADER;
    f.body_len = (uint16_t)wire_put_command(bytes + FRAME_HEADER, &c);
    size_t n = frame_seal(bytes, &f, &w->operator_secret);
    if (kind == COMMAND_SWITCHOVER || kind == COMMAND_FAILOVER)
        w->commanded = true;
    if (!w->m[via].up || w->m[via].paused_until || w->m[via].vm_until)
        return;
    struct event e = {.kind = EVENT_PACKET, .from = w->m[via].id, .bytes = bytes, .len = n};
    world_step_member(w, via, &e);
}
