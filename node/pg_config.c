#include "node/pg_config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "node/hand.h"

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
        put(&info,
            " connect_timeout=2 keepalives=1 keepalives_idle=1 keepalives_interval=1 keepalives_count=3"
            " tcp_user_timeout=3000");
    }
    put_setting(t, "primary_conninfo", room);
}

static const struct {
    const char *name, *value;
} DEFAULTS[] = {{"wal_level", "replica"},          {"max_wal_senders", "16"},
                {"max_replication_slots", "16"},   {"wal_keep_size", "1GB"},
                {"max_slot_wal_keep_size", "8GB"}, {"max_standby_streaming_delay", "5s"},
                {"logging_collector", "off"},      {"recovery_init_sync_method", "syncfs"}};
static const struct {
    const char *name, *value;
} FIXED[] = {{"hot_standby", "on"},
             {"wal_log_hints", "on"},
             {"restart_after_crash", "off"},
             {"fsync", "on"},
             {"full_page_writes", "on"},
             {"data_sync_retry", "off"},
             {"wal_receiver_timeout", "5s"},
             {"wal_sender_timeout", "5s"},
             {"recovery_target_timeline", "latest"},
             {"recovery_target", ""},
             {"recovery_target_lsn", ""},
             {"recovery_target_name", ""},
             {"recovery_target_time", ""},
             {"recovery_target_xid", ""},
             {"recovery_min_apply_delay", "0"},
             {"promote_trigger_file", ""}};

static const char *const LEAST[LEAST_COUNT] = {[LEAST_CONNECTIONS] = "max_connections",
                                               [LEAST_WORKER_PROCESSES] = "max_worker_processes",
                                               [LEAST_WAL_SENDERS] = "max_wal_senders",
                                               [LEAST_PREPARED] = "max_prepared_transactions",
                                               [LEAST_LOCKS] = "max_locks_per_transaction"};

bool pg_config_least(char *out, size_t size, const struct pg_config_state *s, enum pg_least which)
{
    snprintf(out, size, "%s=%u", LEAST[which], s->least[which]);
    return s->least[which] > 0;
}

size_t pg_config_text(char *out, size_t size, const struct config *c, member_id self,
                      const struct pg_config_state *s, const struct hand_member *members, size_t n_members)
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
    snprintf(path, sizeof path, "%s/pgmesh_ident.conf", c->data_dir);
    put_setting(&t, "ident_file", path);
    for (size_t i = 0; i < sizeof FIXED / sizeof *FIXED; i++)
        put_setting(&t, FIXED[i].name, FIXED[i].value);
    for (int i = 0; i < LEAST_COUNT; i++)
        if (s->least[i])
            put(&t, "%s = %u\n", LEAST[i], s->least[i]);
    put_setting(&t, "wal_retrieve_retry_interval", !s->sealed ? "100ms" : s->slow ? "1s" : "5ms");
    if (s->sealed)
        put_setting(&t, "restore_command", "");
    put_conninfo_setting(&t, c, s);
    pg_config_slot(slot, self);
    put_setting(&t, "primary_slot_name", s->upstream && !s->sealed ? slot : "");
    put_setting(&t, "synchronous_standby_names", names);
    return finish(&t);
}

/* A member's lines for one of its addresses; a name where the cluster file has one for PostgreSQL. */
static void put_member(struct text *t, const char *host)
{
    const char *mask = strchr(host, ':') ? "/128" : strspn(host, "0123456789.") == strlen(host) ? "/32" : "";
    put(t, "host replication pgmesh_replication %s%s scram-sha-256\n", host, mask);
    put(t, "host postgres pgmesh_rewind %s%s scram-sha-256\n", host, mask);
}

static void put_members(struct text *t, const struct hand_member *members, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool listed = !members[i].pg.host[0];
        for (unsigned k = 0; k < members[i].n_mesh; k++) {
            put_member(t, members[i].mesh[k].host);
            listed = listed || strcmp(members[i].mesh[k].host, members[i].pg.host) == 0;
        }
        if (!listed)
            put_member(t, members[i].pg.host);
    }
}

static bool names_own_role(const char *line)
{
    return strstr(line, "pgmesh_replication") || strstr(line, "pgmesh_rewind");
}

size_t pg_config_hba(char *out, size_t size, const struct config *c, const struct hand_member *members,
                     size_t n_members, const char *adopted)
{
    struct text t = {out, size, 0};
    put(&t,
        "# Written by pgmesh before every start: what is edited here is lost.  Lines belong into node.conf, as\n"
        "# pg_hba = LINE.\n"
        "local all %s peer\n"
        "local all pgmesh peer map=pgmesh\n"
        "local replication pgmesh_replication peer map=pgmesh\n",
        c->user);
    put_members(&t, members, n_members);
    put(&t, "host postgres pgmesh_observer all scram-sha-256\n"
            "local postgres pgmesh_observer scram-sha-256\n");
    for (unsigned i = 0; i < c->n_hba; i++)
        if (names_own_role(c->hba[i]))
            put(&t, "%s\n", c->hba[i]);
    put(&t, "local all pgmesh,pgmesh_replication,pgmesh_rewind,pgmesh_observer reject\n"
            "host all pgmesh,pgmesh_replication,pgmesh_rewind,pgmesh_observer all reject\n"
            "\n# from node.conf\n");
    for (unsigned i = 0; i < c->n_hba; i++)
        if (!names_own_role(c->hba[i]))
            put(&t, "%s\n", c->hba[i]);
    if (adopted)
        put(&t, "\n# the adopted directory's pg_hba.conf\n%s\n", adopted);
    return finish(&t);
}

size_t pg_config_ident(char *out, size_t size, const struct config *c, const char *adopted)
{
    static const char *const roles[] = {"pgmesh", "pgmesh_replication"};
    struct text t = {out, size, 0};
    put(&t, "# Written by pgmesh before every start: what is edited here is lost.\n");
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        put(&t, "pgmesh root %s\npgmesh \"%s\" %s\n", roles[i], c->user, roles[i]);
    if (adopted)
        put(&t, "\n# the directory's pg_ident.conf\n%s\n", adopted);
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
        if (config_owns(name) || strcasecmp(name, "restore_command") == 0)
            (*removed)++;
        else
            put(&t, "%.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    return t.used;
}
