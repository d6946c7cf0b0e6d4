/* sync.pml: commits, seals, the sync set and its changes, takeovers, copies (I2, I8), without any clock.
 *
 * docs/model.md tells the scope, what stands for what, and which line is which rule and which function.
 *
 * A primary's PostgreSQL serves here until it is sealed, crashes, or its agent learns of a higher term: no lease,
 * no guard ever stops it.  What is decided is one chain of records (lease.pml is about that); everybody learns of
 * it late.  A record's `level` stands for its ballot: how many ballots of takeovers lie at or below it.
 *
 *   -DRECORDS=n  records after the first    -DATTEMPTS=n  takeovers asked for   -DWRITES=n  commits per term
 *   -DCRASHES=n, -DRELEASES=n, -DCOPIES=n   servers restarted; terms given up; directories copied or restored
 *   -DCHANGES=n  changes of the sync set    -DSET=m       the first one, as bits
 *   -DRAISES     primaries propose their record again, above what somebody has sealed for
 *   -DI8         I8 is asserted too
 *   -DREACH=n    not a claim: the search must fail, and so show that n is reached
 *   -DNAME       leaves rule NAME out (the names of policy/mutant.h) */

#ifndef RECORDS
#define RECORDS 2
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 1
#endif
#ifndef WRITES
#define WRITES 1
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef RELEASES
#define RELEASES 0
#endif
#ifndef COPIES
#define COPIES 0
#endif
#ifndef CHANGES
#define CHANGES 0
#endif
#ifndef SET
#define SET 6
#endif
#ifndef REACH
#define REACH 0
#endif
#define N 3
#define TERMS (ATTEMPTS + 2)

/* A set is one byte: bits 0-2 who, bits 3-5 with which directory (0: the first, 1: the copy).  k is 1. */
#define WHO(set) ((set) & 7)
#define LISTED(set, d) (((set) >> (d)) & 1)
#define DIR_IN(set, d) (((set) >> ((d) + 3)) & 1)
#define K(set) (WHO(set) != 0)
#define SIZE(m) (((m) & 1) + (((m) >> 1) & 1) + (((m) >> 2) & 1))

/* ---- the decided records -------------------------------------------------------------------------- */
byte last; /* index of the newest */
byte term[RECORDS + 1] = 1, prim[RECORDS + 1], prim_dir[RECORDS + 1], level[RECORDS + 1];
byte old[RECORDS + 1] = SET, new[RECORDS + 1]; /* sync[0], sync[1] */
bit joint[RECORDS + 1];

/* ---- a change by the primary that is under way ---------------------------------------------------- */
byte ch_base, ch_old, ch_new; /* ch_base: 1 + index of the record that it is built on; 0: none */
bit ch_joint;

/* ---- takeovers ------------------------------------------------------------------------------------ */
byte attempts;
byte at_term[ATTEMPTS + 1];                   /* the decided term that its SEAL names */
byte seals[ATTEMPTS + 1];                     /* whose SEALED arrived */
byte s_dir[(ATTEMPTS + 1) * N], s_wal[(ATTEMPTS + 1) * N], s_lsn[(ATTEMPTS + 1) * N];
bit gone[TERMS + 1];                          /* RELEASE of that term */
#define AT(a, d) ((a) * N + (d))

/* ---- databases ------------------------------------------------------------------------------------ */
byte decided[N];               /* index of the newest record it knows */
byte sealed_for[N];            /* on disk */
byte swore[N];                 /* what it ever signed: forgets nothing */
byte dir[N];
byte wal[N] = 1, lsn[N];       /* the end of its WAL: term of the last, number of commits in that term */
bit serving[N];                /* PostgreSQL runs as a primary */
byte serves[N];                /* of which term; 0: never was one */
byte row_dir[N * N], row[N * N]; /* at primary i: what standby j has confirmed, and with which directory */
byte in_pg[N], before[N];      /* synchronous_standby_names, and what it was while that is not yet in force */
bit in_force[N];
byte since[N];                 /* the LSN at which it came into force */
bit backwards[N], own[N];
#ifdef LSN_BEFORE_CUT
byte cutting[N];
#endif

