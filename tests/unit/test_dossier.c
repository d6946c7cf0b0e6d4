/* A certificate verified offline: a good one holds, and every damage is named (invariant I4, as anybody can check it). */
// LINK: mesh/inspect/dossier.c
#include "mesh/inspect/dossier.h"
#include "mesh/io/cluster.h"
#include "tests/unit/suite.h"

#include <string.h>

enum { DB1 = 1, DB2, DB3, WIT1, OPERATOR, MEMBERS };

static struct cluster cluster;
static struct secret_key secrets[MEMBERS];
static struct certificate made, earlier;
static const struct certificate *before; /* at hand; NULL: none */
static int n_before;
static struct dossier dossier;

static void member(int id, const char *name, enum role role, const char *site)
{
    struct cluster_member *m = &cluster.members[id - 1];
    uint8_t seed[32] = {(uint8_t)id};
    m->member.id = (member_id)id;
    strcpy(m->member.name, name);
    strcpy(m->member.site, site);
    m->member.role = role;
    sign_keypair(m->member.key, &secrets[id], seed);
}

static void cluster_make(void)
{
    struct record *r = &cluster.first;
    memset(&cluster, 0, sizeof cluster);
    strcpy(cluster.name, "orders");
    cluster.n = MEMBERS - 1;
    member(DB1, "db1", ROLE_DATABASE, "fra");
    member(DB2, "db2", ROLE_DATABASE, "fra");
    member(DB3, "db3", ROLE_DATABASE, "ams");
    member(WIT1, "wit1", ROLE_WITNESS, "lux");
    member(OPERATOR, "operator", ROLE_ADMIN, "fra");
    r->nonce[0] = 7;
    r->version = r->term = 1;
    r->primary = DB1;
    r->primary_dir = 11;
    r->durability = DURABILITY_SYNC;
    r->lease_ms_max = 3000;
    r->n_databases = 3;
    r->voters.n = 4;
    for (int i = 0; i < 4; i++) {
        r->voters.v[i].id = (member_id)(i + 1);
        memcpy(r->voters.v[i].key, cluster.members[i].member.key, KEY_SIZE);
        strcpy(r->voters.v[i].site, cluster.members[i].member.site);
    }
    for (int i = 0; i < 3; i++)
        r->databases[i] = (member_id)(i + 1);
    record_cluster_id(&cluster.id, r);
}

/* ---- statements ---- */

static void sign(uint8_t signature[static SIGNATURE_SIZE], int who, const uint8_t *bytes, size_t n)
{
    sign_make(signature, &secrets[who], bytes, n);
}

static void promise(int i)
{
    struct promise *p = &made.proposal.why.promises[i];
    uint8_t bytes[STATEMENT_MAX];
    sign(p->signature, p->who, bytes, promise_bytes(bytes, &cluster.id, p));
}

static void seal(int i)
{
    struct sealed_statement *s = &made.proposal.why.seals[i];
    uint8_t bytes[STATEMENT_MAX];
    sign(s->signature, s->sealed.id, bytes, sealed_bytes(bytes, &cluster.id, s));
}

static void accept_all(void)
{
    for (int i = 0; i < made.n_accepted; i++) {
        struct accepted *a = &made.accepted[i];
        uint8_t bytes[STATEMENT_MAX];
        a->ballot = made.proposal.ballot;
        record_hash(a->record_hash, &made.proposal.record);
        sign(a->signature, a->who, bytes, accepted_bytes(bytes, &cluster.id, a));
    }
}

