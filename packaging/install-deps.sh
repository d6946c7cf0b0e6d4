#!/usr/bin/env bash
# Installs what is missing from Debian 12's own packages, and nothing else.
#
#   packaging/install-deps.sh [build|demo|test|package|appliance|peers|fuzz|format|all]      (default: build)
#
# Each group holds the one before it where that makes sense: build < demo < test. When every package is
# there already, nothing is asked of apt and no privilege is needed, so it may stand before every target.
# The group "page" is what `make page-test` needs: a browser; no other group holds it.
# PGMESH_SKIP_DEPS=1 turns it off, for systems where the same things come from elsewhere.
set -euo pipefail

build=(gcc libc6-dev make pkg-config libpq-dev libzmq3-dev libsodium-dev libmsgpack-dev libjansson-dev
       libmicrohttpd-dev libgnutls28-dev libcurl4-gnutls-dev)
demo=(postgresql-15 curl iproute2 iptables jq procps util-linux)
check=(check spin prometheus openssl)
# What applications are routed by; arping announces a virtual address.
routes=(pgbouncer haproxy iputils-arping)
packaging=(debhelper fakeroot lintian dpkg-dev file rpm rpmlint cpio mmdebstrap man-db)
# The image, and the machine that boots it.
appliance=(busybox-static grub-common grub-pc-bin grub-efi-amd64-bin xorriso mtools zstd cpio kmod e2fsprogs
           qemu-system-x86 ovmf skopeo)
fuzz=(clang-14 libclang-rt-14-dev)
format=(clang-format)
# What the bench compares with.
peers=(patroni python3-psycopg2 etcd-server etcd-client postgresql-15-repmgr)

# A terminal in which pgmesh watch is looked at.
check+=(tmux)

# Packages whose installation would start a service of the distribution's own: we want the program, not the service.
services=(patroni etcd-server pgbouncer haproxy prometheus)

fail() { # error, detail, hint
    printf 'install-deps: ERROR:  %s\n' "$1" >&2
    printf 'DETAIL:  %s\n' "$2" >&2
    printf 'HINT:  %s\n' "$3" >&2
    exit 1
}

group=${1:-build}
case $group in
    page)   wanted=("${build[@]}" "${demo[@]}" chromium-headless-shell fonts-dejavu-core) ;;
    build)  wanted=("${build[@]}") ;;
    demo)   wanted=("${build[@]}" "${demo[@]}") ;;
    test)   wanted=("${build[@]}" "${demo[@]}" "${check[@]}" "${routes[@]}") ;;
    package) wanted=("${build[@]}" "${demo[@]}" "${packaging[@]}") ;;
    appliance) wanted=("${build[@]}" "${demo[@]}" "${appliance[@]}") ;;
    peers)  wanted=("${build[@]}" "${demo[@]}" "${peers[@]}") ;;
    fuzz)   wanted=("${build[@]}" "${fuzz[@]}") ;;
    format) wanted=("${format[@]}") ;;
    all)    wanted=("${build[@]}" "${demo[@]}" "${check[@]}" "${routes[@]}" "${packaging[@]}" "${appliance[@]}" "${peers[@]}" "${fuzz[@]}" "${format[@]}") ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) fail "unknown group \"$group\"" "The groups are build, demo, test, page, package, appliance, peers, fuzz, format and all." \
            "Try: packaging/install-deps.sh test" ;;
esac

[ "${PGMESH_SKIP_DEPS:-0}" = 1 ] && exit 0

command -v dpkg-query >/dev/null ||
    fail "this is not a Debian system" "dpkg-query was not found; the package names here are those of Debian 12." \
         "Install the equivalents of: ${wanted[*]}; then set PGMESH_SKIP_DEPS=1."

installed() { # package
    [ "$(dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" = installed ]
}

missing=()
for package in "${wanted[@]}"; do
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=(sudo)
    else
        fail "packages are missing and cannot be installed without root" "Missing: ${missing[*]}." \
             "Run as root: packaging/install-deps.sh $group"
    fi
fi

log=$(mktemp)
policy=''
trap 'rm -f "$log"; [ -z "$policy" ] || "${as_root[@]}" rm -f "$policy"' EXIT

apt() { # what is being done, apt-get's arguments
    local doing=$1
    shift
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >"$log" 2>&1 </dev/null ||
        { tail -n 20 "$log" >&2
          fail "$doing failed" "Missing: ${missing[*]}. apt-get's own words stand above." \
               "Check that apt's sources are reachable and hold Debian 12, then try again."; }
}

# The distribution makes and starts a cluster of its own when PostgreSQL is installed. We want none: it would
# take port 5432. Said before the installation and only then, so an existing cluster is never touched; a
# choice the administrator has already written down stands.
no_cluster_of_its_own() {
    local conf=/etc/postgresql-common/createcluster.conf
    if grep -Eqs '^[[:space:]]*create_main_cluster' "$conf"; then
        return
    fi
    "${as_root[@]}" mkdir -p "${conf%/*}"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee -a "$conf" >/dev/null
}

is_service() { printf '%s\n' "${services[@]}" | grep -qxF -- "$1"; } # package

# While apt works, init is told not to start anything (Debian Policy 9.3.3.1), unless the administrator has a policy.
no_services_started() {
    local file=/usr/sbin/policy-rc.d
    [ -z "$policy" ] && [ ! -e "$file" ] || return 0
    policy=$file
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$file" >/dev/null
    "${as_root[@]}" chmod 755 "$file"
}
# Nor at the next start of the machine.
no_services_enabled() { # package...
    local unit
    command -v deb-systemd-helper >/dev/null || return 0
    for unit in $(dpkg-query -L "$@" | sed -n 's,^/\(usr/\)\?lib/systemd/system/\([^@]*\.service\)$,\2,p'); do
        "${as_root[@]}" env DPKG_MAINTSCRIPT_PACKAGE="$1" deb-systemd-helper disable "$unit" >/dev/null 2>&1 || :
    done
}

printf 'install-deps: installing %s\n' "${missing[*]}"
started=()
for package in "${missing[@]}"; do
    if [ "$package" = postgresql-15 ]; then
        no_cluster_of_its_own
    elif is_service "$package"; then
        started+=("$package")
        no_services_started
    fi
done
apt "reading the package lists" update
apt "installing packages" install --yes --no-install-recommends "${missing[@]}"
[ ${#started[@]} -eq 0 ] || no_services_enabled "${started[@]}"
