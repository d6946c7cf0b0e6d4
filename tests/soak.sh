#!/usr/bin/env bash
# `make soak`: simulated clusters by the million, then live faults by the hour.
#
#     SOAK_SEEDS=1000000    simulated clusters; 0: none
#     SOAK_FIRST=1          the first seed
#     SOAK_JOBS=            processes, default: one for each processor
#     SOAK_SECONDS=7200     of random faults on a real cluster (tests/live/chaos.sh), a new cluster each SOAK_ROUND
#     SOAK_ROUND=1800       seconds
#     SOAK_SEED=1           of the first of these; each round takes the next
#     SOAK_LONG=300         seconds of each link that is bad for long: one that flaps, 1 to 30 % of loss; 0: none
#     SOAK_CALM=60          minutes of noise that must change nothing (tests/live/calm.sh); 0: none
#
# Memory and descriptors of every program are recorded in build/default/footprint*.tsv; growth is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${PGMESH_BUILD:-build/default}
export PGMESH_BUILD=$build
failed=0

if [ "${SOAK_SEEDS:-1000000}" -gt 0 ]; then
    "$build/sim" --seeds "${SOAK_SEEDS:-1000000}" --first "${SOAK_FIRST:-1}" \
        --jobs "${SOAK_JOBS:-$(getconf _NPROCESSORS_ONLN)}" || failed=1
fi
left=${SOAK_SECONDS:-7200} seed=${SOAK_SEED:-1}
while [ "$left" -gt 0 ]; do
    round=$((left < ${SOAK_ROUND:-1800} ? left : ${SOAK_ROUND:-1800}))
    tests/live/chaos.sh --seed "$seed" --seconds "$round" --footprint "$build/footprint-$seed.tsv" || failed=1
    left=$((left - round)) seed=$((seed + 1))
done
if [ "${SOAK_LONG:-300}" -gt 0 ]; then
    tests/live/chaos.sh --each --hold "${SOAK_LONG:-300}" --faults flap,loss-1,loss-5,loss-10,loss-20,loss-30 \
        --footprint "$build/footprint-long.tsv" || failed=1
fi
[ "${SOAK_CALM:-60}" -eq 0 ] || tests/live/calm.sh --minutes "${SOAK_CALM:-60}" || failed=1
exit "$failed"
