#define _GNU_SOURCE
#include "tests/fuzz/witness.h"

#include "mesh/inspect/make.h"
#include "mesh/io/log.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct witness witness;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void clean_up(void)
{
    nftw(witness.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_cluster(const char *out)
{
    static const char *const members[] = {"db1,database,fra,127.0.0.1:7401",
                                          "db2,database,ams,127.0.0.1:7402,pg=127.0.0.1:5433,data=/d2",
                                          "wit1,witness,lux,127.0.0.1:7403"};
    static struct plan plan;
    static struct made made;
    struct problem problem = {.fact = ""};
    plan_begin(&plan);
    plan.cluster = "orders";
    plan.out = out;
    for (int i = 0; i < 3; i++)
        if (!plan_member_add(&plan, members[i], members[i], &problem))
            break;
    if (problem.fact[0] || !plan_check(&plan, &problem) || !make_all(&made, &plan, &problem) ||
        !make_write(&made, &plan, &problem)) {
        problem_print(stderr, "witness", &problem);
        abort();
    }
    make_close(&made);
}

struct witness *witness_start(void)
{
    static struct loop_options options = {.program = "fuzz", .n = 1};
    struct witness *w = &witness;
    struct problem problem = {.fact = ""};
    char out[96], path[160];
    keys_begin();
    signal(SIGPIPE, SIG_IGN);
    strcpy(w->dir, "/tmp/pgmesh-fuzz-XXXXXX");
    assert(mkdtemp(w->dir));
    atexit(clean_up);
    snprintf(out, sizeof out, "%s/orders", w->dir);
    make_cluster(out);
    snprintf(path, sizeof path, "%s/wit1/node.conf", out);
    w->folder = folder_open(path, 1u << ROLE_WITNESS, &problem);
    if (w->folder != NULL) {
        w->folder->config.n_listen = 1; /* whichever port is free */
        w->folder->config.listen[0] = (struct address){.host = "127.0.0.1", .port = 0};
        log_open("fuzz", CONFIG_LOG_ERROR, CONFIG_LOG_TEXT);
        options.folders[0] = w->folder;
        w->loop = loop_open(&options, &problem);
    }
    snprintf(path, sizeof path, "%s/operator/operator.key", out);
    if (w->loop == NULL || !keys_read(path, &w->operator_key, &problem)) {
        problem_print(stderr, "witness", &problem);
        abort();
    }
    w->operator_member = cluster_find(&w->folder->cluster, "operator");
    assert(w->operator_member);
    return w;
}
