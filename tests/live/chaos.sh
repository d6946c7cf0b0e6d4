#!/usr/bin/env bash
# chaos.sh: a cluster under faults (faults.sh), each alone or in random sequences, with an oracle after every step.
#
#     tests/live/chaos.sh --each [--faults a,b,c]        each of them once, with what is expected of it
#     tests/live/chaos.sh [--seed S] [--seconds N] [--faults a,b,c] [--steps N]
#                                                        random ones, up to three at a time, operators in between
#     tests/live/chaos.sh --list                         the table
#
#     --durability sync|strict|async    of the cluster (sync)
#     --lease TIME                      of its members (600ms)
#     --hold SECONDS                    leaves each fault in place for that long instead of what the table says (each)
#     --table FILE                      appends FAULT, EXPECTATION, OUTAGE_MS, WHOLE_AGAIN_S, NOTE, by tabs (each)
#     --footprint FILE                  where memory and descriptors are recorded (build/default/footprint.tsv)
#     --no-load                         without pgbench beside the writers
#     --no-pooler                       without the writer through PgBouncer
#
# A seed says which faults come, where, when and for how long; what they meet depends on the machine's timing, so a
# replay asks the same questions and may get another answer. The seed stands in the first line of the output.
#
# The oracle, after every step, when everything has been healed: a primary serves and every database follows it, within
# WHOLE_SECONDS (90); every row acknowledged is there, none from nowhere, none twice; no two servers acknowledged in the
# same interval; no read went backwards; all of it also for the writer that goes through PgBouncer, which the observer drives; no agent, guard or witness fell by a bug of its own. At the end also: every
# database holds the same rows, and the bank of pgbench balances.
. "$(dirname "$0")/lib.sh"
. "$LIVE_ROOT/tests/live/faults.sh"
. "$LIVE_ROOT/tests/live/arena.sh"

pooler=1
lease=600ms holds='' seed='' seconds=120 steps=1000000 each=0 chosen='' table=''
while [ $# -gt 0 ]; do
    case $1 in
        --seed) seed=$2; shift ;;
        --seconds) seconds=$2; shift ;;
        --steps) steps=$2; shift ;;
        --faults) chosen=${2//,/ }; shift ;;
        --each) each=1 ;;
        --durability) durability=$2; shift ;;
        --lease) lease=$2; shift ;;
        --hold) holds=$2; shift ;;
        --table) table=$2; shift ;;
        --footprint) record=$2; shift ;;
        --no-load) load=0 ;;
        --no-pooler) pooler=0 ;;
        --list) grep -v '^$' <<<"$FAULTS"; exit 0 ;;
        *) sed -n '2,/^\. /{/^\. /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
    esac
    shift
done
seed=${seed:-$(date +%s)}
for name in $chosen; do
    [ -n "$(fault_field "$name" 4)" ] || { echo "chaos.sh: there is no fault \"$name\" (--list shows them)" >&2; exit 2; }
done

# ---- each fault alone -------------------------------------------------------------------------------------------------

roles() { # P, S and T, S being the one that a shuffle put first
    P=$(primary)
    [ -n "$P" ] || return 1
    # shellcheck disable=SC2046
    set -- $(printf '%s\n' db1 db2 db3 | grep -vx "$P")
    if [ $((RANDOM % 2)) = 0 ]; then S=$1 T=$2; else S=$2 T=$1; fi
}
writes_after() { acks_after "${WRITER_LOGS[0]}" "$1"; }
changed() { primary_is_not "$P" && writes_flow; }
kept() { [ "$(term)" = "$before" ] && [ "$(primary)" = "$P" ]; }

# What must be seen while it lasts. Sets `seen` to why not.
judge() { # expectation, hold, begun (us)
    local kind=${1%%:*} within=0
    case $1 in *:*) within=${1#*:} ;; esac
    seen=
    case $kind in
        same)
            [ "$within" -gt 0 ] || within=2
            sleep "$2"
            await "$within" writes_flow 1500 || seen='writes do not flow'
            [ "$(term)" = "$before" ] || seen="$seen the term rose from $before to $(term)"
            ;;
        failover)
            await "$within" changed || seen="no other primary within $within s"
            sleep "$2"
            ;;
        any)
            await "$within" writes_flow || seen="writes do not flow within $within s"
            sleep "$2"
            ;;
        once)
            await "$within" writes_flow || seen="writes do not flow within $within s"
            sleep "$2"
            [ "$(term)" -le $((before + 1)) ] || seen="$seen the term rose from $before to $(term)"
            ;;
        none)
            never "$2" primary_is_not "$P" >/dev/null || seen='somebody was promoted'
            ;;
        free) sleep "$2" ;;
    esac
    [ -z "$seen" ]
}

