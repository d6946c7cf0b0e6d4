#!/usr/bin/env bash
# What running pgmesh costs in throughput: pgbench against the same three servers, in turn with their agents and without.
#
#     BENCH_ROUNDS=5        runs without, each between two with
#     BENCH_SECONDS=20      seconds of each
#     BENCH_CLIENTS=4       clients of pgbench
#     BENCH_SCALE=10        of its tables
#     BENCH_PINNED=0        1: the primary's host has processor 0 for itself, all other hosts and pgbench share the rest
#     BENCH_OUT=FILE        where a line of JSON for each run is added
#
# "Without" are the same data directories under the very configuration that pgmesh had given them, synchronous standbys
# and all; only agents, guards, witnesses and the observer are gone.
#
# Six members on one machine cost it what six hosts would each pay a part of. Pinned, the primary's host is weighed alone:
# the figure is that of a host with one processor that is never idle. A slow disk hides it and a capricious one drowns it:
# PGMESH_LIVE_TMP=/dev/shm keeps the files in memory.
. "$(dirname "$0")/../live/lib.sh"
live_begin price
. "$(dirname "$0")/common.sh"
pinned=${BENCH_PINNED:-0}
sync_state=quorum
[ "$durability" != async ] || sync_state=async
last_cpu=$(($(getconf _NPROCESSORS_ONLN) - 1))

serving() { primary; }
log_tail() { tail -n 5 "$work/log/$1"; }

by_hand() { # name: its server under the configuration that pgmesh left
    on_host "$1" setpriv --reuid=postgres --regid=postgres --init-groups sh -c 'cd / && exec "$@"' sh \
        "$PG_BIN/postgres" -D "$work/$1/data" -c "config_file=$work/$1/as_it_was.conf" </dev/null >>"$work/log/$1-by-hand.log" 2>&1 &
    PID[$1]=$!
    disown
}
both_stream() { [ "$(sql "$was" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '$sync_state'" 2>/dev/null)" = 2 ]; }

# What a process starts later stays where it is itself.
pin() {
    local name pid cpus
    [ "$pinned" = 1 ] || return 0
    for name in "${MEMBERS[@]}"; do
        cpus=1-$last_cpu
        [ "$name" != "$was" ] || cpus=0
        for pid in $(pids_of "$name"); do taskset -acp "$cpus" "$pid" >/dev/null 2>&1 || :; done # one may just have ended
    done
}

# Standbys go first, so that nobody takes over.
agents_away() {
    local name
    for name in db1 db2 db3; do cp -p "$work/$name/data/pgmesh.conf" "$work/$name/as_it_was.conf"; done
    for name in app db1 db2 db3; do [ "$name" = "$was" ] || stop "$name" || return 1; done
    stop "$was" wit1 wit2 || return 1
    for name in db1 db2 db3; do by_hand "$name"; done
    await 30 both_stream
}
agents_back() {
    local name
    for name in db1 db2 db3; do
        kill -INT "${PID[$name]}"
        await 30 is_dead "$name" || return 1
        unset "PID[$name]"
    done
    start_all
    await 60 settled 2 && [ "$(primary)" = "$was" ]
}

# Processor time of the primary's host; 0 where there is no cgroup v2 to ask.
host_cpu_us() { awk '$1 == "usage_usec" { n = $2 } END { print n + 0 }' "${cgroup:-/}/$was/cpu.stat" 2>/dev/null || echo 0; }

measure() { # with or without
    local tps latency cpu_us all
    all=0-$last_cpu
    [ "$pinned" = 0 ] || all=1-$last_cpu
    pin
    sql "$was" 'CHECKPOINT'
    cpu_us=$(host_cpu_us)
    in_net app taskset -c "$all" "$PG_BIN/pgbench" -h "${ADDRESS[$was]}" -U app -M prepared -N -n -c "${BENCH_CLIENTS:-4}" -j 2 -T "${BENCH_SECONDS:-20}" app \
        >"$work/log/pgbench.txt" 2>&1 || { log_tail pgbench.txt; return 1; }
    cpu_us=$(($(host_cpu_us) - cpu_us))
    tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$work/log/pgbench.txt")
    latency=$(sed -n 's/^latency average = \([0-9.]*\).*/\1/p' "$work/log/pgbench.txt")
    jq -cn --arg with "$1" --argjson round "$round" --argjson tps "$tps" --argjson latency "$latency" --arg durability "$durability" \
        --argjson pinned "$pinned" --argjson cpu "$cpu_us" --argjson s "${BENCH_SECONDS:-20}" \
        '{system: "pgmesh", price: $with, $round, $durability, pinned: ($pinned == 1), $tps, latency_ms: $latency,
          host_cpu_us_per_transaction: ($cpu / $s / $tps * 10 | round / 10)}' >>"$out"
}

[ "$pinned" = 0 ] || [ "$last_cpu" -gt 0 ] || { not_ok 'BENCH_PINNED needs a second processor'; exit 1; }
three_databases
live_cluster --durability "$durability"
must 'the cluster is whole' await 30 settled 2
was=$(primary)
in_net app "$PG_BIN/pgbench" -h "${ADDRESS[$was]}" -U app -i -q -s "${BENCH_SCALE:-10}" app >"$work/log/pgbench-init.txt" 2>&1 || { log_tail pgbench-init.txt; exit 1; }
round=0
must 'first, with pgmesh' measure with
for round in $(seq "${BENCH_ROUNDS:-5}"); do
    must "round $round: its servers run without it" agents_away
    must "round $round, without" measure without
    must "round $round: it takes them back" agents_back
    must "round $round, with pgmesh" measure with
done
