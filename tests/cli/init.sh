# pgmesh init: unattended, complete or not at all.
three=(--member db1,database,fra,10.0.0.1:7400 --member db2,database,ams,10.0.0.2:7400 --member wit1,witness,lux,10.0.0.3:7400)

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
expect 'members from a file' 0 '' init --cluster orders --out file --members members --member db2,database,ams,10.0.0.2:7400
verdict 'a quoted value keeps its comma' grep -q "^pg_hba = 'host all all 10.0.0.0/8, x'" file/db1/node.conf
expect 'options for everybody' 0 '' init --cluster orders --out set "${three[@]}" --set lease=800ms --set pg_port=6000 --durability strict --lease-max 5s
verdict 'a database has them' grep -q '^pg_port = 6000' set/db1/node.conf
verdict 'a witness has no options of databases' [ -z "$(grep '^pg_port' set/wit1/node.conf)" ]
expect 'adopting an existing database' 0 '' init --cluster orders --out adopt "${three[@]}" --bootstrap adopt --primary db2
verdict 'is written down' grep -q '^bootstrap = adopt' adopt/db2/node.conf

expect 'an even number of voters is noticed' 0 'NOTICE: an even number of voters' init --cluster o --out even --member db1,database,a,10.0.0.1:7400 --member db2,database,b,10.0.0.2:7400
expect 'one site is noticed' 0 'NOTICE: all voters are in one site' init --cluster o --out site --member db1,database,a,10.0.0.1:7400 --member db2,database,a,10.0.0.2:7400 --member w,witness,a,10.0.0.3:7400

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
