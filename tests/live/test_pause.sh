#!/usr/bin/env bash
# Paused: nobody takes over by itself, everybody says so; an operator's failover or a resume ends it.
. "$(dirname "$0")/lib.sh"
live_begin pause
three_databases
live_cluster
writer_start
was=$(primary)
must 'pause is accepted' pgmesh_as app pause --reason 'works on the network'
shown() { status "$1" | jq -e '.paused and (.paused_why | test("works on the network"))' >/dev/null; }
for name in db1 db2 db3 wit1 wit2 app; do expect "$name shows the pause and its reason" await 5 shown "$name"; done
crash "$was"
expect 'nobody takes over while paused' never 4 primary_is_not "$was"
to=$(other_than "$was")
must "an operator's failover to $to is done all the same" pgmesh_as app failover --to "$to"
must "$to is the primary" await 20 primary_is "$to"
start "$was"
must 'the former primary comes back' await 60 whole 2
must 'resume is accepted' pgmesh_as app resume
expect 'no member shows a pause' await 5 not shown app
crash "$(primary)"
must 'after resume a failover happens by itself' await 20 primary_is_not "$to"
start "$to"
must 'and the lost one comes back' await 60 whole 2
prove
