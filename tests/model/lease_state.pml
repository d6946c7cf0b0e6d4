/* lease_state.pml: what the members of lease.pml remember, what was said, and the lease that follows from it. */

#ifndef B
#define B 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef RELEASES
#define RELEASES 0
#endif
#ifndef VOTERS
#define ALL 7
#else
#define ALL VOTERS
#endif
#ifndef REACH
#define REACH 0
#endif

#define N 3
#define L 2 /* the usual lease, in ticks */
#ifdef LONG
#define LMAX LONG
#else
#define LMAX L
#endif
#define FENCE 1 /* ticks that PostgreSQL may outlive its deadline: time to fence, and the clocks' error of rate */
#ifdef NO_MARGIN
#define MARGIN 0
#else
#define MARGIN FENCE
#endif
#define NONE 3

#define BALLOTS (B + 1)

/* ---- what was proposed under each ballot (never changes once `sent`) ------------------------------ */
byte owner[BALLOTS] = NONE; /* NONE: not begun */
bit takes[BALLOTS];  /* its PREPARE was for a takeover */
bit sent[BALLOTS];   /* ACCEPT was sent */
byte term[BALLOTS] = 1;
byte prim[BALLOTS];
byte voters[BALLOTS] = ALL; /* a set of bits */
byte orig[BALLOTS];   /* the ballot that first proposed this record: its identity */
byte parent[BALLOTS]; /* identity of the record it was built on */
byte built[BALLOTS];  /* ballot of its promises (takeover) */
byte former[BALLOTS]; /* the primary it replaces (takeover) */

/* ---- statements ----------------------------------------------------------------------------------- */
byte ok[BALLOTS]; /* ACCEPTED: a set of voters, as bits */
bit gone[4];      /* RELEASE of that term */

/* ---- members: disk -------------------------------------------------------------------------------- */
byte promised[N], promised_takeover[N], accepted[N], decided[N];
byte release_known[N];    /* highest term of which it has a RELEASE */
byte released[2];         /* the databases' own: highest term given up */
byte own[2];              /* own proposal written down and not yet decided; 0: none */
byte round[2];            /* highest ballot used */
#ifdef PROMISE_NOT_DURABLE
byte d_promised[N], d_takeover[N];
#endif
#ifdef ACCEPT_NOT_DURABLE
byte d_accepted[N];
#endif

/* ---- members: memory ------------------------------------------------------------------------------ */
byte quarantine[N];                         /* ticks */
byte g_until[N];                            /* the grant: ticks that it still runs */
byte g_term[N], g_holder[N];
#ifdef LATE
byte g_from[N], g_length[N]; /* sending of the request + length: ticks left; the length that it states */
#endif
byte hold[2 * N]; /* ticks that the primary may count on that voter, FENCE included */
bit confirmed[2] = 1;
byte level[2]; /* a primary that is not confirmed: who granted it and has accepted what it knows as decided */
byte since[2];                              /* ballots up to this one are of a former start */
byte asking[2];                             /* ballot that is collecting promises; 0: none */
byte got[2], best[2]; /* whose promises arrived; the highest accepted ballot that they told of */

/* ---- the world ------------------------------------------------------------------------------------ */
#ifdef LEMMAS
byte g_shadow[N], g_shadow_term[N], g_shadow_holder[N]; /* the grant, as one sees it who forgets nothing */
#endif
byte serves[2]; /* ticks that PostgreSQL may still answer as a primary: the guard's deadline and FENCE */
byte crashes, releases;
#ifdef LOSS
bit lost; /* the witness */
#define LOST(v) (lost && (v) == 2)
#else
#define LOST(v) false
#endif
byte k, x, y, z, bal, top; /* scratch: 0 between steps */
#ifdef RESTART_ALL
bit restarted;
#else
#define restarted false
#endif

#define HAS(m, v) (((m) >> (v)) & 1)
#define SIZE(m) (((m) & 1) + (((m) >> 1) & 1) + (((m) >> 2) & 1))
#define QUORUM(vs, have) (2 * SIZE((vs) & (have)) > SIZE(vs))
#define CHOSEN(b) ((b) == 0 || QUORUM(voters[b], ok[b]))
#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define MIN(a, b) ((a) < (b) -> (a) : (b))

/* What must hold; the replay of a trail tells which did not. */
#define CLAIM(words, x) \
    if \
    :: (x) \
    :: else -> printf(words); assert(false) \
    fi

/* The record a primary acts on (goals.c: acting). */
#ifdef PROMOTE_UNDECIDED
#define ACTS(p) accepted[p]
#else
#define ACTS(p) decided[p]
#endif
#define IS_PRIMARY(p) (prim[ACTS(p)] == (p))
#define TERM_OF(p) term[ACTS(p)]
#ifdef RELEASE_NOT_FINAL
#define GAVE_UP(p) false
#else
#define GAVE_UP(p) (released[p] >= TERM_OF(p))
#endif

/* policy/quorum.c: the latest tick that a quorum of `vs` has granted to p; into k. */
#define HELD(p, vs, v) (HAS(vs, v) * hold[(p) * N + (v)])
inline quorum_until(p, vs)
{
    x = HELD(p, vs, 0);
    y = HELD(p, vs, 1);
    z = HELD(p, vs, 2);
    if
    :: x < y -> k = x; x = y; y = k
    :: else
    fi;
    if
    :: y < z -> k = y; y = z; z = k
    :: else
    fi;
    if
    :: x < y -> k = x; x = y; y = k
    :: else
    fi;
#ifdef ONE_GRANT
    k = x;
#else
    if
    :: SIZE(vs) == 1 -> k = x
    :: else -> k = y /* two of two, two of three */
    fi;
#endif
    x = 0;
    y = 0;
    z = 0
}

inline one_lease() /* I1 */
{
    CLAIM("broken: I1\n", !(serves[0] && serves[1]));
}

/* primary.c: lease_count.  Told to the guard only while it lies ahead; there is no way to shorten it. */
inline lease_count(p)
{
    quorum_until(p, voters[ACTS(p)]);
    if
    :: own[p] && voters[own[p]] != voters[ACTS(p)] ->
        bal = k;
        quorum_until(p, voters[own[p]]);
        k = MIN(k, bal);
        bal = 0
    :: else
    fi;
    if
    :: IS_PRIMARY(p) && confirmed[p] && !GAVE_UP(p) && k > FENCE && k > serves[p] ->
        serves[p] = k;
        printf("  db%d has the lease of term %d: PostgreSQL may serve for %d ticks\n", p, TERM_OF(p), k);
        CLAIM("broken: I4\n", CHOSEN(ACTS(p)));
        one_lease();
#if REACH == 1 /* a failover completes */
        CLAIM("broken: R\n", p == 0);
#elif REACH == 2 /* a lease is held again after a restart, while voters are in quarantine */
        CLAIM("broken: R\n", !(restarted && quarantine[0] && quarantine[1] && quarantine[2]));
#elif REACH == 3 /* a lease in a term after two takeovers */
        CLAIM("broken: R\n", TERM_OF(p) < 3);
#elif REACH == 4 /* the former primary serves again, after having given its term up */
        CLAIM("broken: R\n", !(p == 0 && TERM_OF(p) > 1 && released[0]));
#elif REACH == 6 /* an undecided takeover is finished, though the witness is lost */
        CLAIM("broken: R\n", !lost);
#elif REACH == 5 /* a lease on changed voters, in a new term */
        CLAIM("broken: R\n", !(TERM_OF(p) > 1 && voters[ACTS(p)] != ALL));
#endif
    :: else
    fi;
    k = 0
}

