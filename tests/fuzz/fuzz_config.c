/* node.conf: whatever is read keeps its limits, and is read the same again from the sample that it makes. */
#define _GNU_SOURCE
#include "mesh/io/config.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config c;
    struct problem problem = {.fact = ""};
    if (!config_parse((const char *)data, size, "/f/node.conf", &c, &problem)) {
        assert(problem.fact[0] != '\0');
        return 0;
    }
    assert(c.member[0] != '\0' && strlen(c.member) < sizeof c.member);
    assert(c.n_listen <= ADDRESSES_MAX && c.n_hba <= CONFIG_HBA_MAX &&
           c.n_parameters <= CONFIG_PARAMETERS_MAX);
    assert(strlen(c.data_dir) < sizeof c.data_dir && strlen(c.cgroup) < sizeof c.cgroup);
    for (size_t i = 0; i < config_options_n; i++) {
        const struct config_option *o = &config_options[i];
        uint32_t ms;
        if (o->type != CONFIG_TIME)
            continue;
        memcpy(&ms, (const char *)&c + o->offset, sizeof ms);
        assert(ms >= o->min && ms <= o->max);
    }
    return 0;
}
