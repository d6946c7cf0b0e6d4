# shellcheck shell=bash
# common.sh: what the measured systems share: settings, one run of one fault, the footprint. To be sourced after
# tests/live/lib.sh by a script that measures one system and defines
#
#     harm_FAULT, mend_FAULT                 what is done to "$was" (and "$target"), and undone
#     homeward                               makes "$alone" the primary, if it is not
#     serving, heir                          print the server that takes writes, and the one that a switch goes to
#     changes                                prints a number that grows with every change of the primary
#     in_order                               true when all is as before the fault
#     phases SINCE_US                        prints an object {ready_us, phases} of the last change, or nothing
#     is_ours PID                            true for a process that counts into the footprint
#     $system                                its name in the results
#
# A line of JSON goes to $out for every run, and one that describes the machine for every series; a series adds to what is there. "outage_ms" is the longest silence between two acknowledgements around the
# fault, as measured by a client that tries all servers at once, a row every 5 ms; a quiet client has silences of 5 ms.

runs=${BENCH_N:-30}
idle=${BENCH_IDLE:-60}
durability=${BENCH_DURABILITY:-sync}
out=${BENCH_OUT:-$LIVE_BIN/../bench/results.jsonl}
mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")

describe() {
    jq -cn --arg cpus "$(getconf _NPROCESSORS_ONLN)" --arg kernel "$(uname -r)" --arg model "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
        --arg memory "$(awk '$1 == "MemTotal:" { print int($2 / 1048576 + 0.5) }' /proc/meminfo)" \
        --arg postgres "$("$PG_BIN/postgres" --version)" --arg commit "$(git -C "$LIVE_ROOT" rev-parse --short HEAD 2>/dev/null)" \
        --arg patroni "$(patroni --version 2>/dev/null)" --arg etcd "$(etcd --version 2>/dev/null | sed -n '1s/.*: /etcd /p')" --arg day "$(date -I)" \
        '{machine: {cpus: ($cpus | tonumber), $model, memory_gib: ($memory | tonumber), $kernel, $postgres, $patroni, $etcd}, $commit, $day}'
}
describe >>"$out"

# What the checker said at the end of a series, and how many complaints there were.
record_proof() { # complaints
    jq -cn --arg system "$system" --arg durability "$durability" --argjson complaints "$1" --rawfile said "$work/log/checker.txt" \
        '{$system, $durability, proof: {$complaints, said: ($said | split("\n") | map(select(. != "")) | .[-12:])}}' >>"$out"
}

# Wall-clock microseconds, by which journals are stamped.
wall_us() { date +%s%6N; }
changed() { [ "$(changes)" -gt "$before" ] && [ -n "$(serving)" ]; }

# One fault may leave the primary where it is: then it is over when writes flow.
done_with() { case $1 in agent_kill) true ;; postmaster_kill) changed || restarted ;; *) changed ;; esac; }
# Of three databases in two sites one is alone in its own: its site can be lost without a majority of the copies. After
# that fault the primary goes back there, unmeasured.
alone=db1
serves() { [ "$(serving)" = "$1" ]; }
restarted() { local now; now=$(postmaster_of "$was") && [ "$now" != "$postmaster" ]; }

one_run() { # fault, number
    local fault=$1 at_us at_wall ms from to from_server to_server how=''
    was=$(serving) before=$(changes)
    target=$(heir)
    agent=$(agent_of "$was") postmaster=$(postmaster_of "$was")
    at_wall=$(wall_us)
    at_us=$(clock)
    "harm_$fault" || { say "$fault: it could not be done"; return 1; }
    if ! await "${BENCH_WAIT:-30}" done_with "$fault" || ! await "${BENCH_WAIT:-30}" acks_after "${WRITER_LOGS[0]}" "$(clock)"; then
        "mend_$fault"
        return 1
    fi
    read -r ms from to from_server to_server < <(outage "$at_us" "$(clock)")
    [ "$fault" = agent_kill ] || how=$(phases "$at_wall")
    jq -cn --arg system "$system" --arg fault "$fault" --arg durability "$durability" --argjson run "$2" --argjson outage_ms "$ms" \
        --arg from "$from_server" --arg to "$to_server" --argjson after "$(changes)" --argjson before "$before" \
        --argjson last "$(((from - at_us) / 1000))" --argjson back "$((to - at_us))" --argjson at "$at_wall" \
        --argjson how "${how:-null}" '
        {$system, $fault, $durability, $run, $outage_ms, $from, $to, failover: ($after > $before), last_ack_ms: $last}
        + (if $how == null then {} else {phases: ($how.phases + {route_ms: (($back - ($how.ready_us - $at)) / 1000)})} end)' \
        >>"$out"
    "mend_$fault" || return 1
    last_start_us=$(clock)
    await 90 in_order
}

