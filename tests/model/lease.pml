/* lease.pml: record, ballots, grants, lease, restart, RELEASE, one voter more or less (I1, I3, I4, I6).
 * What its members are and remember: lease_state.pml.
 *
 * docs/model.md tells the scope, what stands for what, and which line is which rule and which function.
 *
 * Each action is atomic, as one step of the core is.  Messages are what was ever said: whatever was sent may
 * arrive late, in any order, many times or never, so nothing needs a channel.  Time is a tick that lowers every
 * timer; an action takes none.  Members 0 and 1 are databases, 2 is a witness; all three vote.  Ballots are 0 (the
 * first record: term 1, primary 0) to B, and are numbered as they compare, not as they are begun.
 *
 *   -DB=n        ballots               -DCRASHES=n   agents that are restarted in all
 *   -DRELEASES=n terms given up        -DLONG=n      a longer lease may be asked for as well
 *   -DVOTERS=m   the primary may change the voters; they begin as the set of bits m
 *   -DLATE       answers to requests may be late            -DUNTIMED    ballots only: no grants, no clocks
 *   -DNO_CHANGES, -DNO_TAKEOVERS      the primary proposes nothing, nobody takes over
 *   -DLOSS       once, the witness is lost for good, when a takeover is undecided that only a new ballot can end
 *   -DRESTART_ALL                     once, all agents are restarted at one moment
 *   -DREACH=n    not a claim: the search must fail, and so show that n is reached (see lease_count)
 *   -DLEMMAS     the lemmas L1, L2 and L3 of the simulator (tests/sim/inv_lemmas.c) are asserted too
 *   -DNAME       leaves rule NAME out (the names of policy/mutant.h) */

#include "lease_state.pml"

/* ---- proposers: proposer.c ------------------------------------------------------------------------ */

inline drop(p)
{
    asking[p] = 0;
    got[p] = 0;
    best[p] = 0
}

#define CAN_CHANGE(p) (prim[decided[p]] == (p) && released[p] < term[decided[p]])
/* takeover.c: self_eligible.  Who judges whom dead is left open: any database may ask at any time. */
#define CAN_TAKE(p) (prim[decided[p]] != (p) || released[p] >= term[decided[p]])

inline begin(p, b, t) /* proposer.c: begin; the round is durable before use */
{
    printf("db%d begins ballot %d (takeover: %d)\n", p, b, t);
    drop(p);
    round[p] = b;
    owner[b] = p;
    takes[b] = t;
    asking[p] = b
}

inline record(at, id, up, te, pr, vo, bu, fo)
{
    printf("  ballot %d: ACCEPT of term %d, primary db%d, voters %d\n", at, te, pr, vo);
    orig[at] = id;
    parent[at] = up;
    term[at] = te;
    prim[at] = pr;
    voters[at] = vo;
    built[at] = bu;
    former[at] = fo;
    sent[at] = 1
}

inline again(b, from) /* the record found, unchanged */
{
    record(b, orig[from], parent[from], term[from], prim[from], voters[from], built[from], former[from])
}

/* proposer.c: found_above, base_record, quorum_promised */
#define BASE(p) MAX(best[p], decided[p])
#define PROMISED(p) (asking[p] && QUORUM(voters[BASE(p)], got[p]))

/* proposer.c: change_accept */
inline change(p, vs)
{
    bal = asking[p];
    top = BASE(p);
    if
    :: top > decided[p] && (term[top] != term[decided[p]] || prim[top] != p) ->
        drop(p) /* a takeover is under way */
    :: top > decided[p] && !(term[top] != term[decided[p]] || prim[top] != p) ->
        again(bal, top);
        own[p] = bal;
        drop(p)
    :: top <= decided[p] && voters[decided[p]] == vs ->
        again(bal, decided[p]);
        own[p] = bal;
        drop(p)
    :: top <= decided[p] && voters[decided[p]] != vs ->
        record(bal, bal, orig[decided[p]], term[decided[p]], p, vs, 0, 0);
        own[p] = bal;
        drop(p)
    fi;
    bal = 0;
    top = 0
}

