#!/usr/bin/env bash
# Checks the rings: each part sees only what lies inside it.
#
#   tests/layers.sh               checks this tree
#   tests/layers.sh --root DIR    checks another one
#   tests/layers.sh --self-test   plants violations in a copy and demands that each is reported
#
# Twice over. By include, in every source and header. And by what the core's objects want from the linker,
# for an include rule can be talked round with a declaration, the linker cannot: policy/ and mesh/*.c may want
# one another, the short list below, and nothing else. The second has the core's objects built first; where nothing is
# built and nothing can be, it says so and leaves it at the includes.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
objects=${BUILDDIR:-build}/default/obj
status=0

# What the core may want from libc: memory and strings, text into a given buffer, and a failed assertion.
# Also the names gcc puts in their place with _FORTIFY_SOURCE and the stack protector. None of them allocates,
# reads a clock, draws a number or speaks to the world; who adds one here has checked that.
pure='_GLOBAL_OFFSET_TABLE_ __assert_fail __stack_chk_fail __chk_fail
memcpy memmove memset memcmp memchr memrchr memmem mempcpy
strlen strnlen strcmp strncmp strchr strrchr strstr strspn strcspn strcpy strncpy strcat strncat stpcpy stpncpy
snprintf vsnprintf __snprintf_chk __vsnprintf_chk
__memcpy_chk __memmove_chk __memset_chk __mempcpy_chk __strcpy_chk __strncpy_chk __strcat_chk __strncat_chk
__stpcpy_chk __stpncpy_chk abort'

# ---- includes -----------------------------------------------------------------------------------------------

