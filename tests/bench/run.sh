#!/usr/bin/env bash
# `make bench`: how long a client cannot write, fault by fault, over network namespaces; and what it costs to run.
#
#     BENCH_N=30            runs of each fault
#     BENCH_FAULTS='...'    which: host_cut host_crash postmaster_kill agent_kill switchover
#     BENCH_IDLE=60         seconds of rest for the footprint; 0: none
#     BENCH_DURABILITY=sync
#     BENCH_OUT=build/bench where results.jsonl and summary.txt go
#
# A line of JSON for each run. "outage_ms" is the longest silence between two acknowledgements around the fault, as
# measured by a client that tries all servers at once, a row every 5 ms; a quiet client has silences of about 5 ms.
# Phases, in milliseconds, as the new primary saw them: detect (fault to its verdict), seal (to its own WAL's end), decide
# (to the decision), promote (to a primary that serves), route (to the client's first acknowledgement).
#
# A measured figure is no test: the exit status tells only whether it could be measured and nothing was lost.
. "$(dirname "$0")/../live/lib.sh"

runs=${BENCH_N:-30}
faults=${BENCH_FAULTS:-host_cut host_crash postmaster_kill agent_kill switchover}
idle=${BENCH_IDLE:-60}
durability=${BENCH_DURABILITY:-sync}
out=${BENCH_OUT:-$LIVE_BIN/../bench}

# ---- faults: each does its harm to the primary, and undoes it ----------------------------------------------------------

harm_host_cut() { unplug "$was"; }
mend_host_cut() { heal "$was"; }
harm_host_crash() { crash_now "$was"; }
mend_host_crash() { await 10 is_dead "$was" && start "$was"; }
harm_postmaster_kill() { kill -KILL "$postmaster"; }
mend_postmaster_kill() { :; }
harm_agent_kill() { kill -KILL "$agent"; }
mend_agent_kill() { :; }
harm_switchover() { pgmesh_as app switchover --to "$target" >"$work/log/switchover.txt" 2>&1; }
mend_switchover() { :; }

later_primary() { [ "$(term)" -gt "$before" ] && [ -n "$(primary)" ]; }
done_with() { # fault: what one run waits for
    if [ "$1" = agent_kill ]; then has_other_agent "$was" "$agent"; else later_primary; fi
}

# ---- one run -----------------------------------------------------------------------------------------------------------

# Wall-clock microseconds, by which journals are stamped.
wall_us() { date +%s%6N; }

