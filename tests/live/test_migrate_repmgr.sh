#!/usr/bin/env bash
# docs/migration.md, from repmgr and back, as it stands there: Debian's PostgreSQL in Debian's folders, repmgr and repmgrd from
# its packages, under a writer.
# LIMIT: 300
# ONLY WHEN NAMED: it takes two minutes, and the peer's packages (make migrate-test).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/migrate.sh"
migrate_begin repmgr repmgr repmgrd
host app client - 10.0.9.1
hosts_make

# As their owners have them: Debian's folders, slots, synchronous_standby_names, something in postgresql.auto.conf.
server_make() { # name, number
    at "$1" bash -eu -s "$@" "${ADDRESS[$1]}" >>"$work/log/$1-make.txt" 2>&1 <<'SH'
pg_createcluster 15 main -- --data-checksums --auth-local=peer
mkdir -p /etc/postgresql/15/main/conf.d
grep -q ^include_dir /etc/postgresql/15/main/postgresql.conf || echo "include_dir = 'conf.d'" >>/etc/postgresql/15/main/postgresql.conf
cat >/etc/postgresql/15/main/conf.d/ha.conf <<CONF
listen_addresses = '*'
shared_preload_libraries = 'repmgr'
max_connections = 60
work_mem = 5MB
wal_log_hints = on
hot_standby = on
CONF
printf 'host %s all 10.0.0.0/16 trust\n' all replication >>/etc/postgresql/15/main/pg_hba.conf
cat >/etc/repmgr.conf <<CONF
node_id = $2
node_name = $1
conninfo = 'host=$3 user=repmgr dbname=repmgr connect_timeout=2'
data_directory = '/var/lib/postgresql/15/main'
pg_bindir = '/usr/lib/postgresql/15/bin'
use_replication_slots = yes
failover = automatic
reconnect_attempts = 2
reconnect_interval = 1
monitor_interval_secs = 1
promote_command = 'repmgr -f /etc/repmgr.conf standby promote'
follow_command = 'repmgr -f /etc/repmgr.conf standby follow --upstream-node-id=%n'
service_start_command = 'pg_ctlcluster 15 main start'
service_stop_command = 'pg_ctlcluster 15 main stop'
service_restart_command = 'pg_ctlcluster 15 main restart'
service_reload_command = 'pg_ctlcluster 15 main reload'
CONF
CONF=''
SH
}
as_postgres() { local name=$1; shift; at "$name" runuser -u postgres -- "$@" >>"$work/log/$name-make.txt" 2>&1; } # name, command...
first() {
    server_make db1 1 && at db1 systemctl enable --now postgresql@15-main &&
        as_postgres db1 sh -c 'set -e; cd /; createuser --superuser repmgr; createdb --owner repmgr repmgr
            psql -qc "ALTER SYSTEM SET maintenance_work_mem = '"'70MB'"'"; repmgr -f /etc/repmgr.conf primary register'
}
another() { # name, number
    server_make "$1" "$2" &&
        as_postgres "$1" sh -c 'set -e; cd /; rm -rf /var/lib/postgresql/15/main
            repmgr -f /etc/repmgr.conf -h 10.0.1.1 -U repmgr -d repmgr standby clone --fast-checkpoint' &&
        at "$1" systemctl enable --now postgresql@15-main && as_postgres "$1" sh -c 'cd /; repmgr -f /etc/repmgr.conf standby register'
}
must 'repmgr has a primary' first
must 'repmgr makes a standby' another db2 2
must 'and another' another db3 3
for name in db1 db2 db3; do at "$name" systemctl enable --now repmgrd; done
must 'both stream' await 30 streaming 2
for name in db1 db2 db3; do
    at "$name" sh -c "echo \"synchronous_standby_names = 'ANY 1 (db1, db2, db3)'\" >>/etc/postgresql/15/main/conf.d/ha.conf && pg_ctlcluster 15 main reload"
done
must 'the application makes its table' make_ledger "$(serving)"
# A primary other than the first: repmgrd's failover, and db1 rejoins.
at db1 systemctl stop repmgrd postgresql@15-main
must 'repmgrd fails over' await 60 eval '[ -n "$(serving)" ] && streaming 1'
was=$(serving)
must 'the former primary rejoins' as_postgres db1 sh -c 'cd /; repmgr -f /etc/repmgr.conf node rejoin -d "host=$1 user=repmgr dbname=repmgr"' sh "${ADDRESS[$was]}"
at db1 systemctl start repmgrd
must 'all stand' await 30 streaming 2

settings_before=$(some_settings "$was")
writer_start app

began=$(clock)
step repmgrd-stop db1 db2 db3
step configuration db1 db2 db3

# First with a primary that is none: nothing happens to anybody, and it can be undone.
wrong=$(others | head -n 1)
block "$GUIDE" repmgr-init | unattended | sed "s/--primary [^ ]*/--primary $wrong/" >"$work/log/wrong.sh"
must 'a cluster is made with a standby as its primary' at "$was" bash -eu "$work/log/wrong.sh" >/dev/null
step copy "$was"
step install db1 db2 db3 wit1 wit2
step start-witness wit1 wit2
step start db1 db2 db3
expect 'it is refused' await 30 grep -q "the directory to adopt is a standby's" "$work/log/$wrong-pgmesh-node@$wrong.log"
expect 'and PostgreSQL goes on as before' eval 'writes_flow && streaming 2 && [ "$(serving)" = "$was" ]'
step back-stop db1 db2 db3
step back-stop-witness wit1 wit2
for name in db1 db2 db3 wit1 wit2; do at "$name" sh -c 'rm -rf /etc/pgmesh/* /var/lib/pgmesh/* /root/orders'; done
expect 'nor when the members are gone again' eval 'writes_flow && streaming 2'

step repmgr-init "$was"
step copy "$was"
step install db1 db2 db3 wit1 wit2
step unmanage db1 db2 db3
expect 'PostgreSQL goes on without repmgrd' writes_flow
say "without writes for at most $(silence "$began") ms until here"
migrate_adopt

# ---- a failover, and back ------------------------------------------------------------------------------------------

before=$was
migrate_failover

began=$(clock)
step back-pause "$before"
migrate_stop
step repmgr-settings db1 db2 db3
step repmgr-primary "$was"
# shellcheck disable=SC2046
step repmgr-standby $(others)
must 'both follow' await 60 streaming 2
step repmgrd-start db1 db2 db3
await 20 writes_flow || not_ok 'writes flow'
say "back under repmgr: without writes for $(silence "$began") ms"
at db1 runuser -u postgres -- repmgr -f /etc/repmgr.conf cluster show || :
migrate_prove
