# shellcheck shell=bash
# arena.sh: the cluster that chaos.sh and calm.sh work on, and the oracle. To be sourced after lib.sh and faults.sh.
#
#     arena_begin NAME      three databases, two witnesses, an application host; every host's data and state on file
#                           systems of their own; the writer, and pgbench beside it
#     oracle WHAT           healed, is all as it should be? A result for each thing that is not.
#     arena_end             the same at the end, and more
#
# What it may be told: durability, load (0: no pgbench), pooler (1: a second writer through PgBouncer, which the observer drives), record (a file for memory and descriptors), WHOLE_SECONDS (90).

. "$LIVE_ROOT/tests/live/footprint.sh"
. "$LIVE_ROOT/tests/live/pooler.sh"

durability=sync load=1 pooler=0 disks=1 record=$LIVE_BIN/footprint.tsv
whole_seconds=${WHOLE_SECONDS:-90}

# ---- the oracle -----------------------------------------------------------------------------------------------------

loss_option() { [ "$durability" != async ] || echo --allow-loss; }
proved_so_far() {
    # shellcheck disable=SC2046
    nothing_lost "$(primary)" $(loss_option) --running "${EXCUSES[@]}"
}
no_bug() { # an assertion, a signal of its own, a sanitizer
    ! grep -nE 'Assertion|AddressSanitizer|runtime error|ended with status (13[49]|136|139)|stack smashing' "$work"/log/*.log
}
all_vote() {
    local name at
    at=$(primary)
    for name in $(status "$at" | jq -r '.members[] | select(.vote == false) | .name'); do
        [ "${ROLE[$name]}" = observer ] || readmitted "$name" || return 1
    done
}
recovered() { all_vote && settled 2; }
# Whatever a fault left: links, disks, clocks, roles, sleepers, hosts.
heal_all() {
    local name
    for name in "${MEMBERS[@]}"; do
        heal "$name"
        for at in "$(data_of "$name")" "$(state_of "$name")"; do
            unstall "$at"
            unfill "$at"
            [ "$name" = app ] || [ -w "$at" ] || repair "$name" "$at" "$name.$(basename "$at" | sed "s/^$name\$/data/")"
        done
        signal_host CONT "$name"
        [ ! -e "$work/$name.clock" ] || step_clock "$name" 0
        rm -f "$work/$name.fserror"
    done
    for name in fra ams lux; do uncut_site "$name"; done
    for name in "${!BACKGROUND[@]}"; do
        case $name in wire-*) good_cable "${name#wire-}" ;; *) until_over "$name" ;; esac
    done
    for name in "${!BLIND[@]}"; do sees "$name"; done
    for name in "${MEMBERS[@]}"; do guarded "$name" || revive "$name" || :; done
}
guarded() { case $(readlink "/proc/${PID[$1]:-none}/exe") in */pgmesh-*) return 0 ;; *) return 1 ;; esac; } # name
oracle() { # what was done
    local began=$SECONDS bad=0
    await "$whole_seconds" recovered || { not_ok "$1: whole again within $whole_seconds s"; bad=1; }
    whole_after=$((SECONDS - began))
    await 10 writes_flow || { not_ok "$1: writes flow again"; bad=1; }
    [ "$pooler" = 0 ] || await 20 pooled_writes_flow || { not_ok "$1: writes flow again through the pooler"; bad=1; }
    proved_so_far || { not_ok "$1: nothing lost, one primary at a time, no read backwards"; bad=1; }
    no_bug || { not_ok "$1: nobody fell by a bug of its own"; bad=1; }
    footprint_take "$record"
    [ "$bad" = 0 ] || keep_step "${1%% *}"
    return "$bad"
}
keep_step() { # name: the state of things at a failure, before more happens
    local name logs=$live_name
    live_name=$live_name-at-$1
    keep_logs
    for name in db1 db2 db3; do
        ps -o pid,stat,wchan:20,args -p "$(pids_of "$name" | paste -sd,)" >"${PGMESH_LIVE_LOGS:-$LIVE_BIN/live-logs}/$live_name/$name-ps.txt" 2>/dev/null || :
    done
    live_name=$logs
}

# ---- the cluster ----------------------------------------------------------------------------------------------------

arena_begin() { # name
    local name
    live_begin "$1"
    : >"$record"
    command -v pgbouncer >/dev/null || pooler=0
    if [ "$pooler" = 1 ]; then three_databases "$(POOLER_OPTIONS)"; else three_databases; fi
    mkdir "$work/disk" "$work/bin"
    cp "$LIVE_BIN"/live/{wallclock,fserror}.so "$work/bin/"
    for name in db1 db2 db3; do wrap_postgres "$name"; done
    for name in "${MEMBERS[@]}"; do
        echo 0 >"$work/$name.clock"
        HOST_ENV[$name]="LD_PRELOAD=$work/bin/wallclock.so:$work/bin/fserror.so WALLCLOCK=$work/$name.clock FSERROR=$work/$name.fserror"
    done
    live_network
    disks_make
    live_init --durability "$durability" --set lease="${lease:-600ms}" --set promote_timeout=8s --set pg.max_wal_size=256MB --set pg.min_wal_size=32MB \
        --set pg.max_slot_wal_keep_size=64MB --set pg.wal_keep_size=32MB \
        --set pg.archive_mode=on --set pg.archive_command=true
    state_disks_make
    [ "$pooler" = 0 ] || { pooler_prepare && pooler_password; }
    start_all
    must 'a cluster comes up from nothing' await 90 whole 2
    must 'the application makes its table' make_ledger "$(primary)"
    sql "$(primary)" 'CREATE INDEX ON ledger (id)' app
    writer_start app --read-every 8 --every-ms "${WRITER_EVERY_MS:-10}"
    if [ "$pooler" = 1 ]; then
        must 'PgBouncer serves, by the file that the observer wrote' pooler_start
        must 'a second writer goes through it' pooled_writer --first-id 100000001 --read-every 4 --every-ms "${WRITER_EVERY_MS:-20}"
    fi
    [ "$load" = 0 ] || load_start
    await 20 settled 2
}

