#!/usr/bin/env bash
# drift.sh: clocks ten times as wrong as leases allow for. Two primaries may then hold a lease at one instant (it is shown that they
# do), and under sync and strict no acknowledged commit may be lost even so, because of the seals: without them it is.
#
#     tests/sim/drift.sh [SIM] [PPM]
set -uo pipefail
sim=${1:-build/default/sim} ppm=${2:-100000}
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
failed=0
verdict() { # what, of the last command
    if [ "$?" -eq 0 ]; then echo "ok drift of $ppm ppm: $1"; else
        echo "not ok drift of $ppm ppm: $1 ($(grep -m1 -E '^seed .*invariant|^  a voter' "$out"))"
        failed=1
    fi
}
"$sim" --drift "$ppm" --bias NO_MARGIN --seeds 1000 >"$out" 2>&1
verdict "whatever else is promised holds; $(sed -n 's/^  //p' "$out" | head -n 1)"
grep -Eq '^  a voter .* two leases at one instant in [1-9]' "$out"
verdict 'leases do break'
"$sim" --drift "$ppm" --seeds 1000 >"$out" 2>&1
verdict "and under every fault; $(sed -n 's/^  //p' "$out" | head -n 1)"
! "$sim" --drift "$ppm" --mutant NO_SEALING --seeds 1000 --fails 1000 >"$out" 2>&1 && grep -q 'invariant I2' "$out"
verdict 'without sealing, commits are lost'
exit "$failed"
