/* writer: an application that inserts a row every few milliseconds and tries all servers at once.
 *
 *     writer --log FILE [--every-ms 5] [--read-every N] [--probe-ms 10] [--seconds N] [--first-id N] [--user app]
 *            [--dbname app] [--behind NAME=ADDRESS]... NAME=ADDRESS:PORT...
 *
 * One connection to each server, none of them waited for: whoever answers that it is no standby gets the rows, and two
 * that say so both get theirs, so that a second primary cannot hide. After every N rows it asks for its highest one, of
 * whoever says to be the primary. --behind names the servers that a pooler may lead to: each answer is then put down with the
 * one that it came from. Every step has a deadline of our own (libpq's
 * connect_timeout has a floor of two seconds and is ignored by PQconnectPoll). What was sent and what was acknowledged
 * goes into the log (acklog.h); SIGTERM, SIGINT or --seconds ends it with a report on stdout. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

// LINK: tests/live/acklog.c
#include "tests/live/acklog.h"

enum { CONNECT_MS = 250, PROBE_ANSWER_MS = 1000, WRITE_ANSWER_MS = 2000, LAST_ANSWERS_MS = 500 };

/*   CLOSED ── pause over ──▶ CONNECTING ──▶ IDLE ── time for it ──▶ PROBING, WRITING, READING ── answered ──▶ IDLE
 *     ▲                          │                                        │
 *     └────── error, deadline ───┴────────────────────────────────────────┘    */
enum state { CLOSED, CONNECTING, IDLE, PROBING, WRITING, READING };

struct server {
    char name[ACK_SERVER_SIZE], address[64], port[8];
    PGconn *conn;
    enum state state;
    PostgresPollingStatusType wants; /* while CONNECTING */
    bool flushing;
    bool writable;                /* the last answer said so */
    int64_t next_us;              /* CLOSED, IDLE: when to act; otherwise: when to give up */
    int64_t id, sent_us;          /* of the row under way */
    bool answered;                /* a good answer to it has come */
    int64_t last_sent_us;         /* of the last row; sent_us may be a read's */
    int since_read;               /* rows acknowledged since the last read */
    int64_t seen;                 /* what a read said */
    char by[ACK_SERVER_SIZE + 1]; /* " NAME" of the server behind it, or nothing */
    uint32_t timeline;
    char said[160]; /* the last note */
};

static struct options {
    const char *log, *user, *dbname;
    int64_t every_us, probe_us, seconds, first_id;
    int read_every; /* 0: never */
} options = {.user = "app", .dbname = "app", .every_us = 5000, .probe_us = 10000, .first_id = 1};

static struct server servers[ACK_SERVERS_MAX];
static int n_servers;
static struct {
    char name[ACK_SERVER_SIZE], address[64];
} behind[ACK_SERVERS_MAX];
static int n_behind;
static int64_t next_id;
static FILE *record;
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

/* ---- notes ----------------------------------------------------------------------------------------------------- */

static void note(struct server *s, const char *text)
{
    char line[sizeof s->said];
    snprintf(line, sizeof line, "%s", text);
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, s->said) == 0)
        return;
    strcpy(s->said, line);
    fprintf(record, "note %s %" PRId64 " %s\n", s->name, ack_now_us(), line);
}

static void forget_row(struct server *s, const char *why)
{
    if (s->state == WRITING)
        fprintf(record, "lost %" PRId64 " %s %" PRId64 " %.*s\n", s->id, s->name, ack_now_us(),
                (int)strcspn(why, "\r\n"), why);
}

static void drop(struct server *s, const char *why, int64_t now)
{
    forget_row(s, why);
    note(s, why);
    PQfinish(s->conn);
    s->conn = NULL;
    s->state = CLOSED;
    s->writable = false;
    s->next_us = now + options.probe_us;
}

/* ---- one step of one connection ---------------------------------------------------------------------------------- */

