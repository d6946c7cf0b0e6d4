# shellcheck shell=bash
# faults.sh: what can be done to a cluster of lib.sh, one pair of functions for each fault. To be sourced after lib.sh.
#
#     begin_NAME P S T      does it to the primary P and its standbys S and T
#     end_NAME P S T        takes it back; what was killed is started again. False: it could not, or what else must have been seen
#                           of it was not
#
# faults.txt is the table of them, with what is expected of each (names with dashes there, functions with underscores).
# Whatever is expected, the oracle of chaos.sh holds in every case.

FAULTS=$(grep -v "^#" "$LIVE_ROOT/tests/live/faults.txt")

# ---- the table -----------------------------------------------------------------------------------------------------

fault_names() { awk -F'|' 'NF == 4 { gsub(/ /, "", $1); print $1 }' <<<"$FAULTS"; }
fault_field() { # name, number: 2 expectation, 3 hold, 4 text
    awk -F'|' -v n="$1" -v f="$2" '{ k = $1; gsub(/ /, "", k) }
        k == n { v = $f; gsub(/^ +| +$/, "", v); print v }' <<<"$FAULTS"
}
begin_fault() { local f=begin_${1//-/_}; shift; "$f" "$@"; }
end_fault() { local f=end_${1//-/_}; shift; "$f" "$@"; }

# Prints why a fault cannot be made on this machine; false: it can. A fault that needs what is not everywhere has a
# function lacks_NAME that does the same.
cannot_be_made() { # fault
    local f=lacks_${1//-/_}
    if [ "$disks" = 0 ] && needs_disk "$1"; then echo 'no loop devices with ext4'; return; fi
    declare -F "$f" >/dev/null && "$f"
}

# ---- processes of a host -----------------------------------------------------------------------------------------------

# The PostgreSQL processes of a host whose title matches.
pg_pids() { # name, extended regular expression
    local pid
    for pid in $(pids_of "$1"); do
        if { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -Eq "^postgres: $2"; then echo "$pid"; fi
    done
}
signal_pg() { # signal, name, expression: false when there is none
    local pids
    pids=$(pg_pids "$2" "$3")
    # shellcheck disable=SC2086
    [ -n "$pids" ] && kill "-$1" $pids 2>/dev/null
}
signal_host() { # signal, name: all of it
    pids_of "$2" | xargs -r kill "-$1" 2>/dev/null || :
}
anchor_of() { # name
    local pid
    for pid in $(cat "/proc/${PID[$1]}/task/${PID[$1]}/children" 2>/dev/null); do
        case $(readlink "/proc/$pid/exe") in */pgmesh-guard) echo "$pid" ;; esac
    done
}
watchers_of() { echo "$(guard_of "$1" || :) $(agent_of "$1" || :) $(anchor_of "$1" || :)"; }
revive() { # name...: start those of which nothing runs any more; others are crashed first
    local name
    for name in "$@"; do
        crash "$name" || return 1
        start "$name"
    done
}
start_again() { # name...
    local name
    for name in "$@"; do await 10 is_dead "$name" || return 1; done
    start "$@"
}
# A guard that was killed left its agent as the next guard, or nothing.
adopt_guard() { # name, the agent it had
    if [ -n "$2" ] && [ -d "/proc/$2" ] && [[ $(readlink "/proc/$2/exe") == */pgmesh-guard ]]; then PID[$1]=$2; else revive "$1"; fi
}

# ---- hosts -----------------------------------------------------------------------------------------------------------------

begin_host_crash() { crash_now "$1"; }
end_host_crash() { start_again "$1"; }
begin_cable_cut() { unplug "$1"; }
end_cable_cut() { heal "$1"; }
begin_standby_crash() { crash_now "$2"; }
end_standby_crash() { start_again "$2"; }
begin_standbys_crash() { crash_now "$2" "$3"; }
end_standbys_crash() { start_again "$2" "$3"; }
begin_standbys_vanish() { unplug "$2"; unplug "$3"; }
end_standbys_vanish() { heal "$2" "$3"; }
begin_primary_and_standby() { crash_now "$1" "$2"; }
end_primary_and_standby() { start_again "$1" "$2"; }
begin_all_kill() {
    crash "${MEMBERS[@]}"
    start_all
}
end_all_kill() { :; }

# ---- network -----------------------------------------------------------------------------------------------------------------

part() { # name, name: neither hears the other
    deafen "$1" "$2"
    deafen "$2" "$1"
}
begin_deaf() { in_net "$1" iptables -A INPUT -i eth0 -j DROP; }
end_deaf() { heal "$1"; }
begin_mute() { in_net "$1" iptables -A OUTPUT -o eth0 -j DROP; }
end_mute() { heal "$1"; }
begin_cut_from_witnesses() { part "$1" wit1; part "$1" wit2; }
end_cut_from_witnesses() { heal "$1" wit1 wit2; }
begin_cut_from_standby() { part "$1" "$2"; }
end_cut_from_standby() { heal "$1" "$2"; }
begin_cut_from_standbys() { part "$1" "$2"; part "$1" "$3"; }
end_cut_from_standbys() { heal "$1" "$2" "$3"; }
begin_replication_cut() {
    local s
    for s in "$2" "$3"; do in_net "$1" iptables -A INPUT -p tcp --dport 5432 -s "${ADDRESS[$s]}" -j DROP; done
}
end_replication_cut() { heal "$1"; }
begin_mesh_cut() {
    in_net "$1" iptables -A INPUT -p tcp --dport 7400 -j DROP
    in_net "$1" iptables -A INPUT -p tcp --sport 7400 -j DROP
}
end_mesh_cut() { heal "$1"; }
begin_one_way_port() {
    local s
    for s in "$2" "$3"; do in_net "$1" iptables -A INPUT -p tcp --dport 7400 -s "${ADDRESS[$s]}" -j DROP; done
}
end_one_way_port() { heal "$1"; }
begin_ring() { part "$1" "$2"; part "$2" wit1; part "$3" wit1; part "$3" wit2; }
end_ring() { heal "$@" wit1 wit2; }
begin_thread() { part "$1" "$2"; part "$1" "$3"; part "$1" wit2; }
end_thread() { heal "$@" wit2; }
begin_sites_apart() {
    local a b
    for a in "${MEMBERS[@]}"; do
        for b in "${MEMBERS[@]}"; do
            if [ "${SITE[$a]}" = fra ] && [ "${SITE[$b]}" = ams ]; then part "$a" "$b"; fi
        done
    done
}
end_sites_apart() { heal "$@"; }
begin_sites_alone() { cut_site fra; cut_site ams; cut_site lux; }
end_sites_alone() { uncut_site fra; uncut_site ams; uncut_site lux; }
begin_site_lost() { cut_site "${SITE[$1]}"; }
end_site_lost() { uncut_site "${SITE[$1]}"; }
begin_loss_1() { lose "$1" 0.01; }
end_loss_1() { heal "$1"; }
begin_loss_5() { lose "$1" 0.05; }
end_loss_5() { heal "$1"; }
begin_loss_10() { lose "$1" 0.10; }
end_loss_10() { heal "$1"; }
begin_loss_20() { lose "$1" 0.20; }
end_loss_20() { heal "$1"; }
begin_loss_30() { lose "$1" 0.30; }
end_loss_30() { heal "$1"; }

in_background() { # name of the fault, command...: until_over NAME ends it
    local name=$1
    shift
    (
        [ -z "$cgroup" ] || { mkdir -p "$cgroup/fault-$name" && echo 0 >"$cgroup/fault-$name/cgroup.procs"; }
        "$@"
    ) </dev/null >"$work/log/fault-$name.txt" 2>&1 &
    BACKGROUND[$name]=$!
    disown
}
until_over() { # name
    kill -KILL "${BACKGROUND[$1]:-}" 2>/dev/null || :
    [ -z "$cgroup" ] || echo 1 >"$cgroup/fault-$1/cgroup.kill" 2>/dev/null || :
    unset "BACKGROUND[$1]"
}
declare -A BACKGROUND=()

# live/wire takes the place of a piece of the cable: host, its own bridge, wire, the site's bridge.
bad_cable() { # name, options of live/wire
    local bridge=s-${SITE[$1]}
    [ "${SITE[$1]}" != - ] || bridge=backbone
    in_background "wire-$1" nsenter --net="/run/netns/$prefix-net" -- "$LIVE_BIN/live/wire" "a-$1" "b-$1" "${@:2}"
    await 5 grep -qs ready "$work/log/fault-wire-$1.txt" || return 1
    net link add "j-$1" type bridge
    net link set "j-$1" up
    net link set "a-$1" master "j-$1" up
    net link set "b-$1" master "$bridge" up
    net link set "h-$1" master "j-$1"
}
good_cable() { # name
    local bridge=s-${SITE[$1]}
    [ "${SITE[$1]}" != - ] || bridge=backbone
    net link set "h-$1" master "$bridge"
    until_over "wire-$1"
    net link del "j-$1" 2>/dev/null || :
}
begin_slow_50() { bad_cable "$1" --delay-ms 25 --jitter-ms 20; }
end_slow_50() { good_cable "$1"; }
begin_slow_200() { bad_cable "$1" --delay-ms 100 --jitter-ms 50; }
end_slow_200() { good_cable "$1"; }
begin_slow_lease() { bad_cable "$1" --delay-ms 800; }
end_slow_lease() { good_cable "$1"; }
begin_repeated() { bad_cable "$1" --duplicate 20 --jitter-ms 10 --reorder; }
end_repeated() { good_cable "$1"; }
flood_of_wal() { # name, kbit/s, options of live/wire
    bad_cable "$1" --kbit "$2" "${@:3}" || return 1
    sql "$1" 'CREATE TABLE IF NOT EXISTS bulk (t text)' app
    in_background bulk sql "$1" "INSERT INTO bulk SELECT repeat('narrow', 100) FROM generate_series(1, 3000)" app
}
begin_narrow() { flood_of_wal "$1" 256; }
end_narrow() { until_over bulk; good_cable "$1"; }
begin_narrow_marked() { flood_of_wal "$1" 256 --classes; }
end_narrow_marked() { end_narrow "$1"; }
# What the host's own queues can do where the routers know no classes: send a little less than fits, what is marked first.
shape() { # name, kbit/s
    in_net "$1" sh -ec 'tc qdisc replace dev eth0 root handle 1: htb default 20
        tc class add dev eth0 parent 1: classid 1:1 htb rate "$1"kbit
        tc class add dev eth0 parent 1:1 classid 1:10 htb rate $(($1 * 4 / 5))kbit ceil "$1"kbit prio 0
        tc class add dev eth0 parent 1:1 classid 1:20 htb rate $(($1 / 5))kbit ceil "$1"kbit prio 1
        tc filter add dev eth0 parent 1: protocol ip u32 match ip dsfield 0xc0 0xfc flowid 1:10' sh "$2"
}
begin_narrow_shaped() { shape "$1" 240 && flood_of_wal "$1" 256; }
end_narrow_shaped() { end_narrow "$1"; }
begin_narrower() { flood_of_wal "$1" 64; }
end_narrower() { end_narrow "$1"; }
begin_narrower_marked() { flood_of_wal "$1" 64 --classes; }
end_narrower_marked() { end_narrow "$1"; }
# A stateful firewall at the host's cable, or a NAT: it passes what belongs to a connection that it knows. The zone is one that knows none.
firewall() { # name, 1: it gets to know connections that it did not see begin
    local rule zone=$((1 + RANDOM))
    in_net "$1" sysctl -qw "net.netfilter.nf_conntrack_tcp_loose=$2" || return 1
    for rule in PREROUTING OUTPUT; do
        in_net "$1" iptables -t raw -A "$rule" -j CT --zone "$zone" &&
            in_net "$1" iptables -A "${rule/PREROUTING/INPUT}" -m conntrack --ctstate INVALID -j DROP || return 1
    done
}
lacks_conntrack() { # tried where no address is, between the bridges
    if in_net net iptables -t raw -A OUTPUT -j CT --zone 1 2>/dev/null &&
        in_net net iptables -A OUTPUT -m conntrack --ctstate INVALID -j DROP 2>/dev/null &&
        in_net net sysctl -qn net.netfilter.nf_conntrack_tcp_loose net.netfilter.nf_conntrack_tcp_timeout_established >/dev/null 2>&1; then
        in_net net iptables -t raw -F
        in_net net iptables -F
        return 1
    fi
    echo 'the kernel has no connection tracking (nf_conntrack with zones)'
}
lacks_firewall_forgets() { lacks_conntrack; }
lacks_firewall_idle() { lacks_conntrack; }
no_firewall() { in_net "$1" iptables -t raw -F; heal "$1"; }
begin_firewall_forgets() { firewall "$1" 0; }
end_firewall_forgets() { no_firewall "$1"; }
begin_firewall_idle() {
    firewall "$1" 1 && sleep 1 && in_net "$1" sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0 \
        net.netfilter.nf_conntrack_tcp_timeout_established=2
}
end_firewall_idle() {
    in_net "$1" sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=432000
    no_firewall "$1"
}
flapping() { while :; do unplug "$1"; sleep 0.1; plug "$1"; sleep 0.1; done; }
begin_flap() { in_background flap flapping "$1"; }
end_flap() { until_over flap; heal "$1"; }

# Name servers that are dead: whoever asks one is dropped, and counted. Every address stands in the roster, so nobody may.
on_port_53() { # -A or -D: a name server would be out there
    local name protocol
    for name in "${MEMBERS[@]}"; do
        for protocol in udp tcp; do in_net "$name" iptables "$1" OUTPUT -p "$protocol" --dport 53 -j DROP || return 1; done
        [ "$1" = -D ] || in_net "$name" ip route replace default dev eth0 || return 1
    done
}
asked_names() { # name...: how many packets
    local name
    for name in "$@"; do in_net "$name" iptables -vnxL OUTPUT; done | awk '/dpt:53/ { n += $1 } END { print n + 0 }'
}
begin_no_names() { on_port_53 -A && crash_now "$1"; }
end_no_names() {
    start_again "$1" && await 30 is_standby "$1" || return 1
    [ "$(asked_names "${MEMBERS[@]}")" = 0 ] || { say 'somebody asked a name server'; return 1; }
    in_net wit1 timeout 1 getent hosts nobody.example >/dev/null || :
    [ "$(asked_names wit1)" -gt 0 ] || { say 'who asks one is not seen'; return 1; }
    for name in "${MEMBERS[@]}"; do in_net "$name" ip route del default dev eth0; done
    on_port_53 -D
}

# ---- witnesses -----------------------------------------------------------------------------------------------------------------

begin_witness_crash() { crash_now wit1; }
end_witness_crash() { start_again wit1; }
begin_witnesses_crash() { crash_now wit1 wit2; }
end_witnesses_crash() { start_again wit1 wit2; }
begin_witnesses_then_primary() { crash_now wit1 wit2; sleep 1; crash_now "$1"; }
end_witnesses_then_primary() { start_again wit1 wit2 "$1"; }
begin_witnesses_then_standby() { crash_now wit1 wit2; sleep 1; crash_now "$2"; }
end_witnesses_then_standby() { start_again wit1 wit2 "$2"; }
begin_witness_stop() { signal_host STOP wit1; }
end_witness_stop() { signal_host CONT wit1; }

# ---- agents and guards ---------------------------------------------------------------------------------------------------------

begin_agent_kill() { kill_agent "$1"; }
end_agent_kill() { :; }
begin_agent_stop() { kill -STOP "$(agent_of "$1")"; }
end_agent_stop() { signal_host CONT "$1"; }
# The guard kills what it cannot freeze.
begin_agent_stop_no_freeze() {
    remember_logs "$1"
    echo freeze >"$work/$1.fserror"
    begin_agent_stop "$1"
    await 5 logged_since "$1" 'cannot be frozen and is killed'
}
end_agent_stop_no_freeze() { fs_right "$1"; signal_host CONT "$1"; }
lacks_agent_stop_no_freeze() {
    if [ -n "$cgroup" ]; then return 1; fi
    echo 'no cgroup v2 that could refuse'
}
begin_guard_kill() {
    former=$(agent_of "$1")
    last_start_us=$(clock)
    kill -KILL "$(guard_of "$1")"
}
end_guard_kill() { adopt_guard "$1" "$former"; }
begin_guard_stop() { kill -STOP "$(guard_of "$1")"; }
end_guard_stop() { signal_host CONT "$1"; }
begin_watchers_kill() {
    # shellcheck disable=SC2046
    kill -KILL "$(guard_of "$1")" $(agent_of "$1")
}
end_watchers_kill() { revive "$1"; }
# shellcheck disable=SC2046
begin_watchers_stop() { blind "$1"; kill -STOP $(watchers_of "$1"); }
end_watchers_stop() { signal_host CONT "$1"; sees "$1"; }
begin_host_stop() { blind "$1"; signal_host STOP "$1"; }
end_host_stop() { signal_host CONT "$1"; sees "$1"; }
begin_host_stop_short() { begin_host_stop "$@"; sleep 0.4; end_host_stop "$@"; }
end_host_stop_short() { :; }
begin_standby_agent_kill() { kill_agent "$2"; }
end_standby_agent_kill() { :; }
begin_standby_agent_stop() { begin_agent_stop "$2"; }
end_standby_agent_stop() { end_agent_stop "$2"; }
begin_standby_guard_kill() { begin_guard_kill "$2"; }
end_standby_guard_kill() { end_guard_kill "$2"; }

# The kernel is told to page out whatever it can of those that must not wait for a disk: all of it is locked. A program that is
# not shows what would go.
paged_out() { # what is expected (kept, gone), pid
    local before after refused taken
    read -r _ before _ after _ refused _ taken < <("$LIVE_BIN/live/pageout" "$2") || return 1
    say "process $2: $before kB, then $after kB; $refused mappings refused, $taken kB of address space not"
    case $1 in
        kept) [ "$refused" -gt 0 ] && [ "$taken" = 0 ] && [ "$after" -ge $((before * 9 / 10)) ] ;;
        gone) [ "$after" -lt $((before * 9 / 10)) ] ;;
    esac
}
unlocked_program() { exec "$work/bin/unlocked" -c 'sleep 60; :'; }
begin_paged_out() {
    local pid
    for pid in $(watchers_of "$1") $(guard_of wit1); do paged_out kept "$pid" || return 1; done
    cp "$(command -v bash)" "$work/bin/unlocked" # its pages are nobody else's
    in_background unlocked unlocked_program
    await 5 grep -qs unlocked "/proc/${BACKGROUND[unlocked]}/cmdline" && paged_out gone "${BACKGROUND[unlocked]}"
}
end_paged_out() { until_over unlocked; }
lacks_paged_out() {
    if "$LIVE_BIN/live/pageout" $$ >/dev/null 2>&1; then return 1; fi
    echo 'the kernel pages no other process out (process_madvise, Linux 5.10)'
}

# The kernel's OOM killer, in a cage of its own for the one process that it shall find: a memory cgroup v1. (With v2 a process
# would have to leave the cgroup that it is fenced by.)
memory_mount() { awk '/ - cgroup / && / [a-z,]*memory[a-z,]*$/ { print $5; exit }' /proc/self/mountinfo; }
lacks_memory_cage() {
    local own
    own=$(memory_mount)$(sed -n 's/^[0-9]*:[a-z,]*memory[a-z,]*://p' /proc/self/cgroup)
    cage=${own%/}/$prefix-cage
    if mkdir -p "$cage" 2>/dev/null && [ -w "$cage/memory.limit_in_bytes" ]; then return 1; fi
    echo 'no memory cgroup v1 can be made'
}
lacks_oom_agent() { lacks_memory_cage; }
lacks_oom_session() { lacks_memory_cage; }
shut_in() { # pid, bytes
    lacks_memory_cage >/dev/null && return 1
    echo "$2" >"$cage/memory.limit_in_bytes" && echo "$1" >"$cage/cgroup.procs"
}
oom_killed() { awk '$1 == "oom_kill" && $2 > 0 { found = 1 } END { exit !found }' "$cage/memory.oom_control"; }
open_cage() { [ ! -d "${cage:-}" ] || await 5 rmdir "$cage"; }
begin_oom_agent() {
    former=$(agent_of "$1")
    last_start_us=$(clock)
    shut_in "$former" 4096 && await 5 oom_killed && await 5 has_other_agent "$1" "$former"
}
end_oom_agent() { open_cage; }
begin_oom_session() {
    in_background session sql "$1" "SELECT pg_sleep(1); SELECT length(string_agg(repeat(md5(x::text), 1000), '')) FROM generate_series(1, 20000) AS x"
    await 5 pg_pids_any "$1" 'postgres postgres \[local\] SELECT' || return 1
    shut_in "$(pg_pids "$1" 'postgres postgres \[local\] SELECT' | head -n 1)" 67108864 && await 10 oom_killed
}
end_oom_session() { until_over session; open_cage; }

# A server whose guard, anchor and agent are all stopped is fenced by nobody: what it answers to reads proves nothing
# (README, limits). Its acknowledgements are judged all the same.
EXCUSES=()
declare -A BLIND=()
blind() { BLIND[$1]=$(clock); }
sees() {
    EXCUSES+=(--excuse "$1:${BLIND[$1]}:$(($(clock) + 1000000))")
    unset "BLIND[$1]"
}

# ---- PostgreSQL ------------------------------------------------------------------------------------------------------------------

begin_postmaster_kill() { kill_postmaster "$1"; }
end_postmaster_kill() { :; }
begin_postmaster_stop() { kill -STOP "$(postmaster_of "$1")"; }
end_postmaster_stop() { signal_host CONT "$1"; }
begin_standby_postmaster_kill() { kill_postmaster "$2"; }
end_standby_postmaster_kill() { :; }
begin_checkpointer_kill() { signal_pg KILL "$1" checkpointer; }
end_checkpointer_kill() { :; }
begin_checkpointer_stop() { signal_pg STOP "$1" checkpointer; }
end_checkpointer_stop() { signal_host CONT "$1"; }
begin_walwriter_kill() { signal_pg KILL "$1" walwriter; }
end_walwriter_kill() { :; }
idle_session() { # name
    in_background session sql "$1" 'SELECT pg_sleep(60)'
    await 5 pg_pids_any "$1" 'postgres postgres \[local\] SELECT'
}
pg_pids_any() { [ -n "$(pg_pids "$@")" ]; }
begin_backend_kill() { idle_session "$1"; signal_pg KILL "$1" 'postgres postgres \[local\] SELECT'; }
end_backend_kill() { until_over session; }
begin_backend_stop() { idle_session "$1"; signal_pg STOP "$1" 'postgres postgres \[local\] SELECT'; }
end_backend_stop() { signal_host CONT "$1"; until_over session; }
begin_walsender_kill() { signal_pg KILL "$1" "walsender .*${ADDRESS[$2]}\("; }
end_walsender_kill() { :; }
begin_walsender_stop() { signal_pg STOP "$1" "walsender .*${ADDRESS[$2]}\("; }
end_walsender_stop() { signal_host CONT "$1"; }
begin_walsenders_stop() { signal_pg STOP "$1" 'walsender .*streaming'; }
end_walsenders_stop() { signal_host CONT "$1"; }
begin_walreceiver_kill() { signal_pg KILL "$2" walreceiver; }
end_walreceiver_kill() { :; }
begin_walreceiver_stop() { signal_pg STOP "$2" walreceiver; }
end_walreceiver_stop() { signal_host CONT "$2"; }
begin_walreceivers_stop() { signal_pg STOP "$2" walreceiver; signal_pg STOP "$3" walreceiver; }
end_walreceivers_stop() { signal_host CONT "$2"; signal_host CONT "$3"; }
begin_walreceiver_stop_crash() { begin_walreceiver_stop "$@"; crash_now "$1"; }
end_walreceiver_stop_crash() { end_walreceiver_stop "$@"; start_again "$1"; }
begin_startup_kill() { signal_pg KILL "$2" startup; }
end_startup_kill() { :; }
begin_startup_stop_crash() { signal_pg STOP "$2" startup; crash_now "$1"; }
end_startup_stop_crash() { signal_host CONT "$2"; start_again "$1"; }
# Waits for the first database whose log tells of a promotion after the lines that were there; prints it.
promoting() { # name...
    local name until=$((SECONDS + 8))
    while [ "$SECONDS" -lt "$until" ]; do
        for name in "$@"; do
            if logged_since "$name" 'goal: promote'; then echo "$name"; return; fi
        done
    done
    return 1
}
declare -A SEEN=()
remember_logs() { local name; for name in "$@"; do SEEN[$name]=$(wc -l <"$work/log/$name.log"); done; }
logged_since() { tail -n +"$((${SEEN[$1]:-0} + 1))" "$work/log/$1.log" | grep -e "$2" >/dev/null; } # name, text: since remember_logs
told_since() { tail -n +"$((${SEEN[$1]} + 1))" "$work/log/$1.log" | grep -c -e "$2"; } # how often
# Whoever is promoted first hangs in the last step of its recovery, for longer than promote_timeout.
begin_promotion_stuck() {
    local name
    rm -rf "$work/once"
    mkdir -m 777 "$work/once"
    for name in "$2" "$3"; do
        sql "$name" "ALTER SYSTEM SET recovery_end_command = 'mkdir $work/once/here 2>/dev/null && sleep 40'"
        sql "$name" 'SELECT pg_reload_conf()' >/dev/null
    done
    crash_now "$1"
}
end_promotion_stuck() {
    local name
    start_again "$1"
    for name in "$2" "$3"; do
        await 30 sql "$name" 'ALTER SYSTEM RESET recovery_end_command' 2>/dev/null && sql "$name" 'SELECT pg_reload_conf()' >/dev/null
    done
}
# What readers and an administrator leave on the standbys: replay paused, or held up by a superuser's query.
on_both() { # function, S, T, arguments...
    "$1" "$2" "${@:4}" && "$1" "$3" "${@:4}"
}
pause_replay() { sql "$1" 'SELECT pg_wal_replay_pause()' >/dev/null; }
begin_paused_replay_crash() {
    on_both pause_replay "$2" "$3" || return 1
    await 5 acks_after "${WRITER_LOGS[0]}" "$(clock)" || return 1 # it is received and waits to be replayed
    crash_now "$1"
}
end_paused_replay_crash() { start_again "$1"; }
holds_up() { [ "$(sql "$1" "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event_type = 'Lock'")" = 1 ]; }
query_held() {
    await 5 sql "$1" 'TABLE held' app >/dev/null 2>&1 || return 1
    in_background "held-$1" sql "$1" 'BEGIN; TABLE held; SELECT pg_sleep(60)' app
    await 5 eval "[ \"\$(sql $1 \"SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass\" app)\" -gt 0 ]"
}
begin_long_queries_crash() {
    sql "$1" 'CREATE TABLE held (x int)' app
    on_both query_held "$2" "$3" || return 1
    sql "$1" 'DROP TABLE held' app
    on_both await_held "$2" "$3" || return 1
    remember_logs "$2" "$3"
    crash_now "$1"
}
await_held() { await 5 holds_up "$1"; }
# After max_standby_streaming_delay PostgreSQL itself would end those queries, and a takeover that waited for it would be in time
# too: the sessions must have been ended by the agents. Under async the takeover may not have waited for one of the two.
end_long_queries_crash() {
    local name ended=0 needed=2
    [ "$durability" != async ] || needed=1
    for name in "$2" "$3"; do
        if logged_since "$name" sessions_terminated; then ended=$((ended + 1)); else say "$name ended no sessions"; fi
    done
    until_over "held-$2"
    until_over "held-$3"
    start_again "$1" && [ "$ended" -ge "$needed" ]
}
# Standbys that would take fewer connections than the primary.
fewer_connections() {
    sql "$1" 'ALTER SYSTEM SET max_connections = 30' && kill_postmaster "$1"
}
again_standby() { await 20 is_standby "$1"; }
begin_fewer_connections_crash() {
    on_both fewer_connections "$2" "$3" && await 5 not is_standby "$3" && on_both again_standby "$2" "$3" || return 1
    crash_now "$1"
}
end_fewer_connections_crash() {
    local name
    start_again "$1"
    for name in "$2" "$3"; do await 30 sql "$name" 'ALTER SYSTEM RESET max_connections' 2>/dev/null || return 1; done
}
# Its archive takes nothing any more, on any host.
archive_refuses() { sql "$1" "ALTER SYSTEM SET archive_command = 'false'" && sql "$1" 'SELECT pg_reload_conf()' >/dev/null; }
archive_works() { await 30 sql "$1" 'ALTER SYSTEM RESET archive_command' 2>/dev/null && sql "$1" 'SELECT pg_reload_conf()' >/dev/null; }
archive_failed() { [ "$(sql "$1" 'SELECT failed_count > 0 FROM pg_stat_archiver')" = t ]; }
begin_archive_refuses_crash() {
    archive_refuses "$1" && on_both archive_refuses "$2" "$3" || return 1
    sql "$1" "SELECT pg_switch_wal()" >/dev/null
    await 10 archive_failed "$1" || return 1
    crash_now "$1"
}
end_archive_refuses_crash() {
    start_again "$1"
    on_both archive_works "$2" "$3" && archive_works "$1"
}
# A page of a standby comes back from its disk as it was not written; whoever reads it is told, and so is pgmesh.
begin_standby_page() {
    local file
    sql "$1" 'CREATE TABLE page AS SELECT generate_series(1, 1000) AS x' app
    sql "$1" 'CHECKPOINT'
    file=$(sql "$1" "SELECT pg_relation_filepath('page')" app)
    await 10 sql "$2" 'TABLE page' app >/dev/null 2>&1 || return 1
    await 20 restartpoint "$1" "$2" || return 1
    crash "$2" || return 1
    printf 'not what was written' | dd of="$work/$2/data/$file" bs=1 seek=4000 conv=notrunc 2>/dev/null
    start "$2"
    await 20 is_standby "$2" || return 1
    ! sql "$2" 'SELECT count(*) FROM page' app >/dev/null 2>&1 || return 1
    await 15 barred "$2" checksum || return 1
    ! pgmesh_as "$1" switchover --to "$2" >"$work/log/barred.txt" 2>&1
}
# The archive of both standbys hangs: who loses its primary asks it for WAL before anything else.
restore_hangs() { setting "$1" restore_command 'sleep 40; false'; }
begin_restore_hangs_crash() {
    on_both restore_hangs "$2" "$3" && on_both await_barred "$2" "$3" restore_slow || return 1
    remember_logs "$2" "$3"
    crash_now "$1"
}
await_barred() { await 10 barred "$1" "$2"; }
end_restore_hangs_crash() { # the seal has taken it back, since it stood in ALTER SYSTEM's file
    logged_since "$2" restore_ended || logged_since "$3" restore_ended || { say 'nothing was killed'; return 1; }
    start_again "$1"
}
restartpoint() { # primary, standby: has it written what the primary's last checkpoint covers?
    local asked
    asked=$(sql "$1" 'SELECT redo_lsn FROM pg_control_checkpoint()')
    sql "$2" 'CHECKPOINT'
    [ "$(sql "$2" "SELECT redo_lsn >= '$asked' FROM pg_control_checkpoint()")" = t ]
}
barred() { status "$1" | jq -e --arg n "$1" --arg why "$2" '.members[] | select(.name == $n) | .preflight | index($why)' >/dev/null; } # name, why
end_standby_page() {
    pgmesh_as "$1" reinit "$2" >/dev/null
    await 60 eval "! barred $2 checksum"
    sql "$(primary)" 'DROP TABLE page' app
}

goal_failures() { pgmesh_as "$1" status --output json | jq '.server.goal_failures'; }
failed_again() { [ "$(goal_failures "$1")" -ge $(($2 + 2)) ]; } # name, failures counted before: tried twice more
# A data directory of another major version than the programs: upgraded by hand, or mounted wrongly.
begin_other_major() {
    local said='data_dir is of PostgreSQL 16, bin_dir of PostgreSQL 15'
    remember_logs "$2"
    echo 16 >"$work/$2/data/PG_VERSION"
    kill_postmaster "$2"
    await 10 logged_since "$2" "$said" || return 1
    await 15 failed_again "$2" "$(goal_failures "$2")" || { say "$2 does not try again"; return 1; }
    [ "$(told_since "$2" "goal_failed.*$said")" = 1 ] || { say "$2 told it more than once"; return 1; }
    ! grep -q 'incompatible with server' "$(state_of "$2")/postgresql.log" # it was not even tried
}
end_other_major() { echo 15 >"$work/$2/data/PG_VERSION"; }

begin_second_failure() {
    remember_logs "$2" "$3"
    stuck=$2
    crash_now "$1"
    stuck=$(promoting "$2" "$3") && crash_now "$stuck"
}
end_second_failure() { start_again "$1" "$stuck"; }
pg_ctl_by_hand() { # name, arguments
    (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$PG_BIN/pg_ctl" -D "$work/$1/data" "${@:2}")
}
begin_stop_by_hand() { pg_ctl_by_hand "$1" stop -m fast -t 20 >/dev/null; }
end_stop_by_hand() { :; }
begin_started_by_hand() {
    unplug "$1"
    await 10 not postmaster_of "$1" >/dev/null || return 1
    primary_is_not "$1" || await 10 primary_is_not "$1"
    (
        [ -z "$cgroup" ] || { mkdir -p "$cgroup/$1-hand" && echo 0 >"$cgroup/$1-hand/cgroup.procs"; }
        exec nsenter --net="/run/netns/$prefix-$1" -- setpriv --reuid=postgres --regid=postgres --init-groups \
            "$PG_BIN/pg_ctl" -D "$work/$1/data" -l "$work/$1/by-hand.log" -t 15 -w start >/dev/null 2>&1
    ) || say 'started by hand, it does not come up'
    in_hand=$(cd / && setpriv --reuid=postgres --regid=postgres --init-groups \
        psql -XAtq -h /var/run/postgresql -U postgres -c 'SELECT pg_is_in_recovery()' 2>&1) || :
    heal "$1"
    [ "$in_hand" != f ] # it must not take writes
}
end_started_by_hand() { pg_ctl_by_hand "$1" stop -m immediate >/dev/null 2>&1 || :; }

# ---- disks -----------------------------------------------------------------------------------------------------------------------
# Each host's data and state lie on file systems of their own (disks_make in chaos.sh): $work/NAME and $work/mesh/NAME/state.

data_of() { echo "$work/$1"; }
state_of() { echo "$work/mesh/$1/state"; }
fill() { own_disk "$1" || return 1; fallocate -l "$(($(stat -f -c "%a * %S" "$1")))" "$1/filler" 2>/dev/null || dd if=/dev/zero of="$1/filler" bs=64k 2>/dev/null || :; }
fill_inodes() { # no file can be made there any more, though there is room
    own_disk "$1" && mkdir "$1/filler" || return 1
    (cd "$1/filler" && seq "$(stat -f -c %d .)" | xargs touch) 2>/dev/null || :
    ! touch "$1/filler/more" 2>/dev/null
}
unfill() { rm -rf "$1/filler"; }
own_disk() { case $(findmnt -n -o SOURCE --mountpoint "$1") in /dev/loop*) return 0 ;; *) return 1 ;; esac; } # never the machine's
stall() { own_disk "$1" && fsfreeze -f "$1"; }
unstall() { ! own_disk "$1" || fsfreeze -u "$1" 2>/dev/null || :; }
turn_read_only() { # what an I/O error does to ext4
    local device
    own_disk "$1" || return 1
    device=$(findmnt -n -o SOURCE --mountpoint "$1")
    echo 'a test' >"/sys/fs/ext4/${device#/dev/}/trigger_fs_error"
}
repair() { # name, mount point: as an operator does after such an error
    own_disk "$2" && crash "$1" || return 1
    umount "$2"
    e2fsck -fy "$work/disk/$(basename "$3")" >/dev/null 2>&1 || :
    mount -o loop "$work/disk/$(basename "$3")" "$2"
    start "$1"
}
begin_data_full() { fill "$(data_of "$1")"; }
end_data_full() { unfill "$(data_of "$1")"; }
# WAL needs a new segment, and there is no room for one.
begin_wal_full() {
    fill "$(data_of "$1")" || return 1
    for _ in $(seq 60); do sql "$1" "SELECT pg_logical_emit_message(false, 'test', ''), pg_switch_wal()" >/dev/null 2>&1 || return 0; done
    return 1
}
end_wal_full() { unfill "$(data_of "$1")"; }
begin_data_stall_short() { stall "$(data_of "$1")"; sleep 1.5; unstall "$(data_of "$1")"; }
end_data_stall_short() { :; }
begin_data_stall() { stall "$(data_of "$1")"; }
end_data_stall() { unstall "$(data_of "$1")"; }
begin_data_read_only() { turn_read_only "$(data_of "$1")"; }
end_data_read_only() { repair "$1" "$(data_of "$1")" "$1.data"; }
begin_standby_data_full() { fill "$(data_of "$2")"; }
end_standby_data_full() { unfill "$(data_of "$2")"; }
begin_standby_data_stall() { stall "$(data_of "$2")"; }
end_standby_data_stall() { unstall "$(data_of "$2")"; }
begin_standby_stall_crash() {
    stall "$(data_of "$2")"
    crash_now "$1"
    sleep 3
    unstall "$(data_of "$2")"
}
end_standby_stall_crash() { start_again "$1"; }
# A member that starts writes its store, and whoever hears of it keeps that.
something_to_store() { crash wit2 && start wit2; }
begin_state_full() { fill "$(state_of "$1")" && something_to_store; }
end_state_full() { unfill "$(state_of "$1")"; }
begin_state_inodes() { fill_inodes "$(state_of "$1")" && something_to_store; }
end_state_inodes() { unfill "$(state_of "$1")"; }
# ... for a directory entry; or by a quota: told to our programs alone (fserror.c).
fs_error() { # name, what fails, what is to be told of it
    remember_logs "$1"
    echo "$2" >"$work/$1.fserror"
    something_to_store && await 5 logged_since "$1" "store-failed.*$3"
}
fs_right() { rm -f "$work/$1.fserror"; }
begin_state_rename() { fs_error "$1" rename 'No space left on device'; }
end_state_rename() { fs_right "$1"; }
begin_state_quota() { fs_error "$1" quota 'quota exceeded'; }
end_state_quota() { fs_right "$1"; }
begin_state_stall() { stall "$(state_of "$1")" && something_to_store; }
end_state_stall() { unstall "$(state_of "$1")"; }
begin_state_read_only() { turn_read_only "$(state_of "$1")" && something_to_store; }
end_state_read_only() { repair "$1" "$(state_of "$1")" "$1.state"; }
begin_witness_state_stall_crash() { stall "$(state_of wit1)"; crash_now "$1"; }
end_witness_state_stall_crash() { unstall "$(state_of wit1)"; start_again "$1"; }
begin_witness_state_full_crash() { fill "$(state_of wit1)"; crash_now "$1"; }
end_witness_state_full_crash() { unfill "$(state_of wit1)"; revive wit1; start_again "$1"; }

# ---- what is remembered ----------------------------------------------------------------------------------------------------------

store_of() { echo "$(state_of "$1")/store"; }
spoil() { # name, command on its store: the host crashes, and comes back with that
    crash "$1" || return 1
    "$2" "$(store_of "$1")"
    start "$1"
}
flip() { printf '\377' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc 2>/dev/null; }
halve() { truncate -s $(($(stat -c %s "$1") / 2)) "$1"; }
empty() { : >"$1"; }
go_back() { cp "$work/older" "$1"; }
readmitted() { # name: votes again
    pgmesh_as "$(primary)" readmit "$1" >/dev/null 2>&1 || :
    status "$(primary)" | jq -e --arg n "$1" '.members[] | select(.name == $n) | .vote' >/dev/null 2>&1
}
does_not_vote() { status "$(primary)" | jq -e --arg n "$1" '.members[] | select(.name == $n) | .vote == false' >/dev/null 2>&1; }
begin_vote() { # command
    spoil wit1 "$1" && await 10 does_not_vote wit1
}
end_vote() { await 20 readmitted wit1; }
begin_vote_flipped() { begin_vote flip; }
end_vote_flipped() { end_vote; }
begin_vote_cut() { begin_vote halve; }
end_vote_cut() { end_vote; }
begin_vote_empty() { begin_vote empty; }
end_vote_empty() { end_vote; }
begin_vote_missing() { begin_vote rm; }
end_vote_missing() { end_vote; }
begin_vote_older() { # what it remembered before a change of the primary
    cp "$(store_of wit1)" "$work/older"
    local before
    before=$(stat -c %i "$(store_of wit1)")
    pgmesh_as "$1" pause --reason 'so that something is remembered' >/dev/null
    pgmesh_as "$1" resume >/dev/null
    [ "$(stat -c %i "$(store_of wit1)")" != "$before" ] || return 1
    begin_vote go_back
}
end_vote_older() { end_vote; }
begin_standby_rolled_back() { # an image, taken while the host was down; then it lived on
    crash "$2" || return 1
    rm -rf "$work/$2/image"
    mkdir "$work/$2/image"
    cp -a "$work/$2/data" "$(state_of "$2")" "$work/$2/image/"
    start "$2"
    await 30 is_standby "$2" || return 1
    pgmesh_as "$1" pause --reason 'so that something is remembered' >/dev/null
    pgmesh_as "$1" resume >/dev/null
    await 10 whole 2 || return 1
    crash "$2" || return 1
    rm -rf "$work/$2/data"
    mv "$work/$2/image/data" "$work/$2/data"
    find "$(state_of "$2")" -mindepth 1 -delete
    cp -a "$work/$2/image/state/." "$(state_of "$2")/"
    rm -rf "$work/$2/image"
    start "$2"
    await 10 does_not_vote "$2"
}
end_standby_rolled_back() { await 30 readmitted "$2"; }

# ---- clocks ------------------------------------------------------------------------------------------------------------------------
# live/wallclock.so, loaded into every program of a host, adds the seconds in this file to its wall clock.

step_clock() { echo "$2" >"$work/$1.clock"; } # name, seconds
begin_clock_ahead() { step_clock "$1" 3600; }
end_clock_ahead() { step_clock "$1" 0; }
begin_clock_back() { step_clock "$1" -3600; }
end_clock_back() { step_clock "$1" 0; }
begin_clock_1970() { step_clock "$1" "-$(date +%s)"; }
end_clock_1970() { step_clock "$1" 0; }
begin_clock_ten_years() { step_clock "$1" 315360000; }
end_clock_ten_years() { step_clock "$1" 0; }
begin_clock_standby() { step_clock "$2" -3600; }
end_clock_standby() { step_clock "$2" 0; }
begin_clock_witness() { step_clock wit1 315360000; }
end_clock_witness() { step_clock wit1 0; }
# A standby that lags on purpose, and commits from two hours ahead of it.
setting() { # name, setting, value: '' takes it back
    local change="SET $2 = '$3'"
    [ -n "$3" ] || change="RESET $2"
    sql "$1" "ALTER SYSTEM $change" && sql "$1" 'SELECT pg_reload_conf()' >/dev/null
}
begin_clock_ahead_delayed() {
    setting "$2" recovery_min_apply_delay 1h && step_clock "$1" 7200 && await 10 barred "$2" delayed
}
end_clock_ahead_delayed() { step_clock "$1" 0; await 30 setting "$2" recovery_min_apply_delay ''; }
# A leap second, told to nobody; and a database moves to another time zone.
begin_leap_second() {
    local name
    for name in "${MEMBERS[@]}"; do step_clock "$name" -1; done
    setting "$1" timezone Pacific/Apia && setting "$1" log_timezone Pacific/Apia
}
end_leap_second() {
    local name
    for name in "${MEMBERS[@]}"; do step_clock "$name" 0; done
    setting "$1" timezone '' && setting "$1" log_timezone ''
}

# ---- users, operators, neighbours ------------------------------------------------------------------------------------------------------

app_url() { echo "host=${ADDRESS[$1]} port=5432 user=app dbname=app sslmode=disable"; }
all_connections() { # name: as many as it takes, each asleep
    echo 'SELECT pg_sleep(60)' >"$work/sleep.sql"
    exec nsenter --net="/run/netns/$prefix-app" -- env -i PATH="$PATH" PGHOST="${ADDRESS[$1]}" PGUSER=app PGDATABASE=app \
        "$PG_BIN/pgbench" -n -c "$2" -j 1 -T 60 -f "$work/sleep.sql" app
}
begin_connections() {
    local left
    left=$(sql "$1" "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
    in_background connections all_connections "$1" "$left"
}
end_connections() { until_over connections; }
begin_locked_out() {
    sql "$1" 'ALTER ROLE pgmesh NOLOGIN'
    sql "$1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgmesh'" >/dev/null
}
end_locked_out() { sql "$(primary)" 'ALTER ROLE pgmesh LOGIN'; }
begin_password() {
    sql "$1" "ALTER ROLE pgmesh_replication PASSWORD 'changed'"
    signal_pg TERM "$2" walreceiver
    signal_pg TERM "$3" walreceiver
}
end_password() {
    local word
    word=$(sed -n 's/^.*:pgmesh_replication://p' "$work/mesh/$1/pg.pass")
    sql "$(primary)" "ALTER ROLE pgmesh_replication PASSWORD '$word'"
}
begin_flood() {
    in_background flood nsenter --net="/run/netns/$prefix-app" -- "$LIVE_BIN/live/flood" "${ADDRESS[$1]}" 7400 2000
}
end_flood() { until_over flood; }
# A member that has gone over to the enemy: by its own link, as the observer, it sends what no key of the cluster signed.
foe() { exec nsenter --net="/run/netns/$prefix-app" -- "$LIVE_BIN/live/foe" "$work/mesh/app/node.conf" "$@"; }
thread_ms() { awk '{ print ($14 + $15) * 10 }' "/proc/${1:-none}/task/$1/stat" 2>/dev/null || echo 0; } # pid: CPU of its first thread, which holds the lease
turned_away() { # name
    local n
    n=$(field "$1" '[.counters.refused_rate, .counters.rejected.bad_signature // 0] | add')
    echo "${n:-0}"
}
begin_traitor() {
    traitor_agent=$(agent_of "$1" || :) traitor_us=$(clock) traitor_count=$(turned_away "$1")
    traitor_ms=$(thread_ms "$traitor_agent")
    in_background foe-unsigned foe "$1" unsigned 50000
    in_background foe-forged foe "$1" forged 5000
}
end_traitor() {
    local ms=$((($(clock) - traitor_us) / 1000)) busy away files
    busy=$((($(thread_ms "$traitor_agent") - traitor_ms) * 100 / ms))
    away=$(($(turned_away "$1") - traitor_count))
    files=$(find "/proc/${traitor_agent:-none}/fd" -type l 2>/dev/null | wc -l)
    until_over foe-unsigned
    until_over foe-forged
    say "$away frames turned away in $ms ms, $busy % of a processor for the thread that holds the lease, $files descriptors"
    [ "$away" -gt $((ms * 2)) ] && [ "$files" -lt 200 ] && [ "$busy" -le 10 ]
}
begin_foreign_cluster() {
    local specs=() name
    for name in "${MEMBERS[@]}"; do specs+=(--member "$(spec_of "$name")"); done
    rm -rf "$work/other"
    "$LIVE_BIN/pgmesh" init --open-root-key --cluster live --out "$work/other" "${specs[@]}" >/dev/null || return 1
    printf "listen = %s:7999\n" "${ADDRESS[app]}" >>"$work/other/wit1/node.conf"
    in_background foreign nsenter --net="/run/netns/$prefix-app" -- "$LIVE_BIN/pgmesh-witness" \
        --config "$work/other/wit1/node.conf"
}
end_foreign_cluster() { until_over foreign; }
begin_slot_dead() { # more WAL than a slot may keep (max_slot_wal_keep_size in chaos.sh)
    crash "$2" || return 1
    sql "$1" 'CREATE TABLE IF NOT EXISTS bulk (t text)' app
    local lost="SELECT count(*) > 0 FROM pg_replication_slots WHERE wal_status = 'lost' OR restart_lsn IS NULL" turn # made anew when lost
    for turn in $(seq 30); do
        sql "$1" "INSERT INTO bulk SELECT repeat('$turn', 500) FROM generate_series(1, 10000)" app || :
        sql "$1" 'SELECT pg_switch_wal(); TRUNCATE bulk; CHECKPOINT' app >/dev/null || :
        [ "$(sql "$1" "$lost")" != t ] || return 0
    done
    return 1
}
end_slot_dead() { start_again "$2"; }
begin_switchover() { pgmesh_as "$1" switchover --to "$2" >/dev/null; }
end_switchover() { :; }
# A session that does not end by itself holds up the stop of PostgreSQL: it is told to go on, and the log says so.
begin_switchover_session_stopped() {
    begin_backend_stop "$1" && pgmesh_as app switchover --to "$2" >/dev/null && grep -q 'stop_slow.*, stopped' "$work/log/$1.log"
}
lacks_switchover_session_stopped() {
    if [ -n "$cgroup" ]; then return 1; fi
    echo 'without cgroup v2 the guard itself freezes by SIGSTOP, so nobody is told to go on'
}
end_switchover_session_stopped() { end_backend_stop "$1"; }
# Four voters of five are enough for it.
begin_switchover_no_vote() {
    begin_vote rm && pgmesh_as app switchover --to "$2" >/dev/null && does_not_vote wit1
}
end_switchover_no_vote() { end_vote; }
begin_switchover_to_dead() {
    crash_now "$2"
    ! pgmesh_as "$1" switchover --to "$2" >"$work/log/refused.txt" 2>&1
}
end_switchover_to_dead() { start_again "$2"; }
begin_switchover_mid_crash() {
    in_background order pgmesh_as app switchover --to "$2"
    sleep 0.1
    crash_now "$1"
}
end_switchover_mid_crash() { until_over order; start_again "$1"; }
begin_reinit_mid_crash() {
    in_background order pgmesh_as app reinit "$2"
    sleep 0.2
    crash_now "$1"
}
end_reinit_mid_crash() { until_over order; start_again "$1"; }
