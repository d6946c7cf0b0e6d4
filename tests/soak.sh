#!/usr/bin/env bash
# `make soak`: simulated clusters by the million, then live faults, round after round, until the time is over.
#
#     SOAK_SEEDS=1000000    simulated clusters
#     SOAK_FIRST=1          the first seed
#     SOAK_JOBS=            processes, default: one for each processor
#     SOAK_LIVE=3           rounds of the live tests; 0: none
set -euo pipefail
cd "$(dirname "$0")/.."

sim=${PGMESH_BUILD:-build/default}/sim
jobs=${SOAK_JOBS:-$(getconf _NPROCESSORS_ONLN)}

"$sim" --seeds "${SOAK_SEEDS:-1000000}" --first "${SOAK_FIRST:-1}" --jobs "$jobs"
for ((round = 1; round <= ${SOAK_LIVE:-3}; round++)); do
    echo "live round $round"
    tests/live/run.sh
done
