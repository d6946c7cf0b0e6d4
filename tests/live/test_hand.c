/* test_hand.c: the hand against three real PostgreSQLs, goal by goal, without the mesh (run by test_hand.sh).
 *
 *   test_hand FOLDER BIN_DIR USER FIRST_PORT CGROUP     CGROUP: auto or none
 *
 * Prints one line per check, with the time it took: `ok NAME 12 ms`. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mesh/io/clock.h"
#include "mesh/io/log.h"
#include "node/hand.h"

enum { N = 3, A = 0, B = 1, C = 2, LONG_MS = 60000 };

struct one {
    struct config config;
    struct hand *hand;
    struct pg_sample sample;
    struct pg_goal goal;
    uint64_t sync_seq;
    struct fence_page *page;
    struct fence fence;
};
static struct one one[N];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static int failures;

static void posted(void *arg, const struct pg_sample *s)
{
    struct one *o = arg;
    pthread_mutex_lock(&lock);
    o->sample = *s;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

typedef bool (*condition)(const struct one *o);

static bool reached(const struct one *o)
{
    return o->sample.goal_seq == o->goal.seq && o->sample.progress == PG_GOAL_REACHED;
}
static bool reached_primary(const struct one *o)
{
    return reached(o) && o->sample.phase == PG_PRIMARY && o->sample.answering;
}
static bool streams(const struct one *o)
{
    return reached(o) && o->sample.phase == PG_RECOVERY && o->sample.upstream == o->goal.upstream;
}
static bool is_sealed(const struct one *o)
{
    return reached(o) && o->sample.sealed;
}
static bool is_down(const struct one *o)
{
    return reached(o) && o->sample.phase == PG_DOWN && o->sample.confirmed_dead;
}
static bool is_clean(const struct one *o)
{
    return is_down(o) && o->sample.clean;
}
static bool has_signal(const struct one *o)
{
    char path[FILE_PATH_SIZE + 16];
    snprintf(path, sizeof path, "%s/standby.signal", o->config.data_dir);
    return access(path, F_OK) == 0;
}
static bool is_barred(const struct one *o)
{
    return is_down(o) && has_signal(o);
}
static bool in_force(const struct one *o)
{
    return o->sample.sync_seq == o->sync_seq && o->sample.sync_progress == PG_GOAL_REACHED;
}
static bool crashed_and_back(const struct one *o)
{
    return o->sample.phase == PG_PRIMARY && o->sample.answering;
}
static bool is_dead(const struct one *o)
{
    return o->sample.phase == PG_DOWN && o->sample.confirmed_dead;
}
static bool has_failed(const struct one *o)
{
    return o->sample.goal_seq == o->goal.seq && o->sample.progress == PG_GOAL_FAILED;
}

static instant started;

static void begin(void)
{
    started = clock_now();
}

static void check(const char *name, int i, condition is)
{
    instant end = instant_add(clock_now(), span_ms(LONG_MS));
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LONG_MS / 1000;
    pthread_mutex_lock(&lock);
    bool ok;
    while (!(ok = is(&one[i])) && !instant_due_any(clock_now(), end))
        if (pthread_cond_timedwait(&news, &lock, &until) != 0)
            break;
    double ms = (double)span_to_us(instant_elapsed_most(clock_now(), started)) / 1000;
    struct pg_sample s = one[i].sample;
    pthread_mutex_unlock(&lock);
    printf("%s %s %.1f ms\n", ok ? "ok" : "not ok", name, ms);
    if (!ok) {
        printf(
            "    phase %s, progress %d, goal %llu of %llu, timeline %u, upstream %u, answering %d, sealed %d: %s\n",
            pg_phase_name(s.phase), s.progress, (unsigned long long)s.goal_seq,
            (unsigned long long)one[i].goal.seq, s.timeline, s.upstream, s.answering, s.sealed, s.detail);
        failures++;
    }
    fflush(stdout);
}

static void expect(const char *name, bool ok)
{
    printf("%s %s\n", ok ? "ok" : "not ok", name);
    failures += !ok;
}

static void goal(int i, enum pg_goal_kind kind, uint64_t term, uint32_t timeline, int upstream, dir_id dir)
{
    struct pg_goal *g = &one[i].goal;
    pthread_mutex_lock(&lock);
    uint64_t seq = g->seq + 1;
    struct sync_set sync = g->sync;
    *g = (struct pg_goal){.seq = seq,
                          .kind = kind,
                          .term = term,
                          .timeline = timeline,
                          .dir = dir,
                          .sync = sync,
                          .upstream = upstream < 0 ? MEMBER_NONE : (member_id)(upstream + 1)};
    struct pg_goal copy = *g;
    pthread_mutex_unlock(&lock);
    begin();
    hand_goal(one[i].hand, &copy);
}

static void lease(int i, uint64_t term)
{
    hand_lease(one[i].hand, instant_add(clock_now(), span_ms(3600000)), term);
}

static PGconn *session(int i)
{
    char info[FILE_PATH_SIZE * 2];
    snprintf(info, sizeof info, "host=%s port=%u user=pgmesh dbname=postgres passfile=%s",
             one[i].config.socket_dir, one[i].config.pg_port, one[i].config.pg_pass_file);
    return PQconnectdb(info);
}

static int value(int i, const char *sql, char *out, size_t size)
{
    PGconn *c = session(i);
    PGresult *r = PQexec(c, sql);
    bool ok = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) > 0;
    snprintf(out, size, "%s", ok ? PQgetvalue(r, 0, 0) : PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
    return ok;
}

/* A walsender catches up for a moment before it streams. */
static bool both_stream(int i)
{
    char text[64] = "";
    instant end = instant_add(clock_now(), span_ms(LONG_MS));
    do
        value(i,
              "SELECT count(*) FROM pg_stat_replication"
              " WHERE state = 'streaming' AND application_name LIKE 'pgmesh\\_db%'",
              text, sizeof text);
    while (strcmp(text, "2") != 0 && !instant_due_any(clock_now(), end));
    return strcmp(text, "2") == 0;
}

