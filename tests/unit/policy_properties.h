/* policy_properties.h: what the rules of policy/ are there for, searched exhaustively on a small scope.
 *
 * Each property answers whether it holds.  The unit tests demand that all of them do;
 * test_mutants_policy.c leaves one rule out at a time and demands that the property that rests on it
 * does not. */
#ifndef PGMESH_TESTS_UNIT_POLICY_PROPERTIES_H
#define PGMESH_TESTS_UNIT_POLICY_PROPERTIES_H

#include <stdio.h>
#include <string.h>

#include "policy/candidate.h"
#include "policy/durability.h"
#include "policy/lease.h"
#include "policy/quorum.h"
#include "policy/record.h"

/* ---- quorums ------------------------------------------------------------------------------------------- */

/* "AAB" becomes voters 1 and 2 in site a, 3 in site b. */
static inline struct voters property_voters(enum voter_rule rule, const char *layout)
{
    struct voters voters = {.rule = rule};
    for (; *layout; layout++) {
        struct voter *v = &voters.v[voters.n++];
        v->id = voters.n;
        v->epoch = 1;
        snprintf(v->site, sizeof v->site, "site-%c", *layout);
    }
    return voters;
}

/* The next way to put n voters into at most 4 sites, each way once: a site's letter first appears in
 * order.  Begin with "AAA"; false after the last. */
static inline bool property_next_layout(char *layout, int n)
{
    for (int i = n - 1; i > 0; i--) {
        char highest = 'A';
        for (int j = 0; j < i; j++)
            highest = layout[j] > highest ? layout[j] : highest;
        if (layout[i] <= highest && layout[i] < 'D') {
            layout[i]++;
            memset(layout + i + 1, 'A', (size_t)(n - 1 - i));
            return true;
        }
    }
    return false;
}

/* Bit s is set when the voters of subset s (bits of positions) reach a quorum. */
struct property_reach {
    bool reached[1 << 8];
};
static inline struct property_reach property_reach(const struct voters *voters)
{
    struct property_reach r = {0};
    for (uint32_t s = 0; s < 1u << voters->n; s++)
        r.reached[s] = quorum_reached(voters, s);
    return r;
}

/* All voters are a quorum, nobody is none, more voters never undo one, and any two meet. */
static inline bool property_quorums_sound(const struct voters *voters)
{
    struct property_reach r = property_reach(voters);
    uint32_t all = (1u << voters->n) - 1;
    if (!r.reached[all] || r.reached[0])
        return false;
    for (uint32_t s = 0; s <= all; s++)
        for (uint32_t t = 0; t <= all; t++) {
            if (r.reached[s] && r.reached[t] && (s & t) == 0)
                return false;
            if (r.reached[s] && (s & t) == s && !r.reached[t])
                return false;
        }
    return true;
}

static inline bool property_quorums_meet(void)
{
    for (int rule = RULE_MAJORITY; rule <= RULE_SITES; rule++)
        for (int n = 1; n <= 7; n++) {
            char layout[8] = "";
            memset(layout, 'A', (size_t)n);
            do {
                struct voters voters = property_voters(rule, layout);
                if (!property_quorums_sound(&voters))
                    return false;
            } while (property_next_layout(layout, n));
        }
    return true;
}

/* The voters of `all` whose bit is in `subset`. */
static inline struct voters property_subset(const struct voters *all, uint32_t subset)
{
    struct voters voters = {.rule = all->rule};
    for (unsigned i = 0; i < all->n; i++)
        if (subset >> i & 1)
            voters.v[voters.n++] = all->v[i];
    return voters;
}

/* Do all quorums of `a` and of `b` (subsets of `all`) share a member? */
static inline bool property_subsets_meet(const struct voters *all, uint32_t a, uint32_t b)
{
    struct voters va = property_subset(all, a), vb = property_subset(all, b);
    for (uint32_t s = 0; s < 1u << va.n; s++) {
        if (!quorum_reached(&va, s))
            continue;
        for (uint32_t t = 0; t < 1u << vb.n; t++) {
            bool meet = false;
            for (unsigned i = 0; i < va.n; i++)
                for (unsigned j = 0; j < vb.n; j++)
                    meet = meet || ((s >> i & 1) && (t >> j & 1) && va.v[i].id == vb.v[j].id);
            if (!meet && quorum_reached(&vb, t))
                return false;
        }
    }
    return true;
}

