/* cluster.c: the cluster file, and what its signatures cover. */
#define _GNU_SOURCE
#include "mesh/io/cluster.h"

#include "mesh/io/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 1024, WORDS_MAX = 16, RECORD_PREFIX = 18, RECORD_BYTES_MAX = FRAME_BODY_MAX };

static const char record_prefix[RECORD_PREFIX] = "pgmesh record v1";
static const char certificate_prefix[23] = "pgmesh certificate v1";

/* ---- names and roles -------------------------------------------------------------------------------------------- */

bool cluster_name_valid(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || n >= NAME_SIZE || !islower((unsigned char)name[0]))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) && name[i] != '_' &&
            name[i] != '-')
            return false;
    return true;
}

static const struct {
    enum role role;
    const char *name;
} roles[] = {{ROLE_DATABASE, "database"}, {ROLE_OBSERVER, "observer"}, {ROLE_WITNESS, "witness"},
             {ROLE_OPERATOR, "operator"}, {ROLE_VIEWER, "viewer"},     {ROLE_ADMIN, "admin"}};

const char *cluster_role_name(enum role r)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (roles[i].role == r)
            return roles[i].name;
    return "?";
}

bool cluster_role_parse(enum role *r, const char *text)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i].name, text) == 0) {
            *r = roles[i].role;
            return true;
        }
    return false;
}

static const char *const two_persons[] = {
    [TWO_PERSONS_AUTO] = "auto", [TWO_PERSONS_ON] = "on", [TWO_PERSONS_OFF] = "off"};

const char *cluster_two_persons_name(enum two_persons when)
{
    return two_persons[when];
}

bool cluster_two_persons_parse(enum two_persons *when, const char *text)
{
    for (int i = TWO_PERSONS_AUTO; i <= TWO_PERSONS_OFF; i++)
        if (strcmp(two_persons[i], text) == 0) {
            *when = (enum two_persons)i;
            return true;
        }
    return false;
}

const struct cluster_member *cluster_find(const struct cluster *c, const char *name)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->members[i].member.name, name) == 0)
            return &c->members[i];
    return NULL;
}

const struct cluster_member *cluster_member(const struct cluster *c, member_id id)
{
    for (int i = 0; i < c->n; i++)
        if (c->members[i].member.id == id)
            return &c->members[i];
    return NULL;
}

const char *cluster_member_name(const struct cluster *c, member_id id)
{
    const struct cluster_member *m = cluster_member(c, id);
    return m ? m->member.name : "?";
}

bool cluster_judge_persons(struct cluster *c, int64_t wall_s)
{
    bool changed = false;
    for (int i = 0; i < c->n; i++) {
        struct cluster_member *m = &c->members[i];
        bool expired =
            role_is_person(m->member.role) && (wall_s < m->from || (m->until != 0 && wall_s >= m->until));
        changed = changed || expired != m->member.expired;
        m->member.expired = expired;
    }
    return changed;
}

/* ---- signatures -------------------------------------------------------------------------------------------------- */

static uint8_t *put_bytes(uint8_t *out, const void *bytes, size_t n)
{
    memcpy(out, bytes, n);
    return out + n;
}

static uint8_t *put_be(uint8_t *out, uint64_t value, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        *out++ = (uint8_t)(value >> shift);
    return out;
}

static uint8_t *put_name(uint8_t *out, const char *name)
{
    memset(out, 0, NAME_SIZE);
    memcpy(out, name, strnlen(name, NAME_SIZE - 1));
    return out + NAME_SIZE;
}

enum { CERTIFICATE_BYTES_MAX = 256 };

static size_t certificate_bytes(uint8_t out[static CERTIFICATE_BYTES_MAX], const struct cluster_id *id,
                                const struct cluster_member *m)
{
    uint8_t *p = put_bytes(out, certificate_prefix, strlen(certificate_prefix) + 1);
    p = put_bytes(p, id->b, sizeof id->b);
    p = put_be(p, m->member.id, 2);
    p = put_name(p, m->member.name);
    *p++ = (uint8_t)m->member.role;
    p = put_name(p, m->member.site);
    p = put_bytes(p, m->member.key, KEY_SIZE);
    p = put_be(p, (uint64_t)m->from, 8);
    p = put_be(p, (uint64_t)m->until, 8);
    return (size_t)(p - out);
}

