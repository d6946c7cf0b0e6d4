# A host joins by a token: invited at a real witness, fetched by way of its pgmesh-http, once; and what does not work, told.
http=$build/pgmesh-http
not() { ! "$@"; }
if [ ! -x "$http" ] || [ ! -x "$witness" ] || ! command -v curl >/dev/null; then
    echo "ok cli/$name # SKIP there is no pgmesh-http, pgmesh-witness or curl"
    return
fi
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
url=http://$net.2:8008
"$pgmesh" init --open-root-key --cluster orders --out orders --member "db1,database,fra,$net.1:7400" --member "wit1,witness,lux,$net.2:7400" \
    --member "wit2,witness,ams,$net.3:7400" --set realtime=off >/dev/null 2>&1
"$pgmesh" init --open-root-key --cluster orders --out other --member "db1,database,fra,$net.1:7400" >/dev/null 2>&1
echo "http_listen = $net.2:8008" >>orders/wit1/node.conf
for i in 1 2; do
    "$witness" --config orders/wit$i/node.conf >wit$i.log 2>&1 &
    started+=($!)
done
"$http" --config orders/wit1/node.conf >http.log 2>&1 &
started+=($!)
conf=(--config orders/wit1/node.conf)
operator=(--config orders/operator/pgmesh.conf --control orders/wit1/state/control.sock)
root=(--root-key orders/root.key)
sees() { "$pgmesh" members "${conf[@]}" --output json | jq -e --argjson n "$1" '[.members[] | select(.state == "up")] | length == $n'; }
verdict 'two witnesses hear each other' await sees 2
ready() { curl -s -o /dev/null "$url/liveness"; }
verdict 'pgmesh-http answers' await ready
spec() { echo "$1,witness,fra,$net.$2:7400,realtime=off"; }

# What the command refuses.
expect 'no root key' 2 'the root key is not named' member invite "$(spec wit3 4)" "${operator[@]}"
expect 'nobody named' 2 'one of SPEC, --list and --withdraw' member invite "${root[@]}" "${operator[@]}"
expect 'a folder as well' 2 'takes no --out' member invite "$(spec wit3 4)" "${root[@]}" --out wit3 "${operator[@]}"
expect 'for no time' 2 '--valid: "5s" is not possible' member invite "$(spec wit3 4)" "${root[@]}" --valid 5s "${operator[@]}"
expect 'for too long' 2 '--valid: "8d" is not possible' member invite "$(spec wit3 4)" "${root[@]}" --valid 8d "${operator[@]}"
expect 'add knows no --valid' 2 'are of "member invite"' member add "$(spec wit3 4)" "${root[@]}" --valid 2h --out wit3 "${operator[@]}"
expect "another cluster's root key" 5 'is not the root key' member invite "$(spec wit3 4)" --root-key other/root.key "${operator[@]}"
touch there
expect 'a file that is there' 1 'exists' member invite "$(spec wit3 4)" "${root[@]}" --token-file there "${operator[@]}"
expect 'nobody is invited yet' 0 '' member invite --list "${conf[@]}" --output json
holds 'as JSON' '.invitations == [] and .member == "wit1"'

# One comes.
expect 'invited' 0 '' member invite "$(spec wit3 4)" "${root[@]}" --valid 2h --token-file token3 "${operator[@]}" --output json
holds 'it is told, without the token' '.member == "wit3" and .invited_at == "wit1" and .token == null and (.id | length == 64)'
verdict 'the token is a secret' [ "$(stat -c %a token3)" = 600 ]
verdict 'nothing open is left' [ -z "$(ls -d /dev/shm/pgmesh-invite-* /tmp/pgmesh-invite-* 2>/dev/null)" ]
verdict 'what waits is a secret, and closed' [ "$(stat -c %a orders/wit1/state/invite.*)" = 600 ]
run member invite --list "${conf[@]}"
verdict 'the list shows it' grep -q 'wit3  *waiting' <<<"$out"
expect 'the same name again' 1 'there is a member named' member invite "$(spec wit3 4)" "${root[@]}" "${operator[@]}"

