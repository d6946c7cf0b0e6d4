/* The record: what it may look like, and what may follow it.  One row for each rule; a row that is
 * refused says by which sentence, so that it cannot be refused for another reason than its own. */
#include "policy_properties.h"
#include "policy/lineage.h"
#include "suite.h"

/* Members 1 to 4 are databases, 1 is primary in term 3 on timeline 5, {2, 3} with k = 1 is the sync set. */
static struct record base(void)
{
    struct record r = {.nonce = {1, 2, 3},
                       .version = 7,
                       .term = 3,
                       .primary = 1,
                       .primary_dir = 101,
                       .timeline = 5,
                       .durability = DURABILITY_SYNC,
                       .sync = {{.k = 1, .n = 2, .m = {{2, 102}, {3, 103}}}},
                       .voters = property_voters(RULE_MAJORITY, "AAB"),
                       .n_databases = 4,
                       .databases = {1, 2, 3, 4},
                       .lease_ms_max = 600,
                       .system_id = 77,
                       .n_history = 3,
                       .history = {{3, 0, 1}, {4, 0x400, 2}, {5, 0x500, 3}}};
    return r;
}

static const struct sync_set empty, small = {.k = 1, .n = 1, .m = {{2, 102}}},
                                    other = {.k = 1, .n = 1, .m = {{4, 104}}};

static void joint(struct record *r, struct sync_set to)
{
    r->joint = true;
    r->sync[1] = to;
}
static void plain(struct record *r, struct sync_set to)
{
    r->joint = false;
    r->sync[0] = to;
    r->sync[1] = empty;
}
/* As the first record is: no timeline, no history, no system id. */
static void unborn(struct record *r)
{
    r->term = 1;
    r->timeline = 0;
    r->n_history = 0;
    r->system_id = 0;
}
static void rows(struct record *r, uint8_t n)
{
    r->n_history = n;
    for (unsigned i = 0; i < n; i++)
        r->history[i] = (struct history_row){i + 1, i * 0x100, i + 1};
    r->term = r->timeline = n;
}
/* Makes `t` a takeover of itself by member 2, sealed on the timeline `parent`. */
static void takeover(struct record *t, uint32_t parent)
{
    lineage_append(t, parent, (struct history_row){t->timeline + 1, 0x900, t->term + 1});
    t->term++;
    t->primary = 2;
    t->primary_dir = 102;
}

static void drop_oldest(struct record *t)
{
    memmove(t->history, t->history + 1, sizeof t->history[0] * --t->n_history);
}

/* ---- one record by itself ------------------------------------------------------------------------------ */

