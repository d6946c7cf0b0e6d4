/* rig_word.c: what the others say on the bench: questions, statements under their keys, proposals, certificates. */
#include "tests/unit/rig.h"

void rig_prepare(struct rig *r, member_id from, uint64_t round, bool takeover)
{
    struct prepare p = {.ballot = rig_ballot(round, from), .takeover = takeover};
    rig_say(r, prepare, FRAME_PREPARE, from, &p);
}

void rig_outbid(struct rig *r, member_id from)
{
    struct ballot ours = r->core->proposer.ballot;
    struct nack n = {.ballot = ours, .promised = rig_ballot(ours.round + 5, from), .reason = NACK_BALLOT};
    rig_say(r, nack, FRAME_NACK, from, &n);
}

void rig_seal(struct rig *r, member_id from, uint64_t round)
{
    struct seal s = {.ballot = rig_ballot(round, from), .term = decided(r->core)->term};
    rig_say(r, seal, FRAME_SEAL, from, &s);
}

void rig_accept(struct rig *r, const struct proposal *p)
{
    static struct accept a;
    a = (struct accept){.proposal = *p};
    rig_say(r, accept, FRAME_ACCEPT, p->ballot.member, &a);
}

void rig_release(struct rig *r, member_id who, uint64_t term, member_id signer)
{
    struct release x = {
        .who = who, .ballot = rig_ballot(RIG_ROUND, DB1), .term = term, .lsn = RIG_LSN, .reason = "test"};
    uint8_t bytes[STATEMENT_MAX];
    sign_make(x.signature, &r->secret[signer], bytes, release_bytes(bytes, &r->setup.cluster, &x));
    rig_say(r, release, FRAME_RELEASE, signer, &x);
}

struct command rig_command(const struct rig *r, enum command_kind kind, member_id target)
{
    static uint64_t last_id; /* no command is executed twice */
    struct command m = {.who = OP,
                        .id = ++last_id,
                        .base = decided_ballot(r->core),
                        .term = decided(r->core)->term,
                        .kind = kind,
                        .target = target};
    return m;
}

void rig_sign_command(const struct rig *r, struct command *m)
{
    uint8_t bytes[STATEMENT_MAX];
    sign_make(m->signature, &r->secret[OP], bytes, command_bytes(bytes, &r->setup.cluster, m));
}

void rig_submit(struct rig *r, struct command *m)
{
    static uint8_t body[FRAME_BODY_MAX];
    rig_sign_command(r, m);
    rig_frame(r, FRAME_COMMAND, OP, r->self, body, wire_put_command(body, m));
}

void rig_sign_promise(const struct rig *r, struct promise *p)
{
    uint8_t bytes[STATEMENT_MAX];
    sign_make(p->signature, &r->secret[p->who], bytes, promise_bytes(bytes, &r->setup.cluster, p));
}

void rig_sign_sealed(const struct rig *r, struct sealed_statement *s)
{
    uint8_t bytes[STATEMENT_MAX];
    sign_make(s->signature, &r->secret[s->sealed.id], bytes, sealed_bytes(bytes, &r->setup.cluster, s));
}

void rig_sign_all(const struct rig *r, struct proposal *p)
{
    for (int i = 0; i < p->why.n_promises; i++)
        rig_sign_promise(r, &p->why.promises[i]);
    for (int i = 0; i < p->why.n_seals; i++)
        rig_sign_sealed(r, &p->why.seals[i]);
    if (p->why.has_command)
        rig_sign_command(r, &p->why.command);
}

struct proposal *rig_takeover(const struct rig *r, uint64_t round, member_id primary)
{
    static const member_id voters[] = {DB2, DB3, W1};
    static struct proposal p;
    const struct record *from = decided(r->core);
    struct justification *why = &p.why;
    p = (struct proposal){.ballot = rig_ballot(round, primary), .record = *from};
    *why = (struct justification){
        .takeover = true, .built = p.ballot, .former = from->primary, .former_dir = from->primary_dir};
    for (int i = 0; i < 3; i++)
        why->promises[why->n_promises++] = (struct promise){.who = voters[i],
                                                            .ballot = p.ballot,
                                                            .takeover = true,
                                                            .accepted = decided_ballot(r->core),
                                                            .term = from->term,
                                                            .verdict = VERDICT_GONE,
                                                            .silent_ms = 700};
    for (member_id id = DB2; id <= DB3; id++)
        why->seals[why->n_seals++] = (struct sealed_statement){.ballot = p.ballot,
                                                               .sealed = {.id = id,
                                                                          .dir = 100u + id,
                                                                          .wal_term = from->term,
                                                                          .timeline = from->timeline,
                                                                          .lsn = RIG_LSN},
                                                               .timeline_max = from->timeline};
    lineage_append(&p.record, from->timeline,
                   (struct history_row){from->timeline + 1, RIG_LSN, from->term + 1});
    p.record.version++;
    p.record.term++;
    p.record.primary = primary;
    p.record.primary_dir = 100u + primary;
    rig_sign_all(r, &p);
    return &p;
}

struct proposal *rig_change(const struct rig *r, uint64_t round, void (*edit)(struct record *))
{
    static struct proposal p;
    p = (struct proposal){.ballot = rig_ballot(round, DB1), .record = *decided(r->core)};
    p.record.version++;
    edit(&p.record);
    return &p;
}

struct certificate *rig_certificate(const struct rig *r, const struct proposal *p, uint32_t voters)
{
    static struct certificate c;
    uint8_t bytes[STATEMENT_MAX];
    c = (struct certificate){.proposal = *p};
    for (member_id id = DB1; id <= RIG_MEMBERS; id++) {
        if (!(voters >> (id - 1) & 1))
            continue;
        struct accepted *a = &c.accepted[c.n_accepted++];
        *a = (struct accepted){.who = id, .ballot = p->ballot};
        record_hash(a->record_hash, &p->record);
        sign_make(a->signature, &r->secret[id], bytes, accepted_bytes(bytes, &r->setup.cluster, a));
    }
    return &c;
}

void rig_decide(struct rig *r, const struct proposal *p)
{
    member_id from = r->self == W2 ? W1 : W2;
    rig_say(r, decided, FRAME_DECIDED, from, rig_certificate(r, p, 0x1f & ~(1u << (r->self - 1))));
}
