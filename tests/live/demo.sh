#!/usr/bin/env bash
# `make demo`: a cluster on this machine, five things that go wrong with it, and the proof that nothing was lost.
#
# Nothing is left behind: hosts are network namespaces, files are in one directory below /tmp, and both go at the end,
# on Ctrl-C as well.
. "$(dirname "$0")/lib.sh"

bold='' faint='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    bold=$'\e[1m' faint=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi
heading() { printf '\n%s%s%s\n%s\n\n' "$bold" "$1" "$plain" "$(printf '%*s' "${#1}" '' | tr ' ' '=')"; }
line() { printf '  %s\n' "$*"; }
shown() { sed 's/^/    /'; }
good() { printf '  %s%s%s\n' "$green" "$*" "$plain"; }
bad() { # it goes on: a demo that stops at the first surprise hides the second
    printf '  %s%s%s\n' "$red" "$*" "$plain"
    failed=1
}
# The library's results are for tests.
ok() { :; }
not_ok() { bad "$1"; }
say() { :; }

pgmesh_says() { # command...: as an operator on the primary's host would see it
    local at
    at=$(primary)
    printf '  %s$ pgmesh %s%s\n' "$faint" "$*" "$plain"
    pgmesh_as "${at:-app}" "$@" 2>&1 | shown || :
}

# ---- what each member sees, a line whenever it changes ----------------------------------------------------------------

began_us=0
stamp() { local us=$(($(clock) - began_us)); printf '%+6d.%01d s' $((us / 1000000)) $((us % 1000000 / 100000)); }
event() { printf '  %s  %s\n' "$(stamp)" "$*"; }

look() { # everybody's view at once: NAME VERDICT TERM PRIMARY READY
    local name pids=()
    for name in "${MEMBERS[@]}"; do
        rm -f "$work/look.$name"
        [ -n "${PID[$name]:-}" ] || continue
        "$LIVE_BIN/pgmesh" status --timeout 0.3 --control "$work/mesh/$name/state/control.sock" --output json \
            >"$work/look.$name" 2>/dev/null &
        pids+=($!)
    done
    wait "${pids[@]}" 2>/dev/null || :
    for name in "${MEMBERS[@]}"; do
        if [ -s "$work/look.$name" ]; then echo "$work/look.$name"; fi
    done | xargs -r jq -r '.primary as $p | [.self, .verdict, .term, ($p // "nobody"),
        ([.members[] | select(.name == $p) | .ready] | any)] | @tsv' 2>/dev/null || :
}
views() { # one line: who thinks what of the primary
    local name cell
    look >"$work/look"
    for name in "${MEMBERS[@]}"; do
        cell=$(awk -v n="$name" '$1 == n { printf "%s:%s", $4, tolower($2) }' "$work/look")
        [ -n "${PID[$name]:-}" ] || cell='·'
        printf ' %-15s' "${cell:-?}"
    done
}
views_heading() {
    local name
    printf '%s  %10s ' "$faint" ''
    for name in "${MEMBERS[@]}"; do printf ' %-15s' "$name"; done
    printf '%s\n' "$plain"
}
# Until a primary of a later term says itself that it is ready; a line whenever somebody's view changes.
watch_takeover() {
    local until=$((SECONDS + 20)) before='' now
    views_heading
    while [ "$SECONDS" -lt "$until" ]; do
        now=$(views)
        [ "$now" = "$before" ] || printf '  %s %s\n' "$(stamp)" "$now"
        before=$now
        awk -v term="$before_term" '$3 > term && $1 == $4 && $5 == "true" { found = 1 } END { exit !found }' "$work/look" && return
    done
    bad 'nobody took over within 20 s'
}

tell_outage() { # microseconds at which it happened
    local ms from to before after
    await 10 acks_after "${WRITER_LOGS[0]}" "$(clock)" || :
    read -r ms from to before after < <(outage "$1" "$(clock)") || :
    if [ -z "${ms:-}" ]; then bad 'the client measured nothing'; return; fi
    printf '  %sThe client saw no acknowledgement for %s ms (%s, then %s).%s\n' "$bold" "${ms%.*}" "$before" "$after" "$plain"
}
wait_whole() {
    if await 45 settled 2; then event "all three databases are in place again, $(primary) is the primary"; else
        bad 'a database did not come back'; fi
}

# ---- scenes -------------------------------------------------------------------------------------------------------------

scene() { # title, explanation
    heading "$1"
    line "$2"
    echo
    before_term=$(term)
    was=$(primary)
}
after_failover() {
    watch_takeover || :
    echo
    tell_outage "$began_us"
    echo
}

scene_host() {
    scene "Everything on the primary's host is killed" \
        "$(primary) is the primary. Its PostgreSQL, its agent and its guard get SIGKILL, all at once."
    began_us=$(clock)
    crash_now "$was"
    event "$was is dead"
    after_failover
    line 'Who agreed to that, on which evidence, and how long each step took:'
    echo
    pgmesh_says why
    echo
    await 10 is_dead "$was" || :
    began_us=$(clock)
    start "$was"
    event "$was is started again"
    wait_whole
}
scene_postmaster() {
    scene 'The postmaster of the primary is killed' \
        "The host lives and its agent too: it kills the orphans, releases the lease, and nobody needs to wait for its end."
    began_us=$(clock)
    kill_postmaster "$was"
    event "the postmaster of $was is dead"
    after_failover
    wait_whole
}
scene_agent() {
    scene 'The agent of the primary is killed' \
        'The guard starts another one; PostgreSQL goes on serving under the lease that it has.'
    began_us=$(clock)
    local former
    former=$(agent_of "$was")
    kill_agent "$was"
    event "the agent of $was is dead"
    await 10 has_other_agent "$was" "$former" || bad 'no other agent was started'
    event 'another one runs'
    await 20 settled 2 || :
    tell_outage "$began_us"
    if [ "$(term)" = "$before_term" ]; then good 'No failover: the term is the same.'; else bad 'There was a failover.'; fi
}
scene_switchover() {
    scene 'A planned switchover to db1' \
        'The primary hands over: it stops cleanly once db1 has all its WAL.'
    if [ "$was" = db1 ]; then line 'db1 is the primary already.'; return; fi
    began_us=$(clock)
    printf '  %s$ pgmesh switchover --to db1%s\n' "$faint" "$plain"
    pgmesh_as app switchover --to db1 >"$work/log/switchover.txt" 2>&1 &
    watch_takeover || :
    wait "$!" || bad 'the switchover was refused'
    shown <"$work/log/switchover.txt"
    echo
    tell_outage "$began_us"
    wait_whole
}
scene_site() {
    scene 'A site is cut off' \
        "Site fra holds db1 alone, the primary: without it four of five voters are left, and whoever confirmed its commits."
    began_us=$(clock)
    cut_site fra
    event 'the trunk of fra is out'
    after_failover
    line 'What the isolated member itself says:'
    status db1 | jq -r '"db1: term \(.term), verdict \(.verdict), lease left \(.lease_left_ms // 0) ms; its PostgreSQL is \([.members[] | select(.name == "db1") | .postgres][0])"' | shown
    uncut_site fra
    event 'the trunk is in again'
    wait_whole
}

introduction() {
    cat <<'TEXT'
  Three PostgreSQL servers in two sites, two witnesses in a third, and an application's host with an observer:

      fra  db1          ams  db2 db3          lux  wit1 wit2          app (the client)

  Five voters, three of them decide: whichever site is lost, a majority is left. Every commit is confirmed by a standby before it is acknowledged (sync, k = 1).
  The client inserts a row every 5 ms and tries all servers at once; its log is what is checked at the end.

TEXT
}

live_begin demo
printf '%spgmesh: a mesh that keeps a PostgreSQL writable%s\n\n' "$bold" "$plain"
introduction
heading 'From an empty folder to a cluster'
three_databases
live_network
line "\$ pgmesh init --cluster live --out mesh --member db1,database,fra,${ADDRESS[db1]}:7400 ..."
live_init
sed -n '/MEMBER/,/^$/p' "$work/log/init.txt" | sed "s,$work/,," | shown
began_us=$(clock)
start_all
event 'all members are started: pgmesh-node --config mesh/db1/node.conf, and so on'
await 60 settled 2 || { bad 'the cluster did not come up'; pgmesh_says status; exit 1; }
event 'one database is made, two are copied from it, both confirm commits'
make_ledger "$(primary)"
writer_start
echo
pgmesh_says status

scene_host
scene_postmaster
scene_agent
scene_switchover
scene_site

heading 'What is left of it'
pgmesh_says history
writers_stop
final=$(primary)
"$LIVE_BIN/live/checker" report "${WRITER_LOGS[0]}" | shown
echo
if nothing_lost "$final"; then
    good "$(tail -n 1 "$work/log/checker.txt")"
    good 'No acknowledged row is missing, and no two servers acknowledged at a time.'
else
    bad "$(cat "$work/log/checker.txt")"
fi
if await 20 same_everywhere; then good 'All three databases hold the same rows.'; else bad 'The databases differ.'; fi
echo
