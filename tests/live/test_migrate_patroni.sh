#!/usr/bin/env bash
# docs/migration.md, from Patroni and back, as it stands there: a cluster of Debian's Patroni and etcd, under a writer.
# LIMIT: 300
# ONLY WHEN NAMED: it takes two minutes, and the peer's packages (make migrate-test).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/migrate.sh"
migrate_begin patroni patroni patronictl etcd etcdctl
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
settings_before=$(some_settings "$was")
writer_start app

began=$(clock)
step patroni-pause db1
step patroni-init db1
step copy db1
step install db1 db2 db3 wit1 wit2
step patroni-stop db1 db2 db3
expect 'PostgreSQL goes on without Patroni' writes_flow
say "without writes for at most $(silence "$began") ms until here"
migrate_adopt

# ---- a failover, and back ------------------------------------------------------------------------------------------

migrate_failover

began=$(clock)
step back-pause db1
step patroni-thaw db1
migrate_stop
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
migrate_prove
