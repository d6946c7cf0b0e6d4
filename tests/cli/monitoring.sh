# What is shipped for Prometheus and Grafana, by Prometheus's own tool; and that no rule or panel asks for what is not there.
repo=$(cd "$here/../.." && pwd)
prometheus=$repo/packaging/prometheus
grafana=$repo/packaging/grafana
if ! command -v promtool >/dev/null; then
    echo "ok cli/$name # SKIP there is no promtool (packaging/install-deps.sh test)"
    return
fi
quiet() { "$@" >said.txt 2>&1 || { cat said.txt; return 1; }; }
verdict 'the rules are rules' quiet promtool check rules "$prometheus/pgmesh.rules.yml"
verdict 'each fires, and each stays quiet' quiet promtool test rules "$prometheus/pgmesh.rules.test.yml"
for alert in $(sed -n 's/.*- alert: //p' "$prometheus/pgmesh.rules.yml"); do
    verdict "$alert has both cases" [ "$(grep -c "name: \"$alert \(fires\|stays quiet\)\"" "$prometheus/pgmesh.rules.test.yml")" = 2 ]
done

# Names as the program writes them; a histogram has three more.
sed -n '/^#define/d; s/[^"]*"\(\(pg\|pgmesh\|failover\)_[a-z_]*\)"[^"]*/\1\n/gp' "$repo/mesh/http/metrics.c" | grep -xE '(pg|pgmesh|failover)_[a-z_]+' |
    sed 'p; s/$/_bucket/p; s/_bucket$/_sum/p; s/_sum$/_count/' | sort -u >there.txt
verdict 'the program has metrics' [ "$(wc -l <there.txt)" -gt 100 ]
asked() { grep -oE '\b(pg|pgmesh|failover)_[a-z_]+\b' | grep -vx 'pgmesh_rules' | sort -u; }
for file in "$grafana"/*.json; do
    base=${file##*/}
    verdict "$base is JSON, its panels have ids and places of their own" quiet jq -e '(.panels | length > 4) and ([.panels[].id] | length == (unique | length))
        and ([.panels[].gridPos | [.x, .y]] | length == (unique | length)) and all(.panels[]; .gridPos.x + .gridPos.w <= 24)
        and all(.panels[].targets[]; .datasource.uid == "${datasource}")' "$file"
    jq -r '.. | .expr? // empty' "$file" >exprs.txt
    missing=$(asked <exprs.txt | comm -23 - there.txt)
    if [ -z "$missing" ]; then ok "$base asks for nothing that is not there"; else not_ok "$base asks for nothing that is not there" "$missing"; fi
    { echo 'groups: [{name: x, rules: ['; awk -v q="'" '{ gsub(/\$__rate_interval|\$__range/, "5m"); gsub(/\$cluster/, "x"); gsub(q, q q); printf "{record: x:r%d, expr: %s%s%s},\n", NR, q, $0, q }' exprs.txt; echo ']}]'; } >panels.yml
    verdict "$base: each expression is one" quiet promtool check rules panels.yml
done
missing=$(sed -n '/^ *#/d; /expr:/,/\(for\|labels\):/p' "$prometheus/pgmesh.rules.yml" | asked | comm -23 - there.txt)
if [ -z "$missing" ]; then ok 'the rules ask for nothing that is not there'; else not_ok 'the rules ask for nothing that is not there' "$missing"; fi
for metric in pg_up pg_replication_lag pg_failover_time pg_connection_pool_status failover_state failover_total failover_recoveries_total \
    failover_health_check_failures_total failover_primary_healthy failover_standby_healthy; do
    verdict "$metric is there" grep -qx "$metric" there.txt
done

missing=$(sed -n 's/.*- alert: //p' "$prometheus/pgmesh.rules.yml" | while read -r alert; do grep -qF -- "\`$alert\`" "$repo/docs/monitoring.md" || echo "$alert"; done)
if [ -z "$missing" ]; then ok 'each alert is explained'; else not_ok 'each alert is explained' "${missing//$'\n'/ }"; fi
