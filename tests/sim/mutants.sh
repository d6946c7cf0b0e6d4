#!/bin/sh
# mutants.sh: leaves out each safety rule in turn (policy/mutant.h) and fails if no alarm rings within the budget, or if
# the same faults ring one with every rule in place.
#
#   tests/sim/mutants.sh [SIM] [BUDGET_SECONDS] [NAME...]
#
# A mutant that another invariant catches than the one it is listed under counts, and is told.
set -u
sim=${1:-build/sim}
budget=${2:-20}
[ $# -ge 2 ] && shift 2 || shift $#
jobs=$(nproc 2>/dev/null || echo 1)
missed=0 clean=0 others=0 caught=0
list=$("$sim" --list-mutants) || exit 2
names=${*:-$(echo "$list" | awk '{print $1}')}
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT

for name in $names; do
    want=$(echo "$list" | awk -v n="$name" '$1 == n {print $2}')
    if "$sim" --mutant "$name" --budget "$budget" --jobs "$jobs" --fails 1 >"$out" 2>&1; then
        printf 'MISSED  %-22s %s: %s\n' "$name" "$want" "$(tail -1 "$out")"
        missed=$((missed + 1))
    else
        first=$(grep -m1 '^seed' "$out")
        got=$(echo "$first" | sed 's/.*invariant \([^:]*\):.*/\1/')
        if [ "$got" = "$want" ]; then
            printf 'caught  %-22s %s\n' "$name" "$first"
        else
            printf 'caught  %-22s by %s instead of %s: %s\n' "$name" "$got" "$want" "$first"
            others=$((others + 1))
        fi
        caught=$((caught + 1))
    fi
done
# The same faults with no rule left out.
share=$(awk -v b="$budget" 'BEGIN {print b / 8}')
for name in $names; do
    if ! "$sim" --bias "$name" --budget "$share" --jobs "$jobs" --fails 1 >"$out" 2>&1; then
        printf 'ALARM   without a mutant, with the faults for %s: %s\n' "$name" "$(grep -m1 '^seed' "$out")"
        clean=$((clean + 1))
    fi
done
printf '%d caught (%d by another invariant), %d missed, %d false alarms\n' "$caught" "$others" "$missed" "$clean"
[ "$missed" -eq 0 ] && [ "$clean" -eq 0 ]
