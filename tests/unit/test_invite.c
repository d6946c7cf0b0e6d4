/* Joining by a token: its text, what it closes, what the root key vouches for, how the member keeps what waits, and how often
 * an address may ask for it. */
// LINK: mesh/inspect/parcel.c mesh/inspect/output.c mesh/http/gate.c
#define _GNU_SOURCE
#include "mesh/http/gate.h"
#include "mesh/inspect/parcel.h"
#include "mesh/io/invites.h"
#include "tests/unit/cluster_base.h"
#include "tests/unit/scratch.h"
#include "tests/unit/suite.h"

#include <ctype.h>
#include <sys/stat.h>

enum { NOW = 1795000000 };
static struct cluster_base base;
static struct invite_token token;
static struct invites invites;
static struct problem problem;

static void setup(void)
{
    scratch_open();
    cluster_base_make(&base);
    invite_token_make(&token, base.root.public);
    problem.fact[0] = '\0';
    invites_load(&invites, scratch, &problem);
    ck_assert_str_eq(problem.fact, "");
}

static void teardown(void)
{
    scratch_close();
}

/* ---- the token ------------------------------------------------------------------------------------------------------- */

/* What is done to a good text; the problem, or NULL: it is still good. */
static const struct text_row {
    const char *name, *before, *after;
    int at, by; /* this character changes by so much (at < 0: none) */
    int keep;   /* only so many characters (0: all) */
    bool upper;
    const char *why;
} text_rows[] = {
    {"as it is", "", "", -1, 0, 0, false, NULL},
    {"with blanks around", " \t", " \r\n", -1, 0, 0, false, NULL},
    {"nothing", "", "", -1, 0, 1, false, "no token"},
    {"something else", "correct horse ", "", -1, 0, 0, false, "no token"},
    {"a blank within", "", " x", -1, 0, 0, false, "no token"},
    {"of a later version", "", "", 12, 1, 0, false, "no token"},
    {"cut short", "", "", -1, 0, 60, false, "not copied whole"},
    {"a digit more", "", "0", -1, 0, 0, false, "not copied whole"},
    {"a letter that is no digit", "", "", 30, 40, 0, false, "not copied whole"},
    {"all in capitals", "", "", -1, 0, 0, true, "no token"},
};

START_TEST(token_text)
{
    const struct text_row *row = &text_rows[_i];
    char text[INVITE_TOKEN_SIZE], bent[2 * INVITE_TOKEN_SIZE];
    struct invite_token read;
    invite_token_print(text, &token);
    ck_assert_uint_eq(strlen(text), INVITE_TOKEN_SIZE - 1);
    if (row->at >= 0)
        text[row->at] = (char)(text[row->at] + row->by);
    if (row->keep)
        text[row->keep] = '\0';
    for (char *c = text; row->upper && *c; c++)
        *c = (char)toupper(*c);
    snprintf(bent, sizeof bent, "%s%s%s", row->before, text, row->after);
    bool good = invite_token_read(&read, bent, &problem);
    EXPECT(good == (row->why == NULL), row);
    if (good)
        ck_assert_mem_eq(&read, &token, sizeof token);
    else
        ck_assert_msg(strstr(problem.fact, row->why) != NULL, "row \"%s\": %s", row->name, problem.fact);
}
END_TEST

/* Every digit: what was mistyped is told before anybody is asked. */
START_TEST(a_slip_is_told)
{
    char text[INVITE_TOKEN_SIZE];
    struct invite_token read;
    for (int at = 14; at < INVITE_TOKEN_SIZE - 1; at++) {
        invite_token_print(text, &token);
        text[at] = text[at] == '0' ? '1' : '0';
        ck_assert_msg(!invite_token_read(&read, text, &problem), "a slip at %d passes", at);
    }
}
END_TEST

/* ---- what it closes ---------------------------------------------------------------------------------------------------- */

static uint8_t closed[INVITE_CLOSED_MAX], opened[INVITE_CLOSED_MAX];
static const char folder_text[] = "a folder with a key in it";

START_TEST(closes_and_opens)
{
    size_t n;
    invite_close(closed, &token, folder_text, sizeof folder_text);
    ck_assert_ptr_null(memmem(closed, sizeof folder_text + INVITE_CLOSING, "key", 3));
    ck_assert(invite_open(opened, &n, &token, closed, sizeof folder_text + INVITE_CLOSING));
    ck_assert_uint_eq(n, sizeof folder_text);
    ck_assert_str_eq((char *)opened, folder_text);
}
END_TEST

