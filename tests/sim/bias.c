/* bias.c: for each mutant the faults, layout and clocks under which the rule left out matters.
 *
 * The same biases without the mutant must stay clean (mutants.sh), so a bias can never be what rings the alarm.  Where a
 * violation needs several things at their right moments, a directed plan (plan_*.c) brings them about, with jitter. */
#include <string.h>

#include "tests/sim/sim.h"

// clang-format off
#define SYNC    .durability = DURABILITY_SYNC + 1
#define ONLY    .only = 1
#define CRASHES [FAULT_AGENT_CRASH] = 20, [FAULT_AGENT_CRASH_MID] = 40, [FAULT_AGENTS_RESTART] = 20
#define CUTS    [FAULT_CUT_MEMBER] = 20, [FAULT_CUT_OUT] = 20, [FAULT_CUT_IN] = 20, [FAULT_CUT_SOME] = 30, [FAULT_CUT_ONE_WAY] = 20
#define LATE_WAL [FAULT_HOST_CRASH] = 40, [FAULT_CUT_REPLICATION] = 30
#define CHANGES [FAULT_CMD_PAUSE] = 30, [FAULT_CMD_RESUME] = 30, [FAULT_CMD_READMIT] = 20
#define ORDERS [FAULT_CMD_ASYNC] = 20, [FAULT_CMD_SYNC] = 20, [FAULT_CMD_REMOVE] = 20, [FAULT_HOST_CRASH] = 20, [FAULT_CMD_FAILOVER_LOSS] = 40
static const struct bias biases[] = {
    {.mutant = MUTANT_ACCEPT_UNDER_GRANT, ONLY, .weight = {CUTS, CRASHES}, .short_grace = 1, .when = 1},
    {.mutant = MUTANT_GRANT_AFTER_PROMISE, ONLY, .weight = {CUTS, [FAULT_PAUSE_AGENT] = 30, [FAULT_AGENT_CRASH] = 10}, .when = 1},
    {.mutant = MUTANT_LEASE_FROM_RECEIPT, ONLY, .weight = {[FAULT_PAUSE_AGENT] = 60, [FAULT_CUT_MEMBER] = 20, [FAULT_SLOW_NET] = 30}},
    {.mutant = MUTANT_ONE_GRANT, ONLY, .weight = {CUTS}},
    {.mutant = MUTANT_GRANT_OLD_TERM, ONLY, .weight = {CUTS, [FAULT_PAUSE_AGENT] = 30}},
    {.mutant = MUTANT_NO_MARGIN, ONLY, .weight = {[FAULT_CUT_MEMBER] = 60, [FAULT_CUT_OUT] = 20}, .extreme_clocks = 1, .slow_freeze = 1},
    {.mutant = MUTANT_NO_QUARANTINE_PROMISE, .databases = 3, .witnesses = 2, SYNC, .short_grace = 1, .directed = plan_voters_restart},
    {.mutant = MUTANT_NO_QUARANTINE_ACCEPT, ONLY, .weight = {CUTS, CRASHES}, .short_grace = 1, .when = 1},
    {.mutant = MUTANT_PROMISE_NOT_DURABLE, ONLY, .weight = {CUTS, CRASHES, CHANGES}, .when = 1},
    {.mutant = MUTANT_ACCEPT_NOT_DURABLE, .databases = 3, .witnesses = 2, .directed = plan_accept_forgotten},
    {.mutant = MUTANT_IGNORE_ACCEPTED, .databases = 3, .witnesses = 2, .directed = plan_two_takeovers},
    {.mutant = MUTANT_VOTERS_ONE_STEP, .durability = DURABILITY_ASYNC + 1, .directed = plan_two_steps},
    {.mutant = MUTANT_CERTIFICATE_ANY_VOTERS, .databases = 3, .witnesses = 2, .directed = plan_forged_voters},
    {.mutant = MUTANT_FORMER_LIFE_COUNTS, .durability = DURABILITY_ASYNC + 1, .databases = 3, .witnesses = 4, .k = 1, .quiet = 1, .directed = plan_former_life},
    {.mutant = MUTANT_LONGER_LEASE_READ, ONLY, .weight = {CUTS}},
    {.mutant = MUTANT_RENEWAL_SHORTENS, .long_lease_max = 1, .directed = plan_shorter_lease},
    {.mutant = MUTANT_FORGET_PROPOSAL, ONLY, .weight = {CUTS, CRASHES, CHANGES, [FAULT_STORE_LOST] = 10}, .when = 1},
    {.mutant = MUTANT_RELEASE_NOT_FINAL, ONLY, .weight = {[FAULT_PG_CRASH] = 60, [FAULT_CUT_SOME] = 20, [FAULT_PAUSE_AGENT] = 20, CRASHES}},
    {.mutant = MUTANT_NO_SEALING, ONLY, .weight = {LATE_WAL, CUTS}, SYNC, .databases = 3, .k = 1, .slow_wal = 1},
    {.mutant = MUTANT_SEALS_N_MINUS_K, ONLY, .weight = {LATE_WAL, CUTS}, SYNC, .databases = 3, .k = 1, .slow_wal = 1},
    {.mutant = MUTANT_NOT_BEST_SEALED, ONLY, .weight = {LATE_WAL}, SYNC, .databases = 3, .k = 1, .slow_wal = 1},
    {.mutant = MUTANT_PROPOSED_NOT_SEALED, SYNC, .databases = 4, .witnesses = 1, .k = 2, .directed = plan_slow_proposer},
    {.mutant = MUTANT_SEAL_NOT_DURABLE, SYNC, .databases = 3, .witnesses = 2, .k = 1, .directed = plan_seal_forgotten},
    {.mutant = MUTANT_TAKEOVER_SHRINKS_SYNC, SYNC, .databases = 4, .witnesses = 3, .k = 2, .directed = plan_second_takeover},
    {.mutant = MUTANT_JOINT_NO_CATCHUP, ONLY, .weight = {LATE_WAL}, SYNC, .databases = 3, .k = 1, .when = 1, .slow_wal = 1},
    {.mutant = MUTANT_JOINT_SECOND_IGNORED, SYNC, .databases = 3, .witnesses = 2, .k = 1, .directed = plan_joint_grows},
    {.mutant = MUTANT_SYNC_WITHOUT_JOINT, SYNC, .databases = 3, .witnesses = 2, .k = 2, .slow_learn = 1, .directed = plan_set_grows},
    {.mutant = MUTANT_EMPTY_SYNC_ANYBODY, ONLY, .weight = {LATE_WAL}, SYNC, .databases = 2},
    {.mutant = MUTANT_RECLONED_COUNTS, SYNC, .databases = 3, .witnesses = 2, .k = 1, .directed = plan_restored_standby},
    {.mutant = MUTANT_FOLLOW_UNDECIDED, ONLY, .weight = {CUTS, CRASHES, [FAULT_PAUSE_VM] = 20}, SYNC, .when = 1},
    {.mutant = MUTANT_PROMOTE_UNDECIDED, ONLY, .weight = {CUTS, CRASHES}, .when = 1},
    {.mutant = MUTANT_TIMELINE_COLLIDES, ONLY, .weight = {[FAULT_STRAY_TIMELINE] = 40, [FAULT_HOST_CRASH] = 60}},
    {.mutant = MUTANT_RELEASE_SKIPS_SEALING, ONLY, .weight = {[FAULT_PG_CRASH] = 60, [FAULT_CUT_REPLICATION] = 30, [FAULT_CUT_MEMBER] = 30}, SYNC, .databases = 3, .k = 1, .slow_wal = 1},
    {.mutant = MUTANT_SERVE_BELOW_SEAL, ONLY, .weight = {CUTS, [FAULT_HOST_CRASH] = 40, [FAULT_PAUSE_AGENT] = 30, [FAULT_SLOW_NET] = 30}, SYNC, .databases = 4, .witnesses = 1, .k = 1, .when = 1},
    {.mutant = MUTANT_LSN_BEFORE_CUT, ONLY, .weight = {[FAULT_PAUSE_VM] = 20, [FAULT_CUT_OUT] = 40, [FAULT_CUT_SOME] = 40, [FAULT_PAUSE_AGENT] = 20}, SYNC, .databases = 3},
    {.mutant = MUTANT_SERVE_OTHER_DIR, SYNC, .directed = plan_restored_primary},
    {.mutant = MUTANT_NO_SELF_EXEMPTION, .databases = 3, .witnesses = 2, SYNC, .directed = plan_restart_undecided},
    {.mutant = MUTANT_READ_STALE, ONLY, .weight = {CUTS, CRASHES, CHANGES, [FAULT_STORE_LOST] = 10}, .when = 1},
    {.mutant = MUTANT_RETURN_FOREVER, .databases = 3, .witnesses = 2, .directed = plan_agent_deaf},
    {.mutant = MUTANT_NO_RETURN, .databases = 3, .witnesses = 2, SYNC, .directed = plan_agent_returns},
    {.mutant = MUTANT_UNDECIDED_WEDGES, ONLY, .weight = {CUTS, CRASHES}, SYNC, .when = 1},
    {.mutant = MUTANT_SEALED_FOREVER, .databases = 3, .witnesses = 2, .directed = plan_sealed_alone},
    {.mutant = MUTANT_JOINT_NO_WAY_BACK, SYNC, .databases = 3, .witnesses = 2, .k = 2, .directed = plan_joint_lost},
    {.mutant = MUTANT_AMNESIAC_VOTES, ONLY, .weight = {[FAULT_STORE_LOST] = 60, [FAULT_HOST_CRASH] = 30, [FAULT_CMD_READMIT] = 50, CUTS}},
    {.mutant = MUTANT_NO_INCARNATION_CHECK, ONLY, .weight = {[FAULT_ROLLBACK] = 60, [FAULT_HOST_CRASH] = 30, CUTS}},
    {.mutant = MUTANT_NEXT_AT_ONCE, .directed = plan_rolling_upgrade},
    {.mutant = MUTANT_REFORM_IGNORED, .directed = plan_majority_lost},
    {.mutant = MUTANT_REFORM_NO_WAIT, .databases = 3, .witnesses = 2, .directed = plan_recover_early},
    {.mutant = MUTANT_ONE_PERSON_SUFFICES, ONLY, .weight = {ORDERS}, SYNC, .databases = 3},
    {.mutant = MUTANT_ROLES_IGNORED, ONLY, .weight = {ORDERS, CHANGES}},
    {.mutant = MUTANT_RETIRED_KEY_HOLDS, .databases = 3, .witnesses = 2, .directed = plan_retired_key},
    {.mutant = MUTANT_KEY_BEFORE_KNOWN, .databases = 3, .witnesses = 2, .directed = plan_new_key},
    {.mutant = MUTANT_GUARD_SLEEPS, ONLY, .weight = {[FAULT_CUT_MEMBER] = 50, [FAULT_PAUSE_AGENT] = 50}},
};
// clang-format on

const struct bias *mutant_bias(enum mutant m)
{
    for (size_t i = 0; i < sizeof biases / sizeof biases[0]; i++)
        if (biases[i].mutant == m)
            return &biases[i];
    return NULL;
}
