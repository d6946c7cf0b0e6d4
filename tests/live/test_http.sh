#!/usr/bin/env bash
# pgmesh-http on every host of a real cluster: what load balancers are told, before, during and after a switchover.
. "$(dirname "$0")/lib.sh"
live_begin http
member db1 database fra
member db2 database ams
member wit1 witness lux
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

# An order from this very host, with a token; and from another one, without TLS.
token=$("$LIVE_BIN/pgmesh-http" --make-token otto:operator | tee "$work/log/made" | sed -n '2s/ *//p')
sed -n '4s/ *//p' "$work/log/made" >"$work/tokens"
chmod 600 "$work/tokens"
order() { # from, path, body
    in_net "$1" curl -s -m 60 -o "$work/log/answer" -w '%{http_code}' -H "Authorization: Bearer $token" -d "$3" "http://${ADDRESS[db1]}:8008$2"
}
ordered() { [ "$(order "$1" "$2" "$3")" = "$4" ]; }
expect 'without an operator key nothing can be ordered' ordered db1 /switchover '{}' 401
{ echo "http_tokens = $work/tokens"; echo "http_operator_key = $work/mesh/operator/operator.key"; } >>"$work/mesh/db1/node.conf"
kill -HUP "$(pgrep -o -f "pgmesh-http --config $work/mesh/db1/node.conf")"
must 'the configuration is read anew' await 10 ordered db1 /pause '{"reason": "a look"}' 200
expect 'it is paused' [ "$(field db2 .paused)" = true ]
expect 'and by whom is kept' [ "$(field db2 .paused_why)" = 'otto: a look' ]
must 'and resumed' ordered db1 /resume '' 200
expect 'another host needs TLS' ordered db2 /switchover '{}' 403
expect 'a primary is no target' ordered db1 /switchover '{"candidate": "db1"}' 409
expect 'another leader was meant' ordered db1 /switchover '{"leader": "db2"}' 409
must 'a switchover is done' ordered db1 /switchover '{"leader": "db1", "reason": "test"}' 200
expect 'and said so' jq -e '.done and .command == "switch over to db2"' "$work/log/answer"
must 'the new primary is told as primary' await 10 says db2 /primary 200
must 'the old one as replica' await 30 says db1 /replica 200
expect 'and no longer as primary' says db1 /primary 503

if command -v promtool >/dev/null; then
    for name in db1 db2; do
        in_net "$name" curl -s "http://${ADDRESS[$name]}:8008/metrics" >"$work/log/metrics-$name"
        expect "the metrics of $name are as Prometheus wants them" promtool check metrics <"$work/log/metrics-$name"
    done
fi
measures() { in_net "$1" curl -s "http://${ADDRESS[$1]}:8008/metrics" | grep -E "^$2\{[^}]*\} $3\$" >/dev/null; } # name, metric, value
expect 'metrics: the new primary holds the lease' measures db2 pgmesh_primary 1
expect 'metrics: the old one does not' measures db1 pgmesh_primary 0
expect 'metrics: PostgreSQL answers' measures db1 pg_up 1
expect 'metrics: connections are counted' await 10 measures db2 pg_connections '[1-9][0-9]*'
expect 'metrics: the handover is counted' await 10 measures db2 pgmesh_handovers_total 1
expect 'metrics: and how long its promotion took' await 10 measures db2 pgmesh_failover_phase_seconds_sum '0\.[0-9]+'
knows_all() { # name: the state of the whole, after the switchover
    get "$1" /failover/status >/dev/null && jq -e '(.state == "healthy" or .state == "failover_complete") and .currentPrimary == "db2"
        and .standbys[0].promotionEligible and .primary.healthy and .lastFailover.to == "db2" and .lastFailover.kind != "failover"' \
        "$work/log/answer" >/dev/null
}
for name in "${MEMBERS[@]}"; do expect "$name knows the state of the whole" await 20 knows_all "$name"; done

# The lease decides, not what was last heard: an agent that is stopped cannot say that it still holds it.
agent=$(agent_of db2)
kill -STOP "$agent"
must 'the agent is stopped: no primary' await 10 says db2 /primary 503
expect 'and it is not alive' says db2 /liveness 503
kill -CONT "$agent"
must 'somebody is primary again' await 30 eval '[ -n "$(primary)" ]'
exit "$failed"