/* db1 is lost in term 1; db2 takes over, with db3 sealed 40 bytes behind. */
static void takeover_make(void)
{
    const struct ballot ballot = {.round = 5, .nonce = 77, .member = DB2};
    struct record *r = &made.proposal.record;
    struct justification *w = &made.proposal.why;
    memset(&made, 0, sizeof made);
    *r = cluster.first;
    r->version = 3;
    r->term = 2;
    r->primary = DB2;
    r->primary_dir = 22;
    r->timeline = 2;
    r->system_id = 1234;
    r->n_history = 2;
    r->history[0] = (struct history_row){1, 0, 1};
    r->history[1] = (struct history_row){2, 5040, 2};
    r->sync[0] = (struct sync_set){.k = 1, .n = 2, .m = {{DB2, 22}, {DB3, 33}}};
    made.proposal.ballot = w->built = ballot;
    w->takeover = true;
    w->former = DB1;
    w->former_dir = 11;
    for (int i = 0; i < 3; i++) {
        w->promises[w->n_promises++] = (struct promise){.who = (member_id)(DB2 + i),
                                                        .ballot = ballot,
                                                        .takeover = true,
                                                        .term = 1,
                                                        .verdict = VERDICT_GONE,
                                                        .silent_ms = 10};
        made.accepted[made.n_accepted++].who = (member_id)(DB2 + i);
        promise(i);
    }
    for (int i = 0; i < 2; i++) {
        w->seals[w->n_seals++] = (struct sealed_statement){.ballot = ballot,
                                                           .sealed = {.id = (member_id)(DB2 + i),
                                                                      .dir = i == 0 ? 22 : 33,
                                                                      .wal_term = 1,
                                                                      .timeline = 1,
                                                                      .lsn = (lsn_t)(5040 - 40 * i)},
                                                           .timeline_max = 1};
        seal(i);
    }
    accept_all();
}

static void verify(void)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    size_t n = wire_put_decided(bytes, &made);
    ck_assert(dossier_read(&dossier, bytes, n, before, before != NULL ? n_before : 0, &cluster));
}

static void setup(void)
{
    cluster_make();
    takeover_make();
    before = NULL;
    n_before = 1;
}

static void promise_all(void)
{
    for (int i = 0; i < made.proposal.why.n_promises; i++)
        promise(i);
}

/* The takeover of term 2 as that of term 3, of which the first record knows nothing; `earlier`, of term 2, would. */
static void takeover_of_term_3(void)
{
    struct record *r = &made.proposal.record;
    const struct certificate third = made;
    for (int i = 0; i < made.n_accepted; i++)
        made.accepted[i].who = third.accepted[i].who;
    memset(&made.proposal.why, 0, sizeof made.proposal.why);
    made.proposal.ballot.round = 4;
    r->version = 2;
    r->term = 2;
    r->primary = DB1;
    r->primary_dir = 11;
    r->timeline = 1;
    r->n_history = 1;
    r->history[0] = (struct history_row){1, 0, 2};
    accept_all();
    earlier = made;
    made = third;
    r->term = 3;
    r->history[0].term = 2;
    r->history[1].term = 3;
    for (int i = 0; i < made.proposal.why.n_promises; i++)
        made.proposal.why.promises[i].term = 2;
    promise_all();
    accept_all();
}

START_TEST(a_good_one_holds)
{
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert_int_eq(dossier.kind, DOSSIER_FAILOVER);
    ck_assert(dossier.accepted_quorum && dossier.promised_quorum && dossier.seals_enough);
    ck_assert_uint_eq(dossier.seals_needed[0], 2);
    ck_assert_uint_eq(dossier.promised, 0xE);
    ck_assert_int_eq(dossier.chosen, 0);
    ck_assert(!dossier.former_sealed);
    ck_assert_str_eq(dossier_because(&dossier, 1, &cluster), "wal");
}
END_TEST

START_TEST(the_first_record_stands_by_the_roots_word)
{
    memset(&made, 0, sizeof made);
    made.proposal.record = cluster.first;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert_int_eq(dossier.kind, DOSSIER_FIRST);
}
END_TEST

START_TEST(garbage_is_no_certificate)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    size_t n = wire_put_decided(bytes, &made);
    for (size_t cut = 0; cut < n; cut++)
        ck_assert(!dossier_read(&dossier, bytes, cut, NULL, 0, &cluster));
}
END_TEST

/* ---- damages: each changes one thing, signs what it may, and is named ---- */