/* ---- history -------------------------------------------------------------------------------------- */
byte fork_wal[TERMS + 1], fork_lsn[TERMS + 1]; /* the end of WAL at which each term was promoted */
byte acked[TERMS + 1];
byte ready; /* the highest term that was ever ready */
byte crashes, releases, copies, changes;
byte k, t, w; /* scratch: 0 between steps */

#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define CLAIM(words, x) \
    if \
    :: (x) \
    :: else -> printf(words); assert(false) \
    fi

/* Is the end of d's WAL at or behind (of, at) of that history?  At most three terms deep. */
#define HAS1(w0, l0, of, at) ((w0) == (of) && (l0) >= (at))
#define HOLDS(w0, l0, of, at) \
    (HAS1(w0, l0, of, at) || \
     ((w0) > (of) && (HAS1(fork_wal[w0], fork_lsn[w0], of, at) || \
                      (fork_wal[w0] > (of) && HAS1(fork_wal[fork_wal[w0]], fork_lsn[fork_wal[w0]], of, at)))))

/* I2: who is ready has all that was acknowledged in earlier terms. */
inline all_there(d)
{
    for (k : 1 .. TERMS) {
        CLAIM("broken: I2\n", acked[k] == 0 || k >= wal[d] || HOLDS(wal[d], lsn[d], k, acked[k]))
    }
    k = 0
}

/* ---- PostgreSQL ----------------------------------------------------------------------------------- */

#ifdef SERVE_OTHER_DIR
#define OWN_DIR(d) true
#else
#define OWN_DIR(d) (dir[d] == prim_dir[decided[d]])
#endif
#ifdef SERVE_BELOW_SEAL
#define ABOVE_SEAL(d) true
#else
#define ABOVE_SEAL(d) (level[decided[d]] >= sealed_for[d])
#endif
#define NAMED(d) \
    (prim[decided[d]] == d && OWN_DIR(d) && !gone[term[decided[d]]] && !serving[d] && ABOVE_SEAL(d))

inline settle(d) /* a freshly started primary runs with the setting of the record */
{
    serving[d] = 1;
    in_pg[d] = (joint[decided[d]] -> new[decided[d]] : old[decided[d]]);
    before[d] = in_pg[d];
    in_force[d] = 1;
    since[d] = lsn[d];
    backwards[d] = 0;
    row[d * N] = 0;
    row[d * N + 1] = 0;
    row[d * N + 2] = 0;
    row_dir[d * N] = 0;
    row_dir[d * N + 1] = 0;
    row_dir[d * N + 2] = 0
}

#define CAN_PROMOTE(d) (NAMED(d) && serves[d] < term[decided[d]])
inline promote(d)
{
    printf("db%d is promoted in term %d, from %d commits of term %d\n", d, term[decided[d]], lsn[d], wal[d]);
    t = term[decided[d]];
    fork_wal[t] = wal[d];
    fork_lsn[t] = lsn[d];
    wal[d] = t;
    lsn[d] = 0;
    serves[d] = t;
    settle(d);
    since[d] = 0;
    if
    :: t > ready -> ready = t
    :: else
    fi;
    t = 0;
    all_there(d);
#if REACH == 1 /* a takeover, and a commit that was acknowledged before it */
    CLAIM("broken: R\n", !acked[1]);
#elif REACH == 2 /* a second takeover, with commits acknowledged in both terms before */
    CLAIM("broken: R\n", !(acked[1] && acked[2]));
#elif REACH == 7 /* a promotion under a record that was raised above what its primary had sealed for */
    CLAIM("broken: R\n", term[decided[d]] != term[decided[d] - 1] || !sealed_for[d]);
#endif
}

#define CAN_RESTART(d) (NAMED(d) && serves[d] == term[decided[d]])
inline restart(d) /* in the same term; ready only when the set has passed the end of recovery: since */
{
    printf("db%d starts again in term %d\n", d, serves[d]);
    settle(d);
    all_there(d)
}

