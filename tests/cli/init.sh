# pgmesh init: unattended, complete or not at all.
three=(--open-root-key --member db1,database,fra,10.0.0.1:7400 --member db2,database,ams,10.0.0.2:7400 --member wit1,witness,lux,10.0.0.3:7400)

expect 'three members are made' 0 '' init --cluster orders --out orders "${three[@]}"
verdict 'it says where' [ -n "$(grep -F 'cluster orders made in "orders"' <<<"$out")" ]
verdict 'nothing is left beside it' [ "$(ls)" = $'err.txt\norders' ]
expect 'the daemons would accept it' 0 '' config check orders/db1/node.conf orders/db2/node.conf orders/wit1/node.conf
before=$(find orders -type f -exec md5sum {} + | sort)
expect 'a second init refuses' 1 'exists and is not empty' init --cluster orders --out orders "${three[@]}"
verdict 'with DETAIL and HINT' grep -q 'DETAIL:.*HINT:' <<<"${err//$'\n'/ }"
verdict 'and changes nothing' [ "$before" = "$(find orders -type f -exec md5sum {} + | sort)" ]

expect 'JSON' 0 '' init --cluster orders --out json "${three[@]}" --output json
holds 'JSON tells the members' '.members | length == 3 and .[0].name == "db1" and .[0].role == "database" and .[0].votes'
holds 'JSON tells cluster and primary' '.cluster == "orders" and (.cluster_id | length == 32) and .primary == "db1" and .rule == "majority"'
verdict 'the id differs from that of the namesake' [ "$(jq -r .cluster_id <<<"$out")" != "$(sed -n 's/^record //p' orders/db1/cluster | cut -c1-32)" ]

printf '# ours\ndb1,database,fra,10.0.0.1:7400,pg_hba='\''host all all 10.0.0.0/8, x'\''\nwit1,witness,lux,10.0.0.3:7400\n' >members
expect 'members from a file' 0 '' init --cluster orders --out file --open-root-key --members members --member db2,database,ams,10.0.0.2:7400
verdict 'a quoted value keeps its comma' grep -q "^pg_hba = 'host all all 10.0.0.0/8, x'" file/db1/node.conf
expect 'options for everybody' 0 '' init --cluster orders --out set "${three[@]}" --set lease=800ms --set pg_port=6000 --durability strict --lease-max 5s
verdict 'a database has them' grep -q '^pg_port = 6000' set/db1/node.conf
verdict 'a witness has no options of databases' [ -z "$(grep '^pg_port' set/wit1/node.conf)" ]
expect 'adopting an existing database' 0 '' init --cluster orders --out adopt "${three[@]}" --bootstrap adopt --primary db2
verdict 'is written down' grep -q '^bootstrap = adopt' adopt/db2/node.conf

expect 'an even number of voters is noticed' 0 'NOTICE: an even number of voters' init --cluster o --out even --open-root-key --member db1,database,a,10.0.0.1:7400 --member db2,database,b,10.0.0.2:7400
expect 'one site is noticed' 0 'NOTICE: all voters are in one site' init --cluster o --out site --open-root-key --member db1,database,a,10.0.0.1:7400 --member db2,database,a,10.0.0.2:7400 --member w,witness,a,10.0.0.3:7400

expect 'no folder' 2 'no folder is named' init --cluster orders "${three[@]}"
expect 'no cluster name' 2 'the cluster has no name' init --out x "${three[@]}"
expect 'no members' 2 'the cluster has no database' init --cluster orders --out x
expect 'an unknown role' 2 'Perhaps "witness" was meant' init --cluster orders --out x --member w,witnes,fra,10.0.0.1:7400
expect 'an unknown option' 2 'Perhaps "--member" was meant' init --membre x
expect 'an option of node.conf that is none' 2 'unknown option "leese"' init --cluster orders --out x "${three[@]}" --set leese=3
expect 'a value that cannot be' 2 'DETAIL:' init --cluster orders --out x --member db1,database,fra,10.0.0.1:7400,lease=3d
expect 'a members file that is not there' 2 'nothing' init --cluster orders --out x --members nothing
expect 'a folder that cannot be made' 1 'cannot make the folder' init --cluster orders --out /proc/x "${three[@]}"
verdict 'nothing was made of the refused ones' [ ! -e x ]
expect 'complaints as JSON too' 2 'no folder is named' init --output json
holds 'with code and exit' '.error.code == "usage" and .error.exit == 2 and .error.message == "no folder is named"'

