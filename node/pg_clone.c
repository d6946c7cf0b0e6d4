#define _GNU_SOURCE /* copy_file_range */
#include "node/pg_clone.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mesh/io/log.h"
#include "node/hand_state.h"
#include "node/pg_conn.h"
#include "node/pg_process.h"
#include "node/pg_run.h"

enum { SOURCE_MS = 3000, CHECKPOINT_MS = 120000, DIVERGED_KEPT = 2 };

static struct pg_run run; /* the worker's alone */

/* ---- common --------------------------------------------------------------------------------------------------------------- */

/* PostgreSQL's programs run as `user` and cannot read our pg.pass: a copy for them, beside the data directory. */
static bool lend_passwords(struct hand *h)
{
    char path[FILE_PATH_SIZE + 8];
    size_t n = 0;
    char *text = file_read(h->config->pg_pass_file, FILE_SECRET | FILE_TEXT, 65536, &n, NULL);
    snprintf(path, sizeof path, "%s.pass", h->config->data_dir);
    unlink(path);
    int fd = text ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && (!h->drop || fchown(fd, h->uid, h->gid) == 0);
    if (fd >= 0)
        close(fd);
    if (text)
        explicit_bzero(text, n);
    free(text);
    return ok;
}

static void take_back_passwords(struct hand *h)
{
    char path[FILE_PATH_SIZE + 8];
    snprintf(path, sizeof path, "%s.pass", h->config->data_dir);
    unlink(path);
}

/* The directory is a copy now, under the goal's id: noted, so that it is not made again. */
static enum pg_outcome finished(struct hand *h)
{
    char text[32];
    snprintf(text, sizeof text, "%016" PRIx64 "\n", h->goal.dir);
    h->conf_known = false;
    if (!pg_process_sync_tree(h->config->data_dir) || !pg_process_note(h, "directory", text) ||
        !pg_process_note(h, "rewinding", NULL)) {
        pg_process_look(h);
        return pg_act_fail(h, "could not write to the disk");
    }
    h->dir_done = h->goal.dir;
    pg_process_look(h);
    return OUTCOME_AGAIN;
}

static enum pg_outcome broken_off(struct hand *h, const char *fmt, const char *what)
{
    char text[TEXT_SIZE];
    snprintf(text, sizeof text, "%s", what);
    pg_process_look(h);
    return atomic_load(&h->interrupt) ? OUTCOME_AGAIN : pg_act_fail(h, fmt, text);
}

static const struct hand_member *source_of(struct hand *h)
{
    const struct hand_member *m = hand_member(h, h->goal.upstream);
    return m && m->pg.host[0] && m->id != h->setup.self && h->goal.dir ? m : NULL;
}

/* ---- base backup ------------------------------------------------------------------------------------------------------------ */

/* "  12345/67890 kB (18%), 0/1 tablespace" */
static int show_percent(struct hand *h, const char *line)
{
    const char *at = strchr(line, '(');
    int percent;
    if (at && sscanf(at, "(%d%%", &percent) == 1)
        hand_progress(h, PG_GOAL_RUNNING, "base backup %d %%", percent);
    return 0;
}

static bool swap_in(struct hand *h, const char *fresh)
{
    char old[FILE_PATH_SIZE + 8], parent[FILE_PATH_SIZE];
    snprintf(old, sizeof old, "%s.old", h->config->data_dir);
    snprintf(parent, sizeof parent, "%s", h->config->data_dir);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    if (rmdir(h->config->data_dir) < 0 && errno != ENOENT) {
        pg_process_remove_tree(old);
        if (rename(h->config->data_dir, old) < 0)
            return false;
    }
    return rename(fresh, h->config->data_dir) == 0 && pg_process_sync_dir(parent);
}

enum pg_outcome pg_clone_backup(struct hand *h)
{
    char fresh[FILE_PATH_SIZE + 8], port[8];
    const struct hand_member *from = source_of(h);
    snprintf(fresh, sizeof fresh, "%s.new", h->config->data_dir);
    if (!from)
        return pg_act_fail(h, "there is no member to clone from");
    if (pg_process_foreign(h))
        return pg_act_fail(h, "a PostgreSQL not started by pgmesh runs on the data directory");
    hand_phase(h, PG_BUSY);
    hand_progress(h, PG_GOAL_RUNNING, "base backup from %s", from->name);
    pg_process_remove_tree(fresh);
    bool ready = mkdir(fresh, 0700) == 0 && (!h->drop || chown(fresh, h->uid, h->gid) == 0);
    if (!ready || !lend_passwords(h))
        return broken_off(h, "could not prepare the base backup: %s", strerror(errno));
    snprintf(port, sizeof port, "%u", from->pg.port);
    run = (struct pg_run){.program = "pg_basebackup",
                          .in_fence = true,
                          .progress = show_percent,
                          .args = {"-D", fresh, "-h", from->pg.host, "-p", port, "-U", "pgmesh_replication",
                                   "-X", "stream", "-c", "fast", "-P", "--no-password", "--no-sync", NULL}};
    int status = pg_run(h, &run);
    take_back_passwords(h);
    if (status != 0) {
        pg_process_remove_tree(fresh);
        return broken_off(h, "pg_basebackup: %s", pg_run_last_line(&run));
    }
    if (!pg_process_sync_tree(fresh) || !swap_in(h, fresh))
        return broken_off(h, "could not swap the clone in: %s", strerror(errno));
    log_event(LOG_LEVEL_INFO, "cloned", "the data directory is a clone of %s", from->name);
    return finished(h);
}

