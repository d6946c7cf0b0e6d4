# shellcheck shell=bash
# lib.sh: a cluster on this machine, for tests/live, the demo and the bench. To be sourced by bash.
#
#     . tests/live/lib.sh
#     live_begin NAME                        a work directory, traps, checks of what is needed
#     member NAME ROLE SITE [OPTIONS]        a host to be (SITE "-": on the backbone itself)
#     live_network                           namespaces, bridges, cables
#     live_init [OPTIONS of pgmesh init]     a folder for each member
#     start NAME... / stop NAME... / crash NAME...
#
# Each host is a network namespace; each site a bridge, and all sites hang on one backbone, so that a host's cable and a
# site's trunk can be pulled:
#
#     db1 ── site fra ──┐
#     db2 ── site ams ──┼── backbone ── app (no site of its own)
#     db3 ──┘  lux ─────┘
#
# All namespaces are named pgm<pid of the script>-..., addresses exist only inside them, files are below one directory
# of mktemp in PGMESH_LIVE_TMP (/tmp). What a host runs stays in a cgroup of that host where cgroup v2 is to be had; otherwise the host is
# whoever was started with its folder or works in its directory. The trap removes it all.

set -euo pipefail
# Whatever the caller's shell is set to: numbers have points, files can be read by the users that they are for, and
# psql goes where it is told.
export LC_ALL=C.UTF-8
umask 022
for variable in ${!PG@}; do
    case $variable in PGMESH_* | PG_BIN) ;; *) unset "$variable" ;; esac
done

LIVE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LIVE_BIN=${PGMESH_BUILD:-build/default}
case $LIVE_BIN in /*) ;; *) LIVE_BIN=$LIVE_ROOT/$LIVE_BIN ;; esac
PG_BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}
LIVE_TMP=${PGMESH_LIVE_TMP:-/tmp}
LIVE_ROOM_MB=1000

declare -A ROLE=() SITE=() ADDRESS=() EXTRA=() PID=() SITE_NUMBER=() HOST_ENV=() BIN_DIR=() PROGRAMS=()
MEMBERS=()
WRITER_PIDS=()
WRITER_LOGS=()
live_name='' work='' prefix='' cgroup='' failed=0 last_start_us=0

# ---- results -----------------------------------------------------------------------------------------------------

ok() { printf 'ok %s: %s\n' "$live_name" "$1"; }
not_ok() {
    printf 'not ok %s: %s\n' "$live_name" "$1"
    failed=1
}
say() { printf '# %s\n' "$*"; }

# expect NAME COMMAND...: a result; the test goes on. must: as expect, but what follows would be meaningless.
expect() {
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name"; fi
}
must() {
    local name=$1
    shift
    if "$@"; then ok "$name"; return; fi
    not_ok "$name"
    exit 1
}

# await SECONDS COMMAND...: until it succeeds, asked each LIVE_POLL seconds; false when it did not in time.
LIVE_POLL=0.05
await() {
    local until=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || { say "not within its time: $*"; return 1; }
        sleep "$LIVE_POLL"
    done
}
# never SECONDS COMMAND...: it must not succeed for so long.
never() {
    local until=$((SECONDS + $1))
    shift
    while [ "$SECONDS" -lt "$until" ]; do
        if "$@"; then say "came true: $*"; return 1; fi
        sleep 0.05
    done
}
not() { ! "$@"; }

# ---- what is needed ------------------------------------------------------------------------------------------------

# Prints why the machine cannot do it; true when it can.
live_possible() {
    local tool probe=pgm$$-probe
    [ "$(id -u)" -eq 0 ] || { echo "it needs root, for network namespaces"; return 1; }
    for tool in ip iptables nsenter setpriv jq psql curl; do
        command -v "$tool" >/dev/null || { echo "$tool is not installed (packaging/install-deps.sh demo)"; return 1; }
    done
    [ -x "$PG_BIN/postgres" ] || { echo "there is no $PG_BIN/postgres (packaging/install-deps.sh demo)"; return 1; }
    for tool in pgmesh-node pgmesh-guard pgmesh-witness pgmesh pgmesh-http live/writer live/checker; do
        [ -x "$LIVE_BIN/$tool" ] || { echo "there is no $LIVE_BIN/$tool (make all live-build)"; return 1; }
    done
    live_room || return 1
    ip netns add "$probe" 2>/dev/null || { echo "network namespaces are not to be had here"; return 1; }
    tool=0
    ip -n "$probe" link add bridge0 type bridge 2>/dev/null || tool="the kernel makes no bridges"
    nsenter --net=/run/netns/"$probe" iptables -L -n >/dev/null 2>&1 || tool="iptables does not work here"
    ip netns del "$probe"
    [ "$tool" = 0 ] || { echo "$tool"; return 1; }
}

# Files: room for three databases, in a place where programs may be run (hooks are), which other users can reach.
live_room() {
    local probe free
    probe=$(mktemp -d "$LIVE_TMP/pgm-probe.XXXXXX" 2>/dev/null) || { echo "nothing can be written in $LIVE_TMP (PGMESH_LIVE_TMP names another folder)"; return 1; }
    printf '#!/bin/sh\n' >"$probe/program"
    chmod -R 755 "$probe"
    free=$(df -Pk "$probe" | awk 'NR == 2 { print int($4 / 1024) }')
    if [ "$free" -lt "$LIVE_ROOM_MB" ]; then
        echo "$LIVE_TMP has $free MB of room, $LIVE_ROOM_MB are needed (PGMESH_LIVE_TMP names another folder)"
    elif ! (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$probe/program") 2>/dev/null; then
        echo "user postgres cannot run programs in $LIVE_TMP (PGMESH_LIVE_TMP names another folder)"
    else
        free=
    fi
    rm -rf "$probe"
    [ -z "$free" ]
}

live_begin() { # name
    local why
    live_name=$1
    if ! why=$(live_possible); then
        printf '%s: ERROR:  this test cannot run here\nDETAIL:  %s.\n' "$live_name" "$why" >&2
        exit 1
    fi
    prefix=pgm$$
    trap live_end EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    sweep
    work=$(mktemp -d "$LIVE_TMP/$prefix.XXXXXX")
    chmod 755 "$work"
    mkdir "$work/log"
    cgroup_begin
}

# ---- processes -----------------------------------------------------------------------------------------------------

cgroup_mount() { awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo; }

cgroup_begin() {
    local point own
    cgroup=
    point=$(cgroup_mount)
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    [ -n "$point" ] || return 0
    if mkdir "$point${own%/}/$prefix" 2>/dev/null; then
        cgroup=$point${own%/}/$prefix
        [ -e "$cgroup/cgroup.kill" ] || { rmdir "$cgroup"; cgroup=; }
    fi
}

# A program of ours for another user than root, who may not come where it was built: in /root, say. Prints where it is.
for_others() { # program
    local copy=$work/bin/${1##*/}
    [ -x "$copy" ] || { mkdir -p "$work/bin" && install -m 755 "$LIVE_BIN/$1" "$copy"; } || return 1
    echo "$copy"
}

