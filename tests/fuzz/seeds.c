/* Writes the corpora of fuzz_frame, fuzz_wire and fuzz_durable anew.  To be run from the repository's root after a
 * schema has changed:
 *
 *     cc -std=gnu11 -I. -o build/seeds tests/fuzz/seeds.c mesh/frame.c mesh/sign.c mesh/wire*.c -lsodium && build/seeds
 *
 * Few and small on purpose: of each kind one small value, one ordinary, and the largest where it is no giant; of what
 * must be refused, the bombs that other readers of the format fell for. */
#include "tests/unit/kinds.h"

#include <stdio.h>

static void save(const char *corpus, const char *name, const uint8_t *bytes, size_t n)
{
    char path[256];
    snprintf(path, sizeof path, "tests/fuzz/corpus/%s/%s", corpus, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, n, file) != n || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

/* The smallest of many draws, one in the middle of what a heartbeat weighs, the largest. */
static void save_kind(const char *corpus, size_t i, bool selector)
{
    static union any x;
    static uint8_t bytes[1 + DURABLE_MAX], best[1 + DURABLE_MAX];
    const struct kind *k = &kinds[i];
    uint8_t *body = bytes + (selector ? 1 : 0);
    char name[64];
    size_t n, smallest = SIZE_MAX;
    bytes[0] = (uint8_t)i;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct draw d = {.state = seed};
        memset(&x, 0, sizeof x);
        k->draw(&d, &x);
        n = k->put(body, &x) + (size_t)(body - bytes);
        if (n < smallest) {
            smallest = n;
            memcpy(best, bytes, n);
        }
        snprintf(name, sizeof name, "%s-ordinary", k->name);
        if (seed == 0)
            save(corpus, name, bytes, n);
    }
    snprintf(name, sizeof name, "%s-small", k->name);
    save(corpus, name, best, smallest);

    struct draw largest = {.largest = true};
    memset(&x, 0, sizeof x);
    k->draw(&largest, &x);
    n = k->put(body, &x) + (size_t)(body - bytes);
    snprintf(name, sizeof name, "%s-largest", k->name);
    if (n < 2000 || !selector)
        save(corpus, name, bytes, n);
}

static void save_frames(void)
{
    static const uint8_t seed[32] = {42};
    static uint8_t out[FRAME_MAX], key[KEY_SIZE];
    struct secret_key secret;
    struct frame f = {.origin = 1,
                      .counter = 2,
                      .nonce = 3,
                      .seq = 4,
                      .body = (const uint8_t *)"\x92\x93\1\2\3\4",
                      .body_len = 6};
    size_t n = 0;
    sign_keypair(key, &secret, seed);
    for (int kind = 1; kind < FRAME_KIND_END; kind += 3) {
        char name[32];
        f.kind = (enum frame_kind)kind;
        n = frame_seal(out, &f, &secret);
        snprintf(name, sizeof name, "kind-%d", kind);
        save("frame", name, out, n);
    }
    save("frame", "cut", out, n - 1);
    save("frame", "header-only", out, FRAME_HEADER);
    save("frame", "longer", out, n + 1);
    out[11]++;
    save("frame", "length", out, n);
    out[11]--;
    out[4]++;
    save("frame", "version-to-come", out, n);
    out[4]--;
    out[n - 1] ^= 1;
    save("frame", "bad-signature", out, n);
    f.body_len = 0;
    save("frame", "no-body", out, frame_seal(out, &f, &secret));
}

static void save_bombs(const char *corpus, bool selector)
{
    static const struct {
        const char *name, *bytes;
        size_t n;
    } rows[] = {
        {"bomb-array", "\xdd\xff\0\0\0", 5},
        {"bomb-map", "\xdf\xff\xff\xff\xff", 5},
        {"bomb-str", "\xdb\xff\xff\xff\xff", 5},
        {"bomb-bin", "\xc6\xff\xff\xff\xff", 5},
        {"bomb-ext", "\xc9\xff\xff\xff\xff\1", 6},
        {"nan", "\xcb\x7f\xf8\0\0\0\0\0\0", 9},
        {"twice-the-key", "\x82\xa1\x61\1\xa1\x61\1", 7},
    };
    uint8_t bytes[512] = {0};
    size_t from = selector ? 1 : 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memcpy(bytes + from, rows[i].bytes, rows[i].n);
        save(corpus, rows[i].name, bytes, from + rows[i].n);
    }
    memset(bytes + from, 0x91, sizeof bytes - from);
    save(corpus, "bomb-nested", bytes, sizeof bytes);
}

/* A heartbeat of the next version: two fields more, one of them an array. */
static void save_next_heartbeat(void)
{
    static const uint8_t appended[] = {0xcd, 1, 2, 0x92, 0xa1, 'x', 0xc0};
    static uint8_t bytes[1 + FRAME_BODY_MAX];
    static struct heartbeat h;
    struct draw d = {.state = 1};
    size_t i = 0;
    while (strcmp(kinds[i].name, "heartbeat") != 0)
        i++;
    draw_heartbeat(&d, &h);
    size_t n = 1 + wire_put_heartbeat(bytes + 1, &h);
    bytes[0] = (uint8_t)i;
    bytes[3] += 2; /* dc 00 count */
    memcpy(bytes + n, appended, sizeof appended);
    save("wire", "heartbeat-next", bytes, n + sizeof appended);
}

int main(void)
{
    save_frames();
    save_next_heartbeat();
    for (size_t i = 0; i < KINDS - 1; i++)
        save_kind("wire", i, true);
    save_bombs("wire", true);
    save_kind("durable", KINDS - 1, false);
    save_bombs("durable", false);
    return 0;
}
