/* operator.c: persons with keys and a control socket: signed commands, based on the newest decided record; and the same
 * commands from those who may not give them. */
#include <string.h>

#include "mesh/core_state.h"
#include "tests/sim/sim.h"

/* A primary whose software is wrong proposes to admit two voters again in one step: no acceptor may let it pass. */
void operator_two_steps(struct world *w)
{
    int p = world_primary(w);
    if (p < 0 || !w->m[p].up || w->m[p].vm_until || w->m[p].paused_until)
        return;
    struct core *c = w->m[p].core;
    struct record want = *decided(c);
    if (want.primary != w->m[p].id || want.voters.n < 2)
        return;
    want.version++;
    want.voters.v[0].epoch++;
    want.voters.v[1].epoch++;
    struct effects *fx = world_effects();
    fx->n = 0;
    fx->used = 0;
    c->out = fx;
    c->now = clocks_now(w, p);
    propose_change(c, &want);
    world_perform(w, p);
}

static bool alone(const struct voters *v, member_id who)
{
    return v->n == 1 && v->v[0].id == who;
}

/* Was it ever the only voter?  Then its word alone is a quorum of the voters that somebody may know (docs/protocol.md, "The
 * voters"). */
static bool believable(const struct world *w, member_id who)
{
    bool was = alone(&w->first.voters, who);
    for (int k = 0; k < w->n_decided; k++)
        was = was || (w->decided[k].known && alone(&w->decided[k].record.voters, who));
    return was;
}

/* Beside another one, or with the voters of now, or of the beginning. */
static void forge_voters(struct world *w, struct record *r, int i)
{
    int k = (i + 1) % (w->n_databases + w->n_witnesses);
    switch (rng_below(&w->rng, 4)) {
    case 0:
        r->voters.v[1] = r->voters.v[0];
        r->voters.v[1].id = w->m[k].id;
        memcpy(r->voters.v[1].key, w->m[0].setup.members[k].key, KEY_SIZE);
        r->voters.n = 2;
        return;
    case 1: r->voters = world_record(w)->voters; return;
    case 2: r->voters = w->first.voters; return;
    default: return;
    }
}

/* A member whose key is in wrong hands: a record in which it is primary and the only voter, decided by itself. */
void operator_forge(struct world *w, int i)
{
    static struct certificate cert;
    struct core *c = w->m[i].core;
    struct effects *fx = world_effects();
    uint8_t bytes[STATEMENT_MAX];
    if (!w->m[i].up || w->m[i].vm_until || w->m[i].paused_until || c->disk.dir == 0)
        return;
    memset(&cert, 0, sizeof cert);
    struct record *r = &cert.proposal.record;
    *r = *world_record(w);
    if (r->timeline == 0 || r->n_history == HISTORY_MAX)
        return;
    r->version++;
    r->term++;
    r->primary = w->m[i].id;
    r->primary_dir = c->disk.dir;
    r->timeline += 100;
    r->history[r->n_history++] =
        (struct history_row){.timeline = r->timeline, .switch_lsn = w->m[i].pg.at.lsn, .term = r->term};
    memset(&r->voters.v, 0, sizeof r->voters.v);
    r->voters.n = 1;
    r->voters.v[0].id = w->m[i].id;
    memcpy(r->voters.v[0].key, w->m[0].setup.members[i].key, KEY_SIZE);
    memcpy(r->voters.v[0].site, w->m[0].setup.members[i].site, NAME_SIZE);
    if (mutant_active == MUTANT_NONE && believable(w, w->m[i].id))
        return;
    if (w->votes_change)
        forge_voters(w, r, i);
    cert.proposal.ballot =
        (struct ballot){.round = c->disk.round + 1, .nonce = c->nonce, .member = w->m[i].id};
    cert.n_accepted = 1;
    cert.accepted[0] = (struct accepted){.who = w->m[i].id, .ballot = cert.proposal.ballot};
    record_hash(cert.accepted[0].record_hash, r);
    sign_make(cert.accepted[0].signature, &w->m[i].setup.secret, bytes,
              accepted_bytes(bytes, &w->cluster, &cert.accepted[0]));
    fx->n = 0;
    fx->used = 0;
    c->out = fx;
    c->now = clocks_now(w, i);
    send_all(c, FRAME_DECIDED, mask_core(c), wire_put_decided(body_room(c), &cert));
    if (fx->n)
        world_send_as(w, i, &fx->e[0]);
    fx->n = 0;
}

/* One order, signed by that person and, unless `second` is -1, by another one; handed in by the last who signed. */
static void order(struct world *w, int via, struct command *c, int first, int second)
{
    static uint8_t bytes[FRAME_MAX];
    uint8_t statement[STATEMENT_MAX];
    int carrier = second < 0 ? first : second;
    c->who = (member_id)(w->n + first + 1);
    size_t n = command_bytes(statement, &w->cluster, c);
    sign_make(c->signature, &w->person_secret[first], statement, n);
    c->approved = second >= 0;
    c->approval = (struct approval){0};
    if (c->approved) {
        c->approval.who = (member_id)(w->n + second + 1);
        sign_make(c->approval.signature, &w->person_secret[second], statement, n);
    }
    struct frame f = {.version = FRAME_VERSION_MIN,
                      .kind = FRAME_COMMAND,
                      .origin = (member_id)(w->n + carrier + 1),
                      .cluster = w->cluster,
                      .counter = 1,
                      .nonce = w->seed | 1,
                      .seq = ++w->command_seq};
    f.body = bytes + FRAME_HEADER;
    f.body_len = (uint16_t)wire_put_command(bytes + FRAME_HEADER, c);
    n = frame_seal(bytes, &f, &w->person_secret[carrier]);
    if (!w->m[via].up || w->m[via].paused_until || w->m[via].vm_until)
        return;
    struct event e = {.kind = EVENT_PACKET, .from = w->m[via].id, .bytes = bytes, .len = n};
    world_step_member(w, via, &e);
}

/* The same by those who may not: it must have no consequence (L17). */
static void unlawful(struct world *w, int via, struct command c, int first, int second)
{
    c.id = rng_u64(&w->rng);
    w->unlawful[w->n_unlawful++ % SIM_UNLAWFUL] = c.id;
    order(w, via, &c, first, second);
}

void operator_command(struct world *w, int via, enum command_kind kind, member_id target, bool loss)
{
    struct command c = {
        .term = world_record(w)->term, .kind = kind, .target = target, .allow_data_loss = loss};
    if (w->top >= 0)
        c.base = w->decided[w->top].ballot;
    snprintf(c.why, sizeof c.why, "simulated");
    if (kind == COMMAND_SWITCHOVER || kind == COMMAND_FAILOVER)
        w->commanded = true;
    if (right_role(&c) == ROLE_ADMIN)
        unlawful(w, via, c, 2, 0);
    if (right_destroys(&c))
        unlawful(w, via, c, 0, -1);
    c.id = rng_u64(&w->rng);
    order(w, via, &c, 0, right_destroys(&c) ? 1 : -1);
}
