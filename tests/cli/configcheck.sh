# pgmesh config check: what the daemons would say, before they are started.
"$pgmesh" init --open-root-key --cluster orders --out orders --member db1,database,fra,10.0.0.1:7400 --member wit1,witness,lux,10.0.0.3:7400 \
    --member db2,database,ams,10.0.0.2:7400 >/dev/null 2>&1
expect 'good files' 0 '' config check orders/db1/node.conf orders/wit1/node.conf
expect 'good files as JSON' 0 '' config check orders/db1/node.conf orders/wit1/node.conf --output json
holds 'JSON' '.ok and (.files | length == 2) and .files[0].member == "db1" and .files[1].role == "witness"'

slip() { # what, piece of the complaint, sed script for db1/node.conf
    sed "$3" orders/db1/node.conf >orders/db1/changed.conf
    expect "$1" 1 "$2" config check orders/db1/changed.conf
}
slip 'an unknown option' 'changed.conf:' 's/^#lease = .*/leese = 600ms/'
verdict 'with a guess' grep -q 'lease' <<<"$err"
slip 'a wrong type' 'changed.conf:' 's/^#pg_port = .*/pg_port = many/'
slip 'out of range' 'changed.conf:' 's/^#priority = .*/priority = 5000/'
slip 'no such member' 'db9' 's/^member = .*/member = db9/'
slip 'a lease that the record forbids' 'longer than the cluster allows' 's/^#lease = .*/lease = 20s/'
slip 'a parameter of PostgreSQL that pgmesh owns' 'pgmesh owns it' '$a pg.fsync = off'
slip 'wal_level = minimal' 'cannot be "minimal"' '$a pg.wal_level = minimal'
expect 'no such file' 1 'nothing.conf' config check orders/nothing.conf

chmod 644 orders/db2/member.key
expect 'a key that others can read' 1 'member.key' config check orders/db2/node.conf
cp orders/wit1/member.key orders/db1/member.key
expect "another member's key" 1 '' config check orders/db1/node.conf
verdict 'is told with detail or hint' grep -qE '^(DETAIL|HINT):' <<<"$err"
sed -i 's/^member 1 db1 database fra/member 1 db1 database lux/' orders/wit1/cluster
expect 'a cluster file that was altered' 1 'cluster' config check orders/wit1/node.conf
run config check orders/wit1/node.conf orders/db2/node.conf --output json
holds 'failures as JSON' '(.ok | not) and (.files | map(select(.ok | not)) | length == 2) and (.files[0].message | length > 0)'

# ---- settings of other programs, and of older PostgreSQL
explains() { # what, exit code, piece, line for a good node.conf
    "$pgmesh" init --open-root-key --cluster other --out other --member db1,database,fra,10.0.0.1:7400 >/dev/null 2>&1
    echo "$4" >>other/db1/node.conf
    expect "$1" "$2" "$3" config check other/db1/node.conf
    rm -r other
}
explains 'wal_keep_segments has another name' 1 'it is wal_keep_size' 'pg.wal_keep_segments = 32'
explains 'pgaf.* does nothing' 0 'does nothing' 'pg.pgaf.failover_timeout = 5'
explains "Patroni's ttl is the lease" 1 'It is a setting of Patroni' 'ttl = 30'
explains 'what pgmesh writes itself' 1 'pgmesh owns it' "pg.primary_conninfo = 'host=db1'"
printf 'standby_mode = on\nprimary_conninfo = '\''host=db1'\''\ntrigger_file = '\''/tmp/t'\''\n' >recovery.conf
expect 'a recovery.conf' 1 'refuses to start beside a recovery.conf' config check recovery.conf
verdict 'line by line' grep -q 'recovery.conf:3: "trigger_file"' <<<"$err"
printf 'shared_buffers = 1GB\n#wal_keep_segments = 3\nwal_keep_segments = 3\n' >postgresql.conf
expect 'a postgresql.conf' 1 'postgresql.conf:3: "wal_keep_segments"' config check postgresql.conf
printf 'bootstrap:\n  dcs:\n    ttl: 30\n    maximum_lag_on_failover: 1048576\n' >patroni.yml
expect 'a patroni.yml as JSON' 1 'lag alone deposes nobody' config check patroni.yml --output json
holds 'with lines' '(.ok | not) and ([.files[0].notices[].name] == ["ttl", "maximum_lag_on_failover"]) and .files[0].notices[0].line == 3'
printf 'shared_buffers = 1GB\n' >postgresql.conf
expect 'nothing to object to' 0 '' config check postgresql.conf

# ---- show
sed -i 's/^#lease = .*/lease = 1500ms/' orders/db1/node.conf
echo 'pg.work_mem = 64MB' >>orders/db1/node.conf
expect 'config show' 0 '' config show orders/db1/node.conf --output json
holds 'what is set and what is a default' '[.options[] | {(.name): [.value, .set]}] | add | .lease == ["1500ms", true] and .fence == ["100ms", false] and .["pg.work_mem"] == ["64MB", true] and (.cluster_file[0] | endswith("orders/db1/cluster")) and .cluster_file[1] == false'
expect 'config show of nothing' 2 'no file is named' config show
expect 'config show of a broken file' 1 'unknown option' config show recovery.conf
