#!/usr/bin/env bash
# One witness process votes for many clusters: each of their primaries gets its lease from it and keeps it. Real cores in one
# process (tests/bench/herd.c), no PostgreSQL.
. "$(dirname "$0")/lib.sh"
live_begin herd
cd "$LIVE_ROOT"
clusters=24
must 'the herd is built (make bench-build)' [ -x "$LIVE_BIN/bench/herd" ]
PGMESH_BUILD=$LIVE_BIN WITNESS_SECONDS=3 WITNESS_SETTLE=1 tests/bench/witness.sh "$clusters" >"$work/log/herd.json" 2>"$work/log/herd.log" || :
counted() { jq -e "$1" "$work/log/herd.json" >/dev/null 2>&1; }
expect "$clusters primaries serve by its vote" counted ".serving == $clusters"
expect 'and are answered all the time' counted ".grant_us.n > 10 * $clusters"
