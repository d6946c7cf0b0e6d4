#!/usr/bin/env bash
# Runs unit test binaries and prints one line per check: `ok BINARY/TEST` or `not ok BINARY/TEST: why`.
#
#   tests/run-unit.sh BINARY...
#
# The checks are read from libcheck's TAP log. A binary that is missing, dies, prints fewer checks than it
# planned, or plans none, is a failure of its own: silence is never a pass.
set -euo pipefail

[ $# -gt 0 ] || { echo 'not ok no unit test binary was named'; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

for binary in "$@"; do
    name=${binary##*/}
    if [ ! -x "$binary" ]; then
        echo "not ok $name: not built"
        failed=1
        continue
    fi
    rm -f "$tmp/tap"
    status=0
    CK_TAP_LOG_FILE_NAME=$tmp/tap CK_VERBOSITY=${CK_VERBOSITY:-normal} \
        CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-60} timeout -k 5 "${UNIT_SECONDS:-180}" \
        "$binary" >"$tmp/out" 2>&1 </dev/null || status=$?
    touch "$tmp/tap"

    # Check writes: ok 3 - tests/unit/test_x.c:case:test_name: Passed
    if ! awk -v name="$name" -v status="$status" '
        /^1\.\.[0-9]+/ { planned = substr($0, 4) + 0 }
        /^(not )?ok /  { lines++
                         good = ($1 == "ok")
                         text = $0; sub(/^(not )?ok [0-9]+ - /, "", text); sub(/^[^:]*:/, "", text)
                         split(text, part, ":")
                         test = part[2] != "" ? part[2] : part[1]
                         if (good) print "ok " name "/" test
                         else { bad++; print "not ok " name "/" test ": " substr(text, length(part[1] ":" part[2] ": ") + 1) } }
        END { if (lines != planned) { bad++; printf "not ok %s: planned %d checks, reported %d\n", name, planned, lines }
              else if (!lines)      { bad++; printf "not ok %s: no checks, exit status %d\n", name, status }
              else if (status && !bad) { bad++; printf "not ok %s: exit status %d\n", name, status }
              exit bad > 0 }' "$tmp/tap"
    then
        failed=1
        sed 's/^/    /' "$tmp/out" | tail -n 60
    fi
done
exit $failed