inline write(d)
{
    lsn[d] = lsn[d] + 1;
    printf("db%d writes commit %d of term %d\n", d, lsn[d], serves[d])
}

/* A setting is satisfied for commit `at`: k of it have confirmed, each with the directory that is listed. */
#define ROW(set, d, j, at) \
    (LISTED(set, j) && (j) != (d) && row[(d) * N + (j)] >= (at) && row_dir[(d) * N + (j)] == DIR_IN(set, j))
#define CONFIRMED(set, d, at) (ROW(set, d, 0, at) + ROW(set, d, 1, at) + ROW(set, d, 2, at) >= K(set))
#define CAN_ACK(d) \
    (serving[d] && wal[d] == serves[d] && acked[serves[d]] < lsn[d] && \
     (CONFIRMED(in_pg[d], d, acked[serves[d]] + 1) || \
      (!in_force[d] && CONFIRMED(before[d], d, acked[serves[d]] + 1))))
inline ack(d)
{
    t = serves[d];
    acked[t] = acked[t] + 1;
    printf("db%d acknowledges commit %d of term %d\n", d, acked[t], t);
    CLAIM("broken: I2\n", ready <= t || HOLDS(ready, 0, t, acked[t]));
    t = 0
#if REACH == 3 /* an acknowledgement under a set that has been changed */
    CLAIM("broken: R\n", old[decided[d]] == SET || joint[decided[d]]);
#elif REACH == 5 /* one under the old set, when nobody with the directory that the new one lists is left */
    CLAIM("broken: R\n",
          !(joint[decided[d]] && new[decided[d]] == 4 && dir[2] && in_force[d] && backwards[d]));
#elif REACH == 4 /* one by a standby that was copied anew */
    CLAIM("broken: R\n", !(copies && row_dir[d * N + 1] && in_force[d] && WHO(in_pg[d]) == 2));
#endif
}

/* ---- replication: goals.c (goal_standby, sealed_above), sealing.c --------------------------------- */

#ifdef FOLLOW_UNDECIDED
#define UNSEALED(s) true
#else
#define UNSEALED(s) (level[decided[s]] >= sealed_for[s])
#endif
#define FOLLOWS(s, d) (s != d && !serving[s] && prim[decided[s]] == d && UNSEALED(s) && serving[d])
/* On the primary's history: lineage_join, FOLLOW. */
#define JOINS(s, d) HOLDS(wal[d], lsn[d], wal[s], lsn[s])
#define CAN_RECEIVE(s, d) \
    (FOLLOWS(s, d) && JOINS(s, d) && \
     (wal[s] != wal[d] || lsn[s] != lsn[d] || row[d * N + s] != lsn[d] || row_dir[d * N + s] != dir[s]))
inline receive(s, d)
{
    printf("db%d has all of db%d's WAL (term %d, %d commits), and confirms it\n", s, d, wal[d], lsn[d]);
    wal[s] = wal[d];
    lsn[s] = lsn[d];
    row[d * N + s] = lsn[d];
    row_dir[d * N + s] = dir[s];
#if REACH == 6 /* a standby that has sealed follows the primary of that same term again */
    CLAIM("broken: R\n", !(swore[s] && term[decided[s]] == 1));
#endif
#ifdef I8
    CLAIM("broken: I8\n", level[decided[s]] >= swore[s]);
#endif
}

/* A copy of the primary, or a rewind: other contents, another directory.  Or an old backup is brought back. */
#ifdef RECLONED_COUNTS
#define REDRAW(s) skip
#else
#define REDRAW(s) dir[s] = 1
#endif
#define CAN_COPY(s, d) (copies < COPIES && FOLLOWS(s, d) && dir[s] == 0)
inline copy(s, d)
{
    copies++;
    printf("db%d is a fresh copy of db%d\n", s, d);
    wal[s] = wal[d];
    lsn[s] = lsn[d];
    REDRAW(s)
}
#define CAN_RESTORE(s) (copies < COPIES && !serving[s] && dir[s] == 0)
inline restore(s)
{
    copies++;
    printf("db%d gets an old backup\n", s);
    wal[s] = 1;
    lsn[s] = 0;
    REDRAW(s)
}

