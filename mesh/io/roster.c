#define _GNU_SOURCE
#include "mesh/io/roster.h"

#include "mesh/io/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char heading[] = "pgmesh-roster 1";
static const char prefix[] = "pgmesh roster v1";
static const char *const kinds[] = {"root", "member", "retire", "revoke", "reform", "two-persons"};
/* What is about no member, and of which the newest line alone counts, goes by a number of no member. */
enum { TWO_PERSONS_ID = UINT16_MAX };
enum { SIGNED_MAX = sizeof prefix + CLUSTER_ID_SIZE + 8 + ROSTER_LINE_SIZE };

/* ---- signatures --------------------------------------------------------------------------------------------------- */

static size_t signed_bytes(uint8_t out[static SIGNED_MAX], const struct cluster *c, uint64_t version,
                           const char *words)
{
    uint8_t *p = out;
    size_t n = strnlen(words, ROSTER_LINE_SIZE);
    memcpy(p, prefix, sizeof prefix);
    p += sizeof prefix;
    memcpy(p, c->id.b, sizeof c->id.b);
    p += sizeof c->id.b;
    for (int shift = 56; shift >= 0; shift -= 8)
        *p++ = (uint8_t)(version >> shift);
    memcpy(p, words, n);
    return (size_t)(p - out) + n;
}

static void sign_line(char line[static ROSTER_LINE_SIZE], const struct cluster *c, const char *words,
                      uint64_t version, const struct key *root)
{
    uint8_t bytes[SIGNED_MAX], signature[SIGNATURE_SIZE];
    char hex[2 * SIGNATURE_SIZE + 1];
    sign_make(signature, &root->secret, bytes, signed_bytes(bytes, c, version, words));
    hex_put(hex, signature, sizeof signature);
    snprintf(line, ROSTER_LINE_SIZE, "%llu %s %s", (unsigned long long)version, hex, words);
}

void roster_sign_member(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                        const struct cluster_member *m, uint64_t version, const struct key *root)
{
    char words[ROSTER_LINE_SIZE];
    cluster_member_line(words, sizeof words, m);
    sign_line(line, c, words, version, root);
}

void roster_sign_revocation(char line[static ROSTER_LINE_SIZE], const struct cluster *c, member_id id,
                            uint64_t version, const struct key *root)
{
    char words[32];
    snprintf(words, sizeof words, "revoke %u", (unsigned)id);
    sign_line(line, c, words, version, root);
}

void roster_sign_reform(char line[static ROSTER_LINE_SIZE], const struct cluster *c, const struct reform *f,
                        uint64_t version, const struct key *root)
{
    char words[128], hash[2 * HASH_SIZE + 1];
    hex_put(hash, f->hash, HASH_SIZE);
    snprintf(words, sizeof words, "reform %u %016llx %s", (unsigned)f->epoch, (unsigned long long)f->nonce,
             hash);
    sign_line(line, c, words, version, root);
}

void roster_sign_two_persons(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                             enum two_persons when, uint64_t version, const struct key *root)
{
    char words[32];
    snprintf(words, sizeof words, "two-persons %s", cluster_two_persons_name(when));
    sign_line(line, c, words, version, root);
}

void roster_sign_retirement(char line[static ROSTER_LINE_SIZE], const struct cluster *c, member_id id,
                            uint64_t round, uint64_t version, const struct key *key)
{
    char words[64];
    snprintf(words, sizeof words, "retire %u %llu", (unsigned)id, (unsigned long long)round);
    sign_line(line, c, words, version, key);
}

void roster_sign_again(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                       const struct roster_line *of, uint64_t version, const struct key *root)
{
    const char *words = strchr(of->text, ' ') + 2 + 2 * SIGNATURE_SIZE;
    sign_line(line, c, words, version, root);
}

void roster_sign_root(char line[static ROSTER_LINE_SIZE], const struct cluster *c,
                      const uint8_t next[static KEY_SIZE], uint64_t version, const struct key *root)
{
    char words[8 + 2 * KEY_SIZE] = "root ";
    hex_put(words + 5, next, KEY_SIZE);
    sign_line(line, c, words, version, root);
}