all_runs() { # fault...
    local fault run measured
    for fault in "$@"; do
        measured=0
        [ "$fault" != site_loss ] || { await 60 homeward && await 60 in_order; } || not_ok "the primary is not alone in its site"
        for run in $(seq "$runs"); do
            if one_run "$fault" "$run"; then measured=$((measured + 1)); else
                not_ok "$system, $durability: $fault, run $run"
                await 120 in_order || { not_ok 'the cluster did not recover'; return 1; }
            fi
        done
        expect "$system, $durability: $fault: $measured runs measured" [ "$measured" -eq "$runs" ]
    done
}

# ---- footprint ---------------------------------------------------------------------------------------------------------

# PSS as on a host of its own: other members here share the libraries' pages, so each file's pages are counted once for
# each host, in full, and private pages for each process.
memory_kb() { # pids
    local pid
    for pid in "$@"; do cat "/proc/$pid/smaps" 2>/dev/null; done | awk '
        /^[0-9a-f]+-[0-9a-f]+ / { key = $3 " " $6 " " $5; rss = 0 }
        /^Rss:/ { rss = $2 }
        /^Anonymous:/ { private += $2; if (rss - $2 > file[key]) file[key] = rss - $2 }
        END { for (k in file) private += file[k]; print private + 0 }'
}
rss_kb() { for pid in "$@"; do awk '$1 == "Rss:" { print $2 }' "/proc/$pid/smaps_rollup" 2>/dev/null; done | awk '{ n += $1 } END { print n + 0 }'; }
cpu_ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat" 2>/dev/null; }
ours_of() { local pid; for pid in $(pids_of "$1"); do ! is_ours "$pid" || echo "$pid"; done; } # member
net_bytes() { ip -n "$prefix-$1" -s -j link show eth0 | jq '[.[].stats64 // empty | .rx.bytes + .tx.bytes] | add'; }

# Nobody writes meanwhile; what still crosses the network is the mesh itself and idle replication.
footprint() {
    local name pid ticks ours seconds
    declare -A ticks_before=() bytes_before=()
    seconds=$SECONDS
    for name in "${MEMBERS[@]}"; do
        for pid in $(ours_of "$name"); do ticks_before[$pid]=$(cpu_ticks "$pid"); done
        bytes_before[$name]=$(net_bytes "$name")
    done
    sleep "$idle" # what is measured is rest
    seconds=$((SECONDS - seconds))
    for name in "${MEMBERS[@]}"; do
        mapfile -t ours < <(ours_of "$name")
        [ ${#ours[@]} -gt 0 ] || continue
        ticks=0
        for pid in "${ours[@]}"; do ticks=$((ticks + $(cpu_ticks "$pid") - ${ticks_before[$pid]:-0})); done
        jq -cn --arg system "$system" --arg member "$name" --arg role "${ROLE[$name]}" --argjson pss "$(memory_kb "${ours[@]}")" \
            --argjson rss "$(rss_kb "${ours[@]}")" --argjson ticks "$ticks" --argjson hz "$(getconf CLK_TCK)" --argjson s "$seconds" \
            --argjson bytes "$(($(net_bytes "$name") - ${bytes_before[$name]}))" '
            {$system, footprint: $member, $role, pss_kb: $pss, rss_kb: $rss, cpu_percent: ($ticks * 10000 / $hz / $s | round / 100),
             bytes_per_s: ($bytes / $s | round), over_s: $s}' >>"$out"
    done
}
