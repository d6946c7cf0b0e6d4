#include "node/pg_switch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mesh/io/log.h"
#include "node/hand_state.h"
#include "node/pg_conn.h"
#include "node/pg_process.h"
#include "node/pg_stop.h"
#include "node/pg_roles.h"

enum {
    CHECKPOINT_MS = 60000,
    POLL_MS = 1,
    ASK_MS = 2000,
    QUIET_MS = 25,
    BLOCKED_MS = 20,
    CONFIRM_MS = 4,
    PRESS_MS = 100, /* the receiver should have gone by then */
    PRESS_AGAIN_MS = 500,
    PRESS_HARD_MS = 3000,
    RESTORE_MS = 300, /* what a restore_command that is under way may still take */
    CALM_MS = 5000,
    SLOTS_MS = 1000 /* a former primary's slots are made anew soon, so that a promotion need not */
};

/* ---- following ------------------------------------------------------------------------------------------------------- */

enum pg_outcome pg_switch_follow(struct hand *h)
{
    struct problem why = {0};
    struct pg_config_state s = {
        .nobody = true, .dir = h->goal.dir, .upstream = hand_member(h, h->goal.upstream)};
    if (!s.upstream)
        return pg_act_fail(h, "member %u, to be followed, is not known", h->goal.upstream);
    bool same = h->conf_known && !h->conf.sealed && h->conf.nobody && h->conf.dir == s.dir &&
                h->conf.upstream == s.upstream;
    if (same)
        return OUTCOME_REACHED;
    hand_edit(h);
    h->sample.sealed = false;
    hand_post(h);
    if (!pg_config_write(h, &s, &why))
        return pg_act_fail(h, "%s", why.fact);
    pg_process_reload(h);
    h->upkeep_at = instant_add(fence_now(), span_ms(SLOTS_MS));
    return OUTCOME_REACHED;
}

bool pg_switch_wal_gone(struct hand *h)
{
    struct pg_control control;
    char sql[320];
    enum pg_conn_trouble trouble;
    const struct hand_member *up = hand_member(h, h->goal.upstream);
    PGresult *r = pg_conn_query(
        h, pg_act_control(h),
        "SELECT pg_last_wal_replay_lsn() AS at WHERE current_setting('restore_command') = ''", ASK_MS, true);
    lsn_t at = PQresultStatus(r) == PGRES_TUPLES_OK && PQntuples(r) == 1 ? pg_conn_lsn(r, 0, "at") : 0;
    PQclear(r);
    if (!up || !at || !pg_process_control(h, &control, NULL) || !control.segment_bytes)
        return false;
    uint64_t segment = at / control.segment_bytes, per_id = (UINT64_C(1) << 32) / control.segment_bytes;
    snprintf(
        sql, sizeof sql,
        "SELECT pg_current_wal_lsn() > '%X/%X' AND NOT EXISTS (SELECT FROM pg_ls_dir('pg_wal', true, false) f"
        " WHERE length(f) = 24 AND right(f, 16) = '%08X%08X') AS gone",
        (unsigned)(at >> 32), (unsigned)at, (unsigned)(segment / per_id), (unsigned)(segment % per_id));
    PGconn *c = pg_conn_open(h, PG_CONN_REWIND, up, ASK_MS, true, &trouble, NULL, 0);
    r = c ? pg_conn_query(h, c, sql, ASK_MS, true) : NULL;
    bool gone = PQresultStatus(r) == PGRES_TUPLES_OK && pg_conn_bool(r, 0, "gone");
    PQclear(r);
    PQfinish(c);
    return gone;
}

/* ---- sealing ----------------------------------------------------------------------------------------------------------- */

enum pg_outcome pg_switch_cut(struct hand *h)
{
    struct problem why = {0};
    struct pg_config_state s = {.sealed = true, .nobody = true, .dir = h->goal.dir};
    if (h->conf_known && h->conf.sealed && h->conf.nobody && !h->conf.slow)
        return OUTCOME_AGAIN;
    if (!pg_config_write(h, &s, &why))
        return pg_act_fail(h, "%s", why.fact);
    pg_process_reload(h);
    return OUTCOME_AGAIN;
}

static const char SEAL_SQL[] =
    "SELECT (SELECT pid FROM pg_stat_wal_receiver) AS receiver, pg_last_wal_receive_lsn() AS received,"
    " pg_last_wal_replay_lsn() AS replayed, pg_is_wal_replay_paused() AS paused,"
    " pid AS startup, wait_event AS doing, " PG_SWITCH_HELD_UP " AS held_up"
    " FROM (SELECT 1) one LEFT JOIN pg_stat_activity ON backend_type = 'startup'";