// clang-format off
#define VALID_ROWS(X) \
    X("as it is", "", {}) \
    X("a first record", "", { unborn(r); plain(r, empty); }) \
    X("nobody primary", "", { r->primary = 0; r->primary_dir = 0; }) \
    X("no databases, nobody primary", "", \
      { r->primary = 0; r->primary_dir = 0; r->n_databases = 0; plain(r, empty); }) \
    X("a joint", "", { joint(r, other); }) \
    X("a joint from the empty set", "", { plain(r, empty); joint(r, other); }) \
    X("a switchover", "", { r->switchover_from = 1; r->switchover_to = 2; }) \
    X("no sites, counted by majority", "", { memset(r->voters.v[0].site, 0, NAME_SIZE); }) \
    X("a full site name", "", { memset(r->voters.v[0].site, 'x', NAME_SIZE - 1); }) \
    X("the voters in any order", "", { r->voters.v[0].id = 9; }) \
    X("as many voters as possible", "", { r->voters = property_voters(RULE_SITES, "AABBCCDDD"); }) \
    X("as many rows as possible", "", { rows(r, HISTORY_MAX); }) \
    X("an unknown rule", "the rule of the voters is unknown", { r->voters.rule = 9; }) \
    X("no voter", "there is no voter, or there are too many", { r->voters.n = 0; }) \
    X("too many voters", "there is no voter, or there are too many", { r->voters.n = VOTERS_MAX + 1; }) \
    X("a voter without id", "a voter has no id", { r->voters.v[2].id = 0; }) \
    X("a site without end", "the site of a voter is too long", \
      { memset(r->voters.v[2].site, 'x', NAME_SIZE); }) \
    X("no site, counted by site", "a voter has no site, and voters are counted by site", \
      { r->voters.rule = RULE_SITES; memset(r->voters.v[2].site, 0, NAME_SIZE); }) \
    X("a voter twice", "a voter is listed twice", { r->voters.v[2].id = 1; }) \
    X("too many databases", "there are too many databases", { r->n_databases = DATABASES_MAX + 1; }) \
    X("a database without id", "a database has no id", { r->databases[3] = 0; }) \
    X("a database twice", "a database is listed twice", { r->databases[3] = 1; }) \
    X("an unknown durability", "the durability is unknown", { r->durability = 9; }) \
    X("a set too large", "a sync set is too large", { r->sync[0].n = SYNC_MAX + 1; }) \
    X("k of 0", "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[0].k = 0; }) \
    X("k above n", "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[0].k = 3; }) \
    X("k of the empty set", "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[0].n = 0; }) \
    X("k of the second set without a joint", \
      "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { r->sync[1].k = 1; }) \
    X("k of the second set above n", \
      "k of a sync set is not between 1 and its size, or not 0 for the empty set", \
      { joint(r, other); r->sync[1].k = 2; }) \
    X("a set in descending order", "a sync set is not in ascending order", { r->sync[0].m[0].id = 4; }) \
    X("a set with a member twice", "a sync set is not in ascending order", { r->sync[0].m[0].id = 3; }) \
    X("a set member without directory", "a member of a sync set has no data directory", \
      { r->sync[0].m[1].dir = 0; }) \
    X("a set member that is no database", "a member of a sync set is not a database of the record", \
      { r->sync[0].m[1].id = 9; }) \
    X("a member of the second set that is no database", \
      "a member of a sync set is not a database of the record", \
      { joint(r, other); r->sync[1].m[0].id = 9; }) \
    X("a second set without a joint", "there is a second sync set without a joint", { r->sync[1] = other; }) \
    X("a primary without directory", "the primary and its data directory must be named together", \
      { r->primary_dir = 0; }) \
    X("a directory without primary", "the primary and its data directory must be named together", \
      { r->primary = 0; }) \
    X("a primary that is no database", "the primary is not a database of the record", { r->primary = 9; }) \
    X("a switchover from nowhere", "a switchover needs both its ends", { r->switchover_to = 2; }) \
    X("a switchover to nowhere", "a switchover needs both its ends", { r->switchover_from = 1; }) \
    X("a switchover to itself", "a switchover leads from a database to itself", \
      { r->switchover_from = r->switchover_to = 1; }) \
    X("a switchover from no database", "an end of the switchover is not a database of the record", \
      { r->switchover_from = 9; r->switchover_to = 1; }) \
    X("a switchover to no database", "an end of the switchover is not a database of the record", \
      { r->switchover_from = 1; r->switchover_to = 9; }) \
    X("too many rows", "the history is too long", { r->n_history = HISTORY_MAX + 1; }) \
    X("a timeline without history", "the timeline and the history must begin together", \
      { r->n_history = 0; }) \
    X("a history without timeline", "the timeline and the history must begin together", \
      { r->timeline = 0; }) \
    X("a row without timeline", "a row of the history has no timeline", { r->history[0].timeline = 0; }) \
    X("timelines that do not ascend", "the timelines of the history do not ascend", \
      { r->history[1].timeline = 3; }) \
    X("terms that do not ascend", "the terms of the history do not ascend", { r->history[1].term = 1; }) \
    X("a last row of another timeline", \
      "the last row of the history is not the record's own timeline and term", \
      { r->history[2].timeline = 6; }) \
    X("a last row of another term", "the last row of the history is not the record's own timeline and term", \
      { r->history[2].term = 4; }) \
    X("no lease", "the longest lease is 0", { r->lease_ms_max = 0; }) \
    X("a reason without end", "the reason of the pause is too long", \
      { memset(r->paused_why, 'x', TEXT_SIZE); })
// clang-format on

static struct record valid_record(int number)
{
    struct record record = base(), *r = &record;
    int i = 0;
#define X(name, why, ...) \
    if (i++ == number) \
    __VA_ARGS__
    VALID_ROWS(X)
#undef X
    return record;
}
static const struct valid_row {
    const char *name, *why;
} valid_rows[] = {
#define X(name, why, ...) {name, why},
    VALID_ROWS(X)
#undef X
};

START_TEST(valid)
{
    const struct valid_row *row = &valid_rows[_i];
    struct record r = valid_record(_i);
    const char *why = "";
    EXPECT_INT(record_valid(&r, &why), *row->why == 0, row);
    EXPECT_TEXT(why, row->why, row);
    EXPECT_INT(record_valid(&r, NULL), *row->why == 0, row);
}
END_TEST

/* ---- one record after another -------------------------------------------------------------------------- */

/* `f` is the record before; from NEXT on, `t` is the one after it. */
#define NEXT *t = *f, t->version++

