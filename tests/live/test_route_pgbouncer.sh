#!/usr/bin/env bash
# PgBouncer driven by the observer: planned switchovers fail no transaction; a lost host costs its clients an error and
# no hang; an observer that is killed in the middle of a pause leaves nobody waiting.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/pooler.sh"
live_begin route_pgbouncer
command -v pgbouncer >/dev/null || { echo 'ok route_pgbouncer # SKIP there is no pgbouncer (packaging/install-deps.sh test)'; exit 0; }

member db1 database fra switchover_timeout=5s
member db2 database ams switchover_timeout=5s
member db3 database ams switchover_timeout=5s
member wit1 witness lux
member wit2 witness lux
member app observer - "$(POOLER_OPTIONS)"
pooler_prepare
live_network
live_init
pooler_password
start_all
must 'a cluster comes up from nothing' await 90 whole 2
must 'the application makes its table' make_ledger "$(primary)"
must 'PgBouncer serves, by the file that the observer wrote' pooler_start
leads_to() { [ "$(pooled "$1" "SELECT inet_server_addr()")" = "${ADDRESS[$2]}" ]; } # database, name
to_a_standby() { [ "$(pooled app_ro 'SELECT pg_is_in_recovery()')" = t ]; }
expect 'NAME leads to the primary' leads_to app "$(primary)"
expect 'NAME_ro leads to a standby' await 10 to_a_standby

# ---- planned: pgbench goes on as if nothing had happened -----------------------------------------------------------------

bench() {
    PGPASSWORD=app in_net app env "PATH=$PG_BIN:$PATH" pgbench -h 127.0.0.1 -p 6432 -U app -n "$@" app
}
must 'pgbench makes its tables' bench -i -s 2 -q >"$work/log/pgbench-init.txt" 2>&1
must 'a writer goes through the pooler' pooled_writer
# One run after the other until all switchovers are done, however long they take; the first one that fails ends it.
bench_on() { while [ ! -e "$work/bench.over" ]; do bench -c 8 -j 2 -T 4 || return; done; }
bench_on >"$work/log/pgbench.txt" 2>&1 &
pgbench=$!
figures=()
for round in 1 2 3 4 5; do
    was=$(primary)
    to=$(for name in db1 db2 db3; do [ "$name" = "$was" ] || echo "$name"; done | sed -n "$((round % 2 + 1))p")
    at=$(clock)
    must "switchover $round to $to is done" pgmesh_as app switchover --to "$to" >"$work/log/switchover.txt" 2>&1
    await 10 acks_after "${WRITER_LOGS[0]}" "$(clock)" || not_ok 'writes go on'
    read -r ms _ < <(outage "$at" "$(clock)")
    figures+=("$ms")
    must "all stand again" await 60 whole 2
done
kill -0 "$pgbench" 2>/dev/null && under_load=true || under_load=false
expect 'pgbench ran all the time' "$under_load"
code=0
touch "$work/bench.over"
wait "$pgbench" || code=$?
of_runs() { sed -n "s/^number of $1: \([0-9]*\).*/\1/p" "$work/log/pgbench.txt" | awk '{ n += $1; runs++ } END { print n + 0, runs + 0 }'; } # words: sum, runs
read -r processed runs < <(of_runs 'transactions actually processed')
say "pgbench: $processed transactions in $runs runs"
say "stalls of a writer through the pooler, in ms: ${figures[*]}"
no_failure() {
    [ "$code" = 0 ] && ! grep -qiE 'aborted|error|fatal' "$work/log/pgbench.txt" &&
        [ "$(of_runs 'failed transactions')" = "0 $runs" ]
}
expect 'of all transactions none failed' no_failure
expect 'each is there once' [ "$(sql "$(primary)" 'SELECT count(*) FROM pgbench_history' app)" = "$processed" ]
expect 'the writer met no error' eval '! grep -q "^lost\|^fail" "${WRITER_LOGS[0]}"'
expect 'no pause is left' not paused

# ---- unplanned -------------------------------------------------------------------------------------------------------------

await 10 settled 2 || :
was=$(primary)
at=$(clock)
unplug "$was"
must "with $was unplugged another takes over" await 20 primary_is_not "$was"
expect 'writes go on through the pooler' await 10 acks_after "${WRITER_LOGS[0]}" "$(clock)"
read -r ms _ < <(outage "$at" "$(clock)")
say "a host unplugged: no write through the pooler for $ms ms"
expect 'NAME leads to the new primary' leads_to app "$(primary)"
heal "$was"
must "$was comes back" await 60 whole 2

# ---- a switchover that is undone: the target's agent is stopped once it is under way ----------------------------------------

was=$(primary)
to=$(other_than "$was")
marker=$work/mesh/app/state/pgbouncer.paused
agent=$(agent_of "$to")
await 10 settled 2 || :
pgmesh_as app switchover --to "$to" >"$work/log/switchover-undone.txt" 2>&1 &
must 'the pause is under way' await 10 test -e "$marker"
kill -STOP "$agent"
undone() { ! [ -e "$marker" ] && ! paused; }
expect 'the switchover is undone, and the pause ends' await 20 undone
expect "$was stayed the primary" await 10 primary_is "$was"
expect 'writes go on' await 10 acks_after "${WRITER_LOGS[0]}" "$(clock)"
expect 'NAME leads where it led' leads_to app "$was"
kill -CONT "$agent"
must 'all stand again' await 60 whole 2

# ---- the observer dies in the middle of a pause -----------------------------------------------------------------------------

was=$(primary)
to=$(other_than "$was")
mkfifo "$work/transaction"
PGPASSWORD=app in_net app psql -XAtq "host=127.0.0.1 port=6432 user=app dbname=app" <"$work/transaction" >/dev/null 2>&1 &
exec 7>"$work/transaction"
echo 'BEGIN; SELECT 1;' >&7
in_transaction() { console 'SHOW POOLS' | awk -F '|' '$1 == "app" && $3 > 0 { found = 1 } END { exit !found }'; }
must 'a transaction holds PgBouncer up' await 10 in_transaction
pgmesh_as db1 switchover --to "$to" >"$work/log/switchover-cut.txt" 2>&1 &
must 'the pause is under way' await 10 test -e "$marker"
must 'PgBouncer has heard of it' await 10 paused
crash app
exec 7>&-
must 'the switchover is done all the same' await 20 primary_is "$to"
expect 'PgBouncer is left paused' await 5 paused
start app
expect 'a new agent ends the pause' await 10 not paused
expect 'and leads to the new primary' await 10 leads_to app "$to"
expect 'writes go on' await 10 acks_after "${WRITER_LOGS[0]}" "$(clock)"
expect 'of the pause nothing is kept' not test -e "$marker"

# ---- and the proof, which must notice what is planted --------------------------------------------------------------------------

writers_stop || not_ok 'the writer ends'
expect 'every row acknowledged through the pooler is there, one primary at a time behind it' nothing_lost "$(primary)"
grep -q ' db[123]$' "$work/log/pooled.acks" || not_ok 'the log tells who answered behind the pooler'
sql "$(primary)" "DELETE FROM ledger WHERE id = (SELECT min(id) FROM ledger)" app
planted() { ! nothing_lost "$(primary)" >/dev/null && grep -q '^missing: row 1, acknowledged by db' "$work/log/checker.txt"; }
expect 'a planted loss is reported' planted
