# One witness process for several clusters: what is wrong with one of them costs the others nothing.
if [ ! -x "$witness" ]; then
    echo "ok cli/$name # SKIP there is no pgmesh-witness in ${PGMESH_BUILD:-build/default}"
    return
fi
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
for i in 1 2 3; do
    "$pgmesh" init --open-root-key --cluster "c$i" --out "c$i" --member "db1,database,fra,$net.1:740$i" --member "db2,database,ams,$net.2:740$i,data=/d" \
        --member "wit1,witness,lux,$net.3:740$i" --set realtime=off >/dev/null 2>&1
done
echo 'leese = 1s' >>c2/wit1/node.conf
# As a later version would have written it: another format, and a checksum that is right.
store=c3/wit1/state/store
{ printf 'pgmesh store 2\0\0'; tail -c +17 "$store" | head -c 16; } >head
tail -c +65 "$store" >payload
hash=$(cat head payload | b2sum -l 256 | cut -c 1-64)
{ cat head; printf "$(sed 's/../\\x&/g' <<<"$hash")"; cat payload; } >"$store"
cp "$store" newer

"$witness" --config c3/wit1/node.conf >alone.log 2>&1
verdict 'a store of a later format: the member does not start' [ $? = 1 ]
verdict 'it is said, with a hint' grep -q 'later format.*' alone.log
verdict 'and what to do' grep -q 'Install that version again' alone.log
"$witness" --check --config c1/wit1/node.conf --config c2/wit1/node.conf >check.log 2>&1
verdict 'a check of several fails by one' [ $? = 1 ]
verdict 'and names it' grep -q 'leese' check.log
"$witness" --config c1/wit1/node.conf --config c2/wit1/node.conf --config c3/wit1/node.conf >wit.log 2>&1 &
started+=($!)
verdict 'the good one is served' await "$pgmesh" members --config c1/wit1/node.conf
verdict 'the bad configuration is told of' grep -q 'unknown option "leese"' wit.log
verdict 'and the store' await grep -q 'later format' wit.log
verdict 'which is left as it was' cmp -s "$store" newer
