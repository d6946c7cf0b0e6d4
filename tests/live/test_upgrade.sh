#!/usr/bin/env bash
# LIMIT: 240
# A rolling upgrade from one version of the protocol to the next, under writes, and back: each host has programs of its own,
# which are replaced as packages do it. What is real is the two builds; what the next version says that this one does not is
# made up (docs/development.md, "Two versions").
. "$(dirname "$0")/lib.sh"
next=${PGMESH_NEXT:-build/next}
case $next in /*) ;; *) next=$LIVE_ROOT/$next ;; esac
live_begin upgrade
must 'the next version is built (make next)' [ -x "$next/pgmesh-node" ]
three_databases

put() { # name, from where: each file whole, by a rename; what runs goes on
    local program to=$work/bin/$1
    mkdir -p "$to"
    for program in pgmesh-node pgmesh-guard pgmesh-witness; do
        install -m 755 "$2/$program" "$to/.new" && mv -f "$to/.new" "$to/$program"
    done
    PROGRAMS[$1]=$to
}
reads() { [ "$(field "$2" '.members[] | select(.name == "'"$1"'") | .protocol')" = "$3" ]; } # name, as seen by whom, version
spoken_by() { [ "$(field "$1" .protocol)" = "$2" ]; }
all_speak() { # version
    local name
    for name in "${MEMBERS[@]}"; do spoken_by "$name" "$1" || return 1; done
}
# As the packages do it: agents of databases are replaced within their lease, the others restarted.
replace() { # name, from where, version
    local former other=wit1
    put "$1" "$2"
    [ "$1" != wit1 ] || other=wit2
    if [ "${ROLE[$1]}" = database ]; then
        former=$(agent_of "$1")
        kill -HUP "${PID[$1]}"
        await 10 has_other_agent "$1" "$former" || return 1
    else
        stop "$1" || return 1
        start "$1"
    fi
    await 15 reads "$1" "$other" "$3" && await 20 whole 2
}
round() { # from where, version, name...
    local name from=$1 version=$2
    shift 2
    for name in "$@"; do must "$name is given version $version" replace "$name" "$from" "$version"; done
}
no_failed_write() { ! grep -q '^lost ' "${WRITER_LOGS[0]}"; }
switch_to() { # name
    pgmesh_as "$1" switchover --to "$1" >"$work/log/switchover" 2>&1 || { sed 's/^/# /' "$work/log/switchover"; return 1; }
    await 20 primary_is "$1" && await 20 whole 2
}

for name in "${MEMBERS[@]}"; do put "$name" "$LIVE_BIN"; done
live_cluster
writer_start
first=$(primary) before=$(term) master=$(postmaster_of "$first")
standbys=()
for name in db1 db2 db3; do [ "$name" = "$first" ] || standbys+=("$name"); done
expect 'version 1 is spoken' await 10 all_speak 1

round "$next" 2 wit1 "$first" "${standbys[0]}"
expect 'while some read version 1 only, it is spoken' all_speak 1
expect 'no failover: the same term' [ "$(term)" -eq "$before" ]
expect 'PostgreSQL was not restarted' [ "$(postmaster_of "$first")" = "$master" ]
expect 'no write failed' no_failed_write
must 'members of two versions vote together: a switchover' switch_to "${standbys[1]}"
before=$(term)

rest=()
for name in "${MEMBERS[@]}"; do case $name in wit1 | "$first" | "${standbys[0]}") ;; *) rest+=("$name") ;; esac; done
round "$next" 2 "${rest[@]}"
expect 'when every member reads version 2, it is spoken' await 10 all_speak 2
expect 'no failover: the same term' [ "$(term)" -eq "$before" ]
crash "$(primary)"
must 'a failover in version 2' await 30 primary_is_not "${standbys[1]}"
start "${standbys[1]}"
must 'the cluster is whole again' await 60 whole 2
before=$(term)

round "$LIVE_BIN" 1 "${standbys[1]}" wit2
expect 'one that was put back is enough: version 1 is spoken' await 10 all_speak 1
rest=()
for name in "${MEMBERS[@]}"; do case $name in wit2 | "${standbys[1]}") ;; *) rest+=("$name") ;; esac; done
round "$LIVE_BIN" 1 "${rest[@]}"
expect 'no failover on the way back: the same term' [ "$(term)" -eq "$before" ]
expect 'writes flow' await 10 writes_flow
prove
