#define _GNU_SOURCE /* nftw, close_range, syncfs */
#include "node/pg_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mesh/io/log.h"
#include "node/hand_state.h"
#include "node/pg_act.h"
#include "node/pg_run.h"
#include "node/pg_version.h"

enum { LOG_MAX_BYTES = 16 * 1024 * 1024, KILL_WAIT_MS = 5000 };

/* ---- files ------------------------------------------------------------------------------------------------------ */

bool pg_process_sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

bool pg_process_sync_tree(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && syncfs(fd) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

bool pg_process_remove_tree(const char *path)
{
    return nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT;
}

bool pg_process_note(struct hand *h, const char *name, const char *text)
{
    char path[FILE_PATH_SIZE];
    if (!hand_path(path, h->config->state_dir, "hand.%s", name))
        return false;
    if (!text)
        return (unlink(path) == 0 || errno == ENOENT) && pg_process_sync_dir(h->config->state_dir);
    return file_replace(path, text, strlen(text), 0600, NULL);
}

bool pg_process_noted(struct hand *h, const char *name, char *text, size_t size)
{
    char path[FILE_PATH_SIZE];
    if (!hand_path(path, h->config->state_dir, "hand.%s", name))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    return n >= 0;
}

bool pg_process_has_signal_file(struct hand *h)
{
    char path[FILE_PATH_SIZE];
    return hand_path(path, h->config->data_dir, "standby.signal") && access(path, F_OK) == 0;
}

bool pg_process_signal_file(struct hand *h, bool present, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    bool ok =
        hand_path(path, h->config->data_dir, "recovery.signal") && (unlink(path) == 0 || errno == ENOENT);
    ok = ok && hand_path(path, h->config->data_dir, "standby.signal");
    if (ok && present) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        ok = fd >= 0 && (!h->drop || fchown(fd, h->uid, h->gid) == 0) && fsync(fd) == 0;
        if (fd >= 0)
            close(fd);
    } else if (ok) {
        ok = unlink(path) == 0 || errno == ENOENT;
    }
    ok = ok && pg_process_sync_dir(h->config->data_dir);
    return ok ||
           problem_fact(err, "could not %s \"%s\": %s", present ? "write" : "remove", path, strerror(errno));
}

static bool history_id(const char *name, uint32_t *id)
{
    if (strlen(name) != 16 || strcmp(name + 8, ".history") != 0 || strspn(name, "0123456789ABCDEF") != 8)
        return false;
    *id = (uint32_t)strtoul(name, NULL, 16);
    return true;
}

uint32_t pg_process_timeline_max(struct hand *h)
{
    char path[FILE_PATH_SIZE];
    uint32_t top = 0, id;
    DIR *dir = hand_path(path, h->config->data_dir, "pg_wal") ? opendir(path) : NULL;
    for (struct dirent *d; dir && (d = readdir(dir));)
        if (history_id(d->d_name, &id) && id > top)
            top = id;
    if (dir)
        closedir(dir);
    return top;
}

/* ---- pg_control ------------------------------------------------------------------------------------------------- */

static const char *value_of(const char *text, const char *key)
{
    static _Thread_local char value[128];
    const char *at = strstr(text, key);
    value[0] = '\0';
    if (!at)
        return value;
    at += strlen(key);
    at += strspn(at, " :\t");
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\n"), at);
    return value;
}

static uint32_t number_of(const char *text, const char *key)
{
    return (uint32_t)strtoul(value_of(text, key), NULL, 10);
}

static lsn_t lsn_of(const char *text, const char *key)
{
    unsigned high = 0, low = 0;
    return sscanf(value_of(text, key), "%X/%X", &high, &low) == 2 ? (lsn_t)high << 32 | low : 0;
}

bool pg_process_control(struct hand *h, struct pg_control *out, struct problem *err)
{
    static _Thread_local struct pg_run run;
    run = (struct pg_run){.program = "pg_controldata", .args = {h->config->data_dir, NULL}, .steady = true};
    memset(out, 0, sizeof *out);
    if (pg_run(h, &run) != 0)
        return problem_fact(err, "pg_controldata: %s", pg_run_last_line(&run));
    const char *t = run.output;
    out->system_id = strtoull(value_of(t, "Database system identifier"), NULL, 10);
    out->timeline = number_of(t, "Latest checkpoint's TimeLineID");
    out->lsn = lsn_of(t, "Latest checkpoint location");
    uint32_t end_timeline = number_of(t, "Min recovery ending loc's timeline");
    lsn_t end = lsn_of(t, "Minimum recovery ending location");
    if (end_timeline > out->timeline)
        out->timeline = end_timeline;
    if (end > out->lsn)
        out->lsn = end;
    const char *state = value_of(t, "Database cluster state");
    out->clean = strncmp(state, "shut down", 9) == 0;
    out->standby = strcmp(state, "in archive recovery") == 0 || strcmp(state, "shut down in recovery") == 0;
    out->rewindable = strcmp(value_of(t, "wal_log_hints setting"), "on") == 0 ||
                      number_of(t, "Data page checksum version") > 0;
    out->segment_bytes = number_of(t, "Bytes per WAL segment");
    out->max_connections = number_of(t, "max_connections setting");
    out->max_worker_processes = number_of(t, "max_worker_processes setting");
    out->max_wal_senders = number_of(t, "max_wal_senders setting");
    out->max_prepared = number_of(t, "max_prepared_xacts setting");
    out->max_locks = number_of(t, "max_locks_per_xact setting");
    return true;
}

