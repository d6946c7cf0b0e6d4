/* lint.c: see lint.h. */
#define _GNU_SOURCE
#include "mesh/inspect/lint.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

// clang-format off
static const struct lint lints[] = {
    /* PostgreSQL: removed or renamed */
    {"wal_keep_segments", "PostgreSQL up to 12", "Since PostgreSQL 13 it is wal_keep_size, in megabytes (16 for each segment). pgmesh keeps slots as well.", true},
    {"checkpoint_segments", "PostgreSQL up to 9.4", "Since PostgreSQL 9.5 it is max_wal_size.", true},
    {"standby_mode", "recovery.conf of PostgreSQL up to 11", "There is no recovery.conf any more: a standby has the file standby.signal, and pgmesh makes and removes it.", true},
    {"trigger_file", "recovery.conf of PostgreSQL up to 11", "pgmesh promotes, and nothing else may: a promotion by a file is one that the others did not agree to.", true},
    {"promote_trigger_file", "PostgreSQL 12 to 15", "pgmesh promotes, and nothing else may: leave it out.", true},
    {"recovery_target_timeline", "PostgreSQL", "pgmesh follows the timeline that the record names: leave it out (latest).", true},
    {"recovery.conf", "PostgreSQL up to 11", "PostgreSQL 12 and later refuses to start beside a recovery.conf. Its settings belong into postgresql.conf, those of a standby to pgmesh.", true},
    {"vacuum_defer_cleanup_age", "PostgreSQL up to 15", "Gone in PostgreSQL 16: hot_standby_feedback = on serves the purpose.", false},
    {"old_snapshot_threshold", "PostgreSQL up to 16", "Gone in PostgreSQL 17.", false},
    {"max_wal_senders_per_standby", "nobody", "There is no such setting: max_wal_senders is meant.", true},
    /* PostgreSQL: pgmesh sets these itself */
    {"primary_conninfo", "PostgreSQL", "pgmesh writes it for whoever is the primary: leave it out.", true},
    {"primary_slot_name", "PostgreSQL", "pgmesh writes it: leave it out.", true},
    {"synchronous_standby_names", "PostgreSQL", "pgmesh writes it, by the durability of the cluster and sync_standbys: leave it out.", true},
    {"recovery_min_apply_delay", "PostgreSQL", "pgmesh refuses it: a delayed standby could never be promoted in time.", true},
    /* pg_auto_failover, Patroni, repmgr, keepalived and home-made managers */
    {"pgaf.", "no program", "There are no settings of that name; PostgreSQL takes any with a dot in it and does nothing. pgmesh decides: see \"pgmesh config sample\".", false},
    {"pg_auto_failover.", "pg_auto_failover", "pgmesh has no monitor: every voter decides. lease takes the place of its health check timeouts.", false},
    {"pgautofailover.", "pg_auto_failover", "pgmesh has no monitor: every voter decides. lease takes the place of its health check timeouts.", false},
    {"ttl", "Patroni", "The lease: lease = 600ms (Patroni's 30 s is its time to live in etcd, which pgmesh does not need).", false},
    {"loop_wait", "Patroni", "Nothing: heartbeats follow from the lease.", false},
    {"retry_timeout", "Patroni", "Nothing: there is no other store to wait for. answer_timeout is about PostgreSQL itself.", false},
    {"maximum_lag_on_failover", "Patroni", "Nothing: seals prove that no acknowledged commit is missing, and lag alone deposes nobody.", false},
    {"maximum_lag_on_syncnode", "Patroni", "standby_timeout: a standby that does not keep up leaves the sync set.", false},
    {"master_start_timeout", "Patroni", "start_timeout.", false},
    {"primary_start_timeout", "Patroni", "start_timeout.", false},
    {"synchronous_mode", "Patroni", "The cluster's durability: pgmesh init --durability sync.", false},
    {"synchronous_mode_strict", "Patroni", "The cluster's durability: pgmesh init --durability strict.", false},
    {"synchronous_node_count", "Patroni", "sync_standbys.", false},
    {"nofailover", "Patroni", "candidate = off.", false},
    {"failover_priority", "Patroni", "priority.", false},
    {"noloadbalance", "Patroni", "Nothing: routing of reads is the proxy's.", false},
    {"use_pg_rewind", "Patroni", "Nothing: a former primary is rewound where it can be, else cloned.", false},
    {"node_id", "repmgr", "member = NAME: the cluster file gives the number.", false},
    {"node_name", "repmgr", "member = NAME.", false},
    {"conninfo", "repmgr", "Nothing: addresses stand in the cluster file, passwords in pg.pass.", false},
    {"promote_command", "repmgr", "Nothing: pgmesh promotes by itself.", false},
    {"follow_command", "repmgr", "Nothing: pgmesh lets the others follow by itself.", false},
    {"failover", "repmgr and scripts", "observe_only = on says what would be done and does nothing; otherwise failover is automatic.", false},
    {"auto_failover", "scripts", "observe_only = on says what would be done and does nothing; otherwise failover is automatic.", false},
    {"monitoring_history", "repmgr", "\"pgmesh history\" and state/journal keep it.", false},
    {"reconnect_attempts", "repmgr", "lease: a primary that is not heard for a lease is judged by a quorum.", false},
    {"reconnect_interval", "repmgr", "lease: a primary that is not heard for a lease is judged by a quorum.", false},
    {"check_interval", "scripts", "lease: heartbeats go out each sixth of it.", false},
    {"max_lag", "scripts", "Nothing: lag deposes nobody. \"pgmesh ready\" and the metrics tell it.", false},
    {"etcd", "Patroni", "pgmesh needs no store beside itself: witnesses vote.", false},
    {"zookeeper", "Patroni", "pgmesh needs no store beside itself: witnesses vote.", false},
    {"consul", "Patroni", "pgmesh needs no store beside itself: witnesses vote.", false},
};
// clang-format on

