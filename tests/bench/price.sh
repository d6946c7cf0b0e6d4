#!/usr/bin/env bash
# What running pgmesh costs in throughput: pgbench against the same three servers, in turn with their agents and without.
#
#     BENCH_ROUNDS=5        pairs of runs
#     BENCH_SECONDS=20      seconds of each
#     BENCH_CLIENTS=4       clients of pgbench
#     BENCH_OUT=FILE        where a line of JSON for each run is added
#
# "Without" are the same data directories under the very configuration that pgmesh had given them, synchronous standbys
# and all; only agents, guards, witnesses and the observer are gone.
. "$(dirname "$0")/../live/lib.sh"
live_begin price
. "$(dirname "$0")/common.sh"

serving() { primary; }
log_tail() { tail -n 5 "$work/log/$1"; }

by_hand() { # name: its server under the configuration that pgmesh left
    on_host "$1" setpriv --reuid=postgres --regid=postgres --init-groups sh -c 'cd / && exec "$@"' sh \
        "$PG_BIN/postgres" -D "$work/$1/data" -c "config_file=$work/$1/as_it_was.conf" </dev/null >>"$work/log/$1-by-hand.log" 2>&1 &
    PID[$1]=$!
    disown
}
both_stream() { [ "$(sql "$was" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'quorum'" 2>/dev/null)" = 2 ]; }

# Standbys go first, so that nobody takes over.
agents_away() {
    local name
    was=$(primary)
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
    await 60 settled 2
}

measure() { # with or without
    local tps latency
    sql "$was" 'CHECKPOINT'
    in_net app "$PG_BIN/pgbench" -h "${ADDRESS[$was]}" -U app -M prepared -N -n -c "${BENCH_CLIENTS:-4}" -j 2 -T "${BENCH_SECONDS:-20}" app \
        >"$work/log/pgbench.txt" 2>&1 || { log_tail pgbench.txt; return 1; }
    tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$work/log/pgbench.txt")
    latency=$(sed -n 's/^latency average = \([0-9.]*\).*/\1/p' "$work/log/pgbench.txt")
    jq -cn --arg with "$1" --argjson round "$round" --argjson tps "$tps" --argjson latency "$latency" --arg durability "$durability" \
        '{system: "pgmesh", price: $with, $round, $durability, $tps, latency_ms: $latency}' >>"$out"
}

three_databases
live_cluster --durability "$durability"
must 'the cluster is whole' await 30 settled 2
was=$(primary)
in_net app "$PG_BIN/pgbench" -h "${ADDRESS[$was]}" -U app -i -q -s 10 app >"$work/log/pgbench-init.txt" 2>&1 || { log_tail pgbench-init.txt; exit 1; }
for round in $(seq "${BENCH_ROUNDS:-5}"); do
    was=$(primary)
    must "round $round, with pgmesh" measure with
    must 'its servers run without it' agents_away
    must "round $round, without" measure without
    must 'it takes them back' agents_back
done
