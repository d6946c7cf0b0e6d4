#!/usr/bin/env bash
# The guard is killed, alone and together with the agent: PostgreSQL is fenced, the member comes back, nothing is lost.
# An orderly stop of the primary's host hands over; a second start of the same member is refused and harms nothing.
. "$(dirname "$0")/lib.sh"
live_begin guard_kill
three_databases
live_cluster
writer_start

primary=$(primary) master=$(postmaster_of "$(primary)")
second_start() {
    ! timeout 10 nsenter --net="/run/netns/$prefix-$primary" -- "$LIVE_BIN/pgmesh-node" \
        --config "$work/mesh/$primary/node.conf" >"$work/log/second.txt" 2>&1 && grep -q 'runs already' "$work/log/second.txt"
}
expect 'a second start of a member is refused' second_start
expect 'and leaves PostgreSQL alone' [ "$(postmaster_of "$primary")" = "$master" ]

has_ended() { [ ! -d "/proc/$1" ] || grep -q '^State:.*Z' "/proc/$1/status" 2>/dev/null; }
agent=$(agent_of "$primary")
kill -KILL "${PID[$primary]}"
must 'guard killed: the agent fences at once' await 1 has_ended "$master"
PID[$primary]=$agent
has_agent() { agent_of "$1" >/dev/null; }
must 'and becomes the next guard' await 10 has_agent "$primary"
must 'the cluster is whole again' await 30 whole 2

primary=$(primary) master=$(postmaster_of "$(primary)")
kill -KILL "$(agent_of "$primary")" "${PID[$primary]}"
must 'guard and agent killed at once: PostgreSQL does not survive them' await 1 has_ended "$master"
unset "PID[$primary]"
crash "$primary"
start "$primary"
must 'with the member started anew the cluster is whole' await 30 whole 2

primary=$(primary)
stop "$primary" || not_ok 'the primary stops in order'
must 'an orderly stop hands over' await 5 primary_is_not "$primary"
start "$primary"
must 'it comes back as a standby' await 30 whole 2
prove