/* proposer.c: takeover_build, on the highest record found; which database is the best sealed one is left open */
inline takeover(p, to)
{
    bal = asking[p];
    top = BASE(p);
    record(bal, bal, orig[top], term[top] + 1, to, voters[top], bal, prim[top]);
    drop(p);
    bal = 0;
    top = 0
}

#ifdef UNDECIDED_WEDGES
#define MAY_BUILD(p) (best[p] <= decided[p])
#else
#define MAY_BUILD(p) true
#endif

/* proposer.c: takeover_repropose */
#define REPROPOSES(p) (best[p] > decided[p] && term[best[p]] > term[decided[p]])
inline repropose(p)
{
    bal = asking[p];
    top = BASE(p);
    again(bal, top);
    drop(p);
    bal = 0;
    top = 0
}

/* ---- voters: acceptor.c --------------------------------------------------------------------------- */

#define RUNS(v) (g_until[v] > 0)
#define ALIVE(v) (RUNS(v) && g_term[v] >= term[decided[v]])
#define RELEASED(v) (release_known[v] == term[decided[v]])
/* policy/verdict.c: GONE or RELEASED.  UNFENCED counts as GONE (sealing protects the data: sync.pml). */
#define PROMISING(v) (RELEASED(v) || !ALIVE(v))
#ifdef NO_QUARANTINE_PROMISE
#define Q_PROMISE(v) 0
#else
#define Q_PROMISE(v) quarantine[v]
#endif
#ifdef NO_QUARANTINE_ACCEPT
#define Q_ACCEPT(v) 0
#else
#define Q_ACCEPT(v) quarantine[v]
#endif
#ifdef NO_SELF_EXEMPTION
#define EXEMPT(v, b) (!takes[b] && prim[accepted[v]] == owner[b] && !quarantine[v])
#else
#define EXEMPT(v, b) (!takes[b] && prim[accepted[v]] == owner[b])
#endif
/* acceptor.c: may_vote (the epoch of a voter that left and came back is left out) */
#define VOTES(v) (HAS(voters[decided[v]], v) && !LOST(v))

/* acceptor.c: on_prepare, promise_barred */
#define CAN_PROMISE(v, b) \
    (owner[b] != NONE && VOTES(v) && !HAS(ok[b], v) && \
     (b > promised[v] || (b == promised[v] && asking[owner[b]] == b && !HAS(got[owner[b]], v))) && \
     (EXEMPT(v, b) || (takes[b] && !Q_PROMISE(v) && PROMISING(v))))
inline promise(v, b, arrives) /* it arrives now or never: one that comes later is of the same content */
{
#ifdef LEMMAS
    CLAIM("broken: L3\n", !(takes[b] && quarantine[v]));
#endif
    printf("voter %d promises ballot %d (and its answer arrives: %d)\n", v, b, arrives);
    promised[v] = b;
    if
    :: takes[b] -> promised_takeover[v] = b
    :: else
    fi;
    if
    :: arrives && asking[owner[b]] == b ->
        got[owner[b]] = got[owner[b]] | (1 << v);
#ifndef IGNORE_ACCEPTED
        best[owner[b]] = MAX(best[owner[b]], accepted[v])
#endif
    :: else
    fi
}

#define SAME(v, b) (g_term[v] == term[b] && g_holder[v] == prim[b])
#ifdef ACCEPT_UNDER_GRANT
#define BOUND(v, b) 0
#else
#define BOUND(v, b) (RUNS(v) && !SAME(v, b))
#endif
#define KEEPS(v, b) (term[b] == term[accepted[v]] && prim[b] == prim[accepted[v]])
/* acceptor.c: accept_illegal; certify.c: takeover_justified */
#define LEGAL(v, b) \
    ((term[b] == term[decided[v]] && \
      (orig[b] == orig[decided[v]] || (owner[b] == prim[decided[v]] && parent[b] == orig[decided[v]]))) || \
     (term[b] > term[decided[v]] && built[b] > decided[v] && \
      (term[b] > term[decided[v]] + 1 || former[b] == prim[decided[v]])))
/* acceptor.c: on_accept, accept_barred */
#define CAN_ACCEPT(v, b) \
    (sent[b] && HAS(voters[b], v) && VOTES(v) && b >= promised[v] && accepted[v] != b && !BOUND(v, b) && \
     (KEEPS(v, b) || !Q_ACCEPT(v)) && LEGAL(v, b))

