#include "policy/durability.h"
#include "policy/lineage.h"
#include "policy/quorum.h"

#include "mesh/core_state.h"
#include "tests/sim/sim.h"

static const char *const durability_names[] = {"async", "sync", "strict"};
enum { BOUND_S = 20, GOOD_MS = 300 };

/* Could that database still be sealed?  Its directory is there, and its store knows which one it is. */
static bool intact(const struct world *w, int i, struct sealed *out)
{
    static struct durable d;
    const struct sim_member *m = &w->m[i];
    if (!m->host_up || !m->pg.exists || m->pg.torn || !m->disk.len ||
        !wire_get_durable(&d, m->disk.bytes, m->disk.len))
        return false;
    *out = (struct sealed){.id = m->id, .dir = d.dir};
    return d.dir != 0 && m->pg.at.lsn >= m->pg.consistent;
}

/* Is its WAL on the record's history?  One that has more of a former timeline than the record's primary was promoted with
 * must be rewound, and cannot take over. */
static bool on_history(const struct world *w, int i)
{
    const struct pg *p = &w->m[i].pg;
    uint32_t timeline = w->branch[wal_normal(w, p->at).branch].timeline;
    return lineage_join(world_record(w), timeline, p->at.lsn) == JOIN_FOLLOW;
}

/* Do enough of those voters remember? */
static bool remembered(const struct world *w, const struct voters *voters)
{
    uint32_t have = 0;
    for (int v = 0; v < voters->n; v++) {
        int i = world_index(w, voters->v[v].id);
        if (i >= 0 && !w->m[i].amnesiac && !w->m[i].rolled_back && !w->m[i].core->disk.lost)
            have |= 1u << v;
    }
    return quorum_reached(voters, have);
}

/* The newest decided record may be known as decided to nobody: it is then found and decided once more, which takes a quorum of
 * the voters of the record before it as well; and so on, down to one that somebody knows. */
static bool predecessor_remembered(const struct world *w)
{
    const struct record *known = &w->first;
    struct ballot highest = {0};
    for (int i = 0; i < w->n; i++)
        if (!w->m[i].amnesiac && ballot_cmp(w->m[i].decided_seen, highest) > 0)
            highest = w->m[i].decided_seen;
    if (w->top < 0 || ballot_cmp(highest, w->decided[w->top].ballot) >= 0)
        return true;
    for (int k = 0; k < w->n_decided; k++) {
        const struct decided *d = &w->decided[k];
        if (!d->done || !d->known)
            continue;
        if (ballot_cmp(d->ballot, highest) == 0)
            known = &d->record;
        if (ballot_cmp(d->ballot, highest) > 0 && !remembered(w, &d->record.voters))
            return false;
    }
    return remembered(w, &known->voters);
}

/* Nor can a change of voters that somebody may have accepted be finished without a quorum of those that it names. */
static bool all_remembered(const struct world *w)
{
    for (int k = 0; k < w->n_decided; k++) {
        const struct decided *d = &w->decided[k];
        bool open =
            d->known && !d->done && (w->top < 0 || ballot_cmp(d->ballot, w->decided[w->top].ballot) > 0);
        if (open && !remembered(w, &d->record.voters))
            return false;
    }
    return remembered(w, &world_record(w)->voters) && predecessor_remembered(w);
}

/* Is a recovery without a hand possible at all?  A quorum of voters remembers, and either the recorded primary still has
 * its data directory or enough of each sync set have theirs (docs/protocol.md, "Takeover and seals", step 4), and one of them is on
 * the record's history. */
bool inv_i6_recoverable(struct world *w)
{
    const struct record *r = world_record(w);
    struct sealed seals[SIM_MEMBERS];
    size_t n = 0;
    bool fit = r->system_id == 0;
    for (int i = 0; i < w->n_databases; i++)
        if (record_is_database(r, w->m[i].id) && intact(w, i, &seals[n])) {
            n++;
            fit = fit || on_history(w, i);
        }
    return all_remembered(w) && n > 0 && fit && seals_suffice(r, seals, n) && !r->paused && !w->lossy_command;
}

static bool alive(const struct world *w)
{
    int p = world_primary(w);
    if (p < 0)
        return false;
    const struct sim_member *m = &w->m[p];
    return m->up && m->ready && m->ready_term == world_record(w)->term && m->pg.phase == PG_PRIMARY &&
           !m->pg.frozen && guard_holds(w, p);
}

/* The first database that runs, could stream, and does not; -1: none. */
static int left_out(const struct world *w)
{
    int p = world_primary(w);
    for (int i = 0; i < w->n_databases && p >= 0; i++)
        if (i != p && w->m[i].up && record_is_database(world_record(w), w->m[i].id) &&
            !(w->m[i].pg.conn && w->m[i].pg.upstream == p))
            return i;
    return -1;
}

/* The first member that runs and does not know what is decided; -1: none.  Asked where members jump over many changes of who
 * votes. */
static int behind(const struct world *w)
{
    for (int i = 0; i < w->n && w->votes_change && w->top >= 0; i++)
        if (w->m[i].up && ballot_cmp(decided_ballot(w->m[i].core), w->decided[w->top].ballot) < 0)
            return i;
    return -1;
}

static void hands(struct world *w)
{
    if (world_record(w)->paused && w->now - w->command_at > SECONDS(1)) {
        w->command_at = w->now;
        operator_command(w, (int)rng_below(&w->rng, (uint32_t)w->n), COMMAND_RESUME, MEMBER_NONE, false);
    }
}

/* I6  after the last fault heals, a primary serves again within a bounded time, without a hand; and every standby that
 * still has, or can copy, its data follows it. */
void inv_i6_alive(struct world *w)
{
    hands(w);
    if (!alive(w)) {
        w->good_since = 0;
    } else if (!w->good_since) {
        w->good_since = w->now;
        w->good_acks = w->acks;
    }
    bool writes = w->acks > w->good_acks || world_record(w)->durability == DURABILITY_STRICT;
    if (w->good_since && w->now - w->good_since > MS(GOOD_MS) && writes && left_out(w) < 0 && behind(w) < 0 &&
        w->now - w->healed_at > MS(GOOD_MS)) {
        w->done = true;
        return;
    }
    ns_t bound = SECONDS(BOUND_S);
    if (w->now - w->healed_at < (inv_i6_recoverable(w) ? bound : SECONDS(3)))
        return;
    if (alive(w) && writes && left_out(w) >= 0 && inv_i6_recoverable(w))
        violate(w, "I6", "%d s after the last fault was healed %s does not follow %s", BOUND_S,
                world_name(w, left_out(w)), world_name(w, world_primary(w)));
    if (alive(w) && behind(w) >= 0 && inv_i6_recoverable(w))
        violate(w, "I6", "%d s after the last fault was healed %s does not know what is decided", BOUND_S,
                world_name(w, behind(w)));
    if (inv_i6_recoverable(w))
        violate(w, "I6",
                "%d s after the last fault was healed nobody serves (term %llu, primary %s, %s%s, %u of %u)",
                BOUND_S, (unsigned long long)world_record(w)->term, world_name(w, world_primary(w)),
                durability_names[world_record(w)->durability], world_record(w)->joint ? ", joint" : "",
                world_record(w)->sync[0].k, world_record(w)->sync[0].n);
    w->done = true;
}