// clang-format off
static void forged_promise(void) { made.proposal.why.promises[1].signature[5] ^= 1; }
static void promise_of_another_ballot(void) { made.proposal.why.promises[1].ballot.round++; promise(1); }
static void promise_on_alive(void) { made.proposal.why.promises[1].verdict = VERDICT_ALIVE; promise(1); }
static void altered_evidence(void) { made.proposal.why.promises[1].silent_ms = 9999; }
static void one_promise_missing(void) { made.proposal.why.n_promises = 2; }
static void one_promise_twice(void) { made.proposal.why.promises[2] = made.proposal.why.promises[1]; }
static void promise_of_a_stranger(void) { made.proposal.why.promises[2].who = OPERATOR; promise(2); }
static void forged_seal(void) { made.proposal.why.seals[1].sealed.lsn = 1; }
static void one_seal_missing(void) { made.proposal.why.n_seals = 1; }
static void new_primary_not_sealed(void) { made.proposal.why.seals[0] = made.proposal.why.seals[1]; }
static void better_one_passed_over(void) { made.proposal.why.seals[1].sealed.lsn = 6000; seal(1); }
static void another_directory(void) { made.proposal.why.seals[1].sealed.dir = 34; seal(1); }
static void one_accepted_missing(void) { made.n_accepted = 2; }
static void accepted_another_record(void) { made.accepted[0].record_hash[0] ^= 1; }
static void record_altered(void) { made.proposal.record.paused = true; }
static void another_former(void) { made.proposal.why.former = DB2; }
static void another_former_directory(void) { made.proposal.why.former_dir ^= 1; }
static void takeover_denied(void) { made.proposal.why.takeover = false; }
static void promised_later(void)
{
    struct justification *w = &made.proposal.why;
    w->built.round++;
    for (int i = 0; i < w->n_promises; i++)
        w->promises[i].ballot = w->built;
    for (int i = 0; i < w->n_seals; i++)
        w->seals[i].ballot = w->built;
    promise_all();
    seal(0);
    seal(1);
}
static void no_takeover_of_the_record_before(void) { made.proposal.record.version = 2; made.proposal.record.lease_ms_max++; accept_all(); }
static void foreign_cluster(void) { made.proposal.record.nonce[0]++; accept_all(); }
static void key_not_certified(void) { made.proposal.record.voters.v[3].key[0] ^= 1; accept_all(); }
static void forged_command(void)
{
    made.proposal.why.has_command = true;
    made.proposal.why.command = (struct command){.who = OPERATOR, .kind = COMMAND_FAILOVER, .target = DB2};
}
static void command_of_a_member(void)
{
    uint8_t bytes[STATEMENT_MAX];
    struct command *m = &made.proposal.why.command;
    forged_command();
    m->who = WIT1;
    sign(m->signature, WIT1, bytes, command_bytes(bytes, &cluster.id, m));
}

static void command_make(enum command_kind kind, uint64_t term)
{
    uint8_t bytes[STATEMENT_MAX];
    struct command *m = &made.proposal.why.command;
    forged_command();
    m->kind = kind;
    m->term = term;
    sign(m->signature, OPERATOR, bytes, command_bytes(bytes, &cluster.id, m));
}
static void command_of_another_kind(void) { command_make(COMMAND_PAUSE, 1); }
static void command_given_later(void) { command_make(COMMAND_FAILOVER, 2); }

static const struct damage_row {
    const char *name;
    void (*damage)(void);
    const char *wrong;
} damages[] = {
    {"forged promise", forged_promise, "the promise of db3"},
    {"promise of another ballot", promise_of_another_ballot, "the promise of db3"},
    {"promise on ALIVE", promise_on_alive, "the promise of db3"},
    {"altered evidence", altered_evidence, "the promise of db3"},
    {"one promise missing", one_promise_missing, "those who promised are no quorum"},
    {"one promise twice", one_promise_twice, "those who promised are no quorum"},
    {"promise of no voter", promise_of_a_stranger, "the promise of operator"},
    {"forged seal", forged_seal, "the seal of db3"},
    {"one seal missing", one_seal_missing, "the seals do not prove"},
    {"new primary not sealed", new_primary_not_sealed, "the new primary is not sealed"},
    {"better one passed over", better_one_passed_over, "db3 was sealed ahead"},
    {"sealed with another directory", another_directory, "the seals do not prove"},
    {"one acceptance missing", one_accepted_missing, "those who accepted are no quorum"},
    {"accepted another record", accepted_another_record, "the acceptance of db2"},
    {"record altered afterwards", record_altered, "the acceptance of db2"},
    {"foreign cluster", foreign_cluster, "belongs to another cluster"},
    {"a voter's key not certified", key_not_certified, "voter 4 has no certificate"},
    {"forged command", forged_command, "the operator's command"},
    {"command of a member", command_of_a_member, "the operator's command"},
    {"command that orders something else", command_of_another_kind, "orders no takeover"},
    {"command that was given later", command_given_later, "was given later"},
    {"another former primary", another_former, "the primary before was db1"},
    {"another directory of the former primary", another_former_directory, "the data directory of the primary before"},
    {"a takeover that says it is none", takeover_denied, "it is no takeover, and shows"},
    {"promises and seals of a later ballot", promised_later, "were given later"},
    {"no takeover of the record before", no_takeover_of_the_record_before, "it is no takeover of the record before"},
};
// clang-format on

