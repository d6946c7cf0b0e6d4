#!/usr/bin/env bash
# Three of five voters are lost for good, the primary among them. Nobody serves; the operator with the root key names new voters,
# and writes flow with nothing lost. Then the dead come back, all at once: they have no vote, the old primary follows, and once
# they have votes again the cluster fails over as before.
# LIMIT: 240
. "$(dirname "$0")/lib.sh"
live_begin recover
three_databases
live_cluster
writer_start
must 'the cluster has settled' await 30 settled 2
old=$(primary)
lost=("$old" wit1 wit2)
left=()
for name in db1 db2 db3; do [ "$name" = "$old" ] || left+=("$name"); done
asked=${left[0]}
dead=$(printf '%s\n' "${lost[@]}" | sort | paste -sd,)

recover() { # log, options
    local log=$work/log/recover-$1.txt
    shift
    pgmesh_as "$asked" recover --root-key "$work/mesh/root.key" "$@" >"$log" 2>&1
}
says() { grep -qF -- "$2" "$work/log/recover-$1.txt"; } # log, words

expect 'with a majority there it is refused' not recover majority --confirm live --fenced ''
expect '... with the reason' says majority 'a majority of the voters is there'

crash "${lost[@]}"
must 'nobody serves' await 20 not writes_flow 2000
must 'it is seen that a majority is silent' await 20 eval 'recover dry --dry-run && says dry "Certainly dead must be: $dead"'
expect 'nothing acknowledged is lost, it says' says dry 'Loss: none by this record'
expect 'another name is refused' not recover name --confirm lively --fenced "$dead"
expect '... with the reason' says name 'this is cluster live, not lively'
expect 'a silent member that nobody calls dead is refused' not recover forgotten --confirm live --fenced "$old"
expect '... with the reason' says forgotten 'is silent, and not said to be dead'
expect 'nobody confirms: refused' not recover nobody </dev/null
must 'the voters are re-formed' await 20 recover done --confirm live --fenced "$dead" --output json
expect 'as JSON it tells who' eval 'jq -e ".done and (.voters | length == 2)" "$work/log/recover-done.txt" >/dev/null'
must 'one of those left is primary' await 20 primary_is_not "$old"
new=$(primary)
expect 'in a term far above' eval '[ "$(term)" = 1000001 ]'
expect 'writes flow' await 20 writes_flow
expect 'a second time it is refused' not recover again --confirm live --fenced "$dead"
in_history() { pgmesh_as "$asked" history | grep -q re-formed; }
expect 'the history tells it' in_history
explained() { pgmesh_as "$asked" why 1000000 >"$work/log/why.txt" 2>&1; }
expect 'so does "why", and the root'"'"'s word holds' explained

start "${lost[@]}"
must 'the old primary follows' await 60 is_standby "$old"
expect 'the primary is the same' primary_is "$new"
expect 'in the same term' eval '[ "$(term)" = 1000001 ]'
voteless() { field "$1" .voters | jq -e 'length == 2' >/dev/null; } # name
for name in "${lost[@]}"; do expect "$name knows that it does not vote" await 20 voteless "$name"; done
for name in "${lost[@]}"; do must "$name gets a vote" await 20 pgmesh_as "$asked" member vote "$name" on; done
five() { field "$new" .voters | jq -e 'length == 5' >/dev/null; }
must 'five vote again' await 20 five
must 'the cluster has settled again' await 30 settled 2
crash "$new"
must 'it fails over as before' await 30 primary_is_not "$new"
expect 'writes flow' await 20 writes_flow
start "$new"
must 'all follow' await 60 whole 2
prove