/* ---- who runs --------------------------------------------------------------------------------------------------- */

/* When a process started, in clock ticks since boot: a pid alone may have been used again. */
static uint64_t start_ticks(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    char *p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p + 1, NULL, 10) : 0;
}

/* The pid in postmaster.pid if that is a live process working in our data directory, else 0. */
static pid_t pid_file(struct hand *h)
{
    char path[FILE_PATH_SIZE], text[32];
    struct stat cwd, data;
    int fd = hand_path(path, h->config->data_dir, "postmaster.pid") ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    if (pid < 2 || kill(pid, 0) < 0)
        return 0;
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    if (stat(path, &cwd) < 0 || stat(h->config->data_dir, &data) < 0)
        return 0;
    return cwd.st_dev == data.st_dev && cwd.st_ino == data.st_ino ? pid : 0;
}

static bool is_ours(struct hand *h, pid_t pid)
{
    char text[64];
    int noted_pid;
    uint64_t ticks;
    return pg_process_noted(h, "postmaster", text, sizeof text) &&
           sscanf(text, "%d %" SCNu64, &noted_pid, &ticks) == 2 && noted_pid == pid &&
           ticks == start_ticks(pid);
}

pid_t pg_process_foreign(struct hand *h)
{
    pid_t pid = h->postmaster ? 0 : pid_file(h);
    return pid && !is_ours(h, pid) ? pid : 0;
}

bool pg_process_adopts(struct hand *h)
{
    char text[16];
    return h->config->bootstrap == CONFIG_BOOTSTRAP_ADOPT &&
           !pg_process_noted(h, "initialised", text, sizeof text) &&
           !pg_process_noted(h, "adopted", text, sizeof text);
}

bool pg_process_stop_foreign(struct hand *h, pid_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 || pid_file(h) != pid)
        return false;
    log_event(LOG_LEVEL_WARNING, "adopt",
              "stopping the PostgreSQL (process %d) that runs on the directory to adopt", (int)pid);
    kill(pid, SIGINT); /* fast shutdown */
    bool gone = false;
    while (!gone && hand_wait(h, fd, POLLIN, 1000)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        gone = poll(&p, 1, 0) > 0;
    }
    close(fd);
    return gone;
}

bool pg_process_check(struct hand *h, struct problem *err)
{
    static const char *const programs[] = {
        "postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_controldata", "psql", NULL};
    if (h->config->data_dir[0] != '/') {
        problem_fact(err, "no data directory is configured");
        return problem_hint(err, "Set \"data_dir\".");
    }
    for (const char *const *p = programs; *p; p++) {
        char path[FILE_PATH_SIZE];
        if (!hand_path(path, h->config->bin_dir, "%s", *p) || access(path, X_OK) < 0) {
            problem_fact(err, "could not find PostgreSQL's program \"%s\": %s", *p, strerror(errno));
            problem_detail(err, "bin_dir is \"%s\".", h->config->bin_dir);
            return problem_hint(err, "Set \"bin_dir\" to the directory of PostgreSQL's programs.");
        }
    }
    char probe[FILE_PATH_SIZE];
    if (!hand_path(probe, h->config->data_dir, "pg_wal/00000000000000000000000000000000000000000000.history"))
        return problem_fact(err, "the path of the data directory is too long");
    return true;
}

static void take_over(struct hand *h, pid_t pid)
{
    h->postmaster = pid;
    h->postmaster_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    h->started_primary = !pg_process_has_signal_file(h);
    log_event(LOG_LEVEL_INFO, "postgres", "PostgreSQL (process %d) runs from an earlier start of the agent",
              (int)pid);
    hand_phase(h, PG_STARTING);
}

void pg_process_find(struct hand *h)
{
    char text[32];
    if (pg_process_noted(h, "directory", text, sizeof text))
        h->dir_done = strtoull(text, NULL, 16);
    pid_t pid = pid_file(h);
    if (pid && is_ours(h, pid)) {
        take_over(h, pid);
        return;
    }
    if (!pid && !fence_is_empty(&h->setup.fence)) /* a program of ours that the last agent left half-way */
        fence_kill(&h->setup.fence, KILL_WAIT_MS);
    pg_process_look(h);
}

