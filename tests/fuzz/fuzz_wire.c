/* Bodies: the first byte selects the kind.  What is accepted is written again to the same bytes; what is refused leaves
 * nothing of itself.  A heartbeat may be of another version. */
#include "tests/unit/kinds.h"

static size_t statement(const struct kind *k, const union any *x, uint8_t out[static STATEMENT_MAX])
{
    static const struct cluster_id cluster;
    if (strcmp(k->name, "accepted") == 0)
        return accepted_bytes(out, &cluster, (const struct accepted *)x);
    if (strcmp(k->name, "sealed") == 0)
        return sealed_bytes(out, &cluster, (const struct sealed_statement *)x);
    if (strcmp(k->name, "release") == 0)
        return release_bytes(out, &cluster, (const struct release *)x);
    if (strcmp(k->name, "command") == 0)
        return command_bytes(out, &cluster, (const struct command *)x);
    if (strcmp(k->name, "promised") == 0)
        return promise_bytes(out, &cluster, &((const struct promised *)x)->promise);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static union any x, y;
    static uint8_t out[FRAME_BODY_MAX], layout[STATEMENT_MAX];
    if (size == 0)
        return 0;
    const struct kind *k = &kinds[data[0] % (KINDS - 1)]; /* all but the last, the store */
    if (!kind_accepts(k, &x, data + 1, size - 1))
        return 0;
    size_t n = k->put(out, &x);
    if (n != size - 1 ||
        memcmp(out, data + 1, n) != 0) { /* a heartbeat of another version: what is known of it stays */
        assert(strcmp(k->name, "heartbeat") == 0);
        assert(kind_accepts(k, &y, out, n) && memcmp(&x, &y, k->size) == 0);
    }
    assert(statement(k, &x, layout) <= STATEMENT_MAX);
    return 0;
}
