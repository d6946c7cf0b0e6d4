#!/usr/bin/env bash
# A former primary with WAL that nobody else has becomes a healthy standby without a hand; that WAL is put aside.
. "$(dirname "$0")/lib.sh"
live_begin rejoin
three_databases
live_cluster
writer_start

was=$(primary)
others=$(for n in db1 db2 db3; do [ "$n" = "$was" ] || echo "$n"; done)
# It writes what it cannot have confirmed: cut off first, then a large row that no standby gets.
unplug "$was"
sql "$was" "BEGIN; CREATE TABLE diverged AS SELECT repeat('x', 1000) FROM generate_series(1, 2000); SET LOCAL synchronous_commit = local; COMMIT" \
    >/dev/null 2>&1 || say "the isolated primary refused the write (it was frozen already)"
must 'another takes over' await 20 primary_is_not "$was"
new=$(primary)
heal "$was"
must "$was is a standby again" await 60 is_standby "$was"
must 'all databases are in place' await 60 whole 2
gone() { [ "$(sql "$1" "SELECT count(*) FROM pg_class WHERE relname = 'diverged'")" = 0 ]; }
for name in $was $others; do expect "what diverged is not on $name" await 10 gone "$name"; done
kept() { find "$work/$was" "$work/mesh/$was/state" -type f -path '*diverged*' -name '0*' 2>/dev/null | grep -q .; }
expect 'the diverged WAL was put aside' kept
expect "$new stayed primary" primary_is "$new"
prove
