#include "node/pg_probe.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>

#include "mesh/io/log.h"
#include "mesh/wire.h"
#include "node/hand_state.h"
#include "node/pg_conn.h"
#include "node/pg_process.h"
#include "node/pg_switch.h"

enum {
    WRITE_EVERY_MS = 250,
    FRESH_EVERY_MS = 1000,
    STATUS_EVERY_MS = 50,
    STATUS_CALM_MS = 150,
    EAGER_TURNS = 100, /* so many at the first pace after a change; then at the calm one */
    POST_EVERY_MS = 200,
    PREFLIGHT_EVERY_MS = 5000,
    TRIM_EVERY_MS = 5000,
    SLOW_TURNS = 4,
    DEADLINE_MIN_MS = 250,
    REPLAY_FAR_BYTES = 256 * 1024 * 1024,
    DISK_FREE_BYTES = 64 * 1024 * 1024,
    SLOW_FLUSH_US = 100000
};

static int deadline_ms(const struct hand *h)
{
    int ms = (int)h->config->core.answer_timeout_ms / 3;
    return ms < DEADLINE_MIN_MS ? DEADLINE_MIN_MS : ms;
}

/* True: something new called for an earlier look. */
static bool rest(struct hand *h, int which, int ms)
{
    struct pollfd p = {.fd = h->nudge[which], .events = POLLIN};
    eventfd_t count;
    return !atomic_load(&h->closing) && poll(&p, 1, ms) > 0 && eventfd_read(h->nudge[which], &count) == 0;
}

static bool answers(enum pg_phase p)
{
    return p == PG_PRIMARY || p == PG_RECOVERY;
}

/* ---- writes and flushes, and new connections ------------------------------------------------------------------------ */

/* Being refused is an answer, and no word on health: without a login, or a free connection, we are blind.  Told once. */
static void blind_tell(struct hand *h, bool blind, const char *why)
{
    hand_edit(h);
    bool news = blind != h->blind;
    h->blind = blind;
    pthread_mutex_unlock(&h->lock);
    if (news && blind)
        log_event(LOG_LEVEL_WARNING, "postgres_refuses",
                  "PostgreSQL lets the agent not in, so its health is not known: %s", why);
}

/* Records one outcome of the writer or of the fresh connection.  `epoch` is the guard's count of freezes when the
 * question was put: an answer that was late because of a freeze says nothing. */
static void outcome(struct hand *h, bool *ok, enum pg_conn_trouble trouble, uint32_t epoch,
                    enum pg_phase asked, const char *what, const char *why)
{
    struct fence_page *page = h->setup.page;
    if (atomic_load(&page->frozen) || atomic_load(&page->freezes) != epoch)
        return;
    if (ok == &h->fresh_ok)
        blind_tell(h, trouble == PG_CONN_REFUSED, why);
    if (trouble == PG_CONN_REFUSED && ok == &h->writer_ok)
        return; /* one that hangs runs out of connections, too */
    bool good = trouble == PG_CONN_OK || trouble == PG_CONN_REFUSED;
    hand_edit(h);
    bool changed = h->sample.phase == asked && *ok != good;
    if (h->sample.phase == asked)
        *ok = good;
    if (!changed) {
        pthread_mutex_unlock(&h->lock);
        return;
    }
    hand_post(h);
    if (good)
        log_event(LOG_LEVEL_INFO, "postgres_answers", "PostgreSQL answers again (%s)", what);
    else
        log_event(LOG_LEVEL_WARNING, "postgres_silent", "PostgreSQL does not answer (%s): %s", what, why);
}

/* Asks once; false when there was no good answer, and then a session that broke is gone (NULL). */
static bool ask_once(struct hand *h, PGconn **c, const char *sql, char *why, size_t why_size)
{
    instant before = fence_now();
    PGresult *r = pg_conn_query(h, *c, sql, deadline_ms(h), false);
    bool good = PQresultStatus(r) == PGRES_TUPLES_OK;
    if (good) {
        hand_edit(h);
        h->sample.flush_us = (uint32_t)span_to_us(instant_elapsed_most(fence_now(), before));
        pthread_mutex_unlock(&h->lock);
    } else {
        if (r)
            snprintf(why, why_size, "%s", PQresultErrorMessage(r));
        if (PQstatus(*c) != CONNECTION_OK) {
            PQfinish(*c);
            *c = NULL;
        }
    }
    PQclear(r);
    return good;
}

