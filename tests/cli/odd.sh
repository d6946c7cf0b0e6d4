# Arguments that nobody means: each is answered by an exit code of the documented ones, and as JSON by one JSON document.
exceptions='completion|config' # text only, as docs/reference-json.md says: their complaints are JSON all the same
long=$(head -c 100000 /dev/zero | tr '\0' x)
printf 'control = %s\n' "$PWD/nobody.sock" >nobody.conf
printf '\xff\xfe = \x80\n' >bytes.conf
: >empty
mkfifo pipe
commands='status ready watch simulate why switchover failover member operator config recover root init'
looking='status members links ready watch simulate why why-not history where completion'

quietly() { "$@" >/dev/null 2>&1; }
odd() { # what, arguments of each command
    local what=$1 command document bad='' once
    shift
    for command in $commands; do
        once=()
        [ "$command" != watch ] || once=(--count 1)
        document=$(timeout 10 setsid -w "$pgmesh" "$command" "${once[@]}" "$@" --output json 2>err.txt </dev/null)
        code=$?
        if [ "$code" -gt 9 ]; then
            bad+=" $command ends with $code;"
        elif [ "$code" != 0 ] && ! jq -e 'type == "object"' >/dev/null 2>&1 <<<"$document"; then
            bad+=" $command as JSON: ${document:0:80};"
        elif [ "$code" != 0 ] && [ "$(jq -s length <<<"$document")" != 1 ]; then
            bad+=" $command: not one document;"
        elif [ "$code" = 0 ] && ! [[ $command =~ ^($exceptions)$ ]] && ! jq -e . >/dev/null 2>&1 <<<"$document"; then
            bad+=" $command succeeds without JSON: ${document:0:80};"
        fi
    done
    if [ -z "$bad" ]; then ok "$what"; else not_ok "$what" "$bad"; fi
}
odd 'nothing at all' --config nobody.conf
odd 'a word that is no UTF-8' $'\xff\xfe' --config nobody.conf
odd 'three words, one of them with a new line' add $'db4\nrole' $'\e[2J' --config nobody.conf
odd 'an empty word' '' --config nobody.conf
odd 'a word that is long' "$long" --config nobody.conf
odd 'no option of that name, no UTF-8' $'--\xc3' --config nobody.conf
odd 'an option that is long' "--$long" --config nobody.conf
odd 'a time limit that is no number' --timeout nan --config nobody.conf
odd 'a time limit without end' --timeout 1e999 --config nobody.conf
odd 'an empty time limit' --timeout= --config nobody.conf
odd 'a configuration that is a folder' --config "$PWD"
odd 'a configuration that is empty' --config empty
odd 'a configuration that is none' --config bytes.conf
odd 'a configuration of a name that is no UTF-8' --config $'\xff.conf'
odd 'a socket with a long name' --control "/$long"
odd 'a socket without a name' --control ''
odd 'a socket that is a file' --control empty
odd 'a socket that is a folder' --control "$PWD"
commands=$looking # the others take no document
odd 'a document that is a folder' --from "$PWD"
odd 'a document that is empty' --from empty
odd 'a document that is no UTF-8' --from bytes.conf
for what in null '[]' 1 '"x"' '{}' '{"members":null}' '{"members":[null,1,"x",{}]}' '{"status":{},"history":{},"events":{},"why":{}}' \
    '{"history":[null,{"term":"x"}],"events":[1,{}],"certificate":7,"members":{"a":1}}' \
    '{"certificate":"zz","cluster":[],"primary":{},"term":-1,"members":[{"name":7,"hears":[[]]}]}'; do
    printf '%s' "$what" >document
    odd "a document: $what" --from document
done
jq '.members[].name |= . * 400 | .cluster |= . * 4000' "$here/recorded/healthy.json" >document
odd 'names without end' --from document
jq '.members = [range(500) as $i | .members[$i % (.members | length)] | .name += "\($i)"]' "$here/recorded/healthy.json" >document
odd 'members without number' --from document
jq 'walk(if type == "number" then 1e18 else . end)' "$here/recorded/healthy.json" >document
odd 'numbers without bounds' --from document
jq 'walk(if type == "number" then -9223372036854775808 else . end)' "$here/recorded/healthy.json" >document
odd 'negative numbers' --from document

# What is saved and looked at later is the same in every shell.
for zone in Asia/Tokyo America/St_Johns nonsense; do
    verdict "TZ=$zone changes nothing" cmp -s <("$pgmesh" status --from "$here/recorded/healthy.json") <(TZ=$zone "$pgmesh" status --from "$here/recorded/healthy.json")
done
for words in TERM= TERM=nonsense COLUMNS=-5 COLUMNS=0 COLUMNS=99999999999999999999 COLUMNS=x HOME= PATH= LANG=tr_TR.UTF-8 LC_ALL=de_DE.UTF-8; do
    verdict "$words does no harm" quietly env "$words" "$pgmesh" status --from "$here/recorded/healthy.json"
done
expect 'why: a term beyond all numbers' 2 'is no term' why 99999999999999999999 --control nobody.sock
expect 'drill: a limit beyond all numbers' 2 'is no time limit' drill --settle 99999999999 --control nobody.sock
expect 'drill: a limit with a rest' 2 'is no time limit' drill --settle 5x --control nobody.sock
expect 'a verb of a script' 2 'Here it is called "ready"' check
expect 'a verb of patronictl' 2 'Here it is called "status"' list

# The daemons: a configuration that is none.
for program in pgmesh-node pgmesh-witness pgmesh-http; do
    [ -x "$build/$program" ] || continue
    for file in "$PWD" empty bytes.conf pipe /dev/null /dev/zero $'\xff.conf' "$long" ''; do
        code=0
        timeout 10 "$build/$program" --config "$file" >/dev/null 2>said.txt </dev/null || code=$?
        case $code in
            1 | 78) ok "$program: --config $(printf %q "${file:0:20}")" ;;
            *) not_ok "$program: --config $(printf %q "${file:0:20}")" "exit code $code: $(head -c 200 said.txt)" ;;
        esac
    done
done
