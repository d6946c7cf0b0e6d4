/* doctor_host.c: what can only be seen on a member's own host: files, disks, PostgreSQL's settings.
 *
 * The inspector does not link libpq: PostgreSQL is asked through its own psql, as the user that runs it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mesh/inspect/doctor.h"

enum { PROBES = 9, PROBE_BYTES = 8192 };

/* ---- files ---------------------------------------------------------------------------------------------------------------- */

/* `barred`: what others may not, 077 or 022. */
static void secret(struct doctor *d, const char *what, const char *path, mode_t barred)
{
    struct stat s;
    if (*path == '\0')
        return;
    if (stat(path, &s) != 0) {
        doctor_say(d, "files", errno == ENOENT ? FINDING_BAD : FINDING_NOTE,
                   text("%s \"%s\": %s", what, path, strerror(errno)), NULL);
        return;
    }
    if (s.st_mode & barred)
        doctor_say(d, "files", FINDING_BAD,
                   text("%s \"%s\" can be %s by others (mode %04o)", what, path,
                        s.st_mode & barred & 022 ? "changed" : "read", (unsigned)s.st_mode & 07777),
                   S_ISDIR(s.st_mode) ? text("chmod %o", 0777u & ~barred)
                                      : "chmod 600, and make a new one: it may be known by now.");
    else
        doctor_say(d, "files", FINDING_GOOD,
                   text("%s \"%s\" is its owner's alone%s", what, path, s.st_mode & 055 ? " to change" : ""),
                   NULL);
}

void doctor_files(struct doctor *d)
{
    bool database = *d->config.data_dir != '\0';
    secret(d, "the member's key", d->config.key_file, 077);
    /* applications on an observer's host read there where the primary is (route_file) */
    secret(d, "the state folder", d->config.state_dir, database ? 077 : 022);
    if (database)
        secret(d, "the password file", d->config.pg_pass_file, 077);
    secret(d, "the operator's key", d->client.key_file, 077);
}

/* ---- disks ------------------------------------------------------------------------------------------------------------------ */