static PGconn *probe_once(struct hand *h, PGconn *c, enum pg_phase phase)
{
    const char *sql = phase == PG_PRIMARY ? "SELECT pg_logical_emit_message(true, 'pgmesh', '')"
                                          : "SELECT pg_last_wal_replay_lsn()";
    uint32_t epoch = atomic_load(&h->setup.page->freezes);
    enum pg_conn_trouble trouble = PG_CONN_OK;
    char why[160] = "no answer in time";
    bool good = c && ask_once(h, &c, sql, why, sizeof why);
    if (!c) { /* none yet; or one that was ended, which is no silence: a new one tells */
        c = pg_conn_open(h, PG_CONN_LOCAL, NULL, deadline_ms(h), false, &trouble, why, sizeof why);
        good = c && ask_once(h, &c, sql, why, sizeof why);
    }
    if (!good && trouble == PG_CONN_OK)
        trouble = PG_CONN_FAILED;
    if (!good && c) { /* late: its answer is not waited for */
        PQfinish(c);
        c = NULL;
    }
    outcome(h, &h->writer_ok, trouble, epoch, phase, "write and flush", why);
    return c;
}

void *pg_probe_writer(void *hand)
{
    struct hand *h = hand;
    PGconn *c = NULL;
    while (!atomic_load(&h->closing)) {
        enum pg_phase phase = hand_phase_now(h);
        if (answers(phase)) {
            c = probe_once(h, c, phase);
        } else if (c) {
            PQfinish(c);
            c = NULL;
        }
        rest(h, HAND_NUDGE_WRITER, WRITE_EVERY_MS);
    }
    PQfinish(c);
    return NULL;
}

void *pg_probe_fresh(void *hand)
{
    struct hand *h = hand;
    while (!atomic_load(&h->closing)) {
        enum pg_phase phase = hand_phase_now(h);
        if (answers(phase)) {
            enum pg_conn_trouble trouble;
            char why[160] = "";
            uint32_t epoch = atomic_load(&h->setup.page->freezes);
            PQfinish(pg_conn_open(h, PG_CONN_LOCAL, NULL, deadline_ms(h), false, &trouble, why, sizeof why));
            outcome(h, &h->fresh_ok, trouble, epoch, phase, "new connection", why);
        }
        rest(h, HAND_NUDGE_FRESH, FRESH_EVERY_MS);
    }
    return NULL;
}

/* ---- status ----------------------------------------------------------------------------------------------------------- */

struct status {
    struct hand *h;
    PGconn *sql, *walsender;
    instant preflight_at;
    uint32_t preflight;
    char heard[64]; /* last_msg_receipt_time as last seen */
    unsigned turn;  /* since something changed */
    bool settled;   /* the timeline is known, and does not change before something else does */
};

static void status_close(struct status *s)
{
    PQfinish(s->sql);
    PQfinish(s->walsender);
    s->sql = s->walsender = NULL;
    s->heard[0] = '\0';
    s->preflight_at = instant_never();
}

static PGresult *ask(struct status *s, PGconn **c, enum pg_conn_kind kind, const char *sql)
{
    enum pg_conn_trouble trouble;
    if (!*c)
        *c = pg_conn_open(s->h, kind, NULL, deadline_ms(s->h), false, &trouble, NULL, 0);
    PGresult *r = *c ? pg_conn_query(s->h, *c, sql, deadline_ms(s->h), false) : NULL;
    if (r && PQresultStatus(r) == PGRES_TUPLES_OK)
        return r;
    if (!r || PQstatus(*c) != CONNECTION_OK) {
        PQfinish(*c);
        *c = NULL;
    }
    PQclear(r);
    return NULL;
}

/* Every few turns, until it has settled: a timeline does not change between two of them unless the worker changed it, and
 * it tells. */
