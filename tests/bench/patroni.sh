#!/usr/bin/env bash
# The same faults, client and hosts for Patroni with etcd, both from Debian's packages.
#
#     BENCH_PEER=default    ttl 30, loop_wait 10, retry_timeout 10; "fastest": 20, 1 and 3, the least that its documentation allows
#     BENCH_N, BENCH_FAULTS, BENCH_IDLE, BENCH_DURABILITY (sync, async), BENCH_OUT   as in pgmesh.sh
#
# Three databases in two sites; etcd on three hosts of its own, one in each site, so that no database's loss takes an
# etcd with it: kinder than the usual layout. An agent that dies is started again at once, as its unit would.
. "$(dirname "$0")/../live/lib.sh"
live_begin patroni
. "$(dirname "$0")/common.sh"
peer=${BENCH_PEER:-default}
case $peer in
    default) system=patroni ttl=30 loop_wait=10 retry_timeout=10 ;;
    fastest) system=patroni-fastest ttl=20 loop_wait=1 retry_timeout=3 ;;
    *) say "there is no BENCH_PEER=$peer"; exit 1 ;;
esac
BENCH_WAIT=${BENCH_WAIT:-90}
LIVE_POLL=0.5 # what is awaited takes tens of seconds; several of these can run side by side
for tool in patroni patronictl etcd; do
    command -v "$tool" >/dev/null || { not_ok "$tool is not installed (packaging/install-deps.sh peers)"; exit 1; }
done

harm_host_cut() { unplug "$was"; }
mend_host_cut() { heal "$was"; }
harm_host_crash() { crash_now "$was"; }
mend_host_crash() { await 10 is_dead "$was" && start_patroni "$was"; }
harm_postmaster_kill() { kill -KILL "$postmaster"; }
mend_postmaster_kill() { :; }
harm_agent_kill() { kill -KILL "$agent"; }
mend_agent_kill() { await 10 another_agent; }
another_agent() { local now; now=$(agent_of "$was") && [ "$now" != "$agent" ]; }
harm_switchover() { patronictl -c "$work/$was/patroni.yml" switchover --master "$was" --candidate "$target" --force live >"$work/log/switchover.txt" 2>&1; }
patronictl() { in_net app patronictl "$@"; }
mend_switchover() { :; }
harm_site_loss() { cut_site "${SITE[$was]}"; }
mend_site_loss() { uncut_site "${SITE[$was]}" && await 120 in_order && await 60 homeward; }
homeward() { was=$(serving) target=$alone; [ "$was" = "$alone" ] || { harm_switchover && await 30 serves "$alone"; }; }
# One standby is synchronous: the one in the other site, where a site is to be lost.
nosync() { case "$1 ${BENCH_FAULTS-}" in db3\ *site_loss*) echo true ;; *) echo false ;; esac; }

phases() { :; }
is_ours() { case $(tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null) in *bin/patroni* | *bin/etcd*) ;; *) return 1 ;; esac; }
agent_of() { local pid; for pid in $(pids_of "$1"); do case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in *python3*bin/patroni*) echo "$pid"; return ;; esac; done; return 1; }
last_server() { tac "${WRITER_LOGS[0]}" 2>/dev/null | awk '$1 == "ack" { print $3; exit }'; }

