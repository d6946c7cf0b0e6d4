#!/usr/bin/env bash
# The primary's host goes: first its cable, then every process on it.
. "$(dirname "$0")/lib.sh"
live_begin host_loss
three_databases
live_cluster
writer_start

first=$(primary) before=$(term)
unplug "$first"
must "with $first unplugged another takes over" await 20 primary_is_not "$first"
expect 'the term rose by one' [ "$(term)" -eq $((before + 1)) ]
expect 'writes go on' await 10 writes_flow
heal "$first"
must "$first comes back as a standby" await 60 whole 2

second=$(primary) before=$(term)
crash "$second"
must "with everything on $second killed another takes over" await 20 primary_is_not "$second"
expect 'the term rose by one again' [ "$(term)" -eq $((before + 1)) ]
expect 'writes go on again' await 10 writes_flow
start "$second"
must "$second comes back as a standby" await 60 whole 2
prove
