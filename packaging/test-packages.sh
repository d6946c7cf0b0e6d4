#!/usr/bin/env bash
# `make packages-check`: builds the Debian packages, reads them, installs and purges them in a clean Debian 12 root.
# Needs root for the last part. What needs a booted systemd is in test-booted.sh.
# shellcheck source=packaging/lib.sh
. "$(dirname "$0")/lib.sh"

packages=(pgmesh-common pgmesh-node pgmesh-witness pgmesh-http pgmesh)
out=$work/deb
unpacked=$work/unpacked
version=$(sed -n 's/^VERSION *:= *//p' Makefile)

contents() {
    local package program pages
    rm -rf "$unpacked"
    for package in "${packages[@]}"; do
        dpkg-deb -x "$(deb "$out" "$package")" "$unpacked"
    done
    expect 'lintian has neither errors nor warnings' \
        empty "$(lintian --fail-on none "$out"/*.changes 2>&1 | grep -E '^[EW]:' || :)"
    expect 'the witness wants no libpq' \
        empty "$(objdump -p "$unpacked/usr/bin/pgmesh-witness" | grep -E 'NEEDED +libpq' || :)"
    expect 'the guard wants libc alone' \
        empty "$(objdump -p "$unpacked/usr/bin/pgmesh-guard" | awk '$1 == "NEEDED" && $2 !~ /^libc\.so/' )"
    expect 'debug symbols go with each program' debug_symbols
    expect 'no program knows where it was built' \
        not grep -qrF "$work" "$unpacked/usr/bin"
    # shellcheck disable=SC2016
    expect 'the shell can read the completion' bash -c '. "$1" && complete -p pgmesh >/dev/null' sh "$unpacked/usr/share/bash-completion/completions/pgmesh"
    expect 'and zsh has one' grep -q '^#compdef pgmesh' "$unpacked/usr/share/zsh/vendor-completions/_pgmesh"
    for program in pgmesh-node pgmesh-guard pgmesh-witness pgmesh-http; do
        expect "$program knows its version" [ "$("$unpacked/usr/bin/$program" --version)" = "$program (pgmesh) $version" ]
    done
    expect 'rules and dashboards are there, as they are here' shared
    expect 'the changelog knows the version' [ "$(dpkg-parsechangelog -l packaging/deb/changelog -S Version)" = "$version" ]
}

