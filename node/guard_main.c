/* pgmesh-guard: the fence's process.  pgmesh-node becomes it by exec after it has checked the configuration; nobody
 * needs to start it by hand. */
#include "node/guard.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option OPTIONS[] = {
    {"cgroup", required_argument, NULL, 'c'},
    {"name", required_argument, NULL, 'n'},
    {"data-dir", required_argument, NULL, 'd'},
    {"lease-ms", required_argument, NULL, 'l'},
    {"stop-ms", required_argument, NULL, 's'},
    {"no-realtime", no_argument, NULL, 'r'},
    {"watchdog", required_argument, NULL, 'w'},
    {"lock", required_argument, NULL, 'k'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void help(void)
{
    printf(
        "pgmesh-guard stops PostgreSQL when the lease of its primary ends, and starts the agent again when it dies.\n"
        "\n"
        "pgmesh-node becomes it after it has checked its configuration; nobody starts it by hand:\n"
        "  pgmesh-node --config FOLDER/node.conf\n"
        "\n"
        "Usage:\n"
        "  pgmesh-guard --name NAME --data-dir FOLDER [OPTION...] -- AGENT [ARGUMENT...]\n"
        "\n"
        "      --name NAME        of the cgroup for PostgreSQL\n"
        "      --data-dir FOLDER  PostgreSQL's, by which its processes are known\n"
        "      --cgroup PATH      where to make the cgroup; auto, or none: processes get signals (auto)\n"
        "      --lease-ms N       how long after the freeze it kills (600)\n"
        "      --stop-ms N        how long an orderly stop may take (60000)\n"
        "      --lock FILE        held while it runs: one guard for each member\n"
        "      --watchdog DEVICE  kept alive while it runs\n"
        "      --no-realtime      takes no real-time priority\n"
        "      --version          print the version\n"
        "      --help             print this\n");
}

static uint32_t milliseconds(const char *text)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, 10);
    if (errno || *end || v == 0 || v > 3600000) {
        fprintf(stderr, "pgmesh-guard: \"%s\" is not a number of milliseconds\n", text);
        exit(2);
    }
    return (uint32_t)v;
}

int main(int argc, char **argv)
{
    struct guard_options o = {.cgroup = "auto", .lease_ms = 600, .stop_ms = 60000, .realtime = true};
    for (int c; (c = getopt_long(argc, argv, "+", OPTIONS, NULL)) != -1;)
        switch (c) {
        case 'c': o.cgroup = optarg; break;
        case 'n': o.name = optarg; break;
        case 'd': o.data_dir = optarg; break;
        case 'l': o.lease_ms = milliseconds(optarg); break;
        case 's': o.stop_ms = milliseconds(optarg); break;
        case 'r': o.realtime = false; break;
        case 'w': o.watchdog = optarg; break;
        case 'k': o.lock = optarg; break;
        case 'v': printf("pgmesh-guard (pgmesh) %s\n", PGMESH_VERSION); return fclose(stdout) != 0;
        case 'h': help(); return fclose(stdout) != 0;
        case '?': return 2;
        }
    if (!o.name || !o.data_dir || optind >= argc) {
        fprintf(stderr, "pgmesh-guard: started by pgmesh-node, not by hand\n"
                        "HINT: run pgmesh-node --config FOLDER/node.conf\n");
        return 2;
    }
    o.agent = argv + optind;
    return guard_run(&o);
}
