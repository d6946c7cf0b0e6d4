/* mutant.h: each safety rule can be left out on purpose, in the simulator's build only.
 *
 * A rule whose absence no test notices is not tested.  Every rule of docs/protocol.md ("mutants") has a name here;
 * the code asks MUTANT(NAME) at the place where the rule stands.  In every other build the macro is the constant
 * false and the compiler drops the branch. */
#ifndef PGMESH_POLICY_MUTANT_H
#define PGMESH_POLICY_MUTANT_H

#define MUTANT_LIST(X) \
    X(NONE, "", "nothing is left out") \
    X(ACCEPT_UNDER_GRANT, "I1", "a voter accepts a takeover while its own grant runs") \
    X(GRANT_AFTER_PROMISE, "I1", "grants re-open after a later promise to the primary itself") \
    X(LEASE_FROM_RECEIPT, "I1", "the lease is counted from receipt instead of send") \
    X(ONE_GRANT, "I1", "one grant makes a lease") \
    X(GRANT_OLD_TERM, "I1", "grants go on for an old term after a new one was accepted") \
    X(NO_MARGIN, "I1", "no margin for clock-rate error and the time to fence") \
    X(NO_QUARANTINE_PROMISE, "I1", "a restarted voter promises a takeover at once") \
    X(NO_QUARANTINE_ACCEPT, "I1", "a restarted voter accepts a takeover at once") \
    X(PROMISE_NOT_DURABLE, "I3", "a promise is forgotten by a restart") \
    X(ACCEPT_NOT_DURABLE, "I3", "an accepted record is forgotten by a restart") \
    X(IGNORE_ACCEPTED, "I3", "a proposer ignores the accepted records in its promises") \
    X(VOTERS_ONE_STEP, "I1", "the voters change by more than one at a time") \
    X(CERTIFICATE_ANY_VOTERS, "I3", "a certificate is believed whatever voters it names") \
    X(FORMER_LIFE_COUNTS, "I3", \
      "a promise counts that its voter gave before it lost its store and was admitted again") \
    X(LONGER_LEASE_READ, "I1", "a longer lease is read into a shorter grant") \
    X(RENEWAL_SHORTENS, "I1", "a renewal ends earlier than the grant it renews") \
    X(FORGET_PROPOSAL, "I1", "the primary forgets its own undecided proposal") \
    X(RELEASE_NOT_FINAL, "I1", "a released term is asked for and granted again") \
    X(NO_SEALING, "I2", "a takeover needs no seals") \
    X(SEALS_N_MINUS_K, "I2", "one seal fewer than n - k + 1 is enough") \
    X(NOT_BEST_SEALED, "I2", "the takeover does not choose the best sealed database") \
    X(PROPOSED_NOT_SEALED, "I2", "the proposed primary need not be sealed itself") \
    X(SEAL_NOT_DURABLE, "I2", "a seal is forgotten by a restart") \
    X(TAKEOVER_SHRINKS_SYNC, "I2", "a takeover shrinks the sync set to the survivors") \
    X(JOINT_NO_CATCHUP, "I2", "a joint is left before the new set has caught up") \
    X(JOINT_SECOND_IGNORED, "I2", "the second set of a joint is ignored by a takeover") \
    X(SYNC_WITHOUT_JOINT, "I2", "the sync set changes without a joint") \
    X(EMPTY_SYNC_ANYBODY, "I2", "an empty sync set lets anybody take over") \
    X(RECLONED_COUNTS, "I2", "a re-cloned standby still counts under its old name") \
    X(FOLLOW_UNDECIDED, "I2", "replication resumes under an undecided record") \
    X(PROMOTE_UNDECIDED, "I2", "a database promotes itself on an undecided record") \
    X(TIMELINE_COLLIDES, "I3", "the timeline is only one more than the record's") \
    X(RELEASE_SKIPS_SEALING, "I2", "after a RELEASE a takeover needs no seals") \
    X(SERVE_BELOW_SEAL, "I2", "a database serves under a record below the ballot that it sealed for") \
    X(LSN_BEFORE_CUT, "I2", "the LSN is read before the receiver is cut") \
    X(SERVE_OTHER_DIR, "I2", "the primary serves from another data directory than the record names") \
    X(NO_SELF_EXEMPTION, "L16", "primary and voters restarted together cannot re-propose") \
    X(READ_STALE, "L14", \
      "a restarted primary takes its record for the newest without a quorum that says so") \
    X(RETURN_FOREVER, "L15", "a primary that was started anew holds a takeover up for as long as it asks") \
    X(NO_RETURN, "I5", "voters do not wait for a primary whose agent was started anew") \
    X(UNDECIDED_WEDGES, "I6", "an undecided takeover is never proposed again") \
    X(SEALED_FOREVER, "I6", "nobody raises the record above a sealed ballot") \
    X(JOINT_NO_WAY_BACK, "I6", "a joint cannot be left backwards") \
    X(AMNESIAC_VOTES, "I7", "a voter that lost its store votes") \
    X(NO_INCARNATION_CHECK, "I7", "a rolled-back voter is not noticed") \
    X(NEXT_AT_ONCE, "I6", "an upgraded member speaks the next version before every member reads it") \
    X(REFORM_IGNORED, "I6", "voters of old still count after the root has named others") \
    X(REFORM_NO_WAIT, "I1", "voters named by the root take over at once") \
    X(RETIRED_KEY_HOLDS, "I5", "what a retired key signs is still taken") \
    X(KEY_BEFORE_KNOWN, "I6", "a member uses its new key before every voter knows it") \
    X(GUARD_SLEEPS, "I9", "the guard ignores the deadline") \
    X(ONE_PERSON_SUFFICES, "L17", "an order that destroys needs no second person") \
    X(ROLES_IGNORED, "L17", "every person may order everything")

enum mutant {
#define X(name, invariant, sentence) MUTANT_##name,
    MUTANT_LIST(X)
#undef X
        MUTANT_COUNT
};

#ifdef PGMESH_MUTANTS
extern enum mutant mutant_active; /* set by the simulator's main, once, before a run */
#define MUTANT(name) (mutant_active == MUTANT_##name)
#else
#define MUTANT(name) 0
#endif

#endif
