# shellcheck shell=bash
# lib.sh: what the tests of the packages share: results, and clean Debian 12 roots. To be sourced by bash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

builddir=${BUILDDIR:-build}
work=$builddir/packages
mkdir -p "$work"
work=$(cd "$work" && pwd)
failed=0

ok() { printf 'ok %s\n' "$1"; }
not_ok() {
    printf 'not ok %s%s\n' "$1" "${2:+: $2}"
    failed=1
}
expect() { # name, command...
    local name=$1
    shift
    if "$@"; then ok "$name"; else not_ok "$name"; fi
}
must() { # as expect, but what follows would be meaningless
    local name=$1
    shift
    "$@" || { not_ok "$name"; exit 1; }
    ok "$name"
}
skip() { printf 'ok %s # SKIP %s\n' "$1" "$2"; }
not() { ! "$@"; }
quietly() { "$@" >/dev/null; }
empty() { # text: prints what is not
    [ -z "$1" ] || { printf '%s\n' "$1" | sed 's/^/# /'; return 1; }
}

# Where this machine's apt gets its packages; a root is made from the same places.
apt_sources() {
    local file files=()
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -s "$file" ] || files+=("$file")
    done
    printf '%s\n' "${files[@]}"
}

# A clean Debian 12 root as a tar file, made once: root NAME PACKAGE,...  Prints its path.
root() {
    local file=$work/root-$1.tar sources
    if [ ! -s "$file" ]; then
        mapfile -t sources < <(apt_sources)
        mmdebstrap --mode=root --format=tar --variant=minbase --include="$2" \
            --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
            --setup-hook='mkdir -p "$1/etc/postgresql-common"; echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"' \
            bookworm "$file.new" "${sources[@]}" >"$file.log" 2>&1 || { tail -n 5 "$file.log" >&2; rm -f "$file.new"; return 1; }
        mv "$file.new" "$file"
    fi
    printf '%s\n' "$file"
}

deb() { # folder, package: the file
    ls "$1/$2"_*.deb
}
