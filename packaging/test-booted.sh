#!/usr/bin/env bash
# `make packages-test`: four hosts boot Debian 12's own systemd, in namespaces; the packages are installed on them and a cluster is
# started by the commands of docs/install.md, as they stand there. Then it is upgraded under writes, hurt, switched off and on, and
# purged.
#
#     packaging/test-booted.sh            PACKAGES_BUILT=1: with the packages of the last run
#
# Needs root, cgroup v2, overlayfs, and packaging/install-deps.sh package.
# shellcheck source=packaging/lib.sh
. "$(dirname "$0")/lib.sh"
. tests/blocks.sh

bin=$(cd "${PGMESH_BUILD:-$builddir/default}" && pwd)
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
next=$version.1
prefix=pgmp$$
hosts=(db1 db2 wit1 app1)
declare -A ADDRESS=([db1]=10.0.1.1 [db2]=10.0.2.1 [wit1]=10.0.3.1 [app1]=10.0.3.9) # of docs/install.md
declare -A PACKAGE=([db1]=pgmesh-node [db2]=pgmesh-node [wit1]=pgmesh-witness [app1]=pgmesh-node) MORE=([db1]=pgmesh-http [db2]='' [wit1]='' [app1]='')
declare -A UNIT=([db1]=pgmesh-node@db1 [db2]=pgmesh-node@db2 [wit1]=pgmesh-witness@wit1 [app1]=pgmesh-observer@app1)
declare -A INIT=()
writer=''

