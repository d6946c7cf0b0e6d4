#!/usr/bin/env bash
# Runs the fuzz targets and prints one line per target.
#
#   tests/run-fuzz.sh corpus BINARY...          every file of the target's corpus once, nothing random
#   tests/run-fuzz.sh hunt SECONDS BINARY...    libFuzzer looks for new inputs
#
# The corpus of fuzz_frame is tests/fuzz/corpus/frame/. What a hunt finds is left below $PGMESH_BUILD.
set -euo pipefail

mode=${1:?corpus or hunt}
shift
if [ "$mode" = hunt ]; then
    seconds=${1:?seconds}
    shift
fi
[ $# -gt 0 ] || { echo 'not ok no fuzz target was named'; exit 1; }

failed=0
for binary in "$@"; do
    target=${binary##*/fuzz_}
    corpus=tests/fuzz/corpus/$target
    status=0
    case $mode in
        corpus)
            "$binary" "$corpus" || status=$? ;;
        hunt)
            found=${PGMESH_BUILD:-build}/found/$target
            mkdir -p "$found/corpus"
            seeds=()
            if [ -d "$corpus" ]; then
                seeds=("$corpus")
            fi
            "$binary" -max_total_time="$seconds" -timeout=10 -print_final_stats=1 \
                -artifact_prefix="$found/" "$found/corpus" "${seeds[@]}" || status=$? ;;
        *)
            echo "not ok unknown mode \"$mode\""; exit 2 ;;
    esac
    if [ "$status" -eq 0 ]; then
        echo "ok $mode $target"
    else
        echo "not ok $mode $target: exit status $status"
        failed=1
    fi
done
exit $failed