START_TEST(nothing_else_opens_it)
{
    const size_t size = sizeof folder_text + INVITE_CLOSING;
    struct invite_token other = token;
    size_t n;
    invite_close(closed, &token, folder_text, sizeof folder_text);
    for (size_t at = 0; at < size; at++) {
        closed[at] ^= 1;
        ck_assert_msg(!invite_open(opened, &n, &token, closed, size), "bent at %zu it opens", at);
        closed[at] ^= 1;
    }
    for (size_t less = 0; less < size; less++)
        ck_assert(!invite_open(opened, &n, &token, closed, less));
    other.root[0] ^= 1;
    ck_assert_msg(!invite_open(opened, &n, &other, closed, size), "another cluster's token opens it");
    invite_token_make(&other, base.root.public);
    ck_assert_msg(!invite_open(opened, &n, &other, closed, size), "another token opens it");
    ck_assert(!invite_open(opened, &n, &token, closed, INVITE_CLOSED_MAX + 1));
    ck_assert(invite_open(opened, &n, &token, closed, size));
}
END_TEST

/* What the member keeps, or sees when it is fetched, opens nothing. */
START_TEST(claim_and_id_are_one_way)
{
    struct invite_token guess = token;
    uint8_t claim[HASH_SIZE], id[HASH_SIZE];
    size_t n;
    invite_claim(claim, &token);
    invite_id(id, claim);
    invite_close(closed, &token, folder_text, sizeof folder_text);
    memcpy(guess.secret, claim, HASH_SIZE);
    ck_assert(!invite_open(opened, &n, &guess, closed, sizeof folder_text + INVITE_CLOSING));
    memcpy(guess.secret, id, HASH_SIZE);
    ck_assert(!invite_open(opened, &n, &guess, closed, sizeof folder_text + INVITE_CLOSING));
    ck_assert_mem_ne(claim, id, HASH_SIZE);
    ck_assert_mem_ne(claim, token.secret, HASH_SIZE);
}
END_TEST

/* ---- the folder in one piece --------------------------------------------------------------------------------------------- */

static void a_folder(const char *name)
{
    mkdir(scratch_path(name), 0755);
    char path[64];
    static const char *const files[] = {"cluster", "node.conf",   "member.key",
                                        "pg.pass", "state/store", "state/roster"};
    snprintf(path, sizeof path, "%s/state", name);
    mkdir(scratch_path(path), 0700);
    for (int i = 0; i < ROWS(files); i++) {
        snprintf(path, sizeof path, "%s/%s", name, files[i]);
        scratch_write(path, files[i], strlen(files[i]), i >= 2 && i <= 4 ? 0600 : 0644);
    }
}

START_TEST(a_folder_travels)
{
    size_t n, size;
    struct stat st;
    a_folder("from");
    uint8_t *parcel = parcel_pack(scratch_path("from"), &n, &problem);
    ck_assert_msg(parcel != NULL, "%s", problem.fact);
    mkdir(scratch_path("to"), 0755);
    ck_assert_msg(parcel_unpack(scratch_path("to"), parcel, n, &problem), "%s", problem.fact);
    ck_assert_str_eq(scratch_read("to/state/store", &size), "state/store");
    ck_assert_str_eq(scratch_read("to/pg.pass", &size), "pg.pass");
    stat(scratch_path("to/member.key"), &st);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    stat(scratch_path("to/state"), &st);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    free(parcel);
}
END_TEST

START_TEST(a_witness_has_no_passwords)
{
    size_t n;
    a_folder("from");
    unlink(scratch_path("from/pg.pass"));
    uint8_t *parcel = parcel_pack(scratch_path("from"), &n, &problem);
    mkdir(scratch_path("to"), 0755);
    ck_assert_msg(parcel && parcel_unpack(scratch_path("to"), parcel, n, &problem), "%s", problem.fact);
    ck_assert_int_ne(access(scratch_path("to/pg.pass"), F_OK), 0);
    free(parcel);
}
END_TEST