static void space(struct doctor *d, const char *what, const char *path)
{
    struct statvfs s;
    if (statvfs(path, &s) != 0 || s.f_blocks == 0)
        return;
    unsigned long long left = (unsigned long long)s.f_bavail * s.f_frsize;
    double share = 100.0 * (double)s.f_bavail / (double)s.f_blocks;
    enum finding level = share < 5 ? FINDING_BAD : share < 15 ? FINDING_WARN : FINDING_GOOD;
    doctor_say(d, "disk", level, text("%s: %s free (%.0f %%)", what, text_bytes(left), share),
               level == FINDING_GOOD ? NULL : "PostgreSQL stops when pg_wal is full. Make room, or grow it.");
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int ascending(const void *a, const void *b)
{
    return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

/* Writes and flushes in a file without a name: nothing stays behind. */
static void flushes(struct doctor *d, const char *what, const char *folder)
{
    static char block[PROBE_BYTES];
    double ms[PROBES];
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), n = 0;
    for (; fd >= 0 && n < PROBES; n++) {
        double since = now();
        if (pwrite(fd, block, sizeof block, (off_t)n * PROBE_BYTES) != PROBE_BYTES || fdatasync(fd) != 0)
            break;
        ms[n] = now() - since;
    }
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (n < PROBES) {
        doctor_say(d, "disk", error == EOPNOTSUPP || error == EACCES ? FINDING_NOTE : FINDING_BAD,
                   text("%s \"%s\": writing failed: %s", what, folder, strerror(error)), NULL);
        return;
    }
    qsort(ms, PROBES, sizeof *ms, ascending);
    double limit = (d->config.core.lease_ms > 0 ? d->config.core.lease_ms : 600) / 4.0;
    bool slow = ms[PROBES - 1] > limit;
    doctor_say(
        d, "disk", slow ? FINDING_WARN : FINDING_GOOD,
        text("%s: a write of 8 kB and its flush take %.1f ms, at worst %.1f (of %d)", what, ms[PROBES / 2],
             ms[PROBES - 1], PROBES),
        slow
            ? "A quarter of the lease is the limit: votes and heartbeats wait for it. Give it a quicker disk."
            : NULL);
}

void doctor_disks(struct doctor *d)
{
    char wal[FILE_PATH_SIZE];
    space(d, "state_dir", d->config.state_dir);
    flushes(d, "state_dir", d->config.state_dir);
    if (*d->config.data_dir == '\0')
        return;
    space(d, "data_dir", d->config.data_dir);
    if (file_path(wal, d->config.data_dir, "pg_wal")) {
        space(d, "pg_wal", wal);
        flushes(d, "pg_wal", wal);
    }
}

/* ---- PostgreSQL ------------------------------------------------------------------------------------------------------------- */

static const char question[] =
    "SELECT json_build_object('settings', (SELECT json_object_agg(name, setting) FROM pg_settings WHERE name IN ("
    "'wal_log_hints','data_checksums','wal_keep_size','max_wal_senders','max_replication_slots','synchronous_commit',"
    "'restore_command','max_slot_wal_keep_size','fsync','full_page_writes','wal_level','hot_standby','archive_mode',"
    "'recovery_min_apply_delay','max_connections','superuser_reserved_connections')),"
    "'overrides', COALESCE((SELECT json_agg(json_build_object('role', COALESCE(r.rolname, ''), 'database',"
    " COALESCE(b.datname, ''), 'setting', c)) FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole"
    " LEFT JOIN pg_database b ON b.oid = s.setdatabase, unnest(s.setconfig) AS c"
    " WHERE c LIKE 'synchronous_commit=%'), '[]'::json),"
    "'recovery', pg_is_in_recovery())";

/* In the child: never returns. */
static void become_psql(const struct config *c, int out)
{
    char path[FILE_PATH_SIZE], port[16];
    struct passwd *user = geteuid() == 0 ? getpwnam(c->user) : NULL;
    if (user != NULL && (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
                         setuid(user->pw_uid) != 0))
        _exit(126);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(out, 1);
    dup2(null, 2);
    snprintf(port, sizeof port, "%u", c->pg_port);
    if (!file_path(path, c->bin_dir, "psql") || chdir("/") != 0)
        _exit(126);
    setenv("PGCONNECT_TIMEOUT", "5", 1);
    setenv("PGOPTIONS", "-c statement_timeout=5s", 1);
    execl(path, path, "-XAtqw", "-h", c->socket_dir, "-p", port, "-U", c->user, "-d", "postgres", "-c",
          question, (char *)NULL);
    _exit(127);
}

static json_t *ask_postgres(const struct config *c)
{
    static char answer[65536];
    int pipes[2], status = 0;
    size_t used = 0;
    ssize_t got;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return NULL;
    pid_t child = fork();
    if (child == 0)
        become_psql(c, pipes[1]);
    close(pipes[1]);
    while (child > 0 && used < sizeof answer &&
           (got = read(pipes[0], answer + used, sizeof answer - used)) > 0)
        used += (size_t)got;
    close(pipes[0]);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return NULL;
    return json_loadb(answer, used, JSON_DISABLE_EOF_CHECK, NULL);
}

static const char *setting(const json_t *answer, const char *name)
{
    return json_text(json_object_get(answer, "settings"), name);
}
static bool is(const json_t *answer, const char *name, const char *value)
{
    return strcmp(setting(answer, name), value) == 0;
}

static void say(struct doctor *d, enum finding level, const char *fact, const char *hint)
{
    doctor_say(d, "postgres", level, fact, hint);
}

/* What a failover, or the return of the former primary, rests on. */
static void settings_failover(struct doctor *d, const json_t *a)
{
    int databases = 0;
    for (int i = 0; i < d->view.n; i++)
        databases += strcmp(d->view.members[i].role, "database") == 0;
    if (is(a, "wal_log_hints", "off") && is(a, "data_checksums", "off"))
        say(d, FINDING_WARN, "neither wal_log_hints nor data checksums are on",
            "A former primary whose WAL diverged cannot be rewound and is cloned anew. pgmesh turns wal_log_hints on: "
            "restart that PostgreSQL under it, or enable data checksums.");
    if (!is(a, "wal_level", "replica") && !is(a, "wal_level", "logical"))
        say(d, FINDING_BAD, text("wal_level is %s", setting(a, "wal_level")),
            "Nobody can follow. It must be replica.");
    if (is(a, "hot_standby", "off"))
        say(d, FINDING_BAD, "hot_standby is off",
            "A standby that answers nobody cannot be judged. Set it to on.");
    if (atoi(setting(a, "max_wal_senders")) < databases + 1)
        say(d, FINDING_BAD,
            text("max_wal_senders is %s for %d databases", setting(a, "max_wal_senders"), databases),
            "Each standby needs one, a clone two more: at least the number of databases and 3.");
    if (atoi(setting(a, "max_replication_slots")) < databases)
        say(d, FINDING_BAD,
            text("max_replication_slots is %s for %d databases", setting(a, "max_replication_slots"),
                 databases),
            "pgmesh keeps a slot for each other database.");
    if (*setting(a, "restore_command") != '\0')
        say(d, FINDING_NOTE, "restore_command is set",
            "A promotion asks it for the next segment and history file first: it must answer \"no such file\" at once.");
    if (*setting(a, "recovery_min_apply_delay") != '\0' && !is(a, "recovery_min_apply_delay", "0"))
        say(d, FINDING_WARN, "recovery_min_apply_delay is set", "A delayed standby is never promoted.");
}

/* What may lose commits, or fill a disk. */
static void settings_data(struct doctor *d, const json_t *a)
{
    const json_t *overrides = json_object_get(a, "overrides");
    size_t i;
    json_t *one;
    if (is(a, "fsync", "off"))
        say(d, FINDING_BAD, "fsync is off", "A crash of the host corrupts the data. Set it to on.");
    if (is(a, "full_page_writes", "off"))
        say(d, FINDING_BAD, "full_page_writes is off",
            "A crash can tear pages, and pg_rewind needs it. Set it to on.");
    if (is(a, "synchronous_commit", "off") || is(a, "synchronous_commit", "local"))
        say(d, FINDING_WARN, text("synchronous_commit is %s", setting(a, "synchronous_commit")),
            "Commits are acknowledged without a standby: a failover loses the last ones. Set it to on.");
    json_array_foreach((json_t *)overrides, i, one)
    {
        const char *s = json_text(one, "setting") + strlen("synchronous_commit=");
        const char *role = json_text(one, "role"), *database = json_text(one, "database");
        if (strcmp(s, "off") != 0 && strcmp(s, "local") != 0)
            continue;
        say(d, FINDING_WARN,
            text("synchronous_commit is %s%s%s%s%s", s, *role == '\0' ? "" : " for role ", role,
                 *database == '\0' ? "" : " in database ", database),
            "Its commits are acknowledged without a standby: a failover loses the last ones. ALTER ... RESET "
            "synchronous_commit, if that is not meant.");
    }
    if (is(a, "max_slot_wal_keep_size", "-1"))
        say(d, FINDING_NOTE, "max_slot_wal_keep_size is -1",
            "WAL is kept for a standby that stays away until the disk is full. A limit makes it clone anew instead.");
    else if (is(a, "wal_keep_size", "0") && atoi(setting(a, "max_slot_wal_keep_size")) < 1024)
        say(d, FINDING_WARN,
            text("at most %s MB of WAL are kept for a standby that is away",
                 setting(a, "max_slot_wal_keep_size")),
            "A short absence then costs a clone. Raise pg.max_slot_wal_keep_size or pg.wal_keep_size.");
    if (is(a, "archive_mode", "off"))
        say(d, FINDING_NOTE, "archive_mode is off",
            "A failover is no backup: without an archive there is no restore to a point in time.");
}

void doctor_settings(struct doctor *d, const json_t *answer)
{
    int before = d->counts[FINDING_WARN] + d->counts[FINDING_BAD];
    settings_failover(d, answer);
    settings_data(d, answer);
    if (d->counts[FINDING_WARN] + d->counts[FINDING_BAD] == before)
        say(d, FINDING_GOOD, "nothing in its settings stands against a failover without loss", NULL);
}

void doctor_postgres(struct doctor *d)
{
    json_t *answer = ask_postgres(&d->config);
    if (answer == NULL)
        say(d, FINDING_WARN,
            text("PostgreSQL does not answer psql as user %s at %s", d->config.user, d->config.socket_dir),
            "Is it running? Run as root or as that user; pg_hba must let it in over the socket.");
    else
        doctor_settings(d, answer);
    json_decref(answer);
}
