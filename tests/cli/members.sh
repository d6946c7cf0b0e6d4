# Against real witnesses on the loopback: what can be seen and done without a database.
if [ ! -x "$witness" ]; then
    echo "ok cli/$name # SKIP there is no pgmesh-witness in ${PGMESH_BUILD:-build/default}"
    return
fi
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
cluster() { # folder
    "$pgmesh" init --open-root-key --cluster orders --out "$1" --member "db1,database,fra,$net.1:7400" --member "wit1,witness,lux,$net.2:7400" \
        --member "wit2,witness,ams,$net.3:7400" --set realtime=off >/dev/null 2>&1
}
cluster orders
cluster other
for i in 1 2; do
    "$witness" --config orders/wit$i/node.conf >wit$i.log 2>&1 &
    started+=($!)
done
sees() { "$pgmesh" members --config orders/wit1/node.conf --output json | jq -e '[.members[] | select(.state == "up")] | length == 2'; }
verdict 'two witnesses hear each other' await sees

conf=(--config orders/wit1/node.conf)
operator=(--config orders/operator/pgmesh.conf)
state_is() { # mode, level, piece of the fact
    chmod "$1" orders/wit1/state
    run doctor "${conf[@]}" --output json
    holds "doctor: state folder with mode $1" "[.checks[] | select(.area == \"files\" and (.fact | test(\"state folder\")))] | length == 1 and .[0].level == \"$2\" and (.[0].fact | test(\"$3\"))"
}
state_is 700 good 'alone$'
state_is 755 good 'alone to change'
state_is 775 bad 'changed by others'
chmod 700 orders/wit1/state
expect 'status: no primary serves' 4 '' status "${conf[@]}"
verdict 'the headline says so' grep -q '^cluster orders · term 1 · primary db1 (fra).*NOT SERVING' <<<"$out"
expect 'status as JSON' 4 '' status "${conf[@]}" --output json
holds 'cluster, term, primary' '.cluster == "orders" and .term == 1 and .primary == "db1" and .healthy == false'
holds 'members' '.members | length == 3 and all(has("id") and has("name") and has("role") and has("site") and has("state") and has("vote"))'
holds 'what if' '.if_primary_died.takes_over == null and (.if_primary_died.blocked | length > 0)'
for width in 30 50 70 100 140; do
    longest=$(COLUMNS=$width "$pgmesh" status "${conf[@]}" | wc -L)
    verdict "status fits $width columns" [ "$longest" -le "$width" ]
done
verdict 'without UTF-8, ASCII' [ -z "$(LC_ALL=C "$pgmesh" status "${conf[@]}" | LC_ALL=C grep -P '[^\x00-\x7F]')" ]
expect 'members' 0 '' members "${conf[@]}"
verdict 'addresses are shown' grep -q "$net.3:7400" <<<"$out"
expect 'the operator finds a member that lives' 4 '' status "${operator[@]}"

expect 'why: nothing failed over yet' 1 'no failover' why "${conf[@]}"
expect 'why 1' 0 '' why 1 "${conf[@]}"
verdict 'the root stands for it' grep -q "signed by the cluster's root key" <<<"$out"
expect 'why 1 as JSON' 0 '' why 1 "${conf[@]}" --output json
holds 'it is valid' '.valid and .kind == "first" and .term == 1 and .primary == "db1"'
expect 'why of a term to come' 1 'does not hold that term' why 9 "${conf[@]}"
expect 'history' 0 '' history "${conf[@]}" --output json
holds 'begins with the first term' '.history[0].term == 1'

expect 'pause needs a primary' 4 'cannot pause' pause "${operator[@]}"
expect 'a command needs a key' 5 "no operator's key" pause "${conf[@]}"
expect 'an unknown target' 6 'has no member "db9"' switchover --to db9 "${operator[@]}"
expect 'an ambiguous name' 6 'it could be wit1 or wit2' readmit wit "${operator[@]}"
expect 'a witness is no target' 6 '"wit1" is no database' switchover --to wit1 "${operator[@]}"
expect 'another cluster is not meant' 7 'this is cluster orders, not shop' failover --to db1 --allow-data-loss --cluster shop --term 1 "${operator[@]}"
expect 'another term is not meant' 8 'the term is 1, not 7' failover --to db1 --allow-data-loss --cluster orders --term 7 "${operator[@]}"

printf 'control = %s\nkey = %s\ncluster_file = %s\n' "$PWD/orders/wit1/state/control.sock" "$PWD/other/operator/operator.key" "$PWD/other/cluster" >foreign.conf
sed -i "s,^cluster_file.*,cluster_file = $PWD/other/operator/cluster," foreign.conf
expect "a namesake's key" 7 'belongs to another cluster' pause --config foreign.conf
sed -i "s,^cluster_file.*,cluster_file = $PWD/orders/operator/cluster," foreign.conf
expect 'a key that is no operator of it' 5 'is the key of no operator' pause --config foreign.conf

expect 'where: no primary serves' 4 'no primary serves' where "${conf[@]}"
verdict 'nothing on standard output then' [ -z "$out" ]
expect 'where: no replica' 4 'no replica for readers' where --role replica "${conf[@]}"
expect 'where: as JSON' 4 'no primary serves' where --format json "${conf[@]}"
expect 'where: no such role' 2 '"leader" is no role' where --role leader "${conf[@]}"
expect 'where: no such format' 2 '"xml" is no format' where --format xml "${conf[@]}"
expect 'where: all replicas' 2 'exclude each other' where --all --role replica "${conf[@]}"