START_TEST(a_damage_is_named)
{
    const struct damage_row *row = &damages[_i];
    row->damage();
    verify();
    EXPECT(!dossier.valid, row);
    ck_assert_msg(strstr(dossier.wrong, row->wrong) != NULL, "row \"%s\": it says \"%s\"", row->name,
                  dossier.wrong);
}
END_TEST

START_TEST(an_operator_may_accept_loss)
{
    uint8_t bytes[STATEMENT_MAX];
    struct command *m = &made.proposal.why.command;
    forged_command();
    m->allow_data_loss = true;
    m->term = 1;
    sign(m->signature, OPERATOR, bytes, command_bytes(bytes, &cluster.id, m));
    made.proposal.why.n_seals = 1;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(!dossier.seals_enough && dossier.command_holds);
}
END_TEST

/* ---- what no signature says ---- */

START_TEST(the_certificate_from_before_proves_the_former_primary)
{
    takeover_of_term_3();
    before = &earlier;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    for (int i = 0; i < DOUBTS; i++)
        ck_assert_str_eq(dossier.doubt[i], "");
    ck_assert(dossier_kind_proven(&dossier));
    made.proposal.why.former = DB3;
    verify();
    ck_assert(!dossier.valid);
    ck_assert_str_eq(dossier.wrong, "the primary before was db1");
}
END_TEST

START_TEST(without_it_nothing_rests_on_him)
{
    takeover_of_term_3();
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(dossier.doubt[DOUBT_FORMER][0] != '\0' && !dossier_kind_proven(&dossier));
    ck_assert(dossier.seals_enough);
    ck_assert_str_eq(dossier.doubt[DOUBT_SEALS], "");
    /* db2 alone is sealed: enough only for whoever believes that it was the primary itself. */
    made.proposal.why.n_seals = 1;
    made.proposal.why.former = DB2;
    made.proposal.why.former_dir = 22;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(!dossier.seals_enough && dossier.doubt[DOUBT_SEALS][0] != '\0');
    before = &earlier;
    verify();
    ck_assert(!dossier.valid);
}
END_TEST

START_TEST(one_from_before_must_hold_itself)
{
    takeover_of_term_3();
    earlier.accepted[0].signature[3] ^= 1;
    before = &earlier;
    verify();
    ck_assert(dossier.valid && dossier.doubt[DOUBT_FORMER][0] != '\0');
}
END_TEST

/* Promises and seals of a takeover beside another record of its primary. */
START_TEST(promises_and_seals_of_another_record)
{
    struct record *r = &made.proposal.record;
    made.proposal.ballot.round = 9;
    r->version = 8;
    accept_all();
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(strstr(dossier.doubt[DOUBT_KIND], "was the takeover") != NULL);
    r->history[1].switch_lsn++;
    accept_all();
    verify();
    ck_assert(strstr(dossier.doubt[DOUBT_KIND], "of this term") != NULL);
}
END_TEST

START_TEST(an_order_of_long_ago)
{
    takeover_of_term_3();
    command_make(COMMAND_FAILOVER, 1);
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(dossier.doubt[DOUBT_ORDER][0] != '\0');
    command_make(COMMAND_FAILOVER, 2);
    verify();
    ck_assert_str_eq(dossier.doubt[DOUBT_ORDER], "");
}
END_TEST

START_TEST(a_change_is_one_after_another_of_its_term)
{
    takeover_of_term_3();
    made = earlier;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert_int_eq(dossier.kind, DOSSIER_CHANGE);
    ck_assert(dossier.doubt[DOUBT_KIND][0] != '\0');
    before = &earlier;
    made.proposal.record.version++;
    accept_all();
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(dossier_kind_proven(&dossier));
}
END_TEST

/* ---- who the voters were ---- */

/* wit1's key is in wrong hands: a record that names it alone, and says whatever one likes. */
static void alone(void)
{
    struct record *r = &made.proposal.record;
    takeover_of_term_3();
    r->voters.v[0] = r->voters.v[3];
    r->voters.n = 1;
    made.proposal.why.promises[0] = made.proposal.why.promises[2];
    made.proposal.why.n_promises = 1;
    made.accepted[0].who = WIT1;
    made.n_accepted = 1;
    accept_all();
}

