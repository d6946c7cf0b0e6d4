#!/usr/bin/env bash
# mutants.sh: leaves out each safety rule in turn (policy/mutant.h) and fails if no alarm rings, or if the same faults
# ring one with every rule in place.
#
#   tests/sim/mutants.sh [SIM] [NAME...]
#
# What is tried is counted in seeds, not in seconds, so the outcome does not depend on the machine: up to TRIES with the
# rule left out, and all of those and CLEAN at least with every rule in. A mutant that another invariant or lemma
# catches than the one it is listed under counts, and is told.
set -uo pipefail
here=$(dirname "$0")
sim=${1:-build/default/sim}
shift || :
tries=${TRIES:-3000} clean=${CLEAN:-400}
jobs=$(getconf _NPROCESSORS_ONLN)
list=$("$sim" --list-mutants) || exit 2
names=${*:-$(awk '{print $1}' <<<"$list")}
out=$(mktemp -d) || exit 2
trap 'rm -rf "$out"' EXIT

table() { # the same rows in policy/mutant.h and in the manual
    local manual=$here/../../docs/protocol.md differ
    differ=$(diff <(sort <<<"$list") \
        <(sed -nE 's/^\| `([A-Z_]+)` \| ([IL][^|]*) \| (.*) \|$/\1\t\2\t\3/p' "$manual" |
            awk -F '\t' '{printf "%-22s %-4s %s\n", $1, $2, $3}' | sort))
    if [ -z "$differ" ]; then
        echo "ok the mutants of policy/mutant.h are those of docs/protocol.md"
    else
        echo "not ok the mutants of policy/mutant.h (<) are those of docs/protocol.md (>)"
        # shellcheck disable=SC2001
        sed 's/^/# /' <<<"$differ"
    fi
}

caught() { # name
    local start first seed by
    start=$(date +%s.%N)
    if "$sim" --mutant "$1" --seeds "$tries" --fails 1 >"$out/$1" 2>&1; then
        echo "not ok mutant $1 (missed in $tries seeds)"
        return
    fi
    first=$(grep -m1 '^seed' "$out/$1")
    seed=$(awk '{print $2}' <<<"$first")
    by=$(sed 's/.*invariant \([^:]*\):.*/\1/' <<<"$first")
    if [ -z "$first" ]; then
        echo "not ok mutant $1 (the simulator died: $(tail -n 1 "$out/$1"))"
    else
        [ "$seed" -lt "$clean" ] || clean=$((seed + 1))
        awk -v n="$1" -v by="$by" -v a="$start" -v b="$(date +%s.%N)" -v s="$seed" \
            'BEGIN {printf "ok mutant %s (caught by %s in %.1f s, seed %d)\n", n, by, b - a, s}'
    fi
}

quiet() { # name: the same faults with no rule left out
    if "$sim" --bias "$1" --seeds "$clean" --fails 1 >"$out/$1.clean" 2>&1; then
        echo "ok no mutant, faults of $1"
    else
        echo "not ok no mutant, faults of $1 ($(grep -m1 '^seed' "$out/$1.clean"))"
    fi
}

one() {
    caught "$1"
    quiet "$1"
}

export sim tries clean out
export -f caught quiet one
# shellcheck disable=SC2086
{
    table
    printf '%s\n' $names | xargs -P "$jobs" -I{} bash -c 'one {}'
} | tee "$out/all"
failed=$(grep -c '^not ok' "$out/all")
printf '%d mutants caught, %d lines failed\n' "$(grep -c '^ok mutant' "$out/all")" "$failed"
[ "$failed" -eq 0 ] && [ "$(grep -c '^ok mutant' "$out/all")" -eq "$(wc -w <<<"$names")" ]
