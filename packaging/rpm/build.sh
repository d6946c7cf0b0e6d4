#!/usr/bin/env bash
# Builds the rpm packages and the source rpm of this tree: packaging/rpm/build.sh [OUT]        (default: build/rpm)
#
# On Debian too, where rpm knows nothing of what is installed (so dependencies of the build are not asked for) and has no
# debuginfo packages. DIST is the suffix of the release (.el9). The same bytes at every build.
set -euo pipefail
cd "$(dirname "$0")/../.."

out=${1:-build/rpm}
version=$(sed -n 's/^VERSION *:= *//p' Makefile)
rm -rf "$out"
mkdir -p "$out/SOURCES"
out=$(cd "$out" && pwd)

when=$(sed -n 's/^ -- .*>  //p' packaging/deb/changelog | head -n 1)
SOURCE_DATE_EPOCH=$(date -u -d "$when" +%s)
export SOURCE_DATE_EPOCH
packaging/source.sh "$out/pgmesh-$version"
tar -C "$out" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=go=u,go-w -cf - "pgmesh-$version" |
    gzip -9n >"$out/SOURCES/pgmesh-$version.tar.gz"
rm -rf "$out/pgmesh-$version"

options=(--define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' --define '_buildhost reproducible')
[ -e /etc/redhat-release ] || options+=(--nodeps --define "dist ${DIST:-.el9}")
run() { # options of rpmbuild
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u SAN -u BUILDDIR -u PGMESH_BUILD -u CFLAGS -u LDFLAGS \
        rpmbuild "${options[@]}" "$@" >>"$out/build.log" 2>&1 || { tail -n 40 "$out/build.log" >&2; exit 1; }
}

# Apart, since a source rpm keeps the spec with all paths expanded: none of this machine's.
cp packaging/rpm/pgmesh.spec "$out/SOURCES/"
(cd "$out/SOURCES" && run --define '_topdir .' --define '_sourcedir .' --define "_srcrpmdir $out" -bs pgmesh.spec)
run --define "_topdir $out" -bb "$out/SOURCES/pgmesh.spec"
find "$out/RPMS" -name '*.rpm' -exec mv {} "$out/" \;
rm -rf "$out"/{BUILD,BUILDROOT,RPMS,SRPMS,SOURCES,SPECS}
(cd "$out" && ls ./*.rpm)
