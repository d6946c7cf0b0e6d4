#!/usr/bin/env bash
# Counts what the tests said. One convention for every stage, whatever it is written in:
#
#   a line `ok NAME` or `not ok NAME` on stdout is one result (`ok NAME # SKIP why` is none);
#   a stage that prints no such line counts as one result, by its exit status;
#   a stage that exits non-zero without a `not ok` line has failed once more.
#
#   tests/tally.sh start                          forget earlier results
#   tests/tally.sh run STAGE SECONDS COMMAND...   run, show and count; exits 0 unless a result is `not ok`
#   tests/tally.sh absent STAGE WHY               note a stage that has nothing to run yet
#   tests/tally.sh close                          the failures again, a line per stage, and the closing line
#
# Results go to $PGMESH_RESULTS (build/results.txt), each stage's output to logs/ beside it. With
# PGMESH_STRICT_CHECK=1 whatever is absent or skipped is a failure.
set -euo pipefail

results=${PGMESH_RESULTS:-build/results.txt}
logs=$(dirname "$results")/logs
strict=${PGMESH_STRICT_CHECK:-0}

record() { # ok|not ok|absent, name
    mkdir -p "$logs"
    printf '%s %s\n' "$1" "$2" >>"$results"
}

start() {
    mkdir -p "$logs"
    : >"$results"
}

absent() { # stage, why
    printf 'absent %s: %s\n' "$1" "$2"
    if [ "$strict" = 1 ]; then
        record 'not ok' "$1: absent, $2"
        return 1
    fi
    record absent "$1: $2"
}

run() { # stage, seconds, command...
    local stage=$1 seconds=$2 log=$logs/$1.log status=0 pid began=$SECONDS
    shift 2
    mkdir -p "$logs"
    printf '== %s\n' "$stage"

    # The command writes to a file and tail shows it: a daemon left behind that still holds the descriptor
    # cannot keep us waiting, as it could at the end of a pipe.
    : >"$log"
    timeout -k 20 "$seconds" "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    trap 'kill "$pid" 2>/dev/null || :; wait "$pid" || :; exit 130' INT TERM
    tail -n +1 -s 0.1 -f --pid="$pid" "$log" 2>/dev/null &
    local shown=$!
    wait "$pid" || status=$?
    wait "$shown" || :
    trap - INT TERM

    local new
    new=$(awk -v stage="$stage" -v status="$status" -v seconds="$seconds" -v strict="$strict" '
        { sub(/\r$/, "") }
        /^ok .*# SKIP/      { if (strict) { bad++; print "not ok " stage ": " substr($0, 4) }
                              else print "skip " stage ": " substr($0, 4)
                              lines++; next }
        /^ok /              { lines++; print "ok " stage ": " substr($0, 4) }
        /^not ok /          { lines++; bad++; print "not ok " stage ": " substr($0, 8) }
        END {
            if (status == 124 || status == 137)
                print "not ok " stage ": not finished within " seconds " s, or killed"
            else if (status != 0 && !bad)
                print "not ok " stage ": exit status " status
            else if (status == 0 && !lines)
                print "ok " stage
        }' "$log")
    printf '%s\n' "$new" >>"$results"
    printf '== %s: %d s, exit status %d\n' "$stage" $((SECONDS - began)) "$status"
    ! grep -q '^not ok ' <<<"$new"
}

# The last line printed is the one a machine reads; nothing may follow it.
close() {
    [ -f "$results" ] || : >"$results"
    echo
    grep -E '^(not ok|skip|absent) ' "$results" || :
    awk '{ what = ($1 == "not") ? "failed" : ($1 == "ok") ? "passed" : ""
           if (what == "") next
           stage = (what == "failed") ? $3 : $2; sub(/:$/, "", stage)
           if (!(stage in seen)) { seen[stage] = 1; order[++n] = stage }
           count[stage, what]++; total[what]++ }
         END { for (i = 1; i <= n; i++)
                   printf "%-20s %6d passed %4d failed\n", order[i], count[order[i], "passed"], count[order[i], "failed"]
               if (total["passed"] + total["failed"] == 0) print "nothing ran"
               printf "%d passed, %d failed\n", total["passed"], total["failed"]
               exit !(total["failed"] == 0 && total["passed"] > 0) }' "$results"
}

case ${1:-} in
    start | run | absent | close) "$@" ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
