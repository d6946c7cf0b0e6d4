#!/usr/bin/env bash
# The agent is killed, again and again (AGENT_KILLS, 12), as soon as all is well again: the guard starts another, the
# lease is kept, nobody takes over.
. "$(dirname "$0")/lib.sh"
live_begin agent_kill
three_databases
live_cluster
writer_start

primary=$(primary) before=$(term) master=$(postmaster_of "$primary") starts=0
rounds=${AGENT_KILLS:-12}
for _ in $(seq "$rounds"); do
    former=$(agent_of "$primary")
    kill -KILL "$former"
    await 10 has_other_agent "$primary" "$former" && starts=$((starts + 1))
    await 20 whole 2 || break
done
expect 'the guard started another agent each time' [ "$starts" -eq "$rounds" ]
expect 'no failover: the same primary' primary_is "$primary"
expect 'no failover: the same term' [ "$(term)" -eq "$before" ]
expect 'PostgreSQL was not restarted' [ "$(postmaster_of "$primary")" = "$master" ]
no_failed_write() { ! grep -q '^lost ' "${WRITER_LOGS[0]}"; }
expect 'no write failed' no_failed_write

standby=$(other_than "$primary")
kill_agent "$standby"
crash wit1
start wit1
must 'an agent of a standby and a witness are started anew' await 20 whole 2
expect 'still no failover' [ "$(term)" -eq "$before" ]
prove
