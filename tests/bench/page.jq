# page.jq: the tables and pictures of tests/bench/page.sh, from an array of all results.

def rank($p): sort | .[((length * $p / 100) | ceil) - 1];
def runs: [.[] | select(.fault)];
def systems: ["pgmesh", "patroni-fastest", "patroni"];
def faults: ["host_cut", "host_crash", "site_loss", "postmaster_kill", "agent_kill", "switchover"];
def steps: ["detect_ms", "seal_ms", "decide_ms", "promote_ms", "route_ms"];
def order: (.fault as $f | faults | index($f)) as $fault | (.system as $s | systems | index($s)) as $system | [$fault, $system, .durability];
def groups: runs | group_by(order);

def machine: (.[] | select(.machine)) | "Measured on \(.day) at commit \(.commit): \(.machine.cpus) × \(.machine.model), \(.machine.memory_gib) GiB, Linux \(.machine.kernel), \(.machine.postgres)"
    + ([.machine.patroni, .machine.etcd] | map(select(. != null and . != "")) | if length > 0 then ", " + join(" with ") else "" end) + ".";

def outages: (["fault", "system", "durability", "runs", "min", "median", "p95", "p99", "max", "failovers"] | @tsv),
    (groups[] | . as $g | [.[] | .outage_ms] as $ms
     | [$g[0].fault, $g[0].system, $g[0].durability, ($g | length)] + ([($ms | min), ($ms | rank(50)), ($ms | rank(95)), ($ms | rank(99)), ($ms | max)] | map(round))
       + [[$g[] | select(.failover)] | length] | @tsv);

def median_of($k): [.[] | .phases[$k]? | select(. != null)] | if length == 0 then null else rank(50) | round end;
def with_phases: [groups[] | select(any(.phases != null))];
def phases: (["fault", "durability", "detect", "seal", "decide", "promote", "route"] | @tsv),
    (with_phases[] | . as $g | [$g[0].fault, $g[0].durability] + [steps[] as $k | $g | median_of($k) // "–"] | @tsv);

def footprints: (["member", "system", "PSS kB", "RSS kB", "CPU %", "B/s"] | @tsv),
    (.[] | select(.footprint) | ["\(.footprint) (\(.role))", .system, .pss_kb, .rss_kb, .cpu_percent, .bytes_per_s] | @tsv);

def price: [.[] | select(.price)] | if length == 0 then "" else
    . as $all | def of($w): [$all[] | select(.price == $w)];
    (["pgbench", "runs", "min tps", "median tps", "max tps", "median latency ms"] | @tsv),
    (("with", "without") as $w | of($w) | ["\($w) pgmesh", length, (map(.tps) | min, rank(50), max | round), (map(.latency_ms) | rank(50))] | @tsv)
    end;

def proofs: (.[] | select(.proof) | "- \(.system), \(.durability): " + ([.proof.said[] | select(. != "")] | join("; ")));

# ---- pictures --------------------------------------------------------------------------------------------------------

def esc: gsub("&"; "&amp;") | gsub("<"; "&lt;");
def colour: {pgmesh: "#1b7837", "patroni-fastest": "#d95f02", patroni: "#7570b3"}[.] // "#666";
def style: "<style>text{font:12px sans-serif;fill:#222}.dim{fill:#777}.grid{stroke:#ddd}svg{background:#fff}</style>";
def x_of($ms): 230 + 600 * ((([$ms, 1] | max) | log10) / 5);

def outage_svg: groups as $g | ($g | length) as $n
    | "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 \(60 + 22 * $n)\" role=\"img\"><title>Write outage of each run, milliseconds, logarithmic</title>\(style)",
      ([1, 10, 100, 1000, 10000, 100000][] | . as $t | "<line class=\"grid\" x1=\"\(x_of($t))\" x2=\"\(x_of($t))\" y1=\"24\" y2=\"\(34 + 22 * $n)\"/>"
        + "<text x=\"\(x_of($t))\" y=\"18\" text-anchor=\"middle\" class=\"dim\">\(if $t < 1000 then "\($t) ms" else "\($t / 1000) s" end)</text>"),
      (range($n) as $i | $g[$i] as $r | (40 + 22 * $i) as $y
        | "<text x=\"4\" y=\"\($y + 4)\">\($r[0].fault | esc)</text><text x=\"120\" y=\"\($y + 4)\" class=\"dim\">\($r[0].system | sub("patroni-"; "") | esc) \($r[0].durability)</text>",
          ($r[] | "<circle cx=\"\(x_of(.outage_ms) * 10 | round / 10)\" cy=\"\($y)\" r=\"3\" fill=\"\(.system | colour)\" fill-opacity=\"0.45\"/>"),
          ([$r[].outage_ms] | rank(50)) as $m | "<line x1=\"\(x_of($m))\" x2=\"\(x_of($m))\" y1=\"\($y - 7)\" y2=\"\($y + 7)\" stroke=\"#000\"/>"),
      "<text x=\"4\" y=\"\(54 + 22 * $n)\" class=\"dim\">each dot a run, the line the median</text></svg>";

def shades: ["#08519c", "#3182bd", "#6baed6", "#9ecae1", "#fdae6b"];
def phases_svg: with_phases as $g | ($g | length) as $n
    | ([$g[] | . as $r | [steps[] as $k | ($r | median_of($k)) // 0] | add] | (max // 1)) as $widest
    | "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 \(50 + 26 * $n)\" role=\"img\"><title>Phases of a failover, medians in milliseconds</title>\(style)",
      (range(5) as $k | "<rect x=\"\(200 + 110 * $k)\" y=\"6\" width=\"12\" height=\"12\" fill=\"\(shades[$k])\"/><text x=\"\(216 + 110 * $k)\" y=\"16\">\(steps[$k] | rtrimstr("_ms"))</text>"),
      (range($n) as $i | $g[$i] as $r | (30 + 26 * $i) as $y
        | "<text x=\"4\" y=\"\($y + 14)\">\($r[0].fault | esc) <tspan class=\"dim\">\($r[0].durability)</tspan></text>",
          (reduce range(5) as $k ({x: 200, out: ""}; (($r | median_of(steps[$k])) // 0) as $ms | (600 * $ms / $widest) as $w
            | .out += "<rect x=\"\(.x * 10 | round / 10)\" y=\"\($y)\" width=\"\($w * 10 | round / 10)\" height=\"18\" fill=\"\(shades[$k])\"/>"
                + (if $w > 26 then "<text x=\"\(.x + $w / 2 | round)\" y=\"\($y + 13)\" text-anchor=\"middle\" style=\"fill:\(if $k < 2 then "#fff" else "#222" end)\">\($ms)</text>" else "" end)
            | .x += $w) | .out + "<text x=\"\(.x + 6 | round)\" y=\"\($y + 13)\" class=\"dim\">\([steps[] as $k | ($r | median_of($k)) // 0] | add) ms</text>")),
      "</svg>";