/* ---- seals ---------------------------------------------------------------------------------------- */

#define CAN_ASK(d) (attempts < ATTEMPTS && (prim[decided[d]] != d || gone[term[decided[d]]]))
inline ask(d)
{
    attempts++;
    printf("takeover %d is asked for by db%d\n", attempts, d);
    at_term[attempts] = term[decided[d]]
}

/* sealing.c: on_seal, sealing_drive.  A primary is killed first. */
#define CAN_SEAL(d, a) \
    (a <= attempts && a > level[decided[d]] && a >= sealed_for[d] && at_term[a] == term[decided[d]] && \
     !((seals[a] >> d) & 1) && swore[d] <= a && \
     (prim[decided[d]] != d || gone[term[decided[d]]]))
inline seal(d, a, arrives)
{
    printf("db%d seals for takeover %d: %d commits, term %d (arrives: %d)\n", d, a, lsn[d], wal[d], arrives);
    serving[d] = 0;
    if
    :: arrives ->
        seals[a] = seals[a] | (1 << d);
        s_dir[AT(a, d)] = dir[d];
        s_wal[AT(a, d)] = wal[d];
        s_lsn[AT(a, d)] = lsn[d]
    :: else
    fi;
#ifdef LSN_BEFORE_CUT
    cutting[d] = a
#else
    sealed_for[d] = a;
    swore[d] = a
#endif
}

/* ---- takeover: proposer.c (seals_choose, takeover_build), certify.c (seals_justify), durability.c ---- */

#define SEAL_OF(a, m, d) (((seals[a] & (m)) >> (d)) & 1)
#ifdef RECLONED_COUNTS
#define SAME_DIR(a, d, which) true
#else
#define SAME_DIR(a, d, which) (s_dir[AT(a, d)] == (which))
#endif
#define MEMBER(a, m, set, d) (LISTED(set, d) && SEAL_OF(a, m, d) && SAME_DIR(a, d, DIR_IN(set, d)))
#ifdef SEALS_N_MINUS_K
#define WANTED(set) (SIZE(WHO(set)) - K(set))
#else
#define WANTED(set) (SIZE(WHO(set)) - K(set) + 1)
#endif
#ifdef EMPTY_SYNC_ANYBODY
#define EMPTY_ENOUGH true
#else
#define EMPTY_ENOUGH false
#endif
#define ENOUGH_OF(a, m, set) \
    (WHO(set) == 0 -> EMPTY_ENOUGH : \
                      MEMBER(a, m, set, 0) + MEMBER(a, m, set, 1) + MEMBER(a, m, set, 2) >= WANTED(set))
#define PRIMARY_SEALED(a, m) (SEAL_OF(a, m, prim[last]) && SAME_DIR(a, prim[last], prim_dir[last]))
#ifdef JOINT_SECOND_IGNORED
#define SECOND(a, m) true
#else
#define SECOND(a, m) (!joint[last] || ENOUGH_OF(a, m, new[last]))
#endif
#if defined(NO_SEALING)
#define ENOUGH(a, m) true
#elif defined(RELEASE_SKIPS_SEALING)
#define ENOUGH(a, m) \
    (gone[term[last]] || PRIMARY_SEALED(a, m) || (ENOUGH_OF(a, m, old[last]) && SECOND(a, m)))
#else
#define ENOUGH(a, m) (PRIMARY_SEALED(a, m) || (ENOUGH_OF(a, m, old[last]) && SECOND(a, m)))
#endif

/* sealed_cmp: none of those shown is ahead of c */
#define NOT_AHEAD(a, d, c) \
    (s_wal[AT(a, d)] < s_wal[AT(a, c)] || \
     (s_wal[AT(a, d)] == s_wal[AT(a, c)] && s_lsn[AT(a, d)] <= s_lsn[AT(a, c)]))
