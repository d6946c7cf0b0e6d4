#!/usr/bin/env bash
# `make appliance-test`: the witness appliance in a virtual machine (software emulation), as a voter of a real mesh.
. "$(dirname "$0")/live/lib.sh"
. "$(dirname "$0")/live/appliance.sh"
live_begin appliance
image=${APPLIANCE:-build/appliance/pgmesh-witness.iso}
cuts=${APPLIANCE_CUTS:-5}
must 'the image is built (make appliance)' [ -s "$image" ]
expect "the image is at most 64 MiB ($(($(stat -c %s "$image") / 1048576)) MiB)" [ "$(stat -c %s "$image")" -le $((64 << 20)) ]

wit1_is() { status db1 | jq -e --argjson votes "$1" '.members[] | select(.name == "wit1") | .state == "up" and .vote == $votes' >/dev/null 2>&1; }
power_cut() { crash wit1; }

member db1 database fra
member db2 database ams
member db3 database ams
member wit1 witness lux listen=0.0.0.0:7400
member app observer -
live_network
live_init --durability sync
appliance_seed

start db1 db2 db3 app
mapfile -t how < <(as_cd; with_seed)
power_on "${how[@]}"
must 'it boots as a CD, takes the seed, and votes' await 120 wit1_is true
phases
expect 'its second network card has an address as well' await 30 grep -q '10\.0\.5\.15/24' "$work/log/console-1.txt"
must 'the databases come up with it' await 90 whole 2
must 'the application makes its table' make_ledger "$(primary)"
writer_start

# Without the seed from here on: all that it is, is on the disk of its votes. Power fails while it is asked to vote.
mapfile -t how < <(as_cd)
for cut in $(seq "$cuts"); do
    await 60 settled 2 || :
    was=$(primary) before=$(term)
    kill -KILL "$(postmaster_of "$was")"
    sleep "0.0$((cut * 17 % 90 + 9))" # somewhere in the takeover: that is what is tried
    power_cut
    must "cut $cut: the databases go on without it" await 60 primary_is_not ''
    power_on "${how[@]}"
    must "cut $cut: it votes again, with the votes it had" await 120 wit1_is true
    phases
    say "term $before -> $(term)"
done

power_cut
mapfile -t how < <(as_disk)
cp "$image" "$work/newer.iso"
image=$work/newer.iso
mapfile -t how < <(as_disk)
must 'the mesh notices that it is gone' await 30 not wit1_is true
power_on "${how[@]}"
must 'another image, booted as a disk: the votes stay' await 150 wit1_is true
phases

power_cut
rm -f "$votes"
truncate -s 64M "$votes"
mapfile -t how < <(as_cd; with_seed)
power_on "${how[@]}"
must 'its votes are lost: it comes back' await 120 wit1_is false
expect 'and does not vote' never 5 wit1_is true
prove
