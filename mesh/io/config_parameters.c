/* config_parameters.c: which of PostgreSQL's parameters may be set by pg.NAME = VALUE. */
#include <string.h>
#include <strings.h>

#include "mesh/io/config.h"

static const char *const OWNED[] = {"config_file",
                                    "data_directory",
                                    "hba_file",
                                    "ident_file",
                                    "listen_addresses",
                                    "port",
                                    "unix_socket_directories",
                                    "primary_conninfo",
                                    "primary_slot_name",
                                    "synchronous_standby_names",
                                    "promote_trigger_file",
                                    "hot_standby",
                                    "recovery_target",
                                    "recovery_target_action",
                                    "recovery_target_inclusive",
                                    "recovery_target_lsn",
                                    "recovery_target_name",
                                    "recovery_target_time",
                                    "recovery_target_timeline",
                                    "recovery_target_xid",
                                    "recovery_min_apply_delay",
                                    "restart_after_crash",
                                    "wal_log_hints",
                                    "wal_retrieve_retry_interval",
                                    "wal_receiver_timeout",
                                    "wal_sender_timeout",
                                    "data_sync_retry",
                                    "fsync",
                                    "full_page_writes",
                                    NULL};

bool config_owns(const char *parameter)
{
    for (const char *const *p = OWNED; *p; p++)
        if (strcasecmp(*p, parameter) == 0)
            return true;
    return false;
}

bool config_check_parameters(const struct config *c, struct problem *err)
{
    for (unsigned i = 0; i < c->n_parameters; i++) {
        const char *name = c->parameters[i].name;
        if (config_owns(name)) {
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
