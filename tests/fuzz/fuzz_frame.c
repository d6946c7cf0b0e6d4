/* The envelope, from bytes that anybody may send.  What opens must lie inside of what came, must be what a frame with
 * the same fields is sealed to, byte for byte, and verifies only if its signature is the right one. */
#include "mesh/frame.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[32] = {42};
    static uint8_t key[KEY_SIZE], out[FRAME_MAX];
    static struct secret_key secret;
    static bool ready;
    if (!ready)
        sign_keypair(key, &secret, seed);
    ready = true;

    struct cluster_id cluster = {{0}};
    if (size >= 12 + CLUSTER_ID_SIZE)
        memcpy(cluster.b, data + 12, CLUSTER_ID_SIZE); /* "other cluster" is no riddle worth solving */
    struct frame f;
    enum reject reject = frame_open(&f, data, size, &cluster);
    assert(reject_name(reject));
    if (reject != REJECT_NONE) {
        assert(f.body == NULL && f.body_len == 0);
        return 0;
    }
    assert(f.body == data + FRAME_HEADER && FRAME_HEADER + (size_t)f.body_len + SIGNATURE_SIZE == size);
    assert(frame_seal(out, &f, &secret) == size);
    assert(memcmp(out, data, size - SIGNATURE_SIZE) == 0);
    assert(frame_verify(data, size, key) == (memcmp(out, data, size) == 0));
    return 0;
}
