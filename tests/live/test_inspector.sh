#!/usr/bin/env bash
# Every command of the inspector, on a real mesh: what it says when all is well, when a link is cut, and after a failover.
# LIMIT: 240
. "$(dirname "$0")/lib.sh"
live_begin inspector
three_databases
live_cluster
writer_start

export COLUMNS=200 # no sentence is broken
control() { printf '%s/mesh/%s/state/control.sock' "$work" "$1"; } # name
ask() { # name, command...
    local name=$1
    shift
    "$LIVE_BIN/pgmesh" "$@" --control "$(control "$name")"
}
# Exit code wanted, extended regular expression expected, then as ask().
says() {
    local wanted=$1 pattern=$2 out code=0
    shift 2
    out=$(ask "$@" 2>&1) || code=$?
    [ "$code" = "$wanted" ] && grep -Eq -- "$pattern" <<<"$out" && return
    said="exit code $code: $out"
    return 1
}
tells() { # jq expression, then as ask()
    local expression=$1
    shift
    ask "$@" --output json 2>/dev/null | jq -e "$expression" >/dev/null 2>&1
}
check() { # what, seconds, command...
    local what=$1 seconds=$2
    shift 2
    said=
    if await "$seconds" "$@"; then ok "$what"; else not_ok "$what"; sed 's/^/# /' <<<"$said"; fi
}

# ---- all is well
must 'the cluster is whole' await 30 settled 2
check 'status' 5 says 0 'If db1 died now: db[23] takes over in about 0.7 s' db1 status
check 'members' 5 says 0 'nothing stands against a promotion' db1 members
check 'links: everybody hears everybody' 10 says 0 'Every member hears every other' db2 links
check 'links: round trips are measured' 10 tells '[.links[] | select(.rtt_us != null)] | length == 30' app links
check 'ready' 20 says 0 '^ready' wit1 ready
check 'simulate: the site of the primary' 5 says 0 'Writes stop for about' db1 simulate cut fra
check 'simulate: a witness' 5 tells '.writes == "go_on"' db1 simulate lose wit1
check 'why-not: nothing yet' 5 says 0 'No takeover was considered' db2 why-not
check 'history' 5 tells '.history | length == 1' db1 history
check 'completion knows the members' 5 says 0 '^wit2$' db1 completion members

# ---- doctor on a database's own host
doctor() { # jq expression; its exit code also tells of the machine's own disks and clock
    said=$(in_net db1 "$LIVE_BIN/pgmesh" doctor --config "$work/mesh/db1/node.conf" --output json 2>/dev/null || :)
    jq -e "$1" <<<"$said" >/dev/null
}
check 'doctor: every address takes a connection' 5 doctor '[.checks[] | select(.area == "network")] | length == 9 and all(.level == "good")'
check 'doctor: PostgreSQL was asked' 5 doctor '[.checks[] | select(.area == "postgres")] | length > 0 and all(.level == "good" or .level == "note")'
check 'doctor: files and disks' 5 doctor '([.checks[] | select(.area == "files")] | length >= 3 and all(.level == "good")) and ([.checks[] | select(.area == "disk" and (.fact | test("flush take")))] | length == 2)'
sql db1 'ALTER ROLE app SET synchronous_commit = off'
chmod 644 "$work/mesh/db1/pg.pass"
check 'doctor: a role that does not wait is found' 5 doctor '[.checks[].fact] | index("synchronous_commit is off for role app")'
check 'doctor: a secret that others can read is found' 5 doctor '[.checks[] | select(.level == "bad") | .fact] | any(test("pg.pass.*read by others"))'
chmod 600 "$work/mesh/db1/pg.pass"
sql db1 'ALTER ROLE app RESET synchronous_commit'
expect 'config check' eval '"$LIVE_BIN/pgmesh" config check "$work/mesh/db1/node.conf" >/dev/null'
expect 'config show' eval '"$LIVE_BIN/pgmesh" config show "$work/mesh/db1/node.conf" --output json | jq -e ".options | length > 40" >/dev/null'

# ---- who may, who must not
nobody() {
    local code=0
    setpriv --reuid=65534 --regid=65534 --clear-groups "$(for_others pgmesh)" status --control "$(control db1)" >/dev/null 2>&1 || code=$?
    [ "$code" = 5 ]
}
expect 'another user is refused' nobody
check 'an order without a key is refused' 5 says 5 "no operator's key" db1 pause --config "$work/mesh/db1/node.conf"

# ---- a link that works one way only
in_net db2 iptables -A INPUT -s "${ADDRESS[db3]}" -p tcp --dport 7400 -j DROP
check 'links: a cut that goes one way' 15 says 0 'one way only: db2 does not hear db3, save by way of others' db1 links
check 'ready: degraded, and the exit code says so' 10 says 1 'db2 does not hear db3' db1 ready
heal db2
check 'links: mended' 20 says 0 'Every member hears every other' db1 links