say() { printf '# %s\n' "$*"; }
await() { # seconds, command...
    local until=$((SECONDS + $1 + 1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || { say "not within its time: $*"; return 1; }
        sleep 0.1
    done
}

# ---- hosts ---------------------------------------------------------------------------------------------------------

cgroup_mount() { awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo; }

possible() {
    [ "$(id -u)" -eq 0 ] || { echo 'it needs root'; return 1; }
    [ -n "$(cgroup_mount)" ] || { echo 'no cgroup v2 is mounted'; return 1; }
    grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || { echo 'the kernel has no overlayfs'; return 1; }
}

prepare() {
    local base name
    base=$(root booted systemd,systemd-sysv,dbus,iproute2,procps,jq,libcurl3-gnutls,libjansson4,libmicrohttpd12,libpq5,libsodium23,libzmq5,postgresql-15) ||
        { skip booted "no Debian 12 root can be made: apt's sources cannot be reached"; exit 0; }
    scratch=$(mktemp -d "$work/booted.XXXXXX")
    cgroup=$(cgroup_mount)/$prefix
    trap finish EXIT
    trap 'exit 130' INT TERM HUP
    mkdir "$cgroup" "$scratch/base"
    tar -C "$scratch/base" -xf "$base"
    mkdir "$scratch/base/debs" "$scratch/base/next"
    cp "$work"/deb/pgmesh*.deb "$scratch/base/debs/"
    cp "$work"/next/pgmesh*.deb "$scratch/base/next/"
    echo 'APT::Get::Assume-Yes "true"; APT::Install-Recommends "false";' >"$scratch/base/etc/apt/apt.conf.d/99yes"
    scp_text >"$scratch/base/usr/bin/scp"
    chmod 755 "$scratch/base/usr/bin/scp"
    ln -sf /dev/null "$scratch/base/etc/systemd/system/console-getty.service"
    ip netns add "$prefix-net"
    ip -n "$prefix-net" link add bridge type bridge
    ip -n "$prefix-net" link set bridge up
    for name in "${hosts[@]}"; do
        mkdir -p "$scratch/$name"/{upper,work,root} "$cgroup/$name"
        mount -t overlay -o "lowerdir=$scratch/base,upperdir=$scratch/$name/upper,workdir=$scratch/$name/work" overlay "$scratch/$name/root"
        echo "$name" >"$scratch/$name/root/etc/hostname" # or systemd gives it that of the machine on which the root was made
        ip netns add "$prefix-$name"
        ip -n "$prefix-net" link add "h-$name" type veth peer name eth0 netns "$prefix-$name"
        ip -n "$prefix-net" link set "h-$name" master bridge up
        ip -n "$prefix-$name" addr add "${ADDRESS[$name]}/16" dev eth0
        ip -n "$prefix-$name" link set eth0 up
    done
}

# The shell that is to become the host's first process is moved into the host's cgroup before that becomes its whole tree.
boot() { # name
    local name=$1 outer
    # shellcheck disable=SC2016
    setsid sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' sh "$cgroup/$name" \
        nsenter --net="/run/netns/$prefix-$name" -- unshare --pid --fork --kill-child --mount --uts --ipc --cgroup -- \
        packaging/host.sh "$scratch/$name/root" "$name" </dev/null >>"$scratch/$name/console" 2>&1 &
    outer=$!
    disown
    await 10 quietly first_process "$outer" || { cat "$scratch/$name/console"; return 1; }
    INIT[$name]=$(first_process "$outer")
    await 60 booted "$name"
}
first_process() { # of unshare: its child, once that has become systemd
    local pid
    pid=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
    pid=${pid%% *}
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = systemd ] && echo "$pid"
}
booted() { # name
    case $(on "$1" systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) return 1 ;; esac
}
on() { # name, command...
    nsenter -t "${INIT[$1]}" -m -p -n -u -i -C -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "${@:2}"
}
# The hosts have no sshd: what is sent lies in /root/sent, from where `deliver` takes it to the other host's /root.
scp_text() { printf '%s\n' '#!/bin/sh' 'shift; to=${2#root@}; to=/root/sent/${to%:}; mkdir -p "$to" && cp -a "$1" "$to/"'; }
deliver() { # from, to
    cp -a "$scratch/$1/root/root/sent/$2/." "$scratch/$2/root/root/"
}
step() { # block of docs/install.md, folder, host...
    local name=$1 folder=$2 host
    shift 2
    block docs/install.md "$name" | unattended >"$scratch/$name.sh"
    [ -s "$scratch/$name.sh" ] || { not_ok "docs/install.md has the block $name"; exit 1; }
    for host in "$@"; do
        on "$host" sh -c 'cd "$1" && exec bash -eu -s' sh "$folder" <"$scratch/$name.sh" >"$scratch/$name-$host.txt" 2>&1 && continue
        not_ok "$name on $host, as it stands in docs/install.md"
        tail -n 15 "$scratch/$name-$host.txt" | sed 's/^/# /'
        exit 1
    done
    ok "$name on $*"
}
power_off() { # name: as by pulling the plug
    echo 1 >"$cgroup/$1/cgroup.kill"
    await 10 not grep -q 'populated 1' "$cgroup/$1/cgroup.events"
    unset "INIT[$1]"
}

finish() {
    local name status=$?
    set +e
    [ -z "$writer" ] || kill "$writer" 2>/dev/null
    [ "$failed$status" = 00 ] || keep_logs
    for name in "${hosts[@]}"; do
        [ ! -e "$cgroup/$name/cgroup.kill" ] || power_off "$name"
        umount "$scratch/$name/root" 2>/dev/null
        ip netns del "$prefix-$name" 2>/dev/null
    done
    ip netns del "$prefix-net" 2>/dev/null
    find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null
    rm -rf --one-file-system "$scratch"
    exit "$status"
}
keep_logs() {
    rm -rf "$work/logs"
    mkdir "$work/logs"
    for name in "${!INIT[@]}"; do
        on "$name" journalctl --no-pager -o short-precise >"$work/logs/$name.journal" 2>&1
    done
    cp "$scratch"/*.txt "$scratch"/*.acks "$work/logs/" 2>/dev/null
    say "logs are kept in $work/logs"
}

# ---- what is asked of them ------------------------------------------------------------------------------------------------

install() { # name, folder: with the packages of that host
    local name=$1
    on "$name" sh -c "apt-get -qq install -y --no-install-recommends $2/pgmesh-common_* $2/${PACKAGE[$name]}_* $2/pgmesh_* \
        ${MORE[$name]:+$2/${MORE[$name]}_*} >/var/log/install.log 2>&1" ||
        { on "$name" cat /var/log/install.log; return 1; }
}
unit_of() { echo "${UNIT[$1]}"; }
shows() { on "$1" systemctl show -P "$2" "$(unit_of "$1")"; } # name, property
status() { on "$1" pgmesh status --output json 2>/dev/null; } # name
whole() { # a primary, a standby in sync, and nobody missing, as each member says
    local name
    for name in "${hosts[@]}"; do
        [ -n "${INIT[$name]:-}" ] || return 1
        status "$name" | jq -e '.healthy and (.joint == null) and (.sync.members | length == 1)
            and ([.members[] | select(.state != "up")] == [])' >/dev/null 2>&1 || return 1
    done
}
term() { status db1 | jq .term; }
primary() { status "${1:-db1}" | jq -r .primary; }
serves() { status "$1" | jq -e --arg n "$1" '.primary == $n and ([.members[] | select(.name == $n and .ready)] != [])' >/dev/null 2>&1; }
postmaster() { on "$1" head -n 1 /var/lib/postgresql/15/orders/postmaster.pid; }
agent() { on "$1" pgrep -xf '/usr/bin/pgmesh-node --agent .*'; }
runs_installed() { # name, program: is it the file that is installed?
    on "$1" sh -c 'for p in $(pgrep -x "$1"); do [ "$(readlink /proc/$p/exe)" = "/usr/bin/$1" ] || exit 1; done' sh "$2"
}
has_other_agent() { local now; now=$(agent "$1") && [ "$now" != "$2" ]; }
restarted() { [ "$(shows "$1" NRestarts)" -gt "$2" ]; }
sql() { on "$1" setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtqc "$2" "${@:3}"; }
acks() { [ ! -e "$scratch/writer.acks" ] || grep -c '^ack' "$scratch/writer.acks" || :; }
more_acks() { local now; now=$(acks); [ "${now:-0}" -gt "$1" ]; }
is_active() { [ "$(shows "$1" ActiveState)" = active ]; }

writer_start() {
    PGPASSWORD='change me' nsenter --net="/run/netns/$prefix-app1" -- "$bin/live/writer" --log "$scratch/writer.acks" \
        db1="${ADDRESS[db1]}:5432" db2="${ADDRESS[db2]}:5432" </dev/null >"$scratch/writer.txt" 2>&1 &
    writer=$!
    await 20 more_acks 20
}

# ---- the tests ---------------------------------------------------------------------------------------------------------

installed() {
    local name
    for name in "${hosts[@]}"; do
        must "$name boots" boot "$name"
    done
    step database-host /debs db1 db2
    step witness-host /debs wit1
    step observer-host /debs app1
    for name in "${hosts[@]}"; do
        expect "nothing runs on $name yet" empty "$(on "$name" pgrep -l pgmesh || :)"
    done
}

# Where systemd itself may not raise limits, the units' LimitRTPRIO, LimitMEMLOCK and OOMScoreAdjust come to nothing.
grants_limits() { (( 0x$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status) >> 24 & 1 )); }

started() {
    local name refusals='fenced by signals|could not|cannot|not permitted|denied|no real-time|not locked|OOM killer' limits='^$'
    grants_limits || limits='no real-time|not locked|OOM killer'
    step init /root db1
    step copy /root db1
    for name in db2 wit1 app1; do deliver db1 "$name"; done
    step member /root "${hosts[@]}"
    step http /debs db1
    step look /root app1
    must 'the cluster is whole' await 90 whole
    for name in "${hosts[@]}"; do
        expect "$name has not been restarted" [ "$(shows "$name" NRestarts)" = 0 ]
        expect "$name was refused nothing" empty "$(on "$name" journalctl -u 'pgmesh*' -o cat | grep -iE "$refusals" | grep -vE "$limits" || :)"
    done
    expect 'PostgreSQL lives in the cgroup of the fence' \
        on db1 sh -c 'grep -q "pgmesh-node@db1.service/pgmesh-orders-db1$" "/proc/$(head -n 1 /var/lib/postgresql/15/orders/postmaster.pid)/cgroup"'
    expect 'and may be chosen by the OOM killer' \
        on db1 sh -c '[ "$(cat "/proc/$(head -n 1 /var/lib/postgresql/15/orders/postmaster.pid)/oom_score_adj")" = 0 ]'
    if grants_limits; then
        expect 'the agent has real-time priority' on db1 sh -c 'chrt -p "$(pgrep -xf "/usr/bin/pgmesh-node --agent .*")" | grep -q SCHED_RR'
    else
        skip 'the agent has real-time priority' 'this machine lets nobody raise limits (CAP_SYS_RESOURCE)'
    fi
    expect 'the observer knows where the primary is' on app1 grep -q 'host=10.0.1.1' /etc/pgmesh/app1/state/primary.conninfo
    expect 'HTTP says who is primary' await 10 answers db1 /primary 200
    step operator /root db1
    step switchover /root db1
    must 'the cluster is whole after a switchover and back' await 60 whole
    expect 'db1 is the primary again' serves db1
    step application /root db1
    must 'the application makes its table' make_ledger
}
answers() { # name, path, code
    on "$1" bash -c 'exec 3<>/dev/tcp/127.0.0.1/8008 && printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3 && head -n 1 <&3' sh "$2" 2>/dev/null | grep -q " $3 "
}
make_ledger() {
    sql db1 'SET ROLE app; CREATE TABLE ledger (id bigint, server text, timeline text)' -d app
}

upgraded() {
    local name program before agents count
    must 'writes flow' writer_start
    before=$(term) db1=$(postmaster db1) db2=$(postmaster db2)
    for name in "${hosts[@]}"; do
        agents=$(agent "$name" || :)
        must "$name is upgraded" install "$name" /next
        [ "$name" = wit1 ] || [ "$name" = app1 ] || expect "$name has a new agent" await 20 has_other_agent "$name" "$agents"
        for program in "${PACKAGE[$name]}" ${MORE[$name]}; do
            expect "$name runs the $program that is installed" await 20 runs_installed "$name" "$program"
        done
        must 'the cluster is whole again' await 30 whole
    done
    count=$(acks)
    expect 'writes still flow' await 20 more_acks "$count"
    expect 'HTTP still says who is primary' await 10 answers db1 /primary 200
    expect 'no failover: the term is the same' [ "$(term)" = "$before" ]
    expect 'PostgreSQL was not restarted' [ "$(postmaster db1) $(postmaster db2)" = "$db1 $db2" ]
    expect 'the version is the next one' [ "$(on db1 pgmesh-node --version)" = "pgmesh-node (pgmesh) $next" ]
    say "the writer's longest silence: $(longest_silence) ms"
}
longest_silence() { awk '$1 == "ack" { if (last && $5 - last > most) most = $5 - last; last = $5 } END { printf "%d", most / 1000 }' "$scratch/writer.acks"; }

# A reload tries first what it would take over.
refused() {
    local agents
    agents=$(agent db2)
    on db2 sh -c 'cp /etc/pgmesh/db2/node.conf /root/ && echo "leese = 1s" >>/etc/pgmesh/db2/node.conf'
    expect 'a reload with a bad configuration fails' not quietly on db2 systemctl reload pgmesh-node@db2
    on db2 sh -c 'cat /root/node.conf >/etc/pgmesh/db2/node.conf'
    expect 'and the agent goes on' [ "$(agent db2)" = "$agents" ]
    expect 'a reload with a good one works' quietly on db2 systemctl reload pgmesh-node@db2
    expect 'by a new agent' await 20 has_other_agent db2 "$agents"
}

hurt() {
    local count
    count=$(shows db2 NRestarts)
    on db2 sh -c 'kill -STOP "$(pgrep -xf "/usr/bin/pgmesh-node --agent .*")"'
    expect 'an agent that hangs is noticed by the watchdog' await 40 restarted db2 "$count"
    must 'and the cluster is whole again' await 60 whole
    count=$(shows db2 NRestarts)
    on db2 systemctl kill -s KILL pgmesh-node@db2
    expect 'a service that is killed comes back' await 20 restarted db2 "$count"
    must 'and the cluster is whole once more' await 60 whole
    power_off db2
    must 'a host without power boots again' boot db2
    must 'its member starts by itself' await 60 whole
    power_off wit1
    must 'the witness boots again' boot wit1
    must 'and votes again' await 60 whole
    expect 'no failover in all of that' [ "$(primary db2)" = db1 ]
}

purged() {
    local name
    kill "$writer"
    await 10 not kill -0 "$writer" 2>/dev/null
    writer=
    expect 'no acknowledged row is missing' nothing_lost
    for name in db1 db2 wit1 app1; do # in this order a majority is there to the last, and so PostgreSQL is never fenced
        must "$name is purged" on "$name" sh -c 'apt-get -qq purge -y "pgmesh*" >/var/log/purge.log 2>&1 || { cat /var/log/purge.log; exit 1; }'
        expect "nothing of it runs on $name" empty "$(on "$name" pgrep -l 'pgmesh|postgres' || :)"
        expect "votes and key of $name are still there" test -s "$scratch/$name/root/var/lib/pgmesh/$name/store" -a -s "$scratch/$name/root/etc/pgmesh/$name/member.key"
        expect 'it says so' quietly on "$name" grep 'is left alone' /var/log/purge.log
        [ "$name" != db1 ] || must 'db2 has taken over' await 30 serves db2
    done
    for name in db1 db2; do
        expect "$name's data are there, shut down in order" quietly on "$name" sh -c \
            '/usr/lib/postgresql/15/bin/pg_controldata /var/lib/postgresql/15/orders | grep "cluster state: *shut down"'
    done
    expect "the last primary's directory starts without pgmesh" ordinary
}
# Without pgmesh it is an ordinary data directory.
ordinary() {
    on db2 setpriv --reuid=postgres --regid=postgres --init-groups \
        /usr/lib/postgresql/15/bin/pg_ctl -s -w -D /var/lib/postgresql/15/orders -l /tmp/ordinary.log start </dev/null >/dev/null &&
        [ "$(sql db2 'SELECT count(*) > 0 FROM ledger' -d app)" = t ]
}
# Through the host's socket, from within its namespaces; the checker is ours, so it goes there for the while.
nothing_lost() {
    cp "$bin/live/checker" "$scratch/writer.acks" "$scratch/db1/root/root/"
    chmod 755 "$scratch/db1/root/root" "$scratch/db1/root/root/checker"
    chmod 644 "$scratch/db1/root/root/writer.acks"
    on db1 setpriv --reuid=postgres --regid=postgres --init-groups \
        /root/checker check --conninfo 'user=postgres dbname=app' /root/writer.acks | sed 's/^/# /'
    [ "${PIPESTATUS[0]}" = 0 ]
}

expect 'every block of docs/install.md is run' blocks_run docs/install.md "$0"
if ! why=$(possible); then
    skip booted "$why"
    exit 0
fi
if [ "${PACKAGES_BUILT:-0}" != 1 ]; then
    must 'the packages are built' quietly packaging/deb/build.sh "$work/deb"
    must 'and those of a later version' quietly env PACKAGE_VERSION="$next" packaging/deb/build.sh "$work/next"
fi
prepare
installed
started
upgraded
refused
hurt
purged
exit "$failed"