static PGresult *ask_identity(struct status *s)
{
    if (s->settled || s->turn % SLOW_TURNS != 0)
        return NULL;
    return ask(s, &s->walsender, PG_CONN_WALSENDER, "IDENTIFY_SYSTEM");
}

/* With every flush PostgreSQL wakes all walsenders, those that only wait for a command, too (walsender.c, WalSndWakeup): one
 * that is not needed any more would cost a busy server some percent of its throughput. */
static void settle(struct status *s, bool settled)
{
    s->settled = settled;
    if (settled) {
        PQfinish(s->walsender);
        s->walsender = NULL;
    }
}

static const struct hand_member *member_named(const struct hand *h, const char *name)
{
    for (unsigned i = 0; i < h->setup.n_members; i++)
        if (strcmp(h->setup.members[i].name, name) == 0)
            return &h->setup.members[i];
    return NULL;
}

static void read_standbys(struct hand *h, const PGresult *r)
{
    struct pg_sample *s = &h->sample;
    s->n_standbys = 0;
    for (int i = 0; i < PQntuples(r) && s->n_standbys < DATABASES_MAX; i++) {
        char name[NAME_SIZE];
        dir_id dir;
        const struct hand_member *m = NULL;
        if (pg_config_parse_application(pg_conn_text(r, i, "application_name"), name, &dir))
            m = member_named(h, name);
        if (m)
            s->standbys[s->n_standbys++] =
                (struct pg_standby){.id = m->id,
                                    .dir = dir,
                                    .streaming = strcmp(pg_conn_text(r, i, "state"), "streaming") == 0,
                                    .flush_lsn = pg_conn_lsn(r, i, "flush_lsn"),
                                    .replay_lsn = pg_conn_lsn(r, i, "replay_lsn")};
    }
}

static bool same_standbys(const struct pg_sample *a, const struct pg_sample *b)
{
    if (a->n_standbys != b->n_standbys)
        return false;
    for (unsigned i = 0; i < a->n_standbys; i++)
        if (a->standbys[i].id != b->standbys[i].id || a->standbys[i].dir != b->standbys[i].dir ||
            a->standbys[i].streaming != b->standbys[i].streaming)
            return false;
    return true;
}

/* Posts when something that is acted on changed, or when the last sample is old. */
static void post_if_new(struct status *s, bool changed)
{
    struct hand *h = s->h;
    if (changed)
        s->turn = 0;
    if (!changed && hand_ms_since(h->posted) < POST_EVERY_MS) {
        pthread_mutex_unlock(&h->lock);
        return;
    }
    h->posted = fence_now();
    hand_post(h);
}

static void put_identity(struct pg_sample *s, const PGresult *id)
{
    if (!id)
        return;
    s->system_id = pg_conn_number(id, 0, "systemid");
    s->timeline = (uint32_t)pg_conn_number(id, 0, "timeline");
    if (s->timeline > s->timeline_max)
        s->timeline_max = s->timeline;
}

static void status_primary(struct status *s, uint32_t top)
{
    struct hand *h = s->h;
    PGresult *id = ask_identity(s);
    PGresult *r =
        ask(s, &s->sql, PG_CONN_LOCAL,
            "SELECT application_name, state, flush_lsn, replay_lsn, pg_current_wal_flush_lsn() AS flushed"
            " FROM (SELECT 1) one LEFT JOIN pg_stat_replication ON true");
    hand_edit(h);
    struct pg_sample old = h->sample;
    bool settled = s->settled;
    if (h->sample.phase == PG_PRIMARY) {
        put_identity(&h->sample, id);
        settled = settled || id;
        if (r) {
            read_standbys(h, r);
            h->sample.lsn = h->sample.replay_lsn = pg_conn_lsn(r, 0, "flushed");
        }
        h->sample.timeline_max = top > h->sample.timeline ? top : h->sample.timeline;
        h->sample.preflight = s->preflight;
    }
    post_if_new(s, !same_standbys(&old, &h->sample) || old.preflight != h->sample.preflight ||
                       old.timeline != h->sample.timeline);
    settle(s, settled);
    PQclear(id);
    PQclear(r);
}