includes() {
    local files
    files=$(find policy mesh node witness -name '*.[ch]' 2>/dev/null | sort) || :
    if [ -z "$files" ]; then
        echo 'not ok includes: no sources were found'
        return 1
    fi
    # shellcheck disable=SC2086
    awk '
    function ring(path) {
        if (path ~ /^policy\//)        return "policy"
        if (path ~ /^mesh\/io\//)      return "mesh/io"
        if (path ~ /^mesh\/inspect\//) return "mesh/inspect"
        if (path ~ /^mesh\/http\//)    return "mesh/http"
        if (path ~ /^mesh\/[^\/]+$/)   return "mesh"
        if (path ~ /^node\//)          return "node"
        if (path ~ /^witness\//)       return "witness"
        return "?"
    }
    function wrong(why) { printf "%s:%d: %s\n    %s\n", FILENAME, FNR, why, $0; bad[ring(FILENAME)]++ }
    BEGIN {
        inward["policy"]       = " policy "
        inward["mesh"]         = " policy mesh "
        inward["mesh/io"]      = " policy mesh mesh/io "
        inward["mesh/inspect"] = " policy mesh mesh/io mesh/inspect "
        inward["mesh/http"]    = " policy mesh mesh/io mesh/http "
        inward["node"]         = " policy mesh mesh/io node "
        inward["witness"]      = " policy mesh mesh/io witness "
        pure = " stdint.h stdbool.h stddef.h string.h assert.h limits.h inttypes.h stdarg.h "
        # stdio.h is there for snprintf, in sources alone; about all else it declares the linker is asked.
        text = " stdio.h "
    }
    FNR == 1 { files[ring(FILENAME)]++ }
    /^[ \t]*(#|%:|\?\?=)[ \t]*(include|include_next|import)([^a-z_]|$)/ {
        here = ring(FILENAME)
        if (match($0, /"[^"]*"/)) {
            name = substr($0, RSTART + 1, RLENGTH - 2)
            there = ring(name)
            if (name ~ /\.\./ || there == "?")
                wrong("an include of ours is written from the root and names a ring")
            else if (index(inward[here], " " there " ") == 0)
                wrong(here "/ may not see " there "/")
        } else if (match($0, /<[^>]*>/)) {
            name = substr($0, RSTART + 1, RLENGTH - 2)
            sodium  = (name ~ /^sodium(\.h$|\/)/)
            msgpack = (name ~ /^msgpack(\.h$|\/)/)
            http    = (name ~ /^(microhttpd|gnutls\/.*|curl\/.*)\.h$/)
            libpq   = (name ~ /^(postgresql\/.*|libpq-.*|libpq\/.*|pg_config.*|postgres_ext\.h)$/)
            if (libpq && FILENAME !~ /^node\/pg_[^\/]*$/)
                wrong("only node/pg_* may name libpq")
            else if (http && here != "mesh/http")
                wrong("only mesh/http/ may name an HTTP library")
            else if (sodium && FILENAME !~ /^mesh\/sign\.[ch]$/ && here != "mesh/io")
                wrong("only mesh/sign.* and mesh/io/ may name libsodium")
            else if (msgpack && FILENAME !~ /^mesh\/wire(_[a-z]+)?\.[ch]$/ && here != "mesh/io")
                wrong("only mesh/wire.* and mesh/io/ may name msgpack")
            else if ((here == "policy" || here == "mesh") && !sodium && !msgpack &&
                     index(pure, " " name " ") == 0 &&
                     !(FILENAME ~ /\.c$/ && index(text, " " name " ") > 0))
                wrong("the core may not see <" name ">")
        } else
            wrong("an include is written out, not computed")
    }
    END {
        n = split("policy mesh mesh/io mesh/inspect mesh/http node witness", order, " ")
        for (i = 1; i <= n; i++) {
            r = order[i]
            if (bad[r]) { any = 1; printf "not ok includes of %s: %d violations\n", r, bad[r] }
            else if (files[r]) printf "ok includes of %s (%d files)\n", r, files[r]
        }
        exit any > 0
    }' $files
}

# ---- linker -------------------------------------------------------------------------------------------------

linker() {
    local built=false
    [ ! -d "$objects" ] || built=true
    if [ -e Makefile ] && ! "${MAKE:-make}" --no-print-directory -s SAN= "${objects%/obj}/libcore.a"; then
        if "$built"; then
            echo 'not ok linker: the core does not build'
            return 1
        fi
        echo 'note: the core cannot be built here, so only the includes were checked'
        return 0
    fi
    if [ ! -d "$objects" ]; then
        echo "note: nothing is built (no $objects), so only the includes were checked"
        return 0
    fi
    local source object judged=() unjudged=()
    for source in policy/*.c mesh/*.c; do
        [ -e "$source" ] || continue
        object=$objects/${source%.c}.o
        if [ -e "$object" ] && [ ! "$source" -nt "$object" ]; then
            judged+=("$object")
        else
            unjudged+=("$source")
        fi
    done
    if [ ${#unjudged[@]} -gt 0 ]; then
        echo "not ok linker: no object as new as its source for ${unjudged[*]}"
        return 1
    fi
    if [ ${#judged[@]} -eq 0 ]; then
        echo 'note: the core has no sources yet'
        return 0
    fi

    # nm -A writes "FILE:ADDRESS T name" for what an object has and "FILE: U name" for what it wants.
    nm -A -g "${judged[@]}" | awk -v pure="$pure" -v objects="$objects" -v count="${#judged[@]}" '
        BEGIN { n = split(pure, list, /[ \n]+/); for (i = 1; i <= n; i++) allowed[list[i]] = 1 }
        { file = $1; sub(/:[0-9a-f]*$/, "", file); sub("^" objects "/", "", file) }
        $(NF - 1) ~ /^[Uwv]$/ { wants[++wanted] = file " " $NF; next }
        { has[$NF] = 1 }
        END {
            for (i = 1; i <= wanted; i++) {
                split(wants[i], want, " ")
                file = want[1]; name = want[2]
                if (name in has || name in allowed) continue
                if (file == "mesh/sign.o" && name ~ /^(crypto|sodium|randombytes)_/ && name !~ /^randombytes_/) continue
                if (file ~ /^mesh\/wire(_[a-z]+)?\.o$/ && name ~ /^msgpack_/) continue
                printf "%s wants %s from the linker\n", file, name
                bad++
            }
            if (bad) printf "not ok linker: %d names the core may not want\n", bad
            else     printf "ok linker (%d objects of the core)\n", count
            exit bad > 0
        }'
}

# ---- self-test ----------------------------------------------------------------------------------------------

self_test() {
    local copy cc=${CC:-cc}
    copy=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$copy'" EXIT
    local dir
    for dir in policy mesh node witness; do
        mkdir -p "$copy/$dir"
        if [ -d "$dir" ]; then
            cp -R "$dir/." "$copy/$dir/"
        fi
    done
    mkdir -p "$copy/mesh/io" "$copy/mesh/inspect" "$copy/mesh/http"

    # Each row: what is planted, its text, and reported or silent. The silent ones keep the check from
    # passing by refusing everything.
    local file text expected said code
    while IFS='|' read -r expected file text; do
        [ -n "$expected" ] || continue
        printf '%s\n' "$text" >"$copy/$file"
        code=0
        said=$(BUILDDIR=build "$self" --root "$copy" 2>&1) || code=$?
        verdict includes "$expected" "$file" "$text" "$said" "$file:1:" "$code"
        rm -f "$copy/$file"
    done <<'ROWS'
reported|policy/planted.c|#include <time.h>
reported|policy/planted.h|#include <stdio.h>
reported|policy/planted.h|  #  include <stdlib.h>
reported|policy/planted.c|#include "mesh/core.h"
reported|policy/planted.c|#include "planted.h"
reported|policy/planted.c|#include PLANTED_H
reported|policy/planted.c|#include "policy/../mesh/core.h"
reported|mesh/planted.c|#include <unistd.h>
reported|mesh/planted.h|#include <sodium.h>
reported|mesh/planted.c|#include <msgpack.h>
reported|mesh/planted.c|#include "mesh/io/store.h"
reported|mesh/planted.c|#include "node/guard.h"
reported|mesh/io/planted.c|#include "node/guard.h"
reported|mesh/io/planted.c|#include <libpq-fe.h>
reported|node/planted.c|#include <libpq-fe.h>
reported|node/planted.c|#include <postgresql/libpq-fe.h>
reported|node/planted.c|#include "witness/planted.h"
reported|node/planted.c|#include "mesh/inspect/planted.h"
reported|witness/planted.c|#include "node/planted.h"
reported|witness/planted.c|#include <libpq-fe.h>
reported|mesh/inspect/planted.c|#include "witness/planted.h"
reported|mesh/inspect/planted.c|#include <msgpack.h>
reported|mesh/http/planted.c|#include "mesh/inspect/planted.h"
reported|mesh/http/planted.c|#include <sodium.h>
reported|mesh/inspect/planted.c|#include "mesh/http/planted.h"
reported|node/planted.c|#include <microhttpd.h>
reported|mesh/io/planted.c|#include <gnutls/gnutls.h>
reported|node/planted.c|#include "tests/sim/planted.h"
silent|policy/planted.c|#include <stdint.h>
silent|policy/planted.c|#include <stdio.h>
silent|mesh/planted.c|#include "policy/record.h"
silent|mesh/io/planted.c|#include <sys/socket.h>
silent|mesh/io/planted.c|#include <sodium.h>
silent|node/pg_planted.c|#include <libpq-fe.h>
silent|node/planted.c|#include "mesh/io/store.h"
silent|witness/planted.c|#include "mesh/core.h"
silent|mesh/inspect/planted.c|#include "mesh/inspect/output.h"
silent|mesh/http/planted.c|#include <microhttpd.h>
silent|mesh/http/planted.c|#include "mesh/io/view.h"
ROWS

    # The linker's half stands alone: a tree of one source, compiled without any include.
    rm -rf "$copy"/policy/* "$copy"/mesh/* "$copy"/node/* "$copy"/witness/*
    local object
    while IFS='|' read -r expected file text; do
        [ -n "$expected" ] || continue
        object=$copy/build/default/obj/${file%.c}.o
        mkdir -p "${object%/*}" "$copy/${file%/*}"
        printf '%s\n' "$text" >"$copy/$file"
        "$cc" -O2 -fno-builtin -w -c -o "$object" "$copy/$file"
        code=0
        said=$(BUILDDIR=build "$self" --root "$copy" 2>&1) || code=$?
        verdict linker "$expected" "$file" "$text" "$said" "${file%.c}.o wants " "$code"
        rm -f "$copy/$file" "$object"
    done <<'ROWS'
reported|policy/planted.c|void *malloc(unsigned long); void *f(void) { return malloc(1); }
reported|mesh/planted.c|void free(void *); void f(void *p) { free(p); }
reported|mesh/planted.c|long time(long *); long f(void) { return time(0); }
reported|mesh/planted.c|int clock_gettime(int, void *); int f(void *p) { return clock_gettime(7, p); }
reported|policy/planted.c|int rand(void); int f(void) { return rand(); }
reported|policy/planted.c|int printf(const char *, ...); int f(void) { return printf("%d", 1); }
reported|mesh/planted.c|long read(int, void *, unsigned long); long f(void *p) { return read(0, p, 1); }
reported|mesh/planted.c|char *getenv(const char *); char *f(void) { return getenv("X"); }
reported|mesh/planted.c|__attribute__((weak)) int rand(void); int f(void) { return rand ? rand() : 0; }
reported|mesh/planted.c|int crypto_sign_detached(void); int f(void) { return crypto_sign_detached(); }
reported|mesh/sign.c|void randombytes_buf(void *, unsigned long); void f(void *p) { randombytes_buf(p, 8); }
silent|mesh/sign.c|int crypto_sign_detached(void); int f(void) { return crypto_sign_detached(); }
silent|policy/planted.c|int snprintf(char *, unsigned long, const char *, ...); int f(char *p) { return snprintf(p, 9, "%d", 1); }
silent|policy/planted.c|void *memcpy(void *, const void *, unsigned long); void f(void *p, void *q, long n) { memcpy(p, q, n); }
ROWS
    return "$status"
}

# A planted line must be named in the report and the exit status be non-zero; a harmless one must not be named.
verdict() { # check, expected, file, text, what was said, how a report begins, exit status
    local named=silent
    if grep -Fq "$6" <<<"$5"; then
        named=reported
    fi
    if [ "$named" = "$2" ] && { [ "$2" = silent ] || [ "$7" -ne 0 ]; }; then
        echo "ok $1: $2, $3: $4"
    else
        echo "not ok $1: should be $2, $3: $4"
        status=1
    fi
}

# ---- main ---------------------------------------------------------------------------------------------------

self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
case ${1:-} in
    '') cd "$root" ;;
    --root) cd "$2" ;;
    --self-test) cd "$root"; self_test; exit "$status" ;;
    *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac

includes || status=1
linker || status=1
exit "$status"
