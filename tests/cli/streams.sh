# Streams that are closed, or take nothing: never a success that was none, and never a file in the place of the log.
saved=$here/recorded
programs=(pgmesh pgmesh-node pgmesh-guard pgmesh-witness)
[ ! -x "$build/pgmesh-http" ] || programs+=(pgmesh-http)

# What, the exit code wanted, a piece of what is said on standard error ("" none); then a command line for a shell.
ends() {
    local code=0
    LC_ALL=C bash -c "$4" 2>said.txt || code=$?
    if [ "$code" != "$2" ]; then
        not_ok "$1" "exit code $code, not $2: $(tr '\n' ' ' <said.txt)"
    elif [ -n "$3" ] && ! grep -qF -- "$3" said.txt; then
        not_ok "$1" "it says: $(tr '\n' ' ' <said.txt)"
    else
        ok "$1"
    fi
}

for program in "${programs[@]}"; do
    for option in --help --version; do
        piece='No space left on device'
        [ "$program" != pgmesh-guard ] || piece=''
        ends "$program $option on a full disk" 1 "$piece" "'$build/$program' $option >/dev/full"
        ends "$program $option, output closed" 1 '' "'$build/$program' $option >&-"
    done
done
"$pgmesh" init --open-root-key --cluster orders --out orders --member db1,database,fra,10.0.0.1:7400 --member wit1,witness,lux,10.0.0.3:7400 \
    --member db2,database,ams,10.0.0.2:7400 >/dev/null 2>&1
ends 'a check that nobody reads: node' 1 'standard output' "'$build/pgmesh-node' --config orders/db1/node.conf --check >/dev/full"
ends 'a check that nobody reads: witness' 1 'standard output' "'$witness' --config orders/wit1/node.conf --check >/dev/full"
[ ! -x "$build/pgmesh-http" ] ||
    ends 'a token that nobody got' 1 'standard output' "'$build/pgmesh-http' --make-token alice:admin >/dev/full"
for command in status members links ready 'simulate cut fra' 'watch --count 1' 'completion members'; do
    for form in text json; do
        ends "$command as $form on a full disk" 1 'standard output' \
            "'$pgmesh' $command --output $form --from '$saved/healthy.json' >/dev/full"
    done
done
for line in 'config sample' 'config show orders/db1/node.conf' 'config check orders/db1/node.conf' 'completion bash' help 'status --help' \
    "why --from '$saved/why.json' --cluster-file '$saved/cluster' --report" "why --from '$saved/why.json' --cluster-file '$saved/cluster' --output json"; do
    ends "$line on a full disk" 1 'standard output' "'$pgmesh' $line >/dev/full"
    ends "$line, output closed" 1 'standard output' "'$pgmesh' $line >&-"
done
ends 'a failure keeps its own code' 6 'has no member' "'$pgmesh' simulate lose db9 --output json --from '$saved/healthy.json' >/dev/full"
ends 'a reader that goes away ends it' 0 '' "'$pgmesh' config sample | head -1 >/dev/null"
ends 'input closed' 0 '' "'$pgmesh' status --from '$saved/healthy.json' <&- >/dev/null"
ends 'input closed, and wanted' 1 'holds no answer of a member' "'$pgmesh' status --from - <&-"
ends 'all closed' 3 '' "'$pgmesh' status --control nobody.sock <&- >&- 2>&-"

# A member that is started with its descriptors closed: what it says goes nowhere, and into no file of its own.
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
"$pgmesh" init --open-root-key --cluster closed --out closed --member "db1,database,fra,$net.1:7400" --member "wit1,witness,lux,$net.2:7400" \
    --member "wit2,witness,ams,$net.3:7400" --set realtime=off --set log_level=debug >/dev/null 2>&1
"$witness" --config closed/wit1/node.conf <&- >&- 2>&- &
started+=($!)
verdict 'a member without descriptors answers' await "$pgmesh" members --config closed/wit1/node.conf
for fd in 0 1 2; do
    verdict "its descriptor $fd is no file" [ "$(readlink "/proc/${started[0]}/fd/$fd")" = /dev/null ]
done
"$pgmesh" members --config closed/wit1/node.conf --output json >/dev/null
kill "${started[0]}"
wait "${started[0]}" 2>/dev/null
verdict 'its journal holds nothing else' [ -z "$(grep -avE '^[0-9]{4}-[0-9-]+T[0-9:.]+Z (event|decided) ' closed/wit1/state/journal)" ]
"$witness" --config closed/wit1/node.conf >again.log 2>&1 &
started=($!)
verdict 'and its votes are whole' await "$pgmesh" members --config closed/wit1/node.conf
verdict 'as it says itself' [ -z "$(grep -E 'store-lost|damaged' again.log)" ]
