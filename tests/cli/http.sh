# pgmesh-http beside a real witness: its documents against its own description, who may do what, hostile clients.
http=$build/pgmesh-http
if [ ! -x "$http" ] || [ ! -x "$witness" ] || ! command -v curl >/dev/null; then
    echo "ok cli/$name # SKIP there is no pgmesh-http, pgmesh-witness or curl"
    return
fi
repo=$(cd "$here/../.." && pwd)
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
url=http://$net.2:8008
"$pgmesh" init --open-root-key --cluster orders --out orders --member "db1,database,fra,$net.1:7400" --member "wit1,witness,lux,$net.2:7400" \
    --member "wit2,witness,ams,$net.3:7400" --set realtime=off >/dev/null 2>&1
conf=orders/wit1/node.conf
complains() { # what, piece of the complaint, exit code, arguments...
    local code=0
    "$http" "${@:4}" >said.txt 2>&1 || code=$?
    if [ "$code" = "$3" ] && grep -q -- "$2" said.txt; then ok "$1"; else not_ok "$1" "exit code $code: $(tr '\n' ' ' <said.txt)"; fi
}
complains 'no configuration' 'no --config' 2
complains 'an unknown option' 'wrong arguments' 2 --frobnicate
complains 'a configuration that is not there' 'nothing.conf' 78 --config nothing.conf
complains 'a token for nobody' 'is no NAME:ROLE' 78 --make-token alice
complains 'the configuration as init made it' 'can be served' 0 --config "$conf" --check
token() { "$http" --make-token "$1" >made.txt && sed -n 2p made.txt | tr -d ' '; }
viewer=$(token vera:viewer) && sed -n '4s/ *//p' made.txt >tokens
operator=$(token otto:operator) && sed -n '4s/ *//p' made.txt >>tokens
admin=$(token anna:admin) && sed -n '4s/ *//p' made.txt >>tokens
stolen=$(token thea:viewer) && sed -n '4s/ *//p' made.txt >>tokens
{ echo "http_listen = $net.2:8008"; echo "http_tokens = $PWD/tokens"; echo "http_operator_key = $PWD/orders/operator/operator.key"; } >>"$conf"
chmod 644 tokens
complains 'tokens that others can read' 'tokens' 78 --config "$conf" --check
chmod 600 tokens
complains 'keys and tokens' 'can be served' 0 --config "$conf" --check
sed "s,^http_operator_key.*,http_operator_key = $PWD/orders/wit2/member.key," "$conf" >orders/wit1/foreign.conf
complains "a key that is no operator's" 'the key of no operator' 78 --config orders/wit1/foreign.conf
sed 's,^http_listen.*,http_tls_cert = tokens,' "$conf" >orders/wit1/half.conf
complains 'half of TLS' 'only one is set' 78 --config orders/wit1/half.conf

status_of() { curl -s -m 10 -o answer.json -w '%{http_code}' "$@"; }
is() { # what, status, curl's arguments...
    local got
    got=$(status_of "${@:3}")
    if [ "$got" = "$2" ]; then ok "$1"; else not_ok "$1" "status $got, not $2: $(head -c 300 answer.json)"; fi
}
echo 'log_format = json' >>orders/wit2/node.conf
is_up() { [ "$(status_of "$url/liveness")" = 200 ]; }
"$http" --config "$conf" >http.log 2>&1 &
http_pid=$!
started+=("$http_pid")
is_there() { [ "$(status_of "$url/health")" = 503 ]; }
verdict 'without the member: 503' await is_there
says() { jq -e "$1" answer.json >/dev/null; }
verdict 'and the reason' says '.error.code == "no_contact" and (.error.detail | length > 0)'
is 'metrics are there all the same' 200 "$url/metrics"
verdict 'and say that it does not answer' grep -q '^pgmesh_up{.*} 0$' answer.json
for i in 1 2; do
    "$witness" --config orders/wit$i/node.conf >wit$i.log 2>&1 &
    started+=($!)
    [ "$i" != 1 ] || member_pid=$!
done
verdict 'with it: 200' await is_up
sees_wit2() { curl -s "$url/status" | jq -e '.members[] | select(.name == "wit2") | .state == "up"'; }
verdict 'the other witness is seen' await sees_wit2