# All processes of a host.
pids_of() { # name
    if [ -n "$cgroup" ]; then
        [ ! -d "$cgroup/$1" ] || find "$cgroup/$1" -name cgroup.procs -exec cat {} + 2>/dev/null || :
        return
    fi
    local pid
    for pid in /proc/[0-9]*; do
        case $(readlink "$pid/cwd" 2>/dev/null)/ in "$work/$1"/*) echo "${pid#/proc/}"; continue ;; esac
        case $(readlink "$pid/exe" 2>/dev/null) in */pgmesh-node | */pgmesh-guard | */pgmesh-witness) ;; *) continue ;; esac
        ! { tr '\0' ' ' <"$pid/cmdline" | grep -F "$work/mesh/$1/" >/dev/null; } 2>/dev/null || echo "${pid#/proc/}"
    done
}
is_dead() { [ -z "$(pids_of "$1")" ]; } # name

crash_now() { # name...: every process of the host, at once; who measures does not wait for the last one to be gone
    local name
    for name in "$@"; do
        if [ -n "$cgroup" ] && [ -d "$cgroup/$name" ]; then
            echo 1 >"$cgroup/$name/cgroup.kill"
        else
            pids_of "$name" | xargs -r kill -KILL 2>/dev/null || :
        fi
        unset "PID[$name]"
    done
}
crash() { # name...
    local name
    crash_now "$@"
    for name in "$@"; do await 10 is_dead "$name" || return 1; done
}