void pg_process_look(struct hand *h)
{
    char path[FILE_PATH_SIZE];
    struct problem why = {0};
    struct pg_control control;
    bool present = hand_path(path, h->config->data_dir, "global/pg_control") && access(path, F_OK) == 0;
    bool known = present && pg_process_control(h, &control, &why);
    pid_t foreign = pg_process_foreign(h);
    uint32_t top = pg_process_timeline_max(h);

    hand_edit(h);
    struct pg_sample *s = &h->sample;
    if (known) {
        s->system_id = control.system_id;
        s->timeline = control.timeline;
        s->timeline_max = top > control.timeline ? top : control.timeline;
        s->lsn = s->replay_lsn = control.lsn;
    } else if (!present) {
        s->timeline = s->timeline_max = 0;
        s->lsn = s->replay_lsn = s->system_id = 0;
    }
    s->answering = s->sealed = false;
    hand_post(h);

    char mark[64];
    bool torn = present && pg_process_noted(h, "rewinding", mark, sizeof mark);
    hand_phase(h, (foreign && !pg_process_adopts(h)) || torn ? PG_BROKEN : present ? PG_DOWN : PG_ABSENT);
    hand_edit(h);
    s->confirmed_dead = !foreign;
    if (torn)
        snprintf(s->detail, sizeof s->detail, "a rewind was cut short: the directory must be cloned");
    s->clean = known && control.clean;
    if (foreign)
        snprintf(s->detail, sizeof s->detail, "process %d, not started by pgmesh, runs on the data directory",
                 (int)foreign);
    hand_post(h);
}

/* ---- start ------------------------------------------------------------------------------------------------------ */

/* PostgreSQL's own messages, unless its parameters send them elsewhere. */
static int open_log(struct hand *h)
{
    char path[FILE_PATH_SIZE], old[FILE_PATH_SIZE + 4];
    if (!hand_path(path, h->config->state_dir, "postgresql.log"))
        return -1;
    struct stat st;
    snprintf(old, sizeof old, "%s.1", path);
    if (stat(path, &st) == 0 && st.st_size > LOG_MAX_BYTES)
        rename(path, old);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* A server may write without end while nobody starts it anew (a standby that finds no primary), on the disk of the votes.
 * What it writes between the end of the copy and the cut is lost; it appends, so it goes on at the new end. */
void pg_process_trim_log(struct hand *h)
{
    char path[FILE_PATH_SIZE], old[FILE_PATH_SIZE + 4];
    struct stat st;
    if (!hand_path(path, h->config->state_dir, "postgresql.log") || stat(path, &st) < 0 ||
        st.st_size <= LOG_MAX_BYTES)
        return;
    snprintf(old, sizeof old, "%s.1", path);
    int from = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    int to = open(old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    off_t at = st.st_size - LOG_MAX_BYTES; /* the newest of it */
    while (from >= 0 && to >= 0 && sendfile(to, from, &at, LOG_MAX_BYTES) > 0)
        continue;
    if (from >= 0 && ftruncate(from, 0) == 0) /* also when there was no room for a copy */
        log_event(LOG_LEVEL_INFO, "log_trimmed", "state/postgresql.log was %lld MB and begins anew",
                  (long long)st.st_size >> 20);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
}

void pg_process_last_words(struct hand *h, char *out, size_t size)
{
    char path[FILE_PATH_SIZE], text[4096];
    int fd = hand_path(path, h->config->state_dir, "postgresql.log")
                 ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
                 : -1;
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    ssize_t n = end >= 0 ? pread(fd, text, sizeof text - 1,
                                 end > (off_t)sizeof text - 1 ? end - (off_t)sizeof text + 1 : 0)
                         : -1;
    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = '\0';
    out[0] = '\0';
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *at = strstr(line, "FATAL:  ");
        at = at ? at : strstr(line, "PANIC:  ");
        if (at && at < line + strcspn(line, "\n"))
            snprintf(out, size, "%.*s", (int)strcspn(at + 8, "\n"), at + 8);
    }
}

static void postmaster_child(struct hand *h, int fence_fd, int log_fd)
{
    char program[FILE_PATH_SIZE + 16], conf[FILE_PATH_SIZE + 32], least[LEAST_COUNT][64];
    setsid();
    /* SIGHUP waits for the postmaster's handler, which lets it in itself: a goal that changes while the server starts
     * is a reload, and without a handler that would be its end. */
    pg_run_become(h, fence_fd, SIGHUP);
    umask(077);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(log_fd >= 0 ? log_fd : null, STDOUT_FILENO);
    dup2(log_fd >= 0 ? log_fd : null, STDERR_FILENO);
    close_range(3, ~0U, 0);
    snprintf(program, sizeof program, "%s/postgres", h->config->bin_dir);
    snprintf(conf, sizeof conf, "config_file=%s/pgmesh.conf", h->config->data_dir);
    char *argv[5 + 2 * LEAST_COUNT + 1] = {program, "-D", (char *)h->config->data_dir, "-c", conf};
    for (int i = 0, n = 5; i < LEAST_COUNT; i++)
        if (pg_config_least(least[i], sizeof least[i], &h->conf, (enum pg_least)i)) {
            argv[n++] = "-c";
            argv[n++] = least[i];
        }
    char *env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_MESSAGES=C",
                   NULL};
    if (chdir("/") == 0)
        execve(program, argv, env);
    dprintf(STDERR_FILENO, "could not execute \"%s\": %s\n", program, strerror(errno));
    _exit(127);
}