static void open_connection(struct server *s, int64_t now)
{
    const char *const keys[] = {"hostaddr", "port",       "user",    "dbname", "application_name",
                                "sslmode",  "gssencmode", "options", NULL};
    const char *const values[] = {s->address, s->port,   options.user, options.dbname,
                                  "writer",   "disable", "disable",    "-c statement_timeout=0",
                                  NULL};
    s->conn = PQconnectStartParams(keys, values, 0);
    s->state = CONNECTING;
    s->wants = PGRES_POLLING_WRITING;
    s->flushing = false;
    s->next_us = now + CONNECT_MS * 1000;
    if (!s->conn || PQstatus(s->conn) == CONNECTION_BAD)
        drop(s, s->conn ? PQerrorMessage(s->conn) : "out of memory", now);
}

static void go_on_connecting(struct server *s, int64_t now)
{
    s->wants = PQconnectPoll(s->conn);
    if (s->wants == PGRES_POLLING_FAILED) {
        drop(s, PQerrorMessage(s->conn), now);
    } else if (s->wants == PGRES_POLLING_OK) {
        PQsetnonblocking(s->conn, 1);
        s->state = IDLE;
        s->next_us = now;
    }
}

static int send_row(struct server *s, int64_t now)
{
    char id[24];
    const char *const values[] = {id, s->name};
    s->id = next_id++;
    s->sent_us = s->last_sent_us = ack_now_us();
    s->state = WRITING;
    s->next_us = now + WRITE_ANSWER_MS * 1000;
    snprintf(id, sizeof id, "%" PRId64, s->id);
    fprintf(record, "sent %" PRId64 " %s %" PRId64 "\n", s->id, s->name, s->sent_us);
    return PQsendQueryParams(s->conn,
                             "INSERT INTO ledger (id, server, timeline) VALUES ($1::bigint, $2::text, "
                             "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)) "
                             "RETURNING timeline, host(inet_server_addr())",
                             2, NULL, values, NULL, NULL, 0);
}

static int send_read(struct server *s, int64_t now)
{
    char sql[200];
    s->sent_us = ack_now_us();
    s->since_read = 0;
    s->state = READING;
    s->next_us = now + WRITE_ANSWER_MS * 1000;
    snprintf(
        sql, sizeof sql,
        "SELECT coalesce(max(id), 0), pg_is_in_recovery(), host(inet_server_addr()) FROM ledger WHERE id >= %" PRId64
        " AND id < %" PRId64,
        options.first_id, options.first_id + ACK_RANGE);
    return PQsendQuery(s->conn, sql);
}

static void send_query(struct server *s, int64_t now)
{
    int sent;
    s->answered = false;
    if (s->writable && options.read_every && s->since_read >= options.read_every) {
        sent = send_read(s, now);
    } else if (s->writable) {
        sent = send_row(s, now);
    } else {
        s->state = PROBING;
        s->next_us = now + PROBE_ANSWER_MS * 1000;
        sent = PQsendQuery(s->conn, "SELECT pg_is_in_recovery()");
    }
    int left = sent ? PQflush(s->conn) : -1;
    s->flushing = left > 0;
    if (left < 0)
        drop(s, PQerrorMessage(s->conn), now);
}

/* A pooler's answer came from a server of this address. */
static void take_by(struct server *s, const char *address)
{
    if (n_behind == 0)
        return;
    snprintf(s->by, sizeof s->by, " %.*s", ACK_SERVER_SIZE - 1, address);
    for (int i = 0; i < n_behind; i++)
        if (strcmp(behind[i].address, address) == 0)
            snprintf(s->by, sizeof s->by, " %.*s", ACK_SERVER_SIZE - 1, behind[i].name);
}

static void take_result(struct server *s, PGresult *r)
{
    bool rows = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1;
    if (!rows) {
        const char *why = PQresultErrorMessage(r);
        forget_row(s, why);
        note(s, why);
        s->writable = false;
    } else if (s->state == PROBING) {
        s->writable = PQgetvalue(r, 0, 0)[0] == 'f';
        note(s, s->writable ? "writable" : "standby");
    } else if (s->state == READING) {
        s->seen = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
        s->writable = PQgetvalue(r, 0, 1)[0] == 'f';
        take_by(s, PQgetvalue(r, 0, 2));
    } else {
        s->timeline = (uint32_t)strtoul(PQgetvalue(r, 0, 0), NULL, 16);
        take_by(s, PQgetvalue(r, 0, 1));
    }
    s->answered = rows;
}

