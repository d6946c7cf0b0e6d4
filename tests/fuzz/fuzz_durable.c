/* The store's bytes, should a damaged file ever pass its checksum. */
#include "tests/unit/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static union any x;
    static uint8_t out[DURABLE_MAX];
    const struct kind *k = kind_of("durable");
    if (!kind_accepts(k, &x, data, size))
        return 0;
    assert(k->put(out, &x) == size);
    assert(memcmp(out, data, size) == 0);
    return 0;
}