expect 'join: no such address' 2 'no address to ask at' join --from "$net.2:8008" --token-file token3
expect 'join: --from and --key' 2 'takes none of --key' join --from "$url" --key k --request r
expect 'join: a token without --from' 2 'from is wanted' join --token-file token3
cp token3 seen && chmod 644 seen
expect 'join: a token that others can read' 5 'can be read by others' join --from "$url" --token-file seen
sed 's/-1-./-1-z/' token3 >slip && chmod 600 slip
expect 'join: a slip in the token' 5 'has a slip in it' join --from "$url" --token-file slip
verdict 'it is not repeated' not grep -qF "$(cut -c20-60 token3)" err.txt
expect 'join: nobody there' 3 'nothing answers at' join --from "http://$net.9:8008" --token-file token3 --timeout 0.5
verdict 'with what curl says' grep -q 'DETAIL:.*curl' err.txt
mkdir full && touch full/x
expect 'join: a folder that is full' 1 'exists and is not empty' join --from "$url" --token-file token3 --out full
expect 'join' 0 '' join --from "$url" --token-file token3 --output json
holds 'whom it is of' '.cluster == "orders" and .member == "wit3" and .folder == "wit3"'
verdict 'and under which root key' [ "$(jq -r .root <<<"$out")" = "$(sed -n 's/^root //p' orders/wit1/cluster)" ]
for row in 'member.key 600' 'node.conf 644' 'cluster 644' 'state 700' 'state/store 600' 'state/roster 644'; do
    read -r path mode <<<"$row"
    verdict "$path has mode $mode" [ "$(stat -c %a "wit3/$path")" = "$mode" ]
done
"$witness" --config wit3/node.conf >wit3.log 2>&1 &
started+=($!)
verdict 'it is heard' await sees 3

# Another one comes with the same token: told, counted, and told to those who look after it.
expect 'the token again' 1 'the token was used already' join --from "$url" --token-file token3 --out thief
verdict 'with advice' grep -q 'HINT:.*somebody else has had it' <(tr '\n' ' ' <err.txt)
verdict 'and nothing is made' [ ! -e thief ]
count() { curl -s "$url/metrics" | sed -n "s/^pgmesh_http_joins_total{.*result=\"$1\"} //p"; }
verdict 'it is counted' [ "$(count given) $(count used)" = '1 1' ]
told() { curl -s "$url/events" | jq -e --arg n "$1" --arg t "$2" 'any(.events[]; .name == $n and (.text | test($t)))'; }
verdict 'the journal has who came' await told invite-taken "wit3 was fetched by its token, from 127[.]"
verdict 'and who came again' await told invite-reused '127[.].* came with the token of wit3'
verdict 'the log warns' grep -q 'invite-reused' wit1.log
expect 'the list' 0 '' member invite --list "${conf[@]}" --output json
holds 'has it too' '.invitations[0] | .state == "taken" and .reused == 1 and (.from | test("^127"))'

# Garbage, by whoever is on the network.
status_of() { curl -s -m 10 -o answer.json -w '%{http_code}' "$@"; }
zeros=$(printf '%064d' 0)
verdict 'no claim' [ "$(status_of -d '{}' "$url/join")" = 400 ]
verdict 'a claim that is none' [ "$(status_of -d '{"claim":"x","taker":"y"}' "$url/join")" = 400 ]
verdict 'GET' [ "$(status_of "$url/join")" = 405 ]
verdict 'a claim of nobody' [ "$(status_of -d "{\"claim\":\"$zeros\",\"taker\":\"$zeros\"}" "$url/join")" = 404 ]
many() { curl -s -m 20 -d "{\"claim\":\"$zeros\",\"taker\":\"$zeros\"}" "$url/join?[1-80]"; } # over one connection
verdict 'many of them: too many' grep -q '"too_many"' <(many)
verdict 'those that were asked are counted' [ "$(count unknown)" -gt 0 ]
verdict 'and those that were not' [ "$(count limited)" -gt 0 ]
ask() { # JSON, to the control socket itself
    jq -cn "$1" | python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read()); print(s.makefile().readline())' orders/wit1/state/control.sock
}
if command -v python3 >/dev/null; then
    kept=$(jq -c . orders/wit1/state/invite.*)
    deposit='{command: "invite", deposit: {member: 9, name: "wit9", id: $k.id, until: ($k.until + 1), ticket: $k.ticket, closed: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}'
    verdict 'a deposit that the root key has not signed' grep -q 'not signed by the root key' <(ask "$kept as \$k | $deposit")
    verdict 'a recall neither' grep -q 'not signed by the root key' <(ask "$kept as \$k | {command: \"invite\", recall: {id: \$k.id, word: \$k.ticket}}")
