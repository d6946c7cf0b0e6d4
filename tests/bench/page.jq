# page.jq: the tables and pictures of tests/bench/page.sh, from an array of all results.

# The nearest rank. A percentile is told only where the runs are enough that it is not the maximum by another name.
def rank($p): sort | .[((length * $p / 100) | ceil) - 1];
def percentile($p): if length * (100 - $p) / 100 >= 1 then rank($p) | round else "–" end;
def runs: [.[] | select(.fault)];
def systems: ["pgmesh", "patroni-fastest", "patroni"];
def system_name: {"patroni-fastest": "Patroni, fastest", patroni: "Patroni, default"}[.] // .;
def faults: ["host_cut", "host_crash", "site_loss", "postmaster_kill", "agent_kill", "switchover"];
def fault_name: {host_cut: "cable pulled", host_crash: "host crashes", site_loss: "site cut off", postmaster_kill: "PostgreSQL killed",
                 agent_kill: "agent killed", switchover: "switchover"}[.] // .;
def durabilities: ["sync", "strict", "async"];
def steps: ["detect_ms", "seal_ms", "decide_ms", "promote_ms", "route_ms"];
def order: (.fault as $f | faults | index($f)) as $fault | (.system as $s | systems | index($s)) as $system
    | (.durability as $d | durabilities | index($d)) as $durability | [$fault, $system, $durability];
def groups: runs | group_by(order);
# For people: 87 ms, 0.81 s, 22 s.
def human: if . < 100 then "\(round) ms" elif . < 10000 then (. / 10 | round | tostring | if length < 3 then "0" + . else . end | .[:-2] + "." + .[-2:] + " s") else "\(. / 100 | round / 10) s" end;

def machine: [.[] | select(.machine)] as $m | if $m == [] then "The machine was not recorded." else
    def said($k): [$m[].machine[$k] | select(. != null and . != "")] | unique;
    "Measured " + ([$m[].day | select(. != null)] | unique | if length == 1 then "on \(.[0])" else "from \(.[0]) to \(.[-1])" end)
      + ([$m[].commit | select(. != null and . != "")] | unique | if length == 0 then "" elif length == 1 then " at commit \(.[0])" else " at commits " + join(", ") end)
      + ": " + ([$m[].machine | select(.memory_gib != null) | "\(.cpus) × \(.model), \(.memory_gib) GiB, Linux \(.kernel)"] | unique | join("; ")) + ""
      + ([said("postgres"), (said("patroni") | select(. != [])), (said("etcd") | select(. != []))] | map(", " + join(", ")) | add) + "." end;

# One row for a fault, one column for each system under sync.
def glance: [groups[] | select(.[0].durability == "sync")] as $g | [systems[] as $s | select(any($g[]; .[0].system == $s)) | $s] as $have
    | (["", ($have[] | system_name)] | @tsv),
      (faults[] as $f | select(any($g[]; .[0].fault == $f))
       | [($f | fault_name), ($have[] as $s | [$g[] | select(.[0].fault == $f and .[0].system == $s)] | if . == [] then "–" else
            (.[0] | ([.[].outage_ms] | "\(rank(50) | human) (\(max | human)); n = \(length)")) end)] | @tsv);

def outages: (["fault", "system", "durability", "n", "min", "median", "p95", "p99", "max", "failovers"] | @tsv),
    (groups[] | . as $g | [.[] | .outage_ms] as $ms
     | [$g[0].fault, $g[0].system, $g[0].durability, ($g | length), ($ms | min | round), ($ms | rank(50) | round), ($ms | percentile(95)), ($ms | percentile(99)),
        ($ms | max | round), ([$g[] | select(.failover)] | length)] | @tsv);

