#include "node/pg_act.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "mesh/io/log.h"
#include "node/hand_state.h"
#include "node/pg_clone.h"
#include "node/pg_conn.h"
#include "node/pg_process.h"
#include "node/pg_roles.h"
#include "node/pg_stop.h"
#include "node/pg_switch.h"
#include "node/pg_sync.h"

enum {
    TICK_MS = 200,
    STARTING_MS = 4,
    KILL_WAIT_MS = 2000,
    CRASH_HOLD_MS = 100,
    CRASH_HOLD_MAX_MS = 5000,
    STILLBORN_MAX = 3,
    CRASH_GIVE_UP_MS = 2000,
    RETRY_MS = 500,
    RETRY_MAX_MS = 5000,
    UPKEEP_MS = 5000,
    LATE_MS = 2000,
    STARVED_MS = 10000
};

/* ---- helpers for steps ------------------------------------------------------------------------------------------------- */

static void *connection(struct hand *h, void **kept, enum pg_conn_kind kind)
{
    enum pg_conn_trouble trouble;
    /* ACTIVE: a new goal or a time limit left a query without its answer */
    if (*kept && (PQstatus(*kept) != CONNECTION_OK || PQtransactionStatus(*kept) == PQTRANS_ACTIVE)) {
        PQfinish(*kept);
        *kept = NULL;
    }
    if (!*kept)
        *kept = pg_conn_open(h, kind, NULL, 1000, true, &trouble, NULL, 0);
    return *kept;
}

void *pg_act_control(struct hand *h)
{
    return connection(h, &h->control, PG_CONN_LOCAL);
}

void *pg_act_walsender(struct hand *h)
{
    return connection(h, &h->walsender, PG_CONN_WALSENDER);
}

void pg_act_forget_connections(struct hand *h)
{
    PQfinish(h->control);
    PQfinish(h->walsender);
    h->control = h->walsender = NULL;
}

