#!/usr/bin/env bash
# The checker itself: what is planted into its logs and tables must be reported, and nothing else. Needs no server.
set -euo pipefail
cd "$(dirname "$0")/../.."
checker=${PGMESH_BUILD:-build/default}/live/checker
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# One primary, then another: 1 to 3 on db1 (timeline 1), 4 and 5 on db2 (timeline 2); 6 went to db1 without an answer.
sound_log() {
    cat <<'LOG'
start 1000
note db1 1001 writable
sent 1 db1 2000
ack 1 db1 1 2000 2500
sent 2 db1 3000
ack 2 db1 1 3000 3500
sent 3 db1 4000
sent 6 db1 4600
lost 6 db1 9000 no answer in time
sent 4 db2 8000
ack 4 db2 2 8000 8500
ack 3 db1 1 4000 8600
sent 5 db2 9000
ack 5 db2 2 9000 9500
end 20000
LOG
}
sound_rows() { printf '%s\n' '1 db1 1' '2 db1 1' '3 db1 1' '4 db2 2' '5 db2 2'; }

try() { # name, expected exit status, expected text, options...
    local name=$1 status=$2 text=$3 got=0 said
    shift 3
    said=$("$checker" check "$@" --rows "$work/rows" "$work/log") || got=$?
    if [ "$got" -eq "$status" ] && grep -q -- "$text" <<<"$said"; then
        printf 'ok checker: %s\n' "$name"
    else
        printf 'not ok checker: %s\n' "$name"
        printf '  exit status %s, wanted %s and "%s":\n%s\n' "$got" "$status" "$text" "$said"
        failed=1
    fi
}
plant() { # sed script for the log, sed script for the rows
    sound_log | sed -e "$1" >"$work/log"
    sound_rows | sed -e "$2" >"$work/rows"
}

plant '' ''
try 'a sound run passes; a late acknowledgement is no second primary' 0 '5 rows acknowledged: 0 missing'
plant '' '$a 6 db1 1'
try 'a row of unknown outcome may be there' 0 ' 0 strangers'
plant '' '2d'
try 'a planted loss is reported' 1 'missing: row 2, acknowledged by db1'
plant '' '2d'
try 'a loss is counted and allowed in async' 0 '1 missing (allowed)' --allow-loss
plant '/end/i sent 7 db1 9600\nack 7 db1 1 9600 9900' '$a 7 db1 1'
try 'a planted double primary is reported' 1 'two primaries: db1 (timeline 1) acknowledged a row sent'
plant '/end/i sent 7 db1 9600\nack 7 db1 2 9600 9900' '$a 7 db1 2'
try 'two servers on one timeline are reported' 1 'both acknowledged on timeline 2'
plant '' '$a 99 db1 1'
try 'a row nobody sent is reported' 1 'stranger: nobody sent row 99'
plant '' '$a 4 db2 2'
try 'a row that is there twice is reported' 1 'twice: row 4'
plant '' 's/4 db2 2/4 db3 2/'
try 'a row with other contents is reported' 1 'changed: row 4'
plant '/end/d' ''
try 'a log that breaks off is reported' 1 'does not end in order'
try 'a log of a writer that still runs need not end' 0 ' 0 missing' --running
plant '/ack 2/a read 1 db1 3600 3700 2' ''
try 'a read that shows what is known passes' 0 '1 reads: 0 backwards'
plant '/ack 2/a read 1 db1 3400 3700 1' ''
try 'a read that was sent before the acknowledgement came need not show the row' 0 ' 0 backwards'
plant '/end/i read 1 db1 9600 9700 4' ''
try 'a planted read that misses an acknowledged row is reported' 1 'backwards: db1 answered .* row 4 is the last, though row 5'
plant '/end/i read 1 db2 9600 9700 6\nread 1 db1 9800 9900 5' ''
try 'a planted read that misses what an earlier one showed is reported' 1 'row 5 is the last, though row 6'
plant '/end/i read 1 db1 9600 9700 4' ''
try 'a read of a server whose watchers were stopped is excused' 0 ' 0 backwards' --excuse db1:9000:10000
try 'another server is not excused by that' 1 '1 backwards' --excuse db2:9000:10000
try 'nor is another time' 1 '1 backwards' --excuse db1:1000:9500
plant '/end/i read 200000001 db2 9600 9700 0' ''
try "another writer's rows are none of this one's" 0 ' 0 backwards'

# The same through a pooler: the log names the server behind it.
pooled_log() { sound_log; printf '%s\n' 'start 1000' 'sent 100000001 pool 2100' 'ack 100000001 pool 1 2100 2600 db1' \
    'read 100000001 pool 2700 2800 100000001 db1' 'sent 100000002 pool 8100' 'ack 100000002 pool 2 8100 8600 db2' 'end 20000'; }
pooled_rows() { sound_rows; printf '%s\n' '100000001 pool 1' '100000002 pool 2'; }
plant_pooled() { pooled_log | sed -e "$1" >"$work/log"; pooled_rows | sed -e "$2" >"$work/rows"; }
plant_pooled '' ''
try 'a sound run through the pooler passes beside one without it' 0 '7 rows acknowledged: 0 missing.* 1 reads: 0 backwards'
plant_pooled '' '/100000001/d'
try 'a planted loss through the pooler is reported' 1 'missing: row 100000001, acknowledged by db1'
plant_pooled '$i sent 100000003 pool 9600\nack 100000003 pool 1 9600 9900 db1' '$a 100000003 pool 1'
try 'a planted double primary behind the pooler is reported' 1 'two primaries: db1 (timeline 1) acknowledged a row sent'
plant_pooled 's/2 8100 8600 db2/2 8100 8600 db3/' ''
try 'two servers on one timeline, one of them behind the pooler, are reported' 1 'db3 both acknowledged on timeline 2'
plant_pooled '$i read 100000001 pool 9600 9700 100000001 db1' ''
try 'a planted read through the pooler that goes backwards is reported' 1 'backwards: db1 answered .* row 100000001 is the last'
try 'it is excused by the server behind the pooler' 0 ' 0 backwards' --excuse db1:9000:10000
plant_pooled '' '$a 100000009 pool 2'
try 'a row nobody sent through the pooler is reported' 1 'stranger: nobody sent row 100000009'

plant '/ack/d' ''
try 'a log without acknowledgements proves nothing' 1 'nothing is proved'

plant '' ''
gap=$("$checker" outage 4000 9000 "$work/log")
if [ "$gap" = '5.0 3500 8500 db1 db2' ]; then echo 'ok checker: the outage is the longest silence'; else
    printf 'not ok checker: the outage is the longest silence\n  %s\n' "$gap"; failed=1; fi
exit "$failed"
