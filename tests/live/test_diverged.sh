#!/usr/bin/env bash
# A standby that was stopped at once soon after a change of timeline, before anything but its WAL knew of it, and whose WAL went on past the
# place where the next primary went on: what will be lost is put aside under the right timeline, whole, and it follows again.
# LIMIT: 240
. "$(dirname "$0")/lib.sh"
live_begin diverged
three_databases
live_cluster --durability async
control() { "$PG_BIN/pg_controldata" -D "$work/$1/data" | sed -n "s/^$2: *//p"; } # name, what
knows() { # name: the newest timeline that its control file names
    printf '%s\n' "$(control "$1" "Latest checkpoint's TimeLineID")" "$(control "$1" "Min recovery ending loc's timeline")" | sort -n | tail -n 1
}
serves() { [ "$(primary)" = "$1" ] && [ "$(sql "$1" 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; }
has_row() { [ "$(sql "$1" "SELECT count(*) FROM lost WHERE x = $2" app 2>/dev/null)" = 1 ]; }
diverged() { sed -n 's/.* diverged *WAL of timeline \([0-9]*\) past \([0-9A-F/]*\) (\(.*\)) is kept in \([^ ]*\).*/\1 \2 \3 \4/p' "$work/log/$1.log" | tail -n 1; }
told() { [ -n "$(diverged "$1")" ]; }

must 'all have been up for long enough to take over' await 30 settled 2
must 'db1 is the primary to begin with' eval 'primary_is db1 || pgmesh_as "$(primary)" switchover --to db1 >/dev/null'
must 'all have settled' await 30 settled 2
sql db1 'CREATE TABLE lost (x int)' app
sql db1 CHECKPOINT
sql db3 CHECKPOINT # a restartpoint: there will be no other soon
old=$(knows db3)

# db2 becomes the primary on a new timeline, db1 vanishes, db2 goes on with db3 alone, and both are gone before a checkpoint.
must 'db2 takes over' pgmesh_as app switchover --to db2
must 'db2 serves' await 20 serves db2
new=$(sql db2 "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int")
must 'db3 follows it' await 20 is_standby db3
must 'db1 follows it' await 20 is_standby db1
crash db1
for x in $(seq 200); do echo "INSERT INTO lost VALUES ($x);"; done >"$work/rows.sql"
(cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$PG_BIN/psql" -XAtq -h "$work/db2" -U postgres -d app) <"$work/rows.sql"
must 'db3 has the last row' await 20 has_row db3 200
crash_now db3 db2
await 10 is_dead db3 && await 10 is_dead db2
expect "the control file of db3 names timeline $old and not $new" [ "$(knows db3)" = "$old" ]

start db1
must 'db1 takes over without them' await 60 serves db1
expect 'the last row is lost, as async allows' not has_row db1 200
start db3
must 'db3 tells that its WAL diverged' await 60 told db3
read -r timeline fork size folder <<<"$(diverged db3 | sed 's/ bytes / /')"
say "$(diverged db3)"
expect "it names timeline $new" [ "$timeline" = "$new" ]
expect 'it says how much' eval '[ "$size" -gt 1000 ] && [ "$size" -lt 16777216 ]'
rows_in() { # folder: how many commits of rows of the table are to be read there past the fork
    local first
    first=$(find "$1" -name "$(printf '%08X' "$new")*" -printf '%f\n' | sort | head -n 1)
    [ -n "$first" ] && { "$PG_BIN/pg_waldump" -p "$1" -t "$new" -s "$fork" -r Transaction 2>/dev/null || :; } | grep -c COMMIT
}
expect 'all that was lost is to be read in what was put aside' eval '[ "$(rows_in "$folder")" -ge 200 ]'
expect 'the summary says the same' grep -q "^timeline $new, left at $fork, ended at .*: $size bytes; [1-9]" "$folder/summary.txt"
must 'db3 follows again' await 60 is_standby db3
start db2
must 'db2 follows again' await 60 is_standby db2
expect 'every database holds the same' await 20 eval '[ "$(sql db2 "SELECT count(*) FROM lost" app)$(sql db3 "SELECT count(*) FROM lost" app)" = "$(sql db1 "SELECT count(*) FROM lost" app)$(sql db1 "SELECT count(*) FROM lost" app)" ]'