// clang-format off
#define CHANGE_ROWS(X) \
    X("the same", CHANGE_NONE, "", { *t = *f; }) \
    X("the same, with rubbish behind the counts", CHANGE_NONE, "", \
      { *t = *f; t->voters.v[5].id = 9; t->databases[7] = 9; t->sync[0].m[5].id = 9; \
        t->history[9].term = 9; t->paused_why[9] = 9; }) \
    X("only the version", CHANGE_KEEP, "", { NEXT; }) \
    X("another cluster", CHANGE_ILLEGAL, "the nonce changes: this is another cluster", \
      { NEXT; t->nonce[15] = 1; }) \
    X("the version stays", CHANGE_ILLEGAL, "the version is not the next one", \
      { *t = *f; t->paused = true; }) \
    X("the version skips one", CHANGE_ILLEGAL, "the version is not the next one", { NEXT; t->version++; }) \
    X("the version goes back", CHANGE_ILLEGAL, "the version is not the next one", { NEXT; t->version = 6; }) \
    X("not well formed", CHANGE_ILLEGAL, "the longest lease is 0", { NEXT; t->lease_ms_max = 0; }) \
    \
    X("paused", CHANGE_KEEP, "", { NEXT; t->paused = true; strcpy(t->paused_why, "maintenance"); }) \
    X("resumed", CHANGE_KEEP, "", { f->paused = true; NEXT; t->paused = false; }) \
    X("a switchover begins", CHANGE_KEEP, "", \
      { NEXT; t->switchover_from = 1; t->switchover_to = 2; t->switchover_deadline_ms = 9; }) \
    X("a switchover ends", CHANGE_KEEP, "", \
      { f->switchover_from = 1; f->switchover_to = 2; NEXT; t->switchover_from = t->switchover_to = 0; }) \
    X("a longer lease", CHANGE_KEEP, "", { NEXT; t->lease_ms_max = 900; }) \
    X("a shorter lease", CHANGE_KEEP, "", { NEXT; t->lease_ms_max = 300; }) \
    X("another primary in the same term", CHANGE_ILLEGAL, \
      "the primary or its data directory changes without a new term", \
      { NEXT; t->primary = 2; }) \
    X("another directory in the same term", CHANGE_ILLEGAL, \
      "the primary or its data directory changes without a new term", \
      { NEXT; t->primary_dir = 999; }) \
    X("nobody in the same term", CHANGE_ILLEGAL, \
      "the primary or its data directory changes without a new term", \
      { NEXT; t->primary = 0; t->primary_dir = 0; }) \
    X("a new timeline in the same term", CHANGE_ILLEGAL, "the timeline changes without a takeover", \
      { NEXT; t->timeline = t->history[2].timeline = 6; }) \
    X("the history is rewritten", CHANGE_ILLEGAL, "the history changes without a takeover", \
      { NEXT; t->history[1].switch_lsn++; }) \
    X("the history is shortened", CHANGE_ILLEGAL, "the history changes without a takeover", \
      { NEXT; t->history[0] = t->history[2]; t->n_history = 1; }) \
    X("a term of the history is rewritten", CHANGE_ILLEGAL, "the history changes without a takeover", \
      { f->history[0].term = 0; NEXT; t->history[0].term = 1; }) \
    X("a timeline of the history is rewritten", CHANGE_ILLEGAL, "the history changes without a takeover", \
      { NEXT; t->history[0].timeline = 2; }) \
    \
    X("the bootstrap primary reports", CHANGE_KEEP, "", \
      { unborn(f); NEXT; t->system_id = 77; t->timeline = 1; t->n_history = 1; \
        t->history[0] = (struct history_row){1, 0, 1}; }) \
    X("an adopted one reports a later timeline", CHANGE_KEEP, "", \
      { unborn(f); NEXT; t->system_id = 77; t->timeline = 8; t->n_history = 1; \
        t->history[0] = (struct history_row){8, 0, 1}; }) \
    X("the system id was known beforehand", CHANGE_KEEP, "", \
      { unborn(f); f->system_id = 77; NEXT; t->timeline = 1; t->n_history = 1; \
        t->history[0] = (struct history_row){1, 0, 1}; }) \
    X("a later primary reports the system id", CHANGE_KEEP, "", \
      { f->system_id = 0; NEXT; t->system_id = 77; }) \
    X("the first timeline without system id", CHANGE_ILLEGAL, \
      "the first timeline comes without a system id", \
      { unborn(f); NEXT; t->timeline = 1; t->n_history = 1; \
        t->history[0] = (struct history_row){1, 0, 1}; }) \
    X("the first timeline with two rows", CHANGE_ILLEGAL, \
      "the first timeline must be the only row of the history, and begin at 0", \
      { unborn(f); NEXT; t->system_id = 77; t->timeline = 2; t->n_history = 2; \
        t->history[0] = (struct history_row){1, 0, 0}; t->history[1] = (struct history_row){2, 9, 1}; }) \
    X("the first timeline with a switch LSN", CHANGE_ILLEGAL, \
      "the first timeline must be the only row of the history, and begin at 0", \
      { unborn(f); NEXT; t->system_id = 77; t->timeline = 2; t->n_history = 1; \
        t->history[0] = (struct history_row){2, 9, 1}; }) \
    X("another system id", CHANGE_ILLEGAL, "the system id changes", { NEXT; t->system_id = 78; }) \
    X("the system id is forgotten", CHANGE_ILLEGAL, "the system id changes", { NEXT; t->system_id = 0; }) \
    \
    X("a joint begins", CHANGE_KEEP, "", { NEXT; joint(t, small); }) \
    X("a joint begins from the empty set", CHANGE_KEEP, "", { plain(f, empty); NEXT; joint(t, small); }) \
    X("a joint goes on", CHANGE_KEEP, "", { joint(f, small); NEXT; }) \
    X("a joint is left for the new set", CHANGE_KEEP, "", { joint(f, small); NEXT; plain(t, small); }) \
    X("a joint is left for the old set", CHANGE_KEEP, "", { joint(f, small); NEXT; plain(t, f->sync[0]); }) \
    X("a joint from the empty set is left backwards", CHANGE_KEEP, "", \
      { plain(f, empty); joint(f, small); NEXT; plain(t, empty); }) \
    X("a joint is left for a third set", CHANGE_ILLEGAL, "a joint must be left for one of its two sets", \
      { joint(f, small); NEXT; plain(t, other); }) \
    X("the set changes without a joint", CHANGE_ILLEGAL, "the sync set changes without a joint", \
      { NEXT; plain(t, small); }) \
    X("k changes without a joint", CHANGE_ILLEGAL, "the sync set changes without a joint", \
      { NEXT; t->sync[0].k = 2; }) \
    X("a directory changes without a joint", CHANGE_ILLEGAL, "the sync set changes without a joint", \
      { NEXT; t->sync[0].m[0].dir = 999; }) \
    X("a set out of nothing without a joint", CHANGE_ILLEGAL, "the sync set changes without a joint", \
      { plain(f, empty); NEXT; plain(t, small); }) \
    X("under async too", CHANGE_ILLEGAL, "the sync set changes without a joint", \
      { f->durability = DURABILITY_ASYNC; NEXT; plain(t, small); }) \
    X("a joint from another set", CHANGE_ILLEGAL, "a joint must begin with the sync set as it was", \
      { NEXT; plain(t, small); joint(t, other); }) \
    X("a joint turns into another", CHANGE_ILLEGAL, "a joint must begin with the sync set as it was", \
      { joint(f, small); NEXT; joint(t, other); }) \
    X("straight to the empty set", CHANGE_KEEP, "", { NEXT; plain(t, empty); }) \
    X("from a joint straight to the empty set", CHANGE_KEEP, "", \
      { joint(f, small); NEXT; plain(t, empty); }) \
    X("async to the empty set", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_ASYNC; NEXT; plain(t, empty); }) \
    X("strict never to the empty set", CHANGE_ILLEGAL, "the sync set never becomes empty under strict", \
      { f->durability = DURABILITY_STRICT; NEXT; plain(t, empty); }) \
    X("strict never from a joint to the empty set", CHANGE_ILLEGAL, \
      "the sync set never becomes empty under strict", \
      { f->durability = DURABILITY_STRICT; joint(f, small); NEXT; plain(t, empty); }) \
    X("strict never by a joint to the empty set", CHANGE_ILLEGAL, \
      "the sync set never becomes empty under strict", \
      { f->durability = DURABILITY_STRICT; NEXT; joint(t, empty); }) \
    X("strict was empty and goes back to it", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_STRICT; plain(f, empty); joint(f, small); NEXT; plain(t, empty); }) \
    X("never strict and empty in one step", CHANGE_ILLEGAL, "the sync set never becomes empty under strict", \
      { NEXT; t->durability = DURABILITY_STRICT; plain(t, empty); }) \
    X("from strict to sync and empty in one step", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_STRICT; NEXT; t->durability = DURABILITY_SYNC; plain(t, empty); }) \
    \
    X("strict to sync", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_STRICT; NEXT; t->durability = DURABILITY_SYNC; }) \
    X("strict to async", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_STRICT; NEXT; t->durability = DURABILITY_ASYNC; }) \
    X("sync to async", CHANGE_KEEP, "", { NEXT; t->durability = DURABILITY_ASYNC; }) \
    X("sync to strict", CHANGE_KEEP, "", { NEXT; t->durability = DURABILITY_STRICT; }) \
    X("async to sync with the set of a joint", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_ASYNC; joint(f, small); NEXT; plain(t, small); \
        t->durability = DURABILITY_SYNC; }) \
    X("async to strict with the set of a joint", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_ASYNC; joint(f, small); NEXT; plain(t, small); \
        t->durability = DURABILITY_STRICT; }) \
    X("async to sync alone", CHANGE_ILLEGAL, \
      "durability leaves async without leaving a joint for its new sync set", \
      { f->durability = DURABILITY_ASYNC; NEXT; t->durability = DURABILITY_SYNC; }) \
    X("async to sync in a joint", CHANGE_ILLEGAL, \
      "durability leaves async without leaving a joint for its new sync set", \
      { f->durability = DURABILITY_ASYNC; joint(f, small); NEXT; t->durability = DURABILITY_SYNC; }) \
    X("async to sync with the old set", CHANGE_ILLEGAL, \
      "durability leaves async without leaving a joint for its new sync set", \
      { f->durability = DURABILITY_ASYNC; joint(f, small); NEXT; plain(t, f->sync[0]); \
        t->durability = DURABILITY_SYNC; }) \
    X("async to sync with the empty set", CHANGE_ILLEGAL, \
      "durability leaves async without leaving a joint for its new sync set", \
      { f->durability = DURABILITY_ASYNC; NEXT; plain(t, empty); t->durability = DURABILITY_SYNC; }) \
    X("async to strict alone", CHANGE_ILLEGAL, \
      "durability leaves async without leaving a joint for its new sync set", \
      { f->durability = DURABILITY_ASYNC; NEXT; t->durability = DURABILITY_STRICT; }) \
    \
    X("a voter added", CHANGE_KEEP, "", { NEXT; t->voters = property_voters(RULE_MAJORITY, "AABC"); }) \
    X("a voter removed", CHANGE_KEEP, "", { NEXT; t->voters.n--; }) \
    X("a voter admitted again", CHANGE_KEEP, "", { NEXT; t->voters.v[1].epoch++; }) \
    X("a voter's new key", CHANGE_KEEP, "", { NEXT; t->voters.v[1].key[0]++; }) \
    X("two voters added", CHANGE_ILLEGAL, "the voters change by more than one", \
      { NEXT; t->voters = property_voters(RULE_MAJORITY, "AABCD"); }) \
    X("two voters removed", CHANGE_ILLEGAL, "the voters change by more than one", \
      { NEXT; t->voters.n -= 2; }) \
    X("another rule", CHANGE_ILLEGAL, "the voters change by more than one", \
      { NEXT; t->voters.rule = RULE_SITES; }) \
    X("a voter's old epoch comes back", CHANGE_ILLEGAL, "the epoch of a voter goes back", \
      { NEXT; t->voters.v[1].epoch--; }) \
    \
    X("a database added", CHANGE_KEEP, "", { NEXT; t->databases[t->n_databases++] = 5; }) \
    X("a database removed", CHANGE_KEEP, "", { NEXT; t->n_databases--; }) \
    X("a database replaced", CHANGE_ILLEGAL, "the databases change by more than one", \
      { NEXT; t->databases[3] = 5; }) \
    X("two databases added", CHANGE_ILLEGAL, "the databases change by more than one", \
      { NEXT; t->databases[t->n_databases++] = 5; t->databases[t->n_databases++] = 6; }) \
    X("the primary leaves the databases", CHANGE_ILLEGAL, "the primary is not a database of the record", \
      { NEXT; t->databases[0] = t->databases[--t->n_databases]; }) \
    X("a sync standby leaves the databases", CHANGE_ILLEGAL, \
      "a member of a sync set is not a database of the record", \
      { NEXT; t->databases[1] = t->databases[--t->n_databases]; }) \
    \
    X("a takeover", CHANGE_TAKEOVER, "", { NEXT; takeover(t, 5); }) \
    X("a takeover from an older timeline", CHANGE_TAKEOVER, "", { NEXT; takeover(t, 4); }) \
    X("a takeover from a timeline that is not kept", CHANGE_TAKEOVER, "", { NEXT; takeover(t, 2); }) \
    X("a takeover far above the last timeline", CHANGE_TAKEOVER, "", \
      { NEXT; takeover(t, 5); t->timeline = t->history[3].timeline = 99; }) \
    X("the same primary comes back", CHANGE_TAKEOVER, "", \
      { NEXT; takeover(t, 5); t->primary = 1; t->primary_dir = 101; }) \
    X("the same primary comes back, cloned anew", CHANGE_TAKEOVER, "", \
      { NEXT; takeover(t, 5); t->primary = 1; t->primary_dir = 999; }) \
    X("a takeover where nobody was primary", CHANGE_TAKEOVER, "", \
      { f->primary = 0; f->primary_dir = 0; NEXT; takeover(t, 5); }) \
    X("a takeover in the middle of a joint", CHANGE_TAKEOVER, "", \
      { joint(f, small); NEXT; takeover(t, 5); }) \
    X("a takeover ends a switchover", CHANGE_TAKEOVER, "", \
      { f->switchover_from = 1; f->switchover_to = 2; NEXT; takeover(t, 5); \
        t->switchover_from = t->switchover_to = 0; }) \
    X("a takeover resumes", CHANGE_TAKEOVER, "", \
      { f->paused = true; NEXT; takeover(t, 5); t->paused = false; }) \
    X("a takeover with a full history", CHANGE_TAKEOVER, "", \
      { rows(f, HISTORY_MAX); NEXT; takeover(t, HISTORY_MAX); }) \
    X("a takeover of a full history from its middle", CHANGE_TAKEOVER, "", \
      { rows(f, HISTORY_MAX); NEXT; takeover(t, 4); }) \
    X("a takeover that fills the history", CHANGE_TAKEOVER, "", \
      { rows(f, HISTORY_MAX - 1); NEXT; takeover(t, HISTORY_MAX - 1); }) \
    X("a takeover of the first record", CHANGE_TAKEOVER, "", { unborn(f); NEXT; takeover(t, 0); }) \
    X("a takeover of the first record, with its timeline", CHANGE_TAKEOVER, "", \
      { unborn(f); NEXT; t->timeline = 1; takeover(t, 1); }) \
    X("two terms at once", CHANGE_ILLEGAL, "the term is neither the same nor the next one", \
      { NEXT; takeover(t, 5); t->term = t->history[3].term = 5; }) \
    X("a former term", CHANGE_ILLEGAL, "the term is neither the same nor the next one", \
      { NEXT; t->term = 2; t->n_history = 2; t->timeline = 4; }) \
    X("a takeover by nobody", CHANGE_ILLEGAL, "a takeover names no primary", \
      { NEXT; takeover(t, 5); t->primary = 0; t->primary_dir = 0; }) \
    X("a takeover by no database", CHANGE_ILLEGAL, "the primary is not a database of the record", \
      { NEXT; takeover(t, 5); t->primary = 9; }) \
    X("a takeover on the same timeline", CHANGE_ILLEGAL, "the timeline of a takeover is not a new one", \
      { NEXT; takeover(t, 4); t->timeline = t->history[2].timeline = 5; }) \
    X("a takeover on a used timeline", CHANGE_ILLEGAL, "the timeline of a takeover is not a new one", \
      { NEXT; takeover(t, 3); t->timeline = t->history[1].timeline = 4; }) \
    X("a takeover without timeline", CHANGE_ILLEGAL, "the timeline of a takeover is not a new one", \
      { unborn(f); NEXT; t->term++; }) \
    X("a takeover shrinks the set", CHANGE_ILLEGAL, "a takeover changes the sync set", \
      { NEXT; takeover(t, 5); plain(t, small); }) \
    X("a takeover empties the set", CHANGE_ILLEGAL, "a takeover changes the sync set", \
      { NEXT; takeover(t, 5); plain(t, empty); }) \
    X("a takeover begins a joint", CHANGE_ILLEGAL, "a takeover changes the sync set", \
      { NEXT; takeover(t, 5); joint(t, small); }) \
    X("a takeover leaves a joint", CHANGE_ILLEGAL, "a takeover changes the sync set", \
      { joint(f, small); NEXT; takeover(t, 5); plain(t, small); }) \
    X("a takeover changes the second set", CHANGE_ILLEGAL, "a takeover changes the sync set", \
      { joint(f, small); NEXT; takeover(t, 5); t->sync[1] = other; }) \
    X("a takeover weakens durability", CHANGE_ILLEGAL, "a takeover changes the durability", \
      { NEXT; takeover(t, 5); t->durability = DURABILITY_ASYNC; }) \
    X("a takeover removes a voter", CHANGE_ILLEGAL, "a takeover changes the voters", \
      { NEXT; takeover(t, 5); t->voters.n--; }) \
    X("a takeover admits a voter again", CHANGE_ILLEGAL, "a takeover changes the voters", \
      { NEXT; takeover(t, 5); t->voters.v[1].epoch++; }) \
    X("a takeover changes a key", CHANGE_ILLEGAL, "a takeover changes the voters", \
      { NEXT; takeover(t, 5); t->voters.v[1].key[0]++; }) \
    X("a takeover moves a voter", CHANGE_ILLEGAL, "a takeover changes the voters", \
      { NEXT; takeover(t, 5); t->voters.v[1].site[0]++; }) \
    X("a takeover replaces a voter", CHANGE_ILLEGAL, "a takeover changes the voters", \
      { NEXT; takeover(t, 5); t->voters.v[1].id = 9; }) \
    X("a takeover changes the rule", CHANGE_ILLEGAL, "a takeover changes the voters", \
      { NEXT; takeover(t, 5); t->voters.rule = RULE_SITES; }) \
    X("a takeover adds a database", CHANGE_ILLEGAL, "a takeover changes the databases", \
      { NEXT; takeover(t, 5); t->databases[t->n_databases++] = 5; }) \
    X("a takeover replaces a database", CHANGE_ILLEGAL, "a takeover changes the databases", \
      { NEXT; takeover(t, 5); t->databases[3] = 5; }) \
    X("a takeover changes the longest lease", CHANGE_ILLEGAL, "a takeover changes the longest lease", \
      { NEXT; takeover(t, 5); t->lease_ms_max++; }) \
    X("a takeover changes the system id", CHANGE_ILLEGAL, "a takeover changes the system id", \
      { NEXT; takeover(t, 5); t->system_id = 78; }) \
    X("a takeover sets the system id", CHANGE_ILLEGAL, "a takeover changes the system id", \
      { f->system_id = 0; NEXT; takeover(t, 5); t->system_id = 78; }) \
    X("a takeover rewrites a row", CHANGE_ILLEGAL, "a takeover rewrites the history", \
      { NEXT; takeover(t, 5); t->history[1].switch_lsn++; }) \
    X("a takeover drops the oldest without need", CHANGE_ILLEGAL, "a takeover rewrites the history", \
      { NEXT; takeover(t, 5); drop_oldest(t); }) \
    X("a takeover adds two rows", CHANGE_ILLEGAL, "a takeover adds more than one row to the history", \
      { f->term = f->history[2].term = 9; NEXT; takeover(t, 5); t->history[2].term = 8; \
        t->history[3].term = 9; t->timeline = 7; t->term = 10; \
        t->history[t->n_history++] = (struct history_row){7, 9, 10}; }) \
    X("a takeover drops two of a full history", CHANGE_ILLEGAL, "a takeover rewrites the history", \
      { rows(f, HISTORY_MAX); NEXT; takeover(t, HISTORY_MAX); drop_oldest(t); }) \
    X("a takeover drops the oldest of one that is not full", CHANGE_ILLEGAL, \
      "a takeover rewrites the history", \
      { rows(f, HISTORY_MAX - 1); NEXT; takeover(t, HISTORY_MAX - 1); drop_oldest(t); }) \
    X("a first takeover invents two rows", CHANGE_ILLEGAL, \
      "a takeover of the first record rewrites the history", \
      { unborn(f); NEXT; t->term = 2; rows(t, 3); t->term = 2; t->history[0].term = 0; \
        t->history[1].term = 1; t->history[2].term = 2; }) \
    X("a first takeover with the parent's row of another term", CHANGE_ILLEGAL, \
      "a takeover of the first record rewrites the history", \
      { unborn(f); NEXT; t->timeline = 1; takeover(t, 1); t->history[0].term = 0; }) \
    X("a first takeover with a parent that has a switch LSN", CHANGE_ILLEGAL, \
      "a takeover of the first record rewrites the history", \
      { unborn(f); NEXT; t->timeline = 1; takeover(t, 1); t->history[0].switch_lsn = 9; })
