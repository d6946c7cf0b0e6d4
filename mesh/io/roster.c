#define _GNU_SOURCE
#include "mesh/io/roster.h"

#include "mesh/io/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char heading[] = "pgmesh-roster 1";
static const char prefix[] = "pgmesh roster v1";
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

/* ---- one line ------------------------------------------------------------------------------------------------------- */

struct reading {
    struct roster *r;
    struct cluster *c;
    const char *path;
    int number;
    struct problem *err;
};

static bool bad(const struct reading *in, const char *what, const char *detail)
{
    problem_fact(in->err, "%s:%d: %s", in->path, in->number, what);
    if (detail)
        problem_detail(in->err, "%s", detail);
    return problem_hint(in->err,
                        "Remove a damaged \"roster\" while the member is stopped: the others tell it again.");
}

static uint64_t version_of(const struct roster *r, member_id id)
{
    for (int i = 0; i < r->n_known; i++)
        if (r->known[i].id == id)
            return r->known[i].version;
    return 0;
}

static bool keep_line(const struct reading *in, uint64_t version, const char *line)
{
    struct roster *r = in->r;
    uint8_t hash[HASH_SIZE];
    uint64_t part;
    if (r->n == ROSTER_LINES_MAX)
        return bad(in, "the roster is full", NULL);
    snprintf(r->line[r->n++], ROSTER_LINE_SIZE, "%s", line);
    sign_hash(hash, line, strlen(line));
    memcpy(&part, hash, sizeof part);
    r->digest ^= part;
    if (version > r->version)
        r->version = version;
    return true;
}

static bool keep(const struct reading *in, member_id id, uint64_t version, const char *line)
{
    struct roster *r = in->r;
    int i = 0;
    while (i < r->n_known && r->known[i].id != id)
        i++;
    if (i == MEMBERS_MAX)
        return bad(in, "the roster is full", NULL);
    if (!keep_line(in, version, line))
        return false;
    r->n_known = i == r->n_known ? i + 1 : r->n_known;
    r->known[i].id = id;
    r->known[i].version = version;
    return true;
}

/* The id that the words are about, 0: none. */
static member_id subject(const char *words, bool *revoke)
{
    unsigned id = 0;
    char end = 0;
    *revoke = strncmp(words, "revoke ", 7) == 0;
    if (*revoke)
        return sscanf(words + 7, "%5u%c", &id, &end) == 1 && id <= UINT16_MAX ? (member_id)id : 0;
    return sscanf(words, "member %5u%c", &id, &end) == 2 && end == ' ' && id <= UINT16_MAX ? (member_id)id
                                                                                           : 0;
}

static struct cluster_member *member(struct cluster *c, member_id id)
{
    return (struct cluster_member *)cluster_member(c, id);
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

static bool take_reform(const struct reading *in, const char *line, uint64_t version, const char *words,
                        int *news)
{
    struct reform f;
    struct roster *r = in->r;
    if (!read_reform(&f, words))
        return bad(in, "malformed re-formation", NULL);
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->line[i], line) == 0)
            return true;
    struct reform last = cluster_reform(in->c);
    bool same = f.nonce == last.nonce && memcmp(f.hash, last.hash, sizeof f.hash) == 0;
    if (f.epoch == last.epoch && !same) {
        r->forked = true;
        return bad(in, "the voters were re-formed twice, on two sides",
                   "This member knows another re-formation of the same number, and stays with it.");
    }
    if (!keep_line(in, version, line))
        return false;
    r->forked = r->forked && f.epoch <= last.epoch;
    if (f.epoch != last.epoch)
        add_reform(in->c, &f);
    ++*news;
    return true;
}

static bool take(const struct reading *in, const char *line, uint64_t version, const char *words, int *news)
{
    bool revoke;
    char copy[ROSTER_LINE_SIZE];
    member_id id = subject(words, &revoke);
    struct cluster_member *m = member(in->c, id);
    if (strncmp(words, "reform ", 7) == 0)
        return take_reform(in, line, version, words + 7, news);
    if (id == 0)
        return bad(in, "the line is about no member", NULL);
    if (version <= version_of(in->r, id))
        return true; /* known, or older than what is known */
    if (!revoke && m != NULL)
        return bad(in, "the number of the member is taken", m->member.name);
    if (revoke && m == NULL)
        return bad(in, "a revocation is about nobody that is known", NULL);
    snprintf(copy, sizeof copy, "%s", words);
    if (!revoke && !cluster_take_member(in->c, copy, in->path, in->number, in->err))
        return false;
    if (!keep(in, id, version, line)) {
        in->c->n -= !revoke;
        return false;
    }
    if (revoke)
        m->member.revoked = true;
    ++*news;
    return true;
}

static bool read_line(const struct reading *in, const char *line, int *news)
{
    uint8_t bytes[SIGNED_MAX], signature[SIGNATURE_SIZE];
    char *end;
    if (strlen(line) >= ROSTER_LINE_SIZE)
        return bad(in, "the line is too long", NULL);
    unsigned long long version = *line >= '1' && *line <= '9' ? strtoull(line, &end, 10) : 0;
    if (version == 0 || version > UINT32_MAX || *end != ' ' || strlen(end) < 2 + 2 * SIGNATURE_SIZE + 1 ||
        !hex_get(signature, sizeof signature, end + 1, 2 * SIGNATURE_SIZE) ||
        end[1 + 2 * SIGNATURE_SIZE] != ' ')
        return bad(in, "malformed line",
                   "A line is: VERSION SIGNATURE member ..., or VERSION SIGNATURE revoke ID.");
    const char *words = end + 2 + 2 * SIGNATURE_SIZE;
    /* The signature first: nothing unsigned is read any further. */
    if (!sign_holds(signature, in->c->root, bytes, signed_bytes(bytes, in->c, version, words)))
        return bad(in, "the root key's signature does not hold",
                   "The line was changed, or is of another cluster.");
    return take(in, line, version, words, news);
}

/* ---- the whole -------------------------------------------------------------------------------------------------------- */

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
        good = read_line(&in, line, news) && good;
        at += length + 1;
    }
    return good;
}

size_t roster_text(const struct roster *r, char out[static ROSTER_MAX])
{
    size_t n = 0;
    if (r->n == 0)
        return 0;
    n += (size_t)snprintf(out, ROSTER_MAX, "%s\n", heading);
    for (int i = 0; i < r->n; i++) {
        size_t length = strlen(r->line[i]);
        if (n + length + 1 > ROSTER_MAX)
            return 0;
        memcpy(out + n, r->line[i], length);
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
    memset(r, 0, sizeof *r);
    if (!path_of(path, state_dir, err))
        return false;
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    char *text = file_read(path, FILE_TEXT, ROSTER_MAX, &n, err);
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
