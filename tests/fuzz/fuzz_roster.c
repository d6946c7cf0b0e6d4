/* The roster: lines by way of gossip or a file.  With signatures that nobody can forge, only what was signed is taken; whatever
 * stands beside a good line, that line is taken all the same.
 *
 * A byte 0xff stands for the next line that the root has signed, so that good and bad lines meet. */
#define _GNU_SOURCE
#include "mesh/io/roster.h"
#include "tests/unit/cluster_base.h"

#include <assert.h>

enum { LINES = 3, NEWCOMER = 9 };

static struct cluster_base base;
static char lines[LINES][ROSTER_LINE_SIZE];

static void begin(void)
{
    struct cluster_member m = {.n_mesh = 1, .mesh = {{.host = "10.0.0.9", .port = 7400}}};
    struct key key;
    cluster_base_make(&base);
    keys_generate(&key, NULL);
    m.member.id = NEWCOMER;
    m.member.role = ROLE_WITNESS;
    strcpy(m.member.name, "wit9");
    strcpy(m.member.site, "lux");
    memcpy(m.member.key, key.public, KEY_SIZE);
    cluster_certify(&base.cluster, &m, &base.root);
    roster_sign_member(lines[0], &base.cluster, &m, 1, &base.root);
    roster_sign_revocation(lines[1], &base.cluster, 2, 2, &base.root);
    roster_sign_revocation(lines[2], &base.cluster, NEWCOMER, 3, &base.root);
}

/* The input's text with the signed lines in it. */
static size_t spell(char text[static ROSTER_MAX], const uint8_t *data, size_t size, int *signed_lines)
{
    size_t n = 0;
    *signed_lines = 0;
    for (size_t i = 0; i < size && n < ROSTER_MAX - ROSTER_LINE_SIZE - 2; i++)
        if (data[i] == 0xff)
            n += (size_t)sprintf(text + n, "%s\n", lines[(*signed_lines)++ % LINES]);
        else
            text[n++] = (char)data[i];
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct roster roster, again;
    static struct cluster cluster, other;
    static char text[ROSTER_MAX], kept[ROSTER_MAX];
    struct problem problem = {.fact = ""};
    int signed_lines, news = 0;
    if (base.cluster.n == 0)
        begin();
    cluster = other = base.cluster;
    memset(&roster, 0, sizeof roster);
    memset(&again, 0, sizeof again);
    size_t n = spell(text, data, size, &signed_lines);
    bool good = roster_merge(&roster, &cluster, text, n, "roster", &news, &problem);
    assert(good == (problem.fact[0] == '\0'));
    assert(news <= signed_lines && roster.n <= LINES);
    assert(cluster.n <= base.cluster.n + 1 && cluster.n <= MEMBERS_MAX);
    for (int i = 0; i < base.cluster.n; i++)
        assert(memcmp(cluster.members[i].member.key, base.cluster.members[i].member.key, KEY_SIZE) == 0);
    /* What was taken is kept and told as text, and means the same to whoever reads that. */
    n = roster_text(&roster, kept);
    assert(n <= ROSTER_MAX);
    assert(roster.n == 0 || roster_merge(&again, &other, kept, n, "roster", &news, &problem));
    assert(roster.n == 0 || (again.digest == roster.digest && again.n == roster.n && other.n == cluster.n));
    return 0;
}