/* I3: what is decided at b descends from all that is decided below, and all decided above descends from it; one
 * term has one primary. */
#define DESCENDS(x, y) \
    (orig[x] == orig[y] || parent[orig[x]] == orig[y] || parent[parent[orig[x]]] == orig[y] || \
     parent[parent[parent[orig[x]]]] == orig[y])
inline chain(b)
{
    if
    :: CHOSEN(b) ->
        for (k : 0 .. BALLOTS - 1) {
            if
            :: (k == 0 || sent[k]) && CHOSEN(k) && k < b -> CLAIM("broken: I3\n", DESCENDS(b, k))
            :: (k == 0 || sent[k]) && CHOSEN(k) && k > b -> CLAIM("broken: I3\n", DESCENDS(k, b))
            :: else
            fi;
            if
            :: (k == 0 || sent[k]) && CHOSEN(k) && term[k] == term[b] ->
                CLAIM("broken: I3\n", prim[k] == prim[b])
            :: else
            fi
        }
        k = 0
    :: else
    fi
}

inline stored(v) /* any later STORE writes all there is */
{
#ifdef PROMISE_NOT_DURABLE
    d_promised[v] = promised[v];
    d_takeover[v] = promised_takeover[v];
#endif
#ifdef ACCEPT_NOT_DURABLE
    d_accepted[v] = accepted[v];
#endif
    skip
}

inline accept(v, b)
{
#ifdef LEMMAS
    CLAIM("broken: L1\n", !(g_shadow[v] && (g_shadow_term[v] != term[b] || g_shadow_holder[v] != prim[b])));
    CLAIM("broken: L3\n", !(term[b] > term[accepted[v]] && quarantine[v]));
#endif
    printf("voter %d accepts ballot %d\n", v, b);
    promised[v] = b;
    accepted[v] = b;
#ifdef PROMISE_NOT_DURABLE
    stored(v);
#endif
    ok[b] = ok[b] | (1 << v);
    chain(b)
}

/* acceptor.c: decide, from the certificate or from ACCEPTED of a quorum.  No test of grant or quarantine. */
#define CAN_LEARN(v, b) (b > decided[v] && sent[b] && term[b] >= term[decided[v]] && CHOSEN(b))
inline learn(v, b)
{
    printf("voter %d learns that ballot %d is decided (term %d, primary db%d)\n", v, b, term[b], prim[b]);
    top = decided[v];
    decided[v] = b;
    accepted[v] = MAX(accepted[v], b);
    promised[v] = MAX(promised[v], b);
    stored(v);
    if
    :: v < 2 ->
        if
        :: own[v] <= b -> own[v] = 0
        :: else
        fi;
        if
        :: asking[v] && (!takes[asking[v]] || asking[v] <= b) -> drop(v)
        :: else
        fi;
        if
        :: term[b] != term[top] || prim[b] != v ->
            hold[v * N] = 0;
            hold[v * N + 1] = 0;
            hold[v * N + 2] = 0;
            confirmed[v] = (prim[b] == v)
        :: term[b] == term[top] && prim[b] == v && owner[b] == v && b > since[v] -> confirmed[v] = 1
        :: else
        fi;
        level[v] = 0;
        lease_count(v)
    :: else
    fi;
    top = 0
}

/* ---- grants --------------------------------------------------------------------------------------- */

#ifdef GRANT_OLD_TERM
#define OF_RECORD(v, p) \
    ((term[accepted[v]] == TERM_OF(p) && prim[accepted[v]] == p) || \
     (term[decided[v]] == TERM_OF(p) && prim[decided[v]] == p))
#define BELOW_PROMISE(v, p) 0
#else
#define OF_RECORD(v, p) (term[accepted[v]] == TERM_OF(p) && prim[accepted[v]] == p)
#ifdef GRANT_AFTER_PROMISE
#define BELOW_PROMISE(v, p) (accepted[v] < promised_takeover[v] && owner[promised[v]] != p)
#else
#define BELOW_PROMISE(v, p) (accepted[v] < promised_takeover[v])
#endif
#endif
#ifdef RELEASE_NOT_FINAL
#define REFUSED(v, p) false
#else
#define REFUSED(v, p) (release_known[v] >= TERM_OF(p))
#endif

