#!/usr/bin/env bash
# Builds the Debian packages of this tree: packaging/deb/build.sh [OUT]        (default: build/deb)
#
# In a copy of the tree, OUT/pgmesh-VERSION, since debian/ has no place in ours. PACKAGE_VERSION=X builds the same
# sources as version X (for tests of upgrades). Two builds of one version yield the same bytes: the time of everything is
# that of the last entry of the changelog.
set -euo pipefail
cd "$(dirname "$0")/../.."

out=${1:-build/deb}
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
wanted=${PACKAGE_VERSION:-$version}

rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
tree=$out/pgmesh-$wanted
packaging/source.sh "$tree"

cp -R "$tree/packaging/deb" "$tree/debian"
rm "$tree/debian/build.sh"
cp "$tree/packaging/systemd/pgmesh.sysusers" "$tree/debian/pgmesh-common.sysusers"
cp "$tree/packaging/systemd/pgmesh.tmpfiles" "$tree/debian/pgmesh-common.tmpfiles"
if [ "$wanted" != "$version" ]; then
    sed -i "s/^VERSION *:=.*/VERSION := $wanted/" "$tree/Makefile"
    sed -i "1s/($version)/($wanted)/" "$tree/debian/changelog"
fi

# What the environment sets for our own builds must not reach these.
log=$out/build.log
if ! (cd "$tree" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u SAN -u BUILDDIR -u PGMESH_BUILD -u CFLAGS -u LDFLAGS \
        dpkg-buildpackage -us -uc -F -d -j"$(getconf _NPROCESSORS_ONLN)") >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
fi
rm -rf "$tree"
(cd "$out" && ls ./*.deb)
