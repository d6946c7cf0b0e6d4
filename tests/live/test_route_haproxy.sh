#!/usr/bin/env bash
# HAProxy with the shipped configuration and pgmesh-http's checks: a switchover, a lost host, readers.
. "$(dirname "$0")/lib.sh"
live_begin route_haproxy
command -v haproxy >/dev/null || { echo 'ok route_haproxy # SKIP there is no haproxy (packaging/install-deps.sh test)'; exit 0; }
three_databases
for name in db1 db2 db3; do EXTRA[$name]="http_listen=${ADDRESS[$name]}:8008"; done
live_cluster
for name in db1 db2 db3; do http_start "$name"; done

sed -e "s,10\.0\.1\.1,${ADDRESS[db1]},; s,10\.0\.2\.1,${ADDRESS[db2]},; s,10\.0\.2\.2,${ADDRESS[db3]}," \
    "$LIVE_ROOT/packaging/haproxy/haproxy.cfg" >"$work/haproxy.cfg"
(
    [ -z "$cgroup" ] || { mkdir -p "$cgroup/proxy" && echo 0 >"$cgroup/proxy/cgroup.procs"; }
    exec setsid nsenter --net="/run/netns/$prefix-app" -- haproxy -db -f "$work/haproxy.cfg"
) </dev/null >"$work/log/haproxy.txt" 2>&1 &
proxy=$!
disown

through() { in_net app psql -XAtq "host=127.0.0.1 port=$1 user=app dbname=app connect_timeout=2" -c "$2" 2>/dev/null; } # port, statement
leads_to() { [ "$(through 5000 'SELECT inet_server_addr()')" = "${ADDRESS[$1]}" ]; }
reads() { [ "$(through 5001 'SELECT pg_is_in_recovery()')" = t ]; }
must 'HAProxy leads to the primary' await 20 leads_to "$(primary)"
expect 'readers come to a standby' await 10 reads
log=$work/log/proxied.acks
(
    [ -z "$cgroup" ] || { mkdir -p "$cgroup/writers" && echo 0 >"$cgroup/writers/cgroup.procs"; }
    exec setsid nsenter --net="/run/netns/$prefix-app" -- "$LIVE_BIN/live/writer" --log "$log" proxy=127.0.0.1:5000
) </dev/null >"$work/log/proxied.txt" 2>&1 &
WRITER_PIDS+=($! "$proxy")
WRITER_LOGS+=("$log")
disown
must 'a writer goes through it' await 20 acks_in "$log"

await 10 settled 2 || :
was=$(primary)
to=$(other_than "$was")
at=$(clock)
must 'a switchover is done' pgmesh_as app switchover --to "$to"
expect 'writes go on' await 10 acks_after "$log" "$(clock)"
read -r ms _ < <(outage "$at" "$(clock)")
say "switchover: no write through HAProxy for $ms ms"
expect 'it leads to the new primary' leads_to "$to"
must 'all stand again' await 60 settled 2

was=$(primary)
at=$(clock)
unplug "$was"
must "with $was unplugged another takes over" await 20 primary_is_not "$was"
expect 'writes go on' await 10 acks_after "$log" "$(clock)"
read -r ms _ < <(outage "$at" "$(clock)")
say "a host unplugged: no write through HAProxy for $ms ms"
expect 'it leads to the new primary' leads_to "$(primary)"
expect 'readers come to a standby' await 10 reads
