#include "node/pg_roles.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/hand_state.h"
#include "node/pg_process.h"
#include "node/pg_run.h"

enum { SQL_SIZE = 16384, PASSWORD_SIZE = 256 };

/* ---- the directory ------------------------------------------------------------------------------------------------------ */

enum pg_outcome pg_roles_initdb(struct hand *h)
{
    char fresh[FILE_PATH_SIZE + 8];
    snprintf(fresh, sizeof fresh, "%s.new", h->config->data_dir);
    hand_phase(h, PG_BUSY);
    hand_progress(h, PG_GOAL_RUNNING, "initdb");
    pg_process_remove_tree(fresh);
    static struct pg_run run; /* the worker's alone */
    run = (struct pg_run){.program = "initdb",
                          .in_fence = true,
                          .args = {"-D", fresh, "-U", h->config->user, "--data-checksums",
                                   "--auth-local=peer", "--auth-host=scram-sha-256", "--no-sync", "-E",
                                   "UTF8", "--locale=C.UTF-8", NULL}};
    bool ok = mkdir(fresh, 0700) == 0 && (!h->drop || chown(fresh, h->uid, h->gid) == 0);
    if (!ok) {
        int error = errno;
        pg_process_look(h);
        return pg_act_fail(h, "could not make \"%.40s\": %s", fresh, strerror(error));
    }
    int status = pg_run(h, &run);
    if (status != 0) {
        pg_process_remove_tree(fresh);
        pg_process_look(h);
        return run.interrupted ? OUTCOME_AGAIN : pg_act_fail(h, "initdb: %.80s", pg_run_last_line(&run));
    }
    /* rename() replaces an empty directory and refuses any other: data of somebody else stay. */
    if (!pg_process_sync_tree(fresh) || !pg_process_note(h, "initialised", "1\n") ||
        !pg_process_note(h, "owes_roles", "1\n") || rename(fresh, h->config->data_dir) < 0) {
        int error = errno;
        pg_process_look(h);
        return pg_act_fail(h, "could not rename \"%.40s\": %s", fresh, strerror(error));
    }
    pg_process_look(h);
    return OUTCOME_AGAIN;
}

enum pg_outcome pg_roles_adopt(struct hand *h)
{
    char text[16];
    if (pg_process_noted(h, "initialised", text, sizeof text))
        return OUTCOME_REACHED;
    if (h->config->bootstrap != CONFIG_BOOTSTRAP_ADOPT)
        return pg_act_fail(h, "the data directory is not empty (bootstrap=adopt takes it over)");
    struct pg_control control;
    if (pg_process_control(h, &control, NULL) && control.standby)
        return pg_act_fail(h, "the directory to adopt is a standby's");
    pid_t foreign = pg_process_foreign(h);
    if (!foreign)
        return pg_process_note(h, "owes_roles", "1\n") ? OUTCOME_REACHED
                                                       : pg_act_fail(h, "could not write into state_dir");
    if (!pg_process_stop_foreign(h, foreign))
        return atomic_load(&h->interrupt)
                   ? OUTCOME_AGAIN
                   : pg_act_fail(h, "could not stop process %d, which runs on the directory", (int)foreign);
    pg_process_look(h);
    return OUTCOME_AGAIN;
}

/* ---- the roles ------------------------------------------------------------------------------------------------------------ */

/* The password of a role in a passfile: "*:*:*:ROLE:PASSWORD", with \: and \\. */
static bool password_of(const char *text, const char *role, char out[static PASSWORD_SIZE])
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *p = line;
        for (int field = 0; field < 3 && p; field++) {
            p = memchr(p, ':', strcspn(p, "\n"));
            p = p ? p + 1 : NULL;
        }
        size_t n = strlen(role), used = 0;
        if (!p || strncmp(p, role, n) != 0 || p[n] != ':')
            continue;
        for (p += n + 1; *p && *p != '\n' && used < PASSWORD_SIZE - 1; p++) {
            if (*p == '\\' && p[1] && p[1] != '\n')
                p++;
            out[used++] = *p;
        }
        out[used] = '\0';
        return used > 0;
    }
    return false;
}

