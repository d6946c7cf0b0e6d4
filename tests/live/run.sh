#!/usr/bin/env bash
# `make live`: tests with real PostgreSQL servers; each makes and removes its own hosts.
#
#     tests/live/run.sh [PATTERN]        those whose name matches, e.g. switchover, one after another; without one all but
#                                        those that say `# ONLY WHEN NAMED`, LIVE_JOBS (2) at a time: they mostly wait
#
# LIVE_TIMEOUT (seconds, 150, or what a line `# LIMIT: N` of the test says) bounds each. Logs of a test that failed are kept in build/default/live-logs/.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export PGMESH_BUILD=${PGMESH_BUILD:-build/default}
failed=0

run() { # file
    local name limit status=0
    name=$(basename "$1" .sh)
    limit=$(sed -n 's/^# LIMIT: //p' "$1")
    limit=${LIVE_TIMEOUT:-${limit:-150}}
    timeout -k 30 "$limit" "$1" || status=$?
    case $status in
        0) ;;
        124 | 137) printf 'not ok %s: not finished within %s s\n' "${name#test_}" "$limit"; failed=1 ;;
        *) failed=1 ;;
    esac
}

# One of several at a time: what it says comes in one piece.
if [ "${1:-}" = --one ]; then
    said=$(mktemp)
    run "$2" >"$said" 2>&1
    flock "$0" cat "$said"
    rm -f "$said"
    exit "$failed"
fi

why=$(bash -c '. tests/live/lib.sh; live_possible') || {
    tests/live/test_checker.sh || failed=1
    printf 'ok live # SKIP %s\n' "$why"
    exit "$failed"
}
chosen=()
for test in tests/live/test_*"${1:-}"*.sh; do
    [ -x "$test" ] || continue
    [ -n "${1:-}" ] || ! grep -q '^# ONLY WHEN NAMED' "$test" || continue
    chosen+=("$test")
done
if [ -n "${1:-}" ]; then
    for test in "${chosen[@]}"; do run "$test"; done
else
    printf '%s\0' "${chosen[@]}" | xargs -0 -n 1 -P "${LIVE_JOBS:-2}" tests/live/run.sh --one || failed=1
fi
exit "$failed"