/* ---- what is not needed any more ------------------------------------------------------------------------------------------ */

static _Atomic bool removing;

static void *remove_dropped(void *path)
{
    pg_process_remove_tree(path);
    free(path);
    atomic_store(&removing, false);
    return NULL;
}

void pg_clone_tidy(struct hand *h)
{
    char old[FILE_PATH_SIZE + 8], dropped[FILE_PATH_SIZE + 16], why[64];
    pthread_t thread;
    snprintf(old, sizeof old, "%s.old", h->config->data_dir);
    snprintf(dropped, sizeof dropped, "%s.old.drop", h->config->data_dir);
    if (atomic_load(&removing) || (access(old, F_OK) < 0 && access(dropped, F_OK) < 0))
        return;
    if (access(dropped, F_OK) < 0 &&
        (pg_process_noted(h, "keep_old", why, sizeof why) || rename(old, dropped) < 0))
        return;
    char *path = strdup(dropped); /* the worker has no time: a seal must not wait for the disk */
    atomic_store(&removing, true);
    if (path && pthread_create(&thread, NULL, remove_dropped, path) == 0) {
        pthread_detach(thread);
    } else {
        free(path);
        atomic_store(&removing, false);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Their names are times. */
static void prune_diverged(const char *base)
{
    struct dirent **found;
    char path[2 * FILE_PATH_SIZE];
    int n = scandir(base, &found, NULL, NULL);
    if (n < 0)
        return;
    char *names[64];
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (found[i]->d_name[0] != '.' && kept < (int)(sizeof names / sizeof names[0]))
            names[kept++] = found[i]->d_name;
    qsort(names, (size_t)kept, sizeof names[0], by_name);
    for (int i = 0; i + DIVERGED_KEPT < kept; i++) {
        snprintf(path, sizeof path, "%s/%s", base, names[i]);
        pg_process_remove_tree(path);
    }
    for (int i = 0; i < n; i++)
        free(found[i]);
    free(found);
}

/* ---- what diverged ------------------------------------------------------------------------------------------------------------ */

/* Where the source left our timeline, by its own history; 0: it never did. */
static lsn_t fork_point(struct hand *h, PGconn *source, uint32_t timeline)
{
    char sql[64];
    PGresult *id = pg_conn_query(h, source, "IDENTIFY_SYSTEM", SOURCE_MS, true);
    uint32_t theirs = (uint32_t)pg_conn_number(id, 0, "timeline");
    PQclear(id);
    if (theirs <= timeline)
        return 0;
    snprintf(sql, sizeof sql, "TIMELINE_HISTORY %u", theirs);
    PGresult *history = pg_conn_query(h, source, sql, SOURCE_MS, true);
    lsn_t fork = 0;
    for (const char *line = pg_conn_text(history, 0, "content"); *line;
         line += strcspn(line, "\n"), line += *line == '\n') {
        unsigned parent, high, low;
        if (sscanf(line, "%u %X/%X", &parent, &high, &low) == 3 && parent == timeline)
            fork = (lsn_t)high << 32 | low;
    }
    PQclear(history);
    return fork;
}

static bool copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int out = in >= 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    ssize_t n = -1;
    while (out >= 0 && (n = copy_file_range(in, NULL, out, NULL, 1 << 30, 0)) > 0) {
    }
    if (n < 0 && out >= 0 && lseek(in, 0, SEEK_SET) == 0) { /* not between these file systems */
        char room[65536];
        while ((n = read(in, room, sizeof room)) > 0 && write(out, room, (size_t)n) == n) {
        }
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return n == 0;
}

static void segment_name(char out[static 25], uint32_t timeline, lsn_t at, uint32_t bytes)
{
    uint64_t segment = at / bytes, per_id = 0x100000000ULL / bytes;
    snprintf(out, 25, "%08X%08X%08X", timeline, (unsigned)(segment / per_id), (unsigned)(segment % per_id));
}

/* The timeline that the directory was on: its newest segment's.  pg_control names an older one where a standby was stopped
 * at once, before anything of the new timeline was flushed. */
static uint32_t newest_timeline(struct hand *h, const struct pg_control *control)
{
    char wal[FILE_PATH_SIZE], id[9] = "";
    uint32_t newest = control->timeline;
    DIR *dir = hand_path(wal, h->config->data_dir, "pg_wal") ? opendir(wal) : NULL;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        if (strspn(d->d_name, "0123456789ABCDEF") < 24)
            continue;
        memcpy(id, d->d_name, 8);
        uint32_t one = (uint32_t)strtoul(id, NULL, 16);
        newest = one > newest ? one : newest;
    }
    if (dir)
        closedir(dir);
    return newest;
}

/* pg_waldump names the place where the WAL ends in its last complaint. */
static lsn_t end_in(const char *text)
{
    lsn_t end = 0;
    for (const char *p = text; (p = strstr(p, " at ")); p += 4) {
        unsigned high, low;
        if (sscanf(p, " at %X/%X", &high, &low) == 2)
            end = (lsn_t)high << 32 | low;
    }
    return end;
}

static int copy_segments(struct hand *h, const char *to, const char *first, const char *last)
{
    char wal[FILE_PATH_SIZE], from_path[FILE_PATH_SIZE + 64], to_path[FILE_PATH_SIZE + 128];
    int copied = 0;
    DIR *dir = hand_path(wal, h->config->data_dir, "pg_wal") ? opendir(wal) : NULL;
    for (struct dirent *d; dir && (d = readdir(dir));) {
        bool ours = strlen(d->d_name) >= 24 && strncmp(d->d_name, first, 8) == 0 &&
                    strspn(d->d_name, "0123456789ABCDEF") >= 24;
        if (!ours || strncmp(d->d_name, first, 24) < 0 || (last[0] && strncmp(d->d_name, last, 24) > 0))
            continue;
        snprintf(from_path, sizeof from_path, "%s/%.40s", wal, d->d_name);
        snprintf(to_path, sizeof to_path, "%s/%.40s", to, d->d_name);
        copied += copy_file(from_path, to_path);
    }
    if (dir)
        closedir(dir);
    return copied;
}

/* Saves what will be lost.  Returns the number of bytes past the fork; UINT64_MAX when it cannot be told. */
static uint64_t put_aside(struct hand *h, uint32_t timeline, uint32_t segment_bytes, lsn_t fork)
{
    char folder[FILE_PATH_SIZE + 48], base[FILE_PATH_SIZE + 16], wal[FILE_PATH_SIZE];
    char first[25], last[25] = "", start[32], number[16], size[48] = "its end is not to be seen";
    struct tm t;
    time_t now = time(NULL); /* a name for people */
    gmtime_r(&now, &t);
    snprintf(base, sizeof base, "%s.diverged", h->config->data_dir);
    size_t n = (size_t)snprintf(folder, sizeof folder, "%s/", base);
    strftime(folder + n, sizeof folder - n, "%Y%m%dT%H%M%SZ", &t);
    if ((mkdir(base, 0700) < 0 && errno != EEXIST) || (mkdir(folder, 0700) < 0 && errno != EEXIST))
        return UINT64_MAX;
    if (!hand_path(wal, h->config->data_dir, "pg_wal"))
        return UINT64_MAX;
    snprintf(start, sizeof start, "%X/%X", (unsigned)(fork >> 32), (unsigned)fork);
    snprintf(number, sizeof number, "%u", timeline);
    run = (struct pg_run){.program = "pg_waldump",
                          .args = {"-p", wal, "-t", number, "-s", start, "--stats", NULL}};
    pg_run(h, &run);
    lsn_t end = end_in(run.output);
    segment_name(first, timeline, fork, segment_bytes);
    if (end > fork)
        segment_name(last, timeline, end, segment_bytes);
    int copied = copy_segments(h, folder, first, last);
    uint64_t bytes = end >= fork ? end - fork : UINT64_MAX;
    if (bytes != UINT64_MAX)
        snprintf(size, sizeof size, "%" PRIu64 " bytes", bytes);
    char path[FILE_PATH_SIZE + 80];
    snprintf(path, sizeof path, "%s/summary.txt", folder);
    FILE *f = fopen(path, "we");
    if (f) {
        fprintf(f, "timeline %u, left at %s, ended at %X/%X: %s; %d segments kept\n\n%s\n", timeline, start,
                (unsigned)(end >> 32), (unsigned)end, size, copied, run.output);
        fclose(f);
    }
    prune_diverged(base);
    log_event(LOG_LEVEL_WARNING, "diverged", "WAL of timeline %u past %s (%s) is kept in %s", timeline, start,
              size, folder);
    return bytes;
}

/* ---- rewind ------------------------------------------------------------------------------------------------------------------- */

/* The source as pg_rewind will find it: a primary, checkpointed on its own timeline. */
static bool checkpoint_source(struct hand *h, const struct hand_member *from, char *why, size_t size)
{
    enum pg_conn_trouble trouble;
    PGconn *c = pg_conn_open(h, PG_CONN_REWIND, from, SOURCE_MS, true, &trouble, why, size);
    if (!c)
        return false;
    PGresult *r = pg_conn_query(h, c, "SELECT pg_is_in_recovery() AS recovery", SOURCE_MS, true);
    bool primary = PQresultStatus(r) == PGRES_TUPLES_OK && !pg_conn_bool(r, 0, "recovery");
    PQclear(r);
    bool ok = primary && pg_conn_command(h, c, "CHECKPOINT", CHECKPOINT_MS, true);
    if (!ok)
        snprintf(why, size, "%s", primary ? "CHECKPOINT failed" : "it is no primary");
    PQfinish(c);
    return ok;
}

static int run_rewind(struct hand *h, const struct hand_member *from)
{
    char source[512], conf[FILE_PATH_SIZE];
    /* Ours: under PostgreSQL's defaults the clean-up that pg_rewind begins with would remove WAL that it needs. */
    if (!hand_path(conf, h->config->data_dir, "pgmesh.conf"))
        return -1;
    snprintf(source, sizeof source,
             "host=%s port=%u user=pgmesh_rewind dbname=postgres application_name=pgmesh connect_timeout=5",
             from->pg.host, from->pg.port);
    run = (struct pg_run){.program = "pg_rewind",
                          .in_fence = true,
                          .args = {"--target-pgdata", h->config->data_dir, "--source-server", source,
                                   "--config-file", conf, "--no-sync", NULL}};
    int status = pg_run(h, &run);
    take_back_passwords(h);
    return status;
}

enum pg_outcome pg_clone_rewind(struct hand *h)
{
    struct pg_control control;
    struct problem why = {0};
    char text[TEXT_SIZE] = "";
    const struct hand_member *from = source_of(h);
    if (!from)
        return pg_act_fail(h, "there is no member to rewind from");
    if (!pg_process_control(h, &control, &why) || !control.rewindable || control.segment_bytes == 0)
        return pg_clone_backup(h);
    if (!checkpoint_source(h, from, text, sizeof text))
        return atomic_load(&h->interrupt) ? OUTCOME_AGAIN : pg_act_fail(h, "%s: %.70s", from->name, text);
    enum pg_conn_trouble trouble;
    PGconn *source = pg_conn_open(h, PG_CONN_UPSTREAM, from, SOURCE_MS, true, &trouble, text, sizeof text);
    uint32_t timeline = newest_timeline(h, &control);
    lsn_t fork = source ? fork_point(h, source, timeline) : 0;
    PQfinish(source);
    if (!source)
        return atomic_load(&h->interrupt) ? OUTCOME_AGAIN : pg_act_fail(h, "%s: %.70s", from->name, text);

    hand_phase(h, PG_BUSY);
    hand_progress(h, PG_GOAL_RUNNING, "rewinding from %s", from->name);
    struct pg_config_state s = {.nobody = true, .dir = h->goal.dir};
    uint64_t lost = fork ? put_aside(h, timeline, control.segment_bytes, fork) : UINT64_MAX;
    pg_process_note(h, "keep_old", lost == UINT64_MAX ? "its WAL was not put aside\n" : NULL);
    if (!lend_passwords(h) || !pg_config_write_all(h, &s, &why) || !pg_process_signal_file(h, false, &why) ||
        !pg_process_note(h, "rewinding", from->name))
        return broken_off(h, "could not prepare the rewind: %s", why.fact);
    int status = run_rewind(h, from);
    if (run.interrupted)
        return broken_off(h, "%s", "interrupted");
    if (status != 0) {
        log_event(LOG_LEVEL_WARNING, "rewind_failed", "pg_rewind: %s; a base backup takes its place",
                  pg_run_last_line(&run));
        return pg_clone_backup(h);
    }
    if (strstr(run.output, "no rewind required") && lost != 0) {
        log_event(LOG_LEVEL_WARNING, "rewind_refused",
                  "pg_rewind sees no divergence where there is one; a base backup takes its place");
        return pg_clone_backup(h);
    }
    log_event(LOG_LEVEL_INFO, "rewound", "the data directory is rewound from %s", from->name);
    return finished(h);
}
