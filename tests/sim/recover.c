/* recover.c: an operator with the root key, when a majority of the voters is lost for good: the survivors' stores are read,
 * the best record is re-formed (policy/reform.h) and told to one of them.
 *
 * The operator's promise is that the others are dead; so nothing happens while a quorum is up, and a plan that calls for it
 * lets the dead come back one by one, where they reach the others.  The edge's part, the roster with the root's signature, is a
 * text of a few bytes here, which every member knows by heart. */
#include <string.h>

#include "mesh/core_state.h"
#include "policy/durability.h"
#include "policy/quorum.h"
#include "tests/sim/sim.h"

static const uint8_t heading[8] = "reform1";
enum { TEXT = sizeof heading + sizeof(struct reform) };
_Static_assert((int)TEXT <= (int)SIM_ROSTER, "the text fits into a member");

static void write_text(uint8_t out[static TEXT], const struct reform *f)
{
    memcpy(out, heading, sizeof heading);
    memcpy(out + sizeof heading, f, sizeof *f);
}

/* The roster of member i, kept with its store: the next start begins with it. */
static void keep(struct world *w, int i)
{
    uint8_t *text = w->m[i].roster_text;
    struct roster_news *news = &w->m[i].setup.roster;
    write_text(text, &w->reform);
    *news = (struct roster_news){.reform = w->reform, .text = text, .len = TEXT};
    news->digest = bytes_hash(2, text, TEXT);
}

/* What another member told, once the step is over. */
void recover_told(struct world *w, int i, const uint8_t *bytes, size_t n)
{
    uint8_t text[TEXT];
    write_text(text, &w->reform);
    if (w->reform.epoch && n == TEXT && memcmp(bytes, text, n) == 0)
        w->m[i].roster_told = true;
}

void recover_take(struct world *w, int i)
{
    w->m[i].roster_told = false;
    keep(w, i);
    world_step_member(w, i, &(struct event){.kind = EVENT_ROSTER, .roster = &w->m[i].setup.roster});
}

/* Heard where the operator is: by member `via`. */
static bool survives(const struct world *w, int via, int i)
{
    const struct sim_member *m = &w->m[i];
    bool heard = i == via || (!w->mesh[via][i].cut && !w->mesh[i][via].cut);
    return heard && m->up && m->host_up && !m->vm_until && !m->paused_until && m->role != ROLE_OBSERVER &&
           !m->core->disk.lost;
}

static bool in_order(const struct world *w, int via, int i, const struct record *base)
{
    const struct voter *v = record_voter(base, w->m[i].id);
    return survives(w, via, i) && v && v->epoch == w->m[i].core->disk.epoch;
}

/* The highest record that a survivor has accepted. */
static const struct proposal *last_known(const struct world *w, int via)
{
    const struct proposal *best = NULL;
    for (int i = 0; i < w->n; i++) {
        const struct proposal *p = &w->m[i].core->disk.accepted;
        if (survives(w, via, i) && (!best || ballot_cmp(p->ballot, best->ballot) > 0))
            best = p;
    }
    return best;
}

/* Those voters of the base who are left; false: a quorum is. */
static bool voters_left(const struct world *w, int via, const struct record *base, struct voters *left)
{
    uint32_t have = 0;
    *left = (struct voters){.rule = RULE_MAJORITY};
    for (int v = 0; v < base->voters.n; v++) {
        int i = world_index(w, base->voters.v[v].id);
        if (i < 0 || !in_order(w, via, i, base))
            continue;
        have |= 1u << v;
        left->v[left->n++] = base->voters.v[v];
    }
    return left->n && !quorum_reached(&base->voters, have);
}

/* Do the directories that are left prove that nothing is lost?  Else the one with the most WAL. */
static bool complete(const struct world *w, int via, const struct record *base, struct sync_member *most)
{
    struct sealed left[SIM_MEMBERS], best = {0};
    size_t n = 0;
    for (int i = 0; i < w->n_databases; i++) {
        const struct sim_member *m = &w->m[i];
        if (!survives(w, via, i) || !m->core->disk.dir || !m->pg.exists || m->pg.torn ||
            !record_is_database(base, m->id))
            continue;
        struct sealed *s = &left[n++];
        *s = (struct sealed){.id = m->id, .dir = m->core->disk.dir, .lsn = m->pg.at.lsn};
        s->wal_term = wal_term(w, wal_normal(w, m->pg.at));
        if (!best.dir || sealed_cmp(s, &best) > 0)
            best = *s;
    }
    *most = (struct sync_member){.id = best.id, .dir = best.dir};
    return seals_suffice(base, left, n);
}

static void tell(struct world *w, int via, const struct certificate *cert)
{
    struct roster_news news;
    keep(w, via);
    news = w->m[via].setup.roster;
    news.reformed = cert;
    inv_i3_reformed(w, cert);
    world_step_member(w, via, &(struct event){.kind = EVENT_ROSTER, .roster = &news});
}

void operator_recover(struct world *w, int via)
{
    static struct certificate cert;
    struct record *r = &cert.proposal.record;
    const struct proposal *base = last_known(w, via);
    struct voters left;
    struct sync_member most;
    const char *why;
    if (!base || !survives(w, via, via) || !voters_left(w, via, &base->record, &left))
        return;
    memset(&cert, 0, sizeof cert);
    *r = base->record;
    bool whole = complete(w, via, r, &most);
    if ((!whole && most.dir == 0) || !reform_record(r, &left, whole ? NULL : &most, &why))
        return;
    w->reform.epoch++;
    w->reform.nonce = rng_u64(&w->rng);
    record_hash(w->reform.hash, r);
    cert.proposal.ballot = reform_ballot(&w->reform);
    TELL(w, "the operator re-forms the voters: %d are left, %s", left.n,
         whole ? "nothing acknowledged is lost" : "the loss of commits is accepted");
    w->commanded = true;
    w->lossy_command = w->lossy_command || !whole || base->record.version != world_record(w)->version;
    tell(w, via, &cert);
}