#ifdef NOT_BEST_SEALED
#define BEST(a, m, c) true
#else
#define BEST(a, m, c) \
    ((!SEAL_OF(a, m, 0) || NOT_AHEAD(a, 0, c)) && (!SEAL_OF(a, m, 1) || NOT_AHEAD(a, 1, c)) && \
     (!SEAL_OF(a, m, 2) || NOT_AHEAD(a, 2, c)))
#endif
#if defined(PROPOSED_NOT_SEALED) || defined(NO_SEALING)
#define PROPOSABLE(a, m, c) (!SEAL_OF(a, m, c) || BEST(a, m, c))
#define DIR_OF(a, m, c) (SEAL_OF(a, m, c) -> s_dir[AT(a, c)] : dir[c])
#else
#define PROPOSABLE(a, m, c) (SEAL_OF(a, m, c) && BEST(a, m, c))
#define DIR_OF(a, m, c) s_dir[AT(a, c)]
#endif
/* Built above what is decided.  Of the seals that came some may be left out: m is what is shown. */
#define CAN_TAKE(a, m, c) \
    (a <= attempts && last < RECORDS && a > level[last] && (seals[a] & (m)) == (m) && \
     PROPOSABLE(a, m, c) && ENOUGH(a, m))
inline take(a, m, c)
{
    printf("takeover %d is decided: term %d, primary db%d, seals %d\n", a, term[last] + 1, c, m);
    last++;
    term[last] = term[last - 1] + 1;
    prim[last] = c;
    prim_dir[last] = DIR_OF(a, m, c);
    level[last] = a;
    old[last] = old[last - 1];
    new[last] = new[last - 1];
    joint[last] = joint[last - 1];
    ch_base = 0
}

/* ---- learning ------------------------------------------------------------------------------------- */

#define CAN_LEARN(d) (decided[d] < last)
inline learn(d) /* at once what is newest: what lies between is of no more use; or the next one */
{
    decided[d] = decided[d] + 1;
    printf("db%d learns record %d: term %d, primary db%d, sets %d %d\n", d, decided[d], term[decided[d]],
           prim[decided[d]], old[decided[d]], new[decided[d]]);
    own[d] = 0;
    if
    :: !joint[decided[d]] -> backwards[d] = 0
    :: else
    fi;
    if
    :: serving[d] && serves[d] < term[decided[d]] -> serving[d] = 0
    :: else
    fi
}

/* ---- the sync set: syncset.c ---------------------------------------------------------------------- */

/* Does this primary still think that it is one, with nothing of its own under way? */
#define MINDS(d) (serving[d] && prim[decided[d]] == d && serves[d] == term[decided[d]] && !own[d])
#define SETTING(d) (joint[decided[d]] && !backwards[d] -> new[decided[d]] : old[decided[d]])

#define CAN_ORDER(d) (MINDS(d) && in_pg[d] != SETTING(d))
inline order(d)
{
    before[d] = in_pg[d];
    in_pg[d] = SETTING(d);
    printf("db%d is told to wait for set %d (was %d)\n", d, in_pg[d], before[d]);
    in_force[d] = 0
}
#define CAN_FORCE(d) (serving[d] && !in_force[d])
inline force(d)
{
    printf("db%d: the setting is in force at commit %d\n", d, lsn[d]);
    in_force[d] = 1;
    before[d] = in_pg[d];
    since[d] = lsn[d]
}
#ifdef JOINT_NO_WAY_BACK
#define BACK_ALLOWED false
#else
#define BACK_ALLOWED true
#endif
#define CAN_TURN(d) (BACK_ALLOWED && MINDS(d) && joint[decided[d]] && changes < CHANGES)
inline turn(d)
{
    changes++;
    printf("db%d turns the joint round\n", d);
    backwards[d] = 1 - backwards[d]
}

