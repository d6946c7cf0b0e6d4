/* Each rule of policy/ left out on purpose: the property that rests on it must no longer hold.
 *
 * The sources are compiled into this file with their switches, so that nothing here depends on how the
 * rest is built. */
#define PGMESH_MUTANTS
#include "policy/mutant.h"

enum mutant mutant_active = MUTANT_NONE;

#include "policy/candidate.c"
#include "policy/durability.c"
#include "policy/lease.c"
#include "policy/lineage.c"
#include "policy/quorum.c"
#include "policy/record.c"
#include "policy/verdict.c"

#include "tests/unit/policy_properties.h"
#include "tests/unit/suite.h"

static const struct row {
    const char *name;
    enum mutant mutant;
    bool (*holds)(void);
} rows[] = {
    {"VOTERS_ONE_STEP", MUTANT_VOTERS_ONE_STEP, property_steps_meet},
    {"RENEWAL_SHORTENS", MUTANT_RENEWAL_SHORTENS, property_renewal_keeps},
    {"ONE_GRANT", MUTANT_ONE_GRANT, property_until_needs_quorum},
    {"NO_MARGIN", MUTANT_NO_MARGIN, property_margin_covers},
    {"NO_SEALING", MUTANT_NO_SEALING, property_seals_keep_commits},
    {"SEALS_N_MINUS_K", MUTANT_SEALS_N_MINUS_K, property_seals_keep_commits},
    {"JOINT_SECOND_IGNORED", MUTANT_JOINT_SECOND_IGNORED, property_seals_keep_commits},
    {"EMPTY_SYNC_ANYBODY", MUTANT_EMPTY_SYNC_ANYBODY, property_seals_keep_commits},
    {"RECLONED_COUNTS", MUTANT_RECLONED_COUNTS, property_seals_keep_commits},
    {"NOT_BEST_SEALED", MUTANT_NOT_BEST_SEALED, property_best_is_chosen},
    {"SYNC_WITHOUT_JOINT", MUTANT_SYNC_WITHOUT_JOINT, property_sync_changes_by_joint},
    {"TAKEOVER_SHRINKS_SYNC", MUTANT_TAKEOVER_SHRINKS_SYNC, property_takeover_keeps_sync},
};

START_TEST(rule_left_out_breaks_its_property)
{
    const struct row *row = &rows[_i];
    mutant_active = row->mutant;
    ck_assert_msg(!row->holds(), "mutant %s was not noticed", row->name);
}
END_TEST

START_TEST(property_holds_with_all_rules)
{
    mutant_active = MUTANT_NONE;
    ck_assert_msg(rows[_i].holds(), "the property that notices %s fails without it", rows[_i].name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mutants_policy");
    TCase *tcase = suite_case(suite, "mutants");
    tcase_add_loop_test(tcase, rule_left_out_breaks_its_property, 0, ROWS(rows));
    tcase_add_loop_test(tcase, property_holds_with_all_rules, 0, ROWS(rows));
    return suite_run(suite);
}
