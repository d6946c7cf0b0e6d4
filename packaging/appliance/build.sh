#!/usr/bin/env bash
# `make appliance`: the witness as a bootable image and as an OCI image.
#
#     packaging/appliance/build.sh [FOLDER]          default: build/appliance
#
#     pgmesh-witness.iso        for BIOS and UEFI, as a CD or written to a disk; runs from memory
#     vmlinuz, initrd           the same for a hypervisor that boots a kernel itself
#     pgmesh-witness-oci.tar    an OCI image layout
#
# The kernel is Debian's for cloud machines (virtio, Xen, Hyper-V, VMware's and the big clouds' devices). Its drivers that are
# modules are all there that a voter may need; init loads those that the machine's devices ask for, by their aliases. In the system lie
# BusyBox, the witness, the inspector, their libraries, and init; nothing else, and nothing of it listens but the witness.
# Two builds of one commit give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${PGMESH_BUILD:-build/default}
out=${1:-build/appliance}
here=packaging/appliance
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)} LC_ALL=C TZ=UTC
mkdir -p "$out"
out=$(cd "$out" && pwd)
root=$out/root
modules=(virtio_pci virtio_mmio virtio_blk virtio_scsi virtio_net virtio-rng sd_mod sr_mod ata_piix ata_generic isofs vfat nls_cp437 nls_ascii
         hv_vmbus hv_netvsc hv_storvsc pci-hyperv mana xen-blkfront xen-netfront xen-scsifront vmxnet3 vmw_pvscsi ixgbevf ena gve)
# Both consoles: a screen for people, a serial line for hypervisors. The kernel's ciphers are used for the checksums of the votes' file
# system and the signatures of modules: their self-tests and the search for the BIOS's idea of disks are not worth their time.
arguments='quiet console=tty0 console=ttyS0 panic=10 net.ifnames=0 cryptomgr.notests edd=off'

say() { printf 'appliance: %s\n' "$*"; }
fail() { printf 'appliance: ERROR:  %s\nDETAIL:  %s\nHINT:  %s\n' "$@" >&2; exit 1; }
[ -x "$bin/pgmesh-witness" ] || fail 'the witness is not built' "There is no $bin/pgmesh-witness." 'Run make first.'

