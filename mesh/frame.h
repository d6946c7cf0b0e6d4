/* frame.h: the outer envelope of every message, at fixed offsets, signed by its origin.
 *
 *   0  4  magic "pgm1"            28  8  counter: generation of the origin's store
 *   4  1  protocol version        36  8  incarnation: nonce of this start
 *   5  1  kind                    44  8  seq, rising within an incarnation
 *   6  2  origin member           52  n  body (msgpack, wire.h)
 *   8  2  addressee, 0 = everyone 52+n 64 Ed25519 signature over all before it
 *  10  2  body length n
 *  12 16  cluster id
 * Integers are big-endian.  Nothing of the body is looked at before the signature holds.
 *
 * The version is the oldest one whose readers understand the frame (docs/protocol.md, "Versions"); the signature covers it. */
#ifndef PGMESH_MESH_FRAME_H
#define PGMESH_MESH_FRAME_H

#include "mesh/sign.h"

/* The newest version that this program reads and may write, and the oldest: its neighbour.  PGMESH_PROTOCOL_NEXT makes the test
 * build that stands for the version to come. */
#ifdef PGMESH_PROTOCOL_NEXT
enum { FRAME_VERSION = 2, FRAME_VERSION_MIN = 1 };
#else
enum { FRAME_VERSION = 1, FRAME_VERSION_MIN = 1 };
#endif
enum {
    FRAME_HEADER = 52,
    FRAME_BODY_MAX = 24 * 1024,
    FRAME_MAX = FRAME_HEADER + FRAME_BODY_MAX + SIGNATURE_SIZE
};

enum frame_kind {
    FRAME_HEARTBEAT = 1,
    FRAME_PREPARE,
    FRAME_PROMISE,
    FRAME_NACK,
    FRAME_SEAL,
    FRAME_SEALED,
    FRAME_ACCEPT,
    FRAME_ACCEPTED,
    FRAME_DECIDED,
    FRAME_RELEASE,
    FRAME_COMMAND,
    FRAME_ANSWER,
    FRAME_ROSTER,
    FRAME_PENDING, /* an order that waits for a second person: to be shown, never to be executed */
    FRAME_KIND_END
};

/* Why something that arrived was refused; counted by reason, named in logs and metrics. */
#define REJECT_LIST(X) \
    X(NONE, "none") \
    X(SHORT, "too_short") \
    X(LONG, "too_long") \
    X(MAGIC, "bad_magic") \
    X(VERSION, "version") \
    X(KIND, "unknown_kind") \
    X(LENGTH, "length_mismatch") \
    X(CLUSTER, "other_cluster") \
    X(ORIGIN, "unknown_member") \
    X(SIGNATURE, "bad_signature") \
    X(REPLAY, "replayed") \
    X(INCARNATION, "old_incarnation") \
    X(BODY, "malformed_body") \
    X(STATEMENT, "bad_statement") \
    X(ROLE, "not_allowed") \
    X(CERTIFICATE, "bad_certificate") \
    X(RECORD, "illegal_record") \
    X(STALE, "stale") \
    X(ADDRESSEE, "not_for_us") \
    X(TWIN, "twin") \
    X(REVOKED, "revoked")
enum reject {
#define X(name, text) REJECT_##name,
    REJECT_LIST(X)
#undef X
        REJECT_COUNT
};
const char *reject_name(enum reject r);

struct frame {
    uint8_t version;
    enum frame_kind kind;
    member_id origin, addressee;
    struct cluster_id cluster;
    uint64_t counter, nonce, seq;
    const uint8_t *body; /* points into the received bytes */
    uint16_t body_len;
};

/* Reads the envelope only: lengths, magic, version, kind, cluster.  Verifies nothing.  No field of *f is to be
 * trusted before frame_verify(). */
enum reject frame_open(struct frame *f, const uint8_t *bytes, size_t n, const struct cluster_id *cluster);
/* Does the origin's signature hold? */
bool frame_verify(const uint8_t *bytes, size_t n, const uint8_t key[static KEY_SIZE]);
/* Writes envelope, body and signature into out (FRAME_MAX bytes room); the body may already stand at
 * out + FRAME_HEADER.  Version 0 stands for FRAME_VERSION_MIN,
 * for whoever does not know what the others read.  Returns the whole length. */
size_t frame_seal(uint8_t *out, const struct frame *f, const struct secret_key *key);

#endif
