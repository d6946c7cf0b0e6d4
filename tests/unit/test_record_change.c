/* The record: what may follow it.  One row for each rule; a row that is refused says by which sentence,
 * so that it cannot be refused for another reason than its own. */
#include "tests/unit/record_base.h"
#include "tests/unit/suite.h"

/* `f` is the record before; from NEXT on, `t` is the one after it. */
#define NEXT *t = *f, t->version++

// clang-format off
#define CHANGE_ROWS(X) \
    X("the same", CHANGE_NONE, "", { *t = *f; }) \
    X("the same, with rubbish behind the counts", CHANGE_NONE, "", \
      { *t = *f; t->voters.v[3].id = 9; t->databases[4] = 9; t->sync[0].m[2].id = 9; \
        t->history[3].term = 9; t->paused_why[9] = 9; }) \
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
    X("a joint begins under strict", CHANGE_KEEP, "", \
      { f->durability = DURABILITY_STRICT; NEXT; joint(t, small); }) \
    X("a joint to the empty set, not under strict", CHANGE_KEEP, "", { NEXT; joint(t, empty); }) \
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
    X("strict from a joint to the empty set: commits wait, nobody else takes over", CHANGE_KEEP, "", \
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
    X("a voter behind another's epoch", CHANGE_KEEP, "", { f->voters.v[0].epoch = 5; NEXT; }) \
    X("the first voter's old epoch comes back", CHANGE_ILLEGAL, "the epoch of a voter goes back", \
      { NEXT; t->voters.v[0].epoch--; }) \
    X("a voter's old epoch comes back", CHANGE_ILLEGAL, "the epoch of a voter goes back", \
      { NEXT; t->voters.v[1].epoch--; }) \
    \
    X("a database added", CHANGE_KEEP, "", { NEXT; t->databases[t->n_databases++] = 5; }) \
    X("a database removed", CHANGE_KEEP, "", { NEXT; t->n_databases--; }) \
    X("a database replaced", CHANGE_ILLEGAL, "the databases change by more than one", \
      { NEXT; t->databases[3] = 5; }) \
    X("the first database replaced", CHANGE_ILLEGAL, "the databases change by more than one", \
      { f->databases[0] = 4; f->databases[3] = 1; NEXT; t->databases[0] = 5; }) \
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
    X("a takeover of a full history from its last row but one", CHANGE_TAKEOVER, "", \
      { rows(f, HISTORY_MAX); NEXT; takeover(t, HISTORY_MAX - 1); }) \
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
    X("a takeover replaces the first voter", CHANGE_ILLEGAL, "a takeover changes the voters", \
      { NEXT; takeover(t, 5); t->voters.v[0].id = 9; }) \
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
    X("a takeover rewrites the first row", CHANGE_ILLEGAL, "a takeover rewrites the history", \
      { NEXT; takeover(t, 5); t->history[0].switch_lsn++; }) \
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

int main(void)
{
    Suite *suite = suite_create("record_change");
    TCase *tcase = suite_case(suite, "record");
    tcase_add_loop_test(tcase, changes, 0, ROWS(change_rows));
    tcase_add_test(tcase, sync_sets_change_only_by_a_joint);
    tcase_add_test(tcase, takeovers_keep_every_sync_set);
    return suite_run(suite);
}