static void write_some(int i, int n)
{
    PGconn *c = session(i);
    PQclear(PQexec(c, "SET synchronous_commit = local"));
    while (n-- > 0)
        PQclear(PQexec(c, "SELECT pg_logical_emit_message(true, 'test', repeat('x', 3000))"));
    PQfinish(c);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    chmod(path, 0600);
}

static void open_all(const char *folder, const char *bin, const char *user, int port, const char *cgroup)
{
    static struct hand_setup setup;
    setup = (struct hand_setup){.n_members = N, .bell = -1};
    for (int i = 0; i < N; i++) {
        setup.members[i] = (struct hand_member){.id = (member_id)(i + 1)};
        snprintf(setup.members[i].name, NAME_SIZE, "db-%d", i + 1);
        snprintf(setup.members[i].pg.host, sizeof setup.members[i].pg.host, "127.0.0.1");
        setup.members[i].pg.port = (uint16_t)(port + i);
    }
    for (int i = 0; i < N; i++) {
        struct config *c = &one[i].config;
        char note[640], name[64];
        struct problem why = {0};
        config_default(c);
        snprintf(c->member, NAME_SIZE, "db-%d", i + 1);
        snprintf(c->data_dir, FILE_PATH_SIZE, "%s/db%d/data", folder, i + 1);
        snprintf(c->state_dir, FILE_PATH_SIZE, "%s/db%d/state", folder, i + 1);
        snprintf(c->socket_dir, FILE_PATH_SIZE, "%s/sockets", folder);
        snprintf(c->bin_dir, FILE_PATH_SIZE, "%s", bin);
        snprintf(c->user, NAME_SIZE, "%s", user);
        snprintf(c->pg_listen, CONFIG_TEXT_SIZE, "127.0.0.1");
        snprintf(c->pg_pass_file, FILE_PATH_SIZE, "%s/pg.pass", folder);
        c->pg_port = (uint16_t)(port + i);
        setup.config = c;
        setup.self = (member_id)(i + 1);
        one[i].page = setup.page = calloc(1, sizeof *setup.page);
        setup.post = posted;
        setup.post_arg = &one[i];
        snprintf(name, sizeof name, "pgmesh-test-%d-%d", (int)getpid(), i);
        fence_open(&setup.fence, cgroup, name, c->data_dir, note, sizeof note);
        if (note[0])
            printf("# %s\n", note);
        one[i].fence = setup.fence;
        one[i].hand = hand_open(&setup, &why);
        if (!one[i].hand) {
            problem_print(stdout, "test_hand", &why);
            exit(1);
        }
    }
}

