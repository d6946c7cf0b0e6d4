/* main.c: pgmesh-http, what one member knows, over HTTP: health checks, metrics, a page, and orders for who may.
 *
 *   parent   reads configuration and keys, binds the ports, then only dials the member's control socket (dial.h)
 *   child    becomes http_user and serves (server.h); knows keys and tokens, can open no file that matters */
#define _GNU_SOURCE
#include "mesh/http/client_cert.h"
#include "mesh/http/dial.h"
#include "mesh/http/server.h"
#include "mesh/io/command_sign.h"
#include "mesh/io/keys_sealed.h"
#include "mesh/io/log.h"
#include "mesh/io/process.h"
#include "mesh/io/roster.h"

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char program[] = "pgmesh-http";
static volatile sig_atomic_t stop, again;
enum { ARGUMENTS_MAX = 8 };

static void help(void)
{
    printf(
        "%s serves what a member knows over HTTP: health checks as Patroni's, metrics, a page; and takes orders\n"
        "from whoever has a token.\n"
        "\n"
        "Usage:\n"
        "  %s --config FOLDER/node.conf\n"
        "\n"
        "  -c, --config FILE            the member's own configuration: database, observer or witness\n"
        "      --check                  check it, start nothing\n"
        "      --make-token NAME:ROLE   print a new token (viewer, operator, admin) and its line for http_tokens\n"
        "      --version                print the version\n"
        "      --help                   print this\n"
        "\n"
        "SIGHUP reads everything anew, if it can work; SIGTERM stops. Exit status: 0 stopped, or checked; 1 failed; 2 wrong usage;\n"
        "78 the configuration cannot work.\n"
        "\n",
        program, program);
    config_print_help(stdout);
}

static int cannot(const struct problem *problem)
{
    problem_print(stderr, program, problem);
    return 78;
}

struct arguments {
    const char *config, *token;
    bool check;
};

/* false: the exit status stands in *status. */
static bool read_arguments(int argc, char **argv, struct arguments *a, int *status)
{
    enum { CHECK = 256, TOKEN, VERSION, HELP };
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, CHECK},
                                            {"make-token", required_argument, NULL, TOKEN},
                                            {"version", no_argument, NULL, VERSION},
                                            {"help", no_argument, NULL, HELP},
                                            {NULL, 0, NULL, 0}};
    *status = 0;
    for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (option) {
        case 'c': a->config = optarg; break;
        case CHECK: a->check = true; break;
        case TOKEN: a->token = optarg; break;
        case VERSION: printf("%s (pgmesh) %s\n", program, PGMESH_VERSION); return false;
        case HELP: help(); return false;
        default: *status = problem_usage(program, "wrong arguments"); return false;
        }
    }
    if (optind < argc)
        *status = problem_usage(program, "arguments without an option are not understood");
    else if (a->config == NULL && a->token == NULL)
        *status = problem_usage(program, "no --config");
    return *status == 0;
}

/* ---- what is served, and with which keys --------------------------------------------------------------------------- */

static bool read_client_ca(const struct config *c, struct server_options *o, struct problem *err)
{
    size_t n;
    if (c->http_client_ca[0] == '\0')
        return true;
    o->client_ca = file_read(c->http_client_ca, FILE_TEXT, FILE_TEXT_MAX, &n, err);
    if (o->client_ca == NULL)
        return false;
    o->http->client_certificates = true;
    if (client_cert_authorities(o->client_ca))
        return true;
    problem_fact(err, "\"%s\" holds no certificate of an authority", c->http_client_ca);
    return problem_hint(err, "It is PEM: -----BEGIN CERTIFICATE-----");
}

static bool read_tls(const struct config *c, struct server_options *o, struct problem *err)
{
    size_t n;
    if (c->http_tls_cert[0] == '\0' && c->http_client_ca[0] != '\0') {
        problem_fact(err, "%s: http_client_ca is set, and there is no TLS", c->file);
        return problem_hint(err, "Set http_tls_cert and http_tls_key as well.");
    }
    if (c->http_tls_cert[0] == '\0' && c->http_tls_key[0] == '\0')
        return true;
    if (c->http_tls_cert[0] == '\0' || c->http_tls_key[0] == '\0') {
        problem_fact(err, "%s: of http_tls_cert and http_tls_key only one is set", c->file);
        return problem_hint(err, "TLS needs both.");
    }
    o->http->tls = true;
    o->tls_cert = file_read(c->http_tls_cert, FILE_TEXT, FILE_TEXT_MAX, &n, err);
    o->tls_key = o->tls_cert != NULL
                     ? file_read(c->http_tls_key, FILE_TEXT | FILE_SECRET, FILE_TEXT_MAX, &n, err)
                     : NULL;
    return o->tls_key != NULL && read_client_ca(c, o, err);
}

static bool nobody_to_ask(void *arg, struct passphrase *p, struct problem *err)
{
    (void)p;
    problem_fact(err, "\"%s\" is under a passphrase", (const char *)arg);
    problem_detail(err, "A service has nobody to ask for it.");
    return problem_hint(
        err, "Give it a key of its own: pgmesh operator add http --role operator --no-passphrase.");
}

static bool read_operator(const struct config *c, struct http *h, struct problem *err)
{
    if (c->http_operator_key[0] == '\0')
        return true;
    if (!keys_sealed_read(c->http_operator_key, &h->key, NULL, nobody_to_ask, (void *)c->http_operator_key,
                          err))
        return false;
    h->signer = command_sign_operator(h->cluster, &h->key);
    if (h->signer != NULL)
        return true;
    problem_fact(err, "\"%s\" is the key of no operator of cluster %s", c->http_operator_key,
                 h->cluster->name);
    problem_detail(err, "Neither the cluster file \"%s\" nor the roster certifies it.", c->cluster_file);
    return problem_hint(err, "\"pgmesh operator list\" shows who may give orders.");
}

