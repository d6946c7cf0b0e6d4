#include "node/pg_sync.h"

#include <signal.h>
#include <string.h>

#include "mesh/io/log.h"
#include "node/hand_state.h"
#include "node/pg_act.h"
#include "node/pg_conn.h"
#include "node/pg_process.h"

enum { ORDER_MS = 4000, CONFIRM_MS = 1000, ASK_MS = 1000, POLL_MS = 2 };

struct change {
    struct hand *h;
    struct pg_sync_order order;
    instant by;
    char why[TEXT_SIZE];
};

static bool give_up(struct change *c, const char *why)
{
    snprintf(c->why, sizeof c->why, "%.90s", why);
    return false;
}

static bool in_time(const struct change *c)
{
    return !instant_due_any(fence_now(), c->by);
}

static bool set_names(struct change *c, bool nobody, const struct sync_set *set)
{
    struct pg_config_state s = c->h->conf;
    struct problem why = {0};
    s.nobody = nobody;
    s.sync = *set;
    s.sealed = false;
    s.upstream = NULL;
    if (!pg_config_write(c->h, &s, &why))
        return give_up(c, why.fact);
    pg_process_reload(c->h);
    return true;
}

/* Until a session opened now starts with the setting. */
static bool fresh_session_sees(struct change *c)
{
    char names[PG_NAMES_SIZE], why[TEXT_SIZE];
    if (!pg_config_names(names, &c->h->conf, c->h->setup.members, c->h->setup.n_members))
        return give_up(c, "the set names an unknown member");
    while (in_time(c)) {
        enum pg_conn_trouble trouble;
        PGconn *fresh = pg_conn_open(c->h, PG_CONN_LOCAL, NULL, ASK_MS, true, &trouble, why, sizeof why);
        PGresult *r =
            fresh ? pg_conn_query(c->h, fresh, "SHOW synchronous_standby_names", ASK_MS, true) : NULL;
        bool seen = r && strcmp(pg_conn_text(r, 0, "synchronous_standby_names"), names) == 0;
        PQclear(r);
        PQfinish(fresh);
        if (seen)
            return true;
        if (!hand_wait(c->h, -1, 0, POLL_MS))
            break;
    }
    return give_up(c, "a new session does not see the setting");
}

static bool waits_for_standby(struct change *c, int pid)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT wait_event = 'SyncRep' AS waits FROM pg_stat_activity WHERE pid = %d",
             pid);
    PGresult *r = pg_conn_query(c->h, pg_act_control(c->h), sql, ASK_MS, true);
    bool waits = pg_conn_bool(r, 0, "waits");
    PQclear(r);
    return waits;
}

/* Commits again and again until one is seen to wait.  The waiting session is left to its fate: its commit is an empty
 * message of our own. */
static bool commit_waits(struct change *c)
{
    enum pg_conn_trouble trouble;
    PGconn *own = pg_conn_open(c->h, PG_CONN_LOCAL, NULL, ASK_MS, true, &trouble, NULL, 0);
    bool seen = false;
    if (own && pg_conn_command(c->h, own, "SET synchronous_commit = on", ASK_MS, true)) {
        while (!seen && in_time(c) &&
               PQsendQuery(own, "SELECT pg_logical_emit_message(true, 'pgmesh', 'sync')")) {
            for (bool busy = true; busy && !seen && in_time(c);) {
                seen = waits_for_standby(c, PQbackendPID(own));
                busy = PQconsumeInput(own) && PQisBusy(own);
                if (!seen && !hand_wait(c->h, -1, 0, POLL_MS))
                    break;
            }
            for (PGresult *r; !seen && !PQisBusy(own) && (r = PQgetResult(own));)
                PQclear(r);
            if (atomic_load(&c->h->interrupt))
                break;
        }
    }
    PQfinish(own);
    return seen || give_up(c, "no commit was seen to wait");
}

static lsn_t write_record(struct change *c)
{
    PGresult *r =
        pg_conn_query(c->h, pg_act_control(c->h),
                      "SELECT pg_logical_emit_message(true, 'pgmesh', 'in force') AS at", ASK_MS, true);
    lsn_t at = PQresultStatus(r) == PGRES_TUPLES_OK ? pg_conn_lsn(r, 0, "at") : 0;
    PQclear(r);
    return at;
}

