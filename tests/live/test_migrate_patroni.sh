#!/usr/bin/env bash
# docs/migration.md, from Patroni and back, as it stands there: a cluster of Debian's Patroni and etcd, under a writer.
# LIMIT: 300
# ONLY WHEN NAMED: it takes two minutes, and the peer's packages (make migrate-test).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/migrate.sh"
live_begin migrate_patroni
for tool in patroni patronictl etcd etcdctl; do
    command -v "$tool" >/dev/null || { echo "ok migrate_patroni # SKIP there is no $tool (packaging/install-deps.sh peers)"; exit 0; }
done
guide docs/migration.md
expect 'a test runs every block of the document' blocks_run "$GUIDE" "$LIVE_ROOT"/tests/live/test_migrate_*.sh

host db1 database fra 10.0.1.1
host db2 database ams 10.0.2.1
host db3 database ams 10.0.2.2
host wit1 witness lux 10.0.3.1
host wit2 witness lux 10.0.3.2
host etc1 etcd fra 10.0.1.9
host etc2 etcd ams 10.0.2.9
host etc3 etcd lux 10.0.3.9
host app client - 10.0.9.1
hosts_make

start_etcd() { # name
    on_host "$1" etcd --name "$1" --data-dir "$work/$1/etcd" --listen-client-urls "http://${ADDRESS[$1]}:2379" --advertise-client-urls "http://${ADDRESS[$1]}:2379" \
        --listen-peer-urls "http://${ADDRESS[$1]}:2380" --initial-advertise-peer-urls "http://${ADDRESS[$1]}:2380" \
        --initial-cluster "$(for name in etc1 etc2 etc3; do printf '%s=http://%s:2380,' "$name" "${ADDRESS[$name]}"; done | sed 's/,$//')" \
        --initial-cluster-state new </dev/null >"$work/log/$1.log" 2>&1 &
    disown
}
settings() { # name: as its owner wrote them, with what people have: slots, synchronous_mode, checksums, lines of pg_hba
    cat <<YML
scope: orders
name: $1
restapi: {listen: "${ADDRESS[$1]}:8008", connect_address: "${ADDRESS[$1]}:8008"}
etcd3: {hosts: ["${ADDRESS[etc1]}:2379", "${ADDRESS[etc2]}:2379", "${ADDRESS[etc3]}:2379"]}
bootstrap:
  dcs:
    ttl: 30
    loop_wait: 2
    retry_timeout: 10
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters: {max_connections: 60, wal_keep_size: 64MB, work_mem: 5MB}
  initdb: [encoding: UTF8, data-checksums]
  pg_hba: ["local all all trust", "host all all 10.0.0.0/16 trust", "host replication all 10.0.0.0/16 trust"]
postgresql:
  listen: "${ADDRESS[$1]}:5432"
  connect_address: "${ADDRESS[$1]}:5432"
  data_dir: /var/lib/postgresql/15/main
  bin_dir: $PG_BIN
  pgpass: /var/lib/postgresql/pgpass
  authentication: {superuser: {username: postgres, password: secret}, replication: {username: replicator, password: secret}, rewind: {username: rewind, password: secret}}
  parameters: {unix_socket_directories: /run/postgresql}
YML
}
install_patroni() { # name
    settings "$1" | at "$1" sh -c 'cat >/etc/patroni/config.yml && chown postgres /etc/patroni/config.yml && chmod 600 /etc/patroni/config.yml && systemctl enable --now patroni'
}
for name in etc1 etc2 etc3; do start_etcd "$name"; done
install_patroni db1
must 'Patroni makes a cluster' await 60 eval '[ "$(in_recovery db1)" = f ]'
install_patroni db2
install_patroni db3
must 'its standbys follow' await 60 streaming 2
ctl() { at db1 patronictl -c /etc/patroni/config.yml "$@"; }
of_role() { ctl list --format json 2>/dev/null | jq -r --arg role "$1" '.[] | select(.Role == $role).Member'; } # role
synced() { [ -n "$(of_role 'Sync Standby')" ]; }
must 'one of them confirms commits' await 30 synced
must 'the application makes its table' make_ledger "$(serving)"
ctl switchover --master db1 --candidate "$(of_role 'Sync Standby')" --force >"$work/log/switchover.txt" 2>&1
must 'its primary moved meanwhile' await 60 eval '[ -n "$(serving)" ] && [ "$(serving)" != db1 ] && streaming 2 && synced'
was=$(serving)
others() { printf '%s\n' db1 db2 db3 | grep -vx "$was"; }
limits_before=$(sql "$was" "SELECT string_agg(name || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ('work_mem', 'max_connections', 'data_checksums')")
writer_start app

began=$(clock)
step patroni-pause db1
step patroni-init db1
step copy db1
step install db1 db2 db3 wit1 wit2
step patroni-stop db1 db2 db3
expect 'PostgreSQL goes on without Patroni' writes_flow
say "without writes for at most $(silence "$began") ms until here"
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
expect 'its settings are what they were' [ "$(sql "$was" "SELECT string_agg(name || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ('work_mem', 'max_connections', 'data_checksums')")" = "$limits_before" ]
step slots db1 db2 db3
foreign_slots() { sql "$1" "SELECT count(*) FROM pg_replication_slots WHERE slot_name !~ '^pgmesh'"; }
expect 'no slot is left that would keep WAL for nobody' [ "$(foreign_slots db1)$(foreign_slots db2)$(foreign_slots db3)" = 000 ]
expect 'nothing lost so far' nothing_lost "$was" --running

# ---- a failover, and back ------------------------------------------------------------------------------------------

began=$(clock)
unplug "$was"
changed() { [ -n "$(sql "$1" 'SELECT 1 WHERE NOT pg_is_in_recovery()')" ] || [ -n "$(sql "$2" 'SELECT 1 WHERE NOT pg_is_in_recovery()')" ]; }
# shellcheck disable=SC2046
must 'it fails over as any mesh does' await 20 changed $(others)
plug "$was"
must 'the former primary follows' await 60 mesh_whole "$(others | head -n 1)" 2
await 10 writes_flow || not_ok 'writes flow'
say "a host unplugged: without writes for $(silence "$began") ms"
was=$(serving)

began=$(clock)
step back-pause db1
step patroni-thaw db1
# shellcheck disable=SC2046
step back-stop "$was" $(others)
step back-stop-witness wit1 wit2
step back-same db1 db2 db3
one_was_primary() { [ "$(grep -c 'shut down$' "$1")" = 1 ] && [ "$(grep -c 'shut down in recovery$' "$1")" = 2 ]; }
expect 'it tells who was the primary' one_was_primary "$work/log/back-same.txt"
step back-primary "$was"
step patroni-start "$was"
must 'Patroni takes it back' await 60 eval '[ "$(in_recovery "$was")" = f ]'
# shellcheck disable=SC2046
step patroni-start $(others)
must 'both follow' await 60 streaming 2
must 'Patroni has its standby that confirms' await 60 synced
await 20 writes_flow || not_ok 'writes flow'
say "back under Patroni: without writes for $(silence "$began") ms"
ctl list
writers_stop || not_ok 'the writer ends'
expect 'every acknowledged row is there, none twice, none from nowhere, one primary at a time' nothing_lost "$(serving)"
tail -n 1 "$work/log/checker.txt" | sed 's/^/# /'
expect 'every database holds the same rows' await 30 same_rows
