#!/usr/bin/env bash
# The postmaster dies on a living host: its orphans acknowledge nothing, and somebody serves again.
. "$(dirname "$0")/lib.sh"
live_begin postmaster
three_databases
live_cluster
writer_start

for round in 1 2; do
    was=$(primary) before=$(term)
    must "round $round: the postmaster of $was is killed" kill_postmaster "$was"
    later() { [ "$(term)" -gt "$before" ] && [ -n "$(primary)" ]; }
    must "round $round: a primary of a later term serves" await 20 later
    expect "round $round: writes go on" await 10 writes_flow
    must "round $round: all databases are in place again" await 60 whole 2
done
prove