one() { # fault: alone
    local expectation hold at begun ms note='' healed why
    if why=$(cannot_be_made "$1"); then echo "ok $live_name: $1 # SKIP $why"; return; fi
    expectation=$(fault_field "$1" 2)
    hold=${holds:-$(fault_field "$1" 3)}
    case $expectation in @*)
        at=${expectation%% *}
        expectation=${expectation#* }
        primary_is "${at#@}" || pgmesh_as "$(primary)" switchover --to "${at#@}" >/dev/null || :
        await 30 settled 2 || :
    ;; esac
    roles || { not_ok "$1: there is a primary to begin with"; return 1; }
    before=$(term)
    begun=$(clock)
    begin_fault "$1" "$P" "$S" "$T" || note='it could not be done as meant; '
    judge "$expectation" "$hold" "$begun" && note+="as expected ($expectation)" || note+="NOT as expected ($expectation): $seen"
    case $note in *NOT*) not_ok "$1: $seen"; keep_step "$1" ;; it\ could*) not_ok "$1: $note" ;; esac
    if ! end_fault "$1" "$P" "$S" "$T"; then
        not_ok "$1: it could not be taken back, or something was not seen of it"
        note="its end was NOT as meant; $note"
    fi
    healed=$(clock)
    heal_all
    oracle "$1" && case $note in as*) ok "$1: $(fault_field "$1" 4)" ;; esac
    ms=$(outage "$begun" "$healed" 2>/dev/null | cut -d' ' -f1) || ms="?"
    say "$(printf '%-26s %s -> %s, term %s -> %s, outage %s ms, whole after %s s; %s' "$1" "$P" "$(primary)" "$before" "$(term)" \
        "$ms" "$whole_after" "$note")"
    [ -z "$table" ] || printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$expectation" "$ms" "$whole_after" "$note" >>"$table"
}

# ---- random sequences ---------------------------------------------------------------------------------------------------

operator() { # a command in the middle of it all; refused or done, it must do no harm
    local commands=("switchover --to $S" "switchover --to $P" "pause --reason chaos" resume "reinit $T" "failover --to $T")
    local command=${commands[RANDOM % ${#commands[@]}]}
    say "  operator: $command"
    # shellcheck disable=SC2086
    timeout 15 "$LIVE_BIN/pgmesh" $command --config "$work/mesh/operator/pgmesh.conf" \
        --control "$work/mesh/app/state/control.sock" >>"$work/log/operator.txt" 2>&1 || :
}
step() { # number
    local names=() n=1 roll=$((RANDOM % 10)) name held all=()
    read -ra all <<<"$chosen"
    [ "$roll" -lt 6 ] || n=2
    [ "$roll" -lt 9 ] || n=3
    while [ ${#names[@]} -lt "$n" ]; do names+=("${all[RANDOM % ${#all[@]}]}"); done
    held=$((1 + RANDOM % 8))
    roles || { not_ok "step $1: there is a primary to begin with"; return 1; }
    say "$(printf 'step %d at %s: %s on %s (%s %s), for %d s' "$1" "$SECONDS s" "${names[*]}" "$P" "$S" "$T" "$held")"
    for name in "${names[@]}"; do
        begin_fault "$name" "$P" "$S" "$T" >>"$work/log/steps.txt" 2>&1 || say "  $name could not be begun"
        sleep "0.$((RANDOM % 10))"
    done
    [ $((RANDOM % 4)) != 0 ] || operator
    sleep "$held"
    for name in "${names[@]}"; do
        end_fault "$name" "$P" "$S" "$T" >>"$work/log/steps.txt" 2>&1 || :
    done
    heal_all
    pgmesh_as app resume >/dev/null 2>&1 || :
    oracle "step $1 (${names[*]})" && ok "step $1: ${names[*]}"
}

# ---- all of it --------------------------------------------------------------------------------------------------------------

if [ -z "$chosen" ]; then
    # What a random sequence cannot undo in time by itself is left to --each.
    chosen=$(fault_names | paste -sd' ')
fi
[ "$each" = 1 ] || say "seed $seed: replay with  tests/live/chaos.sh --seed $seed --seconds $seconds --durability $durability"
RANDOM=$((seed % 32768))
arena_begin chaos
if [ "$each" = 1 ]; then
    for name in $chosen; do one "$name" || :; done
else
    until_us=$((SECONDS + seconds))
    for ((number = 1; number <= steps && SECONDS < until_us; number++)); do step "$number" || break; done
fi
arena_end
