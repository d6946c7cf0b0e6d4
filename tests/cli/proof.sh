# What of a certificate is proven: each byte of a recorded one is changed. Then it does not verify, or nothing that is shown
# changes, or what changes is shown as not proven.
saved=$here/recorded
certificate=$(jq -r .certificate "$saved/handover.json")
before=$(jq -r .certificate_before "$saved/handover.json")
look() { # certificates..., the option of the output
    printf '%s\n' "${@:1:$#-1}" >cert
    run why --certificate cert --cluster-file "$saved/handover.cluster" ${!#}
}
shown='del(.certificate, .certificate_before)'
# Of what hangs on who was the primary before, the rest.
rest='del(.certificate, .certificate_before, .from, .kind, .seals[].not_chosen_because)'

look "$certificate" "$before" --output=json
holds 'with the certificate from before all is proven' '.valid and .voters_proven and .from == "db2" and .from_proven and .kind_proven and .not_proven == []'
run why --from "$saved/handover.json" --cluster-file "$saved/handover.cluster" --output json
holds 'a saved document brings it along' '.valid and .from_proven and .kind_proven and .not_proven == [] and .certificate_before != null'
look "$certificate" --output=json
holds 'without it the primary before is not' '.valid and .from == "db2" and (.from_proven or .kind_proven | not) and (.not_proven | length == 1)'
same=$(jq -cS "$shown" <<<"$out")
same_rest=$(jq -cS "$rest" <<<"$out")
look "$certificate" --output=text
verdict 'and that is said beside the name' grep -q 'db2 (not proven) → db3' <<<"$out"
verdict 'and in a sentence' grep -q '^  unproven who was the primary before: .*no certificate of term 2 is at hand' <<<"${out//$'\n'          / }"
look "$certificate" --report
verdict 'in a report, too' grep -q '^| Not proven | who was the primary before' <<<"$out"

# ---- each byte
flip() { # place of the byte, the certificate
    local digit=${2:2 * $1 + 1:1}
    printf '%s%x%s' "${2:0:2 * $1 + 1}" $((16#$digit ^ 1)) "${2:2 * $1 + 2}"
}
believed=() misleading=()
for ((i = 0; i < ${#certificate} / 2; i++)); do
    look "$(flip "$i" "$certificate")" --output=json
    [ "$code" = 0 ] || continue
    believed+=("$i")
    [ "$(jq -cS "$shown" <<<"$out")" = "$same" ] && continue
    jq -e '.from_proven or .kind_proven' <<<"$out" >/dev/null || [ "$(jq -cS "$rest" <<<"$out")" = "$same_rest" ] && continue
    misleading+=("$i")
done
verdict 'no changed byte misleads' [ "${#misleading[@]} ${misleading[*]}" = '0 ' ]
# former, and the eight bytes of former_dir
verdict 'those that verify are of the primary before' [ "${#believed[@]}" = 9 ]
believed_then=()
for i in "${believed[@]}"; do
    changed=$(flip "$i" "$certificate")
    look "$changed" --output=text
    grep -q ' (not proven) → ' <<<"$out" || not_ok "byte $i is shown as not proven" "${out%%$'\n'*}"
    look "$changed" "$before" --output=json
    [ "$code" != 0 ] || believed_then+=("$i")
done
verdict 'with the certificate from before none verifies' [ "${#believed_then[@]} ${believed_then[*]}" = '0 ' ]

# ---- what is at hand from before
last=$((${#before} / 2 - 1))
look "$certificate" "$(flip "$last" "$before")" --output=json
holds 'one from before that does not hold proves nothing' '.valid and (.from_proven | not) and (.not_proven[0] | contains("does not hold"))'
look "$certificate" "$certificate" --output=json
holds 'nor does the same once more' '.valid and (.from_proven | not) and (.not_proven[0] | contains("is of term 3"))'
printf '%s\n' "$certificate" abc >cert
expect 'a second line that is none' 1 'this is no certificate' why --certificate cert --cluster-file "$saved/handover.cluster"

printf '%s\n' "$certificate" "$before" "$before" >cert
expect 'further ones from before may follow' 0 '' why --certificate cert --cluster-file "$saved/handover.cluster"
printf '%s\n' "$certificate" "$before" abc >cert
expect 'and a third line that is none' 1 'this is no certificate' why --certificate cert --cluster-file "$saved/handover.cluster"

# ---- term 2: the first record, which the root signed, names the primary before
run why --from "$saved/why.json" --cluster-file "$saved/cluster" --output json
holds 'the first record proves who was before' '.valid and .voters_proven and .from == "db1" and .from_proven and .kind_proven'
jq -r .certificate "$saved/why.json" >first
for i in 321 334 336 343; do # takeover, former, former_dir
    flip "$i" "$(cat first)" >cert
    expect "the first record denies another byte $i" 1 '' why --certificate cert --cluster-file "$saved/cluster"
done

# ---- a change
mapfile -t of_two < <(sed -n 's/^[^ ]* decided 2 [0-9]* //p' "$saved/journal")
printf '%s\n' "${of_two[1]}" >cert
run why --certificate cert --cluster-file "$saved/cluster" --output json
holds 'that nobody took over is not proven' '.valid and .kind == "change" and (.kind_proven | not) and (.not_proven | length == 1)'
printf '%s\n' "${of_two[1]}" "${of_two[0]}" >cert
run why --certificate cert --cluster-file "$saved/cluster" --output json
holds 'but with an earlier one of its term it is' '.valid and .kind_proven and .not_proven == []'