#define IN_FORCE(d) (in_force[d] && in_pg[d] == SETTING(d))
/* k of the target have flushed past `since`; the primary counts itself if listed */
#ifdef JOINT_NO_CATCHUP
#define CAUGHT_UP(d) true
#else
#define CAUGHT_UP(d) \
    (IN_FORCE(d) && \
                    (ROW(in_pg[d], d, 0, since[d]) + ROW(in_pg[d], d, 1, since[d]) + ROW(in_pg[d], d, 2, since[d]) + \
                     LISTED(in_pg[d], d) >= K(in_pg[d])))
#endif
#define STREAMS(d, j) (j != d && FOLLOWS(j, d) && JOINS(j, d))
/* The set of those in m as they are now. */
#define AS_NOW(m) ((m) | ((((m) & 1) * dir[0] + ((m) & 2) * dir[1] + ((m) & 4) * dir[2]) << 3))
#define CAN_WANT(d, m) \
    (changes < CHANGES && MINDS(d) && IN_FORCE(d) && !joint[decided[d]] && AS_NOW(m) != old[decided[d]] && \
     (!((m) & 1) || STREAMS(d, 0)) && (!((m) & 2) || STREAMS(d, 1)) && (!((m) & 4) || STREAMS(d, 2)))
inline propose(d, o, n, j)
{
    changes++;
    printf("db%d proposes the sets %d %d (joint: %d)\n", d, o, n, j);
    ch_base = 1 + decided[d];
    ch_old = o;
    ch_new = n;
    ch_joint = j;
    own[d] = 1
}
#define CAN_LEAVE(d) (changes < CHANGES && MINDS(d) && joint[decided[d]] && CAUGHT_UP(d))

/* primary.c: overtaken, repropose: the record unchanged, above the ballots that somebody has sealed for */
#ifdef SEALED_FOREVER
#define CAN_RAISE(d) false
#else
#define CAN_RAISE(d) \
    (prim[decided[d]] == d && !gone[term[decided[d]]] && !own[d] && \
     (sealed_for[0] > level[decided[d]] || sealed_for[1] > level[decided[d]] || \
      sealed_for[2] > level[decided[d]]))
#endif
inline raise(d)
{
    printf("db%d proposes its record again\n", d);
    ch_base = 1 + decided[d];
    ch_old = old[decided[d]];
    ch_new = new[decided[d]];
    ch_joint = joint[decided[d]];
    own[d] = 1
}

/* Decided, while it is still built on the newest record; its ballot lies anywhere from that one's upwards. */
#define CAN_DECIDE(lv) (ch_base == last + 1 && last < RECORDS && lv >= level[last] && lv <= attempts)
inline decide(lv)
{
    printf("the change is decided, above takeover %d\n", lv);
    last++;
    term[last] = term[last - 1];
    prim[last] = prim[last - 1];
    prim_dir[last] = prim_dir[last - 1];
    level[last] = lv;
    old[last] = ch_old;
    new[last] = ch_new;
    joint[last] = ch_joint;
    ch_base = 0;
    ch_old = 0;
    ch_new = 0;
    ch_joint = 0
}

/* ---- faults --------------------------------------------------------------------------------------- */

inline crash(d)
{
    crashes++;
    printf("host %d crashes and comes back\n", d);
    serving[d] = 0;
#ifdef SEAL_NOT_DURABLE
    sealed_for[d] = 0
#endif
}
#define CAN_GIVE_UP(d) (releases < RELEASES && MINDS(d) && !gone[serves[d]])
inline give_up(d)
{
    releases++;
    printf("db%d gives term %d up: PostgreSQL is dead\n", d, serves[d]);
    serving[d] = 0;
    gone[serves[d]] = 1
}

#define D _pid
#define RECEIVES(from) \
    :: d_step { CAN_RECEIVE(D, from) -> receive(D, from) }
#define COPIES_FROM(from) :: d_step { CAN_COPY(D, from) -> copy(D, from) }
#define SEALS(a) \
    :: d_step { CAN_SEAL(D, a) -> seal(D, a, true) } \
    :: d_step { CAN_SEAL(D, a) && swore[D] < a -> seal(D, a, false) }