/* Whatever change of the voters is let through, old and new quorums meet: all changes among n members. */
static inline bool property_steps_meet_among(int n)
{
    for (int rule = RULE_MAJORITY; rule <= RULE_SITES; rule++) {
        char layout[8] = "";
        memset(layout, 'A', (size_t)n);
        do {
            struct voters all = property_voters(rule, layout);
            for (uint32_t a = 1; a < 1u << n; a++)
                for (uint32_t b = 1; b < 1u << n; b++) {
                    struct voters va = property_subset(&all, a), vb = property_subset(&all, b);
                    if (voters_one_step(&va, &vb) && !property_subsets_meet(&all, a, b))
                        return false;
                }
        } while (property_next_layout(layout, n));
    }
    return true;
}
static inline bool property_steps_meet(void)
{
    return property_steps_meet_among(5);
}

/* ---- leases -------------------------------------------------------------------------------------------- */

/* By each clock on its own, the answer is the last moment at which the voters that still hold are a
 * quorum. */
static inline bool property_until_of(const struct voters *voters, const instant until[static VOTERS_MAX])
{
    instant got = quorum_until(voters, until);
    int64_t want[2] = {0, 0};
    for (int64_t d = 1; d <= 3; d++)
        for (int raw = 0; raw < 2; raw++) {
            uint32_t have = 0;
            for (unsigned i = 0; i < voters->n; i++)
                if (!instant_is_never(until[i]) && (raw ? until[i].raw_ns : until[i].boot_ns) >= d)
                    have |= 1u << i;
            if (quorum_reached(voters, have))
                want[raw] = d;
        }
    return got.boot_ns == want[0] && got.raw_ns == want[1];
}

static inline bool property_until_needs_quorum(void)
{
    static const char *layouts[] = {"A", "AB", "AAB", "ABC", "AABC"};
    for (int rule = RULE_MAJORITY; rule <= RULE_SITES; rule++)
        for (unsigned l = 0; l < sizeof layouts / sizeof layouts[0]; l++) {
            struct voters voters = property_voters(rule, layouts[l]);
            int ways = 1;
            for (int i = 0; i < voters.n; i++)
                ways *= 10;
            for (int way = 0; way < ways; way++) {
                instant until[VOTERS_MAX] = {{0, 0}};
                for (int i = 0, rest = way; i < voters.n; i++, rest /= 10)
                    if (rest % 10 < 9) /* each reading 1, 2 or 3; 9 is never */
                        until[i] = (instant){rest % 10 / 3 + 1, rest % 10 % 3 + 1};
                if (!property_until_of(&voters, until))
                    return false;
            }
        }
    return true;
}

/* However a grant is renewed, no length that was once stated for its term ends before its time. */
static inline bool property_renewal_keeps(void)
{
    for (uint32_t first = 100; first <= 500; first += 100)
        for (uint32_t second = 100; second <= 500; second += 100)
            for (int64_t later = 0; later < first; later += 50) {
                struct grant g = {0};
                instant start = {1000000000, 2000000000};
                grant_renew(&g, 4, 1, 11, 1, first, start);
                grant_renew(&g, 4, 1, 11, 2, second, instant_add(start, span_ms(later)));
                if (!grant_runs(&g, instant_add(start, span_ms(first - 1))))
                    return false;
            }
    return true;
}

/* The holder's clock runs 1 % slow and fencing takes all of its time: over before the voter's promise
 * all the same. */
static inline bool property_margin_covers(void)
{
    instant sent = {1000000000, 2000000000};
    for (uint32_t length = 100; length <= 3000; length += 50)
        for (uint32_t fence = 0; fence <= 200; fence += 20) {
            instant until = lease_voter_until(sent, length, fence);
            if (instant_is_never(until))
                continue;
            double held = (double)(until.boot_ns - sent.boot_ns + span_ms(fence).ns);
            if (held * 1.01 > (double)span_ms(length).ns)
                return false;
        }
    return true;
}