// clang-format on

static void change_records(int number, struct record *f, struct record *t)
{
    *f = base();
    int i = 0;
#define X(name, change, why, ...) \
    if (i++ == number) \
    __VA_ARGS__
    CHANGE_ROWS(X)
#undef X
}
static const struct change_row {
    const char *name;
    enum record_change change;
    const char *why;
} change_rows[] = {
#define X(name, change, why, ...) {name, change, why},
    CHANGE_ROWS(X)
#undef X
};

START_TEST(changes)
{
    const struct change_row *row = &change_rows[_i];
    struct record from, to;
    change_records(_i, &from, &to);
    const char *why = "";
    enum record_change change = record_classify(&from, &to, &why);
    EXPECT_TEXT(why, row->why, row);
    EXPECT_INT(change, row->change, row);
    EXPECT_INT(record_classify(&from, &to, NULL), row->change, row);
}
END_TEST

START_TEST(sync_sets_change_only_by_a_joint)
{
    ck_assert(property_sync_changes_by_joint());
}
END_TEST

START_TEST(takeovers_keep_every_sync_set)
{
    ck_assert(property_takeover_keeps_sync());
}
END_TEST

/* ---- looking things up --------------------------------------------------------------------------------- */

START_TEST(members_are_found)
{
    struct record r = base();
    r.voters.v[1].id = 9;
    ck_assert_int_eq(record_voter_index(&r, 9), 1);
    ck_assert_ptr_eq(record_voter(&r, 9), &r.voters.v[1]);
    ck_assert_int_eq(record_voter_index(&r, 2), -1);
    ck_assert_ptr_null(record_voter(&r, 2));
    ck_assert(record_is_database(&r, 4));
    ck_assert(!record_is_database(&r, 9));
    ck_assert(!record_is_database(&r, MEMBER_NONE));
}
END_TEST