START_TEST(a_voter_that_is_said_to_be_the_only_one)
{
    alone();
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(!dossier_voters_proven(&dossier));
    ck_assert(!dossier_former_proven(&dossier) && !dossier_kind_proven(&dossier));
    ck_assert(!dossier.seals_enough && dossier.doubt[DOUBT_SEALS][0] != '\0');
    ck_assert(strstr(dossier.doubt[DOUBT_VOTERS], "in the cluster file") != NULL);
    before = &earlier; /* it knows better, though it is a good one */
    verify();
    ck_assert(!dossier_voters_proven(&dossier));
    ck_assert(strstr(dossier.doubt[DOUBT_VOTERS], "in the certificate from before") != NULL);
}
END_TEST

/* The first record had db1 alone, which admitted the others in term 2 and was lost. */
static void others_admitted(void)
{
    takeover_of_term_3();
    cluster.first.voters.n = 1;
}

START_TEST(voters_of_later_are_proven_by_the_certificate_from_before)
{
    others_admitted();
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(!dossier_voters_proven(&dossier) && !dossier.seals_enough);
    before =
        &earlier; /* accepted by db2, db3 and wit1: the only one who could admit them is not among them */
    verify();
    ck_assert(!dossier_voters_proven(&dossier));
    ck_assert(strstr(dossier.doubt[DOUBT_FORMER], "the voters in the certificate from before") != NULL);
    const struct certificate third = made;
    made = earlier;
    made.accepted[0].who = DB1;
    accept_all();
    earlier = made;
    made = third;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    for (int i = 0; i < DOUBTS; i++)
        ck_assert_str_eq(dossier.doubt[i], "");
    ck_assert(dossier_voters_proven(&dossier) && dossier_kind_proven(&dossier) && dossier.seals_enough);
}
END_TEST

/* db1 alone admitted db2 and db3, then the three of them wit1, without db1: one certificate rests on the other. */
START_TEST(steps_between_prove_one_another)
{
    static struct certificate chain[2];
    others_admitted();
    const struct certificate third = made;
    made = earlier;
    made.proposal.record.voters.n = 3;
    made.n_accepted = 2;
    made.accepted[0].who = DB1;
    made.accepted[1].who = DB2;
    accept_all();
    chain[1] = made;
    made = earlier;
    made.proposal.record.version = 3;
    accept_all();
    chain[0] = made;
    made = third;
    made.proposal.record.version = 4;
    accept_all();
    before = chain;
    verify();
    ck_assert(!dossier_voters_proven(&dossier));
    n_before = 2;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert(dossier_voters_proven(&dossier) && dossier_kind_proven(&dossier));
    chain[1].accepted[0].signature[2] ^= 1;
    verify();
    ck_assert(!dossier_voters_proven(&dossier));
}
END_TEST

START_TEST(one_from_afterwards_is_none_from_before)
{
    others_admitted();
    earlier = made;
    earlier.proposal.record.version++;
    before = &earlier;
    verify();
    ck_assert(!dossier_voters_proven(&dossier));
}
END_TEST

/* What the root re-forms is worth nothing to those of before: neither to the first record's voters. */
START_TEST(voters_after_a_re_formation_are_the_roots)
{
    struct record *r = &made.proposal.record;
    struct reform *word = &cluster.reforms[0];
    takeover_of_term_3();
    made.proposal.ballot.round += 1ull << REFORM_SHIFT;
    memset(&made.proposal.why, 0, sizeof made.proposal.why);
    accept_all();
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert_int_eq(dossier.kind, DOSSIER_CHANGE);
    ck_assert(strstr(dossier.doubt[DOUBT_VOTERS], "the root has named others") != NULL);

    memset(&earlier, 0, sizeof earlier);
    earlier.proposal.record = *r;
    earlier.proposal.record.version--;
    cluster.n_reforms = 1;
    word->epoch = 1;
    word->nonce = 5;
    record_hash(word->hash, &earlier.proposal.record);
    earlier.proposal.ballot = reform_ballot(word);
    before = &earlier;
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert_str_eq(dossier.doubt[DOUBT_VOTERS], "");
    word->hash[0] ^= 1;
    verify();
    ck_assert(!dossier_voters_proven(&dossier));
}
END_TEST