struct seal_view {
    pid_t receiver, startup; /* 0: none */
    bool paused, waits, conflict, restoring;
    lsn_t received, replayed;
};

static bool look(struct hand *h, struct seal_view *v)
{
    PGresult *r = pg_conn_query(h, pg_act_control(h), SEAL_SQL, ASK_MS, true);
    bool ok = PQresultStatus(r) == PGRES_TUPLES_OK;
    if (ok) {
        const char *doing = pg_conn_text(r, 0, "doing");
        *v = (struct seal_view){.receiver = (pid_t)pg_conn_number(r, 0, "receiver"),
                                .startup = (pid_t)pg_conn_number(r, 0, "startup"),
                                .paused = pg_conn_bool(r, 0, "paused"),
                                .waits = strcmp(doing, "RecoveryRetrieveRetryInterval") == 0,
                                .conflict = pg_conn_bool(r, 0, "held_up"),
                                .restoring = strcmp(doing, "RestoreCommand") == 0,
                                .received = pg_conn_lsn(r, 0, "received"),
                                .replayed = pg_conn_lsn(r, 0, "replayed")};
    }
    PQclear(r);
    return ok;
}

/* Sessions of others that hold up replay.  Terminated from outside: a superuser's, too. */
static void send_sessions_away(struct hand *h)
{
    PGresult *r = pg_conn_query(h, pg_act_control(h),
                                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
                                " AND usename NOT LIKE 'pgmesh%'",
                                ASK_MS, true);
    int n = r ? PQntuples(r) : 0;
    for (int i = 0; i < n; i++) {
        pid_t pid = (pid_t)pg_conn_number(r, i, "pid");
        if (pid > 1 && fence_has(&h->setup.fence, pid))
            kill(pid, SIGTERM);
    }
    if (n)
        log_event(LOG_LEVEL_WARNING, "sessions_terminated",
                  "%d sessions that could hold up replay were terminated", n);
    PQclear(r);
}

/* The startup process may be stopped (SIGSTOP): it replays nothing then, and finishes no promotion. */
static void wake_startup(struct hand *h, const struct seal_view *v)
{
    if (v->startup > 1 && fence_has(&h->setup.fence, v->startup))
        kill(v->startup, SIGCONT);
}

/* A receiver that has not gone: the startup process, which ends it, may be busy, or either of them stopped (SIGSTOP).  Told
 * to end by us it goes without the other; killed, it takes the server along, which is started again sealed. */
static void press(struct hand *h, const struct seal_view *v, int64_t waited_ms)
{
    bool hard = waited_ms >= PRESS_HARD_MS;
    wake_startup(h, v);
    if (v->receiver <= 1 || !fence_has(&h->setup.fence, v->receiver))
        return;
    log_event(LOG_LEVEL_WARNING, "receiver_ended", "the WAL receiver did not go in %d ms: it is %s",
              (int)waited_ms, hard ? "killed" : "told to");
    kill(v->receiver, hard ? SIGKILL : SIGTERM);
    kill(v->receiver, SIGCONT);
}

/* The startup process asks the archive and waits for it: it was asked before the seal, may bring WAL after it, and a promotion
 * would wait as well.  Without the command PostgreSQL falls, and is started again sealed, which asks no archive. */
static void end_restore(struct hand *h, const struct seal_view *v, int64_t waited_ms)
{
    if (pg_stop_commands(h, v->startup) > 0)
        log_event(LOG_LEVEL_WARNING, "restore_ended", "restore_command did not end in %d ms: it is killed",
                  (int)waited_ms);
}

/* Looks every millisecond until nothing is received and nothing is left to replay.  With a receiver's end known the WAL
 * is complete at it; without one (just started), or when the last record is cut, the startup process must have found
 * nothing more for several of its rounds (5 ms each while sealed). */
