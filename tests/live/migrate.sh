# shellcheck shell=bash
# migrate.sh: hosts on which a document's commands are run as they stand there. To be sourced after lib.sh.
#
#     host NAME ROLE SITE ADDRESS      a member (role "etcd", "client": not of the mesh)
#     hosts_make                       network, and for each host a file system view of its own
#     at NAME COMMAND...               runs it there, as root, in /root
#     guide FILE                       the document
#     step BLOCK NAME...               runs one of its blocks on each of these hosts
#     migrate_begin ... migrate_prove  what a migration from one peer has in common with that from another
#
# Blocks: tests/blocks.sh. Each host has its own /etc, /var, /root and /run
# (overlays: what is installed on this machine is installed there), its own network and cgroup; programs of the build come first in
# its PATH. Two commands are ours there: systemctl, since no init runs on these hosts, starts what the units start, as their user and
# without a sandbox; scp copies to the other host's /root.

. "$LIVE_ROOT/tests/blocks.sh"
GUIDE=''

host() { # name, role, site, address
    member "$1" "$2" "$3"
    ADDRESS[$1]=$4
}

hosts_make() {
    local name
    live_network
    mkdir "$work/bin" "$work/ns" "$work/root"
    mount --bind "$work/ns" "$work/ns"
    mount --make-private "$work/ns"
    for name in pgmesh pgmesh-node pgmesh-guard pgmesh-witness; do cp "$LIVE_BIN/$name" "$work/bin/"; done
    cp "$LIVE_ROOT/packaging/pgmesh-member" "$work/bin/"
    systemctl_text >"$work/bin/systemctl"
    scp_text >"$work/bin/scp"
    chmod 755 "$work"/bin/*
    for name in "${MEMBERS[@]}"; do host_make "$name"; done
}

host_make() { # name
    local root=$work/view/$1 ns=$work/ns/$1
    mkdir -p "$work/$1" "$work/root/$1" "$work/log/$1-postgresql" "$root"/{etc,var,etc.work,var.work}
    chown postgres: "$work/$1"
    chmod 700 "$work/root/$1"
    touch "$ns" "$ns.uts"
    # shellcheck disable=SC2016
    unshare --mount="$ns" --uts="$ns.uts" --propagation private -- sh -euc '
        hostname "$4"
        root=$1 home=$2 sockets=$3 log=$5
        for dir in etc var; do
            mount -t overlay -o "lowerdir=/$dir,upperdir=$root/$dir,workdir=$root/$dir.work" overlay "/$dir"
        done
        mount --bind "$home" /root
        mount -t tmpfs -o mode=755 tmpfs /run
        install -d -o postgres -g postgres -m 2775 /run/postgresql
        mount --bind "$sockets" /run/postgresql
        rm -rf /var/lib/postgresql/* /etc/postgresql/* /etc/patroni /etc/pgmesh /var/lib/pgmesh
        install -d -o postgres -g postgres /var/lib/postgresql /var/lib/postgresql/15 /var/log/postgresql
        chown postgres: "$log" && mount --bind "$log" /var/log/postgresql
        install -d /etc/patroni /etc/pgmesh /var/lib/pgmesh
        getent passwd pgmesh >/dev/null || useradd --system --home-dir /var/lib/pgmesh pgmesh' \
        sh "$root" "$work/root/$1" "$work/$1" "$1" "$work/log/$1-postgresql"
}

at() { # name, command...
    local name=$1
    shift
    # shellcheck disable=SC2016
    (exec setsid -w sh -c '[ -z "$1" ] || { mkdir -p "$1" && echo 0 >"$1/cgroup.procs"; }; net=$2 ns=$3; shift 3
        exec nsenter --net="$net" --mount="$ns" --uts="$ns.uts" -- "$@"' sh "${cgroup:+$cgroup/$name}" "/run/netns/$prefix-$name" "$work/ns/$name" \
        env -i "PATH=$work/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root LANG=C.UTF-8 \
        "HOST_CGROUP=${cgroup:+$cgroup/$name}" "HOST_LOG=$work/log/$name" "HOST_ROOTS=$work/root" \
        sh -c 'cd /root && exec "$@"' sh "$@")
}

systemctl_text() {
    cat <<'SH'
#!/bin/bash
# Starts and stops what the units would, on a host without an init.
set -u
verb=$1 now=0
shift
units=()
for word in "$@"; do case $word in --now) now=1 ;; -*) ;; *) units+=("${word%.service}") ;; esac; done
[ "$verb" != enable ] && [ "$verb" != disable ] || { [ "$now" = 1 ] || exit 0; }
mkdir -p /run/units
run() { # unit, user, command...
    local unit=$1 user=$2 group=$HOST_CGROUP
    shift 2
    if [ -n "$group" ]; then # Delegate=yes
        group=$group/$unit
        mkdir -p "$group"
        chown "$user" "$group" "$group/cgroup.procs" "$group/cgroup.subtree_control"
    fi
    (
        [ -z "$group" ] || echo 0 >"$group/cgroup.procs"
        cd / && exec setsid setpriv --reuid="$user" --regid="$user" --init-groups -- env HOME="$(getent passwd "$user" | cut -d: -f6)" "$@"
    ) </dev/null >>"$HOST_LOG-$unit.log" 2>&1 &
    echo $! >"/run/units/$unit"
    disown
}
alive() { local pid; pid=$(cat "/run/units/$1" 2>/dev/null) && [ -e "/proc/$pid/exe" ]; }
for unit in "${units[@]}"; do
    name=${unit#*@}
    case $verb in
        start | enable | restart)
            ! alive "$unit" || { [ "$verb" = restart ] || continue; "$0" stop "$unit"; }
            case $unit in
                patroni) run "$unit" postgres patroni /etc/patroni/config.yml ;;
                repmgrd) run "$unit" postgres repmgrd -f /etc/repmgr.conf --daemonize=false --no-pid-file ;;
                postgresql@15-main) pg_ctlcluster 15 main start ;;
                pgmesh-node@*) install -d -o postgres -m 700 "/var/lib/pgmesh/$name"; run "$unit" postgres pgmesh-node --config "/etc/pgmesh/$name/node.conf" ;;
                pgmesh-witness@*) run "$unit" pgmesh pgmesh-witness --config "/etc/pgmesh/$name/node.conf" ;;
                *) echo "systemctl: no unit $unit here" >&2; exit 5 ;;
            esac ;;
        stop | disable)
            [ "$unit" != postgresql@15-main ] || { pg_ctlcluster 15 main stop || :; continue; }
            alive "$unit" || continue
            pid=$(cat "/run/units/$unit")
            kill -TERM "$pid" # of patroni, too, the first process alone: KillMode=process
            for _ in $(seq 600); do alive "$unit" || break; sleep 0.1; done
            ! alive "$unit" || { echo "systemctl: $unit does not end" >&2; exit 1; }
            rm -f "/run/units/$unit" ;;
        is-active) alive "$unit" || exit 3 ;;
        daemon-reload | mask | unmask) ;;
        *) echo "systemctl: no $verb here" >&2; exit 1 ;;
    esac
done
SH
}
scp_text() {
    cat <<'SH'
#!/bin/bash
# scp [-pr] PATH... root@HOST:
set -eu
words=()
for word in "$@"; do case $word in -*) ;; *) words+=("$word") ;; esac; done
to=${words[-1]}
to=${to#root@}
unset 'words[-1]'
cp -a "${words[@]}" "$HOST_ROOTS/${to%%:*}/"
SH
}

# ---- the document ------------------------------------------------------------------------------------------------------

guide() { GUIDE=$LIVE_ROOT/$1; }
step() { # block, host...
    local name=$1 where
    shift
    block "$GUIDE" "$name" | unattended >"$work/log/$name.sh"
    [ -s "$work/log/$name.sh" ] || { not_ok "the document has the block $name"; exit 1; }
    for where in "$@"; do
        at "$where" bash -eu "$work/log/$name.sh" >>"$work/log/$name.txt" 2>&1 && continue
        not_ok "$name on $where, as it stands in the document"
        tail -n 15 "$work/log/$name.txt" | sed 's/^/# /'
        exit 1
    done
    ok "$name on $*"
}
is_over() { ! kill -0 "$1" 2>/dev/null; }
step_within() { # seconds, block, host...: a step that must not hang
    local limit=$1
    shift
    step "$@" &
    local pid=$!
    await "$limit" is_over "$pid" || { kill "$pid"; not_ok "$1 ends within $limit s"; exit 1; }
    wait "$pid" || exit 1
}

# ---- what is to be seen -----------------------------------------------------------------------------------------------

in_recovery() { sql "$1" 'SELECT pg_is_in_recovery()' 2>/dev/null; } # name: t, f, or nothing
# The one database that takes writes.
serving() {
    local name found=
    for name in "${MEMBERS[@]}"; do
        [ "${ROLE[$name]}" = database ] && [ "$(in_recovery "$name")" = f ] || continue
        [ -z "$found" ] || return 1
        found=$name
    done
    echo "$found"
}
streaming() { [ "$(sql "$(serving)" "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'" 2>/dev/null)" = "$1" ]; } # number
mesh_status() { at "$1" pgmesh status --output json 2>/dev/null; } # name
mesh_whole() { # name, number of standbys
    mesh_status "$1" | jq -e --argjson n "$2" '.healthy and ([.members[] | select(.role == "database" and .streaming and .state == "up")] | length >= $n)
        and (.sync.members | length >= $n)' >/dev/null 2>&1
}
# Of every kind of database: is the same row everywhere?
same_rows() {
    local name of
    of=$(digest "$(serving)")
    for name in "${MEMBERS[@]}"; do
        [ "${ROLE[$name]}" = database ] || continue
        [ -n "$of" ] && [ "$(digest "$name")" = "$of" ] || return 1
    done
}
# The longest silence of the writer since then.
silence() { outage "$1" "$(clock)" | cut -d' ' -f1; } # from (us)

# ---- what both migrations do ---------------------------------------------------------------------------------------
# `was` is the primary that ran before the step, `settings_before` what some_settings said of it.

migrate_begin() { # peer, its programs...
    local tool
    live_begin "migrate_$1"
    for tool in "${@:2}"; do
        command -v "$tool" >/dev/null || { echo "ok $live_name # SKIP there is no $tool (packaging/install-deps.sh peers)"; exit 0; }
    done
    guide docs/migration.md
    expect 'a test runs every block of the document' blocks_run "$GUIDE" "$LIVE_ROOT"/tests/live/{migrate,test_migrate_*}.sh
    host db1 database fra 10.0.1.1
    host db2 database ams 10.0.2.1
    host db3 database ams 10.0.2.2
    host wit1 witness lux 10.0.3.1
    host wit2 witness lux 10.0.3.2
}
others() { printf '%s\n' db1 db2 db3 | grep -vx "$was"; }
some_settings() { sql "$1" "SELECT string_agg(name || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ('work_mem', 'max_connections', 'data_checksums', 'maintenance_work_mem')"; }
foreign_slots() { sql "$1" "SELECT count(*) FROM pg_replication_slots WHERE slot_name !~ '^pgmesh'"; }
primary_changed() { [ -n "$(sql "$1" 'SELECT 1 WHERE NOT pg_is_in_recovery()')" ] || [ -n "$(sql "$2" 'SELECT 1 WHERE NOT pg_is_in_recovery()')" ]; }
one_was_primary() { [ "$(grep -c 'shut down$' "$1")" = 1 ] && [ "$(grep -c 'shut down in recovery$' "$1")" = 2 ]; }
migrate_adopt() { # PostgreSQL runs and nobody manages it
    local began
    began=$(clock)
    step start-witness wit1 wit2
    # shellcheck disable=SC2046
    step start $(others)
    expect 'the standbys wait for their primary' await 5 streaming 2
    step start-primary "$was"
    step_within 60 settled db1
    must 'the mesh stands, both standbys confirm' await 30 mesh_whole db1 2
    say "adopted: without writes for $(silence "$began") ms"
    expect 'the primary is the one that ran' [ "$(serving)" = "$was" ]
    expect 'its settings are what they were' [ "$(some_settings "$was")" = "$settings_before" ]
    step slots db1 db2 db3
    expect 'no slot is left that would keep WAL for nobody' [ "$(foreign_slots db1)$(foreign_slots db2)$(foreign_slots db3)" = 000 ]
    expect 'nothing lost so far' nothing_lost "$was" --running
}
migrate_failover() {
    local began
    began=$(clock)
    unplug "$was"
    # shellcheck disable=SC2046
    must 'it fails over as any mesh does' await 20 primary_changed $(others)
    plug "$was"
    must 'the former primary follows' await 60 mesh_whole "$(others | head -n 1)" 2
    await 10 writes_flow || not_ok 'writes flow'
    say "a host unplugged: without writes for $(silence "$began") ms"
    was=$(serving)
}
migrate_stop() { # the mesh, its PostgreSQL servers too
    # shellcheck disable=SC2046
    step back-stop "$was" $(others)
    step back-stop-witness wit1 wit2
    step back-same db1 db2 db3
    expect 'it tells who was the primary' one_was_primary "$work/log/back-same.txt"
}
migrate_prove() {
    writers_stop || not_ok 'the writer ends'
    expect 'every acknowledged row is there, none twice, none from nowhere, one primary at a time' nothing_lost "$(serving)"
    tail -n 1 "$work/log/checker.txt" | sed 's/^/# /'
    expect 'every database holds the same rows' await 30 same_rows
}
