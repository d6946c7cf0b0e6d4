/* Durability: how many seals of a set are wanted, and when they suffice for a takeover. */
#include "tests/unit/policy_properties.h"
#include "tests/unit/suite.h"

// clang-format off
#define MEMBERS(...) (sizeof(struct sync_member[]){__VA_ARGS__} / sizeof(struct sync_member))
#define SET(k_, ...) {.k = k_, .n = MEMBERS(__VA_ARGS__), .m = {__VA_ARGS__}}
#define B {2, 102}
#define C {3, 103}
#define D {4, 104}
#define SEAL(id_, dir_) {.id = id_, .dir = dir_, .wal_term = 1, .timeline = 1, .lsn = 100}
// clang-format on

static const struct missing_row {
    const char *name;
    struct sync_set set;
    struct sealed seals[4];
    size_t n;
    unsigned missing;
} missing_rows[] = {
    {"empty set: nobody can", {0}, {SEAL(2, 102)}, 1, SYNC_MAX + 1},
    {"empty set, no seals", {0}, {{0}}, 0, SYNC_MAX + 1},
    {"1 of 1, unsealed", SET(1, B), {{0}}, 0, 1},
    {"1 of 1, sealed", SET(1, B), {SEAL(2, 102)}, 1, 0},
    {"1 of 2 wants both", SET(1, B, C), {SEAL(2, 102)}, 1, 1},
    {"1 of 2, none", SET(1, B, C), {{0}}, 0, 2},
    {"1 of 2, both", SET(1, B, C), {SEAL(2, 102), SEAL(3, 103)}, 2, 0},
    {"2 of 2 wants one", SET(2, B, C), {SEAL(3, 103)}, 1, 0},
    {"2 of 3 wants two", SET(2, B, C, D), {SEAL(3, 103)}, 1, 1},
    {"2 of 3, two", SET(2, B, C, D), {SEAL(3, 103), SEAL(4, 104)}, 2, 0},
    {"1 of 3 wants all", SET(1, B, C, D), {SEAL(3, 103), SEAL(4, 104)}, 2, 1},
    {"more than wanted", SET(2, B, C), {SEAL(2, 102), SEAL(3, 103)}, 2, 0},
    {"the same one twice counts once", SET(1, B, C), {SEAL(2, 102), SEAL(2, 102)}, 2, 1},
    {"another data directory does not count", SET(1, B), {SEAL(2, 999)}, 1, 1},
    {"another member's data directory does not count", SET(1, B), {SEAL(3, 102)}, 1, 1},
    {"no data directory matches none", {.k = 1, .n = 1, .m = {{2, 0}}}, {SEAL(2, 0)}, 1, 1},
    {"both directories of one member sworn", SET(1, B), {SEAL(2, 999), SEAL(2, 102)}, 2, 0},
    {"a stranger does not count", SET(1, B), {SEAL(9, 109)}, 1, 1},
    {"what lies behind the count means nothing", {.k = 1, .n = 1, .m = {B, C}}, {SEAL(3, 103)}, 1, 1},
    {"k above n never wants less than one", {.k = 3, .n = 1, .m = {B}}, {{0}}, 0, 1},
};

START_TEST(missing)
{
    const struct missing_row *row = &missing_rows[_i];
    EXPECT_INT(seals_missing(&row->set, row->seals, row->n), row->missing, row);
}
END_TEST

