/* A store file: what passes lies within the bytes given, and the checksum covers it. */
#include "mesh/io/store.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *payload = NULL;
    const char *why = NULL;
    uint64_t generation;
    size_t n = 0;
    enum store_found found = store_check(data, size, &payload, &n, &generation, &why);
    assert((found == STORE_GOOD) == (why == NULL));
    if (found != STORE_GOOD)
        return 0;
    assert(payload >= data && payload + n == data + size);
    return 0;
}
