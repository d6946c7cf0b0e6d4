#!/bin/sh
# Installs the units: packaging/systemd/install.sh UNITDIR BINDIR
#
# @BINDIR@ becomes the programs' folder, @SANDBOX@ the lines that witness and observer share.
set -eu
here=$(dirname "$0")
install -d "$1"
for unit in "$here"/*.service; do
    sed -e "s,@BINDIR@,$2,g" -e "/^@SANDBOX@\$/{
r $here/sandbox.inc
d
}" "$unit" >"$1/${unit##*/}"
    chmod 644 "$1/${unit##*/}"
done