START_TEST(a_folder_that_is_too_large)
{
    static char much[INVITE_PARCEL_MAX];
    size_t n;
    a_folder("from");
    memset(much, 'x', sizeof much);
    scratch_write("from/node.conf", much, sizeof much, 0644);
    ck_assert_ptr_null(parcel_pack(scratch_path("from"), &n, &problem));
    ck_assert_msg(strstr(problem.fact, "too large") != NULL, "%s", problem.fact);
}
END_TEST

/* Whoever makes a parcel holds the token; even so nothing is written but what is known. */
#define PARCEL "pgmesh-parcel 1\n"
static const struct parcel_row {
    const char *name, *text;
} parcel_rows[] = {
    {"nothing", ""},
    {"another heading", "pgmesh-parcel 2\ncluster 1\nx"},
    {"nothing in it", PARCEL},
    {"another file", PARCEL "../cluster 1\nx"},
    {"an absolute path", PARCEL "/etc/passwd 1\nx"},
    {"another order", PARCEL "node.conf 1\nxcluster 1\nx"},
    {"more than there is", PARCEL "cluster 100\nx"},
    {"a size that is none", PARCEL "cluster -1\nx"},
    {"a size without digits", PARCEL "cluster \nx"},
    {"a size of many digits", PARCEL "cluster 00000000001\nx"},
    {"no end of the head", PARCEL "cluster 1"},
    {"a file too few", PARCEL "cluster 1\nxnode.conf 1\nxmember.key 1\nxpg.pass 1\nxstate/store 1\nx"},
    {"a byte more", PARCEL "cluster 1\nxnode.conf 1\nxmember.key 1\nxstate/store 1\nxstate/roster 1\nxy"},
    {"a file twice", PARCEL "cluster 1\nxcluster 1\nx"},
};

START_TEST(bent_parcels)
{
    const struct parcel_row *row = &parcel_rows[_i];
    mkdir(scratch_path("to"), 0755);
    EXPECT(!parcel_unpack(scratch_path("to"), (const uint8_t *)row->text, strlen(row->text), &problem), row);
    EXPECT(problem.fact[0] != '\0', row);
}
END_TEST

/* ---- what the root key vouches for ---------------------------------------------------------------------------------------- */

static struct invite_ticket ticket_of(const struct invite_token *of, int64_t until)
{
    struct invite_ticket t = {.member = 9, .name = "db9", .until = until};
    uint8_t claim[HASH_SIZE];
    invite_claim(claim, of);
    invite_id(t.id, claim);
    sign_hash(t.hash, "closed", 6);
    invite_ticket_sign(&t, &base.cluster.id, &base.root);
    return t;
}

static const struct ticket_row {
    const char *name;
    size_t at; /* this byte of the ticket is bent */
} ticket_rows[] = {
    {"another member", offsetof(struct invite_ticket, member)},
    {"another name", offsetof(struct invite_ticket, name)},
    {"another id", offsetof(struct invite_ticket, id)},
    {"another end", offsetof(struct invite_ticket, until)},
    {"another folder", offsetof(struct invite_ticket, hash)},
    {"another signature", offsetof(struct invite_ticket, signature)},
};

START_TEST(a_bent_ticket)
{
    const struct ticket_row *row = &ticket_rows[_i];
    struct invite_ticket t = ticket_of(&token, NOW + 60);
    EXPECT(invite_ticket_holds(&t, &base.cluster.id, base.root.public), row);
    ((uint8_t *)&t)[row->at] ^= 1;
    EXPECT(!invite_ticket_holds(&t, &base.cluster.id, base.root.public), row);
}
END_TEST

START_TEST(another_clusters_words)
{
    struct invite_ticket t = ticket_of(&token, NOW + 60);
    struct cluster_id other = base.cluster.id;
    uint8_t word[SIGNATURE_SIZE];
    other.b[0] ^= 1;
    ck_assert(!invite_ticket_holds(&t, &other, base.root.public));
    ck_assert(!invite_ticket_holds(&t, &base.cluster.id, base.keys[OPS].public));
    invite_recall_sign(word, &base.cluster.id, t.id, &base.root);
    ck_assert(invite_recall_holds(word, &base.cluster.id, t.id, base.root.public));
    ck_assert(!invite_recall_holds(word, &other, t.id, base.root.public));
    ck_assert(!invite_recall_holds(t.signature, &base.cluster.id, t.id, base.root.public));
    t.id[0] ^= 1;
    ck_assert(!invite_recall_holds(word, &base.cluster.id, t.id, base.root.public));
}
END_TEST