struct sql {
    char *text;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct sql *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(s->text + s->used, SQL_SIZE - s->used, fmt, args);
    va_end(args);
    if (n > 0 && (size_t)n < SQL_SIZE - s->used)
        s->used += (size_t)n;
}

static void put_role(struct sql *s, const char *role, const char *attributes, const char *password)
{
    put(s,
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%s') THEN CREATE ROLE %s; END IF; END $$;\n"
        "ALTER ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE %s PASSWORD '",
        role, role, role, attributes);
    for (const char *p = password; *p; p++)
        put(s, *p == '\'' ? "''" : "%c", *p);
    put(s, "';\n");
}

static const char GRANTS[] =
    "GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO pgmesh;\n"
    "GRANT EXECUTE ON FUNCTION pg_promote(boolean, integer), pg_wal_replay_resume(), pg_switch_wal() TO pgmesh;\n"
    "GRANT pg_checkpoint TO pgmesh_rewind;\n"
    "GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),"
    " pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO pgmesh_rewind;\n";

static bool write_sql(struct hand *h, struct sql *s, struct problem *err)
{
    static const struct {
        const char *role, *attributes;
    } roles[] = {{"pgmesh", "NOREPLICATION"},
                 {"pgmesh_replication", "REPLICATION"},
                 {"pgmesh_rewind", "NOREPLICATION"},
                 {"pgmesh_observer", "NOREPLICATION"}};
    char password[PASSWORD_SIZE];
    size_t n;
    char *pass = file_read(h->config->pg_pass_file, FILE_SECRET | FILE_TEXT, 65536, &n, err);
    if (!pass)
        return false;
    put(s,
        "SET synchronous_commit = local;\nSET password_encryption = 'scram-sha-256';\nSET log_statement = none;\n"
        "SET log_min_duration_statement = -1;\nSET log_min_error_statement = panic;\n"
        "SET log_min_duration_sample = -1;\nSET log_transaction_sample_rate = 0;\n"
        "SET pg_stat_statements.track = none;\n" /* it keeps the text of ALTER ROLE, whether it is loaded or not now */
        "SET standard_conforming_strings = on;\nBEGIN;\n");
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (!password_of(pass, roles[i].role, password)) {
            free(pass);
            return problem_fact(err, "pg.pass has no line for %s", roles[i].role);
        }
        put_role(s, roles[i].role, roles[i].attributes, password);
    }
    put(s, "%sCOMMIT;\n", GRANTS);
    explicit_bzero(password, sizeof password);
    explicit_bzero(pass, n);
    free(pass);
    return s->used < SQL_SIZE - 1;
}

bool pg_roles_ensure(struct hand *h, struct problem *err)
{
    char text[16], port[8];
    if (!pg_process_noted(h, "owes_roles", text, sizeof text))
        return true;
    struct sql s = {calloc(1, SQL_SIZE), 0};
    if (!s.text)
        return problem_fact(err, "out of memory");
    static struct pg_run run; /* the worker's alone */
    snprintf(port, sizeof port, "%u", h->config->pg_port);
    run = (struct pg_run){.program = "psql",
                          .input = s.text,
                          .args = {"-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", h->config->socket_dir, "-p",
                                   port, "-U", h->config->user, "-d", "postgres", "-f", "-", NULL}};
    bool ok = write_sql(h, &s, err);
    if (ok && pg_run(h, &run) != 0)
        ok = problem_fact(err, "could not make roles: %s", pg_run_last_line(&run));
    explicit_bzero(s.text, SQL_SIZE);
    free(s.text);
    return ok && pg_process_note(h, "owes_roles", NULL);
}
