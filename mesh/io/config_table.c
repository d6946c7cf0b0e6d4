/* config_table.c: the one option table, and how it is shown to people. */
#define _GNU_SOURCE
#include "mesh/io/config_table.h"

#include "mesh/io/config.h"

#include <string.h>

#define AT(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)
#define MEMBER    "The member"
#define PG        "PostgreSQL (databases; observers: pg_pass_file)"
#define FENCE     "Fencing (databases)"
#define ROUTE     "Routes and hooks (docs/routing.md)"
#define DECIDE    "Decisions"
#define HTTP      "HTTP (pgmesh-http)"

// clang-format off
const struct config_option config_options[] = {
    {"member", CONFIG_NAME, AT(member), NULL, 0, 0, NULL, MEMBER, "this member's name in the cluster file"},
    {"cluster_file", CONFIG_PATH, AT(cluster_file), "cluster", 0, 0, NULL, MEMBER, "who belongs to the cluster; public"},
    {"key_file", CONFIG_PATH, AT(key_file), "member.key", 0, 0, NULL, MEMBER, "this member's secret key; mode 0600"},
    {"state_dir", CONFIG_PATH, AT(state_dir), "state", 0, 0, NULL, MEMBER, "votes and journal; survives restarts and is never copied"},
    {"control_socket", CONFIG_PATH, AT(control_socket), "state/control.sock", 0, 0, NULL, MEMBER, "where the pgmesh command asks"},
    {"listen", CONFIG_ADDRESSES, AT(listen), "", 0, 0, NULL, MEMBER, "ADDRESS:PORT[,...] to bind; default: the member's mesh= addresses"},
    {"log_level", CONFIG_CHOICE, AT(log_level), "info", 0, 0, "debug|info|warning|error", MEMBER, "the least level that is logged"},
    {"log_format", CONFIG_CHOICE, AT(log_format), "text", 0, 0, "text|json", MEMBER, "json: one object per line, Elastic Common Schema names"},
    {"realtime", CONFIG_BOOL, AT(realtime), "on", 0, 0, NULL, MEMBER, "real-time priority and locked memory, where allowed"},

    {"data_dir", CONFIG_PATH, AT(data_dir), "", 0, 0, NULL, PG, "the data directory; required for a database"},
    {"bin_dir", CONFIG_PATH, AT(bin_dir), "/usr/lib/postgresql/15/bin", 0, 0, NULL, PG, "where postgres and pg_ctl are"},
    {"socket_dir", CONFIG_PATH, AT(socket_dir), "/var/run/postgresql", 0, 0, NULL, PG, "unix_socket_directories"},
    {"pg_listen", CONFIG_TEXT, AT(pg_listen), "*", 0, 0, NULL, PG, "listen_addresses"},
    {"pg_port", CONFIG_INTEGER, AT(pg_port), "5432", 1, 65535, NULL, PG, "port"},
    {"user", CONFIG_NAME, AT(user), "postgres", 0, 0, NULL, PG, "the system user that runs PostgreSQL, when started as root"},
    {"pg_pass_file", CONFIG_PATH, AT(pg_pass_file), "pg.pass", 0, 0, NULL, PG, "passwords of pgmesh's own roles, as a libpq passfile; mode 0600"},
    {"bootstrap", CONFIG_CHOICE, AT(bootstrap), "initdb", 0, 0, "initdb|adopt", PG, "adopt: the first primary already has its data"},
    {"pg_hba", CONFIG_HBA, AT(hba), "", 0, 0, NULL, PG, "one line of pg_hba.conf; may be repeated"},
    {"pg.", CONFIG_PARAMETERS, AT(parameters), "", 0, 0, NULL, PG, "pg.NAME = VALUE sets the PostgreSQL parameter NAME; may be repeated"},

    {"cgroup", CONFIG_PATH, AT(cgroup), "auto", 0, 0, "auto|none", FENCE, "auto: a child of our own cgroup; none: signals only; or a cgroup v2 path"},
    {"watchdog", CONFIG_PATH, AT(watchdog), "", 0, 0, NULL, FENCE, "a device such as /dev/watchdog that resets a host that hangs"},
    {"fence", CONFIG_TIME, AT(core.fence_ms), "100ms", 10, 10000, NULL, FENCE, "time to stop PostgreSQL for certain, part of the lease's margin"},

    {"http_listen", CONFIG_ADDRESSES, AT(http_listen), "127.0.0.1:8008", 0, 0, NULL, HTTP, "ADDRESS:PORT[,...] where pgmesh-http answers"},
    {"http_tls_cert", CONFIG_PATH, AT(http_tls_cert), "", 0, 0, NULL, HTTP, "certificate chain (PEM); with it, all of it is TLS"},
    {"http_tls_key", CONFIG_PATH, AT(http_tls_key), "", 0, 0, NULL, HTTP, "its key (PEM); mode 0600"},
    {"http_client_ca", CONFIG_PATH, AT(http_client_ca), "", 0, 0, NULL, HTTP, "authorities (PEM) whose client certificates stand for a token"},
    {"http_read", CONFIG_CHOICE, AT(http_read), "open", 0, 0, "open|token", HTTP, "token: whoever reads shows a token, too; health checks stay open"},
    {"http_tokens", CONFIG_PATH, AT(http_tokens), "", 0, 0, NULL, HTTP, "who may do what: lines NAME:ROLE:HASH or NAME:ROLE:cert; mode 0600"},
    {"http_operator_key", CONFIG_PATH, AT(http_operator_key), "", 0, 0, NULL, HTTP, "signs what is ordered over HTTP; without it nothing can be; mode 0600"},
    {"http_user", CONFIG_NAME, AT(http_user), "nobody", 0, 0, NULL, HTTP, "the system user that it becomes, when started as root"},
    {"http_max_connections", CONFIG_INTEGER, AT(http_max_connections), "256", 16, 4096, NULL, HTTP, "connections at a time; a newcomer pushes out the slowest"},
    {"webhooks", CONFIG_PATH, AT(webhooks), "", 0, 0, NULL, HTTP, "where events are posted: lines FORMAT URL [KEY]; mode 0600"},
    {"route_file", CONFIG_PATH, AT(route_file), "state/primary.conninfo", 0, 0, NULL, ROUTE, "observers: the primary as a libpq connection string; FILE.all: all databases"},
    {"route_pgbouncer", CONFIG_TEXT, AT(route_pgbouncer), "", 0, 0, NULL, ROUTE, "observers: connection string of PgBouncer's admin console; passwords from pg_pass_file"},
    {"route_pgbouncer_file", CONFIG_PATH, AT(route_pgbouncer_file), "", 0, 0, NULL, ROUTE, "the file with its [databases] that is written for it to %include"},
    {"route_pgbouncer_databases", CONFIG_TEXT, AT(route_pgbouncer_databases), "", 0, 0, NULL, ROUTE, "NAME[,NAME...]: entries NAME (primary) and NAME_ro (replicas) stand there"},
    {"replica_lag_kb", CONFIG_INTEGER, AT(core.replica_lag_kb), "16384", 64, 1073741824, NULL, ROUTE, "a standby whose replay is further behind is no replica for readers"},
    {"hook", CONFIG_PATH, AT(hook), "", 0, 0, NULL, ROUTE, "a program that is run on events, with JSON on its standard input"},
    {"hook_user", CONFIG_TEXT, AT(hook_user), "", 0, 0, NULL, ROUTE, "the system user that runs it; default: user, when started as root"},
    {"hook_timeout", CONFIG_TIME, AT(hook_timeout_ms), "10s", 100, 600000, NULL, ROUTE, "after so long it is killed with its process group"},

    {"profile", CONFIG_CHOICE, AT(profile), "standard", 0, 0, "strict|standard|relaxed|observe-only", DECIDE, "other defaults for what follows (docs/operating.md#profiles); the same on all members"},
    {"candidate", CONFIG_BOOL, AT(core.candidate), "on", 0, 0, NULL, DECIDE, "off: never becomes primary"},
    {"priority", CONFIG_INTEGER, AT(core.priority), "100", 0, 1000, NULL, DECIDE, "among equally good candidates the higher one wins"},
    {"observe_only", CONFIG_BOOL, AT(core.observe_only), "off", 0, 0, NULL, DECIDE, "say what would be done, never start a takeover"},
    {"on_crash", CONFIG_CHOICE, AT(core.on_crash), "auto", 0, 0, "auto|failover|restart", DECIDE, "when PostgreSQL dies on a living host"},
    {"lease", CONFIG_TIME, AT(core.lease_ms), "600ms", 200, 60000, NULL, DECIDE, "how long a primary serves unconfirmed; heartbeats go out each sixth of it, each twelfth when one is not answered"},
    {"boot_grace", CONFIG_TIME, AT(core.boot_grace_ms), "5s", 0, 600000, NULL, DECIDE, "after its start a voter judges no primary that it has not met for so long"},
    {"unfenced_max", CONFIG_TIME, AT(core.unfenced_max_ms), "6s", 0, 600000, NULL, DECIDE, "async: how long signs of life of the old primary delay a takeover"},
    {"stagger", CONFIG_TIME, AT(core.stagger_ms), "40ms", 0, 10000, NULL, DECIDE, "the next best candidate starts so much later"},
    {"seal_wait", CONFIG_TIME, AT(core.seal_wait_ms), "40ms", 0, 10000, NULL, DECIDE, "wait so long for a better candidate than those that suffice"},
    {"promote_timeout", CONFIG_TIME, AT(core.promote_timeout_ms), "60s", 1000, 3600000, NULL, DECIDE, "a promotion that takes longer is given up"},
    {"start_timeout", CONFIG_TIME, AT(core.start_timeout_ms), "5min", 1000, 86400000, NULL, DECIDE, "a start (crash recovery) that takes longer is given up"},
    {"answer_timeout", CONFIG_TIME, AT(core.answer_timeout_ms), "3s", 100, 600000, NULL, DECIDE, "a PostgreSQL that writes nothing for so long is failed over"},
    {"standby_timeout", CONFIG_TIME, AT(core.standby_timeout_ms), "1s", 100, 600000, NULL, DECIDE, "a standby gone for so long leaves the sync set"},
    {"switchover_timeout", CONFIG_TIME, AT(core.switchover_timeout_ms), "10s", 1000, 3600000, NULL, DECIDE, "a planned switchover that takes longer is undone"},
    {"sync_standbys", CONFIG_INTEGER, AT(core.sync_standbys), "1", 1, SYNC_MAX, NULL, DECIDE, "how many standbys confirm a commit (k), in sync and strict"},
};
// clang-format on
/* strict: a disk or a PostgreSQL that hangs is not waited for long, and readers get little lag. relaxed: busy hosts and thin links
 * are no reason to move; a crash is answered by a restart. */