/* ---- the set of lines ----------------------------------------------------------------------------------------------- */

uint64_t roster_version(const struct roster *r, enum roster_kind kind, member_id id)
{
    for (int i = 0; i < r->n; i++)
        if (r->line[i].kind == kind && r->line[i].id == id)
            return r->line[i].version;
    return 0;
}

static uint64_t digest_of(const char *line)
{
    uint8_t hash[HASH_SIZE];
    uint64_t part;
    sign_hash(hash, line, strlen(line));
    memcpy(&part, hash, sizeof part);
    return part;
}

static void drop(struct roster *r, int i)
{
    r->digest ^= digest_of(r->line[i].text);
    memmove(&r->line[i], &r->line[i + 1], (size_t)(--r->n - i) * sizeof r->line[0]);
}

/* In the place of the line of its kind about the same member; a member's line ends its former retirement too. */
static bool keep(struct roster *r, const struct roster_line *new)
{
    for (int i = r->n; i-- > 0;)
        if (new->id != 0 && r->line[i].id == new->id &&
            (r->line[i].kind == new->kind ||
             (new->kind == ROSTER_MEMBER && r->line[i].kind == ROSTER_RETIRE)))
            drop(r, i);
    if (r->n == ROSTER_LINES_MAX)
        return false;
    r->line[r->n++] = *new;
    r->digest ^= digest_of(new->text);
    if (new->version > r->version)
        r->version = new->version;
    return true;
}

/* ---- one line ------------------------------------------------------------------------------------------------------- */

struct reading {
    struct roster *r;
    struct cluster *c;
    const char *path;
    int number;
    bool new_root; /* a line made another key the root */
    bool told;     /* a complaint stands: the reasons of others cost no signatures */
    struct problem *err;
};

static bool bad(const struct reading *in, const char *what, const char *detail)
{
    problem_fact(in->err, "%s:%d: %s", in->path, in->number, what);
    if (detail)
        problem_detail(in->err, "%s", detail);
    return problem_hint(in->err,
                        "A damaged \"roster\" is copied anew, while the member is stopped, from another "
                        "member's state folder.");
}

/* Kind and member (0: none) of the words; `rest` is what follows them.  false: no such line. */
static bool subject(struct roster_line *line, const char *words, const char **rest)
{
    unsigned id = 0;
    int end = 0;
    size_t k = 0, length = strcspn(words, " ");
    while (k < sizeof kinds / sizeof kinds[0] &&
           (strlen(kinds[k]) != length || strncmp(words, kinds[k], length) != 0))
        k++;
    if (k == sizeof kinds / sizeof kinds[0] || words[length] != ' ')
        return false;
    line->kind = (enum roster_kind)k;
    line->id = 0;
    *rest = words + length + 1;
    if (line->kind == ROSTER_TWO_PERSONS)
        line->id = TWO_PERSONS_ID;
    if (line->kind == ROSTER_ROOT || line->kind == ROSTER_REFORM || line->kind == ROSTER_TWO_PERSONS)
        return true;
    if (**rest < '1' || **rest > '9' || sscanf(*rest, "%5u%n", &id, &end) != 1 || id > UINT16_MAX)
        return false;
    line->id = (member_id)id;
    *rest += end;
    return **rest == (line->kind == ROSTER_REVOKE ? '\0' : ' ');
}

static struct cluster_member *member(struct cluster *c, member_id id)
{
    return (struct cluster_member *)cluster_member(c, id);
}

static bool take_root(struct reading *in, const struct roster_line *line, const char *rest)
{
    struct roster *r = in->r;
    uint8_t next[KEY_SIZE];
    if (!hex_get(next, KEY_SIZE, rest, strlen(rest)))
        return bad(in, "malformed root key", NULL);
    bool known = memcmp(next, in->c->root, KEY_SIZE) == 0;
    for (int i = 0; i < r->n_roots; i++)
        known = known || memcmp(next, r->roots[i], KEY_SIZE) == 0;
    if (known)
        return bad(in, "the new root key was one before", NULL);
    if (r->n_roots == ROSTER_ROOTS_MAX || !keep(r, line))
        return bad(in, "the root key was changed too often", NULL);
    memcpy(r->roots[r->n_roots++], in->c->root, KEY_SIZE);
    memcpy(in->c->root, next, KEY_SIZE);
    return in->new_root = true;
}