/* acceptor.c: grantable.  The request was sent in this tick; one that took longer only counts for less. */
#define CAN_GRANT(v, p) \
    (!LOST(v) && IS_PRIMARY(p) && !GAVE_UP(p) && OF_RECORD(v, p) && !BELOW_PROMISE(v, p) && !REFUSED(v, p))
#define RENEWED(v, p) (RUNS(v) && g_term[v] == TERM_OF(p) && g_holder[v] == p)
/* Would anything be another? */
#ifdef RENEWAL_SHORTENS
#define NEWS(v, p, ticks) !(RENEWED(v, p) && g_until[v] == ticks)
#else
#define NEWS(v, p, ticks) !(RENEWED(v, p) && g_until[v] >= ticks && hold[p * N + v] >= ticks - MARGIN + FENCE)
#endif

/* primary.c: record_read.  A grant to this start that says what its voter has accepted; kept until it is read. */
#ifdef READ_STALE
#define LEVEL(p, v) true
#define UNDER_WAY(p) false
#else
#define LEVEL(p, v) (accepted[v] == decided[p])
#define UNDER_WAY(p) (own[p] != 0)
#endif
#define CAN_READ(p) \
    (IS_PRIMARY(p) && !confirmed[p] && !UNDER_WAY(p) && LEVEL(p, p) && QUORUM(voters[decided[p]], level[p] | (1 << p)))
inline said_level(p, v)
{
#ifdef NO_READ
    skip
#else
    if
    :: !confirmed[p] && LEVEL(p, v) -> level[p] = level[p] | (1 << v)
    :: else
    fi
#endif
}
inline read_record(p)
{
    printf("db%d reads its record by grants\n", p);
    confirmed[p] = 1;
    level[p] = 0;
    lease_count(p)
}

/* primary.c: hold_granted; policy/lease.c: lease_voter_until.  Counted at once, by the tick in which the request was
 * sent: an answer late or lost only makes for a shorter lease, and nothing waits for a lease to be there. */
inline hear(p, v, ticks)
{
    hold[p * N + v] = MAX(hold[p * N + v], ticks - MARGIN + FENCE);
    said_level(p, v);
    lease_count(p)
}

/* policy/lease.c: grant_renew */
inline grant(v, p, ticks)
{
#ifdef LEMMAS
    CLAIM("broken: L2\n", accepted[v] >= promised_takeover[v]);
#endif
#ifdef LONGER_LEASE_READ
    k = ticks - 1;
#else
    k = ticks;
#endif
#ifndef RENEWAL_SHORTENS
    if
    :: RENEWED(v, p) -> k = MAX(k, g_until[v])
    :: else
    fi;
#endif
    printf("voter %d grants db%d term %d for %d ticks (asked: %d)\n", v, p, TERM_OF(p), k, ticks);
#ifdef LEMMAS
    g_shadow[v] = k;
    g_shadow_term[v] = TERM_OF(p);
    g_shadow_holder[v] = p;
#endif
    g_until[v] = k;
    g_term[v] = TERM_OF(p);
    g_holder[v] = p;
    k = 0;
#ifdef LATE
    g_from[v] = ticks;
    g_length[v] = ticks
#else
    hear(p, v, ticks)
#endif
}

#ifdef LATE
/* v's heartbeat tells of its grant as long as that runs: the answer may come at any time until then. */
#ifdef LEASE_FROM_RECEIPT
#define COUNTS(v) g_length[v]
#else
#define COUNTS(v) g_from[v]
#endif
#define CAN_HEAR(p, v) \
    (RUNS(v) && g_from[v] && IS_PRIMARY(p) && g_holder[v] == p && g_term[v] == TERM_OF(p) && !GAVE_UP(p) && \
     COUNTS(v) - MARGIN + FENCE > hold[p * N + v])
#endif

inline forget_grant(v)
{
    g_until[v] = 0;
#ifdef LATE
    g_from[v] = 0;
    g_length[v] = 0;
#endif
    g_term[v] = 0;
    g_holder[v] = 0
}

/* ---- RELEASE: primary.c: release_term, acceptor.c: on_release ------------------------------------- */

#define CAN_GIVE_UP(p) \
    (releases < RELEASES && prim[decided[p]] == p && released[p] < term[decided[p]] && !gone[term[decided[p]]])
