#!/usr/bin/env bash
# docs/runbooks/restore.md, tried: somebody dropped a table; the whole cluster goes back to the moment before it.
# One database is restored from a base backup and the archive, a new mesh adopts it, the others copy it.
# LIMIT: 240
. "$(dirname "$0")/lib.sh"
live_begin restore
archive=$work/archive
with_archive="--set='pg_hba=local replication postgres peer' --set=pg.archive_mode=on --set=pg.archive_command='test ! -f $archive/%f && cp %p $archive/%f'"
member db1 database fra
member db2 database ams
member db3 database ams
member wit1 witness lux
member wit2 witness lux
member app observer -
mkdir -p "$archive"
chown postgres: "$archive"
as_postgres() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@"); }
archived() { [ "$(sql "$(primary)" "SELECT last_archived_wal >= '$1' FROM pg_stat_archiver")" = t ]; }

# ---- the cluster as it was: an archive on every database, a base backup, work, and a mistake
eval "live_cluster $with_archive"
expect 'the archive is written' await 30 eval '[ -n "$(ls -A "$archive")" ]'
must 'a base backup is made' as_postgres "$PG_BIN/pg_basebackup" -h "$work/db1" -U postgres -D "$work/db1/backup" -c fast -X stream
insert() { sql "$(primary)" "INSERT INTO ledger SELECT g, 'before', '' FROM generate_series($1, $2) g" app; }
insert 1 1000
moved() { primary_is "$1" || pgmesh_as app switchover --to "$1"; } # a disk that stalls may undo one
must 'the primary moves after the backup' await 30 moved db2
insert 1001 2000
moment=$(sql db2 'SELECT clock_timestamp()')
sql db2 'SELECT txid_current()' >/dev/null # recovery stops before the next commit: were that the DROP, its lock would be held
sql db2 'DROP TABLE ledger' app
sql db2 'CREATE TABLE ledger (id bigint); INSERT INTO ledger VALUES (-1)' app
last=$(sql db2 'SELECT pg_walfile_name(pg_switch_wal())')
must 'all of it is archived' await 30 archived "$last"

# ---- 1. stop the mesh: standbys, then the primary, then the witnesses
must 'everything is stopped' stop db1 db3 db2 wit1 wit2 app

# ---- 2. restore one database, without pgmesh and reachable by nobody
data=$work/db1/data
mv "$data" "$work/db1/data.before"
as_postgres cp -a "$work/db1/backup" "$data"
rm -f "$data/standby.signal"
as_postgres touch "$data/recovery.signal"
mkdir -p "$work/db1/private"
chown postgres: "$work/db1/private"
grep -v '^recovery_target' "$data/pgmesh.conf" >"$data/restore.conf"
cat >>"$data/restore.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/db1/private'
archive_mode = off
synchronous_standby_names = ''
restore_command = 'cp $archive/%f %p'
recovery_target_time = '$moment'
recovery_target_action = pause
END
chown postgres: "$data/restore.conf"
as_postgres "$PG_BIN/pg_ctl" -s -w -t 60 -D "$data" -l "$work/db1/restore.log" -o "-c config_file=$data/restore.conf" start || { cat "$work/db1/restore.log"; exit 1; }
restored() { (cd / && setpriv --reuid=postgres --regid=postgres --init-groups psql -XAtq -h "$work/db1/private" -U postgres -d "$1" -c "$2"); }
paused() { [ "$(restored postgres "SELECT pg_get_wal_replay_pause_state()" 2>/dev/null)" = paused ]; }
must 'it stands at the moment' await 60 paused
expect 'what was there is there' [ "$(restored app 'SELECT count(*), max(id) FROM ledger')" = '2000|2000' ]
restored postgres 'SELECT pg_wal_replay_resume()' >/dev/null
writable() { [ "$(restored postgres 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; }
must 'it is a server of its own' await 60 writable
as_postgres "$PG_BIN/pg_ctl" -s -w -D "$data" stop
rm "$data/restore.conf"

# ---- 3. a new mesh adopts it; the others begin empty, or with what they have
mv "$work/mesh" "$work/mesh.before"
mkdir "$work/archive.before"
mv "$archive"/* "$work/archive.before"
eval "must 'a new mesh is made' live_init --bootstrap adopt --primary db1 $with_archive"
mv "$work/db2/data" "$work/db2/data.before"
as_postgres cp -a "$work/db3/data" "$work/db3/data.before"
start_all
must 'it serves, and both others follow' await 90 whole 2
expect 'db1 is the primary' primary_is db1
for name in db1 db2 db3; do
    expect "$name has what was there, and nothing else" [ "$(sql "$name" 'SELECT count(*), min(id), max(id) FROM ledger' app)" = '2000|1|2000' ]
done
expect 'the archive is written again' await 30 eval '[ -n "$(ls -A "$archive")" ]'
must 'it can be moved' await 30 settled 2
must 'a switchover is done' await 30 moved db3
exit "$failed"