static enum pg_outcome await_end(struct hand *h, struct seal_view *v)
{
    lsn_t last = 0;
    instant quiet_since = fence_now(), gone_since = instant_never(), began = quiet_since;
    int64_t press_ms = PRESS_MS;
    bool sent_away = false;
    while (look(h, v)) {
        if (v->receiver)
            gone_since = instant_never();
        else if (instant_is_never(gone_since))
            gone_since = fence_now();
        if (v->replayed != last || !v->waits || v->receiver)
            quiet_since = fence_now();
        last = v->replayed;
        bool gone = !v->receiver && hand_ms_since(gone_since) >= CONFIRM_MS;
        if (gone && !v->restoring &&
            ((v->received && v->replayed >= v->received) || hand_ms_since(quiet_since) >= QUIET_MS))
            return OUTCOME_REACHED;
        if (v->paused)
            pg_conn_command(h, pg_act_control(h), "SELECT pg_wal_replay_resume()", ASK_MS, true);
        if (v->conflict && !sent_away && hand_ms_since(began) > BLOCKED_MS) {
            send_sessions_away(h);
            sent_away = true;
        }
        if (v->restoring && hand_ms_since(began) >= RESTORE_MS)
            end_restore(h, v, hand_ms_since(began));
        if (!v->waits && hand_ms_since(began) >= press_ms) {
            press(h, v, hand_ms_since(began));
            press_ms += PRESS_AGAIN_MS;
        }
        if (!hand_wait(h, -1, 0, POLL_MS))
            return OUTCOME_AGAIN;
    }
    return OUTCOME_LATER;
}

enum pg_outcome pg_switch_seal(struct hand *h)
{
    struct seal_view v = {0};
    enum pg_outcome o = pg_switch_cut(h);
    if (o != OUTCOME_AGAIN || (o = await_end(h, &v)) != OUTCOME_REACHED)
        return o;
    PGresult *id = pg_conn_query(h, pg_act_walsender(h), "IDENTIFY_SYSTEM", ASK_MS, true);
    if (PQresultStatus(id) != PGRES_TUPLES_OK) {
        PQclear(id);
        return OUTCOME_LATER;
    }
    hand_edit(h);
    struct pg_sample *s = &h->sample;
    s->timeline = (uint32_t)pg_conn_number(id, 0, "timeline");
    s->system_id = pg_conn_number(id, 0, "systemid");
    s->replay_lsn = v.replayed;
    s->lsn = v.received > v.replayed ? v.received : v.replayed;
    s->upstream = MEMBER_NONE;
    s->sealed = h->goal.kind == GOAL_SEAL;
    pthread_mutex_unlock(&h->lock);
    PQclear(id);
    h->sealed_at = fence_now();
    return OUTCOME_REACHED;
}

void pg_switch_calm(struct hand *h)
{
    struct pg_config_state s = h->conf;
    if (!h->conf_known || !s.sealed || s.slow || hand_ms_since(h->sealed_at) < CALM_MS)
        return;
    s.slow = true;
    h->sealed_at = fence_now(); /* if it cannot be written: not at once again */
    if (pg_config_write(h, &s, NULL))
        pg_process_reload(h);
}

/* ---- timelines ---------------------------------------------------------------------------------------------------------- */

#define FILLER_TEXT "1\t0/1\tmade by pgmesh: this timeline was never used\n"

static bool history_path(struct hand *h, char out[static FILE_PATH_SIZE], uint32_t id)
{
    return hand_path(out, h->config->data_dir, "pg_wal/%08X.history", id);
}

static bool is_filler(const char *path)
{
    char text[sizeof FILLER_TEXT + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)strlen(FILLER_TEXT) && strcmp(text, FILLER_TEXT) == 0;
}

void pg_switch_clean_history(struct hand *h)
{
    char path[FILE_PATH_SIZE];
    for (uint32_t top; (top = pg_process_timeline_max(h)) > 0;) {
        if (!history_path(h, path, top) || !is_filler(path) || unlink(path) < 0)
            return;
    }
}

/* A standby that waits for WAL looks for new history files all the time: a name appears only when the file is complete, and
 * PostgreSQL's own. */
static bool write_filler(struct hand *h, const char *path)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && (!h->drop || fchown(fd, h->uid, h->gid) == 0) &&
              write(fd, FILLER_TEXT, strlen(FILLER_TEXT)) == (ssize_t)strlen(FILLER_TEXT) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* PostgreSQL takes 1 + the newest timeline it finds, walking up from its own: the ids in between must look used.  One file
 * under many names is synced once. */
static bool fill_history(struct hand *h, uint32_t from, uint32_t to, struct problem *err)
{
    char one[FILE_PATH_SIZE], path[FILE_PATH_SIZE];
    if (!hand_path(one, h->config->data_dir, "pg_wal/pgmesh-history.tmp"))
        return problem_fact(err, "the path of the data directory is too long");
    if (from < to && !write_filler(h, one))
        return problem_fact(err, "could not write \"%s\": %s", one, strerror(errno));
    for (uint32_t id = from; id < to; id++)
        if (!history_path(h, path, id) || (link(one, path) != 0 && errno != EEXIST))
            return problem_fact(err, "could not write \"%s\": %s", path, strerror(errno));
    unlink(one);
    return hand_path(path, h->config->data_dir, "pg_wal") && pg_process_sync_dir(path);
}