# What others read: each file of ours in one package, byte for byte; the rules as Prometheus takes them.
shared() {
    local file dir=$unpacked/usr/share/pgmesh
    for file in prometheus/pgmesh.rules.yml prometheus/pgmesh.rules.test.yml grafana/pgmesh-{replication,failover,mesh}.json haproxy/haproxy.cfg \
        pgbouncer/pgbouncer.ini; do
        cmp "packaging/$file" "$dir/$file" || return 1
    done
    [ "$(find "$dir" -type f | wc -l)" = 7 ] || return 1
    jq -es 'length == 3 and all(.title)' "$dir"/grafana/*.json >/dev/null || return 1
    ! command -v promtool >/dev/null || promtool check rules "$dir/prometheus/pgmesh.rules.yml" >/dev/null
}

debug_symbols() {
    local program id package list
    list=$(for package in "$out"/*-dbgsym_*.deb; do dpkg-deb -c "$package"; done)
    for program in pgmesh pgmesh-node pgmesh-guard pgmesh-witness pgmesh-http; do
        id=$(readelf -n "$unpacked/usr/bin/$program" | sed -n 's/.*Build ID: //p')
        grep -q "${id:0:2}/${id:2}.debug" <<<"$list" || return 1
    done
}

# Every option and command that a program names must stand on its page.
manual_pages() {
    local man=$unpacked/usr/share/man page program word option section missing
    gunzip "$man"/man*/*.gz
    sed -i 's/\\-/-/g' "$man"/man*/*
    for program in 'pgmesh-node 8' 'pgmesh-guard 8' 'pgmesh-witness 8' 'pgmesh-http 8' 'pgmesh-member 8'; do
        read -r program section <<<"$program"
        missing=
        for word in $("$unpacked/usr/bin/$program" --help | sed -n '/^Options of node.conf/q;p' | grep -oE -- '--[a-z-]+' | sort -u); do
            grep -qe "$word" "$man/man$section/$program.$section" || missing+=" $word"
        done
        expect "$program($section) has every option" empty "$missing"
    done
    missing=
    for word in $("$unpacked/usr/bin/pgmesh-node" --help | sed '1,/^Options of node.conf/d' | sed -n 's/^  \([a-zA-Z_.]*\) .*/\1/p'); do
        grep -q "^\.BR \"$word\"" "$man/man5/pgmesh-node.conf.5" || missing+=" $word"
    done
    expect 'pgmesh-node.conf(5) has every setting' empty "$missing"
    missing=
    for word in $("$unpacked/usr/bin/pgmesh" --help | sed -n '/^usage:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'); do
        grep -q "^\.SS $word" "$man/man1/pgmesh.1" || missing+=" $word"
        for option in $("$unpacked/usr/bin/pgmesh" "$word" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
            grep -qe "^\.B $option" "$man/man1/pgmesh.1" || missing+=" $word:$option"
        done
    done
    expect 'pgmesh(1) has every command and option' empty "$missing"
    missing=
    for page in "$man"/man*/*.[1-8]; do
        missing+=$(LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 "$page" 2>&1 >/dev/null)
    done
    expect 'groff has no complaint' empty "$missing"
}

units() {
    local row unit limit
    for row in 'pgmesh-node@ 2.5' 'pgmesh-observer@ 2.0' 'pgmesh-witness@ 1.5' 'pgmesh-http@ 2.5'; do
        read -r unit limit <<<"$row"
        expect "$unit is exposed no more than $limit" \
            quietly systemd-analyze security --offline=true --threshold="${limit/./}" --no-pager "$unpacked/lib/systemd/system/$unit.service"
    done
}

# ---- a clean root ------------------------------------------------------------------------------------------------

inside() { chroot "$clean" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }

installation() {
    local base
    if [ "$(id -u)" -ne 0 ]; then
        skip installation 'it needs root'
        return
    fi
    if ! base=$(root small systemd,libcurl3-gnutls,libjansson4,libmicrohttpd12,libpq5,libsodium23,libzmq5); then
        skip installation "no Debian 12 root can be made: apt's sources cannot be reached"
        return
    fi
    clean=$(mktemp -d "$work/clean.XXXXXX")
    trap 'rm -rf "$clean"' EXIT
    tar -C "$clean" -xf "$base"
    mkdir "$clean/debs"
    cp "$out"/pgmesh*.deb "$clean/debs/"
    rm -f "$clean"/debs/*-dbgsym*
    must 'the packages are installed' inside sh -c 'apt-get -qq install -y --no-install-recommends /debs/*.deb >/debs/log 2>&1 || { cat /debs/log; exit 1; }'
    expect 'the system user is there' quietly inside id -u pgmesh
    expect 'the folders are there' [ -d "$clean/etc/pgmesh" ]
    expect 'installing enables nothing' empty "$(find "$clean/etc/systemd" -name 'pgmesh*')"
    for program in pgmesh-node pgmesh-witness pgmesh-http pgmesh-member pgmesh; do
        expect "$program runs there" quietly inside "$program" --help
    done
    members
    must 'the packages are purged' inside sh -c 'apt-get -qq purge -y "pgmesh*" >/debs/log 2>&1 || { cat /debs/log; exit 1; }'
    expect 'purging says what it leaves' grep -q '/var/lib/pgmesh is left alone' "$clean/debs/log"
    expect 'purging leaves keys and votes' test -s "$clean/etc/pgmesh/wit1/member.key" -a -s "$clean/var/lib/pgmesh/wit1/store"
    expect 'and no program' empty "$(find "$clean/usr/bin" "$clean/lib/systemd" -name 'pgmesh*')"
}

# pgmesh-member, where its result is seen: owners, modes, and what it refuses.
members() {
    local row path mode
    inside pgmesh init --open-root-key --cluster orders --out /orders --member db1,database,fra,10.0.1.1:7400 \
        --member db2,database,ams,10.0.2.1:7400 --member wit1,witness,lux,10.0.3.1:7400 --member app1,observer,fra,10.0.1.9:7400 >/dev/null
    expect 'a member is installed' quietly inside pgmesh-member add /orders/wit1
    expect 'an observer too' quietly inside pgmesh-member add /orders/app1/
    expect 'its service can use it' quietly inside setpriv --reuid=pgmesh --regid=pgmesh --clear-groups \
        pgmesh-witness --config /etc/pgmesh/wit1/node.conf --check
    for row in 'etc/pgmesh/wit1 750:root' 'etc/pgmesh/wit1/node.conf 640:root' 'etc/pgmesh/wit1/member.key 600:pgmesh' \
        'var/lib/pgmesh/wit1 700:pgmesh' 'etc/pgmesh/app1 755:root' 'etc/pgmesh/app1/pg.pass 600:pgmesh'; do
        read -r path mode <<<"$row"
        expect "$path has mode $mode" [ "$(inside stat -c %a:%U "/$path")" = "$mode" ]
    done
    expect 'they are listed' [ "$(inside pgmesh-member list | tr -s ' ')" = 'app1 observer pgmesh-observer@app1.service
wit1 witness pgmesh-witness@wit1.service' ]
    expect 'the same again is refused' refused 'exists already' add /orders/wit1
    expect 'a database without PostgreSQL is refused' refused 'user "postgres" does not exist' add /orders/db1
    expect 'what is no folder of a member is refused' refused 'is not the folder of a member' add /orders
    echo 'leese = 1s' >>"$clean/orders/db2/node.conf"
    sed -i 's/^#*user = .*/user = pgmesh/' "$clean/orders/db2/node.conf"
    expect 'a configuration that cannot work is refused' refused 'Did you mean "lease"' add /orders/db2
    expect 'and leaves nothing behind' empty "$(find "$clean/etc/pgmesh" "$clean/var/lib/pgmesh" -name 'db2*')"
    expect 'wrong usage is told' refused 'unknown command' remove db1
}

refused() { # text, arguments of pgmesh-member
    local text
    ! text=$(inside pgmesh-member "${@:2}" 2>&1) && grep -qF -- "$1" <<<"$text" || { printf '# %s\n' "$text"; return 1; }
}

must 'the packages are built' packaging/deb/build.sh "$out"
contents
manual_pages
units
installation
exit "$failed"
