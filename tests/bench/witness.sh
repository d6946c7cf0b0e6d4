#!/usr/bin/env bash
# What a witness costs that serves many clusters, and how late its grants come. Needs root, for a network of its own; no PostgreSQL.
#
#     tests/bench/witness.sh [CLUSTERS...]       1 50 100 200
#
#   WITNESS_SECONDS=60     counted
#   WITNESS_SETTLE=10      after the clusters have served for so many seconds
#
# A real pgmesh-witness, one process, one --config for each cluster. Two databases of each cluster live in another process
# (herd.c): real cores, real links to the witness. Both run with real-time priority, as a witness does.
# One line of JSON for each number of clusters; `grant_us` is from the moment at which a primary sent its heartbeat until the
# witness's grant for it is there, `herd_late_us` how late the herd itself was woken.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${PGMESH_BUILD:-build/default} seconds=${WITNESS_SECONDS:-60}
[ "$(id -u)" -eq 0 ] || { echo 'witness.sh: it needs root, for a network of its own' >&2; exit 1; }
[ -x "$build/bench/herd" ] || { echo "witness.sh: there is no $build/bench/herd (make bench-build)" >&2; exit 1; }
if [ -z "${WITNESS_INSIDE:-}" ]; then
    WITNESS_INSIDE=1 exec unshare --net "$0" "$@"
fi
ip link set lo up
[ $# -gt 0 ] || set -- 1 50 100 200
most=$(printf '%s\n' "$@" | sort -n | tail -n 1)
work=$(mktemp -d /tmp/pgmesh-witness.XXXXXX)
witness='' herd='' realtime=(env)
! chrt -r 1 true 2>/dev/null || realtime=(chrt -r 1)
end() {
    local pid
    for pid in $herd $witness; do kill "$pid" 2>/dev/null || :; done
    wait
    rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM

for ((i = 1; i <= most; i++)); do
    "$build/pgmesh" init --open-root-key --cluster "c$i" --out "$work/c$i" --durability async \
        --member "db1,database,a,127.0.0.1:$((20000 + i))" --member "db2,database,b,127.0.0.2:$((20000 + i)),data=/nowhere" \
        --member "wit1,witness,c,127.0.0.3:$((20000 + i))" >"$work/init.txt" 2>&1 || { cat "$work/init.txt"; exit 1; }
done

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # pid: hundredths of a second of CPU
counting() { grep -q '^herd: counting' "$work/herd.log"; }
ended() { ! kill -0 "$herd" 2>/dev/null; }

measure() { # clusters
    local options=() i before after herd_before herd_after
    for ((i = 1; i <= $1; i++)); do options+=(--config "$work/c$i/wit1/node.conf"); done
    for ((i = 1; i <= $1; i++)); do
        rm -f "$work/c$i"/*/state/store.1
        for member in db1 db2 wit1; do # as it was made: each number of clusters begins anew
            [ -f "$work/c$i/$member/first" ] || cp "$work/c$i/$member/state/store" "$work/c$i/$member/first"
            cp "$work/c$i/$member/first" "$work/c$i/$member/state/store"
        done
    done
    "$build/pgmesh-witness" "${options[@]}" >"$work/witness.log" 2>&1 &
    witness=$!
    "${realtime[@]}" "$build/bench/herd" "$work" "$1" "$seconds" "${WITNESS_SETTLE:-10}" >"$work/herd.json" 2>"$work/herd.log" &
    herd=$!
    until counting || ended; do sleep 0.1; done
    before=$(ticks "$witness") herd_before=$(ticks "$herd")
    sleep "$((seconds - 1))"
    after=$(ticks "$witness") herd_after=$(ticks "$herd")
    local memory descriptors
    memory=$(awk '/^Pss:/ { print $2 }' "/proc/$witness/smaps_rollup")
    descriptors=$(find "/proc/$witness/fd" -mindepth 1 | wc -l)
    wait "$herd" || { cat "$work/herd.log" >&2; tail -n 20 "$work/witness.log" >&2; }
    herd=
    kill "$witness"
    wait "$witness" || :
    witness=
    jq -c --argjson cpu "$((after - before))" --argjson herd "$((herd_after - herd_before))" --argjson s "$((seconds - 1))" \
        --argjson pss "$memory" --argjson fds "$descriptors" --argjson busy "$(awk '{ print $1 }' /proc/loadavg)" \
        '. + {cpu_percent: ($cpu / $s), cpu_percent_per_cluster: ($cpu / $s / .clusters), herd_cpu_percent: ($herd / $s),
              pss_kb: $pss, descriptors: $fds, load: $busy}' "$work/herd.json"
}
for n in "$@"; do measure "$n"; done
