#!/usr/bin/env bash
# A new database joins a running cluster by a token, under writes: it fetches its folder over HTTP, copies its data, confirms commits. Five
# more come with the same token, and one gets nothing but words; a thief's garbage costs nobody anything.
. "$(dirname "$0")/lib.sh"
live_begin invite
member db1 database fra
member db2 database ams
member wit1 witness lux
member app observer -
first=("${MEMBERS[@]}")
member db3 database lux
every=("${MEMBERS[@]}")
live_network
MEMBERS=("${first[@]}")
EXTRA[db1]="http_listen=${ADDRESS[db1]}:8008"
live_init
start_all
must 'a cluster comes up from nothing' await 90 whole 1
must 'the application makes its table' make_ledger "$(primary)"
on_host db1 "$LIVE_BIN/pgmesh-http" --config "$work/mesh/db1/node.conf" </dev/null >>"$work/log/http-db1.log" 2>&1 &
disown
url=http://${ADDRESS[db1]}:8008
serves() { in_net db3 curl -s -m 5 -o /dev/null "$url/liveness"; }
must 'pgmesh-http answers the new host' await 10 serves
MEMBERS=("${every[@]}")
writer_start || not_ok 'the writer writes'
MEMBERS=("${first[@]}")

mkdir -p "$work/db3"
chown postgres: "$work/db3"
invite() {
    pgmesh_as db1 member invite "$(spec_of db3)" --root-key "$work/mesh/root.key" --like "$work/mesh/db1" --token-file "$work/token" --valid 10min \
        >"$work/log/invite.txt" 2>&1 || { cat "$work/log/invite.txt"; return 1; }
}
must 'a third database is invited' invite
expect 'it has its place in the record' eval 'status db2 | jq -e "any(.members[]; .name == \"db3\")" >/dev/null'

# Whoever is on the network, without a token and with guesses.
garbage() {
    local i
    for i in $(seq 200); do
        head -c 200 /dev/urandom
    done | in_net wit1 curl -s -m 5 -o /dev/null --data-binary @- "$url/join"
    for i in $(seq 40); do
        in_net wit1 curl -s -m 5 -o /dev/null -d "{\"claim\":\"$(openssl rand -hex 32)\",\"taker\":\"$(openssl rand -hex 32)\"}" "$url/join"
    done
    :
}
garbage
join() { in_net "$1" "$LIVE_BIN/pgmesh" join --from "$url" --token-file "$work/token" --out "$2" >"$work/log/join-$1-$3.txt" 2>&1; } # host, folder, number
must 'the host joins by its token' join db3 "$work/mesh/db3" 0
expect 'its key is a secret' [ "$(stat -c %a "$work/mesh/db3/member.key")" = 600 ]
MEMBERS+=(db3)
start db3
must 'it copies its data and follows' await 60 is_standby db3
must 'it confirms commits' await 30 whole 2

thieves() {
    local i pids=()
    for i in 1 2 3 4 5; do join wit1 "$work/stolen$i" "$i" & pids+=($!); done
    for i in "${pids[@]}"; do wait "$i" && return 1; done
    ! ls -d "$work"/stolen* >/dev/null 2>&1
}
expect 'five more with the same token get nothing' thieves
expect 'and are told why' [ "$(cat "$work"/log/join-wit1-*.txt | grep -c 'the token was used already')" = 5 ]
reused() { "$LIVE_BIN/pgmesh" member invite --list --control "$work/mesh/db1/state/control.sock" --output json | jq -e --arg a "${ADDRESS[db3]}" \
    '.invitations[0] | .name == "db3" and .state == "taken" and .from == $a and .reused == 5' >/dev/null; }
expect 'the list tells who came, and how many came after' reused
expect 'the journal has it' grep -q "event .* invite-reused ${ADDRESS[wit1]} came with the token of db3, which ${ADDRESS[db3]} had used" "$work/mesh/db1/state/journal"
now=$(clock)
expect 'writes flow' await 20 acks_after "${WRITER_LOGS[0]}" "$now"
expect 'nobody failed over' [ "$(term)" = 1 ]
prove
