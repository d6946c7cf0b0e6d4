/* config.h: node.conf: `key = value`, one per line, '#' comments, values may be quoted '...' ('' is one quote).
 *
 * ONE option table (config_options) feeds the parser, --help, the sample file and the manual.  An unknown option, a
 * wrong type, a value out of range or an option set twice is an error with file:line.  Times take ms, s, min.
 * Relative paths are relative to the file's folder; in struct config every path is complete.
 * struct config is plain data of fixed size (about 70 kB): keep it static or on the heap. */
#ifndef PGMESH_MESH_IO_CONFIG_H
#define PGMESH_MESH_IO_CONFIG_H

#include "mesh/core.h"
#include "mesh/io/address.h"
#include "mesh/io/file.h"
#include "mesh/io/problem.h"

enum {
    CONFIG_HBA_MAX = 64,
    CONFIG_HBA_SIZE = 256,
    CONFIG_PARAMETERS_MAX = 96,
    CONFIG_PARAMETER_NAME_SIZE = 64,
    CONFIG_PARAMETER_SIZE = 448,
    CONFIG_TEXT_SIZE = 128
};

enum config_log_level { CONFIG_LOG_DEBUG, CONFIG_LOG_INFO, CONFIG_LOG_WARNING, CONFIG_LOG_ERROR };
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
enum config_profile {
    CONFIG_PROFILE_STRICT,
    CONFIG_PROFILE_STANDARD,
    CONFIG_PROFILE_RELAXED,
    CONFIG_PROFILE_OBSERVE_ONLY
};
enum config_bootstrap { CONFIG_BOOTSTRAP_INITDB, CONFIG_BOOTSTRAP_ADOPT };

enum config_http_read { CONFIG_HTTP_READ_OPEN, CONFIG_HTTP_READ_TOKEN };

struct config_parameter {
    char name[CONFIG_PARAMETER_NAME_SIZE];
    char value[CONFIG_PARAMETER_SIZE];
};

struct config {
    char file[FILE_PATH_SIZE];   /* as loaded */
    char folder[FILE_PATH_SIZE]; /* the folder it lies in */

    /* every member */
    char member[NAME_SIZE];
    char cluster_file[FILE_PATH_SIZE], key_file[FILE_PATH_SIZE], state_dir[FILE_PATH_SIZE],
        control_socket[FILE_PATH_SIZE];
    uint8_t n_listen; /* 0: the member's own addresses in the cluster file */
    struct address listen[ADDRESSES_MAX];
    enum config_log_level log_level;
    enum config_log_format log_format;
    bool realtime;
    enum config_profile profile; /* whose defaults stand where a file says nothing */

    /* databases and observers */
    char data_dir[FILE_PATH_SIZE], bin_dir[FILE_PATH_SIZE],
        socket_dir[FILE_PATH_SIZE]; /* data_dir "": not set */
    char pg_listen[CONFIG_TEXT_SIZE];
    uint16_t pg_port;
    char user[NAME_SIZE];
    char pg_pass_file[FILE_PATH_SIZE];
    enum config_bootstrap bootstrap;
    uint8_t n_hba;
    char hba[CONFIG_HBA_MAX][CONFIG_HBA_SIZE]; /* pg_hba.conf lines, in order */
    uint8_t n_parameters;
    struct config_parameter parameters[CONFIG_PARAMETERS_MAX]; /* pg.NAME = VALUE, unquoted */
    char cgroup[FILE_PATH_SIZE];                               /* "auto", "none" or a path */
    char watchdog[FILE_PATH_SIZE];                             /* "": none */

    /* pgmesh-http; the member itself passes over these */
    uint8_t n_http_listen;
    struct address http_listen[ADDRESSES_MAX];
    char http_tls_cert[FILE_PATH_SIZE], http_tls_key[FILE_PATH_SIZE]; /* "": without TLS */
    char http_client_ca[FILE_PATH_SIZE];                              /* "": no client certificates */
    char http_tokens[FILE_PATH_SIZE], http_operator_key[FILE_PATH_SIZE],
        webhooks[FILE_PATH_SIZE]; /* "": none */
    enum config_http_read http_read;
    char http_user[NAME_SIZE];
    uint16_t http_max_connections;
    /* routes and hooks */
    char route_file[FILE_PATH_SIZE];
    char route_pgbouncer[CONFIG_TEXT_SIZE];           /* conninfo of the admin console; "": no pooler */
    char route_pgbouncer_file[FILE_PATH_SIZE];        /* its %include'd [databases] */
    char route_pgbouncer_databases[CONFIG_TEXT_SIZE]; /* NAME[,NAME...] */
    char hook[FILE_PATH_SIZE];                        /* "": none */
    char hook_user[NAME_SIZE];                        /* "": `user` when started as root, else ourselves */
    uint32_t hook_timeout_ms;

    /* decisions */
    struct core_settings core;
};

enum config_type {
    CONFIG_NAME,
    CONFIG_TEXT,
    CONFIG_PATH,
    CONFIG_INTEGER,
    CONFIG_TIME,
    CONFIG_BOOL,
    CONFIG_CHOICE,
    CONFIG_ADDRESSES,
    CONFIG_HBA,
    CONFIG_PARAMETERS
};
struct config_option {
    const char *name;
    enum config_type type;
    size_t offset, size;
    const char *fallback; /* as one would write it; "" is unset, NULL is required */
    int64_t min, max;     /* INTEGER, TIME (in ms) */
    const char *choices;  /* CHOICE: "auto|failover|restart", in the order of the enum */
    const char *group;    /* heading in --help and in the sample */
    const char *help;     /* one line */
};
extern const struct config_option config_options[];
extern const size_t config_options_n;

/* Every option at its default. */
void config_default(struct config *c);
/* Reads and checks the file by itself; what needs the cluster file is checked by config_check_cluster(). */
bool config_load(const char *path, struct config *c, struct problem *err);
/* The same from memory; `path` names file and folder. */
bool config_parse(const char *text, size_t n, const char *path, struct config *c, struct problem *err);

struct cluster;
/* Is the member in the roster, with a role that this configuration can serve (a database needs data_dir and pg=),
 * with timings that the record allows? */
bool config_check_cluster(const struct config *c, const struct cluster *cluster, struct problem *err);

/* Does pgmesh decide this parameter of PostgreSQL's alone? */
bool config_owns(const char *parameter);
/* Refuses pg.NAME = VALUE where pgmesh owns NAME, or where PostgreSQL could not serve with it.  Part of
 * config_check_cluster() for databases: daemons and "pgmesh config check" refuse the same. */
bool config_check_parameters(const struct config *c, struct problem *err);

/* The option table for people: name, default, meaning, grouped. */
void config_print_help(FILE *out);
/* A commented sample file; the options in `set` stand there as set, all others commented out at their default.
 * `init` writes node.conf with it.  Values are quoted where they need to be. */
struct config_value {
    const char *name, *value;
};
void config_print_sample(FILE *out, const struct config_value *set, size_t n);
/* The value of an option as one would write it: the time with its unit, paths complete; "" where it is not set.  Not for
 * HBA and PARAMETERS, which have many. */
enum { CONFIG_SHOWN_SIZE = FILE_PATH_SIZE + ADDRESSES_MAX * 64 };
const char *config_show(const struct config *c, const struct config_option *o,
                        char out[static CONFIG_SHOWN_SIZE]);
/* The nearest known option, or NULL; for did-you-mean. */
const char *config_nearest(const char *name);

#endif