static bool concerns(const struct change *c, const char *application)
{
    char name[NAME_SIZE];
    dir_id dir;
    if (!pg_config_parse_application(application, name, &dir))
        return false;
    for (unsigned i = 0; i < c->h->setup.n_members; i++) {
        const struct hand_member *m = &c->h->setup.members[i];
        if (strcmp(m->name, name) != 0)
            continue;
        if (sync_set_find(&c->order.set, m->id))
            return true;
        for (unsigned k = 0; k < c->order.n_before; k++)
            if (c->order.before[k].id == m->id)
                return true;
    }
    return false;
}

/* How many walsenders of either set are still to confirm past `at`; -1: not known.  `end_them`: they had their time. */
static int unconfirmed(struct change *c, lsn_t at, bool end_them)
{
    PGresult *r =
        pg_conn_query(c->h, pg_act_control(c->h),
                      "SELECT pid, application_name, flush_lsn FROM pg_stat_replication", ASK_MS, true);
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        PQclear(r);
        return -1;
    }
    int n = 0;
    for (int i = 0; i < PQntuples(r); i++) {
        if (!concerns(c, pg_conn_text(r, i, "application_name")) || pg_conn_lsn(r, i, "flush_lsn") > at)
            continue;
        pid_t pid = (pid_t)pg_conn_number(r, i, "pid");
        n++;
        if (end_them && pid > 1 && fence_has(&c->h->setup.fence, pid)) {
            kill(pid, SIGTERM);
            kill(pid, SIGCONT); /* one that somebody stopped hears no other */
        }
    }
    PQclear(r);
    return n;
}

static bool everyone_confirmed(struct change *c, lsn_t at)
{
    instant began = fence_now();
    bool ended = false;
    while (in_time(c)) {
        bool end_them = !ended && hand_ms_since(began) > CONFIRM_MS;
        int left = unconfirmed(c, at, end_them);
        ended = ended || end_them;
        if (left == 0)
            return true;
        if (!hand_wait(c->h, -1, 0, POLL_MS))
            break;
    }
    return give_up(c, "a walsender neither confirms nor goes away");
}

/* The whole order; *lsn is where it had come into force. */
static bool bring_into_force(struct change *c, lsn_t *lsn)
{
    struct hand *h = c->h;
    lsn_t at;
    if (c->order.from_empty && !(set_names(c, true, &c->order.set) && commit_waits(c)))
        return false;
    if (!set_names(c, false, &c->order.set) || !fresh_session_sees(c))
        return false;
    if ((at = write_record(c)) == 0)
        return give_up(c, "could not write a WAL record");
    if (!everyone_confirmed(c, at))
        return false;
    PGresult *r =
        pg_conn_query(h, pg_act_control(h), "SELECT pg_current_wal_insert_lsn() AS at", ASK_MS, true);
    *lsn = pg_conn_lsn(r, 0, "at");
    PQclear(r);
    return *lsn != 0 || give_up(c, "PostgreSQL does not answer");
}

static void say(struct hand *h, const struct pg_sync_order *order, enum pg_progress progress, lsn_t lsn)
{
    hand_edit(h);
    h->sample.sync_seq = order->seq;
    h->sample.sync_progress = progress;
    h->sample.sync_lsn = lsn;
    hand_post(h);
}

bool pg_sync_work(struct hand *h)
{
    struct change c = {.h = h, .by = instant_add(fence_now(), span_ms(ORDER_MS))};
    pthread_mutex_lock(&h->lock);
    bool has = h->has_order;
    c.order = h->order;
    h->has_order = false;
    pthread_mutex_unlock(&h->lock);
    if (!has)
        return false;
    say(h, &c.order, PG_GOAL_RUNNING, 0);
    lsn_t lsn = 0;
    if (bring_into_force(&c, &lsn)) {
        say(h, &c.order, PG_GOAL_REACHED, lsn);
        return true;
    }
    log_event(LOG_LEVEL_WARNING, "sync_failed", "synchronous_standby_names is not known to be in force: %s",
              c.why);
    say(h, &c.order, PG_GOAL_FAILED, 0);
    return true;
}