static bool read_all(const char *file, struct server_options *o, struct problem *err)
{
    static struct config config;
    static struct cluster cluster;
    static struct roster roster;
    o->http->config = &config;
    o->http->cluster = &cluster;
    if (!config_load(file, &config, err) || !cluster_load(config.cluster_file, &cluster, err) ||
        !roster_load(&roster, &cluster, config.state_dir, err))
        return false;
    if (cluster_find(&cluster, config.member) == NULL)
        return config_check_cluster(&config, &cluster, err);
    return read_operator(&config, o->http, err) && token_read(config.http_tokens, &o->http->tokens, err) &&
           hook_read(config.webhooks, &o->http->hooks, err) && read_tls(&config, o, err);
}

static bool listen_all(struct server_options *o, struct problem *err)
{
    const struct config *c = o->http->config;
    for (int i = 0; i < c->n_http_listen; i++) {
        int fd = server_listen(&c->http_listen[i], err);
        if (fd < 0)
            return false;
        o->listening[o->n_listening++] = fd;
    }
    if (c->n_http_listen == 0)
        return problem_fact(err, "%s: \"http_listen\" names no address", c->file);
    return true;
}

/* ---- two halves ------------------------------------------------------------------------------------------------------ */

static bool find_user(const struct config *c, uid_t *uid, gid_t *gid, struct problem *err)
{
    if (geteuid() != 0)
        return true;
    const struct passwd *p = getpwnam(c->http_user);
    if (p == NULL || p->pw_uid == 0) {
        problem_fact(err, "%s: \"http_user\" names no user that can be used: \"%s\"", c->file, c->http_user);
        return problem_hint(err, "An ordinary system user, such as nobody; not root.");
    }
    *uid = p->pw_uid;
    *gid = p->pw_gid;
    return true;
}

static int serve(const struct server_options *o, uid_t uid, gid_t gid)
{
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)) {
        fprintf(stderr, "%s: could not give up root's privileges\n", program);
        return 1;
    }
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    log_as(o->http->cluster->name, o->http->config->member);
    return server_run(o);
}

static void on_signal(int signal)
{
    stop = 1;
    again = signal == SIGHUP;
}

static void take_signals(void)
{
    struct sigaction ours = {.sa_handler = on_signal}; /* without SA_RESTART: recv() returns */
    sigaction(SIGTERM, &ours, NULL);
    sigaction(SIGINT, &ours, NULL);
    sigaction(SIGHUP, &ours, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void wipe(struct server_options *o)
{
    keys_wipe(&o->http->key, sizeof o->http->key);
    keys_wipe(o->http->hooks.of, sizeof o->http->hooks.of);
    if (o->tls_key != NULL)
        keys_wipe(o->tls_key, strlen(o->tls_key));
    free(o->tls_cert);
    free(o->tls_key);
    free(o->client_ca);
}

/* Would a start with what stands in the files now succeed?  Asked of another process: ours goes on if not. */
static bool works(char **argv)
{
    char *args[ARGUMENTS_MAX + 2];
    int n = 0, status = 0;
    for (; n < ARGUMENTS_MAX && argv[n] != NULL; n++)
        args[n] = argv[n];
    args[n] = "--check";
    args[n + 1] = NULL;
    pid_t child = fork();
    if (child == 0) {
        execv("/proc/self/exe", args);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The half that dials, until the other one has ended, or a signal says so.  false: it was a signal. */
static bool serve_dials(const struct server_options *o, int channel, char **argv)
{
    for (;;) {
        if (dial_serve(channel, o->http->config->control_socket, &stop))
            return true;
        if (!again || works(argv))
            return false;
        log_event(LOG_LEVEL_WARNING, "http-reload",
                  "goes on as it is: with what stands in the files now it would not start");
        stop = again = 0;
    }
}

static int split(struct server_options *o, char **argv, uid_t uid, gid_t gid)
{
    int channel[2], status = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel) != 0) {
        perror(program);
        return 1;
    }
    take_signals();
    pid_t child = fork();
    if (child == 0) {
        close(channel[0]);
        o->channel = channel[1];
        _exit(serve(o, uid, gid));
    }
    close(channel[1]);
    for (int i = 0; i < o->n_listening; i++)
        close(o->listening[i]);
    wipe(o);
    process_notify("READY=1");
    bool ended = child < 0 || serve_dials(o, channel[0], argv);
    close(channel[0]);
    if (child > 0 && stop)
        kill(child, SIGTERM);
    while (child > 0 && waitpid(child, &status, 0) < 0 && stop)
        continue;
    if (again)
        execv("/proc/self/exe", argv);
    return ended && !stop ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct http http;
    static struct server_options options = {.http = &http};
    struct arguments a = {0};
    struct problem why = {.fact = ""};
    uid_t uid = 0;
    gid_t gid = 0;
    int status;
    process_begin();
    if (!read_arguments(argc, argv, &a, &status))
        return process_end(program, status);
    keys_begin();
    if (a.token != NULL)
        return process_end(program, token_make(a.token, &why) ? 0 : cannot(&why));
    if (!read_all(a.config, &options, &why) || !find_user(http.config, &uid, &gid, &why))
        return cannot(&why);
    if (a.check) {
        printf("%s: member \"%s\" of cluster \"%s\" can be served\n", program, http.config->member,
               http.cluster->name);
        return process_end(program, 0);
    }
    if (!listen_all(&options, &why))
        return cannot(&why);
    log_open(program, http.config->log_level, http.config->log_format);
    process_harden(false);
    return split(&options, argv, uid, gid);
}