def median_of($k): [.[] | .phases[$k]? | select(. != null)] | if length == 0 then null else rank(50) | round + 0 end;
def with_phases: [groups[] | [.[] | select(.phases != null)] | select(. != [])];
def phases: (["fault", "durability", "n", "detect", "seal", "decide", "promote", "route"] | @tsv),
    (with_phases[] | . as $g | [$g[0].fault, $g[0].durability, ($g | length)] + [steps[] as $k | $g | median_of($k) // "–"] | @tsv);

# The member of each role that needs most, in the median of what was taken.
def footprints: (["role", "system", "n", "PSS MiB", "RSS MiB", "CPU %", "kB/s"] | @tsv),
    ([.[] | select(.footprint)] | group_by([(.system as $s | systems | index($s)), ({database: 0, etcd: 1, witness: 2, observer: 3}[.role] // 4)])[] | . as $of
     | def most(f): [$of | group_by(.footprint)[] | [.[] | f | select(. != null)] | select(. != []) | rank(50)] | if . == [] then null else max end;
       def tenths($unit): if . == null then "–" else . / $unit * 10 | round / 10 end;
       [.[0].role, (.[0].system | system_name), length, (most(.pss_kb) | tenths(1024)), (most(.rss_kb) | tenths(1024)),
        (most(.cpu_percent) | if . == null then "–" else . * 100 | round / 100 end), (most(.bytes_per_s) | tenths(1000))] | @tsv);

# Each run without stands between two with: what is told is its ratio to their mean. The median of n such ratios lies, 19 times
# in 20, between those of rank n/2 -+ sqrt(n) (the sign test's interval).
def ratios: . as $runs | [range(length) as $i | select($i > 0 and $runs[$i].price == "without" and $runs[$i - 1].price == "with" and $runs[$i + 1].price? == "with")
    | {tps: (($runs[$i - 1].tps + $runs[$i + 1].tps) / 2 / $runs[$i].tps),
       cpu: (($runs[$i - 1].host_cpu_us_per_transaction + $runs[$i + 1].host_cpu_us_per_transaction) / 2 / $runs[$i].host_cpu_us_per_transaction)}];
def signed: . * 1000 | round / 10 | if . > 0 then "+\(.) %" elif . == 0 then "0 %" else "\(.) %" end;
def median_and_interval: sort as $s | length as $n | ($n / 2 - ($n | sqrt) | floor | if . < 0 then 0 else . end) as $skip
    | "\(rank(50) - 1 | signed) (\($s[$skip] - 1 | signed) to \($s[$n - 1 - $skip] - 1 | signed))";
def price: [.[] | select(.price)] | if length == 0 then empty else
    (["durability, processors", "n", "tps with", "tps without", "µs of the host with", "without", "throughput", "processor time"] | @tsv),
    (group_by([.pinned, .durability])[] | . as $all | ratios as $ratios
     | def of($with; f): [$all[] | select(.price == $with) | f] | rank(50) | round;
       [(.[0] | .durability + if .pinned then ", the primary's host on one" else ", all hosts on all" end), ($ratios | length), of("with"; .tps), of("without"; .tps),
        of("with"; .host_cpu_us_per_transaction), of("without"; .host_cpu_us_per_transaction),
        ($ratios | map(.tps) | median_and_interval), ($ratios | map(.cpu) | median_and_interval)] | @tsv)
    end;

# Sums over all series of a system: "N rows acknowledged: M missing ...; D double primaries; ...", the checker's last line.
def proofs: runs as $runs | [.[] | select(.proof)] | group_by([(.system as $s | systems | index($s)), .durability])[]
    | . as $all | def sum($re): [$all[].proof.said[] | capture($re; "x").n | tonumber] | add // 0;
      "- \(.[0].system | system_name), \(.[0].durability), \(length) series, \([$runs[] | select(.failover and .system == $all[0].system and .durability == $all[0].durability)] | length) changes of the primary: \(sum("^(?<n>[0-9]+)\\ rows\\ acknowledged")) rows acknowledged, \(sum("acknowledged:\\ (?<n>[0-9]+)\\ missing")) of them missing, "
      + "\(sum("(?<n>[0-9]+)\\ strangers")) from nowhere, \(sum(";\\ (?<n>[0-9]+)\\ double\\ primaries")) times two primaries at once.";

# ---- pictures --------------------------------------------------------------------------------------------------------

def esc: gsub("&"; "&amp;") | gsub("<"; "&lt;");
def colour: {pgmesh: "#1b7837", "patroni-fastest": "#d95f02", patroni: "#7570b3"}[.] // "#666";
def style: "<style>text{font:12px sans-serif;fill:#222}.dim{fill:#777}.b{font-weight:bold}.grid{stroke:#e3e3e3}.rule{stroke:#bbb}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>";
def tenth: . * 10 | round / 10;
# 5 ms to 100 s, logarithmic.
def x_of($ms): 305 + 385 * ((([$ms, 5] | max) / 5 | log10) / (20000 | log10)) | tenth;

def dots($y): to_entries[] | (.key % 5 - 2) as $jitter | .value
    | "<circle cx=\"\(x_of(.outage_ms))\" cy=\"\($y + $jitter * 1.6)\" r=\"2.6\" fill=\"\(.system | colour)\" fill-opacity=\"0.4\"/>";

def outage_svg: groups as $g
    # a row each, and some air before every other fault
    | (reduce range($g | length) as $i ({y: 34, at: [], last: ""};
        (if $g[$i][0].fault == .last then .y += 20 else .y += 30 end) | .last = $g[$i][0].fault | .at += [.y])) as $rows | ($rows.y + 22) as $bottom
    | "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 \($bottom + 30)\" role=\"img\"><title>Write outage of each run, logarithmic</title>\(style)",
      ([10, 100, 1000, 10000, 100000][] | . as $t | "<line class=\"grid\" x1=\"\(x_of($t))\" x2=\"\(x_of($t))\" y1=\"30\" y2=\"\($bottom)\"/>"
        + "<text x=\"\(x_of($t))\" y=\"22\" text-anchor=\"middle\" class=\"dim\">\(if $t < 1000 then "\($t) ms" else "\($t / 1000) s" end)</text>"),
      "<text x=\"722\" y=\"22\" class=\"dim\">median</text><text x=\"790\" y=\"22\" class=\"dim\">max</text>",
      (range($g | length) as $i | $g[$i] as $r | $rows.at[$i] as $y | ($i == 0 or $g[$i - 1][0].fault != $r[0].fault) as $first
        | (if $first then "<line class=\"rule\" x1=\"4\" x2=\"856\" y1=\"\($y - 15)\" y2=\"\($y - 15)\"/><text x=\"4\" y=\"\($y + 4)\" class=\"b\">\($r[0].fault | fault_name | esc)</text>" else "" end)
          + "<text x=\"132\" y=\"\($y + 4)\" style=\"fill:\($r[0].system | colour)\">\($r[0].system | system_name | esc)</text>"
          + "<text x=\"292\" y=\"\($y + 4)\" text-anchor=\"end\" class=\"dim\">\($r[0].durability) \($r | length)×</text>",
          ($r | dots($y)),
          ([$r[].outage_ms] | rank(50)) as $m | "<line x1=\"\(x_of($m))\" x2=\"\(x_of($m))\" y1=\"\($y - 8)\" y2=\"\($y + 8)\" stroke=\"#000\" stroke-width=\"1.5\"/>"
            + "<text x=\"722\" y=\"\($y + 4)\">\($m | human)</text><text x=\"790\" y=\"\($y + 4)\" class=\"dim\">\([$r[].outage_ms] | max | human)</text>"),
      "<text x=\"4\" y=\"\($bottom + 20)\" class=\"dim\">Each dot is a run, the line their median; time without an acknowledged write, logarithmic.</text></svg>";

def shades: ["#08519c", "#3182bd", "#6baed6", "#9ecae1", "#fdae6b"];
def phases_svg: with_phases as $g | ($g | length) as $n
    | ([$g[] | . as $r | [steps[] as $k | ($r | median_of($k)) // 0] | add] | (max // 1)) as $widest
    | "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 \(50 + 26 * $n)\" role=\"img\"><title>Phases of a failover, medians in milliseconds</title>\(style)",
      (range(5) as $k | "<rect x=\"\(210 + 110 * $k)\" y=\"6\" width=\"12\" height=\"12\" fill=\"\(shades[$k])\"/><text x=\"\(226 + 110 * $k)\" y=\"16\">\(steps[$k] | rtrimstr("_ms"))</text>"),
      (range($n) as $i | $g[$i] as $r | (30 + 26 * $i) as $y
        | "<text x=\"4\" y=\"\($y + 14)\"><tspan class=\"b\">\($r[0].fault | fault_name | esc)</tspan> <tspan class=\"dim\">\($r[0].durability) \($r | length)×</tspan></text>",
          (reduce range(5) as $k ({x: 210, out: ""}; (($r | median_of(steps[$k])) // 0) as $ms | (560 * $ms / $widest) as $w
            | .out += "<rect x=\"\(.x | tenth)\" y=\"\($y)\" width=\"\($w | tenth)\" height=\"18\" fill=\"\(shades[$k])\"/>"
                + (if $w > 26 then "<text x=\"\(.x + $w / 2 | round)\" y=\"\($y + 13)\" text-anchor=\"middle\" style=\"fill:\(if $k < 2 then "#fff" else "#222" end)\">\($ms)</text>" else "" end)
            | .x += $w) | .out + "<text x=\"\(.x + 6 | round)\" y=\"\($y + 13)\" class=\"dim\">\([steps[] as $k | ($r | median_of($k)) // 0] | add) ms</text>")),
      "</svg>";