/* ---- kept with the member -------------------------------------------------------------------------------------------------- */

static const uint8_t alice[HASH_SIZE] = {1}, mallory[HASH_SIZE] = {2};

static enum invite_got take_as(const struct invite_token *of, const uint8_t *who, int64_t now)
{
    uint8_t claim[HASH_SIZE], id[HASH_SIZE];
    struct invite *which;
    char *base64;
    invite_claim(claim, of);
    invite_id(id, claim);
    enum invite_got got = invites_take(&invites, id, who, "10.0.0.9", now, &base64, &which, &problem);
    ck_assert((got == INVITE_GIVEN) == (base64 != NULL));
    ck_assert((got == INVITE_UNKNOWN) == (which == NULL));
    if (base64 != NULL)
        ck_assert_str_eq(base64, "Y2xvc2Vk");
    free(base64);
    return got;
}

static void keep(const struct invite_token *of, int64_t until)
{
    struct invite_ticket t = ticket_of(of, until);
    ck_assert_msg(invites_keep(&invites, &t, "Y2xvc2Vk", NOW, &problem), "%s", problem.fact);
}

static void restart(void)
{
    invites_load(&invites, scratch, &problem);
    ck_assert_str_eq(problem.fact, "");
}

START_TEST(given_once)
{
    keep(&token, NOW + 600);
    ck_assert_int_eq(take_as(&token, alice, NOW + 1), INVITE_GIVEN);
    ck_assert_int_eq(take_as(&token, mallory, NOW + 2), INVITE_USED);
    ck_assert_int_eq(take_as(&token, mallory, NOW + 3), INVITE_USED);
    ck_assert_uint_eq(invites.of[0].again, 2);
    ck_assert_str_eq(invites.of[0].from, "10.0.0.9");
}
END_TEST

/* Also when the member was restarted in between: that it is taken stands on the disk. */
START_TEST(given_once_for_all)
{
    keep(&token, NOW + 600);
    restart();
    ck_assert_int_eq(take_as(&token, alice, NOW + 1), INVITE_GIVEN);
    restart();
    ck_assert_int_eq(take_as(&token, mallory, NOW + 2), INVITE_USED);
    ck_assert_int_eq(invites.of[0].taken, NOW + 1);
}
END_TEST

/* Whose connection broke may ask again, for a while; nobody else may. */
START_TEST(asked_again_by_the_same)
{
    keep(&token, NOW + 600);
    ck_assert_int_eq(take_as(&token, alice, NOW), INVITE_GIVEN);
    ck_assert_int_eq(take_as(&token, alice, NOW + INVITE_AGAIN_S), INVITE_GIVEN);
    restart();
    ck_assert_int_eq(take_as(&token, alice, NOW + 3), INVITE_GIVEN);
    ck_assert_int_eq(take_as(&token, mallory, NOW + 3), INVITE_USED);
    ck_assert_int_eq(take_as(&token, alice, NOW + INVITE_AGAIN_S + 1), INVITE_USED);
    ck_assert_uint_eq(invites.of[0].again, 2);
}
END_TEST

