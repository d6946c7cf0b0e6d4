#!/usr/bin/env bash
# Builds the rpm packages twice, reads them, and installs and erases them with their scripts in a clean Debian 12 root (root only).
# What this cannot show stands in docs/install.md: they have never met EL or Fedora.
# shellcheck source=packaging/lib.sh
. "$(dirname "$0")/lib.sh"

out=$work/rpm
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
packages=(pgmesh-common pgmesh-node pgmesh-witness pgmesh-http pgmesh)

rpm_of() { find "$out" -name "$1-$version-*.rpm" ! -name "*.src.rpm"; } # package
query() { rpm -qp "$@" 2>/dev/null; }

same_bytes() {
    local file
    packaging/rpm/build.sh "$work/rpm-again/elsewhere" >/dev/null
    for file in "$out"/*.rpm; do
        cmp "$file" "$work/rpm-again/elsewhere/${file##*/}" || return 1
    done
    rm -rf "$work/rpm-again"
}

contents() {
    local row
    expect 'rpmlint has no errors' empty "$(rpmlint -c packaging/rpm/rpmlint.toml "$out"/*.rpm packaging/rpm/pgmesh.spec 2>&1 | grep ': E: ' || :)"
    expect 'a source rpm goes with them' test -s "$out/pgmesh-$version-1.el9.src.rpm"
    expect 'and knows no path of this machine' empty "$(query --xml "$out"/*.src.rpm | grep -F "$work" || :)"
    expect 'the witness wants no libpq' empty "$(query --requires "$(rpm_of pgmesh-witness)" | grep libpq || :)"
    expect 'nothing is newer than the glibc of EL 9' empty "$(for row in "${packages[@]}"; do query --requires "$(rpm_of "$row")"; done |
        sed -n 's/.*(GLIBC_\([0-9.]*\)).*/\1/p' | sort -uV | awk -F . '$1 > 2 || $2 > 34')"
    for row in 'pgmesh-node reload' 'pgmesh-node stop' 'pgmesh-witness try-restart' 'pgmesh-http try-restart'; do
        expect "the scripts of ${row% *} name what they ${row#* }" grep -q "${row#* } '${row% *}@\*\.service'" <<<"$(query --scripts "$(rpm_of "${row% *}")")"
    done
    expect 'the files are those of the Debian packages' files_as_deb
}

# One product: what is installed may differ in folders of the distribution's own, not in what is there.
files_as_deb() {
    local package
    diff <(for package in "${packages[@]}"; do query -l "$(rpm_of "$package")" | sed "s|^|$package |"; done |
        grep -E '/(bin|man[0-9]|system)/|/share/pgmesh/.*[.]' | sort) \
        <(for package in "${packages[@]}"; do dpkg-deb -c "$(deb "$work/deb" "$package")" | awk '{ print $6 }' | grep -v '/$' | sed "s|^\.|$package |"; done |
            grep -E '/(bin|man[0-9]|system)/|/share/pgmesh/.*[.]' | sed 's| /lib/| /usr/lib/|' | sort) | sed 's/^/# /'
    [ "${PIPESTATUS[0]}" = 0 ]
}

in_root() { rpm --root "$clean" --nodeps --define '_dbpath /var/lib/rpm' "$@"; }

installation() {
    local base package files=()
    [ "$(id -u)" -eq 0 ] || { skip installation 'it needs root'; return; }
    base=$(root small systemd,libcurl3-gnutls,libjansson4,libmicrohttpd12,libpq5,libsodium23,libzmq5) ||
        { skip installation "no Debian 12 root can be made: apt's sources cannot be reached"; return; }
    clean=$(mktemp -d "$work/clean.XXXXXX")
    trap 'rm -rf "$clean"' EXIT
    tar -C "$clean" -xf "$base"
    for package in "${packages[@]}"; do files+=("$(rpm_of "$package")"); done
    expect 'the user is not there before' not quietly chroot "$clean" id -u pgmesh 2>/dev/null
    must 'the packages are installed, scripts and all' in_root -i "${files[@]}"
    expect 'the system user is there' quietly chroot "$clean" id -u pgmesh
    expect 'installing enables nothing' empty "$(find "$clean/etc/systemd" -name 'pgmesh*')"
    chroot "$clean" pgmesh init --open-root-key --cluster orders --out /orders --member db1,database,fra,10.0.1.1:7400 \
        --member db2,database,ams,10.0.2.1:7400 --member wit1,witness,lux,10.0.3.1:7400 >/dev/null
    expect 'a member is installed' quietly chroot "$clean" pgmesh-member add /orders/wit1
    must 'the packages are erased' in_root -e "${packages[@]}"
    expect 'erasing leaves keys and votes' test -s "$clean/etc/pgmesh/wit1/member.key" -a -s "$clean/var/lib/pgmesh/wit1/store"
    expect 'and no program' empty "$(find "$clean/usr/bin" "$clean/usr/lib/systemd" -name 'pgmesh*')"
}

must 'the packages are built' quietly packaging/rpm/build.sh "$out"
[ -e "$work/deb" ] || must 'and those of Debian to compare with' quietly packaging/deb/build.sh "$work/deb"
expect 'a second build yields the same bytes' same_bytes
expect 'the spec knows the version' [ "$(sed -n 's/^Version: *//p' packaging/rpm/pgmesh.spec)" = "$version" ]
contents
installation
exit "$failed"
