#!/usr/bin/env bash
# Hooks and connection files: a virtual address follows the primary and never stays behind; a hook that hangs harms
# nobody; scripts are told where the primary is.
. "$(dirname "$0")/lib.sh"
live_begin hooks

vip=10.77.99.99
cat >"$work/hook" <<HOOK
#!/bin/sh
# The event, and what was so when it came. Then the virtual address (databases), or a hang (the application's host).
read -r json
member=\$(printf %s "\$json" | jq -r .member)
pid=\$(head -n 1 "$work/\$member/data/postmaster.pid" 2>/dev/null)
[ -n "\$pid" ] && [ "\$(readlink "/proc/\$pid/cwd")" = "$work/\$member/data" ] && runs=true || runs=false
printf %s "\$json" | jq -c --argjson runs "\$runs" --arg user "\$(id -un)" '. + {\$runs, \$user}' >>"$work/log/hook-\$member.jsonl"
case \$member:\$1 in
db*:promote) ip addr replace $vip/16 dev eth0 && arping -q -U -c 2 -w 1 -I eth0 $vip ;;
db*:start | db*:demote) ip addr del $vip/16 dev eth0 2>/dev/null || : ;;
app:paused) sleep 1000 & sleep 1000 ;;
esac
HOOK
chmod 755 "$work/hook"
touch "$work/log/hook-app.jsonl"
chown postgres: "$work/log/hook-app.jsonl"

on_db="hook=$work/hook,hook_user=root"
member db1 database fra "$on_db"
member db2 database ams "$on_db"
member db3 database ams "$on_db"
member wit1 witness lux
member wit2 witness lux
member app observer - "hook=$work/hook,hook_timeout=1s,hook_user=postgres,route_file=$work/app.conninfo"
live_cluster

has_vip() { [[ $(in_net "$1" ip -o addr show dev eth0) == *" $vip/"* ]]; } # name
vip_only_at() { # name
    local name
    for name in db1 db2 db3; do
        if [ "$name" = "$1" ]; then has_vip "$name" || return 1; else ! has_vip "$name" || return 1; fi
    done
}
told() { jq -se --argjson term "$(term)" "[.[] | select($2)] | length > 0" "$work/log/hook-$1.jsonl" >/dev/null 2>&1; } # name, jq
reach_vip() { in_net app psql -XAtq "host=$vip port=5432 user=app dbname=app connect_timeout=2" -c 'SELECT 1' >/dev/null 2>&1; }

first=$(primary)
expect 'the virtual address is at the primary alone' await 10 vip_only_at "$first"
expect 'through it the database is reached' await 10 reach_vip
expect "each database's hook ran before PostgreSQL did" told "$first" '.event == "start" and (.runs | not) and .role == "database"'
expect 'the hook on the application host was told of the primary' await 10 told app ".event == \"primary\" and .primary.name == \"$first\" and .primary.host == \"${ADDRESS[$first]}\" and .term == \$term"
expect 'it runs as the configured user' told app '.user == "postgres"'

where() { "$LIVE_BIN/pgmesh" where --control "$work/mesh/app/state/control.sock" "$@"; }
asks() { in_net app psql -XAtq "$1 user=app dbname=app" -c 'SELECT pg_is_in_recovery()'; }
expect '"where" leads to the primary' [ "$(asks "$(where)")" = f ]
two() { [ "$(where --role replica --format host | wc -l)" = 2 ]; }
expect 'two replicas are for readers' await 10 two
expect '"where --role replica" leads to a standby' [ "$(asks "$(where --role replica)")" = t ]
expect 'the file says the same as "where"' [ "$(cat "$work/app.conninfo")" = "$(where)" ]
expect 'the other names all databases' [ "$(cat "$work/app.conninfo.all")" = "$(where --all)" ]

# The host is gone, with the virtual address configured: it comes back without it, before anything is started.
before=$(term)
unplug "$first"
crash "$first"
must 'another takes over' await 20 primary_is_not "$first"
second=$(primary)
expect 'the virtual address is at the new primary' await 10 has_vip "$second"
expect 'through it the new primary is reached' await 10 reach_vip
expect 'the application host was told who was before' await 10 told app ".event == \"primary\" and .primary.name == \"$second\" and .former.name == \"$first\" and .term > $before"
file_says() { grep -q "host=${ADDRESS[$1]} " "$work/app.conninfo"; }
expect 'the file names the new primary' await 10 file_says "$second"
expect 'the host that is gone still has the address' has_vip "$first"
: >"$work/log/hook-$first.jsonl"
start "$first"
expect 'when it starts the address is taken away' await 10 not has_vip "$first"
expect 'before PostgreSQL is started' await 10 told "$first" '.event == "start" and (.runs | not)'
heal "$first"
must "$first comes back as a standby" await 60 settled 2 # it can be promoted, too

must 'a switchover is done' pgmesh_as app switchover --to "$first"
expect 'the virtual address went along' await 10 vip_only_at "$first"
expect 'the hook heard of the switchover' await 10 told app ".event == \"switchover\" and .successor.name == \"$first\""
must 'all stand again' await 60 whole 2

# A hook that hangs is killed with all that it started; the next event follows.
before=$(term)
must 'the cluster is paused' pgmesh_as app pause --reason hooks
must 'it is resumed' pgmesh_as app resume
expect 'the event after the hang is told' await 10 told app '.event == "resumed"'
expect 'in order' eval '[ "$(jq -r .event "$work/log/hook-app.jsonl" | tail -n 2 | xargs)" = "paused resumed" ]'
expect 'the log says that it was killed' grep -q 'paused: killed after 1[0-9][0-9][0-9] ms' "$work/log/app.log"
hanging() { pids_of app | xargs -r ps -o args= -p | grep -q 'sleep 1000'; }
expect 'nothing of it is left' await 5 not hanging
expect 'the cluster did not notice' [ "$(term)" -eq "$before" ]

# Stopped in order: the address goes, too.
stop "$first"
expect 'a primary that is stopped gives the address up' not has_vip "$first"
must 'another takes over' await 20 primary_is_not "$first"
