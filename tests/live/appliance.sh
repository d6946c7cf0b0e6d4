# shellcheck shell=bash
# appliance.sh: the witness appliance in a virtual machine as the host wit1 of tests/live/lib.sh. To be sourced after it.
#
#     appliance_seed                       the medium with wit1's folder, and an empty disk for its votes
#     power_on OPTIONS of QEMU...          a software-emulated machine; what it writes on its serial line is in console-N.txt,
#                                          the lines of interest behind the time (microseconds) and the processor's (ms)
#     phases                               where the time from power on until now, to the first vote, went
#
# Its network is that of the host wit1: what the machine sends leaves from there, and the mesh's port there leads to it.

boots=0 powered_us=0
appliance_seed() {
    mkdir -p "$work/seed"
    cp -r "$work/mesh/wit1" "$work/seed/wit1"
    xorriso -as mkisofs -quiet -R -V PGMESHSEED -o "$work/seed.iso" "$work/seed" >/dev/null 2>&1
    votes=$work/votes.img
    truncate -s 64M "$votes"
}

# Software emulation, always: a /dev/kvm that exists may still not work. The firmware's own words come by port 0x402.
power_on() { # what to boot, more options of QEMU
    console=$work/log/console-$((++boots)).txt
    : >"$work/emulator"
    powered_us=$(now_us)
    on_host wit1 qemu-system-x86_64 -accel tcg,thread=single -cpu max -m 256 -display none -no-reboot \
        -serial stdio -chardev file,id=firmware,path=/dev/fd/3 -device isa-debugcon,iobase=0x402,chardev=firmware \
        -drive "file=$votes,format=raw,if=virtio" -netdev "user,id=n,hostfwd=tcp:${ADDRESS[wit1]}:7400-:7400" \
        -device virtio-net-pci,netdev=n,romfile= -netdev user,id=second,net=10.0.5.0/24 -device virtio-net-pci,netdev=second,romfile= \
        "$@" </dev/null 2>>"$work/log/qemu.txt" > >(stamped >>"$console") 3> >(stamped >>"$console") &
    PID[wit1]=$!
    echo "${PID[wit1]}" >"$work/emulator"
    disown
}
now_us() { printf '%s' "${EPOCHREALTIME/[.,]/}"; }
spent_ms() { # what the emulator has used of the processors: on a busy machine less than the time that has passed
    awk '{ sub(/.*\) /, ""); print ($12 + $13) * 10 }' "/proc/$(<"$work/emulator")/stat" 2>/dev/null || echo 0
}
stamped() {
    local line
    while IFS= read -r line; do
        case $line in
            *'Booting from'* | *BdsDxe* | *'[ '*'] '*) printf '%s %s %s\n' "$(now_us)" "$(spent_ms)" "$line" ;;
            *) printf -- '- - %s\n' "$line" ;;
        esac
    done
}
with_seed() { printf '%s\n' -drive "file=$work/seed.iso,format=raw,if=virtio,readonly=on"; }
as_cd() { printf '%s\n' -boot d -cdrom "$image"; }
as_disk() { printf '%s\n' -drive "file=$image,format=raw,if=none,id=image,readonly=on" -device virtio-blk-pci,drive=image,bootindex=0; }
as_kernel() { printf '%s\n' -kernel "${image%/*}/vmlinuz" -initrd "${image%/*}/initrd" -append 'quiet console=ttyS0 net.ifnames=0 cryptomgr.notests'; }
by_uefi() {
    cp "${OVMF_VARS:-/usr/share/OVMF/OVMF_VARS_4M.fd}" "$work/nvram"
    printf '%s\n' -drive "if=pflash,format=raw,readonly=on,file=${OVMF:-/usr/share/OVMF/OVMF_CODE_4M.fd}" -drive "if=pflash,format=raw,file=$work/nvram"
}

# When the console first said it (microseconds), and what was spent until then (milliseconds); or nothing.
said() { { grep -a -m 1 -e "$1" "$console" || :; } | cut -d ' ' -f 1,2; } # regular expression
# The kernel's clock starts with it, so its first line tells when that was.
kernel_us() {
    { grep -a -m 1 -e 'The kernel has started' "$console" || :; } | awk '{ at = $1; split($0, part, /[][]/); printf "%.0f\n", at - part[2] * 1000000 }'
}
phases() {
    local name at cpu before=$powered_us spent=0 voted
    voted=$(now_us)
    while read -r name at cpu; do
        [ -n "$at" ] && [ "$at" -le "$voted" ] || continue
        printf '#   %-40s %6d ms %10s\n' "${name//_/ }" $(((at - before) / 1000)) "${cpu:+$((cpu - spent)) ms}"
        before=$at spent=${cpu:-$spent}
    done <<END
firmware $(said 'Booting from\|BdsDxe: starting')
boot_loader,_kernel_unpacked $(kernel_us)
kernel_(processor:_with_the_loader) $(said 'The kernel has started')
init:_drivers,_votes $(said 'The votes are on')
init:_seed,_network $(said 'The witness starts')
witness,_until_it_answers $(said 'The witness is ready')
the_first_vote $voted $(spent_ms)
END
    printf '#   %-40s %6d ms %10s\n' 'power on to the first vote' $(((voted - powered_us) / 1000)) "$(spent_ms) ms"
}
