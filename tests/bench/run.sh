#!/usr/bin/env bash
# `make bench`: distributions of a client's write outage over network namespaces, what pgmesh costs, and Patroni with etcd
# on the same faults in the same run.
#
#     BENCH_N=30                        runs of each fault for pgmesh
#     BENCH_DURABILITIES='sync async strict'
#     BENCH_PEERS='fastest default'     '' for none
#     BENCH_PEER_N=5                    runs of each fault for a peer (a cut host costs it half a minute)
#     BENCH_ROUNDS=5                    pairs of pgbench runs for the price; 0: none
#     BENCH_DIR=build/bench             results.jsonl, summary.txt, README.md and pictures
#     and those of pgmesh.sh, patroni.sh and price.sh
#
# The machine must have nothing else to do. Interrupted, it keeps what was measured; BENCH_KEEP=1 adds to it.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export PGMESH_BUILD=${PGMESH_BUILD:-build/default}
dir=${BENCH_DIR:-build/bench}
mkdir -p "$dir"
export BENCH_OUT=$dir/results.jsonl
failed=0

describe() {
    jq -cn --arg cpus "$(getconf _NPROCESSORS_ONLN)" --arg kernel "$(uname -r)" --arg model "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
        --arg memory "$(awk '$1 == "MemTotal:" { print int($2 / 1048576 + 0.5) }' /proc/meminfo)" \
        --arg postgres "$("${PG_BIN:-/usr/lib/postgresql/15/bin}/postgres" --version)" --arg commit "$(git rev-parse --short HEAD 2>/dev/null)" \
        --arg patroni "$(patroni --version 2>/dev/null)" --arg etcd "$(etcd --version 2>/dev/null | sed -n '1s/.*: /etcd /p')" --arg day "$(date -I)" \
        '{machine: {cpus: ($cpus | tonumber), $model, memory_gib: ($memory | tonumber), $kernel, $postgres, $patroni, $etcd}, $commit, $day}'
}
[ "${BENCH_KEEP:-0}" = 1 ] && [ -s "$BENCH_OUT" ] || describe >"$BENCH_OUT"

for durability in ${BENCH_DURABILITIES-sync async strict}; do
    BENCH_DURABILITY=$durability tests/bench/pgmesh.sh || failed=1
    export BENCH_IDLE=0 # once is enough
done
unset BENCH_IDLE
for peer in ${BENCH_PEERS-fastest default}; do
    BENCH_PEER=$peer BENCH_N=${BENCH_PEER_N:-5} tests/bench/patroni.sh || failed=1
done
[ "${BENCH_ROUNDS:-5}" = 0 ] || tests/bench/price.sh || failed=1

echo
tests/bench/page.sh "$dir"
cat "$dir/summary.txt"
exit "$failed"