# Who takes writes: the one that the client reached last, or, before there is a client, the one out of recovery.
serving() {
    local name
    if [ ${#WRITER_LOGS[@]} -gt 0 ]; then last_server; return; fi
    for name in db1 db2 db3; do if [ "$(sql "$name" 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; then echo "$name"; return; fi; done
}
heir() { sql "$was" "SELECT application_name FROM pg_stat_replication ORDER BY sync_state IN ('sync', 'quorum') DESC LIMIT 1"; }
# The number of promotions there were.
changes() { local now; now=$(serving); [ -z "$now" ] || sql "$now" "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int" 2>/dev/null || echo 0; }
in_order() {
    [ $(($(clock) - last_start_us)) -gt $(((loop_wait + 2) * 1000000)) ] || return 1
    local now
    now=$(serving)
    [ -n "$now" ] &&
        [ "$(sql "$now" "SELECT count(DISTINCT application_name) >= 2 FROM pg_stat_replication WHERE state = 'streaming'" 2>/dev/null)" = t ] && all_listed "$now"
}
# A standby streams some seconds before etcd knows it as the synchronous one, and only that one may take over.
all_listed() { # primary
    patronictl -c "$work/$1/patroni.yml" list -f json 2>/dev/null | jq -e --argjson synchronous "$synchronous" '
        length == 3 and all(.[]; .State == "running" or .State == "streaming") and ([.[].TL] | unique | length) == 1
        and (($synchronous | not) or any(.[]; .Role == "Sync Standby"))' >/dev/null
}

synchronous=true
[ "$durability" != async ] || synchronous=false

start_etcd() { # name
    on_host "$1" etcd --name "$1" --data-dir "$work/$1/etcd" --listen-client-urls "http://${ADDRESS[$1]}:2379" --advertise-client-urls "http://${ADDRESS[$1]}:2379" \
        --listen-peer-urls "http://${ADDRESS[$1]}:2380" --initial-advertise-peer-urls "http://${ADDRESS[$1]}:2380" \
        --initial-cluster "$(for name in etc1 etc2 etc3; do printf '%s=http://%s:2380,' "$name" "${ADDRESS[$name]}"; done | sed 's/,$//')" \
        --initial-cluster-state new </dev/null >"$work/log/$1.log" 2>&1 &
    PID[$1]=$!
    disown
}
settings() { # name
    cat <<YML
scope: live
name: $1
restapi: {listen: "${ADDRESS[$1]}:8008", connect_address: "${ADDRESS[$1]}:8008"}
etcd3: {hosts: ["${ADDRESS[etc1]}:2379", "${ADDRESS[etc2]}:2379", "${ADDRESS[etc3]}:2379"]}
bootstrap:
  dcs:
    ttl: $ttl
    loop_wait: $loop_wait
    retry_timeout: $retry_timeout
    synchronous_mode: $synchronous
    postgresql: {use_pg_rewind: true, use_slots: true, parameters: {wal_retrieve_retry_interval: 100ms}}
  initdb: [encoding: UTF8, data-checksums]
  pg_hba: ["local all all trust", "host all all 10.77.0.0/16 trust", "host replication all 10.77.0.0/16 trust"]
postgresql:
  listen: "${ADDRESS[$1]}:5432"
  connect_address: "${ADDRESS[$1]}:5432"
  data_dir: $work/$1/data
  bin_dir: $PG_BIN
  pgpass: $work/$1/pgpass
  authentication: {superuser: {username: postgres, password: secret}, replication: {username: replicator, password: secret}, rewind: {username: rewind, password: secret}}
  parameters: {unix_socket_directories: "$work/$1"}
tags: {nosync: $(nosync "$1")}
YML
}
start_patroni() { # name
    last_start_us=$(clock)
    on_host "$1" setpriv --reuid=postgres --regid=postgres --init-groups sh -c 'cd "$2"; while :; do patroni "$1"; done' sh "$work/$1/patroni.yml" "$work/$1" \
        </dev/null >>"$work/log/$1.log" 2>&1 &
    PID[$1]=$!
    disown
}

member db1 database fra
member db2 database ams
member db3 database ams
member etc1 etcd fra
member etc2 etcd ams
member etc3 etcd lux
member app client -
live_network
for name in etc1 etc2 etc3; do mkdir -p "$work/$name"; start_etcd "$name"; done
for name in db1 db2 db3; do
    mkdir -p "$work/$name"
    settings "$name" >"$work/$name/patroni.yml"
    chown -R postgres: "$work/$name"
    start_patroni "$name"
done
must 'a cluster comes up from nothing' await 120 in_order
must 'the application makes its table' make_ledger "$(serving)"
[ "$idle" -eq 0 ] || footprint
writer_start
# shellcheck disable=SC2086 # words on purpose
all_runs ${BENCH_FAULTS:-host_cut host_crash postmaster_kill agent_kill switchover} || :
writers_stop || not_ok 'the writer ends'
# What the peer lost or let two servers acknowledge is a result, not a failure of the measurement.
nothing_lost "$(serving)" && complaints=0 || complaints=$(grep -c . "$work/log/checker.txt")
record_proof "$complaints"
