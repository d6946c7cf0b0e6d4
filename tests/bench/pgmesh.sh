#!/usr/bin/env bash
# How long a client cannot write when pgmesh loses something, fault by fault, in one durability; and what it costs to run.
#
#     BENCH_N=30            runs of each fault
#     BENCH_FAULTS='...'    which: host_cut host_crash postmaster_kill agent_kill switchover site_loss
#     BENCH_IDLE=60         seconds of rest for the footprint; 0: none
#     BENCH_DURABILITY=sync
#     BENCH_OUT=FILE        where a line of JSON for each run is added
#
# Phases, in milliseconds, as the new primary saw them: detect (fault to its verdict), seal (to its own WAL's end), decide
# (to the decision), promote (to a primary that serves), route (to the client's first acknowledgement).
#
# A measured figure is no test: the exit status tells only whether it could be measured and nothing was lost.
. "$(dirname "$0")/../live/lib.sh"
live_begin bench
. "$(dirname "$0")/common.sh"
system=pgmesh

harm_host_cut() { unplug "$was"; }
mend_host_cut() { heal "$was"; }
harm_host_crash() { crash_now "$was"; }
mend_host_crash() { await 10 is_dead "$was" && start "$was"; }
harm_postmaster_kill() { kill -KILL "$postmaster"; }
mend_postmaster_kill() { :; }
harm_agent_kill() { kill -KILL "$agent" && await 10 has_other_agent "$was" "$agent"; }
mend_agent_kill() { :; }
harm_switchover() { pgmesh_as app switchover --to "$target" >"$work/log/switchover.txt" 2>&1; }
mend_switchover() { :; }
# Everything at the primary's site at once.
harm_site_loss() { cut_site "${SITE[$was]}"; }
mend_site_loss() { uncut_site "${SITE[$was]}" && await 90 in_order && await 60 homeward; }
homeward() { was=$(serving) target=$alone; [ "$was" = "$alone" ] || { harm_switchover && await 20 serves "$alone"; }; }

serving() { primary; }
heir() { for name in db1 db2 db3; do [ "$name" = "$was" ] || { echo "$name"; return; }; done; }
changes() { term; }
in_order() { settled 2; }
is_ours() { case $(readlink "/proc/$1/exe" 2>/dev/null) in */pgmesh-node | */pgmesh-guard | */pgmesh-witness) ;; *) return 1 ;; esac; }

# Out of the new primary's own journal; what happened before the fault belongs to an earlier failover.
phases() { # wall-clock microseconds of the fault
    pgmesh_as "$(primary)" why --output json 2>/dev/null | jq -c --argjson at "$1" '
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

three_databases
live_cluster --durability "$durability"
await 20 in_order || :
[ "$idle" -eq 0 ] || footprint
writer_start
# shellcheck disable=SC2086 # words on purpose
all_runs ${BENCH_FAULTS:-host_cut host_crash postmaster_kill agent_kill switchover site_loss} || :
if [ "$durability" = async ]; then prove --allow-loss; else prove; fi
record_proof "$failed"