static bool take_member(const struct reading *in, const struct roster_line *line, const char *words)
{
    char copy[ROSTER_LINE_SIZE];
    snprintf(copy, sizeof copy, "%s", words);
    return cluster_take_member(in->c, copy, in->path, in->number, in->err) &&
           (keep(in->r, line) || bad(in, "the roster is full", NULL));
}

static bool take_retirement(const struct reading *in, const struct roster_line *line,
                            struct cluster_member *m, const char *rest)
{
    char *end;
    uint64_t round = rest[1] >= '0' && rest[1] <= '9' ? strtoull(rest + 1, &end, 10) : KEY_OPEN;
    if (round == KEY_OPEN || strlen(rest) > 19 || *end != '\0')
        return bad(in, "malformed retirement", NULL);
    if (line->version != roster_version(in->r, ROSTER_MEMBER, line->id) || !member_rotates(&m->member))
        return bad(in, "a retirement of a key that no line has replaced", m->member.name);
    m->member.former[0].round = round;
    return keep(in->r, line) || bad(in, "the roster is full", NULL);
}

static bool read_reform(struct reform *f, const char *words)
{
    char *end;
    unsigned long long epoch = *words >= '1' && *words <= '9' ? strtoull(words, &end, 10) : 0;
    if (epoch == 0 || epoch >= REFORM_EPOCH_MAX || *end != ' ' || strspn(end + 1, "0123456789abcdef") != 16 ||
        end[17] != ' ')
        return false;
    f->epoch = (uint32_t)epoch;
    f->nonce = strtoull(end + 1, NULL, 16);
    return hex_get(f->hash, HASH_SIZE, end + 18, strlen(end + 18));
}

static void add_reform(struct cluster *c, const struct reform *f)
{
    int at = c->n_reforms;
    if (at == REFORMS_MAX && f->epoch < c->reforms[0].epoch)
        return;
    if (at == REFORMS_MAX)
        memmove(c->reforms, c->reforms + 1, (size_t)--at * sizeof c->reforms[0]);
    for (; at > 0 && c->reforms[at - 1].epoch > f->epoch; at--)
        c->reforms[at] = c->reforms[at - 1];
    c->reforms[at] = *f;
    c->n_reforms += c->n_reforms < REFORMS_MAX;
}

static bool take_reform(const struct reading *in, const struct roster_line *line, const char *rest)
{
    struct reform f, last = cluster_reform(in->c);
    if (!read_reform(&f, rest))
        return bad(in, "malformed re-formation", NULL);
    bool same = f.nonce == last.nonce && memcmp(f.hash, last.hash, sizeof f.hash) == 0;
    if (f.epoch == last.epoch && !same) {
        in->r->forked = true;
        return bad(in, "the voters were re-formed twice, on two sides",
                   "This member knows another re-formation of the same number, and stays with it.");
    }
    if (!keep(in->r, line))
        return bad(in, "the roster is full", NULL);
    in->r->forked = in->r->forked && f.epoch <= last.epoch;
    for (int i = 0; i < in->c->n_reforms; i++)
        if (in->c->reforms[i].epoch == f.epoch)
            return true; /* signed anew */
    add_reform(in->c, &f);
    return true;
}