inline take_release(v, t)
{
    printf("voter %d takes the RELEASE of term %d\n", v, t);
    release_known[v] = t;
#ifdef LEMMAS
    if
    :: g_shadow_term[v] == t -> g_shadow[v] = 0
    :: else
    fi;
#endif
    if
    :: g_term[v] == t -> forget_grant(v)
    :: else
    fi
}
inline give_up(p) /* every process of PostgreSQL is dead; written down before it is said */
{
    releases++;
    printf("db%d gives term %d up: PostgreSQL is dead\n", p, term[decided[p]]);
#ifndef RELEASE_NOT_FINAL
    released[p] = term[decided[p]];
    hold[p * N] = 0;
    hold[p * N + 1] = 0;
    hold[p * N + 2] = 0;
#endif
    serves[p] = 0;
    if
    :: asking[p] -> drop(p)
    :: else
    fi;
    gone[term[decided[p]]] = 1;
    take_release(p, term[decided[p]])
}
#define KNOWN(v, t) (t == term[decided[v]] || (t > term[decided[v]] && t == term[accepted[v]]))
#define CAN_TAKE_RELEASE(v, t) (gone[t] && release_known[v] < t && KNOWN(v, t))

/* ---- faults and time ------------------------------------------------------------------------------ */

/* The agent is restarted: its memory goes, the guard and PostgreSQL stay. */
inline crash(v)
{
    crashes++;
    printf("agent %d is restarted\n", v);
    forget_grant(v);
#ifdef PROMISE_NOT_DURABLE
    promised[v] = d_promised[v];
    promised_takeover[v] = d_takeover[v];
#endif
#ifdef ACCEPT_NOT_DURABLE
    accepted[v] = d_accepted[v];
#endif
#ifndef UNTIMED
    quarantine[v] = LMAX;
#endif
    if
    :: v < 2 ->
        for (k : 0 .. N - 1) { /* grants were for the former nonce */
            hold[v * N + k] = 0
#ifdef LATE
            if
            :: g_holder[k] == v -> g_from[k] = 0
            :: else
            fi
#endif
        }
        k = 0;
        confirmed[v] = 0;
        level[v] = 0;
        since[v] = round[v];
#ifdef FORGET_PROPOSAL
        own[v] = 0;
#endif
        drop(v)
    :: else
    fi
}

#define DOWN(x) x = x - (x > 0)
#define TIMED \
    (RUNS(0) || RUNS(1) || RUNS(2) || serves[0] || serves[1] || quarantine[0] || quarantine[1] || quarantine[2] || \
     hold[0] || hold[1] || hold[2] || hold[3] || hold[4] || hold[5])
inline tick()
{
    printf("-- tick\n");
    DOWN(serves[0]);
    DOWN(serves[1]);
    for (k : 0 .. N - 1) {
        DOWN(g_until[k]);
#ifdef LEMMAS
        DOWN(g_shadow[k]);
        g_shadow_term[k] = g_shadow_term[k] * (g_shadow[k] > 0);
        g_shadow_holder[k] = g_shadow_holder[k] * (g_shadow[k] > 0);
#endif
#ifdef LATE
        DOWN(g_from[k]);
#endif
        DOWN(quarantine[k]);
        DOWN(hold[k]);
        DOWN(hold[N + k]);
        if
        :: g_until[k] == 0 -> forget_grant(k)
        :: else
        fi
    }
    k = 0
}

#define BALLOT_1(X) X(1)
#if B > 1
#define BALLOT_2(X) X(2)
#else
#define BALLOT_2(X)
#endif
#if B > 2
#define BALLOT_3(X) X(3)
#else
#define BALLOT_3(X)
#endif
#if B > 3
#define BALLOT_4(X) X(4)
#else
#define BALLOT_4(X)
#endif
#define EACH(X) BALLOT_1(X) BALLOT_2(X) BALLOT_3(X) BALLOT_4(X)

#define V _pid
#define PROMISES(at) \
    :: d_step { CAN_PROMISE(V, at) -> promise(V, at, true) } \
    :: d_step { CAN_PROMISE(V, at) && at > promised[V] -> promise(V, at, false) }
