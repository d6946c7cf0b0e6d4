/* record.c: what a record may look like, and what may follow it. */
#include "policy/record.h"

#include <string.h>

#include "policy/mutant.h"
#include "policy/quorum.h"

/* ---- looking things up --------------------------------------------------------------------------------- */

int record_voter_index(const struct record *r, member_id id)
{
    for (int i = 0; i < r->voters.n; i++)
        if (r->voters.v[i].id == id)
            return i;
    return -1;
}

const struct voter *record_voter(const struct record *r, member_id id)
{
    int i = record_voter_index(r, id);
    return i < 0 ? NULL : &r->voters.v[i];
}

bool record_is_database(const struct record *r, member_id id)
{
    for (unsigned i = 0; i < r->n_databases; i++)
        if (r->databases[i] == id)
            return true;
    return false;
}

uint64_t record_term_of_timeline(const struct record *r, uint32_t timeline)
{
    for (unsigned i = 0; i < r->n_history; i++)
        if (r->history[i].timeline == timeline)
            return r->history[i].term;
    return 0;
}

/* ---- sync sets ----------------------------------------------------------------------------------------- */

const struct sync_member *sync_set_find(const struct sync_set *s, member_id id)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->m[i].id == id)
            return &s->m[i];
    return NULL;
}

bool sync_set_equal(const struct sync_set *a, const struct sync_set *b)
{
    if (a->k != b->k || a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (a->m[i].id != b->m[i].id || a->m[i].dir != b->m[i].dir)
            return false;
    return true;
}

bool sync_set_add(struct sync_set *s, member_id id, dir_id dir)
{
    if (s->n >= SYNC_MAX || sync_set_find(s, id))
        return false;
    unsigned i = s->n++;
    for (; i > 0 && s->m[i - 1].id > id; i--)
        s->m[i] = s->m[i - 1];
    s->m[i] = (struct sync_member){.id = id, .dir = dir};
    return true;
}

/* ---- one record by itself ------------------------------------------------------------------------------ */

/* Each part answers NULL, or what is wrong with it. */

static bool terminated(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

static const char *wrong_voters(const struct voters *voters)
{
    if (voters->rule != RULE_MAJORITY && voters->rule != RULE_SITES)
        return "the rule of the voters is unknown";
    if (voters->n < 1 || voters->n > VOTERS_MAX)
        return "there is no voter, or there are too many";
    for (unsigned i = 0; i < voters->n; i++) {
        const struct voter *v = &voters->v[i];
        if (v->id == MEMBER_NONE)
            return "a voter has no id";
        if (!terminated(v->site, NAME_SIZE))
            return "the site of a voter is too long";
        if (voters->rule == RULE_SITES && v->site[0] == 0)
            return "a voter has no site, and voters are counted by site";
        for (unsigned j = 0; j < i; j++)
            if (voters->v[j].id == v->id)
                return "a voter is listed twice";
    }
    return NULL;
}

static const char *wrong_databases(const struct record *r)
{
    if (r->n_databases > DATABASES_MAX)
        return "there are too many databases";
    for (unsigned i = 0; i < r->n_databases; i++) {
        if (r->databases[i] == MEMBER_NONE)
            return "a database has no id";
        for (unsigned j = 0; j < i; j++)
            if (r->databases[j] == r->databases[i])
                return "a database is listed twice";
    }
    return NULL;
}

static const char *wrong_set(const struct record *r, const struct sync_set *s)
{
    if (s->n > SYNC_MAX)
        return "a sync set is too large";
    if (s->n == 0 ? s->k != 0 : s->k < 1 || s->k > s->n)
        return "k of a sync set is not between 1 and its size, or not 0 for the empty set";
    for (unsigned i = 0; i < s->n; i++) {
        if (i > 0 && s->m[i - 1].id >= s->m[i].id)
            return "a sync set is not in ascending order";
        if (s->m[i].dir == 0)
            return "a member of a sync set has no data directory";
        if (!record_is_database(r, s->m[i].id))
            return "a member of a sync set is not a database of the record";
    }
    return NULL;
}

static const char *wrong_sync(const struct record *r)
{
    if (r->durability != DURABILITY_ASYNC && r->durability != DURABILITY_SYNC &&
        r->durability != DURABILITY_STRICT)
        return "the durability is unknown";
    const char *why = wrong_set(r, &r->sync[0]);
    if (!why)
        why = wrong_set(r, &r->sync[1]);
    if (!why && !r->joint && r->sync[1].n != 0)
        why = "there is a second sync set without a joint";
    return why;
}

static const char *wrong_primary(const struct record *r)
{
    if ((r->primary == MEMBER_NONE) != (r->primary_dir == 0))
        return "the primary and its data directory must be named together";
    if (r->primary != MEMBER_NONE && !record_is_database(r, r->primary))
        return "the primary is not a database of the record";
    if ((r->switchover_from == MEMBER_NONE) != (r->switchover_to == MEMBER_NONE))
        return "a switchover needs both its ends";
    if (r->switchover_from == MEMBER_NONE)
        return NULL;
    if (r->switchover_from == r->switchover_to)
        return "a switchover leads from a database to itself";
    if (!record_is_database(r, r->switchover_from) || !record_is_database(r, r->switchover_to))
        return "an end of the switchover is not a database of the record";
    return NULL;
}

/* Timelines and terms only ever grow, and the last row tells the record's own. */
static const char *wrong_history(const struct record *r)
{
    if (r->n_history > HISTORY_MAX)
        return "the history is too long";
    if ((r->timeline == 0) != (r->n_history == 0))
        return "the timeline and the history must begin together";
    for (unsigned i = 0; i < r->n_history; i++) {
        if (r->history[i].timeline == 0)
            return "a row of the history has no timeline";
        if (i > 0 && r->history[i - 1].timeline >= r->history[i].timeline)
            return "the timelines of the history do not ascend";
        if (i > 0 && r->history[i - 1].term >= r->history[i].term)
            return "the terms of the history do not ascend";
    }
    if (r->n_history == 0)
        return NULL;
    const struct history_row *last = &r->history[r->n_history - 1];
    if (last->timeline != r->timeline || last->term != r->term)
        return "the last row of the history is not the record's own timeline and term";
    return NULL;
}

static const char *wrong_record(const struct record *r)
{
    const char *why = wrong_voters(&r->voters);
    if (!why)
        why = wrong_databases(r);
    if (!why)
        why = wrong_sync(r);
    if (!why)
        why = wrong_primary(r);
    if (!why)
        why = wrong_history(r);
    if (!why && r->lease_ms_max == 0)
        why = "the longest lease is 0";
    if (!why && !terminated(r->paused_why, TEXT_SIZE))
        why = "the reason of the pause is too long";
    return why;
}

bool record_valid(const struct record *r, const char **why)
{
    const char *wrong = wrong_record(r);
    if (wrong && why)
        *why = wrong;
    return !wrong;
}

/* ---- one record after another -------------------------------------------------------------------------- */

bool voters_same(const struct voters *a, const struct voters *b)
{
    if (a->rule != b->rule || a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (a->v[i].id != b->v[i].id || strncmp(a->v[i].site, b->v[i].site, NAME_SIZE) != 0)
            return false;
    return true;
}

bool voters_equal(const struct voters *a, const struct voters *b)
{
    if (!voters_same(a, b))
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (a->v[i].epoch != b->v[i].epoch || memcmp(a->v[i].key, b->v[i].key, KEY_SIZE) != 0)
            return false;
    return true;
}

bool record_databases_equal(const struct record *a, const struct record *b)
{
    return a->n_databases == b->n_databases &&
           memcmp(a->databases, b->databases, a->n_databases * sizeof a->databases[0]) == 0;
}

static bool row_equal(const struct history_row *a, const struct history_row *b)
{
    return a->timeline == b->timeline && a->switch_lsn == b->switch_lsn && a->term == b->term;
}

static bool history_equal(const struct record *a, const struct record *b)
{
    if (a->n_history != b->n_history)
        return false;
    for (unsigned i = 0; i < a->n_history; i++)
        if (!row_equal(&a->history[i], &b->history[i]))
            return false;
    return true;
}

static bool sync_equal(const struct record *a, const struct record *b)
{
    return a->joint == b->joint && sync_set_equal(&a->sync[0], &b->sync[0]) &&
           (!a->joint || sync_set_equal(&a->sync[1], &b->sync[1]));
}

static bool primary_equal(const struct record *a, const struct record *b)
{
    return a->primary == b->primary && a->primary_dir == b->primary_dir;
}

static bool operation_equal(const struct record *a, const struct record *b)
{
    return a->paused == b->paused && strncmp(a->paused_why, b->paused_why, TEXT_SIZE) == 0 &&
           a->switchover_from == b->switchover_from && a->switchover_to == b->switchover_to &&
           a->switchover_deadline_ms == b->switchover_deadline_ms;
}

/* Field by field: what lies behind the counts and the ends of texts means nothing. */
static bool record_equal(const struct record *a, const struct record *b)
{
    return memcmp(a->nonce, b->nonce, sizeof a->nonce) == 0 && a->version == b->version &&
           a->term == b->term && primary_equal(a, b) && a->timeline == b->timeline &&
           a->durability == b->durability && sync_equal(a, b) && voters_equal(&a->voters, &b->voters) &&
           record_databases_equal(a, b) && a->lease_ms_max == b->lease_ms_max && operation_equal(a, b) &&
           a->system_id == b->system_id && history_equal(a, b);
}

/* old -> joint(old, new) -> old or new, or straight to the empty set: nobody else may take over then.  Under strict only
 * out of a joint, whose listed directories may all be gone; PostgreSQL is then told a name that nobody has, so that
 * commits go on waiting. */
static const char *wrong_sync_change(const struct record *from, const struct record *to)
{
    if (sync_equal(from, to) || MUTANT(SYNC_WITHOUT_JOINT))
        return NULL;
    bool strict = to->durability == DURABILITY_STRICT;
    if (to->joint) {
        if (from->joint || !sync_set_equal(&from->sync[0], &to->sync[0]))
            return "a joint must begin with the sync set as it was";
        return strict && to->sync[1].n == 0 ? "the sync set never becomes empty under strict" : NULL;
    }
    if (from->joint && sync_set_equal(&to->sync[0], &from->sync[0]))
        return NULL;
    if (to->sync[0].n == 0)
        return strict && !from->joint ? "the sync set never becomes empty under strict" : NULL;
    if (from->joint && sync_set_equal(&to->sync[0], &from->sync[1]))
        return NULL;
    return from->joint ? "a joint must be left for one of its two sets"
                       : "the sync set changes without a joint";
}

/* Weaker at any time; from async to anything else only with the set that a joint has led to. */
static const char *wrong_durability_change(const struct record *from, const struct record *to)
{
    if (from->durability != DURABILITY_ASYNC || to->durability == DURABILITY_ASYNC)
        return NULL;
    if (from->joint && !to->joint && sync_set_equal(&to->sync[0], &from->sync[1]))
        return NULL;
    return "durability leaves async without leaving a joint for its new sync set";
}

static const char *wrong_voters_change(const struct voters *from, const struct voters *to)
{
    if (!voters_one_step(from, to))
        return "the voters change by more than one";
    for (unsigned i = 0; i < from->n; i++)
        for (unsigned j = 0; j < to->n; j++)
            if (from->v[i].id == to->v[j].id && to->v[j].epoch < from->v[i].epoch)
                return "the epoch of a voter goes back";
    return NULL;
}

static const char *wrong_databases_change(const struct record *from, const struct record *to)
{
    unsigned steps = 0;
    for (unsigned i = 0; i < from->n_databases; i++)
        steps += !record_is_database(to, from->databases[i]);
    for (unsigned i = 0; i < to->n_databases; i++)
        steps += !record_is_database(from, to->databases[i]);
    return steps > 1 ? "the databases change by more than one" : NULL;
}

/* Once, the bootstrap primary reports what it found: its system id, its timeline, and so the first row. */
static const char *wrong_identity_change(const struct record *from, const struct record *to)
{
    if (from->system_id != 0 && to->system_id != from->system_id)
        return "the system id changes";
    if (from->timeline == to->timeline)
        return history_equal(from, to) ? NULL : "the history changes without a takeover";
    if (from->timeline != 0)
        return "the timeline changes without a takeover";
    if (to->system_id == 0)
        return "the first timeline comes without a system id";
    if (to->n_history != 1 || to->history[0].switch_lsn != 0)
        return "the first timeline must be the only row of the history, and begin at 0";
    return NULL;
}

static const char *wrong_keep(const struct record *from, const struct record *to)
{
    const char *why = NULL;
    if (!primary_equal(from, to))
        why = "the primary or its data directory changes without a new term";
    if (!why)
        why = wrong_identity_change(from, to);
    if (!why)
        why = wrong_sync_change(from, to);
    if (!why)
        why = wrong_durability_change(from, to);
    if (!why)
        why = wrong_voters_change(&from->voters, &to->voters);
    if (!why)
        why = wrong_databases_change(from, to);
    return why;
}

static bool rows_kept(const struct record *from, const struct record *to, unsigned kept, unsigned dropped)
{
    for (unsigned i = 0; i < kept; i++)
        if (!row_equal(&from->history[i + dropped], &to->history[i]))
            return false;
    return true;
}

/* The rows of the proposed database's lineage as they were (the oldest may have gone to make room), then
 * one new row. A first record has no rows: then the parent's may come along, as the timeline that the
 * first term was written on. */
static const char *wrong_history_growth(const struct record *from, const struct record *to)
{
    if (to->n_history == 0)
        return "a takeover comes without a timeline";
    unsigned kept = to->n_history - 1u;
    if (from->n_history == 0) {
        if (kept == 0 || (kept == 1 && to->history[0].term == from->term && to->history[0].switch_lsn == 0))
            return NULL;
        return "a takeover of the first record rewrites the history";
    }
    if (kept > from->n_history)
        return "a takeover adds more than one row to the history";
    bool full = from->n_history == HISTORY_MAX && to->n_history == HISTORY_MAX;
    if (rows_kept(from, to, kept, 0) || (full && rows_kept(from, to, kept, 1)))
        return NULL;
    return "a takeover rewrites the history";
}

static const char *wrong_takeover(const struct record *from, const struct record *to)
{
    if (to->primary == MEMBER_NONE)
        return "a takeover names no primary";
    if (to->timeline <= from->timeline)
        return "the timeline of a takeover is not a new one";
    if (!sync_equal(from, to) && !MUTANT(TAKEOVER_SHRINKS_SYNC))
        return "a takeover changes the sync set";
    if (from->durability != to->durability)
        return "a takeover changes the durability";
    if (!voters_equal(&from->voters, &to->voters))
        return "a takeover changes the voters";
    if (!record_databases_equal(from, to))
        return "a takeover changes the databases";
    if (from->lease_ms_max != to->lease_ms_max)
        return "a takeover changes the longest lease";
    if (from->system_id != to->system_id)
        return "a takeover changes the system id";
    return wrong_history_growth(from, to);
}

enum record_change record_classify(const struct record *from, const struct record *to, const char **why)
{
    enum record_change change = CHANGE_ILLEGAL;
    const char *wrong = wrong_record(to);
    if (!wrong && record_equal(from, to))
        return CHANGE_NONE;
    if (!wrong && memcmp(from->nonce, to->nonce, sizeof from->nonce) != 0)
        wrong = "the nonce changes: this is another cluster";
    if (!wrong && to->version != from->version + 1)
        wrong = "the version is not the next one";
    if (!wrong && to->term == from->term) {
        change = CHANGE_KEEP;
        wrong = wrong_keep(from, to);
    } else if (!wrong && to->term == from->term + 1) {
        change = CHANGE_TAKEOVER;
        wrong = wrong_takeover(from, to);
    } else if (!wrong) {
        wrong = "the term is neither the same nor the next one";
    }
    if (wrong && why)
        *why = wrong;
    return wrong ? CHANGE_ILLEGAL : change;
}
