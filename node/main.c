/* main.c: pgmesh-node, a member on a database's or an application's host.
 *
 *   database   checks its configuration, becomes pgmesh-guard (same process), which starts `pgmesh-node --agent`
 *   observer   has no PostgreSQL to fence and runs the agent at once */
#define _GNU_SOURCE /* environ */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mesh/io/process.h"
#include "node/agent.h"
#include "node/guard.h"

static const char program[] = "pgmesh-node";

static void help(void)
{
    printf(
        "%s runs PostgreSQL as a member of a cluster, or watches one from an application's host.\n"
        "\n"
        "Usage:\n"
        "  %s --config FOLDER/node.conf\n"
        "\n"
        "  -c, --config FILE   a member with role database or observer, made by \"pgmesh init\"\n"
        "      --check         check configuration, cluster file and key, start nothing\n"
        "      --version       print the version\n"
        "      --help          print this\n"
        "\n"
        "SIGTERM stops PostgreSQL in order and gives the term up; SIGHUP takes a changed configuration over.\n"
        "Exit status: 0 stopped, or checked; 2 wrong usage; 78 the configuration cannot work; 79 another process\n"
        "acts in this member's name (do not restart either); anything else: failed.\n"
        "\n",
        program, program);
    config_print_help(stdout);
}

struct arguments {
    const char *config;
    bool check, agent;
};

/* false: the exit status stands in *status. */
static bool read_arguments(int argc, char **argv, struct arguments *a, int *status)
{
    enum { CHECK = 256, AGENT, VERSION, HELP };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, CHECK},
        {"agent", no_argument, NULL, AGENT},      {"version", no_argument, NULL, VERSION},
        {"help", no_argument, NULL, HELP},        {NULL, 0, NULL, 0}};
    *status = 0;
    for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (option) {
        case 'c': a->config = optarg; break;
        case CHECK: a->check = true; break;
        case AGENT: a->agent = true; break;
        case VERSION: printf("%s (pgmesh) %s\n", program, PGMESH_VERSION); return false;
        case HELP: help(); return false;
        default: *status = problem_usage(program, "wrong arguments"); return false;
        }
    }
    if (optind < argc)
        *status = problem_usage(program, "arguments without an option are not understood");
    else if (!a->config)
        *status = problem_usage(program, "no --config");
    return *status == 0;
}

/* libpq brings libldap, and that GnuTLS, whose constructor alone would be a tenth of the memory that an agent takes.
 * Nobody here calls it, and the only way to say so is before the program is loaded. */
static void spare_libraries(char **argv)
{
    static const char name[] = "GNUTLS_NO_IMPLICIT_INIT";
    char self[FILE_PATH_SIZE];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);
    if (n <= 0 || n == (ssize_t)sizeof self || getenv(name) || setenv(name, "1", 1) < 0)
        return;
    self[n] = '\0';
    execv(self, argv); /* when it fails, so much for the memory */
}

/* An administrator's PGHOST, PGPASSWORD or PGOPTIONS is none of ours, and libpq would take it from our environment; so would the
 * programs that the agent runs. */
static void forget_libpq(void)
{
    char name[64];
    for (char **v = environ; *v != NULL;) {
        size_t n = strcspn(*v, "=");
        bool ours = strncmp(*v, "PGMESH_", 7) == 0;
        if (strncmp(*v, "PG", 2) != 0 || ours || n >= sizeof name) {
            v++;
            continue;
        }
        snprintf(name, sizeof name, "%.*s", (int)n, *v);
        unsetenv(name); /* the next one is moved here */
    }
}

int main(int argc, char **argv)
{
    process_begin();
    forget_libpq();
    spare_libraries(argv);
    struct arguments a = {0};
    struct problem why = {0};
    int status;
    if (!read_arguments(argc, argv, &a, &status))
        return process_end(program, status);
    struct folder *f = folder_open(a.config, 1u << ROLE_DATABASE | 1u << ROLE_OBSERVER, &why);
    if (!f || !agent_check(f, &why)) {
        problem_print(stderr, program, &why);
        return GUARD_EXIT_CONFIG;
    }
    if (a.check) {
        printf("%s: member \"%s\" of cluster \"%s\" can start\n", program, f->config.member, f->cluster.name);
        return process_end(program, 0);
    }
    if (a.agent || f->self->member.role == ROLE_OBSERVER)
        return agent_run(f, a.config);
    agent_become_guard(f, a.config, &why);
    problem_print(stderr, program, &why);
    return GUARD_EXIT_CONFIG;
}
