#include "node/pg_config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/hand_state.h"

/* ---- names ------------------------------------------------------------------------------------------------------ */

void pg_config_application(char out[static PG_APPLICATION_SIZE], const char *member, dir_id dir)
{
    snprintf(out, PG_APPLICATION_SIZE, "pgmesh_%.*s_%016" PRIx64, NAME_SIZE - 1, member, dir);
}

bool pg_config_parse_application(const char *text, char member[static NAME_SIZE], dir_id *dir)
{
    static const char prefix[] = "pgmesh_";
    const char *last = strrchr(text, '_');
    if (strncmp(text, prefix, sizeof prefix - 1) != 0 || !last || strlen(last + 1) != 16)
        return false;
    const char *name = text + sizeof prefix - 1;
    if (last <= name || last - name >= NAME_SIZE || strspn(last + 1, "0123456789abcdef") != 16)
        return false;
    memcpy(member, name, (size_t)(last - name));
    member[last - name] = '\0';
    *dir = strtoull(last + 1, NULL, 16);
    return true;
}

void pg_config_slot(char out[static PG_APPLICATION_SIZE], member_id id)
{
    snprintf(out, PG_APPLICATION_SIZE, "pgmesh_%u", (unsigned)id);
}

static const char *name_of(const struct hand_member *members, size_t n, member_id id)
{
    for (size_t i = 0; i < n; i++)
        if (members[i].id == id)
            return members[i].name;
    return NULL;
}

bool pg_config_names(char out[static PG_NAMES_SIZE], const struct pg_config_state *s,
                     const struct hand_member *members, size_t n)
{
    out[0] = '\0';
    if (s->nobody)
        return snprintf(out, PG_NAMES_SIZE, "ANY 1 (\"%s\")", PG_NOBODY) > 0;
    if (s->sync.n == 0)
        return true;
    int at = snprintf(out, PG_NAMES_SIZE, "ANY %u (", s->sync.k ? s->sync.k : 1u);
    for (unsigned i = 0; i < s->sync.n; i++) {
        char application[PG_APPLICATION_SIZE];
        const char *name = name_of(members, n, s->sync.m[i].id);
        if (!name)
            return false;
        pg_config_application(application, name, s->sync.m[i].dir);
        at += snprintf(out + at, (size_t)(PG_NAMES_SIZE - at), "%s\"%s\"", i ? ", " : "", application);
        if (at >= PG_NAMES_SIZE - 2)
            return false;
    }
    snprintf(out + at, (size_t)(PG_NAMES_SIZE - at), ")");
    return true;
}

/* ---- what is whose ---------------------------------------------------------------------------------------------- */

static const char *const OWNED[] = {
    "config_file", "data_directory", "hba_file", "ident_file", "listen_addresses", "port", "unix_socket_directories",
    "primary_conninfo", "primary_slot_name", "synchronous_standby_names", "promote_trigger_file", "hot_standby",
    "recovery_target", "recovery_target_action", "recovery_target_inclusive", "recovery_target_lsn",
    "recovery_target_name", "recovery_target_time", "recovery_target_timeline", "recovery_target_xid",
    "recovery_min_apply_delay", "restart_after_crash", "wal_log_hints", "wal_retrieve_retry_interval",
    "wal_receiver_timeout", "wal_sender_timeout", "data_sync_retry", "fsync", "full_page_writes", NULL};

bool pg_config_owns(const char *parameter)
{
    for (const char *const *p = OWNED; *p; p++)
        if (strcasecmp(*p, parameter) == 0)
            return true;
    return false;
}

bool pg_config_check(const struct config *c, struct problem *err)
{
    for (unsigned i = 0; i < c->n_parameters; i++) {
        const char *name = c->parameters[i].name;
        if (pg_config_owns(name)) {
            problem_fact(err, "parameter \"pg.%s\" cannot be set: pgmesh owns it", name);
            problem_detail(err, "%s", c->file);
            problem_hint(err, "Remove the line; pgmesh sets \"%s\" itself.", name);
            return false;
        }
        if (strcasecmp(name, "wal_level") == 0 && strcasecmp(c->parameters[i].value, "minimal") == 0) {
            problem_fact(err, "parameter \"pg.wal_level\" cannot be \"minimal\"");
            problem_detail(err, "%s: standbys need at least \"replica\".", c->file);
            return false;
        }
        if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") != strlen(name))
            return problem_fact(err, "\"pg.%s\" is not the name of a parameter", name);
        if (strpbrk(c->parameters[i].value, "\n\r"))
            return problem_fact(err, "the value of \"pg.%s\" holds a line break", name);
    }
    return true;
}

/* ---- texts ------------------------------------------------------------------------------------------------------ */

struct text {
    char *at;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->at + t->used, t->size - t->used, fmt, args);
    va_end(args);
    t->used = n < 0 || (size_t)n >= t->size - t->used ? t->size - 1 : t->used + (size_t)n;
}