const struct lint *lint_find(const char *name)
{
    if (strncmp(name, "pg.", 3) == 0)
        name += 3;
    for (size_t i = 0; i < sizeof lints / sizeof *lints; i++) {
        size_t n = strlen(lints[i].name);
        bool prefix = lints[i].name[n - 1] == '.';
        if (prefix ? strncasecmp(name, lints[i].name, n) == 0 : strcasecmp(name, lints[i].name) == 0)
            return &lints[i];
    }
    return NULL;
}

bool lint_foreign(const char *file)
{
    static const char *const names[] = {"postgresql.conf", "postgresql.auto.conf", "recovery.conf",
                                        "repmgr.conf"};
    const char *base = strrchr(file, '/') == NULL ? file : strrchr(file, '/') + 1, *dot = strrchr(base, '.');
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(base, names[i]) == 0)
            return true;
    return dot != NULL && (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static void add(json_t *list, int line, const char *name, const struct lint *l)
{
    json_array_append_new(list, json_pack("{s:i,s:s,s:o,s:s,s:b}", "line", line, "name", name, "message",
                                          json_sprintf("\"%s\" is a setting of %s", name, l->where), "hint",
                                          l->instead, "fatal", l->fatal));
}

json_t *lint_file(const char *file)
{
    const char *base = strrchr(file, '/') == NULL ? file : strrchr(file, '/') + 1;
    char line[1024], name[64];
    FILE *f = fopen(file, "re");
    json_t *list = json_array();
    if (f == NULL) {
        json_decref(list);
        return NULL;
    }
    if (strcmp(base, "recovery.conf") == 0)
        add(list, 0, "recovery.conf", lint_find("recovery.conf"));
    for (int number = 1; fgets(line, sizeof line, f) != NULL; number++) {
        const char *s = line + strspn(line, " \t-");
        size_t n = 0;
        while (n + 1 < sizeof name && (isalnum((unsigned char)s[n]) || s[n] == '_' || s[n] == '.'))
            n++;
        snprintf(name, sizeof name, "%.*s", (int)n, s);
        s += n + strspn(s + n, " \t");
        const struct lint *l = n == 0 || strchr("=:' \t", *s) == NULL ? NULL : lint_find(name);
        if (l != NULL)
            add(list, number, name, l);
    }
    fclose(f);
    return list;
}