const struct config_choice config_choices[] = {
    {CONFIG_PROFILE_STRICT, "answer_timeout", "2s"},
    {CONFIG_PROFILE_STRICT, "replica_lag_kb", "4096"},
    {CONFIG_PROFILE_RELAXED, "lease", "2s"},
    {CONFIG_PROFILE_RELAXED, "answer_timeout", "15s"},
    {CONFIG_PROFILE_RELAXED, "standby_timeout", "5s"},
    {CONFIG_PROFILE_RELAXED, "on_crash", "restart"},
    {CONFIG_PROFILE_RELAXED, "replica_lag_kb", "131072"},
    {CONFIG_PROFILE_OBSERVE_ONLY, "observe_only", "on"},
};
const size_t config_choices_n = sizeof config_choices / sizeof config_choices[0];

const size_t config_options_n = sizeof config_options / sizeof config_options[0];
_Static_assert(sizeof config_options / sizeof config_options[0] <= CONFIG_OPTIONS_MAX, "seen[] in config.c");

const char *config_print_time(char out[static 24], int64_t ms)
{
    if (ms > 0 && ms % 60000 == 0)
        snprintf(out, 24, "%lldmin", (long long)(ms / 60000));
    else if (ms > 0 && ms % 1000 == 0)
        snprintf(out, 24, "%llds", (long long)(ms / 1000));
    else
        snprintf(out, 24, "%lldms", (long long)ms);
    return out;
}

