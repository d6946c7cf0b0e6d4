# Persons and their keys, the second signature: against real witnesses on the loopback, without a database.
unset PGMESH_OPERATOR_KEY
export HOME=$PWD
printf 'correct horse\n' >pass && chmod 600 pass
printf 'wrong horse\n' >wrong && chmod 600 wrong
expect 'a key under a passphrase' 0 '' operator key --out anna.key --key-passphrase-file pass
verdict 'its mode is 0600' [ "$(stat -c %a anna.key)" = 600 ]
verdict 'it is no plain seed' grep -q '^pgmesh-sealed-key 1 [0-9]* [0-9]* [0-9a-f]* [0-9a-f]* [0-9a-f]*$' anna.key
expect 'as JSON' 0 '' operator key --out vera.key --no-passphrase --output json
holds 'with the public part' '.key == "vera.key" and (.public | test("^[0-9a-f]{64}$")) and .passphrase == false'
vera=$(jq -r .public <<<"$out")
expect 'a key is never overwritten' 1 'never overwritten' operator key --out vera.key --no-passphrase
expect 'a passphrase through a descriptor' 0 '' operator key --out bert.key --key-passphrase-file fd:9 9<pass
expect 'a descriptor that is not open' 1 'gives no passphrase' operator key --out x.key --key-passphrase-file fd:77
chmod 644 pass
expect 'a passphrase that others can read' 1 'can be read by others' operator key --out x.key --key-passphrase-file pass
chmod 600 pass
printf 'short\n' >short && chmod 600 short
expect 'a short passphrase' 1 'is one line of 8' operator key --out x.key --key-passphrase-file short
setsid -w "$pgmesh" operator key --out x.key 2>no-terminal </dev/null
verdict 'no terminal to ask on' grep -q 'there is no terminal' no-terminal
verdict 'nothing was made of the refused ones' [ ! -e x.key ]
expect 'no file is named' 2 'no file is named' operator key

[ -x "$witness" ] || return
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
"$pgmesh" init --open-root-key --cluster orders --out orders --operator root1 --member "db1,database,fra,$net.1:7400" --member "wit1,witness,lux,$net.2:7400" \
    --member "wit2,witness,ams,$net.3:7400" --set realtime=off >/dev/null 2>&1
for i in 1 2; do
    "$witness" --config orders/wit$i/node.conf >wit$i.log 2>&1 &
    started+=($!)
done
sees() { "$pgmesh" members --config orders/wit1/node.conf --output json | jq -e '[.members[] | select(.state == "up")] | length == 2'; }
verdict 'two witnesses hear each other' await sees
first=(--config orders/operator/pgmesh.conf --control orders/wit1/state/control.sock)
one=(--config orders/wit1/node.conf) two=(--config orders/wit2/node.conf)
root=(--root-key orders/root.key)

expect 'init made an admin' 0 '' operator list "${one[@]}" --output json
holds 'who is alone' '.persons == [{"name": "root1", "role": "admin", "revoked": false, "valid": true, "from": 0, "until": 0}] and .two_persons == false'
expect 'no role' 2 'no role is named' operator add vera --public "$vera" "${root[@]}" "${one[@]}"
expect 'a role of members' 2 'is no role of a person' operator add vera --role witness --public "$vera" "${root[@]}" "${one[@]}"
expect 'no key' 2 'one key is wanted' operator add vera --role viewer "${root[@]}" "${one[@]}"
expect 'two keys' 2 'one key is wanted' operator add vera --role viewer --public "$vera" --out y.key "${root[@]}" "${one[@]}"
expect 'half a key' 2 'not a public key' operator add vera --role viewer --public abcd "${root[@]}" "${one[@]}"
expect 'a name that is taken' 1 'there is a "wit1" already' operator add wit1 --role viewer --public "$vera" "${root[@]}" "${one[@]}"
expect 'no root key' 2 'the root key is not named' operator add vera --role viewer --public "$vera" "${one[@]}"
expect 'not the root key' 5 'is not the root key' operator add vera --role viewer --public "$vera" --root-key vera.key "${one[@]}"
expect 'a viewer is added' 0 '' operator add vera --role viewer --public "$vera" "${root[@]}" "${one[@]}"
expect 'an operator is added' 0 '' operator add otto --role operator --out otto.key --no-passphrase --valid 30 "${root[@]}" "${one[@]}" --output json
holds 'the rule is off still' '.role == "operator" and .two_persons == false'
expect 'a viewer pauses' 5 'no permission: vera is a viewer' pause --key vera.key "${one[@]}"
expect 'an operator pauses, without a primary' 4 'no member can execute' pause --key otto.key "${one[@]}"
expect 'an operator changes durability' 5 'no permission: otto is an operator' durability strict --key otto.key "${one[@]}"
expect 'the complaint as JSON' 5 '' durability strict --key otto.key "${one[@]}" --output json
expect 'the only admin removes, without a primary' 4 'no member can execute' member remove wit2 "${first[@]}"

