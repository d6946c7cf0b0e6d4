#!/usr/bin/env bash
# LIMIT: 240
# Keys are rotated under writes: every member's, the primary's first, without a failover; a former key lets nobody in, also after a
# restart of everybody; then the root key, with one member away: it follows the chain, and the former root key is worth nothing.
. "$(dirname "$0")/lib.sh"
live_begin keys
three_databases
live_cluster
writer_start || not_ok 'the writer writes'
must 'the cluster has settled' await 30 settled 2

p=$(primary) before=$(term)
secret=$work/mesh/root.key
rotate() { # name, options: on the member's own host
    pgmesh_as "$1" member rotate "$1" "${@:2}" >"$work/log/rotate-$1.txt" 2>&1 || { cat "$work/log/rotate-$1.txt"; return 1; }
}
same_term() { [ "$(term)" = "$before" ]; }

# The root key under a passphrase: without it nothing is signed.
printf 'correct horse battery\n' >"$work/passphrase"
printf 'wrong horse battery\n' >"$work/wrong"
chmod 600 "$work/passphrase" "$work/wrong"
must 'the root key gets a passphrase' "$LIVE_BIN/pgmesh" root passphrase --root-key "$secret" --new-passphrase-file "$work/passphrase"
expect 'a wrong passphrase opens nothing' not rotate "$p" --root-key "$secret" --passphrase-file "$work/wrong"
expect 'nothing has changed' same_term
open=(--root-key "$secret" --passphrase-file "$work/passphrase")

cp -a "$work/mesh/wit2" "$work/wit2-before"
writes=$(clock) begun=$(clock)
must 'the primary gets a new key' rotate "$p" "${open[@]}"
expect 'nobody else became primary' primary_is "$p"
expect 'the term is the same' same_term
expect 'writes flow' await 10 acks_after "${WRITER_LOGS[0]}" "$writes"
for name in "${MEMBERS[@]}"; do
    [ "$name" != "$p" ] && [ "$name" != wit2 ] || continue
    must "$name gets a new key" rotate "$name" "${open[@]}"
done
# The root key is elsewhere: what the member asks for travels by a file.
must 'wit2 writes what it asks for' "$LIVE_BIN/pgmesh" member rotate wit2 --request "$work/wit2.request" --control "$work/mesh/wit2/state/control.sock"
must 'it is signed elsewhere' pgmesh_as db1 member rotate wit2 --sign "$work/wit2.request" "${open[@]}"
expect 'it is not signed twice' not pgmesh_as db1 member rotate wit2 --sign "$work/wit2.request" "${open[@]}"
expect 'the term is the same after all of them' same_term
expect 'nobody has doubted the primary' not grep -qE '[+]verdict|frozen' "$work"/log/{db1,db2,db3,wit1,wit2}.log
writes=$(clock)
expect 'writes still flow' await 10 acks_after "${WRITER_LOGS[0]}" "$writes"
# What the writer saw of it all: the longest time between two acknowledged rows.
say "outage as the writer saw it over all rotations: $(outage "$begun" "$(clock)")"

# A thief with the former key and folder of a witness.
stop wit2
mv "$work/mesh/wit2" "$work/wit2-now"
cp -a "$work/wit2-before" "$work/mesh/wit2"
counted() { status "$p" | jq '.counters.refused_key // 0'; }
known=$(counted)
# It knows where the others are and which keys they have now, by their roster; of itself it knows the former key only.
id=$(status "$p" | jq '.members[] | select(.name == "wit2") | .id')
grep -vE "^[0-9]+ [0-9a-f]+ (member|retire) $id " "$work/mesh/$p/state/roster" >"$work/mesh/wit2/state/roster"
start wit2
refused() { [ "$(counted)" -gt "$known" ]; }
expect 'a former key is refused' await 30 refused
silent() { status "$p" | jq -e '.members[] | select(.name == "wit2") | .state != "up"' >/dev/null; }
must 'its thief is not heard' await 10 silent # and stays so:
expect 'however often it knocks' never 3 not silent
crash wit2
rm -rf "$work/mesh/wit2"
mv "$work/wit2-now" "$work/mesh/wit2"
start wit2
hears() { status "$p" | jq -e --arg n "$1" '.members[] | select(.name == $n) | .state == "up"' >/dev/null 2>&1; }
must 'its owner is' await 20 hears wit2

