#!/usr/bin/env bash
# Every event that is told has its place in a manual, since people and rules wait for its name.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
told=$(grep -rhoE '(event_say|log_event|log_problem)\([^"]*"[+-]?[a-z][a-z_-]*"' mesh node witness --include=*.c | grep -oE '"[^"]*"' | tr -d '"' | sort -u)
status=0
[ "$(wc -l <<<"$told")" -gt 40 ] || { echo 'not ok events: hardly any was found'; status=1; }
while read -r event; do
    if grep -qFr --include=*.md -- "\`$event\`" docs; then
        echo "ok event $event is explained"
    else
        echo "not ok event $event is explained nowhere in docs/"
        status=1
    fi
done <<<"$told"
exit "$status"
