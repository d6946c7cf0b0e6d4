#!/usr/bin/env bash
# From all *.jsonl in a folder: summary.txt for the terminal; README.md, outage.svg and phases.svg for the documentation.
#
#     tests/bench/page.sh FOLDER [TO]       TO: where the page goes (FOLDER)
#
# FOLDER/notes.md, where there is one, is what a reader must know of how these were measured.
set -euo pipefail
dir=$1 to=${2:-$1}
compgen -G "$dir/*.jsonl" >/dev/null || { echo "page: there is no $dir/*.jsonl" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$to"

query() { cat "$dir"/*.jsonl | jq -L "$here" -rs "include \"page\"; $1"; }
columns() { # lines of tab-separated fields, aligned
    awk -F '\t' '{ for (i = 1; i <= NF; i++) { cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } if (NF > n) n = NF }
                  END { for (r = 1; r <= NR; r++) { line = ""; for (i = 1; i <= n; i++) line = line sprintf("%-*s  ", width[i], cell[r, i]); sub(/ +$/, "", line); print line } }'
}
markdown() { # columns of words: the same as a table
    awk -F '\t' -v words="$1" 'function row(   i, line) { line = "|"; for (i = 1; i <= NF; i++) line = line " " $i " |"; print line }
                  { row() } NR == 1 { line = "|"; for (i = 1; i <= NF; i++) line = line (i <= words ? "---|" : "--:|"); print line }'
}

{
    query outages | columns
    printf '\nmilliseconds without an acknowledged write; a percentile only where the runs are enough for it\n\n'
    query phases | columns
    printf '\nmilliseconds, medians\n\n'
    query footprints | columns
    printf '\n'
    query price | columns
    printf '\n'
    query proofs
} >"$to/summary.txt"

query outage_svg >"$to/outage.svg"
query phases_svg >"$to/phases.svg"

{
    cat <<'MD'
# Benchmarks

How long an application cannot write when something fails, what pgmesh costs while nothing does, and a peer on the same faults.

MD
    query glance | markdown 1
    cat <<'MD'

Time without an acknowledged write: median (longest); n runs. Durability `sync`, the default; for Patroni `synchronous_mode`. *Fastest*: the
shortest timings that Patroni's documentation allows (ttl 20, loop_wait 1, retry_timeout 3); *default*: 30, 10, 10.

MD
    query machine
    cat <<'MD'

Each host is a network namespace, each site a bridge; three databases in two sites, two witnesses (for Patroni: three hosts of etcd, so that
no database's loss takes one with it), one application host. All of them share the machine above. The client inserts a row every 5 ms and
tries all servers at once; an outage is its longest silence around the fault. After every series a checker holds each acknowledged row
against the final primary.

## Outage

![Outage of each run, on a logarithmic scale](outage.svg)

MD
    query outages | markdown 3
    cat <<'MD'

Milliseconds, nearest rank; p95 is told from 20 runs on, p99 from 100. `failovers`: runs in which another server (or the same one under a new
term) took over. An agent that is killed comes back before its lease ends, as a rule.

## Where the time goes

![Median phases of a failover](phases.svg)

MD
    query phases | markdown 2
    cat <<'MD'

Medians in milliseconds, each phase for itself, as the new primary saw them: *detect* from the fault to its verdict, *seal* to the end of its
own WAL, *decide* to the certificate, *promote* to a primary that serves, *route* to the client's first acknowledgement.

## What it costs

MD
    query footprints | markdown 2
    cat <<'MD'

An idle cluster; of each role the member that needs most, in the median of n measurements. Memory of all of the member's own processes (not
PostgreSQL's): PSS as on a host of its own, library pages counted in full. Bytes that its network interface carried, both ways, replication's own
idle traffic included.

MD
    if [ -n "$(query price)" ]; then
        query price | markdown 1
        cat <<'MD'

pgbench (`-N`, prepared, files in memory) against the primary, in turn with pgmesh and with the same three servers alone, under the same
configuration; medians of the runs, and of the ratio of each run without pgmesh to its two neighbours with it, with the interval in which that median lies 19
times in 20. *On one*: the primary's host has one processor of the machine for itself, pgbench and all other hosts share the rest.
*Processor time*: of the primary's host, PostgreSQL's included, for a transaction.

MD
    fi
    [ ! -s "$dir/notes.md" ] || { cat "$dir/notes.md"; echo; }
    cat <<'MD'
## Proof

MD
    query proofs
    cat <<'MD'

## Again

    make bench                                  # all of it, in hours; BENCH_* are told at the top of tests/bench/run.sh

or in pieces, each of which adds its lines to a file of the folder that the page is made from:

    BENCH_N=10 BENCH_FAULTS='host_cut switchover' BENCH_OUT=results/pgmesh.jsonl tests/bench/pgmesh.sh
    BENCH_N=3 BENCH_PEER=fastest BENCH_OUT=results/patroni.jsonl tests/bench/patroni.sh
    BENCH_ROUNDS=3 BENCH_PINNED=1 PGMESH_LIVE_TMP=/dev/shm BENCH_OUT=results/price.jsonl tests/bench/price.sh
    tests/bench/page.sh results docs/benchmarks
MD
} >"$to/README.md"
