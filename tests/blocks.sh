# shellcheck shell=bash
# blocks.sh: the commands of a document, for a test that does what stands there. To be sourced.
#
# A block is what is indented below a line `<!-- block: NAME -->`, which no reader of the page sees.

block() { # document, name: its commands
    awk -v mark="<!-- block: $2 -->" '
        $0 == mark { found = 1; next }
        found && /^    / { print substr($0, 5); some = 1; next }
        found && /^[ \t]*$/ { if (some) print ""; next }
        found && some { exit }' "$1"
}
# The commands as they stand, but for the one question that they ask at a terminal: here nobody types a passphrase.
unattended() { sed 's/pgmesh init /&--open-root-key /'; }
# Does every block of the document stand in a step of these tests? Prints those that do not.
blocks_run() { # document, test...
    local name missing=0
    while read -r name; do
        grep -qE "step(_within [0-9]+)? $name( |$)" "${@:2}" || { printf '# nobody runs the block %s\n' "$name"; missing=1; }
    done < <(sed -n 's/^<!-- block: \(.*\) -->$/\1/p' "$1")
    return "$missing"
}