# Phases out of the new primary's own journal, given the wall-clock microseconds of the fault: an object and when it was
# ready, or nothing. What happened before the fault belongs to an earlier failover.
phases() { # name, microseconds
    pgmesh_as "$1" why --output json 2>/dev/null | jq -c --argjson at "$2" '
        def first_of($name): [.events[] | select(.name == $name and .at_us >= $at) | .at_us] | min;
        .term as $term
        | ([.events[] | select(.name == "+decided" and .term == $term and .at_us >= $at) | .at_us] | min) as $decided
        | first_of("+verdict") as $verdict | first_of("+ready") as $ready
        | ([.events[] | select(.name == "+sealed" and .at_us >= $at and .at_us <= ($decided // 0)) | .at_us] | max) as $sealed
        | select($decided != null and $ready != null)
        | def span($a; $b): if $a == null or $b == null then null else ($b - $a) / 1000 end;
        {ready_us: $ready, phases: {detect_ms: span($at; $verdict), seal_ms: span($verdict; $sealed),
         decide_ms: span($sealed // $verdict; $decided), promote_ms: span($decided; $ready)}}' 2>/dev/null || :
}

one_run() { # fault, number
    local fault=$1 at_us at_wall ms from to from_server to_server how=''
    was=$(primary) before=$(term)
    target=$(for name in db1 db2 db3; do [ "$name" = "$was" ] || echo "$name"; done | head -n 1)
    agent=$(agent_of "$was") postmaster=$(postmaster_of "$was")
    at_wall=$(date +%s%6N) # by which journals are stamped
    at_us=$(clock)
    "harm_$fault" || { say "$fault: it could not be done"; return 1; }
    await 30 done_with "$fault" || return 1
    await 20 acks_after "${WRITER_LOGS[0]}" "$(clock)" || return 1
    read -r ms from to from_server to_server < <(outage "$at_us" "$(clock)")
    [ "$fault" = agent_kill ] || how=$(phases "$(primary)" "$at_wall")
    jq -cn --arg fault "$fault" --arg durability "$durability" --argjson run "$2" --argjson outage_ms "$ms" \
        --arg from "$from_server" --arg to "$to_server" --argjson term "$(term)" --argjson before "$before" \
        --argjson last "$(((from - at_us) / 1000))" --argjson back "$(((to - at_us)))" --argjson at "$at_wall" \
        --argjson how "${how:-null}" '
        {system: "pgmesh", $fault, $durability, $run, $outage_ms, $from, $to, $term, failover: ($term > $before), last_ack_ms: $last}
        + (if $how == null then {} else {phases: ($how.phases + {route_ms: (($back - ($how.ready_us - $at)) / 1000)})} end)' \
        >>"$out/results.jsonl"
    "mend_$fault" || return 1
    last_start_us=$(clock)
    await 60 settled 2
}

# ---- footprint ---------------------------------------------------------------------------------------------------------

is_ours() { case $(readlink "/proc/$1/exe" 2>/dev/null) in */pgmesh-node | */pgmesh-guard | */pgmesh-witness) ;; *) return 1 ;; esac; }
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

footprint() {
    local name pid pss rss ticks ours
    declare -A before=()
    for name in "${MEMBERS[@]}"; do
        for pid in $(pids_of "$name"); do if is_ours "$pid"; then before[$pid]=$(cpu_ticks "$pid"); fi; done
    done
    sleep "$idle" # what is measured is rest
    for name in "${MEMBERS[@]}"; do
        ours=() ticks=0
        for pid in $(pids_of "$name"); do
            is_ours "$pid" || continue
            ours+=("$pid")
            ticks=$((ticks + $(cpu_ticks "$pid") - ${before[$pid]:-0}))
        done
        pss=$(memory_kb "${ours[@]}") rss=$(rss_kb "${ours[@]}")
        jq -cn --arg member "$name" --arg role "${ROLE[$name]}" --argjson pss "$pss" --argjson rss "$rss" \
            --argjson ticks "$ticks" --argjson hz "$(getconf CLK_TCK)" --argjson seconds "$idle" \
            '{system: "pgmesh", footprint: $member, $role, pss_kb: $pss, rss_kb: $rss,
              cpu_percent: ($ticks * 10000 / $hz / $seconds | round / 100), over_s: $seconds}' >>"$out/results.jsonl"
    done
}

# ---- summary -----------------------------------------------------------------------------------------------------------

columns() { # lines of tab-separated fields, aligned
    awk -F '\t' '{ for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } n = NF }
                  END { for (r = 1; r <= NR; r++) { for (i = 1; i <= n; i++) printf "%-*s  ", width[i], cell[r, i]; print "" } }'
}

summary() {
    jq -rs '
        def rank($p): sort | .[((length * $p / 100) | ceil) - 1];
        def row: [.[] | .outage_ms] | [length, min, rank(50), rank(95), rank(99), max];
        def median_of($k): [.[] | .phases[$k]? | select(. != null)] | if length == 0 then "-" else rank(50) | round end;
        (["fault", "runs", "min", "median", "p95", "p99", "max", "failovers", "detect", "seal", "decide", "promote", "route"] | @tsv),
        ([.[] | select(.fault)] | group_by(.fault)[] | . as $g
            | ([$g[0].fault] + ($g | row | map(round)) + [[$g[] | select(.failover)] | length]
               + [$g | median_of("detect_ms"), median_of("seal_ms"), median_of("decide_ms"), median_of("promote_ms"), median_of("route_ms")]) | @tsv)' \
        "$out/results.jsonl" | columns
    echo
    echo 'milliseconds without an acknowledged write; phases are medians'
    echo
    jq -rs '(["member", "role", "PSS kB", "RSS kB", "CPU %"] | @tsv),
            (.[] | select(.footprint) | [.footprint, .role, .pss_kb, .rss_kb, .cpu_percent] | @tsv)' "$out/results.jsonl" | columns
}

describe() {
    jq -cn --arg cpus "$(getconf _NPROCESSORS_ONLN)" --arg kernel "$(uname -r)" --arg model "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" \
        --arg postgres "$("$PG_BIN/postgres" --version)" --arg commit "$(git -C "$LIVE_ROOT" rev-parse --short HEAD 2>/dev/null)" \
        --arg fence "${cgroup:+cgroup v2}" '{machine: {cpus: ($cpus | tonumber), $model, $kernel, $postgres, fence: ($fence | if . == "" then "signals" else . end)}, $commit}'
}

live_begin bench
mkdir -p "$out"
out=$(cd "$out" && pwd)
describe >"$out/results.jsonl"
three_databases
live_cluster --durability "$durability"
await 20 settled 2 || :
[ "$idle" -eq 0 ] || footprint
writer_start
for fault in $faults; do
    measured=0
    for run in $(seq "$runs"); do
        if one_run "$fault" "$run"; then measured=$((measured + 1)); else
            not_ok "$fault, run $run"
            await 60 whole 2 || { not_ok 'the cluster did not recover'; break 2; }
        fi
    done
    expect "$fault: $measured runs measured" [ "$measured" -eq "$runs" ]
done
if [ "$durability" = async ]; then prove --allow-loss; else prove; fi
echo
summary | tee "$out/summary.txt"