verdict 'logs as JSON have the names of ECS' [ "$(jq -c 'select((."@timestamp" | type == "string") and ."ecs.version" and ."log.level" and ."event.action"
    and .message and ."service.name" == "orders" and ."service.node.name" == "wit2")' wit2.log | wc -l)" = "$(wc -l <wit2.log)" ]

# Every path of the description, against the description; and every path that is served is described.
curl -s "$url/openapi.json" >openapi.json
while read -r method path; do
    data=()
    [ "$method" = get ] || data=(-X POST -H "Authorization: Bearer $admin" -d '{}')
    got=$(status_of "${data[@]}" "$url$path")
    wrong=$(jq -rn -L "$repo/tests/http" --slurpfile doc openapi.json --rawfile text answer.json --arg path "$path" --arg method "$method" --arg got "$got" '
        include "conforms"; $doc[0] as $doc | ($doc.paths[$path][$method].responses[$got] // null) as $r
        | if $r == null then ["status \($got) is not described"]
          else ($r | resolve($doc)).content["application/json"] as $c
            | if $c == null then [] else ($text | fromjson) | conforms($doc; $c.schema; "answer") end end | .[]' 2>&1)
    if [ -z "$wrong" ]; then ok "described: $method $path ($got)"; else not_ok "described: $method $path ($got)" "$wrong"; fi
done < <(jq -r '.paths | to_entries[] | .key as $p | .value | keys[] | "\(.) \($p)"' openapi.json)
served=$(sed -n 's/^ *\(CHECK\|READ\|FIXED\|ORDER\|\){*(*"\(\/[^"]*\)".*/\2/p' "$repo/mesh/http/route.c" | sort)
verdict 'nothing is served that is not described' [ "$served" = "$(jq -r '.paths | keys[]' openapi.json | sort)" ]

# One label twice, and Prometheus takes nothing of the page; promtool does not mind.
"$pgmesh" member renew wit2 --root-key orders/root.key --days 900 --config orders/operator/pgmesh.conf >/dev/null 2>&1
ends() { curl -s "$url/metrics" | tee metrics.txt | grep -q '^pgmesh_certificate_end_seconds{.*wit2'; }
verdict 'the end of a certificate is told' await ends
verdict 'no label stands twice in a series' [ -z "$(grep -E '[{,]([a-z_]+)="[^"]*"(.*),\1="' metrics.txt)" ]
if command -v promtool >/dev/null; then
    verdict 'no label is empty' [ "$(grep -c ',}' metrics.txt)" = 0 ]
    promtool check metrics <metrics.txt >said.txt 2>&1
    verdict 'metrics as Prometheus wants them' [ "$?:$(cat said.txt)" = 0: ]
fi

is 'a path that is none' 404 "$url/primary-x"
is 'a path with dots' 404 --path-as-is "$url/../../../etc/passwd"
is 'the same, encoded' 404 --path-as-is "$url/%2e%2e/%2e%2e/etc/passwd"
is 'a method that is none here' 405 -X DELETE "$url/cluster"
is 'an order by GET' 405 "$url/switchover"
is 'a limit that is none' 400 "$url/replica?lag=much"
is 'a limit that is no text' 400 "$url/replica?lag=%ff%fe"
verdict 'is complained of all the same' says '.error.code == "usage" and (.error.message | length > 0)'
is 'a token in the address' 400 "$url/cluster?token=$operator"
bearer() { printf 'Authorization: Bearer %s' "$1"; }
is 'an order without a token' 401 -d '{}' "$url/pause"
is 'a token that is nobody'\''s' 401 -d '{}' -H "$(bearer "${operator%?}x")" "$url/pause"
is 'a password' 401 -d '{}' -u "otto:$operator" "$url/pause"
is 'a viewer orders nothing' 403 -d '{}' -H "$(bearer "$viewer")" "$url/pause"
is 'an operator is no admin' 403 -d '{}' -H "$(bearer "$operator")" "$url/failover/trigger"
is 'a viewer may ask for a look' 503 -d '{}' -H "$(bearer "$viewer")" "$url/failover/check-health"
is 'no JSON' 400 -d 'pause=1' -H "$(bearer "$operator")" "$url/pause"
is 'no object' 400 -d '[]' -H "$(bearer "$operator")" "$url/pause"
is 'an unknown field' 400 -d '{"why":"x"}' -H "$(bearer "$operator")" "$url/pause"
is 'a field whose name is cut within a letter' 400 -d "{\"$(printf 'a%.0s' $(seq 59))äöü\":1}" -H "$(bearer "$operator")" "$url/pause"
verdict 'is complained of all the same' says '.error.message | length > 0'
is 'a field of another type' 400 -d '{"reason":7}' -H "$(bearer "$operator")" "$url/pause"
is 'a schedule' 400 -d '{"scheduled_at":"2030-01-01"}' -H "$(bearer "$operator")" "$url/switchover"
is 'a body of 9 kB' 413 -d "{\"reason\":\"$(head -c 9000 /dev/zero | tr '\0' x)\"}" -H "$(bearer "$operator")" "$url/pause"
is 'no primary: no switchover' 503 -d '{"candidate":"db1"}' -H "$(bearer "$operator")" "$url/switchover"
is 'data loss needs name and term' 400 -d '{"candidate":"db1","allow_data_loss":true}' -H "$(bearer "$admin")" "$url/failover"
is 'an unknown target' 400 -d '{"candidate":"db9"}' -H "$(bearer "$admin")" "$url/failover"
is 'a witness is no target' 400 -d '{"candidate":"wit2"}' -H "$(bearer "$admin")" "$url/failover"
is 'the order reaches the members' 503 -d '{"reason":"test"}' -H "$(bearer "$operator")" "$url/pause"
verdict 'and their answer comes back' says '.error.code == "no_primary" and (.error.message | test("cannot pause"))'
verdict 'it is logged with name and place' grep -q 'http-order .*otto (operator) from 127\..*: pause' http.log
verdict 'and its end' grep -q 'http-order-done .*otto (operator).*refused' http.log
verdict 'what was refused is logged' grep -q 'http-refused .*vera is viewer only' http.log
verdict 'no token is in the log' [ "$(grep -c "$operator\|$viewer\|$admin" http.log)" = 0 ]
verdict 'no secret is in an answer' [ "$(for p in /status /cluster /metrics /events /patroni; do curl -s "$url$p"; done | grep -c "$(cat orders/operator/operator.key)\|$operator")" = 0 ]

# Hostile clients: a few hundred bytes each, by hand.
say_raw() { # bytes from stdin; what came back
    exec 9<>"/dev/tcp/$net.2/8008" || return 1
    cat >&9 2>/dev/null || :
    timeout 5 head -c 300 <&9 2>/dev/null | tr -d '\0' | head -n 1 | tr -d '\r' || :
    exec 9>&-
}
answers_4xx() { # what, bytes by printf
    local line
    line=$(printf "$2" | say_raw 2>/dev/null || :)
    case $line in 'HTTP/1.1 4'* | 'HTTP/1.1 5'* | 'HTTP/1.0 4'* | 'HTTP/1.0 5'* | '') ok "$1" ;; *) not_ok "$1" "$line" ;; esac
}
answers_4xx 'garbage' '\x00\x01\x02\xff\xfe\r\n\r\n'
answers_4xx 'the preface of HTTP/2' 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
answers_4xx 'a negative length' 'POST /pause HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'
answers_4xx 'a huge length' 'POST /pause HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n'
answers_4xx 'a chunk of a huge size' 'POST /pause HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx'
answers_4xx 'bad UTF-8' 'GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n'
old_haproxy() { printf 'OPTIONS /liveness HTTP/1.0\r\n\r\n' | say_raw; }
verdict 'HTTP/1.0 without a host, as HAProxy asks' grep -q ' 200 ' <(old_haproxy)
long_line() { { printf 'GET / HTTP/1.1\r\nX: '; head -c 1000000 /dev/zero | tr '\0' a; printf '\r\n\r\n'; } | say_raw 2>/dev/null || :; }
verdict 'a header of 1 MB' [ -z "$(long_line | grep ' 200 ')" ]
many_headers() { { printf 'GET / HTTP/1.1\r\n'; for i in $(seq 10000); do printf 'X%d: y\r\n' "$i"; done; printf '\r\n'; } | say_raw 2>/dev/null || :; }
verdict '10,000 headers' [ -z "$(many_headers | grep ' 200 ')" ]
head -c 8192 /dev/zero | tr '\0' ' ' >blanks
is 'a body that is full of blanks' 200 -X GET --data-binary @blanks "$url/liveness"
is 'it is still there' 200 "$url/liveness"

# A member that takes 0.3 s to answer has answered: the question may have been put before the request came.
late_answer() {
    local asking
    kill -STOP "$member_pid"
    sleep 0.15 # what was heard before is too old then
    status_of "$url/liveness" >late.txt &
    asking=$!
    sleep 0.3
    kill -CONT "$member_pid"
    wait "$asking"
    [ "$(cat late.txt)" = 200 ]
}
verdict 'a late answer is an answer' await late_answer

# SIGHUP: what cannot work changes nothing; what can is taken over.
half() { pgrep -P "$http_pid"; }
before=$(half)
cp "$conf" good.conf
echo 'http_listn = 1' >>"$conf"
kill -HUP "$http_pid"
verdict 'a broken configuration is complained of' await grep -q 'http-reload' http.log
verdict 'and changes nothing' [ "$(half)" = "$before" ]
is 'it still answers' 200 "$url/liveness"
is 'a token that was stolen counts' 503 -d '{}' -H "$(bearer "$stolen")" "$url/failover/check-health"
sed -i '/^thea:/d' tokens
cp good.conf "$conf"
kill -HUP "$http_pid"
is_new() { # one child again, and not the one of before
    local now
    now=$(half)
    [[ $now =~ ^[0-9]+$ ]] && [ "$now" != "$before" ] && is_up
}
verdict 'a good one is taken over' await is_new
is 'taken out of the file it counts no more' 401 -d '{}' -H "$(bearer "$stolen")" "$url/failover/check-health"

# 400 connections that never finish their request, at 256 places; and what the half in front takes of memory.
serving=$(pgrep -P "$http_pid")
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$serving/status"; }
before=$(memory)
slow=()
for i in $(seq 400); do
    exec {fd}<>"/dev/tcp/$net.2/8008" && slow+=("$fd") && printf 'GET /primary HTTP/1.1\r\nX-%d: ' "$i" >&"$fd"
done
for i in 1 2 3 4 5; do is "slow clients keep nobody out ($i)" 200 "$url/liveness"; done
is 'a health check is answered meanwhile' 200 "$url/health"
for fd in "${slow[@]}"; do exec {fd}>&-; done
after=$(memory)
verdict "memory stays flat ($before kB, $after kB)" [ "$after" -lt $((before + 16384)) ]
# 300 big answers that nobody reads.
hungry=()
for i in $(seq 300); do
    exec {fd}<>"/dev/tcp/$net.2/8008" && hungry+=("$fd") && printf 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\nGET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n' >&"$fd"
done
is 'those who do not read keep nobody out' 200 "$url/liveness"
for fd in "${hungry[@]}"; do exec {fd}>&-; done
verdict 'they are counted' [ "$(curl -s "$url/metrics" | awk '/reason="evicted"/ { print $2 }')" -gt 0 ]

# The member is the process of before, answers at its own socket, and hears the other one.
unharmed() {
    kill -0 "$member_pid" &&
        [ "$("$pgmesh" status --config orders/wit1/node.conf --output json | jq -r '.members[] | select(.name == "wit2").state')" = up ]
}
verdict 'the member was not harmed' await unharmed

# TLS: the other witness, asked over HTTPS from another address than its own.
if ! command -v openssl >/dev/null; then
    echo "ok cli/$name: TLS # SKIP there is no openssl"
    return
fi
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$net.3" -addext "subjectAltName=IP:$net.3" -keyout tls.key -out tls.crt 2>/dev/null
chmod 644 tls.key
{ echo "http_listen = $net.3:8443"; echo "http_tls_cert = $PWD/tls.crt"; echo "http_tls_key = $PWD/tls.key"; echo "http_read = token"
    echo "http_tokens = $PWD/tokens"; echo "http_operator_key = $PWD/orders/operator/operator.key"; } >>orders/wit2/node.conf
# Whom an authority of ours certified; the purposes, the days, the authority, the subject.
authority() { # name
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}
certify() { # file, subject, authority, purpose, days
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr" 2>/dev/null &&
        openssl x509 -req -in "$1.csr" -CA "$3.crt" -CAkey "$3.key" -set_serial "0x$(openssl rand -hex 8)" -days "$5" \
            -extfile <(echo "extendedKeyUsage=$4") -out "$1.crt" 2>/dev/null
}
authority people && authority strangers
certify carl /CN=carl people clientAuth 2
certify viola /CN=viola people clientAuth 2
certify nobody /CN=nobody people clientAuth 2
certify forged /CN=carl strangers clientAuth 2
certify server /CN=carl people serverAuth 2
certify expired /CN=carl people clientAuth -1
certify double /CN=carl/CN=viola people clientAuth 2
printf 'carl:operator:cert\nviola:viewer:cert\n' >>tokens
sed '/^http_tls/d' orders/wit2/node.conf >orders/wit2/plain.conf
echo "http_client_ca = $PWD/people.crt" >>orders/wit2/plain.conf
complains 'client certificates without TLS' 'there is no TLS' 78 --config orders/wit2/plain.conf --check
sed "s,^http_tls_cert.*,&\nhttp_client_ca = $PWD/tls.key," orders/wit2/node.conf >orders/wit2/noca.conf
chmod 600 tls.key
complains 'authorities that are none' 'no certificate of an authority' 78 --config orders/wit2/noca.conf --check
chmod 644 tls.key
echo "http_client_ca = $PWD/people.crt" >>orders/wit2/node.conf
complains 'a TLS key that others can read' 'tls.key' 78 --config orders/wit2/node.conf --check
chmod 600 tls.key
"$http" --config orders/wit2/node.conf >https.log 2>&1 &
started+=($!)
over_tls() { [ "$(status_of --cacert tls.crt "https://$net.3:8443/health")" = 200 ]; }
verdict 'HTTPS' await over_tls
is 'health is open' 200 --cacert tls.crt "https://$net.3:8443/liveness"
is 'reading wants a token' 401 --cacert tls.crt "https://$net.3:8443/status"
is 'any token' 200 --cacert tls.crt -H "$(bearer "$viewer")" "https://$net.3:8443/status"
is 'an order over TLS reaches the members' 503 --cacert tls.crt -d '{}' -H "$(bearer "$operator")" "https://$net.3:8443/pause"
is 'without TLS nobody is served' 000 "http://$net.3:8443/health"
is 'old TLS is refused' 000 --cacert tls.crt --tls-max 1.1 "https://$net.3:8443/health"
is 'another certificate is noticed' 000 "https://$net.3:8443/health"
url=https://$net.3:8443
slow=()
for i in $(seq 300); do exec {fd}<>"/dev/tcp/$net.3/8443" && slow+=("$fd") && printf '\x16\x03\x01' >&"$fd"; done
is 'handshakes that never end keep nobody out' 200 --cacert tls.crt "$url/health"
for fd in "${slow[@]}"; do exec {fd}>&-; done
is 'and it is still there' 200 --cacert tls.crt "$url/health"

# Client certificates: who is certified, and listed, needs no token.
by() { # what, status, whose certificate, curl's arguments...
    is "$1" "$2" --cacert tls.crt --cert "$3.crt" --key "$3.key" "${@:4}"
}
by 'a certificate of one who is listed' 200 viola "$url/status"
by 'and orders as its role may: not' 403 viola -d '{}' "$url/pause"
by 'an order by certificate reaches the members' 503 carl -d '{"reason":"test"}' "$url/pause"
by 'an operator is no admin' 403 carl -d '{}' "$url/failover/trigger"
by 'a certificate of one who is not listed' 401 nobody -d '{}' "$url/pause"
verdict 'and it is said why' says '.error.message | test("no line for")'
by "another authority's certificate" 401 forged -d '{}' "$url/pause"
by 'health is open to it all the same' 200 forged "$url/liveness"
by 'a certificate of a server' 401 server -d '{}' "$url/pause"
by 'one that has expired' 401 expired -d '{}' "$url/pause"
verdict 'and it is said so' says '.error.message | test("expired")'
by 'one with two names' 401 double -d '{}' "$url/pause"
by 'a token says more than a certificate' 403 carl -H "$(bearer "$viewer")" -d '{}' "$url/pause"
by 'a wrong token is not made good by one' 401 carl -H "$(bearer nonsense-that-is-long-enough)" -d '{}' "$url/pause"
by 'an order that a page made a browser give' 403 carl -H 'Origin: https://elsewhere.example' -d '{}' "$url/pause"
logged() { jq -es --arg a "$1" --arg m "$2" 'any(."event.action" == $a and (.message | test($m)) and ."@timestamp")' https.log >/dev/null; }
verdict 'the order is logged with name, role and time' logged http-order '^carl [(]operator, by certificate[)] from 127[.].*: pause'
verdict 'and what was refused' logged http-refused '^POST /pause from 127[.].*: no authority of http_client_ca'
