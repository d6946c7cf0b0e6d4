/* acklog.h: what the writer put down, read back, and what can be said of it without a database.
 *
 * One line for each event; times are CLOCK_MONOTONIC in microseconds:
 *
 *     start T                          the writer began
 *     sent ID SERVER T                 before the INSERT left; with no later line its outcome is unknown
 *     ack  ID SERVER TIMELINE SENT T [BY]   the commit was acknowledged, by that server on that timeline
 *     lost ID SERVER T WHY             the connection ended first: the row may be there or not
 *     read FIRST SERVER SENT T SEEN [BY]    a server that called itself primary answered that SEEN is the writer's
 *                                      highest row; the writer's own are FIRST to FIRST + ACK_RANGE - 1
 *     note SERVER T TEXT               a server's answer changed
 *     end T                            the writer ended in order
 *
 * BY: who it was behind SERVER, when that is a pooler; what servers did is counted by it.
 *
 * A timeline belongs to one tenure of one primary (docs/protocol.md, I3), so acknowledgements are told apart by it. */
#ifndef PGMESH_TESTS_LIVE_ACKLOG_H
#define PGMESH_TESTS_LIVE_ACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    ACK_SERVERS_MAX = 16,
    ACK_SERVER_SIZE = 32,
    ACK_TENURES_MAX = 4096,
    ACK_RANGE = 100000000,
    ACK_EXCUSES_MAX = 256
};

struct ack_row {
    int64_t id;
    int server, by; /* indices into names: whom it was sent to, who acknowledged it */
    uint32_t timeline;
    int64_t sent_us, ack_us; /* ack_us 0: not acknowledged */
};
struct ack_look { /* a read */
    int64_t first, seen;
    int server, by; /* as above */
    int64_t sent_us, at_us;
};
/* Reads of a server whose watchers a test had stopped prove nothing against it. */
struct ack_excuse {
    char server[ACK_SERVER_SIZE];
    int64_t from_us, to_us;
};
/* All acknowledgements of one server on one timeline. */
struct ack_tenure {
    int server;
    uint32_t timeline;
    int64_t first_sent_us, last_sent_us; /* of rows that were acknowledged */
    int64_t first_ack_us, last_ack_us;
    size_t count;
};
struct ack_gap {
    int64_t from_us, to_us;
    int from_server, to_server;
};

struct ack_log {
    size_t n, room, n_acked;
    struct ack_row *rows; /* by id, ascending */
    size_t n_looks, looks_room;
    struct ack_look *looks;
    int n_servers;
    char names[ACK_SERVERS_MAX][ACK_SERVER_SIZE];
    int64_t start_us, end_us; /* end_us 0: the writer did not end in order */
    int unreadable;           /* lines that are none of the above */
};

/* Adds a file to the log (several writers with ids of their own may be read together). */
bool ack_read(struct ack_log *log, const char *path);
/* Sorts and looks for ids used twice; call once after the last ack_read(). Returns how many there are. */
size_t ack_finish(struct ack_log *log);
const struct ack_row *ack_find(const struct ack_log *log, int64_t id);

/* By timeline, ascending. */
size_t ack_tenures(const struct ack_log *log, struct ack_tenure *out, size_t room);
/* The longest silence between two acknowledgements that touches [from, to]; to 0: the end. false: fewer than two. */
bool ack_longest_gap(const struct ack_log *log, int64_t from_us, int64_t to_us, struct ack_gap *gap);
/* The longest silences, longest first. */
size_t ack_gaps(const struct ack_log *log, struct ack_gap *out, size_t room);

/* Two servers that acknowledged on one timeline, or a row that was sent to an older timeline's server after a newer
 * one had acknowledged, and was acknowledged: complaints go to `out`; returns how many. A late acknowledgement alone
 * proves nothing, for the network may have held it back: what counts is when its INSERT was sent. */
size_t ack_double_primaries(const struct ack_log *log, FILE *out);

/* A read that was sent after a row had been acknowledged, or shown by an earlier read, and does not show it: time went
 * backwards for a client that asks whoever is the primary.  Complaints go to `out`; returns how many. */
size_t ack_backwards(const struct ack_log *log, const struct ack_excuse *excuses, size_t n_excuses,
                     FILE *out);

/* Counts, tenures and the longest silences, for people. */
void ack_report(const struct ack_log *log, FILE *out);

int64_t ack_now_us(void);

#endif
