#!/usr/bin/env bash
# A running cluster grows and shrinks under writes: a fourth database copies itself in, a third witness gets a vote, the
# primary dies and the new quorum decides; one member is taken out and its key revoked; a restart of everybody, the revoked
# one with its old folder too, finds it all as it was.
. "$(dirname "$0")/lib.sh"
live_begin member
three_databases
# Hosts that are there and belong to nobody yet: the network is made for all, init for the first ones; the application knows
# all databases that there will be.
first=("${MEMBERS[@]}")
member db4 database fra
member wit3 witness lux
every=("${MEMBERS[@]}")
live_network
MEMBERS=("${first[@]}")
live_init
MEMBERS=("${first[@]}")
start_all
must 'a cluster comes up from nothing' await 90 whole 2
must 'the application makes its table' make_ledger "$(primary)"
MEMBERS=("${every[@]}")
writer_start || not_ok 'the writer writes'
MEMBERS=("${first[@]}")

add() { # name
    mkdir -p "$work/$1"
    chown postgres: "$work/$1"
    pgmesh_as db1 member add "$(spec_of "$1")" --root-key "$work/mesh/root.key" --like "$work/mesh/db1" --out "$work/mesh/$1" \
        >"$work/log/add-$1.txt" 2>&1 || { cat "$work/log/add-$1.txt"; return 1; }
    MEMBERS+=("$1")
}
sees_up() { status "$1" | jq -e --arg n "$2" '.members[] | select(.name == $n) | .state == "up"' >/dev/null 2>&1; } # who, whom
votes() { status db2 | jq -e --argjson n "$1" '.voters | length == $n' >/dev/null 2>&1; }

must 'a fourth database is added' add db4
start db4
must 'it copies its data and follows' await 60 is_standby db4
must 'it confirms commits' await 30 whole 3
must 'a third witness is added' add wit3
start wit3
for name in db1 wit1 app db4; do must "$name hears the third witness" await 20 sees_up "$name" wit3; done
must 'the witness gets a vote' pgmesh_as db2 member vote wit3 on
must 'the database gets a vote' pgmesh_as db2 member vote db4 on
must 'seven vote' await 10 votes 7
must 'wit2 loses its vote' pgmesh_as db2 member vote wit2 off
must 'six vote' await 10 votes 6
expect 'the primary cannot be removed' not pgmesh_as db2 member remove "$(primary)"
expect 'every row so far is acknowledged: writes flow' await 10 writes_flow

old=$(primary)
must 'the cluster has settled' await 30 settled 3
crash "$old"
must 'the new quorum decides on another primary' await 30 primary_is_not "$old"
expect 'writes flow again' await 20 writes_flow
start "$old"
must 'the old one follows' await 60 is_standby "$old"
proven() { pgmesh_as "$(primary)" why --output json >"$work/log/why.json" && jq -e '.voters == 6 and .voters_proven and .from_proven and .kind_proven' "$work/log/why.json" >/dev/null; }
expect 'its certificate proves that it was the voters, step by step from those of the beginning' await 10 proven

gone=db3
[ "$(primary)" != db3 ] || gone=db2
must 'a database is taken out and revoked' pgmesh_as wit1 member remove "$gone" --root-key "$work/mesh/root.key"
listed() { status wit1 | jq -e --arg n "$1" 'any(.sync.members[], .voters[]; . == $n)' >/dev/null 2>&1; }
expect 'the record does not name it' not listed "$gone"
deaf() { ! sees_up "$(primary)" "$gone"; }
expect 'it is not heard any more' await 20 deaf
stop "$gone" || crash "$gone"
must 'durability becomes strict' pgmesh_as wit1 durability strict
must 'the others are whole' await 30 whole 2

# Everybody stops and starts; the revoked one comes with the folder that init made, as if from a backup.
now=$(primary)
others=()
for name in "${MEMBERS[@]}"; do [ "$name" = "$gone" ] || others+=("$name"); done
crash "${others[@]}"
MEMBERS=("${others[@]}")
start_all
must 'all come back' await 60 whole 2
must 'the same primary' primary_is "$now"
expect 'durability is what it was' eval '[ "$(field wit1 .durability)" = strict ]'
votes_after() { status wit3 | jq -e '.voters | length == 5 and any(. == "wit3") and any(. == "db4")' >/dev/null 2>&1; }
expect 'so are the voters' votes_after
rm -f "$work/mesh/$gone/state/roster"
start "$gone"
expect 'the revoked one is refused, whatever cluster file it has' never 5 sees_up "$now" "$gone"
refused() { [ "$(status wit1 | jq '.counters.refused_key // 0')" -gt 0 ]; } # its old cluster file knows wit1
expect 'its key is counted as refused' await 20 refused
crash "$gone"
writes=$(clock)
expect 'writes flow' await 20 acks_after "${WRITER_LOGS[0]}" "$writes"
prove