/* The record's primary is member 1 with directory 101, unless the row has none. */
static const struct suffice_row {
    const char *name;
    enum durability durability;
    bool joint, nobody;
    struct sync_set sync[2];
    struct sealed seals[4];
    size_t n;
    bool suffice;
} suffice_rows[] = {
    {"async wants none", DURABILITY_ASYNC, false, false, {SET(1, B, C)}, {{0}}, 0, true},
    {"sync wants its set", DURABILITY_SYNC, false, false, {SET(1, B, C)}, {SEAL(2, 102)}, 1, false},
    {"strict wants its set", DURABILITY_STRICT, false, false, {SET(1, B, C)}, {SEAL(2, 102)}, 1, false},
    {"sync has its set",
     DURABILITY_SYNC,
     false,
     false,
     {SET(1, B, C)},
     {SEAL(2, 102), SEAL(3, 103)},
     2,
     true},
    {"strict has its set",
     DURABILITY_STRICT,
     false,
     false,
     {SET(1, B, C)},
     {SEAL(2, 102), SEAL(3, 103)},
     2,
     true},
    {"the former primary by itself", DURABILITY_SYNC, false, false, {SET(1, B, C)}, {SEAL(1, 101)}, 1, true},
    {"the former primary, cloned anew",
     DURABILITY_SYNC,
     false,
     false,
     {SET(1, B, C)},
     {SEAL(1, 999)},
     1,
     false},
    {"the former primary's directory at another",
     DURABILITY_SYNC,
     false,
     false,
     {SET(1, B, C)},
     {SEAL(4, 101)},
     1,
     false},
    {"empty set: nobody else", DURABILITY_SYNC, false, false, {{0}}, {SEAL(2, 102), SEAL(3, 103)}, 2, false},
    {"empty set: the former primary", DURABILITY_SYNC, false, false, {{0}}, {SEAL(1, 101)}, 1, true},
    {"empty set under strict: nobody else", DURABILITY_STRICT, false, false, {{0}}, {SEAL(2, 102)}, 1, false},
    {"empty set under async", DURABILITY_ASYNC, false, false, {{0}}, {{0}}, 0, true},
    {"nobody named, nobody's seal is the former primary's",
     DURABILITY_SYNC,
     false,
     true,
     {SET(1, B)},
     {SEAL(0, 0)},
     1,
     false},
    {"joint: the first set alone",
     DURABILITY_SYNC,
     true,
     false,
     {SET(1, B), SET(1, C)},
     {SEAL(2, 102)},
     1,
     false},
    {"joint: the second set alone",
     DURABILITY_SYNC,
     true,
     false,
     {SET(1, B), SET(1, C)},
     {SEAL(3, 103)},
     1,
     false},
    {"joint: both sets",
     DURABILITY_SYNC,
     true,
     false,
     {SET(1, B), SET(1, C)},
     {SEAL(2, 102), SEAL(3, 103)},
     2,
     true},
    {"joint: one seal in both",
     DURABILITY_SYNC,
     true,
     false,
     {SET(1, B), SET(2, B, C)},
     {SEAL(2, 102)},
     1,
     true},
    {"joint from the empty set", DURABILITY_SYNC, true, false, {{0}, SET(1, B)}, {SEAL(2, 102)}, 1, false},
    {"joint: the former primary satisfies both",
     DURABILITY_SYNC,
     true,
     false,
     {{0}, SET(1, B)},
     {SEAL(1, 101)},
     1,
     true},
    {"no joint: the second set means nothing",
     DURABILITY_SYNC,
     false,
     false,
     {SET(1, B), SET(1, C)},
     {SEAL(2, 102)},
     1,
     true},
};

START_TEST(suffice)
{
    const struct suffice_row *row = &suffice_rows[_i];
    struct record base = {.durability = row->durability,
                          .joint = row->joint,
                          .primary = row->nobody ? MEMBER_NONE : 1,
                          .primary_dir = row->nobody ? 0 : 101,
                          .sync = {row->sync[0], row->sync[1]}};
    EXPECT_INT(seals_suffice(&base, row->seals, row->n), row->suffice, row);
}
END_TEST

static const struct cmp_row {
    const char *name;
    struct sealed a, b;
    int sign;
} cmp_rows[] = {
    {"the same", {.wal_term = 2, .lsn = 5}, {.wal_term = 2, .lsn = 5}, 0},
    {"the term comes first", {.wal_term = 3, .lsn = 5}, {.wal_term = 2, .lsn = 9}, 1},
    {"then the LSN", {.wal_term = 2, .lsn = 5}, {.wal_term = 2, .lsn = 9}, -1},
    {"terms of more than 32 bits", {.wal_term = 1ull << 40, .lsn = 5}, {.wal_term = 1, .lsn = 5}, 1},
    {"LSNs of more than 32 bits", {.wal_term = 2, .lsn = 1ull << 40}, {.wal_term = 2, .lsn = 1}, 1},
    {"the timeline's number says nothing",
     {.timeline = 9, .wal_term = 2, .lsn = 5},
     {.timeline = 1, .wal_term = 2, .lsn = 6},
     -1},
};

START_TEST(compared)
{
    const struct cmp_row *row = &cmp_rows[_i];
    int cmp = sealed_cmp(&row->a, &row->b), back = sealed_cmp(&row->b, &row->a);
    EXPECT_INT((cmp > 0) - (cmp < 0), row->sign, row);
    EXPECT_INT((back > 0) - (back < 0), -row->sign, row);
}
END_TEST

START_TEST(accepted_seals_have_every_acknowledged_commit)
{
    ck_assert(property_seals_keep_commits());
}
END_TEST

/* Seals that suffice are wanted for something: n - k of each set never do, whichever they are. */
START_TEST(one_seal_fewer_never_suffices)
{
    for (int number = 1; number < PROPERTY_SETS; number++) {
        struct sync_set set = property_set(number);
        for (uint32_t subset = 0; subset < 1u << set.n; subset++) {
            struct sealed seals[SYNC_MAX];
            unsigned n = 0;
            for (unsigned i = 0; i < set.n; i++)
                if (subset >> i & 1)
                    seals[n++] = (struct sealed){.id = set.m[i].id, .dir = set.m[i].dir};
            unsigned wanted = set.n - set.k + 1u;
            ck_assert_uint_eq(seals_missing(&set, seals, n), n >= wanted ? 0 : wanted - n);
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("durability");
    TCase *tcase = suite_case(suite, "durability");
    tcase_add_loop_test(tcase, missing, 0, ROWS(missing_rows));
    tcase_add_loop_test(tcase, suffice, 0, ROWS(suffice_rows));
    tcase_add_loop_test(tcase, compared, 0, ROWS(cmp_rows));
    tcase_add_test(tcase, accepted_seals_have_every_acknowledged_commit);
    tcase_add_test(tcase, one_seal_fewer_never_suffices);
    return suite_run(suite);
}
