#!/usr/bin/env bash
# Copies the sources, and nothing that was built: packaging/source.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "$1"
if [ -e .git ] && command -v git >/dev/null; then
    git ls-files -z --cached --others --exclude-standard
else
    find . -path ./build -prune -o -type f -print0
fi | tar --null --files-from=- --ignore-failed-read --warning=no-failed-read -cf - | tar -C "$1" -xf -
