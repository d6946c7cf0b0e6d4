# shellcheck shell=bash
# pooler.sh: PgBouncer on the application's host, by the shipped sample configuration. To be sourced after lib.sh.

POOLER_OPTIONS() { # the observer's options
    printf '%s' "route_pgbouncer='host=127.0.0.1 port=6432 user=pgmesh_route dbname=pgbouncer',route_pgbouncer_file=$work/pooler/pgmesh.ini,route_pgbouncer_databases=app"
}
# Before live_cluster.
pooler_prepare() {
    mkdir -p "$work/pooler"
    sed -e "s,/etc/pgbouncer,$work/pooler,; s,/var/log/postgresql,$work/log,; s,/var/run/postgresql,$work/pooler," \
        "$LIVE_ROOT/packaging/pgbouncer/pgbouncer.ini" >"$work/pooler/pgbouncer.ini"
    printf '"pgmesh_route" "route"\n"app" "app"\n' >"$work/pooler/userlist.txt"
    touch "$work/log/pgbouncer.log"
    chown -R postgres: "$work/pooler" "$work/log/pgbouncer.log"
}
# Once the cluster's folders exist: the console's password.
pooler_password() { echo '*:*:pgbouncer:pgmesh_route:route' >>"$work/mesh/app/pg.pass"; }
pooler_start() {
    await 20 test -s "$work/pooler/pgmesh.ini" || return 1
    (
        [ -z "$cgroup" ] || { mkdir -p "$cgroup/pooler" && echo 0 >"$cgroup/pooler/cgroup.procs"; }
        exec setsid nsenter --net="/run/netns/$prefix-app" -- setpriv --reuid=postgres --regid=postgres --init-groups \
            pgbouncer -q "$work/pooler/pgbouncer.ini"
    ) </dev/null >"$work/log/pgbouncer.txt" 2>&1 &
    WRITER_PIDS+=($!)
    disown
    await 10 pooled app 'SELECT 1'
}
pooled() { # database, statement
    PGPASSWORD=app in_net app psql -XAtq "host=127.0.0.1 port=6432 user=app dbname=$1 connect_timeout=3" -c "$2" 2>/dev/null
}
console() { PGPASSWORD=route in_net app psql -XAtq "host=127.0.0.1 port=6432 user=pgmesh_route dbname=pgbouncer" -c "$1"; }
paused() { # is the pooled database?
    console 'SHOW DATABASES' | awk -F '|' '$1 == "app" { found = $0 } END { n = split(found, f, "|"); exit !(f[n - 1] == 1) }'
}
# A writer through the pooler, which puts down who answered behind it; `outage` is what the first writer sees.
pooled_writer() { # [options]
    local log=$work/log/pooled.acks name behind=()
    for name in "${MEMBERS[@]}"; do [ "${ROLE[$name]}" != database ] || behind+=(--behind "$name=${ADDRESS[$name]}"); done
    (
        [ -z "$cgroup" ] || { mkdir -p "$cgroup/writers" && echo 0 >"$cgroup/writers/cgroup.procs"; }
        PGPASSWORD=app exec setsid nsenter --net="/run/netns/$prefix-app" -- "$LIVE_BIN/live/writer" --log "$log" "${behind[@]}" "$@" pool=127.0.0.1:6432
    ) </dev/null >"$work/log/pooled.txt" 2>&1 &
    WRITER_PIDS+=($!)
    WRITER_LOGS+=("$log")
    disown
    await 20 acks_in "$log"
}
pooled_writes_flow() { acks_after "$work/log/pooled.acks" "$(($(clock) - 500000))"; }