fi

# What was changed where it lay, or on its way.
expect 'a second one is invited' 0 '' member invite "$(spec wit4 5)" "${root[@]}" --token-file token4 "${operator[@]}"
kill "${started[0]}"
wait "${started[0]}" 2>/dev/null
lies=$(grep -l '"wit4"' orders/wit1/state/invite.*)
sed -i 's/"closed":"..../"closed":"AAAA/' "$lies"
"$witness" --config orders/wit1/node.conf >>wit1.log 2>&1 &
started+=($!)
expect 'what comes is not what was closed' 7 'not closed by this token' join --from "$url" --token-file token4
verdict 'nothing is made of it' [ ! -e wit4 ]
verdict 'nor left beside' [ -z "$(ls -d wit4* 2>/dev/null)" ]

# Taken back; and asked for at a terminal.
expect 'a third one is invited' 0 '' member invite "$(spec wit5 6)" "${root[@]}" "${operator[@]}"
token=$(sed -n 's/^ *\(pgmesh-join-1-[0-9a-f]*\)$/\1/p' <<<"$out")
verdict 'the token is shown' [ "${#token}" = 102 ]
expect 'withdrawing takes the root key' 2 'the root key is not named' member invite --withdraw wit5 "${operator[@]}"
expect 'nobody of that name' 6 'no token of "wit9" waits' member invite --withdraw wit9 "${root[@]}" "${operator[@]}"
expect 'withdrawn' 0 '' member invite --withdraw wit5 "${root[@]}" "${operator[@]}"
printf '%s\n' "$token" >token5 && chmod 600 token5
expect 'it is good for nothing' 1 'the invitation was taken back' join --from "$url" --token-file token5
expect 'a revoked one' 0 '' member invite "$(spec wit6 7)" "${root[@]}" --token-file token6 "${operator[@]}"
expect 'is revoked' 0 '' member remove wit6 "${root[@]}" "${operator[@]}"
expect 'and its token with it' 1 'the invitation was taken back' join --from "$url" --token-file token6
unasked() { setsid -w "$pgmesh" join --from "$url" >out.txt 2>err.txt </dev/null; }
unasked
code=$?
verdict 'no token and no terminal' [ "$code" = 2 ]
verdict 'is told' grep -q 'token-file FILE' err.txt
if command -v script >/dev/null; then
    expect 'a last one is invited' 0 '' member invite "$(spec wit7 8)" "${root[@]}" --token-file token7 "${operator[@]}"
    typed "$(cat token7)" "$pgmesh" join --from "$url"
    verdict 'the token is typed' [ "$code" = 0 ]
    verdict 'and not shown' [ "$(grep -c "$(cut -c20-60 token7)" <<<"$out")" = 0 ]
    verdict 'the folder is there' [ -s wit7/member.key ]
fi
verdict 'no token and no key is in a log' not grep -qFf <(sed 's/^pgmesh-join-1-//' token? | cut -c17-80; cat wit3/member.key orders/*/member.key) wit1.log wit2.log wit3.log http.log
verdict 'nor in what the member keeps open' not grep -qsFf <(sed 's/^pgmesh-join-1-//' token? | cut -c17-80; cat wit3/member.key) orders/wit1/state/*
