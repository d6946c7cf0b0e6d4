#!/usr/bin/env bash
# The most telling faults of tests/live/faults.txt, each alone, with an oracle after each; `make live` does them all.
# LIMIT: 300
exec "$(dirname "$0")/chaos.sh" --each --faults \
    host-crash,cable-cut,mesh-cut,watchers-stop,postmaster-kill,walreceiver-stop-crash,data-stall,state-stall,vote-older,clock-1970,switchover-mid-crash
