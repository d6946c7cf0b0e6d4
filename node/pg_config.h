/* pg_config.h: PostgreSQL's configuration as pgmesh owns it.
 *
 * The server is started with config_file = DATA/pgmesh.conf: pgmesh's defaults, the directory's own postgresql.conf, the
 * user's pg.* parameters, and last what pgmesh owns.  pgmesh.conf, pgmesh_hba.conf, pgmesh_ident.conf and
 * pgmesh.pass are written anew before every start, because pg_basebackup and pg_rewind bring those of another member;
 * owned names are taken out of postgresql.auto.conf, which PostgreSQL reads after everything else.
 *
 * Who gets in as one of pgmesh's own roles:
 *
 *   the agent        over the socket, as whom the operating system says it is (peer): a handshake with a password each
 *                    second would cost more than everything else that it does
 *   other members    by password, from the addresses that the cluster file gives them; lines of the user's pg_hba that
 *                    name pgmesh_replication or pgmesh_rewind may allow more (a translated address, a barman)
 *   observers        by password, from anywhere: all they may do is ask
 *   anybody else     not at all, whatever the user's lines say
 *
 * A standby always has a synchronous_standby_names that nobody bears: the checkpointer learns of a change from empty to
 * set only when it gets to it, and commits on a new primary must wait from the first one on. */
#ifndef PGMESH_NODE_PG_CONFIG_H
#define PGMESH_NODE_PG_CONFIG_H

#include "mesh/io/config.h"
#include "policy/record.h"

struct hand_member;

enum { PG_CONFIG_TEXT = 96 * 1024, PG_NAMES_SIZE = 1024, PG_APPLICATION_SIZE = 64 };
#define PG_NOBODY "pgmesh_nobody"

/* Parameters that a standby must not have below its primary's: it would not start, or stop replaying. */
enum pg_least {
    LEAST_CONNECTIONS,
    LEAST_WORKER_PROCESSES,
    LEAST_WAL_SENDERS,
    LEAST_PREPARED,
    LEAST_LOCKS,
    LEAST_COUNT
};

/* What of it changes while a server lives. */
struct pg_config_state {
    bool sealed;                        /* no upstream, no restore_command, quick retries */
    bool slow;                          /* sealed for long: slow retries, each of which PostgreSQL logs */
    bool nobody;                        /* synchronous_standby_names = a name that nobody bears */
    struct sync_set sync;               /* unless nobody */
    const struct hand_member *upstream; /* NULL: none */
    dir_id dir;                         /* own, part of application_name */
    uint32_t least[LEAST_COUNT];        /* set over whatever is configured; 0: as configured */
};

/* "pgmesh_NAME_DIR16": how a standby is known to its primary. */
void pg_config_application(char out[static PG_APPLICATION_SIZE], const char *member, dir_id dir);
/* The reverse; false when it is not such a name. */
bool pg_config_parse_application(const char *text, char member[static NAME_SIZE], dir_id *dir);
/* The replication slot of a member. */
void pg_config_slot(char out[static PG_APPLICATION_SIZE], member_id id);

/* The value of synchronous_standby_names: 'ANY k ("..", "..")', or "" for the empty set. */
bool pg_config_names(char out[static PG_NAMES_SIZE], const struct pg_config_state *s,
                     const struct hand_member *members, size_t n);

/* The text of pgmesh.conf; its length, or 0 when it does not fit. */
size_t pg_config_text(char *out, size_t size, const struct config *c, member_id self,
                      const struct pg_config_state *s, const struct hand_member *members, size_t n_members);
/* "NAME=VALUE" of a parameter in s->least, for the command line, which alone counts more than ALTER SYSTEM; false: as
 * configured. */
bool pg_config_least(char *out, size_t size, const struct pg_config_state *s, enum pg_least which);
/* The text of pgmesh_hba.conf; `adopted`: the lines of the directory's own pg_hba.conf, or NULL. */
size_t pg_config_hba(char *out, size_t size, const struct config *c, const struct hand_member *members,
                     size_t n_members, const char *adopted);
/* The text of pgmesh_ident.conf: the agent's user may be pgmesh's roles. */
size_t pg_config_ident(char *out, size_t size, const struct config *c, const char *adopted);
/* Copies postgresql.auto.conf without the lines that set owned parameters; *removed counts them. */
size_t pg_config_strip(char *out, size_t size, const char *text, int *removed);

struct hand;
/* Writes all files for the next start, or pgmesh.conf alone for a running server (which then wants SIGHUP). */
bool pg_config_write_all(struct hand *h, const struct pg_config_state *s, struct problem *err);
bool pg_config_write(struct hand *h, const struct pg_config_state *s, struct problem *err);
/* pgmesh_hba.conf alone: the members are others than at the start. */
bool pg_config_write_hba(struct hand *h, struct problem *err);

#endif
