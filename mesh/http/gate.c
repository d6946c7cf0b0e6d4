#include "mesh/http/gate.h"

#include "mesh/io/keys.h"

#include <stdio.h>
#include <string.h>

static int64_t *place_of(struct gate *g, const char *address)
{
    char text[96];
    uint8_t hash[HASH_SIZE];
    if (g->salt == 0)
        g->salt = keys_random_u64();
    snprintf(text, sizeof text, "%llu %s", (unsigned long long)g->salt, address);
    sign_hash(hash, text, strlen(text));
    return &g->due_ms[hash[0] % GATE_PLACES];
}

bool gate_admit(struct gate *g, const char *address, instant now)
{
    int64_t *due = place_of(g, address), now_ms = now.boot_ns / 1000000;
    int64_t from = *due > now_ms ? *due : now_ms;
    if (from - now_ms > (GATE_BURST - 1) * GATE_PAUSE_MS)
        return false;
    *due = from + GATE_PAUSE_MS;
    return true;
}