/* name = 'value', with quotes and backslashes as guc-file.l wants them. */
static void put_setting(struct text *t, const char *name, const char *value)
{
    put(t, "%s = '", name);
    for (const char *p = value; *p; p++)
        put(t, *p == '\'' ? "''" : *p == '\\' ? "\\\\" : "%c", *p);
    put(t, "'\n");
}

static size_t finish(struct text *t)
{
    return t->used >= t->size - 1 ? 0 : t->used;
}

/* A value inside a conninfo string: '...' with \' and \\. */
static void put_conninfo(struct text *t, const char *name, const char *value)
{
    put(t, " %s='", name);
    for (const char *p = value; *p; p++)
        put(t, *p == '\'' || *p == '\\' ? "\\%c" : "%c", *p);
    put(t, "'");
}

static void put_conninfo_setting(struct text *t, const struct config *c, const struct pg_config_state *s)
{
    char room[2048], application[PG_APPLICATION_SIZE], pass[FILE_PATH_SIZE + 16], port[8];
    struct text info = {room, sizeof room, 0};
    room[0] = '\0';
    if (s->upstream && !s->sealed) {
        pg_config_application(application, c->member, s->dir);
        snprintf(pass, sizeof pass, "%s/pgmesh.pass", c->data_dir);
        snprintf(port, sizeof port, "%u", s->upstream->pg.port);
        put(&info, "user=pgmesh_replication dbname=replication");
        put_conninfo(&info, "host", s->upstream->pg.host);
        put_conninfo(&info, "port", port);
        put_conninfo(&info, "application_name", application);
        put_conninfo(&info, "passfile", pass);
        put(&info, " connect_timeout=2 keepalives=1 keepalives_idle=1 keepalives_interval=1 keepalives_count=3"
                   " tcp_user_timeout=3000");
    }
    put_setting(t, "primary_conninfo", room);
}

static const struct {
    const char *name, *value;
} DEFAULTS[] = {{"wal_level", "replica"},        {"max_wal_senders", "16"},     {"max_replication_slots", "16"},
                {"wal_keep_size", "1GB"},        {"max_slot_wal_keep_size", "8GB"},
                {"max_standby_streaming_delay", "5s"}, {"logging_collector", "off"},
                {"recovery_init_sync_method", "syncfs"}};
static const struct {
    const char *name, *value;
} FIXED[] = {{"hot_standby", "on"},           {"wal_log_hints", "on"},       {"restart_after_crash", "off"},
             {"fsync", "on"},                 {"full_page_writes", "on"},    {"data_sync_retry", "off"},
             {"wal_receiver_timeout", "5s"},  {"wal_sender_timeout", "5s"},  {"recovery_target_timeline", "latest"},
             {"recovery_target", ""},         {"recovery_target_lsn", ""},   {"recovery_target_name", ""},
             {"recovery_target_time", ""},    {"recovery_target_xid", ""},   {"recovery_min_apply_delay", "0"},
             {"promote_trigger_file", ""}};

size_t pg_config_text(char *out, size_t size, const struct config *c, member_id self, const struct pg_config_state *s,
                      const struct hand_member *members, size_t n_members)
{
    struct text t = {out, size, 0};
    char names[PG_NAMES_SIZE], slot[PG_APPLICATION_SIZE], path[FILE_PATH_SIZE + 32];
    if (!pg_config_names(names, s, members, n_members))
        return 0;
    put(&t, "# Written by pgmesh before every start and at every change: what is edited here is lost.\n"
            "# Parameters belong into node.conf, as  pg.NAME = VALUE.\n\n");
    put(&t, "# defaults\n");
    for (size_t i = 0; i < sizeof DEFAULTS / sizeof *DEFAULTS; i++)
        put_setting(&t, DEFAULTS[i].name, DEFAULTS[i].value);
    snprintf(path, sizeof path, "%s/postgresql.conf", c->data_dir);
    put_setting(&t, "include_if_exists", path);
    put(&t, "\n# from node.conf\n");
    for (unsigned i = 0; i < c->n_parameters; i++)
        put_setting(&t, c->parameters[i].name, c->parameters[i].value);
    put(&t, "\n# pgmesh's own\n");
    put_setting(&t, "listen_addresses", c->pg_listen);
    put(&t, "port = %u\n", c->pg_port);
    put_setting(&t, "unix_socket_directories", c->socket_dir);
    snprintf(path, sizeof path, "%s/pgmesh_hba.conf", c->data_dir);
    put_setting(&t, "hba_file", path);
    for (size_t i = 0; i < sizeof FIXED / sizeof *FIXED; i++)
        put_setting(&t, FIXED[i].name, FIXED[i].value);
    put_setting(&t, "wal_retrieve_retry_interval", s->sealed ? "5ms" : "100ms");
    if (s->sealed)
        put_setting(&t, "restore_command", "");
    put_conninfo_setting(&t, c, s);
    pg_config_slot(slot, self);
    put_setting(&t, "primary_slot_name", s->upstream && !s->sealed ? slot : "");
    put_setting(&t, "synchronous_standby_names", names);
    return finish(&t);
}