static size_t kept_bytes(void)
{
    char hex[17], name[32];
    struct stat st;
    hex_put(hex, invites.of[0].ticket.id, 8);
    snprintf(name, sizeof name, "invite.%s", hex);
    ck_assert_int_eq(stat(scratch_path(name), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    size_t n;
    return strstr(scratch_read(name, &n), "Y2xvc2Vk") != NULL ? 1 : 0;
}

/* Once it cannot be given any more, what is closed is not there either. */
START_TEST(forgotten_when_taken)
{
    keep(&token, NOW + 600);
    ck_assert_uint_eq(kept_bytes(), 1);
    ck_assert_int_eq(take_as(&token, alice, NOW), INVITE_GIVEN);
    ck_assert_ptr_null(invites_tend(&invites, NOW + INVITE_AGAIN_S));
    ck_assert_uint_eq(kept_bytes(), 1);
    ck_assert_ptr_null(invites_tend(&invites, NOW + INVITE_AGAIN_S + 1));
    ck_assert_uint_eq(kept_bytes(), 0);
    restart();
    ck_assert_int_eq(take_as(&token, alice, NOW + 3), INVITE_USED);
    ck_assert_ptr_null(invites_tend(&invites, NOW + 600 + INVITE_REMEMBERED_S + 1));
    ck_assert_int_eq(invites.n, 0);
    restart();
    ck_assert_int_eq(invites.n, 0);
    ck_assert_int_eq(take_as(&token, alice, NOW + 3), INVITE_UNKNOWN);
}
END_TEST

START_TEST(it_ends)
{
    keep(&token, NOW + 600);
    ck_assert_ptr_null(invites_tend(&invites, NOW + 599));
    ck_assert_int_eq(take_as(&token, alice, NOW + 600), INVITE_ENDED);
    ck_assert_str_eq(invites_tend(&invites, NOW + 600), "db9");
    ck_assert_ptr_null(invites_tend(&invites, NOW + 600));
    ck_assert_uint_eq(kept_bytes(), 0);
    ck_assert_int_eq(take_as(&token, alice, NOW), INVITE_ENDED); /* also when the clock goes back */
    ck_assert_str_eq(invite_state_name(&invites.of[0], NOW + 601), "ended");
}
END_TEST

START_TEST(taken_back)
{
    struct invite_ticket t = ticket_of(&token, NOW + 600);
    keep(&token, NOW + 600);
    ck_assert_ptr_nonnull(invites_recall(&invites, t.id, &problem));
    ck_assert_int_eq(take_as(&token, alice, NOW), INVITE_GONE);
    ck_assert_uint_eq(kept_bytes(), 0);
    restart();
    ck_assert_int_eq(take_as(&token, alice, NOW), INVITE_GONE);
    ck_assert_ptr_null(invites_recall(&invites, t.id, &problem));
}
END_TEST

START_TEST(what_is_not_kept)
{
    struct invite_ticket t = ticket_of(&token, NOW);
    ck_assert(!invites_keep(&invites, &t, "Y2xvc2Vk", NOW, &problem));
    t = ticket_of(&token, NOW + INVITE_VALID_MAX_S + 1);
    ck_assert(!invites_keep(&invites, &t, "Y2xvc2Vk", NOW, &problem));
    keep(&token, NOW + 60);
    t = ticket_of(&token, NOW + 60);
    ck_assert(!invites_keep(&invites, &t, "Y2xvc2Vk", NOW, &problem));
    ck_assert_int_eq(invites.n, 1);
}
END_TEST

/* As many as may wait; a place of one that is over is given to the next, those that wait keep theirs. */
START_TEST(so_many_and_no_more)
{
    struct invite_token others[INVITES_MAX + 1];
    struct invite_ticket t;
    for (int i = 0; i <= INVITES_MAX; i++)
        invite_token_make(&others[i], base.root.public);
    for (int i = 0; i < INVITES_MAX; i++)
        keep(&others[i], NOW + 600 + i);
    t = ticket_of(&others[INVITES_MAX], NOW + 600);
    ck_assert(!invites_keep(&invites, &t, "Y2xvc2Vk", NOW, &problem));
    ck_assert_msg(strstr(problem.fact, "invited already") != NULL, "%s", problem.fact);
    restart();
    ck_assert_int_eq(invites.n, INVITES_MAX);
    ck_assert_int_eq(take_as(&others[3], alice, NOW), INVITE_GIVEN);
    ck_assert_ptr_null(invites_tend(&invites, NOW + INVITE_AGAIN_S + 1));
    keep(&others[INVITES_MAX], NOW + 600);
    ck_assert_int_eq(take_as(&others[3], alice, NOW), INVITE_UNKNOWN);
    for (int i = 0; i <= INVITES_MAX; i++)
        if (i != 3)
            ck_assert_int_eq(take_as(&others[i], alice, NOW), INVITE_GIVEN);
}
END_TEST

static const struct file_row {
    const char *name, *text;
    mode_t mode;
} file_rows[] = {
    {"not JSON", "nonsense", 0600},
    {"another shape", "{\"format\":1}", 0600},
    {"of a later version", "{\"format\":2,\"state\":\"waiting\"}", 0600},
    {"to be read by others", "{}", 0644},
};

START_TEST(damaged_files_are_left_alone)
{
    const struct file_row *row = &file_rows[_i];
    keep(&token, NOW + 600);
    scratch_write("invite.0123456789abcdef", row->text, strlen(row->text), row->mode);
    scratch_text("invite.0123456789abcdef.tmp", "half");
    invites_load(&invites, scratch, &problem);
    EXPECT(problem.fact[0] != '\0', row);
    EXPECT_INT(invites.n, 1, row);
    EXPECT_INT(access(scratch_path("invite.0123456789abcdef"), F_OK), 0, row);
    EXPECT_INT(take_as(&token, alice, NOW), INVITE_GIVEN, row);
}
END_TEST

/* That it is taken cannot be written down: then it is not given. */
START_TEST(not_given_when_it_cannot_be_written)
{
    keep(&token, NOW + 600);
    char hex[17], name[40];
    hex_put(hex, invites.of[0].ticket.id, 8);
    snprintf(name, sizeof name, "invite.%s.tmp", hex);
    mkdir(scratch_path(name), 0700); /* in the way of the new file */
    ck_assert_int_eq(take_as(&token, alice, NOW), INVITE_FAILED);
    ck_assert_int_eq(invites.of[0].state, INVITE_WAITING);
    rmdir(scratch_path(name));
    ck_assert_int_eq(take_as(&token, mallory, NOW), INVITE_GIVEN);
}
END_TEST

/* ---- how often one may ask ------------------------------------------------------------------------------------------------- */

static instant at_ms(int64_t ms)
{
    return (instant){1000000000 + ms * 1000000, 1000000000 + ms * 1000000};
}

START_TEST(the_gate)
{
    struct gate g = {0};
    for (int i = 0; i < GATE_BURST; i++)
        ck_assert(gate_admit(&g, "10.0.0.1", at_ms(0)));
    ck_assert(!gate_admit(&g, "10.0.0.1", at_ms(0)));
    ck_assert(!gate_admit(&g, "10.0.0.1", at_ms(GATE_PAUSE_MS - 1)));
    ck_assert(gate_admit(&g, "10.0.0.1", at_ms(GATE_PAUSE_MS)));
    ck_assert(!gate_admit(&g, "10.0.0.1", at_ms(GATE_PAUSE_MS)));
    int others = 0;
    for (int i = 0; i < 100; i++) {
        char address[16];
        snprintf(address, sizeof address, "10.0.1.%d", i);
        others += gate_admit(&g, address, at_ms(GATE_PAUSE_MS));
    }
    ck_assert_int_ge(others, 70); /* all but those few that share its place */
    for (int i = 0; i < 100000; i++) {
        char address[16];
        snprintf(address, sizeof address, "10.%d.%d.%d", 2 + i / 65536, i / 256 % 256, i % 256);
        others += gate_admit(&g, address, at_ms(GATE_PAUSE_MS));
    }
    ck_assert_int_le(others, GATE_PLACES * GATE_BURST);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("invite");
    TCase *t = suite_case(suite, "invite");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, token_text, 0, ROWS(text_rows));
    tcase_add_test(t, a_slip_is_told);
    tcase_add_test(t, closes_and_opens);
    tcase_add_test(t, nothing_else_opens_it);
    tcase_add_test(t, claim_and_id_are_one_way);
    tcase_add_test(t, a_folder_travels);
    tcase_add_test(t, a_witness_has_no_passwords);
    tcase_add_test(t, a_folder_that_is_too_large);
    tcase_add_loop_test(t, bent_parcels, 0, ROWS(parcel_rows));
    tcase_add_loop_test(t, a_bent_ticket, 0, ROWS(ticket_rows));
    tcase_add_test(t, another_clusters_words);
    tcase_add_test(t, given_once);
    tcase_add_test(t, given_once_for_all);
    tcase_add_test(t, asked_again_by_the_same);
    tcase_add_test(t, forgotten_when_taken);
    tcase_add_test(t, it_ends);
    tcase_add_test(t, taken_back);
    tcase_add_test(t, what_is_not_kept);
    tcase_add_test(t, so_many_and_no_more);
    tcase_add_loop_test(t, damaged_files_are_left_alone, 0, ROWS(file_rows));
    tcase_add_test(t, not_given_when_it_cannot_be_written);
    tcase_add_test(t, the_gate);
    return suite_run(suite);
}
