/* wire_schema.h: the shape of everything that travels or is signed, told once.
 *
 * Each list names a struct's fields in the order in which they stand on the wire.  wire_write.c, wire_read.c and
 * wire_statement.c expand the same lists into writers, readers and the bytes under a signature; what one of them knows,
 * the others know.  On the wire a struct is a msgpack array of exactly its fields: no maps, no names, no defaults.
 * Private to these three files.
 *
 *   NUM(field)                    an unsigned integer, no wider than the field
 *   ENUM(field, first, last)
 *   FLAG(field)
 *   BYTES(field)                  exactly as many bytes as the array has
 *   TEXT(field)                   UTF-8 without control characters, shorter than the array (wire_text.h)
 *   PART(schema, field)           another struct
 *   PAIR(schema, field)           both elements of an array of two
 *   LIST(schema, field, n)        the first `n` elements of an array
 *   NUMS(field, n)                the same, of unsigned integers
 *   MAYBE(schema, field, has)     a struct, or nil where `has` is false
 *   LATER(field)                  a number at the end that a writer of an older version leaves out: 0 then
 *   ABSENT(field)                 does not travel
 *   REST()                        whatever a newer version has appended is skipped: one-line values, no deeper than REST_DEPTH
 *   TAIL(schema, field, has)      the last of a list: a struct, or nothing at all where `has` is false, so that a value without
 *                                 it is what it was before there was such a field
 *
 * There is one encoding for each value: integers, lengths and counts take their shortest form.  Hashes and the
 * comparison of bytes rest on it.  A field is never removed or moved within a frame version.  LATER and REST stand in nothing
 * that is signed by itself, hashed or stored: a heartbeat alone may say more, or less, than its reader knows. */
#ifndef PGMESH_MESH_WIRE_SCHEMA_H
#define PGMESH_MESH_WIRE_SCHEMA_H

#include "mesh/wire.h"

// clang-format off

#define BALLOT(X) \
    X(NUM, round) X(NUM, nonce) X(NUM, member)

/* ---- the record ---------------------------------------------------------------------------------------------- */

#define SYNC_MEMBER(X) \
    X(NUM, id) X(NUM, dir)
#define SYNC_SET(X) \
    X(NUM, k) X(LIST, sync_member, m, n)
#define VOTER(X) \
    X(NUM, id) X(TEXT, site) X(BYTES, key) X(NUM, epoch)
#define VOTERS(X) \
    X(ENUM, rule, RULE_MAJORITY, RULE_SITES) X(LIST, voter, v, n)
#define HISTORY_ROW(X) \
    X(NUM, timeline) X(NUM, switch_lsn) X(NUM, term)
#define RECORD(X) \
    X(BYTES, nonce) X(NUM, version) X(NUM, term) X(NUM, primary) X(NUM, primary_dir) X(NUM, timeline) \
    X(ENUM, durability, DURABILITY_ASYNC, DURABILITY_STRICT) \
    X(FLAG, joint) X(PAIR, sync_set, sync) X(PART, voters, voters) \
    X(NUMS, databases, n_databases) X(NUM, lease_ms_max) X(FLAG, paused) X(TEXT, paused_why) \
    X(NUM, switchover_from) X(NUM, switchover_to) X(NUM, switchover_deadline_ms) X(NUM, system_id) \
    X(LIST, history_row, history, n_history)

/* ---- statements: what is signed, then the signature ------------------------------------------------------------ */

#define SEALED_WAL(X) \
    X(NUM, id) X(NUM, dir) X(NUM, wal_term) X(NUM, timeline) X(NUM, lsn)

#define PROMISE_SIGNED(X) \
    X(NUM, who) X(PART, ballot, ballot) X(FLAG, takeover) X(PART, ballot, accepted) X(NUM, term) \
    X(ENUM, verdict, VERDICT_UNKNOWN, VERDICT_GONE) X(NUM, silent_ms)
#define ACCEPTED_SIGNED(X) \
    X(NUM, who) X(PART, ballot, ballot) X(BYTES, record_hash)
#define SEALED_SIGNED(X) \
    X(PART, ballot, ballot) X(PART, sealed_wal, sealed) X(NUM, backlog_bytes) X(NUM, timeline_max)
#define RELEASE_SIGNED(X) \
    X(NUM, who) X(PART, ballot, ballot) X(NUM, term) X(NUM, lsn) X(NUM, successor) X(TEXT, reason)
