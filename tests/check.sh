#!/usr/bin/env bash
# `make check`: every stage in turn, each after the failures of the ones before it, within CHECK_SECONDS.
#
# How a stage reports is told in tests/tally.sh. The last line printed is `N passed, M failed`; the exit status
# is 0 only when nothing failed and something passed. A stage whose files do not exist is noted as absent,
# and with PGMESH_STRICT_CHECK=1 fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

make=${MAKE:-make}
builddir=${BUILDDIR:-build}
export BUILDDIR=$builddir
export PGMESH_RESULTS=$builddir/results.txt
export PGMESH_BUILD=$builddir/default
deadline=$((SECONDS + ${CHECK_SECONDS:-2280}))
sim_seconds=${SIM_SECONDS:-120}

# The makes below are commands of this script, not branches of the one that called it.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES SAN
jobs=$(getconf _NPROCESSORS_ONLN)

stage() { # name, limit in seconds, command...
    local name=$1 limit=$2 left=$((deadline - SECONDS))
    shift 2
    if [ "$left" -le 0 ]; then
        left=1
    fi
    tests/tally.sh run "$name" $((limit < left ? limit : left)) "$@" || :
}

any() { compgen -G "$1" >/dev/null; }

stage_if() { # pattern, name, limit, command...
    local pattern=$1
    shift
    if any "$pattern"; then
        stage "$@"
    else
        tests/tally.sh absent "$1" "there is no $pattern" || :
    fi
}

sanitized="SAN=address,undefined"

tests/tally.sh start

stage    dependencies 600 packaging/install-deps.sh test
for program in 'pgmesh-node node/*.c' 'pgmesh-guard node/guard*.c' 'pgmesh-witness witness/*.c' 'pgmesh mesh/inspect/*.c' 'pgmesh-http mesh/http/*.c'; do
    any "${program#* }" || tests/tally.sh absent "build ${program%% *}" "there is no ${program#* }" || :
done
stage    build 600 "$make" -k -j"$jobs" all unit-build sim-build live-build bench-build
stage    layers-self-test 60 tests/layers.sh --self-test
stage    layers 60 tests/layers.sh
stage    events 60 tests/events.sh
stage_if 'tests/unit/test_*.c' unit 300 "$make" unit-run
stage_if 'tests/unit/test_version.c' next 300 "$make" -j"$jobs" next next-test
stage_if 'tests/sim/scenarios/*' sim-scenarios 180 "$make" sim-scenarios
stage_if 'tests/sim/*.c' sim-replay 60 "$make" sim-replay
stage_if 'tests/sim/*.c' sim-seeds $((sim_seconds + 120)) "$make" SIM_SECONDS="$sim_seconds" sim-seeds
stage_if 'tests/sim/mutants.sh' mutants 600 "$make" mutants
stage_if 'tests/sim/drift.sh' drift 120 tests/sim/drift.sh "$PGMESH_BUILD/sim"
stage_if 'tests/model/run.sh' model 900 tests/model/run.sh
stage    san-build 600 "$make" -k -j"$jobs" "$sanitized" unit-build sim-build fuzz-build
stage_if 'tests/unit/test_*.c' san-unit 300 "$make" "$sanitized" unit-run
stage_if 'tests/sim/scenarios/*' san-sim-scenarios 180 "$make" "$sanitized" sim-scenarios
stage_if 'tests/sim/*.c' san-sim-seeds 150 "$make" "$sanitized" SIM_SECONDS=30 sim-seeds
stage_if 'tests/fuzz/fuzz_*.c' fuzz-corpus 300 "$make" "$sanitized" fuzz-corpus
stage_if 'tests/cli/run.sh' cli 240 tests/cli/run.sh
san=$builddir/san-address-undefined
stage    san-http-build 300 "$make" -k -j"$jobs" "$sanitized" "$san/pgmesh" "$san/pgmesh-witness" "$san/pgmesh-http"
stage    san-http 120 env PGMESH_BUILD="$san" tests/cli/run.sh http
stage    packages 400 "$make" packages-check
stage_if 'tests/live/run.sh' live 1200 tests/live/run.sh

tests/tally.sh close