/* Whatever byte is changed: it does not verify, or the certificate says the same, or another primary before, who is in doubt. */
static int believed(bool in_doubt)
{
    static uint8_t bytes[FRAME_BODY_MAX];
    static struct certificate good, got;
    size_t n = wire_put_decided(bytes, &made);
    int many = 0;
    ck_assert(wire_get_decided(&good, bytes, n));
    for (size_t i = 0; i < n; i++)
        for (int bit = 1; bit < 256; bit <<= 3) {
            bytes[i] ^= (uint8_t)bit;
            if (dossier_read(&dossier, bytes, n, before, before != NULL ? n_before : 0, &cluster) &&
                dossier.valid) {
                got = dossier.certificate;
                got.proposal.why.former = good.proposal.why.former;
                got.proposal.why.former_dir = good.proposal.why.former_dir;
                ck_assert_msg(memcmp(&got, &good, sizeof got) == 0, "byte %zu changes what is believed", i);
                ck_assert_msg(in_doubt && dossier.doubt[DOUBT_FORMER][0] != '\0', "byte %zu is believed", i);
                many++;
            }
            bytes[i] ^= (uint8_t)bit;
        }
    return many;
}

START_TEST(no_byte_misleads)
{
    ck_assert_int_eq(believed(false), 0); /* term 2: the first record tells */
    takeover_of_term_3();
    ck_assert_int_gt(believed(true), 0);
    before = &earlier;
    ck_assert_int_eq(believed(false), 0);
    before = NULL;
    made = earlier;
    ck_assert_int_eq(believed(false), 0);
    command_make(COMMAND_PAUSE, 1); /* what belongs to takeovers, in a change */
    verify();
    ck_assert(!dossier.valid);
}
END_TEST

/* ---- why this one ---- */

static const struct because_row {
    const char *name;
    lsn_t lsn;
    uint64_t backlog;
    const char *because;
} becauses[] = {
    {"behind", 5000, 0, "wal"},
    {"equal, more to replay", 5040, 100, "backlog"},
    {"equal, other site", 5040, 0, "site"},
};

START_TEST(because)
{
    const struct because_row *row = &becauses[_i];
    made.proposal.why.seals[1].sealed.lsn = row->lsn;
    made.proposal.why.seals[1].backlog_bytes = row->backlog;
    seal(1);
    verify();
    EXPECT(dossier.valid, row);
    EXPECT_TEXT(dossier_because(&dossier, 1, &cluster), row->because, row);
}
END_TEST

START_TEST(released_is_a_handover)
{
    for (int i = 0; i < 3; i++) {
        made.proposal.why.promises[i].verdict = VERDICT_RELEASED;
        promise(i);
    }
    verify();
    ck_assert_msg(dossier.valid, "%s", dossier.wrong);
    ck_assert_int_eq(dossier.kind, DOSSIER_HANDOVER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dossier");
    TCase *t = suite_case(suite, "dossier");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_good_one_holds);
    tcase_add_test(t, the_first_record_stands_by_the_roots_word);
    tcase_add_test(t, garbage_is_no_certificate);
    tcase_add_loop_test(t, a_damage_is_named, 0, ROWS(damages));
    tcase_add_test(t, an_operator_may_accept_loss);
    tcase_add_test(t, the_certificate_from_before_proves_the_former_primary);
    tcase_add_test(t, without_it_nothing_rests_on_him);
    tcase_add_test(t, one_from_before_must_hold_itself);
    tcase_add_test(t, promises_and_seals_of_another_record);
    tcase_add_test(t, an_order_of_long_ago);
    tcase_add_test(t, a_change_is_one_after_another_of_its_term);
    tcase_add_test(t, a_voter_that_is_said_to_be_the_only_one);
    tcase_add_test(t, voters_of_later_are_proven_by_the_certificate_from_before);
    tcase_add_test(t, steps_between_prove_one_another);
    tcase_add_test(t, one_from_afterwards_is_none_from_before);
    tcase_add_test(t, voters_after_a_re_formation_are_the_roots);
    tcase_add_loop_test(t, because, 0, ROWS(becauses));
    tcase_add_test(t, released_is_a_handover);
    t = suite_case(suite, "bytes");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_set_timeout(t, 120);
    tcase_add_test(t, no_byte_misleads);
    return suite_run(suite);
}