/* ---- promotion ------------------------------------------------------------------------------------------------------------ */

/* system id, timeline, flushed LSN of the running server into the sample; the timeline, or 0. */
static uint32_t identify(struct hand *h)
{
    PGresult *id = pg_conn_query(h, pg_act_walsender(h), "IDENTIFY_SYSTEM", ASK_MS, true);
    uint32_t timeline = 0;
    if (PQresultStatus(id) == PGRES_TUPLES_OK) {
        timeline = (uint32_t)pg_conn_number(id, 0, "timeline");
        hand_edit(h);
        h->sample.timeline = timeline;
        h->sample.system_id = pg_conn_number(id, 0, "systemid");
        h->sample.lsn = pg_conn_lsn(id, 0, "xlogpos");
        if (timeline > h->sample.timeline_max)
            h->sample.timeline_max = timeline;
        pthread_mutex_unlock(&h->lock);
    }
    PQclear(id);
    return timeline;
}

/* Everything that can be done before the lease is needed. */
static enum pg_outcome prepare(struct hand *h)
{
    struct problem why = {0};
    uint32_t now = identify(h), top = pg_process_timeline_max(h);
    if (now == 0)
        return OUTCOME_LATER;
    if (now >= h->goal.timeline || top >= h->goal.timeline)
        return pg_act_fail(h, "timeline %u is used already, %u was to be opened", now > top ? now : top,
                           h->goal.timeline);
    struct pg_config_state s = {.sealed = true, .sync = h->goal.sync, .dir = h->goal.dir};
    if (!pg_config_write(h, &s, &why))
        return pg_act_fail(h, "%s", why.fact);
    pg_process_reload(h);
    pg_switch_slots(h);
    struct seal_view v;
    enum pg_outcome ended = await_end(h, &v);
    if (ended != OUTCOME_REACHED)
        return ended;
    wake_startup(h, &v); /* sealed at once where all was replayed, it was never looked at */
    if (!fill_history(h, now + 1, h->goal.timeline, &why))
        return pg_act_fail(h, "%s", why.fact);
    return OUTCOME_AGAIN;
}

static enum pg_outcome ask_promotion(struct hand *h)
{
    enum pg_outcome o;
    while ((o = pg_act_in_time(h)) == OUTCOME_LATER) /* decided, but the lease is not here yet */
        if (!hand_wait(h, -1, 0, POLL_MS))
            return OUTCOME_AGAIN;
    if (o != OUTCOME_AGAIN)
        return o;
    if (!fence_page_arm(h->setup.page, h->setup.bell, h->goal.term, 1000))
        return pg_act_fail(h, "the guard does not answer");
    o = pg_act_in_time(h);
    if (o != OUTCOME_AGAIN) {
        fence_page_disarm(h->setup.page, h->setup.bell);
        return o;
    }
    h->promote_asked = h->goal.term;
    hand_phase(h, PG_PROMOTING);
    if (!pg_conn_command(h, pg_act_control(h), "SELECT pg_promote(false)", ASK_MS, false))
        return pg_act_fail(h, "pg_promote: %.60s", h->control ? PQerrorMessage(h->control) : "no connection");
    return OUTCOME_AGAIN;
}

enum pg_outcome pg_switch_promote(struct hand *h)
{
    if (hand_phase_now(h) != PG_PROMOTING || h->promote_asked != h->goal.term) {
        enum pg_outcome o = prepare(h);
        if (o == OUTCOME_AGAIN && !atomic_load(&h->interrupt))
            o = ask_promotion(h);
        if (o != OUTCOME_AGAIN || atomic_load(&h->interrupt))
            return o;
    }
    PGresult *r = pg_conn_query(h, pg_act_control(h), "SELECT pg_is_in_recovery() AS recovery", ASK_MS, true);
    bool known = PQresultStatus(r) == PGRES_TUPLES_OK, recovery = pg_conn_bool(r, 0, "recovery");
    PQclear(r);
    if (!known || recovery)
        return hand_wait(h, h->postmaster_fd, 1 /* POLLIN */, POLL_MS), OUTCOME_AGAIN;
    return pg_switch_promoted(h);
}

