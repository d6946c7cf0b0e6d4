/* rotate.c: rotation of members' keys: what an edge does (mesh/io/station_roster.c), in miniature.
 *
 * A line of the roster is one byte per member: 0 none, 1 it has a new key, 2 its former key is retired; and the round up to
 * which that one proves something.  Each member keeps what it was told across restarts, and refuses a link of a key that it
 * does not know of yet, or not any more. */
#include <string.h>

#include "mesh/core_state.h"
#include "tests/sim/sim.h"

enum { STEP_NONE, STEP_NEW, STEP_RETIRED };

static void key_of(const struct world *w, int i, int generation, uint8_t key[static KEY_SIZE],
                   struct secret_key *secret)
{
    uint8_t seed[32] = {0};
    memcpy(seed, &w->seed, sizeof w->seed);
    seed[30] = (uint8_t)generation;
    seed[31] = (uint8_t)(i + 1);
    sign_keypair(key, secret, seed);
}

void rotate_reset(struct world *w)
{
    memset(&w->keys, 0, sizeof w->keys);
}

/* What member i knows, as its core is told. */
static void fill(struct world *w, int i, struct roster_news *n)
{
    static uint8_t text[sizeof w->keys.known[0]];
    struct secret_key unused;
    const struct sim_line *known = w->keys.known[i];
    bool any = false;
    memset(n, 0, sizeof *n);
    n->n = w->m[i].setup.n_members;
    memcpy(n->members, w->m[i].setup.members, sizeof n->members);
    for (int k = 0; k < w->n; k++) {
        struct member *m = &n->members[k];
        any = any || known[k].step;
        if (known[k].step == STEP_NONE)
            continue;
        key_of(w, k, 1, m->key, &unused);
        key_of(w, k, 0, m->former[0].key, &unused);
        m->former[0].round = known[k].step == STEP_RETIRED ? known[k].round : KEY_OPEN;
        m->n_former = 1;
    }
    if (!any)
        return;
    memcpy(text, known, sizeof text);
    n->text = text;
    n->len = sizeof text;
    n->digest = bytes_hash(1, text, sizeof text) | 1;
    n->turning = known[i].step != STEP_NONE && !w->keys.done[i];
}

void rotate_boot(struct world *w, int i)
{
    static struct roster_news n;
    fill(w, i, &n);
    memcpy(w->m[i].setup.members, n.members, sizeof n.members);
    if (w->reform.epoch == 0)
        w->m[i].setup.roster = n;
}

static void tell(struct world *w, int i, bool secret)
{
    static struct roster_news n;
    fill(w, i, &n);
    n.secret = secret ? &w->m[i].setup.secret : NULL;
    world_step_member(w, i, &(struct event){.kind = EVENT_ROSTER, .roster = &n});
}

/* Another's roster: a line counts when it is further than what is known. */
void rotate_roster(struct world *w, int i, const uint8_t *bytes, size_t len)
{
    struct sim_line lines[SIM_MEMBERS];
    bool news = false;
    if (len != sizeof lines || w->reform.epoch != 0) /* re-formations have texts of their own (recover.c) */
        return;
    memcpy(lines, bytes, sizeof lines);
    for (int k = 0; k < w->n; k++)
        if (lines[k].step > w->keys.known[i][k].step && lines[k].step <= STEP_RETIRED) {
            w->keys.known[i][k] = lines[k];
            news = true;
        }
    if (news)
        tell(w, i, false);
}

/* The rotation of member i's own key goes a step further. */
void rotate_turn(struct world *w, int i, uint64_t round)
{
    uint8_t key[KEY_SIZE];
    struct sim_line *own = &w->keys.known[i][i];
    if (w->reform.epoch != 0)
        return;
    if (own->step == STEP_NEW && !w->keys.uses[i]) {
        TELL(w, "%s uses its new key", world_name(w, i));
        w->keys.uses[i] = true;
        key_of(w, i, 1, key, &w->m[i].setup.secret);
        tell(w, i, true);
    } else if (own->step == STEP_NEW) {
        TELL(w, "%s retires its former key", world_name(w, i));
        *own = (struct sim_line){.step = STEP_RETIRED, .round = round};
        tell(w, i, false);
    } else if (own->step == STEP_RETIRED) {
        w->keys.done[i] = true;
        tell(w, i, false);
    }
}

/* Does the receiver take a connection of the key that the sender shows? */
bool rotate_link(const struct world *w, int to, int from)
{
    const struct sim_line *known = &w->keys.known[to][from];
    return w->keys.uses[from] ? known->step != STEP_NONE : known->step != STEP_RETIRED;
}

bool rotate_signed(const struct world *w, int i, const uint8_t signature[static SIGNATURE_SIZE],
                   const uint8_t *bytes, size_t n)
{
    uint8_t key[KEY_SIZE];
    struct secret_key unused;
    for (int g = 0; g < 2; g++) {
        key_of(w, i, g, key, &unused);
        if (sign_holds(signature, key, bytes, n))
            return true;
    }
    return false;
}

/* The line is signed: the operator gives it to the member itself, or to any other that runs. */
void rotate_begin(struct world *w, int i)
{
    int at = rng_chance(&w->rng, 500) ? i : (int)rng_below(&w->rng, (uint32_t)w->n);
    if (w->reform.epoch != 0 || !w->m[at].up || w->m[at].vm_until || w->m[at].paused_until ||
        w->keys.known[at][i].step != STEP_NONE)
        return;
    w->keys.known[at][i].step = STEP_NEW;
    tell(w, at, false);
}

/* A thief of the former key says in the primary's name that it has given up; a member in wrong hands passes it on. */
void rotate_thief(struct world *w, int i)
{
    static uint8_t body[FRAME_BODY_MAX], frame[FRAME_MAX];
    uint8_t key[KEY_SIZE], bytes[STATEMENT_MAX];
    struct secret_key former;
    const struct sim_member *m = &w->m[i];
    if (w->keys.known[i][i].step != STEP_RETIRED || world_primary(w) != i || !m->up)
        return;
    key_of(w, i, 0, key, &former);
    const struct core *c = m->core;
    struct release r = {
        .who = m->id, .ballot = decided_ballot(c), .term = decided(c)->term, .reason = "stolen"};
    sign_make(r.signature, &former, bytes, release_bytes(bytes, &w->cluster, &r));
    size_t len = wire_put_release(body, &r);
    int by = (i + 1 + (int)rng_below(&w->rng, (uint32_t)w->n - 1)) % w->n;
    const struct core *b = w->m[by].core;
    if (!w->m[by].up)
        return;
    struct frame f = {.version = FRAME_VERSION,
                      .kind = FRAME_RELEASE,
                      .origin = w->m[by].id,
                      .cluster = w->cluster,
                      .counter = b->disk.counter,
                      .nonce = b->nonce,
                      .seq = b->seq,
                      .body = body,
                      .body_len = (uint16_t)len};
    size_t n = frame_seal(frame, &f, &w->m[by].setup.secret);
    for (int k = 0; k < w->n; k++) {
        if (k == by || !w->m[k].up || w->m[k].vm_until || w->m[k].paused_until)
            continue;
        struct event e = {.kind = EVENT_PACKET, .from = w->m[by].id, .bytes = frame, .len = n};
        world_step_member(w, k, &e);
    }
}
