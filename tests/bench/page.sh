#!/usr/bin/env bash
# From results.jsonl in a folder: summary.txt for the terminal; README.md, outage.svg and phases.svg for the documentation.
#
#     tests/bench/page.sh FOLDER
set -euo pipefail
dir=$1
[ -s "$dir/results.jsonl" ] || { echo "page: there is no $dir/results.jsonl" >&2; exit 1; }
here=$(cd "$(dirname "$0")" && pwd)

query() { jq -L "$here" -rs "include \"page\"; $1" "$dir/results.jsonl"; }
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
    printf '\nmilliseconds without an acknowledged write\n\n'
    query phases | columns
    printf '\nmilliseconds, medians\n\n'
    query footprints | columns
    printf '\n'
    query price | columns
} >"$dir/summary.txt"

query outage_svg >"$dir/outage.svg"
query phases_svg >"$dir/phases.svg"

{
    cat <<'MD'
# Benchmarks

How long an application cannot write when something fails, what pgmesh costs while nothing does, and a peer on the same faults. All
of it comes out of one command, `make bench`, which writes `results.jsonl` (a line for each run), this page and its pictures.

MD
    query machine
    cat <<'MD'

Each host is a network namespace, each site a bridge; three databases, two witnesses, one application host. The client inserts a row every
5 ms and tries all servers at once; an outage is its longest silence around the fault. After every series a checker holds each acknowledged
row against the final primary.

## Outage

![Outage of each run, on a logarithmic scale](outage.svg)

MD
    query outages | markdown 3
    cat <<'MD'

Milliseconds. `failovers`: runs in which another server (or the same one under a new term) took over.

## Where the time goes

![Median phases of a failover](phases.svg)

MD
    query phases | markdown 2
    cat <<'MD'

Medians in milliseconds, as the new primary saw them: *detect* from the fault to its verdict, *seal* to the end of its own WAL, *decide* to
the certificate, *promote* to a primary that serves, *route* to the client's first acknowledgement.

## What it costs

MD
    query footprints | markdown 2
    cat <<'MD'

An idle cluster. Memory of all of the member's own processes: PSS as on a host of its own (library pages counted in full). Bytes that its
network interface carried, both ways, replication's own idle traffic included.

MD
    query price | markdown 1
    cat <<'MD'

pgbench (`-N`, prepared) against the primary, in turn with pgmesh and with the same three servers alone, under the same configuration. All hosts share
this machine's processors, so the agents of six members compete with the servers here; on hosts of their own it is one member's share.

## Proof

MD
    query proofs
} >"$dir/README.md"