/* The same for the lock of its socket, whose second line names the data directory: PostgreSQL asks only whether some
 * process of its user bears the number in the first. */
static void stale_socket(struct hand *h)
{
    char path[FILE_PATH_SIZE], name[64], text[FILE_PATH_SIZE + 64];
    snprintf(name, sizeof name, ".s.PGSQL.%u.lock", (unsigned)h->config->pg_port);
    if (pid_file(h) || !hand_path(path, h->config->socket_dir, "%s", name))
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    char *dir = text + strcspn(text, "\n");
    dir += *dir == '\n';
    dir[strcspn(dir, "\n")] = '\0';
    if (strcmp(dir, h->config->data_dir) == 0)
        unlink(path);
}

bool pg_process_start(struct hand *h, bool primary, struct problem *err)
{
    char path[FILE_PATH_SIZE], text[64];
    if (!pg_version_fits(h, err))
        return false;
    int fence_fd = fence_entry_fd(&h->setup.fence);
    if (h->setup.fence.cgroup[0] && fence_fd < 0)
        return problem_fact(err, "could not enter cgroup \"%s\": %s", h->setup.fence.cgroup, strerror(errno));
    /* A pid file of a dead server whose number another process bears now would bar the start for ever. */
    if (!pid_file(h) && hand_path(path, h->config->data_dir, "postmaster.pid"))
        unlink(path);
    stale_socket(h);
    if (pg_process_adopts(h) && !pg_process_note(h, "adopted", "1\n"))
        return problem_fact(err, "could not write into \"%s\"", h->config->state_dir);
    fence_thaw(&h->setup.fence);
    int log_fd = open_log(h);
    pid_t pid = fork();
    if (pid == 0)
        postmaster_child(h, fence_fd, log_fd);
    if (fence_fd >= 0)
        close(fence_fd);
    if (log_fd >= 0)
        close(log_fd);
    if (pid < 0)
        return problem_fact(err, "could not fork: %s", strerror(errno));
    h->postmaster = pid;
    h->postmaster_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    h->started_primary = primary;
    h->slots_done = false;
    snprintf(text, sizeof text, "%d %" PRIu64 "\n", (int)pid, start_ticks(pid));
    pg_process_note(h, "postmaster", text);
    hand_phase(h, PG_STARTING);
    return true;
}

void pg_process_reload(struct hand *h)
{
    if (h->postmaster)
        kill(h->postmaster, SIGHUP);
}

/* ---- end -------------------------------------------------------------------------------------------------------- */

/* Nothing of it is left: only now may the guard look away. */
static void buried(struct hand *h)
{
    if (h->postmaster)
        waitpid(h->postmaster, NULL,
                0); /* not ours to reap when an earlier agent forked it: then it fails at once */
    if (h->postmaster_fd >= 0)
        close(h->postmaster_fd);
    h->postmaster_fd = -1;
    h->ended = h->ended || h->postmaster;
    h->barred = false;
    h->postmaster = 0;
    h->started_primary = false;
    h->promote_asked = 0;
    pg_act_forget_connections(h);
    fence_page_disarm(h->setup.page, h->setup.bell);
    pg_process_note(h, "postmaster", NULL);
    pg_process_look(h);
}

bool pg_process_ended(struct hand *h)
{
    if (!h->postmaster)
        return false;
    struct pollfd p = {.fd = h->postmaster_fd, .events = POLLIN};
    bool over = h->postmaster_fd >= 0 ? poll(&p, 1, 0) > 0 : kill(h->postmaster, 0) < 0;
    if (!over)
        return false;
    return pg_process_kill(
        h, KILL_WAIT_MS); /* a postmaster that dies leaves backends that go on acknowledging */
}

bool pg_process_kill(struct hand *h, int wait_ms)
{
    bool ran = h->postmaster != 0;
    if (!fence_kill(&h->setup.fence, wait_ms)) {
        hand_phase(h, PG_STOPPING);
        return false;
    }
    if (ran)
        buried(h);
    else
        pg_process_look(h);
    return true;
}
