#!/usr/bin/env bash
# `make live`: tests with real PostgreSQL servers; each makes and removes its own hosts.
#
#     tests/live/run.sh [PATTERN]        those whose name matches, e.g. switchover, one after another; without one all but
#                                        those that say `# ONLY WHEN NAMED`, LIVE_JOBS (2) at a time: they mostly wait
#
# LIVE_TIMEOUT (seconds, 150, or what a line `# LIMIT: N` of the test says) bounds each. Logs of a test that failed are kept
# in build/default/live-logs/. A signal ends what runs as well; each test then removes what it made.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export PGMESH_BUILD=${PGMESH_BUILD:-build/default}
failed=0

# TERM, for what runs in the background does not hear INT; timeout hands it on to its test and gives it half a minute.
stop() {
    trap '' INT TERM HUP
    # shellcheck disable=SC2046
    kill -TERM $(jobs -p) 2>/dev/null
    wait
    exit 130
}
trap stop INT TERM HUP

run() { # file
    local name limit status=0
    name=$(basename "$1" .sh)
    limit=$(sed -n 's/^# LIMIT: //p' "$1")
    limit=${LIVE_TIMEOUT:-${limit:-150}}
    timeout -k 30 "$limit" "$1" &
    wait "$!" || status=$?
    case $status in
        0) ;;
        124 | 137) printf 'not ok %s: not finished within %s s\n' "${name#test_}" "$limit"; failed=1 ;;
        *) failed=1 ;;
    esac
}

# One of several at a time: what it says comes in one piece.
if [ "${1:-}" = --one ]; then
    said=$(mktemp)
    trap 'flock "$0" cat "$said"; rm -f "$said"' EXIT
    run "$2" >"$said" 2>&1
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
    exit "$failed"
fi
running=0
for test in "${chosen[@]}"; do
    [ "$running" -lt "${LIVE_JOBS:-2}" ] || { wait -n || failed=1; running=$((running - 1)); }
    tests/live/run.sh --one "$test" &
    running=$((running + 1))
done
for (( ; running > 0; running--)); do wait -n || failed=1; done
exit "$failed"