#define ACCEPTS(at) :: d_step { CAN_ACCEPT(V, at) -> accept(V, at) }
#define LEARNS(at) :: d_step { CAN_LEARN(V, at) -> learn(V, at) }

active [N] proctype voter()
{
    do
    EACH(PROMISES)
    EACH(ACCEPTS)
    EACH(LEARNS)
#ifndef UNTIMED
    :: d_step { CAN_GRANT(V, 0) && NEWS(V, 0, L) -> grant(V, 0, L) }
    :: d_step { CAN_GRANT(V, 1) && NEWS(V, 1, L) -> grant(V, 1, L) }
#endif
#ifdef LONG
    :: d_step { CAN_GRANT(V, 0) && NEWS(V, 0, LONG) -> grant(V, 0, LONG) }
    :: d_step { CAN_GRANT(V, 1) && NEWS(V, 1, LONG) -> grant(V, 1, LONG) }
#endif
#ifdef LATE
    :: d_step { CAN_HEAR(0, V) -> hear(0, V, COUNTS(V)) } /* the database hears this voter's heartbeat */
    :: d_step { CAN_HEAR(1, V) -> hear(1, V, COUNTS(V)) }
#endif
#if RELEASES
    :: d_step { CAN_TAKE_RELEASE(V, 1) -> take_release(V, 1) }
    :: d_step { CAN_TAKE_RELEASE(V, 2) -> take_release(V, 2) }
#endif
#if CRASHES
    :: d_step { crashes < CRASHES -> crash(V) }
#endif
    od
}

#define P (_pid - N)
#define CHANGE_BEGINS(at) :: d_step { at > round[P] && owner[at] == NONE && CAN_CHANGE(P) -> begin(P, at, 0) }
#define TAKEOVER_BEGINS(at) :: d_step { at > round[P] && owner[at] == NONE && CAN_TAKE(P) -> begin(P, at, 1) }

/* policy/quorum.c: voters_one_step */
#ifdef VOTERS_ONE_STEP
#define ONE_STEP(p, vs) (voters[decided[p]] != vs)
#else
#define ONE_STEP(p, vs) (SIZE(voters[decided[p]] ^ vs) == 1)
#endif
#define CHANGES_VOTERS(vs) \
    :: d_step { PROMISED(P) && !takes[asking[P]] && best[P] <= decided[P] && ONE_STEP(P, vs) -> change(P, vs) }

active [2] proctype database()
{
    do
#ifndef NO_CHANGES
    EACH(CHANGE_BEGINS)
#endif
#ifndef NO_TAKEOVERS
    EACH(TAKEOVER_BEGINS)
#endif
#ifndef NO_READ
    :: d_step { CAN_READ(P) -> read_record(P) }
#endif
    :: d_step { PROMISED(P) && !takes[asking[P]] -> change(P, voters[decided[P]]) }
#ifdef VOTERS
    CHANGES_VOTERS(1)
    CHANGES_VOTERS(2)
    CHANGES_VOTERS(3)
    CHANGES_VOTERS(5)
    CHANGES_VOTERS(6)
    CHANGES_VOTERS(7)
#endif
    :: d_step { PROMISED(P) && takes[asking[P]] && MAY_BUILD(P) -> takeover(P, 0) }
    :: d_step { PROMISED(P) && takes[asking[P]] && MAY_BUILD(P) -> takeover(P, 1) }
    :: d_step { PROMISED(P) && takes[asking[P]] && MAY_BUILD(P) && REPROPOSES(P) -> repropose(P) }
#if RELEASES
    :: d_step { CAN_GIVE_UP(P) -> give_up(P) }
#endif
    od
}

active proctype time()
{
    do
    :: d_step { TIMED -> tick() }
#ifdef RESTART_ALL
    :: d_step { !restarted -> restarted = 1; crash(0); crash(1); crash(2) }
#endif
#ifdef LOSS
    :: d_step { !lost && !TIMED && accepted[1] > 0 && !CHOSEN(accepted[1]) && term[accepted[1]] > 1 && \
                promised[0] > accepted[1] && !(got[0] & 4) && !(got[1] & 4) && \
                !(B > 1 && sent[B] && B != accepted[1]) -> \
                printf("the witness is lost\n"); lost = 1 }
#endif
    od
}
