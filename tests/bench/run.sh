#!/usr/bin/env bash
# `make bench`: distributions of a client's write outage over network namespaces, what pgmesh costs, and Patroni with etcd
# on the same faults in the same run.
#
#     BENCH_N=30                        runs of each fault for pgmesh
#     BENCH_DURABILITIES='sync async strict'
#     BENCH_PEERS='fastest default'     '' for none
#     BENCH_PEER_N=5                    runs of each fault for a peer (a cut host costs it half a minute)
#     BENCH_ROUNDS=5                    pairs of pgbench runs for the price; 0: none
#     BENCH_DIR=build/bench             results.jsonl, summary.txt, README.md and pictures; the page is made of all *.jsonl there
#     and those of pgmesh.sh, patroni.sh and price.sh
#
# The machine must have nothing else to do. Interrupted, it keeps what was measured; BENCH_KEEP=1 adds to it. The same in
# pieces: each script below adds its lines to BENCH_OUT, and page.sh makes the page of what is there.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export PGMESH_BUILD=${PGMESH_BUILD:-build/default}
dir=${BENCH_DIR:-build/bench}
mkdir -p "$dir"
export BENCH_OUT=$dir/results.jsonl
failed=0

[ "${BENCH_KEEP:-0}" = 1 ] || rm -f "$dir"/*.jsonl

for durability in ${BENCH_DURABILITIES-sync async strict}; do
    BENCH_DURABILITY=$durability tests/bench/pgmesh.sh || failed=1
    export BENCH_IDLE=0 # once is enough
done
unset BENCH_IDLE
for peer in ${BENCH_PEERS-fastest default}; do
    BENCH_PEER=$peer BENCH_N=${BENCH_PEER_N:-5} tests/bench/patroni.sh || failed=1
    # Its arrangement is another one.
    [ -n "${BENCH_FAULTS-}" ] || BENCH_PEER=$peer BENCH_N=${BENCH_PEER_N:-5} BENCH_IDLE=0 BENCH_FAULTS=site_loss tests/bench/patroni.sh || failed=1
done
[ "${BENCH_ROUNDS:-5}" = 0 ] || tests/bench/price.sh || failed=1

echo
tests/bench/page.sh "$dir"
cat "$dir/summary.txt"
exit "$failed"
