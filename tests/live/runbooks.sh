#!/usr/bin/env bash
# The runbooks of docs/runbooks, tried literally on real servers.
#
#     tests/live/runbooks.sh [--show] [PAGE...]        without a page: all of them; --show prints what came instead of judging it
#
# A page's commands stand in indented blocks behind a prompt that names the host; what follows is what they print:
#
#     db2# pgmesh status
#     cluster orders · term 2 · primary db2 (ams) · ...
#
# "admin" is where the operator's folder lies. Each line must come, numbers may differ, "..." stands for anything. What only
# looks is asked again until it says so, for a while. A comment <!-- try: COMMANDS --> does, at its place in the page, what has
# happened (crash, unplug, ...: lib.sh), or what a hand at the machine would do. Every page begins with a whole cluster, db1
# its primary; db2 is preferred to db3.
# LIMIT: 600
. "$(dirname "$0")/lib.sh"

show=0
[ "${1:-}" != --show ] || { show=1; shift; }
pages=("$@")
[ "${#pages[@]}" -gt 0 ] || mapfile -t pages < <(cd "$LIVE_ROOT/docs/runbooks" && grep -l '^<!-- try' ./*.md | sed 's/.md$//; s|^./||')

# What a page says of another place, as it is here.
here() { sed -e "s|/etc/pgmesh/|$work/mesh/|g; s|/media/usb/root.key|$work/mesh/root.key|g; s|/var/lib/pgsql|$work|g; s|\borders\b|live|g"; }
# Numbers, times and the lengths of blanks differ from run to run.
plain() { perl -CSD -pe 's/(?<![A-Za-z0-9_])[0-9][0-9A-Fa-f]*(?:[\/.:-][0-9A-Fa-f]+)*(?:T[0-9:.]+Z)?/N/g; s/\s+/ /g; s/^ //; s/ $//; $_ .= "\n"' | here; }

config_of() { # host of the prompt
    [ "$1" = admin ] && echo "$work/admin.conf" || echo "$work/mesh/$1/node.conf"
}
systemctl() { # start|stop|restart, unit@member...
    local verb=$1 unit
    shift
    for unit in "$@"; do
        unit=${unit#*@}
        case $verb in
            start) start "$unit" ;;
            stop) stop "$unit" ;;
            restart) stop "$unit" && start "$unit" ;;
        esac
    done
}
journalctl() { cat "$work/log/${2#*@}.log"; } # -u unit@member
psql_on() { # host, options of psql
    (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups psql -X -h "$work/$1" -U postgres "${@:2}")
}
perform() { # host, command: as it stands on the page
    local command
    command=$(here <<<"$2")
    case $command in
        psql*) command="psql_on $1 ${command#psql}" ;;
        pgmesh*) command="PGMESH_CONFIG=$(config_of "$1") $LIVE_BIN/$command" ;;
    esac
    (COLUMNS=100 && export COLUMNS && eval "$command") </dev/null 2>&1 || :
}
looks() { case $1 in *recover*--dry-run*) ;; pgmesh\ recover* | *switchover* | *failover* | *vote* | *pause* | *resume* | *reinit* | *systemctl* | *remove*) return 1 ;; esac; }

# Every expected line came, wherever the terminal has broken it.
judged() { # file with what came, file with what was expected
    local line got
    got=$(plain <"$1" | tr '\n' ' ' | tr -s ' ')
    while IFS= read -r line; do
        [ -n "$line" ] && [ "$line" != ... ] || continue
        missing=$line
        line=$(sed 's/[][*?\\]/\\&/g; s/ *\.\.\. */*/g' <<<"$line")
        # shellcheck disable=SC2053
        [[ $got == *$line* ]] || return 1
    done < <(plain <"$2")
}
once() { # host, command
    perform "$1" "$2" >"$work/came"
    judged "$work/came" "$work/wanted"
}
# An order that comes too early says so, and is given again.
order() { # host, command
    perform "$1" "$2" >"$work/came"
    ! grep -q 'Try again in a moment' "$work/came"
}

do_step() { # page, host, command
    local ok=0
    missing=''
    if [ "$show" = 1 ]; then
        printf '%s# %s\n' "$2" "$3"
        perform "$2" "$3"
    elif looks "$3"; then
        await 30 once "$2" "$3" && ok=1
    else
        await 20 order "$2" "$3" && judged "$work/came" "$work/wanted" && ok=1
    fi
    [ "$show" = 0 ] || return 0
    [ "$ok" = 1 ] && { ok "$1: $2# $3"; return; }
    not_ok "$1: $2# $3"
    sed 's/^/#     /' "$work/came"
    say "this did not come: $missing"
}

# The page as lines: "try CODE", "run HOST COMMAND", "want LINE".
steps_of() { # file
    awk '
        /^<!-- try:/ { sub(/^<!-- try: */, ""); code = ""; trying = 1 }
        trying { end = sub(/ *-->$/, ""); code = code (code == "" ? "" : "; ") $0; if (end) { print "try " code; trying = 0 } next }
        /^ *[a-z][a-z0-9]*# / && /^    / { match($0, /^ */); depth = RLENGTH; line = substr($0, depth + 1); host = line; sub(/#.*/, "", host); sub(/^[^#]*# /, "", line); print "run " host " " line; open = 1; next }
        open && /^ *$/ { blank = 1; next }
        open { match($0, /^ */); if (RLENGTH < depth) { open = 0; next } print "want " substr($0, depth + 1); next }
    ' "$1"
}

try_page() { # page
    local kind rest host='' command=''
    [ "$show" = 0 ] || printf '\n==== %s\n' "$1"
    : >"$work/wanted"
    while read -r kind rest; do
        if [ "$kind" = want ]; then
            printf '%s\n' "$rest" >>"$work/wanted"
            continue
        fi
        [ -z "$command" ] || do_step "$1" "$host" "$command"
        command=''
        : >"$work/wanted"
        case $kind in
            try) eval "$rest" || not_ok "$1: $rest" ;;
            run) host=${rest%% *} command=${rest#* } ;;
        esac
    done < <(steps_of "$LIVE_ROOT/docs/runbooks/$1.md"; echo try :)
}

# As every page finds it.
at_rest() { # page
    must "$1: the cluster is whole" await 60 settled 2
    primary_is db1 || pgmesh_as db1 switchover --to db1 >/dev/null
    must "$1: db1 is its primary" await 30 eval 'primary_is db1 && settled 2'
}

live_begin runbooks
member db1 database fra
member db2 database ams priority=100
member db3 database ams priority=50
member wit1 witness lux
member wit2 witness lux
member app observer -
live_cluster
{
    sed '/^control/d' "$work/mesh/operator/pgmesh.conf" | sed "s|= *\([a-z]\)|= $work/mesh/operator/\1|"
    printf 'control = %s\n' "$(printf "$work/mesh/%s/state/control.sock, " db2 db3 db1 wit1 wit2 | sed 's/, $//')"
} >"$work/admin.conf"
for page in "${pages[@]}"; do
    at_rest "$page"
    try_page "$page"
    heal "${MEMBERS[@]}" 2>/dev/null || :
    for name in "${MEMBERS[@]}"; do [ -n "${PID[$name]:-}" ] || start "$name"; done
done
exit "$failed"