static void sync_order(int i, struct sync_set set, bool from_empty, const struct sync_set *before)
{
    struct pg_sync_order o = {.seq = ++one[i].sync_seq, .set = set, .from_empty = from_empty};
    for (unsigned k = 0; before && k < before->n; k++)
        o.before[o.n_before++] = before->m[k];
    begin();
    hand_sync(one[i].hand, &o);
}

/* ---- the story, as main() tells it ----------------------------------------------------------------------------------- */

enum { a1 = 0xa1, b1 = 0xb1, c1 = 0xc1, a2 = 0xa2 }; /* data directories; a2: what the rewind made of a1 */
static const struct sync_set both = {.k = 1, .n = 2, .m = {{2, b1}, {3, c1}}},
                             third = {.k = 1, .n = 1, .m = {{3, c1}}}, none = {0};

static void initialise_and_clone(void)
{
    lease(A, 1);
    goal(A, GOAL_INIT, 1, 0, -1, a1);
    check("init", A, reached_primary);
    expect("the guard is armed", one[A].page->armed_term == 1);
    goal(A, GOAL_PRIMARY, 1, 1, -1, a1);
    check("init-then-primary", A, reached_primary);

    goal(B, GOAL_CLONE, 1, 1, A, b1);
    check("clone-second", B, streams);
    goal(C, GOAL_CLONE, 1, 1, A, c1);
    check("clone-third", C, streams);
}

static void change_the_sync_set(void)
{
    char text[256];
    sync_order(A, both, true, NULL);
    check("sync-from-empty", A, in_force);
    expect("names", value(A, "SHOW synchronous_standby_names", text, sizeof text) &&
                        strstr(text, "\"pgmesh_db-3_00000000000000c1\""));
    sync_order(A, third, false, &both);
    check("sync-change", A, in_force);
    sync_order(A, none, false, &third);
    check("sync-to-empty", A, in_force);
    sync_order(A, both, true, NULL);
    check("sync-from-empty-again", A, in_force);
}

static void follow_as_before(void)
{
    char text[256], again[256];
    value(B, "SELECT pid FROM pg_stat_wal_receiver", text, sizeof text);
    goal(B, GOAL_FOLLOW, 1, 1, A, b1);
    check("follow-as-before", B, streams);
    value(B, "SELECT pid FROM pg_stat_wal_receiver", again, sizeof again);
    expect("follow-as-before disturbs nothing", strcmp(text, again) == 0);
}