start() { # name...
    local name program
    last_start_us=$(clock)
    for name in "$@"; do
        program=pgmesh-node
        [ "${ROLE[$name]}" != witness ] || program=pgmesh-witness
        # shellcheck disable=SC2086
        on_host "$name" env ${HOST_ENV[$name]:-} "${PROGRAMS[$name]:-$LIVE_BIN}/$program" --config "$work/mesh/$name/node.conf" </dev/null >>"$work/log/$name.log" 2>&1 &
        PID[$name]=$!
        disown
    done
}
http_start() { # name: pgmesh-http beside the member, by the same configuration
    on_host "$1" "$LIVE_BIN/pgmesh-http" --config "$work/mesh/$1/node.conf" </dev/null >>"$work/log/http-$1.log" 2>&1 &
    disown
}
stop() { # name...: in order
    local name
    for name in "$@"; do kill -TERM "$(guard_of "$name")" 2>/dev/null || :; done
    for name in "$@"; do
        await 30 is_dead "$name" || return 1
        unset "PID[$name]"
    done
}

# Replaces the shell by a command in the host's namespace and cgroup, without a controlling terminal. Where the test has ended
# meanwhile there is none to make it in, and nothing is started.
on_host() { # name, command...
    local name=$1
    shift
    exec setsid sh -c '[ -z "$1" ] || { mkdir "$1" 2>/dev/null; echo 0 >"$1/cgroup.procs"; } || exit 1; ns=$2; shift 2; exec nsenter --net="$ns" -- "$@"' \
        sh "${cgroup:+$cgroup/$name}" "/run/netns/$prefix-$name" "$@"
}
in_net() { # name, command...
    local name=$1
    shift
    nsenter --net="/run/netns/$prefix-$name" -- "$@"
}