# The root key is closed unless that is refused; where nobody can be asked, that must be said.
closed=("${three[@]:1}")
printf 'correct horse battery\n' >phrase
printf 'correct horse battery\n' >open
printf 'quite another one\n' >second
chmod 600 phrase second
chmod 644 open
expect 'the root key stays open where that is said' 0 '' init --cluster orders --out said "${three[@]}" --output json
holds 'and JSON tells it' '.passphrase == false and .operator_passphrase == false'
verdict 'its file is the key' grep -qE '^[0-9a-f]{64}$' said/root.key
verdict 'and so is the operator'"'"'s' grep -qE '^[0-9a-f]{64}$' said/operator/operator.key
unasked() { setsid -w "$pgmesh" init --cluster orders --out unasked "${closed[@]}" >out.txt 2>err.txt </dev/null; }
unasked
code=$?
verdict 'no terminal and no passphrase: wrong usage' [ "$code" = 2 ]
verdict 'with a hint at both ways' grep -q 'HINT:.*--passphrase-file FILE.*--open-root-key' <(tr '\n' ' ' <err.txt)
verdict 'and nothing is made' [ ! -e unasked ]
expect 'a passphrase that others can read' 1 'can be read by' init --cluster orders --out closed "${closed[@]}" --passphrase-file open
expect 'both ways at once' 2 'exclude each other' init --cluster orders --out closed "${three[@]}" --passphrase-file phrase
verdict 'nothing was made of these' [ ! -e closed ]
expect 'a passphrase from a file' 0 '' init --cluster orders --out closed "${closed[@]}" --passphrase-file phrase --output json
holds 'JSON tells it' '.passphrase == true and .operator_passphrase == true'
verdict 'the root key is closed, and a secret all the same' [ "$(stat -c %a closed/root.key) $(cut -d' ' -f1 closed/root.key)" = '600 pgmesh-sealed-key' ]
expect 'the passphrase opens it' 0 '' root passphrase --root-key closed/root.key --passphrase-file phrase --no-passphrase
verdict 'so is the operator'"'"'s key' [ "$(stat -c %a closed/operator/operator.key) $(cut -d' ' -f1 closed/operator/operator.key)" = '600 pgmesh-sealed-key' ]
closed_key=closed/operator/operator.key
change() { timeout 20 setsid -w "$pgmesh" operator passphrase --key "$closed_key" "$@" >out.txt 2>err.txt </dev/null; }
change --no-passphrase
verdict 'without a terminal it is said what is missing' grep -q 'operator.key" is under a passphrase' err.txt
verdict 'and by which option' grep -q -- '--key-passphrase-file FILE' err.txt
expect 'another passphrase for it' 0 '' operator passphrase --key "$closed_key" --key-passphrase-file phrase --new-passphrase-file second --output json
holds 'and JSON tells it' '.passphrase'
change --key-passphrase-file phrase --no-passphrase
verdict 'the former one opens it no more' grep -q 'does not open' err.txt
expect 'and none' 0 '' operator passphrase --key "$closed_key" --key-passphrase-file second --no-passphrase
verdict 'it is a key as it was' grep -qE '^[0-9a-f]{64}$' "$closed_key"
expect 'a passphrase for what key?' 2 'no key is named' operator passphrase --no-passphrase
expect 'the operator'"'"'s key stays open where that is said' 0 '' init --cluster orders --out half "${closed[@]}" --passphrase-file phrase --open-operator-key --output json
holds 'and the root key does not' '.passphrase and (.operator_passphrase | not)'
verdict 'as their files show' [ "$(cut -c-17 half/root.key) $(grep -cE '^[0-9a-f]{64}$' half/operator/operator.key)" = 'pgmesh-sealed-key 1' ]
expect 'a passphrase from a descriptor' 0 '' init --cluster orders --out fd "${closed[@]}" --passphrase-file fd:8 8<phrase
verdict 'closes it too' grep -q '^pgmesh-sealed-key ' fd/root.key
if ! command -v script >/dev/null; then
    echo "ok cli/$name: at a terminal # SKIP there is no script(1)"
    return
fi
typed 'correct horse battery' "$pgmesh" init --cluster orders --out asked "${closed[@]}"
verdict 'at a terminal it asks' [ "$code" = 0 ]
verdict 'twice, and shows nothing of it' [ "$(grep -c 'New passphrase for asked/root.key and operator.key: \|Once more: ' <<<"$out") $(grep -c horse <<<"$out")" = '2 0' ]
expect 'what was typed opens the root key' 0 '' root passphrase --root-key asked/root.key --passphrase-file phrase --no-passphrase
typed short "$pgmesh" init --cluster orders --out short "${closed[@]}"
verdict 'a short one is refused' [ "$code" = 1 ]
verdict 'and nothing is made' [ ! -e short ]
