#!/usr/bin/env bash
# An isolated primary stops acknowledging; a one-way cut that the mesh can go around costs nothing.
. "$(dirname "$0")/lib.sh"
live_begin partition
three_databases
live_cluster
writer_start
was=$(primary) before=$(term)

# A second client beside the primary: it is not cut off from it.
writer_start "$was" || :
unplug "$was"
cut_us=$(clock)
must "the majority elects another" await 20 primary_is_not "$was"
promoted_us=$(awk '$1 == "ack" && $3 != was && !t { t = $6 } END { print t }' was="$was" "${WRITER_LOGS[0]}")
await 10 writes_flow || :
silent() { ! awk '$1 == "ack" && $5 > t { found = 1 } END { exit !found }' t="$cut_us" "${WRITER_LOGS[1]}"; }
expect "under sync $was acknowledges no row sent after the cut, not even to a client beside it" silent
fenced() { [ -z "$(sql "$was" 'SELECT 1' 2>/dev/null & p=$!; for _ in 1 2 3 4 5 6 7 8 9 10; do kill -0 $p 2>/dev/null || break; sleep 0.05; done; kill $p 2>/dev/null)" ]; }
expect "$was is fenced: PostgreSQL does not even answer" fenced
alone() { [ "$(field "$was" '[.verdict, .verdict_rule] | join(" ")')" = 'unknown lease-not-held' ]; }
expect "$was itself does not call its primary alive" await 5 alone
heal "$was"
must "$was comes back as a standby" await 60 whole 2
say "cut at 0, first acknowledgement of the next one after $(((${promoted_us:-0} - cut_us) / 1000)) ms"

# One way: the primary no longer hears a voter (and the voter hears the primary). Others relay.
was=$(primary) before=$(term)
standby=$(other_than "$was")
for peer in wit1 wit2; do deafen "$was" "$peer"; done
expect "$was deaf to both witnesses: no failover" never 5 primary_is_not "$was"
expect 'writes flow' writes_flow
heal "$was"
deafen "$standby" "$was"
deafen wit1 "$was"
expect "$standby and wit1 deaf to $was: no failover" never 5 primary_is_not "$was"
expect 'writes flow still' await 10 writes_flow
expect 'the term stayed' [ "$(term)" -eq "$before" ]
heal "$standby" wit1
must 'all is whole after healing' await 60 whole 2

# Both witnesses lost: the databases alone are a quorum.
unplug wit1
unplug wit2
expect 'without any witness: no failover' never 3 primary_is_not "$was"
expect 'without any witness: writes flow' await 5 writes_flow
heal wit1 wit2
expect 'the term stayed all along' [ "$(term)" -eq "$before" ]
prove