/* A backend dies: restart_after_crash is off, the server is fenced, and stays down until the order comes anew. */
static void crash_and_start_again(void)
{
    char path[FILE_PATH_SIZE], text[256], again[256];
    value(A, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'", text, sizeof text);
    begin();
    snprintf(path, sizeof path, "kill -9 %d", atoi(text));
    expect("kill", system(path) == 0);
    check("crash-noticed", A, is_dead);
    /* What it left behind names a number that another server of the same user bears by now. */
    value(
        B,
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter' OR backend_type = 'checkpointer' LIMIT 1",
        again, sizeof again);
    snprintf(path, sizeof path, "%s/.s.PGSQL.%u.lock", one[A].config.socket_dir,
             (unsigned)one[A].config.pg_port);
    snprintf(text, sizeof text, "%d\n%s\n1\n%u\n%s\n", atoi(again), one[A].config.data_dir,
             (unsigned)one[A].config.pg_port, one[A].config.socket_dir);
    write_file(path, text);
    expect("a stale lock", chmod(path, 0644) == 0);
    goal(A, GOAL_PRIMARY, 1, 1, -1, a1);
    check("crash-restart-in-term", A, crashed_and_back);
    check("standby-streams-again", B, streams);
    check("other-standby-streams-again", C, streams);
}

static void seal_and_follow(void)
{
    goal(B, GOAL_SEAL, 1, 1, A, b1);
    check("seal-second", B, is_sealed);
    goal(C, GOAL_SEAL, 1, 1, A, c1);
    check("seal-third", C, is_sealed);
    write_some(A, 400);
    goal(C, GOAL_FOLLOW, 1, 1, A, c1);
    check("follow-after-seal", C, streams);
    goal(C, GOAL_SEAL, 1, 1, A, c1);
    check("seal-third-again", C, is_sealed);
    goal(B, GOAL_FOLLOW, 1, 1, A, b1);
    check("follow-second-after-seal", B, streams);
    write_some(A, 9000); /* segments behind the fork, which a careless clean-up would remove */
    goal(B, GOAL_SEAL, 1, 1, A, b1);
    check("seal-second-again", B, is_sealed);
    expect("sealed LSN is ahead of the one sealed before", one[B].sample.lsn >= one[C].sample.lsn);
    write_some(A, 100);
}

static void take_over(void)
{
    char text[256];
    goal(A, GOAL_DOWN, 2, 5, -1, a1);
    check("kill-primary", A, is_down);
    check("who-starts-it-by-hand-gets-a-standby", A, is_barred);
    expect("the guard is disarmed", one[A].page->armed_term == 0);

    goal(B, GOAL_PROMOTE, 2, 1, -1, b1);
    check("promote-used-timeline-refused", B, has_failed);
    one[B].goal.sync = third;
    lease(B, 2);
    goal(B, GOAL_PROMOTE, 2, 5, -1, b1);
    check("promote-to-timeline-5", B, reached_primary);
    expect("timeline 5", one[B].sample.timeline == 5);
    goal(C, GOAL_FOLLOW, 2, 5, B, c1);
    check("follow-new-primary", C, streams);
    expect("names of the new primary", value(B, "SHOW synchronous_standby_names", text, sizeof text) &&
                                           strcmp(text, "ANY 1 (\"pgmesh_db-3_00000000000000c1\")") == 0);
}

static void rewind_the_old_primary(void)
{
    char path[FILE_PATH_SIZE];
    goal(A, GOAL_REWIND, 2, 5, B, a2);
    check("rewind-old-primary", A, streams);
    snprintf(path, sizeof path, "%s.old", one[A].config.data_dir);
    expect("rewound, not cloned", access(path, F_OK) < 0);
    snprintf(path, sizeof path, "ls %s.diverged/*/summary.txt >/dev/null", one[A].config.data_dir);
    expect("what diverged is kept", system(path) == 0);
    expect("two standbys stream", both_stream(B));
    goal(A, GOAL_REWIND, 2, 5, B, a2);
    check("rewind-is-not-repeated", A, streams);
}

static void seal_from_stopped(void)
{
    goal(C, GOAL_DOWN, 2, 5, B, c1);
    check("standby-down", C, is_down);
    goal(C, GOAL_SEAL, 2, 5, B, c1);
    check("seal-from-stopped", C, is_sealed);
    goal(C, GOAL_FOLLOW, 2, 5, B, c1);
    check("follow-again", C, streams);
}

static void hand_over(void)
{
    goal(B, GOAL_SHUTDOWN, 2, 5, -1, b1);
    check("shutdown-primary", B, is_clean);
    expect("an orderly stop leaves the directory as it is", !has_signal(&one[B]));
    one[A].goal.sync = third;
    lease(A, 3);
    goal(A, GOAL_SEAL, 2, 5, B, a2);
    check("seal-for-handover", A, is_sealed);
    expect("nothing was lost in the handover", one[A].sample.lsn >= one[B].sample.lsn);
    goal(A, GOAL_PROMOTE, 3, 6, -1, a2);
    check("promote-after-handover", A, reached_primary);
    goal(B, GOAL_FOLLOW, 3, 6, A, b1);
    check("former-primary-follows", B, streams);
    goal(C, GOAL_FOLLOW, 3, 6, A, c1);
    check("third-follows", C, streams);
}

static void stop_all(void)
{
    for (int i = N - 1; i >= 0; i--) {
        hand_stop(one[i].hand);
        begin();
        pthread_mutex_lock(&lock);
        one[i].goal.seq = one[i].sample.goal_seq;
        pthread_mutex_unlock(&lock);
        check("stop", i, is_down);
        hand_close(&one[i].hand);
        fence_close(&one[i].fence);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    char path[FILE_PATH_SIZE];
    snprintf(path, sizeof path, "%s/pg.pass", argv[1]);
    write_file(
        path,
        "*:*:*:pgmesh:one\n*:*:*:pgmesh_replication:two\n*:*:*:pgmesh_rewind:th'r\\:ee\n*:*:*:pgmesh_observer:four\n");
    log_open("test_hand", CONFIG_LOG_INFO, CONFIG_LOG_TEXT);
    open_all(argv[1], argv[2], argv[3], atoi(argv[4]), argv[5]);

    initialise_and_clone();
    change_the_sync_set();
    follow_as_before();
    crash_and_start_again();
    seal_and_follow();
    take_over();
    rewind_the_old_primary();
    seal_from_stopped();
    hand_over();
    stop_all();
    printf("# %d failed\n", failures);
    return failures > 0;
}