# Debian's kernel package, unpacked and not installed; kept for the next build.
kernel() {
    local package version deb
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)
    version=$(apt-cache policy "$package" | sed -n 's/^ *Candidate: //p')
    deb=$out/cache/${package}_${version//:/%3a}_amd64.deb
    if [ ! -s "$deb" ]; then
        say "fetching $package $version"
        mkdir -p "$out/cache"
        (cd "$out/cache" && apt-get -qq -o APT::Sandbox::User=root download "$package") ||
            fail 'the kernel could not be fetched' "apt-get download $package failed." 'Check that the sources of apt are reachable.'
    fi
    if [ ! -e "$out/kernel/$version" ]; then
        rm -rf "$out/kernel"
        dpkg -x "$deb" "$out/kernel"
        : >"$out/kernel/$version"
    fi
    release=$(basename "$out"/kernel/lib/modules/*)
    depmod -b "$out/kernel" "$release"
}

# A program with every library that it is linked with.
install_program() { # program, where
    local library
    install -D -m 755 "$1" "$root$2"
    { ldd "$1" 2>/dev/null || :; } | sed -n 's/.*=> \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*ld-[^ ]*\) .*/\1/p' |
        while read -r library; do
            [ -e "$root$library" ] || install -D -m 755 "$(readlink -f "$library")" "$root$library"
        done
}
install_modules() {
    local module path
    for module in "${modules[@]}"; do
        path=$(modprobe -d "$out/kernel" -S "$release" --show-depends "$module" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p')
        [ -n "$path" ] || fail "the kernel has no module $module" "modprobe --show-depends $module names nothing." 'Is this kernel another one?'
        printf '%s\n' "$path"
    done | sort -u >"$out/modules"
    while read -r path; do install -D -m 644 "$path" "$root/${path#"$out/kernel/"}"; done <"$out/modules"
    ln -s ../bin/busybox "$root/sbin/modprobe"
    cp "$out/kernel/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$release/"
    depmod -b "$root" "$release"
    rm -f "$root/lib/modules/$release"/modules.*.bin "$root/lib/modules/$release"/modules.{builtin,builtin.*,order,devname,softdep}
}
users() { # etc
    mkdir -p "$1"
    printf 'root:x:0:0::/:/bin/false\npgmesh:x:900:900::/:/bin/false\n' >"$1/passwd"
    printf 'root:x:0:\npgmesh:x:900:\n' >"$1/group"
}

make_root() {
    rm -rf "$root"
    mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,votes,sbin,usr/bin}
    install -m 755 "$(command -v busybox)" "$root/bin/busybox"
    for applet in $("$root/bin/busybox" --list); do [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"; done
    rm -f "$root"/bin/{telnetd,httpd,tftp,ftpput,ftpget,setpriv} # nothing that listens
    install_program "$bin/pgmesh-witness" /usr/bin/pgmesh-witness
    install_program "$bin/pgmesh" /usr/bin/pgmesh
    install_program "$(command -v setpriv)" /usr/bin/setpriv
    install_program "$(command -v mke2fs)" /sbin/mke2fs
    find "$root" -type f -perm -u+x -size +20k -exec strip --strip-unneeded {} + 2>/dev/null || :
    install_modules
    users "$root/etc"
    printf '%s\n' "$("$bin/pgmesh-witness" --version)" >"$root/etc/release"
    install -m 755 $here/init "$root/init"
    install -m 755 $here/udhcpc.sh "$root/etc/udhcpc.sh"
    install -m 644 $here/say.sh "$root/etc/say.sh"
    find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

make_initrd() {
    (cd "$root" && find . | sort | cpio --quiet --reproducible -R 0:0 -o -H newc) | zstd -q -10 -f -o "$out/initrd"
    cp "$out"/kernel/boot/vmlinuz-* "$out/vmlinuz"
    touch -d "@$SOURCE_DATE_EPOCH" "$out/initrd" "$out/vmlinuz"
}

# GRUB with what it needs inside and nothing to search for: its own modules would be read one by one. It is told to start the kernel by
# the firmware's own way, the 16-bit entry or the EFI stub: its 32-bit way first copies the 54 MB that an unpacked kernel wants, byte
# by byte, which takes seconds under emulation.
make_iso() {
    local tree=$out/iso id efi=efi
    id=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d-%H-%M-%S-00)
    rm -rf "$tree"
    mkdir -p "$tree/boot"
    cp -p "$out/vmlinuz" "$out/initrd" "$tree/boot/"
    [ -e /usr/lib/grub/x86_64-efi/linuxefi.mod ] || efi= # newer ones need no word of their own for it
    printf '%s\n' "linux16 /boot/vmlinuz $arguments" 'initrd16 /boot/initrd' boot >"$out/bios.cfg"
    printf '%s\n' "search.fs_uuid $id root" "linux$efi /boot/vmlinuz $arguments" "initrd$efi /boot/initrd" boot >"$out/efi.cfg"
    grub-mkimage -O i386-pc-eltorito -p /boot -c "$out/bios.cfg" -o "$tree/boot/bios.img" biosdisk iso9660 linux16
    grub-mkimage -O x86_64-efi -p /boot -c "$out/efi.cfg" -o "$out/bootx64.efi" iso9660 search_fs_uuid "linux$efi"
    find "$tree" "$out/bootx64.efi" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    mformat -C -i "$tree/boot/efi.img" -f 1440 -N 70676d77 ::
    mmd -i "$tree/boot/efi.img" ::/EFI ::/EFI/BOOT
    mcopy -m -i "$tree/boot/efi.img" "$out/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
    xorriso -as mkisofs -quiet -r -o "$out/pgmesh-witness.iso" -b boot/bios.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
        --grub2-mbr /usr/lib/grub/i386-pc/boot_hybrid.img --protective-msdos-label --efi-boot boot/efi.img -efi-boot-part --efi-boot-image "$tree" \
        -- -volid PGMESHWITNESS -volume_date all_file_dates "=$SOURCE_DATE_EPOCH" -volume_date uuid "${id//-/}" >"$out/xorriso.log" 2>&1 ||
        { tail -n 5 "$out/xorriso.log" >&2; fail 'the image could not be made' 'xorriso failed, see above.' 'packaging/install-deps.sh appliance'; }
}

# ---- OCI image layout (image-spec 1.0): one layer with the witness and its libraries -----------------------------------

blob() { # file: into the layout by its digest; prints it
    local digest
    digest=$(sha256sum "$1" | cut -d ' ' -f 1)
    mv "$1" "$oci/blobs/sha256/$digest"
    printf '%s' "$digest"
}
size_of() { stat -c %s "$oci/blobs/sha256/$1"; }
pack() { tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar -C "$1" -cf - .; }
make_oci() {
    local oci=$out/oci whole=$root layer diff config manifest
    root=$out/oci-root
    rm -rf "$oci" "$root"
    mkdir -p "$oci/blobs/sha256" "$root/votes" "$root/tmp"
    install_program "$bin/pgmesh-witness" /usr/bin/pgmesh-witness
    install_program "$bin/pgmesh" /usr/bin/pgmesh
    find "$root" -type f -perm -u+x -exec strip --strip-unneeded {} + 2>/dev/null || :
    users "$root/etc"
    pack "$root" >"$out/layer.tar"
    diff=$(sha256sum "$out/layer.tar" | cut -d ' ' -f 1)
    gzip -n -9 -f "$out/layer.tar"
    layer=$(blob "$out/layer.tar.gz")
    jq -cn --arg diff "sha256:$diff" --arg created "$(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)" '
        {created: $created, architecture: "amd64", os: "linux", rootfs: {type: "layers", diff_ids: [$diff]},
         config: {User: "900:900", Entrypoint: ["/usr/bin/pgmesh-witness"], Cmd: ["--config", "/votes/node.conf"], Volumes: {"/votes": {}}}}' >"$out/config.json"
    config=$(blob "$out/config.json")
    jq -cn --arg c "$config" --argjson cs "$(size_of "$config")" --arg l "$layer" --argjson ls "$(size_of "$layer")" '
        {schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
         config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: "sha256:\($c)", size: $cs},
         layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: "sha256:\($l)", size: $ls}]}' >"$out/manifest.json"
    manifest=$(blob "$out/manifest.json")
    jq -cn --arg m "$manifest" --argjson ms "$(size_of "$manifest")" '
        {schemaVersion: 2, manifests: [{mediaType: "application/vnd.oci.image.manifest.v1+json", digest: "sha256:\($m)", size: $ms,
         platform: {architecture: "amd64", os: "linux"}, annotations: {"org.opencontainers.image.ref.name": "pgmesh-witness"}}]}' >"$oci/index.json"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$oci/oci-layout"
    pack "$oci" >"$out/pgmesh-witness-oci.tar"
    root=$whole
}

kernel
say 'gathering the system'
make_root
say 'packing it'
make_initrd
make_iso
make_oci
(cd "$out" && ls -l pgmesh-witness.iso vmlinuz initrd pgmesh-witness-oci.tar | awk '{ printf "%-26s %6.1f MiB\n", $NF, $5 / 1048576 }')
