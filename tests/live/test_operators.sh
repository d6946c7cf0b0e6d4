#!/usr/bin/env bash
# Persons and roles on a running cluster, under writes: an operator moves the primary and may no more; a second admin turns the rule of
# two on; nothing is done with one signature, with two it is, and both names are told; a revoked key orders nothing, after a restart of
# everybody too.
. "$(dirname "$0")/lib.sh"
live_begin operators
three_databases
live_cluster
writer_start || not_ok 'the writer writes'

root=(--root-key "$work/mesh/root.key")
printf 'correct horse battery\n' >"$work/pass"
chmod 600 "$work/pass"
by() { # key, member, command...
    local key=$1 name=$2
    shift 2
    "$LIVE_BIN/pgmesh" "$@" --key "$work/$key.key" --key-passphrase-file "$work/pass" --config "$work/mesh/operator/pgmesh.conf" \
        --control "$work/mesh/$name/state/control.sock"
}
# wanted exit code, command...
exits() {
    local wanted=$1 code=0
    shift
    "$@" >"$work/log/last.txt" 2>&1 || code=$?
    [ "$code" = "$wanted" ] || { say "exit code $code: $(tr '\n' ' ' <"$work/log/last.txt")"; return 1; }
}
person() { pgmesh_as wit1 operator add "$1" --role "$2" --out "$work/$1.key" --key-passphrase-file "$work/pass" "${root[@]}" >/dev/null; }
knows() { "$LIVE_BIN/pgmesh" operator list --config "$work/mesh/$1/node.conf" --output json | jq -e --arg n "$2" "$3" >/dev/null 2>&1; }
everybody() { # name, condition
    local m
    for m in "${MEMBERS[@]}"; do await 20 knows "$m" "$1" "$2" || return 1; done
}

must 'an operator is added' person otto operator
must 'every member knows him' everybody otto 'any(.persons[]; .name == $n and .valid)'
old=$(primary)
new=db2
[ "$old" != db2 ] || new=db1
must 'he moves the primary' by otto wit2 switchover --to "$new"
must 'it has moved' await 20 primary_is "$new"
reason() { "$LIVE_BIN/pgmesh" history --config "$work/mesh/$1/node.conf" --output json | jq -e '.history[-1].reason == "planned switchover, ordered by otto"' >/dev/null; }
expect 'history names him, wherever it is asked' reason wit1
expect 'he changes no durability' exits 5 by otto db3 durability strict
expect 'he removes nobody' exits 5 by otto db3 member remove wit2
must 'the cluster is whole' await 60 whole 2

must 'a second admin is added' person anna admin
must 'every member knows that it takes two now' everybody anna '.two_persons'
expect 'one admin alone gives no durability up' exits 9 pgmesh_as db1 durability async
expect 'what takes one takes one' exits 0 pgmesh_as db1 pause --reason 'a test'
expect 'and ends so' exits 0 pgmesh_as db1 resume
must 'given again on the record of now, it waits' exits 9 pgmesh_as db1 durability async
waits() { "$LIVE_BIN/pgmesh" pending --config "$work/mesh/$1/node.conf" --output json | jq -r '.pending[0].number // empty'; }
shown() { [ -n "$(waits "$1")" ]; }
must 'another site shows it' await 10 shown wit2
number=$(waits wit2)
expect 'with one signature nothing was done' [ "$(field db1 .durability)" = sync ]
expect 'an operator cannot approve it' exits 5 by otto wit2 approve "$number"
must 'the other admin approves, by way of another member' by anna wit2 approve "$number"
durability_is() { [ "$(field wit1 .durability)" = "$1" ]; }
must 'durability is async' await 10 durability_is async
both() { grep -q 'event .* +order operator (an admin) orders: durability async; approved by anna' "$work/mesh/$(primary)/state/journal"; }
expect 'both names are in the journal of the primary' both
expect 'a replayed approval does nothing' exits 6 by anna wit2 approve "$number"
must 'durability goes up with one' pgmesh_as db1 durability sync
must 'the cluster is whole again' await 60 whole 2

# Both admins accept a loss: the primary and a standby are lost together.
now=$(primary)
for name in db1 db2 db3; do [ "$name" = "$now" ] || left=$name; done
gone=()
for name in db1 db2 db3; do [ "$name" = "$left" ] || gone+=("$name"); done
term=$(field wit1 .term)
crash "${gone[@]}"
loss=(failover --to "$left" --allow-data-loss --cluster "$(field wit1 .cluster)" --term "$term")
verdict_gone() { status "$left" | jq -e '.verdict == "gone"' >/dev/null 2>&1; }
must 'the primary is seen to be gone' await 20 verdict_gone
must 'one admin alone accepts no loss' exits 9 pgmesh_as wit1 "${loss[@]}"
must 'the other member shows it' await 10 shown "$left"
expect 'nobody was promoted' [ "$(field wit1 .term)" = "$term" ]
must 'two admins do' by anna "$left" approve "$(waits "$left")"
must 'it serves' await 30 primary_is "$left"
why() { "$LIVE_BIN/pgmesh" why --config "$work/mesh/wit1/node.conf" --output json | jq -e "$1" >/dev/null; }
expect 'why names both, and both signatures hold' why '.order | .operator == "operator" and .approved_by == "anna" and .allow_data_loss and .valid'
expect 'the certificate is valid' why .valid
start "${gone[@]}"
must 'the others come back' await 90 whole 2

# A member goes, with two signatures; its certificate with the root key, once it is out.
must 'a removal waits' exits 9 pgmesh_as wit1 member remove wit2 "${root[@]}"
must 'every member shows it' await 10 shown "$left"
must 'the other admin approves' by anna "$left" approve "$(waits "$left")"
voters() { [ "$(status wit1 | jq '.voters | length')" = "$1" ]; }
must 'it votes no more' await 10 voters 4
must 'given again, the certificate is revoked' exits 0 pgmesh_as wit1 member remove wit2 "${root[@]}"

crash wit2
kept=()
for name in "${MEMBERS[@]}"; do [ "$name" = wit2 ] || kept+=("$name"); done
MEMBERS=("${kept[@]}")

must 'the second admin is revoked' pgmesh_as wit1 operator remove anna "${root[@]}"
must 'every member hears of it' everybody anna 'any(.persons[]; .name == $n and .revoked) and (.two_persons | not)'
expect 'her orders are refused' exits 1 by anna db1 pause
crash "${MEMBERS[@]}"
start_all
must 'after a restart of everybody all come back' await 90 whole 2
expect 'her orders are refused still' exits 1 by anna db1 pause
expect 'one admin is enough again' exits 0 pgmesh_as db1 durability async
prove