static void finish_query(struct server *s, int64_t now)
{
    bool found = s->state == PROBING && s->writable, good = s->answered && s->writable;
    bool served = (s->state == WRITING || s->state == READING) && good;
    if (s->state == WRITING && s->answered) {
        fprintf(record, "ack %" PRId64 " %s %u %" PRId64 " %" PRId64 "%s\n", s->id, s->name, s->timeline,
                s->sent_us, ack_now_us(), s->by);
        note(s, "writable");
        s->since_read++;
    } else if (s->state == READING && good) {
        fprintf(record, "read %" PRId64 " %s %" PRId64 " %" PRId64 " %" PRId64 "%s\n", options.first_id,
                s->name, s->sent_us, ack_now_us(), s->seen, s->by);
    }
    bool read_next = options.read_every && s->since_read >= options.read_every;
    int64_t due = s->last_sent_us + options.every_us;
    s->state = IDLE;
    if (found || (served && read_next))
        s->next_us = now;
    else if (served)
        s->next_us = due > now ? due : now;
    else
        s->next_us = now + options.probe_us;
}

static void read_answer(struct server *s, int64_t now)
{
    if (s->flushing) {
        int left = PQflush(s->conn);
        s->flushing = left > 0;
    }
    if (!PQconsumeInput(s->conn)) {
        drop(s, PQerrorMessage(s->conn), now);
        return;
    }
    while (!PQisBusy(s->conn)) {
        PGresult *r = PQgetResult(s->conn);
        if (!r) {
            if (PQstatus(s->conn) == CONNECTION_BAD)
                drop(s, PQerrorMessage(s->conn), now);
            else
                finish_query(s, now);
            return;
        }
        take_result(s, r);
        PQclear(r);
    }
}

/* An idle connection that has something to say has been ended by the server. */
static void look_at_idle(struct server *s, int64_t now)
{
    if (!PQconsumeInput(s->conn) || PQstatus(s->conn) == CONNECTION_BAD)
        drop(s, PQerrorMessage(s->conn), now);
}

static void on_ready(struct server *s, int64_t now)
{
    switch (s->state) {
    case CLOSED: break;
    case CONNECTING: go_on_connecting(s, now); break;
    case IDLE: look_at_idle(s, now); break;
    case PROBING:
    case READING:
    case WRITING: read_answer(s, now); break;
    }
}

static void on_time(struct server *s, int64_t now)
{
    switch (s->state) {
    case CLOSED:
        if (!stopping)
            open_connection(s, now);
        break;
    case CONNECTING: drop(s, "no connection in time", now); break;
    case IDLE:
        if (!stopping)
            send_query(s, now);
        break;
    case PROBING:
    case READING:
    case WRITING: drop(s, "no answer in time", now); break;
    }
}

/* ---- all of them -------------------------------------------------------------------------------------------------- */

static short events_wanted(const struct server *s)
{
    switch (s->state) {
    case CLOSED: return 0;
    case CONNECTING: return s->wants == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    case IDLE: return POLLIN;
    case PROBING:
    case READING:
    case WRITING: return (short)(POLLIN | (s->flushing ? POLLOUT : 0));
    }
    return 0;
}

static void one_turn(int64_t until_us)
{
    struct pollfd fds[ACK_SERVERS_MAX];
    int64_t now = ack_now_us(), first = until_us;
    for (int i = 0; i < n_servers; i++) {
        struct server *s = &servers[i];
        bool due = !(stopping && (s->state == IDLE || s->state == CLOSED));
        fds[i] = (struct pollfd){.fd = s->conn ? PQsocket(s->conn) : -1, .events = events_wanted(s)};
        if (due && s->next_us < first)
            first = s->next_us;
    }
    struct timespec wait = {0};
    if (first > now)
        wait = (struct timespec){(first - now) / 1000000, (first - now) % 1000000 * 1000};
    int ready = ppoll(fds, (nfds_t)n_servers, &wait, NULL);
    now = ack_now_us();
    for (int i = 0; ready > 0 && i < n_servers; i++)
        if (fds[i].fd >= 0 && fds[i].revents)
            on_ready(&servers[i], now);
    for (int i = 0; i < n_servers; i++)
        if (servers[i].next_us <= now)
            on_time(&servers[i], now);
}