# The server's own programs see the host's wall clock as well; pgmesh starts them with an environment of its own.
wrap_postgres() { # name
    local program dir=$work/bin/$1
    mkdir "$dir"
    for program in "$PG_BIN"/*; do ln -s "$program" "$dir/"; done
    rm "$dir/postgres"
    printf '#!/bin/sh\nexport LD_PRELOAD=%s WALLCLOCK=%s\nexec %s "$@"\n' "$work/bin/wallclock.so" "$work/$1.clock" \
        "$PG_BIN/postgres" >"$dir/postgres"
    chmod 755 "$dir/postgres"
    BIN_DIR[$1]=$dir
}

disk() { # name of the image, megabytes, mount point
    truncate -s "$2M" "$work/disk/$1"
    mkfs.ext4 -q -F -m 0 -E lazy_itable_init=0,nodiscard -O ^resize_inode -J size=4 "$work/disk/$1"
    tune2fs -e remount-ro "$work/disk/$1" >/dev/null
    mount -o loop "$work/disk/$1" "$3"
    rmdir "$3/lost+found"
}
# Loop devices and ext4 are not to be had everywhere (containers): then the faults of disks are left out.
disks_possible() {
    mkdir "$work/disk/probe"
    (disk probe.image 32 "$work/disk/probe" && umount "$work/disk/probe") >/dev/null 2>&1 || disks=0
    rm -f "$work/disk/probe.image"
}
disks_make() {
    local name
    mount -t tmpfs -o size=6g pgmesh-test "$work/disk" || disks=0
    disks_possible
    for name in db1 db2 db3; do
        mkdir -p "$work/$name"
        [ "$disks" = 0 ] || disk "$name.data" 1500 "$work/$name"
    done
}
state_disks_make() {
    local name state
    [ "$disks" = 1 ] || return 0
    for name in db1 db2 db3 wit1 wit2; do
        state=$(state_of "$name")
        mv "$state" "$state.made"
        mkdir "$state"
        disk "$name.state" 48 "$state"
        cp -a "$state.made/." "$state/"
        rm -rf "$state.made"
    done
}
needs_disk() { case $1 in data-* | wal-* | state-* | standby-data-* | standby-stall-* | witness-state-*) return 0 ;; *) return 1 ;; esac; }

# pgbench's bank beside the writer, through one connection string; begun again whenever it breaks off.
load_start() {
    local all
    all="host=${ADDRESS[db1]},${ADDRESS[db2]},${ADDRESS[db3]} user=app dbname=app target_session_attrs=read-write
        connect_timeout=2 tcp_user_timeout=3000 keepalives_idle=1 keepalives_interval=1 keepalives_count=3"
    all=$(tr -s '\n ' '  ' <<<"$all")
    must 'pgbench makes its bank' in_net app "$PG_BIN/pgbench" -i -q -s 1 "$all" >"$work/log/pgbench.txt" 2>&1
    (
        [ -z "$cgroup" ] || { mkdir -p "$cgroup/writers" && echo 0 >"$cgroup/writers/cgroup.procs"; }
        exec setsid nsenter --net="/run/netns/$prefix-app" -- bash -c 'while :; do "$1" -n -c 3 -j 1 -R 40 -T 600 "$2"; sleep 0.3; done' \
            pgbench "$PG_BIN/pgbench" "$all"
    ) </dev/null >>"$work/log/pgbench.txt" 2>&1 &
    load_pid=$!
    disown
}
load_stop() {
    [ -n "${load_pid:-}" ] || return 0
    kill -KILL -- "-$load_pid" 2>/dev/null || :
    kill -KILL "$load_pid" 2>/dev/null || :
    load_pid=
}
balances() {
    [ "$(sql "$(primary)" "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(tbalance) FROM pgbench_tellers)
        AND (SELECT sum(bbalance) FROM pgbench_branches) = (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
        AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches)" app)" = t ]
}
no_secret() { ! grep -rqFf <(sed 's/.*://' "$work"/mesh/db?/pg.pass; cat "$work"/mesh/*/member.key) "$work/log"; }

# ---- the end ----------------------------------------------------------------------------------------------------------

arena_end() {
    load_stop
    must 'a primary serves at the end' await 30 eval '[ -n "$(primary)" ]'
    writers_stop || not_ok 'the writer ends'
    # shellcheck disable=SC2046
    expect 'every acknowledged row is there, none twice, none from nowhere, one primary at a time, no read backwards' \
        nothing_lost "$(primary)" $(loss_option) "${EXCUSES[@]}"
    tail -n 1 "$work/log/checker.txt" | sed 's/^/# /'
    expect 'every database holds the same rows' await 30 same_everywhere
    [ "$load" = 0 ] || expect 'the bank of pgbench balances' balances
    expect 'no password and no key is in a log' no_secret
    expect 'memory and descriptors stay bounded' footprint_bounded "$record"
}