#define COMMAND_SIGNED(X) \
    X(NUM, who) X(NUM, id) X(PART, ballot, base) X(NUM, term) X(ENUM, kind, COMMAND_SWITCHOVER, COMMAND_LAST) \
    X(NUM, target) X(FLAG, allow_data_loss) X(TEXT, why)

#define PROMISE(X)  PROMISE_SIGNED(X) X(BYTES, signature)
#define ACCEPTED(X) ACCEPTED_SIGNED(X) X(BYTES, signature)
#define SEALED(X)   SEALED_SIGNED(X) X(BYTES, signature)
#define RELEASE(X)  RELEASE_SIGNED(X) X(BYTES, signature)
#define APPROVAL(X) X(NUM, who) X(BYTES, signature)
#define COMMAND(X)  COMMAND_SIGNED(X) X(BYTES, signature) X(TAIL, approval, approval, approved)

/* ---- proposals and certificates -------------------------------------------------------------------------------- */

#define JUSTIFICATION(X) \
    X(FLAG, takeover) X(PART, ballot, built) X(NUM, former) X(NUM, former_dir) \
    X(LIST, promise, promises, n_promises) X(LIST, sealed, seals, n_seals) X(MAYBE, command, command, has_command)
#define PROPOSAL(X) \
    X(PART, ballot, ballot) X(PART, record, record) X(PART, justification, why)
#define DECIDED(X) \
    X(PART, proposal, proposal) X(LIST, accepted, accepted, n_accepted)

/* ---- bodies ---------------------------------------------------------------------------------------------------- */

#define PG_REPORT(X) \
    X(ENUM, phase, PG_NONE, PG_BROKEN) X(FLAG, ready) X(FLAG, streaming) X(NUM, upstream) X(NUM, timeline) \
    X(NUM, timeline_max) X(NUM, wal_term) X(NUM, lsn) X(NUM, replay_lsn) X(NUM, system_id) X(NUM, dir) \
    X(NUM, preflight) X(NUM, lag_ms) X(NUM, priority)
#define HEARD(X) \
    X(NUM, who) X(NUM, counter) X(NUM, nonce) X(NUM, seq) X(NUM, dwell_us) X(NUM, rtt_us)
#define HEARTBEAT(X) \
    X(PART, ballot, decided) X(PART, ballot, accepted) X(PART, ballot, promised) X(PART, ballot, sealed_for) \
    X(NUM, decided_term) X(NUM, accepted_term) X(FLAG, votes) X(FLAG, lost) X(NUM, request_term) X(NUM, request_ms) \
    X(NUM, grant_term) X(NUM, grant_holder) X(NUM, grant_nonce) X(NUM, grant_seq) X(NUM, grant_ms) \
    X(ENUM, verdict, VERDICT_UNKNOWN, VERDICT_GONE) X(NUM, silent_ms) X(NUM, sql_seen_ms) X(NUM, outage_ms) \
    X(ENUM, pooler, POOLER_NONE, POOLER_HELD) \
    X(PART, pg_report, pg) X(NUM, quarantine_ms) X(NUM, flush_us) X(NUM, roster) X(NUM, reads) \
    X(LIST, heard, heard, n_heard) HEARTBEAT_NEXT(X) X(REST, )
/* What the neighbouring version to come adds: in the test build alone (docs/development.md, "Two versions"). */
#ifdef PGMESH_PROTOCOL_NEXT
#define HEARTBEAT_NEXT(X) X(LATER, next)
#elif defined PGMESH_MUTANTS
#define HEARTBEAT_NEXT(X) X(ABSENT, next)
#else
#define HEARTBEAT_NEXT(X)
#endif
#define PREPARE(X) \
    X(PART, ballot, ballot) X(FLAG, takeover) X(NUM, known_counter) X(MAYBE, command, command, has_command)
#define PROMISED(X) \
    X(PART, promise, promise) X(PART, proposal, accepted)
#define NACK(X) \
    X(PART, ballot, ballot) X(PART, ballot, promised) X(ENUM, reason, NACK_BALLOT, NACK_NO_RECORD) \
    X(ENUM, verdict, VERDICT_UNKNOWN, VERDICT_GONE)
#define SEAL(X) \
    X(PART, ballot, ballot) X(NUM, term)
#define ACCEPT(X) \
    X(PART, proposal, proposal) X(NUM, known_counter)
