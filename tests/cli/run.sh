#!/usr/bin/env bash
# The command line as people and scripts meet it: what it prints, what it refuses, how it exits.
#
#   tests/cli/run.sh [NAME...]        all of tests/cli/*.sh, or those named
#
# Each file is read into a shell of its own with the helpers below, in an empty folder of its own.
# Prints `ok cli/NAME: WHAT` or `not ok cli/NAME: WHAT: why`, and fails if anything failed.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${PGMESH_BUILD:-$here/../../build/default}" 2>/dev/null && pwd)
export LC_ALL=C.UTF-8 COLUMNS=100
unset PGMESH_CONFIG NO_COLOR

if [ ! -x "$build/pgmesh" ]; then
    echo "not ok cli: there is no pgmesh in ${PGMESH_BUILD:-build/default}"
    exit 1
fi
pgmesh=$build/pgmesh
witness=$build/pgmesh-witness

failed=0
ok() { echo "ok cli/$name: $1"; }
not_ok() {
    echo "not ok cli/$name: $1: ${2:-}"
    failed=1
}
verdict() { # what, command...
    local what=$1
    shift
    if "$@"; then ok "$what"; else not_ok "$what" "$*"; fi
}

# Runs pgmesh; leaves $out, $err and $code.
run() {
    out=$("$pgmesh" "$@" 2>err.txt)
    code=$?
    err=$(cat err.txt)
}
# What, the exit code wanted, a piece of the complaint ("" none), then the arguments.
expect() {
    local what=$1 wanted=$2 piece=$3
    shift 3
    run "$@"
    if [ "$code" != "$wanted" ]; then
        not_ok "$what" "exit code $code, not $wanted: ${err//$'\n'/ / }"
    elif [ -n "$piece" ] && [[ $err != *"$piece"* ]]; then
        not_ok "$what" "it says: ${err//$'\n'/ / }"
    else
        ok "$what"
    fi
}
# What, a jq expression that must be true of $out.
holds() {
    if jq -e "$2" >/dev/null 2>&1 <<<"$out"; then ok "$1"; else not_ok "$1" "$2"; fi
}
# What to type, the command: at a terminal of its own, where each question for a secret is answered; leaves $out and $code.
typed() {
    local secret=$1 pid keys asked answered=0
    shift
    rm -f keys.fifo code.txt shown.txt # of the one before: its questions are not ours
    mkfifo keys.fifo
    script -qfc "$(printf '%q ' "$@"); echo \$? >code.txt" shown.txt <keys.fifo >/dev/null 2>&1 &
    pid=$!
    exec {keys}>keys.fifo
    while kill -0 "$pid" 2>/dev/null; do
        asked=$(grep -aoE '(passphrase for [^:]*|Passphrase of [^:]*|Once more|Token): ' shown.txt 2>/dev/null | wc -l)
        if [ "$asked" -gt "$answered" ]; then
            printf '%s\n' "$secret" >&"$keys"
            answered=$asked
        else
            sleep 0.05
        fi
    done
    exec {keys}>&-
    wait "$pid" || :
    code=$(cat code.txt)
    out=$(tr -d '\r' <shown.txt)
}
# A condition, asked again until it holds, for ten seconds.
await() {
    local end=$((SECONDS + 10))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(cd "$here" && ls ./*.sh | sed 's,^\./,,; s,\.sh$,,' | grep -vx run)
status=0
for name in "${files[@]}"; do
    (
        work=$(mktemp -d)
        started=()
        finish() {
            [ "${#started[@]}" = 0 ] || kill "${started[@]}" 2>/dev/null
            wait
            rm -rf "$work"
        }
        trap finish EXIT
        cd "$work" || exit 1
        # shellcheck source=/dev/null
        source "$here/$name.sh"
        exit "$failed"
    ) || status=1
done
exit "$status"
