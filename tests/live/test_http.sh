#!/usr/bin/env bash
# pgmesh-http on every host of a real cluster: what load balancers are told, before, during and after a switchover.
. "$(dirname "$0")/lib.sh"
live_begin http
member db1 database fra
member db2 database ams
member wit1 witness lux
http_start() { # name: beside the member, as it was configured by live_init
    on_host "$1" "$LIVE_BIN/pgmesh-http" --config "$work/mesh/$1/node.conf" </dev/null >>"$work/log/http-$1.log" 2>&1 &
    disown
}
get() { # name, path, curl's options: the status alone
    in_net "$1" curl -s -m 5 -o "$work/log/answer" -w '%{http_code}' "${@:3}" "http://${ADDRESS[$1]}:8008$2"
}
says() { [ "$(get "$1" "$2" "${@:4}")" = "$3" ]; } # name, path, status, curl's options
for name in "${MEMBERS[@]}"; do EXTRA[$name]="http_listen=${ADDRESS[$name]}:8008"; done

live_cluster
for name in "${MEMBERS[@]}"; do http_start "$name"; done
must 'the primary is told as primary' await 10 says db1 /primary 200
for path in /master /leader /read-write /read-only /health /liveness /readiness; do expect "primary: $path" says db1 "$path" 200; done
for path in /replica /standby-leader /sync /async; do expect "primary: not $path" says db1 "$path" 503; done
for path in /replica '/replica?lag=10MB' /read-only /sync /health /readiness; do expect "standby: $path" says db2 "$path" 200; done
for path in /primary /async /standby-leader; do expect "standby: not $path" says db2 "$path" 503; done
expect 'witness: not /primary' says wit1 /primary 503
expect 'witness: /health' says wit1 /health 200
expect 'OPTIONS, as HAProxy asks' says db1 /primary 200 -X OPTIONS
expect 'HEAD' says db1 /primary 200 -I

must 'a switchover is done' pgmesh_as db1 switchover --to db2
must 'the new primary is told as primary' await 10 says db2 /primary 200
must 'the old one as replica' await 30 says db1 /replica 200
expect 'and no longer as primary' says db1 /primary 503

# The lease decides, not what was last heard: an agent that is stopped cannot say that it still holds it.
agent=$(agent_of db2)
kill -STOP "$agent"
must 'the agent is stopped: no primary' await 10 says db2 /primary 503
expect 'and it is not alive' says db2 /liveness 503
kill -CONT "$agent"
must 'somebody is primary again' await 30 primary
exit "$failed"