#define WANTS(m) :: d_step { CAN_WANT(D, m) -> propose(D, old[decided[D]], AS_NOW(m), 1) }
#define WANTS_AT_ONCE(m) :: d_step { CAN_WANT(D, m) -> propose(D, AS_NOW(m), 0, 0) }

active [N] proctype database()
{
    ready > 0;
    do
    :: d_step { CAN_LEARN(D) -> learn(D) }
    :: d_step { CAN_PROMOTE(D) -> promote(D) }
    :: d_step { CAN_RESTART(D) -> restart(D) }
    :: d_step { serving[D] && lsn[D] < WRITES -> write(D) }
    :: d_step { CAN_ACK(D) -> ack(D) }
    RECEIVES(0) RECEIVES(1) RECEIVES(2)
#if COPIES
    COPIES_FROM(0) COPIES_FROM(1) COPIES_FROM(2)
    :: d_step { CAN_RESTORE(D) -> restore(D) }
#endif
    :: d_step { CAN_ASK(D) -> ask(D) }
    SEALS(1)
#if ATTEMPTS > 1
    SEALS(2)
#endif
#ifdef LSN_BEFORE_CUT
    :: d_step { cutting[D] -> sealed_for[D] = cutting[D]; swore[D] = cutting[D]; cutting[D] = 0 }
#endif
#if CHANGES
    :: d_step { CAN_ORDER(D) -> order(D) }
    :: d_step { CAN_FORCE(D) -> force(D) }
    :: d_step { CAN_TURN(D) -> turn(D) }
#ifdef SYNC_WITHOUT_JOINT
    WANTS_AT_ONCE(2) WANTS_AT_ONCE(4) WANTS_AT_ONCE(6)
#else
    WANTS(2) WANTS(4) WANTS(6)
#endif
    :: d_step { CAN_WANT(D, 0) -> propose(D, 0, 0, 0) }
    :: d_step { CAN_LEAVE(D) -> w = SETTING(D); propose(D, w, 0, 0); w = 0 }
#ifdef FORGET_PROPOSAL
    :: d_step { own[D] -> printf("db%d forgets its proposal\n", D); own[D] = 0 }
#endif
#endif
#ifdef RAISES
    :: d_step { CAN_RAISE(D) -> raise(D) }
#endif
#if CRASHES
    :: d_step { crashes < CRASHES -> crash(D) }
#endif
#if RELEASES
    :: d_step { CAN_GIVE_UP(D) -> give_up(D) }
#endif
    od
}

#define TAKES_WITH(a, m) \
    :: d_step { CAN_TAKE(a, m, 0) -> take(a, m, 0) } \
    :: d_step { CAN_TAKE(a, m, 1) -> take(a, m, 1) } \
    :: d_step { CAN_TAKE(a, m, 2) -> take(a, m, 2) }
#define TAKES(a) \
    TAKES_WITH(a, 1) TAKES_WITH(a, 2) TAKES_WITH(a, 3) TAKES_WITH(a, 4) \
    TAKES_WITH(a, 5) TAKES_WITH(a, 6) TAKES_WITH(a, 7)

active proctype agreement()
{
    d_step { /* the first record: term 1, primary 0, which serves */
        serving[0] = 1;
        serves[0] = 1;
        in_pg[0] = SET;
        before[0] = SET;
        in_force[0] = 1;
        ready = 1
    }
    do
    TAKES(1)
#if defined(NO_SEALING)
    TAKES_WITH(1, 0)
#endif
#if ATTEMPTS > 1
    TAKES(2)
#endif
#if CHANGES || defined(RAISES)
    :: d_step { CAN_DECIDE(0) -> decide(0) }
    :: d_step { CAN_DECIDE(1) -> decide(1) }
#if ATTEMPTS > 1
    :: d_step { CAN_DECIDE(2) -> decide(2) }
#endif
#endif
    od
}
