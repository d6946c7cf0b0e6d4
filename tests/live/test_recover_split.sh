#!/usr/bin/env bash
# The operator was wrong: two of three voters are not dead but cut off, and go on writing. The third is made a cluster of its
# own, accepting the loss. When they meet, the re-formed side goes on; the other primary stops at once, says so loudly, and
# what it wrote alone is put aside.
. "$(dirname "$0")/lib.sh"
live_begin recover_split
member db1 database fra
member db2 database fra
member db3 database ams
live_cluster
must 'the cluster has settled' await 30 settled 2
must 'the primary is where most voters are' eval '[ "$(primary)" != db3 ] || pgmesh_as db1 switchover --to db1'
old=$(primary)
recover() { # log, options
    local log=$work/log/recover-$1.txt
    shift
    pgmesh_as db3 recover --root-key "$work/mesh/root.key" "$@" >"$log" 2>&1
}
says() { grep -qF -- "$2" "$work/log/recover-$1.txt"; }
cut_site ams
must 'it is seen that two are silent' await 20 eval 'recover dry --dry-run && says dry "Certainly dead must be: db1,db2"'
expect 'that commits may be lost is said' says dry 'acknowledged commits may be missing'
expect 'and refused' not recover loss --confirm live --fenced db1,db2
sql "$old" "SET ROLE app; INSERT INTO ledger VALUES (-1, '$old', 'alone')" app || not_ok 'the others go on'
must 'accepted, the loss is taken' recover done --confirm live --fenced db1,db2 --allow-data-loss
serves() { sql "$1" "SET ROLE app; INSERT INTO ledger VALUES (-2, '$1', 're-formed')" app 2>/dev/null; }
must 'the third serves' await 20 serves db3
expect 'so does the other side: two primaries, by the operator'"'"'s hand' serves "$old"

uncut_site ams
must 'they meet: the primary of old follows' await 60 is_standby "$old"
must 'the other standby follows' await 60 whole 2
expect 'the re-formed side goes on' primary_is db3
told() { grep -q '+split-found' "$work/mesh/$1/state/journal"; }
expect 'the split is told' told "$old"
aside() { find "$work/$old" "$work/mesh/$old/state" -name '*diverged*' 2>/dev/null | grep -q .; }
expect 'what it wrote alone is put aside' aside
alone() { [ "$(sql "$1" 'SELECT count(*) FROM ledger WHERE id = -1' app)" = 0 ]; }
expect 'and is in no database' await 20 alone "$old"
expect 'every database holds the same rows' await 30 same_everywhere
