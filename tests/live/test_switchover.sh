#!/usr/bin/env bash
# Planned switchovers: to a standby and back, each to one whose agent was started a moment ago; what cannot be done is refused, and the primary stays.
. "$(dirname "$0")/lib.sh"
live_begin switchover
three_databases
live_cluster
writer_start

# Of the member asked: does that one refuse takeovers because it was started a moment ago?
quarantined() { status app | jq -e --arg n "$1" '.members[] | select(.name == $n) | .quarantine_ms > 0' >/dev/null 2>&1; }
for to in db2 db1; do
    before=$(term)
    kill_agent "$to"
    must "$to, whose agent was started a moment ago, is seen to refuse takeovers" await 10 quarantined "$to"
    # Refused, with nothing changed, until the new agent knows of its PostgreSQL.
    must "switchover to $to is done" await 10 pgmesh_as app switchover --to "$to"
    must "$to is the primary" await 10 primary_is "$to"
    expect "it took one term" [ "$(term)" -eq $((before + 1)) ]
    must "the others follow $to" await 60 whole 2
done

before=$(term)
refused() { ! pgmesh_as app switchover --to "$1" >"$work/log/refused-$1.txt" 2>&1; }
expect 'a switchover to nobody known is refused' refused db9
expect 'a switchover to a witness is refused' refused wit1
crash db3
gone() { [ "$(field db1 '.members[] | select(.name == "db3") | .state')" = silent ]; }
await 10 gone || :
expect 'a switchover to a dead standby is refused' refused db3
expect 'the refusal says why' grep -Eq 'not heard|DETAIL' "$work/log/refused-db3.txt"
expect 'the primary stayed' primary_is db1
expect 'the term stayed' [ "$(term)" -eq "$before" ]
start db3
must 'the standby comes back' await 60 whole 2
prove
