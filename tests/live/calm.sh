#!/usr/bin/env bash
# calm.sh: trouble that is none. Everything here lies within what a healthy primary must bear, so a change of the primary,
# or of the term, is a failure.
#
#     tests/live/calm.sh [--minutes N] [--seed S] [--only data,state,kill,reload,witness | --cpu]      60 minutes unless told otherwise
#
# All of it at once, for the whole time: two CPU hogs for each core; a hog that fills and frees memory, and one that writes
# and flushes on the primary's disk; 5 % of every database's packets lost, and 20 ms of jitter
# on its cable; and, every few seconds, one of: a data directory
# that stalls for up to 1.5 s (answer_timeout is 3 s), a state directory that stalls for 200 ms (the lease is 600 ms), an
# agent killed, an agent reloaded, a witness restarted. With --cpu, the CPU hogs and nothing else.
#
# Told at the end: how often each came, the least that was left of the lease when it was looked at (5 times a second), how
# often a longer lease was asked for, and the longest silence that the client saw.
. "$(dirname "$0")/lib.sh"
. "$LIVE_ROOT/tests/live/faults.sh"
. "$LIVE_ROOT/tests/live/arena.sh"

minutes=60 seed=$(date +%s) cpu_only=0 all=(data state kill reload witness) record=$LIVE_BIN/footprint-calm.tsv
while [ $# -gt 0 ]; do
    case $1 in
        --minutes) minutes=$2; shift ;;
        --seed) seed=$2; shift ;;
        --only) read -ra all <<<"${2//,/ }"; shift ;;
        --cpu) cpu_only=1 ;;
        *) sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
    esac
    shift
done
RANDOM=$((seed % 32768))
say "seed $seed"
arena_begin calm

hog_cpu() { while :; do :; done; }
hog_memory() { while :; do head -c 1500M /dev/zero | tail -c 1 >/dev/null; head -c 800M /dev/zero | tail >/dev/null; done; }
hog_disk() { while :; do dd if=/dev/zero of="$1/hog" bs=1M count=150 conv=fsync 2>/dev/null; rm -f "$1/hog"; sleep 1; done; }
watch_lease() { # MS_LEFT MS_ASKED, five times a second
    while :; do
        "$LIVE_BIN/pgmesh" status --timeout 1 --control "$work/mesh/$1/state/control.sock" --output json 2>/dev/null |
            jq -r 'select(.lease_left_ms != null) | "\(.lease_left_ms) \(.lease_ms)"' || : # between two agents nobody answers
        sleep 0.2
    done
}

P=$(primary) before=$(term)
for n in $(seq $((2 * $(getconf _NPROCESSORS_ONLN)))); do in_background "cpu$n" hog_cpu; done
in_background lease watch_lease "$P"
if [ "$cpu_only" = 0 ]; then
    in_background hog_memory hog_memory
    in_background hog_disk hog_disk "$(data_of "$P")"
    for name in db1 db2 db3; do
        bad_cable "$name" --jitter-ms 20
        lose "$name" 0.05
    done
fi
began=$(clock)

declare -A came=()
pinprick() {
    local what name
    what=${all[RANDOM % ${#all[@]}]}
    name=db$((1 + RANDOM % 3))
    came[$what]=$((${came[$what]:-0} + 1))
    case $what in
        data) stall "$(data_of "$name")"; sleep "0.$((3 + RANDOM % 7))"; [ $((RANDOM % 2)) = 0 ] || sleep 0.5; unstall "$(data_of "$name")" ;;
        state) stall "$(state_of "$name")"; sleep 0.2; unstall "$(state_of "$name")" ;;
        kill) kill_agent "$name" || : ;;
        reload) kill -HUP "${PID[$name]}" ;;
        witness) name=wit$((1 + RANDOM % 2)); stop "$name" && start "$name" ;;
    esac
}
unmoved() { [ "$(term)" = "$before" ] && [ "$(primary)" = "$P" ]; }
end=$((SECONDS + minutes * 60)) moved=0
while [ "$SECONDS" -lt "$end" ]; do
    [ "$cpu_only" = 1 ] || pinprick
    sleep "$((2 + RANDOM % 4))"
    footprint_take "$record"
    [ "$(term)" = "$before" ] || { moved=1; break; }
done
expect "$minutes minutes of noise: the same primary in the same term" eval '[ "$moved" = 0 ] && await 5 unmoved'
[ "$moved" = 0 ] || keep_step moved
for name in "${!came[@]}"; do say "$name: ${came[$name]} times"; done
say "the least seen of the lease: $(sort -n "$work/log/fault-lease.txt" | awk 'NR == 1 { print $1 " ms" } END { print "of " NR " looks" }' | paste -sd' ')"
say "a longer lease was asked for $(cat "$work"/log/db?.log | grep -c 'lease-longer') times; the longest $(awk '$2 > m { m = $2 } END { print m + 0 }' "$work/log/fault-lease.txt") ms"
say "the client's longest silence: $(outage "$began" "$(clock)") "
heal_all
oracle 'after the noise' && ok 'whole afterwards'
arena_end
