# pgmesh config check: what the daemons would say, before they are started.
"$pgmesh" init --cluster orders --out orders --member db1,database,fra,10.0.0.1:7400 --member wit1,witness,lux,10.0.0.3:7400 \
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