static bool take(struct reading *in, const struct roster_line *line, const char *words, const char *rest)
{
    struct cluster_member *m = member(in->c, line->id);
    switch (line->kind) {
    case ROSTER_ROOT: return take_root(in, line, rest);
    case ROSTER_MEMBER: return take_member(in, line, words);
    case ROSTER_RETIRE: return take_retirement(in, line, m, rest);
    case ROSTER_REFORM: return take_reform(in, line, rest);
    case ROSTER_TWO_PERSONS:
        return (cluster_two_persons_parse(&in->c->two_persons, rest) ||
                bad(in, "two-persons is auto, on or off", NULL)) &&
               (keep(in->r, line) || bad(in, "the roster is full", NULL));
    case ROSTER_REVOKE:
        if (m == NULL)
            return bad(in, "a revocation is about nobody that is known", NULL);
        m->member.revoked = true;
        return keep(in->r, line) || bad(in, "the roster is full", NULL);
    }
    return false;
}

/* Held already, or older than what is held of it.  Of two of one version all members keep the same. */
static bool is_old(const struct roster *r, const struct roster_line *line)
{
    for (int i = 0; i < r->n; i++) {
        const struct roster_line *l = &r->line[i];
        if (line->id == 0 && strcmp(l->text, line->text) == 0)
            return true;
        if (line->id == 0 || l->id != line->id)
            continue;
        if (l->kind == line->kind &&
            (l->version > line->version || (l->version == line->version && strcmp(l->text, line->text) >= 0)))
            return true;
        if (line->kind == ROSTER_RETIRE && l->kind == ROSTER_MEMBER && l->version > line->version)
            return true;
    }
    return false;
}

static bool of_former_root(const struct reading *in, const uint8_t signature[static SIGNATURE_SIZE],
                           const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < in->r->n_roots; i++)
        if (sign_holds(signature, in->r->roots[i], bytes, n))
            return true;
    return false;
}

/* A line's version and signature; the words that follow them, NULL: malformed. */
static const char *split(const char *line, uint64_t *version, uint8_t signature[static SIGNATURE_SIZE])
{
    char *end;
    unsigned long long number = *line >= '1' && *line <= '9' ? strtoull(line, &end, 10) : 0;
    *version = number;
    return number != 0 && number <= UINT32_MAX && *end == ' ' && strlen(end) >= 2 + 2 * SIGNATURE_SIZE + 1 &&
                   hex_get(signature, SIGNATURE_SIZE, end + 1, 2 * SIGNATURE_SIZE) &&
                   end[1 + 2 * SIGNATURE_SIZE] == ' '
               ? end + 2 + 2 * SIGNATURE_SIZE
               : NULL;
}