# The postmaster's pid, when postmaster.pid names a postgres that works in our data directory.
postmaster_of() { # name
    local pid data=$work/$1/data
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$data" ] || return 1
    case $(readlink "/proc/$pid/exe") in */postgres) echo "$pid" ;; *) return 1 ;; esac
}
guard_of() { [ -n "${PID[$1]:-}" ] && echo "${PID[$1]}"; } # name: what was started there; none since a crash
agent_of() { # name: the child of the guard that is the agent
    local pid
    for pid in $(cat "/proc/${PID[$1]}/task/${PID[$1]}/children" 2>/dev/null); do
        if { tr '\0' '\n' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -x -- --agent >/dev/null; then echo "$pid"; return; fi
    done
    return 1
}
kill_postmaster() { kill -KILL "$(postmaster_of "$1")"; }
kill_agent() {
    last_start_us=$(clock)
    kill -KILL "$(agent_of "$1")"
}
has_other_agent() { local now; now=$(agent_of "$1") && [ "$now" != "$2" ]; } # name, pid of the former

# ---- network -------------------------------------------------------------------------------------------------------

member() { # name, role, site, [OPTION=VALUE,...]
    local number=${SITE_NUMBER[$3]:-}
    [ -n "$number" ] || { number=$((${#SITE_NUMBER[@]} + 1)); SITE_NUMBER[$3]=$number; }
    MEMBERS+=("$1")
    ROLE[$1]=$2 SITE[$1]=$3 EXTRA[$1]=${4:-}
    ADDRESS[$1]=10.77.$number.$((${#MEMBERS[@]} + 10))
}

net() { ip -n "$prefix-net" "$@"; }

live_network() {
    local name site bridge
    ip netns add "$prefix-net"
    net link add backbone type bridge
    net link set backbone up
    for site in "${!SITE_NUMBER[@]}"; do
        [ "$site" != - ] || continue
        net link add "s-$site" type bridge
        net link add "t-$site" type veth peer name "u-$site"
        net link set "t-$site" master "s-$site" up
        net link set "u-$site" master backbone up
        net link set "s-$site" up
    done
    for name in "${MEMBERS[@]}"; do
        bridge=s-${SITE[$name]}
        [ "${SITE[$name]}" != - ] || bridge=backbone
        ip netns add "$prefix-$name"
        net link add "h-$name" type veth peer name eth0 netns "$prefix-$name"
        net link set "h-$name" master "$bridge" up
        ip -n "$prefix-$name" addr add "${ADDRESS[$name]}/16" dev eth0
        ip -n "$prefix-$name" link set lo up
        ip -n "$prefix-$name" link set eth0 up
    done
}

unplug() { net link set "h-$1" down; }       # name: the cable out
plug() { net link set "h-$1" up; }
cut_site() { net link set "u-$1" down; }  # site: its trunk out
uncut_site() { net link set "u-$1" up; }
deafen() { in_net "$1" iptables -A INPUT -s "${ADDRESS[$2]}" -j DROP; } # name, from whom: packets get lost one way
lose() { # name, share: packets get lost at random, both ways
    in_net "$1" iptables -A INPUT -m statistic --mode random --probability "$2" -j DROP
    in_net "$1" iptables -A OUTPUT -m statistic --mode random --probability "$2" -j DROP
}
delay() { # name, netem's words; false where the kernel has no netem
    in_net "$1" tc qdisc replace dev eth0 root netem "${@:2}" 2>/dev/null
}
heal() { # name...: whatever was done to its network
    local name
    for name in "$@"; do
        plug "$name"
        in_net "$name" iptables -F
        in_net "$name" tc qdisc del dev eth0 root 2>/dev/null || :
    done
}

# ---- the cluster ---------------------------------------------------------------------------------------------------

# The usual one: three databases in two sites, two witnesses in a third, and an application host.
three_databases() { # [the observer's options]
    member db1 database fra
    member db2 database ams
    member db3 database ams
    member wit1 witness lux
    member wit2 witness lux
    member app observer - "${1:-}"
}

spec_of() { # name
    local site=${SITE[$1]}
    [ "$site" != - ] || site=app
    printf '%s,%s,%s,%s:7400' "$1" "${ROLE[$1]}" "$site" "${ADDRESS[$1]}"
    if [ "${ROLE[$1]}" = database ]; then
        printf ",data=%s/data,socket_dir=%s,bin_dir=%s,pg_hba='host all app 10.77.0.0/16 trust'" "$work/$1" "$work/$1" \
            "${BIN_DIR[$1]:-$PG_BIN}"
    fi
    printf '%s' "${EXTRA[$1]:+,${EXTRA[$1]}}"
}

live_init() { # options of pgmesh init
    local name options=()
    for name in "${MEMBERS[@]}"; do
        options+=(--member "$(spec_of "$name")")
        mkdir -p "$work/$name"
        chown postgres: "$work/$name"
    done
    "$LIVE_BIN/pgmesh" init --open-root-key --cluster live --out "$work/mesh" "${options[@]}" "$@" >"$work/log/init.txt" 2>&1 ||
        { cat "$work/log/init.txt"; return 1; }
}

# One member's view, or that of the first running one that answers.
status() { # [name]
    local name
    for name in ${1:-"${MEMBERS[@]}"}; do
        [ -n "${PID[$name]:-}" ] || continue
        "$LIVE_BIN/pgmesh" status --control "$work/mesh/$name/state/control.sock" --output json 2>/dev/null || :
        return
    done
}
pgmesh_as() { # name, command...: with the operator's key, through that member
    local name=$1
    shift
    "$LIVE_BIN/pgmesh" "$@" --config "$work/mesh/operator/pgmesh.conf" --control "$work/mesh/$name/state/control.sock"
}
field() { # name, jq expression
    status "$1" | jq -r "$2 // empty" 2>/dev/null || :
}
primary() { # the ready primary as the running members see it, or nothing
    local name
    for name in "${MEMBERS[@]}"; do
        [ -n "${PID[$name]:-}" ] || continue
        status "$name" | jq -r --arg self "$name" \
            '.primary as $p | .members[] | select(.name == $p and .ready and (.name == $self or .state == "up")) | .name' 2>/dev/null
    done | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }' || :
}
term() { # the highest that anybody knows
    local name
    for name in "${MEMBERS[@]}"; do
        [ -z "${PID[$name]:-}" ] || field "$name" .term
    done | sort -n | tail -n 1 || :
}
other_than() { # name: another database
    local name
    for name in "${MEMBERS[@]}"; do
        [ "${ROLE[$name]}" != database ] || [ "$name" = "$1" ] || { echo "$name"; return; }
    done
}
primary_is() { [ "$(primary)" = "$1" ]; }
primary_is_not() { local now; now=$(primary); [ -n "$now" ] && [ "$now" != "$1" ]; }

# Everybody that runs sees one ready primary, and so many standbys stream, with data kept in sync as asked.
whole() { # number of standbys
    local name
    name=$(primary)
    [ -n "$name" ] || return 1
    status "$name" | jq -e --argjson n "$1" \
        '.healthy and (.joint == null) and ([.members[] | select(.role == "database" and .streaming and .state == "up")] | length >= $n)
         and (.durability == "async" or $n == 0 or (.sync.members | length >= $n))' >/dev/null 2>&1
}
is_standby() { # name: a healthy one
    status "$1" | jq -e --arg n "$1" '.members[] | select(.name == $n) | .postgres == "recovery" and .streaming' >/dev/null 2>&1
}

sql() { # name, statements: as the superuser, over the host's own socket
    (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups \
        "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 -h "$work/$1" -U postgres -d "${3:-postgres}" -c "$2")
}
make_ledger() { # primary
    sql "$1" 'CREATE ROLE app LOGIN' && sql "$1" 'CREATE DATABASE app OWNER app' &&
        sql "$1" 'SET ROLE app; CREATE TABLE ledger (id bigint, server text, timeline text)' app
}
digest() { sql "$1" "SELECT count(*), md5(string_agg(id || server || timeline, ',' ORDER BY id)) FROM ledger" app 2>/dev/null; }

start_all() { start "${MEMBERS[@]}"; }

# A member that was started a moment ago neither promises nor seals for the longest lease there may be (3 s): who wants to
# see an ordinary failover waits for that, too.
settled() { [ $(($(clock) - last_start_us)) -gt 3500000 ] && whole "$1"; } # number of standbys
# Up and whole, with the application's table.
live_cluster() { # options of pgmesh init
    local standbys=-1 name
    live_network
    live_init "$@"
    start_all
    for name in "${MEMBERS[@]}"; do [ "${ROLE[$name]}" != database ] || standbys=$((standbys + 1)); done
    must 'a cluster comes up from nothing' await 90 whole "$standbys"
    must 'the application makes its table' make_ledger "$(primary)"
}

# ---- the application -----------------------------------------------------------------------------------------------

writer_start() { # [host [options]]
    local name=${1:-app} server servers=() number=${#WRITER_PIDS[@]} log
    log=$work/log/writer$number.acks
    for server in "${MEMBERS[@]}"; do
        [ "${ROLE[$server]}" != database ] || servers+=("$server=${ADDRESS[$server]}:5432")
    done
    (
        [ -z "$cgroup" ] || { mkdir -p "$cgroup/writers" && echo 0 >"$cgroup/writers/cgroup.procs"; }
        exec setsid nsenter --net="/run/netns/$prefix-$name" -- "$LIVE_BIN/live/writer" --log "$log" \
            --first-id $((number * 100000000 + 1)) "${@:2}" "${servers[@]}"
    ) </dev/null >"$work/log/writer$number.txt" 2>&1 &
    WRITER_PIDS+=($!)
    WRITER_LOGS+=("$log")
    disown
    await 20 acks_in "$log"
}
acks_in() { grep -q '^ack' "$1" 2>/dev/null; }
acks_after() { # log, microseconds: has a row that was sent later been acknowledged?
    awk -v t="$2" '$1 == "ack" && $5 > t { found = 1; exit } $1 == "sent" && $4 < t { exit } END { exit !found }' < <(tac "$1")
}
writes_flow() { acks_after "${WRITER_LOGS[0]}" "$(($(clock) - ${1:-200} * 1000))"; } # [within so many milliseconds]
writers_stop() {
    local pid
    for pid in "${WRITER_PIDS[@]}"; do
        kill -TERM "$pid" 2>/dev/null || :
        await 10 not kill -0 "$pid" 2>/dev/null || return 1
    done
    WRITER_PIDS=()
}
clock() { "$LIVE_BIN/live/checker" clock; }
outage() { # from, to: as the first writer saw it
    "$LIVE_BIN/live/checker" outage "$1" "$2" "${WRITER_LOGS[0]}"
}
nothing_lost() { # primary, [--allow-loss]
    local checker
    checker=$(for_others live/checker) || return 1
    (cd / && setpriv --reuid=postgres --regid=postgres --init-groups \
        "$checker" check "${@:2}" --conninfo "host=$work/$1 user=postgres dbname=app" "${WRITER_LOGS[@]}") \
        >"$work/log/checker.txt" 2>&1 && return
    sed 's/^/# /' "$work/log/checker.txt"
    return 1
}
same_everywhere() { # every running database holds the primary's rows
    local name of
    of=$(digest "$(primary)")
    for name in "${MEMBERS[@]}"; do
        [ "${ROLE[$name]}" = database ] && [ -n "${PID[$name]:-}" ] || continue
        [ -n "$of" ] && [ "$(digest "$name")" = "$of" ] || return 1
    done
}
# The end of a test: nothing lost, and one history on every database.
prove() { # [--allow-loss]
    must 'a primary serves at the end' await 30 eval '[ -n "$(primary)" ]'
    writers_stop || not_ok 'the writer ends'
    expect 'every acknowledged row is there, none twice, none from nowhere, one primary at a time' \
        nothing_lost "$(primary)" "$@"
    expect 'every database holds the same rows' await 30 same_everywhere
}

# ---- the end -------------------------------------------------------------------------------------------------------

remove_namespaces() { # prefix
    local ns
    for ns in $(ip netns list 2>/dev/null | awk -v p="$1-" 'index($1, p) == 1 { print $1 }'); do
        ip netns del "$ns" 2>/dev/null || :
    done
}
remove_cgroup() { # path
    [ -d "$1" ] || return 0
    for _ in $(seq 100); do
        echo 1 >"$1/cgroup.kill" 2>/dev/null || : # once more each time: one that was being started may have come in since
        find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || :
        [ -d "$1" ] || return 0
        sleep 0.05
    done
}

# File systems below a directory, those that a test has frozen too.
remove_mounts() { # directory
    local at
    for at in $(awk -v d="$1/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | tac); do
        fsfreeze -u "$at" 2>/dev/null || :
        umount -l "$at" 2>/dev/null || :
    done
}

# What an earlier script left behind when it was killed: everything bears the pid of its script.
sweep() {
    local found pid
    for found in $(ip netns list 2>/dev/null | sed -n 's/^pgm\([0-9]*\)-.*/\1/p' | sort -u); do
        [ -d "/proc/$found" ] || remove_namespaces "pgm$found"
    done
    while read -r found; do
        pid=${found##*/pgm}
        case $pid in *[!0-9]*) ;; *) [ -d "/proc/$pid" ] || remove_cgroup "$found" ;; esac
    done < <(find "$(cgroup_mount)" -maxdepth 6 -type d -name 'pgm[0-9]*' 2>/dev/null)
    for found in "$LIVE_TMP"/pgm[0-9]*.??????; do
        pid=${found##*/pgm}
        pid=${pid%.*}
        case $pid in *[!0-9]*) ;; *) [ -d "/proc/$pid" ] || { remove_mounts "$found"; rm -rf "$found"; } ;; esac
    done
}

keep_logs() {
    local to=${PGMESH_LIVE_LOGS:-$LIVE_BIN/live-logs}/$live_name
    rm -rf "$to"
    mkdir -p "$to"
    cp -r "$work/log/." "$to/" 2>/dev/null || :
    local name
    for name in "${MEMBERS[@]}"; do
        cp "$work/mesh/$name/state/postgresql.log" "$to/$name-postgresql.log" 2>/dev/null || :
        cp "$work/mesh/$name/state/journal" "$to/$name-journal" 2>/dev/null || :
        status "$name" >"$to/$name-status.json" 2>/dev/null || :
    done
    say "logs are kept in $to"
}

live_end() {
    local code=$? name pid
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    [ "$code" -eq 0 ] || [ "$code" -ge 128 ] || [ "$failed" = 1 ] || not_ok "the script ended early, with status $code"
    if [ -n "$work" ]; then
        { [ "$failed" = 0 ] && [ -z "${PGMESH_LIVE_LOGS:-}" ]; } || keep_logs
        for pid in "${WRITER_PIDS[@]}"; do kill -KILL "$pid" 2>/dev/null; done
        for name in $(awk -v d="$work/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo); do
            fsfreeze -u "$name" 2>/dev/null # or nothing that waits for it could be killed
        done
        if [ -n "$cgroup" ]; then
            remove_cgroup "$cgroup"
        else
            for name in "${MEMBERS[@]}"; do crash "$name"; done
        fi
        [ -z "${cage:-}" ] || rmdir "$cage" 2>/dev/null
        remove_namespaces "$prefix"
        remove_mounts "$work"
        rm -rf "$work"
    fi
    [ "$code" -lt 128 ] || exit "$code"
    [ "$code" -ne 0 ] || exit "$failed" # a bare exit here would mean the status from before the trap
    exit 1
}
