# shellcheck shell=bash
# footprint.sh: memory and descriptors of every program of pgmesh over time. To be sourced after lib.sh.
#
# footprint_take FILE appends a line for each process: SECONDS NAME KIND PID RSS_KB FDS THREADS.
# footprint_bounded FILE: none of those that were seen FOOTPRINT_SAMPLES (60) times or more grew: the median of the last
# quarter of its lines lies at most 1 MB and 15 % above that of the second quarter in memory, and 6 descriptors above it.

footprint_kind() { # pid
    local exe
    exe=$(readlink "/proc/$1/exe") || return 1
    case $exe in
        */pgmesh-node) echo agent ;;
        */pgmesh-witness) echo witness ;;
        */pgmesh-guard) if [ "${PID[$2]:-}" = "$1" ]; then echo guard; else echo anchor; fi ;;
        *) return 1 ;;
    esac
}
footprint_take() { # file
    local name pid kind
    for name in "${MEMBERS[@]}"; do
        for pid in $(pids_of "$name"); do
            kind=$(footprint_kind "$pid" "$name") || continue
            printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$SECONDS" "$name" "$kind" "$pid" \
                "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status" 2>/dev/null)" \
                "$(find "/proc/$pid/fd" -mindepth 1 2>/dev/null | wc -l)" \
                "$(awk '/^Threads/ { print $2 }' "/proc/$pid/status" 2>/dev/null)"
        done
    done >>"$1"
}
footprint_bounded() { # file
    [ -s "$1" ] || return 0
    sort -t "$(printf '\t')" -k2,2 -k3,3 -k4,4n -k1,1n "$1" | awk -F'\t' -v least="${FOOTPRINT_SAMPLES:-60}" '
        function median(v, from, to,   i, j, x, s, k) {
            k = 0
            for (i = from; i <= to; i++) s[++k] = v[i] + 0
            for (i = 2; i <= k; i++) { x = s[i]; for (j = i - 1; j > 0 && s[j] > x; j--) s[j + 1] = s[j]; s[j + 1] = x }
            return s[int((k + 1) / 2)]
        }
        function close_one() {
            if (n >= least) {
                q = int(n / 4)
                rss0 = median(rss, q + 1, 2 * q); rss1 = median(rss, n - q + 1, n)
                fd0 = median(fds, q + 1, 2 * q); fd1 = median(fds, n - q + 1, n)
                watched++
                if (rss1 > most) most = rss1
                if (rss1 - rss0 > grown) { grown = rss1 - rss0; grower = last ", " rss0 " to " rss1 " kB" }
                if ((rss1 - rss0 > 1024 && rss1 > 1.15 * rss0) || fd1 - fd0 > 6) {
                    bad++
                    printf "# %s grew: %d to %d kB, %d to %d descriptors over %d samples\n", last, rss0, rss1, fd0, fd1, n
                }
            }
            n = 0
        }
        { key = $2 " " $3 " " $4 }
        key != last { close_one(); last = key }
        { n++; rss[n] = $5; fds[n] = $6 }
        END { close_one(); printf "# footprint: %d processes watched long enough, the largest %d kB; grown most: %s\n", watched, most, grower ? grower : "none"; exit bad > 0 }'
}
