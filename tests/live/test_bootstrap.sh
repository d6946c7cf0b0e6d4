#!/usr/bin/env bash
# From empty folders to three databases: one is made, the others are copied from it; all see the same.
. "$(dirname "$0")/lib.sh"
live_begin bootstrap
three_databases
# What stands in the shell of whoever starts them is none of the members' business.
for name in db1 db2 db3 app; do
    HOST_ENV[$name]='PGHOST=10.77.0.1 PGPORT=1 PGUSER=nobody PGPASSWORD=wrong PGOPTIONS=-cdefault_transaction_read_only=on PGSERVICE=none PGTZ=Asia/Tokyo'
done
live_cluster

all_agree() {
    local name
    for name in "${MEMBERS[@]}"; do
        status "$name" | jq -e '.primary == "db1" and .term == 1 and .healthy' >/dev/null 2>&1 || return 1
    done
}
expect 'every member sees the same primary, in term 1' await 10 all_agree
expect 'the first database of the list is the primary' primary_is db1
expect 'db2 is a standby' await 5 is_standby db2
expect 'db3 is a standby' await 5 is_standby db3
only_one() { [ "$(for n in db1 db2 db3; do sql "$n" 'SELECT pg_is_in_recovery()'; done | grep -c f)" = 1 ]; }
expect 'one of them is writable' only_one
confirmed() { sql db1 "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'" | grep -qx 2; }
expect 'both standbys confirm commits' await 10 confirmed
no_secret() { ! grep -rqFf <(sed 's/.*://' "$work/mesh/db1/pg.pass"; cat "$work/mesh/db1/member.key") "$work/log"; }
expect 'no password and no key is in a log' no_secret
alone_fenced() { [ -z "$cgroup" ] || [ -n "$(find "$cgroup/db1" -mindepth 1 -type d)" ]; }
expect 'PostgreSQL has a cgroup of its own to be fenced with' alone_fenced

writer_start
prove
