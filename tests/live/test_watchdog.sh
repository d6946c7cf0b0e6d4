#!/usr/bin/env bash
# A host of which guard, anchor and agent are all stopped is reset by its watchdog. Its device is a pipe here, and what resets the host
# is below: without a byte for as long as pgmesh asks of a real one, every process of the host is killed. An orderly stop tells it.
. "$(dirname "$0")/lib.sh"
. "$LIVE_ROOT/tests/live/faults.sh"
live_begin watchdog
three_databases
timeout_s=$(sed -n 's/.*WATCHDOG_TIMEOUT_S = \([0-9]*\),.*/\1/p' "$LIVE_ROOT/node/watchdog.h")
must 'its time is known' [ "${timeout_s:-0}" -gt 0 ]
for name in db1 db2 db3; do
    mkfifo "$work/$name.dog"
    EXTRA[$name]="watchdog=$work/$name.dog"
done
watch() { # name: the device. "V" stops it; whoever opens it starts it
    local byte last=V fd
    exec {fd}<>"$work/$1.dog"
    while :; do
        if IFS= read -r -N 1 -t "$timeout_s" -u "$fd" byte; then last=$byte; elif [ "$last" != V ]; then
            echo "$(clock) reset" >>"$work/$1.reset"
            crash_now "$1"
            last=V
        fi
    done
}
for name in db1 db2 db3; do in_background "dog-$name" watch "$name"; done
live_cluster --durability async
writer_start

primary=$(primary)
has_reset() { [ -s "$work/$1.reset" ]; }
begun=$(clock)
begin_watchers_stop "$primary"
must 'guard, anchor and agent stopped: another primary serves' await 5 primary_is_not "$primary"
expect 'the host that nobody fences is reset' await $((timeout_s + 3)) has_reset "$primary"
expect 'and nothing of it is left' await 5 is_dead "$primary"
[ ! -s "$work/$primary.reset" ] || say "reset $((($(cut -d' ' -f1 "$work/$primary.reset") - begun) / 1000)) ms after the stop"
unset "PID[$primary]"
start "$primary"
must 'started anew it follows' await 60 whole 2
former=$primary

primary=$(primary)
stop "$primary" || not_ok 'the primary stops in order'
must 'an orderly stop hands over' await 5 primary_is_not "$primary"
agent=$(agent_of "$former")
kill -KILL "${PID[$former]}"
PID[$former]=$agent
start "$primary"
must 'a killed guard is followed by another, which feeds it' await 60 whole 2
expect 'nobody else is reset' never "$((timeout_s + 2))" eval "has_reset $primary || [ \$(wc -l <$work/$former.reset) -gt 1 ]"
for name in db1 db2 db3; do until_over "dog-$name"; done