static const char *type_name(const struct config_option *o, char text[static 64])
{
    char min[24], max[24];
    switch (o->type) {
    case CONFIG_NAME: return "name";
    case CONFIG_TEXT: return "text";
    case CONFIG_PATH: return "path";
    case CONFIG_BOOL: return "on|off";
    case CONFIG_CHOICE: return o->choices;
    case CONFIG_ADDRESSES: return "addresses";
    case CONFIG_HBA: return "line";
    case CONFIG_PARAMETERS: return "value";
    case CONFIG_INTEGER: snprintf(text, 64, "%lld..%lld", (long long)o->min, (long long)o->max); return text;
    case CONFIG_TIME:
        snprintf(text, 64, "%s..%s", config_print_time(min, o->min), config_print_time(max, o->max));
        return text;
    }
    return "";
}

void config_print_help(FILE *out)
{
    const char *group = "";
    char type[64];
    fprintf(
        out,
        "Options of node.conf (key = value; times take ms, s, min; relative paths start at its folder):\n");
    for (const struct config_option *o = config_options; o < config_options + config_options_n; o++) {
        if (strcmp(group, o->group) != 0)
            fprintf(out, "\n%s\n", group = o->group);
        fprintf(out, "  %-18s %s", o->type == CONFIG_PARAMETERS ? "pg.NAME" : o->name, o->help);
        fprintf(out, " [%s", type_name(o, type));
        if (o->fallback == NULL)
            fprintf(out, "; required]\n");
        else
            fprintf(out, o->fallback[0] ? "; %s]\n" : "]\n", o->fallback);
    }
}