/* ---- seals --------------------------------------------------------------------------------------------- */

enum {
    PROPERTY_FORMER = 1, /* the primary's id; the standbys are 2, 3, 4 and 5 */
    PROPERTY_STANDBYS = 4,
    PROPERTY_SETS = 33, /* a subset of the standbys and a k for it */
};
static inline dir_id property_dir(member_id id)
{
    return 100u + id;
}

/* All sync sets over the standbys, the empty one first. */
static inline struct sync_set property_set(int number)
{
    for (uint32_t subset = 0; subset < 1u << PROPERTY_STANDBYS; subset++) {
        struct sync_set set = {0};
        for (unsigned i = 0; i < PROPERTY_STANDBYS; i++)
            if (subset >> i & 1)
                sync_set_add(&set, (member_id)(PROPERTY_FORMER + 1 + i),
                             property_dir((member_id)(PROPERTY_FORMER + 1 + i)));
        int ks = set.n ? set.n : 1;
        if (number < ks) {
            set.k = set.n ? (uint8_t)(number + 1) : 0;
            return set;
        }
        number -= ks;
    }
    return (struct sync_set){0};
}

/* Is there a way to acknowledge a commit under `set` without any member of `sealed` (bits of ids) having
 * it?  The former primary always has it. */
static inline bool property_commit_missed(const struct sync_set *set, uint32_t sealed)
{
    if (sealed >> PROPERTY_FORMER & 1)
        return false;
    unsigned elsewhere = 0;
    for (unsigned i = 0; i < set->n; i++)
        elsewhere += !(sealed >> set->m[i].id & 1);
    return elsewhere >= set->k;
}

/* Each database not sealed, sealed, or sealed with another data directory: do the seals that are
 * accepted always include one that has each acknowledged commit? */
static inline bool property_seals_cover(const struct record *base)
{
    for (int way = 0; way < 3 * 3 * 3 * 3 * 3; way++) {
        struct sealed seals[PROPERTY_STANDBYS + 1];
        size_t n = 0;
        uint32_t holds = 0;
        for (int id = PROPERTY_FORMER, rest = way; id <= PROPERTY_FORMER + PROPERTY_STANDBYS;
             id++, rest /= 3) {
            if (rest % 3 == 0)
                continue;
            bool recloned = rest % 3 == 2;
            seals[n++] = (struct sealed){.id = (member_id)id,
                                         .dir = property_dir((member_id)id) + (recloned ? 1000 : 0)};
            holds |= recloned ? 0 : 1u << id;
        }
        if (!seals_suffice(base, seals, n))
            continue;
        if (property_commit_missed(&base->sync[0], holds) ||
            (base->joint && property_commit_missed(&base->sync[1], holds)))
            return false;
    }
    return true;
}

static inline bool property_seals_keep_commits(void)
{
    struct record base = {
        .durability = DURABILITY_SYNC, .primary = PROPERTY_FORMER, .primary_dir = property_dir(1)};
    for (int a = 0; a < PROPERTY_SETS; a++) {
        base.joint = false;
        base.sync[0] = property_set(a);
        base.sync[1] = (struct sync_set){0};
        if (!property_seals_cover(&base))
            return false;
        base.joint = true;
        for (int b = 0; b < PROPERTY_SETS; b++) {
            base.sync[1] = property_set(b);
            if (!property_seals_cover(&base))
                return false;
        }
    }
    return true;
}

