#!/usr/bin/env bash
# Wrong input: refused with a reason, counted, and the cluster goes on.
. "$(dirname "$0")/lib.sh"
live_begin bad_input
three_databases
live_cluster
writer_start
before=$(term) was=$(primary)

# ---- configuration: file and line, what is wrong, what was meant
refuses() { # name of the case, sed script for db2's node.conf, text expected
    sed -e "$2" "$work/mesh/db2/node.conf" >"$work/mesh/db2/wrong.conf"
    ! timeout 10 "$LIVE_BIN/pgmesh-node" --config "$work/mesh/db2/wrong.conf" >"$work/log/wrong.txt" 2>&1 &&
        grep -Eq -- "$3" "$work/log/wrong.txt"
}
expect 'an unknown key is refused, with a suggestion' refuses key '$a lese = 600ms' 'wrong.conf:[0-9]+.*lese|lease'
expect 'a value out of range is refused' refuses range '$a lease = 1ms' 'wrong.conf:[0-9]+'
expect 'a member that is not in the roster is refused' refuses self 's/^member = .*/member = db9/' 'db9'
expect 'a folder that does not exist is refused' not timeout 10 "$LIVE_BIN/pgmesh-node" --config "$work/none/node.conf" 2>/dev/null
foreign_key() {
    cp -r "$work/mesh/db2" "$work/stolen"
    cp "$work/mesh/db3/member.key" "$work/stolen/member.key"
    ! timeout 10 "$LIVE_BIN/pgmesh-node" --config "$work/stolen/node.conf" >"$work/log/foreign-key.txt" 2>&1
}
expect "another member's key is refused" foreign_key
open_key() {
    cp "$work/mesh/db2/member.key" "$work/stolen/member.key"
    chmod 644 "$work/stolen/member.key"
    ! timeout 10 "$LIVE_BIN/pgmesh-node" --config "$work/stolen/node.conf" >"$work/log/open-key.txt" 2>&1
}
expect 'a key that others may read is refused' open_key

# ---- an agent below a guard of another version: it would put the deadline where nobody reads it
other_guard() {
    printf '\0\0\0\0\2\0\0\0' >"$work/page"
    truncate -s 80 "$work/page"
    ! PGMESH_GUARD_PAGE=7 PGMESH_GUARD_BELL=7 PGMESH_GUARD_SELF=7 PGMESH_CGROUP='' timeout 10 "$LIVE_BIN/pgmesh-node" --agent \
        --config "$work/mesh/db2/node.conf" 7<>"$work/page" >"$work/log/other-guard.txt" 2>&1 &&
        grep -q 'layout 2' "$work/log/other-guard.txt"
}
expect "an agent refuses a guard whose page it does not know" other_guard

# ---- a PostgreSQL that writes without end, on the disk of the votes
log=$work/mesh/db2/state/postgresql.log
head -c 20M /dev/zero | tr '\0' x >>"$log"
short() { [ "$(stat -c %s "$log")" -lt 1000000 ]; }
expect "its log begins anew" await 15 short
expect 'the newest 16 MB of it are kept' [ "$(stat -c %s "$log.1")" = $((16 << 20)) ]

# ---- garbage on the port
garbage() {

    for _ in 1 2 3 4 5; do
        head -c 65536 /dev/urandom | in_net app timeout 2 bash -c "cat >/dev/tcp/${ADDRESS[$was]}/7400" 2>/dev/null || :
        printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | in_net app timeout 1 bash -c "cat >/dev/tcp/${ADDRESS[$was]}/7400" 2>/dev/null || :
    done
}
garbage
expect 'random bytes on the port change nothing' whole 2

# ---- another cluster of the same name, at the same ports
foreign_cluster() {
    local specs=() name
    for name in "${MEMBERS[@]}"; do specs+=(--member "$(spec_of "$name")"); done
    "$LIVE_BIN/pgmesh" init --open-root-key --cluster live --out "$work/other" "${specs[@]}" >/dev/null || return 1
    sed -i 's/^#*listen = .*//; $a listen = '"${ADDRESS[app]}"':7999' "$work/other/wit1/node.conf"
    on_host app "$LIVE_BIN/pgmesh-witness" --config "$work/other/wit1/node.conf" </dev/null >"$work/log/other.log" 2>&1 &
    disown
    refused_somewhere() {
        local name
        for name in db1 db2 db3 wit1 wit2; do
            [ "$(field "$name" '[.counters.refused_key, .counters.refused_sender, (.counters.rejected | add)] | add')" -gt 0 ] && return
        done
        return 1
    }
    await 10 refused_somewhere
}
expect "another cluster's member is turned away, and counted" foreign_cluster
expect 'the cluster goes on' await 5 whole 2

# ---- a damaged store: it does not vote, and says so
crash wit1
store=$work/mesh/wit1/state/store
size=$(stat -c %s "$store")
printf '\377' | dd of="$store" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
start wit1
no_vote() { status "$1" | jq -e --arg n wit1 '.members[] | select(.name == $n) | .vote == false' >/dev/null 2>&1; }
must 'a witness with a damaged store does not vote, and the others know' await 10 no_vote db1
expect 'writes flow' await 5 writes_flow
must 'it is readmitted by an operator' pgmesh_as app readmit wit1
votes() { status db1 | jq -e '.members[] | select(.name == "wit1") | .vote' >/dev/null 2>&1; }
expect 'and votes again' await 15 votes
must 'the cluster is whole' await 20 whole 2

# ---- a foreign data directory: neither used nor deleted
standby=$(for n in db3 db2 db1; do [ "$n" = "$was" ] || { echo "$n"; break; }; done)
crash "$standby"
mv "$work/$standby/data" "$work/$standby/own"
(cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$PG_BIN/initdb" -N -A peer -D "$work/$standby/data" >/dev/null)
theirs=$("$PG_BIN/pg_controldata" "$work/$standby/data" | sed -n 's/.*system identifier: *//p')
start "$standby"
expect "a foreign data directory on $standby is not taken for its own" never 4 is_standby "$standby"
still_there() {
    local control
    for control in "$work/$standby"/*/global/pg_control; do
        "$PG_BIN/pg_controldata" "${control%/global/pg_control}" | grep -q "system identifier: *$theirs" && return
    done
    return 1
}
expect 'and it is still there' still_there
stop "$standby" || crash "$standby"
rm -rf "$work/$standby/data"
mv "$work/$standby/own" "$work/$standby/data"
start "$standby"
must 'with its own directory it is back' await 60 whole 2
expect 'no failover through all of it' [ "$(term)" -eq "$before" ]
prove