static member_id upstream_of(const struct hand *h, const PGresult *r)
{
    if (strcmp(pg_conn_text(r, 0, "status"), "streaming") != 0)
        return MEMBER_NONE;
    for (unsigned i = 0; i < h->setup.n_members; i++)
        if (strcmp(h->setup.members[i].pg.host, pg_conn_text(r, 0, "sender_host")) == 0 &&
            h->setup.members[i].pg.port == pg_conn_number(r, 0, "sender_port"))
            return h->setup.members[i].id;
    return MEMBER_NONE;
}

static const char STANDBY_SQL[] =
    "SELECT r.status, r.sender_host, r.sender_port, r.received_tli, r.last_msg_receipt_time::text AS heard,"
    " pg_last_wal_receive_lsn() AS received, pg_last_wal_replay_lsn() AS replayed,"
    " pg_get_wal_replay_pause_state() <> 'not paused' AS paused, " PG_SWITCH_HELD_UP " AS held_up"
    " FROM (SELECT 1) one LEFT JOIN pg_stat_wal_receiver r ON true"
    " LEFT JOIN pg_stat_activity s ON s.backend_type = 'startup'";

static void status_standby(struct status *s, uint32_t top)
{
    struct hand *h = s->h;
    PGresult *id = ask_identity(s);
    PGresult *r = ask(s, &s->sql, PG_CONN_LOCAL, STANDBY_SQL);
    hand_edit(h);
    struct pg_sample old = h->sample;
    struct pg_sample *now = &h->sample;
    bool settled = false;
    if (now->phase == PG_RECOVERY) {
        put_identity(now, id);
        now->timeline_max = top > now->timeline ? top : now->timeline;
        now->preflight = s->preflight;
    }
    if (r && now->phase == PG_RECOVERY) {
        lsn_t received = pg_conn_lsn(r, 0, "received");
        now->replay_lsn = pg_conn_lsn(r, 0, "replayed");
        if (!now->sealed)
            now->lsn = received > now->replay_lsn ? received : now->replay_lsn;
        now->upstream = upstream_of(h, r);
        settled = (s->settled || id) && now->upstream != MEMBER_NONE &&
                  pg_conn_number(r, 0, "received_tli") == now->timeline;
        const char *heard = pg_conn_text(r, 0, "heard");
        if (heard[0] &&
            strcmp(heard, s->heard) != 0) { /* PostgreSQL's clock may jump; that it moved is what counts */
            h->receiver_heard = fence_now();
            h->receiver_known = true;
        }
        snprintf(s->heard, sizeof s->heard, "%s", heard);
        now->preflight &= ~(uint32_t)(PREFLIGHT_REPLAY_PAUSED | PREFLIGHT_CONFLICT | PREFLIGHT_REPLAY_FAR);
        now->preflight |= pg_conn_bool(r, 0, "paused") ? PREFLIGHT_REPLAY_PAUSED : 0;
        now->preflight |= pg_conn_bool(r, 0, "held_up") ? PREFLIGHT_CONFLICT : 0;
        now->preflight |= now->lsn > now->replay_lsn + REPLAY_FAR_BYTES ? PREFLIGHT_REPLAY_FAR : 0;
    }
    post_if_new(s, old.upstream != now->upstream || old.preflight != now->preflight ||
                       old.timeline != now->timeline);
    settle(s, settled);
    PQclear(id);
    PQclear(r);
}

/* ---- pre-flight -------------------------------------------------------------------------------------------------------- */

static const char PREFLIGHT_SQL[] =
    "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS clients,"
    " current_setting('max_connections') AS c, current_setting('max_worker_processes') AS w,"
    " current_setting('max_wal_senders') AS s, current_setting('max_prepared_transactions') AS p,"
    " current_setting('max_locks_per_transaction') AS l,"
    " (SELECT coalesce(sum(checksum_failures), 0) FROM pg_stat_database) AS failures,"
    " EXISTS (SELECT FROM pg_settings WHERE name IN ('recovery_target', 'recovery_target_lsn', 'recovery_target_name',"
    "  'recovery_target_time', 'recovery_target_xid') AND setting <> '') AS target,"
    " current_setting('recovery_min_apply_delay') <> '0' AS delayed,"
    " current_setting('recovery_end_command') <> '' OR current_setting('restore_command') <> '' AS slow,"
    " current_setting('wal_log_hints') = 'off' AND current_setting('data_checksums') = 'off' AS no_rewind";