static const struct term_row {
    const char *name;
    uint32_t timeline;
    uint64_t term;
} term_rows[] = {
    {"the record's own timeline", 5, 3}, {"an older one", 4, 2}, {"the oldest kept", 3, 1},
    {"below the oldest kept", 2, 0},     {"above all", 6, 0},    {"none", 0, 0},
};

START_TEST(terms_of_timelines)
{
    const struct term_row *row = &term_rows[_i];
    struct record r = base();
    EXPECT_INT(record_term_of_timeline(&r, row->timeline), row->term, row);
}
END_TEST

START_TEST(sync_sets_stay_sorted)
{
    struct sync_set s = {0};
    ck_assert(sync_set_add(&s, 5, 105));
    ck_assert(sync_set_add(&s, 2, 102));
    ck_assert(sync_set_add(&s, 9, 109));
    ck_assert(sync_set_add(&s, 4, 104));
    ck_assert(!sync_set_add(&s, 4, 999));
    static const member_id order[] = {2, 4, 5, 9};
    ck_assert_int_eq(s.n, 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(s.m[i].id, order[i]);
        ck_assert_uint_eq(s.m[i].dir, 100u + order[i]);
    }
    ck_assert_uint_eq(sync_set_find(&s, 9)->dir, 109);
    ck_assert_ptr_null(sync_set_find(&s, 3));
    ck_assert(!sync_set_remove(&s, 3));
    ck_assert(sync_set_remove(&s, 4));
    ck_assert_int_eq(s.n, 3);
    ck_assert_int_eq(s.m[1].id, 5);
    ck_assert(sync_set_remove(&s, 9));
    ck_assert_int_eq(s.n, 2);
    ck_assert_ptr_null(sync_set_find(&s, 9));
}
END_TEST