void cluster_certify(const struct cluster *c, struct cluster_member *m, const struct key *root)
{
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    sign_make(m->signature, &root->secret, bytes, certificate_bytes(bytes, &c->id, m));
}

bool cluster_certificate_holds(const struct cluster *c, const struct cluster_member *m)
{
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    return sign_holds(m->signature, c->root, bytes, certificate_bytes(bytes, &c->id, m));
}

static size_t request_bytes(uint8_t out[static CERTIFICATE_BYTES_MAX], const struct cluster_id *id,
                            const char *name, const uint8_t next[static KEY_SIZE])
{
    static const char prefix[] = "pgmesh request v1";
    uint8_t *p = put_bytes(out, prefix, sizeof prefix);
    p = put_bytes(p, id->b, sizeof id->b);
    p = put_name(p, name);
    return (size_t)(put_bytes(p, next, KEY_SIZE) - out);
}

void cluster_request_sign(uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *id,
                          const char *name, const uint8_t next[static KEY_SIZE], const struct key *key)
{
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    sign_make(signature, &key->secret, bytes, request_bytes(bytes, id, name, next));
}

bool cluster_request_holds(const uint8_t signature[static SIGNATURE_SIZE], const struct cluster_id *id,
                           const char *name, const uint8_t next[static KEY_SIZE],
                           const uint8_t key[static KEY_SIZE])
{
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    return sign_holds(signature, key, bytes, request_bytes(bytes, id, name, next));
}

/* "pgmesh record v1\0" and the packed record; the whole length. */
static size_t record_bytes(uint8_t out[static RECORD_PREFIX + RECORD_BYTES_MAX], const struct record *r)
{
    size_t prefix = strlen(record_prefix) + 1;
    memcpy(out, record_prefix, prefix);
    return prefix + wire_put_record(out + prefix, r);
}

void cluster_sign_record(struct cluster *c, const struct key *root)
{
    uint8_t bytes[RECORD_PREFIX + RECORD_BYTES_MAX];
    record_cluster_id(&c->id, &c->first);
    memcpy(c->root, root->public, KEY_SIZE);
    sign_make(c->record_signature, &root->secret, bytes, record_bytes(bytes, &c->first));
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

struct reading {
    struct cluster *c;
    const char *path;
    int line;
    bool name, root, record;
    struct problem *err;
    int n;
    char *word[WORDS_MAX]; /* NUL-terminated */
    bool later;            /* a line of the roster */
};

static bool bad(const struct reading *r, const char *what, const char *detail)
{
    problem_fact(r->err, "%s:%d: %s", r->path, r->line, what);
    if (detail)
        problem_detail(r->err, "%s", detail);
    return problem_hint(
        r->err, "Copy the file \"cluster\" that \"pgmesh init\" made; it is the same for every member.");
}

static bool read_record(struct reading *r)
{
    uint8_t packed[RECORD_BYTES_MAX], bytes[RECORD_PREFIX + RECORD_BYTES_MAX];
    const char *why = NULL;
    size_t digits = r->n == 3 ? strlen(r->word[1]) : 0;
    if (r->record || !r->root || r->n != 3)
        return bad(r, "\"record\" stands once, after \"root\", with two values", NULL);
    if (digits / 2 > sizeof packed || !hex_get(packed, digits / 2, r->word[1], digits) ||
        !hex_get(r->c->record_signature, SIGNATURE_SIZE, r->word[2], strlen(r->word[2])))
        return bad(r, "the first record is not hexadecimal", NULL);
    /* The signature first: nothing unsigned reaches the reader of records. */
    size_t prefix = strlen(record_prefix) + 1;
    memcpy(bytes, record_prefix, prefix);
    memcpy(bytes + prefix, packed, digits / 2);
    if (!sign_holds(r->c->record_signature, r->c->root, bytes, prefix + digits / 2))
        return bad(r, "the root key's signature over the first record does not hold", NULL);
    if (!wire_get_record(&r->c->first, packed, digits / 2) || !record_valid(&r->c->first, &why))
        return bad(r, "the first record is malformed", why);
    if (record_bytes(bytes, &r->c->first) != prefix + digits / 2 ||
        memcmp(bytes + prefix, packed, digits / 2) != 0)
        return bad(r, "the first record is not packed as this version packs it", NULL);
    record_cluster_id(&r->c->id, &r->c->first);
    r->record = true;
    return true;
}

static bool read_seconds(const char *text, int64_t *seconds)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 12)
        return false;
    *seconds = strtoll(text, &end, 10);
    return *end == '\0';
}

