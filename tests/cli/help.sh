# Help teaches, mistakes are named, and the exit code tells a script.
expect 'no command' 2 ''
verdict 'shows the commands' grep -q 'switchover' <<<"$out"
for command in $("$pgmesh" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p'); do
    expect "$command --help" 0 '' "$command" --help
    verdict "$command --help has an example" grep -q '^    pgmesh '"$command" <<<"$out"
done
expect 'help COMMAND' 0 '' help status
expect 'an unknown command' 2 'Perhaps "status" was meant' stauts
expect 'an unknown option' 2 'unknown option "--frobnicate"' status --frobnicate
expect 'one dash' 2 'two dashes' status -frobnicate
expect 'a value that is missing' 2 'lacks its value' status --config
expect 'a form of output that is none' 2 '"xml" is no form of output' status --output xml
expect 'a word too many' 2 'unexpected word "db1"' status db1
expect 'a durability that is none' 2 'is no durability' durability safe
expect 'a vote neither on nor off' 2 'neither on nor off' member vote db1 perhaps
expect 'a member and nothing to do' 2 'is not understood' member db1
expect 'no target' 2 'no target is named' switchover
expect 'data loss needs the name and the term' 2 'must be typed' failover --to db2 --allow-data-loss
expect 'no term at all' 2 '"x" is no term' why x
expect 'config sample' 0 '' config sample
verdict 'the sample names every option once' [ -z "$(grep -oE '^#?[a-z_]+ = ' <<<"$out" | tr -d '#' | sort | uniq -d)" ]
expect 'config of nothing' 2 'check, show or sample?' config

for width in 40 60 80; do
    longest=$(COLUMNS=$width "$pgmesh" init --help | grep -v '^    ' | wc -L)
    verdict "help fits $width columns" [ "$longest" -le "$width" ]
done
verdict 'no colour into a pipe' [ -z "$("$pgmesh" --help | grep -l $'\033')" ]

expect 'no configuration' 3 'cannot find out which member to ask' status --config nothing.conf
echo 'contorl = x' >bad.conf
expect 'a configuration with a slip' 2 'Perhaps "control" was meant' status --config bad.conf
echo 'control = nobody.sock' >gone.conf
expect 'nobody there' 3 'no member answers at "nobody.sock"' status --config gone.conf
expect 'the environment names a configuration' 3 'no member answers' status --config gone.conf
PGMESH_CONFIG=gone.conf expect 'PGMESH_CONFIG' 3 'told by gone.conf' status
expect 'a socket by hand' 3 'no member answers at "other.sock"' status --control other.sock
expect 'complaints as JSON' 3 'no member answers' status --control other.sock --output json
holds 'with code and hint' '.error.code == "no_contact" and (.error.hint | length > 0)'

# One version for all, and each says what it is for.
version=$("$pgmesh" --version)
verdict 'pgmesh --version' [ -n "${version#pgmesh }" ]
for program in pgmesh-node pgmesh-guard pgmesh-witness; do
    verdict "$program --version" [ "$("$(dirname "$pgmesh")/$program" --version)" = "$program (pgmesh) ${version#pgmesh }" ]
    verdict "$program --help" grep -q -- '--version' <<<"$("$(dirname "$pgmesh")/$program" --help)"
done