# The root key, with wit1 away.
stop wit1
must 'the root key is rotated' pgmesh_as "$p" root rotate "${open[@]}" --new "$work/root2.key" --new-passphrase-file "$work/passphrase"
expect 'the former one signs nothing any more' not pgmesh_as "$p" member renew db1 --days 90 "${open[@]}"
open=(--root-key "$work/root2.key" --passphrase-file "$work/passphrase")
must 'the new one does' pgmesh_as "$p" member renew db1 --days 90 "${open[@]}"
start wit1
must 'who was away follows' await 20 hears wit1
chain() { grep -q ' root ' "$work/mesh/wit1/state/roster" && cmp -s <(sort "$work/mesh/wit1/state/roster") <(sort "$work/mesh/$p/state/roster"); }
must 'it has the chain' await 20 chain
must 'it gets a new key by the new root' rotate wit1 "${open[@]}"
expect 'the term is the same after that, too' same_term

# Everybody stops and starts.
crash "${MEMBERS[@]}"
start_all
must 'all come back with their new keys' await 60 whole 2
all_up() { status "$(primary)" | jq -e '[.members[] | select(.role != "operator") | .state == "up"] | all' >/dev/null 2>&1; }
expect 'all are heard' await 20 all_up
secrets() { ! grep -lE "$(for f in "$work"/mesh/*/state/member.key "$work"/mesh/*/member.key; do cat "$f"; done | paste -sd'|')" "$work"/log/* "$work"/mesh/*/state/journal "$work"/mesh/*/state/roster 2>/dev/null | grep -q .; }
expect 'no secret key is in a log, a journal or a roster' secrets
# A certificate that members have signed with keys of which the cluster file knows nothing: verified anywhere, by file and roster.
to=$(other_than "$(primary)")
handed_over() { primary_is "$to" || { pgmesh_as app switchover --to "$to" >"$work/log/switchover.txt" 2>&1 && await 10 primary_is "$to"; }; }
must 'a term is decided with the new keys' await 30 handed_over
offline() { "$LIVE_BIN/pgmesh" why --cluster-file "$work/mesh/db1/cluster" "$@" >"$work/log/offline.txt" 2>&1; }
told() { pgmesh_as "$to" why --output json >"$work/why.json" && jq -e .valid "$work/why.json" >/dev/null; }
must 'a member tells it' await 10 told
expect 'the document is enough, beside the cluster file' offline --from "$work/why.json"
jq 'del(.roster)' "$work/why.json" >"$work/bare.json"
expect 'without the roster it is not' not offline --from "$work/bare.json"
expect 'the roster may come as a file' offline --from "$work/bare.json" --roster "$work/mesh/$to/state/roster"
jq -r .certificate "$work/why.json" >"$work/certificate"
expect 'and the certificate alone' offline --certificate "$work/certificate" --roster "$work/mesh/$to/state/roster"
tamper() { sed "s/^\(.\{$1\}\)./\1$2/" "$work/certificate"; } # place, digit in its place
altered() { # one digit at a time: none holds; but who was primary before, in the second fifth, is under no signature
    local at digit size
    size=$(($(wc -c <"$work/certificate") - 1))
    for at in $(seq 0 $((size / 60 + 1)) $((size / 5))) $(seq $((size * 2 / 5)) $((size / 60 + 1)) $((size - 1))); do
        digit=$(cut -c $((at + 1)) "$work/certificate" | tr 0-9a-f 1-9a-f0)
        tamper "$at" "$digit" >"$work/altered"
        ! offline --certificate "$work/altered" --roster "$work/mesh/$to/state/roster" || { say "digit $at may be altered"; return 1; }
    done
}
expect 'altered it holds no more' altered
sed '3s/./&0/20' "$work/mesh/$to/state/roster" >"$work/roster"
expect 'nor by a roster that was altered' not offline --certificate "$work/certificate" --roster "$work/roster"

writes=$(clock)
expect 'writes flow in the end' await 20 acks_after "${WRITER_LOGS[0]}" "$writes"
prove
