/* The cluster file: with signatures that nobody can forge, only what was signed is ever accepted. */
#include "mesh/io/cluster.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cluster c;
    struct problem problem = {.fact = ""};
    keys_begin();
    if (!cluster_parse((const char *)data, size, "cluster", &c, &problem)) {
        assert(problem.fact[0] != '\0' && c.n == 0);
        return 0;
    }
    assert(c.n >= 1 && c.n <= MEMBERS_MAX);
    for (int i = 0; i < c.n; i++) {
        assert(cluster_certificate_holds(&c, &c.members[i]));
        assert(cluster_find(&c, c.members[i].member.name) == &c.members[i]);
        assert(c.members[i].n_mesh <= ADDRESSES_MAX);
    }
    return 0;
}