size_t pg_config_hba(char *out, size_t size, const struct config *c, const char *adopted)
{
    struct text t = {out, size, 0};
    put(&t, "# Written by pgmesh before every start: what is edited here is lost.  Lines belong into node.conf, as\n"
            "# pg_hba = LINE.\n"
            "local all %s peer\n"
            "local all pgmesh scram-sha-256\n"
            "local replication pgmesh_replication scram-sha-256\n"
            "host replication pgmesh_replication all scram-sha-256\n"
            "host postgres pgmesh_rewind all scram-sha-256\n"
            "host postgres pgmesh_observer all scram-sha-256\n"
            "local postgres pgmesh_observer scram-sha-256\n"
            "host all pgmesh,pgmesh_replication,pgmesh_rewind,pgmesh_observer all reject\n"
            "\n# from node.conf\n",
        c->user);
    for (unsigned i = 0; i < c->n_hba; i++)
        put(&t, "%s\n", c->hba[i]);
    if (adopted)
        put(&t, "\n# the adopted directory's pg_hba.conf\n%s\n", adopted);
    return finish(&t);
}

size_t pg_config_strip(char *out, size_t size, const char *text, int *removed)
{
    struct text t = {out, size, 0};
    *removed = 0;
    out[0] = '\0';
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        size_t lead = strspn(line, " \t");
        char name[CONFIG_PARAMETER_NAME_SIZE] = "";
        size_t word = strcspn(line + lead, " \t=\n");
        if (word < sizeof name)
            memcpy(name, line + lead, word);
        if (pg_config_owns(name) || strcasecmp(name, "restore_command") == 0)
            (*removed)++;
        else
            put(&t, "%.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    return t.used;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

/* Replaces DATA/name.  `sync`: it must survive a crash of the machine; what is written anew before every start need
 * not, and a seal has no time for it. */
static bool write_file(struct hand *h, const char *name, const char *text, size_t n, mode_t mode, struct problem *err)
{
    char path[FILE_PATH_SIZE], tmp[FILE_PATH_SIZE + 8];
    if (!hand_path(path, h->config->data_dir, "%s", name))
        return problem_fact(err, "the path of the data directory is too long");
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    unlink(tmp);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n;
    if (fd >= 0 && h->drop)
        ok = fchown(fd, h->uid, h->gid) == 0 && ok;
    if (fd >= 0)
        close(fd);
    ok = ok && rename(tmp, path) == 0;
    if (!ok)
        problem_fact(err, "could not write \"%s\": %s", path, strerror(errno));
    return ok;
}

static char *read_whole(const char *path, size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    char *text = malloc(max + 1);
    ssize_t n = text ? read(fd, text, max) : -1;
    close(fd);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    return text;
}

bool pg_config_write(struct hand *h, const struct pg_config_state *s, struct problem *err)
{
    char *room = malloc(PG_CONFIG_TEXT);
    if (!room)
        return problem_fact(err, "out of memory");
    size_t n = pg_config_text(room, PG_CONFIG_TEXT, h->config, h->setup.self, s, h->setup.members, h->setup.n_members);
    bool ok = n > 0 ? write_file(h, "pgmesh.conf", room, n, 0600, err)
                    : problem_fact(err, "the configuration of PostgreSQL is too long, or names an unknown member");
    free(room);
    if (ok) {
        pthread_mutex_lock(&h->lock);
        h->conf = *s;
        h->conf_known = true;
        pthread_mutex_unlock(&h->lock);
    }
    return ok;
}

static bool write_hba(struct hand *h, char *room, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    char *adopted = NULL;
    if (h->config->bootstrap == CONFIG_BOOTSTRAP_ADOPT && hand_path(path, h->config->data_dir, "pg_hba.conf"))
        adopted = read_whole(path, PG_CONFIG_TEXT / 2);
    size_t n = pg_config_hba(room, PG_CONFIG_TEXT, h->config, adopted);
    free(adopted);
    return n > 0 ? write_file(h, "pgmesh_hba.conf", room, n, 0600, err)
                 : problem_fact(err, "the pg_hba lines are too long");
}

static bool strip_auto(struct hand *h, char *room, struct problem *err)
{
    char path[FILE_PATH_SIZE];
    char *text = hand_path(path, h->config->data_dir, "postgresql.auto.conf") ? read_whole(path, PG_CONFIG_TEXT / 2) : NULL;
    if (!text)
        return true;
    int removed;
    size_t n = pg_config_strip(room, PG_CONFIG_TEXT, text, &removed);
    free(text);
    return removed == 0 || write_file(h, "postgresql.auto.conf", room, n, 0600, err);
}

bool pg_config_write_all(struct hand *h, const struct pg_config_state *s, struct problem *err)
{
    char *room = malloc(PG_CONFIG_TEXT);
    char *pass = read_whole(h->config->pg_pass_file, 16384);
    bool ok = room && (pass || problem_fact(err, "could not read \"%s\": %s", h->config->pg_pass_file, strerror(errno)));
    ok = ok && write_file(h, "pgmesh.pass", pass, strlen(pass), 0600, err) && write_hba(h, room, err) &&
         strip_auto(h, room, err);
    free(pass);
    free(room);
    return ok && pg_config_write(h, s, err);
}
