# Root keys under a passphrase, a host that makes its own key, and rotation as far as it needs no quorum.
not() { ! "$@"; }
if [ ! -x "$witness" ]; then
    echo "ok cli/$name # SKIP there is no pgmesh-witness in ${PGMESH_BUILD:-build/default}"
    return
fi
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
"$pgmesh" init --open-root-key --cluster orders --out orders --member "db1,database,fra,$net.1:7400" --member "wit1,witness,lux,$net.2:7400" \
    --member "wit2,witness,ams,$net.3:7400" --set realtime=off >/dev/null 2>&1
for i in 1 2; do
    "$witness" --config orders/wit$i/node.conf >wit$i.log 2>&1 &
    started+=($!)
done
conf=(--config orders/wit1/node.conf)
operator=(--config orders/operator/pgmesh.conf)
sees() { "$pgmesh" members "${conf[@]}" --output json | jq -e '[.members[] | select(.state == "up")] | length == 2'; }
verdict 'two witnesses hear each other' await sees

printf 'correct horse battery\n' >good
printf 'wrong horse battery\n' >bad
printf 'short\n' >short
cp good open
chmod 600 good bad short
chmod 644 open
root=(--root-key orders/root.key)
expect 'a short passphrase' 1 'is one line of 8 to 255 characters' root passphrase "${root[@]}" --new-passphrase-file short
expect 'a passphrase that others can read' 1 'can be read by' root passphrase "${root[@]}" --new-passphrase-file open
expect 'no root key is named' 2 'not named' root passphrase
expect 'the root key gets a passphrase' 0 '' root passphrase "${root[@]}" --new-passphrase-file good
verdict 'its file stays a secret' [ "$(stat -c %a orders/root.key)" = 600 ]
verdict 'the key is not in it' not grep -qE '^[0-9a-f]{64}$' orders/root.key
expect 'another passphrase' 5 'does not open' root passphrase "${root[@]}" --passphrase-file bad --no-passphrase
chmod 644 orders/root.key
expect 'a root key that others can read' 5 'can be read by' root passphrase "${root[@]}" --passphrase-file good --no-passphrase
chmod 600 orders/root.key
root+=(--passphrase-file good)

# A host makes its own key; what travels is public.
expect 'join: neither request nor folder' 2 'one of --request and --folder' join --key new.key
expect 'join: a key and a request' 0 '' join --key new.key --request new.request
verdict 'the key is a secret' [ "$(stat -c %a new.key)" = 600 ]
verdict 'it is not in the request' not grep -qF "$(cat new.key)" new.request
expect 'join: a key is not overwritten' 1 'could not create' join --key new.key --request other.request
sed 's/^join - 0/join - 1/; t; s/^join - ./join - 0/' new.request >bent.request
spec="wit3,witness,fra,$net.4:7400"
expect 'add: a bent request' 1 '' member add "$spec" --sign bent.request "${root[@]}" --out wit3 "${operator[@]}"
expect 'add: a wrong passphrase' 5 'does not open' member add "$spec" --sign new.request --root-key orders/root.key --passphrase-file bad --out wit3 "${operator[@]}"
verdict 'nothing was made' [ ! -e wit3 ]
expect 'add: days' 2 '--days' member add "$spec" --sign new.request "${root[@]}" --days never --out wit3 "${operator[@]}"
expect 'add: signed for the new host' 0 '' member add "$spec" --sign new.request "${root[@]}" --days 20 --out wit3 "${operator[@]}"
verdict 'no key is in the folder' [ ! -e wit3/member.key ]
"$pgmesh" join --key other.key --request other.request >/dev/null
expect 'join: another key than the certified' 1 'certified for this key' join --key other.key --folder wit3
expect 'join: the folder and the key' 0 '' join --key new.key --folder wit3 --output json
holds 'whom it is of' '.cluster == "orders" and .member == "wit3" and (.root | length == 64)'
verdict 'the key went into the folder' [ "$(stat -c %a wit3/member.key)" = 600 ]
verdict 'and is nowhere else' [ ! -e new.key ]
"$witness" --config wit3/node.conf >wit3.log 2>&1 &
started+=($!)
sees_three() { "$pgmesh" members "${conf[@]}" --output json | jq -e '[.members[] | select(.state == "up")] | length == 3'; }
verdict 'it is heard' await sees_three
expect 'the end of its certificate is told' 0 '' members "${conf[@]}"
verdict 'with a warning' grep -q 'valid for another 1[0-9] days: RENEW' <<<"$out"
run doctor "${conf[@]}" --output json
holds 'doctor warns' '[.checks[] | select(.fact | test("certificate of wit3 ends in 1[0-9] days"))] | length == 1 and .[0].level == "warning"'
expect 'renew' 0 '' member renew wit3 "${root[@]}" --days 900 "${operator[@]}"
run members "${conf[@]}" --output json
holds 'it is renewed' '[.members[] | select(.name == "wit3")][0].valid_until > "2028"'

# Rotation of a member's key begins at the member.
expect 'rotate: another member is asked' 1 'the member that was asked is "wit1"' member rotate wit2 "${root[@]}" "${operator[@]}" --control orders/wit1/state/control.sock
expect 'rotate: a request' 0 '' member rotate wit1 --request wit1.request "${conf[@]}"
verdict 'the new key waits in the state folder' [ "$(stat -c %a orders/wit1/state/member.key.next)" = 600 ]
verdict 'and is not in the request' not grep -qF "$(cat orders/wit1/state/member.key.next)" wit1.request
expect "rotate: another's request" 1 'is a request of "wit1"' member rotate wit2 --sign wit1.request "${root[@]}" "${operator[@]}"
expect 'rotate: not a request' 1 'is not a request' member rotate wit1 --sign good "${root[@]}" "${operator[@]}"

# The root key, without a quorum and with wit2 away.
kill -TERM "${started[1]}"
expect 'root: nowhere to write' 2 'no file for the new key' root rotate "${root[@]}" "${operator[@]}"
expect 'root: a file that is there' 1 'exists' root rotate "${root[@]}" --new good --no-passphrase "${operator[@]}"
expect 'root: rotated' 0 '' root rotate "${root[@]}" --new root2.key --new-passphrase-file good "${operator[@]}"
expect 'the former one signs nothing' 5 'a former root key' member renew wit1 "${root[@]}" "${operator[@]}"
root=(--root-key root2.key --passphrase-file good)
expect 'the new one does' 0 '' member renew wit1 "${root[@]}" "${operator[@]}"
"$witness" --config orders/wit2/node.conf >wit2.log 2>&1 &
started+=($!)
chain() { cmp -s <(sort orders/wit1/state/roster) <(sort orders/wit2/state/roster); }
verdict 'who was away has the chain' await chain
expect 'root: once more' 0 '' root rotate "${root[@]}" --new root3.key --no-passphrase "${operator[@]}"
verdict 'and again' await chain
verdict 'no secret is in a log' not grep -qFf <(cat orders/*/member.key wit3/member.key root3.key) wit1.log wit2.log wit3.log