static bool anything_under_way(void)
{
    for (int i = 0; i < n_servers; i++)
        if (servers[i].state == WRITING)
            return true;
    return false;
}

static void run(void)
{
    int64_t now = ack_now_us(), end = options.seconds > 0 ? now + options.seconds * 1000000 : INT64_MAX;
    fprintf(record, "start %" PRId64 "\n", now);
    for (int i = 0; i < n_servers; i++)
        servers[i].next_us = now;
    while (!stopping && (now = ack_now_us()) < end)
        one_turn(now + 1000000 < end ? now + 1000000 : end);
    stopping = 1;
    end = ack_now_us() + LAST_ANSWERS_MS * 1000;
    while (anything_under_way() && ack_now_us() < end)
        one_turn(end);
    for (int i = 0; i < n_servers; i++)
        if (servers[i].conn)
            drop(&servers[i], "the writer ends", ack_now_us());
    fprintf(record, "end %" PRId64 "\n", ack_now_us());
}

static int wrong_usage(const char *why)
{
    fprintf(
        stderr,
        "writer: %s\n"
        "usage: writer --log FILE [--every-ms N] [--probe-ms N] [--seconds N] [--first-id N] [--read-every N]\n"
        "              [--user NAME] [--dbname NAME] [--behind NAME=ADDRESS]... NAME=ADDRESS:PORT...\n",
        why);
    return 2;
}

static bool add_server(const char *text)
{
    struct server *s = &servers[n_servers];
    if (n_servers == ACK_SERVERS_MAX)
        return false;
    if (sscanf(text, "%31[^= ]=%63[^:]:%7[0-9]", s->name, s->address, s->port) != 3)
        return false;
    n_servers++;
    return true;
}

static bool add_behind(const char *text)
{
    return n_behind < ACK_SERVERS_MAX &&
           sscanf(text, "%31[^= ]=%63s", behind[n_behind].name, behind[n_behind].address) == 2 && ++n_behind;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {{"log", 1, NULL, 'l'},      {"every-ms", 1, NULL, 'e'},
                                                 {"probe-ms", 1, NULL, 'p'}, {"seconds", 1, NULL, 's'},
                                                 {"user", 1, NULL, 'u'},     {"dbname", 1, NULL, 'd'},
                                                 {"first-id", 1, NULL, 'i'}, {"read-every", 1, NULL, 'r'},
                                                 {"behind", 1, NULL, 'b'},   {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == 'l')
            options.log = optarg;
        else if (c == 'e')
            options.every_us = atoll(optarg) * 1000;
        else if (c == 'p')
            options.probe_us = atoll(optarg) * 1000;
        else if (c == 's')
            options.seconds = atoll(optarg);
        else if (c == 'u')
            options.user = optarg;
        else if (c == 'd')
            options.dbname = optarg;
        else if (c == 'r')
            options.read_every = atoi(optarg);
        else if (c == 'i')
            options.first_id = atoll(optarg);
        else if (c != 'b' || !add_behind(optarg))
            return wrong_usage("unknown or unusable option");
    }
    for (int i = optind; i < argc; i++)
        if (!add_server(argv[i]))
            return wrong_usage(argv[i]);
    if (!options.log || n_servers == 0)
        return wrong_usage("a log and at least one server are needed");
    record = fopen(options.log, "we");
    if (!record) {
        fprintf(stderr, "writer: could not write \"%s\": %s\n", options.log, strerror(errno));
        return 1;
    }
    setvbuf(record, NULL, _IOLBF, 0);
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGINT, &act, NULL);
    signal(SIGPIPE, SIG_IGN);
    next_id = options.first_id;
    run();
    fclose(record);

    static struct ack_log log;
    if (!ack_read(&log, options.log))
        return 1;
    ack_finish(&log);
    ack_report(&log, stdout);
    return 0;
}
