/* witness.h: a real witness in a folder of its own, with the station that pgmesh-witness runs: for fuzzers of its sockets. */
#ifndef PGMESH_TESTS_FUZZ_WITNESS_H
#define PGMESH_TESTS_FUZZ_WITNESS_H

#include "mesh/io/folder.h"
#include "mesh/io/loop_state.h"

struct witness {
    char dir[64]; /* goes with the process */
    struct folder *folder;
    struct loop *loop;
    const struct cluster_member *operator_member;
    struct key operator_key;
};
/* Once in a process; aborts where it cannot. */
struct witness *witness_start(void);

#endif
