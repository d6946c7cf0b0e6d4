/* The whole machine against one member that has its key and means ill, among others that go on in order: whatever it
 * signs, core_step() neither asserts nor reads what is not there, and what the core writes can be read again.
 *
 * The input is a script: the first byte chooses who we are, then steps of an opcode and what it takes. */
// LINK: tests/unit/rig.c tests/unit/rig_word.c
#include "tests/unit/kinds.h"
#include "tests/unit/rig.h"

#include <assert.h>
#include <stdlib.h>

enum { STEPS_MAX = 64, SELVES = 4 };

static struct script {
    const uint8_t *at, *end;
} script;

static uint8_t byte(void)
{
    return script.at < script.end ? *script.at++ : 0;
}

static uint64_t number(int bytes)
{
    uint64_t n = 0;
    while (bytes-- > 0)
        n = n << 8 | byte();
    return n;
}

/* Everybody's rig as it stands in a healthy cluster, and the copy that each input starts from. */
static struct bench {
    struct rig *r, rig;
    void *core;
} benches[SELVES];

static struct rig *fresh(int which)
{
    static const member_id selves[SELVES] = {DB1, DB2, W1, APP1};
    struct bench *b = &benches[which];
    if (!b->r) {
        b->r = rig_running(selves[which]);
        b->core = malloc(core_size());
        assert(b->core);
        memcpy(b->core, b->r->core, core_size());
        b->rig = *b->r;
    }
    memcpy(b->r->core, b->core, core_size());
    *b->r = b->rig;
    return b->r;
}

static member_id somebody(const struct rig *r)
{
    member_id id = (member_id)(1 + byte() % APP1);
    return id == r->self ? (member_id)(id % APP1 + 1) : id;
}

/* ---- what the ill one sends ------------------------------------------------------------------------------------------- */

static void any_bytes(struct rig *r)
{
    enum frame_kind kind = (enum frame_kind)(1 + byte() % (FRAME_KIND_END - 1));
    member_id from = somebody(r), link = somebody(r);
    size_t n = number(2) % FRAME_BODY_MAX, left = (size_t)(script.end - script.at);
    n = n < left ? n : left;
    rig_frame(r, kind, from, link, script.at, n);
    script.at += n;
}

/* The kind of frame that a body belongs to, 0 for what is never one. */
static enum frame_kind frame_of(const struct kind *k)
{
    static const struct {
        const char *name;
        enum frame_kind kind;
    } rows[] = {{"heartbeat", FRAME_HEARTBEAT}, {"prepare", FRAME_PREPARE},   {"promised", FRAME_PROMISE},
                {"nack", FRAME_NACK},           {"seal", FRAME_SEAL},         {"sealed", FRAME_SEALED},
                {"accept", FRAME_ACCEPT},       {"accepted", FRAME_ACCEPTED}, {"decided", FRAME_DECIDED},
                {"release", FRAME_RELEASE},     {"command", FRAME_COMMAND},   {"answer", FRAME_ANSWER}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].name, k->name) == 0)
            return rows[i].kind;
    return (enum frame_kind)0;
}

/* Well formed, and nonsense. */
static void drawn(struct rig *r)
{
    static union any x;
    static uint8_t body[DURABLE_MAX + FRAME_BODY_MAX];
    const struct kind *k = &kinds[byte() % (KINDS - 1)];
    struct draw d = {.state = number(4)};
    memset(&x, 0, sizeof x);
    k->draw(&d, &x);
    size_t n = k->put(body, &x);
    if (n <= FRAME_BODY_MAX && frame_of(k))
        rig_frame(r, frame_of(k), somebody(r), somebody(r), body, n);
}

/* Its usual heartbeat, or a takeover that others have signed, with some bytes bent. */
static void bent(struct rig *r, bool heartbeat)
{
    static uint8_t body[FRAME_BODY_MAX];
    member_id from = somebody(r);
    size_t n;
    if (heartbeat) {
        struct heartbeat h = r->beat[from];
        n = wire_put_heartbeat(body, &h);
    } else {
        static struct accept a;
        a = (struct accept){.proposal = *rig_takeover(r, 11 + byte(), (member_id)(DB1 + byte() % 3))};
        n = wire_put_accept(body, &a);
    }
    for (int flips = byte() % 8; flips > 0; flips--) {
        size_t at = number(2) % n;
        body[at] = byte();
    }
    rig_frame(r, heartbeat ? FRAME_HEARTBEAT : FRAME_ACCEPT, from, from, body, n);
}

static void statement(struct rig *r)
{
    member_id from = somebody(r);
    switch (byte() % 5) {
    case 0: rig_prepare(r, from, number(2), byte() & 1); break;
    case 1: rig_seal(r, from, number(2)); break;
    case 2: rig_release(r, (member_id)(DB1 + byte() % 3), number(1), from); break;
    case 3: rig_accept(r, rig_takeover(r, number(1), (member_id)(DB1 + byte() % 3))); break;
    case 4: {
        struct command m = rig_command(r, (enum command_kind)(COMMAND_SWITCHOVER + byte() % COMMAND_REINIT),
                                       (member_id)byte());
        rig_submit(r, &m);
        break;
    }
    }
}

/* ---- what happens besides ---------------------------------------------------------------------------------------------- */

static void sample(struct rig *r)
{
    r->pg.phase = (enum pg_phase)(byte() % (PG_BROKEN + 1));
    uint8_t bits = byte();
    r->pg.answering = bits & 1;
    r->pg.clean = bits & 2;
    r->pg.sealed = bits & 4;
    r->pg.confirmed_dead = bits & 8;
    r->pg.progress = (enum pg_progress)(bits >> 4 & 3);
    r->pg.timeline = r->pg.timeline_max = 3 + byte() % 5;
    r->pg.lsn = r->pg.replay_lsn = 0x3f0 + number(2) % 0x200;
    r->pg.system_id = RIG_SYSTEM + (byte() % 16 == 0);
    r->pg.upstream = (member_id)(byte() % 5);
    if (r->pg.progress > PG_GOAL_FAILED)
        r->pg.progress = PG_GOAL_RUNNING;
    rig_sample(r);
}

static void one_step(struct rig *r)
{
    switch (byte() % 10) {
    case 0: any_bytes(r); break;
    case 1: drawn(r); break;
    case 2: bent(r, true); break;
    case 3: bent(r, false); break;
    case 4: statement(r); break;
    case 5: sample(r); break;
    case 6: rig_run(r, 10 * (1 + byte() % 100)); break;
    case 7: r->alive ^= 1u << byte() % APP1 & ~(1u << (r->self - 1)); break;
    case 8: r->voting ^= 1u << byte() % W2; break;
    case 9:
        if (r->stored_len)
            rig_restart(r);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct durable d;
    script = (struct script){data, data + size};
    struct rig *r = fresh(byte() % SELVES);
    for (int steps = 0; script.at < script.end && steps < STEPS_MAX; steps++) {
        rig_clear(r);
        one_step(r);
        assert(!r->stores || wire_get_durable(&d, r->stored, r->stored_len));
    }
    return 0;
}