static bool read_line(struct reading *in, const char *text, int *news)
{
    uint8_t bytes[SIGNED_MAX], signature[SIGNATURE_SIZE];
    struct roster_line line;
    const char *words = NULL, *rest;
    if (strlen(text) >= ROSTER_LINE_SIZE)
        return bad(in, "the line is too long", NULL);
    if ((words = split(text, &line.version, signature)) == NULL)
        return bad(
            in, "malformed line",
            "A line is: VERSION SIGNATURE root|member|retire|revoke|reform|two-persons and what belongs to it.");
    snprintf(line.text, sizeof line.text, "%s", text);
    if (!subject(&line, words, &rest))
        return bad(in, "malformed line", "It is about no member.");
    if (is_old(in->r, &line))
        return true;
    const struct cluster_member *m = cluster_member(in->c, line.id);
    if (line.kind == ROSTER_RETIRE && m == NULL)
        return bad(in, "a retirement is about nobody that is known", NULL);
    size_t n = signed_bytes(bytes, in->c, line.version, words);
    /* The signature first: nothing unsigned is read any further. */
    if (!sign_holds(signature, line.kind == ROSTER_RETIRE ? m->member.key : in->c->root, bytes, n)) {
        if (!in->told && of_former_root(in, signature, bytes, n))
            return bad(in, "the line is signed by a root key that was replaced",
                       "Nothing new of a former root key is taken, whoever holds it.");
        return bad(in,
                   line.kind == ROSTER_RETIRE ? "the member's signature does not hold"
                                              : "the root key's signature does not hold",
                   "The line was changed, or is of another cluster.");
    }
    bool good = take(in, &line, words, rest);
    *news += good;
    return good;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

/* After a change of the root key: what the new one has not signed falls, and with it whoever came by it. */
static void drop_unsigned(struct reading *in)
{
    struct roster *r = in->r;
    uint8_t bytes[SIGNED_MAX], signature[SIGNATURE_SIZE];
    uint64_t version;
    for (int i = r->n; i-- > 0;) {
        const struct roster_line *l = &r->line[i];
        const char *words = split(l->text, &version, signature);
        struct cluster_member *m = member(in->c, l->id);
        if (l->kind == ROSTER_ROOT || l->kind == ROSTER_RETIRE ||
            sign_holds(signature, in->c->root, bytes, signed_bytes(bytes, in->c, version, words)))
            continue;
        if (l->kind == ROSTER_MEMBER && m - in->c->members >= in->c->n_first)
            m->member.revoked = true;
        if (l->kind == ROSTER_TWO_PERSONS)
            in->c->two_persons = TWO_PERSONS_AUTO;
        drop(r, i);
    }
}

bool roster_merge(struct roster *r, struct cluster *c, const char *text, size_t n, const char *path,
                  int *news, struct problem *err)
{
    struct reading in = {.r = r, .c = c, .path = path, .number = 1, .err = err};
    size_t head = strlen(heading);
    *news = 0;
    if (n > ROSTER_MAX || n <= head || memcmp(text, heading, head) != 0 || text[head] != '\n' ||
        text[n - 1] != '\n' || memchr(text, 0, n) != NULL)
        return bad(&in, "not a roster of this version",
                   "It begins with \"pgmesh-roster 1\" and ends with a line.");
    bool good = true;
    for (size_t at = head + 1; at < n;) {
        struct problem unused;
        char line[ROSTER_LINE_SIZE + 1];
        size_t length = (size_t)((const char *)memchr(text + at, '\n', n - at) - (text + at));
        in.number++;
        snprintf(line, sizeof line, "%.*s", (int)(length > ROSTER_LINE_SIZE ? ROSTER_LINE_SIZE : length),
                 text + at);
        in.err = good ? err : &unused; /* the first complaint is told */
        in.told = !good;
        good = read_line(&in, line, news) && good;
        at += length + 1;
    }
    if (in.new_root)
        drop_unsigned(&in);
    return good;
}

size_t roster_text(const struct roster *r, char out[static ROSTER_MAX])
{
    size_t n = 0;
    if (r->n == 0)
        return 0;
    n += (size_t)snprintf(out, ROSTER_MAX, "%s\n", heading);
    for (enum roster_kind kind = ROSTER_ROOT; kind <= ROSTER_TWO_PERSONS; kind++)
        for (int i = 0; i < r->n; i++) {
            size_t length = strlen(r->line[i].text);
            if (r->line[i].kind != kind)
                continue;
            if (n + length + 1 > ROSTER_MAX)
                return 0;
            memcpy(out + n, r->line[i].text, length);
            out[n + length] = '\n';
            n += length + 1;
        }
    return n;
}

static bool path_of(char path[static FILE_PATH_SIZE], const char *state_dir, struct problem *err)
{
    return file_path(path, state_dir, "roster") ||
           problem_fact(err, "the path of the state folder is too long");
}

bool roster_load(struct roster *r, struct cluster *c, const char *state_dir, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    size_t n;
    int news;
    r->n = r->n_roots = 0; /* the rest is not looked at, and stays untouched memory */
    r->version = r->digest = 0;
    r->forked = false;
    if (!path_of(path, state_dir, err))
        return false;
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    char *text = file_read(path, FILE_TEXT | FILE_ITSELF, ROSTER_MAX, &n, err);
    bool good = text != NULL && roster_merge(r, c, text, n, path, &news, err);
    free(text);
    return good;
}

bool roster_save(const struct roster *r, const char *state_dir, struct problem *err)
{
    char path[FILE_PATH_SIZE], *text = malloc(ROSTER_MAX);
    if (text == NULL)
        return problem_fact(err, "out of memory");
    bool good = path_of(path, state_dir, err) && file_replace(path, text, roster_text(r, text), 0644, err);
    free(text);
    return good;
}