/* KEY:ROUND, newest first. */
static bool read_former(struct member *m, char *list)
{
    char *rest = NULL, *end;
    for (char *one = strtok_r(list, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
        struct former_key *f = &m->former[m->n_former];
        char *round = strchr(one, ':');
        if (m->n_former == KEYS_FORMER_MAX || round == NULL ||
            !hex_get(f->key, KEY_SIZE, one, (size_t)(round - one)))
            return false;
        bool open = strcmp(++round, "-") == 0;
        if ((open && m->n_former > 0) || (!open && (!isdigit((unsigned char)*round) || strlen(round) > 18)))
            return false;
        f->round = open ? KEY_OPEN : strtoull(round, &end, 10);
        if (!open && *end != '\0')
            return false;
        m->n_former++;
    }
    return m->n_former > 0;
}

static bool read_addresses(struct cluster_member *m, char *word, bool later)
{
    if (later && strncmp(word, "was=", 4) == 0 && m->member.n_former == 0)
        return read_former(&m->member, word + 4);
    if (strncmp(word, "mesh=", 5) == 0 && m->n_mesh == 0) {
        int n = address_parse_list(m->mesh, ADDRESSES_MAX, word + 5, strlen(word + 5), true);
        m->n_mesh = (uint8_t)(n > 0 ? n : 0);
        return n > 0;
    }
    if (strncmp(word, "pg=", 3) == 0 && !m->has_pg)
        return m->has_pg = address_parse(&m->pg, word + 3, strlen(word + 3), false);
    return false;
}

static bool key_known(const struct member *m, const uint8_t key[static KEY_SIZE])
{
    bool known = memcmp(m->key, key, KEY_SIZE) == 0;
    for (int i = 0; i < m->n_former; i++)
        known = known || memcmp(m->former[i].key, key, KEY_SIZE) == 0;
    return known;
}

static bool same_place(const struct cluster_member *a, const struct cluster_member *b)
{
    bool same = strcmp(a->member.name, b->member.name) == 0 && a->member.role == b->member.role &&
                strcmp(a->member.site, b->member.site) == 0 && a->n_mesh == b->n_mesh &&
                a->has_pg == b->has_pg && (!a->has_pg || address_equal(&a->pg, &b->pg));
    for (int i = 0; same && i < a->n_mesh; i++)
        same = address_equal(&a->mesh[i], &b->mesh[i]);
    return same;
}

/* A known member's: its key and certificate may be new, and nothing else of it. */
static bool renew_member(struct reading *r, struct cluster_member *known, struct cluster_member *m)
{
    bool same_key = memcmp(known->member.key, m->member.key, KEY_SIZE) == 0;
    if (!same_place(known, m))
        return bad(r, "the number of the member is taken", known->member.name);
    if (known->member.revoked && !same_key)
        return bad(r, "a revoked member gets no new key", known->member.name);
    if (!same_key && key_known(&known->member, m->member.key))
        return bad(r, "the key was the member's before", known->member.name);
    m->member.revoked = known->member.revoked;
    *known = *m;
    return true;
}

static bool add_member(struct reading *r, struct cluster_member *m)
{
    struct cluster_member *known = NULL;
    for (int i = 0; i < r->c->n; i++) {
        struct cluster_member *other = &r->c->members[i];
        bool same = other->member.id == m->member.id;
        if (same && r->later)
            known = other;
        else if (same || strcmp(other->member.name, m->member.name) == 0 ||
                 key_known(&other->member, m->member.key))
            return bad(r, "a member's id, name or key stands twice", NULL);
    }
    if (known)
        return renew_member(r, known, m);
    if (r->c->n == MEMBERS_MAX)
        return bad(r, "too many members", NULL);
    r->c->members[r->c->n++] = *m;
    return true;
}

static bool read_member(struct reading *r)
{
    int64_t id;
    if (!r->record)
        return bad(r, "\"member\" stands after \"record\"", NULL);
    struct cluster_member read = {0}, *m = &read;
    if (r->n < 9 || !read_seconds(r->word[1], &id) || id < 1 || id > UINT16_MAX ||
        !cluster_name_valid(r->word[2]) || !cluster_role_parse(&m->member.role, r->word[3]) ||
        !cluster_name_valid(r->word[4]) ||
        !hex_get(m->member.key, KEY_SIZE, r->word[5], strlen(r->word[5])) ||
        !read_seconds(r->word[6], &m->from) || !read_seconds(r->word[7], &m->until) ||
        !hex_get(m->signature, SIGNATURE_SIZE, r->word[8], strlen(r->word[8])))
        return bad(r, "malformed member",
                   "A member is: member ID NAME ROLE SITE KEY FROM UNTIL SIGNATURE [mesh=...] [pg=...].");
    m->member.id = (member_id)id;
    strcpy(m->member.name, r->word[2]);
    strcpy(m->member.site, r->word[4]);
    for (int i = 9; i < r->n; i++)
        if (!read_addresses(m, r->word[i], r->later))
            return bad(r, "malformed address",
                       "Write mesh=ADDRESS:PORT[,...] (numeric) and pg=HOST:PORT, each once.");
    if (!cluster_certificate_holds(r->c, m))
        return bad(r, "the certificate does not hold",
                   "The line was changed after it was certified, or belongs to another cluster.");
    return add_member(r, m);
}

static bool read_words(struct reading *r)
{
    const char *first = r->word[0];
    if (strcmp(first, "member") == 0)
        return read_member(r);
    if (strcmp(first, "record") == 0)
        return read_record(r);
    if (strcmp(first, "name") == 0) {
        if (r->name || r->n != 2 || !cluster_name_valid(r->word[1]))
            return bad(r, "malformed cluster name", NULL);
        strcpy(r->c->name, r->word[1]);
        return r->name = true;
    }
    if (strcmp(first, "root") == 0) {
        if (r->root || r->n != 2 || !hex_get(r->c->root, KEY_SIZE, r->word[1], strlen(r->word[1])))
            return bad(r, "malformed root key", NULL);
        return r->root = true;
    }
    return bad(r, "unknown line", "Known are: name, root, record, member.");
}

static bool read_line(struct reading *r, char *line)
{
    char *rest = NULL;
    r->n = 0;
    for (char *word = strtok_r(line, " \t\r", &rest); word; word = strtok_r(NULL, " \t\r", &rest)) {
        if (r->n == WORDS_MAX)
            return bad(r, "too many words", NULL);
        r->word[r->n++] = word;
    }
    if (r->n == 0 || r->word[0][0] == '#')
        return true;
    return read_words(r);
}

bool cluster_take_member(struct cluster *c, char *line, const char *path, int number, struct problem *err)
{
    struct reading r = {.c = c,
                        .path = path,
                        .line = number,
                        .name = true,
                        .root = true,
                        .record = true,
                        .later = true,
                        .err = err};
    return strncmp(line, "member ", 7) == 0 ? read_line(&r, line) : bad(&r, "not the line of a member", NULL);
}

/* The voters and databases of the first record are members, with these keys, sites and roles. */
static bool check_record(const struct reading *r)
{
    const struct record *first = &r->c->first;
    for (int i = 0; i < first->voters.n; i++) {
        const struct voter *v = &first->voters.v[i];
        const struct cluster_member *m = cluster_member(r->c, v->id);
        if (m == NULL || (m->member.role != ROLE_DATABASE && m->member.role != ROLE_WITNESS) ||
            memcmp(m->member.key, v->key, KEY_SIZE) != 0 || strcmp(m->member.site, v->site) != 0)
            return bad(r, "a voter of the first record is not a member as certified",
                       m ? m->member.name : NULL);
    }
    for (int i = 0; i < first->n_databases; i++) {
        const struct cluster_member *m = cluster_member(r->c, first->databases[i]);
        if (m == NULL || m->member.role != ROLE_DATABASE)
            return bad(r, "a database of the first record is not a member as certified",
                       m ? m->member.name : NULL);
    }
    return true;
}

bool cluster_parse(const char *text, size_t n, const char *path, struct cluster *c, struct problem *err)
{
    static const char heading[] = "pgmesh-cluster 1";
    struct reading r = {.c = c, .path = path, .line = 1, .err = err};
    memset(c, 0, sizeof *c);
    char *copy = malloc(n + 1), *line = copy;
    if (copy == NULL)
        return problem_fact(err, "out of memory");
    memcpy(copy, text, n);
    copy[n] = '\0';

    bool good = strlen(copy) == n || bad(&r, "the file contains a NUL byte", NULL);
    if (good &&
        (strncmp(copy, heading, strlen(heading)) != 0 || !isspace((unsigned char)copy[strlen(heading)])))
        good = bad(&r, "not a cluster file of this version", "It begins with \"pgmesh-cluster 1\".");
    while (good && (line = strchr(line, '\n')) != NULL && *++line) {
        char *end = strchrnul(line, '\n');
        bool last = *end == '\0';
        *end = '\0';
        r.line++;
        good = read_line(&r, line);
        *end = last ? '\0' : '\n';
        line = end;
        if (last)
            break;
    }
    if (good && text[n - 1] != '\n')
        good = bad(&r, "the last line is cut off", NULL);
    if (good && (!r.name || !r.root || !r.record || c->n == 0))
        good = bad(&r, "the file is incomplete", "It needs name, root, record and at least one member.");
    good = good && check_record(&r);
    c->n_first = c->n;
    free(copy);
    if (!good)
        memset(c, 0, sizeof *c);
    return good;
}

bool cluster_load(const char *path, struct cluster *c, struct problem *err)
{
    size_t n;
    char *text = file_read(path, FILE_TEXT | FILE_ITSELF, FILE_TEXT_MAX, &n, err);
    if (text == NULL)
        return false;
    bool good = cluster_parse(text, n, path, c, err);
    free(text);
    return good;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

void cluster_member_line(char *out, size_t size, const struct cluster_member *m)
{
    char key[2 * KEY_SIZE + 1], signature[2 * SIGNATURE_SIZE + 1], address[ADDRESS_TEXT_SIZE];
    hex_put(key, m->member.key, KEY_SIZE);
    hex_put(signature, m->signature, SIGNATURE_SIZE);
    size_t n = (size_t)snprintf(out, size, "member %u %s %s %s %s %lld %lld %s", (unsigned)m->member.id,
                                m->member.name, cluster_role_name(m->member.role), m->member.site, key,
                                (long long)m->from, (long long)m->until, signature);
    for (int i = 0; i < m->n_mesh && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i == 0 ? " mesh=" : ",",
                              address_print(address, &m->mesh[i]));
    if (m->has_pg && n < size)
        n += (size_t)snprintf(out + n, size - n, " pg=%s", address_print(address, &m->pg));
    for (int i = 0; i < m->member.n_former && n < size; i++) {
        const struct former_key *f = &m->member.former[i];
        hex_put(key, f->key, KEY_SIZE);
        n += (size_t)snprintf(out + n, size - n, "%s%s:", i == 0 ? " was=" : ",", key);
        if (n < size && f->round == KEY_OPEN)
            n += (size_t)snprintf(out + n, size - n, "-");
        else if (n < size)
            n += (size_t)snprintf(out + n, size - n, "%llu", (unsigned long long)f->round);
    }
}

static void print_member(FILE *f, const struct cluster_member *m)
{
    char line[LINE_SIZE];
    cluster_member_line(line, sizeof line, m);
    fprintf(f, "%s\n", line);
}

bool cluster_write(const char *path, const struct cluster *c, struct problem *err)
{
    uint8_t packed[RECORD_BYTES_MAX];
    char root[2 * KEY_SIZE + 1], signature[2 * SIGNATURE_SIZE + 1];
    char *text = NULL, *record = malloc(2 * sizeof packed + 1);
    size_t n = 0;
    FILE *f = record ? open_memstream(&text, &n) : NULL;
    bool good = false;

    if (f) {
        hex_put(root, c->root, KEY_SIZE);
        hex_put(signature, c->record_signature, SIGNATURE_SIZE);
        hex_put(record, packed, wire_put_record(packed, &c->first));
        fprintf(f, "pgmesh-cluster 1\nname %s\nroot %s\nrecord %s %s\n", c->name, root, record, signature);
        for (int i = 0; i < c->n; i++)
            print_member(f, &c->members[i]);
        good = fclose(f) == 0;
    }
    if (!good)
        problem_fact(err, "out of memory");
    good = good && file_replace(path, text, n, 0644, err);
    free(text);
    free(record);
    return good;
}
