/* main.c: pgmesh-witness, a voter without a database: for one cluster, or for several in one process. */
#define _GNU_SOURCE
#include "mesh/io/log.h"
#include "mesh/io/loop.h"
#include "mesh/io/process.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char program[] = "pgmesh-witness";
static struct loop *running;

static void help(void)
{
    printf(
        "%s votes on which database is primary, and holds no data itself.\n"
        "It belongs on a third site, so that the loss of either of two others leaves a majority.\n"
        "\n"
        "Usage:\n"
        "  %s --config FOLDER/node.conf [--config OTHER/node.conf ...]\n"
        "\n"
        "  -c, --config FILE   a member with role witness, made by \"pgmesh init\"; again for each further cluster,\n"
        "                      at most %d. One that cannot be served is told of, and costs the others nothing.\n"
        "      --check         check configuration, cluster file and key, start nothing\n"
        "      --version       print the version\n"
        "      --help          print this\n"
        "\n"
        "Exit status: 0 stopped by a signal, or checked; 1 failed; 2 wrong usage; 3 another process votes in this\n"
        "member's name (do not restart).\n"
        "\n",
        program, program, LOOP_CLUSTERS_MAX);
    config_print_help(stdout);
}

static int failed(const struct problem *problem)
{
    problem_print(stderr, program, problem);
    return 1;
}

/* false: the exit status stands in *status. */
static bool arguments(int argc, char **argv, const char **files, int *n, bool *check, int *status)
{
    enum { CHECK = 256, VERSION, HELP };
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"check", no_argument, NULL, CHECK},
                                            {"version", no_argument, NULL, VERSION},
                                            {"help", no_argument, NULL, HELP},
                                            {NULL, 0, NULL, 0}};
    *status = 0;
    for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            if (*n == LOOP_CLUSTERS_MAX) {
                *status = problem_usage(program, "too many clusters for one process");
                return false;
            }
            files[(*n)++] = optarg;
            break;
        case CHECK: *check = true; break;
        case VERSION: printf("%s (pgmesh) %s\n", program, PGMESH_VERSION); return false;
        case HELP: help(); return false;
        default: *status = problem_usage(program, "wrong arguments"); return false;
        }
    }
    if (optind < argc)
        *status = problem_usage(program, "arguments without an option are not understood");
    else if (*n == 0)
        *status = problem_usage(program, "no --config");
    return *status == 0;
}

static void on_signal(int signal)
{
    (void)signal;
    if (running)
        loop_stop(running);
}

static void take_signals(void)
{
    struct sigaction stop = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static int serve(struct loop_options *options, struct problem *problem)
{
    const struct config *first = &options->folders[0]->config;
    log_open(program, first->log_level, first->log_format);
    process_harden(first->realtime);
    options->realtime = first->realtime;
    running = loop_open(options, problem);
    if (running == NULL)
        return failed(problem);
    take_signals();
    enum loop_end end = loop_run(running);
    loop_close(&running);
    return end == LOOP_STOPPED ? 0 : end == LOOP_FATAL ? 3 : 1;
}

/* One folder that is not right must not cost the other clusters their vote; a check, and the only one, fails by it. */
static int open_all(struct loop_options *o, const char *const *files, int n, bool check)
{
    struct problem problem = {.fact = ""};
    int bad = 0;
    for (int i = 0; i < n; i++) {
        struct folder *f = folder_open(files[i], 1u << ROLE_WITNESS, &problem);
        if (f == NULL) {
            failed(&problem);
            bad++;
            continue;
        }
        o->folders[o->n++] = f;
        if (check)
            printf("%s: member \"%s\" of cluster \"%s\": ok\n", files[i], f->config.member, f->cluster.name);
    }
    return bad > 0 && (check || o->n == 0);
}

int main(int argc, char **argv)
{
    static struct loop_options options = {.program = program};
    const char *files[LOOP_CLUSTERS_MAX];
    struct problem problem = {.fact = ""};
    int n = 0, status = 0;
    bool check = false;

    process_begin();
    if (!arguments(argc, argv, files, &n, &check, &status))
        return process_end(program, status);
    keys_begin();
    status = open_all(&options, files, n, check);
    if (status == 0 && !check)
        status = serve(&options, &problem);
    for (int i = 0; i < options.n; i++)
        folder_close(&options.folders[i]);
    return process_end(program, status);
}
