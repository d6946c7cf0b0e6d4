#!/usr/bin/env bash
# run.sh: checks the models of the protocol exhaustively with spin, and that each rule left out is noticed.
#
#   tests/model/run.sh [-k DIR] [NAME...]     all cases, or those of these names; -k: work in DIR and keep it
#
# JOBS searches run at a time (default: one per processor).
#
# A case is a line of tests/model/cases.txt: kind, name, model, what is expected, flags. The kinds:
#
#   clean   the true model: the search must be complete, without an error and within its bounds
#   reach   a state that must be reachable (its negation is asserted), or the clean cases would prove nothing
#   mutant  the rule NAME is left out: a counterexample to what is expected must be found
#   holds   the rule NAME is left out, and the search is complete and clean: another rule stands in for it
#   wedge   the rule NAME is left out, and a state that a `reach` case has shown is reached no more
#
# The trail of an unexpected error is told in words. What the models hold and leave out: docs/model.md
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
keep=
[ "${1:-}" = -k ] && { keep=$2; shift 2; }
work=${keep:-$(mktemp -d)} || exit 2
mkdir -p "$work"
[ -n "$keep" ] || trap 'rm -rf "$work"' EXIT

command -v spin >/dev/null ||
    { echo "not ok model: spin is not installed (packaging/install-deps.sh test)"; exit 1; }

told() { # model, flags: the trail in words
    # shellcheck disable=SC2086
    spin -t -T $2 "$1" 2>/dev/null | sed '/^spin: trail ends/,$d; /^spin: /d; s/^/    /'
}

found() { # model, flags: what the failed claim is called
    told "$1" "$2" | sed -n 's/^ *broken: //p' | head -n 1
}

one() { # kind, name, model, expected, flags...
    local kind=$1 name=$2 model=$3.pml expected=$4 title began rc=0 mark states
    shift 4
    local flags="$*" optimise=-O1 search=-DBFS
    title=model/$name
    began=$(date +%s.%N)
    case $kind in mutant | holds | wedge) flags="$flags -D${name%%@*}"; title="model/$name" ;; esac
    case $kind in clean | holds | wedge) search=; ;; *) optimise=-O0 ;; esac
    mkdir -p "$work/$kind-$name"
    cd "$work/$kind-$name" || return 1
    cp "$here"/*.pml . && touch -d @0 ./*.pml # or spin warns of models newer than the trail, in the same second
    # shellcheck disable=SC2086
    if ! spin $flags -a "$model" >log 2>&1 ||
        ! gcc $optimise -w -DSAFETY -DNOREDUCE -DMEMLIM=1900 $search -o pan pan.c >>log 2>&1; then
        echo "not ok $title: does not compile: $(grep -m 1 -i error log)"
        return
    fi
    ./pan -E -m200000 >out 2>&1 || rc=$?
    states=$(awk '/states, stored/ {print $1}' out)
    took=$(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN {printf "%.1f s", b - a}')
    if [ "$rc" -ne 0 ] || ! grep -q 'errors:' out || grep -qE 'Search not completed|max search depth|out of memory' out &&
        ! grep -q 'errors: 1' out; then
        echo "not ok $title: the search was cut short: $(grep -m 1 -iE 'max search|memory|not completed' out)"
    elif grep -q 'errors: 0' out; then
        case $kind in
            wedge) echo "ok $title (never again reached: $states states, complete, $took)" ;;
            clean | holds) echo "ok $title ($states states, complete, 0 errors, $took)" ;;
            reach) echo "not ok $title: not reachable ($states states, complete): the clean cases prove little" ;;
            mutant) echo "not ok $title: missed ($states states, complete)" ;;
        esac
    else
        mark=$(found "$model" "$flags")
        case $kind in
            reach | mutant)
                if [ "$mark" = "$expected" ]; then
                    echo "ok $title ($mark: $states states, $took)"
                else
                    echo "not ok $title: an error of \"$mark\", expected was $expected"
                    told "$model" "$flags"
                fi ;;
            wedge)
                echo "not ok $title: still reached, so this wedges nothing; the steps:"
                told "$model" "$flags" ;;
            clean | holds)
                echo "not ok $title: $mark is broken; the steps:"
                told "$model" "$flags" ;;
        esac
    fi
}

export work here
export -f one told found
status=0
grep -vE '^ *(#|$)' "$here/cases.txt" |
    awk -v names=" $* " 'names == "  " || index(names, " " $2 " ")' |
    xargs -P "${JOBS:-$(getconf _NPROCESSORS_ONLN)}" -I{} bash -c 'one {}' | tee "$work/result" || status=1
! grep -q '^not ok' "$work/result" && [ -s "$work/result" ] && [ "$status" = 0 ]