static uint32_t preflight_disk(struct hand *h)
{
    struct statvfs v;
    char path[FILE_PATH_SIZE];
    if (!hand_path(path, h->config->data_dir, "pg_wal") || statvfs(path, &v) < 0)
        return 0;
    return (uint64_t)v.f_bavail * v.f_frsize < DISK_FREE_BYTES ? PREFLIGHT_DISK_FULL : 0;
}

static void preflight(struct status *s, enum pg_phase phase)
{
    struct hand *h = s->h;
    struct pg_control control;
    s->preflight_at = instant_add(fence_now(), span_ms(PREFLIGHT_EVERY_MS));
    PGresult *r = ask(s, &s->sql, PG_CONN_LOCAL, PREFLIGHT_SQL);
    if (!r)
        return;
    uint32_t bits = preflight_disk(h);
    /* On a standby pg_control carries the primary's settings as WAL told them. */
    if (phase == PG_RECOVERY && pg_process_control(h, &control, NULL) &&
        (pg_conn_number(r, 0, "c") < control.max_connections ||
         pg_conn_number(r, 0, "w") < control.max_worker_processes ||
         pg_conn_number(r, 0, "s") < control.max_wal_senders ||
         pg_conn_number(r, 0, "p") < control.max_prepared || pg_conn_number(r, 0, "l") < control.max_locks))
        bits |= PREFLIGHT_PARAMETERS;
    bits |= pg_conn_number(r, 0, "failures") ? PREFLIGHT_CHECKSUM : 0;
    bits |= pg_conn_bool(r, 0, "target") ? PREFLIGHT_RECOVERY_TARGET : 0;
    bits |= pg_conn_bool(r, 0, "delayed") ? PREFLIGHT_DELAYED : 0;
    bits |= pg_conn_bool(r, 0, "slow") ? PREFLIGHT_RESTORE_SLOW : 0;
    bits |= pg_conn_bool(r, 0, "no_rewind") ? PREFLIGHT_NO_REWIND : 0;
    bits |= phase == PG_PRIMARY && h->sample.flush_us > SLOW_FLUSH_US ? PREFLIGHT_SLOW_DISK : 0;
    s->preflight = bits;
    hand_edit(h);
    h->sample.connections = (uint32_t)pg_conn_number(r, 0, "clients");
    h->sample.connections_max = (uint32_t)pg_conn_number(r, 0, "c");
    pthread_mutex_unlock(&h->lock);
    PQclear(r);
}

void *pg_probe_status(void *hand)
{
    struct status s = {.h = hand};
    uint32_t top = 0;
    instant trim_at = instant_never();
    for (enum pg_phase phase, last = PG_NONE; !atomic_load(&s.h->closing); s.turn++, last = phase) {
        phase = hand_phase_now(s.h);
        if (phase != last) {
            s.turn = 0;
            s.settled = false;
        }
        if (instant_due_any(fence_now(), trim_at)) {
            trim_at = instant_add(fence_now(), span_ms(TRIM_EVERY_MS));
            pg_process_trim_log(s.h);
        }
        if (s.turn % SLOW_TURNS == 0)
            top = pg_process_timeline_max(s.h);
        if (!answers(phase))
            status_close(&s);
        else if (instant_due_any(fence_now(), s.preflight_at))
            preflight(&s, phase);
        if (phase == PG_PRIMARY) {
            status_primary(&s, top);
        } else if (phase == PG_RECOVERY) {
            status_standby(&s, top);
        } else {
            hand_edit(s.h);
            post_if_new(&s, false);
        }
        int ms = !answers(phase) ? POST_EVERY_MS : s.turn < EAGER_TURNS ? STATUS_EVERY_MS : STATUS_CALM_MS;
        if (rest(s.h, HAND_NUDGE_STATUS, ms)) {
            s.turn = 0;
            s.settled = false;
        }
    }
    status_close(&s);
    return NULL;
}