#define ANSWER(X) \
    X(NUM, id) X(FLAG, done) X(FLAG, final) X(TEXT, text) X(TEXT, detail) X(TEXT, hint)

/* ---- the store ------------------------------------------------------------------------------------------------- */

#define GENERATION(X) \
    X(NUM, who) X(NUM, counter) X(NUM, nonce)
#define STEP(X) \
    X(PART, ballot, ballot) X(PART, record, record) X(LIST, accepted, accepted, n_accepted)
#define DURABLE(X) \
    X(NUM, counter) X(NUM, round) X(NUM, epoch) X(FLAG, lost) X(PART, ballot, promised) X(PART, ballot, promised_takeover) \
    X(PART, ballot, sealed_for) X(NUM, lease_ms_max) X(NUM, released_term) X(MAYBE, release, release, has_release) \
    X(MAYBE, proposal, accepted, has_accepted) X(MAYBE, proposal, own, has_own) X(PART, decided, decided) \
    X(NUM, dir) X(NUM, dir_next) X(NUM, served_term) X(LIST, generation, known, n_known) X(LIST, step, chain, n_chain)

/* All of them, what is used before what uses it. */
#define SCHEMA_LIST(X) \
    X(ballot, struct ballot, BALLOT) \
    X(sync_member, struct sync_member, SYNC_MEMBER) \
    X(sync_set, struct sync_set, SYNC_SET) \
    X(voter, struct voter, VOTER) \
    X(voters, struct voters, VOTERS) \
    X(history_row, struct history_row, HISTORY_ROW) \
    X(record, struct record, RECORD) \
    X(sealed_wal, struct sealed, SEALED_WAL) \
    X(promise, struct promise, PROMISE) \
    X(accepted, struct accepted, ACCEPTED) \
    X(sealed, struct sealed_statement, SEALED) \
    X(release, struct release, RELEASE) \
    X(approval, struct approval, APPROVAL) \
    X(command, struct command, COMMAND) \
    X(justification, struct justification, JUSTIFICATION) \
    X(proposal, struct proposal, PROPOSAL) \
    X(decided, struct certificate, DECIDED) \
    X(pg_report, struct pg_report, PG_REPORT) \
    X(heard, struct heard, HEARD) \
    X(heartbeat, struct heartbeat, HEARTBEAT) \
    X(prepare, struct prepare, PREPARE) \
    X(promised, struct promised, PROMISED) \
    X(nack, struct nack, NACK) \
    X(seal, struct seal, SEAL) \
    X(accept, struct accept, ACCEPT) \
    X(answer, struct answer, ANSWER) \
    X(generation, struct generation, GENERATION) \
    X(step, struct step, STEP) \
    X(durable, struct durable, DURABLE)

// clang-format on

/* How many values a list has on the wire; how many elements an array. */
#define FIELD_NUM           1
#define FIELD_ENUM          1
#define FIELD_FLAG          1
#define FIELD_BYTES         1
#define FIELD_TEXT          1
#define FIELD_PART          1
#define FIELD_PAIR          2
#define FIELD_LIST          1
#define FIELD_NUMS          1
#define FIELD_MAYBE         1
#define FIELD_LATER         1
#define FIELD_ABSENT        0
#define FIELD_REST          0
#define FIELD_TAIL          0
#define FIELD_ONE(op, ...)  +FIELD_##op
#define FIELD_COUNT(FIELDS) (0 FIELDS(FIELD_ONE))
/* Of them, those that may be missing; may a tail, or more, follow? */
#define LATER_NUM           0
#define LATER_ENUM          0
#define LATER_FLAG          0
#define LATER_BYTES         0
#define LATER_TEXT          0
#define LATER_PART          0
#define LATER_PAIR          0
#define LATER_LIST          0
#define LATER_NUMS          0
#define LATER_MAYBE         0
#define LATER_LATER         1
#define LATER_ABSENT        0
#define LATER_REST          0x100
#define LATER_TAIL          0x10000
#define LATER_ONE(op, ...)  +LATER_##op
#define LATER_COUNT(FIELDS) ((0 FIELDS(LATER_ONE)) & 0xff)
#define MORE_COUNT(FIELDS)  (((0 FIELDS(LATER_ONE)) >> 8 & 1) * REST_MAX + ((0 FIELDS(LATER_ONE)) >> 16))
enum { REST_MAX = 64, REST_DEPTH = 3 };
#define ROOM(array) (sizeof(array) / sizeof(array)[0])

#endif