enum pg_outcome pg_act_fail(struct hand *h, const char *fmt, ...)
{
    char text[TEXT_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    hand_progress(h, PG_GOAL_FAILED, "%s", text);
    return OUTCOME_FAILED;
}

enum pg_outcome pg_act_in_time(struct hand *h)
{
    /* A deadline of the goal's term that is still ahead says more than not_after: the core raised it after it had given
     * the order, and would have interrupted an order that it no longer wants. */
    if (fence_page_held(h->setup.page, h->goal.term) && !atomic_load(&h->interrupt))
        return OUTCOME_AGAIN;
    bool late = !instant_is_never(h->goal.not_after) && instant_due_any(fence_now(), h->goal.not_after);
    if (late && hand_ms_since(h->goal.not_after) > LATE_MS)
        return pg_act_fail(h, "no lease is held, and the order came too late");
    return OUTCOME_LATER;
}

/* A server that ended is not started again at once, and ever later if none gets as far as to answer. */
static bool crash_held(const struct hand *h)
{
    int64_t hold = CRASH_HOLD_MS;
    for (int i = 1; i < h->stillborn && hold < CRASH_HOLD_MAX_MS; i++)
        hold *= 2;
    return hand_ms_since(h->crashed_at) < hold;
}

static const char *stillborn_why(struct hand *h)
{
    static char text[TEXT_SIZE]; /* the worker's alone */
    pg_process_last_words(h, text, sizeof text);
    return text[0] ? text : "its log says why";
}

/* ---- steps ---------------------------------------------------------------------------------------------------------------- */

static enum pg_outcome step_kill(struct hand *h)
{
    hand_phase(h, PG_STOPPING);
    return pg_process_kill(h, KILL_WAIT_MS) ? OUTCOME_AGAIN : OUTCOME_LATER;
}

/* A server that comes up: does it answer, and as what? */
static enum pg_outcome step_wait(struct hand *h)
{
    enum pg_conn_trouble trouble;
    if (hand_phase_now(h) != PG_STARTING) {
        hand_wait(h, h->postmaster_fd, POLLIN, TICK_MS);
        return OUTCOME_AGAIN;
    }
    PQfinish(h->control);
    h->control = pg_conn_open(h, PG_CONN_LOCAL, NULL, 200, true, &trouble, NULL, 0);
    bool standby = pg_process_has_signal_file(h);
    if (h->control) {
        PGresult *r =
            pg_conn_query(h, h->control,
                          "SELECT pg_is_in_recovery() AS recovery, CASE WHEN NOT pg_is_in_recovery()"
                          " THEN pg_current_wal_flush_lsn() END AS flushed",
                          1000, true);
        trouble = PQresultStatus(r) == PGRES_TUPLES_OK ? PG_CONN_OK : PG_CONN_FAILED;
        standby = pg_conn_bool(r, 0, "recovery");
        if (trouble == PG_CONN_OK &&
            !standby) { /* the first sample as a primary must not look like one without WAL */
            hand_edit(h);
            h->sample.lsn = pg_conn_lsn(r, 0, "flushed");
            pthread_mutex_unlock(&h->lock);
        }
        PQclear(r);
    }
    if (trouble == PG_CONN_OK || trouble == PG_CONN_REFUSED) { /* our role may not exist yet */
        h->stillborn = 0;
        hand_phase(h, standby ? PG_RECOVERY : PG_PRIMARY);
        return OUTCOME_AGAIN;
    }
    hand_wait(h, h->postmaster_fd, POLLIN, STARTING_MS);
    return OUTCOME_AGAIN;
}

static enum pg_outcome step_start_primary(struct hand *h)
{
    struct problem why = {0};
    struct pg_control control;
    if (h->stillborn >= STILLBORN_MAX)
        return pg_act_fail(h, "PostgreSQL does not start: %s", stillborn_why(h));
    if (h->stillborn && crash_held(h))
        return OUTCOME_LATER;
    if (!pg_process_control(h, &control, &why))
        return pg_act_fail(h, "%s", why.fact);
    if (control.standby)
        return pg_act_fail(h, "the directory is a standby's: a promotion never finished");
    if (h->goal.timeline && control.timeline != h->goal.timeline)
        return pg_act_fail(h, "the directory is on timeline %u, the record says %u", control.timeline,
                           h->goal.timeline);
    enum pg_outcome in_time = pg_act_in_time(h);
    if (in_time != OUTCOME_AGAIN)
        return in_time;
    struct pg_config_state s = {.sync = h->goal.sync, .dir = h->goal.dir};
    if (!pg_config_write_all(h, &s, &why) || !pg_process_signal_file(h, false, &why))
        return pg_act_fail(h, "%s", why.fact);
    if (!fence_page_arm(h->setup.page, h->setup.bell, h->goal.term, 1000))
        return pg_act_fail(h, "the guard does not answer");
    in_time = pg_act_in_time(h);
    if (in_time == OUTCOME_AGAIN && !pg_process_start(h, true, &why))
        in_time = pg_act_fail(h, "%s", why.fact);
    if (in_time != OUTCOME_AGAIN)
        fence_page_disarm(h->setup.page, h->setup.bell);
    return in_time;
}

/* Configured below the primary's, a standby does not start.  Better with other values than not at all. */
static void raise_to_primary(struct hand *h, struct pg_config_state *s)
{
    struct pg_control control;
    if (!pg_process_control(h, &control, NULL))
        return;
    const uint32_t primary[LEAST_COUNT] = {[LEAST_CONNECTIONS] = control.max_connections,
                                           [LEAST_WORKER_PROCESSES] = control.max_worker_processes,
                                           [LEAST_WAL_SENDERS] = control.max_wal_senders,
                                           [LEAST_PREPARED] = control.max_prepared,
                                           [LEAST_LOCKS] = control.max_locks};
    memcpy(s->least, primary, sizeof s->least);
    log_event(
        LOG_LEVEL_WARNING, "settings_of_primary",
        "PostgreSQL starts with the primary's max_connections and its kind, since it may not start with its own");
}

static enum pg_outcome start_standby(struct hand *h, bool sealed)
{
    struct problem why = {0};
    struct pg_control control;
    if (crash_held(h))
        return OUTCOME_LATER;
    if (h->stillborn >= STILLBORN_MAX)
        hand_progress(h, PG_GOAL_RUNNING, "PostgreSQL does not start: %s", stillborn_why(h));
    if (h->goal.kind == GOAL_PROMOTE && pg_process_control(h, &control, NULL) &&
        control.timeline >= h->goal.timeline) {
        if (hand_ms_since(h->crashed_at) < CRASH_GIVE_UP_MS)
            return OUTCOME_LATER;
        return pg_act_fail(h, "the directory is on timeline %u already", control.timeline);
    }
    struct pg_config_state s = {.sealed = sealed,
                                .nobody = true,
                                .dir = h->goal.dir,
                                .upstream = sealed ? NULL : hand_member(h, h->goal.upstream)};
    pid_t foreign = pg_process_foreign(h);
    if (foreign && !pg_process_adopts(h))
        return pg_act_fail(h, "process %d, not started by pgmesh, runs on the data directory", (int)foreign);
    if (foreign)
        return pg_process_stop_foreign(h, foreign) ? OUTCOME_AGAIN : OUTCOME_LATER;
    if (h->stillborn || (h->sample.preflight & PREFLIGHT_PARAMETERS))
        raise_to_primary(h, &s);
    pg_switch_clean_history(h);
    if (!pg_config_write_all(h, &s, &why) || !pg_process_signal_file(h, true, &why) ||
        !pg_process_start(h, false, &why))
        return pg_act_fail(h, "%s", why.fact);
    return OUTCOME_AGAIN;
}

static enum pg_outcome perform(struct hand *h, enum pg_step step)
{
    switch (step) {
    case STEP_UNSET:
    case STEP_COUNT: break;
    case STEP_REST: return OUTCOME_LATER;
    case STEP_REACHED: return OUTCOME_REACHED;
    case STEP_FAIL: return pg_act_fail(h, "not possible: PostgreSQL is %s", pg_phase_name(hand_phase_now(h)));
    case STEP_WAIT: return step_wait(h);
    case STEP_KILL: return step_kill(h);
    case STEP_INITDB: return pg_roles_initdb(h);
    case STEP_ADOPT: {
        enum pg_outcome may = pg_roles_adopt(h);
        return may == OUTCOME_REACHED ? step_start_primary(h) : may;
    }
    case STEP_START_PRIMARY: return step_start_primary(h);
    case STEP_START_STANDBY: return start_standby(h, false);
    case STEP_START_SEALED: return start_standby(h, true);
    case STEP_PRIMARY: return pg_switch_primary(h);
    case STEP_PROMOTE: return pg_switch_promote(h);
    case STEP_PROMOTED: return pg_switch_promoted(h);
    case STEP_FOLLOW:
        return pg_switch_follow(h) == OUTCOME_REACHED && hand_phase_now(h) == PG_STARTING ? step_wait(h)
                                                                                          : OUTCOME_REACHED;
    case STEP_SEAL: {
        if (hand_phase_now(h) != PG_STARTING)
            return pg_switch_seal(h);
        enum pg_outcome o = pg_switch_cut(h);
        return o == OUTCOME_AGAIN ? step_wait(h) : o;
    }
    case STEP_REWIND: return pg_clone_rewind(h);
    case STEP_CLONE: return pg_clone_backup(h);
    case STEP_SHUTDOWN: return pg_stop_cleanly(h);
    }
    return pg_act_fail(h, "no step is known");
}

/* ---- the worker ------------------------------------------------------------------------------------------------------------- */

static enum pg_state state_now(struct hand *h)
{
    switch (hand_phase_now(h)) {
    case PG_NONE:
    case PG_ABSENT: return STATE_ABSENT;
    case PG_DOWN: return STATE_DOWN;
    case PG_STARTING: return h->started_primary ? STATE_STARTING_PRIMARY : STATE_STARTING_STANDBY;
    case PG_RECOVERY: return STATE_RECOVERY;
    case PG_PROMOTING: return STATE_PROMOTING;
    case PG_PRIMARY: return STATE_PRIMARY;
    case PG_STOPPING: return STATE_STOPPING;
    case PG_BUSY: return STATE_BUSY;
    case PG_BROKEN: return STATE_BROKEN;
    }
    return STATE_BROKEN;
}

static bool commands_primary(enum pg_goal_kind k)
{
    return k == GOAL_PRIMARY || k == GOAL_PROMOTE || k == GOAL_INIT;
}

static void take_goal(struct hand *h)
{
    bool fresh = false, again = false;
    pthread_mutex_lock(&h->lock);
    atomic_store(&h->interrupt, false);
    if (h->stop) {
        h->has_wanted = false;
        if (h->goal.kind != GOAL_SHUTDOWN) {
            h->goal.kind = GOAL_SHUTDOWN;
            fresh = true;
        }
    } else if (h->has_wanted) {
        /* The same order given anew for a primary that died is the decision to start it again (mesh/pg.h). */
        bool same = pg_step_same(&h->goal, &h->wanted);
        again = same && h->sample.progress == PG_GOAL_FAILED;
        fresh = !same || again || (commands_primary(h->wanted.kind) && !h->postmaster);
        h->goal = h->wanted;
        h->has_wanted = false;
        h->sample.goal_seq = h->goal.seq;
    }
    if (fresh) {
        h->reached = false;
        h->failures = 0;
        if (commands_primary(h->goal.kind)) /* decided anew */
            h->stillborn = 0;
        h->retry_at = instant_never();
        h->sample.progress = PG_GOAL_RUNNING;
        h->sample.detail[0] = '\0';
        if (h->goal.kind != GOAL_SEAL)
            h->sample.sealed = false;
    }
    hand_post(h);
    if (fresh && !again)
        log_event(LOG_LEVEL_INFO, "goal", "goal: %s, term %llu", pg_goal_name(h->goal.kind),
                  (unsigned long long)h->goal.term);
}

static bool has_news(struct hand *h)
{
    pthread_mutex_lock(&h->lock);
    bool news = h->has_wanted || h->stop != (h->goal.kind == GOAL_SHUTDOWN && h->stop);
    pthread_mutex_unlock(&h->lock);
    return news || atomic_load(&h->interrupt);
}

/* A copy or a rewind that is done for this directory id is never done twice: the goal then means "follow". */
static enum pg_goal_kind meaning(const struct hand *h)
{
    bool copied = (h->goal.kind == GOAL_REWIND || h->goal.kind == GOAL_CLONE) && h->goal.dir &&
                  h->dir_done == h->goal.dir;
    return copied ? GOAL_FOLLOW : h->goal.kind;
}

/* A new database copies from the primary, so it must be let in. */
static void admit_members(struct hand *h)
{
    struct problem why = {0};
    if (pg_config_write_hba(h, &why))
        pg_process_reload(h);
    else
        log_problem(LOG_LEVEL_ERROR, "pg_hba-failed", &why);
}

/* A standby that was away for too long asks for WAL that nobody has any more, for ever.  As a failure of its goal, time
 * after time, it comes to be copied anew. */
static void starve_watch(struct hand *h)
{
    if (h->sample.upstream != MEMBER_NONE || hand_ms_since(h->phase_since) < STARVED_MS)
        h->fed = fence_now();
    if (hand_ms_since(h->fed) < STARVED_MS || h->sample.progress != PG_GOAL_REACHED)
        return;
    if (pg_switch_wal_gone(h))
        pg_act_fail(h, "the WAL that it needs is gone from its primary");
    else
        h->fed = fence_now();
}

static void idle(struct hand *h, enum pg_state state)
{
    if (state == STATE_RECOVERY && meaning(h) == GOAL_FOLLOW)
        starve_watch(h);
    if (state == STATE_RECOVERY && h->goal.kind == GOAL_SEAL && h->reached)
        pg_switch_calm(h);
    if (state == STATE_PRIMARY && commands_primary(h->goal.kind)) {
        if (pg_sync_work(h))
            return;
    }
    bool serves = (state == STATE_PRIMARY && commands_primary(h->goal.kind)) ||
                  (state == STATE_RECOVERY && h->reached && h->goal.kind != GOAL_SEAL);
    if (serves && atomic_exchange(&h->members_news, false))
        admit_members(h);
    if (serves && instant_due_any(fence_now(), h->upkeep_at)) {
        h->upkeep_at = instant_add(fence_now(), span_ms(UPKEEP_MS));
        pg_switch_slots(h);
        if (state == STATE_RECOVERY && h->sample.upstream != MEMBER_NONE)
            pg_clone_tidy(h);
    }
    if (state == STATE_RECOVERY) { /* a seal must not wait for a handshake */
        pg_act_control(h);
        pg_act_walsender(h);
    } else { /* that of a primary would be woken with every flush */
        PQfinish(h->walsender);
        h->walsender = NULL;
    }
    hand_wait(h, h->postmaster_fd, POLLIN, TICK_MS);
}

static void failed(struct hand *h)
{
    h->failures++;
    int64_t pause = RETRY_MS;
    for (int i = 1; i < h->failures && pause < RETRY_MAX_MS; i++)
        pause *= 2;
    /* A primary's goal is given up: the core decides what comes next. */
    h->retry_at = commands_primary(h->goal.kind) ? instant_never() : instant_add(fence_now(), span_ms(pause));
}

/* A server of ours that ended and is not to be a primary now: whoever starts it by hand, or by the distribution's unit,
 * which know nothing of leases, gets a standby that takes no writes.  An orderly stop of the member leaves the directory
 * as it is: that may be the end of pgmesh here. */
static void bar_by_hand(struct hand *h)
{
    struct problem why;
    if (!h->ended || h->barred || commands_primary(h->goal.kind) || h->goal.kind == GOAL_SHUTDOWN)
        return;
    h->barred = true;
    if (!pg_process_signal_file(h, true, &why))
        log_event(LOG_LEVEL_WARNING, "not_barred", "%s", why.fact);
}

static void turn(struct hand *h)
{
    enum pg_state state = state_now(h);
    if (state == STATE_DOWN)
        bar_by_hand(h);
    bool given_up = h->sample.progress == PG_GOAL_FAILED;
    bool died = h->reached && state == STATE_DOWN &&
                commands_primary(h->goal.kind); /* what follows is decided (pg.h) */
    if (died || (h->reached && h->reached_state == (int)state) ||
        (given_up && (instant_is_never(h->retry_at) || !instant_due_any(fence_now(), h->retry_at)))) {
        idle(h, state);
        return;
    }
    h->reached = false;
    switch (perform(h, pg_step_for(meaning(h), state))) {
    case OUTCOME_AGAIN: return;
    case OUTCOME_LATER:
        hand_wait(h, h->postmaster_fd, POLLIN,
                  h->goal.kind == GOAL_KEEP || h->goal.kind == GOAL_NONE ? TICK_MS : 2);
        return;
    case OUTCOME_REACHED:
        h->reached = true;
        h->reached_state = state_now(h);
        h->failures = 0;
        hand_progress(h, PG_GOAL_REACHED, "%s", "");
        return;
    case OUTCOME_FAILED:
        if (!atomic_load(&h->interrupt))
            failed(h);
        return;
    }
}

void *pg_act_thread(void *hand)
{
    struct hand *h = hand;
    while (!atomic_load(&h->closing)) {
        if (has_news(h))
            take_goal(h);
        bool starting = hand_phase_now(h) == PG_STARTING;
        if (h->postmaster && pg_process_ended(h)) {
            h->stillborn += starting;
            if (h->goal.kind != GOAL_SHUTDOWN && h->goal.kind != GOAL_DOWN) {
                h->crashed_at = fence_now();
                log_event(LOG_LEVEL_WARNING, "postgres_ended",
                          "PostgreSQL ended%s%s; every process of it is gone",
                          starting ? " while it started: " : "", starting ? stillborn_why(h) : "");
            }
            continue;
        }
        turn(h);
        if (h->goal.kind == GOAL_SHUTDOWN && h->reached) {
            pthread_mutex_lock(&h->lock);
            h->shut_down = h->stop;
            pthread_mutex_unlock(&h->lock);
        }
    }
    return NULL;
}
