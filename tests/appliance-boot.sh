#!/usr/bin/env bash
# How long the witness appliance takes from power on to its first vote, and where that time goes.
#
#     tests/appliance-boot.sh [HOW...]      cd disk uefi-cd uefi-disk kernel        default: cd disk uefi-cd
#
# A mesh of two databases runs already, and its primary tells who grants it the lease; the machine is emulated in software. The first
# boot makes the votes' disk and takes the seed, the others find their votes. A measured figure is no test: the exit status tells only
# whether it voted each time.
. "$(dirname "$0")/live/lib.sh"
. "$(dirname "$0")/live/appliance.sh"
live_begin appliance-boot
image=${APPLIANCE:-build/appliance/pgmesh-witness.iso}
must 'the image is built (make appliance)' [ -s "$image" ]
[ $# -gt 0 ] || set -- cd disk uefi-cd

granted_by() { status "$(primary)" | jq -e --argjson voters "$1" '.grants == $voters' >/dev/null 2>&1; }
how() { # cd ...
    case $1 in
        cd) as_cd ;;
        disk) as_disk ;;
        uefi-cd) by_uefi; as_cd ;;
        uefi-disk) by_uefi; as_disk ;;
        kernel) as_kernel ;;
        *) echo "appliance-boot: ERROR:  there is no way to boot called \"$1\"" >&2; return 1 ;;
    esac
}

member db1 database fra
member db2 database ams
member wit1 witness lux listen=0.0.0.0:7400
live_network
live_init --durability sync
appliance_seed
start db1 db2
must 'the databases are up' await 60 granted_by 2
for way in "$@"; do
    how "$way" >"$work/how"
    [ "$boots" -gt 0 ] || with_seed >>"$work/how"
    mapfile -t options <"$work/how"
    power_on "${options[@]}"
    must "$way: it votes" await 200 granted_by 3
    phases
    crash wit1
    await 20 granted_by 2 || :
done