START_TEST(sync_set_is_bounded)
{
    struct sync_set s = {0};
    for (member_id id = SYNC_MAX; id >= 1; id--)
        ck_assert(sync_set_add(&s, id, id));
    ck_assert(!sync_set_add(&s, 99, 1));
    ck_assert_int_eq(s.n, SYNC_MAX);
}
END_TEST

START_TEST(sync_sets_are_equal_by_what_they_hold)
{
    struct sync_set a = {.k = 1, .n = 2, .m = {{2, 102}, {3, 103}, {7, 7}}},
                    b = {.k = 1, .n = 2, .m = {{2, 102}, {3, 103}}};
    ck_assert(sync_set_equal(&a, &b));
    b.k = 2;
    ck_assert(!sync_set_equal(&a, &b));
    b.k = 1, b.n = 1;
    ck_assert(!sync_set_equal(&a, &b));
    b.n = 2, b.m[1].id = 4;
    ck_assert(!sync_set_equal(&a, &b));
    b.m[1].id = 3, b.m[1].dir = 999;
    ck_assert(!sync_set_equal(&a, &b));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = suite_case(suite, "record");
    tcase_add_loop_test(tcase, valid, 0, ROWS(valid_rows));
    tcase_add_loop_test(tcase, changes, 0, ROWS(change_rows));
    tcase_add_loop_test(tcase, terms_of_timelines, 0, ROWS(term_rows));
    tcase_add_test(tcase, sync_sets_change_only_by_a_joint);
    tcase_add_test(tcase, takeovers_keep_every_sync_set);
    tcase_add_test(tcase, members_are_found);
    tcase_add_test(tcase, sync_sets_stay_sorted);
    tcase_add_test(tcase, sync_set_is_bounded);
    tcase_add_test(tcase, sync_sets_are_equal_by_what_they_hold);
    return suite_run(suite);
}
