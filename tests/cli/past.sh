# The past: what a member makes of its journal, and what people and programs are shown of it.
saved=$here/recorded
if [ ! -x "$witness" ]; then
    echo "ok cli/$name # SKIP there is no pgmesh-witness in ${PGMESH_BUILD:-build/default}"
    return
fi
# A witness of a cluster of the same layout, given the journal that db2 wrote when db1's host was lost.
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
specs=()
for spec in db1,database,fra db2,database,ams db3,database,ams wit1,witness,lux wit2,witness,lux app,observer,app; do
    specs+=(--member "$spec,$net.$((${#specs[@]} + 1)):7400")
done
"$pgmesh" init --open-root-key --cluster live --out live "${specs[@]}" --set realtime=off >/dev/null 2>&1
cp "$saved/journal" live/wit1/state/journal
"$witness" --config live/wit1/node.conf >wit1.log 2>&1 &
started+=($!)
conf=(--config live/wit1/node.conf)
verdict 'the witness answers' await "$pgmesh" members "${conf[@]}"

expect 'history' 0 '' history "${conf[@]}"
verdict 'a failover with what it cost' grep -Eq '^ +2 .*failover +db1 → db2 .*782 ms +none \(proven\)' <<<"$out"
run history "${conf[@]}" --output json
holds 'history as JSON' '.cluster == "live" and (.history[1] | .kind == "failover" and .outage_ms == 782 and .observer == "app" and .gap_bytes == 0 and .nothing_lost_proven and .ready_ms == 88)'
for width in 30 50 80; do
    longest=$(COLUMNS=$width "$pgmesh" history "${conf[@]}" | wc -L)
    verdict "history fits $width columns" [ "$longest" -le "$width" ]
done
expect 'why-not reads the same journal' 0 '' why-not --since 10000d "${conf[@]}" --output json
holds 'one was refused' '[.considered[].outcome] == ["refused"] and (.considered[0].text | startswith("2604 ms a takeover was considered, and refused"))'

# a planned switchover is told from a crash by what the primary said when it gave its term up
kill "${started[0]}"
wait "${started[0]}" 2>/dev/null
started=()
sed -n '/ decided 2 /{s/ event .*//;p;q}' "$saved/journal" >decided
{
    echo '2026-11-21T15:11:50.000000Z event 1 +released db1 gave up term 1: planned switchover'
    cat decided
} >live/wit1/state/journal
"$witness" --config live/wit1/node.conf >>wit1.log 2>&1 &
started+=($!)
verdict 'the witness answers again' await "$pgmesh" members "${conf[@]}"
run history "${conf[@]}" --output json
holds 'the reason is kept' '.history[1].reason == "planned switchover"'

# ---- the dossier of a recorded failover, verified offline
why=(why --from "$saved/why.json" --cluster-file "$saved/cluster")
expect 'why' 0 '' "${why[@]}"
verdict 'what it cost' grep -q 'no primary for 0.78 s, as app saw it · no acknowledged commit lost' <<<"$out"
verdict 'how long each phase took' grep -q 'seal 0.019 | decide 0.006 | promote 0.088 | first follower 0.204' <<<"$out"
verdict 'why not the other' grep -q '^  not      db3' <<<"$out"
run "${why[@]}" --output json
holds 'measured' '.valid and .measured.outage_ms == 782 and .measured.nothing_lost_proven and .measured.phases.promote_ms == 88'
expect 'an incident report' 0 '' "${why[@]}" --report
verdict 'with real RTO and RPO' [ "$(grep -c '^| Real R[TP]O | .*\(0.78 s without a primary, as app saw it\|proven by the seals\)' <<<"$out")" = 2 ]
verdict 'every table row is whole' [ -z "$(grep '^|' <<<"$out" | sed 's/\\|//g' | grep -v '|$')" ]
expect "another cluster's file does not verify it" 1 '' why --from "$saved/why.json" --cluster-file live/wit1/cluster
verdict 'and that is said' grep -q 'NOT VALID' <<<"$out"
expect 'a dossier needs a cluster file' 2 'no cluster file is named' why --from "$saved/why.json"