static void print_value(FILE *out, const char *value)
{
    bool plain =
        value[0] != '\0' && strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                          "_-./:,[]@%+*") == strlen(value);
    if (!plain)
        fputc('\'', out);
    for (const char *p = value; *p; p++) {
        if (*p == '\'')
            fputc('\'', out);
        fputc(*p, out);
    }
    fputs(plain ? "\n" : "'\n", out);
}

static bool option_named(const struct config_option *o, const char *name)
{
    return o->type == CONFIG_PARAMETERS ? strncmp(name, o->name, strlen(o->name)) == 0
                                        : strcmp(name, o->name) == 0;
}

void config_print_sample(FILE *out, const struct config_value *set, size_t n)
{
    const char *group = "";
    char type[64];
    fprintf(out, "# Configuration of one pgmesh member.  What stands behind a # is the default.\n");
    for (const struct config_option *o = config_options; o < config_options + config_options_n; o++) {
        bool given = false;
        if (strcmp(group, o->group) != 0)
            fprintf(out, "\n# ---- %s ----\n", group = o->group);
        fprintf(out, "\n# %s (%s)\n", o->help, type_name(o, type));
        for (size_t i = 0; i < n; i++) {
            if (!option_named(o, set[i].name))
                continue;
            given = true;
            fprintf(out, "%s = ", set[i].name);
            print_value(out, set[i].value);
        }
        if (!given) {
            fprintf(out, "#%s = ", o->type == CONFIG_PARAMETERS ? "pg.shared_buffers" : o->name);
            print_value(out, o->fallback ? o->fallback : "");
        }
    }
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static int64_t get_integer(const void *field, size_t size)
{
    switch (size) {
    case 1: return *(const uint8_t *)field;
    case 2: return *(const uint16_t *)field;
    case 4: return *(const uint32_t *)field;
    }
    return 0;
}

static void show_choice(const struct config_option *o, const void *field, char out[static CONFIG_SHOWN_SIZE])
{
    int choice;
    const char *p = o->choices;
    memcpy(&choice, field, sizeof choice);
    for (; choice > 0 && strchr(p, '|'); choice--)
        p = strchr(p, '|') + 1;
    snprintf(out, CONFIG_SHOWN_SIZE, "%.*s", (int)strcspn(p, "|"), p);
}

static void show_addresses(const struct config *c, const struct address *list,
                           char out[static CONFIG_SHOWN_SIZE])
{
    char one[ADDRESS_TEXT_SIZE];
    size_t used = 0;
    int n = list == c->listen ? c->n_listen : c->n_http_listen;
    out[0] = '\0';
    for (int i = 0; i < n && used < CONFIG_SHOWN_SIZE; i++)
        used += (size_t)snprintf(out + used, CONFIG_SHOWN_SIZE - used, "%s%s", i ? "," : "",
                                 address_print(one, &list[i]));
}

const char *config_show(const struct config *c, const struct config_option *o,
                        char out[static CONFIG_SHOWN_SIZE])
{
    const void *field = (const char *)c + o->offset;
    out[0] = '\0';
    switch (o->type) {
    case CONFIG_NAME:
    case CONFIG_TEXT:
    case CONFIG_PATH: snprintf(out, CONFIG_SHOWN_SIZE, "%s", (const char *)field); break;
    case CONFIG_BOOL: strcpy(out, *(const bool *)field ? "on" : "off"); break;
    case CONFIG_CHOICE: show_choice(o, field, out); break;
    case CONFIG_INTEGER:
        snprintf(out, CONFIG_SHOWN_SIZE, "%lld", (long long)get_integer(field, o->size));
        break;
    case CONFIG_TIME: config_print_time(out, get_integer(field, o->size)); break;
    case CONFIG_ADDRESSES: show_addresses(c, field, out); break;
    case CONFIG_HBA:
    case CONFIG_PARAMETERS: break;
    }
    return out;
}

/* Levenshtein's distance, on names of bounded length. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[33];
    size_t n = strlen(b);
    if (n > 32 || strlen(a) > 32)
        return 99;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            unsigned least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            row[j] = change < least + 1 ? change : least + 1;
        }
    }
    return row[n];
}

const char *config_nearest(const char *name)
{
    const char *best = NULL;
    unsigned least = (unsigned)strlen(name) / 3 + 1;
    for (size_t i = 0; i < config_options_n; i++) {
        unsigned d = distance(name, config_options[i].name);
        if (d < least || (d == least && best == NULL)) {
            least = d;
            best = config_options[i].name;
        }
    }
    return best;
}
