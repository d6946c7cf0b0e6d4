#!/usr/bin/env bash
# Everything is killed at once and started again: the same data, a primary without a hand, nothing lost.
. "$(dirname "$0")/lib.sh"
live_begin restart_all
three_databases
live_cluster
writer_start
crash "${MEMBERS[@]}"
start_all
must 'after all hosts were killed a primary serves' await 60 whole 2
expect 'writes go on' await 10 writes_flow

stop app wit1 wit2 db1 db2 db3 || not_ok 'every member stops in order within its time'
start_all
must 'after an orderly stop of all a primary serves' await 60 whole 2
expect 'writes go on again' await 10 writes_flow
prove
