#!/usr/bin/env bash
# Runs the hand on PostgreSQL (node/) through its goals, on three real servers in a private folder.
#
#   tests/live/test_hand.sh [cgroup|ladder]
#
# As root it drops to user `postgres` (USER_PG), else PostgreSQL runs as the caller.
set -euo pipefail
cd "$(dirname "$0")/../.."

case ${1:-cgroup} in
    cgroup) fence=auto ;;
    ladder) fence=none ;;
    *) echo "usage: $0 [cgroup|ladder]" >&2; exit 2 ;;
esac
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
user=${USER_PG:-$([ "$(id -u)" = 0 ] && echo postgres || id -un)}
port=${PORT:-$((20000 + RANDOM % 20000))}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/sockets"
for n in 1 2 3; do mkdir -p "$tmp/db$n/state"; done
if [ "$(id -u)" = 0 ]; then
    chmod 755 "$tmp"
    chown "$user" "$tmp/sockets"
fi

# The node's own sources but its main program and the guard; the rest out of what was built.
built=${PGMESH_BUILD:-build/default}
sources=()
for f in node/*.c; do case $f in node/guard*|node/main.c|node/agent.c|node/observer.c|node/pg_observer.c) ;; *) sources+=("$f") ;; esac; done
if ! ${CC:-cc} -std=gnu11 -g -O1 -I. -pthread ${SAN:+-fsanitize=$SAN} -ffunction-sections -Wl,--gc-sections \
    $(pkg-config --cflags libpq jansson) -o "$tmp/test_hand" tests/live/test_hand.c "${sources[@]}" "$built/libio.a" "$built/libcore.a" \
    $(pkg-config --libs libpq libsodium libzmq jansson) -lmsgpackc; then
    echo 'not ok hand: it is not built'
    exit 1
fi

status=0
"$tmp/test_hand" "$tmp" "$bin" "$user" "$port" "$fence" || status=$?
if [ $status -ne 0 ]; then
    for n in 1 2 3; do
        echo "# the end of server $n's log"
        tail -n 40 "$tmp/db$n/state/postgresql.log" || true
    done
fi
exit $status