/* Among those eligible, the first in order has all the WAL that any of them has. */
static inline bool property_best_is_chosen(void)
{
    for (unsigned way = 0; way < 1u << 12; way++) {
        struct candidate c[2];
        for (unsigned i = 0; i < 2; i++) {
            unsigned bits = way >> (6 * i);
            c[i] = (struct candidate){
                .sealed = {.id = (member_id)(i + 1), .wal_term = 1 + (bits & 1), .lsn = 1 + (bits >> 1 & 1)},
                .eligible = true,
                .named = bits >> 2 & 1,
                .backlog_bytes = bits >> 3 & 1,
                .same_site = bits >> 4 & 1,
                .priority = bits >> 5 & 1};
        }
        int cmp = candidate_cmp(&c[0], &c[1], NULL);
        const struct candidate *best = cmp < 0 ? &c[0] : &c[1], *other = cmp < 0 ? &c[1] : &c[0];
        if (sealed_cmp(&best->sealed, &other->sealed) < 0)
            return false;
    }
    return true;
}

/* ---- records ------------------------------------------------------------------------------------------- */

static inline struct record property_record(void)
{
    struct record r = {.version = 7,
                       .term = 3,
                       .primary = PROPERTY_FORMER,
                       .primary_dir = property_dir(PROPERTY_FORMER),
                       .timeline = 5,
                       .durability = DURABILITY_SYNC,
                       .voters = property_voters(RULE_MAJORITY, "ABC"),
                       .n_databases = 5,
                       .databases = {1, 2, 3, 4, 5},
                       .lease_ms_max = 600,
                       .system_id = 77,
                       .n_history = 1,
                       .history = {{.timeline = 5, .switch_lsn = 0, .term = 3}}};
    return r;
}

/* States of `sync` over two standbys: first the plain ones, then the joints of any two. */
enum { PROPERTY_SMALL = 4, PROPERTY_STATES = PROPERTY_SMALL + PROPERTY_SMALL * PROPERTY_SMALL };
static inline void property_sync_state(struct record *r, int number)
{
    static const struct sync_set small[PROPERTY_SMALL] = {
        {0},
        {.k = 1, .n = 1, .m = {{2, 102}}},
        {.k = 1, .n = 2, .m = {{2, 102}, {3, 103}}},
        {.k = 2, .n = 2, .m = {{2, 102}, {3, 103}}},
    };
    r->joint = number >= PROPERTY_SMALL;
    r->sync[0] = small[r->joint ? (number - PROPERTY_SMALL) / PROPERTY_SMALL : number];
    r->sync[1] = small[r->joint ? (number - PROPERTY_SMALL) % PROPERTY_SMALL : 0];
}

/* Takeovers from the old and from the new record both cover what was acknowledged under a set that both
 * count: so some set that counts before counts afterwards, unless nobody counts afterwards, to which
 * strict comes only out of a joint. */
static inline bool property_sync_changes_by_joint(void)
{
    for (int d = DURABILITY_SYNC; d <= DURABILITY_STRICT; d++)
        for (int a = 0; a < PROPERTY_STATES; a++)
            for (int b = 0; b < PROPERTY_STATES; b++) {
                struct record from = property_record();
                from.durability = d;
                property_sync_state(&from, a);
                struct record to = from;
                to.version++;
                property_sync_state(&to, b);
                if (record_classify(&from, &to, NULL) != CHANGE_KEEP)
                    continue;
                bool kept = false;
                for (int i = 0; i <= from.joint; i++)
                    for (int j = 0; j <= to.joint; j++)
                        kept = kept || sync_set_equal(&from.sync[i], &to.sync[j]);
                bool emptied = !to.joint && to.sync[0].n == 0;
                if (!kept && !(emptied && (d == DURABILITY_SYNC || from.joint)))
                    return false;
            }
    return true;
}

static inline bool property_takeover_keeps_sync(void)
{
    for (int a = 0; a < PROPERTY_STATES; a++)
        for (int b = 0; b < PROPERTY_STATES; b++) {
            struct record from = property_record();
            property_sync_state(&from, a);
            struct record to = from;
            to.version++;
            to.term++;
            to.primary = 2;
            to.primary_dir = property_dir(2);
            to.timeline = 6;
            to.history[to.n_history++] =
                (struct history_row){.timeline = 6, .switch_lsn = 100, .term = to.term};
            property_sync_state(&to, b);
            if ((record_classify(&from, &to, NULL) == CHANGE_TAKEOVER) != (a == b))
                return false;
        }
    return true;
}

#endif