expect 'an admin is added' 0 '' operator add anna --role admin --out anna2.key --key-passphrase-file pass "${root[@]}" "${one[@]}" --output json
holds 'from now on it takes two' '.two_persons'
knows() { "$pgmesh" operator list "${two[@]}" --output json | jq -e '.two_persons and (.persons | length == 4)'; }
verdict 'the other witness hears of it' await knows
expect 'the list' 0 '' operator list "${two[@]}"
verdict 'names them' [ "$(grep -cE '^ *(root1 +admin|vera +viewer|otto +operator|anna +admin) +valid' <<<"$out")" = 4 ]
expect 'one of two removes' 9 'cannot remove wit2 yet: the order waits for a second person' member remove wit2 "${first[@]}"
expect 'one of two gives durability up' 9 'waits for a second person' durability async "${first[@]}"
expect 'one of two changes a vote' 4 'no member can execute' member vote wit2 off "${first[@]}"
shown() { "$pgmesh" pending "${two[@]}" --output json | jq -e '.pending | length == 2'; }
verdict 'every member shows what waits' await shown
expect 'as JSON' 0 '' pending "${two[@]}" --output json
holds 'by whom, what, and for how long' '.pending | all(.by == "root1" and .left_s > 500) and any(.command == "member remove" and .target == "wit2")'
number=$(jq -r '.pending[] | select(.target == "wit2") | .number' <<<"$out")
expect 'as a table' 0 '' pending "${two[@]}"
verdict 'with the number' grep -q "^ *$number +root1 +member remove wit2" -E <<<"$out"
expect 'a number that is none' 6 'no order "zz" waits' approve zz --key anna2.key --key-passphrase-file pass "${two[@]}"
expect 'no number' 2 'no order is named' approve --key anna2.key "${two[@]}"
expect 'one'"'"'s own order' 5 'it is your own order' approve "$number" "${first[@]}"
expect 'an operator approves' 5 'no permission: otto is an operator' approve "$number" --key otto.key "${two[@]}"
expect 'a wrong passphrase' 5 'does not open' approve "$number" --key anna2.key --key-passphrase-file wrong "${two[@]}"
expect 'another admin approves, by the other member' 4 'no member can execute' approve "$number" --key anna2.key --key-passphrase-file pass "${two[@]}"
expect 'it waits no longer there' 6 'waits' approve "$number" --key anna2.key --key-passphrase-file pass "${two[@]}"
export PGMESH_OPERATOR_KEY=anna2.key
expect 'the key by the environment' 5 'does not open' durability async --key-passphrase-file wrong "${one[@]}"
unset PGMESH_OPERATOR_KEY
mkdir -p .config/pgmesh && cp anna2.key .config/pgmesh/operator.key
expect 'the key in its usual place' 9 'waits for a second person' durability async --key-passphrase-file pass "${one[@]}"
chmod 640 .config/pgmesh/operator.key
expect 'a key that others can read' 5 'can be read by others' durability async --key-passphrase-file pass "${one[@]}"
rm .config/pgmesh/operator.key

expect 'the rule is on already' 0 '' operator two-persons on "${root[@]}" "${one[@]}"
expect 'the rule as it may not be' 2 'is not possible' operator two-persons perhaps "${root[@]}" "${one[@]}"
expect 'another key turns nothing off' 5 'is not the root key' operator two-persons off --root-key vera.key "${one[@]}"
expect 'the root key turns it off' 0 '' operator two-persons off "${root[@]}" "${one[@]}" --output json
holds 'at once' '.two_persons == false and .two_persons_set == "off"'
off() { "$pgmesh" operator list "${two[@]}" --output json | jq -e '.two_persons_set == "off" and .two_persons == false'; }
verdict 'the other witness hears of it' await off
expect 'one of two is enough then' 4 'no member can execute' member remove wit2 "${first[@]}"
expect 'and back' 0 '' operator two-persons auto "${root[@]}" "${one[@]}"

expect 'a revocation of nobody' 6 'is no operator' operator remove nora "${root[@]}" "${one[@]}"
expect 'a member is no person' 6 'is no operator' operator remove wit2 "${root[@]}" "${one[@]}"
expect 'an admin is revoked' 0 '' operator remove anna "${root[@]}" "${one[@]}"
gone() { "$pgmesh" operator list "${two[@]}" --output json | jq -e '.two_persons == false and any(.persons[]; .name == "anna" and .revoked and (.valid | not))'; }
verdict 'everywhere' await gone
expect 'no order of the revoked one is taken' 1 'revoked' pause --key anna2.key --key-passphrase-file pass "${two[@]}"
expect 'with one admin left, one suffices' 4 'no member can execute' member remove wit2 "${first[@]}"
expect 'names are not used twice' 1 'names are not used twice' operator add anna --role viewer --public "$vera" "${root[@]}" "${one[@]}"
verdict 'the journal names who asked, and what' grep -q 'event 1 +pending root1 (an admin) orders: member remove wit2; it waits' orders/wit2/state/journal
expect 'a rule that could not be met' 1 'the rule could not be met' operator two-persons on "${root[@]}" "${one[@]}"