enum pg_outcome pg_switch_promoted(struct hand *h)
{
    uint32_t timeline = identify(h);
    if (timeline == 0)
        return OUTCOME_LATER;
    if (timeline != h->goal.timeline) {
        bool promoted = h->promote_asked == h->goal.term;
        pg_process_kill(h, ASK_MS);
        if (promoted)
            return pg_act_fail(h, "PostgreSQL opened timeline %u instead of %u", timeline, h->goal.timeline);
        return OUTCOME_AGAIN; /* a primary of a former term: fenced, it comes back as a standby */
    }
    hand_phase(h, PG_PRIMARY);
    if (h->conf_known && h->conf.sealed) { /* restore_command as the user wants it; the names stay */
        struct pg_config_state s = h->conf;
        s.sealed = false;
        if (pg_config_write(h, &s, NULL))
            pg_process_reload(h);
    }
    return OUTCOME_REACHED;
}

/* ---- before a planned switchover ---------------------------------------------------------------------------------------- */

/* A standby that follows another primary asks for WAL from the beginning of its segment on, and commits wait for it: up to a
 * whole segment, twice.  Sent now, while nobody waits, it is the rest of the segment instead, once. */
static const char SEGMENT_SQL[] =
    "SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn) % setting::numeric > setting::numeric / 4"
    " AND has_function_privilege('pg_switch_wal()', 'execute') AS long FROM pg_settings WHERE name = 'wal_segment_size'";

/* What is long, while everybody still writes.  If it does not work out, the switchover takes the time instead. */
static void get_ready(struct hand *h)
{
    if (!pg_act_control(h) || !pg_conn_command(h, h->control, "CHECKPOINT", CHECKPOINT_MS, true))
        return;
    h->checkpointed = fence_now();
    PGresult *r = pg_conn_query(h, h->control, SEGMENT_SQL, ASK_MS, true);
    if (r && PQntuples(r) == 1 && pg_conn_bool(r, 0, "long"))
        pg_conn_command(h, h->control, "SELECT pg_switch_wal()", ASK_MS, true);
    PQclear(r);
    identify(h);
}

/* ---- being primary ---------------------------------------------------------------------------------------------------------- */

enum pg_outcome pg_switch_primary(struct hand *h)
{
    struct problem why = {0};
    if (!pg_roles_ensure(h, &why))
        return atomic_load(&h->interrupt) ? OUTCOME_AGAIN : pg_act_fail(h, "%s", why.fact);
    uint32_t timeline = identify(h);
    if (timeline == 0)
        return OUTCOME_LATER;
    if (h->goal.timeline && timeline != h->goal.timeline)
        return pg_act_fail(h, "PostgreSQL runs on timeline %u, the record says %u", timeline,
                           h->goal.timeline);
    if (!h->conf_known) { /* taken over from an earlier agent: the record's names are in the goal */
        struct pg_config_state s = {.sync = h->goal.sync, .dir = h->goal.dir};
        if (!pg_config_write(h, &s, &why))
            return pg_act_fail(h, "%s", why.fact);
        pg_process_reload(h);
    }
    if (!fence_page_arm(h->setup.page, h->setup.bell, h->goal.term, 1000))
        return pg_act_fail(h, "the guard does not answer");
    if (h->goal.checkpoint)
        get_ready(h);
    if (atomic_load(&h->interrupt))
        return OUTCOME_AGAIN;
    h->upkeep_at = instant_never();
    return OUTCOME_REACHED;
}

void pg_switch_slots(struct hand *h)
{
    char sql[256], slot[PG_APPLICATION_SIZE];
    PGresult *have = pg_conn_query(h, pg_act_control(h),
                                   "SELECT slot_name, wal_status = 'lost' OR (pg_is_in_recovery()"
                                   " AND NOT active AND restart_lsn IS NOT NULL) AS stale"
                                   " FROM pg_replication_slots WHERE slot_name LIKE 'pgmesh\\_%'",
                                   ASK_MS, true);
    if (PQresultStatus(have) != PGRES_TUPLES_OK) {
        PQclear(have);
        return;
    }
    for (unsigned i = 0; i < h->setup.n_members; i++) {
        if (h->setup.members[i].id == h->setup.self || !h->setup.members[i].pg.host[0])
            continue;
        bool there = false;
        pg_config_slot(slot, h->setup.members[i].id);
        for (int row = 0; row < PQntuples(have); row++) {
            if (strcmp(pg_conn_text(have, row, "slot_name"), slot) != 0)
                continue;
            there = !pg_conn_bool(have, row, "stale");
            snprintf(sql, sizeof sql, "DROP_REPLICATION_SLOT %s", slot);
            if (!there)
                pg_conn_command(h, pg_act_walsender(h), sql, ASK_MS, true);
        }
        snprintf(sql, sizeof sql, "CREATE_REPLICATION_SLOT %s PHYSICAL", slot);
        if (!there)
            pg_conn_command(h, pg_act_walsender(h), sql, ASK_MS, true);
    }
    PQclear(have);
}