# ---- a takeover that the others refuse
unplug db2
alone() { says 4 '' db2 status && says 2 'NOT READY' db2 ready; }
check 'a member that is cut off says that no primary serves' 10 alone
considers() { tells '.considered | any(.outcome == "considered")' db2 why-not; }
check 'it would take over, and says that nobody agrees' 15 considers
plug db2
refused() { tells '.considered | any(.outcome == "refused" and (.text | test("wit1 (not heard|alive)")))' db2 why-not; }
check 'why-not tells who answered what' 20 refused
must 'the cluster is whole again' await 60 whole 2

# ---- orders
must 'pause' pgmesh_as app pause --reason 'network works'
check 'ready: not while paused' 5 says 2 'failover is paused' db1 ready
must 'resume' pgmesh_as app resume
check 'ready again' 30 says 0 '^ready' db1 ready
must 'switchover' pgmesh_as app switchover --to db2
must 'db2 is the primary' await 10 primary_is db2
seen='.history[-1] | .kind == "switchover" and .outage_ms > 0 and .observer == "app" and .nothing_lost_proven'
check 'history: a switchover, with what app saw' 10 tells "$seen" wit2 history
check 'why: valid, with phases' 5 tells '.valid and .from_proven and .kind_proven and .measured.phases.promote_ms != null and .measured.phases.first_follower_ms != null' db2 why
check 'why: an incident report' 5 says 0 'Real RTO . 0\.[0-9]+ s without a primary, as app saw it' db2 why --report
must 'whole for the drill' await 60 settled 2
check 'ready for the drill' 30 says 0 '^ready' db2 ready
drill() {
    pgmesh_as app drill --output json >"$work/log/drill.json" 2>"$work/log/drill.txt" || { said=$(cat "$work/log/drill.txt"); return 1; }
    jq -e '.done and .primary == "db2" and (.legs | length == 2) and (.legs | all(.outages[0].outage_ms > 0 and .ready_again_ms >= .ordered_ms))' \
        "$work/log/drill.json" >/dev/null
}
expect 'drill: there and back, measured' drill
expect 'drill: the primary is where it was' primary_is db2
say "drill: $(jq -c '[.legs[] | [.from, .to, .ordered_ms, .outages[0].outage_ms, .ready_again_ms]]' "$work/log/drill.json")"
must 'reinit' pgmesh_as app reinit db3
must 'db3 is back' await 60 whole 2

# ---- watch
expect 'watch into a pipe' eval '[ "$(ask db1 watch --count 2 --interval 0.2 | grep -c "^cluster live")" = 2 ]'
screen() { tmux -L "$prefix" capture-pane -p -t 0 2>/dev/null; }
pane() { screen | grep -Eq -- "$1"; }
watched() {
    tmux -L "$prefix" -f /dev/null new-session -d -x 110 -y 40 \
        "LC_ALL=C.UTF-8 TERM=screen-256color; export LC_ALL TERM; '$LIVE_BIN/pgmesh' watch --interval 0.2 --control '$(control db1)'; echo left: \$?; stty -a | tr ' ' '\n' | grep -x -- '-*icanon;*'; exec sleep 60"
    await 10 pane 'HEARS +db1' || return 1
    tmux -L "$prefix" resize-window -t 0 -x 60 -y 18
    await 10 pane '^q quit' && await 5 not pane 'REPLAY|LSN' || return 1
    [ "$(screen | wc -L)" -le 60 ] && [ "$(screen | wc -l)" -le 18 ] || return 1
    tmux -L "$prefix" send-keys -t 0 q
    await 5 pane 'left: 0' && await 5 pane '^icanon' && ! pane 'q quit'
}
if command -v tmux >/dev/null; then
    expect 'watch: full screen, resized, quit, the terminal as it was' watched || screen | sed 's/^/# /'
    tmux -L "$prefix" kill-server 2>/dev/null || :
else
    say 'watch on a terminal: tmux is not installed'
fi

# ---- the primary is lost while nothing may happen by itself
must 'settled' await 60 settled 2
must 'pause' pgmesh_as app pause
crash db2
check 'status: no primary serves' 10 says 4 'NOT SERVING' db1 status
check 'ready: not' 5 says 2 'does not serve' db1 ready
check 'why-not: held back by the pause' 10 tells '[.considered[].outcome] | index("held_back")' db1 why-not
must 'failover by an order' pgmesh_as app failover --to db1
must 'db1 is the primary' await 20 primary_is db1
lost='.history[-1] | .kind == "failover" and .outage_ms > 500 and .nothing_lost_proven and .primary == "db1"'
check 'history: a failover, with what app saw' 10 tells "$lost" db1 history
say "failover: $(ask db1 history --output json | jq -c '.history[-1] | [.kind, .outage_ms, .observer, .gap_bytes, .ready_ms]')"
start db2
must 'db2 comes back' await 60 whole 2
prove
